"""The section "In proportion" of docs/performance.md, from what bench/scale has measured."""
import json

import page

# name: (what its sizes are, [(figure, column)])
TABLES = {
    "connections": ("connections", [
        ("bytes", "bytes each"), ("kernel_bytes", "kernel, bytes each"), ("uid_bytes", "bytes for a uid"), ("connect_us", "connect, µs"),
        ("beat_us", "heartbeat, µs"), ("churn_us", "connect, echo, close, µs"), ("bind_us", "take a uid, µs"),
        ("rebind_us", "take another, µs"), ("ask_us", "question, µs"), ("close_us", "all close, µs each")]),
    "group": ("members", [
        ("delivery_us", "a delivery, µs"), ("move_us", "leave and join, µs"), ("count_us", "count, µs")]),
    "groups_of_client": ("groups of each client", [
        ("bytes", "bytes for a membership"), ("join_us", "join, µs"), ("move_us", "leave one and join it, µs"),
        ("close_us", "close with all of them, µs")]),
    "session": ("bytes of a session", [("bytes", "bytes for a client"), ("echo_us", "echo of 128 B, µs")]),
    "message": ("bytes of a message", [("echo_us", "echo, µs")]),
    "gateways": ("gateways", [
        ("bytes", "bytes of all processes"), ("rest_us_per_s", "at rest, µs in a second"), ("echo_us", "echo, µs"),
        ("publish_us", "message to all, µs"), ("question_us", "question to all, µs")]),
}


def times(last, first):
    return f"× {page.number(last / first)}" if first > 0 else ""


def growth_table(figures, name):
    what, columns = TABLES[name]
    sizes = list(figures)
    rows = [(page.number(int(size)), *[page.number(figures[size][key]) for key, _ in columns]) for size in sizes]
    least, most = figures[sizes[0]], figures[sizes[-1]]
    rows.append((f"**{times(int(sizes[-1]), int(sizes[0])) or 'ratio'}**", *[f"**{times(most[key], least[key])}**" for key, _ in columns]))
    return page.table((what, *[label for _, label in columns]), rows)


def tables_table(figures):
    rows = [(f"`{name}`", f"{page.number(each['ns'])} ns", page.number(each["bytes"]) if each["bytes"] else "") for name, each in figures.items()]
    return page.table(("benchmark", "time", "bytes each"), rows)


def sections():
    out = {f"scale_{name}": (lambda figures, name=name: growth_table(figures[f"scale_{name}"], name)) for name in TABLES}
    out["scale_tables"] = lambda figures: tables_table(figures["scale_tables"])
    out["scale_machine"] = lambda figures: page.machine_text({"machine": figures["scale_machine"]})
    return out


def write(figures, docs):
    (docs / "performance" / "scale.json").write_text(json.dumps(figures, indent=1) + "\n")
    path = docs / "performance.md"
    path.write_text(page.fill(path.read_text(), {f"scale_{name}": each for name, each in figures.items()}, sections()))

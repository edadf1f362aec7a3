"""Writes what was measured into docs/performance.md: each table stands between two marks, what is around them is written by hand."""
import json
import re

from works import WORKS

HERE, FLOOR = "Gatehouse", "floor"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def machine_text(figures):
    machine = figures["machine"]
    return (f"Measured on {machine['date']}: {machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, {machine['compiler']}; "
            f"commit {machine['commit']}.")


def ratio_table(figures):
    rows = []
    for name, (what, unit, _, wanted) in WORKS.items():
        if name not in figures["ratios"]:
            continue
        each = figures["ratios"][name]
        rows.append((what, f"{each['floor_us']:.2f}", f"{each['here_us']:.2f}",
                     f"**{each['ratio']:.2f}** ({each['ratio_min']:.2f} to {each['ratio_max']:.2f})", wanted,
                     f"{number(each['here_per_s'])} {unit}/s, floor {number(each['floor_per_s'])}"))
    return table(("work", "floor, µs", "Gatehouse, µs", "ratio", "goal", "rate"), rows)


def latency_table(figures):
    each = figures["latency"]
    rows = [(name, *[number(each[key][p]) for p in ("p50", "p90", "p99", "p999")])
            for name, key in ((HERE, "here"), (FLOOR, "floor"))]
    text = table((f"µs, at {number(each['rate'])} messages a second", "half within", "90 %", "99 %", "99.9 %"), rows)
    return (f"{text}\n\nMedians of {each['rounds']} rounds. Ratio of the 99th percentiles: **{each['ratio']:.2f}**, in single rounds "
            f"{each['ratio_min']:.2f} to {each['ratio_max']:.2f} (goal 1.5).")


def memory_table(figures):
    rows = [(number(count), number(each["here"]), number(each["floor"])) for count, each in figures["idle"].items()
            for count in [int(count)]]
    text = table(("connections", "Gatehouse, bytes each", "floor"), rows)
    beat = figures.get("heartbeat")
    if beat:
        text += (f"\n\nWith {number(beat['connections'])} idle connections and a heartbeat every {beat['interval_s']} s, all processes together took "
                 f"**{beat['us']:.2f} µs** of CPU for each connection and second (goal 2), {beat['us_without']:.2f} of them without a heartbeat.")
    return text


def growth_table(figures, key, head):
    rows = [(number(int(size)), f"{each['floor_us']:.2f}", f"{each['here_us']:.2f}", f"{each['ratio']:.2f}")
            for size, each in figures[key].items()]
    return table((head, "floor, µs", "Gatehouse, µs", "ratio"), rows)


def instruction_table(figures):
    return table(("work", "instructions of all processes, for each"),
                 [(name, f"{number(each['instructions'])} ({each['what']})") for name, each in figures["instructions"].items()])


def micro_table(figures):
    return table(("benchmark", "time"), [(f"`{name}`", f"{number(ns)} ns") for name, ns in figures["micro"].items()])


SECTIONS = {
    "machine": machine_text, "ratios": ratio_table, "latency": latency_table, "idle": memory_table,
    "groups": lambda figures: growth_table(figures, "groups", "members"),
    "sizes": lambda figures: growth_table(figures, "sizes", "bytes of a message"),
    "instructions": instruction_table, "micro": micro_table,
}


def fill(text, figures, sections=SECTIONS):
    """Each `<!-- measured: NAME -->` ... `<!-- end -->` of the page with what there is of that name."""

    def replace(match):
        name = match.group(1)
        if name not in figures:
            return match.group(0)
        return f"<!-- measured: {name} -->\n{sections[name](figures)}\n<!-- end -->"

    return re.sub(r"<!-- measured: (\w+) -->.*?<!-- end -->", replace, text, flags=re.DOTALL)


def plot(figures, folder):
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "gatehouse"  # the same figures give the same file
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)

    def save(name):
        pyplot.tight_layout()
        pyplot.savefig(folder / f"{name}.svg", metadata={"Date": None})
        pyplot.close()

    names = list(figures["ratios"])
    pyplot.figure(figsize=(7, 3))
    pyplot.barh(names, [figures["ratios"][name]["ratio"] for name in names], color="#3b6ea5")
    for row, name in enumerate(names):
        pyplot.plot([WORKS[name][3]] * 2, [row - 0.4, row + 0.4], color="#c03030")
    pyplot.axvline(1, color="#808080", linewidth=0.8)
    pyplot.gca().invert_yaxis()
    pyplot.xlabel("CPU of the servers, as a ratio to the floor (red: goal)")
    save("ratios")

    for key, label in (("groups", "members of the group"), ("sizes", "bytes of a message")):
        if key not in figures:
            continue
        sizes = [int(size) for size in figures[key]]
        pyplot.figure(figsize=(7, 3))
        for side, name in (("here_us", HERE), ("floor_us", FLOOR)):
            pyplot.plot(sizes, [each[side] for each in figures[key].values()], marker="o", label=name)
        pyplot.xscale("log")
        if key == "sizes":
            pyplot.yscale("log")
        else:
            pyplot.ylim(bottom=0)
        pyplot.xlabel(label)
        pyplot.ylabel("CPU, µs for each")
        pyplot.legend()
        save(key)


def write(figures, docs):
    folder = docs / "performance"
    plot(figures, folder)
    (folder / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    page = docs / "performance.md"
    page.write_text(fill(page.read_text(), figures))

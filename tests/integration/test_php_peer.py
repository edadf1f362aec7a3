"""PHP's own pack, serialize, json_encode and arrays against the program: workers, back ends, gateways and registers in PHP (tests/php)
in one cluster with native ones."""
import asyncio
import contextlib
import json
import socket
import unittest

import websockets

from php_peer import SECRET, Caller, GatewayCall, PhpPeerTest, events, ordered
from program import LineClient, free_ports, open_websocket, wait_until

GONE = "fffffff0"  # a connection id that nobody has
NAMES = ["room", "7", "007", "-3", "0.0", " ", "中文", 'q"uo\\te/', "x" * 300]


class EveryCallTest(PhpPeerTest):
    """The same calls and the same results, whoever is the worker and whoever the gateways."""

    def check_calls(self, ask, first_port, second_port, others):
        """`ask` makes calls; a and b are clients of one gateway, c of another; `others` are clients beside them."""
        with contextlib.ExitStack() as held:
            a, b, c = (held.enter_context(Caller(port)) for port in (first_port, first_port, second_port))

            def call(name, **arguments):
                self.assertNotIn("error", ask({"call": name, **arguments}), (name, arguments))

            def expect(expected, name, **arguments):
                self.becomes(ask, {"call": name, **arguments}, ordered(expected))

            def heard(*whom, words):
                for client in whom:
                    self.assertEqual(client.receive(), words)

            ids = sorted([a.id, b.id, c.id] + others)
            expect(len(ids), "client_count")
            expect(ids, "client_ids")
            for name in ("uids", "group_ids"):
                expect([], name)

            # Uids.
            for client, uid in ((a, "5"), (b, "5"), (c, "u-c")):
                call("bind_uid", client=client.id, uid=uid)
            expect(["5", "u-c"], "uids")
            expect(2, "uid_count")
            expect("5", "uid_by_client_id", client=a.id)
            expect(None, "uid_by_client_id", client=a.id[:12] + GONE)
            expect(False, "is_online", client=a.id[:12] + GONE)
            expect([a.id, b.id], "client_ids_by_uid", uid="5")
            expect([], "client_ids_by_uid", uid="05")
            expect(True, "is_uid_online", uid="u-c")
            expect(False, "is_uid_online", uid="nobody")
            expect({"5": True, "nobody": False}, "are_uids_online", uids=["5", "nobody"])
            expect({"5": [a.id, b.id], "u-c": [c.id], "nobody": []}, "client_ids_by_uids", uids=["5", "u-c", "nobody"])
            call("bind_uid", client=b.id, uid="moved")
            expect([a.id], "client_ids_by_uid", uid="5")
            call("unbind_uid", client=b.id)
            expect(["5", "u-c"], "uids")

            # Groups.
            for name in NAMES:
                call("join_group", client=a.id, group=name)
                call("join_group", client=c.id, group=name)
            call("join_group", client=b.id, group="room")
            call("join_group", client=b.id, group="room")
            expect(NAMES, "group_ids")
            expect(NAMES, "groups_by_client_id", client=c.id)
            expect(["room"], "groups_by_client_id", client=b.id)
            expect([a.id, b.id, c.id], "client_ids_by_group", group="room")
            expect([a.id, c.id], "client_ids_by_group", group="7")
            expect(3, "client_count_by_group", group="room")
            expect(0, "client_count_by_group", group="nobody")
            expect({"room": 3, "7": 2, "nobody": 0}, "client_counts_by_groups", groups=["room", "7", "nobody"])
            expect(["5", "u-c"], "uids_by_group", group="room")
            expect(2, "uid_count_by_group", group="007")
            expect({name: [a.id, c.id] + ([b.id] if name == "room" else []) for name in NAMES}, "clients_by_all_groups")
            expect({name: ["5", "u-c"] for name in NAMES}, "uids_by_all_groups")
            expect({name: 3 if name == "room" else 2 for name in NAMES}, "client_counts_by_all_groups")
            expect({name: 2 for name in NAMES}, "uid_counts_by_all_groups")

            # Messages. Everyone reads everything, so that one too many is the wrong one for whoever gets it.
            for words in ("hello", "", "中文 😀", "x" * 100_000):
                call("send_to_client", client=b.id, data=words)
                heard(b, words=words)
            call("send_to_client", client=b.id, data="raw\n", raw=True)
            heard(b, words="raw")
            call("send_to_clients", clients=[a.id, c.id], data="to two")
            heard(a, c, words="to two")
            call("send_to_clients", clients=[a.id, c.id], data="to one of two", **{"except": [a.id]})
            heard(c, words="to one of two")
            call("send_to_all", data="to all")
            heard(a, b, c, words="to all")
            call("send_to_all", data="to all but two", **{"except": [a.id, c.id]})
            heard(b, words="to all but two")
            call("send_to_uid", uids=["5"], data="to a uid")
            heard(a, words="to a uid")
            call("send_to_uid", uids=["5", "nobody", "u-c"], data="to uids")
            heard(a, c, words="to uids")
            for name in NAMES:
                call("send_to_group", groups=[name], data="in " + name[:9])
                heard(a, c, words="in " + name[:9])
            heard(b, words="in room")
            call("send_to_group", groups=["room", "7"], data="to two groups", **{"except": [c.id]})
            heard(a, a, b, words="to two groups")
            call("send_to_group", groups=["nobody"], data="to nobody")

            # Sessions.
            session = {"name": "甲", "n": -7, "f": 0.1, "yes": True, "no": None, "list": [1, 2, 3], "7": "seven", "007": "bond", "deep": {"x": {"y": ""}}}
            call("set_session", client=a.id, value=session)
            expect(ordered(session), "session", client=a.id)
            call("update_session", client=a.id, value={"list": [9], "deep": {"x": {"z": [1]}}, "7": {"now": "more"}})
            merged = session | {"list": [9, 2, 3], "deep": {"x": {"y": "", "z": [1]}}, "7": {"now": "more"}}
            expect(ordered(merged), "session", client=a.id)
            call("update_session", client=c.id, value={"first": 1})
            expect({"first": 1}, "session", client=c.id)
            expect({}, "session", client=b.id)
            expect(None, "session", client=a.id[:12] + GONE)
            expect({a.id: merged, b.id: {}, c.id: {"first": 1}}, "sessions_by_group", group="room")
            expect({a.id: merged, b.id: {}, c.id: {"first": 1}} | {other: {} for other in others}, "sessions")
            self.assertEqual(ordered(a.request()["session"]), ordered(merged), "it comes with the client's next event")

            # Ends.
            call("leave_group", client=a.id, group="room")
            expect([b.id, c.id], "client_ids_by_group", group="room")
            call("ungroup", group="room")
            expect(NAMES[1:], "group_ids")
            self.check_ends(call, expect, first_port)
            call("send_to_all", data="the end")
            heard(a, b, c, words="the end")
        expect(len(others), "client_count")
        expect([], "uids")
        expect([], "group_ids")

    def check_ends(self, call, expect, port):
        for last_words, lines in ((None, []), ("", [""]), ("last words", ["last words"])):
            with Caller(port) as client:
                expect(True, "is_online", client=client.id)
                call("bind_uid", client=client.id, uid="leaving")
                call("close_client", client=client.id, last_words=last_words)
                for line in lines:
                    self.assertEqual(client.receive(), line)
                self.assertTrue(client.is_closed())
                self.assertEqual(client.buffer, b"")
                expect(False, "is_online", client=client.id)
                expect(False, "is_uid_online", uid="leaving")
        with Caller(port) as client:
            call("destroy_client", client=client.id)
            self.assertTrue(client.is_closed())

    def check_close_uid(self, ask, port):
        def call(name, **arguments):
            self.assertNotIn("error", ask({"call": name, **arguments}), (name, arguments))

        with Caller(port) as one, Caller(port) as two:
            for client in (one, two):
                call("bind_uid", client=client.id, uid="both")
            self.becomes(ask, {"call": "client_ids_by_uid", "uid": "both"}, sorted([one.id, two.id]))
            call("close_uid", uid="both", last_words="bye")
            for client in (one, two):
                self.assertEqual(client.receive(), "bye")
                self.assertTrue(client.is_closed())

    def start_native_gateways(self):
        ports = free_ports(5)
        register = f"127.0.0.1:{ports[0]}"
        self.start_gatehouse(register, [(f"text://127.0.0.1:{ports[1]}", ports[2]), (f"text://127.0.0.1:{ports[3]}", ports[4])])
        return register, ports[1], ports[3]

    def test_php_worker_at_native_register_and_gateways(self):
        register, first, second = self.start_native_gateways()
        self.start_php_worker(register, 2)
        with Caller(first) as caller:
            self.check_calls(caller.ask, first, second, [caller.id])
            self.check_close_uid(caller.ask, first)

    def test_php_client_at_native_register_and_gateways(self):
        register, first, second = self.start_native_gateways()
        self.start_php_worker(register, 2)
        client = self.php("client.php", register, SECRET, talks=True)
        self.check_calls(client.ask, first, second, [])
        self.check_close_uid(client.ask, first)

    def test_an_update_with_references_is_kept(self):
        register, first, _ = self.start_native_gateways()
        self.start_php_worker(register, 2)
        client = self.php("client.php", register, SECRET, talks=True)
        with Caller(first) as caller:
            client.ask({"call": "set_session", "client": caller.id, "value": {"keep": 1}})
            client.ask({"call": "update_session_with_references", "client": caller.id})
            self.becomes(client.ask, {"call": "session", "client": caller.id},
                         {"keep": 1, "rows": [{"n": 2}, {"n": 3}], "last": {"n": 3}})

    def test_native_worker_at_php_register_and_gateways(self):
        ports = free_ports(5)
        register = f"127.0.0.1:{ports[0]}"
        self.start_php_register(register)
        self.start_php_gateway(register, ports[1], ports[2])
        self.start_php_gateway(register, ports[3], ports[4])
        self.start_native_worker(register)
        with Caller(ports[2]) as caller:
            self.check_calls(caller.ask, ports[2], ports[4], [caller.id])
            self.check_close_uid(caller.ask, ports[2])

    def test_native_client_at_php_register_and_gateways(self):
        ports = free_ports(5)
        register = f"127.0.0.1:{ports[0]}"
        self.start_php_register(register)
        self.start_php_gateway(register, ports[1], ports[2])
        self.start_php_gateway(register, ports[3], ports[4])
        self.start_php_worker(register, 2)
        call = GatewayCall(register)
        self.check_calls(call.ask, ports[2], ports[4], [])
        with Caller(ports[2]) as caller:
            refused = call.ask({"call": "set_ping_interval", "client": caller.id, "data": "30s"})
        self.assertEqual(refused, {"error": f"gatehouse call: commands may not have reached the gateway 127.0.0.1:{ports[1]} "
                                            "(a gateway of PHP has one ping interval for all its clients)\n"})

    def test_native_worker_at_native_register_and_gateways(self):
        register, first, second = self.start_native_gateways()
        self.start_native_worker(register)
        with Caller(first) as caller:
            self.check_calls(caller.ask, first, second, [caller.id])
            self.check_close_uid(caller.ask, first)

    def test_a_cluster_of_both_kinds(self):
        """One gateway and one worker of each kind: clients are bound to either worker and see one cluster."""
        ports = free_ports(5)
        register = f"127.0.0.1:{ports[0]}"
        self.start_gatehouse(register, [(f"text://127.0.0.1:{ports[1]}", ports[2])])
        self.start_php_gateway(register, ports[3], ports[4])
        _, php_log = self.start_php_worker(register, 2)
        _, native_log = self.start_native_worker(register)
        with contextlib.ExitStack() as held:
            there = held.enter_context(Caller(ports[4]))
            callers = []

            def clients_of(log):
                return {event[0] for event in events(log, "connect")}

            def both_workers_have_a_client():
                callers.append(held.enter_context(Caller(ports[1])))
                ids = {caller.id for caller in [there] + callers}
                wait_until(lambda: clients_of(php_log) | clients_of(native_log) == ids)
                return all(clients_of(log) & {caller.id for caller in callers} for log in (php_log, native_log))

            # The native worker may come later than the first clients; from then on they are dealt out evenly.
            wait_until(both_workers_have_a_client)
            for log in (php_log, native_log):
                caller = next(caller for caller in callers if caller.id in clients_of(log))
                self.becomes(caller.ask, {"call": "client_count"}, len(callers) + 1)  # its worker is at both gateways
                self.check_calls(caller.ask, ports[1], ports[4], [caller.id for caller in [there] + callers])
                self.check_close_uid(caller.ask, ports[1])


class SameAnswersTest(PhpPeerTest):
    """What a native gateway answers is, key by key and type by type, what PHP's own arrays and serialize() make of it."""

    QUESTIONS = [(10, ""), (24, ""), (26, ""), (16, '["5","nobody","5"]'), (28, '["room","7","nobody","7"]'), (16, "[]"), (28, "[]")]
    QUESTIONS += [(15, uid) for uid in ("5", "05", "ü", "nobody", "")]
    QUESTIONS += [(command, group) for command in (23, 24) for group in NAMES + ["nobody"]]
    QUESTIONS += [(25, json.dumps({"fields": fields, "where": where}))
                  for fields in (["session", "uid", "groups"], ["uid"], ["groups"], ["session"], ["uid", "session"])
                  for where in ([], {}, {"groups": ["room"]}, {"groups": ["7", "room", "nobody"]}, {"uid": ["5", "ü"]}, {"connection_id": []},
                                {"groups": ["room"], "uid": ["5"]})]

    def test_questions(self):
        ports = free_ports(5)
        register = f"127.0.0.1:{ports[0]}"
        self.start_gatehouse(register, [(f"text://127.0.0.1:{ports[1]}", ports[2])])
        self.start_php_gateway(register, ports[3], ports[4])
        self.start_php_worker(register, 2)
        client = self.php("client.php", register, SECRET, talks=True)
        with contextlib.ExitStack() as held:
            sides = {inner: [held.enter_context(Caller(port)) for _ in range(4)] for inner, port in ((ports[2], ports[1]), (ports[3], ports[4]))}
            self.compare(client, sides)
            for a, b, c, _ in sides.values():
                for who, call, arguments in [
                        (a, "bind_uid", {"uid": "5"}), (b, "bind_uid", {"uid": "5"}), (c, "bind_uid", {"uid": "ü"}),
                        *[(who, "join_group", {"group": name}) for name in NAMES for who in (a, c)], (b, "join_group", {"group": "room"}),
                        (a, "set_session", {"value": {"7": [1, {"k": None}], "f": 1.5, "yes": True}}), (b, "set_session", {"value": []})]:
                    client.ask({"call": call, "client": who.id, **arguments})
                # Every command travels on a connection of its own, so that a later one might be first.
                self.becomes(client.ask, {"call": "session", "client": a.id}, ordered({"7": [1, {"k": None}], "f": 1.5, "yes": True}))
                client.ask({"call": "update_session", "client": a.id, "value": {"7": ["one"], "8": 8}})
            self.becomes(client.ask, {"call": "client_count_by_group", "group": "room"}, 6)
            for name in NAMES[1:]:
                self.becomes(client.ask, {"call": "client_count_by_group", "group": name}, 4)
            self.becomes(client.ask, {"call": "client_ids_by_uid", "uid": "5"}, sorted(clients[i].id for clients in sides.values() for i in (0, 1)))
            self.becomes(client.ask, {"call": "client_ids_by_uid", "uid": "ü"}, sorted(clients[2].id for clients in sides.values()))
            for first, *_ in sides.values():
                self.becomes(client.ask, {"call": "session", "client": first.id}, ordered({"7": ["one", {"k": None}], "f": 1.5, "yes": True, "8": 8}))
            self.compare(client, sides)
            for clients in sides.values():
                client.ask({"call": "leave_group", "client": clients[0].id, "group": "room"})
                client.ask({"call": "unbind_uid", "client": clients[0].id})
            client.ask({"call": "ungroup", "group": "7"})
            self.becomes(client.ask, {"call": "client_ids_by_uid", "uid": "5"}, sorted(clients[1].id for clients in sides.values()))
            self.becomes(client.ask, {"call": "client_count_by_group", "group": "room"}, 4)
            self.becomes(client.ask, {"call": "client_count_by_group", "group": "7"}, 0)
            self.compare(client, sides)

    def compare(self, client, sides):
        """Connection ids have the names of their clients, so that both sides have the same."""
        names = [{int(caller.id[12:], 16): f"client {number}" for number, caller in enumerate(callers)} for callers in sides.values()]

        def named(value, side):
            """Lists without their order, arrays as sorted pairs, connection ids by name."""
            if not isinstance(value, list):
                return names[side].get(value, value) if type(value) is int else value
            if [key for key, _ in value] == list(range(len(value))):
                return {"list": sorted((named(each, side) for _, each in value), key=json.dumps)}
            return sorted(([named(key, side), named(each, side)] for key, each in value), key=json.dumps)

        for command, ext in self.QUESTIONS:
            answers = client.ask({"call": "question", "command": command, "ext": ext})
            self.assertNotIn("error", answers, (command, ext))
            ours, theirs = (named(answer, side) for side, answer in enumerate(answers["result"]))
            self.assertEqual(ours, theirs, (command, ext))
        for command in (11, 203):
            for callers in zip(*sides.values()):
                ours, theirs = (client.ask({"call": "question_about", "command": command, "client": caller.id}) for caller in callers)
                self.assertEqual(ours, theirs, command)
            gone = [callers[0].id[:12] + GONE for callers in sides.values()]
            ours, theirs = (client.ask({"call": "question_about", "command": command, "client": one}) for one in gone)
            self.assertEqual(ours, theirs, command)


class EventsTest(PhpPeerTest):
    async def test_handshake_and_addresses_as_php_sees_them(self):
        ports = free_ports(3)
        register = f"127.0.0.1:{ports[0]}"
        self.start_gatehouse(register, [(f"websocket://127.0.0.1:{ports[1]}", ports[2])])
        _, log = self.start_php_worker(register, 1)
        headers = {"Cookie": "sid=abc; theme=d%20e", "Origin": "http://example.com", "X-Thing": "1"}
        url = f"ws://127.0.0.1:{ports[1]}/chat?name=n%C3%A9&x[]=1&x[]=2&y[k]=v&sp=a+b"
        async with open_websocket(url, extra_headers=headers) as client:
            answer = {"session": None}
            while answer["session"] is None:  # a message that is under way already carries the session from before
                await client.send("{}")
                answer = json.loads((await asyncio.wait_for(client.recv(), 20))[1:])
            self.assertEqual(answer["session"], {"name": "né"})
            own_port = client.local_address[1]
        wait_until(lambda: events(log, "close"))
        ((client_id, *addresses),) = events(log, "connect")
        self.assertEqual(client_id, answer["id"])
        self.assertEqual(addresses, ["127.0.0.1", own_port, "127.0.0.1", ports[1]])
        ((_, query, server, cookies),) = events(log, "websocket")
        self.assertEqual(query, {"name": "né", "x": ["1", "2"], "y": {"k": "v"}, "sp": "a b"})
        self.assertEqual(cookies, {"sid": "abc", "theme": "d%20e"}, "as they came")
        expected = {"REQUEST_METHOD": "GET", "REQUEST_URI": url.split(str(ports[1]))[1], "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
                    "REMOTE_PORT": own_port, "SERVER_PORT": ports[1], "HTTP_ORIGIN": "http://example.com", "HTTP_X_THING": "1",
                    "QUERY_STRING": "name=n%C3%A9&x[]=1&x[]=2&y[k]=v&sp=a+b", "HTTP_HOST": f"127.0.0.1:{ports[1]}"}
        self.assertEqual({key: server.get(key) for key in expected}, expected)
        # Nothing of the extension reaches PHP: no close reason in on_close, no flag but the scalar's.
        self.assertEqual(events(log, "close"), [[client_id, {"name": "né"}, 1, ""]])

    def test_a_client_that_closes_its_direction_gets_what_php_answers(self):
        ports = free_ports(3)
        register = f"127.0.0.1:{ports[0]}"
        self.start_gatehouse(register, [(f"text://127.0.0.1:{ports[1]}", ports[2])])
        self.start_php_worker(register, 1)
        with LineClient(ports[1]) as client:
            client.socket.sendall(b"one\ntwo\n")
            client.socket.shutdown(socket.SHUT_WR)
            self.assertTrue(client.is_closed())
            self.assertEqual(client.buffer, b"echo one\necho two\n")

    async def test_php_decides_about_handshakes_as_far_as_its_wire_goes(self):
        ports = free_ports(3)
        register = f"127.0.0.1:{ports[0]}"
        self.start_gatehouse(register, [(f"websocket://127.0.0.1:{ports[1]}", ports[2])], more="handshake_by_worker = true\n")
        _, log = self.start_php_worker(register, 1)
        url = f"ws://127.0.0.1:{ports[1]}/"
        with self.assertRaises(websockets.InvalidStatusCode) as refused:
            await open_websocket(url + "?refuse=wrong+token")
        self.assertEqual(refused.exception.status_code, 403)
        for query in ("?name=Ada", ""):  # one that is let in by its session, and one of which PHP says nothing
            async with open_websocket(url + query) as client:
                await client.send("hello")
                self.assertEqual(await asyncio.wait_for(client.recv(), 30), "echo hello")
        wait_until(lambda: len(events(log, "close")) == 3, what="three ends")

    async def test_binary_and_long_messages_reach_php_as_bytes(self):
        ports = free_ports(3)
        register = f"127.0.0.1:{ports[0]}"
        self.start_gatehouse(register, [(f"websocket://127.0.0.1:{ports[1]}", ports[2])])
        _, log = self.start_php_worker(register, 1)
        async with open_websocket(f"ws://127.0.0.1:{ports[1]}/", max_size=None) as client:
            for message in ("", b"\x00\x01", "x" * 125, "x" * 126, "x" * 65536, "x" * 1024 * 1024):
                await client.send(message)
                size = len(await asyncio.wait_for(client.recv(), 20))
                self.assertEqual(size, len("echo ") + len(message))
        self.assertEqual([event[1] for event in events(log, "message")], [0, 2, 125, 126, 65536, 1024 * 1024])

    def test_php_gateways_send_no_reason_and_that_is_said(self):
        ports = free_ports(3)
        register = f"127.0.0.1:{ports[0]}"
        self.start_php_register(register)
        self.start_php_gateway(register, ports[1], ports[2])
        _, log = self.start_native_worker(register)
        with Caller(ports[2]) as client:
            address = client.socket.getsockname()
            client.request(session={"k": "v"})
        wait_until(lambda: events(log, "close"))
        self.assertEqual(events(log, "connect"), [[client.id, *address, "127.0.0.1", ports[2]]])
        self.assertEqual(events(log, "close"), [[client.id, {"k": "v"}, 0, 0]])


class ExchangeTest(PhpPeerTest):
    """One role after the other is exchanged while the rest runs."""

    def test_events_wait_while_the_php_worker_is_away(self):
        ports = free_ports(3)
        register = f"127.0.0.1:{ports[0]}"
        program = self.start_gatehouse(register, [(f"text://127.0.0.1:{ports[1]}", ports[2])])
        first, _ = self.start_php_worker(register, 1)
        with Caller(ports[1]) as client:
            client.request(session={"kept": 1})
            first.process.kill()
            first.process.wait()
            # What is sent to a worker that is just dying is lost with it, as upstream.
            wait_until(lambda: program.processes("gateway")[0]["inner_connections"] == 0, what="the gateway saw it go")
            client.send(json.dumps({}))
            self.start_php_worker(register, 1)
            self.assertEqual(json.loads(client.receive()[1:])["session"], {"kept": 1})

    def test_two_programs_with_workers_of_one_name_get_along(self):
        ports = free_ports(3)
        register = f"127.0.0.1:{ports[0]}"
        program = self.start_gatehouse(register, [(f"text://127.0.0.1:{ports[1]}", ports[2])])
        _, first = self.start_native_worker(register)
        _, second = self.start_native_worker(register)
        wait_until(lambda: "is here from two programs" in program.log(), what="it is told")
        with Caller(ports[1]), Caller(ports[1]):
            for log in (first, second):
                wait_until(lambda: events(log, "connect"), what="each has a client")
        rows = json.loads(program.run("connections", "--json").stdout)
        self.assertEqual([row["peer"] for row in rows if row["kind"] == "worker" and row["peer"]], ["127.0.0.1:Caller:0"] * 2)
        self.assertNotIn("connected twice", program.log())

    def test_a_second_gateway_of_one_address_is_refused(self):
        ports = free_ports(4)
        register = f"127.0.0.1:{ports[0]}"
        program = self.start_gatehouse(register, [(f"text://127.0.0.1:{ports[1]}", ports[2])])
        with socket.create_connection(("127.0.0.1", ports[0]), timeout=20) as other:
            other.sendall(json.dumps({"event": "gateway_connect", "address": f"127.0.0.1:{ports[2]}", "secret_key": SECRET}).encode() + b"\n")
            self.assertIn(b'"event":"address_taken"', other.makefile("rb").readline())
        wait_until(lambda: "announces this one's address" in program.log(), what="the gateway that stays is told")
        self.assertIn(f"two gateways announce the address 127.0.0.1:{ports[2]}", program.log())
        self.assertEqual(program.processes("register")[0]["limits"], {"address_taken": 1})

    def test_a_too_long_command_is_lost_and_not_the_link(self):
        ports = free_ports(3)
        register = f"127.0.0.1:{ports[0]}"
        program = self.start_gatehouse(register, [(f"text://127.0.0.1:{ports[1]}", ports[2])])
        _, log = self.start_php_worker(register, 1)
        with Caller(ports[1]) as client:
            client.request(session={"kept": 1})
            self.assertEqual(client.request(long=34_000_000)["session"], {"kept": 1})
            self.assertEqual(program.processes("gateway")[0]["limits"], {"command_size": 1})
            self.assertIn("command 5 of 34000028 bytes", program.log())
            self.assertEqual(events(log, "left"), [])

    def test_a_second_worker_of_the_same_name_takes_the_place_of_the_first(self):
        ports = free_ports(3)
        register = f"127.0.0.1:{ports[0]}"
        program = self.start_gatehouse(register, [(f"text://127.0.0.1:{ports[1]}", ports[2])])
        self.start_php_worker(register, 1)
        with Caller(ports[1]) as client:
            _, log = self.start_php_worker(register, 1)
            wait_until(lambda: "connected twice" in program.log(), what="the name in the log")
            client.request()
            self.assertEqual(len(events(log, "message")), 1)

    def test_gateways_and_register_are_exchanged_under_a_running_php_worker(self):
        """The order of docs/migrating-from-gatewayworker.md, and back."""
        ports = free_ports(5)
        register = f"127.0.0.1:{ports[0]}"
        php_register = self.start_php_register(register)
        php_gateway = self.start_php_gateway(register, ports[1], ports[2])
        _, log = self.start_php_worker(register, 1)
        back_end = self.php("client.php", register, SECRET, talks=True)
        with Caller(ports[2]) as old:
            native = self.start_gatehouse(register, [(f"text://127.0.0.1:{ports[3]}", ports[4])], own_register=False)
            wait_until(lambda: len(events(log, "joined")) == 2, what="the worker joined the new gateway")
            with Caller(ports[3]) as new:
                old.request(call="join_group", client=old.id, group="room")
                old.request(call="join_group", client=new.id, group="room")
                new.request(call="send_to_group", groups=["room"], data="across")
                self.assertEqual(old.receive(), "across")
                # Back: the native gateway goes, its clients with it; the old one has never stopped.
                native.stop()
                self.assertTrue(new.is_closed())
                self.becomes(back_end.ask, {"call": "client_ids"}, [old.id])
                wait_until(lambda: [f"127.0.0.1:{ports[4]}"] in events(log, "left"), what="the worker saw it go")
                # And forth again, for good.
                native.start_again()
                wait_until(lambda: len(events(log, "joined")) == 3, what="the worker joined the new gateway again")
        php_gateway.stop()
        wait_until(lambda: [f"127.0.0.1:{ports[1]}"] in events(log, "left"), what="the worker saw the old gateway go")
        with Caller(ports[3]) as new:
            php_register.stop()
            self.assertEqual(new.request(call="client_count")["result"], 1, "nobody needs the register for this")


class SecretTest(PhpPeerTest):
    def test_a_wrong_secret_is_refused(self):
        ports = free_ports(3)
        register = f"127.0.0.1:{ports[0]}"
        program = self.start_gatehouse(register, [(f"text://127.0.0.1:{ports[1]}", ports[2])])
        stranger = self.php("client.php", register, "wrong", talks=True)
        self.assertIn("error", stranger.ask({"call": "client_count"}))
        self.assertIn("error", stranger.ask({"call": "is_online", "client": f"7f000001{ports[2]:04x}00000001"}))
        nobody = self.php("client.php", register, "", talks=True)
        self.assertIn("error", nobody.ask({"call": "is_online", "client": f"7f000001{ports[2]:04x}00000001"}))
        for words in ("wrong secret_key", "without the secret key"):
            wait_until(lambda said=words: said in program.log(), what=words)
        self.assertNotIn(SECRET, program.log())


if __name__ == "__main__":
    unittest.main()

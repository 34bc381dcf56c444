"""`tornado.httpserver` and clients that are slow, many, rude or gone; time is advanced, not waited for."""

import logging
import unittest
from functools import partial

from tornado import httpserver, iostream
from tornado.httpserver import HTTPRequest
from tornado.test import http1_cases as cases
from tornado.test.live import CHUNKED_POST, GET, Client, ServerCase, answer, desk, get, post
from tornado.test.util import ExpectLog


class ParkingCase(ServerCase):
    """Keeps the requests that come in `parked`, and notes in `gone` whose client went away."""

    def setUp(self) -> None:
        super().setUp()
        self.parked: list[HTTPRequest] = []
        self.gone: list[str] = []

    def park(self, request: HTTPRequest) -> None:
        self.parked.append(request)
        request.connection.set_close_callback(partial(self.gone.append, request.uri))

    def park_client(self, request: bytes = GET) -> Client:
        """Return a client whose *request* has been parked."""
        client = self.connect()
        before = len(self.parked)
        client.send(request)
        self.until(lambda: len(self.parked) > before)
        return client

    def watched(self) -> int:
        """Return how many descriptors the loop watches."""
        self.settle()
        return len(self.loop._handlers)


class HalfCloseTest(ParkingCase):
    """The client sends no more (RFC 9112, 9.6); a closed tab looks the same."""

    def test_answered_at_once(self) -> None:
        """What is answered without waiting is still sent, to all the requests that have come."""
        self.serve(lambda request: answer(request, request.uri.encode()))
        for count in (1, 3, 200):
            with self.subTest(count):
                client = self.connect()
                client.send(b"".join(get(f"/{number}") for number in range(count)))
                client.finish_sending()
                for number in range(count):
                    self.assertEqual(client.read_answer().body, b"/%d" % number)
                self.assertEqual(client.read_all(), b"")
                self.assertIsNone(client.error)

    def test_half_a_request_after_whole_ones(self) -> None:
        self.serve()
        for count in (1, 200):
            with self.subTest(count):
                client = self.connect()
                client.send(GET * count + GET[:-1])
                client.finish_sending()
                for _ in range(count):
                    self.assertEqual(client.read_answer().code, 200)
                self.assertEqual(client.read_answer().code, 400)
                self.assertEqual(client.read_all(), b"")

    def test_a_bad_request_after_whole_ones(self) -> None:
        """However late it is seen that the client sends no more, its mistake is answered."""
        self.serve()
        bad = b"GET / HTTP/1.1\r\n\r\n"
        for count in (0, 1, 200):
            with self.subTest(count):
                client = self.connect()
                client.send(GET * count + bad)
                client.finish_sending()
                for _ in range(count):
                    self.assertEqual(client.read_answer().code, 200)
                self.assertEqual(client.read_answer().code, 400)
                self.assertEqual(client.read_all(), b"")

    def test_large_answer(self) -> None:
        """It is sent whole; meanwhile the half-closed socket, ready for ever, costs nothing."""
        self.serve(lambda request: answer(request, b"x" * 20_000_000 if request.uri == "/big" else b"ok"))
        for behind in (0, 1, 3000):  # of the last not all are read in advance
            with self.subTest(behind):
                client = self.connect()
                client.send(get("/big") + GET * behind)
                client.finish_sending()
                self.settle()
                self.assertEqual(self.loop._impl.poll(0), [])
                self.assertEqual(len(client.read_answer().body), 20_000_000)
                for _ in range(behind):
                    self.assertEqual(client.read_answer().body, b"ok")
                self.assertEqual(client.read_all(), b"")

    def test_parked(self) -> None:
        """Who parks is told once, then the connection closes."""
        self.serve(self.park)
        for end in (Client.finish_sending, Client.close, Client.reset):
            with self.subTest(end.__name__):
                self.gone.clear()
                client = self.park_client(get("/parked"))
                end(client)
                self.settle()
                self.assertEqual(self.gone, ["/parked"])
                self.assertTrue(self.parked[-1].connection.stream.closed())
                if end is Client.finish_sending:
                    self.assertEqual(client.read_all(), b"")
                answer(self.parked[-1])  # too late, and no mistake
                self.pass_time(100)
                self.assertEqual(self.gone, ["/parked"])

    def test_parked_with_more_behind(self) -> None:
        """A long poll, and requests after it that will not be answered."""
        self.serve(self.park)
        for behind in (GET, GET * 10_000, post(b"x" * 500_000)):
            with self.subTest(len(behind)):
                self.gone.clear()
                client = self.park_client(get("/parked"))
                client.send(behind[:100_000])  # much more, and the system would hold the FIN back
                client.finish_sending()
                self.settle()
                self.assertEqual(self.gone, ["/parked"])
                self.assertEqual(client.read_all(), b"")

    def test_answered_when_told(self) -> None:
        """A handler that finishes in its close callback still reaches a client who reads."""

        def on_request(request: HTTPRequest) -> None:
            request.connection.set_close_callback(partial(answer, request, b"late"))

        self.serve(on_request)
        client = self.connect()
        client.send(GET)
        self.settle()
        client.finish_sending()
        self.assertEqual(client.read_answer().body, b"late")
        self.assertEqual(client.read_all(), b"")

    def test_close_callback_that_raises(self) -> None:
        def fail() -> None:
            raise ZeroDivisionError

        self.serve(lambda request: request.connection.set_close_callback(fail))
        for end in (Client.finish_sending, Client.reset):
            client = self.connect()
            client.send(GET)
            self.settle()
            with ExpectLog("tornado", "ZeroDivisionError"):
                end(client)
                self.settle()
        self.assertEqual(self.watched(), 2, "the listener and the loop's own")

    def test_close_callback_is_for_one_request(self) -> None:
        self.serve(self.park)
        client = self.park_client()
        answer(self.parked[0])
        self.assertEqual(client.read_answer().code, 200)
        client.close()
        self.settle()
        self.assertEqual(self.gone, [])

    def test_100_cost_nothing(self) -> None:
        """CVE-2024-49769: half-closed clients, parked or being answered, leave the loop asleep."""
        self.serve(self.park)
        clients = [self.park_client() for _ in range(90)]
        reading = [self.park_client() for _ in range(10)]
        for request in self.parked[90:]:
            request.connection.set_close_callback(None)
            request.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 9_000_000)
            request.finish()
        for client in clients + reading:
            client.finish_sending()
        self.settle()
        self.assertEqual(self.loop._impl.poll(0), [])
        turns = self.loop._turn
        self.loop._call_at(self.loop._monotonic() + 20, self.loop.stop)
        self.loop.start()
        self.assertLess(self.loop._turn - turns, 30)
        self.assertEqual(len(self.gone), 90)


class ResetTest(ParkingCase):
    """RST at any moment: nothing in the log above debug, nothing left behind."""

    def setUp(self) -> None:
        super().setUp()
        self.server = self.serve(self.on_request)
        self.ask(get("/"))
        self.before = self.watched()

    def on_request(self, request: HTTPRequest) -> None:
        if request.uri == "/park":
            self.park(request)
        else:
            answer(request, b"x" * (20_000_000 if request.uri == "/big" else 2))

    def test_any_moment(self) -> None:
        expect = post(b"xxxxx", "Expect: 100-continue")[:-5]
        for name, data in [
            ("nothing sent", b""),
            ("half a head", GET[:-5]),
            ("a head", post(b"x" * 10)[:-10]),
            ("half a body", post(b"x" * 10)[:-5]),
            ("half a large body", post(b"x" * 900_000)[:500_000]),
            ("half a chunk", CHUNKED_POST + b"a\r\nxxx"),
            ("an expectation", expect),
            ("a request", GET),
            ("a last request", get("/", "Connection: close")),
            ("a parked one", get("/park")),
            ("a large answer", get("/big")),
            ("a large last answer", get("/big", "Connection: close")),
            ("many requests", GET * 200),
            ("many large answers", get("/big") * 20),
            ("a bad request", b"\0" + GET),
            ("a good and a bad request", GET + b"\0"),
            ("a body too large", post(b"x", "A: b").replace(b"Length: 1", b"Length: 999999999999")),
        ]:
            for turns in (0, 1, 2, 3, 5):
                with self.subTest(name, turns=turns):
                    self.gone.clear()
                    with ExpectLog("tornado", ".", logging.INFO, required=False) as log:
                        client = self.connect()
                        if turns > 1:
                            self.turn()  # it is accepted
                        client.send_some(data)
                        for _ in range(turns):
                            self.turn()
                        client.reset()
                        self.settle()
                    self.assertLessEqual(len(log.records), int("bad" in name or "too large" in name))
                    self.assertLessEqual(self.watched(), self.before)
                    self.assertEqual((len(desk(self.server).connections), desk(self.server).buffered), (0, 0))
                    self.assertLessEqual(len(self.gone), 1)
        self.assertEqual(self.ask(GET).code, 200)

    def test_told_once(self) -> None:
        client = self.park_client(get("/park"))
        client.reset()
        self.settle()
        self.assertEqual(self.gone, ["/park"])

    def test_many_at_once(self) -> None:
        """CVE-2022-31015: connections die within the turn that serves them."""
        for end in (Client.reset, Client.close):
            clients = [self.connect() for _ in range(50)]
            for number, client in enumerate(clients):
                client.send_some([GET, get("/big"), get("/park"), GET[:9], b"\0"][number % 5])
            self.turn()
            for client in clients:
                end(client)
            self.settle()
            self.assertLessEqual(self.watched(), self.before)
            self.assertEqual(self.ask(GET).code, 200)


class LingerTest(ParkingCase):
    """The last words reach a client that is still sending (RFC 9112, 9.6)."""

    def test_client_goes_on_sending(self) -> None:
        self.serve(self.park, max_body_size=1000)
        for name, start in [
            ("bad request", b"GET /\r\n\r\n"),
            ("body too large", post(b"x" * 200_000)[:-200_000]),
            ("chunk too large", CHUNKED_POST + b"30d40\r\n"),
        ]:
            with self.subTest(name):
                client = self.connect()
                client.send(start)
                self.settle()
                client.send(cases.HIDDEN * (200_000 // len(cases.HIDDEN)))
                self.settle()
                self.assertGreaterEqual(client.read_answer().code, 400)
                self.assertEqual(client.read_all(), b"")
                self.assertIsNone(client.error)
        self.assertEqual(self.parked, [])

    def test_last_answer(self) -> None:
        """So does the answer to a last request, whatever has come behind it."""
        self.serve(self.park)
        client = self.park_client(get("/", "Connection: close"))
        before = self.watched()
        client.send(cases.HIDDEN)
        self.settle()
        answer(self.parked[0])
        self.assertEqual(self.watched(), before, "somebody still looks at what comes")
        client.send(cases.HIDDEN)
        self.assertEqual(client.read_answer().code, 200)
        self.assertEqual(client.read_all(), b"")
        self.assertIsNone(client.error)
        self.assertEqual(len(self.parked), 1)

    def test_last_answer_before_unread_input(self) -> None:
        """Also where more is waiting in the system than has been read."""
        self.serve(self.park)
        client = self.park_client(get("/", "Connection: close"))
        while client.send_some(b"x" * 1_000_000):
            self.settle()
        request = self.parked[0]
        request.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000)
        request.finish()
        self.assertEqual(len(client.read_answer().body), 2_000_000)

    def test_last_answer_before_input_nobody_has_seen(self) -> None:
        """Not even where the first read has ended just before it."""
        self.serve()
        head = get("/", "Connection: close", "A: ")
        request = head.replace(b"A: ", b"A: " + b"b" * (iostream.READ_CHUNK_SIZE - len(head)))
        self.assertEqual(len(request), iostream.READ_CHUNK_SIZE)
        client = self.connect()
        client.send(request + cases.HIDDEN)
        self.assertEqual(client.read_answer().code, 200)
        self.assertEqual(client.read_all(), b"")
        self.assertIsNone(client.error)

    def test_it_ends(self) -> None:
        """After 2 s, or 256 KiB of what nobody wants."""
        self.serve(self.park)
        self.ask(b"\0")
        before = self.watched()
        silent, endless = self.connect(), self.connect()
        for client in (silent, endless):
            client.send(b"\0")
            self.assertEqual(client.read_answer().code, 400)
        self.assertEqual(self.watched(), before + 2)
        with self.assertRaises(ConnectionError):
            for _ in range(20):
                client.send(b"x" * iostream.LINGER_BYTES)
                self.settle()
        self.assertEqual(self.watched(), before + 1)
        self.pass_time(iostream.LINGER_TIME - 0.5)
        self.assertEqual(self.watched(), before + 1)
        self.pass_time(1)
        self.assertEqual(self.watched(), before)

    def test_last_answer_that_nobody_reads(self) -> None:
        """Queued output of a closed connection is given up, too."""
        self.serve(lambda request: answer(request, b"x" * 20_000_000))
        self.watched()
        client = self.connect()
        client.send(get("/", "Connection: close"))
        self.assertEqual(self.watched(), 3)
        self.pass_time(100)
        self.assertEqual(self.watched(), 2)


class DeadlineTest(ParkingCase):
    """What waits for a client has an end; each deadline is met within a second."""

    def assert_ends(self, client: Client, seconds: float, status: int, slack: float = 1.5) -> None:
        """Nothing happens for *seconds*, then *client* is answered *status* (0: not at all) and closed."""
        self.pass_time(seconds - 0.5)
        self.assertTrue(client.is_idle(), f"before {seconds} s")
        self.pass_time(0.5 + slack)
        if status:
            refusal = client.read_answer()
            self.assertEqual((refusal.code, refusal.headers["Connection"]), (status, "close"))
        self.assertEqual(client.read_all(), b"")

    def test_head(self) -> None:
        self.serve(self.park)
        for name, data, status in [
            ("nothing", b"", 0),
            ("an empty line", b"\r\n", 408),
            ("one octet", b"G", 408),
            ("all but one octet", GET[:-1], 408),
        ]:
            with self.subTest(name):
                client = self.connect()
                client.send(data)
                self.settle()
                self.assert_ends(client, 20, status)
        self.assertEqual(self.parked, [])

    def test_dripping_head(self) -> None:
        """The deadline of a head is absolute: a byte now and then changes nothing."""
        self.serve(self.park)
        client = self.connect()
        for octet in get("/a-long-target-of-many-octets")[:19]:
            client.send(bytes([octet]))
            self.pass_time(1)
        self.assert_ends(client, 1, 408)

    def test_idle(self) -> None:
        self.serve()
        for requests in (1, 3):
            with self.subTest(requests):
                client = self.connect()
                for _ in range(requests):
                    client.send(GET)
                    client.read_answer()
                    self.pass_time(10)
                self.assert_ends(client, 65, 0)

    def test_idle_after_a_parked_request(self) -> None:
        self.serve(self.park)
        client = self.park_client()
        self.pass_time(300)
        answer(self.parked[0])
        self.assertEqual(client.read_answer().code, 200)
        self.assert_ends(client, 75, 0)

    def test_head_on_an_idle_connection(self) -> None:
        """From its first byte on, however long the connection has been idle."""
        self.serve()
        for idle, data, left, status in [(10, b"G", 20, 408), (60, b"G", 20, 408), (10, b"\r\n", 20, 408)]:
            with self.subTest(idle):
                client = self.connect()
                client.send(GET)
                client.read_answer()
                self.pass_time(idle)
                client.send(data)
                self.settle()
                self.assert_ends(client, left, status)

    def test_other_values(self) -> None:
        self.serve(self.park, header_timeout=7, keepalive_timeout=3, body_timeout=5)
        self.assert_ends(self.connect(), 7, 0)
        client = self.park_client()
        answer(self.parked[0])
        client.read_answer()
        self.assert_ends(client, 3, 0)
        client = self.connect()
        client.send(post(b"x" * 10)[:-1])
        self.assert_ends(client, 5, 408)

    def test_short_keepalive_on_a_young_connection(self) -> None:
        """Shorter than what the head had: it counts nevertheless."""
        self.serve(keepalive_timeout=2)
        client = self.connect()
        client.send(GET)
        client.read_answer()
        self.assert_ends(client, 2, 0)

    def test_body_that_stops(self) -> None:
        self.serve(self.park)
        for name, data in [
            ("nothing of it", post(b"x" * 10)[:-10]),
            ("half of it", post(b"x" * 10)[:-5]),
            ("most of a large one", post(b"x" * 900_000)[:-1]),
            ("no chunk", CHUNKED_POST),
            ("no last chunk", CHUNKED_POST + b"1\r\nx\r\n"),
            ("no end of the trailers", CHUNKED_POST + b"0\r\nA: b\r\n"),
        ]:
            with self.subTest(name):
                client = self.connect()
                client.send(data)
                self.settle()
                self.assert_ends(client, 20, 408)
        self.assertEqual(self.parked, [])

    def test_body_that_stops_later(self) -> None:
        """The time counts from the last byte on."""
        self.serve(self.park)
        client = self.connect()
        client.send(post(b"x" * 100_000)[:-50_000])
        self.pass_time(15)
        client.send(b"x" * 40_000)
        self.settle()
        self.assert_ends(client, 20, 408)

    def test_slow_body(self) -> None:
        """500 bytes a second are wanted on the average, after 20 s."""
        self.serve(self.park)
        client = self.connect()
        client.send(post(b"x" * 1_000_000)[:-1_000_000])
        for _ in range(19):
            client.send(b"x" * 400)
            self.pass_time(1)
        self.assert_ends(client, 1, 408)

    def test_body_that_is_fast_enough(self) -> None:
        self.serve(self.park)
        client = self.connect()
        client.send(post(b"x" * 100_000)[:-100_000])
        for _ in range(100):
            client.send(b"x" * 1000)
            self.pass_time(1)
        self.until(lambda: self.parked)
        self.assertEqual(len(self.parked[0].body), 100_000)

    def test_short_body_in_drops(self) -> None:
        """R.U.D.Y.: one byte every 10 s."""
        self.serve(self.park)
        client = self.connect()
        client.send(post(b"x" * 100)[:-100])
        for _ in range(2):
            self.pass_time(9.5)
            client.send(b"x")
        self.assert_ends(client, 1, 408)

    def test_parked(self) -> None:
        """A long poll may last: nothing is due from its client."""
        self.serve(self.park)
        clients = [
            self.park_client(),
            self.park_client(post(b"x" * 10)),
            self.park_client(CHUNKED_POST + b"0\r\n\r\n"),
        ]
        self.pass_time(3600)
        for request, client in zip(self.parked.copy(), clients, strict=True):
            self.assertTrue(client.is_idle())
            answer(request)
            self.assertEqual(client.read_answer().code, 200)
            client.send(GET)
            self.settle()
        self.assertEqual(len(self.parked), 6)

    def test_nothing_is_read(self) -> None:
        """A client that takes nothing of its answer for 30 s is cut off."""
        self.serve(self.park)
        for name, finished in [("finished", True), ("parked again", False)]:
            with self.subTest(name):
                self.gone.clear()
                client = self.park_client(get("/big"))
                request = self.parked[-1]
                self.pass_time(100)
                request.write(b"HTTP/1.1 200 OK\r\nContent-Length: 16000000\r\n\r\n" + b"x" * 15_000_000)
                if finished:
                    request.write(b"x" * 1_000_000)
                    request.finish()
                self.pass_time(29)
                self.assertFalse(request.connection.stream.closed())
                self.pass_time(2.5)
                self.assertTrue(request.connection.stream.closed())
                self.assertEqual(self.gone, [] if finished else ["/big"])
                self.assertLess(len(client.read_all()), 15_000_000)

    def test_nothing_is_read_of_an_answer_at_once(self) -> None:
        """The same where the handler has finished before it returned."""
        server = self.serve(lambda request: answer(request, b"x" * 16_000_000))
        client = self.connect()
        client.send(GET)
        self.pass_time(29)
        self.assertEqual(len(desk(server).connections), 1)
        self.pass_time(2.5)
        self.assertEqual(len(desk(server).connections), 0)
        self.assertLess(len(client.read_all()), 16_000_000)

    def test_a_slow_reader_is_not_cut_off(self) -> None:
        self.serve(lambda request: answer(request, b"x" * 16_000_000))
        client = self.connect()
        client.send(GET)
        taken = 0
        for _ in range(100):
            self.pass_time(20)
            taken += len(client.pull().received)
            client.received.clear()
            if taken >= 16_000_000:
                break
        self.assertGreater(taken, 16_000_000)
        client.send(GET)
        self.assertEqual(len(client.read_answer().body), 16_000_000)

    def test_one_timer_for_all(self) -> None:
        self.serve()
        for _ in range(50):
            self.connect().send(GET)
            self.settle()
        self.assertLessEqual(len(self.loop._timeouts._heap), 2)
        self.pass_time(10)
        self.assertLessEqual(len(self.loop._timeouts._heap), 2)
        for client in self.clients:
            client.read_answer()
        self.pass_time(67)
        for client in self.clients:
            self.assertTrue(client.pull().ended)
        self.assertEqual(self.loop._timeouts.next_deadline(), None, "nobody left, nothing to look at")

    def test_requests_in_time_cost_no_timer(self) -> None:
        self.serve()
        client = self.connect()
        client.send(GET)
        client.read_answer()
        self.settle()
        timeouts = self.loop._timeouts._heap.copy()
        for _ in range(10):
            client.send(GET)
            client.read_answer()
        self.assertEqual(self.loop._timeouts._heap, timeouts)


class ConnectionsTest(ParkingCase):
    """How many connections there may be at a time."""

    def test_over_the_limit(self) -> None:
        server = self.serve(self.park, max_connections=2)
        first, second = self.park_client(), self.park_client()
        with ExpectLog("tornado.httpserver", "2 are open") as log:
            for _ in range(3):
                client = self.connect()
                client.send(GET)
                refusal = client.read_answer()
                self.assertEqual((refusal.code, refusal.headers["Connection"]), (503, "close"))
                self.assertTrue(refusal.headers["Retry-After"].isdecimal())
                self.assertEqual(client.read_all(), b"")
        self.assertEqual(len(log.records), 1, "one warning a minute")
        self.assertEqual(len(self.parked), 2)
        first.close()
        self.settle()
        third = self.park_client()
        answer(self.parked[2])
        answer(self.parked[1])
        self.assertEqual((third.read_answer().code, second.read_answer().code), (200, 200))
        self.assertEqual(len(desk(server).connections), 2)

    def test_far_over_the_limit(self) -> None:
        """32 are answered at a time; the others have to wait, and the loop is not busy with them."""
        self.serve(self.park, max_connections=1)
        first = self.park_client()
        with ExpectLog("tornado", "connections"):
            clients = [self.connect() for _ in range(100)]
            self.settle()
            self.assertEqual(self.loop._impl.poll(0), [])
            answered = [client for client in clients if client.pull().received]
            self.assertEqual(len(answered), httpserver.MAX_REFUSALS)
            for client in answered:
                self.assertEqual(client.read_answer().code, 503)
                client.close()
            answer(self.parked[0])
            first.read_answer()
            first.close()
            self.pass_time(5)
        for client in clients:
            client.close()
        self.settle()
        self.pass_time(5)
        last = self.park_client()
        answer(self.parked[-1])
        self.assertEqual(last.read_answer().code, 200)

    def test_gone_before_accept(self) -> None:
        server = self.serve(self.park)
        for end in (Client.close, Client.reset):
            for _ in range(20):
                client = self.connect()
                client.send(GET[:9])
                end(client)
            self.settle()
            self.assertEqual(len(desk(server).connections), 0)


if __name__ == "__main__":
    unittest.main()

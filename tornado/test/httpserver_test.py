"""`tornado.httpserver` answers what clients send it: requests, good and bad, one after another."""

import logging
import resource
import socket
import sys
import unittest
from collections.abc import Callable
from functools import partial
from typing import Any

from tornado import httpserver
from tornado.httpserver import HTTPConnection, HTTPRequest, HTTPServer
from tornado.httputil import HTTPHeaders
from tornado.test import http1_cases as cases
from tornado.test.live import CHUNKED_POST, GET, Client, ServerCase, answer, desk, get, post
from tornado.test.util import ExpectLog
from tornado.util import UsageError
from tornado.wire import http1


class RecordingCase(ServerCase):
    """Keeps the requests that come in `seen`; `on_request` answers them at once."""

    def setUp(self) -> None:
        super().setUp()
        self.seen: list[HTTPRequest] = []

    def on_request(self, request: HTTPRequest, body: bytes = b"ok") -> None:
        self.seen.append(request)
        answer(request, body)


class RowsTest(RecordingCase):
    """The tables of `http1_cases`, each row on a connection of its own."""

    def test_bad(self) -> None:
        self.serve(self.on_request)
        for name, rule, data, status in cases.BAD:
            with self.subTest(name, rule=rule):
                self.assert_refused(data + cases.HIDDEN, status)

    def test_early(self) -> None:
        """Nothing more has to come before the answer goes out."""
        self.serve(self.on_request)
        for name, rule, data, status in cases.EARLY:
            with self.subTest(name, rule=rule):
                self.assert_refused(data, status)

    def test_limits(self) -> None:
        self.serve(self.on_request, **dict(zip(http1.Limits.__slots__, cases.SMALL_LIMITS, strict=True)))
        for name, data, status in cases.LIMITS:
            with self.subTest(name):
                if status:
                    self.assert_refused(data + cases.HIDDEN, status)
                else:
                    self.assertEqual(self.ask(data).code, 200)
                    self.seen.clear()

    def assert_refused(self, data: bytes, status: int) -> None:
        """*data* is answered with *status*, nothing in it served; closed, with one record in the log."""
        client = self.connect()
        with ExpectLog("tornado", ".", logging.INFO, required=False) as logged:
            client.send(data)
            refusal = client.read_answer()
            self.assertEqual(client.read_all(), b"")
            client.close()
            self.turn()
        self.assertEqual(refusal.code, status)
        self.assertEqual(refusal.headers["Connection"], "close")
        self.assertIn("Date", refusal.headers)
        self.assertIsNone(client.error)
        self.assertEqual(self.seen, [])
        self.assertEqual([record.levelname for record in logged.records], ["INFO"])
        self.assertLess(len(logged.records[0].getMessage()), 400)
        self.assertTrue(logged.records[0].getMessage().isprintable())

    def test_good(self) -> None:
        self.serve(self.on_request)
        for name, rule, data, (method, target, version, host, body, keep_alive) in cases.GOOD:
            with self.subTest(name, rule=rule):
                self.seen.clear()
                client = self.connect()
                client.send(data)
                self.assertEqual(client.read_answer(method).code, 200)
                (request,) = self.seen
                self.assertEqual(
                    (request.method, request.uri, request.version, request.body),
                    (method, target, version, body),
                )
                self.assertEqual(request.host, "127.0.0.1" if host is None else host)
                if keep_alive:
                    client.send(GET)
                    self.assertEqual(client.read_answer().code, 200)
                else:
                    self.assertEqual(client.read_all(), b"")
                client.close()

    def test_good_after_good(self) -> None:
        """All that can be are sent at once on one connection."""
        self.serve(self.on_request)
        rows = [row for row in cases.GOOD if row[3][-1] and len(row[2]) < 1000]
        client = self.connect()
        client.send(b"".join(data for _, _, data, _ in rows))
        for name, _, _, (method, *_) in rows:
            self.assertEqual(client.read_answer(method).code, 200, name)
        self.assertEqual([request.uri for request in self.seen], [target for *_, (_, target, *_) in rows])
        self.assertEqual([request.body for request in self.seen], [body for *_, (*_, body, _) in rows])
        self.assertTrue(client.is_idle())

    def test_incomplete(self) -> None:
        """A connection that ends too early: 400 to a peer who still reads, and nothing is served."""
        self.serve(self.on_request)
        for name, rule, data in cases.INCOMPLETE:
            with self.subTest(name, rule=rule):
                client = self.connect()
                client.send(data)
                self.assertTrue(client.is_idle())
                client.finish_sending()
                self.assertEqual(client.read_answer().code, 400)
                self.assertEqual(client.read_all(), b"")
        self.assertEqual(self.seen, [])

    def test_nothing(self) -> None:
        """Who connects and says nothing gets no answer."""
        self.serve(self.on_request)
        for end in (Client.finish_sending, Client.close, Client.reset):
            with self.subTest(end.__name__), ExpectLog("tornado", ".", logging.INFO, required=False) as log:
                client = self.connect()
                self.settle()
                end(client)
                self.settle()
                if end is Client.finish_sending:
                    self.assertEqual(client.read_all(), b"")
                self.assertEqual(log.records, [])


def depth() -> int:
    """Return how many functions are being called."""
    frame, count = sys._getframe(), 0
    while frame.f_back is not None:
        frame, count = frame.f_back, count + 1
    return count


class KeepAliveTest(RecordingCase):
    """More than one request on a connection (RFC 9112, 9.3); what Connection says is in the tables."""

    def test_many(self) -> None:
        self.serve(self.on_request)
        client = self.connect()
        for number in range(20):
            client.send(get(f"/{number}"))
            self.assertEqual(client.read_answer().code, 200)
        self.assertEqual([request.uri for request in self.seen], [f"/{number}" for number in range(20)])
        self.assertEqual(len({id(request.connection) for request in self.seen}), 1)

    def test_no_keep_alive(self) -> None:
        self.serve(self.on_request, no_keep_alive=True)
        for fields in ([], ["Connection: keep-alive"]):
            client = self.connect()
            client.send(get("/", *fields) + GET)
            self.assertEqual(client.read_answer().code, 200)
            self.assertEqual(client.read_all(), b"")
            self.assertIsNone(client.error)

    def test_set_on_a_connection(self) -> None:
        def on_request(request: HTTPRequest) -> None:
            request.connection.no_keep_alive = request.uri == "/last"
            answer(request)

        self.serve(on_request)
        client = self.connect()
        client.send(GET + get("/last") + GET)
        self.assertEqual(client.read_answer().code, 200)
        self.assertEqual(client.read_answer().code, 200)
        self.assertEqual(client.read_all(), b"")

    def test_stop(self) -> None:
        """A stopped server takes no new connections; those there are go on."""
        server = self.serve(self.on_request)
        client = self.connect()
        client.send(GET)
        self.assertEqual(client.read_answer().code, 200)
        server.stop()
        client.send(GET)
        self.assertEqual(client.read_answer().code, 200)
        with self.assertRaises(ConnectionRefusedError):
            self.connect()


class PipeliningTest(RecordingCase):
    """Several requests at once (RFC 9112, 9.3.2)."""

    def test_900(self) -> None:
        """Answered in their order, none inside the call of another."""
        depths = []

        def on_request(request: HTTPRequest) -> None:
            depths.append(depth())
            answer(request, request.uri.encode())

        self.serve(on_request)
        client = self.connect()
        client.send(b"".join(get(f"/{number}") for number in range(900)))
        for number in range(900):
            self.assertEqual(client.read_answer().body, b"/%d" % number)
        self.assertLessEqual(max(depths) - min(depths), 10)

    def test_900_in_pieces(self) -> None:
        self.serve(self.on_request)
        client = self.connect()
        data = b"".join(get(f"/{number}") + post(b"x" * (number % 7)) for number in range(450))
        for at in range(0, len(data), 997):
            client.send(data[at : at + 997])
            self.turn()
        for _ in range(900):
            self.assertEqual(client.read_answer().code, 200)
        self.assertEqual([request.uri for request in self.seen[::2]], [f"/{number}" for number in range(450)])
        self.assertEqual([len(request.body) for request in self.seen[1::2]], [n % 7 for n in range(450)])

    def test_one_at_a_time(self) -> None:
        """The next is not looked at before the last is answered (CVE-2023-46137)."""
        self.serve(self.seen.append)
        client = self.connect()
        client.send(get("/slow") + get("/fast"))
        self.assertTrue(client.is_idle())
        self.assertEqual([request.uri for request in self.seen], ["/slow"])
        answer(self.seen.pop(), b"slow")
        self.assertEqual(client.read_answer().body, b"slow")
        self.until(lambda: self.seen)
        self.assertEqual([request.uri for request in self.seen], ["/fast"])
        answer(self.seen.pop(), b"fast")
        self.assertEqual(client.read_answer().body, b"fast")

    def test_good_then_bad(self) -> None:
        self.serve(self.on_request)
        bad = [
            data
            for name, _, data, _ in cases.BAD
            if name.startswith(("line: HTTP", "field: bare", "host: two"))
        ]
        for data in [b"garbage\r\n\r\n", b"\0", *bad]:
            with self.subTest(data):
                self.seen.clear()
                client = self.connect()
                client.send(GET + data + cases.HIDDEN)
                self.assertEqual(client.read_answer().code, 200)
                self.assertEqual(client.read_answer().code, 400)
                self.assertEqual(client.read_all(), b"")
                self.assertEqual(len(self.seen), 1)

    def test_nothing_after_the_last(self) -> None:
        """After Connection: close nothing is read as a request, and the answer arrives nevertheless."""
        self.serve(self.on_request)
        for more in (cases.HIDDEN, cases.HIDDEN * 500, b"\0", b"\r\n"):
            self.seen.clear()
            client = self.connect()
            client.send(get("/last", "Connection: close") + more)
            self.assertEqual(client.read_answer().code, 200)
            self.assertEqual(client.read_all(), b"")
            self.assertIsNone(client.error)
            self.assertEqual([request.uri for request in self.seen], ["/last"])

    def test_flood_of_a_client_that_reads_nothing(self) -> None:
        """CVE-2026-54273: what it has not read is not answered yet."""
        self.serve(partial(self.on_request, body=b"x" * 1_000_000))
        client = self.connect()
        client.send(GET * 1000)
        self.settle()
        self.assertLess(len(self.seen), 50)
        stream = self.seen[-1].connection.stream
        self.assertLessEqual(stream._write_size, 1_000_100)
        self.assertLess(len(stream._read_buffer), 400_000)

    def test_others_have_their_turn(self) -> None:
        """Neither pipelined requests nor tiny chunks keep the loop from the others (CVE-2026-115927)."""
        self.serve(self.on_request)
        for name, data in [
            ("chunks", CHUNKED_POST + b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n"),
            ("requests", get("/many") * 2000),
        ]:
            with self.subTest(name):
                greedy, modest = self.connect(), self.connect()
                greedy.send(post(b"x" * 100_000))  # from now on it is read in large pieces
                modest.send(GET)
                self.assertEqual((greedy.read_answer().code, modest.read_answer().code), (200, 200))
                self.seen.clear()
                greedy.send(data)
                modest.send(get("/one"))
                self.until(self.seen_one)
                self.assertLess(len(self.seen), 100)

    def seen_one(self) -> bool:
        return any(request.uri == "/one" for request in self.seen)


class PauseTest(RecordingCase):
    """While a handler thinks, little is read (back-pressure)."""

    def test_10_megabytes(self) -> None:
        self.serve(self.seen.append)
        client = self.connect()
        client.send(get("/first"))
        self.until(lambda: self.seen)
        rest = memoryview(post(b"x" * 999_900) * 10)
        while True:
            self.settle()
            if not (sent := client.send_some(rest)):
                break
            rest = rest[sent:]
        self.assertTrue(rest, "the server read on and on")
        (request,) = self.seen
        self.assertLess(len(request.connection.stream._read_buffer), 400_000)
        self.assertEqual(self.loop._impl.poll(0), [], "the socket is left alone")
        answer(request, b"first")
        self.assertEqual(client.read_answer().body, b"first")
        for number in range(10):
            while len(self.seen) < number + 2:
                rest = rest[client.send_some(rest) :]
                self.turn()
            self.assertEqual(self.seen[-1].body, b"x" * 999_900)
            answer(self.seen[-1])
            self.assertEqual(client.read_answer().code, 200)

    def test_slow_reader_pauses_nobody_else(self) -> None:
        self.serve(lambda request: answer(request, b"x" * 20_000_000 if request.uri == "/big" else b"ok"))
        slow = self.connect()
        slow.send(get("/big"))
        self.settle()
        self.assertEqual(self.ask(GET).body, b"ok")
        self.assertEqual(len(slow.read_answer().body), 20_000_000)


class ExpectTest(RecordingCase):
    """Expect: 100-continue (RFC 9110, 10.1.1); other expectations are in the tables."""

    CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

    def test_asked_for(self) -> None:
        self.serve(self.on_request)
        for value in ("100-continue", "100-Continue", "100-CONTINUE"):
            for framing, body in [
                ("Content-Length: 2", b"hi"),
                ("Transfer-Encoding: chunked", b"2\r\nhi\r\n0\r\n\r\n"),
            ]:
                with self.subTest(value, framing=framing):
                    client = self.connect()
                    client.send(
                        f"POST / HTTP/1.1\r\nHost: a\r\nExpect: {value}\r\n{framing}\r\n\r\n".encode()
                    )
                    self.settle()
                    self.assertEqual(client.pull().received, self.CONTINUE)
                    client.received.clear()
                    for octet in body:
                        self.assertTrue(client.is_idle(), "it comes once")
                        client.send(bytes([octet]))
                    self.assertEqual(client.read_answer().code, 200)
                    self.assertEqual(self.seen.pop().body, b"hi")

    def test_not_sent(self) -> None:
        """Where nobody waits for it, or the request is refused."""
        self.serve(self.on_request, max_body_size=10)
        expect = "\r\nExpect: 100-continue\r\n"
        for name, data, status in [
            ("the body is there", f"POST / HTTP/1.1\r\nHost: a{expect}Content-Length: 2\r\n\r\nhi", 200),
            ("some of the body is there", f"POST / HTTP/1.1\r\nHost: a{expect}Content-Length: 2\r\n\r\nh", 0),
            ("no body", f"POST / HTTP/1.1\r\nHost: a{expect}\r\n", 200),
            ("a length of 0", f"POST / HTTP/1.1\r\nHost: a{expect}Content-Length: 0\r\n\r\n", 200),
            ("HTTP/1.0", f"POST / HTTP/1.0{expect}Content-Length: 2\r\n\r\n", 0),
            ("too large", f"POST / HTTP/1.1\r\nHost: a{expect}Content-Length: 11\r\n\r\n", 413),
            (
                "too long a number",
                f"POST / HTTP/1.1\r\nHost: a{expect}Content-Length: {'9' * 30}\r\n\r\n",
                413,
            ),
            ("no host", f"POST / HTTP/1.1{expect}Content-Length: 2\r\n\r\n", 400),
        ]:
            with self.subTest(name):
                client = self.connect()
                client.send(data.encode())
                if status:
                    self.assertEqual(client.read_answer().code, status)
                else:
                    self.assertTrue(client.is_idle())

    def test_reset_before_it_is_sent(self) -> None:
        self.serve(self.on_request)
        client = self.connect()
        self.turn()
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        client.reset()
        self.settle()
        self.assertEqual(self.seen, [])


class BodyTest(RecordingCase):
    """What comes behind a head, and how much of it."""

    def test_large(self) -> None:
        self.serve(self.on_request)
        body = bytes(range(256)) * 20_000
        pieces = [body[at : at + 50_001] for at in range(0, len(body), 50_001)]
        chunks = b"".join(map(http1.format_chunk, [*pieces, b""]))
        for data in (post(body), CHUNKED_POST + chunks):
            client = self.connect()
            client.send(data + GET)
            self.assertEqual(client.read_answer().code, 200)
            self.assertTrue(self.seen[0].body == body)
            self.assertEqual(client.read_answer().code, 200)
            self.seen.clear()

    def test_limit(self) -> None:
        self.serve(self.on_request, max_body_size=100)
        for name, data, status in [
            ("length at the limit", post(b"x" * 100), 200),
            ("length over the limit", post(b"x" * 101), 413),
            ("head of a length over the limit", post(b"x" * 101)[:-101], 413),
            (
                "head of a huge length",
                b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999\r\n\r\n",
                413,
            ),
            ("chunk at the limit", CHUNKED_POST + b"64\r\n" + b"x" * 100 + b"\r\n0\r\n\r\n", 200),
            ("chunk over the limit", CHUNKED_POST + b"65\r\n", 413),
            ("chunks over the limit", CHUNKED_POST + b"64\r\n" + b"x" * 100 + b"\r\n1\r\n", 413),
            ("a body of requests", post(cases.HIDDEN * 10), 413),
        ]:
            with self.subTest(name):
                self.seen.clear()
                client = self.connect()
                client.send(data)
                self.assertEqual(client.read_answer().code, status)
                self.assertEqual(len(self.seen), int(status == 200))
                if status == 413:
                    self.assertEqual(client.read_all(), b"")
                    self.assertIsNone(client.error)

    def test_limit_above_that_of_streams(self) -> None:
        self.serve(self.on_request, max_body_size=200 * 1024 * 1024)
        self.ask(GET)
        self.assertGreaterEqual(self.seen[0].connection.stream.max_buffer_size, 200 * 1024 * 1024)

    def test_all_bodies_together(self) -> None:
        """Those of all connections have a limit, of bytes that are there; 503 over it."""
        server = self.serve(self.seen.append, max_buffered_bodies=100_000)
        first = self.connect()
        first.send(post(b"x" * 80_000))
        self.until(lambda: self.seen)
        announced = [self.connect() for _ in range(5)]
        for client in announced:
            client.send(post(b"x" * 90_000)[:-90_000])
        self.settle()
        with ExpectLog("tornado.httpserver", "bodies"):  # once a minute
            for data in (post(b"x" * 50_000), post(b"x" * 30_000), post(b"x" * 90_000)[:40_000]):
                client = self.connect()
                client.send(data)
                refusal = client.read_answer()
                self.assertEqual(client.read_all(), b"")
                self.assertEqual((refusal.code, refusal.headers["Connection"]), (503, "close"))
                self.assertIn("Retry-After", refusal.headers)
        self.assertEqual(len(self.seen), 1)
        answer(self.seen[0])
        self.assertEqual(first.read_answer().code, 200)
        announced[0].send(b"x" * 90_000)
        self.until(lambda: len(self.seen) == 2)
        self.assertEqual(desk(server).buffered, 90_000)

    def test_small_body_refused_with_its_head(self) -> None:
        """A body that came with its head is refused like any other, and not served then."""
        self.serve(self.on_request, max_buffered_bodies=10)
        for data in (
            post(b"x" * 11),
            post(b"x" * 11) + GET,
            CHUNKED_POST + b"6\r\nhello!\r\n0\r\n\r\n",
        ):
            with ExpectLog("tornado.httpserver", "bodies", required=False):
                client = self.connect()
                client.send(data)
                self.assertEqual(client.read_answer().code, 503)
                self.assertEqual(client.read_all(), b"")
                self.settle()
            self.assertEqual(self.seen, [])

    def test_bodies_are_given_back(self) -> None:
        """However a request with a body ends, the limit of all bodies is free again."""
        server = self.serve(self.on_body_to_count)
        data = b"x" * 60_000
        rows: list[tuple[str, bytes, Callable[[Client], Any]]] = [
            ("answered", post(data), Client.read_answer),
            ("form", post(data, "Content-Type: application/x-www-form-urlencoded"), Client.read_answer),
            ("bad form", post(data, "Content-Type: multipart/form-data"), Client.read_all),
            ("bad chunk", CHUNKED_POST + b"ea60\r\n" + data + b"XX", Client.read_all),
            ("reset half-way", post(data)[:-1], Client.reset),
            ("closed half-way", post(data)[:-1], Client.close),
            ("half-closed half-way", post(data)[:-1], Client.finish_sending),
            ("parked, then reset", post(data, "Park: 1"), Client.reset),
            ("parked, then closed", post(data, "Park: 1"), Client.close),
            ("raising", post(data, "Raise: 1"), Client.read_all),
        ]
        for name, request, end in rows:
            with self.subTest(name), ExpectLog("tornado.httpserver", "failed", required=name == "raising"):
                for _ in range(2):
                    client = self.connect()
                    client.send(request)
                    self.settle()
                    end(client)
                    self.settle()
                    self.assertEqual(desk(server).buffered, 0)

    def on_body_to_count(self, request: HTTPRequest) -> None:
        if "Raise" in request.headers:
            raise ValueError("no")
        if "Park" not in request.headers:
            answer(request)


class FormTest(RecordingCase):
    """Forms become arguments and files; how they are read is in `multipart_test`."""

    def read_form(self, method: str, target: str, content_type: str | None, body: bytes) -> HTTPRequest:
        fields = f"Content-Type: {content_type}\r\n" if content_type is not None else ""
        head = f"{method} {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n{fields}\r\n"
        self.assertEqual(self.ask(head.encode() + body).code, 200)
        return self.seen.pop()

    def test_urlencoded(self) -> None:
        self.serve(self.on_request)
        form = "application/x-www-form-urlencoded"
        body = b"a=1&b=%C3%A9+x&a=2&c=&d"
        read = {"a": [b"0", b"1", b"2"], "b": [b"\xc3\xa9 x"]}
        for method, content_type, wanted in [
            ("POST", form, read),
            ("PUT", form, read),
            ("PATCH", form, read),
            ("POST", "Application/X-WWW-Form-URLencoded; charset=UTF-8", read),
            ("DELETE", form, {"a": [b"0"]}),
            ("GET", form, {"a": [b"0"]}),
            ("POST", "text/plain", {"a": [b"0"]}),
            ("POST", "text/plain;application/x-www-form-urlencoded", {"a": [b"0"]}),
            ("POST", "application/x-www-form-urlencodedx", {"a": [b"0"]}),
            ("POST", None, {"a": [b"0"]}),
        ]:
            with self.subTest(method, content_type=content_type):
                request = self.read_form(method, "/?a=0&e=", content_type, body)
                self.assertEqual(request.arguments, wanted)
                self.assertEqual((request.body, request.files), (body, {}))

    def test_multipart(self) -> None:
        self.serve(self.on_request)
        body = (
            b'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
            b'--X\r\nContent-Disposition: form-data; name="a"; filename=""\r\n\r\n2\r\n'
            b'--X\r\nContent-Disposition: form-data; name="f"; filename="../g.txt"\r\n'
            b"Content-Type: t/x\r\n\r\n3\r\n"
            b'--X\r\nContent-Disposition: form-data; name="f"; filename="h"\r\n\r\n4\r\n--X--\r\n'
        )
        for content_type in (
            "multipart/form-data; boundary=X",
            'Multipart/Form-Data; charset=a; BOUNDARY="X"',
        ):
            request = self.read_form("POST", "/?a=0", content_type, body)
            self.assertEqual(request.arguments, {"a": [b"0", b"1", b"2"]})
            self.assertEqual(
                request.files,
                {
                    "f": [
                        {"filename": "../g.txt", "content_type": "t/x", "body": b"3"},
                        {"filename": "h", "content_type": "application/unknown", "body": b"4"},
                    ]
                },
            )
            self.assertEqual(request.files["f"][0].filename, "../g.txt")

    def test_bad(self) -> None:
        """The whole request is refused, with one record in the log."""
        self.serve(self.on_request)
        form, multipart = "application/x-www-form-urlencoded", "multipart/form-data; boundary=X"
        part = b'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        for name, target, content_type, body, status in [
            ("no boundary", "/", "multipart/form-data", part, 400),
            ("no delimiter", "/", multipart, b"hello", 400),
            ("no final delimiter", "/", multipart, part, 400),
            ("a part without a name", "/", multipart, b"--X\r\n\r\n1\r\n--X--\r\n", 400),
            ("100 000 bad parts", "/", multipart, b"--X\r\n\r\n" * 100_000, 413),
            ("too many parts", "/", multipart, part * 1001 + b"--X--\r\n", 413),
            ("too large a field", "/", form, b"a=" + b"x" * 1024 * 1024, 413),
            ("too many arguments", "/", form, b"a=1&" * 1000 + b"a=1", 400),
            ("too many empty arguments", "/", form, b"&" * 300_000, 400),
            ("too many arguments in the query", "/?" + "a=1&" * 1000, form, b"", 400),
            ("too many empty arguments in the query", "/?" + "&" * 8000, "text/plain", b"", 400),
        ]:
            with self.subTest(name), ExpectLog("tornado", ".", logging.INFO) as log:
                client = self.connect()
                client.send(
                    post(body, f"Content-Type: {content_type}").replace(b" / ", f" {target} ".encode(), 1)
                )
                refusal = client.read_answer()
                self.assertEqual((refusal.code, refusal.headers["Connection"]), (status, "close"))
                self.assertEqual(client.read_all(), b"")
                self.assertEqual([record.levelname for record in log.records], ["INFO"])
        self.assertEqual(self.seen, [])

    def test_max_arguments(self) -> None:
        self.serve(self.on_request, max_arguments=2)
        self.assertEqual(self.ask(get("/?a=1&b=2")).code, 200)
        self.assertEqual(self.ask(get("/?a=1&b=2&c=3")).code, 400)

    def test_query(self) -> None:
        self.serve(self.on_request)
        for query, wanted in [
            ("", {}),
            ("a=1&b=2&a=3", {"a": [b"1", b"3"], "b": [b"2"]}),
            ("a=1;b=2", {"a": [b"1;b=2"]}),
            ("a=%zz&b=%", {"a": [b"%zz"], "b": [b"%"]}),
            ("a=%00%ff", {"a": [b"\0\xff"]}),
            ("%C3%A9=+", {"Ã©": [b" "]}),
            ("a==b&=c", {"a": [b"=b"], "": [b"c"]}),
        ]:
            with self.subTest(query):
                self.assertEqual(self.ask(get("/?" + query)).code, 200)
                request = self.seen.pop()
                self.assertEqual((request.path, request.query), ("/", query))
                self.assertEqual(request.arguments, wanted)


class FailureTest(ServerCase):
    """A request callback that fails (RFC 9110, 15.6.1)."""

    def test_nothing_sent(self) -> None:
        self.serve(self.fail_or_answer)
        other = self.connect()
        other.send(GET)
        other.read_answer()
        client = self.connect()
        client.send(GET)
        client.read_answer()
        with ExpectLog("tornado.httpserver", "ZeroDivisionError") as log:
            client.send(get("/fail") + GET)
            refusal = client.read_answer()
            self.assertEqual(client.read_all(), b"")
        self.assertEqual((refusal.code, refusal.headers["Connection"]), (500, "close"))
        self.assertNotIn(b"ZeroDivision", refusal.body)
        self.assertEqual(len(log.records), 1)
        for each in (other, self.connect()):
            each.send(GET)
            self.assertEqual(each.read_answer().code, 200)

    def fail_or_answer(self, request: HTTPRequest) -> None:
        if request.uri == "/half":
            request.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        elif request.path != "/fail":
            answer(request)
        if request.uri != "/":
            raise ZeroDivisionError(request.uri)

    def test_head(self) -> None:
        """A refusal of HEAD has no body either (RFC 9110, 9.3.2)."""
        self.serve(self.fail_or_answer)
        client = self.connect()
        with ExpectLog("tornado.httpserver", "ZeroDivisionError"):
            client.send(b"HEAD /fail HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual(client.read_answer("HEAD").code, 500)
            self.assertEqual(client.read_all(), b"")
        client = self.connect()
        client.send(b"HEAD /?" + b"&" * 1000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(client.read_answer("HEAD").code, 400)
        self.assertEqual(client.read_all(), b"")

    def test_half_sent(self) -> None:
        """What is out is out: the connection ends before the announced length."""
        self.serve(self.fail_or_answer)
        client = self.connect()
        with ExpectLog("tornado.httpserver", "/half"):
            client.send(get("/half") + GET)
            self.assertTrue(client.read_all().endswith(b"\r\n\r\nhalf"))

    def test_all_sent(self) -> None:
        """Too late to change anything: the answer stands, and the connection goes on."""
        self.serve(self.fail_or_answer)
        client = self.connect()
        with ExpectLog("tornado.httpserver", "/late"):
            client.send(get("/late") + GET)
            self.assertEqual(client.read_answer().code, 200)
        self.assertEqual(client.read_answer().code, 200)

    def test_the_log_has_no_secrets(self) -> None:
        self.serve(self.fail_or_answer)
        with ExpectLog("tornado.httpserver", "failed") as log:
            self.ask(get("/fail?token=s3cret", "Authorization: s3cret", "Cookie: a=s3cret"))
        self.assertNotIn("s3cret", log.records[0].getMessage())

    def test_misuse(self) -> None:
        """Who writes at the wrong time is told so."""
        errors: list[BaseException] = []
        requests: list[HTTPRequest] = []

        def attempt(method: Any, *args: Any) -> None:
            try:
                method(*args)
            except Exception as error:
                errors.append(error)

        def on_request(request: HTTPRequest) -> None:
            requests.append(request)
            attempt(request.write, "text")
            answer(request)
            attempt(request.write, b"more")
            attempt(request.connection.finish)

        self.serve(on_request)
        client = self.connect()
        client.send(GET)
        self.assertEqual(client.read_answer().code, 200)
        self.assertTrue(client.is_idle())
        self.assertEqual([type(error) for error in errors[1:]], [UsageError, UsageError])
        self.assertIsInstance(errors[0], TypeError)
        self.assertIsInstance(errors[0], AssertionError)
        client.close()
        self.settle()
        requests[0].write(b"into the void")
        requests[0].connection.finish()

    def test_closed_connections_take_everything(self) -> None:
        """A write to a client that has gone is silent."""
        requests: list[HTTPRequest] = []
        self.serve(requests.append)
        client = self.connect()
        client.send(GET)
        self.until(lambda: requests)
        client.reset()
        self.settle()
        self.assertTrue(requests[0].connection.stream.closed())
        requests[0].write(b"HTTP/1.1 200 OK\r\n\r\n")
        requests[0].finish()


class RequestTest(RecordingCase):
    """What an `HTTPRequest` says."""

    def test_received(self) -> None:
        self.serve(self.on_request)
        self.ask(
            b"POST /a%20b?c=d%26&e HTTP/1.1\r\nHost: h.example:81\r\nA: 1\r\nA: 2\r\n"
            b"Content-Length: 2\r\n\r\nhi"
        )
        (request,) = self.seen
        for name, wanted in [
            ("method", "POST"),
            ("uri", "/a%20b?c=d%26&e"),
            ("path", "/a%20b"),
            ("query", "c=d%26&e"),
            ("version", "HTTP/1.1"),
            ("body", b"hi"),
            ("remote_ip", "127.0.0.1"),
            ("protocol", "http"),
            ("host", "h.example:81"),
            ("arguments", {"c": [b"d&"]}),
            ("files", {}),
        ]:
            with self.subTest(name):
                self.assertEqual(getattr(request, name), wanted)
                self.assertIs(type(getattr(request, name)), type(wanted))
        self.assertIsInstance(request.headers, HTTPHeaders)
        self.assertEqual(request.headers["a"], "1,2")
        self.assertIsInstance(request.connection, HTTPConnection)
        self.assertEqual(request.full_url(), "http://h.example:81/a%20b?c=d%26&e")
        self.assertTrue(request.supports_http_1_1())
        self.assertIsNone(request.get_ssl_certificate())

    def test_older(self) -> None:
        self.serve(self.on_request)
        self.ask(b"GET /a HTTP/1.0\r\n\r\n")
        (request,) = self.seen
        self.assertEqual((request.version, request.host, request.body), ("HTTP/1.0", "127.0.0.1", b""))
        self.assertFalse(request.supports_http_1_1())
        self.assertEqual(request.full_url(), "http://127.0.0.1/a")

    def test_by_hand(self) -> None:
        request = HTTPRequest("GET", "/a?b=c&b=d")
        for name, wanted in [
            ("method", "GET"),
            ("uri", "/a?b=c&b=d"),
            ("path", "/a"),
            ("query", "b=c&b=d"),
            ("version", "HTTP/1.0"),
            ("headers", HTTPHeaders()),
            ("body", b""),
            ("remote_ip", "127.0.0.1"),
            ("protocol", "http"),
            ("host", "127.0.0.1"),
            ("arguments", {"b": [b"c", b"d"]}),
            ("files", {}),
            ("connection", None),
        ]:
            with self.subTest(name):
                self.assertEqual(getattr(request, name), wanted)
        self.assertEqual(len(request.cookies), 0)
        self.assertEqual(request.full_url(), "http://127.0.0.1/a?b=c&b=d")
        self.assertFalse(request.supports_http_1_1())
        self.assertIsNone(request.get_ssl_certificate())
        self.assertGreaterEqual(request.request_time(), 0)

    def test_by_hand_with_everything(self) -> None:
        headers = HTTPHeaders({"host": "b", "Cookie": "c=d"})
        files: Any = {"f": []}
        request = HTTPRequest("PUT", "/", "HTTP/1.1", headers, b"hi", "::1", "https", "a:1", files, None)
        self.assertEqual(
            (request.version, request.body, request.remote_ip, request.protocol, request.host),
            ("HTTP/1.1", b"hi", "::1", "https", "a:1"),
        )
        self.assertIs(request.headers, headers)
        self.assertIs(request.files, files)
        self.assertEqual(request.cookies["c"].value, "d")
        self.assertEqual(HTTPRequest("GET", "/", headers=headers).host, "b")
        request.arguments = {"a": [b"b"]}
        self.assertEqual(request.arguments, {"a": [b"b"]})

    def test_by_hand_for_a_connection(self) -> None:
        """Without an address of its own a request has that of its connection."""
        self.serve(self.on_request)
        client = self.connect()
        client.send(GET)
        client.read_answer()
        connection = self.seen[0].connection
        self.assertEqual(HTTPRequest("GET", "/", connection=connection).remote_ip, "127.0.0.1")
        self.assertEqual(HTTPRequest("GET", "/", remote_ip="::2", connection=connection).remote_ip, "::2")

    def test_text_bodies_are_encoded(self) -> None:
        body: Any = "é"
        self.assertEqual(HTTPRequest("POST", "/", body=body).body, "é".encode())

    def test_repr_has_no_secrets(self) -> None:
        headers = HTTPHeaders({"Authorization": "s3cret", "Cookie": "s3cret"})
        text = repr(HTTPRequest("POST", "/path?token=s3cret", headers=headers, body=b"s3cret"))
        self.assertNotIn("s3cret", text)
        self.assertIn("/path", text)
        self.assertLess(len(repr(HTTPRequest("GET", "/" + "a" * 10_000))), 2000)

    def test_cookies(self) -> None:
        self.serve(self.on_request)
        for fields, wanted in [
            ([], {}),
            (["Cookie: a=1; b=2"], {"a": "1", "b": "2"}),
            (["Cookie: a=1", "Cookie: b=2"], {"a": "1", "b": "2"}),
            (["Cookie: a=1; b[x]=y; c=3"], {"a": "1", "c": "3"}),
            (['Cookie: a="1;2"; b=3'], {"a": '"1', "b": "3"}),
            (["Cookie: =__Host-a=bad; b=1"], {"b": "1"}),
            (["Cookie: a=1; a=2"], {"a": "1"}),
            (["Cookie: " + "[=1; " * 600 + "a=1"], {"a": "1"}),
        ]:
            with self.subTest(fields), ExpectLog("tornado", ".", logging.INFO, required=False) as log:
                self.ask(get("/", *fields))
                cookies = self.seen.pop().cookies
                self.assertEqual({name: morsel.value for name, morsel in cookies.items()}, wanted)
                self.assertEqual(log.records, [])

    def test_request_time(self) -> None:
        self.serve(self.seen.append)
        client = self.connect()
        client.send(GET)
        self.until(lambda: self.seen)
        (request,) = self.seen
        self.assertEqual(request.request_time(), 0)
        self.loop.advance(2)
        self.assertEqual(request.request_time(), 2)
        self.loop.advance(1)
        answer(request)
        self.loop.advance(5)
        self.assertEqual(request.request_time(), 3)


class ConnectionTest(RecordingCase):
    """What programs reach for below a request."""

    def test_write_callback(self) -> None:
        """Runs from the loop, once everything is with the system."""
        called: list[int] = []

        def on_request(request: HTTPRequest) -> None:
            body = b"x" * int(request.uri[1:])
            request.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            request.write(body, partial(finish, request))
            self.assertEqual(called, [])

        def finish(request: HTTPRequest) -> None:
            called.append(request.connection.stream._write_size)
            request.finish()

        self.serve(on_request)
        for size in (0, 5, 20_000_000):
            called.clear()
            self.assertEqual(len(self.ask(get(f"/{size}")).body), size)
            self.assertEqual(self.until(lambda: called), [0])

    def test_written_before_close(self) -> None:
        """What is written just before close() still reaches the client."""

        def on_request(request: HTTPRequest) -> None:
            stream = request.connection.stream
            stream.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5_000_000)
            stream.close()
            self.assertTrue(stream.closed())

        self.serve(on_request)
        self.assertEqual(len(self.ask(GET).body), 5_000_000)

    def test_close(self) -> None:
        self.serve(lambda request: request.connection.close())
        client = self.connect()
        client.send(GET)
        self.assertEqual(client.read_all(), b"")

    def test_detached_stream_is_no_longer_http(self) -> None:
        lines: list[bytes] = []

        def on_request(request: HTTPRequest) -> None:
            stream = request.connection._detach()
            stream.write(b"yours")
            stream.read_until(b"\n", lines.append)

        server = self.serve(on_request)
        client = self.connect()
        client.send(GET + b"PING\n" + cases.HIDDEN)
        self.until(lambda: lines)
        self.assertEqual(lines, [b"PING\n"])
        self.assertEqual(client.pull().received, b"yours")
        self.pass_time(200)
        self.assertFalse(client.pull().ended, "it has no deadlines any more")
        client.close()
        self.settle()
        self.assertEqual(len(desk(server).connections), 0)

    def test_positional_arguments(self) -> None:
        class OtherServer(HTTPServer):
            pass

        server = OtherServer(self.on_request, True, self.loop, True, None)
        self.assertEqual((server.no_keep_alive, server.xheaders, server.io_loop), (True, True, self.loop))
        self.assertIs(server.request_callback.__func__, RecordingCase.on_request)  # type: ignore[attr-defined]

    def test_any_callable(self) -> None:
        class Application:
            def __call__(self, request: HTTPRequest) -> None:
                answer(request, b"called")

        self.serve(Application())
        self.assertEqual(self.ask(GET).body, b"called")

    def test_unknown_arguments(self) -> None:
        with self.assertRaisesRegex(TypeError, r"max_boddy.*max_body_size"):
            HTTPServer(answer, max_boddy=1)

    def test_defaults(self) -> None:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = {
            "max_request_line": 16 * 1024,
            "max_header_size": 64 * 1024,
            "max_field_line": 16 * 1024,
            "max_fields": 100,
            "max_body_size": 100 * 1024 * 1024,
            "max_buffered_bodies": 512 * 1024 * 1024,
            "max_arguments": 1000,
            "header_timeout": 20,
            "body_timeout": 20,
            "min_body_rate": 500,
            "keepalive_timeout": 75,
            "write_timeout": 30,
            "tls_handshake_timeout": 10,
            "max_connections": soft - 64,
        }
        settings = vars(HTTPServer(answer)._settings)
        self.assertEqual({name: settings[name] for name in wanted}, wanted)

    def test_sockets(self) -> None:
        """Not inherited by other programs, and small packets go out at once."""
        self.serve(self.on_request)
        client = self.connect()
        client.send(GET)
        client.read_answer()
        sock = self.seen[0].connection.stream.socket
        self.assertFalse(sock.get_inheritable())
        self.assertTrue(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def test_there_is_no_unlimited(self) -> None:
        names = [name for name, each in httpserver._Settings.__dataclass_fields__.items() if each.init]
        for name in set(names) - {"trusted_downstream"}:
            for value in (0, -1, None, "1", float("nan")):
                with self.subTest(name, value=value), self.assertRaisesRegex(ValueError, name):
                    HTTPServer(answer, **{name: value})  # type: ignore[arg-type]
        bad_address: Any
        for bad_address in ("127.0.0.1", ["localhost"]):
            with self.subTest(bad_address), self.assertRaises((TypeError, ValueError)):
                HTTPServer(answer, trusted_downstream=bad_address)


class XHeadersTest(RecordingCase):
    """Where a request comes from, as a proxy says."""

    NO_ADDRESSES = [
        "", "x", "4.4.4.4<script>", "4.4.4", "4.4.4.256", "04.4.4.4", "4.4.4.4:80", "[::1]", "fe80::1%eth0",
        "\xa04.4.4.4", "4.4.4.4\x85", "4.4.4.4 5.5.5.5", "unknown", "_hidden", "0x04.4.4.4", "4.4.4.4/32",
    ]  # fmt: skip

    # fields, remote_ip, protocol
    ROWS: list[tuple[list[str], str, str]] = [
        ([], "127.0.0.1", "http"),
        (["X-Real-Ip: 4.4.4.4"], "4.4.4.4", "http"),
        (["X-Forwarded-For: 4.4.4.4"], "4.4.4.4", "http"),
        (["X-Forwarded-For: 5.5.5.5, 4.4.4.4"], "4.4.4.4", "http"),
        (["X-Forwarded-For: 5.5.5.5", "X-Forwarded-For: 4.4.4.4"], "4.4.4.4", "http"),
        (["X-Real-Ip: 4.4.4.4", "X-Forwarded-For: 5.5.5.5"], "4.4.4.4", "http"),
        (["X-Real-Ip: 2620:0:1cfe:face:b00c::3"], "2620:0:1cfe:face:b00c::3", "http"),
        (["X-Real-Ip: \t::1 "], "::1", "http"),
        *[([f"X-Real-Ip: {bad}"], "127.0.0.1", "http") for bad in [*NO_ADDRESSES, "4.4.4.4, 5.5.5.5"]],
        *[([f"X-Forwarded-For: {bad}"], "127.0.0.1", "http") for bad in [*NO_ADDRESSES, "4.4.4.4,"]],
        *[([f"X-Forwarded-For: 4.4.4.4, {bad}"], "127.0.0.1", "http") for bad in NO_ADDRESSES],
        (["X-Scheme: https"], "127.0.0.1", "https"),
        (["X-Forwarded-Proto: https"], "127.0.0.1", "https"),
        (["X-Scheme: http", "X-Forwarded-Proto: https"], "127.0.0.1", "http"),
        *[
            ([f"X-Scheme: {bad}"], "127.0.0.1", "http")
            for bad in ["", "ftp", "HTTPS", "https,http", "https ftp", "javascript"]
        ],
    ]

    def test_rows(self) -> None:
        self.serve(self.on_request, xheaders=True)
        for fields, remote_ip, protocol in self.ROWS:
            with self.subTest(fields):
                self.ask(get("/", *fields))
                request = self.seen.pop()
                self.assertEqual((request.remote_ip, request.protocol), (remote_ip, protocol))
                self.assertEqual(request.full_url(), f"{protocol}://a/")

    def test_off(self) -> None:
        self.serve(self.on_request)
        for fields, _, _ in self.ROWS:
            self.ask(get("/", *fields))
            request = self.seen.pop()
            self.assertEqual((request.remote_ip, request.protocol), ("127.0.0.1", "http"))

    def test_trusted_downstream(self) -> None:
        trusted = ["127.0.0.1", "7.7.7.7", "0:0::7"]
        self.serve(self.on_request, xheaders=True, trusted_downstream=trusted)
        for fields, remote_ip in [
            (["X-Forwarded-For: 4.4.4.4"], "4.4.4.4"),
            (["X-Forwarded-For: 5.5.5.5, 4.4.4.4, 7.7.7.7"], "4.4.4.4"),
            (["X-Forwarded-For: 4.4.4.4,7.7.7.7,7.7.7.7"], "4.4.4.4"),
            (["X-Forwarded-For: 4.4.4.4, ::7"], "4.4.4.4"),
            (["X-Forwarded-For: 4.4.4.4, 0:0:0:0:0:0:0:7"], "4.4.4.4"),
            (["X-Forwarded-For: 4.4.4.4, x, 7.7.7.7"], "127.0.0.1"),
            (["X-Forwarded-For: 7.7.7.7"], "127.0.0.1"),
            (["X-Real-Ip: 4.4.4.4"], "4.4.4.4"),
        ]:
            with self.subTest(fields):
                self.ask(get("/", *fields))
                self.assertEqual(self.seen.pop().remote_ip, remote_ip)

    def test_a_peer_that_is_no_proxy(self) -> None:
        self.serve(self.on_request, xheaders=True, trusted_downstream=["7.7.7.7"])
        self.ask(get("/", "X-Real-Ip: 4.4.4.4", "X-Scheme: https"))
        self.assertEqual((self.seen[0].remote_ip, self.seen[0].protocol), ("127.0.0.1", "http"))


if __name__ == "__main__":
    unittest.main()

"""The simple client against servers that say anything: raw bytes, too little of them, or nothing at all."""

import contextlib
import gc
import gzip
import logging
import os
import socket
import ssl
import unittest
import weakref
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tornado import simple_httpclient, stack_context
from tornado.httpclient import HTTPError, HTTPRequest, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream
from tornado.netutil import Answer, TCPServer, bind_sockets
from tornado.simple_httpclient import CertificateError, SimpleAsyncHTTPClient
from tornado.test.util import ExpectLog, FakeLoop
from tornado.testing import _test_certificate
from tornado.util import UsageError

CERTIFICATE, KEY = _test_certificate()
TLS = {"certfile": CERTIFICATE, "keyfile": KEY}

OK = b"HTTP/1.1 200 OK\r\n"
EMPTY = OK + b"Content-Length: 0\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSE = OK + b"\r\n"
GZIP = OK + b"Content-Encoding: gzip\r\n"


def with_length(head: bytes, body: bytes) -> bytes:
    """Return the answer with *head*, a Content-Length and *body*."""
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


HELLO = gzip.compress(b"hello")

GOOD_ANSWERS = [  # name, bytes, code, body; RFC 9112
    ("length", with_length(OK, b"hello"), 200, b"hello"),
    ("length 0", EMPTY, 200, b""),
    ("more than announced", with_length(OK, b"hello") + b"HTTP/1.1 500 X\r\n\r\n", 200, b"hello"),
    ("until close", UNTIL_CLOSE + b"hello", 200, b"hello"),
    ("until close, nothing", UNTIL_CLOSE, 200, b""),
    ("HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\nhello", 200, b"hello"),
    ("no reason", b"HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\na", 200, b"a"),
    ("no reason, no blank", b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na", 200, b"a"),
    ("unknown code", b"HTTP/1.1 299 Odd\r\nContent-Length: 1\r\n\r\na", 299, b"a"),
    ("chunks", CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", 200, b"hello"),
    ("chunks, extended", CHUNKED + b'5;a;b="c"\r\nhello\r\n0\r\nX: y\r\n\r\n', 200, b"hello"),
    ("204", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204, b""),
    ("304", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nEtag: x\r\n\r\n", 304, b""),
    ("100 first", b"HTTP/1.1 100 Continue\r\n\r\n" + EMPTY, 200, b""),
    ("10 interim", b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" * 10 + EMPTY, 200, b""),
    ("gzip", with_length(GZIP, HELLO), 200, b"hello"),
    ("x-gzip", with_length(OK + b"Content-Encoding: X-GZip\r\n", HELLO), 200, b"hello"),
    ("gzip until close", GZIP + b"\r\n" + HELLO, 200, b"hello"),
    ("gzip in two members", with_length(GZIP, HELLO + HELLO), 200, b"hellohello"),
    ("gzip of nothing", with_length(GZIP, gzip.compress(b"")), 200, b""),
    ("gzip without a byte", with_length(GZIP, b""), 200, b""),
    ("gzip without a chunk", GZIP + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, b""),
    ("unknown coding", with_length(OK + b"Content-Encoding: br\r\n", b"\x0b\x02"), 200, b"\x0b\x02"),
    ("404", with_length(b"HTTP/1.1 404 Not Found\r\n", b"no"), 404, b"no"),
    ("redirect to nowhere", with_length(b"HTTP/1.1 302 Found\r\n", b"where?"), 302, b"where?"),
]

BAD_ANSWERS = [  # name, bytes, what the error says
    ("nothing", b"", "^HTTP 599: Connection closed$"),
    ("half a status line", b"HTTP/1.1 20", "closed before the end of a head"),
    ("half a head", OK + b"A: b\r\n", "closed before the end of a head"),
    ("another protocol", b"220 mail.example.com ESMTP\r\n\r\n", "not the status line"),
    ("no HTTP at all", b"\x15\x03\x01\x00\x02\x02\x28" * 9, "not allowed here"),
    ("HTTP/2", b"HTTP/2 200 OK\r\n\r\n", "not the status line"),
    ("lower case", b"http/1.1 200 OK\r\n\r\n", "not the status line"),
    ("code with a sign", b"HTTP/1.1 +20 OK\r\n\r\n", "not the status line"),
    ("code of four digits", b"HTTP/1.1 2000 OK\r\n\r\n", "not the status line"),
    ("bare LF", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "not allowed here"),
    ("NUL in a field", OK + b"X: a\x00b\r\n\r\n", "control character"),
    ("folded", OK + b"X: a\r\n b\r\n\r\n", "has no colon"),
    ("space before the colon", OK + b"X : a\r\n\r\n", "not a token"),
    ("endless line", OK + b"X: " + b"a" * 20_000, "field line is over"),
    ("endless fields", OK + b"X: a\r\n" * 20_000, "head is over 65536"),
    ("too many fields", OK + b"X: a\r\n" * 101 + b"\r\n", "101 fields"),
    ("endless status line", b"HTTP/1.1 200 " + b"a" * 70_000, "first line is over"),
    ("11 interim", b"HTTP/1.1 100 Continue\r\n\r\n" * 11 + EMPTY, "over 10 interim"),
    ("101 unasked", b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + EMPTY, "nobody asked"),
    ("short body", OK + b"Content-Length: 10\r\n\r\nhello", "closed after 5 of 10"),
    ("no body", OK + b"Content-Length: 10\r\n\r\n", "closed after 0 of 10"),
    ("both framings", OK + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "both"),
    ("two lengths", OK + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n", "several Content-Length"),
    ("length with a sign", OK + b"Content-Length: +0\r\n\r\n", "wanted digits"),
    ("unknown transfer coding", OK + b"Transfer-Encoding: gzip\r\n\r\n", "only chunked"),
    ("chunked in 1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.0"),
    ("chunk size", CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n", "does not begin a chunk"),
    ("chunk too long", CHUNKED + b"4\r\nhello\r\n0\r\n\r\n", "longer than its announced size"),
    ("chunk cut short", CHUNKED + b"5\r\nhel", "closed after 3 of 5"),
    ("no last chunk", CHUNKED + b"5\r\nhello\r\n", "closed before"),
    ("no end of trailers", CHUNKED + b"0\r\n", "closed before"),
    ("endless chunk line", CHUNKED + b"1" * 5000, "within 1024 bytes"),
    ("endless trailers", CHUNKED + b"0\r\n" + b"X: a\r\n" * 5000, "trailers|within"),
    ("length over the limit", OK + b"Content-Length: 100001\r\n\r\n", "the limit is 100000"),
    ("chunks over the limit", CHUNKED + b"186a1\r\n", "limit of 100000"),
    ("over the limit until close", UNTIL_CLOSE + b"a" * 100_001, "over 100000 bytes"),
    ("bomb", with_length(GZIP, gzip.compress(bytes(100_001))), "limit of 100000"),
    ("gzip cut short", with_length(GZIP, HELLO[:-1]), "cut short"),
    ("gzip cut short in the head", with_length(GZIP, HELLO[:3]), "cut short"),
    ("no gzip", with_length(GZIP, b"hello"), "no gzip data"),
    ("gzip and then none", with_length(GZIP, HELLO + b"hello"), "no gzip data"),
    ("gzip, short body", GZIP + b"Content-Length: 100\r\n\r\n" + HELLO, "closed after"),
]


class RawServer(TCPServer):
    """Answers each request with the next of *answers*, the last one again and again.

    An answer closes the connection, unless *keep* is set.  `requests` has what came, up to the empty line
    and the announced body.
    """

    def __init__(self, loop: IOLoop, *answers: bytes, keep: bool = False, tls: bool = False) -> None:
        super().__init__(loop, TLS if tls else None)
        self.answers = list(answers)
        self.keep = keep
        self.requests: list[bytes] = []
        self.streams: list[IOStream] = []
        (sock,) = bind_sockets(0, "127.0.0.1")
        self.port: int = sock.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/"
        self.add_socket(sock)

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        if not self.answers[0]:
            stream.close()
            return
        stream.read_until(b"\r\n\r\n", partial(self._on_head, stream))

    def _on_head(self, stream: IOStream, head: bytes) -> None:
        size = 0
        for line in head.split(b"\r\n"):
            if line.startswith(b"Content-Length: "):
                size = int(line.partition(b" ")[2])
        stream.read_bytes(size, partial(self._on_body, stream, head))

    def _on_body(self, stream: IOStream, head: bytes, body: bytes) -> None:
        self.requests.append(head + body)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        stream.write(answer)
        if self.keep:
            self.streams.append(stream)
        else:
            stream.close()

    def close(self) -> None:
        """Stop, and close what is still open."""
        self.stop()
        for stream in self.streams:
            stream.close()
        self.streams = []


class Greeter(RawServer):
    """Speaks first, and no HTTP."""

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        stream.write(b"220 hello\r\n")
        self.streams.append(stream)


class StubResolver:
    """Gives *answer* for each host, or never an answer if that is None."""

    def __init__(self, loop: IOLoop, answer: Answer | None) -> None:
        self.loop = loop
        self.answer = answer
        self.families: list[int] = []
        self.cancelled = 0

    def resolve(self, host: str, port: int, family: int, callback: Callable[[Answer], Any]) -> Any:
        self.families.append(family)
        if self.answer is not None:
            self.loop.add_callback(partial(callback, self.answer))
        return self

    def cancel(self) -> None:
        self.cancelled += 1


class ClientTestCase(unittest.TestCase):
    """A loop and a client, and nothing left of a request when it has ended."""

    def make_loop(self) -> IOLoop:
        return IOLoop()

    def setUp(self) -> None:
        self.loop = self.make_loop()
        self.addCleanup(self.loop.close, all_fds=True)
        self.client = self.make_client()

    def make_client(self, **kwargs: Any) -> SimpleAsyncHTTPClient:
        return SimpleAsyncHTTPClient(self.loop, force_instance=True, **kwargs)

    def serve(self, *answers: bytes, **kwargs: Any) -> RawServer:
        server = RawServer(self.loop, *answers, **kwargs)
        self.addCleanup(server.close)
        return server

    def silent_port(self) -> int:
        """Return a port where connections are taken, and nothing else ever happens."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        port: int = listener.getsockname()[1]
        return port

    def refusing_port(self) -> int:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port: int = listener.getsockname()[1]
        return port

    def resolve(self, answer: Answer | None) -> StubResolver:
        """Have the client's resolver give *answer* to everything, None for never."""
        resolver = StubResolver(self.loop, answer)
        self.client._resolver = resolver  # type: ignore[assignment]
        return resolver

    def fetch(
        self, request: str | HTTPRequest, client: SimpleAsyncHTTPClient | None = None, **kwargs: Any
    ) -> HTTPResponse:
        """Return the response; assert that the client has nothing to do any more."""
        client = client or self.client
        # No local variable here has the response: tracebacks of callbacks hold this frame.
        self.fetched: list[HTTPResponse] = []
        client.fetch(request, partial(self.take, self.fetched), **kwargs)
        self.assertEqual(self.fetched, [], "called back at once")
        self.loop.start()
        self.assertEqual((len(client.active), len(client.queue)), (0, 0))
        self.assertEqual(self.timers(), [])
        self.assertEqual(len(self.fetched), 1)
        return self.fetched.pop()

    def timers(self) -> list[Any]:
        """Return the timers of requests that are still to come."""
        callbacks = [timeout.callback for _, _, timeout in self.loop._timeouts._heap]
        return [each for each in callbacks if "_Fetch" in repr(each)]

    def take(self, responses: list[HTTPResponse], response: HTTPResponse) -> None:
        responses.append(response)
        self.loop.stop()

    def assert_fails(self, response: HTTPResponse, regex: str) -> None:
        self.assertEqual(response.code, 599)
        self.assertIsNone(response.body)
        self.assertRegex(str(response.error), regex)


class AnswerTest(ClientTestCase):
    def test_good_answers(self) -> None:
        for name, answer, code, body in GOOD_ANSWERS:
            with self.subTest(name):
                server = self.serve(answer)
                response = self.fetch(server.url)
                self.assertEqual((response.code, response.body), (code, body))
                self.assertEqual(response.buffer and response.buffer.read(), body)
                self.assertEqual(response.error is None, code < 300)

    def test_good_answers_streamed(self) -> None:
        for name, answer, code, body in GOOD_ANSWERS:
            with self.subTest(name):
                pieces: list[bytes] = []
                server = self.serve(answer)
                response = self.fetch(server.url, streaming_callback=pieces.append)
                self.assertEqual((response.code, response.body), (code, b""))
                self.assertEqual(b"".join(pieces), body)
                self.assertNotIn(b"", pieces)

    def test_answers_in_single_bytes(self) -> None:
        for name, answer, code, body in GOOD_ANSWERS:
            with self.subTest(name):
                response = self.fetch(self.drip(answer))
                self.assertEqual((response.code, response.body), (code, body))

    def drip(self, answer: bytes) -> str:
        """Return the URL of a server that sends *answer* byte by byte."""
        server = self.serve(b" ", keep=True)
        server.answers = [answer[:1]]

        def send(stream: IOStream, at: int) -> None:
            if stream.closed():
                return  # the client has heard enough
            if at < len(answer):
                stream.write(answer[at : at + 1])
                self.loop.add_callback(partial(send, stream, at + 1))
            else:
                stream.close()

        def on_body(stream: IOStream, head: bytes, body: bytes) -> None:
            send(stream, 0)

        server._on_body = on_body  # type: ignore[method-assign]
        return server.url

    def test_bad_answers(self) -> None:
        client = self.make_client(max_buffer_size=100_000)
        for name, answer, error in BAD_ANSWERS:
            for streaming_callback in (None, id):
                with self.subTest(name, streamed=streaming_callback is not None):
                    if streaming_callback and "limit" in name + error and "chunk" not in error:
                        continue  # there is none
                    server = self.serve(answer)
                    response = self.fetch(server.url, client, streaming_callback=streaming_callback)
                    self.assert_fails(response, error)
                    self.assertIsInstance(response.error, HTTPError)
                    self.assertEqual(dict(response.headers), {})

    def test_a_limit_holds_for_what_is_kept_only(self) -> None:
        client = self.make_client(max_buffer_size=100_000)
        for answer in (
            with_length(OK, bytes(100_001)),
            UNTIL_CLOSE + bytes(100_001),
            CHUNKED + b"186a1\r\n%b\r\n0\r\n\r\n" % bytes(100_001),
            with_length(GZIP, gzip.compress(bytes(100_001))),
        ):
            pieces: list[bytes] = []
            response = self.fetch(self.serve(answer).url, client, streaming_callback=pieces.append)
            self.assertIsNone(response.error)
            self.assertEqual(sum(map(len, pieces)), 100_001)

    def test_at_the_limit(self) -> None:
        body = bytes(100_000)
        client = self.make_client(max_buffer_size=100_000)
        for answer in (
            with_length(OK, body),
            UNTIL_CLOSE + body,
            CHUNKED + b"186a0\r\n%b\r\n0\r\n\r\n" % body,
            with_length(GZIP, gzip.compress(body)),
        ):
            self.assertEqual(self.fetch(self.serve(answer).url, client).body, body)

    def test_header_limit(self) -> None:
        server = self.serve(OK + b"X: %b\r\nContent-Length: 0\r\n\r\n" % (b"a" * 2000))
        client = self.make_client(max_header_size=2000)
        self.assert_fails(self.fetch(server.url, client), "head is over 2000 bytes")
        self.assertEqual(self.fetch(server.url).code, 200)

    def test_head(self) -> None:
        server = self.serve(OK + b"Content-Length: 5\r\nContent-Encoding: gzip\r\n\r\n", keep=True)
        response = self.fetch(server.url, method="HEAD")
        self.assertEqual((response.code, response.body), (200, b""))
        self.assertEqual(response.headers["Content-Length"], "5")

    def test_no_waiting_where_no_body_follows(self) -> None:
        for code in (204, 304):
            server = self.serve(b"HTTP/1.1 %d X\r\n\r\n" % code, keep=True)
            self.assertEqual(self.fetch(server.url).code, code)

    def test_headers(self) -> None:
        server = self.serve(
            OK + b"set-cookie: a=1\r\nSet-Cookie: b=2\r\nX: caf\xe9\r\nContent-Length: 0\r\n\r\n"
        )
        lines: list[str] = []
        response = self.fetch(server.url, header_callback=lines.append)
        self.assertEqual(response.headers.get_list("Set-Cookie"), ["a=1", "b=2"])
        self.assertEqual(response.headers["x"], "caf\xe9")
        self.assertEqual(
            lines,
            ["Set-Cookie: a=1\r\n", "Set-Cookie: b=2\r\n", "X: caf\xe9\r\n", "Content-Length: 0\r\n"],
        )

    def test_without_gzip(self) -> None:
        server = self.serve(with_length(GZIP, HELLO))
        self.assertEqual(self.fetch(server.url, use_gzip=False).body, HELLO)
        self.assertNotIn(b"Accept-Encoding", server.requests[0])

    def test_inflating_lets_others_run(self) -> None:
        """However much a few bytes inflate to, others have their turn after each step of it."""
        turns: dict[int, int] = {}

        def count(data: bytes) -> None:
            turns[self.loop._turn] = turns.get(self.loop._turn, 0) + len(data)

        size = 20 * 1024 * 1024
        server = self.serve(with_length(GZIP, gzip.compress(bytes(size))))
        self.assertIsNone(self.fetch(server.url, streaming_callback=count).error)
        self.assertEqual(sum(turns.values()), size)
        # The first step is one of the descriptor's handler, before the callbacks of the same count.
        self.assertLessEqual(max(turns.values()), 2 * simple_httpclient.INFLATE_STEP)

    def test_closed_while_inflating(self) -> None:
        """What the server sent before it closed is all read, in pieces or not."""
        body = os.urandom(300_000) + bytes(3_000_000)
        packed = gzip.compress(body, 1)
        answers = {
            "length": with_length(GZIP, packed),
            "close": GZIP + b"\r\n" + packed,
            "chunked": GZIP
            + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(packed), packed),
        }
        for name, answer in answers.items():
            with self.subTest(name):
                self.assertEqual(self.fetch(self.serve(answer).url).body, body)
        self.assert_fails(self.fetch(self.serve(answers["length"][:-50_000]).url), "closed")
        self.assert_fails(self.fetch(self.serve(answers["close"][:-50_000]).url), "cut short")

    def test_ended_while_inflating(self) -> None:
        pieces: list[bool] = []

        def on_piece(data: bytes) -> None:
            pieces.append(len(self.client.active) > 0)
            self.loop.add_callback(self.client.close)

        server = self.serve(with_length(GZIP, gzip.compress(bytes(20 * 1024 * 1024))))
        response = self.fetch(server.url, streaming_callback=on_piece)
        self.assert_fails(response, "Client closed")
        self.loop.add_callback(lambda: self.loop.add_callback(self.loop.stop))
        self.loop.start()
        self.assertEqual(set(pieces), {True}, "called after the end")

    def test_a_body_goes_in_bounded_steps_to_the_callback(self) -> None:
        pieces: list[bytes] = []
        body = os.urandom(1_000_000)
        self.fetch(self.serve(with_length(OK, body)).url, streaming_callback=pieces.append)
        self.assertEqual(b"".join(pieces), body)
        self.assertLessEqual(max(map(len, pieces)), 64 * 1024)


# name, arguments, lines of the head in any order, body
REQUESTS: list[tuple[str, dict[str, Any], list[bytes], bytes]] = [
    ("get", {}, [b"GET / HTTP/1.1", b"Host: {}", b"Connection: close", b"Accept-Encoding: gzip"], b""),
    ("no gzip", {"use_gzip": False}, [b"GET / HTTP/1.1", b"Host: {}", b"Connection: close"], b""),
    ("head", {"method": "HEAD"}, [b"HEAD / HTTP/1.1"], b""),
    (
        "post",
        {"method": "POST", "body": "\xe4"},
        [b"Content-Length: 2", b"Content-Type: {form}"],
        b"\xc3\xa4",
    ),
    ("empty post", {"method": "POST", "body": b""}, [b"Content-Length: 0", b"Content-Type: {form}"], b""),
    ("put", {"method": "PUT", "body": b"a"}, [b"Content-Length: 1"], b"a"),
    ("patch", {"method": "PATCH", "body": b"a"}, [b"PATCH / HTTP/1.1", b"Content-Length: 1"], b"a"),
    ("options", {"method": "OPTIONS"}, [b"OPTIONS / HTTP/1.1"], b""),
    (
        "other method",
        {"method": "brew", "body": b"x", "allow_nonstandard_methods": True},
        [b"brew / HTTP/1.1", b"Content-Length: 1"],
        b"x",
    ),
    ("agent", {"user_agent": "me"}, [b"User-Agent: me"], b""),
    (
        "modified",
        {"if_modified_since": 784111777},
        [b"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT"],
        b"",
    ),
    ("basic", {"auth_username": "\xe4", "auth_password": "b:c"}, [b"Authorization: Basic w6Q6Yjpj"], b""),
    ("no password", {"auth_username": "a"}, [b"Authorization: Basic YTo="], b""),
    ("host", {"headers": {"host": "example.com"}}, [b"Host: example.com"], b""),
    ("encoding", {"headers": {"accept-encoding": "br"}}, [b"Accept-Encoding: br"], b""),
    ("latin-1", {"headers": {"X": "\xe9"}}, [b"X: \xe9"], b""),
    ("beyond latin-1", {"headers": {"X": "\u20ac"}}, [b"X: \xe2\x82\xac"], b""),
    ("bytes", {"headers": {"X": b"\xff"}}, [b"X: \xff"], b""),
    (
        "own length",
        {"method": "PUT", "body": b"a", "headers": {"content-length": "9"}},
        [b"Content-Length: 1"],
        b"a",
    ),
]

# URL, with {} for the server; the request line's target, Authorization, effective_url if it is another
URLS = [
    ("http://{}", b"/", None, None),
    ("HTTP://{}/a/b?c=d&e", b"/a/b?c=d&e", None, None),
    ("http://{}?c", b"/?c", None, None),
    ("http://{}/a#part", b"/a", None, None),
    ("http://{}//a/../b;c", b"//a/../b;c", None, None),
    ("http://{}/@a:b", b"/@a:b", None, None),
    ("http://user:p%40ss@{}/", b"/", b"Basic dXNlcjpwQHNz", "http://{}/"),
    ("http://user@{}/user@", b"/user@", b"Basic dXNlcjo=", "http://{}/user@"),
    ("http://@{}/", b"/", b"Basic Og==", "http://{}/"),
]

# name, arguments, type of the error, its text
UNSUPPORTED: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("scheme", {"url": "ftp://localhost/"}, ValueError, "unsupported scheme 'ftp'"),
    ("no scheme", {"url": "localhost:80/"}, ValueError, "is no URL"),
    ("no host", {"url": "http:///a"}, ValueError, "is no URL"),
    ("two @", {"url": "http://a@b@localhost/"}, ValueError, "is no URL"),
    ("backslash", {"url": "http://a\\@localhost/"}, ValueError, "is no URL"),
    ("port", {"url": "http://localhost:65536/"}, ValueError, "out of range"),
    ("port 0", {"url": "http://localhost:0/"}, ValueError, "out of range"),
    ("no port", {"url": "http://localhost:a/"}, ValueError, "is no URL"),
    ("method", {"method": "BREW"}, ValueError, "unknown method 'BREW'"),
    ("get with body", {"body": b""}, UsageError, "GET must not have a body"),
    ("post without", {"method": "POST"}, AssertionError, "POST needs a body"),
    ("coding", {"headers": {"Transfer-Encoding": "chunked"}}, ValueError, "leave Transfer-Encoding out"),
    ("colon", {"auth_username": "a:b"}, ValueError, "has a colon"),
    ("proxy", {"proxy_host": "proxy", "proxy_port": 3128}, NotImplementedError, "has no proxy_host"),
    ("interface", {"network_interface": "eth0"}, NotImplementedError, "has no network_interface"),
    ("ca_certs", {"url": "https://localhost/", "ca_certs": "/nowhere"}, FileNotFoundError, "No such file"),
    ("client_key", {"url": "https://localhost/", "client_key": KEY}, ValueError, "without client_cert"),
]

FORBIDDEN: list[tuple[str, dict[str, Any], str]] = [  # name, arguments, what the error says
    ("newline in the URL", {"url": "http://localhost/\r\nX: y"}, "percent-encode"),
    ("blank in the URL", {"url": "http://localhost/a b"}, "percent-encode"),
    ("NUL in the URL", {"url": "http://localhost/\0"}, "percent-encode"),
    ("umlaut in the URL", {"url": "http://localhost/\xe4"}, "percent-encode"),
    ("newline in the method", {"method": "GET / HTTP/1.1\r\nX: y"}, "not a method"),
    ("no method", {"method": ""}, "not a method"),
    ("newline in a value", {"headers": {"X": "a\r\nY: b"}}, "control character"),
    ("CR in a value", {"headers": {"X": "a\rY: b"}}, "control character"),
    ("NUL in a value", {"headers": {"X": "a\0"}}, "control character"),
    ("newline in a name", {"headers": {"X: a\r\nY": "b"}}, "not a header name"),
    ("blank in a name", {"headers": {"X ": "b"}}, "not a header name"),
    ("newline in user_agent", {"user_agent": "a\r\nX: y"}, "control character"),
    ("no time", {"request_timeout": 0}, "wanted seconds above 0"),
    ("no time to connect", {"connect_timeout": None}, "wanted seconds above 0"),
    ("less than no redirects", {"max_redirects": -1}, "0 or more"),
]


class RequestTest(ClientTestCase):
    def test_requests(self) -> None:
        server = self.serve(EMPTY)
        host = server.url.split("/")[2].encode()
        for name, arguments, wanted, body in REQUESTS:
            with self.subTest(name):
                server.requests = []
                self.assertEqual(self.fetch(server.url, **arguments).code, 200)
                head, _, came = server.requests[0].partition(b"\r\n\r\n")
                lines = head.split(b"\r\n")
                for line in wanted:
                    line = line.replace(b"{}", host)
                    self.assertIn(line.replace(b"{form}", b"application/x-www-form-urlencoded"), lines)
                self.assertEqual(came, body)
                names = [line.partition(b":")[0] for line in lines]
                self.assertEqual(len(names), len(set(names)), "a field is there twice")

    def test_nothing_else_is_sent(self) -> None:
        server = self.serve(EMPTY)
        self.fetch(server.url)
        self.assertEqual(
            server.requests[0],
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\nAccept-Encoding: gzip\r\n\r\n"
            % server.port,
        )

    def test_urls(self) -> None:
        server = self.serve(EMPTY)
        host = f"127.0.0.1:{server.port}"
        for url, target, authorization, effective_url in URLS:
            with self.subTest(url):
                server.requests = []
                response = self.fetch(url.format(host))
                lines = server.requests[0].split(b"\r\n")
                self.assertEqual(lines[0], b"GET %b HTTP/1.1" % target)
                self.assertIn(b"Host: " + host.encode(), lines)
                found = [line for line in lines if line.startswith(b"Authorization: ")]
                self.assertEqual(found, [b"Authorization: " + authorization] if authorization else [])
                self.assertEqual(response.effective_url, (effective_url or url).format(host))

    def test_unsupported(self) -> None:
        """What only this client cannot do is told as any other failure."""
        for name, arguments, kind, text in UNSUPPORTED:
            with self.subTest(name):
                url = arguments.get("url", "http://localhost/")
                rest = {name: value for name, value in arguments.items() if name != "url"}
                response = self.fetch(url, **rest)
                self.assert_fails(response, text)
                self.assertIsInstance(response.error, kind)
                self.assertIsNone(response.error and response.error.__traceback__, "it holds our caller")

    def test_forbidden(self) -> None:
        """What nobody can send is refused at once."""
        for name, arguments, text in FORBIDDEN:
            with self.subTest(name):
                arguments = {"url": "http://localhost/", **arguments}
                with self.assertRaisesRegex(ValueError, text):
                    HTTPRequest(**arguments)
                with self.assertRaisesRegex(ValueError, text):
                    self.client.fetch(arguments.pop("url"), self.fail, **arguments)
                self.assertEqual(len(self.client.active) + len(self.client.queue), 0)

    def test_forbidden_later(self) -> None:
        """The attributes of a request may be set, and are looked at again."""
        for name, arguments, text in FORBIDDEN:
            with self.subTest(name):
                request = HTTPRequest("http://localhost/")
                for attribute, value in arguments.items():
                    setattr(request, attribute, value)
                with self.assertRaisesRegex(ValueError, text):
                    self.client.fetch(request, self.fail)

    def test_the_request_stays_as_it_is(self) -> None:
        server = self.serve(b"HTTP/1.1 302 Found\r\nLocation: http://localhost:1/\r\n\r\n")
        headers = {"Authorization": "x", "Host": "y"}
        request = HTTPRequest(
            server.url.replace("//", "//a:b@"), "POST", headers, b"body", user_agent="me", max_redirects=1
        )
        before = {name: value for name, value in vars(request).items() if name != "headers"}
        fields = request.headers.copy()
        response = self.fetch(request)
        self.assertIs(response.request, request)
        self.assertEqual(headers, {"Authorization": "x", "Host": "y"})
        self.assertEqual(request.headers, fields)
        self.assertEqual({name: value for name, value in vars(request).items() if name != "headers"}, before)

    def test_changes_after_fetch_come_too_late(self) -> None:
        server = self.serve(EMPTY)
        client = self.make_client(max_clients=1)
        responses: list[HTTPResponse] = []
        client.fetch(server.url, responses.append)
        request = HTTPRequest(server.url, headers={"X": "before"})
        client.fetch(request, partial(self.take, responses))
        request.headers["X"] = "after\r\nY: z"
        request.url = "http://localhost:1/"
        self.loop.start()
        self.assertIn(b"X: before\r\n", server.requests[1])
        self.assertEqual([response.code for response in responses], [200, 200])

    def test_small_packets_are_sent_at_once(self) -> None:
        options: list[int] = []

        def look(line: str) -> None:
            (fetch,) = self.client.active
            assert fetch._stream is not None and fetch._stream.socket is not None
            options.append(fetch._stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

        self.fetch(self.serve(EMPTY).url, header_callback=look)
        self.assertNotEqual(options, [0])

    def test_large_body(self) -> None:
        body = os.urandom(20_000_000)
        server = self.serve(EMPTY)
        self.assertEqual(self.fetch(server.url, method="POST", body=body).code, 200)
        self.assertTrue(server.requests[0].endswith(body))


class AddressTest(ClientTestCase):
    def test_refused(self) -> None:
        response = self.fetch(f"http://127.0.0.1:{self.refusing_port()}/")
        self.assert_fails(response, "ECONNREFUSED")
        self.assertIsInstance(response.error, ConnectionRefusedError)

    def test_unknown_host(self) -> None:
        self.resolve(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
        response = self.fetch("http://example.com/")
        self.assert_fails(response, "Name or service not known")
        self.assertIsInstance(response.error, socket.gaierror)

    def test_a_name_of_this_machine(self) -> None:
        server = self.serve(EMPTY)
        self.assertEqual(self.fetch(f"http://localhost:{server.port}/").code, 200)

    def test_hostname_mapping(self) -> None:
        server = self.serve(EMPTY)
        client = self.make_client(hostname_mapping={"www.example.com": "127.0.0.1"})
        self.assertEqual(self.fetch(f"http://WWW.example.com:{server.port}/", client).code, 200)
        self.assertIn(b"Host: WWW.example.com:%d\r\n" % server.port, server.requests[0])

    def test_ipv6_literal(self) -> None:
        server = self.serve(EMPTY)
        client = self.make_client(hostname_mapping={"::1": "127.0.0.1"})
        self.assertEqual(self.fetch(f"http://[::1]:{server.port}/", client).code, 200)
        self.assertIn(b"Host: [::1]:%d\r\n" % server.port, server.requests[0])

    def test_next_address(self) -> None:
        server = self.serve(EMPTY)
        refusing = (socket.AF_INET, ("127.0.0.1", self.refusing_port()))
        answers: list[Answer] = [
            [refusing, (socket.AF_INET, ("127.0.0.1", server.port))],
            [
                (socket.AF_INET6, ("::1", self.refusing_port(), 0, 0)),
                (socket.AF_INET, ("127.0.0.1", server.port)),
            ],
            [(12345, ("a", 1)), (socket.AF_INET, ("127.0.0.1", server.port))],
        ]
        for answer in answers:
            with self.subTest(answer):
                self.resolve(answer)
                self.assertEqual(self.fetch("http://example.com/", allow_ipv6=True).code, 200)

    def test_no_address_works(self) -> None:
        refusing = (socket.AF_INET, ("127.0.0.1", self.refusing_port()))
        self.resolve([refusing] * 30)
        self.assert_fails(self.fetch("http://example.com/"), "ECONNREFUSED")
        self.resolve([])
        self.assert_fails(self.fetch("http://example.com/"), "example.com has no address")

    def test_families(self) -> None:
        server = self.serve(EMPTY)
        ipv4 = (socket.AF_INET, ("127.0.0.1", server.port))
        broken = (socket.AF_INET6, "no address")  # whoever tries it first fails with a TypeError
        resolver = self.resolve([broken, ipv4])
        self.assertEqual(self.fetch("http://example.com/").code, 200)
        self.fetch("http://example.com/", allow_ipv6=False)
        self.assertEqual(resolver.families, [socket.AF_UNSPEC, socket.AF_INET])


class TimeoutTest(ClientTestCase):
    """Time is that of a `FakeLoop`: nothing here takes any."""

    def make_loop(self) -> IOLoop:
        return FakeLoop()

    def assert_times_out(self, url: str, seconds: float, **kwargs: Any) -> HTTPResponse:
        response = self.fetch(url, **kwargs)
        self.assert_fails(response, "^HTTP 599: Timeout$")
        self.assertEqual(response.request_time, seconds)
        return response

    def test_request(self) -> None:
        url = f"http://127.0.0.1:{self.silent_port()}/"
        for connect_timeout in (1, 100, float("inf")):
            response = self.assert_times_out(url, 10, connect_timeout=connect_timeout, request_timeout=10)
            self.assertEqual(set(response.time_info), {"queue", "namelookup", "connect", "total"})

    def test_defaults(self) -> None:
        self.assert_times_out(f"http://127.0.0.1:{self.silent_port()}/", 20)

    def test_handshake(self) -> None:
        url = f"https://127.0.0.1:{self.silent_port()}/"
        self.assert_times_out(url, 3, connect_timeout=3, request_timeout=10)
        self.assert_times_out(url, 3, connect_timeout=10, request_timeout=3)

    def test_lookup(self) -> None:
        resolver = self.resolve(None)
        self.assert_times_out("http://example.com/", 3, connect_timeout=3)
        self.assert_times_out("http://example.com/", 2, request_timeout=2)
        self.assertEqual(resolver.cancelled, 2)

    def test_each_phase_of_an_answer(self) -> None:
        for part in (
            b"HTTP/1.1 ",
            OK,
            OK + b"Content-Length: 5\r\n\r\n",
            CHUNKED + b"5\r\nhel",
            UNTIL_CLOSE + b"a",
        ):
            for streaming_callback in (None, id):
                with self.subTest(part):
                    server = self.serve(part, keep=True)
                    self.assert_times_out(
                        server.url, 7, request_timeout=7, streaming_callback=streaming_callback
                    )
                    server.close()

    def test_a_slow_answer_does_not_move_the_deadline(self) -> None:
        server = self.serve(OK + b"X: ", keep=True)

        def drip() -> None:
            if server.streams and not server.streams[0].closed():
                server.streams[0].write(b"a")
            drip.timer = self.loop.add_timeout(self.loop._wall() + 1, drip)  # type: ignore[attr-defined]

        drip()
        responses: list[HTTPResponse] = []
        self.client.fetch(server.url, partial(self.take, responses), request_timeout=7.5)
        self.loop.start()
        self.loop.remove_timeout(drip.timer)  # type: ignore[attr-defined]
        self.assertEqual(responses[0].request_time, 7.5)

    def test_redirects_count(self) -> None:
        """Each redirect may take its time to connect; all together have that of the request."""
        server = self.serve(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", b"HTTP/1.1 ", keep=True)
        self.assert_times_out(server.url, 10, request_timeout=10)
        self.assertEqual(len(server.requests), 2)

    def test_a_dead_address_leaves_time_for_the_next(self) -> None:
        server = self.serve(EMPTY, tls=True)
        dead = (socket.AF_INET, ("127.0.0.1", self.silent_port()))
        alive = (socket.AF_INET, ("127.0.0.1", server.port))
        self.resolve([dead, dead, alive])
        response = self.fetch("https://localhost/", ca_certs=CERTIFICATE, connect_timeout=9)
        self.assertEqual(response.code, 200)
        self.assertEqual(response.request_time, 6)
        self.resolve([dead, dead])
        self.assert_times_out("https://localhost/", 9, connect_timeout=9)

    def test_the_queue_does_not_count(self) -> None:
        client = self.make_client(max_clients=1)
        url = f"http://127.0.0.1:{self.silent_port()}/"
        responses: list[HTTPResponse] = []
        client.fetch(url, responses.append, request_timeout=5)
        client.fetch(url, partial(self.take, responses), request_timeout=5)
        self.loop.start()
        self.assertEqual([response.request_time for response in responses], [5, 5])
        self.assertEqual([response.time_info["queue"] for response in responses], [0, 5])

    def test_no_limit(self) -> None:
        server = self.serve(EMPTY)
        kwargs = {"connect_timeout": float("inf"), "request_timeout": float("inf")}
        self.client.fetch(server.url, lambda response: self.loop.stop(), **kwargs)
        self.assertEqual(self.timers(), [])
        self.loop.start()


class QueueTest(ClientTestCase):
    def test_first_in_first_out(self) -> None:
        server = self.serve(EMPTY)
        client = self.make_client(max_clients=2)
        order: list[int] = []
        peak: list[int] = []

        def on_response(number: int, response: HTTPResponse) -> None:
            order.append(number)
            peak.append(len(client.active))
            if len(order) == 6:
                self.loop.stop()

        for number in range(6):
            client.fetch(f"{server.url}{number}", partial(on_response, number))
        self.assertEqual((client.max_clients, len(client.active), len(client.queue)), (2, 2, 4))
        self.loop.start()
        self.assertEqual(sorted(order), list(range(6)))
        self.assertLessEqual(max(peak), 2)
        self.assertEqual([int(head.split(b" ")[1][1:]) for head in server.requests], list(range(6)))

    def test_a_redirect_needs_no_further_slot(self) -> None:
        server = self.serve(b"HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n", EMPTY)
        self.assertEqual(self.fetch(server.url, self.make_client(max_clients=1)).code, 200)

    def test_a_long_queue_of_failures(self) -> None:
        client = self.make_client(max_clients=1)
        codes: list[int] = []

        def on_response(response: HTTPResponse) -> None:
            codes.append(response.code)
            if len(codes) == 3000:
                self.loop.stop()

        client.fetch(self.serve(EMPTY).url, on_response)
        for _ in range(2999):
            client.fetch("ftp://localhost/", on_response)
        self.assertEqual(len(client.queue), 2999)
        self.loop.start()
        self.assertEqual(codes, [200] + [599] * 2999)

    def test_bad_sizes(self) -> None:
        for name in ("max_clients", "max_buffer_size", "max_header_size"):
            with self.subTest(name), self.assertRaisesRegex(ValueError, name):
                self.make_client(**{name: 0})

    def test_close(self) -> None:
        client = self.make_client(max_clients=1)
        responses: list[HTTPResponse] = []
        for _ in range(3):
            client.fetch(f"http://127.0.0.1:{self.silent_port()}/", responses.append)
        self.loop.add_callback(lambda: self.loop.add_callback(client.close))
        self.loop.add_timeout(self.loop._wall() + 0.01, self.loop.stop)
        self.loop.start()
        self.assertEqual([str(response.error) for response in responses], ["HTTP 599: Client closed"] * 3)
        self.assertEqual((len(client.active), len(client.queue)), (0, 0))
        self.assertEqual(len(self.loop._handlers), 1)
        with self.assertRaises(UsageError):
            client.fetch("http://localhost/", self.fail)


class CallbackTest(ClientTestCase):
    """What the caller's callbacks raise reaches the caller's contexts; and the request ends."""

    def setUp(self) -> None:
        super().setUp()
        self.caught: list[BaseException] = []
        self.responses: list[HTTPResponse] = []

    def on_exception(self, kind: Any, error: BaseException, traceback: Any) -> bool:
        self.caught.append(error)
        return True

    def keep(self, errors: list[BaseException], kind: Any, error: BaseException, traceback: Any) -> bool:
        errors.append(error)
        return True

    def boom(self, *args: Any) -> None:
        raise ZeroDivisionError("boom")

    def run_fetch(self, answer: bytes, **kwargs: Any) -> None:
        server = self.serve(answer)
        self.client.fetch(server.url, partial(self.take, self.responses), **kwargs)

    def test_contexts(self) -> None:
        for answer, name in (
            (with_length(OK, b"hello"), "header_callback"),
            (with_length(OK, b"hello"), "streaming_callback"),
            (CHUNKED + b"1\r\na\r\n" * 1000, "streaming_callback"),
            (with_length(GZIP, gzip.compress(bytes(1_000_000))), "streaming_callback"),
        ):
            with self.subTest(name):
                self.caught, self.responses = [], []
                with stack_context.ExceptionStackContext(self.on_exception):
                    self.run_fetch(answer, **{name: self.boom})
                self.loop.start()
                self.assertEqual([str(error) for error in self.caught], ["boom"])
                self.assertEqual([response.error for response in self.responses], self.caught)
                self.assertEqual(self.responses[0].code, 599)
                self.assertIsNotNone(self.caught[0].__traceback__)

    def test_without_contexts(self) -> None:
        with ExpectLog("tornado.ioloop", "boom") as log:
            self.run_fetch(with_length(OK, b"hello"), streaming_callback=self.boom)
            self.loop.start()
        self.assertEqual(len(log.records), 1)
        self.assertIsInstance(self.responses[0].error, ZeroDivisionError)

    def test_final_callback(self) -> None:
        server = self.serve(EMPTY)
        with stack_context.ExceptionStackContext(self.on_exception):
            self.client.fetch(server.url, self.boom)
        self.client.fetch(server.url, partial(self.take, self.responses))
        self.loop.start()
        self.assertEqual([str(error) for error in self.caught], ["boom"])

    def test_final_callback_of_a_request_that_never_began(self) -> None:
        with stack_context.ExceptionStackContext(self.on_exception):
            self.client.fetch("ftp://localhost/", self.boom)
            self.loop.add_callback(lambda: self.loop.add_callback(self.loop.stop))
        self.loop.start()
        self.assertEqual(len(self.caught), 1)

    def test_contexts_do_not_mix(self) -> None:
        """The callback of one request does not run in the contexts of another that made room for it."""
        other: list[BaseException] = []
        server = self.serve(EMPTY)
        client = self.make_client(max_clients=1)
        with stack_context.ExceptionStackContext(partial(self.keep, other)):
            client.fetch(server.url, self.boom)
        with stack_context.ExceptionStackContext(self.on_exception):
            client.fetch(server.url, self.boom)
        client.fetch(server.url, partial(self.take, self.responses))
        self.loop.start()
        self.assertEqual((len(self.caught), len(other)), (1, 1))

    def test_contexts_are_for_the_callbacks_only(self) -> None:
        entered: list[str] = []

        @contextlib.contextmanager
        def context() -> Iterator[None]:
            entered.append("x")
            yield

        server = self.serve(b"HTTP/1.1 302 X\r\nLocation: /\r\n\r\n", with_length(OK, b"hello"))
        with stack_context.StackContext(context):
            self.client.fetch(server.url, partial(self.take, self.responses), streaming_callback=id)
        self.loop.start()
        self.assertEqual(len(entered), 3, "for the block, a piece and the response")

    def test_contexts_of_who_closes_the_client(self) -> None:
        self.client.fetch(f"http://127.0.0.1:{self.silent_port()}/", self.boom)
        with stack_context.ExceptionStackContext(self.on_exception):
            self.client.close()
        self.loop.add_callback(self.loop.stop)
        with ExpectLog("tornado.ioloop", "boom"):
            self.loop.start()
        self.assertEqual(self.caught, [])

    def test_closing_the_client_from_a_callback(self) -> None:
        for name in ("header_callback", "streaming_callback"):
            with self.subTest(name):
                self.responses = []
                self.client = self.make_client()
                self.run_fetch(with_length(OK, b"hello"), **{name: lambda data: self.client.close()})
                self.loop.start()
                self.assertEqual(
                    [str(response.error) for response in self.responses], ["HTTP 599: Client closed"]
                )


REDIRECTS = [  # code, method before, method after, the body goes along
    (301, "GET", "GET", False),
    (301, "HEAD", "HEAD", False),
    (301, "POST", "GET", False),
    (301, "PUT", "PUT", True),
    (302, "POST", "GET", False),
    (302, "DELETE", "DELETE", False),
    (303, "POST", "GET", False),
    (303, "PUT", "GET", False),
    (303, "DELETE", "GET", False),
    (303, "HEAD", "HEAD", False),
    (307, "POST", "POST", True),
    (307, "GET", "GET", False),
    (308, "POST", "POST", True),
    (308, "PUT", "PUT", True),
]

LOCATIONS = [  # Location, the target that is asked for next; the first was /a/b?c
    ("d", b"/a/d"),
    ("/d?e#f", b"/d?e"),
    ("?e", b"/a/b?e"),
    ("../d", b"/d"),
    ("{}d", b"/d"),
    ("/d e", b"/d%20e"),
    ("/\xe4\x80", b"/%E4%80"),
    ("", b"/a/b?c"),
]


class RedirectTest(ClientTestCase):
    def redirect(self, location: str, code: int = 302) -> bytes:
        return f"HTTP/1.1 {code} X\r\nLocation: {location}\r\nContent-Length: 999\r\n\r\n".encode("latin-1")

    def test_methods(self) -> None:
        for code, method, then, with_body in REDIRECTS:
            with self.subTest(code, method=method):
                server = self.serve(self.redirect("/next", code), EMPTY)
                body = b"a=b" if method in ("POST", "PUT") else None
                headers = {"Content-Type": "text/x", "X": "y"}
                response = self.fetch(server.url, method=method, body=body, headers=headers)
                self.assertEqual((response.code, response.effective_url), (200, f"{server.url}next"))
                head, _, came = server.requests[1].partition(b"\r\n\r\n")
                lines = head.split(b"\r\n")
                self.assertEqual(lines[0], f"{then} /next HTTP/1.1".encode())
                self.assertEqual(came, b"a=b" if with_body else b"")
                self.assertEqual(b"Content-Length: 3" in lines, with_body)
                self.assertEqual(b"Content-Type: text/x" in lines, then == method)
                self.assertIn(b"X: y", lines)

    def test_locations(self) -> None:
        for location, target in LOCATIONS:
            with self.subTest(location):
                server = self.serve(b"", EMPTY)
                server.answers[0] = self.redirect(location.format(server.url))
                self.assertEqual(self.fetch(f"{server.url}a/b?c").code, 200)
                self.assertEqual(server.requests[1].split(b" ")[1], target)

    def test_bad_locations(self) -> None:
        for location in (
            "ftp://localhost/",
            "https://",
            "http://a:b:c/",
            "http://[::1/",
            "javascript:alert(1)",
        ):
            with self.subTest(location):
                server = self.serve(self.redirect(location))
                response = self.fetch(server.url)
                self.assertEqual(response.code, 599)
                self.assertIsInstance(response.error, ValueError)

    def test_used_up(self) -> None:
        for limit in (0, 1, 5):
            with self.subTest(limit):
                server = self.serve(with_length(b"HTTP/1.1 302 X\r\nLocation: x/\r\n", b"body"))
                response = self.fetch(server.url, max_redirects=limit)
                self.assertEqual((response.code, response.body), (302, b"body"))
                self.assertEqual(str(response.error), "HTTP 302: Found")
                self.assertEqual(response.effective_url, server.url + "x/" * limit)
                self.assertEqual(len(server.requests), limit + 1)

    def test_not_followed(self) -> None:
        server = self.serve(with_length(b"HTTP/1.1 301 X\r\nLocation: /\r\n", b"body"))
        response = self.fetch(server.url, follow_redirects=False)
        self.assertEqual((response.code, response.body, len(server.requests)), (301, b"body", 1))
        self.assertEqual(response.headers["Location"], "/")

    def test_callbacks_see_the_last_answer_only(self) -> None:
        lines: list[str] = []
        pieces: list[bytes] = []
        server = self.serve(
            with_length(b"HTTP/1.1 301 X\r\nLocation: /\r\n", b"body"), with_length(OK, b"hello")
        )
        self.fetch(server.url, header_callback=lines.append, streaming_callback=pieces.append)
        self.assertEqual((lines, pieces), (["Content-Length: 5\r\n"], [b"hello"]))

    SECRETS = {"Authorization": "secret", "Cookie": "secret", "Proxy-Authorization": "secret", "X": "public"}

    def secrets_at(self, server: RawServer) -> int:
        head = server.requests[-1].partition(b"\r\n\r\n")[0]
        self.assertIn(b"X: public", head)
        return head.count(b"secret") + head.count(b"Basic")

    def test_another_origin_gets_no_secrets(self) -> None:
        target = self.serve(EMPTY)
        host = f"127.0.0.1:{target.port}"
        for location in (f"http://{host}/", f"//{host}/", f"http://localhost:{target.port}/"):
            with self.subTest(location):
                server = self.serve(self.redirect(location))
                self.assertEqual(self.fetch(server.url, headers=self.SECRETS).code, 200)
                self.assertEqual(self.secrets_at(server), 3)
                self.assertEqual(self.secrets_at(target), 0)
                self.assertIn(b"Host: %b\r\n" % location.split("/")[2].encode(), target.requests[-1])

    def test_another_origin_gets_no_password(self) -> None:
        target = self.serve(EMPTY)
        server = self.serve(self.redirect(target.url))
        arguments: dict[str, Any] = {"auth_username": "a", "auth_password": "b"}
        for url, rest in ((server.url, arguments), (server.url.replace("//", "//a:b@"), {})):
            with self.subTest(url):
                self.assertEqual(self.fetch(url, headers={"X": "public"}, **rest).code, 200)
                self.assertEqual((self.secrets_at(server), self.secrets_at(target)), (1, 0))

    def test_the_same_origin_gets_them_again(self) -> None:
        for location in ("/next", "{}"):
            server = self.serve(b"", EMPTY)
            server.answers[0] = self.redirect(location.format(server.url))
            headers = {"Cookie": "secret", "X": "public", "Host": "example.com"}
            self.fetch(server.url.replace("//", "//a:b@"), headers=headers)
            self.assertEqual(self.secrets_at(server), 2)
            self.assertIn(b"Host: 127.0.0.1:%d\r\n" % server.port, server.requests[1])

    def test_from_tls_to_plain(self) -> None:
        target = self.serve(EMPTY)
        server = self.serve(self.redirect(target.url), tls=True)
        self.fetch(server.url, headers=self.SECRETS, ca_certs=CERTIFICATE)
        self.assertEqual((self.secrets_at(server), self.secrets_at(target)), (3, 0))

    def test_a_way_back_brings_no_secrets_back(self) -> None:
        server = self.serve(b"", EMPTY)
        middle = self.serve(self.redirect(server.url))
        server.answers[0] = self.redirect(middle.url)
        self.assertEqual(self.fetch(server.url, headers=self.SECRETS).code, 200)
        self.assertEqual(self.secrets_at(server), 0)


class TLSTest(ClientTestCase):
    def setUp(self) -> None:
        super().setUp()
        names = ("foo.example.com", "bar.example.com")
        self.client = self.make_client(hostname_mapping=dict.fromkeys(names, "127.0.0.1"))
        self.server = self.serve(with_length(OK, b"hello"), tls=True)

    def url(self, host: str) -> str:
        return f"https://{host}:{self.server.port}/"

    def test_verified(self) -> None:
        for host in ("localhost", "127.0.0.1", "foo.example.com", "FOO.example.com"):
            with self.subTest(host):
                self.assertEqual(self.fetch(self.url(host), ca_certs=CERTIFICATE).body, b"hello")

    def test_unknown_authority(self) -> None:
        response = self.fetch(self.url("localhost"))
        self.assertEqual(response.code, 599)
        assert isinstance(response.error, CertificateError)
        self.assertIsNone(response.error.__traceback__, "it holds the loop's caller")
        self.assertEqual(self.server.requests, [])

    def test_wrong_host(self) -> None:
        response = self.fetch(self.url("bar.example.com"), ca_certs=CERTIFICATE)
        self.assertIsInstance(response.error, CertificateError)
        self.assertRegex(str(response.error), "Hostname mismatch")
        self.assertEqual(self.server.requests, [])

    def test_no_other_address_is_tried(self) -> None:
        address = (socket.AF_INET, ("127.0.0.1", self.server.port))
        good = self.serve(EMPTY)
        self.resolve([address, (socket.AF_INET, ("127.0.0.1", good.port))])
        self.assertIsInstance(self.fetch("https://example.com/").error, CertificateError)

    def test_not_verified(self) -> None:
        with ExpectLog("tornado.simple_httpclient", "validate_cert is False") as log:
            for host in ("localhost", "bar.example.com"):
                self.assertEqual(self.fetch(self.url(host), validate_cert=False).body, b"hello")
        self.assertEqual(len(log.records), 1)

    def test_contexts_are_not_shared_with_other_credentials(self) -> None:
        plain = HTTPRequest("https://localhost/")
        usual = self.client._tls_context(plain)
        self.assertIs(self.client._tls_context(plain), usual)
        self.assertTrue(usual.check_hostname)
        self.assertEqual(usual.verify_mode, ssl.CERT_REQUIRED)
        self.assertGreaterEqual(usual.minimum_version, ssl.TLSVersion.TLSv1_2)
        for request in (
            HTTPRequest("https://localhost/", ca_certs=CERTIFICATE),
            HTTPRequest("https://localhost/", client_cert=CERTIFICATE, client_key=KEY),
        ):
            self.assertIsNot(self.client._tls_context(request), usual)
            self.assertIsNot(self.client._tls_context(request), self.client._tls_context(request))

    def test_client_certificate(self) -> None:
        subjects: list[Any] = []
        options = {**TLS, "cert_reqs": ssl.CERT_REQUIRED, "ca_certs": CERTIFICATE}

        def on_request(request: Any) -> None:
            subjects.append(request.get_ssl_certificate()["subject"])
            request.write(EMPTY)
            request.finish()

        server = HTTPServer(on_request, io_loop=self.loop, ssl_options=options)
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        url = f"https://localhost:{sockets[0].getsockname()[1]}/"
        given: dict[str, Any] = {"client_cert": CERTIFICATE, "client_key": KEY}
        self.assertEqual(self.fetch(url, ca_certs=CERTIFICATE, **given).code, 200)
        self.assertEqual(subjects, [((("commonName", "foo.example.com"),),)])
        self.assertEqual(self.fetch(url, ca_certs=CERTIFICATE).code, 599)
        self.assertEqual(len(subjects), 1)
        server.stop()

    def test_the_certificate_stays_with_its_origin(self) -> None:
        request = HTTPRequest("https://localhost/", client_cert=CERTIFICATE, client_key=KEY)
        target = simple_httpclient._Target.parse(request.url)
        simple_httpclient._redirect(request, target, 302, "https://localhost/a")
        self.assertEqual((request.client_cert, request.client_key), (CERTIFICATE, KEY))
        simple_httpclient._redirect(request, target, 302, "https://localhost:444/a")
        self.assertEqual((request.client_cert, request.client_key), (None, None))

    def test_tls_to_a_plain_port(self) -> None:
        greeter = Greeter(self.loop)
        self.addCleanup(greeter.close)
        response = self.fetch(greeter.url.replace("http", "https"))
        self.assertEqual(response.code, 599)
        self.assertIsInstance(response.error, ssl.SSLError)

    def test_tls_to_an_http_server(self) -> None:
        server = HTTPServer(lambda request: self.fail("a request came"), io_loop=self.loop)
        server.listen(port := self.refusing_port(), "127.0.0.1")
        self.addCleanup(server.stop)
        self.assertIsInstance(self.fetch(f"https://127.0.0.1:{port}/").error, (ssl.SSLError, OSError))

    def test_plain_to_a_tls_port(self) -> None:
        self.assertEqual(self.fetch(f"http://127.0.0.1:{self.server.port}/").code, 599)

    def test_large_answer(self) -> None:
        body = os.urandom(3_000_000)
        server = self.serve(with_length(OK, body), tls=True)
        self.assertEqual(self.fetch(server.url, ca_certs=CERTIFICATE).body, body)

    def test_large_request(self) -> None:
        body = os.urandom(3_000_000)
        self.fetch(self.server.url, ca_certs=CERTIFICATE, method="POST", body=body)
        self.assertTrue(self.server.requests[0].endswith(body))


class GarbageTest(ClientTestCase):
    """When a request has ended, nothing of it is left: no timer, no descriptor, no cycle."""

    def run_one(self, request: str, **kwargs: Any) -> int:
        """Fetch, throw the response away, and return the code."""
        response = self.fetch(request, **kwargs)
        watch = weakref.ref(response)
        code = response.code
        try:
            response.rethrow()
        except Exception:
            pass
        del response
        self.assertIsNone(watch(), "the response is held by something")
        return code

    def assert_clean(self, name: str, code: int, request: str, **kwargs: Any) -> None:
        with self.subTest(name):
            self.run_one(request, **kwargs)  # what is made once is made now
            self.settle()
            before = set(self.loop._handlers)
            gc.collect()
            gc.disable()
            try:
                self.assertEqual(self.run_one(request, **kwargs), code)
                self.settle()
                self.assertEqual(gc.collect(), 0)
            finally:
                gc.enable()
            self.assertEqual(set(self.loop._handlers), before)
            self.assertFalse(self.loop._callbacks)

    def settle(self) -> None:
        """Let the server notice that the client has gone."""
        self.loop.add_timeout(self.loop._wall() + 0.02, self.loop.stop)
        self.loop.start()

    def test_answers(self) -> None:
        rows: list[tuple[str, int, bytes, dict[str, Any]]] = [
            ("answered", 200, with_length(OK, b"hello"), {}),
            ("streamed", 200, with_length(OK, b"hello"), {"streaming_callback": id, "header_callback": id}),
            ("gzip", 200, with_length(GZIP, gzip.compress(bytes(1_000_000))), {}),
            ("bomb", 200, with_length(GZIP, gzip.compress(bytes(1_000_000))), {"streaming_callback": id}),
            ("not found", 404, with_length(b"HTTP/1.1 404 X\r\n", b"no"), {}),
            ("redirect", 302, b"HTTP/1.1 302 X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", {}),
            ("malformed", 599, b"hello\r\n\r\n", {}),
            ("cut short", 599, OK + b"Content-Length: 5\r\n\r\nhe", {}),
            ("gzip, cut short", 599, with_length(GZIP, HELLO[:-1]), {}),
            ("closed at once", 599, b"", {}),
            ("unsupported", 599, EMPTY, {"proxy_host": "a"}),
        ]
        for name, code, answer, kwargs in rows:
            server = self.serve(answer)
            self.assert_clean(name, code, server.url, **kwargs)
            server.close()

    def test_tls(self) -> None:
        server = self.serve(with_length(OK, b"hello"), tls=True)
        self.assert_clean("answered", 200, server.url, ca_certs=CERTIFICATE)

    def test_no_connection(self) -> None:
        self.assert_clean("refused", 599, f"http://127.0.0.1:{self.refusing_port()}/")
        self.assert_clean("bad URL", 599, "ftp://localhost/")

    def test_certificate_refused(self) -> None:
        server = self.serve(EMPTY, tls=True)
        self.assert_clean("unknown", 599, server.url)
        greeter = Greeter(self.loop)
        self.addCleanup(greeter.close)
        self.assert_clean("no TLS", 599, greeter.url.replace("http", "https"))

    def test_callback_raises(self) -> None:
        server = self.serve(with_length(OK, b"hello"))

        def boom(data: bytes) -> None:
            raise ZeroDivisionError

        with stack_context.ExceptionStackContext(lambda *exc_info: True):
            self.assert_clean("boom", 599, server.url, streaming_callback=boom)

    def test_timeouts(self) -> None:
        self.loop.close(all_fds=True)
        self.loop = FakeLoop()
        self.client = self.make_client()
        self.addCleanup(self.loop.close, all_fds=True)
        port = self.silent_port()
        self.assert_clean("request", 599, f"http://127.0.0.1:{port}/")
        self.assert_clean("handshake", 599, f"https://127.0.0.1:{port}/", request_timeout=50)

    def test_a_client_goes_with_its_loop(self) -> None:
        loop = IOLoop()
        client = SimpleAsyncHTTPClient(loop)
        watch = weakref.ref(client)
        client.close()
        loop.close()
        del client, loop
        self.assertIsNone(watch())


class NameTest(unittest.TestCase):
    def test_names_of_2011(self) -> None:
        self.assertTrue(issubclass(CertificateError, ValueError))
        path = simple_httpclient._DEFAULT_CA_CERTS
        self.assertTrue(path is None or os.path.exists(path))
        self.assertEqual(simple_httpclient.log, logging.getLogger("tornado.simple_httpclient"))
        self.assertTrue(callable(simple_httpclient.main))
        self.assertEqual(zlib.MAX_WBITS, 15)


if __name__ == "__main__":
    unittest.main()

"""What a request leaves behind: nothing that only the garbage collector would find, and nothing else.

The collector is switched off while thousands of requests come and go; then it must find nothing, and as
many blocks of memory and descriptors must be in use as after the first hundreds.
"""

import datetime
import gc
import logging
import os
import socket
import struct
import sys
import unittest
from typing import Any

from tornado.httpserver import HTTPRequest
from tornado.test.httpserver_tls_test import CERTIFICATE, TLSCase, client_context
from tornado.test.live import CHUNKED_POST, ServerCase, answer, get, post
from tornado.web import Application, HTTPError, RequestHandler, asynchronous

OK = b"done"
CLOSE = "Connection: close"
FORM = post(b"a=1&b=2", "Content-Type: application/x-www-form-urlencoded", "Cookie: a=1; b=2", CLOSE)


def descriptors() -> int:
    """Return how many descriptors are open."""
    return len(os.listdir("/proc/self/fd"))


class RawCallback:
    """Answers requests by their path."""

    def __init__(self, case: ServerCase) -> None:
        self.case = case
        self.parked: list[HTTPRequest] = []
        self.gone = 0

    def __call__(self, request: HTTPRequest) -> None:
        if request.path == "/raise":
            raise ZeroDivisionError(request.uri)
        if request.path == "/half":
            request.write(b"HTTP/1.1 200 OK\r\n")
            raise ZeroDivisionError(request.uri)
        if request.path == "/park":
            self.parked.append(request)
            request.connection.set_close_callback(self.on_gone)
        elif request.path == "/timer":
            self.parked.append(request)
            self.case.loop.add_timeout(datetime.timedelta(0), self.on_timer)
        else:
            self.size = len(request.arguments) + len(request.cookies)  # both are made when they are asked for
            answer(request, OK)

    def on_gone(self) -> None:
        self.gone += 1
        self.parked.pop()

    def on_timer(self) -> None:
        answer(self.parked.pop(), OK)


class PlainHandler(RequestHandler):
    def get(self) -> None:
        self.set_header("X-Time", datetime.datetime(2011, 6, 21))
        self.write({"query": self.get_argument("a", "none"), "cookie": self.get_cookie("a", "none")})
        self.finish(OK)

    def post(self) -> None:
        self.write(self.get_argument("a"))
        self.write(OK)


class TimerHandler(RequestHandler):
    @asynchronous
    def get(self) -> None:
        self.request.connection.stream.io_loop.add_timeout(datetime.timedelta(0), self.on_timer)

    def on_timer(self) -> None:
        self.write(OK)
        self.finish()


class PiecesHandler(RequestHandler):
    @asynchronous
    def get(self) -> None:
        self.write("piece")
        self.flush(callback=self.on_flushed)

    def on_flushed(self) -> None:
        self.finish(OK)


class ParkHandler(RequestHandler):
    gone = 0

    @asynchronous
    def get(self) -> None:
        pass

    def on_connection_close(self) -> None:
        ParkHandler.gone += 1


class RaisingHandler(RequestHandler):
    def get(self) -> None:
        if self.get_argument("status", None):
            raise HTTPError(int(self.get_argument("status")))
        raise ZeroDivisionError


class RaisingLaterHandler(RequestHandler):
    @asynchronous
    def get(self) -> None:
        self.request.connection.stream.io_loop.add_callback(self.async_callback(self.fail))

    def fail(self) -> None:
        raise ZeroDivisionError


APPLICATION: list[Any] = [
    ("/", PlainHandler),
    ("/timer", TimerHandler),
    ("/half", PiecesHandler),
    ("/park", ParkHandler),
    ("/raise", RaisingHandler),
    ("/raise-later", RaisingLaterHandler),
]

#: What is sent on a connection of its own: name, request, whether to wait for the answer and the end of the
#: connection; or else to leave in good order or by RST, before or after the server has looked at it.
VISITS: list[tuple[str, bytes, str]] = [
    ("answered", get("/", CLOSE), "wait"),
    ("form", FORM, "wait"),
    ("chunks", CHUNKED_POST[:-2] + b"Connection: close\r\n\r\n1\r\nx\r\n0\r\n\r\n", "wait"),
    ("HTTP/1.0", b"GET / HTTP/1.0\r\n\r\n", "wait"),
    ("not found", get("/nowhere", CLOSE), "wait"),
    ("by a timer", get("/timer", CLOSE), "wait"),
    ("in pieces", get("/half", CLOSE), "wait"),
    ("raises", get("/raise", CLOSE), "wait"),
    ("raises an answer", get("/raise?status=403", CLOSE), "wait"),
    ("malformed", b"GET /\r\n\r\n", "wait"),
    ("malformed octets", b"\0", "wait"),
    ("malformed chunk", CHUNKED_POST + b"x\r\n", "wait"),
    ("malformed form", post(b"x", "Content-Type: multipart/form-data"), "wait"),
    ("too large", post(b"").replace(b"Length: 0", b"Length: 999999999"), "wait"),
    ("expects", post(b"x", "Expect: 100-continue", CLOSE), "wait"),
    ("parked, then gone", get("/park"), "leave"),
    ("parked, then reset", get("/park"), "reset"),
    ("half a head", get("/")[:-3], "leave"),
    ("half a head, reset", get("/")[:-3], "reset"),
    ("half a body", post(b"xxxx")[:-2], "leave"),
    ("half a body, reset", post(b"xxxx")[:-2], "reset"),
    ("answered, reset", get("/"), "reset"),
    ("by a timer, reset", get("/timer"), "reset at once"),
    ("raises, reset", get("/raise"), "reset at once"),
    ("nothing", b"", "reset"),
    ("idle, then gone", get("/"), "leave"),
]  # fmt: skip

#: Sent on one connection, again and again.
REPEATED = [
    get("/"),
    get("/?a=1&a=2", "Cookie: a=b"),
    FORM.replace(b"Connection: close\r\n", b""),
    get("/timer"),
]


class LeakTest(ServerCase):
    """Requests of every kind, in numbers."""

    def setUp(self) -> None:
        super().setUp()
        logging.disable(logging.CRITICAL)  # a record that somebody keeps would keep its traceback alive
        self.addCleanup(logging.disable, logging.NOTSET)
        self.addCleanup(gc.enable)

    # -- clients as simple as they can be: what they leave behind must be nothing at all --

    def open(self) -> socket.socket:
        sock = socket.socket()
        sock.connect(self.address)
        sock.setblocking(False)
        return sock

    def wait(self, sock: socket.socket, end: bytes) -> None:
        """Read until *end*, or with ``b""`` until the server closes."""
        received = b""
        for _ in range(100_000):
            self.turn()
            try:
                data = sock.recv(65536)
            except BlockingIOError:
                continue
            received = received[-10:] + data
            if received.endswith(end) if end else not data:
                return
        self.fail("the answer does not come")

    def visit(self, request: bytes, manner: str) -> None:
        """Make one of `VISITS`."""
        with self.open() as sock:
            if request:
                sock.send(request)
            if manner == "wait":
                self.wait(sock, b"")
            elif manner == "reset at once":
                self.turn()
            else:
                self.turn()
                self.turn()
                self.turn()
            if manner.startswith("reset"):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.turn()
        self.turn()

    def make(self, count: int) -> None:
        """Make *count* requests, in turn of `REPEATED` on one connection and of `VISITS`."""
        for number in range(count):
            if number % 2:
                _, request, manner = VISITS[number // 2 % len(VISITS)]
                self.visit(request, manner)
            else:
                self.kept.send(REPEATED[number // 2 % len(REPEATED)])
                self.wait(self.kept, OK)

    def assert_no_leak(self, count: int) -> None:
        self.kept = self.open()
        self.addCleanup(self.kept.close)
        self.make(500)
        gc.collect()
        gc.disable()
        self.make(2000)  # until free lists and caches are full
        self.settle()
        blocks, files = sys.getallocatedblocks(), descriptors()
        self.make(count)
        self.settle()
        more = sys.getallocatedblocks() - blocks
        self.assertEqual(gc.collect(), 0, "objects that only the garbage collector finds")
        self.assertLessEqual(more, blocks // 100, "blocks of memory more than before")
        self.assertLessEqual(descriptors(), files)

    def test_request_callback(self) -> None:
        callback = RawCallback(self)
        self.serve(callback)
        self.assert_no_leak(5_000)
        self.assertGreater(callback.gone, 100)
        self.assertEqual(callback.parked, [])

    def test_handlers(self) -> None:
        ParkHandler.gone = 0
        self.serve(Application(APPLICATION))
        self.assert_no_leak(5_000)
        self.assertGreater(ParkHandler.gone, 100)


class TLSLeakTest(TLSCase):
    def test_connections(self) -> None:
        """The same for the connections themselves, where they are encrypted."""
        self.serve(self.on_request, ssl_options=CERTIFICATE)
        context = client_context()
        for number in range(60):
            if number == 20:
                gc.collect()
                gc.disable()
                self.addCleanup(gc.enable)
                files = descriptors()
            client = self.connect_tls(context)
            client.send(get("/", CLOSE) if number % 2 else get("/"))
            self.assertEqual(client.read_answer().code, 200)
            client.close() if number % 3 else client.reset()
            self.settle()
            self.seen.clear()
            self.clients.clear()
        del client
        self.assertEqual(gc.collect(), 0)
        self.assertLessEqual(descriptors(), files)


if __name__ == "__main__":
    unittest.main()

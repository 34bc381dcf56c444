"""A live server and its clients in one thread: the sockets are real, the time is a `FakeLoop`'s.

::

    class GreetingTest(ServerCase):
        def test_greeting(self):
            self.serve(answer)
            client = self.connect()
            client.send(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
            self.assertEqual(client.read_answer().body, b"ok")

Nothing runs between the statements of a test: the loop makes its turns while a client waits for an
answer, in `ServerCase.until` and in `ServerCase.settle`.  No time passes but with `ServerCase.pass_time`.
"""

import socket
import ssl
import struct
import time
import unittest
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

from tornado.httpserver import HTTPRequest, HTTPServer, _Desk
from tornado.httputil import HTTPHeaders
from tornado.netutil import bind_sockets
from tornado.test.util import FakeLoop
from tornado.wire import Progress, Reading, Steps
from tornado.wire.http1 import DEFAULT_LIMITS, read_body, read_response_head

T = TypeVar("T")

#: How many real seconds something may take that should happen at once.
PATIENCE = 20

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED_POST = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def get(target: str, *fields: str) -> bytes:
    """Return a request for *target* with further *fields*."""
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: a", *fields, "", ""]).encode("latin-1")


def post(body: bytes, *fields: str) -> bytes:
    """Return a request with a *body*, whose length is announced, and further *fields*."""
    head = "\r\n".join(["POST / HTTP/1.1", "Host: a", f"Content-Length: {len(body)}", *fields, "", ""])
    return head.encode("latin-1") + body


def answer(request: HTTPRequest, body: bytes = b"ok") -> None:
    """Answer *request* with 200 and *body*."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    request.write(head if request.method == "HEAD" else head + body)
    request.finish()


def desk(server: HTTPServer) -> _Desk:
    """Return what the connections of *server* share; there was one already."""
    if server._desk is None:
        raise AssertionError("nobody has connected to this server yet")
    return server._desk


class Answer(NamedTuple):
    """A response, read whole."""

    code: int
    reason: str
    headers: HTTPHeaders
    body: bytes


def _read_answer(method: str) -> Steps[Answer]:
    head = yield from read_response_head(DEFAULT_LIMITS, method)
    body = yield from read_body(head.fields.length, 1 << 30)
    return Answer(head.code, head.reason, head.fields.headers(), body)


class Client:
    """One end of a connection whose other end is in the loop of *case*.

    `received` is what has come and was not read yet.  `ended` says that no more will come; `error` is why,
    None if the server has closed in good order.
    """

    def __init__(self, case: "ServerCase", sock: socket.socket) -> None:
        sock.setblocking(False)
        self.case = case
        self.socket = sock
        self.received = bytearray()
        self.ended = False
        self.error: OSError | None = None

    # -- sending --

    def send(self, data: bytes) -> None:
        """Send all of *data*, while the loop runs if it must.  Raises OSError if the server has closed."""
        rest = memoryview(data)
        while rest:
            rest = rest[self.case.until(partial(self.send_some, rest)) :]

    def send_some(self, data: bytes | memoryview) -> int:
        """Send what the system takes of *data* and return how much."""
        try:
            return self.socket.send(data)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0

    def finish_sending(self) -> None:
        """Close our half of the connection."""
        self.socket.shutdown(socket.SHUT_WR)

    # -- receiving --

    def pull(self) -> "Client":
        """Take what has come."""
        while not self.ended:
            try:
                data = self.socket.recv(1 << 20)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError as error:
                self.error = error.with_traceback(None)  # which would refer to us
                data = b""
            self.received += data
            self.ended = not data
        return self

    def read_answer(self, method: str = "GET") -> Answer:
        """Return the next response, to a request with *method*.  Raises WireError for a bad one."""
        reading = Reading(_read_answer(method))
        self.case.until(lambda: reading.advance(self.pull().received, self.ended) is Progress.DONE)
        return reading.value

    def read_all(self) -> bytes:
        """Return everything until the server closes."""
        self.case.until(lambda: self.pull().ended)
        data, self.received = bytes(self.received), bytearray()
        return data

    def is_idle(self) -> bool:
        """Let the loop come to rest; return whether nothing has come and the connection is open."""
        self.case.settle()
        return not self.pull().received and not self.ended

    # -- ends --

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()

    def reset(self) -> None:
        """Close the connection the hard way: the server gets an RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class ServerCase(unittest.TestCase):
    """Has a loop, the servers that `serve` makes, and their clients."""

    def setUp(self) -> None:
        self.loop = FakeLoop()
        self.addCleanup(self.loop.close, all_fds=True)
        self.clients: list[Client] = []
        self.addCleanup(self._close_clients)
        self.address: Any = None

    def _close_clients(self) -> None:
        for client in self.clients:
            client.close()

    def serve(self, callback: Callable[[HTTPRequest], Any] = answer, **settings: Any) -> HTTPServer:
        """Start a server; `connect` leads to the last one."""
        server = HTTPServer(callback, io_loop=self.loop, **settings)
        sockets = bind_sockets(0, "127.0.0.1")
        self.address = sockets[0].getsockname()
        server.add_sockets(sockets)
        self.addCleanup(server.stop)
        return server

    def connect(self) -> Client:
        """Return a new client."""
        sock = socket.socket(socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET)
        client = Client(self, sock)
        self.clients.append(client)
        sock.setblocking(True)
        sock.connect(self.address)
        sock.setblocking(False)
        return client

    def ask(self, request: bytes) -> Answer:
        """Return the answer to *request*, on a connection of its own."""
        client = self.connect()
        client.send(request)
        answer = client.read_answer(request.partition(b" ")[0].decode())
        client.close()
        return answer

    # -- the loop --

    def turn(self) -> None:
        """Let the loop make one turn; it does not wait for anything."""
        self.loop.add_callback(self.loop.stop)
        self.loop.start()

    def _is_busy(self, wait: float) -> bool:
        return bool(self.loop._callbacks or self.loop._fake_poller.real.poll(wait))

    def settle(self) -> None:
        """Let the loop run until neither it nor the system has anything to do."""
        for _ in range(10_000):
            if not self._is_busy(0.002):
                return
            self.turn()
        self.fail("the loop does not come to rest")

    def until(self, ready: Callable[[], T]) -> T:
        """Let the loop run until ``ready()`` is true, and return what it is."""
        patience = time.monotonic() + PATIENCE
        while not (value := ready()):
            self.turn()
            if not self._is_busy(0.001) and time.monotonic() > patience:
                self.fail("what the test waits for does not come")
        return value

    def pass_time(self, seconds: float) -> None:
        """Let *seconds* pass on the loop's clock, one after the other."""
        self.settle()
        while seconds > 0:
            self.loop.advance(min(1.0, seconds))
            seconds -= 1.0
            self.turn()
        self.settle()

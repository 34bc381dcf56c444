"""Streams over socket pairs and over real TCP: what is read, what is written, how it ends.

The other end is a plain socket, or a `Peer`, which is one that the same loop watches.  Time is that of a
`FakeLoop`, but for one class that runs over a real loop.
"""

import contextlib
import datetime
import functools
import gc
import os
import pathlib
import random
import re
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import unittest
from collections.abc import Callable, Iterator
from typing import Any, ClassVar
from unittest import mock

from tornado import iostream, stack_context
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, SSLIOStream, StreamClosedError
from tornado.stack_context import StackContext
from tornado.test.util import ExpectLog, FakeLoop
from tornado.wire import Exactly, Steps, Until, WireError

Callback = Callable[..., Any]

PATIENCE = 10  # seconds that a blocking socket of a test waits
MAX_TURNS = 20_000  # of the loop in one test; more is a loop that spins
MEGABYTES = os.urandom(1024) * 3 * 1024
HEAVY = 8 * 1024 * 1024  # bytes; more than the system buffers for one connection


class _Watched:
    """A loop that keeps the exceptions of callbacks, and fails rather than spin."""

    raised: list[BaseException]
    _turn: int

    def handle_callback_exception(self, callback: Any) -> None:
        """Keep the exception, without its traceback, which would keep the stream."""
        error = sys.exception()
        if error is not None:
            self.raised.append(error.with_traceback(None))

    def _poll(self) -> Any:
        if self._turn > MAX_TURNS:
            raise AssertionError(f"the loop spins: {self._turn} turns")
        return super()._poll()  # type: ignore[misc]


class WatchedFakeLoop(_Watched, FakeLoop):
    def __init__(self) -> None:
        self.raised = []
        super().__init__()


class WatchedLoop(_Watched, IOLoop):
    def __init__(self) -> None:
        self.raised = []
        super().__init__()


class Peer:
    """The other end of a connection: a plain socket that the loop watches while `reading`.

    `received` is what came, `end` is how it ended: b"" for an orderly end, or the exception.
    """

    def __init__(self, loop: IOLoop, sock: socket.socket) -> None:
        self.loop, self.socket = loop, sock
        self.received = bytearray()
        self.end: bytes | OSError | None = None
        self._unsent = b""
        self._events = loop.NONE
        sock.setblocking(False)

    def read(self) -> None:
        """Read from now on."""
        self._watch(self._events | self.loop.READ)

    def send(self, data: bytes) -> None:
        """Send *data*, as fast as it is read."""
        self._unsent += data
        self._watch(self._events | self.loop.WRITE)

    def has(self, count: int) -> bool:
        """Return whether *count* bytes have come."""
        return len(self.received) >= count

    def ended(self) -> bool:
        """Return whether no more will come."""
        return self.end is not None

    def _watch(self, events: int) -> None:
        if self._events:
            self.loop.remove_handler(self.socket.fileno())
        self._events = events
        if events:
            self.loop.add_handler(self.socket.fileno(), self._on_event, events)

    def _on_event(self, fd: int, events: int) -> None:
        if self._events & self.loop.READ and events & (self.loop.READ | self.loop.ERROR):
            self._receive()
        elif self._unsent:
            with contextlib.suppress(ConnectionError):
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
            if not self._unsent or events & self.loop.ERROR:
                self._watch(self._events & ~self.loop.WRITE)

    def _receive(self) -> None:
        try:
            data = self.socket.recv(256 * 1024)
        except BlockingIOError:
            return
        except OSError as error:
            self.end = error.with_traceback(None)
        else:
            self.received += data
            self.loop.stop()
            if data:
                return
            self.end = data
        self._watch(self.loop.NONE)
        self.loop.stop()


def reset(sock: socket.socket) -> None:
    """Close *sock* so that the other end gets a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class StreamTestCase(unittest.TestCase):
    """A loop, and a list of what was called back in it."""

    loop_class: ClassVar[type[WatchedFakeLoop | WatchedLoop]] = WatchedFakeLoop

    def setUp(self) -> None:
        self.loop: Any = self.loop_class()
        self.addCleanup(self.loop.close, all_fds=True)
        self.events: list[Any] = []
        self.addCleanup(self._check_raised)

    def _check_raised(self) -> None:
        self.assertEqual(self.loop.raised, [], "exceptions that reached the loop")

    def take_raised(self) -> list[BaseException]:
        """Return the exceptions that reached the loop, and forget them."""
        raised: list[BaseException] = self.loop.raised
        self.loop.raised = []
        return raised

    # -- callbacks --

    def on(self, name: Any, then: Callback | None = None) -> Callback:
        """Return a callback that notes *name* and its arguments, then calls *then* with them."""
        return functools.partial(self._note, name, then)

    def _note(self, name: Any, then: Callback | None, *args: Any) -> None:
        self.events.append((name, *args) if args else name)
        self.loop.stop()
        if then is not None:
            then(*args)

    def wait(self, condition: Callable[[], object]) -> None:
        """Run the loop until *condition* holds, which is looked at after each callback of `on`."""
        while not condition():
            self.loop.start()

    def settle(self, seconds: float = 0.002) -> None:
        """Run the loop for *seconds*, during which everything that is under way arrives."""
        over: list[bool] = []
        self.loop.add_timeout(datetime.timedelta(seconds=seconds), functools.partial(over.append, True))
        self.loop.add_timeout(datetime.timedelta(seconds=seconds), self.loop.stop)
        self.wait(lambda: over)

    def expect(self, *events: Any) -> None:
        """Run the loop until *events* came, and see to it that there are no others."""
        self.wait(lambda: len(self.events) >= len(events))
        self.settle()
        came, self.events = self.events, []
        self.assertEqual(came, list(events))

    def received(self, peer: Peer, count: int) -> bytes:
        """Run the loop until *count* bytes have come to *peer*; return all that came."""
        self.wait(functools.partial(peer.has, count))
        self.settle()
        return bytes(peer.received)

    # -- streams --

    def own(self, sock: socket.socket) -> socket.socket:
        """Let *sock* wait at most PATIENCE seconds, and close it after the test."""
        sock.settimeout(PATIENCE)
        self.addCleanup(sock.close)
        return sock

    def pair(self, **kwargs: Any) -> tuple[IOStream, socket.socket]:
        """Return a stream, and the socket at its other end."""
        ours, theirs = socket.socketpair()
        return self.stream(ours, **kwargs), self.own(theirs)

    def tcp_pair(self, **kwargs: Any) -> tuple[IOStream, socket.socket]:
        """As `pair`, over TCP."""
        ours, theirs = self.tcp_sockets()
        return self.stream(ours, **kwargs), self.own(theirs)

    def stream(self, sock: socket.socket, **kwargs: Any) -> IOStream:
        self.addCleanup(sock.close)
        return IOStream(sock, self.loop, **kwargs)

    def listener(self) -> socket.socket:
        listener = self.own(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        return listener

    def tcp_sockets(self) -> tuple[socket.socket, socket.socket]:
        with self.listener() as listener:
            theirs = socket.create_connection(listener.getsockname())
            return listener.accept()[0], theirs

    def held(self, stream: IOStream, theirs: socket.socket, data: bytes) -> None:
        """Have *stream* hold *data* in its buffer."""
        theirs.sendall(b"!" + data)
        stream.read_bytes(1, self.on("held"))
        self.expect(("held", b"!"))


# -- reading --

Ask = Callable[[IOStream, Callback], Any]


def in_pieces(count: int) -> Ask:
    return lambda stream, callback: stream.read_bytes(count, callback, streaming_callback=callback)


READS: list[tuple[str, Ask, bytes]] = [  # name, the read, all that it reads
    ("until", lambda stream, callback: stream.read_until(b"\r\n", callback), b"head\r\n"),
    ("until, at once", lambda stream, callback: stream.read_until(b"\r\n", callback), b"\r\n"),
    ("until, false starts", lambda stream, callback: stream.read_until(b"abac", callback), b"ababac"),
    ("until, NUL", lambda stream, callback: stream.read_until(b"\0", callback), b"\xff\n\0"),
    ("regex", lambda stream, callback: stream.read_until_regex(r"\r?\n\r?\n", callback), b"a\nb\n\n"),
    ("regex of bytes", lambda stream, callback: stream.read_until_regex(b"\xe9|!", callback), b"caf\xe9"),
    ("regex of text", lambda stream, callback: stream.read_until_regex("\xe9|!", callback), b"caf\xe9"),
    ("bytes", lambda stream, callback: stream.read_bytes(5, callback), b"ab\r\nc"),
    ("one byte", lambda stream, callback: stream.read_bytes(1, callback), b"a"),
    ("no byte", lambda stream, callback: stream.read_bytes(0, callback), b""),
    ("bytes in pieces", in_pieces(5), b"ab\r\nc"),
    ("no byte in pieces", in_pieces(0), b""),
]
TAIL = b"\r\ntail"


class ReadTest(StreamTestCase):
    def check(self, stream: IOStream, ask: Ask, data: bytes, sent: Callable[[], object]) -> None:
        """Have *ask* read *data*, once *sent* was called, then the tail."""
        came: list[bytes] = []

        def on_data(piece: bytes) -> None:
            came.append(piece)
            self.loop.stop()

        ask(stream, on_data)
        self.assertEqual(came, [])
        sent()
        self.wait(lambda: came and len(b"".join(came)) >= len(data) and not stream.reading())
        self.assertEqual(b"".join(came), data)
        stream.read_bytes(len(TAIL), self.on("tail"))
        self.expect(("tail", TAIL))

    def test_all_at_once(self) -> None:
        for name, ask, data in READS:
            with self.subTest(name):
                stream, theirs = self.pair()
                self.check(stream, ask, data, functools.partial(theirs.sendall, data + TAIL))

    def test_in_the_buffer_before(self) -> None:
        for name, ask, data in READS:
            with self.subTest(name):
                stream, theirs = self.pair()
                self.held(stream, theirs, data + TAIL)
                self.check(stream, ask, data, lambda: None)

    def test_every_split(self) -> None:
        for name, ask, data in READS:
            for at in range(len(data) + 1):
                with self.subTest(name, at=at):
                    stream, theirs = self.pair()
                    self.check(stream, ask, data, functools.partial(self.send, theirs, data, at, TAIL))

    def test_part_of_it_in_the_buffer_before(self) -> None:
        for name, ask, data in READS:
            for at in range(1, len(data)):
                with self.subTest(name, at=at):
                    stream, theirs = self.pair()
                    self.held(stream, theirs, data[:at])
                    self.check(stream, ask, data, functools.partial(theirs.sendall, data[at:] + TAIL))

    def test_byte_by_byte(self) -> None:
        for name, ask, data in READS:
            with self.subTest(name):
                stream, theirs = self.pair()
                self.check(stream, ask, data, functools.partial(self.drip, theirs, data + TAIL))

    def send(self, theirs: socket.socket, data: bytes, at: int, tail: bytes) -> None:
        theirs.sendall(data[:at])
        self.settle()
        theirs.sendall(data[at:] + tail)

    def drip(self, theirs: socket.socket, data: bytes) -> None:
        for byte in data:
            theirs.sendall(bytes([byte]))
            self.settle()

    def test_after_the_close_of_either_side(self) -> None:
        for side in ("ours", "theirs"):
            for name, ask, data in READS:
                with self.subTest(name, side=side):
                    stream, theirs = self.pair()
                    self.held(stream, theirs, data + TAIL)
                    stream.set_close_callback(self.on("closed"))
                    stream.close() if side == "ours" else theirs.close()
                    self.expect("closed")
                    self.check(stream, ask, data, lambda: None)
                    with self.assertRaises(StreamClosedError):
                        stream.read_bytes(1, self.on("more"))

    def test_in_a_row_from_callbacks(self) -> None:
        stream, theirs = self.pair()
        theirs.sendall(b"POST /\r\nLength: 3\r\n\r\nabcd.e;f;rest")
        reads: list[tuple[Ask, bytes]] = [
            (READS[0][1], b"POST /\r\n"),
            (lambda s, callback: s.read_until_regex(r"\r\n\r\n", callback), b"Length: 3\r\n\r\n"),
            (lambda s, callback: s.read_bytes(3, callback), b"abc"),
            (lambda s, callback: s.read_bytes(0, callback), b""),
            (lambda s, callback: s.read_until(b".", callback), b"d."),
            (lambda s, callback: s.read_until(b";", callback), b"e;"),
            (lambda s, callback: s.read_until(b";", callback), b"f;"),
            (lambda s, callback: s.read_until_close(callback), b"rest"),
        ]
        left = iter(reads)

        def next_read(*data: bytes) -> None:
            if read := next(left, None):
                read[0](stream, self.on("read", next_read))

        next_read()
        self.wait(lambda: len(self.events) == len(reads) - 1)
        theirs.close()
        self.expect(*[("read", data) for _, data in reads])

    def test_a_thousand_in_a_row_do_not_recurse(self) -> None:
        stream, theirs = self.pair()
        count = 3 * sys.getrecursionlimit()
        lines: list[bytes] = []

        def on_line(line: bytes) -> None:
            lines.append(line)
            if len(lines) < count:
                stream.read_until(b"\n", on_line)
            else:
                self.events.append("all")
                self.loop.stop()

        Peer(self.loop, theirs).send(b"\n" * count)
        stream.read_until(b"\n", on_line)
        self.expect("all")

    def test_one_at_a_time(self) -> None:
        stream, theirs = self.pair()
        self.assertFalse(stream.reading())
        stream.read_until(b"\n", self.on("first"))
        self.assertTrue(stream.reading())
        for error in (AssertionError, RuntimeError):
            for name, ask, _ in READS:
                with self.subTest(name), self.assertRaisesRegex(error, "Already reading"):
                    ask(stream, self.on("second"))
        theirs.sendall(b"a\nb\n")
        self.expect(("first", b"a\n"))
        self.assertFalse(stream.reading())

    def test_refused_arguments(self) -> None:
        stream, _ = self.pair()
        refused: list[tuple[str, Callable[[Any], Any]]] = [
            ("until text", lambda on: stream.read_until("\n", on)),  # type: ignore[arg-type]
            ("until nothing", lambda on: stream.read_until(None, on)),  # type: ignore[arg-type]
            ("negative", lambda on: stream.read_bytes(-1, on)),
            ("a float", lambda on: stream.read_bytes(1.0, on)),  # type: ignore[arg-type]
            ("text", lambda on: stream.read_bytes("1", on)),  # type: ignore[arg-type]
        ]
        for name, call in refused:
            for error in (TypeError, AssertionError):
                with self.subTest(name), self.assertRaises(error):
                    call(self.on("called"))
        with self.assertRaises(re.error):
            stream.read_until_regex("(", self.on("called"))
        self.assertFalse(stream.reading())
        self.expect()

    def test_nothing_left_on_a_closed_stream(self) -> None:
        reads = [*READS, ("until close", IOStream.read_until_close, b"")]
        for name, ask, data in reads:
            with self.subTest(name):
                stream, _ = self.pair()
                stream.close()
                if data:
                    for error in (OSError, StreamClosedError):
                        with self.assertRaises(error):
                            ask(stream, self.on("called"))
                    self.expect()
                else:
                    ask(stream, self.on("called"))
                    self.expect(("called", b""))

    def test_too_little_left_on_a_closed_stream_stays(self) -> None:
        for name, ask, data in READS:
            if len(data) > 1:
                with self.subTest(name):
                    stream, theirs = self.pair()
                    self.held(stream, theirs, data[:-1])
                    stream.close()
                    with self.assertRaises(StreamClosedError):
                        ask(stream, self.on("called"))
                    stream.read_until_close(self.on("rest"))
                    self.expect(("rest", data[:-1]))

    def test_pieces_come_as_they_are_sent(self) -> None:
        stream, theirs = self.pair()
        stream.read_bytes(5, self.on("done"), streaming_callback=self.on("piece"))
        theirs.sendall(b"ab")
        self.expect(("piece", b"ab"))
        theirs.sendall(b"cdef")
        self.expect(("piece", b"cde"), ("done", b""))

    def test_stream_closed_by_a_piece(self) -> None:
        stream, theirs = self.pair()
        stream.set_close_callback(self.on("closed"))
        stream.read_bytes(5, self.on("done"), streaming_callback=self.on("piece", lambda _: stream.close()))
        theirs.sendall(b"abcdefg")
        self.expect(("piece", b"abcde"), "closed")


class RealLoopReadTest(ReadTest):
    """The same over a loop whose time cannot be advanced."""

    loop_class = WatchedLoop

    # Those that wait many times after which nothing happens.
    test_every_split = test_byte_by_byte = test_part_of_it_in_the_buffer_before = None  # type: ignore[assignment]


class ReadUntilCloseTest(StreamTestCase):
    def test_everything(self) -> None:
        stream, theirs = self.pair()
        stream.set_close_callback(self.on("closed"))
        stream.read_until_close(self.on("all"))
        theirs.sendall(b"one ")
        self.expect()
        theirs.sendall(b"two")
        theirs.close()
        self.expect(("all", b"one two"), "closed")

    def test_nothing(self) -> None:
        stream, theirs = self.pair()
        stream.read_until_close(self.on("all"))
        theirs.close()
        self.expect(("all", b""))

    def test_buffered_before(self) -> None:
        for half_closed in (False, True):
            with self.subTest(half_closed=half_closed):
                stream, theirs = self.tcp_pair()
                self.held(stream, theirs, b"buffered ")
                stream.read_until_close(self.on("all"))
                theirs.sendall(b"more")
                theirs.shutdown(socket.SHUT_WR) if half_closed else theirs.close()
                self.expect(("all", b"buffered more"))

    def test_in_pieces(self) -> None:
        stream, theirs = self.pair()
        self.held(stream, theirs, b"buffered")
        stream.read_until_close(self.on("done"), streaming_callback=self.on("piece"))
        self.expect(("piece", b"buffered"))
        theirs.sendall(b"more")
        self.expect(("piece", b"more"))
        theirs.close()
        self.expect(("done", b""))

    def test_on_a_closed_stream(self) -> None:
        stream, theirs = self.pair()
        self.held(stream, theirs, b"left")
        stream.close()
        stream.read_until_close(self.on("done"), streaming_callback=self.on("piece"))
        self.assertEqual(self.events, [])
        self.expect(("piece", b"left"), ("done", b""))
        stream.read_until_close(self.on("done"))
        self.expect(("done", b""))

    def test_local_close_drops_it(self) -> None:
        stream, theirs = self.pair()
        stream.set_close_callback(self.on("closed"))
        stream.read_until_close(self.on("all"))
        theirs.sendall(b"data")
        self.settle()
        stream.close()
        self.expect("closed")
        self.assertFalse(stream.reading())

    def test_answered_from_the_callback(self) -> None:
        stream, theirs = self.tcp_pair()
        stream.read_until_close(self.on("all", lambda data: stream.write(data[::-1])))
        theirs.sendall(b"abc")
        theirs.shutdown(socket.SHUT_WR)
        self.expect(("all", b"abc"))
        self.assertEqual(theirs.recv(100), b"cba")
        self.assertEqual(theirs.recv(100), b"")


class RandomReadTest(StreamTestCase):
    """Random reads of random bytes in random pieces, against what a few lines of Python make of them."""

    COUNT = 600

    def setUp(self) -> None:
        super().setUp()
        self.random = random.Random(2011)

    def letters(self, most: int) -> bytes:
        """At most *most* bytes of an alphabet so small that delimiters come by themselves."""
        return bytes(self.random.choices(b"ab\n", k=self.random.randint(0, most)))

    def plan(self) -> tuple[str, Any]:
        kind = self.random.choice(["until", "regex", "bytes", "pieces"])
        if kind in ("until", "regex"):
            return kind, self.random.choice([b"\n", b"ab", b"a\n", b"bab", b"\n\n"])
        return kind, self.random.choice([0, 1, 2, 5, 20])

    def model(self, plan: tuple[str, Any], data: bytes) -> int:
        """How much of *data* the read takes; -1 if it waits for more."""
        kind, what = plan
        if kind in ("bytes", "pieces"):
            return what if what <= len(data) else -1
        return data.find(what) + len(what) if what in data else -1

    def ask(self, stream: IOStream, plan: tuple[str, Any], done: Callback, piece: Callback) -> None:
        kind, what = plan
        if kind == "until":
            stream.read_until(what, done)
        elif kind == "regex":
            stream.read_until_regex(re.escape(what), done)
        elif kind == "bytes":
            stream.read_bytes(what, done)
        else:
            stream.read_bytes(what, done, streaming_callback=piece)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while data:
            size = self.random.choice([1, 2, 3, 7, 50])
            yield data[:size]
            data = data[size:]

    def expected(self, plans: list[tuple[str, Any]], data: bytes) -> list[bytes]:
        reads = []
        for plan in plans:
            end = self.model(plan, data)
            if end < 0:
                break
            reads.append(data[:end])
            data = data[end:]
        return reads

    def test_reads(self) -> None:
        for number in range(self.COUNT):
            with self.subTest(number):
                data = self.letters(60)
                plans = [self.plan() for _ in range(self.random.randint(1, 50))]
                self.assertEqual(self.reads(plans, data), self.expected(plans, data))

    def reads(self, plans: list[tuple[str, Any]], data: bytes) -> list[bytes]:
        """What the reads of *plans*, one from the callback of the other, give until the peer closes."""
        stream, theirs = self.random.choice([self.pair, self.tcp_pair])()
        stream.set_close_callback(self.on("closed"))
        reads: list[bytes] = []
        so_far = bytearray()
        left = iter(plans)

        def done(value: bytes) -> None:
            reads.append(bytes(so_far) + value)
            so_far.clear()
            next_read()

        def next_read() -> None:
            if plan := next(left, None):
                self.ask(stream, plan, done, so_far.extend)

        next_read()
        for piece in self.pieces(data):
            theirs.sendall(piece)
            for _ in range(self.random.randint(0, 2)):
                self.loop.add_callback(self.loop.stop)
                self.loop.start()
        theirs.close()
        self.wait(lambda: self.events)
        self.settle()
        self.assertEqual(self.events, ["closed"])
        self.events.clear()
        return reads


class BoundsTest(StreamTestCase):
    def test_public_attributes(self) -> None:
        stream, _ = self.pair()
        self.assertIs(stream.io_loop, self.loop)
        self.assertEqual((stream.max_buffer_size, stream.read_chunk_size), (104857600, 4096))
        self.assertIsNone(stream.error)
        stream, _ = self.pair(max_buffer_size=5, read_chunk_size=6, max_write_buffer_size=7)
        sizes = (stream.max_buffer_size, stream.read_chunk_size, stream.max_write_buffer_size)
        self.assertEqual(sizes, (5, 6, 7))

    def test_max_buffer_size(self) -> None:
        reads: list[tuple[str, Ask]] = [
            ("until", lambda stream, on: stream.read_until(b"!", on)),
            ("regex", lambda stream, on: stream.read_until_regex(b"!", on)),
            ("bytes", lambda stream, on: stream.read_bytes(2000, on)),
            ("until close", lambda stream, on: stream.read_until_close(on)),
        ]
        for name, ask in reads:
            with self.subTest(name):
                stream, theirs = self.pair(max_buffer_size=1000)
                stream.set_close_callback(self.on("closed"))
                ask(stream, self.on("called"))
                theirs.sendall(b"x" * 999)
                self.expect()
                theirs.sendall(b"x" * 900)
                self.expect("closed")
                self.assertTrue(stream.closed())
                self.assertIsNotNone(stream.error)

    def test_max_buffer_size_does_not_bound_what_is_handed_on(self) -> None:
        stream, theirs = self.pair(max_buffer_size=1000)
        pieces: list[bytes] = []
        stream.read_until_close(self.on("done"), streaming_callback=pieces.append)
        Peer(self.loop, theirs).send(MEGABYTES)
        self.settle(1)
        theirs.close()
        self.expect(("done", b""))
        self.assertEqual(b"".join(pieces), MEGABYTES)

    def test_read_until_is_linear(self) -> None:
        looked_at: list[int] = []

        class CountingUntil(Until):
            def end(self, buffer: bytes | bytearray, scanned: int) -> int:
                looked_at.append(len(buffer) - max(0, scanned - len(self.delimiter) + 1))
                return super().end(buffer, scanned)

        delimiter = b"\r\n\r\n"
        stream, theirs = self.pair()
        peer = Peer(self.loop, theirs)
        with mock.patch.object(iostream, "Until", CountingUntil):
            stream.read_until(delimiter, self.on("read"))
            peer.send(b"\r\n\r" * 1_000_000)
            self.settle(1)
            for _ in range(500):
                theirs.setblocking(True)
                theirs.sendall(b"\r")
                self.settle(0.0001)
            theirs.sendall(b"\n\r\n")
            self.wait(lambda: self.events)
        self.assertEqual(len(self.events[0][1]), 3_000_503)
        self.assertGreater(len(looked_at), 500)
        again = iostream.READ_CHUNK_SIZE + len(delimiter) * len(looked_at)
        self.assertLessEqual(sum(looked_at), 3_000_503 + again)

    def test_socket_is_left_alone_while_nobody_reads(self) -> None:
        for name, pair in (("unix", self.pair), ("tcp", self.tcp_pair)):
            with self.subTest(name):
                stream, theirs = pair()
                self.held(stream, theirs, b"")
                peer = Peer(self.loop, theirs)
                peer.send(b"x" * HEAVY)
                turns = self.loop._turn
                self.settle(60)
                self.assertLess(self.loop._turn - turns, 100, "it reads on, or spins")
                held = len(stream._read_buffer)
                self.assertGreaterEqual(held, iostream.PAUSE_MARK)
                self.assertLess(held, iostream.PAUSE_MARK + iostream.BULK_CHUNK_SIZE)
                stream.read_bytes(HEAVY, self.on("read"))
                self.wait(lambda: self.events)
                self.assertEqual(self.events.pop(), ("read", b"x" * HEAVY))
                self.assertEqual(stream._read_buffer, b"")
                theirs.setblocking(True)
                self.held(stream, theirs, b"")

    def test_small_reads_do_not_resume_a_full_buffer_too_early(self) -> None:
        stream, theirs = self.pair()
        self.held(stream, theirs, b"")
        Peer(self.loop, theirs).send(b"x" * HEAVY)
        self.settle(1)
        for _ in range(5):
            stream.read_bytes(1000, self.on("read"))
            self.wait(lambda: self.events)
            self.events.clear()
            self.settle(1)
            self.assertLess(len(stream._read_buffer), iostream.PAUSE_MARK + 2 * iostream.BULK_CHUNK_SIZE)

    def test_many_small_reads_let_others_run(self) -> None:
        busy, theirs = self.pair()
        quiet, others = self.pair()
        served: list[str] = []

        def read_busy(data: bytes = b"") -> None:
            served.append("busy")
            busy.read_bytes(1, read_busy)

        def read_quiet(data: bytes = b"") -> None:
            served.append("quiet")
            if served.count("quiet") < 20:
                others.sendall(b"x")
                quiet.read_bytes(1, read_quiet)
            else:
                self.events.append("done")
                self.loop.stop()

        Peer(self.loop, theirs).send(b"x" * 1_000_000)
        read_busy()
        self.loop.add_callback(read_quiet)
        self.wait(lambda: self.events)
        shifts = "".join(name[0] for name in served).split("q")[1:]
        self.assertLessEqual(max(map(len, shifts)), 4 * iostream.MAX_READS_PER_TURN)
        self.assertGreater(sum(map(len, shifts)), 20, "the busy one was starved")

    def test_one_protocol_of_many_reads_lets_others_run(self) -> None:
        def read_all(count: int) -> Steps[int]:
            for _ in range(count):
                yield Exactly(1)
            return count

        stream, theirs = self.pair()
        count = 20_000
        self.held(stream, theirs, b"x" * count)
        turns = self.loop._turn
        stream.read(read_all(count), self.on("read"))
        self.wait(lambda: self.events)
        self.assertEqual(self.events, [("read", count)])
        self.assertGreater(self.loop._turn - turns, 10)


class ProtocolTest(StreamTestCase):
    """`IOStream.read`, which all other reads are made of."""

    def pair_steps(self) -> Steps[tuple[bytes, bytes]]:
        first = yield Until(b"\n", 10)
        second = yield Exactly(2)
        return first, second

    def read(self, stream: IOStream, steps: Steps[Any] | None = None) -> None:
        stream.read(steps or self.pair_steps(), self.on("done"), self.on("failed", self._check_error))

    def _check_error(self, error: WireError) -> None:
        self.assertIsInstance(error, WireError)
        self.events[-1] = "failed"

    def test_value(self) -> None:
        stream, theirs = self.pair()
        self.read(stream)
        theirs.sendall(b"a\nbcd")
        self.expect(("done", (b"a\n", b"bc")))
        self.assertEqual(stream._read_buffer, b"d")

    def test_protocol_that_reads_nothing(self) -> None:
        def nothing() -> Steps[str]:
            return "value"
            yield Exactly(1)

        stream, _ = self.pair()
        self.read(stream, nothing())
        self.assertEqual(self.events, [])
        self.expect(("done", "value"))

    def test_failure(self) -> None:
        for name, sent, closed in [("malformed", b"x" * 20, False), ("ends too early", b"a\nb", True)]:
            with self.subTest(name):
                stream, theirs = self.pair()
                self.read(stream)
                theirs.sendall(sent)
                if closed:
                    theirs.close()
                self.expect("failed")
                self.assertEqual(stream.closed(), closed)
                self.assertFalse(stream.reading())

    def test_failure_that_nobody_waits_for_closes(self) -> None:
        stream, theirs = self.pair()
        stream.set_close_callback(self.on("closed"))
        stream.read(self.pair_steps(), self.on("done"))
        theirs.sendall(b"x" * 20)
        self.expect("closed")
        self.assertIsInstance(stream.error, WireError)

    def test_answer_to_a_failure(self) -> None:
        stream, theirs = self.pair()
        stream.read(self.pair_steps(), self.on("done"), lambda error: stream.write(str(error).encode()))
        theirs.sendall(b"x" * 20)
        self.settle()
        self.assertIn(b"within 10 bytes", theirs.recv(100))

    def test_started_is_called_while_too_little_has_come(self) -> None:
        stream, theirs = self.pair()
        stream.read(self.pair_steps(), self.on("done"), started=self.on("started"))
        self.expect()
        for data in (b"a", b"b"):
            theirs.sendall(data)
            self.expect("started")
        theirs.sendall(b"\ncd")
        self.expect(("done", (b"ab\n", b"cd")))

    def test_failure_before_the_first_byte(self) -> None:
        def refuse() -> Steps[bytes]:
            raise WireError("too long, as announced")
            yield Exactly(1)

        stream, _ = self.pair()
        self.read(stream, refuse())
        self.assertEqual(self.events, [])
        self.expect("failed")
        with self.assertRaisesRegex(WireError, "as announced"):
            stream.read(refuse(), self.on("done"))
        self.assertFalse(stream.reading())

    def test_held_reader(self) -> None:
        stream, theirs = self.tcp_pair()
        stream.read_bytes(HEAVY, self.on("read"))
        stream._hold()
        Peer(self.loop, theirs).send(bytes(HEAVY))
        self.settle(60)
        self.assertEqual(self.events, [])
        self.assertLess(len(stream._read_buffer), iostream.PAUSE_MARK + iostream.BULK_CHUNK_SIZE)
        stream._release()
        self.assertEqual(self.events, [])
        self.wait(lambda: self.events)
        self.assertEqual(self.events.pop(), ("read", bytes(HEAVY)))

    def test_held_in_the_middle_of_pieces(self) -> None:
        stream, theirs = self.pair()
        stream.read_until_close(self.on("done"), self.on("piece", lambda data: stream._hold()))
        theirs.sendall(b"first")
        self.expect(("piece", b"first"))
        theirs.sendall(b"second")
        self.expect()
        stream._release()
        self.expect(("piece", b"second"))
        stream.close()
        stream._release()
        self.expect()

    def test_started_is_called_after_a_first_read_that_came_whole(self) -> None:
        stream, theirs = self.pair()
        stream.read(self.pair_steps(), self.on("done"), started=self.on("started"))
        theirs.sendall(b"a\n")
        self.expect("started")

    def test_started_is_not_called_when_all_comes_at_once(self) -> None:
        stream, theirs = self.pair()
        theirs.sendall(b"a\nbc")
        stream.read(self.pair_steps(), self.on("done"), started=self.on("started"))
        self.expect(("done", (b"a\n", b"bc")))


# -- writing --


class WriteTest(StreamTestCase):
    def full(self, **kwargs: Any) -> tuple[IOStream, Peer]:
        """A stream whose peer reads nothing, with a small buffer in the system."""
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return self.stream(ours, **kwargs), Peer(self.loop, self.own(theirs))

    def test_types(self) -> None:
        stream, theirs = self.pair()
        for data in (b"abc", bytearray(b"abc"), memoryview(b"abc")):
            stream.write(data)  # type: ignore[arg-type]
            self.assertEqual(theirs.recv(10), b"abc")
        for wrong in ("abc", None, 3, [b"abc"]):
            for error in (TypeError, AssertionError):
                with self.subTest(wrong), self.assertRaisesRegex(error, "wanted bytes"):
                    stream.write(wrong)  # type: ignore[arg-type]
        stream.close()

    def test_changing_a_bytearray_later_changes_nothing(self) -> None:
        stream, peer = self.full()
        stream.write(MEGABYTES)
        data = bytearray(b"good")
        stream.write(data)  # type: ignore[arg-type]
        data[:] = b"evil"
        peer.read()
        stream.close()
        self.wait(peer.ended)
        self.assertEqual(peer.received[-4:], b"good")

    def test_callback(self) -> None:
        stream, theirs = self.pair()
        for data in (b"abc", b""):
            stream.write(data, self.on("written"))
            self.assertEqual(self.events, [])
            self.assertFalse(stream.writing())
            self.expect("written")
        self.assertEqual(theirs.recv(10), b"abc")

    def test_megabytes(self) -> None:
        for data in (b"", b"x", MEGABYTES):
            with self.subTest(len(data)):
                stream, peer = self.full()
                stream.write(MEGABYTES)
                stream.write(data, self.on("written"))
                self.assertTrue(stream.writing())
                self.expect()
                peer.read()
                self.expect("written")
                self.assertFalse(stream.writing())
                self.assertEqual(self.received(peer, len(MEGABYTES + data)), MEGABYTES + data)

    def test_later_write_replaces_the_callback(self) -> None:
        for second, expected in [(self.on("second"), ["second"]), (None, [])]:
            for data in (b"x", b""):
                with self.subTest(expected=expected, data=data):
                    stream, peer = self.full()
                    stream.write(MEGABYTES, self.on("first"))
                    stream.write(data, second)
                    peer.read()
                    self.settle(1)
                    self.expect(*expected)
                    self.assertEqual(self.received(peer, len(MEGABYTES + data)), MEGABYTES + data)

    def test_order_of_writes_from_callbacks(self) -> None:
        stream, peer = self.full()
        peer.read()
        pieces = [bytes([letter]) * 100_000 for letter in range(20)]
        left = iter(pieces)

        def write_next() -> None:
            if piece := next(left, b""):
                stream.write(piece[:50_000])
                stream.write(piece[50_000:], self.on("written", write_next))

        write_next()
        self.expect(*["written"] * len(pieces))
        self.assertEqual(self.received(peer, 2_000_000), b"".join(pieces))

    def test_one_write_of_any_size(self) -> None:
        stream, peer = self.full(max_write_buffer_size=1000)
        stream.write(MEGABYTES, self.on("written"))
        peer.read()
        self.expect("written")
        stream.write(MEGABYTES, self.on("written"))
        self.expect("written")

    def test_limit(self) -> None:
        stream, peer = self.full(max_write_buffer_size=len(MEGABYTES))
        stream.set_close_callback(self.on("closed"))
        stream.write(MEGABYTES, self.on("written"))
        with ExpectLog("tornado.iostream", r"flush\(callback\)") as log:
            stream.write(MEGABYTES, self.on("written"))
        self.assertEqual(len(log.records), 1)
        self.assertTrue(stream.closed())
        self.assertIsInstance(stream.error, OSError)
        self.expect("closed")
        with self.assertRaises(StreamClosedError):
            stream.write(b"x")
        peer.read()
        self.wait(peer.ended)
        self.assertLess(len(peer.received), len(MEGABYTES))

    def test_closed(self) -> None:
        stream, _ = self.pair()
        stream.close()
        for data in (b"x", b""):
            with self.assertRaisesRegex(OSError, "Stream is closed"):
                stream.write(data, self.on("written"))
        self.expect()

    def test_close_right_after_a_write(self) -> None:
        for data in (b"last words", MEGABYTES):
            for name, make in (("unix", self.pair), ("tcp", self.tcp_pair)):
                with self.subTest(name, size=len(data)):
                    stream, theirs = make()
                    stream.set_close_callback(self.on("closed"))
                    peer = Peer(self.loop, theirs)
                    stream.write(data, self.on("written"))
                    stream.close()
                    self.assertTrue(stream.closed())
                    peer.read()
                    self.wait(peer.ended)
                    self.assertEqual((bytes(peer.received), peer.end), (data, b""))
                    self.settle()
                    self.assertEqual(self.events.count("closed"), 1)
                    self.events.clear()

    def test_peer_that_reads_slowly_gets_all_of_a_closed_stream(self) -> None:
        stream, peer = self.full()
        stream.write(MEGABYTES)
        stream.close()
        peer.socket.setblocking(True)
        received = bytearray()
        while len(received) < len(MEGABYTES):
            self.settle(iostream.LINGER_STALL_TIME / 10)
            received += peer.socket.recv(200_000)
        self.assertEqual(received, MEGABYTES)
        self.settle()
        self.assertEqual(peer.socket.recv(10), b"")

    def test_peer_that_reads_nothing_is_given_up(self) -> None:
        stream, peer = self.full()
        stream.write(MEGABYTES)
        sock = stream.socket
        stream.close()
        self.settle(iostream.LINGER_STALL_TIME - 1)
        self.assertNotEqual(sock and sock.fileno(), -1)
        self.settle(2)
        self.assertEqual(sock and sock.fileno(), -1)
        peer.read()
        self.wait(peer.ended)
        self.assertLess(len(peer.received), len(MEGABYTES))

    def test_peer_that_is_gone(self) -> None:
        for size in (1, len(MEGABYTES)):
            with self.subTest(size=size):
                stream, peer = self.full()
                stream.set_close_callback(self.on("closed"))
                stream.write(MEGABYTES[:size], self.on("written"))
                self.settle()
                self.events.clear()
                reset(peer.socket)
                self.expect("closed")
                self.assertIsInstance(stream.error, (ConnectionResetError, BrokenPipeError))
                self.assertFalse(stream.writing())

    def test_gone_before_the_loop_noticed(self) -> None:
        stream, theirs = self.pair()
        stream.set_close_callback(self.on("closed"))
        theirs.close()
        stream.write(b"x", self.on("written"))
        self.assertTrue(stream.closed())
        self.expect("closed")
        self.assertIsInstance(stream.error, OSError)


class WriteFileTest(StreamTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.file = self.enterContext(tempfile.TemporaryFile())
        self.file.write(MEGABYTES)
        self.file.flush()

    def connect(self) -> tuple[IOStream, Peer]:
        """A stream, and a peer that reads nothing yet."""
        stream, theirs = self.tcp_pair()
        return stream, Peer(self.loop, theirs)

    def test_parts(self) -> None:
        size = len(MEGABYTES)
        for offset, count in [(0, size), (0, 1), (size - 1, 1), (1000, 100_000), (0, 0), (size, 0)]:
            with self.subTest(offset=offset, count=count):
                stream, peer = self.connect()
                peer.read()
                stream.write_file(self.file, offset, count, self.on("written"))
                self.assertEqual(self.events, [])
                self.expect("written")
                self.assertFalse(stream.writing())
                self.assertEqual(self.received(peer, count), MEGABYTES[offset : offset + count])

    def test_in_order(self) -> None:
        stream, peer = self.connect()
        stream.write(bytes(HEAVY), self.on("replaced"))
        stream.write_file(self.file, 0, 1000, self.on("replaced"))
        stream.write_file(self.file, 5000, 2_000_000, self.on("replaced"))
        stream.write(b"end", self.on("written"))
        peer.read()
        self.expect("written")
        expected = bytes(HEAVY) + MEGABYTES[:1000] + MEGABYTES[5000:2_005_000] + b"end"
        self.assertEqual(self.received(peer, len(expected)), expected)

    def test_nothing_of_a_file_is_a_write_like_others(self) -> None:
        stream, peer = self.connect()
        stream.write_file(self.file, 0, 0, self.on("written"))
        stream.write(bytes(HEAVY), self.on("large"))
        self.settle()
        self.assertNotIn("large", self.events)
        self.events.clear()
        peer.read()
        self.expect("large")

    def test_position_does_not_matter(self) -> None:
        stream, peer = self.connect()
        self.file.seek(12345)
        stream.write_file(self.file, 10, 10)
        peer.read()
        self.assertEqual(self.received(peer, 10), MEGABYTES[10:20])
        self.assertEqual(self.file.tell(), 12345)

    def test_does_not_count_as_memory(self) -> None:
        stream, peer = self.connect()
        stream.max_write_buffer_size = 1000
        for _ in range(10):
            stream.write_file(self.file, 0, len(MEGABYTES), self.on("written"))
        self.assertFalse(stream.closed())
        peer.read()
        self.expect("written")
        self.assertEqual(self.received(peer, 10 * len(MEGABYTES)), MEGABYTES * 10)

    def test_a_large_file_takes_many_turns(self) -> None:
        stream, peer = self.connect()
        peer.read()
        turns = self.loop._turn
        stream.write_file(self.file, 0, len(MEGABYTES), self.on("written"))
        self.expect("written")
        self.assertGreaterEqual(self.loop._turn - turns, len(MEGABYTES) // iostream.MAX_WRITE_PER_TURN)

    def test_close_right_after(self) -> None:
        stream, peer = self.connect()
        stream.write_file(self.file, 0, len(MEGABYTES), self.on("written"))
        stream.close()
        peer.read()
        self.wait(peer.ended)
        self.assertEqual(peer.received, MEGABYTES)
        self.assertEqual(self.events, [])

    def test_before_the_connection(self) -> None:
        listener = self.listener()
        stream = self.stream(socket.socket())
        stream.connect(listener.getsockname(), self.on("connected"))
        stream.write_file(self.file, 0, 5, self.on("written"))
        self.expect("connected", "written")
        self.assertEqual(self.own(listener.accept()[0]).recv(10), MEGABYTES[:5])

    def test_files_that_cannot_be_sent(self) -> None:
        closed = self.enterContext(tempfile.TemporaryFile())
        for name, file, count in [("too short", self.file, len(MEGABYTES)), ("closed", closed, 10)]:
            with self.subTest(name):
                stream, peer = self.connect()
                stream.set_close_callback(self.on("closed"))
                stream.write_file(file, 1, count)
                closed.close()
                peer.read()
                self.expect("closed")
                self.assertIsInstance(stream.error, (OSError, ValueError))

    def test_refused(self) -> None:
        stream, _ = self.connect()
        for offset, count in [(-1, 5), (0, -1)]:
            with self.subTest(offset=offset, count=count), self.assertRaises((ValueError, AssertionError)):
                stream.write_file(self.file, offset, count)
        stream.close()
        with self.assertRaises(StreamClosedError):
            stream.write_file(self.file, 0, 1)

    def test_peer_that_is_gone(self) -> None:
        stream, peer = self.connect()
        stream.set_close_callback(self.on("closed"))
        stream.write_file(self.file, 0, len(MEGABYTES), self.on("written"))
        stream.write_file(self.file, 0, len(MEGABYTES), self.on("written"))
        self.settle()
        reset(peer.socket)
        self.expect("closed")
        self.assertIsInstance(stream.error, OSError)


# -- connecting --


class ConnectTest(StreamTestCase):
    def connecting(self, callback: Callback | None = None) -> tuple[IOStream, socket.socket]:
        """A stream that connects, and what it connects to."""
        listener = self.listener()
        stream = self.stream(socket.socket())
        stream.connect(listener.getsockname(), callback)
        return stream, listener

    def accept(self, listener: socket.socket) -> socket.socket:
        return self.own(listener.accept()[0])

    def test_tcp(self) -> None:
        stream, listener = self.connecting(self.on("connected"))
        self.assertEqual(self.events, [])
        self.expect("connected")
        theirs = self.accept(listener)
        stream.write(b"hello")
        self.assertEqual(theirs.recv(10), b"hello")

    def test_without_a_callback(self) -> None:
        stream, listener = self.connecting()
        stream.write(b"hello", self.on("written"))
        self.expect("written")
        self.assertEqual(self.accept(listener).recv(10), b"hello")

    def test_reads_and_writes_meanwhile(self) -> None:
        stream, listener = self.connecting(self.on("connected"))
        stream.write(b"he")
        stream.write(b"llo", self.on("written"))
        stream.read_until(b"\n", self.on("read"))
        self.assertEqual(self.events, [])
        self.expect("connected", "written")
        theirs = self.accept(listener)
        self.assertEqual(theirs.recv(10), b"hello")
        theirs.sendall(b"hi\n")
        self.expect(("read", b"hi\n"))

    def test_empty_write_meanwhile(self) -> None:
        stream, _ = self.connecting(self.on("connected"))
        stream.write(b"", self.on("written"))
        self.assertEqual(self.events, [])
        self.expect("connected", "written")
        self.assertFalse(stream.closed())

    def test_megabytes_meanwhile(self) -> None:
        stream, listener = self.connecting()
        stream.write(MEGABYTES, self.on("written"))
        peer = Peer(self.loop, self.accept(listener))
        peer.read()
        self.expect("written")
        self.assertEqual(self.received(peer, len(MEGABYTES)), MEGABYTES)

    def test_refused(self) -> None:
        with self.listener() as listener:
            address = listener.getsockname()
        stream = self.stream(socket.socket())
        stream.set_close_callback(self.on("closed"))
        stream.connect(address, self.on("connected"))
        stream.write(b"x", self.on("written"))
        self.expect("closed")
        self.assertTrue(stream.closed())
        self.assertIsInstance(stream.error, ConnectionRefusedError)

    def test_unix_socket(self) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        listener = self.own(socket.socket(socket.AF_UNIX))
        listener.bind(f"{folder}/socket")
        listener.listen()
        stream = self.stream(socket.socket(socket.AF_UNIX))
        stream.connect(listener.getsockname(), self.on("connected"))
        self.assertEqual(self.events, [])
        self.expect("connected")
        stream.write(b"hello")
        self.assertEqual(self.accept(listener).recv(10), b"hello")

    def test_unix_socket_that_is_missing(self) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        stream = self.stream(socket.socket(socket.AF_UNIX))
        stream.set_close_callback(self.on("closed"))
        stream.connect(f"{folder}/socket", self.on("connected"))
        self.assertEqual(self.events, [])
        self.expect("closed")
        self.assertIsInstance(stream.error, FileNotFoundError)

    def test_close_meanwhile(self) -> None:
        stream, _ = self.connecting(self.on("connected"))
        stream.set_close_callback(self.on("closed"))
        stream.write(b"x", self.on("written"))
        stream.close()
        self.expect("closed")

    def test_closed_stream(self) -> None:
        stream, _ = self.pair()
        stream.close()
        with self.assertRaises(StreamClosedError):
            stream.connect(("127.0.0.1", 1), self.on("connected"))

    def test_long_after_the_close_callback_was_set(self) -> None:
        listener = self.listener()
        stream = self.stream(socket.socket())
        stream.set_close_callback(self.on("closed"))
        self.expect()
        stream.connect(listener.getsockname(), self.on("connected"))
        self.expect("connected")
        self.accept(listener).close()
        self.expect("closed")
        self.assertIsNone(stream.error)

    def test_blocking_socket_that_is_connected(self) -> None:
        ours, theirs = self.tcp_sockets()
        ours.setblocking(True)
        stream = self.stream(ours)
        self.assertFalse(ours.getblocking())
        self.own(theirs).sendall(b"hello\n")
        stream.read_until(b"\n", self.on("read"))
        self.expect(("read", b"hello\n"))


# -- closing --


class CloseTest(StreamTestCase):
    def test_once_however_it_ends(self) -> None:
        ends: list[tuple[str, Callable[[IOStream, socket.socket], Any], type[BaseException] | None]] = [
            ("ours", lambda ours, theirs: ours.close(), None),
            ("theirs", lambda ours, theirs: theirs.close(), None),
            ("theirs, half", lambda ours, theirs: theirs.shutdown(socket.SHUT_WR), None),
            ("by hand", lambda ours, theirs: self.shut(ours, socket.SHUT_RDWR), None),
            ("by hand, half", lambda ours, theirs: self.shut(ours, socket.SHUT_RD), None),
            ("reset", lambda ours, theirs: reset(theirs), ConnectionResetError),
            ("both", self.close_both, None),
        ]
        for reading in (False, True):
            for name, end, error in ends:
                with self.subTest(name, reading=reading):
                    stream, theirs = self.tcp_pair()
                    stream.set_close_callback(self.on("closed", functools.partial(self.check_closed, stream)))
                    if reading:
                        stream.read_until(b"\n", self.on("read"))
                    self.settle()
                    end(stream, theirs)
                    self.expect("closed")
                    self.assertIsInstance(stream.error, error or type(None))
                    stream.close()
                    self.expect()

    def close_both(self, ours: IOStream, theirs: socket.socket) -> None:
        theirs.close()
        ours.close()

    def shut(self, stream: IOStream, how: int) -> None:
        if stream.socket is not None:
            stream.socket.shutdown(how)

    def check_closed(self, stream: IOStream) -> None:
        self.assertTrue(stream.closed())
        self.assertIsNone(stream.socket)
        self.assertFalse(stream.reading())
        self.assertFalse(stream.writing())

    def test_callback_set_late(self) -> None:
        stream, _ = self.pair()
        stream.close()
        self.settle()
        stream.set_close_callback(self.on("closed"))
        self.assertEqual(self.events, [])
        self.expect("closed")

    def test_callback_changed(self) -> None:
        changes: list[tuple[str, Callable[[IOStream], Any], list[str]]] = [
            ("replaced", lambda s: s.set_close_callback(self.on("second")), ["second"]),
            ("taken back", lambda s: s.set_close_callback(None), []),
            ("disarmed as of old", self.disarm, []),
        ]
        for name, change, expected in changes:
            for closed_before in (False, True):
                with self.subTest(name, closed_before=closed_before):
                    stream, _ = self.pair()
                    stream.set_close_callback(self.on("first"))
                    if closed_before:
                        stream.close()
                    change(stream)
                    stream.close()
                    self.expect(*expected)

    def disarm(self, stream: IOStream) -> None:
        stream._close_callback = None

    def test_noticed_by_a_stream_nobody_ever_read(self) -> None:
        for name, make in (("unix", self.pair), ("tcp", self.tcp_pair)):
            with self.subTest(name):
                stream, theirs = make()
                stream.set_close_callback(self.on("closed"))
                theirs.sendall(b"unread")
                theirs.close()
                self.expect("closed")
                self.assertIsNone(stream.error)
                stream.read_until_close(self.on("read"))
                self.expect(("read", b"unread"))

    def test_what_came_before_is_delivered_first(self) -> None:
        for name, make in (("unix", self.pair), ("tcp", self.tcp_pair)):
            for count in (1, 31, 32, 33, 64, 100):
                for left in (0, 1):
                    with self.subTest(name, count=count, left=left):
                        stream, theirs = make()
                        stream.set_close_callback(self.on("closed"))
                        self.read_lines(stream, count)
                        theirs.sendall(b"\n" * (count + left))
                        theirs.close()
                        self.expect(*[("line", b"\n")] * count, "closed")
                        self.assertIsNone(stream.error)

    def read_lines(self, stream: IOStream, count: int) -> None:
        """Read *count* lines of *stream* and no more."""
        again = functools.partial(self._read_line, stream, count - 1)
        stream.read_until(b"\n", self.on("line", again))

    def _read_line(self, stream: IOStream, left: int, line: bytes) -> None:
        if left:
            self.read_lines(stream, left)

    def test_what_came_before_a_reset_is_delivered_first(self) -> None:
        stream, theirs = self.tcp_pair()
        stream.set_close_callback(self.on("closed"))
        theirs.sendall(b"\n" * 100)
        self.read_lines(stream, 101)
        reset(theirs)
        self.expect(*[("line", b"\n")] * 100, "closed")
        self.assertIsInstance(stream.error, ConnectionResetError)

    def test_much_unread_before_the_end(self) -> None:
        for name, make in (("unix", self.pair), ("tcp", self.tcp_pair)):
            with self.subTest(name):
                stream, theirs = make()
                stream.set_close_callback(self.on("closed"))
                theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * 1024 * 1024)
                theirs.setblocking(False)
                sent = 0
                with contextlib.suppress(BlockingIOError):
                    while sent < 1_000_000:
                        sent += theirs.send(bytes(10_000))
                self.settle()
                theirs.close()
                self.settle()
                stream.read_bytes(sent, self.on("read"))
                self.wait(lambda: len(self.events) == 2)
                self.assertIn(("read", bytes(sent)), self.events)
                self.assertIn("closed", self.events)
                self.assertIsNone(stream.error)
                self.events.clear()

    def test_half_closed_peer_costs_nothing(self) -> None:
        stream, theirs = self.tcp_pair()
        stream.set_close_callback(self.on("closed"))
        theirs.sendall(b"x" * (iostream.PAUSE_MARK + 10_000))
        self.settle(1)
        theirs.shutdown(socket.SHUT_WR)
        self.settle(1)
        turns = self.loop._turn
        self.settle(3600)
        self.assertLess(self.loop._turn - turns, 10)
        stream.read_bytes(iostream.PAUSE_MARK + 10_000, self.on("read"))
        self.wait(lambda: "closed" in self.events)
        self.assertIsNone(stream.error)

    def test_half_closed_peer_is_noticed_behind_unread_bytes(self) -> None:
        stream, theirs = self.tcp_pair()
        stream._eof_hook = self.on("eof")
        self.held(stream, theirs, b"x" * (iostream.PAUSE_MARK + 10_000))
        self.settle(1)
        theirs.shutdown(socket.SHUT_WR)
        self.expect("eof")
        turns = self.loop._turn
        self.settle(3600)
        self.assertLess(self.loop._turn - turns, 10)
        stream.read_bytes(iostream.PAUSE_MARK + 10_000, self.on("read"))
        self.wait(lambda: self.events)
        self.assertEqual(len(self.events[0][1]), iostream.PAUSE_MARK + 10_000)

    def test_half_closed_peer_whose_answer_is_not_ready(self) -> None:
        stream, theirs = self.tcp_pair()
        stream._eof_hook = self.on("eof")
        stream.set_close_callback(self.on("closed"))
        theirs.sendall(b"question\n")
        theirs.shutdown(socket.SHUT_WR)
        stream.read_until(b"\n", self.on("read"))
        self.expect(("read", b"question\n"), "eof")
        turns = self.loop._turn
        self.settle(3600)
        self.assertLess(self.loop._turn - turns, 10)
        stream.write(b"answer")
        self.assertEqual(theirs.recv(10), b"answer")
        reset(theirs)
        self.expect("closed")

    def test_descriptor_used_again_in_the_same_turn(self) -> None:
        stream, theirs = self.pair()
        stream.set_close_callback(self.on("closed"))
        other, others = self.pair()
        other.set_close_callback(self.on("closed"))
        self.settle()
        descriptor = os.dup(others.fileno())
        self.addCleanup(os.close, descriptor)
        fresh: list[IOStream] = []

        def replace(data: bytes) -> None:
            """Close both streams, whose events are under way, and give their descriptors away."""
            stream.close()
            other.close()
            for _ in range(3):
                fresh.append(self.pair()[0])
                fresh[-1].read_bytes(1, self.on("wrong"))

        stream.read_bytes(1, self.on("read", replace))
        other.read_bytes(1, self.on("read", replace))
        theirs.sendall(b"x")
        others.sendall(b"y")
        self.wait(lambda: len(fresh) >= 3)
        self.settle()
        self.assertEqual([event for event in self.events if event not in ("closed",)][1:], [])


class FarewellTest(StreamTestCase):
    """A socket that is still seen off after its stream has closed."""

    def farewell(self, size: int, linger: bool) -> tuple[socket.socket, Peer]:
        """The socket of a stream that was closed after a write of *size* bytes, and the peer."""
        stream, theirs = self.tcp_pair()
        sock = stream._open_socket()
        stream.write(bytes(size))
        stream._close(None, linger=linger or None)
        return sock, Peer(self.loop, theirs)

    def is_open(self, sock: socket.socket) -> bool:
        return sock.fileno() != -1

    def test_lingering_until_the_peer_closes(self) -> None:
        for size in (0, 10, HEAVY):
            with self.subTest(size):
                sock, peer = self.farewell(size, linger=True)
                peer.read()
                peer.send(b"what we never read")
                self.wait(peer.ended)
                self.assertEqual((len(peer.received), peer.end), (size, b""))
                self.settle()
                self.assertTrue(self.is_open(sock))
                peer.socket.close()
                self.settle()
                self.assertFalse(self.is_open(sock))

    def test_lingering_has_its_limits(self) -> None:
        sock, peer = self.farewell(10, linger=True)
        self.settle(iostream.LINGER_TIME - 0.1)
        self.assertTrue(self.is_open(sock))
        self.settle(0.2)
        self.assertFalse(self.is_open(sock))
        sock, peer = self.farewell(10, linger=True)
        peer.send(bytes(iostream.LINGER_BYTES - 10))
        self.settle(0.1)
        self.assertTrue(self.is_open(sock))
        peer.send(bytes(100))
        self.settle(0.1)
        self.assertFalse(self.is_open(sock))

    def test_peer_that_goes_away(self) -> None:
        for linger in (False, True):
            with self.subTest(linger=linger):
                sock, peer = self.farewell(HEAVY, linger)
                self.settle(0.1)
                self.assertTrue(self.is_open(sock))
                reset(peer.socket)
                self.settle(0.1)
                self.assertFalse(self.is_open(sock))


class ExceptionTest(StreamTestCase):
    def boom(self, *args: object) -> None:
        raise ZeroDivisionError("boom")

    def test_callbacks(self) -> None:
        """An exception in any callback closes the stream and reaches the loop, once."""

        cases: list[tuple[str, bytes, Callable[[IOStream], Any]]] = [  # name, what is held, the call
            ("read", b"", lambda s: s.read_until(b"\n", self.on("x", self.boom))),
            ("buffered", b"a\nb\n", lambda s: s.read_until(b"\n", self.on("x", self.boom))),
            ("piece", b"abc", lambda s: s.read_bytes(3, self.on("done"), self.on("x", self.boom))),
            ("piece of all", b"abc", lambda s: s.read_until_close(self.on("done"), self.on("x", self.boom))),
            ("write", b"", lambda s: s.write(b"x", self.on("x", self.boom))),
            ("large write", b"", lambda s: s.write(MEGABYTES, self.on("x", self.boom))),
        ]
        for name, held, call in cases:
            with self.subTest(name):
                stream, theirs = self.pair()
                stream.set_close_callback(self.on("closed"))
                self.held(stream, theirs, held)
                call(stream)
                peer = Peer(self.loop, theirs)
                peer.read()
                peer.send(b"line\n")
                self.wait(lambda: "closed" in self.events)
                self.settle()
                names = [event if isinstance(event, str) else event[0] for event in self.events]
                self.assertEqual(names, ["x", "closed"])
                self.events.clear()
                self.assertEqual([type(error) for error in self.take_raised()], [ZeroDivisionError])
                self.assertIsInstance(stream.error, ZeroDivisionError)
                self.assertTrue(stream.closed())

    def test_connect_callback(self) -> None:
        listener = self.listener()
        stream = self.stream(socket.socket())
        stream.set_close_callback(self.on("closed"))
        stream.connect(listener.getsockname(), self.boom)
        self.expect("closed")
        self.assertEqual(len(self.take_raised()), 1)

    def test_close_callback(self) -> None:
        stream, _ = self.pair()
        stream.set_close_callback(self.on("closed", self.boom))
        stream.close()
        self.expect("closed")
        self.assertEqual(len(self.take_raised()), 1)

    def test_second_callback_in_a_row(self) -> None:
        stream, theirs = self.pair()
        again = functools.partial(stream.read_until, b"\n", self.on("second", self.boom))
        stream.read_until(b"\n", self.on("first", lambda line: again()))
        theirs.sendall(b"a\nb\nc\n")
        self.expect(("first", b"a\n"), ("second", b"b\n"))
        self.assertEqual(len(self.take_raised()), 1)
        self.assertTrue(stream.closed())

    def test_system_exit_leaves_the_loop(self) -> None:
        stream, theirs = self.pair()

        def leave(data: bytes) -> None:
            raise SystemExit

        stream.read_bytes(1, leave)
        theirs.sendall(b"abc")
        with self.assertRaises(SystemExit):
            self.loop.start()
        stream.read_bytes(2, self.on("read"))
        self.expect(("read", b"bc"))


class NeverInsideTest(StreamTestCase):
    def test_no_callback_runs_inside_the_call_that_registers_it(self) -> None:
        calls: list[tuple[str, Callable[[IOStream], Any]]] = [
            ("read_until", lambda s: s.read_until(b"\n", self.on("x"))),
            ("read_until_regex", lambda s: s.read_until_regex(b"\n", self.on("x"))),
            ("read_bytes", lambda s: s.read_bytes(2, self.on("x"))),
            ("read_bytes of none", lambda s: s.read_bytes(0, self.on("x"))),
            ("in pieces", lambda s: s.read_bytes(2, self.on("x"), self.on("x"))),
            ("until close in pieces", lambda s: s.read_until_close(self.on("x"), self.on("x"))),
            ("read", lambda s: s.read(ProtocolTest.pair_steps(ProtocolTest()), self.on("x"), self.on("x"))),
        ]
        for closed in (False, True):
            for name, call in calls:
                with self.subTest(name, closed=closed):
                    stream, theirs = self.pair()
                    self.held(stream, theirs, b"a\nbc\n")
                    if closed:
                        stream.close()
                    call(stream)
                    self.assertEqual(self.events, [])
                    self.wait(lambda: self.events)
                    self.settle()
                    self.events.clear()
        stream, theirs = self.pair()
        for data in (b"x", b""):
            stream.write(data, self.on("x"))
        stream.set_close_callback(self.on("x"))
        stream.close()
        stream.set_close_callback(self.on("x"))
        self.assertEqual(self.events, [])
        self.expect("x", "x", "x")

    def test_not_inside_each_other_either(self) -> None:
        stream, theirs = self.pair()
        self.held(stream, theirs, b"ab")
        inside: list[str] = []

        def outer(data: bytes) -> None:
            inside.append("outer")
            stream.read_bytes(1, inner)
            stream.write(b"x", self.on("written", lambda: self.assertEqual(inside, [])))
            inside.clear()

        def inner(data: bytes) -> None:
            self.events.append(("inner", list(inside)))

        stream.read_bytes(1, outer)
        self.expect(("inner", []), "written")


class ContextTest(StreamTestCase):
    """Stack contexts follow the callbacks of those who registered them, and nobody else's."""

    def setUp(self) -> None:
        super().setUp()
        self.active: list[str] = []

    @contextlib.contextmanager
    def _named(self, name: str) -> Iterator[None]:
        self.active.append(name)
        try:
            yield
        finally:
            self.active.remove(name)

    def context(self, name: str) -> StackContext:
        return StackContext(functools.partial(self._named, name))

    def see(self, name: str, then: Callback | None = None) -> Callback:
        """Return a callback that notes which contexts it runs in."""
        return functools.partial(self._see, name, then)

    def _see(self, name: str, then: Callback | None, *args: object) -> None:
        self.events.append((name, "".join(self.active), len(stack_context._active.get())))
        self.loop.stop()
        if then is not None:
            then()

    def test_each_callback_has_its_own(self) -> None:
        listener = self.listener()
        stream = self.stream(socket.socket())
        with self.context("C"):
            stream.connect(listener.getsockname(), self.see("connect"))
        with self.context("W"):
            stream.write(b"x", self.see("write"))
        with self.context("X"):
            stream.set_close_callback(self.see("close"))
        with self.context("R"):
            stream.read_until(b"\n", self.see("read"))
        self.expect(("connect", "C", 1), ("write", "W", 1))
        theirs = self.own(listener.accept()[0])
        theirs.sendall(b"\nab")
        self.expect(("read", "R", 1))
        with self.context("S"):
            stream.read_bytes(2, self.see("done"), streaming_callback=self.see("piece"))
        self.expect(("piece", "S", 1), ("done", "S", 1))
        theirs.close()
        self.expect(("close", "X", 1))

    def test_a_read_in_a_callback_without_contexts_has_none(self) -> None:
        for name, ask, data in [*READS, ("until close", IOStream.read_until_close, b"")]:
            with self.subTest(name):
                stream, theirs = self.pair()
                with self.context("A"):
                    stream.read_bytes(1, self.see("first"))
                theirs.sendall(b"!")
                self.expect(("first", "A", 1))
                ask(stream, self.see("second"))
                theirs.sendall(data)
                theirs.close()
                self.wait(lambda: self.events)
                self.assertEqual(set(self.events), {("second", "", 0)})
                self.settle()
                self.events.clear()

    def test_buffered_reads(self) -> None:
        for closed in (False, True):
            with self.subTest(closed=closed):
                stream, theirs = self.pair()
                self.held(stream, theirs, b"ab")
                if closed:
                    stream.close()
                with self.context("A"):
                    stream.read_bytes(1, self.see("first"))
                self.expect(("first", "A", 1))
                stream.read_bytes(1, self.see("second"))
                self.expect(("second", "", 0))

    def test_chain(self) -> None:
        stream, theirs = self.pair()
        theirs.sendall(b"abc")

        def second() -> None:
            with self.context("B"):
                stream.read_bytes(1, self.see("second", third))

        def third() -> None:
            with stack_context.NullContext():
                stream.read_bytes(1, self.see("third"))

        with self.context("A"):
            stream.read_bytes(1, self.see("first", second))
        self.expect(("first", "A", 1), ("second", "AB", 2), ("third", "", 0))

    def test_replaced_write_callback_leaves_no_context(self) -> None:
        stream, theirs = self.pair()
        with self.context("A"):
            stream.write(MEGABYTES, self.see("first"))
        stream.write(b"x", self.see("second"))
        Peer(self.loop, theirs).read()
        self.expect(("second", "", 0))

    def test_a_handler_of_exceptions_keeps_the_stream_open(self) -> None:
        handled: list[str] = []

        def handle(kind: type[BaseException], error: BaseException, trace: object) -> bool:
            handled.append(str(error))
            return True

        def boom(data: bytes) -> None:
            raise ValueError("boom")

        stream, theirs = self.pair()
        with stack_context.ExceptionStackContext(handle):
            stream.read_bytes(1, boom)
        theirs.sendall(b"ab")
        self.settle()
        self.assertEqual(handled, ["boom"])
        stream.read_bytes(1, self.on("read"))
        self.expect(("read", b"b"))


# -- what is left behind --


class LeftoverTest(StreamTestCase):
    def test_closing_the_loop_closes_its_streams(self) -> None:
        loop = WatchedFakeLoop()
        sockets: list[socket.socket] = []
        for what in ("reading", "watched", "writing", "closing"):
            ours, theirs = socket.socketpair()
            self.own(theirs)
            sockets.append(ours)
            stream = IOStream(ours, loop)
            if what == "watched":
                stream.set_close_callback(self.on("closed"))
            elif what == "reading":
                stream.read_bytes(1, self.on("read"))
            else:
                stream.write(MEGABYTES)
            if what == "closing":
                stream.close()
                self.assertNotEqual(ours.fileno(), -1)
        loop.close(all_fds=True)
        self.assertEqual([sock.fileno() for sock in sockets], [-1] * 4)
        del stream, ours, sockets
        gc.collect()  # a ResourceWarning would be an error here

    def test_no_cycles(self) -> None:
        for name, exchange in [
            ("lines", self.exchange_lines),
            ("pieces", self.exchange_pieces),
            ("refused", self.refuse),
            ("exception", self.raise_error),
            ("limit", self.exceed),
        ]:
            with self.subTest(name):
                exchange()  # what is made once, is made
                gc.collect()
                gc.disable()
                try:
                    exchange()
                    found = gc.collect()
                finally:
                    gc.enable()
                self.assertEqual(found, 0)

    def exchange_lines(self) -> None:
        ours, theirs = socket.socketpair()
        stream = IOStream(ours, self.loop)
        with theirs:
            stream.set_close_callback(self.on("closed"))
            for _ in range(3):
                stream.read_until_regex(b"\n", self.on("read", stream.write))
                theirs.sendall(b"line\n")
                self.expect(("read", b"line\n"))
            stream.write(MEGABYTES)
        self.expect("closed")

    def exchange_pieces(self) -> None:
        ours, theirs = socket.socketpair()
        stream = IOStream(ours, self.loop)
        stream.read_until_close(self.on("done"), streaming_callback=self.on("piece"))
        with theirs:
            theirs.sendall(b"piece")
            self.expect(("piece", b"piece"))
        self.expect(("done", b""))

    def refuse(self) -> None:
        with self.listener() as listener:
            address = listener.getsockname()
        stream = IOStream(socket.socket(), self.loop)
        stream.set_close_callback(self.on("closed"))
        stream.connect(address, self.on("connected"))
        self.expect("closed")

    def raise_error(self) -> None:
        ours, theirs = socket.socketpair()
        stream = IOStream(ours, self.loop)
        with theirs:
            stream.read_bytes(1, self.on("read", lambda data: 1 / 0))
            theirs.sendall(b"x")
            self.expect(("read", b"x"))
        self.take_raised()

    def exceed(self) -> None:
        ours, theirs = socket.socketpair()
        stream = IOStream(ours, self.loop, max_buffer_size=10)
        with theirs:
            stream.set_close_callback(self.on("closed"))
            stream.read_until(b"\n", self.on("read"))
            theirs.sendall(b"x" * 100)
            self.expect("closed")


# -- TLS --


def make_certificate(folder: pathlib.Path) -> dict[str, str]:
    """Make a certificate for localhost in *folder*, signed by itself; return it as ssl_options."""
    options = {"certfile": str(folder / "crt"), "keyfile": str(folder / "key")}
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-out", options["certfile"], "-keyout", options["keyfile"]]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    return options


class TLSTestCase(StreamTestCase):
    """Streams over TCP with a certificate for localhost, which `trusting` clients know."""

    certificate: dict[str, str]
    stranger: dict[str, str]  # another one for localhost, which they do not know

    @classmethod
    def setUpClass(cls) -> None:
        cls.certificate = make_certificate(pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory())))
        cls.stranger = make_certificate(pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory())))

    def trusting(self) -> dict[str, Any]:
        return {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": self.certificate["certfile"]}

    def tls(self, sock: socket.socket, **kwargs: Any) -> SSLIOStream:
        self.addCleanup(sock.close)
        stream = SSLIOStream(sock, self.loop, **kwargs)
        self.addCleanup(stream.close)
        return stream

    def client(self, listener: socket.socket, **kwargs: Any) -> SSLIOStream:
        """A client that connects to *listener*."""
        kwargs = {"ssl_options": self.trusting(), "server_hostname": "localhost", **kwargs}
        stream = self.tls(socket.socket(), **kwargs)
        stream.connect(listener.getsockname(), self.on("connected"))
        return stream

    def server(self, listener: socket.socket, **kwargs: Any) -> SSLIOStream:
        """The other end of a connection to *listener*."""
        kwargs = {"ssl_options": self.certificate, "server_side": True, **kwargs}
        return self.tls(listener.accept()[0], **kwargs)

    def connected(self, **kwargs: Any) -> tuple[SSLIOStream, SSLIOStream]:
        """A client and its server after their handshake."""
        listener = self.listener()
        client, server = self.client(listener, **kwargs), self.server(listener)
        server.read_bytes(1, self.on("first"))
        client.write(b"!")
        self.wait(lambda: len(self.events) == 2)
        self.assertEqual(sorted(map(str, self.events)), sorted(["connected", "('first', b'!')"]))
        self.events.clear()
        return client, server

    @contextlib.contextmanager
    def thread(
        self, act: Callable[[ssl.SSLSocket], Any], server_side: bool = False
    ) -> Iterator[socket.socket]:
        """A peer of the `ssl` module that does *act* in a thread; the value is our end's socket."""
        ours, theirs = self.tcp_sockets()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
        if server_side:
            context.load_cert_chain(**self.certificate)
        else:
            context.load_verify_locations(self.certificate["certfile"])
        theirs.settimeout(PATIENCE)
        thread = threading.Thread(target=self._act, args=(context, theirs, server_side, act))
        thread.start()
        try:
            yield ours
        finally:
            thread.join()

    def _act(
        self, context: ssl.SSLContext, sock: socket.socket, server_side: bool, act: Callable[[Any], Any]
    ) -> None:
        name = None if server_side else "localhost"
        with context.wrap_socket(sock, server_side=server_side, server_hostname=name) as tls:
            act(tls)


class TLSTest(TLSTestCase):
    def test_connect_callback_sees_the_certificate(self) -> None:
        listener = self.listener()
        client = self.tls(socket.socket(), ssl_options=self.trusting(), server_hostname="localhost")
        seen: list[Any] = []

        def on_connect() -> None:
            if isinstance(client.socket, ssl.SSLSocket):
                seen.append((client.socket.getpeercert(), client.socket.version()))
            self.loop.stop()

        client.connect(listener.getsockname(), on_connect)
        server = self.server(listener)
        server.read_until(b"\n", self.on("read", server.write))
        self.wait(lambda: seen)
        certificate, version = seen[0]
        self.assertIn(("DNS", "localhost"), certificate["subjectAltName"])
        self.assertIn(version, ("TLSv1.2", "TLSv1.3"))
        client.write(b"hello\n", self.on("written"))
        self.expect("written", ("read", b"hello\n"))
        client.read_until(b"\n", self.on("read"))
        self.expect(("read", b"hello\n"))

    def test_kinds_of_sockets(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.certificate["certfile"])
        server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_context.load_cert_chain(**self.certificate)
        wrap = functools.partial(
            context.wrap_socket, server_hostname="localhost", do_handshake_on_connect=False
        )
        options = {"ssl_options": self.trusting(), "server_hostname": "localhost"}
        clients: list[tuple[str, Callable[[socket.socket], SSLIOStream]]] = [
            ("connected", lambda sock: self.tls(sock, **options)),
            ("connected, context", lambda s: self.tls(s, ssl_options=context, server_hostname="localhost")),
            ("connected, wrapped", lambda sock: self.tls(wrap(sock))),
        ]
        servers: list[tuple[str, Callable[[socket.socket], SSLIOStream]]] = [
            ("options", lambda sock: self.tls(sock, ssl_options=self.certificate, server_side=True)),
            ("context", lambda sock: self.tls(sock, ssl_options=server_context, server_side=True)),
            (
                "wrapped",
                lambda sock: self.tls(
                    server_context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                ),
            ),
        ]
        for name, make_client in clients:
            for server_name, make_server in servers:
                with self.subTest(name, server=server_name):
                    ours, theirs = self.tcp_sockets()
                    server, client = make_server(ours), make_client(theirs)
                    server.read_bytes(5, self.on("read"))
                    client.write(b"hello")
                    self.expect(("read", b"hello"))
                    client.close()
                    server.close()

    def test_large_data_both_ways(self) -> None:
        client, server = self.connected()
        data = MEGABYTES
        client.write(data, self.on("sent"))
        server.write(data[::-1], self.on("sent"))
        client.read_bytes(len(data), self.on("client read"))
        server.read_bytes(len(data), self.on("server read"))
        self.wait(lambda: len(self.events) == 4)
        self.assertEqual(self.events.count("sent"), 2)
        self.assertIn(("client read", data[::-1]), self.events)
        self.assertIn(("server read", data), self.events)

    def test_certificates_that_are_refused(self) -> None:
        trusting = self.trusting()
        refused: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
            ("signed by nobody we know", self.stranger, {"ssl_options": trusting}),
            ("wrong name", self.certificate, {"ssl_options": trusting, "server_hostname": "example.com"}),
            ("wrong address", self.certificate, {"ssl_options": trusting, "server_hostname": "127.0.0.2"}),
            ("no options", self.certificate, {"ssl_options": None}),
            ("empty options", self.certificate, {"ssl_options": {}}),
            ("empty options, no name", self.certificate, {"ssl_options": {}, "server_hostname": None}),
        ]
        for name, certificate, options in refused:
            with self.subTest(name):
                listener = self.listener()
                client = self.client(listener, **options)
                server = self.server(listener, ssl_options=certificate)
                client.set_close_callback(self.on("closed"))
                client.write(b"secret", self.on("written"))
                server.read_bytes(1, self.on("read"))
                server.set_close_callback(self.on("server closed"))
                self.wait(lambda: len(self.events) == 2)
                self.settle()
                self.assertEqual(sorted(self.events), ["closed", "server closed"])
                self.events.clear()
                self.assertIsInstance(client.error, ssl.SSLCertVerificationError)
                self.assertIsInstance(server.error, OSError)

    def test_certificates_that_are_accepted(self) -> None:
        trusting = self.trusting()
        unchecked = {"cert_reqs": ssl.CERT_NONE}
        accepted: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
            (
                "the right address",
                self.certificate,
                {"ssl_options": trusting, "server_hostname": "127.0.0.1"},
            ),
            ("no name to check", self.certificate, {"ssl_options": trusting, "server_hostname": None}),
            ("no check", self.stranger, {"ssl_options": unchecked, "server_hostname": "example.com"}),
        ]
        for name, certificate, options in accepted:
            with self.subTest(name):
                listener = self.listener()
                self.client(listener, **options)
                server = self.server(listener, ssl_options=certificate)
                server.set_close_callback(self.on("closed"))
                self.expect("connected")

    def test_certificate_of_the_client(self) -> None:
        options = {**self.certificate, "cert_reqs": ssl.CERT_REQUIRED, "ca_certs": self.stranger["certfile"]}
        for certificate, accepted in [({}, False), (self.certificate, False), (self.stranger, True)]:
            with self.subTest(certificate):
                listener = self.listener()
                client = self.client(listener, ssl_options={**self.trusting(), **certificate})
                server = self.server(listener, ssl_options=options)
                client.write(b"hello")
                server.read_bytes(5, self.on("read"))
                server.set_close_callback(self.on("closed"))
                self.wait(lambda: any(event != "connected" for event in self.events))
                self.assertEqual(("read", b"hello") in self.events, accepted)
                self.assertEqual("closed" in self.events, not accepted)
                self.events.clear()
                client.close()
                server.close()
                self.settle()
                self.events.clear()

    def test_plain_text(self) -> None:
        for name, text in [("HTTP", b"GET / HTTP/1.0\r\n\r\n"), ("zeros", bytes(100)), ("short", b"\n" * 5)]:
            for who in ("server", "client"):
                with self.subTest(name, who=who):
                    ours, theirs = self.tcp_sockets()
                    self.own(theirs)
                    if who == "server":
                        stream = self.tls(ours, ssl_options=self.certificate, server_side=True)
                    else:
                        stream = self.tls(ours, ssl_options=self.trusting(), server_hostname="localhost")
                    stream.set_close_callback(self.on("closed"))
                    stream.read_until(b"\n", self.on("read"))
                    stream.write(b"secret", self.on("written"))
                    theirs.sendall(text)
                    self.expect("closed")
                    self.assertIsInstance(stream.error, ssl.SSLError)
                    with contextlib.suppress(ConnectionError):
                        self.assertNotIn(b"secret", theirs.recv(10_000))

    def test_handshake_that_ends_early(self) -> None:
        hello = b"\x16\x03\x01\x02\x00\x01\x00"  # the beginning of a client's first message
        ends: list[tuple[str, bytes, Callable[[SSLIOStream, socket.socket], Any], bool]] = [
            ("peer, at once", b"", lambda stream, theirs: theirs.close(), True),
            ("peer, half way", hello, lambda stream, theirs: theirs.close(), True),
            ("peer, half", hello, lambda stream, theirs: theirs.shutdown(socket.SHUT_WR), True),
            ("reset", hello, lambda stream, theirs: reset(theirs), True),
            ("we", hello, lambda stream, theirs: stream.close(), False),
        ]
        for name, begin, end, is_error in ends:
            with self.subTest(name):
                ours, theirs = self.tcp_sockets()
                self.own(theirs)
                stream = self.tls(ours, ssl_options=self.certificate, server_side=True)
                stream.set_close_callback(self.on("closed"))
                stream.read_until(b"\n", self.on("read"))
                stream.write(b"x", self.on("written"))
                theirs.sendall(begin)
                self.settle()
                self.assertTrue(stream.reading())
                end(stream, theirs)
                self.expect("closed")
                self.assertEqual(isinstance(stream.error, OSError), is_error)

    def test_peer_that_says_nothing_costs_nothing(self) -> None:
        ours, theirs = self.tcp_sockets()
        self.own(theirs)
        for role in (
            {"server_side": True, "ssl_options": self.certificate},
            {"ssl_options": self.trusting()},
        ):
            stream = self.tls(ours if "server_side" in role else theirs, **role)
            stream.set_close_callback(self.on("closed"))
            stream.close()
        self.settle()
        self.events.clear()
        ours, theirs = self.tcp_sockets()
        self.own(theirs)
        stream = self.tls(ours, ssl_options=self.certificate, server_side=True)
        stream.write(b"x", self.on("written"))
        self.settle()
        turns = self.loop._turn
        self.settle(3600)
        self.assertLess(self.loop._turn - turns, 10)
        self.assertFalse(stream.closed())

    def test_what_is_written_before_the_handshake_waits_for_it(self) -> None:
        listener = self.listener()
        client = self.client(listener)
        client.write(b"he")
        client.write(b"llo", self.on("written"))
        client.write(b"", self.on("written"))
        self.assertTrue(client.writing())
        server = self.server(listener)
        server.write(b"", self.on("server written"))
        server.read_bytes(5, self.on("read"))
        self.wait(lambda: len(self.events) == 4)
        self.assertEqual(
            sorted(map(str, self.events)),
            sorted(["('read', b'hello')", "connected", "server written", "written"]),
        )
        self.assertLess(self.events.index("connected"), self.events.index("written"))

    def test_close_right_after_a_write(self) -> None:
        for data in (b"last words", MEGABYTES):
            with self.subTest(len(data)):
                client, server = self.connected()
                server.read_until_close(self.on("read"))
                client.write(data)
                client.close()
                self.expect(("read", data))

    def test_files(self) -> None:
        file = self.enterContext(tempfile.TemporaryFile())
        file.write(MEGABYTES)
        file.flush()
        client, server = self.connected()
        server.write(b"head")
        server.write_file(file, 1000, 2_000_000)
        server.write(b"tail", self.on("written"))
        client.read_bytes(2_000_008, self.on("read"))
        self.wait(lambda: len(self.events) == 2)
        self.assertIn(("read", b"head" + MEGABYTES[1000:2_001_000] + b"tail"), self.events)
        self.assertIn("written", self.events)

    def test_peer_of_the_ssl_module_sees_an_orderly_end(self) -> None:
        """Not a truncation: we say goodbye (RFC 8446, 6.1)."""
        for size in (0, 100, len(MEGABYTES)):
            with self.subTest(size=size):
                received: list[bytes] = []

                def act(tls: ssl.SSLSocket, received: list[bytes] = received) -> None:
                    setattr(tls, "suppress_ragged_eofs", False)  # noqa: B010 - not known to type checkers
                    while data := tls.recv(100_000):
                        received.append(data)
                    received.append(b"")

                with self.thread(act) as ours:
                    stream = self.tls(ours, ssl_options=self.certificate, server_side=True)
                    stream.write(MEGABYTES[:size], self.on("written", stream.close))
                    self.expect("written")
                    self.settle()
                self.assertEqual(b"".join(received), MEGABYTES[:size])
                self.assertEqual(received[-1], b"")

    def test_decrypted_bytes_are_delivered_without_an_event(self) -> None:
        """One record is one event, however many reads it takes."""
        client, server = self.connected(read_chunk_size=100)
        pieces: list[bytes] = []
        record = os.urandom(10_000)

        def on_piece(piece: bytes) -> None:
            pieces.append(piece)
            if len(pieces) < 100:
                client.read_bytes(100, on_piece)
            else:
                self.events.append("all")
                self.loop.stop()

        client.read_bytes(100, on_piece)
        server.write(record)
        self.expect("all")
        self.assertEqual(b"".join(pieces), record)

    def test_decrypted_bytes_that_were_left_alone_are_found_again(self) -> None:
        record = os.urandom(10_000)
        for size in (1, 5000, 10_000):
            with self.subTest(size), mock.patch.object(iostream, "PAUSE_MARK", 1000):
                client, server = self.connected()
                server.write(record)
                self.settle()
                client.read_bytes(size, self.on("read"))
                self.expect(("read", record[:size]))
                client.read_bytes(10_000 - size, self.on("read"))
                self.expect(("read", record[size:]))

    def test_socket_is_left_alone_while_nobody_reads(self) -> None:
        client, server = self.connected()
        server.write(bytes(HEAVY), self.on("written"))
        self.settle(60)
        held = len(client._read_buffer)
        self.assertGreaterEqual(held, iostream.PAUSE_MARK)
        self.assertLess(held, iostream.PAUSE_MARK + iostream.BULK_CHUNK_SIZE)
        client.read_bytes(HEAVY, self.on("read"))
        self.expect("written", ("read", bytes(HEAVY)))

    def test_ends(self) -> None:
        for name, end in [("with a farewell", ssl.SSLSocket.unwrap), ("without", lambda tls: None)]:
            with self.subTest(name):

                def act(tls: ssl.SSLSocket, end: Callable[[ssl.SSLSocket], Any] = end) -> None:
                    tls.sendall(b"data")
                    with contextlib.suppress(OSError):
                        end(tls)

                with self.thread(act) as ours:
                    stream = self.tls(ours, ssl_options=self.certificate, server_side=True)
                    stream.set_close_callback(self.on("closed"))
                    stream.read_until_close(self.on("read"))
                    self.wait(lambda: len(self.events) == 2)
                self.expect(("read", b"data"), "closed")

    def test_reset(self) -> None:
        client, server = self.connected()
        client.set_close_callback(self.on("closed"))
        client.read_bytes(10, self.on("read"))
        reset(server._open_socket())  # which the ssl module of some releases reports as an end
        self.expect("closed")

    def test_wrapped_socket_cannot_connect(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        sock = context.wrap_socket(socket.socket(), server_hostname="a", do_handshake_on_connect=False)
        with self.listener() as listener:
            for error in (AssertionError, RuntimeError):
                with self.assertRaisesRegex(error, "plain socket"):
                    self.tls(sock).connect(listener.getsockname(), self.on("connected"))
        self.expect()

    def test_exception_in_the_connect_callback(self) -> None:
        listener = self.listener()
        client = self.tls(socket.socket(), ssl_options=self.trusting(), server_hostname="localhost")
        client.set_close_callback(self.on("closed"))
        client.connect(listener.getsockname(), self.on("connected", lambda: 1 / 0))
        server = self.server(listener)
        server.set_close_callback(self.on("server closed"))
        self.wait(lambda: len(self.events) == 3)
        self.assertEqual(self.events[0], "connected")
        self.assertEqual(sorted(self.events[1:]), ["closed", "server closed"])
        self.assertEqual([type(error) for error in self.take_raised()], [ZeroDivisionError])

    def test_refused(self) -> None:
        with self.listener() as listener:
            client = self.tls(socket.socket(), ssl_options=self.trusting())
            client.set_close_callback(self.on("closed"))
            address = listener.getsockname()
        client.connect(address, self.on("connected"))
        self.expect("closed")
        self.assertIsInstance(client.error, ConnectionRefusedError)

    def test_options_that_cannot_be_used(self) -> None:
        cases: list[tuple[str, dict[str, Any], type[Exception]]] = [
            ("unknown keyword", {"certfiel": "x"}, TypeError),
            ("missing file", {"certfile": "/nonexistent"}, FileNotFoundError),
            ("missing authorities", {"ca_certs": "/nonexistent"}, FileNotFoundError),
            ("unknown ciphers", {"ciphers": "ROT13"}, ssl.SSLError),
        ]
        for name, options, error in cases:
            with self.subTest(name):
                ours, theirs = self.tcp_sockets()
                self.own(theirs)
                with self.assertRaises(error):
                    self.tls(ours, ssl_options=options)
                if error is not TypeError:
                    listener = self.listener()
                    client = self.client(listener, ssl_options=options)
                    client.set_close_callback(self.on("closed"))
                    self.expect("closed")
                    self.assertIsInstance(client.error, error)

    def test_context_is_safe(self) -> None:
        for server_side in (False, True):
            context = iostream._ssl_context({"ssl_version": ssl.PROTOCOL_TLS}, server_side)
            self.assertGreaterEqual(context.minimum_version, ssl.TLSVersion.TLSv1_2)
            for option in (ssl.OP_NO_COMPRESSION, ssl.OP_NO_RENEGOTIATION, ssl.OP_CIPHER_SERVER_PREFERENCE):
                self.assertTrue(context.options & option)
            self.assertEqual(context.verify_mode, ssl.CERT_NONE if server_side else ssl.CERT_REQUIRED)


class TLSLeftoverTest(TLSTestCase):
    def test_closing_the_loop_closes_its_streams(self) -> None:
        for what in ("handshaking", "open", "writing", "closing"):
            with self.subTest(what):
                self.loop = WatchedFakeLoop()
                if what == "handshaking":
                    client = self.client(self.listener())
                else:
                    client, _ = self.connected()
                sock = client._open_socket()
                if what in ("writing", "closing"):
                    client.write(bytes(HEAVY))
                if what == "closing":
                    client.close()
                    self.assertNotEqual(sock.fileno(), -1)
                self.settle() if what == "handshaking" else None
                self.loop.close(all_fds=True)
                self.assertEqual(client.socket, None)
                self.assertEqual(sock.fileno(), -1)

    def test_no_cycles(self) -> None:
        for name, exchange in [("lines", self.exchange), ("refused", self.refuse)]:
            with self.subTest(name):
                exchange()
                gc.collect()
                gc.disable()
                try:
                    exchange()
                    found = gc.collect()
                finally:
                    gc.enable()
                self.assertEqual(found, 0)

    def streams(self, **kwargs: Any) -> tuple[SSLIOStream, SSLIOStream]:
        ours, theirs = self.tcp_sockets()
        client = SSLIOStream(ours, self.loop, server_hostname="localhost", **kwargs)
        server = SSLIOStream(theirs, self.loop, ssl_options=self.certificate, server_side=True)
        server.set_close_callback(self.on("closed"))
        return client, server

    def exchange(self) -> None:
        client, server = self.streams(ssl_options=self.trusting())
        server.read_until(b"\n", self.on("read"))
        client.write(b"line\n")
        self.expect(("read", b"line\n"))
        client.close()
        self.expect("closed")

    def refuse(self) -> None:
        client, _ = self.streams(ssl_options={})
        client.read_bytes(1, self.on("read"))
        self.expect("closed")
        self.assertTrue(client.closed())

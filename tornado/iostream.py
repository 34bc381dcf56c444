"""Non-blocking sockets that are read by what one wants and written without waiting.

::

    def on_connect():
        stream.write(b"GET / HTTP/1.0\\r\\nHost: example.com\\r\\n\\r\\n")
        stream.read_until(b"\\r\\n\\r\\n", on_head)

    def on_head(head):
        print(head.decode("latin-1"))
        stream.close()

    stream = IOStream(socket.socket())
    stream.connect(("example.com", 80), on_connect)
    IOLoop.instance().start()

A stream has one pending read and one queue of output.  Everything that reads is a protocol in the sense
of `tornado.wire`, driven by `IOStream.read`; the other reads are protocols of one step.  `SSLIOStream`
is the same over TLS.  Streams know nothing about HTTP, and belong to their loop's thread.
"""

import enum
import errno
import functools
import logging
import os
import re
import socket
import ssl
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, Protocol

from tornado import ioloop, stack_context
from tornado.util import UsageError, UsageTypeError
from tornado.wire import Exactly, Progress, Reading, Rest, Some, Steps, Until, WireError, quote

log = logging.getLogger(__name__)

Callback = Callable[..., Any]

MAX_BUFFER_SIZE = 100 * 1024 * 1024  # bytes; what 2.0 let a stream hold
READ_CHUNK_SIZE = 4096  # bytes; a request's head fits, and a larger body soon has larger reads
BULK_CHUNK_SIZE = 256 * 1024  # bytes; the size of a read after one that was filled to the brim
PAUSE_MARK = 64 * 1024  # bytes nobody asked for yet, at which the socket is left alone
MAX_WRITE_BUFFER_SIZE = 16 * 1024 * 1024  # bytes; hardening: what a slow reader may cost us
MAX_WRITE_PER_TURN = 256 * 1024  # bytes sent before other descriptors get their turn
FILE_READ_SIZE = 64 * 1024  # bytes of a file read at a time where the system cannot send it by itself
MAX_READS_PER_TURN = 32  # reads served from the buffer before other descriptors get their turn
LINGER_TIME = 2.0  # seconds that a peer has to read our last words
LINGER_BYTES = 256 * 1024  # bytes of what it still sends that are thrown away meanwhile
LINGER_STALL_TIME = 30.0  # seconds without progress of unsent output, after close()

_READ = ioloop.IOLoop.READ
_WRITE = ioloop.IOLoop.WRITE
_ERR_HUP = 0x008 | 0x010
_RDHUP = 0x2000

_GONE = {errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ETIMEDOUT, errno.ENOTCONN}


class StreamClosedError(OSError):
    """Something was asked of a stream that is closed.  An `OSError` (2.x: IOError)."""


class State(enum.Enum):
    """Where a stream is; the values are phrases for messages."""

    CONNECTING = "connecting"
    HANDSHAKING = "doing the TLS handshake"
    OPEN = "open"
    CLOSED = "closed"


class HasFileno(Protocol):
    """An open file, as far as `IOStream.write_file` needs it."""

    def fileno(self) -> int:
        """Return the descriptor."""


class PendingRead(Protocol):
    """What a stream reads: a `tornado.wire.Reading`, and whom to tell (see `IOStream.read`)."""

    value: Any
    done: Callback
    failed: Callback | None
    started: Callback | None

    @property
    def finished(self) -> bool:
        """Whether the reading is done before a byte was read."""

    def offer(self, data: bytes) -> Progress:
        """As `tornado.wire.Reading.offer`."""

    def advance(self, buffer: bytearray, eof: bool = False) -> Progress:
        """As `tornado.wire.Reading.advance`."""


class _StepsRead(Reading[Any]):
    """The `PendingRead` of `IOStream.read`."""

    __slots__ = ("done", "failed", "started")

    def __init__(
        self, steps: Steps[Any], done: Callback, failed: Callback | None, started: Callback | None
    ) -> None:
        super().__init__(steps)
        self.done = done
        self.failed = failed
        self.started = started


class IOStream:
    """A non-blocking stream socket.

    *socket* may be connected or not yet (see `connect`); it is made non-blocking and belongs to the
    stream.  *io_loop* is `IOLoop.instance()` by default.  *max_buffer_size* is the most bytes held for
    a read that is not complete; over it the stream closes.  *read_chunk_size* is the size of a first
    read.  *max_write_buffer_size* is the most that may wait to be sent, in bytes; one `write` may
    always be queued whole, whatever its size.

    Callbacks run from the loop, never inside the call that registered them, in the stack contexts of
    that call.  An exception in one closes the stream and goes to the loop.

    `error` is the exception that closed the stream, or None.  `socket` is None once closed.
    """

    def __init__(
        self,
        socket: socket.socket,
        io_loop: ioloop.IOLoop | None = None,
        max_buffer_size: int = MAX_BUFFER_SIZE,
        read_chunk_size: int = READ_CHUNK_SIZE,
        max_write_buffer_size: int = MAX_WRITE_BUFFER_SIZE,
    ) -> None:
        socket.setblocking(False)
        self.io_loop = io_loop or ioloop.IOLoop.instance()
        self.max_buffer_size = max_buffer_size
        self.read_chunk_size = read_chunk_size
        self.max_write_buffer_size = max_write_buffer_size
        self.error: BaseException | None = None
        self._read_buffer = bytearray()
        self._write_queue: deque[memoryview | _FilePart] = deque()
        self._write_size = 0  # bytes in _write_queue
        self._write_time = 0.0  # when output last made progress, on the loop's clock
        self._write_callback: Callback | None = None
        self._connect_callback: Callback | None = None
        self._close_callback: Callback | None = None
        self._closed_hook: Callback | None = None  # called before _close_callback: for the stream's owner
        self._eof_hook: Callback | None = None  # called instead of closing, when the peer sends no more
        self._owner: Any = None  # for whoever made the stream, to find what belongs to it
        self._drained_hook: Callback | None = None  # called once when all output is with the system
        self._meter: Callable[[int], Any] | None = None  # called with the size of what arrived
        self._reading: PendingRead | None = None
        self._chunk_size = read_chunk_size
        self._delivering = False
        self._scheduled = False  # a delivery is queued in the loop
        self._paused = False  # enough unread bytes are at hand
        self._held = False  # the reader has enough for now
        self._eof = False  # the peer sends no more
        self._half_closed = False  # the same, seen by epoll while reading is paused
        self._interest = -1  # what the loop watches the socket for; -1 while it does not
        self._state = State.OPEN
        self._attach(socket)

    def _attach(self, sock: socket.socket) -> None:
        self.socket: socket.socket | None = sock
        self._recv = sock.recv
        self._send: Callable[[memoryview | bytes], int] = sock.send

    # -- connecting --

    def connect(self, address: Any, callback: Callable[[], Any] | None = None) -> None:
        """Connect to *address* (as `socket.connect` takes it; a host name is looked up blocking).

        *callback* runs without arguments once the stream is connected.  When that fails the close
        callback runs instead, with `error` set.  `write` and the reads may be called meanwhile.
        """
        sock = self._open_socket()
        self._connect_callback = stack_context.wrap(callback)
        self._state = State.CONNECTING
        try:
            sock.connect(address)
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            self._fail(error)
            return
        self._listen()

    def _open_socket(self) -> socket.socket:
        if self.socket is None:
            raise StreamClosedError("Stream is closed")
        return self.socket

    def _on_connectable(self) -> None:
        code = self._open_socket().getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._fail(OSError(code, errno.errorcode.get(code, "connect failed")))
        else:
            self._on_connected()

    def _on_connected(self) -> None:
        self._state = State.OPEN
        self._run_connect_callback()
        if (self._write_queue or self._write_callback is not None) and self._state is State.OPEN:
            self._handle_write()
        self._listen()

    def _run_connect_callback(self) -> None:
        callback, self._connect_callback = self._connect_callback, None
        if callback is not None:
            self._run_callback(callback)

    # -- reading --

    def read(
        self,
        steps: Steps[Any],
        done: Callback,
        failed: Callable[[WireError], Any] | None = None,
        started: Callable[[], Any] | None = None,
    ) -> None:
        """Run the protocol *steps* on what comes, then call ``done(value)`` from the loop.

        ``failed(error)`` is called instead when the protocol raises `WireError` or the peer stops
        sending before its end; without it the stream closes.  ``started()`` is called whenever
        some bytes came but not enough.  The callbacks run without stack contexts.  Raises
        `StreamClosedError` when the stream is closed and what it holds is not enough.
        """
        if self._reading is not None:
            raise UsageError("Already reading: wait for the callback of one read before the next")
        try:
            reading = _StepsRead(steps, done, failed, started)
        except WireError as error:  # before it asked for a byte, such as a length over the limit
            if failed is None:
                raise
            self._call_soon(failed, error)
            return
        self._begin_read(reading)

    def _begin_read(self, reading: PendingRead) -> None:
        """As `read`, for a reading that is made already, perhaps used before."""
        if self.socket is None:
            self._read_remains(reading)
            return
        self._reading = reading
        if self._delivering:
            return  # whoever delivers goes on with it
        if self._read_buffer or self._eof or reading.finished:
            self._schedule_delivery()
        else:
            self._listen()

    def _read_remains(self, reading: PendingRead) -> None:
        """Serve *reading* on a closed stream, from what is left in the buffer."""
        try:
            while (progress := reading.advance(self._read_buffer, eof=True)) is Progress.BUSY:
                pass
        except WireError as error:
            raise StreamClosedError("Stream is closed") from error
        assert progress is Progress.DONE
        self.io_loop.add_callback(functools.partial(reading.done, reading.value))

    def read_until(self, delimiter: bytes, callback: Callable[[bytes], Any]) -> None:
        """Read up to and including *delimiter*; ``callback(data)`` gets it all."""
        if not isinstance(delimiter, bytes):
            raise UsageTypeError(f"delimiter is {quote(delimiter)}, wanted bytes")
        self._read_once(Until(delimiter, self.max_buffer_size), callback)

    def read_until_regex(self, regex: str | bytes, callback: Callable[[bytes], Any]) -> None:
        """Read up to the end of the first match of *regex* (a bytes pattern); ``callback(data)`` gets it all.

        Each time bytes arrive the match is tried anew from the front of what is held: use `read_until`
        where a fixed delimiter will do.
        """
        pattern = re.compile(regex.encode("latin-1") if isinstance(regex, str) else regex)
        self._read_once(_Match(pattern, self.max_buffer_size), callback)

    def read_bytes(
        self,
        num_bytes: int,
        callback: Callable[[bytes], Any],
        streaming_callback: Callable[[bytes], Any] | None = None,
    ) -> None:
        """Read exactly *num_bytes*; ``callback(data)`` gets them.

        With *streaming_callback* that is called with each piece as it comes, and *callback* with
        ``b""`` at the end.
        """
        if not isinstance(num_bytes, int) or num_bytes < 0:
            raise UsageTypeError(f"num_bytes is {num_bytes!r}, wanted a number of bytes, 0 or more")
        if self.socket is None and len(self._read_buffer) < num_bytes:
            raise StreamClosedError("Stream is closed")
        if streaming_callback is None and num_bytes:
            self._read_once(Exactly(num_bytes), callback)
        else:  # 0 bytes are there before any comes: only a protocol that asks for nothing can say so
            piece = self._piece(streaming_callback or callback)
            self.read(_read_pieces(num_bytes, piece), stack_context.wrap(callback))

    def read_until_close(
        self, callback: Callable[[bytes], Any], streaming_callback: Callable[[bytes], Any] | None = None
    ) -> None:
        """Read all that comes until the stream closes; ``callback(data)`` gets it, at most `max_buffer_size`.

        With *streaming_callback* that is called with each piece as it comes, and *callback* with
        ``b""`` at the end.
        """
        if streaming_callback is None:
            self._read_once(Rest(self.max_buffer_size), callback)
        else:
            piece = self._piece(streaming_callback)
            self.read(_read_pieces(None, piece), stack_context.wrap(callback))

    def _piece(self, callback: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
        """*callback* of a streaming read; queued on a closed stream, whose reads end within the call."""
        callback = stack_context.wrap(callback)
        return callback if self.socket is not None else functools.partial(self._call_soon, callback)

    def _read_once(self, read: Any, callback: Callable[[bytes], Any]) -> None:
        self.read(_one_step(read), stack_context.wrap(callback))

    def reading(self) -> bool:
        """Return whether a read is pending."""
        return self._reading is not None

    def _handle_read(self) -> bool:
        """Take what the socket has, once: a level-triggered loop comes back for more.

        Returns whether bytes came.
        """
        if self._paused or self._eof:
            return False
        try:
            data = self._recv(self._chunk_size)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            if self._scheduled and self._reading is not None:
                self.error = error.with_traceback(None)  # what came before it is delivered first
                self._handle_eof()
            else:
                self._fail(error)
            return False
        if not data:
            self._handle_eof()
            return False
        if len(data) == self._chunk_size:
            self._chunk_size = BULK_CHUNK_SIZE
        if self._reading is not None and not self._read_buffer and self._offer(self._reading, data):
            return True
        self._read_buffer += data
        if self._meter is not None:
            self._meter(len(data))
        if self._reading is not None and not self._scheduled and not self._held:
            self._deliver()
        elif len(self._read_buffer) >= PAUSE_MARK:
            self._pause()
        return True

    def _offer(self, reading: PendingRead, data: bytes) -> bool:
        """Serve *reading* with *data* itself, if that is just what it wants; return whether it is."""
        if self._delivering or self._scheduled or self._held or self._meter is not None:
            return False
        try:
            progress = reading.offer(data)
        except WireError as error:
            self._read_failed(reading, error)
            return True
        except Exception as error:  # of a streaming callback
            self._close(error)
            raise
        if progress is Progress.DECLINED:
            return False
        if progress is Progress.WAITING and reading.started is not None:
            self._run_callback(reading.started)
        if progress is Progress.DONE and self._reading is reading:
            self._reading = None
            self._delivering = True
            try:
                reading.done(reading.value)
            except Exception as error:
                self._close(error)
                raise
            finally:
                self._delivering = False
            if self._reading is not None and self._reading.finished:
                self._deliver()
        return True

    def _read_failed(self, reading: PendingRead, error: WireError) -> None:
        self._reading = None
        if reading.failed is not None:
            self._run_callback(reading.failed, error)
        elif self._eof:
            self.close()  # that the peer has gone is no error of the connection
        else:
            self._fail(error)

    def _handle_eof(self) -> None:
        self._eof = True
        if self._held:  # what has come is delivered first, once the reader goes on
            self._listen()
            return
        if self._reading is not None:
            self._deliver()
        if self.socket is not None and not self._scheduled:
            if self._eof_hook is not None:
                self._eof_hook()
            else:
                self.close()
        self._listen()

    def _schedule_delivery(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self.io_loop._callbacks.append(self._deliver_later)
            if self.io_loop._waiting:
                self.io_loop._waker.wake()

    def _deliver_later(self) -> None:
        self._scheduled = False
        if self._reading is not None and self.socket is not None:
            self._deliver()
        if self._eof and self.socket is not None and not self._scheduled:
            self._handle_eof()

    def _deliver(self) -> None:
        """Serve the pending read from the buffer, and the reads that its callback asks for."""
        if self._delivering or self._held:
            return
        self._delivering = True
        try:
            for _ in range(MAX_READS_PER_TURN):
                reading = self._reading
                if reading is None or self._held:
                    break
                if not (self._read_buffer or self._eof or reading.finished):
                    break
                if not self._deliver_one(reading):
                    break
            else:
                self._schedule_delivery()
        finally:
            self._delivering = False
        if self.socket is not None:
            self._balance()

    def _deliver_one(self, reading: PendingRead) -> bool:
        """Return whether *reading* ended and there may be another."""
        try:
            progress = reading.advance(self._read_buffer, self._eof)
        except WireError as error:
            self._read_failed(reading, error)
            return False
        except Exception as error:  # of a streaming callback, which runs inside the protocol
            self._close(error)
            raise
        if self._reading is not reading:
            return False  # closed by a streaming callback
        if progress is Progress.DONE:
            self._reading = None
            self._run_callback(reading.done, reading.value)
            return True
        if progress is Progress.BUSY:
            self._schedule_delivery()
        elif len(self._read_buffer) > self.max_buffer_size:
            self._fail(OSError(errno.ENOBUFS, f"Reached the maximum of {self.max_buffer_size} unread bytes"))
        elif reading.started is not None and self._read_buffer:
            self._run_callback(reading.started)
        return False

    def _balance(self) -> None:
        """Read on or leave the socket alone, as the pending read and the buffer have it."""
        wanted = self._reading is not None and not self._scheduled and not self._held
        if self._paused:
            if wanted or len(self._read_buffer) < PAUSE_MARK:
                self._paused = False
                self._listen()
        elif not wanted and len(self._read_buffer) >= PAUSE_MARK:
            self._pause()
        elif self._interest < 0:
            self._listen()

    def _has_more(self) -> bool:
        """Whether the socket may have more to read: the last read was filled to the brim."""
        return self._chunk_size != self.read_chunk_size

    def _hold(self) -> None:
        """Give the pending read nothing more, until `_release`; what it is at work on may still come."""
        self._held = True

    def _release(self) -> None:
        """Go on after `_hold`."""
        self._held = False
        if self.socket is not None:
            self._schedule_delivery()
            self._balance()

    def _pause(self) -> None:
        self._paused = True
        self._listen()

    # -- writing --

    def write(self, data: bytes, callback: Callable[[], Any] | None = None) -> None:
        """Send *data*; ``callback()`` runs once everything written so far is with the system.

        A later `write` replaces the callback of an earlier one that has not run yet, also by None.
        Over `max_write_buffer_size` unsent bytes the stream closes.  Raises `StreamClosedError`.
        """
        if type(data) is not bytes:
            data = _as_bytes(data)
        if self.socket is None:
            raise StreamClosedError("Stream is closed")
        if callback is not None:
            callback = stack_context.wrap(callback)
        if self._write_queue or self._state is not State.OPEN:
            self._queue(memoryview(data), callback)
            return
        try:
            sent = self._send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._fail(error)
            return
        if sent < len(data):
            self._queue(memoryview(data)[sent:], callback)
        elif callback is not None:
            self._call_soon(callback)

    def write_file(
        self, file: HasFileno, offset: int, count: int, callback: Callable[[], Any] | None = None
    ) -> None:
        """Send *count* bytes of *file*, from *offset*, after what was written before.

        *file* is a regular file with a descriptor; its position does not matter and it has to stay open
        until ``callback()``, which runs as that of `write`, or until the stream closes.  Little of it is
        ever in memory.  When the file turns out to be shorter the stream closes.
        """
        if offset < 0 or count < 0:
            raise ValueError(f"write_file() got offset {offset} and count {count}, wanted 0 or more bytes")
        if not count:
            self.write(b"", callback)
            return
        if self.socket is None:
            raise StreamClosedError("Stream is closed")
        if not self._write_queue:
            self._write_time = self.io_loop._monotonic()
        self._write_callback = stack_context.wrap(callback)
        self._write_queue.append(_FilePart(file, offset, count))
        self._listen()

    def writing(self) -> bool:
        """Return whether output is waiting to be sent."""
        return bool(self._write_queue)

    def _queue(self, data: memoryview, callback: Callback | None) -> None:
        if self._write_queue:
            if self._write_size + len(data) > self.max_write_buffer_size:
                log.warning(
                    "closing a connection with %d bytes unsent: over the limit of %d; write less at a"
                    " time and go on from the callback of write(), or of flush(callback)",
                    self._write_size + len(data),
                    self.max_write_buffer_size,
                )
                self._close(OSError(errno.ENOBUFS, "too many unsent bytes"), linger=False)
                return
        else:
            self._write_time = self.io_loop._monotonic()
        self._write_callback = callback
        if len(data):
            self._write_queue.append(data)
            self._write_size += len(data)
        self._listen()

    def _handle_write(self) -> None:
        try:
            self._send_queue(MAX_WRITE_PER_TURN)
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, ValueError, OverflowError) as error:  # ValueError: a file that was closed too early
            self._fail(error)
            return
        if not self._write_queue:
            self._on_drained()

    def _send_queue(self, limit: int) -> None:
        """Send until the socket has enough, or *limit* bytes: a fast reader must not hold up others."""
        queue = self._write_queue
        while queue and limit > 0:
            in_memory = isinstance(queue[0], memoryview)
            sent = _send_first(queue, self._open_socket(), self._send, limit)
            self._write_time = self.io_loop._now
            limit -= sent
            if in_memory:
                self._write_size -= sent

    def _on_drained(self) -> None:
        self._listen()
        callback, self._write_callback = self._write_callback, None
        if callback is not None:
            self._run_callback(callback)
        hook = self._drained_hook
        if hook is not None and not self._write_queue:
            self._drained_hook = None
            self._run_callback(hook)

    # -- closing --

    def set_close_callback(self, callback: Callable[[], Any] | None) -> None:
        """Call *callback* (no arguments) once when the stream has closed, by either side; None takes it back.

        What was read before the close is delivered first.  On a stream that is closed already it runs too.
        """
        self._close_callback = stack_context.wrap(callback)
        if self.socket is None:
            self._call_soon(self._after_close)
        elif self._interest >= 0 or _connected(self.socket):
            self._listen()  # one that is not connected yet would seem to have been hung up

    def close(self) -> None:
        """Close the stream; the pending read is dropped.  Closing twice is no mistake.

        Output that is queued is still sent, in the background, as long as the peer takes it.
        """
        self._close(None)

    def closed(self) -> bool:
        """Return whether the stream is closed."""
        return self.socket is None

    def _fail(self, error: BaseException) -> None:
        """Every error of the connection ends here: it closes the stream."""
        if isinstance(error, OSError) and error.errno not in _GONE and not isinstance(error, ssl.SSLError):
            log.info("closing a connection that was %s: %s", self._state.value, error)
        else:
            log.debug("closing a connection that was %s: %s", self._state.value, error)
        # The frames of its traceback, and of what was being handled, refer to this stream: without them, or
        # they would keep each other alive.
        error.__traceback__ = error.__context__ = None
        self._close(error, linger=False)

    def _close(self, error: BaseException | None, linger: bool | None = None) -> None:
        """Close the stream.  *linger*: True waits for the peer to read our last words; False sends no more;
        None sends what is queued."""
        sock = self.socket
        if sock is None:
            return
        self.socket = None
        if self.error is None:
            self.error = error
        self._reading = None
        if self._interest >= 0:
            self.io_loop.remove_handler(sock.fileno())
            self._interest = -1
        connected = self._state is State.OPEN
        self._state = State.CLOSED
        if connected and (linger or (linger is None and self._write_queue)):
            _Farewell(self.io_loop, sock, self._send, self._write_queue, bool(linger))
        else:
            if connected and error is None:
                _close_notify(sock)
            sock.close()
        self._recv = self._send = _closed_operation
        self._write_queue = deque()
        self._write_size = 0
        self._write_callback = self._connect_callback = self._drained_hook = None
        if self._close_callback is not None or self._closed_hook is not None:
            self._call_soon(self._after_close)

    def _after_close(self) -> None:
        hook, self._closed_hook = self._closed_hook, None
        callback, self._close_callback = self._close_callback, None
        self._eof_hook = None
        try:
            if hook is not None:
                hook()
        finally:
            if callback is not None:
                callback()

    # -- the loop --

    def _listen(self) -> None:
        """Tell the loop what this stream waits for; costs a system call only when that has changed."""
        sock = self.socket
        if sock is None:
            return
        events = self._wanted_events()
        if events == self._interest:
            return
        if self._interest < 0:
            self.io_loop._add_handler(sock.fileno(), self._handle_events, events, self._abort)
        else:
            self.io_loop._watch(sock.fileno(), events)
        self._interest = events

    def _wanted_events(self) -> int:
        if self._state is State.CONNECTING:
            return _WRITE
        events = _WRITE if self._write_queue else 0
        if not self._eof:
            # A half-closed peer is level-triggered too: once seen it leaves the set, or would fire for ever.
            if not self._half_closed:
                events |= _RDHUP
            if not self._paused:
                events |= _READ
        return events

    def _abort(self) -> None:
        self._close(None, linger=False)

    def _handle_events(self, fd: int, events: int) -> None:
        if self._state is not State.OPEN:
            self._handle_opening(events)
            return
        if events != _WRITE:
            self._handle_read()
        if events & _WRITE and self._write_queue:
            self._handle_write()
        if events & (_ERR_HUP | _RDHUP) and self.socket is not None:
            self._handle_hangup(events)

    def _handle_opening(self, events: int) -> None:
        if self._state is State.CONNECTING:
            self._on_connectable()

    def _handle_hangup(self, events: int) -> None:
        """The peer is gone, or half gone; what it sent before has been read as far as there was room."""
        if events & _ERR_HUP:
            # With both directions down epoll reports it for ever: there is nothing to wait for.
            while self.socket is not None and not self._eof and len(self._read_buffer) < self.max_buffer_size:
                self._paused = False
                if not self._handle_read():
                    break
            if self.socket is not None and not self._scheduled:
                code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                self._fail(OSError(code or errno.ECONNRESET, errno.errorcode.get(code, "ECONNRESET")))
        elif self._paused and not self._half_closed:
            # Unread bytes stand between us and the end, but the peer will not see an answer to them.
            self._half_closed = True
            self._listen()
            if self._eof_hook is not None and not self._held:
                self._eof_hook()

    def _call_soon(self, callback: Callback, *args: Any) -> None:
        """Queue *callback*, which has its contexts already."""
        with stack_context.NullContext():
            self.io_loop.add_callback(functools.partial(self._run_callback, callback, *args))

    def _run_callback(self, callback: Callback, *args: Any) -> None:
        try:
            callback(*args)
        except Exception as error:
            self._close(error)
            raise


class SSLIOStream(IOStream):
    """An `IOStream` over TLS.

    Further arguments: *ssl_options*, an `ssl.SSLContext` or a dict with the keywords of the former
    ``ssl.wrap_socket`` (certfile, keyfile, cert_reqs, ca_certs, ciphers ...); *server_side*; and
    *server_hostname*, the name a client checks the server's certificate for.

    The socket may be an `ssl.SSLSocket` made with ``do_handshake_on_connect=False``, or a plain one,
    which is wrapped here, after `connect` if it is not connected yet.  The connect callback waits for
    the handshake, so that the certificate is at hand; so does all output.
    """

    def __init__(
        self,
        *args: Any,
        ssl_options: dict[str, Any] | ssl.SSLContext | None = None,
        server_side: bool = False,
        server_hostname: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._server_side = server_side
        self._server_hostname = server_hostname
        self._ssl_options = {} if ssl_options is None else ssl_options
        self._handshake_wants = _READ
        super().__init__(*args, **kwargs)
        if isinstance(self.socket, ssl.SSLSocket):
            self._state = State.HANDSHAKING
            if not self.socket.server_side and _connected(self.socket):
                self._call_soon(self._begin_handshake)
        elif _connected(self._open_socket()):
            self._wrap()
            self._call_soon(self._begin_handshake)

    def connect(self, address: Any, callback: Callable[[], Any] | None = None) -> None:
        """Connect as `IOStream.connect`; *callback* waits for the TLS handshake too."""
        if isinstance(self.socket, ssl.SSLSocket):
            raise UsageError("connect() needs a plain socket, which SSLIOStream wraps once it is connected")
        super().connect(address, callback)

    def _wrap(self) -> None:
        """Put TLS on the connected socket."""
        context = _ssl_context(self._ssl_options, self._server_side, self._server_hostname)
        self._attach(
            context.wrap_socket(
                self._open_socket(),
                server_side=self._server_side,
                do_handshake_on_connect=False,
                server_hostname=None if self._server_side else self._server_hostname,
            )
        )
        self._state = State.HANDSHAKING

    def _attach(self, sock: socket.socket) -> None:
        super()._attach(sock)
        if isinstance(sock, ssl.SSLSocket):
            self._recv = functools.partial(_tls_recv, sock)
            self._send = functools.partial(_tls_send, sock)

    def _on_connected(self) -> None:
        try:
            if not isinstance(self.socket, ssl.SSLSocket):
                self._wrap()
        except (OSError, ValueError) as error:
            self._fail(error)
            return
        self._begin_handshake()

    def _begin_handshake(self) -> None:
        if self._state is State.HANDSHAKING or self._state is State.CONNECTING:
            self._state = State.HANDSHAKING
            self._do_handshake()

    def _do_handshake(self) -> None:
        sock = self.socket
        assert isinstance(sock, ssl.SSLSocket)
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            self._handshake_wants = _READ
        except ssl.SSLWantWriteError:
            self._handshake_wants = _WRITE
        except (OSError, ValueError) as error:  # ValueError: a name that no certificate can have
            self._fail(error)
        else:
            super()._on_connected()
            return
        self._listen()

    def _wanted_events(self) -> int:
        if self._state is State.HANDSHAKING:
            return self._handshake_wants
        return super()._wanted_events()

    def _handle_opening(self, events: int) -> None:
        if self._state is State.HANDSHAKING:
            self._do_handshake()
        else:
            super()._handle_opening(events)

    def _handle_read(self) -> bool:
        # Decrypted bytes that TLS still holds are invisible to the loop, so take them all now.
        came = False
        while True:
            came = super()._handle_read() or came
            sock = self.socket
            if self._paused or self._eof or not isinstance(sock, ssl.SSLSocket) or not sock.pending():
                break
        if self._write_queue and self.socket is not None:
            self._handle_write()  # it may have waited for these very bytes
        return came

    def _balance(self) -> None:
        paused = self._paused
        super()._balance()
        sock = self.socket
        if paused and not self._paused and isinstance(sock, ssl.SSLSocket) and sock.pending():
            self._call_soon(self._read_pending)

    def _read_pending(self) -> None:
        if self._state is State.OPEN:
            self._handle_read()

    def reading(self) -> bool:
        """Return whether a read is pending or the handshake waits to read."""
        return super().reading() or (self._state is State.HANDSHAKING and self._handshake_wants == _READ)

    def writing(self) -> bool:
        """Return whether output is waiting to be sent or the handshake waits to write."""
        return super().writing() or (self._state is State.HANDSHAKING and self._handshake_wants == _WRITE)


class _Farewell:
    """Sees a closed stream's socket off.

    Sends what is left, then, with *linger*, shuts down our side and throws away what still comes: were
    the socket closed with unread input, the peer would get a reset in place of our last answer.
    """

    def __init__(
        self,
        loop: ioloop.IOLoop,
        sock: socket.socket,
        send: Callable[[memoryview | bytes], int],
        queue: "deque[memoryview | _FilePart]",
        linger: bool,
    ) -> None:
        self._loop, self._socket, self._send = loop, sock, send
        self._queue, self._linger = queue, linger
        self._left = LINGER_BYTES
        self._events = _WRITE
        loop._add_handler(sock.fileno(), self._handle_events, _WRITE, self.close)
        self._timeout = loop._call_at(loop._monotonic() + LINGER_STALL_TIME, self.close)

    def _handle_events(self, fd: int, events: int) -> None:
        try:
            if self._events == _WRITE:
                self._flush()
            else:
                self._drain()
        except (BlockingIOError, InterruptedError):
            pass
        except (OSError, ValueError):
            self.close()

    def _flush(self) -> None:
        queue = self._queue
        left = MAX_WRITE_PER_TURN
        while queue and left > 0:
            left -= _send_first(queue, self._socket, self._send, left)
            self._set_deadline(LINGER_STALL_TIME)
        if queue:
            return
        _close_notify(self._socket)
        if not self._linger:
            self.close()
            return
        self._socket.shutdown(socket.SHUT_WR)
        self._set_deadline(LINGER_TIME)
        self._events = _READ
        self._loop._watch(self._socket.fileno(), _READ)

    def _drain(self) -> None:
        # Below TLS: what comes is not looked at.
        data = socket.socket.recv(self._socket, 65536)
        self._left -= len(data)
        if not data or self._left < 0:
            self.close()

    def _set_deadline(self, seconds: float) -> None:
        self._loop.remove_timeout(self._timeout)
        self._timeout = self._loop._call_at(self._loop._monotonic() + seconds, self.close)

    def close(self) -> None:
        """Close the socket now, whatever is left."""
        self._loop.remove_timeout(self._timeout)
        self._loop.remove_handler(self._socket.fileno())
        self._socket.close()


class _FilePart:
    """A piece of a file in the queue of output."""

    def __init__(self, file: HasFileno, offset: int, left: int) -> None:
        self._file = file
        self._offset = offset
        self.left = left
        self._unsent: memoryview | None = None  # read, but TLS wants the very same bytes again

    def send(self, sock: socket.socket, send: Callable[[memoryview], int], limit: int) -> int:
        """Send at most *limit* bytes; return how many.  Raises OSError when the file has become shorter."""
        if isinstance(sock, ssl.SSLSocket):
            sent = self._send_read(send)
        else:
            sent = os.sendfile(sock.fileno(), self._file.fileno(), self._offset, min(self.left, limit))
        if not sent:
            raise OSError(
                errno.EIO, f"a file became shorter while it was sent: {self.left} bytes are missing"
            )
        self._offset += sent
        self.left -= sent
        return sent

    def _send_read(self, send: Callable[[memoryview], int]) -> int:
        if self._unsent is None:
            size = min(self.left, FILE_READ_SIZE)
            self._unsent = memoryview(os.pread(self._file.fileno(), size, self._offset))
        sent = send(self._unsent)
        self._unsent = self._unsent[sent:] if sent < len(self._unsent) else None
        return sent


def _send_first(
    queue: deque[memoryview | _FilePart],
    sock: socket.socket,
    send: Callable[[memoryview | bytes], int],
    limit: int,
) -> int:
    """Send of the first part of *queue*, which leaves it once it is sent; return how many bytes were."""
    part = queue[0]
    if isinstance(part, _FilePart):
        sent = part.send(sock, send, limit)
        if not part.left:
            queue.popleft()
        return sent
    sent = send(part)
    if sent == len(part):
        queue.popleft()
    else:
        queue[0] = part[sent:]
    return sent


# -- protocols of one step, and what else the classes above need --


class _Match:
    """Read up to the end of the first match of a pattern."""

    def __init__(self, pattern: re.Pattern[bytes], limit: int) -> None:
        self._pattern = pattern
        self._limit = limit

    def end(self, buffer: bytes | bytearray, scanned: int) -> int:
        match = self._pattern.search(buffer)
        if match is None and len(buffer) > self._limit:
            raise WireError(f"no match within {self._limit} bytes")
        end = -1 if match is None else match.end()
        del match  # it holds the buffer, which could not be shortened
        return end

    def end_at_eof(self, buffer: bytes | bytearray) -> int:
        raise WireError("connection closed before a match")


def _one_step(read: Any) -> Steps[bytes]:
    return (yield read)


def _read_pieces(count: int | None, piece: Callable[[bytes], Any]) -> Generator[Any, bytes, bytes]:
    """Hand *count* octets (None: all until the end) to *piece* as they come; the value is ``b""``."""
    left = count
    while left is None or left > 0:
        data = yield Some(BULK_CHUNK_SIZE if left is None else left)
        if not data:
            if left is None:
                break
            raise WireError(f"connection closed with {left} of {count} bytes to come")
        if left is not None:
            left -= len(data)
        piece(data)
    return b""


def _as_bytes(data: Any) -> bytes:
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise UsageTypeError(
        f"write() got {quote(data)}, wanted bytes: encode text first, as tornado.escape.utf8"
    )


def _close_notify(sock: socket.socket) -> None:
    """Tell a TLS peer that nothing is missing (RFC 8446, 6.1); it need not answer."""
    if isinstance(sock, ssl.SSLSocket):
        try:
            sock.unwrap()
        except (OSError, ValueError):
            pass  # most often: the answer has not come yet


def _closed_operation(*args: Any) -> Any:
    raise StreamClosedError("Stream is closed")


def _connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def _tls_recv(sock: ssl.SSLSocket, size: int) -> bytes:
    try:
        return sock.recv(size)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        raise BlockingIOError from None
    except ssl.SSLZeroReturnError:
        return b""


def _tls_send(sock: ssl.SSLSocket, data: memoryview | bytes) -> int:
    if not len(data):
        return 0
    try:
        return sock.send(data)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        raise BlockingIOError from None


def _ssl_context(
    options: dict[str, Any] | ssl.SSLContext, server_side: bool, server_hostname: str | None = None
) -> ssl.SSLContext:
    """Make an `ssl.SSLContext` of *options*, which may be one already.

    A dict has the keywords of the former ``ssl.wrap_socket``.  TLS 1.2 is the least that is spoken,
    whatever ``ssl_version`` says.  A client verifies the server unless ``cert_reqs`` is ``CERT_NONE``.
    Raises TypeError for an unknown keyword, OSError for a file that cannot be loaded.
    """
    if isinstance(options, ssl.SSLContext):
        return options
    known = {"certfile", "keyfile", "cert_reqs", "ca_certs", "ssl_version", "ciphers", "password"}
    unknown = set(options) - known - {"do_handshake_on_connect", "suppress_ragged_eofs", "server_side"}
    if unknown:
        raise TypeError(f"ssl_options has {', '.join(sorted(unknown))}; known are {', '.join(sorted(known))}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    if not server_side:
        context.check_hostname = server_hostname is not None and options.get("cert_reqs") != ssl.CERT_NONE
    if options.get("cert_reqs") is not None:
        context.verify_mode = options["cert_reqs"]
    if options.get("ca_certs"):
        context.load_verify_locations(options["ca_certs"])
    elif context.verify_mode != ssl.CERT_NONE:
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH if server_side else ssl.Purpose.SERVER_AUTH)
    if options.get("certfile"):
        context.load_cert_chain(options["certfile"], options.get("keyfile"), options.get("password"))
    if options.get("ciphers"):
        context.set_ciphers(options["ciphers"])
    return context


def doctests() -> Any:
    """Return the doctests of this module as a `unittest.TestSuite`."""
    import doctest  # late: only tests need it

    return doctest.DocTestSuite()

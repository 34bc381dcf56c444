"""The contract between protocols and the bytes they are made of.

A protocol is written as a generator that asks for bytes and returns one value::

    def read_line() -> Steps[str]:
        line = yield Until(b"\\r\\n", limit=1024)
        return line[:-2].decode("latin-1")

It never opens a socket, reads a clock or logs.  `run` drives it over bytes at hand (tests, WSGI);
`tornado.iostream.IOStream.read` drives it over a connection.  Both do so through `Reading`.

>>> run(read_line(), b"hello\\r\\n")      # doctest: +SKIP
'hello'
"""

import enum
from collections.abc import Generator
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")

#: The most reads, and the most bytes, one `Reading.advance` serves before it lets others run.
MAX_STEPS = 1000
MAX_STEP_BYTES = 64 * 1024


class WireError(Exception):
    """The peer broke the protocol: *message* says how, *status* is the answer it has earned.

    *status* is an HTTP status code, or a WebSocket close code in `tornado.wire.websocket`.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Read(Protocol):
    """What a protocol yields: a description of the bytes it wants next."""

    def end(self, buffer: bytes | bytearray, scanned: int) -> int:
        """Return how many octets of *buffer* this read takes, or -1 while it needs more.

        The first *scanned* octets were seen by an earlier call that returned -1, so that no octet is
        searched twice.  Raises `WireError` as soon as *buffer* cannot become valid.
        """

    def end_at_eof(self, buffer: bytes | bytearray) -> int:
        """Like `end`, once it is known that nothing will follow *buffer*."""


Steps = Generator[Read, bytes, T]


class Exactly:
    """Read *count* octets."""

    __slots__ = ("count",)

    def __init__(self, count: int) -> None:
        self.count = count

    def end(self, buffer: bytes | bytearray, scanned: int) -> int:
        """Return *count* once *buffer* holds that many octets, else -1."""
        return self.count if len(buffer) >= self.count else -1

    def end_at_eof(self, buffer: bytes | bytearray) -> int:
        """Refuse: *count* octets were announced and fewer came."""
        raise WireError(f"connection closed after {len(buffer)} of {self.count} bytes")


class Until:
    """Read up to and including *delimiter*, which has to end within *limit* octets.

    Over the limit the read fails with *status*.
    """

    __slots__ = ("delimiter", "limit", "status")

    def __init__(self, delimiter: bytes, limit: int, status: int = 400) -> None:
        self.delimiter = delimiter
        self.limit = limit
        self.status = status

    def end(self, buffer: bytes | bytearray, scanned: int) -> int:
        """Return the length up to and including the delimiter, -1 while it has not come."""
        size = len(self.delimiter)
        found = buffer.find(self.delimiter, max(0, scanned - size + 1), self.limit)
        if found >= 0:
            return found + size
        if len(buffer) >= self.limit:
            raise WireError(f"no {self.delimiter!r} within {self.limit} bytes", self.status)
        return -1

    def end_at_eof(self, buffer: bytes | bytearray) -> int:
        """Refuse: the delimiter never came."""
        raise WireError(f"connection closed before {self.delimiter!r}")


class Some:
    """Read what there is, at most *limit* octets; at the end of the connection, nothing."""

    __slots__ = ("limit",)

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def end(self, buffer: bytes | bytearray, scanned: int) -> int:
        """Return how much of *buffer* to take, -1 while it is empty."""
        return min(len(buffer), self.limit) or -1

    def end_at_eof(self, buffer: bytes | bytearray) -> int:
        """Return 0: the read yields ``b""``."""
        return 0


class Rest:
    """Read everything until the connection ends, at most *limit* octets (else *status*)."""

    __slots__ = ("limit", "status")

    def __init__(self, limit: int, status: int = 413) -> None:
        self.limit = limit
        self.status = status

    def end(self, buffer: bytes | bytearray, scanned: int) -> int:
        """Return -1 always: only the end of the connection ends this read."""
        if len(buffer) > self.limit:
            raise WireError(f"over {self.limit} bytes before the connection closed", self.status)
        return -1

    def end_at_eof(self, buffer: bytes | bytearray) -> int:
        """Return all there is."""
        self.end(buffer, 0)
        return len(buffer)


class Progress(enum.IntEnum):
    """How `Reading.advance` left a reading."""

    WAITING = 0  # for more bytes
    DONE = 1  # `Reading.value` is there
    BUSY = 2  # more could be read at once, but it is time to let others run
    DECLINED = 3  # the bytes that were offered are not, or not all, wanted


class Reading(Generic[T]):
    """One protocol under way: *steps*, and the read it waits for."""

    __slots__ = ("_scanned", "_steps", "_want", "value")

    value: T

    def __init__(self, steps: Steps[T]) -> None:
        self._steps = steps
        self._scanned = 0
        self._want: Read | None
        try:
            self._want = next(steps)
        except StopIteration as stop:
            self._want = None
            self.value = stop.value

    def advance(self, buffer: bytearray, eof: bool = False) -> Progress:
        """Serve as many reads from the front of *buffer* as it can; what is read leaves *buffer*.

        *eof* says that nothing will follow *buffer*.  Raises the `WireError` of the protocol.
        """
        steps = taken = 0
        while self._want is not None:
            end = self._want.end(buffer, self._scanned)
            if end < 0:
                if not eof:
                    self._scanned = len(buffer)
                    return Progress.WAITING
                end = self._want.end_at_eof(buffer)
            self._send(take(buffer, end))
            steps += 1
            taken += end
            if (steps >= MAX_STEPS or taken >= MAX_STEP_BYTES) and self._want is not None:
                return Progress.BUSY
        return Progress.DONE

    def offer(self, data: bytes) -> Progress:
        """Take *data*, all that has come since the last read, if it is just what is wanted now.

        DECLINED otherwise: then it has to go through `advance`.  Saves the way through a buffer in the
        usual case, in which a message comes in one piece.  Raises what `advance` would.
        """
        if self._scanned or self._want is None or self._want.end(data, 0) != len(data):
            return Progress.DECLINED
        self._send(data)
        return Progress.DONE if self._want is None else Progress.WAITING

    def _send(self, data: bytes) -> None:
        self._scanned = 0
        try:
            self._want = self._steps.send(data)
        except StopIteration as stop:
            self._want = None
            self.value = stop.value

    @property
    def finished(self) -> bool:
        """Whether the protocol has returned its value."""
        return self._want is None


def take(buffer: bytearray, end: int) -> bytes:
    """Remove *end* octets from the front of *buffer*."""
    if end <= 4096:
        data = bytes(buffer[:end])
    else:
        with memoryview(buffer) as view:  # one copy, where a slice makes two
            data = bytes(view[:end])
    del buffer[:end]  # which does not move the rest
    return data


def run(steps: Steps[T], data: bytes | bytearray) -> T:
    """Drive *steps* over *data* alone and return its value.

    A bytearray is consumed: what *steps* did not read is left in it.  Raises the protocol's
    `WireError`; data that ends too early is one of them.
    """
    buffer = data if isinstance(data, bytearray) else bytearray(data)
    reading = Reading(steps)
    while reading.advance(buffer, eof=True) is not Progress.DONE:
        pass
    return reading.value


def quote(data: Any, limit: int = 80) -> str:
    """Return *data* as it may stand in a message or a log: `repr`, cut to *limit* characters."""
    text = repr(data[: limit + 1]) if isinstance(data, (bytes, bytearray, str)) else repr(data)
    return text if len(text) <= limit else text[:limit] + "..."

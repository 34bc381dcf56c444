"""A non-blocking HTTP/1.1 server.

`tornado.web` is what most programs use; below it, a server is a function that gets an `HTTPRequest` and
writes a whole response, status line and all::

    def handle_request(request):
        body = b"You asked for " + request.uri.encode()
        request.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%b" % (len(body), body))
        request.finish()

    HTTPServer(handle_request).listen(8888)
    IOLoop.instance().start()

Bytes become requests in `tornado.wire.http1`; this module is the life of a connection around that: one
request at a time, in order, with a deadline on everything that waits for the peer.
"""

import enum
import errno
import http.client
import ipaddress
import logging
import math
import resource
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tornado import ioloop, stack_context
from tornado.escape import utf8
from tornado.httputil import HTTPFile, HTTPHeaders, _read_form, format_timestamp
from tornado.iostream import LINGER_TIME, HasFileno, IOStream, SSLIOStream
from tornado.iostream import State as StreamState
from tornado.netutil import TCPServer
from tornado.util import UsageError, UsageTypeError
from tornado.wire import WireError, http1, quote, take
from tornado.wire.cookies import simple_cookie
from tornado.wire.http1 import (
    CHUNKED,
    Fields,
    Limits,
    RequestHead,
    SectionCache,
    encode_head,
    format_status_line,
    read_body,
)
from tornado.wire.multipart import parse_urlencoded

log = logging.getLogger(__name__)

RequestCallback = Callable[["HTTPRequest"], Any]

MAX_BODY_SIZE = 100 * 1024 * 1024  # bytes; what 2.0 took. 10 MiB is plenty for most applications
MAX_STREAMED_BODY_SIZE = 10 * 1024 * 1024 * 1024  # bytes of a body that its handler takes as it comes
MAX_BUFFERED_BODIES = 512 * 1024 * 1024  # bytes of request bodies, of all connections of a server
MAX_ARGUMENTS = 1000  # names in a query string
HEADER_TIMEOUT = 20.0  # seconds for a whole head, from its first byte or from accept
BODY_TIMEOUT = 20.0  # seconds without a byte of an expected body
MIN_BODY_RATE = 500  # bytes per second, on average, once a body takes longer than the body timeout
KEEPALIVE_TIMEOUT = 75.0  # seconds between two requests; what nginx and browsers are used to
IDLE_TIME = 5.0  # seconds without a request after which a connection keeps nothing of the last one
WRITE_TIMEOUT = 30.0  # seconds in which a peer reads nothing of an answer
TLS_HANDSHAKE_TIMEOUT = 10.0  # seconds
MAX_REFUSALS = 32  # connections over the limit that get an answer at the same time
REFUSAL_WARNING_INTERVAL = 60.0  # seconds between two warnings about that
SPARE_DESCRIPTORS = 64  # kept free for files, databases and the refusals

_NO_ADDRESS = "0.0.0.0"  # the address of a unix socket's peer, which has none
_header = dict.get  # for names in their normal form
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BODY_METHODS = ("POST", "PUT", "PATCH")


def _max_connections() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1_000_000 if soft == resource.RLIM_INFINITY else max(1, soft - SPARE_DESCRIPTORS)


@dataclass(frozen=True)
class _Settings:
    """What a server allows a peer; the further arguments of `HTTPServer`."""

    max_request_line: int = http1.MAX_REQUEST_LINE
    max_header_size: int = http1.MAX_HEADER_SIZE
    max_field_line: int = http1.MAX_FIELD_LINE
    max_fields: int = http1.MAX_FIELDS
    max_body_size: int = MAX_BODY_SIZE
    max_streamed_body_size: int = MAX_STREAMED_BODY_SIZE
    max_buffered_bodies: int = MAX_BUFFERED_BODIES
    max_arguments: int = MAX_ARGUMENTS
    header_timeout: float = HEADER_TIMEOUT
    body_timeout: float = BODY_TIMEOUT
    min_body_rate: float = MIN_BODY_RATE
    keepalive_timeout: float = KEEPALIVE_TIMEOUT
    write_timeout: float = WRITE_TIMEOUT
    tls_handshake_timeout: float = TLS_HANDSHAKE_TIMEOUT
    max_connections: int = field(default_factory=_max_connections)
    trusted_downstream: Iterable[str] = ()
    limits: Limits = field(init=False)

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name != "trusted_downstream" and not (isinstance(value, (int, float)) and value > 0):
                raise ValueError(f"{name} is {value!r}, wanted a number above 0 (there is no 'unlimited')")
        if isinstance(self.trusted_downstream, str):
            raise TypeError("trusted_downstream is a str, wanted a list of IP addresses")
        trusted = frozenset(str(ipaddress.ip_address(address)) for address in self.trusted_downstream)
        object.__setattr__(self, "trusted_downstream", trusted)
        limits = Limits(self.max_request_line, self.max_header_size, self.max_field_line, self.max_fields)
        object.__setattr__(self, "limits", limits)


class HTTPServer(TCPServer):
    """A server that calls *request_callback* with an `HTTPRequest` for each request.

    *no_keep_alive* closes each connection after one request.  *xheaders* takes the peer's address and
    protocol from ``X-Real-Ip``/``X-Forwarded-For`` and ``X-Scheme``/``X-Forwarded-Proto``, as a proxy
    sets them.  *ssl_options* (a dict as for the former ``ssl.wrap_socket``, or an `ssl.SSLContext`)
    makes it an HTTPS server.

    Further keyword arguments are limits, all on by default; see the constants of this module and of
    `tornado.wire.http1` for values: ``max_request_line``, ``max_header_size``, ``max_field_line``,
    ``max_body_size``, ``max_streamed_body_size``, ``max_buffered_bodies`` (bytes), ``max_fields``,
    ``max_arguments``, ``max_connections``; ``header_timeout``, ``body_timeout``, ``keepalive_timeout``,
    ``write_timeout``, ``tls_handshake_timeout`` (seconds), ``min_body_rate`` (bytes per second); and
    ``trusted_downstream``, the addresses of the proxies: only their word is taken, and they are passed
    over in ``X-Forwarded-For`` (without it, any peer's word is).

    Three ways to begin: ``listen(port)``; ``bind(port)`` then ``start(n)`` for n processes; or
    ``add_sockets(sockets)`` with sockets made elsewhere.
    """

    def __init__(
        self,
        request_callback: RequestCallback,
        no_keep_alive: bool = False,
        io_loop: ioloop.IOLoop | None = None,
        xheaders: bool = False,
        ssl_options: dict[str, Any] | ssl.SSLContext | None = None,
        **kwargs: Any,
    ) -> None:
        unknown = set(kwargs) - set(_Settings.__dataclass_fields__)
        if unknown:
            known = ", ".join(name for name, each in _Settings.__dataclass_fields__.items() if each.init)
            raise TypeError(f"HTTPServer got {', '.join(sorted(unknown))}; the further arguments are {known}")
        self.request_callback = request_callback
        self.no_keep_alive = no_keep_alive
        self.xheaders = xheaders
        self._settings = _Settings(**kwargs)
        self._desk: _Desk | None = None
        super().__init__(io_loop=io_loop, ssl_options=ssl_options)
        if self._ssl_context is not None and isinstance(ssl_options, dict):
            self._ssl_context.set_alpn_protocols(["http/1.1"])

    def _make_stream(self, connection: socket.socket) -> IOStream:
        stream = super()._make_stream(connection)
        if self._desk is None:
            self._desk = _Desk(stream.io_loop, self._settings)
        # Where an HTTPConnection finds it, also one that a subclass makes in its own handle_stream.
        stream._owner = self._desk
        return stream

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        """Begin the life of a connection; called for each one that is accepted."""
        desk = stream._owner or _Desk(stream.io_loop, self._settings)
        if len(desk.connections) >= self._settings.max_connections:
            if not desk.turn_away(stream):
                self._pause_accepting(OSError(errno.EBUSY, "max_connections are open"))
            return
        stream._owner = desk
        HTTPConnection(stream, address, self.request_callback, self.no_keep_alive, self.xheaders)


class _Desk:
    """What the connections of one server share: their number, their bodies, their deadlines.

    A connection has one deadline, a number it may move as often as it likes.  It sits in the slot of
    the second in which somebody looks at it; found there with a later deadline, it is moved on.  So a
    request that comes in time costs an assignment and no timer.
    """

    def __init__(self, loop: ioloop.IOLoop, settings: _Settings) -> None:
        self.loop = loop
        self.settings = settings
        self.connections: set[HTTPConnection] = set()
        self.buffered = 0  # bytes of request bodies at hand
        self._refusals = 0
        self._quiet_until = 0.0  # when the next warning about them may be logged
        self._slots: dict[int, set[HTTPConnection]] = {}
        self._timeout: object | None = None
        self._next = 0
        self._late = False

    def watch(self, connection: "HTTPConnection", when: float = math.inf) -> None:
        """Look at *connection* at its deadline, or *when*, if not before."""
        when = min(when, connection._deadline)
        if when == math.inf:
            return
        slot = math.ceil(when)
        if connection._slot:
            if connection._slot <= slot:
                return
            self._slots[connection._slot].discard(connection)
        connection._slot = slot
        self._slots.setdefault(slot, set()).add(connection)
        if self._timeout is None or slot < self._next:
            self._set_timer(slot)

    def forget(self, connection: "HTTPConnection") -> None:
        """Drop *connection*, which is closed or belongs to somebody else now."""
        self.connections.discard(connection)
        slot = self._slots.get(connection._slot)
        if slot is not None:
            slot.discard(connection)
        connection._slot = 0

    def _set_timer(self, slot: int) -> None:
        if self._timeout is not None:
            self.loop.remove_timeout(self._timeout)
        self._next = slot
        self._timeout = self.loop._call_at(slot, self._sweep)

    def _sweep(self) -> None:
        self._timeout = None
        now = self.loop._monotonic()
        if now > self._next + 1 and not self._late:
            # The loop was held up, and what the peers sent meanwhile is still to be read: look next turn.
            self._late = True
            self._timeout = self.loop._call_at(now, self._sweep)
            return
        self._late = False
        for slot in [slot for slot in self._slots if slot <= now]:
            for connection in self._slots.pop(slot):
                connection._slot = 0
                if connection._deadline <= now:
                    connection._on_deadline(now)
                if connection._state is not State.CLOSED:
                    self.watch(connection, connection._next_look(now))
        if self._slots and self._timeout is None:
            self._set_timer(min(self._slots))

    def turn_away(self, stream: IOStream) -> bool:
        """Answer 503 to a connection over the limit; False when many wait for that, and it is just closed."""
        if self._refusals >= MAX_REFUSALS or isinstance(stream, SSLIOStream):
            stream.close()
            return self._refusals < MAX_REFUSALS
        self.warn("turning connections away: %d are open, the limit", len(self.connections))
        self._refusals += 1
        self.loop._call_at(self.loop._monotonic() + LINGER_TIME, self._on_turned_away)
        stream.write(_canned_response(503))
        stream._close(None, linger=True)
        return True

    def warn(self, message: str, number: int) -> None:
        """Log a warning that peers cause, now and then."""
        now = self.loop._monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + REFUSAL_WARNING_INTERVAL
            log.warning(message, number)

    def _on_turned_away(self) -> None:
        self._refusals -= 1


class State(enum.Enum):
    """Where a connection is; the values are phrases for messages."""

    HEAD = "reading a request head"
    BODY = "reading a request body"
    STREAM = "handing a request body to its handler as it comes"
    REPLY = "waiting for the handler's reply"
    DETACHED = "handed over to another protocol"
    CLOSED = "closed"

    __hash__ = object.__hash__  # Enum's own is written in Python, and _enter runs for each request


_NEXT = {
    State.HEAD: {State.BODY, State.STREAM, State.REPLY, State.CLOSED},
    State.STREAM: {State.REPLY, State.CLOSED},
    State.BODY: {State.REPLY, State.CLOSED},
    State.REPLY: {State.HEAD, State.CLOSED, State.DETACHED},
    State.DETACHED: {State.CLOSED},
    State.CLOSED: set(),
}


class HTTPConnection:
    """One connection: reads a request, hands it over, waits until it is finished, reads the next.

    Made by `HTTPServer`.  *address* is what `socket.accept` gave; the other arguments are the
    server's.  `stream` is the connection's `IOStream`.  Setting `no_keep_alive` closes the connection
    after the reply under way.
    """

    def __init__(
        self,
        stream: IOStream,
        address: Any,
        request_callback: RequestCallback,
        no_keep_alive: bool = False,
        xheaders: bool = False,
    ) -> None:
        self.stream = stream
        if isinstance(address, tuple):
            self.address = address
        else:
            self.address = (_NO_ADDRESS, 0)
        self.request_callback = request_callback
        self.no_keep_alive = no_keep_alive
        self.xheaders = xheaders
        self._desk = desk = stream._owner or _Desk(stream.io_loop, _Settings())
        self._settings = desk.settings
        self._keepalive_timeout = desk.settings.keepalive_timeout
        self._loop = stream.io_loop
        stream.max_buffer_size = max(stream.max_buffer_size, desk.settings.max_body_size)
        self._protocol = "https" if isinstance(stream, SSLIOStream) else "http"
        self._cache = SectionCache()
        self._heads = _PendingHead(self)
        self._state = State.HEAD
        self._head: RequestHead | None = None
        self._begun = False  # some bytes of a head have come
        self._served = False  # there was a request before
        self._finished = False  # the reply is complete, though perhaps not sent
        self._wrote = False
        self._close_callback: Callable[[], Any] | None = None
        self._body_size = 0  # bytes of the request's body that came
        self._streamed_size = 0  # the same of a body that is handed over as it comes
        self._body_begin = self._body_time = 0.0
        self._slot = 0
        self._handshaking = self._protocol == "https"
        self._accepted = self._loop._now
        timeout = self._settings.tls_handshake_timeout if self._handshaking else self._settings.header_timeout
        self._deadline = self._accepted + timeout
        desk.connections.add(self)
        desk.watch(self)
        stream._closed_hook = self._on_stream_closed
        stream._eof_hook = self._on_eof
        stream._begin_read(self._heads)

    def _enter(self, state: State) -> None:
        assert state in _NEXT[self._state], f"{self._state.name} -> {state.name}"
        self._state = state

    # -- reading a request --

    def _on_head_begun(self) -> None:
        if self._begun:
            return
        self._begun = True
        if self._served:  # a new connection has its deadline since it was accepted
            self._deadline = self._loop._now + self._settings.header_timeout
            self._desk.watch(self)

    def _on_head(self, head: RequestHead) -> None:
        self._head = head
        if head.fields.length == 0:
            self._dispatch(head, b"")
        else:
            self._begin_body(head.fields)

    def _begin_body(self, fields: Fields) -> None:
        find = getattr(self.request_callback, "_find_body_receiver", None)
        if find is not None and self._begin_stream(find, fields):
            return
        if fields.length > self._settings.max_body_size:
            self._on_malformed(
                WireError(f"body of {fields.length} bytes, limit is {self._settings.max_body_size}", 413)
            )
            return
        self._enter(State.BODY)
        buffer = self.stream._read_buffer
        if buffer:
            self._on_body_bytes(len(buffer) if fields.length == CHUNKED else min(len(buffer), fields.length))
        elif fields.expect:
            self.stream.write(_CONTINUE)
        if self.stream.socket is None:
            return
        if 0 < fields.length <= len(buffer):
            self._on_body(take(buffer, fields.length))
        else:
            self._body_begin = self._body_time = self._loop._now
            self._deadline = self._loop._now + self._settings.body_timeout
            self._desk.watch(self)
            self.stream._meter = self._on_body_bytes
            self.stream.read(
                read_body(fields.length, self._settings.max_body_size), self._on_body, self._on_malformed
            )

    def _begin_stream(self, find: Callable[["HTTPRequest"], Any], fields: Fields) -> bool:
        """Begin with a body that the request callback wants as it comes; return whether it does."""
        assert self._head is not None
        try:
            request = HTTPRequest._received(self, self._head, b"")
        except WireError as error:
            self._on_malformed(error)
            return True
        start = find(request)
        if start is None:
            return False
        limit = self._settings.max_streamed_body_size
        if fields.length > limit:
            self._on_malformed(WireError(f"body of {fields.length} bytes, limit is {limit}", 413))
            return True
        self._enter(State.STREAM)
        self._finished = self._wrote = False
        request._keep_alive = False  # an answer before the end of the body ends the connection
        if not self._call_back(start, request) or self._finished or self.stream.socket is None:
            return True
        if fields.expect and not self.stream._read_buffer:
            self.stream.write(_CONTINUE)
        self._body_begin = self._body_time = self._loop._now
        self._deadline = self._loop._now + self._settings.body_timeout
        self._desk.watch(self)
        self.stream._meter = self._on_streamed_bytes
        if self.stream.socket is not None:
            steps = read_body(fields.length, limit, request._receiver._receive)
            self.stream.read(steps, partial(self._on_streamed, request), self._on_malformed)
        return True

    def _on_streamed_bytes(self, count: int) -> None:
        self._streamed_size += count
        self._body_time = self._loop._now

    def _on_streamed(self, request: "HTTPRequest", body: bytes) -> None:
        self.stream._meter = None
        self._streamed_size = 0
        if self._state is State.STREAM and not self._finished:
            self._enter(State.REPLY)
            request._keep_alive = self._head is not None and self._head.fields.keep_alive
            self._call_back(request._receiver._end_body, request)
            self._after_callback()

    def pause_body(self) -> None:
        """Let no more come to ``data_received`` until `resume_body`; 64 KiB may be on the way already."""
        self.stream._hold()

    def resume_body(self) -> None:
        """Go on after `pause_body`."""
        self._body_begin = self._body_time = self._loop._now
        self._streamed_size = 0
        self.stream._release()

    def _on_body_bytes(self, count: int) -> None:
        self._body_size += count
        self._body_time = self._loop._now
        self._desk.buffered += count
        if self._desk.buffered > self._settings.max_buffered_bodies:
            self._desk.warn("refusing a body: %d bytes of bodies are held, the limit", self._desk.buffered)
            self._refuse(WireError("too many request bodies at once", 503))

    def _on_body(self, body: bytes) -> None:
        self.stream._meter = None
        assert self._head is not None
        self._dispatch(self._head, body)

    def _on_malformed(self, error: WireError) -> None:
        if isinstance(error, http1.EndOfConnection):
            self.stream.close()
        else:
            log.info("malformed request from %s: %s", self.address[0], error)
            self._refuse(error)

    def _refuse(self, error: WireError) -> None:
        """Answer *error* and close; nothing more is read as a request."""
        if self._state is State.CLOSED or self.stream.socket is None:
            return
        if self._state is State.STREAM:
            self._run_close_callback()
            if self._wrote:
                self.stream.close()
                return
        is_head = self._head is not None and self._head.method == "HEAD"
        self.stream.write(_canned_response(error.status, with_body=not is_head))
        error.__traceback__ = error.__context__ = None  # whose frames refer to the stream that keeps it
        self.stream._close(error, linger=True)

    # -- the reply --

    def _dispatch(self, head: RequestHead, body: bytes) -> None:
        try:
            request = HTTPRequest._received(self, head, body)
        except WireError as error:
            self._on_malformed(error)
            return
        self._state = State.REPLY  # from HEAD or BODY
        self._finished = self._wrote = False
        self._call_back(self.request_callback, request)
        self._after_callback()

    def _call_back(self, callback: Callable[["HTTPRequest"], Any], request: "HTTPRequest") -> bool:
        """Run *callback*; return whether it did not fail."""
        try:
            callback(request)
        except Exception:
            log.error("the request callback failed for %r", request, exc_info=True)
        else:
            return True
        self._on_callback_failed()
        return False

    def _on_callback_failed(self) -> None:
        if not self._may_reply():
            return
        if self._wrote or self.stream.socket is None:
            self.close()
        else:
            self._refuse(WireError("the request callback failed", 500))

    def _after_callback(self) -> None:
        """If there is no reply yet the handler is parked: it replies later, nothing is due from the peer."""
        if self._state is State.REPLY:
            self._cache.clear()
            self._deadline = math.inf
            if self.stream.writing():
                self._watch_output()

    def write(self, chunk: bytes, callback: Callable[[], Any] | None = None) -> None:
        """Send *chunk*, a part of the response; ``callback()`` runs once all output is with the system.

        On a connection that has closed it does nothing.  Raises RuntimeError when there is no request
        to reply to.
        """
        if not self._may_reply():
            if self._state is State.CLOSED:
                return
            raise UsageError(f"cannot write a reply while {self._phase()}")
        stream = self.stream
        if stream.socket is None:
            return
        self._wrote = True
        stream.write(chunk, callback)
        if stream._write_queue:
            self._watch_output()

    def write_file(
        self, file: HasFileno, offset: int, count: int, callback: Callable[[], Any] | None = None
    ) -> None:
        """Send *count* bytes of *file* from *offset*, a part of the response; see `IOStream.write_file`."""
        if not self._may_reply():
            if self._state is State.CLOSED:
                return
            raise UsageError(f"cannot write a reply while {self._phase()}")
        if self.stream.socket is not None:
            self._wrote = True
            self.stream.write_file(file, offset, count, callback)
            self._watch_output()

    def finish(self) -> None:
        """End the response.  The next request is read once all of it is with the system."""
        if not self._may_reply():
            if self._state is State.CLOSED:
                return
            raise UsageError(f"cannot finish a reply while {self._phase()}")
        self._finished = True
        self._close_callback = None
        if self.stream._write_queue:
            self.stream._drained_hook = self._end_reply
            self._watch_output()
        else:
            self._end_reply()

    def _may_reply(self) -> bool:
        return (self._state is State.REPLY or self._state is State.STREAM) and not self._finished

    def _phase(self) -> str:
        return "the last reply is being sent" if self._finished else self._state.value

    def _watch_output(self) -> None:
        deadline = self.stream._write_time + self._settings.write_timeout
        if deadline < self._deadline:
            self._deadline = deadline
            self._desk.watch(self)

    def _end_reply(self) -> None:
        head, stream = self._head, self.stream
        if self._body_size:
            self._release_body()
        self._head = None
        if stream.socket is None:
            return
        if self._state is State.STREAM:  # answered before the body had come
            stream._close(None, linger=True)
            return
        if self.no_keep_alive or head is None or not head.fields.keep_alive:
            stream._close(None, linger=True if stream._read_buffer or stream._has_more() else None)
            return
        self._state = State.HEAD  # from REPLY
        self._served = True
        self._finished = self._begun = False
        self._deadline = self._loop._now + self._keepalive_timeout
        look = self._loop._now + IDLE_TIME
        if not 0 < self._slot <= min(look, self._deadline) + 1:  # else somebody looks soon enough
            self._desk.watch(self, look)
        stream._begin_read(self._heads)

    def _release_body(self) -> None:
        self._desk.buffered -= self._body_size
        self._body_size = 0

    def set_close_callback(self, callback: Callable[[], Any] | None) -> None:
        """Call *callback* (no arguments) once if the peer goes away before the reply is finished."""
        self._close_callback = stack_context.wrap(callback)

    def close(self) -> None:
        """Close the connection; what has been written is still sent."""
        self.stream.close()

    def _detach(self) -> IOStream:
        """Hand the stream over: from now on nothing of it is HTTP."""
        self._enter(State.DETACHED)
        self._forget_stream()
        return self.stream

    # -- ends --

    def _on_eof(self) -> None:
        """The peer sends no more, and nothing is being read (RFC 9112, 9.6; a closed tab looks the same)."""
        if self._state is not State.REPLY:
            self.stream.close()
        elif not self._finished:
            try:
                self._run_close_callback()
            finally:
                if self._state is State.REPLY and not self._finished:
                    self.stream.close()

    def _on_stream_closed(self) -> None:
        if self._state is State.CLOSED or self._state is State.DETACHED:
            return
        self._enter(State.CLOSED)
        self._forget_stream()
        self._cache.clear()
        self._head = None
        self._run_close_callback()

    def _forget_stream(self) -> None:
        stream = self.stream
        stream._closed_hook = stream._eof_hook = stream._meter = stream._drained_hook = None
        del self._heads  # which refers to us
        self._desk.forget(self)
        self._release_body()

    def _run_close_callback(self) -> None:
        callback, self._close_callback = self._close_callback, None
        if callback is not None:
            callback()

    def _on_deadline(self, now: float) -> None:
        """The deadline has passed, which may only mean that it is time to look closer."""
        if self._state is State.HEAD:
            self._on_head_deadline()
        elif self._state is State.BODY or self._state is State.STREAM:
            self._check_body(now)
        elif self.stream.writing():
            self._deadline = self.stream._write_time + self._settings.write_timeout
            if self._deadline <= now:
                log.info("%s reads nothing of its answer", self.address[0])
                self.stream._abort()
        else:
            self._deadline = math.inf

    def _next_look(self, now: float) -> float:
        """When to look again, if not at the deadline: an idle connection gives up what it remembers."""
        if self._state is not State.HEAD or not self._cache.raw:
            return math.inf
        idle_since = self._deadline - self._keepalive_timeout
        if now < idle_since + IDLE_TIME:
            return idle_since + IDLE_TIME
        self._cache.clear()
        return math.inf

    def _on_head_deadline(self) -> None:
        stream = self.stream
        if stream._state is StreamState.HANDSHAKING:
            stream._abort()
        elif self._handshaking:  # no longer: now the head's own deadline counts
            self._handshaking = False
            self._deadline = self._accepted + self._settings.header_timeout
        elif self._begun:
            self._on_malformed(WireError("the request head did not come in time", 408))
        else:
            stream.close()

    def _check_body(self, now: float) -> None:
        settings = self._settings
        elapsed = now - self._body_begin
        size = self._body_size + self._streamed_size
        if self.stream._held:
            self._deadline = now + settings.body_timeout
        elif now - self._body_time >= settings.body_timeout:
            self._on_malformed(WireError("the request body stopped coming", 408))
        elif elapsed >= settings.body_timeout and size < settings.min_body_rate * elapsed:
            self._on_malformed(WireError("the request body comes too slowly", 408))
        else:
            self._deadline = min(self._body_time + settings.body_timeout, now + 1)


class _PendingHead(http1.RequestHeads):
    """The heads of one connection, for its stream to read one after another."""

    __slots__ = ("done", "failed", "started")

    def __init__(self, connection: HTTPConnection) -> None:
        super().__init__(connection._settings.limits, connection._cache)
        self.done: Callable[..., Any] = connection._on_head
        self.failed: Callable[..., Any] | None = connection._on_malformed
        self.started: Callable[..., Any] | None = connection._on_head_begun


class HTTPRequest:
    """One HTTP request.

    All str: `method`, `uri` (as it came, such as ``/a?b=c``), `path` (still percent-encoded), `query`,
    `version` (``HTTP/1.1``), `remote_ip`, `protocol` (``http`` or ``https``), `host` (the Host field).
    `headers` is an `HTTPHeaders`, `body` bytes.  `arguments` maps str names to lists of bytes values,
    of the query string and of a form body; `files` maps names to lists of `HTTPFile`.  `connection` is
    the `HTTPConnection` to answer on, None when the request was made by hand.

    Tests make requests by hand; there the defaults stand for what the server would have read.
    """

    _arguments: dict[str, list[bytes]] | None = None
    _cookies: Any = None
    _keep_alive = True  # the peer does not mind another request on this connection
    _receiver: Any = None  # of a body that is handed over as it comes
    _finish_time: float | None = None

    def __init__(
        self,
        method: str,
        uri: str,
        version: str = "HTTP/1.0",
        headers: HTTPHeaders | None = None,
        body: bytes | None = None,
        remote_ip: str | None = None,
        protocol: str | None = None,
        host: str | None = None,
        files: dict[str, list[HTTPFile]] | None = None,
        connection: HTTPConnection | None = None,
    ) -> None:
        self.method = method
        self.uri = uri
        self.version = version
        self.headers = HTTPHeaders() if headers is None else headers
        self.body = b"" if body is None else utf8(body)
        self.connection: Any = connection
        self.remote_ip: str = remote_ip if remote_ip is not None else "127.0.0.1"
        self.protocol: str = protocol or "http"
        if isinstance(connection, HTTPConnection):
            self.remote_ip = remote_ip or connection.address[0]
            self.protocol = protocol or connection._protocol
            if connection.xheaders:
                self._apply_xheaders(connection)
        self.host: str = host if host is not None else self.headers.get("Host", "127.0.0.1")
        self.files: dict[str, list[HTTPFile]] = {} if files is None else files
        self.path, _, self.query = uri.partition("?")
        self._start_time = self._clock()

    @classmethod
    def _received(cls, connection: HTTPConnection, head: RequestHead, body: bytes) -> "HTTPRequest":
        """The request of *head* and *body*.  Raises `WireError` when its forms are malformed."""
        request = cls.__new__(cls)  # as __init__ would, with what is known already
        request.method = head.method
        request.uri = uri = head.target
        request.version = head.version
        request.headers = headers = head.fields.headers()
        request._keep_alive = head.fields.keep_alive
        request.body = body
        request.connection = connection
        request.remote_ip = connection.address[0]
        request.protocol = connection._protocol
        if connection.xheaders:
            request._apply_xheaders(connection)
        request.host = _header(headers, "Host", "127.0.0.1")
        request.files = {}
        request.path, _, request.query = uri.partition("?")
        request._start_time = connection._loop._monotonic()
        query = request.query
        if query and query.count("&") >= connection._settings.max_arguments:
            raise WireError(f"over {connection._settings.max_arguments} arguments in the query")
        if body and head.method in _BODY_METHODS:
            request._parse_body()
        return request

    def _parse_body(self) -> None:
        """Read a form body into `arguments` and `files`."""
        content_type = _header(self.headers, "Content-Type")
        if content_type is None:
            return
        if content_type == "application/x-www-form-urlencoded" and not self.query:  # most often
            self._arguments = parse_urlencoded(self.body)
            return
        _read_form(content_type, self.body, self.arguments, self.files)

    def _apply_xheaders(self, connection: HTTPConnection) -> None:
        """Take the peer's address and protocol from what a proxy says, as far as it makes sense."""
        headers = self.headers
        trusted = connection._settings.trusted_downstream
        peer = connection.address[0]
        if trusted and _ip_address(peer) not in trusted and peer != _NO_ADDRESS:
            return  # not one of the proxies
        address = headers.get("X-Real-Ip")
        if address is None:
            forwarded = headers.get("X-Forwarded-For", "").split(",")
            addresses = (item.strip(" \t") for item in reversed(forwarded))
            address = next((each for each in addresses if _ip_address(each) not in trusted), "")
        if _ip_address(address):
            self.remote_ip = address
        scheme = headers.get("X-Scheme", headers.get("X-Forwarded-Proto"))
        if scheme in ("http", "https"):
            self.protocol = scheme

    @property
    def arguments(self) -> dict[str, list[bytes]]:
        """The arguments of the query string and, after them, of a form body: lists of bytes by str name."""
        if self._arguments is None:
            query = self.query
            self._arguments = parse_urlencoded(query.encode("latin-1", "replace")) if query else {}
        return self._arguments

    @arguments.setter
    def arguments(self, arguments: dict[str, list[bytes]]) -> None:
        self._arguments = arguments

    @property
    def cookies(self) -> Any:
        """The cookies that came, an `http.cookies.SimpleCookie` of morsels by name.

        What is no cookie is left out; a bad one does not spoil the others (RFC 6265bis, 5.6).
        """
        if self._cookies is None:
            self._cookies = simple_cookie("; ".join(self.headers.get_list("Cookie")))
        return self._cookies

    def supports_http_1_1(self) -> bool:
        """Return whether the peer speaks HTTP/1.1."""
        return self.version == "HTTP/1.1"

    def write(self, chunk: bytes, callback: Callable[[], Any] | None = None) -> None:
        """Send *chunk*, a part of the response as it goes over the wire; see `HTTPConnection.write`."""
        if not isinstance(chunk, bytes):
            raise UsageTypeError(f"HTTPRequest.write() got {quote(chunk)}, wanted bytes")
        self.connection.write(chunk, callback)

    def finish(self) -> None:
        """End the response; see `HTTPConnection.finish`."""
        self._finish_time = self._clock()
        self.connection.finish()

    def full_url(self) -> str:
        """Return the whole URL: protocol, host and uri."""
        return f"{self.protocol}://{self.host}{self.uri}"

    def request_time(self) -> float:
        """Return how many seconds the request took, or has taken so far."""
        return (self._clock() if self._finish_time is None else self._finish_time) - self._start_time

    def _clock(self) -> float:
        loop = getattr(self.connection, "_loop", None)  # a connection may be anything that has finish()
        return time.monotonic() if loop is None else loop._monotonic()

    def get_ssl_certificate(self, binary_form: bool = False) -> Any:
        """Return the peer's certificate, None without one: a dict as of `ssl.SSLSocket.getpeercert`.

        With *binary_form* it is the certificate itself, DER encoded bytes.  The server asks for it when
        its ssl_options have ``cert_reqs=ssl.CERT_REQUIRED``.
        """
        sock = self.connection.stream.socket if self.connection is not None else None
        if not isinstance(sock, ssl.SSLSocket):
            return None
        return sock.getpeercert(binary_form)

    def __repr__(self) -> str:
        # Neither query, headers nor body: what is logged must hold no credentials.
        names = ("protocol", "host", "method", "path", "version", "remote_ip")
        values = ", ".join(f"{name}={quote(getattr(self, name), 1024)}" for name in names)
        return f"{type(self).__name__}({values})"


def _ip_address(text: str) -> str:
    """The address *text* in its usual spelling, "" if it is none or has a scope: that is the sender's own."""
    try:
        address = str(ipaddress.ip_address(text))
    except ValueError:
        return ""
    return "" if "%" in address else address


def _canned_response(status: int, with_body: bool = True) -> bytes:
    """The answer to a request that no handler saw; it closes the connection."""
    reason = http.client.responses.get(status, "Unknown")
    page = f"<html><title>{status}: {reason}</title><body>{status}: {reason}</body></html>"
    headers = [
        ("Content-Type", "text/html; charset=UTF-8"),
        ("Date", format_timestamp(time.time())),
        ("Content-Length", str(len(page))),
        ("Connection", "close"),
    ]
    if status == 503:
        headers.append(("Retry-After", "1"))
    head = encode_head(format_status_line(status), headers)
    return head + page.encode("ascii") if with_body else head

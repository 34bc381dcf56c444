"""The HTTP client that needs nothing but this package; what `tornado.httpclient` uses by default.

::

    client = AsyncHTTPClient(max_clients=50)        # a SimpleAsyncHTTPClient, unless configured otherwise
    client.fetch("https://example.com/", on_response)

Each request has a connection of its own.  Bytes become answers in `tornado.wire.http1`, by the rules that
hold for the server, too; here is the life of a request around that: its turn in the queue, the address,
the connection, the answer, redirects, and a deadline over it all.  It knows no proxies.
"""

import base64
import copy
import logging
import math
import re
import socket
import ssl
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any, Self
from urllib.parse import quote_from_bytes, unquote, urljoin

from tornado import stack_context
from tornado.escape import utf8
from tornado.httpclient import AsyncHTTPClient, HTTPError, HTTPRequest, HTTPResponse, _copy_headers
from tornado.httpclient import main as main  # a name of 2.0
from tornado.httputil import HTTPHeaders
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, SSLIOStream, StreamClosedError
from tornado.netutil import Answer, Lookup, Resolver
from tornado.util import GzipDecompressor, UsageError
from tornado.wire import Read, Steps, WireError, quote
from tornado.wire.http1 import (
    MAX_HEADER_SIZE,
    Limits,
    ResponseHead,
    format_request_head,
    read_body,
    read_response_head,
)

log = logging.getLogger(__name__)

MAX_BUFFER_SIZE = 100 * 1024 * 1024  # bytes of a body, inflated, that is kept in memory; as in 2.x
MAX_INTERIM_ANSWERS = 10  # 1xx, before the answer
MAX_ADDRESSES = 16  # of one host, that are tried
INFLATE_STEP = 256 * 1024  # bytes inflated before others get their turn

#: Raised for a certificate that is not in order; an `ssl.SSLError` and a ValueError.
CertificateError = ssl.SSLCertVerificationError

# The file of the system's CA certificates, if it has one; programs of 2011 pass this on as ca_certs.
_DEFAULT_CA_CERTS = ssl.get_default_verify_paths().cafile

_NO_LIMIT = 10**20  # bytes; more than a Content-Length can say
_PORTS = {"http": 80, "https": 443}
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"}
_METHODS_WITH_BODY = {"POST", "PUT", "PATCH"}
_REDIRECTS = {301, 302, 303, 307, 308}
_SECRETS = ("Authorization", "Cookie", "Proxy-Authorization")
_OF_THE_BODY = ("Content-Encoding", "Content-Language", "Content-Location", "Content-Type")
_NOT_HERE = ("network_interface", "proxy_host", "proxy_port", "proxy_username", "proxy_password")
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))

_url = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://(?:(?P<user>[^/?#@\\\[\]]*)@)?"
    r"(?P<authority>(?P<host>[A-Za-z0-9\-._~!$&'()*+,;=%]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{0,5}))?)"
    r"(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?(?P<fragment>#.*)?"
).fullmatch


class SimpleAsyncHTTPClient(AsyncHTTPClient):
    """A non-blocking HTTP/1.1 client without dependencies; see `AsyncHTTPClient` for how to make one.

    `queue` has the requests that wait for their turn, `active` those under way: at most `max_clients`.
    """

    def initialize(
        self,
        io_loop: IOLoop | None = None,
        max_clients: int = 10,
        hostname_mapping: dict[str, str] | None = None,
        max_buffer_size: int = MAX_BUFFER_SIZE,
        max_header_size: int = MAX_HEADER_SIZE,
    ) -> None:
        """Prepare a new instance.

        *max_clients* is how many requests may be under way at once.  *hostname_mapping* has host names in
        lower case, and the address to use for each instead of what the resolver says.  *max_buffer_size* is
        the most bytes that the body of an answer may have, inflated, unless it is streamed;
        *max_header_size* the most of its head.  An answer over one of them is a 599.
        """
        for name, value in (("max_clients", max_clients), ("max_buffer_size", max_buffer_size)):
            if value <= 0:
                raise ValueError(f"{name} is {value!r}, wanted a number above 0 (there is no 'unlimited')")
        self.io_loop = io_loop or IOLoop.instance()
        self.max_clients = max_clients
        self.hostname_mapping = hostname_mapping
        self.max_buffer_size = max_buffer_size
        self.queue: deque[_Fetch] = deque()
        self.active: set[_Fetch] = set()
        self._limits = Limits(max_header_size=max_header_size)
        self._resolver = Resolver(self.io_loop)
        self._ssl_context: ssl.SSLContext | None = None
        self._warned = False
        self._closed = False

    def fetch(
        self, request: HTTPRequest | str, callback: Callable[[HTTPResponse], Any], **kwargs: Any
    ) -> None:
        """Send *request* and call ``callback(response)``; see `AsyncHTTPClient.fetch`."""
        if self._closed:
            raise UsageError("fetch() was called on a client that is closed: make a new one")
        if not isinstance(request, HTTPRequest):
            request = HTTPRequest(request, **kwargs)
        request._check()
        self.queue.append(_Fetch(self, request, callback))
        with stack_context.NullContext():
            self._start_next()

    def close(self) -> None:
        """Give up all connections; requests that have not ended get a response with the code 599."""
        self._closed = True
        unfinished = [*self.active, *self.queue]
        self.queue.clear()
        for fetch in unfinished:
            fetch.fail(HTTPError(599, "Client closed"))
        super().close()

    def _start_next(self) -> None:
        while self.queue and len(self.active) < self.max_clients:
            fetch = self.queue.popleft()
            self.active.add(fetch)
            fetch.start()

    def _on_end(self, fetch: "_Fetch") -> None:
        self.active.discard(fetch)
        if self.queue:
            # Not at once: in a queue of requests that all fail at the start, each would end inside the last.
            self.io_loop.add_callback(self._start_next)

    def _tls_context(self, request: HTTPRequest) -> ssl.SSLContext:
        """Return the context for *request*: of its own, unless it is the usual one."""
        if not request.validate_cert and not self._warned:
            self._warned = True
            log.warning("the certificates of servers are not verified: validate_cert is False")
        if not request.validate_cert or request.ca_certs or request.client_cert or request.client_key:
            return _tls_context(request)
        if self._ssl_context is None:
            self._ssl_context = _tls_context(request)  # reads more than a hundred certificates
        return self._ssl_context


class _Fetch:
    """One request, from the queue to its response; the methods stand in the order they run."""

    def __init__(
        self, client: SimpleAsyncHTTPClient, request: HTTPRequest, callback: Callable[[HTTPResponse], Any]
    ) -> None:
        self._client = client
        self._loop = client.io_loop
        self._original = request
        # What was asked for by now is sent, whatever becomes of the object; and redirects change the copy.
        self._request = copy.copy(request)
        self._request.headers = _copy_headers(request.headers)
        self._redirects = request.max_redirects if request.follow_redirects else 0
        self._callback: Callable[..., Any] | None = stack_context.wrap(callback)  # None: it has ended
        self._call_in_contexts = stack_context.wrap(_call)
        self._queued = self._begun = self._loop._monotonic()
        self._times: dict[str, float] = {}
        self._request_timer: object = None
        self._connect_timer: object = None
        self._lookup: Lookup | None = None
        self._stream: IOStream | None = None
        self._inflating = False  # between two steps

    # -- a connection --

    def start(self) -> None:
        """Begin, now that there is room."""
        self._begun = self._loop._monotonic()
        self._times["queue"] = self._begun - self._queued
        timeout = self._request.request_timeout
        if timeout < math.inf:
            self._request_timer = self._loop._call_at(self._begun + timeout, self._on_timeout)
        self._open()

    def _open(self) -> None:
        """Begin with the URL at hand, the first one or that of a redirect."""
        client, request = self._client, self._request
        self._addresses: deque[tuple[int, Any]] = deque()
        self._connect_deadline = self._loop._monotonic() + request.connect_timeout
        try:
            _check_supported(request)
            self._target = target = _Target.parse(request.url)
            _take_credentials(request, target)
            self._output = _format_request(request, target)
            self._ssl_context = client._tls_context(request) if target.scheme == "https" else None
        except Exception as error:
            self.fail(error.with_traceback(None))  # whose frames hold the caller's
            return
        self._set_connect_timer(self._connect_deadline)
        host = (client.hostname_mapping or {}).get(target.host, target.host)
        family = socket.AF_INET if request.allow_ipv6 is False else socket.AF_UNSPEC
        self._lookup = client._resolver.resolve(host, target.port, family, self._on_addresses)

    def _on_addresses(self, answer: Answer) -> None:
        self._lookup = None
        if isinstance(answer, Exception):
            self.fail(answer)
            return
        self._reach("namelookup")
        if not self._request.allow_ipv6:
            answer = sorted(answer, key=_is_not_ipv4)
        self._addresses.extend(answer[:MAX_ADDRESSES])
        self._connect(OSError(f"{self._target.host} has no address"))

    def _connect(self, failure: BaseException) -> None:
        """Try the next address; without one, *failure* is what it ends with."""
        if not self._addresses:
            self.fail(failure)
            return
        now = self._loop._monotonic()
        # A dead address must not use up the time of those after it.
        self._set_connect_timer(now + (self._connect_deadline - now) / len(self._addresses))
        family, address = self._addresses.popleft()
        try:
            stream = self._stream = self._make_stream(family)
        except OSError as error:
            self._connect(error)
            return
        stream.set_close_callback(self._on_unconnected)
        stream.connect(address, self._on_connected)

    def _make_stream(self, family: int) -> IOStream:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        size = max(self._client.max_buffer_size, self._client._limits.max_header_size)
        if self._ssl_context is None:
            return IOStream(sock, self._loop, max_buffer_size=size)
        return SSLIOStream(
            sock,
            self._loop,
            max_buffer_size=size,
            ssl_options=self._ssl_context,
            server_hostname=self._target.host,
        )

    def _on_unconnected(self) -> None:
        failure = self._take_failure()
        if isinstance(failure, ssl.SSLError):
            self.fail(failure)  # somebody was there: another address would say the same
        else:
            self._connect(failure)

    def _on_connect_timeout(self) -> None:
        self._drop_stream()
        self._connect(HTTPError(599, "Timeout"))

    def _on_connected(self) -> None:
        self._set_connect_timer(math.inf)
        self._reach("connect")
        stream, output, self._output = self._open_stream(), self._output, b""
        stream.set_close_callback(self._on_closed)
        head = _read_answer_head(self._client._limits, self._request.method)
        stream.read(head, self._on_head, self._on_malformed)
        stream.write(output)

    # -- an answer --

    def _on_head(self, head: ResponseHead) -> None:
        self._reach("starttransfer")
        self._code = head.code
        self._headers = head.fields.headers()
        location = self._headers.get("Location")
        if head.code in _REDIRECTS and self._redirects and location is not None:
            self._follow(location)
            return
        header_callback = self._request.header_callback
        if header_callback is not None:
            for name, value in self._headers.get_all():
                if not self._call(header_callback, f"{name}: {value}\r\n"):
                    return
        try:
            self._read_body(head.fields.length)
        except WireError as error:  # announced to be over the limit
            self._on_malformed(error)

    def _follow(self, location: str) -> None:
        """Go on with another URL; this answer's body is not waited for."""
        self._redirects -= 1
        self._drop_stream()
        try:
            _redirect(self._request, self._target, self._code, location)
        except ValueError as error:
            self.fail(error.with_traceback(None))
        else:
            self._open()

    def _read_body(self, length: int) -> None:
        streamed = self._request.streaming_callback is not None
        coding = self._headers.get("Content-Encoding", "").lower()
        gzip = self._request.use_gzip and coding in ("gzip", "x-gzip")
        limit = _NO_LIMIT if streamed else self._client.max_buffer_size
        self._buffer = BytesIO()
        if length == 0:
            self._finish()
        elif gzip or streamed:
            self._inflater = _Inflater() if gzip else None
            self._pieces = _Pieces(length, limit)
            self._read_piece()
        else:
            self._open_stream().read(read_body(length, limit), self._on_body, self._on_malformed)

    def _on_body(self, body: bytes) -> None:
        self._buffer = BytesIO(body)
        self._finish()

    def _read_piece(self) -> None:
        try:
            self._open_stream().read(self._pieces.read(), self._on_piece, self._on_malformed)
        except StreamClosedError:  # it closed while we inflated, and what it had left was not all
            self.fail(self._take_failure())

    def _on_piece(self, piece: bytes) -> None:
        if not piece:
            self._on_last_piece()
        elif self._inflater is not None:
            self._inflater.tail = piece
            self._inflate()
        elif self._keep(piece):
            self._read_piece()

    def _inflate(self) -> None:
        """Inflate one step of the piece at hand."""
        inflater = self._inflater
        if self._callback is None or inflater is None:
            return
        try:
            data = inflater.step()
        except zlib.error as error:
            self._on_malformed(WireError(f"the body is no gzip data: {error}"))
            return
        if data and not self._keep(data):
            return
        self._inflating = bool(inflater.tail)
        if self._inflating:
            self._loop.add_callback(self._inflate)
        else:
            self._read_piece()

    def _keep(self, data: bytes) -> bool:
        """Take a part of the body, for the response or for the caller; return whether to go on."""
        streaming_callback = self._request.streaming_callback
        if streaming_callback is not None:
            return self._call(streaming_callback, data)
        if self._buffer.tell() + len(data) > self._client.max_buffer_size:
            self._on_malformed(WireError(f"body over the limit of {self._client.max_buffer_size} bytes"))
            return False
        self._buffer.write(data)
        return True

    def _on_last_piece(self) -> None:
        if self._inflater is not None and not self._inflater.complete:
            self._on_malformed(WireError("the gzip data of the body are cut short"))
            return
        self._buffer.seek(0)
        self._finish()

    def _call(self, callback: Callable[..., Any], argument: Any) -> bool:
        """Run a callback of the caller's in its contexts; return whether to go on."""
        self._call_in_contexts(self, callback, argument)
        return self._callback is not None

    # -- ends --

    def _on_timeout(self) -> None:
        self.fail(HTTPError(599, "Timeout"))

    def _on_malformed(self, error: WireError) -> None:
        self.fail(HTTPError(599, str(error)))

    def _on_closed(self) -> None:
        if not self._inflating:  # else it is seen to when there is nothing left to inflate
            self.fail(self._take_failure())

    def fail(self, error: BaseException) -> None:
        """End without an answer."""
        self._end(599, None, None, error)

    def _finish(self) -> None:
        self._end(self._code, self._headers, self._buffer, None)

    def _end(
        self, code: int, headers: HTTPHeaders | None, buffer: BytesIO | None, error: BaseException | None
    ) -> None:
        """The one way out: give everything up and have the callback called."""
        callback, self._callback = self._callback, None
        if callback is None:
            return
        self._reach("total")
        self._set_connect_timer(math.inf)
        if self._request_timer is not None:
            self._loop.remove_timeout(self._request_timer)
        if self._lookup is not None:
            self._lookup.cancel()
        self._drop_stream()
        times = self._times
        response = HTTPResponse(
            self._original, code, headers, buffer, self._request.url, error, times["total"], times
        )
        with stack_context.NullContext():
            self._loop.add_callback(partial(callback, response))
            self._client._on_end(self)

    # -- what the above share --

    def _reach(self, point: str) -> None:
        self._times[point] = self._loop._monotonic() - self._begun

    def _set_connect_timer(self, deadline: float) -> None:
        if self._connect_timer is not None:
            self._loop.remove_timeout(self._connect_timer)
            self._connect_timer = None
        if deadline < math.inf:
            self._connect_timer = self._loop._call_at(deadline, self._on_connect_timeout)

    def _open_stream(self) -> IOStream:
        if self._stream is None:
            raise StreamClosedError("the request has ended")
        return self._stream

    def _take_failure(self) -> BaseException:
        """Let go of the closed stream; return what closed it."""
        stream, self._stream = self._stream, None
        if stream is None or stream.error is None:
            return HTTPError(599, "Connection closed")
        return stream.error.with_traceback(None)  # whose frames hold the stream

    def _drop_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None and not stream.closed():
            stream.set_close_callback(None)
            stream._abort()


def _call(fetch: _Fetch, callback: Callable[[Any], Any], argument: Any) -> None:
    """Run a callback of the caller's; what it raises ends *fetch* and goes on to the caller's contexts."""
    try:
        callback(argument)
    except Exception as error:
        fetch.fail(error)
        raise


def _is_not_ipv4(address: tuple[int, Any]) -> bool:
    return address[0] != socket.AF_INET


# -- what is sent --


@dataclass(frozen=True)
class _Target:
    """Where a URL leads: *host* in lower case and without brackets, *authority* as it is written."""

    url: str  # without user information
    scheme: str
    host: str
    port: int
    authority: str
    path: str  # with the query: what the request line says
    user: str | None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Take *url* apart (RFC 3986, 3).  Raises ValueError when it is none that can be fetched."""
        match = _url(url)
        if match is None:
            raise ValueError(f"{quote(url)} is no URL: write http://host/path")
        scheme = match["scheme"].lower()
        if scheme not in _PORTS:
            raise ValueError(f"{quote(url)} is a URL of the unsupported scheme {scheme!r}: use http or https")
        port = int(match["port"] or _PORTS[scheme])
        if not 0 < port < 65536:
            raise ValueError(f"{quote(url)} has the port {port}, which is out of range")
        path = f"{match['path'] or '/'}{match['query'] or ''}"
        plain = url if match["user"] is None else url.replace(f"{match['user']}@", "", 1)
        host = match["host"].strip("[]").lower()
        return cls(plain, scheme, host, port, match["authority"], path, match["user"])

    @property
    def origin(self) -> tuple[str, str, int]:
        """What has to be the same for credentials to be sent again (RFC 6454, 4)."""
        return self.scheme, self.host, self.port


def _check_supported(request: HTTPRequest) -> None:
    for name in _NOT_HERE:
        if getattr(request, name):
            raise NotImplementedError(f"SimpleAsyncHTTPClient has no {name}: use CurlAsyncHTTPClient instead")
    if request.allow_nonstandard_methods:
        return
    method = request.method
    if method not in _METHODS:
        raise ValueError(f"unknown method {method!r}: set allow_nonstandard_methods to send it")
    if (request.body is not None) != (method in _METHODS_WITH_BODY):
        needs = "needs a body, b'' at least" if request.body is None else "must not have a body"
        raise UsageError(f"{method} {needs}: or set allow_nonstandard_methods")


def _take_credentials(request: HTTPRequest, target: _Target) -> None:
    """Move user name and password from the URL of *request* to where the others are."""
    if target.user is not None:
        name, _, password = target.user.partition(":")
        request.auth_username, request.auth_password = unquote(name), unquote(password)
        request.url = target.url


def _format_request(request: HTTPRequest, target: _Target) -> bytes:
    """Return *request* as it goes over the wire."""
    headers = HTTPHeaders({"Host": target.authority, "Connection": "close"})
    if request.use_gzip:
        headers["Accept-Encoding"] = "gzip"
    headers.update(request.headers)
    if request.user_agent:
        headers["User-Agent"] = request.user_agent
    if request.auth_username is not None:
        name, password = utf8(request.auth_username), utf8(request.auth_password or "")
        if b":" in name:
            raise ValueError("the user name has a colon, which basic authentication cannot say (RFC 7617, 2)")
        headers["Authorization"] = f"Basic {base64.b64encode(name + b':' + password).decode('ascii')}"
    if "Transfer-Encoding" in headers:
        raise ValueError("the body is sent with Content-Length: leave Transfer-Encoding out")
    headers.pop("Content-Length", None)
    body = utf8(request.body)
    if body is not None:
        headers["Content-Length"] = str(len(body))
        if request.method == "POST":
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    return format_request_head(request.method, target.path, headers.get_all()) + (body or b"")


def _redirect(request: HTTPRequest, target: _Target, code: int, location: str) -> None:
    """Make *request*, which went to *target*, the one that the redirect asks for (RFC 9110, 15.4)."""
    request.url = urljoin(target.url, quote_from_bytes(location.encode("latin-1"), safe=_PRINTABLE))
    request.headers.pop("Host", None)
    if _Target.parse(request.url).origin != target.origin:
        for name in _SECRETS:
            request.headers.pop(name, None)
        request.auth_username = request.auth_password = request.client_key = request.client_cert = None
    if (code in (301, 302) and request.method == "POST") or (code == 303 and request.method != "HEAD"):
        request.method, request.body = "GET", None
        for name in _OF_THE_BODY:
            request.headers.pop(name, None)


def _tls_context(request: HTTPRequest) -> ssl.SSLContext:
    if request.validate_cert:
        context = ssl.create_default_context(cafile=request.ca_certs)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if request.client_cert:
        context.load_cert_chain(request.client_cert, request.client_key)
    elif request.client_key:
        raise ValueError("client_key is of no use without client_cert")
    return context


# -- what is read --


def _read_answer_head(limits: Limits, method: str) -> Steps[ResponseHead]:
    """The head of the answer to *method*; interim ones before it are passed over (RFC 9110, 15.2)."""
    yield _FIRST_BYTE
    for _ in range(MAX_INTERIM_ANSWERS + 1):
        head = yield from read_response_head(limits, method)
        if head.code >= 200:
            return head
        if head.code == 101:
            raise WireError("the server switched to another protocol, which nobody asked for")
    raise WireError(f"over {MAX_INTERIM_ANSWERS} interim answers")


class _FirstByte:
    """Wait for a byte, and take none: a server that sends nothing at all has its own message."""

    def end(self, buffer: bytes | bytearray, scanned: int) -> int:
        return 0 if buffer else -1

    def end_at_eof(self, buffer: bytes | bytearray) -> int:
        raise WireError("Connection closed")


_FIRST_BYTE = _FirstByte()


class _Pieces:
    """A body that is read piece by piece, so that there may be time in between."""

    def __init__(self, length: int, limit: int) -> None:
        self._ready: list[bytes] = []  # at most one
        self._steps = read_body(length, limit, self._ready.append)
        self._want: Read | None = next(self._steps)

    def read(self) -> Steps[bytes]:
        """The next piece; ``b""`` at the end."""
        while self._want is not None and not self._ready:
            data = yield self._want
            try:
                self._want = self._steps.send(data)
            except StopIteration:
                self._want = None
        return self._ready.pop() if self._ready else b""


class _Inflater:
    """Inflates a gzip body: the input is put into `tail`, and steps are due until that is empty."""

    def __init__(self) -> None:
        self._gzip = GzipDecompressor()
        self.tail = b""
        self._begun = False

    def step(self) -> bytes:
        """Return at most INFLATE_STEP bytes.  Raises `zlib.error`."""
        self._begun = True
        if self.tail and self._gzip.decompressobj.eof:
            self._gzip = GzipDecompressor()  # another member follows (RFC 1952, 2.2)
        data = self._gzip.decompress(self.tail, INFLATE_STEP)
        self.tail = self._gzip.unconsumed_tail or self._gzip.decompressobj.unused_data
        return data

    @property
    def complete(self) -> bool:
        """Whether the data may end here: behind a member, or before any byte of one."""
        return self._gzip.decompressobj.eof or not self._begun

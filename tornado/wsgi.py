"""WSGI (PEP 3333) in both directions: our applications elsewhere, others' applications here.

`WSGIApplication` runs request handlers on a WSGI server, here as a CGI program::

    import tornado.web
    import tornado.wsgi
    import wsgiref.handlers

    class MainHandler(tornado.web.RequestHandler):
        def get(self):
            self.write("Hello, world")

    if __name__ == "__main__":
        application = tornado.wsgi.WSGIApplication([
            (r"/", MainHandler),
        ])
        wsgiref.handlers.CGIHandler().run(application)

WSGI has no loop: nothing that calls back works there, neither ``@asynchronous`` nor ``flush()``.

`WSGIContainer` runs a WSGI application on `tornado.httpserver`, alone or behind a
`tornado.web.FallbackHandler`.  It suits one that answers fast: while it computes, nobody else is served.
"""

import io
import logging
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote as url_quote
from urllib.parse import unquote_to_bytes

import tornado
from tornado import httputil, web
from tornado.httputil import HTTPFile, HTTPHeaders, _read_form
from tornado.util import UsageError, UsageTypeError, raise_exc_info
from tornado.wire import WireError, quote
from tornado.wire.cookies import simple_cookie
from tornado.wire.http1 import (
    check_field_name,
    check_field_value,
    check_reason,
    encode_head,
    format_chunk,
    format_status_line,
)
from tornado.wire.multipart import parse_urlencoded

log = logging.getLogger(__name__)

Environ = dict[str, Any]
WSGIFunction = Callable[[Environ, Any], Iterable[bytes]]

MAX_BODY_SIZE = 100 * 1024 * 1024  # bytes of a request, under other servers; as that of `tornado.httpserver`
READ_SIZE = 1024 * 1024  # bytes read at once of a body: what is announced need not come
PIECE_SIZE = 64 * 1024  # bytes of an answer at hand at once; up to here its length is found out and sent
MAX_PIECES = 1000  # taken from an application before others get their turn

_is_length = re.compile("[0-9]{1,19}").fullmatch
_is_status = re.compile(r"([2-5][0-9]{2})(?: (.*))?").fullmatch
_split_host = re.compile(r"(.*?)(?::([0-9]*))?").fullmatch
_IN_PATHS = "/:@!$&'()*+,;=~"  # stay as they are in a path (RFC 3986, 3.3), as browsers send them
_IN_QUERIES = "".join(map(chr, range(0x21, 0x7F)))

# What is between two neighbours on the way, and no business of an application's (RFC 9110, 7.6.1).
_HOP_BY_HOP = ("Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
               "Te", "Trailer", "Trailers", "Transfer-Encoding", "Upgrade")  # fmt: skip

# HTTP_PROXY may be the variable that tells clients their proxy, password and all; the others come of fields
# named with "_".
_FALSE_FIELDS = ("HTTP_PROXY", "HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE")


def to_wsgi_str(s: bytes) -> str:
    """Return the bytes *s* as WSGI wants them: str, one character for each byte.

    Raises `UsageTypeError` for what is not bytes.
    """
    if not isinstance(s, bytes):
        raise UsageTypeError(f"to_wsgi_str got {type(s).__name__}, wanted bytes: encode text with utf8()")
    return s.decode("latin-1")


def from_wsgi_str(s: str) -> bytes:
    """Return the bytes that the WSGI str *s* stands for.

    Raises `UsageTypeError` for what is not str, UnicodeEncodeError for characters over U+00FF.
    """
    if not isinstance(s, str):
        raise UsageTypeError(f"from_wsgi_str got {type(s).__name__}, wanted str as it is in a WSGI environ")
    return s.encode("latin-1")


# -- in both directions --


def _latin1(text: str) -> str:
    """*text* as a WSGI str: what latin-1 does not have is sent as UTF-8, as our own server does."""
    try:
        text.encode("latin-1")
        return str(text)  # of subclasses of str, some servers want none
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("latin-1")


def _status(code: int, reason: str | None = None) -> str:
    line = format_status_line(code, reason)
    return _latin1(line.removeprefix("HTTP/1.1 ").removesuffix("\r\n"))


def _error_page(status: int) -> bytes:
    title = _status(status).replace(" ", ": ", 1)
    return f"<html><title>{title}</title><body>{title}</body></html>".encode()


def _error_headers(status: int) -> list[tuple[str, str]]:
    return [
        ("Content-Type", "text/html; charset=UTF-8"),
        ("Date", httputil.format_timestamp(time.time())),
        ("Content-Length", str(len(_error_page(status)))),
    ]


# -- our applications on other servers --


class WSGIApplication(web.Application):
    """A `tornado.web.Application` that is a WSGI application; the arguments are the same.

    Handlers see an `HTTPRequest` of this module.  Their output goes out when they have finished, which
    has to be when their method returns; ``flush()`` and ``@asynchronous`` raise RuntimeError.  There is
    no compression, no access log and no autoreload: servers bring their own.  Several threads may call it.
    """

    def __init__(self, handlers: list[Any] | None = None, default_host: str = "", **settings: Any) -> None:
        super().__init__(handlers, default_host, transforms=[], wsgi=True, **settings)

    def __call__(self, environ: Environ, start_response: Any) -> list[bytes]:  # type: ignore[override]
        """Answer the request in *environ*; returns the body in pieces (PEP 3333).

        A malformed one is answered with its status.  Raises `UsageError` when the handler did not finish.
        """
        try:
            request = HTTPRequest(environ)
        except WireError as error:
            log.info("malformed request from %s: %s", environ.get("REMOTE_ADDR", ""), error)
            return _refuse(error.status, environ, start_response)
        handler = super().__call__(request)
        if not handler._finished:
            raise UsageError(
                f"{type(handler).__name__} did not finish the request before its method returned:"
                " there is no later under WSGI"
            )
        status = handler._status_code
        start_response(_status(status, handler._reason), _fields(handler))
        if status in (204, 304) or request.method == "HEAD":
            return []
        return [bytes(chunk) for chunk in handler._write_buffer]  # of templates come subclasses of bytes


def _refuse(status: int, environ: Environ, start_response: Any) -> list[bytes]:
    start_response(_status(status), _error_headers(status))
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [_error_page(status)]


def _fields(handler: web.RequestHandler) -> list[tuple[str, str]]:
    """The headers of a finished *handler*, as far as they are its own to send."""
    unwanted = {*_HOP_BY_HOP}
    if handler._status_code == 204:
        unwanted |= {"Content-Type", "Content-Length"}
    fields = [(name, value) for name, value in handler._headers.get_all() if name not in unwanted]
    cookies = (handler._new_cookies or {}).values()
    fields += [("Set-Cookie", line) for line in cookies]
    return [(_latin1(name), _latin1(value)) for name, value in fields]


class HTTPRequest:
    """The request of a WSGI *environ*, to handlers the same as `tornado.httpserver.HTTPRequest`.

    All str: `method`, `path` (SCRIPT_NAME and PATH_INFO, percent-encoded), `uri` (with the query),
    `query`, `version` (always ``HTTP/1.1``), `remote_ip` ("" if unknown), `protocol`, `host`.  `headers`
    is an `HTTPHeaders`, `body` bytes; `arguments` maps str names to lists of bytes, `files` to lists of
    `HTTPFile`.  It has no connection, and no write and finish.

    Raises `WireError` for a body that is malformed, incomplete, or over `MAX_BODY_SIZE`.
    """

    _cookies: Any = None

    def __init__(self, environ: Environ) -> None:
        self._start_time = time.monotonic()
        self.method: str = environ["REQUEST_METHOD"]
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        self.path = url_quote(from_wsgi_str(path), safe=_IN_PATHS) or "/"
        self.query = url_quote(from_wsgi_str(environ.get("QUERY_STRING", "")), safe=_IN_QUERIES)
        self.uri = f"{self.path}?{self.query}" if self.query else self.path
        self.version = "HTTP/1.1"
        self.protocol: str = environ["wsgi.url_scheme"]
        self.remote_ip: str = environ.get("REMOTE_ADDR", "")
        self.host: str = environ.get("HTTP_HOST") or environ["SERVER_NAME"]
        self.headers = _read_headers(environ)
        self.body = _read_body(environ)
        self.arguments: dict[str, list[bytes]] = parse_urlencoded(self.query.encode("ascii"))
        self.files: dict[str, list[HTTPFile]] = {}
        if self.body:
            _read_form(self.headers.get("Content-Type", ""), self.body, self.arguments, self.files)

    @property
    def cookies(self) -> Any:
        """The cookies that came, an `http.cookies.SimpleCookie` of morsels by name; bad ones are left out."""
        if self._cookies is None:
            self._cookies = simple_cookie(self.headers.get("Cookie", ""))
        return self._cookies

    def supports_http_1_1(self) -> bool:
        """Return True: how the client is spoken to is the server's business."""
        return self.version == "HTTP/1.1"

    def full_url(self) -> str:
        """Return the whole URL: protocol, host and uri."""
        return f"{self.protocol}://{self.host}{self.uri}"

    def request_time(self) -> float:
        """Return how many seconds the request has taken so far."""
        return time.monotonic() - self._start_time

    def __repr__(self) -> str:
        # Neither query, headers nor body: what is logged must hold no credentials.
        names = ("protocol", "host", "method", "path", "version", "remote_ip")
        values = ", ".join(f"{name}={quote(getattr(self, name), 1024)}" for name in names)
        return f"{type(self).__name__}({values})"


def _read_headers(environ: Environ) -> HTTPHeaders:
    headers = HTTPHeaders()
    for key, value in environ.items():
        if key.startswith("HTTP_") and key not in _FALSE_FIELDS:
            headers[key[5:].replace("_", "-")] = value
    for key, name in (("CONTENT_TYPE", "Content-Type"), ("CONTENT_LENGTH", "Content-Length")):
        if environ.get(key):
            headers[name] = environ[key]
    return headers


def _read_body(environ: Environ) -> bytes:
    announced = environ.get("CONTENT_LENGTH") or "0"
    if not _is_length(announced):
        raise WireError(f"Content-Length is {quote(announced)}, wanted digits")
    left = int(announced)
    if left > MAX_BODY_SIZE:
        raise WireError(f"body of {left} bytes, limit is {MAX_BODY_SIZE}", 413)
    pieces: list[bytes] = []
    while left:
        piece = environ["wsgi.input"].read(min(left, READ_SIZE))
        if not piece:
            raise WireError(f"{left} bytes are missing of a body of {announced}")
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


# -- other applications on our server --


class WSGIContainer:
    """Makes of the WSGI application *wsgi_application* a request callback for HTTPServer or FallbackHandler.

    The application runs on the loop's thread, and everyone waits for it.  Its answer is sent whole if it
    is a list, or short (`PIECE_SIZE`); of a longer one a piece is asked for when the client has taken the
    one before.  Its ``close()`` is called in any case.  What it raises is logged, and answered with 500
    if nothing has been sent.

    Date, Server, Content-Type and Content-Length are added where they are missing.
    """

    def __init__(self, wsgi_application: WSGIFunction) -> None:
        self.wsgi_application = wsgi_application

    def __call__(self, request: Any) -> None:
        """Answer *request*, an HTTPRequest, by its ``write`` and ``finish``."""
        _Reply(self, request).run()

    @staticmethod
    def environ(request: Any) -> Environ:
        """Return the WSGI environ of *request*, which is left as it is.

        The body is at hand, whatever way it came: CONTENT_LENGTH is its size.  Fields named with ``_``,
        which would pass for others, and ``Proxy`` are left out.
        """
        split = _split_host(request.host)
        host, port = split.groups() if split else ("", "")
        environ = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": to_wsgi_str(unquote_to_bytes(request.path)),
            "QUERY_STRING": request.query,
            "REMOTE_ADDR": request.remote_ip,
            "SERVER_NAME": host or "127.0.0.1",
            "SERVER_PORT": port or ("443" if request.protocol == "https" else "80"),
            "SERVER_PROTOCOL": request.version,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": request.protocol,
            "wsgi.input": io.BytesIO(request.body or b""),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": False,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        _add_headers(environ, request)
        return environ


def _add_headers(environ: Environ, request: Any) -> None:
    headers = request.headers
    for name in headers:
        if name == "Content-Type":
            environ["CONTENT_TYPE"] = headers[name]
        elif "_" not in name and name not in ("Content-Length", "Proxy", "Transfer-Encoding"):
            separator = "; " if name == "Cookie" else ","
            environ["HTTP_" + name.upper().replace("-", "_")] = separator.join(headers.get_list(name))
    if request.body or "Content-Length" in headers:
        environ["CONTENT_LENGTH"] = str(len(request.body or b""))


class _Reply:
    """What an application answers to *request*: gathered until it is whole, or too long to wait for.

    `_start` and `_write` are for the application, `_send_next` runs for each piece; `_release` is the one
    end of the application's part, whether it is done, has failed or the client has gone.
    """

    def __init__(self, container: WSGIContainer, request: Any) -> None:
        self.container = container
        self.request = request
        self._connection: Any = getattr(request, "connection", None)
        self._code = 500
        self._reason: str | None = None
        self._headers: HTTPHeaders | None = None  # once the application has started its answer
        self._closes = False  # the connection ends with this answer
        self._output: Any = None  # what the application returned, until that is closed
        self._pieces: Iterator[bytes] = iter(())
        self._held: list[bytes] = []  # what the application gave and was not sent yet
        self._whole = False  # the answer is taken whole, whatever its size
        self._ended = False  # no more pieces are to come
        self._head_sent = False
        self._bodyless = False
        self._chunked = False
        self._left: int | None = None  # bytes to come of the Content-Length

    def run(self) -> None:
        """Call the application, and send what it answers or the beginning of it."""
        self._attempt(self._begin)

    def _attempt(self, step: Callable[[], None]) -> None:
        """Do *step*; if that fails, end the answer as well as still possible."""
        failed = True
        try:
            step()
            failed = False
        except Exception:
            log.error("the WSGI application failed for %r", self.request, exc_info=True)
        finally:
            if failed:  # also by SystemExit
                self._release()
        if failed:
            self._on_failed()

    def _begin(self) -> None:
        environ = self.container.environ(self.request)  # which subclasses may have overridden
        self._output = output = self.container.wsgi_application(environ, self._start)
        self._whole = isinstance(output, (list, tuple)) or self._connection is None
        self._pieces = iter(output)
        self._send_next()

    # -- what the application gives --

    def _start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """The start_response of PEP 3333; with *exc_info* it replaces what was not sent."""
        try:
            if exc_info is not None and self._head_sent:
                raise_exc_info(exc_info)
        finally:
            replaces = exc_info is not None
            exc_info = None  # its frames refer to this one
        if self._headers is not None and not replaces:
            raise UsageError("start_response was called twice: the second time needs exc_info")
        match = _is_status(check_reason(status))
        if match is None:
            raise ValueError(f"status is {status!r}, wanted one like '200 OK', from 200 to 599")
        self._headers, self._closes = _checked(headers)
        self._code, self._reason = int(match[1]), match[2]
        self._held.clear()
        return self._write

    def _write(self, data: bytes) -> None:
        if not isinstance(data, bytes):
            raise UsageTypeError(f"the WSGI application gave {quote(data)}, wanted bytes")
        self._held.append(data)

    def _gather(self) -> bytes:
        """Take pieces until there is enough to send, or there are no more."""
        size = sum([len(piece) for piece in self._held])
        count = 0
        while self._whole or (size < PIECE_SIZE and count < MAX_PIECES):
            try:
                piece = next(self._pieces)
            except StopIteration:
                self._ended = True
                break
            self._write(piece)
            size += len(piece)
            count += 1
        body = b"".join(self._held)
        self._held.clear()
        return body

    def _release(self) -> None:
        """Tell the application that nobody wants more (PEP 3333: in any case, and once)."""
        output, self._output = self._output, None
        self._pieces = iter(())
        close = getattr(output, "close", None)
        try:
            if close is not None:
                close()
        except Exception:
            log.error("close() of the WSGI application failed for %r", self.request, exc_info=True)

    # -- sending it --

    def _send_next(self) -> None:
        body = self._gather()
        data = self._framed(body) if self._head_sent else self._first_data(body)
        if not self._head_sent and not self._ended:
            self._connection.set_close_callback(self._release)
        self._head_sent = True
        if not self._ended:
            self.request.write(data, self._on_taken)
            return
        if data:
            self.request.write(data)
        self._release()
        self._finish()

    def _on_taken(self) -> None:
        if self._output is not None:  # else the client has gone
            self._attempt(self._send_next)

    def _first_data(self, body: bytes) -> bytes:
        """The head of the answer, and *body* after it."""
        headers = self._headers
        if headers is None:
            raise UsageError("the WSGI application did not call start_response before its output")
        self._frame(headers, len(body))
        data = self._framed(body)
        headers.setdefault("Date", httputil.format_timestamp(time.time()))
        headers.setdefault("Server", f"TornadoServer/{tornado.version}")
        if self._closes:
            headers["Connection"] = "close"
        elif _is_kept_1_0(self.request):
            headers["Connection"] = "Keep-Alive"
        return encode_head(format_status_line(self._code, self._reason), headers.get_all()) + data

    def _frame(self, headers: HTTPHeaders, size: int) -> None:
        """See to it that the client knows where the body, *size* of it at hand, ends (RFC 9112, 6)."""
        is_head = self.request.method == "HEAD"
        self._bodyless = is_head or self._code in (204, 304)
        if self._code in (204, 304):
            headers.pop("Content-Length", None)
        else:
            headers.setdefault("Content-Type", "text/html; charset=UTF-8")
            if self._ended and (size or not is_head):  # many leave out the body of HEAD themselves
                headers.setdefault("Content-Length", str(size))
        if self._bodyless:
            self._ended = True
        elif "Content-Length" in headers:
            self._left = int(headers["Content-Length"])
        elif self.request.supports_http_1_1():
            headers["Transfer-Encoding"] = "chunked"
            self._chunked = True
        else:
            self._closes = True

    def _framed(self, body: bytes) -> bytes:
        """*body* as it goes over the wire."""
        if self._bodyless:
            return b""
        if self._chunked:
            data = format_chunk(body) if body else b""
            return data + format_chunk(b"") if self._ended else data
        return body if self._left is None else self._counted(body, self._left)

    def _counted(self, body: bytes, left: int) -> bytes:
        """*body* as far as it fits the Content-Length that the application announced (RFC 9110, 8.6)."""
        if len(body) > left:
            log.error("%d bytes over the Content-Length of %r", len(body) - left, self.request)
            body = body[:left]
            self._ended = True
        self._left = left - len(body)
        if self._left and self._ended:
            log.error("%d bytes are missing of the Content-Length of %r", self._left, self.request)
            self._closes = True
        return body

    def _on_failed(self) -> None:
        self._code, self._closes = 500, True
        if not self._head_sent:
            headers = [*_error_headers(500), ("Connection", "close")]
            head = encode_head(format_status_line(500), headers)
            self.request.write(head if self.request.method == "HEAD" else head + _error_page(500))
            self._finish()
        elif self._connection is not None:
            self._connection.close()  # the client must not take what it has for all of it (RFC 9112, 8)

    def _finish(self) -> None:
        if self._closes and self._connection is not None:
            self._connection.no_keep_alive = True
        self.request.finish()
        _log(self._code, self.request)


def _checked(headers: list[tuple[str, str]]) -> tuple[HTTPHeaders, bool]:
    """The headers of an application that are its own to send, and whether it wants the connection closed."""
    fields = HTTPHeaders()
    for name, value in headers:
        if not isinstance(name, str) or not isinstance(value, str):
            raise UsageTypeError(f"got the header {name!r}: {quote(value)}, wanted two str")
        fields.add(check_field_name(name), check_field_value(value))
    length = fields.get("Content-Length")
    if length is not None and not _is_length(length):
        raise ValueError(f"Content-Length is {quote(length)}, wanted digits")
    closes = "close" in fields.get("Connection", "").lower()
    for name in _HOP_BY_HOP:
        fields.pop(name, None)
    return fields, closes


def _is_kept_1_0(request: Any) -> bool:
    """Whether an HTTP/1.0 client asked to keep the connection, and has to be told so (RFC 9112, 9.3)."""
    options = request.headers.get("Connection", "").lower().split(",")
    return not request.supports_http_1_1() and "keep-alive" in [option.strip(" \t") for option in options]


def _log(status: int, request: Any) -> None:
    """Write an answered request to the access log, as `tornado.web.Application.log_request` does."""
    level = logging.INFO if status < 400 else logging.WARNING if status < 500 else logging.ERROR
    if log.isEnabledFor(level):
        method = httputil._loggable(request.method)
        uri = httputil._loggable(httputil._without_secrets(request.uri, web.SECRET_ARGUMENTS))
        milliseconds = 1000.0 * request.request_time()
        log.log(level, "%d %s %s (%s) %.2fms", status, method, uri, request.remote_ip, milliseconds)

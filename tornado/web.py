"""The web framework: requests go to handlers, chosen by URL.

::

    import tornado.ioloop
    import tornado.web

    class MainHandler(tornado.web.RequestHandler):
        def get(self):
            self.write("Hello, world")

    application = tornado.web.Application([
        (r"/", MainHandler),
    ])

    if __name__ == "__main__":
        application.listen(8888)
        tornado.ioloop.IOLoop.instance().start()

Handlers are not thread-safe: `write`, `finish` and the rest belong to the loop's thread, and
`IOLoop.add_callback` is the way back to it.

`tornado.httpserver` is what serves an application; `tornado.wire` and `tornado.httputil` know the
protocol; matching URLs and changing output have their own closets, `_routes` and `_transforms`.
"""

import datetime
import difflib
import functools
import hmac
import http.client
import logging
import os.path
import re
import secrets
import sys
import time
import traceback
import urllib.parse
import weakref
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, TypeVar, cast

import tornado
from tornado import _static, _uimodules, httputil, locale, stack_context, template
from tornado._routes import HostGroup, URLSpec, add_group, add_names, make_specs
from tornado._transforms import ChunkedTransferEncoding, GZipContentEncoding, OutputTransform
from tornado._uimodules import TemplateModule, UIModule
from tornado.escape import _Markup, json_encode, utf8, xhtml_escape
from tornado.util import ObjectDict, UsageError
from tornado.wire import cookies as wire_cookies
from tornado.wire import quote
from tornado.wire.http1 import (
    check_field_name,
    check_field_value,
    check_reason,
    encode_head,
    format_status_line,
)

__all__ = [
    "Application",
    "ChunkedTransferEncoding",
    "ErrorHandler",
    "FallbackHandler",
    "GZipContentEncoding",
    "HTTPError",
    "OutputTransform",
    "RedirectHandler",
    "RequestHandler",
    "StaticFileHandler",
    "TemplateModule",
    "UIModule",
    "URLSpec",
    "addslash",
    "asynchronous",
    "authenticated",
    "create_signed_value",
    "decode_signed_value",
    "removeslash",
    "stream_request_body",
    "url",
]

log = logging.getLogger(__name__)

_Class = TypeVar("_Class", bound="type[RequestHandler]")
_Method = TypeVar("_Method", bound=Callable[..., Any])

MAX_HEADER_VALUE = 4000  # characters of a value given to set_header; 2.x refused longer ones too
MAX_READ_AT_ONCE = 64 * 1024  # bytes; a larger file is sent from the disk, not through memory

#: Names of arguments whose values are not logged; the setting ``secret_arguments`` replaces them.
SECRET_ARGUMENTS = ("password", "token", "secret", "_xsrf")

_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f]")
_is_length = re.compile("[0-9]{1,19}").fullmatch

_UNKNOWN: Any = object()
# What a 304 does not repeat (RFC 9110, 15.4.5).
_BODY_HEADERS = ("Content-Type", "Content-Length", "Content-Encoding", "Content-Language")

_NO_DEFAULT: Any = []
_ARG_DEFAULT = _NO_DEFAULT


class RequestHandler(stack_context._Guard):
    """Handles the requests of one URL pattern; subclass it and define ``get``, ``post`` and so on.

    A new instance is made for each request: ``initialize(**kwargs)`` of the URL spec, then `prepare`,
    then the method named like the HTTP method with the groups of the URL as arguments, then `finish`
    (unless the method is `asynchronous`) and `on_finish`.

    `application` is the `Application`, `request` the `tornado.httpserver.HTTPRequest`.
    """

    #: Seconds after which a request that is not finished gets 503; None for the setting of this name.
    response_timeout: float | None = None
    _streams_body = False  # see stream_request_body

    SUPPORTED_METHODS: tuple[str, ...] = ("GET", "HEAD", "POST", "DELETE", "PATCH", "PUT", "OPTIONS")

    # The state of a request that nothing has happened to; cheaper here than assigned for each one.
    _auto_finish = True
    _finished = False
    _headers_written = False
    _status_code = 200
    _reason: str | None = None
    _made_transforms: list[OutputTransform] | None = None  # None: the default ones, made when needed
    _sized = False  # the Content-Length is our own, and true
    _bodyless = False  # the status has no body, whatever is written
    _body_left: int | None = None  # bytes to come of the Content-Length that a flush announced
    _headers: httputil.HTTPHeaders
    _new_cookies: dict[tuple[bytes, bytes, bytes], str] | None = (
        None  # Set-Cookie lines by name, domain and path
    )
    _parked: "_Parked | None" = None
    _ui: Any = None
    _current_user: Any = _UNKNOWN
    _locale: Any = None
    _xsrf_token: bytes | None = None

    _template_loaders: dict[str, Any] = {}  # by template path, for all applications of the process

    def __init__(self, application: "Application", request: Any, **kwargs: Any) -> None:
        self.application = application
        self.request = request
        self.clear()
        self.initialize(**kwargs)

    def _initialize(self) -> None:
        """Called first, with the keyword arguments of the URL spec; override it to store them."""

    # Any signature may override it.
    initialize: Callable[..., Any] = _initialize

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the application: its keyword arguments."""
        return self.application.settings

    # -- the methods --

    def head(self, *args: Any, **kwargs: Any) -> Any:
        """Answer a HEAD request; 405 unless overridden.  It is not derived from `get`."""
        raise HTTPError(405)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """Answer a GET request; 405 unless overridden."""
        raise HTTPError(405)

    def post(self, *args: Any, **kwargs: Any) -> Any:
        """Answer a POST request; 405 unless overridden."""
        raise HTTPError(405)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        """Answer a DELETE request; 405 unless overridden."""
        raise HTTPError(405)

    def patch(self, *args: Any, **kwargs: Any) -> Any:
        """Answer a PATCH request; 405 unless overridden."""
        raise HTTPError(405)

    def put(self, *args: Any, **kwargs: Any) -> Any:
        """Answer a PUT request; 405 unless overridden."""
        raise HTTPError(405)

    def options(self, *args: Any, **kwargs: Any) -> Any:
        """Answer an OPTIONS request; 405 unless overridden."""
        raise HTTPError(405)

    def prepare(self) -> Any:
        """Called before the method, whichever it is; if it finishes the request, the method is not called."""

    def on_finish(self) -> Any:
        """Called after the response has been handed to the connection; it must produce no more output."""

    def on_connection_close(self) -> Any:
        """Called once if the client goes away while the request is not finished.

        Useful to forget a client that waits.  A proxy in between may keep the connection open, so do not
        count on it.
        """

    # -- input --

    def get_argument(self, name: str, default: Any = _ARG_DEFAULT, strip: bool = True) -> Any:
        """Return the last value of the argument *name*, as str, or *default*.

        Arguments are those of the query string and of a form body.  Without *default* an absent one
        raises `HTTPError` 400.  The value comes without blanks around it unless *strip* is false.
        """
        values = self.get_arguments(name, strip=strip)
        if values:
            return values[-1]
        if default is _ARG_DEFAULT:
            raise HTTPError(400, "Missing argument %s", name)
        return default

    def get_arguments(self, name: str, strip: bool = True) -> list[Any]:
        """Return all values of the argument *name* as a list of str, empty without any."""
        values = []
        for raw in self.request.arguments.get(name, ()):
            value = self.decode_argument(raw, name=name)
            if isinstance(value, str):
                # Tabs and line ends survive, other controls have no business in text.
                value = _CONTROLS.sub(" ", value)
                if strip:
                    value = value.strip()
            values.append(value)
        return values

    def decode_argument(self, value: bytes, name: str | None = None) -> Any:
        """Return an argument's or path group's bytes as str; an override may return something else.

        *name* is None for a path group without a name.  What is not UTF-8 raises `HTTPError` 400.
        """
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            raise HTTPError(400, "Invalid unicode in %s", name or "url") from None

    def _decode_path_argument(self, value: bytes | None, name: str | None = None) -> Any:
        return None if value is None else self.decode_argument(value, name=name)

    # -- output --

    def clear(self) -> None:
        """Take back the status, headers and body written so far, and call `set_default_headers`."""
        self._headers = httputil.HTTPHeaders._adopt(_default_headers(), None)
        self._write_buffer: list[bytes] = []
        self._status_code = 200
        self._reason = None
        if self.request.version != "HTTP/1.1":
            self._keep_alive_1_0()
        self.set_default_headers()

    def _keep_alive_1_0(self) -> None:
        """Tell an HTTP/1.0 client that its wish to keep the connection is met (RFC 9112, 9.3)."""
        options = self.request.headers.get("Connection", "").lower().split(",")
        if "keep-alive" in [option.strip(" \t") for option in options]:
            self._headers["Connection"] = "Keep-Alive"

    def set_default_headers(self) -> None:
        """Called at the beginning, and again before an error page; override it to set headers for all."""

    def set_status(self, status_code: int, reason: str | None = None) -> None:
        """Set the response's status, 200 to 599; a code that is not standard needs a *reason*.

        Raises ValueError for others.
        """
        if not isinstance(status_code, int) or not 200 <= status_code <= 599:
            raise ValueError(f"status is {status_code!r}, wanted 200 to 599")
        if reason is None and status_code not in http.client.responses:
            raise ValueError(
                f"{status_code} is not a standard status: pass a reason, set_status({status_code}, ...)"
            )
        self._status_code = status_code
        self._reason = reason if reason is None else check_reason(reason)

    def get_status(self) -> int:
        """Return the status code of the response."""
        return self._status_code

    def set_header(self, name: str, value: str | bytes | int | datetime.datetime) -> None:
        """Set the header *name*, replacing all earlier values.

        A datetime (naive: UTC) is sent as an HTTP date.  Raises ValueError for control characters, more
        than 4000 characters, or a name that is none; TypeError for other types.
        """
        self._headers[_header_name(name)] = _header_value(value)

    def add_header(self, name: str, value: str | bytes | int | datetime.datetime) -> None:
        """Add a value to the header *name*, which may be sent several times."""
        self._headers.add(_header_name(name), _header_value(value))

    def clear_header(self, name: str) -> None:
        """Take back the header *name*, if it is set."""
        self._headers.pop(name, None)

    def write(self, chunk: str | bytes | dict[Any, Any]) -> None:
        """Add *chunk* to the response; it is sent by `flush` or `finish`.

        str is sent as UTF-8.  A dict is sent as JSON, with the Content-Type of it; set another one
        *after* this call.  A list is refused on purpose: old browsers ran a JSON list as a script.
        """
        if self._finished:
            raise UsageError("cannot write() after finish(): the request is over; is @asynchronous missing?")
        if isinstance(chunk, dict):
            self._headers["Content-Type"] = "application/json; charset=UTF-8"
            chunk = json_encode(chunk)
        elif not isinstance(chunk, (str, bytes)):
            raise TypeError(
                f"write() got a {type(chunk).__name__}, wanted str, bytes or a dict;"
                " wrap a list in a dict, encode other values with json_encode or str"
            )
        self._write_buffer.append(chunk.encode("utf-8") if isinstance(chunk, str) else chunk)

    def redirect(self, url: str, permanent: bool = False, status: int | None = None) -> None:
        """Send the client to *url* and finish the request.

        A relative url is taken from the request's; it gets no scheme and host.  The status is 302, 301
        if *permanent*, or *status* (300 to 399).  Raises ValueError if *url* has control characters.
        """
        if self._headers_written:
            raise UsageError(
                "cannot redirect after headers have been written: flush() came before redirect()"
            )
        if status is None:
            status = 301 if permanent else 302
        elif not isinstance(status, int) or not 300 <= status <= 399:
            raise ValueError(f"status is {status!r}, wanted 300 to 399")
        self.set_header("Location", httputil._location(self.request.uri, utf8(url).decode("utf-8")))
        self.set_status(status)
        self._call_finish()

    def flush(self, include_footers: bool = False, callback: Callable[[], Any] | None = None) -> None:
        """Send what has been written so far; the first time, the headers before it.

        ``callback()`` runs once it is with the system: wait for it before the next piece, so that no
        more is held than one piece.  *include_footers* is for `finish` alone.
        """
        if self.application._wsgi:
            raise RuntimeError("WSGI applications do not support flush()")
        buffer = self._write_buffer
        chunk = buffer[0] if len(buffer) == 1 else b"".join(buffer)
        self._write_buffer = []
        if self._headers_written:
            for transform in self._transforms:
                chunk = transform.transform_chunk(chunk, include_footers)
            data = self._counted(chunk)
        else:
            data = self._first_data(chunk, include_footers)
            self._headers_written = True  # not before: what fails so far still ends as an error page
        if self._body_left and include_footers and self.request.method != "HEAD":
            log.error("%d bytes are missing of the Content-Length of %r", self._body_left, self.request)
            self._close_after_reply()
        if data or callback is not None:
            self.request.write(data, callback)

    def _first_data(self, chunk: bytes, finishing: bool) -> bytes:
        """The head of the response, and *chunk* after it."""
        headers = self._headers
        if self._made_transforms is None and self._sized:
            transforms: Sequence[OutputTransform] = ()  # it does not come in pieces
        else:
            transforms = self._transforms
        for transform in transforms:
            self._status_code, headers, chunk = transform.transform_first_chunk(
                self._status_code, headers, chunk, finishing
            )
        if transforms or not self._sized:
            chunk = self._frame(headers, chunk)
        request = self.request
        if not getattr(request, "_keep_alive", True) or getattr(request.connection, "no_keep_alive", False):
            _set(headers, "Connection", "close")
        if _has(headers, "Connection"):
            self._heed_connection(headers["Connection"])
        status_line = format_status_line(self._status_code, self._reason)
        fields: Iterable[tuple[str, str]] = _items(headers) if headers._lists is None else headers.get_all()
        if self._new_cookies is not None:
            fields = [*fields, *[("Set-Cookie", line) for line in self._new_cookies.values()]]
        head = encode_head(status_line, fields)
        return head if self.request.method == "HEAD" else head + chunk

    def _frame(self, headers: httputil.HTTPHeaders, chunk: bytes) -> bytes:
        """See to it that the client will know where the body ends (RFC 9112, 6); return *chunk* to fit."""
        status = self._status_code
        if status == 204 or status == 304:
            headers.pop("Transfer-Encoding", None)
            for name in _BODY_HEADERS if status == 304 else ("Content-Length",):
                headers.pop(name, None)
            self._bodyless = True
            return b""
        length = headers.get("Content-Length")
        if length is not None:
            if not _is_length(length):
                raise ValueError(f"Content-Length is {quote(length)}, wanted digits")
            self._body_left = int(length)
            return self._counted(chunk)
        if "Transfer-Encoding" not in headers:
            self._close_after_reply()
        return chunk

    def _counted(self, chunk: bytes) -> bytes:
        """*chunk* as far as it fits the Content-Length that was announced (RFC 9110, 8.6)."""
        if self._bodyless or self.request.method == "HEAD":
            return b""
        if self._body_left is None:
            return chunk
        if len(chunk) > self._body_left:
            log.error("%d bytes over the Content-Length of %r", len(chunk) - self._body_left, self.request)
            chunk = chunk[: self._body_left]
        self._body_left -= len(chunk)
        return chunk

    def _close_after_reply(self) -> None:
        self._headers["Connection"] = "close"
        self._heed_connection("close")

    def _heed_connection(self, value: str) -> None:
        """Do what the response's own Connection field says."""
        connection = getattr(self.request, "connection", None)
        if connection is not None and "close" in value.lower():
            connection.no_keep_alive = True

    def finish(self, chunk: str | bytes | dict[Any, Any] | None = None) -> None:
        """End the response, with *chunk* as its last part."""
        if self._finished:
            raise UsageError("finish() called twice; an asynchronous handler may need @asynchronous")
        if chunk is not None:
            self.write(chunk)
        if not self._headers_written:
            self._complete_headers()
        if not self.application._wsgi:
            self.flush(include_footers=True)
            self.request.finish()
        self._finished = True
        if self._parked is not None:
            self._parked.end()
        try:
            if not self.application._wsgi:
                self._log()
        finally:
            self._release_ui()
            self.on_finish()

    def _call_finish(self, chunk: str | bytes | None = None) -> None:
        """Call `finish`, which programs also override without its argument."""
        if chunk is not None:
            self.write(chunk)
        self.finish()

    def _complete_headers(self) -> None:
        """Set Etag and Content-Length of a response whose body is all at hand."""
        headers = self._headers
        if self._status_code == 200 and self.request.method in ("GET", "HEAD"):
            etag = headers["Etag"] if _has(headers, "Etag") else self.compute_etag()
            if etag is not None:
                _set(headers, "Etag", etag)
                if _has(self.request.headers, "If-None-Match"):
                    self._check_etag(etag)
        if self._status_code == 304:
            self._write_buffer = []
            for name in _BODY_HEADERS:
                headers.pop(name, None)
        elif self._status_code != 204 and not _has(headers, "Content-Length"):
            buffer = self._write_buffer
            size = len(buffer[0]) if len(buffer) == 1 else sum([len(part) for part in buffer])
            _set(headers, "Content-Length", str(size))
            self._sized = True

    def _check_etag(self, etag: str) -> None:
        """Answer 304 when the client has this very response already (RFC 9110, 13.1.2)."""
        given = ",".join(self.request.headers.get_list("If-None-Match"))
        if httputil.etag_matches(given, etag):
            self.set_status(304)

    def compute_etag(self) -> str | None:
        """Return the Etag of the response, of what has been written; None for no Etag.  May be overridden."""
        buffer = self._write_buffer
        hasher = _sha1(buffer[0] if len(buffer) == 1 else b"".join(buffer))
        return f'"{hasher.hexdigest()}"'

    # -- cookies --

    @property
    def cookies(self) -> Any:
        """The cookies that came with the request, morsels by name; see `HTTPRequest.cookies`."""
        return self.request.cookies

    # Programs of 2.x reach for this name.
    _cookies = cookies

    def get_cookie(self, name: str, default: Any = None) -> Any:
        """Return the value of the cookie *name* that came with the request, str; or *default*."""
        cookies = self.request.cookies
        return cookies[name].value if name in cookies else default

    def set_cookie(
        self,
        name: str,
        value: str | bytes,
        domain: str | None = None,
        expires: datetime.datetime | float | None = None,
        path: str | None = "/",
        expires_days: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Set the cookie *name* to *value*.

        *expires* is a naive UTC or aware datetime, or seconds since the epoch; *expires_days* counts from
        now and is used without it; without both the cookie ends with the browser.  Further keywords are
        attributes: ``max_age`` (seconds), ``secure``, ``httponly``, ``samesite`` ("Lax", "Strict",
        "None").  The same name, domain and path set again replaces the first.  Raises ValueError for
        what a cookie cannot hold.
        """
        if expires is None and expires_days is not None:
            expires = time.time() + expires_days * 86400
        line = wire_cookies.format_set_cookie(
            name, value, domain=domain, expires=expires, path=path, **kwargs
        )
        if self._new_cookies is None:
            self._new_cookies = {}
        self._new_cookies[utf8(name), utf8(domain or ""), utf8(path or "")] = line

    def clear_cookie(self, name: str, path: str | None = "/", domain: str | None = None) -> None:
        """Delete the cookie *name*, which has to be named with the path and domain it was set with."""
        secure = name.lower().startswith(("__host-", "__secure-"))  # which these names promise
        expires = time.time() - 365 * 86400
        self.set_cookie(name, "", domain=domain, path=path, expires=expires, secure=secure)

    def clear_all_cookies(self) -> None:
        """Delete all cookies that came with the request, as far as they have the path / and no domain."""
        for name in self.request.cookies:
            self.clear_cookie(name)

    def set_secure_cookie(
        self,
        name: str,
        value: str | bytes,
        expires_days: float | None = 30,
        version: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Set a signed cookie, which `get_secure_cookie` reads and nobody else can make.

        Needs the setting ``cookie_secret``.  Its value can be read by the user all the same.  It is HttpOnly
        and SameSite=Lax unless *kwargs* (see `set_cookie`) say otherwise.  *expires_days* of None makes a
        cookie that ends with the browser.
        """
        given = {key.lower() for key in kwargs}
        defaults = {"httponly": True, "samesite": "Lax"}
        kwargs.update({key: value for key, value in defaults.items() if key not in given})
        self.set_cookie(
            name, self.create_signed_value(name, value, version), expires_days=expires_days, **kwargs
        )

    def create_signed_value(self, name: str, value: str | bytes, version: int | None = None) -> bytes:
        """Return *value* signed for *name*, bytes of ASCII: what `set_secure_cookie` sends."""
        secret = self._cookie_secret("secure cookies")
        return create_signed_value(secret, name, value, version, self.settings.get("key_version"))

    def get_secure_cookie(
        self,
        name: str,
        value: str | bytes | None = None,
        max_age_days: float = 31,
        min_version: int | None = None,
    ) -> bytes | None:
        """Return the value of the signed cookie *name*, bytes; None if it is absent, forged or too old.

        *value* is a signed value from elsewhere to check instead.  *min_version* 1 admits the values of
        2.x, signed with SHA-1; 2 is the default.
        """
        secret = self._cookie_secret("secure cookies")
        if value is None:
            value = self.get_cookie(name)
        decoded = decode_signed_value(secret, name, value, max_age_days, min_version)
        if value and decoded is None:
            log.debug("the signed value of %s is not valid", quote(name))  # its text is nobody's business
        return decoded

    def get_secure_cookie_key_version(self, name: str, value: str | bytes | None = None) -> int | None:
        """Return which key of a dict ``cookie_secret`` signed the cookie *name*; None if it is not signed."""
        value = self.get_cookie(name) if value is None else value
        return None if value is None else wire_cookies.key_version_of(utf8(value))

    def _cookie_secret(self, feature: str) -> Any:
        self.require_setting("cookie_secret", feature)
        return self.settings["cookie_secret"]

    # -- users --

    @property
    def current_user(self) -> Any:
        """The user of this request: what `get_current_user` returned, asked once.  May be assigned."""
        if self._current_user is _UNKNOWN:
            self._current_user = self.get_current_user()
        return self._current_user

    @current_user.setter
    def current_user(self, user: Any) -> None:
        self._current_user = user

    def get_current_user(self) -> Any:
        """Return the user, anything true; None for nobody.  To be overridden, to read a signed cookie say."""
        return None

    def get_login_url(self) -> str:
        """Return where `authenticated` sends people to; the setting ``login_url`` unless overridden."""
        self.require_setting("login_url", "@tornado.web.authenticated")
        url: str = self.settings["login_url"]
        return url

    # -- cross-site request forgery --

    @property
    def xsrf_token(self) -> str:
        """The token that forms have to send back, masked afresh each time it is asked for.

        Asking for it sets the cookie, if the request did not bring one.
        """
        if self._xsrf_token is None:
            cookie_name = self.settings.get("xsrf_cookie_name", "_xsrf")
            self._xsrf_token = wire_cookies.unmask_token(self.get_cookie(cookie_name))
            if self._xsrf_token is None:
                self._xsrf_token = secrets.token_bytes(16)
                kwargs = dict(self.settings.get("xsrf_cookie_kwargs", {}))
                kwargs.setdefault("expires_days", 30 if self.current_user else None)
                if "samesite" not in {key.lower() for key in kwargs}:
                    kwargs["samesite"] = "Lax"
                self.set_cookie(cookie_name, self._masked_xsrf_token(), **kwargs)
        return self._masked_xsrf_token()

    def _masked_xsrf_token(self) -> str:
        assert self._xsrf_token is not None
        return wire_cookies.mask_token(self._xsrf_token, secrets.token_bytes(4))

    def check_xsrf_cookie(self) -> None:
        """Raise `HTTPError` 403 unless the request shows that it comes from a page of this site.

        Called before `prepare` for every method but GET, HEAD and OPTIONS, with the setting
        ``xsrf_cookies``.  The token has to come as the argument ``_xsrf``, or in the header ``X-XSRFToken``
        or ``X-CSRFToken``, and to match the cookie.  Override it to do nothing for handlers that do not
        know their users by cookies.
        """
        headers = self.request.headers
        if headers.get("Sec-Fetch-Site") == "cross-site":
            raise HTTPError(403, "the browser says that another site sent this request (Sec-Fetch-Site)")
        given = self.get_argument("_xsrf", None) or headers.get("X-XSRFToken") or headers.get("X-CSRFToken")
        if not given:
            raise HTTPError(
                403,
                "'_xsrf' argument missing from %s: put {%% module xsrf_form_html() %%} into the form, or send"
                " the cookie's value in the header X-XSRFToken",
                self.request.method,
            )
        sent = wire_cookies.unmask_token(given)
        expected = wire_cookies.unmask_token(self.get_cookie(self.settings.get("xsrf_cookie_name", "_xsrf")))
        if expected is None:
            raise HTTPError(403, "XSRF cookie missing: the page with the form has to be asked for first")
        if sent is None or not hmac.compare_digest(sent, expected):
            raise HTTPError(403, "XSRF cookie does not match %s argument", self.request.method)

    def xsrf_form_html(self) -> str:
        """Return the hidden field that every form needs with the setting ``xsrf_cookies``."""
        return _Markup(f'<input type="hidden" name="_xsrf" value="{xhtml_escape(self.xsrf_token)}"/>')

    # -- locale --

    @property
    def locale(self) -> Any:
        """The `tornado.locale.Locale` of this request: the user's, else the browser's."""
        if self._locale is None:
            chosen = self.get_user_locale()
            if chosen and isinstance(chosen, str):
                chosen = locale.get(chosen)
            self._locale = chosen or self.get_browser_locale()
        return self._locale

    def get_user_locale(self) -> Any:
        """Return the locale the user has chosen, a Locale or a code; None (the default) for no choice."""
        return None

    def get_browser_locale(self, default: str = "en_US") -> Any:
        """Return the supported locale that fits the Accept-Language header best; *default* without one."""
        codes = locale._parse_accept_language(self.request.headers.get("Accept-Language", ""))
        return locale.get(*codes) if codes else locale.get(default)

    # -- templates --

    def render(self, template_name: str, **kwargs: Any) -> None:
        """Finish with the template rendered with *kwargs*, and with what its UI modules bring along."""
        page = self.render_string(template_name, **kwargs)
        modules = None if self._ui is None else self._ui["modules"]
        self.finish(page if modules is None else modules.embed(page))

    def render_string(self, template_name: str, **kwargs: Any) -> bytes:
        """Return the template rendered with *kwargs*, UTF-8 bytes.

        It is looked for below `get_template_path`, or beside the file of the calling handler.
        """
        path = self.get_template_path() or _calling_folder(sys._getframe(1))
        loader = RequestHandler._template_loaders.get(path)
        if loader is None:
            loader = RequestHandler._template_loaders[path] = self.create_template_loader(path)
        namespace = self.get_template_namespace()
        namespace.update(kwargs)
        rendered: bytes = loader.load(template_name).generate(**namespace)
        return rendered

    def get_template_namespace(self) -> dict[str, Any]:
        """Return what every template sees; an override may add to it."""
        current = self.locale
        namespace = {
            "handler": self,
            "request": self.request,
            "current_user": self.current_user,
            "locale": current,
            "_": current.translate,
            "static_url": self.static_url,
            "xsrf_form_html": self.xsrf_form_html,
            "reverse_url": self.reverse_url,
        }
        namespace.update(self.ui)
        return namespace

    def get_template_path(self) -> str | None:
        """Return the folder of the templates: the setting ``template_path``, None for beside the handler."""
        path: str | None = self.settings.get("template_path")
        return path

    def create_template_loader(self, template_path: str) -> Any:
        """Return a new loader for *template_path*; the setting ``template_loader`` if there is one."""
        if self.settings.get("template_loader") is not None:
            return self.settings["template_loader"]
        if "autoescape" in self.settings:  # None is a choice too
            return template.Loader(template_path, autoescape=self.settings["autoescape"])
        return template.Loader(template_path)

    @property
    def ui(self) -> Any:
        """The UI methods, with this handler as first argument, and the UI modules as ``ui.modules``."""
        if self._ui is None:
            self._ui = _uimodules.make_ui(self, self.application.ui_methods, self.application.ui_modules)
        return self._ui

    def _release_ui(self) -> None:
        """Let go of what refers to this handler."""
        if self._ui is not None:
            self._ui["modules"].clear()
            self._ui = None

    def static_url(self, path: str, include_host: bool | None = None) -> str:
        """Return the URL of a static file, with a version, so that browsers may keep it for years.

        Needs the setting ``static_path``.  *include_host* (by default the handler's attribute of that name)
        makes it absolute.
        """
        self.require_setting("static_path", "static_url")
        handler_class = self.settings.get("static_handler_class", StaticFileHandler)
        if include_host is None:
            include_host = getattr(self, "include_host", False)
        base = f"{self.request.protocol}://{self.request.host}" if include_host else ""
        url: str = base + handler_class.make_static_url(self.settings, path)
        return url

    # -- errors --

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Answer with the error page of *status_code*; *kwargs* go to `write_error`.

        What has been written is dropped; if headers have been sent already, the response just ends.
        """
        if self._headers_written:
            log.error("cannot send the error response %d: headers have been written", status_code)
            if not self._finished:
                self._abandon()
            return
        error = kwargs.get("exc_info", (None, None, None))[1]
        own = isinstance(error, HTTPError) and error.status_code == status_code and error.sendable()
        reason = error.reason if own else None
        self._begin_error(status_code, reason)
        try:
            self.write_error(status_code, **kwargs)
        except Exception:
            log.error("the error page of %r failed", self.request, exc_info=True)
            if not self._headers_written:
                self._begin_error(status_code, reason)
        if not self._finished:
            self._call_finish()

    def _abandon(self) -> None:
        """Break the response off: the client must not take what it has for all of it (RFC 9112, 8)."""
        self._finished = True
        if self._parked is not None:
            self._parked.end()
        connection = getattr(self.request, "connection", None)
        if connection is not None:
            connection.set_close_callback(None)
            connection.close()
        self._release_ui()
        try:
            self._log()
        finally:
            self.on_finish()

    def _begin_error(self, status_code: int, reason: str | None) -> None:
        self.clear()
        self._sized = self._bodyless = False  # a response that failed half-way may have set them
        self._body_left = None
        self.set_status(status_code, reason)
        if status_code == 405:
            self.set_header("Allow", ", ".join(self._allowed_methods()))

    def _allowed_methods(self) -> list[str]:
        """The methods that this handler overrides, for the Allow header (RFC 9110, 10.2.1)."""
        return [
            method
            for method in self.SUPPORTED_METHODS
            if getattr(type(self), method.lower(), None) is not getattr(RequestHandler, method.lower(), None)
        ]

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write the page for *status_code* and finish; may be overridden.

        ``kwargs["exc_info"]`` has the exception, if there was one.  By default it is what
        `get_error_html` returns; in debug mode, the traceback.
        """
        overridden = type(self).get_error_html is not RequestHandler.get_error_html
        if "exc_info" in kwargs and self.settings.get("debug") and not overridden:
            self.set_header("Content-Type", "text/plain; charset=UTF-8")
            self.set_header("X-Content-Type-Options", "nosniff")
            self._call_finish("".join(traceback.format_exception(*kwargs["exc_info"])))
            return
        if "exc_info" in kwargs:
            kwargs["exception"] = kwargs.pop("exc_info")[1]
        self._call_finish(self.get_error_html(status_code, **kwargs))

    def get_error_html(self, status_code: int, **kwargs: Any) -> str | bytes:
        """Return the page for *status_code*; may be overridden.

        ``kwargs["exception"]`` is the exception, if there was one.
        """
        reason = xhtml_escape(self._reason or http.client.responses.get(status_code, "Unknown"))
        title = f"{status_code}: {reason}"
        return f"<html><title>{title}</title><body>{title}</body></html>"

    # -- bodies that are handled as they come --

    def data_received(self, chunk: bytes) -> Any:
        """Called with each piece of the request's body; for classes with `stream_request_body`."""
        raise UsageError(f"{type(self).__name__} has @stream_request_body and has to define data_received()")

    def _begin_body(
        self, transforms: list[OutputTransform] | None, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Run `prepare`, before the body has come."""
        self._made_transforms = transforms
        self._path_arguments = args, kwargs
        self._guarded(self._prepare_method)

    def _receive(self, chunk: bytes) -> None:
        if not self._finished:
            self._guarded(self.data_received, chunk)

    def _end_body(self, request: Any) -> None:
        """Call the method, now that the body has come."""
        if not self._finished:
            args, kwargs = self._path_arguments
            self._guarded(self._call_method, args, kwargs)
        if not self._finished:
            self.application._after_method(self)

    def _guarded(self, function: Callable[..., Any], *args: Any) -> None:
        token = stack_context._enter(self)
        try:
            function(*args)
        except Exception as error:
            self._handle_request_exception(error)
        finally:
            stack_context._leave(token)

    # -- the life of a request --

    @property
    def _transforms(self) -> list[OutputTransform]:
        """The output transforms of this response, under the name they had in 2.x."""
        if self._made_transforms is None:
            self._made_transforms = [ChunkedTransferEncoding(self.request)]
        return self._made_transforms

    @_transforms.setter
    def _transforms(self, transforms: list[OutputTransform]) -> None:
        self._made_transforms = transforms

    def _execute(
        self, transforms: list[OutputTransform] | None, *args: bytes | None, **kwargs: bytes | None
    ) -> None:
        """Run `prepare` and the method; *args* and *kwargs* are the groups of the URL."""
        self._made_transforms = transforms
        token = stack_context._enter(self)
        try:
            self._prepare_method()
            if not self._finished:
                self._call_method(args, kwargs)
        except Exception as error:
            self._handle_request_exception(error)
        finally:
            stack_context._leave(token)

    def _prepare_method(self) -> None:
        """All that comes before the method, which is not called if this finishes the request."""
        method = self.request.method
        if method not in self.SUPPORTED_METHODS:
            raise HTTPError(405)
        if self.settings.get("xsrf_cookies") and method not in ("GET", "HEAD", "OPTIONS"):
            self.check_xsrf_cookie()
        self.prepare()

    def _call_method(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if args:
            args = tuple([self._decode_path_argument(arg) for arg in args])
        if kwargs:
            kwargs = {name: self._decode_path_argument(arg, name) for name, arg in kwargs.items()}
        getattr(self, self.request.method.lower())(*args, **kwargs)
        if self._auto_finish and not self._finished:
            self.finish()

    def _offer(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """What fails in anything that the method started ends as this request's error page."""
        if not isinstance(value, Exception):
            return False
        try:
            self._handle_request_exception(value, (kind, value, trace))
        except Exception:
            log.error("the error handling of %r failed", self.request, exc_info=True)
            connection = getattr(self.request, "connection", None)
            if connection is not None:
                connection._on_callback_failed()
        return True

    def _stack_context_handle_exception(
        self, kind: type[BaseException], value: BaseException, trace: TracebackType | None
    ) -> bool:
        """The handler of this request's exceptions, under the name it had in 2.x."""
        return self._offer(kind, value, trace)

    def _handle_request_exception(self, error: Exception, exc_info: Any = None) -> None:
        exc_info = exc_info or sys.exc_info()
        status = 500
        if isinstance(error, HTTPError):
            if error.log_message:
                log.warning("%d %s: %s", error.status_code, self._request_summary(), error.logged())
            if error.sendable():
                status = error.status_code
            else:
                log.error("Bad HTTP status code: %r", error.status_code)
        else:
            log.error("Uncaught exception %s\n%r", self._request_summary(), self.request, exc_info=exc_info)
        if not self._finished:
            self.send_error(status, exc_info=exc_info)

    def async_callback(self, callback: Callable[..., Any] | None, *args: Any, **kwargs: Any) -> Any:
        """Return *callback*, with *args* and *kwargs* bound, so that what it raises ends as an error page.

        The older form of what every callback now does by itself.  None gives None.
        """
        if callback is None:
            return None
        return functools.partial(_call_for_request, self, functools.partial(callback, *args, **kwargs))

    def _log(self) -> None:
        """Write this request to the access log; override it to do nothing and one handler is silent."""
        self.application.log_request(self)

    def _request_summary(self) -> str:
        request = self.request
        secret = self.settings.get("secret_arguments", SECRET_ARGUMENTS)
        uri = httputil._without_secrets(request.uri, secret)
        return f"{httputil._loggable(request.method)} {httputil._loggable(uri)} ({request.remote_ip})"

    def require_setting(self, name: str, feature: str = "this feature") -> None:
        """Raise RuntimeError unless the application's setting *name* is there (and not false)."""
        if not self.settings.get(name):
            raise RuntimeError(
                f"{feature} needs the setting {name!r}, which is not set: pass Application(..., {name}=...)"
            )

    def reverse_url(self, name: str, *args: Any) -> str:
        """Return the URL path of the handler named *name*; see `Application.reverse_url`."""
        return self.application.reverse_url(name, *args)


# For names in their normal form, without the normalising of HTTPHeaders.
_has = dict.__contains__
_set = dict.__setitem__
_items = dict.items

try:  # the one built in begins sooner than OpenSSL's, and what most pages hash is short
    from _sha1 import sha1 as _sha1  # type: ignore[import-not-found]
except ImportError:
    from hashlib import sha1 as _sha1


_server_header = f"TornadoServer/{tornado.version}"
_defaults: tuple[int, dict[str, str]] = (0, {})  # the second they are of, and the headers


def _default_headers() -> dict[str, str]:
    """What every response begins with, made once a second: the date is in it."""
    global _defaults
    now = int(time.time())
    made, headers = _defaults  # replaced as one: the threads of a WSGI server share it
    if made != now:
        headers = {
            "Server": _server_header,
            "Content-Type": "text/html; charset=UTF-8",
            "Date": httputil.format_timestamp(now),
        }
        _defaults = (now, headers)
    return headers


@functools.lru_cache(maxsize=1000)
def _header_name(name: str) -> str:
    return check_field_name(name)


def _header_value(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    elif isinstance(value, datetime.datetime):
        return httputil.format_timestamp(value)
    elif isinstance(value, int):
        return str(value)
    elif not isinstance(value, str):
        raise TypeError(
            f"header value {value!r} is a {type(value).__name__}, wanted str, bytes, int or datetime"
        )
    if len(value) > MAX_HEADER_VALUE:
        raise ValueError(
            f"header value {quote(value)} has {len(value)} characters, the limit is {MAX_HEADER_VALUE}"
        )
    return check_field_value(value)


def _call_for_request(handler: RequestHandler, callback: Callable[[], Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return callback(*args, **kwargs)
    except Exception as error:
        if handler._headers_written:
            log.error("Exception after headers written", exc_info=True)
        else:
            handler._handle_request_exception(error)
    return None


def _calling_folder(frame: Any) -> str:
    """The folder of the first file on the stack that is neither ours nor a template: where the handler is."""
    ours = (__file__, _uimodules.__file__, template.__file__)
    while frame.f_code.co_filename in ours or "__name__" not in frame.f_globals:  # as in a template's code
        frame = frame.f_back
    file: str = frame.f_code.co_filename
    return os.path.dirname(os.path.abspath(file))


# -- signed values --


def create_signed_value(
    secret: Any,
    name: str,
    value: str | bytes,
    version: int | None = None,
    key_version: int | None = None,
) -> bytes:
    """Return *value* signed for *name* with *secret*, bytes of ASCII.

    *secret* is str or bytes, or a dict of them by key version, of which *key_version* signs.  *version* 1
    is the format of 2.x, with SHA-1; 2, the default, that of Tornado 3.2 and later.
    """
    return wire_cookies.sign(
        secret, name, utf8(value), time.time(), version=version or 2, key_version=key_version
    )


def decode_signed_value(
    secret: Any,
    name: str,
    value: str | bytes | None,
    max_age_days: float = 31,
    min_version: int | None = None,
) -> bytes | None:
    """Return what `create_signed_value` signed for *name*; None if it is forged, or over *max_age_days* old.

    *min_version* 1 admits the format of 2.x; 2 is the default.
    """
    if not value:
        return None
    return wire_cookies.unsign(
        secret, name, utf8(value), time.time(), max_age_days=max_age_days, min_version=min_version or 2
    )


# -- decorators --


def authenticated(method: _Method) -> _Method:
    """Decorate a method that only users may call.

    Others are redirected to `RequestHandler.get_login_url`, with where they wanted to go as the argument
    ``next``; for methods other than GET and HEAD they get 403.
    """

    @functools.wraps(method)
    def wrapper(self: RequestHandler, *args: Any, **kwargs: Any) -> Any:
        if self.current_user:
            return method(self, *args, **kwargs)
        if self.request.method not in ("GET", "HEAD"):
            raise HTTPError(403)
        url = self.get_login_url()
        if "?" not in url:
            absolute = urllib.parse.urlsplit(url).scheme
            # A path that begins with // or /\\ would be another host to whoever redirects to it later.
            local = re.sub(r"^[/\\]+", "/", self.request.uri)
            wanted = self.request.full_url() if absolute else local
            url += "?" + urllib.parse.urlencode({"next": wanted})
        return self.redirect(url)

    return cast(_Method, wrapper)


def asynchronous(method: _Method) -> _Method:
    """Decorate a method that ends the request itself, later, with ``self.finish()``.

    ::

        class MainHandler(RequestHandler):
            @asynchronous
            def get(self):
                http = httpclient.AsyncHTTPClient()
                http.fetch("http://example.com/", self.on_response)

            def on_response(self, response):
                self.write(response.body)
                self.finish()

    An exception in such a callback ends as this request's error page.
    """

    @functools.wraps(method)
    def wrapper(self: RequestHandler, *args: Any, **kwargs: Any) -> Any:
        if self.application._wsgi:
            raise RuntimeError("@asynchronous is not supported for WSGI apps")
        self._auto_finish = False
        if stack_context._innermost() is self:
            return method(self, *args, **kwargs)
        with stack_context.ExceptionStackContext(self._stack_context_handle_exception):
            return method(self, *args, **kwargs)

    return cast(_Method, wrapper)


def stream_request_body(cls: _Class) -> _Class:
    """Decorate a handler class that takes request bodies as they come, not whole.

    `prepare` is called before the body comes, ``data_received(chunk)`` with each piece, and then the
    method.  ``self.request.connection.pause_body()`` and ``resume_body()`` keep the pieces to the pace at
    which they are dealt with.  `request.body` stays empty and forms are not parsed.  The limit is
    ``max_streamed_body_size`` of `tornado.httpserver.HTTPServer`.
    """
    cls._streams_body = True
    return cls


def removeslash(method: _Method) -> _Method:
    """Decorate a method so that a path with a slash at its end is redirected to the one without."""

    @functools.wraps(method)
    def wrapper(self: RequestHandler, *args: Any, **kwargs: Any) -> Any:
        path = self.request.path
        if path.endswith("/"):
            if self.request.method not in ("GET", "HEAD"):
                raise HTTPError(404)
            stripped = path.rstrip("/")
            if stripped:  # a path of slashes alone stays
                return _redirect_to_path(self, stripped)
        return method(self, *args, **kwargs)

    return cast(_Method, wrapper)


def addslash(method: _Method) -> _Method:
    """Decorate a method so that a path without a slash at its end is redirected to the one with it."""

    @functools.wraps(method)
    def wrapper(self: RequestHandler, *args: Any, **kwargs: Any) -> Any:
        if not self.request.path.endswith("/"):
            if self.request.method not in ("GET", "HEAD"):
                raise HTTPError(404)
            return _redirect_to_path(self, self.request.path + "/")
        return method(self, *args, **kwargs)

    return cast(_Method, wrapper)


def _redirect_to_path(handler: RequestHandler, path: str) -> None:
    """Redirect for good to *path*, with the query; never to another host, as //host would."""
    query = handler.request.query
    handler.redirect("/" + path.lstrip("/") + ("?" + query if query else ""), permanent=True)


# -- the application --

#: The settings that the framework reads; all others are the application's own.
SETTINGS = {
    "autoescape", "compress", "cookie_secret", "debug", "gzip", "key_version", "log_function",
    "login_url", "response_timeout", "secret_arguments", "static_handler_args",
    "static_handler_class", "static_path", "static_url_prefix", "template_loader", "template_path",
    "ui_methods", "ui_modules", "xsrf_cookie_kwargs", "xsrf_cookie_name", "xsrf_cookies",
}  # fmt: skip


def _warn_of_misspelt(settings: dict[str, Any]) -> None:
    for name in settings:
        near = difflib.get_close_matches(name, SETTINGS, n=1, cutoff=0.85)
        if name not in SETTINGS and near:
            log.warning("there is no setting %r: did you mean %r?", name, near[0])


class Application:
    """The handlers of a site and its settings; a request callback for `tornado.httpserver.HTTPServer`.

    *handlers* is a list of rules, see `URLSpec`: ``(pattern, handler_class)``, ``(pattern,
    handler_class, kwargs)`` or ``url(pattern, handler_class, kwargs, name)``; the first that matches the
    path counts.  *transforms* is the list of `OutputTransform` classes, by default gzip (with the
    setting ``gzip``) and chunks.  All *settings* are kept in `settings`; unknown ones are the
    application's own.
    """

    def __init__(
        self,
        handlers: list[Any] | None = None,
        default_host: str = "",
        transforms: list[Any] | None = None,
        wsgi: bool = False,
        **settings: Any,
    ) -> None:
        if transforms is None:
            self.transforms: list[Any] = []
            if settings.get("gzip") or settings.get("compress"):
                self.transforms.append(GZipContentEncoding)
            self.transforms.append(ChunkedTransferEncoding)
        else:
            self.transforms = transforms
        self.handlers: list[HostGroup] = []
        # Asked by the connection before it reads a body; None while no handler streams.
        self._find_body_receiver: Callable[[Any], Any] | None = None
        self.named_handlers: dict[str, URLSpec] = {}
        self.default_host = default_host
        self.settings = settings
        self.ui_modules: dict[str, Any] = {
            **_uimodules.BUILT_IN,
            **_uimodules.load_modules(settings.get("ui_modules", {})),
        }
        self.ui_methods: dict[str, Any] = _uimodules.load_methods(settings.get("ui_methods", {}))
        self._wsgi = wsgi
        if settings.get("static_path"):
            handlers = [*self._static_rules(), *(handlers or [])]
        if handlers:
            self.add_handlers(".*$", handlers)
        if settings.get("debug"):
            _warn_of_misspelt(settings)
        if settings.get("debug") and not wsgi:
            from tornado import autoreload  # late: only needed here

            autoreload.start()

    def _static_rules(self) -> list[Any]:
        """The rules that the setting ``static_path`` adds."""
        prefix = re.escape(self.settings.get("static_url_prefix", "/static/"))
        handler_class = self.settings.get("static_handler_class", StaticFileHandler)
        kwargs = {**self.settings.get("static_handler_args", {}), "path": self.settings["static_path"]}
        patterns = (prefix + "(.*)", r"/(favicon\.ico)", r"/(robots\.txt)")
        return [(pattern, handler_class, kwargs) for pattern in patterns]

    def listen(self, port: int, address: str = "", **kwargs: Any) -> Any:
        """Serve this application on *port*, of *address* or of all interfaces; returns the `HTTPServer`.

        *kwargs* go to `tornado.httpserver.HTTPServer`.  The loop still has to be started.
        """
        from tornado.httpserver import HTTPServer  # late: under WSGI an application has no sockets

        server = HTTPServer(self, **kwargs)
        server.listen(port, address)
        return server

    def add_handlers(self, host_pattern: str, host_handlers: list[Any]) -> None:
        """Add rules for the hosts that match the regular expression *host_pattern*.

        Groups of rules are tried in the order they were added, those of the constructor last; only the
        first group that matches the host is searched.
        """
        specs = make_specs(host_handlers)
        if any(getattr(spec.handler_class, "_streams_body", False) for spec in specs):
            self._find_body_receiver = self._find_streaming
        add_group(self.handlers, host_pattern, specs)
        add_names(self.named_handlers, specs)

    def add_transform(self, transform_class: Any) -> None:
        """Add an `OutputTransform` class, to run after the others."""
        self.transforms.append(transform_class)

    def _find_group(self, request: Any) -> HostGroup | None:
        """The rules for the request's host; for a direct client those of the default host otherwise."""
        groups = self.handlers
        if len(groups) == 1 and groups[0].pattern.pattern == ".*$":
            return groups[0]
        host = _host_name(request.host)
        for group in groups:
            if group.pattern.match(host):
                return group
        if "X-Real-Ip" not in request.headers:
            for group in groups:
                if group.pattern.match(self.default_host):
                    return group
        return None

    def __call__(self, request: Any) -> RequestHandler:
        """Handle *request*, an `HTTPRequest`: choose the handler and run it; returns the handler."""
        group = self._find_group(request)
        args: tuple[bytes | None, ...] = ()
        kwargs: dict[str, bytes | None] = {}
        if group is None:
            location = f"http://{self.default_host}/"
            handler: RequestHandler = RedirectHandler(self, request, url=location)
        elif (match := group.find(request.path)) is not None:
            spec, args, kwargs = match
            handler = (
                spec.handler_class(self, request, **spec.kwargs)
                if spec.kwargs
                else spec.handler_class(self, request)
            )
        else:
            handler = ErrorHandler(self, request, status_code=404)
        if self.settings.get("debug"):
            self._forget_files()
            fault = getattr(sys.modules.get("tornado.autoreload"), "_fault", None)
            if fault is not None:
                handler, args, kwargs = _FaultHandler(self, request, fault=fault), (), {}
        handler._execute(self._make_transforms(request), *args, **kwargs)
        if not handler._finished:
            self._after_method(handler)
        return handler

    def _make_transforms(self, request: Any) -> list[OutputTransform] | None:
        """The output transforms of a response; None for the default ones, which are made when needed."""
        classes = self.transforms
        if len(classes) == 1 and classes[0] is ChunkedTransferEncoding:
            return None
        return [transform(request) for transform in classes]

    def _forget_files(self) -> None:
        for loader in RequestHandler._template_loaders.values():
            loader.reset()
        StaticFileHandler.reset()

    def _after_method(self, handler: RequestHandler) -> None:
        """The method has returned; if the request is not finished it is parked."""
        connection = getattr(handler.request, "connection", None)
        if connection is not None and hasattr(connection, "_may_reply"):
            handler._parked = _Parked(handler, connection)

    def _find_streaming(self, request: Any) -> Callable[[Any], None] | None:
        """What begins with *request* if its handler takes the body as it comes, else None."""
        group = self._find_group(request)
        match = None if group is None else group.find(request.path)
        if match is None or not getattr(match[0].handler_class, "_streams_body", False):
            return None
        return functools.partial(self._begin_body, match)

    def _begin_body(self, match: Any, request: Any) -> None:
        spec, args, kwargs = match
        handler = request._receiver = spec.handler_class(self, request, **spec.kwargs)
        request.connection.set_close_callback(handler.on_connection_close)
        handler._begin_body(self._make_transforms(request), args, kwargs)

    def reverse_url(self, name: str, *args: Any) -> str:
        """Return the URL path of the handler named *name*, with *args* in place of its groups.

        Raises KeyError for an unknown name, AssertionError for a wrong number of arguments.
        """
        if name not in self.named_handlers:
            known = ", ".join(sorted(self.named_handlers)) or "none"
            raise KeyError(f"{name} not found in named urls (known: {known})")
        return self.named_handlers[name].reverse(*args)

    def log_request(self, handler: RequestHandler) -> None:
        """Write a finished request to the access log; the setting ``log_function`` replaces it."""
        log_function = self.settings.get("log_function")
        if log_function is not None:
            log_function(handler)
            return
        status = handler.get_status()
        # 501 is the peer's doing too: a method that nobody knows.
        ours = status >= 500 and status != 501
        level = logging.ERROR if ours else logging.WARNING if status >= 400 else logging.INFO
        if log.isEnabledFor(level):
            milliseconds = 1000.0 * handler.request.request_time()
            log.log(level, "%d %s %.2fms", status, handler._request_summary(), milliseconds)


class _Parked:
    """A request that is to be finished later: its time-out, and the notice that it never can be.

    The connection holds the handler only for its ``on_connection_close``, if it has one of its own.  Whoever
    will finish the request holds it, as a callback or in a list of those who wait; once nobody does any
    more, the client would wait for ever.
    """

    def __init__(self, handler: RequestHandler, connection: Any) -> None:
        if connection._close_callback is None and _cares_for_close(handler):
            connection.set_close_callback(handler.on_connection_close)
        method = getattr(type(handler), handler.request.method.lower(), None)
        place = f"{type(handler).__module__}.{getattr(method, '__qualname__', type(handler).__qualname__)}"
        summary = handler._request_summary()
        self._finalizer = weakref.finalize(handler, _on_lost, connection, place, summary)
        self._finalizer.atexit = False
        self._loop: Any = getattr(connection, "_loop", None)
        self._timer: Any = None
        seconds = handler.response_timeout or handler.settings.get("response_timeout")
        if seconds and self._loop is not None:
            deadline = self._loop._monotonic() + seconds
            self._timer = self._loop._call_at(
                deadline, functools.partial(_on_late, weakref.ref(handler), seconds)
            )

    def end(self) -> None:
        """The request is finished."""
        self._finalizer.detach()
        if self._timer is not None:
            self._loop.remove_timeout(self._timer)


def _cares_for_close(handler: RequestHandler) -> bool:
    own = type(handler).on_connection_close is not RequestHandler.on_connection_close
    return own or "on_connection_close" in vars(handler)


def _on_late(reference: Any, seconds: float) -> None:
    handler = reference()
    if handler is not None and not handler._finished:
        log.warning("no answer to %s within %s seconds", handler._request_summary(), seconds)
        handler.send_error(503)


def _on_lost(connection: Any, place: str, summary: str) -> None:
    stream = connection.stream
    if connection._may_reply() and stream.socket is not None and not stream._eof:  # else the peer has gone
        log.error(
            "%s, which handles %s, returned without finish(), and nothing holds its handler any more:"
            " call finish(), or leave @asynchronous out",
            place,
            summary,
        )
        connection._on_callback_failed()


def _host_name(host: str) -> str:
    """*host* in lower case and without its port."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isascii() and port.isdigit() else host.lower()


class HTTPError(Exception):
    """Raised in a handler, it becomes an error page with *status_code*.

    *log_message* (with *args* for its ``%s``) is for the log, the client does not see it.  *reason* is
    for the status line; a code that is not standard needs one.
    """

    def __init__(
        self, status_code: int, log_message: str | None = None, *args: Any, reason: str | None = None
    ) -> None:
        super().__init__()
        self.status_code = status_code
        self.log_message = log_message
        self.args = args
        self.reason = reason

    def logged(self) -> str:
        """Return the log message with its arguments, fit for one line of a log."""
        message = self.log_message or ""
        try:
            return httputil._loggable(message % self.args if self.args else message)
        except (TypeError, ValueError):
            return httputil._loggable(f"{message} {self.args!r}")

    def sendable(self) -> bool:
        """Return whether status and reason can be sent: 200 to 599, and a standard code or a reason."""
        code, reason = self.status_code, self.reason
        if not isinstance(code, int) or not 200 <= code <= 599:
            return False
        try:
            return code in http.client.responses if reason is None else bool(check_reason(reason))
        except ValueError:
            return False

    def __str__(self) -> str:
        reason = self.reason or http.client.responses.get(self.status_code, "Unknown")
        message = f"HTTP {self.status_code}: {reason}"
        return f"{message} ({self.logged()})" if self.log_message else message


class ErrorHandler(RequestHandler):
    """Answers every request with the error *status_code*."""

    def initialize(self, status_code: int) -> None:
        """Take the error to answer with."""
        self._error = status_code

    def _execute(
        self, transforms: list[OutputTransform] | None, *args: bytes | None, **kwargs: bytes | None
    ) -> None:
        method = self.request.method
        if method not in self.SUPPORTED_METHODS:
            # No handler says what is allowed here, so there is nothing for 405 to list (RFC 9110, 15.6.2).
            self._error = 501
            self.SUPPORTED_METHODS = (*self.SUPPORTED_METHODS, method)
        super()._execute(transforms, *args, **kwargs)

    def check_xsrf_cookie(self) -> None:
        """Do nothing: what does not exist is 404, whoever asks."""

    def prepare(self) -> None:
        """Raise the error."""
        raise HTTPError(self._error)


class _FaultHandler(RequestHandler):
    """Shows, in debug mode, why the program could not be restarted with the sources as they are."""

    def initialize(self, fault: str) -> None:
        self._fault = fault

    def check_xsrf_cookie(self) -> None:
        """Do nothing: nothing is done."""

    def prepare(self) -> None:
        self.set_status(500)
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(self._fault)


class RedirectHandler(RequestHandler):
    """Redirects every GET request to *url*: for good (301), or with *permanent* false for now (302)."""

    def initialize(self, url: str, permanent: bool = True) -> None:
        """Take where to redirect to."""
        self._url = url
        self._permanent = permanent

    def get(self) -> None:
        """Redirect."""
        self.redirect(self._url, permanent=self._permanent)


class StaticFileHandler(RequestHandler):
    """Serves the files below the folder *path*; the URL's one group is the file's name, with slashes.

    The setting ``static_path`` adds rules with it; others may be added by hand.  *default_filename* is
    what a folder's URL stands for, such as "index.html"; without it folders are 403.

    A file is sent in pieces as the client takes them, whatever its size.  Understood are HEAD, Etag,
    If-Modified-Since, and single ranges of bytes (RFC 9110, 13 and 14).
    """

    #: Seconds that browsers may keep a file whose URL has a version.
    CACHE_MAX_AGE = 86400 * 365 * 10
    #: Whether links inside the folder may lead out of it.
    follow_links = False
    _file: _static.StaticFile | None = None  # that is being sent

    def initialize(self, path: str, default_filename: str | None = None) -> None:
        """Take the folder, and what stands for a folder in it."""
        self.root = _static.real_root(path)
        self.default_filename = default_filename

    @classmethod
    def reset(cls) -> None:
        """Forget the versions of all files."""
        _static.forget_versions()

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Return the path in the URL; what is not UTF-8 is the name of no file."""
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            raise HTTPError(404) from None

    def head(self, path: str) -> None:
        """Answer with the headers alone."""
        self.get(path, include_body=False)

    def get(self, path: str, include_body: bool = True) -> None:
        """Answer with the file *path*, or what the request's conditions make of it."""
        path = self.parse_url_path(path)
        try:
            name = _static.join(self.root, path)
            found = _static.open_regular(self.root, name, self.follow_links)
            if found is None:
                if self.default_filename is None:
                    raise HTTPError(403)
                if not self.request.path.endswith("/"):
                    _redirect_to_path(self, self.request.path + "/")
                    return
                name = _static.join(self.root, path + self.default_filename)
                found = _static.open_regular(self.root, name, self.follow_links)
                if found is None:
                    raise HTTPError(403)
        except _static.Unsafe as error:
            raise HTTPError(error.status) from None
        try:
            self._answer(path, name, found, include_body)
        finally:
            if self._file is None:  # else it is being sent
                found.close()

    def _answer(self, path: str, name: str, found: _static.StaticFile, include_body: bool) -> None:
        modified = datetime.datetime.fromtimestamp(found.mtime, datetime.UTC)
        self._set_headers(path, name, found, modified.replace(tzinfo=None))
        request_headers = self.request.headers
        status = _static.precondition(request_headers, found.etag(), modified)
        if status == 412:
            raise HTTPError(412)
        if status == 304:
            self.set_status(304)
            return
        first, count = 0, found.size
        part = None
        if self.request.method == "GET":  # RFC 9110, 14.2
            part = _static.wanted_part(request_headers, found, modified)
        if part is not None:
            first, count = part
            self.set_status(206 if count else 416)
            shown = f"{first}-{first + count - 1}" if count else "*"
            self.set_header("Content-Range", f"bytes {shown}/{found.size}")
        self.set_header("Content-Length", count)
        if include_body and count and self.request.method != "HEAD":
            self._send_file(found, first, count)

    def _set_headers(
        self, path: str, name: str, found: _static.StaticFile, modified: datetime.datetime
    ) -> None:
        headers = self._headers
        mime_type = _static.content_type(name)
        _set(headers, "Last-Modified", _static.http_date(found.mtime))
        _set(headers, "Etag", found.etag())
        _set(headers, "Accept-Ranges", "bytes")
        _set(headers, "X-Content-Type-Options", "nosniff")
        _set(headers, "Content-Type", mime_type or "application/octet-stream")
        cache_time = self.get_cache_time(path, modified, mime_type)
        if cache_time > 0:
            expires = int(time.time()) + cache_time
            _set(headers, "Expires", httputil.format_timestamp(expires))
            _set(headers, "Cache-Control", f"max-age={cache_time}")
        else:
            _set(headers, "Cache-Control", "public")
        self.set_extra_headers(path)

    def _send_file(self, found: _static.StaticFile, first: int, count: int) -> None:
        connection = getattr(self.request, "connection", None)
        if count <= MAX_READ_AT_ONCE or connection is None:
            self.write(found.read(first, count))
            return
        self._auto_finish = False
        self._file = found
        self.flush()
        self._body_left = 0  # the connection sends it
        connection.write_file(found, first, count, self._on_file_sent)

    def _on_file_sent(self) -> None:
        self._close_file()
        self.finish()

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()

    def on_connection_close(self) -> None:
        """Close the file that was being sent."""
        self._close_file()

    def compute_etag(self) -> str | None:
        """Return None: the file has one of its own."""
        return None

    def set_extra_headers(self, path: str) -> None:
        """Called when the headers of a file have been set; an override may add to them."""

    def get_cache_time(self, path: str, modified: datetime.datetime, mime_type: str | None) -> int:
        """Return how many seconds the file may be kept without asking; 0 for none, as without a version."""
        return self.CACHE_MAX_AGE if self.get_argument("v", None) else 0

    @classmethod
    def make_static_url(cls, settings: dict[str, Any], path: str) -> str:
        """Return the URL of the file *path*: prefix, path and version."""
        prefix = settings.get("static_url_prefix", "/static/")
        version = cls.get_version(settings, path)
        return f"{prefix}{path}?v={version[:5]}" if version else f"{prefix}{path}"

    @classmethod
    def get_version(cls, settings: dict[str, Any], path: str) -> str | None:
        """Return the version of the file *path*, hexadecimal; None, and an error in the log, without it."""
        version = _static.version(_static.real_root(settings["static_path"]), path, cls.follow_links)
        if version is None:
            log.error("static_url(%s): there is no such file that can be read", quote(path))
        return version

    def parse_url_path(self, url_path: str) -> str:
        """Return the file's name for the path in the URL; an override may see it otherwise."""
        return url_path


class FallbackHandler(RequestHandler):
    """Hands the request over to *fallback*, a callable like another `Application` or a WSGIContainer."""

    def initialize(self, fallback: Callable[[Any], Any]) -> None:
        """Take what answers instead."""
        self.fallback = fallback

    def prepare(self) -> None:
        """Call the fallback, which answers the request."""
        self.fallback(self.request)
        self._finished = True


url = URLSpec
_O = ObjectDict  # a name that programs of 2.x import

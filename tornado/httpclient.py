"""HTTP clients: a non-blocking one, and a blocking one on top of it.

In a program that runs an `IOLoop`, a fetch calls back with the answer::

    def on_response(response):
        if response.error:
            print("failed:", response.error)
        else:
            print(response.body)

    AsyncHTTPClient().fetch("http://example.com/", on_response)
    IOLoop.instance().start()

In a script or an interactive session it may as well wait::

    response = HTTPClient().fetch("http://example.com/")

What is said here holds for every implementation: `tornado.simple_httpclient`, which needs nothing but this
package and is the default, and others that `AsyncHTTPClient.configure` names.  From a shell,
``python -m tornado.httpclient URL`` prints what it gets.
"""

import http.client
import re
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from io import BytesIO
from types import TracebackType
from typing import Any, Self, cast

from tornado import stack_context
from tornado.escape import native_str, utf8
from tornado.httputil import HTTPHeaders, format_timestamp
from tornado.ioloop import IOLoop
from tornado.util import UsageError, import_object
from tornado.wire import quote
from tornado.wire.http1 import check_field_name, check_field_value

DEFAULT_CLIENT = "tornado.simple_httpclient.SimpleAsyncHTTPClient"

_is_method = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}").fullmatch
_bad_in_url = re.compile(r"[^\x21-\x7e]").search


class AsyncHTTPClient:
    """A non-blocking HTTP client.

    The constructor returns an instance of the class that `configure` chose, and the same one each time for
    one loop, so that all parts of a program share its limit of connections.  *io_loop* is
    `IOLoop.instance()` by default.  *max_clients* is how many requests may be under way at once (10 in
    `SimpleAsyncHTTPClient`); others wait their turn.  This and further keyword arguments go to the
    implementation, and count only when the instance is made.  *force_instance* makes one that is not shared.

    An implementation is a subclass without an ``__init__``: it has ``initialize(io_loop, max_clients,
    **kwargs)``, `fetch` and perhaps `close`.
    """

    _impl_class: "type[AsyncHTTPClient] | None" = None
    _impl_kwargs: dict[str, Any] = {}

    io_loop: IOLoop

    def __new__(
        cls,
        io_loop: IOLoop | None = None,
        max_clients: int | None = None,
        force_instance: bool = False,
        **kwargs: Any,
    ) -> Self:
        """Return the client of *io_loop*, made if there is none yet."""
        loop = io_loop or IOLoop.instance()
        configured = AsyncHTTPClient._impl_class or import_object(DEFAULT_CLIENT)
        impl = configured if cls is AsyncHTTPClient else cls
        shared = _shared_clients(loop)
        if impl in shared and not force_instance:
            return cast(Self, shared[impl])
        if issubclass(impl, configured):
            kwargs = {**AsyncHTTPClient._impl_kwargs, **kwargs}
        if max_clients is not None:
            kwargs["max_clients"] = max_clients
        client = super().__new__(impl)
        client.io_loop = loop
        client.initialize(loop, **kwargs)
        if not force_instance:
            shared[impl] = client
        return cast(Self, client)

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        """Prepare a new instance; called with the loop and the keyword arguments.  To be overridden."""

    def close(self) -> None:
        """Give up what the client holds; it is not used any more after that.

        The next `AsyncHTTPClient` made for its loop is a new one.  Programs that keep one client all the
        time need not call this.
        """
        shared = _shared_clients(self.io_loop)
        if shared.get(type(self)) is self:
            del shared[type(self)]

    def fetch(
        self, request: "HTTPRequest | str", callback: "Callable[[HTTPResponse], Any]", **kwargs: Any
    ) -> None:
        """Send *request*, an `HTTPRequest` or a URL, and call ``callback(response)`` when it has ended.

        The keyword arguments are those of `HTTPRequest`, and count if *request* is a URL.  The callback runs
        from the loop, once, in the stack contexts of this call; it gets an `HTTPResponse` in any case.  Look
        at ``response.error``, or call ``response.rethrow()``: a request that got no answer at all has the
        code 599 and the reason in its error.

        Raises ValueError, and sends nothing, for a URL, method or header with characters that none may have.
        """
        raise UsageError(f"{type(self).__name__} has to override fetch(request, callback)")

    @staticmethod
    def configure(impl: "type[AsyncHTTPClient] | str | None", **kwargs: Any) -> None:
        """Choose the class that `AsyncHTTPClient` makes: a subclass, a dotted name, None for the default.

        The keyword arguments are added to those of every instance that is made of it.  Instances that exist
        stay as they are: call this when the program starts.  Raises ValueError for another class, and what
        `import_object` raises.
        """
        chosen = import_object(impl) if isinstance(impl, str) else impl
        if chosen is not None and not (isinstance(chosen, type) and issubclass(chosen, AsyncHTTPClient)):
            raise ValueError(f"{impl!r} is no HTTP client: wanted a subclass of AsyncHTTPClient")
        AsyncHTTPClient._impl_class = chosen
        AsyncHTTPClient._impl_kwargs = kwargs


def _shared_clients(loop: IOLoop) -> dict[type, AsyncHTTPClient]:
    """Return the clients that are shared on *loop*, by class.

    They are kept in the loop, to live as long.  In a WeakKeyDictionary they would live for ever, because a
    client refers to its loop.
    """
    clients: dict[type, AsyncHTTPClient] = vars(loop).setdefault("_http_clients", {})
    return clients


class HTTPClient:
    """A blocking HTTP client, for scripts, tests and the interactive interpreter.

    It runs a loop of its own inside `fetch`; a server that called it would stand still meanwhile.
    *async_client_class* is `AsyncHTTPClient` by default; the keyword arguments go to its constructor.
    """

    _closed = True  # until the constructor is through

    def __init__(self, async_client_class: type[AsyncHTTPClient] | None = None, **kwargs: Any) -> None:
        self._io_loop = IOLoop()
        try:
            client_class = async_client_class or AsyncHTTPClient
            self._async_client = client_class(self._io_loop, force_instance=True, **kwargs)
        except BaseException:
            self._io_loop.close()
            raise
        self._closed = False

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and the loop.  Called again, or by the garbage collector, it does nothing."""
        if not self._closed:
            self._closed = True
            self._async_client.close()
            self._io_loop.close()

    def fetch(self, request: "HTTPRequest | str", **kwargs: Any) -> "HTTPResponse":
        """Send *request*, an `HTTPRequest` or a URL, wait, and return the response.

        The keyword arguments are those of `HTTPRequest`, and count if *request* is a URL.  Raises the
        response's error if it has one: `HTTPError` for a status other than 2xx, and whatever kept the
        request from being answered; and what the streaming or header callback raises.
        """
        if self._closed:
            raise UsageError("fetch() was called on an HTTPClient that is closed: make a new one")
        outcome = _Outcome(self._io_loop)
        with stack_context.ExceptionStackContext(outcome.on_exception):
            self._async_client.fetch(request, outcome.on_response, **kwargs)
        # Nothing was called back yet: what there is by now came from fetch() itself, and no response follows.
        if outcome.error is None:
            # Interrupted, an earlier fetch may still be under way, and stops the loop when it ends.
            while outcome.response is None:
                self._io_loop.start()
        return outcome.take()


class _Outcome:
    """What becomes of one fetch of an `HTTPClient`."""

    def __init__(self, io_loop: IOLoop) -> None:
        self._io_loop = io_loop
        self.error: BaseException | None = None
        self.response: HTTPResponse | None = None

    def on_exception(
        self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> bool:
        """Keep what a callback of the request raised; a response follows."""
        if not isinstance(error, Exception):
            return False
        self.error = error
        return True

    def on_response(self, response: "HTTPResponse") -> None:
        self.response = response
        self._io_loop.stop()

    def take(self) -> "HTTPResponse":
        """Return the response or raise; either way nothing is kept here."""
        response, self.response = self.response, None
        try:
            if self.error is not None:
                raise self.error
            cast(HTTPResponse, response).rethrow()
            return cast(HTTPResponse, response)
        finally:
            del self.error, response  # the traceback holds this frame


class HTTPRequest:
    """A request for `AsyncHTTPClient.fetch`; all parameters are attributes, too.

    *url* is a str of printable ASCII: other characters are percent-encoded first.  A user name and password
    in it become an ``Authorization`` header.  *method* is GET, HEAD, POST, PUT, DELETE, PATCH or OPTIONS;
    POST, PUT and PATCH need a *body* and the others must not have one.  *allow_nonstandard_methods* lifts
    both rules.  *headers* is an `HTTPHeaders` or another mapping, and is copied; *body* is bytes, or str that
    is sent as UTF-8.  *auth_username* and *auth_password* are for basic authentication.

    *connect_timeout* is how many seconds the connection may take, TLS and the host's address included, and
    *request_timeout* how many all of it may take, redirects included; the time in the queue does not count.
    ``float("inf")`` stands for no limit.

    *if_modified_since*, a datetime (UTC if naive) or seconds since the epoch, sets that header; *user_agent*
    sets ``User-Agent``.  *follow_redirects* goes where redirects lead, at most *max_redirects* times; after
    that the last redirect is the answer.  *use_gzip* asks for a compressed answer and inflates it.

    With *streaming_callback* that is called with pieces (bytes) of the body as they come, after inflation,
    and the response has none; its size is not limited then.  *header_callback* is called with each header
    line of the answer, ``"Name: value\\r\\n"``.  When one of the two raises, the request is over.

    *validate_cert* False takes any certificate of a TLS server.  *ca_certs* is a file of CA certificates to
    trust instead of the system's, *client_key* and *client_cert* are files with the client's own, all PEM.
    *allow_ipv6* False keeps to IPv4, True takes addresses in the order of the system's resolver; by default
    those of IPv4 come first.

    *network_interface*, *proxy_host*, *proxy_port*, *proxy_username*, *proxy_password* and
    *prepare_curl_callback* (called with the handle of pycurl) are for `tornado.curl_httpclient`.

    `start_time` is when the request was made, in `time.time` seconds.

    Raises ValueError for characters that a URL, method or header cannot have, and for numbers out of range.
    """

    def __init__(
        self,
        url: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: str | bytes | None = None,
        auth_username: str | None = None,
        auth_password: str | None = None,
        connect_timeout: float = 20.0,
        request_timeout: float = 20.0,
        if_modified_since: datetime | float | None = None,
        follow_redirects: bool = True,
        max_redirects: int = 5,
        user_agent: str | None = None,
        use_gzip: bool = True,
        network_interface: str | None = None,
        streaming_callback: Callable[[bytes], Any] | None = None,
        header_callback: Callable[[str], Any] | None = None,
        prepare_curl_callback: Callable[[Any], Any] | None = None,
        proxy_host: str | None = None,
        proxy_port: int | None = None,
        proxy_username: str | None = None,
        proxy_password: str = "",
        allow_nonstandard_methods: bool = False,
        validate_cert: bool = True,
        ca_certs: str | None = None,
        allow_ipv6: bool | None = None,
        client_key: str | None = None,
        client_cert: str | None = None,
    ) -> None:
        self.url, self.method, self.body = native_str(url), method, utf8(body)
        self.headers = _copy_headers(headers)
        if if_modified_since is not None:
            self.headers["If-Modified-Since"] = format_timestamp(if_modified_since)
        self.user_agent, self.use_gzip = user_agent, use_gzip
        self.auth_username, self.auth_password = auth_username, auth_password
        self.connect_timeout, self.request_timeout = connect_timeout, request_timeout
        self.follow_redirects, self.max_redirects = follow_redirects, max_redirects
        self.streaming_callback, self.header_callback = streaming_callback, header_callback
        self.allow_nonstandard_methods, self.allow_ipv6 = allow_nonstandard_methods, allow_ipv6
        self.validate_cert, self.ca_certs = validate_cert, ca_certs
        self.client_key, self.client_cert = client_key, client_cert
        self.network_interface, self.prepare_curl_callback = network_interface, prepare_curl_callback
        self.proxy_host, self.proxy_port = proxy_host, proxy_port
        self.proxy_username, self.proxy_password = proxy_username, proxy_password
        self.start_time = time.time()
        self._check()

    def _check(self) -> None:
        """Raise ValueError for what could not be sent as it is; clients ask again, attributes may be set."""
        if bad := _bad_in_url(self.url):
            raise ValueError(f"URL {quote(self.url)} has the character {bad[0]!r}: percent-encode it")
        if not _is_method(self.method):
            raise ValueError(f"{quote(self.method)} is not a method: wanted letters, such as GET")
        for name, value in _copy_headers(self.headers).get_all():
            check_field_name(name)
            check_field_value(value)
        check_field_value(self.user_agent or "")
        for name in ("connect_timeout", "request_timeout"):
            value = getattr(self, name)
            if not (isinstance(value, (int, float)) and value > 0):
                raise ValueError(f"{name} is {value!r}, wanted seconds above 0, float('inf') for no limit")
        if self.max_redirects < 0:
            raise ValueError(f"max_redirects is {self.max_redirects!r}, wanted 0 or more")


def _copy_headers(headers: Mapping[str, str] | None) -> HTTPHeaders:
    """Return *headers* as `HTTPHeaders` of its own; values that are bytes are sent as they are."""
    copied = HTTPHeaders()
    if isinstance(headers, HTTPHeaders):
        copied.update(headers)
    elif headers is not None:
        for name, value in headers.items():
            copied[name] = value.decode("latin-1") if isinstance(value, bytes) else value
    return copied


class HTTPResponse:
    """What became of an `HTTPRequest`, which is the attribute `request`.

    `code` is the status, or 599 when there was no answer.  `headers` is an `HTTPHeaders`.  `buffer` is a
    `BytesIO` with the body, or None when there was no answer.  `effective_url` is the URL that was fetched
    last, without user name and password; it differs from the request's after redirects.  `request_time` is
    how many seconds it all took, and `time_info` what had been reached after how many of them: "namelookup",
    "connect", "starttransfer" and "total", while "queue" is how long it waited to begin.
    """

    def __init__(
        self,
        request: HTTPRequest,
        code: int,
        headers: HTTPHeaders | None = None,
        buffer: BytesIO | None = None,
        effective_url: str | None = None,
        error: BaseException | None = None,
        request_time: float | None = None,
        time_info: dict[str, float] | None = None,
    ) -> None:
        self.request = request
        self.code = code
        self.headers = HTTPHeaders() if headers is None else headers
        self.buffer = buffer
        self._body: bytes | None = None
        self.effective_url = request.url if effective_url is None else effective_url
        self._error = error
        self.request_time = request_time
        self.time_info = {} if time_info is None else time_info

    @property
    def body(self) -> Any:
        """The body, bytes; None if there is no buffer."""
        if self._body is None and self.buffer is not None:
            self._body = self.buffer.getvalue()
        return self._body

    @property
    def error(self) -> BaseException | None:
        """What went wrong, None for a status of 2xx.

        An `HTTPError` for another status (304 and redirects that were not followed among them), for a
        time-out and for an answer that was malformed or cut short; else the exception that was the cause.
        """
        if self._error is None and not 200 <= self.code < 300:
            # Made anew each time: an error kept here would refer to this object, and both would have to wait
            # for the garbage collector.
            return HTTPError(self.code, response=self)
        return self._error

    @error.setter
    def error(self, error: BaseException | None) -> None:
        self._error = error

    def rethrow(self) -> None:
        """Raise `error`, if there is one."""
        try:
            if self.error is not None:
                raise self.error
        finally:
            del self  # the error's traceback has this frame, and the response has the error

    def __repr__(self) -> str:
        # Neither headers nor body: what is logged must hold no credentials.
        return f"{type(self).__name__}(code={self.code}, effective_url={quote(self.effective_url, 1024)})"


class HTTPError(Exception):
    """A request failed; `code` is the HTTP status, or 599 when there was no answer.

    `response` is the `HTTPResponse`, None when there was no answer.  *message* is by default the usual
    phrase for *code*: ``HTTP 404: Not Found``.  Not to be confused with `tornado.web.HTTPError`.
    """

    def __init__(self, code: int, message: str | None = None, response: HTTPResponse | None = None) -> None:
        self.code = code
        self.response = response
        super().__init__(f"HTTP {code}: {message or http.client.responses.get(code, 'Unknown')}")


def main() -> None:
    """Fetch each URL of the command line, and print what comes; exit with 1 if one of them failed."""
    # late: no client needs the options, and they would show up in the help of every program
    from tornado.options import define, options, parse_command_line

    define("print_headers", default=False, help="print the headers of the answers")
    define("print_body", default=True, help="print the bodies of the answers")
    define("follow_redirects", default=True, help="go where redirects lead")
    define("validate_cert", default=True, help="take no certificate that is not in order")
    urls = parse_command_line()
    if not urls:
        print("No URL given: write  python -m tornado.httpclient [OPTIONS] URL...", file=sys.stderr)
        sys.exit(2)
    client = HTTPClient()
    fetch = partial(
        client.fetch, follow_redirects=options.follow_redirects, validate_cert=options.validate_cert
    )
    failed = [url for url in urls if not _print(fetch, url, options.print_headers, options.print_body)]
    client.close()
    sys.exit(1 if failed else 0)


def _print(fetch: Callable[[str], HTTPResponse], url: str, headers: bool, body: bool) -> bool:
    """Print what is at *url*; return whether it could be fetched."""
    response: HTTPResponse | None
    failure: Exception | None = None
    try:
        response = fetch(url)
    except Exception as error:
        response, failure = getattr(error, "response", None), error
    if response is not None and headers:
        print("".join(f"{name}: {value}\n" for name, value in response.headers.get_all()), flush=True)
    if response is not None and body:
        sys.stdout.buffer.write(response.body or b"")
        sys.stdout.flush()
    if failure is not None:
        print(f"{url}: {failure}", file=sys.stderr)
    return failure is None


if __name__ == "__main__":
    main()

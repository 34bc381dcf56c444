"""A program as its author would write it, for the type checker: `typing_test` has mypy read it.

Nothing of it is run.  Lines that end in ``type: ignore`` are wrong and have to be found out: a strict
mypy complains of each such comment that is not needed.
"""

import datetime
import functools
import logging
import ssl
from typing import Any

from tornado import escape, httputil, ioloop, iostream, netutil, options, stack_context, web
from tornado.httpserver import HTTPRequest, HTTPServer
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.iostream import IOStream, SSLIOStream
from tornado.netutil import TCPServer
from tornado.options import define, parse_command_line
from tornado.web import Application, HTTPError, RequestHandler, URLSpec, addslash, asynchronous, url

define("port", default=8888, help="run on the given port", type=int)


class Database:
    """What an application brings along."""

    def name_of(self, username: str) -> str:
        """Return the whole name."""
        return username.title()


# -- handlers --


class BaseHandler(RequestHandler):
    """What the handlers share: arguments of their own, everything else as in the documentation."""

    def initialize(self, database: Database, greeting: str = "Hello") -> None:
        """Take the arguments of the URL spec."""
        self.database = database
        self.greeting = greeting

    def prepare(self) -> None:
        """Refuse some."""
        if self.request.protocol != "https" and not self.settings["debug"]:
            raise HTTPError(403, "%s asked over %s", self.request.remote_ip, self.request.protocol)

    def set_default_headers(self) -> None:
        """Add a header to all answers."""
        self.set_header("X-Started", datetime.datetime(2011, 6, 21))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write a page of one's own."""
        if "exc_info" in kwargs:
            kind, _, _ = kwargs["exc_info"]
            self.set_header("X-Error", kind.__name__)
        self.finish({"code": status_code})

    def on_finish(self) -> None:
        """Note the time."""
        seconds: float = self.request.request_time()
        logging.info("%d after %f seconds", self.get_status(), seconds)

    def on_connection_close(self) -> None:
        """Forget the client."""

    def compute_etag(self) -> str | None:
        """Have no Etag."""
        return None

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Decode as was usual once."""
        return value.decode("latin-1")


class UserHandler(BaseHandler):
    """Methods with the arguments of their own URL."""

    def get(self, username: str) -> None:
        """Greet."""
        self.set_status(200, reason="Fine")
        self.set_header("Content-Length", 5)
        self.add_header("X-Bytes", b"bytes")
        self.clear_header("Server")
        self.write(f"{self.greeting}, {escape.xhtml_escape(self.database.name_of(username))}")
        self.write(b"bytes")
        self.write({"any": ["JSON"]})
        self.flush(callback=self.on_sent)
        self.write([1])  # type: ignore[arg-type]
        self.set_header("X-None", None)  # type: ignore[arg-type]
        self.set_status("200")  # type: ignore[arg-type]
        self.write_all("x")  # type: ignore[attr-defined]

    def on_sent(self) -> None:
        """Go on."""

    def post(self, username: str, page: str | None = None, *rest: str) -> None:
        """Take a form."""
        names: list[str] = self.get_arguments("name")
        last: str = self.get_argument("last", "")
        without: str | None = self.get_argument("without", None, strip=False)
        raw: list[bytes] = self.request.arguments.get("name", [])
        body: bytes = self.request.body
        for uploaded in self.request.files.get("file", []):
            size: int = len(uploaded.body) + len(uploaded["filename"])
            self.write(str(size))
        self.write(f"{names} {last} {without} {raw!r} {body!r}")
        self.redirect("/", permanent=True, status=303)

    @addslash
    @asynchronous
    def put(self, username: str) -> None:
        """Answer later."""
        loop = IOLoop.instance()
        loop.add_timeout(datetime.timedelta(seconds=1), functools.partial(self.on_timeout, username))
        loop.add_callback(self.async_callback(self.on_timeout, username))

    def on_timeout(self, username: str) -> None:
        """Answer."""
        self.finish(self.reverse_url("user", username))

    def delete(self) -> int:
        """Methods may return anything."""
        self.send_error(405, reason="no")
        return 0

    async_get = asynchronous(get)


class Upper(web.OutputTransform):
    """A transform."""

    def __init__(self, request: HTTPRequest) -> None:
        super().__init__(request)
        self.method = request.method

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        """Change case."""
        return chunk.upper()


class Silent(Application):
    """An application with a log of its own."""

    def log_request(self, handler: RequestHandler) -> None:
        """Write nothing."""


def make_application() -> Application:
    """All forms of rules."""
    application = Silent(
        [
            (r"/(\w+)", UserHandler, {"database": Database()}),
            (r"/old", web.RedirectHandler, {"url": "/new"}),
            url(r"/user/(\w+)", UserHandler, {"database": Database()}, name="user"),
            URLSpec(r"/named", "tornado.web.ErrorHandler", {"status_code": 410}),
        ],
        default_host="example.com",
        debug=True,
        own_setting=object(),
    )
    application.add_handlers(r"www\.example\.com", [(r"/", UserHandler)])
    application.add_transform(Upper)
    name: str = application.reverse_url("user", 5)
    setting: Any = application.settings["own_setting"]
    logging.info("%s %r", name, setting)
    return application


# -- servers --


def handle_request(request: HTTPRequest) -> None:
    """A server without the framework."""
    body = request.uri.encode()
    agent: str | None = request.headers.get("User-Agent")
    values: list[str] = request.headers.get_list("Accept")
    logging.info("%s %s", agent, values)
    request.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    request.finish()
    request.write("text")  # type: ignore[arg-type]


class EchoServer(TCPServer):
    """A server of streams."""

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        """Repeat each line."""
        stream.set_close_callback(functools.partial(logging.info, "%r went away", address))
        stream.read_until(b"\n", functools.partial(self.on_line, stream))

    def on_line(self, stream: IOStream, line: bytes) -> None:
        """Repeat one."""
        stream.write(line, callback=stream.close)


def serve() -> None:
    """All ways to begin."""
    parse_command_line()
    server = HTTPServer(make_application(), xheaders=True, max_body_size=1 << 20)
    server.listen(options.options.port, "127.0.0.1")
    server.bind(8889)
    server.start(0)
    HTTPServer(handle_request, ssl_options={"certfile": "x", "keyfile": "y"}).listen(443)
    HTTPServer(lambda request: request.finish(), True, IOLoop.instance(), False, None)
    EchoServer().add_sockets(netutil.bind_sockets(0, "localhost"))
    make_application().listen(8890)
    HTTPServer(5)  # type: ignore[arg-type]
    IOLoop.instance().start()


# -- streams --


def on_bytes(data: bytes) -> None:
    """Take what was read."""


def on_text(data: str) -> None:
    """Take what never comes."""


def use_streams(stream: IOStream, tls: SSLIOStream) -> None:
    """All the calls."""
    stream.connect(("example.com", 80), functools.partial(stream.write, b"x"))
    stream.read_until(b"\r\n", on_bytes)
    stream.read_until_regex(rb"\r?\n", on_bytes)
    stream.read_bytes(10, on_bytes, streaming_callback=on_bytes)
    stream.read_until_close(on_bytes)
    stream.write(b"bytes", stream.close)
    stream.set_close_callback(None)
    state: tuple[bool, bool, bool] = (stream.closed(), stream.reading(), stream.writing())
    error: BaseException | None = stream.error
    if stream.socket is not None:
        logging.info("%d %s %r", stream.socket.fileno(), state, error)
    if isinstance(tls.socket, ssl.SSLSocket):
        logging.info("%s", tls.socket.version())
    stream.write("text")  # type: ignore[arg-type]
    stream.read_until("text", on_bytes)  # type: ignore[arg-type]
    stream.read_until(b"\n", on_text)  # type: ignore[arg-type]
    stream.read_bytes("10", on_bytes)  # type: ignore[arg-type]
    stream.close(5)  # type: ignore[call-arg]


def make_streams(stream_class: type[IOStream] = IOStream) -> iostream.IOStream:
    """All the constructors."""
    import socket

    SSLIOStream(socket.socket(), ssl_options={"cert_reqs": ssl.CERT_NONE})
    SSLIOStream(socket.socket(), io_loop=IOLoop.instance(), ssl_options=ssl.create_default_context())
    return stream_class(socket.socket(), IOLoop.instance(), max_buffer_size=1000, read_chunk_size=10)


# -- the loop --


def on_event(fd: int, events: int) -> None:
    """Take an event of a descriptor."""


def use_the_loop(loop: ioloop.IOLoop) -> None:
    """All the calls."""
    loop.add_handler(0, on_event, loop.READ | loop.WRITE)
    loop.update_handler(0, IOLoop.READ)
    loop.remove_handler(0)
    timeout = loop.add_timeout(5.0, loop.stop)
    loop.remove_timeout(timeout)
    loop.add_timeout(datetime.timedelta(hours=1), functools.partial(on_event, 1, 2))
    loop.add_callback(loop.stop)
    loop.set_blocking_log_threshold(0.5)
    periodic = PeriodicCallback(functools.partial(on_event, 1, 2), 1000, io_loop=loop)
    periodic.start()
    periodic.stop()
    with stack_context.StackContext(stack_context.NullContext), stack_context.NullContext():
        loop.add_callback(stack_context.wrap(loop.stop))
    loop.add_callback(5)  # type: ignore[arg-type]
    loop.add_handler(0, loop.stop, loop.READ)  # type: ignore[arg-type]
    loop.add_timeout("soon", loop.stop)  # type: ignore[arg-type]
    PeriodicCallback(on_event, 1000)  # type: ignore[arg-type]


# -- leaves --


def use_leaves() -> None:
    """A bit of each."""
    text: str = escape.to_unicode(b"x")
    data: bytes = escape.utf8("x")
    nothing: None = escape.utf8(None)
    headers = httputil.HTTPHeaders({"A": "b"})
    headers.add("A", "c")
    pairs: list[tuple[str, str]] = list(headers.get_all())
    address: str = httputil.url_concat("http://a/", {"b": "c"})
    anything: Any = escape.json_decode(escape.json_encode({"a": 1}))
    logging.info("%s %s %s %s %s %s", text, data, nothing, pairs, address, anything)
    options.define("names", default=["a"], multiple=True, type=str)
    names: list[str] = options.options.names
    names.append(5)  # type: ignore[arg-type]

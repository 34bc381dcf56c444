"""Handlers and applications behind a live server: what a client sees of what a handler does.

Most tests say what one method of one handler does and look at the answer; the connection is used once
more after each answer that keeps it, so that a byte too many or too few is noticed.
"""

import contextlib
import datetime
import email.utils
import functools
import gc
import gzip
import hashlib
import http.client
import json
import logging
import random
import re
import socket
import time
import zlib
from collections.abc import Callable
from typing import Any
from unittest import mock

import tornado
from tornado import _routes, web
from tornado.httpserver import HTTPRequest, HTTPServer
from tornado.httputil import HTTPHeaders
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream
from tornado.stack_context import NullContext
from tornado.test.live import GET, Answer, Client, ServerCase, get, post
from tornado.test.util import ExpectLog
from tornado.web import (
    Application,
    ErrorHandler,
    FallbackHandler,
    HTTPError,
    OutputTransform,
    RedirectHandler,
    RequestHandler,
    URLSpec,
    addslash,
    asynchronous,
    removeslash,
    url,
)
from tornado.wire import WireError

Act = Callable[..., Any]

ALIVE = "/still-alive"
CONTROLS = [chr(code) for code in range(0x20) if chr(code) != "\t"] + ["\x7f"]
UNCAUGHT = r"^Uncaught exception GET / \(127\.0\.0\.1\)\n"


class Page(RequestHandler):
    """Does what a test says, whichever the method."""

    def initialize(self, act: Act) -> None:
        self.act = act

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self.act(self, *args, **kwargs)

    head = post = put = delete = patch = options = get


class Alive(RequestHandler):
    def get(self) -> None:
        self.write("alive")


def nothing(handler: RequestHandler) -> None:
    """The act of a page that is empty."""


def boom(*args: object, **kwargs: object) -> Any:
    raise ZeroDivisionError("boom")


def error(*args: Any, **kwargs: Any) -> Act:
    """An act that raises HTTPError(*args*, *kwargs*)."""

    def act(*ignored: object) -> None:
        raise HTTPError(*args, **kwargs)

    return act


def writing(*chunks: Any) -> Act:
    """An act that writes *chunks*."""

    def act(handler: RequestHandler, *args: object) -> None:
        for chunk in chunks:
            handler.write(chunk)

    return act


def flushing(*chunks: Any) -> Act:
    """An act that sends each of *chunks* at once."""

    def act(handler: RequestHandler, *args: object) -> None:
        for chunk in chunks:
            handler.write(chunk)
            handler.flush()

    return act


class WebCase(ServerCase):
    """A server of one application, whose access log goes to `logged`, a list of status codes."""

    def setUp(self) -> None:
        super().setUp()
        self.logged: list[int] = []
        self.noted: list[Any] = []

    def application(self, handlers: list[Any], **settings: Any) -> Application:
        """Serve an application with *handlers* and one more."""
        settings.setdefault("log_function", lambda handler: self.logged.append(handler.get_status()))
        debug = settings.pop("debug", False)
        application = Application([(ALIVE, Alive), *handlers], **settings)
        application.settings["debug"] = debug  # so late that no watch for changed sources begins
        self.serve(application)
        return application

    def page(self, act: Act, **settings: Any) -> None:
        """Serve an application that answers everything with *act*."""
        self.application([(".*", Page, {"act": act})], **settings)

    def fetch(self, request: bytes = GET) -> Answer:
        """Return the answer to *request*, and see whether the connection is still in order."""
        client = self.connect()
        client.send(request)
        answer = client.read_answer(request.partition(b" ")[0].decode())
        if b"HTTP/1.0" in request and "Connection" not in answer.headers:
            self.assertEqual(client.read_all(), b"")
        else:
            self.check_usable(client, answer)
        return answer

    def check_usable(self, client: Client, answer: Answer) -> None:
        """See whether *client* can go on after *answer*, unless that said otherwise."""
        if "close" in answer.headers.get("Connection", ""):
            self.assertEqual(client.read_all(), b"")
        else:
            client.send(get(ALIVE))
            self.assertEqual(client.read_answer().body.lower(), b"alive")
        client.close()

    def answer(self, act: Act, request: bytes = GET, **settings: Any) -> Answer:
        """Return the answer of a page that does *act*."""
        self.page(act, **settings)
        return self.fetch(request)

    def raw(self, act: Act, request: bytes = GET, **settings: Any) -> bytes:
        """Return all the bytes that come for *request*, after which the server closes."""
        self.page(act, **settings)
        client = self.connect()
        client.send(request)
        return client.read_all()

    def later(self, callback: Callable[[], Any], seconds: float = 10) -> None:
        """Have the loop call *callback* after *seconds*, with the contexts of here and now."""
        self.loop.add_timeout(datetime.timedelta(seconds=seconds), callback)

    def get_closing(self, *fields: str) -> bytes:
        return get("/", "Connection: close", *fields)


# -- the life of a request --


class LifeTest(WebCase):
    def noting(self, noted: list[str]) -> type[RequestHandler]:
        class Noting(RequestHandler):
            def set_default_headers(self) -> None:
                noted.append("set_default_headers")

            def initialize(self, **kwargs: Any) -> None:
                noted.append(f"initialize {kwargs}")

            def prepare(self) -> None:
                noted.append(f"prepare {self.get_argument('end', '')}".strip())
                end = self.get_argument("end", None)
                if end == "finish":
                    self.finish("by prepare")
                elif end == "redirect":
                    self.redirect("/elsewhere")
                elif end == "error":
                    self.send_error(403)
                elif end == "raise":
                    raise HTTPError(402)

            def get(self, *args: str, **kwargs: str) -> None:
                noted.append(f"{self.request.method} {args} {kwargs}")

            head = post = put = delete = patch = options = get

            def finish(self, chunk: Any = None) -> None:
                noted.append("finish")
                super().finish(chunk)
                noted.append("finished")

            def _log(self) -> None:
                noted.append("log")

            def on_finish(self) -> None:
                noted.append("on_finish")

            def on_connection_close(self) -> None:
                noted.append("on_connection_close")

        return Noting

    def test_order(self) -> None:
        noted: list[str] = []
        self.application([(r"/(\w)/(\w)", self.noting(noted), {"database": 1})])
        self.fetch(get("/a/b"))
        begin = ["set_default_headers", "initialize {'database': 1}", "prepare"]
        end = ["finish", "log", "on_finish", "finished"]
        self.assertEqual(noted, [*begin, "GET ('a', 'b') {}", *end])

    def test_each_method(self) -> None:
        noted: list[str] = []
        self.application([("/", self.noting(noted))])
        for method in RequestHandler.SUPPORTED_METHODS:
            with self.subTest(method):
                noted.clear()
                self.assertEqual(self.fetch(GET.replace(b"GET", method.encode())).code, 200)
                self.assertIn(f"{method} () {{}}", noted)

    def test_prepare_that_ends_it(self) -> None:
        for end, code in [("finish", 200), ("redirect", 302), ("error", 403), ("raise", 402)]:
            with self.subTest(end):
                noted: list[str] = []
                self.application([("/", self.noting(noted))])
                self.assertEqual(self.fetch(get(f"/?end={end}")).code, code)
                self.assertEqual(noted[2], f"prepare {end}")
                self.assertFalse([each for each in noted if each.startswith("GET")])
                self.assertEqual(noted.count("on_finish"), 1)

    def test_default_methods(self) -> None:
        self.application([("/", RequestHandler)])
        for method in (*RequestHandler.SUPPORTED_METHODS, "PROPFIND", "BREW", "get"):
            with self.subTest(method):
                answer = self.fetch(GET.replace(b"GET", method.encode()))
                self.assertEqual(answer.code, 405)
                self.assertEqual(answer.headers["Allow"], "")

    def test_allow_names_what_the_handler_has(self) -> None:
        class Some(RequestHandler):
            def get(self) -> None: ...

            def delete(self) -> None: ...

        class More(Some):
            def post(self) -> None: ...

        class Narrow(Some):
            SUPPORTED_METHODS = ("GET", "PROPFIND")

            def propfind(self) -> None:
                self.write("found")

        self.application([("/some", Some), ("/more", More), ("/narrow", Narrow)])
        for path, method, code, allow in [
            ("/some", "HEAD", 405, "GET, DELETE"),
            ("/some", "POST", 405, "GET, DELETE"),
            ("/some", "BREW", 405, "GET, DELETE"),
            ("/more", "PUT", 405, "GET, POST, DELETE"),
            ("/narrow", "DELETE", 405, "GET, PROPFIND"),
            ("/narrow", "PROPFIND", 200, None),
        ]:
            with self.subTest(path, method=method):
                answer = self.fetch(f"{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                self.assertEqual(answer.code, code)
                allowed = answer.headers.get("Allow")
                self.assertEqual(allowed and set(allowed.split(", ")), allow and set(allow.split(", ")))

    def test_one_instance_for_each_request(self) -> None:
        seen: list[RequestHandler] = []
        self.page(seen.append)
        client = self.connect()
        client.send(GET * 3)
        for _ in range(3):
            client.read_answer()
        self.assertEqual(len(set(map(id, seen))), 3)

    def test_url_arguments_that_initialize_does_not_take(self) -> None:
        self.application([("/", Page, {"act": nothing, "other": 1})])
        with ExpectLog("tornado", "unexpected keyword argument 'other'"):
            self.assertEqual(self.fetch().code, 500)

    def test_after_the_end(self) -> None:
        def act(handler: RequestHandler) -> None:
            handler.finish("done")
            for call in (handler.finish, functools.partial(handler.write, "more")):
                for kind in (AssertionError, RuntimeError):
                    with self.assertRaises(kind):
                        call()
            self.noted.append("checked")

        self.assertEqual(self.answer(act).body, b"done")
        self.assertEqual(self.noted, ["checked"])

    def test_settings(self) -> None:
        def act(handler: RequestHandler) -> None:
            self.assertIs(handler.settings, handler.application.settings)
            handler.require_setting("login_url")
            for missing in ("xyz", "empty"):
                with self.assertRaisesRegex(Exception, f"logins needs the setting '{missing}'"):
                    handler.require_setting(missing, "logins")
            handler.write(handler.settings["own"])

        self.assertEqual(self.answer(act, login_url="/", own="mine", empty="").body, b"mine")

    def test_no_cycles_are_left(self) -> None:
        acts: list[tuple[str, Act, str | None]] = [
            ("page", writing("page"), None),
            ("pieces", flushing("a", "b"), None),
            ("redirect", lambda handler: handler.redirect("/"), None),
            ("error", error(404), None),
            ("exception", boom, "boom"),
        ]
        for name, act, log in acts:
            with self.subTest(name), ExpectLog("tornado.web", log or "^$", required=False) as expected:
                self.page(act)
                client = self.connect()
                for _ in range(2):
                    expected.records.clear()  # whose tracebacks hold the handler
                    gc.collect()
                    gc.disable()
                    try:
                        client.send(GET)
                        client.read_answer()
                        self.settle()
                        expected.records.clear()
                        found = gc.collect()
                    finally:
                        gc.enable()
                self.assertEqual(found, 0)
                client.close()


# -- input --


class ArgumentTest(WebCase):
    VALUES: list[tuple[str, str, Act, Any]] = [  # name, query, the call, its value
        ("one", "a=b", lambda h: h.get_argument("a"), "b"),
        ("last wins", "a=1&a=2&b=3", lambda h: h.get_argument("a"), "2"),
        ("all", "a=1&b=3&a=2", lambda h: h.get_arguments("a"), ["1", "2"]),
        ("none", "b=1", lambda h: h.get_arguments("a"), []),
        ("default", "", lambda h: h.get_argument("a", None), None),
        ("default of any type", "", lambda h: h.get_argument("a", [1]), [1]),
        ("default not needed", "a=1", lambda h: h.get_argument("a", "2"), "1"),
        ("percent", "a=%41%20b%2B", lambda h: h.get_argument("a"), "A b+"),
        ("plus", "a=b+c", lambda h: h.get_argument("a"), "b c"),
        ("UTF-8", "a=%C3%A9%E2%82%AC", lambda h: h.get_argument("a"), "\xe9\u20ac"),
        ("stripped", "a=%20%09b%20c%0A", lambda h: h.get_argument("a"), "b c"),
        ("not stripped", "a=%20b%0A", lambda h: h.get_argument("a", strip=False), " b\n"),
        ("not stripped, all", "a=+b", lambda h: h.get_arguments("a", strip=False), [" b"]),
        ("controls", "a=x%00%08%0E%1Fy", lambda h: h.get_argument("a"), "x    y"),
        ("controls that stay", "a=x%09%0A%0B%0C%0Dy", lambda h: h.get_argument("a"), "x\t\n\x0b\x0c\ry"),
        ("controls at the ends", "a=%00x%1f", lambda h: h.get_argument("a"), "x"),
        ("controls, not stripped", "a=%00x", lambda h: h.get_argument("a", strip=False), " x"),
        ("empty", "a=&a", lambda h: h.get_argument("a", None), None),
        ("blank", "a=+", lambda h: h.get_argument("a", None), ""),
        ("semicolon", "a=1;b=2", lambda h: h.get_argument("a"), "1;b=2"),
        ("broken percent", "a=%zz%4", lambda h: h.get_argument("a"), "%zz%4"),
        ("no name", "=x&a=1", lambda h: h.get_argument("a"), "1"),
    ]

    def test_values(self) -> None:
        for name, query, call, value in self.VALUES:
            with self.subTest(name):
                self.answer(lambda handler, call=call: self.noted.append(call(handler)), get(f"/?{query}"))
                self.assertEqual(self.noted.pop(), value)

    def test_forms(self) -> None:
        urlencoded = post(b"a=3&b=%C3%A9", "Content-Type: application/x-www-form-urlencoded")
        multipart = post(
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n3\r\n'
            b'--x\r\nContent-Disposition: form-data; name="b"\r\n\r\n\xc3\xa9\r\n--x--\r\n',
            "Content-Type: multipart/form-data; boundary=x",
        )
        for name, request in [("urlencoded", urlencoded), ("multipart", multipart)]:
            for method in (b"POST", b"PUT", b"PATCH"):
                with self.subTest(name, method=method):
                    self.answer(
                        lambda h: self.noted.append([h.get_arguments("a"), h.get_argument("b")]),
                        request.replace(b"POST /", method + b" /?a=1&a=2", 1),
                    )
                    self.assertEqual(self.noted.pop(), [["1", "2", "3"], "\xe9"])

    def test_refused(self) -> None:
        refused: list[tuple[str, str, str]] = [
            ("missing", "b=1", "^400 GET /.*: Missing argument a$"),
            ("empty", "a=", "^400 GET /.*: Missing argument a$"),
            ("not UTF-8", "a=%ff", r"^400 GET /.*: Invalid unicode in a"),
            ("a surrogate", "a=%ED%A0%80", r"^400 GET /.*: Invalid unicode in a"),
        ]
        for name, query, log in refused:
            with self.subTest(name), ExpectLog("tornado.web", log):
                answer = self.answer(lambda handler: handler.get_argument("a"), get(f"/?{query}"))
                self.assertEqual(answer.code, 400)

    def test_own_decoding(self) -> None:
        decoded: list[tuple[bytes, str | None]] = []

        class Numbers(RequestHandler):
            def decode_argument(self, value: bytes, name: str | None = None) -> Any:
                decoded.append((value, name))
                return int(value)

            def get(self, number: Any, *rest: Any, **kwargs: Any) -> None:
                self.write({"result": [self.get_argument("a"), number, *rest, kwargs]})

        self.application([(r"/n/(\d)/(\d)?", Numbers), (r"/k/(?P<number>\d)/(?P<more>\d)?", Numbers)])
        answer = self.fetch(get("/n/1/?a=2"))
        self.assertEqual(json.loads(answer.body), {"result": [2, 1, None, {}]})
        self.assertEqual(decoded, [(b"1", None), (b"2", "a")])
        answer = self.fetch(get("/k/1/3?a=2"))
        self.assertEqual(json.loads(answer.body), {"result": [2, 1, {"more": 3}]})
        self.assertEqual(decoded[2:], [(b"1", "number"), (b"3", "more"), (b"2", "a")])


class PathTest(WebCase):
    GROUPS: list[tuple[str, str, Any]] = [  # pattern, path, the arguments or the status
        (r"/(\w+)/(\d+)", "/a/1", [("a", "1"), {}]),
        (r"/(?P<x>\w+)/(?P<y>\d+)", "/a/1", [(), {"x": "a", "y": "1"}]),
        (r"/(?P<x>\w+)/(\d+)", "/a/1", [(), {"x": "a"}]),
        (r"/a(/b)?", "/a", [(None,), {}]),
        (r"/a(?P<x>/b)?", "/a", [(), {"x": None}]),
        (r"/(\w*)", "/", [("",), {}]),
        (r"/([^/]+)/x", "/a%2Fb/x", [("a/b",), {}]),
        (r"/([^/]+)", "/a/b", 404),
        (r"/(.*)", "/%C3%A9%e2%82%ac", [("\xe9\u20ac",), {}]),
        (r"/(.*)", "/a+b%2B", [("a+b+",), {}]),
        (r"/(.*)", "/%", [("%",), {}]),
        (r"/(.*)", "/%zz%4", [("%zz%4",), {}]),
        (r"/(.*)", "/%00%0a", [("\x00\n",), {}]),
        (r"/(.*)", "/%E9", 400),
        (r"/(.*)", "//host/path", [("/host/path",), {}]),
        (r"/(?:a|b)/(c)", "/b/c", [("c",), {}]),
        (r"/a", "/ab", 404),
        (r"/a$", "/ab", 404),
        (r"/a", "/x/a", 404),
        (r"/é", "/%C3%A9", 404),  # patterns are matched against the path as it came
        (r"/%C3%A9", "/%C3%A9", [(), {}]),
        (r"/a", "/a?b", [(), {}]),
        (r"/a", "http://host/a", [(), {}]),
        (r"/", "http://host?a", [(), {}]),
    ]

    def test_groups(self) -> None:
        for pattern, path, expected in self.GROUPS:
            with self.subTest(pattern, path=path), ExpectLog("tornado.web", "^400 GET ", required=False):
                act = lambda handler, *args, **kwargs: self.noted.append([args, kwargs])  # noqa: E731
                self.application([(pattern, Page, {"act": act})])
                code = self.fetch(get(path)).code
                self.assertEqual(self.noted or code, [expected] if isinstance(expected, list) else expected)
                self.noted.clear()

    def test_decoded_after_prepare(self) -> None:
        noted = self.noted

        class Prepared(RequestHandler):
            def prepare(self) -> None:
                noted.append("prepared")

            def get(self, name: str) -> None:
                noted.append("got")

        self.application([("/(.*)", Prepared)])
        with ExpectLog("tornado.web", "Invalid unicode in url"):
            self.assertEqual(self.fetch(get("/%ff")).code, 400)
        self.assertEqual(noted, ["prepared"])


# -- output --


class WriteTest(WebCase):
    def test_types(self) -> None:
        html, js = "text/html; charset=UTF-8", "application/json; charset=UTF-8"
        bodies: list[tuple[str, Act, bytes, str]] = [
            ("str", writing("caf\xe9 \u20ac"), "caf\xe9 \u20ac".encode(), html),
            ("bytes", writing(b"\xff\x00"), b"\xff\x00", html),
            ("several", writing("a", b"b", "", "c"), b"abc", html),
            ("nothing", nothing, b"", html),
            ("dict", writing({"a": [1, "</x>"]}), b'{"a": [1, "<\\/x>"]}', js),
            ("dict of bytes", writing({"a": b"\xc3\xa9"}), b'{"a": "\\u00e9"}', js),
            ("empty dict", writing({}), b"{}", js),
            ("dict after text", writing("a", {}), b"a{}", js),
            ("finish with text", lambda h: h.finish("a"), b"a", html),
            ("finish with a dict", lambda h: h.finish({}), b"{}", js),
            ("both", lambda h: (h.write("a"), h.finish("b")), b"ab", html),
            ("own type", lambda h: (h.write({}), h.set_header("Content-Type", "x/y")), b"{}", "x/y"),
        ]
        for name, act, body, content_type in bodies:
            with self.subTest(name):
                answer = self.answer(act)
                self.assertEqual((answer.code, answer.body), (200, body))
                self.assertEqual(answer.headers["Content-Type"], content_type)
                self.assertEqual(answer.headers["Content-Length"], str(len(body)))

    def test_refused(self) -> None:
        for chunk in ([1], None, 1, 1.5, ("a",), bytearray(b"a"), {1, 2}, object()):
            for call in (writing(chunk), lambda handler, chunk=chunk: handler.finish(chunk)):
                if chunk is None and call is not writing:
                    continue
                with self.subTest(repr(chunk)), ExpectLog("tornado.web", "wanted str, bytes or a dict"):
                    answer = self.answer(call)
                    self.assertEqual(answer.code, 500)

    def test_text_without_an_encoding(self) -> None:
        for chunk in ("\ud800", {"a": {1}}):
            with self.subTest(chunk), ExpectLog("tornado.web", UNCAUGHT):
                self.assertEqual(self.answer(writing("before", chunk)).code, 500)

    def test_large(self) -> None:
        body = bytes(range(256)) * 20_000
        self.assertEqual(self.answer(writing(body)).body, body)

    def test_default_headers(self) -> None:
        headers = self.answer(writing("hello")).headers
        self.assertEqual(sorted(headers), ["Content-Length", "Content-Type", "Date", "Etag", "Server"])
        self.assertEqual(headers["Server"], f"TornadoServer/{tornado.version}")
        date = email.utils.parsedate_to_datetime(headers["Date"])
        self.assertLess(abs(date.timestamp() - time.time()), 10)


class FlushTest(WebCase):
    def parts(self, data: bytes) -> tuple[str, bytes]:
        head, _, body = data.partition(b"\r\n\r\n")
        return head.decode("latin-1"), body

    def test_chunks(self) -> None:
        pieces: list[tuple[str, Act, bytes]] = [
            ("two", flushing("hello", "x" * 17), b"5\r\nhello\r\n11\r\n" + b"x" * 17 + b"\r\n0\r\n\r\n"),
            ("and an end", lambda h: (flushing("ab")(h), h.finish("c")), b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
            ("empty ones", flushing("", "a", "", "b", ""), b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"),
            ("nothing", flushing(""), b"0\r\n\r\n"),
        ]
        for name, act, body in pieces:
            with self.subTest(name):
                head, came = self.parts(self.raw(act, self.get_closing()))
                self.assertEqual(came, body)
                self.assertIn("\r\nTransfer-Encoding: chunked", head)
                self.assertNotIn("Content-Length", head)
                self.assertNotIn("Etag", head)

    def test_connection_goes_on_after_chunks(self) -> None:
        answer = self.answer(flushing("a", "b"))
        self.assertEqual(answer.body, b"ab")
        self.assertNotIn("Connection", answer.headers)

    def test_older_clients_see_the_end_by_the_close(self) -> None:
        for fields in ((), ("Connection: Keep-Alive",)):
            with self.subTest(fields):
                request = get("/", *fields).replace(b"HTTP/1.1", b"HTTP/1.0")
                head, body = self.parts(self.raw(flushing("a", "b"), request))
                self.assertEqual(body, b"ab")
                self.assertIn("\r\nConnection: close", head)
                self.assertNotIn("Transfer-Encoding", head)
                self.assertTrue(head.startswith("HTTP/1.1 200 OK\r\n"))

    def test_older_clients_keep_the_connection(self) -> None:
        request = get("/", "Connection: Keep-Alive").replace(b"HTTP/1.1", b"HTTP/1.0")
        answer = self.answer(writing("a"), request)
        self.assertEqual(answer.headers["Connection"], "Keep-Alive")
        self.assertEqual(answer.headers["Content-Length"], "1")

    def test_without_transforms_the_close_is_the_end(self) -> None:
        head, body = self.parts(self.raw(flushing("a", "b"), transforms=[]))
        self.assertEqual(body, b"ab")
        self.assertIn("\r\nConnection: close", head)

    def test_known_length(self) -> None:
        def act(handler: RequestHandler) -> None:
            handler.set_header("Content-Length", 2)
            flushing("a", "b")(handler)

        head, body = self.parts(self.raw(act, self.get_closing()))
        self.assertEqual(body, b"ab")
        self.assertNotIn("Transfer-Encoding", head)
        self.assertEqual(self.answer(act).body, b"ab")

    def test_pieces_are_sent_at_once(self) -> None:
        pieces: list[Callable[[str], None]] = []

        @asynchronous
        def act(handler: RequestHandler) -> None:
            pieces.append(lambda text: flushing(text)(handler))
            pieces.append(handler.finish)

        self.page(act)
        client = self.connect()
        client.send(GET)
        self.settle()
        pieces[0]("hello")
        self.until(lambda: client.pull().received.endswith(b"5\r\nhello\r\n"))
        pieces[1]("end")
        self.assertEqual(client.read_answer().body, b"helloend")

    def test_callback(self) -> None:
        for method in ("GET", "HEAD"):
            with self.subTest(method):

                @asynchronous
                def act(handler: RequestHandler) -> None:
                    left = iter(["a", "", "b"])

                    def send_next() -> None:
                        text = next(left, None)
                        if text is None:
                            handler.finish()
                            return
                        handler.write(text)
                        count = len(self.noted)
                        handler.flush(callback=functools.partial(on_sent, text))
                        self.assertEqual(len(self.noted), count, "called inside flush()")

                    def on_sent(text: str) -> None:
                        self.noted.append(text)
                        send_next()

                    send_next()

                self.page(act)
                answer = self.fetch(GET.replace(b"GET", method.encode()))
                self.assertEqual(answer.body, b"ab" if method == "GET" else b"")
                self.assertEqual(self.noted, ["a", "", "b"])
                self.noted.clear()

    def test_slow_reader_holds_the_producer(self) -> None:
        piece = bytes(1 << 20)
        count = 40

        @asynchronous
        def act(handler: RequestHandler) -> None:
            def send_next() -> None:
                if len(self.noted) == count:
                    handler.finish()
                    return
                self.noted.append("piece")
                handler.write(piece)
                handler.flush(callback=send_next)

            send_next()

        self.page(act)
        client = self.connect()
        client.send(self.get_closing())
        self.settle()
        self.assertLess(len(self.noted), 15, "the whole response is in memory")
        self.assertGreater(len(client.read_all()), count * len(piece))

    def test_exception_in_a_callback_after_the_head(self) -> None:
        @asynchronous
        def act(handler: RequestHandler) -> None:
            handler.write("a")
            handler.flush(callback=boom)

        with ExpectLog("tornado.web", UNCAUGHT), ExpectLog("tornado.web", "cannot send the error"):
            data = self.raw(act)
        self.assertEqual(data.count(b"HTTP/1.1"), 1)
        self.assertNotIn(b"500", data)

    def test_exception_after_the_head(self) -> None:
        for name, begin in [("chunks", nothing), ("length", lambda h: h.set_header("Content-Length", "9"))]:

            def act(handler: RequestHandler, begin: Act = begin) -> None:
                begin(handler)
                flushing("a")(handler)
                boom()

            logs = [UNCAUGHT, "cannot send the error"]
            with self.subTest(name), contextlib.ExitStack() as stack:
                for log in logs:
                    stack.enter_context(ExpectLog("tornado.web", log))
                stack.enter_context(ExpectLog("tornado.web", "8 bytes are missing", required=False))
                data = self.raw(act)
                self.assertEqual(data.count(b"HTTP/1.1"), 1)
                self.assertTrue(data.startswith(b"HTTP/1.1 200 OK"))

    def test_refused_under_wsgi(self) -> None:
        def act(handler: RequestHandler) -> None:
            with self.assertRaisesRegex(Exception, "WSGI"):
                handler.flush()
            handler.write("body")

        application = Application([("/", Page, {"act": act})], wsgi=True)
        handler = application(HTTPRequest("GET", "/", "HTTP/1.1"))
        self.assertEqual(b"".join(handler._write_buffer), b"body")
        self.assertTrue(handler._finished)


class HeaderTest(WebCase):
    def test_values(self) -> None:
        moment = datetime.datetime(2011, 6, 21, 1, 2, 3)
        zone = datetime.timezone(datetime.timedelta(hours=2))
        values: list[tuple[str, Any, str]] = [
            ("str", "text", "text"),
            ("bytes", b"caf\xe9", "caf\xe9"),
            ("latin-1", "caf\xe9", "caf\xe9"),
            ("beyond latin-1 is UTF-8", "\u20ac", "\u20ac".encode().decode("latin-1")),
            ("int", 42, "42"),
            ("datetime", moment, "Tue, 21 Jun 2011 01:02:03 GMT"),
            ("aware datetime", moment.replace(tzinfo=zone), "Mon, 20 Jun 2011 23:02:03 GMT"),
            ("empty", "", ""),
            ("a tab", "a\tb", "a\tb"),
            ("long", "x" * 4000, "x" * 4000),
        ]
        for name, value, expected in values:
            with self.subTest(name):
                answer = self.answer(lambda handler, value=value: handler.set_header("X-Value", value))
                self.assertEqual(answer.headers["X-Value"], expected)

    def test_several(self) -> None:
        def act(handler: RequestHandler) -> None:
            handler.set_header("X-One", "1")
            handler.set_header("x-one", "2")
            handler.add_header("X-Two", "1")
            handler.add_header("X-Two", 2)
            handler.add_header("x-two", b"3")
            handler.set_header("X-Three", "1")
            handler.add_header("X-Three", "2")
            handler.add_header("X-Four", "1")
            handler.set_header("X-Four", "2")
            handler.set_header("X-Five", "1")
            handler.clear_header("x-five")
            handler.clear_header("X-Never")
            handler.set_header("CONTENT-TYPE", "x/y")

        headers = self.answer(act).headers
        lists = {name: headers.get_list(name) for name in ("X-One", "X-Two", "X-Three", "X-Four", "X-Five")}
        self.assertEqual(list(lists.values()), [["2"], ["1", "2", "3"], ["1", "2"], ["2"], []])
        self.assertEqual(headers.get_list("Content-Type"), ["x/y"])

    def test_refused(self) -> None:
        names = ["", " ", "a b", "a:", "a\n", "(a)", "a/b", "\xe9", "\u20ac", "a@", '"a"', *CONTROLS, "a\t"]
        names += [f"X{control}Y" for control in CONTROLS]
        values = [f"a{control}b" for control in CONTROLS] + [f"a{control}" for control in CONTROLS]
        values += ["x" * 4001, "a\r\nSet-Cookie: b=c", "a\u2028\n"]
        wrong = [None, 1.5, [1], {"a": 1}, object()]

        def act(handler: RequestHandler) -> None:
            for call in (handler.set_header, handler.add_header):
                for name in names:
                    with self.subTest("name", name=name), self.assertRaises(ValueError):
                        call(name, "value")
                for value in values:
                    for each in (value, value.encode()):
                        with self.subTest("value", value=each), self.assertRaises(ValueError):
                            call("X-Value", each)
                for thing in wrong:
                    with self.subTest("type", thing=thing), self.assertRaises(TypeError):
                        call("X-Value", thing)  # type: ignore[arg-type]
            self.noted.append("checked")

        headers = self.answer(act).headers
        self.assertEqual(self.noted, ["checked"])
        self.assertEqual(sorted(headers), ["Content-Length", "Content-Type", "Date", "Etag", "Server"])

    def test_refused_value_is_not_in_the_error_page(self) -> None:
        with ExpectLog("tornado.web", UNCAUGHT):
            answer = self.answer(lambda handler: handler.set_header("X-Value", "a\r\nX-Evil: 1"))
        self.assertEqual(answer.code, 500)
        self.assertNotIn("X-Evil", answer.headers)
        self.assertNotIn(b"Evil", answer.body)

    def test_text_without_an_encoding(self) -> None:
        """A lone surrogate, which no encoding has, is no reason to fail after the handler returned."""
        answer = self.answer(lambda handler: handler.set_header("X-Value", "a\ud800b"))
        self.assertEqual((answer.code, answer.headers["X-Value"]), (200, "a?b"))

    def test_clear(self) -> None:
        class Defaults(RequestHandler):
            def set_default_headers(self) -> None:
                self.set_header("X-Default", "1")
                self.set_header("Server", "mine")

            def get(self) -> None:
                self.set_header("X-Mine", "1")
                self.set_header("Content-Type", "x/y")
                self.set_status(404)
                self.write("before")
                self.clear()
                self.write("after")

        self.application([("/", Defaults)])
        answer = self.fetch()
        self.assertEqual((answer.code, answer.body), (200, b"after"))
        self.assertEqual(answer.headers["X-Default"], "1")
        self.assertEqual(answer.headers["Server"], "mine")
        self.assertEqual(answer.headers["Content-Type"], "text/html; charset=UTF-8")
        self.assertNotIn("X-Mine", answer.headers)

    def test_connection_close(self) -> None:
        for value in ("close", "Close"):
            data = self.raw(lambda handler, value=value: handler.set_header("Connection", value))
            self.assertTrue(data.startswith(b"HTTP/1.1 200 OK"))

    def test_the_defaults_are_not_shared(self) -> None:
        self.answer(lambda handler: handler.set_header("X-Mine", "1"))
        self.assertNotIn("X-Mine", self.answer(nothing).headers)


class StatusTest(WebCase):
    def test_codes(self) -> None:
        codes: list[tuple[Any, str | None, str]] = [
            *((code, None, http.client.responses[code]) for code in (200, 201, 302, 404, 418, 500, 511)),
            (200, "Fine", "Fine"),
            (299, "Odd", "Odd"),
            (599, "caf\xe9", "caf\xe9"),
        ]
        for code, reason, expected in codes:
            with self.subTest(code, reason=reason):
                answer = self.answer(lambda h, code=code, reason=reason: h.set_status(code, reason))
                self.assertEqual((answer.code, answer.reason), (code, expected))
                self.assertEqual(self.logged.pop(0), code)
                self.logged.clear()

    def test_refused(self) -> None:
        reasons = [f"a{control}b" for control in CONTROLS] + ["OK\r\nX-Evil: 1\r\n\r\nbody"]
        refused: list[tuple[Any, str | None]] = [
            *(
                (code, None)
                for code in (0, -1, 99, 100, 101, 199, 600, 1000, 299, 599, "200", None, 200.5, True)
            ),
            *((code, "reason") for code in (0, 100, 199, 600, "200", None)),
            *((200, reason) for reason in reasons),
        ]

        def act(handler: RequestHandler) -> None:
            for code, reason in refused:
                with self.subTest(code, reason=reason), self.assertRaises(ValueError):
                    handler.set_status(code, reason)
            self.assertEqual(handler.get_status(), 200)
            self.noted.append("checked")

        answer = self.answer(act)
        self.assertEqual((answer.code, answer.reason), (200, "OK"))
        self.assertEqual(self.noted, ["checked"])


class RedirectTest(WebCase):
    LOCATIONS: list[tuple[str, Any, str]] = [  # the request's target, the argument, the Location
        ("/", "/a", "/a"),
        ("/", "/a?b=c&d=%20#e", "/a?b=c&d=%20#e"),
        ("/x/y?z", "a", "/x/a"),
        ("/x/y/", "a", "/x/y/a"),
        ("/x/y", "../a", "/a"),
        ("/x/y", "../../../a", "/a"),
        ("/x/y", "./", "/x/"),
        ("/x/y?z", "?a=b", "/x/y?a=b"),
        ("/x/y?z", "#a", "/x/y?z#a"),
        ("/x/y?z", "", "/x/y?z"),
        ("/", b"/a", "/a"),
        ("/", "http://example.com/a?b", "http://example.com/a?b"),
        ("/", "https://example.com", "https://example.com"),
        ("/", "mailto:a@example.com", "mailto:a@example.com"),
        ("/", "//example.com/a", "//example.com/a"),
        ("/", "/caf\xe9 \u20ac", "/caf%C3%A9%20%E2%82%AC"),
        ("/", b"/caf\xc3\xa9", "/caf%C3%A9"),
        ("/", "/a b", "/a%20b"),
        ("/", "http://example.com/caf\xe9", "http://example.com/caf%C3%A9"),
        # None of these may become another host.
        ("//evil.example/", "a", "/evil.example/a"),
        ("//evil.example/", "", "/evil.example/"),
        ("//evil.example", "/a", "/a"),
        ("/", "/.//evil.example", "/evil.example"),
        ("/", ".//evil.example", "/evil.example"),
        ("/x/y", "..//evil.example", "/evil.example"),
        ("/", "/\\evil.example", "/%5Cevil.example"),
        ("/", "\\\\evil.example", "/%5C%5Cevil.example"),
        ("/\\evil.example/", "a", "/%5Cevil.example/a"),
    ]

    def test_locations(self) -> None:
        for target, argument, location in self.LOCATIONS:
            with self.subTest(target, argument=argument):
                answer = self.answer(lambda h, argument=argument: h.redirect(argument), get(target))
                self.assertEqual(answer.code, 302)
                self.assertEqual(answer.headers["Location"], location)
                self.assertEqual(answer.body, b"")

    def test_status(self) -> None:
        for kwargs, code in [
            ({}, 302),
            ({"permanent": True}, 301),
            ({"status": 303}, 303),
            ({"status": 307, "permanent": True}, 307),
        ]:
            with self.subTest(kwargs):
                answer = self.answer(lambda handler, kwargs=kwargs: handler.redirect("/a", **kwargs))
                self.assertEqual(answer.code, code)

    def test_refused(self) -> None:
        def act(handler: RequestHandler) -> None:
            for control in [*CONTROLS, "\t"]:
                for place in (f"/a{control}b", f"{control}/a", f"/a{control}", f"http://a/{control}"):
                    with self.subTest(place), self.assertRaises(ValueError):
                        handler.redirect(place)
            for status in (200, 299, 400, "302", True):
                with self.subTest(status), self.assertRaises(ValueError):
                    handler.redirect("/", status=status)  # type: ignore[arg-type]
            self.assertFalse(handler._finished)
            self.assertNotIn("Location", handler._headers)

        self.assertEqual(self.answer(act).code, 200)

    def test_what_was_written_before_is_sent_with_it(self) -> None:
        answer = self.answer(lambda handler: (handler.write("See there"), handler.redirect("/a")))
        self.assertEqual(answer.body, b"See there")

    def test_too_late(self) -> None:
        def act(handler: RequestHandler) -> None:
            flushing("a")(handler)
            for kind in (RuntimeError, AssertionError):
                with self.assertRaises(kind):
                    handler.redirect("/a")
            handler.finish("b")

        self.assertEqual(self.answer(act).body, b"ab")


class NoBodyTest(WebCase):
    """HEAD, 204 and 304 (RFC 9110, 6.4.1)."""

    def test_head_is_the_head_of_get(self) -> None:
        acts: list[tuple[str, Act]] = [
            ("page", writing("hello")),
            ("empty", nothing),
            ("pieces", flushing("a", "b")),
            ("length", lambda h: (h.set_header("Content-Length", "2"), flushing("a", "b")(h))),
            ("error", error(404)),
            ("redirect", lambda h: h.redirect("/")),
        ]
        for gzip_on in (False, True):
            for name, act in acts:
                with self.subTest(name, gzip=gzip_on):
                    self.page(act, gzip=gzip_on)
                    request = get("/", "Accept-Encoding: gzip")
                    with_body, without = self.fetch(request), self.fetch(request.replace(b"GET", b"HEAD"))
                    self.assertEqual(without.body, b"")
                    self.assertEqual(without.code, with_body.code)
                    for answer in (with_body, without):
                        answer.headers.pop("Date")
                    self.assertEqual(without.headers, with_body.headers)

    def test_head_with_a_length_of_what_is_not_made(self) -> None:
        answer = self.answer(lambda h: h.set_header("Content-Length", "1000"), GET.replace(b"GET", b"HEAD"))
        self.assertEqual(answer.headers["Content-Length"], "1000")
        self.assertNotIn("Connection", answer.headers)

    def test_nothing_comes_after_the_head(self) -> None:
        acts: list[tuple[str, Act]] = [
            ("empty", lambda h: None),
            ("written", writing("body")),
            ("flushed", flushing("body")),
            ("flushed twice", flushing("", "body")),
            ("flushed, then finished", lambda h: (h.flush(), h.finish("body"))),
            ("length", lambda h: (h.set_header("Content-Length", "4"), h.write("body"))),
            ("length, flushed", lambda h: (h.set_header("Content-Length", "4"), flushing("", "body")(h))),
            ("coding", lambda h: (h.set_header("Transfer-Encoding", "chunked"), h.write("body"))),
        ]
        for status in (204, 304):
            for gzip_on in (False, True):
                for version in (b"HTTP/1.1", b"HTTP/1.0"):
                    for name, act in acts:
                        with self.subTest(name, status=status, gzip=gzip_on, version=version):

                            def set_and_act(
                                handler: RequestHandler, status: int = status, act: Act = act
                            ) -> None:
                                handler.set_status(status)
                                act(handler)

                            request = get("/", "Accept-Encoding: gzip", "Connection: close")
                            request = request.replace(b"HTTP/1.1", version)
                            data = self.raw(set_and_act, request, gzip=gzip_on)
                            head, _, body = data.partition(b"\r\n\r\n")
                            self.assertEqual(body, b"")
                            self.assertNotIn(b"Transfer-Encoding", head)
                            if status == 204:
                                self.assertNotIn(b"Content-Length", head)
                            else:
                                self.assertNotIn(b"Content-Length: 0", head)

    def test_connection_goes_on(self) -> None:
        for status in (204, 304):
            for act in (writing("body"), flushing("", "body"), flushing("body", "body")):
                self.answer(lambda h, act=act, status=status: (h.set_status(status), act(h)))


class LengthTest(WebCase):
    """A Content-Length that a handler sets is a promise (RFC 9110, 8.6)."""

    def announcing(self, length: Any, act: Act) -> Act:
        return lambda handler: (handler.set_header("Content-Length", length), act(handler))

    def test_right(self) -> None:
        for act in (writing("abcd"), flushing("ab", "cd"), flushing("", "abcd")):
            answer = self.answer(self.announcing(4, act))
            self.assertEqual(answer.body, b"abcd")
            self.assertNotIn("Connection", answer.headers)

    def test_too_few(self) -> None:
        acts = [writing("abc"), flushing("a", "bc"), nothing, flushing("")]
        for number, act in enumerate(acts):
            with self.subTest(number), ExpectLog("tornado.web", "bytes are missing of the Content-Length"):
                data = self.raw(self.announcing(4, act))
                self.assertIn(b"Content-Length: 4\r\n", data)
                self.assertEqual(data.count(b"HTTP/1.1"), 1)

    def test_too_many(self) -> None:
        acts = [writing("abcdef"), flushing("ab", "cdef"), flushing("abcd", "ef"), flushing("abcdef", "gh")]
        for number, act in enumerate(acts):
            with self.subTest(number), ExpectLog("tornado.web", "bytes over the Content-Length"):
                self.assertEqual(self.answer(self.announcing(4, act)).body, b"abcd")

    def test_no_length_at_all(self) -> None:
        for value in ("", "abc", "-1", "1.5", "1 2", "+4", "4_0", "\u0664", "0x4", "4, 4", "9" * 30):
            with self.subTest(value), ExpectLog("tornado.web", UNCAUGHT):
                self.assertEqual(self.answer(self.announcing(value, writing("abcd"))).code, 500)


# -- errors --


class ErrorTest(WebCase):
    def crash(self, act: Act, log: str = UNCAUGHT, **settings: Any) -> Answer:
        """The answer to a GET that ends in an exception, which is logged with its traceback."""
        with ExpectLog("tornado.web", log) as expected:
            answer = self.answer(act, **settings)
        self.assertEqual(len(expected.records), 1)
        return answer

    def test_default_page(self) -> None:
        for code in (400, 403, 404, 405, 413, 418, 500, 503):
            with self.subTest(code):

                def act(handler: RequestHandler, code: int = code) -> None:
                    handler.set_header("X-Mine", "1")
                    handler.set_header("Content-Type", "x/y")
                    handler.write("written before")
                    raise HTTPError(code)

                answer = self.answer(act)
                title = f"{code}: {http.client.responses[code]}".replace("'", "&#39;")
                page = f"<html><title>{title}</title><body>{title}</body></html>"
                self.assertEqual((answer.code, answer.body.decode()), (code, page))
                self.assertEqual(answer.headers["Content-Type"], "text/html; charset=UTF-8")
                self.assertNotIn("X-Mine", answer.headers)
                self.assertEqual("Allow" in answer.headers, code == 405)

    def test_uncaught_exception(self) -> None:
        answer = self.crash(boom)
        self.assertEqual(answer.code, 500)
        self.assertNotIn(b"boom", answer.body)
        self.assertNotIn(b"Zero", answer.body)

    def test_log_messages(self) -> None:
        messages: list[tuple[str, tuple[Any, ...], str | None]] = [
            ("none", (404,), None),
            ("plain", (404, "no such page"), "^404 GET / \\(127.0.0.1\\): no such page$"),
            ("arguments", (400, "%s is not %d", "a", 2), ": a is not 2$"),
            ("no arguments", (400, "100%"), ": 100%$"),
            ("wrong type", (400, "%d", "a"), ": %d"),
            ("too few", (400, "%s %s", "a"), ": %s %s"),
            ("too many", (400, "a", "b"), ": a"),
            ("a line end", (400, "a\nb\x1b[31m\u2028"), r": a\\x0ab\\x1b\[31m\\u2028$"),
        ]
        for name, args, log in messages:
            with (
                self.subTest(name),
                ExpectLog("tornado.web", log or "", required=log is not None) as expected,
            ):
                answer = self.answer(error(*args))
                self.assertEqual(answer.code, args[0])
                self.assertEqual(len(expected.records), int(log is not None))
                self.assertNotIn(b"such", answer.body)

    def test_str(self) -> None:
        texts: list[tuple[tuple[Any, ...], str]] = [
            ((404,), "HTTP 404: Not Found"),
            ((404, "no %s", "page"), "HTTP 404: Not Found (no page)"),
            ((999,), "HTTP 999: Unknown"),
            ((400, "%d", "x"), "HTTP 400: Bad Request (%d"),
        ]
        for args, text in texts:
            self.assertTrue(str(HTTPError(*args)).startswith(text), str(HTTPError(*args)))
        self.assertEqual(HTTPError(404, "a", 1, 2).args, (1, 2))

    def test_codes_that_cannot_be_sent(self) -> None:
        codes: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
            ((999,), {}),
            ((299,), {}),
            ((100,), {}),
            ((101,), {"reason": "Switching Protocols"}),
            ((600,), {"reason": "Too High"}),
            ((0,), {}),
            ((-404,), {}),
            (("404",), {}),
            ((None,), {}),
        ]
        for args, kwargs in codes:
            for asynchronously in (False, True):
                with self.subTest(args, asynchronously=asynchronously):
                    act = error(*args, **kwargs)
                    if asynchronously:
                        act = self.asynchronously(act)
                    with ExpectLog("tornado.web", "^Bad HTTP status code: "):
                        answer = self.answer(act)
                    self.assertEqual((answer.code, answer.reason), (500, "Internal Server Error"))

    def asynchronously(self, act: Act) -> Act:
        """An asynchronous act that does *act* in a callback."""

        @asynchronous
        def later(handler: RequestHandler) -> None:
            self.loop.add_callback(functools.partial(act, handler))

        return later

    def test_reasons(self) -> None:
        reasons: list[tuple[int, str, int, str]] = [
            (404, "Gone Fishing", 404, "Gone Fishing"),
            (499, "Client Went", 499, "Client Went"),
            (404, "<b>", 404, "<b>"),
        ]
        for code, reason, status, expected in reasons:
            with self.subTest(reason):
                answer = self.answer(error(code, reason=reason))
                self.assertEqual((answer.code, answer.reason), (status, expected))
                self.assertIn(expected.replace("<", "&lt;").replace(">", "&gt;").encode(), answer.body)
                self.assertNotIn(b"<b>", answer.body)

    def test_reason_that_cannot_be_sent(self) -> None:
        for asynchronously in (False, True):
            with self.subTest(asynchronously=asynchronously), ExpectLog("tornado", "", required=False):
                act = error(404, reason="a\r\nX-Evil: 1")
                answer = self.answer(self.asynchronously(act) if asynchronously else act)
                self.assertIn(answer.code, (404, 500))
                self.assertNotIn("X-Evil", answer.headers)

    def test_reasons_of_other_exceptions_stay_here(self) -> None:
        class Reasonable(Exception):
            reason: Any = "secret"

        class Unreasonable(Exception):
            reason = ValueError("secret")

        def undecodable(handler: RequestHandler) -> None:
            b"\xff".decode()

        for name, act in [
            ("str", self.raising(Reasonable())),
            ("not str", self.raising(Unreasonable())),
            ("UnicodeDecodeError", undecodable),
        ]:
            with self.subTest(name):
                answer = self.crash(act)
                self.assertEqual((answer.code, answer.reason), (500, "Internal Server Error"))
                self.assertNotIn(b"secret", answer.body)
                self.assertNotIn(b"invalid", answer.body)

    def raising(self, exception: Exception) -> Act:
        def act(*args: object) -> None:
            raise exception

        return act

    def test_send_error(self) -> None:
        def act(handler: RequestHandler) -> None:
            handler.write("before")
            handler.send_error(403, extra=1)
            self.noted.append(handler._finished)

        answer = self.answer(act)
        self.assertEqual(answer.code, 403)
        self.assertNotIn(b"before", answer.body)
        self.assertEqual(self.noted, [True])
        self.assertEqual(self.answer(lambda handler: handler.send_error()).code, 500)

    def test_send_error_with_a_wrong_code(self) -> None:
        with ExpectLog("tornado.web", UNCAUGHT):
            self.assertEqual(self.answer(lambda handler: handler.send_error(999)).code, 500)

    def test_tracebacks_are_for_debugging(self) -> None:
        answer = self.crash(boom, debug=True)
        self.assertEqual(answer.code, 500)
        self.assertIn(b"Traceback", answer.body)
        self.assertIn(b"ZeroDivisionError: boom", answer.body)
        self.assertEqual(answer.headers["Content-Type"], "text/plain; charset=UTF-8")
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")

    def test_system_exit_is_not_an_error_page(self) -> None:
        def act(handler: RequestHandler) -> None:
            raise SystemExit

        self.page(act)
        self.connect().send(GET)
        with self.assertRaises(SystemExit):
            self.settle()


class ErrorPageTest(WebCase):
    """Programs make their own error pages in two ways, and in many more than two variations."""

    def pages(self) -> dict[str, type[RequestHandler]]:
        class Base(RequestHandler):
            def get(self) -> None:
                self.set_header("X-Mine", "1")
                self.write("before")
                boom()

        class WriteError(Base):
            def write_error(self, status_code: int, **kwargs: Any) -> None:
                self.finish(f"{status_code} {kwargs['exc_info'][0].__name__}")

        class WriteOnly(Base):
            def write_error(self, status_code: int, **kwargs: Any) -> None:
                self.set_header("X-Error", "1")
                self.write(f"{status_code} {kwargs['exc_info'][0].__name__}")

        class Silent(Base):
            def write_error(self, status_code: int, **kwargs: Any) -> None:
                pass

        class Json(Base):
            def write_error(self, status_code: int, **kwargs: Any) -> None:
                self.finish({"code": status_code})

        class Redirecting(Base):
            def write_error(self, status_code: int, **kwargs: Any) -> None:
                self.redirect("/sorry")

        class OtherStatus(Base):
            def write_error(self, status_code: int, **kwargs: Any) -> None:
                self.set_status(503)
                self.write("busy")

        class Html(Base):
            def get_error_html(self, status_code: int, **kwargs: Any) -> str:
                return f"{status_code} {type(kwargs['exception']).__name__}"

        class HtmlOf2011(Base):
            def get_error_html(
                self, status_code: int, exception: Exception | None = None, **kwargs: Any
            ) -> bytes:
                return f"{status_code} {type(exception).__name__} {kwargs}".encode()

        class Failing(Base):
            def write_error(self, status_code: int, **kwargs: Any) -> None:
                self.set_header("X-Error", "1")
                self.write("half a page")
                boom()

        class FailingHtml(Base):
            def get_error_html(self, status_code: int, **kwargs: Any) -> str:
                raise HTTPError(404)

        class FailingLate(Base):
            def write_error(self, status_code: int, **kwargs: Any) -> None:
                self.write("half")
                self.flush()
                boom()

        return {name: each for name, each in locals().items() if isinstance(each, type)}

    ANSWERS: list[tuple[str, int, bytes, bool]] = [  # name, status, body, whether the page failed
        ("WriteError", 500, b"500 ZeroDivisionError", False),
        ("WriteOnly", 500, b"500 ZeroDivisionError", False),
        ("Silent", 500, b"", False),
        ("Json", 500, b'{"code": 500}', False),
        ("Redirecting", 302, b"", False),
        ("OtherStatus", 503, b"busy", False),
        ("Html", 500, b"500 ZeroDivisionError", False),
        ("HtmlOf2011", 500, b"500 ZeroDivisionError {}", False),
        ("Failing", 500, b"", True),
        ("FailingHtml", 500, b"", True),
        ("FailingLate", 500, b"half", True),
    ]

    def test_pages(self) -> None:
        for asynchronously in (False, True):
            for name, code, body, failed in self.ANSWERS:
                with self.subTest(name, asynchronously=asynchronously), contextlib.ExitStack() as stack:
                    stack.enter_context(ExpectLog("tornado.web", UNCAUGHT))
                    if failed:
                        stack.enter_context(ExpectLog("tornado.web", "^the error page of "))
                    page = self.pages()[name]
                    if asynchronously:
                        page = self.later_page(page)
                    self.application([("/", page)])
                    answer = self.fetch()
                    self.assertEqual((answer.code, answer.body), (code, body))
                    self.assertNotIn("X-Mine", answer.headers)
                    self.assertEqual("X-Error" in answer.headers, name == "WriteOnly")
                    self.assertEqual(self.logged[0], code)
                    self.logged.clear()

    def later_page(self, page: type[RequestHandler]) -> type[RequestHandler]:
        """A subclass of *page* whose method is called later, from the loop."""
        loop = self.loop

        class Later(page):  # type: ignore[valid-type, misc]
            @asynchronous
            def get(self) -> None:
                loop.add_callback(super().get)

        return Later

    def test_keywords_of_send_error(self) -> None:
        seen = self.noted

        class Custom(Page):
            def write_error(self, status_code: int, **kwargs: Any) -> None:
                seen.append((status_code, kwargs))

        class Html(Page):
            def get_error_html(self, status_code: int, **kwargs: Any) -> str:
                seen.append((status_code, kwargs))
                return ""

        for page in (Custom, Html):
            act = lambda handler: handler.send_error(403, extra=1)  # noqa: E731
            self.application([("/", page, {"act": act})])
            self.fetch()
            self.assertEqual(seen.pop(), (403, {"extra": 1}))


class FailureTest(WebCase):
    """Whatever fails, wherever: one complete answer, and a server that goes on (hardening 6.3)."""

    def handlers(self) -> dict[str, type[RequestHandler]]:
        class Good(RequestHandler):
            def get(self) -> None:
                self.write("good")

        def overriding(name: str, call_parent: bool = False) -> type[RequestHandler]:
            def method(self: Any, *args: Any, **kwargs: Any) -> Any:
                if call_parent:
                    getattr(Good, name)(self, *args, **kwargs)
                boom()

            return type(name, (Good,), {name: method})

        class SecondDefaults(Good):
            """Fails only when the error page is begun."""

            times = 0

            def set_default_headers(self) -> None:
                self.times += 1
                if self.times > 1:
                    boom()

            def get(self) -> None:
                boom()

        before = ("set_default_headers", "initialize", "prepare", "get", "write", "compute_etag", "flush")
        handlers = {name: overriding(name) for name in (*before, "finish", "on_finish", "_log")}
        handlers["finish, afterwards"] = overriding("finish", call_parent=True)
        handlers["flush, afterwards"] = overriding("flush", call_parent=True)
        handlers["set_default_headers, later"] = SecondDefaults
        return handlers

    def test_positions(self) -> None:
        codes = {  # of those that are not 500
            "on_finish": 200,
            "_log": 200,
            "finish, afterwards": 200,
        }
        closing = ("flush, afterwards",)
        for name, handler in self.handlers().items():
            with self.subTest(name), ExpectLog("tornado", ""):
                self.application([("/", handler)])
                client = self.connect()
                client.send(GET)
                if name in closing:
                    self.assertTrue(client.read_all().startswith(b"HTTP/1.1 200"))
                    continue
                answer = client.read_answer()
                self.assertEqual(answer.code, codes.get(name, 500))
                if answer.code == 200:
                    self.assertEqual(answer.body, b"good")
                self.check_usable(client, answer)

    def test_log_function(self) -> None:
        with ExpectLog("tornado.web", "ZeroDivisionError: boom"):
            answer = self.answer(writing("good"), log_function=lambda h: boom() if type(h) is Page else None)
        self.assertEqual((answer.code, answer.body), (200, b"good"))

    def test_log_function_that_fails_still_lets_on_finish_run(self) -> None:
        noted = self.noted

        class Noting(RequestHandler):
            def get(self) -> None:
                self.write("good")

            def on_finish(self) -> None:
                noted.append("on_finish")

        self.application([("/", Noting)], log_function=lambda h: boom() if type(h) is Noting else None)
        with ExpectLog("tornado.web", "boom"):
            self.assertEqual(self.fetch().body, b"good")
        self.assertEqual(noted, ["on_finish"])

    def test_failing_asynchronously(self) -> None:
        """In a callback there is nobody above who could answer."""
        loop = self.loop
        for name, handler in self.handlers().items():
            if name in ("initialize", "set_default_headers", "prepare"):
                continue

            class Later(handler):  # type: ignore[valid-type, misc]
                @asynchronous
                def get(self) -> None:
                    loop.add_callback(self.get_later)

                def get_later(self) -> None:
                    super().get()
                    if not self._finished:
                        self.finish()

            with self.subTest(name), ExpectLog("tornado", ""):
                self.application([("/", Later)])
                client = self.connect()
                client.send(self.get_closing())
                data = client.read_all()
                self.assertEqual(data.count(b"HTTP/1.1"), 1, data)

    def test_error_page_in_pieces(self) -> None:
        class Streaming(Page):
            def write_error(self, status_code: int, **kwargs: Any) -> None:
                flushing("pie", "ces")(self)

        class Failing(OutputTransform):
            """Fails after the handler's own response was complete."""

            def transform_first_chunk(
                self, status_code: int, headers: Any, chunk: bytes, finishing: bool
            ) -> tuple[int, Any, bytes]:
                return (status_code, headers, chunk) if status_code == 500 else boom()

        for act, transforms in [(boom, None), (writing("page"), [Failing, web.ChunkedTransferEncoding])]:
            self.application([("/", Streaming, {"act": act})], transforms=transforms)
            client = self.connect()
            with ExpectLog("tornado.web", UNCAUGHT):
                client.send(GET * 2)
                answers = [client.read_answer(), client.read_answer()]
            for answer in answers:
                self.assertEqual((answer.code, answer.body), (500, b"pieces"))
                self.assertEqual(answer.headers["Transfer-Encoding"], "chunked")

    def test_transforms(self) -> None:
        class First(OutputTransform):
            def transform_first_chunk(
                self, status_code: int, headers: Any, chunk: bytes, finishing: bool
            ) -> tuple[int, Any, bytes]:
                if chunk == b"good":
                    boom()
                return status_code, headers, chunk

        class Second(OutputTransform):
            def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
                return boom()  # type: ignore[no-any-return]

        with ExpectLog("tornado.web", UNCAUGHT):
            self.assertEqual(self.answer(writing("good"), transforms=[First]).code, 500)
        with ExpectLog("tornado", ""):
            data = self.raw(flushing("a", "b"), transforms=[Second])
        self.assertEqual(data.count(b"HTTP/1.1"), 1)


# -- asynchronous handlers --


class AsynchronousTest(WebCase):
    def parked(self, **settings: Any) -> tuple[RequestHandler, Client]:
        """A handler that waits, and its client."""
        noted = self.noted

        class Parked(RequestHandler):
            @asynchronous
            def get(self) -> None:
                noted.append(self)

            def on_connection_close(self) -> None:
                noted.append("on_connection_close")

            def on_finish(self) -> None:
                noted.append("on_finish")

        self.application([("/", Parked)], **settings)
        client = self.connect()
        client.send(GET)
        self.until(lambda: noted)
        handler: RequestHandler = noted.pop()
        return handler, client

    def test_finished_later(self) -> None:
        handler, client = self.parked()
        self.assertTrue(client.is_idle())
        self.pass_time(3600)
        self.assertTrue(client.is_idle())
        handler.write("late")
        handler.finish()
        answer = client.read_answer()
        self.assertEqual(answer.body, b"late")
        self.assertEqual(self.noted, ["on_finish"])
        self.check_usable(client, answer)

    def test_finished_twice(self) -> None:
        handler, client = self.parked()
        handler.finish("once")
        for kind in (RuntimeError, AssertionError):
            with self.assertRaises(kind):
                handler.finish()
        answer = client.read_answer()
        self.assertEqual(answer.body, b"once")
        self.check_usable(client, answer)

    def test_client_that_goes_away(self) -> None:
        ends: list[tuple[str, Callable[[Client], Any]]] = [
            ("close", lambda client: client.close()),
            ("half", lambda client: client.finish_sending()),
            ("reset", lambda client: client.reset()),
        ]
        for name, end in ends:
            with self.subTest(name):
                handler, client = self.parked()
                end(client)
                self.until(lambda: self.noted)
                self.settle()
                self.assertEqual(self.noted, ["on_connection_close"])
                handler.write("too late")
                handler.finish()  # which nobody reads, and is no mistake
                self.settle()
                self.assertEqual(self.noted, ["on_connection_close", "on_finish"])
                self.noted.clear()

    def test_client_that_goes_away_after_the_answer(self) -> None:
        handler, client = self.parked()
        handler.finish("x")
        client.read_answer()
        client.close()
        self.settle()
        self.assertEqual(self.noted, ["on_finish"])

    def test_finished_by_on_connection_close(self) -> None:
        class Finishing(RequestHandler):
            @asynchronous
            def get(self) -> None:
                pass

            def on_connection_close(self) -> None:
                self.finish("half-closed peers read this")

        self.application([("/", Finishing)])
        client = self.connect()
        client.send(GET)
        self.settle()
        client.finish_sending()
        self.assertEqual(client.read_answer().body, b"half-closed peers read this")
        self.assertEqual(client.read_all(), b"")

    def test_failing_on_connection_close(self) -> None:
        class Failing(RequestHandler):
            @asynchronous
            def get(self) -> None:
                pass

            def on_connection_close(self) -> None:
                boom()

        self.application([("/", Failing)])
        client = self.connect()
        client.send(GET)
        self.settle()
        with ExpectLog("tornado", "boom") as log:
            client.finish_sending()
            self.assertEqual(client.read_all(), b"", "the connection is left open for ever")
        self.assertEqual(len(log.records), 1)

    def test_exceptions_in_what_it_started(self) -> None:
        """In timers, callbacks, and callbacks of callbacks: the error page of this very request."""
        loop = self.loop
        ours, theirs = socket.socketpair()
        self.addCleanup(theirs.close)
        stream = IOStream(ours, loop)
        self.addCleanup(stream.close)

        def read(handler: RequestHandler) -> None:
            stream.read_until(b"\n", boom)
            theirs.send(b"\n")

        def half(handler: RequestHandler) -> None:
            handler.write("half")
            loop.add_callback(boom)

        starts: list[tuple[str, Act]] = [
            ("callback", lambda h: loop.add_callback(boom)),
            ("timer", lambda h: self.later(boom, 0.5)),
            ("nested", lambda h: loop.add_callback(lambda: self.later(lambda: loop.add_callback(boom), 0.1))),
            ("stream", read),
            ("HTTPError", lambda h: loop.add_callback(error(404))),
            ("after a write", half),
        ]
        for where in ("get", "prepare"):
            for name, start in starts:
                with self.subTest(name, where=where), ExpectLog("tornado.web", UNCAUGHT, required=False):
                    method = asynchronous(lambda self, start=start: start(self))
                    body = {"get": asynchronous(nothing), where: method}
                    self.application([("/", type("Starting", (RequestHandler,), body))])
                    client = self.connect()
                    client.send(GET)
                    self.settle()
                    self.pass_time(2)
                    answer = client.read_answer()
                    self.assertEqual(answer.code, 404 if name == "HTTPError" else 500)
                    self.assertNotIn(b"half", answer.body)
                    self.check_usable(client, answer)

    def test_exception_after_the_end(self) -> None:
        def act(handler: RequestHandler) -> None:
            self.loop.add_callback(boom)

        with ExpectLog("tornado.web", UNCAUGHT) as log:
            answer = self.answer(act)
            self.settle()
        self.assertEqual((answer.code, answer.body), (200, b""))
        self.assertEqual(len(log.records), 1)

    def test_exceptions_end_their_own_request(self) -> None:
        """Of many requests in flight, each fails or succeeds by itself."""
        loop = self.loop

        class Mixed(RequestHandler):
            @asynchronous
            def get(self, number: str) -> None:
                self.number = int(number)
                self.set_header("X-Number", number)
                delay = datetime.timedelta(seconds=100 - self.number)
                loop.add_timeout(delay, self.fail if self.number % 3 == 0 else self.succeed)

            def succeed(self) -> None:
                self.set_status(200 + self.number % 3)
                self.write(str(self.number))
                self.finish()

            def fail(self) -> None:
                raise HTTPError(400 + self.number % 5)

        self.application([(r"/(\d+)", Mixed)])
        clients = [self.connect() for _ in range(20)]
        for number, client in enumerate(clients):
            client.send(get(f"/{number}"))
        self.settle()
        self.pass_time(120)
        for number, client in enumerate(clients):
            with self.subTest(number):
                answer = client.read_answer()
                if number % 3 == 0:
                    self.assertEqual(answer.code, 400 + number % 5)
                    self.assertNotIn("X-Number", answer.headers)
                else:
                    self.assertEqual(answer.code, 200 + number % 3)
                    self.assertEqual(answer.body, str(number).encode())
                    self.assertEqual(answer.headers["X-Number"], str(number))
                self.check_usable(client, answer)

    def test_pipelined_requests_wait(self) -> None:
        handler, client = self.parked()
        client.send(get(ALIVE))
        self.assertTrue(client.is_idle())
        handler.finish("first")
        self.assertEqual(client.read_answer().body, b"first")
        self.assertEqual(client.read_answer().body, b"alive")

    def test_async_callback(self) -> None:
        calls: list[Any] = []

        @asynchronous
        def act(handler: RequestHandler) -> None:
            self.assertIsNone(handler.async_callback(None))
            wrapped = handler.async_callback(lambda *args, **kwargs: calls.append((args, kwargs)), 1, x=2)
            wrapped(3, y=4)
            fail = handler.async_callback(boom, "bound")
            with NullContext():
                self.loop.add_callback(fail)

        with ExpectLog("tornado.web", UNCAUGHT):
            self.assertEqual(self.answer(act).code, 500)
        self.assertEqual(calls, [((1, 3), {"x": 2, "y": 4})])

    def test_async_callback_after_the_head(self) -> None:
        @asynchronous
        def act(handler: RequestHandler) -> None:
            handler.write("a")
            handler.flush()
            handler.async_callback(boom)()
            handler.finish("b")

        with ExpectLog("tornado.web", "^Exception after headers written"):
            self.assertEqual(self.answer(act).body, b"ab")

    def test_finished_before_the_method_returns(self) -> None:
        @asynchronous
        def act(handler: RequestHandler) -> None:
            handler.finish("at once")

        self.assertEqual(self.answer(act).body, b"at once")

    def test_exception_in_the_method_itself(self) -> None:
        with ExpectLog("tornado.web", UNCAUGHT) as log:
            self.assertEqual(self.answer(asynchronous(boom)).code, 500)
        self.assertEqual(len(log.records), 1)

    def test_prepare_may_be_asynchronous(self) -> None:
        class Preparing(RequestHandler):
            @asynchronous
            def prepare(self) -> None:
                pass

            def get(self) -> None:
                self.write("x")
                self.finish()

        self.application([("/", Preparing)])
        self.assertEqual(self.fetch().body, b"x")

    def test_parents_method(self) -> None:
        loop = self.loop

        class Parent(RequestHandler):
            @asynchronous
            def get(self) -> None:
                loop.add_callback(self.go_on)

            def go_on(self) -> None:
                self.write("parent")
                self.finish()

        class Child(Parent):
            @asynchronous
            def get(self) -> None:
                self.write("child and ")
                super().get()

        class Undecorated(Parent):
            def get(self) -> None:
                self.write("child and ")
                super().get()

        class Failing(Child):
            def go_on(self) -> None:
                boom()

        for handler in (Child, Undecorated):
            self.application([("/", handler)])
            self.assertEqual(self.fetch().body, b"child and parent")
        self.application([("/", Failing)])
        with ExpectLog("tornado.web", UNCAUGHT) as log:
            self.assertEqual(self.fetch().code, 500)
        self.assertEqual(len(log.records), 1)

    def test_refused_under_wsgi(self) -> None:
        application = Application([("/", Page, {"act": asynchronous(nothing)})], wsgi=True)
        with ExpectLog("tornado.web", "not supported for WSGI"):
            handler = application(HTTPRequest("GET", "/", "HTTP/1.1"))
        self.assertEqual(handler.get_status(), 500)


# -- what depends on the request --


class EtagTest(WebCase):
    def tag(self, body: bytes) -> str:
        return f'"{hashlib.sha1(body, usedforsecurity=False).hexdigest()}"'

    def test_default(self) -> None:
        for body in (b"", b"hello", b"x" * 100_000):
            answer = self.answer(writing(body[:1], body[1:]))
            self.assertEqual(answer.headers["Etag"], self.tag(body))

    def test_only_for_what_can_be_asked_again(self) -> None:
        for status in (201, 404, 500):
            with self.subTest(status):
                answer = self.answer(lambda h, status=status: h.set_status(status))
                self.assertNotIn("Etag", answer.headers)
        self.assertNotIn("Etag", self.answer(nothing, post(b"")).headers)

    MATCHES: list[tuple[str, bool]] = [  # If-None-Match, with TAG for the right one; whether it matches
        ("TAG", True),
        ("W/TAG", True),
        ('"a", TAG', True),
        ('"a",TAG , "b"', True),
        ('W/"a", W/TAG', True),
        ("*", True),
        (" * ", True),
        ('"a"', False),
        ("", False),
        ("TAG TAG", False),
        ("'TAG'", False),
        ("xTAG", False),
        ("w/TAG", False),
        ('"a', False),
        ('"a, TAG', False),
        (",,,,TAG", True),
        ("," * 4000 + "TAG", True),
    ]

    def test_if_none_match(self) -> None:
        tag = self.tag(b"hello")
        self.page(lambda h: (h.set_header("X-Mine", "1"), h.write("hello")))
        for field, matches in self.MATCHES:
            for method in ("GET", "HEAD"):
                with self.subTest(field[:20], method=method):
                    request = get("/", f"If-None-Match: {field.replace('TAG', tag)}")
                    answer = self.fetch(request.replace(b"GET", method.encode()))
                    self.assertEqual(answer.code, 304 if matches else 200)
                    self.assertEqual(answer.headers["Etag"], tag)
                    self.assertEqual(answer.headers["X-Mine"], "1")
                    self.assertEqual(bool(answer.body), not matches and method == "GET")
                    for name in ("Content-Type", "Content-Length"):
                        self.assertEqual(name in answer.headers, not matches)

    def test_several_lines(self) -> None:
        tag = self.tag(b"hello")
        answer = self.answer(writing("hello"), get("/", 'If-None-Match: "a"', f"If-None-Match: {tag}"))
        self.assertEqual(answer.code, 304)

    def test_other_methods_and_statuses_do_not_compare(self) -> None:
        request = post(b"", "If-None-Match: *")
        self.assertEqual(self.answer(writing("x"), request).code, 200)
        answer = self.answer(lambda h: (h.set_status(404), h.write("x")), get("/", "If-None-Match: *"))
        self.assertEqual((answer.code, answer.body), (404, b"x"))

    def test_own(self) -> None:
        class Own(Page):
            def compute_etag(self) -> str | None:
                return self.get_argument("etag", None)  # type: ignore[no-any-return]

        self.application([("/", Own, {"act": writing("hello")})])
        self.assertNotIn("Etag", self.fetch().headers)
        self.assertEqual(self.fetch(get("/", 'If-None-Match: "x"')).code, 200)
        self.assertEqual(self.fetch(get('/?etag="x"')).headers["Etag"], '"x"')
        self.assertEqual(self.fetch(get('/?etag="x"', 'If-None-Match: "x"')).code, 304)
        self.assertEqual(self.fetch(get('/?etag=W/"x"', 'If-None-Match: "x"')).code, 304)

    def test_set_by_hand(self) -> None:
        act = lambda h: (h.set_header("Etag", '"mine"'), h.write("hello"))  # noqa: E731
        self.assertEqual(self.answer(act).headers["Etag"], '"mine"')
        self.assertEqual(self.answer(act, get("/", 'If-None-Match: "mine"')).code, 304)
        tag = self.tag(b"hello")
        self.assertEqual(self.answer(act, get("/", f"If-None-Match: {tag}")).code, 200)

    def test_not_for_pieces(self) -> None:
        answer = self.answer(flushing("hello"), get("/", "If-None-Match: *"))
        self.assertEqual((answer.code, answer.body), (200, b"hello"))
        self.assertNotIn("Etag", answer.headers)


class GzipTest(WebCase):
    LONG = "Hello, world. " * 100

    def zipped(self, act: Act, *fields: str, **settings: Any) -> Answer:
        return self.answer(act, get("/", *(fields or ("Accept-Encoding: gzip",))), gzip=True, **settings)

    def test_page(self) -> None:
        for setting in ("gzip", "compress"):
            self.page(writing(self.LONG), **{setting: True})
            answer = self.fetch(get("/", "Accept-Encoding: gzip"))
            self.assertEqual(gzip.decompress(answer.body).decode(), self.LONG)
            self.assertEqual(answer.headers["Content-Encoding"], "gzip")
            self.assertEqual(answer.headers["Content-Length"], str(len(answer.body)))
            self.assertLess(len(answer.body), 100)
            self.assertEqual(answer.headers["Vary"], "Accept-Encoding")
            self.assertTrue(answer.headers["Etag"].startswith('W/"'))

    def test_off_by_default(self) -> None:
        answer = self.answer(writing(self.LONG), get("/", "Accept-Encoding: gzip"))
        self.assertNotIn("Content-Encoding", answer.headers)
        self.assertNotIn("Vary", answer.headers)

    ACCEPTED: list[tuple[str, bool]] = [  # Accept-Encoding (RFC 9110, 12.5.3)
        ("gzip", True),
        ("GZip", True),
        ("deflate, gzip;q=0.5, br", True),
        ("gzip;q=1", True),
        ("gzip ; q=0.001", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("deflate", False),
        ("notgzip", False),
        ("gzipped", False),
        ("x-gzipped, br", False),
        ("", False),
    ]

    def test_accept_encoding(self) -> None:
        for field, accepted in self.ACCEPTED:
            with self.subTest(field):
                answer = self.zipped(writing(self.LONG), f"Accept-Encoding: {field}")
                self.assertEqual("Content-Encoding" in answer.headers, accepted)
                self.assertEqual(answer.headers["Vary"], "Accept-Encoding")
                self.assertEqual(answer.headers["Etag"].startswith("W/"), accepted)

    def test_older_clients(self) -> None:
        request = get("/", "Accept-Encoding: gzip").replace(b"HTTP/1.1", b"HTTP/1.0")
        self.assertNotIn("Content-Encoding", self.answer(writing(self.LONG), request, gzip=True).headers)

    def test_what_is_compressed(self) -> None:
        cases: list[tuple[str, Act, bool]] = [
            ("5 bytes", writing("12345"), True),
            ("4 bytes", writing("1234"), False),
            ("nothing", nothing, False),
            ("JSON", writing({"a": "long enough"}), True),
            ("an image", self.typed("image/png"), False),
            ("a drawing", self.typed("image/svg+xml"), True),
            ("with a charset", self.typed("Text/Plain; charset=x"), True),
            ("a type that begins alike", self.typed("text/htmlx"), False),
            ("script", self.typed("application/javascript"), True),
            ("encoded already", self.having("Content-Encoding", "br"), False),
            ("a part", lambda h: (h.set_status(206), h.write(self.LONG)), False),
            ("an error", error(404), True),
            ("a length", self.having("Content-Length", len(self.LONG)), True),
        ]
        for name, act, compressed in cases:
            with self.subTest(name):
                answer = self.zipped(act)
                self.assertEqual(answer.headers.get("Content-Encoding") == "gzip", compressed)
                self.assertEqual("Vary" in answer.headers, compressed)

    def typed(self, content_type: str) -> Act:
        return self.having("Content-Type", content_type)

    def having(self, name: str, value: Any) -> Act:
        return lambda handler: (handler.set_header(name, value), handler.write(self.LONG))

    def test_vary_is_added_to(self) -> None:
        for given, expected in [
            ("Cookie", "Cookie, Accept-Encoding"),
            ("accept-encoding", "accept-encoding"),
            ("Cookie, Accept-Encoding", "Cookie, Accept-Encoding"),
        ]:
            with self.subTest(given):
                self.assertEqual(self.zipped(self.having("Vary", given)).headers["Vary"], expected)

    def test_minimum_can_be_changed(self) -> None:
        class Patient(web.GZipContentEncoding):
            MIN_LENGTH = 1000

        for size, compressed in [(999, False), (1000, True)]:
            answer = self.answer(writing("x" * size), get("/", "Accept-Encoding: gzip"), transforms=[Patient])
            self.assertEqual("Content-Encoding" in answer.headers, compressed)

    def test_pieces_can_be_read_as_they_come(self) -> None:
        sends: list[Callable[[str], None]] = []

        @asynchronous
        def act(handler: RequestHandler) -> None:
            sends.append(lambda text: flushing(text)(handler))
            sends.append(handler.finish)

        self.page(act, gzip=True)
        client = self.connect()
        client.send(get("/", "Accept-Encoding: gzip"))
        self.settle()
        inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
        for number, text in enumerate(["first ", "", "second ", "x" * 100_000]):
            sends[0](text)
            self.settle()
            data = bytes(client.pull().received)
            client.received.clear()
            if not number:
                head, _, data = data.partition(b"\r\n\r\n")
                self.assertIn(b"\r\nContent-Encoding: gzip", head)
                self.assertNotIn(b"Content-Length", head)
            self.assertEqual(inflate.decompress(self.unchunked(data)).decode(), text)
        sends[1]("end")
        self.settle()
        data = bytes(client.pull().received)
        self.assertTrue(data.endswith(b"0\r\n\r\n"))
        self.assertEqual(inflate.decompress(self.unchunked(data)), b"end")
        self.assertTrue(inflate.eof)

    def unchunked(self, data: bytes) -> bytes:
        body = b""
        while data:
            size, _, data = data.partition(b"\r\n")
            body += data[: int(size, 16)]
            data = data[int(size, 16) + 2 :]
        return body

    def test_a_tag_of_a_compressed_page_matches(self) -> None:
        tag = self.zipped(writing(self.LONG)).headers["Etag"]
        answer = self.zipped(writing(self.LONG), "Accept-Encoding: gzip", f"If-None-Match: {tag}")
        self.assertEqual(answer.code, 304)
        self.assertEqual(answer.headers["Vary"], "Accept-Encoding")

    def test_strong_and_weak_tags_of_the_handler(self) -> None:
        for given, expected in [('"a"', 'W/"a"'), ('W/"a"', 'W/"a"')]:
            self.assertEqual(self.zipped(self.having("Etag", given)).headers["Etag"], expected)


class TransformTest(WebCase):
    def test_calls(self) -> None:
        noted = self.noted

        class Upper(OutputTransform):
            def __init__(self, request: HTTPRequest) -> None:
                noted.append(("made", request.path))

            def transform_first_chunk(
                self, status_code: int, headers: Any, chunk: bytes, finishing: bool
            ) -> tuple[int, Any, bytes]:
                noted.append((status_code, chunk, finishing))
                headers["X-Upper"] = "1"
                return 201, headers, chunk.upper()

            def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
                noted.append((chunk, finishing))
                return chunk.upper()

        answer = self.answer(writing("hello"), transforms=[Upper])
        self.assertEqual((answer.code, answer.body), (201, b"HELLO"))
        self.assertEqual(answer.headers["X-Upper"], "1")
        self.assertEqual(noted[:2], [("made", "/"), (200, b"hello", True)])
        noted.clear()
        answer = self.answer(flushing("a", "b"), transforms=[Upper, web.ChunkedTransferEncoding])
        self.assertEqual(answer.body, b"AB")
        self.assertEqual(noted[:4], [("made", "/"), (200, b"a", False), (b"b", False), (b"", True)])

    def test_order(self) -> None:
        def appending(text: bytes) -> type[OutputTransform]:
            class Appending(OutputTransform):
                def transform_first_chunk(
                    self, status_code: int, headers: Any, chunk: bytes, finishing: bool
                ) -> tuple[int, Any, bytes]:
                    chunk += text
                    headers["Content-Length"] = str(len(chunk))
                    return status_code, headers, chunk

            return Appending

        application = Application([(".*", Page, {"act": writing("a")})], log_function=nothing)
        application.transforms = [appending(b"b")]
        application.add_transform(appending(b"c"))
        self.serve(application)
        self.assertEqual(self.ask(GET).body, b"abc")

    def test_the_default_transform_does_nothing(self) -> None:
        self.assertEqual(self.answer(writing("a"), transforms=[OutputTransform]).body, b"a")

    def test_one_that_forgets_the_length(self) -> None:
        class Longer(OutputTransform):
            def transform_first_chunk(
                self, status_code: int, headers: Any, chunk: bytes, finishing: bool
            ) -> tuple[int, Any, bytes]:
                return status_code, headers, chunk + b"more"

        with ExpectLog("tornado.web", "4 bytes over the Content-Length"):
            answer = self.answer(writing("page"), transforms=[Longer])
        self.assertEqual(answer.body, b"page")

    def test_the_list_is_the_applications_own(self) -> None:
        first, second = Application(), Application()
        first.add_transform(OutputTransform)
        self.assertEqual(second.transforms, [web.ChunkedTransferEncoding])
        self.assertEqual(first.transforms, [web.ChunkedTransferEncoding, OutputTransform])
        self.assertEqual(
            Application(gzip=True).transforms, [web.GZipContentEncoding, web.ChunkedTransferEncoding]
        )
        self.assertEqual(Application(transforms=[], gzip=True).transforms, [])

    def test_added_to_a_running_application(self) -> None:
        class Marking(OutputTransform):
            def transform_first_chunk(
                self, status_code: int, headers: Any, chunk: bytes, finishing: bool
            ) -> tuple[int, Any, bytes]:
                headers["X-Marked"] = "1"
                return status_code, headers, chunk

        application = self.application([("/", Page, {"act": flushing("a", "b")})])
        self.assertNotIn("X-Marked", self.fetch().headers)
        application.add_transform(Marking)
        answer = self.fetch()
        self.assertEqual((answer.headers["X-Marked"], answer.body), ("1", b"ab"))


# -- stock handlers and decorators --


class StockHandlerTest(WebCase):
    def test_redirect_handler(self) -> None:
        self.application(
            [
                ("/for-good", RedirectHandler, {"url": "/there"}),
                ("/for-now", RedirectHandler, {"url": "http://example.com/", "permanent": False}),
            ]
        )
        for path, code, location in [("/for-good", 301, "/there"), ("/for-now", 302, "http://example.com/")]:
            answer = self.fetch(get(path + "?query"))
            self.assertEqual((answer.code, answer.headers["Location"]), (code, location))
        for method in (b"HEAD", b"POST"):
            answer = self.fetch(get("/for-good").replace(b"GET", method))
            self.assertEqual((answer.code, answer.headers["Allow"]), (405, "GET"))

    def test_error_handler(self) -> None:
        self.application([("/gone", ErrorHandler, {"status_code": 410})])
        for method in ("GET", "HEAD", "POST", "DELETE"):
            for path, code in [("/gone", 410), ("/nowhere", 404)]:
                request = f"{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
                self.assertEqual(self.fetch(request).code, code)

    def test_unknown_method_on_an_unknown_path(self) -> None:
        self.application([])
        for method in ("BREW", "PROPFIND", "TRACE"):
            self.assertIn(self.fetch(get("/nowhere").replace(b"GET", method.encode())).code, (405, 501))

    def test_fallback_handler(self) -> None:
        other = Application([("/other/.*", Page, {"act": writing("other")})], log_function=nothing)
        calls = self.noted

        def plain(request: HTTPRequest) -> None:
            calls.append(request.path)
            request.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain")
            request.finish()

        self.application(
            [
                ("/other/.*", FallbackHandler, {"fallback": other}),
                ("/plain/(.*)", FallbackHandler, {"fallback": plain}),
            ]
        )
        self.assertEqual(self.fetch(get("/other/x")).body, b"other")
        self.assertEqual(self.fetch(get("/plain/x")).body, b"plain")
        self.assertEqual(self.fetch(get("/plain/x").replace(b"GET", b"POST")).body, b"plain")
        self.assertEqual(calls, ["/plain/x"] * 2)

    def test_fallback_that_answers_later(self) -> None:
        held: list[HTTPRequest] = []
        self.application([("/", FallbackHandler, {"fallback": held.append})])
        client = self.connect()
        client.send(GET)
        self.until(lambda: held)
        self.assertTrue(client.is_idle())
        held[0].write(b"HTTP/1.1 204 No Content\r\n\r\n")
        held[0].finish()
        self.assertEqual(client.read_answer().code, 204)

    def test_fallback_that_fails(self) -> None:
        self.application([("/", FallbackHandler, {"fallback": boom})])
        with ExpectLog("tornado.web", UNCAUGHT):
            self.assertEqual(self.fetch().code, 500)

    SLASHES: list[tuple[str, str, str, int | str]] = [  # decorator, method, target, status or Location
        ("remove", "GET", "/a/", "/a"),
        ("remove", "HEAD", "/a/", "/a"),
        ("remove", "GET", "/a///?b=c", "/a?b=c"),
        ("remove", "GET", "/a", 200),
        ("remove", "GET", "/a?b=/", 200),
        ("remove", "GET", "/", 200),
        ("remove", "GET", "///", 200),
        ("remove", "POST", "/a/", 404),
        ("remove", "POST", "/a", 200),
        ("remove", "GET", "//evil.example/", "/evil.example"),
        ("remove", "GET", "/\\evil.example/", "/%5Cevil.example"),
        ("add", "GET", "/a", "/a/"),
        ("add", "HEAD", "/a", "/a/"),
        ("add", "GET", "/a?b=c", "/a/?b=c"),
        ("add", "GET", "/a/", 200),
        ("add", "POST", "/a", 404),
        ("add", "POST", "/a/", 200),
        ("add", "GET", "//evil.example", "/evil.example/"),
        ("add", "GET", "/\\evil.example", "/%5Cevil.example/"),
        ("add", "GET", "/%2Fevil.example", "/%2Fevil.example/"),
    ]

    def test_slashes(self) -> None:
        decorators = {"remove": removeslash, "add": addslash}
        for name, method, target, expected in self.SLASHES:
            with self.subTest(name, method=method, target=target):
                answer = self.answer(decorators[name](nothing), get(target).replace(b"GET", method.encode()))
                if isinstance(expected, int):
                    self.assertEqual(answer.code, expected)
                else:
                    self.assertEqual((answer.code, answer.headers["Location"]), (301, expected))

    def test_decorators_keep_name_and_arguments(self) -> None:
        for decorator in (addslash, removeslash, asynchronous):

            @decorator
            def method(handler: RequestHandler, *args: Any, **kwargs: Any) -> str:
                """The docstring."""
                return "value"

            self.assertEqual((method.__name__, method.__doc__), ("method", "The docstring."))
        self.answer(removeslash(lambda handler, *args: self.noted.append(args)), get("/a"))
        self.assertEqual(self.noted, [()])


# -- routing --


class RoutingTest(WebCase):
    def saying(self, text: str) -> tuple[type[RequestHandler], dict[str, Any]]:
        return Page, {"act": writing(text)}

    def test_first_match_wins(self) -> None:
        self.application([("/a", *self.saying("1")), ("/.*", *self.saying("2")), ("/b", *self.saying("3"))])
        self.assertEqual([self.fetch(get(path)).body for path in ("/a", "/b")], [b"1", b"2"])

    def test_rules(self) -> None:
        rules: list[Any] = [
            ("/1", Alive),
            ("/2", Page, {"act": writing("2")}),
            ["/3", Alive],
            URLSpec("/4", Alive),
            url("/5", Page, {"act": writing("5")}, name="five"),
            ("/6", "tornado.test.web_test.Alive"),
            url("/7", "tornado.test.web_test.Alive", name="seven"),
        ]
        self.application(rules)
        bodies = [self.fetch(get(f"/{number}")).body for number in range(1, 8)]
        self.assertEqual(bodies, [b"alive", b"2", b"alive", b"alive", b"5", b"alive", b"alive"])
        self.assertEqual(self.fetch(get("/8")).code, 404)

    def test_refused_rules(self) -> None:
        wrong: list[Any] = ["/x", ("/x",), ("/x", Alive, {}, "name"), None, 5]
        for rule in wrong:
            with self.subTest(rule), self.assertRaises((TypeError, AssertionError)):
                Application([rule])
        with self.assertRaises(re.error):
            Application([("/(", Alive)])
        names: list[tuple[str, type[Exception]]] = [
            ("tornado.nowhere.Handler", ImportError),
            ("tornado.web.Nothing", AttributeError),
        ]
        for name, kind in names:
            with self.subTest(name), self.assertRaises(kind):
                Application([("/", name)])

    def test_kwargs_are_each_requests_own(self) -> None:
        seen: list[dict[str, Any]] = []

        class Keeping(RequestHandler):
            def initialize(self, **kwargs: Any) -> None:
                seen.append(kwargs)
                kwargs["mine"] = 1

        self.application([("/", Keeping, {"given": 1})])
        for _ in range(2):
            self.fetch(GET.replace(b"GET", b"DELETE"))
        self.assertEqual(seen, [{"given": 1, "mine": 1}] * 2)
        self.assertIsNot(seen[0], seen[1])

    def test_matches_are_each_requests_own(self) -> None:
        """What is remembered of one request's match is not shared with the next."""
        seen: list[Any] = []

        class Changing(RequestHandler):
            def get(self, **kwargs: str) -> None:
                seen.append(dict(kwargs))
                kwargs["x"] = "changed"

        self.application([("/(?P<x>.*)", Changing)])
        for path in ("/a", "/a", "/b", "/a"):
            self.fetch(get(path))
        self.assertEqual([each["x"] for each in seen], ["a", "a", "b", "a"])

    def test_many_paths(self) -> None:
        """More than are remembered, and the first ones again."""
        self.application([(r"/(\d+)", Page, {"act": lambda handler, number: handler.write(number)})])
        client = self.connect()
        numbers = [*range(_routes.MAX_CACHED_PATHS + 200), *range(10)]
        for batch in range(0, len(numbers), 100):
            client.send(b"".join(get(f"/{number}") for number in numbers[batch : batch + 100]))
            for number in numbers[batch : batch + 100]:
                self.assertEqual(client.read_answer().body, str(number).encode())

    REVERSED: list[tuple[str, tuple[Any, ...], str]] = [
        ("/", (), "/"),
        ("/a/b", (), "/a/b"),
        (r"/(\d+)", (5,), "/5"),
        (r"/(\d+)/(\w*)$", (5, "x y/\xe9"), "/5/x y/\xe9"),
        (r"^/(?P<x>\d+)", ("a",), "/a"),
        (r"/a\.b/(.*)", ("c",), "/a.b/c"),
        (r"/a/?", (), None),  # type: ignore[list-item]
    ]

    def test_reverse(self) -> None:
        for pattern, args, expected in self.REVERSED:
            if expected is not None:
                with self.subTest(pattern):
                    application = Application([url(pattern, Alive, name="name")])
                    self.assertEqual(application.reverse_url("name", *args), expected)

    def test_reverse_from_a_handler(self) -> None:
        act = lambda handler: handler.write(handler.reverse_url("item", 5))  # noqa: E731
        self.application([("/", Page, {"act": act}), url(r"/item/(\d+)", Alive, name="item")])
        self.assertEqual(self.fetch().body, b"/item/5")

    def test_cannot_reverse(self) -> None:
        cases: list[tuple[str, tuple[Any, ...]]] = [
            (r"/(\d+)", ()),
            (r"/(\d+)", (1, 2)),
            ("/", (1,)),
            (r"/((a)b)", (1, 2)),
            (r"/\(a\)", ()),
            (r"/%41", ()),
            (r"/%s/(a)", (1,)),
            (r"/(?:a|b)", ()),
        ]
        for pattern, args in cases:
            with self.subTest(pattern), self.assertRaises(AssertionError):
                Application([url(pattern, Alive, name="x")]).reverse_url("x", *args)
        with self.assertRaisesRegex(KeyError, "nowhere.*known: x"):
            Application([url("/", Alive, name="x")]).reverse_url("nowhere")

    def test_names(self) -> None:
        with ExpectLog("tornado", "named 'x'"):
            application = Application([url("/1", Alive, name="x"), url("/2", Alive, name="x")])
        self.assertEqual(application.reverse_url("x"), "/2")
        self.assertEqual(list(application.named_handlers), ["x"])


class HostTest(WebCase):
    def host(self, host: str, path: str = "/", *fields: str) -> bytes:
        return get(path, *fields).replace(b"Host: a", f"Host: {host}".encode())

    def serve_hosts(self, **kwargs: Any) -> Application:
        application = self.application([("/", Page, {"act": writing("any")}), ("/any", Alive)], **kwargs)
        for name, pattern in [
            ("one", r"one\.example"),
            ("www", r"(www|wap)\.example$"),
            ("sub", r".*\.example"),
            ("six", r"\[::1\]"),
        ]:
            application.add_handlers(pattern, [("/", Page, {"act": writing(name)}), (ALIVE, Alive)])
        return application

    def test_groups(self) -> None:
        self.serve_hosts()
        for host, expected in [
            ("one.example", b"one"),
            ("ONE.example:8888", b"one"),
            ("www.example", b"www"),
            ("wap.example:1", b"www"),
            ("other.example", b"sub"),
            ("one.example.evil", b"any"),
            ("xone.example", b"sub"),
            ("other", b"any"),
            ("", b"any"),
            ("[::1]:80", b"six"),
            ("[::1]", b"six"),
        ]:
            with self.subTest(host):
                self.assertEqual(self.fetch(self.host(host)).body, expected)

    def test_only_the_first_group_is_searched(self) -> None:
        self.serve_hosts()
        self.assertEqual(self.fetch(self.host("one.example", "/any")).code, 404)
        self.assertEqual(self.fetch(self.host("other", "/any")).code, 200)

    def test_default_host(self) -> None:
        application = Application(default_host="main.example", log_function=nothing)
        application.add_handlers("main.example", [("/", Page, {"act": writing("main")})])
        self.serve(application)
        self.assertEqual(self.ask(self.host("main.example")).body, b"main")
        self.assertEqual(self.ask(self.host("other")).body, b"main")
        answer = self.ask(self.host("other", "/", "X-Real-Ip: 1.2.3.4"))
        self.assertEqual((answer.code, answer.headers["Location"]), (301, "http://main.example/"))

    def test_no_group_at_all(self) -> None:
        self.serve(Application(default_host="main.example", log_function=nothing))
        answer = self.ask(self.host("other"))
        self.assertEqual((answer.code, answer.headers["Location"]), (301, "http://main.example/"))

    def test_groups_added_later(self) -> None:
        application = self.application([("/", Page, {"act": writing("any")})])
        self.assertEqual(self.fetch(self.host("new.example")).body, b"any")
        application.add_handlers("new.example", [("/", Page, {"act": writing("new")}), (ALIVE, Alive)])
        self.assertEqual(self.fetch(self.host("new.example")).body, b"new")
        self.assertEqual(self.fetch(self.host("other")).body, b"any")
        application.add_handlers("new.example", [("/", Page, {"act": writing("second")})])
        self.assertEqual(self.fetch(self.host("new.example")).body, b"new")


# -- the access log --


class LogTest(WebCase):
    def logged_line(self, request: bytes, act: Act = nothing, **settings: Any) -> logging.LogRecord:
        """The record of the access log for *request*."""
        self.serve(Application([(".*", Page, {"act": act})], **settings))
        with ExpectLog("tornado.web", r"^\d+ .* \d+\.\d\dms$", level=logging.INFO) as log:
            self.ask(request)
            self.settle()
        self.assertEqual(len(log.records), 1)
        return log.records[0]

    def test_levels(self) -> None:
        for status, level in [
            (200, logging.INFO),
            (304, logging.INFO),
            (399, logging.INFO),
            (400, logging.WARNING),
            (404, logging.WARNING),
            (499, logging.WARNING),
            (500, logging.ERROR),
            (599, logging.ERROR),
        ]:
            with self.subTest(status):
                act = lambda handler, status=status: handler.set_status(status, "x")  # noqa: E731
                record = self.logged_line(get("/a/b?c=d"), act)
                self.assertEqual(record.levelno, level)
                self.assertRegex(
                    record.getMessage(), rf"^{status} GET /a/b\?c=d \(127\.0\.0\.1\) \d+\.\d\dms$"
                )

    def test_one_line_of_ascii(self) -> None:
        targets: list[tuple[str, str]] = [
            ("/a\\nb", "/a\\x5cnb"),
            ("/" + "x" * 2000, "/" + "x" * 1023 + "..."),
            ("/%0a%1b", "/%0a%1b"),
            ('/"a"', '/"a"'),
        ]
        for target, logged in targets:
            with self.subTest(target[:20]):
                message = self.logged_line(get(target)).getMessage()
                self.assertEqual(message.split(" ")[2], logged)

    def test_hand_made_requests_cannot_forge_lines(self) -> None:
        application = Application(log_function=None)
        request = HTTPRequest("GET\n", "/a\r\nb\x1b\xe9\u20ac\ud800?c=\x7f", "HTTP/1.1")
        handler = RequestHandler(application, request)
        self.assertEqual(
            handler._request_summary(), "GET\\x0a /a\\x0d\\x0ab\\x1b\\xe9\\u20ac\\ud800?c=\\x7f (127.0.0.1)"
        )

    def test_secrets(self) -> None:
        for query, logged in [
            ("a=1&password=hunter2&b=2", "a=1&password=...&b=2"),
            ("new_Password=hunter2", "new_Password=..."),
            (
                "access_token=hunter2&secretary=hunter2&_xsrf=hunter2",
                "access_token=...&secretary=...&_xsrf=...",
            ),
            ("p%61ssword=hunter2", "p%61ssword=..."),
            ("password", "password"),
            ("a=password", "a=password"),
            ("password=hunter2=hunter2", "password=..."),
        ]:
            with self.subTest(query):
                message = self.logged_line(get(f"/?{query}")).getMessage()
                self.assertEqual(message.split(" ")[2], f"/?{logged}")

    def test_secrets_of_ones_own(self) -> None:
        message = self.logged_line(get("/?pin=1&password=2"), secret_arguments=("pin",)).getMessage()
        self.assertIn("/?pin=...&password=2 ", message)

    def test_secrets_in_error_logs(self) -> None:
        acts: list[tuple[str, Act]] = [
            ("exception", boom),
            ("message", error(400, "no")),
            ("length", lambda h: (h.set_header("Content-Length", "5"), h.write("x"))),
        ]
        for name, act in acts:
            with self.subTest(name), ExpectLog("tornado", "") as log:
                self.page(act)
                client = self.connect()
                client.send(
                    get(
                        "/?password=hunter2",
                        "Connection: close",
                        "Cookie: a=hunter2",
                        "Authorization: hunter2",
                    )
                )
                client.read_all()
                self.settle()
                text = "".join(logging.Formatter().format(record) for record in log.records)
                self.assertNotIn("hunter2", text)

    def test_log_function(self) -> None:
        seen: list[tuple[str, int, bool]] = []
        self.page(
            error(404),
            log_function=lambda h: seen.append(
                (h.request.path, h.get_status(), h.request.request_time() >= 0)
            ),
        )
        self.fetch(get("/x"))
        self.assertEqual(seen[0], ("/x", 404, True))

    def test_silent_handler(self) -> None:
        noted = self.noted

        class Silent(RequestHandler):
            def get(self) -> None:
                self.write("x")

            def _log(self) -> None:
                noted.append("asked")

        self.application([("/", Silent)])
        self.fetch()
        self.assertEqual(self.logged, [200], "only the other request")
        self.assertEqual(noted, ["asked"])

    def test_log_request_overridden(self) -> None:
        noted = self.noted

        class Counting(Application):
            def log_request(self, handler: RequestHandler) -> None:
                noted.append(handler.get_status())

        self.serve(Counting([("/", Alive)]))
        self.ask(GET)
        self.settle()
        self.assertEqual(noted, [200])


# -- what programs of the time reach into --


class ReachTest(WebCase):
    def test_execute_overridden(self) -> None:
        noted = self.noted

        class Outer(RequestHandler):
            def _execute(self, transforms: Any, *args: Any, **kwargs: Any) -> None:
                noted.append((args, kwargs))
                super()._execute(transforms, *args, **kwargs)

            def get(self, name: str) -> None:
                self.write(name)

        class Replacing(RequestHandler):
            def _execute(self, transforms: Any, *args: Any, **kwargs: Any) -> None:
                self.request.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nraw")
                self.request.finish()
                self._finished = True

        self.application([("/a/(.*)", Outer), ("/raw", Replacing)])
        self.assertEqual(self.fetch(get("/a/%C3%A9")).body, "\xe9".encode())
        self.assertEqual(noted, [((b"\xc3\xa9",), {})])
        self.assertEqual(self.fetch(get("/raw")).body, b"raw")

    def test_constructor_overridden(self) -> None:
        noted = self.noted

        class Old(RequestHandler):
            def __init__(self, application: Application, request: HTTPRequest, **kwargs: Any) -> None:
                noted.append("before")
                super().__init__(application, request, **kwargs)
                noted.append("after")

            def initialize(self, x: int) -> None:
                noted.append(x)

            def get(self) -> None:
                self.write("x")

        self.application([("/", Old, {"x": 1})])
        self.assertEqual(self.fetch().body, b"x")
        self.assertEqual(noted, ["before", 1, "after"])

    def test_write_and_finish_replaced_on_the_instance(self) -> None:
        def act(handler: Any) -> None:
            write, finish = handler.write, handler.finish
            handler.write = lambda chunk: write(chunk.upper())
            handler.finish = functools.partial(self.note_finish, finish)
            handler.write("a")

        self.assertEqual(self.answer(act).body, b"A")
        self.assertEqual(self.noted, ["finish"])

    def note_finish(self, finish: Act, chunk: Any = None) -> None:
        self.noted.append("finish")
        finish(chunk)

    def test_finish_without_arguments(self) -> None:
        class Plain(Page):
            def finish(self) -> None:  # type: ignore[override]
                self.set_header("X-Plain", "1")
                super().finish()

        acts: list[tuple[str, Act, int]] = [
            ("page", writing("x"), 200),
            ("redirect", lambda handler: handler.redirect("/"), 302),
            ("error", error(404), 404),
            ("send_error", lambda handler: handler.send_error(403), 403),
        ]
        for name, act, code in acts:
            for debug in (False, True):
                with self.subTest(name, debug=debug):
                    self.application([("/", Plain, {"act": act})], debug=debug)
                    answer = self.fetch()
                    self.assertEqual((answer.code, answer.headers["X-Plain"]), (code, "1"))

    def test_headers_are_a_mapping(self) -> None:
        def act(handler: RequestHandler) -> None:
            del handler._headers["Content-Type"]
            self.assertEqual(handler._headers.get("Server"), f"TornadoServer/{tornado.version}")
            handler._headers["X-Direct"] = "1"
            handler.write("x")

        headers = self.answer(act).headers
        self.assertNotIn("Content-Type", headers)
        self.assertEqual(headers["X-Direct"], "1")

    def test_auto_finish(self) -> None:
        kept: list[RequestHandler] = []

        class Manual(RequestHandler):
            _auto_finish = False

            def get(self) -> None:
                kept.append(self)

        self.application([("/", Manual)])
        client = self.connect()
        client.send(GET)
        self.assertTrue(client.is_idle())
        self.assertFalse(kept[0]._finished)
        kept[0].finish("x")
        self.assertTrue(kept[0]._finished)
        self.assertEqual(client.read_answer().body, b"x")

    def test_transforms_emptied(self) -> None:
        def act(handler: RequestHandler) -> None:
            handler._transforms = []
            flushing("a", "b")(handler)

        self.assertTrue(self.raw(act).endswith(b"\r\n\r\nab"))

    def test_streams_below(self) -> None:
        def act(handler: RequestHandler) -> None:
            stream = handler.request.connection.stream
            self.assertIs(stream.io_loop, self.loop)
            self.assertIsInstance(stream.socket, socket.socket)
            handler._auto_finish = False
            stream.write(b"raw bytes")
            stream.close()
            self.assertTrue(stream.closed())

        self.assertEqual(self.raw(act), b"raw bytes")

    def test_no_keep_alive(self) -> None:
        def act(handler: RequestHandler) -> None:
            handler.request.connection.no_keep_alive = True
            handler.write("x")

        self.assertTrue(self.raw(act).endswith(b"\r\n\r\nx"))

    def test_public_attributes(self) -> None:
        application = Application([("/", Alive)], default_host="a", mine=1)
        for name in (
            "default_host",
            "handlers",
            "named_handlers",
            "settings",
            "transforms",
            "ui_methods",
            "ui_modules",
        ):
            self.assertTrue(hasattr(application, name), name)
        self.assertEqual(application.settings["mine"], 1)

    def test_listen(self) -> None:
        self.enterContext(mock.patch.object(IOLoop, "_instance", self.loop))
        application = Application([("/", Alive)], log_function=nothing)
        server: HTTPServer = application.listen(0, "127.0.0.1", xheaders=True)
        self.addCleanup(server.stop)
        self.assertTrue(server.xheaders)
        (sock,) = server._sockets.values()
        self.address = sock.getsockname()
        self.assertEqual(self.ask(GET).body, b"alive")

    def test_hand_made_requests(self) -> None:
        """Tests of the time make requests by hand, and look at the handler."""
        request = HTTPRequest("GET", "/?a=1", headers=HTTPHeaders({"Host": "x"}), remote_ip="1.2.3.4")
        handler = RequestHandler(Application(), request)
        self.assertEqual(handler.get_argument("a"), "1")
        handler.write("x")
        handler.set_header("X-Y", "z")
        self.assertEqual(handler._headers["X-Y"], "z")


# -- anything at all --

Step = tuple[str, Any]


class RandomProgramTest(WebCase):
    """Random handlers: a strict client understands what comes, and nothing runs into the next response."""

    COUNT = 400

    def setUp(self) -> None:
        super().setUp()
        self.random = random.Random(2011)

    STEPS: list[Callable[[random.Random], Step]] = [
        lambda r: ("write", "x" * r.choice([0, 1, 5, 3000])),
        lambda r: ("write", "y" * r.choice([1, 4, 20])),
        lambda r: ("flush", None),
        lambda r: ("flush", None),
        lambda r: ("status", r.choice([200, 201, 204, 304, 404, 500])),
        lambda r: ("length", r.choice([0, 1, 5, 3000])),
        lambda r: ("etag", r.choice(['"a"', 'W/"b"'])),
        lambda r: ("type", r.choice(["image/png", "text/plain"])),
        lambda r: ("clear", None),
        lambda r: ("finish", None),
    ]
    FAILURES: list[Callable[[random.Random], Step]] = [
        lambda r: ("raise", r.choice([HTTPError(404), HTTPError(204), HTTPError(999), ValueError("x")])),
        lambda r: ("send_error", r.choice([400, 405, 500])),
        lambda r: ("redirect", "/elsewhere"),
        lambda r: ("surrogate", None),
    ]

    def do(self, handler: RequestHandler, step: Step) -> None:
        name, value = step
        if name == "raise":
            raise value
        if name in ("length", "etag", "type", "surrogate"):
            headers = {"length": "Content-Length", "etag": "Etag", "type": "Content-Type"}
            handler.set_header(headers.get(name, "X-Value"), "\ud800" if name == "surrogate" else value)
        elif name == "status":
            handler.set_status(value)
        elif value is None:
            getattr(handler, name)()
        else:
            getattr(handler, name)(value)

    def page_of(self, steps: list[Step], later: bool) -> Act:
        """An act that does *steps*, at once or each in a callback of its own."""

        def at_once(handler: RequestHandler) -> None:
            for step in steps:
                if not handler._finished:
                    self.do(handler, step)

        @asynchronous
        def one_by_one(handler: RequestHandler) -> None:
            left = iter(steps)

            def go_on() -> None:
                if handler._finished:
                    return
                if step := next(left, None):
                    self.loop.add_callback(go_on)
                    self.do(handler, step)
                else:
                    handler.finish()

            self.loop.add_callback(go_on)

        return one_by_one if later else at_once

    def expected(self, steps: list[Step]) -> bytes | None:
        """The body that *steps*, without failures, make; None if that is not simple to say."""
        body = unsent = ""
        for name, value in steps:
            if name in ("status", "length") or (name == "clear" and body):
                return None
            if name == "write":
                unsent += value
            elif name == "clear":
                unsent = ""
            elif name == "flush":
                body, unsent = body + unsent, ""
            elif name == "finish":
                break
        return (body + unsent).encode()

    def test_programs(self) -> None:
        for number in range(self.COUNT):
            kinds = self.STEPS + self.FAILURES * (number % 2)
            steps = [self.random.choice(kinds)(self.random) for _ in range(self.random.randint(0, 7))]
            method = self.random.choice(["GET", "GET", "POST", "HEAD"])
            version = self.random.choice(["HTTP/1.1", "HTTP/1.1", "HTTP/1.0"])
            fields = self.random.choice([[], ["Connection: keep-alive"], ["Accept-Encoding: gzip"]])
            with self.subTest(number, steps=steps, method=method, version=version, fields=fields):
                request = get("/", *fields).replace(b"GET", method.encode())
                with ExpectLog("tornado", "", required=False):
                    act = self.page_of(steps, later=bool(self.random.randint(0, 1)))
                    self.page(act, gzip=bool(self.random.randint(0, 1)))
                    answer = self.answer_if_any(request.replace(b"HTTP/1.1", version.encode()), method)
                if number % 2 == 0 and method != "HEAD":
                    self.check_body(steps, answer)

    def answer_if_any(self, request: bytes, method: str) -> Answer | None:
        """The answer to *request*; None if the server has closed in the middle of it."""
        client = self.connect()
        client.send(request)
        try:
            answer = client.read_answer(method)
        except WireError:
            self.assertTrue(client.pull().ended, "neither a response nor the end")
            client.close()
            return None
        self.settle()
        if client.pull().ended:
            self.assertEqual(client.received, b"")
            client.close()
        else:
            self.check_usable(client, answer)
        return answer

    def check_body(self, steps: list[Step], answer: Answer | None) -> None:
        body = self.expected(steps)
        if body is not None:
            self.assertIsNotNone(answer)
        if body is not None and answer is not None and answer.code == 200:
            zipped = "Content-Encoding" in answer.headers
            self.assertEqual(gzip.decompress(answer.body) if zipped else answer.body, body)

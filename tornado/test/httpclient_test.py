"""What every HTTP client promises, on the default one; the blocking client; and the command line."""

import asyncio
import datetime
import gc
import os
import subprocess
import sys
import threading
import unittest
import weakref
from io import BytesIO
from typing import Any

from tornado import httpclient, stack_context
from tornado.httpclient import AsyncHTTPClient, HTTPClient, HTTPError, HTTPRequest, HTTPResponse
from tornado.httputil import HTTPHeaders
from tornado.ioloop import IOLoop
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.test.outside import ROOT, environment
from tornado.test.util import ExpectLog
from tornado.testing import AsyncHTTPTestCase
from tornado.util import UsageError
from tornado.web import Application, RequestHandler, asynchronous


class HelloHandler(RequestHandler):
    def get(self) -> None:
        self.write(f"Hello {self.get_argument('name', 'world')}")

    def post(self) -> None:
        self.write(f"Post arg1: {self.get_argument('arg1')}, arg2: {self.get_argument('arg2')}")


class EchoHandler(RequestHandler):
    SUPPORTED_METHODS = (*RequestHandler.SUPPORTED_METHODS, "BREW")

    def reply(self) -> None:
        self.set_header("X-Method", self.request.method)
        self.write(self.request.body)

    head = get = post = put = delete = patch = options = brew = reply


class CodeHandler(RequestHandler):
    def get(self, code: str) -> None:
        self.set_status(int(code))


class CountdownHandler(RequestHandler):
    def get(self, count: str) -> None:
        if int(count) > 0:
            self.redirect(f"/countdown/{int(count) - 1}")
        else:
            self.write("Zero")


class ChunksHandler(RequestHandler):
    def get(self) -> None:
        for word in ("asdf", "qwer"):
            self.write(word)
            self.flush()


class Unfinished(RequestHandler):
    def on_connection_close(self) -> None:
        """Be called, so that the connection holds this handler, which nobody else does."""


class HangHandler(Unfinished):
    @asynchronous
    def get(self) -> None:
        pass


class HalfHandler(Unfinished):
    @asynchronous
    def get(self) -> None:
        self.write("the beginning")
        self.flush()


class AuthHandler(RequestHandler):
    def get(self) -> None:
        self.write(self.request.headers.get("Authorization", "none"))


APPLICATION = Application(
    [
        ("/hello", HelloHandler),
        ("/echo", EchoHandler),
        ("/code/([0-9]+)", CodeHandler),
        ("/countdown/([0-9]+)", CountdownHandler),
        ("/chunks", ChunksHandler),
        ("/hang", HangHandler),
        ("/half", HalfHandler),
        ("/auth", AuthHandler),
    ],
    gzip=True,
    log_function=lambda handler: None,
)


class ClientTest(AsyncHTTPTestCase):
    """An ordinary client at an ordinary server."""

    def get_app(self) -> Application:
        return APPLICATION

    def test_hello(self) -> None:
        response = self.fetch("/hello")
        response.rethrow()
        self.assertEqual((response.code, response.body), (200, b"Hello world"))
        self.assertIs(response.body, response.body)
        self.assertEqual(response.headers["Content-Type"], "text/html; charset=UTF-8")
        self.assertIsInstance(response.headers, HTTPHeaders)
        self.assertEqual(response.effective_url, self.get_url("/hello"))
        self.assertEqual(response.request.url, self.get_url("/hello"))
        self.assertIsNone(response.error)

    def test_request_object(self) -> None:
        request = HTTPRequest(self.get_url("/hello?name=a%20b"))
        self.http_client.fetch(request, self.stop, method="BREW")  # which does not count
        response = self.wait()
        self.assertEqual(response.body, b"Hello a b")
        self.assertIs(response.request, request)

    def test_times(self) -> None:
        response = self.fetch("/hello")
        times = response.time_info
        order = ["namelookup", "connect", "starttransfer", "total"]
        self.assertEqual(set(times), {"queue", *order})
        self.assertEqual([times[name] for name in order], sorted(times[name] for name in order))
        self.assertEqual(response.request_time, times["total"])
        self.assertGreater(times["total"], 0)

    def test_post(self) -> None:
        response = self.fetch("/hello", method="POST", body="arg1=foo&arg2=b%C3%A4r")
        self.assertEqual(response.body, "Post arg1: foo, arg2: bär".encode())

    def test_methods(self) -> None:
        for method, body in (
            ("GET", None),
            ("HEAD", None),
            ("POST", b"body"),
            ("PUT", b"body"),
            ("PATCH", b"body"),
            ("DELETE", None),
            ("OPTIONS", None),
        ):
            with self.subTest(method):
                response = self.fetch("/echo", method=method, body=body)
                self.assertEqual(response.headers["X-Method"], method)
                self.assertEqual(response.body, body or b"")
        response = self.fetch("/echo", method="BREW", body=b"tea", allow_nonstandard_methods=True)
        self.assertEqual((response.headers["X-Method"], response.body), ("BREW", b"tea"))

    def test_gzip(self) -> None:
        for use_gzip in (True, False):
            with self.subTest(use_gzip):
                response = self.fetch("/hello?name=" + "a" * 2000, use_gzip=use_gzip)
                self.assertEqual(response.body, b"Hello " + b"a" * 2000)
                self.assertEqual("Content-Encoding" in response.headers, use_gzip)

    def test_chunks(self) -> None:
        self.assertEqual(self.fetch("/chunks").body, b"asdfqwer")
        pieces: list[bytes] = []
        response = self.fetch("/chunks", streaming_callback=pieces.append)
        self.assertEqual((b"".join(pieces), response.body), (b"asdfqwer", b""))

    def test_header_callback(self) -> None:
        lines: list[str] = []
        self.fetch("/hello", header_callback=lines.append)
        headers = HTTPHeaders.parse("".join(lines))
        self.assertEqual(headers["Content-Type"], "text/html; charset=UTF-8")
        self.assertTrue(all(line.endswith("\r\n") for line in lines))

    def test_codes(self) -> None:
        for code in (204, 304, 404, 500, 503):
            with self.subTest(code):
                with ExpectLog("tornado.web", f"^{code} ", required=False):
                    response = self.fetch(f"/code/{code}")
                self.assertEqual((response.code, response.body), (code, b""))
                if code == 204:
                    response.rethrow()
                    continue
                self.assertIsInstance(response.error, HTTPError)
                with self.assertRaises(HTTPError) as caught:
                    response.rethrow()
                self.assertEqual(caught.exception.code, code)
                self.assertIs(caught.exception.response, response)

    def test_redirects(self) -> None:
        response = self.fetch("/countdown/5")
        self.assertEqual((response.code, response.body), (200, b"Zero"))
        self.assertEqual(response.effective_url, self.get_url("/countdown/0"))
        self.assertEqual(response.request.url, self.get_url("/countdown/5"))
        response = self.fetch("/countdown/6")
        self.assertEqual(response.code, 302)
        self.assertEqual(response.effective_url, self.get_url("/countdown/1"))
        self.assertEqual(self.fetch("/countdown/1", follow_redirects=False).code, 302)

    def test_credentials(self) -> None:
        response = self.fetch("/auth", auth_username="Aladdin", auth_password="open sesame")
        self.assertEqual(response.body, b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        url = self.get_url("/auth").replace("http://", "http://me:secret@")
        self.http_client.fetch(url, self.stop)
        self.assertEqual(self.wait().body, b"Basic bWU6c2VjcmV0")

    def test_timeout(self) -> None:
        response = self.fetch("/hang", request_timeout=0.01)
        self.assertEqual(str(response.error), "HTTP 599: Timeout")
        self.assertEqual((response.code, response.body, response.buffer), (599, None, None))

    def test_exceptions_reach_the_test(self) -> None:
        """Which is the context of this method."""

        def fail(data: Any) -> None:
            raise ZeroDivisionError

        self.http_client.fetch(self.get_url("/hello"), fail)
        with self.assertRaises(ZeroDivisionError):
            self.wait()
        for name in ("streaming_callback", "header_callback"):
            with self.subTest(name):
                self.http_client.fetch(self.get_url("/hello"), self.stop, **{name: fail})
                with self.assertRaises(ZeroDivisionError):
                    self.wait()
                self.assertIsInstance(self.wait().error, ZeroDivisionError)

    def test_stack_context(self) -> None:
        caught: list[BaseException] = []

        def on_exception(kind: Any, error: BaseException, traceback: Any) -> bool:
            caught.append(error)
            self.stop()
            return True

        def on_response(response: HTTPResponse) -> None:
            raise ZeroDivisionError

        with stack_context.ExceptionStackContext(on_exception):
            self.http_client.fetch(self.get_url("/hello"), on_response)
        self.wait()
        self.assertIsInstance(caught[0], ZeroDivisionError)


class OtherClient(AsyncHTTPClient):
    """An implementation as others write them."""

    def initialize(self, io_loop: IOLoop, max_clients: int = 3, colour: str = "grey") -> None:
        self.io_loop = io_loop
        self.max_clients = max_clients
        self.colour = colour


class ConfigureTest(unittest.TestCase):
    def setUp(self) -> None:
        self.loop = IOLoop()
        self.addCleanup(self.loop.close)
        self.addCleanup(
            AsyncHTTPClient.configure, AsyncHTTPClient._impl_class, **AsyncHTTPClient._impl_kwargs
        )
        AsyncHTTPClient.configure(None)

    def test_default(self) -> None:
        client = AsyncHTTPClient(self.loop)
        self.assertIs(type(client), SimpleAsyncHTTPClient)
        self.assertIs(client.io_loop, self.loop)
        self.assertEqual(SimpleAsyncHTTPClient(self.loop).max_clients, 10)

    def test_one_for_each_loop(self) -> None:
        client = AsyncHTTPClient(self.loop)
        self.assertIs(AsyncHTTPClient(self.loop), client)
        self.assertIs(SimpleAsyncHTTPClient(self.loop), client)
        self.assertIsNot(AsyncHTTPClient(self.loop, force_instance=True), client)
        self.assertIs(AsyncHTTPClient(self.loop), client)
        other = IOLoop()
        self.assertIsNot(AsyncHTTPClient(other), client)
        other.close()

    def test_another_class_has_another_instance(self) -> None:
        client = AsyncHTTPClient(self.loop)
        self.assertIsInstance(OtherClient(self.loop), OtherClient)
        self.assertIs(AsyncHTTPClient(self.loop), client)

    def test_arguments_count_for_the_first(self) -> None:
        client = SimpleAsyncHTTPClient(self.loop, max_clients=3, max_buffer_size=5)
        again = SimpleAsyncHTTPClient(self.loop, max_clients=4)
        self.assertIs(again, client)
        self.assertEqual((client.max_clients, client.max_buffer_size), (3, 5))

    def test_close(self) -> None:
        client = AsyncHTTPClient(self.loop)
        forced = AsyncHTTPClient(self.loop, force_instance=True)
        forced.close()
        self.assertIs(AsyncHTTPClient(self.loop), client)
        client.close()
        client.close()
        self.assertIsNot(AsyncHTTPClient(self.loop), client)

    def test_a_loop_that_nobody_needs_goes_away(self) -> None:
        loop = IOLoop()
        AsyncHTTPClient(loop)
        loop.close()
        watch = weakref.ref(loop)
        del loop
        gc.collect()
        self.assertIsNone(watch())

    def test_configure(self) -> None:
        for impl in (OtherClient, f"{__name__}.OtherClient"):
            AsyncHTTPClient.configure(impl, colour="red", max_clients=5)
            client = AsyncHTTPClient(self.loop, force_instance=True)
            assert isinstance(client, OtherClient)
            self.assertEqual((client.colour, client.max_clients), ("red", 5))
            client = OtherClient(self.loop, force_instance=True, colour="blue", max_clients=7)
            self.assertEqual((client.colour, client.max_clients), ("blue", 7))
            simple = SimpleAsyncHTTPClient(self.loop, force_instance=True)
            self.assertEqual(simple.max_clients, 10, "the arguments are those of another class")
        AsyncHTTPClient.configure(None, max_clients=2)
        self.assertEqual(SimpleAsyncHTTPClient(self.loop).max_clients, 2)

    def test_configure_wrongly(self) -> None:
        for impl in (IOLoop, "tornado.ioloop.IOLoop", "tornado.escape.utf8"):
            with self.subTest(impl), self.assertRaisesRegex(ValueError, "no HTTP client"):
                AsyncHTTPClient.configure(impl)  # type: ignore[arg-type]
        with self.assertRaises(ImportError):
            AsyncHTTPClient.configure("nowhere.Client")
        self.assertIs(type(AsyncHTTPClient(self.loop)), SimpleAsyncHTTPClient)

    def test_the_base_class_fetches_nothing(self) -> None:
        with self.assertRaisesRegex(UsageError, "OtherClient"):
            OtherClient(self.loop).fetch("http://localhost/", self.fail)


class ValueTest(unittest.TestCase):
    """Requests, responses and errors by themselves."""

    def test_request(self) -> None:
        request = HTTPRequest("http://localhost/")
        self.assertEqual(
            (request.method, dict(request.headers), request.body, request.connect_timeout),
            ("GET", {}, None, 20),
        )
        self.assertEqual((request.request_timeout, request.max_redirects), (20, 5))
        self.assertTrue(request.follow_redirects and request.use_gzip and request.validate_cert)
        self.assertEqual(HTTPRequest("http://localhost/", "POST", body="ä").body, b"\xc3\xa4")
        self.assertEqual(HTTPRequest(b"http://localhost/").url, "http://localhost/")  # type: ignore[arg-type]

    def test_headers_are_copied(self) -> None:
        given = HTTPHeaders()
        given.add("A", "1")
        given.add("A", "2")
        when = datetime.datetime(1994, 11, 6, 8, 49, 37, tzinfo=datetime.UTC)
        request = HTTPRequest("http://localhost/", headers=given, if_modified_since=when)
        self.assertEqual(list(given.get_all()), [("A", "1"), ("A", "2")])
        self.assertEqual(request.headers.get_list("a"), ["1", "2"])
        self.assertEqual(request.headers["If-Modified-Since"], "Sun, 06 Nov 1994 08:49:37 GMT")

    def test_response(self) -> None:
        request = HTTPRequest("http://localhost/a")
        response = HTTPResponse(request, 200, buffer=BytesIO(b"body"))
        self.assertEqual((response.body, response.effective_url), (b"body", "http://localhost/a"))
        self.assertEqual((response.headers, response.time_info), ({}, {}))
        self.assertIsNot(HTTPResponse(request, 200).headers, HTTPResponse(request, 200).headers)
        self.assertIsNone(response.request_time)
        response.rethrow()
        response.error = ZeroDivisionError()
        with self.assertRaises(ZeroDivisionError):
            response.rethrow()

    def test_no_secrets_in_repr(self) -> None:
        request = HTTPRequest("http://localhost/", auth_password="hush", headers={"Cookie": "hush"})
        response = HTTPResponse(request, 200, HTTPHeaders({"Set-Cookie": "hush"}), BytesIO(b"hush"))
        self.assertNotIn("hush", repr(request) + repr(response))
        self.assertIn("code=200", repr(response))

    def test_error(self) -> None:
        rows = [
            (HTTPError(404), "HTTP 404: Not Found", 404),
            (HTTPError(599), "HTTP 599: Unknown", 599),
            (HTTPError(599, "Timeout"), "HTTP 599: Timeout", 599),
        ]
        for error, text, code in rows:
            with self.subTest(text):
                self.assertEqual((str(error), error.code, error.response), (text, code, None))

    def test_nothing_holds_a_response(self) -> None:
        """Its error refers to it, but it does not refer to the error; nor do tracebacks."""
        for error in (None, HTTPError(599)):
            gc.collect()
            gc.disable()
            try:
                response = HTTPResponse(HTTPRequest("http://localhost/"), 599, error=error)
                watch = weakref.ref(response)
                with self.assertRaises(HTTPError):
                    response.rethrow()
                del response
                error = None
                self.assertIsNone(watch())
            finally:
                gc.enable()


class ServerThread:
    """A server whose loop runs on a thread of its own, for clients that block."""

    def __init__(self) -> None:
        self._loop = IOLoop()
        self._server: Any = None
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,))
        self._thread.start()
        started.wait()

    def _run(self, started: threading.Event) -> None:
        from tornado.httpserver import HTTPServer
        from tornado.netutil import bind_sockets

        sockets = bind_sockets(0, "127.0.0.1")
        self.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
        self._server = HTTPServer(APPLICATION, io_loop=self._loop)
        self._server.add_sockets(sockets)
        self._loop.add_callback(started.set)
        self._loop.start()
        self._server.stop()
        self._loop.close(all_fds=True)

    def stop(self) -> None:
        self._loop.add_callback(self._loop.stop)
        self._thread.join()


class HTTPClientTest(unittest.TestCase):
    server: ServerThread

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = ServerThread()
        cls.addClassCleanup(cls.server.stop)

    def setUp(self) -> None:
        self.client = HTTPClient()
        self.addCleanup(self.client.close)

    def test_fetch(self) -> None:
        for _ in range(2):
            self.assertEqual(self.client.fetch(f"{self.server.url}/hello").body, b"Hello world")
        request = HTTPRequest(f"{self.server.url}/hello", "POST", body=b"arg1=a&arg2=b")
        self.assertEqual(self.client.fetch(request).body, b"Post arg1: a, arg2: b")

    def test_errors(self) -> None:
        with self.assertRaises(HTTPError) as caught:
            self.client.fetch(f"{self.server.url}/nowhere")
        assert caught.exception.response is not None
        self.assertEqual((caught.exception.code, caught.exception.response.code), (404, 404))
        self.assertIn(b"404", caught.exception.response.body or b"")
        with self.assertRaisesRegex(HTTPError, "^HTTP 599: Timeout$"):
            self.client.fetch(f"{self.server.url}/hang", request_timeout=0.01)
        self.assertEqual(self.client.fetch(f"{self.server.url}/hello").code, 200)

    def test_errors_at_once(self) -> None:
        with self.assertRaisesRegex(ValueError, "percent-encode"):
            self.client.fetch("http://localhost/\r\n")
        request = HTTPRequest("http://localhost/")
        request.method = "\r\n"
        with self.assertRaisesRegex(ValueError, "not a method"):
            self.client.fetch(request)
        with self.assertRaisesRegex(ValueError, "unsupported scheme"):
            self.client.fetch("ftp://localhost/")

    def test_callbacks_raise(self) -> None:
        def fail(data: Any) -> None:
            raise ZeroDivisionError

        for name in ("streaming_callback", "header_callback"):
            with self.subTest(name), self.assertRaises(ZeroDivisionError):
                self.client.fetch(f"{self.server.url}/hello", **{name: fail})
        self.assertEqual(self.client.fetch(f"{self.server.url}/hello").code, 200)

    def test_an_interrupted_fetch_disturbs_no_other(self) -> None:
        def interrupt(line: str) -> None:
            raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            self.client.fetch(
                f"{self.server.url}/half", header_callback=interrupt, request_timeout=0.1, use_gzip=False
            )
        assert isinstance(self.client._async_client, SimpleAsyncHTTPClient)
        self.assertEqual(len(self.client._async_client.active), 1, "it is under way")
        self.assertEqual(self.client.fetch(f"{self.server.url}/hello").body, b"Hello world")
        with self.assertRaisesRegex(HTTPError, "Timeout"):
            self.client.fetch(f"{self.server.url}/hang", request_timeout=0.3)
        self.assertEqual(len(self.client._async_client.active), 0)

    def test_inside_another_loop(self) -> None:
        loop = IOLoop()
        bodies: list[Any] = []

        def fetch() -> None:
            bodies.append(self.client.fetch(f"{self.server.url}/hello").body)
            loop.stop()

        loop.add_callback(fetch)
        loop.start()
        loop.close()
        self.assertEqual(bodies, [b"Hello world"])

    def test_inside_asyncio(self) -> None:
        async def fetch() -> Any:
            return self.client.fetch(f"{self.server.url}/hello").body

        self.assertEqual(asyncio.run(fetch()), b"Hello world")

    def test_arguments(self) -> None:
        client = HTTPClient(OtherClient, colour="red")
        assert isinstance(client._async_client, OtherClient)
        self.assertEqual(client._async_client.colour, "red")
        client.close()
        with self.assertRaises(TypeError):
            HTTPClient(nonsense=1)

    def test_close(self) -> None:
        self.client.close()
        self.client.close()
        with self.assertRaisesRegex(UsageError, "closed"):
            self.client.fetch(f"{self.server.url}/hello")

    def test_nothing_is_left(self) -> None:
        """A client that is dropped closes its descriptors at once, whatever became of its requests."""
        before = self.count_loops()
        gc.collect()
        gc.disable()
        try:
            for path in ("/hello", "/nowhere", "/hang"):
                client = HTTPClient()
                watch = weakref.ref(client._async_client)
                try:
                    client.fetch(self.server.url + path, request_timeout=0.05, use_gzip=False)
                except HTTPError:
                    pass
                del client
                self.assertIsNone(watch(), path)
                self.assertEqual(self.count_loops(), before, path)
            self.assertEqual(gc.collect(), 0)
        finally:
            gc.enable()

    def count_loops(self) -> int:
        files = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
        return sum("eventpoll" in os.readlink(file) for file in files if os.path.islink(file))

    def run_module(self, *arguments: str) -> tuple[int, bytes, str]:
        command = [sys.executable, "-W", "error", "-m", "tornado.httpclient", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, timeout=60)
        return done.returncode, done.stdout, done.stderr.decode()

    def test_command_line(self) -> None:
        url = self.server.url
        rows: list[tuple[list[str], int, bytes, str]] = [
            ([f"{url}/hello"], 0, b"Hello world", ""),
            ([f"{url}/hello", f"{url}/hello?name=a"], 0, b"Hello worldHello a", ""),
            (["--print_body=false", f"{url}/hello"], 0, b"", ""),
            (["--follow_redirects=false", f"{url}/countdown/1"], 1, b"", "HTTP 302: Found"),
            (["--print_body=false", f"{url}/nowhere"], 1, b"", f"{url}/nowhere: HTTP 404: Not Found"),
            ([f"{url}/nowhere"], 1, b"404: Not Found", "HTTP 404: Not Found"),
            (["ftp://localhost/"], 1, b"", "unsupported scheme"),
            (["http://localhost/\n"], 1, b"", "percent-encode"),
            ([], 2, b"", "No URL given"),
        ]
        for arguments, status, output, errors in rows:
            with self.subTest(arguments):
                returned, printed, complained = self.run_module(*arguments)
                self.assertEqual(returned, status, complained)
                self.assertIn(output, printed) if output else self.assertEqual(printed, b"")
                self.assertIn(errors, complained) if errors else self.assertEqual(complained, "")
                self.assertNotIn("Traceback", complained)
        status, printed, _ = self.run_module("--print_headers", f"{url}/hello")
        self.assertIn(b"Content-Type: text/html; charset=UTF-8\n", printed)
        self.assertTrue(printed.endswith(b"\n\nHello world"))

    def test_help_shows_its_own_options(self) -> None:
        status, printed, _ = self.run_module("--help")
        self.assertEqual(status, 0)
        self.assertIn(b"--print_headers", printed)


class NameTest(unittest.TestCase):
    def test_default_is_a_name_that_exists(self) -> None:
        self.assertEqual(
            httpclient.DEFAULT_CLIENT, f"{SimpleAsyncHTTPClient.__module__}.{SimpleAsyncHTTPClient.__name__}"
        )


if __name__ == "__main__":
    unittest.main()

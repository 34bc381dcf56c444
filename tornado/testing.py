"""Tests of programs that call back: test cases that run a loop until the callback has come.

::

    class PageTest(AsyncHTTPTestCase):
        def get_app(self):
            return Application([("/", PageHandler)])

        def test_page(self):
            response = self.fetch("/")
            response.rethrow()
            self.assertIn(b"Hello", response.body)

    class TimeoutTest(AsyncTestCase):
        def test_add_timeout(self):
            self.io_loop.add_timeout(datetime.timedelta(milliseconds=10), self.stop)
            self.wait()

They are test cases of `unittest`, for any runner.  From a shell, ``python -m tornado.testing NAME...`` runs
modules, classes or methods; a module that calls `main` runs itself.
"""

import atexit
import datetime
import functools
import io
import logging
import os.path
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Callable
from types import TracebackType
from typing import Any

from tornado import stack_context
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPRequest, HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.options import define, options, parse_command_line
from tornado.util import ExcInfo, UsageError, import_object, raise_exc_info

log = logging.getLogger(__name__)


@functools.cache
def _test_certificate() -> tuple[str, str]:
    """Return the files of a self-signed certificate for localhost and of its key.

    They are made by the ``openssl`` command, once per process, and live as long: a key that is the same
    everywhere would be no key.
    """
    folder = tempfile.mkdtemp(prefix="tornado-testing-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    certificate, key = os.path.join(folder, "test.crt"), os.path.join(folder, "test.key")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=foo.example.com", "-out", certificate, "-keyout", key]
    command += ["-addext", "subjectAltName=DNS:foo.example.com,DNS:localhost,IP:127.0.0.1,IP:::1"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        raise RuntimeError(
            "a certificate for tests is made by the openssl command, which is not installed: install it, or"
            " override get_ssl_options()"
        ) from None
    return certificate, key


def get_unused_port() -> int:
    """Return a TCP port that nobody uses at this moment, on any address of IPv4.

    Somebody may take it before you do: bind to port 0 and ask for the port where that is possible.
    """
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port


class AsyncTestCase(unittest.TestCase):
    """A test case with a loop of its own, `io_loop`.

    A test starts something, and calls `wait`, which runs the loop until `stop` is called, most often as the
    callback of what was started.  An exception in any callback that the test began, at whatever remove, is
    raised from `wait`; one that comes after the last `wait` fails the test when it ends.

    Code under test has to use the loop: give it ``self.io_loop``, or override `get_new_ioloop`.
    """

    io_loop: IOLoop

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.__stopped = False
        self.__running = False
        self.__result: Any = None
        self.__failure: ExcInfo | None = None
        self.__over = False
        self.__closed = True

    def setUp(self) -> None:
        """Make the loop."""
        super().setUp()
        self.io_loop = self.get_new_ioloop()
        self.__closed = False
        self.addCleanup(self.__close)  # where the setUp of a subclass fails there is no tearDown

    def tearDown(self) -> None:
        """Close the loop and all that is registered in it, unless it is that of the process."""
        self.__close()
        super().tearDown()
        self.__raise_failure()

    def __close(self) -> None:
        if not self.__closed:
            self.__closed = True
            if not _is_shared(self.io_loop):
                self.io_loop.close(all_fds=True)

    def get_new_ioloop(self) -> IOLoop:
        """Return the loop for a test: a new one.

        Override this to return `IOLoop.instance` for code that knows no other loop.
        """
        return IOLoop()

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run the test, in a context that takes the exceptions of its callbacks."""
        self.__over = False
        with stack_context.ExceptionStackContext(self.__on_exception):
            try:
                result = super().run(result)
            finally:
                self.__over = True
        return result

    def __on_exception(
        self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> bool:
        if self.__over or not isinstance(error, Exception):
            return False  # what leaves run() itself, KeyboardInterrupt and the like
        if self.__failure is not None:
            log.error("a further exception in the callbacks of %s", self, exc_info=(kind, error, traceback))
        else:
            self.__failure = (kind, error, traceback)
        self.__leave_loop()
        return True

    def __raise_failure(self) -> None:
        failure, self.__failure = self.__failure, None
        try:
            if failure is not None:
                raise_exc_info(failure)
        finally:
            del failure  # its traceback has this frame

    def stop(self, _arg: Any = None, **kwargs: Any) -> None:
        """End the `wait` under way, or the next one, which returns *_arg* or else the dict of the keywords.

        It fits where a callback is wanted.  Raises `UsageError` when both are given.
        """
        if _arg is not None and kwargs:
            raise UsageError("stop() got an argument and keywords: wait() can return only one of them")
        self.__result = kwargs or _arg
        self.__stopped = True
        self.__leave_loop()

    def __leave_loop(self) -> None:
        if self.__running:
            self.__running = False
            self.io_loop.stop()

    def wait(self, condition: Callable[[], Any] | None = None, timeout: float | None = 5) -> Any:
        """Run the loop until `stop` is called, and return what that was given.

        With *condition* the loop goes on until that returns something true; it is asked after each `stop`.
        Fails the test after *timeout* seconds; None is no limit.  Raises what a callback raised.
        """
        timer = None
        if timeout is not None and not self.__is_done(condition):
            timer = self.io_loop.add_timeout(
                datetime.timedelta(seconds=timeout), functools.partial(self.__on_timeout, timeout)
            )
        try:
            while not self.__is_done(condition):
                self.__running = True
                self.io_loop.start()
        finally:
            self.__running = False
            if timer is not None:
                self.io_loop.remove_timeout(timer)
        self.__raise_failure()
        result, self.__result = self.__result, None
        self.__stopped = False
        return result

    def __is_done(self, condition: Callable[[], Any] | None) -> bool:
        if self.__failure is not None:
            return True
        return self.__stopped and (condition is None or bool(condition()))

    def __on_timeout(self, seconds: float) -> None:
        error = self.failureException(f"Async operation timed out after {seconds} seconds")
        self.__failure = self.__failure or (type(error), error, None)
        self.__leave_loop()


def _is_shared(loop: IOLoop) -> bool:
    """Whether *loop* is that of the process, and goes on after the test."""
    return IOLoop.initialized() and loop is IOLoop.instance()


class AsyncHTTPTestCase(AsyncTestCase):
    """A test case with a server on 127.0.0.1 that runs the application of `get_app`, and a client.

    `http_server` and `http_client` use the test's loop; `_app` is what `get_app` returned.
    """

    http_client: AsyncHTTPClient
    http_server: HTTPServer
    _app: Any

    def setUp(self) -> None:
        """Make client, application and server, and begin to listen."""
        super().setUp()
        sockets = bind_sockets(0, "127.0.0.1")
        self.__port: int = sockets[0].getsockname()[1]
        self.addCleanup(sockets[0].close)
        self.http_client = self.get_http_client()
        self._app = self.get_app()
        self.http_server = self.get_http_server()
        if self.get_http_port() == self.__port:
            self.http_server.add_sockets(sockets)
        else:  # overridden
            sockets[0].close()
            self.http_server.listen(self.get_http_port(), "127.0.0.1")

    def tearDown(self) -> None:
        """Stop the server; close the client, unless the rest of the process uses it."""
        self.http_server.stop()
        if not _is_shared(self.io_loop):
            self.http_client.close()
        super().tearDown()

    def get_http_client(self) -> AsyncHTTPClient:
        """Return the client for a test: that of its loop."""
        return AsyncHTTPClient(self.io_loop)

    def get_http_server(self) -> HTTPServer:
        """Return the server for a test, which does not listen yet."""
        return HTTPServer(self._app, io_loop=self.io_loop, **self.get_httpserver_options())

    def get_app(self) -> Callable[[HTTPRequest], Any]:
        """Return the application under test, a `tornado.web.Application` or another request callback.

        To be overridden.
        """
        raise NotImplementedError(f"{type(self).__name__} has to override get_app()")

    def get_httpserver_options(self) -> dict[str, Any]:
        """Return further keyword arguments for `HTTPServer`: none.  May be overridden."""
        return {}

    def get_http_port(self) -> int:
        """Return the port of the server, a new one for each test."""
        return self.__port

    def get_protocol(self) -> str:
        """Return what URLs begin with."""
        return "http"

    def get_url(self, path: str) -> str:
        """Return the whole URL of *path*, which begins with a slash."""
        return f"{self.get_protocol()}://localhost:{self.get_http_port()}{path}"

    def fetch(self, path: str, **kwargs: Any) -> HTTPResponse:
        """Fetch *path* from the server, wait, and return the response, whose error is not raised.

        The keyword arguments are those of `tornado.httpclient.HTTPRequest`.
        """
        self.http_client.fetch(self.get_url(path), self.stop, **kwargs)
        response: HTTPResponse = self.wait()
        return response


class AsyncHTTPSTestCase(AsyncHTTPTestCase):
    """An `AsyncHTTPTestCase` over TLS.

    The server has a certificate for localhost, which the client is told to trust.  If `get_ssl_options` is
    overridden, the client takes any certificate.
    """

    def get_httpserver_options(self) -> dict[str, Any]:
        """Return further keyword arguments for `HTTPServer`: ``ssl_options``."""
        return {"ssl_options": self.get_ssl_options()}

    def get_ssl_options(self) -> dict[str, Any] | ssl.SSLContext:
        """Return the server's ``ssl_options``: a certificate made for this run (by the openssl command)."""
        certificate, key = _test_certificate()
        return {"certfile": certificate, "keyfile": key}

    def get_protocol(self) -> str:
        """Return what URLs begin with."""
        return "https"

    def fetch(self, path: str, **kwargs: Any) -> HTTPResponse:
        """Fetch *path* from the server, as `AsyncHTTPTestCase.fetch`."""
        ssl_options = self.get_ssl_options()
        certificate = ssl_options.get("certfile") if isinstance(ssl_options, dict) else None
        made = _test_certificate.cache_info().currsize > 0
        if made and certificate == _test_certificate()[0]:
            kwargs.setdefault("ca_certs", certificate)
        else:
            kwargs.setdefault("validate_cert", False)
        return super().fetch(path, **kwargs)


class LogTrapTestCase(unittest.TestCase):
    """A test case whose log records are shown only if it fails.

    To be combined with others by inheritance.  It needs a root logger with one handler, one that writes to
    a stream, or with none; where logging is set up otherwise it leaves it alone, as the runner does its own.
    """

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run the test, keep its log records, and write them to where they belong if it failed."""
        root = logging.getLogger()
        if not root.handlers:
            logging.basicConfig()
        handler = root.handlers[0]
        if len(root.handlers) > 1 or not isinstance(handler, logging.StreamHandler) or result is None:
            return super().run(result)
        trap, stream = io.StringIO(), handler.stream
        handler.setStream(trap)
        failures = _count_failures(result)
        try:
            return super().run(result)
        finally:
            handler.setStream(stream)
            if _count_failures(result) > failures:
                stream.write(f"LOG OF {self}\n{trap.getvalue()}")


def _count_failures(result: unittest.TestResult) -> int:
    return len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)


def main(**kwargs: Any) -> None:
    """Run tests as `unittest.main` does, and exit: the last thing that a test module does.

    The arguments of the command line are names of modules, classes or methods; without any, the tests of
    the program are run: what its function ``all`` returns, a suite, or if it has none all it contains.
    Options of `tornado.options` come first, among them ``--httpclient=CLASS``, which is passed to
    `AsyncHTTPClient.configure`.  The keyword arguments go to `unittest.main`.
    """
    _define_options()
    argv = [sys.argv[0], *parse_command_line()]
    wait_for_changes = _autoreload() if options.autoreload else None
    if options.httpclient:
        AsyncHTTPClient.configure(options.httpclient)
    program = sys.modules["__main__"]
    if len(argv) > 1:
        kwargs["module"] = None  # names are full names
    elif program.__spec__ is not None and program.__spec__.name == __name__:
        print("No tests specified", file=sys.stderr)
        sys.exit(1)
    elif hasattr(program, "all"):
        kwargs.setdefault("defaultTest", "all")
    try:
        unittest.main(argv=argv, **kwargs)
    except SystemExit as end:
        if end.code:
            log.error("FAIL")
        else:
            log.info("PASS")
        if wait_for_changes is None:
            raise
    if wait_for_changes is not None:
        wait_for_changes()


def _define_options() -> None:
    if "httpclient" not in options:
        define("httpclient", type=str, help="the class that AsyncHTTPClient stands for, with its module")
    if "autoreload" not in options:
        help = "run the tests again whenever a file changes (needs tornado.autoreload)"
        define("autoreload", default=False, help=help)


def _autoreload() -> Callable[[], None]:
    try:
        wait: Callable[[], None] = import_object("tornado.autoreload.wait")
    except ImportError as error:
        sys.exit(f"--autoreload cannot be used: {error}")
    return wait


if __name__ == "__main__":
    # This copy of the module is "__main__": tests use the other one.
    import_object("tornado.testing.main")()

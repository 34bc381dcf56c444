"""The test cases of `tornado.testing`: used as an application uses them, and seen from outside."""

import contextlib
import functools
import io
import logging
import logging.handlers
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import textwrap
import traceback
import unittest
from collections.abc import Callable
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPError
from tornado.httpserver import HTTPRequest, HTTPServer
from tornado.ioloop import IOLoop
from tornado.test.outside import ROOT, environment
from tornado.test.util import ExpectLog, FakeLoop
from tornado.testing import (
    AsyncHTTPSTestCase,
    AsyncHTTPTestCase,
    AsyncTestCase,
    LogTrapTestCase,
    get_unused_port,
)
from tornado.util import UsageError
from tornado.web import Application, RequestHandler


def run_case(case: unittest.TestCase) -> unittest.TestResult:
    """Run *case* and return what became of it."""
    result = unittest.TestResult()
    case.run(result)
    return result


class WaitTest(AsyncTestCase):
    def test_argument(self) -> None:
        self.io_loop.add_callback(lambda: self.stop("result"))
        self.assertEqual(self.wait(), "result")

    def test_keywords(self) -> None:
        self.io_loop.add_callback(lambda: self.stop(a=1, b=2))
        self.assertEqual(self.wait(), {"a": 1, "b": 2})

    def test_nothing(self) -> None:
        self.io_loop.add_callback(self.stop)
        self.assertIsNone(self.wait())

    def test_both(self) -> None:
        with self.assertRaises(UsageError):
            self.stop(1, a=2)

    def test_stop_before_wait(self) -> None:
        self.stop("early")
        self.assertEqual(self.wait(), "early")
        self.io_loop.add_callback(lambda: self.stop("late"))
        self.assertEqual(self.wait(), "late")

    def test_results_do_not_stay(self) -> None:
        self.stop("first")
        self.wait()
        self.stop()
        self.assertIsNone(self.wait())

    def test_condition(self) -> None:
        numbers: list[int] = []

        def count() -> None:
            numbers.append(len(numbers))
            self.stop(len(numbers))
            self.io_loop.add_callback(count)

        count()  # this stop() comes before wait(), and is not enough
        self.assertEqual(self.wait(lambda: len(numbers) == 3), 3)

    def test_several_stops_in_one_turn(self) -> None:
        for number in range(3):
            self.io_loop.add_callback(functools.partial(self.stop, number))
        self.assertEqual(self.wait(), 2)

    def test_somebody_else_stops_the_loop(self) -> None:
        self.io_loop.add_callback(self.io_loop.stop)
        self.io_loop.add_callback(lambda: self.io_loop.add_callback(self.stop))
        self.wait()

    def test_two_loops(self) -> None:
        self.assertIsNot(self.io_loop, self.get_new_ioloop_and_close())

    def get_new_ioloop_and_close(self) -> IOLoop:
        loop = self.get_new_ioloop()
        loop.close()
        return loop

    def test_exception(self) -> None:
        def fail() -> None:
            raise ZeroDivisionError("in a callback")

        self.io_loop.add_callback(lambda: self.io_loop.add_callback(fail))
        names: list[str] = []
        try:
            self.wait()
        except ZeroDivisionError as error:
            names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        self.assertEqual(names[-1:], ["fail"])
        self.io_loop.add_callback(self.stop)
        self.wait()

    def test_exception_goes_before_a_result(self) -> None:
        self.io_loop.add_callback(lambda: self.stop("result"))
        self.io_loop.add_callback(lambda: 1 // 0)
        with self.assertRaises(ZeroDivisionError):
            self.wait()
        self.assertEqual(self.wait(), "result")

    def test_second_exception(self) -> None:
        self.io_loop.add_callback(lambda: 1 // 0)
        self.io_loop.add_callback(lambda: [][0])
        with ExpectLog("tornado.testing", "IndexError"), self.assertRaises(ZeroDivisionError):
            self.wait()

    def test_skipping_in_a_callback(self) -> None:
        def skip() -> None:
            raise unittest.SkipTest("for a reason")

        self.io_loop.add_callback(skip)
        with self.assertRaises(unittest.SkipTest):
            self.wait()


class TimeoutTest(AsyncTestCase):
    io_loop: FakeLoop

    def get_new_ioloop(self) -> IOLoop:
        return FakeLoop()

    def test_times_out(self) -> None:
        for arguments, seconds in (((), 5), ((None, 7), 7), ((lambda: False, 0.5), 0.5)):
            with self.subTest(seconds):
                start = self.io_loop.time()
                with self.assertRaisesRegex(
                    self.failureException, f"^Async operation timed out after {seconds} seconds$"
                ):
                    self.wait(*arguments)
                self.assertEqual(self.io_loop.time() - start, seconds)

    def test_the_timer_is_cancelled(self) -> None:
        for end in (self.stop, lambda: 1 // 0):
            self.io_loop.add_callback(end)
            with contextlib.suppress(ZeroDivisionError):
                self.wait()
            self.assertIsNone(self.io_loop._timeouts.next_deadline())

    def test_no_limit(self) -> None:
        self.io_loop.add_timeout(self.io_loop.time() + 10_000_000, self.stop)
        self.wait(timeout=None)


class EndTest(unittest.TestCase):
    """What becomes of a test that ends badly."""

    def test_exception_after_the_last_wait(self) -> None:
        class Case(AsyncTestCase):
            def runTest(self) -> None:
                self.io_loop.add_callback(self.stop)
                self.io_loop.add_callback(lambda: 1 // 0)
                self.io_loop.add_callback(self.io_loop.stop)
                self.io_loop.start()

        result = run_case(Case())
        self.assertEqual(len(result.errors), 1)
        self.assertIn("ZeroDivisionError", result.errors[0][1])

    def test_timeout_fails_the_test(self) -> None:
        class Case(AsyncTestCase):
            def runTest(self) -> None:
                self.wait(timeout=0.001)

        result = run_case(Case())
        self.assertEqual((len(result.failures), len(result.errors)), (1, 0))

    def test_everything_is_closed(self) -> None:
        loops: list[IOLoop] = []

        class Case(AsyncTestCase):
            def runTest(self) -> None:
                loops.append(self.io_loop)
                left, self.right = socket.socketpair()
                self.io_loop.add_handler(left.detach(), id, self.io_loop.READ)  # type: ignore[arg-type]
                self.addCleanup(self.right.close)
                self.addCleanup(lambda: self.assertEqual(self.right.recv(1), b""))

        before = len(os.listdir("/proc/self/fd"))
        self.assertTrue(run_case(Case()).wasSuccessful())
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_set_up_fails(self) -> None:
        class Case(AsyncHTTPTestCase):
            def get_app(self) -> Any:
                raise ZeroDivisionError

            def runTest(self) -> None:
                pass

        before = len(os.listdir("/proc/self/fd"))
        self.assertEqual(len(run_case(Case()).errors), 1)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_without_application(self) -> None:
        class Case(AsyncHTTPTestCase):
            def runTest(self) -> None:
                pass

        self.assertIn("has to override get_app", run_case(Case()).errors[0][1])

    def test_the_process_s_loop_stays(self) -> None:
        clients: list[AsyncHTTPClient] = []

        class Case(AsyncHTTPTestCase):
            def get_new_ioloop(self) -> IOLoop:
                return IOLoop.instance()

            def get_app(self) -> Callable[[HTTPRequest], Any]:
                return answer

            def runTest(self) -> None:
                clients.append(self.http_client)
                self.fetch("/").rethrow()

        initialized = IOLoop.initialized()
        for _ in range(2):
            self.assertEqual(run_case(Case()).errors, [])
        self.assertIs(clients[0], clients[1])
        if not initialized:
            IOLoop.instance().close(all_fds=True)

    def test_interrupt(self) -> None:
        """It is not kept for `wait`, which may never be called."""

        class Case(AsyncTestCase):
            def runTest(self) -> None:
                def interrupt() -> None:
                    raise KeyboardInterrupt

                self.io_loop.add_callback(interrupt)
                self.io_loop.add_callback(self.io_loop.stop)
                self.io_loop.start()
                self.fail("not interrupted")

        case = Case()
        with self.assertRaises(KeyboardInterrupt):
            case.run(unittest.TestResult())
        case.doCleanups()

    def test_what_the_runner_raises_is_not_swallowed(self) -> None:
        class Result(unittest.TestResult):
            def stopTest(self, test: unittest.TestCase) -> None:
                raise ZeroDivisionError("in the runner")

        class Case(AsyncTestCase):
            def runTest(self) -> None:
                pass

        with self.assertRaisesRegex(ZeroDivisionError, "in the runner"):
            Case().run(Result())


def answer(request: HTTPRequest) -> None:
    """Answer as a server without an application does."""
    body = request.uri.encode()
    request.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    request.finish()


class PathHandler(RequestHandler):
    def get(self) -> None:
        self.write(f"{self.request.protocol} {self.request.remote_ip} {self.request.path}")


class HTTPTest(AsyncHTTPTestCase, LogTrapTestCase):
    def get_app(self) -> Application:
        self.port_seen = self.get_http_port()
        return Application([("/.*", PathHandler)], log_function=lambda handler: None)

    def get_httpserver_options(self) -> dict[str, Any]:
        return {"xheaders": True}

    def test_fetch(self) -> None:
        response = self.fetch("/a")
        response.rethrow()
        self.assertEqual(response.body, b"http 127.0.0.1 /a")
        self.assertEqual(response.effective_url, self.get_url("/a"))

    def test_arguments(self) -> None:
        response = self.fetch("/a", headers={"X-Real-Ip": "192.0.2.1"})
        self.assertEqual(response.body, b"http 192.0.2.1 /a")
        with ExpectLog("tornado.web", "405", required=False):
            response = self.fetch("/a", method="POST", body=b"")
        self.assertIsInstance(response.error, HTTPError)

    def test_attributes(self) -> None:
        self.assertIsInstance(self.http_client, AsyncHTTPClient)
        self.assertIs(self.http_client, AsyncHTTPClient(self.io_loop))
        self.assertIsInstance(self.http_server, HTTPServer)
        self.assertIsInstance(self._app, Application)
        self.assertEqual(self.port_seen, self.get_http_port())
        self.assertEqual(self.get_url("/a"), f"http://localhost:{self.get_http_port()}/a")

    def test_slow_server(self) -> None:
        with self.assertRaisesRegex(self.failureException, "timed out after 0 seconds"):
            self.http_client.fetch(self.get_url("/"), self.stop)
            self.wait(timeout=0)


class PortTest(AsyncHTTPTestCase):
    """The port may be overridden, as may everything else."""

    def setUp(self) -> None:
        self.port = get_unused_port()
        super().setUp()

    def get_app(self) -> Callable[[HTTPRequest], Any]:
        return answer

    def get_http_port(self) -> int:
        return self.port

    def get_http_client(self) -> AsyncHTTPClient:
        return AsyncHTTPClient(self.io_loop, force_instance=True, max_clients=1)

    def test_fetch(self) -> None:
        self.assertEqual(self.fetch("/a").body, b"/a")
        self.assertEqual(self.get_url("/a"), f"http://localhost:{self.port}/a")


class HTTPSTest(AsyncHTTPSTestCase):
    def get_app(self) -> Application:
        return Application([("/.*", PathHandler)], log_function=lambda handler: None)

    def test_fetch(self) -> None:
        self.assertEqual(self.fetch("/a").body, b"https 127.0.0.1 /a")
        self.assertTrue(self.get_url("/a").startswith("https://localhost:"))

    def test_other_clients_do_not_trust_the_certificate(self) -> None:
        self.http_client.fetch(self.get_url("/"), self.stop)
        self.assertIsInstance(self.wait().error, ssl.SSLCertVerificationError)


class OwnCertificateTest(HTTPSTest):
    """With a certificate of the subclass's own the client takes any."""

    def get_ssl_options(self) -> ssl.SSLContext:
        options = super().get_ssl_options()
        assert isinstance(options, dict)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options["certfile"], options["keyfile"])
        return context

    def test_fetch(self) -> None:
        with ExpectLog("tornado.simple_httpclient", "not verified"):
            super().test_fetch()


class LogTrapTest(unittest.TestCase):
    def setUp(self) -> None:
        root = logging.getLogger()
        self.addCleanup(setattr, root, "handlers", root.handlers)
        self.output = io.StringIO()
        root.handlers = [logging.StreamHandler(self.output)]

    def run_logging(self, failing: bool, result: unittest.TestResult | None = None) -> None:
        class Case(LogTrapTestCase):
            def runTest(self) -> None:
                logging.warning("a record")
                self.assertFalse(failing)

        Case().run(unittest.TestResult() if result is None else result)

    def test_passing(self) -> None:
        self.run_logging(failing=False)
        self.assertEqual(self.output.getvalue(), "")
        logging.warning("afterwards")
        self.assertIn("afterwards", self.output.getvalue())

    def test_failing(self) -> None:
        self.run_logging(failing=True)
        self.assertIn("a record", self.output.getvalue())

    def test_earlier_failures_do_not_count(self) -> None:
        result = unittest.TestResult()
        self.run_logging(failing=True, result=result)
        self.output.truncate(0)
        self.run_logging(failing=False, result=result)
        self.assertEqual(self.output.getvalue(), "")

    def test_unusual_logging_is_left_alone(self) -> None:
        for handlers in (
            [logging.StreamHandler(self.output), logging.NullHandler()],
            [logging.handlers.BufferingHandler(10)],
        ):
            with self.subTest(handlers):
                logging.getLogger().handlers = list(handlers)
                self.run_logging(failing=False)
        self.assertIn("a record", self.output.getvalue())

    def test_no_handler(self) -> None:
        logging.getLogger().handlers = []
        self.run_logging(failing=False)
        (handler,) = logging.getLogger().handlers
        assert isinstance(handler, logging.StreamHandler)
        self.assertIs(handler.stream, sys.stderr)


class UnusedPortTest(unittest.TestCase):
    def test_can_be_used(self) -> None:
        for address in ("", "127.0.0.1"):
            with socket.socket() as listener:
                listener.bind((address, get_unused_port()))
                listener.listen()


PASSING_AND_FAILING = """
    from tornado.httpclient import AsyncHTTPClient
    from tornado.testing import AsyncTestCase, main

    class GoodTest(AsyncTestCase):
        def test(self):
            print("good with", type(AsyncHTTPClient(self.io_loop)).__name__)

    class BadTest(AsyncTestCase):
        def test(self):
            self.io_loop.add_callback(lambda: 1 // 0)
            self.wait()

    class OtherClient(AsyncHTTPClient):
        pass
"""

ALL = """
    import unittest

    def all():
        return unittest.defaultTestLoader.loadTestsFromName("GoodTest", __import__("__main__"))
"""

MAIN = """
    if __name__ == "__main__":
        main()
"""


class MainTest(unittest.TestCase):
    """`main`, and ``python -m tornado.testing``."""

    folder: pathlib.Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        for name, text in (
            ("some_test", PASSING_AND_FAILING + MAIN),
            ("all_test", PASSING_AND_FAILING + ALL + MAIN),
            ("verbose_test", PASSING_AND_FAILING + ALL + MAIN.replace("main()", "main(verbosity=2)")),
        ):
            (cls.folder / f"{name}.py").write_text(textwrap.dedent(text))

    def run_python(self, *arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-X", "dev", "-W", "error", *arguments]
        variables = environment(PYTHONPATH=f"{ROOT}{os.pathsep}{self.folder}")
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
        )
        return done.returncode, done.stdout.decode()

    def test_arguments(self) -> None:
        module = ["-m", "tornado.testing"]
        other = "--httpclient=some_test.OtherClient"
        rows = [  # arguments, exit status, what is printed
            ([*module], 1, ["No tests specified"]),
            ([*module, "--logging=error"], 1, ["No tests specified"]),
            ([*module, "some_test.GoodTest"], 0, ["Ran 1 test", "PASS", "good with SimpleAsyncHTTPClient"]),
            ([*module, "some_test.GoodTest.test", "all_test.GoodTest"], 0, ["Ran 2 tests", "PASS"]),
            ([*module, other, "some_test.GoodTest"], 0, ["good with OtherClient"]),
            ([*module, "some_test"], 1, ["Ran 2 tests", "FAIL", "ZeroDivisionError"]),
            ([*module, "some_test.NoTest"], 1, ["NoTest", "FAIL"]),
            ([*module, "--help"], 0, ["--httpclient", "--autoreload", "tornado.autoreload"]),
            (["some_test.py"], 1, ["Ran 2 tests", "FAIL"]),
            (["some_test.py", "some_test.GoodTest"], 0, ["Ran 1 test", "PASS"]),
            (["all_test.py"], 0, ["Ran 1 test", "PASS", "good with"]),
            (["all_test.py", "--httpclient=some_test.OtherClient"], 0, ["good with OtherClient"]),
            (["verbose_test.py"], 0, ["test (__main__.GoodTest", "PASS"]),
        ]
        for arguments, status, texts in rows:
            with self.subTest(arguments):
                returned, output = self.run_python(*arguments)
                self.assertEqual(returned, status, output)
                for text in texts:
                    self.assertIn(text, output)

    def test_autoreload_is_asked_for_before_the_tests(self) -> None:
        """Without that module the answer is one line."""
        program = (
            "import sys; sys.modules['tornado.autoreload'] = None;"
            "from tornado.testing import main; sys.argv[1:] = ['--autoreload', 'some_test.GoodTest']; main()"
        )
        returned, output = self.run_python("-c", program)
        self.assertEqual(returned, 1)
        self.assertRegex(output, r"^--autoreload cannot be used: .*tornado\.autoreload.*\n$")


if __name__ == "__main__":
    unittest.main()

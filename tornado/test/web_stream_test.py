"""Bodies that are handled as they come, requests that take too long, and requests nobody can finish."""

import datetime
from typing import Any

from tornado.test.live import GET, ServerCase, post
from tornado.test.util import ExpectLog
from tornado.web import Application, HTTPError, RequestHandler, asynchronous, stream_request_body


@stream_request_body
class Upload(RequestHandler):
    """Notes what comes, in order; the case tells it how to behave."""

    case: "StreamCase"

    def prepare(self) -> None:
        self.case.notes.append("prepare")
        self.case.handler = self
        if self.case.act is not None:
            self.case.act(self)

    def data_received(self, chunk: bytes) -> None:
        self.case.notes.append(len(chunk))
        self.case.body += chunk
        if self.case.on_chunk is not None:
            self.case.on_chunk(self)

    def post(self, name: str) -> None:
        self.case.notes.append("post")
        self.write(name)

    def on_connection_close(self) -> None:
        self.case.notes.append("closed")


class StreamCase(ServerCase):
    def setUp(self) -> None:
        super().setUp()
        self.notes: list[Any] = []
        self.body = b""
        self.act: Any = None
        self.on_chunk: Any = None
        self.handler: Any = None
        Upload.case = self
        self.addCleanup(delattr, Upload, "case")

    def serve_uploads(self, **kwargs: Any) -> Any:
        """Serve `Upload` and return its client."""
        application = Application([("/(.*)", Upload)], log_function=lambda handler: None)
        self.serve(application, **kwargs)
        return self.connect()


def upload(body: bytes, *fields: str) -> bytes:
    """Return a POST request for /x with *body*."""
    return post(body, *fields).replace(b"POST / ", b"POST /x ", 1)


class StreamTest(StreamCase):
    def test_as_it_comes(self) -> None:
        client = self.serve_uploads()
        whole = upload(b"y" * 1000)
        client.send(whole[:-600])
        self.until(lambda: 400 in self.notes)
        client.send(whole[-600:])
        answer = client.read_answer()
        self.assertEqual((answer.code, answer.body), (200, b"x"))
        self.assertEqual(self.notes, ["prepare", 400, 600, "post"])
        self.assertEqual(self.handler.request.body, b"")
        client.send(upload(b"z"))  # the connection goes on
        self.assertEqual(client.read_answer().code, 200)

    def test_chunked(self) -> None:
        client = self.serve_uploads()
        client.send(b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        self.until(lambda: self.body == b"abc")
        client.send(b"2\r\nde\r\n0\r\n\r\n")
        self.assertEqual(client.read_answer().code, 200)
        self.assertEqual(self.body, b"abcde")

    def test_expected(self) -> None:
        client = self.serve_uploads()
        whole = upload(b"abc", "Expect: 100-continue")
        client.send(whole[:-3])
        self.until(lambda: bytes(client.pull().received).startswith(b"HTTP/1.1 100 Continue\r\n\r\n"))
        self.assertEqual(self.notes, ["prepare"])

    def test_limit_of_its_own(self) -> None:
        client = self.serve_uploads(max_body_size=10, max_streamed_body_size=100)
        client.send(upload(b"y" * 100))
        self.assertEqual(client.read_answer().code, 200)
        client.send(upload(b"y" * 101))
        self.assertEqual(client.read_answer().code, 413)
        self.assertEqual(self.notes.count("prepare"), 1)

    def test_bad_chunk(self) -> None:
        client = self.serve_uploads()
        client.send(b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcde")
        self.assertEqual(client.read_answer().code, 400)
        self.assertEqual(self.notes, ["prepare", 3, "closed"])

    def test_client_leaves(self) -> None:
        client = self.serve_uploads()
        client.send(upload(b"y" * 1000)[:-600])
        self.until(lambda: 400 in self.notes)
        client.reset()
        self.until(lambda: "closed" in self.notes)
        self.assertEqual(self.notes.count("closed"), 1)
        self.assertNotIn("post", self.notes)

    def test_answered_before_the_body(self) -> None:
        def refuse(handler: RequestHandler) -> None:
            raise HTTPError(403)

        self.act = refuse
        client = self.serve_uploads()
        client.send(upload(b"y" * 1000)[:-600] + GET)
        answer = client.read_answer()
        self.assertEqual((answer.code, answer.headers["Connection"]), (403, "close"))
        self.assertEqual(self.notes, ["prepare"])

    def test_failing_in_the_middle(self) -> None:
        def fail(handler: RequestHandler) -> None:
            raise ZeroDivisionError

        self.on_chunk = fail
        client = self.serve_uploads()
        with ExpectLog("tornado.web", "Uncaught exception POST /x"):
            client.send(upload(b"y" * 1000)[:-600])
            self.assertEqual(client.read_answer().code, 500)
        self.assertNotIn("post", self.notes)

    def test_back_pressure(self) -> None:
        """Paused, a handler gets at most 64 KiB more, and the socket is left alone."""
        self.on_chunk = lambda handler: handler.request.connection.pause_body()
        client = self.serve_uploads()
        size = 3_000_000
        client.send(upload(b"y" * size)[:-size])
        sent = client.send_some(b"y" * size)
        self.until(lambda: self.body != b"")
        self.settle()
        self.assertLess(len(self.body), 200_000)
        self.assertLess(len(self.handler.request.connection.stream._read_buffer), 1_000_000)
        self.pass_time(300)  # the deadline of a body does not run meanwhile
        self.on_chunk = None
        self.handler.request.connection.resume_body()
        while sent < size:
            sent += client.send_some(b"y" * (size - sent))
            self.settle()
        self.assertEqual(client.read_answer().code, 200)
        self.assertEqual(len(self.body), size)


class ParkedTest(ServerCase):
    def serve_handler(self, handler: type[RequestHandler], **settings: Any) -> Any:
        self.serve(Application([("/", handler)], log_function=lambda handler: None, **settings))
        return self.connect()

    def test_time_out(self) -> None:
        waiting: list[RequestHandler] = []

        class Waiting(RequestHandler):
            @asynchronous
            def get(self) -> None:
                waiting.append(self)

        class Impatient(Waiting):
            response_timeout = 10

        for handler, settings in ((Waiting, {"response_timeout": 10}), (Impatient, {})):
            with self.subTest(handler.__name__):
                client = self.serve_handler(handler, **settings)
                client.send(GET)
                self.until(lambda: waiting)
                self.pass_time(9)
                self.assertEqual(bytes(client.pull().received), b"")
                with ExpectLog("tornado.web", "no answer to GET / "):
                    self.pass_time(2)
                    self.assertEqual(client.read_answer().code, 503)
                waiting.clear()

    def test_nobody_can_finish(self) -> None:
        class Forgotten(RequestHandler):
            @asynchronous
            def get(self) -> None:
                pass

        client = self.serve_handler(Forgotten)
        with ExpectLog("tornado.web", ".*Forgotten.get, which handles GET / .* returned without finish"):
            client.send(GET)
            self.assertEqual(client.read_answer().code, 500)

    def test_somebody_can(self) -> None:
        loop = self.loop

        class Later(RequestHandler):
            @asynchronous
            def get(self) -> None:
                loop.add_timeout(datetime.timedelta(seconds=100), self.finish)

        client = self.serve_handler(Later)
        client.send(GET)
        self.pass_time(101)
        self.assertEqual(client.read_answer().code, 200)

    def test_misspelt_settings(self) -> None:
        with ExpectLog("tornado.web", "there is no setting 'static_paht': did you mean 'static_path'"):
            Application(debug=True, wsgi=True, static_paht="x", blog_title="y")

"""WSGI in both directions, with real servers and a real application on the other side.

`wsgiref.validate` stands in between and objects to whatever PEP 3333 does not allow: what it says is an
AssertionError, which both servers answer with a 500.
"""

import gc
import http.client
import io
import json
import logging
import pathlib
import sys
import tempfile
import threading
import unittest
import wsgiref.simple_server
import wsgiref.util
import wsgiref.validate
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote

import flask
import waitress.server
from waitress import wasyncore

from tornado import wsgi
from tornado.escape import xhtml_escape
from tornado.httpserver import HTTPRequest
from tornado.httputil import HTTPHeaders
from tornado.template import Template
from tornado.test.live import GET, Answer, ServerCase, get, post
from tornado.test.outside import ROOT, run
from tornado.test.util import ExpectLog
from tornado.util import UsageError, UsageTypeError
from tornado.web import Application, FallbackHandler, HTTPError, RequestHandler, asynchronous
from tornado.wire import WireError
from tornado.wsgi import WSGIApplication, WSGIContainer

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
UPLOAD = (
    b'--X\r\nContent-Disposition: form-data; name="title"\r\n\r\n\xc3\xa4\r\n'
    b'--X\r\nContent-Disposition: form-data; name="file"; filename="\xc3\xa4.bin"\r\n'
    b"Content-Type: image/png\r\n\r\n\x00\xff\r\n--X--\r\n"
)
MULTIPART = {"Content-Type": "multipart/form-data; boundary=X"}


# -- our applications on other servers --


class Echo(RequestHandler):
    """Tells what the request was."""

    def get(self, *groups: str) -> None:
        request = self.request
        files = {
            name: [[file.filename, file.content_type, file.body.decode("latin-1")] for file in files]
            for name, files in request.files.items()
        }
        self.write(
            {
                "method": request.method,
                "groups": groups,
                "path": request.path,
                "uri": request.uri,
                "args": {name: self.get_arguments(name) for name in request.arguments},
                "files": files,
                "size": len(request.body),
                "headers": dict(request.headers),
                "cookie": self.get_cookie("user"),
                "url": request.full_url(),
                "ip": request.remote_ip,
            }
        )

    post = put = delete = patch = options = get


class Page(RequestHandler):
    """Does what its rule says."""

    def initialize(self, act: Callable[[RequestHandler], Any]) -> None:
        self.act = act

    def get(self) -> None:
        self.act(self)

    head = get


class Later(RequestHandler):
    @asynchronous
    def get(self) -> None:
        self.finish("not to be seen")


class Forgetful(RequestHandler):
    def get(self) -> None:
        self._auto_finish = False


def set_cookies(handler: RequestHandler) -> None:
    handler.set_cookie("b", "2", path="/x")
    handler.set_cookie("a", "1")
    handler.set_secure_cookie("s", "owl")


def set_hop_by_hop(handler: RequestHandler) -> None:
    handler.set_header("Connection", "close")
    handler.set_header("Transfer-Encoding", "chunked")
    handler.set_header("X-Note", "\u20ac\xe9")
    handler.write("ok")


def fail(handler: RequestHandler) -> None:
    raise ZeroDivisionError("boom")


def forbid(handler: RequestHandler) -> None:
    raise HTTPError(403, reason="Not you")


def empty(handler: RequestHandler) -> None:
    handler.write("dropped")
    handler.set_status(204)


def render(handler: RequestHandler) -> None:
    handler.set_header("X-Note", xhtml_escape("<"))
    handler.finish(Template("<b>{{ name }}</b>").generate(name="<Ada>"))


def write_chunks(handler: RequestHandler) -> None:
    handler.write("ab")
    handler.write(b"cd")


ACTS: dict[str, Callable[[RequestHandler], Any]] = {
    "/cookies": set_cookies,
    "/hop-by-hop": set_hop_by_hop,
    "/boom": fail,
    "/forbidden": forbid,
    "/empty": empty,
    "/template": render,
    "/redirect": lambda handler: handler.redirect("/echo/\xe4"),
    "/chunks": write_chunks,
    "/flush": lambda handler: handler.flush(),
}


def make_application(**settings: Any) -> WSGIApplication:
    handlers = [(path, Page, {"act": act}) for path, act in ACTS.items()]
    return WSGIApplication(
        [(r"/echo(?:/(.*))?", Echo), (r"/later", Later), (r"/forgetful", Forgetful), *handlers],
        cookie_secret="x" * 32,
        **settings,
    )


def call(application: Any, **environ: Any) -> tuple[str, list[tuple[str, str]], list[bytes]]:
    """Call *application* as a server does; return status, headers and body."""
    wsgiref.util.setup_testing_defaults(environ)
    started: list[Any] = []
    body = application(environ, lambda *arguments: started.append(arguments))
    status, headers = started[-1]
    return status, headers, body


class Reply:
    """A response as `http.client` read it."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.code = response.status
        self.reason = response.reason
        self.headers = response.headers
        self.body = response.read()


class OtherServer:
    """Serves a validated `WSGIApplication`; a mixin of tests that every server has to pass."""

    port: int

    def fetch(self, method: str, target: str, body: bytes | None = None, **headers: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            fields = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, target, body, fields)
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def echo(self: Any, method: str, target: str, body: bytes | None = None, **headers: str) -> Any:
        reply = self.fetch(method, target, body, **headers)
        self.assertEqual(reply.code, 200, reply.body)
        return json.loads(reply.body)

    def test_request(self: Any) -> None:
        echo = self.echo("GET", "/echo/a:b,c?x=1&y=%C3%A4&x=2&z=", Cookie="user=ada", X_Note="owl")
        self.assertEqual(echo["path"], "/echo/a:b,c")
        self.assertEqual(echo["uri"], "/echo/a:b,c?x=1&y=%C3%A4&x=2&z=")
        self.assertEqual(echo["args"], {"x": ["1", "2"], "y": ["\xe4"]})
        self.assertEqual(echo["cookie"], "ada")
        self.assertEqual(echo["headers"]["X-Note"], "owl")
        self.assertEqual(echo["url"], f"http://127.0.0.1:{self.port}{echo['uri']}")
        self.assertEqual(echo["ip"], "127.0.0.1")

    def test_paths_that_are_not_ascii(self: Any) -> None:
        for name in ("\xe4", "\u20ac uro", "100%", "a+b"):
            with self.subTest(name):
                echo = self.echo("GET", "/echo/" + quote(name))
                self.assertEqual(echo["groups"], [name])
        with ExpectLog("tornado.web", "^400 GET /echo/%FF .*Invalid unicode"):
            self.assertEqual(self.fetch("GET", "/echo/%ff").code, 400)

    def test_forms(self: Any) -> None:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            with self.subTest(method):
                echo = self.echo(method, "/echo?a=0", b"a=1&b=%C3%A4+x", **FORM)
                self.assertEqual(echo["args"], {"a": ["0", "1"], "b": ["\xe4 x"]})
                self.assertEqual(echo["method"], method)

    def test_uploads(self: Any) -> None:
        echo = self.echo("POST", "/echo", UPLOAD, **MULTIPART)
        self.assertEqual(echo["args"], {"title": ["\xe4"]})
        self.assertEqual(echo["files"], {"file": [["\xe4.bin", "image/png", "\x00\xff"]]})

    def test_large_body(self: Any) -> None:
        echo = self.echo("POST", "/echo", b"x" * (3 << 20), **{"Content-Type": "text/plain"})
        self.assertEqual((echo["size"], echo["args"]), (3 << 20, {}))

    def test_malformed_forms(self: Any) -> None:
        rows = [
            ("too many arguments", b"&" * 2000, FORM, 400),
            ("no parts", b"owl", MULTIPART, 400),
            ("no boundary", b"owl", {"Content-Type": "multipart/form-data"}, 400),
            ("long field", b"a=" + b"x" * (2 << 20), FORM, 413),
        ]
        for name, body, headers, code in rows:
            with self.subTest(name):
                self.assertEqual(self.fetch("POST", "/echo", body, **headers).code, code)

    def test_cookies(self: Any) -> None:
        lines = self.fetch("GET", "/cookies").headers.get_all("Set-Cookie")
        self.assertEqual([line.partition("=")[0] for line in lines], ["b", "a", "s"])
        self.assertEqual(lines[1], "a=1; Path=/")

    def test_responses(self: Any) -> None:
        rows = [
            ("/chunks", 200, "OK", b"abcd"),
            ("/template", 200, "OK", b"<b>&lt;Ada&gt;</b>"),
            ("/hop-by-hop", 200, "OK", b"ok"),
            (
                "/forbidden",
                403,
                "Not you",
                b"<html><title>403: Not you</title><body>403: Not you</body></html>",
            ),
            ("/empty", 204, "No Content", b""),
            ("/redirect", 302, "Found", b""),
            ("/nowhere", 404, "Not Found", None),
        ]
        for target, code, reason, body in rows:
            with self.subTest(target):
                reply = self.fetch("GET", target)
                self.assertEqual((reply.code, reply.reason), (code, reason))
                self.assertIn(body, (reply.body, None))
        self.assertEqual(self.fetch("GET", "/redirect").headers["Location"], "/echo/%C3%A4")
        self.assertEqual(self.fetch("POST", "/later").code, 405)
        self.assertEqual(self.fetch("POST", "/later").headers["Allow"], "GET")
        headers = self.fetch("GET", "/hop-by-hop").headers
        self.assertEqual(headers["X-Note"].encode("latin-1"), b"\xe2\x82\xac\xc3\xa9")
        self.assertNotIn("Transfer-Encoding", headers)

    def test_head(self: Any) -> None:
        reply = self.fetch("HEAD", "/chunks")
        self.assertEqual((reply.code, reply.body, reply.headers["Content-Length"]), (200, b"", "4"))
        self.assertEqual(self.fetch("HEAD", "/nowhere").body, b"")
        self.assertEqual(self.fetch("HEAD", "/echo?" + "&" * 2000).code, 400)

    def test_etag(self: Any) -> None:
        first = self.fetch("GET", "/chunks")
        second = self.fetch("GET", "/chunks", If_None_Match=first.headers["Etag"])
        self.assertEqual((second.code, second.body), (304, b""))
        self.assertNotIn("Content-Type", second.headers)

    def test_what_needs_a_loop_is_refused(self: Any) -> None:
        for target, words in [
            ("/later", "@asynchronous is not supported"),
            ("/flush", "do not support flush"),
        ]:
            with self.subTest(target), ExpectLog("tornado.web", words):
                self.assertEqual(self.fetch("GET", target).code, 500)

    def test_exceptions(self: Any) -> None:
        with ExpectLog("tornado.web", r"^Uncaught exception GET /boom"):
            reply = self.fetch("GET", "/boom")
        self.assertEqual((reply.code, reply.body.count(b"500")), (500, 2))


class QuietHandler(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


class WsgirefTest(OtherServer, unittest.TestCase):
    def setUp(self) -> None:
        application = wsgiref.validate.validator(make_application())
        server = wsgiref.simple_server.make_server("127.0.0.1", 0, application, handler_class=QuietHandler)
        self.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)


class WaitressTest(OtherServer, unittest.TestCase):
    """A server with threads, of which several may be in the application."""

    def setUp(self) -> None:
        application = wsgiref.validate.validator(make_application())
        # Said when a request comes before a thread is back from the last one: nothing to do with us.
        self.enterContext(ExpectLog("waitress.queue", "^Task queue depth is ", required=False))
        create_server: Any = waitress.server.create_server  # whose result may be one of three classes
        self.server = create_server(
            application, listen="127.0.0.1:0", threads=2, clear_untrusted_proxy_headers=True
        )
        self.port = self.server.effective_port
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run_server)
        self.thread.start()
        self.addCleanup(self.stop_server)

    def run_server(self) -> None:
        """As the server's own run(), which has no end that is safe from another thread."""
        while not self.stopped.is_set():
            wasyncore.loop(timeout=1, map=self.server._map, count=1)

    def stop_server(self) -> None:
        self.stopped.set()
        self.server.pull_trigger()
        self.thread.join()
        self.server.task_dispatcher.shutdown()
        wasyncore.close_all(self.server._map)


class CGITest(unittest.TestCase):
    PROGRAM = """\
import tornado.web
import tornado.wsgi
import wsgiref.handlers

class MainHandler(tornado.web.RequestHandler):
    def get(self):
        self.write("Hello, world")

    def post(self):
        self.write(self.get_argument("name"))

if __name__ == "__main__":
    application = tornado.wsgi.WSGIApplication([
        (r"/", MainHandler),
    ])
    wsgiref.handlers.CGIHandler().run(application)
"""

    def answer(self, *command: str, **variables: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder, "hello.py")
            program.write_text(self.PROGRAM)
            variables = {"PYTHONPATH": str(ROOT), "SERVER_NAME": "a", "SERVER_PORT": "80", **variables}
            status, output = run(f"{' '.join(command)} {sys.executable} {program}", ROOT, **variables)
        self.assertEqual(status, 0, output)
        return output.replace("\r\n", "\n")

    def test_the_program_of_the_documentation(self) -> None:
        output = self.answer(REQUEST_METHOD="GET", PATH_INFO="/", SERVER_PROTOCOL="HTTP/1.0")
        self.assertTrue(output.startswith("Status: 200 OK\n"), output)
        self.assertIn("\nContent-Length: 12\n", output)
        self.assertTrue(output.endswith("\n\nHello, world"), output)

    def test_form(self) -> None:
        variables = {"CONTENT_TYPE": "application/x-www-form-urlencoded", "CONTENT_LENGTH": "8"}
        output = self.answer("echo name=owl |", REQUEST_METHOD="POST", PATH_INFO="/", **variables)
        self.assertTrue(output.endswith("\n\nowl"), output)


class WSGIApplicationTest(unittest.TestCase):
    """What no server shows."""

    def test_unfinished(self) -> None:
        with self.assertRaisesRegex(UsageError, "Forgetful did not finish"):
            call(make_application(), PATH_INFO="/forgetful")

    def test_nothing_is_logged_compressed_or_reloaded(self) -> None:
        with ExpectLog("", "", logging.INFO, required=False) as expected:
            application = make_application(gzip=True, debug=True)
            status, headers, body = call(application, PATH_INFO="/chunks", HTTP_ACCEPT_ENCODING="gzip")
        self.assertEqual((status, body), ("200 OK", [b"ab", b"cd"]))
        self.assertNotIn("Content-Encoding", dict(headers))
        self.assertEqual([record.getMessage() for record in expected.records], [])

    def test_plain_types(self) -> None:
        """Some servers, and the validator, accept no subclasses."""
        status, headers, body = call(make_application(), PATH_INFO="/template")
        self.assertEqual({type(part) for header in headers for part in header} | {type(status)}, {str})
        self.assertEqual([type(chunk) for chunk in body], [bytes])

    def test_mounted(self) -> None:
        _, _, body = call(make_application(), SCRIPT_NAME="/echo", PATH_INFO="/\xc3\xa4")
        self.assertEqual(json.loads(b"".join(body))["groups"], ["\xe4"])

    def test_request(self) -> None:
        environ: dict[str, Any] = {"QUERY_STRING": "a=\xc3\xa4", "CONTENT_TYPE": "", "HTTP_PROXY": "secret"}
        environ.update(HTTP_CONTENT_LENGTH="3", HTTP_CONTENT_TYPE="text/plain")  # "Content_Length: 3", say
        wsgiref.util.setup_testing_defaults(environ)
        environ.update(PATH_INFO="", HTTP_HOST="", SERVER_NAME="owl")
        request = wsgi.HTTPRequest(environ)
        self.assertEqual((request.path, request.uri), ("/", "/?a=%C3%A4"))
        self.assertEqual((request.host, request.remote_ip, request.version), ("owl", "", "HTTP/1.1"))
        self.assertEqual(request.arguments, {"a": ["\xe4".encode()]})
        self.assertEqual(dict(request.headers), {"Host": ""})
        self.assertTrue(request.supports_http_1_1())
        self.assertGreaterEqual(request.request_time(), 0)
        for name in ("connection", "write", "finish"):
            self.assertFalse(hasattr(request, name))
        self.assertNotIn("?", repr(request))

    def test_bodies(self) -> None:
        rows = [
            ("none", "", b"more", b"", 0),
            ("exact", "4", b"more", b"more", 0),
            ("not all of it", "2", b"more", b"mo", 0),
            ("incomplete", "5", b"more", b"", 400),
            ("no number", "x", b"more", b"", 400),
            ("sign", "+4", b"more", b"", 400),
            ("other digits", "\xb2", b"more", b"", 400),
            ("too large", str(wsgi.MAX_BODY_SIZE + 1), b"more", b"", 413),
        ]
        for name, length, data, body, code in rows:
            with self.subTest(name):
                environ: dict[str, Any] = {"CONTENT_LENGTH": length, "wsgi.input": io.BytesIO(data)}
                wsgiref.util.setup_testing_defaults(environ)
                try:
                    self.assertEqual(wsgi.HTTPRequest(environ).body, body)
                    self.assertEqual(code, 0)
                except WireError as error:
                    self.assertEqual(error.status, code)

    def test_strings(self) -> None:
        self.assertEqual(wsgi.to_wsgi_str(b"\xc3\xa4"), "\xc3\xa4")
        self.assertEqual(wsgi.from_wsgi_str("\xc3\xa4"), b"\xc3\xa4")
        with self.assertRaises(UsageTypeError):
            wsgi.to_wsgi_str("a")  # type: ignore[arg-type]
        with self.assertRaises(UsageTypeError):
            wsgi.from_wsgi_str(b"a")  # type: ignore[arg-type]


# -- other applications on our server --


def make_flask() -> flask.Flask:
    """An application as people write them; what fails in it is not its own to answer."""
    app = flask.Flask("test", root_path=tempfile.gettempdir())
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.secret_key = "x" * 32

    @app.get("/")
    def index() -> str:
        return "Hello"

    @app.route("/form", methods=["POST", "PUT"])
    def form() -> dict[str, Any]:
        files = {name: [file.filename, len(file.read())] for name, file in flask.request.files.items()}
        return {"form": flask.request.form.to_dict(flat=False), "files": files}

    @app.get("/caf\xe9/<name>")
    def named(name: str) -> dict[str, Any]:
        request = flask.request
        return {"name": name, "args": request.args.to_dict(), "url": request.url, "ip": request.remote_addr}

    @app.get("/cookies")
    def cookies() -> flask.Response:
        response = flask.make_response(flask.request.cookies.get("user", "") + flask.request.cookies["b"])
        response.set_cookie("one", "1")
        response.set_cookie("two", "2")
        return response

    @app.get("/count")
    def count() -> str:
        flask.session["seen"] = flask.session.get("seen", 0) + 1
        return str(flask.session["seen"])

    @app.get("/redirect")
    def redirect() -> Any:
        return flask.redirect(flask.url_for("index"))

    @app.get("/stream")
    def stream() -> flask.Response:
        return flask.Response(b"%06d\n" % number + b"x" * 993 for number in range(500))

    @app.get("/failing-stream")
    def failing_stream() -> flask.Response:
        return flask.Response(bytes(100_000 // (5 - number)) for number in range(100))

    @app.post("/unread")
    def unread() -> tuple[str, int]:
        return "no, thanks", 403

    @app.get("/empty")
    def empty() -> flask.Response:
        response = flask.make_response("", 204)
        del response.headers["Content-Type"]  # the validator wants none there
        return response

    @app.get("/boom")
    def boom() -> str:
        raise ZeroDivisionError("boom")

    return app


class FlaskTest(ServerCase):
    def setUp(self) -> None:
        super().setUp()
        self.start()

    def start(self) -> None:
        self.serve(WSGIContainer(wsgiref.validate.validator(make_flask())))

    def fetch(self, request: bytes) -> Answer:
        """Return the answer to *request*, after which the connection has to be in order."""
        client = self.connect()
        client.send(request)
        answer = client.read_answer(request.partition(b" ")[0].decode())
        client.send(GET)
        self.assertEqual(client.read_answer().body, b"Hello")
        client.close()
        return answer

    def test_hello(self) -> None:
        answer = self.fetch(GET)
        self.assertEqual((answer.code, answer.reason, answer.body), (200, "OK", b"Hello"))
        self.assertEqual(answer.headers["Content-Length"], "5")
        self.assertTrue(answer.headers["Server"].startswith("TornadoServer/"))
        self.assertIn("Date", answer.headers)

    def test_head(self) -> None:
        answer = self.fetch(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual((answer.code, answer.body, answer.headers["Content-Length"]), (200, b"", "5"))

    def test_forms(self) -> None:
        request = post(b"a=1&b=%C3%A4&a=2", *(f"{name}: {value}" for name, value in FORM.items()))
        answer = self.fetch(request.replace(b"POST /", b"POST /form"))
        self.assertEqual(json.loads(answer.body), {"form": {"a": ["1", "2"], "b": ["\xe4"]}, "files": {}})

    def test_uploads(self) -> None:
        request = post(UPLOAD, *(f"{name}: {value}" for name, value in MULTIPART.items()))
        answer = self.fetch(request.replace(b"POST /", b"PUT /form"))
        self.assertEqual(
            json.loads(answer.body), {"form": {"title": ["\xe4"]}, "files": {"file": ["\xe4.bin", 2]}}
        )

    def test_chunked_form(self) -> None:
        head = b"POST /form HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        field = b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        answer = self.fetch(head + field + b"3\r\na=1\r\n1\r\n2\r\n0\r\n\r\n")
        self.assertEqual(json.loads(answer.body)["form"], {"a": ["12"]})

    def test_path_and_query(self) -> None:
        answer = self.fetch(get("/caf%C3%A9/a+b%20%E2%82%AC?x=%C3%A4"))
        echo = json.loads(answer.body)
        self.assertEqual((echo["name"], echo["args"], echo["ip"]), ("a+b \u20ac", {"x": "\xe4"}, "127.0.0.1"))

    def test_cookies(self) -> None:
        answer = self.fetch(get("/cookies", "Cookie: user=ada", "Cookie: b=2"))
        self.assertEqual(answer.body, b"ada2")
        self.assertEqual(answer.headers.get_list("Set-Cookie"), ["one=1; Path=/", "two=2; Path=/"])

    def test_session(self) -> None:
        session = self.fetch(get("/count")).headers["Set-Cookie"].partition(";")[0]
        self.assertEqual(self.fetch(get("/count", f"Cookie: {session}")).body, b"2")

    def test_redirect(self) -> None:
        answer = self.fetch(get("/redirect"))
        self.assertEqual((answer.code, answer.headers["Location"]), (302, "/"))

    def test_stream(self) -> None:
        answer = self.fetch(get("/stream"))
        self.assertEqual(answer.headers["Transfer-Encoding"], "chunked")
        self.assertEqual([int(answer.body[at : at + 6]) for at in range(0, 500_000, 1000)], list(range(500)))
        self.assertEqual(len(answer.body), 500_000)

    def test_stream_to_http_1_0(self) -> None:
        client = self.connect()
        client.send(b"GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        head, _, body = client.read_all().partition(b"\r\n\r\n")
        self.assertIn(b"Connection: close", head)
        self.assertEqual(len(body), 500_000)

    def test_stream_that_fails(self) -> None:
        client = self.connect()
        client.send(get("/failing-stream"))
        with ExpectLog("tornado.wsgi", "the WSGI application failed(.|\n)*ZeroDivisionError"):
            data = client.read_all()
        self.assertTrue(data.startswith(b"HTTP/1.1 200 OK"))
        self.assertFalse(data.endswith(b"0\r\n\r\n"), "the answer looks complete")

    def test_unread_body(self) -> None:
        with ExpectLog("tornado", "403 POST /unread", required=False):
            answer = self.fetch(post(b"x" * 1_000_000).replace(b"POST /", b"POST /unread"))
        self.assertEqual((answer.code, answer.body), (403, b"no, thanks"))

    def test_empty(self) -> None:
        answer = self.fetch(get("/empty"))
        self.assertEqual(answer.code, 204)
        self.assertNotIn("Content-Length", answer.headers)

    def test_errors(self) -> None:
        for request, code in [(get("/nowhere"), 404), (get("/form"), 405)]:
            with (
                self.subTest(code),
                ExpectLog("tornado.wsgi", rf"^{code} GET /\w+ \(127\.0\.0\.1\) \d+\.\d\dms"),
            ):
                self.assertEqual(self.fetch(request).code, code)

    def test_exception(self) -> None:
        client = self.connect()
        client.send(get("/boom?password=owl"))
        failed = ExpectLog("tornado.wsgi", "the WSGI application failed(.|\n)*ZeroDivisionError: boom")
        with failed, ExpectLog("tornado.wsgi", r"^500 GET /boom\?password=\.\.\. "):
            answer = client.read_answer()
        self.assertEqual((answer.code, answer.headers["Connection"]), (500, "close"))
        self.assertEqual(client.read_all(), b"")
        self.assertEqual(len(failed.records), 1)


class FallbackTest(FlaskTest):
    """The same behind handlers of our own."""

    def start(self) -> None:
        container = WSGIContainer(make_flask())
        self.logged: list[Any] = []
        self.serve(
            Application(
                [("/own", Page, {"act": lambda handler: handler.write("own")}),
                 (".*", FallbackHandler, {"fallback": container})],
                log_function=self.logged.append,
            )
        )  # fmt: skip

    def test_neighbour(self) -> None:
        self.assertEqual(self.fetch(get("/own")).body, b"own")
        self.assertEqual(len(self.logged), 1, "the container logs what it answers itself")


class Output:
    """The output of an application, whose end is noted."""

    def __init__(self, pieces: Iterable[Any]) -> None:
        self.pieces = iter(pieces)
        self.taken = 0
        self.closed = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        piece = next(self.pieces)
        self.taken += 1
        return piece

    def close(self) -> None:
        self.closed += 1


def failing(*pieces: bytes) -> Iterator[bytes]:
    yield from pieces
    raise ZeroDivisionError("boom")


FAILED = "the WSGI application failed"


class WSGIContainerTest(ServerCase):
    def answer(
        self, output: Any, *headers: tuple[str, str], request: bytes = GET, status: str = "200 OK"
    ) -> bytes:
        """Return all the bytes that come when an application answers with *output*."""

        def application(environ: Any, start_response: Any) -> Any:
            start_response(status, list(headers))
            return output

        return self.ask_raw(application, request)

    def ask_raw(self, application: Any, request: bytes = GET) -> bytes:
        self.serve(WSGIContainer(application))
        client = self.connect()
        client.send(request)
        self.settle()
        data = bytes(client.pull().received)
        client.close()
        return data

    def test_framing(self) -> None:
        head = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
        old = b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"
        length = ("Content-Length", "2")
        rows: list[tuple[str, Any, tuple[tuple[str, str], ...], bytes, str, bytes | None, bytes]] = [
            ("list", [b"a", b"b"], (), GET, "200 OK", b"Content-Length: 2", b"ab"),
            ("short stream", iter([b"a", b"b"]), (), GET, "200 OK", b"Content-Length: 2", b"ab"),
            ("empty", [], (), GET, "200 OK", b"Content-Length: 0", b""),
            ("long list", [bytes(50_000)] * 2, (), GET, "200 OK", b"Content-Length: 100000", bytes(100_000)),
            ("own length", iter([b"a", b"b"]), (length,), GET, "200 OK", b"Content-Length: 2", b"ab"),
            ("HEAD", [b"ab"], (), head, "200 OK", b"Content-Length: 2", b""),
            ("HEAD, length", [], (length,), head, "200 OK", b"Content-Length: 2", b""),
            ("HEAD, nothing", [], (), head, "200 OK", None, b""),
            ("204", [b"ab"], (length,), GET, "204 No Content", None, b""),
            ("304", [], (), GET, "304 Not Modified", None, b""),
            ("1.0", [b"ab"], (), old, "200 OK", b"Connection: Keep-Alive", b"ab"),
            ("reason", [b"ab"], (), GET, "299 Sort Of", b"HTTP/1.1 299 Sort Of", b"ab"),
            ("no reason", [b"ab"], (), GET, "200", b"HTTP/1.1 200 OK", b"ab"),
            ("close", [b"ab"], (("Connection", "close"),), GET, "200 OK", b"Connection: close", b"ab"),
            (
                "chunked",
                [b"ab"],
                (("Transfer-Encoding", "chunked"),),
                GET,
                "200 OK",
                b"Content-Length: 2",
                b"ab",
            ),
        ]
        for name, output, headers, request, status, line, body in rows:
            with self.subTest(name):
                data = self.answer(output, *headers, request=request, status=status)
                lines, _, rest = data.partition(b"\r\n\r\n")
                self.assertEqual(rest, body)
                if line is None:
                    self.assertNotIn(b"Content-Length", lines)
                else:
                    self.assertIn(line, lines.split(b"\r\n"))
                self.assertEqual(lines.count(b"Transfer-Encoding"), 0)

    def test_wrong_answers(self) -> None:
        rows: list[tuple[str, Any, list[tuple[Any, Any]], str]] = [
            ("text", ["a"], [], "200 OK"),
            ("text later", iter([b"a", "b"]), [], "200 OK"),
            ("fails at once", failing(), [], "200 OK"),
            ("fails later", failing(b"a", b"b"), [], "200 OK"),
            ("no iterable", None, [], "200 OK"),
            ("status", [b"a"], [], "OK"),
            ("interim", [b"a"], [], "100 Continue"),
            ("split status", [b"a"], [], "200 OK\r\nX: y"),
            ("split header", [b"a"], [("X", "a\r\nY: b")], "200 OK"),
            ("name", [b"a"], [("X Y", "a")], "200 OK"),
            ("bytes in header", [b"a"], [("X", b"a")], "200 OK"),
            ("length", [b"a"], [("Content-Length", "+1")], "200 OK"),
            ("two lengths", [b"a"], [("Content-Length", "1"), ("Content-Length", "2")], "200 OK"),
        ]
        for name, output, headers, status in rows:
            with (
                self.subTest(name),
                ExpectLog("tornado.wsgi", FAILED),
                ExpectLog("tornado.wsgi", "^500 GET / "),
            ):
                data = self.answer(output, *headers, status=status)
                self.assertTrue(data.startswith(b"HTTP/1.1 500 Internal Server Error\r\n"), data)
                self.assertEqual(data.count(b"HTTP/1.1"), 1)
                self.assertTrue(data.endswith(b"</html>"), data)

    def test_wrong_lengths(self) -> None:
        rows = [
            ("over", b"abc", "2", "1 bytes over", b"ab"),
            ("missing", b"abc", "4", "1 bytes are missing", b"abc"),
        ]
        for name, body, length, words, sent in rows:
            with self.subTest(name), ExpectLog("tornado.wsgi", f"{words}.* Content-Length"):
                data = self.answer([body], ("Content-Length", length))
                self.assertEqual(data.partition(b"\r\n\r\n")[2], sent)

    def test_a_long_answer_over_its_length(self) -> None:
        output = Output([bytes(100_000)] * 9)
        with ExpectLog("tornado.wsgi", "50000 bytes over the Content-Length") as expected:
            data = self.answer(output, ("Content-Length", "150000"))
        self.assertEqual(len(data.partition(b"\r\n\r\n")[2]), 150_000)
        self.assertEqual((len(expected.records), output.taken, output.closed), (1, 2, 1))

    def test_start_response_never_called(self) -> None:
        with ExpectLog("tornado.wsgi", "did not call start_response"), ExpectLog("tornado.wsgi", "^500"):
            self.assertIn(b" 500 ", self.ask_raw(lambda environ, start_response: [b"a"]))

    def test_start_response_twice(self) -> None:
        def application(environ: Any, start_response: Any) -> list[bytes]:
            start_response("200 OK", [])
            start_response("200 OK", [])
            return []

        with ExpectLog("tornado.wsgi", "called twice"), ExpectLog("tornado.wsgi", "^500"):
            self.assertIn(b" 500 ", self.ask_raw(application))

    def test_error_page_instead_of_what_was_not_sent(self) -> None:
        def application(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", [("X-Note", "owl")])
            try:
                yield b"beginning"
                raise ZeroDivisionError
            except ZeroDivisionError:
                start_response("503 Busy", [], sys.exc_info())
                yield b"sorry"

        with ExpectLog("tornado.wsgi", "^503 GET"):
            data = self.ask_raw(application)
        self.assertTrue(data.startswith(b"HTTP/1.1 503 Busy\r\n"))
        self.assertTrue(data.endswith(b"\r\n\r\nsorry"))
        self.assertNotIn(b"X-Note", data)

    def test_too_late_for_an_error_page(self) -> None:
        def application(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", [])
            try:
                yield bytes(wsgi.PIECE_SIZE)
                raise ZeroDivisionError("late")
            except ZeroDivisionError:
                start_response("503 Busy", [], sys.exc_info())
                yield b"sorry"

        with ExpectLog("tornado.wsgi", f"{FAILED}(.|\n)*ZeroDivisionError: late"):
            data = self.ask_raw(application)
        self.assertNotIn(b"sorry", data)

    def test_write(self) -> None:
        def application(environ: Any, start_response: Any) -> list[bytes]:
            write = start_response("200 OK", [("Content-Type", "text/plain")])
            write(b"a")
            write(b"b")
            return [b"c"]

        data = self.ask_raw(application)
        self.assertTrue(data.endswith(b"\r\n\r\nabc"))
        self.assertIn(b"Content-Length: 3\r\n", data)

    def test_output_is_closed(self) -> None:
        rows = [
            ("short", [b"a"], False),
            ("long", [bytes(100_000)] * 3, False),
            ("fails", failing(b"a"), True),
            ("fails late", failing(bytes(100_000)), True),
        ]
        for name, pieces, fails in rows:
            with self.subTest(name), ExpectLog("tornado.wsgi", FAILED + "|^500", required=fails):
                output = Output(pieces)
                self.answer(output)
                self.assertEqual(output.closed, 1)

    def test_close_that_fails(self) -> None:
        class Bad(Output):
            def close(self) -> None:
                raise ZeroDivisionError

        with ExpectLog("tornado.wsgi", r"^close\(\) of the WSGI application failed"):
            self.assertTrue(self.answer(Bad([b"fine"])).endswith(b"fine"))

    def test_a_slow_client_is_waited_for(self) -> None:
        output = Output([bytes(1 << 20)] * 64)
        self.serve(WSGIContainer(self.always(output)))
        client = self.connect()
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        self.settle()
        self.assertLess(output.taken, 64, "everything was taken before anyone read it")
        self.assertGreater(len(client.read_all()), 64 << 20)
        self.assertEqual((output.taken, output.closed), (64, 1))

    def test_a_client_that_leaves(self) -> None:
        output = Output([bytes(1 << 20)] * 64)
        self.serve(WSGIContainer(self.always(output)))
        client = self.connect()
        client.send(GET)
        self.settle()
        client.reset()
        self.settle()
        self.assertLess(output.taken, 64)
        self.assertEqual(output.closed, 1)

    def test_others_have_their_turn(self) -> None:
        """During a long answer, even of empty pieces."""
        output = Output(b"" for _ in range(10 * wsgi.MAX_PIECES))
        self.serve(WSGIContainer(self.always(output)))
        client = self.connect()
        client.send(GET)
        while output.taken < wsgi.MAX_PIECES:
            self.turn()
        self.assertLess(output.taken, 5 * wsgi.MAX_PIECES)
        self.assertEqual(client.read_answer().body, b"")

    @staticmethod
    def always(output: Any) -> Any:
        def application(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [])
            return output

        return application

    def test_no_cycles(self) -> None:
        """A request leaves nothing to the garbage collector."""
        for name, output in [("short", [b"a"]), ("long", lambda: iter([bytes(50_000)] * 9))]:
            with self.subTest(name):
                self.serve(WSGIContainer(self.always_new(output)))
                client = self.connect()
                client.send(GET)
                client.read_answer()
                gc.collect()
                client.send(GET)
                client.read_answer()
                self.settle()
                self.assertEqual(gc.collect(), 0)

    @staticmethod
    def always_new(output: Any) -> Any:
        def application(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [])
            yield from output() if callable(output) else output

        return application

    def test_two_at_once(self) -> None:
        self.serve(WSGIContainer(lambda environ, start: [start("200 OK", []), iter([bytes(200_000)])][1]))
        clients = [self.connect() for _ in range(2)]
        for client in clients:
            client.send(GET + GET)
        for client in clients * 2:
            self.assertEqual(len(client.read_answer().body), 200_000)


class EnvironTest(unittest.TestCase):
    def environ(self, uri: str = "/", method: str = "GET", **kwargs: Any) -> dict[str, Any]:
        return WSGIContainer.environ(HTTPRequest(method, uri, "HTTP/1.1", **kwargs))

    def test_defaults(self) -> None:
        environ = self.environ("/a%20%C3%A4+b?c=%20", host="owl.example")
        expected = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/a \xc3\xa4+b",
            "QUERY_STRING": "c=%20",
            "REMOTE_ADDR": "127.0.0.1",
            "SERVER_NAME": "owl.example",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": False,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        self.assertEqual(environ.pop("wsgi.input").read(), b"")
        self.assertEqual(environ, expected)

    def test_hosts(self) -> None:
        rows = [
            ("a:8080", "http", "a", "8080"),
            ("a", "https", "a", "443"),
            ("a:", "http", "a", "80"),
            ("[::1]:81", "http", "[::1]", "81"),
            ("[::1]", "http", "[::1]", "80"),
            ("", "http", "127.0.0.1", "80"),
        ]
        for host, protocol, name, port in rows:
            with self.subTest(host):
                environ = self.environ(host=host, protocol=protocol)
                self.assertEqual((environ["SERVER_NAME"], environ["SERVER_PORT"]), (name, port))

    def test_headers(self) -> None:
        """Hardening: what a program takes for one field may not come from another."""
        headers = HTTPHeaders.parse(
            "X-Note: a\nx-note: b\nCookie: a=1\nCookie: b=2\nX_Note: c\nContent_Length: 9\nProxy: http://evil\n"
            "Content-Type: text/plain\nContent-Length: 3\nTransfer-Encoding: chunked"
        )
        environ = self.environ(method="POST", headers=headers, body=b"abc")
        found = {name: value for name, value in environ.items() if name.startswith(("HTTP_", "CONTENT"))}
        expected = {
            "HTTP_X_NOTE": "a,b",
            "HTTP_COOKIE": "a=1; b=2",
            "CONTENT_TYPE": "text/plain",
            "CONTENT_LENGTH": "3",
        }
        self.assertEqual(found, expected)
        self.assertEqual(headers["Content-Type"], "text/plain", "the request itself stays as it is")

    def test_by_hand(self) -> None:
        """A request without a connection is answered whole, by its write and finish."""

        class Known(WSGIContainer):
            @staticmethod
            def environ(request: Any) -> dict[str, Any]:
                return {**WSGIContainer.environ(request), "REMOTE_USER": "ada"}

        def application(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", [("X-User", environ["REMOTE_USER"])])
            return iter([b"x" * 100_000] * 2)

        class Request(HTTPRequest):
            def write(self, chunk: bytes, callback: Any = None) -> None:
                sent.append(chunk)

            def finish(self) -> None:
                sent.append(b"end")

        sent: list[bytes] = []
        Known(application)(Request("GET", "/", "HTTP/1.1"))
        self.assertEqual((len(sent), sent[-1]), (2, b"end"))
        self.assertIn(b"\r\nContent-Length: 200000\r\n", sent[0])
        self.assertIn(b"\r\nX-User: ada\r\n", sent[0])

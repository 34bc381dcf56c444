"""Production as the overview of 2011 has it: nginx before four processes, with its two configurations.

The configurations are the overview's text with the least change that today's nginx loads without being
installed: `CHANGES`.  Each process runs `PROGRAM` on its own port and says in each answer which one it is.
"""

import contextlib
import gzip
import hashlib
import http.client
import json
import os
import pathlib
import pwd
import re
import shlex
import ssl
import sys
import tempfile
import unittest
from typing import Any, NamedTuple

from tornado.test.outside import PATIENCE, ROOT, Program, free_port
from tornado.test.overview_test import EXAMPLES
from tornado.testing import _test_certificate

MAX_UPLOAD = 50 * 1024 * 1024  # bytes: client_max_body_size

#: What the overview says, what stands there instead, and why.
CHANGES = [
    ("user nginx;", "user {user};", "the account nginx is not on every machine"),
    ("/var/log/nginx/error.log", "{folder}/error.log", "a folder of our own"),
    ("/var/run/nginx.pid", "{folder}/nginx.pid", "a folder of our own"),
    ("/var/log/nginx/access.log;", "{folder}/access.log;\n{temp_paths}", "a folder of our own"),
    ("127.0.0.1:8000", "127.0.0.1:{ports[0]}", "a free port"),
    ("127.0.0.1:8001", "127.0.0.1:{ports[1]}", "a free port"),
    ("127.0.0.1:8002", "127.0.0.1:{ports[2]}", "a free port"),
    ("127.0.0.1:8003", "127.0.0.1:{ports[3]}", "a free port"),
    ("listen 80;", "listen 127.0.0.1:{port};\n{tls}", "a free port; a second one where $scheme is https"),
    ("root /var/www;", "root {folder}/www;", "a folder of our own"),
    ("proxy_redirect false;", "proxy_redirect off;", "false was never a value; today it is an error"),
]
STATIC_CHANGES = [("root /var/friendfeed/static;", "root {folder}/friendfeed;", "a folder of our own")]

TEMP_PATHS = "".join(
    f"{name}_temp_path {{folder}}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)
TLS = "listen 127.0.0.1:{tls_port} ssl;\nssl_certificate {certfile};\nssl_certificate_key {keyfile};"

PROGRAM = """
import hashlib
import os
import sys

import tornado.ioloop
import tornado.web

port = int(sys.argv[1])
waiting = []

class BaseHandler(tornado.web.RequestHandler):
    def set_default_headers(self):
        self.set_header("X-Port", port)

class AboutHandler(BaseHandler):
    def get(self):
        request = self.request
        self.write({"remote_ip": request.remote_ip, "protocol": request.protocol,
                    "host": request.host, "url": request.full_url()})

class UploadHandler(BaseHandler):
    def post(self):
        (upload,) = self.request.files["file"]
        self.write({"filename": upload.filename, "sha256": hashlib.sha256(upload.body).hexdigest()})

class PollHandler(BaseHandler):
    @tornado.web.asynchronous
    def get(self):
        waiting.append(self)
        print(len(waiting), "waiting", flush=True)

    def on_connection_close(self):
        waiting.remove(self)
        print(len(waiting), "left", flush=True)

    def post(self):
        handlers, waiting[:] = waiting[:], []
        for handler in handlers:
            handler.finish(self.get_argument("news"))

class PageHandler(BaseHandler):
    def get(self):
        self.write(self.static_url("images/logo.png"))

class LongHandler(BaseHandler):
    def get(self):
        self.write("long " * 1000)

class PiecesHandler(BaseHandler):
    def get(self):
        for number in range(3):
            self.write(f"piece {number} ")
            self.flush()

application = tornado.web.Application([
    (r"/about", AboutHandler),
    (r"/upload", UploadHandler),
    (r"/poll", PollHandler),
    (r"/page", PageHandler),
    (r"/long", LongHandler),
    (r"/pieces", PiecesHandler),
], static_path=os.path.join(os.path.dirname(os.path.abspath(__file__)), "www", "static"))
application.listen(port, "127.0.0.1", xheaders=True, trusted_downstream=["127.0.0.1"])
tornado.ioloop.IOLoop.instance().start()
"""


class Answer(NamedTuple):
    """A response, read whole."""

    code: int
    headers: http.client.HTTPMessage
    body: bytes


def read(connection: http.client.HTTPConnection) -> Answer:
    """Return the answer to what was sent on *connection*, and close it."""
    response = connection.getresponse()
    answer = Answer(response.status, response.headers, response.read())
    connection.close()
    return answer


def changed(text: str, changes: list[tuple[str, str, str]], values: dict[str, Any]) -> str:
    """Return *text* with *changes* made, each of which must apply once; *values* are filled in."""
    for old, new, _ in changes:
        if text.count(old) != 1:
            raise AssertionError(f"{old!r} is {text.count(old)} times in the overview's configuration")
        text = text.replace(old, new.format_map(values))
    return text


class Frontends:
    """A folder with the program and what is static, and the four processes, which end with *stack*."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        files = {"main.py": PROGRAM, "friendfeed/static/images/logo.png": "the other logo"}
        for name in ("images/logo.png", "favicon.ico", "robots.txt"):
            files[f"www/static/{name}"] = f"this is {name}"
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.ports = [free_port() for _ in range(4)]
        start = f"exec {shlex.quote(sys.executable)} main.py"
        self.programs = [
            stack.enter_context(Program(f"{start} {port}", self.folder, PYTHONPATH=str(ROOT)))
            for port in self.ports
        ]
        for program, port in zip(self.programs, self.ports, strict=True):
            program.wait_for_port(port)


_stack = contextlib.ExitStack()
_frontends: list[Frontends] = []


def setUpModule() -> None:
    """Start the processes, which all tests share."""
    with contextlib.ExitStack() as stack:
        _frontends.append(Frontends(stack))
        _stack.push(stack.pop_all())


def tearDownModule() -> None:
    """End them."""
    _frontends.clear()
    _stack.close()


class NginxCase(unittest.TestCase):
    """nginx on `port` and, with TLS, on `tls_port`; the second configuration on `static_port`."""

    folder: pathlib.Path
    ports: list[int]  # those of the processes, as nginx knows them
    port: int
    tls_port: int
    static_port: int
    programs: list[Program]

    @classmethod
    def setUpClass(cls) -> None:
        (frontends,) = _frontends
        cls.folder, cls.programs, cls.ports = frontends.folder, frontends.programs, cls.choose(frontends)
        cls.port, cls.tls_port, cls.static_port = free_port(), free_port(), free_port()
        (cls.folder / "nginx.conf").write_text(cls.configuration(), encoding="utf-8")
        command = f"PATH=$PATH:/usr/sbin exec nginx -p {cls.folder} -c nginx.conf -e stderr -g 'daemon off;'"
        nginx = cls.enterClassContext(Program(command, cls.folder))
        nginx.wait_for_port(cls.port)

    @classmethod
    def choose(cls, frontends: Frontends) -> list[int]:
        """Return the four ports."""
        return frontends.ports

    @classmethod
    def configuration(cls) -> str:
        """Return the overview's configurations in one file."""
        certfile, keyfile = _test_certificate()
        values: dict[str, Any] = {
            "folder": cls.folder,
            "ports": cls.ports,
            "port": cls.port,
            "user": pwd.getpwuid(os.getuid()).pw_name,
            "temp_paths": TEMP_PATHS.format(folder=cls.folder),
            "tls": TLS.format(tls_port=cls.tls_port, certfile=certfile, keyfile=keyfile),
        }
        main = changed(EXAMPLES["nginx before four servers"], CHANGES, values)
        static = changed(EXAMPLES["nginx serves static files"], STATIC_CHANGES, values)
        server = f"server {{\nlisten 127.0.0.1:{cls.static_port};\n{static}\n}}\n"
        return f"{main.rstrip().removesuffix('}')}\n{server}}}\n"

    def connect(self, port: int | None = None, source: str = "127.0.0.1") -> http.client.HTTPConnection:
        """Return a connection to nginx, or to *port*, from the address *source*."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", port or self.port, timeout=PATIENCE, source_address=(source, 0)
        )
        self.addCleanup(connection.close)
        return connection

    def fetch(self, target: str, port: int | None = None, source: str = "127.0.0.1", **fields: str) -> Answer:
        """Return the answer to a GET request; *fields* have ``_`` for ``-``."""
        connection = self.connect(port, source)
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        connection.request("GET", target, headers=headers)
        return read(connection)

    def about(self, port: int | None = None, source: str = "127.0.0.1", **fields: str) -> dict[str, str]:
        """Return what a process knows about the request."""
        answer = self.fetch("/about", port, source, **fields)
        self.assertEqual(answer.code, 200)
        told: dict[str, str] = json.loads(answer.body)
        return told

    def ports_of_answers(self) -> set[int]:
        """Return which processes answer eight requests, all of which must be answered."""
        answers = [self.fetch("/about") for _ in range(8)]
        self.assertEqual({answer.code for answer in answers}, {200})
        return {int(answer.headers["X-Port"]) for answer in answers}


class NginxTest(NginxCase):
    """Both configurations, and four processes that answer."""

    def test_all_four_answer(self) -> None:
        self.assertEqual(self.ports_of_answers(), set(self.ports))

    def test_address(self) -> None:
        """It is the client's, whatever that says; from others than the proxy nothing is believed."""
        forged = {"X_Real_IP": "10.1.2.3", "X_Forwarded_For": "10.1.2.3"}
        direct = self.ports[0]
        rows = [
            (None, "127.0.0.1", {}, "127.0.0.1"),
            (None, "127.0.0.5", {}, "127.0.0.5"),
            (None, "127.0.0.5", forged, "127.0.0.5"),
            (direct, "127.0.0.9", {}, "127.0.0.9"),
            (direct, "127.0.0.9", forged, "127.0.0.9"),
            (direct, "127.0.0.1", forged, "10.1.2.3"),
            (direct, "127.0.0.1", {"X_Real_IP": "nonsense"}, "127.0.0.1"),
        ]
        for port, source, fields, address in rows:
            with self.subTest(port=port, source=source, **fields):
                self.assertEqual(self.about(port, source, **fields)["remote_ip"], address)

    def test_scheme(self) -> None:
        self.assertEqual(self.about()["protocol"], "http")
        self.assertEqual(self.about(X_Scheme="https")["protocol"], "http")
        self.assertEqual(self.about(self.ports[0], "127.0.0.9", X_Scheme="https")["protocol"], "http")

    def test_https(self) -> None:
        context = ssl.create_default_context(cafile=_test_certificate()[0])
        connection = http.client.HTTPSConnection(
            "localhost", self.tls_port, timeout=PATIENCE, context=context
        )
        connection.request("GET", "/about")
        told = json.loads(read(connection).body)
        self.assertEqual(told["protocol"], "https")
        self.assertEqual(told["url"], f"https://localhost:{self.tls_port}/about")

    def test_host_and_server(self) -> None:
        told = self.about(Host="example.com:8080")
        self.assertEqual(told["host"], "example.com:8080")
        self.assertEqual(told["url"], "http://example.com:8080/about")
        self.assertRegex(self.fetch("/about").headers["Server"], "^TornadoServer/")

    def test_uploads(self) -> None:
        """The whole request body may have 50 MB: the file is that large less what is around it."""
        before = (
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="big.bin"\r\n'
            b"Content-Type: application/octet-stream\r\n\r\n"
        )
        after = b"\r\n--b--\r\n"
        block = bytes(range(256)) * 4096
        size = MAX_UPLOAD - len(before) - len(after)
        file = (block * (size // len(block) + 1))[:size]
        connection = self.connect()
        content_type = {"Content-Type": "multipart/form-data; boundary=b"}
        connection.request("POST", "/upload", before + file + after, content_type)
        answer = read(connection)
        self.assertEqual(answer.code, 200)
        wanted = {"filename": "big.bin", "sha256": hashlib.sha256(file).hexdigest()}
        self.assertEqual(json.loads(answer.body), wanted)

    def test_larger_uploads_are_refused(self) -> None:
        connection = self.connect()
        connection.putrequest("POST", "/upload")
        connection.putheader("Content-Length", str(MAX_UPLOAD + 1))
        connection.endheaders()
        self.assertEqual(read(connection).code, 413)

    def begin_polls(self, sign: str) -> list[http.client.HTTPConnection]:
        """Return four connections that wait, one at each process: nginx deals requests in turn."""
        polls = [self.connect() for _ in self.ports]
        for poll in polls:
            poll.request("GET", "/poll")
        for program in self.programs:
            program.wait_for(sign)
        return polls

    def test_long_polls(self) -> None:
        for poll in self.begin_polls("1 waiting"):
            poll.close()
        for program in self.programs:
            program.wait_for("0 left")
        polls = self.begin_polls(r"(?s)0 left.*1 waiting")
        for port in self.ports:
            connection = self.connect(port)
            connection.request("POST", f"/poll?news=from+{port}")
            self.assertEqual(read(connection).code, 200)
        answers = [read(poll) for poll in polls]
        news = sorted(answer.body.decode() for answer in answers)
        self.assertEqual(news, sorted(f"from {port}" for port in self.ports))
        for program in self.programs:
            self.assertNotIn("Traceback", program.output())
            self.assertNotIn("without finish()", program.output(), "who has left is no mistake")

    def test_answers_in_pieces(self) -> None:
        """nginx asks in HTTP/1.0, which has no chunks: the end of the connection is the end."""
        self.assertEqual(self.fetch("/pieces").body, b"piece 0 piece 1 piece 2 ")

    def test_gzip(self) -> None:
        """nginx weakens the Etag of what it compresses, which still finds its page (RFC 9110, 8.8.3)."""
        answer = self.fetch("/long", Accept_Encoding="gzip")
        self.assertEqual(answer.headers["Content-Encoding"], "gzip")
        self.assertEqual(gzip.decompress(answer.body), b"long " * 1000)
        etag = answer.headers["Etag"]
        self.assertEqual(etag[:3], 'W/"')
        self.assertEqual(self.fetch("/long", Accept_Encoding="gzip", If_None_Match=etag).code, 304)
        self.assertNotIn("Content-Encoding", self.fetch("/about", Accept_Encoding="gzip").headers)

    def assert_by_nginx(self, answer: Answer, body: str) -> None:
        self.assertEqual((answer.code, answer.body.decode()), (200, body))
        self.assertRegex(answer.headers["Server"], "^nginx/")
        self.assertNotIn("X-Port", answer.headers)

    def test_static_files(self) -> None:
        self.assert_by_nginx(self.fetch("/favicon.ico"), "this is favicon.ico")
        self.assert_by_nginx(self.fetch("/robots.txt"), "this is robots.txt")
        self.assertEqual(self.fetch("/static/none.png").code, 404)

    def test_versions(self) -> None:
        """Tornado makes the URL from the same file that nginx serves, for good if it has a version."""
        target = self.fetch("/page").body.decode()
        self.assertRegex(target, r"^/static/images/logo\.png\?v=[0-9a-f]{5}$")
        self.assert_versioned(self.port, target, "this is images/logo.png")

    def test_the_other_configuration(self) -> None:
        """Its root holds a folder ``static``: nginx adds the whole path of the URL."""
        self.assert_versioned(self.static_port, "/static/images/logo.png?v=aae54", "the other logo")

    def assert_versioned(self, port: int, target: str, body: str) -> None:
        answer = self.fetch(target, port)
        self.assert_by_nginx(answer, body)
        self.assertEqual(answer.headers["Content-Type"], "image/png")
        seconds = re.search(r"max-age=([0-9]+)", answer.headers["Cache-Control"])
        self.assertGreaterEqual(int(seconds[1]) if seconds else 0, 365 * 86400)
        self.assertIn("Expires", answer.headers)
        answer = self.fetch(target.partition("?")[0], port)
        self.assert_by_nginx(answer, body)
        self.assertNotIn("Expires", answer.headers)


class FailureTest(NginxCase):
    """Three processes that answer, and a port where nobody listens."""

    @classmethod
    def choose(cls, frontends: Frontends) -> list[int]:
        return [*frontends.ports[:3], free_port()]

    def test_one_of_four_is_down(self) -> None:
        """proxy_next_upstream: the others answer in its place."""
        self.assertEqual(self.ports_of_answers(), set(self.ports[:3]))


if __name__ == "__main__":
    unittest.main()

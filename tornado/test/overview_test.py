"""The overview of 2011, from its walkthrough to its end, as a contract: each example runs as it stands.

Each section of the overview is a class here, in the same order, with its examples above it.  An example is
run in a module that has what its text leaves out (the imports, and names such as ``database``), then asked
over a real socket what the sentences around it say.  Where the overview is wrong about itself, a note at
the test says what was chosen.

An example that cannot run yet is in `PENDING`, one that another test runs in `ELSEWHERE`.
"""

import hashlib
import logging
import os
import pathlib
import re
import shlex
import sys
import tempfile
import time
import types
import unittest
import unittest.mock
import urllib.parse
import wsgiref.validate
from collections.abc import Callable
from typing import Any, TypeVar

import tornado
import tornado.escape
import tornado.httpserver
import tornado.locale
import tornado.template
import tornado.web
import tornado.wsgi
from tornado.test.live import Answer, ServerCase, get
from tornado.test.outside import ROOT, Program, browser_page, free_port, run
from tornado.test.util import ExpectLog
from tornado.util import ObjectDict

_T = TypeVar("_T", bound=Callable[..., None])

#: The examples by title, in the overview's order, without their indentation.
EXAMPLES: dict[str, str] = {}
COVERED: set[str] = set()

#: Title -> the issue it comes true with.
PENDING = {
    "fetch from FriendFeed": "HTTP clients",
    "configure the curl client": "HTTP clients",
    "sign in with Google": "sign-in",
}

#: Title -> the test that runs it.
ELSEWHERE = {
    "nginx serves static files": "nginx_test",
    "measure with ab": "demos_test",  # with another number of requests
    "nginx before four servers": "nginx_test",
}

#: Parts of the text without an example of their own, likewise.
PENDING_TEXT = {
    "the blog with its users in MySQL": "the database and the blog",
    "the chat": "the chat",
    "the appengine demo": "appengine",
}

#: Of all examples: who changes one here changes the contract.
DIGEST = "aea87ee6d2a2f04cd042c05141966f4aca34e72fc8cf2b0a442827ad6fbfb705"


def example(title: str, text: str) -> None:
    """Add an example; its *text* begins after the first line end."""
    EXAMPLES[title] = text[1:-1]


def covers(*titles: str) -> Callable[[_T], _T]:
    """Decorate the test that runs the examples *titles*."""
    COVERED.update(titles)
    return lambda test: test


class ContractTest(unittest.TestCase):
    """No example is left out."""

    def test_each_example_is_run_or_pending(self) -> None:
        self.assertEqual(len(EXAMPLES), 39)
        self.assertEqual(set(EXAMPLES), COVERED | set(PENDING) | set(ELSEWHERE))
        self.assertEqual(COVERED & (set(PENDING) | set(ELSEWHERE)), set())

    def test_what_pends_is_said(self) -> None:
        for title, issue in {**PENDING, **PENDING_TEXT}.items():
            print(f"the overview's {title!r} comes true with the issue {issue!r}")
        issues = {"HTTP clients", "sign-in", "the database and the blog", "the chat", "appengine"}
        self.assertLessEqual({*PENDING.values(), *PENDING_TEXT.values()}, issues)

    def test_the_examples_are_those_of_the_overview(self) -> None:
        digest = hashlib.sha256("\n\n".join(EXAMPLES.values()).encode()).hexdigest()
        self.assertEqual(digest, DIGEST)

    def test_other_tests_exist(self) -> None:
        for name in ELSEWHERE.values():
            self.assertTrue(pathlib.Path(__file__).with_name(f"{name}.py").exists())


def ask_for(method: str, target: str, *fields: str, body: bytes = b"") -> bytes:
    """Return a request with a form as its *body*, if it has one."""
    form = "application/x-www-form-urlencoded"
    about = [f"Content-Length: {len(body)}", f"Content-Type: {form}"] if body else []
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: a", *about, *fields, "", ""]).encode() + body


class OverviewCase(ServerCase):
    """Has a folder with a module in it, ``main.py``, which the examples are the text of."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.file = str(self.folder / "main.py")
        self.names: dict[str, Any] = {"__name__": "main", "__file__": self.file, "tornado": tornado, "os": os}

    def put(self, name: str, text: str) -> pathlib.Path:
        """Write a file into the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def run_text(self, text: str) -> None:
        """Run *text* as a part of the module."""
        exec(compile(text, self.file, "exec"), self.names)

    def run_example(self, title: str, **names: Any) -> None:
        """Run an example as a part of the module, which has *names* as well."""
        self.names.update(names)
        self.run_text(EXAMPLES[title])

    def go(self, *handlers: Any, **settings: Any) -> None:
        """Serve the module's ``application``; or *handlers*, if there are any."""
        if handlers:
            self.names["application"] = tornado.web.Application(list(handlers), **settings)
        self.serve(self.names["application"])

    def serve_wsgi(self, application: Any) -> None:
        """Serve a WSGI application, which is held to all of PEP 3333."""
        container = tornado.wsgi.WSGIContainer(wsgiref.validate.validator(application))
        self.serve(container)

    def go_with(self, name: str = "MainHandler", **settings: Any) -> None:
        """Serve the module's handler *name* at ``/``."""
        self.go((r"/", self.names[name]), **settings)

    def text(self, target: str, *fields: str) -> str:
        """Return the body of the page *target*, which must be 200."""
        answer = self.ask(get(target, *fields))
        self.assertEqual(answer.code, 200, answer.body)
        return answer.body.decode()

    def refused(self, code: int, request: bytes, why: str = "") -> Answer:
        """Return the answer to *request*, which must be the error *code*; the log says *why*."""
        with ExpectLog("", rf"^{code} |\b{why or code}\b") as log:
            answer = self.ask(request)
        self.assertEqual(answer.code, code)
        self.assertIn(why, "\n".join(map(logging.Formatter().format, log.records)))
        return answer


class Visitor:
    """Keeps cookies, as browsers do."""

    def __init__(self, case: OverviewCase) -> None:
        self.case = case
        self.cookies: dict[str, str] = {}

    def request(self, method: str, target: str, *fields: str, **form: str) -> bytes:
        """Return the request with the cookies."""
        body = urllib.parse.urlencode(form).encode()
        if self.cookies:
            fields += ("Cookie: " + "; ".join(f"{name}={value}" for name, value in self.cookies.items()),)
        return ask_for(method, target, *fields, body=body)

    def ask(self, method: str, target: str, *fields: str, **form: str) -> Answer:
        """Return the answer, and keep its cookies."""
        answer = self.case.ask(self.request(method, target, *fields, **form))
        for line in answer.headers.get_list("Set-Cookie"):
            name, _, rest = line.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        return answer

    def text(self, target: str) -> str:
        """Return the body of the page *target*."""
        return self.ask("GET", target).body.decode()


# ---- request handlers and arguments ----

example(
    "the main page and the stories",
    """
class MainHandler(tornado.web.RequestHandler):
    def get(self):
        self.write("You requested the main page")

class StoryHandler(tornado.web.RequestHandler):
    def get(self, story_id):
        self.write("You requested the story " + story_id)

application = tornado.web.Application([
    (r"/", MainHandler),
    (r"/story/([0-9]+)", StoryHandler),
])
""",
)
example(
    "a form and its message",
    """
class MainHandler(tornado.web.RequestHandler):
    def get(self):
        self.write('<html><body><form action="/" method="post">'
                   '<input type="text" name="message">'
                   '<input type="submit" value="Submit">'
                   '</form></body></html>')

    def post(self):
        self.set_header("Content-Type", "text/plain")
        self.write("You wrote " + self.get_argument("message"))
""",
)
example(
    "refuse strangers",
    """
if not self.user_is_logged_in():
    raise tornado.web.HTTPError(403)
""",
)


class RequestHandlerTest(OverviewCase):
    """Request handlers and request arguments."""

    @covers("the main page and the stories")
    def test_urls_go_to_handlers(self) -> None:
        self.run_example("the main page and the stories")
        self.go()
        self.assertEqual(self.text("/"), "You requested the main page")
        self.assertEqual(self.text("/story/42"), "You requested the story 42")
        self.refused(404, get("/story/x"))
        self.refused(404, get("/story/42/"))

    def test_other_methods_are_refused(self) -> None:
        self.run_example("the main page and the stories")
        self.go()
        self.assertEqual(self.refused(405, ask_for("POST", "/")).headers["Allow"], "GET")

    @covers("a form and its message")
    def test_get_argument(self) -> None:
        self.run_example("a form and its message")
        self.go_with()
        self.assertIn('<form action="/" method="post">', self.text("/"))
        answer = self.ask(ask_for("POST", "/", body=b"message=gr%C3%BC%C3%9F+dich"))
        self.assertEqual(answer.body.decode(), "You wrote grüß dich")
        self.assertEqual(answer.headers["Content-Type"], "text/plain")
        self.assertEqual(self.ask(ask_for("POST", "/?message=hello")).body, b"You wrote hello")
        self.refused(400, ask_for("POST", "/"), "Missing argument message")

    def test_uploads(self) -> None:
        def post(handler: Any) -> None:
            seen.append(handler.request)

        seen: list[Any] = []
        self.go((r"/", type("MainHandler", (tornado.web.RequestHandler,), {"post": post})))
        part = 'Content-Disposition: form-data; name="notes"; filename="{0}.txt"\r\nContent-Type: text/plain'
        parts = "".join(f"--b\r\n{part.format(name)}\r\n\r\nof {name}\r\n" for name in "xy")
        body = f"{parts}--b--\r\n".encode()
        head = f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(body)}"
        self.ask(ask_for("POST", "/?a=1", head) + body)
        (request,) = seen
        wanted = [
            {"filename": f"{name}.txt", "content_type": "text/plain", "body": f"of {name}".encode()}
            for name in "xy"
        ]
        self.assertEqual(request.files, {"notes": wanted})

    @covers("refuse strangers")
    def test_http_error(self) -> None:
        def get_(handler: Any) -> None:
            handler.user_is_logged_in = lambda: handler.get_argument("user", None)
            self.names["self"] = handler
            self.run_example("refuse strangers")
            handler.write("welcome")

        self.go((r"/", type("MainHandler", (tornado.web.RequestHandler,), {"get": get_})))
        self.assertEqual(self.text("/?user=tom"), "welcome")
        self.assertIn(b"403: Forbidden", self.refused(403, get("/")).body)

    def test_the_request(self) -> None:
        self.run_text(
            "class MainHandler(tornado.web.RequestHandler):\n"
            "    def post(self, path):\n"
            "        requests.append(self.request)\n"
        )
        requests: list[Any] = self.names.setdefault("requests", [])
        self.go((r"/(.*)", self.names["MainHandler"]))
        self.ask(ask_for("POST", "/a/b?x=1&y=2", "X-Own: yes", body=b"x=3"))
        (request,) = requests
        self.assertIsInstance(request, tornado.httpserver.HTTPRequest)
        self.assertEqual(request.arguments, {"x": [b"1", b"3"], "y": [b"2"]})
        self.assertEqual(request.files, {})
        self.assertEqual(request.path, "/a/b")
        self.assertEqual(request.headers["x-own"], "yes")


# ---- overriding RequestHandler methods ----

example(
    "initialize",
    """
class ProfileHandler(RequestHandler):
    def initialize(self, database):
        self.database = database

    def get(self, username):
        ...

app = Application([
    (r'/user/(.*)', ProfileHandler, dict(database=database)),
    ])
""",
)


class OverridingTest(OverviewCase):
    """Overriding RequestHandler methods."""

    CALLS = """
class MainHandler(tornado.web.RequestHandler):
    def __init__(self, application, request, **kwargs):
        calls.append("__init__")
        super().__init__(application, request, **kwargs)

    def initialize(self, database):
        calls.append(f"initialize {database}")

    def prepare(self):
        calls.append(f"prepare {id(self)}")
        stop = self.get_argument("stop", None)
        if stop == "finish":
            self.finish("stopped")
        elif stop == "error":
            self.send_error(403)

    def method(self, *groups):
        calls.append(f"{self.request.method} {id(self)} {groups}")
        handlers.append(self)

    get = post = put = delete = method
"""

    def setUp(self) -> None:
        super().setUp()
        self.calls: list[str] = self.names.setdefault("calls", [])
        self.handlers: list[Any] = self.names.setdefault("handlers", [])

    def test_order_of_calls(self) -> None:
        self.run_text(self.CALLS)
        self.go((r"/([a-z]*)/([0-9]*)", self.names["MainHandler"], {"database": "db"}))
        for method in ("GET", "POST", "PUT", "DELETE"):
            self.calls.clear()
            self.assertEqual(self.ask(ask_for(method, "/a/1")).code, 200)
            me = id(self.handlers[-1])
            wanted = ["__init__", "initialize db", f"prepare {me}", f"{method} {me} ('a', '1')"]
            self.assertEqual(self.calls, wanted)
        self.assertEqual(len(set(map(id, self.handlers))), 4, "an object for each request")

    def test_prepare_may_finish(self) -> None:
        """The XSRF check has run before prepare, which the overview leaves out: see `XSRFTest`."""
        self.run_text(self.CALLS)
        self.go((r"/()", self.names["MainHandler"], {"database": "db"}))
        self.assertEqual(self.text("/?stop=finish"), "stopped")
        self.refused(403, get("/?stop=error"))
        self.assertEqual(self.handlers, [])

    @covers("initialize")
    def test_initialize(self) -> None:
        database = object()
        self.run_example(
            "initialize",
            RequestHandler=tornado.web.RequestHandler,
            Application=tornado.web.Application,
            database=database,
        )
        seen: list[Any] = []
        self.names["ProfileHandler"].on_finish = lambda handler: seen.append(handler.database)
        self.serve(self.names["app"])
        self.assertEqual(self.text("/user/tom"), "")
        self.assertIs(seen[0], database)

    def test_get_error_html(self) -> None:
        """Here the exception is one of the kwargs that the framework calls it with, as the text has it."""
        self.run_text(
            "class MainHandler(tornado.web.RequestHandler):\n"
            "    def get(self, what):\n"
            "        if what == 'send': self.send_error(418)\n"
            "        elif what == 'raise': raise tornado.web.HTTPError(403)\n"
            "        else: 1 / 0\n"
            "    def get_error_html(self, status_code, exception=None, **kwargs):\n"
            "        return f'<p>{status_code} {type(exception).__name__} {kwargs}</p>'\n"
        )
        self.go((r"/(.*)", self.names["MainHandler"]))
        self.assertEqual(self.refused(418, get("/send")).body, b"<p>418 NoneType {}</p>")
        self.assertEqual(self.refused(403, get("/raise")).body, b"<p>403 HTTPError {}</p>")
        answer = self.refused(500, get("/"), "ZeroDivisionError")
        self.assertEqual(answer.body, b"<p>500 ZeroDivisionError {}</p>")

    def test_other_methods_to_override(self) -> None:
        self.put("elsewhere/page.html", "{{ current_user }} {{ locale.code }}")
        self.run_text(
            "class MainHandler(tornado.web.RequestHandler):\n"
            "    def get(self): self.render('page.html')\n"
            "    @tornado.web.authenticated\n"
            "    def head(self): pass\n"
            "    def get_current_user(self): return self.get_argument('user', None)\n"
            "    def get_user_locale(self): return tornado.locale.get('en_US')\n"
            "    def get_login_url(self): return '/enter'\n"
            "    def get_template_path(self): return os.path.join(os.path.dirname(__file__), 'elsewhere')\n"
        )
        self.go_with(login_url="/login", template_path="/nowhere")
        self.assertEqual(self.text("/?user=tom"), "tom en_US")
        location = self.ask(ask_for("HEAD", "/")).headers["Location"]
        self.assertEqual(location.partition("?")[0], "/enter")

    def test_their_defaults_are_settings(self) -> None:
        self.put("there/page.html", "there")
        self.run_text(
            "class MainHandler(tornado.web.RequestHandler):\n"
            "    def get(self): self.render('page.html')\n"
            "    @tornado.web.authenticated\n"
            "    def head(self): pass\n"
        )
        self.go_with(login_url="/login", template_path=str(self.folder / "there"))
        self.assertEqual(self.text("/"), "there")
        self.assertEqual(self.ask(ask_for("HEAD", "/")).headers["Location"], "/login?next=%2F")


# ---- redirection ----

example(
    "redirect for good",
    """
self.redirect('/some-canonical-page', permanent=True)
""",
)
example(
    "redirect a download",
    """
application = tornado.wsgi.WSGIApplication([
    (r"/([a-z]*)", ContentHandler),
    (r"/static/tornado-0.2.tar.gz", tornado.web.RedirectHandler,
     dict(url="http://github.com/downloads/facebook/tornado/tornado-0.2.tar.gz")),
], **settings)
""",
)
example(
    "redirect for now",
    """
application = tornado.wsgi.WSGIApplication([
    (r"/foo", tornado.web.RedirectHandler, {"url":"/bar", "permanent":False}),
], **settings)
""",
)


class RedirectionTest(OverviewCase):
    """Redirection."""

    def setUp(self) -> None:
        super().setUp()
        self.names["settings"] = {}

    def assert_redirects(self, target: str, code: int, location: str) -> None:
        answer = self.ask(get(target))
        self.assertEqual((answer.code, answer.headers["Location"]), (code, location))

    @covers("redirect for good")
    def test_redirect(self) -> None:
        def get_(handler: Any) -> None:
            self.names["self"] = handler
            self.run_example("redirect for good")

        methods = {"get": get_, "post": lambda handler: handler.redirect("/done")}
        self.go((r"/", type("MainHandler", (tornado.web.RequestHandler,), methods)))
        answer = self.ask(get("/"))
        self.assertEqual((answer.code, answer.reason), (301, "Moved Permanently"))
        self.assertEqual(answer.headers["Location"], "/some-canonical-page")
        answer = self.ask(ask_for("POST", "/"))
        self.assertEqual((answer.code, answer.reason), (302, "Found"))
        self.assertEqual(answer.headers["Location"], "/done")

    def test_redirect_handler(self) -> None:
        handler = tornado.web.RedirectHandler
        self.go((r"/a", handler, {"url": "/b"}), (r"/foo", handler, {"url": "/bar", "permanent": False}))
        self.assert_redirects("/a", 301, "/b")
        self.assert_redirects("/foo", 302, "/bar")

    @covers("redirect a download")
    def test_redirect_handler_under_wsgi(self) -> None:
        self.run_text(
            "class ContentHandler(tornado.web.RequestHandler):\n"
            "    def get(self, name): self.write('page ' + name)\n"
        )
        self.run_example("redirect a download")
        self.serve_wsgi(self.names["application"])
        location = "http://github.com/downloads/facebook/tornado/tornado-0.2.tar.gz"
        self.assert_redirects("/static/tornado-0.2.tar.gz", 301, location)
        self.assertEqual(self.text("/documentation"), "page documentation")

    @covers("redirect for now")
    def test_redirect_for_now_under_wsgi(self) -> None:
        self.run_example("redirect for now")
        self.serve_wsgi(self.names["application"])
        self.assert_redirects("/foo", 302, "/bar")


# ---- templates ----

example(
    "template.html",
    """
<html>
   <head>
      <title>{{ title }}</title>
   </head>
   <body>
     <ul>
       {% for item in items %}
         <li>{{ escape(item) }}</li>
       {% end %}
     </ul>
   </body>
 </html>
""",
)
example(
    "render a template",
    """
class MainHandler(tornado.web.RequestHandler):
    def get(self):
        items = ["Item 1", "Item 2", "Item 3"]
        self.render("template.html", title="My title", items=items)
""",
)


class TemplateTest(OverviewCase):
    """Templates."""

    def render(self, text: str, /, **values: Any) -> str:
        """Return what a handler renders from the template *text*."""
        self.put("page.html", text)
        self.names["values"] = values
        settings = self.names.get("settings", {})
        self.run_text(
            "class MainHandler(tornado.web.RequestHandler):\n"
            "    def get(self): self.render('page.html', **values)\n"
        )
        tornado.web.RequestHandler._template_loaders.clear()
        self.go((r"/", self.names["MainHandler"], {}), **settings)
        return self.text("/")

    @covers("template.html", "render a template")
    def test_render(self) -> None:
        """``{{ escape(item) }}`` prints "Item 1" escaped once: what is escaped is marked and left alone."""
        self.put("template.html", EXAMPLES["template.html"])
        self.run_example("render a template")
        self.go_with()
        page = self.text("/")
        self.assertIn("<title>My title</title>", page)
        items = re.findall("<li>(.*)</li>", page)
        self.assertEqual(items, ["Item 1", "Item 2", "Item 3"])

    def test_escape_in_the_example_escapes_once(self) -> None:
        page = self.render(EXAMPLES["template.html"], title="a < b", items=["<b>&"])
        self.assertIn("<title>a &lt; b</title>", page)
        self.assertIn("<li>&lt;b&gt;&amp;</li>", page)

    def test_control_statements(self) -> None:
        rows = [
            ("{% if len(items) > 2 %}many{% end %}", "many"),
            ("{{ items[0] }}", "a"),
            ("{% for item in items %}{{ item }}{% end %}", "abc"),
            ("{% while items %}{{ items.pop() }}{% end %}", "cba"),
            ("{% try %}{{ items[9] }}{% except IndexError %}none{% end %}", "none"),
            ("{{ ', '.join(sorted(items, reverse=True)) }}", "c, b, a"),
        ]
        for text, wanted in rows:
            with self.subTest(text):
                self.assertEqual(self.render(text, items=["a", "b", "c"]), wanted)

    def test_inheritance(self) -> None:
        self.put("base.html", "<title>{% block title %}Default{% end %}</title>{% block body %}{% end %}")
        child = '{% extends "base.html" %}{% block body %}text{% end %}'
        self.assertEqual(self.render(child), "<title>Default</title>text")

    def test_namespace(self) -> None:
        """Modules are reached by ``{% module %}``, not by their names alone; methods are."""
        self.put("static/x.png", "x")
        modules = types.ModuleType("uimodules")
        modules.Shout = type(  # type: ignore[attr-defined]
            "Shout", (tornado.web.UIModule,), {"render": lambda module, text: text.upper()}
        )
        self.names["settings"] = {
            "static_path": str(self.folder / "static"),
            "ui_methods": {"who": lambda handler: type(handler).__name__},
            "ui_modules": modules,
        }
        rows = [
            ("{% raw escape('<') %}", "&lt;"),
            ("{% raw xhtml_escape('<') %}", "&lt;"),
            ("{{ url_escape('a b') }}", "a+b"),
            ("{% raw json_encode([1, 'a']) %}", '[1, "a"]'),
            ("{{ squeeze('  a \\n b ') }}", "a b"),
            ("{% raw linkify('http://a.b/') %}", '<a href="http://a.b/">http://a.b/</a>'),
            ("{{ datetime.date(2011, 9, 1) }}", "2011-09-01"),
            ("{{ type(handler).__name__ }}", "MainHandler"),
            ("{{ request is handler.request }}", "True"),
            ("{{ current_user is handler.current_user }}", "True"),
            ("{{ locale is handler.locale }}", "True"),
            ("{{ _ == handler.locale.translate }}", "True"),
            ("{{ static_url('x.png') == handler.static_url('x.png') }}", "True"),
            ("{{ xsrf_form_html == handler.xsrf_form_html }}", "True"),
            ("{{ reverse_url == handler.reverse_url }}", "True"),
            ("{{ who() }}", "MainHandler"),
            ("{% module Shout('a') %}", "A"),
            ("{{ own }}", "mine"),
        ]
        for text, wanted in rows:
            with self.subTest(text):
                self.assertEqual(self.render(text, own="mine"), wanted)

    def test_namespace_outside_of_a_handler(self) -> None:
        template = tornado.template.Template("{{ escape('<') }}{{ 'handler' in globals() }}")
        self.assertEqual(template.generate(), b"&lt;False")
        with self.assertRaises(NameError):
            tornado.template.Template("{{ handler }}").generate()

    def test_random_errors(self) -> None:
        self.render("")
        self.put("page.html", "{{ 1 / 0 }}")
        tornado.web.RequestHandler._template_loaders.clear()
        self.refused(500, get("/"), "ZeroDivisionError")

    def test_everything_is_escaped_by_default(self) -> None:
        self.assertEqual(self.render("{{ x }}", x='<&>"'), "&lt;&amp;&gt;&quot;")

    def test_escaping_can_be_changed(self) -> None:
        """``TemplateLoader`` in the text stands for `tornado.template.Loader` and its like."""
        rows: list[tuple[dict[str, Any], str, str]] = [
            ({"autoescape": None}, "{{ x }}", "<a b>"),
            ({"autoescape": "url_escape"}, "{{ x }}", "%3Ca+b%3E"),
            ({}, "{% autoescape None %}{{ x }}", "<a b>"),
            ({}, "{% autoescape url_escape %}{{ x }}", "%3Ca+b%3E"),
            ({"autoescape": None}, "{% autoescape xhtml_escape %}{{ x }}", "&lt;a b&gt;"),
            ({}, "{% raw x %}{{ x }}", "<a b>&lt;a b&gt;"),
            ({}, "{% raw url_escape(x) %}", "%3Ca+b%3E"),
        ]
        for settings, text, wanted in rows:
            with self.subTest(text, **settings):
                self.names["settings"] = settings
                self.assertEqual(self.render(text, x="<a b>"), wanted)
        for autoescape, wanted in [(None, "<a b>"), ("url_escape", "%3Ca+b%3E")]:
            loader = tornado.template.DictLoader({"x.html": "{{ x }}"}, autoescape=autoescape)
            self.assertEqual(loader.load("x.html").generate(x="<a b>").decode(), wanted)


# ---- cookies and secure cookies ----

example(
    "a cookie",
    """
class MainHandler(tornado.web.RequestHandler):
    def get(self):
        if not self.get_cookie("mycookie"):
            self.set_cookie("mycookie", "myvalue")
            self.write("Your cookie was not set yet!")
        else:
            self.write("Your cookie was set!")
""",
)
example(
    "the cookie secret",
    """
application = tornado.web.Application([
    (r"/", MainHandler),
], cookie_secret="61oETzKXQAGaYdkL5gEmGeJJFuYh7EQnp2XdTP1o/Vo=")
""",
)
example(
    "a secure cookie",
    """
class MainHandler(tornado.web.RequestHandler):
    def get(self):
        if not self.get_secure_cookie("mycookie"):
            self.set_secure_cookie("mycookie", "myvalue")
            self.write("Your cookie was not set yet!")
        else:
            self.write("Your cookie was set!")
""",
)


class CookieTest(OverviewCase):
    """Cookies and secure cookies."""

    NOT_YET = b"Your cookie was not set yet!"
    SET = b"Your cookie was set!"

    @covers("a cookie")
    def test_cookie(self) -> None:
        self.run_example("a cookie")
        self.go_with()
        visitor = Visitor(self)
        self.assertEqual(visitor.ask("GET", "/").body, self.NOT_YET)
        self.assertEqual(visitor.cookies, {"mycookie": "myvalue"})
        self.assertEqual(visitor.ask("GET", "/").body, self.SET)

    @covers("the cookie secret", "a secure cookie")
    def test_secure_cookie(self) -> None:
        self.run_example("a secure cookie")
        self.run_example("the cookie secret")
        self.go()
        visitor = Visitor(self)
        self.assertEqual(visitor.ask("GET", "/").body, self.NOT_YET)
        signed = visitor.cookies["mycookie"]
        value, timestamp = "bXl2YWx1ZQ==", int(time.time())
        self.assertIn(value, signed)
        stamps = [int(number) for number in re.findall(r"\b[0-9]{10}\b", signed)]
        self.assertTrue(any(abs(stamp - timestamp) < 60 for stamp in stamps), signed)
        self.assertRegex(signed, "[0-9a-f]{64}$", "an HMAC with SHA-256")
        self.assertEqual(visitor.ask("GET", "/").body, self.SET)
        for forged in ("myvalue", signed[:-1] + ("0" if signed[-1] != "0" else "1"), ""):
            visitor.cookies["mycookie"] = forged
            self.assertEqual(visitor.ask("GET", "/").body, self.NOT_YET, forged)

    def test_old_cookies_are_none(self) -> None:
        secret = "61oETzKXQAGaYdkL5gEmGeJJFuYh7EQnp2XdTP1o/Vo="
        signed = tornado.web.create_signed_value(secret, "mycookie", "myvalue")
        self.assertEqual(tornado.web.decode_signed_value(secret, "mycookie", signed), b"myvalue")
        later = time.time() + 32 * 86400
        with unittest.mock.patch("time.time", lambda: later):
            self.assertIsNone(tornado.web.decode_signed_value(secret, "mycookie", signed))

    def test_no_secret(self) -> None:
        self.run_example("a secure cookie")
        self.go_with()
        self.refused(500, get("/"), "cookie_secret")


# ---- user authentication ----

example(
    "sign in with a nickname",
    """
class BaseHandler(tornado.web.RequestHandler):
    def get_current_user(self):
        return self.get_secure_cookie("user")

class MainHandler(BaseHandler):
    def get(self):
        if not self.current_user:
            self.redirect("/login")
            return
        name = tornado.escape.xhtml_escape(self.current_user)
        self.write("Hello, " + name)

class LoginHandler(BaseHandler):
    def get(self):
        self.write('<html><body><form action="/login" method="post">'
                   'Name: <input type="text" name="name">'
                   '<input type="submit" value="Sign in">'
                   '</form></body></html>')

    def post(self):
        self.set_secure_cookie("user", self.get_argument("name"))
        self.redirect("/")

application = tornado.web.Application([
    (r"/", MainHandler),
    (r"/login", LoginHandler),
], cookie_secret="61oETzKXQAGaYdkL5gEmGeJJFuYh7EQnp2XdTP1o/Vo=")
""",
)
example(
    "require a user",
    """
class MainHandler(BaseHandler):
    @tornado.web.authenticated
    def get(self):
        name = tornado.escape.xhtml_escape(self.current_user)
        self.write("Hello, " + name)

settings = {
    "cookie_secret": "61oETzKXQAGaYdkL5gEmGeJJFuYh7EQnp2XdTP1o/Vo=",
    "login_url": "/login",
}
application = tornado.web.Application([
    (r"/", MainHandler),
    (r"/login", LoginHandler),
], **settings)
""",
)


class AuthenticationTest(OverviewCase):
    """User authentication."""

    def test_nobody(self) -> None:
        self.put("page.html", "{{ current_user }}")
        self.run_text(
            "class MainHandler(tornado.web.RequestHandler):\n"
            "    def get(self): self.write(repr(self.current_user)); self.render('page.html')\n"
        )
        self.go_with()
        self.assertEqual(self.text("/"), "NoneNone")

    def assert_signs_in(self, first: str) -> None:
        visitor = Visitor(self)
        answer = visitor.ask("GET", "/")
        self.assertEqual((answer.code, answer.headers["Location"]), (302, first))
        self.assertIn('<form action="/login" method="post">', visitor.text(first))
        answer = visitor.ask("POST", "/login", name="Tom & Jerry")
        self.assertEqual((answer.code, answer.headers["Location"]), (302, "/"))
        self.assertEqual(visitor.text("/"), "Hello, Tom &amp; Jerry")
        visitor.cookies["user"] += "0"
        self.assertEqual(visitor.ask("GET", "/").headers["Location"], first)

    @covers("sign in with a nickname")
    def test_nickname(self) -> None:
        """The signed value is bytes, which xhtml_escape makes text; adding it to text would fail."""
        self.run_example("sign in with a nickname")
        self.go()
        self.assert_signs_in("/login")

    @covers("require a user")
    def test_authenticated(self) -> None:
        self.run_example("sign in with a nickname")
        self.run_example("require a user")
        self.go()
        self.assert_signs_in("/login?next=%2F")

    def test_authenticated_post(self) -> None:
        self.run_text(
            "class MainHandler(tornado.web.RequestHandler):\n"
            "    @tornado.web.authenticated\n"
            "    def post(self): self.write('posted')\n"
        )
        self.go_with(login_url="/login")
        self.refused(403, ask_for("POST", "/"))


# ---- cross-site request forgery protection ----

example(
    "xsrf_cookies",
    """
settings = {
    "cookie_secret": "61oETzKXQAGaYdkL5gEmGeJJFuYh7EQnp2XdTP1o/Vo=",
    "login_url": "/login",
    "xsrf_cookies": True,
}
application = tornado.web.Application([
    (r"/", MainHandler),
    (r"/login", LoginHandler),
], **settings)
""",
)
example(
    "a form with a token",
    """
<form action="/new_message" method="post">
  {{ xsrf_form_html() }}
  <input type="text" name="message"/>
  <input type="submit" value="Post"/>
</form>
""",
)
example(
    "postJSON",
    r"""
    function getCookie(name) {
        var r = document.cookie.match("\\b" + name + "=([^;]*)\\b");
        return r ? r[1] : undefined;
    }

    jQuery.postJSON = function(url, args, callback) {
        args._xsrf = getCookie("_xsrf");
        $.ajax({url: url, data: $.param(args), dataType: "text", type: "POST",
	        success: function(response) {
            callback(eval("(" + response + ")"));
        }});
    };
""",  # noqa: E101
)

FORM_PROGRAM = """
import sys
import tornado.ioloop
import tornado.web

class MainHandler(tornado.web.RequestHandler):
    def get(self):
        self.render("page.html")

class MessageHandler(tornado.web.RequestHandler):
    def post(self):
        self.write({"text": self.get_argument("text")})

application = tornado.web.Application([
    (r"/", MainHandler),
    (r"/message", MessageHandler),
], xsrf_cookies=True)

if __name__ == "__main__":
    application.listen(int(sys.argv[1]))
    tornado.ioloop.IOLoop.instance().start()
"""

#: What the function needs of jQuery.
JQUERY = """
var jQuery = {
    param: function(values) { return new URLSearchParams(values).toString(); },
    ajax: function(what) {
        var request = new XMLHttpRequest();
        request.onload = function() { what.success(request.responseText); };
        request.open(what.type, what.url);
        request.setRequestHeader("Content-Type", "application/x-www-form-urlencoded");
        request.send(what.data);
    }
};
var $ = jQuery;
"""


class XSRFTest(OverviewCase):
    """Cross-site request forgery protection."""

    def begin(self) -> Visitor:
        """Serve the example, with its main page a form; return a visitor who has seen it."""
        self.run_example("sign in with a nickname")
        self.put("page.html", EXAMPLES["a form with a token"])
        self.run_text(
            "class MainHandler(tornado.web.RequestHandler):\n"
            "    def get(self): self.render('page.html')\n"
            "    def put(self): self.write('did')\n"
            "    post = delete = put\n"
        )
        self.run_example("xsrf_cookies")
        self.go()
        visitor = Visitor(self)
        self.page = visitor.text("/")
        return visitor

    def forbidden(self, request: bytes, why: str = "_xsrf' argument missing") -> None:
        self.refused(403, request, why)

    @covers("xsrf_cookies", "a form with a token")
    def test_form(self) -> None:
        """``{{ xsrf_form_html() }}`` prints the field itself: it is marked as HTML, and not escaped."""
        visitor = self.begin()
        match = re.search(r'<input type="hidden" name="_xsrf" value="([^"]+)"/>', self.page)
        assert match
        for method in ("POST", "PUT", "DELETE"):
            with self.subTest(method):
                self.forbidden(visitor.request(method, "/"))
                self.forbidden(visitor.request(method, "/", "X-XSRFToken: wrong"), "does not match")
                header = f"X-XSRFToken: {match[1]}"
                self.assertEqual(visitor.ask(method, "/", header).body, b"did")
        for method in ("POST", "PUT"):  # those whose forms are read
            with self.subTest(f"{method} with a form"):
                self.forbidden(visitor.request(method, "/", _xsrf="wrong"), "does not match")
                self.assertEqual(visitor.ask(method, "/", _xsrf=match[1]).body, b"did")
        self.forbidden(ask_for("POST", "/", body=f"_xsrf={match[1]}".encode()), "cookie missing")

    def test_the_cookie_comes_with_the_first_form(self) -> None:
        """Not "for all users": only who is shown a form needs one."""
        visitor = self.begin()
        self.assertIn("_xsrf", visitor.cookies)
        self.assertNotIn("Set-Cookie", self.ask(get("/login")).headers)

    def test_forms_have_to_be_instrumented(self) -> None:
        visitor = self.begin()
        self.forbidden(visitor.request("POST", "/login", name="Tom"))
        answer = visitor.ask("POST", "/login", name="Tom", _xsrf=visitor.cookies["_xsrf"])
        self.assertEqual(answer.code, 302)

    def test_check_comes_before_prepare(self) -> None:
        self.run_text(
            "class MainHandler(tornado.web.RequestHandler):\n    def prepare(self): self.finish('prepared')\n"
        )
        self.go_with(xsrf_cookies=True)
        self.assertEqual(self.text("/"), "prepared")
        self.forbidden(ask_for("POST", "/"))

    def test_check_can_be_overridden(self) -> None:
        self.run_text(
            "class MainHandler(tornado.web.RequestHandler):\n"
            "    def post(self): self.write('did')\n"
            "    def check_xsrf_cookie(self): pass\n"
        )
        self.go_with(xsrf_cookies=True)
        self.assertEqual(self.ask(ask_for("POST", "/")).body, b"did")

    @covers("postJSON")
    def test_javascript(self) -> None:
        self.put("main.py", FORM_PROGRAM)
        scripts = f"<script>{JQUERY}{EXAMPLES['postJSON']}</script>"
        self.put("page.html", "{{ xsrf_form_html() }}" + scripts.replace("{{", "{{!"))
        port = free_port()
        command = f"exec {shlex.quote(sys.executable)} main.py {port}"
        with Program(command, self.folder, PYTHONPATH=str(ROOT)) as program, browser_page() as page:
            program.wait_for_port(port)
            page.goto(f"http://localhost:{port}/")
            post = "new Promise(done => jQuery.postJSON('/message', {text: 'a & b'}, done))"
            self.assertEqual(page.evaluate(post), {"text": "a & b"})


# ---- static files and aggressive file caching ----

example(
    "static_path",
    r"""
settings = {
    "static_path": os.path.join(os.path.dirname(__file__), "static"),
    "cookie_secret": "61oETzKXQAGaYdkL5gEmGeJJFuYh7EQnp2XdTP1o/Vo=",
    "login_url": "/login",
    "xsrf_cookies": True,
}
application = tornado.web.Application([
    (r"/", MainHandler),
    (r"/login", LoginHandler),
    (r"/(apple-touch-icon\.png)", tornado.web.StaticFileHandler, dict(path=settings['static_path'])),
], **settings)
""",
)
example(
    "a page with a logo",
    """
<html>
   <head>
      <title>FriendFeed - {{ _("Home") }}</title>
   </head>
   <body>
     <div><img src="{{ static_url("images/logo.png") }}"/></div>
   </body>
 </html>
""",
)
example(
    "nginx serves static files",
    """
location /static/ {
    root /var/friendfeed/static;
    if ($query_string) {
        expires max;
    }
 }
""",
)


class StaticTest(OverviewCase):
    """Static files and aggressive file caching."""

    def begin(self) -> None:
        for name in ("foo.png", "robots.txt", "favicon.ico", "apple-touch-icon.png", "sitemap.xml"):
            self.put(f"static/{name}", f"this is {name}")
        self.put("static/images/logo.png", "logo")
        self.put("home.html", EXAMPLES["a page with a logo"])
        self.run_text(
            "class MainHandler(tornado.web.RequestHandler):\n"
            "    def get(self): self.render('home.html')\n"
            "class LoginHandler(tornado.web.RequestHandler): pass\n"
        )
        self.run_example("static_path")
        self.go()

    @covers("static_path")
    def test_static_path(self) -> None:
        self.begin()
        for target in ("/static/foo.png", "/robots.txt", "/favicon.ico", "/apple-touch-icon.png"):
            self.assertEqual(self.text(target), f"this is {target.rpartition('/')[2]}")
        self.assertEqual(self.ask(get("/static/foo.png")).headers["Content-Type"], "image/png")
        for target in ("/sitemap.xml", "/foo.png", "/static/none.png"):
            self.refused(404, get(target))

    @covers("a page with a logo")
    def test_static_url(self) -> None:
        self.begin()
        page = self.text("/")
        self.assertIn("<title>FriendFeed - Home</title>", page)
        match = re.search(r'<img src="(/static/images/logo\.png\?v=[0-9a-f]{5})"/>', page)
        assert match
        answer = self.ask(get(match[1]))
        self.assertEqual(answer.body, b"logo")
        seconds = int(answer.headers["Cache-Control"].removeprefix("max-age="))
        self.assertGreaterEqual(seconds, 365 * 86400)
        self.assertIn("Expires", answer.headers)

    def test_without_a_version(self) -> None:
        self.begin()
        answer = self.ask(get("/static/images/logo.png"))
        self.assertNotIn("Expires", answer.headers)
        for field in (
            "If-None-Match: " + answer.headers["Etag"],
            "If-Modified-Since: " + answer.headers["Last-Modified"],
        ):
            self.assertEqual(self.ask(get("/static/images/logo.png", field)).code, 304)

    def test_a_new_file_has_a_new_version(self) -> None:
        self.begin()
        old = self.text("/")
        self.assertEqual(self.text("/"), old)
        self.put("static/images/logo.png", "a new logo")
        tornado.web.StaticFileHandler.reset()  # as a restart does
        self.assertNotEqual(self.text("/"), old)

    def test_the_version_is_that_of_the_content(self) -> None:
        self.begin()
        old = self.text("/")
        os.utime(self.put("static/images/logo.png", "logo"), (1, 1))
        tornado.web.StaticFileHandler.reset()
        self.assertEqual(self.text("/"), old)


# ---- localization ----

example(
    "translate",
    """
_("Translate this string")
""",
)
example(
    "translate a plural",
    """
_("A person liked this", "%(num)d people liked this", len(people)) % {"num": len(people)}
""",
)
example(
    "a localized template",
    """
<html>
   <head>
      <title>FriendFeed - {{ _("Sign in") }}</title>
   </head>
   <body>
     <form action="{{ request.path }}" method="post">
       <div>{{ _("Username") }} <input type="text" name="username"/></div>
       <div>{{ _("Password") }} <input type="password" name="password"/></div>
       <div><input type="submit" value="{{ _("Sign in") }}"/></div>
       {{ xsrf_form_html() }}
     </form>
   </body>
 </html>
""",
)
example(
    "get_user_locale",
    """
class BaseHandler(tornado.web.RequestHandler):
    def get_current_user(self):
        user_id = self.get_secure_cookie("user")
        if not user_id: return None
        return self.backend.get_user_by_id(user_id)

    def get_user_locale(self):
        if "locale" not in self.current_user.prefs:
            # Use the Accept-Language header
            return None
        return self.current_user.prefs["locale"]
""",
)
example(
    "load translations",
    """
def main():
    tornado.locale.load_translations(
        os.path.join(os.path.dirname(__file__), "translations"))
    start_server()
""",
)

ES = """\
"Sign in","Entrar"
"Username","Usuario"
"Translate this string","Traduce esto"
"A person liked this","A una persona le gusta","singular"
"%(num)d people liked this","Les gusta a %(num)d personas","plural"
"""


class LocalizationTest(OverviewCase):
    """Localization."""

    def setUp(self) -> None:
        super().setUp()
        empty = self.folder / "empty"
        empty.mkdir()
        self.addCleanup(tornado.locale.load_translations, str(empty))
        self.put("translations/es.csv", ES)
        self.put("translations/fr_CA.csv", '"Sign in","Se connecter"\n')
        self.put("translations/es_GT.csv", '"Sign in","Entrar pues"\n')
        self.put("page.html", "{{ locale.code }}")
        self.run_text(
            "class MainHandler(tornado.web.RequestHandler):\n    def get(self): self.render('page.html')\n"
        )

    def load(self) -> None:
        started: list[bool] = []
        self.run_example("load translations", start_server=lambda: started.append(True))
        self.names["main"]()
        self.assertEqual(started, [True])

    @covers("load translations")
    def test_load_translations(self) -> None:
        """The names may be those of a language alone, ``es``, or not in LOCALE_NAMES, ``es_GT``."""
        self.load()
        supported = tornado.locale.get_supported_locales()
        self.assertEqual(set(supported), {"en_US", "es", "es_GT", "fr_CA"})

    def test_closest_match(self) -> None:
        self.folder.joinpath("translations/es_GT.csv").unlink()
        self.load()
        self.go_with()
        rows = [
            ("es-GT", "es"),
            ("fr-CA,es;q=0.5", "fr_CA"),
            ("de,es;q=0.5", "es"),
            ("de", "en_US"),
            ("", "en_US"),
        ]
        for accepted, code in rows:
            with self.subTest(accepted):
                self.assertEqual(self.text("/", f"Accept-Language: {accepted}"), code)
        self.assertEqual(self.text("/"), "en_US")

    def test_name(self) -> None:
        """What the text calls ``locale.name``, en_US, is ``locale.code``; the name is for people."""
        chosen = tornado.locale.get("en_US")
        self.assertEqual((chosen.code, chosen.name), ("en_US", "English (US)"))

    @covers("translate", "translate a plural")
    def test_translate(self) -> None:
        self.load()
        for people, english, spanish in [
            (["Tom"], "A person liked this", "A una persona le gusta"),
            (["Tom", "Jerry"], "2 people liked this", "Les gusta a 2 personas"),
            ([], "0 people liked this", "Les gusta a 0 personas"),
        ]:
            for code, wanted in [("en_US", english), ("es", spanish)]:
                names = {"_": tornado.locale.get(code).translate, "people": people}
                self.assertEqual(eval(EXAMPLES["translate a plural"], names), wanted)
        for code, wanted in [("en_US", "Translate this string"), ("es", "Traduce esto")]:
            names = {"_": tornado.locale.get(code).translate}
            self.assertEqual(eval(EXAMPLES["translate"], names), wanted)
            self.put("page.html", "{{ " + EXAMPLES["translate"] + " }}|{{ locale.translate('Sign in') }}")
        self.go_with()
        self.assertEqual(self.text("/", "Accept-Language: es"), "Traduce esto|Entrar")
        self.assertEqual(self.text("/"), "Translate this string|Sign in")

    @covers("a localized template")
    def test_localized_template(self) -> None:
        self.load()
        self.put("page.html", EXAMPLES["a localized template"])
        self.go_with()
        page = self.text("/", "Accept-Language: es")
        self.assertIn("<title>FriendFeed - Entrar</title>", page)
        self.assertIn('<form action="/" method="post">', page)
        self.assertIn('<div>Usuario <input type="text" name="username"/></div>', page)
        self.assertIn('<div>Password <input type="password" name="password"/></div>', page)
        self.assertIn('<input type="submit" value="Entrar"/>', page)
        self.assertIn('<input type="hidden" name="_xsrf" value="', page)

    @covers("get_user_locale")
    def test_get_user_locale(self) -> None:
        """The preference is a code such as "es": get_user_locale may return that, or a Locale."""
        self.load()
        users = {b"1": ObjectDict(prefs={"locale": "es"}), b"2": ObjectDict(prefs={})}
        self.run_example("get_user_locale")
        self.names["BaseHandler"].backend = ObjectDict(get_user_by_id=users.get)
        self.run_text(
            "class MainHandler(BaseHandler):\n"
            "    def get(self): self.render('page.html')\n"
            "    def post(self): self.set_secure_cookie('user', self.get_argument('id'))\n"
        )
        self.go_with(cookie_secret="61oETzKXQAGaYdkL5gEmGeJJFuYh7EQnp2XdTP1o/Vo=")
        for user, code in [("1", "es"), ("2", "fr_CA")]:
            visitor = Visitor(self)
            visitor.ask("POST", "/", id=user)
            self.assertEqual(visitor.ask("GET", "/", "Accept-Language: fr-CA").body.decode(), code)


# ---- UI modules ----

example(
    "uimodules.py",
    """
class Entry(tornado.web.UIModule):
    def render(self, entry, show_comments=False):
        return self.render_string(
            "module-entry.html", entry=entry, show_comments=show_comments)
""",
)
example(
    "ui_modules",
    """
class HomeHandler(tornado.web.RequestHandler):
    def get(self):
        entries = self.db.query("SELECT * FROM entries ORDER BY date DESC")
        self.render("home.html", entries=entries)

class EntryHandler(tornado.web.RequestHandler):
    def get(self, entry_id):
        entry = self.db.get("SELECT * FROM entries WHERE id = %s", entry_id)
        if not entry: raise tornado.web.HTTPError(404)
        self.render("entry.html", entry=entry)

settings = {
    "ui_modules": uimodules,
}
application = tornado.web.Application([
    (r"/", HomeHandler),
    (r"/entry/([0-9]+)", EntryHandler),
], **settings)
""",
)
example(
    "home.html",
    """
{% for entry in entries %}
  {% module Entry(entry) %}
{% end %}
""",
)
example(
    "entry.html",
    """
{% module Entry(entry, show_comments=True) %}
""",
)
example(
    "Entry with CSS",
    """
class Entry(tornado.web.UIModule):
    def embedded_css(self):
        return ".entry { margin-bottom: 1em; }"

    def render(self, entry, show_comments=False):
        return self.render_string(
            "module-entry.html", show_comments=show_comments)
""",
)
example(
    "set_resources",
    """
{{ set_resources(embedded_css=".entry { margin-bottom: 1em; }") }}
<!-- more template html... -->
""",
)
example(
    "the Template module",
    """
{% module Template("module-entry.html", show_comments=True) %}
""",
)

MODULE_ENTRY = """\
<div class="entry">{{ entry.title }}</div>
{% if show_comments %}<p>{{ entry.comments }} comments</p>{% end %}
"""


class FakeDatabase:
    """The two queries of the example, without a database; the real one comes with its own issue."""

    ENTRIES = {"1": ObjectDict(title="First & last", comments=2), "2": ObjectDict(title="Second", comments=0)}

    def query(self, query: str) -> list[Any]:
        """Return all entries."""
        if query != "SELECT * FROM entries ORDER BY date DESC":
            raise ValueError(query)
        return list(self.ENTRIES.values())

    def get(self, query: str, entry_id: str) -> Any:
        """Return one."""
        if query != "SELECT * FROM entries WHERE id = %s":
            raise ValueError(query)
        return self.ENTRIES.get(entry_id)


class UIModuleTest(OverviewCase):
    """UI modules."""

    def begin(self, *titles: str) -> None:
        """Serve the example, whose uimodules.py has the examples *titles*."""
        uimodules = types.ModuleType("uimodules")
        vars(uimodules)["tornado"] = tornado
        for title in titles:
            exec(compile(EXAMPLES[title], str(self.folder / "uimodules.py"), "exec"), vars(uimodules))
        self.run_example("ui_modules", uimodules=uimodules)
        for handler in ("HomeHandler", "EntryHandler"):
            self.names[handler].db = FakeDatabase()
        self.go()

    def page(self, name: str, body: str) -> None:
        self.put(name, f"<html><head></head><body>{body}</body></html>")

    @covers("uimodules.py", "ui_modules", "home.html", "entry.html")
    def test_entries(self) -> None:
        self.put("module-entry.html", MODULE_ENTRY)
        self.page("home.html", EXAMPLES["home.html"])
        self.page("entry.html", EXAMPLES["entry.html"])
        self.begin("uimodules.py")
        page = self.text("/")
        titles = re.findall('<div class="entry">(.*)</div>', page)
        self.assertEqual(titles, ["First &amp; last", "Second"])
        self.assertNotIn("comments", page)
        self.assertIn("<p>2 comments</p>", self.text("/entry/1"))
        self.refused(404, get("/entry/3"))

    @covers("Entry with CSS")
    def test_css(self) -> None:
        self.put("module-entry.html", '<div class="entry">{{ show_comments }}</div>')
        self.page("home.html", EXAMPLES["home.html"])
        self.begin("Entry with CSS")
        page = self.text("/")
        head, _, body = page.partition("</head>")
        self.assertEqual(page.count(".entry { margin-bottom: 1em; }"), 1)
        self.assertIn(".entry { margin-bottom: 1em; }", head)
        self.assertEqual(body.count('<div class="entry">False</div>'), 2)

    def test_all_resources(self) -> None:
        for name in ("a.js", "a.css"):
            self.put(f"static/{name}", name)
        self.page("page.html", "{% module Entry() %}text{% module Entry() %}")
        self.run_text(
            "class Entry(tornado.web.UIModule):\n"
            "    def render(self): return '<i></i>'\n"
            "    def embedded_css(self): return '.entry {}'\n"
            "    def embedded_javascript(self): return 'var entry;'\n"
            "    def javascript_files(self): return 'a.js'\n"
            "    def css_files(self): return ['a.css']\n"
            "class MainHandler(tornado.web.RequestHandler):\n"
            "    def get(self): self.render('page.html')\n"
        )
        entry = self.names["Entry"]
        self.go_with(ui_modules={"Entry": entry}, static_path=str(self.folder / "static"))
        page = self.text("/")
        head, _, body = page.partition("</head>")
        before, _, after = body.partition("text")
        self.assertEqual(after.count("</body>"), 1)
        self.assertTrue(after.endswith("</body></html>"))
        for place, pattern in [
            (head, r"\.entry \{\}"),
            (head, r"/static/a\.css\?v=\w{5}"),
            (after, "var entry;"),
            (after, r"/static/a\.js\?v=\w{5}"),
        ]:
            with self.subTest(pattern):
                self.assertEqual(len(re.findall(pattern, place)), 1)
                self.assertEqual(len(re.findall(pattern, page)), 1)
        self.assertIn("<i></i>", before)

    @covers("set_resources", "the Template module")
    def test_template_module(self) -> None:
        seen = "{{ show_comments }} {{ 'secret' in globals() }}"
        self.put("module-entry.html", EXAMPLES["set_resources"] + seen)
        self.page("page.html", EXAMPLES["the Template module"] + EXAMPLES["the Template module"])
        self.run_text(
            "class MainHandler(tornado.web.RequestHandler):\n"
            "    def get(self): self.render('page.html', secret=1)\n"
        )
        self.go_with()
        page = self.text("/")
        head = page.partition("</head>")[0]
        self.assertEqual(page.count(".entry { margin-bottom: 1em; }"), 1)
        self.assertIn(".entry { margin-bottom: 1em; }", head)
        self.assertEqual(page.count("<!-- more template html... -->"), 2)
        self.assertEqual(page.count("True False"), 2, "the names of the page are not the module's")

    def test_set_resources_is_for_modules(self) -> None:
        self.put("part.html", EXAMPLES["set_resources"])
        self.put("page.html", '{% include "part.html" %}')
        self.run_text(
            "class MainHandler(tornado.web.RequestHandler):\n    def get(self): self.render('page.html')\n"
        )
        self.go_with()
        self.refused(500, get("/"), "set_resources")


# ---- non-blocking, asynchronous requests ----

example(
    "an asynchronous hello",
    """
class MainHandler(tornado.web.RequestHandler):
    @tornado.web.asynchronous
    def get(self):
        self.write("Hello, world")
        self.finish()
""",
)
example(
    "fetch from FriendFeed",
    """
class MainHandler(tornado.web.RequestHandler):
    @tornado.web.asynchronous
    def get(self):
        http = tornado.httpclient.AsyncHTTPClient()
        http.fetch("http://friendfeed-api.com/v2/feed/bret",
                   callback=self.on_response)

    def on_response(self, response):
        if response.error: raise tornado.web.HTTPError(500)
        json = tornado.escape.json_decode(response.body)
        self.write("Fetched " + str(len(json["entries"])) + " entries "
                   "from the FriendFeed API")
        self.finish()
""",
)
example(
    "configure the curl client",
    """
AsyncHTTPClient.configure('tornado.curl_httpclient.CurlAsyncHTTPClient')
""",
)
example(
    "sign in with Google",
    """
class GoogleHandler(tornado.web.RequestHandler, tornado.auth.GoogleMixin):
    @tornado.web.asynchronous
    def get(self):
        if self.get_argument("openid.mode", None):
            self.get_authenticated_user(self._on_auth)
            return
        self.authenticate_redirect()

    def _on_auth(self, user):
        if not user:
            self.authenticate_redirect()
            return
        # Save the user with, e.g., set_secure_cookie()
""",
)


class AsynchronousTest(OverviewCase):
    """Non-blocking, asynchronous requests."""

    @covers("an asynchronous hello")
    def test_hello(self) -> None:
        self.run_example("an asynchronous hello")
        self.go_with()
        self.assertEqual(self.text("/"), "Hello, world")

    def test_nothing_comes_before_finish(self) -> None:
        self.run_text(
            "class MainHandler(tornado.web.RequestHandler):\n"
            "    @tornado.web.asynchronous\n"
            "    def get(self):\n"
            "        self.write('Hello')\n"
            "        waiting.append(self)\n"
            "    def on_connection_close(self): waiting.remove(self)\n"
        )
        waiting: list[Any] = self.names.setdefault("waiting", [])
        self.go_with()
        patient, hasty = self.connect(), self.connect()
        patient.send(get("/"))
        self.assertTrue(patient.is_idle())
        hasty.send(get("/"))
        self.settle()
        self.assertEqual(len(waiting), 2)
        hasty.close()
        self.settle()
        (handler,) = waiting
        handler.finish(", world")
        self.assertEqual(patient.read_answer().body, b"Hello, world")


# ---- debug mode and automatic reloading ----

DEBUG_PROGRAM = """
import sys
import tornado.ioloop
import tornado.web

class MainHandler(tornado.web.RequestHandler):
    def get(self):
        self.write("version 1")

if __name__ == "__main__":
    application = tornado.web.Application([(r"/", MainHandler)], debug=True)
    application.listen(int(sys.argv[1]), "127.0.0.1")
    print("up", "version 1", flush=True)
    tornado.ioloop.IOLoop.instance().start()
"""


class DebugTest(OverviewCase):
    """Debug mode and automatic reloading."""

    def test_templates_are_cached_without_debug(self) -> None:
        self.put("page.html", "one")
        self.run_text(
            "class MainHandler(tornado.web.RequestHandler):\n    def get(self): self.render('page.html')\n"
        )
        self.go_with()
        self.text("/")
        self.put("page.html", "the second")
        self.assertEqual(self.text("/"), "one")

    def test_templates_are_not_cached_with_debug(self) -> None:
        self.put("page.html", "one")
        self.run_text(
            "class MainHandler(tornado.web.RequestHandler):\n    def get(self): self.render('page.html')\n"
        )
        with unittest.mock.patch("tornado.autoreload.start"):
            self.go_with(debug=True)
        self.text("/")
        self.put("page.html", "the second")
        self.assertEqual(self.text("/"), "the second")

    def test_reloads(self) -> None:
        main = self.put("main.py", DEBUG_PROGRAM)
        port = free_port()
        command = f"exec {shlex.quote(sys.executable)} main.py {port}"
        with Program(command, self.folder, PYTHONPATH=str(ROOT)) as program:
            program.wait_for("up version 1")
            program.wait_for_port(port)
            main.write_text(DEBUG_PROGRAM.replace("version 1", "version 2"))
            program.wait_for("up version 2")
            program.wait_for_port(port)
            status, output = run(f"curl -s --max-time 10 http://127.0.0.1:{port}/")
            self.assertEqual((status, output), (0, "version 2"), program.output())


# ---- performance; running in production: nginx_test ----

example(
    "measure with ab",
    """
ab -n 100000 -c 25 http://10.0.1.x/
""",
)
example(
    "nginx before four servers",
    """
user nginx;
worker_processes 1;

error_log /var/log/nginx/error.log;
pid /var/run/nginx.pid;

events {
    worker_connections 1024;
    use epoll;
}

http {
    # Enumerate all the Tornado servers here
    upstream frontends {
        server 127.0.0.1:8000;
        server 127.0.0.1:8001;
        server 127.0.0.1:8002;
        server 127.0.0.1:8003;
    }

    include /etc/nginx/mime.types;
    default_type application/octet-stream;

    access_log /var/log/nginx/access.log;

    keepalive_timeout 65;
    proxy_read_timeout 200;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    gzip on;
    gzip_min_length 1000;
    gzip_proxied any;
    gzip_types text/plain text/html text/css text/xml
               application/x-javascript application/xml
               application/atom+xml text/javascript;

    # Only retry if there was a communication error, not a timeout
    # on the Tornado server (to avoid propagating "queries of death"
    # to all frontends)
    proxy_next_upstream error;

    server {
        listen 80;

        # Allow file uploads
        client_max_body_size 50M;

        location ^~ /static/ {
            root /var/www;
            if ($query_string) {
                expires max;
            }
        }
        location = /favicon.ico {
            rewrite (.*) /static/favicon.ico;
        }
        location = /robots.txt {
            rewrite (.*) /static/robots.txt;
        }

        location / {
            proxy_pass_header Server;
            proxy_set_header Host $http_host;
            proxy_redirect false;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Scheme $scheme;
            proxy_pass http://frontends;
        }
    }
}
""",
)


# ---- WSGI and Google AppEngine ----

example(
    "a CGI program",
    """
import tornado.web
import tornado.wsgi
import wsgiref.handlers

class MainHandler(tornado.web.RequestHandler):
    def get(self):
        self.write("Hello, world")

if __name__ == "__main__":
    application = tornado.wsgi.WSGIApplication([
        (r"/", MainHandler),
    ])
    wsgiref.handlers.CGIHandler().run(application)
""",
)


class WSGITest(OverviewCase):
    """WSGI and Google AppEngine."""

    @covers("a CGI program")
    def test_cgi(self) -> None:
        self.put("main.py", EXAMPLES["a CGI program"])
        variables = {
            "PYTHONPATH": str(ROOT),
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
        }
        status, output = run(f"exec {shlex.quote(sys.executable)} main.py", self.folder, **variables)
        head, _, body = output.replace("\r\n", "\n").partition("\n\n")
        self.assertEqual((status, body), (0, "Hello, world"), output)
        self.assertEqual(head.splitlines()[0], "Status: 200 OK")
        self.assertIn("Content-Length: 12", head.splitlines())

    def test_nothing_asynchronous(self) -> None:
        self.run_example("an asynchronous hello")
        asynchronous = self.names["MainHandler"]
        self.run_text(EXAMPLES["a CGI program"])
        handlers = [(r"/", self.names["MainHandler"]), (r"/wait", asynchronous)]
        self.serve_wsgi(tornado.wsgi.WSGIApplication(handlers))
        self.assertEqual(self.text("/"), "Hello, world")
        self.refused(500, get("/wait"), "asynchronous is not supported")


# ---- caveats ----


class CaveatTest(OverviewCase):
    """Caveats and support."""

    def test_multi_line_headers(self) -> None:
        """They are refused politely; 2.0 dropped the connection with a traceback."""
        self.run_example("the main page and the stories")
        self.go()
        answer = self.ask(get("/", "X-Long: one\r\n two"))
        self.assertEqual(answer.code, 400)


if __name__ == "__main__":
    unittest.main()

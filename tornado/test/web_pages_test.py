"""Pages behind a live server: templates, the names they see, UI modules, and the language of a user.

Every test that needs templates has a folder of them of its own; those of the tests about templates beside
the file of a handler are made there too, and the file with the handler is run from there.
"""

import gc
import logging
import pathlib
import tempfile
import types
from collections.abc import Callable
from typing import Any

from tornado import locale
from tornado.template import BaseLoader, DictLoader, Loader
from tornado.test.live import get
from tornado.test.util import ExpectLog
from tornado.test.web_test import WebCase
from tornado.web import RequestHandler, TemplateModule, UIModule, url

GZIPPED = "Accept-Encoding: gzip"

PAGE = "<html><head><title>t</title></head><body>%s</body></html>"


class CleanCase(WebCase):
    """Sees whether requests leave anything that only the garbage collector finds."""

    def assert_clean(self, act: Callable[[], object]) -> None:
        """Do *act* some times, without the collector, which must then find nothing."""
        logging.disable(logging.CRITICAL)  # a record that is kept would keep its traceback alive
        self.addCleanup(logging.disable, logging.NOTSET)
        self.addCleanup(gc.enable)
        for number in range(8):
            if number == 3:
                gc.collect()
                gc.disable()
            act()
            self.settle()
            self._close_clients()
            self.clients.clear()
        self.assertEqual(gc.collect(), 0)

    def assert_no_garbage(self, requests: list[bytes]) -> None:
        """Make *requests*, one after another, on connections of their own."""
        for request in requests:
            with self.subTest(request[:60]):
                self.assert_clean(lambda request=request: self.fetch(request))  # type: ignore[misc]


class PageCase(CleanCase):
    """Has a folder for templates."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())).resolve()
        self.addCleanup(RequestHandler._template_loaders.clear)
        self.settings: dict[str, Any] = {}

    def write(self, name: str, text: str) -> None:
        """Write the template *name*."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def show(self, template: str, *fields: str, act: Any = None, **settings: Any) -> str:
        """Return the page that *template* makes; *act* is called with the handler instead of `render`."""
        self.write("page.html", template)
        RequestHandler._template_loaders.clear()
        answer = self.answer(
            act or (lambda handler: handler.render("page.html")),
            get("/", *fields),
            **{"template_path": str(self.folder), **self.settings, **settings},
        )
        self.assertEqual(answer.code, 200)
        self.assertEqual(answer.headers["Content-Length"], str(len(answer.body)))
        return answer.body.decode()

    def fail_to_show(self, regex: str, template: str, act: Any = None, **settings: Any) -> None:
        """See *template* fail with one record that matches *regex*, of which the error page shows nothing."""
        self.write("page.html", template)
        RequestHandler._template_loaders.clear()
        render = act or (lambda handler: handler.render("page.html"))
        with ExpectLog("tornado.web", regex) as expected:
            answer = self.answer(render, template_path=str(self.folder), **settings)
        self.assertEqual(len(expected.records), 1)
        self.assertEqual(answer.code, 500)
        self.assertNotIn(b"Error", answer.body.replace(b"Internal Server Error", b""))


class RenderTest(PageCase):
    def test_render(self) -> None:
        def act(handler: RequestHandler) -> None:
            handler.render("page.html", name="<Ada>", items=["a", "b"])

        page = self.show("{% for i in items %}{{ i }}{% end %} {{ name }} {% raw name %}", act=act)
        self.assertEqual(page, "ab &lt;Ada&gt; <Ada>")

    def test_render_string(self) -> None:
        def act(handler: RequestHandler) -> None:
            for name in ("one", "two"):
                part = handler.render_string("page.html", name=name)
                self.assertIsInstance(part, bytes)
                handler.write(part)

        self.assertEqual(self.show("\u00e9 {{ name }};", act=act), "\u00e9 one;\u00e9 two;")

    def test_render_finishes(self) -> None:
        def act(handler: RequestHandler) -> None:
            handler.write("before ")
            handler.render("page.html")
            self.noted.append(handler._finished)

        self.assertEqual(self.show("page", act=act), "before page")
        self.assertEqual(self.noted, [True])

    def test_names(self) -> None:
        def act(handler: RequestHandler) -> None:
            handler.current_user = "ada"
            handler.render("page.html", note=self.noted.append)

        names = [
            "handler",
            "request",
            "current_user",
            "locale",
            "_",
            "static_url",
            "xsrf_form_html",
            "reverse_url",
        ]
        names += ["modules", "escape", "xhtml_escape", "url_escape", "json_encode", "squeeze", "linkify"]
        names += ["datetime", "greet"]
        template = "".join(f"{{% set ignored = note(({name!r}, {name})) %}}" for name in names)
        self.show(template, act=act, ui_methods={"greet": lambda handler: "hi"})
        seen = dict(self.noted)
        handler = seen["handler"]
        self.assertIs(seen["request"], handler.request)
        self.assertEqual(seen["current_user"], "ada")
        self.assertIs(seen["locale"], handler.locale)
        self.assertEqual(seen["_"], handler.locale.translate)
        self.assertEqual(seen["static_url"], handler.static_url)
        self.assertEqual(seen["xsrf_form_html"], handler.xsrf_form_html)
        self.assertTrue(callable(seen["reverse_url"]))

    def test_arguments_win(self) -> None:
        def act(handler: RequestHandler) -> None:
            handler.render("page.html", request="mine", _="ours", handler="h", greet="no method", modules="m")

        page = self.show(
            "{{ request }} {{ _ }} {{ handler }} {{ greet }} {{ modules }}",
            act=act,
            ui_methods={"greet": boom},
        )
        self.assertEqual(page, "mine ours h no method m")

    def test_own_namespace(self) -> None:
        class Own(RequestHandler):
            def get_template_namespace(self) -> dict[str, Any]:
                return {**super().get_template_namespace(), "site": "ours"}

            def get(self) -> None:
                self.render("page.html")

        self.write("page.html", "{{ site }} {{ handler.site_of_it }}")
        Own.site_of_it = "theirs"  # type: ignore[attr-defined]
        self.application([("/", Own)], template_path=str(self.folder))
        self.assertEqual(self.fetch().body, b"ours theirs")

    def test_names_are_gone_afterwards(self) -> None:
        def act(handler: RequestHandler) -> None:
            handler.render_string("page.html", name="first")
            handler.render("page.html")

        self.fail_to_show("name 'name' is not defined", "{{ name }}", act=act)

    def test_inheritance_and_folders(self) -> None:
        self.write("base.html", "<{% block a %}default{% end %}>{% include sub/part.html %}")
        self.write("sub/part.html", "part of {{ request.path }}")
        page = self.show('{% extends "base.html" %}{% block a %}own{% end %}')
        self.assertEqual(page, "<own>part of /")

    def test_reverse_url(self) -> None:
        self.write("page.html", "{{ reverse_url('item', 7) }}")

        class Shown(RequestHandler):
            def get(self) -> None:
                self.render("page.html")

        self.application(
            [("/", Shown), url(r"/item/(\d+)", Shown, name="item")], template_path=str(self.folder)
        )
        self.assertEqual(self.fetch().body, b"/item/7")

    def test_failures(self) -> None:
        def missing(handler: RequestHandler) -> None:
            handler.render("nowhere.html")

        def up(handler: RequestHandler) -> None:
            handler.render("../secret.html")

        (self.folder.parent / "secret.html").unlink(missing_ok=True)
        self.fail_to_show("nowhere.html", "", act=missing)
        self.fail_to_show("secret.html", "", act=up)
        self.fail_to_show("ZeroDivisionError", "text {{ 1 / 0 }}")
        self.fail_to_show("ParseError", "{% if %}")
        self.fail_to_show("ParseError", "{{ open")
        self.fail_to_show("NameError|not defined", "{{ no_such_name }}")

    def test_error_page_of_a_template(self) -> None:
        class Own(RequestHandler):
            def get(self) -> None:
                self.write("lost")
                self.render("broken.html")

            def write_error(self, status_code: int, **kwargs: Any) -> None:
                self.render("error.html", code=status_code)

        self.write("broken.html", "half of it {{ 1 / 0 }}")
        self.write("error.html", "sorry: {{ code }}")
        self.application([("/", Own)], template_path=str(self.folder))
        with ExpectLog("tornado.web", "Uncaught exception GET /"):
            answer = self.fetch()
        self.assertEqual((answer.code, answer.body), (500, b"sorry: 500"))


class LoaderTest(PageCase):
    def test_template_loader(self) -> None:
        loader = DictLoader({"page.html": "from a dict {{ 1 + 1 }}"})
        self.assertEqual(self.show("from the disk", template_loader=loader), "from a dict 2")
        self.assertEqual(self.show("", template_loader=loader, template_path=None), "from a dict 2")

    def test_one_loader_for_each_path(self) -> None:
        loaders: list[BaseLoader] = []

        class Own(RequestHandler):
            def create_template_loader(self, template_path: str) -> BaseLoader:
                loaders.append(Loader(template_path))
                return loaders[-1]

            def get_template_path(self) -> str:
                return f"{base}/{self.get_argument('in')}"

            def get(self) -> None:
                self.render("page.html")

        base = self.folder
        self.write("one/page.html", "one")
        self.write("two/page.html", "two")
        self.application([("/", Own)])
        bodies = [self.fetch(get(f"/?in={each}")).body for each in ("one", "two", "one")]
        self.assertEqual(bodies, [b"one", b"two", b"one"])
        self.assertEqual(len(loaders), 2)

    def test_changes_are_seen_in_debug_mode(self) -> None:
        for debug in (False, True):
            with self.subTest(debug=debug):
                self.show("first", debug=debug)
                self.write("page.html", "second")
                self.assertEqual(self.fetch().body, b"second" if debug else b"first")

    def test_autoescape(self) -> None:
        def act(handler: RequestHandler) -> None:
            handler.render("page.html", text="<&>")

        template = "{{ text }}"
        self.assertEqual(self.show(template, act=act), "&lt;&amp;&gt;")
        self.assertEqual(self.show(template, act=act, autoescape="xhtml_escape"), "&lt;&amp;&gt;")
        self.assertEqual(self.show(template, act=act, autoescape=None), "<&>")
        self.assertEqual(self.show(template, act=act, autoescape="url_escape"), "%3C%26%3E")
        self.assertEqual(self.show("{% autoescape None %}" + template, act=act), "<&>")
        self.assertEqual(
            self.show("{% autoescape xhtml_escape %}{{ text }}", act=act, autoescape=None), "&lt;&amp;&gt;"
        )

    def test_own_escape(self) -> None:
        """A UI method, bytes or str."""

        def act(handler: RequestHandler) -> None:
            handler.render("page.html", text="a")

        for method in (lambda handler, value: b"!" + value, lambda handler, value: f"!{value.decode()}"):
            page = self.show("{{ text }}", act=act, autoescape="shout", ui_methods={"shout": method})
            self.assertEqual(page, "!a")

    # -- templates beside the handler --

    def load(self, name: str, source: str) -> types.ModuleType:
        """Run *source* as the file *name* of the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
        module = types.ModuleType("site")
        exec(compile(source, str(path), "exec"), module.__dict__)
        return module

    def test_beside_the_handler(self) -> None:
        self.write("site/page.html", "beside")
        module = self.load("site/handlers.py", RENDERING)
        for template_path in (None, ""):
            self.application([("/", module.Handler)], template_path=template_path)
            self.assertEqual(self.fetch().body, b"beside")

    def test_beside_a_handler_that_waits(self) -> None:
        self.write("site/page.html", "beside")
        module = self.load("site/handlers.py", RENDERING_LATER)
        self.application([("/", module.Handler)])
        self.assertEqual(self.fetch().body, b"beside")

    def test_beside_the_module(self) -> None:
        """The handler's template and the module's, each beside its own file."""
        self.write("site/page.html", "page {% module Box('a') %} {{ modules.Box('b') }}")
        self.write("boxes/box.html", "[{{ text }} {{ request.path }}]")
        handlers = self.load("site/handlers.py", RENDERING)
        boxes = self.load("boxes/boxes.py", BOX)
        self.application([("/", handlers.Handler)], ui_modules={"Box": boxes.Box})
        self.assertEqual(self.fetch().body, b"page [a /] [b /]")

    def test_template_module_beside_the_handler(self) -> None:
        self.write("site/page.html", "page {% module Template('part.html', text='x') %}")
        self.write("site/part.html", "part {{ text }}")
        module = self.load("site/handlers.py", RENDERING)
        self.application([("/", module.Handler)])
        self.assertEqual(self.fetch().body, b"page part x")

    def test_template_module_of_a_folder_beside_the_handler(self) -> None:
        """From a template in a folder below, the path still begins beside the handler, as elsewhere."""
        self.write("site/page.html", "{% include sub/middle.html %}")
        self.write("site/sub/middle.html", "{% module Template('part.html', text='x') %}")
        self.write("site/part.html", "part {{ text }}")
        module = self.load("site/handlers.py", RENDERING)
        self.application([("/", module.Handler)])
        self.assertEqual(self.fetch().body, b"part x")

    def test_method_beside_its_file(self) -> None:
        self.write("site/page.html", "{% raw box('a') %}")
        self.write("methods/box.html", "[{{ text }}]")
        handlers = self.load("site/handlers.py", RENDERING)
        methods = self.load(
            "methods/methods.py",
            "def box(handler, text):\n return handler.render_string('box.html', text=text)",
        )
        self.application([("/", handlers.Handler)], ui_methods=methods)
        self.assertEqual(self.fetch().body, b"[a]")


RENDERING = """
from tornado.web import RequestHandler

class Handler(RequestHandler):
    def get(self):
        self.render("page.html")
"""

RENDERING_LATER = """
from tornado.ioloop import IOLoop
from tornado.web import RequestHandler, asynchronous

class Handler(RequestHandler):
    @asynchronous
    def get(self):
        self.request.connection.stream.io_loop.add_callback(self.async_callback(self.later))

    def later(self):
        self.render("page.html")
"""

BOX = """
from tornado.web import UIModule

class Box(UIModule):
    def render(self, text):
        return self.render_string("box.html", text=text)
"""


def boom(*args: object) -> Any:
    raise ZeroDivisionError("boom")


# -- UI methods and modules --


class Entry(UIModule):
    """Has everything."""

    def render(self, title: str = "t") -> str:
        return f"<p>{title}</p>"

    def embedded_javascript(self) -> str:
        return "start(1 < 2)"

    def javascript_files(self) -> Any:
        return ["/a.js", "http://h/b.js?x=1&y=2"]

    def embedded_css(self) -> str:
        return "p { color: red }"

    def css_files(self) -> Any:
        return "https://h/a.css"

    def html_head(self) -> str:
        return "<meta/>"

    def html_body(self) -> str:
        return "<hr/>"


ENTRY_BODY = (
    '<script src="/a.js" type="text/javascript"></script>'
    '<script src="http://h/b.js?x=1&amp;y=2" type="text/javascript"></script>\n'
    '<script type="text/javascript">\n//<![CDATA[\nstart(1 < 2)\n//]]>\n</script>\n<hr/>'
)
ENTRY_HEAD = (
    '<link href="https://h/a.css" type="text/css" rel="stylesheet"/>\n'
    '<style type="text/css">\np { color: red }\n</style>\n<meta/>'
)


class RegistrationTest(PageCase):
    def shapes(self, **entries: Any) -> list[Any]:
        """Return all forms that the settings take, with *entries*."""
        module = types.ModuleType("entries")
        module.__dict__.update(entries)
        split = [{name: value} for name, value in entries.items()]
        return [entries, module, [entries], (module,), split, [split, module], [{}, [], module]]

    def test_methods(self) -> None:
        def greet(handler: RequestHandler, name: str = "you", *rest: str, **kwargs: str) -> str:
            return f"{handler.request.path} {name} {rest} {kwargs}"

        for shape in self.shapes(greet=greet):
            with self.subTest(type(shape).__name__):
                page = self.show("{% raw greet() %}{% raw greet('a', 'b', c='d') %}", ui_methods=shape)
                self.assertEqual(page, "/ you () {}/ a ('b',) {'c': 'd'}")

    def test_what_is_no_method(self) -> None:
        entries = {"_hidden": boom, "Capital": boom, "number": 1, "shown": boom}
        for shape in self.shapes(**entries):
            application = self.application([], ui_methods=shape)
            self.assertEqual(list(application.ui_methods), ["shown"])

    def test_methods_are_escaped(self) -> None:
        self.assertEqual(self.show("{{ tag() }}", ui_methods={"tag": lambda handler: "<b>"}), "&lt;b&gt;")

    def test_modules(self) -> None:
        class Box(UIModule):
            def render(self, *args: str, **kwargs: str) -> str:
                return f"<b>{args}{kwargs}</b>"

        for shape in self.shapes(Box=Box):
            with self.subTest(type(shape).__name__):
                page = self.show("{% module Box('a', b='c') %}{{ modules.Box() }}", ui_modules=shape)
                self.assertEqual(page, "<b>('a',){'b': 'c'}</b><b>(){}</b>")

    def test_what_is_no_module(self) -> None:
        entries = {
            "no": RequestHandler,
            "nothing": None,
            "instance": object(),
            "function": boom,
            "Entry": Entry,
        }
        for shape in self.shapes(**entries):
            application = self.application([], ui_modules=shape)
            self.assertEqual(
                sorted(application.ui_modules), ["Entry", "Template", "linkify", "xsrf_form_html"]
            )

    def test_other_settings(self) -> None:
        for bad in (1, "name", None):
            for name in ("ui_modules", "ui_methods"):
                with self.subTest(f"{name}={bad!r}"), self.assertRaises(TypeError):
                    self.application([], **{name: bad})

    def test_reached_from_the_handler(self) -> None:
        def act(handler: RequestHandler) -> None:
            handler.write(f"{handler.ui.greet('a')} ")
            handler.write(handler.ui.modules.Entry("b"))

        page = self.show(
            "", act=act, ui_methods={"greet": lambda handler, name: f"hi {name}"}, ui_modules={"Entry": Entry}
        )
        self.assertEqual(page, "hi a <p>b</p>")

    def test_own_in_place_of_a_stock_one(self) -> None:
        class Linkify(UIModule):
            def render(self, text: str) -> str:
                return text.upper()

        self.assertEqual(self.show("{% module linkify('a') %}", ui_modules={"linkify": Linkify}), "A")


class ModuleTest(PageCase):
    def test_what_a_module_has(self) -> None:
        noted = self.noted

        class Box(UIModule):
            def __init__(self, handler: RequestHandler) -> None:
                super().__init__(handler)
                noted.append(self)

            def render(self, text: str) -> bytes:
                noted.append((self.handler, self.request, self.current_user, self.locale))
                return self.render_string("box.html", text=text)

        def act(handler: RequestHandler) -> None:
            handler.current_user = "ada"
            handler.render("page.html")
            noted.append((handler, handler.request, "ada", handler.locale))

        self.write("box.html", "[{{ text }} {{ greet() }}]")
        methods = {"greet": lambda handler: "hi"}
        page = self.show(
            "{% module Box('<') %}{% module Box(2) %}", act=act, ui_modules={"Box": Box}, ui_methods=methods
        )
        self.assertEqual(page, "[&lt; hi][2 hi]")
        module, first, second, wanted = noted  # one instance for both uses
        self.assertIsInstance(module, Box)
        self.assertEqual((first, second), (wanted, wanted))

    def test_one_instance_for_each_request(self) -> None:
        class Counter(UIModule):
            count = 0

            def render(self) -> str:
                self.count += 1
                return str(self.count)

        template = "{% module Counter() %}{% module Counter() %}"
        self.assertEqual(self.show(template, ui_modules={"Counter": Counter}), "12")
        self.assertEqual(self.fetch().body, b"12")

    def test_one_instance_for_several_templates(self) -> None:
        def act(handler: RequestHandler) -> None:
            handler.write(handler.render_string("page.html"))
            handler.render("page.html")

        page = self.show("<body>{% module Entry() %}</body>", act=act, ui_modules={"Entry": Entry})
        self.assertEqual(page.count("start(1 < 2)"), 1)
        self.assertEqual(page.count("<p>t</p>"), 2)

    def test_results(self) -> None:
        for result, wanted in [("\u00e9", "\u00e9"), ("\u00e9".encode(), "\u00e9"), ("", ""), (None, "")]:

            class Box(UIModule):
                def render(self, result: Any = result) -> Any:
                    return result

            with self.subTest(result):
                self.assertEqual(self.show("<{% module Box() %}>", ui_modules={"Box": Box}), f"<{wanted}>")

    def test_module_in_module(self) -> None:
        class Outer(UIModule):
            def render(self) -> Any:
                return self.render_string("outer.html")

            def embedded_css(self) -> str:
                return "outer"

        self.write("outer.html", "({% module Entry('deep') %})")
        page = self.show(PAGE % "{% module Outer() %}", ui_modules={"Outer": Outer, "Entry": Entry})
        self.assertIn("(<p>deep</p>)", page)
        self.assertIn("outer\np { color: red }", page)
        self.assertIn(ENTRY_BODY, page)

    def test_failures(self) -> None:
        class Bad(UIModule):
            def render(self, how: str) -> str:
                return boom() if how == "raise" else "ok"

            def html_head(self) -> str:
                return boom()  # type: ignore[no-any-return]

        for regex, template in [
            ("there is no UI module 'Unknown'.*Bad", "{% module Unknown() %}"),
            ("there is no UI module 'Unknown'", "{{ modules.Unknown() }}"),
            ("there is no UI module '__class_getitem__'", "{{ modules.__class_getitem__ }}"),
            ("ZeroDivisionError: boom", "{% module Bad('raise') %}"),
            ("ZeroDivisionError: boom", "{% module Bad('later') %}"),
            ("TypeError", "{% module Bad() %}"),
            (r"Nothing has to define render\(\)", "{% module Nothing() %}"),
        ]:
            with self.subTest(template):
                nothing = type("Nothing", (UIModule,), {})
                self.fail_to_show(f"(?s){regex}", template, ui_modules={"Bad": Bad, "Nothing": nothing})

    def test_stock_modules(self) -> None:
        page = self.show("{% module linkify('see http://a.example <') %}")
        self.assertEqual(page, 'see <a href="http://a.example">http://a.example</a> &lt;')
        page = self.show("{% module linkify('http://a.example', extra_params='rel=x') %}")
        self.assertEqual(page, '<a href="http://a.example" rel=x>http://a.example</a>')
        field = r'^<input type="hidden" name="_xsrf" value="[0-9a-f]+"/>$'
        for template in (
            "{% module xsrf_form_html() %}",
            "{{ xsrf_form_html() }}",
            "{% raw xsrf_form_html() %}",
        ):
            with self.subTest(template):
                self.assertRegex(self.show(template), field)


class ResourceTest(PageCase):
    settings: dict[str, Any]

    def setUp(self) -> None:
        super().setUp()
        self.settings = {"ui_modules": {"Entry": Entry}}

    def test_places(self) -> None:
        page = self.show(PAGE % "{% module Entry('a') %}{% module Entry('b') %}")
        self.assertEqual(
            page,
            f"<html><head><title>t</title>{ENTRY_HEAD}</head><body><p>a</p><p>b</p>{ENTRY_BODY}</body></html>",
        )

    def test_first_head_and_last_body(self) -> None:
        page = self.show("<head></head><pre></head></body></pre>{% module Entry() %}</body></html>")
        self.assertEqual(
            page, f"<head>{ENTRY_HEAD}</head><pre></head></body></pre><p>t</p>{ENTRY_BODY}</body></html>"
        )

    def test_pages_without_the_place(self) -> None:
        for template, wanted in [
            ("{% module Entry() %}", f"{ENTRY_HEAD}<p>t</p>{ENTRY_BODY}"),
            ("<body>{% module Entry() %}</body>", f"{ENTRY_HEAD}<body><p>t</p>{ENTRY_BODY}</body>"),
            ("<head></head>{% module Entry() %}", f"<head>{ENTRY_HEAD}</head><p>t</p>{ENTRY_BODY}"),
        ]:
            with self.subTest(template):
                self.assertEqual(self.show(template), wanted)

    def test_unused(self) -> None:
        self.assertEqual(self.show(PAGE % ""), PAGE % "")
        self.assertEqual(self.show(PAGE % "{% if False %}{% module Entry() %}{% end %}"), PAGE % "")

    def test_render_string_has_none(self) -> None:
        def act(handler: RequestHandler) -> None:
            handler.write(handler.render_string("page.html"))

        self.assertEqual(self.show(PAGE % "{% module Entry() %}", act=act), PAGE % "<p>t</p>")

    def modules(self, *resources: dict[str, Any]) -> dict[str, Any]:
        """Return modules A, B, ... that have *resources*."""
        modules = {}
        for name, each in zip("ABCD", resources, strict=False):
            methods = {key: (lambda self, value=value: value) for key, value in each.items()}
            modules[name] = type(
                name, (UIModule,), {**methods, "render": lambda self: self.__class__.__name__}
            )
        return modules

    def test_files_once_in_order_of_first_use(self) -> None:
        modules = self.modules(
            {"javascript_files": ["/1.js", "/2.js", "/1.js"], "css_files": "/1.css"},
            {"javascript_files": ["/3.js", "/2.js"], "css_files": ["/2.css", "/1.css"]},
            {"javascript_files": b"/4.js", "css_files": ("/1.css",)},
        )
        page = self.show(
            "{% module B() %}{% module A() %}{% module C() %}{% module B() %}", ui_modules=modules
        )
        script = '<script src="/%s.js" type="text/javascript"></script>'
        style = '<link href="/%s.css" type="text/css" rel="stylesheet"/>'
        scripts, styles = "".join(script % each for each in "3214"), "".join(style % each for each in "21")
        self.assertEqual(page, f"{styles}\nBACB{scripts}\n")

    def test_files_of_the_site(self) -> None:
        (self.folder / "in.js").write_text("x")
        modules = self.modules(
            {"javascript_files": ["in.js", "/out.js", "//cdn/x.js", "http://h/x", "https://h/x"]}
        )
        page = self.show("{% module A() %}", ui_modules=modules, static_path=str(self.folder))
        self.assertIn('src="/static/in.js?v=9dd4e"', page)
        for path in ("/out.js", "//cdn/x.js", "http://h/x", "https://h/x"):
            self.assertIn(f'src="{path}"', page)

    def test_paths_are_escaped(self) -> None:
        page = self.show("{% module A() %}", ui_modules=self.modules({"css_files": '/"><script>&'}))
        self.assertIn('href="/&quot;&gt;&lt;script&gt;&amp;"', page)

    def test_joined(self) -> None:
        modules = self.modules(
            {
                "embedded_javascript": "a()",
                "embedded_css": b"a {}",
                "html_head": "<a/>",
                "html_body": b"<i/>",
            },
            {
                "embedded_javascript": b"b()",
                "embedded_css": "b {}",
                "html_head": b"<b/>",
                "html_body": "<u/>",
            },
            dict.fromkeys(["embedded_javascript", "embedded_css", "html_head", "html_body", "css_files"]),
            dict.fromkeys(["embedded_javascript", "embedded_css", "html_head", "html_body", "css_files"], ""),
        )
        page = self.show(
            "{% module A() %}{% module B() %}{% module C() %}{% module D() %}", ui_modules=modules
        )
        self.assertEqual(
            page,
            '<style type="text/css">\na {}\nb {}\n</style>\n<a/><b/>ABCD'
            '<script type="text/javascript">\n//<![CDATA[\na()\nb()\n//]]>\n</script>\n<i/><u/>',
        )

    def test_nothing_is_read_as_a_pattern(self) -> None:
        modules = self.modules({"html_head": r"\1 \g<0> %s {0}", "html_body": "</body>"})
        page = self.show(PAGE % "{% module A() %}", ui_modules=modules)
        self.assertEqual(
            page,
            r"<html><head><title>t</title>\1 \g<0> %s {0}</head><body>A</body></body></html>",
        )


class TemplateModuleTest(PageCase):
    def test_names(self) -> None:
        self.write("part.html", "[{{ text }} {{ request.path }} {{ greet() }}]")
        template = "{% set text = 'outer' %}{% module Template('part.html', text='<') %}"
        self.assertEqual(self.show(template, ui_methods={"greet": lambda handler: "hi"}), "[&lt; / hi]")

    def test_not_the_names_of_the_page(self) -> None:
        def act(handler: RequestHandler) -> None:
            handler.render("page.html", name="of the page")

        self.write("part.html", "{{ name }}")
        self.fail_to_show("name 'name' is not defined", "{% module Template('part.html') %}", act=act)

    def test_resources(self) -> None:
        resources = """{{ set_resources(embedded_css="p {}", css_files=["/a.css"], javascript_files="/a.js",
            embedded_javascript="go()", html_head="<meta/>", html_body="<hr/>") }}"""
        self.write("part.html", resources + "{{ text }}")
        self.write(
            "other.html", '{{ set_resources(embedded_css="i {}", css_files="/a.css", html_body="<u/>") }}'
        )
        page = self.show(
            PAGE % "{% module Template('part.html', text=1) %}{% module Template('other.html') %}"
            "{% module Template('part.html', text=2) %}"
        )
        self.assertEqual(
            page,
            '<html><head><title>t</title><link href="/a.css" type="text/css" rel="stylesheet"/>\n'
            '<style type="text/css">\np {}\ni {}\n</style>\n<meta/></head><body>12'
            '<script src="/a.js" type="text/javascript"></script>\n'
            '<script type="text/javascript">\n//<![CDATA[\ngo()\n//]]>\n</script>\n<hr/><u/></body></html>',
        )

    def test_unknown_resources(self) -> None:
        self.write("part.html", "{{ set_resources(colour='red') }}part")
        self.assertEqual(self.show("{% module Template('part.html') %}"), "part")

    def test_different_resources(self) -> None:
        self.write("part.html", "{{ set_resources(html_head=text) }}")
        calls = "{% module Template('part.html', text='a') %}{% module Template('part.html', text='b') %}"
        self.fail_to_show("ValueError: set_resources called with different", calls)

    def test_no_set_resources_in_pages(self) -> None:
        self.fail_to_show("set_resources", "{{ set_resources(html_head='') }}")

    def test_nested(self) -> None:
        self.write(
            "outer.html", "({% module Template('inner.html') %}){{ set_resources(html_body='outer') }}"
        )
        self.write("inner.html", "inner{{ set_resources(html_body='deep') }}")
        self.assertIn("<body>(inner)", page := self.show(PAGE % "{% module Template('outer.html') %}"))
        self.assertEqual((page.count("outer"), page.count("deep")), (1, 1))

    def test_subclass(self) -> None:
        class Box(TemplateModule):
            def render(self, text: str) -> bytes:  # type: ignore[override]
                return super().render("part.html", text=text)

        self.write("part.html", "[{{ text }}]{{ set_resources(html_body='once') }}")
        page = self.show("{% module Box('a') %}{% module Box('b') %}", ui_modules={"Box": Box})
        self.assertEqual(page, "[a][b]once")


# -- languages --


class LocaleTest(PageCase):
    TRANSLATIONS = {"es_LA": "hola", "fr_FR": "salut", "pt_BR": "oi", "zh_CN": "nihao"}

    def setUp(self) -> None:
        super().setUp()
        old = {
            name: getattr(locale, name) for name in ("_translations", "_supported_locales", "_default_locale")
        }
        for name, value in old.items():
            self.addCleanup(setattr, locale, name, value)
        caches = [getattr(locale.Locale, name) for name in ("_cache",) if hasattr(locale.Locale, name)]
        for cache in caches:
            self.addCleanup(cache.clear)
        folder = self.folder / "translations"
        folder.mkdir()
        for code, word in self.TRANSLATIONS.items():
            (folder / f"{code}.csv").write_text(f'"hello","{word}"\n', encoding="utf-8")
        locale.load_translations(str(folder))

    def language(self, *fields: str, user: Any = None, default: str | None = None) -> str:
        class Own(RequestHandler):
            def get_user_locale(self) -> Any:
                return user() if callable(user) else user

            def get(self) -> None:
                if default is not None:
                    self.write(self.get_browser_locale(default).code)
                else:
                    self.render("page.html")

        self.write("page.html", "{{ locale.code }} {{ _('hello') }}")
        self.application([("/", Own)], template_path=str(self.folder))
        return self.fetch(get("/", *fields)).body.decode()

    def test_browser(self) -> None:
        for header, wanted in [
            ("fr", "fr_FR salut"),
            ("fr-FR", "fr_FR salut"),
            ("fr-CA", None),
            ("FR-fr", "fr_FR salut"),
            ("fr_FR", None),
            ("xx,fr", "fr_FR salut"),
            ("fr,pt-BR", "fr_FR salut"),
            ("fr;q=0.5,pt-BR;q=0.8", "pt_BR oi"),
            ("fr;q=0.5,pt-BR", "pt_BR oi"),
            ("fr;q=0.5,pt-BR;q=0.5", "fr_FR salut"),
            ("fr; q=0.5, pt-BR; q=0.9", "pt_BR oi"),
            ("fr;q=bad,pt-BR;q=0.1", "pt_BR oi"),
            ("zh-CN , pt-BR", "zh_CN nihao"),
            ("en-US,fr;q=0.9", "en_US hello"),
            ("xx", "en_US hello"),
            ("", "en_US hello"),
            ("*", "en_US hello"),
            (",,;;q=,", "en_US hello"),
            ("fr;q=0.5;q=0.9,pt-BR;q=0.7", None),
            ("\xe9\xff", "en_US hello"),
            ("../../etc/passwd", "en_US hello"),
            ("fr," * 600, "fr_FR salut"),
            ("fr;q=" + "9" * 3000, None),
            ("fr;q=nan,pt-BR;q=0.5", None),
            ("fr;q=inf", None),
        ]:
            with self.subTest(header[:60]):
                page = self.language(f"Accept-Language: {header}")
                if wanted is not None:
                    self.assertEqual(page, wanted)
                else:
                    self.assertIn(page.partition(" ")[0], (*self.TRANSLATIONS, "en_US"))

    def test_no_header(self) -> None:
        self.assertEqual(self.language(), "en_US hello")
        self.assertEqual(self.language(default="fr_FR"), "fr_FR")
        self.assertEqual(self.language("Accept-Language: pt-BR", default="fr_FR"), "pt_BR")

    def test_user(self) -> None:
        header = "Accept-Language: fr"
        self.assertEqual(self.language(header, user=lambda: locale.get("pt_BR")), "pt_BR oi")
        self.assertEqual(self.language(header, user="pt_BR"), "pt_BR oi")
        self.assertEqual(self.language(header, user="pt"), "pt_BR oi")
        self.assertEqual(self.language(header, user=""), "fr_FR salut")
        self.assertEqual(self.language(header, user=None), "fr_FR salut")
        self.assertEqual(self.language(header, user="klingon"), "en_US hello")

    def test_asked_once(self) -> None:
        def user() -> str:
            self.noted.append("asked")
            return "fr"

        self.language(user=user)
        self.assertEqual(self.noted, ["asked"])


class GarbageTest(PageCase):
    def test_pages(self) -> None:
        class Box(UIModule):
            def render(self, text: str) -> bytes:
                return self.render_string("box.html", text=text)

            def embedded_css(self) -> str:
                return "p {}"

        def act(handler: RequestHandler) -> None:
            how = handler.get_argument("how")
            if how == "early":
                handler.ui.modules.Box("a")
                handler.finish("done")
            elif how == "string":
                handler.write(handler.render_string("page.html", how=how))
            elif how == "lost":
                handler.flush()
                handler.render_string("page.html", how="modules")
                raise ZeroDivisionError
            else:
                handler.render("page.html", how=how)

        self.write("box.html", "{{ text }}{% module Template('part.html') %}")
        self.write("part.html", "{{ set_resources(html_head='x') }}")
        page = "{{ _('a') }}{{ greet() }}{{ xsrf_form_html() }}"
        page += "{% if how != 'plain' %}{% module Box('a') %}{% end %}"
        page += (
            "{% if how == 'raise' %}{{ 1 / 0 }}{% end %}{% if how == 'unknown' %}{% module No() %}{% end %}"
        )
        self.write("page.html", page)
        modules, methods = {"Box": Box}, {"greet": lambda handler: "hi"}
        self.page(act, template_path=str(self.folder), ui_modules=modules, ui_methods=methods)
        names = ["plain", "modules", "string", "early", "raise", "unknown"]
        self.assert_no_garbage([get(f"/?how={name}") for name in names])

        def lose() -> None:
            client = self.connect()
            client.send(get("/?how=lost"))
            client.read_all()

        with self.subTest("broken off"):
            self.assert_clean(lose)

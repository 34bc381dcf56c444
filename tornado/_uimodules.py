"""UI modules: pieces of a page that bring their own CSS and JavaScript.

The closet of `tornado.web` for what `RequestHandler.render` does besides rendering: the modules' life
within one request, and where their resources go in the page.
"""

import functools
from collections.abc import Callable, Iterable
from typing import Any

from tornado.escape import _MarkupBytes, linkify, utf8, xhtml_escape
from tornado.util import ObjectDict, UsageError

#: What a module can add to the page around it.
RESOURCES = (
    "embedded_javascript",
    "javascript_files",
    "embedded_css",
    "css_files",
    "html_head",
    "html_body",
)


class UIModule:
    """A reusable piece of a page; subclass it, define `render`, and name it in the setting ``ui_modules``.

    Templates use it as ``{% module Name(...) %}``.  One instance serves all uses in one request.
    `handler` is the `RequestHandler`, `request` its request, `ui` its UI methods and modules.
    """

    def __init__(self, handler: Any) -> None:
        self.handler = handler
        self.request = handler.request
        self.ui = handler.ui

    @property
    def current_user(self) -> Any:
        """The user of the request, as `RequestHandler.current_user`."""
        return self.handler.current_user

    @property
    def locale(self) -> Any:
        """The locale of the request, as `RequestHandler.locale`."""
        return self.handler.locale

    # Any signature may override it.
    def _render(self, *args: Any, **kwargs: Any) -> Any:
        """Return the HTML of one use of the module, str or UTF-8 bytes; to be overridden."""
        raise UsageError(f"{type(self).__name__} has to define render()")

    render: Callable[..., Any] = _render

    def embedded_javascript(self) -> Any:
        """Return JavaScript (str) to put into the page, once; None for none."""

    def javascript_files(self) -> Any:
        """Return the path of a JavaScript file, or a list of paths, to link to, once; None for none.

        Relative paths are those of static files.
        """

    def embedded_css(self) -> Any:
        """Return CSS (str) to put into the page's head, once; None for none."""

    def css_files(self) -> Any:
        """Return the path of a style sheet, or a list of paths, to link to, once; None for none."""

    def html_head(self) -> Any:
        """Return HTML (str) for the end of the page's head, once; None for none."""

    def html_body(self) -> Any:
        """Return HTML (str) for the end of the page's body, once; None for none."""

    def render_string(self, path: str, **kwargs: Any) -> bytes:
        """Return the template *path* rendered with *kwargs*, as `RequestHandler.render_string`."""
        rendered: bytes = self.handler.render_string(path, **kwargs)
        return rendered


class LinkifyModule(UIModule):
    """``{% module linkify(text) %}``: the text with its URLs made links."""

    def render(self, text: Any, **kwargs: Any) -> str:
        """Return `tornado.escape.linkify` of *text*."""
        return linkify(text, **kwargs)


class XSRFFormModule(UIModule):
    """``{% module xsrf_form_html() %}``: the hidden field that forms need."""

    def render(self) -> Any:
        """Return `RequestHandler.xsrf_form_html`."""
        return self.handler.xsrf_form_html()


class TemplateModule(UIModule):
    """``{% module Template("path.html", name=value) %}``: a template as a module.

    The template sees the names of every template and its own arguments, not those of the page, and
    ``set_resources(embedded_css=...)``, which takes the names of `RESOURCES` and returns "".  Resources
    count once for each path.
    """

    def __init__(self, handler: Any) -> None:
        super().__init__(handler)
        self._resources: dict[str, dict[str, Any]] = {}  # by path, in the order of first use

    def render(self, path: str, **kwargs: Any) -> bytes:
        """Return the template *path* rendered with *kwargs*."""
        set_resources = functools.partial(self._set_resources, path)
        return self.render_string(path, set_resources=set_resources, **kwargs)

    def _set_resources(self, path: str, **kwargs: Any) -> str:
        if self._resources.setdefault(path, kwargs) != kwargs:
            raise ValueError(
                f"set_resources called with different resources for the same template {path!r}:"
                " they count once for each template, so they cannot depend on its arguments"
            )
        return ""

    def _collect(self, name: str) -> list[Any]:
        return [kwargs[name] for kwargs in self._resources.values() if kwargs.get(name)]

    def embedded_javascript(self) -> str:
        """Return what the templates gave, joined by newlines."""
        return "\n".join(self._collect("embedded_javascript"))

    def embedded_css(self) -> str:
        """Return what the templates gave, joined by newlines."""
        return "\n".join(self._collect("embedded_css"))

    def javascript_files(self) -> list[str]:
        """Return the paths of all templates."""
        return _flatten(self._collect("javascript_files"))

    def css_files(self) -> list[str]:
        """Return the paths of all templates."""
        return _flatten(self._collect("css_files"))

    def html_head(self) -> str:
        """Return what the templates gave, one after another."""
        return "".join(self._collect("html_head"))

    def html_body(self) -> str:
        """Return what the templates gave, one after another."""
        return "".join(self._collect("html_body"))


BUILT_IN: dict[str, Any] = {
    "linkify": LinkifyModule,
    "xsrf_form_html": XSRFFormModule,
    "Template": TemplateModule,
}


def _flatten(values: Iterable[Any]) -> list[str]:
    paths: list[str] = []
    for value in values:
        if isinstance(value, (str, bytes)):
            paths.append(utf8(value).decode("utf-8"))
        else:
            paths.extend(value)
    return paths


# -- registration --


def load_modules(source: Any) -> dict[str, type[UIModule]]:
    """Return the `UIModule` classes of the setting *source*: a dict, a Python module, or a list of these."""
    return {
        name: value
        for name, value in _entries(source)
        if isinstance(value, type) and issubclass(value, UIModule)
    }


def load_methods(source: Any) -> dict[str, Callable[..., Any]]:
    """Return the functions of the setting *source*: a dict, a Python module, or a list of these.

    Names that begin with an underscore or a capital are left out.
    """
    return {
        name: value
        for name, value in _entries(source)
        if callable(value) and not name.startswith("_") and name[:1].lower() == name[:1]
    }


def _entries(source: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(source, dict):
        return list(source.items())
    if isinstance(source, (list, tuple)):
        return [entry for each in source for entry in _entries(each)]
    if isinstance(source, type(functools)):
        return [(name, getattr(source, name)) for name in dir(source)]
    raise TypeError(f"ui_modules and ui_methods take a dict, a module or a list of these, got {source!r}")


# -- within one request --


class Modules:
    """``modules`` in a template: each attribute is a function that renders the UI module of that name."""

    def __init__(self, handler: Any, classes: dict[str, Any]) -> None:
        self._handler = handler
        self._classes = classes
        self._instances: dict[str, UIModule] = {}

    def __getattr__(self, name: str) -> Callable[..., bytes]:
        if name not in self._classes:
            known = ", ".join(sorted(self._classes))
            raise AttributeError(f"there is no UI module {name!r}; the setting ui_modules has {known}")
        return functools.partial(self._render, name)

    __getitem__ = __getattr__

    def _render(self, name: str, *args: Any, **kwargs: Any) -> bytes:
        module = self._instances.get(name)
        if module is None:
            module = self._instances[name] = self._classes[name](self._handler)
        rendered = module.render(*args, **kwargs)
        return _MarkupBytes(b"" if rendered is None else utf8(rendered))

    def clear(self) -> None:
        """Let go of the modules, which refer to the handler, and the handler to us."""
        self._instances.clear()

    def embed(self, page: bytes) -> bytes:
        """Return *page* with the resources of all modules that were used, each at its place."""
        if not self._instances:
            return page
        found: dict[str, list[Any]] = {name: [] for name in RESOURCES}
        for module in self._instances.values():
            for name in RESOURCES:
                resource = getattr(module, name)()
                if resource:
                    found[name].append(resource)
        make_path = self._handler.static_url
        scripts = _links(
            found["javascript_files"], make_path, '<script src="%s" type="text/javascript"></script>'
        )
        styles = _links(found["css_files"], make_path, '<link href="%s" type="text/css" rel="stylesheet"/>')
        return _insert(page, found, scripts, styles)


def _links(resources: list[Any], make_path: Callable[[str], str], tag: str) -> bytes:
    """A *tag* for each file, in the order of first use."""
    tags = []
    for path in dict.fromkeys(_flatten(resources)):
        path = utf8(path).decode("utf-8")
        if not path.startswith(("/", "http:", "https:")):
            path = make_path(path)
        tags.append(tag % xhtml_escape(path))
    return utf8("".join(tags))


def _insert(page: bytes, found: dict[str, list[Any]], scripts: bytes, styles: bytes) -> bytes:
    script = b"\n".join(map(utf8, found["embedded_javascript"]))
    style = b"\n".join(map(utf8, found["embedded_css"]))
    body = b""
    if scripts:
        body += scripts + b"\n"
    if script:
        body += b'<script type="text/javascript">\n//<![CDATA[\n' + script + b"\n//]]>\n</script>\n"
    body += b"".join(map(utf8, found["html_body"]))
    head = b""
    if styles:
        head += styles + b"\n"
    if style:
        head += b'<style type="text/css">\n' + style + b"\n</style>\n"
    head += b"".join(map(utf8, found["html_head"]))
    if body:
        at = page.rfind(b"</body>")
        page = page[:at] + body + page[at:] if at >= 0 else page + body
    if head:
        at = page.find(b"</head>")
        page = page[:at] + head + page[at:] if at >= 0 else head + page
    return page


def make_ui(handler: Any, methods: dict[str, Callable[..., Any]], classes: dict[str, Any]) -> ObjectDict:
    """Return ``handler.ui``: the UI methods with the handler as first argument, and ``modules``."""
    ui = ObjectDict({name: functools.partial(method, handler) for name, method in methods.items()})
    ui["_modules"] = ui["modules"] = Modules(handler, classes)
    return ui

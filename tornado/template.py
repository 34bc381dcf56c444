r"""Templates: text with Python in it, compiled to one Python function each.

    >>> page = Template("<ul>{% for name in names %}<li>{{ name }}</li>{% end %}</ul>")
    >>> page.generate(names=["Tom", "<Jerry>"]).decode()
    '<ul><li>Tom</li><li>&lt;Jerry&gt;</li></ul>'

Whoever writes a template may run any Python: there is no sandbox.  Files are found by a `Loader`::

    loader = tornado.template.Loader("/srv/site/templates")
    loader.load("home.html").generate(title="Home")

``{{ expression }}``
    prints text and UTF-8 bytes as they are, anything else as `str` has it, and escapes that by the
    file's autoescape function, `tornado.escape.xhtml_escape` if nothing else is said.  What is HTML
    already is left alone: what xhtml_escape, linkify and templates return, and any object with
    ``__html__``.  (Only json_encode and url_escape, as autoescape functions, apply to HTML too.)
``{% raw expression %}``
    prints without escaping.
``{% if x %}``, ``{% for x in y %}``, ``{% while x %}``, ``{% try %}`` ... ``{% end %}``
    are the statements of Python, with ``{% elif x %}``, ``{% else %}``, ``{% except X %}`` and
    ``{% finally %}``; in loops also ``{% break %}`` and ``{% continue %}``.
``{% set x = y %}``, ``{% import x %}``, ``{% from x import y %}``
    bind local variables: the template is one function.
``{% extends file %}``, ``{% block name %}`` ... ``{% end %}``
    print the parent file instead of this one, with those of its blocks replaced that this one defines.
``{% include file %}``
    stands for the content of another file, which shares the local variables.
``{% apply function %}`` ... ``{% end %}``
    prints what the function returns for what is between (bytes), without escaping.
``{% module Name(...) %}``
    prints a UI module, see `tornado.web.UIModule`.
``{% autoescape function %}``
    names the function for all of this file, which takes bytes and returns text or bytes; None is none.
``{# comment #}``, ``{% comment ... %}``
    print nothing.  ``{{!``, ``{%!`` and ``{#!`` print ``{{``, ``{%`` and ``{#``.

Directives may go over several lines.  Names that are always there: escape and xhtml_escape, url_escape,
json_encode, squeeze, linkify (all of `tornado.escape`) and the module datetime; others come from
`RequestHandler.render_string`.  Tracebacks show the line of the template.
"""

import ast
import bisect
import datetime
import itertools
import linecache
import os
import posixpath
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from types import CodeType, FunctionType
from typing import Any, NamedTuple, TypeAlias, cast

from tornado.escape import _MarkupBytes, json_encode, linkify, squeeze, url_escape, utf8, xhtml_escape
from tornado.util import ObjectDict as ObjectDict  # for programs that import it from here
from tornado.util import UsageTypeError
from tornado.util import bytes_type as bytes_type  # likewise

_DEFAULT_AUTOESCAPE = "xhtml_escape"
_UNSET: Any = object()

_NAMES: dict[str, Any] = {
    "escape": xhtml_escape,
    "xhtml_escape": xhtml_escape,
    "url_escape": url_escape,
    "json_encode": json_encode,
    "squeeze": squeeze,
    "linkify": linkify,
    "datetime": datetime,
}


class ParseError(Exception):
    """A template cannot be understood.

    `filename` and `lineno` say where, lines counted from 1.  What is wrong with the Python in a template is
    both a ParseError and a SyntaxError.
    """

    filename: str | None = None
    lineno: int | None = None


class _PythonError(SyntaxError, ParseError):
    """Python in a template cannot be understood."""


class _OutsideError(PermissionError, ValueError):
    """A template name leads out of its loader's folder."""


class Template:
    """A compiled template; `generate` prints it as often as wanted, in any thread.

    *template_string* is text or UTF-8 bytes.  *name* goes into error messages, and what the template
    includes and extends is relative to it.  *compress_whitespace* makes one space of spaces and tabs in a
    row, and one newline of blank lines and indentation, except around ``<pre>``; the default is to do so if
    *name* ends in ``.html`` or ``.js``.  It holds for the text of included files and of ancestors too.
    *autoescape* is the name of a function, None for no escaping; the default is that of *loader*.

    `autoescape` is what the file said itself, or else the argument.  `code` is the generated source,
    `compiled` the code of the function, `file` the parsed file.

    Raises `ParseError`; SyntaxError, which is a `ParseError` too, for what Python does not understand; and
    what *loader* raises for a file that is not there.
    """

    def __init__(
        self,
        template_string: str | bytes,
        name: str = "<string>",
        loader: "BaseLoader | None" = None,
        compress_whitespace: bool | None = None,
        autoescape: str | None = _UNSET,
    ) -> None:
        if compress_whitespace is None:
            compress_whitespace = name.endswith((".html", ".js"))
        if autoescape is _UNSET:
            autoescape = _DEFAULT_AUTOESCAPE if loader is None else loader.autoescape
        if not isinstance(autoescape, str | None):
            raise UsageTypeError(
                f"autoescape got {type(autoescape).__name__}, wanted the name of a function, or None: pass"
                " the function itself to generate(), or in the loader's namespace"
            )
        self.name = name
        self.loader = loader
        self.namespace: dict[str, Any] = {} if loader is None else loader.namespace
        self.compress_whitespace = compress_whitespace
        self.autoescape = autoescape
        self._source = _Source(template_string, name, _file_name(name, loader))
        try:
            self.file = _Parser(self).parse()
            self.compiled = self._compile()
        except RecursionError:
            raise self._source.error("nested too deeply", 1) from None

    def _compile(self) -> CodeType:
        ancestors = self._ancestors()
        if len(ancestors) > 1:
            # On its own first: an error that the compiler finds names one file for the whole function.
            _Composer(self, [self]).code()
        composer = _Composer(self, ancestors)
        code = composer.code()
        self._sources = composer.sources
        return code

    def _ancestors(self) -> "list[Template]":
        """Return the template that extends none, the one that extends that, and so on to this one."""
        if self.file.extends is None:
            return [self]
        return [*self._load(self.file.extends)._ancestors(), self]

    def _load(self, reference: "_Include") -> "Template":
        """Return the template that an ``extends`` or ``include`` of this one names."""
        place = reference.place
        if self.loader is None:
            raise self._source.error(
                f"no loader for {{% {place.text} %}}",
                place.line,
                "pass Template(..., loader=Loader(<folder>)), or let a loader load this template",
            )
        with self.loader.lock:
            chain = [*self.loader._loading, self.loader.resolve_path(reference.name, self.name)]
            if chain[-1] in chain[:-1]:
                raise self._source.error(f"template contains itself: {' > '.join(chain)}", place.line)
            try:
                return self.loader.load(reference.name, self.name)
            except Exception as error:
                error.add_note(f"{{% {place.text} %}} on line {place.line} of {self.name}")
                raise

    @property
    def code(self) -> str:
        """The Python source of the function, made when it is asked for."""
        return ast.unparse(_Composer(self, self._ancestors()).tree())

    def generate(self, /, **kwargs: Any) -> bytes:
        """Return the template as UTF-8 bytes, which other templates do not escape again.

        The template sees *kwargs*, the loader's namespace, and the names that are always there, the former
        hiding the latter.  What the template raises is raised; its traceback goes through the template.
        """
        namespace = {**_NAMES, **self.namespace, **kwargs}
        parts: list[str | bytes] = []
        try:
            FunctionType(self.compiled, namespace)(parts.append, _escaped, _text, _joined)
        except BaseException:
            for source in self._sources:
                source.show()
            raise
        return _MarkupBytes(_joined(parts))


# -- loaders -------------------------------------------------------------------------------------------


class BaseLoader:
    """Finds templates by name and keeps them compiled.

    A subclass supplies ``_create_template(name)``, which returns a `Template` made with this loader, and
    overrides `resolve_path` if names are no paths.  *autoescape* is the policy of files that do not name
    their own, see `Template`; *namespace* is a dict of names that all templates see.  `templates` has what
    is loaded, by resolved name.  Threads may share a loader.
    """

    def __init__(
        self, autoescape: str | None = _DEFAULT_AUTOESCAPE, namespace: dict[str, Any] | None = None
    ) -> None:
        self.autoescape = autoescape
        self.namespace = {} if namespace is None else namespace
        self.templates: dict[str, Template] = {}
        self.lock = threading.RLock()
        self._loading: list[str] = []  # under the lock: what is being compiled, outermost first

    def reset(self) -> None:
        """Forget the templates, so that each is read again when it is asked for."""
        with self.lock:
            self.templates = {}

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """Return the full name of what a template named *parent_path* calls *name*.

        That is relative to the folder of *parent_path*, unless one of them starts with a slash or there is
        no such file as *parent_path* (it starts with ``<``).
        """
        if not _is_relative(name, parent_path):
            return name
        return posixpath.normpath(posixpath.join(posixpath.dirname(parent_path or ""), name))

    def load(self, name: str, parent_path: str | None = None) -> Template:
        """Return the template *name*, which is relative to *parent_path* as `resolve_path` has it.

        Raises what `Template` raises, and what is usual for a missing one: FileNotFoundError from
        `Loader`, KeyError from `DictLoader`.
        """
        name = self.resolve_path(name, parent_path)
        with self.lock:
            if name not in self.templates:
                self._loading.append(name)
                try:
                    self.templates[name] = self._create_template(name)
                finally:
                    self._loading.pop()
            return self.templates[name]

    def _create_template(self, name: str) -> Template:
        raise NotImplementedError(f"{type(self).__name__} has to define _create_template(name)")

    def _file_name(self, name: str) -> str:
        """Return what tracebacks call the template *name*."""
        return f"<template {name}>"


class Loader(BaseLoader):
    """Loads templates from the files below *root_directory*, which are UTF-8.

    *kwargs* are those of `BaseLoader`.  A name that leads out of the folder is refused with a
    PermissionError (and ValueError), where a missing file is a FileNotFoundError.
    """

    def __init__(self, root_directory: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.root = os.path.abspath(root_directory)

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """As `BaseLoader.resolve_path`; a result outside of the folder is *name* again, and not loaded."""
        if not _is_relative(name, parent_path):
            return name
        path = os.path.join(self.root, os.path.dirname(parent_path or ""), name)
        return os.path.relpath(path, self.root) if self._is_inside(path) else name

    def _is_inside(self, path: str) -> bool:
        return os.path.abspath(path).startswith(os.path.join(self.root, ""))

    def _file_name(self, name: str) -> str:
        return os.path.join(self.root, name)

    def _create_template(self, name: str) -> Template:
        path = os.path.join(self.root, name)
        if not self._is_inside(path):
            raise _OutsideError(
                f"template {name[:80]!r} is outside of the loader's folder {self.root!r}: move the file into"
                " it, or make a Loader for a folder that holds all templates; do not build names from"
                " what a client sent"
            )
        with open(path, "rb") as file:
            return Template(file.read(), name=name, loader=self)


class DictLoader(BaseLoader):
    """Loads templates from a dict of names and texts; names are relative to each other as paths are.

    *kwargs* are those of `BaseLoader`.
    """

    def __init__(self, dict: dict[str, str | bytes], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dict = dict

    def _create_template(self, name: str) -> Template:
        return Template(self.dict[name], name=name, loader=self)


def _is_relative(name: str, parent_path: str | None) -> bool:
    return bool(parent_path) and not str(parent_path).startswith(("<", "/")) and not name.startswith("/")


def _file_name(name: str, loader: BaseLoader | None) -> str:
    return f"<template {name}>" if loader is None or name.startswith("<") else loader._file_name(name)


# -- the text of a file, and the Python in it ----------------------------------------------------------


class _Snippet(NamedTuple):
    """A piece of the text and its place."""

    text: str
    line: int
    column: int  # in bytes of UTF-8, as `ast` counts

    def after(self, count: int) -> "_Snippet":
        """Return what follows the first *count* characters."""
        return _Snippet(self.text[count:], *_advance(self.text[:count], self.line, self.column))


def _advance(text: str, line: int, column: int) -> tuple[int, int]:
    """Return the place behind *text*, which starts on *line* at *column*."""
    newlines = text.count("\n")
    return line + newlines, len(text.rpartition("\n")[2].encode()) + (0 if newlines else column)


class _Source:
    """The text of one file: makes the errors about it, and parses the Python in it."""

    def __init__(self, text: str | bytes, name: str, file_name: str) -> None:
        self.name = name
        self.file_name = file_name
        try:
            self.text = utf8(text).decode()
        except UnicodeEncodeError as error:
            line = error.object.count("\n", 0, error.start) + 1
            raise self.error(f"text cannot be encoded ({error.reason})", line) from None
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise self.error(f"file is not UTF-8 ({error.reason})", line) from None

    def error(self, problem: str, line: int, remedy: str = "") -> ParseError:
        """Return the exception to raise for the *problem* on *line*."""
        error = ParseError(f"{problem} on line {line} of {self.name}{remedy and ': '}{remedy}")
        error.filename, error.lineno = self.file_name, line
        return error

    def python_error(self, problem: str, line: int, column: int) -> "_PythonError":
        """Return the same for a *problem* with Python."""
        lines = self.text.split("\n")
        line = min(line, len(lines))
        before = lines[line - 1].encode()[:column].decode(errors="ignore")
        offset = len(before) + 1
        return _PythonError(problem, (self.file_name, line, offset, lines[line - 1], line, offset + 1))

    def show(self) -> None:
        """Let tracebacks show this text, whatever has become of the file."""
        lines = [f"{line}\n" for line in self.text.split("\n")]
        linecache.cache[self.file_name] = (len(self.text), None, lines, self.file_name)

    def expression(self, snippet: _Snippet) -> ast.expr:
        """Return the expression in *snippet*."""
        statements = self._parse([snippet], "")
        if len(statements) != 1 or not isinstance(statements[0], ast.Expr):
            raise self.python_error("wanted an expression", snippet.line, snippet.column)
        return statements[0].value

    def statements(self, snippet: _Snippet) -> list[ast.stmt]:
        """Return the simple statements in *snippet*."""
        statements = self._parse([snippet], "")
        if not statements or not all(isinstance(each, _SIMPLE) for each in statements):
            raise self.python_error("wanted an assignment or import", snippet.line, snippet.column)
        return statements

    def compound(self, clauses: Sequence[_Snippet]) -> ast.stmt:
        """Return the statement of *clauses*, with the number of each in place of its body."""
        statements = self._parse(clauses, ":\n {}")
        if len(statements) != 1:
            raise self.python_error("invalid syntax", clauses[0].line, clauses[0].column)
        return _at(clauses[0], statements[0])

    def _parse(self, snippets: Sequence[_Snippet], ending: str) -> list[ast.stmt]:
        """Parse *snippets*, written one below the other, each with *ending* after it."""
        # A newline in a directive is white space, which in Python takes a backslash; but not in a string of
        # several lines, and not after a comment. What is wrong one way may be right the other.
        ways = ["\\\n", "\n"]
        if any("'''" in each.text or '"""' in each.text for each in snippets):
            ways.reverse()
        try:
            return _Written(snippets, ending, ways[0]).parse(self)
        except SyntaxError:
            if not any("\n" in each.text for each in snippets):
                raise
            try:
                return _Written(snippets, ending, ways[1]).parse(self)
            except SyntaxError:
                pass
            raise


class _Written:
    """Snippets written as Python, and the way back from a place there to the place in the template."""

    def __init__(self, snippets: Sequence[_Snippet], ending: str, line_break: str) -> None:
        self.snippets = snippets
        self.starts: list[int] = []  # the line of each in `code`
        self.code = ""
        line, pieces = 1, []
        for number, snippet in enumerate(snippets):
            pieces.append(snippet.text.replace("\n", line_break) + ending.format(number) + "\n")
            self.starts.append(line)
            line += pieces[-1].count("\n")
        self.code = "".join(pieces)

    def parse(self, source: _Source) -> list[ast.stmt]:
        first = self.snippets[0]
        try:
            module = ast.parse(self.code, source.file_name)
        except SyntaxError as error:
            before = (error.text or "")[: max((error.offset or 1) - 1, 0)]
            place = self._place(error.lineno or 1, len(before.encode()))
            raise source.python_error(error.msg, *place) from None
        except (ValueError, MemoryError, RecursionError) as error:  # a NUL, too many parentheses
            raise source.python_error(str(error) or "too complex", first.line, first.column) from None
        for node in ast.walk(module):
            if isinstance(node, ast.Yield | ast.YieldFrom):
                place = self._place(node.lineno, node.col_offset)
                raise source.python_error("'yield' makes no sense in a template", *place)
            if isinstance(node, _Located):
                node.lineno, node.col_offset = self._place(node.lineno, node.col_offset)
                node.end_lineno, node.end_col_offset = self._place(
                    node.end_lineno or 1, node.end_col_offset or 0
                )
        return module.body

    def _place(self, line: int, column: int) -> tuple[int, int]:
        index = max(bisect.bisect_right(self.starts, line) - 1, 0)
        snippet, line = self.snippets[index], line - self.starts[index]
        return snippet.line + line, column if line else column + snippet.column


_SIMPLE = (
    *(ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Delete, ast.Expr),
    *(ast.Import, ast.ImportFrom, ast.Break, ast.Continue),
)
_Located: TypeAlias = ast.expr | ast.stmt | ast.excepthandler | ast.arg | ast.keyword | ast.alias


# -- reading -------------------------------------------------------------------------------------------


class _Text(NamedTuple):
    value: str
    line: int


class _Print(NamedTuple):
    expression: _Snippet
    is_raw: bool


class _Statement(NamedTuple):
    snippet: _Snippet


class _Include(NamedTuple):
    name: str
    place: _Snippet


class _Clause(NamedTuple):
    head: _Snippet
    body: "list[_Node]"


class _Control(NamedTuple):
    clauses: list[_Clause]


class _Apply(NamedTuple):
    function: _Snippet
    body: "list[_Node]"


class _Block(NamedTuple):
    name: str
    place: _Snippet
    body: "list[_Node]"


_Node: TypeAlias = _Text | _Print | _Statement | _Include | _Control | _Apply | _Block


class _File(NamedTuple):
    """A file as it was parsed."""

    body: list[_Node]
    extends: _Include | None


class _Token(NamedTuple):
    kind: str  # "" for text, "{{" or "{%"
    line: int  # where it starts, which may be above its content
    content: _Snippet  # without white space around it, unless it is text


# Of three braces and more the last two count; a "!" behind takes their meaning away.
_OPENING = re.compile(r"\{(?:\{(?!\{)|[%#])")
_CLOSING = {"{{": "}}", "{%": "%}", "{#": "#}"}


def _tokens(source: _Source) -> Iterator[_Token]:
    """Yield what is in *source*, comments left out."""
    text, position, line, column = source.text, 0, 1, 0
    while found := _OPENING.search(text, position):
        opening, (start, inner) = found[0], found.span()
        yield _Token("", line, _Snippet(text[position:start], line, column))
        line, column = _advance(text[position:start], line, column)
        if text.startswith("!", inner):
            yield _Token("", line, _Snippet(opening, line, column))
            position, column = inner + 1, column + 3
            continue
        end = text.find(_CLOSING[opening], inner)
        if end < 0:
            raise source.error(f"{opening} without {_CLOSING[opening]}", line)
        if opening != "{#":
            yield _Token(opening, line, _stripped(_Snippet(text[inner:end], line, column + 2)))
        position = end + 2
        line, column = _advance(text[start:position], line, column)
    yield _Token("", line, _Snippet(text[position:], line, column))


def _stripped(snippet: _Snippet) -> _Snippet:
    """Return *snippet* without the white space around it."""
    text = snippet.text.replace("\r\n", "\n").rstrip()
    return _Snippet(text, snippet.line, snippet.column).after(len(text) - len(text.lstrip()))


class _Open:
    """A directive whose ``{% end %}`` is still to come, or the file as a whole, whose operator is ""."""

    def __init__(self, operator: str, line: int, head: _Snippet, in_loop: bool) -> None:
        self.operator = operator
        self.line = line
        self.in_loop = in_loop
        self.clauses = [_Clause(head, [])]


_CLAUSES = {
    "else": ("if", "for", "while", "try"),
    "elif": ("if",),
    "except": ("try",),
    "finally": ("try",),
}
_OPERANDS = {
    "apply": "a function",
    "autoescape": "the name of a function, or None",
    "block": "a name",
    "extends": "a file",
    "from": "a module",
    "import": "a module",
    "include": "a file",
    "module": "a UI module",
    "raw": "an expression",
    "set": "an assignment",
}
_MODULES = "modules."


class _Parser:
    """Makes the tree of a file from its tokens; the Python in them is parsed when it is composed."""

    def __init__(self, template: Template) -> None:
        self.template = template
        self.source = template._source
        self.tokens = _tokens(self.source)
        self.extends: _Include | None = None

    def parse(self) -> _File:
        clauses = self._fill(_Open("", 1, _Snippet("", 1, 0), False))
        return _File(clauses[0].body, self.extends)

    def _fill(self, opened: _Open) -> list[_Clause]:
        """Read what is in *opened* up to its end, and return its clauses."""
        for token in self.tokens:
            nodes = opened.clauses[-1].body
            if not token.kind:
                nodes.append(_Text(token.content.text, token.line))
            elif not token.content.text:
                raise self.source.error(f"empty {token.kind} {_CLOSING[token.kind]}", token.line)
            elif token.kind == "{{":
                nodes.append(_Print(token.content, False))
            elif self._is_end(token, opened):
                return opened.clauses
            elif node := self._directive(token, opened):
                nodes.append(node)
        if opened.operator:
            raise self.source.error(f"{{% {opened.operator} %}} without {{% end %}}", opened.line)
        return opened.clauses

    def _is_end(self, token: _Token, opened: _Open) -> bool:
        if token.content.text.split(None, 1)[0] != "end":
            return False
        if not opened.operator:
            raise self.source.error("extra {% end %}", token.line)
        return True

    def _directive(self, token: _Token, opened: _Open) -> _Node | None:
        """Return the node that *token* begins, None if it makes none."""
        content = token.content
        operator = content.text.split(None, 1)[0]
        operand = _stripped(content.after(len(operator)))
        if operator in _OPERANDS and not operand.text:
            raise self.source.error(f"{{% {operator} %}} lacks {_OPERANDS[operator]}", token.line)
        match operator:
            case "comment":
                return None
            case "else" | "elif" | "except" | "finally":
                self._clause(operator, token, opened)
                return None
            case "autoescape":
                self.source.expression(operand)  # so that what is wrong is found here
                self.template.autoescape = None if operand.text == "None" else operand.text
                return None
            case "extends":
                self._extends(token, operand, opened)
                return None
            case "break" | "continue" if not opened.in_loop:
                raise self.source.error(f"{{% {operator} %}} outside of a loop in its block", token.line)
            case "set":
                return _Statement(operand)
            case "import" | "from" | "break" | "continue":
                return _Statement(content)
            case "include":
                return self._reference(token, operand)
            case "raw":
                return _Print(operand, True)
            case "module":
                column = max(operand.column - len(_MODULES), 0)
                return _Print(_Snippet(_MODULES + operand.text, operand.line, column), True)
            case "apply" | "block" | "if" | "try" | "for" | "while":
                return self._compound(operator, token, operand, opened)
        raise self.source.error(f"unknown operator {operator[:80]!r}", token.line)

    def _clause(self, operator: str, token: _Token, opened: _Open) -> None:
        parents = _CLAUSES[operator]
        if opened.operator not in parents:
            place = f", in {{% {opened.operator} %}}" if opened.operator else ""
            wanted = " or ".join(parents)
            raise self.source.error(f"{{% {operator} %}} outside of {wanted}{place}", token.line)
        opened.clauses.append(_Clause(token.content, []))

    def _extends(self, token: _Token, operand: _Snippet, opened: _Open) -> None:
        if opened.operator:
            raise self.source.error(f"{{% extends %}} in {{% {opened.operator} %}}", token.line)
        if self.extends:
            raise self.source.error("second {% extends %} in the file", token.line)
        self.extends = self._reference(token, operand)

    def _reference(self, token: _Token, operand: _Snippet) -> _Include:
        name = operand.text.strip('"').strip("'")
        if not name:
            raise self.source.error(f"{{% {token.content.text} %}} lacks a file", token.line)
        return _Include(name, token.content)

    def _compound(self, operator: str, token: _Token, operand: _Snippet, opened: _Open) -> _Node:
        in_loop = operator in ("for", "while") or (opened.in_loop and operator in ("if", "try"))
        clauses = self._fill(_Open(operator, token.line, token.content, in_loop))
        if operator == "apply":
            return _Apply(operand, clauses[0].body)
        if operator == "block":
            return _Block(operand.text, token.content, clauses[0].body)
        return _Control(clauses)


# -- composing -----------------------------------------------------------------------------------------

# A template with all that it includes and inherits is one function, whose statements have the lines and
# columns of the file they are from. What is from another file is a function in that function, for a code
# object has one file name; its variables are `nonlocal`, so that it might as well stand in its place.

_PARAMETERS = "_tpl_put, _tpl_escape, _tpl_text, _tpl_join"


class _Composer:
    """Writes the function of a *template*, the last of its *ancestors*; the first of them is the frame."""

    def __init__(self, template: Template, ancestors: Sequence[Template]) -> None:
        self.template = template
        self.root = ancestors[0]
        self.sources: list[_Source] = []  # of all files that take part
        self.titles: dict[str, tuple[str, str]] = {}  # function -> its file, its name in tracebacks
        self.shared: set[str] = set()  # variables bound in functions that have none of their own
        self.blocks: dict[str, tuple[list[_Node], Template]] = {}
        for ancestor in ancestors:
            self._find_blocks(ancestor.file.body, ancestor)

    def _find_blocks(self, nodes: list[_Node], template: Template) -> None:
        """Note the blocks in *nodes*; one that is found later replaces one of its name."""
        for node in nodes:
            match node:
                case _Block(name=name, body=body):
                    self.blocks[name] = body, template
                    self._find_blocks(body, template)
                case _Apply(body=body):
                    self._find_blocks(body, template)
                case _Control(clauses=clauses):
                    for clause in clauses:
                        self._find_blocks(clause.body, template)
                case _Include():
                    included = self._included(node, template)
                    self._find_blocks(included.file.body, included)

    def _included(self, reference: _Include, template: Template) -> Template:
        included = template._load(reference)
        if included.file.extends:
            raise template._source.error(
                f"{included.name}, which extends another file, is included",
                reference.place.line,
                f"it is a page of its own, print it by {{% module Template({included.name!r}) %}}",
            )
        return included

    def code(self) -> CodeType:
        """Return the code of the function."""
        source, tree = self.root._source, self.tree()
        try:
            module = compile(tree, source.file_name, "exec", dont_inherit=True)
        except SyntaxError as error:
            place = error.lineno or 1, max((error.offset or 1) - 1, 0)
            raise source.python_error(error.msg, *place) from None
        (code,) = (each for each in module.co_consts if isinstance(each, CodeType))
        return self._signed(code, source.file_name)

    def _signed(self, code: CodeType, file_name: str) -> CodeType:
        """Return *code* with the file and the name of each function put into it."""
        if code.co_name in self.titles:
            file_name, title = self.titles[code.co_name]
            code = code.replace(co_name=title, co_qualname=title)
        constants = (
            self._signed(each, file_name) if isinstance(each, CodeType) else each for each in code.co_consts
        )
        return code.replace(co_filename=file_name, co_consts=tuple(constants))

    def tree(self) -> ast.Module:
        """Return the module with the function in it."""
        self.titles["_execute"] = self.root._source.file_name, "template"
        self.sources.append(self.root._source)
        body = self._scope(self.root.file.body, self.root)
        function = _function("_execute", _PARAMETERS, body)
        return ast.fix_missing_locations(ast.Module([function], []))

    def _scope(self, nodes: list[_Node], template: Template) -> list[ast.stmt]:
        """Return the body of a function with variables of its own."""
        outer, self.shared = self.shared, set()
        body = self._suite(nodes, template)
        # An annotation makes the name a local variable, and does nothing when it is run.
        declared = [
            ast.AnnAssign(ast.Name(name, ast.Store()), ast.Constant(None), None, 1)
            for name in sorted(self.shared)
        ]
        self.shared = outer
        return [*declared, *body]

    def _suite(self, nodes: list[_Node], template: Template) -> list[ast.stmt]:
        statements: list[ast.stmt] = []
        for is_text, group in itertools.groupby(self._flat(nodes, template), _is_text):
            if is_text:
                statements += self._text(cast("list[_Text]", list(group)))
            else:
                for node in group:
                    statements += self._statements(node, template)
        return statements or [ast.Pass()]

    def _flat(self, nodes: list[_Node], template: Template) -> Iterator[_Node]:
        """Yield *nodes*, with the bodies of blocks that are from the same file in their place."""
        for node in nodes:
            if isinstance(node, _Block) and self.blocks[node.name][1] is template:
                yield from self._flat(self.blocks[node.name][0], template)
            else:
                yield node

    def _text(self, group: "list[_Text]") -> list[ast.stmt]:
        values = (node.value for node in group)
        if self.template.compress_whitespace:
            values = (text if "<pre>" in text else _BLANKS.sub(_blank, text) for text in values)
        text = "".join(values)
        return [_put(ast.Constant(text), _Snippet("", group[0].line, 0))] if text else []

    def _statements(self, node: _Node, template: Template) -> list[ast.stmt]:
        source = template._source
        match node:
            case _Print():
                return [self._print(node, template)]
            case _Statement():
                return source.statements(node.snippet)
            case _Control(clauses=clauses):
                statement = source.compound([clause.head for clause in clauses])
                bodies = [self._suite(clause.body, template) for clause in clauses]
                return [cast(ast.stmt, _Bodies(bodies).visit(statement))]
            case _Apply():
                return self._apply(node, template)
            case _Include(place=place):
                included = self._included(node, template)
                return self._inserted(included.file.body, included, "include", place)
            case _Block(name=name, place=place):
                return self._inserted(*self.blocks[name], f"block {name}", place)
        raise AssertionError(node)

    def _print(self, node: _Print, template: Template) -> ast.stmt:
        expression = template._source.expression(node.expression)
        if node.is_raw or template.autoescape is None:
            return _put(_call("_tpl_text", expression), node.expression)
        # Looked up each time, for it may be a variable of the template.
        escape = template._source.expression(node.expression._replace(text=template.autoescape))
        return _put(_call("_tpl_escape", expression, escape), node.expression)

    def _apply(self, node: _Apply, template: Template) -> list[ast.stmt]:
        name = self._name(f"apply {node.function.text}", template)
        body = [
            *ast.parse("_tpl_parts = []\n_tpl_put = _tpl_parts.append").body,
            *self._scope(node.body, template),
            *ast.parse("return _tpl_join(_tpl_parts)").body,
        ]
        function = template._source.expression(node.function)
        applied = ast.Call(function, [_call(name)], [])
        return [_function(name, "", body), _put(_call("_tpl_text", applied), node.function)]

    def _inserted(
        self, nodes: list[_Node], template: Template, title: str, place: _Snippet
    ) -> list[ast.stmt]:
        """Return a function for *nodes*, which are from another file, and its call at *place*."""
        name = self._name(title, template)
        body = self._suite(nodes, template)
        bindings = _Bindings()
        for statement in body:
            bindings.visit(statement)
        if bindings.names:
            body.insert(0, ast.Nonlocal(sorted(bindings.names)))
        self.shared |= bindings.names
        return [_function(name, "", body), _at(place, ast.Expr(_call(name)))]

    def _name(self, title: str, template: Template) -> str:
        """Return a new name for a function of *template*, which tracebacks call *title*."""
        name = f"_tpl_{len(self.titles)}"
        self.titles[name] = template._source.file_name, title
        if template._source not in self.sources:
            self.sources.append(template._source)
        return name


_BLANKS = re.compile(r"[ \t\n\r\f\v]+")


def _blank(blanks: re.Match[str]) -> str:
    return "\n" if "\n" in blanks[0] else re.sub("[ \t]+", " ", blanks[0])


def _is_text(node: _Node) -> bool:
    return isinstance(node, _Text)


def _function(name: str, parameters: str, body: list[ast.stmt]) -> ast.stmt:
    function = cast(ast.FunctionDef, ast.parse(f"def {name}({parameters}): pass").body[0])
    function.body = body
    return function


def _call(function: str, *arguments: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(function, ast.Load()), [*arguments], [])


def _put(value: ast.expr, place: _Snippet) -> ast.stmt:
    return _at(place, ast.Expr(_call("_tpl_put", value)))


def _at(place: _Snippet, statement: ast.stmt) -> ast.stmt:
    """Put *statement* where *place* is; what it is made of goes along unless it has a place."""
    statement.lineno, statement.col_offset = place.line, place.column
    statement.end_lineno, statement.end_col_offset = _advance(place.text, place.line, place.column)
    return statement


class _Bodies(ast.NodeTransformer):
    """Puts bodies into a statement in place of their numbers."""

    def __init__(self, bodies: list[list[ast.stmt]]) -> None:
        self.bodies = bodies

    def visit_Expr(self, node: ast.Expr) -> list[ast.stmt]:
        return self.bodies[cast(int, cast(ast.Constant, node.value).value)]


class _Bindings(ast.NodeVisitor):
    """Collects the `names` of the variables that statements bind in their function."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.names.add(node.id)

    def visit_alias(self, node: ast.alias) -> None:
        self.names.add(node.asname or node.name.partition(".")[0])

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self.names.add(node.name)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for each in (node.iter, *node.ifs):  # the target is a variable of the comprehension
            self.visit(each)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)  # its defaults; the body has variables of its own

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        pass  # one of ours: what it shares is in `_Composer.shared`


# -- running -------------------------------------------------------------------------------------------


def _escaped(value: Any, escape: Callable[[bytes], Any]) -> str | bytes:
    """Return what ``{{ value }}`` prints where *escape* is the autoescape function."""
    if escape is xhtml_escape:
        kind = type(value)
        if kind is str:
            # As in xhtml_escape, without its call and its mark: most of what templates print comes by here.
            if "&" in value:
                value = value.replace("&", "&amp;")
            if "<" in value:
                value = value.replace("<", "&lt;")
            if ">" in value:
                value = value.replace(">", "&gt;")
            if '"' in value:
                value = value.replace('"', "&quot;")
            if "'" in value:
                value = value.replace("'", "&#39;")
            return cast(str, value)
        if kind is int:
            return str(value)
    return _escaped_otherwise(value, escape)


def _escaped_otherwise(value: Any, escape: Callable[[bytes], Any]) -> str | bytes:
    as_html = getattr(type(value), "__html__", None)
    if callable(as_html) and escape not in (json_encode, url_escape):  # HTML is not safe in what those make
        return _text(value if type(value) is _MarkupBytes else as_html(value))
    octets = bytes(utf8(value if isinstance(value, str | bytes) else str(value)))
    return _text(escape(octets))


def _text(value: Any) -> str | bytes:
    """Return what ``{% raw value %}`` prints: bytes only if they are not UTF-8."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return bytes(value)
    return value if isinstance(value, str) else str(value)


def _joined(parts: list[str | bytes]) -> bytes:
    try:
        return "".join(cast(list[str], parts)).encode()
    except TypeError:  # some are bytes that are not UTF-8
        return b"".join([utf8(part) for part in parts])

"""The architecture as a test: who imports whom, what the wire may not know, what every name must say.

The two tables below are compared for equality with the code.  A new edge that points down is one line
here, in the commit that adds it; one that points up needs another design.
"""

import ast
import concurrent.futures
import functools
import os
import pathlib
import re
import subprocess
import sys
import unittest
from collections.abc import Iterator

PACKAGE = pathlib.Path(__file__).resolve().parents[1]

#: Module -> the modules of the package it imports at its top.
IMPORTS: dict[str, str] = {
    "util": "",
    "stack_context": "",
    "escape": "util",
    "locale": "util",
    "options": "escape",
    "wire": "",
    "wire.cookies": "httputil util wire",
    "wire.multipart": "wire",
    "wire.http1": "httputil wire",
    "httputil": "escape util wire wire.multipart",
    "ioloop": "stack_context util",
    "autoreload": "ioloop",
    "process": "ioloop util",
    "iostream": "ioloop stack_context util wire",
    "netutil": "ioloop iostream process stack_context util",
    "httpserver": "escape httputil ioloop iostream netutil stack_context util wire wire.cookies wire.http1"
    " wire.multipart",
    "_routes": "util",
    "_transforms": "wire.http1",
    "_static": "httputil",
    "_uimodules": "escape util",
    "web": "_routes _static _transforms _uimodules escape httputil locale stack_context template util wire"
    " wire.cookies wire.http1",
    "httpclient": "escape httputil ioloop stack_context util wire wire.http1",
    "simple_httpclient": "escape httpclient httputil ioloop iostream netutil stack_context util wire"
    " wire.http1",
    "template": "escape util",
    "testing": "httpclient httpserver ioloop netutil options stack_context util",
    "wsgi": "httputil util web wire wire.cookies wire.http1 wire.multipart",
}

#: The same for imports inside functions; each has a comment with its reason at the line.
LATE_IMPORTS: dict[str, str] = {
    "httpclient": "options",
    "web": "autoreload httpserver",
}

#: The wire reads bytes: it may not know where from, nor when, nor tell anyone.
NOT_ON_THE_WIRE = {"asyncio", "logging", "select", "selectors", "socket", "ssl", "threading", "time"}

#: Packages that are used where they are installed, and missed nowhere else.
OPTIONAL = {"MySQLdb", "pycurl", "simplejson"}

#: Gone from the standard library in Python 3.12 and 3.13.
REMOVED = (
    "aifc asynchat asyncore audioop cgi cgitb chunk crypt distutils imghdr imp lib2to3 mailcap msilib nis"
    " nntplib ossaudiodev pipes smtpd sndhdr spwd sunau telnetlib uu xdrlib"
)

#: Names that hold secrets: compared with `hmac.compare_digest`, never with ``==`` (it takes longer the
#: more octets agree).
SECRET_WORDS = {"signature", "token", "secret", "digest", "hexdigest", "password", "hmac"}

#: Functions that use the assert statement, which ``python -O`` leaves out: each for an invariant of our own
#: (the state before, what the type checker cannot see), none for what a peer or a caller gave.
ASSERTS = {
    "httpserver.HTTPConnection._enter",
    "httpserver.HTTPConnection._begin_stream",
    "httpserver.HTTPConnection._on_body",
    "iostream.IOStream._read_remains",
    "iostream.SSLIOStream._do_handshake",
    "web.RequestHandler._masked_xsrf_token",
    "wire.http1._parse_length",
}


class Module:
    """One module of the package: its dotted name below `tornado`, its source and its tree."""

    def __init__(self, path: pathlib.Path) -> None:
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        self.name = ".".join(part for part in parts if part != "__init__")
        self.is_package = parts[-1] == "__init__"
        self.source = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.source)


@functools.cache
def modules() -> dict[str, Module]:
    """Return the modules of the package by name, the tests left out; the package itself is ""."""
    paths = (path for path in PACKAGE.rglob("*.py") if "test" not in path.relative_to(PACKAGE).parts)
    return {module.name: module for module in map(Module, sorted(paths))}


def is_for_types(node: ast.If) -> bool:
    """Say whether *node* is ``if TYPE_CHECKING:``, whose body never runs."""
    return ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


Import = ast.Import | ast.ImportFrom


def imports(node: ast.AST, late: bool = False) -> Iterator[tuple[Import, bool]]:
    """Yield each import statement under *node*, and whether it stands inside a function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, late
        elif isinstance(child, ast.If) and is_for_types(child):
            for other in child.orelse:
                yield from imports(other, late)
        else:
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from imports(child, late or is_function)


def targets(module: Module, node: Import) -> Iterator[str]:
    """Yield the full dotted names of the modules that *node* imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = node.module or ""
    if node.level:
        here = ["tornado", *filter(None, module.name.split("."))]
        above = here[: len(here) - node.level + module.is_package]
        base = ".".join([*above, base] if base else above)
    for alias in node.names:
        inner = f"{base}.{alias.name}".removeprefix("tornado.")
        yield f"tornado.{inner}" if inner in modules() and base.startswith("tornado") else base


def edges(module: Module, late: bool) -> set[str]:
    """Return what *module* imports of the package, at its top or *late*, the package itself left out."""
    found = {
        target
        for node, is_late in imports(module.tree)
        if is_late == late
        for target in targets(module, node)
    }
    return {target.removeprefix("tornado.") for target in found if target.startswith("tornado.")}


def foreign(module: Module) -> set[str]:
    """Return the top-level names of what *module* imports from outside the package, late or not."""
    found = {target for node, _ in imports(module.tree) for target in targets(module, node)}
    return {target.partition(".")[0] for target in found} - {"tornado"}


class ImportTest(unittest.TestCase):
    """The tables above, and what may come from outside."""

    maxDiff = None

    def assert_table(self, table: dict[str, str], late: bool) -> None:
        different = []
        for name in sorted(modules().keys() | table.keys()):
            code = edges(modules()[name], late) if name in modules() else set()
            row = set(table.get(name, "").split())
            if code != row:
                different.append(f"{name}: only the code has {code - row}, only the table {row - code}")
        self.assertEqual(different, [])

    def test_imports_at_the_top(self) -> None:
        self.assert_table(IMPORTS, late=False)
        self.assertEqual(set(IMPORTS), set(modules()) - {""}, "every module has a line")

    def test_late_imports(self) -> None:
        self.assert_table(LATE_IMPORTS, late=True)

    def test_late_imports_say_why(self) -> None:
        for name, module in modules().items():
            lines = module.source.splitlines()
            for node, late in imports(module.tree):
                if late and any(target.startswith("tornado.") for target in targets(module, node)):
                    place = lines[max(0, node.lineno - 2) : node.lineno]
                    self.assertTrue(any("#" in line for line in place), f"{name}:{node.lineno} has no reason")

    def test_no_cycles(self) -> None:
        done: set[str] = set()
        left = {name: edges(module, late=False) for name, module in modules().items()}
        while ready := [name for name, targets in left.items() if targets <= done]:
            done.update(ready)
            left = {name: targets for name, targets in left.items() if name not in done}
        self.assertEqual(left, {})

    def test_the_wire_reads_bytes_and_nothing_else(self) -> None:
        for name, module in modules().items():
            if name.partition(".")[0] == "wire":
                with self.subTest(name):
                    self.assertEqual(foreign(module) & NOT_ON_THE_WIRE, set())

    def test_standard_library_only(self) -> None:
        allowed = set(sys.stdlib_module_names) | OPTIONAL
        for name, module in modules().items():
            with self.subTest(name):
                self.assertEqual(foreign(module) - allowed, set())
                self.assertEqual(foreign(module) & {"asyncio", *REMOVED.split()}, set())

    def test_each_imports_alone(self) -> None:
        """In a new interpreter, without site-packages, so without every optional package."""
        names = [f"tornado.{name}".rstrip(".") for name in modules()]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for name, output in zip(names, pool.map(self.import_alone, names), strict=True):
                with self.subTest(name):
                    self.assertEqual(output, "")

    @staticmethod
    def import_alone(name: str) -> str:
        command = [sys.executable, "-S", "-W", "error", "-c", f"import {name}"]
        ended = subprocess.run(
            command, cwd=PACKAGE.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return ended.stdout or (f"exit status {ended.returncode}" if ended.returncode else "")


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def is_spoken_for(node: Definition) -> bool:
    """Say whether *node* needs no docstring: an overload, or the setter beside a documented property."""
    decorators = [ast.unparse(each) for each in node.decorator_list]
    return any(re.search(r"(^|\.)(overload|setter|deleter)$", each) for each in decorators)


def public(node: ast.AST, prefix: str) -> Iterator[tuple[str, Definition]]:
    """Yield the public classes and functions in *node*, and the public methods of public classes."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition):
            name = f"{prefix}.{child.name}"
            if not child.name.startswith("_"):
                yield name, child
                if isinstance(child, ast.ClassDef):
                    yield from public(child, name)
        elif isinstance(child, ast.If | ast.Try | ast.With | ast.ExceptHandler):
            yield from public(child, prefix)


class DocstringTest(unittest.TestCase):
    """Who reads `help` finds something everywhere."""

    def test_every_public_name_has_one(self) -> None:
        silent = [
            name
            for module in modules().values()
            for name, node in public(module.tree, module.name)
            if not is_spoken_for(node) and not ast.get_docstring(node)
        ]
        silent += [name for name, module in modules().items() if not ast.get_docstring(module.tree)]
        self.assertEqual(silent, [])


def compared_names(node: ast.expr) -> Iterator[str]:
    """Yield the name that *node* goes by in a comparison: ``x.token``, ``d["token"]``, ``h.digest()``."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Call):
        yield from compared_names(node.func)
    elif isinstance(node, ast.Subscript):
        yield from compared_names(node.value)
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            yield node.slice.value
    elif isinstance(node, ast.NamedExpr):
        yield from compared_names(node.target)


def words(name: str) -> set[str]:
    """Return the words of an identifier, in either style: ``hmacDigest`` and ``hmac_digest`` have two."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", name)}


def insecure_comparisons(tree: ast.AST) -> Iterator[ast.Compare]:
    """Yield each ``==`` and ``!=`` with a name on either side that has one of the secret words."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(isinstance(each, ast.Eq | ast.NotEq) for each in node.ops):
            names = (name for side in [node.left, *node.comparators] for name in compared_names(side))
            if any(words(name) & SECRET_WORDS for name in names):
                yield node


def functions_with_asserts(node: ast.AST, prefix: str) -> Iterator[str]:
    """Yield the dotted name of what holds each assert statement under *node*."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Assert):
            yield prefix
        elif isinstance(child, Definition):
            yield from functions_with_asserts(child, f"{prefix}.{child.name}")
        else:
            yield from functions_with_asserts(child, prefix)


class CarefulCodeTest(unittest.TestCase):
    """What is easily written and hard to see."""

    def test_secrets_are_compared_in_constant_time(self) -> None:
        found = [
            f"{name}:{node.lineno}: {ast.unparse(node)}"
            for name, module in modules().items()
            for node in insecure_comparisons(module.tree)
        ]
        self.assertEqual(found, [])

    def test_the_test_for_secrets_sees_them(self) -> None:
        rows = [
            ("token == given", 1),
            ("given != self.xsrf_token", 1),
            ("hmac.new(key, data).hexdigest() == given", 1),
            ("settings['cookie_secret'] == ''", 1),
            ("(userPassword := read()) == given", 1),
            ("len(token) == 4", 0),
            ("tokenizer == x", 0),
            ("token is None", 0),
        ]
        for source, count in rows:
            with self.subTest(source):
                self.assertEqual(len(list(insecure_comparisons(ast.parse(source)))), count)

    def test_input_is_not_checked_by_assert(self) -> None:
        found = {
            place for name, module in modules().items() for place in functions_with_asserts(module.tree, name)
        }
        self.assertEqual(found, ASSERTS)


if __name__ == "__main__":
    unittest.main()

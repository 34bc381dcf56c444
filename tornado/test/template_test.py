"""Tests of tornado.template."""

import doctest
import gc
import linecache
import os
import pathlib
import re
import tempfile
import threading
import traceback
import types
import unittest
from collections.abc import Callable
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tornado import escape, template
from tornado.template import BaseLoader, DictLoader, Loader, ParseError, Template
from tornado.util import UsageTypeError


class Text(str):
    """A subclass whose content counts, not what `str` makes of it."""

    def __str__(self) -> str:
        return "something else"


class Octets(bytes):
    """A subclass of bytes."""


class Page:
    """An object that is HTML, as those of form libraries and markupsafe are."""

    def __init__(self, html: str | bytes) -> None:
        self.html = html

    def __html__(self) -> str | bytes:
        return self.html

    def __str__(self) -> str:
        return "str of <page>"


class Word:
    """An object that is not."""

    def __str__(self) -> str:
        return "<word>"


def module(number: int) -> bytes:
    """Return what a UI module would."""
    return b"<i>%d</i>" % number


#: What the templates of the tables below can use.
NAMES: dict[str, Any] = {
    "x": "<x>",
    "none": None,
    "octets": b"\xc3\xa9<",
    "bad_octets": b"\xff<",
    "numbers": [1, 2, 3],
    "pairs": [("a", 1), ("b", 2)],
    "upper": lambda octets: octets.upper(),
    "text_upper": lambda octets: octets.decode().upper(),
    "modules": types.SimpleNamespace(Item=module),
    "call": lambda *arguments: repr(arguments),
    "text": Text("<text>"),
    "page": Page("<page>"),
    "word": Word(),
}

#: What the class prints, escaped.
CLASS = f"&lt;class &#39;{Page.__module__}.Page&#39;&gt;"

PRINTED = [  # name, template, output
    ("text", "plain \xe9", "plain \xe9"),
    ("nothing", "", ""),
    ("expression", "a{{ x.strip('<>') }}b{{x.strip('<>')}}c", "axbxc"),
    ("conditional", "{{ 1 if x else 2 }}", "1"),
    ("dict", "{{ {'a': 1}['a'] }}", "1"),
    ("lambda", "{{ (lambda a, b=2: a + b)(1) }}", "3"),
    ("comprehension", "{{ [n + 1 for n in numbers] }}", "[2, 3, 4]"),
    ("star", "{{ *numbers, 4 }}", "(1, 2, 3, 4)"),
    ("walrus", "{{ (y := 5) }}{{ y }}", "55"),
    ("builtins", "{{ len(numbers) }}", "3"),
    ("comment in Python", "{{ 1 # one\n }}", "1"),
    # what is printed
    ("none", "{{ none }}", "None"),
    ("numbers", "{{ 1 }} {{ -2.5 }} {{ True }} {{ 10**20 }}", "1 -2.5 True 100000000000000000000"),
    ("text is escaped", "{{ x }}{{ '&' }}{{ '\"' }}{{ \"'\" }}", "&lt;x&gt;&amp;&quot;&#39;"),
    ("bytes are text", "{{ octets }}", "\xe9&lt;"),
    ("subclass", "{{ text }}", "&lt;text&gt;"),
    ("other objects", "{{ word }}{{ ['<'] }}", "&lt;word&gt;[&#39;&lt;&#39;]"),
    ("HTML", "{{ page }}", "<page>"),
    ("HTML, escaped by hand", "{{ escape('<') }}{{ xhtml_escape('&') }}", "&lt;&amp;"),
    ("HTML, linkified", "{{ linkify('www.a.b &') }}", '<a href="http://www.a.b">www.a.b</a> &amp;'),
    ("HTML, as bytes", "{{ marked_octets }}", "<marked \xe9>"),
    ("made of HTML", "{{ '<b>' + escape('<') }}", "&lt;b&gt;&amp;lt;"),
    ("escaped twice by hand", "{{ escape(escape('<')) }}", "&amp;lt;"),
    ("the class itself is no HTML", "{{ type(page) }}", CLASS),
    ("raw", "{% raw x %}{% raw octets %}{% raw none %}{% raw 1 %}{% raw text %}", "<x>\xe9<None1<text>"),
    ("raw page", "{% raw page %}", "str of <page>"),
    # names
    (
        "names",
        "{{ url_escape('/') }}{{ json_encode('</') }}{{ squeeze(' a  b ') }}",
        "%2F&quot;&lt;\\/&quot;a b",
    ),
    ("datetime", "{{ datetime.date(2011, 6, 21) }}", "2011-06-21"),
    # braces
    ("three", "{{{x.strip('<>')}}}", "{x}"),
    ("six", "{{{{{{ 1 }}}}}}", "{{{{1}}}}"),
    ("block in braces", "{ {% if 1 %}a{% end %}}", "{ a}"),
    ("single", "{ } {a} {, { {", "{ } {a} {, { {"),
    ("last", "a{", "a{"),
    ("closing alone", "}} %} #}", "}} %} #}"),
    ("escaped expression", "{{!x}} {{! x }}{{ 1 }}", "{{x}} {{ x }}1"),
    ("escaped block", "{%!if x %}{%! end %}", "{%if x %}{% end %}"),
    ("escaped comment", "{#! no comment #}", "{# no comment #}"),
    ("escaped, then none", "{{!{{ 1 }}", "{{1"),
    ("escaped at the end", "{{!", "{{"),
    ("two marks", "{{!!", "{{!"),
    ("expression ends at the first", "{{ 1 }}}}", "1}}"),
    # comments
    ("comment", "a{# b {{ c }} {% d %} #}e", "ae"),
    ("long comment", "a{#\n\n#}e", "ae"),
    ("empty comment", "a{##}e", "ae"),
    ("comment directive", "a{% comment b {{ c }} %}d{% comment %}e", "ade"),
    # if
    ("if", "{% if x %}a{% end %}{% if none %}b{% end %}", "a"),
    ("else", "{% if none %}a{% else %}b{% end %}", "b"),
    ("elif", "{% for n in numbers %}{% if n == 1 %}a{% elif n == 2 %}b{% else %}c{% end %}{% end %}", "abc"),
    ("empty bodies", "{% if x %}{% elif 1 %}{% else %}{% end %}a", "a"),
    ("only a comment in it", "{% if x %}{# a #}{% end %}{% for n in numbers %}{% comment %}{% end %}", ""),
    ("what end ends", "{% if x %}a{% end if %}{% for n in numbers %}{% end for it %}", "a"),
    ("no blanks", "{%if x%}a{%else%}b{%end%}", "a"),
    # loops
    ("for", "{% for n in numbers %}{{ n }},{% end %}{{ n }}", "1,2,3,3"),
    ("for pairs", "{% for a, (b) in pairs %}{{ a }}{{ b }}{% end %}", "a1b2"),
    ("for in a tuple", "{% for a in 1, 2 %}{{ a }}{% end %}", "12"),
    ("for else", "{% for a in [] %}{{ a }}{% else %}b{% end %}", "b"),
    ("while", "{% set n = 3 %}{% while n %}{{ n }}{% set n -= 1 %}{% end %}", "321"),
    ("while else", "{% while none %}a{% else %}b{% end %}", "b"),
    ("break", "{% for n in numbers %}{{ n }}{% if n == 2 %}{% break %}{% end %}{% else %}a{% end %}", "12"),
    ("continue", "{% for n in numbers %}{% if n == 2 %}{% continue %}{% end %}{{ n }}{% end %}", "13"),
    ("break in try", "{% while 1 %}{% try %}{% break %}{% finally %}a{% end %}{% end %}", "a"),
    ("nested loops", "{% for a in 'ab' %}{% for b in 'cd' %}{{ a + b }}{% end %}|{% end %}", "acad|bcbd|"),
    # try
    ("except", "{% try %}a{{ 1/0 }}b{% except ZeroDivisionError %}c{% end %}", "ac"),
    ("text in front is kept", "{% try %}{{ 1 }}a{{ 2 }}{{ nosuch }}{% except %}b{% end %}", "1a2b"),
    ("except as", "{% try %}{{ 1/0 }}{% except Exception as e %}{{ e }}{% end %}", "division by zero"),
    (
        "several",
        "{% try %}{{ [][0] }}{% except KeyError %}a{% except (IndexError, OSError) %}b{% end %}",
        "b",
    ),
    ("try else", "{% try %}a{% except %}b{% else %}c{% finally %}d{% end %}", "acd"),
    ("finally", "{% try %}a{% finally %}b{% end %}", "ab"),
    ("name error", "{% try %}{{ nosuch }}{% except NameError as e %}{{ e.name }}{% end %}", "nosuch"),
    # statements
    ("set", "{% set y = x + '!' %}{% raw y %}", "<x>!"),
    ("set several", "{% set a, *b = numbers %}{% set c = d = 4 %}{{ a }}{{ b }}{{ c }}{{ d }}", "1[2, 3]44"),
    ("set two", "{% set a = 1; b = 2 %}{{ a }}{{ b }}", "12"),
    ("set in place", "{% set a = 1 %}{% set a += 1 %}{{ a }}", "2"),
    ("set an item", "{% set d = {} %}{% set d['a'] = 1 %}{{ d['a'] }}", "1"),
    ("set by a call", "{% set a = [] %}{% set a.append(1) %}{{ a }}", "[1]"),
    ("set with a type", "{% set a: int = 1 %}{{ a }}", "1"),
    ("delete", "{% set a = 1 %}{% set del a %}{% try %}{{ a }}{% except NameError %}b{% end %}", "b"),
    ("import", "{% import os.path %}{{ os.path.basename('a/b') }}", "b"),
    ("import as", "{% import os.path as p, re %}{{ p.basename('a/b') }}{{ re.sub('a', 'b', 'a') }}", "bb"),
    ("from", "{% from os.path import basename, dirname as d %}{{ basename('a/b') }}{{ d('a/b') }}", "ba"),
    # apply
    ("apply", "a{% apply upper %}b{{ x }}{% end %}c", "aB&LT;X&GT;c"),
    ("apply text", "{% apply text_upper %}\xe9<{% end %}", "\xc9<"),
    ("apply nested", "{% apply upper %}a{% apply lambda b: b + b %}b{% end %}c{% end %}", "ABBC"),
    ("apply an expression", "{% apply {'f': upper}['f'] %}a{% end %}", "A"),
    ("apply nothing", "{% apply upper %}{% end %}", ""),
    ("apply to number", "{% apply len %}\xe9{% end %}", "2"),
    ("apply sees variables", "{% set y = 1 %}{% apply upper %}{{ y }}{% set z = 2 %}{{ z }}{% end %}", "12"),
    (
        "apply has its own",
        "{% apply upper %}{% set z = 2 %}{% end %}{% try %}{{ z }}{% except NameError %}a{% end %}",
        "a",
    ),
    ("apply in a loop", "{% for n in numbers %}{% apply upper %}{{ n }}{% end %}{% end %}", "123"),
    ("loop in apply", "{% apply upper %}{% for n in 'ab' %}{% break %}{% end %}{{ n }}{% end %}", "A"),
    ("control in apply in control", "{% if x %}{% apply upper %}{% if x %}a{% end %}{% end %}{% end %}", "A"),
    # modules
    ("module", "{% module Item(1) %}{% module Item(2).upper() %}", "<i>1</i><I>2</I>"),
    ("module over lines", "{% module\n\n Item(\n1) %}", "<i>1</i>"),
    # blocks
    ("block", "a{% block b %}c{% end %}d", "acd"),
    ("nested blocks", "{% block a %}b{% block c %}d{% end %}e{% end %}", "bde"),
    ("last body of a name", "{% block a %}b{% end %}-{% block a %}c{% end %}", "c-c"),
    ("a block in a block of its name", "{% block a %}b{% block a %}c{% end %}{% end %}", "c"),
    ("block in a loop", "{% for n in numbers %}{% block a %}{{ n }}{% end %}{% end %}", "123"),
    ("block shares variables", "{% block a %}{% set y = 1 %}{% end %}{{ y }}", "1"),
    ("block in apply", "{% apply upper %}{% block a %}b{% end %}{% end %}", "B"),
    # autoescape
    ("none at all", "{{ x }}{% autoescape None %}", "<x>"),
    ("by its other name", "{% autoescape escape %}{{ x }}{{ page }}", "&lt;x&gt;<page>"),
    ("bytes to bytes", "{% autoescape upper %}{{ 'a\xe9' }}{{ 1.5 }}{{ octets }}", "A\xe91.5\xe9<"),
    ("bytes to text", "{% autoescape text_upper %}{{ 'a\xe9' }}{{ octets }}", "A\xc9\xc9<"),
    ("lambda", "{% autoescape (lambda value: repr(value)) %}{{ x }}", "b'<x>'"),
    ("attribute", "{% autoescape bytes.upper %}{{ x }}", "<X>"),
    ("last", "{% autoescape None %}{{ x }}{% autoescape upper %}", "<X>"),
    ("variable", "{% autoescape f %}{% set f = upper %}{{ x }}", "<X>"),
    ("raw in it", "{% autoescape upper %}{% raw x %}", "<x>"),
    ("HTML in it", "{% autoescape upper %}{{ page }}{{ escape('<') }}", "<page>&lt;"),
    ("HTML in JSON", "{% autoescape json_encode %}{{ linkify('<') }}{{ x }}{{ 1 }}", '"&lt;""<x>""1"'),
    (
        "HTML in a URL",
        "{% autoescape url_escape %}{{ page }}?{{ escape('<') }}",
        "str+of+%3Cpage%3E?%26lt%3B",
    ),
    # several lines
    ("expression over lines", "{{ 1\n  + 2\n}}", "3"),
    ("operator over lines", "{{\n\n1 }}{%\n if\n x\n %}a{%\nend\n%}", "1a"),
    ("call over lines", "{{ call(1,\n  2) }}", "(1, 2)"),
    ("condition over lines", "{% if x and\n  none is None %}a{% end %}", "a"),
    ("loop over lines", "{% for n\n  in [1,\n 2] %}{{ n }}{% end %}", "12"),
    ("except over lines", "{% try %}{{ 1/0 }}{% except (KeyError,\n ArithmeticError) %}a{% end %}", "a"),
    ("set over lines", "{% set y = 1\n+ 2 %}{{ y }}", "3"),
    ("import over lines", "{% from os.path import (basename,\n dirname) %}{{ dirname('a/b') }}", "a"),
    ("CRLF", "{{ 1\r\n  + 2 }}{% set\r\n y = 3\r\n %}{{ y }}", "33"),
    ("tabs", "{% set\ty\t=\t1\t%}{{\ty\t}}", "1"),
    ("string over lines", "{{ '''a\n  b''' }}", "a\n  b"),
    ("other string over lines", '{% set y = """a\nb""" %}{{ y }}', "a\nb"),
    ("comment over lines", "{{ call(1, # one\n  2) }}", "(1, 2)"),
    ("apply over lines", "{% apply\n lambda b:\n b.upper() %}a{% end %}", "A"),
    ("autoescape over lines", "{% autoescape\n  upper %}{{ x }}", "<X>"),
]


def render(source: str | bytes, **arguments: Any) -> str:
    """Return what the template *source* prints with `NAMES`."""
    marked = escape._MarkupBytes("<marked \xe9>".encode())
    return Template(source, **arguments).generate(**NAMES, marked_octets=marked).decode()


class LanguageTest(unittest.TestCase):
    def test_table(self) -> None:
        for name, source, wanted in PRINTED:
            with self.subTest(name):
                self.assertEqual(render(source), wanted)
                self.assertEqual(render(source.encode()), wanted)

    def test_result_is_markup_in_bytes(self) -> None:
        result = Template("<{{ x }}>").generate(x="\xe9")
        self.assertEqual(result, b"<\xc3\xa9>")
        self.assertIsInstance(result, bytes)
        self.assertEqual(Template("{{ inner }}").generate(inner=result), result)
        self.assertEqual(Template("{{ inner }}").generate(inner=bytes(result)), b"&lt;\xc3\xa9&gt;")

    def test_bytes_that_are_not_utf8(self) -> None:
        """They are printed as they are where nothing has to read them."""
        raw = Template("\xe9{% raw bad_octets %}{{ 1 }}").generate(**NAMES)
        self.assertEqual(raw, b"\xc3\xa9\xff<1")
        self.assertEqual(Template("{% autoescape None %}{{ bad_octets }}").generate(**NAMES), b"\xff<")
        self.assertEqual(Template("{{ inner }}").generate(inner=raw), raw)
        self.assertEqual(Template("{% apply lambda b: b %}{% raw a %}{% end %}").generate(a=b"\xff"), b"\xff")
        self.assertRaises(UnicodeDecodeError, render, "{{ bad_octets }}")
        self.assertRaises(UnicodeEncodeError, render, "{% raw chr(0xd800) %}")
        self.assertRaises(UnicodeEncodeError, render, "{% raw chr(0xd800) %}{% raw bad_octets %}")

    def test_functions_get_bytes(self) -> None:
        got: list[Any] = []

        def f(value: bytes) -> str:
            got.append(value)
            return ""

        values = ["\xe9", Octets(b"\xc3\xa9"), Text("\xe9"), escape._Markup("\xe9"), 1, None]
        loader = "{% for v in values %}{{ v }}{% end %}{% apply f %}a{{ 1 }}{% end %}"
        Template(loader, autoescape="f").generate(f=f, values=values)
        self.assertEqual(got, [b"\xc3\xa9", b"\xc3\xa9", b"\xc3\xa9", b"1", b"None", b"1", b"a"])
        self.assertEqual({type(value) for value in got}, {bytes})

    def test_autoescape_functions_of_other_types(self) -> None:
        self.assertEqual(Template("{{ 1 }}", autoescape="f").generate(f=len), b"1")
        self.assertRaises(TypeError, Template("{{ 1 }}", autoescape="f").generate, f=None)
        with self.assertRaisesRegex(NameError, "'f' is not defined"):
            Template("{{ 1 }}", autoescape="f").generate()
        self.assertEqual(Template("{% raw 1 %}", autoescape="f").generate(), b"1")

    def test_namespace(self) -> None:
        loader = DictLoader({"a": "{{ x }}{{ y }}{{ datetime }}{{ '<' }}"}, namespace={"x": 1, "y": 2})
        self.assertEqual(loader.load("a").generate(y=3, datetime=4), b"134&lt;")
        loader.namespace["xhtml_escape"] = lambda value: b"[%s]" % value
        self.assertEqual(loader.load("a").generate(datetime=4), b"[1][2][4][<]")
        self.assertEqual(loader.load("a").generate(datetime=4, xhtml_escape=escape.xhtml_escape), b"124&lt;")
        self.assertEqual(Template("{{ self }}").generate(self=1), b"1")

    def test_rendering_leaves_no_trace(self) -> None:
        page = Template("{% set y = x %}{{ y }}{% if y == 1 %}{% set z = 1 %}{% end %}{{ z }}")
        self.assertEqual(page.generate(x=1), b"11")
        self.assertRaises(NameError, page.generate, x=2)

    def test_a_variable_hides_the_argument(self) -> None:
        """As in any function of Python."""
        with self.assertRaises(UnboundLocalError):
            Template("{{ x }}{% set x = 1 %}").generate(x=2)

    def test_attributes(self) -> None:
        page = Template("{% set y = 1 %}{{ y }}", name="a.txt", autoescape=None)
        self.assertEqual((page.name, page.autoescape, page.loader, page.namespace), ("a.txt", None, None, {}))
        self.assertEqual(Template("").autoescape, "xhtml_escape")
        self.assertEqual(Template("{% autoescape f %}", autoescape=None).autoescape, "f")
        self.assertIsInstance(page.compiled, types.CodeType)
        self.assertIn("y = 1", page.code)
        compile(page.code, "code", "exec")
        self.assertIsNotNone(page.file)

    def test_autoescape_is_a_name(self) -> None:
        with self.assertRaisesRegex(UsageTypeError, "autoescape got function, wanted the name"):
            Template("", autoescape=escape.xhtml_escape)  # type: ignore[arg-type]

    def test_long_templates(self) -> None:
        for piece, printed in (
            ("{{!", "{{"),
            ("{{ 1 }}", "1"),
            ("{ ", "{ "),
            ("{# #}a", "a"),
            ("\xe9\n", "\xe9\n"),
        ):
            with self.subTest(piece):
                self.assertEqual(render(piece * 3000), printed * 3000)
        self.assertEqual(render("a" * 10**6), "a" * 10**6)
        self.assertEqual(render(" \t" * 10**6, name="a.html"), " ")


WHITE_SPACE = [  # text, text as HTML; "|" stands for a directive
    ("a  b\t\tc \t d", "a b c d"),
    ("a\n\n\nb", "a\nb"),
    ("a  \n \t b", "a\nb"),
    ("a\r\n\r\nb", "a\nb"),
    ("a\r b", "a\r b"),
    ("  a  ", " a "),
    ("\n  a  \n", "\na\n"),
    ("a |  b\n\n|\n\n c", "a | b\n|\nc"),
    ("a  |  b", "a | b"),
    ("\xa0\xa0\n\xa0a", "\xa0\xa0\n\xa0a"),
    ("a\x0b  \x0cb", "a\x0b \x0cb"),
    ("a  <pre>  b\n\n c </pre>  d", None),
    ("a  |<pre>  b\n\n</pre>  |  c", "a |<pre>  b\n\n</pre>  | c"),
    ("  |  |\n\n|\t\t", " | |\n| "),
]


class WhiteSpaceTest(unittest.TestCase):
    def test_table(self) -> None:
        for text, html in WHITE_SPACE:
            html = text if html is None else html
            for directive in ("{# #}", "{% set a = 1 %}", "{% comment %}"):
                source = text.replace("|", directive)
                rows: list[tuple[str, bool | None, str]] = [
                    ("a.html", None, html),
                    ("a.js", None, html),
                    ("a.txt", None, text),
                    ("<string>", None, text),
                    ("a.txt", True, html),
                    ("a.html", False, text),
                ]
                for name, compress, wanted in rows:
                    with self.subTest(source, name=name, compress=compress):
                        printed = render(source, name=name, compress_whitespace=compress)
                        self.assertEqual(printed, wanted.replace("|", ""))

    def test_only_text_is_changed(self) -> None:
        source = "{{ 'a  b' }}{% raw '\\n\\n' %}{% apply upper %}  c{{ '  ' }}{% end %}"
        self.assertEqual(render(source, name="a.html"), "a  b\n\n C  ")

    def test_policy_is_that_of_the_template_itself(self) -> None:
        loader = DictLoader(
            {
                "base.txt": "a  b{% block c %}{% end %}",
                "page.html": "{% extends base.txt %}{% block c %}  d{% end %}",
                "list.txt": "{% include page2.html %}  e",
                "page2.html": "a  b",
            }
        )
        self.assertEqual(loader.load("page.html").generate(), b"a b d")
        self.assertEqual(loader.load("base.txt").generate(), b"a  b")
        self.assertEqual(loader.load("list.txt").generate(), b"a  b  e")
        self.assertEqual(loader.load("page2.html").generate(), b"a b")


FAMILIES: list[tuple[str, dict[str, str], str]] = [  # name, files, what "page" prints
    ("include", {"page": "a{% include b %}c", "b": "B"}, "aBc"),
    ("include in quotes", {"page": "{% include 'b' %}{% include \"b\" %}", "b": "B"}, "BB"),
    ("include of text and more", {"page": "{% include b %}", "b": "B{{ 1 }}"}, "B1"),
    ("include in a loop", {"page": "{% for n in 'xy' %}{% include b %}{% end %}", "b": "{{ n }}"}, "xy"),
    ("variables go in", {"page": "{% set y = 1 %}{% include b %}", "b": "{{ y }}"}, "1"),
    ("variables come out", {"page": "{% include b %}{{ y }}", "b": "{% set y = 1 %}"}, "1"),
    (
        "both ways",
        {"page": "{% set y = 1 %}{% include b %}{{ y }}", "b": "{% set y += 1 %}{{ y }}"},
        "22",
    ),
    (
        "variables of all kinds",
        {
            "page": "{% include b %}{{ i }}{{ j }}{{ os.sep }}{{ s }}{{ w }}{{ p }}{{ q }}",
            "b": "{% for i, (j, *k) in [(1, '23')] %}{% end %}{% import os.path %}"
            "{% from os import sep as s %}{{ (w := 4) }}{{ [p := n for n in '56'] }}"
            "{{ (lambda a=(q := 7): a)() }}",
        },
        "4[&#39;5&#39;, &#39;6&#39;]712//467",
    ),
    (
        "variables of others stay theirs",
        {
            "page": "{% include b %}{{ n }}{{ m }}",
            "b": "{{ [n for n in 'ab'] == [m := 1] or (lambda: (n := 3))() }}",
        },
        "3N1",
    ),
    (
        "exceptions",
        {
            "page": "{% include b %}{{ f }}",
            "b": "{% try %}{{ 1/0 }}{% except ArithmeticError as e %}{% set f = str(e) %}{% end %}",
        },
        "division by zero",
    ),
    (
        "name of an exception",
        {
            "page": "{% set e = 1 %}{% include b %}{% try %}{{ e }}{% except NameError %}gone{% end %}",
            "b": "{% try %}{{ 1/0 }}{% except ArithmeticError as e %}{% end %}",
        },
        "gone",
    ),
    (
        "include in include",
        {"page": "{% include b %}{{ y }}", "b": "{% include c %}{% set y += 1 %}", "c": "{% set y = 1 %}"},
        "2",
    ),
    (
        "include in apply",
        {
            "page": "{% set y = 1 %}{% apply upper %}{% include b %}{{ y }}{% end %}{{ y }}",
            "b": "b{% set y = 2 %}",
        },
        "B21",
    ),
    (
        "apply in include",
        {"page": "{% set y = 1 %}{% include b %}", "b": "{% apply upper %}b{{ y }}{% end %}"},
        "B1",
    ),
    (
        "try around an include",
        {"page": "{% try %}a{% include b %}{% except ArithmeticError %}c{% end %}", "b": "b{{ 1/0 }}"},
        "abc",
    ),
    (
        "include escapes as it says",
        {"page": "{{ x }}{% include b %}", "b": "{% autoescape None %}{{ x }}"},
        "&lt;x&gt;<x>",
    ),
    ("include relative", {"page": "{% include d/a %}", "d/a": "{% include b %}", "d/b": "B", "b": "no"}, "B"),
    ("include above", {"page": "{% include d/a %}", "d/a": "{% include ../b %}", "b": "B"}, "B"),
    ("include twice", {"page": "{% include b %}{% include b %}", "b": "{% set b = 1 %}b"}, "bb"),
    (
        "comprehension sees shared",
        {"page": "{% set y = 2 %}{% include b %}", "b": "{{ [y * n for n in [1, 2]] }}"},
        "[2, 4]",
    ),
    # inheritance
    ("extends", {"page": "{% extends b %}{% block a %}A{% end %}", "b": "<{% block a %}B{% end %}>"}, "<A>"),
    ("extends in quotes", {"page": "{% extends 'b' %}", "b": "B"}, "B"),
    ("default", {"page": "{% extends b %}", "b": "<{% block a %}B{% end %}>"}, "<B>"),
    ("only blocks", {"page": "x{{ 1/0 }}{% extends b %}{% set y = 1 %}", "b": "B"}, "B"),
    ("block the parent has not", {"page": "{% extends b %}{% block c %}C{% end %}", "b": "B"}, "B"),
    (
        "three generations",
        {
            "page": "{% extends m %}{% block a %}A{% end %}",
            "m": "{% extends b %}{% block a %}no{% end %}{% block c %}C{% end %}",
            "b": "{% block a %}no{% end %}{% block c %}no{% end %}{% block d %}D{% end %}",
        },
        "ACD",
    ),
    (
        "block in a block of the parent",
        {
            "page": "{% extends m %}{% block c %}C{% end %}",
            "m": "{% extends b %}{% block a %}<{% block c %}no{% end %}>{% end %}",
            "b": "{% block a %}no{% end %}",
        },
        "<C>",
    ),
    (
        "inner block replaced with its outer one",
        {
            "page": "{% extends b %}{% block a %}A{% end %}{% block c %}C{% end %}",
            "b": "{% block a %}{% block c %}{% end %}{% end %}",
        },
        "A",
    ),
    (
        "blocks cross over",
        {
            "page": "{% extends m %}{% block b %}B{% block a %}A{% end %}{% end %}",
            "m": "{% extends f %}{% block a %}a{% block b %}b{% end %}{% end %}",
            "f": "{% block a %}{% end %}-{% block b %}{% end %}",
        },
        "A-BA",
    ),
    (
        "block twice",
        {
            "page": "{% extends b %}{% block a %}A{% end %}",
            "b": "{% block a %}{% end %}{% block a %}{% end %}",
        },
        "AA",
    ),
    (
        "block of an included file",
        {
            "page": "{% extends b %}{% block a %}A{% end %}",
            "b": "<{% include c %}>",
            "c": "({% block a %}no{% end %}{% block d %}D{% end %})",
        },
        "<(AD)>",
    ),
    (
        "block of the includer",
        {"page": "{% include b %}{% block a %}A{% end %}", "b": "{% block a %}no{% end %}"},
        "AA",
    ),
    (
        "include in a block",
        {
            "page": "{% extends b %}{% block a %}{% include c %}{% end %}",
            "b": "<{% block a %}{% end %}>",
            "c": "C",
        },
        "<C>",
    ),
    (
        "block escapes as its file says",
        {
            "page": "{% extends b %}{% autoescape None %}{% block a %}{{ x }}{% end %}",
            "b": "{{ x }}{% block a %}{% end %}{% block c %}{{ x }}{% end %}",
        },
        "&lt;x&gt;<x>&lt;x&gt;",
    ),
    (
        "block shares variables",
        {
            "page": "{% extends b %}{% block a %}{{ y }}{% set y = 2 %}{% set z = 3 %}{% end %}",
            "b": "{% set y = 1 %}{% block a %}{% end %}{{ y }}{{ z }}",
        },
        "123",
    ),
    (
        "block in a loop",
        {
            "page": "{% extends b %}{% block a %}{{ n }}{% end %}",
            "b": "{% for n in 'xy' %}{% block a %}{% end %}{% end %}",
        },
        "xy",
    ),
    (
        "block in apply",
        {
            "page": "{% extends b %}{% block a %}{{ y }}{% set y = 3 %}{% end %}",
            "b": "{% set y = 1 %}{% apply upper %}{% set y = 2 %}"
            "{% block a %}{% end %}{{ y }}{% end %}{{ y }}",
        },
        "231",
    ),
    ("parent relative", {"page": "{% extends d/a %}", "d/a": "{% extends b %}", "d/b": "B"}, "B"),
    (
        "empty block",
        {"page": "{% extends b %}{% block a %}{% end %}", "b": "<{% block a %}no{% end %}>"},
        "<>",
    ),
    (
        "deep",
        {"page": "{% extends 0 %}{% block a %}A{% end %}", "49": "{% block a %}{% end %}"}
        | {str(n): f"{{% extends {n + 1} %}}{{% block a %}}{n}{{% end %}}" for n in range(49)},
        "A",
    ),
]


class FamilyTest(unittest.TestCase):
    """Files that include and extend one another."""

    def test_table(self) -> None:
        for name, files, wanted in FAMILIES:
            with self.subTest(name):
                page = DictLoader(files).load("page")  # type: ignore[arg-type]
                self.assertEqual(page.generate(**NAMES, n="N").decode(), wanted)
                compile(page.code, "code", "exec")

    def test_the_same_from_files(self) -> None:
        for name, files, wanted in FAMILIES:
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                for file, text in files.items():
                    path = pathlib.Path(folder, file)
                    path.parent.mkdir(exist_ok=True)
                    path.write_text(text, encoding="utf-8")
                page = Loader(folder).load("page")
                self.assertEqual(page.generate(**NAMES, n="N").decode(), wanted)

    def test_autoescape_of_the_loader(self) -> None:
        files: dict[str, str | bytes] = {"a": "{{ '<' }}", "b": "{% autoescape xhtml_escape %}{{ '<' }}"}
        loader = DictLoader(files, autoescape=None)
        self.assertEqual(loader.load("a").generate(), b"<")
        self.assertEqual(loader.load("b").generate(), b"&lt;")
        self.assertEqual(DictLoader(files).load("a").generate(), b"&lt;")
        self.assertEqual(DictLoader(files, autoescape="f").load("a").generate(f=lambda b: b + b), b"<<")
        self.assertEqual(Template("{{ '<' }}{% include a %}", loader=loader).generate(), b"<<")
        own = Template("{{ '<' }}{% include a %}", loader=loader, autoescape="xhtml_escape")
        self.assertEqual(own.generate(), b"&lt;<")


def at(source: str, problem: str, line: int = 1, name: str = "page.html") -> tuple[str, str, str, int, str]:
    """Return a row of the table of errors."""
    return f"{problem} {source[:40]!r}", source, problem, line, name


FILES: dict[str, str | bytes] = {
    "parent.html": "{% block a %}{% end %}",
    "child.html": "{% extends parent.html %}",
    "loop.html": "{% include loop2.html %}",
    "loop2.html": "\n{% include loop.html %}",
    "self.html": "{% extends self.html %}",
    "broken.html": "\n\n{% if x %}",
    "broken_python.html": "\n{{ 1 + }}",
    "not_utf8.html": b"\n\n\xff",
}

ERRORS = [
    at("{{", "{{ without }}"),
    at("a\n\n b {{ x", "{{ without }}", 3),
    at("{{ x %}", "{{ without }}"),
    at("\n{% if x", "{% without %}", 2),
    at("{% if x }}\n", "{% without %}"),
    at("\n\n\n{# x", "{# without #}", 4),
    at("{{ 1\n}}{{ 2\n }}{{ 3", "{{ without }}", 3),
    at("a\n{{ }}", "empty {{ }}", 2),
    at("a\n{{}}", "empty {{ }}", 2),
    at("\n\n{%\n%}", "empty {% %}", 3),
    at("{% nosuch %}", "unknown operator 'nosuch'"),
    at("\n{% endif %}", "unknown operator 'endif'", 2),
    at("{% if(x) %}{% end %}", "unknown operator 'if(x)'"),
    at("a\n{% end %}", "extra {% end %}", 2),
    at("{% if x %}{% end %}{% end\n %}", "extra {% end %}"),
    at("a\n{% if x %}\n", "{% if %} without {% end %}", 2),
    at("{% for x in y %}{% while x %}\n{% end %}", "{% for %} without {% end %}"),
    at("\n{% block a %}{% try %}{% except %}{% end %}", "{% block %} without {% end %}", 2),
    at("\n{% apply f %}", "{% apply %} without {% end %}", 2),
    at("\n{%\n if x %}", "{% if %} without {% end %}", 2),
    at("{% else %}", "{% else %} outside of if or for or while or try"),
    at("\n{% elif x %}", "{% elif %} outside of if", 2),
    at("{% except %}", "{% except %} outside of try"),
    at("{% finally %}", "{% finally %} outside of try"),
    at("{% for x in y %}\n{% elif x %}{% end %}", "{% elif %} outside of if, in {% for %}", 2),
    at("{% if x %}{% except %}{% end %}", "{% except %} outside of try, in {% if %}"),
    at("{% while x %}{% finally %}{% end %}", "{% finally %} outside of try, in {% while %}"),
    at("{% block a %}{% else %}{% end %}", "{% else %} outside of if or for or while or try, in {% block %}"),
    at("{% if x %}{% block a %}{% else %}{% end %}{% end %}", "{% else %} outside of"),
    at("{% break %}", "{% break %} outside of a loop"),
    at("{% if x %}\n{% continue %}{% end %}", "{% continue %} outside of a loop", 2),
    at("{% for x in y %}{% apply f %}{% break %}{% end %}{% end %}", "{% break %} outside of a loop"),
    at("{% for x in y %}{% block f %}{% break %}{% end %}{% end %}", "{% break %} outside of a loop"),
    at("\n{% extends %}", "{% extends %} lacks a file", 2),
    at("{% extends '' %}", "{% extends '' %} lacks a file"),
    at('{% include "" %}', '{% include "" %} lacks a file'),
    at("{% include %}", "{% include %} lacks a file"),
    at("{% set\n%}", "{% set %} lacks an assignment"),
    at("{% import %}", "{% import %} lacks a module"),
    at("{% from %}", "{% from %} lacks a module"),
    at("{% apply %}{% end %}", "{% apply %} lacks a function"),
    at("{% block %}{% end %}", "{% block %} lacks a name"),
    at("{% raw %}", "{% raw %} lacks an expression"),
    at("{% module %}", "{% module %} lacks a UI module"),
    at("{% autoescape %}", "{% autoescape %} lacks the name of a function, or None"),
    at("{% extends parent.html %}\n{% extends parent.html %}", "second {% extends %}", 2),
    at("{% if x %}{% extends parent.html %}{% end %}", "{% extends %} in {% if %}"),
    at("\n{% block b %}\n{% extends parent.html %}{% end %}", "{% extends %} in {% block %}", 3),
    at("\n{% include child.html %}", "child.html, which extends another file, is included", 2),
    at(
        "\n{% if 1 %}{% include loop.html %}{% end %}",
        "template contains itself: loop.html > loop2.html > loop.html",
        2,
        "loop2.html",
    ),
    at("{% extends self.html %}", "template contains itself: self.html > self.html", 1, "self.html"),
    at("a{% include broken.html %}", "{% if %} without {% end %}", 3, "broken.html"),
    at("{% include not_utf8.html %}", "file is not UTF-8 (invalid start byte)", 3, "not_utf8.html"),
    at("a\n\ud800", "text cannot be encoded (surrogates not allowed)", 2),
    at("{% if x %}" * 5000, "nested too deeply"),
    at("{% block x %}" * 5000, "nested too deeply"),
]

PYTHON_ERRORS = [  # template, message, line, the character it is at
    ("{{ 1 + }}", "invalid syntax", 1, 7),
    ("\n  {{ a b }}", "invalid syntax", 2, 8),
    ("\xe9\u20ac{{ 'x' y }}", "invalid syntax", 1, 10),
    ("{{ a) + (b }}", "unmatched ')'", 1, 5),
    ("{{ (a }}", "'(' was never closed", 1, 4),
    ("\n{{ 'a }}", "unterminated string literal", 2, 4),
    ("{{ a\n  b }}", "invalid syntax", 2, 3),
    ("{{\n\n a b }}", "invalid syntax", 3, 4),
    ("{{ f(a,\n  b c) }}", "invalid syntax", 2, 3),
    ("{{ x = 1 }}", "wanted an expression", 1, 4),
    ("{{ a; b }}", "wanted an expression", 1, 4),
    ("{{% if 1 %}}", "invalid syntax", 1, None),
    ("{{ # a }}", "wanted an expression", 1, 4),
    ("{{ pass }}", "wanted an expression", 1, 4),
    ("{{ \x00 }}", "null bytes", 1, None),
    ("\n{{ " + "(" * 300 + " }}", "too many nested parentheses", 2, None),
    ("\n{{ " + "-" * 50000 + "1 }}", "too complex", 2, None),
    ("{{ [1 for x in y := 1] }}", "", 1, None),
    ("\n{{ yield x }}", "'yield' makes no sense", 2, 4),
    ("\n{{ (yield from\n x) }}", "'yield' makes no sense", 2, 5),
    ("\n{{ await x }}", "'await' outside", 2, None),
    ("\n{% set x = %}", "invalid syntax", 2, None),
    ("{% set return %}", "wanted an assignment or import", 1, 8),
    ("{% set global x %}", "wanted an assignment or import", 1, 8),
    ("{% set if x: pass %}", "wanted an assignment or import", 1, 8),
    ("{% set 1 = x %}", "cannot assign to literal", 1, 8),
    ("\n{% import 1 %}", "invalid syntax", 2, 11),
    ("{% from x %}", "invalid syntax", 1, None),
    ("\n{% from os import * %}", "import * only allowed at module level", 2, None),
    ("{% from __future__ import division %}", "from __future__ imports must occur", 1, None),
    ("\n{% if %}{% end %}", "invalid syntax", 2, None),
    ("{% if x: %}{% end %}", "invalid syntax", 1, None),
    ("\n{% if x = 1 %}{% end %}", "invalid syntax. Maybe you meant", 2, 7),
    ("{% if x %}\n{% elif %}{% end %}", "invalid syntax", 2, None),
    ("{% if x %}\n{% else x %}{% end %}", "", 2, None),
    ("{% if x %}\n{% else %}\n{% else %}{% end %}", "invalid syntax", 3, 4),
    ("{% if x %}\n{% else %}\n{% elif x %}{% end %}", "invalid syntax", 3, 4),
    ("{% for x %}{% end %}", "", 1, None),
    ("\n{% for x in y z %}{% end %}", "", 2, None),
    ("{% for x in y %}\n{% else %}{% else %}{% end %}", "invalid syntax", 2, 14),
    ("{% while %}{% end %}", "invalid syntax", 1, None),
    ("\n{% try %}{% end %}", "expected 'except' or 'finally' block", 2, None),
    ("\n{% try x %}{% end %}", "", 2, None),
    ("{% try %}{% except %}\n{% except A %}{% end %}", "default 'except:' must be last", None, None),
    ("{% try %}{% except A b %}{% end %}", "", 1, None),
    ("{% try %}{% finally %}\n{% except A %}{% end %}", "invalid syntax", 2, None),
    ("{% if x # comment %}{% end %}", "", 1, None),
    ("{% if x:\n y\nelse: z %}{% end %}", "", None, None),
    ("{% for x in y %}{% else %}\n{% break %}{% end %}", "'break' outside loop", 2, None),
    ("\n{% raw ) %}", "unmatched ')'", 2, 8),
    ("\n{% module ) %}", "", 2, None),
    ("\n{% apply ) %}{% end %}", "unmatched ')'", 2, 10),
    ("\n{% autoescape a b %}", "invalid syntax", 2, 17),
    ("{% apply f %}\n{{ 1 + }}{% end %}", "invalid syntax", 2, 7),
    ("{% block f %}\n{{ 1 + }}{% end %}", "invalid syntax", 2, 7),
    ("{% if x %}\n{{ 1 + }}{% end %}", "invalid syntax", 2, 7),
    ("{% extends parent.html %}\n{{ 1 + }}", "invalid syntax", 2, 7),
    ("{% extends parent.html %}\n{% block a %}\n{{ 1 + }}{% end %}", "invalid syntax", 3, 7),
    ("{% extends parent.html %}\n{% block a %}\n{{ await x }}{% end %}", "'await' outside", 3, None),
    ("{% for x in y %}" * 50 + "{% end %}" * 50, "too many statically nested blocks", 1, None),
]


class ErrorTest(unittest.TestCase):
    """Each says what is wrong, in which file, on which line."""

    def load(self, source: str) -> None:
        loader = DictLoader(FILES)
        Template(source, name="page.html", loader=loader)

    def test_table(self) -> None:
        for row, source, problem, line, name in ERRORS:
            with self.subTest(row):
                with self.assertRaises(ParseError) as caught:
                    self.load(source)
                error = caught.exception
                self.assertIn(problem, str(error))
                self.assertIn(f" on line {line} of {name}", str(error))
                self.assertEqual((error.filename, error.lineno), (f"<template {name}>", line))
                self.assertNotIsInstance(error, SyntaxError)

    def test_python(self) -> None:
        for source, problem, line, offset in PYTHON_ERRORS:
            with self.subTest(source[:60]):
                with self.assertRaises(ParseError) as caught:
                    self.load(source)
                error = caught.exception
                self.assertIn(problem, str(error))
                assert isinstance(error, SyntaxError)
                self.assertEqual(error.filename, "<template page.html>")
                if line is not None:
                    self.assertEqual(error.lineno, line)
                    self.assertEqual(error.text, source.split("\n")[line - 1])
                    self.assertIn(f"(<template page.html>, line {line})", str(error))
                if offset is not None:
                    self.assertEqual(error.offset, offset)

    def test_python_shows_the_line(self) -> None:
        try:
            self.load("\n<p>{{ item.name) }}</p>")
        except SyntaxError as error:
            shown = "".join(traceback.format_exception_only(error))
        wanted = '  File "<template page.html>", line 2\n    <p>{{ item.name) }}</p>\n                   ^\n'
        self.assertIn(wanted, shown)

    def test_python_in_another_file(self) -> None:
        with self.assertRaises(SyntaxError) as caught:
            self.load("\n{% include broken_python.html %}")
        self.assertEqual(
            (caught.exception.filename, caught.exception.lineno), ("<template broken_python.html>", 2)
        )
        self.assertEqual(caught.exception.text, "{{ 1 + }}")
        self.assertEqual(
            caught.exception.__notes__, ["{% include broken_python.html %} on line 2 of page.html"]
        )

    def test_without_loader(self) -> None:
        for directive in ("extends", "include"):
            with self.subTest(directive):
                wanted = f"no loader for {{% {directive} a.html %}} on line 2 of <string>: pass "
                self.assertRaisesRegex(ParseError, wanted, Template, f"\n{{% {directive} a.html %}}")

    def test_missing_files(self) -> None:
        with self.assertRaises(KeyError) as caught:
            self.load("\n\n{% include nosuch.html %}")
        self.assertEqual(caught.exception.__notes__, ["{% include nosuch.html %} on line 3 of page.html"])
        self.assertRaises(KeyError, self.load, "{% extends nosuch.html %}")

    def test_name_of_a_string(self) -> None:
        with self.assertRaises(ParseError) as caught:
            Template("\n{% end %}")
        self.assertEqual(str(caught.exception), "extra {% end %} on line 2 of <string>")
        self.assertEqual(caught.exception.filename, "<template <string>>")
        self.assertIsNone(ParseError("of somebody else").lineno)

    def test_what_fails_is_not_kept(self) -> None:
        loader = DictLoader({"a": "{% if %}"})
        for _ in range(2):
            self.assertRaises(ParseError, loader.load, "a")
        loader.dict["a"] = "good"
        self.assertEqual(loader.load("a").generate(), b"good")
        self.assertRaises(KeyError, loader.load, "b")


def failure(page: Template, /, **arguments: Any) -> Exception:
    """Return what generating *page* raises, with its traceback (assertRaises would take it off)."""
    try:
        page.generate(**arguments)
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def frames(error: BaseException) -> list[tuple[str, int | None, str, str | None]]:
    """Return file, line, function and source of the frames of *error* that are in templates."""
    stack = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in stack if not frame.filename.endswith(".py")]
    return [(frame.filename, frame.lineno, frame.name, frame.line) for frame in inside]


TRACED = [  # name, files, frames
    ("expression", {"page": "a\nb\n <p>{{ 1/0 }}</p>"}, [("page", 3, "template", "<p>{{ 1/0 }}</p>")]),
    ("raw", {"page": "\n{% raw 1/0 %}"}, [("page", 2, "template", "{% raw 1/0 %}")]),
    ("module", {"page": "\n{% module Item(1/0) %}"}, [("page", 2, "template", "{% module Item(1/0) %}")]),
    ("set", {"page": "\n{% set x = 1/0 %}"}, [("page", 2, "template", "{% set x = 1/0 %}")]),
    ("if", {"page": "\n{% if 1/0 %}{% end %}"}, [("page", 2, "template", "{% if 1/0 %}{% end %}")]),
    ("elif", {"page": "{% if 0 %}\n{% elif 1/0 %}\n{% end %}"}, [("page", 2, "template", "{% elif 1/0 %}")]),
    ("for", {"page": "\n{% for x in 1/0 %}\n{% end %}"}, [("page", 2, "template", "{% for x in 1/0 %}")]),
    ("in for", {"page": "{% for x in 'a' %}\n{{ 1/0 }}\n{% end %}"}, [("page", 2, "template", "{{ 1/0 }}")]),
    (
        "while",
        {"page": "\n\n{% while 1/0 %}{% end %}"},
        [("page", 3, "template", "{% while 1/0 %}{% end %}")],
    ),
    (
        "in except",
        {"page": "{% try %}{{ nosuch }}\n{% except NameError %}\n{{ 1/0 }}{% end %}"},
        [("page", 3, "template", "{{ 1/0 }}{% end %}")],
    ),
    (
        "in finally",
        {"page": "{% try %}\n{% finally %}\n{{ 1/0 }}{% end %}"},
        [("page", 3, "template", "{{ 1/0 }}{% end %}")],
    ),
    ("second line of an expression", {"page": "{{ 1 +\n  1/0 }}"}, [("page", 2, "template", "1/0 }}")]),
    ("after a long comment", {"page": "{# \n\n #}{{ 1/0 }}"}, [("page", 3, "template", "#}{{ 1/0 }}")]),
    ("after an escape", {"page": "{{!\n}}\n{{ 1/0 }}"}, [("page", 3, "template", "{{ 1/0 }}")]),
    (
        "after characters that end lines elsewhere",
        {"page": "\x0b\x0c\x1c\u2028\x85\r\n{{ 1/0 }}"},
        [("page", 2, "template", "{{ 1/0 }}")],
    ),
    ("not ASCII", {"page": "\xe9\n\xe9{{ 1/0 }}\xe9"}, [("page", 2, "template", "\xe9{{ 1/0 }}\xe9")]),
    (
        "apply",
        {"page": "\n{% apply upper %}\n{{ 1/0 }}{% end %}"},
        [("page", 2, "template", "{% apply upper %}"), ("page", 3, "apply upper", "{{ 1/0 }}{% end %}")],
    ),
    (
        "lambda",
        {"page": "{% set f = lambda: 1/0 %}\n{{ f() }}"},
        [("page", 2, "template", "{{ f() }}"), ("page", 1, "<lambda>", "{% set f = lambda: 1/0 %}")],
    ),
    (
        "include",
        {"page": "\n\n{% include row %}", "row": "a\n{{ 1/0 }}"},
        [("page", 3, "template", "{% include row %}"), ("row", 2, "include", "{{ 1/0 }}")],
    ),
    (
        "lambda of an include",
        {"page": "{% include row %}\n{{ f() }}", "row": "\n\n{% set f = lambda: 1/0 %}"},
        [("page", 2, "template", "{{ f() }}"), ("row", 3, "<lambda>", "{% set f = lambda: 1/0 %}")],
    ),
    (
        "block",
        {
            "page": "{% extends base %}\n{% block a %}\n{{ 1/0 }}{% end %}",
            "base": "\n<{% block a %}{% end %}>",
        },
        [("base", 2, "template", "<{% block a %}{% end %}>"), ("page", 3, "block a", "{{ 1/0 }}{% end %}")],
    ),
    (
        "block of the frame",
        {"page": "{% extends base %}", "base": "\n{% block a %}\n{{ 1/0 }}\n{% end %}"},
        [("base", 3, "template", "{{ 1/0 }}")],
    ),
    (
        "all together",
        {
            "page": "{% extends m %}\n{% block a %}{% apply upper %}{% include row %}{% end %}{% end %}",
            "m": "{% extends base %}",
            "base": "\n\n\n{% block a %}{% end %}",
            "row": "{% for x in 'a' %}\n\n{{ 1/0 }}{% end %}",
        },
        [
            ("base", 4, "template", "{% block a %}{% end %}"),
            ("page", 2, "block a", "{% block a %}{% apply upper %}{% include row %}{% end %}{% end %}"),
            ("page", 2, "apply upper", "{% block a %}{% apply upper %}{% include row %}{% end %}{% end %}"),
            ("row", 3, "include", "{{ 1/0 }}{% end %}"),
        ],
    ),
]


class TracebackTest(unittest.TestCase):
    """Frames have the names and lines of the files, and show their text."""

    def test_table(self) -> None:
        for name, files, wanted in TRACED:
            with self.subTest(name):
                page = DictLoader(files).load("page")  # type: ignore[arg-type]
                error = failure(page, **NAMES)
                self.assertIsInstance(error, ZeroDivisionError)
                self.assertEqual(frames(error), [(f"<template {file}>", *rest) for file, *rest in wanted])

    def test_files(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "page.html")
            path.write_text("<p>\n{{ 1/0 }}", encoding="utf-8")
            page = Loader(folder).load("page.html")
            path.unlink()  # what was compiled is shown, not what is there now
            self.assertEqual(frames(failure(page)), [(str(path), 2, "template", "{{ 1/0 }}")])

    def test_errors_in_the_conversion(self) -> None:
        class Bad:
            def __str__(self) -> str:
                raise LookupError("no text")

        error = failure(Template("\n{{ bad }}"), bad=Bad())
        self.assertIsInstance(error, LookupError)
        self.assertEqual(frames(error), [("<template <string>>", 2, "template", "{{ bad }}")])

    def test_errors_in_the_policy(self) -> None:
        error = failure(Template("{% autoescape nosuch %}\n{{ 1 }}"))
        self.assertIsInstance(error, NameError)
        self.assertEqual(frames(error), [("<template <string>>", 2, "template", "{{ 1 }}")])

    def test_columns(self) -> None:
        """The carets of a traceback are under the part of the template that failed."""
        loader = DictLoader({"row": "<li>{{ 1 + n/0 }}</li>"})
        rows = [
            ("\xe9 {{ 1 + n/0 }}.", "n/0"),
            ("\xe9 {% set x = n/0 %}.", "n/0"),
            ("\xe9 {% if n/0 %}.{% end %}", "n/0"),
            ("\xe9 {% if 0 %}{% elif n/0 %}.{% end %}", "n/0"),
            ("\xe9 {% module f(n/0) %}", "n/0"),
            ("\xe9 {% include row %}.", "include row"),
            ("{{!\xe9 {# \xe9 #} {{ n/0 }}", "n/0"),
        ]
        for source, culprit in rows:
            with self.subTest(source):
                modules = types.SimpleNamespace(f=str)
                error = failure(Template(source, loader=loader), n=1, modules=modules)
                stack = traceback.extract_tb(error.__traceback__)
                (frame,) = (each for each in stack if each.name == "template")
                assert frame.colno is not None and frame.end_colno is not None
                octets = source.encode()
                self.assertEqual(octets[frame.colno : frame.end_colno].decode(), culprit)

    def test_columns_of_a_loop(self) -> None:
        """They are in the directive, not all of the loop."""
        error = failure(Template("<p>{% for i in n %}{{ i }}{% end %}"), n=1)
        (frame,) = (each for each in traceback.extract_tb(error.__traceback__) if each.name == "template")
        assert frame.colno is not None and frame.end_colno is not None
        self.assertEqual(frame.lineno, frame.end_lineno)
        self.assertTrue(len("<p>{% ") <= frame.colno < frame.end_colno <= len("<p>{% for i in n"))

    def test_nested_generate(self) -> None:
        inner = Template("\n{{ 1/0 }}", name="inner.html")
        outer = Template("{{ inner.generate() }}", name="outer.html")
        self.assertEqual(
            frames(failure(outer, inner=inner)),
            [
                ("<template outer.html>", 1, "template", "{{ inner.generate() }}"),
                ("<template inner.html>", 2, "template", "{{ 1/0 }}"),
            ],
        )

    def test_the_one_that_failed_last_is_shown(self) -> None:
        for text in ("\n{{ 1/0 }}", "\n{{ 2/0 }}"):
            error = failure(Template(text))
            self.assertEqual(frames(error)[0][3], text.strip())
            linecache.checkcache()
            self.assertEqual(frames(error)[0][3], text.strip())

    def test_nothing_is_kept_of_what_does_not_fail(self) -> None:
        Template("{{ 1 }}", name="fine").generate()
        self.assertNotIn("<template fine>", linecache.cache)


class LoaderTest(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.root = self.folder / "templates"
        (self.root / "sub" / "deep").mkdir(parents=True)
        (self.folder / "templates-old").mkdir()
        for name in ("a.html", "sub/b.html", "sub/deep/c.html", "../outside.html", "../templates-old/d.html"):
            (self.root / name).write_text(f"{name}", encoding="utf-8")
        self.loader = Loader(str(self.root))

    def test_root(self) -> None:
        self.assertEqual(self.loader.root, str(self.root))
        self.assertEqual(Loader(os.path.relpath(self.root)).root, str(self.root))
        self.assertEqual(Loader(f"{self.root}/sub/../").root, str(self.root))
        self.assertEqual(Loader(f"{self.root}/").load("a.html").generate(), b"a.html")

    def test_resolve_path(self) -> None:
        rows = [  # name, parent, resolved by a Loader, by a DictLoader if not the same
            ("a.html", None, "a.html", None),
            ("./x/../a.html", None, "./x/../a.html", None),
            ("b.html", "a.html", "b.html", None),
            ("b.html", "sub/a.html", "sub/b.html", None),
            ("../a.html", "sub/b.html", "a.html", None),
            ("./c.html", "sub/deep/c.html", "sub/deep/c.html", None),
            ("deep/../b.html", "sub/b.html", "sub/b.html", None),
            ("/a.html", "sub/b.html", "/a.html", None),
            ("a.html", "/sub/b.html", "a.html", None),
            ("a.html", "<string>", "a.html", None),
            ("a.html", "", "a.html", None),
            ("../outside.html", "a.html", "../outside.html", None),
            ("../../outside.html", "sub/b.html", "../../outside.html", "../outside.html"),
            ("../../templates/a.html", "sub/b.html", "a.html", "../templates/a.html"),
            ("../templates-old/d.html", "a.html", "../templates-old/d.html", None),
        ]
        for name, parent, wanted, of_dict in rows:
            with self.subTest(name, parent=parent):
                self.assertEqual(self.loader.resolve_path(name, parent), wanted)
                self.assertEqual(DictLoader({}).resolve_path(name, parent), of_dict or wanted)

    def test_files(self) -> None:
        for name in ("a.html", "sub/b.html", "./sub/../a.html", str(self.root / "a.html")):
            with self.subTest(name):
                page = self.loader.load(name)
                self.assertEqual((page.name, page.loader), (name, self.loader))
                self.assertTrue(name.endswith(page.generate().decode()))
        self.assertEqual(self.loader.load("../a.html", "sub/b.html").generate(), b"a.html")
        (self.root / "e.html").write_bytes("\xe9{{ '\u20ac' }}\r\n".encode())
        self.assertEqual(self.loader.load("e.html").generate(), "\xe9\u20ac\n".encode())

    def test_outside(self) -> None:
        for name in (
            "../outside.html",
            "sub/../../outside.html",
            str(self.folder / "outside.html"),
            "../templates-old/d.html",
            str(self.folder / "templates-old/d.html"),
            "/etc/passwd",
            "..",
            ".",
            "",
        ):
            with self.subTest(name):
                wanted = r"is outside of the loader's folder '.*/templates': move the file"
                for kind in (PermissionError, ValueError):
                    self.assertRaisesRegex(kind, wanted, self.loader.load, name)
        for source in ("{% include ../outside.html %}", "{% extends '/etc/passwd' %}"):
            with self.subTest(source):
                self.assertRaises(PermissionError, Template, source, "a.html", self.loader)
                self.assertRaises(PermissionError, Template, source, "<string>", self.loader)
        self.assertEqual(Loader("/").load(str(self.root / "a.html")).generate(), b"a.html")

    def test_missing(self) -> None:
        with self.assertRaises(FileNotFoundError) as caught:
            self.loader.load("nosuch.html")
        self.assertEqual(caught.exception.filename, str(self.root / "nosuch.html"))
        self.assertRaises(IsADirectoryError, self.loader.load, "sub")
        self.assertRaises(ValueError, self.loader.load, "a\x00.html")

    def test_keeps_what_it_loaded(self) -> None:
        page = self.loader.load("a.html")
        (self.root / "a.html").write_text("new")
        self.assertIs(self.loader.load("a.html"), page)
        self.assertEqual(self.loader.templates, {"a.html": page})
        self.loader.reset()
        self.assertEqual(self.loader.templates, {})
        self.assertEqual(self.loader.load("a.html").generate(), b"new")
        self.assertEqual(page.generate(), b"a.html")

    def test_reset_reaches_parents(self) -> None:
        loader = DictLoader({"a": "{% extends b %}", "b": "old"})
        self.assertEqual(loader.load("a").generate(), b"old")
        loader.dict["b"] = "new"
        self.assertEqual(loader.load("a").generate(), b"old")
        loader.reset()
        self.assertEqual(loader.load("a").generate(), b"new")

    def test_loader_of_ones_own(self) -> None:
        class Backwards(BaseLoader):
            def _create_template(self, name: str) -> Template:
                return Template(name[::-1], name=name, loader=self)

            def resolve_path(self, name: str, parent_path: str | None = None) -> str:
                return name.lower()

        loader = Backwards(autoescape=None, namespace={"x": "<"})
        self.assertEqual(loader.load("}} X {{ABC").generate(), b"cba<")
        self.assertEqual(list(loader.templates), ["}} x {{abc"])
        with self.assertRaisesRegex(NotImplementedError, "BaseLoader has to define _create_template"):
            BaseLoader().load("a")

    def test_loaders_share_nothing(self) -> None:
        first, second = DictLoader({"a": "1"}), DictLoader({"a": "2"}, autoescape=None)
        self.assertEqual((first.load("a").generate(), second.load("a").generate()), (b"1", b"2"))
        first.namespace["x"] = 1
        self.assertEqual(second.namespace, {})
        namespace: dict[str, Any] = {}
        self.assertIs(DictLoader({}, namespace=namespace).namespace, namespace)


class ThreadTest(unittest.TestCase):
    """One loader and its templates, many threads."""

    def run_threads(self, work: Callable[[int], None], count: int = 8) -> None:
        errors: list[BaseException] = []
        barrier = threading.Barrier(count)

        def run(number: int) -> None:
            barrier.wait()
            try:
                work(number)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])

    def test_generate(self) -> None:
        page = DictLoader(
            {
                "page": "{% extends base %}{% block a %}{% set n = x %}{% include row %}{% end %}",
                "base": "{% block a %}{% end %}{{ n }}",
                "row": "{% for i in range(20) %}{% apply f %}{{ n }}{% set m = n %}{{ m }}{% end %},"
                "{% end %}",
            }
        ).load("page")

        def work(number: int) -> None:
            for round_ in range(30):
                x = number * 1000 + round_
                wanted = f"{x}{x}," * 20 + str(x)
                self.assertEqual(page.generate(x=x, f=lambda octets: octets).decode(), wanted)

        self.run_threads(work)

    def test_load(self) -> None:
        files: dict[str, str | bytes] = {f"{n}": f"{{% include {n + 1} %}}{n}" for n in range(10)}
        loader = DictLoader({**files, "10": "!"})
        loaded: list[Template] = []

        def work(number: int) -> None:
            loaded.append(loader.load("0"))
            Template("{% include 5 %}", loader=loader)  # is not taken for a part of what others load
            self.assertEqual(loader.load(str(number)).generate()[-1:], str(number).encode())

        self.run_threads(work)
        self.assertEqual(len(set(map(id, loaded))), 1)

    def test_load_while_another_loads(self) -> None:
        """What this thread loads is no part of what the other is about to have."""
        loading, loaded = threading.Event(), threading.Event()

        class Slow(DictLoader):
            def _create_template(self, name: str) -> Template:
                loading.set()
                loaded.wait(0.1)  # seconds; the other has to wait for this one
                return super()._create_template(name)

        loader = Slow({"a": "A"})

        def work(number: int) -> None:
            if number:
                loader.load("a")
            else:
                loading.wait()
                self.assertEqual(Template("{% include a %}", loader=loader).generate(), b"A")
                loaded.set()

        self.run_threads(work, 2)


class GarbageTest(unittest.TestCase):
    def test_rendering_leaves_none(self) -> None:
        loader = DictLoader(
            {
                "page": "{% extends base %}{% block a %}{% set y = [n for n in 'ab'] %}"
                "{% include row %}{% end %}",
                "base": "{% block a %}{% end %}{% apply f %}{{ y }}{% end %}{{ (lambda: y)() }}",
                "row": "{% set z = y %}{% for n in z %}{{ n }}{% end %}",
            }
        )
        page = loader.load("page")
        page.generate(f=bytes)
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        page.generate(f=bytes)
        self.assertEqual(gc.collect(), 0)


PIECES = [
    *(
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "!",
        "{",
        "}",
        "%",
        "#",
        " ",
        "\n",
        "\r\n",
        "\t",
        "\xe9",
        "\x00",
        "\u2028",
    ),
    *(
        "if",
        "elif",
        "else",
        "for",
        "while",
        "try",
        "except",
        "finally",
        "end",
        "set",
        "raw",
        "apply",
        "block",
    ),
    *("extends", "include", "import", "from", "autoescape", "module", "comment", "break", "continue", "None"),
    *(
        " x ",
        " in ",
        "=",
        ":=",
        ":",
        ";",
        "(",
        ")",
        "[",
        "]",
        "'",
        '"',
        "'''",
        '"""',
        "\\",
        ",",
        ".",
        "*",
        "@",
        "1",
    ),
    *(
        "lambda",
        "yield",
        "await",
        "async",
        "return",
        "global",
        "nonlocal",
        "pass",
        "del",
        "def",
        "class",
        "with",
    ),
    *(
        "{{ x }}",
        "{% if x %}",
        "{% end %}",
        "{% for i in x %}",
        "{% block a %}",
        "{% else %}",
        "{% set y = x %}",
    ),
    *(
        "{% include a.html %}",
        "{% extends a.html %}",
        "{% try %}",
        "{% except %}",
        "{% apply f %}",
        "<pre>",
        "text",
    ),
]

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


class FuzzTest(unittest.TestCase):
    @given(st.lists(st.sampled_from(PIECES) | any_text, max_size=30))
    @example(["{{", "'''", "\n", "}}"])
    @example(["{{", "\\", "\n", "}}"])
    @example(["{%", "if", " x ", "\\", "%}", "{% end %}"])
    @example(["{%", "try", ":", "\n", "pass", "%}", "{% end %}"])
    @example(["{{", "{{", "{%", "!", "{{", "{", "{%", "%", "{", "{#", "#"])
    def test_nothing_but_parse_errors(self, pieces: list[str]) -> None:
        source = "".join(pieces)
        loader = DictLoader({"a.html": "<{% block a %}{% end %}>", "": "", "x": "{{ x }}"})
        try:
            page = Template(source, name="page.html", loader=loader)
        except ParseError as error:
            self.assertIsNotNone(error.lineno)
            self.assertLessEqual(error.lineno or 0, source.count("\n") + 1)
        except KeyError:
            self.assertRegex(source, "include|extends")
        else:
            compile(page.code, "code", "exec")

    @given(st.lists(st.sampled_from(PIECES) | any_text, max_size=30))
    def test_text_is_printed(self, pieces: list[str]) -> None:
        """Text whose directives are all escaped is printed; so is any in a raw expression."""
        text = "".join(pieces)
        escaped = re.sub(r"\{(?=\{(?!\{)|[%#])(.)", r"{\1!", text)
        self.assertEqual(Template(escaped).generate().decode(), text)
        self.assertEqual(Template("{% raw x %}").generate(x=text).decode(), text)
        self.assertEqual(
            escape.xhtml_unescape(Template("{{ x }}").generate(x=text)),
            escape.xhtml_unescape(escape.xhtml_escape(text)),
        )

    @given(any_text)
    def test_escaping_is_that_of_escape(self, text: str) -> None:
        wanted = escape.xhtml_escape(text).encode()
        for value in (text, text.encode(), Text(text)):
            self.assertEqual(Template("{{ x }}").generate(x=value), wanted)


class DoctestTest(unittest.TestCase):
    def test_examples(self) -> None:
        failed, attempted = doctest.testmod(template)
        self.assertEqual(failed, 0)
        self.assertGreater(attempted, 1)


if __name__ == "__main__":
    unittest.main()

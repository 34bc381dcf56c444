"""Tests of tornado.escape."""

import collections
import copy
import doctest
import importlib
import io
import itertools
import json
import pickle
import random
import re
import sqlite3
import types
import unittest
import unittest.mock
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from typing import Any

from tornado import escape
from tornado.escape import (
    json_decode,
    json_encode,
    linkify,
    parse_qs_bytes,
    recursive_unicode,
    squeeze,
    to_unicode,
    url_escape,
    url_unescape,
    utf8,
    xhtml_escape,
    xhtml_unescape,
)
from tornado.util import UsageTypeError

CODECS = [json]
try:
    CODECS.append(importlib.import_module("simplejson"))
except ImportError:
    pass


class Text(str):
    """A subclass, as `markupsafe` and others have one."""


class Octets(bytes):
    """A subclass of bytes."""


class BytesAndTextTest(unittest.TestCase):
    def test_both_ways(self) -> None:
        for text in ("", "plain", "caf\xe9 \u20ac \U0001f600"):
            octets = text.encode()
            with self.subTest(text):
                for value in (text, Text(text), octets, Octets(octets)):
                    self.assertEqual(utf8(value), octets)
                    self.assertEqual(to_unicode(value), text)

    def test_none_passes(self) -> None:
        self.assertIsNone(utf8(None))
        self.assertIsNone(to_unicode(None))

    def test_other_types(self) -> None:
        functions: list[Callable[[Any], Any]] = [utf8, to_unicode]
        for function in functions:
            for value in (1, bytearray(b"x"), ["x"], object()):
                with self.subTest(function=function.__name__, value=value):
                    wanted = f"{function.__name__} got {type(value).__name__}, wanted str, bytes or None"
                    self.assertRaisesRegex(UsageTypeError, wanted, function, value)
                    self.assertRaises(AssertionError, function, value)

    def test_bad_utf8(self) -> None:
        self.assertRaises(ValueError, to_unicode, b"\xff")
        self.assertRaises(ValueError, to_unicode, b"\xed\xa0\x80")
        self.assertRaises(ValueError, utf8, "\ud800")

    def test_names_of_old(self) -> None:
        for old in (escape._unicode, escape.native_str, escape.to_basestring):
            self.assertEqual(old(b"caf\xc3\xa9"), "caf\xe9")

    def test_recursive_unicode(self) -> None:
        nested = {b"k": [b"\xc3\xa9", ("a", b"b", {b"c": 1})], 2: None}
        self.assertEqual(recursive_unicode(nested), {"k": ["\xe9", ("a", "b", {"c": 1})], 2: None})
        marker = object()
        self.assertIs(recursive_unicode(marker), marker)


XHTML = [  # text, escaped
    ("", ""),
    ("plain", "plain"),
    ("<foo>", "&lt;foo&gt;"),
    ("&&", "&amp;&amp;"),
    ("&amp;", "&amp;amp;"),
    ("<a href=\"x\" title='y'>", "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;"),
    ("<\u00e9>", "&lt;\u00e9&gt;"),
]

UNESCAPED = [  # html, text
    ("&#38;&#038;&#0000000038;", "&&&"),
    ("&#x26;&#X26;&#x0026;&#x1F600;", "&&&\U0001f600"),
    ("&apos;&eacute;&AMP;&hellip;", "'\u00e9&\u2026"),
    ("&amp;lt;", "&lt;"),
    # left as they are
    ("&; &# &#; &#x; &#xg; &amp &lt", "&; &# &#; &#x; &#xg; &amp &lt"),
    ("&nosuch; &LT2;", "&nosuch; &LT2;"),
    ("&#1114112; &#x110000; &#99999999999999999999;", "&#1114112; &#x110000; &#99999999999999999999;"),
    ("&#55296; &#xDFFF;", "&#55296; &#xDFFF;"),  # surrogates: they could not be sent
    ("&#\u0663;", "&#\u0663;"),  # digits, but not of ASCII
    (f"&#{'9' * 5000};", f"&#{'9' * 5000};"),
]


class XhtmlTest(unittest.TestCase):
    def test_escape(self) -> None:
        for text, escaped in XHTML:
            with self.subTest(text):
                self.assertEqual(xhtml_escape(text), escaped)
                self.assertEqual(xhtml_escape(Text(text)), escaped)
                self.assertEqual(xhtml_escape(text.encode()), escaped)
                self.assertEqual(xhtml_unescape(escaped), text)
                self.assertEqual(xhtml_unescape(escaped.encode()), text)

    def test_unescape(self) -> None:
        for html, text in UNESCAPED:
            with self.subTest(html[:80]):
                self.assertEqual(xhtml_unescape(html), text)

    def test_long_input(self) -> None:
        for piece in ("&", "&#", "&#0", "&#x", "&a", "a", "&&amp"):
            with self.subTest(piece):
                html = piece * (200_000 // len(piece))
                self.assertEqual(xhtml_unescape(html), html)
        self.assertEqual(xhtml_unescape(f"&#{'0' * 200_000}65;"), "A")

    def test_squeeze(self) -> None:
        self.assertEqual(squeeze(" a\t\tb \r\n\x00 c\x1f"), "a b c")
        self.assertEqual(squeeze(b"a  b"), "a b")

    def test_none_and_numbers_raise(self) -> None:
        functions: list[Callable[[Any], Any]] = [
            xhtml_escape,
            xhtml_unescape,
            squeeze,
            json_decode,
            url_escape,
            url_unescape,
            parse_qs_bytes,
            linkify,
        ]
        for function in functions:
            for value in (None, 1):
                with self.subTest(function=function.__name__, value=value):
                    wanted = f"{function.__name__} got {type(value).__name__}, wanted str or bytes"
                    self.assertRaisesRegex(UsageTypeError, wanted, function, value)


#: What the methods of str and bytes are tried on, and with, so that each returns something in some way.
VALUES: dict[type, list[Any]] = {
    str: ["abc", "", " a b ", "<a>&amp;", "%s{}", "\u00e9\n\t"],
    bytes: [b"abc", b"", b" a b ", b"<a>&amp;", b"%s", b"\xc3\xa9\n\t"],
}
ARGUMENTS: dict[type, list[Any]] = {
    str: ["", "a", "longer than the text", "utf-8", 0, 9, None, (), {}, slice(None), ["a"]],
    bytes: [b"", b"a", b"longer than it", "utf-8", "", 0, 9, None, (), slice(None), [b"a"]],
}
#: Methods that are about the type, or make another value of it.
NOT_OPERATIONS = {
    *("__class__", "__delattr__", "__dir__", "__doc__", "__getattribute__", "__getstate__", "__init__"),
    *("__init_subclass__", "__new__", "__reduce__", "__reduce_ex__", "__setattr__", "__sizeof__"),
    *("__subclasshook__", "fromhex"),
}
MARKS: dict[type, type] = {str: escape._Markup, bytes: escape._MarkupBytes}


def parts(value: object) -> Iterator[object]:
    """Yield *value* and what is in it."""
    yield value
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from parts(each)


def outcome(value: Any, method: str, arguments: tuple[Any, ...]) -> tuple[str, object]:
    """Return what *method* of *value* returns, or the exception it raises; an iterator as a list."""
    try:
        result = getattr(value, method)(*arguments)
        return "returns", list(result) if isinstance(result, Iterator) else result
    except Exception as error:
        return "raises", type(error)


class MarkTest(unittest.TestCase):
    """What is marked as HTML is so for templates, and plain for all others."""

    def test_what_is_marked(self) -> None:
        for value in ("plain", "<b>", b"<b>", "", Text("<"), xhtml_escape("<")):
            with self.subTest(value):
                self.assertIs(type(xhtml_escape(value)), escape._Markup)
                self.assertIs(type(linkify(value)), escape._Markup)
        self.assertEqual(xhtml_escape(xhtml_escape("<")), "&amp;lt;")
        self.assertEqual(linkify(xhtml_escape("<")), "&amp;lt;")

    def test_what_is_not(self) -> None:
        marked = xhtml_escape("<a@b> http://c")
        functions: list[Callable[[Any], str | bytes]] = [
            json_encode,
            squeeze,
            url_escape,
            url_unescape,
            utf8,
            xhtml_unescape,
        ]
        for function in functions:
            with self.subTest(function.__name__):
                self.assertIn(type(function(marked)), (str, bytes))
                self.assertEqual(function(marked), function(str(marked)))

    def test_html(self) -> None:
        self.assertEqual(escape._Markup("<\xe9>").__html__(), "<\xe9>")
        self.assertEqual(escape._MarkupBytes(b"<\xc3\xa9>").__html__(), "<\xe9>")
        self.assertIs(type(escape._Markup("x").__html__()), str)

    def test_every_method_returns_plain_values(self) -> None:
        """The same ones as that of a plain value, whatever it is called with."""
        for kind, mark in MARKS.items():
            for name in sorted(set(dir(kind)) - NOT_OPERATIONS):
                with self.subTest(kind=kind, name=name):
                    self.assert_plain(kind, mark, name)

    def assert_plain(self, kind: type, mark: type, name: str) -> None:
        returned = 0
        for value, count in itertools.product(VALUES[kind], range(3)):
            for arguments in itertools.product(ARGUMENTS[kind], repeat=count):
                found = outcome(mark(value), name, arguments)
                self.assertEqual(found, outcome(value, name, arguments), (value, arguments))
                types = {type(part) for part in parts(found[1])}
                self.assertNotIn(mark, types, (value, arguments))
                returned += found[0] == "returns"
        self.assertGreater(returned, 0, "no arguments were any use")

    def test_other_operations_give_plain_values(self) -> None:
        marked = xhtml_escape("a<b")
        stream = io.StringIO()
        stream.write(marked)
        rows: list[tuple[str, object, str]] = [
            ("str", str(marked), "a&lt;b"),
            ("in front", "<b>" + marked, "<b>a&lt;b"),
            ("nothing in front", "" + marked, "a&lt;b"),
            ("behind", marked + "</b>", "a&lt;b</b>"),
            ("once", 1 * marked, "a&lt;b"),
            ("join", "".join([marked]), "a&lt;b"),
            ("f-string", f"{marked}", "a&lt;b"),
            ("percent", "%s" % marked, "a&lt;b"),  # noqa: UP031
            ("format", "{}".format(marked), "a&lt;b"),  # noqa: UP032
            ("repr", repr(marked), "'a&lt;b'"),
            ("sub", re.sub("x", "", marked), "a&lt;b"),
            ("match", re.match(".*", marked)[0], "a&lt;b"),  # type: ignore[index]
            ("stream", stream.getvalue(), "a&lt;b"),
            ("keywords", marked.split(sep="x", maxsplit=1)[0], "a&lt;b"),
            ("method of str", str.strip(marked), "a&lt;b"),
        ]
        for name, value, wanted in rows:
            with self.subTest(name):
                self.assertEqual(value, wanted)
                self.assertIs(type(value), str)
        octets = escape._MarkupBytes(b"a")
        for joined in (
            b"" + octets,
            octets + b"",
            b"".join([octets]),
            b"%s" % octets,
            bytes(octets),
            octets[:],
        ):
            self.assertEqual(joined, b"a")
            self.assertIs(type(joined), bytes)

    def test_copies_and_pickles_are_plain(self) -> None:
        for marked, plain in ((escape._Markup("<b>"), "<b>"), (escape._MarkupBytes(b"<b>"), b"<b>")):
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
                data = pickle.dumps(marked, protocol)
                self.assertNotIn(b"tornado", data)
                self.assert_is_plain(pickle.loads(data), plain)
            self.assert_is_plain(copy.copy(marked), plain)
            self.assert_is_plain(copy.deepcopy([marked])[0], plain)

    def assert_is_plain(self, value: object, plain: object) -> None:
        self.assertEqual(value, plain)
        self.assertIs(type(value), type(plain))

    def test_they_are_what_they_were(self) -> None:
        self.assertEqual({xhtml_escape("a"): 1}["a"], 1)
        self.assertEqual({"a": 1}[xhtml_escape("a")], 1)
        self.assertFalse(hasattr(xhtml_escape("a"), "__dict__"))
        for module in CODECS:
            with self.subTest(module.__name__), using(module):
                self.assertEqual(json_encode({xhtml_escape("a"): [xhtml_escape("<")]}), '{"a": ["&lt;"]}')
                self.assertEqual(json_encode(escape._MarkupBytes(b"<")), '"<"')
        with closing(sqlite3.connect(":memory:")) as database:
            row = database.execute("SELECT ?, ?", (xhtml_escape("<"), escape._MarkupBytes(b"<"))).fetchone()
            self.assertEqual(row, ("&lt;", b"<"))


Point = collections.namedtuple("Point", "x y")

ENCODED = [  # value, JSON
    ({"message": "Hello, world"}, '{"message": "Hello, world"}'),
    ([1, 1.5, True, None, "x"], '[1, 1.5, true, null, "x"]'),
    ("caf\xe9 \u2028", '"caf\\u00e9 \\u2028"'),
    ("</script></", '"<\\/script><\\/"'),
    ({"</a": "b</"}, '{"<\\/a": "b<\\/"}'),
    ("a/b < c", '"a/b < c"'),
    (b"caf\xc3\xa9", '"caf\\u00e9"'),
    ({b"k": [b"\xc3\xa9", (b"</",)]}, '{"k": ["\\u00e9", ["<\\/"]]}'),
    ({"k": {"k": b"v"}, "n": 1}, '{"k": {"k": "v"}, "n": 1}'),
    (Point(1, b"y"), '[1, "y"]'),
    (Point(1, 2), "[1, 2]"),
    ({1: "a", None: "b", False: "c"}, '{"1": "a", "null": "b", "false": "c"}'),
    (float("inf"), "Infinity"),
]

NOT_ENCODED = [  # value, error
    ({1, 2}, TypeError),
    ({"k": object()}, TypeError),
    ({(1, 2): 3}, TypeError),
    (b"\xff", ValueError),
    ({"k": [b"\xff"]}, ValueError),
]

DECODED = [  # JSON, value
    ('{"a": [1, 1.5, true, null]}', {"a": [1, 1.5, True, None]}),
    (' "caf\xe9" ', "caf\xe9"),
    ('"<\\/b>"', "</b>"),
    ('"\\ud83d\\ude00"', "\U0001f600"),
    ('\ufeff"bom"', "bom"),
    ('{"a": 1, "a": 2}', {"a": 2}),
    ("-Infinity", float("-inf")),
]

NOT_DECODED = [
    "",
    " ",
    "{",
    "'a'",
    "[1,]",
    '{"a":1,}',
    "01",
    '"\t"',
    "[1]x",
    "nul",
    "[" * 200_000,
    "1" * 5000,
]


def using(module: types.ModuleType) -> AbstractContextManager[object]:
    """Let `escape` use *module* within the block."""
    encode, decode = escape._codec(module)
    return unittest.mock.patch.multiple(escape, _encode=encode, _decode=decode)


class JsonTest(unittest.TestCase):
    def test_the_codec_in_use(self) -> None:
        self.assertIs(escape._json, CODECS[-1])

    def test_encode(self) -> None:
        for module, (value, text) in itertools.product(CODECS, ENCODED):
            with self.subTest(module=module.__name__, value=value), using(module):
                self.assertEqual(json_encode(value), text)

    def test_not_encoded(self) -> None:
        loop: list[Any] = []
        loop.append(loop)
        for module, (value, error) in itertools.product(CODECS, [*NOT_ENCODED, (loop, ValueError)]):
            with self.subTest(module=module.__name__, value=value), using(module):
                self.assertRaises(error, json_encode, value)

    def test_plain_values_are_encoded_once(self) -> None:
        with unittest.mock.patch.object(escape, "recursive_unicode") as second_try:
            json_encode({"a": ["b", 1, None]})
        second_try.assert_not_called()

    def test_decode(self) -> None:
        for module, (text, value) in itertools.product(CODECS, DECODED):
            with self.subTest(module=module.__name__, text=text), using(module):
                self.assertEqual(json_decode(text), value)
                self.assertEqual(json_decode(text.encode()), value)

    def test_not_decoded(self) -> None:
        for module, text in itertools.product(CODECS, [*NOT_DECODED, b'"\xff"']):
            with self.subTest(module=module.__name__, text=text[:20]), using(module):
                self.assertRaises(ValueError, json_decode, text)


URLS = [  # value, escaped
    ("", ""),
    ("a b+c", "a+b%2Bc"),
    ("/path?x=1&y", "%2Fpath%3Fx%3D1%26y"),
    ("-_.~", "-_.~"),
    ("caf\xe9 \u20ac", "caf%C3%A9+%E2%82%AC"),
    ("\r\n\x00%", "%0D%0A%00%25"),
]

UNESCAPED_URLS = [  # escaped, encoding, value
    ("%C3%A9", "utf-8", "\xe9"),
    ("%E9", "latin-1", "\xe9"),
    ("%C3%A9+", None, b"\xc3\xa9 "),
    ("%ff%fE", None, b"\xff\xfe"),
    ("%2B+%2b", "utf-8", "+ +"),
    ("%", "utf-8", "%"),
    ("%4 %zz %4", "utf-8", "%4 %zz %4"),
    ("\xe9%C3%A9", "utf-8", "\xe9\xe9"),
    ("\xe9%E9", "latin-1", "\xe9\xe9"),
]


class UrlTest(unittest.TestCase):
    def test_both_ways(self) -> None:
        for value, escaped in URLS:
            with self.subTest(value):
                self.assertEqual(url_escape(value), escaped)
                self.assertEqual(url_escape(value.encode()), escaped)
                self.assertEqual(url_unescape(escaped), value)
                self.assertEqual(url_unescape(escaped.encode()), value)
                self.assertEqual(url_unescape(escaped, encoding=None), value.encode())
        self.assertEqual(url_escape(b"\xff "), "%FF+")

    def test_unescape(self) -> None:
        for escaped, encoding, value in UNESCAPED_URLS:
            with self.subTest(escaped, encoding=encoding):
                unescape: Callable[..., str | bytes] = url_unescape
                self.assertEqual(unescape(escaped, encoding), value)
        self.assertEqual(url_unescape(b"\xe9%E9+", "latin-1"), "\xe9\xe9 ")
        self.assertEqual(url_unescape(b"\xff%FF+", None), b"\xff\xff ")

    def test_bad_utf8_is_a_value_error(self) -> None:
        for escaped in ("%FF", "a%C3", "%ED%A0%80", "%C0%AF", b"%FF", b"\xff"):
            with self.subTest(escaped), self.assertRaises(ValueError):
                url_unescape(escaped)


QUERIES = [  # query, arguments, with keep_blank_values
    ("", {}, {}),
    ("a=1&b=2&a=3", {"a": [b"1", b"3"], "b": [b"2"]}, None),
    ("a=", {}, {"a": [b""]}),
    ("a", {}, {"a": [b""]}),
    ("&&a=1&", {"a": [b"1"]}, None),
    ("=x", {"": [b"x"]}, None),
    ("a=b=c", {"a": [b"b=c"]}, None),
    ("a=1;b=2", {"a": [b"1;b=2"]}, None),
    ("a+b=c+d%2B", {"a b": [b"c d+"]}, None),
    ("%E9=%FF%00", {"\xe9": [b"\xff\x00"]}, None),
    ("a%26b=%3D", {"a&b": [b"="]}, None),
    ("a=%zz%", {"a": [b"%zz%"]}, None),
]


class QueryTest(unittest.TestCase):
    def test_table(self) -> None:
        for query, arguments, with_blanks in QUERIES:
            with self.subTest(query):
                self.assertEqual(parse_qs_bytes(query), arguments)
                self.assertEqual(parse_qs_bytes(query.encode()), arguments)
                with_blanks = arguments if with_blanks is None else with_blanks
                self.assertEqual(parse_qs_bytes(query, keep_blank_values=True), with_blanks)

    def test_text_stands_for_octets(self) -> None:
        self.assertEqual(parse_qs_bytes("\xe9=\xff"), {"\xe9": [b"\xff"]})
        self.assertEqual(parse_qs_bytes(b"\xe9=\xff"), {"\xe9": [b"\xff"]})
        self.assertRaises(ValueError, parse_qs_bytes, "a=\u20ac")

    def test_strict(self) -> None:
        for query in ("a", "a=1&b", "a=1&"):
            with self.subTest(query), self.assertRaisesRegex(ValueError, "has no '='"):
                parse_qs_bytes(query, strict_parsing=True)
        self.assertEqual(parse_qs_bytes("", strict_parsing=True), {})
        self.assertEqual(parse_qs_bytes("a=1&b=2", strict_parsing=True), {"a": [b"1"], "b": [b"2"]})

    def test_same_as_the_standard_library(self) -> None:
        chance = random.Random(2011)
        for _ in range(500):
            query = "".join(chance.choices("ab=&+%;4\xe9", k=chance.randrange(20)))
            for keep in (False, True):
                theirs = urllib.parse.parse_qs(query, keep, encoding="latin-1")
                wanted = {name: [each.encode("latin-1") for each in theirs[name]] for name in theirs}
                self.assertEqual(parse_qs_bytes(query, keep), wanted, query)


def a(href: str, shown: str | None = None, attributes: str = "") -> str:
    """Return the link that `linkify` should make."""
    return f'<a href="{href}"{attributes}>{shown or href}</a>'


HOST = "http://example.com"

LINKS = [  # text, arguments, html
    ("no link here", {}, "no link here"),
    (f"see {HOST}/!", {}, f"see {a(HOST + '/')}!"),
    (f"{HOST}:8080/x", {}, a(f"{HOST}:8080/x")),
    (f"{HOST}/?a=b&c=d", {}, a(f"{HOST}/?a=b&amp;c=d")),
    ("http://user:pass@example.com/", {}, a("http://user:pass@example.com/")),
    ("www.example.com", {}, a("http://www.example.com", "www.example.com")),
    ("foo.www.example.com", {}, f"foo.{a('http://www.example.com', 'www.example.com')}"),
    ("a-www.example.com", {}, f"a-{a('http://www.example.com', 'www.example.com')}"),
    ("awww.example.com", {}, "awww.example.com"),
    ("https://example.com", {}, a("https://example.com")),
    ("http:/one http:///three", {}, f"{a('http:/one')} {a('http:///three')}"),
    ("http:none http://", {}, "http:none http://"),
    ("www. www.! www.", {}, "www. www.! www."),
    ("--http://a.b", {}, f"--{a('http://a.b')}"),
    ("\u770bhttp://a.b \u770b", {}, f"\u770b{a('http://a.b')} \u770b"),
    ("http://\u27a1.ws/\u4a39", {}, a("http://\u27a1.ws/\u4a39")),
    (f"{HOST}\u2028x", {}, f"{a(HOST)}\u2028x"),
    # the end
    (f"{HOST}/a.", {}, f"{a(HOST + '/a')}."),
    (f"{HOST}/a,b,", {}, f"{a(HOST + '/a,b')},"),
    (f"{HOST}/a?!;:", {}, f"{a(HOST + '/a')}?!;:"),
    (f"{HOST}/a........", {}, f"{a(HOST + '/a')}........"),
    (f'"{HOST}/"', {}, f"&quot;{a(HOST + '/')}&quot;"),
    (f"'{HOST}/it's'", {}, f"&#39;{a(HOST + '/it&#39;s')}&#39;"),
    (f"{HOST}/?a&", {}, f"{a(HOST + '/?a')}&amp;"),
    (f"<{HOST}/>", {}, f"&lt;{a(HOST + '/')}&gt;"),
    (f"<b>{HOST}</b>", {}, f"&lt;b&gt;{a(HOST)}&lt;/b&gt;"),
    # parentheses
    (f"({HOST}/a)", {}, f"({a(HOST + '/a')})"),
    (f"({HOST}/a).", {}, f"({a(HOST + '/a')})."),
    (f"{HOST}/a_(b)", {}, a(f"{HOST}/a_(b)")),
    (f"{HOST}/a_(b)_(c)_d.", {}, f"{a(HOST + '/a_(b)_(c)_d')}."),
    (f"({HOST}/a_(b))", {}, f"({a(HOST + '/a_(b)')})"),
    (f"{HOST}/a(b c)", {}, f"{a(HOST + '/a')}(b c)"),
    (f"{HOST}/a(((b)", {}, f"{a(HOST + '/a')}(((b)"),
    (f"{HOST}/a(www.b.c", {}, f"{a(HOST + '/a')}({a('http://www.b.c', 'www.b.c')}"),
    # protocols
    ("ftp://a.b www.a.b", {}, f"ftp://a.b {a('http://www.a.b', 'www.a.b')}"),
    ("ftp://www.a.b", {}, "ftp://www.a.b"),
    ("xhttp://a.b x-http://a.b", {}, "xhttp://a.b x-http://a.b"),
    ("HTTP://a.b", {}, "HTTP://a.b"),
    ("javascript:/alert(1) javascript://%0aalert(1)", {}, "javascript:/alert(1) javascript://%0aalert(1)"),
    ("mailto:x@y.z", {"permitted_protocols": ["mailto"]}, "mailto:x@y.z"),
    ("rdar:/1 http://a.b", {"permitted_protocols": ["rdar"]}, f"{a('rdar:/1')} http://a.b"),
    ("www.a.b http://a.b", {"require_protocol": True}, f"www.a.b {a('http://a.b')}"),
    # attributes
    (f"{HOST}", {"extra_params": '  rel="x" '}, a(HOST, attributes=' rel="x"')),
    (f"{HOST}", {"extra_params": b'rel="x"'}, a(HOST, attributes=' rel="x"')),
    (f"{HOST}", {"extra_params": lambda href: ""}, a(HOST)),
    (
        "www.a.b/?c&d",
        {"extra_params": lambda href: f' title="{href}" '},
        a("http://www.a.b/?c&amp;d", "www.a.b/?c&amp;d", ' title="http://www.a.b/?c&amp;d"'),
    ),
    (
        f"{HOST}/\"onclick='x",
        {},
        a(f"{HOST}/&quot;onclick=&#39;x"),
    ),
]

SHORTENED = [  # url, what is shown
    (f"{HOST}/12345678901", f"{HOST}/12345678901"),  # 30 characters
    (f"{HOST}/1234567890/x", f"{HOST}/12345678..."),
    (f"{HOST}/a/b/c/d/e/f/g", f"{HOST}/a..."),
    (f"{HOST}/page.html?q=12345", f"{HOST}/page..."),
    (f"{HOST}/?query=123456789", f"{HOST}/..."),
    (f"{HOST}/1234567890ab", f"{HOST}/12345678..."),
    ("http://a-rather-long-name.example.com", "http://a-rather-long-name.example.com"),
    ("http://a-rather-long-name.example.com/1234", "http://a-rather-long-name.example.com/1234"),
    (f"http://{'n' * 50}.com/path", f"http://{'n' * 23}..."),
    (f"www.example.com/{'p' * 30}", "www.example.com/pppppppp..."),
    (f"www.example.com/&&&&{'p' * 30}", "www.example.com/&&&&pppp..."),
]


class LinkifyTest(unittest.TestCase):
    def test_links(self) -> None:
        for text, arguments, html in LINKS:
            with self.subTest(text):
                self.assertEqual(linkify(text, **arguments), html)  # type: ignore[arg-type]
                self.assertEqual(linkify(text.encode(), **arguments), html)  # type: ignore[arg-type]

    def test_shorten(self) -> None:
        for url, shown in SHORTENED:
            with self.subTest(url):
                href = xhtml_escape(url if url.startswith("http") else f"http://{url}")
                title = f' title="{href}"' if shown != url else ""
                wanted = f'<a href="{href}" rel="x"{title}>{xhtml_escape(shown)}</a>'
                self.assertEqual(linkify(url, shorten=True, extra_params='rel="x"'), wanted)
                self.assertLessEqual(len(shown), len(url))

    def test_what_is_shown_and_linked_is_the_text(self) -> None:
        chance = random.Random(2011)
        for _ in range(500):
            text = "".join(
                chance.choices(["http:/", "www.", "/", "(", ")", "a", "-", ".", "&", " ", "<"], k=12)
            )
            html = linkify(text, extra_params="x")
            shown = "".join(piece.partition(" x>")[2] or piece for piece in html.split('<a href="'))
            self.assertEqual(xhtml_unescape(shown.replace("</a>", "")), text)

    def test_long_input(self) -> None:
        n = 200_000
        without_link = [
            "(" * n,
            "-" * n,
            "a" * n,
            "a-" * (n // 2),
            "a:" * (n // 2),
            "http:" * (n // 5),
            "&amp;" * (n // 5),
            "www.(" * (n // 5),
            ":/" * (n // 2),
            "ftp://" * (n // 6),
            "www.!!!(" * (n // 8),
        ]
        for text in without_link:
            with self.subTest(text[:10]):
                self.assertEqual(linkify(text), xhtml_escape(text))
        for text in ["www." * (n // 4) + "a", "http://" * (n // 7), "http://a" + "(b)" * (n // 3)]:
            with self.subTest(text[:10]):
                href = text if text.startswith("http") else f"http://{text}"
                self.assertEqual(linkify(text), a(href, text))
        for link in ["http://a", "http://a.(b)", "http://a-"]:
            for end in ["(", "(b", "!", ".(", "&", "(.", "<"]:
                with self.subTest(link + end):
                    text = end * (n // len(end))
                    self.assertEqual(linkify(link + text), a(link) + xhtml_escape(text))
        many = linkify("http://a(" * (n // 9))
        self.assertEqual(many, f"{a('http://a')}(" * (n // 9))


class DoctestTest(unittest.TestCase):
    def test_examples(self) -> None:
        failed, attempted = doctest.testmod(escape)
        self.assertEqual(failed, 0)
        self.assertGreater(attempted, 5)

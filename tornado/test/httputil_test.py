"""`tornado.httputil`: headers, and the functions beside them."""

import calendar
import copy
import datetime
import json
import locale
import pickle
import random
import time
import unittest
from collections.abc import Callable
from typing import Any
from unittest import mock

from tornado import httputil
from tornado.httputil import (
    HTTPFile,
    HTTPHeaders,
    etag_matches,
    format_timestamp,
    parse_body_arguments,
    parse_multipart_form_data,
    parse_timestamp,
    safe_filename,
    url_concat,
)
from tornado.test import multipart_cases
from tornado.test.multipart_test import count_steps, peak_memory
from tornado.test.util import ExpectLog


def load_tests(
    loader: unittest.TestLoader, tests: unittest.TestSuite, pattern: str | None
) -> unittest.TestSuite:
    """Add the doctests; for the test runner of unittest."""
    tests.addTest(httputil.doctests())
    return tests


class TaggedHeaders(HTTPHeaders):
    """A subclass with an attribute, at the top of the module so that pickle finds it."""

    tag = ""


def several() -> HTTPHeaders:
    """Return headers with a name that came twice and one that came once."""
    headers = HTTPHeaders()
    headers.add("A", "1")
    headers.add("a", "2")
    headers.add("B", "3")
    return headers


JOINED = {"A": "1,2", "B": "3"}


class HTTPHeadersTest(unittest.TestCase):
    def test_names_are_normalised(self) -> None:
        rows = [
            ("content-type", "Content-Type"),
            ("CONTENT-TYPE", "Content-Type"),
            ("x-XSRFtoken", "X-Xsrftoken"),
            ("etag", "Etag"),
            ("-a--b-", "-A--B-"),
            ("", ""),
            ("\u212aelvin-coo\u212aie", "\u212aelvin-coo\u212aie"),  # the Kelvin sign is no "k"
            ("\xe9tat", "\xe9tat"),
        ]
        for name, normal in rows:
            with self.subTest(name):
                self.assertEqual(list(HTTPHeaders({name: "1"})), [normal])

    def test_every_method_takes_any_spelling(self) -> None:
        headers = HTTPHeaders({"a-b": "1"}, c_d="2")
        self.assertEqual(headers["A-b"], "1")
        self.assertEqual(headers.get("A-B"), "1")
        self.assertEqual(headers.get_list("a-B"), ["1"])
        self.assertIn("a-b", headers)
        self.assertEqual(headers.setdefault("a-B", "9"), "1")
        headers.update([("A-B", "2")], C_D="3")
        headers["a-b"] += "x"
        self.assertEqual(headers, {"A-B": "2x", "C_d": "3"})
        self.assertEqual(headers.pop("a-b"), "2x")
        del headers["C_D"]
        self.assertEqual(headers.setdefault("e-f", "4"), "4")
        self.assertEqual(headers.setdefault("g"), "")
        headers |= {"E-f": "5"}
        self.assertEqual(list(headers.items()), [("E-F", "5"), ("G", "")])

    def test_absent(self) -> None:
        headers = HTTPHeaders()
        self.assertEqual(
            (len(headers), bool(headers), headers.get_list("a"), list(headers.get_all())), (0, False, [], [])
        )
        self.assertIsNone(headers.get("a"))
        self.assertEqual(headers.get("a", 7), 7)
        self.assertEqual(headers.get("a", default="x"), "x")
        self.assertEqual(headers.pop("a", None), None)
        self.assertNotIn("a", headers)
        self.assertNotIn(b"a", headers)
        self.assertNotIn(None, headers)

    def test_key_error_has_the_normal_name(self) -> None:
        headers = HTTPHeaders()
        for name, method in [
            ("get", headers.__getitem__),
            ("del", headers.__delitem__),
            ("pop", headers.pop),
        ]:
            with self.subTest(name), self.assertRaises(KeyError) as caught:
                method("a-b")
            self.assertEqual(caught.exception.args, ("A-B",))
        self.assertRaises(KeyError, headers.popitem)

    def test_name_of_another_type(self) -> None:
        with self.assertRaisesRegex(TypeError, "a header name is a str, got b'Host': decode it"):
            HTTPHeaders()[b"Host"] = "x"  # type: ignore[index]

    def test_several_values(self) -> None:
        headers = several()
        headers.add("A", "")
        self.assertEqual(headers["a"], "1,2,")
        self.assertEqual(headers.get_list("a"), ["1", "2", ""])
        self.assertEqual(list(headers.get_all()), [("A", "1"), ("A", "2"), ("A", ""), ("B", "3")])
        self.assertEqual(len(headers), 2)

    def test_the_list_is_the_callers_own(self) -> None:
        headers = several()
        headers.get_list("A").append("x")
        headers.get_list("B").append("x")
        self.assertEqual(dict(headers), JOINED)

    def test_all_that_reads_sees_the_joined_value(self) -> None:
        readers: dict[str, Any] = {
            "dict": dict,
            "unpacked": lambda headers: {**headers},
            "as keywords": lambda headers: dict(**headers),
            "updated from": lambda headers: _updated({}, headers),
            "merged into a dict": lambda headers: {} | headers,
            "merged with a dict": lambda headers: dict(headers | {}),
            "items": lambda headers: dict(headers.items()),
            "zip": lambda headers: dict(zip(headers, headers.values(), strict=True)),
            "comprehension": lambda headers: {name: headers[name] for name in headers},
            "keys": lambda headers: {name: headers.get(name) for name in headers.keys()},  # noqa: SIM118
            "pop": lambda headers: {"A": headers.pop("a"), "B": headers.pop("b")},
            "popitem": lambda headers: dict([headers.popitem(), headers.popitem()]),
            "setdefault": lambda headers: {name: headers.setdefault(name, "") for name in "AB"},
            "copy": lambda headers: dict(headers.copy()),
            "copy.copy": lambda headers: dict(copy.copy(headers)),
            "copy.deepcopy": lambda headers: dict(copy.deepcopy(headers)),
            "pickle": lambda headers: dict(pickle.loads(pickle.dumps(headers))),
            "repr": lambda headers: eval(repr(headers)),
            "json": lambda headers: json.loads(json.dumps(headers)),
            "format": lambda headers: {name: f"{{{name}}}".format_map(headers) for name in "AB"},
        }
        for name, reader in readers.items():
            with self.subTest(name):
                self.assertEqual(reader(several()), JOINED)
                single = several()
                single["A"] = "1,2"
                self.assertEqual(reader(single), JOINED)

    def test_equality(self) -> None:
        same: list[dict[str, str]] = [
            JOINED,
            several(),
            HTTPHeaders(JOINED),
            HTTPHeaders([("b", "3"), ("a", "1,2")]),
        ]
        for left in same[1:]:
            for right in same:
                self.assertTrue(left == right and right == left)
                self.assertFalse(left != right or right != left)
        other = several()
        other.add("A", "4")
        unequal: list[object] = [other, {"A": "1", "B": "3"}, {}, HTTPHeaders(), None, "A"]
        for value in unequal:
            self.assertFalse(several() == value or value == several())
            self.assertTrue(several() != value and value != several())

    def test_setting_replaces_all_values(self) -> None:
        changes: dict[str, Any] = {
            "assignment": lambda headers: headers.__setitem__("a", "9"),
            "update": lambda headers: headers.update({"a": "9"}),
            "update from headers": lambda headers: headers.update(HTTPHeaders(a="9")),
            "keyword": lambda headers: headers.update(several(), a="9"),
            "del and add": lambda headers: (headers.__delitem__("a"), headers.add("a", "9")),
            "pop and setdefault": lambda headers: (headers.pop("a"), headers.setdefault("a", "9")),
            "clear": lambda headers: (headers.clear(), headers.add("a", "9"), headers.add("b", "3")),
        }
        for name, change in changes.items():
            with self.subTest(name):
                headers = several()
                change(headers)
                self.assertEqual((headers.get_list("a"), headers["a"]), (["9"], "9"))
                self.assertEqual(sorted(headers.get_all()), [("A", "9"), ("B", "3")])
                headers.add("a", "8")
                self.assertEqual(headers.get_list("a"), ["9", "8"])

    def test_taking_over_headers_keeps_their_values_apart(self) -> None:
        target = HTTPHeaders([("A", "0"), ("C", "4")])
        target.add("C", "5")
        target.update(several())
        merged = HTTPHeaders(C="4") | several()
        for headers in (HTTPHeaders(several()), several().copy(), several() | {}, target, merged):
            self.assertIs(type(headers), HTTPHeaders)
            self.assertEqual(headers.get_list("a"), ["1", "2"])
            self.assertEqual(headers.get_list("b"), ["3"])
        self.assertEqual(target.get_list("c"), ["4", "5"])

    def test_updating_from_itself(self) -> None:
        headers = several()
        headers.update(headers)
        self.assertEqual(list(headers.get_all()), list(several().get_all()))

    def test_update_takes_what_dict_takes(self) -> None:
        headers = HTTPHeaders({"a": "1"})
        for bad in [(1,), ({}, {}), (several(), {}), (several(), several())]:
            with self.subTest(str(bad)), self.assertRaises(TypeError):
                headers.update(*bad)
        headers.update()
        headers.update(iter([("b", "2")]))
        self.assertEqual(headers, {"A": "1", "B": "2"})
        self.assertEqual(HTTPHeaders.fromkeys(["a", "A", "b"], "1"), {"A": "1", "B": "1"})

    def test_copies_are_independent(self) -> None:
        ways: list[Callable[[HTTPHeaders], HTTPHeaders]] = [
            HTTPHeaders.copy,
            copy.copy,
            copy.deepcopy,
            HTTPHeaders,
            lambda headers: headers | {},
            lambda headers: pickle.loads(pickle.dumps(headers)),
        ]
        for way in ways:
            original = several()
            headers = way(original)
            headers.add("A", "x")
            headers.add("B", "y")
            self.assertEqual(original, JOINED)
            self.assertEqual(headers, {"A": "1,2,x", "B": "3,y"})

    def test_subclass(self) -> None:
        headers = TaggedHeaders(several())
        headers.tag = "x"
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            again = pickle.loads(pickle.dumps(headers, protocol))
            self.assertEqual((type(again), again.tag, again.get_list("a")), (TaggedHeaders, "x", ["1", "2"]))
        self.assertEqual((type(copy.copy(headers)), copy.copy(headers).tag), (TaggedHeaders, "x"))
        self.assertIs(type(headers.copy()), TaggedHeaders)

    def test_adopt(self) -> None:
        template = {"Server": "x"}
        first, second = (HTTPHeaders._adopt(template, None) for _ in range(2))
        first["A"] = "1"
        first.add("Server", "y")
        self.assertEqual((template, second), ({"Server": "x"}, {"Server": "x"}))
        parsed = HTTPHeaders._adopt({"A": "1", "B": "3"}, {"A": ["1", "2"]})
        self.assertEqual(list(parsed.get_all()), list(several().get_all()))

    def test_storage_is_small(self) -> None:
        self.assertEqual(HTTPHeaders.__slots__, ("_lists",))
        self.assertFalse(hasattr(HTTPHeaders(), "__dict__"))
        headers = several()
        self.assertEqual(headers._lists, {"A": ["1", "2"]})
        headers["A"] = "1"
        self.assertIsNone(headers._lists)

    def test_many_values_are_joined_once(self) -> None:
        """CVE-2025-67725: joining at each `add` is quadratic."""
        headers = HTTPHeaders()
        with mock.patch.object(httputil, "_join", side_effect=",".join) as join:
            for _ in range(50_000):
                headers.add("A", "x" * 20)
            self.assertEqual(join.call_count, 0)
            self.assertEqual(len(headers["a"]), 50_000 * 21 - 1)
            self.assertEqual(join.call_count, 1)
            self.assertEqual(len(dict(headers)["A"]), 50_000 * 21 - 1)
            self.assertEqual(join.call_count, 2)

    def test_remembered_names_are_bounded(self) -> None:
        """CVE-2024-52303: what peers invent is not kept for good."""
        headers = HTTPHeaders()
        for number in range(5_000):
            headers.get(f"x-{number}")
            self.assertLessEqual(len(httputil._NAMES), httputil.MAX_CACHED_NAMES)
        self.assertIn("x-4999", httputil._NAMES)
        headers.get("x" * 64)
        headers.get("x" * 65)
        self.assertEqual((("x" * 64) in httputil._NAMES, ("x" * 65) in httputil._NAMES), (True, False))


def _updated(target: dict[str, str], source: dict[str, str]) -> dict[str, str]:
    target.update(source)
    return target


class ParseHeadersTest(unittest.TestCase):
    def test_parse(self) -> None:
        rows: list[tuple[str, str, list[tuple[str, str]]]] = [
            ("nothing", "", []),
            ("CRLF", "a: 1\r\nb: 2\r\n\r\n", [("A", "1"), ("B", "2")]),
            ("LF", "a: 1\nb: 2\n", [("A", "1"), ("B", "2")]),
            ("no end", "a: 1\r\nb: 2", [("A", "1"), ("B", "2")]),
            ("empty lines", "\r\n\na: 1\n\n\r\nb: 2", [("A", "1"), ("B", "2")]),
            ("blanks around the value", "a:\t 1 2 \t\r\nb:2", [("A", "1 2"), ("B", "2")]),
            ("empty value", "a:\r\nb: \r\n", [("A", ""), ("B", "")]),
            ("colon in the value", "a: b:c", [("A", "b:c")]),
            ("several of a name", "a: 1\r\nA: 2\r\n", [("A", "1"), ("A", "2")]),
            ("latin-1", "a: \xe9\xa0\x85", [("A", "\xe9\xa0\x85")]),
            ("continued", "a: 1\r\n 2\r\n\t 3 \r\nb: 4", [("A", "1 2 3"), ("B", "4")]),
            ("continued after an empty value", "a:\r\n 2\r\n", [("A", "2")]),
            (
                "continued, several of a name",
                "a: 1\r\nb: 2\r\na: 3\r\n 4",
                [("B", "2"), ("A", "1"), ("A", "3 4")],
            ),
        ]
        for name, text, fields in rows:
            with self.subTest(name):
                self.assertEqual(list(HTTPHeaders.parse(text).get_all()), fields)

    def test_parse_line(self) -> None:
        headers = HTTPHeaders()
        for line in ["a: 1", "b: 2\r\n", "A: 3\n", " 4\r\n", "\t5 ", "c:", " 6"]:
            headers.parse_line(line)
        self.assertEqual(headers, {"B": "2", "A": "1,3 4 5", "C": "6"})
        headers.add("b", "7")
        headers.parse_line("d: 8")
        headers.parse_line(" 9")
        self.assertEqual((headers.get_list("b"), headers["d"]), (["2", "7"], "8 9"))

    def test_bad(self) -> None:
        rows = [
            ("no colon", "a"),
            ("empty name", ": 1"),
            ("blank in the name", "a b: 1"),
            ("blank before the colon", "a : 1"),  # CVE-2023-47627
            ("non-ASCII name", "\xe9: 1"),
            ("continues nothing", " a: 1"),
            ("bare CR", "a: \rb: 1"),  # CVE-2023-37276
            ("NUL", "a: 1\x002"),  # CVE-2026-34520
            ("DEL", "a: 1\x7f"),
            ("other line ends of Unicode are none", "a: 1\x0bb: 2"),
            ("control character in a continuation", "a: 1\n 2\x00"),
        ]
        for name, text in rows:
            with (
                self.subTest(name),
                self.assertRaisesRegex(ValueError, "not a header line: .*write 'Name: value'"),
            ):
                HTTPHeaders.parse(text)
        self.assertRaises(ValueError, HTTPHeaders().parse_line, "")
        self.assertRaises(ValueError, HTTPHeaders().parse_line, "a: 1\r\nb: 2")

    def test_long_and_many_lines(self) -> None:
        self.assertEqual(len(HTTPHeaders.parse("a: 1" + "\r\n 2" * 100_000)["a"]), 200_001)
        headers = HTTPHeaders.parse("a: 1")
        with self.assertRaisesRegex(ValueError, "'A' has over 65536 characters in several lines"):
            for _ in range(100_000):
                headers.parse_line(" 2")
        once, twice = (count_steps(HTTPHeaders.parse, "a: 1\r\n" * times) for times in (2_000, 4_000))
        self.assertLessEqual(twice, 3 * once)


class UrlConcatTest(unittest.TestCase):
    def test_rows(self) -> None:
        rows: list[tuple[str, Any, str]] = [
            ("http://a/b", {"c": "d"}, "http://a/b?c=d"),
            ("http://a/b?", {"c": "d"}, "http://a/b?c=d"),
            ("http://a/b?c=d", {"e": "f"}, "http://a/b?c=d&e=f"),
            ("http://a/b?c=d&", {"e": "f"}, "http://a/b?c=d&e=f"),
            ("/b&", {"c": "d"}, "/b&?c=d"),
            ("", {"c": "d"}, "?c=d"),
            ("/b#x", {"c": "d"}, "/b?c=d#x"),
            ("/b?c=d#x?y&", {"e": "f"}, "/b?c=d&e=f#x?y&"),
            ("/b#", {"c": "d"}, "/b?c=d#"),
            ("/b", {}, "/b"),
            ("/b#x", [], "/b#x"),
            ("/b", iter([]), "/b"),
            ("/b", [("c", "1"), ("c", "2")], "/b?c=1&c=2"),
            ("/b", (pair for pair in [("c", "1")]), "/b?c=1"),
            ("/b", {"c": "x y&=\xe9/"}, "/b?c=x+y%26%3D%C3%A9%2F"),
            ("/b", {b"c": b"\xff", "d": 1, "e": ""}, "/b?c=%FF&d=1&e="),
        ]
        for url, args, result in rows:
            with self.subTest(url=url, result=result):
                self.assertEqual(url_concat(url, args), result)


MULTIPART = "multipart/form-data; boundary=X"
URLENCODED = "application/x-www-form-urlencoded"

Arguments = dict[str, list[bytes]]
Files = dict[str, list[HTTPFile]]


def parse_body(content_type: str, body: bytes) -> tuple[Arguments, Files]:
    """Return what `parse_body_arguments` adds."""
    arguments: Arguments = {}
    files: Files = {}
    parse_body_arguments(content_type, body, arguments, files)
    return arguments, files


class FormTest(unittest.TestCase):
    def test_good_parts(self) -> None:
        for name, section, body, parts in multipart_cases.GOOD:
            with self.subTest(name, section=section):
                arguments: Arguments = {}
                files: Files = {}
                for field, filename, content_type, value in parts:
                    if filename is None:
                        arguments.setdefault(field, []).append(value)
                    else:
                        file = HTTPFile(filename=filename, content_type=content_type, body=value)
                        files.setdefault(field, []).append(file)
                self.assertEqual(parse_body(MULTIPART, body), (arguments, files))

    def test_files_are_dicts_with_attributes(self) -> None:
        body = multipart_cases.OPEN + b'; filename="b"\r\n\r\n1' + multipart_cases.CLOSE
        (file,) = parse_body(MULTIPART, body)[1]["a"]
        self.assertEqual(file, {"filename": "b", "content_type": "application/unknown", "body": b"1"})
        self.assertEqual((file.filename, file.content_type, file.body), ("b", "application/unknown", b"1"))

    def test_bad_bodies_log_one_warning(self) -> None:
        for name, section, body, _ in multipart_cases.BAD:
            with self.subTest(name, section=section), ExpectLog("tornado.httputil", "form: ") as logged:
                self.assertEqual(parse_body(MULTIPART, body), ({}, {}))
                self.assertEqual(len(logged.records), 1)

    def test_bad_parts_are_left_out(self) -> None:
        """CVE-2025-47287: one record, however many parts are bad."""
        field, bad = multipart_cases.FIELD + b"\r\n", b"--X\r\n\r\n1\r\n"
        with ExpectLog("tornado.httputil", "Left out 900 parts of a form") as logged:
            found = parse_body(MULTIPART, field + bad * 900 + field + multipart_cases.CLOSE[2:])
        self.assertEqual(found, ({"a": [b"1", b"1"]}, {}))
        self.assertEqual(len(logged.records), 1)

    def test_content_types(self) -> None:
        body = multipart_cases.FIELD + multipart_cases.CLOSE
        multipart, urlencoded = {"a": [b"1"]}, {"b": [b"2"]}
        rows: list[tuple[str, bytes, Arguments]] = [
            (MULTIPART, body, multipart),
            ("Multipart/Form-Data; charset=x; BOUNDARY=X", body, multipart),
            ('multipart/form-data; boundary="X"', body, multipart),
            (URLENCODED, b"b=2&c=", urlencoded),
            (URLENCODED + "; charset=utf-8", b"b=2", urlencoded),
            (URLENCODED.upper(), b"b=2", urlencoded),
            (URLENCODED, b"", {}),
            ("", b"b=2", {}),
            ("application/json", b"b=2", {}),
            (URLENCODED + "x", b"b=2", {}),
            ("text/plain;" + URLENCODED, b"b=2", {}),  # CVE-2014-3137
        ]
        for content_type, data, arguments in rows:
            with self.subTest(content_type):
                self.assertEqual(parse_body(content_type, data), (arguments, {}))

    def test_refused_forms_log_one_warning(self) -> None:
        body = multipart_cases.FIELD + multipart_cases.CLOSE
        rows = [
            ("no boundary", "multipart/form-data", body),
            ("empty boundary", 'multipart/form-data; boundary=""', body),
            ("two boundaries", "multipart/form-data; boundary=X; boundary=Y", body),
            ("bad boundary", "multipart/form-data; boundary=\xe9", body),
            ("too many arguments", URLENCODED, b"a=1&" * 1000),
            ("large argument", URLENCODED, b"a=" + b"1" * 1048576),
        ]
        for name, content_type, data in rows:
            with self.subTest(name), ExpectLog("tornado.httputil", "Ignored a form: ") as logged:
                self.assertEqual(parse_body(content_type, data), ({}, {}))
                self.assertEqual(len(logged.records), 1)

    def test_adds_to_what_is_there(self) -> None:
        body = multipart_cases.FIELD + multipart_cases.CLOSE
        arguments: Arguments = {"a": [b"0"]}
        files: Files = {}
        parse_body_arguments(URLENCODED, b"a=1&b=2", arguments, files)
        parse_multipart_form_data(b'"X"', body, arguments, files)  # boundary in quotes
        self.assertEqual((arguments, files), ({"a": [b"0", b"1", b"1"], "b": [b"2"]}, {}))


class SafeFilenameTest(unittest.TestCase):
    ROWS = [
        ("report.txt", "report.txt"),
        ("/etc/passwd", "passwd"),
        ("../../x", "x"),
        ("..\\..\\x", "x"),
        ("C:\\dir\\f.txt", "f.txt"),
        ("C:f.txt", "C_f.txt"),
        ("//server/share/x", "x"),
        (".profile", "profile"),
        ("...x", "x"),
        (". .x. .", "x"),
        ("a/..", "unnamed"),
        ("a/", "unnamed"),
        ("", "unnamed"),
        (" ", "unnamed"),
        ("a\x00b\r\nc\x7fd\x85e", "abcde"),
        ("\x00..x", "x"),
        ("invoice\u202etxt.exe", "invoicetxt.exe"),
        ("lone\ud800surrogate", "lonesurrogate"),
        ('a<b>:"|?*', "a_b______"),
        ("x.txt:stream", "x.txt_stream"),
        ("con", "_con"),
        ("NUL.tar.gz", "_NUL.tar.gz"),
        ("Aux .txt", "_Aux .txt"),
        ("COM1", "_COM1"),
        ("lpt\xb9.x", "_lpt\xb9.x"),
        ("COM", "COM"),
        ("console", "console"),
        ("h\xe9llo \u732b.txt", "h\xe9llo \u732b.txt"),
        ("x" * 300, "x" * 255),
        ("\xe9" * 200, "\xe9" * 127),
        ("x" * 254 + ".txt", "x" * 254),
        ("nul." + "x" * 300, "_nul." + "x" * 250),
    ]

    def test_rows(self) -> None:
        for name, safe in self.ROWS:
            with self.subTest(name):
                self.assertEqual(safe_filename(name), safe)

    def test_safe_names_stay(self) -> None:
        for _, safe in self.ROWS:
            with self.subTest(safe):
                self.assertEqual(safe_filename(safe), safe)

    def test_any_text_at_all(self) -> None:
        random_text = random.Random(7578)
        for _ in range(3000):
            safe = safe_filename("".join(random_text.choices("./\\: a\x00\u202e\ud800\xe9CONUL1", k=8)))
            self.assertNotRegex(safe, r"\A[. ]|[. ]\Z|[/\\:\x00-\x1f]|\A\Z")
            self.assertLessEqual(len(safe.encode()), 255)


class TimestampTest(unittest.TestCase):
    NOVEMBER = datetime.datetime(1994, 11, 6, 8, 49, 37, tzinfo=datetime.UTC)

    def test_format(self) -> None:
        east = datetime.timezone(datetime.timedelta(hours=9, minutes=30))
        rows: list[tuple[str, Any]] = [
            ("int", 784111777),
            ("float", 784111777.9),
            ("naive datetime", datetime.datetime(1994, 11, 6, 8, 49, 37, 999999)),
            ("aware datetime", self.NOVEMBER),
            ("datetime elsewhere", self.NOVEMBER.astimezone(east)),
            ("time tuple", (1994, 11, 6, 8, 49, 37, 6, 310, 0)),
            ("time tuple with the wrong weekday", (1994, 11, 6, 8, 49, 37, 0, 0, 0)),
            ("struct_time", time.gmtime(784111777)),
        ]
        for name, moment in rows:
            with self.subTest(name):
                self.assertEqual(format_timestamp(moment), "Sun, 06 Nov 1994 08:49:37 GMT")

    def test_format_rows(self) -> None:
        rows = [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (-0.5, "Wed, 31 Dec 1969 23:59:59 GMT"),
            (951782400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (-62135596800, "Mon, 01 Jan 0001 00:00:00 GMT"),
        ]
        for seconds, text in rows:
            with self.subTest(text):
                self.assertEqual(format_timestamp(seconds), text)

    def test_format_refuses(self) -> None:
        ahead = datetime.timezone(datetime.timedelta(hours=1))
        behind = datetime.timezone(-datetime.timedelta(hours=1))
        values: list[Any] = [
            253402300800,
            1e30,
            float("inf"),
            float("nan"),
            datetime.datetime(1, 1, 1, tzinfo=ahead),
            datetime.datetime(9999, 12, 31, 23, 30, tzinfo=behind),
            (1994, 13, 6, 8, 49, 37, 0, 0, 0),
            (1994, 11),
        ]
        for value in values:
            with self.subTest(str(value)), self.assertRaises(ValueError):
                format_timestamp(value)
        values = [None, "now", b"1", datetime.date(1994, 11, 6), [1994, 11, 6, 8, 49, 37]]
        for value in values:
            with self.subTest(str(value)), self.assertRaisesRegex(TypeError, "give seconds, a time tuple or"):
                format_timestamp(value)

    def test_format_in_any_locale(self) -> None:
        """Other languages have other names of months; those that are installed here are tried."""
        before = locale.setlocale(locale.LC_TIME)
        self.addCleanup(locale.setlocale, locale.LC_TIME, before)
        for name in ["de_DE.UTF-8", "zh_CN.UTF-8", "C"]:
            try:
                locale.setlocale(locale.LC_TIME, name)
            except locale.Error:
                continue
            self.assertEqual(format_timestamp(784111777), "Sun, 06 Nov 1994 08:49:37 GMT")
            self.assertEqual(parse_timestamp("Sun, 06 Nov 1994 08:49:37 GMT"), self.NOVEMBER)

    def test_parse(self) -> None:
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun Nov 06 08:49:37 1994",
            "Mon, 06 Nov 1994 08:49:37 GMT",  # the date says more than the name of the day
        ]:
            with self.subTest(text):
                self.assertEqual(parse_timestamp(text), self.NOVEMBER)
        leap = datetime.datetime(2017, 1, 1, tzinfo=datetime.UTC)
        self.assertEqual(parse_timestamp("Sat, 31 Dec 2016 23:59:60 GMT"), leap)

    def test_parse_refuses(self) -> None:
        for text in [
            "",
            "x",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "sun, 06 nov 1994 08:49:37 gmt",
            " Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT\n",
            "Sun, 06 Nov 1994 08:49:37 GMT; length=1",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun, 06 Nov 0000 08:49:37 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, \u0660\u0666 Nov 1994 08:49:37 GMT",
            "Sun, \xb26 Nov 1994 08:49:37 GMT",
            "Fri, 31 Dec 9999 23:59:60 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Sunday, 29-Feb-93 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
            "Sun Nov   08:49:37 1994",
            "Sun, " * 100_000,
        ]:
            with self.subTest(text[:40]):
                self.assertIsNone(parse_timestamp(text))

    def test_years_of_two_digits(self) -> None:
        """At most 50 years ahead (RFC 9110, 5.6.7)."""
        now = datetime.datetime.now(datetime.UTC)
        for ahead in range(-30, 70):
            year = now.year + ahead
            moment = parse_timestamp(f"Sunday, 01-Jan-{year % 100:02} 00:00:00 GMT")
            if moment is None:
                raise AssertionError(year)
            with self.subTest(year):
                self.assertEqual(moment.year % 100, year % 100)
                self.assertLessEqual((moment.year - 50, moment.month), (now.year, now.month))
                self.assertGreaterEqual(moment.year, now.year - 50)

    def test_years_of_two_digits_next_to_a_new_century(self) -> None:
        now = time.gmtime(calendar.timegm((2080, 6, 15, 12, 0, 0)))
        rows = [("15-Jun-30 12:00:00", 2130), ("15-Jun-30 12:00:01", 2030), ("01-Jan-31 00:00:00", 2031)]
        for date, year in rows:
            with self.subTest(date), mock.patch.object(time, "gmtime", return_value=now):
                moment = parse_timestamp(f"Sunday, {date} GMT")
                self.assertEqual(moment and moment.year, year)

    def test_round_trip(self) -> None:
        random_seconds = random.Random(9110)
        for _ in range(1000):
            seconds = random_seconds.randrange(-62135596800, 253402300800)
            moment = parse_timestamp(format_timestamp(seconds))
            self.assertEqual(moment and moment.timestamp(), seconds)


class EtagTest(unittest.TestCase):
    def test_matches(self) -> None:
        rows = [
            ('"a"', '"a"', True),
            ('W/"a"', '"a"', True),
            ('"a"', 'W/"a"', True),
            ('W/"a"', 'W/"a"', True),
            ('"b", W/"a" , "c"', '"a"', True),
            ('"b","a"', '"a"', True),
            (', ,"a",\t,', '"a"', True),
            ('"a,b"', '"a,b"', True),
            ('"\xe9"', '"\xe9"', True),
            ('""', '""', True),
            ("*", '"a"', True),
            (" * ", '"a"', True),
            ('"*"', '"a"', False),
            ('"b"', '"a"', False),
            ('"ab"', '"a"', False),
            ('"A"', '"a"', False),
            ('"W/"', '"a"', False),
            ("", '"a"', False),
            (",", '"a"', False),
            # malformed: matches nothing
            ("a", '"a"', False),
            ("a", "a", False),
            ('"a', '"a"', False),
            ('"a" "b"', '"a"', False),
            ('"a"x', '"a"', False),
            ('"a", x', '"a"', False),
            ('"a", *', '"a"', False),
            ('w/"a"', '"a"', False),
            ('W/ "a"', '"a"', False),
            ('"a\\"b"', '"a\\"b"', False),
            ('"a b"', '"a b"', False),
            ('"a\x7f"', '"a\x7f"', False),
            ('"\u0100"', '"\u0100"', False),
        ]
        for header, etag, matches in rows:
            with self.subTest(header=header, etag=etag):
                self.assertEqual(etag_matches(header, etag), matches)

    def test_growth(self) -> None:
        for piece in [",", '"', '"",', "W/", " ", '"a', "W/W/", '"a" ']:
            with self.subTest(piece):
                once, twice = (count_steps(etag_matches, piece * times, '"x"') for times in (5_000, 10_000))
                self.assertLessEqual(twice, 3 * once)
                once, twice = (peak_memory(etag_matches, piece * times, '"x"') for times in (5_000, 10_000))
                self.assertLessEqual(twice, 3 * once)


if __name__ == "__main__":
    unittest.main()

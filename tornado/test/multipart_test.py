"""`tornado.wire.multipart` reads the tables of `multipart_cases`."""

import random
import sys
import tracemalloc
import unittest
from collections.abc import Callable
from types import FrameType
from typing import Any

from tornado.test import multipart_cases as cases
from tornado.wire import WireError
from tornado.wire.multipart import (
    LIMITS,
    Part,
    parse_media_type,
    parse_multipart,
    parse_multipart_leniently,
    parse_urlencoded,
)


def count_steps(function: Callable[..., Any], *args: Any) -> int:
    """Return the number of lines that run, and of functions that are called, in ``function(*args)``."""
    steps = 0

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal steps
        steps += 1
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        function(*args)
    finally:
        sys.settrace(previous)
    return steps


def peak_memory(function: Callable[..., Any], *args: Any) -> int:
    """Return the most bytes that ``function(*args)`` had allocated at a time."""
    tracemalloc.start()
    try:
        function(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def status_of(function: Callable[..., Any], *args: Any) -> int:
    """Return the status of the `WireError` that ``function(*args)`` raises, 0 if it returns."""
    try:
        function(*args)
    except WireError as error:
        return error.status
    return 0


class MultipartTest(unittest.TestCase):
    def test_good(self) -> None:
        for name, section, body, parts in cases.GOOD:
            with self.subTest(name, section=section):
                self.assertEqual(parse_multipart(b"X", body), [Part(*part) for part in parts])

    def test_bad(self) -> None:
        for name, section, body, status in cases.BAD:
            with self.subTest(name, section=section):
                self.assertEqual(status_of(parse_multipart, b"X", body), status)

    def test_full(self) -> None:
        for name, body, count in cases.FULL:
            with self.subTest(name):
                self.assertEqual(len(parse_multipart(b"X", body)), count)

    def test_boundaries(self) -> None:
        for boundary, good in cases.BOUNDARIES:
            with self.subTest(boundary):
                body = (cases.FIELD + cases.CLOSE).replace(b"X", boundary)
                self.assertEqual(status_of(parse_multipart, boundary, body), 0 if good else 400)

    def test_limits_are_arguments(self) -> None:
        body = b"\r\n".join([cases.FIELD] * 3) + cases.CLOSE
        self.assertEqual(len(parse_multipart(b"X", body, LIMITS._replace(parts=3, part_lines=1, field=1))), 3)
        for name, value, status in [
            ("parts", 2, 413),
            ("part_lines", 0, 400),
            ("field", 0, 413),
            ("part_head", 9, 400),
        ]:
            with self.subTest(name):
                self.assertEqual(
                    status_of(parse_multipart, b"X", body, LIMITS._replace(**{name: value})), status
                )

    def test_truncated_anywhere(self) -> None:
        """A body cut short is refused, or was complete before."""
        for name, _, body, parts in cases.GOOD:
            with self.subTest(name):
                for end in range(len(body)):
                    if status_of(parse_multipart, b"X", body[:end]) == 0:
                        self.assertEqual(parse_multipart(b"X", body[:end]), [Part(*part) for part in parts])

    def test_adversarial(self) -> None:
        for name, advisory, head, piece, count, tail, status, size in cases.ADVERSARIAL:
            with self.subTest(name, advisory=advisory):
                body = head + piece * count + tail
                self.assertEqual(status_of(parse_multipart, b"X", body), status)
                self.assertLess(peak_memory(status_of, parse_multipart, b"X", body), 3 * len(body) + 20_000)
                if not status:
                    self.assertEqual([len(part.body) for part in parse_multipart(b"X", body)], [size])

    def test_adversarial_growth(self) -> None:
        """Twice the input is at most three times the steps."""
        for name, _, head, piece, count, tail, _, _ in cases.ADVERSARIAL:
            with self.subTest(name):
                once, twice = (
                    count_steps(status_of, parse_multipart, b"X", head + piece * times + tail)
                    for times in (count, 2 * count)
                )
                self.assertLessEqual(twice, 3 * once)

    def test_too_many_parts_cost_no_more_than_enough(self) -> None:
        body = cases.FIELD + b"\r\n"
        steps = [count_steps(status_of, parse_multipart, b"X", body * count) for count in (1001, 100_000)]
        self.assertLess(steps[1] - steps[0], 10)

    def test_any_bytes_at_all(self) -> None:
        pieces = [
            b"--X",
            b"--X--",
            b"\r\n",
            b"\r",
            b"\n",
            b'"',
            b";",
            b"a",
            b" ",
            b"\xff",
            cases.OPEN,
            cases.FIELD,
        ]
        random_bytes = random.Random(7578)
        for _ in range(3000):
            body = b"".join(random_bytes.choices(pieces, k=12))
            self.assertIn(status_of(parse_multipart, b"X", body), (0, 400), body)
            self.assertIn(status_of(parse_multipart_leniently, b"X", body), (0, 400), body)


class LenientMultipartTest(unittest.TestCase):
    def test_good(self) -> None:
        for name, section, body, parts in cases.GOOD:
            with self.subTest(name, section=section):
                self.assertEqual(parse_multipart_leniently(b"X", body), ([Part(*part) for part in parts], 0))

    def test_bad_parts_are_left_out(self) -> None:
        """Between two good parts, a bad one is counted, unless its body is bad as a whole."""
        for name, section, body, _ in cases.BAD:
            with self.subTest(name, section=section):
                status = status_of(parse_multipart_leniently, b"X", body)
                if status == 0:
                    whole = (
                        cases.FIELD
                        + b"\r\n"
                        + body.removesuffix(cases.CLOSE)
                        + b"\r\n"
                        + cases.FIELD
                        + cases.CLOSE
                    )
                    parts, bad = parse_multipart_leniently(b"X", whole)
                    self.assertEqual((parts[0], parts[-1], bad), (Part(*cases.A), Part(*cases.A), 1))

    def test_which_bodies_are_bad_as_a_whole(self) -> None:
        found = [name for name, _, body, _ in cases.BAD if status_of(parse_multipart_leniently, b"X", body)]
        self.assertEqual(found[:11], [name for name, _, _, _ in cases.BAD[:11]])
        self.assertEqual(found[11:], ["1001 parts", "1001 parts and no end", "1001 empty parts"])


class MediaTypeTest(unittest.TestCase):
    def test_rows(self) -> None:
        for name, value, kind, parameters in cases.MEDIA_TYPES:
            with self.subTest(name):
                self.assertEqual(parse_media_type(value), (kind, parameters))

    def test_adversarial_growth(self) -> None:
        for name, advisory, head, piece, count in cases.ADVERSARIAL_MEDIA_TYPES:
            with self.subTest(name, advisory=advisory):
                values = [head + piece * times for times in (count, 2 * count)]
                once, twice = (count_steps(parse_media_type, value) for value in values)
                self.assertLessEqual(twice, 3 * once)
                once, twice = (peak_memory(parse_media_type, value) for value in values)
                self.assertLessEqual(twice, 3 * once)

    def test_any_text_at_all(self) -> None:
        random_text = random.Random(9110)
        for _ in range(3000):
            value = "".join(random_text.choices('a=;"\\ \t\x00\xe9/', k=20))
            kind, parameters = parse_media_type(value)
            self.assertNotIn(";", kind, value)
            self.assertNotIn("", parameters, value)


class UrlencodedTest(unittest.TestCase):
    def test_rows(self) -> None:
        for name, data, arguments in cases.URLENCODED:
            with self.subTest(name):
                self.assertEqual(parse_urlencoded(data), arguments)

    def test_bad(self) -> None:
        for name, advisory, data, status in cases.BAD_URLENCODED:
            with self.subTest(name, advisory=advisory):
                self.assertEqual(status_of(parse_urlencoded, data), status)

    def test_refused_before_anything_is_built(self) -> None:
        self.assertLess(peak_memory(status_of, parse_urlencoded, b"a=1&" * 300_000), 10_000)

    def test_limits_are_arguments(self) -> None:
        self.assertEqual(parse_urlencoded(b"a=1&b=2", 2, 3), {"a": [b"1"], "b": [b"2"]})
        self.assertEqual(status_of(parse_urlencoded, b"a=1&b=2", 1), 400)
        self.assertEqual(status_of(parse_urlencoded, b"a=1&b=2", 2, 2), 413)

    def test_escapes_are_linear(self) -> None:
        once, twice = (peak_memory(parse_urlencoded, b"a=" + b"%" * size) for size in (50_000, 100_000))
        self.assertLessEqual(twice, 3 * once)


if __name__ == "__main__":
    unittest.main()

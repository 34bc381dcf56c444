"""`tornado.wire.http1` reads the tables of `http1_cases`, at once and in every way to cut them in two."""

import re
import unittest
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from tornado.test import http1_cases as cases
from tornado.test.multipart_test import count_steps
from tornado.wire import Progress, Reading, Steps, WireError, http1, run
from tornado.wire.http1 import (
    CHUNKED,
    DEFAULT_LIMITS,
    UNTIL_CLOSE,
    Fields,
    Limits,
    RequestHead,
    RequestHeads,
    ResponseHead,
    SectionCache,
    check_field_name,
    check_field_value,
    check_reason,
    encode_head,
    format_chunk,
    format_request_head,
    format_status_line,
    read_body,
    read_request_head,
    read_response_head,
)

MAX_BODY = 100 * 1024 * 1024
SMALL_LIMITS = Limits(*cases.SMALL_LIMITS)

Outcome = tuple[Any, ...]  # ("refused", status), ("waiting",), or what was read, and what is left


def read_request(limits: Limits = DEFAULT_LIMITS) -> Steps[tuple[RequestHead, bytes]]:
    """Read a request head and its body, as a server does."""
    head = yield from read_request_head(limits)
    return head, (yield from read_body(head.fields.length, MAX_BODY))


def read_response(method: str = "GET") -> Steps[tuple[ResponseHead, bytes]]:
    """Read a response head and its body, as a client does."""
    head = yield from read_response_head(DEFAULT_LIMITS, method)
    return head, (yield from read_body(head.fields.length, MAX_BODY))


def fields_of(fields: Fields) -> Outcome:
    """Return everything that is known of a header section."""
    return list(fields.headers().get_all()), fields.length, fields.keep_alive, fields.expect


def value_of(head: RequestHead | ResponseHead, body: bytes) -> Outcome:
    """Return what was read as something that can be compared."""
    if isinstance(head, RequestHead):
        return head.method, head.target, head.version, fields_of(head.fields), body
    return head.code, head.reason, head.version, fields_of(head.fields), body


Reader = Callable[[], Steps[tuple[Any, bytes]]]


def feed(reader: Reader, pieces: Iterable[bytes], eof: bool = False, offer: bool = False) -> Outcome:
    """Give *pieces* to a reading one after the other, as they would come, and return what it makes of them.

    With *offer* each goes first where a stream would try to put it, past the buffer.
    """
    reading = Reading(reader())
    buffer = bytearray()
    try:
        for piece in pieces:
            if offer and not buffer and reading.offer(piece) is not Progress.DECLINED:
                continue
            buffer += piece
            while reading.advance(buffer) is Progress.BUSY:
                pass
        while eof and reading.advance(buffer, eof=True) is Progress.BUSY:
            pass
    except WireError as error:
        return "refused", error.status
    return (*value_of(*reading.value), bytes(buffer)) if reading.finished else ("waiting",)


def in_small_pieces(data: bytes) -> Iterator[bytes]:
    """Cut *data* into single octets, or into few of them where it is long."""
    size = 1 if len(data) < 3000 else 97
    return (data[at : at + size] for at in range(0, len(data), size))


def splits(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Cut *data* in two, everywhere; where it is long, around its line ends and at some places between."""
    if len(data) <= 500:
        places: Iterable[int] = range(1, len(data))
    else:
        ends = [match.end() for match in re.finditer(rb"\r\n", data)]
        near = {end + step for end in ends[:4] + ends[-3:] for step in (-2, -1, 0, 1)}
        places = sorted(near | {1, len(data) - 1} | set(range(100, len(data), len(data) // 8)))
    return ((data[:at], data[at:]) for at in places if 0 < at < len(data))


class WireCase(unittest.TestCase):
    """Reads the same in every way the bytes may arrive."""

    def assert_outcome(self, reader: Reader, data: bytes, outcome: Outcome, eof: bool = False) -> None:
        self.assertEqual(feed(reader, [data], eof), outcome, "at once")
        self.assertEqual(feed(reader, [data], eof, offer=True), outcome, "offered")
        self.assertEqual(feed(reader, in_small_pieces(data), eof), outcome, "in small pieces")
        for first, second in splits(data):
            self.assertEqual(feed(reader, [first, second], eof, offer=True), outcome, f"cut at {len(first)}")


class RequestTest(WireCase):
    def test_bad(self) -> None:
        """Refused with its status, whatever comes next, however it comes."""
        for name, rule, data, status in cases.BAD:
            with self.subTest(name, rule=rule):
                self.assert_outcome(read_request, data, ("refused", status))
                self.assertEqual(feed(read_request, [data + cases.HIDDEN]), ("refused", status))

    def test_early(self) -> None:
        for name, rule, data, status in cases.EARLY:
            with self.subTest(name, rule=rule):
                self.assert_outcome(read_request, data, ("refused", status))

    def test_good(self) -> None:
        for name, rule, data, (method, target, version, host, body, keep_alive) in cases.GOOD:
            with self.subTest(name, rule=rule):
                head, read = run(read_request(), data)
                self.assertEqual(
                    (head.method, head.target, head.version, read), (method, target, version, body)
                )
                self.assertEqual(head.fields.headers().get("Host"), host)
                self.assertIs(head.fields.keep_alive, keep_alive)
                outcome = (*value_of(head, read), b"")
                self.assert_outcome(read_request, data, outcome)

    def test_good_leaves_the_next(self) -> None:
        for name, rule, data, _ in cases.GOOD:
            with self.subTest(name, rule=rule):
                self.assertEqual(feed(read_request, [data + b"NEXT"])[-1], b"NEXT")

    def test_incomplete(self) -> None:
        for name, rule, data in cases.INCOMPLETE:
            with self.subTest(name, rule=rule):
                self.assert_outcome(read_request, data, ("waiting",))
                self.assert_outcome(read_request, data, ("refused", 400), eof=True)

    def test_good_cut_short(self) -> None:
        """Every beginning of a good request is incomplete."""
        for name, rule, data, _ in cases.GOOD:
            if len(data) <= 500:
                with self.subTest(name, rule=rule):
                    for end in range(len(data)):
                        self.assertEqual(feed(read_request, [data[:end]]), ("waiting",), data[:end])
                        self.assertEqual(feed(read_request, [data[:end]], eof=True), ("refused", 400))

    def test_fields(self) -> None:
        for name, rule, lines, wanted in cases.FIELDS:
            with self.subTest(name, rule=rule):
                head = run(read_request_head(), b"GET / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n\r\n")
                headers = head.fields.headers()
                for field, values in wanted.items():
                    self.assertEqual(headers.get_list(field), values)
                    self.assertEqual(headers[field], ",".join(values))

    def test_trailers_are_dropped(self) -> None:
        data = (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: b\r\nSum: 1\r\n\r\n"
        )
        head, _ = run(read_request(), data)
        self.assertEqual(
            list(head.fields.headers().get_all()), [("Host", "a"), ("Transfer-Encoding", "chunked")]
        )

    def test_names_that_peers_invent_are_not_kept_for_ever(self) -> None:
        """CVE-2024-52303 was the like of it."""
        known = http1._NAMES.copy()
        self.addCleanup(http1._NAMES.update, known)
        self.addCleanup(http1._NAMES.clear)
        for number in range(100):
            lines = b"".join(b"x-%d-%d: y\r\n" % (number, each) for each in range(90))
            method = b"M%d" % number
            head = run(read_request_head(), method + b" / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n")
            self.assertEqual(head.fields.headers()[f"x-{number}-89"], "y")
            long_name = b"y" * 1000 + method
            run(read_request_head(), b"GET / HTTP/1.1\r\nHost: a\r\n" + long_name + b": z\r\n\r\n")
        self.assertLessEqual(len(http1._NAMES), 1000)
        self.assertLessEqual(max(map(len, http1._NAMES)), 100)
        self.assertLess(len(http1._METHODS), 20)

    def test_headers_are_a_copy(self) -> None:
        head = run(read_request_head(), b"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nA: c\r\n\r\n")
        headers = head.fields.headers()
        headers.add("A", "d")
        headers["Host"] = "e"
        self.assertEqual(head.fields.headers().get_list("A"), ["b", "c"])
        self.assertEqual(head.fields.headers()["Host"], "a")


class LimitsTest(WireCase):
    def test_rows(self) -> None:
        for name, data, status in cases.LIMITS:
            with self.subTest(name):
                reader = partial(read_request, SMALL_LIMITS)
                outcome = ("refused", status) if status else (*value_of(*run(reader(), data)), b"")
                self.assert_outcome(reader, data, outcome)

    def test_they_are_positive(self) -> None:
        for name in Limits.__slots__:
            for value in (0, -1, None, "1", 1.5):
                with self.subTest(name, value=value), self.assertRaisesRegex(ValueError, name):
                    Limits(**{name: value})  # type: ignore[arg-type]

    def test_body(self) -> None:
        for name, length, data, status in [
            ("at the limit", 5, b"hello", 0),
            ("over the limit", 6, b"hello!", 413),
            ("over the limit, nothing read", 6, b"", 413),
            ("chunks at the limit", CHUNKED, b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", 0),
            ("chunks over the limit", CHUNKED, b"2\r\nhe\r\n4\r\n", 413),
            ("the end at the limit", UNTIL_CLOSE, b"hello", 0),
            ("the end over the limit", UNTIL_CLOSE, b"hello!", 413),
        ]:
            for pieces in (None, list[bytes]()):
                with self.subTest(name, streamed=pieces is not None):
                    steps = read_body(length, 5, None if pieces is None else pieces.append)
                    if status:
                        with self.assertRaises(WireError) as caught:
                            run(steps, data)
                        self.assertEqual(caught.exception.status, status)
                    else:
                        body = run(steps, data)
                        self.assertEqual(body if pieces is None else b"".join(pieces), b"hello")

    def test_body_over_the_limit_is_refused_without_its_bytes(self) -> None:
        for length, data in [(6, b""), (CHUNKED, b"6\r\n"), (CHUNKED, b"5\r\nhello\r\n1\r\n")]:
            with self.subTest(data), self.assertRaises(WireError) as caught:
                Reading(read_body(length, 5)).advance(bytearray(data))
            self.assertEqual(caught.exception.status, 413)

    def test_trailers_count_with_the_fields(self) -> None:
        """A server that takes few fields takes no more of them behind the body."""
        start = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
        self.assertEqual(feed(read_request, [start + b"A: b\r\n" * 101 + b"\r\n"]), ("refused", 431))


class StreamedBodyTest(unittest.TestCase):
    """A body handed over as it comes."""

    def test_same_bytes(self) -> None:
        for name, _, data, body in cases.CHUNKS:
            with self.subTest(name):
                pieces: list[bytes] = []
                self.assertEqual(run(read_body(CHUNKED, MAX_BODY, pieces.append), data), b"")
                self.assertEqual(b"".join(pieces), body)
        for length in (5, UNTIL_CLOSE):
            pieces = []
            self.assertEqual(run(read_body(length, MAX_BODY, pieces.append), b"hello"), b"")
            self.assertEqual(pieces, [b"hello"])

    def test_as_it_comes(self) -> None:
        for length, start in [(4, b""), (CHUNKED, b"4\r\n"), (UNTIL_CLOSE, b"")]:
            with self.subTest(length):
                pieces: list[bytes] = []
                reading = Reading(read_body(length, MAX_BODY, pieces.append))
                buffer = bytearray(start)
                for piece in (b"a", b"bc"):
                    buffer += piece
                    self.assertIs(reading.advance(buffer), Progress.WAITING)
                self.assertEqual(pieces, [b"a", b"bc"])

    def test_pieces_are_small(self) -> None:
        pieces: list[bytes] = []
        run(read_body(1_000_000, MAX_BODY, pieces.append), b"x" * 1_000_000)
        self.assertEqual(sum(map(len, pieces)), 1_000_000)
        self.assertLessEqual(max(map(len, pieces)), http1.PIECE_SIZE)

    def test_cut_short(self) -> None:
        for length, data in [(5, b"hell"), (5, b""), (CHUNKED, b"5\r\nhell")]:
            with self.subTest(data), self.assertRaises(WireError):
                run(read_body(length, MAX_BODY, list[bytes]().append), data)


class RequestHeadsTest(unittest.TestCase):
    """The reading of one head after another reads each as `read_request_head` does."""

    def feed(self, heads: RequestHeads, pieces: Iterable[bytes]) -> Outcome:
        buffer = bytearray()
        progress = Progress.WAITING
        try:
            for piece in pieces:
                progress = Progress.DECLINED if buffer else heads.offer(piece)
                if progress is Progress.DECLINED:
                    buffer += piece
                    progress = heads.advance(buffer)
        except WireError as error:
            return "refused", error.status
        return value_of(heads.value, bytes(buffer)) if progress is Progress.DONE else ("waiting",)

    def test_good(self) -> None:
        heads = RequestHeads(DEFAULT_LIMITS, SectionCache())
        for name, rule, data, _ in cases.GOOD:
            with self.subTest(name, rule=rule):
                rest = bytearray(data)
                head = run(read_request_head(), rest)
                for _ in range(2):
                    self.assertEqual(self.feed(heads, [data]), value_of(head, bytes(rest)))
                for pieces in splits(data[: len(data) - len(rest)]):
                    self.assertEqual(self.feed(heads, pieces), value_of(head, b""))

    def test_bad(self) -> None:
        for name, rule, data, status in [*cases.BAD, *cases.EARLY]:
            if not name.startswith("chunks") and status != 413:
                with self.subTest(name, rule=rule):
                    heads = RequestHeads(DEFAULT_LIMITS, SectionCache())
                    self.assertEqual(self.feed(heads, [data]), ("refused", status))

    def test_limits(self) -> None:
        for name, data, status in cases.LIMITS:
            with self.subTest(name):
                for pieces in ([data], [data[:9], data[9:]]):
                    outcome = self.feed(RequestHeads(SMALL_LIMITS, SectionCache()), pieces)
                    self.assertEqual(outcome == ("refused", status), status != 0, outcome)


class SectionCacheTest(unittest.TestCase):
    def read(self, data: bytes, cache: SectionCache) -> Outcome:
        head = run(read_request_head(DEFAULT_LIMITS, cache), data)
        return value_of(head, b"")

    def test_same_with_and_without(self) -> None:
        """A connection that has sent every good request before reads each as a new one does."""
        cache = SectionCache()
        heads = [data[: data.index(b"\r\n\r\n", 4) + 4] for _, _, data, _ in cases.GOOD]
        for data in [*heads, *heads[::-1], *(head for head in heads for _ in range(3))]:
            self.assertEqual(self.read(data, cache), value_of(run(read_request_head(), data), b""), data)

    def test_bad_heads_leave_nothing(self) -> None:
        cache = SectionCache()
        for name, _, data, status in cases.BAD:
            if not name.startswith("chunks"):
                with self.subTest(name):
                    for _ in range(2):
                        try:
                            run(read_request_head(DEFAULT_LIMITS, cache), data)
                        except WireError as error:
                            self.assertEqual(error.status, status)
                        else:
                            self.assertEqual(status, 413)  # told by read_body

    def test_similar_sections(self) -> None:
        cache = SectionCache()
        for data, host in [
            (b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", "a"),
            (b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n", "a"),
            (b"GET /b HTTP/1.1\r\nHost: b\r\n\r\n", "b"),
            (b"GET http://c/ HTTP/1.1\r\nHost: b\r\n\r\n", "c"),
            (b"GET /b HTTP/1.1\r\nHost: b\r\n\r\n", "b"),
            (b"GET /b HTTP/1.0\r\nHost: b\r\n\r\n", "b"),
        ]:
            head = run(read_request_head(DEFAULT_LIMITS, cache), data)
            self.assertEqual(head.fields.headers()["Host"], host)
        self.assertEqual(head.version, "HTTP/1.0")

    def test_requests_share_nothing(self) -> None:
        cache = SectionCache()
        data = b"GET /a HTTP/1.1\r\nHost: a\r\nA: b\r\nA: c\r\n\r\n"
        headers = run(read_request_head(DEFAULT_LIMITS, cache), data).fields.headers()
        headers.add("A", "d")
        headers["Host"] = "e"
        self.assertEqual(run(read_request_head(DEFAULT_LIMITS, cache), data).fields.headers()["A"], "b,c")
        cache.clear()
        self.assertEqual((cache.raw, cache.fields), (b"", None))


class ResponseTest(WireCase):
    def test_good(self) -> None:
        for name, rule, method, data, (code, reason, body, keep_alive), left in cases.RESPONSES:
            with self.subTest(name, rule=rule):
                buffer = bytearray(data)
                head, read = run(read_response(method), buffer)
                self.assertEqual((head.code, head.reason, read), (code, reason, body))
                self.assertIs(head.fields.keep_alive, keep_alive)
                self.assertEqual(buffer, left)
                reader = partial(read_response, method)
                self.assert_outcome(reader, data, (*value_of(head, read), left), eof=True)

    def test_bad(self) -> None:
        for name, rule, data in cases.BAD_RESPONSES:
            with self.subTest(name, rule=rule):
                outcome = feed(read_response, [data])
                self.assertEqual(outcome[0], "refused")
                self.assertEqual(feed(read_response, in_small_pieces(data)), outcome)

    def test_incomplete(self) -> None:
        for name, rule, data in cases.INCOMPLETE_RESPONSES:
            with self.subTest(name, rule=rule):
                self.assertEqual(feed(read_response, [data]), ("waiting",))
                self.assertEqual(feed(read_response, [data], eof=True), ("refused", 400))

    def test_incomplete_to_head(self) -> None:
        """What has no body is complete without one."""
        data = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
        self.assertEqual(feed(partial(read_response, "HEAD"), [data])[0], 200)


class SerializerTest(unittest.TestCase):
    def test_requests(self) -> None:
        """What was read, written again, reads the same."""
        for name, rule, data, _ in cases.GOOD:
            with self.subTest(name, rule=rule):
                head, body = run(read_request(), data)
                if head.version == "HTTP/1.1":
                    headers = head.fields.headers()
                    again = format_request_head(head.method, head.target, headers.get_all())
                    chunked = format_chunk(body) + format_chunk(b"") if body else format_chunk(b"")
                    again += chunked if head.fields.length == CHUNKED else body
                    self.assertEqual(value_of(*run(read_request(), again)), value_of(head, body))

    def test_responses(self) -> None:
        for name, rule, method, data, *_ in cases.RESPONSES:
            with self.subTest(name, rule=rule):
                head, body = run(read_response(method), data)
                if head.version == "HTTP/1.1" and head.reason:
                    line = format_status_line(head.code, head.reason)
                    again = encode_head(line, head.fields.headers().get_all())
                    again += (
                        b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
                        if head.fields.length == CHUNKED
                        else body
                    )
                    self.assertEqual(value_of(*run(read_response(method), again)), value_of(head, body))

    def test_status_lines(self) -> None:
        for name, code, reason, line in cases.STATUS_LINES:
            with self.subTest(name):
                self.assertEqual(format_status_line(code, reason), line)

    def test_names(self) -> None:
        for name in cases.BAD_NAMES:
            with self.subTest(name), self.assertRaisesRegex(ValueError, "header name"):
                check_field_name(name)
        for name in cases.GOOD_NAMES:
            self.assertEqual(check_field_name(name), name)

    def test_values_and_reasons(self) -> None:
        for check in (check_field_value, check_reason):
            for value in cases.BAD_VALUES:
                with self.subTest(check.__name__, value=value), self.assertRaisesRegex(ValueError, "control"):
                    check(value)
            for value in cases.GOOD_VALUES:
                self.assertEqual(check(value), value)

    def test_bad_values_are_quoted_and_cut(self) -> None:
        with self.assertRaises(ValueError) as caught:
            check_field_value("\r\n" * 10_000)
        self.assertLess(len(str(caught.exception)), 200)
        self.assertNotIn("\r", str(caught.exception))

    def test_encoding(self) -> None:
        for name, value, wanted in [
            ("ASCII", "a", b"a"),
            ("latin-1", "\xe9", b"\xe9"),
            ("more than latin-1", "\u6587", "\u6587".encode()),
            ("half a surrogate pair", "\udc80", b"?"),
        ]:
            with self.subTest(name):
                head = encode_head("HTTP/1.1 200 OK\r\n", [("A", "\xe9"), ("B", value)])
                self.assertEqual(head, b"HTTP/1.1 200 OK\r\nA: \xe9\r\nB: " + wanted + b"\r\n\r\n")

    def test_chunks(self) -> None:
        self.assertEqual(format_chunk(b"hello world!"), b"c\r\nhello world!\r\n")
        self.assertEqual(format_chunk(b""), b"0\r\n\r\n")


class CountedBuffer(bytearray):
    """Counts the octets that were looked at."""

    seen = 0

    def find(self, sub: Any, start: Any = 0, end: Any = None, /) -> int:
        end = len(self) if end is None else min(end, len(self))
        found = super().find(sub, start, end)
        CountedBuffer.seen += max(0, (end if found < 0 else found + 1) - start)
        return found

    def rfind(self, sub: Any, start: Any = 0, end: Any = None, /) -> int:
        end = len(self) if end is None else min(end, len(self))
        found = super().rfind(sub, start, end)
        CountedBuffer.seen += max(0, end - max(start, found))
        return found


class GrowthTest(unittest.TestCase):
    """Twice the input costs at most three times the work."""

    def setUp(self) -> None:
        original = http1._bad_in_head

        def counted(buffer: Any, start: int = 0) -> Any:
            CountedBuffer.seen += len(buffer) - start
            return original(buffer, start)

        http1._bad_in_head = counted  # type: ignore[assignment]
        self.addCleanup(setattr, http1, "_bad_in_head", original)

    def octets_seen(self, reader: Reader, data: bytes) -> int:
        CountedBuffer.seen = 0
        reading = Reading(reader())
        buffer = CountedBuffer()
        for at in range(len(data)):
            buffer += data[at : at + 1]
            try:
                reading.advance(buffer)
            except WireError:
                break
        return CountedBuffer.seen

    def test_slow_drip(self) -> None:
        """However small the pieces, an octet is looked at a few times only (RFC 9112 says nothing of it)."""
        start = b"GET / HTTP/1.1\r\nHost: a\r\n"
        chunked = start + b"Transfer-Encoding: chunked\r\n\r\n"
        for name, head, piece, count in [
            ("request line", b"GET /", b"a", 4000),
            ("field line", start + b"A: ", b"b", 4000),
            ("field lines", start, b"Aa: b\r\n", 45),
            ("many short field lines", start, b"A:\r\n", 1000),
            ("chunk line", chunked + b"1;", b"a", 500),
            ("chunks", chunked, b"1\r\nx\r\n", 1000),
            ("trailer", chunked + b"0\r\nA: ", b"b", 4000),
            ("trailers", chunked + b"0\r\n", b"A:\r\n", 45),
        ]:
            with self.subTest(name):
                once, twice = (
                    self.octets_seen(read_request, head + piece * times) for times in (count, 2 * count)
                )
                self.assertLessEqual(twice, 3 * once)
                self.assertLessEqual(twice, 20 * (len(head) + 2 * count * len(piece)))

    def test_steps(self) -> None:
        start = b"POST / HTTP/1.1\r\nHost: a\r\n"
        chunked = start + b"Transfer-Encoding: chunked\r\n\r\n"
        for name, head, piece, count, tail in [
            ("same fields", start, b"A: b\r\n", 45, b"\r\n"),
            ("bad fields", start, b"A: b\r\n", 45, b"\0"),
            ("commas", start + b"Connection: ", b"a,", 4000, b"\r\n\r\n"),
            ("blanks", start + b"A: ", b" ", 4000, b"\r\n\r\n"),
            ("host", b"GET / HTTP/1.1\r\nHost: ", b"a.", 4000, b"\r\n\r\n"),
            ("bad host", b"GET / HTTP/1.1\r\nHost: ", b"a%", 4000, b"\r\n\r\n"),
            ("request line", b"GET ", b" /", 4000, b"\r\n\r\n"),
            ("chunks", chunked, b"1\r\nx\r\n", 1000, b"0\r\n\r\n"),
            ("trailers", chunked + b"0\r\n", b"A: b\r\n", 45, b"\r\n"),
        ]:
            with self.subTest(name):
                once, twice = (
                    count_steps(feed, read_request, [head + piece * times + tail])
                    for times in (count, 2 * count)
                )
                self.assertLessEqual(twice, 3 * once)

    def test_extensions_do_not_backtrack(self) -> None:
        """The pattern of a chunk line fails as fast as it matches: its steps are the length of the line."""
        for piece in (
            b";a",
            b";a=b",
            b' ;a="b"',
            b" ",
            b"\t;a ",
            b';a="',
            b'\\"',
            b"; = ",
            b"a",
            b"=a",
            b';a="\\',
        ):
            with self.subTest(piece):
                line = b"5;a" + piece * (1015 // len(piece) - 3)
                for end in (b"\r\n", b"!\r\n", b'"\r\n'):
                    feed(
                        read_request,
                        [b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + line + end],
                    )

    def test_chunks_yield_to_the_loop(self) -> None:
        """A thousand reads, or 64 KiB, and others have their turn (CVE-2026-115927)."""
        chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        for name, body, turns in [
            ("small", b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n", 60),
            ("large", (b"4000\r\n" + b"x" * 0x4000 + b"\r\n") * 100 + b"0\r\n\r\n", 20),
        ]:
            with self.subTest(name):
                reading = Reading(read_request())
                buffer = bytearray(chunked + body)
                busy = 0
                while reading.advance(buffer) is Progress.BUSY:
                    busy += 1
                self.assertTrue(reading.finished)
                self.assertGreaterEqual(busy, turns)


if __name__ == "__main__":
    unittest.main()

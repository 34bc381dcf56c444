"""`tornado.wire.http1` beside h11, another implementation, and before messages that nobody thought of."""

import random
import re
import unittest
from collections.abc import Iterable, Iterator
from functools import partial

import h11
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tornado.test import http1_cases as cases
from tornado.test.http1_test import SMALL_LIMITS, Outcome, Reader, feed, read_request, read_response
from tornado.wire import WireError, run


def h11_reads(data: bytes) -> tuple[str, str, bytes] | None:
    """Return method, target and body of the request *data* as h11 reads it; None if it refuses."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=64 * 1024)
    body = bytearray()
    method = target = ""
    try:
        connection.receive_data(data)
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Request):
                method, target = event.method.decode(), event.target.decode()
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                return None  # it needs more
    except h11.RemoteProtocolError:
        return None
    return method, target, bytes(body)


def matching(rows: list[tuple[str, str, str]], names: Iterable[str]) -> set[str]:
    """Return those of *names* that the patterns of *rows* are about."""
    patterns = [re.compile(pattern, re.DOTALL) for _, _, pattern in rows]
    return {name for name in names if any(pattern.fullmatch(name) for pattern in patterns)}


class H11Test(unittest.TestCase):
    """Whoever takes more than another is in danger when the two stand behind each other."""

    maxDiff = None

    def test_bad(self) -> None:
        """Nothing that we refuse is taken by h11 without a reason that we know."""
        taken = {name for name, _, data, _ in cases.BAD if h11_reads(data + cases.HIDDEN) is not None}
        self.assertEqual(taken, matching(cases.H11_TAKES, (name for name, *_ in cases.BAD)))

    def test_good(self) -> None:
        refused = set()
        for name, _, data, (method, target, _, _, body, _) in cases.GOOD:
            read = h11_reads(data)
            if read is None:
                refused.add(name)
            elif not name.startswith("absolute-form"):  # h11 leaves those to its caller
                self.assertEqual(read, (method, target, body), name)
        self.assertEqual(refused, matching(cases.H11_REFUSES, (name for name, *_ in cases.GOOD)))


# -- messages at random --

#: What requests and responses are made of, and what they are not.
WORDS = [
    b"GET", b"POST", b"HEAD", b"OPTIONS", b"CONNECT", b" ", b" ", b"/", b"*", b"http://a/", b"?a=b",
    b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"200", b"204", b" OK", b"\r\n", b"\r\n", b"\r\n\r\n", b"\r",
    b"\n", b"\t", b":", b";", b",", b"Host: a\r\n", b"Host:", b"Content-Length: 3\r\n", b"Content-Length:",
    b"Transfer-Encoding: chunked\r\n", b"chunked", b"Connection: close\r\n", b"Expect: 100-continue\r\n",
    b"A: b\r\n", b"0", b"3", b"5", b"f", b"abc", b"3\r\nabc\r\n", b"0\r\n\r\n", b'"', b"\\", b"\0", b"\x7f",
    b"\x85", b"\xff",
]  # fmt: skip

words = st.lists(st.sampled_from(WORDS), max_size=25).map(b"".join)
START = b"POST / HTTP/1.1\r\nHost: a\r\n"
requests = st.one_of(
    words,
    words.map(lambda text: START + text),
    words.map(lambda text: START + b"Transfer-Encoding: chunked\r\n\r\n" + text),
    st.binary(max_size=60),
)
responses = st.one_of(
    words,
    words.map(lambda text: b"HTTP/1.1 200 OK\r\n" + text),
    words.map(lambda text: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + text),
)
places = st.lists(st.integers(0, 400), max_size=5).map(sorted)


def cut(data: bytes, at: list[int]) -> Iterator[bytes]:
    """Cut *data* at some places."""
    for start, end in zip([0, *at], [*at, len(data)], strict=True):
        yield data[start:end]


def mutants(data: bytes, count: int, source: random.Random) -> Iterator[bytes]:
    """Change single octets of *data*."""
    for _ in range(count):
        at = source.randrange(len(data))
        replacement = bytes([source.choice(b"\r\n\0 \t:;,0a\x7f\xff" + data)])
        yield data[:at] + source.choice([b"", replacement, data[at : at + 1] + replacement]) + data[at + 1 :]


class FuzzTest(unittest.TestCase):
    """Only WireError comes out, and how the bytes arrive makes no difference."""

    def assert_same(self, reader: Reader, data: bytes, at: list[int]) -> None:
        def kind(outcome: Outcome) -> Outcome:
            # Of several mistakes the first to arrive is told: statuses may differ, refusals may not.
            return ("refused",) if outcome[0] == "refused" else outcome

        wanted = kind(feed(reader, [data], eof=True))
        self.assertEqual(kind(feed(reader, cut(data, at), eof=True, offer=True)), wanted)
        self.assertEqual(kind(feed(reader, (data[i : i + 1] for i in range(len(data))), eof=True)), wanted)
        if feed(reader, [data])[0] == "refused":
            self.assertEqual(wanted, ("refused",))
            self.assertEqual(feed(reader, [data + b"X" * 100])[0], "refused", "more bytes do not help")

    @settings(max_examples=300)
    @given(requests, places)
    @example(START + b"Content-Length: 3\r\n\r\nabcGET", [3])
    def test_requests(self, data: bytes, at: list[int]) -> None:
        self.assert_same(read_request, data, at)

    @settings(max_examples=200)
    @given(words.map(lambda text: b"GET /a HTTP/1.1\r\nHost: a\r\n" + text), places)
    def test_requests_near_their_limits(self, data: bytes, at: list[int]) -> None:
        self.assert_same(partial(read_request, SMALL_LIMITS), data, at)

    @settings(max_examples=200)
    @given(responses, places)
    def test_responses(self, data: bytes, at: list[int]) -> None:
        self.assert_same(read_response, data, at)

    def test_mutants_of_requests(self) -> None:
        """One octet of a good request is changed: it is refused, or read the same however it comes."""
        source = random.Random(9112)
        for _, _, data, _ in cases.GOOD:
            if len(data) < 300:
                for mutant in mutants(data, 12, source):
                    self.assert_same(read_request, mutant, [source.randrange(len(data))])

    def test_mutants_that_h11_takes(self) -> None:
        """What both take, both read alike."""
        source = random.Random(9110)
        both = 0
        for name, _, data, _ in cases.GOOD:
            if len(data) < 300 and not name.startswith("absolute-form"):
                for mutant in mutants(data, 12, source):
                    try:
                        head, body = run(read_request(), bytearray(mutant))
                    except WireError:
                        continue
                    read = h11_reads(mutant)
                    if read is not None and b"http://" not in mutant:
                        both += 1
                        self.assertEqual(read, (head.method, head.target, body), mutant)
        self.assertGreater(both, 300)


if __name__ == "__main__":
    unittest.main()

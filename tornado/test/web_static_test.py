"""Static files behind a live server: which are served, how much of them, and what is left afterwards.

Every test has a folder of its own, whose neighbours hold a secret that no request may get at.
"""

import datetime
import email.utils
import hashlib
import itertools
import os
import pathlib
import socket
import tempfile
import tracemalloc
from collections.abc import Iterable
from typing import Any

from tornado import _static
from tornado.httputil import HTTPHeaders
from tornado.iostream import MAX_WRITE_PER_TURN
from tornado.test.live import Answer, Client, get
from tornado.test.util import ExpectLog
from tornado.test.web_pages_test import GZIPPED, CleanCase
from tornado.web import Application, RequestHandler, StaticFileHandler, asynchronous

DATA = bytes(range(100))
SECRET = b"nobody may read this"
WRITTEN = 1_300_000_000  # seconds since the epoch: when the files were written
WRITTEN_AS_DATE = "Sun, 13 Mar 2011 07:06:40 GMT"
BIG = 64 * 1024 * 1024
BUFFERS = 8 * 1024 * 1024  # what the system may hold of an answer on its way

NO_FILE = r"static_url\(.*\): there is no such file"


class StaticCase(CleanCase):
    """Has the folder ``static`` with the file ``data.bin``, and a secret outside."""

    def setUp(self) -> None:
        super().setUp()
        self.outside = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())).resolve()
        self.root = self.outside / "static"
        self.put("data.bin", DATA)
        for secret in ("../secret.txt", "../static-private/secret.txt", "../static.txt"):
            self.put(secret, SECRET)
        self.addCleanup(_static.forget_versions)

    def put(self, name: str, content: bytes) -> pathlib.Path:
        """Write a file, long ago."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (WRITTEN, WRITTEN))
        return path

    def put_big(self, size: int = BIG) -> pathlib.Path:
        """Write a file of *size* zeros that takes no room on the disk."""
        path = self.put("big.bin", b"")
        os.truncate(path, size)
        return path

    def serve_files(self, *handlers: Any, **settings: Any) -> Application:
        """Serve the folder."""
        return self.application(list(handlers), static_path=str(self.root), **settings)

    def get(self, path: str, *fields: str, method: str = "GET") -> Answer:
        """Return the answer to a request for the file *path*."""
        return self.fetch(get(f"/static/{path}", *fields).replace(b"GET", method.encode(), 1))

    def descriptors(self, path: pathlib.Path) -> int:
        """Return how many descriptors of *path* are open."""
        count = 0
        for name in os.listdir("/proc/self/fd"):
            try:
                count += os.readlink(f"/proc/self/fd/{name}") == str(path)
            except FileNotFoundError:  # that of the listing itself
                pass
        return count


class HeaderTest(StaticCase):
    def test_file(self) -> None:
        self.serve_files()
        answer = self.get("data.bin")
        self.assertEqual((answer.code, answer.body), (200, DATA))
        self.assertEqual(answer.headers["Last-Modified"], WRITTEN_AS_DATE)
        self.assertEqual(answer.headers["Content-Length"], "100")
        self.assertEqual(answer.headers["Accept-Ranges"], "bytes")
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(answer.headers["Cache-Control"], "public")
        self.assertNotIn("Expires", answer.headers)
        self.assertNotIn("Transfer-Encoding", answer.headers)
        self.assertRegex(answer.headers["Etag"], r'^"[^"]+"$')

    def test_head(self) -> None:
        self.put("empty.txt", b"")
        self.put_big()
        self.serve_files()
        for name, size in [("data.bin", 100), ("empty.txt", 0), ("big.bin", BIG)]:
            with self.subTest(name):
                answer = self.get(name, method="HEAD")
                self.assertEqual((answer.code, answer.headers["Content-Length"]), (200, str(size)))
                self.assertEqual(answer.body, b"")
                if size < BIG:
                    whole = self.get(name)
                    ours, theirs = dict(answer.headers), dict(whole.headers)
                    self.assertTrue(ours.pop("Date") and theirs.pop("Date"))
                    self.assertEqual(ours, theirs)

    def test_content_type(self) -> None:
        table = {
            "a.txt": "text/plain",
            "a.HTML": "text/html",
            "a.css": "text/css",
            "a.png": "image/png",
            "a": "application/octet-stream",
            "a.unheard-of": "application/octet-stream",
            "a.tar.gz": "application/gzip",
            "a.svgz": "application/gzip",
            "a.tar.bz2": "application/octet-stream",
            "a.txt.xz": "application/octet-stream",
            "a.txt.Z": "application/octet-stream",
        }
        for name in table:
            self.put(name, DATA)
        self.serve_files()
        for name, wanted in table.items():
            with self.subTest(name):
                answer = self.get(name)
                self.assertEqual(answer.headers["Content-Type"].partition(";")[0], wanted)
                self.assertNotIn("Content-Encoding", answer.headers)
                self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")

    def test_cache(self) -> None:
        """What has a version may be kept, whichever version it is."""
        self.serve_files()
        for query, kept in [("?v=1", True), ("?v=", False), ("?w=1", False), ("?v=a&v=b", True)]:
            with self.subTest(query):
                answer = self.get("data.bin" + query)
                if kept:
                    self.assertEqual(answer.headers["Cache-Control"], "max-age=315360000")
                    expires = email.utils.parsedate_to_datetime(answer.headers["Expires"])
                    date = email.utils.parsedate_to_datetime(answer.headers["Date"])
                    self.assertLessEqual(abs((expires - date).total_seconds() - 315360000), 2)
                else:
                    self.assertEqual(answer.headers["Cache-Control"], "public")
                    self.assertNotIn("Expires", answer.headers)

    def test_methods(self) -> None:
        self.serve_files()
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            with self.subTest(method):
                answer = self.get("data.bin", method=method)
                self.assertEqual((answer.code, answer.headers["Allow"]), (405, "GET, HEAD"))
        self.assertEqual(self.get("data.bin", method="TRACE").code, 405)

    def test_etag_follows_the_content(self) -> None:
        self.serve_files()
        etags = {self.get("data.bin").headers["Etag"]}
        self.assertEqual({self.get("data.bin").headers["Etag"]}, etags)
        self.put("data.bin", DATA[:-1])  # in the same second
        etags.add(self.get("data.bin").headers["Etag"])
        os.utime(self.root / "data.bin", ns=(WRITTEN * 10**9, WRITTEN * 10**9 + 1))
        etags.add(self.get("data.bin").headers["Etag"])
        self.assertEqual(len(etags), 3)

    def test_root_files(self) -> None:
        self.put("favicon.ico", b"an icon")
        self.serve_files((r"/(.*)", RequestHandler))
        self.assertEqual(self.fetch(get("/favicon.ico")).body, b"an icon")
        self.assertEqual(self.fetch(get("/robots.txt")).code, 404)
        self.put("robots.txt", b"be nice")
        self.assertEqual(self.fetch(get("/robots.txt")).body, b"be nice")
        for path in ("/favicon_ico", "/data.bin", "/x/favicon.ico", "/favicon.icon"):
            self.assertEqual(self.fetch(get(path)).code, 405, path)  # ours, which has no methods

    def test_gzip(self) -> None:
        """A compressed answer is no part, and not the file of the strong Etag."""
        text = b"hello " * 1000
        self.put("a.txt", text)
        self.put("big.txt", text * 100)
        self.serve_files(gzip=True)
        plain, packed = self.get("a.txt"), self.get("a.txt", GZIPPED)
        self.assertEqual(plain.body, text)
        self.assertEqual(packed.headers["Content-Encoding"], "gzip")
        self.assertEqual(packed.headers["Content-Length"], str(len(packed.body)))
        self.assertEqual(packed.headers["Etag"], "W/" + plain.headers["Etag"])
        etag = packed.headers["Etag"]
        self.assertEqual(self.get("a.txt", GZIPPED, f"If-None-Match: {etag}").code, 304)
        part = self.get("a.txt", GZIPPED, "Range: bytes=0-5")
        self.assertEqual((part.code, part.body), (206, b"hello "))
        self.assertNotIn("Content-Encoding", part.headers)
        self.assertEqual(self.get("a.txt", GZIPPED, "Range: bytes=0-5", f"If-Range: {etag}").code, 200)
        big = self.get("big.txt", GZIPPED)
        self.assertEqual(big.body, text * 100)
        self.assertNotIn("Content-Encoding", big.headers)


# -- conditions and parts --


class ConditionTest(StaticCase):
    def assert_codes(self, table: Iterable[tuple[int, list[str]]]) -> None:
        self.serve_files()
        etag = self.get("data.bin").headers["Etag"]
        for code, fields in table:
            fields = [field.replace("ETAG", etag) for field in fields]
            for method in ("GET", "HEAD"):
                with self.subTest(f"{method} {fields}"):
                    answer = self.get("data.bin", *fields, method=method)
                    self.assertEqual(answer.code, code)
                    if code == 304:
                        self.check_304(answer, etag)
                    elif code == 200 and method == "GET":
                        self.assertEqual(answer.body, DATA)

    def check_304(self, answer: Answer, etag: str) -> None:
        self.assertEqual((answer.headers["Etag"], answer.body), (etag, b""))
        self.assertEqual(answer.headers["Last-Modified"], WRITTEN_AS_DATE)
        self.assertEqual(answer.headers["Cache-Control"], "public")
        for name in ("Content-Type", "Content-Length", "Content-Range", "Transfer-Encoding"):
            self.assertNotIn(name, answer.headers)

    def test_etags(self) -> None:
        self.assert_codes(
            [
                (304, ["If-None-Match: ETAG"]),
                (304, ["If-None-Match: W/ETAG"]),
                (304, ["If-None-Match: *"]),
                (304, ['If-None-Match: "a", ETAG , "b"']),
                (304, ['If-None-Match: "a"', "If-None-Match: ETAG"]),
                (200, ['If-None-Match: "a"']),
                (200, ["If-None-Match: nonsense"]),
                (200, ["If-None-Match:"]),
                (200, ["If-None-Match: " + ", ".join(['"x"'] * 500)]),
                (200, ["If-Match: ETAG"]),
                (200, ["If-Match: *"]),
                (200, ['If-Match: "a", ETAG']),
                (412, ["If-Match: W/ETAG"]),
                (412, ['If-Match: "a"']),
                (412, ['If-Match: "a"', "If-None-Match: ETAG"]),
                (304, ["If-Match: ETAG", "If-None-Match: ETAG"]),
            ]
        )

    def test_dates(self) -> None:
        later, earlier = WRITTEN_AS_DATE.replace(":40 ", ":41 "), WRITTEN_AS_DATE.replace(":40 ", ":39 ")
        self.assert_codes(
            [
                (304, [f"If-Modified-Since: {WRITTEN_AS_DATE}"]),
                (304, [f"If-Modified-Since: {later}"]),
                (304, ["If-Modified-Since: Sunday, 13-Mar-11 07:06:40 GMT"]),
                (304, ["If-Modified-Since: Sun Mar 13 07:06:40 2011"]),
                (200, [f"If-Modified-Since: {earlier}"]),
                (200, [f"If-Unmodified-Since: {WRITTEN_AS_DATE}"]),
                (200, [f"If-Unmodified-Since: {later}"]),
                (412, [f"If-Unmodified-Since: {earlier}"]),
                # An Etag counts, not the date beside it (RFC 9110, 13.2.2).
                (200, ['If-None-Match: "a"', f"If-Modified-Since: {later}"]),
                (304, ["If-None-Match: ETAG", f"If-Modified-Since: {earlier}"]),
                (200, ["If-Match: ETAG", f"If-Unmodified-Since: {earlier}"]),
            ]
        )

    def test_dates_that_are_none(self) -> None:
        bad = ["x", "", "0", "-1", "99999999999999999999", "Sun, 13 Mar 99999 07:06:40 GMT", "\xa0"]
        bad += [
            "Sun, 31 Feb 2031 07:06:40 GMT",
            "Sun, 13 Mar 2031 25:06:40 GMT",
            "Sun, 13 Mar 2031",
            "1" * 3000,
        ]
        self.assert_codes(
            (200, [f"{name}: {date}"])
            for name in ("If-Modified-Since", "If-Unmodified-Since")
            for date in bad
        )

    def test_file_of_a_fraction_of_a_second(self) -> None:
        """The date sent is no earlier than the file, or else it would be sent again each time."""
        os.utime(self.root / "data.bin", ns=(WRITTEN * 10**9, WRITTEN * 10**9 + 900_000_000))
        self.serve_files()
        date = self.get("data.bin").headers["Last-Modified"]
        self.assertEqual(date, WRITTEN_AS_DATE)
        self.assertEqual(self.get("data.bin", f"If-Modified-Since: {date}").code, 304)

    def test_old_and_future_files(self) -> None:
        for written in (0, 1, 4_000_000_000):
            with self.subTest(written=written):
                os.utime(self.root / "data.bin", (written, written))
                self.serve_files()
                date = self.get("data.bin").headers["Last-Modified"]
                self.assertEqual(email.utils.parsedate_to_datetime(date).timestamp(), written)
                self.assertEqual(self.get("data.bin", f"If-Modified-Since: {date}").code, 304)


class RangeTest(StaticCase):
    #: A Range field, and the first and the last byte that it gets.
    PARTS: list[tuple[str, int, int]] = [
        ("bytes=0-9", 0, 9),
        ("bytes=0-0", 0, 0),
        ("bytes=99-99", 99, 99),
        ("bytes=90-", 90, 99),
        ("bytes=0-", 0, 99),
        ("bytes=50-1000", 50, 99),
        ("bytes=0-" + "9" * 19, 0, 99),
        ("bytes=00000-0009", 0, 9),
        ("bytes=-10", 90, 99),
        ("bytes=-1", 99, 99),
        ("bytes=-100", 0, 99),
        ("bytes=-1000", 0, 99),
        ("bytes=-" + "9" * 19, 0, 99),
        ("BYTES=0-9", 0, 9),
        ("bytes=0-9 ", 0, 9),
    ]
    NONE = ["bytes=100-", "bytes=100-200", "bytes=" + "9" * 19 + "-", "bytes=-0"]
    #: What is malformed, unknown or more than one part: the file is sent whole.
    WHOLE = [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=--5",
        "bytes=5--",
        "bytes=9-5",
        "bytes=200-100",
        "bytes=a-b",
        "bytes=0x1-5",
        "bytes=+1-5",
        "bytes=1_0-20",
        "bytes=1.0-5",
        "bytes=1e1-20",
        "bytes=0 - 9",
        "bytes=0-9;",
        "bytes=0-9-20",
        "bytes 0-9",
        "bytes: 0-9",
        "lines=0-9",
        "0-9",
        "=0-9",
        "bytes=" + "9" * 20 + "-",
        "bytes=0-" + "9" * 20,
        "bytes=-" + "9" * 2000,
        "bytes=\u0661-\u0669".encode().decode("latin-1"),
        "bytes=\xb2-\xb3",
        "bytes=0-1,5-6",
        "bytes=0-,0-,0-,0-",
        "bytes=" + ",".join(["0-"] * 1000),
        "bytes=" + ",".join(f"{2 * number}-{2 * number}" for number in range(1000)),
        "bytes=" + "," * 1000,
    ]

    def test_parts(self) -> None:
        self.serve_files()
        for value, first, last in self.PARTS:
            with self.subTest(value):
                answer = self.get("data.bin", f"Range: {value}")
                self.assertEqual((answer.code, answer.body), (206, DATA[first : last + 1]))
                self.assertEqual(answer.headers["Content-Range"], f"bytes {first}-{last}/100")
                self.assertEqual(answer.headers["Content-Length"], str(last - first + 1))
                self.assertRegex(answer.headers["Etag"], '^"')

    def test_no_part(self) -> None:
        self.serve_files()
        for value in self.NONE:
            with self.subTest(value):
                answer = self.get("data.bin", f"Range: {value}")
                self.assertEqual((answer.code, answer.body), (416, b""))
                self.assertEqual(answer.headers["Content-Range"], "bytes */100")

    def test_whole(self) -> None:
        self.serve_files()
        for value in self.WHOLE:
            with self.subTest(value):
                answer = self.get("data.bin", f"Range: {value}")
                self.assertEqual((answer.code, answer.body), (200, DATA))
                self.assertNotIn("Content-Range", answer.headers)

    def test_every_part(self) -> None:
        """Against an oracle: a slice."""
        self.put("data.bin", DATA[:5])
        self.serve_files()
        client = self.connect()
        for first, last in itertools.product(range(7), range(7)):
            client.send(get("/static/data.bin", f"Range: bytes={first}-{last}"))
            answer = client.read_answer()
            with self.subTest(f"{first}-{last}"):
                if last < first:
                    self.assertEqual((answer.code, answer.body), (200, DATA[:5]))
                elif first > 4:
                    self.assertEqual((answer.code, answer.body), (416, b""))
                else:
                    self.assertEqual((answer.code, answer.body), (206, DATA[:5][first : last + 1]))

    def test_empty_file(self) -> None:
        self.put("empty", b"")
        self.serve_files()
        for value in ("bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0", "bytes=5-"):
            with self.subTest(value):
                answer = self.get("empty", f"Range: {value}")
                self.assertIn((answer.code, answer.body), [(416, b""), (200, b"")])
        self.assertEqual(self.get("empty").code, 200)

    def test_head_has_no_parts(self) -> None:
        """Range is for GET alone (RFC 9110, 14.2)."""
        self.serve_files()
        for value in ("bytes=0-9", "bytes=200-"):
            answer = self.get("data.bin", f"Range: {value}", method="HEAD")
            self.assertEqual((answer.code, answer.headers["Content-Length"]), (200, "100"))
            self.assertNotIn("Content-Range", answer.headers)

    def test_big_file(self) -> None:
        """A part in the middle of what is sent from the disk."""
        path = self.put_big()
        with path.open("r+b") as file:
            file.seek(BIG // 2)
            file.write(b"x" * 300_000)
        self.serve_files()
        first, last = BIG // 2 - 10, BIG // 2 + 300_009
        answer = self.get("big.bin", f"Range: bytes={first}-{last}")
        self.assertEqual((answer.code, answer.headers["Content-Length"]), (206, "300020"))
        self.assertEqual(answer.body, bytes(10) + b"x" * 300_000 + bytes(10))
        self.assertEqual(self.get("big.bin", "Range: bytes=-3").body, bytes(3))

    def test_if_range(self) -> None:
        self.serve_files()
        etag = self.get("data.bin").headers["Etag"]
        table = [
            (206, etag),
            (200, "W/" + etag),
            (200, '"other"'),
            (200, f'{etag}, "other"'),
            (200, "*"),
            (206, WRITTEN_AS_DATE),
            (200, WRITTEN_AS_DATE.replace(":40 ", ":41 ")),
            (200, WRITTEN_AS_DATE.replace(":40 ", ":39 ")),
            (200, "nonsense"),
            (200, ""),
        ]
        for code, value in table:
            with self.subTest(value):
                answer = self.get("data.bin", "Range: bytes=10-19", f"If-Range: {value}")
                self.assertEqual((answer.code, answer.body), (code, DATA[10:20] if code == 206 else DATA))
        stale = self.get("data.bin", "Range: bytes=200-", 'If-Range: "other"')
        self.assertEqual((stale.code, stale.body), (200, DATA))
        self.assertEqual(self.get("data.bin", f"If-Range: {etag}").code, 200)

    def test_condition_before_part(self) -> None:
        self.serve_files()
        etag = self.get("data.bin").headers["Etag"]
        for code, field in [
            (304, f"If-None-Match: {etag}"),
            (412, 'If-Match: "a"'),
            (206, f"If-Match: {etag}"),
        ]:
            answer = self.get("data.bin", "Range: bytes=0-9", field)
            self.assertEqual(answer.code, code)
            self.assertEqual("Content-Range" in answer.headers, code == 206)


# -- paths --


class PathTest(StaticCase):
    def assert_refused(self, target: str) -> int:
        """Ask for *target* as it stands; return the status of the refusal."""
        client = self.connect()
        client.send(b"GET %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % target.encode("latin-1"))
        received = client.read_all()
        client.close()
        self.clients.remove(client)
        code = int(received[9:12])
        self.assertIn(code, (400, 403, 404))
        self.assertNotIn(SECRET, received)
        self.assertNotIn(b"root:", received)
        self.assertNotIn(str(self.outside).encode(), received)
        return code

    def test_every_way_up(self) -> None:
        self.serve_files()
        dots = [
            "..",
            "%2e%2e",
            ".%2E",
            "%2e.",
            "%252e%252e",
            "%c0%ae%c0%ae",
            "%uff0e%uff0e",
            "%ef%bc%8e%ef%bc%8e",
        ]
        slashes = ["/", "%2f", "\\", "%5C", "%252f", "//", "/./", "%c0%af", "%00/"]
        for dot, slash, prefix in itertools.product(dots, slashes, ["", "folder/../", "/"]):
            target = f"/static/{prefix}{dot}{slash}secret.txt"
            with self.subTest(target):
                self.assert_refused(target)

    def test_traversals(self) -> None:
        (self.root / "folder").mkdir()
        self.serve_files()
        for path in [
            "../static-private/secret.txt",
            "../static.txt",
            "..",
            "../",
            "folder/../../secret.txt",
            "folder/..%2f..%2fsecret.txt",
            "./../secret.txt",
            "....//secret.txt",
            "..././secret.txt",
            "..;/secret.txt",
            "../secret.txt%00.bin",
            "data.bin/../../secret.txt",
            "data.bin/..",
            "folder/../data.bin",
            "./data.bin",
            "folder//../data.bin",
            "/data.bin",
            "%2fetc%2fpasswd",
            "/etc/passwd",
            "//etc/passwd",
            "file:///etc/passwd",
            str(self.outside / "secret.txt"),
            "%2f" + str(self.outside / "secret.txt")[1:].replace("/", "%2f"),
            "../" * 20 + "etc/passwd",
            "%2e%2e%2f" * 20 + "etc%2fpasswd",
            "~root/.profile",
            "C:/data.bin",
            "c:data.bin",
            "C%3a%5cdata.bin",
            "%5c%5chost%5cshare%5cfile",
            "\\\\host\\share\\file",
        ]:
            with self.subTest(path):
                self.assert_refused(f"/static/{path}")
                self.assert_refused(f"http://a/static/{path}")

    def test_status(self) -> None:
        """As in 2.x: 403 for a way out, 404 for what is not there."""
        self.serve_files()
        for path, code in [
            ("../secret.txt", 403),
            ("%2e%2e/secret.txt", 403),
            ("/etc/passwd", 403),
            ("no", 404),
        ]:
            self.assertEqual(self.assert_refused(f"/static/{path}"), code, path)

    def test_a_refusal_does_not_tell_what_exists(self) -> None:
        self.serve_files()
        pairs = [
            ("../secret.txt", "../missing.txt"),
            ("..%2fstatic-private/", "..%2fstatic-public/"),
            ("/etc/passwd", "/etc/missing"),
            ("data.bin/../../secret.txt", "missing.bin/../../secret.txt"),
            ("../static/data.bin", "../static/missing.bin"),
        ]
        for existing, missing in pairs:
            with self.subTest(existing):
                self.assertEqual(
                    self.assert_refused(f"/static/{existing}"), self.assert_refused(f"/static/{missing}")
                )
                self.assertEqual(self.get(existing).body, self.get(missing).body)

    def test_names_that_no_file_has(self) -> None:
        for name in (
            "NUL",
            "nul.txt",
            "CON",
            "Aux.txt",
            "COM1",
            "lpt9.log",
            "dot.",
            "blank ",
            "a:b",
            "back\\slash",
        ):
            self.put(name, SECRET)
        self.put("PRN/inside.txt", SECRET)
        self.put("a\nb", SECRET)
        self.serve_files()
        for path in [
            "NUL",
            "nul.txt",
            "CON",
            "Aux.txt",
            "COM1",
            "lpt9.log",
            "PRN/inside.txt",
            "dot.",
            "blank%20",
            "a:b",
            "a%3ab",
            "data.bin::$DATA",
            "back%5cslash",
            "a%0ab",
            "a%0D%0Ab",
            "%00",
            "data.bin%00",
            "data.bin%00.txt",
            "%7f",
            "%1b",
            "data.bin/",
            "data.bin/x",
            "data.bin%20",
            "data.bin.",
            "x" * 300,
            "x/" * 2000,
            "%ff.txt",
            "%c3",
            "missing",
            "missing/data.bin",
            "data.bin%2f",
        ]:
            with self.subTest(path[:80]):
                self.assert_refused(f"/static/{path}")

    def test_decoded_once(self) -> None:
        self.put("%41.txt", b"percent")
        self.put("A.txt", b"letter")
        self.put("a+b c.txt", b"plus")
        self.put("\u00e9/\u4f60.txt", b"unicode")
        self.put("a..b/...c", b"dots")
        self.put("console.txt", b"no device")
        self.serve_files()
        for path, content in [
            ("%41.txt", b"letter"),
            ("%2541.txt", b"percent"),
            ("a+b%20c.txt", b"plus"),
            ("a%2Bb%20c.txt", b"plus"),
            ("%C3%A9/%e4%bd%a0.txt", b"unicode"),
            ("a..b/...c", b"dots"),
            ("console.txt", b"no device"),
            ("data%2ebin?../secret.txt", DATA),
        ]:
            with self.subTest(path):
                answer = self.get(path)
                self.assertEqual((answer.code, answer.body), (200, content))

    def test_links(self) -> None:
        (self.root / "inner").symlink_to("data.bin")
        (self.root / "outer").symlink_to("../secret.txt")
        (self.root / "sibling").symlink_to("../static-private")
        (self.root / "absolute").symlink_to("/etc")
        (self.root / "loop").symlink_to("loop")
        (self.root / "dangling").symlink_to("nowhere")
        (self.root / "data.bin.gz").symlink_to("../secret.txt")
        self.serve_files()
        self.assertEqual(self.get("inner").body, DATA)
        for path in (
            "outer",
            "sibling/secret.txt",
            "sibling",
            "sibling/",
            "absolute/passwd",
            "loop",
            "dangling",
            "data.bin.gz",
        ):
            with self.subTest(path):
                self.assert_refused(f"/static/{path}")
        self.assertEqual(self.get("data.bin", GZIPPED).body, DATA)

    def test_links_that_are_allowed(self) -> None:
        class Following(StaticFileHandler):
            follow_links = True

        (self.root / "outer").symlink_to("../secret.txt")
        seen: list[str] = []
        self.serve_files(("/", UrlHandler, {"seen": seen}), static_handler_class=Following)
        self.assertEqual(self.get("outer").body, SECRET)
        self.assert_refused("/static/../secret.txt")
        self.fetch(get("/?path=outer"))
        self.assertEqual(seen, [f"/static/outer?v={hashlib.md5(SECRET).hexdigest()[:5]}"])

    def test_a_root_that_is_a_link(self) -> None:
        link = self.outside / "link"
        link.symlink_to("static")
        self.application([], static_path=str(link))
        self.assertEqual(self.get("data.bin").body, DATA)
        self.assert_refused("/static/../secret.txt")

    def test_what_is_no_file(self) -> None:
        os.mkfifo(self.root / "pipe")  # opening it would wait for a writer
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(self.root / "socket"))
        self.serve_files()
        (self.root / "folder").mkdir()
        for path in ("pipe", "socket", "", "folder"):
            with self.subTest(path):
                self.assertIn(self.get(path).code, (403, 404))
        with self.subTest("no listing"):
            self.assertNotIn(b"data.bin", self.get("").body)

    def test_no_permission(self) -> None:
        (self.root / "data.bin").chmod(0)
        self.serve_files()
        if os.geteuid() == 0:  # who may read everything
            for folder in (self.root, self.root.parent):
                folder.chmod(0o755)
            os.seteuid(65534)
            self.addCleanup(os.seteuid, 0)
        self.assertIn(self.get("data.bin").code, (403, 404))


class FolderTest(StaticCase):
    def serve_index(self, pattern: str = r"/files/(.*)") -> None:
        self.put("index.html", b"top")
        self.put("sub/index.html", b"below")
        self.put("none/other.html", b"other")
        (self.root / "bad" / "index.html").mkdir(parents=True)
        kwargs = {"path": str(self.root), "default_filename": "index.html"}
        self.application([(pattern, StaticFileHandler, kwargs)])

    def test_index(self) -> None:
        self.serve_index()
        for path, code, body in [
            ("/files/", 200, b"top"),
            ("/files/sub/", 200, b"below"),
            ("/files/sub/index.html", 200, b"below"),
            ("/files/none/", 404, None),
            ("/files/bad/", 403, None),
            ("/files/sub//", 404, None),
        ]:
            with self.subTest(path):
                answer = self.fetch(get(path))
                self.assertEqual(answer.code, code)
                if body is not None:
                    self.assertEqual((answer.body, answer.headers["Content-Type"]), (body, "text/html"))
        self.assertEqual(self.fetch(get("/files/").replace(b"GET", b"HEAD")).headers["Content-Length"], "3")

    def test_slash_is_added(self) -> None:
        self.serve_index()
        for path, location in [
            ("/files/sub", "/files/sub/"),
            ("/files/sub?a=b&c", "/files/sub/?a=b&c"),
            ("/files/none", "/files/none/"),
            ("http://other.example/files/sub", "/files/sub/"),
        ]:
            with self.subTest(path):
                answer = self.fetch(get(path))
                self.assertIn(answer.code, (301, 302))
                self.assertEqual(answer.headers["Location"], location)

    def test_never_to_another_host(self) -> None:
        self.put("evil.example/index.html", b"a name of a folder")
        self.serve_index(r"/+(.*)")
        for path in (
            "//evil.example",
            "///evil.example",
            "//evil.example/..",
            "//evil.example/%2e%2e",
            "/\\evil.example",
            "/%5cevil.example",
            "/%2fevil.example",
            "//evil.example?/",
            "/%09/evil.example",
            "//sub@evil.example",
        ):
            with self.subTest(path):
                answer = self.fetch(get(path))
                location = answer.headers.get("Location", "/")
                self.assertRegex(location, r"^/(?![/\\])")
                self.assertIn(answer.code, (301, 302, 400, 403, 404))

    def test_setting(self) -> None:
        self.put("sub/home.html", b"home")
        self.serve_files(static_handler_args={"default_filename": "home.html"}, static_url_prefix="/s.t/")
        self.assertEqual(self.fetch(get("/s.t/sub/")).body, b"home")
        self.assertEqual(self.fetch(get("/sxt/sub/")).code, 404)


# -- sending --


class SendingTest(StaticCase):
    def begin(self, path: str = "/static/big.bin") -> Client:
        """Ask for the big file and take the beginning of the answer."""
        client = self.connect()
        client.send(get(path))
        self.until(lambda: client.pull().received)
        return client

    def test_big_file(self) -> None:
        """Little of it is in memory, and it takes turns with others."""
        path = self.put_big()
        self.serve_files()
        client, other = self.begin(), self.connect()
        self.addCleanup(tracemalloc.stop)
        tracemalloc.start()
        received, turns, most, answers = len(client.received), 0, 0, 0
        head = client.received.index(b"\r\n\r\n") + 4
        other.send(get("/static/data.bin"))
        while received < head + BIG and turns < 5000:
            client.received.clear()
            self.turn()
            turns += 1
            piece = len(client.pull().received)
            received, most = received + piece, max(most, piece)
            if len(other.pull().received) >= 100 and other.read_answer().body == DATA:
                answers += 1
                other.send(get("/static/data.bin"))
        peak = tracemalloc.get_traced_memory()[1]
        self.assertEqual(received, head + BIG)
        self.assertLessEqual(most, 2 * MAX_WRITE_PER_TURN)
        self.assertGreater(answers, 20)
        self.assertLess(peak, 6 * 1024 * 1024)  # of which our own reading takes more than the server
        self.settle()
        self.assertEqual(self.descriptors(path), 0)
        client.received.clear()
        self.check_usable(client, Answer(200, "OK", HTTPHeaders(), b""))

    def test_memory_of_many(self) -> None:
        """Clients that do not read cost a descriptor each, and no copy of the file."""
        path = self.put_big()
        self.serve_files()
        self.addCleanup(tracemalloc.stop)
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        clients = [self.connect() for _ in range(20)]
        for client in clients:
            client.send(get("/static/big.bin"))
        self.settle()
        self.assertEqual(self.descriptors(path), 20)
        self.assertLess(tracemalloc.get_traced_memory()[0] - before, 1024 * 1024)
        for client in clients:
            client.reset()
        self.settle()
        self.assertEqual(self.descriptors(path), 0)

    def test_sizes(self) -> None:
        """On both sides of where the disk takes over, one after another on one connection."""
        sizes = [0, 1, 65535, 65536, 65537, 131072, 1_000_003]
        for size in sizes:
            self.put(f"{size}", os.urandom(size))
        self.serve_files()
        client = self.connect()
        client.send(b"".join(get(f"/static/{size}") for size in sizes))
        for size in sizes:
            answer = client.read_answer()
            self.assertEqual(answer.body, (self.root / str(size)).read_bytes(), size)
            self.assertEqual(answer.headers["Content-Length"], str(size))
        self.assertTrue(client.is_idle())

    def test_http_1_0(self) -> None:
        self.put("a.txt", b"x" * 200_000)
        self.serve_files()
        for field, kept in [("", False), ("Connection: keep-alive\r\n", True)]:
            client = self.connect()
            client.send(f"GET /static/a.txt HTTP/1.0\r\n{field}\r\n".encode())
            self.assertEqual(len(client.read_answer().body), 200_000)
            self.settle()
            self.assertEqual(client.pull().ended, not kept)

    def test_file_that_shrinks(self) -> None:
        """The client must not take what it has for all of it."""
        path = self.put_big()
        self.serve_files()
        client = self.begin()
        os.truncate(path, 1024 * 1024)
        data = client.read_all()
        self.assertIn(b"Content-Length: %d\r\n" % BIG, data)
        self.assertLess(len(data), BUFFERS)
        self.settle()
        self.assertEqual(self.descriptors(path), 0)
        self.assertEqual(self.get("data.bin").body, DATA)

    def changing(self, size: int) -> bytes:
        """Have the file of 100 bytes *size* once its headers are set; return all that is sent."""
        path = self.root / "data.bin"

        class Changing(StaticFileHandler):
            def set_extra_headers(self, path_in_url: str) -> None:
                os.truncate(path, size)

        self.serve_files(static_handler_class=Changing)
        client = self.connect()
        client.send(get("/static/data.bin"))
        self.settle()
        received = bytes(client.pull().received)
        self.assertEqual(client.ended, size < 100)
        self.assertIn(b"Content-Length: 100\r\n", received)
        self.assertEqual(self.descriptors(path), 0)
        return received.partition(b"\r\n\r\n")[2]

    def test_small_file_that_shrinks(self) -> None:
        with ExpectLog("tornado.web", "50 bytes are missing of the Content-Length"):
            self.assertEqual(self.changing(50), DATA[:50])

    def test_small_file_that_vanishes(self) -> None:
        with ExpectLog("tornado.web", "100 bytes are missing of the Content-Length"):
            self.assertEqual(self.changing(0), b"")

    def test_file_that_grows(self) -> None:
        self.assertEqual(self.changing(1000), DATA)

    def test_client_that_leaves(self) -> None:
        path = self.put_big()
        self.serve_files()
        for leave in (Client.close, Client.reset):
            with self.subTest(leave.__name__):
                client = self.begin()
                self.assertEqual(self.descriptors(path), 1)
                leave(client)
                self.settle()
                self.assertEqual(self.descriptors(path), 0)
        for method in ("HEAD", "GET"):
            with self.subTest(f"{method}, gone at once"):
                client = self.connect()
                client.send(get("/static/big.bin").replace(b"GET", method.encode()))
                client.reset()
                self.settle()
                self.assertEqual(self.descriptors(path), 0)

    def test_client_that_does_not_read(self) -> None:
        path = self.put_big()
        self.serve(Application([], static_path=str(self.root), log_function=len_of_nothing), write_timeout=5)
        client = self.begin()
        self.assertEqual(self.descriptors(path), 1)
        self.pass_time(12)
        self.assertEqual(self.descriptors(path), 0)
        self.assertLess(len(client.read_all()), BIG)

    def test_a_failure_closes_the_file(self) -> None:
        path = self.put_big()

        class Failing(StaticFileHandler):
            def set_extra_headers(self, path_in_url: str) -> None:
                raise ZeroDivisionError(path_in_url)

        self.serve_files(static_handler_class=Failing)
        with ExpectLog("tornado.web", "Uncaught exception GET /static/big.bin"):
            answer = self.get("big.bin")
        self.assertEqual(answer.code, 500)
        self.assertNotIn("Last-Modified", answer.headers)
        self.assertEqual(self.descriptors(path), 0)

    def test_every_answer_closes_the_file(self) -> None:
        path = self.put_big()
        self.serve_files()
        etag = self.get("big.bin", method="HEAD").headers["Etag"]
        for fields in (
            [f"If-None-Match: {etag}"],
            ['If-Match: "a"'],
            ["Range: bytes=999999999-"],
            ["Range: bytes=0-1"],
        ):
            self.get("big.bin", *fields)
            self.assertEqual(self.descriptors(path), 0, fields)

    def test_on_finish_comes_last(self) -> None:
        self.put_big(1_000_000)
        noted: list[int] = []
        client: Client

        class Noting(StaticFileHandler):
            def on_finish(self) -> None:
                noted.append(len(client.pull().received))

        self.serve_files(static_handler_class=Noting)
        client = self.connect()
        client.send(get("/static/big.bin"))
        self.assertEqual(len(client.read_answer().body), 1_000_000)
        self.assertEqual(len(noted), 1)
        self.assertEqual(self.logged, [200])

    def test_no_garbage(self) -> None:
        self.put_big(1_000_000)
        self.put("index.html", b"index")
        self.serve_files(static_handler_args={"default_filename": "index.html"})
        requests = [
            get("/static/data.bin"),
            get("/static/data.bin", "Range: bytes=1-2"),
            get("/static/data.bin", "If-None-Match: *"),
            get("/static/data.bin", 'If-Match: "x"'),
            get("/static/data.bin", "Range: bytes=200-"),
            get("/static/data.bin").replace(b"GET", b"HEAD"),
            get("/static/big.bin"),
            get("/static/missing"),
            get("/static/../secret"),
            get("/static/"),
        ]
        self.assert_no_garbage(requests)

    def test_no_garbage_of_those_who_leave(self) -> None:
        path = self.put_big()
        self.serve_files()

        def leave() -> None:
            client = self.begin()
            client.reset()
            self.settle()
            self.assertEqual(self.descriptors(path), 0)

        self.assert_clean(leave)


def len_of_nothing(handler: RequestHandler) -> None:
    """A log that keeps nothing."""


# -- versions and hooks --


class UrlHandler(RequestHandler):
    """Notes the URL of the static file ``path``."""

    def initialize(self, seen: list[str], **attributes: Any) -> None:
        self.seen = seen
        self.__dict__.update(attributes)

    def get(self) -> None:
        path = self.get_argument("path", "data.bin")
        host = self.get_argument("include_host", None)
        if host is None:
            self.seen.append(self.static_url(path))
        else:
            self.seen.append(self.static_url(path, include_host=host == "True"))


class VersionTest(StaticCase):
    VERSION = hashlib.md5(DATA).hexdigest()[:5]

    def urls(self, *requests: bytes, attributes: dict[str, Any] | None = None, **settings: Any) -> list[str]:
        """Return what ``static_url`` gives for each of *requests*."""
        seen: list[str] = []
        self.serve_files(("/", UrlHandler, {"seen": seen, **(attributes or {})}), **settings)
        for request in requests:
            self.assertEqual(self.fetch(request).code, 200)
        return seen

    def test_url(self) -> None:
        url = f"/static/data.bin?v={self.VERSION}"
        self.assertEqual(self.urls(get("/")), [url])
        self.assertEqual(self.get(url.removeprefix("/static/")).headers["Cache-Control"], "max-age=315360000")

    def test_prefix(self) -> None:
        (url,) = self.urls(get("/"), static_url_prefix="/files/")
        self.assertEqual(url, f"/files/data.bin?v={self.VERSION}")
        self.assertEqual(self.fetch(get(url)).body, DATA)

    def test_include_host(self) -> None:
        path = f"/static/data.bin?v={self.VERSION}"
        requests = [get("/"), get("/?include_host=True"), get("/?include_host=False")]
        self.assertEqual(self.urls(*requests), [path, f"http://a{path}", path])
        always = {"include_host": True}
        self.assertEqual(
            self.urls(*requests, attributes=always), [f"http://a{path}", f"http://a{path}", path]
        )

    def test_no_version(self) -> None:
        os.mkfifo(self.root / "pipe")
        (self.root / "outer").symlink_to("../secret.txt")
        (self.root / "zero").symlink_to("/dev/zero")
        for path in (
            "missing",
            "../secret.txt",
            "../../dev/zero",
            "/etc/passwd",
            "folder/",
            "pipe",
            "outer",
            "zero",
        ):
            with self.subTest(path), ExpectLog("tornado.web", NO_FILE):
                self.assertEqual(self.urls(get(f"/?path={path}")), [f"/static/{path}"])

    def test_change(self) -> None:
        (first,) = self.urls(get("/"))
        self.put("data.bin", b"other content")
        (second,) = self.urls(get("/"))
        self.assertEqual(second, f"/static/data.bin?v={hashlib.md5(b'other content').hexdigest()[:5]}")
        self.assertNotEqual(first, second)

    def test_appears_later(self) -> None:
        with ExpectLog("tornado.web", NO_FILE):
            self.assertEqual(self.urls(get("/?path=new")), ["/static/new"])
        self.put("new", b"")
        self.assertEqual(self.urls(get("/?path=new")), [f"/static/new?v={hashlib.md5().hexdigest()[:5]}"])

    def test_read_once(self) -> None:
        self.urls(get("/"))
        (known,) = _static._versions.values()
        self.urls(get("/"), get("/"))
        self.assertIs(next(iter(_static._versions.values())), known)
        StaticFileHandler.reset()
        self.assertEqual(_static._versions, {})

    def test_few_are_remembered(self) -> None:
        for number in range(3):
            self.put(f"{number}", DATA)
        self.addCleanup(setattr, _static, "MAX_VERSIONS", _static.MAX_VERSIONS)
        _static.MAX_VERSIONS = 2
        self.urls(*(get(f"/?path={number % 3}") for number in range(7)))
        self.assertLessEqual(len(_static._versions), 2)

    def test_large_file(self) -> None:
        """Changes at its ends, in its size or time count; reading all of it would hold up everybody."""
        path = self.put_big()
        urls = self.urls(get("/?path=big.bin"))
        os.truncate(path, BIG + 1)
        os.utime(path, (WRITTEN, WRITTEN))
        urls += self.urls(get("/?path=big.bin"))
        os.utime(path, (WRITTEN, WRITTEN + 1))
        urls += self.urls(get("/?path=big.bin"))
        self.assertEqual(len(set(urls)), 3)

    def test_without_setting(self) -> None:
        seen: list[str] = []
        self.application([("/", UrlHandler, {"seen": seen})])
        with ExpectLog("tornado.web", "static_url needs the setting 'static_path'"):
            self.assertEqual(self.fetch(get("/")).code, 500)
        self.assertEqual(self.fetch(get("/static/data.bin")).code, 404)


class HookTest(StaticCase):
    def test_set_extra_headers(self) -> None:
        class Own(StaticFileHandler):
            def set_extra_headers(self, path: str) -> None:
                self.set_header("X-Path", path)
                self.set_header("Cache-Control", "no-store")
                self.clear_header("Etag")

        self.serve_files(static_handler_class=Own)
        for method in ("GET", "HEAD"):
            answer = self.get("data.bin", method=method)
            self.assertEqual(answer.headers["X-Path"], "data.bin")
            self.assertEqual(answer.headers["Cache-Control"], "no-store")
            self.assertNotIn("Etag", answer.headers)

    def test_get_cache_time(self) -> None:
        seen: list[tuple[Any, ...]] = []

        class Own(StaticFileHandler):
            def get_cache_time(self, path: str, modified: datetime.datetime, mime_type: str | None) -> int:
                seen.append((path, modified, mime_type))
                return 60 if path.endswith(".css") else 0

        self.put("a.css", b"")
        self.put("sub/odd", b"")
        self.serve_files(static_handler_class=Own)
        self.assertEqual(self.get("a.css").headers["Cache-Control"], "max-age=60")
        self.assertEqual(self.get("sub/odd?v=1").headers["Cache-Control"], "public")
        written = datetime.datetime(2011, 3, 13, 7, 6, 40)
        self.assertEqual(seen, [("a.css", written, "text/css"), ("sub/odd", written, None)])

    def test_cache_max_age(self) -> None:
        class Own(StaticFileHandler):
            CACHE_MAX_AGE = 5

        self.serve_files(static_handler_class=Own)
        self.assertEqual(self.get("data.bin?v=1").headers["Cache-Control"], "max-age=5")

    def test_make_static_url(self) -> None:
        class Own(StaticFileHandler):
            @classmethod
            def make_static_url(cls, settings: dict[str, Any], path: str) -> str:
                return f"/{settings['place']}/{path}"

        seen: list[str] = []
        handlers = ("/", UrlHandler, {"seen": seen})
        self.serve_files(handlers, static_handler_class=Own, place="elsewhere")
        self.fetch(get("/"))
        self.fetch(get("/?include_host=True"))
        self.assertEqual(seen, ["/elsewhere/data.bin", "http://a/elsewhere/data.bin"])

    def test_get_version(self) -> None:
        class Own(StaticFileHandler):
            @classmethod
            def get_version(cls, settings: dict[str, Any], path: str) -> str | None:
                return {"data.bin": "0123456789"}.get(path)

        seen: list[str] = []
        self.serve_files(("/", UrlHandler, {"seen": seen}), static_handler_class=Own)
        self.fetch(get("/"))
        self.fetch(get("/?path=other"))
        self.assertEqual(seen, ["/static/data.bin?v=01234", "/static/other"])

    def test_parse_url_path(self) -> None:
        class Own(StaticFileHandler):
            def parse_url_path(self, url_path: str) -> str:
                return url_path.partition("-")[2]

        self.serve_files(static_handler_class=Own)
        self.assertEqual(self.get("1234-data.bin").body, DATA)
        for path in ("1234-../secret.txt", "1234-/etc/passwd", "1234", "1-%2e%2e/secret.txt"):
            self.assertIn(self.get(path).code, (403, 404), path)

    def test_get_is_overridden(self) -> None:
        """With the signature of 2.2, and a call of the parent's."""

        class Own(StaticFileHandler):
            def get(self, path: str, include_body: bool = True) -> None:
                self.set_header("X-Body", str(include_body))
                super().get(f"{path}.bin", include_body)

        self.serve_files(static_handler_class=Own)
        answer = self.get("data")
        self.assertEqual((answer.body, answer.headers["X-Body"]), (DATA, "True"))
        self.assertEqual(self.get("data", method="HEAD").headers["X-Body"], "False")

    def test_asynchronous_get(self) -> None:
        """One that looks something up before it lets the parent answer."""
        later = self.later

        class Own(StaticFileHandler):
            @asynchronous
            def get(self, path: str, include_body: bool = True) -> None:
                later(lambda: self.answer(path), seconds=0)

            def answer(self, path: str) -> None:
                super().get(path)
                if path == "data.bin":
                    self.finish()

        big = self.put_big(1_000_000)
        self.serve_files(static_handler_class=Own)
        self.assertEqual(self.get("data.bin").body, DATA)
        self.assertEqual(self.get("big.bin").body, bytes(1_000_000))
        client = self.connect()
        client.send(get("/static/data.bin"))
        client.reset()
        self.settle()
        self.assertEqual((self.descriptors(big), self.descriptors(self.root / "data.bin")), (0, 0))

    def test_several_folders(self) -> None:
        self.put("../other/data.bin", b"other")
        rules = [
            (r"/one/(.*)", StaticFileHandler, {"path": str(self.root)}),
            (r"/two/(.*)", StaticFileHandler, {"path": str(self.outside / "other")}),
            (r"/file/(?P<path>.*)", StaticFileHandler, {"path": str(self.root)}),
        ]
        self.application(rules)
        self.assertEqual(self.fetch(get("/one/data.bin")).body, DATA)
        self.assertEqual(self.fetch(get("/two/data.bin")).body, b"other")
        self.assertEqual(self.fetch(get("/file/data.bin")).body, DATA)

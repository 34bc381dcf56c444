"""Cookies of handlers behind a live server, and what stands on them: signed values, users, XSRF tokens."""

import base64
import datetime
import hashlib
import hmac
import re
import time
from collections.abc import Callable
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl, urlsplit

from tornado.test.live import Answer, get
from tornado.test.util import ExpectLog
from tornado.test.web_test import Page, WebCase, nothing
from tornado.web import (
    RequestHandler,
    authenticated,
    create_signed_value,
    decode_signed_value,
)

SECRET_KEY = "the secret of these tests, 32 byt"
NOW = 1_300_000_000
DAY = 86400
MISSING = r"^403 \w+ .*: '_xsrf' argument missing"
WRONG = r"^403 \w+ .*: XSRF cookie (does not match|missing)"


def cookie_lines(answer: Answer) -> list[str]:
    """Return the Set-Cookie lines of *answer*."""
    return answer.headers.get_list("Set-Cookie")


def send(method: str, *fields: str, target: str = "/", body: str = "") -> bytes:
    """Return a request; its *body* is a form."""
    form = "Content-Type: application/x-www-form-urlencoded"
    length = f"Content-Length: {len(body)}"
    head = "\r\n".join([f"{method} {target} HTTP/1.1", "Host: a", form, length, *fields, "", ""])
    return (head + body).encode("latin-1")


class CookieCase(WebCase):
    def lines(self, act: Callable[[RequestHandler], Any], *fields: str, **settings: Any) -> list[str]:
        """Return the Set-Cookie lines of a page that does *act*."""
        return cookie_lines(self.answer(act, get("/", *fields), **settings))

    def read(self, act: Callable[[RequestHandler], Any], *fields: str, **settings: Any) -> Any:
        """Return what *act* returns for a request with *fields*."""
        self.assertEqual(
            self.answer(lambda handler: self.noted.append(act(handler)), get("/", *fields), **settings).code,
            200,
        )
        return self.noted.pop()

    def at(self, now: float) -> Any:
        """Have it be *now* for signatures, within a block."""
        return mock.patch.object(time, "time", lambda: now)


class ReadTest(CookieCase):
    def test_get(self) -> None:
        for header, value in [
            ("a=1", "1"),
            ("b=2; a=1; c=3", "1"),
            ("a=1; a=2", "1"),
            ('a="quoted"', "quoted"),
            ('a="semi\\073colon"', "semi;colon"),
            ("a=", ""),
            ("a=b=c", "b=c"),
            ("=a; a=1", "1"),
            ("bad name=x; a=1; b[x]=y", "1"),
            ("ga=1,a=E", "default"),
            ("A=1", "default"),
            ("", "default"),
            ("a", "default"),
            ("a=x\\ty", "x\\ty"),
        ]:
            with self.subTest(header):
                fields = [f"Cookie: {header}"] if header else []
                self.assertEqual(
                    self.read(lambda handler: handler.get_cookie("a", "default"), *fields), value
                )
        self.assertIsNone(self.read(lambda handler: handler.get_cookie("a")))

    def test_cookies(self) -> None:
        def act(handler: RequestHandler) -> Any:
            self.assertIs(handler._cookies, handler.cookies)
            return {name: morsel.value for name, morsel in handler.cookies.items()}

        self.assertEqual(self.read(act, "Cookie: a=1; b=2", "Cookie: c=3"), {"a": "1", "b": "2", "c": "3"})

    def test_not_what_is_set_now(self) -> None:
        def act(handler: RequestHandler) -> Any:
            handler.set_cookie("a", "new")
            return handler.get_cookie("a")

        self.assertEqual(self.read(act, "Cookie: a=old"), "old")

    def test_hostile(self) -> None:
        """No cookie header is more than a client without cookies."""
        for header in [
            'a="' + "\\" * 7000,
            "=" * 7000,
            ";" * 7000,
            "a=1;" * 1700,
            "\xff=\xfe; \xe9",
            '"; a="',
        ]:
            with self.subTest(header[:10]):
                value = self.read(lambda handler: handler.get_cookie("zz", "none"), f"Cookie: {header}")
                self.assertEqual(value, "none")


class SetTest(CookieCase):
    def test_attributes(self) -> None:
        noon = datetime.datetime(2011, 6, 21, 12)
        aware = datetime.datetime(2011, 6, 21, 14, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
        date = "expires=Tue, 21 Jun 2011 12:00:00 GMT; Path=/"
        table: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
            (("a", "1"), {}, "a=1; Path=/"),
            ((b"a", b"1"), {}, "a=1; Path=/"),
            (("a", ""), {}, "a=; Path=/"),
            (("a", "1"), {"path": "/x"}, "a=1; Path=/x"),
            (("a", "1"), {"path": None}, "a=1"),
            (("a", "1"), {"path": ""}, "a=1"),
            (("a", "1"), {"domain": "example.com"}, "a=1; Domain=example.com; Path=/"),
            (("a", "1"), {"expires": noon}, f"a=1; {date}"),
            (("a", "1"), {"expires": aware}, f"a=1; {date}"),
            (("a", "1"), {"expires": 1308657600}, f"a=1; {date}"),
            (("a", "1"), {"expires": noon, "expires_days": 7}, f"a=1; {date}"),
            (("a", "1"), {"httponly": True, "secure": True}, "a=1; HttpOnly; Path=/; Secure"),
            (("a", "1"), {"httponly": False}, "a=1; Path=/"),
            (("a", "1"), {"max_age": 60}, "a=1; Max-Age=60; Path=/"),
            (("a", "1"), {"max-age": 60}, "a=1; Max-Age=60; Path=/"),
            (("a", "1"), {"HttpOnly": True}, "a=1; HttpOnly; Path=/"),
            (("a", "1"), {"samesite": "strict"}, "a=1; Path=/; SameSite=Strict"),
            (("a", "1", "h", noon, "/p", None), {"secure": True}, f"a=1; Domain=h; {date}p; Secure"),
            (("a", "x;y"), {}, 'a="x\\073y"; Path=/'),
            (("a", "\u00e9\r\n"), {}, 'a="\\303\\251\\015\\012"; Path=/'),
            (("__Host-a", "1"), {"secure": True}, "__Host-a=1; Path=/; Secure"),
        ]
        for args, kwargs, wanted in table:
            with self.subTest(wanted):
                self.assertEqual(self.lines(lambda handler: handler.set_cookie(*args, **kwargs)), [wanted])  # noqa: B023

    def test_expires_days(self) -> None:
        (line,) = self.lines(lambda handler: handler.set_cookie("a", "1", expires_days=2))
        date = re.search("expires=([^;]*)", line)
        assert date is not None
        expires = datetime.datetime.strptime(date[1], "%a, %d %b %Y %H:%M:%S GMT").replace(
            tzinfo=datetime.UTC
        )
        self.assertLess(abs(expires.timestamp() - time.time() - 2 * DAY), 60)

    def test_refused(self) -> None:
        """Whatever would be another attribute or header is an error, and nothing of it is sent."""
        table: list[tuple[str, dict[str, Any]]] = [
            (name, {}) for name in ("", "a b", "a;b", "a=b", "a\r\n", "\xe9")
        ]
        for bad in ("x; Secure", "x\r\nX: y", "x\0", "x y", "\xe9"):
            table += [
                ("a", {key: bad}) for key in ("domain", "path", "samesite", "Domain", "PATH", "SameSite")
            ]
        table += [("a", {"max_age": "1; Domain=e"}), ("a", {"Max-Age": "1"}), ("a", {"expires": "tomorrow"})]
        table += [("a", {"unknown": 1}), ("a", {"samesite": "None"}), ("__Host-a", {}), ("__secure-a", {})]
        table += [("__Host-a", {"secure": True, "domain": "h"}), ("__host-a", {"secure": True, "path": "/x"})]
        for name, kwargs in table:
            with self.subTest(f"{name!r} {kwargs}"), ExpectLog("tornado.web", "Uncaught exception GET /"):
                answer = self.answer(lambda handler: handler.set_cookie(name, "1", **kwargs))  # noqa: B023
                self.assertEqual((answer.code, cookie_lines(answer)), (500, []))
                self.assertNotIn("X", answer.headers)

    def test_replacement(self) -> None:
        def act(handler: RequestHandler) -> None:
            handler.set_cookie("a", "1")
            handler.set_cookie(b"a", b"2", path=b"/")  # type: ignore[arg-type]
            handler.set_cookie("a", "3", secure=True)
            handler.set_cookie("a", "4", path="/x")
            handler.set_cookie("a", "5", domain="h")

        wanted = ["a=3; Path=/; Secure", "a=4; Path=/x", "a=5; Domain=h; Path=/"]
        self.assertEqual(self.lines(act), wanted)

    def test_order(self) -> None:
        def act(handler: RequestHandler) -> None:
            for name in "zam":
                handler.set_cookie(name, name)

        self.assertEqual(self.lines(act), ["z=z; Path=/", "a=a; Path=/", "m=m; Path=/"])

    def test_with_every_answer(self) -> None:
        """Also with redirects, errors, answers without a body and those in pieces; but once."""

        def flush(handler: RequestHandler) -> None:
            handler.flush()
            handler.finish("more")

        for name, end, code in [
            ("redirect", lambda handler: handler.redirect("/there"), 302),
            ("error", lambda handler: handler.send_error(403), 403),
            ("204", lambda handler: handler.set_status(204), 204),
            ("304", lambda handler: handler.set_status(304), 304),
            ("pieces", flush, 200),
            ("clear", lambda handler: handler.clear(), 200),
        ]:

            def act(handler: RequestHandler, end: Any = end) -> None:
                handler.set_cookie("a", "1")
                end(handler)

            with self.subTest(name):
                answer = self.answer(act)
                self.assertEqual((answer.code, cookie_lines(answer)), (code, ["a=1; Path=/"]))

    def test_beside_a_header_of_the_name(self) -> None:
        def act(handler: RequestHandler) -> None:
            handler.add_header("Set-Cookie", "by=hand")
            handler.set_cookie("a", "1")

        self.assertEqual(self.lines(act), ["by=hand", "a=1; Path=/"])

    def test_clear(self) -> None:
        long_ago = r"expires=\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT"
        for kwargs, wanted in [
            ({}, f"^a=; {long_ago}; Path=/$"),
            ({"path": "/x", "domain": "h"}, f"^a=; Domain=h; {long_ago}; Path=/x$"),
        ]:
            (line,) = self.lines(lambda handler: handler.clear_cookie("a", **kwargs))  # noqa: B023
            self.assertRegex(line, wanted)
            expires = datetime.datetime.strptime(
                line.split("expires=")[1].split(";")[0], "%a, %d %b %Y %H:%M:%S GMT"
            )
            self.assertLess(expires, datetime.datetime.now() - datetime.timedelta(days=100))

    def test_clear_all(self) -> None:
        """The names come from the client: none of them may be an error."""
        header = 'Cookie: a=1; b=2; a=3; bad name=4; c="x\\073"; __Host-s=1; __Secure-t=1; __host-u=1'
        answer = self.answer(lambda handler: handler.clear_all_cookies(), get("/", header))
        self.assertEqual(answer.code, 200)
        names = [line.partition("=")[0] for line in cookie_lines(answer)]
        self.assertEqual(names, ["a", "b", "c", "__Host-s", "__Secure-t", "__host-u"])
        for line in cookie_lines(answer)[3:]:
            self.assertTrue(line.endswith("; Secure"), line)

    def test_set_after_clear(self) -> None:
        def act(handler: RequestHandler) -> None:
            handler.clear_all_cookies()
            handler.set_cookie("a", "new")

        self.assertEqual(self.lines(act, "Cookie: a=old"), ["a=new; Path=/"])


# -- signed cookies --


def version_1(name: str, value: bytes, timestamp: str, secret: str = SECRET_KEY) -> str:
    """Sign as programs of 2011 did."""
    payload = base64.b64encode(value).decode()
    message = f"{name}{payload}{timestamp}".encode()
    return "|".join((payload, timestamp, hmac.new(secret.encode(), message, hashlib.sha1).hexdigest()))


class SignedTest(CookieCase):
    def page(self, act: Any, **settings: Any) -> None:
        super().page(act, **{"cookie_secret": SECRET_KEY, **settings})

    def signed(self, name: str = "user", value: Any = b"ada", now: float = NOW, **kwargs: Any) -> str:
        with self.at(now):
            return create_signed_value(kwargs.pop("secret", SECRET_KEY), name, value, **kwargs).decode()

    def get_user(self, cookie: str, now: float = NOW, **kwargs: Any) -> Any:
        """Return what a handler reads of the signed *cookie*."""
        settings = kwargs.pop("settings", {})
        with self.at(now):
            return self.read(
                lambda handler: handler.get_secure_cookie("user", **kwargs),
                f"Cookie: user={cookie}",
                **settings,
            )

    def test_round_trip(self) -> None:
        table: list[tuple[str | bytes, bytes]] = [
            ("ada", b"ada"),
            (b"\0\xff;", b"\0\xff;"),
            ("\u00e9", "\u00e9".encode()),
            ("", b""),
        ]
        for value, wanted in table:
            with self.subTest(value):
                (line,) = self.lines(lambda handler: handler.set_secure_cookie("user", value))  # noqa: B023
                cookie = line.partition("=")[2].partition(";")[0]
                self.assertTrue(cookie.startswith("2|1:0|10:"))
                self.assertEqual(self.get_user(cookie, time.time()), wanted)

    def test_attributes(self) -> None:
        def shape(line: str) -> str:
            return re.sub("expires=[^;]*", "expires", line.partition("; ")[2])

        table: list[tuple[dict[str, Any], str]] = [
            ({}, "expires; HttpOnly; Path=/; SameSite=Lax"),
            ({"expires_days": None}, "HttpOnly; Path=/; SameSite=Lax"),
            ({"httponly": False, "samesite": None}, "expires; Path=/"),
            ({"HttpOnly": False, "SameSite": "Strict"}, "expires; Path=/; SameSite=Strict"),
            (
                {"secure": True, "path": "/x", "domain": "h"},
                "Domain=h; expires; HttpOnly; Path=/x; SameSite=Lax; Secure",
            ),
            ({"max_age": 5, "expires_days": None}, "HttpOnly; Max-Age=5; Path=/; SameSite=Lax"),
        ]
        for kwargs, wanted in table:
            with self.subTest(kwargs):
                lines = self.lines(lambda handler: handler.set_secure_cookie("user", "ada", **kwargs))  # noqa: B023
                self.assertEqual([shape(line) for line in lines], [wanted])

    def test_expires_in_30_days(self) -> None:
        with self.at(NOW):
            (line,) = self.lines(lambda handler: handler.set_secure_cookie("user", "ada"))
        self.assertIn("expires=Tue, 12 Apr 2011 07:06:40 GMT", line)

    def test_age(self) -> None:
        cookie = self.signed()
        for days, kwargs, wanted in [
            (0, {}, b"ada"),
            (30.9, {}, b"ada"),
            (31.1, {}, None),
            (31.1, {"max_age_days": 40}, b"ada"),
            (1.1, {"max_age_days": 1}, None),
            (-0.003, {}, b"ada"),  # a clock that is some minutes behind
            (-0.01, {}, None),
            (-40, {}, None),
        ]:
            with self.subTest(days=days, **kwargs):
                self.assertEqual(self.get_user(cookie, NOW + days * DAY, **kwargs), wanted)

    def test_forged(self) -> None:
        cookie = self.signed()
        forged = [
            cookie[:place] + ("1" if cookie[place] != "1" else "2") + cookie[place + 1 :]
            for place in range(len(cookie))
        ]
        forged += [cookie[:length] for length in range(0, len(cookie), 7)]
        forged += [
            cookie + "0",
            " " + cookie[1:],
            "2" + cookie,
            cookie.upper(),
            cookie * 2,
            "|" * 100,
            "2|" * 100,
            "2|1:0|10:1300000000|4:user|4:YWRh|",
            "ada",
            "2|1:0|999999999:x",
            "2|-1:0|",
            "2|\xb9:0|",
            "\xff",
            self.signed("use", b"ada"),
            self.signed("userr", b"ada"),
            self.signed(secret="another"),
            self.signed(secret="x"),
            "x" * 7000,
            "2|1:0|" + "9" * 7000,
        ]
        with self.at(NOW):
            values = self.read(
                lambda handler: [handler.get_secure_cookie("user", value) for value in [cookie, *forged]]
            )
        self.assertEqual(values, [b"ada"] + [None] * len(forged))
        for value in forged[::9]:
            self.assertIsNone(self.get_user(value))

    def test_not_under_another_name(self) -> None:
        """Parts are signed with their lengths, and digits cannot move from one to the next."""
        moved = self.signed("userx", b"").replace("5:userx|0:|", "4:user|1:x|")
        self.assertIsNone(self.get_user(moved))
        self.assertIsNone(self.get_user(self.signed("ab", b"c")))

    def test_version_1(self) -> None:
        cookie = version_1("user", b"ada", str(NOW))
        self.assertEqual(self.signed(version=1), cookie)
        self.assertIsNone(self.get_user(cookie))
        self.assertIsNone(self.get_user(cookie, min_version=2))
        self.assertEqual(self.get_user(cookie, min_version=1), b"ada")
        self.assertEqual(self.get_user(self.signed(), min_version=1), b"ada")
        self.assertIsNone(self.get_user(cookie, NOW + 32 * DAY, min_version=1))

    def test_version_1_is_set(self) -> None:
        with self.at(NOW):
            (line,) = self.lines(lambda handler: handler.set_secure_cookie("user", "ada", version=1))
        value = version_1("user", b"ada", str(NOW))
        self.assertIn(line.partition(";")[0].replace('"', ""), f"user={value}")

    def test_version_1_forged(self) -> None:
        good = version_1("user", b"ada", str(NOW))
        payload, timestamp, signature = good.split("|")
        for value in [
            version_1("user", b"ada", "0" + str(NOW)),
            version_1("user", b"ada", str(NOW)[:-1]),
            version_1("user", b"ada", str(NOW + 40 * DAY)),
            version_1("use", b"ada", str(NOW)),
            version_1("user", b"ada", str(NOW), "another"),
            f"{payload}{timestamp[0]}|{timestamp[1:]}|{signature}",
            f"{payload}|{timestamp}|{signature.upper()}",
            f"{payload}|{timestamp}",
            f"{payload}|{timestamp}|{signature}|",
            "||",
            "|||",
        ]:
            with self.subTest(value):
                self.assertIsNone(self.get_user(value, min_version=1))

    def test_key_rotation(self) -> None:
        old = {1: "the key of last year"}
        both = {**old, 2: "the key of this year"}
        first = self.signed(secret=old, key_version=1)
        for name, keys, current, cookie, wanted in [
            ("old cookie", both, 2, first, b"ada"),
            ("new cookie", both, 2, self.signed(secret=both, key_version=2), b"ada"),
            ("key has gone", {2: both[2]}, 2, first, None),
            ("key is another", {1: "another", 2: both[2]}, 2, first, None),
            ("number of another key", both, 2, first.replace("|1:1|", "|1:2|"), None),
            ("number of no key", both, 2, first.replace("|1:1|", "|1:3|"), None),
        ]:
            with self.subTest(name):
                settings = {"cookie_secret": keys, "key_version": current}
                self.assertEqual(self.get_user(cookie, settings=settings), wanted)

    def test_unknown_key(self) -> None:
        """A key that is not there is not an empty one, with which everybody could sign."""
        message = f"2|1:5|10:{NOW}|4:user|4:YWRh|"
        cookie = message + hmac.new(b"", message.encode(), hashlib.sha256).hexdigest()
        self.assertIsNone(self.get_user(cookie))
        self.assertIsNone(self.get_user(cookie, settings={"cookie_secret": {1: "a key"}, "key_version": 1}))

    def test_current_key(self) -> None:
        keys = {1: "the key of last year", 2: "the key of this year"}

        def act(handler: RequestHandler) -> Any:
            value = handler.create_signed_value("user", "ada")
            number = handler.get_secure_cookie_key_version("user", value)
            return number, handler.get_secure_cookie_key_version("user")

        self.assertEqual(self.read(act, cookie_secret=keys, key_version=2), (2, None))
        cookie = self.signed(secret=keys, key_version=1)
        self.assertEqual(self.read(act, f"Cookie: user={cookie}", cookie_secret=keys, key_version=2), (2, 1))
        self.assertEqual(
            self.read(act, "Cookie: user=nonsense", cookie_secret=keys, key_version=2), (2, None)
        )
        with ExpectLog("tornado.web", "key_version is None"):
            self.assertEqual(self.answer(act, cookie_secret=keys).code, 500)

    def test_value_from_elsewhere(self) -> None:
        with self.at(NOW):
            for value in (self.signed(), self.signed().encode()):
                self.assertEqual(self.read(lambda handler: handler.get_secure_cookie("user", value)), b"ada")  # noqa: B023
            # An empty one is no reason to look at the cookie.
            read = self.read(
                lambda handler: handler.get_secure_cookie("user", ""), f"Cookie: user={self.signed()}"
            )
            self.assertIsNone(read)
            self.assertIsNone(self.read(lambda handler: handler.get_secure_cookie("user")))

    def test_functions(self) -> None:
        with self.at(NOW):
            for secret in (SECRET_KEY, SECRET_KEY.encode()):
                self.assertEqual(decode_signed_value(secret, "user", self.signed()), b"ada")
            self.assertIsNone(decode_signed_value(SECRET_KEY, "user", None))
            self.assertIsNone(decode_signed_value(SECRET_KEY, "user", ""))
            self.assertEqual(
                decode_signed_value(SECRET_KEY, "user", self.signed(now=NOW - 40 * DAY), 50), b"ada"
            )

    def test_without_secret(self) -> None:
        for name, act in [
            ("set", lambda handler: handler.set_secure_cookie("user", "ada")),
            ("get", lambda handler: handler.get_secure_cookie("user")),
        ]:
            secrets: list[Any] = [None, "", {}]
            for secret in secrets:
                with (
                    self.subTest(f"{name} {secret!r}"),
                    ExpectLog("tornado.web", "needs the setting 'cookie_secret'"),
                ):
                    answer = self.answer(act, cookie_secret=secret)
                    self.assertEqual((answer.code, cookie_lines(answer)), (500, []))


# -- users --


class UserTest(CookieCase):
    def test_asked_once(self) -> None:
        for user in ("ada", None):

            class Own(RequestHandler):
                asked = 0

                def get_current_user(self, user: Any = user) -> Any:
                    self.asked += 1
                    return user

                def get(self) -> None:
                    self.write(f"{self.current_user} {self.current_user} {self.asked}")

            self.application([("/", Own)])
            self.assertEqual(self.fetch().body, f"{user} {user} 1".encode())

    def test_assigned(self) -> None:
        def act(handler: RequestHandler) -> Any:
            handler.current_user = "set"
            first = handler.current_user
            handler._current_user = "by the name of 2.0"
            return first, handler.current_user

        self.assertEqual(self.read(act), ("set", "by the name of 2.0"))
        self.assertIsNone(self.read(lambda handler: handler.current_user))


class AuthenticatedTest(CookieCase):
    def login(self, target: str = "/", method: str = "GET", **settings: Any) -> Answer:
        """Return the answer of pages for users alone; the user is named in the cookie."""

        class Private(RequestHandler):
            def get_current_user(self) -> Any:
                return self.get_cookie("user")

            @authenticated
            def get(self, *args: str) -> None:
                self.write(f"hello {self.current_user}")

            head = post = put = delete = patch = options = get

        self.application([(".*", Private)], **{"login_url": "/login", **settings})
        return self.fetch(send(method, target=target))

    def test_user(self) -> None:
        self.login()
        for method in ("GET", "POST", "DELETE"):
            self.assertEqual(self.fetch(send(method, "Cookie: user=ada")).body, b"hello ada")

    def test_name_and_text_are_kept(self) -> None:
        def method(self: RequestHandler) -> None:
            """Text."""

        self.assertEqual((authenticated(method).__name__, authenticated(method).__doc__), ("method", "Text."))

    def test_where_to(self) -> None:
        for target, login_url, wanted in [
            ("/", "/login", "/login?next=%2F"),
            ("/a/b?c=d&e=f", "/login", "/login?next=%2Fa%2Fb%3Fc%3Dd%26e%3Df"),
            ("/a%20b?%C3%A9", "/login", "/login?next=%2Fa%2520b%3F%25C3%25A9"),
            ("/a", "/login?x=y", "/login?x=y"),
            ("/a", "/login?next=%2Ffixed", "/login?next=%2Ffixed"),
            ("/a?b", "http://sso/login", "http://sso/login?next=http%3A%2F%2Fa%2Fa%3Fb"),
            ("/a?b", "https://sso/login?k=1", "https://sso/login?k=1"),
        ]:
            with self.subTest(f"{target} {login_url}"):
                for method in ("GET", "HEAD"):
                    answer = self.login(target, method, login_url=login_url)
                    self.assertEqual((answer.code, answer.headers["Location"]), (302, wanted))
                    self.assertNotIn(b"hello", answer.body)

    def test_other_methods(self) -> None:
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            with self.subTest(method):
                answer = self.login(method=method)
                self.assertEqual(answer.code, 403)
                self.assertNotIn("Location", answer.headers)

    def test_never_to_another_host(self) -> None:
        """Login pages send people to ``next``: it has to be on this site, whatever the link was."""
        for target in (
            "//evil.example",
            "//evil.example/x?y",
            "///evil.example",
            "/\\evil.example",
            "//\\evil.example",
            "\\\\evil.example",
            "http://evil.example/x",
            "HTTP://evil.example//evil.example",
            "//evil.example@a/",
        ):
            with self.subTest(target):
                answer = self.login(target)
                if answer.code == 400:
                    continue
                location = urlsplit(answer.headers["Location"])
                self.assertEqual((answer.code, location.netloc, location.path), (302, "", "/login"))
                ((_, wanted),) = parse_qsl(location.query)
                self.assertRegex(wanted, r"^/(?![/\\])")

    def test_login_url_of_the_handler(self) -> None:
        class Own(RequestHandler):
            def get_login_url(self) -> str:
                return "/enter"

            @authenticated
            def get(self) -> None: ...

        self.application([("/x", Own)], login_url="/login")
        self.assertEqual(self.fetch(get("/x")).headers["Location"], "/enter?next=%2Fx")

    def test_no_login_url(self) -> None:
        with ExpectLog("tornado.web", "needs the setting 'login_url'"):
            self.assertEqual(self.login(login_url=None).code, 500)
        self.assertEqual(self.login(method="POST", login_url=None).code, 403)


# -- cross-site request forgery --


class Form(Page):
    """Shows its token and takes it back; the user is named in the cookie."""

    def initialize(self) -> None:  # type: ignore[override]
        self.act = lambda handler, *args: handler.write("done")

    def get_current_user(self) -> Any:
        return self.get_cookie("user")

    def get(self, *args: Any, **kwargs: Any) -> Any:
        if self.request.method == "GET":
            if self.get_argument("show", None):
                self.write(f"{self.xsrf_token} {self.xsrf_token} {self.xsrf_form_html()}")
            return None
        return super().get(*args, **kwargs)

    head = post = put = delete = patch = options = get


class XSRFCase(CookieCase):
    def serve_form(self, handler: type[RequestHandler] = Form, **settings: Any) -> None:
        self.application([("/", handler)], **{"xsrf_cookies": True, **settings})

    def tokens(self, *fields: str) -> tuple[list[str], list[str]]:
        """Return the tokens of a page with a form, and its Set-Cookie lines."""
        answer = self.fetch(get("/?show=1", *fields))
        first, second, rest = answer.body.decode().split(" ", 2)
        field = re.fullmatch(r'<input type="hidden" name="_xsrf" value="(.*)"/>', rest)
        assert field is not None, rest
        return [first, second, field[1]], cookie_lines(answer)

    def begin(self) -> tuple[str, str]:
        """Return a token, and the Cookie field that belongs to it."""
        (token, *_), (line,) = self.tokens()
        return token, "Cookie: " + line.partition(";")[0]

    def assert_refused(self, regex: str, *fields: str, method: str = "POST", **kwargs: str) -> None:
        with ExpectLog("tornado.web", regex) as expected:
            answer = self.fetch(send(method, *fields, **kwargs))
        self.assertEqual((answer.code, len(expected.records)), (403, 1))
        self.assertNotIn(b"done", answer.body)

    def assert_done(self, *fields: str, method: str = "POST", **kwargs: str) -> None:
        answer = self.fetch(send(method, *fields, **kwargs))
        self.assertEqual((answer.code, answer.body), (200, b"done"))


class XSRFTokenTest(XSRFCase):
    def test_lazy(self) -> None:
        self.serve_form()
        self.assertEqual(cookie_lines(self.fetch()), [])
        self.assertEqual(len(self.tokens()[1]), 1)

    def test_without_the_setting(self) -> None:
        """Forms may be protected by hand."""
        self.serve_form(xsrf_cookies=False)
        self.assertEqual(len(self.tokens()[1]), 1)
        self.assert_done()

    def test_cookie(self) -> None:
        self.serve_form()
        (line,) = self.tokens()[1]
        self.assertRegex(line, "^_xsrf=[0-9a-f]{40}; Path=/; SameSite=Lax$")
        (line,) = self.tokens("Cookie: user=ada")[1]
        self.assertRegex(line, "^_xsrf=[0-9a-f]{40}; expires=[^;]*; Path=/; SameSite=Lax$")

    def test_masks_differ(self) -> None:
        self.serve_form()
        seen, lines = self.tokens()
        cookie = lines[0].partition(";")[0]
        seen.append(cookie.partition("=")[2])
        again, lines = self.tokens(f"Cookie: {cookie}")
        self.assertEqual(lines, [])  # there is one already
        seen += again
        self.assertEqual(len(set(seen)), 7)
        self.assertEqual(len({token[8:] for token in seen}), 7)
        for token in seen:
            self.assert_done(f"Cookie: {cookie}", body=f"_xsrf={token}")

    def test_others_differ(self) -> None:
        self.serve_form()
        token, _ = self.begin()
        _, cookie = self.begin()
        self.assert_refused(WRONG, cookie, body=f"_xsrf={token}")

    def test_cookie_that_is_no_token(self) -> None:
        self.serve_form()
        for value in (
            "",
            "x",
            "0" * 31,
            "0" * 33,
            "0" * 39,
            "g" * 32,
            "\xe9" * 32,
            "2|" + "0" * 8,
            "0" * 5000,
        ):
            with self.subTest(value[:40]):
                (token, *_), lines = self.tokens(f"Cookie: _xsrf={value}")
                self.assertEqual(len(lines), 1)
                self.assert_refused(
                    WRONG,
                    f"Cookie: _xsrf={value}",
                    body=f"_xsrf={value if value.isascii() and value else 'x'}",
                )
                self.assert_refused(WRONG, f"Cookie: _xsrf={value}", body=f"_xsrf={token}")

    def test_settings(self) -> None:
        table: list[tuple[dict[str, Any], str]] = [
            (
                {"xsrf_cookie_name": "__Host-x", "xsrf_cookie_kwargs": {"secure": True}},
                "; Path=/; SameSite=Lax; Secure",
            ),
            ({"xsrf_cookie_name": "t"}, "; Path=/; SameSite=Lax"),
            ({"xsrf_cookie_kwargs": {"path": "/x", "domain": "h"}}, "; Domain=h; Path=/x; SameSite=Lax"),
            ({"xsrf_cookie_kwargs": {"samesite": "Strict"}}, "; Path=/; SameSite=Strict"),
            (
                {"xsrf_cookie_kwargs": {"SameSite": "Strict", "Max-Age": 5}},
                "; Max-Age=5; Path=/; SameSite=Strict",
            ),
            ({"xsrf_cookie_kwargs": {"samesite": None}}, "; Path=/"),
        ]
        for settings, wanted in table:
            with self.subTest(settings):
                self.serve_form(**settings)
                (token, *_), (line,) = self.tokens()
                cookie, _, rest = line.partition(";")
                self.assertEqual(cookie.partition("=")[0], settings.get("xsrf_cookie_name", "_xsrf"))
                self.assertEqual(f";{rest}", wanted)
                self.assert_done(f"Cookie: {cookie}", body=f"_xsrf={token}")

    def test_only_the_named_cookie(self) -> None:
        self.serve_form(xsrf_cookie_name="other")
        token = "0" * 32
        self.assert_refused(WRONG, f"Cookie: _xsrf={token}", body=f"_xsrf={token}")
        self.assert_done(f"Cookie: other={token}", body=f"_xsrf={token}")


class XSRFCheckTest(XSRFCase):
    def test_ways_to_send_it(self) -> None:
        self.serve_form()
        token, cookie = self.begin()
        for name, fields, kwargs in [
            ("form", [], {"body": f"_xsrf={token}"}),
            ("query", [], {"target": f"/?_xsrf={token}"}),
            ("header", [f"X-XSRFToken: {token}"], {}),
            ("other header", [f"X-CSRFToken: {token}"], {}),
            ("letters", [f"x-xsrftoken: {token}"], {}),
            ("more letters", [f"X-CSRFTOKEN: {token}"], {}),
            ("empty argument", [f"X-XSRFToken: {token}"], {"body": "_xsrf=&a=1"}),
            ("the last of several", [], {"body": f"_xsrf=x&_xsrf={token}"}),
        ]:
            for method in ("POST", "PUT", "DELETE", "PATCH"):
                if method == "DELETE" and "body" in kwargs and not fields:
                    continue  # its body is no form
                with self.subTest(f"{name} {method}"):
                    self.assert_done(cookie, *fields, method=method, **kwargs)

    def test_missing(self) -> None:
        self.serve_form()
        _, cookie = self.begin()
        for fields in (
            [],
            [cookie],
            [cookie, "X-Requested-With: XMLHttpRequest"],
            [cookie, "X-XSRF-Token: " + "0" * 32],
        ):
            for method in ("POST", "PUT", "DELETE", "PATCH"):
                with self.subTest(f"{fields} {method}"):
                    self.assert_refused(MISSING, *fields, method=method)

    def test_wrong(self) -> None:
        self.serve_form()
        token, cookie = self.begin()
        for wrong in (
            "x",
            "0" * 32,
            "0" * 40,
            token[:-1],
            token + "0",
            token[:-1] + ("0" if token[-1] != "0" else "1"),
            token.upper() if token.upper() != token else "x",
            token[8:],
            "%C3%A9",
            "|",
        ):
            with self.subTest(wrong):
                self.assert_refused(WRONG, cookie, body=f"_xsrf={wrong}")
        self.assert_refused(WRONG, body=f"_xsrf={token}")  # without the cookie
        self.assert_refused(WRONG, cookie, f"X-XSRFToken: {token}", body="_xsrf=wrong")
        with ExpectLog("tornado.web", "Invalid unicode in _xsrf"):
            self.assertEqual(self.fetch(send("POST", cookie, body="_xsrf=%ff")).code, 400)

    def test_safe_methods(self) -> None:
        self.serve_form()
        for method in ("GET", "HEAD", "OPTIONS"):
            self.assertEqual(self.fetch(send(method)).code, 200)
            self.assertEqual(self.fetch(send(method, "Sec-Fetch-Site: cross-site")).code, 200)
        self.assertEqual(self.fetch(send("TRACE")).code, 405)

    def test_another_cookie_is_not_split(self) -> None:
        self.serve_form()
        _, cookie = self.begin()
        evil = "0" * 32
        for bad in (f"ga=1,_xsrf={evil}", f"ga=x _xsrf={evil}", f'ga="x; _xsrf={evil}"', f"=_xsrf={evil}"):
            with self.subTest(bad):
                self.assert_refused(WRONG, f"{cookie}; {bad}", body=f"_xsrf={evil}")

    def test_plain_token_of_2_x(self) -> None:
        """One that a browser got before the server was renewed."""
        self.serve_form()
        plain = "0123456789abcdef0123456789abcdef"
        self.assert_done(f"Cookie: _xsrf={plain}", body=f"_xsrf={plain}")
        tokens, lines = self.tokens(f"Cookie: _xsrf={plain}")
        self.assertEqual(lines, [])
        for token in tokens:
            self.assertEqual(len(token), 40)
            self.assert_done(f"Cookie: _xsrf={plain}", body=f"_xsrf={token}")
        self.assert_refused(WRONG, f"Cookie: _xsrf={plain}", body=f"_xsrf={plain[::-1]}")

    def test_sec_fetch_site(self) -> None:
        self.serve_form()
        token, cookie = self.begin()
        for value in ("same-origin", "same-site", "none", "", "nonsense"):
            with self.subTest(value):
                field = f"Sec-Fetch-Site: {value}"
                self.assert_done(cookie, field, body=f"_xsrf={token}")
                self.assert_refused(MISSING, cookie, field)
        self.assert_refused("Sec-Fetch-Site", cookie, "Sec-Fetch-Site: cross-site", body=f"_xsrf={token}")
        self.assert_refused("Sec-Fetch-Site", cookie, "sec-fetch-site: cross-site", f"X-XSRFToken: {token}")

    def test_override(self) -> None:
        class Free(Form):
            def check_xsrf_cookie(self) -> None:
                pass

        self.serve_form(Free)
        self.assert_done()
        self.assert_done("Sec-Fetch-Site: cross-site")

    def test_before_prepare(self) -> None:
        noted = self.noted

        class Noting(Form):
            def prepare(self) -> None:
                noted.append("prepare")

        self.serve_form(Noting)
        self.assert_refused(MISSING)
        self.assertEqual(noted, [])

    def test_unrouted(self) -> None:
        self.serve_form()
        for method in ("POST", "PUT", "DELETE", "GET"):
            self.assertEqual(self.fetch(send(method, target="/nowhere")).code, 404)

    def test_token_is_not_logged(self) -> None:
        self.serve_form()
        _, cookie = self.begin()
        with ExpectLog("tornado.web", "403 POST") as expected:
            self.fetch(send("POST", cookie, target="/?_xsrf=verysecret"))
        self.assertNotIn("verysecret", expected.records[0].getMessage())
        self.assertNotIn(cookie.partition("=")[2], expected.records[0].getMessage())

    def test_off(self) -> None:
        self.page(nothing)
        self.assertEqual(self.fetch(send("POST", "Sec-Fetch-Site: cross-site")).code, 200)

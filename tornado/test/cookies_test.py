"""`tornado.wire.cookies` reads the tables of `cookie_cases`."""

import base64
import doctest
import hmac
import random
import unittest
from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from tornado.test import cookie_cases as cases
from tornado.test.cookie_cases import NOW, SECRET
from tornado.test.multipart_test import count_steps, peak_memory
from tornado.wire import cookies as module
from tornado.wire.cookies import (
    MAX_AHEAD,
    MAX_COOKIES,
    MAX_SIGNED,
    format_set_cookie,
    key_version_of,
    mask_token,
    parse_cookies,
    sign,
    unmask_token,
    unsign,
)

DAY = 24 * 60 * 60


def digest(message: bytes, algorithm: str) -> bytes:
    """Return the signature of *message*, made without the module under test."""
    return hmac.new(SECRET.encode(), message, algorithm).hexdigest().encode()


def signed(message: bytes) -> bytes:
    """Return *message* with the signature that version 2 would have."""
    return message + digest(message, "sha256")


def old_signed(payload: bytes, timestamp: bytes, name: bytes = b"user") -> bytes:
    """Return a value of version 1."""
    return payload + b"|" + timestamp + b"|" + digest(name + payload + timestamp, "sha1")


def open_user(value: str | bytes | None, **keywords: Any) -> bytes | None:
    """Return what *value* holds as the cookie ``user`` at `NOW`."""
    return unsign(SECRET, "user", value, NOW, **keywords)


class ParseCookiesTest(unittest.TestCase):
    def test_rows(self) -> None:
        for name, section, header, cookies in cases.COOKIES:
            with self.subTest(name, section=section):
                self.assertEqual(list(parse_cookies(header).items()), list(cookies.items()))

    def test_adversarial_growth(self) -> None:
        """Twice the input is at most three times the steps and the memory."""
        for name, advisory, head, piece, count, tail in cases.ADVERSARIAL:
            with self.subTest(name, advisory=advisory):
                headers = [head + piece * times + tail for times in (count, 2 * count)]
                once, twice = (count_steps(parse_cookies, header) for header in headers)
                self.assertLessEqual(twice, 3 * once)
                once, twice = (peak_memory(parse_cookies, header) for header in headers)
                self.assertLessEqual(twice, 3 * once)

    def test_any_text_at_all(self) -> None:
        """It never raises; names are tokens, values have no control characters."""
        random_text = random.Random(6265)
        for _ in range(3000):
            header = "".join(random_text.choices('ab=;"\\ \t01\x00\x7f\xc3\xa9', k=30))
            for name, value in parse_cookies(header).items():
                self.assertRegex(name, r"\A[ab01]+\Z", header)
                self.assertNotRegex(value, r"[\x00-\x1f\x7f]", header)

    def test_many(self) -> None:
        cookies = parse_cookies(";".join(f"n{i}=1" for i in range(50_000)))
        self.assertEqual(len(cookies), MAX_COOKIES)

    def test_doctests(self) -> None:
        failed, attempted = doctest.testmod(module)
        self.assertEqual(failed, 0)
        self.assertGreater(attempted, 4)


class SetCookieTest(unittest.TestCase):
    def test_rows(self) -> None:
        for name, section, arguments, keywords, line in cases.SET_COOKIES:
            with self.subTest(name, section=section):
                self.assertEqual(format_set_cookie(*arguments, **keywords), line)

    def test_bad_rows(self) -> None:
        for name, section, arguments, keywords, message in cases.BAD_SET_COOKIES:
            with self.subTest(name, section=section):
                with self.assertRaises(ValueError) as caught:
                    format_set_cookie(*arguments, **keywords)
                self.assertIn(message, str(caught.exception))

    def test_neither_text_nor_bytes(self) -> None:
        for arguments in [(None, "1"), ("a", None), (1, "1"), ("a", 1), ("a", ["1"])]:
            with self.subTest(arguments):
                with self.assertRaisesRegex(AssertionError, "wanted str or bytes") as caught:
                    format_set_cookie(*arguments)  # type: ignore[arg-type]
                self.assertIsInstance(caught.exception, TypeError)

    @given(some.text(some.characters(exclude_categories=["Cc", "Cs"])))
    def test_what_is_written_is_read(self, text: str) -> None:
        line = format_set_cookie("a", text, path=None)
        self.assertEqual(parse_cookies(line), {"a": text})
        self.assertRegex(line, r'\Aa=(?:[!-~]*|"[ -~]*")\Z')

    @given(some.text() | some.binary())
    def test_a_value_stays_a_value(self, value: str | bytes) -> None:
        line = format_set_cookie("a", value, secure=True)
        self.assertEqual(line.split(";")[1:], [" Path=/", " Secure"])
        self.assertTrue(line.isascii() and line.isprintable(), line)

    def test_growth(self) -> None:
        for piece in ('"', "\\", ";", "\0", "\u560a", "a"):
            with self.subTest(piece):
                once, twice = (count_steps(format_set_cookie, "a", piece * n) for n in (4000, 8000))
                self.assertLessEqual(twice, 3 * once)


class SignTest(unittest.TestCase):
    def test_rows(self) -> None:
        for name, secret, arguments, text in cases.SIGNED:
            with self.subTest(name):
                self.assertEqual(sign(secret, now=NOW + 0.9, **arguments), text)
                value = arguments["value"]
                octets = value.encode() if isinstance(value, str) else value
                for given_text in (text, text.decode()):
                    self.assertEqual(
                        unsign(secret, arguments["name"], given_text, NOW, min_version=1), octets
                    )
                key_version = arguments.get("key_version", 0) if text.startswith(b"2|") else None
                self.assertEqual(key_version_of(text), key_version)

    def test_what_the_caller_does_wrong(self) -> None:
        rows: list[tuple[str, Any, dict[str, Any], str]] = [
            ("empty secret", "", {}, "the secret is empty: pass 32 random bytes"),
            ("empty bytes", b"", {}, "the secret is empty"),
            ("no keys", {}, {"key_version": 0}, "the secret is empty"),
            ("one empty key", {0: "a", 1: ""}, {"key_version": 0}, "the secret is empty"),
            (
                "no current key",
                {3: "a", 1: "b"},
                {},
                r"key_version is None.* the versions \[1, 3\]: say which",
            ),
            ("a current key that is not there", {1: "a"}, {"key_version": 2}, "key_version is 2, and"),
            ("versions of a single secret", "a", {"key_version": 1}, "needs a dict of secrets"),
            ("version that is text", {"1": "a"}, {"key_version": "1"}, "a key of version '1', wanted an int"),
            ("version below zero", {-1: "a"}, {"key_version": -1}, "a key of version -1, wanted an int"),
            ("version of ten digits", {10**9: "a"}, {"key_version": 10**9}, "wanted an int from 0"),
            ("unknown format", "a", {"version": 3}, "the version to sign in is 3, wanted 2, or 1"),
            ("name that is not ASCII", "a", {"name": "\xe9"}, "the name of a signed value is '\xe9'"),
            ("too long", "a", {"value": b"x" * 6200}, f"the limit is {MAX_SIGNED}: sign the key of"),
        ]
        for name, secret, keywords, message in rows:
            with self.subTest(name), self.assertRaisesRegex(ValueError, message):
                sign(secret, **{"name": "user", "value": b"ada", "now": NOW, **keywords})

    def test_errors_do_not_show_secrets(self) -> None:
        for secret in ("", {1: "hidden", 2: ""}, {"x": "hidden"}, {1: "hidden"}, {1: ["hidden"]}):
            with self.subTest(secret):
                with self.assertRaises((ValueError, TypeError)) as caught:
                    sign(secret, "user", b"ada", NOW)  # type: ignore[arg-type]
                self.assertNotIn("hidden", str(caught.exception))

    def test_the_longest(self) -> None:
        rest = len(sign(SECRET, "user", b"", NOW)) + len("5984") - len("0")
        longest = b"x" * ((MAX_SIGNED - rest) // 4 * 3)
        self.assertEqual(open_user(sign(SECRET, "user", longest, NOW)), longest)


class UnsignTest(unittest.TestCase):
    def test_the_tables_differ_from_what_is_valid_in_what_they_say(self) -> None:
        self.assertEqual(open_user(signed(b"2|1:0|10:1300000000|4:user|4:YWRh|")), b"ada")
        self.assertEqual(open_user(old_signed(b"YWRh", b"1300000000"), min_version=1), b"ada")

    def test_invalid_rows(self) -> None:
        for name, message in cases.INVALID_SIGNED:
            with self.subTest(name):
                self.assertIsNone(open_user(signed(message)))
                self.assertIsNone(open_user(signed(message), min_version=1))
                self.assertIsNotNone(key_version_of(signed(message)))

    def test_malformed_rows(self) -> None:
        for name, message in cases.MALFORMED_SIGNED:
            with self.subTest(name):
                self.assertIsNone(open_user(signed(message)))
                self.assertIsNone(open_user(signed(message), min_version=1))
                if "payload" not in name:
                    self.assertIsNone(key_version_of(signed(message)))

    def test_malformed_signatures(self) -> None:
        message = b"2|1:0|10:1300000000|4:user|4:YWRh|"
        good = digest(message, "sha256")
        rows = [
            b"",
            good[:-1],
            good + b"0",
            good + b"\n",
            good.upper(),
            b"|" + good,
            bytes.fromhex(good.decode()),
        ]
        for signature in rows:
            with self.subTest(signature):
                self.assertIsNone(open_user(message + signature))
                self.assertIsNone(key_version_of(message + signature))
        for algorithm in ("sha1", "sha512"):
            self.assertIsNone(open_user(message + digest(message, algorithm)))

    def test_nothing(self) -> None:
        for value in (None, "", b"", "\xe9", "\u0662|", "2|\xe9", b"\xff"):
            with self.subTest(value):
                self.assertIsNone(open_user(value))
                self.assertIsNone(open_user(value, min_version=1))
                self.assertIsNone(key_version_of(value))

    def test_age(self) -> None:
        value = sign(SECRET, "user", b"ada", NOW)
        old = sign(SECRET, "user", b"ada", NOW, version=1)
        rows = [  # seconds from the signature to now, days, valid
            (0, 31, True),
            (31 * DAY, 31, True),
            (31 * DAY + 0.5, 31, False),
            (DAY / 2 + 1, 0.5, False),
            (DAY / 2, 0.5, True),
            (365 * DAY, 366, True),
            (1, 0, False),
            (-MAX_AHEAD, 31, True),
            (-MAX_AHEAD - 0.5, 31, False),
            (-MAX_AHEAD - 0.5, 10**6, False),
        ]
        for seconds, days, valid in rows:
            with self.subTest(seconds=seconds, days=days):
                for text in (value, old):
                    result = unsign(SECRET, "user", text, NOW + seconds, max_age_days=days, min_version=1)
                    self.assertEqual(result, b"ada" if valid else None)

    def test_versions_of_the_key(self) -> None:
        old, new = {1: "old key"}, {1: "old key", 2: "new key"}
        by_old = sign(old, "user", b"ada", NOW, key_version=1)
        by_new = sign(new, "user", b"ada", NOW, key_version=2)
        self.assertEqual((key_version_of(by_old), key_version_of(by_new.decode())), (1, 2))
        rows: list[tuple[str, Any, bytes, bytes | None]] = [
            ("before the change", old, by_old, b"ada"),
            ("of before, after the change", new, by_old, b"ada"),
            ("after the change", new, by_new, b"ada"),
            ("of after, before the change", old, by_new, None),
            ("old key retired", {2: "new key"}, by_old, None),
            ("keys exchanged", {1: "new key", 2: "old key"}, by_old, None),
            ("single key of another version", "old key", by_old, None),
            ("single key becomes version 0", {0: "one", 1: "two"}, sign("one", "user", b"ada", NOW), b"ada"),
        ]
        for name, secret, value, result in rows:
            with self.subTest(name):
                self.assertEqual(unsign(secret, "user", value, NOW), result)

    def test_a_key_that_is_not_there_is_not_the_empty_key(self) -> None:
        message = b"2|1:9|10:1300000000|4:user|4:YWRh|"
        forged = message + hmac.new(b"", message, "sha256").hexdigest().encode()
        self.assertIsNone(unsign({1: "a"}, "user", forged, NOW))

    def test_what_the_caller_does_wrong(self) -> None:
        value = sign(SECRET, "user", b"ada", NOW)
        rows: list[tuple[Any, dict[str, Any], str]] = [
            ("", {}, "the secret is empty"),
            ({}, {}, "the secret is empty"),
            (SECRET, {"min_version": 3}, "min_version is 3, wanted 2, or 1"),
            (SECRET, {"min_version": 0}, "min_version is 0"),
        ]
        for secret, keywords, message in rows:
            with self.subTest(message), self.assertRaisesRegex(ValueError, message):
                unsign(secret, "user", value, NOW, **keywords)

    def test_the_same_steps_whatever_is_invalid(self) -> None:
        """From the structure on, each refusal runs through the same lines."""
        messages = [message for _, message in cases.INVALID_SIGNED]
        good = b"2|1:0|10:1300000000|4:user|4:YWRh|"
        values = [signed(message) for message in messages] + [good + b"0" * 64]
        steps = {count_steps(open_user, value) for value in values}
        self.assertEqual(len(steps), 1)
        olds = [
            old_signed(b"YWRh", b"1300000000", b"uses"),
            old_signed(b"YWRh", b"1111111111"),
            b"YWRh|1300000000|" + b"0" * 40,
        ]
        steps = {count_steps(lambda value: open_user(value, min_version=1), value) for value in olds}
        self.assertEqual(len(steps), 1)

    def test_growth(self) -> None:
        for name, head, piece, count, tail in cases.ADVERSARIAL_SIGNED:
            with self.subTest(name):
                values = [head + piece * times + tail for times in (count, 2 * count)]
                for min_version in (1, 2):
                    once, twice = (
                        count_steps(lambda value: open_user(value, min_version=min_version), value)  # noqa: B023
                        for value in values
                    )
                    self.assertLessEqual(twice, 3 * once)
        self.assertLess(count_steps(open_user, b"2|" + b"0:|" * 10**6), 100)


class OldFormatTest(unittest.TestCase):
    """Version 1, of 2011: HMAC-SHA-1 over the parts without anything in between."""

    def test_only_if_asked_for(self) -> None:
        value = sign(SECRET, "user", b"ada", NOW, version=1)
        self.assertEqual(value, old_signed(b"YWRh", b"1300000000"))
        self.assertIsNone(open_user(value))
        self.assertIsNone(open_user(value, min_version=2))
        self.assertEqual(open_user(value, min_version=1), b"ada")

    def test_the_new_format_is_read_too(self) -> None:
        self.assertEqual(open_user(sign(SECRET, "user", b"ada", NOW), min_version=1), b"ada")

    def test_malformed_rows(self) -> None:
        for name, value in cases.MALFORMED_OLD:
            with self.subTest(name):
                self.assertIsNone(open_user(value, min_version=1))

    def test_moved_digits(self) -> None:
        """Only where they were signed."""
        for (_, payload, timestamp), *moved in cases.MOVED_DIGITS:
            true = old_signed(payload, timestamp)
            self.assertEqual(open_user(true, min_version=1), base64.b64decode(payload))
            for name, other_payload, other_timestamp in moved:
                with self.subTest(name, payload=payload):
                    false = old_signed(other_payload, other_timestamp)
                    self.assertEqual(false.rpartition(b"|")[2], true.rpartition(b"|")[2])
                    self.assertIsNone(open_user(false, min_version=1, max_age_days=10**6))

    def test_bad_base64(self) -> None:
        for payload in (b"YW-h", b"YW Rh", b"YWR", b"YQ==YWRh", b"="):
            with self.subTest(payload):
                self.assertIsNone(open_user(old_signed(payload, b"1300000000"), min_version=1))

    def test_any_of_several_keys(self) -> None:
        keys = {1: "one", 2: "two", 3: "three"}
        for number in keys:
            value = sign(keys, "user", b"ada", NOW, version=1, key_version=number)
            self.assertEqual(unsign(keys, "user", value, NOW, min_version=1), b"ada")
            self.assertIsNone(unsign({0: "zero"}, "user", value, NOW, min_version=1))
            self.assertIsNone(key_version_of(value))


names = some.text(some.characters(codec="ascii"), max_size=12)


class SignaturePropertyTest(unittest.TestCase):
    @given(names, some.binary(max_size=300), some.integers(10**9, 10**10 - 1), some.sampled_from([1, 2]))
    def test_round_trip(self, name: str, value: bytes, now: int, version: int) -> None:
        text = sign(SECRET, name, value, now, version=version)
        self.assertEqual(unsign(SECRET, name, text, now, min_version=version), value)

    @given(names, some.binary(max_size=30), some.sampled_from([1, 2]), some.data())
    def test_any_change_of_one_character_shows(
        self, name: str, value: bytes, version: int, data: some.DataObject
    ) -> None:
        text = sign(SECRET, name, value, NOW, version=version)
        place = data.draw(some.integers(0, len(text) - 1))
        octet = data.draw(some.integers(0, 255).filter(lambda octet: octet != text[place]))
        changed = text[:place] + bytes([octet]) + text[place + 1 :]
        self.assertIsNone(unsign(SECRET, name, changed, NOW, min_version=1))

    def test_every_change_of_one_bit_shows(self) -> None:
        for version in (1, 2):
            text = sign(SECRET, "user", b"Ada L", NOW, version=version)
            for bit in range(8 * len(text)):
                changed = bytearray(text)
                changed[bit // 8] ^= 1 << bit % 8
                self.assertIsNone(open_user(bytes(changed), min_version=1), changed)

    @given(names, names, some.binary(max_size=30))
    def test_bound_to_its_name(self, name: str, other: str, value: bytes) -> None:
        text = sign(SECRET, name, value, NOW)
        self.assertEqual(unsign(SECRET, other, text, NOW), value if name == other else None)

    @given(some.text(max_size=5), some.text() | some.binary() | some.none(), some.sampled_from([1, 2]))
    def test_anything_at_all(self, name: str, value: str | bytes | None, min_version: int) -> None:
        try:
            name.encode()
        except UnicodeEncodeError:
            return
        self.assertIsNone(unsign(SECRET, name, value, NOW, min_version=min_version))
        self.assertIsNone(key_version_of(value))


class MaskTest(unittest.TestCase):
    """The token against cross-site requests, which looks different on every page (CVE-2014-9720)."""

    @given(some.binary(min_size=16, max_size=16), some.binary(min_size=4, max_size=4))
    def test_round_trip(self, token: bytes, mask: bytes) -> None:
        text = mask_token(token, mask)
        self.assertRegex(text, r"\A[0-9a-f]{40}\Z")
        self.assertEqual(unmask_token(text), token)

    def test_each_mask_gives_another_text(self) -> None:
        texts = {mask_token(b"0123456789abcdef", bytes(4 * [number])) for number in range(256)}
        self.assertEqual(len({text[8:] for text in texts}), 256)

    def test_plain_tokens(self) -> None:
        self.assertEqual(unmask_token("00ff" * 8), b"\0\xff" * 8)

    def test_other_texts(self) -> None:
        for text in (None, "", "0" * 31, "0" * 33, "0" * 39, "0" * 41, "0" * 10**6, "F" * 32, "g" * 32):
            with self.subTest(text and text[:50]):
                self.assertIsNone(unmask_token(text))
        for text in ("0" * 32 + "\n", "\u0660" * 32, " " * 32, "0x" + "0" * 30):
            with self.subTest(text):
                self.assertIsNone(unmask_token(text))


if __name__ == "__main__":
    unittest.main()

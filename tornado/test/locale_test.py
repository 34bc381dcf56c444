"""Tests of tornado.locale, with translations made in temporary folders."""

import datetime
import doctest
import logging
import pathlib
import struct
import tempfile
import unittest
import unittest.mock
from typing import Any

from tornado import locale as module
from tornado.locale import (
    LOCALE_NAMES,
    MAX_LANGUAGES,
    CSVLocale,
    GettextLocale,
    Locale,
    _parse_accept_language,
    get_supported_locales,
    load_gettext_translations,
    load_translations,
)
from tornado.test.multipart_test import count_steps
from tornado.test.util import ExpectLog

NOW = datetime.datetime(2011, 6, 21, 15, 40, 30)  # a Tuesday
UTC = datetime.UTC
REAL_CLOCK = module._utcnow

SPANISH = """\
"I love you","Te amo"
"%(name)s liked this","A %(name)s les gustó esto","plural"
"%(name)s liked this","A %(name)s le gustó esto","singular"
"yesterday at %(time)s","ayer a las %(time)s"
"June","junio"
"%(month_name)s %(day)s","%(day)s de %(month_name)s"
"1 hour ago","hace una hora","singular"
"%(hours)d hours ago","hace %(hours)d horas","plural"
"%(commas)s and %(last)s","%(commas)s y %(last)s",unknown
"""

RUSSIAN_PLURALS = (
    "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);"
)


def catalog(texts: dict[str, str], plurals: str = "nplurals=2; plural=(n != 1);") -> bytes:
    """Return a file for gettext; forms of a plural are separated by NUL in *texts*, as in the file."""
    header = f"Content-Type: text/plain; charset=UTF-8\nPlural-Forms: {plurals}\n"
    pairs = sorted((key.encode(), text.encode()) for key, text in {"": header, **texts}.items())
    strings = [key for key, _ in pairs] + [text for _, text in pairs]
    start = 28 + 8 * len(strings)
    table, data = b"", b""
    for string in strings:
        table += struct.pack("<II", len(string), start + len(data))
        data += string + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, start)
    return head + table + data


class LocaleTestCase(unittest.TestCase):
    """Has a temporary folder, and puts back what the program has loaded."""

    def setUp(self) -> None:
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.addCleanup(module._use, module._translations, module._use_gettext)
        self.addCleanup(setattr, module, "_default_locale", module._default_locale)
        self.enterContext(unittest.mock.patch.object(module, "_utcnow", lambda: NOW))
        module._use({}, use_gettext=False)

    def load(self, *codes: str, **texts: str | bytes) -> None:
        """Load CSV files: empty ones for *codes*, and the *texts* for others."""
        for code, text in {**dict.fromkeys(codes, ""), **texts}.items():
            data = text.encode() if isinstance(text, str) else text
            (self.folder / f"{code}.csv").write_bytes(data)
        load_translations(str(self.folder))

    def load_gettext(self, **catalogs: bytes) -> None:
        """Load the *catalogs* by their locale, for the domain "site"."""
        for code, data in catalogs.items():
            place = self.folder / code / "LC_MESSAGES"
            place.mkdir(parents=True, exist_ok=True)
            (place / "site.mo").write_bytes(data)
        load_gettext_translations(str(self.folder), "site")


class CSVTest(LocaleTestCase):
    def test_translations(self) -> None:
        self.load(es=SPANISH)
        spanish = module.get("es")
        self.assertIsInstance(spanish, CSVLocale)
        name = "%(name)s liked this"
        rows: list[tuple[tuple[Any, ...], str]] = [
            (("I love you",), "Te amo"),
            (("I miss you",), "I miss you"),
            ((name, name, 1), "A %(name)s le gustó esto"),
            ((name, name, 2), "A %(name)s les gustó esto"),
            ((name, name, 0), "A %(name)s les gustó esto"),
            ((name, name, -1), "A %(name)s les gustó esto"),
            ((name,), name),  # not among those without plural
            (("I love you", "We love you", 1), "I love you"),
            (("I love you", "We love you", 2), "We love you"),
        ]
        for arguments, text in rows:
            with self.subTest(arguments):
                self.assertEqual(spanish.translate(*arguments), text)

    def test_a_plural_needs_a_count(self) -> None:
        self.load_gettext(fr=catalog({}))
        for locale in (module.get("en_US"), module.get("fr")):
            with self.subTest(locale.code):
                with self.assertRaisesRegex(AssertionError, "the plural 'days' without count") as caught:
                    locale.translate("day", "days")
                self.assertIsInstance(caught.exception, TypeError)

    def test_what_a_file_may_look_like(self) -> None:
        rows: list[tuple[str, str | bytes, str]] = [
            ("byte order mark", "\ufeffkey,text", "text"),
            ("line ends of Windows", "a,b\r\nkey,text\r\n", "text"),
            ("blanks around cells", "  key ,\ttext  , unknown ", "text"),
            ("empty third column", "key,text,", "text"),
            ("further columns", 'key,text,,"a comment"', "text"),
            ("empty rows", "\n\nkey,text\n,\n\n", "text"),
            ("quotes and commas", 'key,"a ""text"", quoted"', 'a "text", quoted'),
            ("several lines", 'key,"a\nb"', "a\nb"),
            ("several lines of Windows", 'key,"a\r\nb"\r\n', "a\r\nb"),
            ("the last of two", "key,one\nkey,text", "text"),
            ("an empty file", "", "key"),
            ("an empty translation", "key,", ""),
        ]
        for name, data, text in rows:
            with self.subTest(name):
                self.load(xx=data)
                self.assertEqual(module.get("xx").translate("key"), text)

    def test_wrong_rows_are_named_and_the_others_loaded(self) -> None:
        rows: list[tuple[str, str | bytes, int, str]] = [
            (
                "indicator",
                "a,b\nc,d,plurals\n",
                2,
                "third column is 'plurals', wanted 'plural', 'singular', or",
            ),
            ("indicator in capitals", "c,d,Plural\n", 1, "third column is 'Plural'"),
            ("one column", "\na,b\nSign in\n", 3, "no translation of 'Sign in', wanted two or three columns"),
            ("not UTF-8", b"a,b\nc,\xe9\n", 2, "not UTF-8"),
            ("after several lines", '"a\n\n",b\nc,d,x\n', 4, "third column is 'x'"),
            ("text after quotes", 'a,b\n"c"d,e\n', 2, "'"),
            ("quotes that do not end", 'key,text\na,b\n"c,d\ne,f\n', 3, "unexpected end of data"),
            ("enormous cell", f"{'c' * 140_000},d\n", 1, "field larger than field limit"),
        ]
        for name, data, line, message in rows:
            with self.subTest(name):
                octets = data.encode() if isinstance(data, str) else data
                path = self.folder / "xx.csv"
                with ExpectLog("tornado.locale", message, logging.ERROR) as log:
                    self.load(xx=octets if octets.startswith(b"key") else octets + b"key,text")
                self.assertEqual(len(log.records), 1)
                self.assertIn(f"{path}:{line}: ", log.records[0].getMessage())
                self.assertEqual(module.get("xx").translate("key"), "text")

    def test_files(self) -> None:
        self.load("es", "es_GT", "es_419", "zh_Hant_TW", "xx_LONG", ".#es", ".hidden")
        (self.folder / "README").write_text("")
        (self.folder / "es.csv~").write_text("")
        self.assertEqual(get_supported_locales(), {"es", "es_GT", "es_419", "zh_Hant_TW", "xx_LONG", "en_US"})

    def test_names_that_are_no_locale(self) -> None:
        for code in ("ES", "es-GT", "es_gt", "es_", "es_GT_x", "translations for es", "fr.bak"):
            with self.subTest(code):
                path = self.folder / f"{code}.csv"
                with ExpectLog("tornado.locale", "wanted a name such as es.csv", logging.ERROR) as log:
                    self.load(code)
                self.assertIn(f"{path} is left out: {code!r} is no locale", log.records[0].getMessage())
                self.assertEqual(get_supported_locales(), {"en_US"})
                path.unlink()

    def test_the_supported_ones_are_logged(self) -> None:
        with ExpectLog("tornado.locale", "^Supported locales: en_US, es, fr$", logging.INFO):
            self.load("fr", "es")

    def test_no_folder(self) -> None:
        with self.assertRaisesRegex(OSError, "nowhere"):
            load_translations(self.folder / "nowhere")


class GettextTest(LocaleTestCase):
    def test_translations(self) -> None:
        forms = "%(num)d яблоко\0%(num)d яблока\0%(num)d яблок"
        self.load_gettext(
            ru=catalog({"Sign in": "Войти", "%(num)d apple\0%(num)d apples": forms}, RUSSIAN_PLURALS)
        )
        russian = module.get("ru")
        self.assertIsInstance(russian, GettextLocale)
        rows: list[tuple[tuple[Any, ...], str]] = [
            (("Sign in",), "Войти"),
            (("Sign out",), "Sign out"),
            *[
                (("%(num)d apple", "%(num)d apples", count), forms.split("\0")[form])
                for count, form in [
                    (1, 0),
                    (2, 1),
                    (4, 1),
                    (5, 2),
                    (0, 2),
                    (11, 2),
                    (21, 0),
                    (22, 1),
                    (111, 2),
                ]
            ],
            (("%(num)d pear", "%(num)d pears", 1), "%(num)d pear"),
            (("%(num)d pear", "%(num)d pears", 21), "%(num)d pears"),
        ]
        for arguments, text in rows:
            with self.subTest(arguments):
                self.assertEqual(russian.translate(*arguments), text)
        self.assertEqual(get_supported_locales(), {"ru", "en_US"})

    def test_dates_use_the_forms(self) -> None:
        forms = "hace un minuto\0hace %(minutes)d minutos"
        self.load_gettext(es=catalog({"1 minute ago\0%(minutes)d minutes ago": forms}))
        date = NOW - datetime.timedelta(minutes=3)
        self.assertEqual(module.get("es").format_date(date), "hace 3 minutos")

    def test_a_country_falls_back_on_its_language(self) -> None:
        self.load_gettext(
            es=catalog({"car": "coche", "day\0days": "día\0días"}), **{"es-MX": catalog({"car": "carro"})}
        )
        mexican = module.get("es_MX")
        self.assertEqual(mexican.code, "es_MX")
        self.assertEqual(mexican.translate("car"), "carro")
        self.assertEqual(mexican.translate("day", "days", 2), "días")
        self.assertEqual(module.get("es").translate("car"), "coche")

    def test_loaded_again(self) -> None:
        """What changed on the disk shows, though gettext itself remembers every file it read."""
        for text in ("uno", "dos"):
            self.load_gettext(es=catalog({"one": text}))
            self.assertEqual(module.get("es").translate("one"), text)

    def test_what_cannot_be_loaded(self) -> None:
        good = catalog({"one": "uno"})
        rows: list[tuple[str, bytes]] = [
            ("empty", b""),
            ("not such a file", b"x" * 100),
            ("cut", good[: len(good) // 2]),
            ("bad plural forms", catalog({}, "nplurals=2; plural=import os;")),
            ("not UTF-8", good.replace(b"uno", b"\xe9\xe9\xe9")),
        ]
        for name, data in rows:
            with self.subTest(name):
                path = self.folder / "xx/LC_MESSAGES/site.mo"
                with ExpectLog("tornado.locale", f"^{path} is left out: .", logging.ERROR) as log:
                    self.load_gettext(es=good, xx=data)
                self.assertEqual(len(log.records), 1)
                self.assertEqual(get_supported_locales(), {"es", "en_US"})
                self.assertEqual(module.get("es").translate("one"), "uno")

    def test_other_files_and_folders(self) -> None:
        (self.folder / "README").write_text("")
        (self.folder / ".git").mkdir()
        (self.folder / "fr").mkdir()
        with ExpectLog("tornado.locale", "fr/LC_MESSAGES/site.mo.* No such file", logging.ERROR) as log:
            self.load_gettext(es=catalog({}))
        self.assertEqual(len(log.records), 1)

    def test_another_domain(self) -> None:
        self.load_gettext(es=catalog({}))
        with ExpectLog("tornado.locale", "es/LC_MESSAGES/other.mo", logging.ERROR):
            load_gettext_translations(self.folder, "other")
        self.assertEqual(get_supported_locales(), {"en_US"})


CLOSEST: list[tuple[str, list[str | None], str]] = [  # supported beside en_US, wanted, found
    ("es es_GT", ["es_GT"], "es_GT"),
    ("es es_GT", ["es-gt"], "es_GT"),
    ("es es_GT", ["ES-gT"], "es_GT"),
    ("es", ["es_GT"], "es"),
    ("es", ["es"], "es"),
    ("es", ["ES"], "es"),
    ("es", ["es-419"], "es"),
    ("es_419 es", ["es-419"], "es_419"),
    ("de_DE", ["de"], "de_DE"),
    ("de_AT de_CH de_DE", ["de"], "de_DE"),
    ("de_AT de_CH", ["de"], "de_AT"),
    ("es_LA es_ES", ["es"], "es_ES"),
    ("en_GB en_AU", ["en"], "en_US"),
    ("en_GB", ["en-AU"], "en_US"),
    ("de_DE", ["de-AT"], "en_US"),
    ("de_DE", ["de-AT", "de"], "de_DE"),
    ("den_XX", ["de"], "en_US"),
    ("fr es", ["de", "fr", "es"], "fr"),
    ("fr es", ["de", "es-MX", "fr"], "es"),
    ("zh_CN zh_TW", ["zh-Hant-TW"], "zh_TW"),
    ("zh_Hant_TW zh_TW", ["zh_hant_tw"], "zh_Hant_TW"),
    ("zh_Hant", ["zh-Hant-HK"], "zh_Hant"),
    ("zh_CN", ["zh-Hant"], "en_US"),
    ("zh", ["zh-Hant"], "zh"),
    ("xx_LONG", ["xx_LONG"], "xx_LONG"),
    ("fr", [None, "", "*", "_", "-", "fr-", "fr_FR_x", "x", "\u0660", "a" * 10_000, "fr\n"], "en_US"),
    ("fr", [None, "", "*", "fr"], "fr"),
    ("fr", [], "en_US"),
]


class ChoiceTest(LocaleTestCase):
    def test_closest(self) -> None:
        for supported, wanted, found in CLOSEST:
            with self.subTest(supported, wanted=wanted):
                module._use({code: {} for code in supported.split()}, use_gettext=False)
                self.assertEqual(module.get(*wanted).code, found)
                self.assertEqual(Locale.get_closest(*wanted).code, found)

    def test_the_default(self) -> None:
        self.load("fr_CA", "fr_FR")
        module.set_default_locale("fr_CA")
        self.assertEqual(module.get().code, "fr_CA")
        self.assertEqual(module.get("de").code, "fr_CA")
        self.assertEqual(module.get("fr").code, "fr_CA")
        self.assertEqual(get_supported_locales(), {"fr_CA", "fr_FR"})
        module.set_default_locale("pt")
        self.assertEqual(module.get("de").code, "pt")
        self.assertEqual(module.get("de").translate("Sign in"), "Sign in")
        self.assertEqual(get_supported_locales(), {"fr_CA", "fr_FR", "pt"})

    def test_supported_with_and_without_argument(self) -> None:
        self.load("fr")
        self.assertEqual(get_supported_locales(), {"fr", "en_US"})
        self.assertEqual(get_supported_locales(Locale), {"fr", "en_US"})
        self.assertEqual(get_supported_locales(cls=None), {"fr", "en_US"})

    def test_one_object_until_something_is_loaded(self) -> None:
        self.load(es="one,uno")
        spanish, english = Locale.get("es"), Locale.get("en_US")
        self.assertIs(Locale.get("es"), spanish)
        self.assertIs(module.get("es-MX"), spanish)
        self.load(es="one,dos")
        self.assertEqual(Locale.get("es").translate("one"), "dos")
        self.assertIsNot(Locale.get("en_US"), english)

    def test_one_that_is_not_supported(self) -> None:
        for code in ("fr", "en-US", "", "EN_us"):
            with (
                self.subTest(code),
                self.assertRaisesRegex(AssertionError, f"locale '{code}' is not supported"),
            ):
                Locale.get(code)

    def test_loading_replaces(self) -> None:
        self.load("es")
        with tempfile.TemporaryDirectory() as other:
            load_gettext_translations(other, "site")
        self.assertEqual(get_supported_locales(), {"en_US"})


ACCEPTED: list[tuple[str, list[str]]] = [  # header, languages
    ("en", ["en"]),
    ("da, en-GB, en", ["da", "en-GB", "en"]),
    ("en;q=0.5, fr;q=0.8, da", ["da", "fr", "en"]),
    ("en ; q = 0.5 ,\tfr;\tQ=0.8", ["fr", "en"]),
    ("en;q=0.5,fr;q=0.5,de;q=0.5", ["en", "fr", "de"]),
    ("en;q=1.000, fr", ["en", "fr"]),
    ("en;q=.5, fr;q=0.51234", ["fr", "en"]),
    ("en;level=1;q=0.5, fr;level=1", ["fr", "en"]),
    ("en;q=0, fr;q=0.000, de;q=0.001", ["de"]),
    ("en;q=x, fr;q=0.1, de;q=, it;q=2, es;q=-1, pt;q=1e9, nl;q=nan", "fr en de it es pt nl".split()),  # noqa: SIM905
    ("en;q=\u0660.5, fr;q=0.1", ["fr", "en"]),
    ("*", []),
    ("fr, *;q=0.5", ["fr"]),
    ("", []),
    (" , ;, ;q=1,", []),
    ("zh-Hant-TW, i-klingon", ["zh-Hant-TW", "i-klingon"]),
    ("en_US, e n, en\x00, \xe9t, toolongsubtag, en-, -en, 12", []),
    (", ".join(["x"] * MAX_LANGUAGES + ["en"]), ["x"] * MAX_LANGUAGES),
]


class AcceptLanguageTest(unittest.TestCase):
    def test_rows(self) -> None:
        for header, languages in ACCEPTED:
            with self.subTest(header):
                self.assertEqual(_parse_accept_language(header), languages)

    def test_growth(self) -> None:
        for piece in (",", ";", "a,", "a-", "a;q=0.1,", ";q=", " ", "q=0,", "a-b;" * 3 + ","):
            with self.subTest(piece):
                once, twice = (count_steps(_parse_accept_language, piece * n) for n in (1000, 2000))
                self.assertLessEqual(twice, 3 * once)
        self.assertLess(count_steps(_parse_accept_language, "a;q=0.1," * 100_000), 5000)


def before(**time: float) -> datetime.datetime:
    return NOW - datetime.timedelta(**time)


AGO: list[tuple[dict[str, float], str]] = [  # how long before NOW, in en_US
    ({"seconds": 0}, "0 seconds ago"),
    ({"seconds": 1}, "1 second ago"),
    ({"seconds": 49.9}, "49 seconds ago"),
    ({"seconds": 50}, "1 minute ago"),
    ({"seconds": 89}, "1 minute ago"),
    ({"seconds": 90}, "2 minutes ago"),
    ({"seconds": 150}, "3 minutes ago"),
    ({"minutes": 49, "seconds": 59}, "50 minutes ago"),
    ({"minutes": 50}, "1 hour ago"),
    ({"minutes": 89}, "1 hour ago"),
    ({"minutes": 90}, "2 hours ago"),
    ({"hours": 23, "minutes": 59}, "24 hours ago"),
    ({"days": 1}, "yesterday at 3:40 pm"),
    ({"days": 1, "hours": 15}, "yesterday at 12:40 am"),
    ({"days": 1, "hours": 16}, "Sunday at 11:40 pm"),
    ({"days": 4, "hours": 23}, "Thursday at 4:40 pm"),
    ({"days": 5}, "June 16 at 3:40 pm"),
    ({"days": 333}, "July 23 at 3:40 pm"),
    ({"days": 334}, "July 22, 2010 at 3:40 pm"),
    ({"days": 10_000}, "February 3, 1984 at 3:40 pm"),
    ({"seconds": -30}, "0 seconds ago"),
    ({"seconds": -60}, "0 seconds ago"),
    ({"seconds": -61}, "June 21, 2011 at 3:41 pm"),
    ({"days": -1, "seconds": -30}, "June 22, 2011 at 3:41 pm"),
    ({"days": -400}, "July 25, 2012 at 3:40 pm"),
]

DATES: list[tuple[str, dict[str, float], dict[str, Any], str]] = [  # locale, how long before NOW, keywords
    ("en_US", {"hours": 3}, {"relative": False}, "12:40 pm"),
    ("en_US", {"hours": 3}, {"relative": False, "shorter": True}, "12:40 pm"),
    ("en_US", {"hours": 15.5}, {"relative": False}, "12:10 am"),
    ("en_US", {"days": 1}, {"relative": False}, "Monday at 3:40 pm"),
    ("en_US", {"days": 1}, {"shorter": True}, "yesterday"),
    ("en_US", {"days": 3}, {"shorter": True}, "Saturday"),
    ("en_US", {"days": 20}, {"shorter": True}, "June 1"),
    ("en_US", {"days": 400}, {"shorter": True}, "May 17, 2010"),
    ("en_US", {"minutes": 1}, {"full_format": True}, "June 21, 2011 at 3:39 pm"),
    ("en_US", {"minutes": 1}, {"full_format": True, "shorter": True}, "June 21, 2011"),
    ("en_US", {"seconds": -30}, {"relative": False}, "June 21, 2011 at 3:41 pm"),
    ("en_US", {"days": 20}, {"gmt_offset": 480}, "June 1 at 7:40 am"),
    ("en_US", {"days": 20}, {"gmt_offset": 960}, "May 31 at 11:40 pm"),
    ("en_US", {"days": 20}, {"gmt_offset": -330}, "June 1 at 9:10 pm"),
    ("en_US", {"days": 1, "hours": 10}, {"gmt_offset": 480}, "Sunday at 9:40 pm"),  # still Tuesday there
    ("en_US", {"days": 1, "hours": 16}, {"gmt_offset": -60}, "yesterday at 12:40 am"),
    ("en", {"days": 3}, {}, "Saturday at 3:40 pm"),
    ("en_GB", {"days": 3}, {}, "Saturday at 15:40"),
    ("en_GB", {"days": 3, "hours": 9}, {}, "Saturday at 6:40"),
    ("zh_CN", {"days": 3}, {}, "Saturday at \u4e0b\u53483:40"),
    ("zh_CN", {"days": 3, "hours": 15}, {}, "Saturday at \u4e0a\u534812:40"),
    ("ru_RU", {"hours": 3}, {}, "12:40"),
    ("ru", {"days": 1}, {}, "Monday at 15:40"),
    ("ru", {"seconds": -30}, {}, "June 21, 2011 at 15:41"),
    ("es", {"hours": 1}, {}, "hace una hora"),
    ("es", {"hours": 5}, {}, "hace 5 horas"),
    ("es", {"days": 1}, {}, "ayer a las 15:40"),
    ("es", {"days": 20}, {"shorter": True}, "1 de junio"),
    ("es", {"days": 20}, {}, "junio 1 at 15:40"),
]


class DateTest(LocaleTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.load("en", "en_GB", "zh_CN", "ru", "ru_RU", es=SPANISH)

    def test_ago(self) -> None:
        for time, text in AGO:
            with self.subTest(time):
                self.assertEqual(Locale.get("en_US").format_date(before(**time)), text)

    def test_rows(self) -> None:
        for code, time, keywords, text in DATES:
            with self.subTest(code, time=time, keywords=keywords):
                self.assertEqual(Locale.get(code).format_date(before(**time), **keywords), text)

    def test_what_a_date_may_be(self) -> None:
        english = Locale.get("en_US")
        pacific = datetime.timezone(-datetime.timedelta(hours=8))
        stamp = before(days=20).replace(tzinfo=UTC).timestamp()
        dates: list[datetime.datetime | float] = [
            before(days=20),
            before(days=20).replace(tzinfo=UTC),
            before(days=20, hours=8).replace(tzinfo=pacific),
            int(stamp),
            stamp + 0.5,
        ]
        for date in dates:
            with self.subTest(date):
                self.assertEqual(english.format_date(date), "June 1 at 3:40 pm")
                self.assertEqual(english.format_day(date), "Wednesday, June 1")
        for wrong in ("2011-06-01", None, NOW.date()):
            with self.subTest(wrong), self.assertRaisesRegex(TypeError, "wanted a datetime or seconds"):
                english.format_date(wrong)  # type: ignore[arg-type]

    def test_days(self) -> None:
        rows: list[tuple[str, dict[str, Any], str]] = [
            ("en_US", {}, "Wednesday, June 1"),
            ("en_US", {"dow": False}, "June 1"),
            ("en_US", {"gmt_offset": 960}, "Tuesday, May 31"),
            ("es", {"dow": False}, "1 de junio"),
        ]
        for code, keywords, text in rows:
            with self.subTest(code, keywords=keywords):
                self.assertEqual(Locale.get(code).format_day(before(days=20), **keywords), text)

    def test_now(self) -> None:
        with unittest.mock.patch.object(module, "_utcnow", REAL_CLOCK):
            for now in (datetime.datetime.now(UTC), REAL_CLOCK()):
                self.assertRegex(module.get().format_date(now), r"^\d+ seconds? ago$")


class WordsTest(LocaleTestCase):
    def test_lists(self) -> None:
        self.load("fa", "fa_IR", "far", es=SPANISH)
        rows = [
            ("en_US", [], ""),
            ("en_US", ["A"], "A"),
            ("en_US", ["A", "B"], "A and B"),
            ("en_US", ["A", "B", "C", "D"], "A, B, C and D"),
            ("es", ["A", "B", "C"], "A, B y C"),
            ("fa_IR", ["A", "B", "C"], "A \u0648 B and C"),
            ("fa", ["A", "B", "C"], "A \u0648 B and C"),
            ("far", ["A", "B", "C"], "A, B and C"),
        ]
        for code, parts, text in rows:
            with self.subTest(code, parts=parts):
                self.assertEqual(Locale.get(code).list(parts), text)
                self.assertEqual(Locale.get(code).list(iter(parts)), text)

    def test_numbers(self) -> None:
        self.load("en", "de")
        rows = [
            ("en_US", 0, "0"),
            ("en_US", 999, "999"),
            ("en_US", 1000, "1,000"),
            ("en_US", 1234567, "1,234,567"),
            ("en_US", -123456, "-123,456"),
            ("en", 1000, "1,000"),
            ("de", 1234567, "1234567"),
        ]
        for code, number, text in rows:
            with self.subTest(code, number=number):
                self.assertEqual(Locale.get(code).friendly_number(number), text)

    def test_names(self) -> None:
        self.assertEqual(len(LOCALE_NAMES), 62)
        for code, names in LOCALE_NAMES.items():
            with self.subTest(code):
                self.assertRegex(code, "^[a-z]{2}_[A-Z]{2}$")
                self.assertEqual(set(names), {"name", "name_en"})
                self.assertRegex(names["name_en"], r"^[A-Z][a-z]+( \([A-Za-z]+\))?$")
                self.assertEqual(names["name"].strip(), names["name"])
                self.assertTrue(names["name"])
        self.assertEqual(LOCALE_NAMES["es_LA"], {"name_en": "Spanish", "name": "Espa\xf1ol"})
        self.assertEqual(LOCALE_NAMES["zh_TW"]["name_en"], "Chinese (Traditional)")

    def test_attributes(self) -> None:
        rows = [  # code, name, from right to left
            ("en_US", "English (US)", False),
            ("de_DE", "Deutsch", False),
            ("de", "Unknown", False),
            ("ar_AR", "\u0627\u0644\u0639\u0631\u0628\u064a\u0629", True),
            ("fa", "Unknown", True),
            ("he_IL", "\u05e2\u05d1\u05e8\u05d9\u05ea", True),
            ("ur_PK", "Unknown", True),
            ("arn_CL", "Unknown", False),
        ]
        self.load(*(code for code, _, _ in rows))
        for code, name, rtl in rows:
            with self.subTest(code):
                locale = Locale.get(code)
                self.assertEqual((locale.code, locale.name, locale.rtl), (code, name, rtl))
                self.assertEqual(locale.translations, {})

    def test_one_of_their_own(self) -> None:
        """Programs make their own kinds of locale, which get all the rest from here."""

        class Shouting(Locale):
            def translate(
                self, message: str, plural_message: str | None = None, count: int | None = None
            ) -> str:
                return (plural_message or message).replace("ago", "AGO")

        self.assertEqual(Shouting("en_US", None).format_date(before(minutes=5)), "5 minutes AGO")
        with self.assertRaisesRegex(NotImplementedError, "Locale has no translate"):
            Locale("en_US", {}).translate("Sign in")

    def test_doctests(self) -> None:
        failed, attempted = doctest.testmod(module)
        self.assertEqual(failed, 0)
        self.assertGreater(attempted, 2)


if __name__ == "__main__":
    unittest.main()

"""Locales: translated texts, and dates, lists and numbers as people write them.

Translations lie in CSV files, one for each locale, or in the folders that gettext's tools make::

    tornado.locale.load_translations("/srv/site/translations")         # es_GT.csv, fr_CA.csv, ...
    user_locale = tornado.locale.get("es-GT", "en")
    print(user_locale.translate("Sign out"))

A row of a CSV file has a text, its translation and, if it has a plural, "singular" or "plural"::

    "I love you","Te amo"
    "%(name)s liked this","A %(name)s le gustó esto","singular"
    "%(name)s liked this","A %(name)s les gustó esto","plural"

Handlers have the locale of their user as ``self.locale``, templates as ``locale``, with ``_`` for its
`Locale.translate`.  What is not translated stays as it is, so that a program without any translation loaded
runs in the language it was written in.
"""

import csv
import datetime
import gettext
import logging
import os
import re
from collections.abc import Iterable
from typing import Any

from tornado.util import UsageError, UsageTypeError

log = logging.getLogger(__name__)

MAX_LANGUAGES = 50  # of an Accept-Language header, the rest is ignored; browsers send up to ten

# -- loading --

_default_locale = "en_US"
_translations: dict[str, Any] = {}  # by code: what the constructor of a CSVLocale or GettextLocale takes
_supported_locales = frozenset([_default_locale])
_use_gettext = False
_locales: dict[str, "Locale"] = {}  # by code, those made so far; emptied when anything above changes

# Language, script and country, as in es, es_GT, es_419, zh_Hant_TW.
_FILE_CODE = re.compile(r"[a-z]+(?:_[A-Z][a-z]{3})?(?:_(?:[A-Z]+|[0-9]{3}))?")
_ANY_CODE = re.compile(r"([A-Za-z]{2,8})(?:_([A-Za-z]{4}))?(?:_([A-Za-z]{2,3}|[0-9]{3}))?")

_INDICATORS = {"": "unknown", "unknown": "unknown", "singular": "singular", "plural": "plural"}


def get(*locale_codes: str | None) -> "Locale":
    """Return the `Locale` that is closest to the first of *locale_codes* that has one, else the default.

    See `Locale.get_closest`.
    """
    return Locale.get_closest(*locale_codes)


def set_default_locale(code: str) -> None:
    """Set the locale of the texts in the program, ``en_US`` to begin with.

    It is what `get` returns when nothing closer is there, and is supported without any translation.
    """
    global _default_locale
    _default_locale = code
    _use(_translations, _use_gettext)


def load_translations(directory: str | os.PathLike[str]) -> None:
    """Load the translations in *directory*, from files such as ``es.csv`` and ``es_GT.csv``, in UTF-8.

    They replace all that were loaded before.  Cells are stripped; the third is ``plural``, ``singular``, or
    ``unknown`` and empty for a text without plural.  A row that is none is logged with its file and line and
    left out, as is a file whose name is no locale.  Raises OSError if *directory* or a file cannot be read.
    """
    translations = {}
    for name in sorted(os.listdir(directory)):
        code, extension = os.path.splitext(name)
        if extension != ".csv" or name.startswith("."):
            continue
        path = os.path.join(directory, name)
        if _FILE_CODE.fullmatch(code):
            translations[code] = _read_csv(path)
        else:
            log.error(
                "%s is left out: %r is no locale, wanted a name such as es.csv or es_GT.csv", path, code
            )
    _use(translations, use_gettext=False)


def load_gettext_translations(directory: str | os.PathLike[str], domain: str) -> None:
    """Load the translations that gettext's tools made, from ``<directory>/<locale>/LC_MESSAGES/<domain>.mo``.

    They replace all that were loaded before.  What ``es_GT`` does not translate is looked up in ``es``.  A
    locale whose file is missing or damaged is logged and left out.  Raises OSError if *directory* cannot be
    read.
    """
    translations: dict[str, gettext.GNUTranslations] = {}
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        if name.startswith(".") or os.path.isfile(path):
            continue
        path = os.path.join(path, "LC_MESSAGES", f"{domain}.mo")
        try:
            # Not gettext.translation(), which never looks again at a path it has read.
            with open(path, "rb") as file:
                translations[name.replace("-", "_")] = gettext.GNUTranslations(file)
        except Exception as error:  # a damaged file leads to nearly any
            log.error("%s is left out: %s", path, error)
    for code, catalog in translations.items():
        language = code.partition("_")[0]
        if language != code and language in translations:
            catalog.add_fallback(translations[language])
    _use(translations, use_gettext=True)


def get_supported_locales(cls: object = None) -> frozenset[str]:
    """Return the codes of all locales: those with translations loaded, and the default.

    *cls* is ignored; 2.0 asked for it.
    """
    return _supported_locales


def _use(translations: dict[str, Any], use_gettext: bool) -> None:
    global _translations, _supported_locales, _use_gettext
    _translations, _use_gettext = translations, use_gettext
    _supported_locales = frozenset([*translations, _default_locale])
    _locales.clear()
    log.info("Supported locales: %s", ", ".join(sorted(_supported_locales)))


def _read_csv(path: str) -> dict[str, dict[str, str]]:
    """Return text -> translation for each indicator."""
    found: dict[str, dict[str, str]] = {}
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        rows = csv.reader(file, strict=True)
        while True:
            line = rows.line_num + 1
            try:
                row = [cell.strip() for cell in next(rows)]
                fault = _row_fault(row)
            except StopIteration:
                return found
            except csv.Error as error:
                fault = str(error)
            if fault:
                log.error("%s:%d: %s; the row is left out", path, line, fault)
            elif len(row) > 1:
                indicator = _INDICATORS[row[2] if len(row) > 2 else ""]
                found.setdefault(indicator, {})[row[0]] = row[1]


def _row_fault(row: list[str]) -> str | None:
    """Return what is wrong with *row*; nothing is with an empty one."""
    if any("\udc80" <= char <= "\udcff" for cell in row for char in cell):
        return "not UTF-8"
    if len(row) == 1 and row[0]:
        return f"no translation of {row[0]!r}, wanted two or three columns"
    if len(row) > 2 and row[2] not in _INDICATORS:
        return f"third column is {row[2]!r}, wanted 'plural', 'singular', or nothing"
    return None


# -- choosing --


def _closest(code: str | None) -> str | None:
    """Return the supported locale that is closest to *code*, None if none is close."""
    if not code:
        return None
    code = code.replace("-", "_")
    if code in _supported_locales:
        return code
    parts = _ANY_CODE.fullmatch(code)
    if parts is None:
        return None
    language, script, country = parts[1].lower(), (parts[2] or "").title(), (parts[3] or "").upper()
    for some in ((language, script, country), (language, country), (language, script), (language,)):
        joined = "_".join(filter(None, some))
        if joined in _supported_locales:
            return joined
    return None if script or country else _of_language(language)


def _of_language(language: str) -> str | None:
    """Return the supported locale for whoever speaks *language* somewhere.

    That is the default, else the one of the country of the same name (de_DE), else the first.
    """
    codes = sorted(code for code in _supported_locales if code.startswith(f"{language}_"))
    for code in (_default_locale, f"{language}_{language.upper()}"):
        if code in codes:
            return code
    return codes[0] if codes else None


_LANGUAGE_RANGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*+")
_WEIGHT = re.compile(r"0(?:\.[0-9]*+)?|1(?:\.0*+)?|\.[0-9]++")


def _parse_accept_language(value: str) -> list[str]:
    """Return the languages of an Accept-Language header, the most wanted first (RFC 9110, 12.5.4).

    Those not wanted, with a weight of 0, and the wildcard are left out; those with a weight that is none
    come last.  Languages after the first `MAX_LANGUAGES` are ignored.

    >>> _parse_accept_language("da, en;q=0.5, en-GB;q=0.8, no;q=0, *;q=0.1")
    ['da', 'en-GB', 'en']
    """
    weighted = []
    for item in value.split(",", MAX_LANGUAGES)[:MAX_LANGUAGES]:
        language, *parameters = [part.strip(" \t") for part in item.split(";")]
        weight = _weight(parameters)
        if weight is not None and _LANGUAGE_RANGE.fullmatch(language):
            weighted.append((weight, language))
    weighted.sort(key=lambda pair: pair[0], reverse=True)  # the order of equals stays
    return [language for _, language in weighted]


def _weight(parameters: list[str]) -> float | None:
    """Return the weight among *parameters*: 0 if it is none, None if it says that it is 0."""
    for parameter in parameters:
        name, _, value = (part.strip(" \t") for part in parameter.partition("="))
        if name in ("q", "Q"):
            return (float(value) or None) if _WEIGHT.fullmatch(value) else 0.0
    return 1.0


# -- a locale --

_DAY = datetime.timedelta(days=1)
_SKEW = datetime.timedelta(minutes=1)  # how far ahead a date may be and still be now: clocks differ

_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

_RIGHT_TO_LEFT = frozenset(["ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"])


class Locale:
    """One locale: translates, and formats dates, lists and numbers.

    `code` is its name as in ``en_US``, `name` that of its language in the language itself, "Unknown" if it is
    not in `LOCALE_NAMES`, `rtl` whether it is written from right to left, `translations` what was loaded.

    There is one object for each code, from `get`; a new one after translations are loaded.
    """

    def __init__(self, code: str, translations: Any) -> None:
        self.code = code
        self.name = LOCALE_NAMES.get(code, {}).get("name", "Unknown")
        self._language = code.partition("_")[0]
        self.rtl = self._language in _RIGHT_TO_LEFT
        self.translations = translations

    @classmethod
    def get_closest(cls, *locale_codes: str | None) -> "Locale":
        """Return the locale that is closest to the first of *locale_codes* that has one, else the default.

        For ``es-GT`` that is ``es_GT``, else ``es``; for ``de`` it is ``de``, else one like ``de_DE``.
        Letter case, and ``-`` or ``_``, do not matter; what is no code, or None, is passed over.
        """
        for code in locale_codes:
            closest = _closest(code)
            if closest is not None:
                return cls.get(closest)
        return cls.get(_default_locale)

    @classmethod
    def get(cls, code: str) -> "Locale":
        """Return the locale *code*, which has to be one of `get_supported_locales` (else `UsageError`)."""
        locale = _locales.get(code)
        if locale is not None:
            return locale
        if code not in _supported_locales:
            raise UsageError(
                f"locale {code!r} is not supported: load translations for it, or take what is closest to it"
                " with tornado.locale.get()"
            )
        translations = _translations.get(code)
        if translations is None:
            locale = CSVLocale(code, {})
        else:
            locale = (GettextLocale if _use_gettext else CSVLocale)(code, translations)
        _locales[code] = locale
        return locale

    def translate(self, message: str, plural_message: str | None = None, count: int | None = None) -> str:
        """Return the translation of *message*, or *message* itself if there is none.

        With *plural_message* it is that of the form that *count* things have; *count* is required then, and
        `UsageTypeError` is raised without.
        """
        raise NotImplementedError(f"{type(self).__name__} has no translate(): use CSVLocale or GettextLocale")

    # -- dates --

    def format_date(
        self,
        date: datetime.datetime | float,
        gmt_offset: float = 0,
        relative: bool = True,
        shorter: bool = False,
        full_format: bool = False,
    ) -> str:
        """Return *date*, seconds since the epoch or a datetime (in UTC, if it is naive), as people say it.

        *gmt_offset* is how many minutes the reader's clock is behind UTC, 480 for Pacific Standard Time.

        With *relative* (which Russian never is) dates of the last 24 hours are "2 minutes ago"; a date less
        than a minute ahead is now.  Older dates are "yesterday at 3:40 pm", "Sunday at 3:40 pm", "July 10 at
        3:40 pm" and "July 10, 1980 at 3:40 pm"; *shorter* leaves the time out.  Dates ahead, and all with
        *full_format*, are in the last form.  Raises TypeError if *date* is anything else.
        """
        moment, now = _naive_utc(date), _utcnow()
        relative = relative and self._language != "ru"
        if moment > now:
            if relative and moment - now <= _SKEW:
                moment = now
            else:
                full_format = True
        age = now - moment
        if relative and age < _DAY and not full_format:
            return self._ago(age.seconds)
        offset = datetime.timedelta(minutes=gmt_offset)
        if full_format:
            text = "%(month_name)s %(day)s, %(year)s"
        else:
            was_yesterday = (moment - offset).date() == (now - offset - _DAY).date()
            text = _date_text(age, relative and was_yesterday)
        if not shorter and "%(time)s" not in text:
            text += " at %(time)s"
        return self._filled(text, moment - offset)

    def format_day(self, date: datetime.datetime | float, gmt_offset: float = 0, dow: bool = True) -> str:
        """Return the day of *date* as "Monday, January 22", or "January 22" if not *dow*.

        *date* and *gmt_offset* are as in `format_date`.
        """
        text = "%(weekday)s, %(month_name)s %(day)s" if dow else "%(month_name)s %(day)s"
        return self._filled(text, _naive_utc(date) - datetime.timedelta(minutes=gmt_offset))

    def _ago(self, seconds: int) -> str:
        if seconds < 50:
            text = self.translate("1 second ago", "%(seconds)d seconds ago", seconds)
            return text % {"seconds": seconds}
        if seconds < 50 * 60:
            minutes = (seconds + 30) // 60
            return self.translate("1 minute ago", "%(minutes)d minutes ago", minutes) % {"minutes": minutes}
        hours = (seconds + 30 * 60) // 3600
        return self.translate("1 hour ago", "%(hours)d hours ago", hours) % {"hours": hours}

    def _filled(self, text: str, local: datetime.datetime) -> str:
        return self.translate(text) % {
            "month_name": self.translate(_MONTHS[local.month - 1]),
            "weekday": self.translate(_WEEKDAYS[local.weekday()]),
            "day": str(local.day),
            "year": str(local.year),
            "time": self._clock(local.hour, local.minute),
        }

    def _clock(self, hour: int, minute: int) -> str:
        if self.code in ("en", "en_US"):
            return f"{hour % 12 or 12}:{minute:02} {'am' if hour < 12 else 'pm'}"
        if self.code == "zh_CN":
            return f"{'上午' if hour < 12 else '下午'}{hour % 12 or 12}:{minute:02}"
        return f"{hour}:{minute:02}"

    # -- lists and numbers --

    def list(self, parts: Iterable[str]) -> str:
        """Return *parts* as "A, B and C", "A and B", "A", or "" for none.

        >>> get("en_US").list(["Ada", "Grace", "Margaret"])
        'Ada, Grace and Margaret'
        """
        *others, last = [*parts] or [""]
        if not others:
            return last
        comma = " \u0648 " if self._language == "fa" else ", "
        return self.translate("%(commas)s and %(last)s") % {"commas": comma.join(others), "last": last}

    def friendly_number(self, value: int) -> str:
        """Return *value* with commas between its thousands where English is written, else its plain digits.

        >>> get("en_US").friendly_number(1234567)
        '1,234,567'
        """
        return f"{value:,}" if self.code in ("en", "en_US") else str(value)


class CSVLocale(Locale):
    """A locale of `load_translations`: `translations` has a dict for each of the indicators."""

    def translate(self, message: str, plural_message: str | None = None, count: int | None = None) -> str:
        """Return the translation; see `Locale.translate`.  Every *count* but 1 has the plural form."""
        indicator = "unknown"
        if plural_message is not None:
            _require_count(plural_message, count)
            indicator = "singular" if count == 1 else "plural"
            message = message if count == 1 else plural_message
        texts: dict[str, str] = self.translations.get(indicator, {})
        return texts.get(message, message)


class GettextLocale(Locale):
    """A locale of `load_gettext_translations`: `translations` is a `gettext.NullTranslations`."""

    def __init__(self, code: str, translations: gettext.NullTranslations) -> None:
        self.gettext = translations.gettext
        self.ngettext = translations.ngettext
        super().__init__(code, translations)

    def translate(self, message: str, plural_message: str | None = None, count: int | None = None) -> str:
        """Return the translation; see `Locale.translate`.  Its language may have any number of forms."""
        if plural_message is None:
            return self.gettext(message)
        return self.ngettext(message, plural_message, _require_count(plural_message, count))


def _require_count(plural_message: str, count: int | None) -> int:
    if count is None:
        raise UsageTypeError(
            f"translate() got the plural {plural_message!r} without count: pass count=<number>"
        )
    return count


def _utcnow() -> datetime.datetime:
    """Return the present, naive and in UTC.  Tests replace this."""
    return _naive_utc(datetime.datetime.now(datetime.UTC))


def _naive_utc(date: datetime.datetime | float) -> datetime.datetime:
    if isinstance(date, (int, float)):
        date = datetime.datetime.fromtimestamp(date, datetime.UTC)
    elif not isinstance(date, datetime.datetime):
        raise TypeError(f"got the date {date!r}, wanted a datetime or seconds since the epoch")
    return date if date.tzinfo is None else date.astimezone(datetime.UTC).replace(tzinfo=None)


def _date_text(age: datetime.timedelta, was_yesterday: bool) -> str:
    """Return the form of a date that is *age* old."""
    if age < _DAY:
        return "%(time)s"
    if age < 2 * _DAY and was_yesterday:
        return "yesterday"
    if age < 5 * _DAY:
        return "%(weekday)s"
    if age < 334 * _DAY:  # 11 months: from then on the year would be in doubt
        return "%(month_name)s %(day)s"
    return "%(month_name)s %(day)s, %(year)s"


# -- names --

_NAMES = """
af_ZA Afrikaans = Afrikaans
am_ET Amharic = አማርኛ
ar_AR Arabic = العربية
bg_BG Bulgarian = Български
bn_IN Bengali = বাংলা
bs_BA Bosnian = Bosanski
ca_ES Catalan = Català
cs_CZ Czech = Čeština
cy_GB Welsh = Cymraeg
da_DK Danish = Dansk
de_DE German = Deutsch
el_GR Greek = Ελληνικά
en_GB English (UK) = English (UK)
en_US English (US) = English (US)
es_ES Spanish (Spain) = Español (España)
es_LA Spanish = Español
et_EE Estonian = Eesti
eu_ES Basque = Euskara
fa_IR Persian = فارسی
fi_FI Finnish = Suomi
fr_CA French (Canada) = Français (Canada)
fr_FR French = Français
ga_IE Irish = Gaeilge
gl_ES Galician = Galego
he_IL Hebrew = עברית
hi_IN Hindi = हिन्दी
hr_HR Croatian = Hrvatski
hu_HU Hungarian = Magyar
id_ID Indonesian = Bahasa Indonesia
is_IS Icelandic = Íslenska
it_IT Italian = Italiano
ja_JP Japanese = 日本語
ko_KR Korean = 한국어
lt_LT Lithuanian = Lietuvių
lv_LV Latvian = Latviešu
mk_MK Macedonian = Македонски
ml_IN Malayalam = മലയാളം
ms_MY Malay = Bahasa Melayu
nb_NO Norwegian (bokmal) = Norsk (bokmål)
nl_NL Dutch = Nederlands
nn_NO Norwegian (nynorsk) = Norsk (nynorsk)
pa_IN Punjabi = ਪੰਜਾਬੀ
pl_PL Polish = Polski
pt_BR Portuguese (Brazil) = Português (Brasil)
pt_PT Portuguese (Portugal) = Português (Portugal)
ro_RO Romanian = Română
ru_RU Russian = Русский
sk_SK Slovak = Slovenčina
sl_SI Slovenian = Slovenščina
sq_AL Albanian = Shqip
sr_RS Serbian = Српски
sv_SE Swedish = Svenska
sw_KE Swahili = Kiswahili
ta_IN Tamil = தமிழ்
te_IN Telugu = తెలుగు
th_TH Thai = ภาษาไทย
tl_PH Filipino = Filipino
tr_TR Turkish = Türkçe
uk_UA Ukrainian = Українська
vi_VN Vietnamese = Tiếng Việt
zh_CN Chinese (Simplified) = 中文(简体)
zh_TW Chinese (Traditional) = 中文(繁體)
"""


def _names_of(line: str) -> dict[str, str]:
    english, _, native = line[6:].partition(" = ")
    return {"name_en": english, "name": native}


LOCALE_NAMES: dict[str, dict[str, str]] = {line[:5]: _names_of(line) for line in _NAMES.split("\n")[1:-1]}
"""For the code of a locale, its name in English as ``name_en`` and in its own language as ``name``.

Other locales can be loaded as well; they are of unknown name.
"""

"""The words of HTTP without a request: header fields, forms, dates, entity tags, URLs.

    >>> headers = HTTPHeaders({"content-type": "text/html"})
    >>> headers.add("Vary", "Accept")
    >>> headers.add("vary", "Cookie")
    >>> headers["VARY"], headers.get_list("Vary")
    ('Accept,Cookie', ['Accept', 'Cookie'])
    >>> url_concat("/search?q=owl#top", {"page": 2})
    '/search?q=owl&page=2#top'

Nothing here knows a socket or a handler.  Heads and bodies are read in `tornado.wire.http1`, forms in
`tornado.wire.multipart`, cookies in `tornado.wire.cookies`.
"""

import calendar
import datetime
import logging
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload
from urllib.parse import quote as url_quote
from urllib.parse import unquote, urlencode, urljoin

from tornado.escape import utf8
from tornado.util import ObjectDict
from tornado.wire import WireError, quote
from tornado.wire.multipart import (
    parse_media_type,
    parse_multipart,
    parse_multipart_leniently,
    parse_urlencoded,
)

if TYPE_CHECKING:
    import unittest
    from _collections_abc import dict_items, dict_values

T = TypeVar("T")

log = logging.getLogger(__name__)

# -- header fields --

MAX_CACHED_NAMES = 1000  # spellings of field names whose normal form is remembered; programs use about fifty
MAX_CACHED_NAME = 64  # characters; longer names are not worth keeping, and cost memory if a peer invents them

MAX_FOLDED = 64 * 1024  # characters of a value in several lines; its text is copied for each of them

_FIELD = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]++):[ \t]*+([^\x00-\x08\x0a-\x1f\x7f]*+)")
_FOLD = re.compile(r"\r?\n[ \t]++")
_CONTINUATION = re.compile(r"[ \t]++([^\x00-\x08\x0a-\x1f\x7f]*+)")

_join = ",".join


class _Names(dict[str, str]):
    """Field name in any spelling -> its normal form; bounded, since peers choose the names."""

    def __missing__(self, name: str) -> str:
        if not isinstance(name, str):
            raise TypeError(f"a header name is a str, got {name!r}: decode it as latin-1")
        # Only ASCII has case here: str.capitalize would turn the Kelvin sign into a "k".
        normal = "-".join([word.capitalize() for word in name.split("-")]) if name.isascii() else name
        if len(name) <= MAX_CACHED_NAME:
            if len(self) >= MAX_CACHED_NAMES:
                self.clear()  # rather than to stay full: else one peer could pin its inventions for good
            self[name] = normal
        return normal


_NAMES = _Names()


class HTTPHeaders(dict[str, str]):
    """A dict of header fields: str names in any letter case, str values, each name possibly several times.

    >>> headers = HTTPHeaders.parse("Set-Cookie: a=1\\r\\nSet-Cookie: b=2\\r\\nContent-Length: 7\\r\\n")
    >>> headers["content-length"]
    '7'
    >>> list(headers.get_all())
    [('Set-Cookie', 'a=1'), ('Set-Cookie', 'b=2'), ('Content-Length', '7')]

    Names are kept and shown with each word between dashes capitalised.  What dict can do reads the values
    of a name joined with ``","`` (RFC 9110, 5.3) and replaces them all; `add`, `get_list` and `get_all`
    treat them one by one.  The constructor and `update` take what dict takes; from another HTTPHeaders they
    take all values of a name.  Once a name came twice, `items` and `values` show the moment they were called.
    """

    # The dict has the normal name and the value.  _lists has those names only that came more than once, each
    # with two values or more; what the dict holds for them is never shown, and joined only when it is asked
    # for: thus n calls of `add` are linear, and the common case costs no more than a dict.
    __slots__ = ("_lists",)

    _lists: dict[str, list[str]] | None

    def __init__(self, *args: Any, **kwargs: str) -> None:
        self._lists = None
        if args or kwargs:
            self.update(*args, **kwargs)

    @classmethod
    def _adopt(cls, values: dict[str, str], lists: dict[str, list[str]] | None) -> Self:
        """Return headers with a copy of *values* and with *lists* itself, as the storage described above.

        Nothing is checked: names are in normal form, each name of *lists* is in *values* too.
        """
        headers = cls.__new__(cls)
        dict.update(headers, values)
        headers._lists = lists
        return headers

    # -- several values --

    def add(self, name: str, value: str) -> None:
        """Add *value* to the values of *name*."""
        name = _NAMES[name]
        if not dict.__contains__(self, name):
            dict.__setitem__(self, name, value)
            return
        if self._lists is None:
            self._lists = {}
        values = self._lists.get(name)
        if values is None:
            self._lists[name] = [dict.__getitem__(self, name), value]
        else:
            values.append(value)

    def get_list(self, name: str) -> list[str]:
        """Return a new list of the values of *name*, empty if there are none."""
        name = _NAMES[name]
        if self._lists is not None and name in self._lists:
            return self._lists[name].copy()
        return [dict.__getitem__(self, name)] if dict.__contains__(self, name) else []

    def get_all(self) -> Iterator[tuple[str, str]]:
        """Yield (name, value) for every value; those of one name follow each other."""
        lists = self._lists or {}
        for name, value in dict.items(self):
            if name in lists:
                for each in lists[name]:
                    yield name, each
            else:
                yield name, value

    # -- text --

    def parse_line(self, line: str) -> None:
        """Add the field of *line*, ``"Name: value"``, with or without a line end.

        A line that starts with a space or tab continues the value of the line before (RFC 9112, 5.2).
        Raises ValueError if it is neither, or has control characters (RFC 9110, 5.5).
        """
        line = line.removesuffix("\n").removesuffix("\r")
        if field := _FIELD.fullmatch(line):
            name = _NAMES[field[1]]
            self.add(name, field[2].rstrip(" \t"))
            # To the end of the dict: a line that continues this one finds it there.
            dict.__setitem__(self, name, dict.pop(self, name))
        elif (more := _CONTINUATION.fullmatch(line)) and self:
            self._continue(more[1].rstrip(" \t"))
        else:
            raise ValueError(f"not a header line: {quote(line)}; write 'Name: value'")

    def _continue(self, text: str) -> None:
        """Add *text* to the value that came last."""
        name = next(reversed(self))
        values = self._lists and self._lists.get(name)
        value = f"{values[-1] if values else dict.__getitem__(self, name)} {text}".strip(" ")
        if len(value) > MAX_FOLDED:
            raise ValueError(f"header {quote(name)} has over {MAX_FOLDED} characters in several lines")
        if values:
            values[-1] = value
        else:
            dict.__setitem__(self, name, value)

    @classmethod
    def parse(cls, headers: str) -> Self:
        """Return the fields of the text *headers*, lines that end with CRLF or LF.

        Empty lines are skipped.  Raises ValueError as `parse_line` does.
        """
        parsed = cls()
        for line in _FOLD.sub(" ", headers).split("\n"):
            if line not in ("", "\r"):
                parsed.parse_line(line)
        return parsed

    # -- dict --

    def __setitem__(self, name: str, value: str) -> None:
        name = _NAMES[name]
        dict.__setitem__(self, name, value)
        if self._lists is not None:
            self._forget(name)

    def __getitem__(self, name: str) -> str:
        name = _NAMES[name]
        if self._lists is not None and name in self._lists:
            return _join(self._lists[name])
        return dict.__getitem__(self, name)

    def __delitem__(self, name: str) -> None:
        name = _NAMES[name]
        dict.__delitem__(self, name)
        if self._lists is not None:
            self._forget(name)

    def _forget(self, name: str) -> None:
        """Note that *name* no longer has several values."""
        if self._lists is not None:
            self._lists.pop(name, None)
            self._lists = self._lists or None

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and dict.__contains__(self, _NAMES[name])

    def __iter__(self) -> Iterator[str]:
        # Without this method dict(headers) and {**headers} would copy the storage, past `__getitem__`.
        return dict.__iter__(self)

    @overload
    def get(self, name: str, default: None = None) -> str | None: ...
    @overload
    def get(self, name: str, default: T) -> str | T: ...
    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of *name*, *default* if there is none."""
        name = _NAMES[name]
        if self._lists is not None and name in self._lists:
            return _join(self._lists[name])
        return dict.get(self, name, default)

    def setdefault(self, name: str, default: str = "") -> str:
        """Return the value of *name*; set it to *default* first if there is none."""
        if name not in self:
            self[name] = default
        return self[name]

    def pop(self, name: str, *default: Any) -> Any:
        """Remove *name* and return its value; if there is none, return *default* or raise KeyError."""
        if name not in self:
            return dict.pop(self, _NAMES[name], *default)
        value = self[name]
        del self[name]
        return value

    def popitem(self) -> tuple[str, str]:
        """Remove and return the last (name, value); raise KeyError if there is none."""
        name = next(reversed(self), "")
        return name, self.pop(name)

    def clear(self) -> None:
        """Remove all fields."""
        dict.clear(self)
        self._lists = None

    def items(self) -> "dict_items[str, str]":
        """Return the names with their values, those of a name joined."""
        return dict.items(self) if self._lists is None else dict(self).items()

    def values(self) -> "dict_values[str, str]":
        """Return the values, those of a name joined."""
        return dict.values(self) if self._lists is None else dict(self).values()

    def update(self, *args: Any, **kwargs: str) -> None:
        """Set the fields of a mapping, of an iterable of pairs, or given as keywords."""
        if len(args) == 1 and isinstance(args[0], HTTPHeaders):
            self._take(args[0])
            args = ()
        for name, value in dict(*args, **kwargs).items():
            self[name] = value

    def _take(self, other: "HTTPHeaders") -> None:
        """Set the fields of *other*, with all values of each name."""
        lists = {name: values for name, values in (self._lists or {}).items() if name not in other}
        for name, value in dict.items(other):
            dict.__setitem__(self, name, value)
        for name, values in (other._lists or {}).items():
            lists[name] = values.copy()
        self._lists = lists or None

    def copy(self) -> Self:
        """Return headers of the same class with the same fields."""
        return self._adopt(*self._storage())

    def _storage(self) -> tuple[dict[str, str], dict[str, list[str]] | None]:
        """Return a copy of the storage, as `_adopt` takes it."""
        lists = self._lists and {name: values.copy() for name, values in self._lists.items()}
        return dict(dict.items(self)), lists

    def __reduce__(self) -> tuple[Any, ...]:
        # For pickle and copy; the last is what a subclass may have set as attributes.
        return self._adopt, self._storage(), getattr(self, "__dict__", None)

    def __eq__(self, other: object) -> bool:
        return dict(self) == (dict(other) if isinstance(other, HTTPHeaders) else other)

    def __ne__(self, other: object) -> bool:  # dict has its own, which would compare the storage
        return not self == other

    def __or__(self, other: Any) -> Self:  # type: ignore[override]  # names and values are str, not any type
        if not isinstance(other, dict):
            return NotImplemented
        both = self.copy()
        both.update(other)
        return both

    def __ior__(self, other: Any) -> Self:  # type: ignore[override]  # as `__or__`
        self.update(other)
        return self

    def __repr__(self) -> str:
        return repr(dict(self))


# -- URLs --


def url_concat(url: str, args: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> str:
    """Return *url* with *args*, a mapping or pairs, added to its query.

    Values are str, bytes or what `str` makes text of; str is sent as UTF-8.  Without *args* the result is
    *url* itself.

    >>> url_concat("http://example.com/?a=1", [("b", "x y"), ("b", "&")])
    'http://example.com/?a=1&b=x+y&b=%26'
    """
    query = urlencode(args if isinstance(args, Mapping) else list(args))
    if not query:
        return url
    base, hash_sign, fragment = url.partition("#")
    if "?" not in base:
        base += "?"
    elif not base.endswith(("?", "&")):
        base += "&"
    return f"{base}{query}{hash_sign}{fragment}"


# -- forms --


class HTTPFile(ObjectDict):
    """An uploaded file: ``filename`` and ``content_type`` as the client gave them, ``body`` in bytes.

    The entries of a dict and attributes alike.  The file name is data, not a path: see `safe_filename`.
    """

    filename: str
    content_type: str
    body: bytes


def parse_body_arguments(
    content_type: str,
    body: bytes,
    arguments: dict[str, list[bytes]],
    files: dict[str, list[HTTPFile]],
) -> None:
    """Add the fields of the form *body* to *arguments* and its files to *files*.

    *content_type* is the value of the request's header; other types than the two of HTML forms add nothing.
    A malformed form, or one over the limits of `tornado.wire.multipart`, logs one warning and adds nothing.
    """
    kind, parameters = parse_media_type(content_type)
    if kind == "application/x-www-form-urlencoded":
        try:
            fields = parse_urlencoded(body)
        except WireError as error:
            log.warning("Ignored a form: %s", error)
            return
        for name, values in fields.items():
            arguments.setdefault(name, []).extend(values)
    elif kind == "multipart/form-data":
        parse_multipart_form_data(utf8(parameters.get("boundary", "")), body, arguments, files)


def _read_form(
    content_type: str, body: bytes, arguments: dict[str, list[bytes]], files: dict[str, list[HTTPFile]]
) -> None:
    """Add what a form *body* holds to *arguments* and *files*.  Raises `WireError` for a bad one."""
    media_type, parameters = parse_media_type(content_type)
    if media_type == "application/x-www-form-urlencoded":
        for name, values in parse_urlencoded(body).items():
            arguments.setdefault(name, []).extend(values)
    elif media_type == "multipart/form-data":
        boundary = parameters.get("boundary")
        if boundary is None:
            raise WireError("multipart/form-data without a boundary")
        for part in parse_multipart(boundary.encode("latin-1"), body):
            if part.filename:
                file = HTTPFile(filename=part.filename, body=part.body, content_type=part.content_type)
                files.setdefault(part.name, []).append(file)
            else:
                arguments.setdefault(part.name, []).append(part.body)


def parse_multipart_form_data(
    boundary: bytes,
    data: bytes,
    arguments: dict[str, list[bytes]],
    files: dict[str, list[HTTPFile]],
) -> None:
    """Add the fields and files of the multipart/form-data body *data*; *boundary* may be in quotes.

    Parts that are malformed or over a limit are left out; a body without delimiters or with too many parts
    adds nothing.  Either logs one warning.  A part with an empty file name is a field; a file without a type
    is ``application/unknown``.
    """
    if boundary[:1] == b'"' == boundary[-1:]:
        boundary = boundary[1:-1]
    try:
        parts, bad = parse_multipart_leniently(boundary, data)
    except WireError as error:
        log.warning("Ignored a form: %s", error)
        return
    if bad:
        log.warning("Left out %d parts of a form: malformed or over a limit", bad)
    for part in parts:
        if part.filename is None:
            arguments.setdefault(part.name, []).append(part.body)
        else:
            file = HTTPFile(filename=part.filename, content_type=part.content_type, body=part.body)
            files.setdefault(part.name, []).append(file)


MAX_FILENAME = 255  # bytes of UTF-8; what Linux file systems take

_DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | {
    f"{port}{number}" for port in ("COM", "LPT") for number in "0123456789\xb9\xb2\xb3"
}


def safe_filename(name: str) -> str:
    """Return *name*, as a client gave it, as a file name that stays in its directory on every system.

    It is the last part of a path, without control and formatting characters, without dots or blanks at its
    ends and characters that Windows reserves, no device of Windows, and of 1 to 255 bytes in UTF-8.  Two
    names may give the same: it does not say whether such a file exists.

    >>> safe_filename("..\\\\up/.profile"), safe_filename("nul.txt"), safe_filename("..")
    ('profile', '_nul.txt', 'unnamed')
    """
    name = name.replace("\\", "/").rpartition("/")[2]
    name = "".join([character for character in name if character.isprintable()])
    name = re.sub(r'[<>:"|?*]', "_", name).strip(". ")
    if name.partition(".")[0].rstrip(" ").upper() in _DEVICES:
        name = "_" + name
    return name.encode()[:MAX_FILENAME].decode(errors="ignore").rstrip(". ") or "unnamed"


# -- dates (RFC 9110, 5.6.7) --

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_DAY, _MONTH = "|".join(_DAYS), "|".join(_MONTHS)
_TIME = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_DATES = (
    re.compile(f"(?:{_DAY}), (?P<day>[0-9]{{2}}) (?P<month>{_MONTH}) (?P<year>[0-9]{{4}}) {_TIME} GMT"),
    re.compile(
        "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day,"
        f" (?P<day>[0-9]{{2}})-(?P<month>{_MONTH})-(?P<year>[0-9]{{2}}) {_TIME} GMT"
    ),
    re.compile(f"(?:{_DAY}) (?P<month>{_MONTH}) (?P<day>[0-9 ][0-9]) {_TIME} (?P<year>[0-9]{{4}})"),
)


def format_timestamp(ts: float | tuple[int, ...] | time.struct_time | datetime.datetime) -> str:
    """Return the moment *ts* as the date of a header, in any locale.

    *ts* is in seconds since the epoch, a time tuple in UTC, or a datetime, in UTC if it is naive.  Fractions
    are cut off.  Raises TypeError for other types, ValueError outside of the years 0 to 9999.

    >>> format_timestamp(784111777)
    'Sun, 06 Nov 1994 08:49:37 GMT'
    """
    if not isinstance(ts, (int, float, tuple, datetime.datetime)):
        raise TypeError(f"got the timestamp {ts!r}: give seconds, a time tuple or a datetime")
    try:
        seconds = ts if isinstance(ts, (int, float)) else _epoch(ts)
        moment = time.gmtime(seconds)
    except (OverflowError, OSError) as error:
        raise ValueError(f"got the timestamp {ts!r}, which no header can say: {error}") from None
    if not 0 <= moment.tm_year <= 9999:
        raise ValueError(f"got a timestamp in the year {moment.tm_year}; a header has four digits for it")
    day, month = _DAYS[moment.tm_wday], _MONTHS[moment.tm_mon - 1]
    clock = f"{moment.tm_hour:02}:{moment.tm_min:02}:{moment.tm_sec:02}"
    return f"{day}, {moment.tm_mday:02} {month} {moment.tm_year:04} {clock} GMT"


def _epoch(ts: tuple[int, ...] | time.struct_time | datetime.datetime) -> int:
    return calendar.timegm(ts.utctimetuple() if isinstance(ts, datetime.datetime) else ts)


def parse_timestamp(text: str) -> datetime.datetime | None:
    """Return the date of a header as a datetime in UTC; None for anything else than a date.

    All three forms are read.  The name of the day is not compared with the date; a year of two digits is the
    one at most 50 years ahead.

    >>> parse_timestamp("Sunday, 06-Nov-94 08:49:37 GMT")
    datetime.datetime(1994, 11, 6, 8, 49, 37, tzinfo=datetime.timezone.utc)
    """
    match = next(filter(None, (form.fullmatch(text) for form in _DATES)), None)
    if not match:
        return None
    year, day, hour, minute, second = (
        int(match[name]) for name in ("year", "day", "hour", "minute", "second")
    )
    rest = (_MONTHS.index(match["month"]) + 1, day, hour, minute)
    if len(match["year"]) == 2:
        year = _full_year(year, *rest, second)
    try:
        # Added, for there is a second 60 when a leap second is inserted.
        moment = datetime.datetime(year, *rest, tzinfo=datetime.UTC) + datetime.timedelta(seconds=second)
    except (ValueError, OverflowError):
        return None
    return moment if second <= 60 else None


def _full_year(year: int, *rest: int) -> int:
    """Return the year of two digits *year* in full; *rest* is the date from the month on."""
    now = time.gmtime()
    year += (now.tm_year // 100 + 1) * 100
    while (year - 50, *rest) > now[:6]:
        year -= 100
    return year


# -- entity tags --

_ETAG = re.compile(r'[ \t]*+(?:(?:W/)?+("[\x21\x23-\x7e\x80-\xff]*+"))?+[ \t]*+(?:,|\Z)')


def etag_matches(header: str, etag: str) -> bool:
    """Say whether *header*, the value of If-None-Match, lists *etag* or is ``*`` (RFC 9110, 13.1.2).

    Tags are quoted; they are compared weakly, ``W/`` left aside.  A malformed list matches nothing.

    >>> etag_matches('"a", W/"b"', '"b"')
    True
    """
    if header.strip(" \t") == "*":
        return True
    etag = etag.removeprefix("W/")
    found = False
    at = 0
    while at < len(header):
        tag = _ETAG.match(header, at)
        if not tag:
            return False
        found = found or tag[1] == etag
        at = tag.end()
    return found


# -- what is written into fields and logs --

MAX_LOGGED = 1024  # characters of a URI in a log

_UNSAFE_IN_LOG = re.compile(r"[^\x20-\x5b\x5d-\x7e]")
_UNSAFE_IN_URL = re.compile(r"[^\x21-\x5b\x5d-\x7e]+")  # a browser takes \ for /
_has_scheme = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:").match


def _location(base: str, url: str) -> str:
    """The Location for *url*, seen from the request target *base*; always ASCII."""
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in url):
        raise ValueError(f"redirect to {quote(url)}: a URL has no control characters")
    if not url.startswith("//") and not _has_scheme(url):
        # Joined by hand on a host of its own: a path that begins with // must not become one.
        joined = urljoin("http://host" + base, url)
        path = joined.removeprefix("http://host")
        url = "/" + path.lstrip("/") if path.startswith("//") else path
    return _UNSAFE_IN_URL.sub(lambda match: url_quote(match.group()), url)


def _loggable(text: str) -> str:
    """*text* on one line of ASCII, cut: what a peer sends must not forge lines nor steer a terminal."""
    text = text if len(text) <= MAX_LOGGED else text[:MAX_LOGGED] + "..."
    return _UNSAFE_IN_LOG.sub(_escape_for_log, text)


def _escape_for_log(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _without_secrets(uri: str, names: tuple[str, ...]) -> str:
    """*uri* without the values of arguments that are named like one of *names*."""
    path, mark, query = uri.partition("?")
    if not mark:
        return uri
    pairs = query.split("&")
    for index, pair in enumerate(pairs):
        name, equals, _ = pair.partition("=")
        if equals:
            decoded = unquote(name).lower()
            if any(secret in decoded for secret in names):
                pairs[index] = name + "=..."
    return path + "?" + "&".join(pairs)


def doctests() -> "unittest.TestSuite":
    """Return the doctests of this module as a test suite."""
    import doctest  # late: it pulls in unittest and the debugger, which no server needs

    return doctest.DocTestSuite(__name__)

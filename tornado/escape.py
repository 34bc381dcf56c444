r"""Text as HTML, JSON and URLs, and between text and bytes.

    >>> xhtml_escape("<b>Tom & Jerry's</b>")
    '&lt;b&gt;Tom &amp; Jerry&#39;s&lt;/b&gt;'
    >>> json_encode({"html": "</script>"})
    '{"html": "<\\/script>"}'
    >>> url_escape("/a b"), url_unescape("%2Fa+b")
    ('%2Fa+b', '/a b')
    >>> utf8("h\xe9"), to_unicode(b"h\xc3\xa9")
    (b'h\xc3\xa9', 'hé')

Every function takes text and UTF-8 bytes alike.  What they say of bad input is always a ValueError (a
UnicodeDecodeError is one), so that a handler can answer 400.  Header values and multipart bodies are in
`tornado.httputil`, templates in `tornado.template`.
"""

import html.entities
import importlib
import json
import re
from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Any, SupportsIndex, overload
from urllib.parse import quote_plus, unquote_plus, unquote_to_bytes

from tornado.util import UsageTypeError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# -- text and bytes ------------------------------------------------------------------------------------


@overload
def utf8(value: None) -> None: ...
@overload
def utf8(value: str | bytes) -> bytes: ...
def utf8(value: str | bytes | None) -> bytes | None:
    """Return the text *value* as UTF-8; bytes and None are returned as they are.

    Raises UnicodeEncodeError for a lone surrogate, `UsageTypeError` for any other type.
    """
    if type(value) is str:  # nearly every call; isinstance costs twice as much
        return value.encode()
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    raise UsageTypeError(f"utf8 got {type(value).__name__}, wanted str, bytes or None: convert it with str()")


@overload
def to_unicode(value: None) -> None: ...
@overload
def to_unicode(value: str | bytes) -> str: ...
def to_unicode(value: str | bytes | None) -> str | None:
    """Return the UTF-8 bytes *value* as text; text and None are returned as they are.

    Raises UnicodeDecodeError for bytes that are not UTF-8, `UsageTypeError` for any other type.
    """
    if type(value) is str or value is None:
        return value
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str):
        return value
    raise UsageTypeError(
        f"to_unicode got {type(value).__name__}, wanted str, bytes or None: convert it with str()"
    )


_unicode = to_unicode
"""The older spelling of `to_unicode`, which applications and UI modules import."""

native_str = to_unicode
"""`to_unicode`: the native string type of Python 3 is text."""

to_basestring = to_unicode
"""`to_unicode`: Python 2 left byte strings alone here, Python 3 has only text to return."""


def recursive_unicode(obj: Any) -> Any:
    """Return *obj* with `to_unicode` applied to all bytes in it: in dicts (keys too), lists and tuples.

    Other values stay what they are.  Raises UnicodeDecodeError for bytes that are not UTF-8.

    >>> recursive_unicode({b"names": [b"Ada", "Grace", 1]})
    {'names': ['Ada', 'Grace', 1]}
    """
    if isinstance(obj, dict):
        return {recursive_unicode(key): recursive_unicode(value) for key, value in obj.items()}
    if isinstance(obj, list):
        return [recursive_unicode(item) for item in obj]
    if isinstance(obj, tuple):
        return tuple([recursive_unicode(item) for item in obj])
    return obj.decode() if isinstance(obj, bytes) else obj


def _text(value: str | bytes, function: str) -> str:
    """Return *value* as text for *function*, which has no use for None."""
    if not isinstance(value, (str, bytes)):
        raise UsageTypeError(f"{function} got {type(value).__name__}, wanted str or bytes")
    return to_unicode(value)


# -- HTML ----------------------------------------------------------------------------------------------

# Templates escape what they print, and programs escape by hand as well. A result that is HTML already says so
# by its type, and templates leave it alone. Nothing that is made of it says so: "<b>" + xhtml_escape(name)
# and linkify(text).replace(...) are plain text, as they always were, and plain text is escaped. The methods
# below are those of str and bytes that return the object itself, mark and all, where nothing changes.


class _Markup(str):
    """Text that is HTML: to a template by its `__html__`, in every other respect a plain str."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)  # copies and pickles are plain, and need no module of ours to be read

    def __mod__(self, values: Any, /) -> str:
        return str.__mod__(str(self), values)

    def format(self, *args: object, **kwargs: object) -> str:
        return str(self).format(*args, **kwargs)

    def format_map(self, mapping: Any, /) -> str:
        return str(self).format_map(mapping)

    def partition(self, sep: str, /) -> tuple[str, str, str]:
        return str(self).partition(sep)

    def rpartition(self, sep: str, /) -> tuple[str, str, str]:
        return str(self).rpartition(sep)

    def split(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:
        return str(self).split(sep, maxsplit)

    def rsplit(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:
        return str(self).rsplit(sep, maxsplit)


class _MarkupBytes(bytes):
    """The same for UTF-8: what a template renders to, and may be put into another as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return self.decode()

    def __reduce__(self) -> tuple[type[bytes], tuple[bytes]]:
        return bytes, (bytes(self),)

    def partition(self, sep: "ReadableBuffer", /) -> tuple[bytes, bytes, bytes]:
        return bytes(self).partition(sep)

    def rpartition(self, sep: "ReadableBuffer", /) -> tuple[bytes, bytes, bytes]:
        return bytes(self).rpartition(sep)


def xhtml_escape(value: str | bytes) -> str:
    """Return *value* as HTML text that may also stand in a quoted attribute: ``& < > " '`` escaped.

    *value* is escaped whatever it is; a template leaves the result as it is.  Raises `UsageTypeError` unless
    *value* is text or bytes.
    """
    text = value if type(value) is str else _text(value, "xhtml_escape")
    # Searching first is faster than five calls of replace, for most text has nothing to replace.
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    if ">" in text:
        text = text.replace(">", "&gt;")
    if '"' in text:
        text = text.replace('"', "&quot;")
    if "'" in text:
        text = text.replace("'", "&#39;")
    return _Markup(text)


_ENTITY = re.compile(r"&(?:#([0-9]+)|#[xX]([0-9A-Fa-f]+)|([A-Za-z][0-9A-Za-z]*));")


def xhtml_unescape(value: str | bytes) -> str:
    """Return the HTML text *value* with its named, decimal and hexadecimal entities as characters.

    What is no entity stays as it is: unknown names, numbers that are no Unicode character, an entity
    without its semicolon.

    >>> xhtml_unescape("&lt;b&gt; &#39; &#x27; &nonsense; &#1114112;")
    "<b> ' ' &nonsense; &#1114112;"
    """
    return _ENTITY.sub(_character, _text(value, "xhtml_unescape"))


def _character(entity: re.Match[str]) -> str:
    decimal, hexadecimal, name = entity.groups()
    if name:
        return html.entities.html5.get(f"{name};", entity[0])
    digits = (decimal or hexadecimal).lstrip("0") or "0"
    if len(digits) > 7:  # int() takes quadratic time over long digits
        return entity[0]
    code = int(digits, 10 if decimal else 16)
    return entity[0] if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF else chr(code)


def squeeze(value: str | bytes) -> str:
    """Return *value* with each run of blanks and control characters made one space, and stripped.

    >>> squeeze(" one\\r\\n\\t two ")
    'one two'
    """
    return re.sub(r"[\x00-\x20]+", " ", _text(value, "squeeze")).strip()


# -- JSON (RFC 8259) -----------------------------------------------------------------------------------

try:
    _json: Any = importlib.import_module("simplejson")  # by name: it may be absent, and so may its types
except ImportError:
    _json = json


def _codec(module: Any) -> tuple[Callable[[Any], str], Callable[[str], Any]]:
    """Return encode and decode of *module*, `json` or simplejson, set so that they agree.

    simplejson would write a namedtuple as an object, and refuse the NaN that `json` takes.
    """
    options = {} if module is json else {"namedtuple_as_object": False, "allow_nan": True}
    return module.JSONEncoder(**options).encode, module.JSONDecoder(parse_constant=float).decode


_encode, _decode = _codec(_json)  # made once: json.dumps with any option makes an encoder at each call


def json_encode(value: Any) -> str:
    r"""Return *value* as JSON in ASCII, with ``</`` written ``<\/`` so that it may stand in a script element.

    Bytes in *value*, keys too, have to be UTF-8 (else UnicodeDecodeError) and become strings.  Raises
    TypeError for what JSON cannot say, ValueError for a value that contains itself.
    """
    try:
        text = _encode(value)
    except TypeError:  # perhaps for bytes; looking for them beforehand would cost every other call
        text = _encode(recursive_unicode(value))
    if "</" in text:
        text = text.replace("</", r"<\/")
    return text


def json_decode(value: str | bytes) -> Any:
    """Return what the JSON text *value* says; a byte order mark in front is ignored.

    Raises ValueError if *value* is not JSON, not UTF-8 or nested too deeply.
    """
    try:
        return _decode(_text(value, "json_decode").removeprefix("\ufeff"))
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None


# -- URLs (RFC 3986, and the form encoding of HTML) ------------------------------------------------------


def url_escape(value: str | bytes) -> str:
    """Return *value* as it may stand in a query string: percent-encoded UTF-8, ``+`` for a space.

    A slash is encoded too; the bytes of *value*, if it is bytes, need not be UTF-8.

    >>> url_escape("50% of caf\xe9/bar")
    '50%25+of+caf%C3%A9%2Fbar'
    """
    return quote_plus(value if isinstance(value, bytes) else utf8(_text(value, "url_escape")))


@overload
def url_unescape(value: str | bytes, encoding: str = "utf-8") -> str: ...
@overload
def url_unescape(value: str | bytes, encoding: None) -> bytes: ...
def url_unescape(value: str | bytes, encoding: str | None = "utf-8") -> str | bytes:
    """Return what `url_escape` was given: ``%XX`` decoded, ``+`` as a space.

    The octets are read as *encoding*, or returned as bytes if it is None.  A ``%`` without two
    hexadecimal digits stays.  Raises UnicodeDecodeError if the octets are not valid in *encoding*.
    """
    if isinstance(value, bytes):
        octets = _unquote(value)
        return octets if encoding is None else octets.decode(encoding)
    text = _text(value, "url_unescape")
    return _unquote(text.encode()) if encoding is None else unquote_plus(text, encoding, "strict")


def _unquote(field: bytes) -> bytes:
    return unquote_to_bytes(field.replace(b"+", b" "))


def parse_qs_bytes(
    qs: str | bytes, keep_blank_values: bool = False, strict_parsing: bool = False
) -> dict[str, list[bytes]]:
    """Return the arguments of the query string or urlencoded form *qs*, values in order of appearance.

    Only ``&`` separates.  Names are text, one character per octet (latin-1); values are bytes.  A text *qs*
    stands for octets in the same way, as `HTTPRequest.query` does.  Empty values are left out unless
    *keep_blank_values*; with *strict_parsing* a piece without ``=`` is a ValueError.  The number of
    arguments is not limited here: who reads from a peer counts ``&`` first.

    >>> parse_qs_bytes("a=1&b=%FF&a=2&c=")
    {'a': [b'1', b'2'], 'b': [b'\\xff']}
    """
    octets = qs if isinstance(qs, bytes) else _text(qs, "parse_qs_bytes").encode("latin-1")
    arguments: dict[str, list[bytes]] = {}
    for piece in octets.split(b"&") if octets else ():
        name, equals, value = piece.partition(b"=")
        if strict_parsing and not equals:
            raise ValueError(f"{piece[:80]!r} in a query string has no '=': wanted name=value")
        if value or (keep_blank_values and piece):
            arguments.setdefault(_unquote(name).decode("latin-1"), []).append(_unquote(value))
    return arguments


# -- links in text -------------------------------------------------------------------------------------

# Linear, for anybody may write the text: each repetition is possessive, and a link starts only where a run of
# name characters starts. A parenthesis that is not closed ends the link; what was read in search of the
# closing one is read at most once more, as the search stops at the next parenthesis.
_LINK = re.compile(
    r"""
    (?<! [0-9A-Za-z_-]) -*+ ([0-9A-Za-z_] [0-9A-Za-z_-]*+)    # a protocol, or what ends in www
    (?: :(/{1,3}+) | (?<= www) (?<! [0-9A-Za-z_]www) \. )
    ((?: [^\s\x00-\x1f\x7f<>()]++ | \( [^\s\x00-\x1f\x7f<>()]*+ \) )*+)
    """,
    re.VERBOSE,
)
_NOT_LAST = "!\"#$%&'*+,.:;=?@[]^`{|}~"  # at the end these belong to the sentence, not to the link
_SHORT = 30  # characters of a link that need no shortening


def linkify(
    text: str | bytes,
    shorten: bool = False,
    extra_params: str | bytes | Callable[[str], str | bytes] = "",
    require_protocol: bool = False,
    permitted_protocols: Container[str] = ("http", "https"),
) -> str:
    """Return the plain *text* as HTML, with each URL in it made a link.

    A URL is ``protocol:/`` with one to three slashes, or ``www.`` unless *require_protocol*, and what
    follows.  Only the *permitted_protocols* (compared as they are) become links.  *shorten* cuts what is
    shown of long ones, with the whole in the title.  *extra_params* is put into the tag as it is, or is
    called with each escaped href to return that.  A template leaves the result as it is.

    >>> linkify("Go to www.example.com/?a&b!", extra_params='rel="nofollow"')
    'Go to <a href="http://www.example.com/?a&amp;b" rel="nofollow">www.example.com/?a&amp;b</a>!'
    """
    source = _text(text, "linkify")
    pieces, done = [], 0
    for found in _LINK.finditer(source):
        protocol, slashes, body = found.groups()
        end = found.start(3) + len(body.rstrip(_NOT_LAST))
        if end == found.start(3) or (protocol not in permitted_protocols if slashes else require_protocol):
            continue
        start = found.start(1) if slashes else found.end(1) - len("www")
        pieces.append(xhtml_escape(source[done:start]))
        pieces.append(
            _link(source[start:end], found.start(3) - start if slashes else 0, shorten, extra_params)
        )
        done = end
    pieces.append(xhtml_escape(source[done:]))
    return _Markup("".join(pieces))


def _link(
    url: str, prefix: int, shorten: bool, extra_params: str | bytes | Callable[[str], str | bytes]
) -> str:
    """Return the tag for *url*, whose first *prefix* characters are protocol and slashes."""
    href = xhtml_escape(url if prefix else f"http://{url}")
    params = _text(extra_params(href) if callable(extra_params) else extra_params, "extra_params of linkify")
    attributes = [f'href="{href}"', params.strip()]
    shown = _shortened(url, prefix) if shorten else url
    if shown != url:
        attributes.append(f'title="{href}"')
    return f"<a {' '.join(filter(None, attributes))}>{xhtml_escape(shown)}</a>"


def _shortened(url: str, prefix: int) -> str:
    """Return protocol, host and the first letters of the path of *url*, or *url* if that is no longer."""
    if len(url) <= _SHORT:
        return url
    host, slash, path = url[prefix:].partition("/")
    shown = url
    if slash:
        shown = url[:prefix] + host + slash + re.split(r"[/?.]", path[:8], maxsplit=1)[0]
    if len(shown) > _SHORT * 3 // 2:
        shown = shown[:_SHORT]
    return f"{shown}..." if len(shown) + 3 < len(url) else url

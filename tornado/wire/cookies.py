"""Cookies on the wire (RFC 6265bis): those of a request, the line that sets one, and signed values.

    >>> parse_cookies('user=ada; theme="dark\\\\073"; bad name=1; user=eve')
    {'user': 'ada', 'theme': 'dark;'}
    >>> format_set_cookie("theme", "dark;", httponly=True, max_age=3600)
    'theme="dark\\\\073"; HttpOnly; Max-Age=3600; Path=/'
    >>> signed = sign("a long secret", "user", b"ada", now=1300000000)
    >>> signed[:44]
    b'2|1:0|10:1300000000|4:user|4:YWRh|53193afa8c'
    >>> unsign("a long secret", "user", signed, now=1300086400)
    b'ada'

Plain functions: the time is passed in, and nothing is logged.  Programs call `get_cookie`, `set_cookie` and
`set_secure_cookie` of a handler.
"""

import base64
import binascii
import datetime
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tornado.httputil import format_timestamp
from tornado.util import UsageTypeError
from tornado.wire import quote

MAX_COOKIES = 200  # of a request; browsers keep fewer for a site, and every one costs objects

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ESCAPE = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))")

# -- reading --


def parse_cookies(header: str) -> dict[str, str]:
    """Return name -> value of the cookies in *header*, the Cookie field decoded as latin-1.

    The first of equal names wins: browsers send the one with the longer path first (RFC 6265, 5.4).
    After `MAX_COOKIES` the rest is ignored.  Never raises: a pair without ``=``, with a name that is no
    token, or with a control character in its value is dropped alone.

    A value in double quotes is returned without them and without its escapes, ``\\"`` and ``\\073``.  Octal
    escapes may spell UTF-8.  Everything else stays latin-1, as it came.
    """
    cookies: dict[str, str] = {}
    for pair in header.split(";"):
        name, equals, value = pair.partition("=")
        name = name.strip(" \t")
        if not equals or name in cookies or not _TOKEN.fullmatch(name):
            continue
        value = _unquote(value.strip(" \t"))
        if not _CONTROL.search(value):
            cookies[name] = value
            if len(cookies) == MAX_COOKIES:
                break
    return cookies


def simple_cookie(header: str) -> Any:
    """Return the cookies of *header* as an `http.cookies.SimpleCookie`, as requests offer them.

    What http.cookies does not take is left out.
    """
    from http.cookies import CookieError, SimpleCookie  # late: most requests never ask

    cookies: Any = SimpleCookie()
    for name, value in parse_cookies(header).items():
        try:
            cookies[name] = value
        except CookieError:
            pass
    return cookies


def _unquote(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    value = value[1:-1]
    if "\\" not in value:
        return value
    text = _ESCAPE.sub(_unescape, value)
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _unescape(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 8)) if escape[1] else escape[2]


# -- writing --

_COOKIE_OCTETS = re.compile(rb"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*+")
_NEEDS_ESCAPE = re.compile(rb'[^\x20-\x7e]|[",;\\]')
_ATTRIBUTE_TEXT = re.compile(r"[\x21-\x3a\x3c-\x7e]*+")
_SAME_SITE = {"lax": "Lax", "strict": "Strict", "none": "None"}


def format_set_cookie(
    name: str | bytes,
    value: str | bytes,
    *,
    domain: str | bytes | None = None,
    expires: datetime.datetime | float | None = None,
    path: str | bytes | None = "/",
    max_age: int | None = None,
    secure: bool = False,
    httponly: bool = False,
    samesite: str | None = None,
    **attributes: object,
) -> str:
    """Return the value, in ASCII, of the Set-Cookie field for the cookie *name* (RFC 6265bis, 4.1).

    *value* may be any text, sent as UTF-8, or any bytes.  What a cookie cannot hold is escaped in quotes,
    which `parse_cookies` undoes; control characters go out in this way too, but it lets none back in.

    *expires* is a datetime (in UTC if it is naive) or seconds since the epoch, *max_age* a number of seconds,
    *samesite* one of Lax, Strict and None in any letter case.  None, or an empty *domain* or *path*, leaves
    an attribute out.  *attributes* are other spellings of the same names: ``**{"Max-Age": 60}``.

    Raises ValueError for a name that is no token, for text in an attribute that would end it, for any other
    type or value than the above, for an unknown attribute, for the same one twice, for ``samesite="None"``
    without *secure*, and for names beginning with ``__Host-`` or ``__Secure-`` without what these promise.
    Raises `UsageTypeError` if *name* or *value* is neither str nor bytes.
    """
    given: dict[str, object] = {
        "Domain": domain,
        "expires": expires,
        "HttpOnly": httponly,
        "Max-Age": max_age,
        "Path": path,
        "SameSite": samesite,
        "Secure": secure,
    }
    for spelling, other in attributes.items():
        _add_attribute(given, spelling, other)
    name = _cookie_name(name)
    written = {key: text for key in given if (text := _WRITERS[key](key, given[key])) is not None}
    _check_promises(name, written)
    words = [f"{key}={text}" if text else key for key, text in written.items()]
    return "; ".join([f"{name}={_quoted(value)}", *words])


def _add_attribute(given: dict[str, object], spelling: str, value: object) -> None:
    """Enter *value* into *given* under the name that *spelling* stands for."""
    key = _SPELLINGS.get(spelling.lower().replace("_", "-"))
    if key is None:
        raise ValueError(
            f"cookie attribute {quote(spelling)} is unknown, wanted one of {', '.join(_WRITERS)}"
        )
    if given[key] is not None and given[key] is not False and given[key] != "/":  # not its default
        raise ValueError(f"cookie attribute {key} was given twice, the second time as {quote(spelling)}")
    given[key] = value


def _cookie_name(name: str | bytes) -> str:
    text = _octets("the name of a cookie", name).decode("latin-1")
    if not _TOKEN.fullmatch(text):
        raise ValueError(
            f"cookie name {quote(name)} is no token: use letters, digits and any of !#$%&'*+-.^_`|~"
        )
    return text


def _octets(what: str, value: object) -> bytes:
    """Return *value* as bytes.  An error does not show it: it may be a secret."""
    if isinstance(value, str):
        return value.encode()
    if not isinstance(value, bytes):
        raise UsageTypeError(
            f"{what} is a {type(value).__name__}, wanted str or bytes: convert it with str()"
        )
    return value


def _quoted(value: str | bytes) -> str:
    """Return *value* as it stands in the field.

    Not with ``\\"`` nor with a bare comma in the quotes: a browser passes quotes on without reading them.
    """
    octets = _octets("the value of a cookie", value)
    if _COOKIE_OCTETS.fullmatch(octets):
        return octets.decode("ascii")
    return '"' + _NEEDS_ESCAPE.sub(_octal, octets).decode("ascii") + '"'


def _octal(octet: re.Match[bytes]) -> bytes:
    return b"\\%03o" % ord(octet[0])


# Each of these returns the text of an attribute, "" for its name alone, or None to leave it out.


def _flag(key: str, value: object) -> str | None:
    if value not in (None, False, True):  # a text such as "false" would be true
        raise ValueError(f"cookie attribute {key} is {quote(value)}, wanted True or False")
    return "" if value else None


def _text(key: str, value: object) -> str | None:
    if value is None:
        return None
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if not isinstance(text, str) or not _ATTRIBUTE_TEXT.fullmatch(text):
        raise ValueError(
            f"cookie attribute {key} is {quote(value)}, wanted visible ASCII without ';':"
            " percent-encode a path, write a domain as it stands in a Host header"
        )
    return text or None


def _seconds(key: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"cookie attribute {key} is {quote(value)}, wanted seconds as an int")
    return str(value)


def _date(key: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, (int, float, datetime.datetime)) or isinstance(value, bool):
        raise ValueError(
            f"cookie attribute {key} is {quote(value)}, wanted a datetime or seconds since the epoch"
        )
    return format_timestamp(value)


def _same_site(key: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or value.lower() not in _SAME_SITE:
        raise ValueError(f"cookie attribute {key} is {quote(value)}, wanted 'Lax', 'Strict' or 'None'")
    return _SAME_SITE[value.lower()]


_WRITERS: dict[str, Callable[[str, object], str | None]] = {
    "Domain": _text,
    "expires": _date,  # in lower case as of old: there are programs whose tests compare the line
    "HttpOnly": _flag,
    "Max-Age": _seconds,
    "Path": _text,
    "SameSite": _same_site,
    "Secure": _flag,
}
_SPELLINGS = {key.lower(): key for key in _WRITERS}


def _check_promises(name: str, written: Mapping[str, str]) -> None:
    """Raise ValueError for a cookie that browsers would refuse (RFC 6265bis, 4.1.3 and 5.7)."""
    if written.get("SameSite") == "None" and "Secure" not in written:
        raise ValueError(f"cookie {quote(name)} has samesite='None', which needs secure=True")
    prefix = name.lower()
    if prefix.startswith(("__host-", "__secure-")) and "Secure" not in written:
        raise ValueError(f"cookie {quote(name)} has a name that needs secure=True")
    if prefix.startswith("__host-") and ("Domain" in written or written.get("Path") != "/"):
        raise ValueError(f"cookie {quote(name)} has a name that needs path='/' and no domain")


# -- signed values --

MAX_SIGNED = 8 * 1024  # octets of a signed value, though browsers keep no cookie over 4 KiB
MAX_AHEAD = 5 * 60  # seconds by which the clock of the server that signed may be ahead

_DAY = 24 * 60 * 60

_LENGTH = re.compile(rb"(0|[1-9][0-9]{0,3}):")
_KEY_VERSION = re.compile(rb"0|[1-9][0-9]{0,8}")
_TIMESTAMP = re.compile(rb"0|[1-9][0-9]{0,18}")
_SHA256 = re.compile(rb"[0-9a-f]{64}")
# Nothing stands between payload and timestamp in what version 1 signs, so that digits could move from one to
# the other. Not if a timestamp has ten digits and no zero in front: from 2001 to 2286 all have.
_VERSION_1 = re.compile(rb"([0-9A-Za-z+/=]*+)\|([1-9][0-9]{9})\|([0-9a-f]{40})")

Secret = str | bytes | Mapping[int, str | bytes]
"""The key of signatures, or several keys by their version."""


def sign(
    secret: Secret,
    name: str | bytes,
    value: str | bytes,
    now: float,
    *,
    version: int = 2,
    key_version: int | None = None,
) -> bytes:
    """Return *value* with a signature that `unsign` verifies under the same *name*; anybody can read it.

    *now* is in seconds since the epoch.  *secret* is not empty; 32 random bytes are a good one.  If it is a
    dict, *key_version* says which of its keys signs.  The result is ASCII without spaces, quotes, commas and
    semicolons, as cookies like it::

        2|1:0|10:1300000000|4:name|8:dmFsdWU=|<64 hexadecimal digits>

    that is the version of the format, then the version of the key, the time, *name* and *value* in base64,
    each after its length, then the HMAC-SHA-256 of all before it.  *version* 1 is the format of 2011, for
    programs that cannot read the other: ``dmFsdWU=|1300000000|<40 digits>``, where the digits are the
    HMAC-SHA-1 of the name and the two parts with nothing in between.

    Raises ValueError for an empty secret, a *key_version* that is not in *secret* or does not fit it, a
    *name* that is not ASCII, and for more than fits into `MAX_SIGNED`.
    """
    number, key = _signing_key(secret, key_version)
    octets = _octets("the name of a signed value", name)
    if not octets.isascii():
        raise ValueError(f"the name of a signed value is {quote(name)}, wanted ASCII")
    payload = base64.b64encode(_octets("the value to sign", value))
    timestamp = b"%d" % now
    if version == 2:
        fields = (b"%d" % number, timestamp, octets, payload)
        message = b"2|" + b"".join([b"%d:%b|" % (len(field), field) for field in fields])
        signed = message + _hmac(key, message, "sha256")
    elif version == 1:
        signed = b"|".join((payload, timestamp, _hmac(key, octets + payload + timestamp, "sha1")))
    else:
        raise ValueError(f"the version to sign in is {version!r}, wanted 2, or 1 for the format of 2011")
    if len(signed) > MAX_SIGNED:
        raise ValueError(
            f"a signed value would have {len(signed)} bytes, the limit is {MAX_SIGNED}:"
            " sign the key of what is stored elsewhere instead"
        )
    return signed


def unsign(
    secret: Secret,
    name: str | bytes,
    value: str | bytes | None,
    now: float,
    *,
    max_age_days: float = 31,
    min_version: int = 2,
) -> bytes | None:
    """Return what `sign` was given for *value*; None if *value* is not such or not valid any more.

    Not valid is what was signed under another *name*, with a key that is not in *secret*, more than
    *max_age_days* before *now* or more than `MAX_AHEAD` seconds after.  The format of 2011 is read only with
    *min_version* 1, and takes any key of *secret*, since it does not say which.

    Whatever is wrong with a value of the right structure, the same steps are taken before None is returned,
    so that the time they take tells nothing.  Raises ValueError for an empty secret and for a *min_version*
    other than 1 and 2.
    """
    if min_version not in (1, 2):
        raise ValueError(f"min_version is {min_version!r}, wanted 2, or 1 to accept the format of 2011 too")
    keys = _keys(secret)
    wanted = _octets("the name of a signed value", name)
    text = _signed_text(value)
    if text.startswith(b"2|") or min_version == 2:
        signed = _parse_2(text)
    else:
        signed = _parse_1(text, wanted)
    if signed is None or not _is_valid(signed, keys, wanted, now, max_age_days):
        return None
    try:
        return base64.b64decode(signed.payload, validate=True)
    except binascii.Error:
        return None


def key_version_of(value: str | bytes | None) -> int | None:
    """Return the version of the key that the signed *value* claims, without a look at the signature.

    None if *value* is no signed value, or one in the format of 2011, which does not say.
    """
    signed = _parse_2(_signed_text(value))
    return None if signed is None else signed.key_version


class _Signed(NamedTuple):
    """The parts of a signed value, none of which is to be trusted yet."""

    key_version: int | None
    timestamp: int
    name: bytes
    payload: bytes
    message: bytes
    algorithm: str
    signature: bytes


def _signed_text(value: str | bytes | None) -> bytes:
    """Return *value* as bytes; ``b""``, which is no signed value, for what is too long or not ASCII."""
    if value is None or len(value) > MAX_SIGNED or not value.isascii():
        return b""
    return value.encode("ascii") if isinstance(value, str) else value


def _parse_2(text: bytes) -> _Signed | None:
    fields: list[bytes] = []
    end = len(b"2|")
    while len(fields) < 4 and (length := _LENGTH.match(text, end)):
        start, end = length.end(), length.end() + int(length[1])
        fields.append(text[start:end])
        if text[end : end + 1] != b"|":
            return None
        end += 1
    if len(fields) < 4 or not text.startswith(b"2|") or not _SHA256.fullmatch(text, end):
        return None
    number, timestamp, name, payload = fields
    if not _KEY_VERSION.fullmatch(number) or not _TIMESTAMP.fullmatch(timestamp):
        return None
    return _Signed(int(number), int(timestamp), name, payload, text[:end], "sha256", text[end:])


def _parse_1(text: bytes, name: bytes) -> _Signed | None:
    parts = _VERSION_1.fullmatch(text)
    if parts is None:
        return None
    payload, timestamp, signature = parts.groups()
    return _Signed(None, int(timestamp), name, payload, name + payload + timestamp, "sha1", signature)


def _is_valid(
    signed: _Signed, keys: Mapping[int, bytes], name: bytes, now: float, max_age_days: float
) -> bool:
    # No step is left out after one that failed; "and" would leave out the rest.
    if signed.key_version is None:
        known, candidates = True, list(keys.values())
    else:
        known, candidates = signed.key_version in keys, [keys.get(signed.key_version, b"")]
    valid = False
    for key in candidates:
        valid |= hmac.compare_digest(_hmac(key, signed.message, signed.algorithm), signed.signature)
    valid &= known  # for everybody can sign with b""
    valid &= hmac.compare_digest(signed.name, name)
    valid &= signed.timestamp >= now - max_age_days * _DAY
    valid &= signed.timestamp <= now + MAX_AHEAD
    return valid


def _hmac(key: bytes, message: bytes, algorithm: str) -> bytes:
    return hmac.digest(key, message, algorithm).hex().encode("ascii")


def _keys(secret: Secret) -> dict[int, bytes]:
    """Return the keys of *secret* by version; a single one has version 0."""
    keys: dict[int, bytes] = {}
    for number, key in secret.items() if isinstance(secret, Mapping) else [(0, secret)]:
        if not isinstance(number, int) or not _KEY_VERSION.fullmatch(b"%d" % number):
            raise ValueError(f"the secret has a key of version {number!r}, wanted an int from 0 to 999999999")
        keys[number] = _octets("a secret", key)
    if not keys or not all(keys.values()):
        raise ValueError("the secret is empty: pass 32 random bytes, the same in every process")
    return keys


def _signing_key(secret: Secret, key_version: int | None) -> tuple[int, bytes]:
    keys = _keys(secret)
    if isinstance(secret, Mapping):
        if key_version is None or key_version not in keys:
            raise ValueError(
                f"key_version is {key_version!r}, and the secret is a dict with the versions"
                f" {sorted(keys)}: say which of them signs"
            )
        return key_version, keys[key_version]
    if key_version not in (None, 0):
        raise ValueError(f"key_version is {key_version!r}, which needs a dict of secrets by their version")
    return 0, keys[0]


# -- tokens --


def mask_token(token: bytes, mask: bytes) -> str:
    """Return *token* in hexadecimal under the four bytes of *mask*, which come first.

    Masked afresh each time, a token that is repeated in compressed pages cannot be guessed from their
    length (BREACH).
    """
    return (mask + _xor(mask, token)).hex()


def unmask_token(text: str | None) -> bytes | None:
    """Return the 16 bytes of a masked token, or of a plain one of 2.x; None for any other text."""
    if text is None or not _is_masked_token(text):
        return None
    raw = bytes.fromhex(text)
    return raw if len(raw) == 16 else _xor(raw[:4], raw[4:])


_is_masked_token = re.compile("[0-9a-f]{32}|[0-9a-f]{40}").fullmatch


def _xor(mask: bytes, data: bytes) -> bytes:
    return bytes([byte ^ mask[index % 4] for index, byte in enumerate(data)])

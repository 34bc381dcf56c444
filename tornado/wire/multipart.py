r"""The two formats of HTML forms: multipart/form-data (RFC 7578) and urlencoded (WHATWG URL, 5.1).

    >>> body = b'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--X--\r\n'
    >>> parse_multipart(b"X", body)
    [Part(name='a', filename=None, content_type='application/unknown', body=b'1')]
    >>> parse_urlencoded(b"a=1&b=2&a=3+4")
    {'a': [b'1', b'3 4'], 'b': [b'2']}

Plain functions over a body that was read whole and is searched once, from front to end; a peer's mistake is
a `WireError`.  Programs call `tornado.httputil.parse_body_arguments` instead, which logs and goes on.
"""

import re
from typing import NamedTuple

from tornado.wire import WireError, quote

MAX_PARTS = 1000  # of a body; forms have tens, and every part costs objects
MAX_PART_HEAD = 8 * 1024  # bytes; a name and a file name of a few hundred characters
MAX_PART_LINES = 20  # header lines of a part; browsers send two
MAX_FIELD = 1024 * 1024  # bytes of a part that is no file; it becomes an argument, often decoded and copied
MAX_ARGUMENTS = 1000  # of a query or an urlencoded body; every one costs objects
MAX_BOUNDARY = 256  # bytes; RFC 2046 wants 70

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,\-./:=? ]*[0-9A-Za-z'()+_,\-./:=?]")  # RFC 2046, 5.1.1
_AFTER_DELIMITER = re.compile(rb"(--)?+[ \t]*+(?:(\r\n)|\Z)")
_FIELD_LINE = re.compile(rf"({_TOKEN}):[ \t]*+([^\x00-\x08\x0a-\x1f\x7f]*+)")

# Outside of quotes more is taken than the token of RFC 9110, 5.6.6, because boundaries with ":" or "=" are
# sent without them.  Every repetition is possessive: one pass, whatever comes.
_PARAMETER = re.compile(
    rf"""[ \t]*+;[ \t]*+(?:({_TOKEN})=(?:"((?:[^"\\]|\\.)*+)"|([^\x00-\x20";\\\x7f]++)))?+[ \t]*+(?=;|\Z)"""
)
_ESCAPE = re.compile(r'\\(["\\])')


class Part(NamedTuple):
    """One part of a multipart body."""

    name: str
    """The name of the form's field, never empty."""
    filename: str | None
    """As the client gave it, of use for display only; None for a part that is no file or has an empty one."""
    content_type: str
    """As the client gave it, ``application/unknown`` if it did not."""
    body: bytes


class Limits(NamedTuple):
    """What `parse_multipart` takes: counts, and sizes in bytes."""

    parts: int = MAX_PARTS
    part_head: int = MAX_PART_HEAD
    part_lines: int = MAX_PART_LINES
    field: int = MAX_FIELD


LIMITS = Limits()


# -- multipart --


def parse_multipart(boundary: bytes, body: bytes, limits: Limits = LIMITS) -> list[Part]:
    """Return the parts of *body*, in their order; *boundary* is that of its Content-Type, without quotes.

    Names and file names are UTF-8.  Raises `WireError`: 413 for too many parts or too large a field, 400 for
    all that is malformed, also for a part without a name or without an end (RFC 7578, 4).
    """
    return [_read_part(body, start, end, limits) for start, end in _find_parts(boundary, body, limits.parts)]


def parse_multipart_leniently(
    boundary: bytes, body: bytes, limits: Limits = LIMITS
) -> tuple[list[Part], int]:
    """Return the good parts of *body* and the number of those that were left out.

    Raises `WireError` as `parse_multipart` does where no single part is to blame.
    """
    parts = []
    bad = 0
    for start, end in _find_parts(boundary, body, limits.parts):
        try:
            parts.append(_read_part(body, start, end, limits))
        except WireError:
            bad += 1
    return parts, bad


def _find_parts(boundary: bytes, body: bytes, max_parts: int) -> list[tuple[int, int]]:
    """Return where the parts of *body* start and end, line ends of the delimiters excluded."""
    if len(boundary) > MAX_BOUNDARY or not _BOUNDARY.fullmatch(boundary):
        raise WireError(
            f"multipart boundary {quote(boundary)} is not of 1 to {MAX_BOUNDARY} boundary characters"
        )
    delimiter = b"\r\n--" + boundary
    if body.startswith(delimiter[2:]):
        at = len(delimiter) - 2
    elif (at := body.find(delimiter)) >= 0:
        at += len(delimiter)  # what came before is the preamble
    else:
        raise WireError("multipart body without a delimiter")
    spans: list[tuple[int, int]] = []
    while (start := _after_delimiter(body, at)) >= 0:
        if len(spans) == max_parts:
            raise WireError(f"multipart body with over {max_parts} parts", 413)
        end = body.find(delimiter, start - 2)  # the delimiter of an empty part shares our line end
        if end < 0:
            raise WireError("multipart body without a final delimiter")
        spans.append((start, end))
        at = end + len(delimiter)
    return spans


def _after_delimiter(body: bytes, at: int) -> int:
    """Return where the part begins whose delimiter goes up to *at*; -1 if that was the final delimiter."""
    line = _AFTER_DELIMITER.match(body, at)
    if line and line[1]:
        return -1
    if line and line[2]:
        return line.end()
    raise WireError("multipart delimiter is not alone on its line")


def _read_part(body: bytes, start: int, end: int, limits: Limits) -> Part:
    head_end = body.find(b"\r\n\r\n", start, min(end, start + limits.part_head))
    if head_end < 0:
        raise WireError(f"multipart part without an end of its headers in {limits.part_head} bytes")
    fields = _read_head(body[start:head_end], limits.part_lines)
    kind, parameters, error = _read_parameters(fields.get("content-disposition", ""))
    if error:
        raise WireError(f"multipart Content-Disposition with {error}")
    name = parameters.get("name")
    if kind != "form-data" or not name:
        raise WireError("multipart part that is not form-data with a name")
    filename = parameters.get("filename") or None
    size = end - head_end - 4
    if filename is None and size > limits.field:
        raise WireError(f"form field of {size} bytes, limit is {limits.field}", 413)
    content_type = fields.get("content-type") or "application/unknown"
    return Part(name, filename, content_type, body[head_end + 4 : end])


def _read_head(head: bytes, max_lines: int) -> dict[str, str]:
    """Return the header fields of a part, names in lower case."""
    try:
        lines = head.decode().split("\r\n")
    except UnicodeDecodeError:
        raise WireError("multipart header is not UTF-8") from None
    if len(lines) > max_lines:
        raise WireError(f"multipart part with {len(lines)} header lines, limit is {max_lines}")
    fields: dict[str, str] = {}
    for line in lines:
        field = _FIELD_LINE.fullmatch(line)
        if not field:
            raise WireError(f"multipart header line {quote(line)} is malformed")
        name = field[1].lower()
        if name in fields and name in ("content-disposition", "content-type"):
            raise WireError(f"multipart part with two {name} lines")
        fields[name] = field[2].rstrip(" \t")
    return fields


def parse_media_type(value: str) -> tuple[str, dict[str, str]]:
    """Return the type and the parameters of *value*, a Content-Type or Content-Disposition.

    Type and names are in lower case, values without quotes and the escapes in them (RFC 9110, 5.6.6).  Never
    raises: what follows the first malformed parameter is left out.  So is a name that comes twice, since
    whoever looked at the request before us may have taken the other one.

    >>> parse_media_type('Text/HTML; Charset="utf-8"')
    ('text/html', {'charset': 'utf-8'})
    """
    return _read_parameters(value)[:2]


def _read_parameters(value: str) -> tuple[str, dict[str, str], str]:
    """As `parse_media_type`, and what is wrong with the parameters: ``""`` for nothing."""
    kind = value.partition(";")[0]
    at = len(kind)
    kind = kind.strip(" \t")
    if kind.isascii():  # only ASCII has case here: str.lower would turn the Kelvin sign into a "k"
        kind = kind.lower()
    parameters: dict[str, str] = {}
    while at < len(value):
        parameter = _PARAMETER.match(value, at)
        if not parameter:
            return kind, parameters, f"malformed parameters {quote(value[at : at + 80])}"
        at = parameter.end()
        name, quoted, bare = parameter.groups()
        if name is None:  # nothing between two semicolons
            continue
        name = name.lower()
        if name in parameters:
            del parameters[name]
            return kind, parameters, f"parameter {quote(name)} twice"
        parameters[name] = bare if quoted is None else _ESCAPE.sub(r"\1", quoted)
    return kind, parameters, ""


# -- urlencoded --


def parse_urlencoded(
    data: bytes, max_arguments: int = MAX_ARGUMENTS, max_field: int = MAX_FIELD
) -> dict[str, list[bytes]]:
    """Return the values of each name in *data*, a query string or a body, ``a=1&b=2``.

    Only ``&`` separates.  A ``+`` is a space; a ``%`` without two hexadecimal digits stays as it is; names
    are decoded as latin-1, which cannot fail.  Names without a value, or with an empty one, are dropped.
    Raises `WireError`: 400 for more than *max_arguments* pairs, also empty ones, 413 for a pair of more than
    *max_field* bytes.
    """
    if data.count(b"&") >= max_arguments:
        raise WireError(f"over {max_arguments} arguments in a query or form")
    escaped = b"%" in data or b"+" in data
    arguments: dict[str, list[bytes]] = {}
    for pair in data.split(b"&"):
        name, _, value = pair.partition(b"=")
        if not value:
            continue
        if len(pair) > max_field:
            raise WireError(f"form field of {len(pair)} bytes, limit is {max_field}", 413)
        if escaped:
            name, value = _unquote(name), _unquote(value)
        arguments.setdefault(name.decode("latin-1"), []).append(value)
    return arguments


def _unquote(data: bytes) -> bytes:
    if b"+" in data:
        data = data.replace(b"+", b" ")
    if b"%" not in data:
        return data
    first, *others = data.split(b"%")
    pieces = [first]
    for piece in others:
        octet = _OCTETS.get(piece[:2])
        pieces.append(b"%" + piece if octet is None else octet + piece[2:])
    return b"".join(pieces)


_HEX_DIGITS = "0123456789ABCDEFabcdef"
_OCTETS = {(a + b).encode("ascii"): bytes([int(a + b, 16)]) for a in _HEX_DIGITS for b in _HEX_DIGITS}

"""HTTP/1.1 messages (RFC 9112): bytes in, values out; values in, bytes out.

Reading is by protocols in the sense of `tornado.wire`; `Limits` bounds what a peer may send::

    head = run(read_request_head(Limits()), b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
    body = run(read_body(head.length, max_body=1024), b"")

One strict grammar, for requests and responses alike: what is not in it is a `WireError`.  Four choices
the RFC leaves open are made for safety: a bare LF is no line end, folded lines are refused, so is a
repeated Content-Length even if equal, and trailers are dropped.
"""

import http.client
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tornado.httputil import HTTPHeaders
from tornado.wire import Exactly, Progress, Reading, Rest, Some, Steps, Until, WireError, quote, take

MAX_REQUEST_LINE = 16 * 1024  # bytes; a target of 8 000 octets has to fit (RFC 9112, 3)
MAX_HEADER_SIZE = 64 * 1024  # bytes of a whole head; the default of later Tornados too
MAX_FIELD_LINE = 16 * 1024  # bytes of one field line
MAX_FIELDS = 100  # field lines of a head
MAX_CHUNK_LINE = 1024  # bytes of a chunk's size and extensions
MAX_CHUNK_EXTENSIONS = 16 * 1024  # bytes of extensions in one body: they make cheap data expensive
MAX_TRAILERS = 8 * 1024  # bytes of a trailer section
MAX_EMPTY_LINES = 2  # before a request line (RFC 9112, 2.2 asks for one at least)
MAX_METHOD = 32  # bytes
PIECE_SIZE = 64 * 1024  # bytes; the largest piece of a body handed over as it comes

CHUNKED = -1  # as a length: the body comes in chunks
UNTIL_CLOSE = -2  # as a length: the body ends with the connection

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_is_token = re.compile(_TOKEN).fullmatch
_is_target = re.compile(rb"/[!\"$-~]*").fullmatch
_is_host = re.compile(
    rb"(?:(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
).fullmatch
_absolute_form = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?#]+)(/[!\"$-~]*|\?[!\"$-~]*)?").fullmatch
_authority_form = re.compile(rb"[^/?#@\[\]:]+:[0-9]{1,5}|\[[0-9A-Fa-f:.]{2,45}\]:[0-9]{1,5}").fullmatch
_version = re.compile(rb"HTTP/([0-9])\.([0-9])").fullmatch
_status_line = re.compile(rb"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?").fullmatch
_decimal = re.compile(rb"[0-9]{1,19}").fullmatch
_chunk_line = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n").fullmatch
_chunk_line_extended = re.compile(
    rb"([0-9A-Fa-f]{1,16})"
    rb"((?:[ \t]*;[ \t]*" + _TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + _TOKEN + rb"|"
    rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"))?)+)[ \t]*\r\n'
).fullmatch
# What no part of a head may hold, wherever it is cut: controls, a line end that is not CRLF.
_bad_in_head = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)").search
_FIELD_OCTETS = bytes([9, 10, 13, *range(0x20, 0x7F), *range(0x80, 0x100)])
_bad_value = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search

_METHODS = {
    method.encode(): method
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT")
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one message head may cost; sizes in bytes."""

    max_request_line: int = MAX_REQUEST_LINE
    max_header_size: int = MAX_HEADER_SIZE
    max_field_line: int = MAX_FIELD_LINE
    max_fields: int = MAX_FIELDS

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not isinstance(value, int) or value <= 0:
                raise ValueError(f"{name} is {value!r}, wanted a whole number above 0")


DEFAULT_LIMITS = Limits()


class EndOfConnection(WireError):
    """The peer has gone between two messages, where it may (RFC 9112, 9.6)."""


class Fields:
    """A parsed header section, and what it says about the message around it.

    `values` and `lists` are the storage of an `HTTPHeaders` (see `headers`); *length* is that of the
    body in octets, or CHUNKED, or UNTIL_CLOSE; *keep_alive* is whether the connection may go on after
    the message; *expect* is whether a 100 answer is waited for.
    """

    __slots__ = ("expect", "keep_alive", "length", "lists", "values")

    def __init__(self, values: dict[str, str], lists: dict[str, list[str]] | None) -> None:
        self.values = values
        self.lists = lists
        self.length = 0
        self.keep_alive = True
        self.expect = False

    def headers(self) -> HTTPHeaders:
        """Return the fields as an `HTTPHeaders` of the caller's own."""
        lists = self.lists
        if lists is not None:
            lists = {name: list(values) for name, values in lists.items()}
        return HTTPHeaders._adopt(self.values, lists)


class RequestHead:
    """A request line and its fields.

    *method*, *target* (always origin-form, or ``*``) and *version* ("HTTP/1.0" or "HTTP/1.1") are str.
    """

    __slots__ = ("fields", "method", "target", "version")

    def __init__(self, method: str, target: str, version: str, fields: Fields) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.fields = fields


class ResponseHead:
    """A status line and its fields: *code* is an int, *reason* and *version* are str."""

    __slots__ = ("code", "fields", "reason", "version")

    def __init__(self, code: int, reason: str, version: str, fields: Fields) -> None:
        self.code = code
        self.reason = reason
        self.version = version
        self.fields = fields


class SectionCache:
    """The last header section of one connection, so that a repeated one is recognised whole.

    Browsers and proxies send the same fields request after request.  It holds credentials as they
    came, so it belongs to one connection, and is dropped when that idles.
    """

    __slots__ = ("fields", "raw")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget the section."""
        self.raw = b""
        self.fields: Fields | None = None


# -- reading heads --


def _refuse_controls(buffer: bytes | bytearray, scanned: int) -> None:
    """Raise WireError for a control or a bare CR or LF among the octets that are new."""
    bad = _bad_in_head(buffer, max(0, scanned - 1))
    if bad is not None:
        octet = bad.group()
        del bad  # it holds the buffer
        raise WireError(f"{octet!r} is not allowed here")


class _HeadEnd:
    """Read up to and including the empty line that ends a head, refusing early what can be no head."""

    __slots__ = ("_fields", "_limits", "_line", "_status")

    def __init__(self, limits: Limits, is_request: bool) -> None:
        self._limits = limits
        self._status = 414 if is_request else 431  # of a first line that is too long
        self._fields = 0  # where the field lines begin, 0 while the first line is not complete
        self._line = 0  # where the last of them begins

    def end(self, buffer: bytes | bytearray, scanned: int) -> int:
        found = buffer.find(b"\r\n\r\n", max(0, scanned - 3))
        if found >= 0 and found + 4 <= self._limits.max_header_size:
            return found + 4
        if scanned == 0:
            self._fields = 0
        if not self._fields:
            self._find_first_line(buffer, scanned)
        if found >= 0 or len(buffer) > self._limits.max_header_size:
            raise WireError(f"head is over {self._limits.max_header_size} bytes", 431)
        if self._fields:
            # Its CR may be there without the LF, hence the 2.
            self._line = max(self._line, buffer.rfind(b"\r\n", max(self._line, scanned - 1)) + 2)
            if len(buffer) - self._line >= self._limits.max_field_line + 2:
                raise WireError(f"field line is over {self._limits.max_field_line} bytes", 431)
        _refuse_controls(buffer, scanned)
        return -1

    def _find_first_line(self, buffer: bytes | bytearray, scanned: int) -> None:
        start = 2 if buffer.startswith(b"\r\n") else 0
        limit = start + self._limits.max_request_line + 2
        end = buffer.find(b"\r\n", max(start, scanned - 1), limit)
        if end >= 0:
            self._fields = self._line = end + 2
        elif len(buffer) >= limit:
            raise WireError(f"first line is over {self._limits.max_request_line} bytes", self._status)

    def end_at_eof(self, buffer: bytes | bytearray) -> int:
        if not buffer:
            raise EndOfConnection("connection closed before a head")
        raise WireError("connection closed before the end of a head")


def read_request_head(
    limits: Limits = DEFAULT_LIMITS, cache: SectionCache | None = None
) -> Steps[RequestHead]:
    """Read a request head (RFC 9112, 3 and 5).

    Up to two empty lines before it are skipped (2.2).  *cache* is the connection's `SectionCache`.
    The WireError's status is 400, 414, 431, 501 or 505.
    """
    end = _HeadEnd(limits, True)
    raw = yield end
    if raw.startswith(b"\r\n"):
        skipped = 0
        while raw.startswith(b"\r\n"):
            raw = raw[2:]
            skipped += 1
            if skipped > MAX_EMPTY_LINES:
                raise WireError(f"over {MAX_EMPTY_LINES} empty lines before a request")
            if not raw:
                raw = yield end
    return parse_request_head(raw, limits, cache)


class RequestHeads(Reading[RequestHead]):
    """Reads one request head after another: a `Reading` that is used again for each.

    A head that comes in one piece is parsed as it is; for any other it drives `read_request_head`.
    """

    __slots__ = ("_cache", "_limits", "_reading")

    finished = False

    def __init__(self, limits: Limits, cache: SectionCache) -> None:
        self._limits = limits
        self._cache = cache
        self._reading: Reading[RequestHead] | None = None

    def offer(self, data: bytes) -> Progress:
        """Take *data* if it is a whole head and nothing else."""
        size = len(data)
        if (
            self._reading is not None
            or data.find(b"\r\n\r\n") != size - 4
            or size < 4
            or size > self._limits.max_header_size
            or data.startswith(b"\r")
        ):
            return Progress.DECLINED
        self.value = parse_request_head(data, self._limits, self._cache)
        return Progress.DONE

    def advance(self, buffer: bytearray, eof: bool = False) -> Progress:
        """Serve reads from the front of *buffer*, as any `Reading`."""
        if self._reading is None:
            end = buffer.find(b"\r\n\r\n", 0, self._limits.max_header_size)
            if end >= 0 and not buffer.startswith(b"\r"):
                self.value = parse_request_head(take(buffer, end + 4), self._limits, self._cache)
                return Progress.DONE
            self._reading = Reading(read_request_head(self._limits, self._cache))
        progress = self._reading.advance(buffer, eof)
        if progress is Progress.DONE:
            self.value = self._reading.value
            self._reading = None
        return progress


def parse_request_head(
    raw: bytes, limits: Limits = DEFAULT_LIMITS, cache: SectionCache | None = None
) -> RequestHead:
    """Parse *raw*, a whole request head with its empty line."""
    name, _, rest = raw.partition(b" ")
    target, _, section = rest.partition(b" ")
    method = _METHODS.get(name)
    if method is None or not _is_target(target):
        return _parse_unusual_head(raw, limits)
    if len(raw) > limits.max_request_line and raw.index(b"\r\n") > limits.max_request_line:
        raise WireError(f"request line is over {limits.max_request_line} bytes", 414)
    if cache is not None and cache.raw == section and cache.fields is not None:
        fields = cache.fields
        version = "HTTP/1.1"
    else:
        raw_version, _, lines = section[:-2].partition(b"\r\n")
        version = _parse_version(raw_version)
        fields = _request_fields(lines, version, limits)
        if cache is not None and version == "HTTP/1.1":
            cache.raw, cache.fields = section, fields
    if method == "CONNECT":
        raise WireError("CONNECT is not served", 501)
    return RequestHead(method, target.decode("ascii"), version, fields)


def _parse_unusual_head(raw: bytes, limits: Limits) -> RequestHead:
    """A head that is wrong, or has an unusual method or form of target (RFC 9112, 3.2)."""
    line, _, lines = raw[:-2].partition(b"\r\n")
    if len(line) > limits.max_request_line:
        raise WireError(f"request line is over {limits.max_request_line} bytes", 414)
    parts = line.split(b" ")
    if len(parts) != 3:
        raise WireError(f"request line has {len(parts)} parts, wanted a method, a target and a version")
    if not _is_token(parts[0]) or len(parts[0]) > MAX_METHOD:
        raise WireError(f"a method of {len(parts[0])} bytes is none (RFC 9110, 9.1)")
    method, target = parts[0].decode("ascii"), parts[1]
    version = _parse_version(parts[2])
    absolute = None if method == "CONNECT" else _absolute_form(target)
    if absolute is not None:
        # The target's authority is the host, whatever Host says (RFC 9112, 3.2.2).
        authority, target = absolute[1], absolute[2] or b"/"
        target = target if target[:1] == b"/" else b"/" + target
        fields = _request_fields(lines, version, limits)
        if not _is_host(authority) or authority[:1] == b":":
            raise WireError("the authority in the target is not a host and port (RFC 9112, 3.2.2)")
        fields.values["Host"] = authority.decode("ascii")
    elif (target == b"*" and method == "OPTIONS") or _is_target(target):
        fields = _request_fields(lines, version, limits)
    elif method == "CONNECT" and _authority_form(target):
        raise WireError("CONNECT is not served", 501)
    else:
        # It may hold what no log should.
        raise WireError(f"the target, of {len(target)} bytes, is none of a {method} request (RFC 9112, 3.2)")
    return RequestHead(method, target.decode("ascii"), version, fields)


def _parse_version(raw: bytes) -> str:
    if raw == b"HTTP/1.1":
        return "HTTP/1.1"
    match = _version(raw)
    if match is None:
        raise WireError(f"{quote(raw)} is not an HTTP version")
    if match[1] != b"1":
        raise WireError(f"{quote(raw)} is not served", 505)
    return "HTTP/1.0" if match[2] == b"0" else "HTTP/1.1"


def _request_fields(lines: bytes, version: str, limits: Limits) -> Fields:
    fields = _parse_fields(lines, limits)
    values = fields.values
    host = values.get("Host")
    if host is None:
        if version == "HTTP/1.1":
            raise WireError("no Host field (RFC 9112, 3.2)")
    elif (fields.lists and "Host" in fields.lists) or not _is_host(host.encode("latin-1")):
        raise WireError("the Host field is not one host and port (RFC 9112, 3.2)")
    fields.length = _parse_length(fields, version, 0)
    fields.keep_alive = _keeps_alive(fields, version)
    expect = values.get("Expect")
    if expect is not None and version == "HTTP/1.1":
        if expect.lower() != "100-continue" or (fields.lists and "Expect" in fields.lists):
            raise WireError(f"cannot meet the expectation {quote(expect)}", 417)
        fields.expect = True
    return fields


def read_response_head(limits: Limits = DEFAULT_LIMITS, method: str = "GET") -> Steps[ResponseHead]:
    """Read a response head (RFC 9112, 4); *method* is that of its request.

    The fields' length is 0 where no body can follow: after HEAD, 1xx, 204 and 304 (6.3).
    """
    raw = yield _HeadEnd(limits, False)
    line, _, lines = raw[:-2].partition(b"\r\n")
    if len(line) > limits.max_request_line:
        raise WireError(f"status line is over {limits.max_request_line} bytes", 431)
    status = _status_line(line)
    if status is None:
        raise WireError(f"{quote(line)} is not the status line of an HTTP/1.x response")
    version = "HTTP/1.0" if status[1] == b"0" else "HTTP/1.1"
    code = int(status[2])
    fields = _parse_fields(lines, limits)
    fields.length = _parse_length(fields, version, UNTIL_CLOSE)
    if method == "HEAD" or code < 200 or code in (204, 304):
        fields.length = 0
    fields.keep_alive = _keeps_alive(fields, version) and fields.length != UNTIL_CLOSE
    return ResponseHead(code, (status[3] or b"").decode("latin-1"), version, fields)


# -- fields --

# Field names as they come, in their usual spelling.  Names are few and repeat; should a peer invent a
# thousand, it begins anew.
_NAMES: dict[bytes, str] = {}
_MAX_NAMES = 1000
_MAX_NAME_LENGTH = 64


def _field_name(raw: bytes) -> str:
    if not _is_token(raw):
        raise WireError(f"a field name of {len(raw)} bytes is not a token (RFC 9112, 5.1)")
    name = "-".join([word.capitalize() for word in raw.decode("ascii").split("-")])
    if len(raw) <= _MAX_NAME_LENGTH:
        if len(_NAMES) >= _MAX_NAMES:
            _NAMES.clear()
        _NAMES[raw] = name
    return name


def _parse_fields(raw: bytes, limits: Limits) -> Fields:
    """Parse the field lines *raw*, each with its CRLF (RFC 9112, 5)."""
    values: dict[str, str] = {}
    lists: dict[str, list[str]] | None = None
    if not raw:
        return Fields(values, None)
    lines = raw.split(b"\r\n")
    lines.pop()  # what follows the last CRLF: nothing
    if len(lines) > limits.max_fields:
        raise WireError(f"{len(lines)} fields, the limit is {limits.max_fields}", 431)
    if raw.translate(None, _FIELD_OCTETS) or raw.count(b"\n") != len(lines) or raw.count(b"\r") != len(lines):
        raise WireError("a control character or a bare CR or LF in a field (RFC 9112, 5.5)")
    for line in lines:
        if len(line) > limits.max_field_line:
            raise WireError(f"field line is over {limits.max_field_line} bytes", 431)
        raw_name, colon, raw_value = line.partition(b":")
        if not colon:
            raise WireError("a field line has no colon (RFC 9112, 5)")
        name = _NAMES.get(raw_name) or _field_name(raw_name)
        value = raw_value.strip(b" \t").decode("latin-1")
        if name not in values:
            values[name] = value
            continue
        if lists is None:
            lists = {}
        lists.setdefault(name, [values[name]]).append(value)
    return Fields(values, lists)


def _parse_length(fields: Fields, version: str, without: int) -> int:
    """The length of the body (RFC 9112, 6.3): octets, CHUNKED, or *without* when no field tells."""
    coding = fields.values.get("Transfer-Encoding")
    announced = fields.values.get("Content-Length")
    if coding is None and announced is None:
        return without
    repeated = fields.lists or {}
    if coding is not None:
        if "Transfer-Encoding" in repeated:
            raise WireError("several Transfer-Encoding fields")
        if announced is not None:
            raise WireError("both Transfer-Encoding and Content-Length (RFC 9112, 6.3)")
        if version != "HTTP/1.1":
            raise WireError("Transfer-Encoding in an HTTP/1.0 message (RFC 9112, 6.1)")
        raw = coding.encode("latin-1")
        if raw.lower() == b"chunked":
            return CHUNKED
        status = 501 if _is_token(raw) else 400
        raise WireError(f"Transfer-Encoding is {quote(coding)}, only chunked is served", status)
    assert announced is not None
    raw = announced.encode("latin-1")
    if "Content-Length" in repeated:
        raise WireError("several Content-Length fields")
    if not _decimal(raw):
        if raw.strip(b"0123456789") == b"" and raw:
            raise WireError(f"Content-Length has {len(raw)} digits", 413)
        raise WireError(f"Content-Length is {quote(announced)}, wanted digits")
    return int(raw)


def connection_options(fields: Fields) -> set[str]:
    """Return the options of all Connection fields, in lower case (RFC 9110, 7.6.1)."""
    value = fields.values.get("Connection")
    if value is None:
        return set()
    values = (fields.lists or {}).get("Connection", [value])
    return {option.strip(" \t").lower() for option in ",".join(values).split(",")}


def _keeps_alive(fields: Fields, version: str) -> bool:
    if "Connection" not in fields.values:
        return version == "HTTP/1.1"
    options = connection_options(fields)
    return "close" not in options and (version == "HTTP/1.1" or "keep-alive" in options)


# -- reading bodies --


class _Line(Until):
    """Read a line of the framing, refusing at once what cannot become one."""

    __slots__ = ()

    def end(self, buffer: bytes | bytearray, scanned: int) -> int:
        end = super().end(buffer, scanned)
        if end < 0:
            _refuse_controls(buffer, scanned)
        return end


def read_body(length: int, max_body: int, piece: Callable[[bytes], Any] | None = None) -> Steps[bytes]:
    """Read a body of *length* octets, or one that is CHUNKED or goes on UNTIL_CLOSE (RFC 9112, 6 and 7).

    Over *max_body* octets it fails with 413.  With *piece* that gets the body as it comes, and the
    value is ``b""``.
    """
    if length > max_body:
        raise WireError(f"body of {length} bytes, the limit is {max_body}", 413)
    if length == CHUNKED:
        return (yield from _read_chunks(max_body, piece))
    if length == UNTIL_CLOSE:
        return (yield from _read_until_close(max_body, piece))
    if length == 0:
        return b""
    if piece is None:
        return (yield Exactly(length))
    yield from _read_pieces(length, piece)
    return b""


def _read_pieces(length: int, piece: Callable[[bytes], Any]) -> Steps[None]:
    left = length
    while left:
        data = yield Some(min(left, PIECE_SIZE))
        if not data:
            raise WireError(f"connection closed after {length - left} of {length} bytes")
        left -= len(data)
        piece(data)


def _read_until_close(max_body: int, piece: Callable[[bytes], Any] | None) -> Steps[bytes]:
    if piece is None:
        return (yield Rest(max_body))
    left = max_body
    while data := (yield Some(PIECE_SIZE)):
        left -= len(data)
        if left < 0:
            raise WireError(f"body over the limit of {max_body} bytes", 413)
        piece(data)
    return b""


def _read_chunks(max_body: int, piece: Callable[[bytes], Any] | None) -> Steps[bytes]:
    """A chunked body (RFC 9112, 7.1); extensions are checked and ignored, trailers are dropped."""
    body = bytearray()
    left = max_body
    extensions = 0
    while True:
        size, extension_size = _parse_chunk_line((yield _Line(b"\r\n", MAX_CHUNK_LINE)))
        extensions += extension_size
        if extensions > MAX_CHUNK_EXTENSIONS:
            raise WireError(f"over {MAX_CHUNK_EXTENSIONS} bytes of chunk extensions")
        if size == 0:
            break
        left -= size
        if left < 0:
            raise WireError(f"chunked body over the limit of {max_body} bytes", 413)
        if piece is None:
            body += yield Exactly(size)
        else:
            yield from _read_pieces(size, piece)
        if (yield Exactly(2)) != b"\r\n":
            raise WireError("a chunk is longer than its announced size")
    yield from _read_trailers()
    return bytes(body)


def _parse_chunk_line(line: bytes) -> tuple[int, int]:
    """The size of the chunk, and how many bytes of extensions came with it."""
    match = _chunk_line(line)
    if match is not None:
        return int(match[1], 16), 0
    match = _chunk_line_extended(line)
    if match is None:
        raise WireError(f"a line of {len(line)} bytes does not begin a chunk (RFC 9112, 7.1)")
    return int(match[1], 16), len(match[2])


def _read_trailers() -> Steps[None]:
    """The trailer section: the grammar of fields, and nothing is kept (RFC 9110, 6.5.1)."""
    left = MAX_TRAILERS
    lines = bytearray()
    while (line := (yield _Line(b"\r\n", left, 431))) != b"\r\n":
        left = max(2, left - len(line))
        lines += line
        if len(lines) > MAX_TRAILERS:
            raise WireError(f"trailers are over {MAX_TRAILERS} bytes", 431)
    _parse_fields(bytes(lines), DEFAULT_LIMITS)


# -- writing --

_STATUS_LINES = {code: f"HTTP/1.1 {code} {reason}\r\n" for code, reason in http.client.responses.items()}


def check_field_name(name: str) -> str:
    """Return *name*, once it is known to be a token (RFC 9110, 5.1).  Raises ValueError."""
    if not _is_token(name.encode("utf-8")):
        raise ValueError(f"{quote(name)} is not a header name: wanted letters, digits and !#$%&'*+-.^_`|~")
    return name


def check_field_value(value: str) -> str:
    """Return *value*, once it is known to hold no control character (RFC 9110, 5.5).  Raises ValueError."""
    bad = _bad_value(value)
    if bad is not None:
        raise ValueError(f"header value {quote(value)} holds the control character {bad.group()!r}")
    return value


def check_reason(reason: str) -> str:
    """Return *reason*, once it is known to fit a status line (RFC 9112, 4).  Raises ValueError."""
    bad = _bad_value(reason)
    if bad is not None:
        raise ValueError(f"reason {quote(reason)} holds the control character {bad.group()!r}")
    return reason


def format_status_line(code: int, reason: str | None = None) -> str:
    """Return the status line of a response, with its CRLF; the standard reason is the default."""
    line = _STATUS_LINES.get(code)
    if reason is None and line is not None:
        return line
    return f"HTTP/1.1 {code} {reason or 'Unknown'}\r\n"


def format_request_head(method: str, target: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return a request head; *target* is ASCII, and names and values have been checked."""
    return encode_head(f"{method} {target} HTTP/1.1\r\n", headers)


def encode_head(first_line: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return a head: *first_line* (with CRLF), the checked *headers*, and the empty line.

    Text that latin-1 does not have is sent as UTF-8.
    """
    lines = [f"{name}: {value}\r\n" for name, value in headers]
    text = f"{first_line}{''.join(lines)}\r\n"
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return b"".join(_encode_line(line) for line in (first_line, *lines, "\r\n"))


def _encode_line(line: str) -> bytes:
    try:
        return line.encode("latin-1")
    except UnicodeEncodeError:
        return line.encode("utf-8", "replace")


def format_chunk(data: bytes) -> bytes:
    """Return *data* as one chunk; without data, the last chunk (RFC 9112, 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)

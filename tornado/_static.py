"""Files under a root: which path is safe, what version a file has, which part of it is wanted.

The closet of `tornado.web.StaticFileHandler` for what needs neither a request nor a handler.
"""

import datetime
import functools
import hashlib
import mimetypes
import os
import re
import stat
import threading

from tornado.httputil import HTTPHeaders, etag_matches, format_timestamp, parse_timestamp

MAX_HASHED = 16 * 1024 * 1024  # bytes; of a larger file the version is made from its ends, to block nobody
SAMPLE = 1024 * 1024  # bytes at each end of such a file
MAX_VERSIONS = 1000  # files whose version is remembered

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_CONDITIONS = ("If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since")

_is_plain = re.compile(r"[A-Za-z0-9_\-]+(?:[./][A-Za-z0-9_\-]+)*").fullmatch
_names_device = re.compile(
    r"(?:^|/)(?:CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9]|CONIN\$|CONOUT\$)(?:[.: /]|$)", re.I
).search
_byte_range = re.compile(r"([0-9]{0,19})-([0-9]{0,19})").fullmatch


class Unsafe(Exception):
    """A path that must not be served; *status* is the answer it gets, the same whether it exists or not."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@functools.lru_cache(maxsize=100)
def real_root(path: str) -> str:
    """Return the folder *path* without links, found out once."""
    return os.path.realpath(path)


def join(root: str, path: str) -> str:
    """Return the file name of *path*, relative and with slashes, under *root*.

    Raises `Unsafe`: 403 for a path that would leave the root, 404 for one that no file can have.
    Links are not looked at; `open_regular` does that for the file it has opened.
    """
    if not _is_plain(path):
        _check_path(path)
    if _names_device(path):
        raise Unsafe(404)
    return f"{root}/{path}" if root != "/" else f"/{path}"


def _check_path(path: str) -> None:
    if "\\" in path or any(ord(char) < 0x20 or ord(char) == 0x7F for char in path):
        raise Unsafe(404)
    parts = path.split("/")
    if ".." in parts or path.startswith("/"):
        raise Unsafe(403)
    for part in parts:
        # What is a drive, or another name of the same file elsewhere, is no file here.
        if ":" in part or (part.endswith((" ", ".")) and part != "."):
            raise Unsafe(404)
    if "" in parts[:-1] or "." in parts:
        raise Unsafe(404)


class StaticFile:
    """An open regular file: its descriptor, its size in bytes, and when it changed."""

    __slots__ = ("_fd", "mtime", "mtime_ns", "size")

    def __init__(self, fd: int, found: os.stat_result) -> None:
        self._fd = fd
        self.size = found.st_size
        self.mtime = int(found.st_mtime)  # seconds since the epoch
        self.mtime_ns = found.st_mtime_ns

    def fileno(self) -> int:
        """Return the descriptor.  Raises ValueError once the file is closed."""
        if self._fd < 0:
            raise ValueError("the file is closed")
        return self._fd

    def close(self) -> None:
        """Close the file; it may be closed already."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def etag(self) -> str:
        """Return the strong validator of this file as it is (RFC 9110, 8.8.1)."""
        return f'"{self.mtime_ns:x}-{self.size:x}"'

    def read(self, first: int, count: int) -> bytes:
        """Return *count* bytes from *first*; fewer when the file has become shorter."""
        data = os.pread(self._fd, count, first)
        while len(data) < count and (more := os.pread(self._fd, count - len(data), first + len(data))):
            data += more
        return data


def open_regular(root: str, name: str, links_may_leave: bool = False) -> StaticFile | None:
    """Open the regular file *name* below the real path *root*; None when there is a directory.

    What was opened is examined, not what the name pointed to before.  Raises `Unsafe`: 404 when there
    is nothing that can be read, 403 when it is no file, or a link led out of the root.
    """
    try:
        fd = os.open(name, _FLAGS)
    except (OSError, ValueError):  # missing, not a directory, a loop, too long, not permitted, no name at all
        raise Unsafe(404) from None
    try:
        found = os.fstat(fd)
        if not links_may_leave and not _below(root, fd, name):
            raise Unsafe(403)
        if stat.S_ISREG(found.st_mode):
            opened = StaticFile(fd, found)
            fd = -1
            return opened
        if not stat.S_ISDIR(found.st_mode):
            raise Unsafe(403)
        return None
    finally:
        if fd >= 0:
            os.close(fd)


def _below(root: str, fd: int, name: str) -> bool:
    try:
        real = os.readlink(f"/proc/self/fd/{fd}")  # of the file itself: nobody can change a link in between
    except OSError:
        real = os.path.realpath(name)
    return real in (name, root) or real.startswith(root.rstrip("/") + "/")


# -- what is said of a file --


@functools.lru_cache(maxsize=1000)
def content_type(name: str) -> str | None:
    """Return the media type of the file *name*, None if it is not known.

    What is compressed is sent as it is and not undone by the browser, so its type is the compression's.
    """
    media_type, encoding = mimetypes.guess_type(name)
    if encoding is not None:
        return "application/gzip" if encoding == "gzip" else "application/octet-stream"
    return media_type


http_date = functools.lru_cache(maxsize=1000)(format_timestamp)


# -- versions --

_versions: dict[str, tuple[int, int, str]] = {}  # by file name: mtime_ns, size, version
_versions_lock = threading.Lock()


def version(root: str, path: str, links_may_leave: bool = False) -> str | None:
    """Return the version of the file *path* below *root*, hexadecimal, which changes with its content.

    None when it cannot be read.  Remembered until the file changes.
    """
    try:
        name = join(root, path)
        found = open_regular(root, name, links_may_leave)
    except Unsafe:
        return None
    if found is None:
        return None
    try:
        known = _versions.get(name)
        if known is not None and known[:2] == (found.mtime_ns, found.size):
            return known[2]
        digest = _hash(found)
    finally:
        found.close()
    with _versions_lock:
        if len(_versions) >= MAX_VERSIONS:
            _versions.clear()
        _versions[name] = (found.mtime_ns, found.size, digest)
    return digest


def _hash(found: StaticFile) -> str:
    hasher = hashlib.md5(usedforsecurity=False)
    if found.size <= MAX_HASHED:
        for first in range(0, found.size, SAMPLE):
            hasher.update(found.read(first, SAMPLE))
    else:
        hasher.update(f"{found.size} {found.mtime_ns} ".encode("ascii"))
        hasher.update(found.read(0, SAMPLE))
        hasher.update(found.read(found.size - SAMPLE, SAMPLE))
    return hasher.hexdigest()


def forget_versions() -> None:
    """Forget all versions, and what else is remembered of files."""
    real_root.cache_clear()
    content_type.cache_clear()
    with _versions_lock:
        _versions.clear()


# -- ranges --


def parse_range(value: str, size: int) -> tuple[int, int] | None:
    """Return the part of a file of *size* bytes that the Range field *value* wants: (first, count).

    None when the whole file is to be sent: no range of bytes, a malformed one, several (RFC 9110, 14.2
    allows that).  A count of 0 means that no part can be (416).
    """
    unit, equals, ranges = value.partition("=")
    if not equals or unit.strip(" \t").lower() != "bytes" or "," in ranges:
        return None
    match = _byte_range(ranges.strip(" \t"))
    if match is None or match[0] == "-":
        return None
    if not match[1]:  # the last bytes
        count = min(int(match[2]), size)
        return size - count, count
    first = int(match[1])
    last = int(match[2]) if match[2] else size - 1
    if match[2] and last < first:
        return None  # malformed
    return first, max(0, min(last, size - 1) - first + 1)


# -- conditions --


def precondition(headers: HTTPHeaders, etag: str, modified: datetime.datetime) -> int:
    """Return 412, 304 or 200, as the conditions of a GET request have it (RFC 9110, 13.2.2).

    *modified* is aware and has whole seconds.  What is malformed counts as absent.
    """
    if not any([name in headers for name in _CONDITIONS]):
        return 200
    if "If-Match" in headers:
        given = [tag.strip(" \t") for tag in headers["If-Match"].split(",")]
        if "*" not in given and etag not in given:
            return 412
    else:
        unless = parse_timestamp(headers.get("If-Unmodified-Since", ""))
        if unless is not None and modified > unless:
            return 412
    if "If-None-Match" in headers:
        return 304 if etag_matches(headers["If-None-Match"], etag) else 200
    known = parse_timestamp(headers.get("If-Modified-Since", ""))
    return 304 if known is not None and modified <= known else 200


def wanted_part(
    headers: HTTPHeaders, found: StaticFile, modified: datetime.datetime
) -> tuple[int, int] | None:
    """Return the part that Range asks for, as `parse_range`; None also when If-Range names another file."""
    value = headers.get("Range")
    if value is None:
        return None
    condition = headers.get("If-Range")
    if condition is not None and condition != found.etag() and parse_timestamp(condition) != modified:
        return None
    return parse_range(value, found.size)

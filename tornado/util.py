"""Small things that every other module may need; it imports none of them.

    >>> settings = ObjectDict(debug=False)
    >>> settings.debug = True
    >>> settings["debug"]
    True
    >>> import_object("os.path.basename")("/var/log/web.log")
    'web.log'

Text and bytes are converted in `tornado.escape`.
"""

import importlib
import zlib
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import unittest

bytes_type = bytes
"""The type of byte strings; extensions written for both Python 2 and 3 import it from here."""

ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


class UsageError(RuntimeError, AssertionError):
    """A method of ours was called at the wrong time or in the wrong way.

    Releases of 2011 checked their callers with the `assert` statement.  This is an AssertionError so that
    programs which caught it still do, and it is raised under ``python -O`` as well.
    """


class UsageTypeError(TypeError, AssertionError):
    """An argument has a type that the function cannot take; an AssertionError as `UsageError` is."""


class ObjectDict(dict[str, Any]):
    """A dict whose entries are attributes too, to read and to set.

    An attribute without an entry is an AttributeError.  The methods of dict go first: an entry named
    ``items`` is read as ``d["items"]``.
    """

    def __getattr__(self, name: str) -> Any:
        """Return the entry *name*; raise AttributeError if there is none."""
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no entry {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        """Set the entry *name*."""
        self[name] = value


def import_object(name: str) -> Any:
    """Return the object with the dotted *name*: ``"a.b.c"`` is attribute or module ``c`` of ``a.b``.

    Raises ValueError if *name* has no dot, ImportError if ``a.b`` cannot be imported, AttributeError if
    it can and has no ``c``.

    >>> import_object("tornado.escape.utf8")("text")
    b'text'
    """
    module_name, _, attribute = name.rpartition(".")
    if not module_name or not attribute:
        raise ValueError(f"cannot import {name!r}: give the module too, as in 'package.module.Name'")
    module = importlib.import_module(module_name)
    try:
        return getattr(module, attribute)
    except AttributeError:
        pass
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:  # the module is there, and itself imports one that is not
            raise
    raise AttributeError(f"cannot import {name!r}: module {module_name!r} has no {attribute!r}")


def b(s: str) -> bytes:
    r"""Return the characters of *s*, each below U+0100, as bytes: what the literal ``b"..."`` is today.

    >>> b("caf\xe9")
    b'caf\xe9'
    """
    return s.encode("latin-1")


def raise_exc_info(exc_info: ExcInfo) -> NoReturn:
    """Raise again what `sys.exc_info` returned, with its traceback.

    A missing instance is made from its class.  Raises `UsageError` for ``(None, None, None)``.
    """
    kind, error, traceback = exc_info
    try:
        if error is None and kind is not None:
            error = kind()
        if error is None:
            raise UsageError("no exception to raise again: sys.exc_info() was called outside of 'except'")
        raise error.with_traceback(traceback)
    finally:
        # The traceback ends in this frame. Its names would keep the exception, hence the traceback, hence
        # every frame below alive until the garbage collector runs.
        del exc_info, kind, error, traceback


class GzipDecompressor:
    """Inflates a gzip stream (RFC 1952) that arrives in pieces.

    To inflate in bounded steps pass *max_length*, and feed `unconsumed_tail` again until it is empty.
    """

    def __init__(self) -> None:
        self.decompressobj = zlib.decompressobj(16 + zlib.MAX_WBITS)  # 16: gzip header and trailer

    def decompress(self, value: bytes, max_length: int = 0) -> bytes:
        """Return what the bytes *value* inflate to, possibly ``b""`` as yet.

        At most *max_length* bytes are returned, 0 meaning any number; the input that was not looked at for
        that reason is then in `unconsumed_tail`.  Raises `zlib.error` if *value* is no gzip data.
        """
        return self.decompressobj.decompress(value, max_length)

    @property
    def unconsumed_tail(self) -> bytes:
        """The input left over by the *max_length* of the last `decompress`; pass it to the next."""
        return self.decompressobj.unconsumed_tail

    def flush(self) -> bytes:
        """Return the bytes that are still inside, after the last `decompress`.

        It inflates `unconsumed_tail` without a limit: call it when that is empty.
        """
        return self.decompressobj.flush()


def doctests() -> "unittest.TestSuite":
    """Return the doctests of this module as a test suite."""
    import doctest  # late: it pulls in unittest and the debugger, which no server needs

    return doctest.DocTestSuite(__name__)

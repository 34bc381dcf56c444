"""Which handler serves a path: URL patterns, host groups, and the way back from a name to a URL.

The closet of `tornado.web` for what needs neither a request nor a handler.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Union
from urllib.parse import unquote_to_bytes

from tornado.util import UsageError, import_object

log = logging.getLogger(__name__)

# A handler class, as `tornado.web` knows it, or its dotted name.
HandlerClass = Callable[..., Any]
Rule = Union["URLSpec", Sequence[Any]]

MAX_CACHED_PATHS = 1000  # matches remembered; the paths of most sites are few, and peers choose them
MAX_CACHED_PATH = 128  # characters; longer paths are matched anew each time


class URLSpec:
    """A rule of an `Application`: which paths go to which handler.

    *pattern* is a regular expression for the whole path (``$`` is added).  Its groups become arguments
    of the handler's methods: if any is named, the named ones as keywords, else all of them by position.
    *handler_class* is a `RequestHandler` class or its dotted name; *kwargs* go to its ``initialize``;
    *name* is what ``reverse_url`` finds it by.
    """

    def __init__(
        self,
        pattern: str,
        handler_class: HandlerClass | str,
        kwargs: dict[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        if not pattern.endswith("$"):
            pattern += "$"
        self.regex = re.compile(pattern)
        self.handler_class = import_object(handler_class) if isinstance(handler_class, str) else handler_class
        self.kwargs = kwargs or {}
        self.name = name
        self._format, self._group_count = _reversible(self.regex)

    def __repr__(self) -> str:
        return f"URLSpec({self.regex.pattern!r}, {self.handler_class!r}, name={self.name!r})"

    def match(self, path: str) -> tuple[tuple[bytes | None, ...], dict[str, bytes | None]] | None:
        """Return the arguments for a handler's method, percent-decoded to bytes; None if *path* differs.

        A group that took no part is None.
        """
        match = self.regex.match(path)
        if match is None:
            return None
        if self.regex.groupindex:
            return (), {name: _unquote(value) for name, value in match.groupdict().items()}
        return tuple([_unquote(value) for value in match.groups()]), {}

    def reverse(self, *args: Any) -> str:
        """Return the path with *args* (as `str` has them) in place of the groups.

        Raises AssertionError for a wrong number of arguments, or a pattern that is no plain path with
        groups.
        """
        if self._format is None:
            raise UsageError(f"cannot reverse {self.regex.pattern!r}: it is no path with simple groups")
        if len(args) != self._group_count:
            raise UsageError(
                f"{self.regex.pattern!r} has {self._group_count} groups, got {len(args)} arguments"
            )
        return self._format % tuple([str(arg) for arg in args])


def _unquote(value: str | None) -> bytes | None:
    if value is None:
        return None
    return unquote_to_bytes(value) if "%" in value else value.encode("utf-8")


def _reversible(regex: re.Pattern[str]) -> tuple[str | None, int | None]:
    """A format with ``%s`` for each group of *regex*, and how many there are; None where that fails."""
    pattern = regex.pattern.removeprefix("^").removesuffix("$")
    if regex.groups != pattern.count("(") or "%" in re.sub(r"\([^()]*\)", "", pattern):
        return None, None  # an escaped parenthesis, a group that captures nothing, a literal %
    pieces = []
    for piece in pattern.split("("):
        if ")" in piece:
            pieces.append("%s" + piece[piece.index(")") + 1 :])
        else:
            pieces.append(piece)
    if any(")" in piece for piece in pieces):
        return None, None
    return re.sub(r"\\(\W)", r"\1", "".join(pieces)), regex.groups


Match = tuple[URLSpec, tuple[bytes | None, ...], dict[str, bytes | None]]


class HostGroup:
    """The rules for the hosts that *pattern* matches, in order."""

    def __init__(self, pattern: re.Pattern[str], specs: list[URLSpec]) -> None:
        self.pattern = pattern
        self.specs = specs
        self._cache: dict[str, Match] = {}

    def __iter__(self) -> Iterator[Any]:
        """Yield the pattern and the list of rules: in 2.x a group was this pair."""
        return iter((self.pattern, self.specs))

    def __getitem__(self, index: int) -> Any:
        """Return the pattern (0) or the list of rules (1)."""
        return (self.pattern, self.specs)[index]

    def find(self, path: str) -> Match | None:
        """Return the first rule that *path* matches, with its arguments, or None."""
        found = self._cache.get(path)
        if found is not None:
            return found
        for spec in self.specs:
            arguments = spec.match(path)
            if arguments is not None:
                found = (spec, *arguments)
                break
        if found is not None and len(path) <= MAX_CACHED_PATH:
            if len(self._cache) >= MAX_CACHED_PATHS:
                self._cache.clear()
            self._cache[path] = found
        return found


def add_group(groups: list[HostGroup], host_pattern: str, specs: list[URLSpec]) -> None:
    """Add *specs* for the hosts of *host_pattern* (``$`` is added); the group for all hosts stays last."""
    if not host_pattern.endswith("$"):
        host_pattern += "$"
    group = HostGroup(re.compile(host_pattern), specs)
    if groups and groups[-1].pattern.pattern == ".*$":
        groups.insert(-1, group)
    else:
        groups.append(group)


def make_specs(rules: Iterable[Rule]) -> list[URLSpec]:
    """Return the `URLSpec` of each rule; a rule is one already, or a tuple of its first three arguments."""
    specs = []
    for rule in rules:
        if isinstance(rule, URLSpec):
            specs.append(rule)
        elif isinstance(rule, (tuple, list)) and 2 <= len(rule) <= 3:
            specs.append(URLSpec(*rule))
        else:
            raise TypeError(
                f"handlers has {rule!r}, wanted (pattern, handler_class), (pattern, handler_class, kwargs)"
                " or url(pattern, handler_class, kwargs, name)"
            )
    return specs


def add_names(named: dict[str, URLSpec], specs: Iterable[URLSpec]) -> None:
    """Enter the *specs* that have a name; the last of one name wins, with a warning."""
    for spec in specs:
        if spec.name:
            if spec.name in named:
                log.warning("several handlers are named %r; the last one counts", spec.name)
            named[spec.name] = spec

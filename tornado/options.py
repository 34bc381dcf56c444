"""Options from the command line and from configuration files, and readable logging.

A module defines the options it reads, at import::

    from tornado.options import define, options

    define("port", default=8888, help="port to listen on")
    define("memcache_hosts", default=["127.0.0.1:11011"], multiple=True, help="memcached servers")

The program fills them in when it starts, after which every module sees the same values::

    options.parse_config_file("/etc/site.conf")      # a Python file: port = 80
    options.parse_command_line()                     # --port=80; also sets up logging
    server.listen(options.port)

A value has the type of its option: that of the default, unless *type* says otherwise.  `datetime`,
`timedelta` and comma separated lists (*multiple*) are understood.  Values of options with ``secret``,
``password`` or ``token`` in their names appear in no message, help text or `repr`.
"""

import datetime
import logging
import logging.handlers
import os
import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from tornado.escape import to_unicode, utf8


class Error(Exception):
    """An option was defined, named or given in a way that does not work; the message says how."""


class _Options(dict[str, "_Option"]):
    """The options by name; their values are the attributes.

    ``options.port`` reads a value, ``options.port = 80`` sets it, ``"port" in options`` tells if it is
    defined.  Names of dict's own methods, such as ``items``, cannot be read in this way.
    """

    @classmethod
    def instance(cls) -> "_Options":
        """Return `options`, the set that the functions of this module work on."""
        return options

    def __getattr__(self, name: str) -> Any:
        """Return the value of option *name*; raise AttributeError if it is not defined."""
        if option := self.get(name):
            return option.value()
        raise AttributeError(f"unknown option {name!r}: call tornado.options.define({name!r}) first")

    def __setattr__(self, name: str, value: Any) -> None:
        """Set option *name*; raise AttributeError if it is not defined, `Error` for the wrong type."""
        if name not in self:
            raise AttributeError(f"unknown option {name!r}: call tornado.options.define({name!r}) first")
        self[name].set(value)

    def define(
        self,
        name: str,
        default: Any = None,
        type: Callable[[str], Any] | None = None,
        help: str | None = None,
        metavar: str | None = None,
        multiple: bool = False,
        group: str | None = None,
    ) -> None:
        """Define the option *name*, written ``--name`` on the command line and ``options.name`` in programs.

        *type* makes a value of text: bool, int, float, str, `datetime.datetime`, `datetime.timedelta` or any
        callable that raises ValueError for text it does not understand; by default it is the class of
        *default*, or str.  With *multiple* the value is a list, written with commas; for int ``3:5`` means
        ``3,4,5``.  *help* and *metavar* (what ``--help`` writes for the value) are shown under the heading
        *group*, by default the file that calls.  A dash in *name* is an underscore.

        Raises `Error` if *name* is defined already.
        """
        name = name.replace("-", "_")
        if name in self:
            raise Error(f"option {name!r} is already defined in {self[name].file_name}: choose another name")
        if type is None:
            type = str if multiple or default is None else default.__class__
        self[name] = _Option(name, default, type, help, metavar, multiple, _defining_file(), group)

    def parse_command_line(self, args: Sequence[str] | None = None) -> list[str]:
        """Set the options from *args*, by default `sys.argv`, and return the arguments that follow them.

        ``args[0]`` is the program.  Options are ``--name=value`` or ``-name=value``, ``--flag`` alone for a
        bool, and end at ``--`` or at the first argument without a dash.  A later value replaces an earlier
        one, lists too.  ``--help`` prints the help and raises SystemExit(0).

        Unless the option ``logging`` is ``none``, sets the level of the root logger to it and calls
        `enable_pretty_logging`.  Raises `Error` for an unknown option (after printing the help), a missing
        value or one that its type does not take.
        """
        remaining = list(sys.argv if args is None else args)[1:]
        while remaining and remaining[0].startswith("-"):
            arg = remaining.pop(0)
            if arg == "--":
                break
            self._parse_argument(arg)
        if getattr(self, "help", False):
            self.print_help()
            sys.exit(0)
        self._set_up_logging()
        return remaining

    def _parse_argument(self, arg: str) -> None:
        name, equals, text = to_unicode(arg).lstrip("-").partition("=")
        option = self.get(name.replace("-", "_"))
        if option is None:
            self.print_help()
            raise Error(f"unknown option --{name}: {self._advice(name)}")
        if not equals:
            if option.type is not bool:
                raise Error(f"option --{name} came without a value: write {option.usage()}")
            text = "true"
        option.parse(text)

    def _advice(self, name: str) -> str:
        """Say what to do about the unknown option *name*."""
        import difflib  # late: most programs never come here

        if close := difflib.get_close_matches(name.replace("-", "_"), self, 1):
            return f"did you mean --{close[0]}?"
        return "use one that --help lists"

    def _set_up_logging(self) -> None:
        name = str(getattr(self, "logging", None) or "none")
        if name.lower() == "none":
            return
        level = logging.getLevelNamesMapping().get(name.upper())
        if level is None:
            raise Error(f"option --logging got {name!r}, wanted debug, info, warning, error or none")
        logging.getLogger().setLevel(level)
        enable_pretty_logging(self)

    def parse_config_file(self, path: str) -> None:
        """Run the Python file at *path* and set each option that it assigns to.

        Other names are its own business.  Raises `Error` for a value of the wrong type, and whatever the file
        raises.  Only run files you trust: they are programs.
        """
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec")
        values: dict[str, Any] = {"__file__": path, "__name__": "__config__"}
        exec(code, values)
        for name, value in values.items():
            if name in self:
                try:
                    self[name].set(value)
                except Error as error:
                    raise Error(f"{path}: {error}") from None

    def print_help(self, file: TextIO | None = None) -> None:
        """Write how to use the options to the text *file*, by default `sys.stdout`."""
        lines = [f"Usage: {sys.argv[0]} [OPTIONS]", "", "Options:"]
        groups: dict[str, list[_Option]] = {}
        for option in self.values():
            groups.setdefault(option.group_name, []).append(option)
        for group_name, members in sorted(groups.items()):
            lines += ["", f"{group_name} options:", ""]
            for option in sorted(members, key=lambda option: option.name):
                lines += option.help_lines()
        print("\n".join([*lines, ""]), file=sys.stdout if file is None else file)


def _defining_file() -> str:
    """Return the file that called `define`: the nearest outside of this one, or this one for its own."""
    frame = sys._getframe(1)
    here = frame.f_code.co_filename
    while frame.f_back and frame.f_code.co_filename == here and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    return frame.f_code.co_filename


class _Option:
    """One option and its value.  `type` makes a value of the text that a user gives."""

    def __init__(
        self,
        name: str,
        default: Any = None,
        type: Callable[[str], Any] = str,
        help: str | None = None,
        metavar: str | None = None,
        multiple: bool = False,
        file_name: str = "",
        group_name: str | None = None,
    ) -> None:
        self.name = name
        self.type = type
        self.help = help
        self.metavar = metavar
        self.multiple = multiple
        self.file_name = file_name
        self.group_name = group_name or os.path.normpath(file_name)
        self.secret = bool(re.search("secret|password|token", name, re.IGNORECASE))
        self.default = [] if default is None and multiple else default
        self._value = self.default

    def __repr__(self) -> str:
        return f"<option {self.name}={self._shown(self._value)}>"

    def _shown(self, value: Any) -> str:
        """Return *value* for people to read, unless it is a secret."""
        if self.secret:
            return "(hidden)"
        text = repr(value)
        return text if len(text) <= 80 else f"{text[:80]}..."

    def value(self) -> Any:
        """Return the value: the default until another one is parsed or set."""
        return self._value

    def set(self, value: Any) -> None:
        """Set *value*, which is None or of the right type: else raise `Error`."""
        if self.multiple and not isinstance(value, list):
            raise self._wrong(value, f"a list of {self._type_name()}")
        if isinstance(self.type, type):
            for item in value if self.multiple else [value]:
                if item is not None and not isinstance(item, self.type):
                    raise self._wrong(item, self._type_name())
        self._value = value

    def _wrong(self, value: Any, wanted: str) -> Error:
        kind = value.__class__.__name__
        return Error(f"option {self.name} got {self._shown(value)} of type {kind}, wanted {wanted}")

    def parse(self, text: str) -> None:
        """Set the value that *text* stands for; raise `Error` if it stands for none."""
        if not self.multiple:
            self._value = self._parse(text)
            return
        parse = self._parse_range if self.type is int else lambda part: [self._parse(part)]
        self._value = [value for part in (text.split(",") if text else []) for value in parse(part)]

    def _parse_range(self, text: str) -> Sequence[int]:
        """Return the numbers from a to b for ``a:b``, or the one there is."""
        first, _, last = text.partition(":")
        start = self._parse(first)
        end = self._parse(last) if last else start
        if end < start:
            raise Error(f"option --{self.name} got {self._shown(text)}, wanted a range from low to high")
        return range(start, end + 1)

    def _parse(self, text: str) -> Any:
        try:
            return _PARSERS.get(self.type, self.type)(text)
        except (ValueError, TypeError, ArithmeticError, LookupError):
            wanted = _EXAMPLES.get(self.type, self._type_name())
            # `from None`: the message of the cause quotes the text, which may be a secret
            raise Error(f"option --{self.name} got {self._shown(text)}, wanted {wanted}") from None

    def _type_name(self) -> str:
        return str(getattr(self.type, "__name__", self.type))

    def usage(self) -> str:
        """Return how to write the option on the command line."""
        if self.type is bool and not self.metavar:
            return f"--{self.name}"
        return f"--{self.name}={self.metavar or self._type_name().upper()}"

    def help_lines(self) -> list[str]:
        """Return the lines about the option in a help text: 30 columns for `usage`, 45 for the rest."""
        text = self.help or ""
        if self.default not in (None, "", []):
            text += f" (default {'hidden' if self.secret else self.default})"
        lines = textwrap.wrap(text, 79 - 34) or [""]
        usage = self.usage()
        if len(usage) > 30:
            lines.insert(0, "")
        first, *rest = lines
        return [f"  {usage:<30}  {first}".rstrip(), *(" " * 34 + line for line in rest)]


options = _Options()
"""The options of this program."""

# The functions of this module are the methods of that set.
define = options.define
parse_command_line = options.parse_command_line
parse_config_file = options.parse_config_file
print_help = options.print_help


# -- values as text ------------------------------------------------------------------------------------

_DATETIME_FORMATS = [
    "%a %b %d %H:%M:%S %Y",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y%m%d %H:%M:%S",
    "%Y%m%d %H:%M",
    "%Y-%m-%d",
    "%Y%m%d",
    "%H:%M:%S",
    "%H:%M",
]

_TIME_UNITS = {
    "": "seconds",
    "us": "microseconds",
    "ms": "milliseconds",
    "s": "seconds",
    "sec": "seconds",
    "m": "minutes",
    "min": "minutes",
    "h": "hours",
    "d": "days",
    "w": "weeks",
}
_TIME_UNITS.update({name: name for name in list(_TIME_UNITS.values())})

_DURATION = re.compile(r"\s*([-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[-+]?[0-9]+)?)(?![0-9.])\s*([a-z]*)\s*")


def _parse_bool(text: str) -> bool:
    return text.lower() not in ("false", "f", "0", "no", "n", "off")


def _parse_datetime(text: str) -> datetime.datetime:
    for format in _DATETIME_FORMATS:
        try:
            return datetime.datetime.strptime(text, format)
        except ValueError:
            pass
    raise ValueError(text)


def _parse_timedelta(text: str) -> datetime.timedelta:
    """Return the sum of the durations in *text*; a number without a unit is seconds.

    >>> str(_parse_timedelta("2d 3h 1.5m -5s"))
    '2 days, 3:01:25'
    """
    text, total, end = text.lower(), datetime.timedelta(), 0
    while end < len(text) or not text:
        found = _DURATION.match(text, end)
        if not found:
            raise ValueError(text)
        total += datetime.timedelta(**{_TIME_UNITS[found[2]]: float(found[1])})
        end = found.end()
    return total


_PARSERS: dict[Any, Callable[[str], Any]] = {
    bool: _parse_bool,
    bytes: utf8,
    datetime.datetime: _parse_datetime,
    datetime.timedelta: _parse_timedelta,
}

_EXAMPLES: dict[Any, str] = {
    datetime.datetime: "a time such as '2011-06-21 12:34'",
    datetime.timedelta: "a duration such as '2d 3h' or '1.5m'",
}


# -- logging -------------------------------------------------------------------------------------------


def enable_pretty_logging(options: Any = options) -> None:
    """Make the root logger write as *options* say; its level is left as it is.

    With ``log_file_prefix``, to the file of that name, renamed at ``log_file_max_size`` bytes and kept
    ``log_file_num_backups`` times.  To stderr with ``log_to_stderr``, or if that is None and nothing else
    handles what reaches the root logger.  A second call replaces the handlers of the first.  Raises
    OSError if the file cannot be opened.
    """
    root = logging.getLogger()
    old = [handler for handler in root.handlers if isinstance(handler, _Unfailing)]
    new: list[logging.Handler] = []
    if getattr(options, "log_file_prefix", None):
        new.append(_file_handler(options))
    to_stderr = getattr(options, "log_to_stderr", None)
    if to_stderr or (to_stderr is None and not new and len(old) == len(root.handlers)):
        new.append(_stderr_handler())
    for replaced in old:
        root.removeHandler(replaced)
        replaced.close()
    for handler in new:
        root.addHandler(handler)


class _Unfailing(logging.Handler):
    """A handler of ours: whatever happens to a record, the program that logged it goes on."""

    def handleError(self, record: logging.LogRecord) -> None:  # the name that logging calls
        """Report the failure on stderr, if there is one that works."""
        try:
            super().handleError(record)
        except Exception:
            pass  # stderr is closed as well, and nobody is left to be told


class _StderrHandler(_Unfailing, logging.StreamHandler[TextIO]):
    """Writes to the `sys.stderr` of the time it was made."""


class _FileHandler(_Unfailing, logging.handlers.RotatingFileHandler):
    """Writes to a file and starts another when it is full."""


def _stderr_handler() -> logging.Handler:
    handler = _StderrHandler()
    handler.setFormatter(_LogFormatter(color=not os.environ.get("NO_COLOR")))
    return handler


def _file_handler(options: Any) -> logging.Handler:
    handler = _FileHandler(
        options.log_file_prefix,
        maxBytes=getattr(options, "log_file_max_size", None) or 0,
        backupCount=getattr(options, "log_file_num_backups", None) or 0,
        encoding="utf-8",
        errors="backslashreplace",
    )
    handler.setFormatter(_LogFormatter(color=False))
    return handler


_COLORS = {logging.DEBUG: 4, logging.INFO: 2, logging.WARNING: 3, logging.ERROR: 1, logging.CRITICAL: 1}

# What a record must not do to a terminal or to the next line of a log: controls other than \t and \n, and the
# two Unicode characters that some viewers break lines at.
_VISIBLE = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)] if chr(code) not in "\t\n"}
_VISIBLE.update({0x2028: "\\u2028", 0x2029: "\\u2029"})


class _LogFormatter(logging.Formatter):
    """Formats records as ``[I 110621 12:34:56 web:1234] message``, the time being local.

    Further lines, tracebacks among them, are indented by four spaces, and control characters are shown as
    ``\\xNN``: no message can pass for another record.  With *color* the bracket has the colour of the
    level, if stderr is a terminal that has colours.
    """

    def __init__(self, color: bool, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._colors = _terminal_colors() if color else {}

    def format(self, record: logging.LogRecord) -> str:
        """Return *record* as text without a newline at the end; never raises for a bad message."""
        text = _message(record)
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            text = f"{text.rstrip()}\n{record.exc_text}"
        if record.stack_info:
            text = f"{text.rstrip()}\n{record.stack_info}"
        time = self.formatTime(record, "%y%m%d %H:%M:%S")
        start, end = self._colors.get(record.levelno, ("", ""))
        prefix = f"{start}[{record.levelname[:1]} {time} {record.module}:{record.lineno}]{end}"
        return f"{prefix} {text.translate(_VISIBLE)}".replace("\n", "\n    ")


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # arguments that do not fit, or whose __str__ raises
        try:
            return f"Bad message ({error!r}): {record.__dict__!r}"
        except Exception:
            return f"Bad message ({error.__class__.__name__}) that cannot be shown"


def _terminal_colors() -> dict[int, tuple[str, str]]:
    """Return for each level what to write before and after a text to colour it; {} without colours."""
    try:
        import curses  # late: few programs write to a terminal, and some Pythons are built without it
    except ImportError:
        return {}
    try:
        if not sys.stderr.isatty():
            return {}
        curses.setupterm(fd=sys.stderr.fileno())
        color, normal = curses.tigetstr("setaf"), curses.tigetstr("sgr0")
        if not color or not normal:
            return {}
        return {
            level: (curses.tparm(color, number).decode("ascii"), normal.decode("ascii"))
            for level, number in _COLORS.items()
        }
    except (curses.error, AttributeError, OSError, ValueError):  # an unknown $TERM; stderr is closed
        return {}


define("help", type=bool, help="show this help and exit")
define(
    "logging",
    default="info",
    metavar="debug|info|warning|error|none",
    help="the least level of what is logged; none leaves logging alone",
)
define("log_to_stderr", type=bool, help="log to stderr; by default only if nothing else handles the log")
define("log_file_prefix", type=str, metavar="PATH", help="log to this file; each process needs its own")
define(
    "log_file_max_size", type=int, default=100_000_000, help="bytes in a log file before the next is begun"
)
define("log_file_num_backups", type=int, default=10, help="number of full log files to keep")

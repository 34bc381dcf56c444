"""Tests of tornado.options."""

import contextlib
import curses
import datetime
import decimal
import doctest
import io
import logging
import os
import pty
import re
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from collections.abc import Callable
from typing import Any, NoReturn

from tornado import options as module
from tornado.options import Error, _LogFormatter, _Options
from tornado.test.outside import ROOT


def day(*args: int) -> datetime.datetime:
    return datetime.datetime(*args)  # type: ignore[arg-type]


def span(**units: float) -> datetime.timedelta:
    return datetime.timedelta(**units)


PARSED: list[tuple[Any, str, Any]] = [  # type, text, value
    (str, "caf\xe9=1,2", "caf\xe9=1,2"),
    (str, "", ""),
    (int, "-80", -80),
    (float, "1.5e3", 1500.0),
    (bytes, "caf\xe9", b"caf\xc3\xa9"),
    (decimal.Decimal, "1.10", decimal.Decimal("1.10")),
    (str.upper, "abc", "ABC"),
    *[(bool, text, True) for text in ("true", "1", "t", "yes", "on", "anything")],
    *[(bool, text, False) for text in ("false", "FALSE", "0", "f", "F", "no", "off", "n", "No")],
    (datetime.datetime, "Tue Jun 21 12:34:56 2011", day(2011, 6, 21, 12, 34, 56)),
    (datetime.datetime, "2011-06-21 12:34:56", day(2011, 6, 21, 12, 34, 56)),
    (datetime.datetime, "2011-06-21 12:34", day(2011, 6, 21, 12, 34)),
    (datetime.datetime, "2011-06-21T12:34", day(2011, 6, 21, 12, 34)),
    (datetime.datetime, "20110621 12:34:56", day(2011, 6, 21, 12, 34, 56)),
    (datetime.datetime, "20110621 12:34", day(2011, 6, 21, 12, 34)),
    (datetime.datetime, "2011-06-21", day(2011, 6, 21)),
    (datetime.datetime, "20110621", day(2011, 6, 21)),
    (datetime.datetime, "12:34:56", day(1900, 1, 1, 12, 34, 56)),
    (datetime.datetime, "12:34", day(1900, 1, 1, 12, 34)),
    (datetime.timedelta, "90", span(seconds=90)),
    (datetime.timedelta, "2d 3h", span(days=2, hours=3)),
    (datetime.timedelta, "1.5m", span(seconds=90)),
    (datetime.timedelta, "-5s", span(seconds=-5)),
    (datetime.timedelta, "1min30sec", span(seconds=90)),
    (datetime.timedelta, " 1 w 1 ms 1us ", span(weeks=1, milliseconds=1, microseconds=1)),
    (datetime.timedelta, "1H 2 Minutes 1e1 seconds", span(hours=1, minutes=2, seconds=10)),
]

NOT_PARSED = [  # type, text, what the error says was wanted
    (int, "eighty", "wanted int"),
    (int, "", "wanted int"),
    (float, "1,5", "wanted float"),
    (decimal.Decimal, "x", "wanted Decimal"),
    (datetime.datetime, "21.06.2011", "wanted a time such as '2011-06-21 12:34'"),
    (datetime.datetime, "", "wanted a time such as"),
    *[
        (datetime.timedelta, text, "wanted a duration such as '2d 3h'")
        for text in ("", " ", "5x", "h", "1h x", "1.2.3s", "\u0665s", "1e999s", "9" * 300)
    ],
]

LISTS: list[tuple[Any, str, Any]] = [  # type, text, value
    (str, "a,b", ["a", "b"]),
    (str, "a", ["a"]),
    (str, "", []),
    (int, "1,2:4,7", [1, 2, 3, 4, 7]),
    (int, "-2:1", [-2, -1, 0, 1]),
    (int, "5:5", [5]),
    (float, "1.5,2", [1.5, 2.0]),
    (datetime.timedelta, "1s,1m", [span(seconds=1), span(minutes=1)]),
]


class DefineTest(unittest.TestCase):
    def setUp(self) -> None:
        self.options = _Options()

    def test_type_is_inferred(self) -> None:
        for default, type in [(None, str), ("x", str), (1, int), (True, bool), (1.5, float)]:
            options = _Options()
            options.define("name", default=default)
            self.assertIs(options["name"].type, type)
            self.assertEqual(options.name, default)
        self.options.define("names", default=[1], multiple=True)
        self.assertIs(self.options["names"].type, str)

    def test_default_of_a_list_is_its_own(self) -> None:
        for name in ("a", "b"):
            self.options.define(name, multiple=True)
        self.options.a.append("x")
        self.assertEqual(self.options.b, [])

    def test_twice(self) -> None:
        self.options.define("port", default=1)
        with self.assertRaisesRegex(Error, "'port' is already defined in .*options_test.py: choose another"):
            self.options.define("port", default=2)
        self.assertEqual(self.options.port, 1)

    def test_dashes_are_underscores(self) -> None:
        self.options.define("my-port", default=1)
        self.options.parse_command_line(["prog", "--my-port=2"])
        self.assertEqual(self.options.my_port, 2)
        self.options.parse_command_line(["prog", "--my_port=3"])
        self.assertEqual(self.options.my_port, 3)

    def test_names(self) -> None:
        self.options.define("port", default=1)
        self.assertIn("port", self.options)
        self.assertNotIn("prot", self.options)
        for access in (lambda: self.options.prot, lambda: setattr(self.options, "prot", 1)):
            self.assertRaisesRegex(AttributeError, r"unknown option 'prot': call .*define\('prot'\)", access)
        self.assertFalse(hasattr(self.options, "prot"))

    def test_predefined(self) -> None:
        wanted: dict[str, tuple[Any, Any]] = {
            "help": (bool, None),
            "logging": (str, "info"),
            "log_to_stderr": (bool, None),
            "log_file_prefix": (str, None),
            "log_file_max_size": (int, 100_000_000),
            "log_file_num_backups": (int, 10),
        }
        defined = {name: (module.options[name].type, module.options[name].default) for name in wanted}
        self.assertEqual(defined, wanted)
        self.assertIs(_Options.instance(), module.options)


class AssignmentTest(unittest.TestCase):
    def setUp(self) -> None:
        self.options = _Options()
        self.options.define("port", type=int)
        self.options.define("names", multiple=True)
        self.options.define("color", type=str.upper)

    def test_value_of_the_type_or_none(self) -> None:
        self.options.port = 80
        self.assertEqual(self.options.port, 80)
        self.options.port = None
        self.assertIsNone(self.options.port)
        self.options.names = ["a", None]
        self.assertEqual(self.options.names, ["a", None])
        self.options.color = 7  # a function is no type to check against
        self.assertEqual(self.options.color, 7)

    def test_wrong_type(self) -> None:
        for name, value, message in [
            ("port", "80", "option port got '80' of type str, wanted int"),
            ("names", "a", "option names got 'a' of type str, wanted a list of str"),
            ("names", ["a", 1], "option names got 1 of type int, wanted str"),
            ("port", "x" * 100, "option port got 'x{79}... of type str"),
        ]:
            with self.subTest(name, value=value), self.assertRaisesRegex(Error, message):
                setattr(self.options, name, value)
        self.assertIsNone(self.options.port)


class CommandLineTest(unittest.TestCase):
    def setUp(self) -> None:
        self.options = _Options()
        self.options.define("port", default=80)
        self.options.define("verbose", default=False)
        self.options.define("name")
        self.printed = self.enterContext(contextlib.redirect_stdout(io.StringIO()))

    def parse(self, *args: str) -> list[str]:
        return self.options.parse_command_line(["prog", *args])

    def test_values(self) -> None:
        for type, text, value in PARSED:
            with self.subTest(type=type, text=text):
                options = _Options()
                options.define("value", type=type)
                self.assertEqual(options.parse_command_line(["prog", f"--value={text}"]), [])
                self.assertEqual(options.value, value)

    def test_wrong_values(self) -> None:
        for type, text, wanted in NOT_PARSED:
            with self.subTest(type=type, text=text):
                options = _Options()
                options.define("value", type=type)
                with self.assertRaises(Error) as caught:
                    options.parse_command_line(["prog", f"--value={text}"])
                self.assertIn(f"option --value got {text[:79]!r}"[:90], str(caught.exception))
                self.assertIn(wanted, str(caught.exception))
                self.assertIsNone(options.value)

    def test_lists(self) -> None:
        for type, text, value in LISTS:
            with self.subTest(type=type, text=text):
                options = _Options()
                options.define("values", type=type, multiple=True)
                options.parse_command_line(["prog", "--values=9", f"--values={text}"])  # replaced
                self.assertEqual(options["values"].value(), value)

    def test_wrong_lists(self) -> None:
        self.options.define("ids", type=int, multiple=True)
        for text, message in [("1,x", "'x'.*int"), ("1,,2", "''.*int"), ("5:3", "'5:3'.*from low to high")]:
            with self.subTest(text), self.assertRaisesRegex(Error, message):
                self.parse(f"--ids={text}")

    def test_where_options_end(self) -> None:
        for args, remaining in [
            ([], []),
            (["a", "--port=1"], ["a", "--port=1"]),
            (["--port=1", "a", "b"], ["a", "b"]),
            (["--port=1", "--", "--port=2"], ["--port=2"]),
            (["-port=1"], []),
            (["--verbose", "a"], ["a"]),
        ]:
            with self.subTest(args):
                self.assertEqual(self.parse(*args), remaining)
        self.assertEqual((self.options.port, self.options.verbose), (1, True))

    def test_a_flag_can_be_turned_off_again(self) -> None:
        self.parse("--verbose", "--verbose=no")
        self.assertIs(self.options.verbose, False)

    def test_missing_value(self) -> None:
        with self.assertRaisesRegex(Error, "option --port came without a value: write --port=INT"):
            self.parse("--port")

    def test_unknown_option(self) -> None:
        with self.assertRaisesRegex(Error, r"^unknown option --prot: did you mean --port\?$"):
            self.parse("--prot=secret")
        self.assertIn("Options:", self.printed.getvalue())
        with self.assertRaisesRegex(Error, "^unknown option --zzz: use one that --help lists$"):
            self.parse("--zzz")

    def test_sys_argv(self) -> None:
        with unittest.mock.patch.object(sys, "argv", ["prog", "--port=7", "x"]):
            self.assertEqual(self.options.parse_command_line(), ["x"])
        self.assertEqual(self.options.port, 7)

    def test_subcommand_with_options_of_its_own(self) -> None:
        second = _Options()
        second.define("port", default=1)
        second.parse_command_line(self.parse("--verbose", "sub", "--port=2"))
        self.assertEqual((self.options.port, second.port), (80, 2))

    def test_unknown_level(self) -> None:
        self.options.define("logging", default="none")
        with self.assertRaisesRegex(
            Error, "--logging got 'loud', wanted debug, info, warning, error or none"
        ):
            self.parse("--logging=loud")

    def test_logging_none_leaves_logging_alone(self) -> None:
        self.options.define("logging", default="info")
        root = logging.getLogger()
        before = root.level, list(root.handlers)
        self.parse("--logging=None")
        self.assertEqual((root.level, root.handlers), before)


CONFIG = """# coding: latin-1
import os as ignored
port = 40 + 40
names = ["caf\xe9"]
other = "not an option"
name = None
here = __file__
"""


class ConfigFileTest(unittest.TestCase):
    def setUp(self) -> None:
        self.options = _Options()
        self.options.define("port", default=1)
        self.options.define("names", multiple=True)
        self.options.define("name", default="x")
        self.options.define("here")
        self.path = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "site.conf")

    def parse(self, text: str) -> None:
        with open(self.path, "w", encoding="latin-1") as file:
            file.write(text)
        self.options.parse_config_file(self.path)

    def test_sets_options(self) -> None:
        self.parse(CONFIG)
        self.assertEqual((self.options.port, self.options.names), (80, ["caf\xe9"]))
        self.assertIsNone(self.options.name)
        self.assertEqual(self.options.here, self.path)
        self.assertNotIn("other", self.options)

    def test_the_later_parse_wins(self) -> None:
        self.options.parse_command_line(["prog", "--port=2", "--names=a"])
        self.parse("port = 3\nnames = ['b']")
        self.assertEqual((self.options.port, self.options.names), (3, ["b"]))
        self.options.parse_command_line(["prog", "--port=4", "--names=c"])
        self.assertEqual((self.options.port, self.options.names), (4, ["c"]))

    def test_wrong_type(self) -> None:
        for text, message in [
            ("port = '80'", "site.conf: option port got '80' of type str, wanted int"),
            ("names = 'a'", "site.conf: option names got 'a' of type str, wanted a list of str"),
        ]:
            with self.subTest(text), self.assertRaisesRegex(Error, message):
                self.parse(text)

    def test_its_own_errors(self) -> None:
        for text, error in [("port = ", SyntaxError), ("port = 1 / 0", ZeroDivisionError)]:
            with self.subTest(text), self.assertRaises(error):
                self.parse(text)
        with self.assertRaises(FileNotFoundError):
            self.options.parse_config_file(f"{self.path}.missing")


class SecretTest(unittest.TestCase):
    def test_values_are_shown_nowhere(self) -> None:
        for name in ("cookie_secret", "mysql_password", "API_TOKEN"):
            options = _Options()
            options.define(name, default="hunter2", help="keep it")
            options.define(f"ids_{name}", type=int, multiple=True)
            shown = [repr(options), repr(options[name])]
            help = io.StringIO()
            options.print_help(help)
            shown.append(help.getvalue())
            numbers = options[f"ids_{name}"]
            mistakes: list[tuple[Callable[[Any], None], Any]] = [
                (options[name].set, ["hunter2"]),
                (numbers.set, "hunter2"),
                (numbers.set, ["hunter2"]),
                (numbers.parse, "hunter2"),
                (numbers.parse, "771:77"),
            ]
            for give, wrong in mistakes:
                with self.assertRaises(Error) as caught:
                    give(wrong)
                self.assertIn("(hidden)", str(caught.exception))
                self.assertTrue(caught.exception.__suppress_context__ or not caught.exception.__context__)
                shown.append(str(caught.exception))
            for text in shown:
                self.assertNotIn("hunter2", text)
                self.assertNotIn("771", text)
            self.assertIn("keep it (default hidden)", help.getvalue())

    def test_others_are(self) -> None:
        options = _Options()
        options.define("port", default=80)
        self.assertIn("port=80", repr(options))


class HelpTest(unittest.TestCase):
    def help(self, options: _Options) -> str:
        file = io.StringIO()
        options.print_help(file)
        return file.getvalue()

    def test_lines(self) -> None:
        options = _Options()
        options.define("port", default=80, help="port to listen on", group="server")
        options.define("debug", type=bool, help="show errors", group="server")
        options.define("name", metavar="NAME", group="server")
        options.define("level", default="", help="word " * 20, group="server")
        options.define("x" * 30, default=[], multiple=True, help="long name", group="other")
        _, wanted = self.help(options).split("Options:\n")
        self.assertEqual(
            wanted,
            f"""
other options:

  --{"x" * 30}=STR
                                  long name

server options:

  --debug                         show errors
  --level=STR                     word word word word word word word word word
                                  word word word word word word word word word
                                  word word
  --name=NAME
  --port=INT                      port to listen on (default 80)

""",
        )

    def test_grouped_by_file(self) -> None:
        options = _Options()
        options.define("port")
        self.assertIn(f"{os.path.normpath(__file__)} options:", self.help(options))
        self.assertIn(f"{os.path.normpath(module.__file__)} options:", self.help(module.options))


def record(message: Any, *args: Any, level: int = logging.INFO, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("name", level, "/x/web.py", 1234, message, args, extra.get("exc_info"))
    made.created = datetime.datetime(2011, 6, 21, 12, 34, 56).timestamp()
    made.stack_info = extra.get("stack_info")
    return made


class Unprintable:
    def __repr__(self) -> NoReturn:
        raise ZeroDivisionError


MESSAGES = [  # message, arguments, text
    ("plain %s", ("x",), "plain x"),
    ("caf\xe9 \u20ac", (), "caf\xe9 \u20ac"),
    ("a\tb\nc\n\nd", (), "a\tb\n    c\n    \n    d"),
    ("\x1b[31m %s", ("\r\x00\x08\x7f\x9b",), "\\x1b[31m \\x0d\\x00\\x08\\x7f\\x9b"),
    ("%s", ("x\n[I 110621 12:34:56 web:1] forged",), "x\n    [I 110621 12:34:56 web:1] forged"),
    ("%s", ("x\x85[\x0b[\x0c[\u2028[\u2029[",), "x\\x85[\\x0b[\\x0c[\\u2028[\\u2029["),
    (b"bytes \xff", (), "b'bytes \\xff'"),
    (Exception("an object"), (), "an object"),
]

PREFIX = "[I 110621 12:34:56 web:1234] "


class LogFormatterTest(unittest.TestCase):
    formatter = _LogFormatter(color=False)

    def test_messages(self) -> None:
        for message, args, text in MESSAGES:
            with self.subTest(message=message):
                self.assertEqual(self.formatter.format(record(message, *args)), PREFIX + text)

    def test_levels(self) -> None:
        for level in (logging.DEBUG, logging.WARNING, logging.ERROR, logging.CRITICAL):
            line = self.formatter.format(record("x", level=level))
            self.assertTrue(line.startswith(f"[{logging.getLevelName(level)[0]} 110621"), line)

    def test_only_one_line_begins_at_the_margin(self) -> None:
        text = "".join(map(chr, range(0x3000)))
        lines = self.formatter.format(record("%s", text)).splitlines()
        self.assertEqual([line for line in lines[1:] if not line.startswith("    ")], [])
        self.assertEqual(len(lines), 2)

    def test_traceback_and_stack(self) -> None:
        try:
            raise ValueError("evil\n[E forged\x1b")
        except ValueError:
            made = record("failed\n", exc_info=sys.exc_info(), stack_info="Stack:\nhere")
        lines = self.formatter.format(made).splitlines()
        self.assertEqual(lines[:2], [f"{PREFIX}failed", "    Traceback (most recent call last):"])
        self.assertEqual(lines[-4:], ["    ValueError: evil", "    [E forged\\x1b", "    Stack:", "    here"])

    def test_arguments_that_do_not_fit(self) -> None:
        for message, args in [
            ("%d", ("x",)),
            ("%s %s", ("x",)),
            ("x", ("y",)),
            ("%(a)s", ({},)),
            ("%z", (1,)),
        ]:
            with self.subTest(message):
                line = self.formatter.format(record(message, *args))
                self.assertRegex(line, rf"^{re.escape(PREFIX)}Bad message \(\w+Error\(.*\): \{{.*'msg': ")
        line = self.formatter.format(record("%s", Unprintable()))
        self.assertEqual(line, f"{PREFIX}Bad message (ZeroDivisionError) that cannot be shown")

    def test_no_colour_where_stderr_is_no_terminal(self) -> None:
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertTrue(_LogFormatter(color=True).format(record("x")).startswith(PREFIX))


PROGRAM = """
import logging, sys
from tornado.options import define, options, parse_command_line
define("port", default=8888, help="port to listen on")
define("cookie_secret", default="hunter2")
print(parse_command_line(), options.port)
logging.debug("at debug")
logging.info("at info %s", "\\x1b[0m\\nline 2")
logging.error("at error")
"""


def environment(**changes: str) -> dict[str, str]:
    """Return the environment for a program that logs to a terminal with colours."""
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    return {**kept, "TERM": "xterm", "PYTHONPATH": str(ROOT), **changes}


def run(program: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run *program* with *args*, its output being pipes."""
    command = [sys.executable, "-c", program, *args]
    return subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=30)


def run_on_terminal(program: str, *args: str, **changes: str) -> str:
    """Run *program* with *args* and return what it writes to stderr, a terminal."""
    ours, theirs = pty.openpty()
    with open(ours, "rb", buffering=0) as terminal:
        with open(theirs, "wb") as stderr:
            command = [sys.executable, "-c", program, *args]
            process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=stderr, env=environment(**changes)
            )
        written = bytearray()
        try:
            while piece := terminal.read(4096):
                written += piece
        except OSError:  # how Linux says that nobody has the other side open
            pass
        process.wait(30)
    return written.decode().replace("\r\n", "\n")


class ProgramTest(unittest.TestCase):
    """Whole programs in processes of their own: they change the root logger."""

    def test_help(self) -> None:
        done = run(PROGRAM, "--help", "--port=1")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(
            done.stdout, r"(?s)^Usage: .* \[OPTIONS\]\n\nOptions:\n.*\n  --port=INT +port to listen on"
        )
        self.assertIn("--log_file_prefix=PATH", done.stdout)
        self.assertNotIn("hunter2", done.stdout)

    def test_mistake(self) -> None:
        done = run(PROGRAM, "--cookie_secert=hunter3")
        self.assertEqual(done.returncode, 1)
        self.assertIn("tornado.options.Error: unknown option --cookie_secert: did you mean", done.stderr)
        self.assertNotIn("hunter", done.stdout + done.stderr)

    def test_log_to_a_pipe(self) -> None:
        done = run(PROGRAM, "--port=80", "rest")
        self.assertEqual(done.stdout, "['rest'] 80\n")
        self.assertRegex(
            done.stderr,
            r"^\[I \d{6} \d\d:\d\d:\d\d <string>:8\] at info \\x1b\[0m\n    line 2\n\[E .*\] at error\n$",
        )

    def test_levels(self) -> None:
        for level, count in [("debug", 4), ("info", 3), ("warning", 1), ("error", 1), ("none", 0)]:
            with self.subTest(level):
                lines = run(PROGRAM, f"--logging={level}").stderr.splitlines()
                bracketed = [line for line in lines if line.startswith(("[", "    "))]
                self.assertEqual(len(bracketed), count, lines)

    def test_colours_on_a_terminal(self) -> None:
        self.need_colours()
        written = run_on_terminal(PROGRAM)
        self.assertRegex(written, r"(?m)^\x1b\[32m\[I [^]]*\]\x1b[^ ]*m at info \\x1b\[0m\n    line 2$")
        self.assertRegex(written, r"(?m)^\x1b\[31m\[E [^]]*\]\x1b[^ ]*m at error$")
        self.assertEqual(len(re.findall(r"\x1b\[3[0-9]m", written)), 2)

    def test_no_colours(self) -> None:
        for changes in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": "no-such-terminal"}):
            with self.subTest(changes):
                written = run_on_terminal(PROGRAM, **changes)
                self.assertRegex(written, r"^\[I [^]]*\] at info")
                self.assertNotIn("\x1b", written)

    def need_colours(self) -> None:
        """Fail early on a machine that does not know the terminal: any Debian has ncurses-base."""
        with open(os.devnull, "w") as nothing:
            curses.setupterm("xterm", nothing.fileno())

    def test_log_file(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "web.log")
            size = ["--log_file_max_size=200", "--log_file_num_backups=2"]
            program = f"{PROGRAM}\nfor i in range(20): logging.info('turn %d caf\\xe9\\ud800', i)"
            done = run(program, f"--log_file_prefix={path}", *size)
            self.assertEqual(done.stderr, "")
            self.assertEqual(sorted(os.listdir(directory)), ["web.log", "web.log.1", "web.log.2"])
            with open(path, encoding="utf-8") as file:
                last = file.read().splitlines()[-1]
            self.assertRegex(last, r"^\[I .*\] turn 19 caf\xe9\\ud800$")

    def test_file_and_stderr(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "web.log")
            done = run(PROGRAM, f"--log_file_prefix={path}", "--log_to_stderr")
            with open(path, encoding="utf-8") as file:
                self.assertEqual(file.read(), done.stderr)
            self.assertIn("at error", done.stderr)

    def test_handlers_are_not_added_twice(self) -> None:
        done = run(f"{PROGRAM}\nparse_command_line()\nlogging.info('once')", "--log_to_stderr")
        self.assertEqual(done.stderr.count("once"), 1)

    def test_other_handlers_are_kept(self) -> None:
        program = "import logging; logging.basicConfig(format='basic %(message)s')" + PROGRAM
        self.assertNotIn("[E", run(program).stderr)
        both = run(program, "--log_to_stderr").stderr
        self.assertIn("basic at error", both)
        self.assertRegex(both, r"\[E .*\] at error")

    def test_a_failing_handler_does_not_break_the_program(self) -> None:
        for failure in ("sys.stderr.close()", "import os; os.close(2)", "sys.stderr = None"):
            with self.subTest(failure):
                done = run(f"{PROGRAM}\n{failure}\nlogging.error('lost')\nprint('still here')")
                self.assertIn("still here", done.stdout)


class DoctestTest(unittest.TestCase):
    def test_examples(self) -> None:
        failed, attempted = doctest.testmod(module)
        self.assertEqual(failed, 0)
        self.assertGreater(attempted, 0)

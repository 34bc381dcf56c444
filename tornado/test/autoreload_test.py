"""Tests of tornado.autoreload: the looks with a clock that is advanced, the restarts with real processes."""

import datetime
import importlib.util
import itertools
import logging
import os
import pathlib
import shlex
import sys
import tempfile
import textwrap
import types
import unittest
import unittest.mock
import zipfile
from functools import partial
from typing import Any

from tornado import autoreload
from tornado.test.outside import ROOT, Program, free_port
from tornado.test.util import ExpectLog, FakeLoop

_moments = itertools.count(1_300_000_000_000_000_000, 1_000_000)  # in nanoseconds; no two edits at one time


def save(path: pathlib.Path, text: str | bytes) -> None:
    """Write *text* to the file at *path*, later than what was written before."""
    path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
    moment = next(_moments)
    os.utime(path, ns=(moment, moment))


class Replaced(BaseException):
    """What `os.execv` does to a process, done to the loop of a test."""


class Restarts:
    """Stands in for `os.execv`."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.contents: list[str] = []  # of the file at *path*, each time the program would have started anew
        self.arguments: list[tuple[str, list[str]]] = []
        self.error: OSError | None = None

    def execv(self, path: str, arguments: list[str]) -> None:
        self.contents.append(self.path.read_text() if self.path.exists() else "")
        self.arguments.append((path, arguments))
        raise self.error or Replaced


class LookTest(unittest.TestCase):
    """Real files, on a loop whose time passes at once; the restart itself is not made."""

    def setUp(self) -> None:
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())).resolve()
        self.path = self.folder / "part.py"
        self.restarts = Restarts(self.path)
        self.replace(os, "execv", self.restarts.execv)
        self.replace(autoreload, "_watched_files", set())
        self.replace(autoreload, "_reload_hooks", [])
        self.replace(autoreload, "_fault", None)
        self.replace(autoreload, "_changes", autoreload._Changes())
        self.loop = FakeLoop()
        self.addCleanup(self.loop.close)

    def replace(self, target: Any, name: str, value: Any) -> None:
        self.enterContext(unittest.mock.patch.object(target, name, value))

    def start(self, *paths: pathlib.Path) -> None:
        for path in paths or (self.path,):
            autoreload.watch(str(path))
        autoreload.start(self.loop)

    def run_loop(self, seconds: float = 2.0) -> None:
        timeout = self.loop.add_timeout(datetime.timedelta(seconds=seconds), self.loop.stop)
        try:
            self.loop.start()
        except Replaced:
            self.loop.remove_timeout(timeout)

    def later(self, seconds: float, path: pathlib.Path, text: str) -> None:
        self.loop.add_timeout(datetime.timedelta(seconds=seconds), partial(save, path, text))

    def test_a_change(self) -> None:
        save(self.path, "a = 1")
        self.start()
        self.run_loop(10)
        self.assertEqual(self.restarts.contents, [])
        save(self.path, "a = 2")
        with ExpectLog("tornado.autoreload", f"^{self.path} modified; restarting server$", logging.INFO):
            self.run_loop(10)
        self.assertEqual(self.restarts.contents, ["a = 2"])
        self.assertEqual(self.restarts.arguments, [(sys.executable, [sys.executable, *sys.orig_argv[1:]])])

    def test_a_change_of_a_module(self) -> None:
        save(self.path, "a = 1")
        module = types.ModuleType("part")
        module.__file__ = str(self.path)
        self.enterContext(unittest.mock.patch.dict(sys.modules, {"part": module}))
        autoreload.start(self.loop)
        save(self.path, "a = 2")
        self.run_loop()
        self.assertEqual(self.restarts.contents, ["a = 2"])

    def test_the_same_size_or_the_same_time(self) -> None:
        save(self.path, "a = 1")
        self.start()
        save(self.path, "a = 2")
        self.run_loop()
        status = self.path.stat()
        save(self.path, "a = 22")
        os.utime(self.path, ns=(status.st_mtime_ns, status.st_mtime_ns))
        self.run_loop()
        self.assertEqual(self.restarts.contents, ["a = 2", "a = 22"])

    def test_check_time(self) -> None:
        self.start()
        self.run_loop(3)
        self.assertIn(0.5, [round(seconds or 0, 3) for seconds in self.loop.slept])
        other = FakeLoop()
        self.addCleanup(other.close)
        autoreload.start(other, check_time=20)
        other.add_timeout(datetime.timedelta(seconds=1), other.stop)
        other.start()
        self.assertEqual({round(seconds or 0, 3) for seconds in other.slept}, {0.02})
        for wrong in (0, -1, float("nan")):
            with self.subTest(wrong), self.assertRaisesRegex(ValueError, "wanted milliseconds above 0"):
                autoreload.start(self.loop, check_time=wrong)

    def test_started_twice(self) -> None:
        looks = unittest.mock.Mock(return_value=set())
        self.replace(autoreload, "_files", looks)
        autoreload.start(self.loop)
        autoreload.start(self.loop)
        self.run_loop(3.2)
        self.assertEqual(looks.call_count, 7)

    def test_a_file_is_read_once_it_is_written(self) -> None:
        """An editor empties it and writes in pieces, each of which may be a program that does nothing."""
        save(self.path, "a = 1")
        self.start()
        self.later(0.49, self.path, "")
        self.later(0.53, self.path, "a = 2\n")
        self.later(0.57, self.path, "a = 2\nb = 3\n")
        self.run_loop()
        self.assertEqual(self.restarts.contents, ["a = 2\nb = 3\n"])

    def test_several_files(self) -> None:
        """One restart for what changes together, as when a branch is checked out."""
        others = [self.folder / f"{number}.py" for number in range(5)]
        for path in (self.path, *others):
            save(path, "a = 1")
        self.start(self.path, *others)
        for number, path in enumerate((*others, self.path)):
            self.later(0.49 + 0.02 * number, path, "a = 2")
        self.run_loop()
        self.assertEqual(self.restarts.contents, ["a = 2"])

    def test_a_syntax_error_until_it_is_mended(self) -> None:
        save(self.path, "a = 1")
        self.start()
        steps: list[tuple[str, int]] = [  # what is saved, records in the log
            ("a = 2\nb = (\n", 1),
            ("a = 2\nb = (\n", 0),  # saved again, it is the same
            ("a = 2\n\nb = (\n", 1),
            ("a = 2\n\nif b:\n", 1),
        ]
        for text, count in steps:
            save(self.path, text)
            with ExpectLog(
                "tornado.autoreload", "not restarting until", logging.ERROR, required=False
            ) as log:
                self.run_loop(10)
            self.assertEqual(len(log.records), count)
            line = text.count("\n")
            self.assertRegex(autoreload._fault or "", rf'File "{self.path}", line {line}\n(.*\n)+\w+Error: ')
            if log.records:
                self.assertIn(autoreload._fault or "none", log.records[0].getMessage())
        self.assertEqual(self.restarts.contents, [])
        save(self.path, "a = 3")
        self.run_loop()
        self.assertEqual(self.restarts.contents, ["a = 3"])

    def test_two_syntax_errors(self) -> None:
        """All that changed has to be mended, not only what changed last."""
        other = self.folder / "other.py"
        for path in (self.path, other):
            save(path, "a = 1")
        self.start(self.path, other)
        save(other, "other (")
        with ExpectLog("tornado.autoreload", "other.py"):
            self.run_loop()
        save(self.path, "part (")
        self.run_loop()
        save(self.path, "a = 3")
        self.run_loop()
        self.assertEqual(self.restarts.contents, [])
        self.assertIn("other.py", autoreload._fault or "")
        save(other, "a = 3")
        self.run_loop()
        self.assertEqual(self.restarts.contents, ["a = 3"])

    def test_data_need_no_syntax(self) -> None:
        path = self.folder / "page.html"
        save(path, "one")
        self.start(path)
        save(path, "{% if (")
        self.run_loop()
        self.assertEqual(len(self.restarts.contents), 1)

    def test_a_file_that_is_gone_and_comes_back(self) -> None:
        save(self.path, "a = 1")
        status = self.path.stat()
        self.start()
        self.path.unlink()
        self.run_loop()
        self.path.write_text("a = 1")
        os.utime(self.path, ns=(status.st_mtime_ns, status.st_mtime_ns))
        self.run_loop()
        self.assertEqual(self.restarts.contents, [])
        self.path.unlink()
        self.run_loop()
        save(self.path, "a = 2")
        self.run_loop()
        self.assertEqual(self.restarts.contents, ["a = 2"])

    def test_a_file_that_is_new(self) -> None:
        self.start()
        self.run_loop()
        save(self.path, "a = 1")
        self.run_loop()
        self.assertEqual(self.restarts.contents, ["a = 1"])

    def test_a_relative_path(self) -> None:
        save(self.folder / "part.py", "a = 1")
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        autoreload.watch(pathlib.Path("part.py"))
        os.chdir("/")
        autoreload.start(self.loop)
        save(self.path, "a = 2")
        self.run_loop()
        self.assertEqual(self.restarts.contents, ["a = 2"])

    def test_hooks(self) -> None:
        calls: list[object] = []
        failing = unittest.mock.Mock(side_effect=KeyError("of a hook"))
        for hook in (partial(calls.append, 1), failing, partial(calls.append, 2)):
            autoreload.add_reload_hook(hook)
        self.start()
        save(self.path, "a (")
        with ExpectLog("tornado.autoreload", "not restarting"):
            self.run_loop()
        self.assertEqual(calls, [])
        save(self.path, "a = 1")
        with ExpectLog("tornado.autoreload", "exception in reload hook <Mock", logging.ERROR) as log:
            self.run_loop()
        self.assertEqual(calls, [1, 2])
        self.assertIsNotNone(log.records[0].exc_info)
        self.assertEqual(len(self.restarts.contents), 1)

    def test_an_interpreter_that_does_not_start(self) -> None:
        self.restarts.error = FileNotFoundError(2, "No such file or directory")
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        self.start()
        save(self.path, "a = 1")
        with ExpectLog("tornado.autoreload", f"cannot start {sys.executable} in ", logging.ERROR) as log:
            self.run_loop(10)
        self.assertEqual((len(log.records), len(self.restarts.contents)), (1, 1))
        self.assertIn("No such file", autoreload._fault or "")
        self.assertEqual(os.getcwd(), str(self.folder))
        self.restarts.error = None
        save(self.path, "a = 2")
        self.run_loop()
        self.assertEqual(len(self.restarts.contents), 2)

    def test_descriptors_of_the_loop(self) -> None:
        ours, other = os.pipe()
        closed = os.dup(ours)
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, other)
        for fd in (closed, ours):
            os.set_inheritable(fd, True)
            self.loop.add_handler(fd, lambda fd, events: None, self.loop.READ)
        os.close(closed)
        self.start()
        save(self.path, "a = 1")
        self.run_loop()
        self.assertEqual(len(self.restarts.contents), 1)
        self.assertFalse(os.get_inheritable(ours))

    def test_cached_bytecode(self) -> None:
        """That of what changed is removed, even if by its time and size it seems current."""
        save(self.path, "a = 1")
        cached = pathlib.Path(importlib.util.cache_from_source(str(self.path)))
        data = self.folder / "part.txt"
        for path in (cached, self.folder / "other.pyc"):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"bytecode")
        self.start(self.path, data, self.folder / "other.pyc")
        save(data, "of the same name")
        self.run_loop()
        self.assertTrue(cached.exists())
        save(self.path, "a = 2")
        save(self.folder / "other.pyc", "changed")
        self.run_loop()
        self.assertFalse(cached.exists())
        self.assertTrue((self.folder / "other.pyc").exists())
        self.assertEqual(len(self.restarts.contents), 2)


class FilesTest(unittest.TestCase):
    """Which files there are, and what is read from them."""

    def setUp(self) -> None:
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())).resolve()
        self.enterContext(unittest.mock.patch.object(sys, "path", [str(self.folder), *sys.path]))
        self.enterContext(unittest.mock.patch.dict(sys.modules))
        self.enterContext(unittest.mock.patch.object(autoreload, "_watched_files", set()))

    def test_modules(self) -> None:
        self.assertIn(autoreload.__file__, autoreload._files())
        self.assertTrue(all(os.path.isabs(path) for path in autoreload._files()))

    def test_strange_modules(self) -> None:
        (self.folder / "namespace").mkdir()
        importlib.import_module("namespace")
        for name, file in [("no_file", ()), ("none", None), ("bytes", b"/x.py"), ("number", 1)]:
            module = types.ModuleType(name)
            if file != ():
                module.__dict__["__file__"] = file
            sys.modules[name] = module
        sys.modules["no_module"] = unittest.mock.Mock(__file__="/mock.py")
        sys.modules["nothing"] = None  # type: ignore[assignment]
        files = autoreload._files()
        self.assertNotIn("/mock.py", files)
        self.assertEqual({type(path) for path in files}, {str})

    def test_modules_are_not_loaded_by_being_looked_at(self) -> None:
        save(self.folder / "lazy.py", "raise SystemExit('loaded')")
        spec = importlib.util.find_spec("lazy")
        assert spec is not None and spec.loader is not None
        spec.loader = importlib.util.LazyLoader(spec.loader)
        module = importlib.util.module_from_spec(spec)
        sys.modules["lazy"] = module
        spec.loader.exec_module(module)
        self.assertIn(str(self.folder / "lazy.py"), autoreload._files())

    def test_archives(self) -> None:
        archive = self.folder / "archive.zip"
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("package/__init__.py", "")
            file.writestr("package/zipped.py", "a = 1")
        sys.path.insert(0, str(archive))
        module = importlib.import_module("package.zipped")
        path = module.__file__
        assert path is not None
        self.assertIn(path, autoreload._files())
        self.assertEqual(autoreload._state(path), autoreload._state(str(archive)))
        self.assertIsNotNone(autoreload._state(path))
        self.assertIsNone(autoreload._syntax_error(path))
        sys.path_importer_cache.clear()

    def test_state_of_nothing(self) -> None:
        for path in (str(self.folder / "none.py"), "<frozen runpy>", "", "a\0b", "a\0b.py", "x" * 5000):
            with self.subTest(path):
                self.assertIsNone(autoreload._state(path))
                self.assertIsNone(autoreload._syntax_error(path))

    def test_syntax(self) -> None:
        rows: list[tuple[str, bytes, str | None]] = [  # name, source, what is found
            ("nothing", b"", None),
            ("a program", b"import tornado.none\nraise KeyError", None),
            ("coded", b"# coding: latin-1\na = '\xe9'", None),
            ("byte order mark", b"\xef\xbb\xbfa = 1", None),
            ("line ends of Windows", b"if a:\r\n    b\r\n", None),
            ("features of another program", b"from __future__ import annotations\nprint()", None),
            ("parenthesis", b"a = 1\nb = (", "line 2\n"),
            ("indentation", b"a = 1\n  b = 2", "line 2\n"),
            ("tabs and blanks", b"if a:\n\tb\n        c", "line 3\n"),
            ("return", b"return", "line 1\n"),
            ("NUL", b"a = 1\0", "null bytes"),
            ("not UTF-8", b"a = '\xe9'", "SyntaxError"),
            ("unknown coding", b"# coding: none\n", "unknown encoding"),
            ("nested deeply", b"(" * 10_000 + b")" * 10_000, "too many nested parentheses"),
            ("deep recursion", b"a" + b".b" * 200_000, "Error"),
        ]
        path = self.folder / "part.py"
        for name, source, found in rows:
            with self.subTest(name):
                save(path, source)
                fault = autoreload._syntax_error(str(path))
                if found is None or fault is None:
                    self.assertEqual(fault, found)
                else:
                    self.assertIn(found, fault)
                    self.assertIn(str(path), fault)


# What the programs below have in common.
PREAMBLE = """
import logging, os, signal, socket, sys
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
from tornado import autoreload
from tornado.ioloop import IOLoop, PeriodicCallback

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def serve():
    autoreload.start(check_time=10)
    say("serving", os.getpid())
    IOLoop.instance().start()
"""


class ProcessTest(unittest.TestCase):
    """Real programs, in real files that are edited while they run."""

    def setUp(self) -> None:
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())).resolve()
        save(self.folder / "preamble.py", PREAMBLE)

    def save(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        save(path, text)

    def program(self, arguments: str, options: str = "-X dev -W error", **variables: str) -> Program:
        """Start Python with *arguments*, in the folder."""
        command = f"exec {shlex.quote(sys.executable)} {options} {arguments}"
        return Program(command, self.folder, PYTHONPATH=str(ROOT), PYTHONUNBUFFERED="", **variables)

    def test_restart(self) -> None:
        """The same process, the same arguments and options, a new program; the port is free again."""
        self.save("part.py", "value = 1")
        self.save(
            "script.py",
            f"""
            from preamble import *
            import part
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", {free_port()}))
            listener.listen()
            listener.set_inheritable(True)
            IOLoop.instance().add_handler(listener.fileno(), print, IOLoop.READ)
            autoreload.add_reload_hook(lambda: say("hook of", part.value))
            say("timer", signal.getitimer(signal.ITIMER_REAL)[0])
            signal.setitimer(signal.ITIMER_REAL, 30)
            sys.stdout.write("unsent ")
            say("value", part.value, sys.argv, sys.flags.optimize, sys.warnoptions)
            sys.argv.clear()
            os.chdir("/")
            serve()
            """,
        )
        with self.program("script.py 'a b' --port=1", "-O -W error") as program:
            pid = program.wait_for(r"serving (\d+)\n")[1]
            self.save("part.py", "value = 2")
            program.wait_for(rf"value 2 (.*)\nserving {pid}\n")
            output = program.output()
            self.assertEqual(output.count("['script.py', 'a b', '--port=1'] 1 ['error']\n"), 2)
            self.assertEqual(output.count("timer 0.0\n"), 2)
            self.assertRegex(
                output, "INFO .*/part.py modified; restarting server\nhook of 1\nunsent timer 0.0\nvalue 2"
            )

    def test_a_syntax_error(self) -> None:
        self.save("part.py", "value = 1")
        self.save(
            "script.py",
            """
            from preamble import *
            import part
            say("value", part.value)
            def tell():
                if autoreload._fault:
                    say("fault", autoreload._fault.splitlines()[0])
            PeriodicCallback(tell, 10).start()
            serve()
            """,
        )
        with self.program("script.py") as program:
            pid = program.wait_for(r"value 1\nserving (\d+)\n")[1]
            self.save("part.py", "value = 2\nbroken (")
            fault = rf'  File "{self.folder}/part.py", line 2'
            program.wait_for(rf"(fault {fault}\n){{20}}")  # it goes on, and looks many times
            self.assertEqual(program.output().count("ERROR not restarting until this is mended"), 1)
            self.assertIn(f"mended:\n{fault}\n    broken (\n", program.output())
            self.save("part.py", "value = 3\nmended = ()")
            program.wait_for(rf"value 3\nserving {pid}\n")

    def test_a_file_of_data(self) -> None:
        self.save("data.txt", "one")
        self.save(
            "script.py",
            """
            from preamble import *
            autoreload.watch("data.txt")
            with open("data.txt") as file:
                say("data", file.read())
            serve()
            """,
        )
        with self.program("script.py") as program:
            program.wait_for(r"data one\nserving")
            self.save("data.txt", "two (")
            program.wait_for(r"data two \(\nserving")

    def test_saved_twice_in_a_second(self) -> None:
        """With the same size, too: Python itself would take the first for current."""
        self.save("part.py", "value = 1")
        self.save(
            "script.py",
            """
            from preamble import *
            import part
            say("value", part.value)
            serve()
            """,
        )
        path = self.folder / "part.py"
        os.utime(path, ns=(10**18 + 1, 10**18 + 1))
        with self.program("script.py", PYTHONDONTWRITEBYTECODE="") as program:
            program.wait_for(r"value 1\nserving")
            self.assertTrue(os.path.exists(importlib.util.cache_from_source(str(path))))
            other = self.folder / "other.py"
            other.write_text("value = 2")
            os.utime(other, ns=(10**18 + 2, 10**18 + 2))
            other.rename(path)
            program.wait_for(r"value 2\nserving")

    def test_module_of_a_package(self) -> None:
        """``-m`` stays: the program is still a module of its package."""
        self.save("package/__init__.py", "")
        self.save("package/part.py", "value = 1")
        self.save(
            "package/__main__.py",
            """
            from preamble import *
            from . import part
            say("value", part.value, __name__, __package__, sys.argv[1:])
            serve()
            """,
        )
        with self.program("-m package -m 1") as program:
            program.wait_for(r"value 1 __main__ package \['-m', '1'\]\nserving")
            self.save("package/part.py", "value = 2")
            program.wait_for(r"value 2 __main__ package \['-m', '1'\]\nserving")
            self.save("package/__main__.py", "print('changed', flush=True)")
            program.wait_for("changed\n")
            self.assertEqual(program.wait(), 0)

    def test_wait(self) -> None:
        script = """
            from preamble import *
            autoreload._changes.note()  # of what changes from here on
            say("run", {}, os.getpid())
            autoreload.wait()
        """
        self.save("script.py", script.format(1))
        with self.program("script.py") as program:
            pid = program.wait_for(r"run 1 (\d+)\n")[1]
            self.save("script.py", script.format(2))
            program.wait_for(f"run 2 {pid}\n")
            self.assertNotEqual(program.interrupt(), 0)
            self.assertNotIn("Warning", program.output())

    def test_a_failing_start(self) -> None:
        """Under ``python -m tornado.autoreload`` the faults of a start are mended one by one."""
        script = "from preamble import *\nimport part, new.inner\nsay('well', sys.argv, __name__, __file__)"
        steps = [  # file, text; the error that it leads to
            ("script.py", "broken (", r"SyntaxError: '\(' was never closed"),
            ("script.py", script, "SyntaxError: invalid syntax"),
            ("part.py", "1 / 0", "ZeroDivisionError: division by zero"),
            ("part.py", "a = [", r"SyntaxError: '\[' was never closed"),
            ("part.py", "a = 2\n", "ModuleNotFoundError: No module named 'new'"),
            ("new/__init__.py", "", "ModuleNotFoundError: No module named 'new.inner'"),
        ]
        self.save("part.py", "b c")
        self.save(*steps[0][:2])
        file = self.folder / "script.py"
        with self.program("-m tornado.autoreload script.py 1 -m") as program:
            for (_, _, error), (name, text, _) in itertools.pairwise([*steps, ("new/inner.py", "", "")]):
                program.wait_for(f"{error}\n")
                self.save(name, text)
            program.wait_for(rf"well \['{file}', '1', '-m'\] __main__ {file}\n")
            program.wait_for("INFO script.py has ended; waiting for a change\n")
            self.assertEqual(program.output().count("script.py has failed; waiting for a change\n"), 5)
            self.assertEqual(program.output().count("not restarting until this is mended:\n"), 1)  # a = [
            self.save("script.py", f"{script}\nsys.exit(3)")
            program.wait_for("INFO script.py has ended with status 3; waiting for a change\n")
            self.assertNotIn("Warning", program.output())

    def test_a_module_on_the_command_line(self) -> None:
        self.save("package/__init__.py", "")
        main = "from preamble import *\nsay('value', {}, __name__, __package__, sys.argv[1:])"
        self.save("package/__main__.py", main.format(1))
        with self.program("-m tornado.autoreload -m package 1") as program:
            value = r"value {} __main__ package \['1'\]\n(.*\n)*INFO package has ended; waiting"
            program.wait_for(value.format(1))
            self.save("package/__main__.py", main.format(2))
            program.wait_for(value.format(2))

    def test_a_server_on_the_command_line(self) -> None:
        """It sees the same hooks as the wrapper, and starts anew within it."""
        self.save("part/__init__.py", "value = 1")
        self.save(
            "inner/server.py",
            """
            import sys
            sys.path.append(".")
            from preamble import *
            import neighbour, part
            say("value", part.value, sys.path[0])
            autoreload.add_reload_hook(lambda: say("hook"))
            if part.value == 3:
                sys.exit()
            serve()
            """,
        )
        self.save("inner/neighbour.py", "")
        with self.program("-m tornado.autoreload inner/server.py") as program:
            folder = self.folder / "inner"
            pid = program.wait_for(rf"value 1 {folder}\nserving (\d+)")[1]
            self.save("part/__init__.py", "value = 2")
            program.wait_for(rf"hook\n(.*\n)*value 2 {folder}\nserving {pid}")
            self.save("part/__init__.py", "value = 3")
            program.wait_for("has ended with status None; waiting")
            self.save("part/__init__.py", "value = 4")
            program.wait_for("(?s)waiting.*hook\n.*value 4")

    def test_usage(self) -> None:
        for arguments in ("", "-m", "--help", "-m -x"):
            with self.subTest(arguments), self.program(f"-m tornado.autoreload {arguments}") as program:
                self.assertEqual(program.wait(), 1)
                self.assertRegex(program.output(), r"Usage:\n  python -m tornado.autoreload script.py")


if __name__ == "__main__":
    unittest.main()

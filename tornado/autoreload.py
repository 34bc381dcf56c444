"""Starts the program anew when one of its files changes.  For development; in production it costs time.

``Application(debug=True)`` switches it on.  A program without one does it like this::

    import tornado.autoreload
    import tornado.ioloop

    if __name__ == "__main__":
        tornado.autoreload.watch("site.conf")      # beside the source of every module
        tornado.autoreload.start()
        tornado.ioloop.IOLoop.instance().start()

The process is replaced by a new one with the same number, arguments and interpreter options.  Before that
the changed source is compiled: while it has a syntax error, the old process goes on and says so in the log.
What fails later, when the new process imports its modules, ends it, unless it was started like this::

    python -m tornado.autoreload script.py --port=8888
    python -m tornado.autoreload -m package.module --port=8888

Then the end of the program, in whatever way, is no end: a new one starts after the next change.  This suits
scripts that run tests, too.
"""

import datetime
import functools
import importlib
import importlib.util
import logging
import os
import runpy
import signal
import sys
import traceback
import types
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from tornado.ioloop import IOLoop

log = logging.getLogger(__name__)

SETTLING = 0.05  # seconds without further change before anything is read: editors empty a file to write it

_USAGE = """\
Runs a Python program, and again after each change of its files.
Usage:
  python -m tornado.autoreload script.py [argument ...]
  python -m tornado.autoreload -m package.module [argument ...]
"""

_fault: str | None = None  # why the program does not start anew though it changed; for the page of an error
_watched_files: set[str] = set()
_reload_hooks: list[Callable[[], Any]] = []
_loops: weakref.WeakSet[IOLoop] = weakref.WeakSet()


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it has been removed
        return os.curdir


_arguments = sys.orig_argv[1:]
_directory = _working_directory()  # where relative paths among the arguments begin


def start(io_loop: IOLoop | None = None, check_time: float = 500) -> None:
    """Look every *check_time* milliseconds whether a file has changed; if so, start the program anew.

    The files are those of all modules, compiled ones and archives included, and those of `watch`.  The looks
    are callbacks on *io_loop*, by default `IOLoop.instance`; a second call for the same loop does nothing.

    Open connections are cut, and what `atexit` and ``finally`` would do is not done; see `add_reload_hook`.
    Raises ValueError for a *check_time* that is not above 0.
    """
    if not check_time > 0:
        raise ValueError(f"check_time is {check_time!r}, wanted milliseconds above 0")
    loop = io_loop or IOLoop.instance()
    if loop not in _loops:
        _loops.add(loop)
        _look(loop, check_time / 1000)


def wait() -> None:
    """Wait for a file to change, then start the program anew; does not return.

    For the end of scripts that do their work and run no loop, such as tests.
    """
    loop = IOLoop()
    try:
        start(loop)
        loop.start()
    finally:
        loop.close()


def watch(filename: str | os.PathLike[str]) -> None:
    """Count *filename* among the program's files: a template, a configuration file.

    It need not exist yet.  What ends in ``.py`` has to be free of syntax errors, as modules have.
    """
    _watched_files.add(os.path.abspath(filename))


def add_reload_hook(fn: Callable[[], Any]) -> None:
    """Call ``fn()`` before the program starts anew: to close what the new process would find in its way.

    Sockets and files of Python close by themselves.  Hooks are called in the order they were added, an
    exception in one is logged; none is called while the old process goes on because of a syntax error.
    """
    _reload_hooks.append(fn)


class _Changes:
    """What is known of the files: one for the process, whichever loops look."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int] | None] = {}
        self.pending: dict[str, None] = {}  # what has changed, in order; it waits for the last to be mended
        self.settled = True

    def look(self) -> bool:
        """Look at each file; return whether it is time to act: when nothing more has changed."""
        was_settled, self.settled = self.settled, True
        self.note()
        return self.settled and not was_settled

    def note(self) -> None:
        """Look at each file, and leave it to the next `look` to act."""
        for path in _files():
            state = _state(path)
            if path not in self._seen:
                self._seen[path] = state
            elif state not in (None, self._seen[path]):  # one that is gone may be on its way back
                self._seen[path] = state
                self.pending[path] = None
                self.settled = False


_changes = _Changes()


def _look(loop: IOLoop, interval: float) -> None:
    """Look at the files, act if it is time, and do so again in *interval* seconds."""
    try:
        if _changes.look():
            _act(loop)
    finally:
        delay = interval if _changes.settled else min(SETTLING, interval)
        loop.add_timeout(datetime.timedelta(seconds=delay), functools.partial(_look, loop, interval))


def _act(loop: IOLoop) -> None:
    """Start the program anew, if that is possible."""
    global _fault
    fault = next(filter(None, map(_syntax_error, _changes.pending)), None)
    if fault is None:
        log.info("%s modified; restarting server", next(iter(_changes.pending)))
        fault = _restart(_changes.pending, loop)
    if fault != _fault:
        log.error("not restarting until this is mended:\n%s", fault)
        _fault = fault


def _files() -> set[str]:
    """Return the paths of all files that the program consists of."""
    files = set(_watched_files)
    for module in list(sys.modules.values()):
        if isinstance(module, types.ModuleType):  # any object may stand there
            # Not module.__file__: that would load the modules that are meant to load at their first use.
            path = types.ModuleType.__getattribute__(module, "__dict__").get("__file__")
            if isinstance(path, str):  # None for a namespace
                files.add(path)
    return files


def _state(path: str) -> tuple[int, int] | None:
    """Return what changes with the file at *path*, or with the archive it is in; None without it."""
    try:
        found = os.stat(path)
    except NotADirectoryError:
        return _state(os.path.dirname(path))
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size


def _syntax_error(path: str) -> str | None:
    """Return in which line of the source at *path* which error is; None if there is none."""
    if not path.endswith(".py"):
        return None
    try:
        with open(path, "rb") as file:
            source = file.read()
    except (OSError, ValueError):  # within an archive, gone, or no path at all
        return None
    try:
        compile(source, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        error.filename = path  # which some lack
        return "".join(traceback.format_exception_only(error)).rstrip()
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:  # NUL, nested too deeply
        return f'  File "{path}"\n{type(error).__name__}: {error}'
    return None


def _restart(changed: Iterable[str], loop: IOLoop) -> str:
    """Replace this process by a new one; only if that does not succeed, return why."""
    for hook in _reload_hooks:
        try:
            hook()
        except Exception:
            log.error("exception in reload hook %r", hook, exc_info=True)
    for path in changed:
        _forget_bytecode(path)
    _close_when_replaced(loop)
    signal.setitimer(signal.ITIMER_REAL, 0)  # a timer would go on, and its signal end the new process
    _flush()
    directory = _working_directory()
    try:
        os.chdir(_directory)
        # Not orig_argv[0], which may be found elsewhere by now: it leads Python to its libraries.
        os.execv(sys.executable, [sys.executable, *_arguments])
    except OSError as error:
        os.chdir(directory)
        return f"cannot start {sys.executable} in {_directory}: {error}"


def _forget_bytecode(path: str) -> None:
    """Remove the cached bytecode of the source at *path*.

    It is taken for current if the whole seconds and the size agree: what was saved twice in a second would
    start as it was before.
    """
    if path.endswith(".py"):
        try:
            os.unlink(importlib.util.cache_from_source(path))
        except (OSError, NotImplementedError):
            pass  # there is none, or Python keeps none


def _close_when_replaced(loop: IOLoop) -> None:
    """Let no descriptor of *loop* go to the new process, and none be lost if there will be no such."""
    for fd in loop._handlers:
        try:
            os.set_inheritable(fd, False)
        except OSError:
            pass  # closed


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            pass  # nobody reads it, or it is closed


# -- the command line --


def main() -> None:
    """Run the program that `sys.argv` names; when it has ended, wait for a change and start anew.

    Without a program, or without a module after ``-m``, writes how to use it and raises SystemExit(1).
    """
    is_module = sys.argv[1:2] == ["-m"]
    arguments = sys.argv[2 if is_module else 1 :]
    if not arguments or arguments[0].startswith("-"):
        sys.stderr.write(_USAGE)
        sys.exit(1)
    name = arguments[0]
    sys.argv = arguments
    try:
        (_run_module if is_module else _run_script)(name)
    except SystemExit as error:
        _changes.note()  # before anybody reads that it has ended, and begins to edit
        log.info("%s has ended with status %s; waiting for a change", name, error.code)
    except Exception as error:
        _watch_origins(error)
        _changes.note()
        log.error("%s has failed; waiting for a change", name, exc_info=True)
    else:
        _changes.note()
        log.info("%s has ended; waiting for a change", name)
    wait()


def _run_module(name: str) -> None:
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None:  # a package
        spec = importlib.util.find_spec(f"{name}.__main__")
    if spec is not None and spec.origin is not None:
        watch(spec.origin)
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _run_script(path: str) -> None:
    path = os.path.abspath(path)
    watch(path)
    if not sys.flags.safe_path:
        sys.path[0] = os.path.dirname(path)  # where "python <path>" would look first
    runpy.run_path(path, run_name="__main__")


def _watch_origins(error: BaseException | None) -> None:
    """Watch what had a part in *error*: a module that failed to be imported is not among the modules."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        for frame, _ in traceback.walk_tb(error.__traceback__):
            watch(frame.f_code.co_filename)
        if isinstance(error, SyntaxError) and error.filename:
            watch(error.filename)
        if isinstance(error, ModuleNotFoundError) and error.name:
            _watch_missing(error.name)
        error = error.__cause__ or error.__context__


def _watch_missing(name: str) -> None:
    """Watch the places where the module *name* may yet appear."""
    for folder in sys.path:
        path = os.path.join(folder, *name.split("."))
        watch(f"{path}.py")
        watch(os.path.join(path, "__init__.py"))


if __name__ == "__main__":
    # Not main() itself: this copy of the module has other hooks and files than the one that programs import.
    importlib.import_module("tornado.autoreload").main()

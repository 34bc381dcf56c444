"""The view from outside, for tests: programs run as a person runs them, and a browser.

Only for what cannot be seen from within the process; everything else belongs into a unit test.
"""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from tornado.test.util import ExpectLog

if TYPE_CHECKING:
    from playwright.sync_api import Page

T = TypeVar("T")

#: The top of the source tree.
ROOT = pathlib.Path(__file__).resolve().parents[2]

#: How long a program may take to do what a test waits for, in seconds.
PATIENCE = 30

CHROMIUM = "/usr/bin/chromium"
CHROMIUM_FLAGS = [
    "--no-sandbox",  # which root cannot have
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def free_port() -> int:
    """Return a TCP port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_open(port: int) -> bool:
    """Say whether someone listens on *port* of this machine."""
    try:
        socket.create_connection(("localhost", port), timeout=PATIENCE).close()
    except OSError:
        return False
    return True


def environment(**changes: str) -> dict[str, str]:
    """Return this process's environment where ``python3`` is the Python under test, with *changes*."""
    path = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, **changes}


class Program:
    """A shell command that runs until the ``with`` block ends, or until it ends by itself.

    It starts at the top of the source tree, or in *cwd*; it and its children are interrupted together,
    as by Ctrl-C, and killed if that does not help.
    """

    def __init__(self, command: str, cwd: pathlib.Path = ROOT, **variables: str) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._process = subprocess.Popen(
            command,
            shell=True,
            cwd=cwd,
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=self._file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def output(self) -> str:
        """Return what it has printed so far, on either stream."""
        size = os.fstat(self._file.fileno()).st_size
        return os.pread(self._file.fileno(), size, 0).decode(errors="replace")

    def wait_for(self, regex: str) -> re.Match[str]:
        """Return the first match of *regex* in the output; AssertionError if it does not come."""
        return self._poll(partial(self._search, regex), f"did not print {regex!r}")

    def wait_for_port(self, port: int) -> None:
        """Return once it listens on *port* of this machine; AssertionError if it does not."""
        self._poll(partial(is_open, port), f"did not listen on port {port}")

    def _search(self, regex: str) -> re.Match[str] | None:
        return re.search(regex, self.output())

    def _poll(self, look: Callable[[], T | None], complaint: str) -> T:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            ended = self._process.poll() is not None
            if found := look():
                return found
            if ended:
                break
            time.sleep(0.01)
        raise AssertionError(f"{self._process.args!r} {complaint} but:\n{self.output()}")

    def wait(self) -> int:
        """Return the exit status, once it ends by itself."""
        return self._process.wait(PATIENCE)

    def interrupt(self) -> int:
        """Press Ctrl-C and return the exit status."""
        self._signal(signal.SIGINT)
        return self.wait()

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            pass  # all of them have ended

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._process.poll() is None:
                self.interrupt()
        except subprocess.TimeoutExpired:
            raise AssertionError(f"Ctrl-C did not end {self._process.args!r}:\n{self.output()}") from error
        finally:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._file.close()


def run(command: str, cwd: pathlib.Path = ROOT, **variables: str) -> tuple[int, str]:
    """Run *command* to its end and return exit status and output."""
    with Program(command, cwd, **variables) as program:
        return program.wait(), program.output()


@contextlib.contextmanager
def browser_page() -> Iterator["Page"]:
    """A page of a new Chromium without a past, which ends with the block."""
    from playwright.sync_api import sync_playwright  # slow to import, and few tests need it

    # Playwright runs on asyncio, which under -X dev reports each step of it that took long on a busy machine.
    slow_steps = ExpectLog("asyncio", r"^Executing .* took [\d.]+ seconds$", required=False)
    with slow_steps, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        try:
            yield browser.new_page()
        finally:
            browser.close()

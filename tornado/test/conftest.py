"""What the run fails on beside wrong results: stray log records, warnings, leaked file descriptors.

Log records at WARNING or above fail the test that let them out, unless an `ExpectLog` took them.
Warnings are errors (pyproject.toml), and garbage is collected after each test, so that an unclosed
socket is reported by the test that left it.  Descriptors are compared over a whole test module,
because class and module fixtures may hold some in between; the report names the test that opened them.
"""

import gc
import os
import pathlib
import sys
from collections.abc import Generator

import pytest

from tornado.test.util import watch

try:
    import hypothesis
except ImportError:  # only the tests that use it need it
    pass
else:
    # Every run tries the same examples, however slow the machine, and remembers nothing of the last.
    hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, database=None)
    hypothesis.settings.load_profile("suite")


class _Descriptors:
    """The open descriptors of this process, and which test opened each."""

    def __init__(self) -> None:
        self.known = self._open()
        self.opened_by: dict[str, str] = {}

    def _open(self) -> set[str]:
        """Return each as "7 -> socket:[123]"; the descriptor of the listing itself is gone by then."""
        found = set()
        for name in os.listdir("/proc/self/fd"):
            try:
                found.add(f"{name} -> {os.readlink(f'/proc/self/fd/{name}')}")
            except FileNotFoundError:
                pass
        return found

    def after_test(self, test: str) -> None:
        """Note what is open after *test* and was not before."""
        new = self._open() - self.known
        self.opened_by = {each: self.opened_by.get(each, test) for each in new}

    def after_module(self) -> None:
        """Raise AssertionError for what the tests of a module left open, once."""
        left, self.opened_by = self.opened_by, {}
        self.known |= left.keys()
        if left:
            lines = "\n".join(f"  {each}, since {test}" for each, test in sorted(left.items()))
            raise AssertionError(f"file descriptors left open by this module's tests:\n{lines}")


_descriptors: pytest.StashKey[_Descriptors] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let runtests.sh ask for the figures it adds up."""
    parser.addoption("--tally", metavar="FILE", help="append a line 'passed failed skipped' to FILE")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Write the figures of this run where runtests.sh finds them."""
    stats = {category: len(reports) for category, reports in terminalreporter.stats.items()}
    failed = stats.get("failed", 0) + stats.get("error", 0)
    skipped = sum(stats.get(each, 0) for each in ("skipped", "subtests skipped", "xfailed", "xpassed"))
    if tally := config.getoption("--tally"):
        with pathlib.Path(tally).open("a") as file:
            file.write(f"{stats.get('passed', 0)} {failed} {skipped}\n")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Take the state before the first test as the measure."""
    gc.collect()
    gc.freeze()  # what the imports left is out of the way of the collection after each test
    session.config.stash[_descriptors] = _Descriptors()


def _fail_on_strays() -> None:
    strays = watch.take_strays()
    if strays:
        raise AssertionError("unexpected log records:\n" + "\n".join(strays))


def _fail_on_garbage() -> None:
    """Collect, and raise AssertionError for each ResourceWarning or other exception of a destructor."""
    caught: list[str] = []
    previous = sys.unraisablehook
    sys.unraisablehook = lambda unraisable: caught.append(
        f"{unraisable.exc_value!r} in {unraisable.object!r}"
    )
    try:
        gc.collect()
    finally:
        sys.unraisablehook = previous
    gc.freeze()  # what is left stays, as the reports of the tests do: the next collection need not look at it
    if caught:
        raise AssertionError("found when this test's garbage was collected:\n" + "\n".join(caught))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    """Fail the setup if it logs a warning; see to it that the log is watched."""
    watch.install()
    result = yield
    _fail_on_strays()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """Fail the test if it logged a warning and was fine otherwise."""
    result = yield
    _fail_on_strays()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """Fail the teardown for warnings in the log, and for descriptors left by a module."""
    result = yield
    try:
        _fail_on_garbage()
        _fail_on_strays()
    finally:
        descriptors = item.config.stash[_descriptors]
        descriptors.after_test(item.name)
        if nextitem is None or nextitem.path != item.path:
            descriptors.after_module()
    return result

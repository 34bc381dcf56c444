"""What the tests share: the log records a test expects.

The run fails on every log record at WARNING or above that no test announced.  Announce one like this::

    with ExpectLog("tornado.web", "Uncaught exception GET /boom"):
        self.fetch("/boom")
"""

import logging
import math
import re
from types import TracebackType
from typing import Self

from tornado.ioloop import IOLoop, Poller, _poll

_exceptions = logging.Formatter()


class LogWatch(logging.Handler):
    """Sits on the root logger and keeps each record at WARNING or above that no `ExpectLog` took."""

    def __init__(self) -> None:
        super().__init__()
        self.expected: list[ExpectLog] = []
        self.stray: list[logging.LogRecord] = []

    def install(self) -> None:
        """Make the root logger report here; again if something took the handler away."""
        root = logging.getLogger()
        if self not in root.handlers:
            root.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Give *record* to the innermost expectation that wants it, or call it a stray."""
        for expectation in reversed(self.expected):
            if expectation.takes(record):
                expectation.records.append(record)
                return
        if record.levelno >= logging.WARNING:
            self.stray.append(record)

    def take_strays(self) -> list[str]:
        """Return the stray records as text, tracebacks included, and forget them."""
        strays, self.stray = self.stray, []
        return [f"{record.levelname} {record.name}: {_exceptions.format(record)}" for record in strays]


watch = LogWatch()


class ExpectLog:
    """Within the block, records that match do not fail the run; the block fails if none comes.

    A record matches if it comes from *logger* (a name, "" for any) or a child of it, has *level* or
    more, and *regex* is found in its message or in its traceback.  *required* False allows none to
    come.  The matching records are in the list `records`.  AssertionError names what came instead.
    """

    def __init__(self, logger: str, regex: str, level: int = logging.WARNING, required: bool = True) -> None:
        self.logger = logger
        self.regex = re.compile(regex)
        self.level = level
        self.required = required
        self.records: list[logging.LogRecord] = []

    def takes(self, record: logging.LogRecord) -> bool:
        """Say whether *record* is one that is expected."""
        if record.levelno < self.level or not f"{record.name}.".startswith(self.logger and f"{self.logger}."):
            return False
        if self.regex.search(record.getMessage()):
            return True
        return record.exc_info is not None and bool(self.regex.search(_exceptions.format(record)))

    def __enter__(self) -> Self:
        watch.install()
        watch.expected.append(self)
        logger = logging.getLogger(self.logger)
        self._old_level = logger.level
        if logger.getEffectiveLevel() > self.level:  # an INFO would not even reach the handlers
            logger.setLevel(self.level)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        logging.getLogger(self.logger).setLevel(self._old_level)
        watch.expected.remove(self)
        if error is None and self.required and not self.records:
            level = logging.getLevelName(self.level)
            came = [f"{record.name}: {record.getMessage()}" for record in watch.stray]
            raise AssertionError(
                f"no record at {level} or above from {self.logger or 'any logger'!r} matched"
                f" {self.regex.pattern!r}; unexpected ones so far: {came}"
            )


class FakeClock:
    """The two clocks of a `FakeLoop`, in seconds."""

    def __init__(self) -> None:
        self.monotonic = 2.0**20  # so large that adding a difference of deadlines to it is exact
        self.wall = 1_300_000_000.0

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass on both."""
        self.monotonic += seconds
        self.wall += seconds


class FakePoller:
    """Watches real descriptors, but does not wait for deadlines: the clock jumps there.

    A test that waits for nothing fails instead of hanging: waiting "for ever" is for other threads, and
    ends after `FOREVER` real seconds with an AssertionError; so does polling `MAX_POLLS` times.
    """

    FOREVER = 10.0
    MAX_POLLS = 200_000
    GRACE = 0.001  # real seconds that the kernel may take to carry bytes from one socket to another

    def __init__(self, real: Poller, clock: FakeClock) -> None:
        self.real = real
        self.clock = clock
        self.slept: list[float | None] = []
        self._polls = 0
        self._watched: set[int] = set()

    def register(self, fd: int, eventmask: int, /) -> None:
        """As the real one."""
        self.real.register(fd, eventmask)
        self._watched.add(fd)

    def modify(self, fd: int, eventmask: int, /) -> None:
        """As the real one."""
        self.real.modify(fd, eventmask)

    def unregister(self, fd: int, /) -> None:
        """As the real one."""
        self._watched.discard(fd)
        self.real.unregister(fd)

    def poll(self, timeout: float | None, /) -> list[tuple[int, int]]:
        """Return what is ready; if nothing is, let *timeout* seconds have passed."""
        self._polls += 1
        if self._polls > self.MAX_POLLS:
            raise AssertionError(f"the loop has polled {self.MAX_POLLS} times; what it waits for never comes")
        events = self.real.poll(0)
        if events or timeout == 0:
            return events
        self.slept.append(timeout)
        if timeout is None or timeout == math.inf:
            return self._wait_for_others()
        if len(self._watched) > 1:  # some beside the loop's own waker
            events = self.real.poll(self.GRACE)
        if not events:
            self.clock.advance(timeout)
        return events

    def _wait_for_others(self) -> list[tuple[int, int]]:
        if events := self.real.poll(self.FOREVER):
            return events
        raise AssertionError("the loop sleeps for ever: no callback, no timeout, no descriptor ready")

    def close(self) -> None:
        """As the real one."""
        self.real.close()


class FakeLoop(IOLoop):
    """A loop whose time passes when `advance` is called, and jumps ahead whenever it would sleep.

    Real descriptors, threads and signals work.  `slept` has what each sleep was asked to last, in
    seconds, None for "for ever"; a poll that need not wait is no sleep::

        loop = FakeLoop()
        loop.add_timeout(datetime.timedelta(hours=1), loop.stop)
        loop.start()                    # returns at once
        assert loop.slept == [3600.0]
    """

    def __init__(self, impl: Poller | None = None) -> None:
        self._clock = FakeClock()
        self._fake_poller = FakePoller(_poll() if impl is None else impl, self._clock)
        super().__init__(self._fake_poller)

    def _monotonic(self) -> float:
        return self._clock.monotonic

    def _wall(self) -> float:
        return self._clock.wall

    @property
    def slept(self) -> list[float | None]:
        """What each sleep so far was asked to last."""
        return self._fake_poller.slept

    def time(self) -> float:
        """Return what `time.time` would: the clock of `add_timeout`."""
        return self._clock.wall

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass; timeouts that become due run in the loop's next turn."""
        self._clock.advance(seconds)

    def jump_wall(self, seconds: float) -> None:
        """Set the wall clock ahead by *seconds* (or back, if below 0); no time passes."""
        self._clock.wall += seconds

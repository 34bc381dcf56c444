"""The I/O loop: waits for descriptors, deadlines and callbacks, and calls what belongs to each.

One thread runs one loop, and everything that the loop calls runs on that thread::

    import sys
    from tornado.ioloop import IOLoop, PeriodicCallback

    loop = IOLoop.instance()
    loop.add_handler(sys.stdin.fileno(), lambda fd, events: print(sys.stdin.readline()), loop.READ)
    PeriodicCallback(lambda: print("a second has passed"), 1000).start()
    loop.start()

One turn of the loop: the callbacks queued before it, in order; the timeouts that are due, by deadline;
then the descriptors that are ready.  A callback queued during a turn waits for the next one, so that
no chain of callbacks can starve the descriptors.

`tornado.iostream` is the usual way to read and write a socket; it knows what to do with a half-read line.
"""

import datetime
import errno
import functools
import heapq
import itertools
import logging
import math
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, Protocol

from tornado import stack_context
from tornado.util import UsageError

log = logging.getLogger(__name__)

Callback = Callable[[], Any]
Handler = Callable[[int, int], Any]
BlockedAction = Callable[[int, FrameType | None], Any]

MAX_WAIT = 24 * 60 * 60.0  # seconds of one poll; epoll counts its milliseconds in 31 bits (24 days)


class Poller(Protocol):
    """The part of `select.epoll` that a loop needs; `IOLoop(impl=...)` takes anything that has it."""

    def register(self, fd: int, eventmask: int, /) -> None:
        """Begin to watch *fd* for the READ, WRITE and ERROR bits of *eventmask*."""

    def modify(self, fd: int, eventmask: int, /) -> None:
        """Replace what *fd* is watched for."""

    def unregister(self, fd: int, /) -> None:
        """Stop watching *fd*."""

    def poll(self, timeout: float | None, /) -> list[tuple[int, int]]:
        """Wait *timeout* seconds (None: for ever) for events; return (fd, events) pairs."""

    def close(self) -> None:
        """Give up what the poller itself holds."""


class IOLoop:
    """A level-triggered I/O loop over epoll (kqueue or select where there is no epoll).

    Most programs use the one of `instance`; tests make their own.  Only `add_callback` may be called
    from another thread, or from a signal handler.
    """

    # The values of epoll, which the other back ends translate to.
    NONE = 0
    READ = 0x001
    WRITE = 0x004
    ERROR = 0x008 | 0x010 | 0x2000  # EPOLLERR, EPOLLHUP, EPOLLRDHUP

    _instance: "IOLoop | None" = None
    _instance_lock = threading.Lock()

    # The clocks, as attributes so that tests can advance them.
    _monotonic: Callable[[], float] = staticmethod(time.monotonic)
    _wall: Callable[[], float] = staticmethod(time.time)

    def __init__(self, impl: Poller | None = None) -> None:
        self._impl: Poller = impl or _poll()
        self._handlers: dict[int, Handler] = {}
        self._closers: dict[int, Callback] = {}
        self._stale: set[int] = set()
        self._callbacks: deque[Callback] = deque()
        self._timeouts = _Timeouts()
        self._started = False  # start() has not returned yet, though stop() may have been called
        self._running = False
        self._stopped = False
        self._waiting = False
        self._now = self._monotonic()  # when the events of this turn were fetched
        self._turn = 0
        self._watchdog: _Watchdog | None = None
        self._waker = _Waker()
        self._add_handler(self._waker.fileno(), self._waker.drain, self.READ, self._waker.close)

    # -- the instance --

    @staticmethod
    def instance() -> "IOLoop":
        """Return the loop of this process, made when first asked for."""
        if IOLoop._instance is None:
            with IOLoop._instance_lock:
                if IOLoop._instance is None:
                    IOLoop._instance = IOLoop()
        return IOLoop._instance

    @staticmethod
    def initialized() -> bool:
        """Return whether `instance` has a loop already (after which forking is too late)."""
        return IOLoop._instance is not None

    def install(self) -> None:
        """Make this loop what `instance` returns.  Raises RuntimeError when there is another one already."""
        if IOLoop._instance is not None and IOLoop._instance is not self:
            raise UsageError(
                "install() came too late: IOLoop.instance() was used before; install the loop first"
            )
        IOLoop._instance = self

    def close(self, all_fds: bool = False) -> None:
        """Give up the loop's own descriptors, and with *all_fds* every descriptor registered in it.

        The loop has to be stopped first, and cannot be used afterwards.  Sockets of streams and of
        servers are closed as such, other descriptors with `os.close`.
        """
        if self._started:
            raise UsageError("close() needs a stopped loop: call stop() and let start() return first")
        for fd in list(self._handlers):
            if fd not in self._handlers:  # the owner of another closed it; the number may be a stranger's now
                continue
            closer = self._closers.get(fd)
            if fd == self._waker.fileno() or not all_fds:
                self.remove_handler(fd)
            elif closer is not None:
                closer()
            else:
                self.remove_handler(fd)
                _close_quietly(fd)
        self._waker.close()
        if self._watchdog is not None:
            self._watchdog.stop()
            self._watchdog = None
        self._impl.close()
        self._callbacks.clear()
        self._timeouts.clear()
        if IOLoop._instance is self:
            IOLoop._instance = None

    # -- descriptors --

    def add_handler(self, fd: int, handler: Handler, events: int) -> None:
        """Call ``handler(fd, events)`` whenever *fd* is ready for one of *events* (READ, WRITE, or both).

        ERROR is always added.  Notice is level-triggered: as long as the condition holds, every turn
        calls again.  There is one handler for a descriptor.
        """
        if not isinstance(fd, int):  # epoll would take a socket, and report events of an unknown number
            raise TypeError(f"add_handler() got {fd!r}, wanted a descriptor: pass its fileno()")
        self._add_handler(fd, stack_context.wrap(handler), events | self.ERROR)

    def _add_handler(self, fd: int, handler: Handler, events: int, closer: Callback | None = None) -> None:
        """As `add_handler`, without contexts, for exactly *events*.  *closer* closes *fd*'s owner."""
        self._impl.register(fd, events)
        self._handlers[fd] = handler
        self._closers.pop(fd, None)
        if closer is not None:
            self._closers[fd] = closer
        # An event of this turn may still be waiting for the handler that had this number before.
        self._stale.add(fd)

    def update_handler(self, fd: int, events: int) -> None:
        """Replace the events that *fd*'s handler waits for (READ, WRITE or both; ERROR is always added)."""
        self._impl.modify(fd, events | self.ERROR)

    def _watch(self, fd: int, events: int) -> None:
        """As `update_handler`, for exactly *events*."""
        self._impl.modify(fd, events)

    def remove_handler(self, fd: int) -> None:
        """Stop watching *fd*: its handler is not called again.  An unknown or closed *fd* is ignored."""
        self._handlers.pop(fd, None)
        self._closers.pop(fd, None)
        try:
            self._impl.unregister(fd)
        except (OSError, ValueError, KeyError):
            log.debug("descriptor %d was not watched or is closed", fd, exc_info=True)

    # -- running --

    def start(self) -> None:
        """Run until `stop` is called.

        A `stop` that came before makes it return at once.  What `handle_callback_exception` raises, and
        KeyboardInterrupt and SystemExit, leave it; it can be started again then.
        """
        if self._started:
            raise UsageError("this IOLoop is running already: start() was called from one of its callbacks")
        with stack_context.NullContext(), _SignalWakeup(self._waker):
            try:
                self._started = self._running = True
                if self._stopped:  # looked at last, for a signal handler may call stop() at any time
                    return
                self._now = self._monotonic()
                if self._watchdog is not None:
                    self._watchdog.watch(self)
                while self._running:
                    self._run_callbacks()
                    self._run_due_timeouts()
                    self._handle_events(self._poll())
            finally:
                self._started = self._running = self._stopped = self._waiting = False

    def stop(self) -> None:
        """Leave `start` after this turn, or make the next `start` return at once.

        Callbacks that are queued then stay for the next `start`.
        """
        self._stopped = True
        self._running = False  # last: start() may return now and forget the stop that it obeyed
        if self._waiting:
            self._waker.wake()

    def running(self) -> bool:
        """Return whether `start` is at work and `stop` has not been called."""
        return self._running

    def _run_callbacks(self) -> None:
        callbacks = self._callbacks
        for _ in range(len(callbacks)):  # those added meanwhile wait for the next turn
            callback = callbacks.popleft()
            try:
                callback()
            except Exception:
                self.handle_callback_exception(callback)

    def _run_due_timeouts(self) -> None:
        if not self._timeouts:
            return
        due = self._timeouts.take_due(self._monotonic())
        try:
            while due:
                timeout = due.popleft()[2]
                callback = timeout.callback  # None when a timeout before it in this turn cancelled it
                if callback is not None:
                    timeout.callback = None
                    try:
                        callback()
                    except Exception:
                        self.handle_callback_exception(callback)
        finally:
            self._timeouts.put_back(due)  # for the next start(), when an exception leaves this one

    def _poll(self) -> list[tuple[int, int]]:
        """Wait for events, until the next deadline at the longest."""
        # The order matters: whoever queues a callback looks at _waiting afterwards, we look at the queue
        # after _waiting is set; so either we see the callback, or they see that we have to be woken.
        self._waiting = True
        events = self._impl.poll(self._patience())
        self._now = self._monotonic()
        self._turn += 1
        self._waiting = False  # after _now, or the watchdog would take the time asleep for work
        self._stale.clear()
        return events

    def _patience(self) -> float | None:
        """How long poll may wait: seconds, or None for ever."""
        if self._callbacks or not self._running:
            return 0.0
        deadline = self._timeouts.next_deadline()
        if deadline is None:
            return None
        return min(max(0.0, deadline - self._monotonic()), MAX_WAIT)

    def _handle_events(self, ready: list[tuple[int, int]]) -> None:
        handlers, stale = self._handlers, self._stale
        for fd, events in ready:
            if fd in stale:
                continue
            handler = handlers.get(fd)
            if handler is None:
                continue
            try:
                handler(fd, events)
            except Exception as error:
                if not _peer_gone(error):
                    self.handle_callback_exception(handler)

    # -- callbacks and timeouts --

    def add_callback(self, callback: Callback) -> None:
        """Call *callback* (without arguments) in the next turn of the loop.

        Safe from any thread and from a signal handler; calls are made in order.
        """
        # deque.append is atomic and no lock is taken: a signal handler could interrupt its holder.
        self._callbacks.append(stack_context.wrap(callback))
        if self._waiting:
            self._waker.wake()

    def add_timeout(self, deadline: float | datetime.timedelta, callback: Callback) -> object:
        """Call *callback* once *deadline* has passed; return a handle for `remove_timeout`.

        *deadline* is in seconds on the clock of `time.time`, or a timedelta from now.  It is converted
        to monotonic time at once: a clock that is set later changes nothing.  The loop makes the call,
        never this method, even if the deadline is gone; timeouts due in one turn run in their order.
        Call only on the loop's thread.
        """
        if isinstance(deadline, datetime.timedelta):
            delay = deadline.total_seconds()
        elif isinstance(deadline, (int, float)):
            delay = deadline - self._wall()
        else:
            raise TypeError(
                f"add_timeout() got the deadline {deadline!r}, wanted time.time() seconds or a timedelta"
            )
        if math.isnan(delay):
            raise ValueError(
                "add_timeout() got the deadline nan, which is neither before nor after any other"
            )
        return self._call_at(self._monotonic() + delay, stack_context.wrap(callback))

    def _call_at(self, deadline: float, callback: Callback) -> "_Timeout":
        """As `add_timeout`, for *deadline* on the monotonic clock and without contexts."""
        return self._timeouts.add(deadline, callback)

    def remove_timeout(self, timeout: object) -> None:
        """Cancel what `add_timeout` returned.  One that has run or was cancelled is ignored."""
        if not isinstance(timeout, _Timeout):
            raise TypeError(f"remove_timeout() got {timeout!r}, wanted what add_timeout() returned")
        self._timeouts.cancel(timeout)

    def handle_callback_exception(self, callback: Any) -> None:
        """Called when *callback* raised; `sys.exc_info` has the exception.  Logs it; meant to be overridden.

        What it raises itself leaves `start`.
        """
        while isinstance(callback, functools.partial):  # its arguments may be a peer's data, of any size
            wrapped = type(callback) is stack_context._Wrapped
            callback = callback.args[1] if wrapped else callback.func
        log.error("Exception in callback %r", callback, exc_info=True)

    # -- a stuck loop --

    def set_blocking_signal_threshold(self, seconds: float | None, action: BlockedAction | None) -> None:
        """Call *action* when one turn of the loop takes longer than *seconds*; None for *seconds* ends it.

        *action* is called as ``action(signal.SIGALRM, frame)``, with the frame the loop is stuck in, once
        for each such turn, **on a sampling thread**: a real signal could interrupt a lock that the action
        needs, logging's for one.  None for *action* stands for `log_stack`: being slow kills no process.
        """
        if self._watchdog is not None:
            self._watchdog.stop()
            self._watchdog = None
        if seconds is None:
            return
        if not seconds > 0:
            raise ValueError(f"the threshold is {seconds!r} seconds, wanted a positive number or None")
        self._watchdog = _Watchdog(seconds, self.log_stack if action is None else action)
        if self._running:
            self._watchdog.watch(self)

    def set_blocking_log_threshold(self, seconds: float | None) -> None:
        """Log a stack trace when one turn of the loop takes longer than *seconds*; None ends it."""
        self.set_blocking_signal_threshold(seconds, self.log_stack)

    def log_stack(self, signal: int, frame: FrameType | None) -> None:
        """The action of `set_blocking_log_threshold`: logs a warning with the stack of *frame*."""
        watchdog = self._watchdog
        seconds = watchdog.seconds if watchdog is not None else 0.0
        stack = "".join(traceback.format_stack(frame))
        log.warning("the IOLoop has been blocked for %f seconds in\n%s", seconds, stack)


class PeriodicCallback:
    """Calls *callback* every *callback_time* milliseconds, from `start` until `stop`.

    The first call comes one period after `start`.  Calls keep to the grid that `start` began: a late
    call does not make later ones late, and periods that were missed altogether are left out.  An
    exception goes to the loop's `handle_callback_exception`, and the calls go on.
    """

    def __init__(self, callback: Callback, callback_time: float, io_loop: IOLoop | None = None) -> None:
        if not callback_time > 0:
            raise ValueError(f"callback_time is {callback_time!r}, wanted milliseconds above 0")
        self.callback = callback
        self.callback_time = callback_time
        self.io_loop = io_loop or IOLoop.instance()
        self._timeout: _Timeout | None = None
        self._next = 0.0

    def start(self) -> None:
        """Begin: the first call comes one period from now.  Started again, it begins anew."""
        self.stop()
        self._callback = stack_context.wrap(self.callback)
        self._next = self.io_loop._monotonic()
        self._schedule()

    def stop(self) -> None:
        """End: no further call is made.  It may be started again."""
        if self._timeout is not None:
            self.io_loop.remove_timeout(self._timeout)
            self._timeout = None

    def _schedule(self) -> None:
        period = self.callback_time / 1000
        missed = max(0.0, self.io_loop._monotonic() - self._next) // period
        self._next += period * (missed + 1)
        self._timeout = self.io_loop._call_at(self._next, self._run)

    def _run(self) -> None:
        current = self._timeout
        try:
            self._callback()
        except Exception:
            self.io_loop.handle_callback_exception(self.callback)
        finally:
            if self._timeout is current and current is not None:  # neither stopped nor started anew
                self._schedule()


class _Timeout:
    """A callback and its deadline; without a callback it has run or is cancelled."""

    __slots__ = ("callback", "queued")

    def __init__(self, callback: Callback) -> None:
        self.callback: Callback | None = callback
        self.queued = True


_Entry = tuple[float, int, _Timeout]


class _Timeouts:
    """A heap of deadlines.

    A cancelled timeout stays in the heap until it surfaces: deleting from the middle is O(n), and most
    timeouts are cancelled.  The heap is rebuilt once the dead outnumber the living, which keeps both
    the memory and the cost of a cancellation (amortised) bounded.
    """

    def __init__(self) -> None:
        self._heap: list[_Entry] = []
        self._order = itertools.count()  # equal deadlines run in the order they were set
        self._dead = 0

    def __bool__(self) -> bool:
        return bool(self._heap)

    def add(self, deadline: float, callback: Callback) -> _Timeout:
        timeout = _Timeout(callback)
        heapq.heappush(self._heap, (deadline, next(self._order), timeout))
        return timeout

    def cancel(self, timeout: _Timeout) -> None:
        if timeout.callback is None:
            return
        timeout.callback = None
        if timeout.queued:
            self._dead += 1
            if self._dead > 16 and self._dead * 2 > len(self._heap):
                self._heap = [entry for entry in self._heap if entry[2].callback is not None]
                heapq.heapify(self._heap)
                self._dead = 0

    def next_deadline(self) -> float | None:
        """The earliest deadline of a living timeout, None without one."""
        heap = self._heap
        while heap and heap[0][2].callback is None:
            heapq.heappop(heap)
            self._dead -= 1
        return heap[0][0] if heap else None

    def take_due(self, now: float) -> deque[_Entry]:
        due: deque[_Entry] = deque()
        while (deadline := self.next_deadline()) is not None and deadline <= now:
            entry = heapq.heappop(self._heap)
            entry[2].queued = False
            due.append(entry)
        return due

    def put_back(self, due: Iterable[_Entry]) -> None:
        for entry in due:
            if entry[2].callback is not None:
                entry[2].queued = True
                heapq.heappush(self._heap, entry)

    def clear(self) -> None:
        for _, _, timeout in self._heap:
            timeout.callback = None  # which may know its handle
        self._heap.clear()
        self._dead = 0


class _Waker:
    """Ends a poll from another thread or from a signal: a non-blocking pair of sockets.

    Not an eventfd: `signal.set_wakeup_fd` writes single bytes, which an eventfd refuses.
    """

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        return self._reader.fileno()

    def write_fileno(self) -> int:
        return self._writer.fileno()

    def wake(self) -> None:
        try:
            self._writer.send(b"\0")
        except OSError:
            pass  # full: it is awake already; closed: there is nobody to wake

    def drain(self, fd: int, events: int) -> None:
        try:
            while len(self._reader.recv(4096)) == 4096:
                pass
        except BlockingIOError:
            pass

    def close(self) -> None:
        self._reader.close()
        self._writer.close()


class _SignalWakeup:
    """While a loop runs on the main thread, a signal ends its poll.

    Python runs a signal handler only once the C call at work returns, and a signal that comes just
    before epoll begins to wait would not end the wait.  An application's own wake-up descriptor is
    left alone.
    """

    _ours: set[int] = set()  # of the loops at work: a nested one takes over from the one around it

    def __init__(self, waker: _Waker) -> None:
        self._fd = waker.write_fileno()
        self._previous: int | None = None

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        previous = signal.set_wakeup_fd(self._fd, warn_on_full_buffer=False)
        if previous != -1 and previous not in self._ours:
            signal.set_wakeup_fd(previous)
            return
        self._previous = previous
        self._ours.add(self._fd)

    def __exit__(self, *exc_info: object) -> None:
        if self._previous is None:
            return
        self._ours.discard(self._fd)
        current = signal.set_wakeup_fd(self._previous, warn_on_full_buffer=False)
        if current != self._fd:  # the application has set one of its own meanwhile
            signal.set_wakeup_fd(current)


class _Watchdog:
    """A daemon thread that looks now and then whether one turn of a loop takes too long.

    It costs the loop nothing: when a turn began, and that the loop is waiting, is written down anyway.
    """

    def __init__(self, seconds: float, action: BlockedAction) -> None:
        self.seconds = seconds
        self._action = action
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, loop: IOLoop) -> None:
        """Begin to watch *loop*, which runs on the calling thread.  Called anew by each start of it."""
        self._loop_thread = threading.get_ident()
        self._reported = -1  # an exception may have ended the last start in a turn that was reported
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, args=(loop,), name="tornado-watchdog", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._thread = None

    def _run(self, loop: IOLoop) -> None:
        while not self._stop.wait(min(self.seconds / 4, 0.25)):
            turn = loop._turn
            stuck = loop._running and not loop._waiting and loop._monotonic() - loop._now > self.seconds
            if stuck and turn == loop._turn and turn != self._reported:
                self._reported = turn
                try:
                    self._action(signal.SIGALRM, sys._current_frames().get(self._loop_thread))
                except Exception:
                    log.error("Exception in the action for a blocked loop", exc_info=True)


class _Select:
    """`select.select` with epoll's methods: works everywhere, for descriptors below 1024."""

    def __init__(self) -> None:
        self._events: dict[int, int] = {}

    def register(self, fd: int, events: int) -> None:
        select.select([fd], [], [], 0)  # refuses now what would make every poll fail: closed, or too high
        self._events[fd] = events

    def modify(self, fd: int, events: int) -> None:
        if fd not in self._events:
            raise FileNotFoundError(errno.ENOENT, f"descriptor {fd} is not watched")
        self._events[fd] = events

    def unregister(self, fd: int) -> None:
        del self._events[fd]

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        bits = (IOLoop.READ, IOLoop.WRITE, IOLoop.ERROR)
        read, write, error = ([fd for fd, events in self._events.items() if events & bit] for bit in bits)
        try:
            ready = select.select(read, write, error, timeout)
        except OSError:
            if self._forget_closed():
                return []
            raise
        found: dict[int, int] = {}
        for fds, bit in zip(ready, bits, strict=True):
            for fd in fds:
                found[fd] = found.get(fd, 0) | bit
        return list(found.items())

    def _forget_closed(self) -> bool:
        """Drop what was closed while it was watched, as epoll does by itself; say whether there was any."""
        closed = [fd for fd in self._events if not _is_open(fd)]
        for fd in closed:
            del self._events[fd]
        return bool(closed)

    def close(self) -> None:
        pass


class _KQueue:
    """kqueue with epoll's methods, for the BSDs and macOS."""

    def __init__(self) -> None:
        self._select: Any = select  # kqueue is not there on the system the types are checked on
        self._kqueue = self._select.kqueue()
        self._active: dict[int, int] = {}

    def register(self, fd: int, events: int) -> None:
        self._control(fd, events, self._select.KQ_EV_ADD)
        self._active[fd] = events

    def modify(self, fd: int, events: int) -> None:
        old = self._active.get(fd)
        if old is None:
            raise FileNotFoundError(errno.ENOENT, f"descriptor {fd} is not watched")
        self._control(fd, old & ~events, self._select.KQ_EV_DELETE)
        self._control(fd, events & ~old, self._select.KQ_EV_ADD)
        self._active[fd] = events

    def unregister(self, fd: int) -> None:
        self._control(fd, self._active.pop(fd), self._select.KQ_EV_DELETE)

    def _control(self, fd: int, events: int, flags: int) -> None:
        kevent = self._select.kevent
        if events & IOLoop.WRITE:
            self._kqueue.control([kevent(fd, self._select.KQ_FILTER_WRITE, flags)], 0)
        if events & IOLoop.READ:
            self._kqueue.control([kevent(fd, self._select.KQ_FILTER_READ, flags)], 0)

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        events: dict[int, int] = {}
        for event in self._kqueue.control(None, 1000, timeout):
            fd = event.ident
            bits = 0
            if event.filter == self._select.KQ_FILTER_READ:
                bits = IOLoop.READ
            elif event.filter == self._select.KQ_FILTER_WRITE:
                # On a socket whose peer is gone, the end of the writing side is an error.
                bits = IOLoop.ERROR if event.flags & self._select.KQ_EV_EOF else IOLoop.WRITE
            if event.flags & self._select.KQ_EV_ERROR:
                bits |= IOLoop.ERROR
            events[fd] = events.get(fd, 0) | bits
        return list(events.items())

    def close(self) -> None:
        self._kqueue.close()


def _poll() -> Poller:
    """The best poller of this system."""
    if hasattr(select, "epoll"):
        return select.epoll()
    if hasattr(select, "kqueue"):
        return _KQueue()
    return _Select()


def _peer_gone(error: BaseException) -> bool:
    """Whether a write failed because nobody reads any more, which needs no traceback."""
    return isinstance(error, OSError) and error.errno == errno.EPIPE


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _close_quietly(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:
        log.debug("could not close descriptor %d", fd, exc_info=True)

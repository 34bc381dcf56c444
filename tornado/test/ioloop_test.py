"""The loop: each poller with real descriptors, real threads and signals, and a clock that is advanced."""

import array
import contextlib
import datetime
import errno
import functools
import gc
import heapq
import itertools
import logging
import math
import os
import random
import select
import signal
import socket
import sys
import threading
import time
import unittest
import weakref
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FrameType
from typing import Any
from unittest import mock

from tornado import ioloop, stack_context
from tornado.ioloop import IOLoop, PeriodicCallback, Poller
from tornado.test.util import ExpectLog, FakeLoop, FakePoller
from tornado.util import UsageError

READ, WRITE, ERROR = IOLoop.READ, IOLoop.WRITE, IOLoop.ERROR
SAFETY = datetime.timedelta(seconds=30)  # real time after which a test that waits has failed


def nothing() -> None:
    pass


def ignore(fd: int, events: int) -> None:
    pass


def boom() -> None:
    raise ValueError("boom")


def seconds(number: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=number)


def turn(loop: IOLoop) -> None:
    """Run *loop* for exactly one turn."""
    loop.add_callback(loop.stop)
    loop.start()


class LoopTestCase(unittest.TestCase):
    def fake_loop(self, impl: Poller | None = None) -> FakeLoop:
        loop = FakeLoop(impl)
        self.addCleanup(loop.close)
        return loop

    def real_loop(self, impl: Poller | None = None) -> IOLoop:
        loop = IOLoop(impl)
        self.addCleanup(loop.close)
        return loop

    def run_safely(self, loop: IOLoop) -> None:
        """Run *loop* until it is stopped, which it has to be some time."""
        timeout = loop.add_timeout(SAFETY, functools.partial(self.too_late, loop))
        loop.start()
        loop.remove_timeout(timeout)

    def too_late(self, loop: IOLoop) -> None:
        loop.stop()
        self.fail("the loop waited for something that did not come")

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """Two non-blocking sockets that are connected with each other."""
        ours, theirs = socket.socketpair()
        for sock in (ours, theirs):
            sock.setblocking(False)
            self.addCleanup(sock.close)
        return ours, theirs

    def pipe(self) -> tuple[int, int]:
        read, write = os.pipe()
        for fd in (read, write):
            self.addCleanup(close_if_open, fd)
        return read, write


def close_if_open(fd: int) -> None:
    with contextlib.suppress(OSError):
        os.close(fd)


def fill(sock: socket.socket) -> None:
    """Send until the kernel takes no more."""
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.send(b"x" * 65536)


def drain(sock: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        while sock.recv(65536):
            pass


# -- the instance --


class InstanceTest(LoopTestCase):
    def setUp(self) -> None:
        self.addCleanup(setattr, IOLoop, "_instance", IOLoop._instance)
        IOLoop._instance = None

    def test_made_when_asked_for(self) -> None:
        self.assertFalse(IOLoop.initialized())
        loop = IOLoop.instance()
        self.addCleanup(loop.close)
        self.assertTrue(IOLoop.initialized())
        self.assertIs(IOLoop.instance(), loop)
        self.assertIs(FakeLoop.instance(), loop)
        self.assertIsNot(self.real_loop(), loop)
        self.assertIs(IOLoop.instance(), loop)

    def test_one_for_all_threads(self) -> None:
        for _ in range(5):
            IOLoop._instance = None
            start = threading.Barrier(8)
            loops: list[IOLoop] = []
            threads = [
                threading.Thread(
                    target=lambda s=start, found=loops: (s.wait(), found.append(IOLoop.instance()))
                )
                for _ in range(8)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            loops[0].close()
            self.assertEqual(len(set(map(id, loops))), 1)

    def test_install(self) -> None:
        loop = self.fake_loop()
        loop.install()
        self.assertTrue(IOLoop.initialized())
        self.assertIs(IOLoop.instance(), loop)
        loop.install()
        self.assertIs(IOLoop.instance(), loop)
        self.assertIs(PeriodicCallback(nothing, 1).io_loop, loop)

    def test_installed_too_late(self) -> None:
        first = self.fake_loop()
        first.install()
        for kind in (UsageError, AssertionError, RuntimeError):
            self.assertRaisesRegex(kind, "install", self.real_loop().install)
        self.assertIs(IOLoop.instance(), first)

    def test_a_closed_one_is_forgotten(self) -> None:
        loop = self.fake_loop()
        loop.install()
        self.real_loop().close()
        self.assertIs(IOLoop.instance(), loop)
        loop.close()
        self.assertFalse(IOLoop.initialized())


class ConstantsTest(unittest.TestCase):
    def test_values(self) -> None:
        for holder in (IOLoop, FakeLoop):
            self.assertEqual((holder.NONE, holder.READ, holder.WRITE, holder.ERROR), (0, 1, 4, 0x2018))

    @unittest.skipUnless(hasattr(select, "epoll"), "needs epoll")
    def test_they_are_those_of_epoll(self) -> None:
        self.assertEqual((READ, WRITE), (select.EPOLLIN, select.EPOLLOUT))
        self.assertEqual(ERROR, select.EPOLLERR | select.EPOLLHUP | select.EPOLLRDHUP)


# -- starting, stopping, the order of a turn --


class RunTest(LoopTestCase):
    def setUp(self) -> None:
        self.loop = self.fake_loop()
        self.events: list[str] = []

    def note(self, what: str) -> Callable[[], None]:
        return functools.partial(self.events.append, what)

    def test_running(self) -> None:
        seen: list[bool] = []

        def callback() -> None:
            seen.append(self.loop.running())
            self.loop.stop()
            seen.append(self.loop.running())

        self.assertFalse(self.loop.running())
        self.loop.add_callback(callback)
        self.loop.start()
        self.assertEqual(seen, [True, False])
        self.assertFalse(self.loop.running())

    def test_stop_before_start(self) -> None:
        self.loop.add_callback(self.note("ran"))
        self.loop.stop()
        self.assertFalse(self.loop.running())
        self.loop.start()
        self.assertEqual(self.events, [])
        turn(self.loop)
        self.assertEqual(self.events, ["ran"])

    def test_stops_do_not_add_up(self) -> None:
        self.loop.stop()
        self.loop.stop()
        self.loop.start()
        self.loop.add_callback(self.loop.stop)
        self.loop.add_callback(self.loop.stop)
        self.loop.add_callback(self.note("ran"))
        self.loop.start()
        self.assertEqual(self.events, ["ran"])
        turn(self.loop)  # would return at once, with its stop left over
        self.assertFalse(self.loop._callbacks)

    def test_stop_lets_the_turn_end(self) -> None:
        ours, theirs = self.pair()
        theirs.send(b"x")
        self.loop.add_callback(self.loop.stop)
        self.loop.add_callback(self.note("callback"))
        self.loop.add_timeout(0, self.note("timeout"))
        self.loop.add_handler(ours.fileno(), lambda fd, events: self.events.append("handler"), READ)
        self.loop.start()
        self.assertEqual(self.events, ["callback", "timeout", "handler"])

    def test_what_comes_after_stop_stays_for_the_next_start(self) -> None:
        def stop() -> None:
            self.loop.stop()
            self.loop.add_callback(self.note("late"))
            self.loop.add_callback(self.loop.stop)

        self.loop.add_callback(stop)
        self.loop.start()
        self.assertEqual(self.events, [])
        self.loop.start()
        self.assertEqual(self.events, ["late"])

    def test_start_within_start(self) -> None:
        self.loop.add_callback(self.loop.start)
        self.loop.add_callback(self.loop.stop)
        with ExpectLog("tornado.ioloop", "running already"):
            self.loop.start()
        turn(self.loop)

    def test_order_of_a_turn(self) -> None:
        ours, theirs = self.pair()
        theirs.send(b"x")
        self.loop.add_handler(ours.fileno(), lambda fd, events: self.events.append("handler"), READ)
        self.loop.add_timeout(1, self.note("timeout 1"))
        self.loop.add_callback(self.note("callback 1"))
        self.loop.add_timeout(0, self.note("timeout 0"))
        self.loop.add_callback(self.note("callback 2"))
        turn(self.loop)
        self.assertEqual(self.events, ["callback 1", "callback 2", "timeout 0", "timeout 1", "handler"])

    def test_callbacks_of_a_turn_wait_for_the_next(self) -> None:
        """So that a chain of them starves neither timeouts nor descriptors."""
        ours, theirs = self.pair()
        theirs.send(b"x")

        def chain(number: int) -> None:
            self.events.append(f"callback {number}")
            if number < 3:
                self.loop.add_callback(functools.partial(chain, number + 1))
            else:
                self.loop.stop()

        self.loop.add_handler(ours.fileno(), lambda fd, events: self.events.append("handler"), READ)
        self.loop.add_timeout(0, self.note("timeout"))
        self.loop.add_callback(functools.partial(chain, 1))
        self.loop.start()
        self.assertEqual(
            self.events,
            ["callback 1", "timeout", "handler", "callback 2", "handler", "callback 3", "handler"],
        )
        self.assertEqual(self.loop.slept, [])

    def test_many_callbacks_keep_their_order(self) -> None:
        numbers: list[int] = []
        for number in range(5000):
            self.loop.add_callback(functools.partial(numbers.append, number))
        turn(self.loop)
        self.assertEqual(numbers, list(range(5000)))

    def test_nested_loops(self) -> None:
        def nest(depth: int, outer: IOLoop) -> None:
            inner = self.fake_loop()
            self.events.append(f"+{depth}")
            inner.add_callback(functools.partial(nest, depth + 1, inner) if depth < 3 else boom)
            inner.add_timeout(seconds(1), inner.stop)
            inner.start()
            self.assertTrue(outer.running())
            self.assertFalse(inner.running())
            self.events.append(f"-{depth}")

        self.loop.add_callback(functools.partial(nest, 1, self.loop))
        self.loop.add_timeout(seconds(1), self.loop.stop)
        with ExpectLog("tornado.ioloop", "Exception in callback") as log:
            self.loop.start()
        self.assertEqual(len(log.records), 1)
        self.assertEqual(self.events, ["+1", "+2", "+3", "-3", "-2", "-1"])

    def test_a_loop_on_another_thread(self) -> None:
        """Two loops send each other callbacks."""
        other = self.real_loop()
        here = self.real_loop()
        left = 200

        def serve(target: IOLoop, back: IOLoop) -> None:
            nonlocal left
            left -= 1
            if left > 0:
                target.add_callback(functools.partial(serve, back, target))
            else:
                here.add_callback(here.stop)
                other.add_callback(other.stop)

        thread = threading.Thread(target=self.run_safely, args=(other,))
        thread.start()
        here.add_callback(functools.partial(serve, other, here))
        self.run_safely(here)
        thread.join()
        self.assertLessEqual(left, 0)


class ExceptionTest(LoopTestCase):
    """What a callback, a timeout or a handler raises."""

    def setUp(self) -> None:
        self.loop = self.fake_loop()
        self.ours, self.theirs = self.pair()
        self.theirs.send(b"x")
        self.events: list[str] = []

    def raise_in(self, place: str, error: BaseException) -> Callable[..., None]:
        def fail(*args: Any) -> None:
            self.events.append("failed")
            if place == "handler":
                self.loop.remove_handler(self.ours.fileno())
            raise error

        if place == "callback":
            self.loop.add_callback(fail)
        elif place == "timeout":
            self.loop.add_timeout(0, fail)
        else:
            self.loop.add_handler(self.ours.fileno(), fail, READ)
        return fail

    PLACES = ("callback", "timeout", "handler")

    def test_it_is_logged_and_the_loop_goes_on(self) -> None:
        for place in self.PLACES:
            with self.subTest(place):
                fail = self.raise_in(place, ValueError("boom"))
                with ExpectLog("tornado.ioloop", r"Exception in callback <function .*fail") as log:
                    turn(self.loop)
                (record,) = log.records
                self.assertEqual(record.levelname, "ERROR")
                assert record.exc_info is not None
                self.assertIsInstance(record.exc_info[1], ValueError)
                self.assertEqual(record.args, (fail,))

    def test_what_follows_in_the_turn_is_done(self) -> None:
        other, theirs = self.pair()
        theirs.send(b"x")
        for place in self.PLACES:
            with self.subTest(place):
                self.events.clear()
                self.loop.add_handler(other.fileno(), lambda fd, events: self.events.append("handler"), READ)
                self.raise_in(place, ValueError("boom"))
                self.loop.add_callback(functools.partial(self.events.append, "callback"))
                self.loop.add_timeout(1, functools.partial(self.events.append, "timeout"))
                with ExpectLog("tornado.ioloop", "boom"):
                    turn(self.loop)
                self.assertEqual(sorted(self.events), ["callback", "failed", "handler", "timeout"])
                self.loop.remove_handler(other.fileno())

    def test_broken_pipe_in_a_handler_is_nobodys_fault(self) -> None:
        self.raise_in("handler", BrokenPipeError(errno.EPIPE, "Broken pipe"))
        turn(self.loop)  # and no record in the log
        for error in (OSError(errno.ECONNRESET, "reset"), OSError("no number"), ValueError(errno.EPIPE)):
            self.raise_in("handler", error)
            with ExpectLog("tornado.ioloop", "Exception in callback"):
                turn(self.loop)
        self.assertEqual(len(self.events), 4)

    def test_broken_pipe_in_a_callback_is_logged(self) -> None:
        for place in ("callback", "timeout"):
            self.raise_in(place, BrokenPipeError(errno.EPIPE, "Broken pipe"))
            with ExpectLog("tornado.ioloop", "Exception in callback"):
                turn(self.loop)

    def test_what_leaves_start(self) -> None:
        for kind, place in itertools.product((KeyboardInterrupt, SystemExit, GeneratorExit), self.PLACES):
            with self.subTest(kind.__name__, place=place):
                self.raise_in(place, kind())
                self.assertRaises(kind, self.loop.start)
                self.assertFalse(self.loop.running())
                turn(self.loop)

    def test_stopped_and_left_in_one_turn(self) -> None:
        """The exception was the end of that start: the next one has a stop of its own."""
        for place in self.PLACES:
            with self.subTest(place):
                self.loop.add_callback(self.loop.stop)
                self.raise_in(place, KeyboardInterrupt())
                self.assertRaises(KeyboardInterrupt, self.loop.start)
                ran: list[int] = []
                self.loop.add_callback(functools.partial(ran.append, 1))
                turn(self.loop)
                self.assertEqual(ran, [1])

    def test_nothing_is_lost_when_start_is_left(self) -> None:
        for place in self.PLACES:
            with self.subTest(place):
                self.events.clear()
                other, theirs = self.pair()
                theirs.send(b"x")
                self.raise_in(place, KeyboardInterrupt())
                for number in range(3):
                    self.loop.add_callback(functools.partial(self.events.append, f"callback {number}"))
                    self.loop.add_timeout(
                        number + 1, functools.partial(self.events.append, f"timeout {number}")
                    )
                self.loop.add_handler(other.fileno(), lambda fd, events: self.events.append("handler"), READ)
                self.assertRaises(KeyboardInterrupt, self.loop.start)
                turn(self.loop)
                counts = {name: self.events.count(name) for name in self.events}
                self.assertGreaterEqual(counts.pop("handler"), 1)  # it is level-triggered
                wanted = ["failed", *(f"{kind} {n}" for kind in ("callback", "timeout") for n in range(3))]
                self.assertEqual(counts, dict.fromkeys(wanted, 1))
                for kind in ("callback", "timeout"):
                    ordered = [name for name in self.events if name.startswith(kind)]
                    self.assertEqual(ordered, sorted(ordered))
                self.loop.remove_handler(other.fileno())

    def test_due_timeouts_left_behind_can_be_cancelled(self) -> None:
        self.raise_in("timeout", KeyboardInterrupt())
        left = [self.loop.add_timeout(1, functools.partial(self.events.append, "ran")) for _ in range(40)]
        self.assertRaises(KeyboardInterrupt, self.loop.start)
        for timeout in left:
            self.loop.remove_timeout(timeout)
        turn(self.loop)
        self.assertEqual(self.events, ["failed"])
        self.assertLessEqual(len(self.loop._timeouts._heap), 17)
        self.assertGreaterEqual(self.loop._timeouts._dead, 0)

    def test_the_contexts_of_registration_see_it_first(self) -> None:
        seen: list[BaseException] = []

        def handle(kind: type[BaseException], error: BaseException, trace: Any) -> bool:
            seen.append(error)
            return True

        for place in self.PLACES:
            with self.subTest(place):
                with stack_context.ExceptionStackContext(handle):
                    self.raise_in(place, ValueError("boom"))
                turn(self.loop)
                self.assertEqual(str(seen.pop()), "boom")

    def test_the_override_on_an_instance(self) -> None:
        handled: list[tuple[object, BaseException | None]] = []
        for place in self.PLACES:
            with self.subTest(place):
                replacement = lambda callback: handled.append((callback, sys.exc_info()[1]))  # noqa: E731
                with mock.patch.object(self.loop, "handle_callback_exception", replacement):
                    fail = self.raise_in(place, ValueError("boom"))
                    turn(self.loop)
                callback, error = handled.pop()
                self.assertIs(callback, fail)
                self.assertIsInstance(error, ValueError)

    def test_the_override_in_a_subclass_may_raise(self) -> None:
        class Strict(FakeLoop):
            def handle_callback_exception(self, callback: Any) -> None:
                raise

        self.loop = Strict()
        self.addCleanup(self.loop.close)
        for place in self.PLACES:
            with self.subTest(place):
                self.raise_in(place, ValueError("boom"))
                self.loop.add_timeout(1, functools.partial(self.events.append, "survived"))
                self.assertRaisesRegex(ValueError, "boom", self.loop.start)
                self.assertFalse(self.loop.running())
                turn(self.loop)
        self.assertEqual(self.events.count("survived"), 3)

    def test_a_start_that_fails_can_be_repeated(self) -> None:
        class Unwilling:
            seconds = 1.0

            def watch(self, loop: IOLoop) -> None:
                raise RuntimeError("can't start new thread")

            def stop(self) -> None:
                pass

        self.loop._watchdog = Unwilling()  # type: ignore[assignment]
        self.assertRaisesRegex(RuntimeError, "can't start", self.loop.start)
        self.assertFalse(self.loop.running())
        self.loop._watchdog = None
        turn(self.loop)


class CloseTest(LoopTestCase):
    def test_a_running_loop_is_not_closed(self) -> None:
        loop = self.fake_loop()
        loop.add_callback(loop.close)
        loop.add_callback(loop.stop)
        with ExpectLog("tornado.ioloop", "needs a stopped loop"):
            loop.start()
        turn(loop)

    def test_nor_one_that_is_about_to_stop(self) -> None:
        loop = self.fake_loop()
        ran: list[int] = []
        loop.add_callback(loop.stop)
        loop.add_callback(loop.close)
        loop.add_callback(functools.partial(ran.append, 1))
        with ExpectLog("tornado.ioloop", "needs a stopped loop"):
            loop.start()
        self.assertEqual(ran, [1])

    def test_twice(self) -> None:
        for factory in (FakeLoop, IOLoop):
            loop = factory()
            loop.close()
            loop.close()
            loop.close(all_fds=True)

    def test_late_calls_from_threads_are_harmless(self) -> None:
        loop = FakeLoop()
        timeout = loop.add_timeout(seconds(1), nothing)
        loop.close()
        thread = threading.Thread(target=loop.add_callback, args=(nothing,))
        thread.start()
        thread.join()
        loop.remove_timeout(timeout)
        loop.remove_handler(0)

    def test_descriptors_are_left_open(self) -> None:
        loop = FakeLoop()
        ours, theirs = self.pair()
        loop.add_handler(ours.fileno(), ignore, READ)
        loop.close()
        theirs.send(b"x")
        self.assertEqual(ours.recv(1), b"x")

    def test_all_fds(self) -> None:
        loop = FakeLoop()
        read, write = self.pipe()
        ours, theirs = self.pair()
        detached = ours.detach()
        self.addCleanup(close_if_open, detached)
        gone, _ = self.pipe()
        for fd in (read, write, detached, gone):
            loop.add_handler(fd, ignore, READ if fd != write else WRITE)
        os.close(gone)
        loop.close(all_fds=True)
        for fd in (read, write, detached):
            self.assertRaises(OSError, os.fstat, fd)
        self.assertEqual(theirs.recv(1), b"")  # closed, and the peer was told

    def test_owners_close_for_themselves(self) -> None:
        loop = FakeLoop()
        ours, _ = self.pair()
        closed: list[int] = []
        loop._add_handler(ours.fileno(), ignore, READ, lambda: closed.append(1))
        loop.close(all_fds=True)
        self.assertEqual(closed, [1])
        os.fstat(ours.fileno())  # still ours

    def test_owners_stay_when_not_all_is_closed(self) -> None:
        loop = FakeLoop()
        ours, _ = self.pair()
        loop._add_handler(ours.fileno(), ignore, READ, self.fail)
        loop.close()

    def test_an_owner_that_closes_another(self) -> None:
        """The other's number may belong to somebody else by then."""
        loop = FakeLoop()
        first, second = self.pipe()
        stranger, _ = self.pair()

        def close_second() -> None:
            loop.remove_handler(second)
            os.dup2(stranger.fileno(), second)

        loop._add_handler(first, ignore, READ, close_second)
        loop.add_handler(second, ignore, WRITE)
        loop.close(all_fds=True)
        self.assertTrue(os.path.samestat(os.fstat(second), os.fstat(stranger.fileno())))

    def test_the_owner_of_a_number_that_was_given_again(self) -> None:
        """The first forgot to say that it closed; the second has no closer."""
        loop = FakeLoop()
        ours, _ = self.pair()
        number = ours.fileno()
        loop._add_handler(number, ignore, READ, self.fail)
        read, _ = self.pipe()
        os.dup2(read, number)
        loop.add_handler(number, ignore, READ)
        loop.close(all_fds=True)
        self.assertRaises(OSError, os.fstat, number)
        ours.detach()

    def test_its_own_descriptors(self) -> None:
        before = open_descriptors()
        loops = [IOLoop() for _ in range(10)]
        mine = open_descriptors() - before
        self.assertGreaterEqual(len(mine), 20)
        for fd in mine:
            self.assertFalse(os.get_inheritable(fd))
        for loop in loops:
            turn(loop)
            loop.close()
        self.assertEqual(open_descriptors(), before)

    def test_nothing_is_left_to_the_garbage_collector(self) -> None:
        gc.collect()
        self.addCleanup(gc.enable if gc.isenabled() else gc.disable)
        gc.disable()
        for _ in range(3):
            self.use_a_loop()
        self.assertEqual(gc.collect(), 0)

    def use_a_loop(self) -> None:
        loop = FakeLoop()
        PeriodicCallback(nothing, 100, loop).start()
        loop.add_timeout(seconds(1), boom)
        loop.add_timeout(seconds(5), loop.stop)
        loop.add_timeout(seconds(100), loop.stop)
        loop.add_callback(boom)
        # A log record would keep the frames, and so this loop, for the report of the test.
        with mock.patch.object(loop, "handle_callback_exception", nothing_to_say):
            loop.start()
        loop.add_callback(loop.stop)
        loop.set_blocking_log_threshold(1)
        loop.close()


def nothing_to_say(callback: object) -> None:
    pass


def open_descriptors() -> set[int]:
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            os.fstat(int(name))
            found.add(int(name))
    return found


class FakeLoopTest(LoopTestCase):
    """The clock of the other tests."""

    def test_real_descriptors_come_before_deadlines(self) -> None:
        loop = self.fake_loop()
        ours, theirs = self.pair()
        order: list[str] = []
        loop.add_handler(ours.fileno(), lambda fd, events: order.append(str(ours.recv(1))), READ)
        loop.add_timeout(seconds(1), functools.partial(theirs.send, b"x"))
        loop.add_timeout(seconds(2), loop.stop)
        theirs.send(b"x")
        loop.start()
        self.assertEqual((order, loop.slept), (["b'x'"] * 2, [1, 1]))

    def test_time_passes_when_told(self) -> None:
        loop = self.fake_loop()
        monotonic, wall = loop._monotonic(), loop.time()
        loop.advance(5)
        loop.jump_wall(-60)
        self.assertEqual((loop._monotonic() - monotonic, loop.time() - wall), (5, -55))

    def test_it_does_not_hang(self) -> None:
        idle, busy = self.fake_loop(), self.fake_loop()
        with mock.patch.object(FakePoller, "FOREVER", 0.001):
            self.assertRaisesRegex(AssertionError, "for ever", idle.start)
        PeriodicCallback(nothing, 1000, busy).start()
        with mock.patch.object(FakePoller, "MAX_POLLS", 100):
            self.assertRaisesRegex(AssertionError, "polled 100 times", busy.start)


# -- descriptors, over each poller --


@unittest.skipUnless(hasattr(select, "epoll"), "needs epoll")
class EpollTest(LoopTestCase):
    """The tests that every poller passes."""

    def poller(self) -> Poller:
        return select.epoll()

    def setUp(self) -> None:
        self.loop = self.fake_loop(self.poller())
        self.calls: list[tuple[int, int]] = []
        self.ours, self.theirs = self.pair()
        self.fd = self.ours.fileno()

    def note(self, fd: int, events: int) -> None:
        self.calls.append((fd, events))

    def taken(self) -> list[tuple[int, int]]:
        """The calls of one further turn."""
        self.calls.clear()
        turn(self.loop)
        return sorted(self.calls)

    def assert_asleep(self) -> None:
        """Nothing keeps the loop awake: it sleeps once until the next deadline."""
        self.loop.slept.clear()
        self.loop.add_timeout(seconds(64), self.loop.stop)
        self.loop.start()
        self.assertEqual(self.loop.slept, [64])

    def test_reading_is_level_triggered(self) -> None:
        self.loop.add_handler(self.fd, self.note, READ)
        self.assertEqual(self.taken(), [])
        self.theirs.send(b"xy")
        for _ in range(3):
            self.assertEqual(self.taken(), [(self.fd, READ)])
        self.ours.recv(1)
        self.assertEqual(self.taken(), [(self.fd, READ)])
        self.ours.recv(1)
        self.assertEqual(self.taken(), [])
        self.assert_asleep()

    def test_writing_is_level_triggered(self) -> None:
        self.loop.add_handler(self.fd, self.note, WRITE)
        self.assertEqual(self.taken(), [(self.fd, WRITE)])
        fill(self.ours)
        self.assertEqual(self.taken(), [])
        self.assert_asleep()
        drain(self.theirs)
        for _ in range(2):
            self.assertEqual(self.taken(), [(self.fd, WRITE)])

    def test_both_in_one_call(self) -> None:
        self.loop.add_handler(self.fd, self.note, READ | WRITE)
        self.theirs.send(b"x")
        self.assertEqual(self.taken(), [(self.fd, READ | WRITE)])

    def test_every_change_of_events(self) -> None:
        """The socket is readable and writable all the time: what is asked for comes."""
        self.theirs.send(b"x")
        masks = (IOLoop.NONE, READ, WRITE, READ | WRITE)
        for first, second in itertools.product(masks, masks):
            with self.subTest(first=first, second=second):
                self.loop.add_handler(self.fd, self.note, first)
                self.loop.update_handler(self.fd, second)
                self.assertEqual(self.taken(), [(self.fd, second)] if second else [])
                self.loop.update_handler(self.fd, first)
                self.assertEqual(self.taken(), [(self.fd, first)] if first else [])
                self.loop.remove_handler(self.fd)
                self.assertEqual(self.taken(), [])
        self.assert_asleep()

    def test_exactly_what_is_watched(self) -> None:
        """The way of the streams, which say themselves when they want errors."""
        self.theirs.send(b"x")
        self.loop._add_handler(self.fd, self.note, 0)
        self.assertEqual(self.taken(), [])
        for events in (READ, WRITE, 0, READ | WRITE, 0):
            self.loop._watch(self.fd, events)
            self.assertEqual(self.taken(), [(self.fd, events)] if events else [])
        self.assert_asleep()

    def test_a_reader_hears_of_the_end(self) -> None:
        for how in ("close", "shutdown"):
            with self.subTest(how):
                ours, theirs = self.pair()
                self.loop.add_handler(ours.fileno(), self.note, READ)
                self.assertEqual(self.taken(), [])
                if how == "close":
                    theirs.close()
                else:
                    theirs.shutdown(socket.SHUT_WR)
                ((fd, events),) = self.taken()
                self.assertEqual(fd, ours.fileno())
                self.assertTrue(events & (READ | ERROR))
                self.loop.remove_handler(ours.fileno())

    def test_a_writer_hears_of_the_end(self) -> None:
        fill(self.ours)
        self.loop.add_handler(self.fd, self.note, WRITE)
        self.assertEqual(self.taken(), [])
        self.theirs.close()
        ((_, events),) = self.taken()
        self.assertTrue(events & (WRITE | ERROR))

    def test_tcp(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            self.loop.add_handler(server.fileno(), self.note, READ)
            self.assertEqual(self.taken(), [])
            with socket.create_connection(server.getsockname()) as client:
                self.assertEqual(self.taken(), [(server.fileno(), READ)])
                connection, _ = server.accept()
                with connection:
                    self.loop.add_handler(connection.fileno(), self.note, READ | WRITE)
                    self.assertEqual(self.taken(), [(connection.fileno(), WRITE)])
                    client.sendall(b"x")
                    self.assertEqual(self.taken(), [(connection.fileno(), READ | WRITE)])
                    self.loop.remove_handler(connection.fileno())
            self.loop.remove_handler(server.fileno())

    def test_refused_connection(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = server.getsockname()
        with socket.socket() as client:
            client.setblocking(False)
            client.connect_ex(address)
            self.loop.add_handler(client.fileno(), self.note, WRITE)
            ((_, events),) = self.taken()
            self.assertTrue(events & (WRITE | ERROR))
            self.assertEqual(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), errno.ECONNREFUSED)
            self.loop.remove_handler(client.fileno())

    def test_pipes(self) -> None:
        read, write = self.pipe()
        self.loop.add_handler(read, self.note, READ)
        self.loop.add_handler(write, self.note, WRITE)
        self.assertEqual(self.taken(), [(write, WRITE)])
        os.write(write, b"x")
        self.assertEqual(self.taken(), sorted([(read, READ), (write, WRITE)]))
        os.read(read, 1)
        self.loop.remove_handler(write)
        os.close(write)
        ((fd, events),) = self.taken()
        self.assertEqual(fd, read)
        self.assertTrue(events & (READ | ERROR))

    def test_removed(self) -> None:
        self.loop.add_handler(self.fd, self.note, READ | WRITE)
        self.assertEqual(self.taken(), [(self.fd, WRITE)])
        self.loop.remove_handler(self.fd)
        self.assertEqual(self.taken(), [])
        self.assert_asleep()

    def test_removing_what_is_not_there(self) -> None:
        """At most for the curious: a line at debug level."""
        closed, _ = self.pair()
        number = closed.fileno()
        self.loop.add_handler(number, self.note, READ)
        closed.close()
        for fd in (number, number, self.fd, 10**6, -1):
            with self.subTest(fd=fd):
                self.loop.remove_handler(fd)
                with ExpectLog("tornado.ioloop", f"descriptor {fd} ", level=logging.DEBUG) as log:
                    self.loop.remove_handler(fd)
                self.assertEqual([record.levelname for record in log.records], ["DEBUG"])
        self.assert_asleep()

    def test_refused_descriptors(self) -> None:
        closed, _ = self.pair()
        number = closed.fileno()
        closed.close()
        for fd in (number, -1):
            with self.subTest(fd=fd):
                with self.assertRaises((OSError, ValueError)):
                    self.loop.add_handler(fd, self.note, READ)
                self.assertNotIn(fd, self.loop._handlers)
        self.assert_asleep()

    def test_an_object_is_no_descriptor(self) -> None:
        """The poller might take its fileno, and then nobody would know whose events those are."""
        self.theirs.send(b"x")
        with self.assertRaises(TypeError):
            self.loop.add_handler(self.ours, self.note, READ)  # type: ignore[arg-type]
        self.assert_asleep()

    def test_updating_what_is_not_there(self) -> None:
        with self.assertRaises(OSError):
            self.loop.update_handler(self.fd, READ)
        self.loop.add_handler(self.fd, self.note, READ)
        self.loop.remove_handler(self.fd)
        with self.assertRaises(OSError):
            self.loop.update_handler(self.fd, WRITE)
        self.assert_asleep()

    def test_removed_and_added_in_its_own_call(self) -> None:
        order: list[str] = []

        def first(fd: int, events: int) -> None:
            order.append("first")
            self.loop.remove_handler(fd)
            self.loop.add_handler(fd, second, READ)

        def second(fd: int, events: int) -> None:
            order.append(f"second {events}")

        self.theirs.send(b"x")
        self.loop.add_handler(self.fd, first, READ)
        turn(self.loop)
        self.assertEqual(order, ["first"])
        turn(self.loop)
        self.assertEqual(order, ["first", "second 1"])

    def test_removed_many_times_in_its_own_call(self) -> None:
        def again(fd: int, events: int) -> None:
            self.note(fd, events)
            for mask in (WRITE, READ | WRITE, READ):
                self.loop.remove_handler(fd)
                self.loop.add_handler(fd, again, mask)

        self.theirs.send(b"x")
        self.loop.add_handler(self.fd, again, READ)
        for _ in range(5):
            self.assertEqual(self.taken(), [(self.fd, READ)])

    def both_ready(self, change: Callable[[int], None]) -> tuple[int, int]:
        """Two sockets are ready; the handler that comes first calls *change* with the other's descriptor."""
        other, theirs = self.pair()
        fds = (self.fd, other.fileno())
        changed: list[int] = []

        def handle(fd: int, events: int) -> None:
            self.note(fd, events)
            if not changed:
                changed.append(sum(fds) - fd)
                change(*changed)

        for fd, peer in zip(fds, (self.theirs, theirs), strict=True):
            peer.send(b"x")
            self.loop.add_handler(fd, handle, READ)
        return fds

    def test_removed_in_the_call_of_another(self) -> None:
        self.both_ready(self.loop.remove_handler)
        first = self.taken()
        self.assertEqual(len(first), 1)
        self.assertEqual(self.taken(), first)

    def test_given_another_handler_in_the_call_of_another(self) -> None:
        later: list[int] = []

        def change(fd: int) -> None:
            self.loop.remove_handler(fd)
            self.loop.add_handler(fd, lambda fd, events: later.append(fd), READ)

        fds = self.both_ready(change)
        ((first, _),) = self.taken()
        self.assertEqual(later, [])  # what was ready was so for the handler before
        turn(self.loop)
        self.assertEqual(later, [sum(fds) - first])

    def test_the_number_is_given_again_in_the_call_of_another(self) -> None:
        """The new socket has nothing to read, the old one had."""
        for careful in (True, False):
            with self.subTest("handler removed" if careful else "handler forgotten"):
                fresh, _peer = self.pair()
                fds = self.both_ready(functools.partial(self.give_again, careful, fresh))
                self.assertEqual(len(self.taken()), 1)
                turn(self.loop)
                for fd in fds:
                    self.loop.remove_handler(fd)
                self.ours, self.theirs = self.pair()
                self.fd = self.ours.fileno()

    def give_again(self, careful: bool, fresh: socket.socket, fd: int) -> None:
        if careful:
            self.loop.remove_handler(fd)
        os.dup2(fresh.fileno(), fd)  # closes it
        self.loop.add_handler(fd, lambda fd, events: self.fail("called for the socket before"), READ)

    def test_the_number_is_given_again_between_turns(self) -> None:
        for old, new in ((READ | WRITE, READ), (READ, WRITE), (WRITE, READ)):
            with self.subTest(old=old, new=new):
                victim, _ = self.pair()
                fresh, peer = self.pair()
                peer.send(b"x")
                number = victim.fileno()
                self.loop.add_handler(number, lambda fd, events: self.fail("the old handler"), old)
                os.dup2(fresh.fileno(), number)  # closes it
                self.loop.add_handler(number, self.note, new)
                self.assertEqual(self.taken(), [(number, new)])
                self.loop.remove_handler(number)

    def test_closed_while_watched(self) -> None:
        """It falls out of the poller; the others are served and the loop can sleep."""
        victim, _ = self.pair()
        self.loop.add_handler(victim.fileno(), self.note, READ | WRITE)
        self.loop.add_handler(self.fd, self.note, READ)
        self.theirs.send(b"x")
        victim.close()
        turn(self.loop)  # select needs one turn to find out which it is
        self.assertEqual(self.taken(), [(self.fd, READ)])
        self.ours.recv(1)
        self.assert_asleep()

    def test_many_descriptors(self) -> None:
        pairs = [self.pair() for _ in range(50)]
        for ours, _ in pairs:
            self.loop.add_handler(ours.fileno(), self.note, READ)
        for _, theirs in pairs[::2]:
            theirs.send(b"x")
        self.assertEqual(self.taken(), sorted((ours.fileno(), READ) for ours, _ in pairs[::2]))

    def test_a_thread_ends_the_poll(self) -> None:
        for _ in range(20):
            thread = threading.Thread(target=self.loop.add_callback, args=(self.loop.stop,))
            self.loop.add_callback(thread.start)
            self.loop.start()  # without a deadline
            thread.join()

    def test_deadlines_that_a_poller_cannot_express(self) -> None:
        deadlines: list[float | datetime.timedelta] = [
            datetime.timedelta(days=30),  # more than 2**31 milliseconds
            datetime.timedelta.max,
            time.time() + 1e12,
            1e300,
            math.inf,
        ]
        self.theirs.send(b"x")
        for deadline in deadlines:
            with self.subTest(deadline=deadline):
                loop = self.real_loop(self.poller())
                loop.add_timeout(deadline, boom)
                loop.add_handler(self.fd, functools.partial(stop_at_event, loop), READ)
                loop.start()

    def test_short_waits_are_not_busy(self) -> None:
        """Waits are rounded up, or the loop would spin through the last fraction of each."""
        loop = IOLoop(poller := CountingPoller(self.poller()))
        self.addCleanup(loop.close)
        for delay in (0.0101, 0.0053, 0.0009):
            poller.polls = 0
            loop.add_timeout(seconds(delay), loop.stop)
            loop.start()
            self.assertLessEqual(poller.polls, 4)

    def test_descriptors_do_not_leak(self) -> None:
        before = open_descriptors()
        for _ in range(5):
            loop = IOLoop(self.poller())
            loop.add_handler(self.fd, self.note, READ)
            turn(loop)
            loop.close()
        self.assertEqual(open_descriptors(), before)


def stop_at_event(loop: IOLoop, fd: int, events: int) -> None:
    loop.stop()


class CountingPoller:
    def __init__(self, real: Poller) -> None:
        self.polls = 0
        self._real = real
        self.register, self.modify = real.register, real.modify
        self.unregister, self.close = real.unregister, real.close

    def poll(self, timeout: float | None, /) -> list[tuple[int, int]]:
        self.polls += 1
        return self._real.poll(timeout)


class EpollOnlyTest(LoopTestCase):
    """What the others cannot do as well."""

    def setUp(self) -> None:
        if not hasattr(select, "epoll"):
            self.skipTest("needs epoll")
        self.loop = self.fake_loop()
        self.calls: list[tuple[int, int]] = []

    def note(self, fd: int, events: int) -> None:
        self.calls.append((fd, events))

    def test_errors_are_always_noticed(self) -> None:
        """The peer's end of sending is one of them, which epoll reports only when asked."""
        updates: list[int | None] = [None, IOLoop.NONE, READ, WRITE]
        for first, second, end in itertools.product(
            (IOLoop.NONE, READ, WRITE), updates, ("close", "shutdown")
        ):
            with self.subTest(first=first, second=second, end=end):
                ours, theirs = self.pair()
                self.loop.add_handler(ours.fileno(), self.note, first)
                if second is not None:
                    self.loop.update_handler(ours.fileno(), second)
                theirs.close() if end == "close" else theirs.shutdown(socket.SHUT_WR)
                self.calls.clear()
                turn(self.loop)
                ((fd, events),) = self.calls
                self.assertTrue(events & ERROR)
                self.loop.remove_handler(fd)

    def test_one_handler_for_a_descriptor(self) -> None:
        ours, theirs = self.pair()
        theirs.send(b"x")
        self.loop.add_handler(ours.fileno(), self.note, READ)
        with self.assertRaises(FileExistsError):
            self.loop.add_handler(ours.fileno(), lambda fd, events: self.fail("the second"), READ)
        turn(self.loop)
        self.assertEqual(self.calls, [(ours.fileno(), READ)])

    def test_regular_files_are_refused(self) -> None:
        with open(__file__) as file:
            self.assertRaises(PermissionError, self.loop.add_handler, file.fileno(), self.note, READ)


class SelectTest(EpollTest):
    def poller(self) -> Poller:
        return ioloop._Select()

    def test_numbers_that_select_does_not_take(self) -> None:
        """They are refused when they come; later nobody could tell, and every poll would fail."""
        ours, _ = self.pair()
        with contextlib.ExitStack() as stack:
            number = self.high_number(stack, ours.fileno())
            with self.assertRaises(ValueError):
                self.loop.add_handler(number, self.note, READ)
            self.assertNotIn(number, self.loop._handlers)
            self.assert_asleep()

    def high_number(self, stack: contextlib.ExitStack, fd: int) -> int:
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft <= 1100:
            if hard != resource.RLIM_INFINITY and hard <= 1100:
                self.skipTest("no number is that high here")
            resource.setrlimit(resource.RLIMIT_NOFILE, (1200, hard))
            stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        stack.callback(os.close, os.dup2(fd, 1100))
        return 1100

    def test_other_errors_are_not_swallowed(self) -> None:
        """Every descriptor is open, so nothing would change and the loop would spin."""
        with (
            mock.patch.object(select, "select", side_effect=OSError(errno.ENOMEM, "no memory")),
            self.assertRaises(OSError),
        ):
            turn(self.loop)


class FakeKEvent:
    def __init__(self, ident: int, filter: int, flags: int = 1) -> None:
        self.ident = ident
        self.filter = filter
        self.flags = flags


KQ: dict[str, Any] = {"KQ_FILTER_READ": -1, "KQ_FILTER_WRITE": -2}
KQ |= {"KQ_EV_ADD": 0x1, "KQ_EV_DELETE": 0x2, "KQ_EV_ERROR": 0x4000, "KQ_EV_EOF": 0x8000}


class FakeKQueue:
    """A kqueue over `select.poll`, with the kernel's rules about what can be added, deleted and is closed."""

    def __init__(self) -> None:
        self._filters: dict[tuple[int, int], os.stat_result] = {}
        self.closed = False

    def control(
        self, changes: Iterable[FakeKEvent] | None, max_events: int, timeout: float | None = None
    ) -> list[FakeKEvent]:
        if self.closed:
            raise ValueError("I/O operation on closed kqueue object")
        if timeout is not None and not 0 <= timeout < 2**63:
            raise OverflowError("timestamp out of range for platform time_t")
        for change in changes or ():
            self._change(change)
        if not max_events:
            return []
        self._forget_closed()
        return list(itertools.islice(self._ready(timeout), max_events))

    def _change(self, change: FakeKEvent) -> None:
        self._forget_closed()
        key = (change.ident, change.filter)
        stat = os.fstat(change.ident)  # EBADF
        if change.flags & KQ["KQ_EV_ADD"]:
            self._filters[key] = stat
        elif key not in self._filters:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        else:
            del self._filters[key]

    def _forget_closed(self) -> None:
        for (fd, filter), stat in list(self._filters.items()):
            try:
                if os.path.samestat(os.fstat(fd), stat):
                    continue
            except OSError:
                pass
            del self._filters[fd, filter]

    def _ready(self, timeout: float | None) -> Iterator[FakeKEvent]:
        poll = select.poll()
        for fd in {fd for fd, _ in self._filters}:
            events = (select.POLLIN | select.POLLRDHUP) if (fd, -1) in self._filters else 0
            poll.register(fd, events | (select.POLLOUT if (fd, -2) in self._filters else 0))
        patience = None if timeout is None else min(math.ceil(timeout * 1000), 2**31 - 1)
        for fd, events in poll.poll(patience):
            gone = events & (select.POLLHUP | select.POLLERR)
            if (fd, -1) in self._filters and (gone or events & (select.POLLIN | select.POLLRDHUP)):
                ended = gone or events & select.POLLRDHUP
                yield FakeKEvent(fd, -1, 1 | (KQ["KQ_EV_EOF"] if ended else 0))
            if (fd, -2) in self._filters and (gone or events & select.POLLOUT):
                yield FakeKEvent(fd, -2, 1 | (KQ["KQ_EV_EOF"] if gone else 0))

    def close(self) -> None:
        self.closed = True


class KQueueTest(EpollTest):
    def poller(self) -> Poller:
        return ioloop._KQueue()

    def setUp(self) -> None:
        patch = mock.patch.multiple(select, create=True, kqueue=FakeKQueue, kevent=FakeKEvent, **KQ)
        patch.start()
        self.addCleanup(patch.stop)
        super().setUp()

    def test_a_socket_that_is_gone_is_an_error_for_its_writer(self) -> None:
        self.loop.add_handler(self.fd, self.note, WRITE)
        self.theirs.close()
        self.assertEqual(self.taken(), [(self.fd, ERROR)])

    def test_what_events_mean(self) -> None:
        read, write = KQ["KQ_FILTER_READ"], KQ["KQ_FILTER_WRITE"]
        eof, error = KQ["KQ_EV_EOF"], KQ["KQ_EV_ERROR"]
        rows: list[tuple[str, list[FakeKEvent], list[tuple[int, int]]]] = [
            ("nothing", [], []),
            ("readable", [FakeKEvent(5, read)], [(5, READ)]),
            ("writable", [FakeKEvent(5, write)], [(5, WRITE)]),
            ("both", [FakeKEvent(5, read), FakeKEvent(5, write)], [(5, READ | WRITE)]),
            ("two", [FakeKEvent(5, read), FakeKEvent(6, write)], [(5, READ), (6, WRITE)]),
            ("end of reading", [FakeKEvent(5, read, eof)], [(5, READ)]),
            ("end of writing", [FakeKEvent(5, write, eof)], [(5, ERROR)]),
            ("error", [FakeKEvent(5, read, error)], [(5, READ | ERROR)]),
        ]
        poller = ioloop._KQueue()
        for name, events, wanted in rows:
            with self.subTest(name), mock.patch.object(FakeKQueue, "control", return_value=events):
                self.assertEqual(poller.poll(0), wanted)

    def test_close(self) -> None:
        poller = ioloop._KQueue()
        IOLoop(poller).close()
        self.assertTrue(poller._kqueue.closed)


class ChoiceTest(LoopTestCase):
    """Which poller a loop takes when none is given."""

    @unittest.skipUnless(hasattr(select, "epoll"), "needs epoll")
    def test_epoll(self) -> None:
        with contextlib.closing(ioloop._poll()) as poller:
            self.assertIsInstance(poller, select.epoll)

    def test_without_epoll(self) -> None:
        with mock.patch.object(select, "epoll", create=True):
            del select.epoll
            with mock.patch.multiple(select, create=True, kqueue=FakeKQueue, kevent=FakeKEvent, **KQ):
                loop = self.real_loop()
                self.assertIsInstance(loop._impl, ioloop._KQueue)
                turn(loop)
                loop.close()
            if not hasattr(select, "kqueue"):
                loop = self.real_loop()
                self.assertIsInstance(loop._impl, ioloop._Select)
                turn(loop)

    def test_a_poller_of_ones_own(self) -> None:
        poller = CountingPoller(ioloop._poll())
        loop = self.real_loop(poller)
        turn(loop)
        self.assertEqual(poller.polls, 1)


# -- callbacks from threads and signals --


class ThreadTest(LoopTestCase):
    def test_many_threads(self) -> None:
        """Each keeps its order, none is lost, and the loop sleeps and is woken all the time."""
        threads, each = 4, 5000
        loop = self.real_loop()
        came: list[tuple[int, int]] = []

        def receive(number: int, count: int) -> None:
            came.append((number, count))
            if len(came) == threads * each:
                loop.stop()

        def send(number: int) -> None:
            for count in range(each):
                loop.add_callback(functools.partial(receive, number, count))

        senders = [threading.Thread(target=send, args=(number,)) for number in range(threads)]
        for sender in senders:
            loop.add_callback(sender.start)
        self.run_safely(loop)
        for sender in senders:
            sender.join()
        for number in range(threads):
            self.assertEqual([count for sender, count in came if sender == number], list(range(each)))

    def test_one_at_a_time(self) -> None:
        """The next is sent only when the one before was called: a lost wake-up would be the end."""
        loop = self.real_loop()
        rounds = 2000
        called = threading.Semaphore(0)

        def send() -> None:
            for _ in range(rounds):
                loop.add_callback(called.release)
                if not called.acquire(timeout=SAFETY.total_seconds()):
                    break
            loop.add_callback(loop.stop)

        sender = threading.Thread(target=send)
        loop.add_callback(sender.start)
        self.run_safely(loop)
        sender.join()

    def test_a_full_wake_up_pipe(self) -> None:
        """More wake-ups than the sockets take, while nobody drains them."""
        loop = self.real_loop()
        for _ in range(3):
            fill(loop._waker._writer)
            loop._waiting = True  # as a thread sees it that comes a moment too early
            loop.add_callback(nothing)
            loop._waiting = False
            turn(loop)
        poller = CountingPoller(loop._impl)
        loop._impl = poller
        loop.add_timeout(seconds(0.001), loop.stop)
        loop.start()
        self.assertLessEqual(poller.polls, 4)

    def test_stop_from_a_thread(self) -> None:
        for _ in range(200):
            loop = FakeLoop()
            thread = threading.Thread(target=loop.stop)
            loop.add_callback(thread.start)
            loop.start()
            thread.join()
            ran: list[int] = []
            loop.add_callback(functools.partial(ran.append, 1))
            turn(loop)  # the stop was used up
            loop.close()
            self.assertEqual(ran, [1])


class Intruder:
    """Does something between two bytecodes of given functions: any place where a thread or a signal can.

    ``for intruder in Intruder.everywhere(intrude, codes): with intruder: ...`` goes through all places.
    """

    def __init__(self, intrude: Callable[[], None], codes: set[CodeType], place: int) -> None:
        self._intrude = intrude
        self._codes = codes
        self._place = place
        self._count = 0

    @classmethod
    def everywhere(cls, intrude: Callable[[], None], *functions: Any) -> "Iterator[Intruder]":
        codes = {function.__code__ for function in functions}
        yield cls(intrude, codes, 0)  # Python 3.12 and later trace bytecodes from the second time on
        for place in itertools.count(1):
            intruder = cls(intrude, codes, place)
            yield intruder
            if intruder._count < place:
                return

    def __enter__(self) -> None:
        self._previous = sys.gettrace()
        sys.settrace(self._trace)

    def __exit__(self, *exc_info: object) -> None:
        sys.settrace(self._previous)

    def _trace(self, frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code not in self._codes:
            return None
        frame.f_trace_opcodes = True
        return self._within

    def _within(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "opcode":
            self._count += 1
            if self._count == self._place:
                self._intrude()
        return self._within


class InterleavingTest(LoopTestCase):
    """Not by chance: at each place in turn."""

    TURN: tuple[Callable[..., Any], ...] = (
        IOLoop._run_callbacks,
        IOLoop._run_due_timeouts,
        IOLoop._poll,
        IOLoop._patience,
        IOLoop._handle_events,
    )

    def places(self, intrude: Callable[[], None], *functions: Callable[..., Any]) -> Iterator[Intruder]:
        """A new loop for each place; it has four timeouts, and stops at the last of them."""
        count = 0
        for intruder in Intruder.everywhere(intrude, *functions):
            self.loop = FakeLoop()
            for delay in (2, 4, 8):
                self.loop.add_timeout(seconds(delay), nothing)
            self.loop.add_timeout(seconds(16), self.loop.stop)
            yield intruder
            self.loop.close()
            count += 1
        self.assertGreater(count, 100)

    def test_no_wake_up_is_lost(self) -> None:
        """No time passes between adding a callback, anywhere in a turn, and its call."""
        times: list[float] = []

        def note() -> None:
            times.append(self.loop._clock.monotonic)

        def intrude() -> None:
            note()
            self.loop.add_callback(note)

        for intruder in self.places(intrude, *self.TURN):
            times.clear()
            with intruder:
                self.loop.start()
            if len(times) == 1:  # too late for this start
                turn(self.loop)
            self.assertEqual(times, times[:1] * 2)

    def test_no_stop_is_lost(self) -> None:
        """For those who stop the loop in a signal handler: wherever it comes, start() returns at once."""
        times: list[float] = []

        def intrude() -> None:
            times.append(self.loop._clock.monotonic)
            self.loop.stop()

        for intruder in self.places(intrude, IOLoop.start, *self.TURN):
            times.clear()
            with intruder:
                self.loop.start()
            times.append(self.loop._clock.monotonic)
            self.assertEqual(times[0], times[-1])

    def test_add_callback_takes_no_lock(self) -> None:
        """While it stands still at any place, another thread (or a signal handler) gets through it."""
        loop = self.fake_loop()
        called: list[str] = []
        outer, inner = (functools.partial(called.append, name) for name in ("outer", "inner"))

        def intrude() -> None:
            thread = threading.Thread(target=loop.add_callback, args=(inner,), daemon=True)
            thread.start()
            thread.join(SAFETY.total_seconds())
            self.assertFalse(thread.is_alive(), "add_callback waits for a lock")

        calls = 0
        for intruder in Intruder.everywhere(intrude, IOLoop.add_callback, stack_context.wrap):
            loop._waiting = calls % 2 == 0  # with and without a wake-up
            with stack_context.ExceptionStackContext(lambda *info: False), intruder:
                loop.add_callback(outer)
            calls += 1
        loop._waiting = False
        turn(loop)
        self.assertGreater(calls, 20)
        self.assertEqual((called.count("outer"), called.count("inner")), (calls, calls - 2))


@unittest.skipUnless(hasattr(signal, "SIGUSR1"), "needs SIGUSR1")
class SignalTest(LoopTestCase):
    def setUp(self) -> None:
        self.loop = self.real_loop()
        self.came = 0

    def handle(self, action: Callable[[], None]) -> None:
        previous = signal.signal(signal.SIGUSR1, lambda number, frame: action())
        self.addCleanup(signal.signal, signal.SIGUSR1, previous)

    def kill(self) -> None:
        os.kill(os.getpid(), signal.SIGUSR1)

    def test_callbacks_from_a_handler(self) -> None:
        """The process signals itself, in callbacks, as often as it can."""

        def action() -> None:
            self.loop.add_callback(receive)

        def receive() -> None:
            self.came += 1
            if self.came < 500:
                self.kill()
            else:
                self.loop.stop()

        self.handle(action)
        self.kill()
        self.run_safely(self.loop)
        self.assertEqual(self.came, 500)

    def test_signals_while_it_sleeps(self) -> None:
        """Another thread sends the next one as soon as the callback of the last has run."""
        rounds = 500
        received = threading.Semaphore(0)

        def send() -> None:
            for _ in range(rounds):
                self.kill()
                if not received.acquire(timeout=SAFETY.total_seconds()):
                    break
            self.loop.add_callback(self.loop.stop)

        self.handle(lambda: self.loop.add_callback(received.release))
        sender = threading.Thread(target=send)
        self.loop.add_callback(sender.start)
        self.run_safely(self.loop)
        sender.join()
        self.assertFalse(received.acquire(blocking=False))

    def test_stop_from_a_handler(self) -> None:
        self.handle(self.loop.stop)
        for _ in range(50):
            sender = threading.Thread(target=self.kill)
            self.loop.add_callback(sender.start)
            self.run_safely(self.loop)
            sender.join()

    def test_an_exception_from_a_handler_leaves_start(self) -> None:
        self.handle(functools.partial(raise_, KeyboardInterrupt()))
        for _ in range(20):
            sender = threading.Thread(target=self.kill)
            self.loop.add_callback(sender.start)
            self.assertRaises(KeyboardInterrupt, self.run_safely, self.loop)
            sender.join()
            self.assertFalse(self.loop.running())
            self.loop._timeouts.clear()
        turn(self.loop)

    def ends_the_poll(self, loop: IOLoop) -> bool:
        """Whether a signal that comes just before the system call still ends it: only a descriptor can."""
        results: list[bool] = []
        real = loop._impl

        def check() -> None:
            loop._impl = mock.Mock(wraps=real, poll=poll)

        def poll(timeout: float | None) -> list[tuple[int, int]]:
            self.kill()
            events = real.poll(0)
            results.append(loop._waker.fileno() in dict(events))
            return events

        loop.add_callback(check)
        turn(loop)
        loop._impl = real
        turn(loop)  # drains the waker
        return results[0]

    def test_a_signal_in_the_last_moment_ends_the_poll(self) -> None:
        self.handle(nothing)
        self.assertTrue(self.ends_the_poll(self.loop))

    def test_also_of_a_nested_loop(self) -> None:
        self.handle(nothing)
        results: list[bool] = []
        inner = self.real_loop()
        self.loop.add_callback(lambda: results.append(self.ends_the_poll(inner)))
        turn(self.loop)
        self.assertEqual(results, [True])
        self.assertTrue(self.ends_the_poll(self.loop), "the outer loop lost its own")

    def test_the_wake_up_descriptor_is_given_back(self) -> None:
        seen: list[int] = []
        self.loop.add_callback(lambda: seen.append(wakeup_fd()))
        turn(self.loop)
        self.assertEqual(seen, [self.loop._waker.write_fileno()])
        self.assertEqual(wakeup_fd(), -1)
        self.loop.add_callback(functools.partial(raise_, KeyboardInterrupt()))
        self.assertRaises(KeyboardInterrupt, self.loop.start)
        self.assertEqual(wakeup_fd(), -1)

    def test_that_of_the_application_is_left_alone(self) -> None:
        read, write = socket.socketpair()
        self.addCleanup(signal.set_wakeup_fd, -1)
        with read, write:
            write.setblocking(False)
            read.setblocking(False)
            signal.set_wakeup_fd(write.fileno())
            self.handle(nothing)
            self.loop.add_callback(self.kill)
            turn(self.loop)
            self.assertEqual(read.recv(10), bytes([signal.SIGUSR1]))
            self.assertEqual(wakeup_fd(), write.fileno())
            signal.set_wakeup_fd(-1)

    def test_one_set_while_the_loop_runs_is_left_alone_too(self) -> None:
        read, write = socket.socketpair()
        self.addCleanup(signal.set_wakeup_fd, -1)
        with read, write:
            write.setblocking(False)
            self.loop.add_callback(functools.partial(signal.set_wakeup_fd, write.fileno()))
            turn(self.loop)
            self.assertEqual(wakeup_fd(), write.fileno())
            signal.set_wakeup_fd(-1)

    def test_a_loop_on_another_thread_does_not_touch_it(self) -> None:
        seen: list[int] = []
        ready = threading.Semaphore(0)
        self.loop.add_callback(ready.release)
        thread = threading.Thread(target=self.run_safely, args=(self.loop,))
        thread.start()
        ready.acquire()
        seen.append(wakeup_fd())
        self.loop.add_callback(self.loop.stop)
        thread.join()
        self.assertEqual(seen, [-1])


def raise_(error: BaseException) -> None:
    raise error


def wakeup_fd() -> int:
    fd = signal.set_wakeup_fd(-1)
    if fd != -1:
        signal.set_wakeup_fd(fd, warn_on_full_buffer=False)
    return fd


# -- time --


class TimeoutTest(LoopTestCase):
    def setUp(self) -> None:
        self.loop = self.fake_loop()
        self.began = self.loop._clock.monotonic
        self.calls: list[tuple[str, float]] = []

    def note(self, name: str = "") -> Callable[[], None]:
        def callback() -> None:
            self.calls.append((name, self.loop._clock.monotonic - self.began))

        return callback

    def run_until(self, delay: float) -> list[str]:
        """Run the loop for *delay* seconds of its clock; return the names of what was called."""
        self.calls.clear()
        self.loop.add_timeout(seconds(delay), self.loop.stop)
        self.loop.start()
        return [name for name, _ in self.calls]

    def test_order(self) -> None:
        delays = [5.0, 1.0, 3.0, 1.0, 0.0, -1.0, -1000.0, 3.0, 2.5]
        for number, delay in enumerate(delays):
            self.loop.add_timeout(self.loop.time() + delay, self.note(f"{delay} {number}"))
        wanted = sorted(range(len(delays)), key=lambda number: delays[number])
        self.assertEqual(self.run_until(10), [f"{delays[number]} {number}" for number in wanted])
        self.assertEqual([when for _, when in self.calls], sorted(max(0, delay) for delay in delays))

    def test_ties_run_in_the_order_they_were_set(self) -> None:
        for number in range(200):
            self.loop.add_timeout(self.loop.time() + 1, self.note(str(number)))
        self.assertEqual(self.run_until(2), [str(number) for number in range(200)])

    def test_kinds_of_deadlines(self) -> None:
        now = self.loop.time()
        kinds: list[tuple[float | datetime.timedelta, float]] = [
            (int(now) + 3, 3),
            (now + 0.5, 0.5),
            (datetime.timedelta(seconds=2), 2),
            (datetime.timedelta(milliseconds=250), 0.25),
            (datetime.timedelta(hours=1, seconds=1), 3601),
            (datetime.timedelta(seconds=-1), 0),
            (0, 0),
            (-1e9, 0),
            (-math.inf, 0),
        ]
        for number, (deadline, _) in enumerate(kinds):
            self.loop.add_timeout(deadline, self.note(str(number)))
        self.run_until(4000)
        self.assertEqual(
            sorted(self.calls), sorted((str(number), delay) for number, (_, delay) in enumerate(kinds))
        )

    def test_no_deadlines(self) -> None:
        deadlines: list[Any] = [None, "soon", "1300000000", [], datetime.datetime.now(), 1j]
        for deadline in deadlines:
            with self.subTest(deadline=deadline), self.assertRaisesRegex(TypeError, "deadline"):
                self.loop.add_timeout(deadline, nothing)
        with self.assertRaises(ValueError):
            self.loop.add_timeout(math.nan, nothing)  # it is before no other, nor after
        self.assertFalse(self.loop._timeouts)

    def test_never(self) -> None:
        self.loop.add_timeout(math.inf, self.note("never"))
        self.loop.add_timeout(datetime.timedelta.max, self.note("nearly never"))
        self.assertEqual(self.run_until(1e6), [])

    def test_the_loop_calls_and_not_the_setter(self) -> None:
        self.loop.add_timeout(0, self.note())
        self.assertEqual(self.calls, [])
        turn(self.loop)
        self.assertEqual(len(self.calls), 1)

    def test_set_within_a_timeout(self) -> None:
        """However late it is, it waits for the next turn: the descriptors have theirs in between."""
        ours, theirs = self.pair()
        theirs.send(b"x")
        order: list[str] = []

        def chain(left: int) -> None:
            order.append("timeout")
            if left:
                self.loop.add_timeout(-left, functools.partial(chain, left - 1))
            else:
                self.loop.stop()

        self.loop.add_handler(ours.fileno(), lambda fd, events: order.append("handler"), READ)
        self.loop.add_timeout(0, functools.partial(chain, 3))
        self.loop.start()
        self.assertEqual(order, ["timeout", "handler"] * 4)

    def test_cancelled(self) -> None:
        timeouts = [self.loop.add_timeout(seconds(number), self.note(str(number))) for number in range(10)]
        for timeout in timeouts[::2]:
            self.loop.remove_timeout(timeout)
            self.loop.remove_timeout(timeout)
        self.assertEqual(self.run_until(20), ["1", "3", "5", "7", "9"])
        for timeout in timeouts:
            self.loop.remove_timeout(timeout)
        self.assertEqual(self.run_until(20), [])

    def test_cancelled_in_the_turn_in_which_it_is_due(self) -> None:
        """By a timeout before it, by a callback, by a handler in the turn before, and by itself."""
        ours, theirs = self.pair()
        timeouts: dict[str, object] = {}

        def cancel(name: str) -> None:
            self.loop.remove_timeout(timeouts[name])

        def by_handler(fd: int, events: int) -> None:
            ours.recv(1)
            cancel("by a handler")

        theirs.send(b"x")
        self.loop.add_handler(ours.fileno(), by_handler, READ)
        self.loop.add_timeout(seconds(0.5), functools.partial(cancel, "by itself"))
        self.loop.add_timeout(seconds(0.5), functools.partial(cancel, "by a timeout"))
        self.loop.add_callback(functools.partial(cancel, "by a callback"))
        for name in ("by itself", "by a timeout", "by a callback"):
            timeouts[name] = self.loop.add_timeout(seconds(0.5), self.note(name))
        timeouts["by a handler"] = self.loop.add_timeout(seconds(0.5), self.note("by a handler"))
        timeouts["itself"] = self.loop.add_timeout(seconds(0.5), functools.partial(cancel, "itself"))
        self.loop.add_timeout(seconds(0.5), self.note("the last"))
        self.assertEqual(self.run_until(1), ["the last"])
        self.assertEqual(self.loop._timeouts._heap, [])
        self.assertEqual(self.loop._timeouts._dead, 0)

    def test_no_handles(self) -> None:
        for handle in (None, 0, "x", nothing, (1.0, nothing)):
            with self.subTest(handle=handle), self.assertRaisesRegex(TypeError, "add_timeout"):
                self.loop.remove_timeout(handle)

    def test_wall_clock_jumps(self) -> None:
        """Set to another time between setting and firing: the time that passes is what counts."""
        for jump, relative in itertools.product((3600.0, -3600.0, 0.0, 1e9, -1e9), (True, False)):
            with self.subTest(jump=jump, relative=relative):
                self.loop = self.fake_loop()
                self.began = self.loop._clock.monotonic
                self.loop.add_timeout(seconds(10) if relative else self.loop.time() + 10, self.note("before"))
                self.loop.jump_wall(jump)
                self.loop.add_timeout(seconds(5) if relative else self.loop.time() + 5, self.note("after"))
                self.loop.add_timeout(seconds(7), functools.partial(self.loop.jump_wall, -jump))
                self.run_until(20)
                self.assertEqual(self.calls, [("after", 5), ("before", 10)])

    def test_the_real_clocks(self) -> None:
        loop = self.real_loop()
        order: list[int] = []
        loop.add_timeout(time.time() + 0.03, loop.stop)
        loop.add_timeout(time.time() + 0.02, functools.partial(order.append, 2))
        loop.add_timeout(seconds(0.01), functools.partial(order.append, 1))
        began = time.monotonic()
        self.run_safely(loop)
        self.assertEqual(order, [1, 2])
        self.assertGreater(time.monotonic() - began, 0.019)

    def test_an_idle_loop_sleeps_until_its_next_deadline(self) -> None:
        for delay in (1.0, 0.25, 1000.0, 86400.0):
            self.loop.slept.clear()
            cancelled = self.loop.add_timeout(seconds(delay / 2), boom)
            self.loop.remove_timeout(cancelled)
            self.run_until(delay)
            self.assertEqual(self.loop.slept, [delay])

    def test_a_loop_without_deadlines_sleeps_until_it_is_woken(self) -> None:
        thread = threading.Timer(0.01, self.loop.add_callback, [self.loop.stop])
        self.loop.add_callback(thread.start)
        self.loop.start()
        thread.join()
        self.assertEqual(self.loop.slept, [None])

    def test_late(self) -> None:
        """A turn that took long makes many due at once; they run by deadline, in one turn."""
        for delay in (3, 1, 2):
            self.loop.add_timeout(seconds(delay), self.note(str(delay)))
        self.loop.add_callback(functools.partial(self.loop.advance, 60))
        self.assertEqual(self.run_until(1), ["1", "2", "3"])
        self.assertEqual({when for _, when in self.calls}, {60})
        self.assertEqual(self.loop.slept, [])

    def test_contexts_are_those_of_the_setter(self) -> None:
        seen: list[str] = []

        def handle(kind: Any, error: BaseException, trace: Any) -> bool:
            seen.append(str(error))
            return True

        with stack_context.ExceptionStackContext(handle):
            self.loop.add_timeout(seconds(1), boom)
        self.run_until(2)
        self.assertEqual(seen, ["boom"])


class TimeoutsMemoryTest(LoopTestCase):
    def setUp(self) -> None:
        self.loop = self.fake_loop()
        self.heap_size = 0

    def assert_bounded(self, living: int) -> None:
        self.assertLessEqual(len(self.loop._timeouts._heap), 2 * living + 17)

    def test_a_million_set_and_cancelled(self) -> None:
        """Each as it is set, in batches, and in any order among some that live."""
        add, remove = self.loop.add_timeout, self.loop.remove_timeout
        delay = seconds(60)
        for _ in range(400_000):
            remove(add(delay, nothing))
        self.assert_bounded(living=0)
        for batch in itertools.repeat(1000, 300):
            for timeout in [add(delay, nothing) for _ in range(batch)]:
                remove(timeout)
            self.assert_bounded(living=0)
        living = [add(delay, nothing) for _ in range(1000)]
        chance = random.Random(1)
        for index in array.array("i", chance.choices(range(1000), k=300_000)):
            remove(living[index])
            living[index] = add(delay, nothing)
        self.assert_bounded(living=1000)

    def test_cancelling_is_cheap_on_the_average(self) -> None:
        """Each rebuilding of the heap is paid for by half as many cancellations."""
        moved = 0
        heapify = heapq.heapify

        def counting(heap: list[Any]) -> None:
            nonlocal moved
            moved += len(heap)
            heapify(heap)

        chance = random.Random(2)
        count = 50_000
        with mock.patch.object(heapq, "heapify", counting):
            timeouts = [self.loop.add_timeout(seconds(chance.random()), nothing) for _ in range(count)]
            chance.shuffle(timeouts)
            for timeout in timeouts:
                self.loop.remove_timeout(timeout)
        self.assertGreater(moved, 0)
        self.assertLess(moved, 2 * count)
        self.assert_bounded(living=0)

    def test_what_is_cancelled_is_let_go_at_once(self) -> None:
        class Callback:
            def __call__(self) -> None:
                pass

        for end in ("cancelled", "called"):
            with self.subTest(end):
                callback = Callback()
                gone = weakref.ref(callback)
                timeout = self.loop.add_timeout(seconds(1), callback)
                del callback
                self.assertIsNotNone(gone())
                if end == "cancelled":
                    self.loop.remove_timeout(timeout)
                else:
                    self.loop.add_timeout(seconds(2), self.loop.stop)
                    self.loop.start()
                self.assertIsNone(gone())


class TimeoutsModelTest(unittest.TestCase):
    """The heap against a dict, with operations that nobody would think of."""

    def test_against_a_model(self) -> None:
        try:
            import hypothesis
            from hypothesis import strategies
        except ImportError:
            self.skipTest("hypothesis is not installed")
        deadlines = strategies.integers(0, 20) | strategies.floats(0, 20)
        operations = strategies.one_of(
            strategies.tuples(strategies.just("add"), deadlines),
            strategies.tuples(strategies.just("cancel"), strategies.integers(0, 200)),
            strategies.tuples(strategies.just("cancel many"), strategies.integers(0, 200)),
            strategies.tuples(strategies.just("take"), deadlines),
        )

        @hypothesis.settings(max_examples=150)
        @hypothesis.given(strategies.lists(operations, max_size=120))
        def check(steps: list[tuple[str, float]]) -> None:
            Model().check(steps)

        check()

    def test_long_random_runs(self) -> None:
        """The same without any package, and longer than a generated list would be."""
        chance = random.Random(3)
        names = ["add"] * 6 + ["cancel"] * 4 + ["take"]
        Model().check(
            [
                (name, chance.random() * 20 if name != "cancel" else chance.randrange(200))
                for name in chance.choices(names, k=5000)
            ]
        )


class Model:
    """What `_Timeouts` has to do, as simply as it can be said."""

    def __init__(self) -> None:
        self.timeouts = ioloop._Timeouts()
        self.living: dict[int, float] = {}
        self.handles: list[ioloop._Timeout] = []

    def check(self, steps: list[tuple[str, float]]) -> None:
        for name, number in steps:
            if name == "add":
                self.living[len(self.handles)] = number
                self.handles.append(self.timeouts.add(number, nothing))
            elif name == "cancel":
                self.cancel(int(number))
            elif name == "cancel many":
                for index in range(int(number)):
                    self.cancel(index)
            else:
                self.take(number)
            self.check_state()
        self.take(math.inf)
        assert not self.timeouts

    def cancel(self, index: int) -> None:
        if self.handles:
            index %= len(self.handles)
            self.timeouts.cancel(self.handles[index])
            self.living.pop(index, None)

    def take(self, now: float) -> None:
        due = sorted((deadline, index) for index, deadline in self.living.items() if deadline <= now)
        taken = [self.handle_of(each) for each in self.timeouts.take_due(now)]
        assert taken == [index for _, index in due], (taken, due)
        for index in taken:
            del self.living[index]

    def handle_of(self, entry: Any) -> int:
        """The number of what `take_due` returned, be it a timeout or its entry in the heap."""
        return self.handles.index(entry[-1] if isinstance(entry, tuple) else entry)

    def check_state(self) -> None:
        assert self.timeouts.next_deadline() == min(self.living.values(), default=None)
        assert len(self.timeouts._heap) <= 2 * len(self.living) + 17
        dead = sum(entry[-1].callback is None for entry in self.timeouts._heap)
        assert self.timeouts._dead == dead == len(self.timeouts._heap) - len(self.living)


class PeriodicTest(LoopTestCase):
    def setUp(self) -> None:
        self.loop = self.fake_loop()
        self.began = self.loop._clock.monotonic
        self.calls: list[float] = []
        self.takes: Iterator[float] = itertools.repeat(0.0)

    def callback(self) -> None:
        self.calls.append(self.loop._clock.monotonic - self.began)
        self.loop.advance(next(self.takes))

    def periodic(self, callback: Callable[[], Any] | None = None, period: float = 1000) -> PeriodicCallback:
        return PeriodicCallback(callback or self.callback, period, self.loop)

    def run_until(self, delay: float) -> list[float]:
        self.calls.clear()
        self.loop.add_timeout(seconds(delay - (self.loop._clock.monotonic - self.began)), self.loop.stop)
        self.loop.start()
        return self.calls

    def test_the_first_call_is_one_period_after_start(self) -> None:
        periodic = self.periodic()
        self.loop.advance(10)
        periodic.start()
        self.assertEqual(self.run_until(13.5), [11, 12, 13])

    def test_attributes(self) -> None:
        periodic = self.periodic(nothing, 250)
        self.assertEqual(
            (periodic.callback, periodic.callback_time, periodic.io_loop), (nothing, 250, self.loop)
        )

    def test_the_duration_of_calls_does_not_add_up(self) -> None:
        self.takes = itertools.repeat(0.75)
        self.periodic().start()
        self.assertEqual(self.run_until(100.5), list(range(1, 101)))

    def test_missed_periods_are_left_out(self) -> None:
        rows: list[tuple[float, list[float]]] = [  # how long the first call takes, when calls come
            (0.0, [1, 2, 3, 4, 5, 6]),
            (0.5, [1, 2, 3, 4, 5, 6]),
            (1.0, [1, 3, 4, 5, 6]),
            (1.5, [1, 3, 4, 5, 6]),
            (2.5, [1, 4, 5, 6]),
            (4.25, [1, 6]),
        ]
        for takes, wanted in rows:
            with self.subTest(takes=takes):
                self.loop = self.fake_loop()
                self.began = self.loop._clock.monotonic
                self.takes = itertools.chain([takes], itertools.repeat(0.0))
                self.periodic().start()
                self.assertEqual(self.run_until(6.5), wanted)

    def test_a_loop_that_starts_late(self) -> None:
        self.periodic().start()
        self.loop.advance(3.5)
        self.assertEqual(self.run_until(6.5), [3.5, 4, 5, 6])

    def test_no_drift_with_periods_that_are_no_binary_fractions(self) -> None:
        for period in (0.1, 7.3, 1000 / 3):
            with self.subTest(period=period):
                loop = self.loop = self.fake_loop()
                self.began = loop._clock.monotonic
                self.takes = itertools.cycle([period / 5000, 0.0, period / 2000])
                self.periodic(period=period).start()
                calls = self.run_until(1000.5 * period / 1000)
                self.assertEqual(len(calls), 1000)
                self.assertAlmostEqual(calls[-1], period, places=5)

    def test_stopped(self) -> None:
        periodic = self.periodic()
        periodic.stop()
        periodic.start()
        self.assertEqual(self.run_until(2.5), [1, 2])
        periodic.stop()
        periodic.stop()
        self.assertEqual(self.run_until(5.5), [])
        periodic.start()
        self.assertEqual(self.run_until(7.75), [6.5, 7.5])

    def test_stopped_and_started_within_a_period(self) -> None:
        periodic = self.periodic()
        periodic.start()
        for moment in (0.25, 0.5):
            self.assertEqual(self.run_until(moment), [])
            periodic.stop()
            periodic.start()
        self.assertEqual(self.run_until(4), [1.5, 2.5, 3.5])

    def test_started_twice(self) -> None:
        periodic = self.periodic()
        periodic.start()
        periodic.start()
        self.assertEqual(self.run_until(3.5), [1, 2, 3])

    def test_stopped_by_itself(self) -> None:
        def callback() -> None:
            self.callback()
            if len(self.calls) == 2:
                periodic.stop()

        periodic = self.periodic(callback)
        periodic.start()
        self.assertEqual(self.run_until(10), [1, 2])

    def test_started_anew_by_itself(self) -> None:
        def callback() -> None:
            self.callback()
            if len(self.calls) == 2:
                self.loop.advance(0.25)
                periodic.start()

        periodic = self.periodic(callback)
        periodic.start()
        self.assertEqual(self.run_until(5.5), [1, 2, 3.25, 4.25, 5.25])

    def test_stopped_in_the_turn_in_which_it_is_due(self) -> None:
        periodic = self.periodic()
        self.loop.add_timeout(seconds(1), lambda: periodic.stop())
        periodic.start()
        self.assertEqual(self.run_until(5), [])

    def test_exceptions_are_logged_and_calls_go_on(self) -> None:
        def callback() -> None:
            self.callback()
            boom()

        self.periodic(callback).start()
        with ExpectLog("tornado.ioloop", "Exception in callback.*callback") as log:
            self.assertEqual(self.run_until(3.5), [1, 2, 3])
        self.assertEqual(len(log.records), 3)

    def test_calls_go_on_after_an_exception_that_left_the_loop(self) -> None:
        errors: list[BaseException] = [KeyboardInterrupt(), SystemExit(), GeneratorExit()]

        def callback() -> None:
            self.callback()
            if errors:
                raise errors.pop()

        periodic = self.periodic(callback)
        periodic.start()
        for kind in (GeneratorExit, SystemExit, KeyboardInterrupt):
            self.assertRaises(kind, self.run_until, 20)
            self.loop.advance(0.5)
        periodic.stop()
        self.assertEqual(self.loop._clock.monotonic - self.began, 3.5)

    def test_calls_go_on_after_a_handler_that_raised(self) -> None:
        def raise_again(callback: object) -> None:
            raise

        with mock.patch.object(self.loop, "handle_callback_exception", raise_again):
            self.periodic(boom).start()
            for _ in range(3):
                self.assertRaisesRegex(ValueError, "boom", self.run_until, 20)
        self.assertEqual(self.loop._clock.monotonic - self.began, 3)

    def test_wall_clock_jumps(self) -> None:
        def callback() -> None:
            self.callback()
            self.loop.jump_wall(3600.0 if len(self.calls) % 2 else -3600.0)

        self.periodic(callback).start()
        self.assertEqual(self.run_until(4.5), [1, 2, 3, 4])

    def test_no_periods(self) -> None:
        for period in (0, -1, -0.5, math.nan):
            with self.subTest(period=period), self.assertRaisesRegex(ValueError, "callback_time"):
                self.periodic(period=period)

    def test_contexts_are_those_of_start(self) -> None:
        seen: list[str] = []

        def handle(kind: Any, error: BaseException, trace: Any) -> bool:
            seen.append(str(error))
            return True

        periodic = self.periodic(boom)
        with stack_context.ExceptionStackContext(handle):
            periodic.start()
        self.run_until(3.5)
        self.assertEqual(seen, ["boom"] * 3)

    def test_it_sleeps_in_between(self) -> None:
        self.periodic().start()
        self.run_until(5.5)
        self.assertEqual(self.loop.slept, [1, 1, 1, 1, 1, 0.5])


# -- a stuck loop --


class Sampler:
    """Stands for the event on which the watchdog waits between two looks, so that it looks when told."""

    def __init__(self) -> None:
        self._waits = threading.Semaphore(0)
        self._go = threading.Semaphore(0)
        self._ended = False
        self.pauses: list[float] = []

    def wait(self, timeout: float) -> bool:
        self.pauses.append(timeout)
        self._waits.release()
        self._go.acquire()
        return self._ended

    def set(self) -> None:
        self._ended = True
        self._go.release()

    def look(self) -> None:
        """Let the watchdog look once."""
        if not self._waits.acquire(timeout=SAFETY.total_seconds()):
            raise AssertionError("the watchdog does not look any more")
        self._go.release()
        if not self._waits.acquire(timeout=SAFETY.total_seconds()):
            raise AssertionError("the watchdog did not come back")
        self._waits.release()


class WatchdogTest(LoopTestCase):
    def setUp(self) -> None:
        self.loop = self.fake_loop()
        self.actions: list[tuple[int, FrameType | None, int]] = []

    def action(self, number: int, frame: FrameType | None) -> None:
        self.actions.append((number, frame, threading.get_ident()))

    def watch(self, threshold: float = 1.0) -> None:
        self.loop.set_blocking_signal_threshold(threshold, self.action)
        assert self.loop._watchdog is not None
        self.sampler = Sampler()
        self.loop._watchdog._stop = self.sampler  # type: ignore[assignment]

    def look_after(self, passed: float) -> int:
        """Let time pass and the watchdog look; return how many reports there were up to now."""
        self.loop.advance(passed)
        self.sampler.look()
        return len(self.actions)

    def stuck_here(self) -> None:
        self.look_after(5)

    def run_callbacks(self, *callbacks: Callable[[], None]) -> None:
        """Each in a turn of its own."""
        for callback in callbacks:
            self.loop.add_callback(callback)
            turn(self.loop)

    def test_one_report_for_each_turn_that_takes_too_long(self) -> None:
        counts: list[int] = []

        def slow() -> None:
            counts.extend(self.look_after(passed) for passed in (0.0, 0.9, 0.2, 0.0, 50.0))

        def quick() -> None:
            counts.append(self.look_after(1.0))

        self.watch()
        self.loop.add_callback(slow)
        self.loop.add_callback(functools.partial(self.loop.add_callback, quick))
        self.loop.add_timeout(seconds(60), slow)
        self.loop.add_timeout(seconds(200), self.loop.stop)
        self.loop.start()
        self.assertEqual(counts, [0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2])

    def test_what_the_action_gets(self) -> None:
        self.watch()
        self.run_callbacks(self.stuck_here)
        ((number, frame, thread),) = self.actions
        self.assertEqual(number, signal.SIGALRM)
        self.assertNotEqual(thread, threading.get_ident())
        names = []
        while frame is not None:
            names.append(frame.f_code.co_name)
            frame = frame.f_back
        self.assertIn("stuck_here", names)

    def test_each_start_begins_anew(self) -> None:
        """Also after one that an exception ended in the turn that was reported."""

        def slow_and_left() -> None:
            self.look_after(5)
            raise KeyboardInterrupt

        self.watch()
        for count in (1, 2, 3):
            self.loop.add_callback(slow_and_left)
            self.assertRaises(KeyboardInterrupt, self.loop.start)
            self.assertEqual(len(self.actions), count)

    def test_between_two_starts_nothing_is_stuck(self) -> None:
        self.watch()
        self.run_callbacks(nothing)
        self.assertEqual(self.look_after(100), 0)
        counts: list[int] = []
        self.run_callbacks(lambda: counts.append(self.look_after(0)))
        self.assertEqual(counts, [0])

    def test_no_false_alarm(self) -> None:
        """It looks at each place of a loop that sleeps for long and is never stuck."""
        places = 0
        for intruder in Intruder.everywhere(lambda: self.sampler.look(), IOLoop._poll, IOLoop._patience):
            self.loop = FakeLoop()
            self.watch()
            self.loop.add_timeout(seconds(50), nothing)
            self.loop.add_timeout(seconds(100), self.loop.stop)
            with intruder:
                self.loop.start()
            self.loop.close()
            self.assertEqual(self.actions, [])
            places += 1
        self.assertGreater(places, 50)

    def test_the_log(self) -> None:
        ways: list[Callable[[], None]] = [
            lambda: self.loop.set_blocking_log_threshold(1.5),
            lambda: self.loop.set_blocking_signal_threshold(1.5, None),  # no default action kills a process
        ]
        for set_threshold in ways:
            set_threshold()
            assert self.loop._watchdog is not None
            self.sampler = Sampler()
            self.loop._watchdog._stop = self.sampler  # type: ignore[assignment]
            with ExpectLog("tornado.ioloop", r"blocked for 1\.5\d* seconds(?s:.*)stuck_here") as log:
                self.run_callbacks(self.stuck_here)
            self.assertEqual([record.levelname for record in log.records], ["WARNING"])

    def test_log_stack_by_hand(self) -> None:
        with ExpectLog("tornado.ioloop", "test_log_stack_by_hand"):
            self.loop.log_stack(signal.SIGALRM, sys._getframe())
        with ExpectLog("tornado.ioloop", "blocked"):
            self.loop.log_stack(signal.SIGALRM, None)

    def test_an_action_that_raises(self) -> None:
        def action(number: int, frame: FrameType | None) -> None:
            self.action(number, frame)
            boom()

        self.watch()
        assert self.loop._watchdog is not None
        self.loop._watchdog._action = action
        with ExpectLog("tornado.ioloop", "Exception in the action") as log:
            self.run_callbacks(*[self.stuck_here] * 3)
        self.assertEqual((len(log.records), len(self.actions)), (3, 3))

    def test_switched_off(self) -> None:
        self.watch()
        first = self.sampler
        self.run_callbacks(lambda: self.loop.set_blocking_signal_threshold(None, None))
        self.assertTrue(first._ended)
        self.assertNotIn("tornado-watchdog", [thread.name for thread in threading.enumerate()])
        self.loop.set_blocking_log_threshold(None)
        self.run_callbacks(functools.partial(self.loop.advance, 100))
        self.assertEqual(self.actions, [])

    def test_switched_off_by_the_action(self) -> None:
        def action(number: int, frame: FrameType | None) -> None:
            self.action(number, frame)
            self.loop.set_blocking_signal_threshold(None, None)
            done.set()

        def stuck() -> None:
            self.loop.advance(1)
            self.assertTrue(done.wait(SAFETY.total_seconds()))

        done = threading.Event()
        self.loop.set_blocking_signal_threshold(0.001, action)
        self.run_callbacks(stuck)
        self.assertEqual(len(self.actions), 1)

    def test_set_while_the_loop_runs(self) -> None:
        self.run_callbacks(functools.partial(self.loop.set_blocking_signal_threshold, 1, self.action))
        self.assertIn("tornado-watchdog", [thread.name for thread in threading.enumerate()])
        self.loop.close()
        self.assertNotIn("tornado-watchdog", [thread.name for thread in threading.enumerate()])

    def test_for_real(self) -> None:
        """No clock is advanced and nobody tells the watchdog to look."""
        loop = self.real_loop()
        reported = threading.Event()

        def action(number: int, frame: FrameType | None) -> None:
            self.action(number, frame)
            reported.set()

        def stuck() -> None:
            self.assertTrue(reported.wait(SAFETY.total_seconds()))

        loop.set_blocking_signal_threshold(0.01, action)
        loop.add_callback(stuck)
        turn(loop)
        self.assertEqual(len(self.actions), 1)

    def test_no_signal_is_used(self) -> None:
        before = signal.getsignal(signal.SIGALRM)
        with (
            mock.patch.object(signal, "setitimer") as setitimer,
            mock.patch.object(signal, "signal") as install,
        ):
            self.watch()
            self.run_callbacks(self.stuck_here)
        self.assertEqual((setitimer.mock_calls, install.mock_calls), ([], []))
        self.assertIs(signal.getsignal(signal.SIGALRM), before)
        self.assertEqual(len(self.actions), 1)

    def test_no_thresholds(self) -> None:
        for threshold in (0, -1, math.nan):
            with self.subTest(threshold=threshold), self.assertRaisesRegex(ValueError, "threshold"):
                self.loop.set_blocking_log_threshold(threshold)


if __name__ == "__main__":
    unittest.main()

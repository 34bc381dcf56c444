"""Forked workers.  Each test runs a program of its own: a process that has threads or a loop cannot fork."""

import os
import re
import shlex
import signal
import sys
import textwrap
import unittest

from tornado import process
from tornado.test.outside import Program

PREAMBLE = """
import itertools, logging, mmap, os, random, select, signal, sys, time
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
from tornado import process
from tornado.ioloop import IOLoop
from tornado.process import fork_processes, task_id

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

shared = mmap.mmap(-1, 1)  # one number that all the processes see
say("parent", os.getpid())
"""


def program(script: str) -> Program:
    """Start *script*, after PREAMBLE, in an interpreter to which every warning is an error."""
    code = shlex.quote(PREAMBLE + textwrap.dedent(script))
    return Program(f"exec {shlex.quote(sys.executable)} -W error -c {code}")


def run(script: str) -> tuple[int, str]:
    """Run *script* to its end; return exit status and output."""
    with program(script) as running:
        return running.wait(), running.output()


def is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    return True


class CountTest(unittest.TestCase):
    def test_this_process(self) -> None:
        self.assertEqual(process.cpu_count(), len(os.sched_getaffinity(0)))
        self.assertIsNone(process.task_id())

    def test_none_and_less_than_one_stand_for_the_processors(self) -> None:
        for count in (None, 0, -3):
            with self.subTest(count):
                status, output = run(f"""
                    os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])
                    say("processors", process.cpu_count())
                    say("worker", fork_processes({count}))
                """)
                self.assertEqual(re.findall("processors .*", output), ["processors 1"])
                self.assertEqual(re.findall("(?m)^worker .*", output), ["worker 0"])
                self.assertEqual(status, 0)


class WorkerTest(unittest.TestCase):
    def test_workers(self) -> None:
        status, output = run("""
            random.random()
            worker = fork_processes(3)
            say("worker", worker, task_id(), random.random())
        """)
        found = re.findall(r"worker (\d) (\d) (.*)", output)
        self.assertEqual(sorted(each[:2] for each in found), [("0", "0"), ("1", "1"), ("2", "2")])
        self.assertEqual(len({number for _, _, number in found}), 3, "each has its own random numbers")
        self.assertEqual(status, 0)
        self.assertNotIn("WARNING", output)

    def test_those_that_crash_are_started_again(self) -> None:
        status, output = run("""
            time.sleep = lambda seconds: say("slept", seconds)
            time.monotonic = lambda: 1000.0  # each lives for no time at all
            worker = fork_processes(2)
            if worker == 0:
                sys.exit(0)
            shared[0] += 1
            if shared[0] == 1:
                os._exit(3)
            if shared[0] == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            if shared[0] == 3:
                os.kill(os.getpid(), signal.SIGRTMIN + 2)
            say("worker", worker, "is well")
        """)
        reasons = (
            "exited with status 3",
            "was killed by SIGKILL",
            f"was killed by signal {signal.SIGRTMIN + 2}",
        )
        for reason in reasons:
            self.assertRegex(output, rf"WARNING worker 1 \(pid \d+\) {reason}; starting it again\n")
        self.assertEqual(output.count("WARNING"), 3)
        self.assertEqual(output.count("slept 1.0"), 3)
        self.assertIn("worker 1 is well", output)
        self.assertEqual(len(re.findall(r"INFO worker \d \(pid \d+\) has ended", output)), 2)
        self.assertEqual(status, 0)

    def test_no_pause_after_a_longer_life(self) -> None:
        status, output = run("""
            time.sleep = lambda seconds: say("slept", seconds)
            time.monotonic = itertools.count(1000.0, 2.0).__next__  # each lives for two seconds
            fork_processes(1)
            shared[0] += 1
            sys.exit(0 if shared[0] == 3 else 1)
        """)
        self.assertEqual((status, output.count("starting it again")), (0, 2))
        self.assertNotIn("slept", output)

    def test_the_pause_does_not_count_as_life(self) -> None:
        status, output = run("""
            clock, steps = [1000.0], itertools.chain([0.75], itertools.repeat(1.25))
            time.monotonic = lambda: clock[0]
            def sleep(seconds):
                say("slept", seconds)
                shared[0] += 1
                os._exit(0 if shared[0] == 2 else 1)
            time.sleep = sleep
            wait = os.wait
            def wait_longer():
                clock[0] += next(steps)
                return wait()
            os.wait = wait_longer
            fork_processes(1)
            os._exit(1)
        """)
        self.assertEqual((status, output.count("slept 1.0")), (0, 2))

    def test_killed_from_outside(self) -> None:
        with program("""
            process.RESTART_DELAY = 0.0
            say("worker", fork_processes(1), os.getpid())
            signal.pause()
        """) as running:
            first = running.wait_for(r"worker 0 (\d+)\n")[1]
            os.kill(int(first), signal.SIGKILL)
            second = running.wait_for(rf"worker 0 (?!{first}\n)(\d+)\n")[1]
            self.assertFalse(is_alive(first))
            self.assertTrue(is_alive(second))

    def test_too_many_restarts(self) -> None:
        status, output = run("""
            time.sleep = lambda seconds: None
            ready, is_ready = os.pipe()
            if fork_processes(2, max_restarts=2) == 1:
                signal.signal(signal.SIGTERM, lambda *args: (say("terminated"), os._exit(0)))
                os.write(is_ready, b"123")
                while True:
                    signal.pause()
            os.read(ready, 1)
            os._exit(5)
        """)
        self.assertRegex(
            output, r"RuntimeError: worker 0 .* status 5, after 2 restarts of workers, .*max_rest"
        )
        self.assertEqual(output.count("starting it again"), 2)
        self.assertEqual(output.count("terminated"), 1)
        self.assertEqual(status, 1)

    def test_a_child_of_the_application_is_no_worker(self) -> None:
        status, output = run("""
            child = os.fork()
            if not child:
                os._exit(3)
            os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
            fork_processes(1)
        """)
        self.assertEqual((status, output.count("has ended"), output.count("WARNING")), (0, 1, 0))

    def test_ignored_child_signals(self) -> None:
        """Without a status of the worker nobody would see that it crashed."""
        status, output = run("""
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            time.sleep = lambda seconds: None
            fork_processes(1)
            shared[0] += 1
            sys.exit(0 if shared[0] == 2 else 3)
        """)
        self.assertEqual((status, output.count("status 3; starting it again")), (0, 1))


class EndTest(unittest.TestCase):
    """When the parent is interrupted, no worker is left."""

    WAITING = """
        fork_processes(2)
        say("worker", os.getpid())
        try:
            while True:
                signal.pause()
        finally:
            say("cleaned up")
    """

    def interrupt(self, script: str, number: signal.Signals) -> tuple[int, str]:
        """Send the parent a signal once both workers are there; return its status and the output."""
        with program(textwrap.dedent(script)) as running:
            running.wait_for(r"worker \d+\n(.*\n)*worker \d+\n")
            os.kill(int(running.wait_for(r"parent (\d+)\n")[1]), number)
            status = running.wait()
            workers = re.findall(r"worker (\d+)\n", running.output())
            self.assertEqual(len(workers), 2)
            self.assertEqual([is_alive(pid) for pid in workers], [False, False])
            return status, running.output()

    def test_system_exit(self) -> None:
        handler = "signal.signal(signal.SIGTERM, lambda *args: sys.exit(7))\n"
        status, output = self.interrupt(handler + textwrap.dedent(self.WAITING), signal.SIGTERM)
        self.assertEqual((status, output.count("cleaned up")), (7, 2))

    def test_keyboard_interrupt(self) -> None:
        status, output = self.interrupt(self.WAITING, signal.SIGINT)
        self.assertEqual((status, output.count("KeyboardInterrupt")), (-signal.SIGINT, 1))

    def test_a_worker_that_does_not_end(self) -> None:
        stubborn = "process.END_PATIENCE = 0.1\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        status, output = self.interrupt(stubborn + textwrap.dedent(self.WAITING), signal.SIGINT)
        self.assertEqual((status, output.count("cleaned up")), (-signal.SIGINT, 0))

    def test_a_signal_while_a_worker_is_born(self) -> None:
        status, output = run("""
            signal.signal(signal.SIGTERM, lambda *args: sys.exit(7))
            fork = os.fork
            def interrupted_fork():
                pid = fork()
                if pid:
                    say("born", pid)
                    os.kill(os.getpid(), signal.SIGTERM)
                return pid
            os.fork = interrupted_fork
            fork_processes(2)
            while True:
                signal.pause()
        """)
        self.assertEqual(status, 7)
        self.assertEqual([is_alive(pid) for pid in re.findall(r"born (\d+)", output)], [False])

    def test_a_worker_interrupted_before_its_work_ends_alone(self) -> None:
        status, output = run("""
            reader, writer = os.pipe()
            def sleep(seconds):
                os.write(writer, str(os.getpid()).encode())
                raise SystemExit(0)
            time.sleep = sleep
            if fork_processes(2) == 1:
                os._exit(3)
            signal.signal(signal.SIGTERM, lambda *args: say("terminated"))
            other = int(os.read(reader, 100))
            try:
                while True:
                    os.kill(other, 0)
                    select.select([], [], [], 0.01)
            except ProcessLookupError:
                say("it is gone")
        """)
        self.assertEqual((status, output.count("it is gone"), output.count("terminated")), (0, 1, 0))


class RefusalTest(unittest.TestCase):
    def test_after_the_loop_was_made(self) -> None:
        status, output = run("""
            IOLoop.instance()
            fork_processes(1)
            say("after")
        """)
        self.assertRegex(output, r"UsageError: .*came too late.*fork first")
        self.assertNotIn("after", output.splitlines())
        self.assertEqual(status, 1)

    def test_in_a_worker(self) -> None:
        status, output = run("""
            worker = fork_processes(1)
            try:
                fork_processes(1)
            except AssertionError as error:
                say(error)
        """)
        self.assertIn("called again, in worker 0", output)
        self.assertEqual(status, 0)


if __name__ == "__main__":
    unittest.main()

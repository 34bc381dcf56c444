"""Several processes that serve one port: forked workers, and a parent that replaces those that crash.

A process runs Python on one processor at a time.  To use more of them, bind, fork, and accept in each::

    sockets = bind_sockets(8888)
    fork_processes(None)                        # a worker for each processor; only workers get past this
    server = HTTPServer(application)
    server.add_sockets(sockets)
    IOLoop.instance().start()

`tornado.netutil.TCPServer.start` does the same in one call.  The workers share the listening sockets and
nothing else: what one keeps in memory the others do not see.  A process without an `IOLoop` can fork; one
with a loop cannot, because both sides would go on waiting with the same poller.
"""

import logging
import os
import signal
import sys
import time

from tornado.ioloop import IOLoop
from tornado.util import UsageError

log = logging.getLogger(__name__)

RESTART_DELAY = 1.0  # seconds; a worker that lives no longer than this is started again as much later
END_PATIENCE = 35.0  # seconds from SIGTERM to SIGKILL; a worker may take 30 to finish its requests
END_INTERVAL = 0.02  # seconds between two looks at the workers that were sent SIGTERM

_task_id: int | None = None


def cpu_count() -> int:
    """Return how many processors this process may run on, at least 1."""
    try:
        # A container is often pinned to a few of the machine's processors, which os.cpu_count() counts all.
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def task_id() -> int | None:
    """Return which worker of `fork_processes` this process is, from 0 on; None if it is none."""
    return _task_id


def fork_processes(num_processes: int | None, max_restarts: int = 100) -> int:
    """Fork *num_processes* workers, and return in each of them its `task_id`, a number from 0 on.

    None, 0 and less stand for `cpu_count`.  Each worker has random numbers of its own.

    The parent does not return.  It starts a worker again, with the same number, when one exits with a
    status other than 0 or is killed by a signal (logged as a warning); after a second's pause when it
    lived for less than one.  Once all have exited with status 0, the parent does so too (SystemExit).
    More than *max_restarts* restarts of all workers together are a RuntimeError.  Whichever exception
    ends the parent, KeyboardInterrupt included, the workers left get a SIGTERM and are waited for.

    Raises `UsageError` when called in a worker, and when `IOLoop.instance` has been used.  Fork before
    threads are started, too: only the calling thread exists in a worker.
    """
    if _task_id is not None:
        raise UsageError(f"fork_processes() was called again, in worker {_task_id}: only the parent forks")
    if IOLoop.initialized():
        raise UsageError(
            "fork_processes() came too late: IOLoop.instance() was used before, and processes cannot share"
            " a loop; fork first, then make what needs the loop"
        )
    count = cpu_count() if num_processes is None or num_processes <= 0 else num_processes
    return _Supervisor(max_restarts).run(count)


class _Supervisor:
    """The parent's side: which workers there are, and what becomes of them."""

    def __init__(self, max_restarts: int) -> None:
        self._pid = os.getpid()
        self._workers: dict[int, tuple[int, float]] = {}  # by pid: the task, when it starts to work
        self._max_restarts = max_restarts
        self._restarts = 0

    def run(self, count: int) -> int:
        """Return the task id in a worker; in the parent leave by an exception."""
        if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
            # Inherited from whoever started us.  The kernel would tell nobody how a worker ended.
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log.info("starting worker processes: %d", count)
        try:
            for task in range(count):
                if self._fork(task):
                    return task
            while self._workers:
                crashed = self._wait()
                if crashed is not None and self._fork(*crashed):
                    return crashed[0]
            sys.exit(0)
        except BaseException:
            if os.getpid() == self._pid:  # not in a worker that is interrupted before it has begun
                self._end()
            raise

    def _fork(self, task: int, delay: float = 0.0) -> bool:
        """Start a worker that waits *delay* seconds before its work; return whether this is the worker."""
        global _task_id
        # The new worker is entered before a signal handler can raise, or nobody would end it.
        unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
        try:
            pid = os.fork()
            if pid:
                self._workers[pid] = (task, time.monotonic() + delay)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
        if pid:
            return False
        _task_id = task  # `random` has been seeded anew by Python itself
        if delay:
            time.sleep(delay)  # here rather than in the parent, which stays free for the other workers
        return True

    def _wait(self) -> tuple[int, float] | None:
        """Wait for the end of a child; return the task to start again and the delay, None for nothing."""
        pid, status = os.wait()
        if pid not in self._workers:
            return None  # a process that the application had started before
        task, start = self._workers.pop(pid)
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            log.info("worker %d (pid %d) has ended", task, pid)
            return None
        ending = f"exited with status {code}" if code > 0 else f"was killed by {_signal_name(-code)}"
        if self._restarts == self._max_restarts:
            raise RuntimeError(
                f"worker {task} (pid {pid}) {ending}, after {self._restarts} restarts of workers, which is"
                " max_restarts: look in the log for what ends them"
            )
        self._restarts += 1
        log.warning("worker %d (pid %d) %s; starting it again", task, pid, ending)
        return task, RESTART_DELAY if time.monotonic() - start < RESTART_DELAY else 0.0

    def _end(self) -> None:
        """Send SIGTERM to the workers and wait for them; SIGKILL those that take too long."""
        self._send(signal.SIGTERM)
        deadline = time.monotonic() + END_PATIENCE
        while self._reap(os.WNOHANG) and time.monotonic() < deadline:
            time.sleep(END_INTERVAL)
        self._send(signal.SIGKILL)
        self._reap(0)

    def _send(self, number: signal.Signals) -> None:
        for pid in self._workers:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass  # gone, and somebody else has waited for it

    def _reap(self, options: int) -> bool:
        """Forget the workers that have ended; return whether there are others."""
        for pid in list(self._workers):
            try:
                ended, _ = os.waitpid(pid, options)
            except ChildProcessError:
                ended = pid
            if ended:
                del self._workers[pid]
        return bool(self._workers)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

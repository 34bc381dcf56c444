"""How many requests a second one process serves: an external load generator against one small handler.

    PYTHONPATH=. python3 demos/benchmark/benchmark.py --n=10000 --c=25 --keepalive

The server runs in this process, so it can be profiled (``python3 -m cProfile -s tottime``); ab or wrk
runs as a child.  ab sends `n` requests; wrk knows only durations and runs for `duration` seconds.
"""

import functools
import platform
import re
import shlex
import shutil
import subprocess
import sys
import threading
from typing import Any, NamedTuple

import tornado.httpserver
import tornado.ioloop
import tornado.options
import tornado.web
from tornado.netutil import bind_sockets
from tornado.options import define, options

define("n", default=10000, type=int, help="requests to send (ab)")
define("c", default=25, type=int, help="connections at the same time")
define("keepalive", default=False, type=bool, help="send many requests over each connection")
define("port", default=8888, type=int, help="TCP port on 127.0.0.1; 0: any that is free")
define("tool", default="auto", type=str, help="auto, wrk or ab")
define("duration", default=0, type=int, help="seconds to run for, instead of counting to n")

#: How long wrk runs if nobody said, in seconds.
WRK_DURATION = 5


class Result(NamedTuple):
    """What a load generator measured."""

    rate: str  # requests per second
    latencies: list[str]  # 50 %, 90 %, 99 % of the requests were no slower, with the unit
    failed: int


class GreetingHandler(tornado.web.RequestHandler):
    """Answers with a constant, logs nothing, counts."""

    served = 0

    def get(self) -> None:
        """Answer GET."""
        GreetingHandler.served += 1
        self.write("Hello, world")

    def _log(self) -> None:
        """Keep quiet: a log line per request is measured by other means."""


def choose_tool() -> str:
    """Return "ab" or "wrk"; SystemExit says what to install if there is neither."""
    if options.tool not in ("auto", "ab", "wrk"):
        sys.exit(f"--tool={options.tool} is not known: choose auto, ab or wrk")
    wanted = ["wrk", "ab"] if options.duration else ["ab", "wrk"]
    if options.tool != "auto":
        wanted = [options.tool]
    for tool in wanted:
        if shutil.which(tool):
            return tool
    sys.exit(f"{' and '.join(wanted)} not found: install the Debian package wrk or apache2-utils (for ab)")


def command(tool: str, url: str) -> list[str]:
    """Return the command line that puts *url* under load."""
    if tool == "wrk":
        close = [] if options.keepalive else ["--header", "Connection: close"]
        duration = f"--duration={options.duration or WRK_DURATION}s"
        return ["wrk", "--threads=1", f"--connections={options.c}", duration, "--latency", *close, url]
    keepalive = ["-k"] if options.keepalive else []
    if options.duration:  # -t alone would stop at 50,000 requests
        amount = ["-t", str(options.duration), "-n", "1000000000"]
    else:
        amount = ["-n", str(options.n)]
    return ["ab", "-q", *keepalive, "-c", str(min(options.c, options.n)), *amount, url]


def read_result(tool: str, output: str) -> Result:
    """Find the figures in what *tool* printed; ValueError if they are not there."""
    rate = re.search(r"Requests(?: per second|/sec):\s+([\d.]+)", output)
    latencies = re.findall(r"^\s+(?:50|90|99)%\s+(\S+)", output, re.MULTILINE)
    if rate is None or len(latencies) != 3:
        raise ValueError(f"{tool} printed no figures")
    if tool == "ab":
        latencies = [f"{each} ms" for each in latencies]
    problems = re.findall(
        r"^(?:Failed requests|Non-2xx responses|\s+Non-2xx or 3xx responses):\s+(\d+)", output, re.M
    )
    problems += re.findall(r"(?:connect|read|write|timeout) (\d+)", output)  # wrk's socket errors
    return Result(rate[1], latencies, sum(map(int, problems)))


class Benchmark:
    """One run: the child, a thread that waits for it, and the loop that serves meanwhile."""

    def __init__(self, tool: str, url: str) -> None:
        self.tool = tool
        self.command = command(tool, url)
        self.loop = tornado.ioloop.IOLoop.instance()
        self.output = ""
        self.status = 0

    def run(self) -> int:
        """Serve until the child ends; print the table; return the exit status of this program."""
        print(f"Python {platform.python_version()}: {shlex.join(self.command)}", flush=True)
        progress = tornado.ioloop.PeriodicCallback(self._show_progress, 1000)
        with subprocess.Popen(
            self.command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as child:
            threading.Thread(target=self._wait, args=(child,)).start()
            progress.start()
            try:
                self.loop.start()
            finally:
                progress.stop()
                child.terminate()
        return self._report()

    def _wait(self, child: subprocess.Popen[str]) -> None:
        """Run on the thread: `add_callback` is the one call of the loop that other threads may make."""
        output = child.communicate()[0]
        self.loop.add_callback(functools.partial(self._on_end, output, child.returncode))

    def _on_end(self, output: str, status: int) -> None:
        self.output = output
        self.status = status
        self.loop.stop()

    def _show_progress(self) -> None:
        print(f"  {GreetingHandler.served} requests served", file=sys.stderr, flush=True)

    def _report(self) -> int:
        try:
            result = read_result(self.tool, self.output)
        except ValueError as error:
            print(f"{self.output}\n{error} and ended with status {self.status}", file=sys.stderr)
            return 1
        row: list[Any] = [self.tool, result.rate, *result.latencies, result.failed]
        for cells in (["tool", "requests/s", "50 %", "90 %", "99 %", "failed"], row):
            print("".join(f"{cell!s:<12}" for cell in cells).rstrip())
        return 1 if self.status or result.failed else 0


def main() -> int:
    """Start the server, run the benchmark, return the exit status."""
    tornado.options.parse_command_line()
    tool = choose_tool()
    server = tornado.httpserver.HTTPServer(tornado.web.Application([(r"/", GreetingHandler)]))
    try:
        sockets = bind_sockets(options.port, address="127.0.0.1")
    except OSError as error:
        sys.exit(f"{error.strerror} (--port=N chooses the port)")
    server.add_sockets(sockets)
    return Benchmark(tool, f"http://127.0.0.1:{sockets[0].getsockname()[1]}/").run()


if __name__ == "__main__":
    sys.exit(main())

"""The demos, run as their READMEs say."""

import re
import shlex
import socket
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

from tornado.test.outside import Program, free_port, run

HELLOWORLD = "PYTHONPATH=. python3 demos/helloworld/helloworld.py"
BENCHMARK = "PYTHONPATH=. python3 demos/benchmark/benchmark.py --port=0"


class HelloWorldTest(unittest.TestCase):
    def test_greets_and_ends_on_ctrl_c(self) -> None:
        port = free_port()
        with Program(f"exec env {HELLOWORLD} --port={port}") as program:
            url = program.wait_for(r"http://\S+")[0]
            self.assertEqual(url, f"http://localhost:{port}/")
            with urllib.request.urlopen(url, timeout=10) as answer:
                self.assertEqual(answer.read(), b"Hello, world")
            with self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(f"{url}nowhere", timeout=10)
            caught.exception.close()
            self.assertEqual(caught.exception.code, 404)
            self.assertEqual(program.interrupt(), 0)
            self.assertNotIn("Traceback", program.output())

    def test_port_in_use(self) -> None:
        with socket.socket() as occupant:
            occupant.bind(("0.0.0.0", 0))
            occupant.listen()
            port = occupant.getsockname()[1]
            status, output = run(f"{HELLOWORLD} --port={port}")
        self.assertEqual(status, 1)
        self.assertRegex(output, rf"^cannot listen on .*\bport {port}: Address already in use")
        self.assertIn("--port=N", output)
        self.assertNotIn("Traceback", output)


class BenchmarkTest(unittest.TestCase):
    def test_both_tools_count(self) -> None:
        rows = [
            ("ab", "--n=60 --c=5 --keepalive"),
            ("ab", "--n=60 --c=5"),
            ("wrk", "--tool=wrk --duration=1 --c=5 --keepalive"),
        ]
        for tool, arguments in rows:
            with self.subTest(f"{tool} {arguments}"):
                status, output = run(f"{BENCHMARK} {arguments}")
                self.assertEqual(status, 0, output)
                table = output.splitlines()[-2:]
                self.assertRegex(table[0], r"^tool +requests/s +50 % +90 % +99 % +failed$")
                self.assertRegex(table[1], rf"^{tool} +[1-9][\d.]+ +[\d.]+ ?m?u?s .* 0$")
                self.assertRegex(output, rf"^Python [\d.]+: {tool} ")

    def test_shows_progress(self) -> None:
        status, output = run(f"{BENCHMARK} --tool=wrk --duration=2 --c=2 --keepalive")
        self.assertEqual(status, 0, output)
        self.assertRegex(output, re.compile(r"^  [1-9]\d* requests served$", re.MULTILINE))

    def test_no_tool(self) -> None:
        with tempfile.TemporaryDirectory() as empty:
            python = shlex.quote(sys.executable)
            status, output = run(f"PATH={empty} {BENCHMARK.replace('python3', python)}")
        self.assertEqual(status, 1)
        self.assertIn("install the Debian package wrk or apache2-utils", output)
        self.assertNotIn("Traceback", output)

    def test_unknown_tool(self) -> None:
        status, output = run(f"{BENCHMARK} --tool=hammer")
        self.assertEqual((status, output.count("\n")), (1, 1), output)
        self.assertIn("choose auto, ab or wrk", output)


if __name__ == "__main__":
    unittest.main()

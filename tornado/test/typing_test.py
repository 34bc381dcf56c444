"""Programs that use the package are checked by mypy as strictly as the package itself."""

import pathlib
import shlex
import sys
import unittest

from tornado.test.outside import run

SAMPLE = pathlib.Path(__file__).with_name("typing_sample.py")


class TypingTest(unittest.TestCase):
    def test_sample(self) -> None:
        """What is correct is accepted, what is wrong refused."""
        command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", str(SAMPLE)]
        status, output = run(shlex.join(command))
        self.assertEqual(status, 0, output)
        self.assertIn("no issues found in 1 source file", output)

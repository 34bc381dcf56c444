"""The tests' own tools: `ExpectLog` takes what it should, leaves the rest, and misses what is missing."""

import logging
import unittest

from tornado.test.util import ExpectLog, watch

log = logging.getLogger("tornado.web")


class ExpectLogTest(unittest.TestCase):
    def test_takes_what_matches(self) -> None:
        rows = [
            ("the logger itself", "tornado.web", "b.om"),
            ("a parent", "tornado", "boom"),
            ("any logger", "", "^boom$"),
        ]
        for name, logger, regex in rows:
            with self.subTest(name), ExpectLog(logger, regex) as expected:
                log.warning("boom")
                log.error("boom")
            self.assertEqual([record.levelno for record in expected.records], [30, 40])

    def test_finds_the_exception_in_a_traceback(self) -> None:
        with ExpectLog("tornado", "ZeroDivisionError"):
            try:
                _ = 1 / 0
            except ZeroDivisionError:
                log.exception("failed")

    def test_takes_an_info_if_asked(self) -> None:
        level = log.level
        with ExpectLog("tornado.web", "boom", logging.INFO):
            log.info("boom")
        self.assertEqual(log.level, level)

    def test_leaves_the_rest_to_the_run(self) -> None:
        rows = [
            ("another text", "tornado.web", "bang"),
            ("a child's name", "tornado.web.child", "boom"),
            ("half a name", "tornado.we", "boom"),
        ]
        for name, logger, regex in rows:
            with self.subTest(name):
                with ExpectLog(logger, regex, required=False):
                    log.warning("boom")
                self.assertEqual(watch.take_strays(), ["WARNING tornado.web: boom"])

    def test_fails_if_nothing_came(self) -> None:
        with self.assertRaisesRegex(AssertionError, "'boom'"), ExpectLog("tornado.web", "boom"):
            log.info("boom")  # below WARNING

    def test_lets_an_exception_pass(self) -> None:
        with self.assertRaises(KeyError), ExpectLog("tornado.web", "boom"):
            raise KeyError("first")

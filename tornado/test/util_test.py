"""Tests of tornado.util."""

import copy
import gc
import gzip
import pathlib
import pickle
import sys
import tempfile
import traceback
import unittest
import weakref
import zlib

from tornado import util
from tornado.util import GzipDecompressor, ObjectDict, import_object, raise_exc_info


class UsageErrorTest(unittest.TestCase):
    def test_is_caught_as_what_it_was_in_2011(self) -> None:
        for error, plain in [(util.UsageError, RuntimeError), (util.UsageTypeError, TypeError)]:
            for caught in (plain, AssertionError):
                with self.subTest(error=error, caught=caught), self.assertRaisesRegex(caught, "^why$"):
                    raise error("why")


class ObjectDictTest(unittest.TestCase):
    def test_attributes_are_entries(self) -> None:
        record = ObjectDict(name="Ada")
        self.assertEqual(record.name, "Ada")
        record.born = 1815
        self.assertEqual(record, {"name": "Ada", "born": 1815})
        self.assertFalse(vars(record))

    def test_a_missing_attribute_is_named(self) -> None:
        with self.assertRaisesRegex(AttributeError, "ObjectDict has no entry 'age'"):
            ObjectDict(name="Ada").age  # noqa: B018
        self.assertFalse(hasattr(ObjectDict(), "age"))

    def test_methods_go_first(self) -> None:
        self.assertEqual(list(ObjectDict(keys=1).keys()), ["keys"])

    def test_copies(self) -> None:
        record = ObjectDict(tags=["a"])
        for twin in (copy.copy(record), copy.deepcopy(record), pickle.loads(pickle.dumps(record))):
            self.assertIs(type(twin), ObjectDict)
            self.assertEqual(twin.tags, ["a"])


IMPORTS = [  # name, error, what the message names
    ("json", ValueError, "'json'.*package.module.Name"),
    ("", ValueError, "''"),
    ("json.", ValueError, "'json.'"),
    (".json", ValueError, "'.json'"),
    ("json.no_such", AttributeError, "'json.no_such'.*'json' has no 'no_such'"),
    ("os.path.no_such", AttributeError, "'os.path' has no 'no_such'"),
    ("tornado.no_such", AttributeError, "'tornado' has no 'no_such'"),
    ("no_such_package.name", ModuleNotFoundError, "no_such_package"),
    ("tornado.no_such.name", ModuleNotFoundError, "tornado.no_such"),
]


class ImportObjectTest(unittest.TestCase):
    def test_attribute_of_a_module(self) -> None:
        self.assertIs(import_object("tornado.util.import_object"), import_object)

    def test_module_that_nobody_imported_before(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            package = pathlib.Path(directory, "fresh_package")
            package.mkdir()
            package.joinpath("__init__.py").touch()
            package.joinpath("part.py").write_text("answer = 42")
            package.joinpath("broken.py").write_text("import no_such_dependency")
            sys.path.insert(0, directory)
            try:
                self.assertEqual(import_object("fresh_package.part").answer, 42)
                with self.assertRaisesRegex(ModuleNotFoundError, "no_such_dependency"):
                    import_object("fresh_package.broken")
            finally:
                sys.path.remove(directory)
                for name in ("fresh_package", "fresh_package.part"):
                    del sys.modules[name]

    def test_failures(self) -> None:
        for name, error, message in IMPORTS:
            with self.subTest(name), self.assertRaisesRegex(error, message):
                import_object(name)


class Witness:
    """Something to hold a weak reference to."""


class RaiseExcInfoTest(unittest.TestCase):
    def test_same_exception_with_its_traceback(self) -> None:
        try:
            int("x")
        except ValueError:
            exc_info = sys.exc_info()
        try:
            raise_exc_info(exc_info)
        except ValueError as error:
            self.assertIs(error, exc_info[1])
            lines = [frame.line for frame in traceback.extract_tb(error.__traceback__)]
        self.assertEqual(lines[-1], 'int("x")')

    def test_class_without_instance(self) -> None:
        with self.assertRaises(KeyError):
            raise_exc_info((KeyError, None, None))

    def test_nothing_to_raise(self) -> None:
        with self.assertRaisesRegex(util.UsageError, "outside of 'except'"):
            raise_exc_info(sys.exc_info())

    def test_leaves_no_cyclic_garbage(self) -> None:
        gc.disable()
        try:
            self.assertIsNone(self._raise_and_forget()())
        finally:
            gc.enable()

    def _raise_and_forget(self) -> "weakref.ref[Witness]":
        """Return a reference to what only the exception kept alive."""
        error = ValueError("x")
        error.witness = witness = Witness()  # type: ignore[attr-defined]
        exc_info = [(ValueError, error, None)]
        del error
        try:
            raise_exc_info(exc_info.pop())
        except ValueError:
            return weakref.ref(witness)


class GzipDecompressorTest(unittest.TestCase):
    text = b"one two three " * 5000

    def test_byte_by_byte(self) -> None:
        stream = GzipDecompressor()
        octets = gzip.compress(self.text)
        inflated = b"".join(stream.decompress(octets[i : i + 1]) for i in range(len(octets)))
        self.assertEqual(inflated + stream.flush(), self.text)
        self.assertTrue(stream.decompressobj.eof)

    def test_bounded_steps(self) -> None:
        stream = GzipDecompressor()
        octets, pieces = gzip.compress(self.text), []
        while octets:
            pieces.append(stream.decompress(octets, 1000))
            octets = stream.unconsumed_tail
        pieces.append(stream.flush())
        self.assertGreater(len(pieces), len(self.text) // 1000)
        self.assertLessEqual(max(map(len, pieces)), 1000)
        self.assertEqual(b"".join(pieces), self.text)

    def test_no_gzip(self) -> None:
        for octets in (b"plain text", zlib.compress(b"zlib")):
            with self.subTest(octets), self.assertRaises(zlib.error):
                GzipDecompressor().decompress(octets)


class LeftoversTest(unittest.TestCase):
    def test_bytes(self) -> None:
        self.assertEqual(util.b("ab\xff"), b"ab\xff")
        self.assertRaises(UnicodeEncodeError, util.b, "\u20ac")
        self.assertIs(util.bytes_type, bytes)

    def test_doctests(self) -> None:
        result = unittest.TestResult()
        suite = util.doctests()
        self.assertGreater(suite.countTestCases(), 1)
        suite.run(result)
        self.assertEqual(result.failures + result.errors, [])

"""The house around the package: what is built from the tree, and whether README keeps its word."""

import email
import os
import pathlib
import re
import shlex
import shutil
import sys
import tarfile
import tempfile
import textwrap
import unittest
import zipfile

import tornado
from tornado.test.outside import ROOT, Program, browser_page, free_port, run

#: What lies in a working tree without being part of it.
DEBRIS = shutil.ignore_patterns(
    ".git",
    ".venv*",
    ".*_cache",
    ".hypothesis",
    "__pycache__",
    "*.py[cod]",
    "*.so",
    "*.egg-info",
    "build",
    "dist",
)

PYTHON = shlex.quote(sys.executable)
PIP = f"{PYTHON} -m pip --disable-pip-version-check"


def files_below(folder: pathlib.Path) -> set[str]:
    """Return the paths of all files below *folder*, relative to it."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


class PackagingTest(unittest.TestCase):
    """Builds the source archive, and from it the wheel, without a network."""

    folder: pathlib.Path
    tree: pathlib.Path  # a clean copy of the source tree
    files: set[str]
    sdist: pathlib.Path
    wheel: pathlib.Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.tree = cls.folder / "tree"
        shutil.copytree(ROOT, cls.tree, ignore=DEBRIS)
        cls.files = files_below(cls.tree)
        command = f"{PYTHON} -m build --no-isolation --outdir {cls.folder}/dist {cls.tree}"
        status, output = run(command, cls.folder)
        if status:
            raise AssertionError(f"{command} failed:\n{output}")
        (cls.sdist,) = cls.folder.glob("dist/*.tar.gz")
        (cls.wheel,) = cls.folder.glob("dist/*.whl")

    def test_names(self) -> None:
        self.assertEqual(self.sdist.name, f"tornado-{tornado.version}.tar.gz")
        self.assertEqual(self.wheel.name, f"tornado-{tornado.version}-py3-none-any.whl")

    def test_the_archive_holds_the_whole_tree(self) -> None:
        with tarfile.open(self.sdist) as archive:
            members = {member.name.partition("/")[2]: member for member in archive if member.isfile()}
        made = {name for name in members if name in ("PKG-INFO", "setup.cfg") or ".egg-info/" in name}
        self.assertEqual(set(members) - made, self.files - {".gitignore"})
        for name in ("runtests.sh", ".ci/run"):
            self.assertTrue(members[name].mode & 0o100, f"{name} is not executable")

    def test_the_wheel_holds_the_package(self) -> None:
        with zipfile.ZipFile(self.wheel) as archive:
            names = set(archive.namelist())
        package = {name for name in self.files if name.startswith("tornado/")}
        self.assertEqual({name for name in names if ".dist-info/" not in name}, package)
        self.assertIn("tornado/py.typed", package)

    def test_metadata(self) -> None:
        with zipfile.ZipFile(self.wheel) as archive:
            text = archive.read(f"tornado-{tornado.version}.dist-info/METADATA").decode()
        metadata = email.message_from_string(text)
        self.assertEqual(metadata["Name"], "tornado")
        self.assertEqual(metadata["Version"], tornado.version)
        self.assertEqual(metadata["Requires-Python"], ">=3.11")
        self.assertEqual(metadata.get_all("Provides-Extra"), ["curl", "json", "mysql"])
        needed = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]
        self.assertEqual(needed, [])
        self.assertIn((ROOT / "README").read_text(encoding="utf-8").strip(), text)

    def test_the_wheel_installs(self) -> None:
        venv = self.folder / "venv"
        self.assert_runs(f"{PYTHON} -m venv --without-pip {venv}")
        self.assert_runs(f"{PIP} --python {venv}/bin/python install -q --no-index {self.wheel}")
        self.assert_imports(f"{venv}/bin/python -I", venv)

    def test_the_folder_installs(self) -> None:
        target = self.folder / "target"
        tree = self.folder / "second"
        shutil.copytree(self.tree, tree, ignore=DEBRIS)
        self.assert_runs(f"{PIP} install -q --no-index --no-build-isolation --target {target} {tree}")
        self.assert_imports(f"PYTHONPATH={target} {PYTHON}", target)

    def assert_runs(self, command: str) -> None:
        status, output = run(command, self.folder)
        self.assertEqual(status, 0, f"{command}:\n{output}")

    def assert_imports(self, python: str, place: pathlib.Path) -> None:
        program = "import tornado.web; print(tornado.version, tornado.__file__)"
        status, output = run(f"{python} -W error -c {shlex.quote(program)}", self.folder)
        self.assertEqual(status, 0, output)
        version, file = output.split()
        self.assertEqual(version, tornado.version)
        self.assertTrue(pathlib.Path(file).is_relative_to(place), file)


class VersionTest(unittest.TestCase):
    def test_tuple_and_text_agree(self) -> None:
        self.assertEqual(len(tornado.version_info), 4)
        self.assertEqual(".".join(map(str, tornado.version_info[:3])), tornado.version)


def blocks(text: str) -> list[str]:
    """Return the indented blocks of *text*, without their indentation."""
    between = re.split(r"^\S.*\n", text, flags=re.MULTILINE)
    return [textwrap.dedent(part).strip("\n") for part in between if re.match(r"\n* {4}", part)]


class ReadmeTest(unittest.TestCase):
    """README's commands and its program, taken from its text."""

    def setUp(self) -> None:
        self.blocks = blocks((ROOT / "README").read_text(encoding="utf-8"))

    def assert_greets(self, command: str, port: int, **variables: str) -> None:
        """Run *command*; real clients find the greeting on *port*."""
        url = f"http://localhost:{port}/"
        with Program(command, ROOT, **variables) as program:
            program.wait_for_port(port)
            status, output = run(f"curl -s -i --max-time 10 {url}")
            self.assertEqual(status, 0, program.output())
            head, _, body = output.replace("\r\n", "\n").partition("\n\n")
            self.assertEqual(head.splitlines()[0], "HTTP/1.1 200 OK")
            self.assertIn("Content-Length: 12", head.splitlines())
            self.assertEqual(body, "Hello, world")
            with browser_page() as page:
                answer = page.goto(url)
                assert answer is not None
                self.assertEqual(answer.status, 200)
                self.assertEqual(page.inner_text("body"), "Hello, world")
            self.assertNotIn("Traceback", program.output())

    def test_the_first_two_commands(self) -> None:
        self.assertEqual(
            self.blocks[:2], ["PYTHONPATH=. python3 demos/helloworld/helloworld.py", "./runtests.sh"]
        )
        self.assertTrue(os.access(ROOT / "runtests.sh", os.X_OK))

    def test_the_first_command(self) -> None:
        port = free_port()
        self.assert_greets(f"{self.blocks[0]} --port={port}", port)

    def test_the_program(self) -> None:
        (program,) = (block for block in self.blocks if block.startswith("import tornado"))
        self.assertEqual(program.count("8888"), 1)
        port = free_port()
        with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
            file.write(program.replace("8888", str(port)))
            file.flush()
            self.assert_greets(f"python3 {file.name}", port, PYTHONPATH=str(ROOT))


if __name__ == "__main__":
    unittest.main()

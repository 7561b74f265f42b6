"""Other people's test suites, brought here once: npm packages, and Autobahn, which wants a Python of its own (2.7)."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from support.npm import CACHE as NPM

SUITES = Path(__file__).parents[1] / "integration" / "suites"
CACHE_TESTS = "0.4.5"
NODE_FETCH = "2.7.0"
AUTOBAHN_PINS = ("autobahntestsuite==25.10.1", "autobahn==0.10.9", "Twisted==19.10.0", "cryptography==3.3.2")
FETCH_S = 90.0


def cache_tests() -> Path:
    """Return the folder of the npm package http-cache-tests, beside the one module that it needs to run.

    Raises:
        OSError: npm, or its registry, is not there.
    """
    home = NPM / f"http-cache-tests-{CACHE_TESTS}"
    if not (home / "complete").exists():
        home.mkdir(parents=True, exist_ok=True)
        quiet = ["--silent", "--no-audit", "--no-fund"]
        _run("npm", "pack", "--silent", "--pack-destination", str(home), f"http-cache-tests@{CACHE_TESTS}", folder=home)
        with tarfile.open(home / f"http-cache-tests-{CACHE_TESTS}.tgz") as contents:
            contents.extractall(home, filter="data")
        _run("npm", "install", *quiet, "--prefix", str(home), f"node-fetch@{NODE_FETCH}", folder=home)
        (home / "complete").touch()
    return home / "package"


def autobahn() -> list[str]:
    """Return the command that runs Autobahn's fuzzing client.

    Raises:
        OSError: there is no Python 2.7, or what it needs cannot be had.
    """
    interpreter = _python_2()
    home = Path(__file__).parents[2] / ".cache" / "autobahn"
    if not (home / "complete").exists():
        home.mkdir(parents=True, exist_ok=True)
        options = ["install", "--quiet", "--disable-pip-version-check", "--target", str(home)]
        _run(interpreter, "-m", "pip", *options, *AUTOBAHN_PINS, folder=home)
        (home / "zope" / "__init__.py").touch()  # a namespace package, which --target lays down without this
        (home / "complete").touch()
    start = (
        f"import sys; sys.path.insert(0, {str(home)!r}); import txaio; txaio.use_twisted(); "
        "from autobahntestsuite.wstest import run; run()"
    )
    return [interpreter, "-c", start, "-m", "fuzzingclient"]


def _python_2() -> str:
    known = [shutil.which("python2.7"), *map(str, Path.home().glob(".pyenv/versions/2.7.*/bin/python2.7"))]
    for each in known:
        if each is not None and not os.path.dirname(each).endswith("shims"):  # a shim may stand for nothing
            return each
    raise FileNotFoundError("there is no python2.7, the last that Autobahn's test suite runs on")


def _run(*command: str, folder: Path) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=FETCH_S, cwd=folder)
    except subprocess.SubprocessError as error:
        told = getattr(error, "stderr", None) or b""
        raise OSError(f"{command[0]} failed: {told.decode(errors='replace')[-300:] or error}") from None

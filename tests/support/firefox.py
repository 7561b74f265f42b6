"""Debian's Firefox, driven over Marionette: the protocol that geckodriver speaks to it, without geckodriver.

Marionette is a socket on loopback that takes ``LENGTH:JSON``; a command is ``[0, id, name, parameters]`` and its answer
``[1, id, error, result]``. That is all of it that a test needs.
"""

import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FIREFOX = shutil.which("firefox-esr")
PATIENCE_S = 60.0  # a first start makes a profile
PREFERENCES = {
    "app.update.enabled": False,
    "browser.safebrowsing.downloads.remote.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.disable_open_during_load": False,
    "extensions.update.enabled": False,
    "media.autoplay.default": 0,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.proxy.type": 0,
    "privacy.trackingprotection.enabled": False,
    "services.settings.server": "http://127.0.0.1:9/",
    "toolkit.telemetry.server": "http://127.0.0.1:9/",
}


class Firefox:
    """One window of a Firefox; the three methods of Playwright's page that the guard's cases need."""

    def __init__(self, connection: socket.socket) -> None:
        self._stream = connection.makefile("rwb")
        self._message()  # it says who it is
        self._asked = 0
        self.ask("WebDriver:NewSession", {})
        self.ask("WebDriver:SetTimeouts", {"script": 60_000, "pageLoad": 60_000})

    def goto(self, url: str) -> None:
        self.ask("WebDriver:Navigate", {"url": url})

    def evaluate(self, expression: str, arg: Any = None) -> Any:
        """Return what a function in JavaScript, called with ``arg``, comes to."""
        script = f"const [given, done] = arguments; Promise.resolve(({expression})(given)).then(done, e => done('threw ' + e))"
        return self.ask("WebDriver:ExecuteAsyncScript", {"script": script, "args": [arg], "newSandbox": False})["value"]

    def wait_for_timeout(self, timeout: float) -> None:
        time.sleep(timeout / 1000)

    def ask(self, command: str, parameters: dict[str, Any]) -> Any:
        self._asked += 1
        text = json.dumps([0, self._asked, command, parameters]).encode()
        self._stream.write(b"%d:%b" % (len(text), text))
        self._stream.flush()
        _, _, error, result = self._message()
        if error is not None:
            raise RuntimeError(f"{command}: {error['message']}")
        return result

    def _message(self) -> Any:
        digits = b""
        while (character := self._stream.read(1)) != b":":
            if not character:
                raise ConnectionError("Firefox has gone")
            digits += character
        return json.loads(self._stream.read(int(digits)))


@contextlib.contextmanager
def firefox() -> Iterator[Firefox]:
    """Run Firefox without a window, or skip where it is not installed."""
    if FIREFOX is None:
        pytest.skip("needs Debian's firefox-esr")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        lines = {**PREFERENCES, "marionette.port": port}.items()
        (Path(profile) / "user.js").write_text(
            "".join(f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in lines)
        )
        command = [FIREFOX, "--headless", "--marionette", "--no-remote", "--profile", profile]
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"HOME": profile, "PATH": "/usr/bin:/bin"},
        )
        try:
            with _connected(port, process) as connection:
                yield Firefox(connection)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _connected(port: int, process: subprocess.Popen[bytes]) -> socket.socket:
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        except OSError:
            if process.poll() is not None or time.monotonic() > give_up_at:
                raise
            time.sleep(0.05)
        else:
            return connection

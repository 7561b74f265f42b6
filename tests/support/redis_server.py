"""A real Redis, on any free port of loopback, with nothing kept on disk unless it is asked for."""

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass
class RedisServer:
    """A server that is ready."""

    process: "subprocess.Popen[bytes]"
    port: int

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def freeze(self) -> None:
        """Let it hold connections and answer nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def command(self, *words: str) -> str:
        """Return what ``redis-cli`` prints."""
        line = ["redis-cli", "-p", str(self.port), *words]
        return subprocess.run(line, check=True, capture_output=True, text=True, timeout=10).stdout


@contextlib.contextmanager
def redis_server(port: int | None = None, *more: str, folder: Path | None = None) -> Iterator[RedisServer]:
    """Run Debian's redis-server, or skip where it is not installed; what it holds is kept where there is a ``folder``."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("needs Debian's redis-server")
    if port is None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    kept = ["--appendonly", "no"] if folder is None else ["--appendonly", "yes", "--dir", str(folder)]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", *kept, *more]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        yield RedisServer(process, port)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate() if folder is not None else process.kill()  # what it was told last is on its way to disk
        process.wait(10)

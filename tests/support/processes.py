"""Real processes and servers for tests: the gate, an origin, a tracker; all on loopback, all ended with their test."""

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMAND = [str(Path(sys.executable).parent / "optout-gate")]
DEADLINE_S = 30.0


@dataclass
class Gate:
    """A gate process that is ready."""

    process: subprocess.Popen[str]
    address: tuple[str, int]
    admin: tuple[str, int]
    log: list[str]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it and return its exit code."""
        self.process.send_signal(how)
        return self.process.wait(DEADLINE_S)

    def wait_for_log(self, words: str) -> str:
        """Return the first line of its log with ``words``."""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            found = next((line for line in list(self.log) if words in line), None)
            if found is not None:
                return found
            time.sleep(0.02)
        raise TimeoutError(f"{words!r} is not in the log:\n{''.join(self.log)}")


@contextlib.contextmanager
def running_gate(*arguments: str, env: dict[str, str] | None = None) -> Iterator[Gate]:
    """Run ``optout-gate serve`` with ``arguments``; addresses are any free ones unless they say otherwise."""
    if "--listen" not in arguments:
        arguments = (*arguments, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    if "--drain-delay" not in arguments:  # no edge has to notice
        arguments = (*arguments, "--drain-delay", "0")
    environment = {**os.environ, **(env or {}), "PYTHONWARNINGS": "error::ResourceWarning"}
    process = subprocess.Popen(
        [*COMMAND, "serve", *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    log: list[str] = []
    reader = threading.Thread(target=_collect, args=(process, log), daemon=True)
    reader.start()
    gate = Gate(process, ("", 0), ("", 0), log)
    try:
        line = gate.wait_for_log("ready:")
        visitors, operators = re.findall(r"https?://\[?([\d.:]+?)\]?:(\d+)", line)
        gate.address, gate.admin = (visitors[0], int(visitors[1])), (operators[0], int(operators[1]))
        yield gate
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        reader.join(DEADLINE_S)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _collect(process: "subprocess.Popen[str]", log: list[str]) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        log.append(line)


def eventually(true: Callable[[], bool], *, seconds: float = 20.0) -> bool:
    """Return True as soon as ``true`` does, and False when it does not in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@dataclass(frozen=True)
class Seen:
    """A request as a server saw it."""

    line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Origin:
    """A website for tests: answers by path from a table, and remembers what it was asked.

    ``early`` are ``Link`` lines by path that it sends ahead, in a 103 response.
    """

    def __init__(self, pages: dict[str, tuple[int, list[tuple[str, str]], bytes]]) -> None:
        self.pages = pages
        self.early: dict[str, list[str]] = {}
        self.seen: list[Seen] = []
        origin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                origin.seen.append(Seen(self.requestline, tuple(self.headers.items()), self.rfile.read(length)))
                path = self.path.partition("?")[0]
                if path in origin.early:
                    self.send_response_only(103)
                    for link in origin.early[path]:
                        self.send_header("Link", link)
                    self.end_headers()
                status, headers, body = origin.pages.get(path, (404, [], b"no such page"))
                self.send_response_only(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = answer

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self) -> "Origin":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join(DEADLINE_S)


def exchange(address: tuple[str, int], request: bytes, *, timeout_s: float = 10.0) -> bytes:
    """Send raw bytes and return everything that comes back until the other side closes or falls silent."""
    with socket.create_connection(address, timeout_s) as client:
        client.sendall(request)
        out = b""
        while True:
            ready, _, _ = select.select([client], [], [], timeout_s)
            if not ready:
                return out
            chunk = client.recv(65536)
            if not chunk:
                return out
            out += chunk


def get(
    address: tuple[str, int], path: str, *lines: str, host: str = "shop.test", method: str = "GET"
) -> tuple[bytes, bytes]:
    """Return head and body of one request, on a connection of its own."""
    text = "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", *lines, "Connection: close", "", ""])
    head, _, body = exchange(address, text.encode("latin-1")).partition(b"\r\n\r\n")
    return head, body

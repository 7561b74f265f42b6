"""Everything that is measured side by side, each started with a configuration of its own in a temporary folder.

======================  ================================================================================================
nginx alone             the file from nginx itself: what the load generator can ask for at most
nginx proxy_pass        a proxy that changes nothing, as it is distributed
nginx, more buffers     the same with buffers that hold the whole page: the limit of any gate
nginx sub_filter        what an operator can do without a gate: replace the hosts of the page's trackers, as strings
mitmproxy               a scriptable proxy in reverse mode, with the gate's own core as its addon: the same rewriting
gate                    ``optout-gate serve`` with one worker
======================  ================================================================================================

Each is pinned to one core. The origin behind them is an nginx on the load generator's core.
"""

import contextlib
import http.client
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pages

ROOT = Path(__file__).resolve().parent.parent
GATE = Path(sys.executable).with_name("optout-gate")
MITMDUMP = ROOT / ".venv-mitmproxy/bin/mitmdump"
ADDON = ROOT / "addons/optout_gate_addon.py"

START_S = 30  # a cold start of mitmproxy on a busy machine takes ten


class CannotRun(Exception):
    """Something that the measurement needs is not there; the text says what and how to get it."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One server, running.

    Attributes:
        name: as the table has it.
        port: on loopback.
        pid: its first process.
        rewrites: it takes the denied vendors out for who sends the signal.
        log: what it printed.
    """

    name: str
    port: int
    pid: int
    rewrites: bool
    log: Path

    def get(self, path: str, *, signal: bool) -> tuple[int, bytes]:
        """Return status and body of one request.

        Raises:
            CannotRun: it does not answer.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_S)
        try:
            with contextlib.closing(connection):
                said = {"Sec-GPC": "1"} if signal else {}
                connection.request("GET", path, headers={"Host": "www.example.com", **said})  # pages may name it
                response = connection.getresponse()
                return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise CannotRun(f"{self.name} does not answer: {error}\n{_end_of(self.log)}") from None


@contextlib.contextmanager
def all_running(folder: Path, *, core: int, load_core: int) -> Iterator[list[Contender]]:
    """Yield every contender, started on ``core``, in the order of the table; they end with the context.

    Raises:
        CannotRun: something is not installed, or did not start.
    """
    _require()
    with contextlib.ExitStack() as stack:
        started: list[Contender] = []

        def start(
            name: str, command: Callable[[int], list[str]], *, on: int = core, rewrites: bool = False
        ) -> Contender:
            port = _free_port()
            log = folder / f"{name}.log"
            pid = stack.enter_context(_running(name, command(port), log, on, port))
            return Contender(name, port, pid, rewrites, log)

        origin = start("origin", lambda port: _nginx(folder / "origin", port, _FILES), on=load_core).port
        url = f"http://127.0.0.1:{origin}"
        started.append(start("nginx alone", lambda port: _nginx(folder / "alone", port, _FILES)))
        for name, kind, what in (
            ("nginx proxy_pass", "proxy", _PROXY),
            ("nginx, more buffers", "buffers", _MORE_BUFFERS + _PROXY),
        ):
            started.append(start(name, partial(_nginx, folder / kind, what=what, origin=origin)))
        sub_filter = partial(_nginx, folder / "sub", what=_MORE_BUFFERS + _SUB, origin=origin)
        started.append(start("nginx sub_filter", sub_filter, rewrites=True))
        started.append(start("mitmproxy", lambda port: _mitmproxy(folder, port, url), rewrites=True))
        started.append(start("gate", lambda port: _gate(port, url), rewrites=True))
        yield started


def _require() -> None:
    for command, package in (("nginx", "nginx-light"), ("wrk", "wrk"), ("taskset", "util-linux")):
        if shutil.which(command, path=_PATH) is None:
            raise CannotRun(f"{command} is not installed (sudo apt install {package})")
    if not MITMDUMP.exists() or not ADDON.exists():
        raise CannotRun(f"mitmproxy is not set up: no {MITMDUMP.relative_to(ROOT)} (scripts/setup-mitmproxy makes it)")


_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"

_CONFIGURATION = """
worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; types {{ }} default_type text/html;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port}; {what} }}
}}
"""
_FILES = "root {folder}/pages;"
_PROXY = "location / {{ proxy_pass http://origin; }}"
# Its own buffers hold 32 KB of a response; of a longer one the rest goes through a file unless there are more.
_MORE_BUFFERS = "proxy_buffers 32 8k; proxy_max_temp_file_size 0; "
# The usual way to choose by a header: an error that nobody else returns leads to the other location.
_SUB = (
    'location / {{ error_page 418 = @optout; if ($http_sec_gpc = "1") {{ return 418; }} proxy_pass http://origin; }}'
    "location @optout {{ proxy_pass http://origin; sub_filter_once off; "
    + " ".join(f'sub_filter "{host}" "optout-gate.invalid";' for host in (*pages.DENIED_HOSTS,))
    + " }}"
)


def _nginx(folder: Path, port: int, what: str, origin: int | None = None) -> list[str]:
    (folder / "pages").mkdir(parents=True)
    for size in pages.SIZES.values():
        (folder / "pages" / str(size)).write_bytes(pages.page(size))
    configuration = folder / "nginx.conf"
    text = _CONFIGURATION.format(folder=folder, port=port, origin=origin or port, what=what.format(folder=folder))
    configuration.write_text(text)
    return [shutil.which("nginx", path=_PATH) or "nginx", "-p", str(folder), "-c", str(configuration)]


def _mitmproxy(folder: Path, port: int, origin: str) -> list[str]:
    command = [str(MITMDUMP), "--quiet", "--set", f"confdir={folder}/mitmproxy", "--mode", f"reverse:{origin}"]
    command += ["--set", "keep_host_header=true"]
    return [*command, "--listen-host", "127.0.0.1", "--listen-port", str(port), "--scripts", str(ADDON)]


def _gate(port: int, origin: str) -> list[str]:
    addresses = ["--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{_free_port()}"]
    return [str(GATE), "serve", "--upstream", origin, *addresses, "--workers", "1"]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def _running(name: str, command: list[str], log: Path, core: int, port: int) -> Iterator[int]:
    """Yield the process of a command, once its port answers."""
    with log.open("wb") as output:
        process = subprocess.Popen(["taskset", "-c", str(core), *command], stdout=output, stderr=output)
    try:
        until = time.monotonic() + START_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None or time.monotonic() > until:
                raise CannotRun(f"{name} did not start:\n{_end_of(log)}")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def check(contenders: list[Contender]) -> None:
    """Make sure that each answers what it should, to who sends the signal and to who does not.

    Raises:
        CannotRun: one does not, so its figures would be about something else.
    """
    for size in pages.SIZES.values():
        page = pages.page(size)
        rewritten: dict[str, bytes] = {}
        for contender in contenders:
            for signal in (False, True):
                status, body = contender.get(f"/{size}", signal=signal)
                if problem := _problem(status, body, page, rewritten=signal and contender.rewrites):
                    words = "with" if signal else "without"
                    raise CannotRun(f"{contender.name} {words} the signal, page of {size:,} bytes: {problem}")
            rewritten[contender.name] = body
        if rewritten["gate"] != rewritten["mitmproxy"]:
            raise CannotRun(f"gate and mitmproxy do not send the same page of {size:,} bytes: not the same work")


def _problem(status: int, body: bytes, page: bytes, *, rewritten: bool) -> str | None:
    if status != 200:
        return f"status {status}"
    if not rewritten:
        return None if body == page else "the page does not come through as it is"
    left = [host for host in pages.DENIED_HOSTS if host.encode() in body]
    if left:
        return f"{', '.join(left)} left in the page"
    if abs(len(body) - len(page)) > 2_000 or body.count(b"<") - page.count(b"<") not in (0, 2, 4):
        return "more than the denied references is gone"  # the guard, in one element or two, may have come
    return None

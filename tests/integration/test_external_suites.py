"""Other people's suites, as differences: what a client sees of an origin directly, and what through the gate.

A gate is no cache and no better WebSocket server than the one behind it, so none of them is passed or failed as such.
Every one of them says by itself what it lacks when its program is not here.
"""

import asyncio
import contextlib
import csv
import io
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httplint.cli
import pytest
import websockets

from support.ports import free_port
from support.processes import DEADLINE_S, Gate, exchange, get, running_gate
from support.suites import SUITES, autobahn, cache_tests

SUITE_S = 120.0  # far above what any takes; a machine may be slow


def present(program: str, package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{package} is not installed (Debian: {package})")


@pytest.fixture(scope="module")
def behind() -> int:
    """Return the port of the origin, which each test starts anew; nobody is there between them."""
    return free_port()


@pytest.fixture(scope="module")
def gate(behind: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    file = tmp_path_factory.mktemp("suites") / "site.yaml"
    client = "{header_s: 4, body_idle_s: 4, send_idle_s: 4}"
    upstream = "{breaker_failures: 1000000, first_byte_s: 30}"
    file.write_text(
        f"version: 1\nsites: [{{upstream: 'http://127.0.0.1:{behind}'}}]\n"
        f"limits: {{client: {client}, upstream: {upstream}}}\n"
    )
    with running_gate("--config", str(file)) as running:
        yield running


# varnishtest: a client and a server on either side


CASES = sorted(SUITES.glob("*.vtc"))
GATE_ONLY = "# gate only"


@present("varnishtest", "varnish")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_client_and_server_understand_each_other(case: Path, gate: Gate, behind: int) -> None:
    ways = {"through the gate": gate.address[1]}
    if GATE_ONLY not in case.read_text():
        ways["directly"] = behind
    for way, port in ways.items():
        command = ["varnishtest", "-t", "30", f"-Dorigin=127.0.0.1:{behind}", f"-Dgate=127.0.0.1:{port}", str(case)]
        told = subprocess.run(command, capture_output=True, text=True, timeout=SUITE_S)
        assert told.returncode == 0, f"{way}:\n{told.stdout[-3000:]}"


# http-cache-tests


REFUSED = {
    "headers-store-Transfer-Encoding": "the origin says a coding of its own in Transfer-Encoding: 502, not passed on",
}
"""Where the gate's answer differs on purpose, beside all cases in which the origin breaks the connection or its framing."""


@pytest.mark.skipif(not (shutil.which("node") and shutil.which("npm")), reason="Node.js and npm are not installed")
def test_a_cache_behind_the_gate_sees_what_one_at_the_origin_sees(gate: Gate, behind: int, tmp_path: Path) -> None:
    try:
        package = cache_tests()
    except OSError as error:
        pytest.skip(f"http-cache-tests cannot be had: {error}")
    settings = {"port": str(behind), "protocol": "http", "pidfile": str(tmp_path / "pid")}
    environment = os.environ | {f"npm_config_{name}": value for name, value in settings.items()}
    server = subprocess.Popen(
        ["node", "--no-warnings", "server/server.mjs"], cwd=package, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + DEADLINE_S
        while not get(gate.address, "/", host=f"localhost:{behind}")[0].startswith(b"HTTP/1.1 2"):
            assert time.monotonic() < until and server.poll() is None
            time.sleep(0.05)
        different = differences(package, behind, gate.address[1])
        if different:  # a loaded machine breaks a connection here and there: what is different again is different
            again = differences(package, behind, gate.address[1])
            different = {name: results for name, results in different.items() if name in again}
    finally:
        server.terminate()
        server.wait(DEADLINE_S)
    assert not different


def differences(package: Path, behind: int, before: int) -> dict[str, tuple[object, object]]:
    """Return what a client saw of the origin and through the gate, by name, where both are not the same."""
    command = ["node", "--no-warnings", str(SUITES / "cache-tests.mjs"), str(package)]
    runs = [
        subprocess.Popen([*command, f"http://127.0.0.1:{port}"], stdout=subprocess.PIPE) for port in (behind, before)
    ]
    directly, through = (json.loads(run.communicate(timeout=SUITE_S)[0]) for run in runs)
    assert len(directly) > 300 and directly.keys() == through.keys()
    # Where the origin hangs up or sends more than it said, a client alone sees an error and ours a 502.
    broken = {name for name, result in directly.items() if result is not True and result[0] == "FetchError"}
    assert len(broken) < len(directly) / 2
    return {
        name: (result, through[name])
        for name, result in directly.items()
        if result != through[name] and name not in broken | REFUSED.keys()
    }


# slowhttptest


DOWNLOAD = bytes(16 * 1024 * 1024)  # more than the gate, the kernel and a client that does not read hold together


@contextlib.contextmanager
def waiting_for_bodies(port: int) -> Iterator[None]:
    """Run an origin that answers a GET at once, one for ``/large`` at length, and a POST when all of its body is there."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            body = DOWNLOAD if self.path == "/large" else b""
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # the gate gives up on who does not read, and so on us
                self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield
        server.shutdown()
        thread.join(DEADLINE_S)


@present("slowhttptest", "slowhttptest")
@pytest.mark.parametrize(
    ("attack", "path"),
    [
        pytest.param(["-H", "-i", "10"], "/", id="slow-headers"),  # -i: longer than the gate waits
        pytest.param(["-B", "-i", "10"], "/", id="slow-body"),
        pytest.param(["-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "512"], "/large", id="slow-reading"),
    ],
)
def test_slow_attackers_are_all_gone_in_time_and_nobody_else_is_kept_out(
    attack: list[str], path: str, gate: Gate, behind: int, tmp_path: Path
) -> None:
    out = tmp_path / "slow"
    url = f"http://127.0.0.1:{gate.address[1]}{path}"
    shape = ["-c", "60", "-r", "60", "-l", "30", "-p", "5", "-u", url]
    with waiting_for_bodies(behind):
        told = subprocess.run(
            ["slowhttptest", *attack, *shape, "-g", "-o", str(out)], capture_output=True, text=True, timeout=SUITE_S
        )
    assert "No open connections left" in told.stdout, told.stdout[-1000:]
    with out.with_suffix(".csv").open() as table:
        seconds = list(csv.DictReader(table))
    assert max(int(second["Connected"]) for second in seconds) > 30  # they did hang on
    assert all(int(second["Service Available"]) > 0 for second in seconds)


# httplint


OWN = (
    "/_optout/preferences",
    "/_optout/status",
    "/_optout/guard.js",
    "/_optout/mirror.js",
    "/_optout/s/generic.js",
    "/_optout/nowhere",
    "/anything",  # the origin is not there: a 502 of the gate's own
)
MEANT = {
    "Cache-Control: public is probably not necessary.",  # a site behind a password asks with Authorization
    "This resource varies in 4 ways.",  # a stand-in: behind a service worker nothing less tells a script from a picture
}


@pytest.mark.parametrize("path", OWN)
@pytest.mark.parametrize("signal", [(), ("Sec-GPC: 1",)], ids=["silent", "opted-out"])
def test_the_gates_own_answers_are_sound_to_a_linter(
    path: str, signal: tuple[str, ...], gate: Gate, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = "".join(f"{line}\r\n" for line in ("Host: shop.test", *signal, "Connection: close"))
    answer = exchange(gate.address, f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(answer)))
    monkeypatch.setattr(sys, "argv", ["httplint", "--now"])
    httplint.cli.main()
    told = capsys.readouterr().out
    assert "### " in told
    found = re.findall(r"\* \[(?:WARN|BAD)\] (.*)", told)
    assert [each for each in found if each not in MEANT] == []


# Autobahn


AUTOBAHN_CASES = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.1.*", "6.2.*", "6.3.*", "7.*", "10.*"]
GOOD = ("OK", "INFORMATIONAL", "NON-STRICT")
"""As the specification has it. What was sent before a violation may or may not come back before the close that answers
it: NON-STRICT, and a matter of moments."""


@contextlib.contextmanager
def echoing(port: int) -> Iterator[None]:
    """Run a WebSocket server that sends back what it hears."""

    async def echo(client: websockets.ServerConnection) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            async for message in client:
                await client.send(message)

    async def serve() -> None:
        async with websockets.serve(echo, "127.0.0.1", port, max_size=None, compression=None):
            ready.set()
            while not stop.is_set():
                await asyncio.sleep(0.05)

    ready, stop = threading.Event(), threading.Event()
    logging.getLogger("websockets.server").setLevel(logging.CRITICAL)  # it tells every violation it is sent
    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(DEADLINE_S)
    try:
        yield
    finally:
        stop.set()
        thread.join(DEADLINE_S)


def test_a_websocket_through_the_gate_is_as_good_as_the_origins(gate: Gate, behind: int, tmp_path: Path) -> None:
    try:
        command = autobahn()
    except OSError as error:
        pytest.skip(f"Autobahn cannot be had: {error}")
    ways = {"directly": behind, "through": gate.address[1]}
    servers = [{"agent": way, "url": f"ws://127.0.0.1:{port}"} for way, port in ways.items()]
    plan: dict[str, object] = {"outdir": str(tmp_path / "out"), "servers": servers, "cases": AUTOBAHN_CASES}
    plan |= {"exclude-cases": [], "exclude-agent-cases": {}}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    with echoing(behind):
        told = subprocess.run(
            [*command, "-s", str(tmp_path / "plan.json")], capture_output=True, cwd=tmp_path, timeout=SUITE_S
        )
    assert told.returncode == 0, told.stderr[-1000:]
    assert "Traceback" not in "".join(gate.log)  # whoever sends bad frames would fill the log
    results = json.loads((tmp_path / "out" / "index.json").read_text())
    directly, through = results["directly"], results["through"]
    assert len(directly) > 100 and directly.keys() == through.keys()
    worse = {
        f"{case}, {what}": (result[what], through[case][what])
        for case, result in directly.items()
        for what in ("behavior", "behaviorClose")
        if result[what] in GOOD and through[case][what] not in GOOD
    }
    assert not worse

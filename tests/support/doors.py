"""The gate's doors, each opened to the same exchanges: what the visitor got, what the origin got, what was reported.

The proxy and the addon are reached through sockets (uvicorn with the gate's own protocol class; a real mitmdump in its
own environment), before an origin that answers to the byte as the table says. The middleware is called as servers do.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optout_gate.errors import RewriteError
from optout_gate.exchange import Exchange
from optout_gate.gate import Gate
from optout_gate.http import Headers
from optout_gate.middleware import OptOutGateMiddleware
from optout_gate.policy.load import Loaded, load_file
from optout_gate.proxy.app import ProxyApp
from optout_gate.proxy.protocol import ServerLimits, gate_protocol
from optout_gate.proxy.settings import bind
from optout_gate.proxy.visitors import running_server
from optout_gate.report import Report
from optout_gate.telemetry.metrics import Metrics
from support.asgi_server import exchange
from support.exchanges import SITE, Case
from support.ports import free_port

ROOT = Path(__file__).parents[2]
LOCK = ROOT / ".cache" / "mitmproxy.lock"
CASE = b"x-case"  # the request field by which the origin knows what to answer
TIMEOUT_S = 20.0
START_S = 60.0  # for a process to come to listen, on a busy machine


@dataclass(frozen=True, slots=True)
class Passed:
    """One exchange as it went through one door.

    Attributes:
        status: that the visitor got.
        headers: likewise, header lines in order.
        body: likewise, framing taken off.
        complete: its framing said that it is whole.
        at_origin: the header lines the origin got, framing fields included.
        target: the request target the origin got; None where it got no request.
        posted: the request's body that the origin got.
        report: outcome, signal and removals, as the door reports them.
    """

    status: int
    headers: Headers
    body: bytes
    complete: bool
    at_origin: Headers
    target: bytes | None
    posted: bytes
    report: dict[str, Any]


Seen = tuple[bytes | None, bytes, Headers]
"""What the origin got: target, body, header lines."""
NOTHING: Seen = (None, b"", Headers())


def summary(report: Report) -> dict[str, Any]:
    """Return what of a report has to be the same through every door."""
    removals = sorted([*key, count] for key, count in report.taken_out.counts.items())
    return {
        "outcome": report.outcome.value,
        "signal": report.decision.signal,
        "error": report.error,
        "removals": removals,
    }


class Origin:
    """A web server that answers each request as the case that its ``X-Case`` field names says, byte for byte."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self._cases = cases
        self.seen: dict[int, Seen] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                line, headers = await read_head(reader)
                number = int(headers.first(CASE) or b"")
                body = await read_body(reader, headers) if b"content-length" in headers or chunked(headers) else b""
                self.seen[number] = (line.split(b" ")[1], body, headers)
                await self._answer(self._cases[number], writer)
        writer.close()

    async def _answer(self, case: Case, writer: asyncio.StreamWriter) -> None:
        declared = any(name.lower() == b"content-length" for name, _ in case.response)
        chunked = case.has_body and not declared
        lines = [b"HTTP/1.1 %d OK" % case.status, *(b"%b: %b" % pair for pair in case.response)]
        if chunked:
            lines.append(b"Transfer-Encoding: chunked")
        writer.write(b"\r\n".join(lines) + b"\r\n\r\n")
        for piece in case.pieces if case.has_body else ():
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            await writer.drain()
        if chunked:
            writer.write(b"0\r\n\r\n")
        await writer.drain()


async def read_head(reader: asyncio.StreamReader) -> tuple[bytes, Headers]:
    """Return the first line and the header lines of a message."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
    pairs = [line.partition(b":") for line in lines]
    return first, Headers((name, value.strip(b" \t")) for name, _, value in pairs)


def chunked(headers: Headers) -> bool:
    """Return True for a message whose body comes in chunks."""
    return b"chunked" in headers.members(b"transfer-encoding")


async def read_body(reader: asyncio.StreamReader, headers: Headers) -> bytes:
    """Return a message's body as its framing says; without any, all until the connection closes.

    Raises:
        IncompleteReadError: the connection closed before; ``partial`` is what had come.
    """
    if b"content-length" in headers:
        return await reader.readexactly(int(headers.first(b"content-length") or b""))
    if not chunked(headers):
        return await reader.read()
    body = b""
    try:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
    except asyncio.IncompleteReadError as error:
        raise asyncio.IncompleteReadError(body + error.partial, None) from None
    return body


async def ask(port: int, case: Case, number: int) -> tuple[int, Headers, bytes, bool]:
    """Return status, header lines, body, and whether it is complete, of one request to loopback."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [b"%b %b HTTP/1.1" % (case.method.encode(), case.target), *(b"%b: %b" % pair for pair in case.request)]
    writer.write(b"\r\n".join([*lines, CASE + b": %d" % number]) + b"\r\n\r\n")
    for piece in case.post or ():
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if case.chunked else piece)
        await writer.drain()
    if case.chunked:
        writer.write(b"0\r\n\r\n")
    first, headers = await read_head(reader)
    body, complete = b"", True
    try:
        if case.has_body and int(first.split(b" ")[1]) != 204:  # a beacon's answer, whatever the origin would say
            body = await read_body(reader, headers)
    except (asyncio.IncompleteReadError, ConnectionResetError) as error:
        body += error.partial if isinstance(error, asyncio.IncompleteReadError) else b""
        complete = False
    writer.close()
    return int(first.split(b" ")[1]), headers, body, complete


@contextlib.asynccontextmanager
async def origin(cases: Sequence[Case]) -> AsyncIterator[tuple[Origin, int]]:
    """Serve the table's answers; yield the origin and its port."""
    site = Origin(cases)
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0, limit=1 << 20)
    async with server:
        yield site, server.sockets[0].getsockname()[1]


async def through_proxy(cases: Sequence[Case]) -> list[Passed]:
    """Return the exchanges as they go through the reverse proxy."""
    async with origin(cases) as (site, port):
        loaded = load_file(SITE)
        sites = tuple(each.model_copy(update={"upstream": f"http://127.0.0.1:{port}"}) for each in loaded.config.sites)
        config = loaded.config.model_copy(update={"sites": sites})
        gate = Gate(Loaded(config, loaded.catalog, loaded.filter_lists, loaded.file), clock=time.perf_counter)
        app = _Kept(gate, Metrics())
        listener = bind("127.0.0.1:0", "")
        server = running_server(app, http=gate_protocol(ServerLimits()), lifespan="on")
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            out = []
            for number, case in enumerate(cases):
                got = await asyncio.wait_for(ask(listener.getsockname()[1], case, number), TIMEOUT_S)
                while len(app.reports) <= number:
                    await asyncio.sleep(0.001)
                out.append(_passed(got, site.seen.get(number, NOTHING), summary(app.reports[number])))
            return out
        finally:
            server.should_exit = True
            await task


def _passed(got: tuple[int, Headers, bytes, bool], seen: Seen, report: dict[str, Any]) -> Passed:
    target, posted, at_origin = seen
    return Passed(*got, at_origin, target, posted, report)


class _Kept(ProxyApp):
    def __init__(self, gate: Gate, metrics: Metrics) -> None:
        super().__init__(gate, metrics)
        self.reports: list[Report] = []

    def over(self, exchange: Exchange, *, status: int, begun: float) -> None:
        self.reports.append(exchange.report)
        super().over(exchange, status=status, begun=begun)


async def through_middleware(cases: Sequence[Case]) -> list[Passed]:
    """Return the exchanges as they go through the middleware."""
    reports: list[Report] = []
    current: list[Case] = []
    got_there: list[Seen] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        (case,) = current
        posted, more = b"", True
        while more:
            message = await receive()
            posted += message.get("body", b"")
            more = message.get("more_body", False)
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        got_there.append((target, posted, Headers(scope["headers"])))
        lines = [(name.lower(), value) for name, value in case.response]
        await send({"type": "http.response.start", "status": case.status, "headers": lines})
        for piece in case.pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    middleware = OptOutGateMiddleware(app, SITE, on_report=reports.append)
    out = []
    for case in cases:
        current[:], got_there[:] = [case], []
        seen = await exchange(middleware, _scope(case), pieces=case.post or (b"",))
        if seen.failure is not None and not isinstance(seen.failure, RewriteError):
            raise seen.failure
        body = seen.body if case.has_body else b""
        got = (seen.status, seen.headers, body, seen.is_complete)
        out.append(_passed(got, got_there[0] if got_there else NOTHING, summary(reports[-1])))
    return out


def _scope(case: Case) -> dict[str, Any]:
    path, _, query = case.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": case.method,
        "scheme": "http",
        "path": path.decode(),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [(name.lower(), value.strip(b" \t")) for name, value in case.request],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
    }


async def through_addon(cases: Sequence[Case], folder: Path, *options: str) -> list[Passed]:
    """Return the exchanges as they go through a real mitmdump with the addon; ``folder`` is for its files."""
    async with origin(cases) as (site, port):
        reports = folder / "reports.jsonl"
        arguments = [
            f"--mode=reverse:http://127.0.0.1:{port}",
            "-s", str(ROOT / "addons" / "optout_gate_addon.py"),
            "-s", str(ROOT / "tests" / "support" / "mitm_report_tap.py"),
            "--set", "keep_host_header=true",
            "--set", f"optout_config={SITE}",
            "--set", f"tap_file={reports}",
            *options,
        ]  # fmt: skip
        async with mitmdump(folder, *arguments) as entrance:
            got = [await asyncio.wait_for(ask(entrance, case, number), TIMEOUT_S) for number, case in enumerate(cases)]
            while not reports.exists() or reports.read_text("utf-8").count("\n") < len(cases):
                await asyncio.sleep(0.05)
        told = {each["case"]: each for each in map(json.loads, reports.read_text("utf-8").splitlines())}
        out = []
        for number, each in enumerate(got):
            out.append(_passed(each, site.seen.get(number, NOTHING), told[number]["report"]))
        return out


@contextlib.asynccontextmanager
async def mitmdump(folder: Path, *arguments: str) -> AsyncIterator[int]:
    """Run a real mitmdump from its own environment on loopback; yield its port.

    Raises:
        AssertionError: it does not start; the text is what it printed.
    """
    port = free_port()
    command = [str(mitmproxy_environment() / "bin" / "mitmdump"), f"--listen-port={port}", "--listen-host=127.0.0.1"]
    command += ["--set", f"confdir={folder / 'conf'}", *arguments]
    async with listening(port, command, folder / "mitmdump.log", dict(os.environ)):
        yield port


@contextlib.asynccontextmanager
async def listening(port: int, command: Sequence[str], log: Path, environment: dict[str, str]) -> AsyncIterator[None]:
    """Run a server until the block is left, which begins once it listens on ``port``.

    Raises:
        AssertionError: it does not come to listen; the text is its log.
    """
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=environment
        )
        try:
            deadline = time.monotonic() + START_S
            while not await asyncio.to_thread(_listens, port):
                if process.returncode is not None or time.monotonic() > deadline:
                    raise AssertionError(f"{command[0]} did not start:\n{log.read_text('utf-8')}")
                await asyncio.sleep(0.1)
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def mitmproxy_environment(python: str | None = None) -> Path:
    """Return the environment that mitmproxy lives in; it is made on first use. ``python`` names another interpreter."""
    venv = ROOT / (".venv-mitmproxy" + (f"-{python.removeprefix('python')}" if python else ""))
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process of this run may be making it
        if not (venv / ".ready").exists():
            choice = {"PYTHON": python} if python else {}
            subprocess.run([ROOT / "scripts" / "setup-mitmproxy", venv], check=True, env={**os.environ, **choice})
    return venv

"""Requests per second, and processor time per request, through uvicorn with each upstream client.

    python bench/upstream_clients.py [--seconds 5] [--rounds 3] [--core 0]

A minimal ASGI application does nothing but ask the origin (nginx on loopback, on another core) and pass the response
on, so what differs is the client alone: the lean one also without and with the gate's own protocol class. Needs nginx
and wrk (``scripts/debian-packages bench``). The figures in ``docs/decisions/0002-upstream-client.md`` are from here.
The best round counts: whatever else runs on the machine only ever makes one slower. Processor time suffers less from
it than requests per second.
"""

import argparse
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn
import yarl

from optout_gate.http import Headers
from optout_gate.proxy.protocol import ServerLimits, gate_protocol
from optout_gate.proxy.upstream import Upstream, UpstreamAddress

SIZES = {"30 KB": 30_000, "119 KB": 119_000}
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Any, Send], Awaitable[None]]
HOP_BY_HOP = (b"connection", b"keep-alive", b"transfer-encoding")


def lean(origin: str) -> Application:
    upstream = Upstream(UpstreamAddress.parse(origin))

    async def application(scope: MutableMapping[str, Any], receive: Any, send: Send) -> None:
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        response = await upstream.send(scope["method"], target, Headers(scope["headers"]), None)
        headers = response.headers.without(HOP_BY_HOP)
        await send({"type": "http.response.start", "status": response.status, "headers": headers.pairs})
        while not response.ended:
            chunk = await response.read()
            await send({"type": "http.response.body", "body": chunk, "more_body": not response.ended})

    return application


def with_aiohttp(origin: str) -> Application:
    session: aiohttp.ClientSession | None = None

    async def application(scope: MutableMapping[str, Any], receive: Any, send: Send) -> None:
        nonlocal session
        if session is None:  # everything that a gate must switch off is off, and every cost it can spare is spared
            session = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                timeout=aiohttp.ClientTimeout(total=None, connect=5, sock_read=60),
            )
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        url = yarl.URL(origin + target.decode("latin-1"), encoded=True)
        pairs = [(n.decode("latin-1"), v.decode("utf-8", "surrogateescape")) for n, v in scope["headers"]]
        async with session.request(scope["method"], url, headers=pairs, allow_redirects=False) as response:
            headers = [pair for pair in response.raw_headers if pair[0].lower() not in HOP_BY_HOP]
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            async for chunk in response.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body"})

    return application


def alone(origin: str) -> Application:
    pages = {f"/{size}": b"x" * size for size in SIZES.values()}

    async def application(scope: MutableMapping[str, Any], receive: Any, send: Send) -> None:
        page = pages[scope["path"]]
        headers = [(b"content-type", b"text/html"), (b"content-length", b"%d" % len(page))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": page})

    return application


APPLICATIONS: dict[str, tuple[Callable[[str], Application], bool]] = {
    "lean": (lean, False),
    "aiohttp": (with_aiohttp, False),
    "no client": (alone, False),  # answers by itself: what uvicorn costs
    "lean, gate protocol": (lean, True),
    "no client, gate protocol": (alone, True),
}


def serve(client: str, origin: str, port: int) -> None:
    """Run one of the applications; this file starts itself for it."""
    application, gate = APPLICATIONS[client]
    config = uvicorn.Config(
        application(origin),
        port=port,
        http=gate_protocol(ServerLimits()) if gate else "httptools",
        loop="uvloop",
        access_log=False,
        log_level="warning",
        lifespan="off",
        date_header=False,
        proxy_headers=False,
        server_header=False,
    )
    uvicorn.Server(config).run()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


NGINX = """
worker_processes 1; worker_cpu_affinity {mask}; daemon off; pid {root}/pid; error_log {root}/error.log crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; sendfile on; tcp_nopush on; default_type text/html;
  client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3; uwsgi_temp_path {root}/t4;
  scgi_temp_path {root}/t5;
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 100; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port}; {what} }}
}}
"""


@contextlib.contextmanager
def running(command: list[str], core: int | None, port: int) -> Iterator[int]:
    pin = (lambda: os.sched_setaffinity(0, {core})) if core is not None else None
    process = subprocess.Popen(command, preexec_fn=pin)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        else:
            raise SystemExit(f"did not start: {' '.join(command)}")
        yield process.pid
    finally:
        process.terminate()
        process.wait(10)


FILES = "root {root}/pages;"
PROXY = 'location / {{ proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; }}'


@contextlib.contextmanager
def nginx(root: Path, core: int, origin: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield port and process of an nginx that serves the pages, or is a proxy in front of the port ``origin``."""
    binary = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    if binary is None:
        raise SystemExit("nginx is not installed")
    (root / "pages").mkdir(parents=True)
    for size in SIZES.values():
        (root / "pages" / str(size)).write_bytes(b"x" * size)
    root.chmod(0o755)
    port = free_port()
    what = (PROXY if origin else FILES).format(root=root)
    configuration = root / "nginx.conf"
    configuration.write_text(
        NGINX.format(root=root, origin=origin or port, port=port, what=what, mask=bin(1 << core)[2:])
    )
    with running([binary, "-c", str(configuration)], core, port) as process:
        yield port, process


def load(port: int, size: int, seconds: int, core: int) -> float:
    """Return requests per second as wrk counts them."""
    command = ["taskset", "-c", str(core), "wrk", "-t1", "-c32", f"-d{seconds}s", f"http://127.0.0.1:{port}/{size}"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise SystemExit(f"failed requests:\n{text}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert found is not None, text
    return float(found[1])


def processor_s(process: int) -> float:
    """Return the processor time that ``process`` and its children have used."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = status.read_text().rpartition(") ")[2].split()
            if status.parent.name == str(process) or fields[1] == str(process):
                total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--serve", nargs=3, metavar=("CLIENT", "ORIGIN", "PORT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        client, origin, port = arguments.serve
        serve(client, origin, int(port))
        return
    core = arguments.core
    other = next((c for c in sorted(os.sched_getaffinity(0)) if c != core), core)
    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        root.chmod(0o755)
        origin_port, _ = stack.enter_context(nginx(root / "origin", other))
        servers = {"nginx proxy_pass": stack.enter_context(nginx(root / "proxy", core, origin_port))}
        for client in APPLICATIONS:
            port = free_port()
            command = [sys.executable, __file__, "--serve", client, f"http://127.0.0.1:{origin_port}", str(port)]
            servers[client] = (port, stack.enter_context(running(command, core, port)))
        print(f"best of {arguments.rounds} rounds of {arguments.seconds} s, 32 connections, one core")
        for name, size in SIZES.items():
            rates: dict[str, list[float]] = {kind: [] for kind in servers}
            costs: dict[str, list[float]] = {kind: [] for kind in servers}
            for _ in range(arguments.rounds):  # in turns, so that a slow minute of the machine hits all alike
                for kind, (port, process) in servers.items():
                    before = processor_s(process)
                    rate = load(port, size, arguments.seconds, other)
                    rates[kind].append(rate)
                    costs[kind].append((processor_s(process) - before) / (rate * arguments.seconds) * 1e6)
            aiohttp_cost = min(costs["aiohttp"])
            print(f"\n{name:<26}{'requests/s':>12}{'µs CPU each':>14}{'of aiohttp':>12}")
            for kind in servers:
                cost = min(costs[kind])
                print(f"{kind:<26}{max(rates[kind]):>12,.0f}{cost:>14.1f}{aiohttp_cost / cost:>11.2f}x")


if __name__ == "__main__":
    main()

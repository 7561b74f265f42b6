"""The whole way of a request: sockets, a gate's own process, and several kinds of origins behind it.

What single parts promise is tested beside them; ``docs/http.md`` has the list. Here is what only the whole can show.
"""

import asyncio
import contextlib
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from optout_gate.proxy import forwarding
from support.edge import read_body
from support.ports import free_port
from support.processes import DEADLINE_S, Gate, exchange, get, running_gate

LOADER = b'<img src="https://www.googletagmanager.com/a.gif">'
BIG = b"<!doctype html>" + (LOADER + b"<p>" + b"word " * 30 + b"</p>\n") * 50_000  # 11 MB
ENDLESS = "/endless"


class Application:
    """An origin as an ASGI application: tells what it was sent, or sends what is large."""

    def __init__(self) -> None:
        self.targets: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.targets.append(scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b""))
        body = await read_body(receive)
        kind, out = b"application/json", told(scope["method"], self.targets[-1], scope["headers"], body)
        if scope["path"] == "/big":
            kind, out = b"text/html", BIG
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(out))]
        if scope["path"] == ENDLESS:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
            gone = asyncio.ensure_future(receive())
            while not gone.done():
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
                await asyncio.sleep(0)
            return
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": out})


def told(method: str, target: bytes, headers: Any, body: bytes) -> bytes:
    """Return what an origin was sent, in a form that is the same for all; the forwarding fields name the gate's peer."""
    lines = sorted([name.decode("latin-1").lower(), value.decode("latin-1")] for name, value in headers)
    said = {"method": method, "target": target.decode("latin-1"), "headers": lines, "body": body.decode("latin-1")}
    return json.dumps(said, sort_keys=True).encode()


NODE = """
const http = require('http')
http.createServer((request, response) => {
  const body = []
  request.on('data', (piece) => body.push(piece)).on('end', () => {
    const headers = []
    for (let i = 0; i < request.rawHeaders.length; i += 2) {
      headers.push([request.rawHeaders[i].toLowerCase(), request.rawHeaders[i + 1]])
    }
    const said = { method: request.method, target: request.url, headers, body: Buffer.concat(body).toString('latin1') }
    response.setHeader('Content-Type', 'application/json')
    response.end(JSON.stringify(said))
  })
}).listen(Number(process.argv[1]), '127.0.0.1')
"""


@contextlib.contextmanager
def uvicorn_with(parser: str, application: Application) -> Iterator[int]:
    config = uvicorn.Config(application, port=0, http=parser, lifespan="off", log_config=None, ws="none")
    server = uvicorn.Server(config)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    until = time.monotonic() + DEADLINE_S
    while not server.started:
        assert time.monotonic() < until
        time.sleep(0.01)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        thread.join(DEADLINE_S)
        listener.close()


@contextlib.contextmanager
def node() -> Iterator[int | None]:
    """Run Node's server, where Node is."""
    program = shutil.which("node")
    if program is None:
        yield None
        return
    port = free_port()
    process = subprocess.Popen([program, "-e", NODE, str(port)])
    try:
        until = time.monotonic() + DEADLINE_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert time.monotonic() < until and process.poll() is None
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(DEADLINE_S)


@pytest.fixture(scope="module")
def application() -> Application:
    return Application()


@pytest.fixture(scope="module")
def gate(application: Application, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with uvicorn_with("h11", application) as h11, uvicorn_with("httptools", application) as httptools, node() as nodes:
        ports = {"h11": h11, "httptools": httptools, "node": nodes, "nobody": free_port()}
        sites = "\n".join(
            f"  - {{hosts: [{name}.test], upstream: 'http://127.0.0.1:{port}'}}" for name, port in ports.items() if port
        )
        file = tmp_path_factory.mktemp("whole") / "site.yaml"
        file.write_text(f"version: 1\nsites:\n{sites}\n")
        with running_gate("--config", str(file)) as running:
            yield running


ODD = (
    b"POST /a%%2Fb%%7e/../c?x=%%2f&z=[1] HTTP/1.1\r\nHost: %b.test\r\nX-Twice: 1\r\nx-twice: 2\r\nX-Empty:\r\nSec-GPC: 1\r\n"
    b"Cookie: a=b; c=d\r\nTE: trailers\r\nTrailer: X-Late\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n"
    b"Connection: close, X-Hop\r\nX-Hop: 1\r\n\r\n4;ext=1\r\nbo\xff\0\r\n1\r\ny\r\n0\r\nX-Late: 1\r\nSec-GPC: 0\r\n\r\n"
)


def test_origins_of_every_kind_are_sent_one_and_the_same_request(gate: Gate) -> None:
    names = [b"h11", b"httptools", *([b"node"] if shutil.which("node") else [])]
    read = []
    for name in names:
        answer = exchange(gate.address, ODD % name)
        said = json.loads(answer[answer.index(b"{") : answer.rindex(b"}") + 1])
        said["headers"] = sorted([field, value.replace(name.decode(), "NAME")] for field, value in said["headers"])
        read.append(said)
    first = read[0]
    assert all(each == first for each in read[1:])
    assert (first["method"], first["target"], first["body"]) == ("POST", "/a%2Fb%7e/../c?x=%2f&z=[1]", "bo\xff\0y")
    fields = [field for field, _ in first["headers"]]
    assert fields.count("x-twice") == 2 and fields.count("sec-gpc") == 1 and "x-empty" in fields
    assert not {"te", "trailer", "expect", "upgrade", "x-hop", "x-late"} & set(fields)


@pytest.mark.parametrize(
    "target",
    [
        "//evil.test/x", "/\\evil.test", "/..%2f..%2fevil.test", "/@evil.test/", "/%2e%2e//evil.test", "/http://evil.test/",
        "/x?url=http://evil.test/", "/;@evil.test:80/", "/%09//evil.test", "///evil.test",
    ],
)  # fmt: skip
def test_no_target_leads_anywhere_but_to_the_origin_of_the_configuration(
    target: str, gate: Gate, application: Application
) -> None:
    application.targets.clear()
    head, _ = get(gate.address, target, host="h11.test")
    assert head.startswith(b"HTTP/1.1 200") and application.targets == [target.encode()]


def test_nobody_is_told_to_go_on_while_the_origin_is_not_there(gate: Gate) -> None:
    request = b"POST / HTTP/1.1\r\nHost: nobody.test\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    answer = exchange(gate.address, request, timeout_s=DEADLINE_S)
    assert answer.startswith(b"HTTP/1.1 502") and b"100 Continue" not in answer


def test_a_gate_before_itself_ends_the_loop() -> None:
    port = free_port()
    addresses = ["--listen", f"127.0.0.1:{port}", "--admin", "127.0.0.1:0"]
    with running_gate("--upstream", f"http://127.0.0.1:{port}", *addresses) as gate:
        head, _ = get(gate.address, "/", "Sec-GPC: 1")
        assert head.startswith(b"HTTP/1.1 508") and b"\r\nOptout-Gate: nothing_to_do;" in head
        metrics = get(gate.admin, "/metrics")[1].decode()
        assert 'optout_gate_refused_requests_total{reason="loop"} 1.0' in metrics
        passes = forwarding.MAX_HOPS + 1  # each of them has one outcome, the refused one too
        assert f'{{decision="nothing_to_do",signal="gpc",site="*"}} {float(passes)}\n' in metrics


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux, which tells a process's memory")
def test_who_reads_slowly_or_not_at_all_costs_no_memory(gate: Gate) -> None:
    get(gate.address, "/", host="h11.test")
    before = resident_bytes(gate.process.pid)
    clients = [socket.create_connection(gate.address, DEADLINE_S) for _ in range(20)]
    for number, client in enumerate(clients):
        signal = "Sec-GPC: 1\r\n" if number % 2 else ""
        client.sendall(f"GET {ENDLESS} HTTP/1.1\r\nHost: httptools.test\r\n{signal}\r\n".encode())
    for client in clients:  # some of it is read, so that it runs, and then no more
        taken = 0
        while taken < 4_000_000:
            taken += len(client.recv(1 << 20))
    grown = resident_bytes(gate.process.pid) - before
    for client in clients:
        client.close()
    assert grown < 20_000_000, f"{grown:,} bytes for 20 clients"


def test_others_are_answered_while_a_large_page_is_rewritten(gate: Gate) -> None:
    """11 MB with a tracker in every line: the loop is left alone between its pieces."""
    over = threading.Event()
    begun = threading.Event()
    size = [0]

    def read() -> None:
        with socket.create_connection(gate.address, DEADLINE_S) as client:
            client.sendall(b"GET /big HTTP/1.1\r\nHost: httptools.test\r\nSec-GPC: 1\r\nConnection: close\r\n\r\n")
            while piece := client.recv(1 << 20):
                assert b"googletagmanager" not in piece
                size[0] += len(piece)
                begun.set()
        over.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert begun.wait(DEADLINE_S)
    head, _ = get(gate.address, "/", host="h11.test")
    assert head.startswith(b"HTTP/1.1 200") and not over.is_set()
    assert over.wait(4 * DEADLINE_S)
    reader.join(DEADLINE_S)
    assert size[0] > len(BIG) / 2

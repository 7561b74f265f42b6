"""The addon in real processes of mitmproxy: every mode, HTTP/2, TLS with a CA of its own, WebSocket, the command.

That it does to a page what the proxy does is tests/conformance/test_doors.py's to show; here a page only has to come
clean by every way into mitmproxy. What needs no process is in tests/mitm_addon, and is run here in mitmproxy's own
environment, on the second interpreter too where there is one.
"""

import asyncio
import contextlib
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import trustme
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from support.doors import ROOT, listening, mitmdump, mitmproxy_environment
from support.exchanges import SITE
from support.framework_apps import PAGE
from support.ports import free_port

pytestmark = pytest.mark.mitmproxy

ADDON = ["-s", str(ROOT / "addons" / "optout_gate_addon.py"), "--set", f"optout_config={SITE}"]
DENIED = b"https://ads.test/"
SIGNAL = {"Sec-GPC": "1"}


@pytest.fixture
async def site() -> AsyncIterator[int]:
    """Serve one page in plain HTTP, in chunks; yield the port."""
    server = await asyncio.start_server(_one_page, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _one_page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
            for piece in (PAGE[:30], PAGE[30:]):
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await writer.drain()
            writer.write(b"0\r\n\r\n")
    writer.close()


@pytest.fixture
async def tls_site(tmp_path: Path) -> AsyncIterator[tuple[int, Path]]:
    """Serve pages over TLS in HTTP/2 and HTTP/1.1 with hypercorn; yield the port and the authority's certificate."""
    authority = trustme.CA()
    certificate, key, ca = (tmp_path / name for name in ("site.pem", "site.key", "ca.pem"))
    issued = authority.issue_cert("localhost", "127.0.0.1")
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    ca.write_bytes(authority.cert_pem.bytes())
    port = free_port()
    command = [sys.executable, "-m", "hypercorn", "support.framework_apps:bare", f"--bind=127.0.0.1:{port}"]
    command += [f"--certfile={certificate}", f"--keyfile={key}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    async with listening(port, command, tmp_path / "site.log", environment):
        yield port, ca


async def get(url: str, proxy: str | None = None, *, http2: bool = False, ca: Path | None = None) -> httpx.Response:
    verify = ssl.create_default_context(cafile=str(ca)) if ca is not None else True
    async with httpx.AsyncClient(proxy=proxy, http2=http2, verify=verify, trust_env=False, timeout=20) as client:
        return await client.get(url, headers=SIGNAL)


def is_clean(body: bytes) -> bool:
    return DENIED not in body and b"<p>Hello</p>" in body


async def test_reverse_mode(site: int, tmp_path: Path) -> None:
    async with mitmdump(tmp_path, f"--mode=reverse:http://127.0.0.1:{site}", *ADDON) as port:
        assert is_clean((await get(f"http://127.0.0.1:{port}/")).content)


async def test_regular_mode(site: int, tmp_path: Path) -> None:
    async with mitmdump(tmp_path, *ADDON) as port:
        assert is_clean((await get(f"http://127.0.0.1:{site}/", f"http://127.0.0.1:{port}")).content)


async def test_upstream_mode_behind_which_another_proxy_stands(site: int, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "near").mkdir()
    async with (
        mitmdump(tmp_path / "far") as far,
        mitmdump(tmp_path / "near", f"--mode=upstream:http://127.0.0.1:{far}", *ADDON) as near,
    ):
        assert is_clean((await get(f"http://127.0.0.1:{site}/", f"http://127.0.0.1:{near}")).content)


async def test_socks_mode_in_which_the_client_knows_of_no_http_proxy(site: int, tmp_path: Path) -> None:
    """As in transparent mode, mitmproxy sees requests in origin form and an address from elsewhere."""
    async with mitmdump(tmp_path, "--mode=socks5", *ADDON) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x05\x01\x00")  # RFC 1928: version 5, one method, no authentication
        assert await reader.readexactly(2) == b"\x05\x00"
        writer.write(b"\x05\x01\x00\x01" + bytes([127, 0, 0, 1]) + site.to_bytes(2, "big"))
        assert (await reader.readexactly(10))[:2] == b"\x05\x00"
        writer.write(b"GET / HTTP/1.1\r\nHost: www.shop.test\r\nSec-GPC: 1\r\n\r\n")
        answer = await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.close()
    assert DENIED not in answer and b"data-optout-gate" in answer


@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
async def test_https_with_a_ca_of_its_own(tls_site: tuple[int, Path], tmp_path: Path, http2: bool) -> None:
    site, ca = tls_site
    trust = ["--set", f"ssl_verify_upstream_trusted_ca={ca}"]
    async with mitmdump(tmp_path, *trust, *ADDON) as port:
        own_ca = tmp_path / "conf" / "mitmproxy-ca-cert.pem"
        url = f"https://localhost:{site}/starlette/version"
        answer = await get(url, f"http://127.0.0.1:{port}", http2=http2, ca=own_ca)
        url = url.replace("version", "slow")
        streamed = await get(url, f"http://127.0.0.1:{port}", http2=http2, ca=own_ca)
    assert is_clean(answer.content)
    assert is_clean(streamed.content) and streamed.content.count(b"<p>Hello</p>") == 2
    assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
    assert answer.headers["x-version"] == ("2" if http2 else "1.1"), "the origin was spoken to in the same version"
    assert answer.headers["vary"] == "Sec-GPC"


async def test_websockets_are_left_alone(tmp_path: Path) -> None:
    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", 0) as server:
        origin = server.sockets[0].getsockname()[1]
        async with (
            mitmdump(tmp_path, f"--mode=reverse:http://127.0.0.1:{origin}", *ADDON) as port,
            connect(f"ws://127.0.0.1:{port}/", additional_headers=SIGNAL, proxy=None) as websocket,
        ):
            for message in (PAGE.decode(), PAGE):
                await websocket.send(message)
                assert await websocket.recv() == message


async def test_another_addons_answer_is_left_alone(tmp_path: Path) -> None:
    script = tmp_path / "answers.py"
    script.write_text(
        "from mitmproxy import http\n"
        "def request(flow):\n"
        f"    flow.response = http.Response.make(200, {PAGE!r}, {{'Content-Type': 'text/html'}})\n",
        "utf-8",
    )
    lazy = ["--set", "connection_strategy=lazy"]  # nobody listens on port 9, and nobody has to
    for order in ([*ADDON, "-s", str(script)], ["-s", str(script), *ADDON]):
        async with mitmdump(tmp_path, "--mode=reverse:http://127.0.0.1:9", *lazy, *order) as port:
            assert (await get(f"http://127.0.0.1:{port}/")).content == PAGE


def test_a_wrong_option_stops_mitmdump_with_words(tmp_path: Path) -> None:
    program = mitmproxy_environment() / "bin" / "mitmdump"
    options = [f"--listen-port={free_port()}", "--listen-host=127.0.0.1", "--set", f"confdir={tmp_path}"]
    run = subprocess.run(
        [program, *options, *ADDON, "--set", "optout_mode=strict"], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 1
    assert "optout_mode: expected one of enforce, observe, off, or nothing, found 'strict'" in run.stdout


async def test_the_command_starts_mitmweb_before_a_site(site: int, tmp_path: Path) -> None:
    command = mitmproxy_environment() / "bin" / "optout-gate"
    port, web = free_port(), free_port()
    arguments = [f"http://127.0.0.1:{site}", f"--listen=127.0.0.1:{port}", f"--web=127.0.0.1:{web}", "--no-browser"]
    environment = {**os.environ, "HOME": str(tmp_path)}
    run = [str(command), "mitm", *arguments, f"--config={SITE}"]
    async with (
        listening(port, run, tmp_path / "mitmweb.log", environment),
        httpx.AsyncClient(trust_env=False, timeout=20) as client,
    ):
        answer = await client.get(f"http://127.0.0.1:{port}/")  # no signal: the command pretends
        assert is_clean(answer.content)


def test_without_mitmproxy_the_command_says_how_to_get_it(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", "from optout_gate.cli import main; main()", "mitm", "http://127.0.0.1:1"],
        env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert run.returncode == 2
    assert "pip install 'optout-gate[mitmproxy]'" in run.stderr


def _other_interpreters() -> list[str]:
    """Return later Pythons than this one that run, for the mitmproxy that wants them."""
    found = []
    for name in ("python3.12", "python3.13"):
        path = shutil.which(name)
        if path and sys.version_info < (3, 12) and subprocess.run([path, "-V"], capture_output=True).returncode == 0:
            found.append(name)
    return found[:1]


@pytest.mark.parametrize("python", ["this", *_other_interpreters()])
def test_the_addon_in_mitmproxys_own_test_harness(python: str) -> None:
    environment = mitmproxy_environment(None if python == "this" else python)
    # mitmproxy's dependencies warn of each other; what the addon itself warns of is an error.
    warnings = ["-W", "ignore::DeprecationWarning", "-W", "error::DeprecationWarning:optout_gate"]
    run = subprocess.run(
        [environment / "bin" / "python", "-m", "pytest", "tests/mitm_addon", "-p", "no:cacheprovider", *warnings],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "passed" in run.stdout

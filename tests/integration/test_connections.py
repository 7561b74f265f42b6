"""TLS toward visitors and toward origins, unix sockets, and limits: said in the configuration, held by a real process."""

import asyncio
import contextlib
import gc
import re
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp import web
from click.testing import CliRunner

from optout_gate.cli import main
from support.processes import DEADLINE_S, Gate, exchange, get, running_gate

PAGE = b'<!doctype html><p>Hello<script src="https://www.googletagmanager.com/gtm.js?id=GTM-1"></script>'


# The origin's TLS is asyncio's, which forgets to close a connection that the other side cut in the middle of it.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@dataclass
class Origins:
    """One application on loopback: over TLS for who shows a certificate of ours, and on a unix socket.

    Attributes:
        port: of the one over TLS, whose certificate is for ``app.internal`` alone.
        socket: path of the other.
        names: the server names that were asked for (SNI).
        bodies: how long the request bodies were that came whole.
    """

    port: int = 0
    socket: str = ""
    names: list[str | None] = field(default_factory=list)
    bodies: list[int] = field(default_factory=list)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def folder(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the operator's folder, with the files of TLS."""
    made = tmp_path_factory.mktemp("site")
    authority.cert_pem.write_to_path(made / "ca.pem")
    for name, host in (("gate", "gate.internal"), ("first", "shop.test"), ("second", "shop.test")):
        issued = authority.issue_cert(host)
        issued.private_key_pem.write_to_path(made / f"{name}.key")
        for number, part in enumerate(issued.cert_chain_pems):
            part.write_to_path(made / f"{name}.pem", append=number > 0)
    return made


@pytest.fixture(scope="module")
def origins(authority: trustme.CA, folder: Path) -> Iterator[Origins]:
    running = Origins(socket=str(folder / "app.sock"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("app.internal").configure_cert(context)
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_OPTIONAL
    context.sni_callback = lambda connection, name, context: running.names.append(name)

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade") == "websocket":
            echo = web.WebSocketResponse()
            await echo.prepare(request)
            async for message in echo:
                await echo.send_str(f"heard {message.data}")
            return echo
        running.bodies.append(len(await request.read()))
        if request.path == "/slow":
            await asyncio.sleep(DEADLINE_S)
        if request.path == "/whoami":
            shown = request.transport.get_extra_info("peercert") if request.transport else None
            names = [value for _, value in shown.get("subjectAltName", ())] if shown else []
            return web.json_response({"host": request.headers["Host"], "shown": names})
        return web.Response(body=PAGE, content_type="text/html")

    async def serve(ready: threading.Event, stop: threading.Event) -> None:
        application = web.Application(client_max_size=1 << 24)
        application.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        await web.UnixSite(runner, running.socket).start()
        running.port = next(address[1] for address in runner.addresses if isinstance(address, tuple))
        ready.set()
        while not stop.is_set():
            await asyncio.sleep(0.05)
        await runner.cleanup()

    ready, stop = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(serve(ready, stop)), daemon=True)
    thread.start()
    assert ready.wait(DEADLINE_S)
    yield running
    stop.set()
    thread.join(DEADLINE_S)
    gc.collect()  # while such a connection is nobody else's


def configuration(origins: Origins, certificate: str = "first") -> str:
    https = f"https://127.0.0.1:{origins.port}"
    named = "server_name: app.internal"
    return f"""
version: 1
tls: {{certificate_file: {certificate}.pem, key_file: {certificate}.key}}
sites:
  - hosts: [shown.test]
    upstream: {https}
    upstream_tls: {{ca_file: ca.pem, {named}, certificate_file: gate.pem, key_file: gate.key}}
  - {{hosts: [nobody.test], upstream: "{https}", upstream_tls: {{ca_file: ca.pem, {named}}}}}
  - {{hosts: [other-name.test], upstream: "{https}", upstream_tls: {{ca_file: ca.pem}}}}
  - {{hosts: [system.test], upstream: "{https}"}}
  - {{hosts: [unchecked.test], upstream: "{https}", upstream_tls: {{verify: false}}}}
  - {{hosts: [socket.test], upstream: "unix:{origins.socket}"}}
  - {{hosts: [own-host.test], upstream: "unix:{origins.socket}", preserve_host: false}}
limits:
  client: {{header_bytes: 2048, header_fields: 12, target_bytes: 100, body_bytes: 1000, header_s: 3, keepalive_s: 3,
           tls_handshake_s: 2}}
  upstream: {{first_byte_s: 2, message_bytes: 100}}
"""


@pytest.fixture(scope="module")
def gate(origins: Origins, folder: Path) -> Iterator[Gate]:
    (folder / "site.yaml").write_text(configuration(origins))
    with running_gate("--config", str(folder / "site.yaml")) as running:
        yield running


def over_tls(gate: Gate, request: bytes, folder: Path, *, newest: ssl.TLSVersion | None = None) -> bytes:
    """Return what comes back for raw bytes until the gate closes, its certificate verified."""
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    if newest is not None:
        context.maximum_version = newest
        context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection(gate.address, DEADLINE_S) as plain,
        context.wrap_socket(plain, server_hostname="shop.test") as client,
    ):
        client.sendall(request)
        out = b""
        with contextlib.suppress(ssl.SSLEOFError):
            while data := client.recv(65536):
                out += data
        return out


def ask(
    gate: Gate, folder: Path, host: str, path: str = "/", *lines: str, body: bytes = b"", method: str = "GET"
) -> bytes:
    text = "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", *lines, "Connection: close", "", ""])
    return over_tls(gate, text.encode() + body, folder)


# Visitors


def test_visitors_come_over_tls_and_the_origin_hears_of_it(gate: Gate, folder: Path) -> None:
    assert PAGE in ask(gate, folder, "socket.test")
    enforced = ask(gate, folder, "socket.test", "/", "Sec-GPC: 1")
    assert b"200 OK" in enforced and b"googletagmanager" not in enforced
    assert "https://" in gate.wait_for_log("ready:")


def test_tls_1_2_is_the_oldest(gate: Gate, folder: Path) -> None:
    request = b"GET / HTTP/1.1\r\nHost: socket.test\r\nConnection: close\r\n\r\n"
    assert PAGE in over_tls(gate, request, folder, newest=ssl.TLSVersion.TLSv1_2)
    with pytest.warns(DeprecationWarning), pytest.raises(ssl.SSLError, match=r"(?i)alert|version|protocol"):
        over_tls(gate, request, folder, newest=ssl.TLSVersion.TLSv1_1)


def test_who_speaks_no_tls_is_not_answered_in_the_clear(gate: Gate) -> None:
    assert not exchange(gate.address, b"GET / HTTP/1.1\r\nHost: socket.test\r\n\r\n").startswith(b"HTTP/")


def test_a_tls_handshake_that_stalls_is_cut_and_keeps_nobody_out(gate: Gate, folder: Path) -> None:
    with (
        socket.create_connection(gate.address, DEADLINE_S) as silent,
        socket.create_connection(gate.address, DEADLINE_S) as halfway,
    ):
        halfway.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")  # a ClientHello of 512 bytes begins
        assert PAGE in ask(gate, folder, "socket.test")
        for stalled in (silent, halfway):
            with contextlib.suppress(ConnectionResetError):
                assert stalled.recv(1) == b""  # returns when the gate closes, and the socket's time-out fails the test
    assert PAGE in ask(gate, folder, "socket.test")


def serial(gate: Gate, folder: Path) -> str:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    with (
        socket.create_connection(gate.address, DEADLINE_S) as plain,
        context.wrap_socket(plain, server_hostname="shop.test") as client,
    ):
        return str((client.getpeercert() or {})["serialNumber"])


def test_a_reload_brings_the_new_certificate_and_one_that_does_not_fit_changes_nothing(
    gate: Gate, origins: Origins, folder: Path
) -> None:
    first = serial(gate, folder)
    kept = (folder / "second.key").read_bytes()
    (folder / "second.key").write_bytes((folder / "gate.key").read_bytes())
    (folder / "site.yaml").write_text(configuration(origins, "second"))
    gate.process.send_signal(signal.SIGHUP)
    assert "second.key is not the key of the certificate in" in gate.wait_for_log("second.key")
    assert serial(gate, folder) == first
    (folder / "second.key").write_bytes(kept)
    gate.process.send_signal(signal.SIGHUP)
    gate.wait_for_log("configuration reloaded")
    assert serial(gate, folder) != first
    assert PAGE in ask(gate, folder, "shown.test")  # the origins' files were read anew as well


def test_flags_serve_tls_without_a_configuration(origins: Origins, folder: Path) -> None:
    flags = ["--tls-cert", str(folder / "first.pem"), "--tls-key", str(folder / "first.key")]
    with running_gate("--upstream", f"unix:{origins.socket}", "--workers", "2", *flags) as gate:
        assert PAGE in ask(gate, folder, "anything.test")


ENCRYPTED = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("cert", "key", "words"),
    [
        pytest.param("no.pem", "first.key", "no.pem cannot be read: No such file", id="no-such-certificate"),
        pytest.param("first.pem", "no.key", "no.key cannot be read: No such file", id="no-such-key"),
        pytest.param("first.key", "first.key", "first.key holds no PEM certificate", id="a-key-for-a-certificate"),
        pytest.param("first.pem", "first.pem", "first.pem holds no PEM private key", id="a-certificate-for-a-key"),
        pytest.param("first.pem", "gate.key", "gate.key is not the key of the certificate in", id="another-key"),
        pytest.param("first.pem", "asked.key", "asked.key is encrypted", id="a-passphrase"),
        pytest.param("broken.pem", "first.key", "broken.pem with", id="not-a-certificate-inside"),
    ],
)
def test_files_that_do_not_serve_are_told_by_name(cert: str, key: str, words: str, gate: Gate, folder: Path) -> None:
    (folder / "asked.key").write_text(ENCRYPTED)
    (folder / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    flags = ["--tls-cert", str(folder / cert), "--tls-key", str(folder / key)]
    told = CliRunner().invoke(main, ["serve", "--upstream", "http://127.0.0.1:1", *flags])
    assert told.exit_code == 2 and words in told.output.replace("\n", " "), told.output


# Origins


def test_the_origin_is_shown_our_certificate_and_asked_for_by_its_name(
    gate: Gate, origins: Origins, folder: Path
) -> None:
    origins.names.clear()
    assert b'"shown": ["gate.internal"]' in ask(gate, folder, "shown.test", "/whoami")
    assert set(origins.names) <= {"app.internal"}
    assert b'"shown": []' in ask(gate, folder, "nobody.test", "/whoami")


@pytest.mark.parametrize("host", ["other-name.test", "system.test"])
def test_a_certificate_for_another_name_or_of_a_stranger_is_a_502(gate: Gate, folder: Path, host: str) -> None:
    assert b" 502 " in ask(gate, folder, host).partition(b"\r\n")[0]


def test_an_origin_that_is_not_checked_is_reached_and_check_warns_of_it(gate: Gate, folder: Path) -> None:
    assert PAGE in ask(gate, folder, "unchecked.test")
    told = CliRunner().invoke(main, ["check", str(folder / "site.yaml")])
    assert told.exit_code == 0 and "warning: " in told.output and "is not checked" in told.output.replace("\n", " ")


def test_a_unix_socket_gets_the_visitors_host_or_localhost(gate: Gate, folder: Path) -> None:
    assert b'"host": "socket.test"' in ask(gate, folder, "socket.test", "/whoami")
    assert b'"host": "localhost"' in ask(gate, folder, "own-host.test", "/whoami")


@pytest.mark.parametrize("host", ["shown.test", "socket.test"])
async def test_a_websocket_reaches_an_origin_over_tls_and_on_a_socket(gate: Gate, folder: Path, host: str) -> None:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    url = f"https://{gate.address[0]}:{gate.address[1]}/"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, headers={"Host": host}, ssl=context, server_hostname="shop.test") as client,
    ):
        await client.send_str("a")
        assert await client.receive_str(timeout=DEADLINE_S) == "heard a"
        await client.send_str("b" * 101)  # more than message_bytes
        message = await client.receive(timeout=DEADLINE_S)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1009)


# Limits


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        pytest.param([f"X-Long: {'x' * 2048}"], b"431", id="header_bytes"),
        pytest.param([f"X-{number}: 1" for number in range(12)], b"431", id="header_fields"),
        pytest.param(["Content-Length: 1001"], b"413", id="body_bytes"),
    ],
)
def test_a_request_beyond_a_configured_cap_is_refused(
    gate: Gate, folder: Path, lines: list[str], status: bytes
) -> None:
    assert ask(gate, folder, "socket.test", "/", *lines).split()[1] == status


def test_a_target_beyond_the_configured_cap_is_414(gate: Gate, folder: Path) -> None:
    assert ask(gate, folder, "socket.test", f"/{'x' * 100}").split()[1] == b"414"


def test_a_body_of_the_size_allowed_passes_and_one_byte_more_in_chunks_is_413(
    gate: Gate, origins: Origins, folder: Path
) -> None:
    exact = ask(gate, folder, "socket.test", "/", "Content-Length: 1000", body=b"x" * 1000, method="POST")
    assert exact.split()[1] == b"200" and origins.bodies[-1] == 1000
    count = len(origins.bodies)
    chunks = b"3e8\r\n" + b"x" * 1000 + b"\r\n1\r\nx\r\n0\r\n\r\n"
    answer = ask(gate, folder, "socket.test", "/", "Transfer-Encoding: chunked", body=chunks, method="POST")
    assert answer.split()[1] == b"413" and len(origins.bodies) == count


def test_an_origin_slower_than_first_byte_s_is_a_504(gate: Gate, folder: Path) -> None:
    assert ask(gate, folder, "socket.test", "/slow").split()[1] == b"504"


def test_a_head_slower_than_header_s_is_a_408_and_an_idle_connection_ends(gate: Gate, folder: Path) -> None:
    assert over_tls(gate, b"GET / HTTP/1.1\r\n", folder).split()[1] == b"408"
    kept = over_tls(gate, b"GET / HTTP/1.1\r\nHost: socket.test\r\n\r\n", folder)  # returns when the gate closes
    assert PAGE in kept


def test_a_reload_changes_the_limits_of_connections_that_are_open(origins: Origins, tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    text = f"version: 1\nsites: [{{upstream: 'unix:{origins.socket}'}}]\n"
    file.write_text(text)
    with running_gate("--config", str(file)) as gate, socket.create_connection(gate.address, DEADLINE_S) as client:
        client.sendall(b"HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
        file.write_text(text + "limits: {client: {body_bytes: 3}}\n")
        gate.process.send_signal(signal.SIGHUP)
        gate.wait_for_log("configuration reloaded")
        client.sendall(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 413")


def test_one_request_more_than_configured_is_a_503_until_another_ends(origins: Origins, tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    limits = "{client: {requests: 1}, upstream: {first_byte_s: 2}}"
    file.write_text(f"version: 1\nsites: [{{upstream: 'unix:{origins.socket}'}}]\nlimits: {limits}\n")
    with running_gate("--config", str(file)) as gate, socket.create_connection(gate.address, DEADLINE_S) as client:
        count = len(origins.bodies)
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n")
        until = time.monotonic() + DEADLINE_S
        while len(origins.bodies) == count and time.monotonic() < until:
            time.sleep(0.01)
        head, _ = get(gate.address, "/")
        assert head.startswith(b"HTTP/1.1 503") and b"retry-after:" in head.lower()
        assert b"\r\nOptout-Gate: nothing_to_do\r\n" in head
        assert client.recv(65536).startswith(b"HTTP/1.1 504")
        while not get(gate.address, "/")[0].startswith(b"HTTP/1.1 200") and time.monotonic() < until:
            time.sleep(0.01)
        assert get(gate.address, "/")[0].startswith(b"HTTP/1.1 200")
        assert exchange(gate.address, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").split()[1] == b"400"
        assert exchange(gate.address, b"GET /" + b"a" * 70_000).split()[1] in (b"414", b"431")
        counted = get(gate.admin, "/metrics")[1].decode()
    refused = dict(re.findall(r'^optout_gate_refused_requests_total\{reason="(\w+)"\} (\d+)', counted, re.MULTILINE))
    assert int(refused.pop("busy")) >= 1 and refused == {"malformed": "1", "too_large": "1"}


def test_what_is_under_way_is_given_the_drain_timeout_and_no_longer(origins: Origins) -> None:
    with running_gate("--upstream", f"unix:{origins.socket}", "--drain-timeout", "1") as gate:
        count = len(origins.bodies)
        with socket.create_connection(gate.address, DEADLINE_S) as client:
            client.sendall(b"GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n")
            until = time.monotonic() + DEADLINE_S
            while len(origins.bodies) == count and time.monotonic() < until:
                time.sleep(0.01)
            begun = time.monotonic()
            assert gate.stop() == 0
            assert time.monotonic() - begun < 20  # the default is 25

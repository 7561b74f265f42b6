"""The client toward the origin, against origins that behave, and on the wire byte for byte."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
import uvloop

from optout_gate.errors import UpstreamError
from optout_gate.http import Headers
from optout_gate.proxy.upstream import TlsOptions, Upstream, UpstreamAddress, UpstreamLimits, UpstreamResponse
from support.edge import echo, edge
from support.origin import Origin, Peer, origin, repeating

HEADERS = Headers([(b"Host", b"shop.example")])
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def whole(response: UpstreamResponse) -> bytes:
    body = b""
    while piece := await response.read():
        assert len(piece) <= 65536
        body += piece
    assert response.ended
    return body


async def pieces(*data: bytes, pause_s: float = 0) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece
        await asyncio.sleep(pause_s)


async def get(running: Origin, method: str = "GET", target: bytes = b"/") -> bytes:
    return await whole(await running.upstream.send(method, target, HEADERS))


# Bytes


async def test_target_and_headers_go_out_exactly_as_given() -> None:
    headers = Headers([(b"Host", b"a"), (b"X-One", b"1"), (b"x-ONE", b"J\xc3\xb6rg \xff")])
    async with origin(repeating(OK)) as running:
        await whole(await running.upstream.send("GET", b"/a%2Fb%7e?x=%2f&z=[1]|{}", headers))
    assert running.heads == [
        b"GET /a%2Fb%7e?x=%2f&z=[1]|{} HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-ONE: J\xc3\xb6rg \xff\r\n\r\n"
    ]


async def test_early_hints_are_handed_on_before_the_response_in_their_order() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </%d.css>; rel=preload\r\n\r\n"
    seen: list[bytes] = []

    async def behave(peer: Peer) -> None:
        await peer.head()
        peer.send(hints % 1)
        while not seen:  # the first is there before anything else is sent
            await asyncio.sleep(0)
        peer.send(hints % 2 + OK)

    async def early(headers: Headers) -> None:
        seen.extend(headers.values(b"link"))

    async with origin(behave) as running, asyncio.timeout(30):
        response = await running.upstream.send("GET", b"/", HEADERS, None, early)
        assert seen == [b"</1.css>; rel=preload", b"</2.css>; rel=preload"]
        assert await whole(response) == b"ok"


async def test_response_head_comes_as_sent() -> None:
    answer = b"HTTP/1.1 404 Gibt\xb4s nicht\r\nX-A: 1\r\nset-cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n"
    async with origin(repeating(answer)) as running:
        response = await running.upstream.send("GET", b"/", HEADERS)
    assert (response.status, response.reason) == (404, b"Gibt\xb4s nicht")
    assert response.headers.pairs == (
        (b"X-A", b"1"),
        (b"set-cookie", b"a"),
        (b"Set-Cookie", b"b"),
        (b"Content-Length", b"0"),
    )


async def test_nothing_is_remembered_followed_or_decoded() -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: /b\r\nSet-Cookie: s=ALICE\r\nContent-Encoding: gzip\r\n"
    async with origin(repeating(answer + b"Content-Length: 3\r\n\r\n\x1f\x8b!")) as running:
        assert await get(running) == b"\x1f\x8b!"
        assert await get(running) == b"\x1f\x8b!"
    assert running.heads == [b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"] * 2


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        pytest.param("GET", b"/ HTTP/1.1\r\nX: y", HEADERS, id="target-with-a-line-end"),
        pytest.param("GET", b"/a b", HEADERS, id="target-with-a-space"),
        pytest.param("GET", b"", HEADERS, id="no-target"),
        pytest.param("GET", b"/", Headers([(b"X", b"a\r\nY: b")]), id="value-with-a-line-end"),
        pytest.param("GET", b"/", Headers([(b"X", b"a\nb")]), id="value-with-a-line-feed"),
        pytest.param("GET", b"/", Headers([(b"X\r\nY", b"a")]), id="name-with-a-line-end"),
        pytest.param("GET", b"/", Headers([(b"X", b"a\0")]), id="value-with-nul"),
        pytest.param("G T", b"/", HEADERS, id="method-with-a-space"),
        pytest.param("GET", b"/", Headers([(b"Content-Length", b"3")]), id="length-without-a-body"),
    ],
)
async def test_a_head_that_is_not_one_request_is_never_sent(method: str, target: bytes, headers: Headers) -> None:
    async with origin(repeating(OK)) as running:
        with pytest.raises(ValueError):
            await running.upstream.send(method, target, headers)
        assert running.opened == 0


# Request bodies


@pytest.mark.parametrize(
    ("fields", "on_the_wire"),
    [
        pytest.param([(b"content-LENGTH", b"6")], b"content-LENGTH: 6\r\n\r\nabcdef", id="length-as-given"),
        pytest.param([], b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n", id="chunked"),
        pytest.param(
            [(b"Content-Length", b"6"), (b"Transfer-Encoding", b"chunked")],
            b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n",
            id="both-become-chunked",
        ),
        pytest.param(
            [(b"Content-Length", b"+6")],
            b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n",
            id="no-number-becomes-chunked",
        ),
    ],
)
async def test_body_goes_out_under_one_framing(fields: list[tuple[bytes, bytes]], on_the_wire: bytes) -> None:
    received = bytearray()

    async def keep(peer: Peer) -> None:
        while not received.endswith(on_the_wire):
            received.extend(await peer.reader.read(1000))
        peer.send(OK)
        await peer.reader.read()

    async with origin(keep) as running, asyncio.timeout(5):
        body = pieces(b"abc", b"", b"def")
        response = await running.upstream.send("POST", b"/", Headers([*HEADERS, *fields]), body)
        assert await whole(response) == b"ok"
    assert received == b"POST / HTTP/1.1\r\nHost: shop.example\r\n" + on_the_wire


@pytest.mark.parametrize("length", [b"5", b"7"], ids=["longer-than-announced", "shorter-than-announced"])
async def test_a_body_of_another_length_than_announced_is_an_error(length: bytes) -> None:
    async def wait(peer: Peer) -> None:
        await peer.reader.read()

    async with origin(wait) as running:
        headers = Headers([*HEADERS, (b"Content-Length", length)])
        with pytest.raises(UpstreamError) as raised:
            await running.upstream.send("POST", b"/", headers, pieces(b"abc", b"def"))
        assert raised.value.reason == "request_body"
        assert running.upstream.idle == 0


async def test_an_error_of_the_bodys_source_is_raised_to_the_sender_and_closes() -> None:
    async def leaves() -> AsyncIterator[bytes]:
        yield b"abc"
        raise ConnectionError("the visitor left")

    async with origin(repeating()) as running:
        with pytest.raises(ConnectionError, match="the visitor left"):
            await running.upstream.send("POST", b"/", HEADERS, leaves())
        assert running.upstream.busy == 0


async def test_the_origin_may_answer_before_the_body_is_sent() -> None:
    async def early(peer: Peer) -> None:
        await peer.head()
        peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await peer.reader.read()

    async with origin(early) as running, asyncio.timeout(5):
        response = await running.upstream.send("POST", b"/", HEADERS, pieces(*[b"x"] * 1000, pause_s=0.05))
        assert (response.status, await whole(response)) == (413, b"no")
        assert running.upstream.idle == 0  # half a request has gone over it


async def test_body_and_response_flow_at_the_same_time() -> None:
    async def mirror(peer: Peer) -> None:
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while (line := await peer.reader.readline()) != b"0\r\n":
            peer.send(line + await peer.reader.readexactly(int(line, 16) + 2))
        peer.send(b"0\r\n\r\n")
        await peer.reader.read()

    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def talk() -> AsyncIterator[bytes]:
        for number in range(5):
            yield b"%d" % number
            assert await heard.get() == b"%d" % number

    async with origin(mirror) as running, asyncio.timeout(5):
        response = await running.upstream.send("POST", b"/", HEADERS, talk())
        while piece := await response.read():
            heard.put_nowait(piece)


# Response bodies


@pytest.mark.parametrize(
    ("answer", "body", "kept"),
    [
        pytest.param(OK, b"ok", True, id="length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"", True, id="empty"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n2\r\nbc\r\n0\r\nSec-GPC: 1\r\n\r\n",
            b"abc",
            True,
            id="chunked-with-extension-and-trailer",
        ),
        pytest.param(b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", b"ok", True, id="no-reason"),
        pytest.param(b"HTTP/1.1 999 Denied\r\nContent-Length: 2\r\n\r\nok", b"ok", True, id="status-999"),
        pytest.param(b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n" + OK, b"ok", True, id="early-hints-nobody-asks-for"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" * 8 + OK, b"ok", True, id="eight-interim-responses"),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", b"", True, id="204"),
        pytest.param(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", b"", True, id="304-with-length"),
        pytest.param(b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", b"", False, id="204-with-length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nok", b"ok", False, id="close"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok", False, id="http-1.0"),
        pytest.param(OK + b"HTTP/1.1 200 OK\r\n", b"ok", False, id="bytes-behind-the-end"),
    ],
)
@pytest.mark.parametrize("cut", [0, 1], ids=["at-once", "byte-by-byte"])
async def test_bodies_end_where_they_end(answer: bytes, body: bytes, kept: bool, cut: int) -> None:
    async def behave(peer: Peer) -> None:
        while True:
            await peer.head()
            for at in range(0, len(answer), cut or len(answer)):
                peer.send(answer[at : at + (cut or len(answer))])
                await asyncio.sleep(0)

    async with origin(behave) as running, asyncio.timeout(5):
        for _ in range(2):
            assert await get(running) == body
            await asyncio.sleep(0.02)
        assert running.opened == (1 if kept else 2)


@pytest.mark.parametrize("framing", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b""])
async def test_head_has_no_body_whatever_it_announces(framing: bytes) -> None:
    async with origin(repeating(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n", OK)) as running, asyncio.timeout(5):
        response = await running.upstream.send("HEAD", b"/", HEADERS)
        assert response.ended
        assert len(response.headers) == bool(framing)
        assert await get(running) == b"ok"
        assert running.opened == 1


async def test_a_body_may_end_with_the_connection() -> None:
    async def behave(peer: Peer) -> None:
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000)

    async with origin(behave) as running, asyncio.timeout(5):
        assert await get(running) == b"x" * 200_000
        assert await get(running) == b"x" * 200_000
        assert running.opened == 2


async def test_pieces_are_handed_on_as_they_come() -> None:
    go = asyncio.Event()

    async def events(peer: Peer) -> None:
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na\n\r\n")
        await go.wait()
        peer.send(b"2\r\nb\n\r\n0\r\n\r\n")
        await peer.reader.read()

    async with origin(events) as running, asyncio.timeout(5):
        response = await running.upstream.send("GET", b"/", HEADERS)
        assert await response.read() == b"a\n"
        go.set()
        assert await response.read() == b"b\n"
        assert await response.read() == b""


async def test_an_origin_is_held_back_when_nobody_reads() -> None:
    sent = 0

    async def flood(peer: Peer) -> None:
        nonlocal sent
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            peer.send(b"x" * 65536)
            await peer.writer.drain()
            sent += 65536

    async with origin(flood) as running:
        response = await running.upstream.send("GET", b"/", HEADERS)
        held = -1
        while held != sent:
            held = sent
            await asyncio.sleep(0.1)
        assert held < 20_000_000
        for _ in range(200):
            await response.read()
        await asyncio.sleep(0.1)
        assert sent > held
        await response.close()


async def test_a_request_body_is_held_back_when_the_origin_does_not_read() -> None:
    asked = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked
        while True:
            asked += 65536
            yield b"x" * 65536

    async def deaf(peer: Peer) -> None:
        await asyncio.sleep(60)

    async with origin(deaf, idle_read_s=0.3) as running, asyncio.timeout(10):
        with pytest.raises(UpstreamError) as raised:
            await running.upstream.send("POST", b"/", HEADERS, endless())
        assert raised.value.reason == "write_timeout"
        assert raised.value.status == 504
        assert asked < 30_000_000


# Ways there


async def test_unix_socket(tmp_path: Path) -> None:
    async with origin(repeating(OK), unix=str(tmp_path / "origin")) as running:
        assert await get(running) == b"ok"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_tls_is_verified_against_the_configured_authority(authority: trustme.CA, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    tls = TlsOptions(ca_file=str(file), server_name="origin.example")
    async with origin(repeating(OK), ssl=server_context(authority, "origin.example"), tls=tls) as running:
        assert await get(running) == b"ok"
        assert await get(running) == b"ok"
        assert running.opened == 1


@pytest.mark.parametrize(
    "name", [pytest.param("origin.example", id="unknown-authority"), pytest.param("other.example", id="other-name")]
)
async def test_tls_with_a_certificate_that_does_not_fit_is_refused(
    authority: trustme.CA, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "ca.pem"
    (authority if name == "other.example" else trustme.CA()).cert_pem.write_to_path(str(file))
    tls = TlsOptions(ca_file=str(file), server_name="origin.example")
    async with origin(repeating(OK), ssl=server_context(authority, name), tls=tls) as running:
        with pytest.raises(UpstreamError) as raised:
            await get(running)
        assert (raised.value.status, raised.value.reason) == (502, "tls")
        assert running.heads == []


async def test_tls_is_verified_by_default_and_can_be_switched_off(authority: trustme.CA) -> None:
    context = server_context(authority, "origin.example")
    async with origin(repeating(OK), ssl=context) as running:
        with pytest.raises(UpstreamError, match="certificate"):
            await get(running)
    async with origin(repeating(OK), ssl=context, tls=TlsOptions(verify=False)) as running:
        assert await get(running) == b"ok"


async def test_a_client_certificate_is_shown(authority: trustme.CA, tmp_path: Path) -> None:
    context = server_context(authority, "origin.example")
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("gate.example").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "gate.pem"))
    tls = TlsOptions(
        ca_file=str(tmp_path / "ca.pem"),
        server_name="origin.example",
        client_certificate=str(tmp_path / "gate.pem"),
    )
    async with origin(repeating(OK), ssl=context, tls=tls) as running:
        assert await get(running) == b"ok"


def test_a_real_uvicorn_answers_many_at_once() -> None:
    async def talk(port: int) -> None:
        upstream = Upstream(UpstreamAddress.parse(f"http://localhost:{port}"), UpstreamLimits(max_connections=8))

        async def one(number: int) -> None:
            sent = b"%d" % number * 30_000
            response = await upstream.send("PUT", b"/%d" % number, HEADERS, pieces(sent[:9], sent[9:]))
            assert await whole(response) == b"PUT /%d " % number + sent

        async with asyncio.timeout(20):
            await asyncio.gather(*(one(number) for number in range(50)))
        assert upstream.busy == 0
        assert 1 <= upstream.idle <= 8
        await upstream.close()

    with edge(echo) as door:
        uvloop.run(talk(door.port))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://origin", "http://origin:80"),
        ("https://origin", "https://origin:443"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("unix:/run/origin", "unix:/run/origin"),
    ],
)
def test_addresses_are_read(text: str, address: str) -> None:
    assert str(UpstreamAddress.parse(text)) == address


@pytest.mark.parametrize(
    "text",
    [
        "origin:80",
        "ftp://origin",
        "http://",
        "http://user@origin",
        "http://origin/path",
        "http://origin?q",
        "unix:x",
        "http://o:99999",
    ],
)
def test_addresses_that_mean_something_else_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        UpstreamAddress.parse(text)

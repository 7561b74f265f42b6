"""The gate's side toward clients, over raw sockets against a real uvicorn on uvloop."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import websockets

from optout_gate.proxy.protocol import ServerLimits
from support.edge import Edge, answer, echo, edge, read_body, until, until_closed

HOST = b"Host: shop.example\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
LAST = b"GET /last HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"

Answer = Callable[[Any, Any, Any], Awaitable[None]]


def answering(*messages: dict[str, Any]) -> Answer:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    return application


def start(status: int = 200, *headers: tuple[bytes, bytes], **more: Any) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers), **more}


def body(data: bytes = b"", more_body: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more_body}


# What the application is told


def test_raw_head_keeps_case_order_repeats_and_bytes() -> None:
    fields = b"X-One: 1\r\nx-ONE:  2 \r\nX-Eight: J\xc3\xb6rg \xff\r\nSec_GPC: 1\r\n"
    with edge(echo) as door:
        door.talk(b"GET /a%2Fb%7e?x=%2f&z=[1]|{} HTTP/1.1\r\n" + HOST + fields + b"Connection: close\r\n\r\n")
        scope = door.scopes[0]
    raw = scope["extensions"]["optout_gate.raw"]
    assert raw["target"] == b"/a%2Fb%7e?x=%2f&z=[1]|{}"
    assert [(name, value.strip()) for name, value in raw["headers"]] == [
        (b"Host", b"shop.example"),
        (b"X-One", b"1"),
        (b"x-ONE", b"2"),
        (b"X-Eight", b"J\xc3\xb6rg \xff"),
        (b"Sec_GPC", b"1"),
        (b"Connection", b"close"),
    ]
    assert (scope["raw_path"], scope["query_string"], scope["path"]) == (b"/a%2Fb%7e", b"x=%2f&z=[1]|{}", "/a/b~")
    assert [name for name, _ in scope["headers"]][:3] == [b"host", b"x-one", b"x-one"]
    assert not any(name == b"sec-gpc" for name, _ in scope["headers"])


def test_trailers_never_become_headers() -> None:
    trailers = b"Sec-GPC: 1\r\nAuthorization: Basic eDp5\r\nX-Forwarded-For: 6.6.6.6\r\n"
    head = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    request = head + b"3\r\nabc\r\n0\r\n" + trailers + b"\r\n"
    with edge(echo) as door:
        answered = door.talk(request + LAST)
        names = [[name for name, _ in scope["headers"]] for scope in door.scopes]
        raw = [len(scope["extensions"]["optout_gate.raw"]["headers"]) for scope in door.scopes]
    assert b"POST / abc" in answered
    assert names == [[b"host", b"transfer-encoding"], [b"host", b"connection"]]
    assert raw == [2, 2]


# Framing of requests


def test_pipelined_requests_are_answered_in_order() -> None:
    requests = b"".join(
        b"POST /%d HTTP/1.1\r\n%bContent-Length: 1\r\n\r\n%d" % (number, HOST, number) for number in range(9)
    )
    with edge(echo) as door:
        answered = door.talk(requests + LAST)
    assert [answered.count(b"POST /%d %d" % (number, number)) for number in range(9)] == [1] * 9
    places = [answered.index(b"POST /%d %d" % (number, number)) for number in range(9)]
    assert places == sorted(places)
    assert answered.endswith(b"GET /last ")


@pytest.mark.parametrize("upgrade", [b"foo", b"h2c", b"websocket"], ids=["foo", "h2c", "websocket-with-a-body"])
@pytest.mark.parametrize(
    ("framing", "sent"),
    [
        pytest.param(b"Content-Length: 3\r\n", b"abc", id="length"),
        pytest.param(b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n0\r\n\r\n", id="chunked"),
    ],
)
def test_other_upgrades_are_ignored_and_neither_body_nor_next_request_is_lost(
    upgrade: bytes, framing: bytes, sent: bytes
) -> None:
    asked = b"Connection: Upgrade\r\nUpgrade: " + upgrade + b"\r\n"
    head = b"POST /up HTTP/1.1\r\n" + HOST + asked + framing + b"\r\n"
    with edge(echo) as door:
        together = door.talk(head + sent + GET + LAST)
        apart = door.talk(head, sent[:2], sent[2:], GET, LAST)
    for answered in (together, apart):
        assert answered.count(b"HTTP/1.1 200 OK") == 3
        assert b"POST /up abc" in answered
        assert b"101" not in answered


def test_an_upgrade_without_a_body_is_ignored() -> None:
    with edge(echo) as door:
        answered = door.talk(b"GET /up HTTP/1.1\r\n" + HOST + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n" + LAST)
    assert answered.count(b"HTTP/1.1 200 OK") == 2


def test_websocket_goes_to_uvicorns_implementation() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "websocket"
        await receive()
        await send({"type": "websocket.accept"})
        message = await receive()
        await send({"type": "websocket.send", "text": message["text"].upper()})
        await send({"type": "websocket.close", "code": 1000})

    async def talk(port: int) -> str | bytes:
        async with websockets.connect(f"ws://127.0.0.1:{port}/chat") as client:
            await client.send("hello")
            return await client.recv()

    with edge(application) as door:
        assert asyncio.run(talk(door.port)) == "HELLO"


# Early hints


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_early_hints_go_ahead_of_the_response_to_who_knows_them(version: bytes) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert "http.response.early_hint" in scope["extensions"]
        await send({"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload", b"</b.js>; rel=preload"]})
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    with edge(application) as door, door.connect() as client:
        client.sendall(b"GET / HTTP/" + version + b"\r\n" + HOST + b"Connection: close\r\n\r\n")
        answered = until_closed(client)
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nlink: </b.js>; rel=preload\r\n\r\n"
    assert answered.startswith(early + b"HTTP/1.1 200 " if version == b"1.1" else b"HTTP/1.1 200 ")


# 100-continue

EXPECT = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nExpect: 100-Continue\r\n\r\n"


def test_100_is_sent_when_the_application_wants_the_body() -> None:
    with edge(echo) as door, door.connect() as client:
        client.sendall(EXPECT)
        assert until(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc")
        assert until(client, b"POST / abc").startswith(b"HTTP/1.1 200 OK")


def test_a_final_answer_instead_of_100_closes_because_the_body_may_or_may_not_follow() -> None:
    with edge(answering(start(403, (b"content-length", b"0")), body())) as door:
        answered = door.talk(EXPECT)
    assert answered.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert b"100 Continue" not in answered
    assert b"connection: close" in answered


def test_nothing_follows_the_refusal_of_a_body_that_came_unasked() -> None:
    chunked = EXPECT.replace(b"Content-Length: 3", b"Transfer-Encoding: chunked")
    with edge(echo) as door:
        answered = door.talk(chunked + b"?\r\nx")
    assert answered.startswith(b"HTTP/1.1 400 ") and answered.count(b"HTTP/1.1 ") == 1


# Responses


@pytest.mark.parametrize(
    ("method", "status"), [(b"HEAD", 200), (b"HEAD", 204), (b"HEAD", 304), (b"GET", 204), (b"GET", 304)]
)
@pytest.mark.parametrize("length", [None, b"0", b"1234"])
def test_bodiless_responses_leave_the_connection_usable(method: bytes, status: int, length: bytes | None) -> None:
    headers = [(b"content-length", length)] if length else []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/last":
            await answer(send, b"done")
        else:
            await send(start(status, *headers))
            await send(body(b"nobody may see this"))

    with edge(application) as door:
        answered = door.talk(method + b" / HTTP/1.1\r\n" + HOST + b"\r\n" + LAST)
    assert answered.startswith(b"HTTP/1.1 %d " % status)
    assert answered.endswith(b"\r\n\r\ndone")
    assert b"nobody" not in answered
    first = answered.partition(b"\r\n\r\n")[0]
    assert b"transfer-encoding" not in first
    assert (b"content-length: " + (length or b"-") in first) is (length is not None and status != 204)


def test_statuses_above_599_and_the_origins_reason_pass() -> None:
    with edge(answering(start(999, (b"content-length", b"0"), reason=b"Request D\xe9nied"), body())) as door:
        assert door.talk(LAST).startswith(b"HTTP/1.1 999 Request D\xe9nied\r\n")
    with edge(answering(start(200, (b"content-length", b"0"), reason=b""), body())) as door:
        assert door.talk(LAST).startswith(b"HTTP/1.1 200 \r\n")
    with edge(answering(start(799, (b"content-length", b"0")), body())) as door:
        assert door.talk(LAST).startswith(b"HTTP/1.1 799 Unknown\r\n")


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(start(200, (b"X-A", b"a\r\nSet-Cookie: b=c")), id="value"),
        pytest.param(start(200, (b"X-A\r\nX-B", b"a")), id="name"),
        pytest.param(start(200, (b"X A", b"a")), id="name-with-a-space"),
        pytest.param(start(200, reason=b"OK\r\nX: y"), id="reason"),
    ],
)
def test_a_response_head_that_would_be_split_is_a_500(head: dict[str, Any]) -> None:
    with edge(answering(head, body())) as door:
        assert door.talk(LAST).startswith(b"HTTP/1.1 500 ")


def test_header_names_keep_the_origins_case_and_nothing_is_added() -> None:
    with edge(answering(start(200, (b"X-Thing", b"a"), (b"Set-Cookie", b"a"), (b"Set-Cookie", b"b")), body())) as door:
        sent = door.talk(GET + LAST).partition(b"\r\n\r\n")[0]
    assert sent == b"HTTP/1.1 200 OK\r\nX-Thing: a\r\nSet-Cookie: a\r\nSet-Cookie: b\r\ntransfer-encoding: chunked"


def test_date_is_added_only_where_the_origin_sent_none() -> None:
    with edge(answering(start(200, (b"Date", b"then"), (b"content-length", b"0")), body()), date_header=True) as door:
        head = door.talk(LAST)
    assert head.lower().count(b"\r\ndate:") == 1
    assert b"Date: then" in head
    with edge(answering(start(200, (b"content-length", b"0")), body()), date_header=True) as door:
        assert door.talk(LAST).lower().count(b"\r\ndate:") == 1


@pytest.mark.parametrize("framing", [(), ((b"transfer-encoding", b"chunked"),)], ids=["none", "chunked"])
def test_http_1_0_clients_never_get_chunks(framing: tuple[tuple[bytes, bytes], ...]) -> None:
    with edge(answering(start(200, *framing), body(b"abc", True), body(b"def"))) as door:
        answered = door.talk(b"GET / HTTP/1.0\r\n" + HOST + b"Connection: keep-alive\r\n\r\n")
    head, _, rest = answered.partition(b"\r\n\r\n")
    assert rest == b"abcdef"
    assert b"chunked" not in head
    assert b"connection: close" in head


def test_length_and_chunked_together_leave_as_one_framing() -> None:
    both = start(200, (b"Content-Length", b"3"), (b"Transfer-Encoding", b"chunked"))
    with edge(answering(both, body(b"abc"))) as door:
        answered = door.talk(LAST)
    assert b"chunked" not in answered
    assert answered.endswith(b"\r\n\r\nabc")


def test_connection_close_of_client_or_application_is_honoured() -> None:
    with edge(echo) as door:
        assert b"\r\nconnection: close\r\n" in door.talk(LAST + GET)
        assert len(door.scopes) == 1
    with edge(answering(start(200, (b"content-length", b"0"), (b"Connection", b"close")), body())) as door:
        assert b"\r\nconnection: close\r\n" in door.talk(GET)


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param(
            (start(200, (b"content-length", b"9")), body(b"abc", True), {"type": "optout_gate.abort"}), id="abort"
        ),
        pytest.param((start(200), body(b"abc", True)), id="chunked-without-end"),
        pytest.param((start(200, (b"content-length", b"9")), body(b"abc")), id="shorter-than-announced"),
    ],
)
def test_a_response_cut_in_the_middle_shows_as_cut(messages: tuple[dict[str, Any], ...]) -> None:
    with edge(answering(*messages)) as door:
        answered = door.talk(GET)
    assert not answered.endswith(b"0\r\n\r\n")
    assert b"content-length: 3" not in answered


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param((start(), body(b"abc", True), {"type": "optout_gate.abort"}), id="abort"),
        pytest.param((start(), body(b"abc", True)), id="returned-too-soon"),
        pytest.param((start(), body(b"abc", True), {"type": "nonsense"}), id="a-mistake"),
    ],
)
def test_a_response_that_ends_with_its_connection_is_cut_by_a_reset(messages: tuple[dict[str, Any], ...]) -> None:
    """Nginx as it is distributed asks in HTTP/1.0, and keeps what ends like any other answer."""
    with edge(answering(*messages)) as door, door.connect() as client, pytest.raises(ConnectionResetError):
        client.sendall(b"GET / HTTP/1.0\r\n" + HOST + b"\r\n")
        while client.recv(65536):
            pass


def test_busy_servers_answer_503_and_recover() -> None:
    release: list[asyncio.Event] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/wait":
            release.append(asyncio.Event())
            await release[0].wait()
        await answer(send, b"served")

    with edge(application, limit_concurrency=1) as door, door.connect() as first:
        idle = [door.connect() for _ in range(5)]  # idle connections do not count
        first.sendall(b"GET /wait HTTP/1.1\r\n" + HOST + b"\r\n")
        while not release:
            time.sleep(0.005)
        busy = door.talk(LAST)
        assert door.loop is not None
        door.loop.call_soon_threadsafe(release[0].set)
        assert until(first, b"served").startswith(b"HTTP/1.1 200 ")
        assert door.talk(LAST).endswith(b"served")
        for client in idle:
            client.close()
    assert busy.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in busy


# Time

SHORT = ServerLimits(header_s=0.3, body_idle_s=0.3, keepalive_s=0.3, send_idle_s=0.3, linger_s=0.2)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"", b"", id="silent"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: shop", b"HTTP/1.1 408 ", id="half-a-head"),
        pytest.param(EXPECT.replace(b"Expect: 100-Continue\r\n", b"") + b"a", b"HTTP/1.1 408 ", id="half-a-body"),
        pytest.param(GET, b"HTTP/1.1 200 ", id="idle-after-a-response"),
        pytest.param(GET + b"GET / HT", b"HTTP/1.1 200 ", id="half-a-second-head"),
    ],
)
def test_a_client_that_stalls_is_closed(sent: bytes, status: bytes) -> None:
    with edge(echo, SHORT) as door:
        answered = door.talk(sent)
    assert answered.startswith(status)
    assert bool(answered) is bool(status)


def test_a_head_that_drips_is_closed_all_the_same() -> None:
    with edge(echo, SHORT) as door, door.connect() as client:
        begun = time.monotonic()
        with pytest.raises(OSError):
            for byte in b"GET / HTTP/1.1\r\nX: " + b"a" * 400:
                client.sendall(bytes([byte]))
                time.sleep(0.02)
        assert time.monotonic() - begun < 5
        assert door.scopes == []


def test_a_body_that_drips_within_the_time_is_read_to_its_end() -> None:
    with edge(echo, SHORT) as door, door.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\n")
        for _ in range(10):
            client.sendall(b"x")
            time.sleep(0.1)
        assert until(client, b"xxxxx").endswith(b"POST / xxxxxxxxxx")


def test_an_application_may_take_its_time() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(1.0)
        await answer(send, b"done")

    with edge(slow, SHORT) as door:
        assert door.talk(GET).endswith(b"done")


def test_a_client_that_does_not_read_is_cut() -> None:
    gone: list[bool] = []

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await read_body(receive)
        await send(start(200))
        leaving = asyncio.ensure_future(receive())
        while not leaving.done():
            await send(body(b"x" * 65536, True))
            await asyncio.sleep(0)
        gone.append(True)

    with edge(endless, SHORT) as door, door.connect() as client:
        client.sendall(GET)
        deadline = time.monotonic() + 5
        while not gone and time.monotonic() < deadline:
            time.sleep(0.02)
    assert gone == [True]


def test_a_client_that_leaves_is_noticed_by_the_application() -> None:
    seen: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await read_body(receive)
        seen.append((await receive())["type"])

    with edge(application) as door:
        client = door.connect()
        client.sendall(GET)
        while not door.scopes:
            time.sleep(0.005)
        client.close()
        deadline = time.monotonic() + 5
        while not seen and time.monotonic() < deadline:
            time.sleep(0.005)
    assert seen == ["http.disconnect"]


# Bounds


def resident_bytes(pid: int | str = "self") -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


FLOODS = [
    pytest.param(b"GET / HTTP/1.1\r\n" + HOST + b"X: ", id="one-huge-field"),
    pytest.param(
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: ", id="one-huge-trailer"
    ),
    pytest.param(
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1;x=", id="one-huge-chunk-extension"
    ),
]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
@pytest.mark.parametrize("beginning", FLOODS)
def test_20_mb_without_an_end_are_refused_and_not_kept(beginning: bytes) -> None:
    with edge(echo) as door:
        door.talk(LAST)
        before = resident_bytes()
        piece = b"a" * 65536
        received = b""
        with door.connect() as client:
            try:
                client.sendall(beginning)
                for _ in range(320):
                    client.sendall(piece)
            except ConnectionError:
                pass
            else:
                received = until_closed(client)
        grown = resident_bytes() - before
    assert grown < 5_000_000
    assert received == b"" or received.startswith(b"HTTP/1.1 4")


def test_a_slow_application_holds_the_upload_back() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        while scope["extensions"]:  # until the client leaves
            await asyncio.sleep(0.05)

    with edge(slow) as door, door.connect(0.5) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        client.sendall(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999\r\n\r\n")
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 50_000_000:
                sent += client.send(b"x" * 65536)
        door.scopes[0]["extensions"].clear()
    assert sent < 20_000_000


# The end


SERVED = """
import asyncio, socket, sys, uvicorn
from optout_gate.proxy.protocol import ServerLimits, gate_protocol

async def application(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await asyncio.sleep(0.5)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"done"})

server = uvicorn.Server(uvicorn.Config(application, http=gate_protocol(ServerLimits()), lifespan="off",
                                       log_config=None, timeout_graceful_shutdown=2))
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
asyncio.run(server.serve(sockets=[listening]))
"""


def test_sigterm_finishes_what_is_under_way_and_does_not_wait_for_a_stalled_upload() -> None:
    process = subprocess.Popen([sys.executable, "-c", SERVED], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    door = Edge(int(process.stdout.readline()))
    try:
        with door.connect() as stalled, door.connect() as idle, door.connect() as asking:
            idle.sendall(GET)
            until(idle, b"done")
            stalled.sendall(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\nabc")
            asking.sendall(GET)
            time.sleep(0.2)
            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            answered = until_closed(asking)
            assert until_closed(idle) == b""
            process.wait(8)
        assert answered.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in answered
        assert answered.endswith(b"done")
        assert time.monotonic() - begun < 7
    finally:
        process.kill()
        process.wait()
        process.stdout.close()

"""Bodies stream both ways, visitors who leave are noticed, and WebSockets pass."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from support.processes import Gate, get, running_gate

EVENTS = 5
STEP_S = 0.2


class Site:
    """An origin that answers slowly, reads slowly, echoes, and remembers who left."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.seen = asyncio.Event()
        self.arrivals: list[float] = []

    async def events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number in range(EVENTS):
            await response.write(b"data: %d\n\n" % number)
            await asyncio.sleep(STEP_S)
        return response

    async def shell(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/html; charset=utf-8"})
        await response.prepare(request)
        await response.write(b"<!doctype html><title>Shop</title><p>first")
        await self.seen.wait()
        self.seen.clear()
        await response.write(b"<p>rest")
        return response

    async def endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 1024)
                await asyncio.sleep(0.05)
        except (ConnectionError, asyncio.CancelledError):
            self.left.set()
            raise

    async def upload(self, request: web.Request) -> web.Response:
        self.arrivals.clear()
        size = 0
        async for chunk in request.content.iter_any():
            size += len(chunk)
            self.arrivals.append(time.monotonic())
        return web.Response(text=str(size))

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=["chat"])
        await socket.prepare(request)
        async for message in socket:
            if message.data == "bye":
                await socket.close(code=4001, message=b"done")
            elif message.type is aiohttp.WSMsgType.BINARY:
                await socket.send_bytes(message.data[::-1])
            else:
                await socket.send_str(f"{message.data} at {request.raw_path} by {request.headers.get('Via')}")
        return socket

    async def refused(self, request: web.Request) -> web.Response:
        return web.Response(status=403, text="members only")


@pytest.fixture
async def site() -> AsyncIterator[tuple[Site, str]]:
    running = Site()
    app = web.Application()
    for path in ("events", "shell", "endless", "socket", "refused"):
        app.router.add_get(f"/{path}", getattr(running, path))
    app.router.add_post("/upload", running.upload)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    port = runner.addresses[0][1]
    yield running, f"http://127.0.0.1:{port}"
    await runner.cleanup()


@contextlib.asynccontextmanager
async def gate_before(url: str) -> AsyncIterator[tuple[Gate, str]]:
    manager = running_gate("--upstream", url)
    gate = await asyncio.to_thread(manager.__enter__)
    try:
        yield gate, f"http://127.0.0.1:{gate.address[1]}"
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)


async def test_events_arrive_as_they_are_sent(site: tuple[Site, str]) -> None:
    async with gate_before(site[1]) as (_, url), aiohttp.ClientSession() as client:
        arrivals: list[float] = []
        async with client.get(f"{url}/events", headers={"Sec-GPC": "1"}) as response:
            async for _ in response.content.iter_any():
                arrivals.append(time.monotonic())
        assert len(arrivals) >= EVENTS
        assert arrivals[-1] - arrivals[0] >= STEP_S * (EVENTS - 2), "they came in one piece"


async def test_a_page_that_its_origin_streams_is_begun_before_it_ends(site: tuple[Site, str]) -> None:
    async with gate_before(site[1]) as (_, url), aiohttp.ClientSession() as client, asyncio.timeout(60):
        for way in ("long", "short"):  # the first request finds no idle connection to the origin
            page = b""
            async with client.get(f"{url}/shell", headers={"Sec-GPC": "1"}) as response:
                async for piece in response.content.iter_any():
                    page += piece
                    if b"<p>first" in page:
                        site[0].seen.set()
            assert page.endswith(b"<p>rest") and b"/_optout/guard.js" in page, way


async def test_an_upload_reaches_the_origin_while_it_is_being_sent(site: tuple[Site, str]) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        for _ in range(EVENTS):
            yield b"x" * 1000
            await asyncio.sleep(STEP_S)

    running, origin = site
    async with gate_before(origin) as (_, url), aiohttp.ClientSession() as client:
        async with client.post(f"{url}/upload", data=slowly()) as response:
            assert await response.text() == str(1000 * EVENTS)
        assert running.arrivals[-1] - running.arrivals[0] >= STEP_S * (EVENTS - 2)


async def test_an_origin_hears_that_a_visitor_left(site: tuple[Site, str]) -> None:
    running, origin = site
    async with gate_before(origin) as (_, url):
        async with aiohttp.ClientSession() as client, client.get(f"{url}/endless") as response:
            await response.content.readany()
        await asyncio.wait_for(running.left.wait(), 5)


async def test_a_websocket_passes_with_its_subprotocol_url_and_close_code(site: tuple[Site, str]) -> None:
    async with (
        gate_before(site[1]) as (_, url),
        aiohttp.ClientSession() as client,
        client.ws_connect(URL(f"{url}/socket?x=%2f", encoded=True), protocols=["chat"]) as socket,
    ):
        assert socket.protocol == "chat"
        await socket.send_str("hello")
        assert await socket.receive_str() == "hello at /socket?x=%2f by 1.1 optout-gate"
        await socket.send_bytes(b"abc")
        assert await socket.receive_bytes() == b"cba"
        await socket.send_str("bye")
        closed = await socket.receive()
        assert (closed.type, closed.data, closed.extra) == (aiohttp.WSMsgType.CLOSE, 4001, "done")


async def test_a_websocket_is_answered_as_its_origin_answers_with_one_outcome(site: tuple[Site, str]) -> None:
    signal = {"Sec-GPC": "1", "Cookie": "_ga=GA1.1.1.1; own=1"}
    beacon = "/g/collect?v=2&tid=G-ABC123"
    async with gate_before(site[1]) as (gate, url), aiohttp.ClientSession() as client:
        async with client.ws_connect(f"{url}/socket", headers=signal) as accepted:
            told = [accepted._response.headers["Optout-Gate"]]
        for path, headers, status in (("/refused", {}, 403), ("/refused", signal, 403), (beacon, signal, 403)):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect(f"{url}{path}", headers=headers)
            assert refused.value.status == status
            assert refused.value.headers is not None
            told.append(refused.value.headers.get("Optout-Gate", ""))
        _, metrics = await asyncio.to_thread(get, gate.admin, "/metrics")
    assert [each.partition(";policy=")[0] for each in told] == [
        "enforced;removed=1", "", "enforced;removed=1", "enforced;removed=2",
    ]  # fmt: skip
    for series in (
        'decision="enforced",signal="gpc",site="*"} 3.0',
        'decision="untouched",signal="none",site="*"} 1.0',
    ):
        assert f"optout_gate_requests_total{{{series}".encode() in metrics

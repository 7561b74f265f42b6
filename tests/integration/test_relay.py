"""The short way through the proxy does what the long way does, byte for byte, and ends as it ends.

Both run in one process, before one origin that answers by hand. An exchange takes the short way once a connection to the
origin stands, so every visitor here asks for something small first.
"""

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from optout_gate.gate import Gate
from optout_gate.http import Headers
from optout_gate.policy.load import load_text
from optout_gate.proxy.app import ProxyApp
from optout_gate.proxy.known_heads import MOST_HEADS, Head, KnownHeads
from optout_gate.proxy.protocol import GateProtocol, ServerLimits, gate_protocol
from optout_gate.proxy.protocol_head import Meaning
from optout_gate.proxy.visitors import running_server
from optout_gate.telemetry.metrics import Metrics

TIMEOUT_S = 20
PAGE = (
    b'<!doctype html><title>Shop</title><script src="https://www.googletagmanager.com/gtm.js?id=GTM-1"></script><p>Hi'
)
LONG = bytes(range(256)) * 4000
GPC = b"Sec-GPC: 1\r\n"


def answer(*fields: bytes, body: bytes = b"", status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join((b"HTTP/1.1 " + status, *fields, b"Content-Length: %d" % len(body), b"", body))


ANSWERS: dict[bytes, Sequence[bytes]] = {
    b"/warm": [answer(body=b"warm")],
    b"/text": [answer(b"Content-Type: text/plain", b"X-Odd:  caf\xe9 ", b"Date: Mon, 01 Jan 2024 00:00:00 GMT", body=b"text")],
    b"/page": [answer(b"Content-Type: text/html", b'ETag: "1"', body=PAGE)],
    b"/page?in=pieces": [answer(b"Content-Type: text/html", body=PAGE)[:150], answer(b"Content-Type: text/html", body=PAGE)[150:]],
    b"/cookies": [answer(b"Set-Cookie: sid=1; HttpOnly", b"Set-Cookie: _ga=GA1.2.1.1; Domain=.shop.test", body=b"x")],
    b"/chunked": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b"6\r\n world\r\n0\r\nSec-GPC: 1\r\n\r\n"],
    b"/until-the-end": [b"HTTP/1.0 200 Fine by me\r\nContent-Type: text/css\r\n\r\nbody{}", b" p{}"],
    b"/app.js": [answer(b"Content-Type: text/javascript", b"Date: Mon, 01 Jan 2024 00:00:00 GMT", body=b"1")],
    b"/unknown": [answer(b"Date: Mon, 01 Jan 2024 00:00:00 GMT", b"Connection: close", body=b"?")],
    b"/nothing": [b"HTTP/1.1 204 No Content\r\n\r\n"],
    b"/same": [b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nContent-Length: 7\r\n\r\n'],
    b"/odd": [b"HTTP/1.1 999 Request denied\r\nContent-Length: 2\r\n\r\nno"],
    b"/hinted": [b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n", answer(body=b"hinted")],
    b"/long": [answer(b"Content-Type: application/octet-stream", body=LONG)],
    b"/broken-off": [answer(b"Content-Type: text/plain", body=LONG)[:70000]],
    b"/page-broken-off": [answer(b"Content-Type: text/html", body=PAGE * 2000)[:170000]],
    b"/not-http": [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"],
}  # fmt: skip
LEAVES_AFTER = frozenset({b"/until-the-end", b"/broken-off", b"/page-broken-off", b"/not-http"})
MUCH = 64 * 1024 * 1024
"""More than every buffer between a visitor and an origin holds."""


def heads_alone(pieces: Sequence[bytes]) -> list[bytes]:
    """Return an answer as it is to HEAD."""
    whole = b"".join(pieces)
    return [whole[: whole.index(b"\r\n\r\n", whole.rindex(b"HTTP/1.")) + 4]]


class Origin:
    """Answers from the table. Keeps the request heads it got."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.stalls = asyncio.Event()
        self.left = asyncio.Event()
        self.sent = 0  # of the long answer
        self.under_way: set[asyncio.Task[None]] = set()

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer what comes over a connection."""
        self.under_way.add(asyncio.create_task(self.serve(reader, writer)))

    async def end(self) -> None:
        """Let go of every connection."""
        for task in self.under_way:
            task.cancel()
        await asyncio.gather(*self.under_way, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                target = head.split(b" ")[1]
                if target == b"/closing":
                    if sum(each.startswith(b"GET /closing ") for each in self.heads) == 1:
                        break  # in the moment the request came
                    writer.write(answer(body=b"at last"))
                elif target == b"/events":
                    await self._events(writer)
                    break
                elif target == b"/much":
                    await self._much(writer)
                elif target == b"/silent":
                    await reader.read()
                    break
                else:
                    for piece in ANSWERS[target] if head.startswith(b"GET ") else heads_alone(ANSWERS[target]):
                        writer.write(piece)
                        await writer.drain()
                        await asyncio.sleep(0.01)
                if target in LEAVES_AFTER:
                    break

    async def _events(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        await self.stalls.wait()
        try:
            while True:
                writer.write(b"4\r\ndata\r\n")
                await writer.drain()
                await asyncio.sleep(0.01)
        finally:
            self.left.set()

    async def _much(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MUCH)
        while self.sent < MUCH:
            writer.write(b"m" * 65536)
            await writer.drain()
            self.sent += 65536


class Visit:
    """A visitor's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, target: bytes, fields: bytes = b"", method: bytes = b"GET", version: bytes = b"1.1") -> None:
        self.writer.write(b"%b %b HTTP/%b\r\nHost: shop.test\r\n%b\r\n" % (method, target, version, fields))

    async def whole(self, target: bytes, fields: bytes = b"", method: bytes = b"GET") -> bytes:
        """Return all that comes for a request that is the last of its connection."""
        self.say(target, fields + b"Connection: close\r\n", method)
        return await asyncio.wait_for(self.reader.read(), TIMEOUT_S)

    async def small(self, target: bytes, end: bytes, fields: bytes = b"") -> bytes:
        self.say(target, fields)
        return await asyncio.wait_for(self.reader.readuntil(end), TIMEOUT_S)


class Running:
    """A proxy before an origin, in this process."""

    def __init__(self, app: ProxyApp, origin: Origin, upstream: str, protocol: type[GateProtocol]) -> None:
        self.app, self.origin, self.upstream, self.protocol = app, origin, upstream, protocol
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.server: uvicorn.Server = running_server(app, http=protocol, lifespan="off", drain_timeout_s=1)
        self.relayed: list[bytes] = []
        self.visits: list[Visit] = []

    async def stranger(self) -> Visit:
        visit = Visit(*await asyncio.open_connection("127.0.0.1", self.listener.getsockname()[1]))
        self.visits.append(visit)
        return visit

    async def visit(self) -> Visit:
        """Return a connection that has asked once, so that a connection to the origin is there."""
        visit = await self.stranger()
        await visit.small(b"/warm", b"warm")
        self.relayed.clear()
        return visit


@contextlib.asynccontextmanager
async def proxy(*, short: bool, limits: ServerLimits | None = None, further: str = "") -> AsyncIterator[Running]:
    origin = Origin()
    async with await asyncio.start_server(origin.take, "127.0.0.1", 0) as there:
        upstream = f"http://127.0.0.1:{there.sockets[0].getsockname()[1]}"
        text = f"version: 1\nsites: [{{hosts: [shop.test], upstream: '{upstream}'}}]\n{further}"
        gate = Gate(load_text(text, file="test.yaml", folder=Path()), clock=time.perf_counter)
        app = ProxyApp(gate, Metrics())
        running = Running(app, origin, upstream, gate_protocol(limits or ServerLimits()))
        begin = app.relay

        def noted(protocol: Any, head: Any, target: bytes, **how: Any) -> Any:
            relay = begin(protocol, head, target, **how) if short else None
            if relay is not None:
                running.relayed.append(target)
            return relay

        app.relay = noted
        task = asyncio.create_task(running.server.serve(sockets=[running.listener]))
        while not running.server.started:
            await asyncio.sleep(0.01)
        try:
            yield running
        finally:
            for visit in running.visits:
                visit.writer.transport.abort()
            await origin.end()
            running.server.should_exit = True
            await task
            await app.close()
            running.listener.close()


DATE = re.compile(rb"Date: (?!Mon, 01 Jan 2024)[^\r]*\r\n")
"""A Date that the gate put on an answer."""


@pytest.mark.parametrize(
    "fields",
    [
        b"",
        GPC,
        b"Sec-Fetch-Mode: navigate\r\n",
        b"Sec-Fetch-Dest: worker\r\n",
        b"Sec-Fetch-Dest: image\r\n",
        GPC + b"Cookie: _ga=1; a=b\r\n",
    ],
)
async def test_both_ways_send_the_same_to_visitor_and_origin(fields: bytes) -> None:
    answered: dict[bool, list[bytes]] = {}
    asked: dict[bool, list[bytes]] = {}
    for short in (True, False):
        async with proxy(short=short) as running:
            got = []
            for target in ANSWERS:
                for method in (b"GET", b"HEAD", b"GET"):
                    visit = await running.visit()
                    got.append(DATE.sub(b"", await visit.whole(target, fields, method)))
                    assert running.relayed == ([target] if short else [])
            answered[short], asked[short] = got, running.origin.heads
    assert answered[True] == answered[False]
    assert asked[True] == asked[False]


async def test_a_page_is_rewritten_the_short_way_and_the_next_visitor_gets_it_untouched() -> None:
    async with proxy(short=True) as running:
        opted_out, other = await running.visit(), await running.visit()
        clean, plain = await opted_out.whole(b"/page", GPC), await other.whole(b"/page")
        assert running.relayed == [b"/page", b"/page"]
    assert b"googletagmanager" not in clean and b"Optout-Gate: enforced" in clean
    assert plain.endswith(b"\r\n\r\n" + PAGE) and b"Optout-Gate" not in plain


async def test_a_head_that_came_before_is_known_at_every_address() -> None:
    async with proxy(short=True) as running:
        visit = await running.visit()
        fields = b"User-Agent: one\r\nCookie: a=b\r\n"
        for target, end in ((b"/text", b"text"), (b"/warm", b"warm"), (b"/text", b"text"), (b"/page", PAGE)):
            assert (await visit.small(target, b"\r\n\r\n" + end, fields)).startswith(b"HTTP/1.1 200 OK\r\n")
        heads = [head for head in running.origin.heads if b"User-Agent: one" in head]
        known = running.protocol.heads
        assert known.split(b"GET /else HTTP/1.1\r\nHost: shop.test\r\n" + fields + b"\r\n") is not None
    assert [head.split(b" ")[1] for head in heads] == [b"/text", b"/warm", b"/text", b"/page"]
    assert len({head.partition(b"\r\n")[2] for head in heads}) == 1


@pytest.mark.parametrize(
    "line",
    [b"GET /a b HTTP/1.1", b"GET  /a HTTP/1.1", b"GET /a HTTP/1.0", b"GET /a#b HTTP/1.1", b"GET http://a/ HTTP/1.1",
     b"GET * HTTP/1.1", b"POST /a HTTP/1.1", b"get /a HTTP/1.1", b"GET /\xff HTTP/1.1", b"GET /a HTTP/1.1\r",
     b"\r\nGET /a HTTP/1.1", b"GET /\x00 HTTP/1.1", b"GET /a HTTP/1.1 "],
)  # fmt: skip
def test_another_request_line_than_the_usual_is_parsed_though_its_head_is_known(line: bytes) -> None:
    heads, block = KnownHeads(), b"Host: shop.test\r\n\r\n"
    heads.remember(b"GET / HTTP/1.1\r\n" + block, head_of_version("1.1"))
    assert heads.split(b"GET /a?b=%20 HTTP/1.1\r\n" + block) is not None
    assert heads.split(line + b"\r\n" + block) is None


def head_of_version(version: str) -> Head:
    return Head("GET", version, Headers(), Meaning(True, False, 0, False), {})


def test_what_is_more_than_one_usual_head_is_not_remembered() -> None:
    heads, block = KnownHeads(), b"Host: shop.test\r\n\r\n"
    heads.remember(b"GET / HTTP/1.0\r\n" + block, head_of_version("1.0"))
    heads.remember(b"GET / HTTP/1.1\r\n" + block + b"GET / HTTP/1.1\r\n" + block, head_of_version("1.1"))
    heads.remember(b"GET / HTTP/1.1\r\n" + b"A: " + b"a" * 9000 + b"\r\n" + block, head_of_version("1.1"))
    assert heads.split(b"GET / HTTP/1.1\r\n" + block) is None
    for number in range(3 * MOST_HEADS):
        heads.remember(b"GET / HTTP/1.1\r\nN: %d\r\n\r\n" % number, head_of_version("1.1"))
    assert len(heads) == MOST_HEADS


async def test_a_reload_forgets_what_followed_from_the_heads_before() -> None:
    async with proxy(short=True) as running:
        visit = await running.visit()
        await visit.small(b"/page", PAGE)
        site = f"version: 1\nsites: [{{hosts: [shop.test], upstream: '{running.upstream}'}}]\n"
        always = load_text(site + "policies: {default: {always: ['/page']}}", file="test.yaml", folder=Path())
        running.app.gate = Gate(always, clock=time.perf_counter)
        assert b"googletagmanager" not in await visit.whole(b"/page")


async def test_the_head_of_a_stream_comes_before_its_first_event() -> None:
    async with proxy(short=True) as running:
        visit = await running.visit()
        head = await visit.small(b"/events", b"\r\n\r\n")
        assert b"Content-Type: text/event-stream" in head
        running.origin.stalls.set()
        assert await asyncio.wait_for(visit.reader.readuntil(b"data"), TIMEOUT_S)
        visit.writer.transport.abort()
        await asyncio.wait_for(running.origin.left.wait(), TIMEOUT_S)
        assert running.relayed == [b"/events"]


async def test_a_connection_that_the_origin_was_closing_costs_the_visitor_nothing() -> None:
    async with proxy(short=True) as running:
        visit = await running.visit()
        assert (await visit.whole(b"/closing")).endswith(b"at last")
        assert running.relayed == [b"/closing"]
        assert [head.split(b" ")[1] for head in running.origin.heads].count(b"/closing") == 2


async def test_an_origin_that_says_nothing_is_answered_for_in_time() -> None:
    async with proxy(short=True, further="limits: {upstream: {first_byte_s: 0.2}}") as running:
        visit = await running.visit()
        visit.say(b"/silent")
        head = await asyncio.wait_for(visit.reader.readuntil(b"\r\n\r\n"), TIMEOUT_S)
        assert head.startswith(b"HTTP/1.1 504 ")
        assert running.relayed == [b"/silent"]


@pytest.mark.parametrize("short", [True, False])
async def test_requests_in_a_row_are_answered_in_their_order(short: bool) -> None:
    async with proxy(short=short) as running:
        visit = await running.visit()
        for target in (b"/hinted", b"/text", b"/nothing", b"/warm"):
            visit.say(target)
        visit.say(b"/text", b"Connection: close\r\n")
        got = await asyncio.wait_for(visit.reader.read(), TIMEOUT_S)
        assert re.findall(rb"HTTP/1.1 (\d+)", got) == [b"200", b"200", b"204", b"200", b"200"]
        assert [got.index(word) for word in (b"hinted", b"text", b"warm")] == sorted(
            got.index(word) for word in (b"hinted", b"text", b"warm")
        )


async def test_a_visitor_who_reads_slowly_holds_the_origin_back() -> None:
    async with proxy(short=True) as running:
        visit = await running.visit()
        visit.say(b"/much")
        await asyncio.sleep(0.5)
        sent = running.origin.sent
        assert sent < MUCH, "all of it was taken from the origin, though nobody read it"
        body = 0
        await visit.reader.readuntil(b"\r\n\r\n")
        while body < MUCH:
            body += len(await asyncio.wait_for(visit.reader.read(1 << 16), TIMEOUT_S))
        assert running.relayed == [b"/much"] and body == MUCH


async def test_told_to_stop_it_lets_the_answer_under_way_end_and_then_the_connection_go() -> None:
    async with proxy(short=True) as running:
        visit = await running.visit()
        await visit.small(b"/events", b"\r\n\r\n")
        running.protocol.draining = True
        other = await asyncio.wait_for((await running.stranger()).whole(b"/text"), TIMEOUT_S)
        assert b"connection: close" in other
        running.server.should_exit = True
        assert await asyncio.wait_for(visit.reader.read(), TIMEOUT_S) == b"", "cut, and not ended"


async def test_no_more_exchanges_are_under_way_than_may_be() -> None:
    async with proxy(short=True, limits=ServerLimits(requests=1)) as running:
        first, second = await running.visit(), await running.visit()
        await first.small(b"/events", b"\r\n\r\n")
        assert (await second.whole(b"/text")).startswith(b"HTTP/1.1 503 ")


async def test_what_is_counted_is_exact_whichever_way() -> None:
    counted = []
    for short in (True, False):
        async with proxy(short=short) as running:
            for fields in (b"", GPC, b"", b"DNT: 1\r\n"):
                await (await running.visit()).whole(b"/page", fields)
            await asyncio.sleep(0)
            seen = {}
            for family in running.app.metrics.registry.collect():
                for sample in family.samples:
                    if sample.name.endswith(("_total", "_count", "_requests")) and "timestamp" not in sample.name:
                        seen[sample.name, *sorted(sample.labels.items())] = sample.value
            counted.append(seen)
    assert counted[0] == counted[1]
    assert counted[0]["optout_gate_inflight_requests",] == 0
    assert counted[0]["optout_gate_request_duration_seconds_count",] == 8

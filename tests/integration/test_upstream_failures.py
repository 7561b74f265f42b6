"""The client toward the origin, against origins that misbehave: one each, on both event loops."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator

import pytest

from optout_gate.errors import UpstreamError
from optout_gate.http import Headers
from optout_gate.proxy.upstream import REASONS, Upstream, UpstreamAddress, UpstreamLimits, UpstreamResponse
from optout_gate.proxy.upstream_name import AddressInfo, OriginName
from support.origin import Origin, Peer, origin, repeating

HEADERS = Headers([(b"Host", b"shop.example")])
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def get(running: Origin, method: str = "GET") -> bytes:
    return await rest(await running.upstream.send(method, b"/", HEADERS))


async def rest(response: UpstreamResponse) -> bytes:
    body = b""
    while piece := await response.read():
        body += piece
    return body


async def failure(running: Origin, method: str = "GET") -> UpstreamError:
    with pytest.raises(UpstreamError) as raised:
        await get(running, method)
    assert raised.value.status == REASONS[raised.value.reason]
    return raised.value


# Responses that mean two things, or nothing

CHUNKED = b"Transfer-Encoding: chunked"


def head(*lines: bytes, status: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"".join(line + b"\r\n" for line in (status, *lines)) + b"\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(head(b"Content-Length: 3", b"Transfer-Encoding: chunked") + b"0\r\n\r\n", id="length-and-chunked"),
        pytest.param(head(b"Content-Length: 3", b"Content-Length: 3") + b"abc", id="length-twice-the-same"),
        pytest.param(head(b"Content-Length: 3", b"Content-Length: 4") + b"abcd", id="length-twice"),
        pytest.param(head(b"Content-Length: 3, 3") + b"abc", id="length-list"),
        pytest.param(head(b"Content-Length: +3") + b"abc", id="length-plus"),
        pytest.param(head(b"Content-Length: 0x3") + b"abc", id="length-hex"),
        pytest.param(head(b"Content-Length: \xb2") + b"abc", id="length-superscript-digit"),
        pytest.param(head(b"Content-Length:") + b"abc", id="length-empty"),
        pytest.param(head(b"Content-Length: 9999999999999999999") + b"abc", id="length-overflows"),
        pytest.param(head(b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n", id="gzip-and-chunked"),
        pytest.param(head(CHUNKED, CHUNKED) + b"0\r\n\r\n", id="te-twice"),
        pytest.param(head(b"Transfer-Encoding: identity") + b"abc", id="identity"),
        pytest.param(head(CHUNKED, status=b"HTTP/1.0 200 OK") + b"0\r\n\r\n", id="te-in-1.0"),
        pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", id="bare-line-feeds"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: a\nY: b\r\n\r\n", id="one-bare-line-feed"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: a\rY: b\r\n\r\n", id="bare-carriage-return"),
        pytest.param(head(b"X: a", b" folded"), id="folded-line"),
        pytest.param(head(b" X: a"), id="space-before-first-field"),
        pytest.param(head(b"X : a"), id="space-before-colon"),
        pytest.param(head(b": a"), id="empty-name"),
        pytest.param(head(b"no colon"), id="no-colon"),
        pytest.param(head(b"X: a\0b"), id="nul-in-value"),
        pytest.param(head(b"X: a\x7fb"), id="delete-in-value"),
        pytest.param(head(b"X\x85: a"), id="eight-bit-name"),
        pytest.param(head(status=b"HTTP/1.1 200 O\rK"), id="carriage-return-in-reason"),
        pytest.param(head(status=b"HTTP/1.1 200 O\0K"), id="nul-in-reason"),
        pytest.param(head(status=b"HTTP/1.1 99 Low"), id="status-of-two-digits"),
        pytest.param(head(status=b"HTTP/1.1 099 Low"), id="status-below-100"),
        pytest.param(head(status=b"HTTP/1.1 1000 High"), id="status-of-four-digits"),
        pytest.param(head(status=b"HTTP/1.1 +20 OK"), id="status-with-sign"),
        pytest.param(head(status=b"HTTP/1.1  200 OK"), id="two-spaces-before-status"),
        pytest.param(head(status=b"HTTP/2 200"), id="http-2"),
        pytest.param(head(status=b"HTTP/1.2 200 OK"), id="http-1.2"),
        pytest.param(head(status=b"ICY 200 OK"), id="not-http"),
        pytest.param(b"\r\n" + OK, id="empty-line-first"),
        pytest.param(head(b"Upgrade: foo", status=b"HTTP/1.1 101 Switching"), id="101-unasked"),
        pytest.param(head(status=b"HTTP/1.1 100 Continue") * 100 + OK, id="endless-interim-responses"),
        pytest.param(head(CHUNKED) + b"zz\r\n", id="chunk-size-not-hex"),
        pytest.param(head(CHUNKED) + b"1_0\r\n", id="chunk-size-underscore"),
        pytest.param(head(CHUNKED) + b"1\r\naXX", id="chunk-without-its-end"),
        pytest.param(head(CHUNKED) + b"1\r\na\r\n0\r\nX: " + b"a" * 299_999, id="endless-trailer"),
        pytest.param(head(CHUNKED) + b"1;" + b"a" * 299_999, id="endless-chunk-extension"),
    ],
)
async def test_an_ambiguous_response_is_a_502_and_its_connection_is_closed(answer: bytes) -> None:
    async with origin(repeating(answer)) as running, asyncio.timeout(5):
        error = await failure(running)
        assert (error.status, error.reason) == (502, "protocol")
        assert running.upstream.idle == running.upstream.busy == 0


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 99_999, id="field-without-end"),
        pytest.param(head(b"X: " + b"a" * 70_000), id="long-field"),
        pytest.param(head(*[b"X: y"] * 501), id="501-fields"),
    ],
)
async def test_a_response_head_above_the_limits_is_a_502(answer: bytes) -> None:
    async with origin(repeating(answer)) as running, asyncio.timeout(5):
        assert (await failure(running)).reason == "oversize"


async def test_500_fields_and_64_kib_still_pass() -> None:
    answer = head(b"Content-Length: 0", *[b"X: " + b"a" * 120] * 499)
    async with origin(repeating(answer)) as running, asyncio.timeout(5):
        response = await running.upstream.send("GET", b"/", HEADERS)
        assert len(response.headers) == 500


# Origins that stop


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"])
async def test_closing_before_the_head_is_complete_is_a_502(sent: bytes) -> None:
    async def behave(peer: Peer) -> None:
        await peer.head()
        peer.send(sent)

    async with origin(behave) as running, asyncio.timeout(5):
        assert (await failure(running)).reason == "closed"


@pytest.mark.parametrize("framing", [b"Content-Length: 9", b"Transfer-Encoding: chunked"])
async def test_a_truncated_body_gives_what_came_and_then_an_error(framing: bytes) -> None:
    async def behave(peer: Peer) -> None:
        await peer.head()
        peer.send(head(framing) + b"3\r\nabc\r\n")

    async with origin(behave) as running, asyncio.timeout(5):
        response = await running.upstream.send("GET", b"/", HEADERS)
        received = b""
        with pytest.raises(UpstreamError) as raised:
            while piece := await response.read():
                received += piece
        assert b"abc" in received
        assert raised.value.reason == "truncated"


async def silent(peer: Peer) -> None:
    await peer.reader.read()
    raise ConnectionResetError


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        pytest.param(b"", "first_byte_timeout", id="silence"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", "first_byte_timeout", id="half-a-head"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", "first_byte_timeout", id="only-an-interim-response"),
        pytest.param(head(b"Content-Length: 9") + b"abc", "read_timeout", id="half-a-body"),
        pytest.param(head() + b"abc", "read_timeout", id="body-until-close"),
    ],
)
async def test_a_stalling_origin_is_a_504_and_is_left(sent: bytes, reason: str) -> None:
    async def behave(peer: Peer) -> None:
        await peer.head()
        peer.send(sent)
        await silent(peer)

    async with origin(behave, first_byte_s=0.2, idle_read_s=0.2) as running, asyncio.timeout(5):
        error = await failure(running)
        assert (error.status, error.reason) == (504, reason)
        await asyncio.sleep(0.05)
        assert running.closed == 1


async def test_a_slow_reader_does_not_time_the_origin_out() -> None:
    async with origin(repeating(head(b"Content-Length: 500000") + b"x" * 500_000), idle_read_s=0.1) as running:
        response = await running.upstream.send("GET", b"/", HEADERS)
        received = len(await response.read())
        await asyncio.sleep(0.4)
        assert received + len(await rest(response)) == 500_000


async def test_a_slow_upload_does_not_time_the_origin_out() -> None:
    async def slow() -> AsyncIterator[bytes]:
        for _ in range(4):
            await asyncio.sleep(0.1)
            yield b"x"

    async def behave(peer: Peer) -> None:
        await peer.head()
        await peer.reader.readuntil(b"0\r\n\r\n")
        peer.send(OK)
        await peer.reader.read()

    async with origin(behave, first_byte_s=0.2) as running, asyncio.timeout(5):
        assert await rest(await running.upstream.send("POST", b"/", HEADERS, slow())) == b"ok"


async def test_a_refusal_of_a_body_is_heard_though_the_origin_hung_up_on_the_rest_of_it() -> None:
    gone = threading.Event()

    def refuse(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        peer.recv(1)
        peer.sendall(head(b"Content-Length: 2", b"Connection: close", status=b"HTTP/1.1 413 Too Large") + b"no")
        peer.close()  # with most of the request unread: what is sent from now on is answered by a reset
        gone.set()

    async def body() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        assert gone.wait(10)  # the loop stands still, and has not read what came before it writes again
        yield b"x" * 1000
        await asyncio.sleep(0)
        yield b"x" * 1000

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=refuse, args=(listener,))
        thread.start()
        upstream = Upstream(UpstreamAddress.parse(f"http://127.0.0.1:{listener.getsockname()[1]}"), UpstreamLimits())
        try:
            async with asyncio.timeout(20):
                response = await upstream.send("POST", b"/", HEADERS, body())
                assert (response.status, await rest(response)) == (413, b"no")
                assert upstream.idle == upstream.busy == 0
        finally:
            await upstream.close()
            thread.join()


# Leaving


async def test_cancelling_closes_the_connection() -> None:
    async with origin(silent) as running, asyncio.timeout(5):
        asking = asyncio.ensure_future(get(running))
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.sleep(0.05)
        assert running.closed == 1
        assert running.upstream.busy == 0


async def test_cancelling_a_read_closes_the_connection() -> None:
    async def behave(peer: Peer) -> None:
        await peer.head()
        peer.send(head(b"Content-Length: 9"))
        await silent(peer)

    async with origin(behave) as running, asyncio.timeout(5):
        response = await running.upstream.send("GET", b"/", HEADERS)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(response.read(), 0.05)
        await asyncio.sleep(0.05)
        assert running.closed == 1


async def test_a_response_left_halfway_never_gives_its_rest_to_the_next_request() -> None:
    first = head(b"Content-Length: 400000") + b"SECRET" * 66_666 + b"...."
    async with origin(repeating(first, OK)) as running, asyncio.timeout(5):
        response = await running.upstream.send("GET", b"/", HEADERS)
        await response.read()
        await response.close()
        assert running.upstream.idle == 0
        second = await running.upstream.send("GET", b"/", HEADERS)
        assert (await second.read())[:6] == b"SECRET"  # its own: the connection is a new one
        assert running.opened == 2
        await second.close()


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(OK, id="length"),
        pytest.param(head(CHUNKED) + b"2\r\nok\r\n0\r\n\r\n", id="chunked"),
        pytest.param(head(CHUNKED) + b"2\r\nok\r\n0\r\nX: y\r\n\r\n", id="chunked-with-trailers"),
        pytest.param(head(b"Content-Length: 0"), id="empty"),
    ],
)
async def test_a_second_response_on_the_heels_of_the_first_is_nobodys(first: bytes) -> None:
    second = head(b"Content-Length: 6") + b"SECRET"
    async with origin(repeating(first + second)) as running, asyncio.timeout(5):
        for _ in range(2):
            assert await get(running) == (b"" if b"ok" not in first else b"ok")
            assert running.upstream.idle == 0
        assert running.opened == 2


async def test_closing_fails_what_is_under_way() -> None:
    async with origin(silent) as running, asyncio.timeout(5):
        asking = asyncio.ensure_future(get(running))
        await asyncio.sleep(0.05)
        await running.upstream.close()
        with pytest.raises(UpstreamError) as raised:
            await asking
        assert raised.value.reason == "shutdown"
        assert (await failure(running)).reason == "shutdown"


# Connections kept


async def test_a_connection_is_used_again_and_again() -> None:
    async with origin(repeating(OK)) as running, asyncio.timeout(5):
        for _ in range(20):
            assert await get(running) == b"ok"
        assert running.opened == 1


async def one_answer(peer: Peer) -> None:
    """Answer one request, and close when the next one comes."""
    await peer.head()
    peer.send(OK)
    await peer.head()


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
async def test_a_request_lost_to_a_closing_idle_connection_is_sent_once_more(method: str) -> None:
    async def behave(peer: Peer) -> None:
        await peer.head()
        peer.send(OK if peer.number > 1 or method != "HEAD" else head(b"Content-Length: 2"))
        await peer.head()

    async with origin(behave) as running, asyncio.timeout(5):
        assert await get(running, method if method == "HEAD" else "GET") in (b"ok", b"")
        assert (await running.upstream.send(method, b"/", HEADERS)).status == 200
        assert running.opened == 2
        assert len(running.heads) == 3


async def test_a_post_is_never_sent_twice() -> None:
    async with origin(one_answer) as running, asyncio.timeout(5):
        await get(running)
        assert (await failure(running, "POST")).reason == "closed"
        assert running.opened == 1


async def test_a_request_with_a_body_is_never_sent_twice() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"abc"

    async with origin(one_answer) as running, asyncio.timeout(5):
        await get(running)
        with pytest.raises(UpstreamError, match="closed"):
            await running.upstream.send("PUT", b"/", HEADERS, body())
        assert running.opened == 1


async def test_a_fresh_connection_that_fails_is_not_tried_again() -> None:
    async def behave(peer: Peer) -> None:
        await peer.head()

    async with origin(behave) as running, asyncio.timeout(5):
        assert (await failure(running)).reason == "closed"
        assert running.opened == 1


async def test_a_connection_that_has_answered_a_byte_is_not_tried_again() -> None:
    async def behave(peer: Peer) -> None:
        await peer.head()
        peer.send(OK)
        await peer.head()
        peer.send(b"H")

    async with origin(behave) as running, asyncio.timeout(5):
        await get(running)
        assert (await failure(running)).reason == "closed"
        assert running.opened == 1


async def test_origins_that_close_idle_connections_never_cost_a_get() -> None:
    async def hasty(peer: Peer) -> None:
        for _ in range(3):
            await peer.head()
            peer.send(OK)
        await asyncio.sleep(0.001 * (peer.number % 3))

    async with origin(hasty) as running, asyncio.timeout(20):
        for _ in range(300):
            assert await get(running) == b"ok"
            await asyncio.sleep(0)


async def test_idle_connections_are_closed_in_time() -> None:
    async with origin(repeating(OK), keepalive_s=0.1) as running, asyncio.timeout(5):
        await get(running)
        assert running.upstream.idle == 1
        await asyncio.sleep(0.4)
        assert running.upstream.idle == 0
        assert running.closed == 1


async def test_the_origins_own_keep_alive_time_is_respected() -> None:
    answer = OK.replace(b"\r\n\r\n", b"\r\nKeep-Alive: timeout=1, max=9\r\n\r\n")
    async with origin(repeating(answer), first_byte_s=0.5) as running, asyncio.timeout(5):
        await get(running)
        await asyncio.sleep(0.4)
        assert running.upstream.idle == 0


async def test_bytes_on_an_idle_connection_are_nobodys_response() -> None:
    async def behave(peer: Peer) -> None:
        await peer.head()
        peer.send(OK)
        await asyncio.sleep(0.05)
        peer.send(OK.replace(b"ok", b"NO"))
        await peer.reader.read()

    async with origin(behave) as running, asyncio.timeout(5):
        assert await get(running) == b"ok"
        await asyncio.sleep(0.15)
        assert running.upstream.idle == 0
        assert await get(running) == b"ok"
        assert running.opened == 2


# The pool


async def test_the_pool_is_bounded_and_waiting_for_it_too() -> None:
    async with origin(silent, max_connections=2, pool_wait_s=0.2) as running, asyncio.timeout(5):
        asking = [asyncio.ensure_future(get(running)) for _ in range(2)]
        await asyncio.sleep(0.05)
        error = await failure(running)
        assert (error.status, error.reason) == (503, "pool_timeout")
        assert running.opened == 2
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


async def test_those_who_wait_are_served_when_a_connection_comes_free() -> None:
    async def behave(peer: Peer) -> None:
        while True:
            await peer.head()
            await asyncio.sleep(0.02)
            peer.send(OK if len(peer.origin.heads) % 3 else OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))

    async with origin(behave, max_connections=2) as running, asyncio.timeout(10):
        assert await asyncio.gather(*(get(running) for _ in range(20))) == [b"ok"] * 20
        assert running.upstream.busy == 0


async def test_places_are_not_lost_when_waiters_give_up() -> None:
    async with origin(repeating(OK), max_connections=1) as running, asyncio.timeout(5):
        holding = await running.upstream.send("GET", b"/", HEADERS)
        waiting = [asyncio.ensure_future(get(running)) for _ in range(5)]
        await asyncio.sleep(0.02)
        for task in waiting[:4]:
            task.cancel()
        assert await rest(holding) == b"ok"
        assert await waiting[4] == b"ok"
        assert await get(running) == b"ok"
        assert running.opened == 1


# Connecting


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


async def reason_of(upstream: Upstream) -> str:
    with pytest.raises(UpstreamError) as raised:
        await upstream.send("GET", b"/", HEADERS)
    return raised.value.reason


def state(upstream: Upstream) -> str:
    return upstream.breaker.state


async def test_the_circuit_opens_after_five_failed_connects_and_one_probe_closes_it() -> None:
    port = closed_port()
    address = UpstreamAddress.parse(f"http://127.0.0.1:{port}")
    upstream = Upstream(address, UpstreamLimits(breaker_failures=5, breaker_delay_s=0.2))
    assert [await reason_of(upstream) for _ in range(7)] == ["connect"] * 5 + ["circuit_open"] * 2
    assert state(upstream) == "open"
    await asyncio.sleep(0.25)
    assert [await reason_of(upstream) for _ in range(2)] == ["connect", "circuit_open"]
    await asyncio.sleep(0.25)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(OK)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    assert await rest(await upstream.send("GET", b"/", HEADERS)) == b"ok"
    assert state(upstream) == "closed"
    await upstream.close()
    server.close()
    await asyncio.sleep(0.02)


async def test_half_open_lets_one_through_at_a_time() -> None:
    """A visitor who leaves during the probe does not leave the circuit half open for ever."""
    port = closed_port()
    limits = UpstreamLimits(breaker_failures=1, breaker_delay_s=0.05, connect_s=2)
    upstream = Upstream(UpstreamAddress.parse(f"http://127.0.0.1:{port}"), limits)
    assert await reason_of(upstream) == "connect"
    await asyncio.sleep(0.1)
    probing = asyncio.ensure_future(upstream.send("GET", b"/", HEADERS))
    await asyncio.sleep(0)
    assert state(upstream) == "half_open"
    assert await reason_of(upstream) == "circuit_open"
    probing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probing
    assert await reason_of(upstream) == "connect"
    await upstream.close()


async def test_a_connect_that_hangs_is_a_504() -> None:
    """A full backlog leaves further handshakes unanswered."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        upstream = Upstream(UpstreamAddress.parse(f"http://127.0.0.1:{address[1]}"), UpstreamLimits(connect_s=0.2))
        assert await reason_of(upstream) == "connect_timeout"
        assert upstream.busy == 0
        await upstream.close()
        for filler in fillers:
            filler.close()


async def test_a_tls_handshake_that_hangs_is_a_504() -> None:
    async with origin(silent) as running:
        port = running.upstream.address.authority.rpartition(":")[2]
        upstream = Upstream(UpstreamAddress.parse(f"https://127.0.0.1:{port}"), UpstreamLimits(connect_s=0.2))
        assert await reason_of(upstream) == "connect_timeout"
        async with asyncio.timeout(30):
            while not running.opened:  # on a loaded machine the origin may take the connection when its time is up
                await asyncio.sleep(0.01)
        assert running.opened == 1 and upstream.busy == 0
        await upstream.close()


async def test_an_unknown_name_is_a_502() -> None:
    upstream = Upstream(UpstreamAddress.parse("http://no-such-host.invalid"), UpstreamLimits())
    assert await reason_of(upstream) == "connect"
    await upstream.close()


def listed(*hosts: str, port: int) -> list[AddressInfo]:
    return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port)) for host in hosts]


async def test_a_name_with_a_dead_address_is_reached_at_the_next() -> None:
    """A full backlog leaves the handshake with the first unanswered."""
    async with origin(repeating(OK)) as running:
        port = int(running.upstream.address.authority.rpartition(":")[2])
        with socket.socket() as full:
            full.bind(("127.0.0.2", port))
            full.listen(0)
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(full.getsockname())

            async def ask(host: str, port: int) -> list[AddressInfo]:
                return listed("127.0.0.2", "127.0.0.1", port=port)

            address = UpstreamAddress.parse(f"http://shop.test:{port}")
            upstream = Upstream(address, UpstreamLimits(connect_s=30), OriginName("shop.test", port, ask))
            assert await rest(await upstream.send("GET", b"/", HEADERS)) == b"ok"
            await upstream.close()
            for filler in fillers:
                filler.close()


async def test_the_last_addresses_hold_while_no_name_server_answers_and_not_once_the_name_is_gone() -> None:
    async with origin(repeating(OK)) as running:
        port = int(running.upstream.address.authority.rpartition(":")[2])
        answers: list[list[AddressInfo] | socket.gaierror] = [
            socket.gaierror(socket.EAI_AGAIN, "nobody answers"),
            listed("127.0.0.1", port=port),
            socket.gaierror(socket.EAI_AGAIN, "nobody answers"),
            socket.gaierror(socket.EAI_NONAME, "no such name"),
        ]

        async def ask(host: str, port: int) -> list[AddressInfo]:
            answer = answers.pop(0)
            if isinstance(answer, socket.gaierror):
                raise answer
            return answer

        address = UpstreamAddress.parse(f"http://shop.test:{port}")
        upstream = Upstream(address, UpstreamLimits(), OriginName("shop.test", port, ask))
        assert await reason_of(upstream) == "connect"
        for _ in range(2):
            assert await rest(await upstream.send("GET", b"/", HEADERS, fresh=True)) == b"ok"
        with pytest.raises(UpstreamError) as gone:
            await upstream.send("GET", b"/", HEADERS, fresh=True)
        assert gone.value.reason == "connect" and not answers
        await upstream.close()


async def test_a_busy_connection_is_let_go_of_so_that_a_name_that_leads_elsewhere_is_followed() -> None:
    async with origin(repeating(OK)) as old, origin(repeating(OK)) as new:
        ports = [int(each.upstream.address.authority.rpartition(":")[2]) for each in (old, new)]
        asked = 0

        async def ask(host: str, port: int) -> list[AddressInfo]:
            nonlocal asked
            asked += 1
            return listed("127.0.0.1", port=ports[min(asked, 2) - 1])

        upstream = Upstream(
            UpstreamAddress.parse("http://shop.test"),
            UpstreamLimits(connection_s=0.3),
            OriginName("shop.test", 80, ask),
        )
        async with asyncio.timeout(30):
            while not new.opened:
                assert await rest(await upstream.send("GET", b"/", HEADERS)) == b"ok"
        assert old.opened == 1
        await upstream.close()

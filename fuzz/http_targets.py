"""Whatever bytes a client or an origin sends, nothing raises, and where the bytes are cut does not change what they mean.

A request that means one thing whole and another in pieces is how smuggling begins: what the gate judged would not be
what it sends on. So each input goes through whole and in pieces, and what the application was called with is compared.
"""

import asyncio
import itertools
import logging
import re
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from optout_gate.errors import UpstreamError
from optout_gate.policy.limits import ServerLimits, UpstreamLimits
from optout_gate.proxy.protocol import gate_protocol
from optout_gate.proxy.protocol_head import HOST
from optout_gate.proxy.upstream_reader import ResponseReader

LIMITS = ServerLimits(header_bytes=1024, header_fields=12, target_bytes=64, body_bytes=512)
ORIGIN_LIMITS = UpstreamLimits(header_bytes=1024, header_fields=12)
CUTS = (1, 7)
STATUS = re.compile(rb"(?:^|\n)HTTP/1\.1 (\d{3}) ")

logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
_loop = asyncio.new_event_loop()
asyncio.set_event_loop(_loop)
_protocol = gate_protocol(LIMITS)


class _Wire(asyncio.Transport):
    """A client's connection: delivers to the protocol, keeps what is sent back."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 80)})
        self.sent = bytearray()
        self.closing = False
        self.paused = False

    def write(self, data: Any) -> None:
        self.sent += data

    def writelines(self, list_of_data: Any) -> None:
        self.sent += b"".join(list_of_data)

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    abort = close

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


Seen = tuple[str, bytes, tuple[tuple[bytes, bytes], ...], bytes]


async def _served(pieces: Iterator[bytes]) -> tuple[list[Seen], list[bool]]:
    """Return the requests that reached the application whole, and for each answer whether it was a refusal.

    Of two reasons to refuse a request, the one that is seen first depends on where it was cut.
    """
    seen: list[Seen] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        raw = scope["extensions"]["optout_gate.raw"]
        seen.append((scope["method"], raw["target"], raw["headers"], body))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    config = uvicorn.Config(application, http=_protocol, ws="none", lifespan="off", log_config=None, date_header=False)
    config.load()
    state = ServerState()
    wire, protocol = _Wire(), _protocol(config, state, {}, _loop)
    protocol.connection_made(wire)
    for piece in pieces:
        for _ in range(20):  # a paused connection is not read from; the application answers within a few turns
            if not wire.paused:
                break
            await asyncio.sleep(0)
        if wire.closing:
            break
        protocol.data_received(piece)
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    protocol.connection_lost(None)
    while state.tasks:
        await asyncio.sleep(0)
    told = STATUS.findall(bytes(wire.sent))
    assert all(status < b"400" for status in told[:-1]), "something follows a refusal"
    # Whether the client was told to go on depends on what was there already.
    return seen, [status >= b"400" for status in told if status >= b"200"]


def _cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def request(data: bytes) -> None:
    """Send ``data`` as a client."""
    data = data[:2048]
    whole = _loop.run_until_complete(_served(iter([data])))
    for size in CUTS:
        cut = _loop.run_until_complete(_served(_cut(data, size)))
        assert cut == whole, f"cut into pieces of {size}: {cut} instead of {whole}"
    for _, target, headers, body in whole[0]:
        [host] = [value for name, value in headers if name.lower() == b"host"]
        assert HOST.fullmatch(host.strip(b" \t")), host
        assert not re.search(rb"[\r\n\0]", b"".join(itertools.chain((target,), *headers)))
        assert len(headers) <= LIMITS.header_fields and len(target) <= LIMITS.target_bytes
        assert len(body) <= (LIMITS.body_bytes or 0)


def _read(method: str, pieces: Iterator[bytes]) -> tuple[Any, ...]:
    reader = ResponseReader(method, ORIGIN_LIMITS)
    try:
        for piece in pieces:
            if reader.complete:  # the connection ends where bytes come that nobody asked for
                reader.persistent = False
                break
            reader.feed(memoryview(piece))
    except UpstreamError as error:
        return (error.reason,)
    reader.end_of_input()
    return reader.head, b"".join(reader.pieces), reader.complete


def response(data: bytes) -> None:
    """Answer ``data`` as an origin."""
    data = data[:4096]
    for method in ("GET", "HEAD"):
        whole = _read(method, iter([data]))
        for size in CUTS:
            cut = _read(method, _cut(data, size))
            assert cut == whole, f"cut into pieces of {size}: {cut} instead of {whole}"


REQUESTS = (
    b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n",
    b"GET /a%2Fb?x=%2f HTTP/1.1\r\nHost: shop.test:80\r\nSec-GPC: 1\r\nCookie: a=b\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nSec-GPC: 1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
    b"POST / HTTP/1.1\r\nHost: a\r\nUpgrade: foo\r\nConnection: upgrade\r\nContent-Length: 1\r\n\r\nx",
    b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\nGET",
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n?\r\nx",
)
RESPONSES = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.0 200\r\n\r\nuntil the end",
    b'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nETag: "a"\r\n\r\n',
    b"HTTP/1.1 999 \xe9\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nConnection: close\r\nContent-Length: 0\r\n\r\nsurplus",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate",
)

"""WebSocket through the gate: the origin is asked first, and what it says is what the visitor hears.

aiohttp's client does the talking to the origin; uvicorn, with ``websockets``, that to the visitor. Frames are passed on
message by message, close codes too. Pings are each side's own.
"""

import asyncio
from contextlib import suppress

import aiohttp
from starlette.types import Receive, Scope, Send
from yarl import URL

from optout_gate.http import Headers, Pair
from optout_gate.policy.limits import UpstreamLimits
from optout_gate.proxy.tls import client_context
from optout_gate.proxy.upstream_address import UpstreamAddress

_HANDSHAKE = frozenset(
    {b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-extensions", b"sec-websocket-protocol",
     b"sec-websocket-accept", b"content-length"}
)  # fmt: skip


async def relay(
    origin_address: UpstreamAddress,
    limits: UpstreamLimits,
    target: bytes,
    headers: Headers,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Connect to the origin, answer the visitor as it answers, and pass messages until either side closes."""
    await receive()  # websocket.connect
    authority, path, tls = origin_address.authority, origin_address.path, origin_address.tls
    url = URL(f"{'https' if tls else 'http'}://{authority}{target.decode('latin-1')}", encoded=True)
    lines = [
        (name.decode("latin-1"), value.decode("utf-8", "surrogateescape"))
        for name, value in headers.without(_HANDSHAKE)
    ]
    # A session of its own for every visitor: a shared one has a cookie jar, which would carry cookies between them.
    async with aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(path) if path is not None else None,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        skip_auto_headers=("User-Agent",),
        timeout=aiohttp.ClientTimeout(total=None, connect=limits.connect_s),
    ) as session:
        try:
            origin = await session.ws_connect(
                url,
                headers=lines,
                protocols=scope.get("subprotocols", ()),
                autoclose=False,
                max_msg_size=limits.message_bytes,
                ssl=client_context(tls) if tls else True,
                server_hostname=tls.server_name if tls else None,
            )
        except aiohttp.WSServerHandshakeError as error:
            await _deny(scope, send, error.status if 300 <= error.status < 600 else 502)
            return
        except (aiohttp.ClientError, TimeoutError, OSError):
            await _deny(scope, send, 502)
            return
        await send({"type": "websocket.accept", "subprotocol": origin.protocol})
        both = {asyncio.ensure_future(_to_origin(origin, receive)), asyncio.ensure_future(_to_visitor(origin, send))}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in both:
                each.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            await origin.close()


async def refuse(scope: Scope, receive: Receive, send: Send, status: int, *further: Pair) -> None:
    """Refuse the handshake with an HTTP status."""
    await receive()
    await _deny(scope, send, status, *further)


async def _deny(scope: Scope, send: Send, status: int, *further: Pair) -> None:
    if "websocket.http.response" in scope.get("extensions", {}):
        headers = [(b"content-length", b"0"), (b"cache-control", b"no-store"), *further]
        await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b""})
    else:
        await send({"type": "websocket.close", "code": 1014})  # bad gateway; becomes 403 before the handshake


async def _to_origin(origin: "aiohttp.ClientWebSocketResponse", receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            code = message.get("code", 1000)
            await origin.close(
                code=code if code not in (1005, 1006) else 1000, message=(message.get("reason") or "").encode()
            )
            return
        if message.get("text") is not None:
            await origin.send_str(message["text"])
        else:
            await origin.send_bytes(message.get("bytes") or b"")


async def _to_visitor(origin: "aiohttp.ClientWebSocketResponse", send: Send) -> None:
    while True:
        message = await origin.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            await send({"type": "websocket.send", "text": message.data})
        elif message.type is aiohttp.WSMsgType.BINARY:
            await send({"type": "websocket.send", "bytes": message.data})
        else:
            code = message.data if message.type is aiohttp.WSMsgType.CLOSE and message.data else 1000
            if origin.closed and origin.close_code:
                code = origin.close_code
            with suppress(RuntimeError):  # the visitor closed at the same time
                await send(
                    {"type": "websocket.close", "code": code if code != 1006 else 1011, "reason": message.extra or ""}
                )
            return

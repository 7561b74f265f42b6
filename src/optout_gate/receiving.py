"""A request's body read ahead, and given once more: the doors' part in knowing whom a request is for.

The messages are kept as they came, so whoever receives afterwards gets the same bytes in the same pieces.
"""

from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from optout_gate.exchange import Exchange
from optout_gate.http import Response
from optout_gate.trackers.endpoints import MAX_BODY_BYTES

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class Replayed:
    """An ASGI ``receive`` whose messages were read ahead."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ahead: deque[Message] = deque()

    async def __call__(self) -> Message:
        """Return the next message, what was read ahead first."""
        return self._ahead.popleft() if self._ahead else await self._receive()

    async def whole_body(self) -> bytes | None:
        """Return the whole body; None where it is longer than a beacon's, or the visitor has gone."""
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            self._ahead.append(message)
            if message["type"] != "http.request":
                return None
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            if size > MAX_BODY_BYTES:
                return None
            if not message.get("more_body", False):
                return b"".join(pieces)


async def refusal(exchange: Exchange, receive: Receive) -> tuple[Response | None, Receive]:
    """Return the gate's answer to a request that is a denied vendor's, None for any other; and what to receive with."""
    beacon = exchange.beacon
    if beacon is None:
        return None, receive
    if beacon.wants_body:
        receive = replayed = Replayed(receive)
        body = await replayed.whole_body()
        if body is not None:
            exchange.read(body)
    return (exchange.marked(beacon.reply) if beacon.reply is not None else None), receive

"""What the doors that speak ASGI share: a request's body read ahead, and the answer to a WebSocket's handshake.

The messages of a body are kept as they came, so whoever receives afterwards gets the same bytes in the same pieces.
"""

from collections import deque
from collections.abc import Callable

from starlette.types import Message, Receive, Send

from optout_gate.exchange import Exchange
from optout_gate.http import Headers, Response
from optout_gate.report import Report

_REFUSED = "websocket.close"
_ANSWERS = frozenset({"websocket.accept", "websocket.http.response.start", _REFUSED})
"""What an application answers a WebSocket's handshake with."""


class Replayed:
    """An ASGI ``receive`` whose messages were read ahead."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ahead: deque[Message] = deque()

    async def __call__(self) -> Message:
        """Return the next message, what was read ahead first."""
        return self._ahead.popleft() if self._ahead else await self._receive()

    async def beginning(self, least_bytes: int) -> tuple[bytes, bool] | None:
        """Return the body, and whether that is all of it: of one longer than ``least_bytes``, the pieces up to there.

        None where the visitor has gone.
        """
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            self._ahead.append(message)
            if message["type"] != "http.request":
                return None
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            is_whole = not message.get("more_body", False)
            if is_whole or size > least_bytes:
                return b"".join(pieces), is_whole


async def refusal(exchange: Exchange, receive: Receive) -> tuple[Response | None, Receive]:
    """Return the gate's answer to a request that is a denied vendor's, None for any other; and what to receive with."""
    beacon = exchange.beacon
    if beacon is None:
        return None, receive
    if beacon.wants_body:
        receive = replayed = Replayed(receive)
        read = await replayed.beginning(beacon.most_bytes)
        if read is not None:
            body, is_whole = read
            exchange.read(body, is_whole=is_whole)
    return (exchange.marked(beacon.reply) if beacon.reply is not None else None), receive


def told_with(exchange: Exchange, send: Send, over: Callable[[Report], object]) -> Send:
    """Return ``send`` for a WebSocket, with ``Optout-Gate`` on the answer to its handshake; ``over`` is told then."""
    answered = False

    async def telling(message: Message) -> None:
        nonlocal answered
        if not answered and message["type"] in _ANSWERS:
            answered = True
            marked = exchange.marked(Response(message.get("status", 101), Headers()))
            lines = [(name.lower(), value) for name, value in marked.headers]
            if lines and message["type"] != _REFUSED:  # which has no place for them
                message = {**message, "headers": [*message.get("headers", ()), *lines]}
            over(exchange.report)
        await send(message)

    return telling

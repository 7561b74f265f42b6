"""Answers that :class:`~optout_gate.proxy.protocol.GateProtocol` gives in its application's stead."""

from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

from optout_gate.proxy.protocol_head import Refusal, told_of_refusal
from optout_gate.report import NO_SITE

REASONS = {
    400: b"Bad Request",
    408: b"Request Timeout",
    413: b"Content Too Large",
    414: b"URI Too Long",
    417: b"Expectation Failed",
}
REASONS |= {431: b"Request Header Fields Too Large", 505: b"HTTP Version Not Supported"}


def refused(refusal: Refusal, *, has_body: bool) -> bytes:
    """Return the answer that says why, the last of its connection. One to HEAD has no body, nor a length of it."""
    body = f"{refusal.problem}\n".encode("latin-1", "replace") if has_body else b""
    lines = [
        b"HTTP/1.1 %d %b" % (refusal.status, REASONS[refusal.status]),
        b"content-type: text/plain; charset=utf-8",
        b"date: " + formatdate(usegmt=True).encode(),
        *([b"content-length: %d" % len(body)] if has_body else []),
        b"connection: close",
        b"",
        body,
    ]
    return b"\r\n".join(lines)


async def busy(scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
    """Answer that the gate has all the requests it takes; an ASGI application."""
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"5"), (b"retry-after", b"1")]
    headers += [(b"date", formatdate(usegmt=True).encode()), (b"cache-control", b"no-store"), NO_SITE]
    told_of_refusal(scope.get("state", {}))
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b"Busy\n"})

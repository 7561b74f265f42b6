"""Answers that the proxy gives in an origin's stead, and what it puts on those it passes on."""

import time
from email.utils import formatdate

from starlette.types import Send

from optout_gate.errors import UpstreamError
from optout_gate.exchange import Exchange
from optout_gate.http import Headers, Pair, Response


def plain(status: int, words: str, *further: Pair) -> Response:
    """Return a short plain answer of the gate's own."""
    body = f"{words}\n".encode()
    headers = [
        (b"Content-Type", b"text/plain; charset=utf-8"),
        (b"Content-Length", str(len(body)).encode()),
        (b"Cache-Control", b"no-store"),
        *further,
    ]
    if status == 503:
        headers.append((b"Retry-After", b"5"))
    return Response(status, Headers(headers), body)


def unanswered(error: UpstreamError) -> Response:
    """Return what a visitor gets to see of an origin that did not answer."""
    return plain(error.status, "The website behind this gate did not answer.")


def date_line() -> Pair:
    """Return a ``Date`` line for now (RFC 9110 §6.6.1: who is the origin of an answer, or finds none on it, sends one)."""
    return b"Date", formatdate(int(time.time()), usegmt=True).encode()


def dated(headers: Headers) -> Headers:
    """Return the header lines with a ``Date``: a recipient without one adds its own."""
    return headers if b"date" in headers else headers.plus(date_line())


def of_length(head: Response, body: bytes) -> Response:
    """Return the head of an answer whose whole body is here, which tells its length."""
    length = str(len(body)).encode()
    return Response(head.status, head.headers.replacing(b"content-length", length))


async def send_whole(send: Send, response: Response) -> None:
    """Send a response that is here whole."""
    headers = [*response.headers, date_line()]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


def takes_hints(exchange: Exchange) -> bool:
    """Return True for a browser on its way to a page: other clients may trip over a 103 (RFC 8297 §3)."""
    return exchange.visitor.headers.first(b"sec-fetch-mode") == b"navigate"

"""One request and its response on a uvicorn connection, with the response framed here and nowhere else.

uvicorn's own cycle closes the connection on a 304 with Content-Length, fails on status 999, chunks to HTTP/1.0
clients, puts its Date on top of the origin's and lower-cases names. Beyond ASGI this one understands:

* ``reason`` in ``http.response.start``: the reason phrase, bytes. Without it the registered phrase is sent.
* a message ``{"type": "optout_gate.abort"}``: cut the connection at once, so that the client sees that the response
  is incomplete. Nothing is logged.

Both are announced in ``scope["extensions"]`` as ``optout_gate.reason`` and ``optout_gate.abort``. Beside them stands
``optout_gate.leaving``, a dictionary in which an application may keep a function under ``tell``; it is called when the
client goes before its answer is complete. Of ASGI's own extensions it knows
``http.response.early_hint``: a 103 with ``Link`` lines.
"""

import http
import re
from collections.abc import MutableMapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from optout_gate.proxy.protocol_head import VALUE_CONTROL

if TYPE_CHECKING:
    from optout_gate.proxy.protocol import GateProtocol

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

FRAMING_FIELDS = frozenset((b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"trailer"))
"""What this side of the gate says itself."""


def status_line(status: int, reason: bytes | None) -> bytes:
    """Return the status line. Raises RuntimeError for what cannot be one."""
    if not 200 <= status <= 999:
        raise RuntimeError(f"status {status} is not one of a final response")
    if reason is None:
        return _registered_line(status)
    if VALUE_CONTROL.search(reason):
        raise RuntimeError("control character in the reason phrase")
    return b"HTTP/1.1 %d %b\r\n" % (status, reason)


@lru_cache(maxsize=800)
def _registered_line(status: int) -> bytes:
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    return b"HTTP/1.1 %d %b\r\n" % (status, phrase.encode("ascii"))


@lru_cache(maxsize=1024)
def _lowered(name: bytes) -> bytes:
    if TOKEN.fullmatch(name) is None:
        raise RuntimeError("a header name is not a token")
    return name.lower()


class GateCycle(RequestResponseCycle):
    """What an application is called with, and what it answers through."""

    protocol: "GateProtocol"
    body_left: int | None  # of the announced Content-Length; None: chunked, or until the connection closes
    bodiless: bool
    _head = b""  # of the response, until it leaves with the first piece of body or by itself at the loop's next turn

    def leave(self) -> None:
        """Tell the application that the client is gone."""
        self.disconnected = True
        self.message_event.set()
        leaving: Any = self.scope["extensions"]["optout_gate.leaving"]
        if (tell := leaving.get("tell")) is not None:
            tell()

    async def send(self, message: MutableMapping[str, Any]) -> None:  # type: ignore[override]
        """Take an ASGI message of the response; returns at once when the client has gone."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if kind == "optout_gate.abort":
            self.disconnected = True
            self.response_started = True
            self.transport.abort()
        elif not self.response_started:
            if kind == "http.response.early_hint":
                self._hint([bytes(link) for link in message["links"]])
                return
            if kind != "http.response.start":
                raise RuntimeError(f"expected http.response.start, got {kind}")
            self._start(message)
        elif self.response_complete:
            raise RuntimeError(f"{kind} after the response was complete")
        elif kind != "http.response.body":
            raise RuntimeError(f"expected http.response.body, got {kind}")
        else:
            self._continue(message.get("body", b""), message.get("more_body", False))

    def _hint(self, links: list[bytes]) -> None:
        """Send a 103 (RFC 8297), which HTTP/1.0 does not know."""
        if self.scope["http_version"] == "1.0" or not links:
            return
        if any(VALUE_CONTROL.search(link) for link in links):
            raise RuntimeError("control character in an early hint")
        self.transport.writelines(
            (b"HTTP/1.1 103 Early Hints\r\n", *(b"link: %b\r\n" % link for link in links), b"\r\n")
        )

    def _start(self, message: MutableMapping[str, Any]) -> None:
        status: int = message["status"]
        lines = [status_line(status, message.get("reason"))]
        length: bytes | None = None
        fields = message.get("headers", ())
        for name, value in fields:
            lowered = _lowered(name)
            if lowered not in FRAMING_FIELDS:
                lines.append(b"%b: %b\r\n" % (name, value))
            elif lowered == b"content-length":
                if length is not None and length != value:
                    raise RuntimeError("two different Content-Length")
                length = bytes(value)
            elif lowered == b"connection" and b"close" in [token.strip().lower() for token in value.split(b",")]:
                self.keep_alive = False
        if self.default_headers:  # uvicorn's Date and Server, where the origin sent none
            present = {_lowered(name) for name, _ in fields}
            lines += [b"%b: %b\r\n" % pair for pair in self.default_headers if pair[0] not in present]
        if self.waiting_for_100_continue:
            # Nobody asked for the body: what the client sends next may be that body or a new request.
            self.keep_alive = False
            self.waiting_for_100_continue = False
        self._frame(status, length, lines)
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        lines.append(b"\r\n")
        head = b"".join(lines)
        if head.count(b"\n") != len(lines) or head.count(b"\r") != len(lines) or b"\0" in head:
            raise RuntimeError("control character in a response header")
        self.response_started = True
        self._head = head
        self.protocol.loop.call_soon(self._send_head)

    def _send_head(self) -> None:
        if self._head and not self.disconnected:
            self.transport.write(self._head)
        self._head = b""

    def _frame(self, status: int, length: bytes | None, lines: list[bytes]) -> None:
        """Decide how the end of the body shows, and say so in ``lines``."""
        self.body_left = None
        self.chunked_encoding = False
        self.bodiless = status in (204, 304) or self.scope["method"] == "HEAD"
        if length is not None:
            if not length.isdigit():
                raise RuntimeError("Content-Length is not a number")
            if status != 204:  # "A server MUST NOT send a Content-Length header field in any response with ... 204"
                lines.append(b"content-length: %b\r\n" % length)
            self.body_left = int(length)
        elif self.bodiless:
            pass
        elif self.scope["http_version"] == "1.0":
            self.keep_alive = False  # knows no chunked coding (RFC 9112 §6.1); the end of the connection is the end
        else:
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked\r\n")

    def _continue(self, body: bytes, more_body: bool) -> None:
        pieces = [self._head] if self._head else []
        if self.bodiless:
            pass  # whatever the application meant to say
        elif self.chunked_encoding:
            if body:
                pieces += (b"%x\r\n" % len(body), body, b"\r\n" if more_body else b"\r\n0\r\n\r\n")
            elif not more_body:
                pieces.append(b"0\r\n\r\n")
        else:
            if self.body_left is not None:
                self.body_left -= len(body)
                if self.body_left < 0:
                    raise RuntimeError("the response is longer than its Content-Length")
                if self.body_left and not more_body:
                    raise RuntimeError("the response is shorter than its Content-Length")
            if body:
                pieces.append(body)
        if pieces:
            self._head = b""
            self.transport.writelines(pieces)
        if not more_body:
            self.response_complete = True
            self.message_event.set()
            self.on_response()

    async def receive(self) -> Any:
        """Return the next ASGI message of the request: body, then the client's leaving."""
        unheard = self.disconnected or self.response_started or self.transport.is_closing()  # 400 to the body, say
        if self.waiting_for_100_continue and not unheard:
            self.waiting_for_100_continue = False
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not self.disconnected and not self.response_complete:
            if not self.body:
                self.protocol.want_more()
            await self.message_event.wait()
            self.message_event.clear()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body = bytes(self.body)
        self.body = bytearray()
        return {"type": "http.request", "body": body, "more_body": self.more_body}

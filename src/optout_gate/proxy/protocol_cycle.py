"""One request and its response on a uvicorn connection, for an ASGI application.

How the response is framed stands in :mod:`optout_gate.proxy.protocol_framing`. Beyond ASGI this cycle understands:

* ``reason`` in ``http.response.start``: the reason phrase, bytes. Without it the registered phrase is sent.
* a message ``{"type": "optout_gate.abort"}``: cut the connection at once, so that the client sees that the response
  is incomplete. Nothing is logged.

Both are announced in ``scope["extensions"]`` as ``optout_gate.reason`` and ``optout_gate.abort``. Beside them stands
``optout_gate.leaving``, a dictionary in which an application may keep a function under ``tell``; it is called when the
client goes before its answer is complete. ``optout_gate.once_more`` stands there when the request was lost the short way
to a connection that its origin was closing. Of ASGI's own extensions it knows ``http.response.early_hint``: a 103 with
``Link`` lines.
"""

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from optout_gate.proxy.protocol_framing import FramedResponse, early_hints

if TYPE_CHECKING:
    from optout_gate.proxy.protocol import GateProtocol


class GateCycle(RequestResponseCycle):
    """What an application is called with, and what it answers through."""

    protocol: "GateProtocol"
    answer: FramedResponse | None = None
    _head = b""  # of the response, until it leaves with the first piece of body or by itself at the loop's next turn

    def leave(self) -> None:
        """Tell the application that the client is gone."""
        self.disconnected = True
        self.message_event.set()
        leaving: Any = self.scope["extensions"]["optout_gate.leaving"]
        if (tell := leaving.get("tell")) is not None:
            tell()

    async def run_asgi(self, app: Any) -> None:
        """Call the application; the connection ends where it leaves an answer halfway, by a mistake or since it is cancelled."""
        await super().run_asgi(app)
        if self.answer is not None and not self.response_complete and not self.disconnected:
            self.protocol.cut(self.answer)

    async def send(self, message: MutableMapping[str, Any]) -> None:  # type: ignore[override]
        """Take an ASGI message of the response; returns at once when the client has gone."""
        kind = message["type"]
        if self.flow.write_paused and not self.disconnected and kind != "optout_gate.abort":
            await self.flow.drain()
        if self.disconnected:
            return
        if kind == "optout_gate.abort":
            self.disconnected = True
            self.response_started = True
            self.protocol.cut(self.answer)
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
        """Send a 103, which HTTP/1.0 does not know."""
        if self.scope["http_version"] != "1.0" and links:
            self.transport.write(early_hints(links))

    def _start(self, message: MutableMapping[str, Any]) -> None:
        if self.waiting_for_100_continue:
            # Nobody asked for the body: what the client sends next may be that body or a new request.
            self.keep_alive = False
            self.waiting_for_100_continue = False
        self.answer = FramedResponse(
            message["status"],
            message.get("reason"),
            tuple(message.get("headers", ())),
            method=self.scope["method"],
            version=self.scope["http_version"],
            keep_alive=self.keep_alive,
            default_headers=self.default_headers,  # uvicorn's Date and Server
        )
        self.keep_alive = self.answer.keep_alive
        self.response_started = True
        self._head = self.answer.head
        self.protocol.loop.call_soon(self._send_head)

    def _send_head(self) -> None:
        if self._head and not self.disconnected:
            self.transport.write(self._head)
        self._head = b""

    def _continue(self, body: bytes, more_body: bool) -> None:
        assert self.answer is not None
        pieces = self.answer.framed(body, more=more_body)
        if self._head:
            pieces.insert(0, self._head)
            self._head = b""
        if pieces:
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

"""The long way through the proxy: an exchange as a task, in ASGI messages.

What :mod:`optout_gate.proxy.relay` does at once for most requests is done here for all others, with a body, a question about the
visitor, or a connection to the origin that has to be made first. What visitors, origins and the metrics see is the same.
"""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.types import Receive, Scope, Send

from optout_gate.errors import RewriteError, UpstreamError
from optout_gate.exchange import Exchange
from optout_gate.http import Headers, Response
from optout_gate.proxy import forwarding
from optout_gate.proxy.answers import dated, of_length, send_whole, takes_hints
from optout_gate.proxy.upstream import UpstreamResponse
from optout_gate.receiving import refusal
from optout_gate.rewrite.passage import Passage

if TYPE_CHECKING:
    from optout_gate.proxy.app import ProxyApp


class VisitorGone(Exception):
    """The visitor closed the connection before the request's body was complete."""


class LongWay:
    """One exchange on its way to the origin and back."""

    def __init__(self, app: "ProxyApp", exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        self.app = app
        self.exchange = exchange
        self.scope = scope
        self.receive = receive
        self.send = send
        self.started = False
        self.status = 0  # of the answer; 0 until one begins
        self._gone = False

    async def run(self) -> None:
        """Send the request on and the response back."""
        leaving = self.scope.get("extensions", {}).get("optout_gate.leaving")
        if leaving is not None:
            leaving["tell"] = partial(self._leave, asyncio.current_task())
        try:
            await self._to_its_end()
        except asyncio.CancelledError:
            if not self._gone:
                raise
        finally:
            if leaving is not None:
                leaving.clear()

    async def _to_its_end(self) -> None:
        try:
            await self._forward()
        except UpstreamError as error:
            await self._fail(self.app.failed(self.exchange, error))
        except RewriteError as error:
            await self._fail(self.exchange.cut(error))
        except VisitorGone:
            pass

    def _leave(self, task: "asyncio.Task[Any] | None") -> None:
        """End the exchange: an answer nobody reads costs the origin for nothing."""
        self._gone = True
        if task is not None:
            task.cancel()

    async def _forward(self) -> None:
        exchange = self.exchange
        if exchange.beacon is not None:
            refused, self.receive = await refusal(exchange, self.receive)
            if refused is not None:
                self.started, self.status = True, refused.status
                await send_whole(self.send, refused)
                return
        headers = self.app.request_headers(exchange.site, exchange.request, peer_of(self.scope))
        body = self._request_body() if _has_body(exchange.request.headers) else None
        begun = self.app.gate.clock()
        upstream = self.app.upstream(exchange.site)
        early = self._hint if self._takes_hints() else None
        fresh = "optout_gate.once_more" in self.scope.get("extensions", {})
        method, target = exchange.request.method, exchange.request.target
        response = await upstream.send(method, target, headers, body, early, fresh=fresh)
        self.app.turn.answered(self.app.gate.clock() - begun)
        try:
            head = Response(response.status, response.end_to_end)
            passage = exchange.respond(head)
            if passage.untouched:
                await self._pass_on(passage.head, response)
            else:
                await self._rewrite(passage, response)
        finally:
            await response.close()

    def _takes_hints(self) -> bool:
        return "http.response.early_hint" in self.scope.get("extensions", {}) and takes_hints(self.exchange)

    async def _hint(self, headers: Headers) -> None:
        links = self.exchange.early(forwarding.end_to_end(headers))
        if links:
            await self.send({"type": "http.response.early_hint", "links": links})

    async def _pass_on(self, head: Response, response: UpstreamResponse) -> None:
        response.raise_if_lost()  # nothing has been sent yet
        await self._start(head, response.reason)  # leaves with the first piece, where one is there already
        chunk = b"" if response.ended else await response.read()
        report = self.exchange.report
        while True:
            is_last = response.ended
            if is_last or chunk:
                await self.send({"type": "http.response.body", "body": chunk, "more_body": not is_last})
            report.bytes_in += len(chunk)
            report.bytes_out += len(chunk)
            if is_last:
                return
            chunk = await response.read()

    async def _rewrite(self, passage: Passage, response: UpstreamResponse) -> None:
        let_go_at: float | None = None  # while something is held back of a page that its origin streams
        clock = asyncio.get_running_loop().time
        may_be_let_go = b"content-length" not in response.end_to_end
        while not response.ended:
            chunk = await response.read(None if let_go_at is None else let_go_at - clock())
            if chunk:
                out = passage.feed(chunk)
                if may_be_let_go and not out:
                    let_go_at, may_be_let_go = clock() + self.app.gate.limits.held_s, False
            elif let_go_at is not None and not response.ended:
                out, let_go_at = passage.let_go(), None
            else:
                out = b""
            if not out:
                continue
            let_go_at, may_be_let_go = None, False
            if not self.started:
                await self._start(passage.head, response.reason)
            await self.send({"type": "http.response.body", "body": out, "more_body": True})
        out = passage.close()
        if not self.started:  # held back whole, so its length is known
            await self._start(of_length(passage.head, out), response.reason)
        await self.send({"type": "http.response.body", "body": out})

    async def _start(self, head: Response, reason: bytes) -> None:
        self.started, self.status = True, head.status
        headers = dated(head.headers)
        start = {"type": "http.response.start", "status": head.status, "headers": headers.pairs, "reason": reason}
        await self.send(start)

    async def _fail(self, answer: Response) -> None:
        """Answer with an error, or cut the connection where an answer is already under way."""
        if not self.started:
            self.started, self.status = True, answer.status
            await send_whole(self.send, answer)
            return
        if "optout_gate.abort" in self.scope.get("extensions", {}):
            await self.send({"type": "optout_gate.abort"})

    async def _request_body(self) -> AsyncIterator[bytes]:
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise VisitorGone
            chunk = message.get("body", b"")
            if chunk:
                yield chunk
            if not message.get("more_body", False):
                return


def peer_of(scope: Scope) -> str | None:
    """Return the address of who sent a request, as far as it has one."""
    client = scope.get("client")
    return client[0] if client else None


def _has_body(headers: Headers) -> bool:
    if b"transfer-encoding" in headers:
        return True
    return (headers.first(b"content-length") or b"0") != b"0"

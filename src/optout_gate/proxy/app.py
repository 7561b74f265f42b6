"""The reverse proxy as an ASGI application: moves bytes between visitor, gate and origin, and decides nothing.

The gate decides (:mod:`optout_gate.gate`), the protocol class in front refuses what is not sound HTTP
(:mod:`optout_gate.proxy.protocol`), the client behind keeps nothing between visitors
(:mod:`optout_gate.proxy.upstream`). What is left is the order of things.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any
from weakref import WeakSet

from optout_gate.errors import RewriteError, UpstreamError
from optout_gate.exchange import Exchange
from optout_gate.gate import Gate
from optout_gate.http import Headers, Request, Response, request_of
from optout_gate.pages.app import SIGNED_IN, OwnPages
from optout_gate.proxy import forwarding, signed_in, websocket
from optout_gate.proxy.answers import date_line, dated, of_length, plain, takes_hints, unanswered
from optout_gate.proxy.protocol_head import REFUSED
from optout_gate.proxy.relays import Relays
from optout_gate.proxy.upstream import Upstream, UpstreamAddress, UpstreamResponse
from optout_gate.receiving import refusal, told_with
from optout_gate.report import NO_SITE, Report
from optout_gate.rewrite.passage import Passage
from optout_gate.site import Site
from optout_gate.telemetry.logs import RequestLog
from optout_gate.telemetry.metrics import Metrics
from optout_gate.telemetry.outcomes import OutcomeLog
from optout_gate.telemetry.turns import Turn
from optout_gate.uncloaking import Uncloaking

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

log = logging.getLogger("optout_gate.proxy")


class VisitorGone(Exception):
    """The visitor closed the connection before the request's body was complete."""


class ProxyApp:
    """One worker's application. ``gate`` may be replaced at any time; exchanges under way keep theirs."""

    def __init__(self, gate: Gate, metrics: Metrics, requests: RequestLog | None = None) -> None:
        self.gate = gate
        self.metrics = metrics
        self._requests = requests
        self.pages = OwnPages(lambda: self.gate, metrics.choices, metrics.browser_said)
        self.reception = signed_in.Reception(metrics.choices)
        self.outcomes = OutcomeLog()
        self.uncloaking = Uncloaking()
        self.turn = Turn(metrics)
        self.relay = Relays(self).begin
        self._upstreams: dict[Site, Upstream] = {}
        self._made: WeakSet[Upstream] = WeakSet()  # those of sites before a reload too

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "http":
            if self.pages.answer_to(scope["path"]):
                await self._own_page(scope, receive, send)
            else:
                await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)

    async def close(self) -> None:
        """Close the connections to every origin."""
        for upstream in tuple(self._made):
            await upstream.close()
        await self.reception.close()
        await self.uncloaking.close()

    def upstream(self, site: Site) -> Upstream:
        """Return the connections to a site's origin; they are made on first use."""
        found = self._upstreams.get(site)
        return found if found is not None else self._reach(site)

    def _reach(self, site: Site) -> Upstream:
        """Return the connections to a site that is new here: those of another with the same origin, or new ones.

        A reload makes new sites. Connections whose origin is still the same stay warm; others are kept until what is
        under way on them is over, and end when they have idled for long enough.
        """
        address = UpstreamAddress.parse(site.config.upstream, site.upstream_tls)
        limits = self.gate.config.limits.upstream
        known = self._upstreams.values()
        same = (each for each in known if each.address == address and each.limits == limits)
        found = next(same, None) or Upstream(address, limits)
        present = frozenset(self.gate.sites)
        self._upstreams = {each: upstream for each, upstream in self._upstreams.items() if each in present}
        self._upstreams[site] = found
        self._made.add(found)
        return found

    async def _own_page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a page of the gate's own, which is told who has signed in and how the visitor came."""
        gate, request = self.gate, request_of(scope)
        page = self.metrics.page_of(scope["path"])
        begun = gate.clock()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.metrics.own_page(page, message["status"])
                if self._requests is not None:
                    self._requests.own_page(
                        page, method=request.method, status=message["status"], seconds=gate.clock() - begun
                    )
            await send(message)

        known = await self.reception.signed_in(gate, scope, request, fresh=True)
        scheme = signed_in.scheme_of(gate, scope, request)
        await self.pages({**scope, "scheme": scheme, SIGNED_IN: known}, receive, _dated(counted))

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        scope.get("state", {})[REFUSED] = self.metrics.refused  # what the protocol refuses, it does not bring here
        self.reception.greet(self.gate)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Relay a WebSocket. What goes through it is the site's own; nothing in it is read."""
        request = request_of(scope)
        known = await self.reception.signed_in(self.gate, scope, request)
        exchange = self.gate.open(request, known.signal if known is not None else None)
        if exchange is None:
            self.metrics.refused("unknown_host")
            await websocket.refuse(scope, receive, send, 421, NO_SITE)
            return
        send = told_with(exchange, send, self._answered)
        if exchange.beacon is not None and exchange.beacon.reply is not None:
            await websocket.refuse(scope, receive, send, 403)
            return
        headers = self.request_headers(exchange.site, exchange.request, _peer(scope))
        upstream, target = self.upstream(exchange.site), exchange.request.target
        await websocket.relay(upstream.address, upstream.limits, target, headers, scope, receive, send)

    def _answered(self, report: Report) -> None:
        """Count an exchange by its answer alone: how long a WebSocket then stays says nothing about the gate."""
        self.metrics.record(report, seconds=report.gate_seconds)
        self.outcomes.tell(report)

    def request_headers(self, site: Site, request: Request, peer: str | None) -> Headers:
        """Return the header lines of a request to ``site`` as its origin gets them; ``peer`` sent it."""
        authority = request.authority
        trusted = forwarding.is_trusted(peer, self.gate.trusted_proxies)
        headers = signed_in.without_false_identity(request.headers, self.gate, trusted=trusted)
        return forwarding.toward_origin(
            forwarding.end_to_end(headers),
            peer=peer,
            trusted=trusted,
            scheme=request.scheme,
            authority=authority,
            host=authority if site.config.preserve_host else self.upstream(site).address.authority,
        )

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        gate = self.gate
        request = request_of(scope)
        known = await self.reception.signed_in(gate, scope, request)
        exchange = gate.open(request) if known is None else gate.open(request, known.signal, untold=known.untold)
        if exchange is None:
            answer = plain(421, "No site behind this gate answers to that host.", NO_SITE)
            await self._refuse(send, request, "unknown_host", answer)
            return
        if forwarding.hops(request.headers) >= forwarding.MAX_HOPS:
            answer = plain(508, "The request came through this gate before: a loop.")
            await self._refuse(send, request, "loop", exchange.marked(answer))
            self._answered(exchange.report)
            return
        if known is not None:
            known.learn(exchange.decision)
        begun = gate.clock()
        self.turn.begin()
        under_way = _Forwarding(self, exchange, scope, receive, send)
        try:
            await under_way.run()
        finally:
            self.turn.end()
            self.over(exchange, status=under_way.status, begun=begun)

    def over(self, exchange: Exchange, *, status: int, begun: float) -> None:
        """Count and log an exchange that has come to its end; ``status`` 0 is one without an answer."""
        gate, report = self.gate, exchange.report
        seconds = gate.clock() - begun
        self.turn.record(report, seconds)
        self.outcomes.tell(report)
        if self._requests is not None:
            self._requests.exchange(report, method=exchange.visitor.method, status=status, seconds=seconds)
        if gate.cloaks is not None:
            self.uncloaking.look_up(gate)

    def failed(self, exchange: Exchange, error: UpstreamError) -> Response:
        """Count and log what kept an origin from answering; return what the visitor gets in its stead."""
        self.metrics.upstream_errors.labels(error.reason).inc()
        log.warning("origin %s: %s", exchange.site.config.upstream, error)
        return exchange.marked(unanswered(error))

    async def _refuse(self, send: Send, request: Request, reason: str, answer: Response) -> None:
        self.metrics.refused(reason)
        if self._requests is not None:
            self._requests.refused(reason, method=request.method, status=answer.status)
        await send_whole(send, answer)


class _Forwarding:
    """One exchange on its way to the origin and back."""

    def __init__(self, app: ProxyApp, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
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
                self.started = True
                await send_whole(self.send, refused)
                return
        headers = self.app.request_headers(exchange.site, exchange.request, _peer(self.scope))
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
        while not response.ended:
            chunk = await response.read()
            out = passage.feed(chunk) if chunk else b""
            if not out:
                continue
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


def _peer(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None


def _has_body(headers: Headers) -> bool:
    if b"transfer-encoding" in headers:
        return True
    return (headers.first(b"content-length") or b"0") != b"0"


def _dated(send: Send) -> Send:
    """Return ``send`` for an answer that the gate is the origin of: such a one has a Date (RFC 9110 §6.6.1)."""

    async def with_date(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), date_line()]}
        await send(message)

    return with_date


async def send_whole(send: Send, response: Response) -> None:
    """Send a response that is here whole."""
    headers = [*response.headers, date_line()]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})

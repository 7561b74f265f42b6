"""The reverse proxy as an ASGI application: moves bytes between visitor, gate and origin, and decides nothing.

The gate decides (:mod:`optout_gate.gate`), the protocol class in front refuses what is not sound HTTP
(:mod:`optout_gate.proxy.protocol`), the client behind keeps nothing between visitors
(:mod:`optout_gate.proxy.upstream`). What is left is the order of things.
The exchange itself goes the short way (:mod:`optout_gate.proxy.relay`) or the long one (:mod:`optout_gate.proxy.long_way`).
"""

import logging
from weakref import WeakSet

from starlette.types import Message, Receive, Scope, Send

from optout_gate.errors import UpstreamError
from optout_gate.exchange import Exchange
from optout_gate.gate import Gate
from optout_gate.http import Headers, Request, Response, request_of
from optout_gate.pages.app import SIGNED_IN, OwnPages
from optout_gate.proxy import forwarding, signed_in, websocket
from optout_gate.proxy.answers import date_line, plain, send_whole, unanswered
from optout_gate.proxy.long_way import LongWay, peer_of
from optout_gate.proxy.protocol_head import REFUSED
from optout_gate.proxy.relays import Relays
from optout_gate.proxy.upstream import Upstream, UpstreamAddress
from optout_gate.receiving import told_with
from optout_gate.report import NO_SITE, Report
from optout_gate.site import Site
from optout_gate.telemetry.logs import RequestLog
from optout_gate.telemetry.metrics import Metrics
from optout_gate.telemetry.outcomes import OutcomeLog, Seldom
from optout_gate.telemetry.turns import Turn
from optout_gate.uncloaking import Uncloaking

log = logging.getLogger("optout_gate.proxy")


class ProxyApp:
    """One worker's application. ``gate`` may be replaced at any time; exchanges under way keep theirs."""

    def __init__(self, gate: Gate, metrics: Metrics, requests: RequestLog | None = None) -> None:
        self.gate = gate
        self.metrics = metrics
        self._requests = requests
        self.pages = OwnPages(lambda: self.gate, metrics.choices, metrics.browser_said)
        self.reception = signed_in.Reception(metrics.choices)
        self.outcomes = OutcomeLog()
        self._origins_said = Seldom()
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
        headers = self.request_headers(exchange.site, exchange.request, peer_of(scope))
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
        under_way = LongWay(self, exchange, scope, receive, send)
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
        self.metrics.origin_failed(exchange.report.site, error.reason)
        origin = exchange.site.config.upstream
        more = self._origins_said.due((origin, error.reason))
        if more is not None:  # an origin that is down fails every request
            log.warning("origin %s: %s%s", origin, error, more)
        return exchange.marked(unanswered(error))

    async def _refuse(self, send: Send, request: Request, reason: str, answer: Response) -> None:
        self.metrics.refused(reason)
        if self._requests is not None:
            self._requests.refused(reason, method=request.method, status=answer.status)
        await send_whole(send, answer)


def _dated(send: Send) -> Send:
    """Return ``send`` for an answer that the gate is the origin of: such a one has a Date (RFC 9110 §6.6.1)."""

    async def with_date(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), date_line()]}
        await send(message)

    return with_date

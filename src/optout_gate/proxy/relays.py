"""Which requests take the short way (:mod:`optout_gate.proxy.relay`), and what is known of them beforehand."""

import logging
import re
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, NamedTuple

from optout_gate.exchange import Exchange
from optout_gate.gate import Gate
from optout_gate.http import Headers, Request, path_of
from optout_gate.policy.decision import Decision
from optout_gate.proxy import forwarding
from optout_gate.proxy.known_heads import Head
from optout_gate.proxy.relay import Relay
from optout_gate.proxy.upstream_request import request_head
from optout_gate.rewrite.request_head import (
    MARKED_AS_WORKER,
    is_for_a_sheet,
    is_for_worker,
    is_shown,
    may_be_rewritten,
)
from optout_gate.signals.reading import Reading
from optout_gate.site import Site

if TYPE_CHECKING:
    from optout_gate.proxy.app import ProxyApp
    from optout_gate.proxy.protocol import GateProtocol

log = logging.getLogger("optout_gate.proxy")

_METHODS = frozenset({"GET", "HEAD"})
"""What may be sent a second time, and changes nothing at the origin."""
_ANY_TARGET = b"/"
_UNSOUND = re.compile(rb"[\x00-\x20\x7f]")
"""In a target that would not be one on the wire. Doors have refused it already; what is sent must not depend on that."""
_MOST_PEERS = 16  # of whom something is known for one head
_MOST_TOLD = 4  # decisions for one request head: paths on which more is denied for everyone


class _Told:
    """What origins are told in a request's fields, by the decision: the same at every address on a site."""

    __slots__ = ("_by_decision",)

    def __init__(self) -> None:
        self._by_decision: dict[int, tuple[Decision, Headers]] = {}

    def get(self, decision: Decision) -> Headers | None:
        """Return the fields, or None where they have to be worked out."""
        found = self._by_decision.get(id(decision))  # a policy decides alike with one value
        return found[1] if found is not None else None

    def keep(self, decision: Decision, headers: Headers) -> None:
        """Remember the fields."""
        if len(self._by_decision) < _MOST_TOLD:
            self._by_decision[id(decision)] = decision, headers


class _Known(NamedTuple):
    """What follows from a request's fields and from who sent them, whatever its address on the site.

    Attributes:
        alike: what the head of an answer depends on beside the origin's, where the visitor said nothing.
        told: what the origin is told, by the decision.
        around: the origin's head before and behind its target, by the fields that it is told.
    """

    gate: Gate
    site: Site
    scheme: str
    authority: str
    reading: Reading
    alike: Hashable
    told: _Told
    around: dict[int, tuple[Headers, tuple[bytes, bytes]]]


class Relays:
    """Begins exchanges for one application."""

    def __init__(self, app: "ProxyApp") -> None:
        self._app = app

    def begin(
        self, protocol: "GateProtocol", head: Head, target: bytes, *, keep_alive: bool, again: Callable[[], None]
    ) -> Relay | None:
        """Begin an exchange the short way, or return None when it needs the long one.

        Args:
            protocol: the visitor's connection.
            head: of a request without a body, less its target.
            target: as it came.
            keep_alive: the connection may carry another request after this one.
            again: takes the long way, should the short one turn out to be none before anything was sent.
        """
        try:
            return self._begun(protocol, head, target, keep_alive, again)
        except Exception:  # a mistake of the gate's own, which the long way meets as well, and answers
            log.exception("an exchange could not be begun the short way")
            return None

    def _begun(
        self, protocol: "GateProtocol", head: Head, target: bytes, keep_alive: bool, again: Callable[[], None]
    ) -> Relay | None:
        app = self._app
        known = self._known(protocol, head)
        if known is None or app.pages.answer_to(path_of(target)):
            return None
        upstream = app.upstream(known.site)
        if not upstream.idle:
            return None
        request = Request(head.method, known.scheme, known.authority, target, head.headers)
        exchange = Exchange(known.gate, known.site, request, reading=known.reading, told=known.told)
        if exchange.beacon is not None or _UNSOUND.search(exchange.request.target):
            return None
        sent = exchange.request.target.join(self._around(exchange, known, protocol.peer))
        connection = upstream.take_idle()
        if connection is None:
            return None
        is_plain = known.reading.silent and not exchange.decision.opted_out and MARKED_AS_WORKER not in target
        alike = known.alike if is_plain else None
        relay = Relay(app, exchange, protocol, head.version, keep_alive=keep_alive, alike=alike)
        relay.begin(connection, sent, again)
        return relay

    def _around(self, exchange: Exchange, known: _Known, peer: str | None) -> tuple[bytes, bytes]:
        """Return the head that an exchange's origin gets, before and behind its target."""
        request = exchange.request
        found = known.around.get(id(request.headers))
        if found is not None:
            return found[1]
        headers = self._app.request_headers(known.site, request, peer)
        sent, _ = request_head(request.method, _ANY_TARGET, headers, has_body=False)
        before = request.method.encode() + b" "
        around = before, sent[len(before) + len(_ANY_TARGET) :]
        if request.headers is exchange.visitor.headers or known.told.get(exchange.decision) is request.headers:
            # The fields are kept as well, so that no others can have their id.
            known.around[id(request.headers)] = request.headers, around
        return around

    def _known(self, protocol: "GateProtocol", head: Head) -> _Known | None:
        came_by = (protocol.peer, protocol.scheme)
        found: _Known | None = head.follows.get(came_by)
        if found is None or found.gate is not self._app.gate:
            found = self._worked_out(protocol, head)
            if found is not None:
                if len(head.follows) >= _MOST_PEERS:
                    head.follows.clear()
                head.follows[came_by] = found
        return found

    def _worked_out(self, protocol: "GateProtocol", head: Head) -> _Known | None:
        """Return what is known, or None for a request that takes the long way wherever it leads."""
        gate = self._app.gate
        if head.method not in _METHODS or gate.config.consumers is not None:
            return None
        if forwarding.hops(head.headers) >= forwarding.MAX_HOPS:
            return None
        authority = (head.headers.first(b"host") or b"").decode("latin-1")
        request = Request(head.method, protocol.scheme or "http", authority, _ANY_TARGET, head.headers)
        site = gate.site_for(request.host)
        if site is None:
            return None
        asked = may_be_rewritten(request), is_for_worker(request), is_for_a_sheet(request), is_shown(request)
        alike = site.config.mode, head.method, asked
        return _Known(gate, site, request.scheme, authority, gate.read(request, site), alike, _Told(), {})

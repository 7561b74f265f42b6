"""What the proxy knows of a visitor beyond the request's own words, on the word of a peer it trusts.

Who has signed in (for :mod:`optout_gate.choices`), and by which scheme they came where another proxy ends TLS. Both are
words that anybody can write, so both count from ``trusted_proxies`` alone.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from optout_gate.choices.consumers import KnownConsumers, SignedIn
from optout_gate.choices.identity import Refusal, identify
from optout_gate.choices.standing import Store, StoreError
from optout_gate.choices.stores import Unopened, open_store
from optout_gate.gate import Gate
from optout_gate.http import Headers, Request
from optout_gate.proxy import forwarding
from optout_gate.telemetry.choices import ChoiceMetrics

log = logging.getLogger("optout_gate.choices")


class Reception:
    """Who has signed in, for every request of one worker. Made for one configuration at a time."""

    def __init__(self, metrics: ChoiceMetrics) -> None:
        self._metrics = metrics
        self._gate: Gate | None = None
        self._known: KnownConsumers | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def signed_in(
        self, gate: Gate, scope: Mapping[str, Any], request: Request, *, fresh: bool = False
    ) -> SignedIn | None:
        """Return who has signed in, with what stands for them; None when nobody is known. Never raises.

        ``fresh`` asks the store whatever is remembered.
        """
        consumers, key = gate.config.consumers, gate.beside.consumer_key
        if consumers is None or key is None:
            return None
        peer_is_trusted = trusts_peer(gate, scope)
        who = identify(request.headers, consumers.identify, key=key, peer_is_trusted=peer_is_trusted)
        if isinstance(who, Refusal):
            self._metrics.refused(who.value)
            return None
        if who is None:
            return None
        known = self._consumers(gate)
        if known is None:
            return None
        return SignedIn(who, await known.look_up(who.name, fresh=fresh), known)

    def greet(self, gate: Gate) -> None:
        """Have a store that cannot be reached told in the log, where the configuration has one."""
        if gate.config.consumers is not None and (known := self._consumers(gate)) is not None:
            task = asyncio.ensure_future(known.greet())
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    def _consumers(self, gate: Gate) -> KnownConsumers | None:
        """Return the known consumers of a configuration. What was remembered under another key or store is left."""
        if self._gate is gate:
            return self._known
        before, self._gate = self._gate, gate
        if self._known is not None and before is not None and _same_store(before, gate):
            return self._known
        self._leave()
        try:
            store: Store = open_store(gate.config.choices, gate.beside.folder)
        except StoreError as error:
            log.error("the store of choices cannot be opened: %s", error)
            store = Unopened(error)
        self._known = KnownConsumers(
            store,
            gate.config.choices,
            self._metrics,
            clock=time.monotonic,
            now_ms=lambda: time.time_ns() // 1_000_000,
        )
        return self._known

    def _leave(self) -> None:
        if self._known is not None:
            task = asyncio.ensure_future(self._known.close())
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)
            self._known = None

    async def close(self) -> None:
        """Write what is unwritten and let go of the store."""
        self._leave()
        if self._leaving:
            await asyncio.wait(set(self._leaving))


def _same_store(one: Gate, other: Gate) -> bool:
    return (one.config.choices, one.config.consumers, one.beside.consumer_key, one.beside.folder) == (
        other.config.choices,
        other.config.consumers,
        other.beside.consumer_key,
        other.beside.folder,
    )


def trusts_peer(gate: Gate, scope: Mapping[str, Any]) -> bool:
    """Return True when the word of the peer that sent a request counts."""
    client = scope.get("client")
    return forwarding.is_trusted(client[0] if client else None, gate.trusted_proxies)


def without_false_identity(headers: Headers, gate: Gate, *, trusted: bool) -> Headers:
    """Return a request's header lines for the origin, less an identity that no trusted peer vouches for."""
    consumers = gate.config.consumers
    if consumers is None or consumers.identify.header is None:
        return headers
    name = consumers.identify.header.lower().encode()
    return headers.without(_twins(name) if trusted else _twins(name) | {name})


_twins = lru_cache(maxsize=4)(forwarding.twins)  # one in a configuration


def scheme_of(gate: Gate, scope: Mapping[str, Any], request: Request) -> str:
    """Return the scheme that the visitor's browser used, as far as a trusted peer tells; the nearest proxy's word is last."""
    if trusts_peer(gate, scope):
        told = [member.lower() for member in request.headers.members(b"x-forwarded-proto")]
        if told and told[-1] in (b"http", b"https"):
            return told[-1].decode()
    return request.scheme

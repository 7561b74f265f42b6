"""A gate between clients and origins that are all in memory, made anew for every script that is played to it.

Before the script, two connections to the shop's origin stand idle, so that the short way can be taken at once. After it
and some time there must be nothing left, and somebody else is answered.
"""

import gc
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from uvicorn.server import ServerState

import relay_judges as judges
from optout_gate.gate import Gate
from optout_gate.policy.load import load_text
from optout_gate.proxy.app import ProxyApp
from optout_gate.proxy.known_heads import MOST_HEADS
from optout_gate.proxy.protocol import GateProtocol
from optout_gate.proxy.protocol_head import REFUSED
from optout_gate.rewrite.guard_rules import GUARD_PATH, MODULES_PATH
from optout_gate.telemetry.metrics import Metrics
from support.gates import TRACKERS
from wires import HIGH_WATER_BYTES, MOST_AT_ONCE, StandingLoop, Wire

CONFIG = """version: 1
sites:
  - {hosts: [shop.test], upstream: "http://127.0.0.1:1"}
  - {hosts: [strict.test], upstream: "http://127.0.0.1:3", on_failure: {rewriter: block, decoding: block, oversize: block}}
  - {hosts: ["*"], upstream: "http://127.0.0.1:2", preserve_host: false}
policies: {default: {always: ["/always"]}}
limits:
  client: {header_bytes: 2048, header_fields: 12, target_bytes: 128, body_bytes: 100000,
           header_s: 3, body_idle_s: 3, keepalive_s: 4, send_idle_s: 3, linger_s: 1}
  upstream: {header_bytes: 2048, header_fields: 12, first_byte_s: 2, idle_read_s: 2, keepalive_s: 5, max_connections: 4}
"""
SOME_TIME_S = 16  # in which everything ends, with these limits
WARM = b"GET /warm HTTP/1.1\r\nHost: shop.test\r\n\r\n"
WARMED = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwarm"
DATE = re.compile(rb"(?i)(\r\ndate: )\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT(?=\r\n)")
NOT_COMPARED = re.compile("timestamp|unknown_hosts|_sum$|_bucket$")
"""Metrics that depend on time, or count something once that another world has seen."""
COMPRESSED = frozenset({GUARD_PATH, MODULES_PATH})
"""Pages of the gate's own that a thread makes, for which this clock does not wait."""
UNSENT_BYTES = HIGH_WATER_BYTES + 2 * MOST_AT_ONCE + 8192  # one piece on top of what is held back, and a head
UNREAD_BYTES = HIGH_WATER_BYTES + MOST_AT_ONCE

LOOP = StandingLoop()


class Played(NamedTuple):
    """What came of a script.

    Attributes:
        got: by each client connection, in their order.
        asked: of each connection to an origin, in their order.
        counted: the metrics.
    """

    got: list[bytes]
    asked: list[bytes]
    counted: dict[Any, float]


@cache
def gate() -> Gate:
    """Return the gate of every world."""
    made = Gate(load_text(CONFIG + TRACKERS, file="fuzz.yaml", folder=Path()), clock=LOOP.time)
    gc.collect()
    gc.freeze()
    return made


@cache
def _app(way: str) -> ProxyApp:
    """Return the application of one way; every world leaves it with nothing under way."""
    return ProxyApp(gate(), Metrics())


class _Door:
    """The application as the protocol sees it; notes which requests it was given."""

    def __init__(self, app: ProxyApp, *, short: bool, noted: judges.Noted) -> None:
        self._app = app
        self._noted = noted
        self._again: set[int] = set()  # ports of clients whose exchange begins once more
        if short:
            self.relay = self._relay

    def _relay(self, protocol: GateProtocol, head: Any, target: bytes, *, keep_alive: bool, again: Any) -> Any:
        port = protocol.client[1] if protocol.client else 0

        def once_more() -> None:
            self._again.add(port)
            again()

        self._noted.accepted(port, head.method, target, head.headers.pairs)  # before it is sent on
        relay = self._app.relay(protocol, head, target, keep_alive=keep_alive, again=once_more)
        if relay is None:
            self._noted.left(port)
        return relay

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        raw, port = scope["extensions"]["optout_gate.raw"], scope["client"][1]
        if port in self._again:
            self._again.discard(port)
        else:
            self._noted.accepted(port, scope["method"], raw["target"], raw["headers"])
        if scope["path"] in COMPRESSED:
            scope = {**scope, "path": "/_optout/none"}
        await self._app(scope, receive, send)


class World:
    """A gate between clients and origins, all in memory."""

    def __init__(self, protocol: type[GateProtocol], *, short: bool) -> None:
        self.noted = judges.Noted()
        self.app = _app("short" if short else "long")
        self.metrics = self.app.metrics
        self._before = self._counters()
        door = _Door(self.app, short=short, noted=self.noted)
        self._config = uvicorn.Config(
            door, interface="asgi3", http=protocol, ws="none", lifespan="off", log_config=None, proxy_headers=False
        )
        self._config.load()
        self._protocol = protocol
        self.state = ServerState()
        self.clients: list[Wire] = []
        LOOP.reached = self.noted.reached

    def connect(self) -> Wire:
        """Return a new client's connection; it has an address of its own, by which origins know it."""
        wire = Wire((f"10.0.0.{len(self.clients) + 1}", len(self.clients) + 1))
        protocol = self._protocol(self._config, self.state, {REFUSED: self.metrics.refused}, LOOP)
        wire.set_protocol(protocol)
        protocol.connection_made(wire)
        self.clients.append(wire)
        self.noted.connected(wire)
        return wire

    async def ask(self, request: bytes, answer: bytes) -> bytes:
        """Return what a client gets for one request that an origin answers at once."""
        client = self.connect()
        self.noted.say(client, request)
        await LOOP.settle()
        origins = self.noted.open_origins()
        assert origins, f"{request!r} never came to an origin; the client got {bytes(client.sent)!r}"
        self.noted.say(origins[-1], answer)
        await LOOP.settle()
        return bytes(client.sent)

    def counted(self) -> dict[Any, float]:
        """Return what has been counted in this world, less what depends on time."""
        now = self._counters()
        return {key: change for key in now if (change := now[key] - self._before.get(key, 0))}

    def _counters(self) -> dict[Any, float]:
        return {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in self.metrics.registry.collect()
            for sample in family.samples
            if sample.value and not NOT_COMPARED.search(sample.name)
        }

    def under_way(self) -> dict[str, int]:
        """Return what there is still of connections and exchanges; nothing, after some time."""
        there = {
            "clients": len(self.state.connections),
            "exchanges": len(self.state.tasks),
            "wires": sum(not wire.is_closing() for wire in (*self.clients, *self.noted.origins)),
        }
        for site in gate().sites:
            upstream = self.app.upstream(site)
            there[site.name] = upstream.busy + upstream.idle
        return {name: number for name, number in there.items() if number}

    async def warm_up(self) -> None:
        """Leave two connections to the shop's origin idle."""
        for _ in range(2):
            self.noted.say(self.connect(), WARM)
        await LOOP.settle()
        for origin in list(self.noted.origins):
            self.noted.say(origin, WARMED)
        await LOOP.settle()

    async def leave(self) -> None:
        """Have everybody at either end be gone."""
        for wire in (*self.clients, *self.noted.origins):
            wire.reset()
        await LOOP.settle()

    async def ended(self) -> Played:
        """Return what came of it all. Raises AssertionError where something is amiss."""
        await LOOP.pass_by(SOME_TIME_S)
        there = self.under_way()
        assert not there, f"still there after {SOME_TIME_S} s in which nobody said anything: {there}"
        after = await self.ask(b"GET /after HTTP/1.1\r\nHost: shop.test\r\n\r\n", WARMED)
        assert after.startswith(b"HTTP/1.1 200 OK\r\n") and after.endswith(b"\r\n\r\nwarm"), f"afterwards: {after!r}"
        counted = self.counted()
        self.noted.judge(counted)
        await self.leave()
        assert not (there := self.under_way()), f"still there with nobody at either end: {there}"
        kept = max(client.most_kept for client in self.clients)
        assert kept <= UNSENT_BYTES, f"{kept} bytes waited for a client"
        unread = max(origin.most_unread for origin in self.noted.origins)
        assert unread <= UNREAD_BYTES, f"{unread} bytes of an answer were taken before anybody wanted them"
        assert len(self._protocol.heads) <= MOST_HEADS
        return Played([DATE.sub(rb"\1now", bytes(wire.sent)) for wire in self.clients], self.noted.asked(), counted)

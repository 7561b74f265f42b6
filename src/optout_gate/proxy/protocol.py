"""uvicorn's HTTP/1.1 protocol, mended for the edge of a network.

uvicorn with httptools parses strictly and serves fast, and is meant to stand behind a proxy. Measured in front of one
instead, it takes a header of 20 MB, makes header fields of trailers (a ``Sec-GPC`` trailer too), waits for ever for
the rest of a head or body, accepts a missing or second Host, and loses the body behind ``Upgrade: foo``. This
subclass mends that, and refuses before the application is called whatever two servers could read differently::

    uvicorn.Config(app, http=gate_protocol(ServerLimits()), proxy_headers=False, server_header=False, ...)

An application that has a method ``relay`` is asked for a :class:`~optout_gate.proxy.relay.Relay` first, for requests
without a body; only where it has none is it called. ``scope["headers"]`` has lower-case names, as ASGI wants; what the
client sent stands in ``scope["extensions"]["optout_gate.raw"]``: ``headers``, a tuple of pairs in order and case, and
``target``, bytes. Other extensions are those of :mod:`optout_gate.proxy.protocol_cycle`. uvicorn's access log is not written: it would
hold addresses and queries.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any, ClassVar, Protocol

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from optout_gate.http import Headers
from optout_gate.policy.limits import ServerLimits
from optout_gate.proxy.deadlines import Deadlines
from optout_gate.proxy.known_heads import Head, KnownHeads
from optout_gate.proxy.protocol_cycle import GateCycle
from optout_gate.proxy.protocol_head import Meaning, Refusal, told_of_refusal
from optout_gate.proxy.protocol_refusals import busy, refused
from optout_gate.proxy.protocol_waits import TimedConnection
from optout_gate.proxy.relay import Relay

__all__ = ["GateProtocol", "ServerLimits", "gate_protocol"]


def gate_protocol(limits: ServerLimits, *, hostless: bool = False) -> type["GateProtocol"]:
    """Return the class to give uvicorn as ``http=``; ``hostless`` takes HTTP/1.0 without Host, as health checks send."""
    made = {"limits": limits, "deadlines": Deadlines(*_times(limits)), "hostless": hostless, "heads": KnownHeads()}
    return type("GateProtocol", (GateProtocol,), made)


def _times(limits: ServerLimits) -> tuple[float, ...]:
    return limits.header_s, limits.body_idle_s, limits.keepalive_s, limits.send_idle_s, limits.linger_s


class RelayOf(Protocol):
    """What an application offers under the name ``relay`` that can do without a task for some requests."""

    def __call__(
        self, protocol: "GateProtocol", head: Head, target: bytes, *, keep_alive: bool, again: Callable[[], None]
    ) -> Relay | None:
        """Begin an exchange, or return None when the application has to be called."""


class _PassingOver:
    """Stands in the parser's place behind the last request of a connection, and does as llhttp does: no more is read."""

    def feed_data(self, data: bytes | memoryview) -> None:
        """Pass over it."""

    def get_method(self) -> bytes:
        """Return that of the last request."""
        return b"GET"


_PASSES_OVER: Any = _PassingOver()


class GateProtocol(TimedConnection):
    """One client connection. Made by :func:`gate_protocol`, which sets its limits."""

    deadlines: ClassVar[Deadlines]
    heads: ClassVar[KnownHeads]
    draining: ClassVar[bool] = False  # set on the made class: every answer is the last of its connection

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._relay: RelayOf | None = getattr(self.app, "relay", None)
        self._came = b""  # what is being parsed
        self._is_relayed = False  # the request of which the head has come and the end has not

    @classmethod
    def keep_within(cls, limits: ServerLimits) -> None:
        """Hold other limits from now on, for connections that are open as well."""
        cls.limits = limits
        cls.heads.forget()
        cls.deadlines.look_for(*_times(limits))

    @property
    def peer(self) -> str | None:
        """The address of who sent what comes over this connection, as far as it has one."""
        return self.client[0] if self.client else None

    # What the transport calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self.deadline = self.loop.time() + self.limits.header_s
        self.deadlines.add(self)

    def eof_received(self) -> None:
        """Take a client that ends what it says to be leaving; it may read on, and a part must not look whole to it."""
        active = self._active
        if active is not None and not active.response_complete:
            self.part_ends(active.answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell every request that its client is gone, those that wait their turn too."""
        self.deadlines.discard(self)
        active = self._active
        if active is not None and not active.response_complete:
            active.leave()
        self.pipeline.clear()
        super().connection_lost(exc)

    # What the parser finds

    def _may_upgrade(self) -> bool:
        return self._active is None

    def data_received(self, data: bytes) -> None:
        """Take a request that is known but for its address, or parse what came."""
        if self._relay is not None and self._active is None and self._in_head and not self._head_bytes:
            if self._takes_known(data):
                return
            self._came = data
        super().data_received(data)
        self._came = b""

    def _takes_known(self, data: bytes) -> bool:
        if self._deaf or len(data) > self.limits.header_bytes:
            return False
        known = self.heads.split(data)
        if known is None or len(known[0]) > self.limits.target_bytes or not self._relayed(*known):
            return False
        if not known[1].meaning.keep_alive:
            self.parser = _PASSES_OVER
        return True

    def _begin(self, method: str, version: str, meaning: Meaning) -> None:
        head = Head(method, version, Headers(self._raw), meaning, {})
        self._is_relayed = meaning.length == 0 and not meaning.expects_continue and self._relayed(self.url, head)
        if self._is_relayed:
            self.heads.remember(self._came, head)
        else:
            self.cycle = self._cycle(self.url, head)

    def _relayed(self, target: bytes, head: Head) -> bool:
        """Return True for a request whose exchange has begun the short way, without a task."""
        if self._relay is None or self._active is not None or self.flow.write_paused or self._is_busy():
            return False
        self._active = self._relay(
            self,
            head,
            target,
            keep_alive=head.meaning.keep_alive and not self.draining,
            again=partial(self._relayed_in_vain, target, head),
        )
        if self._active is None:
            return False
        self.deadline = inf
        return True

    def _relayed_in_vain(self, target: bytes, head: Head) -> None:
        """Begin the exchange once more, the long way."""
        self._active = None
        cycle = self._cycle(target, head)
        cycle.more_body = False
        cycle.scope["extensions"]["optout_gate.once_more"] = {}

    def _is_busy(self) -> bool:
        most = self.limits.requests or self.limit_concurrency
        return most is not None and len(self.tasks) >= most

    def _cycle(self, target: bytes, head: Head) -> GateCycle:
        """Call the application, now or when the requests before this one are answered."""
        scope: Any = self._described(target, head)
        cycle = GateCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=head.meaning.expects_continue,
            keep_alive=head.meaning.keep_alive and not self.draining,
            on_response=self.on_response_complete,
        )
        cycle.protocol = self
        app: Any = busy if self._is_busy() else self.app
        if self._active is None:
            self._active = cycle
            self._await_answer()
            self._start_asgi_task(cycle, app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, app))
        return cycle

    def on_body(self, body: bytes) -> None:
        """Keep a piece of body for the application; nobody wants what comes after its answer."""
        self._overhead = 0
        cycle = self.cycle
        self._check_body(len(body))
        if not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        """Note that the request is all there."""
        if self.parser.should_upgrade() and not self._reframing:
            return  # llhttp believes that nothing follows
        self._in_head = True
        self._head_bytes = 0
        if self._is_relayed:
            self._is_relayed = False
            return
        cycle = self.cycle
        cycle.more_body = False
        if cycle is self._active and not cycle.response_complete:
            self._await_answer()
        cycle.message_event.set()
        if self._active is None:
            self._rest()  # the answer was there before the end of the request

    # The end of a response, of the connection, of HTTP

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for one."""
        self.server_state.total_requests += 1
        done, self._active = self._active, None
        if done is not None and not done.keep_alive:
            self._deaf = True
            waited = bool(self.pipeline)
            self.pipeline.clear()
            self._close_after_sending(is_sending=waited)
        elif self.pipeline:
            cycle, app = self.pipeline.pop()
            self._active = cycle  # type: ignore[assignment]
            self.flow.resume_reading()
            self._start_asgi_task(cycle, app)
        elif self._refusal is not None:
            self._refuse(self._refusal)
        else:
            self.flow.resume_reading()
            self._rest()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer in the application's stead and close, in turn behind requests that are being answered."""
        self._refusal = refusal
        active = self._active
        if active is not None and (active is not self.cycle or not active.more_body):
            self._deaf = True  # the refused request is a later one
            if self.pipeline and self.cycle.more_body:
                self.pipeline.popleft()
            self._await_answer()
            return
        if active is not None:
            active.leave()
            self._active = None
            if active.response_started:
                self._deaf = True
                self.cut(active.answer)
                return
        told_of_refusal(self.app_state, refusal.status)
        if isinstance(active, GateCycle):
            is_head = active.scope["method"] == "HEAD"
        else:  # the parser keeps the method of the request before until it has read one
            is_head = bool(self.url) and self.parser.get_method() == b"HEAD"
        self.transport.write(refused(refusal, has_body=not is_head))
        self._deaf = True
        self._close_after_sending()

    def shutdown(self) -> None:
        """Close when idle, else after the response under way."""
        if self._active is None:
            self._close()
        else:
            self._active.keep_alive = False

    def _become_websocket(self, rest: bytes) -> None:
        """Hand the connection to uvicorn's WebSocket protocol, with the head as it came."""
        self._deaf = True
        self.deadlines.discard(self)
        self.connections.discard(self)
        lines = [b"%b: %b\r\n" % pair for pair in self._raw]
        head = b"".join((b"GET ", self.url, b" HTTP/1.1\r\n", *lines, b"\r\n"))
        protocol = self.ws_protocol_class(  # type: ignore[call-arg, misc]
            config=self.config, server_state=self.server_state, app_state=self.app_state
        )
        protocol.connection_made(self.transport)
        protocol.data_received(head + rest)
        self.transport.set_protocol(protocol)

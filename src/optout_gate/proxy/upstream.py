"""The client toward an origin: a bounded pool of HTTP/1.1 connections that adds nothing and forgets everything.

A general client serves one user; a gate serves strangers side by side. So this one keeps no cookies, follows no
redirects, decodes no bodies, reads no environment, and sends target and header bytes exactly as they were given: in a
spike, a shared aiohttp session replayed one visitor's session cookie to the next and turned ``/a%2Fb`` into ``/a/b``,
which breaks signed URLs. It only does framing. ``docs/decisions/0002-upstream-client.md`` says why it exists and what
it was measured against.

Every failure is an :exc:`UpstreamError` with one of these reasons (:data:`REASONS`):

======================  ======  ==============================================================================
reason                  status  what happened
======================  ======  ==============================================================================
``connect``             502     name not found, refused, unreachable
``tls``                 502     handshake failed or the certificate is not trusted
``connect_timeout``     504     no connection within ``connect_s``
``circuit_open``        503     the last connects failed; none is tried for ``breaker_delay_s``
``pool_timeout``        503     all connections stayed busy for ``pool_wait_s``
``shutdown``            503     the client is closed
``closed``              502     the origin closed before its response head was complete
``truncated``           502     the origin closed within its response body
``protocol``            502     malformed or ambiguous response (table in ``upstream_parser``)
``oversize``            502     response head above the limits
``request_body``        502     the request body did not have the length its head announced
``first_byte_timeout``  504     no response head within ``first_byte_s``
``read_timeout``        504     the body stalled for ``idle_read_s``
``write_timeout``       504     the origin took no request body for ``idle_read_s``
======================  ======  ==============================================================================
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping

from optout_gate.errors import UpstreamError
from optout_gate.http import Headers
from optout_gate.policy.limits import UpstreamLimits
from optout_gate.policy.tls import TlsOptions
from optout_gate.proxy.deadlines import Deadlines
from optout_gate.proxy.upstream_address import UpstreamAddress
from optout_gate.proxy.upstream_breaker import CircuitBreaker
from optout_gate.proxy.upstream_connection import Connection, Early
from optout_gate.proxy.upstream_name import OriginName
from optout_gate.proxy.upstream_parser import ResponseHead
from optout_gate.proxy.upstream_request import request_head

__all__ = ["REASONS", "TlsOptions", "Upstream", "UpstreamAddress", "UpstreamLimits", "UpstreamResponse"]

REASONS: Mapping[str, int] = {
    "connect": 502,
    "tls": 502,
    "connect_timeout": 504,
    "circuit_open": 503,
    "pool_timeout": 503,
    "shutdown": 503,
    "closed": 502,
    "truncated": 502,
    "protocol": 502,
    "oversize": 502,
    "request_body": 502,
    "first_byte_timeout": 504,
    "read_timeout": 504,
    "write_timeout": 504,
}

IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))  # RFC 9110 §9.2.2

PIECE_BYTES = 64 * 1024
"""Largest piece of body handed out at once, so that rewriting one piece never holds up other visitors for long."""


class Upstream:
    """Connections to one origin. Belongs to the event loop that first sends through it."""

    def __init__(
        self, address: UpstreamAddress, limits: UpstreamLimits | None = None, name: OriginName | None = None
    ) -> None:
        self.address = address
        self._name = name or OriginName(address.host, address.port)
        self.limits = limits or UpstreamLimits()
        self.breaker = CircuitBreaker(self.limits.breaker_failures, self.limits.breaker_delay_s)
        self.buffer = memoryview(bytearray(PIECE_BYTES))
        self._idle: list[Connection] = []  # the last one used is the first one used again
        self._connections: set[Connection] = set()
        self._places = 0  # connections that are open or being opened
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._closed = False
        self._deadlines = Deadlines(self.limits.first_byte_s, self.limits.idle_read_s, self.limits.keepalive_s)

    # Sending

    async def send(
        self,
        method: str,
        target: bytes,
        headers: Headers,
        body: AsyncIterator[bytes] | None = None,
        early: Early | None = None,
        *,
        fresh: bool = False,
    ) -> "UpstreamResponse":
        """Send a request and return its response once the head is there.

        Target and header fields go out byte for byte; only the framing is the client's own: a body goes out under
        the Content-Length in ``headers`` when there is one valid line of it, else chunked. ``body`` is asked for its
        first piece only once a connection stands. What ``body`` raises is raised here or from ``read``. ``early`` gets
        the fields of every 103 response (RFC 8297) that comes before. ``fresh`` sends over a connection that carried
        nothing yet, as is right for a request that was lost to a closing one already.

        Raises UpstreamError; ValueError for a head that would not be one request on the wire.
        """
        head, length = request_head(method, target, headers, body is not None)
        connection = (None if fresh else self.take_idle()) or await self._connection(fresh)
        try:
            response = await connection.exchange(method, head, body, length, early)
        except UpstreamError as error:
            if not connection.raced(error) or body is not None or method not in IDEMPOTENT:
                raise
            connection = await self._connection(fresh=True)
            response = await connection.exchange(method, head, None, None, early)
        return UpstreamResponse(connection, response)

    async def close(self) -> None:
        """Close every connection, also those in the middle of an exchange."""
        self._closed = True
        for connection in tuple(self._connections):
            connection.fail(UpstreamError(503, "shutdown", "the gate is shutting down"))
        while self._waiting:
            self._wake_one(None)
        await asyncio.sleep(0)  # the transports close on the loop's next turn

    @property
    def busy(self) -> int:
        """Connections that are open or being opened and not idle."""
        return self._places - len(self._idle)

    @property
    def idle(self) -> int:
        """Connections waiting for a request."""
        return len(self._idle)

    # The pool

    def take_idle(self) -> Connection | None:
        """Return a connection that another exchange has left, or None when there is none."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                connection.reused = True
                return connection
        return None

    async def _connection(self, fresh: bool = False) -> Connection:
        """Return a connection to send on; ``fresh`` asks for one that carried nothing yet."""
        given_up_at: float | None = None
        loop = asyncio.get_running_loop()
        while not self._closed:
            if not fresh and (connection := self.take_idle()):
                return connection
            if self._places < self.limits.max_connections:
                self._places += 1
                return await self._connect(loop)
            if fresh and self._idle:
                self._idle[0].abort()  # makes a place
                continue
            if given_up_at is None:
                given_up_at = loop.time() + self.limits.pool_wait_s
            handed = await self._wait_for_place(loop, given_up_at)
            if handed is not None:
                if fresh:
                    handed.abort()
                elif not handed.closed:
                    handed.reused = True
                    return handed
        raise UpstreamError(503, "shutdown", "the gate is shutting down")

    async def _wait_for_place(self, loop: asyncio.AbstractEventLoop, until: float) -> Connection | None:
        """Return a connection that came free, or None when there may be a place for a new one."""
        place: asyncio.Future[Connection | None] = loop.create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout_at(until):
                return await place
        except BaseException as error:
            if place.done() and not place.cancelled():
                # Handed over and given up in the same turn: pass it on.
                handed = place.result()
                if handed is None:
                    self._wake_one(None)
                else:
                    self._settle(handed)
            if isinstance(error, TimeoutError):
                busy = f"all {self.limits.max_connections} connections to the origin stayed busy"
                raise UpstreamError(503, "pool_timeout", busy) from None
            raise

    def _wake_one(self, connection: Connection | None) -> bool:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(connection)
                return True
        return False

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> Connection:
        """Return a new connection in the place that the caller has taken."""
        connection: Connection | None = None
        try:
            with self.breaker.attempt(loop.time):
                try:
                    async with asyncio.timeout(self.limits.connect_s):
                        connection = await self.address.connect(lambda: Connection(self, loop), self._name)
                except TimeoutError:
                    raise UpstreamError(504, "connect_timeout", f"no connection to {self.address} in time") from None
                except ssl.SSLError as error:
                    raise UpstreamError(502, "tls", f"no TLS with {self.address}: {error}") from error
                except OSError as error:
                    raise UpstreamError(502, "connect", f"no connection to {self.address}: {error}") from error
        finally:
            if connection is None:
                self._places -= 1
                self._wake_one(None)
        connection.last_use = loop.time() + self.limits.connection_s
        self._connections.add(connection)
        if connection.closed:  # already lost, and ``forget`` knew nothing of it yet
            self.forget(connection)
        if self._closed:
            connection.abort()
        elif not connection.closed:
            self._deadlines.add(connection)
        return connection

    def release(self, connection: Connection) -> None:
        """Take back a connection whose exchange is complete."""
        if self._closed:
            connection.abort()
        else:
            self._settle(connection)

    def _settle(self, connection: Connection) -> None:
        if connection.closed:
            return
        now = asyncio.get_running_loop().time()
        if now >= connection.last_use:
            connection.abort()
        elif not self._wake_one(connection):
            connection.deadline = min(now + connection.keepalive_s, connection.last_use)
            self._idle.append(connection)

    def forget(self, connection: Connection) -> None:
        """Free the place of a connection that is closed. Does nothing the second time."""
        if connection in self._connections:
            self._connections.discard(connection)
            self._deadlines.discard(connection)
            if connection in self._idle:
                self._idle.remove(connection)
            self._places -= 1
            self._wake_one(None)


class UpstreamResponse:
    """A response whose head has come; the body comes as it is read.

    Attributes:
        headers: as the origin sent them, framing and hop-by-hop fields included.
        end_to_end: those of them that are meant for the visitor.
    """

    __slots__ = ("_connection", "end_to_end", "headers", "reason", "status")

    def __init__(self, connection: Connection, head: ResponseHead) -> None:
        self.status = head.status
        self.reason = head.reason
        self.headers = head.headers
        self.end_to_end = head.end_to_end
        self._connection: Connection | None = connection
        if connection.spent:
            self._finish()

    @property
    def ended(self) -> bool:
        """Whether ``read`` has nothing more to give; known with the last piece when the origin told its length."""
        return self._connection is None

    def raise_if_lost(self) -> None:
        """Raise what ended the response, when it did before any of the body came."""
        connection = self._connection
        if connection is not None and connection.error is not None and not connection.response.pieces:
            raise connection.error

    async def read(self, within_s: float | None = None) -> bytes:
        """Return the next piece of the body as it came, at most 64 KiB; ``b""`` at its end, and where none comes ``within_s``.

        Raises UpstreamError when the origin broke off or stalls, and what the request body raised.
        """
        connection = self._connection
        if connection is None:
            return b""
        chunk = await connection.read(within_s)
        if connection.spent:
            self._finish()
        return chunk

    async def close(self) -> None:
        """Give the connection back when the body has been read to its end, else close it."""
        self._finish()

    def _finish(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.finish()

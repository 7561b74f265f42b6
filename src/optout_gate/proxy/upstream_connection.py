"""One connection to an origin, carrying one exchange after another.

The hot path makes no task, no future per piece and no timer: the reader counts body bytes and leaves them for
``read`` in the sizes in which they came. A future is made only when the one who reads has overtaken the origin, and a
time-out is one stored number, which the pool looks at on its tick.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from math import inf
from typing import Protocol

from optout_gate.errors import UpstreamError
from optout_gate.http import Headers
from optout_gate.policy.limits import UpstreamLimits
from optout_gate.proxy.upstream_parser import ResponseHead
from optout_gate.proxy.upstream_reader import ResponseReader

HIGH_WATER_BYTES = 64 * 1024
"""Unread body above which the origin is no longer read from; asyncio's own figure for writing."""

LOW_WATER_BYTES = 16 * 1024


Early = Callable[[Headers], Awaitable[None]]
"""Takes the fields of a 103 response, before the final one is there."""


class Pool(Protocol):
    """What a connection tells the pool it belongs to."""

    limits: UpstreamLimits
    buffer: memoryview

    def release(self, connection: "Connection") -> None:
        """Take back a connection whose exchange is complete."""

    def forget(self, connection: "Connection") -> None:
        """Free the place of a connection that is closed. Does nothing the second time."""


class Connection(asyncio.BufferedProtocol):
    """A connection to an origin: idle, or in the middle of one exchange.

    Attributes:
        response: what has come of the current exchange's response, or of the last one's.
        deadline: loop time at which the pool calls ``expire``.
        last_use: loop time from which on it takes no further exchange.
        reused: it carried an exchange before this one.
        closed: nothing more goes over it, though body that came before may still be read.
    """

    __slots__ = (
        "_busy",
        "_drained",
        "_error",
        "_loop",
        "_paused",
        "_pool",
        "_progress",
        "_pump",
        "_transport",
        "_waiter",
        "_writable",
        "closed",
        "deadline",
        "last_use",
        "response",
        "reused",
    )

    _transport: asyncio.Transport

    def __init__(self, pool: Pool, loop: asyncio.AbstractEventLoop) -> None:
        self.response = ResponseReader("GET", pool.limits)
        self.deadline = inf
        self.last_use = inf
        self.reused = False
        self.closed = False
        self._pool = pool
        self._loop = loop
        self._busy = False
        self._error: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._pump: asyncio.Task[None] | None = None
        self._progress: Callable[[], None] | None = None
        self._writable = True
        self._paused = False

    # The exchange

    async def exchange(
        self,
        method: str,
        request_head: bytes,
        body: AsyncIterator[bytes] | None,
        length: int | None,
        early: Early | None = None,
    ) -> ResponseHead:
        """Send a request and return the head of its response; ``length`` None sends the body chunked.

        The response may arrive before the request body is sent. Raises UpstreamError, or what ``body`` or ``early``
        raises.
        """
        response = self.response = ResponseReader(method, self._pool.limits)
        self._busy = True
        self.deadline = inf
        self._transport.write(request_head)
        if body is not None:
            self._pump = self._loop.create_task(self._send_body(body, length))
        while response.head is None:
            if self._error is not None:
                raise self._error
            await self._wait(self._pool.limits.first_byte_s)
            while response.early and early is not None:
                await early(response.early.popleft())
        return response.head

    def begin(self, method: str, request_head: bytes, progress: Callable[[], None]) -> None:
        """Send a request without a body; ``progress`` is called whenever something of its response has come.

        The other way to use a connection beside :meth:`exchange`: what has come then stands in ``response`` and
        ``error``, and pieces of body are taken with :meth:`take` until :attr:`spent`.
        """
        self.response = ResponseReader(method, self._pool.limits)
        self._busy = True
        self._progress = progress
        self.deadline = self._loop.time() + self._pool.limits.first_byte_s
        self._transport.write(request_head)

    @property
    def error(self) -> BaseException | None:
        """What ended the exchange before its time; it counts for who has taken all the body that came before."""
        return self._error

    def take(self) -> bytes:
        """Return the next piece of body that is there; there must be one."""
        piece = self.response.take()
        if self._paused and self.response.unread <= LOW_WATER_BYTES:
            self._resume_reading()
        return piece

    async def read(self, within_s: float | None = None) -> bytes:
        """Return the next piece of the body; ``b""`` at its end, and where none comes ``within_s``.

        Raises UpstreamError, or what the request body raised.
        """
        response = self.response
        while not response.pieces:
            if response.complete:
                return b""
            if self._error is not None:
                raise self._error
            timer = None if within_s is None else self._loop.call_later(max(0, within_s), self._wake)
            await self._wait(self._pool.limits.idle_read_s)
            if timer is not None:
                timer.cancel()
                if not response.pieces and self._error is None:
                    return b""
        return self.take()

    async def _wait(self, seconds: float) -> None:
        """Return when something has happened: bytes, the end, or an error. Giving up closes the connection."""
        if self._pump is None:  # while the request body is under way, its own pace counts
            self.deadline = self._loop.time() + seconds
        waiter = self._waiter = self._loop.create_future()
        try:
            await waiter
        except BaseException:
            self.abort()
            raise
        finally:
            self._waiter = None
            if self._pump is None:
                self.deadline = inf

    def _wake(self) -> None:
        if self._progress is not None:
            self._go_on(self._progress)
            return
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _go_on(self, progress: Callable[[], None]) -> None:
        """Tell that something has come, or that nothing more will."""
        self._expect_more()
        progress()

    def _expect_more(self) -> None:
        """Give the origin time for the next piece, unless it waits for us."""
        limits = self._pool.limits
        if self._paused or self.response.complete or self.closed:
            self.deadline = inf
        else:
            seconds = limits.first_byte_s if self.response.head is None else limits.idle_read_s
            self.deadline = self._loop.time() + seconds

    @property
    def spent(self) -> bool:
        """Whether the response has come and been read to its end."""
        return self.response.complete and not self.response.pieces

    def raced(self, error: UpstreamError) -> bool:
        """Return whether the origin was closing the idle connection as we wrote: the request may be sent again."""
        return error.reason == "closed" and self.reused and self.response.silent

    def finish(self) -> None:
        """Give the connection back when its exchange is complete both ways, else close it."""
        if self.spent and self.response.persistent and self._pump is None and self._busy and not self.closed:
            self._resume_reading()
            self._busy = False
            self._progress = None
            self._pool.release(self)
        else:
            self.abort()

    @property
    def keepalive_s(self) -> float:
        """How long the connection may stay idle: the gate's limit, or less by the origin's own word."""
        limit = self._pool.limits.keepalive_s
        head = self.response.head
        if head is not None and b"keep-alive" in head.headers:
            for parameter in head.headers.members(b"keep-alive"):
                name, _, value = parameter.partition(b"=")
                if name.lower() == b"timeout" and value.isdigit():
                    # A second less than it says: its clock started before ours.
                    return min(limit, max(0.0, int(value[:9]) - 1.0))
        return limit

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        pump, self._pump = self._pump, None
        if pump is not None:
            pump.cancel()
        if not self.closed:
            self.closed = True
            self._transport.abort()
        self._pool.forget(self)

    def fail(self, error: BaseException) -> None:
        """End the exchange with an error, which its reader meets behind the bytes that came before."""
        if self._error is None:
            self._error = error
        self.abort()
        self._wake()

    def expire(self) -> None:
        """Act on a deadline that has passed; which one follows from what is under way."""
        self.deadline = inf
        if not self._busy:
            self.abort()
        elif self._pump is not None:
            self.fail(UpstreamError(504, "write_timeout", "the origin does not take the request body"))
        elif self.response.head is None:
            self.fail(UpstreamError(504, "first_byte_timeout", "the origin does not answer"))
        else:
            self.fail(UpstreamError(504, "read_timeout", "the origin stopped in the middle of its response"))

    # Sending

    async def _send_body(self, body: AsyncIterator[bytes], length: int | None) -> None:
        left = length
        try:
            async for chunk in body:
                if not chunk:
                    continue  # an empty chunk would end a chunked body
                if left is None:
                    self._transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                else:
                    left -= len(chunk)
                    if left < 0:
                        raise UpstreamError(502, "request_body", "the request body is longer than its Content-Length")
                    self._transport.write(chunk)
                    if not left:
                        break  # no need to wait for the source to say that it has no more
                if not self._writable:
                    await self._drain()
            if left is None:
                self._transport.write(b"0\r\n\r\n")
            elif left:
                raise UpstreamError(502, "request_body", "the request body is shorter than its Content-Length")
        except Exception as error:  # whatever the body's source raises belongs to the one who waits for the response
            self._pump = None
            self.fail(error)
        else:
            self._pump = None
            if self._waiter is not None:
                limits = self._pool.limits
                answered = self.response.head is not None
                self.deadline = self._loop.time() + (limits.idle_read_s if answered else limits.first_byte_s)

    async def _drain(self) -> None:
        self.deadline = self._loop.time() + self._pool.limits.idle_read_s
        self._drained = self._loop.create_future()
        try:
            await self._drained
        finally:
            self._drained = None
            self.deadline = inf

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        self._transport = transport  # type: ignore[assignment]

    def pause_writing(self) -> None:
        """Hold the request body back."""
        self._writable = False

    def resume_writing(self) -> None:
        """Let the request body go on."""
        self._writable = True
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def _resume_reading(self) -> None:
        if self._paused and not self.closed:
            self._paused = False
            self._transport.resume_reading()
            if self._progress is not None:
                self._expect_more()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next bytes go: one place for the whole pool, since they are copied at once."""
        return self._pool.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Pass on what the origin sent; bytes that nobody asked for end the connection."""
        response = self.response
        if self.closed:
            return
        if not self._busy or response.complete:
            response.persistent = False
            self.abort()
            return
        try:
            response.feed(self._pool.buffer[:nbytes])
        except UpstreamError as error:
            self.fail(error)
            return
        if response.unread > HIGH_WATER_BYTES and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Settle what is under way: a body that ends with the connection is complete, anything else is cut off."""
        response = self.response
        if exc is not None and self._busy and not self.closed and not response.complete:
            self._take_last_words()
        ended = self._error is None and exc is None and not self.closed and response.end_of_input()
        if self._busy and self._error is None and not ended and not response.complete:
            if response.head is None:
                self._error = UpstreamError(502, "closed", "the origin closed the connection before it answered")
            else:
                self._error = UpstreamError(502, "truncated", "the origin closed the connection within its response")
        self.abort()
        self._wake()

    def _take_last_words(self) -> None:
        """Read what the origin said before it hung up on what it was being sent: that it wants no such body, mostly.

        A write that fails ends the transport before what has come is read, though the socket is still open here, and holds
        it. The transport of TLS has read all there was.
        """
        peer = self._transport.get_extra_info("socket")
        if peer is None or self._transport.get_extra_info("sslcontext") is not None:
            return
        with suppress(OSError, UpstreamError):
            if count := os.readv(peer.fileno(), [self._pool.buffer]):  # none, and it may have raced us
                self.response.feed(self._pool.buffer[:count])

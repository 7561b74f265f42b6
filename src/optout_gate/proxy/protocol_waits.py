"""How long the client of a :class:`~optout_gate.proxy.protocol.GateProtocol` is waited for, and how its connection ends.

One thing at a time is waited for: a head, a body, the next request, or that the client reads what was sent. Which one it
is follows from what is under way, so a request costs no timer, but one number that is moved
(:mod:`optout_gate.proxy.deadlines`).
"""

import socket
import struct
from contextlib import suppress
from math import inf
from typing import Any

from optout_gate.proxy.protocol_cycle import GateCycle
from optout_gate.proxy.protocol_framing import FramedResponse
from optout_gate.proxy.protocol_head import Refusal
from optout_gate.proxy.protocol_parser import GuardedParsing
from optout_gate.proxy.relay import Relay

_AT_ONCE = struct.pack("ii", 1, 0)  # a struct linger of no seconds: the connection ends with a reset


class TimedConnection(GuardedParsing):
    """Waits for its client, and ends its connection.

    Attributes:
        deadline: loop time at which ``expire`` is due.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.deadline = inf
        self._active: GateCycle | Relay | None = None  # the one that the client is being answered by
        self._unsent = 0

    # What is waited for

    def _begin_head(self) -> None:
        if self._active is None and not self.flow.write_paused:
            self.deadline = self.loop.time() + self.limits.header_s

    def _expect_body(self) -> None:
        """Give the client time for the next piece of a body, unless it waits for us."""
        if self._in_head or self._deaf or self.flow.read_paused or self.flow.write_paused:
            return
        if self._active is None or not self._active.waiting_for_100_continue:
            self.deadline = self.loop.time() + self.limits.body_idle_s

    def want_more(self) -> None:
        """Read on, because the application waits for body or for the client's leaving."""
        if not self.pipeline and not self._deaf:  # one request waiting its turn is enough
            self.flow.resume_reading()
            self._expect_body()

    def pause_writing(self) -> None:
        """Wait for the client to take what was sent."""
        super().pause_writing()
        self._await_sending()

    def resume_writing(self) -> None:
        """Send on."""
        super().resume_writing()
        if self.transport.is_closing() or (self._deaf and self._active is None):
            self._await_sending()
        elif self._active is None:
            self._rest()
        else:
            self.deadline = inf
            self._expect_body()
        if isinstance(self._active, Relay):
            self._active.resume()

    def _await_answer(self) -> None:
        """Give the application all the time it takes; a client that reads nothing meanwhile keeps its deadline."""
        if not self.flow.write_paused:
            self.deadline = inf

    def _await_sending(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self.deadline = self.loop.time() + self.limits.send_idle_s

    def _rest(self) -> None:
        if self.flow.write_paused:
            return  # the deadline for sending stands
        if self._in_head:
            seconds = self.limits.header_s if self._head_bytes else self.limits.keepalive_s
        else:
            seconds = self.limits.body_idle_s
        self.deadline = self.loop.time() + seconds

    # What follows when it does not come, and the end

    def expire(self) -> None:
        """Act on a deadline that has passed; which one follows from what is under way."""
        self.deadline = inf
        if self.transport.is_closing() or self._deaf or self.flow.write_paused:
            if 0 < self.transport.get_write_buffer_size() < self._unsent:
                self._await_sending()  # slow, but it takes something
            else:
                self._reset()
        elif not self._in_head:
            if self._active is None:  # a body that nobody wants any more
                self._close()
            else:
                self._refuse(Refusal(408, "the request body stalled"))
        elif self._head_bytes:
            self._refuse(Refusal(408, "the request head stalled"))
        else:
            self._close()

    def _close(self) -> None:
        """Close when the client has taken what was sent, or after a while."""
        self._await_sending()
        self.transport.close()

    def _reset(self) -> None:
        """Cut the connection, and where its client takes nothing have the kernel forget what it holds for it.

        Else it would offer those megabytes for minutes more, to as many as like to come (nginx:
        ``reset_timedout_connection``).
        """
        if self.transport.get_write_buffer_size():
            self._linger_not()
        self.transport.abort()

    def cut(self, answer: FramedResponse | None) -> None:
        """Break an answer off, so that its client sees that it is not whole."""
        self.part_ends(answer)
        self.transport.abort()

    def part_ends(self, answer: FramedResponse | None) -> None:
        """Have the connection end with a reset where nothing else tells that an answer is not whole.

        That is one that ends with its connection, as HTTP/1.0 has them. Closing, and ``abort`` too, send an end like any
        other, and who asks in HTTP/1.0 (nginx, as it is distributed) would take, and keep, a part for the whole.
        """
        if answer is not None and answer.ends_with_connection:
            self._linger_not()

    def _linger_not(self) -> None:
        """Have the connection end with a reset when it is closed."""
        peer = self.transport.get_extra_info("socket")
        if peer is not None:
            with suppress(OSError):  # gone already
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)

    def _close_after_sending(self, *, is_sending: bool = False) -> None:
        """Close so that the client reads the answer: a reset, provoked by what it still sends, would take it away.

        ``is_sending`` says that it had more to ask, of which some may not even have been read.
        """
        if self.transport.is_closing():  # by the client's word, and it may not have read what came before
            self._await_sending()
            return
        has_more = self.cycle is not None and self.cycle.more_body
        quiet = not (is_sending or has_more) and self._in_head and not self._head_bytes
        if quiet or not self.transport.can_write_eof():
            self._close()
        else:
            self.flow.resume_reading()
            self._unsent = self.transport.get_write_buffer_size()
            self.deadline = self.loop.time() + self.limits.linger_s
            self.transport.write_eof()

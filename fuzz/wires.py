"""Connections in memory and a clock that stands still: the real protocol classes, without sockets and without waiting.

A :class:`Wire` does what asyncio's transports do at the seams that matter: it delivers one piece a turn and none while it
is paused, keeps what the far end does not read and says so, drops what is written behind its end, and refuses what is
written behind ``write_eof``. A :class:`StandingLoop` has the time that it is told.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Any

HIGH_WATER_BYTES = 64 * 1024  # asyncio's own
MOST_AT_ONCE = 64 * 1024  # that a transport reads
MOST_TURNS = 2000
HERE = ("127.0.0.1", 80)


class _Socket:
    """What of a socket the gate asks for."""

    def __init__(self, peer: tuple[str, int]) -> None:
        self._peer = peer
        self.lingers = True

    def getpeername(self) -> tuple[str, int]:
        return self._peer

    def getsockname(self) -> tuple[str, int]:
        return HERE

    def fileno(self) -> int:
        return -1  # nothing more can be read

    def setsockopt(self, level: int, option: int, value: bytes) -> None:
        assert (level, option) == (socket.SOL_SOCKET, socket.SO_LINGER)
        self.lingers = struct.unpack("ii", value) != (1, 0)


class Wire(asyncio.Transport):
    """One connection as the gate holds it; what stands first is for its far end.

    Attributes:
        sent: what has reached the far end.
        most_kept: the most bytes that ever waited for the far end.
        most_unread: the most bytes of the far end's answers that the gate ever held without sending them on.
        over: the far end was told that nothing more comes.
        cut: it was closed at once.
        was_reset: it was told so by a reset, not by an end like any other; or it went with one.
        left: the far end went by itself.
    """

    def __init__(self, peer: tuple[str, int], arrived: "Arrived | None" = None) -> None:
        """Take who the far end is, and who is told of each piece that reaches it."""
        self._socket = _Socket(peer)
        super().__init__({"peername": peer, "sockname": HERE, "socket": self._socket})
        self._arrived = arrived
        self.sent = bytearray()
        self.most_kept = self.most_unread = 0
        self.over = self.cut = self.was_reset = self.left = False
        self._kept = bytearray()
        self._is_read = True
        self._coming: deque[bytes | None] = deque()
        self._paused = self._closing = self._lost = self._eof = self._holds_back = False
        self._protocol: Any = None
        self._loop = asyncio.get_running_loop()

    # The far end

    def say(self, data: bytes) -> None:
        """Send bytes to the gate."""
        if self._closing or self.left:
            return
        self._coming.extend(data[start : start + MOST_AT_ONCE] for start in range(0, len(data), MOST_AT_ONCE))
        self._loop.call_soon(self._deliver)

    def end(self) -> None:
        """Send nothing more."""
        if not self.left:
            self.left = True
            self._coming.append(None)
            self._loop.call_soon(self._deliver)

    def reset(self) -> None:
        """Be gone."""
        self.left = self.was_reset = True
        self._lose(ConnectionResetError("reset by peer"))

    def read(self, on: bool) -> None:
        """Take what comes from now on, or take nothing."""
        self._is_read = on
        if on:
            self._reach(bytes(self._kept))
            self._kept.clear()
            if self._holds_back and not self._lost:
                self._holds_back = False
                self._protocol.resume_writing()
            if self._closing:
                self._lose(None)

    @property
    def reads(self) -> bool:
        """Whether it takes what comes."""
        return self._is_read

    def _deliver(self) -> None:
        if not self._coming or self._paused or self._closing:
            return
        data = self._coming.popleft()
        if data is None:
            if not self._protocol.eof_received():
                self.close()
        elif isinstance(self._protocol, asyncio.BufferedProtocol):
            self._protocol.get_buffer(-1)[: len(data)] = data  # type: ignore[index]
            self._protocol.buffer_updated(len(data))
            self.most_unread = max(self.most_unread, self._protocol.response.unread)  # type: ignore[attr-defined]
        else:
            self._protocol.data_received(data)
        if self._coming:
            self._loop.call_soon(self._deliver)

    def _reach(self, data: bytes) -> None:
        self.sent += data
        if data and self._arrived is not None:
            self._arrived(self, data)

    def _lose(self, why: Exception | None) -> None:
        self._closing = True
        if not self._lost:
            self._lost = self.over = True
            self.was_reset = self.was_reset or not self._socket.lingers
            self._kept.clear()
            self._loop.call_soon(self._protocol.connection_lost, why)

    # What the gate calls

    def write(self, data: Any) -> None:
        """Send on, or keep what the far end does not read."""
        if self._eof:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._lost or not data:
            return
        if self._is_read:
            self._reach(bytes(data))
            return
        self._kept += data
        self.most_kept = max(self.most_kept, len(self._kept))
        if len(self._kept) > HIGH_WATER_BYTES and not self._holds_back:
            self._holds_back = True
            self._protocol.pause_writing()

    def writelines(self, list_of_data: Any) -> None:
        """Send on all of them."""
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        """Let nothing more follow."""
        if not self._closing and not self._eof:
            self._eof = self.over = True

    def can_write_eof(self) -> bool:
        """Say that it can, as TCP does."""
        return True

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait for the far end."""
        return len(self._kept)

    def pause_reading(self) -> None:
        """Deliver nothing."""
        self._paused = True

    def resume_reading(self) -> None:
        """Deliver what has come."""
        if self._paused and not self._closing:
            self._paused = False
            self._loop.call_soon(self._deliver)

    def is_closing(self) -> bool:
        """Return whether it is closed or about to be."""
        return self._closing

    def close(self) -> None:
        """Close when the far end has taken what was sent."""
        self._closing = True
        if not self._kept:
            self._lose(None)

    def abort(self) -> None:
        """Close at once."""
        if not self._lost:
            self.cut = True
        self._lose(None)

    def set_protocol(self, protocol: Any) -> None:
        """Deliver to ``protocol``."""
        self._protocol = protocol

    def get_protocol(self) -> Any:
        """Return who it delivers to."""
        return self._protocol


Arrived = Callable[[Wire, bytes], None]


class StandingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time goes on when it is told, and whose connections lead to ``reached``.

    Attributes:
        now: the time.
        reached: gives the connection to a port.
        mistakes: what came out of callbacks.
    """

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__()
        self.reached: Callable[[int], Wire] | None = None
        self.mistakes: list[str] = []
        self.set_exception_handler(lambda _, context: self.mistakes.append(repr(context)))

    def time(self) -> float:
        """Return the time."""
        return self.now

    async def create_connection(self, factory: Any, host: Any = None, port: Any = None, **_: Any) -> Any:  # type: ignore[override]
        """Return a connection in memory."""
        assert self.reached is not None
        wire, protocol = self.reached(port), factory()
        wire.set_protocol(protocol)
        protocol.connection_made(wire)
        return wire, protocol

    async def settle(self) -> None:
        """Return when nothing more happens by itself before time goes on."""
        ready = vars(self)["_ready"]
        for _ in range(MOST_TURNS):
            await asyncio.sleep(0)
            if not ready:
                return
        raise AssertionError("it goes on for ever without anybody saying anything")

    async def pass_by(self, seconds: int) -> None:
        """Let time go on, a second at a time."""
        for _ in range(seconds):
            self.now += 1.0
            await self.settle()

"""Origins that misbehave as told: raw sockets on loopback, one behaviour each."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from optout_gate.proxy.upstream import TlsOptions, Upstream, UpstreamAddress, UpstreamLimits

Behaviour = Callable[["Peer"], Awaitable[None]]


@dataclass
class Peer:
    """One connection as the origin sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int  # of the connection, from 1
    origin: "Origin"

    async def head(self) -> bytes:
        """Return the next request head; IncompleteReadError when the client closes instead."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        self.origin.heads.append(head)
        return head

    def send(self, data: bytes) -> None:
        """Send as is."""
        self.writer.write(data)


@dataclass
class Origin:
    """A running origin.

    Attributes:
        heads: every request head, in the order of arrival.
        closed: connections that the client has closed.
    """

    upstream: Upstream
    heads: list[bytes] = field(default_factory=list)
    opened: int = 0
    closed: int = 0


def repeating(*answers: bytes) -> Behaviour:
    """Answer the nth request of each connection with the nth of ``answers``, further ones with the last."""

    async def behave(peer: Peer) -> None:
        number = 0
        while True:
            await peer.head()
            peer.send(answers[min(number, len(answers) - 1)])
            number += 1

    return behave


@contextlib.asynccontextmanager
async def origin(
    behave: Behaviour, *, unix: str | None = None, ssl: Any = None, tls: TlsOptions | None = None, **limits: Any
) -> AsyncIterator[Origin]:
    """Serve ``behave`` per connection, with an ``Upstream`` in front of it; the connection ends when it returns."""
    running = Origin(upstream=None)  # type: ignore[arg-type]
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        running.opened += 1
        try:
            await behave(Peer(reader, writer, running.opened, running))
        except (asyncio.IncompleteReadError, ConnectionError):
            running.closed += 1
        except asyncio.CancelledError:
            pass
        finally:
            tasks.discard(task)
            writer.close()

    if unix is not None:
        server = await asyncio.start_unix_server(serve, unix)
        address = UpstreamAddress.parse(f"unix:{unix}")
    else:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=ssl)
        port = server.sockets[0].getsockname()[1]
        address = UpstreamAddress.parse(f"{'https' if ssl else 'http'}://127.0.0.1:{port}", tls)
    running.upstream = Upstream(address, UpstreamLimits(**limits))
    try:
        yield running
    finally:
        await running.upstream.close()
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)

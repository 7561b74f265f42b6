"""An application's answer on its way through the gate, message by message: the sending half of the middleware.

The traps are the ways in which a response leaves an application without a ``http.response.body`` message: ``pathsend``
and ``zerocopysend`` give the server a file, ``push`` starts a request that nobody asked the visitor about, an early hint
has the browser connect before any head is read. Each has a line in :data:`MESSAGES`.

A page that is to be rewritten is never sent by halves where that can be helped: its head waits for its first bytes, and an
error before them is an error page. Of a page that tells no length and comes slowly, what is there is sent after a while, by
a timer beside the application; a message of the application's that comes meanwhile waits its turn.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from starlette.types import Message, Send

from optout_gate.errors import RewriteError
from optout_gate.exchange import Exchange
from optout_gate.http import Headers, Response
from optout_gate.rewrite.passage import Passage

READ_BYTES = 64 * 1024  # of a file at a time, as servers read them


async def send_whole(send: Send, response: Response) -> None:
    """Send an answer of the gate's own."""
    lines = [(name.lower(), value) for name, value in response.headers]
    await send({"type": "http.response.start", "status": response.status, "headers": lines})
    await send({"type": "http.response.body", "body": response.body})


class CutOff(OSError):
    """Raised to the application as servers do when nobody listens any more (ASGI 2.4: a subclass of OSError)."""


class Answer:
    """The application's answer to one request, on its way out.

    Attributes:
        started: the head has been sent.
        error: why the body could not go on, if so.
    """

    def __init__(self, exchange: Exchange, send: Send, *, held_s: float, over: Callable[[], object]) -> None:
        """Take the exchange and the server's ``send``.

        Args:
            exchange: whose answer it is.
            send: the server's.
            held_s: for which a page that tells no length is held back at most.
            over: called once, when there is nothing more to send.
        """
        self.started = False
        self.error: RewriteError | None = None
        self._exchange = exchange
        self._send = send
        self._start: Message | None = None
        self._passage: Passage | None = None
        self._declared_bytes: int | None = None
        self._done = False
        self._held_s = held_s
        self._timer: asyncio.TimerHandle | None = None
        self._letting_go: asyncio.Task[None] | None = None
        self._over: Callable[[], object] | None = over

    async def send(self, message: Message) -> None:
        """Take a message of the application's."""
        await self._turn()
        takes = MESSAGES.get(message["type"])
        if takes is not None:
            await takes(self, message)
            if self._done:
                self._tell()
        elif self._exchange.decision.opted_out:
            raise RuntimeError(f"the gate does not know the ASGI message {message['type']!r}")
        else:
            await self._send(message)

    def close(self) -> None:
        """Say that the application is through, whatever it has sent."""
        if self._timer is not None:
            self._timer.cancel()
        if self._letting_go is not None:
            self._letting_go.cancel()  # and where it failed, its visitor had gone, which is nothing to log
        self._tell()

    def _tell(self) -> None:
        """Say that it is over: before a task that the application still does for itself (Starlette's ``background``)."""
        over, self._over = self._over, None
        if over is not None:
            over()

    async def start(self, message: Message) -> None:
        """Take the head. It waits where the body is going to be rewritten."""
        if self.started:
            await self._send(message)  # for the second time: the server says what it thinks of it
            return
        if self._start is not None:
            raise RuntimeError("Expected ASGI message 'http.response.body', but got 'http.response.start'.")
        self._start = message
        lines = Headers((bytes(name), bytes(value)) for name, value in message.get("headers", ()))
        head = Response(message["status"], lines)
        self._passage = self._exchange.respond(head)
        if self._passage.untouched:
            await self._send_head(self._passage.head)
        else:
            declared = head.headers.first(b"content-length")
            self._declared_bytes = int(declared) if declared is not None and declared.isdigit() else None

    async def body(self, message: Message) -> None:
        """Take a piece of the body."""
        passage = self._passage
        report = self._exchange.report
        if passage is None or self._done:
            await self._send(message)  # before the head, or after the end: the server's to judge
            return
        piece, more = bytes(message.get("body", b"")), bool(message.get("more_body", False))
        if passage.untouched:
            report.bytes_in += len(piece)
            report.bytes_out += len(piece)
            self._done = not more
            await self._send(message)
        else:
            await self._rewritten(passage, piece, more)

    async def path(self, message: Message) -> None:
        """Take a file as the body: the server's to send where it goes through as it is, else read here."""
        await self._file_body(message, lambda: _opened(message["path"]), more=False)

    async def zero_copy(self, message: Message) -> None:
        """Take a part of an open file as a piece of the body."""
        await self._file_body(message, lambda: _part_of(message), more=bool(message.get("more_body", False)))

    async def trailers(self, message: Message) -> None:
        """Pass trailers on with the body they speak of; of a rewritten one they are not true."""
        if self._passage is None or not self._is_rewritten(self._passage):
            await self._send(message)

    async def push(self, message: Message) -> None:
        """Keep a server push from a visitor who opted out: the pushed request would carry no signal."""
        if not self._exchange.decision.enforced:
            await self._send(message)

    async def early_hint(self, message: Message) -> None:
        """Send the hints on without those to denied vendors."""
        hints = Headers((b"link", bytes(link)) for link in message["links"])
        kept = self._exchange.early(hints)
        if kept:
            await self._send({**message, "links": kept})

    async def debug(self, message: Message) -> None:
        """Pass on what a template tells a test client; it never leaves the process."""
        await self._send(message)

    async def _file_body(self, message: Message, pieces: Callable[[], AsyncIterator[bytes]], *, more: bool) -> None:
        passage = self._passage
        if passage is None or self._done or passage.untouched:
            self._done = self._done or (passage is not None and not more)
            await self._send(message)
            return
        async for piece in pieces():
            await self._turn()
            await self._rewritten(passage, piece, True)
        if not more:
            await self._rewritten(passage, b"", False)

    async def _rewritten(self, passage: Passage, piece: bytes, more: bool) -> None:
        self._keep_count(len(piece), more)
        try:
            out = passage.feed(piece) if piece else b""
            if not more:
                out += passage.close()
        except RewriteError as error:
            await self._cut(error)
            return
        self._done = not more
        if not self.started:
            if not out and more:
                self._hold(piece)
                return
            head = passage.head
            if not more:  # held back whole, so its length is known
                length = str(len(out)).encode()
                head = Response(head.status, head.headers.replacing(b"content-length", length))
            await self._send_head(head)
        if out or not more:
            await self._send({"type": "http.response.body", "body": out, "more_body": more})

    def _keep_count(self, size: int, more: bool) -> None:
        """Hold the application to its Content-Length, as the server would had the head reached it."""
        if self._declared_bytes is None:
            return
        self._declared_bytes -= size
        if self._declared_bytes < 0:
            raise RuntimeError("Response content longer than Content-Length")
        if self._declared_bytes and not more:
            raise RuntimeError("Response content shorter than Content-Length")

    def _is_rewritten(self, passage: Passage) -> bool:
        return not passage.untouched and self._exchange.decision.enforced

    async def _send_head(self, head: Response) -> None:
        assert self._start is not None and self._passage is not None
        self.started = True
        start = {**self._start, "headers": [(name.lower(), value) for name, value in head.headers]}
        if "trailers" in start and self._is_rewritten(self._passage):
            start["trailers"] = False
        await self._send(start)

    async def _cut(self, error: RewriteError) -> None:
        await self._refuse(error)
        raise CutOff("the response was cut off") from error

    async def _refuse(self, error: RewriteError) -> None:
        answer = self._exchange.cut(error)
        self.error = error
        if not self.started:
            await send_whole(self._send, answer)

    def _hold(self, piece: bytes) -> None:
        """Give a page that its application streams a while to come whole, from its first piece."""
        if not piece or self._timer is not None or self._declared_bytes is not None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # trio's loop runs, as it can under hypercorn: the page waits for its end
            return
        self._timer = loop.call_later(self._held_s, self._late)

    def _late(self) -> None:
        if not self.started and self.error is None:
            self._letting_go = asyncio.get_running_loop().create_task(self._let_go())

    async def _let_go(self) -> None:
        """Send what is there of a page that its application streams."""
        assert self._passage is not None
        try:
            out = self._passage.let_go()
        except RewriteError as error:
            await self._refuse(error)
            return
        if out:
            await self._send_head(self._passage.head)
            await self._send({"type": "http.response.body", "body": out, "more_body": True})

    async def _turn(self) -> None:
        """Wait until what the timer began to send has left. Raises what became of that, CutOff where nothing more may."""
        if self._letting_go is not None:
            await asyncio.wait((self._letting_go,))
            self._letting_go.result()
            self._letting_go = None
        if self.error is not None:
            raise CutOff("the response was cut off")


MESSAGES: Mapping[str, Callable[[Answer, Message], Awaitable[None]]] = {
    "http.response.start": Answer.start,
    "http.response.body": Answer.body,
    "http.response.pathsend": Answer.path,  # a file, by its name: read here where it is a page
    "http.response.zerocopysend": Answer.zero_copy,  # a file, by its descriptor: the same
    "http.response.trailers": Answer.trailers,  # dropped with the body they were made for
    "http.response.push": Answer.push,  # the pushed request would come without the visitor's signal
    "http.response.early_hint": Answer.early_hint,  # Link headers that come before the head
    "http.response.debug": Answer.debug,  # stays in the process
}
"""What is done with each message of an application."""


async def _opened(path: str) -> AsyncIterator[bytes]:
    """Yield a file's bytes, read off the event loop."""
    file = await asyncio.to_thread(Path(path).open, "rb")
    try:
        while piece := await asyncio.to_thread(file.read, READ_BYTES):
            yield piece
    finally:
        file.close()


async def _part_of(message: Message) -> AsyncIterator[bytes]:
    """Yield the bytes of an open file that a ``zerocopysend`` message means; ``count`` absent means to the end."""
    file: BinaryIO = message["file"]
    if message.get("offset") is not None:
        await asyncio.to_thread(file.seek, message["offset"])
    left: int | None = message.get("count")
    while left is None or left > 0:
        piece = await asyncio.to_thread(file.read, READ_BYTES if left is None else min(READ_BYTES, left))
        if not piece:
            return
        if left is not None:
            left -= len(piece)
        yield piece

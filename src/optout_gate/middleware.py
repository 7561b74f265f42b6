"""The gate inside an ASGI application: ``app.add_middleware(OptOutGateMiddleware, config="site.yaml")``.

Outermost is its place, so that it sees what leaves; a compressing middleware inside it is opened and closed again. Pure
ASGI, because Starlette's ``BaseHTTPMiddleware`` would break streaming and context variables. The traps are the ways
in which a response leaves an application without a ``http.response.body`` message: ``pathsend`` and ``zerocopysend``
give the server a file, ``push`` starts a request that nobody asked the visitor about, an early hint has the browser
connect before any head is read. Each has a line in :data:`MESSAGES`.

What goes wrong in the application goes wrong as it would without the gate, save that a page which was to be rewritten
is never sent by halves: its head waits for its first bytes, and an error before them is an error page.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from optout_gate.errors import RewriteError
from optout_gate.exchange import Exchange
from optout_gate.gate import Gate
from optout_gate.http import Headers, Response, request_of
from optout_gate.pages.app import OwnPages
from optout_gate.pages.reports import Told
from optout_gate.policy.choice import SCOPE_KEY, VisitorChoice
from optout_gate.policy.load import Loaded, everywhere, load_file
from optout_gate.receiving import refusal, told_with
from optout_gate.report import Report
from optout_gate.rewrite.passage import Passage
from optout_gate.telemetry.outcomes import OutcomeLog
from optout_gate.uncloaking import Uncloaking

READ_BYTES = 64 * 1024  # of a file at a time, as servers read them


class OptOutGateMiddleware:
    """An ASGI application that passes everything to another, and its answers through the gate.

    Attributes:
        gate: the configuration at work. May be replaced at any time; exchanges under way keep theirs.
    """

    def __init__(
        self,
        app: ASGIApp,
        config: Gate | Loaded | str | os.PathLike[str] | None = None,
        *,
        on_report: Callable[[Report], object] | None = None,
        on_browser_report: Told | None = None,
    ) -> None:
        """Take the application, a configuration (by default: the defaults, on every host), and who is told of results.

        Args:
            app: the application inside.
            config: a configuration file's path, a configuration already loaded, or a gate. The ``upstream`` of its
                sites goes unused.
            on_report: called with every exchange's report when it is over; for metrics and logs.
            on_browser_report: called for each thing that visitors' browsers report, with ``blocked`` or ``leaked``,
                vendor, channel and count, or with ``refused``, a reason, nothing and 1. Anyone can post a report.

        Raises:
            ConfigError: with everything that is wrong in the file.
        """
        self.app = app
        self.gate = gate_of(config)
        self._on_report = on_report
        self._outcomes = OutcomeLog()
        self._pages = OwnPages(lambda: self.gate, told=on_browser_report)
        self._uncloaking = Uncloaking()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "http" and self._pages.answer_to(_path(scope)):
            await self._pages(scope, receive, send)
            return
        exchange = self.gate.open(request_of(scope)) if scope["type"] in ("http", "websocket") else None
        if exchange is None:  # lifespan, what is not known yet, a host that is not the gate's
            await self.app(scope, receive, send)
            return
        inner = _inner_scope(scope, exchange, self.gate)
        if scope["type"] == "websocket":
            await self.app(inner, receive, told_with(exchange, send, self._over))
            return
        answer = _Answer(exchange, send)
        try:
            if exchange.beacon is not None:
                refused, receive = await refusal(exchange, receive)
                if refused is not None:
                    await _send_whole(send, refused)
                    return
            await self.app(inner, receive, answer.send)
        except Exception:  # whatever the application made of being cut off
            if answer.error is None:
                raise
        finally:
            self._over(exchange.report)
            if self.gate.cloaks is not None:
                self._uncloaking.look_up(self.gate)
        if answer.error is not None and answer.started:
            raise answer.error  # the server closes the connection: the visitor's browser sees that a part is missing

    def _over(self, report: Report) -> None:
        if self._on_report is not None:
            self._on_report(report)
        self._outcomes.tell(report)


def gate_of(config: Gate | Loaded | str | os.PathLike[str] | None) -> Gate:
    """Return the gate for a configuration in whatever shape a caller has it; None means the defaults on every host.

    Raises:
        ConfigError: with everything that is wrong in the file.
    """
    if isinstance(config, Gate):
        return config
    if config is None:
        config = everywhere()
    elif not isinstance(config, Loaded):
        config = load_file(Path(config))
    return Gate(config, clock=time.perf_counter)


async def _send_whole(send: Send, response: Response) -> None:
    """Send an answer of the gate's own."""
    lines = [(name.lower(), value) for name, value in response.headers]
    await send({"type": "http.response.start", "status": response.status, "headers": lines})
    await send({"type": "http.response.body", "body": response.body})


class _CutOff(OSError):
    """Raised to the application as servers do when nobody listens any more (ASGI 2.4: a subclass of OSError)."""


def _path(scope: Scope) -> str:
    """Return the path as the application routes it: what it is mounted under left away."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(root + "/") else path


def _inner_scope(scope: Scope, exchange: Exchange, gate: Gate) -> Scope:
    """Return the scope that the application gets: a copy, with the head rewritten and the choice beside it."""
    inner = {
        **scope,
        "headers": [(name.lower(), value) for name, value in exchange.request.headers],
        SCOPE_KEY: VisitorChoice(exchange.decision, gate.catalog),
    }
    if exchange.request.target is not exchange.visitor.target:
        inner["query_string"] = exchange.request.target.partition(b"?")[2]
    if exchange.decision.opted_out and scope.get("extensions"):
        inner["extensions"] = {name: value for name, value in scope["extensions"].items() if _is_known(name)}
    return inner


def _is_known(extension: str) -> bool:
    """Return True for an extension by which nothing can go round the gate, and no head as the visitor sent it."""
    return (extension != "optout_gate.raw" and not extension.startswith("http.response.")) or extension in MESSAGES


class _Answer:
    """The application's answer to one request, on its way out.

    Attributes:
        started: the head has been sent.
        error: why the body could not go on, if so.
    """

    def __init__(self, exchange: Exchange, send: Send) -> None:
        self.started = False
        self.error: RewriteError | None = None
        self._exchange = exchange
        self._send = send
        self._start: Message | None = None
        self._passage: Passage | None = None
        self._declared_bytes: int | None = None
        self._done = False

    async def send(self, message: Message) -> None:
        """Take a message of the application's."""
        if self.error is not None:
            raise _CutOff("the response was cut off")
        takes = MESSAGES.get(message["type"])
        if takes is not None:
            await takes(self, message)
        elif self._exchange.decision.opted_out:
            raise RuntimeError(f"the gate does not know the ASGI message {message['type']!r}")
        else:
            await self._send(message)

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
        answer = self._exchange.cut(error)
        self.error = error
        if not self.started:
            lines = [(name.lower(), value) for name, value in answer.headers]
            await self._send({"type": "http.response.start", "status": answer.status, "headers": lines})
            await self._send({"type": "http.response.body", "body": answer.body})
        raise _CutOff("the response was cut off") from error


MESSAGES: Mapping[str, Callable[[_Answer, Message], Awaitable[None]]] = {
    "http.response.start": _Answer.start,
    "http.response.body": _Answer.body,
    "http.response.pathsend": _Answer.path,  # a file, by its name: read here where it is a page
    "http.response.zerocopysend": _Answer.zero_copy,  # a file, by its descriptor: the same
    "http.response.trailers": _Answer.trailers,  # dropped with the body they were made for
    "http.response.push": _Answer.push,  # the pushed request would come without the visitor's signal
    "http.response.early_hint": _Answer.early_hint,  # Link headers that come before the head
    "http.response.debug": _Answer.debug,  # stays in the process
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

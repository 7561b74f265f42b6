"""The short way through the proxy: an exchange without a task, a coroutine or an ASGI message.

Nearly every request of a website is a GET without a body, on a connection that stands, to an origin that has one
standing as well. Nothing has to be waited for there but bytes, and their transports say when they have come. So a
:class:`Relay` is called by both connections and does at once what there is to do. Whatever needs more (a body, a
question about the visitor, a page of the gate's own, a connection that is not there yet) takes the long way,
:mod:`optout_gate.proxy.long_way`, and so does an exchange whose connection the origin was just closing.
What visitors, origins and the metrics see is the same.
"""

import asyncio
import logging
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from optout_gate.errors import RewriteError, UpstreamError
from optout_gate.exchange import Exchange
from optout_gate.http import Headers, Response
from optout_gate.proxy import forwarding
from optout_gate.proxy.answers import dated, of_length, takes_hints
from optout_gate.proxy.protocol_framing import FramedResponse, early_hints
from optout_gate.proxy.upstream_connection import Connection
from optout_gate.proxy.upstream_parser import ResponseHead
from optout_gate.rewrite.passage import Passage

if TYPE_CHECKING:
    from optout_gate.proxy.app import ProxyApp
    from optout_gate.proxy.protocol import GateProtocol

MOST_ALIKE = 16
"""Heads as they went out that are kept beside one head of an origin."""

log = logging.getLogger("optout_gate.proxy")


class Relay:
    """One exchange under way. What stands first is what :class:`GateProtocol` asks of whoever answers.

    Attributes:
        response_started: something of the answer has been sent.
        response_complete: there is nothing more to send.
        keep_alive: the connection may carry another request after this one.
        answer: the answer, when it has begun.
    """

    waiting_for_100_continue = False
    more_body = False

    def __init__(
        self,
        app: "ProxyApp",
        exchange: Exchange,
        protocol: "GateProtocol",
        version: str,
        *,
        keep_alive: bool,
        alike: Hashable | None = None,
    ) -> None:
        """Take an exchange.

        Args:
            app: the application.
            exchange: not begun yet.
            protocol: the visitor's connection.
            version: of HTTP.
            keep_alive: the connection may carry another request after this one.
            alike: is the same for exchanges that pass a response on with the same head; None where none is the same.
        """
        self.response_started = False
        self.response_complete = False
        self.keep_alive = keep_alive
        self._alike = alike
        self._app = app
        self._exchange = exchange
        self._protocol = protocol
        self._version = version
        self._begun = app.gate.clock()
        self._connection: Connection | None = None
        self._passage: Passage | None = None
        self.answer: FramedResponse | None = None
        self._ready: FramedResponse | None = None
        self._reason = b""
        self._status = 0
        self._held: asyncio.TimerHandle | None = None

    def begin(self, connection: Connection, head: bytes, again: Callable[[], None]) -> None:
        """Send the request; ``again`` sends it the long way."""
        self._connection = connection
        self._again = again
        self._app.turn.begin()
        self._protocol.tasks.add(self)  # type: ignore[arg-type]  # may be cancelled as one, and counts as one
        connection.begin(self._exchange.request.method, head, self._progress)

    # What the visitor's connection calls

    def leave(self) -> None:
        """End: an answer nobody reads costs the origin for nothing."""
        if not self.response_complete:
            self.response_complete = True
            self._over()

    def resume(self) -> None:
        """Send on, the visitor takes more."""
        self._progress()

    def cancel(self, msg: object = None) -> None:
        """Break off, as a server does that has waited long enough for what is under way."""
        self._protocol.loop.call_soon(self._cut)  # not now: it is on its way through all of them

    # What the origin's connection calls

    def _progress(self) -> None:
        connection = self._connection
        if connection is None or self.response_complete:
            return
        try:
            self._go_on(connection)
        except RewriteError as error:
            self._fail(self._exchange.cut(error))
        except UpstreamError as error:
            self._failed(connection, error)
        except Exception:
            log.exception("an exchange broke off by a mistake of the gate's own")
            self._cut()

    def _go_on(self, connection: Connection) -> None:
        response = connection.response
        if self._passage is None:
            while response.early:
                self._hint(response.early.popleft())
            if response.head is None:
                if connection.error is not None:
                    raise connection.error
                return
            self._respond(response.head)
        passage, flow = self._passage, self._protocol.flow
        assert passage is not None
        piece = None
        while response.pieces:
            if flow.write_paused:
                return
            piece = connection.take()
            if passage.untouched:
                self._exchange.report.bytes_in += len(piece)
                self._exchange.report.bytes_out += len(piece)
                if connection.spent:
                    self._send(passage.head, piece, more=False)
                    return
                self._send(passage.head, piece, more=True)
            elif out := passage.feed(piece):
                self._send(passage.head, out, more=True)
        if connection.spent:
            self._end(passage)
        elif connection.error is not None:
            raise connection.error
        elif self.answer is not None:
            return
        elif passage.untouched:
            self._send(passage.head, b"", more=True)  # a stream whose first event is yet to come has a head
        elif piece is not None and self._held is None:
            self._hold(passage, response.head)

    def _hold(self, passage: Passage, head: ResponseHead | None) -> None:
        """Give a page that its origin streams a while to come whole."""
        if head is not None and b"content-length" not in head.end_to_end:
            self._held = self._protocol.loop.call_later(self._app.gate.limits.held_s, self._let_go, passage)

    def _let_go(self, passage: Passage) -> None:
        """Send what is there of a page that its origin streams."""
        if self.response_complete or self.answer is not None:
            return
        try:
            if out := passage.let_go():
                self._send(passage.head, out, more=True)
        except RewriteError as error:
            self._fail(self._exchange.cut(error))

    def _respond(self, head: ResponseHead) -> None:
        app = self._app
        app.turn.answered(app.gate.clock() - self._begun)
        self._reason = head.reason
        if self._alike is not None:
            known = head.framed.get((self._alike, self._version, self.keep_alive))
            if known is not None:
                self._passage, self._ready = known[0], known[1].again()
                return
        passage = self._passage = self._exchange.respond(Response(head.status, head.end_to_end))
        if self._alike is not None and passage.untouched and b"date" in head.end_to_end:
            self._ready = self._framed(passage.head, head.reason)
            if len(head.framed) < MOST_ALIKE:
                head.framed[self._alike, self._version, self.keep_alive] = passage, self._ready.again()

    def _hint(self, headers: Headers) -> None:
        if self._version != "1.0" and takes_hints(self._exchange):
            links = self._exchange.early(forwarding.end_to_end(headers))
            if links:
                self._protocol.transport.write(early_hints(links))

    # The answer

    def _send(self, head: Response, body: bytes, *, more: bool) -> None:
        answer = self.answer
        if answer is None:
            answer = self._start(head, self._reason)
            pieces = [answer.head, *answer.framed(body, more=more)]
        else:
            pieces = answer.framed(body, more=more)
        if pieces:
            self._protocol.transport.writelines(pieces)
        if not more:
            self._complete()

    def _start(self, head: Response, reason: bytes | None) -> FramedResponse:
        self.response_started = True
        self._status = head.status
        answer = self.answer = self._ready or self._framed(head, reason)
        self.keep_alive = self.keep_alive and answer.keep_alive  # it may have been told to stop since
        return answer

    def _framed(self, head: Response, reason: bytes | None) -> FramedResponse:
        return FramedResponse(
            head.status,
            reason,
            dated(head.headers).pairs,
            method=self._exchange.request.method,
            version=self._version,
            keep_alive=self.keep_alive,
            default_headers=self._protocol.server_state.default_headers,
        )

    def _end(self, passage: Passage) -> None:
        if passage.untouched:
            self._send(passage.head, b"", more=False)
            return
        out = passage.close()
        head = passage.head if self.answer is not None else of_length(passage.head, out)
        self._send(head, out, more=False)

    def _failed(self, connection: Connection, error: UpstreamError) -> None:
        if connection.raced(error) and not self.response_started:
            self._release()
            self._again()
            return
        self._fail(self._app.failed(self._exchange, error))

    def _fail(self, answer: Response) -> None:
        """Answer with an error, or cut the connection where an answer is already under way."""
        if self.response_started:
            self._cut()
        else:
            self._ready = None
            framed = self._start(answer, None)
            self._protocol.transport.writelines([framed.head, *framed.framed(answer.body, more=False)])
            self._complete()

    def _cut(self) -> None:
        if not self.response_complete:
            self.response_complete = True
            self._protocol.cut(self.answer)
            self._over()

    def _complete(self) -> None:
        self.response_complete = True
        self._over()
        self._protocol.on_response_complete()

    def _over(self) -> None:
        self._release()
        self._app.over(self._exchange, status=self._status, begun=self._begun)

    def _release(self) -> None:
        self._protocol.tasks.discard(self)
        self._app.turn.end()
        if self._held is not None:
            self._held.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.finish()

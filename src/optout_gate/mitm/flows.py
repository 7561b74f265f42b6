"""One flow on its way through the gate: head, body by pieces or whole, and what is said about it.

Traps of mitmproxy's streaming, all met by running it:

- The head is sent before the first piece of the body is looked at. A page that then cannot be rewritten can no longer
  go out contained; the flow is ended instead, and nothing more of the body is sent. Pages that are declared to be short
  are therefore held back whole, which the gate would do anyway.
- A piece of ``b""`` is written as a chunk of length zero, which is the end of the body to every client.
- An exception in the stream function leaves the connection open for ever.
- The end is told by a piece of ``b""``, and so is a DATA frame with nothing in it, with which most servers end a stream
  of HTTP/2: mitmproxy 11 then tells the end twice. One in the middle cannot be told from the end, and the page is cut.
- The function is called when a piece has come and at no other time, and mitmproxy takes no bytes for a client but what it
  returns. So what is held back of a page that its origin streams can be let go with a piece that comes late, but not
  between two, as the proxy does.
- What is not streamed waits for its end, and an event stream has none.
"""

import logging
from collections.abc import Callable, Iterable
from math import inf

from mitmproxy import http as mitm

from optout_gate.errors import Failure, RewriteError
from optout_gate.exchange import Exchange
from optout_gate.gate import Gate
from optout_gate.http import Headers, Response, media_type
from optout_gate.mitm import messages, words
from optout_gate.report import OUTCOME_FIELD, Outcome
from optout_gate.rewrite.passage import HELD_BYTES, Passage

KEPT_BYTES = 8 * 1024 * 1024  # of a streamed page, to show it; mitmproxy itself forgets what it streams

log = logging.getLogger(__name__)


class Crossing:
    """What the addon knows of one flow. It does not hold the flow: that would keep mitmproxy from forgetting it."""

    def __init__(self, flow: mitm.HTTPFlow, exchange: Exchange, gate: Gate) -> None:
        self.exchange = exchange
        self._gate = gate
        is_ours = words.METADATA in flow.metadata  # a flow replayed
        self.may_comment = is_ours or not flow.comment  # what a person or another addon wrote stays
        self.may_mark = is_ours or not flow.marked
        self.is_refused = False  # answered here: mitmproxy shows the answer to every hook as though it had come
        self.original: bytes | None = None  # the origin's body, once it is through; None where it is not kept
        self._passage: Passage | None = None
        self._tells_length = False
        self._let_go_at: float | None = None  # of the gate's clock; known with the first piece of a streamed body
        self._is_cut = False
        self._came: bytearray | None = bytearray()  # None: too long to be kept
        self._sent = bytearray()

    def refuse(self, flow: mitm.HTTPFlow) -> None:
        """Answer a request that is a denied vendor's; its body is here whole."""
        beacon = self.exchange.beacon
        if beacon is None:
            return
        if beacon.wants_body:
            self.exchange.read(flow.request.raw_content or b"")
        if beacon.reply is not None:
            self.is_refused = True
            reply = self.exchange.marked(beacon.reply)
            flow.response = messages.made_of(reply)
            if reply.status == 204:
                del flow.response.headers["content-length"]

    def respond(self, flow: mitm.HTTPFlow, *, stream: bool, must_stream: bool = False) -> None:
        """Rewrite the response's head; have its body come through the gate as it comes (``stream``), or once it is whole.

        With ``must_stream`` mitmproxy streams it in any case when it is long.
        """
        response = flow.response
        assert response is not None
        head = messages.response_of(response)
        passage = self.exchange.respond(head)
        if passage.untouched:
            messages.set_headers(response, passage.head.headers)
            response.stream = response.stream or is_event_stream(head)
            return
        self._passage = passage
        self._tells_length = b"content-length" in head.headers
        if must_stream and passage.blocked and flow.killable:
            flow.kill()
        elif stream and passage.streams and not passage.blocked:
            headers = passage.head.headers
            if b"content-length" not in headers and b"transfer-encoding" not in headers:
                headers = messages.framed_for_streaming(headers, flow)
            messages.set_headers(response, headers)
            response.stream = self._stream(flow, passage, passage.head)
        else:
            response.stream = False

    def finish(self, flow: mitm.HTTPFlow) -> None:
        """Put a body that was held back through the gate; give a streamed one back for showing."""
        response = flow.response
        passage = self._passage
        if response is None or passage is None:
            if response is not None and response.raw_content is not None:
                report = self.exchange.report
                report.bytes_in = report.bytes_out = len(response.raw_content)
            return
        response.trailers = None  # they speak of the origin's bytes
        if response.stream:
            if self._came is not None:
                self._keep(response, bytes(self._came), bytes(self._sent))
        elif response.raw_content is not None:
            self._put_through(flow, passage, response)
        self._passage = None

    def _put_through(self, flow: mitm.HTTPFlow, passage: Passage, response: mitm.Response) -> None:
        came = response.raw_content or b""
        try:
            sent = passage.feed(came) + passage.close()
        except RewriteError as error:
            answer = self.exchange.cut(error)
            log.warning(
                "optout_gate: a page of %s held back from a visitor who opted out: %s", flow.request.pretty_host, error
            )
            flow.response = messages.made_of(answer)
            return
        length = str(len(sent)).encode()
        headers = passage.head.headers.without([b"transfer-encoding"])
        messages.set_headers(response, headers.replacing(b"content-length", length))
        self._keep(response, came, sent)

    def _keep(self, response: mitm.Response, came: bytes, sent: bytes) -> None:
        response.data.content = sent
        self.original = came

    def _stream(self, flow: mitm.HTTPFlow, passage: Passage, sent_head: Response) -> Callable[[bytes], Iterable[bytes]]:
        """Return what mitmproxy puts each piece of the body through; at the end it is called with ``b""``."""
        sent = told_apart(sent_head)

        def put_through(piece: bytes) -> Iterable[bytes]:
            if self._is_cut:
                return []
            try:
                out = self._next(passage, piece)
                passed = self.exchange.report.outcome is Outcome.PASSED_UNENFORCED
                if (
                    told_apart(passage.head) != sent and not passed
                ):  # the core would have the page go out contained: too late
                    raise RewriteError(self.exchange.report.error or Failure.REWRITER, "the head has been sent")
            except RewriteError as error:
                self._cut(flow, error)
                return []
            if self._came is not None:
                self._came += piece
                self._sent += out
                if len(self._came) > KEPT_BYTES:
                    self._came = None
                    self._sent.clear()
            return [out] if out else []

        return put_through

    def _next(self, passage: Passage, piece: bytes) -> bytes:
        """Return what leaves when ``piece`` has come. Raises RewriteError."""
        if not piece:
            return passage.close()
        if self._let_go_at is None:
            self._let_go_at = inf if self._tells_length else self._gate.clock() + self._gate.limits.held_s
        out = passage.feed(piece)
        return passage.let_go() if not out and self._gate.clock() >= self._let_go_at else out

    def _cut(self, flow: mitm.HTTPFlow, error: RewriteError) -> None:
        self._is_cut = True
        self.exchange.cut(error)
        log.warning(
            "optout_gate: a page of %s cut off for a visitor who opted out: %s", flow.request.pretty_host, error
        )
        if flow.killable:
            flow.kill()


def told_apart(head: Response) -> Headers:
    """Return the fields of a head by which two that the core gives for one response differ in what they allow."""
    return head.headers.without([OUTCOME_FIELD.lower()])


def is_short(response: mitm.Response) -> bool:
    """Return True for a body declared to be no longer than what the core holds back in any case."""
    declared = Headers(response.headers.fields).first(b"content-length")
    return declared is not None and declared.isdigit() and int(declared) <= HELD_BYTES


def is_event_stream(head: Response) -> bool:
    """Return True for server-sent events, which a page waits for one by one."""
    return media_type(head.headers).essence == "text/event-stream"

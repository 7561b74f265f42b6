"""One response taken out of a stream of bytes. No I/O: bytes in, a head and pieces of body out.

Body bytes are counted, not parsed, and kept in the sizes in which they came.
"""

from collections import deque

from optout_gate.errors import UpstreamError
from optout_gate.http import Headers
from optout_gate.policy.limits import UpstreamLimits
from optout_gate.proxy.upstream_parser import BARE_LINE_FEED, ChunkedBody, Framing, ResponseHead, parse_head, refusal

FIRST_LOOK_BYTES = 4096
"""Where a head is looked for first, so that the body behind it is copied once, not twice."""

MOST_INTERIM_RESPONSES = 8
"""1xx heads taken before one response; an origin has use for a 100, a 103 and a few 102."""


class ResponseReader:
    """The response to one request, as far as it has come.

    Attributes:
        head: None until it is complete.
        early: fields of the 103 heads before it that nobody has taken yet. Other interim responses are swallowed.
        pieces: body that nobody has taken yet.
        unread: bytes in ``pieces``.
        silent: no byte has come yet.
        complete: the response has come to its end.
        persistent: the origin will take another request on this connection.
    """

    __slots__ = (
        "_buffer",
        "_chunked",
        "_interim",
        "_limits",
        "_method",
        "_remaining",
        "complete",
        "early",
        "head",
        "persistent",
        "pieces",
        "silent",
        "unread",
    )

    def __init__(self, method: str, limits: UpstreamLimits) -> None:
        self.head: ResponseHead | None = None
        self.early: deque[Headers] = deque()
        self.pieces: deque[bytes] = deque()
        self.unread = 0
        self.silent = True
        self.complete = False
        self.persistent = False
        self._method = method
        self._limits = limits
        self._buffer = b""
        self._chunked: ChunkedBody | None = None
        self._remaining = 0
        self._interim = 0

    def feed(self, data: memoryview) -> None:
        """Take in what the origin sent, by copy. Raises UpstreamError 502 ``protocol`` or ``oversize``."""
        if self.head is not None:
            self._take_body(data)
        else:
            self.silent = False
            self._take_head(data)

    def take(self) -> bytes:
        """Return the next piece of body; there must be one."""
        piece = self.pieces.popleft()
        self.unread -= len(piece)
        return piece

    def end_of_input(self) -> bool:
        """Return whether the response is complete now that the origin has closed the connection."""
        self.persistent = False
        if self.head is not None and self.head.framing is Framing.UNTIL_CLOSE:
            self.complete = True
        return self.complete

    def _take_head(self, data: memoryview) -> None:
        held = len(self._buffer)
        raw = self._buffer + data[:FIRST_LOOK_BYTES]
        end = raw.find(b"\r\n\r\n")
        if end < 0 and len(data) > FIRST_LOOK_BYTES:
            raw = self._buffer + data
            end = raw.find(b"\r\n\r\n")
        longest = self._limits.header_bytes
        if end > longest or (end < 0 and len(raw) > longest):
            raise UpstreamError(502, "oversize", f"the origin's head is longer than {longest} bytes")
        if end < 0:
            if BARE_LINE_FEED.search(raw):
                raise refusal("the origin ends lines without a carriage return")
            self._buffer = raw
            return
        self._buffer = b""
        rest = data[end + 4 - held :]
        head = parse_head(raw[: end + 4], self._method, self._limits.header_fields)
        if head.status < 200:
            self._interim += 1
            if head.status == 101 or self._interim > MOST_INTERIM_RESPONSES:
                raise refusal(f"the origin answers {head.status} where a final response is due")
            if head.status == 103:
                self.early.append(head.headers)
            if rest:
                self._take_head(rest)
            return
        self.head = head
        self.persistent = head.persistent
        if head.framing is Framing.LENGTH:
            self._remaining = head.length
        elif head.framing is Framing.CHUNKED:
            self._chunked = ChunkedBody(longest)
        elif head.framing is Framing.NONE:
            self._end(surplus=len(rest) > 0)
            return
        if rest:
            self._take_body(rest)

    def _take_body(self, data: memoryview) -> None:
        if self._chunked is not None:
            body = self._chunked.feed(data)
            if body:
                self._keep(body)
            if self._chunked.ended:
                self._end(surplus=self._chunked.surplus)
        elif self._remaining:
            size = len(data)
            surplus = size > self._remaining
            if surplus:
                size = self._remaining
            self._remaining -= size
            self._keep(bytes(data[:size]))
            if not self._remaining:
                self._end(surplus)
        else:  # until the origin closes
            self._keep(bytes(data))

    def _keep(self, data: bytes) -> None:
        self.unread += len(data)
        self.pieces.append(data)

    def _end(self, surplus: bool) -> None:
        self.complete = True
        if surplus:  # bytes that nobody asked for: whoever came next would take them for an answer
            self.persistent = False

"""An origin's answer read strictly: a head that has one meaning, or a refusal.

A gate that forwards a head two parsers read differently lets the origin's mistake, or an attacker's success at the
origin, choose where one visitor's response ends and the next one's begins. So what RFC 9112 calls ambiguous is
refused here, also where a browser would forgive it:

==============================================  ========================================================
What the origin sends                           What becomes of it
==============================================  ========================================================
status 100-999                                  passed on; 600-999 exist in the wild (LinkedIn's 999)
status below 100, or not three digits           refused
``HTTP/1.0`` and ``HTTP/1.1``                   read; 1.0 is never kept alive. Any other version refused
no reason phrase, or none and no space          read as an empty reason
103                                             its fields handed on (RFC 8297), to who asks for them
100, 102, 104-199                               swallowed; more than 8 of these and 103 refused
101                                             refused: nobody asked for an upgrade
line ends other than CRLF, folded lines         refused (RFC 9112 §2.2, §5.2)
control characters, space before the colon      refused
Content-Length repeated, or as a list           refused, identical values too
Content-Length not digits, above 2**63 - 1      refused
Content-Length beside Transfer-Encoding         refused
Transfer-Encoding other than one ``chunked``    refused; on an HTTP/1.0 response too
framing fields on HEAD, 1xx, 204, 304           checked as above, then no body is read (RFC 9112 §6.3)
trailers                                        dropped, never merged (RFC 9110 §6.5.1)
==============================================  ========================================================

The head is read by one regular expression instead of httptools' callback per field: it refuses exactly what this
table says, whatever the version of the library, and nothing is parsed before the whole head is there, within its
limit. Chunked bodies go through httptools.
"""

import re
from enum import IntEnum
from functools import lru_cache
from typing import Any, NamedTuple

import httptools

from optout_gate.errors import UpstreamError
from optout_gate.http import Headers
from optout_gate.proxy.forwarding import end_to_end

STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: ([^\x00-\x08\x0a-\x1f\x7f]*))?")

FIELD = re.compile(rb"\r\n([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)(?=\r\n)")
"""A field line with the line end before it. The line end behind it belongs to the next one."""

MOST_KNOWN = 256
LONGEST_KNOWN = 2048
"""Of response heads that are remembered, in bytes: half a megabyte in all."""

LENGTH = re.compile(rb"[0-9]{1,19}")
LONGEST_BODY = 2**63 - 1

BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")

BODILESS = frozenset((204, 304))

CHUNKED_PREFACE = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
"""What makes httptools read a chunked body on its own; the real head has been read already."""


class Framing(IntEnum):
    """Where a response body ends."""

    NONE = 0
    LENGTH = 1
    CHUNKED = 2
    UNTIL_CLOSE = 3


class ResponseHead(NamedTuple):
    """A response head that has one meaning.

    Attributes:
        length: bytes of the body, when framing is LENGTH.
        persistent: the connection may carry another request once the body is read.
        end_to_end: those of the headers that are meant for the visitor.
        framed: heads as they went to visitors who had said nothing, by what they depend on beside this one.
    """

    status: int
    reason: bytes
    headers: Headers
    end_to_end: Headers
    framing: Framing
    length: int
    persistent: bool
    framed: dict[Any, Any]


_KNOWN: dict[tuple[bytes, str, int], ResponseHead] = {}


def refusal(problem: str) -> UpstreamError:
    """Return the error for a response that no client may be sent."""
    return UpstreamError(502, "protocol", problem)


def parse_head(raw: bytes, method: str, max_fields: int) -> ResponseHead:
    """Return the head in ``raw``, which ends with its empty line; ``method`` is the request's.

    What a thousand visitors load has one head for all of them, within a second to the byte; the last few hundred are
    remembered, and none that sets a cookie. Raises UpstreamError 502 ``protocol`` for a head that is malformed or
    ambiguous, ``oversize`` for too many fields.
    """
    key = (raw, method, max_fields)
    head = _KNOWN.get(key)
    if head is None:
        head = _parsed(raw, method, max_fields)
        if len(raw) <= LONGEST_KNOWN and b"set-cookie" not in head.headers:
            if len(_KNOWN) >= MOST_KNOWN:
                _KNOWN.clear()
            _KNOWN[key] = head
    return head


def _parsed(raw: bytes, method: str, max_fields: int) -> ResponseHead:
    start = raw.index(b"\r\n")
    minor, status, reason = _status_line(raw[:start])
    pairs = FIELD.findall(raw, start, len(raw) - 2)
    # Every line end but the last closes a line; a line the expression stepped over is missing in the count.
    if len(pairs) != raw.count(b"\n") - 2:
        raise refusal("the origin sent a malformed header field")
    if len(pairs) > max_fields:
        raise UpstreamError(502, "oversize", f"the origin sent more than {max_fields} header fields")
    headers = Headers(pairs)
    framing, length = _framing(headers, minor)
    persistent = minor == b"1" and framing is not Framing.UNTIL_CLOSE
    if status in BODILESS or status < 200 or method == "HEAD":
        # 204 with framing announces a body that it must not have: what follows may be that body.
        persistent = minor == b"1" and not (status == 204 and (length or framing is Framing.CHUNKED))
        framing, length = Framing.NONE, 0
    if persistent and b"connection" in headers:
        persistent = b"close" not in [token.lower() for token in headers.members(b"connection")]
    return ResponseHead(status, reason, headers, end_to_end(headers), framing, length, persistent, {})


@lru_cache(maxsize=64)  # an origin uses a handful of them
def _status_line(line: bytes) -> tuple[bytes, int, bytes]:
    found = STATUS_LINE.fullmatch(line)
    if found is None:
        raise refusal("the origin's status line is not HTTP/1.x")
    minor, code, reason = found.groups()
    return minor, int(code), reason or b""


def _framing(headers: Headers, minor: bytes) -> tuple[Framing, int]:
    lengths = headers.values(b"content-length")
    codings = headers.values(b"transfer-encoding")
    if codings:
        if lengths:
            raise refusal("the origin sent both Content-Length and Transfer-Encoding")
        if len(codings) != 1 or codings[0].lower() != b"chunked":
            raise refusal("the origin sent a Transfer-Encoding other than chunked")
        if minor == b"0":
            raise refusal("the origin sent Transfer-Encoding in an HTTP/1.0 response")
        return Framing.CHUNKED, 0
    if not lengths:
        return Framing.UNTIL_CLOSE, 0
    if len(lengths) != 1:
        raise refusal("the origin sent more than one Content-Length")
    digits = lengths[0]
    if LENGTH.fullmatch(digits) is None or (length := int(digits)) > LONGEST_BODY:
        raise refusal("the origin sent a Content-Length that is not a number")
    return (Framing.LENGTH, length) if length else (Framing.NONE, 0)


class ChunkedBody:
    """A chunked body being taken apart. Extensions and trailers are dropped."""

    __slots__ = ("_max_overhead", "_overhead", "_parser", "_pieces", "ended", "surplus")

    def __init__(self, max_overhead: int) -> None:
        self._pieces: list[bytes] = []
        self._overhead = 0
        self._max_overhead = max_overhead
        self.ended = False
        self.surplus = False  # bytes came behind the end
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(CHUNKED_PREFACE)

    def feed(self, data: memoryview) -> bytes:
        """Return the body bytes in ``data``. Raises UpstreamError 502 ``protocol``."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self.ended:
                raise refusal(f"the origin broke its chunked coding: {error}") from error
            self.surplus = True
        pieces = self._pieces
        if pieces:
            self._overhead = 0
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            return body
        # Neither chunk extensions nor trailers may go on for ever: they cost time and yield nothing.
        self._overhead += len(data)
        if self._overhead > self._max_overhead and not self.ended:
            raise refusal("the origin's chunk extensions or trailers do not end")
        return b""

    def on_body(self, data: bytes) -> None:
        """Take a piece of body (httptools calls this); that of a second message is nobody's."""
        if not self.ended:
            self._pieces.append(data)

    def on_message_begin(self) -> None:
        """Notice a second message on the heels of the first (httptools calls this)."""
        if self.ended:
            self.surplus = True

    def on_message_complete(self) -> None:
        """Notice the end of the body (httptools calls this)."""
        self.ended = True

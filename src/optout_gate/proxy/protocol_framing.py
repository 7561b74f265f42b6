"""A response's head and body as they go out on one connection, framed here and nowhere else.

uvicorn's own framing closes the connection on a 304 with Content-Length, fails on status 999, chunks to HTTP/1.0
clients, puts its Date on top of the origin's and lower-cases names. And an application that lets a line end into a
field, or announces another length than it sends, is stopped here, before two responses can be made of one.
"""

import http
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from optout_gate.http import Pair
from optout_gate.proxy.protocol_head import VALUE_CONTROL

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

FRAMING_FIELDS = frozenset((b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"trailer"))
"""What this side of the gate says itself."""


def status_line(status: int, reason: bytes | None) -> bytes:
    """Return the status line, without its end. Raises RuntimeError for what cannot be one."""
    if not 200 <= status <= 999:
        raise RuntimeError(f"status {status} is not one of a final response")
    if reason is None:
        return _registered_line(status)
    if VALUE_CONTROL.search(reason):
        raise RuntimeError("control character in the reason phrase")
    return b"HTTP/1.1 %d %b" % (status, reason)


@lru_cache(maxsize=800)
def _registered_line(status: int) -> bytes:
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    return b"HTTP/1.1 %d %b" % (status, phrase.encode("ascii"))


@lru_cache(maxsize=1024)
def _lowered(name: bytes) -> bytes:
    if TOKEN.fullmatch(name) is None:
        raise RuntimeError("a header name is not a token")
    return name.lower()


def _says_close(names: Sequence[bytes], fields: Sequence[Pair]) -> bool:
    said = [value for name, (_, value) in zip(names, fields, strict=True) if name == b"connection"]
    return b"close" in [token.strip().lower() for value in said for token in value.split(b",")]


def _length(names: Sequence[bytes], fields: Sequence[Pair]) -> bytes:
    lengths = {
        bytes(value).strip(b" \t") for name, (_, value) in zip(names, fields, strict=True) if name == b"content-length"
    }
    if len(lengths) > 1:
        raise RuntimeError("two different Content-Length")
    return lengths.pop()


class FramedResponse:
    """One final response on its way to a client.

    Attributes:
        head: status line and fields, to be sent before the first piece of body.
        keep_alive: the connection may carry another response after this one.
    """

    __slots__ = ("_bodiless", "_chunked", "_left", "head", "keep_alive")

    def __init__(
        self,
        status: int,
        reason: bytes | None,
        fields: Sequence[Pair],
        *,
        method: str,
        version: str,
        keep_alive: bool,
        default_headers: Iterable[Pair] = (),
    ) -> None:
        """Frame a response to a request of ``method`` and HTTP ``version``; raises RuntimeError for what is not one head.

        ``default_headers`` have lower-case names and stand where ``fields`` have none of the name.
        """
        names = [_lowered(name) for name, _ in fields]
        lines = [status_line(status, reason)]
        lines += [b": ".join(pair) for name, pair in zip(names, fields, strict=True) if name not in FRAMING_FIELDS]
        lines += [b": ".join(pair) for pair in default_headers if pair[0] not in names]
        if b"connection" in names and _says_close(names, fields):
            keep_alive = False
        self.keep_alive = keep_alive
        self._frame(status, _length(names, fields) if b"content-length" in names else None, lines, method, version)
        if not self.keep_alive:
            lines.append(b"connection: close")
        lines += (b"", b"")
        self.head = head = b"\r\n".join(lines)
        ends = len(lines) - 1
        if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head:
            raise RuntimeError("control character in a response header")

    def _frame(self, status: int, length: bytes | None, lines: list[bytes], method: str, version: str) -> None:
        """Decide how the end of the body shows, and say so in ``lines``."""
        self._left: int | None = None  # of the announced length; None: chunked, or until the connection closes
        self._chunked = False
        self._bodiless = status in (204, 304) or method == "HEAD"
        if length is not None:
            if not length.isdigit():
                raise RuntimeError("Content-Length is not a number")
            if status != 204:  # "A server MUST NOT send a Content-Length header field in any response with ... 204"
                lines.append(b"content-length: " + length)
            self._left = int(length)
        elif self._bodiless:
            pass
        elif version == "1.0":
            self.keep_alive = False  # knows no chunked coding (RFC 9112 §6.1); the end of the connection is the end
        else:
            self._chunked = True
            lines.append(b"transfer-encoding: chunked")

    @property
    def ends_with_connection(self) -> bool:
        """Whether nothing but the end of the connection shows that the body is over."""
        return self._left is None and not (self._chunked or self._bodiless)

    def again(self) -> "FramedResponse":
        """Return the same for another response of which nothing has been framed yet, as of this one."""
        other = FramedResponse.__new__(FramedResponse)
        other.head, other.keep_alive, other._left = self.head, self.keep_alive, self._left
        other._chunked, other._bodiless = self._chunked, self._bodiless
        return other

    def framed(self, body: bytes, *, more: bool) -> list[bytes]:
        """Return what to send for the next piece of body; raises RuntimeError when it is not of the length announced."""
        if self._bodiless:
            return []  # whatever the application meant to say
        if self._chunked:
            if body:
                return [b"%x\r\n" % len(body), body, b"\r\n" if more else b"\r\n0\r\n\r\n"]
            return [] if more else [b"0\r\n\r\n"]
        if self._left is not None:
            self._left -= len(body)
            if self._left < 0:
                raise RuntimeError("the response is longer than its Content-Length")
            if self._left and not more:
                raise RuntimeError("the response is shorter than its Content-Length")
        return [body] if body else []


def early_hints(links: Iterable[bytes]) -> bytes:
    """Return a 103 with ``links`` as its ``Link`` lines (RFC 8297); raises RuntimeError for one that is not a line."""
    values = list(links)
    if any(VALUE_CONTROL.search(link) for link in values):
        raise RuntimeError("control character in an early hint")
    return b"".join((b"HTTP/1.1 103 Early Hints\r\n", *(b"link: %b\r\n" % link for link in values), b"\r\n"))

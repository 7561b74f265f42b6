"""A request head read for what it means, before anybody acts on it.

llhttp, which uvicorn's httptools wraps, refuses much of what makes a request ambiguous: bare line feeds, folded
lines, control characters, a space before the colon, Content-Length beside Transfer-Encoding. What it lets pass and a
gate must not stands in :func:`judge`.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from optout_gate.http import Pair

# uri-host of RFC 3986 as hosts are written in practice: no percent-escapes, no sub-delims, nothing of a URL around.
HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z_.\-]{1,255})(?::[0-9]{1,5})?")
LENGTH = re.compile(rb"0|[1-9][0-9]{0,17}")  # 010 is eight to some
VALUE_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

# Field names that say something about the message, not about its content.
MESSAGE_FIELDS = frozenset((b"host", b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade"))


REFUSED = "optout_gate.refused"
"""Where an application keeps, in its lifespan's state, who is told why a request never came to it."""
_BUSY = 503
_WHY: Mapping[int, str] = {408: "slow", 413: "too_large", 414: "too_large", 431: "too_large", _BUSY: "busy"}


def told_of_refusal(state: Mapping[str, Any], status: int = _BUSY) -> None:
    """Say that a request is answered with ``status`` and goes no further."""
    tell: Callable[[str], None] | None = state.get(REFUSED)
    if tell is not None:
        tell(_WHY.get(status, "malformed"))


class Refusal(Exception):
    """A request that is answered here and goes no further."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status
        self.problem = problem


class Meaning(NamedTuple):
    """What a request head says about its message and connection.

    Attributes:
        keep_alive: the client wants the connection to stay.
        expects_continue: it waits for a 100 before it sends the body.
        length: bytes of body; None for a chunked one.
        websocket: it asks to become a WebSocket.
    """

    keep_alive: bool
    expects_continue: bool
    length: int | None
    websocket: bool


def judge(method: str, target: bytes, version: str, headers: list[Pair]) -> Meaning:
    """Return what the head means; ``headers`` have lower-case names. Raises Refusal."""
    if version not in ("1.1", "1.0"):
        raise Refusal(505, "HTTP version not supported")
    if method == "CONNECT":
        raise Refusal(400, "CONNECT is not served")
    if not target.startswith(b"/") and not (target == b"*" and method == "OPTIONS"):
        raise Refusal(400, "the request target is not a path")  # nor may it name another host than Host does
    if b"#" in target:
        raise Refusal(400, "the request target has a fragment")
    return _read(method, version, tuple([pair for pair in headers if pair[0] in MESSAGE_FIELDS]))


@lru_cache(maxsize=512)  # most requests to a site say the same about themselves
def _read(method: str, version: str, fields: tuple[Pair, ...]) -> Meaning:
    said: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        said.setdefault(name, []).append(value.strip(b" \t"))
    hosts = said.get(b"host", ())
    if len(hosts) != 1:
        raise Refusal(400, "a request has exactly one Host")  # RFC 9112 §3.2
    if HOST.fullmatch(hosts[0]) is None:
        raise Refusal(400, "Host is not a host and port")
    length = _length(said, version)
    connection = [token.strip(b" \t").lower() for value in said.get(b"connection", ()) for token in value.split(b",")]
    expects = [value.lower() for value in said.get(b"expect", ())]
    if version == "1.0":
        expects = []  # to be ignored in HTTP/1.0 (RFC 9110 §10.1.1)
    elif any(value != b"100-continue" for value in expects):
        raise Refusal(417, "only 100-continue can be expected")
    upgrades = [value.lower() for value in said.get(b"upgrade", ())]
    return Meaning(
        keep_alive=version == "1.1" and b"close" not in connection,
        expects_continue=bool(expects) and length != 0,
        length=length,
        websocket=upgrades == [b"websocket"]
        and b"upgrade" in connection
        and method == "GET"
        and version == "1.1"
        and length == 0,
    )


def _length(said: dict[bytes, list[bytes]], version: str) -> int | None:
    lengths = said.get(b"content-length", ())
    codings = said.get(b"transfer-encoding", ())
    if codings:
        if lengths:
            raise Refusal(400, "both Content-Length and Transfer-Encoding")
        if version == "1.0":
            raise Refusal(400, "Transfer-Encoding in HTTP/1.0")
        if len(codings) != 1 or codings[0].lower() != b"chunked":
            raise Refusal(400, "a Transfer-Encoding other than chunked")
        return None
    if not lengths:
        return 0
    if len(lengths) != 1 or LENGTH.fullmatch(lengths[0]) is None:
        raise Refusal(400, "Content-Length is not one number")
    return int(lengths[0])


def framing_head(meaning: Meaning) -> bytes:
    """Return a head with nothing but the framing, for a fresh parser to read the body after."""
    framing = b"transfer-encoding: chunked" if meaning.length is None else b"content-length: %d" % meaning.length
    return b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n"

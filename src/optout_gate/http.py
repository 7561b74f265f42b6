"""HTTP messages as the wire carries them: the values that every room passes on.

Header fields are ordered pairs of bytes with repeats kept. Every library we plug into offers a friendlier
view, and they disagree about a repeated field: given ``Sec-GPC: 0`` and then ``Sec-GPC: 1``, Starlette's and
aiohttp's ``get`` answer ``0``, mitmproxy's answers ``0, 1``, and the GPC specification says that the signal is
present. So the doors hand over the raw pairs, and everything above this module asks its questions here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote

Pair = tuple[bytes, bytes]
"""Field name and value. The name keeps its case; comparing ignores it."""


class Headers:
    """Header fields in wire order. Immutable: every change returns a new value.

    Names given to the methods are lower case.
    """

    __slots__ = ("_lowered", "_names", "pairs")

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        """Take the fields as they came.

        Raises:
            TypeError: they are text. A signal would be looked for in vain, and nobody would notice.
        """
        self.pairs: tuple[Pair, ...] = tuple(pairs)
        self._lowered = tuple([name.lower() for name, _ in self.pairs])  # names are asked for some ten times a message
        if self._lowered and isinstance(self._lowered[0], str):
            raise TypeError(f"a header field is a pair of bytes, (b'name', b'value'), not {self.pairs[0]!r}")
        self._names = frozenset(self._lowered)

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.pairs == other.pairs

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __repr__(self) -> str:
        return f"Headers({list(self.pairs)!r})"

    @property
    def names(self) -> frozenset[bytes]:
        """Every field's name, in lower case."""
        return self._names

    def values(self, name: bytes) -> list[bytes]:
        """Return every value of the field ``name``, in wire order, optional whitespace trimmed."""
        if name not in self._names:
            return []
        lowered, pairs = self._lowered, self.pairs
        if lowered.count(name) == 1:
            return [pairs[lowered.index(name)][1].strip(b" \t")]
        return [pair[1].strip(b" \t") for each, pair in zip(lowered, pairs, strict=True) if each == name]

    def first(self, name: bytes) -> bytes | None:
        """Return the first value of the field ``name``, or None when there is none."""
        return self.pairs[self._lowered.index(name)][1].strip(b" \t") if name in self._names else None

    def members(self, name: bytes) -> list[bytes]:
        """Return the comma-separated members of every ``name`` line, trimmed, empty ones left out.

        Right for lists of tokens (``Vary``, ``Connection``, ``Content-Encoding``), wrong for a field whose
        members may quote a comma.
        """
        return [member for value in self.values(name) for raw in value.split(b",") if (member := raw.strip(b" \t"))]

    def without(self, names: Iterable[bytes]) -> "Headers":
        """Return the fields less every one in ``names``; the rest keeps its order."""
        dropped = frozenset(names)
        if dropped.isdisjoint(self._names):
            return self
        kept = [(each, pair) for each, pair in zip(self._lowered, self.pairs, strict=True) if each not in dropped]
        return headers_named(tuple([pair for _, pair in kept]), tuple([each for each, _ in kept]))

    def plus(self, *pairs: Pair) -> "Headers":
        """Return the fields with ``pairs`` behind them."""
        return headers_named(self.pairs + pairs, self._lowered + tuple([name.lower() for name, _ in pairs]))

    def replacing(self, name: bytes, value: bytes) -> "Headers":
        """Return the fields with one ``name`` line, where the first stood or else at the end."""
        if name not in self._names:
            return self.plus((name, value))
        first = self._lowered.index(name)
        line = (self.pairs[first][0], value)
        if self._lowered.count(name) == 1:
            return headers_named((*self.pairs[:first], line, *self.pairs[first + 1 :]), self._lowered)
        rest = [pair for each, pair in zip(self._lowered, self.pairs, strict=True) if each != name]
        return Headers([*rest[:first], line, *rest[first:]])


def headers_named(pairs: tuple[Pair, ...], lowered: tuple[bytes, ...]) -> Headers:
    """Return header fields whose lower-case names are known: a message's fields are changed some ten times."""
    headers = Headers.__new__(Headers)
    headers.pairs = pairs
    headers._lowered = lowered
    headers._names = frozenset(lowered)
    return headers


class Request(NamedTuple):
    """A request head.

    Attributes:
        method: as the client wrote it; methods are case-sensitive (RFC 9110 §9.1).
        scheme: ``http`` or ``https``, as the visitor's browser used it.
        authority: host and optional port, as in ``Host``.
        target: path and query in origin form, exactly the bytes of the request line.
        headers: every field, in wire order.
    """

    method: str
    scheme: str
    authority: str
    target: bytes
    headers: Headers

    @property
    def host(self) -> str:
        """The authority's host in lower case, without port and trailing dot."""
        return host_of(self.authority)

    @property
    def path(self) -> str:
        """The target's path, percent-escapes as they came; bytes beyond ASCII read as Latin-1."""
        return self.target.partition(b"?")[0].decode("latin-1")

    @property
    def url(self) -> str:
        """The request's URL, for resolving what its page refers to."""
        return f"{self.scheme}://{self.authority}{self.target.decode('latin-1')}"


class Response(NamedTuple):
    """A response head, and a body where the gate itself wrote it."""

    status: int
    headers: Headers
    body: bytes = b""


def request_of(scope: Mapping[str, Any]) -> Request:
    """Return the request head of an HTTP or WebSocket scope, with raw header lines and target where there are any.

    ASGI asks for names in lower case; the protocol class keeps the lines as they came beside it.
    """
    raw = scope.get("extensions", {}).get("optout_gate.raw")
    if raw is not None:
        headers, target = Headers(raw["headers"]), raw["target"]
    else:
        headers = Headers(scope["headers"])
        target = scope.get("raw_path") or scope["path"].encode()
        if scope.get("query_string"):
            target += b"?" + scope["query_string"]
    authority = (headers.first(b"host") or b"").decode("latin-1")
    return Request(scope.get("method", "GET"), scope.get("scheme", "http"), authority, target, headers)


def path_of(target: bytes) -> str:
    """Return the path of a request target as ASGI has it: percent-escapes undone."""
    path = target.partition(b"?")[0].decode("latin-1")
    return unquote(path) if "%" in path else path


def host_of(authority: str) -> str:
    """Return the host of ``host[:port]`` in lower case, without its port and trailing dot."""
    host = authority.lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].rstrip(".")


@dataclass(frozen=True, slots=True)
class MediaType:
    """A ``Content-Type``, read as browsers do: its type, and its ``charset`` parameter.

    Attributes:
        essence: ``type/subtype`` in lower case, empty when there is none.
        charset: label in lower case without quotes, or None.
    """

    essence: str = ""
    charset: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict, compare=False)


NO_MEDIA_TYPE = MediaType()


def media_type(headers: Headers) -> MediaType:
    """Return the media type of a message; of several, on lines or in a list, the last valid one counts (WHATWG Fetch §3.4)."""
    found = NO_MEDIA_TYPE
    for value in headers.values(b"content-type"):
        for each in _media_types(value):
            if each.charset is not None or each.essence != found.essence:  # else the charset said before stays
                found = each
    return found


_MEDIA_TYPES = re.compile(rb'(?:[^,"]|"(?:\\.|[^"\\])*+"?)++', re.DOTALL)
"""Members of a list that may quote commas; a quote without its end goes to the end."""
_ESSENCE = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+/[!#$%&'*+\-.^_`|~0-9a-z]+(?=[ \t;(]|\Z)")
"""A type as browsers cut it out: some write ``text/html charset=utf-8``, and Chromium also takes ``text/html(a comment)``."""


@lru_cache(maxsize=256)  # a site uses a handful of them
def _media_types(value: bytes) -> tuple[MediaType, ...]:
    """Return the media types in one field line, those that are one."""
    return tuple([each for part in _MEDIA_TYPES.findall(value) if (each := _media_type(part)) is not None])


def _media_type(value: bytes) -> MediaType | None:
    text, *parts = value.decode("latin-1").strip(" \t").split(";")
    essence = _ESSENCE.match(text.lower())
    if essence is None or essence[0] == "*/*":
        return None
    parameters: dict[str, str] = {}
    for part in parts:
        name, equals, said = part.partition("=")
        if equals:
            parameters.setdefault(name.strip().lower(), said.strip().strip('"'))
    return MediaType(essence[0], parameters.get("charset", "").lower() or None, parameters)

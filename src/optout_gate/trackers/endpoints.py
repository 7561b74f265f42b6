"""Where vendors collect through a site's own host, and how a request to one is told from the site's own.

A tag served from ``/metrics`` of the site, a server-side container, a rewrite in the web server: to a reader of hosts all
are first party. What cannot be dressed up is what the vendor's own code sends, or its server would not understand it.
So an endpoint is a path *and* the fields that stand in its query or body. A path alone says nothing: ``/collect`` is also
a shop's, ``/api/event`` a calendar's, and neither sends ``v=2&tid=G-…``.
"""

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Generic, Literal, TypeVar
from urllib.parse import parse_qsl, unquote

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

MAX_BODY_BYTES = 64 * 1024
"""Of a request's body, read to know whom it is for: what browsers let pages send in the background (Fetch §4.6)."""
MAX_OPENED_BYTES = 256 * 1024  # of a compressed one; JSON of events shrinks to a fifth
MAX_FIELDS = 1000  # of a query or form; a page view of GA4 has some 40
MAX_DEPTH = 6  # of a field's name, as in events.0.context.library.name

_SEGMENT = r"(?:[A-Za-z0-9._~!$'()+,;=:@-]|\*)+"
_PATH = re.compile(rf"(?:/{_SEGMENT})+\Z")
_NO_FIELDS: Mapping[str, Sequence[str]] = {}


def _path(value: str) -> str:
    if not _PATH.match(value):
        raise ValueError(f"{value!r} is not the end of a path: expected '/g/collect', or '/b/ss/*' for any one segment")
    if not re.search(r"[a-z]", value.replace("*", "")):
        raise ValueError(f"{value!r} names nothing: an endpoint needs a word in its path")
    return value


def _expected(value: str) -> str:
    if not value or any(not each for each in value.split("|")):
        raise ValueError("expected a value, as in 'G-*', '1|2' or '*' for any")
    return value


Expected = Annotated[str, AfterValidator(_expected)]


class Endpoint(BaseModel):
    """One kind of request to a vendor through the site's own host, and the addresses that it is sent to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    paths: tuple[Annotated[str, AfterValidator(_path)], ...] = Field(
        min_length=1, description="how the path ends, whatever stands before it; '*' is any run within one segment"
    )
    fields: dict[Annotated[str, Field(min_length=1)], Expected] = Field(
        min_length=1,
        description="what must stand in the query or the body (form or JSON, 'a.b' is b within a; of a list the first "
        "counts): name and value, '*' is any run, '|' parts alternatives",
    )
    answer: Literal["empty", "pixel", "script", "json"] = Field(
        "empty", description="what the caller gets: 204, a transparent pixel, the vendor's stand-in, or {}"
    )

    @model_validator(mode="after")
    def _says_enough(self) -> "Endpoint":
        if len(self.fields) == 1 and set(self.fields.values()) == {"*"}:
            raise ValueError("one field of any value tells nobody from anybody: name two fields, or its value")
        return self

    def missing(self, found: Mapping[str, Sequence[str]]) -> list[str]:
        """Return the fields that ``found`` does not bring with the value they must have."""
        return [name for name, value in self.fields.items() if not _brings(found.get(name, ()), _pattern(value))]


def _brings(values: Sequence[str], pattern: re.Pattern[str]) -> bool:
    return any(pattern.fullmatch(value) for value in values)


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    """Return a regular expression for a value; ``*`` alone is any but the empty one."""
    if text == "*":
        return re.compile(".+", re.DOTALL)
    return re.compile("|".join(".*".join(map(re.escape, each.split("*"))) for each in text.split("|")), re.DOTALL)


Known = TypeVar("Known")


class Endpoints(Generic[Known]):
    """Every endpoint by how its path ends, each with what is known of it. Built once, then only read."""

    def __init__(self, endpoints: Iterable[tuple[Endpoint, Known]]) -> None:
        self._by_last: dict[str, list[tuple[re.Pattern[str], Endpoint, Known]]] = {}
        self._open_ended: list[tuple[re.Pattern[str], Endpoint, Known]] = []
        for endpoint, known in endpoints:
            for path in endpoint.paths:
                last = path.rpartition("/")[2]
                regex = re.compile(".*" + "[^/]+".join(map(re.escape, path.split("*"))), re.DOTALL)
                at = self._open_ended if "*" in last else self._by_last.setdefault(last, [])
                at.append((regex, endpoint, known))
        # One look for all that end in a wildcard, since nearly every path is none of them.
        ends = "|".join(f"(?:{regex.pattern})" for regex, _, _ in self._open_ended)
        self._any_open_ended = re.compile(ends, re.DOTALL) if ends else None

    def on(self, path: str) -> list[tuple[Endpoint, Known]]:
        """Return the endpoints that a request's path could be, in the order of the catalogue."""
        plain = (unquote(path, "latin-1") if "%" in path else path).rstrip("/")
        found = [
            (endpoint, known)
            for regex, endpoint, known in self._by_last.get(plain.rpartition("/")[2], ())
            if regex.fullmatch(plain)
        ]
        if self._any_open_ended is not None and self._any_open_ended.fullmatch(plain):
            found += [(endpoint, known) for regex, endpoint, known in self._open_ended if regex.fullmatch(plain)]
        return found


def fields_of_query(query: str) -> dict[str, list[str]]:
    """Return the fields of a query or form, each with its values; none where there are more than a beacon has."""
    found: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return found
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def fields_of_body(body: bytes, names: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """Return those of the fields ``names`` that a body brings, be it a form or JSON, compressed or not.

    Never raises: a body that is neither has no fields.
    """
    if body[:2] == b"\x1f\x8b":
        body = _opened(body)
    text = body.decode("utf-8", "replace").strip()
    if not text.startswith(("{", "[")):
        return fields_of_query(text) if "=" in text else _NO_FIELDS
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return _NO_FIELDS
    return {name: list(_values(data, name)) for name in names}


def _opened(body: bytes) -> bytes:
    opener = zlib.decompressobj(wbits=31)
    try:
        opened = opener.decompress(body, MAX_OPENED_BYTES)
    except zlib.error:
        return b""
    return opened if opener.eof else b""


def _values(data: Any, name: str) -> Iterator[str]:
    """Yield what stands under a name of JSON: in the object, or in the first one of a list."""
    for step in name.split(".", MAX_DEPTH):
        data = _first(data)
        data = data.get(step) if isinstance(data, dict) else None
    data = _first(data)
    if isinstance(data, bool):
        yield "true" if data else "false"
    elif isinstance(data, str | int | float):
        yield str(data)
    elif isinstance(data, dict | list):
        yield "{}" if isinstance(data, dict) else "[]"


def _first(data: Any) -> Any:
    return data[0] if isinstance(data, list) and data else data

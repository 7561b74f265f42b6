"""Where vendors collect through a site's own host, and how a request to one is told from the site's own.

A tag served from ``/metrics`` of the site, a server-side container, a rewrite in the web server: to a reader of hosts all
are first party. What cannot be dressed up is what the vendor's own code sends, or its server would not understand it.
So an endpoint is a path *and* the fields that stand in its query or body. A path alone says nothing: ``/collect`` is also
a shop's, ``/api/event`` a calendar's, and neither sends ``v=2&tid=G-…``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Generic, Literal, TypeVar
from urllib.parse import unquote

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

_SEGMENT = r"(?:[A-Za-z0-9._~!$'()+,;=:@-]|\*)+"
_PATH = re.compile(rf"(?:/{_SEGMENT})+\Z")


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

"""A vendor's library as a file on the site's own host, told by what stands in it.

The trap is the application's own bundle. It may hold the same vendor's npm package, banner and all, and to replace it
would take the site down. So a library is recognised by how the *file* begins, which a bundler moves or strips, or by the
name its vendor gives the file; its other marks must all be there; it is no longer than such files are; and nothing in
it says that a bundler put it together. A bundle stays as it is. What the vendor's code in it then sends is refused on
its way: in the browser by the guard, on the site's own host by :mod:`optout_gate.trackers.endpoints`.
"""

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

OPENING_BYTES = 2048  # in which a file shows how it begins: Meta's licence takes 1,100
MAX_LIBRARY_BYTES = 1024 * 1024  # Google's largest containers stay under half of it, opened

Mark = Annotated[str, Field(min_length=4)]

_CHUNK = re.compile(rb"webpackChunk\w*|webpackJsonp\w*")
_BUNDLED = re.compile(
    rb"__webpack_modules__|parcelRequire|__vite__mapDeps|TURBOPACK|System\.register\("
    # A module that imports or exports is one of several files, and no vendor's tag is loaded as one.
    rb"|(?:^|[;}\n]|\*/)\s*(?:import(?:\s*[{*]|\s*[\"'][./]|\s+\w+\s+from\b)|export\s*[{*]|export\s+default\b)"
)


def _name(value: str) -> str:
    if not re.match(r"[A-Za-z0-9._*-]{4,}\Z", value) or not value.endswith(".js"):
        raise ValueError(f"{value!r} is not a script's name: expected 'fbevents.js', or 'hotjar-*.js'")
    return value


class Library(BaseModel):
    """One file of a vendor's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    opening: Mark | None = Field(None, description="what stands near the beginning of the file, and in no bundle there")
    names: tuple[Annotated[str, AfterValidator(_name)], ...] = Field(
        (), description="names that the vendor gives the file; '*' is any run"
    )
    all: tuple[Mark, ...] = Field(min_length=2, description="strings that must all occur in the file")

    @model_validator(mode="after")
    def _says_where_to_begin(self) -> "Library":
        if self.opening is None and not self.names:
            raise ValueError("a library is known by 'opening' or 'names' before its other marks are looked for")
        return self

    @cached_property
    def marks(self) -> tuple[bytes, ...]:
        """All of :attr:`all`, as a file carries them."""
        return tuple(mark.encode() for mark in self.all)


Known = TypeVar("Known")


class Libraries(Generic[Known]):
    """Every library, each with what is known of it. Built once, then only read."""

    def __init__(self, libraries: Iterable[tuple[Library, Known]]) -> None:
        self._all = tuple(libraries)
        self._openings = tuple((each.opening.encode(), each, known) for each, known in self._all if each.opening)
        self._names = tuple((_regex(each.names), each, known) for each, known in self._all if each.names)

    def suspects(self, name: str, opening: bytes) -> list[tuple[Library, Known]]:
        """Return the libraries that a file of this name, which begins so, could be."""
        found = [(each, known) for regex, each, known in self._names if regex.fullmatch(name)]
        return found + [(each, known) for mark, each, known in self._openings if mark in opening]


def is_library(library: Library, body: bytes) -> bool:
    """Return True when a whole file is this library and nothing else."""
    if len(body) > MAX_LIBRARY_BYTES or not all(mark in body for mark in library.marks):
        return False
    foreign = (each for each in _CHUNK.findall(body) if each not in library.marks)
    return next(foreign, None) is None and _BUNDLED.search(body) is None


def _regex(names: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(".*".join(map(re.escape, name.split("*"))) for name in names))

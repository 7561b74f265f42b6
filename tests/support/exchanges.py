"""The table of exchanges in tests/conformance/doors, read: what a visitor asks, what the origin answers, what follows."""

import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brotli
import yaml
import zstandard

from optout_gate.http import Pair

FOLDER = Path(__file__).parents[1] / "conformance" / "doors"
SITE = FOLDER / "site.yaml"

_HTML = ["Content-Type: text/html"]
_ONE_PAGE: Mapping[str, Any] = {"body": ['<p>Hello</p><img src="https://ads.test/p">'], "length": True}
_CODERS: Mapping[str, Any] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


@dataclass(frozen=True, slots=True)
class Case:
    """One exchange of the table.

    Attributes:
        name: ``answer/visitor``, or the request's name.
        method: as in the request line.
        target: likewise, the bytes.
        request: the request's header lines, ``Host`` first.
        status: of the origin's response.
        post: the request's body, in the pieces in which the visitor sends it; None for none.
        chunked: the visitor does not say the body's length beforehand.
        asks: the target that the origin is to get; None where the gate is to answer by itself.
        response: its header lines, without framing other than a ``Content-Length`` the origin says beforehand.
        pieces: its body as the origin sends it.
        becomes: the outcome that the report has to name.
        through: the outcome through single doors, where it cannot be the same.
    """

    name: str
    method: str
    target: bytes
    request: tuple[Pair, ...]
    post: tuple[bytes, ...] | None
    chunked: bool
    asks: bytes | None
    status: int
    response: tuple[Pair, ...]
    pieces: tuple[bytes, ...]
    becomes: str
    through: Mapping[str, str]

    @property
    def has_body(self) -> bool:
        """True where HTTP lets the response have a body."""
        return self.method != "HEAD" and self.status not in (204, 304)


def table() -> tuple[Case, ...]:
    """Return every exchange of the table."""
    data = yaml.safe_load((FOLDER / "table.yaml").read_text("utf-8"))
    return (*_answers(data), *_requests(data))


def _answers(data: Mapping[str, Any]) -> Iterator[Case]:
    for answer in data["answers"]:
        for visitor in data["asked_by"]:
            becomes = "untouched" if visitor == "nobody" else answer.get("becomes", "enforced")
            lines = [*data["visitors"][visitor], *answer.get("request", [])]
            yield _case(f"{answer['name']}/{visitor}", answer, lines, becomes)


def _requests(data: Mapping[str, Any]) -> Iterator[Case]:
    for request in data["requests"]:
        yield _case(request["name"], {**_ONE_PAGE, **request}, request.get("request", []), request["becomes"])


def _case(name: str, entry: Mapping[str, Any], request: list[str], becomes: str) -> Case:
    body = [_piece(piece, entry.get("charset", "utf-8")) for piece in entry["body"]]
    response = [_line(line) for line in entry.get("head", _HTML)]
    if "coding" in entry:
        coded = _CODERS[entry["coding"]](b"".join(body))
        # In chunks: cut where no coding has a seam.
        body = [coded] if entry.get("length") else [coded[:11], coded[11:17], coded[17:]]
        response.append((b"Content-Encoding", entry["coding"].encode()))
    if entry.get("length"):
        response.append((b"Content-Length", str(sum(map(len, body))).encode()))
    post = tuple(_piece(piece, "utf-8") for piece in entry["post"]) if "post" in entry else None
    if post is not None:
        length = str(sum(map(len, post)))
        request = [*request, "Transfer-Encoding: chunked" if entry.get("chunked") else f"Content-Length: {length}"]
    target = entry.get("target", "/page")
    return Case(
        name,
        entry.get("method", "GET" if post is None else "POST"),
        target.encode(),
        ((b"Host", entry.get("host", "www.shop.test").encode()), *map(_line, request)),
        post,
        entry.get("chunked", False),
        None if entry.get("refused") else entry.get("asks", target).encode(),
        entry.get("status", 200),
        tuple(response),
        tuple(body),
        becomes,
        entry.get("through", {}) if becomes != "untouched" else {},
    )


def _piece(piece: Any, charset: str) -> bytes:
    text = piece["repeat"] * piece["times"] if isinstance(piece, dict) else piece
    return str(text).encode(charset)


def _line(text: str) -> Pair:
    name, _, value = text.partition(":")
    return name.encode("latin-1"), value.removeprefix(" ").encode("latin-1")

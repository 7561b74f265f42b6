"""What the query or the body of a request says, field by field: a form, JSON, a multipart form, or the beginning of one.

A body is read to know whom it is for, and only as far as it takes: the fields that tell stand in front in nearly all that
vendors' code sends. So of a long body only its beginning is looked at. What was cut off in the middle of a value ends
in :data:`CUT`, so that ``G-*`` still fits it and ``2`` does not.
"""

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

MAX_BODY_BYTES = 64 * 1024
"""Of a request's body, read to know whom it is for: what browsers let pages send in the background (Fetch §4.6)."""
MAX_OPENED_BYTES = 256 * 1024  # of a compressed one; JSON of events shrinks to a fifth
MAX_FIELDS = 1000  # of a query or form; a page view of GA4 has some 40
MAX_DEPTH = 6  # of a field's name, as in events.0.context.library.name
CUT = "…"

Fields = Mapping[str, Sequence[str]]
_NONE: Fields = {}
_GZIP = b"\x1f\x8b"
_BOUNDARY = re.compile(rb'(?i)multipart/form-data[ \t]*;.*?\bboundary=(?:"([^"]+)"|([^";, \t]+))')
_PART_NAME = re.compile(rb'(?im)^content-disposition:[ \t]*form-data[ \t]*;.*?\bname="([^"\r\n]*)"')
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{},]', re.DOTALL)  # a string without its end goes to the end
_CLOSES = {"{": "}", "[": "]"}


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


def fields_of_body(body: bytes, names: Iterable[str], *, content_type: bytes = b"", cut: bool = False) -> Fields:
    """Return those of the fields ``names`` that a body brings, compressed or not, and more where that costs nothing.

    ``cut`` says that more follows. Never raises: a body that is none of these forms has no fields.
    """
    if body.startswith(_GZIP):  # said or not: PostHog sends it as text
        body, is_whole = _opened(body)
        cut = cut or not is_whole
    if cut:
        body = body[:MAX_BODY_BYTES]
    boundary = _BOUNDARY.match(content_type)
    if boundary is not None:
        return _fields_of_parts(body, boundary[1] or boundary[2], cut=cut)
    text = body.decode("utf-8", "replace").strip()
    if not text.startswith(("{", "[")):
        return fields_of_query(text + CUT if cut else text) if "=" in text else _NONE
    try:
        data = json.loads(_closed(text) if cut else text)
    except (ValueError, RecursionError):
        return _NONE
    return {name: list(_values(data, name)) for name in names}


def _opened(body: bytes) -> tuple[bytes, bool]:
    """Return what a gzip body holds, up to a bound, and whether that is all of it."""
    opener = zlib.decompressobj(wbits=31)
    try:
        opened = opener.decompress(body, MAX_OPENED_BYTES)
    except zlib.error:
        return b"", True
    return opened, opener.eof


def _fields_of_parts(body: bytes, boundary: bytes, *, cut: bool) -> Fields:
    """Return the fields of a multipart form (RFC 7578), files by their content."""
    found: dict[str, list[str]] = {}
    parts = (b"\r\n" + body).split(b"\r\n--" + boundary, MAX_FIELDS)[1:]
    for part in parts:
        head, blank, value = part.partition(b"\r\n\r\n")
        name = _PART_NAME.search(head)
        if name is not None and blank:
            text = value.decode("utf-8", "replace")
            found.setdefault(name[1].decode("utf-8", "replace"), []).append(
                text + CUT if cut and part is parts[-1] else text
            )
    return found


def _closed(text: str) -> str:
    """Return the beginning of JSON made whole: what was begun last is left out, and what is open closed."""
    opened: list[str] = []
    end = 0
    for token in _STRUCTURE.finditer(text):
        sign = token[0]
        if sign in _CLOSES:
            opened.append(_CLOSES[sign])
            end = token.end()
        elif sign == ",":
            end = token.start()
        elif opened and sign == opened[-1]:
            opened.pop()
            end = token.end()
    return text[:end] + "".join(reversed(opened))


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

"""The text of a cookie's value, with what lay between the platform and the wire undone.

The same platform's cookie arrives raw, percent-encoded (``encodeURIComponent``), percent-encoded twice (a tag
manager wrote what it had read), or quoted with backslash escapes (a server framework wrote it). So a reader is
shown each layer in turn, from the wire inward, and takes the first it recognises; more than two decodings are
not undone, because no real cookie needs them and each one is a chance to read something nobody wrote.

Bytes that are not UTF-8 survive a round trip (``surrogateescape``). Nothing here raises.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import quote, unquote, unquote_to_bytes

MAX_VALUE_BYTES = 8 * 1024
"""Longer values are not read: browsers store at most 4,096 bytes of name and value (RFC 6265bis §5.6)."""

MAX_DECODINGS = 2

_QUOTED_ESCAPE = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))", re.DOTALL)
_PERCENT_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_ALPHANUMERIC = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_NEVER_RAW = frozenset("%; \\")  # "%" begins an escape, ";" ends the cookie
_OCTAL = re.compile(r"[^!-:<-~ ]|,")  # what a quoted cookie writes as \ooo; a control character would end the header


def text_of(value: str | bytes) -> str:
    """Return ``value`` as text; bytes beyond UTF-8 and stray surrogates cannot make later steps fail."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if value.isascii():
        return value
    try:
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode()


def oversized(value: str | bytes) -> bool:
    """Return True when ``value`` is longer than any browser's cookie and is not read."""
    return len(value) > MAX_VALUE_BYTES


def layers(value: str | bytes) -> Iterator[str]:
    """Yield the value as it came, without its quotes, and with one and two percent-decodings undone."""
    for text, _ in _layers(value):
        yield text


def _layers(value: str | bytes) -> Iterator[tuple[str, list[Callable[[str], str]]]]:
    """Yield each layer with the steps that lead back to the wire, innermost first."""
    if oversized(value):
        return
    text = text_of(value).strip(" \t")
    back: list[Callable[[str], str]] = []
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = _unquoted(text[1:-1])
        back = [_quoted]
    yield text, back
    for _ in range(MAX_DECODINGS):
        decoded = _percent_decoded(text)
        if decoded == text:
            return
        back = [partial(_escaped, text), *back]
        text = decoded
        yield text, back


def _unquoted(inner: str) -> str:
    """Return the text of a quoted cookie; an octal escape is a byte, as Python's ``http.cookies`` writes it."""
    if "\\" not in inner:
        return inner
    raw = _QUOTED_ESCAPE.sub(lambda m: chr(0xDC00 + int(m[1], 8)) if m[1] and m[1] >= "200" else _character(m), inner)
    return raw.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def _character(match: re.Match[str]) -> str:
    return chr(int(match[1], 8)) if match[1] else match[2]


def _quoted(text: str) -> str:
    escaped = re.sub(r'[\\"]', r"\\\g<0>", text)
    return '"' + _OCTAL.sub(_octal, escaped) + '"'


def _octal(match: re.Match[str]) -> str:
    return "".join(f"\\{byte:03o}" for byte in match[0].encode("utf-8", "surrogateescape"))


def _percent_decoded(text: str) -> str:
    if "%" not in text:
        return text
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _escaped(style: str, text: str) -> str:
    """Return ``text`` percent-encoded in the style of ``style``: what stands raw in it may stand raw again."""
    written = {unquote(escape) for escape in _PERCENT_ESCAPE.findall(style)}
    safe = frozenset(style) - _ALPHANUMERIC - _NEVER_RAW - written
    ascii_safe = "".join(character for character in safe if "!" <= character <= "~")
    return quote(text, safe=ascii_safe, errors="surrogateescape")


def rewritten(value: str, rewrite: Callable[[str], str | None]) -> str | None:
    """Return ``value`` with the first layer that ``rewrite`` recognises replaced, encoded as it was.

    None when ``rewrite`` recognises none. A value that the rewriting leaves equal comes back byte for byte.
    """
    for text, back in _layers(value):
        new = rewrite(text)
        if new is None:
            continue
        if new == text:
            return value
        for step in back:
            new = step(new)
        return new
    return None


def json_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object that ``text`` is, or None; nesting that would exhaust the stack is no object."""
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def base64_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object inside base64 or base64url, padded or not, or None."""
    body = text.rstrip("=").replace("-", "+").replace("_", "/")
    if not body:
        return None
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return json_object(unquote(raw.decode("utf-8", "replace")).strip()) or json_object(raw.decode("utf-8", "replace"))


def json_text(found: dict[str, Any]) -> str:
    """Return ``found`` as browsers write it: without blanks, in its own order, ASCII only, no ``;``."""
    return json.dumps(found, separators=(",", ":")).replace(";", "\\u003b")

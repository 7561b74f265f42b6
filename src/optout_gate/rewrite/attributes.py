"""Attribute values, between the bytes of the page and the text they mean.

The rewriter sees a page's bytes as Latin-1 characters (one a byte, whatever the page's encoding). Decoding character
references in such a value mixes two kinds of characters above ASCII: bytes of the page and characters that a reference
named. To write a changed value back, the bytes must come out as they were and the others as references again; so while
a value is worked on, its bytes above ASCII stand as private-use characters.
"""

import re
from contextlib import suppress

from optout_gate.trackers.urls import attribute_text

_PRIVATE = 0xF700  # U+F780..U+F7FF stand for the bytes 0x80..0xFF
_HIDE = {byte: _PRIVATE + byte for byte in range(0x80, 0x100)}
_WRITE = re.compile("[&\u0080-\U0010ffff]")


def url_text(raw: str) -> str:
    """Return an attribute's value as the URL it means. Bytes above ASCII read as UTF-8 where they are."""
    if not raw.isascii():
        # In another encoding it stays as it is: hosts are ASCII in practice, and the rest of a URL decides nothing.
        with suppress(UnicodeError):
            raw = raw.encode("latin-1").decode("utf-8")
    return attribute_text(raw)


def editable(raw: str) -> str:
    """Return an attribute's value as text to be changed; :func:`written` turns it back."""
    return attribute_text(raw if raw.isascii() else raw.translate(_HIDE))


def written(text: str) -> str:
    """Return what :func:`editable` text is in the page: bytes as they were, other characters as references."""
    return text if text.isascii() and "&" not in text else _WRITE.sub(_written, text)


def _written(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if _PRIVATE + 0x80 <= code <= _PRIVATE + 0xFF:
        return chr(code - _PRIVATE)
    return "&amp;" if character == "&" else f"&#x{code:x};"

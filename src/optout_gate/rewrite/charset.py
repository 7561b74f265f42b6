"""Between a page's encoding and what the HTML rewriter works on.

In nearly every encoding that browsers know (Encoding Standard §4.2), a byte below 0x80 in markup is that ASCII
character, so the rewriter can be shown each byte as one character (Latin-1) and give it back: exact for UTF-8,
windows-125x, Shift_JIS, Big5, GB18030, for text that breaks its own encoding, and whatever the label says. UTF-16 and
ISO-2022-JP are the exceptions; they are decoded and encoded again.

The label: a byte order mark wins over ``Content-Type``, and that over everything else (HTML §13.2.3.1). ``meta`` cannot
declare UTF-16 (it then means UTF-8), and of the two can declare ISO-2022-JP alone.
"""

import codecs
import re
from typing import Protocol

BOMS = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
# Labels of the Encoding Standard whose bytes are not ASCII in markup, and Python's codec for them.
NOT_ASCII = {
    "utf-16": "utf-16-le", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be", "unicode": "utf-16-le",
    "unicodefeff": "utf-16-le", "unicodefffe": "utf-16-be", "ucs-2": "utf-16-le", "iso-10646-ucs-2": "utf-16-le",
    "csunicode": "utf-16-le", "iso-2022-jp": "iso2022_jp", "csiso2022jp": "iso2022_jp",
}  # fmt: skip


class Charset(Protocol):
    """Turns a page's bytes into the rewriter's and back, in pieces of any size."""

    def enter(self, chunk: bytes, *, last: bool = False) -> bytes:
        """Return the page's bytes as the rewriter takes them."""
        ...

    def leave(self, chunk: bytes, *, last: bool = False) -> bytes:
        """Return the rewriter's bytes as the page's."""
        ...


class Bytes:
    """Shows every byte as one character."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def enter(self, chunk: bytes, *, last: bool = False) -> bytes:
        """Return the page's bytes as the rewriter takes them."""
        return chunk if chunk.isascii() else chunk.decode("latin-1").encode("utf-8")

    def leave(self, chunk: bytes, *, last: bool = False) -> bytes:
        """Return the rewriter's bytes as the page's."""
        if chunk.isascii() and not last:
            return chunk
        return self._decoder.decode(chunk, last).encode("latin-1")


class Transcoded:
    """Decodes a page whose bytes are not ASCII in markup, and encodes it again."""

    def __init__(self, codec: str) -> None:
        errors = "surrogatepass" if codec.startswith("utf-16") else "replace"
        self._in = codecs.getincrementaldecoder(codec)(errors)
        self._out = codecs.getincrementaldecoder("utf-8")("surrogatepass")
        self._encoder = codecs.getincrementalencoder(codec)(errors)

    def enter(self, chunk: bytes, *, last: bool = False) -> bytes:
        """Return the page's bytes as the rewriter takes them."""
        try:
            return self._in.decode(chunk, last).encode("utf-8", "surrogatepass")
        except UnicodeDecodeError:  # half a character at the end of the page
            return b""

    def leave(self, chunk: bytes, *, last: bool = False) -> bytes:
        """Return the rewriter's bytes as the page's."""
        return self._encoder.encode(self._out.decode(chunk, last), last)


def charset_for(label: str | None, first_bytes: bytes) -> Charset:
    """Return the charset of a page whose ``Content-Type`` says ``label`` and that begins with ``first_bytes``."""
    for mark, codec in BOMS:
        if first_bytes.startswith(mark):
            return Transcoded(codec)
    codec = NOT_ASCII.get(label, "") if label else _declared(first_bytes)
    return Transcoded(codec) if codec and not first_bytes.startswith(b"\xef\xbb\xbf") else Bytes()


_PRESCANNED_BYTES = 1024  # HTML §13.2.3.2
_DECLARED = re.compile(rb"<meta[^>]*charset\s*=\s*[\"']?\s*(?:cs)?iso-?2022-?jp\b", re.IGNORECASE)


def _declared(first_bytes: bytes) -> str:
    beginning = first_bytes[:_PRESCANNED_BYTES]
    return "iso2022_jp" if b"2022" in beginning and _DECLARED.search(beginning) is not None else ""

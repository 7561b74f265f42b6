"""Request heads that came before: a browser says the same about itself in nearly every request.

Between two requests of a page for its pictures, nothing differs but the address; an edge in front of the gate repeats
itself likewise. So what stands behind the request line is remembered by its bytes, as it was parsed and judged, and with
it what follows for every address alike. Nothing is guessed: another byte is another head, and is parsed. What is
remembered holds visitors' cookies, so it is little, and gone with the next few hundred visitors.
"""

import re
from typing import Any, NamedTuple

from optout_gate.http import Headers
from optout_gate.proxy.protocol_head import Meaning

MOST_HEADS = 256
LONGEST_BYTES = 8192
"""Of a head that is remembered; with :data:`MOST_HEADS` a process keeps no more than 2 MiB."""

END = b"\r\n\r\n"
REQUEST_LINE = re.compile(rb"GET (/[!$-;=?-Z_a-z~%]*) HTTP/1\.1")
"""The request line of most requests: what every parser reads alike. Another one is parsed."""


class Head(NamedTuple):
    """A request head that has been parsed, less its request line.

    Attributes:
        headers: the fields as they came.
        follows: what an application worked out from these fields alone, by what it worked it out from.
    """

    method: str
    version: str
    headers: Headers
    meaning: Meaning
    follows: dict[Any, Any]


class KnownHeads:
    """The heads that one process remembers. All the same to which connection they came over."""

    def __init__(self) -> None:
        self._heads: dict[bytes, Head] = {}

    def __len__(self) -> int:
        return len(self._heads)

    def forget(self) -> None:
        """Forget all: what follows from a head is another thing now."""
        self._heads.clear()

    def split(self, data: bytes) -> tuple[bytes, Head] | None:
        """Return target and head of a request that ``data`` is the whole of, or None where it has to be parsed."""
        line, _, block = data.partition(b"\r\n")
        head = self._heads.get(block)
        if head is None:
            return None
        found = REQUEST_LINE.fullmatch(line)
        return None if found is None else (found[1], head)

    def remember(self, data: bytes, head: Head) -> None:
        """Remember a parsed head, when ``data`` is all of a request that has nothing but a head."""
        is_usual = head.version == "1.1" and data.startswith(b"GET ") and len(data) <= LONGEST_BYTES
        if not is_usual or data.find(END) != len(data) - len(END):
            return
        if len(self._heads) >= MOST_HEADS:
            del self._heads[next(iter(self._heads))]
        self._heads[data.partition(b"\r\n")[2]] = head

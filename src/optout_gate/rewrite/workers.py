"""Worker scripts of the site, with the guard in front.

A worker is a realm of its own, where no page's guard reaches. Its script comes through the gate like any other, so it
is known by what the browser asks it for, and the guard goes in front as one line without an end: the script's own line
numbers hold. Workers are read as UTF-8 whatever their label says (HTML §10.2.4).
"""

from collections.abc import Callable

JAVASCRIPT = frozenset(
    {
        "application/ecmascript", "application/javascript", "application/x-ecmascript", "application/x-javascript",
        "text/ecmascript", "text/javascript", "text/javascript1.0", "text/javascript1.1", "text/javascript1.2",
        "text/javascript1.3", "text/javascript1.4", "text/javascript1.5", "text/jscript", "text/livescript",
        "text/x-ecmascript", "text/x-javascript",
    }
)  # fmt: skip
"""Media types under which browsers run a script (MIME Sniffing §4.6)."""

HEAD_BYTES = 4096  # in which a 'use strict' directive stands, behind a licence; a longer licence loses it


class GuardedWorker:
    """A worker's script as a body."""

    def __init__(self, prologue: Callable[[bytes], bytes]) -> None:
        """Take what gives the guard, told how the script begins."""
        self._prologue = prologue
        self._held: bytes | None = b""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes, return those that are final."""
        if self._held is None:
            return chunk
        self._held += chunk
        return self._release() if len(self._held) >= HEAD_BYTES else b""

    def close(self) -> bytes:
        """Return what was held back."""
        return self._release() if self._held is not None else b""

    def _release(self) -> bytes:
        head, self._held = self._held or b"", None
        return self._prologue(head) + head

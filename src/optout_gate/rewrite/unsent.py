"""What lol-html has read and not yet put out, at the place where a tag begins.

``</`` before anything but a letter begins a comment for browsers (HTML §13.2.5.7, "invalid-first-character"): ``</1>``, or
``</<p>``. lol-html holds such a comment, and the text behind it, until the next tag is there. Where it then gives up,
those bytes are in neither what it put out nor in what comes, and would be lost. It says nothing of what it holds, but
the comment comes out as it went in: it is held if what came out last is not what went in last.
"""

import re
from collections import deque

MAX_HELD_BYTES = 64 * 1024
_MAX_RUN = 64  # such comments, one behind the other
_START = re.compile(rb"</(?:[^a-z>]|\Z)", re.IGNORECASE)


class Unsent:
    """The ends of what a rewriter was given and of what it put out. Put together only where somebody asks."""

    def __init__(self) -> None:
        self._given = _End()
        self._sent = _End()

    def note(self, given: bytes, sent: bytes) -> None:
        """Take what went in, and what came out for it."""
        self._given.add(given)
        self._sent.add(sent)

    def held(self) -> bytes:
        """Return the bytes that went in and have not come out, if they are such a comment and text behind it."""
        given = self._given.joined()
        run = last = _last_comment(given)
        for _ in range(_MAX_RUN):  # the same comment again and again: which of them came out shows in all of them
            before = _last_comment(given[: len(given) - len(run)]) if run else b""
            if not before:
                break
            run = before + run
        return b"" if self._sent.joined().endswith(run) else last


class _End:
    """The last pieces of a stream, at least :data:`MAX_HELD_BYTES` of them where there have been as many."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._bytes = 0

    def add(self, piece: bytes) -> None:
        if not piece:  # however often nothing comes, it takes no room
            return
        self._pieces.append(piece)
        self._bytes += len(piece)
        while self._bytes - len(self._pieces[0]) >= MAX_HELD_BYTES:
            self._bytes -= len(self._pieces.popleft())

    def joined(self) -> bytes:
        return b"".join(self._pieces)


def _last_comment(given: bytes) -> bytes:
    """Return the comment at the end of ``given``, over or not, with the text behind it; empty for anything else."""
    last = given.rfind(b"<")
    start = _START.search(given, given.rfind(b">", 0, max(last, 0)) + 1, last + 3) if last >= 0 else None
    return given[start.start() :] if start is not None else b""

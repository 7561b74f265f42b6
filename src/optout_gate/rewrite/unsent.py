"""What lol-html has read and not yet put out, at the place where a tag begins.

``</`` before anything but a letter begins a comment for browsers (HTML §13.2.5.7, "invalid-first-character"): ``</1>``, or
``</<p>``. lol-html holds such a comment, and the text behind it, until the next tag is there. Where it then gives up,
those bytes are in neither what it put out nor in what comes, and would be lost. It says nothing of what it holds, but
the comment comes out as it went in: it is held if what came out last is not what went in last.
"""

import re

MAX_HELD_BYTES = 64 * 1024
_MAX_RUN = 64  # such comments, one behind the other
_START = re.compile(rb"</(?:[^a-z>]|\Z)", re.IGNORECASE)


class Unsent:
    """The ends of what a rewriter was given and of what it put out."""

    def __init__(self) -> None:
        self._given = b""
        self._sent = b""

    def note(self, given: bytes, sent: bytes) -> None:
        """Take what went in, and what came out for it."""
        self._given = (self._given + given)[-MAX_HELD_BYTES:]
        self._sent = (self._sent + sent)[-MAX_HELD_BYTES:]

    def held(self) -> bytes:
        """Return the bytes that went in and have not come out, if they are such a comment and text behind it."""
        run = last = _last_comment(self._given)
        for _ in range(_MAX_RUN):  # the same comment again and again: which of them came out shows in all of them
            before = _last_comment(self._given[: len(self._given) - len(run)]) if run else b""
            if not before:
                break
            run = before + run
        return b"" if self._sent.endswith(run) else last


def _last_comment(given: bytes) -> bytes:
    """Return the comment at the end of ``given``, over or not, with the text behind it; empty for anything else."""
    last = given.rfind(b"<")
    start = _START.search(given, given.rfind(b">", 0, max(last, 0)) + 1, last + 3) if last >= 0 else None
    return given[start.start() :] if start is not None else b""

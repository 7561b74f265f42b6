"""What a body goes through when it is rewritten: opened, read in its encoding, rewritten, and closed again."""

import traceback
from collections.abc import Callable, Iterator
from typing import Protocol

from optout_gate.errors import Failure, RewriteError
from optout_gate.rewrite.charset import Charset
from optout_gate.rewrite.codings import Coding

MAX_WHOLE_BYTES = 1024 * 1024  # of a body once it is opened; 64 KiB of zeros in a coding are many megabytes

MakeRewriter = Callable[[bytes | None], "Rewriter"]
"""Returns the rewriter of a body, told all of it where it is there."""


class Rewriter(Protocol):
    """Rewrites a page or style sheet in the rewriter's own encoding."""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes, return those that are final."""
        ...

    def close(self) -> bytes:
        """Return what was held back."""
        ...


class Pipeline:
    """Coding, charset and rewriter, one behind the other.

    Raises RewriteError from either method, and nothing else: a mistake of the gate's own is one as well, so that what
    leaves instead does not depend on who failed.
    """

    def __init__(self, coding: Coding | None, start: Callable[[bytes], tuple[Charset, MakeRewriter]]) -> None:
        """Take the coding, and what gives charset and rewriter, told how the body begins."""
        self._coding = coding
        self._start = start
        self._started: tuple[Charset, Rewriter] | None = None

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes, return those that are final."""
        return _sound(self._feed, chunk)

    def whole(self, body: bytes) -> bytes:
        """Return a whole body rewritten: what is not in it is not looked for."""
        return _sound(self._whole, body)

    def _feed(self, chunk: bytes) -> bytes:
        if self._coding is None:
            return self._rewritten(chunk) if chunk else b""
        out = [self._rewritten(piece) for piece in self._coding.opened(chunk) if piece]
        return self._coding.closed(b"".join(out))

    def _whole(self, body: bytes) -> bytes:
        opened: Iterator[bytes] = iter((body,)) if self._coding is None else self._coding.opened(body)
        held: list[bytes] = []
        size = 0
        for piece in opened:
            held.append(piece)
            size += len(piece)
            if size > MAX_WHOLE_BYTES:
                break
        first = b"".join(held)
        out: list[bytes] = []
        if first and size <= MAX_WHOLE_BYTES:
            charset, make = self._start(first)
            page = charset.enter(first)
            self._started = charset, make(page)
            out.append(charset.leave(self._started[1].feed(page)))
        elif first:
            out.append(self._rewritten(first))
            out += [self._rewritten(piece) for piece in opened if piece]
        done = b"".join(out)
        return (done if self._coding is None else self._coding.closed(done)) + self._close()

    def close(self) -> bytes:
        """Return what was held back, and the end of the coding."""
        return _sound(self._close)

    def _close(self) -> bytes:
        if self._started is None:
            return b""  # an empty body stays empty, also where a coding has a header of its own
        charset, rewriter = self._started
        if self._coding is not None:
            self._coding.end()
        tail = charset.enter(b"", last=True)
        out = charset.leave((rewriter.feed(tail) if tail else b"") + rewriter.close(), last=True)
        return out if self._coding is None else self._coding.closed(out) + self._coding.finish()

    def _rewritten(self, piece: bytes) -> bytes:
        if self._started is None:
            charset, make = self._start(piece)
            self._started = charset, make(None)
        charset, rewriter = self._started
        return charset.leave(rewriter.feed(charset.enter(piece)))


def _sound(step: Callable[..., bytes], *given: bytes) -> bytes:
    """Return what a step puts out; what goes wrong in it is a RewriteError."""
    try:
        return step(*given)
    except RewriteError:
        raise
    except BaseException as error:
        raise _as_failure(error) from error


def _as_failure(error: BaseException) -> BaseException:
    """Return what is raised in place of a mistake; what is none (somebody cancels, the process ends), as it is."""
    is_panic = type(error).__module__ == "pyo3_runtime"  # of lol-html: no Exception, so that nobody passes over it
    if not (is_panic or isinstance(error, Exception)):
        return error
    return RewriteError(Failure.REWRITER, mistake(error))


def mistake(error: BaseException) -> str:
    """Return where the gate itself went wrong, in words that hold nothing of the page or of who asked for it."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else "an unknown place"
    return f"a mistake in the gate: {type(error).__name__} at {place}"

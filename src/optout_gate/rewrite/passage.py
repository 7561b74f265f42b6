"""One response body on its way through: opened, rewritten, closed again, and held back until it is known to work.

The first :data:`HELD_BYTES` of a body wait. If the rewriter gives up on them, nothing has been sent yet, and the page
goes out contained: as it came, under a Content-Security-Policy that needs no parser. If it gives up later, the error
reaches the door, which cuts the connection: the rest is never sent unrewritten. A page that its origin streams would
wait for its slowest part, so a door that has a clock lets go of it after a while.
"""

import traceback
from collections.abc import Callable, Iterator
from typing import Protocol

from optout_gate.errors import Failure, RewriteError
from optout_gate.http import Response
from optout_gate.rewrite.charset import Charset
from optout_gate.rewrite.codings import Coding

HELD_BYTES = 64 * 1024  # most pages fit; a larger one shows its first part some milliseconds later
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


class Passage:
    """A response on its way to the visitor.

    A door takes :attr:`head` once :meth:`feed` or :meth:`close` has returned something to send, or at once where
    :attr:`untouched` says that the body goes through as it is. Where :attr:`blocked` is true both are going to raise, for
    a door that has to know it before it sends a head.
    """

    untouched = True
    blocked = False
    streams = True
    """False where the head is known only once the body is here whole."""
    keeps_etag = False
    """True where the ETag on the head is right as it stands."""

    def __init__(self, head: Response) -> None:
        self.head = head

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes of the origin's body, return those to send now."""
        return chunk

    def let_go(self) -> bytes:
        """Say that the origin takes its time, return what was held back only to be safe; from now on nothing is.

        Raises:
            RewriteError: nothing may be sent.
        """
        return b""

    def close(self) -> bytes:
        """Say that the origin's body is over, return the last bytes to send."""
        return b""


class RewrittenPassage(Passage):
    """A response whose body is rewritten."""

    untouched = False

    def __init__(
        self,
        head: Response,
        pipeline: Pipeline,
        contain: Callable[[RewriteError], Response | None],
        finish: Callable[[Response], Response],
        *,
        hold_bytes: int,
    ) -> None:
        """Take the head to send, and what gives the head to send instead when the rewriter gives up in time.

        ``contain`` returns None when nothing may be sent: the error is then raised. ``finish`` is given the head when
        the first part of the body is rewritten and about to leave, and returns it as it leaves. ``hold_bytes`` is how
        much of the body waits: a whole one is rewritten with less work.
        """
        super().__init__(head)
        self._finish = finish
        self._pipeline = pipeline
        self._contain = contain
        self._raw: list[bytes] = []
        self._held_bytes = 0
        self._hold_bytes = hold_bytes
        self._released = False
        self._contained = False

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes of the origin's body, return those to send now.

        Raises:
            RewriteError: the rewriter gave up after a part had been sent; cut the connection.
        """
        if self._contained:
            return chunk
        if self._released:
            return self._pipeline.feed(chunk)
        self._raw.append(chunk)
        self._held_bytes += len(chunk)
        if self._held_bytes < self._hold_bytes:
            return b""
        return self._begun()

    def let_go(self) -> bytes:
        """Return what is final of all that was held back.

        Raises:
            RewriteError: the rewriter gave up, and nothing may be sent.
        """
        return b"" if self._contained or self._released else self._begun()

    def _begun(self) -> bytes:
        try:
            out = self._pipeline.feed(b"".join(self._raw))
        except RewriteError as error:
            return self._as_it_came(error)
        return self._release(out)

    def close(self) -> bytes:
        """Say that the origin's body is over, return the last bytes to send.

        Raises:
            RewriteError: the rewriter gave up after a part had been sent; cut the connection.
        """
        if self._contained:
            return b""
        return self._pipeline.close() if self._released else self.whole(b"".join(self._raw))

    def whole(self, body: bytes) -> bytes:
        """Take all of the origin's body at once, return all that is to be sent.

        Raises:
            RewriteError: the rewriter gave up, and nothing may be sent.
        """
        try:
            out = self._pipeline.whole(body)
        except RewriteError as error:
            self._raw = [body]
            return self._as_it_came(error)
        return self._release(out)

    @property
    def gave_up(self) -> bool:
        """True when the page goes out contained."""
        return self._contained

    def finished(self) -> Response:
        """Return the head as it leaves, for a body that was rewritten before."""
        return self._finish(self.head)

    def _release(self, out: bytes) -> bytes:
        self._raw.clear()
        self._released = True
        self.head = self._finish(self.head)
        return out

    def _as_it_came(self, error: RewriteError) -> bytes:
        head = self._contain(error)
        if head is None:
            raise error
        self.head = head
        self._contained = True
        raw = b"".join(self._raw)
        self._raw.clear()
        return raw


class BlockedPassage(Passage):
    """A response of which nothing may leave: whatever is done with it raises, and the door answers 503."""

    untouched = False
    blocked = True

    def __init__(self, head: Response, error: RewriteError) -> None:
        super().__init__(head)
        self._error = error

    def feed(self, chunk: bytes) -> bytes:
        """Raise.

        Raises:
            RewriteError: always.
        """
        raise self._error

    def close(self) -> bytes:
        """Raise.

        Raises:
            RewriteError: always.
        """
        raise self._error


class ReplacedPassage(Passage):
    """A response whose body gives way to another."""

    untouched = False

    def __init__(self, head: Response, body: bytes) -> None:
        super().__init__(head)
        self._body = body

    def feed(self, chunk: bytes) -> bytes:
        """Return nothing: what the origin sent does not leave."""
        return b""

    def close(self) -> bytes:
        """Return the body."""
        return self._body


class ObservedPassage(Passage):
    """A response that is looked at and passed on as it came."""

    untouched = False

    def __init__(self, head: Response, pipeline: Pipeline, failed: Callable[[RewriteError], object]) -> None:
        super().__init__(head)
        self._pipeline: Pipeline | None = pipeline
        self._failed = failed

    def feed(self, chunk: bytes) -> bytes:
        """Look at the next bytes, and return them."""
        if self._pipeline is not None:
            try:
                self._pipeline.feed(chunk)
            except RewriteError as error:
                self._give_up(error)
        return chunk

    def close(self) -> bytes:
        """Look at the end."""
        if self._pipeline is not None:
            try:
                self._pipeline.close()
            except RewriteError as error:
                self._give_up(error)
        return b""

    def _give_up(self, error: RewriteError) -> None:
        self._pipeline = None
        self._failed(error)

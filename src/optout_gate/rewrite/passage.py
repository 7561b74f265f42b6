"""One response body on its way through, held back until it is known that it can be rewritten.

The first :data:`HELD_BYTES` of a body wait. If the rewriter gives up on them, nothing has been sent yet, and the page
goes out contained: as it came, under a Content-Security-Policy that needs no parser. If it gives up later, the error
reaches the door, which cuts the connection: the rest is never sent unrewritten. A page that its origin streams would
wait for its slowest part, so a door that has a clock lets go of it after a while.
"""

from collections.abc import Callable

from optout_gate.errors import RewriteError
from optout_gate.http import Response
from optout_gate.rewrite.pipeline import Pipeline

HELD_BYTES = 64 * 1024  # most pages fit; a larger one shows its first part some milliseconds later


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
        """Say that the origin's body is over, return the last bytes to send; said again, none. Nothing follows."""
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
        self._is_begun = False  # the rewriter has been given what was held back
        self._released = False  # and has put something out, or more has come than is held back
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
        if self._is_begun:
            return self._gone_on(chunk)
        return b"" if self._held_bytes < self._hold_bytes else self._begun()

    def let_go(self) -> bytes:
        """Return what is final of all that was held back.

        Raises:
            RewriteError: the rewriter gave up, and nothing may be sent.
        """
        return b"" if self._contained or self._is_begun else self._begun()

    def _begun(self) -> bytes:
        self._is_begun = True
        return self._gone_on(b"".join(self._raw))

    def _gone_on(self, data: bytes) -> bytes:
        """Take bytes while nothing has left: what the rewriter waits for (a charset, say) is still held back as it came."""
        try:
            out = self._pipeline.feed(data)
        except RewriteError as error:
            return self._as_it_came(error)
        return self._release(out) if out or self._held_bytes >= self._hold_bytes else b""

    def close(self) -> bytes:
        """Say that the origin's body is over, return the last bytes to send.

        Raises:
            RewriteError: the rewriter gave up after a part had been sent; cut the connection.
        """
        if self._contained:
            return b""
        if self._released:
            return self._pipeline.close()
        if not self._is_begun:
            return self.whole(b"".join(self._raw))
        try:
            out = self._pipeline.close()
        except RewriteError as error:
            return self._as_it_came(error)
        return self._release(out)

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

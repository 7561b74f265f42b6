"""The last thing a rewritten response passes: what it took, what became of it, and what differs with each answer."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from optout_gate.errors import Failure, RewriteError
from optout_gate.http import Headers, Pair, Response
from optout_gate.report import FINAL
from optout_gate.rewrite.passage import Passage
from optout_gate.rewrite.pipeline import mistake

if TYPE_CHECKING:
    from optout_gate.exchange import Exchange


class Measured(Passage):
    """A passage that keeps the report's time, sizes and outcome, and puts on the head what differs with each answer."""

    untouched = False

    def __init__(
        self,
        inner: Passage,
        exchange: "Exchange",
        came: Headers,
        etag: Callable[[Headers], Iterable[Pair]],
        clock: Callable[[], float],
    ) -> None:
        """Take a passage, the header as it came, and what gives the ETag line of a response that was rewritten."""
        self._inner = inner
        self._exchange = exchange
        self.streams = inner.streams
        self._keeps_etag = inner.keeps_etag
        self._came = came
        self._etag = etag
        self._clock = clock
        self._is_over = False
        self._told: tuple[Response, bool, Response] | None = None

    @property
    def blocked(self) -> bool:  # type: ignore[override]
        """True when nothing of the response may leave."""
        return self._inner.blocked

    @property
    def head(self) -> Response:  # type: ignore[override]
        """The head to send, with ``Optout-Gate`` and the ETag of what the gate made."""
        inner = self._inner.head
        if self._told is None or self._told[0] is not inner or self._told[1] is not self._is_over:
            is_stamped = not self._keeps_etag and self._exchange.report.outcome not in FINAL
            etag = self._etag(self._came) if is_stamped else ()
            self._told = (inner, self._is_over, self._exchange.marked(inner, *etag, is_over=self._is_over))
        return self._told[2]

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes of the origin's body, return those to send now. Raises RewriteError."""
        if self._is_over:
            raise RewriteError(Failure.REWRITER, "more of the body came after its end")
        self._exchange.report.bytes_in += len(chunk)
        return self._out(self._inner.feed, chunk)

    def let_go(self) -> bytes:
        """Return what was held back only to be safe. Raises RewriteError."""
        return self._out(self._inner.let_go)

    def close(self) -> bytes:
        """Say that the origin's body is over, return the last bytes to send; said again, none. Raises RewriteError."""
        if self._is_over:
            return b""
        self._is_over = True
        return self._out(self._inner.close)

    def _out(self, step: Callable[..., bytes], *given: bytes) -> bytes:
        """Return what a step of the passage puts out."""
        begun = self._clock()
        try:
            out = step(*given)
        except RewriteError:
            raise
        except Exception as error:
            raise RewriteError(Failure.REWRITER, mistake(error)) from error
        self._exchange.report.note()
        self._exchange.report.bytes_out += len(out)
        self._exchange.report.gate_seconds += self._clock() - begun
        return out

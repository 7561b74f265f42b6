"""lol-html for one page: what comes out of it is gathered, and what goes wrong in it is a :exc:`RewriteError`."""

import re

import lolhtml

from optout_gate.errors import Failure, RewriteError
from optout_gate.rewrite.selectors import Contents, Handlers
from optout_gate.rewrite.status import Status

MAX_SILENT_BYTES = 4 * 1024 * 1024  # fed without a byte coming out: an attribute or text without end

_IN_HANDLER = re.compile(r"(Content handler error: \w+).*", re.DOTALL)


class LolHtml:
    """lol-html with one page's handlers."""

    def __init__(self, found: Handlers, contents: Contents, status: Status | None) -> None:
        self._out: list[bytes] = []
        self._silent_bytes = 0
        self._rewriter = lolhtml.HTMLRewriter(self._out.append)  # type: ignore[arg-type]  # it is given bytes
        for selector, handler in found:
            self._rewriter.on(selector, handler)
        if status is not None and status.concerns(contents):
            status.watch(self._rewriter)

    def write(self, chunk: bytes) -> bytes:
        """Take the next bytes, return those that are final.

        Raises:
            RewriteError: it gives up, or has held back more than :data:`MAX_SILENT_BYTES`.
        """
        try:
            self._rewriter.write(chunk)
        except RuntimeError as error:
            raise RewriteError(Failure.REWRITER, f"the HTML rewriter gave up: {_words(error)}") from None
        out = self._taken()
        self._silent_bytes = 0 if out else self._silent_bytes + len(chunk)
        if self._silent_bytes > MAX_SILENT_BYTES:
            raise RewriteError(
                Failure.OVERSIZE, f"more than {MAX_SILENT_BYTES:,} bytes without an end of the construct"
            )
        return out

    def end(self) -> bytes:
        """Return what was held back, and let go of the rewriter: one of lol-html may be dropped in its own thread only.

        An application's test client may keep what refers to the page (a template's context, say) for another thread.

        Raises:
            RewriteError: it gives up.
        """
        try:
            self._rewriter.end()
        except RuntimeError as error:
            raise RewriteError(Failure.REWRITER, f"the HTML rewriter gave up: {_words(error)}") from None
        finally:
            del self._rewriter
        return self._taken()

    def _taken(self) -> bytes:
        out = b"".join(self._out)
        self._out.clear()
        return out


def _words(error: RuntimeError) -> str:
    """Return what lol-html says; of an error in a handler its kind alone, as the rest may hold some of the page."""
    return _IN_HANDLER.sub(r"\1", str(error))

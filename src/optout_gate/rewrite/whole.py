"""Texts of a page that are rewritten when all of them is there."""

from collections.abc import Callable
from typing import Protocol

from optout_gate.errors import Failure, RewriteError
from optout_gate.rewrite.attributes import editable, written
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.memory import MAX_SNIPPET_CHARACTERS
from optout_gate.rewrite.remembering import remembered
from optout_gate.trackers.urls import Base


class TextRewriter(Protocol):
    """Rewrites a text in pieces."""

    def feed(self, text: str) -> str:
        """Take the next characters, return those that are final."""
        ...

    def close(self) -> str:
        """Return what was held back."""
        ...


class TextBody:
    """A body that is one text: its rewriter, between bytes."""

    def __init__(self, inner: TextRewriter) -> None:
        self._inner = inner

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes, return those that are final."""
        return self._inner.feed(chunk.decode("utf-8", "surrogatepass")).encode("utf-8", "surrogatepass")

    def close(self) -> bytes:
        """Return what was held back."""
        return self._inner.close().encode("utf-8", "surrogatepass")


class WholeText:
    """Holds a text up to a bound and rewrites it at its end."""

    def __init__(self, rewrite: Callable[[str], str], limit_characters: int, what: str) -> None:
        self._rewrite = rewrite
        self._limit_characters = limit_characters
        self._what = what
        self._held: list[str] = []
        self._size = 0

    def feed(self, text: str) -> str:
        """Take the next characters, return those that are final: none.

        Raises:
            RewriteError: the text is longer than is held.
        """
        self._held.append(text)
        self._size += len(text)
        if self._size > self._limit_characters:
            limit = f"{self._limit_characters:,} characters"
            raise RewriteError(Failure.OVERSIZE, f"the content of a {self._what} element is longer than {limit}")
        return ""

    def close(self) -> str:
        """Return the text, rewritten."""
        text = "".join(self._held)
        self._held, self._size = [], 0
        return self._rewrite(text) if text else ""


def referenced(inner: Callable[[], TextRewriter], limit_characters: int, what: str) -> WholeText:
    """Return the rewriter of a script's or style's text where it is markup like any other: in SVG, MathML and XML.

    A character reference in it means the character, and hides an address from who reads the text as it stands.
    """

    def once(text: str) -> str:
        rewriter = inner()
        return rewriter.feed(text) + rewriter.close()

    def rewritten(text: str) -> str:
        text = once(text)
        if "&" not in text:
            return text
        meant = editable(text)
        out = once(meant)
        return text if out == meant else written(out).replace("<", "&lt;")

    return WholeText(rewritten, limit_characters, what)


class Known:
    """Holds a text that may be one met before, and gives a longer one to its rewriter, in pieces as it comes."""

    __slots__ = ("_base", "_held", "_judge", "_kind", "_make", "_rewriter", "_size")

    def __init__(self, judge: Judge, kind: str, base: Base, make: Callable[[Judge, Base], TextRewriter]) -> None:
        self._judge = judge
        self._kind = kind
        self._base = base
        self._make = make
        self._rewriter: TextRewriter | None = None
        self._held: list[str] = []
        self._size = 0

    def feed(self, text: str) -> str:
        """Take the next characters, return those that are final."""
        if self._rewriter is not None:
            return self._rewriter.feed(text)
        self._held.append(text)
        self._size += len(text)
        if self._size <= MAX_SNIPPET_CHARACTERS:
            return ""
        self._rewriter = self._make(self._judge, self._base)
        return self._rewriter.feed("".join(self._held))

    def close(self) -> str:
        """Return what was held back."""
        if self._rewriter is not None:
            return self._rewriter.close()
        text = "".join(self._held)
        return remembered(self._judge, self._kind, text, self._base, self._rewritten) if text else ""

    def _rewritten(self, text: str) -> str:
        rewriter = self._make(self._judge, self._base)
        return rewriter.feed(text) + rewriter.close()

"""A text that is rewritten when all of it is there."""

from collections.abc import Callable

from optout_gate.errors import Failure, RewriteError


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

"""Vendors' snippets seen before, and what became of them.

The same bootstraps and pixels stand on every page of a site, and taking one apart costs more than knowing it again. Only
snippets from which something was taken are kept: they are the vendors' code, while a script that holds a visitor's
state is a new one every time. A gate has one memory, so a reload begins with an empty one.

What decides about a snippet besides its text is the key's business: :meth:`Judge.remembered` puts it together.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

MAX_SNIPPETS = 512  # a site has some dozens
MAX_SNIPPET_CHARACTERS = 8 * 1024  # a bootstrap is one or two thousand

Kept = TypeVar("Kept")


class Memory(Generic[Kept]):
    """What became of snippets, by key; the one not asked for the longest time is forgotten first."""

    def __init__(self) -> None:
        self._snippets: dict[Hashable, Kept] = {}

    def recall(self, key: Hashable) -> Kept | None:
        """Return what became of a snippet, or None."""
        found = self._snippets.pop(key, None)
        if found is not None:
            self._snippets[key] = found  # the youngest again
        return found

    def keep(self, key: Hashable, snippet: Kept) -> None:
        """Remember what became of a snippet."""
        if len(self._snippets) >= MAX_SNIPPETS:
            del self._snippets[next(iter(self._snippets))]
        self._snippets[key] = snippet

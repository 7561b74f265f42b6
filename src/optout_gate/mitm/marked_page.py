"""A rewritten page with what was taken out marked, for mitmproxy's content view and for ``optout.compare``.

The gate takes no element out and puts none in, so two versions of a page split before every ``<`` mostly line up piece
by piece; only where a script's own text was changed do they not, and a diff takes over.
"""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import pairwise

from optout_gate.rewrite.neutral import MARK

SAME, GONE, PUT, CHANGED = "  ", "- ", "+ ", "* "
"""How a line begins: unchanged, taken out, put in its place, and changed from something that is not known any more."""

MAX_PIECES_TO_DIFF = 20_000  # a diff of more takes seconds

_PIECE = re.compile(r"\n|(?=<)")


def compared(before: str, after: str) -> Iterator[tuple[str, str]]:
    """Yield a page as (mark, line), from what it was to what it became."""
    old, new = _pieces(before), _pieces(after)
    if len(old) == len(new):
        yield from _side_by_side(old, new)
        return
    if max(len(old), len(new)) > MAX_PIECES_TO_DIFF:
        yield from marked(after)
        return
    for tag, old_start, old_end, new_start, new_end in SequenceMatcher(None, old, new).get_opcodes():
        if tag == "equal":
            yield from ((SAME, line) for line in old[old_start:old_end])
        else:
            yield from ((GONE, line) for line in old[old_start:old_end])
            yield from ((PUT, line) for line in new[new_start:new_end])


def marked(after: str) -> Iterator[tuple[str, str]]:
    """Yield a rewritten page as (mark, line) where its original is not at hand."""
    for line in _pieces(after):
        yield (CHANGED if MARK in line else SAME), line


def changes(before: str, after: str) -> list[str]:
    """Return only the lines that differ, each with its mark."""
    return [mark + line for mark, line in compared(before, after) if mark != SAME]


def _side_by_side(old: list[str], new: list[str]) -> Iterator[tuple[str, str]]:
    for was, became in zip(old, new, strict=True):
        if was == became:
            yield SAME, was
        else:
            yield GONE, was
            yield PUT, became


def _pieces(text: str) -> list[str]:
    edges = sorted({0, *(match.end() for match in _PIECE.finditer(text)), len(text)})
    return [piece for start, end in pairwise(edges) if (piece := text[start:end].strip("\r\n"))]

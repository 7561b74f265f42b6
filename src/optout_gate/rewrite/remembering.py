"""What is done with a snippet or a start tag, done again where the same was met before under the same decision.

:mod:`optout_gate.rewrite.memory` keeps what was found out; here is what it depends on, so when it may be used again. Everything
that a :class:`~optout_gate.rewrite.judge.Judge` answers by is in its shelf; what is done while nothing is remembered yet
is noted apart, and kept with what came out.
"""

import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import AnyStr, cast

from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.memory import MAX_SNIPPET_CHARACTERS, KnownTag, Snippet
from optout_gate.rewrite.removals import Removals
from optout_gate.rewrite.start_tag import Attributes, Edits, StartTag
from optout_gate.trackers.urls import Base

ELEMENT = "element"
"""The kind of snippet that is a whole element of the page, from its start tag to its end tag."""

# What an element has in it that holds a page of its own: an attribute's name, or an address with nothing or something
# in its way.
_MAY_HOLD_PAGE = re.compile(r"srcdoc|data|&(?:#|tab|newline)|[\t\n\r]", re.IGNORECASE)
_MAY_HOLD_PAGE_BYTES = re.compile(_MAY_HOLD_PAGE.pattern.encode(), re.IGNORECASE)


def remembered(judge: Judge, kind: str, text: AnyStr, base: Base, rewrite: Callable[[AnyStr], AnyStr]) -> AnyStr:
    """Return ``rewrite(text)``, from memory where the same snippet was rewritten under the same decision before.

    Only for a ``rewrite`` whose result depends on nothing but ``text``, ``base`` and the judge's answers.
    """
    memory, key = judge.memory, _key(judge, kind, text, base)
    if memory is None or key is None:
        return rewrite(text)
    found = memory.recall(key) or memory.unchanged(key)
    if found is not None:
        met_again(judge, found)
        return cast(AnyStr, found.text) if found.notes else text
    with _apart(judge) as removals:
        out = rewrite(text)
        notes = removals.notes()
        hosts = tuple(removals.unknown.elements())
        if notes:
            memory.keep(key, Snippet(out, notes, judge.allowed, hosts))
        elif notes is not None and out == text:
            memory.keep_unchanged(key, Snippet("", (), judge.allowed, hosts))
    return out


def recalled(judge: Judge, elements: Iterable[bytes]) -> list[Snippet | None]:
    """Return what became of each of these elements of the page: for who then says :func:`met_again`."""
    memory, base = judge.memory, judge.page
    if memory is None:
        return [None for _ in elements]
    recall, unchanged = memory.recall, memory.unchanged
    keys = (_key(judge, ELEMENT, text, base) for text in elements)
    return [(recall(key) or unchanged(key)) if key is not None else None for key in keys]


def recurs(judge: Judge, element: bytes) -> bool:
    """Return True when an element of the page was met before, so that it is worth remembering what becomes of it."""
    memory, key = judge.memory, _key(judge, ELEMENT, element, judge.page)
    return memory is not None and key is not None and memory.recurs(key)


def met_again(judge: Judge, found: Snippet | KnownTag) -> None:
    """Note what was noted when a snippet or tag was met before."""
    if found.notes:
        judge.removals.add_all(found.notes)
    if found.allowed:
        judge.allowed.update(found.allowed)
    for host in found.unknown:
        judge.removals.let_through(host)


def remembered_tag(
    judge: Judge, name: str, attributes: Attributes, base: Base, *, in_noscript: bool, look: Callable[[StartTag], None]
) -> Edits:
    """Return what ``look`` does with a start tag, from memory where the same was looked at before.

    Only for a ``look`` whose doings depend on nothing but the arguments and the judge's answers, and for a base on the
    page's own host: what a relative reference leads to is then never denied.
    """
    holds_page = name == "iframe" and any(_MAY_HOLD_PAGE.search(value) for _, value in attributes)
    key = (name, attributes, in_noscript, base.scheme, judge.may_restrict, judge.frames if holds_page else None)
    found = judge.shelf.tags.get(key)
    if found is not None:
        met_again(judge, found)
        return found.edits
    tag = StartTag(name, attributes)
    with _apart(judge) as removals:
        look(tag)
        notes = removals.notes()
        if notes is not None and not judge.may_name_cloaked(value for _, value in attributes):
            hosts = tuple(removals.unknown.elements())
            judge.shelf.learn_tag(key, attributes, KnownTag(tag.edits, notes, judge.allowed, hosts))
    return tag.edits


def _key(judge: Judge, kind: str, text: str | bytes, base: Base) -> Hashable | None:
    # From a base of the site's own, what a relative reference leads to is never denied; no more of it matters.
    if len(text) > MAX_SNIPPET_CHARACTERS or base.host != judge.page.host:
        return None
    if judge.knows_cloaks and judge.may_name_cloaked((str(text, "latin-1") if isinstance(text, bytes) else text,)):
        return None
    holds_page = isinstance(text, bytes) and text[:7].lower() == b"<iframe" and _MAY_HOLD_PAGE_BYTES.search(text)
    return (kind, text, judge.shelf, base.scheme, judge.may_restrict, judge.frames if holds_page else None)


@contextmanager
def _apart(judge: Judge) -> Iterator[Removals]:
    """Note what happens within apart from all else, and put it to the rest afterwards."""
    noted, allowed, judge.removals, judge.allowed = judge.removals, judge.allowed, Removals(), {}
    try:
        yield judge.removals
    finally:
        noted.take(judge.removals)
        allowed.update(judge.allowed)
        judge.removals, judge.allowed = noted, allowed

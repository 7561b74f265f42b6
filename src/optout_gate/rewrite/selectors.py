"""What lol-html is asked to look for in a page: selectors, each with its handler.

Each selector costs a microsecond or two to set up and something at every tag; one without an element's name (``[style]``)
makes lol-html read the attributes of all elements. That is a third of the work on a page of 30 KB. So of a body that is there
whole only what it can hold is looked for. The question is answered too often with yes and never wrongly with no: names of
elements stand behind ``<``, those of attributes with a value before ``=``, wherever else such text may stand.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.page import Page
from optout_gate.rewrite.references import SELECTOR

DELICATE = ("select", "frameset")
"""Elements in which lol-html gives up on text elements."""

_TEXTS = ("script", "style", "noscript")
_STYLED = '[style*="("],[style*="&"]'  # no other value holds an address
_CLICKED = 'a[href*="?"],area[href*="?"]'
_LINKS = frozenset({"a", "area"})
_ANYWHERE = ("background", "attributionsrc")
_MAX_BLANKS = 64  # between an attribute's name and its "="; behind more, anything may stand

_NAME = re.compile(rb"<([a-zA-Z][a-zA-Z0-9-]*)")
# It begins with a character of its own, so that all others cost next to nothing.
_VALUE = re.compile(rb"=\s*(?:\"[^\"]*(?:\"|\Z)|'[^']*(?:'|\Z)|[^\s>]*)")

Handlers = list[tuple[str, object]]


class Elements:
    """Hands lol-html's elements on; its handlers are told apart by the methods they have."""

    def __init__(self, element: object) -> None:
        self.element = element


class Texts:
    """Hands lol-html's text pieces on."""

    def __init__(self, page: Page) -> None:
        self.text = page.take_text


class Contents:
    """What a whole body can hold."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._lower = body.lower()
        self.elements = {name.decode() for name in set(_NAME.findall(self._lower))}

    def attributes(self, names: Iterable[str]) -> set[str]:
        """Return those attributes of ``names`` that may stand in it with a value."""
        names = tuple(names)
        found: set[str] = set()
        for match in _before_equals(names).finditer(self._lower):
            start = match.start()
            before = self._lower[max(0, start - _MAX_BLANKS) : start].rstrip()
            found.update(name for name in names if not before or before.endswith(name.encode()))
        return found

    def styles_with_addresses(self) -> bool:
        """Return True unless no ``style`` attribute in it has a value that can hold an address."""
        for match in _before_equals(("style",)).finditer(self._lower):
            start = match.start()
            if self._lower[max(0, start - _MAX_BLANKS) : start].rstrip()[-5:] not in (b"style", b""):
                continue
            value = _VALUE.match(self._body, start)
            if value is None or b"(" in value.group() or b"&" in value.group():
                return True
        return False

    def has(self, word: str) -> bool:
        """Return True when a word (in lower case) stands in it."""
        return word.encode() in self._lower


@lru_cache(maxsize=64)
def _before_equals(names: tuple[str, ...]) -> re.Pattern[bytes]:
    behind = [rf"(?<={re.escape(name)}=)" for name in names]
    return re.compile("|".join(["=(?:" + "|".join([*behind, r"(?<=[\s]=)"]) + ")"]).encode())


@lru_cache(maxsize=256)
def _elements(present: frozenset[str] | None) -> tuple[str, str]:
    """Return the selectors for references and for texts, of elements that are ``present`` (None: of all)."""
    selectors = [*SELECTOR.split(","), *DELICATE]
    texts = list(_TEXTS)
    if present is not None:
        selectors = [each for each in selectors if each.partition("[")[0] in present]
        texts = [name for name in texts if name in present]
    return ",".join(selectors), ",".join(texts)


_WATCHED = frozenset(each.partition("[")[0] for each in SELECTOR.split(",")) | {*DELICATE, *_TEXTS}


def handlers(page: Page, judge: Judge, contents: Contents | None) -> Handlers:
    """Return the selectors that a page can match, each with its handler; without ``contents``, all of them."""
    elements, texts = _elements(frozenset(contents.elements & _WATCHED) if contents is not None else None)
    found: Handlers = [(elements, page), (texts, Texts(page))]
    found += [(selector, Elements(handler)) for selector, handler in _optional(page, judge, contents)]
    return [each for each in found if each[0]]


def _optional(page: Page, judge: Judge, contents: Contents | None) -> list[tuple[str, Any]]:
    lazy = judge.catalog.lazy_attributes
    links = _CLICKED if judge.click_ids is not None else ""
    containers = judge.containers
    present: Iterable[str] = (*_ANYWHERE, *lazy)
    styled = _STYLED
    if contents is not None:
        present = contents.attributes(present)
        styled = _STYLED if contents.styles_with_addresses() else ""
        links = links if contents.elements & _LINKS else ""
        containers = tuple(name for name in containers if contents.has(name))
    return [
        (styled, page.style_attribute),
        (",".join(f"[{name}]" for name in _ANYWHERE if name in present), page.anywhere),
        (links, page.link),
        (",".join(f"[{name}]" for name in lazy if name in present), page.lazy),
        (",".join(f".{name}" for name in containers), page.container),
    ]

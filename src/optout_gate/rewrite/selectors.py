r"""What lol-html is asked to look for in a page: selectors, each with its handler.

Each selector costs a microsecond or two to set up and something at every tag, and each element that matches one a call into
Python, which is most of the work on a page. So two things are left out:

- Pictures of the site's own. An address that begins with one slash stays on the host that it starts from, which is the
  site's own unless a ``<base>`` says otherwise; what browsers take for a second slash (``\``, after a tab or line end,
  a character reference) is asked about. That is seen in the beginning of a page; should a ``<base>`` that leads
  elsewhere come later, it is too late, and the page is refused.
- In a body that is there whole, elements that are not in it: their names would stand behind a ``<``, wherever else
  such text may stand too.
"""

import re
from functools import lru_cache
from typing import Any

from optout_gate.rewrite import drawings
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.page import Page
from optout_gate.rewrite.references import SELECTOR

DELICATE = ("select", "frameset")
"""Elements in which lol-html gives up on text elements."""

_TEXTS = ("script", "style", "noscript")
_STYLED = '[style*="("],[style*="&"]'  # no other value holds an address
_CLICKED = 'a[href*="?"],area[href*="?"]'
_ANYWHERE = ("background", "attributionsrc")
_LEAVES = ('^="//"', r'^="/\\"', '^="/&"', r'^="/\9 "', r'^="/\a "', r'^="/\d "')  # the host, though it begins with "/"
_SMALL_BYTES = 4096  # of a body in which looking for a word costs less than a selector; a noscript's, mostly

_BEGINNING_BYTES = 32 * 1024  # in which a page has its head, and with it a ``<base>``

_FIRST_BYTES = 2048  # in which the page's first tag stands
_AMP = re.compile(rb"<html\s[^>]*(?:amp|\xc3\xa2\xc2\x9a\xc2\xa1)", re.IGNORECASE)  # or a lightning, a byte a character
_NAME = re.compile(rb"<([a-zA-Z][a-zA-Z0-9-]*)")
# It begins with a character of its own, so that all others cost next to nothing.
_DELICATE_OR_BASE = re.compile(
    rb"<(?:[sS][eE][lL][eE][cC][tT]|[fF][rR][aA][mM][eE][sS][eE][tT]|(?P<base>[bB][aA][sS][eE]))"
)

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
    """What the beginning of a body holds, or all of it.

    Attributes:
        elements: names of all elements that a whole body can hold; None of one that goes on.
        has_base: it can hold a ``<base>``.
        has_delicate: it can hold an element in which lol-html gives up.
        may_be_amp: it can be a page of AMP's, which says so in its first tag.
    """

    __slots__ = ("_text", "elements", "has_base", "has_delicate", "may_be_amp")

    def __init__(self, beginning: bytes, *, whole: bool) -> None:
        self.elements: frozenset[str] | None = None
        self._text = ""
        self.may_be_amp = len(beginning) < _FIRST_BYTES or _AMP.search(beginning, 0, _FIRST_BYTES) is not None
        if whole:
            self.elements = frozenset([name.decode().lower() for name in set(_NAME.findall(beginning))])
            self.has_base = "base" in self.elements
            self.has_delicate = not self.elements.isdisjoint(DELICATE)
            if len(beginning) <= _SMALL_BYTES:
                self._text = beginning.decode("latin-1").lower()
            return
        found = {match["base"] is not None for match in _DELICATE_OR_BASE.finditer(beginning)}
        self.has_base = True in found or len(beginning) < _BEGINNING_BYTES
        self.has_delicate = False in found

    def lacks(self, word: str) -> bool:
        """Return True when it is known that a word (in lower case) does not stand in it."""
        return bool(self._text) and word not in self._text


def holds_delicate(data: bytes) -> bool:
    """Return True unless no element begins in ``data`` in which lol-html gives up."""
    return any(match["base"] is None for match in _DELICATE_OR_BASE.finditer(data))


_ELEMENTS = (*SELECTOR.split(","), *DELICATE)
_OWN_PICTURES = {
    "img": ",".join(['img:not([src^="/"])', *(f"img[src{leaves}]" for leaves in _LEAVES), "img[srcset]"]),
    "use": r'use[href]:not([href^="#"]),use[xlink\:href]:not([xlink\:href^="#"])',  # icons of the page itself
}
"""In place of the element's name: those whose address may leave the host that it starts from."""
_WATCHED = frozenset(each.partition("[")[0] for each in _ELEMENTS) | {*_TEXTS}


@lru_cache(maxsize=256)
def _elements(present: frozenset[str], *, moved: bool) -> tuple[str, str]:
    """Return the selectors for references and for texts; ``moved`` says that references may start from elsewhere."""
    selectors = [each for each in _ELEMENTS if each.partition("[")[0] in present]
    if not moved:
        selectors = [_OWN_PICTURES.get(each, each) for each in selectors]
    return ",".join(selectors), ",".join(name for name in _TEXTS if name in present)


def handlers(page: Page, judge: Judge, contents: Contents) -> Handlers:
    """Return the selectors that a page can match, each with its handler."""
    present = _WATCHED if contents.elements is None else contents.elements & _WATCHED
    moved = contents.has_base or not page.starts_from_own
    page.expects_base = moved
    elements, texts = _elements(present, moved=moved)
    found: Handlers = [(elements, page), (texts, Texts(page))]
    if contents.elements is None or "svg" in contents.elements:
        found.append((drawings.SELECTOR, Elements(page.paint)))
    for word, selector, handler in _optional(page, judge, contents):
        if selector and not contents.lacks(word):
            found.append((selector, Elements(handler)))
    return [each for each in found if each[0]]


def _optional(page: Page, judge: Judge, contents: Contents) -> tuple[tuple[str, str, Any], ...]:
    """Return selectors with a word that stands in every body they match, and their handlers."""
    lazy, boxes = judge.attribute_selectors
    elements = contents.elements
    amp = contents.may_be_amp
    boxes_here = [
        each
        for tag, each in boxes.items()
        if not tag or (tag in elements if elements is not None else amp or not tag.startswith("amp-"))
    ]
    return (
        ("style", _STYLED, page.style_attribute),
        ("background", "[background]", page.anywhere),
        ("attributionsrc", "[attributionsrc]", page.anywhere),
        ("href", _CLICKED if judge.click_ids is not None else "", page.link),
        ("data-", lazy, page.lazy),
        ("", ",".join(boxes_here), page.container),
    )

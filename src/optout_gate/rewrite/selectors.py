r"""What lol-html is asked to look for in a page: selectors, each with its handler.

Each selector costs a microsecond or two to set up and something at every tag, and each element that matches one a call into
Python, which is most of the work on a page. So three things are left out:

- Pictures of the site's own. An address that begins with one slash stays on the host that it starts from, which is the
  site's own unless a ``<base>`` says otherwise; what browsers take for a second slash (``\``, after a tab or line end,
  a character reference) is asked about. That is seen in the beginning of a page; should a ``<base>`` that leads
  elsewhere come later, it is too late, and the page is refused.
- In a body that is there whole, elements that are not in it: their names would stand behind a ``<``, wherever else
  such text may stand too.
- In the same bodies, the start tags of most scripts, styles and ``noscript``: their texts come by themselves. Not where
  lol-html may give up, since who then goes on asks whether it stands in a text.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from optout_gate.rewrite import drawings
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.page import PLANS_WITHOUT_TEXTS, Page
from optout_gate.rewrite.page_texts import PageTexts, take_text
from optout_gate.rewrite.references import SELECTOR
from optout_gate.rewrite.whole import TextRewriter

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
# Names that may be one of those asked for, by their first letter, and of two letters at least: most tags are passed over.
_NAME = re.compile(rb"<([abefilmnostuvABEFILMNOSTUV][a-zA-Z0-9-]+)")
_COMMON = frozenset({"a", "div"})
# It begins with a character of its own, so that all others cost next to nothing.
_DELICATE_OR_BASE = re.compile(
    rb"<(?=[bBfFsS])(?:[sS][eE][lL][eE][cC][tT]|[fF][rR][aA][mM][eE][sS][eE][tT]|(?P<base>[bB][aA][sS][eE]))"
)

Handlers = list[tuple[str, object]]


class Elements:
    """Hands lol-html's elements on; its handlers are told apart by the methods they have."""

    def __init__(self, element: object) -> None:
        self.element = element


class Texts:
    """Hands lol-html's text pieces on."""

    def __init__(self, text: object) -> None:
        self.text = text


class TextsAlone:
    """Rewrites texts of one kind, whose elements need not be looked at."""

    __slots__ = ("_make", "_rewriter")

    def __init__(self, make: Callable[[], TextRewriter]) -> None:
        self._make = make
        self._rewriter: TextRewriter | None = None

    def text(self, chunk: Any) -> None:
        """Take a piece."""
        rewriter = self._rewriter
        if rewriter is None:
            rewriter = self._rewriter = self._make()
        if take_text(rewriter, chunk):
            self._rewriter = None


class TypedScripts:
    """Hands on inline scripts with a ``type``, which are looked at before it is clear what their text is."""

    def __init__(self, texts: PageTexts) -> None:
        self.element = texts.start_script
        self.text = texts.take


class Contents:
    """What the beginning of a body holds, or all of it.

    Attributes:
        whole: it is all of the body.
        elements: names of all elements that it can hold, of those that are asked for by name.
        has_base: it can hold a ``<base>``.
        has_delicate: it can hold an element in which lol-html gives up.
        may_be_amp: it can be a page of AMP's, which says so in its first tag.
        has_svg: it can hold a drawing.
    """

    __slots__ = ("_text", "elements", "has_base", "has_delicate", "has_svg", "may_be_amp", "whole")

    def __init__(self, beginning: bytes, *, whole: bool) -> None:
        self.whole = whole
        self._text = ""
        self.may_be_amp = len(beginning) < _FIRST_BYTES or _AMP.search(beginning, 0, _FIRST_BYTES) is not None
        if whole:
            self.elements = elements = _names(frozenset(_NAME.findall(beginning)))
            self.has_base = "base" in elements
            self.has_delicate = not elements.isdisjoint(DELICATE)
            self.has_svg = "svg" in elements
            if len(beginning) <= _SMALL_BYTES:
                self._text = beginning.decode("latin-1").lower()
            return
        self.elements = _WATCHED
        found = {match["base"] is not None for match in _DELICATE_OR_BASE.finditer(beginning)}
        self.has_base = True in found or len(beginning) < _BEGINNING_BYTES
        self.has_delicate = False in found
        self.has_svg = True

    def lacks(self, word: str) -> bool:
        """Return True when it is known that a word (in lower case) does not stand in it."""
        return bool(self._text) and word not in self._text


@lru_cache(maxsize=1024)
def _names(found: frozenset[bytes]) -> frozenset[str]:
    """Return the names of elements that are asked for by name, of those found as they are written."""
    return (frozenset([name.decode().lower() for name in found]) | _COMMON) & _WATCHED


def holds_delicate(data: bytes) -> bool:
    """Return True unless no element begins in ``data`` in which lol-html gives up."""
    return any(match["base"] is None for match in _DELICATE_OR_BASE.finditer(data))


_ELEMENTS = (*SELECTOR.split(","), *DELICATE)
_OWN_PICTURES = {
    "img": ",".join(['img:not([src^="/"])', *(f"img[src{leaves}]" for leaves in _LEAVES), "img[srcset]"]),
    "use": r'use[href]:not([href^="#"]),use[xlink\:href]:not([xlink\:href^="#"])',  # icons of the page itself
}
"""In place of the element's name: those whose address may leave the host that it starts from."""
_WATCHED = frozenset([each.partition("[")[0] for each in _ELEMENTS] + ["svg", "div", "blockquote"])
"""Names on which something depends: an element's selector, or that of a box."""
BOXED = frozenset({"a", "div", "blockquote"})
"""Names of most boxes; others are looked for everywhere."""
_TEXTS_APART = {"script": r"script[src],script[href],script[xlink\:href]", "style": "", "noscript": ""}
"""In place of the element's name where texts are handed on by themselves."""
_PLAIN_SCRIPTS = "script:not([src]):not([type])"
_TYPED_SCRIPTS = "script[type]:not([src])"


@lru_cache(maxsize=256)
def _elements(present: frozenset[str], *, moved: bool, texts_apart: bool) -> str:
    """Return the selector for references; ``moved`` says that references may start from elsewhere."""
    selectors = [each for each in _ELEMENTS if each.partition("[")[0] in present]
    instead = ({} if moved else _OWN_PICTURES) | (_TEXTS_APART if texts_apart else {})
    return ",".join(filter(None, (instead.get(each, each) for each in selectors)))


def handlers(page: Page, judge: Judge, contents: Contents) -> Handlers:
    """Return the selectors that a page can match, each with its handler."""
    present, texts = contents.elements, page.texts
    moved = contents.has_base or not page.here.is_own
    page.here.may_move = moved
    # Who reads a page that lol-html may give up on asks whether it stands in a text; and modes are set before the first script.
    texts_apart = contents.whole and not contents.has_delicate and not judge.decision.policy.restricts
    found: Handlers = [(_elements(present, moved=moved, texts_apart=texts_apart), page)]
    if texts_apart:
        page.plans = PLANS_WITHOUT_TEXTS
        if "script" in present:
            found += ((_PLAIN_SCRIPTS, TextsAlone(texts.script)), (_TYPED_SCRIPTS, TypedScripts(texts)))
        if "style" in present:
            found.append(("style", TextsAlone(texts.style)))
        if "noscript" in present:
            found.append(("noscript", TextsAlone(texts.noscript)))
    else:
        found.append((",".join(name for name in _TEXTS if name in present), Texts(texts.take)))
    if contents.has_svg:
        found.append((drawings.SELECTOR, Elements(page.paint)))
        if texts_apart:
            found.insert(0, ("svg style,svg script", Elements(texts.find_foreign)))
    for word, selector, handler in _optional(page, judge, contents):
        if selector and not contents.lacks(word):
            found.append((selector, Elements(handler)))
    return [each for each in found if each[0]]


def _optional(page: Page, judge: Judge, contents: Contents) -> tuple[tuple[str, str, Any], ...]:
    """Return selectors with a word that stands in every body they match, and their handlers."""
    lazy = ",".join(f"[{name}]" for name in judge.catalog.lazy_attributes)
    return (
        ("style", _STYLED, page.style_attribute),
        ("background", "[background]", page.anywhere),
        ("attributionsrc", "[attributionsrc]", page.anywhere),
        ("href", _CLICKED if judge.click_ids is not None else "", page.link),
        ("data-", lazy, page.lazy),
        ("", judge.box_selector(contents.elements & BOXED, BOXED, amp=contents.may_be_amp), page.container),
    )

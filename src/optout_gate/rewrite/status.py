"""The words that show a visitor that their opt-out is honoured, put where the page has a place for them.

California asks that a site "display whether it has processed" the signal, and gives "Opt-Out Request Honored" as the
example (11 CCR §7025(c)(6)). An element with ``data-optout-status`` gets these words; a page without one gets them at the
end of its body, where the operator wants that. Static text, no script, no style, no pop-up: a graphic in answer to the
signal would cost a site its frictionless processing (§7025(f)).

The words are put *before* what the element holds, never in its place: its end tag may be left out
(``<p data-optout-status>`` is good HTML), and then nobody knows where it ends. The language is the page's own, not the
browser's: a shared cache tells opted-out pages apart by ``Sec-GPC``, and by nothing else.
"""

from collections.abc import Mapping
from html import escape
from typing import Any

import lolhtml

from optout_gate.rewrite.selectors import Contents

PLACE = "data-optout-status"
HONORED = "honored"
_HTML = "http://www.w3.org/1999/xhtml"
_SELECTOR = f"html,body,[{PLACE}]"
_HOLDS_NO_WORDS = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}  # void
    | {"script", "style", "title", "textarea", "noscript", "iframe", "template", "xmp", "noembed", "noframes", "plaintext"}
    | {"html", "head", "table", "tbody", "thead", "tfoot", "tr", "colgroup", "select", "datalist", "frameset", "object"}
    | {"video", "audio", "canvas", "picture"}  # shown in their stead, or not at all
)  # fmt: skip
"""Elements in which text is code, or stands nowhere."""


class Status:
    """The words, and whether a page without a place for them gets them too.

    Attributes:
        words: by language; the first is for pages in any other.
        at_end: put them at the end of a page that has no place for them.
    """

    __slots__ = ("at_end", "words")

    def __init__(self, words: Mapping[str, str], *, at_end: bool) -> None:
        self.words = words
        self.at_end = at_end

    def concerns(self, contents: Contents) -> bool:
        """Return True when a page of these contents shows the words."""
        parts = (PLACE, "<html", "<body") if self.at_end else (PLACE,)
        return not all(map(contents.lacks, parts))

    def watch(self, rewriter: Any) -> None:
        """Register with the lol-html rewriter of one page."""
        page = _Page(self)
        rewriter.on(_SELECTOR, page)
        if self.at_end:
            rewriter.on_document(_End(page))


class _Page:
    """What lol-html calls for elements."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._language = ""
        self._is_document = False
        self.shown = False

    def element(self, element: Any) -> None:
        tag = element.tag_name
        if tag in ("html", "body"):
            self._is_document = True
            self._language = _language(element) or self._language
        if not element.has_attribute(PLACE) or tag in _HOLDS_NO_WORDS or element.namespace_uri != _HTML:
            return
        around = _language(element) or self._language
        language, words = self._in(around)
        if language != around:
            element.set_attribute("lang", language)
        element.set_attribute(PLACE, HONORED)
        element.prepend(_markup(words), lolhtml.ContentType.HTML)
        self.shown = True

    def at_end(self) -> str:
        """Return what goes behind the document: browsers put it at the end of its body (HTML §13.2.6.4.19)."""
        # A part of a page that a script fetches has neither element; nor has it a visitor to tell.
        if self.shown or not self._is_document:
            return ""
        language, words = self._in(self._language)
        lang = f' lang="{language}"' if language != self._language else ""
        label = _markup(words)
        return f'<aside {PLACE}="{HONORED}"{lang} aria-label="{label}">{label}</aside>'

    def _in(self, language: str) -> tuple[str, str]:
        words = self._status.words
        if language not in words:
            language = next(iter(words))
        return language, words[language]


class _End:
    """What lol-html calls at the end of the document."""

    def __init__(self, page: _Page) -> None:
        self._page = page

    def end(self, document_end: Any) -> None:
        if words := self._page.at_end():
            document_end.append(words, lolhtml.ContentType.HTML)


def _markup(words: str) -> str:
    """Return words as HTML in ASCII: the page around them may be in any encoding that holds it."""
    return escape(words).encode("ascii", "xmlcharrefreplace").decode("ascii")


def _language(element: Any) -> str:
    return (element.get_attribute("lang") or "").strip().lower().partition("-")[0]

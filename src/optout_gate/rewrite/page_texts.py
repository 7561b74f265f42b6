"""The texts of a page that mean something: scripts, styles and ``noscript``, each with who rewrites it.

What a script's text is depends on its start tag: code, instructions to the browser (import maps, speculation rules), or data,
which are left alone. A reader that comes by an element before its text calls a ``start_`` method there, and :meth:`take` with the
pieces; one that knows by itself what the text is asks for its rewriter.
"""

from collections.abc import Callable

from optout_gate.rewrite import boxes, restricted
from optout_gate.rewrite.css import MAX_HELD_CHARACTERS, CssRewriter
from optout_gate.rewrite.element import HTML_NAMESPACE, MARKUP, Element, TextPiece
from optout_gate.rewrite.inline import InlineScript, is_script
from optout_gate.rewrite.instructions import INSTRUCTIONS, Instructions
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.page_base import PageBase
from optout_gate.rewrite.remembering import remembered
from optout_gate.rewrite.whole import Known, TextRewriter, WholeText, referenced

MAX_NOSCRIPT_CHARACTERS = 256 * 1024  # of one element; real ones hold a pixel or a few

InnerPage = Callable[[str, str], str]
"""Takes the text of a page inside a page, and the URL that its references start from; returns it rewritten."""


class PageTexts:
    """Rewrites the texts of one page."""

    def __init__(self, judge: Judge, here: PageBase, noscript: InnerPage, *, in_noscript: bool) -> None:
        """Take who decides, where imports start from, and what rewrites the page in a ``noscript``."""
        self._judge = judge
        self._here = here
        self._noscript = noscript
        self._in_noscript = in_noscript
        self._stood_in: set[str] = set()  # names of modules that an import map leads to a stand-in
        self._is_foreign = False  # the text that begins is one of SVG or XML
        self._rewriter: TextRewriter | None = None  # of the text we are in
        self._is_begun = False  # a piece of that text has come; of an empty one, none does
        self.modes_due = bool(judge.decision.policy.restricts) and not in_noscript

    @property
    def is_within(self) -> bool:
        """True while a text is being read."""
        return self._rewriter is not None and self._is_begun

    def leave(self) -> None:
        """Forget the text that is being read."""
        self._rewriter = None

    def take(self, piece: TextPiece) -> None:
        """Pass a piece of a text through its rewriter."""
        self._is_begun = True
        if self._rewriter is not None and take_text(self._rewriter, piece):
            self._rewriter = None

    def start_script(self, element: Element) -> None:
        """Find out what a script's text is."""
        if self.modes_due:
            self.modes_due = False
            restricted.set_modes(element, self._judge)
        self._rewriter, self._is_begun = None, False
        if element.get_attribute("src") is not None:
            return
        kind = element.get_attribute("type")
        if is_script(kind):
            self.find_foreign(element)
            self._rewriter = self.script()
        elif kind is not None and kind.strip().lower() in INSTRUCTIONS:
            self._rewriter = Instructions(self._judge, self._here.base, self._stood_in)
        elif kind is not None:
            boxes.stand_before(element, kind, self._judge, self._here.base)

    def start_style(self, element: Element) -> None:
        """Begin with a style sheet."""
        self.find_foreign(element)
        self._rewriter, self._is_begun = self.style(), False

    def start_noscript(self, _: Element) -> None:
        """Begin with a ``noscript``."""
        self._rewriter, self._is_begun = self.noscript(), False

    def find_foreign(self, element: Element) -> None:
        """Note whether the text of the style or script that begins is markup like any other, as in SVG."""
        self._is_foreign = element.namespace_uri != HTML_NAMESPACE

    def script(self) -> TextRewriter:
        """Return the rewriter of a script's text."""
        return self._read(self._script, "script")

    def style(self) -> TextRewriter:
        """Return the rewriter of a style sheet in the page."""
        return self._read(lambda: Known(self._judge, "style", self._here.base, CssRewriter), "style")

    def noscript(self) -> TextRewriter:
        """Return the rewriter of what browsers without scripts read as a page of its own."""
        return WholeText(self._noscript_page, MAX_NOSCRIPT_CHARACTERS, "noscript")

    def _read(self, make: Callable[[], TextRewriter], what: str) -> TextRewriter:
        foreign, self._is_foreign = self._is_foreign, False
        return referenced(make, MAX_HELD_CHARACTERS, what) if foreign else make()

    def _script(self) -> TextRewriter:
        if self._stood_in or not self._here.is_own:  # what an import leads to stands elsewhere in the page
            return InlineScript(self._judge, self._here.base, self._stood_in)
        return Known(self._judge, "script", self._here.base, InlineScript)

    def _noscript_page(self, text: str) -> str:
        url = self._here.url
        if self._in_noscript:
            return self._noscript(text, url)
        return remembered(self._judge, "noscript", text, self._here.base, lambda text: self._noscript(text, url))


def take_text(rewriter: TextRewriter, piece: TextPiece) -> bool:
    """Pass a piece of a text through its rewriter; return True when it was the last."""
    text = piece.text
    last = piece.last_in_text_node
    out = rewriter.feed(text) if text else ""
    if last:
        out += rewriter.close()
    if out != text:
        if out:
            piece.replace(out, MARKUP)
        else:
            piece.remove()  # costs next to nothing, beside replacing it by nothing
    return last

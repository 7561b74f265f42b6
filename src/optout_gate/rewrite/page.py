"""What is done with each element of a page, whatever reads the page.

Two readers call this: lol-html (:mod:`optout_gate.rewrite.html`), and the gate's own scanner where lol-html gives up
(:mod:`optout_gate.rewrite.tags`). Elements are never removed, and added only inside a vendor's own container or where
the operator asks for a restricted mode: a framework that hydrates the page counts them. A denied reference is replaced in place
(:mod:`optout_gate.rewrite.replacing`). Texts have a module of their own (:mod:`optout_gate.rewrite.page_texts`).

Which attributes refer to something is a table (:mod:`optout_gate.rewrite.references`); most of a page leads to the site's own host
and is left after one look at the address.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from optout_gate.policy.decision import Verdict
from optout_gate.rewrite import boxes, data_urls, drawings, indirect
from optout_gate.rewrite.attributes import editable, url_text, written
from optout_gate.rewrite.css import may_leave, rewrite_css
from optout_gate.rewrite.element import Element, Tag
from optout_gate.rewrite.inline import InlineScript
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.page_base import PageBase
from optout_gate.rewrite.page_texts import InnerPage, PageTexts
from optout_gate.rewrite.references import CONNECTION, EVERYWHERE, REFERENCES, Reference, link_request
from optout_gate.rewrite.remembering import remembered_tag
from optout_gate.rewrite.replacing import keep_candidates, keep_tokens, replace
from optout_gate.rewrite.restricted import restrict
from optout_gate.rewrite.start_tag import edit
from optout_gate.trackers.urls import NOWHERE, Base, resolve

# What references to another host than the base's have in them: a scheme, two slashes or what browsers take for them
# (they leave tabs and line ends out), or a character reference, which may stand for any of these.
_MAY_LEAVE = re.compile(r"//|[:\\&\t\n\r]")

_MAY_RUN = re.compile(
    r"<script|<[a-z]+:script|(?<![a-z])on[a-z]+\s*=|<(?:iframe|frame|object|embed)[\s/>]", re.IGNORECASE
)
"""What a page has in it that runs a script while it loads, or holds another that may."""

_ALIKE = frozenset({"script", "link", "iframe", "a"})
"""Elements that are the same on one page as on another where they lead elsewhere. Pictures seldom are."""

_HOLDS_DATA = frozenset({"iframe", "object", "link", "script"})
"""Kinds of references from which a ``data:`` address acts as what it holds."""

_LISTS: Mapping[str, Callable[[Tag, Reference, str, Judge, Base], None]] = {
    "srcset": keep_candidates,
    "tokens": keep_tokens,
}
"""What is done with an attribute that holds several addresses, by :attr:`Reference.many`."""


class Page:
    """What a reader calls for elements, and what is known of the page so far.

    Attributes:
        here: what references start from.
        texts: what a reader calls for texts.
        plans: what is done with an element, by its name.
        in_delicate: set when a reader has found a select or frameset to be one.
    """

    def __init__(
        self,
        judge: Judge,
        page_url: str,
        inner: InnerPage,
        noscript: InnerPage,
        xml: InnerPage,
        *,
        in_noscript: bool = False,
    ) -> None:
        """Take who decides, where references start from, and what rewrites a page inside this one."""
        self._judge = judge
        self._inner = inner
        self._xml = xml
        self._in_noscript = in_noscript
        self.here = PageBase(judge, page_url, in_noscript=in_noscript)
        self.texts = PageTexts(judge, self.here, noscript, in_noscript=in_noscript)
        self.plans = PLANS
        self.in_delicate = False

    def state(self) -> tuple[Any, ...]:
        """Return what is known of the page so far, for :meth:`restore`."""
        return (self.here.state(), self.texts.modes_due)

    def restore(self, state: tuple[Any, ...]) -> None:
        """Go back to ``state``, between two elements."""
        here, self.texts.modes_due = state
        self.here.restore(here)
        self.texts.leave()

    def everything(self, element: Element) -> None:
        """Do for one element all that selectors divide up for lol-html."""
        self.element(element)
        self.style_attribute(element)
        self.paint(element)
        self.anywhere(element)
        if element.tag_name in ("a", "area"):
            self.link(element)
        self.lazy(element)
        self.container(element)

    def denies_stylesheet(self, address: str) -> bool:
        """Return True when an ``xml-stylesheet`` instruction must go."""
        verdict = self._judge.reference(url_text(address), self.here.base, "stylesheet")
        if verdict is not None:
            self._judge.removals.add("link", verdict, address)
        return verdict is not None

    def element(self, element: Element) -> None:
        """Take out what an element's start tag refers to."""
        tag = element.tag_name
        starts, references = self.plans.get(tag, _NO_PLAN)
        if starts is not None:
            starts(self, element)
        here = self.here
        for reference in references:
            raw = element.get_attribute(reference.attribute)
            if raw is not None and not (here.is_own and _MAY_LEAVE.search(raw) is None):
                if tag in _ALIKE and here.is_the_pages:
                    self._as_before(element, tag)
                else:
                    self._references(element)
                break
        if tag == "iframe" and (srcdoc := element.get_attribute("srcdoc")) is not None:
            self._inner_page(element, srcdoc)

    def _as_before(self, element: Element, tag: str) -> None:
        attributes = tuple([pair for pair in element.attributes if pair[0] != "nonce"])  # another on every page
        edit(
            element,
            remembered_tag(
                self._judge, tag, attributes, self.here.base, in_noscript=self._in_noscript, look=self._references
            ),
        )

    def _references(self, element: Tag) -> None:
        tag, is_own = element.tag_name, self.here.is_own
        for reference in REFERENCES[tag]:
            raw = element.get_attribute(reference.attribute)
            if raw is None or (is_own and _MAY_LEAVE.search(raw) is None):
                continue
            if reference.many:
                _LISTS[reference.many](element, reference, raw, self._judge, self.here.base)
            else:
                self._reference(element, tag, reference, raw)

    def anywhere(self, element: Element) -> None:
        """Take out what stands in attributes that any element may have."""
        for reference in EVERYWHERE:
            raw = element.get_attribute(reference.attribute)
            if raw is not None and reference.many:
                _LISTS[reference.many](element, reference, raw, self._judge, self.here.base)
            elif raw is not None:
                self._reference(element, element.tag_name, reference, raw)

    def lazy(self, element: Element) -> None:
        """Take out what a vendor's own loader (a consent platform, an optimiser) would turn into a reference later."""
        tag = element.tag_name
        known = REFERENCES.get(tag)
        for attribute in self._judge.catalog.lazy_attributes:
            raw = element.get_attribute(attribute)
            if raw is not None and known:
                self._reference(element, tag, known[0]._replace(attribute=attribute), raw)

    def _reference(self, element: Tag, tag: str, reference: Reference, raw: str) -> None:
        text, judge, base = url_text(raw), self._judge, self.here.base
        verdict: Verdict | None
        if tag == "link":
            kind = link_request(element.get_attribute("rel") or "", element.get_attribute("as") or "")
            if kind is None:
                return
            verdict = judge.connection(text, base) if kind == CONNECTION else judge.reference(text, base, kind)
        elif reference.kind == "image" and tag in ("img", "image"):
            verdict = judge.picture(text, base, element, in_noscript=self._in_noscript)
        elif reference.kind == "form":
            target = resolve(text, base)
            verdict = judge.mention(target, reference.request) if target is not None else None
        else:
            verdict = judge.reference(text, base, reference.request)
        if verdict is not None:
            replace(element, reference, text, verdict, judge, base)
        elif reference.kind in _HOLDS_DATA and data_urls.is_data(text):
            self._data(element, reference, text)
        elif judge.decision.policy.restricts:
            restrict(element, reference, text, judge, base)

    def _data(self, element: Tag, reference: Reference, text: str) -> None:
        """Rewrite a document, style sheet or script that stands in its own address."""
        held = data_urls.opened(text)
        if held is None or (held.kind == data_urls.SHEET) != (reference.kind == "link"):
            return
        if held.kind == data_urls.SHEET:
            rewritten = rewrite_css(held.text, self._judge, NOWHERE)
        elif held.kind != data_urls.SCRIPT:
            rewritten = (self._xml if held.kind == data_urls.XML else self._inner)(held.text, NOWHERE.url)
            if held.kind == data_urls.PAGE:
                rewritten = self._guarded(element, rewritten, NOWHERE)
        elif reference.kind == "script":
            script = InlineScript(self._judge, NOWHERE)
            rewritten = script.feed(held.text) + script.close()
        else:
            return
        if rewritten != held.text:
            element.set_attribute(reference.attribute, written(held.holding(rewritten)))

    def _inner_page(self, element: Element, raw: str) -> None:
        """Rewrite the page in a ``srcdoc``, which resolves its references from the page around it."""
        text = editable(raw)
        rewritten = self._guarded(element, self._inner(text, self.here.url), self.here.base)
        if rewritten != text:
            element.set_attribute("srcdoc", written(rewritten))

    def _guarded(self, element: Tag, text: str, base: Base) -> str:
        """Return a page that stands in an element, with the guard in it where a script of its own could run."""
        frames, sandbox = self._judge.frames, element.get_attribute("sandbox")
        if frames is None or self._in_noscript or _MAY_RUN.search(text) is None:
            return text
        if sandbox is not None and "allow-scripts" not in sandbox.lower().split():
            return text
        return frames(text, self._judge.origin_for(base))

    def style_attribute(self, element: Element) -> None:
        """Take out what a ``style`` attribute refers to."""
        raw = element.get_attribute("style")
        if raw is None or (self.here.is_own and not may_leave(raw)):
            return
        text = editable(raw)
        rewritten = rewrite_css(text, self._judge, self.here.base)
        if rewritten != text:
            element.set_attribute("style", written(rewritten))

    def paint(self, element: Element) -> None:
        """Take out what SVG's presentation attributes refer to."""
        drawings.paint(element, self._judge, self.here.base)

    def link(self, element: Element) -> None:
        """Take click identifiers of denied vendors out of a link's query."""
        indirect.link(element, self._judge)

    def container(self, element: Element) -> None:
        """Leave a placeholder in the empty box that a denied vendor's script would have filled."""
        boxes.fill(element, self._judge, self.here.base)

    def _delicate(self, _: Element) -> None:
        self.in_delicate = True


_STARTS: Mapping[str, Callable[[Page, Element], None]] = {
    "script": lambda page, element: page.texts.start_script(element),
    "style": lambda page, element: page.texts.start_style(element),
    "noscript": lambda page, element: page.texts.start_noscript(element),
    "base": lambda page, element: page.here.take(element),
    "select": Page._delicate,
    "frameset": Page._delicate,
    "meta": lambda page, element: indirect.meta(element, page._judge, page.here.base),
    "animate": lambda page, element: drawings.animation(element, page._judge, page.here.base),
    "set": lambda page, element: drawings.animation(element, page._judge, page.here.base),
    "amp-analytics": lambda page, element: indirect.amp(element, page._judge),
    "amp-ad": lambda page, element: indirect.amp(element, page._judge),
    "amp-embed": lambda page, element: indirect.amp(element, page._judge),
}
_NO_PLAN: tuple[Callable[[Page, Element], None] | None, tuple[Reference, ...]] = (None, ())
PLANS = {tag: (_STARTS.get(tag), REFERENCES.get(tag, ())) for tag in {*_STARTS, *REFERENCES}}
"""What is done with an element, by its name: at its start, and with its attributes."""
PLANS_WITHOUT_TEXTS = PLANS | {"script": (None, REFERENCES["script"])}
"""The same, for a reader that knows by itself which texts to hand on."""
NEEDS_NO_ATTRIBUTE = frozenset(_STARTS)
"""Elements that matter also where they have no attribute."""

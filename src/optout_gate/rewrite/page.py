"""What is done with each element and text of a page, whatever reads the page.

Two readers call this: lol-html (:mod:`optout_gate.rewrite.html`), and the gate's own scanner where lol-html gives up
(:mod:`optout_gate.rewrite.tags`). Elements are never removed, and added only inside a vendor's own container or where
the operator asks for a restricted mode: a framework that hydrates the page counts them. A reference is replaced by
something harmless in place (:mod:`optout_gate.rewrite.neutral`).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import lolhtml

from optout_gate.errors import Failure, RewriteError
from optout_gate.policy.decision import Verdict
from optout_gate.rewrite import data_urls, drawings, embeds
from optout_gate.rewrite.attributes import editable, url_text, written
from optout_gate.rewrite.candidates import candidates
from optout_gate.rewrite.css import MAX_HELD_CHARACTERS, CssRewriter, may_leave, rewrite_css
from optout_gate.rewrite.inline import InlineScript, is_script
from optout_gate.rewrite.instructions import INSTRUCTIONS, Instructions
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.neutral import MARK, stand_in
from optout_gate.rewrite.references import (
    CONNECTION,
    EVERYWHERE,
    REFERENCES,
    REPLACEMENT,
    STALE,
    Reference,
    link_request,
)
from optout_gate.rewrite.start_tag import edit
from optout_gate.rewrite.whole import Known, TextRewriter, WholeText, referenced
from optout_gate.trackers.urls import NOWHERE, base_of, resolve
from optout_gate.trackers.vendor import Box


class _Markup:
    """lol-html's word for content that is markup. It asks for ``value``, which an enum's member is slow to answer."""

    value = lolhtml.ContentType.HTML.value


MARKUP = _Markup()

MAX_NOSCRIPT_CHARACTERS = 256 * 1024  # of one element; real ones hold a pixel or a few
MAX_ACCOUNT_CHARACTERS = 200  # of a query kept behind a stand-in's "#"; an account number is some dozen

# What references to another host than the base's have in them: a scheme, two slashes or what browsers take for them
# (they leave tabs and line ends out), or a character reference, which may stand for any of these.
_MAY_LEAVE = re.compile(r"//|[:\\&\t\n\r]")

_META_URL = re.compile(r"[\s;,]*[\d.]*[\s;,]*(?:url\s*=\s*)?(?P<quote>[\"']?)(?P<url>[^\"']*)", re.IGNORECASE)
_DELEGATED = re.compile(r"(?:https?:)?//[^\s;,()\"']+", re.IGNORECASE)


InnerPage = Callable[[str, str], str]
"""Takes the text of a page inside a page, and the URL that its references start from; returns it rewritten."""

_HTML_NAMESPACE = "http://www.w3.org/1999/xhtml"

_HOLDS_DATA = frozenset({"iframe", "object", "link", "script"})
"""Kinds of references from which a ``data:`` address acts as what it holds."""


class Page:
    """What a reader calls for elements and texts, and what is known of the page so far."""

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
        self._base = base_of(page_url)
        self._page_url = page_url
        self._inner = inner
        self._noscript = noscript
        self._xml = xml
        self._in_noscript = in_noscript
        self._base_is_set = False
        self._base_is_own = judge.own(self._base.host)
        self._stood_in: set[str] = set()  # names of modules that an import map leads to a stand-in
        self._is_foreign = False  # the text that begins is one of SVG or XML
        self._base_is_the_pages = self._base.host == judge.page.host
        self.plans = PLANS
        self._text: TextRewriter | None = None  # the rewriter of the script or style we are in
        self._modes_due = bool(judge.decision.policy.restricts) and not in_noscript
        self.expects_base = True  # False when whoever reads the page leaves out addresses that begin with one slash
        self.in_delicate = False  # set when a reader has found a select or frameset to be one

    def state(self) -> tuple[Any, ...]:
        """Return what is known of the page so far, for :meth:`restore`."""
        return (self._base, self._base_is_set, self._base_is_own, self._base_is_the_pages, self._modes_due)

    def restore(self, state: tuple[Any, ...]) -> None:
        """Go back to ``state``, between two elements."""
        self._base, self._base_is_set, self._base_is_own, self._base_is_the_pages, self._modes_due = state
        self._text = None

    @property
    def starts_from_own(self) -> bool:
        """True while relative references lead to the site's own hosts."""
        return self._base_is_own

    @property
    def in_text(self) -> bool:
        """True while the text of a script, style or noscript is being read."""
        return self._text is not None

    def everything(self, element: Any) -> None:
        """Do for one element all that selectors divide up for lol-html."""
        self.element(element)
        if element.has_attribute("style"):
            self.style_attribute(element)
        self.paint(element)
        self.anywhere(element)
        if element.tag_name in ("a", "area") and element.has_attribute("href"):
            self.link(element)
        self.lazy(element)
        self.container(element)

    def denies_stylesheet(self, address: str) -> bool:
        """Return True when an ``xml-stylesheet`` instruction must go."""
        verdict = self._judge.reference(url_text(address), self._base, "stylesheet")
        if verdict is not None:
            self._judge.removals.add("link", verdict, address)
        return verdict is not None

    def element(self, element: Any) -> None:
        """Take out what an element's start tag refers to."""
        tag = element.tag_name
        starts, references = self.plans.get(tag, _NO_PLAN)
        if starts is not None:
            starts(self, element)
        for reference in references:
            raw = element.get_attribute(reference.attribute)
            if raw is not None and not (self._base_is_own and _MAY_LEAVE.search(raw) is None):
                if tag in _ALIKE and self._base_is_the_pages:
                    self._as_before(element, tag)
                else:
                    self._references(element)
                break
        if tag == "iframe" and (srcdoc := element.get_attribute("srcdoc")) is not None:
            self._inner_page(element, srcdoc)

    def _as_before(self, element: Any, tag: str) -> None:
        attributes = tuple([pair for pair in element.attributes if pair[0] != "nonce"])  # another on every page
        edit(
            element,
            self._judge.remembered_tag(
                tag, attributes, self._base, in_noscript=self._in_noscript, look=self._references
            ),
        )

    def _references(self, element: Any) -> None:
        tag = element.tag_name
        for reference in REFERENCES[tag]:
            raw = element.get_attribute(reference.attribute)
            if raw is None or (self._base_is_own and _MAY_LEAVE.search(raw) is None):
                continue
            if reference.many:
                _LISTS[reference.many](self, element, reference, raw)
            else:
                self._reference(element, tag, reference, raw)

    def anywhere(self, element: Any) -> None:
        """Take out what stands in attributes that any element may have."""
        for reference in EVERYWHERE:
            raw = element.get_attribute(reference.attribute)
            if raw is not None and reference.many:
                self._tokens(element, reference, raw)
            elif raw is not None:
                self._reference(element, element.tag_name, reference, raw)

    def _reference(self, element: Any, tag: str, reference: Reference, raw: str) -> None:
        text = url_text(raw)
        request = reference.request
        verdict: Verdict | None
        if tag == "link":
            kind = link_request(element.get_attribute("rel") or "", element.get_attribute("as") or "")
            if kind is None:
                return
            if kind == CONNECTION:
                verdict = self._judge.connection(text, self._base)
            else:
                request = kind
                verdict = self._judge.reference(text, self._base, request)
        elif reference.kind == "image" and tag in ("img", "image"):
            verdict = self._judge.picture(text, self._base, element, in_noscript=self._in_noscript)
        elif reference.kind == "form":
            target = resolve(text, self._base)
            verdict = self._judge.mention(target, request) if target is not None else None
        else:
            verdict = self._judge.reference(text, self._base, request)
        if verdict is not None:
            self._judge.removals.add(reference.kind, verdict, text)
            self._replace(element, tag, reference, text, verdict)
        elif reference.kind in _HOLDS_DATA and data_urls.is_data(text):
            self._data(element, reference, text)
        elif self._judge.decision.policy.restricts:
            self._restrict(element, tag, reference, text)

    def _data(self, element: Any, reference: Reference, text: str) -> None:
        """Rewrite a document, style sheet or script that stands in its own address."""
        held = data_urls.opened(text)
        if held is None or (held.kind == data_urls.SHEET) != (reference.kind == "link"):
            return
        if held.kind == data_urls.SHEET:
            rewritten = rewrite_css(held.text, self._judge, NOWHERE)
        elif held.kind != data_urls.SCRIPT:
            rewritten = (self._xml if held.kind == data_urls.XML else self._inner)(held.text, NOWHERE.url)
        elif reference.kind == "script":
            script = InlineScript(self._judge, NOWHERE)
            rewritten = script.feed(held.text) + script.close()
        else:
            return
        if rewritten != held.text:
            element.set_attribute(reference.attribute, written(held.holding(rewritten)))

    def _replace(self, element: Any, tag: str, reference: Reference, text: str, verdict: Verdict) -> None:
        replacement: str | None
        if reference.kind == "script":
            replacement = stand_in(verdict, self._judge.origin_for(self._base))
            query = text.partition("#")[0].partition("?")[2]
            if query and len(query) <= MAX_ACCOUNT_CHARACTERS:
                replacement += "#" + query  # stays in the browser; the stand-in reads the account number from it
        else:
            replacement = REPLACEMENT[reference.kind]
            if replacement is not None and replacement[:1] == "/":
                replacement = self._judge.origin_for(self._base) + replacement
        if tag == "iframe" and verdict.vendor.embed:
            element.set_attribute("srcdoc", written(embeds.frame(verdict.vendor, text)))
            if not element.has_attribute("title"):
                element.set_attribute("title", written(embeds.title(verdict.vendor)))
            _without(element, reference.attribute)
        elif replacement is None or tag.startswith("amp-"):
            _without(element, reference.attribute)
        else:
            element.set_attribute(reference.attribute, written(replacement))
        for stale in STALE:
            if element.has_attribute(stale):
                _without(element, stale)
        element.set_attribute(MARK, verdict.vendor.vendor)

    def _candidates(self, element: Any, reference: Reference, raw: str) -> None:
        """Take the denied candidates out of a ``srcset`` (HTML §4.8.4.3.5), the rest stays in its order."""
        text = editable(raw)
        kept: list[str] = []
        denied: Verdict | None = None
        for url, descriptor in candidates(text):
            verdict = self._judge.reference(url, self._base, reference.request)
            if verdict is None:
                kept.append(url + descriptor.rstrip())
            else:
                denied = verdict
                self._judge.removals.add(reference.kind, verdict, url)
        if denied is None:
            return
        self._keep(element, reference, kept, ", ")
        element.set_attribute(MARK, denied.vendor.vendor)

    def _tokens(self, element: Any, reference: Reference, raw: str) -> None:
        urls = editable(raw).split()
        kept: list[str] = []
        for url in urls:
            verdict = self._judge.reference(url, self._base, reference.request)
            if verdict is None:
                kept.append(url)
            else:
                self._judge.removals.add(reference.kind, verdict, url)
        if len(kept) != len(urls):
            self._keep(element, reference, kept, " ")

    def _keep(self, element: Any, reference: Reference, kept: list[str], between: str) -> None:
        if kept:
            element.set_attribute(reference.attribute, written(between.join(kept)))
        else:
            _without(element, reference.attribute)

    def style_attribute(self, element: Any) -> None:
        """Take out what a ``style`` attribute refers to."""
        raw = element.get_attribute("style")
        if self._base_is_own and not may_leave(raw):
            return
        text = editable(raw)
        rewritten = rewrite_css(text, self._judge, self._base)
        if rewritten != text:
            element.set_attribute("style", written(rewritten))

    def paint(self, element: Any) -> None:
        """Take out what SVG's presentation attributes refer to."""
        drawings.paint(element, self._judge, self._base)

    def link(self, element: Any) -> None:
        """Take click identifiers of denied vendors out of a link's query; everything else of it stays."""
        raw = element.get_attribute("href")
        names = self._judge.click_ids
        if names is None or names.search(raw) is None:
            return
        text = editable(raw)
        head, hash_, fragment = text.partition("#")
        path, _, query = head.partition("?")
        kept: list[str] = []
        for pair in query.split("&"):
            verdict = self._judge.click_id(pair.partition("=")[0])
            if verdict is None:
                kept.append(pair)
            else:
                self._judge.removals.add("click_id", verdict, pair.partition("=")[0])
        if len(kept) != query.count("&") + 1:
            element.set_attribute(
                "href", written(path + ("?" if kept or not path else "") + "&".join(kept) + hash_ + fragment)
            )

    def lazy(self, element: Any) -> None:
        """Take out what a vendor's own loader (a consent platform, an optimiser) would turn into a reference later."""
        tag = element.tag_name
        known = REFERENCES.get(tag)
        for attribute in self._judge.catalog.lazy_attributes:
            raw = element.get_attribute(attribute)
            if raw is not None and known:
                self._reference(element, tag, known[0]._replace(attribute=attribute), raw)

    def container(self, element: Any) -> None:
        """Leave a placeholder in the empty box that a denied vendor's script would have filled."""
        if element.has_attribute(MARK):
            return  # a gate before this one was here
        words = (element.get_attribute("class") or "").split()
        words.append(f"#{element.get_attribute('id')}")
        words += [f"[{name}]" for name in self._judge.catalog.container_attributes if element.has_attribute(name)]
        found = self._judge.container(element.tag_name, [*words, f"<{element.tag_name}>"])
        if found is None:
            return
        verdict, box = found
        markup = embeds.box(verdict.vendor, element.tag_name, self._content(element, box), embeds.size(box, element))
        if not markup:
            return
        element.set_attribute(MARK, verdict.vendor.vendor)
        element.prepend(markup, MARKUP)
        self._judge.removals.add("embed", verdict, verdict.rule.text)

    def _content(self, element: Any, box: Box) -> str:
        """Return the address of what a box would have shown, or nothing."""
        named = url_text(element.get_attribute(box.link) or "").strip() if box.link else ""
        if box.page and embeds.NAME.match(named):
            return box.page.format(named)
        target = resolve(named, self._base) if named else None
        # Comments and share buttons name the page they stand on.
        return target.url if target is not None and not self._judge.own(target.host) else ""

    def _script_box(self, element: Any, kind: str) -> None:
        """Leave a placeholder before a script in whose place a denied vendor's would have drawn something."""
        found = self._judge.script_box(kind)
        if found is None or element.has_attribute(MARK):
            return
        verdict, box = found
        markup = embeds.box(verdict.vendor, "span", self._content(element, box))
        element.set_attribute(MARK, verdict.vendor.vendor)
        element.before(markup, MARKUP)
        self._judge.removals.add("embed", verdict, verdict.rule.text)

    def _restrict(self, element: Any, tag: str, reference: Reference, text: str) -> None:
        """Set a restricted vendor's documented parameters and attributes on a reference that stays."""
        target = resolve(text, self._base)
        verdict = self._judge.restricted(target, reference.request) if target is not None else None
        mode = verdict.vendor.restricted if verdict is not None else None
        if mode is None:
            return
        if mode.query and not reference.many:
            element.set_attribute(reference.attribute, written(with_query(text, mode.query)))
        if tag == "script":
            for name, value in mode.attributes.items():
                element.set_attribute(name, written(value))

    def _inner_page(self, element: Any, raw: str) -> None:
        """Rewrite the page in a ``srcdoc``, which resolves its references from the page around it."""
        text = editable(raw)
        rewritten = self._inner_text(text)
        if rewritten != text:
            element.set_attribute("srcdoc", written(rewritten))

    def _inner_text(self, text: str) -> str:
        return self._inner(text, self._base.url or self._page_url)

    def _noscript_page(self, text: str) -> str:
        url = self._base.url or self._page_url
        if self._in_noscript:
            return self._noscript(text, url)
        return self._judge.remembered("noscript", text, self._base, lambda text: self._noscript(text, url))

    def _start_animation(self, element: Any) -> None:
        drawings.animation(element, self._judge, self._base)

    def _start_delicate(self, element: Any) -> None:
        self.in_delicate = True

    def start_script(self, element: Any) -> None:
        """Find out what a script's text is."""
        if self._modes_due:
            self._set_restricted_modes(element)
        self._text = None
        if element.get_attribute("src") is not None:
            return
        kind = element.get_attribute("type")
        if is_script(kind):
            self._text = self._text_rewriter(element, self.script_text)
        elif kind is not None and kind.strip().lower() in INSTRUCTIONS:
            self._text = Instructions(self._judge, self._base, self._stood_in)
        elif kind is not None:
            self._script_box(element, kind)

    def _set_restricted_modes(self, element: Any) -> None:
        """Set every restricted vendor's mode before the page's first script, so before the vendor's first call."""
        self._modes_due = False
        nonce = element.get_attribute("nonce")
        self._judge.may_restrict = self._judge.may_restrict or nonce is not None
        if not self._judge.may_restrict:
            return  # the page's Content-Security-Policy would keep the mode out: these vendors are denied instead
        modes = [vendor.restricted for vendor in self._judge.decision.policy.restricts]
        lines = [mode.before for mode in modes if mode is not None and mode.before]
        if lines:
            proof = f' nonce="{nonce}"' if nonce is not None else ""
            script = f'<script{proof} {MARK}="restricted">{"".join(lines)}</script>'
            element.before(script, MARKUP)

    def _start_style(self, element: Any) -> None:
        self._text = self._text_rewriter(element, self.style_text)

    def _text_rewriter(self, element: Any, make: Callable[[], TextRewriter]) -> TextRewriter:
        self.find_foreign(element)
        return make()

    def find_foreign(self, element: Any) -> None:
        """Note whether the text of the style or script that begins is markup like any other, as in SVG."""
        self._is_foreign = element.namespace_uri != _HTML_NAMESPACE

    def _start_noscript(self, element: Any) -> None:
        self._text = self.noscript_text()

    def _start_base(self, element: Any) -> None:
        """Let the first ``base`` with a ``href`` move what relative references start from (HTML §4.2.3)."""
        href = element.get_attribute("href")
        if href is None or self._base_is_set:
            return
        target = resolve(url_text(href), self._base)
        if self._in_noscript and target is not None and not self._judge.own(target.host):
            # Without scripts the page behind the noscript starts from it as well; here that is read as with scripts.
            _without(element, "href")
            verdict = self._judge.reference(url_text(href), self._base, "other")
            if verdict is not None:
                self._judge.removals.add("link", verdict, url_text(href))
                element.set_attribute(MARK, verdict.vendor.vendor)
            return
        self._base_is_set = True
        if target is not None:
            self._base = base_of(target.url)
            self._base_is_own = self._judge.own(self._base.host)
            self._base_is_the_pages = self._base.host == self._judge.page.host
            if not (self._base_is_own or self.expects_base):
                raise RewriteError(Failure.REWRITER, "a base that leads elsewhere, behind the beginning of the page")

    def _start_meta(self, element: Any) -> None:
        """Take out a ``refresh`` to a denied vendor, and a delegation of client hints to one."""
        name = (element.get_attribute("http-equiv") or "").strip().lower()
        content = element.get_attribute("content")
        if content is None or name not in ("refresh", "delegate-ch"):
            return
        text = url_text(content)
        if name == "refresh":
            found = _META_URL.match(text)
            urls = [found["url"].strip()] if found is not None else []
        else:
            urls = _DELEGATED.findall(text)
        for url in urls:
            verdict = self._judge.reference(url, self._base, "other") if url else None
            if verdict is not None:
                self._judge.removals.add("meta", verdict, url)
                _without(element, "content")  # without it, the element does nothing
                element.set_attribute(MARK, verdict.vendor.vendor)
                return

    def _start_amp(self, element: Any) -> None:
        """Take out an AMP component that loads a denied vendor by the name in its ``type``."""
        name = element.get_attribute("type")
        verdict = self._judge.amp(name.strip().lower()) if name is not None else None
        if verdict is None:
            return
        self._judge.removals.add("script", verdict, f"{element.tag_name} {name}")
        _without(element, "type")
        element.set_attribute(MARK, verdict.vendor.vendor)

    def take_text(self, chunk: Any) -> None:
        """Pass a piece of a script's, style's or noscript's text through its rewriter."""
        if self._text is not None and take_text(self._text, chunk):
            self._text = None

    def script_text(self) -> TextRewriter:
        """Return the rewriter of a script's text."""
        return self._read(self._script, "script")

    def style_text(self) -> TextRewriter:
        """Return the rewriter of a style sheet in the page."""
        return self._read(lambda: Known(self._judge, "style", self._base, CssRewriter), "style")

    def _read(self, make: Callable[[], TextRewriter], what: str) -> TextRewriter:
        foreign, self._is_foreign = self._is_foreign, False
        return referenced(make, MAX_HELD_CHARACTERS, what) if foreign else make()

    def _script(self) -> TextRewriter:
        if self._stood_in or not self._base_is_own:  # what an import leads to stands elsewhere in the page
            return InlineScript(self._judge, self._base, self._stood_in)
        return Known(self._judge, "script", self._base, InlineScript)

    def noscript_text(self) -> TextRewriter:
        """Return the rewriter of what browsers without scripts read as a page of its own."""
        return WholeText(self._noscript_page, MAX_NOSCRIPT_CHARACTERS, "noscript")


def take_text(rewriter: TextRewriter, chunk: Any) -> bool:
    """Pass a piece of a text through its rewriter; return True when it was the last."""
    text = chunk.text
    last: bool = chunk.last_in_text_node
    out = rewriter.feed(text) if text else ""
    if last:
        out += rewriter.close()
    if out != text:
        if out:
            chunk.replace(out, MARKUP)
        else:
            chunk.remove()  # costs next to nothing, beside replacing it by nothing
    return last


def _without(element: Any, attribute: str) -> None:
    """Take an attribute away, however often it stands there: of two, the second would come into force."""
    while element.has_attribute(attribute):
        element.remove_attribute(attribute)


def with_query(url: str, parameters: Mapping[str, str]) -> str:
    """Return ``url`` with the parameters set in its query, in the place of any of the same name."""
    head, hash_, fragment = url.partition("#")
    path, _, query = head.partition("?")
    kept = [pair for pair in query.split("&") if pair and pair.partition("=")[0] not in parameters]
    return f"{path}?{'&'.join([*kept, *(f'{name}={value}' for name, value in parameters.items())])}{hash_}{fragment}"


_STARTS: Mapping[str, Callable[[Page, Any], None]] = {
    "script": Page.start_script,
    "style": Page._start_style,
    "noscript": Page._start_noscript,
    "base": Page._start_base,
    "select": Page._start_delicate,
    "frameset": Page._start_delicate,
    "meta": Page._start_meta,
    "animate": Page._start_animation,
    "set": Page._start_animation,
    "amp-analytics": Page._start_amp,
    "amp-ad": Page._start_amp,
    "amp-embed": Page._start_amp,
}
_NO_PLAN: tuple[Callable[[Page, Any], None] | None, tuple[Reference, ...]] = (None, ())
PLANS = {tag: (_STARTS.get(tag), REFERENCES.get(tag, ())) for tag in {*_STARTS, *REFERENCES}}
"""What is done with an element, by its name: at its start, and with its attributes."""
PLANS_WITHOUT_TEXTS = PLANS | {"script": (None, REFERENCES["script"])}
"""The same, for a reader that knows by itself which texts to hand on."""
_ALIKE = frozenset({"script", "link", "iframe", "a"})
"""Elements that are the same on one page as on another where they lead elsewhere. Pictures seldom are."""
_LISTS: Mapping[str, Callable[[Page, Any, Reference, str], None]] = {
    "srcset": Page._candidates,
    "tokens": Page._tokens,
}
NEEDS_NO_ATTRIBUTE = frozenset(_STARTS)
"""Elements that matter also where they have no attribute."""

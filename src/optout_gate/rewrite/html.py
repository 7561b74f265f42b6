"""A page without its denied references: streamed through lol-html, untouched markup byte for byte.

What lol-html does and does not do decides the shape of this module:

- It works on UTF-8 and hands over text as ``str``. A page is fed to it as Latin-1 seen through UTF-8 (one character a
  byte), and back: every encoding in which ASCII bytes mean ASCII survives to the byte, also a broken or mixed one, and
  what is put in is ASCII. :mod:`optout_gate.rewrite.charset` does this, and brings other encodings (UTF-16) into it.
- Attribute values come raw; :mod:`optout_gate.rewrite.attributes` decodes them.
- The content of ``noscript`` is text to it, as to a browser that runs scripts; for browsers that do not, it is a page
  of its own and gets a rewriter of its own.
- A text may come in any number of pieces; scripts and styles are put together first.
- It gives up on some markup with a ``RuntimeError``; that is a :exc:`~optout_gate.errors.RewriteError` here, and the
  exchange decides what becomes of the page.

Elements are never removed and never added: a framework that hydrates the page counts them. A reference is replaced by
something harmless in place (:mod:`optout_gate.rewrite.neutral`).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import lolhtml

from optout_gate.errors import RewriteError
from optout_gate.policy.decision import Verdict
from optout_gate.rewrite.attributes import editable, url_text, written
from optout_gate.rewrite.css import CssRewriter, rewrite_css
from optout_gate.rewrite.inline import InlineScript, is_script
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.neutral import FRAME, MARK, PIXEL, stand_in
from optout_gate.rewrite.status import Status
from optout_gate.trackers.urls import base_of, resolve

MAX_NOSCRIPT_CHARACTERS = 256 * 1024  # of one element; real ones hold a pixel or a few
MAX_SILENT_BYTES = 4 * 1024 * 1024  # fed without a byte coming out: an attribute or text without end
MAX_DEPTH = 4  # of pages inside pages (noscript, srcdoc)


class _Text(Protocol):
    """Rewrites a text in pieces."""

    def feed(self, text: str) -> str: ...
    def close(self) -> str: ...


# Every attribute that makes a browser fetch or connect, by element: (attribute, request type, kind of removal).
# Request types are those of filter lists. What replaces a denied reference stands in _REPLACEMENT by kind.
REFERENCES: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "script": (("src", "script", "script"),),
    "img": (("src", "image", "image"), ("srcset", "image", "image")),
    "image": (("href", "image", "image"), ("xlink:href", "image", "image"), ("src", "image", "image"),
              ("srcset", "image", "image")),  # in HTML, <image> is <img>; in SVG, an element of its own
    "feimage": (("href", "image", "image"), ("xlink:href", "image", "image")),
    "use": (("href", "image", "image"), ("xlink:href", "image", "image")),
    "source": (("src", "media", "media"), ("srcset", "image", "image")),
    "video": (("src", "media", "media"), ("poster", "image", "image")),
    "audio": (("src", "media", "media"),),
    "track": (("src", "other", "media"),),
    "input": (("src", "image", "image"),),
    "iframe": (("src", "subdocument", "iframe"),),
    "frame": (("src", "subdocument", "iframe"),),
    "embed": (("src", "object", "object"),),
    "object": (("data", "object", "object"),),
    "link": (("href", "other", "link"), ("imagesrcset", "image", "link")),
    "body": (("background", "image", "image"),),
    "a": (("ping", "ping", "ping"),),
    "area": (("ping", "ping", "ping"),),
}  # fmt: skip

# The selectors name just the elements that can hold one, so that the rest of a page costs no call.
_SELECTORS = (
    "script", "noscript", "style", "base", "img", "image", "feimage", "use", "source", "video", "audio", "track[src]",
    "input[src]", "iframe", "frame", "embed", "object", "link", "body[background]", "a[ping]", "area[ping]",
)  # fmt: skip
_STYLED = '[style*="("],[style*="&"]'  # no other value holds an address
_TEXTS = "script,style,noscript"


def _selectors_for(text: str | None) -> tuple[str, str, str]:
    """Return the selectors of elements, styled elements and texts that a page can match; ``text`` is all of it, if known.

    lol-html takes a microsecond or two for each, which is most of the work on a ``noscript`` with its one pixel.
    """
    if text is None:
        return ",".join(_SELECTORS), _STYLED, _TEXTS
    text = text.lower()
    found = [selector for selector in _SELECTORS if "<" + selector.partition("[")[0] in text]
    texts = [name for name in _TEXTS.split(",") if name in found]
    return ",".join(found), _STYLED if "style" in text else "", ",".join(texts)


# A denied reference's place is taken by this; None takes the attribute away, which leaves the element inert.
_REPLACEMENT: Mapping[str, str | None] = {
    "image": PIXEL,
    "iframe": FRAME,
    "link": None,
    "media": None,
    "object": None,
    "ping": None,
}

# What references to another host than the base's have in them: a scheme, two slashes or what browsers take for them
# (they leave tabs and line ends out), or a character reference, which may stand for any of these.
_MAY_LEAVE = re.compile(r"//|[:\\&\t\n\r]")

_CANDIDATE = re.compile(r"[\s,]*(?P<url>\S*[^\s,])(?P<descriptor>\s*(?:\([^)]*\)|[^,()])*)(?:,|\Z)|[\s,]+")


class HtmlRewriter:
    """Rewrites one page, in pieces of any size. Takes and returns Latin-1 seen through UTF-8."""

    def __init__(
        self,
        judge: Judge,
        *,
        page_url: str,
        depth: int = 0,
        whole: str | None = None,
        status: Status | None = None,
    ) -> None:
        """Take who decides, where relative references start from, the page's text where it is all there, and the status."""
        # The handlers know nothing of this object: a cycle through lol-html's would never be collected.
        page = _Page(judge, page_url, depth)
        self._out: list[bytes] = []
        self._silent_bytes = 0
        self._rewriter = lolhtml.HTMLRewriter(self._out.append)  # type: ignore[arg-type]  # it is given bytes
        for selector, handlers in zip(_selectors_for(whole), (page, _Styled(page), _Texts(page)), strict=True):
            if selector:
                self._rewriter.on(selector, handlers)
        if status is not None:
            status.watch(self._rewriter)

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes, return those that are final.

        Raises:
            RewriteError: lol-html gave up, or held more than it may.
        """
        try:
            self._rewriter.write(chunk)
        except RuntimeError as error:
            raise RewriteError("engine", f"the HTML rewriter gave up: {error}") from None
        out = b"".join(self._out)
        self._out.clear()
        self._silent_bytes = 0 if out else self._silent_bytes + len(chunk)
        if self._silent_bytes > MAX_SILENT_BYTES:
            raise RewriteError("oversize", f"more than {MAX_SILENT_BYTES:,} bytes without an end of the construct")
        return out

    def close(self) -> bytes:
        """Return what was held back.

        Raises:
            RewriteError: lol-html gave up.
        """
        try:
            self._rewriter.end()
        except RuntimeError as error:
            raise RewriteError("engine", f"the HTML rewriter gave up: {error}") from None
        out = b"".join(self._out)
        self._out.clear()
        return out


class _Page:
    """What lol-html calls for elements and texts, and what is known of the page so far."""

    def __init__(self, judge: Judge, page_url: str, depth: int) -> None:
        self._judge = judge
        self._base = base_of(page_url)
        self._page_url = page_url
        self._depth = depth
        self._base_is_set = False
        self._base_is_own = judge.own(self._base.host)
        self._text: _Text | None = None  # the rewriter of the script or style we are in

    def element(self, element: Any) -> None:
        """Take out what an element's start tag refers to (called by lol-html)."""
        tag = element.tag_name
        starts = _STARTS.get(tag)
        if starts is not None:
            starts(self, element)
        for attribute, request, kind in REFERENCES.get(tag, ()):
            raw = element.get_attribute(attribute)
            if raw is None or (self._base_is_own and _MAY_LEAVE.search(raw) is None):
                continue
            if attribute in _LISTS:
                _LISTS[attribute](self, element, attribute, raw, request, kind)
            else:
                self._reference(element, tag, attribute, raw, request, kind)
        if tag == "iframe" and (srcdoc := element.get_attribute("srcdoc")) is not None:
            self._inner_page(element, srcdoc)

    def _reference(self, element: Any, tag: str, attribute: str, raw: str, request: str, kind: str) -> None:
        text = url_text(raw)
        if tag == "link" and _only_connects(element):
            verdict = self._judge.connection(text, self._base)
        else:
            request = _link_request(element) if tag == "link" else request
            verdict = self._judge.reference(text, self._base, request)
        if verdict is None:
            return
        self._judge.removals.add(kind, verdict, text)
        self._replace(element, attribute, kind, verdict)

    def _replace(self, element: Any, attribute: str, kind: str, verdict: Verdict) -> None:
        replacement = stand_in(verdict) if kind == "script" else _REPLACEMENT[kind]
        if replacement is None:
            element.remove_attribute(attribute)
        else:
            element.set_attribute(attribute, replacement)
        for stale in ("integrity", "attributionsrc", "browsingtopics"):
            if element.has_attribute(stale):  # speaks of what was there before
                element.remove_attribute(stale)
        element.set_attribute(MARK, verdict.vendor.vendor)

    def _set(self, element: Any, attribute: str, raw: str, request: str, kind: str) -> None:
        """Take the denied candidates out of a ``srcset`` (HTML §4.8.4.3.5), the rest stays in its order."""
        text = editable(raw)
        kept: list[str] = []
        denied: Verdict | None = None
        for match in _CANDIDATE.finditer(text):
            url = match["url"]
            if url is None:
                continue
            verdict = self._judge.reference(url, self._base, request)
            if verdict is None:
                kept.append(url + (match["descriptor"] or "").rstrip())
            else:
                denied = verdict
                self._judge.removals.add(kind, verdict, url)
        if denied is None:
            return
        if kept:
            element.set_attribute(attribute, written(", ".join(kept)))
        else:
            element.remove_attribute(attribute)
        element.set_attribute(MARK, denied.vendor.vendor)

    def _pings(self, element: Any, attribute: str, raw: str, request: str, kind: str) -> None:
        urls = editable(raw).split()
        kept: list[str] = []
        for url in urls:
            verdict = self._judge.reference(url, self._base, request)
            if verdict is None:
                kept.append(url)
            else:
                self._judge.removals.add(kind, verdict, url)
        if len(kept) == len(urls):
            return
        if kept:
            element.set_attribute(attribute, written(" ".join(kept)))
        else:
            element.remove_attribute(attribute)

    def style_attribute(self, element: Any) -> None:
        text = editable(element.get_attribute("style"))
        rewritten = rewrite_css(text, self._judge, self._base)
        if rewritten != text:
            element.set_attribute("style", written(rewritten))

    def _inner_page(self, element: Any, raw: str) -> None:
        """Rewrite the page in a ``srcdoc``, which resolves its references from the page around it."""
        text = editable(raw)
        rewritten = self._inner(text)
        if rewritten != text:
            element.set_attribute("srcdoc", written(rewritten))

    def _inner(self, text: str) -> str:
        if self._depth + 1 >= MAX_DEPTH:
            raise RewriteError("oversize", f"pages nested more than {MAX_DEPTH} deep")
        url = self._base.url or self._page_url
        inner = HtmlRewriter(self._judge, page_url=url, depth=self._depth + 1, whole=text)
        data = text.encode("utf-8", "surrogatepass")
        return (inner.feed(data) + inner.close()).decode("utf-8", "surrogatepass")

    def _start_script(self, element: Any) -> None:
        runs = element.get_attribute("src") is None and is_script(element.get_attribute("type"))
        self._text = InlineScript(self._judge, self._base) if runs else None

    def _start_style(self, element: Any) -> None:
        self._text = CssRewriter(self._judge, self._base)

    def _start_noscript(self, element: Any) -> None:
        self._text = _Noscript(self._noscript)

    def _noscript(self, text: str) -> str:
        if self._depth:
            return self._inner(text)
        return self._judge.remembered("noscript", text, self._base, self._inner)

    def _start_base(self, element: Any) -> None:
        """Let the first ``base`` with a ``href`` move what relative references start from (HTML §4.2.3)."""
        href = element.get_attribute("href")
        if href is None or self._base_is_set:
            return
        self._base_is_set = True
        target = resolve(url_text(href), self._base)
        if target is not None:
            self._base = base_of(target.url)
            self._base_is_own = self._judge.own(self._base.host)

    def take_text(self, chunk: Any) -> None:
        """Pass a piece of a script's, style's or noscript's text through its rewriter (called by lol-html)."""
        rewriter = self._text
        if rewriter is None:
            return
        text = chunk.text
        out = rewriter.feed(text) if text else ""
        if chunk.last_in_text_node:
            out += rewriter.close()
        if out != text:
            chunk.replace(out, lolhtml.ContentType.HTML)


class _Styled:
    """Hands lol-html's elements with a ``style`` attribute on."""

    def __init__(self, page: _Page) -> None:
        self.element = page.style_attribute


class _Texts:
    """Hands lol-html's text pieces on; its handlers are told apart by the methods they have."""

    def __init__(self, page: _Page) -> None:
        self.text = page.take_text


class _Noscript:
    """The content of a ``noscript`` element, held whole."""

    def __init__(self, rewrite: Callable[[str], str]) -> None:
        self._rewrite = rewrite
        self._held: list[str] = []
        self._size = 0

    def feed(self, text: str) -> str:
        self._held.append(text)
        self._size += len(text)
        if self._size > MAX_NOSCRIPT_CHARACTERS:
            raise RewriteError("oversize", f"a noscript element is longer than {MAX_NOSCRIPT_CHARACTERS:,} characters")
        return ""

    def close(self) -> str:
        text = "".join(self._held)
        self._held, self._size = [], 0
        return self._rewrite(text) if text else ""


_STARTS: Mapping[str, Callable[[_Page, Any], None]] = {
    "script": _Page._start_script,
    "style": _Page._start_style,
    "noscript": _Page._start_noscript,
    "base": _Page._start_base,
}


def _only_connects(element: Any) -> bool:
    """Return True for a ``link`` that names a host and no more: ``preconnect`` or ``dns-prefetch``."""
    rels = (element.get_attribute("rel") or "").lower().split()
    return "preconnect" in rels or "dns-prefetch" in rels


# Attributes that hold several references.
_LISTS: Mapping[str, Callable[[_Page, Any, str, str, str, str], None]] = {
    "srcset": _Page._set,
    "imagesrcset": _Page._set,
    "ping": _Page._pings,
}

_LINK_REQUESTS = {"stylesheet": "stylesheet", "modulepreload": "script", "icon": "image"}
_PRELOADS = {"script": "script", "style": "stylesheet", "image": "image", "font": "font", "fetch": "xmlhttprequest",
             "document": "subdocument", "audio": "media", "video": "media"}  # fmt: skip


def _link_request(element: Any) -> str:
    """Return the request type of a ``link`` by its ``rel`` and ``as``."""
    rels = (element.get_attribute("rel") or "").lower().split()
    if "preload" in rels:
        return _PRELOADS.get((element.get_attribute("as") or "").lower(), "other")
    return next((_LINK_REQUESTS[rel] for rel in rels if rel in _LINK_REQUESTS), "other")

"""The guard's place in a page: the first thing in the head, before any script that the page brings.

What is a document? What the browser says it is going to show (``Sec-Fetch-Dest``), and besides, whatever begins as one
does, with a doctype or ``<html>``: browsers without the header, a service worker that keeps the site's pages, a
framework that fetches whole pages and swaps them in. A fragment is neither, and never gets a script.

The place is found by reading the beginning of the page as the HTML standard's tree builder does (§13.2.6.4.1 to .4):
byte order mark, white space, comments, doctype, the ``html`` and ``head`` tags, of which any may be missing. Whatever
comes next stands behind the guard. The page itself is not parsed again; bytes are put between bytes.

Browsers look for ``<meta charset>`` in the first 1,024 bytes only (§13.2.3.2). Where ``Content-Type`` names no encoding
and the guard would push the page's declaration beyond them, the declaration is repeated in front of the guard.
"""

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import NamedTuple

from optout_gate.http import Headers, Request
from optout_gate.rewrite import csp, inject_xml
from optout_gate.rewrite.charset import BOMS
from optout_gate.rewrite.csp import Admission
from optout_gate.rewrite.guard_rules import GUARD_PATH, Guard
from optout_gate.rewrite.pipeline import Rewriter

DOCUMENTS = frozenset({b"document", b"iframe", b"frame", b"embed", b"object", b"fencedframe"})
"""Values of ``Sec-Fetch-Dest`` for what a browser shows as a page."""

PRESCAN_BYTES = 1024
_CALL_BEHIND = re.compile(rb"import\s*+\(")
_MANY_WORDS = 100  # of a page looked at; one with more of them has modules
_BEFORE_BYTES = 256  # of an attribute, before its value
_ADDRESS = f' src="{GUARD_PATH}?'.encode()
_ADDRESS_IN_FRAME = re.compile(rf' src="[^"]*{re.escape(GUARD_PATH)}\?')
MAX_HELD_BYTES = 64 * 1024  # of white space and comments before a page's first tag; then the guard goes in at once

# Attributes as the tokeniser reads them (§13.2.5.32 to .40); possessive, so that a hostile page costs no time. A quote
# that is still open matches nothing: the tag is not over.
_ATTRIBUTES = r"(?:[\s/]++|(?!=[\"'])=?+[^\s/>=]++(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s>\"'][^\s>]*+|(?=>)))?+)*+"
_COMMENT = r"<!--(?:>|->|.*?--!?>)"
_BOGUS = r"<[!?](?!--|doctype)[^>]*>|</[^a-z>][^>]*>"
_FLAGS = re.DOTALL | re.IGNORECASE | re.ASCII
_BEFORE = re.compile(rf"(?:\s|{_COMMENT}|{_BOGUS})*+", _FLAGS)
_DOCTYPE = re.compile(r"<!doctype[^>]*>", _FLAGS)
_HTML = re.compile(rf"<html(?=[\s/>]){_ATTRIBUTES}>", _FLAGS)
_HEAD = re.compile(rf"<head(?=[\s/>]){_ATTRIBUTES}>", _FLAGS)
_UNFINISHED = re.compile(r"<(?:!--.*|[!?/][^>]*|[a-z]*|(?:html|head)[\s/].*)\Z", _FLAGS)
_MARKS = ("\xef\xbb\xbf", "\xc3\xaf\xc2\xbb\xc2\xbf")  # a byte order mark, as it is and as three characters
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", *(mark for mark, _ in BOMS))
_META = re.compile(rf"{_COMMENT}|<meta(?=[\s/])(?P<meta>{_ATTRIBUTES})>|</?[a-z]{_ATTRIBUTES}>|<[!/?][^>]*>", _FLAGS)
_ATTRIBUTE = re.compile(r"([^\s/>=][^\s/>=]*)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]*)))?")
_IN_CONTENT = re.compile(r"charset\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s;\"']+))", re.IGNORECASE)
_LABEL = re.compile(r"[A-Za-z0-9_.:()-]{2,40}\Z")


class Modules(NamedTuple):
    """What is known of a page's modules.

    Attributes:
        used: its markup has some, so it waits for the import map that fails those of denied hosts.
        mapped: it has an import map of its own, and a browser that merges no second one is given none of the gate's.
    """

    used: bool = False
    mapped: bool = False


def modules_in(page: bytes | None) -> Modules:
    """Return what is known of a page's modules; nothing of a page that is not there whole."""
    if page is None:
        return Modules()
    page = page.lower()
    used = _any_at(page, b"module", lambda at: _is_of_type(page[max(0, at - _BEFORE_BYTES) : at]))
    used = used or _any_at(page, b"import", lambda at: _CALL_BEHIND.match(page, at) is not None)
    return Modules(used, b"importmap" in page)


def _is_of_type(before: bytes) -> bool:
    """Return True when what stands before a value says that it is a ``type``."""
    before = before.rstrip(b"\"'").rstrip()
    return before.endswith(b"=") and before[:-1].rstrip().endswith(b"type")


def _any_at(page: bytes, word: bytes, matters: Callable[[int], bool]) -> bool:
    """Return True when a word matters somewhere, or stands in a page so often that it is not asked for each."""
    at = page.find(word)
    for _ in range(_MANY_WORDS):
        if at < 0 or matters(at):
            return at >= 0
        at = page.find(word, at + len(word))
    return at >= 0


class Addresses(NamedTuple):
    """Where a guard's two scripts are."""

    url: str
    modules_url: str


def element(
    guard: Guard | Addresses,
    admission: Admission,
    label: str | None = None,
    *,
    marks: bool = False,
    xml: bool = False,
    modules: Modules = Modules(),  # noqa: B008 - a frozen value
) -> bytes:
    """Return the guard's ``script`` element, behind a repeated declaration of the encoding ``label``.

    ``marks`` tells it to mark the addresses of workers, for a browser that does not say what it asks for. In ``xml`` it
    brings its namespace, and every attribute has a value.

    It takes itself out of the page when it runs, so a framework that hydrates the whole document counts no element more.
    """
    no_value = '=""' if xml else ""
    namespace = f' xmlns="{inject_xml.XHTML}"' if xml else ""
    nonce = f' nonce="{escape(admission.nonce)}"' if admission.nonce is not None else ""
    told = '="own"' if modules.mapped else '="here"' if modules.used else no_value
    says = f" data-modules{told}" if admission.inline else ""  # an import map may be added
    says += f" data-marks{no_value}" if marks else ""
    made = [f'<script{namespace} src="{escape(guard.url)}"{says}{nonce}></script>']
    if label is not None:
        made.insert(0, f'<meta charset="{label}">')
    if admission.inline:
        waits = modules.used or modules.mapped
        asynchronous = "" if waits else f" async{no_value}"
        hosts = f'<script{namespace}{asynchronous} src="{escape(guard.modules_url)}"{nonce}></script>'
        # The browser asks for what stands in front while it waits for the guard, at no cost of the page's first script.
        made.insert(len(made) if waits else -1, hosts)
    return "".join(made).encode("ascii")


@dataclass(frozen=True, slots=True)
class Frames:
    """The guard for pages that stand in a page: a frame's ``srcdoc``, or its ``data:`` address.

    The guard of the page around them cannot be first there: it hears of such a frame when the frame has loaded, and of one
    in a sandbox not at all.

    Attributes:
        addresses: where the guard is.
        admission: how it gets past the policies, which such a page inherits.
        marks: it marks the addresses of workers.
    """

    addresses: Addresses
    admission: Admission
    marks: bool

    def __call__(self, text: str, origin: str) -> str:
        """Return a page's text with the guard in it, whose addresses begin with ``origin``."""
        at, _, _ = _place(text, xml=False)
        addresses = Addresses(*(origin + address for address in self.addresses))
        if at is None or _ADDRESS_IN_FRAME.search(text, at, at + 1024):
            return text  # a gate before this one has done it
        label = declared_encoding(text[:PRESCAN_BYTES])
        made = element(addresses, self.admission, label if origin else None, marks=self.marks).decode("ascii")
        return text[:at] + made + text[at:]


class Injected:
    """A page's rewriter with the guard put into what comes out of it.

    Attributes:
        frames: the same for the pages that stand in it, or None where its policies let no guard in.
    """

    def __init__(
        self,
        page: Rewriter,
        request: Request,
        headers: Headers,
        guard: Guard,
        declared: bool,
        missed: Callable[[str], object],
        *,
        xml: bool = False,
        modules: Modules = Modules(),  # noqa: B008 - a frozen value
    ) -> None:
        """Take a page and what goes into it.

        Args:
            page: the page's rewriter, between the bytes of :mod:`optout_gate.rewrite.charset`.
            request: what the visitor's browser asked with.
            headers: the response's; its policies say how the guard gets in.
            guard: what goes in.
            declared: the encoding is known from outside of the markup.
            missed: called when this is a document without the guard, with the reason: ``csp`` when its policies do not let
                it in, ``xhtml`` when there is no place for it.
            xml: the page is read by the rules of XML.
            modules: what is known of the page's modules.
        """
        self._modules = modules
        self._xml = xml
        self._page = page
        self._admission = csp.admission(headers, page_url=request.url, path=GUARD_PATH)
        self._guard = guard
        self._declared = declared
        self._missed = missed
        destination = request.headers.first(b"sec-fetch-dest")
        self._shown_as_page = destination in DOCUMENTS
        self._marks = destination is None
        self.frames = (
            Frames(Addresses(guard.url, guard.modules_url), self._admission, self._marks) if self._admission else None
        )
        self._beginning = ""  # of the page as it came, as far as browsers look for its encoding
        self._held: bytes | None = b""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes, return those that are final."""
        return self._pass_on(self._page.feed(self._seen(chunk)), last=False)

    def close(self) -> bytes:
        """Return what was held back."""
        return self._pass_on(self._page.close(), last=True)

    def _seen(self, chunk: bytes) -> bytes:
        if not self._declared and len(self._beginning) < PRESCAN_BYTES:
            self._beginning += chunk[: 2 * PRESCAN_BYTES].decode("utf-8", "ignore")
        return chunk

    def _pass_on(self, out: bytes, *, last: bool) -> bytes:
        if self._held is None:
            return out
        self._held += out
        text = self._held.decode("latin-1")  # one character a byte; everything looked for is ASCII
        at, is_document, is_open = _place(text, xml=self._xml)
        is_document = is_document or self._shown_as_page
        waits = is_open or (is_document and not self._declared and len(text) < PRESCAN_BYTES)
        if waits and not last and len(text) < MAX_HELD_BYTES:
            return b""
        held, self._held = self._held, None
        if not held or not is_document:
            return held
        if at is None or self._admission is None:
            self._missed("xhtml" if at is None else "csp")
            return held
        if _ADDRESS in held[at : at + 512]:
            return held  # a gate before this one has done it
        return held[:at] + self._element(text) + held[at:]

    def _element(self, text: str) -> bytes:
        assert self._admission is not None
        made = self._made()
        label = None if self._declared else declared_encoding(self._beginning[:PRESCAN_BYTES])
        if label is None or declared_encoding(text[: PRESCAN_BYTES - len(made)]) == label:
            return made
        return self._made(label)

    def _made(self, label: str | None = None) -> bytes:
        assert self._admission is not None
        return element(self._guard, self._admission, label, marks=self._marks, xml=self._xml, modules=self._modules)


def _place(text: str, *, xml: bool) -> tuple[int | None, bool, bool]:
    """Return where the guard goes, whether the page begins as a document does, and whether more of it may change that."""
    if any(mark.startswith(text) for mark in _MARKS):
        return len(text), False, True
    at = next((len(mark) for mark in _MARKS if text.startswith(mark)), 0)
    if xml:
        return inject_xml.place(text, at)
    is_document = False
    for tag in (_DOCTYPE, _HTML, _HEAD):
        behind = _BEFORE.match(text, at)
        here = behind.end() if behind is not None else at
        found = tag.match(text, here)
        if found is not None:
            at = found.end()
            is_document = is_document or tag is not _HEAD
        elif here == len(text) or not any(each.match(text, here) for each in (_HTML, _HEAD)):
            return here, is_document, here == len(text) or _UNFINISHED.match(text, here) is not None
    return at, is_document, False


def declared_encoding(text: str) -> str | None:
    """Return the encoding that a page's first bytes declare in a ``meta`` element, or None (HTML §13.2.3.2)."""
    for tag in _META.finditer(text):
        if tag["meta"] is None:
            continue
        attributes: dict[str, str] = {}
        for name, *values in _ATTRIBUTE.findall(tag["meta"]):
            attributes.setdefault(name.lower(), "".join(values))
        label = attributes.get("charset")
        if label is None and attributes.get("http-equiv", "").strip().lower() == "content-type":
            found = _IN_CONTENT.search(attributes.get("content", ""))
            label = "".join(filter(None, found.groups())) if found is not None else None
        if label is not None and _LABEL.match(label.strip()):
            return label.strip()
    return None


def may_be_guarded(headers: Headers) -> bool:
    """Return True unless no script of the page can run, or it is a file that the visitor saves."""
    saved = (headers.first(b"content-disposition") or b"").lower().startswith(b"attachment")
    return not saved and not csp.runs_no_script(headers)


def encoding_is_known(label: str | None, first: bytes) -> bool:
    """Return True where a body's encoding needs no markup: its ``Content-Type`` or first bytes say it."""
    return first.startswith(_BYTE_ORDER_MARKS) or _names_an_encoding(label)


@lru_cache(maxsize=64)
def _names_an_encoding(label: str | None) -> bool:
    try:
        return label is not None and bool(codecs.lookup(label))
    except (LookupError, ValueError):
        return False  # a label that nobody knows is ignored

"""What a browser makes of a response: a page, a style sheet, a worker's script, or something that cannot matter.

The type decides, and the browser's own request where that says less: XML is a page only where it is shown, a page in quirks
mode takes any type for a style sheet, a type that is missing is found out from the body.
"""

from typing import NamedTuple

from optout_gate.http import Headers, Request, media_type
from optout_gate.rewrite.instructions import RULES
from optout_gate.rewrite.request_head import is_for_a_sheet, is_for_worker, is_shown, may_be_rewritten
from optout_gate.rewrite.workers import JAVASCRIPT

HTML = "text/html"
CSS = "text/css"
XHTML = "application/xhtml+xml"
_XSL = "text/xsl"
"""A style sheet of XSLT's, which Chromium shows as HTML where somebody opens it."""
PUSHED = "multipart/x-mixed-replace"
"""One page after another, each in place of the one before; Firefox shows them."""
_SNIFFED = frozenset({"", "unknown/unknown", "application/unknown"})
"""Types that browsers look into the body for (MIME Sniffing §7), and may find HTML."""
_BESIDE = frozenset({CSS, RULES})
"""What a page names, and the browser acts upon, without a script."""


class ResponseKind(NamedTuple):
    """What a response is to the browser that asked for it.

    Attributes:
        essence: its type, or the one that it is taken for.
        charset: as its type says it.
        is_xml: browsers read it by the rules of XML.
        is_page: it becomes a page, or a frame in one.
        is_sniffed: it may become one: its type says nothing.
        is_beside: it is a style sheet, or a file of speculation rules.
        is_script: it is JavaScript.
        is_worker: it is JavaScript that starts a worker.
    """

    essence: str
    charset: str | None
    is_xml: bool
    is_page: bool
    is_sniffed: bool
    is_beside: bool
    is_script: bool
    is_worker: bool


def kind_of(visitor: Request, headers: Headers) -> ResponseKind:
    """Return what a response with these fields is to who sent the request."""
    media = media_type(headers)
    essence = media.essence
    if essence != CSS and is_for_a_sheet(visitor) and not _is_as_it_says(headers):
        essence = CSS  # a page in quirks mode takes any type for one (HTML §4.6.7.26)
    is_script = essence in JAVASCRIPT
    is_xml = _is_xml(essence)
    return ResponseKind(
        essence,
        media.charset,
        is_xml=is_xml,
        is_page=essence in (HTML, XHTML) or ((is_xml or essence in (PUSHED, _XSL)) and is_shown(visitor)),
        # Also a 304, which has no type of its own.
        is_sniffed=essence in _SNIFFED and not _is_as_it_says(headers) and may_be_rewritten(visitor),
        is_beside=essence in _BESIDE,
        is_script=is_script,
        is_worker=is_script and is_for_worker(visitor),
    )


def _is_as_it_says(headers: Headers) -> bool:
    return [member.lower() for member in headers.members(b"x-content-type-options")[:1]] == [b"nosniff"]  # Fetch §2.2.7


def _is_xml(essence: str) -> bool:
    """Return True for a type that browsers read by the rules of XML (MIME Sniffing §4.6).

    But for XHTML these are pages only where they are shown: as a picture an SVG fetches nothing, and as data XML is the site's own.
    """
    return essence.endswith("+xml") or essence in ("application/xml", "text/xml")

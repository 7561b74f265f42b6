"""What stands where a visible embed of a denied vendor would have been: who it was, and a link to the content.

In a frame, it is a ``srcdoc`` document: the frame keeps its size, so nothing on the page moves, and no
Content-Security-Policy of the page forbids it, for it holds neither script nor style. In a box that a vendor's script
would have filled, it is one paragraph inside that box.
"""

import re
from html import escape
from urllib.parse import unquote

from optout_gate.trackers.vendor import Vendor

_EMBED_PATHS = (
    (re.compile(r"\A(https?:)?//(?:www\.)?facebook\.com/plugins/[^?]*\?(?:.*&)?href=(?P<page>[^&]+)"), None),
    (re.compile(r"\A(?P<page>(?:https?:)?//(?:www\.)?instagram\.com/(?:p|reel|tv)/[\w-]+)/embed"), None),
    (re.compile(r"\A(?P<page>(?:https?:)?//(?:www\.)?tiktok\.com)/embed(?:/v\d+)?/(?P<id>\d+)"), "/@/video/"),
)


def title(vendor: Vendor) -> str:
    """Return the frame's accessible name."""
    return f"Content from {vendor.name}, not loaded"


def frame(vendor: Vendor, address: str) -> str:
    """Return the document to show in a frame in place of a denied vendor's at ``address``."""
    return (
        f'<!doctype html><html lang="en"><title>{escape(title(vendor))}</title>'
        f'<meta name="color-scheme" content="light dark"><body>{_paragraph(vendor, address)}</body></html>'
    )


def box(vendor: Vendor, address: str) -> str:
    """Return what to show in a box that a denied vendor's script would have filled."""
    return _paragraph(vendor, address)


def _paragraph(vendor: Vendor, address: str) -> str:
    words = f"Content from {escape(vendor.name)} is not loaded, because you opted out of it on this site."
    page = content_page(address)
    if not page:
        return f"<p>{words}</p>"
    link = f'<a href="{escape(page)}" target="_blank" rel="noopener noreferrer nofollow">'
    return f"<p>{words} {link}See it on the site of {escape(vendor.name)}</a></p>"


def content_page(address: str) -> str:
    """Return the page for people of an embed's address, or nothing for an address that is no web page's."""
    for pattern, between in _EMBED_PATHS:
        found = pattern.match(address)
        if found is not None:
            page = unquote(found["page"]) if "%" in found["page"] else found["page"]
            address = page + (between + found["id"] if between else "")
            break
    if address.startswith("//"):
        address = f"https:{address}"
    return address if address.lower().startswith(("https://", "http://")) else ""

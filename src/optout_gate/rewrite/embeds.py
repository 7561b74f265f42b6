"""What stands where a visible embed of a denied vendor would have been: who it was, and a link to the content.

In a frame, it is a ``srcdoc`` document: the frame keeps its size, so nothing on the page moves, and no
Content-Security-Policy of the page forbids it, for it holds neither script nor style. In a box that a vendor's script
would have filled, it is one paragraph inside that box, before what the site wrote there for those without scripts (a post's
own words, often), or some words where no paragraph can stand.
"""

import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import NamedTuple
from urllib.parse import unquote

from optout_gate.trackers.unknown import HasAttributes
from optout_gate.trackers.vendor import BOX, Box, Vendor

NAME = re.compile(r"[A-Za-z0-9_.:-]{1,200}\Z")
"""What names a content where an attribute holds no address: a number, a short code."""

_WIDTH = re.compile(r"\s*(\d{1,4}|\d{1,3}%)(?:px)?\s*\Z")
_HEIGHT = re.compile(r"\s*(\d{1,4})(?:px)?\s*\Z")

_SITE = r"\A(?:https?:)?//(?:www\.)?"
_CONTENT_PAGES = tuple(
    (re.compile(_SITE + pattern), page)
    for pattern, page in (
        (r"facebook\.com/plugins/[^?]*\?(?:.*&)?href=(?P<id>[^&]+)", "{id}"),
        (r"(?P<id>instagram\.com/(?:p|reel|tv)/[\w-]+)/embed", "https://www.{id}"),
        (r"(?P<id>threads\.(?:net|com)/[^?#]+?)/embed", "https://www.{id}"),
        (r"tiktok\.com/(?:embed|player)(?:/v\d+)?/(?P<id>\d+)", "https://www.tiktok.com/@/video/{id}"),
        (r"platform\.(?:twitter|x)\.com/embed/Tweet\.html\?(?:.*&)?id=(?P<id>\d+)", "https://x.com/i/status/{id}"),
        (r"linkedin\.com/embed/(?P<id>feed/update/[\w:-]+)", "https://www.linkedin.com/{id}"),
        (r"assets\.pinterest\.com/ext/embed\.html\?(?:.*&)?id=(?P<id>\d+)", "https://www.pinterest.com/pin/{id}/"),
        (r"embed\.reddit\.com/(?P<id>[^?#]+)", "https://www.reddit.com/{id}"),
        (r"youtube(?:-nocookie)?\.com/embed/(?P<id>[\w-]{11})", "https://www.youtube.com/watch?v={id}"),
        (r"player\.vimeo\.com/video/(?P<id>\d+)", "https://vimeo.com/{id}"),
        (r"dailymotion\.com/embed/video/(?P<id>\w+)", "https://www.dailymotion.com/video/{id}"),
    )
)
"""Addresses of embeds, and the pages of the same content for people."""


def title(vendor: Vendor) -> str:
    """Return the frame's accessible name."""
    return f"{vendor.name}: not loaded"


def frame(vendor: Vendor, address: str) -> str:
    """Return the document to show in a frame in place of a denied vendor's at ``address``."""
    return (
        f'<!doctype html><html lang="en"><title>{escape(title(vendor))}</title>'
        f'<meta name="color-scheme" content="light dark"><body>{_paragraph(vendor, address)}</body></html>'
    )


class Size(NamedTuple):
    """How large a box becomes, as in a frame's ``width`` and ``height``."""

    width: str
    height: str


def size(box: Box, element: HasAttributes) -> Size | None:
    """Return how large an element becomes that a vendor's script fills, or None where nobody can say it beforehand."""
    width = _WIDTH.match(element.get_attribute(box.width) or "") if box.width else None
    height = _HEIGHT.match(element.get_attribute(box.height) or "") if box.height else None
    usual = box.size
    if (width is None or height is None) and usual is None:
        return None
    return Size(
        width[1] if width is not None else str(usual[0] or "100%") if usual is not None else "100%",
        height[1] if height is not None else str(usual[1]) if usual is not None else "",
    )


def box(vendor: Vendor, tag: str, address: str, size: Size | None = None) -> str:
    """Return what to show in an element that a denied vendor's script would have filled; nothing where no words can be.

    Where the size is known, it is a frame or a drawing of that size: their attributes need no style, which the page's policy
    may forbid. In a link there is no place for another, nor for a frame, and it leads to the content by itself.
    """
    if tag in _LINKS and size is not None:
        words = escape(title(vendor))
        place = f'width="{size.width}" height="{size.height}" role="img" aria-label="{words}"'
        markup = f'<svg {place}><text x="8" y="24" fill="currentColor">{words}</text></svg> '
    elif tag in _LINKS:
        markup = f"<span>{escape(title(vendor))}</span> "
    elif tag.startswith("amp-"):  # which has a size, and shows nothing but this until it is loaded
        markup = f"<div placeholder>{_paragraph(vendor, address)}</div>"
    elif size is not None and (tag in _PHRASES or tag in _BOXES):
        place = f'width="{size.width}" height="{size.height}" frameborder="0"'
        markup = f'<iframe title="{escape(title(vendor))}" {place} srcdoc="{escape(frame(vendor, address))}"></iframe>'
    elif tag in _PHRASES:
        markup = f"<span>{_words(vendor, address)}</span>"
    else:
        markup = _paragraph(vendor, address) if tag in _BOXES or "-" in tag else ""
    return markup.encode("ascii", "xmlcharrefreplace").decode()  # the page may be in any encoding that holds ASCII


_LINKS = frozenset({"a", "button"})
_PHRASES = frozenset({"p", "span", "h1", "h2", "h3", "h4", "h5", "h6", "label", "cite", "em", "strong"})
_BOXES = frozenset(
    {
        "div",
        "blockquote",
        "section",
        "article",
        "aside",
        "main",
        "figure",
        "center",
        "li",
        "td",
        "dd",
        "header",
        "footer",
    }
)
"""Elements in which a paragraph may stand; those with a name of their own (``wistia-player``) are others."""


def boxes_selectors(boxes: Iterable[str]) -> Mapping[str, str]:
    """Return selectors for boxes by the name of their elements; ``""`` is any.

    Each box is written as in the catalogue (:data:`~optout_gate.trackers.vendor.Container`). A selector costs something at each element of its name, so classes that begin alike share one, which may find too much.
    """
    classes: dict[tuple[str, str], list[str]] = {}
    found: dict[str, list[str]] = {}
    for box in boxes:
        parts = BOX.match(box)
        if parts is None:
            continue
        if parts["element"]:
            found.setdefault(parts["element"], []).append(parts["element"])
            continue
        tag, name = parts["tag"] or "", parts["name"]
        if name.startswith("["):
            found.setdefault(tag, []).append(tag + name)
        elif parts["id"]:
            selector = f'{tag}[id^="{name[:-1]}"]' if name.endswith("*") else f"{tag}#{name}"
            found.setdefault(tag, []).append(selector)
        else:
            first = _FIRST_WORD.match(name)
            classes.setdefault((tag, first[0] if first is not None else name), []).append(name)
    for (tag, start), alike in classes.items():
        alone = len(alike) == 1 and not alike[0].endswith("*")
        found.setdefault(tag, []).append(f"{tag}.{alike[0]}" if alone else f'{tag}[class*="{start}"]')
    return {tag: ",".join(selectors) for tag, selectors in found.items()}


_FIRST_WORD = re.compile(r"[A-Za-z0-9]+[-_]?")


def _words(vendor: Vendor, address: str) -> str:
    words = f"{escape(vendor.name)}: not loaded, because you opted out of it on this site."
    page = content_page(address)
    if not page:
        return words
    link = f'<a href="{escape(page)}" target="_blank" rel="noopener noreferrer nofollow">'
    return f"{words} {link}See it on {escape(_host(page))}</a>"


def _host(page: str) -> str:
    found = re.match(r"https?://(?:[^/?#@]*@)?([^/?#:]+)", page, re.IGNORECASE)
    return found[1] if found is not None else page


def _paragraph(vendor: Vendor, address: str) -> str:
    return f"<p>{_words(vendor, address)}</p>"


def content_page(address: str) -> str:
    """Return the page for people of an embed's address, or nothing for an address that is no web page's."""
    for pattern, page in _CONTENT_PAGES:
        found = pattern.match(address)
        if found is not None:
            address = page.format(id=unquote(found["id"]))
            break
    if address.startswith("//"):
        address = f"https:{address}"
    return address if address.lower().startswith(("https://", "http://")) else ""

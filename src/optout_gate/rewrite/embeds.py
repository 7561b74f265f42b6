"""What stands where a visible embed of a denied vendor would have been: who it was, and a link to the content.

In a frame, it is a ``srcdoc`` document: the frame keeps its size, so nothing on the page moves, and no
Content-Security-Policy of the page forbids it, for it holds neither script nor style. In a box that a vendor's script
would have filled, it is one paragraph inside that box, before what the site wrote there for those without scripts (a post's
own words, often), or some words where no paragraph can stand.
"""

import re
from collections.abc import Iterable, Mapping
from html import escape
from urllib.parse import unquote

from optout_gate.trackers.vendor import BOX, Vendor

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


def box(vendor: Vendor, tag: str, address: str) -> str:
    """Return what to show in an element that a denied vendor's script would have filled; nothing where no words can be.

    In a link there is no place for another, and it leads to the content by itself.
    """
    if tag in _LINKS:
        markup = f"<span>{escape(title(vendor))}</span> "
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

"""Third parties that no list knows, as vendors: what has the shape of a beacon, and everything else.

They stand in no file of the catalogue, for nothing is known of them but what a page does with them; policies and
reports name them like any vendor.
"""

import re
from typing import Protocol

from optout_gate.trackers.catalog import Rule
from optout_gate.trackers.purposes import Purpose
from optout_gate.trackers.urls import Target
from optout_gate.trackers.vendor import Vendor

BEACON = Vendor(
    vendor="unknown-beacon",
    name="Invisible image of an unknown third party",
    company="unknown",
    purposes=(Purpose.ADVERTISING, Purpose.ANALYTICS),
    source="the image's shape",
)
HOST = Vendor(
    vendor="unknown-host",
    name="Third party that no list knows",
    company="unknown",
    purposes=(Purpose.ADVERTISING,),
    source="no rule matched",
)
VENDORS = {each.vendor: each for each in (BEACON, HOST)}

LONG_QUERY = 24  # characters; a GIF of a page's own design has none, or a version
_TINY = frozenset({"0", "1", "0px", "1px"})
_HIDDEN_STYLE = re.compile(
    r"(?:\A|[;\s])(?:display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(?:\.0*)?(?![.\d]))", re.IGNORECASE
)
_STYLE_SIZE = re.compile(r"(?:\A|[;\s])(width|height)\s*:\s*([01])(?:px)?\s*(?:!important\s*)?(?:;|\Z)", re.IGNORECASE)
_PICTURE = re.compile(r"\.(?:avif|bmp|gif|ico|jpe?g|jxl|png|svg|webp)\Z", re.IGNORECASE)


class HasAttributes(Protocol):
    """An element's start tag."""

    def get_attribute(self, name: str) -> str | None:
        """Return the value, or None."""
        ...


def rule_of_shape(shape: str) -> Rule:
    """Return the rule that recognises a beacon by ``shape``."""
    return Rule(BEACON, "shape", shape, "shape", 0)


def beacon_shape(element: HasAttributes, target: Target, *, in_noscript: bool) -> str | None:
    """Return in words why an ``img`` with address ``target`` is a beacon and no picture, or None.

    In ``noscript`` stand pixels, and the pictures of pages that load them late: a picture says its size or is a file.
    """
    width, height = (_size(element.get_attribute(name)) for name in ("width", "height"))
    style = element.get_attribute("style") or ""
    sizes = {match[1].lower() for match in _STYLE_SIZE.finditer(style)}
    if (width == "tiny" or "width" in sizes) and (height == "tiny" or "height" in sizes):
        return "image of 1×1 or nothing"
    path, _, query = target.path.partition("?")
    if query and (element.get_attribute("hidden") is not None or _HIDDEN_STYLE.search(style)):
        return "hidden image with a query"
    if len(query) >= LONG_QUERY and path.lower().endswith(".gif"):
        return "GIF with a long query"
    if in_noscript and width != "large" and height != "large" and (query or not _PICTURE.search(path)):
        return "image in noscript"
    return None


def _size(value: str | None) -> str | None:
    if value is None:
        return None
    return "tiny" if value.strip().lower() in _TINY else "large"

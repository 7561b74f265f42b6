"""SVG's ways of referring besides ``href``: presentation attributes with ``url()``, and animations that set an address.

``filter="url(https://…#f)"`` on a shape is CSS in an attribute of its own (SVG 2 §6.6), and browsers fetch it, some for every
one of these, some for the cursor alone. ``<set attributeName="href" to="https://…">`` gives an element an address that stands
nowhere on it (SMIL Animation, in SVG Animations §3).
"""

from optout_gate.rewrite.attributes import editable, url_text, written
from optout_gate.rewrite.css import may_leave, rewrite_css
from optout_gate.rewrite.element import Tag
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.neutral import CSS_URL, MARK
from optout_gate.trackers.urls import Base

PAINTED = ("fill", "stroke", "filter", "mask", "clip-path", "marker-start", "marker-mid", "marker-end", "cursor")
"""Presentation attributes whose value may be a ``url()``."""

SELECTOR = ",".join(f'[{name}*="{mark}"]' for name in PAINTED for mark in "(&")
"""No other value holds an address."""

_VALUES = ("to", "from", "by", "values")
_ADDRESSES = frozenset({"href", "xlink:href"})


def paint(element: Tag, judge: Judge, base: Base) -> None:
    """Take out what an element's presentation attributes refer to."""
    for name in PAINTED:
        raw = element.get_attribute(name)
        if raw is None or (judge.own(base.host) and not may_leave(raw)):
            continue
        text = editable(raw)
        rewritten = rewrite_css(text, judge, base)
        if rewritten != text:
            element.set_attribute(name, written(rewritten))


def animation(element: Tag, judge: Judge, base: Base) -> None:
    """Take out the addresses that an animation would give an element."""
    moved = (element.get_attribute("attributename") or "").strip().lower()
    for name in _VALUES:
        raw = element.get_attribute(name)
        if raw is None:
            continue
        text = editable(raw)
        rewritten = _addresses(text, judge, base, element) if moved in _ADDRESSES else rewrite_css(text, judge, base)
        if rewritten != text:
            element.set_attribute(name, written(rewritten))


def _addresses(text: str, judge: Judge, base: Base, element: Tag) -> str:
    kept: list[str] = []
    for each in text.split(";"):
        verdict = judge.reference(url_text(each.strip()), base, "image")
        if verdict is not None:
            judge.removals.add("image", verdict, each.strip())
            element.set_attribute(MARK, verdict.vendor.vendor)
            each = CSS_URL  # a picture as an address would bring a ";" of its own
        kept.append(each)
    return ";".join(kept)

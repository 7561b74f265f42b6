"""Empty boxes that a denied vendor's script would have filled, and scripts in whose place it would have drawn something.

The page's author wrote a ``div`` of the vendor's class, with the content's name in an attribute. What stands there
instead is :mod:`optout_gate.rewrite.embeds`'s; here is which element is such a box, and what it would have shown.
"""

from optout_gate.rewrite import embeds
from optout_gate.rewrite.attributes import url_text
from optout_gate.rewrite.element import MARKUP, Element
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.neutral import MARK
from optout_gate.trackers.urls import Base, resolve
from optout_gate.trackers.vendor import Box


def fill(element: Element, judge: Judge, base: Base) -> None:
    """Leave a placeholder in an element that a denied vendor's script would have filled."""
    if element.has_attribute(MARK):
        return  # a gate before this one was here
    words = (element.get_attribute("class") or "").split()
    words.append(f"#{element.get_attribute('id')}")
    words += [f"[{name}]" for name in judge.catalog.container_attributes if element.has_attribute(name)]
    found = judge.container(element.tag_name, [*words, f"<{element.tag_name}>"])
    if found is None:
        return
    verdict, box = found
    content = _content(element, box, judge, base)
    markup = embeds.box(verdict.vendor, element.tag_name, content, embeds.size(box, element))
    if not markup:
        return
    element.set_attribute(MARK, verdict.vendor.vendor)
    element.prepend(markup, MARKUP)
    judge.removals.add("embed", verdict, verdict.rule.text)


def stand_before(script: Element, kind: str, judge: Judge, base: Base) -> None:
    """Leave a placeholder before a script of type ``kind``, where a denied vendor's would have drawn something for it."""
    found = judge.script_box(kind)
    if found is None or script.has_attribute(MARK):
        return
    verdict, box = found
    markup = embeds.box(verdict.vendor, "span", _content(script, box, judge, base))
    script.set_attribute(MARK, verdict.vendor.vendor)
    script.before(markup, MARKUP)
    judge.removals.add("embed", verdict, verdict.rule.text)


def _content(element: Element, box: Box, judge: Judge, base: Base) -> str:
    """Return the address of what a box would have shown, or nothing."""
    named = url_text(element.get_attribute(box.link) or "").strip() if box.link else ""
    if box.page and embeds.NAME.match(named):
        return box.page.format(named)
    target = resolve(named, base) if named else None
    # Comments and share buttons name the page they stand on.
    return target.url if target is not None and not judge.own(target.host) else ""

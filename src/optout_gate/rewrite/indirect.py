"""References that are no address in an attribute of their own: in a ``meta``'s words, in AMP's types, in a link's query."""

import re

from optout_gate.rewrite.attributes import editable, url_text, written
from optout_gate.rewrite.element import Element, without
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.neutral import MARK
from optout_gate.trackers.urls import Base

_META_URL = re.compile(r"[\s;,]*[\d.]*[\s;,]*(?:url\s*=\s*)?(?P<quote>[\"']?)(?P<url>[^\"']*)", re.IGNORECASE)
_DELEGATED = re.compile(r"(?:https?:)?//[^\s;,()\"']+", re.IGNORECASE)


def meta(element: Element, judge: Judge, base: Base) -> None:
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
        verdict = judge.reference(url, base, "other") if url else None
        if verdict is not None:
            judge.removals.add("meta", verdict, url)
            without(element, "content")  # without it, the element does nothing
            element.set_attribute(MARK, verdict.vendor.vendor)
            return


def amp(element: Element, judge: Judge) -> None:
    """Take out an AMP component that loads a denied vendor by the name in its ``type``."""
    name = element.get_attribute("type")
    verdict = judge.amp(name.strip().lower()) if name is not None else None
    if verdict is None:
        return
    judge.removals.add("script", verdict, f"{element.tag_name} {name}")
    without(element, "type")
    element.set_attribute(MARK, verdict.vendor.vendor)


def link(element: Element, judge: Judge) -> None:
    """Take click identifiers of denied vendors out of the query of a link's ``href``; everything else of it stays."""
    raw = element.get_attribute("href")
    names = judge.click_ids
    if raw is None or names is None or names.search(raw) is None:
        return
    text = editable(raw)
    head, hash_, fragment = text.partition("#")
    path, _, query = head.partition("?")
    kept: list[str] = []
    for pair in query.split("&"):
        verdict = judge.click_id(pair.partition("=")[0])
        if verdict is None:
            kept.append(pair)
        else:
            judge.removals.add("click_id", verdict, pair.partition("=")[0])
    if len(kept) != query.count("&") + 1:
        element.set_attribute(
            "href", written(path + ("?" if kept or not path else "") + "&".join(kept) + hash_ + fragment)
        )

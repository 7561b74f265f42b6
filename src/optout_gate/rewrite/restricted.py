"""Restricted vendors on a page: they keep loading, in the mode that they document for who opted out, set in three places.

A line of script before the page's first script, so before the vendor's first call; parameters in the query of what is fetched
from it; attributes on its ``script``. Where the page's Content-Security-Policy keeps that line out, the vendor is denied instead.
"""

from collections.abc import Mapping

from optout_gate.rewrite.attributes import written
from optout_gate.rewrite.element import MARKUP, Element, Tag
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.neutral import MARK
from optout_gate.rewrite.references import Reference
from optout_gate.trackers.urls import Base, resolve


def set_modes(element: Element, judge: Judge) -> None:
    """Set every restricted vendor's mode before the page's first script."""
    nonce = element.get_attribute("nonce")
    judge.may_restrict = judge.may_restrict or nonce is not None
    if not judge.may_restrict:
        return
    modes = [vendor.restricted for vendor in judge.decision.policy.restricts]
    lines = [mode.before for mode in modes if mode is not None and mode.before]
    if lines:
        proof = f' nonce="{nonce}"' if nonce is not None else ""
        script = f'<script{proof} {MARK}="restricted">{"".join(lines)}</script>'
        element.before(script, MARKUP)


def restrict(tag: Tag, reference: Reference, text: str, judge: Judge, base: Base) -> None:
    """Set a restricted vendor's documented parameters and attributes on a reference that stays."""
    target = resolve(text, base)
    verdict = judge.restricted(target, reference.request) if target is not None else None
    mode = verdict.vendor.restricted if verdict is not None else None
    if mode is None:
        return
    if mode.query and not reference.many:
        tag.set_attribute(reference.attribute, written(with_query(text, mode.query)))
    if tag.tag_name == "script":
        for name, value in mode.attributes.items():
            tag.set_attribute(name, written(value))


def with_query(url: str, parameters: Mapping[str, str]) -> str:
    """Return ``url`` with the parameters set in its query, in the place of any of the same name."""
    head, hash_, fragment = url.partition("#")
    path, _, query = head.partition("?")
    kept = [pair for pair in query.split("&") if pair and pair.partition("=")[0] not in parameters]
    return f"{path}?{'&'.join([*kept, *(f'{name}={value}' for name, value in parameters.items())])}{hash_}{fragment}"

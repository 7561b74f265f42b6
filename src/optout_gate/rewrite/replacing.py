"""What a start tag becomes when something it refers to is denied: the reference is replaced in place, or goes.

Which replacement a kind of reference gets stands in :data:`~optout_gate.rewrite.references.REPLACEMENT`, and why those in
:mod:`optout_gate.rewrite.neutral`. ``data-optout-gate`` on the element then names the vendor.
"""

from optout_gate.policy.decision import Verdict
from optout_gate.rewrite import embeds
from optout_gate.rewrite.attributes import editable, written
from optout_gate.rewrite.candidates import candidates
from optout_gate.rewrite.element import Tag, without
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.neutral import MARK, stand_in
from optout_gate.rewrite.references import REPLACEMENT, STALE, Reference
from optout_gate.trackers.urls import Base

MAX_ACCOUNT_CHARACTERS = 200  # of a query kept behind a stand-in's "#"; an account number is some dozen


def replace(element: Tag, reference: Reference, text: str, verdict: Verdict, judge: Judge, base: Base) -> None:
    """Put something harmless in the place of a denied address, and note it."""
    judge.removals.add(reference.kind, verdict, text)
    instead = _instead(reference, text, verdict, judge.origin_for(base))
    if element.tag_name == "iframe" and verdict.vendor.embed:
        element.set_attribute("srcdoc", written(embeds.frame(verdict.vendor, text)))
        if not element.has_attribute("title"):
            element.set_attribute("title", written(embeds.title(verdict.vendor)))
        without(element, reference.attribute)
    elif instead is None or element.tag_name.startswith("amp-"):
        without(element, reference.attribute)
    else:
        element.set_attribute(reference.attribute, written(instead))
    for stale in STALE:
        if element.has_attribute(stale):
            without(element, stale)
    element.set_attribute(MARK, verdict.vendor.vendor)


def _instead(reference: Reference, text: str, verdict: Verdict, origin: str) -> str | None:
    """Return the address that takes a denied one's place, or None where none does."""
    if reference.kind == "script":
        query = text.partition("#")[0].partition("?")[2]
        # Behind the "#" it stays in the browser; the stand-in reads the account number from it.
        account = "#" + query if query and len(query) <= MAX_ACCOUNT_CHARACTERS else ""
        return stand_in(verdict, origin) + account
    replacement = REPLACEMENT[reference.kind]
    return origin + replacement if replacement is not None and replacement[:1] == "/" else replacement


def keep_candidates(element: Tag, reference: Reference, raw: str, judge: Judge, base: Base) -> None:
    """Take the denied candidates out of a ``srcset`` (HTML §4.8.4.3.5), the rest stays in its order."""
    kept: list[str] = []
    denied: Verdict | None = None
    for url, descriptor in candidates(editable(raw)):
        verdict = judge.reference(url, base, reference.request)
        if verdict is None:
            kept.append(url + descriptor.rstrip())
        else:
            denied = verdict
            judge.removals.add(reference.kind, verdict, url)
    if denied is not None:
        _keep(element, reference, kept, ", ")
        element.set_attribute(MARK, denied.vendor.vendor)


def keep_tokens(element: Tag, reference: Reference, raw: str, judge: Judge, base: Base) -> None:
    """Take the denied addresses out of those between blanks."""
    urls = editable(raw).split()
    kept: list[str] = []
    for url in urls:
        verdict = judge.reference(url, base, reference.request)
        if verdict is None:
            kept.append(url)
        else:
            judge.removals.add(reference.kind, verdict, url)
    if len(kept) != len(urls):
        _keep(element, reference, kept, " ")


def _keep(element: Tag, reference: Reference, kept: list[str], between: str) -> None:
    if kept:
        element.set_attribute(reference.attribute, written(between.join(kept)))
    else:
        without(element, reference.attribute)

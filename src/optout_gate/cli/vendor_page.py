"""The catalogue as a page that a privacy officer can read, print and send on: one file, no script, nothing loaded.

What it says is what the gate does by default: purpose by purpose, who is kept away once a visitor opts out, and who
keeps working. Vendors of which nothing but hosts is known stand at the end, in one list.
"""

from collections.abc import Iterable
from html import escape

from optout_gate import __version__
from optout_gate.policy.config import Action, PolicyConfig
from optout_gate.policy.decision import Policy
from optout_gate.trackers.catalog import Catalog
from optout_gate.trackers.purposes import Purpose
from optout_gate.trackers.vendor import Vendor

LONG_TAIL = "catalogue/longtail.yaml"
PURPOSES = {
    Purpose.ADVERTISING: ("Advertising", "targets, measures and sells ads; builds audiences and identity graphs"),
    Purpose.ANALYTICS: ("Analytics", "counts who visited what; product analytics and experiments"),
    Purpose.SESSION_REPLAY: ("Session replay", "records what a visitor does: replays, heat maps, form analytics"),
    Purpose.SOCIAL: ("Social", "like buttons, embedded posts, comments"),
    Purpose.PERSONALIZATION: ("Personalization", "chooses content by profile; chat that profiles"),
    Purpose.TAG_MANAGEMENT: ("Tag management", "loads other vendors"),
    Purpose.PERFORMANCE: ("Performance", "measures the speed and errors of the site itself"),
    Purpose.SECURITY: ("Security", "defends the site against bots and fraud"),
    Purpose.FUNCTIONAL: ("Functional", "what pages are made of: fonts, maps, payments, players, consent"),
}
_STYLE = """
:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;max-width:80rem;margin:0 auto;padding:1.5rem}
h1{line-height:1.2}h2{margin-top:2.5rem}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;padding:0;list-style:none}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;border-bottom:1px solid color-mix(in srgb,currentColor 20%,transparent)}
thead th{white-space:nowrap}tbody th{min-width:10rem}
code{font-size:.85em;overflow-wrap:anywhere}
.blocked{font-weight:600}
@media print{nav{display:none}tr{break-inside:avoid}}
"""


def page(catalog: Catalog, vendors: Iterable[Vendor]) -> str:
    """Return the page for some of the vendors of ``catalog``."""
    policy = Policy("default", PolicyConfig(), catalog)
    every = sorted(vendors, key=lambda vendor: vendor.name.lower())
    described = [vendor for vendor in every if catalog.origins[vendor.vendor][0] != LONG_TAIL]
    tail = [vendor for vendor in every if catalog.origins[vendor.vendor][0] == LONG_TAIL]
    groups = {purpose: [each for each in described if each.purposes[0] is purpose] for purpose in PURPOSES}
    sections = [_section(purpose, group, policy) for purpose, group in groups.items() if group]
    links = [
        f'<li><a href="#{purpose.value}">{PURPOSES[purpose][0]}</a> ({len(group)})'
        for purpose, group in groups.items()
        if group
    ]
    if tail:
        sections.append(_tail(tail, policy))
        links.append(f'<li><a href="#others">Others, by host</a> ({len(tail)})')
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Vendors that optout-gate knows</title>\n<style>{_STYLE}</style>\n"
        f"<h1>Vendors that optout-gate knows</h1>\n"
        f"<p>{len(described):,} described vendors and {len(tail):,} more by their hosts, as of optout-gate {__version__}. "
        "“Kept away” is what happens, with the default policy, for a visitor who opted out; a site’s own policy may say "
        "otherwise.</p>\n"
        f'<nav aria-label="Purposes"><ul>\n{chr(10).join(links)}\n</ul></nav>\n' + "\n".join(sections) + "\n</html>\n"
    )


def _section(purpose: Purpose, vendors: list[Vendor], policy: Policy) -> str:
    name, words = PURPOSES[purpose]
    heads = ("Vendor", "Company", "On opt-out", "Recognised by", "Cookies it sets on the site", "Also", "Source")
    head = "".join(f'<th scope="col">{each}</th>' for each in heads)
    rows = "\n".join(_row(vendor, policy) for vendor in vendors)
    return (
        f'<h2 id="{purpose.value}">{name}</h2>\n<p>{words[0].upper()}{words[1:]}.</p>\n'
        f'<div class="scroll" tabindex="0" role="region" aria-labelledby="{purpose.value}">'
        f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
    )


def _row(vendor: Vendor, policy: Policy) -> str:
    found = [*vendor.domains, *vendor.patterns]
    by = _codes(found) + (" and its inline script" if vendor.inline and found else "")
    source = escape(vendor.source)
    if vendor.source.startswith("https://"):
        source = f'<a href="{source}" rel="noreferrer">documentation</a>'
    cells = (
        escape(vendor.company),
        _consequence(vendor, policy),
        by or "its inline script or cookies",
        _codes(vendor.cookies) or "none known",
        escape("; ".join(_also(vendor))) or "–",
        source,
    )
    row = "".join(f"<td>{cell}</td>" for cell in cells)
    return (
        f'<tr id="{vendor.vendor}"><th scope="row">{escape(vendor.name)}<br><code>{vendor.vendor}</code></th>{row}</tr>'
    )


def _consequence(vendor: Vendor, policy: Policy) -> str:
    answer = policy.answer(vendor)
    if answer.action is Action.BLOCK:
        return '<span class="blocked">kept away</span>'
    return "keeps working"


def _also(vendor: Vendor) -> list[str]:
    also = [PURPOSES[purpose][0].lower() for purpose in vendor.purposes[1:]]
    if vendor.click_ids:
        also.append(f"click identifiers: {', '.join(vendor.click_ids)}")
    if vendor.restricted is not None:
        also.append("has a restricted mode")
    if vendor.embed:
        also.append("leaves a placeholder")
    return also


def _tail(vendors: list[Vendor], policy: Policy) -> str:
    rows = "\n".join(
        f'<tr><th scope="row">{escape(vendor.name)}</th><td>{PURPOSES[vendor.purposes[0]][0]}</td>'
        f"<td>{_consequence(vendor, policy)}</td><td>{_codes(vendor.domains)}</td></tr>"
        for vendor in vendors
    )
    heads = "".join(f'<th scope="col">{each}</th>' for each in ("Company", "Purpose", "On opt-out", "Hosts"))
    return (
        '<h2 id="others">Others, by host</h2>\n<p>Companies of which nothing but their hosts is known.</p>\n'
        '<div class="scroll" tabindex="0" role="region" aria-labelledby="others">'
        f"<table><thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
    )


def _codes(texts: Iterable[str]) -> str:
    return ", ".join(f"<code>{escape(text)}</code>" for text in texts)

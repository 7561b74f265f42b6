"""What is in force for one visitor, as JSON: for a site's own button, its tests, and whoever checks the site.

California asks that a site show whether it has processed the signal (11 CCR §7025(c)(6)). This says it to programs; the
preference page and the element with ``data-optout-status`` say it to people. It names no one: what a browser sent
and what follows from it, no more.
"""

from optout_gate.exchange import Exchange
from optout_gate.policy.texts import Texts
from optout_gate.rewrite.neutral import PREFIX

PATH = f"{PREFIX}/status"


def describe(exchange: Exchange, texts: Texts, *, signed_in: bool) -> dict[str, object]:
    """Return what a visitor's request said and what follows, for JSON."""
    decision, reading = exchange.decision, exchange.report.reading
    in_force = is_in_force(exchange)
    return {
        "opted_out": decision.do_not_sell,
        "in_force": in_force,
        "status": texts["status_honored"] if in_force else None,
        "because": [signal.kind for signal in decision.because],
        "gpc": reading.gpc.value,
        "cookie": reading.cookie.value,
        "signed_in": signed_in,
        "mode": decision.mode.value,
        "denied": sorted(purpose.value for purpose in decision.denied) if decision.enforced else [],
    }


def is_in_force(exchange: Exchange) -> bool:
    """Return True when the visitor opted out of sale and sharing and the gate acts on it."""
    return exchange.decision.do_not_sell and exchange.decision.enforced

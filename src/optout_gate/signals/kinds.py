"""The words by which a configuration names signals: every kind, and the families that stand for several.

A kind is what reports, metrics and ``optout-gate explain`` call a signal; for a consent cookie it is the format's id.
"""

from collections.abc import Mapping

from optout_gate.signals.formats import FORMATS

GPC = "gpc"
COOKIE = "cookie"  # the gate's own
ACCOUNT = "account"  # the standing opt-out of a consumer who has signed in
DNT = "dnt"

WHOLESALE: frozenset[str] = frozenset({GPC, COOKIE, ACCOUNT, DNT})
"""Kinds that say *no* without naming a use: they refuse all of them."""

_STRINGS = frozenset({"usprivacy", "gpp", "tcf"})

FAMILIES: Mapping[str, frozenset[str]] = {
    "iab": _STRINGS,  # strings that the Interactive Advertising Bureau specifies
    "cmp": FORMATS - _STRINGS,  # consent platforms' own cookies
    "all": FORMATS | {GPC, COOKIE, ACCOUNT},  # every signal but Do Not Track, which is none (notice, section 5.E)
}
"""What the names of families stand for, the narrowest first."""

KINDS: frozenset[str] = WHOLESALE | FORMATS
"""Every kind that a configuration may name."""


def kinds_of(word: str) -> frozenset[str]:
    """Return the kinds that a word of the configuration stands for, none when it is unknown."""
    return FAMILIES.get(word, frozenset({word}) & KINDS)

"""The IAB US Privacy String: ``1YYN``, four characters, the third of which is the opt-out of sale.

Source: InteractiveAdvertisingBureau/USPrivacy, *CCPA/US Privacy String.md*. Deprecated by its makers in favour
of GPP, and still the string that most sites carry and most crawlers check. Three traps: ``1---`` means that the
law does not apply, which is neither out nor in; the cookie goes by three names in the wild; and iubenda keeps
the string inside a JSON object under the same name.
"""

import re

from optout_gate.signals.escapes import json_object, json_text, layers, oversized, rewritten
from optout_gate.signals.statement import NOTHING, Answer, Statement

COOKIES = (
    "usprivacy",  # the specification's own
    "us_privacy",  # Ketch and Prebid setups; also the name of the URL parameter
    "us-privacy",  # seen by the crawler of the GPC studies
)

_STRING = re.compile(r"1[YN-]{3}\Z", re.IGNORECASE)
_SALE = {
    "Y": Statement(sale=Answer.OUT, evidence="usprivacy: opted out of sale"),
    "N": Statement(sale=Answer.IN, evidence="usprivacy: not opted out of sale"),
    "-": Statement(evidence="usprivacy: does not apply"),  # not an opt-in
}


def read(value: str | bytes) -> Statement:
    """Return what a US Privacy String says about sale; it has no word for anything else."""
    for text in layers(value):
        string = _string_in(text)
        if string:
            return _SALE[string[2].upper()]
    return NOTHING.saying("usprivacy: not a US Privacy String")


def opted_out(previous: str | None, *, notice_given: bool = True, lspa: bool = False) -> str:
    """Return the string that says *opted out of sale*, keeping what ``previous`` says of notice and contract.

    Args:
        previous: the string that stood, if any; a value that is none is replaced by a new string.
        notice_given: whether the site shows a notice of the right to opt out, where ``previous`` does not say.
        lspa: whether the site is under the IAB's contract for service providers, where it does not say.
    """
    fresh = f"1{'Y' if notice_given else 'N'}Y{'Y' if lspa else 'N'}"
    if previous is None or oversized(previous):
        return fresh

    def rewrite(text: str) -> str | None:
        stood = _string_in(text)
        if not stood:
            return None
        stood = stood.upper()
        notice = fresh[1] if stood[1] == "-" else stood[1]
        contract = fresh[3] if stood[3] == "-" else stood[3]
        string = f"1{notice}Y{contract}"
        wrapper = json_object(text)
        return json_text({**wrapper, "uspString": string}) if wrapper else string

    return rewritten(previous, rewrite) or fresh


def _string_in(text: str) -> str | None:
    if _STRING.match(text):
        return text
    wrapper = json_object(text)
    inner = wrapper.get("uspString") if wrapper else None
    return inner if isinstance(inner, str) and _STRING.match(inner) else None

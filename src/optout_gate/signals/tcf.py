"""Whether a TCF consent string stands. It is the European framework, so it answers no question of ours.

A TC string records consent under the GDPR; it knows neither sale nor sharing, and a full consent in it is not
an opt-in under US law. The gate tells that one is there (it explains why a site's vendors think they may load)
and reads no more. The first character tells it from GPP: ``C`` is version 2 of the core segment.
"""

import re

from optout_gate.signals.escapes import layers
from optout_gate.signals.statement import NOTHING, Statement

COOKIES = (
    "euconsent-v2",  # InMobi, Didomi, Sourcepoint
    "eupubconsent-v2",  # OneTrust
)

_TC_STRING = re.compile(r"C[A-Za-z0-9_-]{9,}(?:\.[A-Za-z0-9_-]+)*\Z")


def is_tc_string(text: str) -> bool:
    """Return True when ``text`` has the shape of a TC string of version 2."""
    return bool(_TC_STRING.match(text))


def read(value: str | bytes) -> Statement:
    """Return a silent statement that says whether a TC string stands."""
    if any(is_tc_string(text) for text in layers(value)):
        return NOTHING.saying("tcf: a TC string stands, which answers for Europe only")
    return NOTHING.saying("tcf: not a TC string")

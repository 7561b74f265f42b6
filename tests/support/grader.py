"""A grader from outside: what a crawler that never saw this project makes of the cookies in a browser.

The four rules are those of the GPC Web Crawler (privacy-tech-lab/gpc-web-crawler, README §6.2), by which eleven thousand
sites were judged. It reads the cookies after a visit with Global Privacy Control on. Its own reading of a GPP string is
here, from the IAB's tables, so that a mistake in the gate's reader cannot pass for compliance.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import unquote

Jar = Mapping[str, Sequence[str]]
"""Values by cookie name: a browser may hold several of one name."""

USPRIVACY_NAMES = ("usprivacy", "us_privacy", "us-privacy")
OPT_OUT_BITS = {  # section id: where its opt-outs of sale, sharing and targeted advertising begin
    7: (18, 20, 22),
    8: (12, 14),
}


def _usprivacy(jar: Jar) -> list[bool]:
    return [value[2].upper() == "Y" for name in USPRIVACY_NAMES for value in jar.get(name, ())]


def _optanon(jar: Jar) -> list[bool]:
    return ["isGpcEnabled=1" in unquote(value).split("&") for value in jar.get("OptanonConsent", ())]


def _gpp(jar: Jar) -> list[bool]:
    return [_section_opted_out(value) for value in jar.get("__gpp", ())]


def _section_opted_out(gpp: str) -> bool:
    """Return True when the first state or national section refuses all that it has a word for."""
    header, body = gpp.split("~")[:2]
    section = {"DBABLA": 7, "DBABBg": 8}[header]
    core = body.partition(".")[0]
    raw = base64.urlsafe_b64decode(core + "A" * (-len(core) % 4))
    bits = "".join(f"{byte:08b}" for byte in raw)
    return all(int(bits[start : start + 2], 2) == 1 for start in OPT_OUT_BITS[section])


def _google(jar: Jar) -> list[bool]:
    return [value == "true" for value in jar.get("OneTrustWPCCPAGoogleOptOut", ())]


RULES: Mapping[str, Callable[[Jar], list[bool]]] = {
    "usprivacy: third character is Y": _usprivacy,
    "OptanonConsent: isGpcEnabled is 1": _optanon,
    "GPP: every opt-out of the section is 1": _gpp,
    "OneTrustWPCCPAGoogleOptOut is true": _google,
}


def grade(jar: Jar) -> dict[str, bool | None]:
    """Return, for each rule, whether it holds for every cookie it speaks of; None where there is none."""
    return {rule: all(found) if (found := judge(jar)) else None for rule, judge in RULES.items()}

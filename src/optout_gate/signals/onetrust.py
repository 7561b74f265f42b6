"""What OneTrust's cookies say, and how they say it when the visitor opted out.

``OptanonConsent`` is a query string inside a cookie: ``isGpcEnabled=0&…&groups=C0001%3A1%2CC0004%3A1&…``, where
``groups`` lists the site's categories with 1 (allowed) or 0. The traps, all from real sites:

* The cookie contradicts itself: ``isGpcEnabled=1`` (the platform says that it honoured GPC) beside ``C0004:1``.
  Flags and groups are therefore two readings, and the contradiction shows.
* Category ids are the site's: the defaults ``C0001`` to ``C0005``, older numbers ``1:1,4:0`` or ``C1:1``, the
  groups that stand for an opt-out under US law (``OSSTA_BG``), or ids that only that site knows.
* The cookie occurs twice (host-only and domain) with different answers.
* ``OptanonAlertBoxClosed`` tells *when* a choice was made, never which.
"""

from collections.abc import Mapping
from urllib.parse import unquote_plus

from optout_gate.signals.escapes import layers, rewritten
from optout_gate.signals.statement import ADVERTISING_USES, NOTHING, Answer, Statement

COOKIES = ("OptanonConsent", "OptanonAlertBoxClosed", "OneTrustWPCCPAGoogleOptOut")

GROUPS: Mapping[str, tuple[str, ...]] = {
    "C0002": ("analytics", "session_replay"),  # performance: statistics, and the recorders of visits
    "C0004": ADVERTISING_USES,  # targeting
    "C0005": ("sharing",),  # social media: the network learns of the visit
    "2": ("analytics", "session_replay"),  # numbers of tenants that were set up before the C-ids
    "4": ADVERTISING_USES,
    "5": ("sharing",),
    "C2": ("analytics", "session_replay"),
    "C4": ADVERTISING_USES,
    "C5": ("sharing",),
    "OSSTA_BG": ADVERTISING_USES,  # "opt out of sale, sharing, targeted advertising": the group of US templates
    "SSPD_BG": ("sale", "sharing"),  # sale or sharing of personal data
    "SPD_BG": ("sale",),  # sale of personal data: the group of the first CCPA template
}
"""What OneTrust's category ids mean; a site adds its own."""

_FLAGS = {
    "isGpcEnabled": "the platform applied GPC",
    "browserGpcFlag": "the platform saw GPC in the browser",
}
_MARKS = frozenset({"groups", "isGpcEnabled", "browserGpcFlag", "datestamp", "consentId", "isIABGlobal"})
_GOOGLE = {
    "true": Statement.advertising(Answer.OUT, "onetrust: opted out for Google"),
    "false": Statement.advertising(Answer.IN, "onetrust: not opted out for Google"),
}


def read(value: str | bytes, groups: Mapping[str, tuple[str, ...]] = GROUPS) -> Statement:
    """Return what flags and groups of an ``OptanonConsent`` say together."""
    return read_flags(value).merge(read_groups(value, groups))


def read_flags(value: str | bytes) -> Statement:
    """Return an opt-out when the platform recorded GPC; a flag of 0 says nothing."""
    fields = _fields(value)
    set_flags = [words for name, words in _FLAGS.items() if (name, "1") in fields]
    if set_flags:
        return Statement.advertising(Answer.OUT, f"onetrust: {' and '.join(set_flags)}")
    return NOTHING.saying("onetrust: no GPC recorded")


def read_groups(value: str | bytes, groups: Mapping[str, tuple[str, ...]] = GROUPS) -> Statement:
    """Return what the categories say: 0 refused, 1 allowed, an id that is not listed unknown."""
    uses: dict[str, Answer] = {}
    for listing in [found for name, found in _fields(value) if name == "groups"]:
        for entry in unquote_plus(listing, errors="replace").split(","):
            id_, _, flag = entry.strip().rpartition(":")
            answer = {"0": Answer.OUT, "1": Answer.IN}.get(flag.strip(), Answer.UNKNOWN)
            for use in groups.get(id_.strip(), ()):
                uses[use] = uses.get(use, Answer.UNKNOWN) | answer
    return Statement(**uses).described("onetrust")


def read_alert_box_closed(value: str | bytes) -> Statement:
    """Return a silent statement: the banner was closed, whichever button it was."""
    return NOTHING.saying("onetrust: the banner was closed" if value else "onetrust: no date")


def read_google_opt_out(value: str | bytes) -> Statement:
    """Return what ``OneTrustWPCCPAGoogleOptOut`` says: true is opted out."""
    for text in layers(value):
        if text.strip().lower() in _GOOGLE:
            return _GOOGLE[text.strip().lower()]
    return NOTHING.saying("onetrust: neither true nor false")


def google_opted_out(previous: str | None = None) -> str:
    """Return the value of ``OneTrustWPCCPAGoogleOptOut`` that says *opted out*."""
    return "true"


def opted_out(previous: str, groups: Mapping[str, tuple[str, ...]] = GROUPS) -> str | None:
    """Return ``previous`` with both flags set and every advertising group refused, or None when it is no such value.

    Every other field keeps its place and its bytes. What is refused by no word of the visitor's (analytics)
    stays as it is.
    """
    refused = {id_ for id_, uses in groups.items() if set(uses) & set(ADVERTISING_USES)}

    def rewrite(text: str) -> str | None:
        if not _is_query(text):
            return None
        fields = [field.partition("=") for field in text.split("&")]
        written = [
            f"{name}=1"
            if name in _FLAGS
            else f"{name}={_refusing(value, refused)}"
            if name == "groups"
            else name + eq + value
            for name, eq, value in fields
        ]
        names = {name for name, _, _ in fields}
        return "&".join([*written, *(f"{flag}=1" for flag in _FLAGS if flag not in names)])

    return rewritten(previous, rewrite)


def _refusing(listing: str, refused: set[str]) -> str:
    """Return a list of groups with those in ``refused`` at 0, its separators encoded as they were."""
    comma = next((mark for mark in ("%2C", "%2c") if mark in listing), ",")
    out = []
    for entry in listing.split(comma):
        colon = next((mark for mark in ("%3A", "%3a") if mark in entry), ":")
        id_, mark, _ = entry.rpartition(colon)
        out.append(f"{id_}{mark}0" if mark and unquote_plus(id_).strip() in refused else entry)
    return comma.join(out)


def _is_query(text: str) -> bool:
    return "=" in text and any(field.partition("=")[0] in _MARKS for field in text.split("&"))


def _fields(value: str | bytes) -> list[tuple[str, str]]:
    """Return name and value of every field, the value still in the encoding of a query string."""
    for text in layers(value):
        if _is_query(text):
            return [(name, found) for name, _, found in (field.partition("=") for field in text.split("&"))]
    return []

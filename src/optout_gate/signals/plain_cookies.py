"""Consent platforms whose cookie is a word or a list of words.

Each line is a platform; the notation beside it is a value as sites send it. Sources: the platforms' own scripts
and the cookies of public sites, collected in ``docs/signals.md``. Where two platforms use the same notation with
opposite meaning, the line says so.
"""

import re

from optout_gate.signals.categories import granted_only, statement_of
from optout_gate.signals.dialects import Listing, Word
from optout_gate.signals.escapes import layers, rewritten
from optout_gate.signals.statement import ADVERTISING_USES, NOTHING, Answer, Statement

_EVERYTHING = "advertising and analytics"  # a category name that speaks of both

# Cookiebot: {stamp:'…',necessary:true,preferences:false,statistics:false,marketing:false,method:'explicit',…}
# A JavaScript literal, not JSON. -1 is "asks nobody here", 0 "not answered yet": both say nothing.
COOKIEBOT = Listing(
    "cookiebot", re.compile(r"\b(?P<name>necessary|preferences|statistics|marketing)[\"']?:\s*(?P<word>true|false)\b")
)

# CookieYes: consentid:…,consent:yes,action:yes,necessary:yes,functional:no,analytics:no,advertisement:no
COOKIEYES = Listing(
    "cookieyes",
    re.compile(
        r"(?:^|,)\s*(?P<name>necessary|functional|analytics|performance|advertisement|other)\s*:\s*(?P<word>yes|no)\b"
    ),
)

# HubSpot: 1:true,2:false,3:false; some versions separate with "_"
HUBSPOT = Listing(
    "hubspot",
    re.compile(r"(?:^|[,_])\s*(?P<name>[123])\s*:\s*(?P<word>true|false)(?=[,_]|\Z)"),
    categories={"1": "analytics", "2": "advertisement", "3": "functionality"},
)
HUBSPOT_OPT_OUT = Word("hubspot", _EVERYTHING, inverted=True)  # __hs_opt_out=yes: polarity of an opt-out

# DataGrail: dg-category-essential:1|dg-category-marketing:0
DATAGRAIL = Listing("datagrail", re.compile(r"\bdg-category-(?P<name>[a-z-]{1,40}):(?P<word>[01])\b"))

# c15t: c.necessary:1,c.measurement:1,i.t:1234567890. What was refused is left out.
C15T = Listing("c15t", re.compile(r"(?:^|[,&])c\.(?P<name>[a-z_]{1,40}):(?P<word>[01])\b"), closed=True)

# Adobe: general=out
ADOBE = Listing(
    "adobe",
    re.compile(r"(?:^|[;,&])\s*(?P<name>general)=(?P<word>in|out)\b"),
    categories={"general": _EVERYTHING},
)

# Tealium's categories, by the numbers of its consent manager
_TEALIUM = {
    "c1": "analytics",
    "c2": "marketing",  # affiliates
    "c3": "marketing",  # display ads
    "c4": "marketing",  # search
    "c5": "preferences",  # e-mail
    "c6": "personalization",
    "c7": "social",
    "c8": "preferences",  # big data: the site's own warehouse
    "c9": "preferences",  # miscellaneous
    "c10": "sharing",  # cookie match
    "c11": "sharing",  # customer data platform
    "c12": "preferences",  # mobile
    "c13": "preferences",  # engagement
    "c14": "performance",  # monitoring
    "c15": "preferences",  # the site's own customer records
}
_TEALIUM_ID = r"c(?:1[0-5]|[1-9])"

# CONSENTMGR=dns:false|consent:true|ts:1628873490170|c1:1|c3:0 (1 is allowed; dns, "do not sell", is the reverse)
_CONSENTMGR_CATEGORIES = Listing(
    "tealium", re.compile(rf"(?:^|\|)(?P<name>{_TEALIUM_ID}):(?P<word>[01])\b"), categories=_TEALIUM
)
_CONSENTMGR_SWITCHES = Listing(
    "tealium",
    re.compile(r"(?:^|\|)(?P<name>consent|dns):(?P<word>true|false)\b"),
    categories={"consent": _EVERYTHING, "dns": "sale or sharing"},
    inverted=frozenset({"dns"}),
)

# OPTOUTMULTI=0:0|c2:1|c9:1: the opposite polarity, 1 is opted out; category 0 is everything
OPTOUTMULTI = Listing(
    "tealium-optout",
    re.compile(rf"(?:^|\|)(?P<name>0|{_TEALIUM_ID}):(?P<word>[01])\b"),
    categories=_TEALIUM | {"0": _EVERYTHING},
    inverted=frozenset({"*"}),
)


def read_consentmgr(value: str | bytes) -> Statement:
    """Return what Tealium's consent manager says; ``consent:true`` speaks only where no categories do."""
    switches = _CONSENTMGR_SWITCHES.read(value)
    if not _CONSENTMGR_CATEGORIES.entries_in(value):
        return switches
    refusals = {use: Answer.OUT for use in (*ADVERTISING_USES, "analytics") if getattr(switches, use) is Answer.OUT}
    return _CONSENTMGR_CATEGORIES.read(value).merge(Statement(**refusals)).described("tealium")


def consentmgr_opted_out(previous: str) -> str | None:
    """Return ``CONSENTMGR`` with advertising refused; without categories its one switch is all there is."""
    if not _CONSENTMGR_CATEGORIES.entries_in(previous):
        return _CONSENTMGR_SWITCHES.opted_out(previous)
    with_dns = rewritten(previous, _do_not_sell) or previous
    return _CONSENTMGR_CATEGORIES.opted_out(with_dns)


def _do_not_sell(text: str) -> str | None:
    return re.sub(r"(^|\|)dns:false\b", r"\1dns:true", text) if "|" in text else None


# One cookie a category: cmplz_marketing=deny, cookielawinfo-checkbox-advertisement=no,
# CLIENT_ENSIGHTEN_PRIVACY_Advertising=0
COMPLIANZ_MARKETING = Word("complianz", "marketing")
COMPLIANZ_STATISTICS = Word("complianz", "statistics")
COOKIELAWINFO_ADVERTISEMENT = Word("cookieyes", "advertisement")
COOKIELAWINFO_ANALYTICS = Word("cookieyes", "analytics")
ENSIGHTEN_ADVERTISING = Word("ensighten", "advertising")
ENSIGHTEN_ANALYTICS = Word("ensighten", "analytics")
KETCH_GPC = Word("ketch", "advertising", inverted=True)  # gpcsignal=true: the browser sent GPC


def read_ketch_gpc(value: str | bytes) -> Statement:
    """Return an opt-out for ``gpcsignal=true``; false says only that the browser sent no signal."""
    said = KETCH_GPC.read(value)
    return said if said.opted_out else NOTHING.saying("ketch: no GPC recorded")


# TrustArc: levels of consent, 0 required, 1 functional, 2 advertising
_LEVEL = re.compile(r"([0-9])(?::|\Z)")
_LEVELS = re.compile(r"(?:[0-9],)*[0-9]:?\Z|:\Z")
_PERMIT = re.compile(r"permit[ _+]([0-9](?:[,|][0-9])*)(?![%0-9])", re.IGNORECASE)


def read_trustarc_level(value: str | bytes) -> Statement:
    """Return what ``notice_preferences=0:`` says: the highest level allowed, of which 2 is advertising."""
    for text in layers(value):
        match = _LEVEL.match(text)
        if match:
            return _trustarc({int(match[1])}, advertising=2, analytics=1)
    return NOTHING.saying("trustarc: no level")


def read_trustarc_levels(value: str | bytes) -> Statement:
    """Return what ``notice_gdpr_prefs=0,1,2:`` says: every level that is allowed."""
    for text in layers(value):
        if text and _LEVELS.match(text):
            return _trustarc({int(digit) for digit in re.findall("[0-9]", text)}, advertising=2, analytics=1)
    return NOTHING.saying("trustarc: no levels")


def read_trustarc_permit(value: str | bytes) -> Statement:
    """Return what ``cmapi_cookie_privacy=permit 1,2,3`` says: the permitted, counted from 1; 3 is advertising."""
    for text in layers(value):
        match = _PERMIT.match(text)
        if match:
            return _trustarc({int(digit) for digit in re.findall("[0-9]", match[1])}, advertising=3, analytics=2)
    return NOTHING.saying("trustarc: no list of what is permitted")


def _trustarc(levels: set[int], *, advertising: int, analytics: int) -> Statement:
    highest = max(levels, default=0)
    answers = {
        "advertising": Answer.IN if highest >= advertising else Answer.OUT,
        "analytics": Answer.IN if highest >= analytics else Answer.OUT,
    }
    return statement_of(answers, "trustarc")


def trustarc_level_opted_out(previous: str) -> str | None:
    """Return ``notice_preferences`` at a level below advertising."""
    return rewritten(
        previous,
        lambda text: re.sub(r"\A[2-9]", "1", text) if re.match(r"[0-9](?::|\Z)", text) else None,
    )


def trustarc_levels_opted_out(previous: str) -> str | None:
    """Return ``notice_gdpr_prefs`` without the levels of advertising and beyond."""

    def rewrite(text: str) -> str | None:
        if not text or not _LEVELS.match(text):
            return None
        kept = [digit for digit in re.findall("[0-9]", text) if int(digit) < 2]
        return ",".join(kept or ["0"]) + (":" if text.endswith(":") else "")

    return rewritten(previous, rewrite)


def trustarc_permit_opted_out(previous: str) -> str | None:
    """Return ``cmapi_cookie_privacy`` without the permission for advertising and beyond."""

    def rewrite(text: str) -> str | None:
        match = _PERMIT.match(text)
        if not match:
            return None
        between = "|" if "|" in match[1] else ","
        kept = [digit for digit in re.findall("[0-9]", match[1]) if int(digit) < 3] or ["1"]
        return text[: match.start(1)] + between.join(kept) + text[match.end(1) :]

    return rewritten(previous, rewrite)


# TrustArc's blocklist for Google Tag Manager: the kinds of tags it may not run, "-" between
_BLOCKED_ADVERTISING = frozenset({"awct", "flc", "fls", "sp", "gclidw"})  # Google Ads, Floodlight, remarketing, linker
_BLOCKED_ANALYTICS = frozenset({"ga", "ua", "gaawe", "gaawc"})  # Google Analytics, all generations


def read_trustarc_blocklist(value: str | bytes) -> Statement:
    """Return what ``cmapi_gtm_bl=ga-ms-ua-…`` refuses; an empty list says nothing."""
    for text in layers(value):
        kinds = set(text.split("-"))
        answers = {}
        if kinds & _BLOCKED_ADVERTISING:
            answers["advertising"] = Answer.OUT
        if kinds & _BLOCKED_ANALYTICS:
            answers["analytics"] = Answer.OUT
        if answers:
            said = [statement_of({category: answer}, "trustarc") for category, answer in answers.items()]
            together = said[0] if len(said) == 1 else said[0].merge(said[1])
            return together.described("trustarc tag blocklist")
    return NOTHING.saying("trustarc: no blocklist")


_COMMANDERS_ACT = {  # TC_PRIVACY=1@003|1|432@@@…: the reverse of what it looks like, 1 is opted out
    "1": Answer.OUT,
    "0": Answer.IN,
}


def read_commanders_act(value: str | bytes) -> Statement:
    """Return what the first field of ``TC_PRIVACY`` says."""
    for text in layers(value):
        answer = _COMMANDERS_ACT.get(text.partition("@")[0]) if "@" in text else None
        if answer:
            return Statement.advertising(answer, "", analytics=answer).described("commanders act")
    return NOTHING.saying("commanders act: no status")


_SHOPIFY = re.compile(r"3\.([A-Za-z]{0,8})_")
_SHOPIFY_GRANTS = (("A", "analytics"), ("M", "targeted_advertising"), ("S", "sale"))


def read_shopify_compact(value: str | bytes) -> Statement | None:
    """Return what ``3.AMPS_USCA_f_f_…`` says: the letters of what is granted; None for another notation."""
    for text in layers(value):
        match = _SHOPIFY.match(text)
        if match:
            said = {use: Answer.IN if letter in match[1].upper() else Answer.OUT for letter, use in _SHOPIFY_GRANTS}
            return Statement(**said, sharing=said["sale"]).described("shopify")
    return None


def shopify_compact_opted_out(previous: str) -> str | None:
    """Return the compact notation without the letters of marketing and sale."""

    def rewrite(text: str) -> str | None:
        match = _SHOPIFY.match(text)
        return f"3.{re.sub('[MSms]', '', match[1])}_{text[match.end() :]}" if match else None

    return rewritten(previous, rewrite)


def read_axeptio_vendors(value: str | bytes) -> Statement:
    """Return what ``axeptio_authorized_vendors=,google_analytics,`` says: nobody in it is a refusal of all."""
    for text in layers(value):
        if text.startswith(",") and text.endswith(","):
            vendors = [vendor for vendor in text.split(",") if vendor]
            return granted_only((), "axeptio") if not vendors else NOTHING.saying("axeptio: some vendors authorised")
    return NOTHING.saying("axeptio: no list of vendors")

"""Every cookie in which a visitor's choice may stand: who reads it, and who can make it agree.

The registry is a table; ``docs/signals.md`` explains each line and is checked against it. Three rules for
reading a request's cookies:

* *Every* value counts. A name that occurs twice is read twice, because a host-only and a domain cookie may
  disagree and the wire does not tell which is newer.
* What says nothing stays in the result, so that a report can tell "seen, silent" from "not seen".
* What is not read is said to be so, and taken as an opt-out: one value of more than 8 KiB, or hundreds of
  consent cookies, come from no browser, and an opt-out must not be lost in such a heap.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from optout_gate.signals import gpp, json_cookies, onetrust, plain_cookies, tcf, usprivacy
from optout_gate.signals.cookies import pairs
from optout_gate.signals.dialects import Listing, Tree, Word
from optout_gate.signals.escapes import oversized
from optout_gate.signals.statement import ADVERTISING_USES, Answer, Statement

MAX_READ_COOKIES = 200  # Chromium keeps 180 cookies of one site, Firefox 150
MAX_READ_BYTES = 32 * 1024  # of their values; some 40 ms at worst, and sites' consent cookies stay below 10 KiB

KEPT_VALUES = 512  # a page's twenty requests bring the same strings: read once, in 30 µs each. At most 4 MiB

UNREAD = "unread"
"""The format of a reading that was not read for its size; to be counted."""

OneTrustGroups = Mapping[str, tuple[str, ...]]
"""OneTrust category ids and the uses that each is about: :data:`onetrust.GROUPS` and the site's own."""

Read = Callable[[str | bytes], Statement]
Write = Callable[[str], str | None]


class CookieReading(NamedTuple):
    """What one cookie says, by one format."""

    format: str
    cookie: str
    statement: Statement


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie that a format reads.

    Attributes:
        format: the format's id, as in reports, metrics and ``docs/signals.md``.
        name: the cookie's name; one ``*`` stands for any characters.
        read: turns its value into a statement.
        opted_out: turns its value into one that says *opted out*; None where the gate leaves the cookie alone.
        silent: True when it answers nothing by itself, whatever its value is: it belongs to another one.
    """

    format: str
    name: str
    read: Read
    opted_out: Write | None = None
    silent: bool = False


def _both(format_: str, name: str, notation: Word | Listing | Tree) -> Cookie:
    return Cookie(format_, name, notation.read, notation.opted_out)


COOKIES: tuple[Cookie, ...] = (
    *(Cookie("usprivacy", name, usprivacy.read, usprivacy.opted_out) for name in usprivacy.COOKIES),
    *(Cookie("gpp", name, gpp.read, gpp.opted_out) for name in gpp.COOKIES),
    *(Cookie("gpp", name, gpp.read_sid, silent=True) for name in gpp.SID_COOKIES),
    *(Cookie("tcf", name, tcf.read) for name in tcf.COOKIES),
    Cookie("onetrust-gpc", "OptanonConsent", onetrust.read_flags),
    Cookie("onetrust", "OptanonConsent", onetrust.read_groups, onetrust.opted_out),
    Cookie("onetrust", "OptanonAlertBoxClosed", onetrust.read_alert_box_closed, silent=True),
    Cookie("onetrust-google", "OneTrustWPCCPAGoogleOptOut", onetrust.read_google_opt_out, onetrust.google_opted_out),
    _both("cookiebot", "CookieConsent", plain_cookies.COOKIEBOT),
    Cookie(
        "trustarc",
        "notice_preferences",
        plain_cookies.read_trustarc_level,
        plain_cookies.trustarc_level_opted_out,
    ),
    Cookie(
        "trustarc",
        "notice_gdpr_prefs",
        plain_cookies.read_trustarc_levels,
        plain_cookies.trustarc_levels_opted_out,
    ),
    Cookie(
        "trustarc",
        "cmapi_cookie_privacy",
        json_cookies.read_trustarc_permit,
        json_cookies.trustarc_permit_opted_out,
    ),
    Cookie("trustarc", "cmapi_gtm_bl", plain_cookies.read_trustarc_blocklist),
    _both("osano", "osano_consentmanager", json_cookies.OSANO),
    Cookie("didomi", "didomi_token", json_cookies.read_didomi),
    Cookie("ketch", "_ketch_consent_v1_", json_cookies.read_ketch),
    Cookie("ketch", "_swb_consent_", json_cookies.read_ketch),
    Cookie("ketch", "gpcsignal", plain_cookies.read_ketch_gpc),
    Cookie("fides", "fides_consent", json_cookies.read_fides, json_cookies.fides_opted_out),
    Cookie("fides", "fides_consent_*", json_cookies.read_fides, json_cookies.fides_opted_out),
    _both("transcend", "tcm", json_cookies.TRANSCEND),
    Cookie("securiti", "__privaci_cookie_consents", json_cookies.read_securiti),
    _both("civic", "CookieControl", json_cookies.CIVIC),
    _both("cookieyes", "cookieyes-consent", plain_cookies.COOKIEYES),
    _both("cookieyes", "cookielawinfo-checkbox-advertisement", plain_cookies.COOKIELAWINFO_ADVERTISEMENT),
    Cookie("cookieyes", "cookielawinfo-checkbox-analytics", plain_cookies.COOKIELAWINFO_ANALYTICS.read),
    Cookie("cookieyes", "cookielawinfo-checkbox-performance", plain_cookies.COOKIELAWINFO_ANALYTICS.read),
    _both("complianz", "cmplz_marketing", plain_cookies.COMPLIANZ_MARKETING),
    Cookie("complianz", "cmplz_statistics", plain_cookies.COMPLIANZ_STATISTICS.read),
    Cookie("iubenda", "_iub_cs-*", json_cookies.read_iubenda_any, json_cookies.iubenda_opted_out),
    Cookie("cookiescript", "CookieScriptConsent", json_cookies.read_cookiescript),
    _both("cookiefirst", "cookiefirst-consent", json_cookies.COOKIEFIRST),
    Cookie("cookie-information", "CookieInformationConsent", json_cookies.read_cookieinformation),
    Cookie("axeptio", "axeptio_cookies", json_cookies.AXEPTIO.read),
    Cookie("axeptio", "axeptio_authorized_vendors", plain_cookies.read_axeptio_vendors),
    Cookie("commanders-act", "TC_PRIVACY", plain_cookies.read_commanders_act),
    Cookie("tealium", "CONSENTMGR", plain_cookies.read_consentmgr, plain_cookies.consentmgr_opted_out),
    _both("tealium-optout", "OPTOUTMULTI", plain_cookies.OPTOUTMULTI),
    _both("ensighten", "*_ENSIGHTEN_PRIVACY_Advertising", plain_cookies.ENSIGHTEN_ADVERTISING),
    _both("ensighten", "*_ENSIGHTEN_PRIVACY_Marketing", plain_cookies.ENSIGHTEN_ADVERTISING),
    Cookie("ensighten", "*_ENSIGHTEN_PRIVACY_Analytics", plain_cookies.ENSIGHTEN_ANALYTICS.read),
    _both("adobe", "kndctr_*_AdobeOrg_consent", plain_cookies.ADOBE),
    _both("hubspot", "__hs_cookie_cat_pref", plain_cookies.HUBSPOT),
    _both("hubspot", "__hs_opt_out", plain_cookies.HUBSPOT_OPT_OUT),
    _both("hubspot", "__hs_do_not_track", plain_cookies.HUBSPOT_OPT_OUT),
    Cookie("shopify", "_tracking_consent", json_cookies.read_shopify, json_cookies.shopify_opted_out),
    Cookie("shopify", "_cmp_a", json_cookies.read_shopify, json_cookies.shopify_opted_out),
    Cookie("piwik-pro", "ppms_privacy_*", json_cookies.PIWIK_PRO.read),
    Cookie("pandectes", "_pandectes_gdpr", json_cookies.read_pandectes),
    Cookie("evidon", "_evidon_consent_cookie", json_cookies.read_evidon),
    _both("datagrail", "datagrail_consent_preferences", plain_cookies.DATAGRAIL),
    _both("datagrail", "datagrail_consent_preferences_s", plain_cookies.DATAGRAIL),
    Cookie("c15t", "c15t", json_cookies.read_c15t, json_cookies.c15t_opted_out),
    Cookie("klaro", "klaro", json_cookies.KLARO.read),
    Cookie("orestbida", "cc_cookie", json_cookies.read_orestbida),
)

FORMATS: frozenset[str] = frozenset(cookie.format for cookie in COOKIES)
"""The ids of all formats that are read from cookies."""


def _table() -> dict[bytes, tuple[Cookie, ...]]:
    table: dict[bytes, tuple[Cookie, ...]] = {}
    for cookie in COOKIES:
        table[cookie.name.encode()] = (*table.get(cookie.name.encode(), ()), cookie)
    return table


_BY_NAME = _table()
_PATTERNS = [name for name in _BY_NAME if b"*" in name]
_ANY_PATTERN = re.compile(b"|".join(b"(%s)" % re.escape(name).replace(rb"\*", b".{0,200}") for name in _PATTERNS))


def readers(name: bytes) -> tuple[Cookie, ...]:
    """Return the lines of the registry that read a cookie of this name; none when no format does."""
    exact = _BY_NAME.get(name)
    if exact is not None:
        return exact
    match = _ANY_PATTERN.fullmatch(name)
    return _BY_NAME[_PATTERNS[match.lastindex - 1]] if match and match.lastindex else ()


_name_is_read = lru_cache(maxsize=4096)(lambda name: bool(readers(name)))
"""Whether some format reads a cookie of this name; a site's requests name the same few dozen."""

_MAX_KEPT_NAME_BYTES = 64  # so that what strangers send cannot fill the cache with more than 256 KiB


def names_any(line: bytes) -> bool:
    """Return True when a ``Cookie`` field line names a cookie that some format reads.

    Most lines name none, so this looks at names alone: about 2 µs for a line of ten cookies.
    """
    for raw in line.split(b";"):
        name = raw.partition(b"=")[0].strip(b" \t")
        if _name_is_read(name) if len(name) <= _MAX_KEPT_NAME_BYTES else readers(name):
            return True
    return False


def read_cookies(lines: Iterable[bytes], onetrust_groups: OneTrustGroups = onetrust.GROUPS) -> list[CookieReading]:
    """Return what each consent cookie in the ``Cookie`` field ``lines`` says, in wire order.

    Never raises. A cookie that is too large, or one too many, is a reading of the format :data:`UNREAD` and
    stands for an opt-out. ``onetrust_groups`` is what the site's own OneTrust categories mean.
    """
    found: list[CookieReading] = []
    seen: set[tuple[bytes, bytes]] = set()
    budget_bytes = MAX_READ_BYTES
    for name, value in pairs(lines):
        formats = readers(name)
        if not formats or (name, value) in seen:
            continue
        if oversized(value):
            found.append(_unread(formats[0].name, "is longer than any browser's cookie"))
            continue
        budget_bytes -= len(value)
        if len(seen) >= MAX_READ_COOKIES or budget_bytes < 0:
            found.append(_unread(formats[0].name, "and those behind it are more than any browser keeps"))
            break
        seen.add((name, value))
        found += _kept_said(name, value) if onetrust_groups is onetrust.GROUPS else _said(name, value, onetrust_groups)
    return found


def _said(name: bytes, value: bytes, onetrust_groups: OneTrustGroups) -> tuple[CookieReading, ...]:
    return tuple(
        CookieReading(
            cookie.format,
            cookie.name,
            onetrust.read_groups(value, onetrust_groups) if cookie.read is onetrust.read_groups else cookie.read(value),
        )
        for cookie in readers(name)
    )


@lru_cache(maxsize=KEPT_VALUES)
def _kept_said(name: bytes, value: bytes) -> tuple[CookieReading, ...]:
    return _said(name, value, onetrust.GROUPS)


def _unread(cookie: str, why: str) -> CookieReading:
    statement = Statement.advertising(Answer.OUT, f"{cookie} {why}: not read, and taken as an opt-out")
    return CookieReading(UNREAD, cookie, statement)


def opted_out(
    name: bytes,
    value: bytes,
    onetrust_groups: OneTrustGroups = onetrust.GROUPS,
    *,
    notice_given: bool = True,
    lspa: bool = False,
) -> bytes | None:
    """Return the value that makes the cookie ``name`` say *opted out*, or None when the gate cannot write it.

    The value is replaced whole; one that already says so comes back as it is. ``notice_given`` and ``lspa`` are what
    a US Privacy String says of the site where the value that stood does not.
    """
    if oversized(value):
        return None
    if onetrust_groups is onetrust.GROUPS:
        return _kept_opted_out(name, value, notice_given, lspa)
    return _opted_out(name, value, notice_given, lspa, onetrust_groups)


def _opted_out(
    name: bytes, value: bytes, notice_given: bool, lspa: bool, onetrust_groups: OneTrustGroups
) -> bytes | None:
    text = value.decode("utf-8", "surrogateescape")
    for cookie in readers(name):
        if cookie.opted_out is None:
            continue
        if cookie.opted_out is onetrust.opted_out:
            new = onetrust.opted_out(text, onetrust_groups)
        elif cookie.opted_out is usprivacy.opted_out:
            new = usprivacy.opted_out(text, notice_given=notice_given, lspa=lspa)
        else:
            new = cookie.opted_out(text)
        if new is not None:
            return new.encode("utf-8", "surrogateescape")
    return None


@lru_cache(maxsize=KEPT_VALUES)
def _kept_opted_out(name: bytes, value: bytes, notice_given: bool, lspa: bool) -> bytes | None:
    return _opted_out(name, value, notice_given, lspa, onetrust.GROUPS)


def contradictions(said: Iterable[tuple[str, Statement]]) -> list[tuple[str, str]]:
    """Return the pairs of formats of which one refuses a use that the other allows, each pair once, in order.

    A format that contradicts itself (two cookies of one name) is paired with itself. The ids come from the
    caller's code and the registry, never from the request, so that they may label a metric.
    """
    statements = list(said)
    found: set[tuple[str, str]] = set()
    for use in ADVERTISING_USES:
        refusing = {format_ for format_, statement in statements if getattr(statement, use) is Answer.OUT}
        allowing = {format_ for format_, statement in statements if getattr(statement, use) is Answer.IN}
        found |= {(min(out, in_), max(out, in_)) for out in refusing for in_ in allowing}
    return sorted(found)

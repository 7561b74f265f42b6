"""Consent platforms whose cookie is a JSON object, plain, in base64 or compressed.

Each line is a platform. Two rules for what is not named: a closed list of what was *granted* refuses the rest,
and where a platform stores a site's own ids instead of names, one refusal among them counts as a refusal of
advertising, since nothing tells that it was not.
"""

import base64
import binascii
import zlib
from collections.abc import Iterable
from typing import Any

from optout_gate.signals import gpp, plain_cookies
from optout_gate.signals.categories import granted_only, statement_of
from optout_gate.signals.dialects import Tree, answer_of
from optout_gate.signals.escapes import base64_object, json_object, json_text, layers, rewritten
from optout_gate.signals.statement import ADVERTISING_USES, NOTHING, Answer, Statement

MAX_INFLATED_BYTES = 64 * 1024  # a Fides cookie with its TCF part inflates to some 10 KB

# {"ESSENTIAL":"ACCEPT","MARKETING":"DENY","OPT_OUT":"ACCEPT"}: to accept OPT_OUT is to opt out. Normally encrypted.
OSANO = Tree("osano", categories={"OPT_OUT": "sale or sharing"}, inverted=frozenset({"OPT_OUT"}))

# {"purposes":{"Advertising":false,"Analytics":"Auto"},"confirmed":true}: Auto is undecided, GPC decides it
TRANSCEND = Tree("transcend", ("purposes",))

# {"consents":{"12":1,"13":0}}: ids are the site's
SECURITI = Tree("securiti", ("consents",), opaque=True)

# {"optionalCookies":{"marketing":"revoked","analytics":"accepted"}}
CIVIC = Tree("civic", ("optionalCookies",))

# {"necessary":true,"performance":false,"functional":false,"advertising":false}
COOKIEFIRST = Tree("cookiefirst")

# {"timestamp":…,"purposes":{"1":true,"4":true,"5":false}}
IUBENDA = Tree(
    "iubenda",
    ("purposes",),
    categories={"1": "necessary", "2": "functionality", "3": "experience", "4": "measurement", "5": "marketing"},
)

# {"s":true,"sh":true,"adv":true}: sale, sharing, targeted advertising; true is allowed
IUBENDA_US = Tree("iubenda", categories={"s": "sale", "sh": "sharing", "adv": "advertising"})

# {"consents":{"analytics":{"status":1},"remarketing":{"status":-1}}}: 0 is undecided
PIWIK_PRO = Tree("piwik-pro", ("consents",), word="status", undecided=frozenset({"0"}), opaque=True)

# {"google-analytics":true,"some-service":false}: services are the site's
KLARO = Tree("klaro", opaque=True)

# {"$$token":…,"$$completed":true,"facebook_pixel":false}: vendors are the site's
AXEPTIO = Tree("axeptio", opaque=True)

# {"consent_date":…,"categories":{"7":true},"vendors":{"7":{"14":true,"17":false}}}: ids are the site's
_EVIDON_CATEGORIES = Tree("evidon", ("categories",), opaque=True)

_SHOPIFY_PURPOSES = {"a": "analytics", "m": "marketing", "p": "preferences", "t": "sale or sharing"}
_SHOPIFY = Tree("shopify", ("purposes",), categories=_SHOPIFY_PURPOSES)
_SHOPIFY_CMP = Tree(
    "shopify",
    ("con", "CMP"),
    categories={"a": "analytics", "m": "marketing", "p": "preferences", "s": "sale or sharing"},
)


_C15T_OBJECT = Tree("c15t", ("consents",))

# {"f":true,"a":false}: TrustArc's newer notation
_TRUSTARC_OBJECT = Tree("trustarc", categories={"a": "advertising", "f": "functional"})


def read_evidon(value: str | bytes) -> Statement:
    """Return what categories and vendors of ``_evidon_consent_cookie`` say together."""
    said = _EVIDON_CATEGORIES.read(value)
    for text in layers(value):
        found = json_object(text)
        groups = found.get("vendors") if found else None
        for vendors in groups.values() if isinstance(groups, dict) else ():
            if isinstance(vendors, dict):
                said = said.merge(_EVIDON_CATEGORIES.statement(vendors))
    return said.described("evidon")


def read_securiti(value: str | bytes) -> Statement:
    """Return what ``{"consents":{…}}`` says; an empty map is how a refusal of everything is stored."""
    for text in layers(value):
        found = json_object(text)
        if found is not None and found.get("consents") == {}:
            return granted_only((), "securiti")
    return SECURITI.read(value)


def read_shopify(value: str | bytes) -> Statement:
    """Return what ``_tracking_consent`` or ``_cmp_a`` says, in the compact notation or one of two older ones."""
    compact = plain_cookies.read_shopify_compact(value)
    return compact or _SHOPIFY.read(value).merge(_SHOPIFY_CMP.read(value)).described("shopify")


def shopify_opted_out(previous: str) -> str | None:
    """Return ``_tracking_consent`` with marketing and sale refused, or None when it is in neither notation."""
    compact = plain_cookies.shopify_compact_opted_out(previous)
    if compact is not None:
        return compact
    purposes = _SHOPIFY.opted_out(previous)
    consents = _SHOPIFY_CMP.opted_out(purposes or previous)
    return consents or purposes


def read_iubenda(value: str | bytes) -> Statement:
    """Return what ``_iub_cs-…`` says; older cookies hold one ``consent`` for everything."""
    for text in layers(value):
        found = json_object(text)
        if found is None or "purposes" in found:
            continue
        answer = answer_of(found.get("consent"))
        if answer is not Answer.UNKNOWN:
            return Statement.advertising(answer, "", analytics=answer).described("iubenda")
    return IUBENDA.read(value)


def read_iubenda_any(value: str | bytes) -> Statement:
    """Return what either of iubenda's cookies says, the consent or the US preferences (``…-uspr``)."""
    for text in layers(value):
        found = json_object(text)
        if found is not None and {"s", "sh", "adv"} & found.keys():
            return IUBENDA_US.statement(found)
    return read_iubenda(value)


def iubenda_opted_out(previous: str) -> str | None:
    """Return either of iubenda's cookies with advertising refused, or None for another object."""
    us_preferences = any({"s", "sh", "adv"} & (json_object(text) or {}).keys() for text in layers(previous))
    return (IUBENDA_US if us_preferences else IUBENDA).opted_out(previous)


def read_trustarc_permit(value: str | bytes) -> Statement:
    """Return what ``cmapi_cookie_privacy`` says: ``permit 1,2,3``, or ``{"f":true,"a":false}`` in newer versions."""
    for text in layers(value):
        found = json_object(text)
        if found is not None and {"a", "f"} & found.keys():
            known = {name: word for name, word in found.items() if name in _TRUSTARC_OBJECT.categories}
            return _TRUSTARC_OBJECT.statement(known)
    return plain_cookies.read_trustarc_permit(value)


def trustarc_permit_opted_out(previous: str) -> str | None:
    """Return ``cmapi_cookie_privacy`` with advertising refused, in the notation that it is in."""
    return plain_cookies.trustarc_permit_opted_out(previous) or _TRUSTARC_OBJECT.opted_out(previous)


def read_didomi(value: str | bytes) -> Statement:
    """Return what the purposes of a ``didomi_token`` say: enabled and disabled ones, by anyone's ids."""
    for text in layers(value):
        found = base64_object(text)
        purposes = found.get("purposes") if found else None
        if isinstance(purposes, dict):
            answers = dict.fromkeys(_words(purposes.get("enabled")), Answer.IN)
            answers |= dict.fromkeys(_words(purposes.get("disabled")), Answer.OUT)
            return statement_of(answers, "didomi", opaque=True)
    return NOTHING.saying("didomi: not a token")


def read_ketch(value: str | bytes) -> Statement:
    """Return what ``_ketch_consent_v1_`` says; a purpose is known by its own name or by its canonical ones."""
    for text in layers(value):
        found = base64_object(text)
        if found is None:
            continue
        entries = found.get("purposes", found)
        if not isinstance(entries, dict):
            continue
        answers: dict[str, Answer] = {}
        for name, entry in entries.items():
            if not isinstance(entry, dict):
                continue
            category = " ".join([name, *_words(entry.get("canonicalPurposes"))])
            answers[category] = answer_of(entry.get("status", entry.get("allowed")))
        return statement_of(answers, "ketch")
    return NOTHING.saying("ketch: not a consent object")


def _fides_object(text: str) -> dict[str, Any] | None:
    if not text.startswith("gzip:"):
        return json_object(text)
    body = text.removeprefix("gzip:").rstrip("=").replace("-", "+").replace("_", "/")
    try:
        inflater = zlib.decompressobj(wbits=31)
        packed = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
        raw = inflater.decompress(packed, MAX_INFLATED_BYTES)
    except (binascii.Error, ValueError, zlib.error):
        return None
    return json_object(raw.decode("utf-8", "replace"))


FIDES = Tree("fides", ("consent",), open=_fides_object)


def read_fides(value: str | bytes) -> Statement:
    """Return what a ``fides_consent`` says: its notices, and the GPP string inside it (``TC,AC,GPP,NC``)."""
    said = FIDES.read(value)
    for text in layers(value):
        found = _fides_object(text)
        strings = found.get("fides_string") if found else None
        if isinstance(strings, str) and strings.count(",") >= 2:
            return said.merge(gpp.read(strings.split(",")[2])).described("fides")
    return said


def fides_opted_out(previous: str) -> str | None:
    """Return a plain ``fides_consent`` with advertising refused, in its GPP string too; None when compressed."""

    def rewrite(text: str) -> str | None:
        found = json_object(FIDES.opted_out(text) or "")
        if found is None:
            return None
        strings = found.get("fides_string")
        parts = strings.split(",") if isinstance(strings, str) else []
        if len(parts) >= 3 and parts[2] and not gpp.read(parts[2]).opted_out:
            found["fides_string"] = ",".join([*parts[:2], gpp.opted_out(parts[2]), *parts[3:]])
        return text if found == json_object(text) else json_text(found)

    return rewritten(previous, rewrite)


def read_cookiescript(value: str | bytes) -> Statement:
    """Return what ``action`` and ``categories`` say; the list is JSON inside a string, and a rejection has none."""
    for text in layers(value):
        found = json_object(text)
        if found is None or "action" not in found:
            continue
        if answer_of(found["action"]) is Answer.OUT:
            return granted_only((), "cookiescript")
        if "categories" in found:
            return granted_only(_words(found["categories"]), "cookiescript")
        if answer_of(found["action"]) is Answer.IN:
            return granted_only(("targeting", "performance"), "cookiescript")
    return NOTHING.saying("cookiescript: no action")


def read_cookieinformation(value: str | bytes) -> Statement:
    """Return what ``{"consents_approved":["cookie_cat_marketing"],"consents_denied":[]}`` says."""
    for text in layers(value):
        found = json_object(text)
        if found is not None and isinstance(found.get("consents_approved"), list):
            return granted_only(_words(found["consents_approved"]), "cookie information")
    return NOTHING.saying("cookie information: no approvals")


def read_orestbida(value: str | bytes) -> Statement:
    """Return what ``{"categories":["necessary","analytics"]}`` says; version 1 called the list ``level``."""
    for text in layers(value):
        found = json_object(text)
        accepted = found.get("categories", found.get("level")) if found else None
        if isinstance(accepted, list):
            return granted_only(_words(accepted), "cookieconsent")
    return NOTHING.saying("cookieconsent: no categories")


def read_c15t(value: str | bytes) -> Statement:
    """Return what ``c15t`` says in its compact notation or, in older versions, as JSON ``{"consents":{…}}``."""
    compact = plain_cookies.C15T.read(value)
    return compact if not compact.silent else _C15T_OBJECT.read(value)


def c15t_opted_out(previous: str) -> str | None:
    """Return ``c15t`` with marketing refused, in the notation that it is in."""
    return plain_cookies.C15T.opted_out(previous) or _C15T_OBJECT.opted_out(previous)


_PANDECTES_BITS = ((4, ADVERTISING_USES), (2, ("analytics",)))  # a set bit is a *refused* category; 1 is functional


def read_pandectes(value: str | bytes) -> Statement:
    """Return what the bits of ``{"preferences":4}`` refuse; 0 refuses nothing."""
    for text in layers(value):
        found = base64_object(text)
        bits = found.get("preferences") if found else None
        if isinstance(bits, int) and not isinstance(bits, bool):
            said = {use: Answer.OUT if bits & bit else Answer.IN for bit, uses in _PANDECTES_BITS for use in uses}
            return Statement(**said).described("pandectes")
    return NOTHING.saying("pandectes: no preferences")


def _words(entries: object) -> list[str]:
    """Return the words of a list, or of a JSON list inside a string, or of a comma-separated string."""
    if isinstance(entries, str):
        listed = json_object('{"words":' + entries + "}")
        entries = listed["words"] if listed else entries.split(",")
    return [entry for entry in entries if isinstance(entry, str)] if isinstance(entries, Iterable) else []

"""What is left of a response header field's value once denied vendors are out of it: one function a syntax.

Nothing is parsed and printed where cutting does: a member that is denied is cut out, its neighbours stay as they were.
Each function takes a value and a judge and returns what stands in its place; None drops the line.
"""

import json
import re
from collections.abc import Callable

from optout_gate.policy.decision import Verdict
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.references import NOT_FETCHED
from optout_gate.trackers.purposes import Purpose

FieldRewrite = Callable[[bytes, Judge], bytes | None]

# A quote without its end goes to the end, and nothing is tried twice: 16 KB behind such a quote took a minute.
_LINK = re.compile(rb'\s*+<([^>]*+)>((?:[^,"]|"(?:\\.|[^"\\])*+"?)*+)(?:,|\Z)', re.DOTALL)
_REL = re.compile(rb';\s*rel\s*=\s*(?:"([^"]*)"|([^;,\s]+))', re.IGNORECASE)
_SRCSET = re.compile(rb';\s*imagesrcset\s*=\s*(?:"([^"]*)"|([^;,\s]+))', re.IGNORECASE)
_URL = re.compile(rb"(?:https?:)?//[^\s\"'<>,;()]+", re.IGNORECASE)
_MEMBER = re.compile(rb'\s*+((?:[^,"]|"(?:\\.|[^"\\])*+"?)++)(?:,|\Z)', re.DOTALL)
_ORIGIN = re.compile(rb'\s*"(https?://[^"]*)"')
_DIRECTIVE = re.compile(rb"\s*(report-uri)\s+([^;,]*)", re.IGNORECASE)


def _denied(url: bytes, judge: Judge) -> bool:
    text = url.decode("latin-1")
    verdict = judge.reference(text, judge.page, "other")
    if verdict is not None:
        judge.removals.add("header", verdict, text)
    return verdict is not None


def set_cookie(value: bytes, judge: Judge) -> bytes | None:
    """Return a cookie unless it is a denied vendor's."""
    name = value.partition(b";")[0].partition(b"=")[0].strip(b" \t").decode("latin-1")
    verdict = judge.cookie(name)
    if verdict is None:
        return value
    judge.removals.add("cookie", verdict, name)
    return None


def link(value: bytes, judge: Judge) -> bytes | None:
    """Return the links that load nothing from a denied vendor and do not connect to one (RFC 8288)."""
    kept: list[bytes] = []
    changed = False
    for match in _LINK.finditer(value):
        url = match[1].decode("latin-1")
        rel = _REL.search(match[2])
        rels = (rel[1] or rel[2] or b"").decode("latin-1").lower().split() if rel is not None else []
        if rels and NOT_FETCHED.issuperset(rels):
            verdict = None
        elif "preconnect" in rels or "dns-prefetch" in rels:
            verdict = judge.connection(url, judge.page)
        else:
            verdict = judge.reference(url, judge.page, "other") or _candidate(match[2], judge)
        if verdict is None:
            kept.append(match.group().strip().rstrip(b",").rstrip())
        else:
            judge.removals.add("header", verdict, url)
            changed = True
    if not changed:
        return value
    return b", ".join(kept) or None


def _candidate(parameters: bytes, judge: Judge) -> Verdict | None:
    """Return the verdict that denies one of the pictures that a preload chooses from."""
    sizes = _SRCSET.search(parameters)
    words = (sizes[1] or sizes[2]).decode("latin-1").replace(",", " ").split() if sizes is not None else []
    return next((found for word in words if (found := judge.reference(word, judge.page, "image")) is not None), None)


def no_denied_url(value: bytes, judge: Judge) -> bytes | None:
    """Return the value unless an address in it is denied."""
    return None if any(_denied(match.group(), judge) for match in _URL.finditer(value)) else value


def members(value: bytes, judge: Judge) -> bytes | None:
    """Return the members of a list or dictionary (RFC 9651) that name no denied address."""
    found = [match[1].strip() for match in _MEMBER.finditer(value)]
    kept = [member for member in found if no_denied_url(member, judge) is not None]
    if len(kept) == len(found):
        return value
    return b", ".join(kept) or None


def report_to(value: bytes, judge: Judge) -> bytes | None:
    """Return the groups of the first Reporting API without denied endpoints; a group with none left goes."""
    if no_denied_url(value, judge) is value:
        return value
    try:
        groups = json.loads(b"[" + value + b"]")
        kept = [{**group, "endpoints": _own_endpoints(group["endpoints"], judge)} for group in groups]
    except (ValueError, RecursionError, TypeError, KeyError):
        return None
    return b", ".join(json.dumps(group).encode() for group in kept if group["endpoints"]) or None


def _own_endpoints(endpoints: list[dict[str, str]], judge: Judge) -> list[dict[str, str]]:
    return [each for each in endpoints if judge.reference(each["url"], judge.page, "other") is None]


def csp(value: bytes, judge: Judge) -> bytes:
    """Return a Content-Security-Policy without ``report-uri`` of denied vendors; what it forbids stays forbidden."""
    policies: list[bytes] = []
    for policy in value.split(b","):
        directives: list[bytes] = []
        for directive in policy.split(b";"):
            reports = _DIRECTIVE.fullmatch(directive)
            if reports is None:
                directives.append(directive)
                continue
            urls = reports[2].split()
            kept = [url for url in urls if not _denied(url, judge)]
            if len(kept) == len(urls):
                directives.append(directive)
            elif kept:
                directives.append(b" " + reports[1] + b" " + b" ".join(kept))
        policies.append(b";".join(directives))
    changed = b",".join(policies)
    return value if changed == value else changed.strip()


def permissions(value: bytes, judge: Judge) -> bytes:
    """Return a Permissions-Policy that lends nothing to a denied vendor: neither features nor client hints."""

    def origin(match: re.Match[bytes]) -> bytes:
        return b"" if _denied(match[1], judge) else match.group()

    changed = _ORIGIN.sub(origin, value)
    return value if changed == value else changed.replace(b"( ", b"(")


def advertising(value: bytes, judge: Judge) -> bytes | None:
    """Return nothing where advertising is denied: the field serves no other purpose."""
    return None if Purpose.ADVERTISING in judge.decision.denied else value

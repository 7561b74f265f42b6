"""Opt-out strings that agree: what a visitor refused once, no other string on the site says they allowed.

A site that strips every tracker and leaves ``usprivacy=1YNN`` in the browser is graded as one that ignores the signal,
and rightly: server-side tags, partners and the page's own code go by the string. So for a visitor who refused sale,
sharing or targeted advertising, three streams of cookies are made to agree:

* ``Cookie`` on the way to the origin: what the origin's code and its server-side tags read;
* ``Set-Cookie`` on the way to the browser: what the origin, or a consent platform behind it, would have it say;
* what stands in the browser already, written there by a script, is set anew with the page.

A string is written anew as a whole, by :func:`optout_gate.signals.formats.opted_out`; attributes of a ``Set-Cookie``
stay. What the site does not use is not invented, unless the configuration lists it. Everything else keeps its bytes.

The third stream has a trap. A ``Cookie`` field does not say which domain a cookie was set for, and one set anew for the
host alone would stand *beside* one for the whole domain, behind it, and be read second. So it is set for the host and
for every domain above it; browsers refuse those that are public suffixes (RFC 6265bis §5.6).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from optout_gate.http import Headers, Pair
from optout_gate.policy.config import CookieConfig, SiteConfig
from optout_gate.policy.decision import Decision
from optout_gate.signals import formats, gpp, onetrust, usprivacy
from optout_gate.signals.cookies import pairs
from optout_gate.signals.kinds import GPC
from optout_gate.signals.opt_out_cookie import REMEMBERED, Choice, set_line
from optout_gate.signals.reading import Reading

MAX_STRINGS_SET = 8  # on one response: a site keeps one to five, and each takes a line for every domain
_MAX_DOMAINS = 3  # above the host: www.shop.example.co.uk has three
_NAME = re.compile(rb"[!-:<>-~]+\Z")
_VALUE = re.compile(rb"[^\x00-\x1f;\x7f]*\Z")  # what browsers keep of a Set-Cookie (RFC 6265bis §5.6); blanks occur
_DOMAIN = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+\Z")


@dataclass(frozen=True, slots=True)
class Wording:
    """How a site's opt-out strings are written.

    Attributes:
        onetrust_groups: what its OneTrust categories mean.
        notice_given: whether a US Privacy String says that notice is given.
        lspa: whether it says that the site is under the IAB's contract.
        absent: cookies to set where no cookie of the format stands, by format.
        max_age_days: how long the gate's cookies last.
    """

    onetrust_groups: Mapping[str, tuple[str, ...]]
    notice_given: bool
    lspa: bool
    absent: tuple[tuple[str, tuple[Pair, ...]], ...]
    max_age_days: int

    @classmethod
    def of(cls, site: SiteConfig, cookie: CookieConfig) -> "Wording":
        """Return the wording that a site's configuration asks for."""
        asked = site.coherence
        sections = ",".join(map(str, asked.gpp_sections))
        fresh: dict[str, tuple[Pair, ...]] = {
            "usprivacy": (
                (
                    b"usprivacy",
                    usprivacy.opted_out(None, notice_given=asked.notice_given, lspa=asked.lspa).encode(),
                ),
            ),
            "gpp": ((b"__gpp", gpp.opted_out(None, asked.gpp_sections).encode()), (b"__gpp_sid", sections.encode())),
            "onetrust-google": ((b"OneTrustWPCCPAGoogleOptOut", onetrust.google_opted_out().encode()),),
        }
        absent = tuple((format_, fresh[format_]) for format_ in asked.write)
        return cls(site.all_onetrust_groups, asked.notice_given, asked.lspa, absent, cookie.max_age_days)

    def opted_out(self, name: bytes, value: bytes) -> bytes:
        """Return the value that says *opted out*, or ``value`` where it says so or the gate cannot write it."""
        if not formats.readers(name):
            return value
        new = formats.opted_out(name, value, self.onetrust_groups, notice_given=self.notice_given, lspa=self.lspa)
        return value if new is None else new

    def missing(self, cookies: list[Pair]) -> list[Pair]:
        """Return the cookies to set for formats that are asked for and of which none stands in ``cookies``."""
        stands = {reader.format for name, _ in cookies for reader in formats.readers(name)}
        return [pair for format_, fresh in self.absent if format_ not in stands for pair in fresh]


def toward_origin(headers: Headers, wording: Wording) -> Headers:
    """Return a request's header lines with every opt-out string in ``Cookie`` saying *opted out*."""
    missing = wording.missing(pairs(headers.values(b"cookie"))) if wording.absent else []
    if b"cookie" not in headers:
        return headers.plus((b"Cookie", _joined(missing))) if missing else headers
    out: list[Pair] = []
    for name, value in headers:
        if name.lower() == b"cookie":
            value = _line_toward_origin(value, wording)
            if missing:
                value, missing = value.rstrip(b" \t;") + b"; " + _joined(missing), []
        out.append((name, value))
    return Headers(out) if tuple(out) != headers.pairs else headers


def _joined(cookies: list[Pair]) -> bytes:
    return b"; ".join(b"%s=%s" % cookie for cookie in cookies)


def _line_toward_origin(line: bytes, wording: Wording) -> bytes:
    if not formats.names_any(line):
        return line
    return b";".join(_segment(raw, wording) for raw in line.split(b";"))


def _segment(raw: bytes, wording: Wording) -> bytes:
    """Return one cookie of a field, or the first part of a ``Set-Cookie``, its blanks as they were."""
    name, equals, value = raw.partition(b"=")
    stood = value.strip(b" \t")
    new = wording.opted_out(name.strip(b" \t"), stood) if equals else stood
    return raw if new == stood else name + equals + new


def toward_browser(headers: Headers, wording: Wording) -> Headers:
    """Return a response's header lines with every opt-out string that a ``Set-Cookie`` sets saying *opted out*."""
    if b"set-cookie" not in headers:
        return headers
    out = [
        (name, _set_cookie(value, wording)) if name.lower() == b"set-cookie" else (name, value)
        for name, value in headers
    ]
    return Headers(out) if tuple(out) != headers.pairs else headers


def _set_cookie(line: bytes, wording: Wording) -> bytes:
    cookie, semicolon, attributes = line.partition(b";")
    return _segment(cookie, wording) + semicolon + attributes


def remembering(decision: Decision, reading: Reading, cookie: CookieConfig, *, secure: bool) -> list[Pair]:
    """Return the ``Set-Cookie`` line that keeps an opt-out by the browser's signal, where it is to be and is not yet.

    Only the signal is kept: a consent platform keeps its visitor's choice itself, and one who changes it there has the
    last word. So has one whose consent records that they knew of the signal.
    """
    by_signal = any(signal.kind == GPC for signal in decision.because)
    if not (decision.policy.sticky and by_signal) or reading.own.choice is Choice.OUT or reading.own.informed:
        return []
    return [set_line(cookie.name, REMEMBERED, max_age_days=cookie.max_age_days, domain=cookie.domain, secure=secure)]


def standing(request: Headers, response: Headers, wording: Wording, *, host: str, secure: bool) -> list[Pair]:
    """Return the ``Set-Cookie`` lines that make what stands in the visitor's browser agree, for a page's response.

    ``host`` is the site's as the visitor asked for it. A cookie that the response itself sets, for the same domain, is
    left to it. Nothing is set for a string that agrees already, so that a browser which took the lines is sent none
    with the next page.
    """
    cookies = pairs(request.values(b"cookie"))
    taken = {_scope(value) for value in response.values(b"set-cookie")}
    new: dict[bytes, bytes] = {}
    for name, value in cookies:
        written = wording.opted_out(name, value)
        if written != value and name not in new and _NAME.match(name) and _VALUE.match(written):
            new[name] = written
    lines = [
        _line(name, value, wording, domain, secure)
        for name, value in list(new.items())[:MAX_STRINGS_SET]
        for domain in (None, *_domains(host))
        if (name, domain) not in taken
    ]
    absent = wording.missing(cookies) if wording.absent else []
    set_by_site = {name for name, _ in taken}
    return lines + [_line(*pair, wording, None, secure) for pair in absent if pair[0] not in set_by_site]


def _scope(line: bytes) -> tuple[bytes, str | None]:
    """Return the name that a ``Set-Cookie`` value sets, and the domain it is for; None for the host alone."""
    cookie, *attributes = line.split(b";")
    domain = ""
    for attribute in attributes:
        key, _, value = attribute.partition(b"=")
        if key.strip(b" \t").lower() == b"domain":
            domain = value.strip(b" \t").lstrip(b".").lower().decode("latin-1")
    return cookie.partition(b"=")[0].strip(b" \t"), domain or None


def _line(name: bytes, value: bytes, wording: Wording, domain: str | None, secure: bool) -> Pair:
    return set_line(name.decode("latin-1"), value, max_age_days=wording.max_age_days, domain=domain, secure=secure)


def _domains(host: str) -> list[str]:
    """Return the domains for which a page on ``host`` may set cookies, itself first; none for an address."""
    if not _DOMAIN.match(host) or host.rpartition(".")[2].isdigit():
        return []
    labels = host.split(".")
    return [".".join(labels[start:]) for start in range(len(labels) - 1)][:_MAX_DOMAINS]

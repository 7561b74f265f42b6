"""The gate's own first-party cookie: what a visitor chose on this site, or what their browser once said.

The first character is the choice, and everything behind it is a note about how it came to be::

    1                  opted out, on the preference page
    1.1.gpc            opted out, because the browser sent the signal (11 CCR §7025(c)(5): its later absence is no consent)
    0                  came back in, on the preference page
    0.1.gpc.20261123   came back in on that day, being told that the browser sends the signal
    0.1.none.20261123  came back in on that day; the browser sent no signal

Fields are choice, version of the note, signal seen, day. That is the record which 11 CCR §7025(c)(3) asks for before a
consent may stand against the signal: who cannot show that the visitor knew, has no such consent. A day, not a second:
a time to the second would tell visitors apart.

A browser may hold several cookies of one name (host-only and for a domain, or for two paths) and sends them all: one
that says *out* is enough. A note that cannot be read is no note, and never undoes the choice before it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from optout_gate.http import Pair

OUT = b"1"
IN = b"0"
REMEMBERED = b"1.1.gpc"
"""The value that keeps an opt-out which the browser's signal made."""

_VALUE = re.compile(rb"([01])(?:\.([0-9A-Za-z.]{0,40}))?\Z")
_CONSENT = re.compile(rb"1\.(gpc|none)\.((?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01]))\Z")


class Choice(StrEnum):
    """What the cookie says."""

    NONE = "none"
    OUT = "out"
    IN = "in"


@dataclass(frozen=True, slots=True)
class OwnCookie:
    """The gate's own cookie as it was read.

    Attributes:
        choice: what it says.
        informed: True when it records a consent that was given in knowledge of the browser's signal.
        day: the day of that consent, ``YYYYMMDD``; empty when none is recorded.
    """

    choice: Choice = Choice.NONE
    informed: bool = False
    day: str = ""


NOT_THERE = OwnCookie()


def read_own_cookie(lines: Iterable[bytes], name: str) -> OwnCookie:
    """Return what the cookie ``name`` in ``Cookie`` field ``lines`` holds. Never raises; an unknown value is no choice."""
    wanted = name.encode()
    found = NOT_THERE
    for line in lines:
        if wanted not in line:
            continue
        for pair in line.split(b";"):
            key, equals, value = pair.partition(b"=")
            if not equals or key.strip(b" \t") != wanted:
                continue
            said = _read(value.strip(b' \t"'))
            if said.choice is Choice.OUT:
                return said
            if said.choice is Choice.IN:
                # Of two consents the uninformed one counts: what cannot be shown for both is not shown.
                found = said if found.choice is Choice.NONE or not said.informed else found
    return found


def _read(value: bytes) -> OwnCookie:
    match = _VALUE.match(value)
    if match is None:
        return NOT_THERE
    if match[1] == OUT:
        return OwnCookie(Choice.OUT)
    consent = _CONSENT.match(match[2] or b"")
    if consent is None:
        return OwnCookie(Choice.IN)
    return OwnCookie(Choice.IN, informed=consent[1] == b"gpc", day=consent[2].decode())


def consent(*, signal_seen: bool, day: date) -> bytes:
    """Return the value that records a consent: given on ``day``, in knowledge of the browser's signal or without one.

    ``signal_seen`` may be true only where the page told the visitor about the signal before they chose.
    """
    return b"0.1.%s.%s" % (b"gpc" if signal_seen else b"none", day.strftime("%Y%m%d").encode())


def set_line(name: str, value: bytes, *, max_age_days: int, domain: str | None, secure: bool) -> Pair:
    """Return the ``Set-Cookie`` line that keeps ``value`` under ``name``.

    Not ``HttpOnly``: the page's own code may show the choice. ``Lax``, so that it comes with a visitor who follows a
    link to the site.
    """
    scope = f"; Domain={domain}" if domain else ""
    attributes = f"; Max-Age={max_age_days * 86400}; Path=/{scope}{'; Secure' if secure else ''}; SameSite=Lax"
    return b"Set-Cookie", name.encode() + b"=" + value + attributes.encode()

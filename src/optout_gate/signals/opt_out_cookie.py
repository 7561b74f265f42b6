"""The gate's own first-party cookie: what a visitor chose on the preference page of this site.

``1`` is an opt-out; ``0`` says that the visitor took one back there. A browser may hold several cookies of one name
(host-only and for a domain, or for two paths) and sends them all: one ``1`` is enough.
"""

from enum import StrEnum

from optout_gate.http import Headers

OUT = b"1"
IN = b"0"


class Choice(StrEnum):
    """What the cookie says."""

    NONE = "none"
    OUT = "out"
    IN = "in"


def read_opt_out_cookie(headers: Headers, name: str) -> Choice:
    """Return the choice that the cookie ``name`` holds. Never raises; an unknown value is no choice."""
    wanted = name.encode()
    found = Choice.NONE
    for line in headers.values(b"cookie"):
        if wanted not in line:
            continue
        for pair in line.split(b";"):
            key, equals, value = pair.partition(b"=")
            if not equals or key.strip(b" \t") != wanted:
                continue
            value = value.strip(b' \t"')
            if value == OUT:
                return Choice.OUT
            if value == IN:
                found = Choice.IN
    return found

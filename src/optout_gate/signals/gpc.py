"""Global Privacy Control as a request carries it.

Source: W3C "Global Privacy Control (GPC)", "The Sec-GPC Header Field for HTTP Requests",
https://w3c.github.io/gpc/. Three of its rules are easy to get wrong:

- only a field value of exactly ``1`` is a signal: ``"1"``, ``01``, ``true`` and ``1;x`` are nothing at all;
- with several field lines, one ``1`` is enough, whatever the others say;
- there is no "GPC off" signal: its absence says nothing.

One reading goes beyond the text. Some servers and proxies fold repeated lines into one, so that ``1`` and ``1``
arrive as ``1, 1``. Strictly that is no signal, but a valid one was destroyed on the way; it is read as an opt-out and
marked as an anomaly, to be counted.
"""

from enum import StrEnum

from optout_gate.http import Headers

FIELD = b"sec-gpc"
LINE: tuple[bytes, bytes] = (b"Sec-GPC", b"1")
"""The line an intermediary may insert for a visitor who opted out by other means (same document, "Intermediaries")."""


class Gpc(StrEnum):
    """What the ``Sec-GPC`` lines of a request amount to."""

    ABSENT = "absent"
    IGNORED = "ignored"  # present, and by the specification as good as absent
    SET = "set"
    FOLDED = "folded"  # an opt-out that somebody folded into a list


def read_gpc(headers: Headers) -> Gpc:
    """Return what the request's ``Sec-GPC`` lines say. Never raises."""
    values = headers.values(FIELD)
    if not values:
        return Gpc.ABSENT
    if b"1" in values:
        return Gpc.SET
    if any(b"," in value and b"1" in (member.strip(b" \t") for member in value.split(b",")) for value in values):
        return Gpc.FOLDED
    return Gpc.IGNORED

"""Name and value of every cookie of a request, in wire order, repeats kept.

What servers do with a ``Cookie`` field is wider than the grammar browsers are held to (RFC 6265bis §4.2.1),
and libraries differ on what to do beyond it: some drop a cookie whose value holds a space, a quote or a byte
above ASCII, and with it an opt-out. So nothing is dropped here. Three things that happen on real requests:

* HTTP/2 and HTTP/3 may split one field into several lines (RFC 9113 §8.2.3); they read as one.
* A name occurs twice when a host-only and a domain cookie are both in force; which comes first says nothing
  about which is newer, so both are returned.
* A cookie without a name is sent as its value alone (RFC 6265bis §5.8.3); its name is empty here.

Quotes are part of the value (RFC 6265bis §5.6 keeps them), and a percent-escape is not decoded: what they
mean is for each format to say.
"""

from collections.abc import Iterable

from optout_gate.http import Pair

_BLANK = b" \t"


def pairs(lines: Iterable[bytes]) -> list[Pair]:
    """Return name and value of each cookie in the ``Cookie`` field ``lines``; never raises."""
    found: list[Pair] = []
    for line in lines:
        for raw in line.split(b";"):
            cookie = raw.strip(_BLANK)
            if not cookie:
                continue
            name, equals, value = cookie.partition(b"=")
            found.append((name.rstrip(_BLANK), value.lstrip(_BLANK)) if equals else (b"", cookie))
    return found


def line(cookies: Iterable[Pair]) -> bytes:
    """Return one ``Cookie`` field line that carries ``cookies`` in their order."""
    return b"; ".join(name + b"=" + value if name or not value or b"=" in value else value for name, value in cookies)

"""What a gateway does to header fields on the way through (RFC 9110 §7.6), before and after the gate's own rules.

Everything that is not named here passes as it came: unknown fields, their order, repeats and bytes.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from itertools import product

from optout_gate.http import Headers, Pair

Network = IPv4Network | IPv6Network

PSEUDONYM = b"optout-gate"
MAX_HOPS = 8  # through gates of this name; more is a loop

HOP_BY_HOP = frozenset(
    {b"connection", b"expect", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te",
     b"trailer", b"transfer-encoding", b"upgrade"}
)  # fmt: skip
"""RFC 9110 §7.6.1, with the ones that older software sends, and ``Expect``: the gate answers that by itself, when the
origin's connection stands, and does not wait for the origin's 100."""

_NOMINATE_NOTHING = ([b"keep-alive"], [b"close"], [b"Keep-Alive"], [b"Close"])
"""What nearly every ``Connection`` says."""

_FORWARDED = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-proto", b"x-real-ip"}
)


# ``Connection`` may name further fields to drop, but never these: a visitor could hide from the origin what it relies
# on (behind an edge that passes ``Connection`` on, what the edge says of who they are), or from the gate what it enforces.
_NOT_NOMINABLE = _FORWARDED | {b"host", b"cookie", b"authorization", b"sec-gpc", b"cache-control", b"via"}


def twins(name: bytes) -> frozenset[bytes]:
    """Return the other spellings of a field's name that an application behind CGI or WSGI takes for the same.

    Both ``X-Forwarded-For`` and ``X_Forwarded_For`` become its ``HTTP_X_FORWARDED_FOR`` (RFC 3875 §4.1.18).
    """
    signs = product(
        *((b"-", b"_") if sign == b"-" else (sign,) for sign in (name[at : at + 1] for at in range(len(name))))
    )
    return frozenset(map(b"".join, signs)) - {name}


_TWINS = frozenset().union(*map(twins, (*_FORWARDED, b"content-length", b"transfer-encoding")))
"""Of fields in which the gate speaks: by such a name anybody could speak in its place, through any proxy."""
_WRITTEN_ANEW = _FORWARDED | {b"via"} | _TWINS
_ADDED_TO = frozenset({b"x-forwarded-for", b"via"}) | _TWINS
_CAME_BY = b"1.1 " + PSEUDONYM


def end_to_end(headers: Headers) -> Headers:
    """Return the header lines that are meant for the far end."""
    if b"connection" not in headers:
        return headers.without(HOP_BY_HOP)
    if headers.values(b"connection") in _NOMINATE_NOTHING:
        return headers.without(HOP_BY_HOP)
    nominated = {
        name
        for member in headers.members(b"connection")
        if (name := member.lower()) not in _NOT_NOMINABLE and not name.startswith(b"content-")
    }
    return headers.without(HOP_BY_HOP | nominated)


def hops(headers: Headers) -> int:
    """Return how many gates of this name a request has come through (RFC 9110 §7.6.3)."""
    return sum(PSEUDONYM in member.split()[1:2] for member in headers.members(b"via"))


def is_trusted(peer: str | None, trusted: Sequence[Network]) -> bool:
    """Return True when the peer's word about who is behind it counts."""
    if not trusted or not peer:
        return False
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    return any(address in network for network in trusted)


def toward_origin(
    headers: Headers, *, peer: str | None, trusted: bool, scheme: str, authority: str, host: str
) -> Headers:
    """Return a request's fields as the origin gets them: forwarding information, ``Via``, one ``Host``.

    What an untrusted peer says about others is dropped; a trusted peer's word is kept and added to.
    """
    via = headers.members(b"via")
    chain: list[Pair] = []
    if trusted:
        earlier = headers.members(b"x-forwarded-for")
        headers = headers.without(_ADDED_TO)
    else:
        earlier = []
        headers = headers.without(_WRITTEN_ANEW)
        chain += ((b"X-Forwarded-Proto", scheme.encode()), (b"X-Forwarded-Host", authority.encode("latin-1")))
    if peer:
        chain.append((b"X-Forwarded-For", b", ".join([*earlier, peer.encode()])))
    if headers.values(b"host") != [name := host.encode("latin-1")]:
        headers = headers.replacing(b"host", name)
    return headers.plus(*chain, (b"Via", b", ".join([*via, _CAME_BY]) if via else _CAME_BY))

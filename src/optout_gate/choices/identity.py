"""Who has signed in, as a request says it, and how far that is believed.

A field is a gateway's word: anybody can write one, so it counts from ``trusted_proxies`` alone, and one that comes from
elsewhere is taken off the request as well, lest the origin believe it. A cookie is the visitor's own word. Believing
it wrongly does no harm when it opts somebody out, and harm when it takes an opt-out back; so a cookie may take back
only when the operator says that nobody else can know its value.

Whatever is doubtful (two different values, an endless one) is nobody: an opt-out must not land on another's account.
"""

from dataclasses import dataclass
from enum import StrEnum

from optout_gate.choices.standing import MAX_IDENTIFIER_BYTES, pseudonym
from optout_gate.http import Headers
from optout_gate.policy.config_visitor import IdentifyConfig
from optout_gate.signals import cookies


class Refusal(StrEnum):
    """Why a request's word about who has signed in was not taken."""

    UNTRUSTED_PEER = "untrusted_peer"  # the field did not come from a trusted proxy
    SEVERAL = "several"  # two values that differ
    TOO_LONG = "too_long"  # no identifier is that long


@dataclass(frozen=True, slots=True)
class Consumer:
    """Somebody who has signed in.

    Attributes:
        name: the pseudonym under which their choice stands.
        may_take_back: their word is good enough to take an opt-out back.
    """

    name: bytes
    may_take_back: bool


def identify(headers: Headers, how: IdentifyConfig, *, key: bytes, peer_is_trusted: bool) -> Consumer | Refusal | None:
    """Return who has signed in, None when the request names nobody. Never raises."""
    if how.header is not None:
        values = [value for value in headers.values(how.header.lower().encode()) if value]
        if values and not peer_is_trusted:
            return Refusal.UNTRUSTED_PEER
        may_take_back = True
    else:
        assert how.cookie is not None
        wanted = how.cookie.encode()
        found = cookies.pairs(line for line in headers.values(b"cookie") if wanted in line)
        values = [bare for name, value in found if name == wanted and (bare := value.strip(b'"'))]
        may_take_back = how.unguessable
    if not values:
        return None
    if len(set(values)) > 1:
        return Refusal.SEVERAL
    if len(values[0]) > MAX_IDENTIFIER_BYTES:
        return Refusal.TOO_LONG
    return Consumer(pseudonym(values[0], key=key), may_take_back)

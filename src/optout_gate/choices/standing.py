"""What stands for a consumer, under which name, and which of two choices holds.

California asks that an opt-out be honoured for the consumer, when known, and not for the browser alone
(11 CCR §7025(c)(1)), and that the absence of a signal is never read as a way back in (§7025(c)(7)). So a choice changes
by a later choice and by nothing else: no expiry, no absence. Choices arrive out of order (a nightly file of
yesterday's forms, two machines at once, a write that was tried again), so every store keeps the *later* of two, and of
two of the same moment the opt-out; applying choices in any order, any number of times, ends the same.

The identifier itself is never kept: a pseudonym is HMAC-SHA256 of it under the operator's key. A plain hash would not
do, because account numbers and e-mail addresses can all be tried.
"""

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from optout_gate.signals.kinds import ACCOUNT
from optout_gate.signals.reading import Signal

MAX_IDENTIFIER_BYTES = 1024  # an e-mail address has 254 at most (RFC 5321), a signed token some hundred
PSEUDONYM_BYTES = hashlib.sha256().digest_size


class Source(StrEnum):
    """How a choice came in. A closed set, so that nothing free-form is stored."""

    GPC = "gpc"  # the signal, on a browser where the consumer was signed in
    COOKIE = "cookie"  # the opt-out cookie there
    PAGE = "page"  # the preference page or the site's own button
    FORM = "form"  # a web form
    PHONE = "phone"
    MAIL = "mail"
    AGENT = "agent"  # an authorised agent (11 CCR §7063)
    OPERATOR = "operator"  # the site's staff, for a reason of their own
    IMPORT = "import"  # a file that does not say


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands for one consumer.

    Attributes:
        out: True for an opt-out, False for one that the consumer took back.
        at_ms: when it was made, in milliseconds since 1970. Seconds would not tell two presses of a button apart.
        source: how it came in.
    """

    out: bool
    at_ms: int
    source: Source

    @property
    def signal(self) -> Signal | None:
        """The opt-out as a signal, or None."""
        return Signal(ACCOUNT, f"the account's opt-out ({self.source.value})") if self.out else None


def prevailing(one: Standing | None, other: Standing | None) -> Standing | None:
    """Return which of two holds: the later, and of two of the same moment the opt-out."""
    if one is None or other is None:
        return one or other
    return one if (one.at_ms, one.out) >= (other.at_ms, other.out) else other


def pseudonym(identifier: bytes, *, key: bytes) -> bytes:
    """Return the 32 bytes under which a consumer's choice is kept."""
    return hmac.digest(key, identifier, "sha256")


class StoreError(Exception):
    """A store could not be reached or did not answer. Raised by stores alone, caught where it is counted."""


class Store(Protocol):
    """Where choices stand. Called from one event loop; every method raises :exc:`StoreError` and nothing else."""

    async def look_up(self, name: bytes) -> Standing | None:
        """Return what stands under a pseudonym, or None."""

    async def apply(self, name: bytes, standing: Standing) -> Standing:
        """Let a choice count by the rule of :func:`prevailing`; return what stands then."""

    async def forget(self, name: bytes) -> bool:
        """Remove everything under a pseudonym; return whether there was anything."""

    async def close(self) -> None:
        """Let go of files and connections. Does not raise."""

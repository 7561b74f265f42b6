"""What one signal says, in the five words that every format is translated into.

Formats differ in what they can say: ``usprivacy`` knows only sale, a California GPP section has no word for
targeted advertising, a consent platform speaks of categories of its own. A statement holds what was said and
leaves the rest :attr:`Answer.UNKNOWN`. Two rules hold everywhere: *unknown never clears an opt-out*, and *any
out beats any in* (11 CCR §7025(c)(3): a stored consent does not outweigh the signal).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Answer(StrEnum):
    """What was said about one use of the visitor's data."""

    OUT = "out"  # the visitor refused it
    IN = "in"  # the visitor allowed it, or did not refuse it where the format asks them to say so
    UNKNOWN = "unknown"  # nothing was said, or nothing that can be read

    def __or__(self, other: "Answer") -> "Answer":
        """Return the more restrictive answer: out beats in, and in beats unknown."""
        return max(self, other, key=_RESTRICTION.__getitem__)


_RESTRICTION = {Answer.UNKNOWN: 0, Answer.IN: 1, Answer.OUT: 2}

USES = ("sale", "sharing", "targeted_advertising", "analytics", "session_replay")
"""The uses that a statement speaks of, as its attributes are named."""

ADVERTISING_USES = USES[:3]
"""The uses that an opt-out of sale or sharing is about (Cal. Civ. Code §1798.120, C.R.S. 6-1-1306)."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What one signal says about each use, and what that was read from.

    Attributes:
        evidence: in words, for reports and ``explain``; never holds an identifier or any free text of the
            visitor's, only what the format's own vocabulary offers.
    """

    sale: Answer = Answer.UNKNOWN
    sharing: Answer = Answer.UNKNOWN
    targeted_advertising: Answer = Answer.UNKNOWN
    analytics: Answer = Answer.UNKNOWN
    session_replay: Answer = Answer.UNKNOWN
    evidence: str = ""

    @classmethod
    def advertising(
        cls, answer: Answer, evidence: str, *, analytics: Answer = Answer.UNKNOWN, replay: Answer = Answer.UNKNOWN
    ) -> Self:
        """Return ``answer`` for sale, sharing and targeted advertising alike: what a marketing switch means."""
        return cls(answer, answer, answer, analytics, replay, evidence)

    @property
    def opted_out(self) -> bool:
        """True when sale, sharing or targeted advertising was refused."""
        return Answer.OUT in (self.sale, self.sharing, self.targeted_advertising)

    @property
    def silent(self) -> bool:
        """True when nothing was said about any use."""
        return all(getattr(self, use) is Answer.UNKNOWN for use in USES)

    def merge(self, other: "Statement") -> "Statement":
        """Return what both say together, the more restrictive answer for each use, both evidences."""
        return Statement(
            self.sale | other.sale,
            self.sharing | other.sharing,
            self.targeted_advertising | other.targeted_advertising,
            self.analytics | other.analytics,
            self.session_replay | other.session_replay,
            "; ".join(dict.fromkeys(part for part in (self.evidence, other.evidence) if part)),
        )

    def described(self, platform: str) -> "Statement":
        """Return the same answers, with evidence that puts them into words after ``platform``."""
        refused = [use.replace("_", " ") for use in USES if getattr(self, use) is Answer.OUT]
        allowed = [use.replace("_", " ") for use in USES if getattr(self, use) is Answer.IN]
        parts = [f"{', '.join(uses)} {word}" for uses, word in ((refused, "refused"), (allowed, "allowed")) if uses]
        return self.saying(f"{platform}: {' and '.join(parts) or 'no answer'}")

    def saying(self, evidence: str) -> "Statement":
        """Return the same answers with other words for them."""
        return Statement(
            self.sale, self.sharing, self.targeted_advertising, self.analytics, self.session_replay, evidence
        )


NOTHING = Statement()
"""The statement of a signal that says nothing."""


def merged(statements: Iterable[Statement]) -> Statement:
    """Return what all of them say together; :data:`NOTHING` for none."""
    together = NOTHING
    for statement in statements:
        together = together.merge(statement)
    return together

"""What happened in one exchange: the value that logs, metrics and every door read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from optout_gate.errors import Failure, RewriteError
from optout_gate.policy.decision import Decision
from optout_gate.rewrite.removals import Removals
from optout_gate.signals.reading import Reading
from optout_gate.trackers.vendor import Vendor


class Outcome(StrEnum):
    """What became of one exchange."""

    UNTOUCHED = "untouched"  # nobody opted out, or the site is off
    ENFORCED = "enforced"  # something was taken out
    NOTHING_TO_DO = "nothing_to_do"  # opted out, and nothing denied was there
    CONTAINED = "contained"  # could not be rewritten; sent under a Content-Security-Policy
    BLOCKED = "blocked"  # could not be rewritten; not sent, or cut off
    PASSED_UNENFORCED = "passed_unenforced"  # could not be rewritten; sent as it came, because the operator says so
    OBSERVED = "observed"  # opted out on a site in observe mode


OUTCOME_FIELD = b"Optout-Gate"
NO_SITE = (OUTCOME_FIELD, Outcome.NOTHING_TO_DO.value.encode())
"""The field on answers of the gate's own that no site's configuration speaks of; the same for everyone."""
FINAL = frozenset({Outcome.CONTAINED, Outcome.BLOCKED, Outcome.PASSED_UNENFORCED})
"""Outcomes that no later part of the body changes."""
NOTHING = Removals()
"""What is taken out for nearly everybody, in either direction; the gate puts one to write to where it may be more."""


@dataclass(slots=True)
class Report:
    """What happened in one exchange. Filled as it goes; complete when the body is through.

    Attributes:
        site: the site's name, its first host pattern; for metrics.
        decision: what held, and on whose word.
        reading: what the request said.
        contradictions: pairs of signals of which one refuses what the other allows.
        allowed: vendors that the page refers to and that may stay, by id.
        removals: everything taken out of the response (in observe mode: that would have been).
        outgoing: what was kept from the origin: cookies, ids of clicks, or the whole request (likewise).
        outcome: what became of it.
        no_transform: a page or sheet that may be rewritten says ``Cache-Control: no-transform``.
        unguarded: why a document went out without the guard, if so: ``csp``, or ``xhtml`` for one in XML with no place for it.
        error: why the response could not be enforced, if so.
        problem: the same in words, for the log; never what a visitor sent.
        bytes_in: length of the origin's body.
        bytes_out: length of the body sent on.
        gate_seconds: time spent in the core.
    """

    site: str
    decision: Decision
    reading: Reading
    contradictions: Sequence[tuple[str, str]] = ()
    allowed: Mapping[str, Vendor] = field(default_factory=dict)
    removals: Removals = field(default_factory=Removals)
    outgoing: Removals = field(default_factory=lambda: NOTHING)
    outcome: Outcome = Outcome.UNTOUCHED
    no_transform: bool = False
    unguarded: str | None = None
    error: Failure | None = None
    problem: str | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    gate_seconds: float = 0.0

    def begin(self) -> None:
        """Take the outcome that holds until something happens: the one of an answer in which nothing is denied."""
        if self.decision.opted_out:
            self.outcome = Outcome.NOTHING_TO_DO if self.decision.enforced else Outcome.OBSERVED

    def note(self) -> None:
        """Bring the outcome up to date with what was removed so far."""
        if self.outcome is Outcome.NOTHING_TO_DO and (self.removals or self.outgoing):
            self.outcome = Outcome.ENFORCED

    def fail(self, error: RewriteError) -> None:
        """Note why the response could not be enforced."""
        self.error, self.problem = error.reason, str(error)

    def field(self, policy_hash: bytes, *, is_over: bool) -> bytes:
        """Return the value of ``Optout-Gate``: a structured field, an item with parameters (RFC 9651 §3.3).

        ``enforced;removed=3;policy="1a2b3c4d"``. With ``is_over`` false the head leaves before the body is through, and
        ``so-far`` says that more may yet be removed, or the connection cut.
        """
        value: str = self.outcome.value
        if removed := len(self.removals) + len(self.outgoing):
            value += f";removed={removed}"
        if self.error is not None:
            value += f";reason={self.error.value}"
        value += f';policy="{policy_hash[:8].decode()}"'
        return (value if is_over or self.outcome in FINAL else f"{value};so-far").encode()

    @property
    def taken_out(self) -> Removals:
        """Everything taken out in either direction."""
        both = Removals()
        both.take(self.outgoing)
        both.take(self.removals)
        return both

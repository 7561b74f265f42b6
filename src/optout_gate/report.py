"""What happened in one exchange: the value that logs, metrics and every door read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from optout_gate.policy.decision import Decision
from optout_gate.rewrite.removals import Removals
from optout_gate.signals.reading import Reading


class Outcome(StrEnum):
    """What became of one exchange."""

    UNTOUCHED = "untouched"  # nobody opted out, or the site is off
    ENFORCED = "enforced"  # something was taken out
    NOTHING_TO_DO = "nothing_to_do"  # opted out, and nothing denied was there
    CONTAINED = "contained"  # could not be rewritten; sent under a Content-Security-Policy
    BLOCKED = "blocked"  # could not be rewritten; not sent, or cut off
    OBSERVED = "observed"  # opted out on a site in observe mode


@dataclass(slots=True)
class Report:
    """What happened in one exchange. Filled as it goes; complete when the body is through.

    Attributes:
        site: the site's name, its first host pattern; for metrics.
        decision: what held, and on whose word.
        reading: what the request said.
        contradictions: pairs of signals of which one refuses what the other allows.
        removals: everything taken out (in observe mode: that would have been).
        outcome: what became of it.
        unguarded: why a document went out without the guard, if so: ``csp``, ``xhtml``.
        error: why the body could not be rewritten, if so: a reason of :exc:`~optout_gate.errors.RewriteError`.
        bytes_in: length of the origin's body.
        bytes_out: length of the body sent on.
        gate_seconds: time spent in the core.
    """

    site: str
    decision: Decision
    reading: Reading
    contradictions: Sequence[tuple[str, str]] = ()
    removals: Removals = field(default_factory=Removals)
    outcome: Outcome = Outcome.UNTOUCHED
    unguarded: str | None = None
    error: str | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    gate_seconds: float = 0.0

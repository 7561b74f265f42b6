"""The log of what could not be enforced: one line a cause, and then at most one in ten seconds with a count.

A page that always fails is asked for as often as any other, and a log that is flooded is a log that nobody reads. The
lines name the site, the outcome and the cause, and nothing of who asked. Every other outcome is logged at level
``debug``: the gate logs events, not visits.
"""

import logging
import time
from collections.abc import Callable, Hashable

from optout_gate.report import Outcome, Report

SILENCE_S = 10.0  # between two lines about the same

_WORDS = {
    Outcome.CONTAINED: (logging.WARNING, "went out contained"),
    Outcome.BLOCKED: (logging.WARNING, "was blocked or cut off"),
    Outcome.PASSED_UNENFORCED: (logging.ERROR, "was passed unenforced, as configured"),
    Outcome.OBSERVED: (logging.INFO, "could not have been rewritten"),
}
log = logging.getLogger("optout_gate.outcomes")


class Seldom:
    """Which lines of a kind are due: the first, and then one in ten seconds. Kinds are a closed set."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[Hashable, tuple[float, int]] = {}  # when a line was last written, and how many were not since

    def due(self, kind: Hashable) -> str | None:
        """Return what the line ends with, how many were not written; or None when it is not to be written."""
        now, (before, unsaid) = self._clock(), self._said.get(kind, (-SILENCE_S, 0))
        if now - before < SILENCE_S:
            self._said[kind] = (before, unsaid + 1)
            return None
        self._said[kind] = (now, 0)
        return f" (and {unsaid} more since the last such line)" if unsaid else ""


class OutcomeLog:
    """The log lines of one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._seldom = Seldom(clock)
        self._is_verbose = log.isEnabledFor(logging.DEBUG)

    def tell(self, report: Report) -> None:
        """Log what became of one exchange."""
        if report.outcome is Outcome.UNTOUCHED:
            return
        if report.error is None or report.outcome not in _WORDS:
            if self._is_verbose:
                log.debug("%s: %s", report.site, report.outcome.value)
            return
        more = self._seldom.due((report.site, report.outcome, report.error.value))
        if more is None:
            return
        level, words = _WORDS[report.outcome]
        log.log(level, "%s: a response %s: %s: %s%s", report.site, words, report.error.value, report.problem, more)

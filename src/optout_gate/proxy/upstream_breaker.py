"""A circuit breaker: an origin that cannot be reached is not hammered, and its visitors are not kept waiting.

Only connecting counts. An origin that answers 500 is up, and what it answers is its own affair.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from optout_gate.errors import UpstreamError


class CircuitBreaker:
    """Closed while connects succeed, open after ``failures`` in a row, then half open: one attempt decides.

    Attributes:
        state: ``closed``, ``open`` or ``half_open`` (the one attempt is under way).
    """

    def __init__(self, failures: int, delay_s: float) -> None:
        self.state: Literal["closed", "open", "half_open"] = "closed"
        self._limit = failures
        self._delay_s = delay_s
        self._failed = 0
        self._opened_at = 0.0

    @contextmanager
    def attempt(self, clock: Callable[[], float]) -> Iterator[None]:
        """Guard one attempt to connect; while the circuit is open, raise UpstreamError ``circuit_open`` instead."""
        if self.state == "half_open" or (self.state == "open" and clock() - self._opened_at < self._delay_s):
            raise UpstreamError(503, "circuit_open", "the origin could not be reached lately")
        probing = self.state == "open"
        if probing:
            self.state = "half_open"
        try:
            yield
        except UpstreamError:
            self._failed += 1
            if probing or self._failed >= self._limit:
                self.state = "open"
                self._opened_at = clock()
            raise
        except BaseException:
            # The visitor left before it was decided: whoever comes next may try.
            if probing:
                self.state = "open"
            raise
        self._failed = 0
        self.state = "closed"

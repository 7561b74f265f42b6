"""Every error the gate raises on purpose.

* :exc:`GateError`
    * :exc:`ConfigError` - the operator wrote something we cannot honour; raised at start-up
    * :exc:`RewriteError` - a body could not be rewritten as the decision demands; raised per response
    * :exc:`UpstreamError` - the origin failed us; carries the status to answer with

Signals never raise: a malformed signal is no signal.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class GateError(Exception):
    """Base of every error the gate raises on purpose."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong in a file the operator wrote.

    ``line`` and ``column`` count from 1; 0 means that the whole file is meant.
    """

    file: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.text}"


class ConfigError(GateError):
    """Files the operator wrote ask for something that cannot be honoured.

    Attributes:
        problems: everything that is wrong, in the order of the file; never empty.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class RewriteError(GateError):
    """A body could not be rewritten as the decision demands.

    Attributes:
        reason: one word of a closed set (``engine``, ``coding``, ``charset``, ``oversize``, ``partial``),
            the label of the metric that counts it.
    """

    def __init__(self, reason: str, problem: str) -> None:
        super().__init__(problem)
        self.reason = reason


class UpstreamError(GateError):
    """The origin could not be reached, or broke off, or answered what no client may be sent.

    Attributes:
        status: HTTP status to answer with (502, 503 or 504).
        reason: one word of a closed set, the label of the metric that counts it.
    """

    def __init__(self, status: int, reason: str, problem: str) -> None:
        super().__init__(problem)
        self.status = status
        self.reason = reason

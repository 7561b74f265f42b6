"""Every error the gate raises on purpose.

* :exc:`GateError`
    * :exc:`ConfigError` - the operator wrote something we cannot honour; raised at start-up
    * :exc:`RewriteError` - a body could not be rewritten as the decision demands; raised per response
    * :exc:`UpstreamError` - the origin failed us; carries the status to answer with

Signals never raise: a malformed signal is no signal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

MEANT = "did you mean "


class GateError(Exception):
    """Base of every error the gate raises on purpose."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong in a file the operator wrote.

    ``line`` and ``column`` count from 1; 0 means that the whole file is meant. What may have been meant instead, where
    something comes near, ends ``text`` and begins with :data:`MEANT`.
    """

    file: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.text}"

    def as_json(self) -> dict[str, str | int | None]:
        """Return it for programs: the hint by itself, and null for a place that there is not."""
        message, near, hint = self.text.partition(f"; {MEANT}")
        return {
            "file": self.file or None,
            "line": self.line or None,
            "column": self.column or None,
            "message": message,
            "hint": MEANT + hint if near else None,
        }


class ConfigError(GateError):
    """Files the operator wrote ask for something that cannot be honoured.

    Attributes:
        problems: everything that is wrong, in the order of the file; never empty.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Failure(StrEnum):
    """What kept a response from being enforced: a key of ``on_failure``, and a label of the metric."""

    REWRITER = "rewriter"  # it gave up on the markup, or has a mistake in it
    DECODING = "decoding"  # the content coding cannot be opened, or the body is not in it
    OVERSIZE = "oversize"  # a body that grows beyond all measure, or a construct without an end
    CHARSET = "charset"  # what the page says cannot be told from its bytes
    PARTIAL_CONTENT = "partial_content"  # a part of a page, or a 304 that nobody asked for
    CHOICE_STORE = "choice_store"  # whether a known consumer has opted out cannot be told
    NO_TRANSFORM = "no_transform"  # the origin forbids to change it, and the operator lets that count


class RewriteError(GateError):
    """A body could not be rewritten as the decision demands.

    Attributes:
        reason: what kept it from being rewritten, the label of the metric that counts it.
    """

    def __init__(self, reason: Failure, problem: str) -> None:
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

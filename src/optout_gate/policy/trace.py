"""The path from each signal to each purpose and vendor, for people who ask why.

``optout-gate explain`` prints it. It asks the same policy and decision that an exchange does, and keeps no rules of its
own.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from optout_gate.policy.config import Action
from optout_gate.policy.decision import Answer, Decision, PathRule
from optout_gate.signals.reading import Reading, Signal
from optout_gate.signals.statement import USES
from optout_gate.trackers.purposes import Purpose
from optout_gate.trackers.vendor import Vendor


@dataclass(frozen=True, slots=True)
class SignalStep:
    """One thing that was said, and what follows.

    Attributes:
        kind: the signal's kind.
        words: what was said.
        refuses: the uses that it refuses; empty for a signal that refuses nothing.
        denies: the purposes that are denied on its word.
        why: why it changes nothing; empty when it does.
    """

    kind: str
    words: str
    refuses: tuple[str, ...]
    denies: tuple[Purpose, ...]
    why: str = ""


@dataclass(frozen=True, slots=True)
class PurposeStep:
    """One purpose, whether it is denied, and on whose word.

    Attributes:
        because: what led to it, in words; empty when it is not denied.
        vendors: the vendors that are blocked for it.
    """

    purpose: Purpose
    because: tuple[str, ...]
    vendors: tuple[Vendor, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything that was said, and everything that follows."""

    signals: tuple[SignalStep, ...]
    purposes: tuple[PurposeStep, ...]
    answers: tuple[tuple[Vendor, Answer], ...]
    contradictions: tuple[tuple[str, str], ...]


def trace(decision: Decision, reading: Reading, vendors: Iterable[Vendor]) -> Trace:
    """Return how ``decision`` follows from ``reading``, for every purpose and each of ``vendors``."""
    answers = tuple((vendor, decision.answer(vendor)) for vendor in vendors)
    blocked: dict[Purpose, list[Vendor]] = {}
    for vendor, answer in answers if decision.opted_out else ():
        if answer.action is Action.BLOCK:
            blocked.setdefault(answer.purpose, []).append(vendor)
    purposes = tuple(
        PurposeStep(
            purpose, tuple(_words(each) for each in decision.evidence(purpose)), tuple(blocked.get(purpose, ()))
        )
        for purpose in Purpose
    )
    return Trace(tuple(_steps(decision, reading)), purposes, answers, tuple(reading.contradictions()))


def _steps(decision: Decision, reading: Reading) -> Iterable[SignalStep]:
    policy = decision.policy
    for signal in reading.opt_outs():
        refuses = tuple(use for use in USES if use in signal.refuses)
        denies = tuple(purpose for purpose in Purpose if purpose in policy.honoured.purposes(signal))
        if signal in decision.because:
            yield SignalStep(signal.kind, signal.words, refuses, denies)
            continue
        overridden = policy.honoured.counts(signal) and policy.overridden(reading)
        why = "a consent given in knowledge of it overrides it" if overridden else policy.honoured.why_not(signal.kind)
        yield SignalStep(signal.kind, signal.words, refuses, (), why)
    refusing = {signal.words for signal in reading.opt_outs()}
    for each in reading.cookies:
        if each.statement.evidence not in refusing:
            yield SignalStep(each.format, each.statement.evidence, (), (), "it refuses nothing")


def _words(evidence: Signal | PathRule) -> str:
    return evidence.words if isinstance(evidence, Signal) else str(evidence)

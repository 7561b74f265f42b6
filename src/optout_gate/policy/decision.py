"""What follows from what the visitor said, with the evidence.

A :class:`Policy` is a configuration's policy made ready: which vendors are denied is worked out once, when it is
built, so that an exchange only looks up. A :class:`Decision` belongs to one exchange and keeps the signals that led to
it; a :class:`Verdict` is its answer about one thing on the page, and keeps the rule that recognised it. Log line,
metric, ``optout-gate explain`` and the reports all read these.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote_to_bytes

from optout_gate.policy.config import Action, Mode, PolicyConfig
from optout_gate.signals.reading import Reading, Signal
from optout_gate.trackers.catalog import Catalog, Rule
from optout_gate.trackers.purposes import Purpose
from optout_gate.trackers.vendor import Vendor


@dataclass(frozen=True, slots=True)
class Answer:
    """What a policy does with one vendor when its denials hold, and why.

    Attributes:
        action: what is done.
        purpose: the purpose it is done for, the vendor's chief one when nothing is denied.
        words: the reason in words.
    """

    action: Action
    purpose: Purpose
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer about one thing on a page.

    Attributes:
        rule: what recognised the vendor.
        answer: what the policy does with that vendor.
    """

    rule: Rule
    answer: Answer

    @property
    def vendor(self) -> Vendor:
        """The vendor recognised."""
        return self.rule.vendor

    @property
    def denied(self) -> bool:
        """True when the thing must not reach its vendor as it stands."""
        return self.answer.action is Action.BLOCK

    def __str__(self) -> str:
        return (
            f"{self.answer.action}: {self.vendor.vendor} ({self.answer.words}), by {self.rule.place} {self.rule.text}"
        )


class Policy:
    """A policy ready for use."""

    def __init__(self, name: str, config: PolicyConfig, catalog: Catalog) -> None:
        self.name = name
        self.honor = frozenset(config.honor)
        self.denied = frozenset(config.deny)
        self._overrides: Mapping[str, Action] = dict(config.vendors)
        self._always = [(pattern, _glob(pattern)) for pattern in config.always]
        self._answers = {vendor.vendor: self._answer(vendor) for vendor in catalog}

    def answer(self, vendor: Vendor) -> Answer:
        """Return what is done with ``vendor`` when the denials hold."""
        found = self._answers.get(vendor.vendor)
        return found if found is not None else self._answer(vendor)

    def always(self, path: str) -> str | None:
        """Return the ``always`` pattern that covers a request's path, or None.

        The path is read as origins read it: percent-escapes decoded once, dot segments and doubled slashes resolved.
        """
        if not self._always:
            return None
        plain = _plain_path(path)
        return next((pattern for pattern, regex in self._always if regex.match(plain)), None)

    def _answer(self, vendor: Vendor) -> Answer:
        chief = vendor.purposes[0]
        override = self._overrides.get(vendor.vendor)
        if override is not None:
            return Answer(override, chief, f"policy {self.name!r} says {override.value} for this vendor")
        # A vendor that defends the site keeps working, whatever else it does (notice, section 5.B).
        if Purpose.SECURITY in vendor.purposes:
            return Answer(Action.ALLOW, Purpose.SECURITY, "security keeps working for everyone")
        denied = next((purpose for purpose in vendor.purposes if purpose in self.denied), None)
        if denied is not None:
            return Answer(Action.BLOCK, denied, f"policy {self.name!r} denies {denied.value}")
        return Answer(Action.ALLOW, chief, f"policy {self.name!r} does not deny {chief.value}")


@dataclass(frozen=True, slots=True)
class Decision:
    """What holds for one exchange.

    Attributes:
        policy: the policy it was made under.
        mode: the site's mode.
        because: the honoured signals that opted the visitor out; empty when none did.
        always: the path pattern on which the denials hold for everyone, if this is such a path.
    """

    policy: Policy
    mode: Mode
    because: tuple[Signal, ...]
    always: str | None = None

    @property
    def opted_out(self) -> bool:
        """True when the policy's denials hold."""
        return bool(self.because) or self.always is not None

    @property
    def enforced(self) -> bool:
        """True when they hold and the gate acts on it."""
        return self.opted_out and self.mode is Mode.ENFORCE

    @property
    def signal(self) -> str:
        """The label of metrics: the chief signal's kind, ``always``, or ``none``."""
        if self.because:
            return self.because[0].kind
        return "always" if self.always is not None else "none"

    def verdict(self, rule: Rule) -> Verdict:
        """Return the answer about what ``rule`` recognised."""
        return Verdict(rule, self.policy.answer(rule.vendor))

    def __str__(self) -> str:
        if self.because:
            return f"opted out by {', '.join(signal.words for signal in self.because)}"
        if self.always is not None:
            return f"denied for everyone on {self.always}"
        return "no opt-out"


def decide(policy: Policy, mode: Mode, reading: Reading, path: str) -> Decision:
    """Return what holds for a request to ``path`` that carries the signals in ``reading``."""
    if mode is Mode.OFF:
        return Decision(policy, mode, ())
    honoured = tuple(signal for signal in reading.opt_outs() if signal.kind in policy.honor)
    return Decision(policy, mode, honoured, policy.always(path))


def covers(patterns: Iterable[str], path: str) -> bool:
    """Return True when one of the path patterns covers a request's path, read as origins read it."""
    plain = _plain_path(path)
    return any(_glob(pattern).match(plain) for pattern in patterns)


@cache
def _glob(pattern: str) -> re.Pattern[str]:
    """Return a regular expression for a whole path; ``/a/*`` covers ``/a`` as well, as people expect."""
    body = ".*".join(re.escape(part) for part in pattern.split("*"))
    if pattern.endswith("/*"):
        body = body.removesuffix("/.*") + "(?:/.*)?"
    return re.compile(body + r"\Z", re.DOTALL)


def _plain_path(path: str) -> str:
    decoded = unquote_to_bytes(path.encode("latin-1", "replace")).decode("utf-8", "replace").replace("\\", "/")
    out: list[str] = []
    for segment in decoded.split("/"):
        if segment == "..":
            if out:
                out.pop()
        elif segment not in ("", "."):
            out.append(segment)
    return "/" + "/".join(out) + ("/" if decoded.endswith("/") and out else "")

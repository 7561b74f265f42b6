"""What follows from what the visitor said, with the evidence.

A :class:`Policy` is a configuration's policy made ready: what a set of denied purposes means for a vendor is worked
out once, so that an exchange only looks up. A :class:`Decision` belongs to one exchange and keeps the signals and path
rules that led to it; a :class:`Verdict` is its answer about one thing on the page, and keeps the rule that recognised
it. Log line, metric, ``optout-gate explain`` and the reports all read these.

How several signals go together is ``docs/decisions/0004-precedence-of-signals.md``: what is denied is the union of what
each honoured signal refuses, and nothing a signal *allows* takes away from it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from urllib.parse import unquote_to_bytes

from optout_gate.policy.config import Action, InformedConsent, Mode, PolicyConfig
from optout_gate.policy.honor import Honoured
from optout_gate.signals.kinds import GPC
from optout_gate.signals.reading import Reading, Signal
from optout_gate.trackers.catalog import Catalog, Rule
from optout_gate.trackers.purposes import Purpose
from optout_gate.trackers.unknown import HOST
from optout_gate.trackers.vendor import Vendor


@dataclass(frozen=True, slots=True)
class Answer:
    """What a policy does with one vendor, and why.

    Attributes:
        action: what is done.
        purpose: the purpose it is done for, the vendor's chief one when none of its purposes is denied.
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


@dataclass(frozen=True, slots=True)
class PathRule:
    """Paths on which purposes are denied for everyone.

    Attributes:
        pattern: the paths, as configured.
        purposes: what is denied there.
        words: why, in words.
    """

    pattern: str
    purposes: frozenset[Purpose]
    words: str

    def __str__(self) -> str:
        return f"{self.words} on {self.pattern}"


class Policy:
    """A policy ready for use.

    Attributes:
        name: as in the configuration.
        denied: everything that an opt-out from all uses denies.
        click_ids: what happens to the ids of clicks on the way to the origin.
        honors_informed_consent: whether a consent given in knowledge of the browser's signal stands against it.
        sticky: whether an opt-out by the browser's signal is kept in the opt-out cookie.
    """

    def __init__(self, name: str, config: PolicyConfig, catalog: Catalog) -> None:
        self.name = name
        self.denied = config.denied
        self.sticky = config.sticky
        self.click_ids = config.click_ids
        sold = config.notice.refusable if config.notice is not None else frozenset[Purpose]()
        self.honoured = Honoured(config.honor, self.denied, sold)
        self.honors_informed_consent = config.informed_consent is InformedConsent.HONOR
        self._overrides: Mapping[str, Action] = dict(config.vendors)
        self.unknown = config.unknown
        self.strict = config.strict
        self.sample_rate = config.sample_rate
        self.allows_hosts = frozenset(name for name in config.allow if "." in name)
        self.allows_vendors = frozenset(name for name in config.allow if "." not in name)
        rules = [PathRule(pattern, self.denied, "denied for everyone") for pattern in config.always]
        if config.notice is not None:
            rules += [PathRule(*floor) for floor in config.notice.floors()]
        self._rules = [(_glob(rule.pattern), rule) for rule in rules]
        # One table for each set of denied purposes that occurs: at most 2⁷. That of a whole opt-out is filled now.
        self._answers: dict[frozenset[Purpose], dict[str, Answer]] = {
            self.denied: {vendor.vendor: self._answer(vendor, self.denied) for vendor in catalog}
        }
        answers = self._answers[self.denied]
        self.restricts = tuple(each for each in catalog if answers[each.vendor].action is Action.RESTRICT)
        self._nobody_opted_out = {mode: Decision(self, mode) for mode in Mode}
        # Nearly every visitor who opts out says the same, so that one decision serves them all.
        self._decided = lru_cache(maxsize=1024)(self._decision)

    @property
    def path_rules(self) -> tuple[PathRule, ...]:
        """Every rule that holds for everyone on some path."""
        return tuple(rule for _, rule in self._rules)

    def answer(self, vendor: Vendor, denied: frozenset[Purpose] | None = None) -> Answer:
        """Return what is done with ``vendor`` when the purposes ``denied`` are denied; by default all of the policy's."""
        if denied is None:
            denied = self.denied
        answers = self._answers.setdefault(denied, {})
        found = answers.get(vendor.vendor)
        if found is None:
            found = answers[vendor.vendor] = self._answer(vendor, denied)
        return found

    def allows(self, host: str) -> str | None:
        """Return the name in the ``allow`` list that covers ``host``, or None."""
        while host:
            if host in self.allows_hosts:
                return host
            host = host.partition(".")[2]
        return None

    def decide(self, mode: Mode, reading: Reading, path: str, known: Signal | None = None) -> "Decision":
        """Return what holds for a request to ``path`` that carries the signals in ``reading``.

        ``known`` is the standing opt-out of a consumer who has signed in, where the door knows of one.
        """
        if mode is Mode.OFF or (reading.silent and known is None and not self._rules):
            return self._nobody_opted_out[mode]
        rules = self.rules(path) if self._rules else ()
        said = (*reading.opt_outs(), known) if known is not None else reading.opt_outs()
        because = tuple(signal for signal in said if self.counts(signal, reading))
        if not because and not rules:
            return self._nobody_opted_out[mode]
        return self._decided(mode, because, rules)

    def _decision(self, mode: Mode, because: tuple[Signal, ...], rules: tuple[PathRule, ...]) -> "Decision":
        purposes = [self.honoured.purposes(signal) for signal in because] + [rule.purposes for rule in rules]
        return Decision(self, mode, because, rules, purposes[0].union(*purposes[1:]))

    def counts(self, signal: Signal, reading: Reading) -> bool:
        """Return True when the policy acts on ``signal``, given all else that the request says."""
        return self.honoured.counts(signal) and not (signal.kind == GPC and self.overridden(reading))

    def overridden(self, reading: Reading) -> bool:
        """Return True when a consent given in knowledge of the browser's signal stands against it (§7025(c)(3))."""
        return self.honors_informed_consent and reading.own.informed

    def rules(self, path: str) -> tuple[PathRule, ...]:
        """Return the rules that hold for everyone on a request's path.

        The path is read as origins read it: percent-escapes decoded once, dot segments and doubled slashes resolved.
        """
        plain = _plain_path(path)
        return tuple(rule for regex, rule in self._rules if regex.match(plain))

    def _answer(self, vendor: Vendor, denied: frozenset[Purpose]) -> Answer:
        chief = vendor.purposes[0]
        if vendor.vendor in self.allows_vendors:
            return Answer(Action.ALLOW, chief, f"policy {self.name!r} allows it by name")
        override = self._overrides.get(vendor.vendor)
        if override is Action.RESTRICT and vendor.restricted is None:
            # Refused when a configuration is loaded; a vendor without such a mode would load as it is.
            return Answer(Action.BLOCK, chief, f"policy {self.name!r} restricts it, and it has no restricted mode")
        if override is not None:
            return Answer(override, chief, f"policy {self.name!r} says {override.value} for this vendor")
        # A vendor that defends the site keeps working, whatever else it does (notice, section 5.B).
        if Purpose.SECURITY in vendor.purposes:
            return Answer(Action.ALLOW, Purpose.SECURITY, "security keeps working for everyone")
        refused = next((purpose for purpose in vendor.purposes if purpose in denied), None)
        if refused is not None:
            return Answer(Action.BLOCK, refused, f"policy {self.name!r} denies {refused.value}")
        if chief in self.denied:
            return Answer(Action.ALLOW, chief, f"the visitor did not refuse {chief.value}")
        return Answer(Action.ALLOW, chief, f"policy {self.name!r} does not deny {chief.value}")


@dataclass(frozen=True)
class Decision:
    """What holds for one exchange. What follows from it is worked out once.

    Attributes:
        policy: the policy it was made under.
        mode: the site's mode.
        because: the honoured signals that refused something; empty when none did.
        rules: the path rules that hold for everyone here.
        denied: the purposes that are denied.
    """

    policy: Policy
    mode: Mode
    because: tuple[Signal, ...] = ()
    rules: tuple[PathRule, ...] = ()
    denied: frozenset[Purpose] = frozenset()

    @cached_property
    def opted_out(self) -> bool:
        """True when something is denied, on the visitor's word or on this path."""
        return bool(self.because) or bool(self.rules)

    @cached_property
    def enforced(self) -> bool:
        """True when something is denied and the gate acts on it."""
        return self.opted_out and self.mode is Mode.ENFORCE

    @cached_property
    def do_not_sell(self) -> bool:
        """True when the visitor refused sale, sharing or targeted advertising: what opt-out strings speak of."""
        return any(signal.is_do_not_sell for signal in self.because)

    @property
    def always(self) -> str | None:
        """The first path pattern that denies something for everyone here, or None."""
        return self.rules[0].pattern if self.rules else None

    @cached_property
    def signal(self) -> str:
        """The label of metrics: the chief signal's kind, ``always``, or ``none``."""
        if self.because:
            return self.because[0].kind
        return "always" if self.rules else "none"

    @cached_property
    def needs_cookies(self) -> bool:
        """True when some of what is denied is denied on a cookie's word, which ``Vary: Sec-GPC`` does not tell apart."""
        told_apart = [self.policy.honoured.purposes(signal) for signal in self.because if signal.kind == GPC]
        told_apart += [rule.purposes for rule in self.rules]
        return bool(self.because) and not self.denied <= frozenset[Purpose]().union(*told_apart)

    def answer(self, vendor: Vendor) -> Answer:
        """Return what is done with ``vendor``."""
        return self.policy.answer(vendor, self.denied)

    def verdict(self, rule: Rule) -> Verdict:
        """Return the answer about what ``rule`` recognised."""
        return Verdict(rule, self.policy.answer(rule.vendor, self.denied))

    def evidence(self, purpose: Purpose) -> tuple[Signal | PathRule, ...]:
        """Return the signals and path rules on whose word ``purpose`` is denied; none when it is not."""
        signals = [signal for signal in self.because if purpose in self.policy.honoured.purposes(signal)]
        return (*signals, *(rule for rule in self.rules if purpose in rule.purposes))

    def unknown(self, rule: Rule) -> Verdict:
        """Return the verdict that denies what ``rule`` says nobody knows."""
        words = f"{self.rules[0].pattern!r} denies" if self.rules else f"policy {self.policy.name!r} blocks"
        answer = Answer(Action.BLOCK, rule.vendor.purposes[0], f"{words} third parties that no list knows")
        return Verdict(rule, answer)

    def allowed(self, host: str) -> Verdict | None:
        """Return the verdict that lets ``host`` load because the policy allows it by name, or None."""
        name = self.policy.allows(host)
        if name is None:
            return None
        words = f"policy {self.policy.name!r} allows the host by name"
        return Verdict(Rule(HOST, "allow", name, "", 0), Answer(Action.ALLOW, HOST.purposes[0], words))

    def __str__(self) -> str:
        if self.because:
            return f"opted out by {', '.join(signal.words for signal in self.because)}"
        return "; ".join(map(str, self.rules)) or "no opt-out"


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

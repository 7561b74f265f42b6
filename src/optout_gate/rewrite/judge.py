"""Who is asked about every reference in a page: what it belongs to, and whether it may stay.

One judge serves one exchange. It knows the page's URL and the site's own hosts, which are never touched, asks the
catalogue first and the operator's filter lists after it, and keeps a note of everything that was taken out.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from optout_gate.policy.config import Action
from optout_gate.policy.decision import Decision, Verdict
from optout_gate.rewrite.memory import MAX_SNIPPET_CHARACTERS, Memory
from optout_gate.trackers.catalog import Catalog
from optout_gate.trackers.lists import FilterList
from optout_gate.trackers.urls import Base, Target, base_of, resolve
from optout_gate.trackers.vendor import Vendor

MAX_KEPT_REMOVALS = 500  # per exchange; beyond it they are counted, and their details let go

KINDS = (
    "script", "inline_script", "image", "iframe", "link", "style", "media", "object",
    "ping", "form", "meta", "header", "cookie",
)  # fmt: skip
"""What kind of thing was taken out: the closed set of the metrics' ``kind`` label."""


@dataclass(frozen=True, slots=True)
class Removal:
    """One thing taken out, or replaced by something harmless.

    Attributes:
        kind: one of :data:`KINDS`.
        verdict: whose it was and why it went.
        what: the reference without its query, or the cookie's name; for people, never for metrics.
    """

    kind: str
    verdict: Verdict
    what: str


@dataclass(slots=True)
class Removals:
    """Everything that one exchange took out. Counts are exact; details are kept up to a bound."""

    kept: list[Removal] = field(default_factory=list)
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def add(self, kind: str, verdict: Verdict, what: str) -> None:
        """Note a removal; ``counts`` is keyed by vendor, purpose and kind."""
        self.counts[verdict.vendor.vendor, verdict.answer.purpose.value, kind] += 1
        if len(self.kept) < MAX_KEPT_REMOVALS:
            self.kept.append(Removal(kind, verdict, what.partition("?")[0][:200]))

    def take(self, other: "Removals") -> None:
        """Note everything in ``other`` as well."""
        self.counts.update(other.counts)
        self.kept += other.kept[: MAX_KEPT_REMOVALS - len(self.kept)]

    def __len__(self) -> int:
        return self.counts.total()


class Snippet(NamedTuple):
    """What became of a snippet, and what was taken out of it."""

    text: str
    removals: Removals


class Judge:
    """Decides about references, and remembers what was decided."""

    def __init__(
        self,
        decision: Decision,
        catalog: Catalog,
        filter_lists: Sequence[FilterList],
        *,
        page_url: str,
        notes: Removals | None = None,
        memory: Memory[Snippet] | None = None,
    ) -> None:
        self.decision = decision
        self.catalog = catalog
        self.page_url = page_url
        self.page = base_of(page_url)
        self.authority = page_url.partition("://")[2].partition("/")[0]
        self.removals = Removals() if notes is None else notes
        self.allowed: dict[Vendor, None] = {}  # vendors that were recognised and may stay, in the order of the page
        self._filter_lists = filter_lists
        self._memory = None if filter_lists else memory  # lists may decide by the whole URL of the page
        # Everything besides a reference and its base that a verdict, or what takes its place, depends on.
        self._standing = (decision.policy.name, decision.always, self.page.host, self.authority)

    def remembered(self, kind: str, text: str, base: Base, rewrite: Callable[[str], str]) -> str:
        """Return ``rewrite(text)``, from memory where the same snippet was rewritten under the same decision before.

        Only for a ``rewrite`` whose result depends on nothing but ``text``, ``base`` and this judge's answers.
        """
        # From a base of the site's own, what a relative reference leads to is never denied; no more of it matters.
        if self._memory is None or len(text) > MAX_SNIPPET_CHARACTERS or not self.own(base.host):
            return rewrite(text)
        key = (kind, text, base.scheme, self._standing)
        found = self._memory.recall(key)
        if found is not None:
            self.removals.take(found.removals)
            return found.text
        notes, self.removals = self.removals, Removals()
        try:
            out = rewrite(text)
            if self.removals:
                self._memory.keep(key, Snippet(out, self.removals))
            return out
        finally:
            notes.take(self.removals)
            self.removals = notes

    def reference(self, text: str, base: Base, kind: str) -> Verdict | None:
        """Return the verdict that denies what ``text`` leads to from ``base``, or None when it may stay.

        ``kind`` is the request's type in the words of filter lists: ``script``, ``image``, ``subdocument``, ...
        """
        target = resolve(text, base)
        return self.target(target, kind) if target is not None else None

    def target(self, target: Target, kind: str) -> Verdict | None:
        """Return the verdict that denies ``target``, or None when it may stay."""
        if self.own(target.host):
            return None
        verdict = self.verdict(target, kind)
        if verdict is None:
            return None
        if verdict.denied:
            return verdict
        self.allowed[verdict.vendor] = None
        return None

    def verdict(self, target: Target, kind: str) -> Verdict | None:
        """Return the verdict about ``target`` whatever it says, or None when nobody knows it."""
        rule = self.catalog.by_url(target.host, target.path)
        if rule is not None:
            return self.decision.verdict(rule)
        for filter_list in self._filter_lists:
            found = filter_list.match(target, self.page_url, kind)
            if found is not None:
                return self.decision.verdict(found)
        return None

    def connection(self, text: str, base: Base) -> Verdict | None:
        """Return the verdict that denies connecting ahead to the host of ``text``, or None.

        A connection has no path to go by: where everything that the catalogue knows of a host is denied, so is it.
        """
        target = resolve(text, base)
        if target is None or self.own(target.host):
            return None
        verdict = self.target(target, "other")
        if verdict is not None:
            return verdict
        verdicts = [self.decision.verdict(rule) for rule in self.catalog.on_host(target.host)]
        return verdicts[0] if verdicts and all(each.denied for each in verdicts) else None

    def own(self, host: str) -> bool:
        """Return True for the page's own host and what stands under it: never a third party."""
        own = self.page.host.removeprefix("www.")
        return host == own or host == self.page.host or (host.endswith(own) and host[-len(own) - 1 : -len(own)] == ".")

    def cookie(self, name: str) -> Verdict | None:
        """Return the verdict that denies a first-party cookie by its name, or None when it may stay."""
        rule = self.catalog.by_cookie(name)
        if rule is None:
            return None
        verdict = self.decision.verdict(rule)
        return verdict if verdict.answer.action is Action.BLOCK else None

    def script(self, text: str) -> Verdict | None:
        """Return the verdict that denies an inline script by its fingerprint, or None."""
        rule = self.catalog.by_script(text)
        if rule is None:
            return None
        verdict = self.decision.verdict(rule)
        return verdict if verdict.denied else None

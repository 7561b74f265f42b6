"""Who is asked about every reference in a page: what it belongs to, and whether it may stay.

One judge serves one exchange. It knows the page's URL and the site's own hosts, which are never touched, asks the
catalogue first and the operator's filter lists after it, and keeps a note of everything that was taken out.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from optout_gate.policy.config import Action, Unknown
from optout_gate.policy.decision import Decision, Verdict
from optout_gate.rewrite.cloaks import Cloaks
from optout_gate.rewrite.memory import MAX_SNIPPET_CHARACTERS, Memory
from optout_gate.trackers import unknown
from optout_gate.trackers.catalog import Catalog, Rule
from optout_gate.trackers.lists import FilterList
from optout_gate.trackers.urls import Base, Target, base_of, resolve
from optout_gate.trackers.vendor import Vendor

MAX_UNKNOWN_HOSTS = 100  # per exchange; a page has some dozen third parties
MAX_KEPT_REMOVALS = 500  # per exchange; beyond it they are counted, and their details let go

KINDS = (
    "script", "inline_script", "image", "iframe", "link", "style", "media", "object",
    "ping", "form", "meta", "header", "cookie", "click_id", "embed",
    "library",
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


Mark = tuple[int, Counter[tuple[str, str, str]], Counter[str]]
"""Where a :class:`Removals` stands."""


@dataclass(slots=True)
class Removals:
    """Everything that one exchange took out. Counts are exact; details are kept up to a bound.

    ``unknown`` counts the hosts of third parties that nobody knows and that were let through, up to a bound.
    """

    kept: list[Removal] = field(default_factory=list)
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, verdict: Verdict, what: str) -> None:
        """Note a removal; ``counts`` is keyed by vendor, purpose and kind."""
        self.counts[verdict.vendor.vendor, verdict.answer.purpose.value, kind] += 1
        if len(self.kept) < MAX_KEPT_REMOVALS:
            self.kept.append(Removal(kind, verdict, what.partition("?")[0][:200]))

    def take(self, other: "Removals") -> None:
        """Note everything in ``other`` as well."""
        self.counts.update(other.counts)
        self.unknown.update(other.unknown)
        self.kept += other.kept[: MAX_KEPT_REMOVALS - len(self.kept)]

    def let_through(self, host: str) -> None:
        """Note that a third party was let through because nobody knows it."""
        if host in self.unknown or len(self.unknown) < MAX_UNKNOWN_HOSTS:
            self.unknown[host] += 1

    def mark(self) -> Mark:
        """Return where things stand, for :meth:`forget`."""
        return len(self.kept), self.counts.copy(), self.unknown.copy()

    def forget(self, mark: Mark) -> None:
        """Forget what was noted since ``mark``: that part of the page is rewritten again from its beginning."""
        length, counts, unknown = mark
        del self.kept[length:]
        self.counts, self.unknown = counts, unknown

    def since(self, mark: Mark) -> "Removals":
        """Return what was noted since ``mark``."""
        length, counts, unknown = mark
        return Removals(self.kept[length:], self.counts - counts, self.unknown - unknown)

    def __len__(self) -> int:
        return self.counts.total()

    def __bool__(self) -> bool:
        return bool(self.counts)


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
        own_hosts: Sequence[str] = (),
        inline_allowed: bool = True,
        memory: Memory[Snippet] | None = None,
        cloaks: Cloaks | None = None,
    ) -> None:
        """Take what was decided and who is known.

        ``own_hosts`` are further hosts of the site, which are never a third party (``*.example.com`` is every
        subdomain); ``cloaks`` knows which of what stands under them are a vendor's. ``inline_allowed`` is False when the response's Content-Security-Policy keeps a script of the
        gate's own out: a vendor's restricted mode cannot be set then, and it is denied instead.
        """
        self.decision = decision
        self.catalog = catalog
        self.page_url = page_url
        self.page = base_of(page_url)
        self.authority = page_url.partition("://")[2].partition("/")[0]
        self.removals = Removals() if notes is None else notes
        self.may_restrict = inline_allowed
        self.allowed: dict[
            str, Vendor
        ] = {}  # by id: vendors that were recognised and may stay, in the order of the page
        self._cloaks = cloaks
        self._filter_lists = filter_lists
        self._memory = None if filter_lists else memory  # lists may decide by the whole URL of the page
        # On a path where denials hold for everyone, only what is known by name loads.
        self._unknown = Unknown.BLOCK if decision.rules else decision.policy.unknown
        own = {self.page.host, self.page.host.removeprefix("www.")}
        own |= {host.removeprefix("*.") for host in own_hosts if host != "*"}
        self.click_ids = catalog.click_id_pattern
        self._own_suffixes = tuple("." + host for host in own if host)
        self._own = frozenset(own)
        # Everything besides a reference, its base and `may_restrict` that a verdict, or what takes its place, depends on.
        self._standing = (
            decision.policy.name,
            decision.denied,
            decision.rules,
            self.page[1:],
            self.authority,
            own_hosts,
        )

    def remembered(self, kind: str, text: str, base: Base, rewrite: Callable[[str], str]) -> str:
        """Return ``rewrite(text)``, from memory where the same snippet was rewritten under the same decision before.

        Only for a ``rewrite`` whose result depends on nothing but ``text``, ``base`` and this judge's answers.
        """
        # From a base of the site's own, what a relative reference leads to is never denied; no more of it matters.
        if self._memory is None or len(text) > MAX_SNIPPET_CHARACTERS or base.host != self.page.host:
            return rewrite(text)
        key = (kind, text, base.scheme, self.may_restrict, self._standing)
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

    def origin_for(self, base: Base) -> str:
        """Return what goes before a path of the gate's own: the site's origin where ``base`` leads elsewhere."""
        return "" if base.host == self.page.host else f"{self.page.scheme}://{self.authority}"

    def reference(self, text: str, base: Base, kind: str) -> Verdict | None:
        """Return the verdict that denies what ``text`` leads to from ``base``, or None when it may stay.

        ``kind`` is the request's type in the words of filter lists: ``script``, ``image``, ``subdocument``, ...
        """
        target = resolve(text, base)
        return self.target(target, kind) if target is not None else None

    def target(self, target: Target, kind: str) -> Verdict | None:
        """Return the verdict that denies fetching ``target``, or None when it may stay."""
        if self.own(target.host):
            return None
        verdict = self.verdict(target, kind)
        if verdict is not None:
            if self._denied(verdict):
                return verdict
            self.allowed[verdict.vendor.vendor] = verdict.vendor
            return None
        if self._unknown is Unknown.BLOCK:
            return self.decision.unknown(Rule(unknown.HOST, "unknown", target.host, "", 0))
        if self._unknown is Unknown.REPORT:
            self.removals.let_through(target.host)
        return None

    def mention(self, target: Target, kind: str) -> Verdict | None:
        """Return the verdict that denies ``target``, which a text only names: what nobody knows may stay."""
        if self.own(target.host):
            return None
        verdict = self.verdict(target, kind)
        return verdict if verdict is not None and self._denied(verdict) else None

    def picture(self, target: Target, element: unknown.HasAttributes, *, in_noscript: bool) -> Verdict | None:
        """Return the verdict that denies an ``img``, by who it belongs to or, where nobody knows, by its shape."""
        if self.own(target.host):
            return None
        if self.verdict(target, "image") is None:
            shape = unknown.beacon_shape(element, target, in_noscript=in_noscript)
            if shape is not None:
                verdict = self.decision.verdict(unknown.rule_of_shape(shape))
                if verdict.denied:
                    return verdict
        return self.target(target, "image")

    def restricted(self, target: Target, kind: str) -> Verdict | None:
        """Return the verdict by which ``target`` loads in its vendor's restricted mode, or None."""
        if not self.decision.policy.restricts or not self.may_restrict or self.own(target.host):
            return None
        verdict = self.verdict(target, kind)
        return verdict if verdict is not None and verdict.answer.action is Action.RESTRICT else None

    def _denied(self, verdict: Verdict) -> bool:
        return verdict.denied or (verdict.answer.action is Action.RESTRICT and not self.may_restrict)

    def verdict(self, target: Target, kind: str) -> Verdict | None:
        """Return the verdict about ``target`` whatever it says, or None when nobody knows it."""
        if self.decision.policy.allows_hosts and (found := self.decision.allowed(target.host)) is not None:
            return found
        rule = self.catalog.by_url(target.host, target.path)
        if rule is None and self._cloaks is not None:
            rule = self._cloaks.rule(target.host)
        if rule is not None:
            return self.decision.verdict(rule)
        for filter_list in self._filter_lists:
            match = filter_list.match(target, self.page_url, kind)
            if match is not None:
                return self.decision.verdict(match)
        return None

    def connection(self, text: str, base: Base) -> Verdict | None:
        """Return the verdict that denies connecting ahead to the host of ``text``, or None.

        A connection has no path to go by: where everything that the catalogue knows of a host is denied, so is it.
        """
        target = resolve(text, base)
        if target is None or self.own(target.host):
            return None
        allowed = self.decision.policy.allows_hosts and self.decision.allowed(target.host) is not None
        verdicts = [] if allowed else [self.decision.verdict(rule) for rule in self.catalog.on_host(target.host)]
        if verdicts and all(map(self._denied, verdicts)):
            return verdicts[0]
        return self.target(target, "other")

    def own(self, host: str) -> bool:
        """Return True for the site's own hosts and what stands under them: never a third party."""
        if host in self._own:
            return True
        return host.endswith(self._own_suffixes) and (self._cloaks is None or self._cloaks.met(host) is None)

    def cookie(self, name: str) -> Verdict | None:
        """Return the verdict that denies a first-party cookie by its name, or None when it may stay."""
        rule = self.catalog.by_cookie(name)
        if rule is None:
            return None
        verdict = self.decision.verdict(rule)
        return verdict if verdict.answer.action is Action.BLOCK else None

    def click_id(self, name: str) -> Verdict | None:
        """Return the verdict that denies a click identifier by the name of its parameter, or None."""
        rule = self.catalog.by_click_id(name)
        if rule is None:
            return None
        verdict = self.decision.verdict(rule)
        return verdict if self._denied(verdict) else None

    def amp(self, name: str) -> Verdict | None:
        """Return the verdict that denies an AMP component by the vendor name in its ``type``, or None."""
        rule = self.catalog.by_amp(name)
        if rule is None:
            return None
        verdict = self.decision.verdict(rule)
        return verdict if self._denied(verdict) else None

    @property
    def containers(self) -> tuple[str, ...]:
        """Classes of boxes that denied vendors fill."""
        return tuple(name for name in self.catalog.containers if self.container(name) is not None)

    def container(self, name: str) -> tuple[Verdict, str] | None:
        """Return who is denied that fills boxes of class ``name``, and the attribute that names the content."""
        found = self.catalog.containers.get(name)
        if found is None:
            return None
        verdict = self.decision.verdict(found[0])
        return (verdict, found[1]) if self._denied(verdict) else None

    def script(self, text: str) -> Verdict | None:
        """Return the verdict that denies an inline script by its fingerprint, or None."""
        rule = self.catalog.by_script(text)
        if rule is None:
            return None
        verdict = self.decision.verdict(rule)
        return verdict if self._denied(verdict) else None

"""What one exchange took out: counted exactly, described up to a bound.

Some dozens of things go from a page, and each is noted while the page waits; whoever reports is asked afterwards, and
often about nothing but the counts. So a note is one line in a list, and is counted and described when somebody looks.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from optout_gate.policy.decision import Verdict

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


Note = tuple[str, Verdict, str]
"""The arguments of :meth:`Removals.add`."""
Mark = tuple[int, Counter[tuple[str, str, str]], Counter[str]]
"""Where a :class:`Removals` stands."""


_NOTHING: Mark = (0, Counter(), Counter())


class Removals:
    """Everything that one exchange took out. Counts are exact; details are kept up to a bound."""

    __slots__ = ("_counts", "_kept", "_new", "unknown")

    def __init__(self) -> None:
        self._kept: list[Removal] = []
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._new: list[Note] = []  # noted, and neither counted nor described yet
        self.unknown: Counter[str] = Counter()
        """Hosts of third parties that nobody knows and that were let through, up to a bound."""

    @property
    def kept(self) -> list[Removal]:
        """What was taken out, in order, up to :data:`MAX_KEPT_REMOVALS`."""
        self._settle()
        return self._kept

    @property
    def counts(self) -> Counter[tuple[str, str, str]]:
        """How much was taken out, by vendor, purpose and kind."""
        self._settle()
        return self._counts

    def add(self, kind: str, verdict: Verdict, what: str) -> None:
        """Note a removal."""
        self._new.append((kind, verdict, what))
        if len(self._new) > MAX_KEPT_REMOVALS:
            self._settle()

    def notes(self) -> tuple[Note, ...] | None:
        """Return what was noted, as it was noted, or None when it is counted by now."""
        return None if self._counts else tuple(self._new)

    def add_all(self, notes: Iterable[Note]) -> None:
        """Note several removals."""
        self._new += notes
        if len(self._new) > MAX_KEPT_REMOVALS:
            self._settle()

    def take(self, other: "Removals") -> None:
        """Note everything in ``other`` as well."""
        self._settle()
        self._counts.update(other.counts)
        self.unknown.update(other.unknown)
        self._kept += other.kept[: MAX_KEPT_REMOVALS - len(self._kept)]

    def let_through(self, host: str) -> None:
        """Note that a third party was let through because nobody knows it."""
        if host in self.unknown or len(self.unknown) < MAX_UNKNOWN_HOSTS:
            self.unknown[host] += 1

    def mark(self) -> Mark:
        """Return where things stand, for :meth:`forget`."""
        if not (self._new or self._counts or self.unknown):
            return _NOTHING
        return len(self.kept), self.counts.copy(), self.unknown.copy()

    def forget(self, mark: Mark) -> None:
        """Forget what was noted since ``mark``: that part of the page is rewritten again from its beginning."""
        self._new.clear()
        length, counts, unknown = mark
        del self._kept[length:]
        self._counts, self.unknown = counts.copy(), unknown.copy()

    def since(self, mark: Mark) -> "Removals":
        """Return what was noted since ``mark``."""
        length, counts, unknown = mark
        found = Removals()
        found._kept, found._counts = self.kept[length:], self.counts - counts
        found.unknown = self.unknown - unknown
        return found

    def __len__(self) -> int:
        return self._counts.total() + len(self._new)

    def __bool__(self) -> bool:
        return bool(self._new or self._counts)

    def _settle(self) -> None:
        for kind, verdict, what in self._new:
            self._counts[verdict.vendor.vendor, verdict.answer.purpose.value, kind] += 1
            if len(self._kept) < MAX_KEPT_REMOVALS:
                self._kept.append(Removal(kind, verdict, what.partition("?")[0][:200]))
        self._new.clear()

"""Which label values go by name in metrics, so that a process shows fewer than 300 series whatever it meets.

What the configuration names is certain of its place. The rest takes the places left in the order in which it is met,
and what comes after the last place is counted together. The places are far more than a website needs (its vendors,
the formats of its one or two consent platforms); they end only for who sends nonsense, or for a gate before a great
many sites.
"""

from collections.abc import Iterable
from typing import Generic, TypeVar

OTHER = "other"
"""The label of what is counted together."""

Labels = TypeVar("Labels", str, tuple[str, str], tuple[str, str, str])


class Names(Generic[Labels]):
    """Label values that go by name, up to a bound. Nothing loses its place until the process ends."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._named: set[Labels] = set()

    def reserve(self, names: Iterable[Labels]) -> None:
        """Give places to what the configuration names, in its order, while there are any."""
        for each in names:
            self.label(each, each)

    def label(self, name: Labels, otherwise: Labels) -> Labels:
        """Return ``name`` when it has or gets a place, else ``otherwise``."""
        if name in self._named:
            return name
        if len(self._named) >= self._most:
            return otherwise
        self._named.add(name)
        return name

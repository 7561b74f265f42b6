"""Filter lists in EasyList syntax, which the operator adds; matched by Brave's engine (PyPI ``adblock``).

A list names no vendor and no purpose: it stands in the configuration with the purpose that its matches are denied
for, and as a vendor of its own (``list-easyprivacy``) in reports and metrics.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

import adblock

from optout_gate.trackers.catalog import Rule
from optout_gate.trackers.list_syntax import fault, is_rule
from optout_gate.trackers.purposes import Purpose
from optout_gate.trackers.urls import Target
from optout_gate.trackers.vendor import Vendor

RESOURCE_TYPES = frozenset(
    {"script", "image", "stylesheet", "subdocument", "media", "font", "object", "ping", "xmlhttprequest", "other"}
)
"""Kinds of request that filter options (``$script``, ``$image``, ...) tell apart."""


@dataclass(frozen=True, slots=True)
class SkippedLine:
    """A line of a list that cannot be read, and is passed over."""

    number: int
    text: str
    fault: str


@dataclass(frozen=True, slots=True)
class FilterList:
    """One list, ready to be asked.

    Attributes:
        path: the file it stands in.
        vendor: what its matches are counted as.
        rules: how many of its lines are rules about requests.
        skipped: its lines that cannot be read.
    """

    path: str
    vendor: Vendor
    rules: int
    skipped: tuple[SkippedLine, ...]
    _engine: adblock.Engine
    _lines: dict[str, int]

    @property
    def lines(self) -> Iterable[str]:
        """Its rules as written, each once."""
        return self._lines

    def match(self, target: Target, page: str, kind: str) -> Rule | None:
        """Return the filter that denies ``target`` on ``page`` for a request of ``kind``, or None.

        Exceptions (``@@``), ``$third-party``, ``$domain=``, types and ``$important`` hold.
        """
        found = self._engine.check_network_urls(target.url, page, kind)
        if not found.matched:
            return None
        text = found.filter or "(filter text not kept)"
        return Rule(self.vendor, "list", text, self.path, self._lines.get(text, 0))


def load(text: str, *, path: str, name: str, purpose: Purpose) -> FilterList:
    """Return the list in ``text``, which stands in the file ``path``. A line that cannot be read is passed over."""
    lines: dict[str, int] = {}
    skipped: list[SkippedLine] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not is_rule(line):
            continue
        if (wrong := fault(line)) is not None:
            skipped.append(SkippedLine(number, line, wrong))
        else:
            lines.setdefault(line, number)
    filters = adblock.FilterSet(debug=True)  # debug keeps each filter's text, which `explain` names
    filters.add_filters(list(lines))
    vendor = Vendor(vendor=f"list-{name}", name=path, company="(filter list)", purposes=(purpose,), source=path)
    return FilterList(path, vendor, len(lines), tuple(skipped), adblock.Engine(filters), lines)


def checksum(content: bytes) -> str:
    """Return the checksum by which a list is pinned: SHA-256, in hexadecimal."""
    return sha256(content).hexdigest()

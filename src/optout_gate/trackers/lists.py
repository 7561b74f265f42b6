"""Filter lists in EasyList syntax, which the operator adds; matched by Brave's engine (PyPI ``adblock``).

A list names no vendor and no purpose: it stands in the configuration with the purpose that its matches are denied
for, and as a vendor of its own (``list-easyprivacy``) in reports and metrics.
"""

from dataclasses import dataclass

import adblock

from optout_gate.trackers.catalog import Rule
from optout_gate.trackers.purposes import Purpose
from optout_gate.trackers.urls import Target
from optout_gate.trackers.vendor import Vendor

RESOURCE_TYPES = frozenset(
    {"script", "image", "stylesheet", "subdocument", "media", "font", "object", "ping", "xmlhttprequest", "other"}
)
"""Kinds of request that filter options (``$script``, ``$image``, ...) tell apart."""


@dataclass(frozen=True, slots=True)
class FilterList:
    """One list, ready to be asked."""

    path: str
    vendor: Vendor
    _engine: adblock.Engine
    _lines: dict[str, int]

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
    """Return the list in ``text``, which stands in the file ``path``."""
    filters = adblock.FilterSet(debug=True)  # debug keeps each filter's text, which `explain` names
    filters.add_filter_list(text)
    vendor = Vendor(vendor=f"list-{name}", name=path, company="(filter list)", purposes=(purpose,), source=path)
    lines: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        lines.setdefault(line.strip(), number)
    return FilterList(path, vendor, adblock.Engine(filters), lines)

"""Subdomains of the site that are a vendor's by a CNAME: ``metrics.shop.example`` that leads to ``data.adobedc.net``.

To a reader of names such a host is the site's own, and only the DNS tells. Rewriting does not wait for the DNS: the first
page that refers to a subdomain takes it for the site's, and has it looked up beside the requests
(:mod:`optout_gate.uncloaking`); from then on the gate knows.

What was found is kept for as long as the DNS says, within bounds, and a vendor's subdomain stays one until it has been looked
up again. Looking up again is due by time, not by asking, since a page that is remembered asks nobody.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from optout_gate.trackers.catalog import Catalog, Rule

MAX_HOSTS = 1000  # known at a time; a site has some dozens, a site with one for each customer would have no end
MAX_WAITING = 200  # to be looked up; the rest is met again with the next page
MIN_KEPT_S, MAX_KEPT_S = 60.0, 3600.0  # cloaked hosts are often given a lifetime of seconds
RETRY_S = 60.0  # after an answer that did not come
_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class _Known:
    rule: Rule | None
    until: float


class Cloaks:
    """What is known of the site's subdomains, and what is to be looked up. One thread's."""

    def __init__(self, catalog: Catalog, clock: Callable[[], float]) -> None:
        """Take the vendors, and a clock in seconds."""
        self._catalog = catalog
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._waiting: dict[str, None] = {}
        self._next_look = _NEVER

    def met(self, host: str) -> Rule | None:
        """Return the rule that a subdomain of the site falls under; one never heard of waits to be looked up."""
        known = self._known.get(host)
        if known is not None:
            return known.rule
        if len(self._waiting) < MAX_WAITING:
            self._waiting[host] = None
        return None

    def rule(self, host: str) -> Rule | None:
        """Return the rule that ``host`` is known to fall under, or None."""
        known = self._known.get(host)
        return known.rule if known is not None else None

    @property
    def is_due(self) -> bool:
        """True when something is to be looked up."""
        return bool(self._waiting) or self._clock() >= self._next_look

    def due(self) -> list[str]:
        """Return the hosts to look up now, and expect to be told of each."""
        now = self._clock()
        hosts = list(self._waiting)
        self._waiting.clear()
        for host, known in list(self._known.items()):
            if known.until > now:
                continue
            if known.rule is None:
                del self._known[host]  # a page that refers to it says so again
            else:
                hosts.append(host)
        self._next_look = min((known.until for known in self._known.values() if known.until > now), default=_NEVER)
        return hosts

    def learn(self, host: str, names: Sequence[str], lifetime_s: float) -> bool:
        """Take the names that a host's CNAMEs lead to, none for a host that stands for itself.

        Returns True when this changes what pages become.
        """
        found = None
        for name in names:
            rule = self._catalog.by_url(name, "/")
            if rule is not None and rule.kind == "domain":
                found = Rule(rule.vendor, "cname", f"{host} leads to {name}, {rule.text}", rule.file, rule.line)
                break
        before = self.rule(host)
        self._keep(host, found, min(max(lifetime_s, MIN_KEPT_S), MAX_KEPT_S))
        return found != before

    def missed(self, host: str) -> None:
        """Take it that nobody answered: what was known stays known, and is asked for again before long."""
        self._keep(host, self.rule(host), RETRY_S)

    def _keep(self, host: str, rule: Rule | None, lifetime_s: float) -> None:
        self._known.pop(host, None)
        if len(self._known) >= MAX_HOSTS:
            del self._known[next(iter(self._known))]
        until = self._clock() + lifetime_s
        self._known[host] = _Known(rule, until)
        self._next_look = min(self._next_look, until)

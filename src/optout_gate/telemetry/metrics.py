"""What the gate counts, for Prometheus. ``docs/metrics.md`` has the table.

Label values come from closed sets: sites and policies are the configuration's, vendors the catalogue's, everything
else is an enumeration. Nothing a visitor or origin sends becomes a label: no host, path or cookie.

What there is to count in stands in :mod:`optout_gate.telemetry.series`; here is what is counted where.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from itertools import islice, product

from prometheus_client import CollectorRegistry, Counter

from optout_gate.gate import Gate
from optout_gate.policy.config import Action, Mode
from optout_gate.report import Outcome, Report
from optout_gate.rewrite import outgoing
from optout_gate.signals.formats import FORMATS, UNREAD
from optout_gate.signals.gpc import Gpc
from optout_gate.signals.kinds import COOKIE, GPC
from optout_gate.telemetry.choices import ChoiceMetrics
from optout_gate.telemetry.learning import ALLOWED, UNKNOWN
from optout_gate.telemetry.names import OTHER, Names
from optout_gate.telemetry.recent import Recent
from optout_gate.telemetry.series import Series
from optout_gate.telemetry.state import StateMetrics

# Together these keep a process under 300 series; a test meets all there is.
MAX_NAMED_FORMATS = 4  # consent cookies; a site has one platform or two, the gate reads dozens
MAX_BLOCKED_PAIRS = 10  # of vendor and channel, as browsers report; anybody can send such reports
MAX_LEAK_PAIRS = 6
MAX_BEACON_VENDORS = 4  # a site proxies one or two
MAX_PAIRS = 6  # of signals that contradict each other
MAX_REMOVAL_SERIES = 36  # of vendor and purpose; the demo's pages have 35
MAX_UPSTREAM_ERRORS = 14  # of site and reason: all that one site's origin can do
MAX_NOT_HONOURED = 4  # of site and signal
MAX_REWRITE_ERRORS = 9  # of cause and what was done: a policy has one answer to each of seven causes
MAX_NAMED_SITES = 8  # in the configuration's order; further ones count together
MAX_REQUEST_SERIES = 45  # of site, signal and outcome: five for every day (EVERYDAY) for each site and the rest

MAX_UNKNOWN_HOSTS = 1000  # remembered to tell a new one
OWN_PAGES = {"/_optout/preferences": "preferences", "/_optout/opt-out": "opt_out", "/_optout/opt-in": "opt_in"}
"""The gate's own pages that a visitor's choice depends on; the rest (surrogates, the guard) count as ``asset``."""

EVERYDAY: Mapping[Mode, tuple[tuple[str, Outcome], ...]] = {
    Mode.ENFORCE: (
        ("none", Outcome.UNTOUCHED),
        ("gpc", Outcome.ENFORCED),
        ("gpc", Outcome.NOTHING_TO_DO),
        ("cookie", Outcome.ENFORCED),
        ("cookie", Outcome.NOTHING_TO_DO),
    ),
    Mode.OBSERVE: (("none", Outcome.UNTOUCHED), ("gpc", Outcome.OBSERVED), ("cookie", Outcome.OBSERVED)),
    Mode.OFF: (("none", Outcome.UNTOUCHED),),
}
"""Signals and outcomes by which every site named is counted on its own, and which are shown before any request: Prometheus
takes the first value it sees of a series for its beginning, and misses the event that made it."""

log = logging.getLogger("optout_gate")


class Metrics(Series):
    """Counts what happens, in a registry of its own."""

    def __init__(self) -> None:
        super().__init__(CollectorRegistry())
        self._own_pages = OWN_PAGES
        self._hosts: set[str] = set()
        self._beacons = Names[str](MAX_BEACON_VENDORS)
        self._beacons_met: set[str] = set()
        self._allowed: set[str] = set()
        self._formats = Names[str](MAX_NAMED_FORMATS)
        self._blocked = Names[tuple[str, str]](MAX_BLOCKED_PAIRS)
        self._leaked = Names[tuple[str, str]](MAX_LEAK_PAIRS)
        self._errors = Names[tuple[str, str]](MAX_REWRITE_ERRORS)
        self._upstream_errors = Names[tuple[str, str]](MAX_UPSTREAM_ERRORS)
        self._not_honoured = Names[tuple[str, str]](MAX_NOT_HONOURED)
        self._pairs = Names[tuple[str, str]](MAX_PAIRS)
        self._removed = Names[tuple[str, str]](MAX_REMOVAL_SERIES)
        self._sites = Names[str](MAX_NAMED_SITES)
        self._requested = Names[tuple[str, str, str]](MAX_REQUEST_SERIES)
        self.choices = ChoiceMetrics(self.registry)
        self._state = StateMetrics(self.registry)
        self.recent = Recent()

        # prometheus-client checks and joins the labels' values anew each time: more than counting costs.
        self.requests_of = cache(self._request_series)
        self._of_removals = lru_cache(maxsize=1024)(self._removal_sums)  # pages that come again lose the same
        self._opted_out_by = cache(lambda signal: self.last_opt_out.labels(self._signal_label(signal)))

    def describe(self, gate: Gate, *, lists: Mapping[str, float] | None = None) -> None:
        """Say what is at work since now, and show every site at zero before its first request.

        ``lists`` holds when the files of the filter lists were changed, in seconds since 1970, by list.
        """
        self._state.describe(gate, lists or {})
        self._own_pages = OWN_PAGES | dict.fromkeys(gate.config.preferences.paths, "preferences")
        for page, result in product(OWN_PAGES.values(), ("ok", "error")):
            self.own_pages.labels(page, result)
        for site in gate.config.sites:
            name = self._sites.label(site.hosts[0], OTHER)
            self._requested.reserve((name, signal, outcome.value) for signal, outcome in EVERYDAY[site.mode])
            for signal, outcome in EVERYDAY[site.mode]:
                self.requests_of(site.hosts[0], signal, outcome)
        self._removed.reserve(islice(_own_vendors(gate), MAX_REMOVAL_SERIES // 2))

    def record(self, report: Report, *, seconds: float) -> None:
        """Count one exchange."""
        self.bytes_in.inc(report.bytes_in)
        self.bytes_out.inc(report.bytes_out)
        self.gate_seconds.observe(report.gate_seconds)
        self.total_seconds.observe(seconds)
        self.note(report, seconds=seconds)

    def note(self, report: Report, *, seconds: float) -> None:
        """Count what happened in one exchange, all but how long it took and how large it was."""
        self.requests_of(report.site, report.decision.signal, report.outcome).inc()
        for series, count in self._of_removals(tuple(report.removals.counts.items())):
            series.inc(count)
        if report.outgoing:
            self._went_out(report)
        if report.decision.because:
            now = time.time()
            self._opted_out_by(report.decision.signal).set(now)
            self.recent.note(report, at=now, seconds=seconds)
        elif not report.reading.silent:
            self._look_for_unheeded(report)
        if report.unguarded is not None:
            self.guard_not_injected.labels(report.unguarded).inc()
        if report.no_transform and report.error is None:
            self.no_transform.inc()
        if report.error is not None:
            done = report.outcome.value
            self.rewrite_errors.labels(*self._errors.label((report.error, done), (OTHER, done))).inc()
        if report.reading.gpc in (Gpc.FOLDED, Gpc.IGNORED):
            self.anomalies.labels(f"sec_gpc_{report.reading.gpc.value}").inc()
        if any(each.format == UNREAD for each in report.reading.cookies):
            self.anomalies.labels("cookie_unread").inc()
        for pair in report.contradictions:
            self.contradictions.labels(*self._pairs.label(pair, (OTHER, OTHER))).inc()
        for host, count in report.removals.unknown.items():
            self._met(host, count)
        for vendor in report.allowed:
            if vendor not in self._allowed:
                self._allowed.add(vendor)
                log.info("%s %s", ALLOWED, vendor)
        if report.reading.dnt:
            self.dnt.inc()

    def _look_for_unheeded(self, report: Report) -> None:
        """Count an opt-out that the site's policy or mode gives no effect, and that no consent given since outweighs."""
        policy, site = report.decision.policy, self._sites.label(report.site, OTHER)
        for signal in report.reading.opt_outs():
            if signal.kind == COOKIE or (signal.kind == GPC and not policy.overridden(report.reading)):
                pair = self._not_honoured.label((site, signal.kind), (OTHER, OTHER))
                self.not_honoured.labels(*pair).inc()

    def _went_out(self, report: Report) -> None:
        """Count what was kept from the origin."""
        for (vendor, _, kind), count in report.outgoing.counts.items():
            if kind == outgoing.BEACON:
                self._met_beacon(vendor, report)
                self.beacons.labels(self._beacons.label(vendor, OTHER)).inc(count)
            else:
                (self.cookies_cut if kind == outgoing.COOKIE else self.click_ids_cut).inc(count)

    def _met_beacon(self, vendor: str, report: Report) -> None:
        """Name a vendor in the log whose beacons are new here. Vendors are the catalogue's: they have an end."""
        if vendor not in self._beacons_met:
            self._beacons_met.add(vendor)
            done = "would have been refused" if report.outcome is Outcome.OBSERVED else "refused"
            log.info("requests to %s through the site's own host: %s", vendor, done)

    def browser_said(self, what: str, first: str, channel: str, count: int) -> None:
        """Count what a browser reported, or a report of one that was not read.

        ``what`` is ``blocked`` or ``leaked`` with a vendor and a channel, or ``refused`` with a reason.
        """
        if what == "refused":
            self.browser_reports_refused.labels(first).inc(count)
        else:
            counter, names = (
                (self.leaks, self._leaked) if what == "leaked" else (self.blocked_in_browser, self._blocked)
            )
            counter.labels(*names.label((first, channel), (OTHER, OTHER))).inc(count)

    def refused(self, reason: str) -> None:
        """Count a request that the gate refused before any origin saw it."""
        self.refusals.labels(reason).inc()

    def origin_failed(self, site: str, reason: str) -> None:
        """Count an exchange that the origin failed."""
        pair = (self._sites.label(site, OTHER), reason)
        self.upstream_errors.labels(*self._upstream_errors.label(pair, (OTHER, OTHER))).inc()

    def reload_failed(self) -> None:
        """Say that a new configuration was wrong, and the one before it stays."""
        self._state.reload_failed()

    def page_of(self, path: str) -> str:
        """Return which of the gate's own pages a path is, as it is counted."""
        return self._own_pages.get(path, "asset")

    def own_page(self, page: str, status: int) -> None:
        """Count an answer of one of the gate's own pages."""
        self.own_pages.labels(page, "ok" if status < 400 else "error").inc()

    def _met(self, host: str, count: int) -> None:
        """Count references to an unknown third party, and name it in the log when it is a new one."""
        self.unknown.inc(count)
        if host not in self._hosts and len(self._hosts) < MAX_UNKNOWN_HOSTS:
            self._hosts.add(host)
            self.unknown_hosts.set(len(self._hosts))
            log.info("%s %s", UNKNOWN, host)

    def _signal_label(self, signal: str) -> str:
        """Return the kind of signal as it is counted: of consent cookies those by name that came first."""
        return signal if signal not in FORMATS else self._formats.label(signal, OTHER)

    def _request_series(self, site: str, signal: str, outcome: Outcome) -> Counter:
        name = (self._sites.label(site, OTHER), self._signal_label(signal), outcome.value)
        return self.requests.labels(*self._requested.label(name, (OTHER, OTHER, outcome.value)))

    def _removal_sums(self, removed: tuple[tuple[tuple[str, str, str], int], ...]) -> list[tuple[Counter, int]]:
        """Return how much of what was removed goes to which series."""
        sums: dict[Counter, int] = {}
        for (vendor, purpose, kind), count in removed:
            by_vendor = self.removals.labels(*self._removed.label((vendor, purpose), (OTHER, purpose)))
            for series in (by_vendor, self.removals_by_kind.labels(kind)):
                sums[series] = sums.get(series, 0) + count
        return list(sums.items())


def _own_vendors(gate: Gate) -> Iterator[tuple[str, str]]:
    """Return vendor and purpose of what the operator added, as policies take it out."""
    own = [gate.catalog.vendors[each.vendor] for each in gate.config.trackers.extra]
    for vendor in (*own, *(each.vendor for each in gate.filter_lists)):
        for answer in (policy.answer(vendor) for policy in gate.policies.values()):
            if answer.action is Action.BLOCK:
                yield vendor.vendor, answer.purpose.value

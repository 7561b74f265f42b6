"""What the gate counts, for Prometheus. ``docs/metrics.md`` has the table.

Label values come from closed sets: sites and policies are the configuration's, vendors the catalogue's, everything
else is an enumeration. Nothing a visitor or origin sends becomes a label: no host, path or cookie.

With several workers each writes to files that the supervisor reads together (prometheus-client's multiprocess mode),
so a gauge says how the workers' values are joined. That mode cannot forget a label value, so what changes with a reload
(the configuration's hash, the age of a list) is a number and never a label.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from itertools import islice

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics

from optout_gate.gate import Gate
from optout_gate.policy.config import Action, Mode
from optout_gate.report import Outcome, Report
from optout_gate.rewrite import outgoing
from optout_gate.signals.formats import FORMATS, UNREAD
from optout_gate.signals.gpc import Gpc
from optout_gate.telemetry.choices import ChoiceMetrics
from optout_gate.telemetry.learning import ALLOWED, UNKNOWN
from optout_gate.telemetry.names import OTHER, Names
from optout_gate.telemetry.recent import Recent
from optout_gate.telemetry.state import StateMetrics
from optout_gate.telemetry.turns import SummedHistogram

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for every counter, which nobody asks for

GATE_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
UPSTREAM_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30)
TOTAL_BUCKETS = (0.01, 0.05, 0.25, 1, 10)

# Together these keep a process under 300 series; a test meets all there is.
MAX_NAMED_FORMATS = 4  # consent cookies; a site has one platform or two, the gate reads dozens
MAX_BLOCKED_PAIRS = 10  # of vendor and channel, as browsers report; anybody can send such reports
MAX_LEAK_PAIRS = 6
MAX_BEACON_VENDORS = 4  # a site proxies one or two
MAX_PAIRS = 6  # of signals that contradict each other
MAX_REMOVAL_SERIES = 40  # of vendor and purpose; the demo's pages have 35
MAX_REWRITE_ERRORS = 12  # of cause and what was done: a policy has one answer to each of seven causes
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
"""Signals and outcomes by which every site named is counted on its own; the first two are shown before any request."""

log = logging.getLogger("optout_gate")


class Metrics:
    """The gate's metrics in a registry of their own."""

    def __init__(self) -> None:
        to = self.registry = CollectorRegistry()
        self.requests = Counter(
            "optout_gate_requests_total",
            "Requests by site, the signal that decided, and what became of the response.",
            ["site", "signal", "decision"],
            registry=to,
        )
        self.removals = Counter(
            "optout_gate_removals_total",
            "References, scripts and cookies taken out of responses (in observe mode: that would have been).",
            ["vendor", "purpose"],
            registry=to,
        )
        self.removals_by_kind = Counter(
            "optout_gate_removals_by_kind_total", "The same, by what was taken out.", ["kind"], registry=to
        )
        self.beacons = Counter(
            "optout_gate_beacons_refused_total",
            "Requests to denied vendors through the site's own host that were refused (observed: would have been).",
            ["vendor"],
            registry=to,
        )
        self.cookies_cut = Counter(
            "optout_gate_request_cookies_cut_total",
            "Cookies of denied vendors cut out of requests to origins (observed: would have been).",
            registry=to,
        )
        self.click_ids_cut = Counter(
            "optout_gate_request_click_ids_cut_total",
            "Click ids of denied vendors cut out of addresses and Referer on their way to origins (likewise).",
            registry=to,
        )
        self.blocked_in_browser = Counter(
            "optout_gate_blocked_in_browser_total",
            "Requests to denied vendors that the guard or a policy stopped in visitors' browsers, as browsers report.",
            ["vendor", "channel"],
            registry=to,
        )
        self.leaks = Counter(
            "optout_gate_leaks_total",
            "Requests to denied vendors that got out of visitors' browsers, as browsers report.",
            ["vendor", "channel"],
            registry=to,
        )
        self.browser_reports_refused = Counter(
            "optout_gate_browser_reports_refused_total",
            "Reports from browsers that were not read.",
            ["reason"],
            registry=to,
        )
        self.guard_not_injected = Counter(
            "optout_gate_guard_not_injected_total",
            "Documents of visitors who opted out that went out without the guard.",
            ["reason"],
            registry=to,
        )
        self.bytes_in = Counter("optout_gate_upstream_body_bytes_total", "Body bytes from origins.", registry=to)
        self.bytes_out = Counter("optout_gate_sent_body_bytes_total", "Body bytes sent to visitors.", registry=to)
        self.gate_seconds = SummedHistogram(
            "optout_gate_rewrite_duration_seconds",
            "Time an exchange spent in the gate itself: signals, decision, rewriting.",
            buckets=GATE_BUCKETS,
            registry=to,
        )
        self.upstream_seconds = SummedHistogram(
            "optout_gate_upstream_duration_seconds",
            "Time until the origin's response head was there.",
            buckets=UPSTREAM_BUCKETS,
            registry=to,
        )
        self.total_seconds = SummedHistogram(
            "optout_gate_request_duration_seconds",
            "Time from a request's head to the end of its response.",
            buckets=TOTAL_BUCKETS,
            registry=to,
        )
        self.rewrite_errors = Counter(
            "optout_gate_rewrite_errors_total",
            "Responses that could not be rewritten, and what was done.",
            ["reason", "action"],
            registry=to,
        )
        self.no_transform = Counter(
            "optout_gate_no_transform_total",
            "Pages and style sheets that were rewritten although they say Cache-Control: no-transform.",
            registry=to,
        )
        self.upstream_errors = Counter(
            "optout_gate_upstream_errors_total", "Exchanges that the origin failed.", ["reason"], registry=to
        )
        self.refusals = Counter(
            "optout_gate_refused_requests_total", "Requests the gate itself refused.", ["reason"], registry=to
        )
        self.anomalies = Counter(
            "optout_gate_signal_anomalies_total",
            "Signals that were damaged on the way, or that say what no specification lets them say.",
            ["kind"],
            registry=to,
        )
        self.contradictions = Counter(
            "optout_gate_signal_contradictions_total",
            "Requests on which one signal refuses what another allows, by the pair in alphabetical order.",
            ["one", "other"],
            registry=to,
        )
        self.dnt = Counter("optout_gate_dnt_requests_total", "Requests with DNT: 1.", registry=to)
        self.inflight = Gauge(
            "optout_gate_inflight_requests", "Exchanges under way.", registry=to, multiprocess_mode="livesum"
        )
        self._own_pages = OWN_PAGES
        self.own_pages = Counter(
            "optout_gate_own_page_responses_total",
            "Answers of the gate's own pages: the preference page, the forms on it, scripts.",
            ["page", "result"],
            registry=to,
        )
        self.last_opt_out = Gauge(
            "optout_gate_last_opt_out_timestamp_seconds",
            "When a request last opted out by this signal, since the gate was started.",
            ["signal"],
            registry=to,
            multiprocess_mode="max",
        )
        self.unknown = Counter(
            "optout_gate_unknown_references_total",
            "References to third parties that neither the catalogue nor a list knows, on pages of who opted out.",
            registry=to,
        )
        self.unknown_hosts = Gauge(
            "optout_gate_unknown_hosts",
            "Hosts of such third parties since the start, up to 1000; the log names each.",
            registry=to,
            multiprocess_mode="max",
        )
        self._hosts: set[str] = set()
        self._beacons = Names[str](MAX_BEACON_VENDORS)
        self._beacons_met: set[str] = set()
        self._allowed: set[str] = set()
        self._formats = Names[str](MAX_NAMED_FORMATS)
        self._blocked = Names[tuple[str, str]](MAX_BLOCKED_PAIRS)
        self._leaked = Names[tuple[str, str]](MAX_LEAK_PAIRS)
        self._errors = Names[tuple[str, str]](MAX_REWRITE_ERRORS)
        self._pairs = Names[tuple[str, str]](MAX_PAIRS)
        self._removed = Names[tuple[str, str]](MAX_REMOVAL_SERIES)
        self._sites = Names[str](MAX_NAMED_SITES)
        self._requested = Names[tuple[str, str, str]](MAX_REQUEST_SERIES)
        self.choices = ChoiceMetrics(to)
        self._state = StateMetrics(to)
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
        for page in OWN_PAGES.values():
            self.own_pages.labels(page, "ok")
        for site in gate.config.sites:
            name = self._sites.label(site.hosts[0], OTHER)
            self._requested.reserve((name, signal, outcome.value) for signal, outcome in EVERYDAY[site.mode])
            for signal, outcome in EVERYDAY[site.mode][:2]:
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

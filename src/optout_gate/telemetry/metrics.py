"""What the gate counts, for Prometheus. ``docs/metrics.md`` has the table.

Label values come from closed sets: sites and policies are the configuration's, vendors the catalogue's, everything
else is an enumeration. Nothing a visitor or origin sends becomes a label: no host, path or cookie.

With several workers each writes to files that the supervisor reads together (prometheus-client's multiprocess mode),
so a gauge says how the workers' values are joined.
"""

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from optout_gate import __version__
from optout_gate.gate import Gate, Report
from optout_gate.signals.formats import UNREAD
from optout_gate.signals.gpc import Gpc
from optout_gate.telemetry.choices import ChoiceMetrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for every counter, which nobody asks for

GATE_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
UPSTREAM_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The gate's metrics in a registry of their own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()
        to = self.registry
        self.requests = Counter(
            "optout_gate_requests_total",
            "Requests by site, the signal that decided, and what became of the response.",
            ["site", "signal", "decision"],
            registry=to,
        )
        self.removals = Counter(
            "optout_gate_removals_total",
            "References, scripts and cookies taken out of responses (in observe mode: that would have been).",
            ["vendor", "purpose", "kind"],
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
        self.gate_seconds = Histogram(
            "optout_gate_rewrite_duration_seconds",
            "Time an exchange spent in the gate itself: signals, decision, rewriting.",
            buckets=GATE_BUCKETS,
            registry=to,
        )
        self.upstream_seconds = Histogram(
            "optout_gate_upstream_duration_seconds",
            "Time until the origin's response head was there.",
            buckets=UPSTREAM_BUCKETS,
            registry=to,
        )
        self.total_seconds = Histogram(
            "optout_gate_request_duration_seconds",
            "Time from a request's head to the end of its response.",
            buckets=UPSTREAM_BUCKETS,
            registry=to,
        )
        self.rewrite_errors = Counter(
            "optout_gate_rewrite_errors_total", "Responses that could not be rewritten.", ["reason"], registry=to
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
        self.build = Gauge(
            "optout_gate_build_info", "1; the version in its label.", ["version"], registry=to, multiprocess_mode="max"
        )
        self.vendors = Gauge(
            "optout_gate_catalogue_vendors", "Vendors the gate knows.", registry=to, multiprocess_mode="max"
        )
        self.choices = ChoiceMetrics(to)

        # prometheus-client checks and joins the labels' values anew each time: more than counting costs.
        self._of_request = cache(self.requests.labels)
        self._of_removal = cache(self.removals.labels)

    def describe(self, gate: Gate) -> None:
        """Say what is at work, and show every site at zero before its first request."""
        self.build.labels(__version__).set(1)
        self.vendors.set(len(gate.catalog))
        for site in gate.sites:
            for signal, decision in (("none", "untouched"), ("gpc", "enforced")):
                self.requests.labels(site.name, signal, decision)

    def record(self, report: Report, *, seconds: float) -> None:
        """Count one exchange."""
        self._of_request(report.site, report.decision.signal, report.outcome.value).inc()
        for (vendor, purpose, kind), count in report.removals.counts.items():
            self._of_removal(vendor, purpose, kind).inc(count)
        self.bytes_in.inc(report.bytes_in)
        self.bytes_out.inc(report.bytes_out)
        self.gate_seconds.observe(report.gate_seconds)
        self.total_seconds.observe(seconds)
        if report.unguarded is not None:
            self.guard_not_injected.labels(report.unguarded).inc()
        if report.error is not None:
            self.rewrite_errors.labels(report.error).inc()
        if report.reading.gpc in (Gpc.FOLDED, Gpc.IGNORED):
            self.anomalies.labels(f"sec_gpc_{report.reading.gpc.value}").inc()
        if any(each.format == UNREAD for each in report.reading.cookies):
            self.anomalies.labels("cookie_unread").inc()
        for one, other in report.contradictions:
            self.contradictions.labels(one, other).inc()
        if report.reading.dnt:
            self.dnt.inc()

    def browser_said(self, what: str, first: str, channel: str, count: int) -> None:
        """Count what a browser reported, or a report of one that was not read.

        ``what`` is ``blocked`` or ``leaked`` with a vendor and a channel, or ``refused`` with a reason.
        """
        if what == "refused":
            self.browser_reports_refused.labels(first).inc(count)
        else:
            (self.leaks if what == "leaked" else self.blocked_in_browser).labels(first, channel).inc(count)

    def refused(self, reason: str) -> None:
        """Count a request that the gate refused before any origin saw it."""
        self.refusals.labels(reason).inc()

"""What the gate counts, for Prometheus. ``docs/metrics.md`` has the table.

Label values come from closed sets: sites and policies are the configuration's, vendors the catalogue's, everything
else is an enumeration. Nothing a visitor or origin sends becomes a label: no host, path or cookie.

With several workers each writes to files that the supervisor reads together (prometheus-client's multiprocess mode),
so a gauge says how the workers' values are joined. That mode cannot forget a label value, so what changes with a reload
(the configuration's hash, the age of a list) is a number and never a label.
"""

import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import cache
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from optout_gate import __version__
from optout_gate.gate import Gate
from optout_gate.report import Report
from optout_gate.signals.formats import FORMATS, UNREAD
from optout_gate.signals.gpc import Gpc
from optout_gate.telemetry.choices import ChoiceMetrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for every counter, which nobody asks for

GATE_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
MAX_NAMED_FORMATS = 4  # consent cookies named in labels; a site has one platform or two, the gate reads dozens
MAX_BROWSER_PAIRS = 15  # of vendor and channel; anybody can send such reports
MAX_PAIRS = 15  # of signals that contradict each other
MAX_UNKNOWN_HOSTS = 1000  # remembered to tell a new one
MAX_REMOVAL_SERIES = 50  # a catalogue of hundreds of vendors times every kind would drown a Prometheus
OTHER = "other"  # the label of what comes after those; a removal keeps its purpose
UPSTREAM_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
OWN_PAGES = {"/_optout/preferences": "preferences", "/_optout/opt-out": "opt_out", "/_optout/opt-in": "opt_in"}
"""The gate's own pages that a visitor's choice depends on; the rest (surrogates, the guard) count as ``asset``."""

log = logging.getLogger("optout_gate")
Labels = TypeVar("Labels", str, tuple[str, str], tuple[str, str, str])
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


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
            "optout_gate_rewrite_errors_total",
            "Responses that could not be rewritten, and what was done.",
            ["reason", "action"],
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
        self.build = Gauge(
            "optout_gate_build_info", "1; the version in its label.", ["version"], registry=to, multiprocess_mode="max"
        )
        self.vendors = Gauge(
            "optout_gate_catalogue_vendors", "Vendors the gate knows.", registry=to, multiprocess_mode="max"
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
        self.list_time = Gauge(
            "optout_gate_filter_list_modified_timestamp_seconds",
            "When the file of a filter list was last changed.",
            ["list"],
            registry=to,
            multiprocess_mode="max",
        )
        self.config_hash = Gauge(
            "optout_gate_config_hash",
            "The configuration in force as a number: gates that differ run different ones.",
            registry=to,
            multiprocess_mode="mostrecent",
        )
        self.reload_good = Gauge(
            "optout_gate_config_last_reload_successful",
            "1 when the configuration was last loaded without a mistake; 0 while an older one stays in force.",
            registry=to,
            multiprocess_mode="livemin",
        )
        self.reload_time = Gauge(
            "optout_gate_config_last_reload_success_timestamp_seconds",
            "When the configuration in force was loaded.",
            registry=to,
            multiprocess_mode="livemin",
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
        self._formats: set[str] = set()
        self._in_browser: set[tuple[str, str]] = set()
        self._pairs: set[tuple[str, str]] = set()
        self._removals_named: set[tuple[str, str, str]] = set()
        self.choices = ChoiceMetrics(to)

        # prometheus-client checks and joins the labels' values anew each time: more than counting costs.
        self._of_request = cache(self.requests.labels)
        self._of_removal = cache(lambda *removal: self.removals.labels(*self._removal_labels(removal)))
        self._opted_out_by = cache(self.last_opt_out.labels)

    def describe(self, gate: Gate, *, lists: Mapping[str, float] | None = None) -> None:
        """Say what is at work since now, and show every site at zero before its first request.

        ``lists`` holds when the files of the filter lists were changed, in seconds since 1970, by list.
        """
        self.build.labels(__version__).set(1)
        self.vendors.set(len(gate.catalog))
        digest = hashlib.sha256(gate.config.model_dump_json(exclude={"listen", "admin"}).encode()).digest()
        self.config_hash.set(int.from_bytes(digest[:6], "big"))  # 48 bits: a float holds them exactly
        self.reload_good.set(1)
        self.reload_time.set(time.time())
        for name, changed in (lists or {}).items():
            self.list_time.labels(name).set(changed)
        self._own_pages = OWN_PAGES | dict.fromkeys(gate.config.preferences.paths, "preferences")
        for page in OWN_PAGES.values():
            self.own_pages.labels(page, "ok")
        for site in gate.sites:
            for signal, decision in (("none", "untouched"), ("gpc", "enforced")):
                self.requests.labels(site.name, signal, decision)

    def record(self, report: Report, *, seconds: float) -> None:
        """Count one exchange."""
        signal = self._signal_label(report.decision.signal)
        self._of_request(report.site, signal, report.outcome.value).inc()
        for removal, count in report.removals.counts.items():
            self._of_removal(*removal).inc(count)
        if report.decision.because:
            self._opted_out_by(signal).set(time.time())
        self.bytes_in.inc(report.bytes_in)
        self.bytes_out.inc(report.bytes_out)
        self.gate_seconds.observe(report.gate_seconds)
        self.total_seconds.observe(seconds)
        if report.unguarded is not None:
            self.guard_not_injected.labels(report.unguarded).inc()
        if report.error is not None:
            self.rewrite_errors.labels(report.error, report.outcome.value).inc()
        if report.reading.gpc in (Gpc.FOLDED, Gpc.IGNORED):
            self.anomalies.labels(f"sec_gpc_{report.reading.gpc.value}").inc()
        if any(each.format == UNREAD for each in report.reading.cookies):
            self.anomalies.labels("cookie_unread").inc()
        for pair in report.contradictions:
            self.contradictions.labels(*_bounded(pair, self._pairs, MAX_PAIRS, (OTHER, OTHER))).inc()
        for host, count in report.removals.unknown.items():
            self._met(host, count)
        if report.reading.dnt:
            self.dnt.inc()

    def browser_said(self, what: str, first: str, channel: str, count: int) -> None:
        """Count what a browser reported, or a report of one that was not read.

        ``what`` is ``blocked`` or ``leaked`` with a vendor and a channel, or ``refused`` with a reason.
        """
        if what == "refused":
            self.browser_reports_refused.labels(first).inc(count)
        else:
            pair = _bounded((first, channel), self._in_browser, MAX_BROWSER_PAIRS, (OTHER, OTHER))
            (self.leaks if what == "leaked" else self.blocked_in_browser).labels(*pair).inc(count)

    def refused(self, reason: str) -> None:
        """Count a request that the gate refused before any origin saw it."""
        self.refusals.labels(reason).inc()

    def reload_failed(self) -> None:
        """Say that a new configuration was wrong, and the one before it stays."""
        self.reload_good.set(0)

    def own_page(self, path: str, send: Send) -> Send:
        """Return ``send`` for an answer of one of the gate's own pages, which it counts."""

        async def counted(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                result = "ok" if message["status"] < 400 else "error"
                self.own_pages.labels(self._own_pages.get(path, "asset"), result).inc()
            await send(message)

        return counted

    def _met(self, host: str, count: int) -> None:
        """Count references to an unknown third party, and name it in the log when it is a new one."""
        self.unknown.inc(count)
        if host not in self._hosts and len(self._hosts) < MAX_UNKNOWN_HOSTS:
            self._hosts.add(host)
            self.unknown_hosts.set(len(self._hosts))
            log.info("a third party that nobody knows: %s", host)

    def _signal_label(self, signal: str) -> str:
        """Return the kind of signal as it is counted: of consent cookies those by name that came first."""
        return signal if signal not in FORMATS else _bounded(signal, self._formats, MAX_NAMED_FORMATS, OTHER)

    def _removal_labels(self, removal: tuple[str, str, str]) -> tuple[str, str, str]:
        """Return vendor, purpose and kind as they are counted: those that came first by name, the rest together."""
        return _bounded(removal, self._removals_named, MAX_REMOVAL_SERIES, (OTHER, removal[1], OTHER))


def _bounded(labels: Labels, named: set[Labels], most: int, otherwise: Labels) -> Labels:
    """Return ``labels`` when they are among the first ``most`` that were met, else ``otherwise``."""
    if labels in named:
        return labels
    if len(named) < most:
        named.add(labels)
        return labels
    return otherwise

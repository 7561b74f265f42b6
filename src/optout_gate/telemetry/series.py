"""The series that exchanges are counted in, each with the words that Prometheus shows for it.

With several workers each writes to files that the supervisor reads together (prometheus-client's multiprocess mode),
so a gauge says how the workers' values are joined. That mode cannot forget a label value, so what changes with a reload
(the configuration's hash, the age of a list) is a number and never a label (:mod:`optout_gate.telemetry.state`).
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics

from optout_gate.telemetry.turns import SummedHistogram

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for every counter, which nobody asks for

GATE_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
UPSTREAM_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30)
TOTAL_BUCKETS = (0.01, 0.05, 0.25, 1, 10)

WORKER_DEATHS = ("optout_gate_worker_deaths_total", "Workers that ended without being told to, and were replaced.")
"""Counted by the supervisor, which has no other series."""


class Series:
    """Every series of what happens, by what is counted in it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = to = registry
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
            "optout_gate_upstream_errors_total", "Exchanges that the origin failed.", ["site", "reason"], registry=to
        )
        self.internal_errors = Counter(
            "optout_gate_internal_errors_total",
            "Mistakes of the gate's own, each an exception in its log.",
            registry=to,
        )
        self.worker_deaths = Counter(*WORKER_DEATHS, registry=to)
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
        self.not_honoured = Counter(
            "optout_gate_signals_not_honoured_total",
            "Requests that opted out by a signal to which the configuration gives no effect.",
            ["site", "signal"],
            registry=to,
        )
        self.dnt = Counter("optout_gate_dnt_requests_total", "Requests with DNT: 1.", registry=to)
        self.inflight = Gauge(
            "optout_gate_inflight_requests", "Exchanges under way.", registry=to, multiprocess_mode="livesum"
        )
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

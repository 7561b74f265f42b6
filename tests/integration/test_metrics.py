"""The table of ``docs/metrics.md`` against a live scrape, and what the figures say."""

import itertools
import re
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from optout_gate.errors import Failure
from optout_gate.gate import Gate as GateOfCore
from optout_gate.http import Headers, Request
from optout_gate.policy.config import Mode
from optout_gate.policy.decision import Decision
from optout_gate.policy.load import Loaded, load_text
from optout_gate.report import Outcome
from optout_gate.rewrite import outgoing
from optout_gate.rewrite.removals import KINDS as KINDS_OF_REMOVAL
from optout_gate.rewrite.removals import Removals
from optout_gate.signals.formats import FORMATS, UNREAD
from optout_gate.signals.gpc import Gpc
from optout_gate.signals.kinds import KINDS
from optout_gate.signals.reading import Signal
from optout_gate.telemetry.metrics import Metrics
from optout_gate.telemetry.names import OTHER
from optout_gate.trackers.purposes import Purpose
from support.demos import running_demo
from support.processes import Gate, Origin, get, running_gate

SENT = (outgoing.BEACON, outgoing.COOKIE, outgoing.CLICK_ID)
TABLE = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(optout_gate_\w+)` \| (counter|gauge|histogram) \|\s*([^|]*?)\s*\|", re.MULTILINE)
SITE = """version: 1
sites: [{{upstream: "{origin}"}}]
trackers: {{filter_lists: [{{path: own.txt, purpose: advertising}}]}}
"""
REASONS = tuple(Failure)
WITH_A_CAUSE = frozenset({Outcome.CONTAINED, Outcome.BLOCKED, Outcome.PASSED_UNENFORCED, Outcome.OBSERVED})
UPSTREAM_REASONS = (
    *("closed", "connect", "oversize", "protocol", "request_body", "tls", "truncated", "circuit_open", "headers"),
    *("pool_timeout", "shutdown", "connect_timeout", "first_byte_timeout", "read_timeout", "write_timeout"),
)
PAGE = b'<script src="https://www.googletagmanager.com/gtm.js"></script>'


@pytest.fixture(scope="module")
def scrape(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the metrics of a gate that has met every kind of request."""
    html = [("Content-Type", "text/html")]
    unchangeable = [*html, ("Cache-Control", "no-transform")]
    pages = {
        "/": (200, html, PAGE),
        "/fixed": (200, unchangeable, PAGE),
        "/odd": (200, [*html, ("Content-Encoding", "foo")], PAGE),
    }
    folder = tmp_path_factory.mktemp("site")
    (folder / "own.txt").write_text("||ads.example^\n")
    with Origin(pages) as origin:
        (folder / "site.yaml").write_text(SITE.format(origin=origin.url))
        with running_gate("--config", str(folder / "site.yaml")) as gate:
            return met(gate)


def met(gate: Gate) -> str:
    """Return the metrics after every kind of request."""
    for lines in (
        (),
        ("Sec-GPC: 1",),
        ("Sec-GPC: 1, 1",),
        ("Sec-GPC: yes",),
        ("DNT: 1",),
        ("Cookie: optout_gate=1",),
    ):
        get(gate.address, "/", *lines)
    get(gate.address, "/odd", "Sec-GPC: 1")
    get(gate.address, "/fixed", "Sec-GPC: 1")
    get(gate.address, "/g/collect?v=2&tid=G-1&gclid=x", "Sec-GPC: 1", "Cookie: _ga=1; _gid=2; a=3")
    get(gate.address, "/", "Via: " + ", ".join(["1.1 optout-gate"] * 9))
    get(gate.address, "/_optout/preferences")
    get(gate.address, "/_optout/opt-out", "Origin: https://evil.test", "Content-Length: 0", method="POST")
    return get(gate.admin, "/metrics")[1].decode()


def test_the_documented_metrics_are_those_of_a_live_scrape(scrape: str) -> None:
    documented = {name: (kind, labels) for name, kind, labels in ROW.findall(TABLE.read_text("utf-8"))}
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", scrape, re.MULTILINE))
    assert {name: kind for name, (kind, _) in documented.items()} == types
    for name, (_, labels) in documented.items():
        shown = {
            label
            for line in re.findall(rf"^{name}\{{(.*?)\}}", scrape, re.MULTILINE)
            for label in re.findall(r"(\w+)=", line)
        }
        assert shown <= set(re.findall(r"`(\w+)`", labels)), name


def test_every_metric_says_what_it_is(scrape: str) -> None:
    helped = set(re.findall(r"^# HELP (\w+) \S", scrape, re.MULTILINE))
    assert helped == set(re.findall(r"^# TYPE (\w+)", scrape, re.MULTILINE))


@pytest.mark.parametrize(
    ("series", "value"),
    [
        ('optout_gate_requests_total{decision="untouched",signal="none",site="*"}', 4),
        ('optout_gate_requests_total{decision="enforced",signal="gpc",site="*"}', 4),
        ('optout_gate_requests_total{decision="enforced",signal="cookie",site="*"}', 1),
        ('optout_gate_requests_total{decision="contained",signal="gpc",site="*"}', 1),
        ('optout_gate_rewrite_errors_total{action="contained",reason="decoding"}', 1),
        ('optout_gate_signal_anomalies_total{kind="sec_gpc_folded"}', 1),
        ('optout_gate_signal_anomalies_total{kind="sec_gpc_ignored"}', 1),
        ("optout_gate_dnt_requests_total", 1),
        ('optout_gate_own_page_responses_total{page="preferences",result="ok"}', 1),
        ('optout_gate_own_page_responses_total{page="opt_out",result="error"}', 1),
        ("optout_gate_config_last_reload_successful", 1),
        ('optout_gate_refused_requests_total{reason="loop"}', 1),
        ("optout_gate_no_transform_total", 1),
        ('optout_gate_removals_total{purpose="tag_management",vendor="google-tag-manager"}', 4),
        ('optout_gate_removals_by_kind_total{kind="script"}', 4),
        ('optout_gate_beacons_refused_total{vendor="google-analytics"}', 1),
        ("optout_gate_request_cookies_cut_total", 2),
        ("optout_gate_request_click_ids_cut_total", 1),
        ("optout_gate_inflight_requests", 0),
    ],
)
def test_a_count_is_what_happened(scrape: str, series: str, value: int) -> None:
    assert f"\n{series} {float(value)}\n" in scrape


def configuration(sites: int) -> Loaded:
    """Return as many sites as asked for, in every mode, with many vendors of the operator's own."""
    hosts = [
        f"{{hosts: [s{number}.test], upstream: 'http://127.0.0.1:1', mode: '{list(Mode)[number % 3].value}'}}"
        for number in range(sites)
    ]
    own = [f"{{vendor: own-{number}, purposes: [advertising], domains: [own-{number}.test]}}" for number in range(60)]
    text = f"version: 1\nsites: [{', '.join(hosts)}]\ntrackers: {{extra: [{', '.join(own)}]}}\n"
    return load_text(text, file="site.yaml", folder=Path())


def everything_happens(gate: GateOfCore, metrics: Metrics) -> tuple[int, int]:
    """Let a gate's metrics meet all that there is; return how many requests and removals there were."""
    requests = removed = 0
    signals = [(), *((Signal(kind, ""),) for kind in (*sorted(KINDS), UNREAD))]
    for site, said, outcome in itertools.product(gate.sites, signals, Outcome):
        request = Request("GET", "https", site.hosts[0], b"/", Headers([(b"Sec-GPC", b"1, 1")]))
        exchange = gate.open(request)
        assert exchange is not None
        report = exchange.report
        report.decision, report.outcome = Decision(site.policy, site.config.mode, said), outcome
        if outcome in WITH_A_CAUSE:
            report.error = REASONS[requests // len(Outcome) % len(REASONS)]  # each cause with each outcome
        report.reading = replace(report.reading, gpc=tuple(Gpc)[requests % len(Gpc)])
        report.unguarded = ("csp", "xhtml")[requests % 2]
        report.contradictions = [("gpc", each) for each in FORMATS] if requests < 50 else ()
        report.removals.unknown = Counter({f"{requests}-{number}.example": 1 for number in range(5)})
        for vendor in gate.catalog if requests == 0 else ():
            for purpose, kind in itertools.product(Purpose, KINDS_OF_REMOVAL):
                report.removals.counts[vendor.vendor, purpose.value, kind] = 1
                removed += 1
        report.outgoing = Removals()
        for vendor, kind in itertools.product(gate.catalog, SENT) if requests == 0 else ():
            report.outgoing.counts[vendor.vendor, "analytics", kind] = 1
        metrics.record(report, seconds=0.1)
        requests += 1
    for site, lines in itertools.product(gate.sites, ((b"Sec-GPC", b"1"), (b"Cookie", b"optout_gate=1"))):
        exchange = gate.open(Request("GET", "https", site.hosts[0], b"/", Headers([lines])))
        assert exchange is not None
        exchange.report.decision, exchange.report.outcome = Decision(site.policy, Mode.OFF), Outcome.UNTOUCHED
        metrics.record(exchange.report, seconds=0.1)
        requests += 1
    for vendor in gate.catalog:
        for what, channel in itertools.product(("leaked", "blocked"), ("beacon", "fetch", "img", "script", "frame")):
            metrics.browser_said(what, vendor.vendor, channel, 1)
    for site, reason in itertools.product(gate.sites, UPSTREAM_REASONS):
        metrics.origin_failed(site.name, reason)
    for reason in ("form", "size", "rate"):
        metrics.browser_said("refused", reason, "", 1)
    for result in ("cached", "stands", "none", "timeout", "error", "paused", "busy"):
        metrics.choices.looked_up(result)
    for source, result in itertools.product(("gpc", "cookie", "page"), ("written", "error", "dropped")):
        metrics.choices.wrote(source, result)
    for choice in ("out", "in"):
        metrics.choices.chosen(choice)
        metrics.choices.cookie_refused(choice)
        metrics.choices.cross_site(choice)
    for reason in ("untrusted_peer", "several", "too_long"):
        metrics.choices.refused(reason)
    metrics.choices.waited("redis", 0.1)
    metrics.anomalies.labels("cookie_unread")
    for reason in ("unknown_host", "loop", "busy", "malformed", "slow", "too_large"):
        metrics.refused(reason)
    for page, result in itertools.product(("preferences", "opt_out", "opt_in", "asset"), ("ok", "error")):
        metrics.own_pages.labels(page, result)
    return requests, removed


@pytest.mark.parametrize("sites", [1, 40])
def test_whatever_is_thrown_at_a_gate_its_series_stay_under_300_and_nothing_is_lost(sites: int) -> None:
    gate, metrics = GateOfCore(configuration(sites), clock=time.perf_counter), Metrics()
    metrics.describe(gate, lists={f"list-{number}": 1.0 for number in range(30)})
    requests, removed = everything_happens(gate, metrics)
    text = generate_latest(metrics.registry).decode()
    assert sum(not line.startswith("#") for line in text.splitlines()) < 300
    for name, total in (
        ("requests", requests),
        ("removals", removed),
        ("removals_by_kind", removed),
        ("upstream_errors", sites * 15),
    ):
        counted = re.findall(rf"^optout_gate_{name}_total\{{.*\}} (\S+)$", text, re.MULTILINE)
        assert sum(map(float, counted)) == total, name
    assert 'vendor="other"' in text and 'vendor="own-0"' in text


UNHEEDED = """version: 1
sites:
  - {hosts: [off.test], upstream: 'http://127.0.0.1:1', mode: 'off'}
  - {hosts: [form.test], upstream: 'http://127.0.0.1:1', policy: form}
  - {hosts: [gpc.test], upstream: 'http://127.0.0.1:1', policy: gpc}
  - {hosts: [asked.test], upstream: 'http://127.0.0.1:1', policy: asked}
policies: {form: {honor: [cookie]}, gpc: {honor: [gpc]}, asked: {informed_consent: honor}}
"""


@pytest.mark.parametrize(
    ("host", "lines", "counted"),
    [
        ("off.test", [(b"Sec-GPC", b"1")], {"gpc"}),
        ("off.test", [(b"Cookie", b"optout_gate=1")], {"cookie"}),
        ("form.test", [(b"Sec-GPC", b"1")], {"gpc"}),
        ("gpc.test", [(b"Cookie", b"optout_gate=1")], {"cookie"}),
        ("gpc.test", [(b"Sec-GPC", b"1"), (b"Cookie", b"optout_gate=1")], set()),  # one of them holds
        ("off.test", [(b"DNT", b"1")], set()),
        ("off.test", [], set()),
        ("form.test", [(b"Sec-GPC", b"0")], set()),
        (
            "asked.test",
            [(b"Sec-GPC", b"1"), (b"Cookie", b"optout_gate=0.1.gpc")],
            set(),
        ),  # a consent that stands against it
    ],
)
def test_an_opt_out_to_which_the_configuration_gives_no_effect_is_counted(
    host: str, lines: list[tuple[bytes, bytes]], counted: set[str]
) -> None:
    gate, metrics = GateOfCore(load_text(UNHEEDED, file="site.yaml", folder=Path()), clock=time.perf_counter), Metrics()
    exchange = gate.open(Request("GET", "https", host, b"/", Headers(lines)))
    assert exchange is not None
    metrics.record(exchange.report, seconds=0.1)
    text = generate_latest(metrics.registry).decode()
    found = re.findall(
        r'^optout_gate_signals_not_honoured_total\{signal="(\w+)",site="(.*)"\} 1.0$', text, re.MULTILINE
    )
    assert set(found) == {(signal, host) for signal in counted}


def test_sites_go_by_name_in_the_configurations_order_and_what_they_do_every_day_is_never_counted_together() -> None:
    gate, metrics = GateOfCore(configuration(40), clock=time.perf_counter), Metrics()
    metrics.describe(gate)
    everything_happens(gate, metrics)
    text = generate_latest(metrics.registry).decode()
    named = set(re.findall(r'^optout_gate_requests_total\{.*site="([^"]*)"', text, re.MULTILINE))
    assert named == {f"s{number}.test" for number in range(8)} | {"other"}
    for number in range(0, 8, 3):  # those in mode enforce
        for signal, decision in (("none", "untouched"), ("gpc", "enforced"), ("cookie", "nothing_to_do")):
            assert f'{{decision="{decision}",signal="{signal}",site="s{number}.test"}}' in text


def test_every_vendor_of_the_demo_is_counted_by_its_own_name() -> None:
    with running_demo() as demo:
        vendors = demo.counted("optout_gate_removals_total", "vendor", "purpose")
        kinds = demo.counted("optout_gate_removals_by_kind_total", "kind")
    assert ("meta-pixel", "advertising") in vendors and OTHER not in {vendor for vendor, _ in vendors}
    assert sum(vendors.values()) == sum(kinds.values()) > 100

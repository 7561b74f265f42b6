"""The table of ``docs/metrics.md`` against a live scrape, and what the figures say."""

import re
import time
from collections import Counter
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from optout_gate.errors import Failure
from optout_gate.gate import Gate as make_gate
from optout_gate.http import Headers, Request
from optout_gate.policy.decision import Verdict
from optout_gate.policy.load import from_upstream
from optout_gate.report import Outcome
from optout_gate.rewrite.removals import KINDS
from optout_gate.signals.formats import FORMATS
from optout_gate.telemetry.metrics import Metrics
from optout_gate.trackers.catalog import Rule
from support.processes import Gate, Origin, get, running_gate

TABLE = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(optout_gate_\w+)` \| (counter|gauge|histogram) \|\s*([^|]*?)\s*\|", re.MULTILINE)
SITE = """version: 1
sites: [{{upstream: "{origin}"}}]
trackers: {{filter_lists: [{{path: own.txt, purpose: advertising}}]}}
"""
PAGE = b'<script src="https://www.googletagmanager.com/gtm.js"></script>'


@pytest.fixture(scope="module")
def scrape(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the metrics of a gate that has met every kind of request."""
    html = [("Content-Type", "text/html")]
    pages = {"/": (200, html, PAGE), "/odd": (200, [*html, ("Content-Encoding", "foo")], PAGE)}
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
        ('optout_gate_requests_total{decision="untouched",signal="none",site="*"}', 3),
        ('optout_gate_requests_total{decision="enforced",signal="gpc",site="*"}', 2),
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
        ('optout_gate_removals_total{kind="script",purpose="tag_management",vendor="google-tag-manager"}', 3),
        ("optout_gate_inflight_requests", 0),
    ],
)
def test_a_count_is_what_happened(scrape: str, series: str, value: int) -> None:
    assert f"\n{series} {float(value)}\n" in scrape


UNENFORCED = {Outcome.CONTAINED, Outcome.BLOCKED, Outcome.PASSED_UNENFORCED, Outcome.OBSERVED}
"""Outcomes that go with a cause."""


def test_whatever_is_thrown_at_a_gate_its_series_stay_under_300() -> None:
    loaded = from_upstream("http://127.0.0.1:1")
    gate, metrics = make_gate(loaded, clock=time.perf_counter), Metrics()
    metrics.describe(gate)
    verdicts = [
        Verdict(Rule(each, "domain", "", "", 0), gate.policies["default"].answer(each)) for each in gate.catalog
    ]
    total = 0
    strings = (b"usprivacy=1YYN", b"notice_preferences=0", b"OptanonConsent=groups=C0004:0", b"__hs_opt_out=yes")
    signals = [(b"Cookie", each) for each in (b"optout_gate=1", *strings)]
    for signal in [(b"Sec-GPC", b"1"), (b"Sec-GPC", b"1, 1"), *signals, (b"X-A", b"b")]:
        for outcome in Outcome:
            for reason in Failure if outcome in UNENFORCED else (None, Failure.REWRITER):
                request = Request("GET", "https", "shop.test", b"/", Headers([signal]))
                exchange = gate.open(request)
                assert exchange is not None
                exchange.report.outcome, exchange.report.error = outcome, reason
                exchange.report.contradictions = [("gpc", each) for each in FORMATS]
                exchange.report.removals.unknown = Counter({f"{number}.example": 1 for number in range(50)})
                for verdict in verdicts if reason is Failure.REWRITER else ():
                    for kind in KINDS:
                        exchange.report.removals.add(kind, verdict, "x")
                        total += 1
                metrics.record(exchange.report, seconds=0.1)
    for vendor in gate.catalog.vendors:
        for channel in ("beacon", "fetch", "img", "script", "frame"):
            metrics.browser_said("leaked", vendor, channel, 1)
            metrics.browser_said("blocked", vendor, channel, 1)
    text = generate_latest(metrics.registry).decode()
    assert sum(not line.startswith("#") for line in text.splitlines()) < 300
    counted = re.findall(r"^optout_gate_removals_total\{.*\} (\S+)$", text, re.MULTILINE)
    assert sum(map(float, counted)) == total  # bounded, and nothing lost
    assert 'vendor="other"' in text

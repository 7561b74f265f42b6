"""The table of ``docs/metrics.md`` against a live scrape, and what the figures say."""

import re
from pathlib import Path

import pytest

from support.processes import Origin, get, running_gate

TABLE = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(optout_gate_\w+)` \| (counter|gauge|histogram) \|\s*([^|]*?)\s*\|", re.MULTILINE)
PAGE = b'<script src="https://www.googletagmanager.com/gtm.js"></script>'


@pytest.fixture(scope="module")
def scrape() -> str:
    """Return the metrics of a gate that has met every kind of request."""
    html = [("Content-Type", "text/html")]
    pages = {"/": (200, html, PAGE), "/odd": (200, [*html, ("Content-Encoding", "foo")], PAGE)}
    with Origin(pages) as origin, running_gate("--upstream", origin.url) as gate:
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
        ('optout_gate_rewrite_errors_total{reason="coding"}', 1),
        ('optout_gate_signal_anomalies_total{kind="sec_gpc_folded"}', 1),
        ('optout_gate_signal_anomalies_total{kind="sec_gpc_ignored"}', 1),
        ("optout_gate_dnt_requests_total", 1),
        ('optout_gate_refused_requests_total{reason="loop"}', 1),
        ('optout_gate_removals_total{kind="script",purpose="tag_management",vendor="google-tag-manager"}', 3),
        ("optout_gate_inflight_requests", 0),
    ],
)
def test_a_count_is_what_happened(scrape: str, series: str, value: int) -> None:
    assert f"\n{series} {float(value)}\n" in scrape

"""The dashboard of ``deploy/grafana``: every expression parses, and names only what a live gate shows.

Grafana itself is in no package source that tests could install from, so what it draws is not looked at here.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.processes import Origin, get, running_gate

promql_parser = pytest.importorskip("promql_parser", reason="promql-parser has no wheel for this platform")

FOLDER = Path(__file__).parents[2] / "deploy" / "grafana"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboards" / "optout-gate.json").read_text("utf-8"))
MEANWHILE = {"$__rate_interval": "5m", "$site": ".*"}  # what Grafana puts in before it asks


def expressions() -> Iterator[str]:
    queries = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    for text in queries + [each["expr"] for each in DASHBOARD["annotations"]["list"]]:
        for name, value in MEANWHILE.items():
            text = text.replace(name, value)
        yield text


@pytest.fixture(scope="module")
def shown() -> set[str]:
    """Return the names of a live scrape, with those of histograms' series."""
    with Origin({}) as origin, running_gate("--upstream", origin.url) as gate:
        get(gate.address, "/")
        scrape = get(gate.admin, "/metrics")[1].decode()
    names = dict(re.findall(r"^# TYPE (\w+) (\w+)$", scrape, re.MULTILINE))
    return set(names) | {f"{name}_{end}" for name in names for end in ("bucket", "sum", "count")}


@pytest.mark.parametrize("text", sorted(set(expressions())))
def test_an_expression_parses_and_names_only_what_a_gate_shows(text: str, shown: set[str]) -> None:
    promql_parser.parse(text)
    assert "$" not in text
    assert set(re.findall(r"\boptout_gate_\w+", text)) <= shown


def test_every_metric_but_the_catalogues_and_builds_is_on_the_dashboard(shown: set[str]) -> None:
    drawn = {name for text in expressions() for name in re.findall(r"\boptout_gate_\w+", text)}
    bases = {re.sub(r"_bucket$", "", name) for name in drawn}
    table = (FOLDER.parents[1] / "docs" / "metrics.md").read_text("utf-8")
    documented = set(re.findall(r"^\| `(optout_gate_\w+)`", table, re.MULTILINE))
    left_out = documented - bases
    assert left_out == {
        "optout_gate_build_info",
        "optout_gate_catalogue_vendors",
        "optout_gate_dnt_requests_total",
        "optout_gate_request_duration_seconds",
    }


def test_panels_have_ids_of_their_own_do_not_overlap_and_say_what_they_show() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24 and not own & cells, panel["title"]
        assert panel["description"] and panel["datasource"]["uid"] == "${datasource}"
        cells |= own


def test_a_single_figure_says_something_where_there_is_none_and_a_part_of_one_breach_is_red() -> None:
    stats = {
        panel["title"]: panel["fieldConfig"]["defaults"] for panel in DASHBOARD["panels"] if panel["type"] == "stat"
    }
    for panel in DASHBOARD["panels"]:
        if panel["type"] == "stat":
            always = all("vector(0)" in target["expr"].split("/")[-1] for target in panel["targets"])
            assert always or panel["fieldConfig"]["defaults"]["noValue"], panel["title"]
    # `increase` makes less than one of a single request at the begin of a series.
    assert 0 < stats["Served with trackers"]["thresholds"]["steps"][1]["value"] < 0.5


def test_what_grafana_is_provisioned_with_is_in_the_folder() -> None:
    [provider] = yaml.safe_load((FOLDER / "provisioning/dashboards/optout-gate.yaml").read_text())["providers"]
    assert provider["type"] == "file"
    [source] = yaml.safe_load((FOLDER / "provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    assert source["type"] == "prometheus"

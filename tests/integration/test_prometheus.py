"""The rules of ``deploy/prometheus`` in Prometheus's own checker, and a real Prometheus over a real gate."""

import json
import re
import shutil
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from optout_gate.cli import main
from support.config_keys import keys
from support.edges import free_address, shown
from support.processes import Gate, Origin, eventually, get, running_gate

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES = FOLDER / "optout-gate.rules.yml"
TESTS = sorted(FOLDER.glob("*.test.yml"))
DEADLINE_S = 60.0
SITE = "version: 1\nsites: [{{upstream: '{origin}', mode: {mode}}}]\n"

pytestmark = pytest.mark.skipif(shutil.which("promtool") is None, reason="Debian's prometheus is not installed")


def promtool(*arguments: object, text: str | None = None) -> str:
    """Return what promtool says; fail with its words when it is not content."""
    command = ["promtool", *map(str, arguments)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules(kind: str) -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return {rule[kind]: rule for group in groups for rule in group["rules"] if kind in rule}


def test_promtool_finds_nothing_wrong_with_the_rules_and_the_configuration() -> None:
    promtool("check", "rules", RULES)
    promtool("check", "config", FOLDER / "prometheus.yml")


def test_every_story_of_the_rules_ends_as_told() -> None:
    promtool("test", "rules", *TESTS)


def test_every_alert_has_a_story_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    told = "".join(file.read_text("utf-8") for file in TESTS)
    for alert in rules("alert"):
        assert f'ALERTS{{alertname="{alert}", alertstate="firing"}}' in told, alert
        assert f'ALERTS{{alertname="{alert}"}}\', eval_time' in told, alert
    for record in rules("record"):
        assert record in told


def test_every_alert_says_what_to_do_and_which_case_it_comes_from() -> None:
    for name, alert in rules("alert").items():
        assert set(alert["annotations"]) == {"summary", "description", "case"}, name
        assert alert["labels"]["severity"] in ("critical", "warning"), name


def test_what_an_alert_says_to_run_read_or_set_is_there() -> None:
    known = {re.sub(r"\.NAME|\[\]", "", path) for path, _ in keys()}
    parts = {part for path in known for part in (path, path.rpartition(".")[2], *_beginnings(path))}
    verbs = main.list_commands(click.Context(main))
    for name, alert in rules("alert").items():
        words = " ".join(alert["annotations"].values())
        for document in re.findall(r"\bdocs/\S+?\.md", words):
            assert (FOLDER.parents[1] / document).exists(), name
        for verb in re.findall(r"`optout-gate (\w+)", words):
            assert verb in verbs, name
        for metric in re.findall(r"\boptout_gate_\w+", words):
            assert metric in documented(), name
        for quoted in re.findall(r"`([a-z_]+(?:\[\])?(?:\.[a-z_]+)+|[a-z_]+(?=: [a-z]))", words):
            assert quoted.replace("[]", "") in parts, (name, quoted)


def _beginnings(path: str) -> Iterator[str]:
    while path := path.rpartition(".")[0]:
        yield path


def test_the_rules_name_only_metrics_that_are_documented() -> None:
    for rule in [*rules("alert").values(), *rules("record").values()]:
        for name in re.findall(r"\boptout_gate_\w+", rule["expr"]):
            assert re.sub(r"_(bucket|sum|count)$", "", name) in documented(), name


def documented() -> set[str]:
    table = (FOLDER.parents[1] / "docs" / "metrics.md").read_text("utf-8")
    return set(re.findall(r"^\| `(optout_gate_\w+)`", table, re.MULTILINE))


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    html = [("Content-Type", "text/html")]
    odd = (200, [*html, ("Content-Encoding", "foo")], b"x")
    with Origin({"/": (200, html, b"<p>Hello"), "/odd": odd}) as origin:
        (tmp_path / "site.yaml").write_text(SITE.format(origin=origin.url, mode="enforce"))
        with running_gate("--config", str(tmp_path / "site.yaml")) as running:
            yield running


def test_promtool_finds_nothing_wrong_with_a_live_scrape(gate: Gate) -> None:
    get(gate.address, "/", "Sec-GPC: 1")
    promtool("check", "metrics", text=get(gate.admin, "/metrics")[1].decode())


def test_alerts_fire_in_a_real_prometheus_while_a_promise_is_not_kept_and_clear_when_it_is(
    gate: Gate, tmp_path: Path
) -> None:
    """The rules as they are, but for their minutes, which are seconds here: what an hour shows is another test's."""
    hurried = re.sub(r"\[(\d+)[mh]\]", "[8s]", RULES.read_text("utf-8")).replace("offset 15m", "offset 8s")
    (tmp_path / "rules.yml").write_text(re.sub(r"for: \d+[mh]", "for: 1s", hurried))
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"}
    config["rule_files"] = [str(tmp_path / "rules.yml")]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [shown(gate.admin)]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    listen = free_address()
    command = ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={shown(listen)}"], stdout=log, stderr=log)
    site = tmp_path / "site.yaml"
    good = site.read_text()
    try:
        wait_for(listen, "up", 1)
        assert eventually(lambda: firing(listen) == set(), seconds=DEADLINE_S)

        # A configuration that is wrong is not taken up.
        site.write_text(good + "unknown: 1\n")
        gate.process.send_signal(signal.SIGHUP)
        assert eventually(lambda: firing(listen) == {"OptoutGateReloadFailed"}, seconds=DEADLINE_S)
        site.write_text(good)
        gate.process.send_signal(signal.SIGHUP)
        assert eventually(lambda: firing(listen) == set(), seconds=DEADLINE_S)

        # Somebody puts the site into observe mode, and its visitors' opt-outs are counted and not honoured.
        site.write_text(good.replace("enforce", "observe"))
        gate.process.send_signal(signal.SIGHUP)
        assert eventually(
            lambda: asked_for(gate, "/", "OptoutGateTrackersServedToOptOuts") in firing(listen), seconds=DEADLINE_S
        )
        site.write_text(good)
        gate.process.send_signal(signal.SIGHUP)

        # The origin answers in a coding that nobody can open: once, which no `increase` over a series that begins with
        # it would see.
        odd = asked_for(gate, "/odd", "OptoutGatePagesNotRewritten")
        assert eventually(lambda: odd in firing(listen, within="1m"), seconds=DEADLINE_S)

        # The preference page's form is sent wrongly.
        assert eventually(
            lambda: wrongly_sent(gate, "OptoutGatePreferencePageFailing") in firing(listen), seconds=DEADLINE_S
        )
        assert eventually(lambda: firing(listen) == set(), seconds=DEADLINE_S)

        # The gate is killed.
        gate.stop(signal.SIGKILL)
        assert eventually(lambda: firing(listen) == {"OptoutGateDown"}, seconds=DEADLINE_S)
    finally:
        process.terminate()
        process.wait(DEADLINE_S)


def wait_for(prometheus: tuple[str, int], query: str, value: float) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while True:
        found = [float(each["value"][1]) for each in asked(prometheus, query)]
        if found == [value]:
            return
        assert time.monotonic() < deadline, (query, found)
        time.sleep(0.2)


def asked_for(gate: Gate, path: str, alert: str) -> str:
    """Ask for a page as a visitor who opted out, and return the alert that is to follow."""
    get(gate.address, path, "Sec-GPC: 1")
    return alert


def wrongly_sent(gate: Gate, alert: str) -> str:
    """Send the form of the preference page as another site's page would, and return the alert that is to follow."""
    get(gate.address, "/_optout/opt-out", "Origin: https://evil.test", "Content-Length: 0", method="POST")
    return alert


def firing(prometheus: tuple[str, int], within: str | None = None) -> set[str]:
    """Return the alerts that fire, or that did at some time ``within`` what was asked for."""
    query = 'ALERTS{alertstate="firing"}'
    found = asked(prometheus, query if within is None else f"max_over_time({query}[{within}])")
    return {each["metric"]["alertname"] for each in found}


def asked(prometheus: tuple[str, int], query: str) -> list[dict[str, Any]]:
    """Return the answer of a query; nothing while Prometheus starts."""
    url = f"http://{shown(prometheus)}/api/v1/query?" + urllib.parse.urlencode({"query": query})
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            found: list[dict[str, Any]] = json.load(response)["data"]["result"]
            return found
    except OSError:
        return []

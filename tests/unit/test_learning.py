"""``optout-gate learn``: the third parties that a site needs, from logs and from what a browser recorded."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from optout_gate.cli import main
from optout_gate.gate import Gate
from optout_gate.policy.load import load_text
from optout_gate.telemetry.logs import FORMS, formatter
from optout_gate.telemetry.metrics import Metrics
from support.gates import OPTED_OUT, drive, request

CONFIG = "version: 1\nsites: [{hosts: [www.shop.test], upstream: 'http://127.0.0.1:9', mode: observe}]\n"
PAGE = b"""<!doctype html><script src="https://www.google-analytics.com/ga.js"></script>
<link rel=stylesheet href="https://fonts.googleapis.com/css?family=a"><img src="https://cdn.nobody.test/a.png">
<script src="https://lib.nobody.test/a.js"></script><img src="/own.png"><img src="https://img.www.shop.test/a.png">"""
URLS = ["https://www.shop.test/", "https://api.www.shop.test/x", "https://late.nobody.test/x.js?id=secret",
        "https://www.google.com/recaptcha/api.js", "https://static.hotjar.com/h.js", "data:text/plain,x", "wss://live.nobody.test/"]  # fmt: skip


def learn(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(main, ["learn", *arguments], input=text)


def har(urls: list[str] = URLS) -> str:
    return json.dumps({"log": {"version": "1.2", "entries": [{"request": {"url": url}} for url in urls]}})


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "site.yaml"
    file.write_text(CONFIG)
    return str(file)


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """Give what a gate in observe mode logs of a visit, twice over."""
    logged: list[logging.LogRecord] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.append(record)

    handler = Keeping(logging.INFO)
    log = logging.getLogger("optout_gate")
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    metrics = Metrics()
    gate = Gate(load_text(CONFIG, file="site.yaml", folder=Path()), clock=lambda: 0.0)
    for _ in range(2):
        exchange = gate.open(request("/", OPTED_OUT))
        assert exchange is not None
        assert drive(exchange, PAGE, (b"Content-Type", b"text/html"))[1] == PAGE
        metrics.record(exchange.report, seconds=0.0)
    yield logged
    log.removeHandler(handler)
    log.setLevel(level)


@pytest.mark.parametrize("form", map(formatter, FORMS), ids=FORMS)
def test_a_log_of_observe_mode_names_every_third_party_that_may_stay(
    form: logging.Formatter, records: list[logging.LogRecord], config: str
) -> None:
    assert len(records) == 3  # each once
    log = "\n".join(map(form.format, records))
    told = learn("--config", config, "-", text=log)
    assert told.exit_code == 0, told.output
    assert yaml.safe_load(told.output) == {
        "policies": {"default": {"allow": ["cdn.nobody.test", "lib.nobody.test", "google-fonts"]}}
    }
    assert load_text(CONFIG + told.output, file="learned.yaml", folder=Path()).config.policies["default"].allow


def test_a_har_file_has_what_scripts_loaded_and_who_is_denied_stays_out(config: str, tmp_path: Path) -> None:
    file = tmp_path / "visit.har"
    file.write_text("\ufeff" + har())
    told = json.loads(learn("--json", "--config", config, str(file)).output)
    assert told == {
        "policy": "default",
        "allow": ["late.nobody.test", "live.nobody.test", "recaptcha"],
        "denied": ["hotjar"],
    }
    assert "secret" not in learn(str(file)).output


def test_without_a_configuration_the_first_request_says_whose_site_it_is() -> None:
    assert json.loads(learn("--json", "-", text=har()).output)["allow"][0] == "late.nobody.test"


def test_several_files_make_one_list(config: str, tmp_path: Path) -> None:
    (tmp_path / "visit.har").write_text(har())
    log = "INFO a third party that nobody knows: cdn.nobody.test\n"
    told = json.loads(learn("--json", "--config", config, "-", str(tmp_path / "visit.har"), text=log).output)
    assert {"cdn.nobody.test", "late.nobody.test"} <= set(told["allow"])


def test_whom_the_policy_allows_already_is_not_listed_again(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(CONFIG + "policies: {default: {allow: [nobody.test]}}\n")
    assert json.loads(learn("--json", "--config", str(file), "-", text=har()).output)["allow"] == ["recaptcha"]


@pytest.mark.parametrize(
    ("arguments", "text", "said"),
    [
        ((), '{"log": 7}', "neither a HAR file nor log lines"),
        ((), har()[:-9], "nor a whole HAR file: "),
        (
            (),
            "not a log\nof any gate\n",
            "standard input: neither a HAR file nor log lines of the gate; expected the log of",
        ),
        ((), "\n", "standard input: there is nothing in it; expected the log of a gate"),
        ((), '[{"request": {"url": "https://x.test/"}}]', "neither a HAR file nor log lines"),
        ((), "2026-11-23 12:00:00 [info] another program's line\n", "neither a HAR file nor log lines"),
        (("--policy", "members"), "", "there is no policy 'members'; there is default"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_in_words(arguments: tuple[str, ...], text: str, said: str) -> None:
    told = learn(*arguments, "-", text=text)
    assert told.exit_code == 2 and said in told.output


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-23T23:28:32.659258Z [info     ] ready: visitors on http://127.0.0.1:8080",
        "Nov 23 23:28:32 edge optout-gate[7]: <6>2026-11-23T23:28:32.659258Z [info     ] ready: visitors on",
        "\x1b[2m2026-11-23T23:28:32.659258Z\x1b[0m [\x1b[32m\x1b[1minfo     \x1b[0m] ready: visitors on",
        '{"event": "ready: visitors on", "level": "info", "logger": "optout_gate", "ts": "2026-11-23T23:28:37Z"}',
        r'{"log":"{\"event\": \"ready\", \"logger\": \"optout_gate.requests\"}\n","stream":"stderr"}'
        + '\n{"log":"{}"}',
    ],
    ids=["text", "journal", "terminal", "json", "container"],
)
def test_a_log_in_which_no_third_party_was_seen_is_a_log(line: str, config: str) -> None:
    told = learn("--config", config, "-", text=f"{line}\n")
    assert told.exit_code == 0 and told.output.startswith("#"), told.output

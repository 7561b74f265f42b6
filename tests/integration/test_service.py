"""A gate as a service: what it tells its manager, what it writes to its log, and how it says that it is well."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from optout_gate.cli import main
from support.edges import free_address, shown
from support.processes import Origin, get, running_gate

DEADLINE_S = 20.0
SECRETS = ("s3cret-query", "s3cret-cookie", "s3cret-agent", "s3cret-referer", "203.0.113.77")


class Manager:
    """The receiving end of ``NOTIFY_SOCKET``."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(DEADLINE_S)
        self.heard: list[str] = []

    def wait_for(self, word: str) -> list[str]:
        """Return everything heard up to a datagram with ``word``."""
        heard: list[str] = []
        while not any(line.startswith(word) for line in heard):
            heard += self.socket.recv(4096).decode().splitlines()
        return heard


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.socket.close()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_manager_hears_of_readiness_life_reloads_and_the_end(
    manager: Manager, tmp_path: Path, workers: str
) -> None:
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
    with Origin({}) as origin, running_gate("--upstream", origin.url, "--workers", workers, env=environment) as gate:
        manager.wait_for("READY=1")
        begun = time.monotonic()
        for _ in range(3):
            manager.wait_for("WATCHDOG=1")
        assert time.monotonic() - begun < DEADLINE_S
        gate.process.send_signal(signal.SIGHUP)
        assert any(line.startswith("MONOTONIC_USEC=") for line in manager.wait_for("RELOADING=1"))
        manager.wait_for("READY=1")
        assert gate.stop() == 0
        manager.wait_for("STOPPING=1")


def test_a_manager_that_does_not_listen_does_not_keep_the_gate_from_serving(tmp_path: Path) -> None:
    with (
        Origin({"/": (200, [], b"here")}) as origin,
        running_gate("--upstream", origin.url, env={"NOTIFY_SOCKET": str(tmp_path / "nobody")}) as gate,
    ):
        assert get(gate.address, "/")[1] == b"here"


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_of_a_visitor_reaches_the_log_the_metrics_or_the_page(form: str) -> None:
    html = [("Content-Type", "text/html")]
    pages = {
        "/": (200, html, b'<p>Hello<script src="https://connect.facebook.net/en_US/fbevents.js"></script>'),
        "/odd": (200, [*html, ("Content-Encoding", "foo")], b"x"),
        "/part": (206, html, b"x"),
        "/torn": (200, [*html, ("Content-Encoding", "gzip")], b"\x1f\x8b\x08\x00broken"),
    }
    lines = (
        "Cookie: session=s3cret-cookie; optout_gate=1",
        "User-Agent: s3cret-agent",
        "Referer: https://shop.test/?q=s3cret-referer",
        "X-Forwarded-For: 203.0.113.77",
    )
    settings = ("--log-format", form, "--log-requests")
    with running_gate("--upstream", f"http://{shown(free_address())}", *settings) as alone:
        get(alone.address, "/?q=s3cret-query", *lines)  # nobody there: an error is logged
        alone.wait_for_log("no connection to")
    with Origin(pages) as origin, running_gate("--upstream", origin.url, *settings) as gate:
        for path in (*pages, "/_optout/preferences", "/none", "/s3cret-query"):
            for method in ("GET", "POST", "S3CRET-QUERY"):
                get(gate.address, f"{path}?q=s3cret-query", *lines, "Content-Length: 0", method=method)
        get(gate.address, "/?q=s3cret-query", *lines, "Bad Header: s3cret-query")
        get(gate.address, "/?q=s3cret-query", *lines, "Via: " + ", ".join(["1.1 optout-gate"] * 9))
        shows = [get(gate.admin, path)[1].decode() for path in ("/metrics", "/live.json", "/", "/?q=s3cret-query")]
    told = [*alone.log, *gate.log]
    text = "".join([*told, *shows])
    assert "ready:" in text and "meta-pixel" in "".join(told) and "meta-pixel" in shows[1]
    for secret in SECRETS:
        assert secret not in text.lower(), secret
    if form == "json":
        for line in told:
            assert {"ts", "level", "logger", "event"} <= set(json.loads(line)), line


def test_a_line_a_request_says_what_was_decided_and_what_became_of_it() -> None:
    page = b'<script src="https://connect.facebook.net/en_US/fbevents.js"></script><img src="https://www.facebook.com/tr?id=1">'
    pages = {"/": (203, [("Content-Type", "text/html")], page)}
    with (
        Origin(pages) as origin,
        running_gate("--upstream", origin.url, "--log-format", "json", "--log-requests") as gate,
    ):
        get(gate.address, "/", "Sec-GPC: 1")
        get(gate.address, "/")
        get(gate.address, "/g/collect?v=2&tid=G-1", "Sec-GPC: 1", "Cookie: _fbp=fb.1.1")
        get(gate.address, "/_optout/preferences", method="PROPFIND")
        get(gate.address, "/", "Via: " + ", ".join(["1.1 optout-gate"] * 9))
    requests = [line for line in map(json.loads, gate.log) if line["event"] == "request"]
    words = [{key: value for key, value in line.items() if key not in ("ts", "ms")} for line in requests]
    common = {"event": "request", "level": "info", "logger": "optout_gate.requests"}
    enforced, untouched, beacon, own, refused = words
    assert enforced.pop("denied")[:2] == ["advertising", "analytics"]
    site = {**common, "site": "*", "method": "GET", "status": 203}
    assert enforced == {**site, "outcome": "enforced", "signal": "gpc", "vendors": {"meta-pixel": 2}}
    assert untouched == {**site, "outcome": "untouched", "signal": "none"}
    answered_here = {"status": 204, "outcome": "enforced", "vendors": {"google-analytics": 1, "meta-pixel": 1}}
    assert beacon.pop("denied") and answered_here.items() <= beacon.items()
    assert own == {**common, "outcome": "own_page", "page": "preferences", "method": "_OTHER", "status": 405}
    assert refused == {**common, "outcome": "refused", "reason": "loop", "method": "GET", "status": 508}
    assert all(line["ms"] >= 0 for line in requests)


def test_an_origin_that_is_down_is_told_once_and_not_with_every_request() -> None:
    with running_gate("--upstream", f"http://{shown(free_address())}") as gate:
        answers = [get(gate.address, "/")[0].split(b" ", 2)[1] for _ in range(30)]
    assert set(answers) == {b"502", b"503"}
    told = [line for line in gate.log if "origin http" in line]
    assert any("Connection refused" in line for line in told) and any(
        "could not be reached lately" in line for line in told
    )
    assert len(told) < 10, told


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_line_to_the_journal_says_how_grave_it_is(form: str, tmp_path: Path) -> None:
    file = tmp_path / "journal"
    script = (
        "import logging; from optout_gate.telemetry.logs import configure_logging as c; c('%s'); log = logging.getLogger"
        "('optout_gate'); log.info('a'); log.warning('b'); log.error('c', exc_info=ValueError('d'))"
    )
    with file.open("wb") as journal:
        found = os.fstat(journal.fileno())
        for named in (f"{found.st_dev}:{found.st_ino}", f"{found.st_dev}:1"):
            command = [sys.executable, "-c", script % form]
            subprocess.run(command, check=True, stderr=journal, env={**os.environ, "JOURNAL_STREAM": named}, timeout=60)
    lines = file.read_text().splitlines()
    to_the_journal, elsewhere = lines[: len(lines) // 2], lines[len(lines) // 2 :]
    assert [line[:3] for line in to_the_journal[:3]] == ["<6>", "<4>", "<3>"]
    assert all(line.startswith("<3>") for line in to_the_journal[2:])
    assert [line[3:24] for line in to_the_journal[3:]] == [line[:21] for line in elsewhere[3:]]
    assert not any(line.startswith("<") for line in elsewhere)


def test_a_gate_with_workers_is_ready_when_one_of_them_serves() -> None:
    with Origin({}) as origin, running_gate("--upstream", origin.url, "--workers", "2") as gate:
        children = Path(f"/proc/{gate.process.pid}/task/{gate.process.pid}/children").read_text().split()
        caught = [re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{each}/status").read_text()) for each in children]
    # A worker that loads does not catch the signal to drain yet, and ends by it.
    assert any(found is not None and int(found[1], 16) & 1 << (signal.SIGTERM - 1) for found in caught)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_signal_to_open_log_files_anew_ends_nobody(workers: str) -> None:
    with (
        Origin({"/": (200, [], b"here")}) as origin,
        running_gate("--upstream", origin.url, "--workers", workers) as gate,
    ):
        children = Path(f"/proc/{gate.process.pid}/task/{gate.process.pid}/children").read_text().split()
        for each in (gate.process.pid, *map(int, children)):
            os.kill(each, signal.SIGUSR1)
        assert get(gate.address, "/")[1] == b"here"
        now = Path(f"/proc/{gate.process.pid}/task/{gate.process.pid}/children").read_text().split()
        assert now == children and gate.process.poll() is None


def test_without_being_asked_the_gate_logs_no_request() -> None:
    with Origin({"/": (200, [], b"here")}) as origin, running_gate("--upstream", origin.url) as gate:
        get(gate.address, "/", "Sec-GPC: 1")
    assert not [line for line in gate.log if "request" in line]


def test_healthcheck_leaves_with_0_while_the_gate_is_ready_and_1_when_it_is_gone() -> None:
    with Origin({}) as origin, running_gate("--upstream", origin.url) as gate:
        good = CliRunner().invoke(main, ["healthcheck", "--admin", shown(gate.admin)])
        assert (good.exit_code, good.output) == (0, "ready\n")
        everywhere = CliRunner().invoke(main, ["healthcheck"], env={"OPTOUT_GATE_ADMIN": f"0.0.0.0:{gate.admin[1]}"})
        assert everywhere.exit_code == 0
    assert CliRunner().invoke(main, ["healthcheck", "--admin", shown(gate.admin)]).exit_code == 1
    assert CliRunner().invoke(main, ["healthcheck", "--admin", "nowhere"]).exit_code == 2


def test_healthcheck_says_what_a_gate_that_is_not_ready_says() -> None:
    with Origin({"/readyz": (503, [], b"draining\n")}) as draining:
        told = CliRunner().invoke(main, ["healthcheck", "--admin", draining.url.removeprefix("http://")])
    assert told.exit_code == 1

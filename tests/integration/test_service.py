"""A gate as a service: what it tells its manager, what it writes to its log, and how it says that it is well."""

import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from optout_gate.cli import main
from support.edges import free_address, shown
from support.processes import Origin, get, running_gate

DEADLINE_S = 20.0
SECRETS = ("s3cret-query", "s3cret-cookie", "s3cret-agent", "s3cret-referer", "203.0.113.77", "127.0.0.1:4")


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
def test_no_secret_of_a_visitor_reaches_the_log(form: str) -> None:
    html = [("Content-Type", "text/html")]
    pages = {
        "/": (200, html, b"<p>Hello"),
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
    with running_gate("--upstream", f"http://{shown(free_address())}", "--log-format", form) as alone:
        get(alone.address, "/?q=s3cret-query", *lines)  # nobody there: an error is logged
        alone.wait_for_log("no connection to")
        alone.stop()
        told = list(alone.log)
    with Origin(pages) as origin, running_gate("--upstream", origin.url, "--log-format", form) as gate:
        for path in (*pages, "/_optout/preferences", "/none"):
            for method in ("GET", "POST"):
                get(gate.address, f"{path}?q=s3cret-query", *lines, "Content-Length: 0", method=method)
        get(gate.address, "/?q=s3cret-query", *lines, "Bad Header: s3cret-query")
        get(gate.address, "/?q=s3cret-query", *lines, "Via: " + ", ".join(["1.1 optout-gate"] * 9))
        gate.stop()
        told += gate.log
    text = "".join(told)
    assert "ready:" in text
    for secret in SECRETS[:5]:
        assert secret not in text, secret
    if form == "json":
        for line in told:
            assert {"ts", "level", "logger", "event"} <= set(json.loads(line)), line


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

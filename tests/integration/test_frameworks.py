"""Real applications of real frameworks under real servers, each with the middleware as its documentation says."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from websockets.sync.client import connect

from support.framework_apps import FILE, LONG, PAGE, PAUSE_S

SERVERS = {
    "uvicorn": ["uvicorn", "support.framework_apps:app", "--host=127.0.0.1", "--port={port}"],
    "hypercorn": ["hypercorn", "support.framework_apps:app", "--bind=127.0.0.1:{port}"],
    "granian": ["granian", "--interface=asgi", "--host=127.0.0.1", "--port={port}", "support.framework_apps:app"],
}
FRAMEWORKS = ["starlette", "fastapi", "django", "flask"]
DENIED = b"https://ads.test/"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client got; ``first_s`` and ``last_s`` are when the body began and ended, ``cut`` that it broke off."""

    status: int
    headers: dict[str, str]
    body: bytes
    first_s: float
    last_s: float
    cut: bool


def ask(port: int, path: str, **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    begun = time.monotonic()
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    first = response.read1(1 << 20)
    first_s = time.monotonic() - begun
    cut = False
    try:
        rest = response.read()
    except (http.client.IncompleteRead, ConnectionResetError) as error:
        rest = error.partial if isinstance(error, http.client.IncompleteRead) else b""
        cut = True
    connection.close()
    found = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, found, first + rest, first_s, time.monotonic() - begun, cut)


@pytest.fixture(scope="module", params=list(SERVERS))
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Serve every framework's site with one server, in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free: int = probe.getsockname()[1]
    command = [sys.executable, "-m", *(part.format(port=free) for part in SERVERS[request.param])]
    log = tmp_path_factory.mktemp(request.param) / "log"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, env=environment, start_new_session=True)
        try:
            _await(free, server, log)
            yield free
        finally:
            # All of its processes: granian has workers, and one whose WSGI thread still sleeps when its loop ends
            # (a2wsgi's way, with or without the gate) never goes by itself.
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(10)


def _await(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"the server did not start:\n{log.read_text()}")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_page_is_cleaned_for_one_and_untouched_for_the_other(port: int, framework: str) -> None:
    opted_out = ask(port, f"/{framework}/page", **{"Sec-GPC": "1"})
    assert opted_out.status == 200 and DENIED not in opted_out.body and b"<p>Hello</p>" in opted_out.body
    assert int(opted_out.headers["content-length"]) == len(opted_out.body)
    plain = ask(port, f"/{framework}/page")
    assert plain.body == PAGE
    assert opted_out.headers["vary"] == plain.headers["vary"] == "Sec-GPC"


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_slow_page_shows_its_first_half_first(port: int, framework: str) -> None:
    for signals in ({}, {"Sec-GPC": "1"}):
        answer = ask(port, f"/{framework}/slow", **signals)
        assert LONG in answer.body and answer.body.count(b"<p>Hello</p>") == 2
        assert (DENIED in answer.body) is (not signals)
        assert answer.first_s < answer.last_s - PAUSE_S / 2, "the first half waited for the second"


def test_a_page_that_its_application_streams_is_begun_before_it_ends(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/starlette/shell", headers={"Sec-GPC": "1"})
    response = connection.getresponse()
    shell = b""
    while b"<p>Hello</p>" not in shell:
        shell += response.read1()
    assert ask(port, "/starlette/seen").status == 204
    page = shell + response.read()
    connection.close()
    assert b"/_optout/guard.js" in shell and DENIED not in page and page.count(b"<p>Hello</p>") == 2


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_page_sent_as_a_file_does_not_go_round_the_gate(port: int, framework: str) -> None:
    assert ask(port, f"/{framework}/file").body == FILE.read_bytes()
    opted_out = ask(port, f"/{framework}/file", **{"Sec-GPC": "1"})
    assert opted_out.status == 200 and DENIED not in opted_out.body and b"<p>Hello</p>" in opted_out.body


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_page_that_breaks_off_is_seen_to_break_off_and_its_part_is_clean(port: int, framework: str) -> None:
    answer = ask(port, f"/{framework}/broken", **{"Sec-GPC": "1"})
    assert answer.cut and DENIED not in answer.body


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_template_can_leave_a_tag_out_by_itself(port: int, framework: str) -> None:
    assert ask(port, f"/{framework}/template").body == b"<b>put in by the template</b>"
    assert ask(port, f"/{framework}/template", **{"Sec-GPC": "1"}).body == b"<b>left out by the template</b>"


def test_the_gates_own_pages_are_there(port: int) -> None:
    answer = ask(port, "/_optout/preferences", **{"Sec-GPC": "1"})
    assert answer.status == 200 and b"You are opted out" in answer.body


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_visitor_who_goes_away_leaves_the_next_one_alone(port: int, framework: str) -> None:
    for _ in range(3):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", f"/{framework}/slow", headers={"Sec-GPC": "1"})
        connection.getresponse().read1(100)
        connection.close()
    answer = ask(port, f"/{framework}/page", **{"Sec-GPC": "1"})
    assert answer.status == 200 and DENIED not in answer.body and b"<p>Hello</p>" in answer.body


def test_background_tasks_run(port: int) -> None:
    before = ask(port, "/fastapi/background").body
    ask(port, "/fastapi/page", **{"Sec-GPC": "1"})
    deadline = time.monotonic() + 5
    while (after := ask(port, "/fastapi/background").body) == before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert after.count(b"after the page") == before.count(b"after the page") + 1


def test_websockets_pass(port: int) -> None:
    with connect(f"ws://127.0.0.1:{port}/starlette/echo", additional_headers={"Sec-GPC": "1"}) as websocket:
        websocket.send('<script src="https://ads.test/t.js">')
        assert websocket.recv() == '<script src="https://ads.test/t.js">'

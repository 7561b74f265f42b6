"""``optout-gate serve`` as a real process between real sockets."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from optout_gate.demo.manifest import PLANTED
from support.processes import COMMAND, Gate, Origin, eventually, exchange, get, running_gate

PAGE = (
    b'<!doctype html><p>Caf\xc3\xa9 \xff<script async src="https://www.googletagmanager.com/gtag/js?id=G-1"></script>'
)
HTML = ("Content-Type", "text/html; charset=utf-8")
PAGES = {
    "/": (200, [HTML, ("Set-Cookie", "_ga=1; Path=/"), ("Set-Cookie", "session=1; Path=/"), ("ETag", '"a"')], PAGE),
    "/image": (200, [("Content-Type", "image/png")], b"\x89PNG"),
    "/moved": (302, [("Location", "/elsewhere"), ("Set-Cookie", "seen=ALICE; Path=/")], b""),
    "/odd": (200, [("X-A", "1"), ("x-a", "2"), ("X-Bytes", "\xe9"), ("Content-Encoding", "gzip")], b"not gzip at all"),
}


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin(PAGES) as running:
        yield running


@pytest.fixture(scope="module")
def gate(origin: Origin) -> Iterator[Gate]:
    with running_gate("--upstream", origin.url) as running:
        yield running


@pytest.fixture(autouse=True)
def forget(origin: Origin) -> None:
    origin.seen.clear()


def test_a_visitor_without_a_signal_gets_the_page_bit_for_bit(gate: Gate) -> None:
    head, body = get(gate.address, "/")
    assert body == PAGE
    assert b"Set-Cookie: _ga=1" in head and b'ETag: "a"' in head and b"Vary: Sec-GPC" in head


def test_a_visitor_with_the_signal_gets_it_without_the_tracker(gate: Gate) -> None:
    head, body = get(gate.address, "/", "Sec-GPC: 1")
    assert b"googletagmanager" not in body
    assert b"Caf\xc3\xa9 \xff" in body
    assert b"_ga=" not in head and b"Set-Cookie: session=1" in head and b'ETag: W/"' in head
    assert f"content-length: {len(body)}".encode() in head.lower()


HINTS = ["</site.css>; rel=preload; as=style", "<https://www.googletagmanager.com/gtag/js>; rel=preload; as=script"]


def test_early_hints_reach_a_browser_and_none_of_them_names_a_denied_vendor(gate: Gate, origin: Origin) -> None:
    origin.early["/"] = HINTS
    try:
        head, rest = get(gate.address, "/", "Sec-Fetch-Mode: navigate")
        assert head.split(b"\r\n") == [b"HTTP/1.1 103 Early Hints", *(f"link: {link}".encode() for link in HINTS)]
        assert rest.startswith(b"HTTP/1.1 200 ") and rest.endswith(PAGE)
        head, rest = get(gate.address, "/", "Sec-Fetch-Mode: navigate", "Sec-GPC: 1")
        assert head.split(b"\r\n") == [b"HTTP/1.1 103 Early Hints", f"link: {HINTS[0]}".encode()]
        assert rest.startswith(b"HTTP/1.1 200 ") and b"googletagmanager" not in rest
        head, _ = get(gate.address, "/")
        assert head.startswith(b"HTTP/1.1 200 "), "a client that may not know 103"
    finally:
        origin.early.clear()


def test_the_opt_out_cookie_counts_and_the_origin_hears_of_it(gate: Gate, origin: Origin) -> None:
    head, body = get(gate.address, "/", "Cookie: a=b; optout_gate=1")
    assert b"googletagmanager" not in body and b"private" in head
    assert ("Sec-GPC", "1") in origin.seen[-1].headers


def test_the_url_reaches_the_origin_byte_for_byte(gate: Gate, origin: Origin) -> None:
    get(gate.address, "/a%2Fb%7e/../c?x=%2f&z=[1]|{}&&=")
    assert origin.seen[-1].line == "GET /a%2Fb%7e/../c?x=%2f&z=[1]|{}&&= HTTP/1.1"


def test_header_lines_reach_both_sides_as_they_came(gate: Gate, origin: Origin) -> None:
    head, body = get(gate.address, "/odd", "X-Mine: \xe9", "x-mine: 2", "X-Empty:")
    seen = [(name, value) for name, value in origin.seen[-1].headers if name.lower().startswith("x-mine")]
    assert seen == [("X-Mine", "\xe9"), ("x-mine", "2")]
    assert re.findall(rb"(?im)^x-(?:a|bytes): .*?(?=\r)", head) == [b"X-A: 1", b"x-a: 2", b"X-Bytes: \xe9"]
    assert body == b"not gzip at all"


def test_a_redirect_is_the_visitors_to_follow(gate: Gate, origin: Origin) -> None:
    head, _ = get(gate.address, "/moved")
    assert head.startswith(b"HTTP/1.1 302") and len(origin.seen) == 1


def test_no_cookie_passes_from_one_visitor_to_the_next(gate: Gate, origin: Origin) -> None:
    get(gate.address, "/moved", host="localhost")
    get(gate.address, "/", "Cookie: b=2", host="localhost")
    assert [value for name, value in origin.seen[-1].headers if name.lower() == "cookie"] == ["b=2"]


def test_a_head_request_has_no_body_and_claims_no_wrong_length(gate: Gate) -> None:
    head, body = get(gate.address, "/", "Sec-GPC: 1", method="HEAD")
    assert body == b"" and f"content-length: {len(PAGE)}".encode() not in head.lower()


def test_the_trailer_of_a_request_is_never_a_signal(gate: Gate) -> None:
    from support.processes import exchange

    request = (
        b"POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        b"3\r\na=b\r\n0\r\nSec-GPC: 1\r\n\r\n"
    )
    assert PAGE in exchange(gate.address, request)


def test_a_long_beacon_is_refused_and_a_long_body_of_the_site_goes_on_bit_for_bit(gate: Gate, origin: Origin) -> None:
    beacon = b'{"api_key": "phc_abc", "x": "' + b"a" * 1_000_000 + b'"}'
    own = beacon.replace(b"phc_", b"mine")
    head = "POST /e/ HTTP/1.1\r\nHost: shop.test\r\nSec-GPC: 1\r\nContent-Type: application/json\r\n"
    said = {body: f"{head}Content-Length: {len(body)}\r\n".encode() for body in (beacon, own)}
    last = b"Connection: close\r\n\r\n"
    answers = exchange(gate.address, said[beacon] + b"\r\n" + beacon + said[own] + last + own)
    first, second = answers.split(b"HTTP/1.1 ")[1:]
    assert first.startswith(b"204 ") and b"Optout-Gate: enforced;removed=1;" in first
    assert second.startswith(b"404 ")
    assert [seen.body for seen in origin.seen] == [own]


def test_metrics_and_health_are_on_the_admin_address_alone(gate: Gate) -> None:
    get(gate.address, "/", "Sec-GPC: 1")
    _, metrics = get(gate.admin, "/metrics")
    assert re.search(rb'optout_gate_requests_total\{decision="enforced",signal="gpc",site="\*"\} [1-9]', metrics)
    assert re.search(rb'optout_gate_removals_total\{purpose="analytics",vendor="[a-z-]+"\} [1-9]', metrics)
    assert get(gate.admin, "/healthz")[1] == b"ok\n"
    assert get(gate.admin, "/readyz")[1] == b"ready\n"
    for path in ("/metrics", "/healthz", "/readyz"):
        assert get(gate.address, path)[0].startswith(b"HTTP/1.1 404"), "goes to the origin, like any path"


def test_the_preference_page_sets_the_cookie_in_one_step_and_takes_it_back(gate: Gate) -> None:
    _, page = get(gate.address, "/_optout/preferences")
    assert b'data-optout-state="in"' in page
    head, _ = get(gate.address, "/_optout/opt-out", "Origin: http://shop.test", "Content-Length: 0", method="POST")
    assert head.startswith(b"HTTP/1.1 303") and b"set-cookie: optout_gate=1;" in head.lower()
    _, page = get(gate.address, "/_optout/preferences", "Cookie: optout_gate=1")
    assert b'data-optout-state="out"' in page
    head, _ = get(gate.address, "/_optout/opt-in", "Sec-Fetch-Site: same-origin", "Content-Length: 0", method="POST")
    assert b"set-cookie: optout_gate=0.1.none." in head.lower()


@pytest.mark.parametrize("line", ["Origin: https://evil.test", "Sec-Fetch-Site: cross-site", "Origin: null"])
def test_another_sites_page_cannot_choose_for_a_visitor(gate: Gate, line: str) -> None:
    head, _ = get(gate.address, "/_optout/opt-in", line, "Content-Length: 0", method="POST")
    assert head.startswith(b"HTTP/1.1 403") and b"set-cookie" not in head.lower()


def test_an_origin_that_is_down_is_told_as_502() -> None:
    with running_gate("--upstream", "http://127.0.0.1:1") as gate:
        head, body = get(gate.address, "/")
        assert head.startswith(b"HTTP/1.1 502") and b"did not answer" in body


def test_an_unknown_host_is_misdirected(origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(f"version: 1\nsites: [{{hosts: [shop.test], upstream: '{origin.url}'}}]\n")
    with running_gate("--config", str(tmp_path / "site.yaml")) as gate:
        refused, _ = get(gate.address, "/", "Sec-GPC: 1", host="evil.test")
        assert refused.startswith(b"HTTP/1.1 421") and b"\r\nOptout-Gate: nothing_to_do\r\n" in refused
        assert get(gate.address, "/", host="shop.test:80")[0].startswith(b"HTTP/1.1 200")
        assert all(("Host", "shop.test:80") in seen.headers for seen in origin.seen)


def test_sighup_loads_the_configuration_anew_and_a_wrong_one_changes_nothing(origin: Origin, tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(f"version: 1\nsites: [{{upstream: '{origin.url}', mode: 'off'}}]\n")
    with running_gate("--config", str(file)) as gate:
        assert b"googletagmanager" in get(gate.address, "/", "Sec-GPC: 1")[1]
        file.write_text("version: 1\nsites: [{upstrem: x}]\n")
        gate.process.send_signal(signal.SIGHUP)
        gate.wait_for_log("not reloaded, the old one stays")
        gate.wait_for_log("site.yaml:2:10: unknown key 'upstrem'")
        assert get(gate.address, "/")[0].startswith(b"HTTP/1.1 200")
        file.write_text(f"version: 1\nsites: [{{upstream: '{origin.url}'}}]\n")
        gate.process.send_signal(signal.SIGHUP)
        gate.wait_for_log("configuration reloaded")
        assert b"googletagmanager" not in get(gate.address, "/", "Sec-GPC: 1")[1]
        assert gate.stop() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_gate_told_to_stop_is_not_ready_at_once_and_lets_every_connection_go_with_an_answer(
    origin: Origin, workers: str
) -> None:
    with running_gate("--upstream", origin.url, "--workers", workers, "--drain-delay", "60") as gate:
        _until_ready(gate)
        with socket.create_connection(gate.address, 10) as kept:
            asked = b"GET /image HTTP/1.1\r\nHost: a.test\r\n\r\n"
            assert b"connection: close" not in _answer(kept, asked)
            gate.process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + 20
            while not get(gate.admin, "/readyz")[0].startswith(b"HTTP/1.1 503"):
                assert time.monotonic() < deadline
            while b"connection: close" not in (answered := _answer(kept, asked)):  # a worker hears of it by itself
                assert answered and time.monotonic() < deadline
            with socket.create_connection(gate.address, 10) as late:
                assert b"200 ok" in _answer(late, asked)
        gate.process.send_signal(signal.SIGTERM)  # told again: at once
        assert gate.process.wait(20) == 0


def _answer(client: socket.socket, request: bytes) -> bytes:
    client.sendall(request)
    return client.recv(65536).lower()


def test_several_workers_count_together_and_a_dead_one_is_replaced(origin: Origin) -> None:
    with running_gate("--upstream", origin.url, "--workers", "2") as gate:
        pids = [int(pid) for pid in gate.wait_for_log("2 workers:").rpartition(":")[2].split(",")]
        _until_ready(gate)
        for _ in range(20):
            get(gate.address, "/", "Sec-GPC: 1")
        assert _enforced(gate) == 20
        os.kill(pids[0], signal.SIGKILL)
        gate.wait_for_log(f"worker {pids[0]} died")
        for _ in range(10):
            assert get(gate.address, "/", "Sec-GPC: 1")[0].startswith(b"HTTP/1.1 200")
        assert _enforced(gate) == 30
        assert b"\noptout_gate_worker_deaths_total 1.0\n" in get(gate.admin, "/metrics")[1]
        assert gate.stop() == 0


def test_a_gate_whose_workers_all_died_over_a_broken_file_shows_it_and_serves_again_once_the_file_is_mended(
    origin: Origin, tmp_path: Path
) -> None:
    file = tmp_path / "site.yaml"
    good = f"version: 1\nsites: [{{upstream: '{origin.url}'}}]\n"
    file.write_text(good)
    living = b"\noptout_gate_config_last_reload_successful 1.0\n"  # what OptoutGateDown asks for
    with running_gate("--config", str(file), "--workers", "2", "--log-format", "json") as gate:
        pids = [int(pid) for pid in re.findall(r"\d+", json.loads(gate.wait_for_log("2 workers:"))["event"])[1:]]
        assert eventually(lambda: living in get(gate.admin, "/metrics")[1], seconds=60)
        file.write_text("nonsense")
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        told = json.loads(gate.wait_for_log("a worker cannot start"))
        assert told["level"] == "error" and "found 'nonsense'" in told["event"]
        assert eventually(lambda: living not in get(gate.admin, "/metrics")[1], seconds=60)
        assert b"optout_gate_build_info" in get(gate.admin, "/metrics")[1]
        file.write_text(good)
        assert eventually(lambda: living in get(gate.admin, "/metrics")[1], seconds=60)


def _until_ready(gate: Gate) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if get(gate.address, "/image")[0].startswith(b"HTTP/1.1 200"):
            return
    raise TimeoutError("no worker answered")


def _enforced(gate: Gate) -> float:
    text = get(gate.admin, "/metrics")[1].decode()
    return sum(float(value) for value in re.findall(r'requests_total\{decision="enforced"[^}]*\} ([\d.e+]+)', text))


def test_an_address_in_use_is_told_with_the_flag_that_chooses_another(gate: Gate, origin: Origin) -> None:
    taken = f"127.0.0.1:{gate.address[1]}"
    done = subprocess.run(
        [*COMMAND, "serve", "--upstream", origin.url, "--listen", taken], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2
    assert f"cannot listen on {taken}: Address already in use (--listen chooses another address)" in done.stderr


def test_the_environment_stands_in_for_flags(origin: Origin) -> None:
    env = {"OPTOUT_GATE_UPSTREAM": origin.url, "OPTOUT_GATE_LISTEN": "127.0.0.1:0", "OPTOUT_GATE_ADMIN": "127.0.0.1:0"}
    with running_gate("--workers", "1", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", env=env) as gate:
        assert get(gate.address, "/")[1] == PAGE


def test_the_demo_finds_nothing_denied_left() -> None:
    done = subprocess.run([*COMMAND, "demo", "--once"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("as promised") == len(PLANTED)
    assert int(re.findall(r"things of (\d+) vendors", done.stdout)[0]) >= 25


def test_commands_speak_json_where_a_program_reads() -> None:
    asked = ["explain", "https://www.googletagmanager.com/gtm.js", "--json"]
    answer = json.loads(
        subprocess.run([*COMMAND, *asked], capture_output=True, text=True, check=True, timeout=30).stdout
    )
    assert (answer["vendor"], answer["blocked"]) == ("google-tag-manager", True)

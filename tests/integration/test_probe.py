"""``optout-gate probe`` before real caches: nginx set up as it should be, and in the ways in which it goes wrong."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from optout_gate.cli import main
from optout_gate.edges.probe import MOST_REQUESTS, PARAMETER
from support.edges import SHARED_CACHE, Address, free_address, program, running_edge, shown
from support.processes import Gate, Origin, get, running_gate

pytestmark = pytest.mark.skipif(program("nginx") is None, reason="Debian's nginx-light is not installed")

PAGE = b'<!doctype html><title>Shop</title><script src="https://connect.facebook.net/en_US/fbevents.js"></script>'
CLEAN = b"<!doctype html><title>Shop</title>"
KEPT = [("Content-Type", "text/html"), ("Cache-Control", "public, max-age=600"), ("ETag", '"v1"')]
PAGES = {
    "/": (200, KEPT, PAGE),
    "/clean": (200, KEPT, CLEAN),
    "/moved": (302, [("Location", "/there")], b""),
    "/data": (200, [("Content-Type", "application/json")], b"{}"),
}
CONFIG = """version: 1
trusted_proxies: [127.0.0.1]
sites: [{{upstream: "{origin}", outcome_header: {told}}}]
policies: {{default: {{sticky: false}}}}   # a page that sets a cookie is in no cache
"""
IGNORING = SHARED_CACHE.replace(
    "location /", "proxy_ignore_headers Vary Cache-Control;\n    proxy_cache_valid 600s;\n    location /"
)
"""A cache that keeps everything, whatever the gate says of it."""
ROUND_THE_GATE = """
map $http_sec_gpc $behind {{ default origin; 1 gate; }}
upstream gate {{ server {gate}; }}
upstream origin {{ server {origin}; }}
proxy_cache_path /var/cache/nginx/optout-gate keys_zone=shared:1m;
server {{
    listen {listen};
    proxy_cache shared;
    proxy_cache_key $http_host$request_uri;
    location / {{ proxy_pass http://$behind; }}
}}
"""
"""An edge that sends only the signal to the gate, and keeps pages without a word of Vary."""


def probe(address: Address, path: str = "/", *arguments: str) -> Result:
    return CliRunner().invoke(main, ["probe", f"http://{shown(address)}{path}", *arguments])


def findings(address: Address, path: str = "/", *arguments: str) -> list[dict[str, object]]:
    """Return what the probe finds; its exit code agrees."""
    told = probe(address, path, "--json", *arguments)
    report = json.loads(told.output)
    assert told.exit_code == (1 if report["findings"] else 0)
    assert report["asked"] <= MOST_REQUESTS
    found: list[dict[str, object]] = report["findings"]
    return found


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin(dict(PAGES)) as running:
        yield running


@pytest.fixture(scope="module", params=[True, False], ids=["telling", "silent"])
def gate(request: pytest.FixtureRequest, origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    file = tmp_path_factory.mktemp("gate") / "site.yaml"
    file.write_text(CONFIG.format(origin=origin.url, told=str(request.param).lower()))
    with running_gate("--config", str(file)) as running:
        yield running


def test_a_gate_alone_and_the_edge_that_the_gate_configures_are_good(
    gate: Gate, origin: Origin, tmp_path: Path
) -> None:
    assert findings(gate.address) == []
    listen = free_address()
    file = tmp_path / "site.yaml"
    file.write_text(CONFIG.format(origin=origin.url, told="true"))
    asked = ["snippet", "nginx", "--config", str(file), "--listen", shown(listen)]
    told = CliRunner().invoke(main, [*asked, "--gate", f"{shown(gate.address)}/{gate.admin[1]}"])
    assert told.exit_code == 0, told.output
    with running_edge("nginx", told.output, tmp_path / "nginx", listen):
        assert findings(listen) == []


def test_a_cache_that_knows_vary_and_not_the_cookie_is_found_for_the_cookie_alone(gate: Gate, tmp_path: Path) -> None:
    listen = free_address()
    with running_edge("nginx", SHARED_CACHE.format(listen=shown(listen), behind=shown(gate.address)), tmp_path, listen):
        found = findings(listen)
    assert {(each["kind"], each["order"][-1]) for each in found} == {  # type: ignore[index]
        ("poisoned", "cookie"),
        ("revalidated", "cookie"),
    }


def test_a_cache_that_ignores_what_it_is_told_is_found_both_ways(gate: Gate, tmp_path: Path) -> None:
    listen = free_address()
    with running_edge("nginx", IGNORING.format(listen=shown(listen), behind=shown(gate.address)), tmp_path, listen):
        found = findings(listen)
        told = probe(listen, "/?again")
    kinds = {str(each["kind"]) for each in found}
    assert {"poisoned", "withheld"} <= kinds
    poisoned = next(each for each in found if each["kind"] == "poisoned" and PARAMETER in str(each["url"]))
    assert poisoned["order"] == ["nobody", "nobody", "signal"]
    assert "X-Shared-Cache: HIT" in str(poisoned["evidence"]) and "1 denied references" in str(poisoned["evidence"])
    assert told.exit_code == 1
    assert "poisoned" in told.output and "nobody → nobody → signal" in told.output


def test_an_edge_that_goes_round_the_gate_without_vary_is_found(gate: Gate, origin: Origin, tmp_path: Path) -> None:
    listen = free_address()
    behind = origin.url.removeprefix("http://")
    text = ROUND_THE_GATE.format(listen=shown(listen), gate=shown(gate.address), origin=behind)
    with running_edge("nginx", text, tmp_path, listen):
        found = findings(listen)
    assert {"poisoned", "vary", "not_enforced"} <= {str(each["kind"]) for each in found}
    unheard = next(each for each in found if each["kind"] == "not_enforced")
    assert unheard["order"] == ["cookie"]  # which this edge does not send to the gate


def test_a_site_without_a_gate_is_found(origin: Origin) -> None:
    host, port = origin.url.removeprefix("http://").split(":")
    kinds = {str(each["kind"]) for each in findings((host, int(port)))}
    assert {"not_enforced", "vary"} <= kinds


def test_a_page_without_anything_denied_can_be_told_by_what_the_gate_says_of_it_alone(gate: Gate) -> None:
    told = probe(gate.address, "/clean")
    silent = "nothing tells the pages apart" in told.output
    assert told.exit_code == (2 if silent else 0)
    assert silent == (b"optout-gate" not in get(gate.address, "/clean", "Sec-GPC: 1")[0].lower())


@pytest.mark.parametrize(
    ("path", "words"),
    [("/moved", "status 302 and no page, to /there: probe that"), ("/data", "no page"), ("/nothing", "status 404")],
)
def test_what_is_no_page_cannot_be_told(gate: Gate, path: str, words: str) -> None:
    told = probe(gate.address, path)
    assert told.exit_code == 2 and words in " ".join(told.output.split())


def test_an_address_that_nobody_answers_at_cannot_be_told() -> None:
    assert probe(free_address()).exit_code == 2
    assert CliRunner().invoke(main, ["probe", "ftp://shop.test/"]).exit_code == 2
    assert CliRunner().invoke(main, ["probe", "http://127.0.0.1:1/", "--header", "nonsense"]).exit_code == 2


def test_every_request_is_a_get_of_the_one_page_with_the_lines_that_were_asked_for(origin: Origin) -> None:
    host, port = origin.url.removeprefix("http://").split(":")
    before = len(origin.seen)
    findings((host, int(port)), "/", "--header", "Host: shop.test", "--header", "Authorization: Basic eA==")
    seen = origin.seen[before:]
    assert 0 < len(seen) <= MOST_REQUESTS
    for each in seen:
        assert each.line.startswith(("GET / HTTP", f"GET /?{PARAMETER}="))
        sent = dict(each.headers)
        assert (sent["Host"], sent["Authorization"], sent["Sec-Fetch-Dest"]) == ("shop.test", "Basic eA==", "document")

"""The statement, the preference page at the site's own path, and the cookie, as the proxy serves them."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.processes import COMMAND, Gate, get, running_gate

DATE = re.compile(rb"(?im)^date: .*$")
CONFIG = """
version: 1
sites: [{{hosts: [shop.test], upstream: "http://127.0.0.1:1"{mode}}}]
trusted_proxies: [{trusted}]
preferences: {{paths: [/your-privacy-choices]}}
gpc_json: {{last_update: 2026-01-01}}
"""


def written(folder: Path, *, trusted: str = "127.0.0.1", mode: str = "") -> str:
    file = folder / "site.yaml"
    file.write_text(CONFIG.format(trusted=trusted, mode=mode))
    return str(file)


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with running_gate("--config", written(tmp_path_factory.mktemp("gate"))) as running:
        yield running


def test_the_statement_stands_while_the_website_is_down(gate: Gate) -> None:
    assert get(gate.address, "/")[0].startswith(b"HTTP/1.1 502")
    head, body = get(gate.address, "/.well-known/gpc.json")
    assert head.startswith(b"HTTP/1.1 200") and body == b'{"gpc": true, "lastUpdate": "2026-01-01"}'
    only_head, nothing = get(gate.address, "/.well-known/gpc.json", method="HEAD")
    assert nothing == b"" and DATE.sub(b"", only_head) == DATE.sub(b"", head)
    # For a host that is none of the gate's it states nothing.
    assert get(gate.address, "/.well-known/gpc.json", host="other.test")[0].startswith(b"HTTP/1.1 421")


def test_the_page_stands_at_the_sites_own_path_and_counts_a_cookie_that_was_not_kept(gate: Gate) -> None:
    _, page = get(gate.address, "/your-privacy-choices?chosen=out")
    assert b"did not keep the cookie" in page
    _, metrics = get(gate.admin, "/metrics")
    assert re.search(rb'^optout_gate_cookie_write_refused_total\{choice="out"\} 1\.0$', metrics, re.MULTILINE)


@pytest.mark.parametrize("trusted", [True, False])
def test_the_cookie_is_secure_on_the_word_of_a_proxy_that_is_trusted(tmp_path: Path, trusted: bool) -> None:
    with running_gate("--config", written(tmp_path, trusted="127.0.0.1" if trusted else "10.0.0.1")) as gate:
        lines = ("Sec-Fetch-Site: same-origin", "X-Forwarded-Proto: https", "Content-Length: 0")
        head, _ = get(gate.address, "/_optout/opt-out", *lines, method="POST")
    [cookie] = re.findall(rb"(?im)^set-cookie: (.*?)\r?$", head)
    assert cookie.startswith(b"optout_gate=1; ") and (b"Secure" in cookie) == trusted
    assert (b'clear-site-data: "cache"' in head.lower()) == trusted


def test_check_refuses_to_promise_what_is_not_enforced(tmp_path: Path) -> None:
    file = written(tmp_path, mode=", mode: observe")
    done = subprocess.run([*COMMAND, "check", file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "gpc_json states publicly that the signal is honoured" in done.stderr

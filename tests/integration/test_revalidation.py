"""A 304 from a real web server, through a real gate: for who holds the page that this gate made, and for nobody else."""

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.edges import free_address, program, running_edge, shown
from support.faults import Got, visit
from support.processes import Gate, running_gate

pytestmark = pytest.mark.skipif(program("nginx") is None, reason="Debian's nginx-light is not installed")

PAGE = '<!doctype html><p>Hello</p><script src="https://connect.facebook.net/en_US/fbevents.js"></script>'
SITE = """
server {{
    listen {listen};
    root {folder}/pages;
    types {{ text/html html; text/css css; }}
    gzip on;
    gzip_min_length 1;
}}
"""
CONFIG = """version: 1
sites: [{{upstream: "http://{origin}"}}]
policies: {{default: {{sticky: false, deny: [advertising{more}]}}}}
"""


@dataclass
class Running:
    """nginx with a page, and the gate before it."""

    gate: Gate
    config: Path
    origin: str

    def ask(self, *lines: str, path: str = "/index.html") -> Got:
        return visit(self.gate.address, path, *lines)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("revalidation")
    (folder / "pages").mkdir()
    (folder / "pages" / "index.html").write_text(PAGE)
    (folder / "pages" / "style.css").write_text("a{background:url(https://connect.facebook.net/x.png)}")
    listen = free_address()
    config = folder / "site.yaml"
    config.write_text(CONFIG.format(origin=shown(listen), more=""))
    os.chmod(folder, 0o755)
    with (
        running_edge("nginx", SITE.format(listen=shown(listen), folder=folder), folder / "nginx", listen),
        running_gate("--config", str(config)) as gate,
    ):
        yield Running(gate, config, shown(listen))


GPC = "Sec-GPC: 1"


@pytest.mark.parametrize("path", ["/index.html", "/style.css"])
@pytest.mark.parametrize("coding", [(), ("Accept-Encoding: gzip",)], ids=["plain", "gzip"])
def test_who_holds_the_page_that_the_gate_made_gets_a_304(running: Running, path: str, coding: tuple[str, ...]) -> None:
    first = running.ask(GPC, *coding, path=path)
    assert first.status == 200 and b"facebook" not in first.body
    ours = first.field("etag").decode()
    again = running.ask(GPC, *coding, f"If-None-Match: {ours}", path=path)
    assert (again.status, again.field("etag").decode(), again.field("vary")) == (304, ours, b"Sec-GPC")
    assert b"last-modified" not in again.head.lower()


def test_a_page_from_before_the_opt_out_is_never_good_again_nor_the_reverse(running: Running) -> None:
    before, after = running.ask(), running.ask(GPC)
    etag, modified = before.field("etag").decode(), before.field("last-modified").decode()
    assert running.ask(f"If-None-Match: {etag}").status == 304  # so the site does revalidate
    assert running.ask(f"If-Modified-Since: {modified}").status == 304
    for condition in (f"If-None-Match: {etag}", f"If-Modified-Since: {modified}", "If-None-Match: *"):
        got = running.ask(GPC, condition)
        assert got.status == 200 and b"facebook" not in got.body
    got = running.ask(f"If-None-Match: {after.field('etag').decode()}")
    assert got.status == 200 and b"facebook" in got.body


def test_a_page_from_before_a_reload_with_another_policy_is_asked_for_again(running: Running) -> None:
    old = running.ask(GPC).field("etag").decode()
    running.config.write_text(CONFIG.format(origin=running.origin, more=", analytics"))
    running.gate.process.send_signal(signal.SIGHUP)
    running.gate.wait_for_log("reload")
    got = running.ask(GPC, f"If-None-Match: {old}")
    assert got.status == 200
    assert re.sub(r".*\+", "", old) != re.sub(r".*\+", "", got.field("etag").decode())

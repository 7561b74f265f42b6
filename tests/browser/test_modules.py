"""A module that imports from a denied vendor runs all the same, and the vendor is not reached, in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from optout_gate.gate import Gate
from optout_gate.middleware import OptOutGateMiddleware
from optout_gate.policy.load import load_text
from support.browsers import chromium, served
from support.third_party import ThirdParty

pytestmark = pytest.mark.browser

CONFIG = """
version: 1
sites: [{upstream: "http://127.0.0.1:9"}]
trackers: {extra: [{vendor: a-tracker, purposes: [advertising], domains: [tracker.test]}]}
"""
PAGE = """<!doctype html><html><head><title>page</title>
<script type="module">
import tracker, { track, Client as Made } from "http://tracker.test/hit/named/x.js";
import * as kit from "http://tracker.test/hit/namespace/x.js";
import "http://tracker.test/hit/bare/x.js";
import { own } from "/own.js";
const { later } = await import("http://tracker.test/hit/lazy/x.js");
const client = new Made({ key: 1 });
tracker.init("id").then;
for (const each of client.list()) each.call();
class Extended extends Made {}
new Extended();
const answer = await track("bought", { value: `${client.total}` }).promise;
kit.start(answer); later(); JSON.stringify(client);
document.title = own;
</script><script type="module" src="/file.js"></script></head><body></body></html>"""
FILE = """import started, { track as told } from "http://tracker.test/hit/file/x.js";
export * from 'http://tracker.test/hit/again/x.js';
told(started);
document.body.dataset.file = 'ran';
"""


async def page(request: Request) -> Response:
    return HTMLResponse(PAGE)


async def own(request: Request) -> Response:
    if request.url.path == "/file.js":
        return Response(FILE, media_type="text/javascript")
    return Response("export const own = 'it ran';", media_type="text/javascript")


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """Return the address of the site behind the gate."""
    gate = Gate(load_text(CONFIG, file="test.yaml", folder=Path()), clock=lambda: 0.0)
    app = OptOutGateMiddleware(
        Starlette(routes=[Route("/", page), Route("/own.js", own), Route("/file.js", own)]), gate
    )
    with served(app) as port:
        yield f"http://site.localhost:{port}/"


@pytest.fixture(scope="module")
def browser(third_party: ThirdParty) -> Iterator[Browser]:
    with chromium(f"--host-resolver-rules=MAP *.test:80 127.0.0.1:{third_party.port}, MAP *.test ~NOTFOUND") as running:
        yield running


def test_a_module_that_imports_from_a_denied_vendor_runs_to_its_end(
    browser: Browser, third_party: ThirdParty, site: str
) -> None:
    context = browser.new_context(extra_http_headers={"Sec-GPC": "1"})
    opened = context.new_page()
    thrown: list[str] = []
    opened.on("pageerror", lambda error: thrown.append(str(error)))
    opened.goto(site)
    opened.wait_for_function("document.title === 'it ran' && document.body.dataset.file === 'ran'", timeout=30_000)
    assert thrown == [] and third_party.hits == set()
    context.close()

    context = browser.new_context()
    opened = context.new_page()
    with opened.expect_request("**/hit/named/x.js", timeout=30_000):
        opened.goto(site)
    context.close()

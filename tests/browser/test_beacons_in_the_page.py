"""A page whose tags go through the site's own host survives their being refused, in a real Chromium.

Without the signal every beacon must reach the site, or the test would prove nothing.
"""

import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from support.browsers import chromium
from support.processes import Gate, Origin, get, running_gate

pytestmark = pytest.mark.browser

PAGE = b"""<!doctype html><title>Shop</title>
<script>window.dataLayer = [{event: 'x'}]; window.told = {};</script>
<script src="/gtm.js?id=GTM-TEST1" onload="told.container = 'loaded'" onerror="told.container = 'failed'"></script>
<script src="/vendor/pixel.js" onload="told.library = String(!!window.pixelSent)"></script>
<img src="/b/ss/shop/1/JS-2.22.0/s1?AQB=1&ndh=1" onload="told.pixel = 'shown'" onerror="told.pixel = 'failed'">
<script>
const json = {method: 'POST', headers: {'Content-Type': 'application/json'}};
const view = JSON.stringify({n: 'pageview', u: location.href, d: 'shop.test'});
told.beacon = String(navigator.sendBeacon('/metrics/g/collect?v=2&tid=G-TEST1', 'en=page_view'));
Promise.all([
  fetch('/api/event', {...json, body: view}).then(answer => { told.view = answer.ok ? 'ok' : 'failed'; }),
  fetch('/api/event', {...json, body: '{"title": "Board meeting \\u00e9"}'}).then(async answer => { told.own = await answer.text(); }),
]).then(() => { told.done = 'yes'; });
</script>"""
LIBRARY = (
    b"/* You are hereby granted a non-exclusive, worldwide, royalty-free license to use */window.pixelSent=1;"
    b'var fbq={};fbq.version="2.9";fbq._releaseSegment="stable";fbq.pendingConfigs=[];'
)
SCRIPT = [("Content-Type", "text/javascript")]
SITE = {
    "/": (200, [("Content-Type", "text/html; charset=utf-8")], PAGE),
    "/gtm.js": (200, SCRIPT, b"window.container=1"),
    "/vendor/pixel.js": (200, SCRIPT, LIBRARY),
    "/b/ss/shop/1/JS-2.22.0/s1": (404, [], b""),
    "/metrics/g/collect": (204, [], b""),
    "/api/event": (200, [("Content-Type", "text/plain")], b"stored"),
}


BEACONS = {"GET /gtm.js", "POST /metrics/g/collect", "GET /b/ss/shop/1/JS-2.22.0/s1"}
DEADLINE_S = 30.0


def refused(gate: Gate) -> set[str]:
    """Return the vendors whose beacons the gate refused."""
    metrics = get(gate.admin, "/metrics")[1].decode()
    return set(re.findall(r'optout_gate_beacons_refused_total\{vendor="([^"]+)"\}', metrics))


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin(SITE) as running:
        yield running


@pytest.fixture(scope="module")
def gate(origin: Origin) -> Iterator[Gate]:
    with running_gate("--upstream", origin.url) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def until(holds: Callable[[], bool]) -> None:
    """Wait for what the browser sends in the background."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def asked_for(origin: Origin) -> list[str]:
    return [f"{each.line.split()[0]} {each.line.split()[1].partition('?')[0]}" for each in origin.seen]


def visit(browser: Browser, gate: Gate, origin: Origin, *, signal: bool) -> dict[str, str]:
    """Open the page; return what its scripts found."""
    origin.seen.clear()
    context = browser.new_context(extra_http_headers={"Sec-GPC": "1"} if signal else {})
    page = context.new_page()
    thrown: list[str] = []
    page.on("pageerror", lambda error: thrown.append(str(error)))
    page.goto("http://{}:{}/".format(*gate.address), wait_until="load")
    page.wait_for_function("told.done && told.pixel && told.container && told.library")
    told: dict[str, str] = page.evaluate("told")
    context.close()
    assert thrown == []
    return told


def test_beacons_reach_the_site_without_the_signal_and_the_page_survives_their_refusal_with_it(
    browser: Browser, gate: Gate, origin: Origin
) -> None:
    assert visit(browser, gate, origin, signal=False)["library"] == "true"
    until(lambda: set(asked_for(origin)) >= BEACONS)
    assert asked_for(origin).count("POST /api/event") == 2

    assert visit(browser, gate, origin, signal=True) == {
        "container": "loaded",
        "library": "false",
        "pixel": "shown",
        "beacon": "true",
        "view": "ok",
        "own": "stored",
        "done": "yes",
    }
    until(lambda: refused(gate) == {"adobe-analytics", "google-analytics", "google-tag-manager", "plausible"})
    assert BEACONS.isdisjoint(asked_for(origin))
    (own,) = [each for each in origin.seen if "/api/event" in each.line]
    assert own.body == '{"title": "Board meeting é"}'.encode()

"""The guard as the gate brings it: into pages under a policy, into workers, behind redirects, without a trace.

The site is an application with the gate's middleware round it; the tracker is a host that only its URL, joined at run
time, names. What counts is whether the tracker was reached, without the signal (or nothing would be proven) and with it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from optout_gate.gate import Gate
from optout_gate.middleware import OptOutGateMiddleware
from optout_gate.policy.load import load_text
from support.browsers import chromium, served
from support.third_party import ThirdParty

pytestmark = pytest.mark.browser

CONFIG = """
version: 1
sites: [{upstream: "http://127.0.0.1:9", lockdown: [/locked]}]
trackers:
  extra:
    - {vendor: a-tracker, purposes: [advertising], domains: [tracker.test], surrogate: generic}
    - {vendor: a-library, purposes: [functional], domains: [good.tracker.test]}
"""
# Each page's script, run under the page's policy. `u(id)` is the tracker's URL.
SCRIPTS = {
    "fetch": "fetch(u('fetch'), { mode: 'no-cors' }).catch(() => 0)",
    "image": "new Image().src = u('image')",
    "import": "import(u('import').replace('gif', 'js')).catch(() => 0)",
    "script": "document.body.appendChild(document.createElement('script')).src = u('script')",
    "worker": "self.w = new Worker('/worker.js?id=worker&port=' + port)",
    "shared-worker": "self.w = new SharedWorker('/worker.js?id=shared-worker&port=' + port)",
    "module-worker": "self.w = new Worker('/worker.js?id=module-worker&port=' + port, { type: 'module' })",
    "service-worker": "navigator.serviceWorker.register('/worker.js?id=service-worker&port=' + port)",
    "redirected-image": "new Image().src = '/away?id=redirected-image&port=' + port",
    "redirected-fetch": "fetch('/away?id=redirected-fetch&port=' + port, { mode: 'no-cors' }).catch(() => 0)",
}
POLICIES = {
    "": None,
    "nonce": "script-src 'nonce-abc'; worker-src 'self'",
    "strict": "script-src 'nonce-abc' 'strict-dynamic'; object-src 'none'; base-uri 'none'; worker-src 'self'",
    "self": "script-src 'self' http://tracker.test:*; worker-src 'self'",
}
WORKER = """'use strict';
const at = new URL(self.location.href).searchParams;
fetch(['http:', '', ['tracker', 'test:' + at.get('port')].join('.'), 'hit', at.get('id'), 'x.gif'].join('/'), { mode: 'no-cors' }).catch(() => 0);
"""
PAGE = """<!doctype html>
<html><head><title>page</title><script nonce="abc" src="/page.js?SCRIPT"></script></head><body><p>text</p></body></html>"""


async def page(request: Request) -> Response:
    policy = POLICIES[request.query_params.get("policy", "")]
    headers = {"Content-Security-Policy": policy} if policy is not None else {}
    return HTMLResponse(PAGE.replace("SCRIPT", request.url.query.replace("&", "&amp;")), headers=headers)


async def page_script(request: Request) -> Response:
    script = (
        "self.order = Array.from(document.querySelectorAll('*'), e => e.localName).join(' ');"
        f"const port = '{request.query_params['port']}';"
        "const u = id => ['http:', '', ['tracker', 'test:' + port].join('.'), 'hit', id, 'x.gif'].join('/');"
        f"addEventListener('load', () => {{ {SCRIPTS[request.query_params['script']]} }});"
    )
    return Response(script, media_type="text/javascript")


async def worker(request: Request) -> Response:
    return Response(WORKER, media_type="text/javascript")


async def away(request: Request) -> Response:
    id, port = request.query_params["id"], request.query_params["port"]
    return RedirectResponse(f"http://tracker.test:{port}/hit/{id}/x.gif", 302)


async def said(request: Request) -> Response:
    return Response(request.headers.get("sec-fetch-dest", "nothing"), media_type="text/plain")


async def locked(request: Request) -> Response:
    port = request.query_params["port"]
    unknown = f'<img src="http://unknown.test:{port}/hit/unknown/x.gif"><img src="http://good.tracker.test:{port}/hit/good/x.gif">'
    return HTMLResponse(f"<!doctype html><html><head><title>x</title></head><body>{unknown}</body></html>")


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """Return the address of the site behind the gate."""
    routes = [
        Route("/page", page),
        Route("/page.js", page_script),
        Route("/worker.js", worker),
        Route("/away", away),
        Route("/said", said),
    ]
    gate = Gate(load_text(CONFIG, file="test.yaml", folder=Path()), clock=lambda: 0.0)
    app = OptOutGateMiddleware(Starlette(routes=[*routes, Route("/locked", locked)]), gate)
    with served(app) as port:
        yield f"http://site.localhost:{port}"


@pytest.fixture(scope="module")
def tracker() -> Iterator[ThirdParty]:
    party = ThirdParty()
    yield party
    party.close()


@pytest.fixture(scope="module")
def browser(tracker: ThirdParty) -> Iterator[Browser]:
    # On its scheme's own port, as trackers are: the keys of an import map hold no other.
    # Not trustworthy, as plain.example is not by plain http, an origin gets no Sec-Fetch-* from browsers.
    with chromium(
        f"--host-resolver-rules=MAP *.test:80 127.0.0.1:{tracker.port}, MAP *.test ~NOTFOUND, MAP plain.example 127.0.0.1"
    ) as running:
        yield running


def visited(
    browser: Browser, tracker: ThirdParty, url: str, *, signal: bool, wanted: str
) -> tuple[bool, str, list[str]]:
    """Open a page; return whether the tracker was called, the elements that the page's script met, and what was thrown."""
    tracker.hits.discard(wanted)
    thrown: list[str] = []
    context = browser.new_context(extra_http_headers={"Sec-GPC": "1"} if signal else {})
    opened = context.new_page()
    opened.on("pageerror", lambda error: thrown.append(str(error)))
    opened.goto(url)
    for _ in range(40 if not signal else 8):
        if wanted in tracker.hits:
            break
        opened.wait_for_timeout(100)
    order = opened.evaluate("self.order || ''")
    context.close()
    return wanted in tracker.hits, order, thrown


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("script", SCRIPTS)
def test_the_tracker_is_reached_without_the_signal_and_not_with_it(
    browser: Browser, tracker: ThirdParty, site: str, script: str, policy: str
) -> None:
    if policy and script not in ("image", "import", "worker"):
        pytest.skip("a policy changes how the guard gets in, which three ways show")
    url = f"{site}/page?script={script}&policy={policy}&port=80"
    reached, order, thrown = visited(browser, tracker, url, signal=False, wanted=script)
    assert reached
    still_reached, same_order, thrown_too = visited(browser, tracker, url, signal=True, wanted=script)
    assert not still_reached
    assert (thrown_too, thrown) == ([], [])
    assert same_order == order  # a framework that hydrates the document counts the elements it left


@pytest.mark.parametrize("script", ["fetch", "worker", "shared-worker", "module-worker"])
def test_a_browser_that_does_not_say_what_it_asks_for_is_covered(
    browser: Browser, tracker: ThirdParty, site: str, script: str
) -> None:
    address = site.replace("site.localhost", "plain.example")
    with_header, without = (f"{each}/said?{script}" for each in (site, address))
    url = f"{address}/page?script={script}&port=80"
    assert visited(browser, tracker, url, signal=False, wanted=script)[0]
    still_reached, _, thrown = visited(browser, tracker, url, signal=True, wanted=script)
    assert not still_reached and thrown == []
    opened = browser.new_page()
    said = []
    for each in (with_header, without):
        opened.goto(each)
        said.append(opened.text_content("body"))
    opened.close()
    assert said == ["document", "nothing"]


def test_a_locked_down_page_reaches_allowed_vendors_that_it_names_and_nobody_unknown(
    browser: Browser, tracker: ThirdParty, site: str
) -> None:
    url = f"{site}/locked?port=80"
    assert visited(browser, tracker, url, signal=False, wanted="unknown")[0]
    assert not visited(browser, tracker, url, signal=True, wanted="unknown")[0]


def test_the_guard_of_the_whole_catalogue_adds_no_long_task(browser: Browser, site: str) -> None:
    """The page's own tasks are nothing, so a long one would be the guard's, its table's or its import maps'."""
    tasks = """() => new Promise(done => {
        const seen = [], idle = n => n ? requestIdleCallback(() => idle(n - 1)) : done(seen);
        new PerformanceObserver(list => list.getEntries().forEach(e => seen.push(e.duration))).observe({type: 'longtask', buffered: true});
        fetch('http://nobody.example/').catch(() => 0);  // another host: the table is read
        idle(80) })"""
    fewest = None
    for _ in range(12):  # a busy machine makes any task long; once in twelve it is quiet
        context = browser.new_context(extra_http_headers={"Sec-GPC": "1"})
        opened = context.new_page()
        opened.goto(f"{site}/page?script=worker&port=80")
        assert opened.evaluate("navigator.globalPrivacyControl") is True
        fewest = opened.evaluate(tasks)
        context.close()
        if not fewest:
            break
    assert fewest == []


def test_the_signal_is_spoken_in_the_page_and_only_for_those_who_opted_out(browser: Browser, site: str) -> None:
    said = "() => [navigator.globalPrivacyControl === true, typeof __gpp, typeof __uspapi]"
    for signal, expected in ((True, [True, "function", "function"]), (False, [False, "undefined", "undefined"])):
        context = browser.new_context(extra_http_headers={"Sec-GPC": "1"} if signal else {})
        opened = context.new_page()
        opened.goto(f"{site}/page?script=image&port=80")
        assert opened.evaluate(said) == expected
        if signal:
            assert opened.evaluate("() => new Promise(r => __uspapi('getUSPData', 1, d => r(d.uspString)))") == "1YYN"
            assert opened.evaluate("() => dataLayer[0][2].ad_storage") == "denied"
            assert (
                opened.evaluate("() => new Promise(r => __gpp('ping', d => r(d.parsedSections.usnat[0].SaleOptOut)))")
                == 1
            )
        context.close()

"""What page code sees of the guard: how a stopped call ends, what the signal says, which cookies stay away."""

# The JavaScript keeps its lines: cut up, it could not be read or tried in a console.

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from optout_gate.rewrite.guard import GuardConfig, denied_modules
from support.guard_site import TRACKER, Site, chromium
from support.third_party import ThirdParty

pytestmark = pytest.mark.browser

CONF = GuardConfig(
    hosts=(TRACKER, "vendor.*", "surrogate.test", "settings.test"),
    patterns=(
        ("mixed.test", "/tr"),
        ("mixed.test", "/collect*pixel"),
        ("partly.test", "/a"),
        ("partly.test", "/b/c"),
        ("shop.*", "/t"),
    ),
    exceptions=("partly.test/a/open", "partly.test"),
    cookies=("_ga*", "_fbp"),
    storage=("_hj*",),
    fetched=(("settings.test", '{"integrations":{}}'),),
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    site = Site(CONF)
    site.pages["/_optout/s/for.js?rule=surrogate.test"] = (
        "text/javascript",
        b"self.stoodIn = (self.stoodIn || 0) + 1; self.stoodInAs = document.currentScript.src;",
    )
    yield site
    site.close()


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.goto(site.address)
    yield page
    context.close()


# One line a channel: what the caller of a stopped call sees, in the way a caller would ask.
ENDINGS = [
    pytest.param(
        "fetch(t).catch(e => [e instanceof TypeError, e.message])", [True, "Failed to fetch"], id="fetch-rejects"
    ),
    # Segment's package never settles what was called before its settings, when they fail.
    pytest.param(
        "fetch(t.replace('tracker.localhost', 'settings.test')).then(r => r.json().then(j => [r.ok, j]))",
        [True, {"integrations": {}}],
        id="fetch-of-settings-that-a-library-waits-for-is-answered",
    ),
    pytest.param(
        "new Promise(r => { let x = new XMLHttpRequest(); x.onerror = () => r([x.readyState, x.status]); x.open('GET', t); x.send() })",
        [4, 0],
        id="xhr-errors",
    ),
    pytest.param(
        "(() => { let x = new XMLHttpRequest(); x.open('GET', t, false); try { x.send() } catch (e) { return e.name } })()",
        "NetworkError",
        id="synchronous-xhr-throws-as-with-a-dead-server",
    ),
    pytest.param("navigator.sendBeacon(t, 'x')", True, id="beacon-is-queued"),
    pytest.param(
        "new Promise(r => { new WebSocket(t.replace('http', 'ws')).onclose = e => r([e.code, e.wasClean]) })",
        [1006, False],
        id="websocket-closes-1006",
    ),
    pytest.param(
        "new Promise(r => { let e = new EventSource(t); e.onerror = () => r(e.readyState) })",
        2,
        id="eventsource-errors",
    ),
    pytest.param(
        "new Promise(r => { let i = new Image(); i.onerror = () => r('error'); i.src = t })",
        "error",
        id="image-errors",
    ),
    pytest.param(
        "new Promise(r => { let s = document.createElement('script'); s.onerror = () => r('error'); s.src = t; document.head.append(s) })",
        "error",
        id="script-errors",
    ),
    pytest.param(
        "new Promise(r => { let s = document.createElement('script'); s.onload = () => r(stoodIn > 0);"
        "s.src = t.replace('tracker.localhost', 'surrogate.test'); document.head.append(s) })",
        True,
        id="script-of-a-vendor-with-a-surrogate-loads-that",
    ),
    pytest.param(
        # React 19 holds a promise for each sheet that nobody catches.
        "new Promise(r => { let l = document.createElement('link'); l.rel = 'stylesheet'; l.onerror = () => r('error');"
        "l.onload = () => r(l.sheet.cssRules.length); l.href = t; document.head.append(l) })",
        0,
        id="style-sheet-loads-empty",
    ),
    pytest.param(
        "new Promise(r => { let f = document.createElement('iframe'); f.src = t; f.onload = () => r(f.contentDocument.body.innerHTML);"
        "document.body.append(f) })",
        "",
        id="iframe-loads-empty",
    ),
    pytest.param(
        "new Promise(r => { let v = document.createElement('video'); v.onerror = () => r(v.error.code); v.src = t })",
        4,
        id="video-errors",
    ),
    pytest.param("new FontFace('x', `url(${t})`).load().catch(e => e.name)", "NetworkError", id="font-rejects"),
    pytest.param("caches.open('x').then(c => c.add(t)).catch(e => e.name)", "TypeError", id="cache-add-rejects"),
    pytest.param("CSS.paintWorklet.addModule(t).catch(e => e.name)", "AbortError", id="worklet-rejects"),
    pytest.param(
        "(() => { let w = open(t); let r = [w !== null, w.closed]; w.close(); return r })()",
        [True, False],
        id="window-opens-blank",
    ),
    pytest.param(
        "new Promise(r => { let w = new Worker(URL.createObjectURL(new Blob(["
        "`try { importScripts(${JSON.stringify(t)}) } catch (e) { postMessage([e.name, e instanceof DOMException]) }`])));"
        "w.onmessage = e => r(e.data) })",
        ["NetworkError", True],
        id="importscripts-throws-as-with-a-dead-server",
    ),
    pytest.param(
        "(() => { document.body.innerHTML = `<form action=${t}><input name=submit></form>`;"
        "let f = document.forms[0]; HTMLFormElement.prototype.submit.call(f); return location.pathname })()",
        "/",
        id="form-stays",
    ),
]


@pytest.mark.parametrize(("call", "ending"), ENDINGS)
def test_a_stopped_call_ends_as_an_ordinary_failure_or_an_empty_success(
    call: str, ending: Any, page: Page, third_party: ThirdParty
) -> None:
    third_party.hits.clear()
    assert page.evaluate(f"(t => {call})", f"http://{TRACKER}:{third_party.port}/hit/x/x.js") == ending
    assert third_party.hits == set()


@pytest.mark.parametrize(
    ("address", "reached"),
    [
        pytest.param("sub.tracker.localhost/hit/a/x", False, id="subdomain-of-a-denied-host"),
        pytest.param("nottracker.localhost/hit/b/x", True, id="host-that-only-ends-alike"),
        pytest.param("vendor.test/hit/c/x", False, id="any-suffix"),
        pytest.param("a.vendor.co.test/hit/d/x", False, id="any-suffix-of-two-labels"),
        pytest.param("vendor.example.test/hit/e/x", True, id="another-domain-s-subdomain"),
        pytest.param("mixed.test/hit/f/x", True, id="path-without-a-rule"),
        pytest.param("mixed.test/tr", False, id="path-rule"),
        pytest.param("mixed.test/tr?id=1", False, id="path-rule-and-a-query"),
        pytest.param("mixed.test/tr/x", False, id="path-rule-and-more-path"),
        pytest.param("mixed.test/trending", True, id="path-that-only-begins-alike"),
        pytest.param("www.mixed.test/collect/any/pixel", False, id="star-in-a-path"),
        pytest.param("mixed.test/collect/any", True, id="star-without-its-end"),
        pytest.param("mixed.test/x/tr", True, id="path-rule-further-on"),
        pytest.param("mixed.test/", True, id="no-path-on-a-host-of-path-rules"),
        pytest.param("partly.test/a/x", False, id="path-rule-beside-an-exception"),
        pytest.param("partly.test/a/open/x", True, id="exception-from-a-path-rule"),
        pytest.param("partly.test/b/c", False, id="another-rule-beside-an-exception"),
        pytest.param("partly.test/d", True, id="host-that-stays-open"),
        pytest.param("www.shop.test/t", False, id="path-rule-under-any-suffix"),
        pytest.param("www.shop.test/tt", True, id="path-without-a-rule-under-any-suffix"),
    ],
)
def test_hosts_and_paths_are_read_as_the_catalogue_means_them(
    address: str, reached: bool, page: Page, third_party: ThirdParty
) -> None:
    third_party.hits.clear()
    host, _, path = address.partition("/")
    url = f"http://{host}:{third_party.port}/{path}"
    assert page.evaluate("u => fetch(u).then(() => true, () => false)", url) is reached
    assert bool(third_party.hits) is reached


@pytest.mark.parametrize(
    "realm",
    [
        pytest.param("navigator.globalPrivacyControl", id="page"),
        pytest.param(
            "document.body.appendChild(document.createElement('iframe')).contentWindow.navigator.globalPrivacyControl",
            id="blank-frame",
        ),
        pytest.param(
            "new Promise(r => { let w = new Worker(URL.createObjectURL(new Blob(['postMessage(navigator.globalPrivacyControl)'])));"
            "w.onmessage = e => r(e.data) })",
            id="blob-worker",
        ),
        pytest.param(
            "new Promise(r => { onmessage = e => r(e.data); let f = document.createElement('iframe');"
            "f.srcdoc = '<script>parent.postMessage(navigator.globalPrivacyControl, \"*\")</scr' + 'ipt>'; document.body.append(f) })",
            id="srcdoc",
        ),
    ],
)
def test_the_signal_is_true_wherever_script_asks(realm: str, page: Page) -> None:
    assert page.evaluate(realm) is True


def test_denied_cookies_are_not_set_and_may_always_be_deleted(page: Page) -> None:
    assert (
        page.evaluate(
            """() => {
            document.cookie = '_ga=1; path=/'; document.cookie = ' _ga_X1 = 2'; document.cookie = '_fbp=3';
            document.cookie = '_fbpx=4'; document.cookie = 'basket=5; expires=' + new Date(Date.now() + 9e9).toUTCString();
            return document.cookie }"""
        )
        == "_fbpx=4; basket=5"
    )
    page.context.add_cookies([{"name": n, "value": "old", "url": page.url} for n in ("_ga", "_fbp")])
    assert (
        page.evaluate(
            """() => { document.cookie = '_ga=; max-age=0'; document.cookie = '_fbp=; expires=Thu, 01 Jan 1970 00:00:00 GMT';
            return document.cookie }"""
        )
        == "_fbpx=4; basket=5"
    )


def test_denied_storage_keys_are_not_set(page: Page) -> None:
    result = page.evaluate(
        "() => { localStorage.setItem('_hjid', 1); localStorage.setItem('basket', 2); return Object.keys(localStorage) }"
    )
    assert result == ["basket"]


def test_consent_interfaces_answer_in_accord(page: Page) -> None:
    answers = page.evaluate(
        """() => { let a = {};
        __uspapi('getUSPData', 1, (d, ok) => a.usp = [d.uspString, ok]);
        __gpp('ping', d => a.ping = [d.gppString, d.applicableSections, d.signalStatus]);
        __gpp('getField', d => a.sale = d, 'usnat.SaleOptOut');
        __gpp('getSection', d => a.section = d[0].SharingOptOut, 'usnat');
        __gpp('hasSection', d => a.has = d, 'usnat');
        __gpp('addEventListener', d => a.event = [d.eventName, d.pingData.gppString]);
        __gpp('nonsense', (d, ok) => a.nonsense = ok);
        return a }"""
    )
    gpp = "DBABLA~BVQVAAAAAgA.YA"
    assert answers == {
        "usp": ["1YYN", True],
        "ping": [gpp, [7], "ready"],
        "sale": 1,
        "section": 1,
        "has": True,
        "event": ["listenerRegistered", gpp],
        "nonsense": False,
    }


def test_a_consent_platform_that_loads_later_is_wrapped_and_only_made_stricter(page: Page) -> None:
    answers = page.evaluate(
        """() => { let a = {}, asked = [];
        window.__uspapi = (c, v, cb) => { asked.push(c); cb({version: 1, uspString: '1NNN', own: 'kept'}, true) };
        window.__gpp = (c, cb, p) => { asked.push(c); cb(c === 'getField' ? 2 : {gppString: 'DBABLA~other', applicableSections: [7, 8],
          cmpId: 99, SaleOptOut: 2, SaleOptOutNotice: 1}, true) };
        __uspapi('getUSPData', 1, d => a.usp = [d.uspString, d.own]);
        __gpp('ping', d => a.gpp = [d.gppString, d.cmpId, d.SaleOptOut, d.SaleOptOutNotice]);
        __gpp('getField', d => a.field = d, 'usca.SaleOptOut');
        __gpp('getField', d => a.notice = d, 'usca.SaleOptOutNotice');
        a.asked = asked; return a }"""
    )
    assert answers == {
        "usp": ["1NYN", "kept"],
        "gpp": ["DBABLA~BVQVAAAAAgA.YA", 99, 1, 1],
        "field": 1,
        "notice": 2,
        "asked": ["getUSPData", "ping", "getField", "getField"],
    }


def test_gtag_consent_is_denied_before_any_tag_and_stays_denied(page: Page) -> None:
    first, update = page.evaluate(
        """() => { function gtag() { dataLayer.push(arguments) }
        gtag('consent', 'update', {ad_storage: 'granted', security_storage: 'granted'});
        dataLayer.push({event: 'own'});
        return [[...dataLayer[0]], [...dataLayer[2]]] }"""
    )
    assert first[:2] == ["consent", "default"]
    assert {first[2][k] for k in ("ad_storage", "ad_user_data", "ad_personalization", "analytics_storage")} == {
        "denied"
    }
    assert update[2] == {"ad_storage": "denied", "security_storage": "granted"}


def test_speculation_rules_lose_denied_addresses_and_keep_the_others(page: Page) -> None:
    text = page.evaluate(
        """t => { let s = document.createElement('script'); s.type = 'speculationrules';
        s.textContent = JSON.stringify({prefetch: [{urls: [t, '/next']}]}); return s.textContent }""",
        f"https://{TRACKER}/x",
    )
    assert text == '{"prefetch":[{"urls":["about:invalid","/next"]}]}'


def test_a_page_that_demands_trusted_types_goes_on_working(browser: Browser, third_party: ThirdParty) -> None:
    site = Site(CONF)
    csp = b"<meta http-equiv=Content-Security-Policy content=\"require-trusted-types-for 'script'; trusted-types own\">"
    site.head = csp + site.head
    body = f"""
    <script>
    let p = trustedTypes.createPolicy('own', {{createHTML: s => s, createScriptURL: s => s}}), out = [];
    document.write(p.createHTML('<p id=w>written'));
    let div = document.body.appendChild(document.createElement('div'));
    div.innerHTML = p.createHTML('<b>kept</b>');
    out.push(div.innerHTML);
    try {{ div.innerHTML = '<i>plain</i>' }} catch (e) {{ out.push(e.name) }}
    let s = document.createElement('script'); s.src = p.createScriptURL('/empty.js'); out.push(new URL(s.src).pathname);
    try {{ div.innerHTML = p.createHTML('<img src=http://{TRACKER}:{third_party.port}/hit/tt/x.gif>') }} catch (e) {{ out.push('threw ' + e) }}
    try {{ s.src = p.createScriptURL('http://{TRACKER}:{third_party.port}/hit/ts/x.js'); document.body.append(s) }}
    catch (e) {{ out.push('threw ' + e) }}
    self.out = out;
    </script>"""
    site.pages["/"] = ("text/html", site.document(body.encode()))
    third_party.hits.clear()
    page = browser.new_page()
    page.goto(site.address)
    page.wait_for_timeout(500)
    assert page.evaluate("out") == ["<b>kept</b>", "TypeError", "/empty.js"]
    assert third_party.hits == set()
    page.close()
    site.close()


def test_a_strict_policy_needs_only_the_nonce_of_the_page(browser: Browser, third_party: ThirdParty) -> None:
    site = Site(CONF)
    csp = b"<meta http-equiv=Content-Security-Policy content=\"script-src 'nonce-abc' 'strict-dynamic'\">"
    site.head = csp + site.head.replace(b"<script", b"<script nonce=abc")
    body = f"""<script nonce=abc>
    fetch('http://{TRACKER}:{third_party.port}/hit/csp/x').catch(() => 0);
    let f = document.createElement('iframe');
    f.srcdoc = "<script nonce=abc>fetch('http://" + "{TRACKER}:{third_party.port}/hit/csp2/x').catch(() => 0);"
      + "parent.ran = navigator.globalPrivacyControl</scr" + "ipt>";
    document.body.append(f);</script>"""
    site.pages["/"] = ("text/html", site.document(body.encode()))
    third_party.hits.clear()
    page = browser.new_page()
    page.goto(site.address)
    page.wait_for_function("self.ran !== undefined")
    page.wait_for_timeout(300)
    assert page.evaluate("ran") is True
    assert third_party.hits == set()
    page.close()
    site.close()


def test_a_page_reports_to_the_gate_when_it_is_left(page: Page, site: Site, third_party: ThirdParty) -> None:
    site.reports.clear()
    page.evaluate("t => { navigator.sendBeacon(t); new Image().src = t }", f"http://{TRACKER}:{third_party.port}/")
    page.goto(site.address + "/frame.html")
    page.wait_for_timeout(300)
    blocked = [["blocked", TRACKER, channel, 1] for channel in ("beacon", "img")]
    assert [json.loads(body) for body in site.reports] == [{"v": 1, "events": blocked}]


def test_a_page_whose_base_leads_elsewhere_reports_to_the_gate_and_asks_it_for_stand_ins(
    page: Page, site: Site, third_party: ThirdParty
) -> None:
    site.reports.clear()
    third_party.hits.clear()
    stood_in = page.evaluate(
        """base => new Promise((done, failed) => {
            document.head.append(Object.assign(document.createElement('base'), { href: base }));
            let s = document.createElement('script');
            s.onload = () => done(self.stoodInAs);
            s.onerror = () => done('from nobody');
            s.src = 'https://surrogate.test/gtm.js';
            document.head.append(s);
        })""",
        f"http://127.0.0.1:{third_party.port}/",
    )
    assert stood_in == f"{site.address.rstrip('/')}/_optout/s/for.js?rule=surrogate.test"
    page.goto(site.address + "/frame.html")
    for _ in range(200):
        if site.reports:
            break
        page.wait_for_timeout(50)
    assert [json.loads(body)["events"] for body in site.reports] == [[["blocked", "surrogate.test", "script", 1]]]
    assert third_party.hits == set()


def test_a_document_that_script_makes_asks_the_site_for_the_hosts_of_modules_whatever_its_name(
    browser: Browser,
) -> None:
    site = Site(CONF)
    site.head = b'<script src="/guard.js?v=0-0" data-modules></script>'
    site.pages["/"] = ("text/html", site.document(b"<p>page"))
    site.pages["/modules.js"] = ("text/javascript", b"self.modulesCame = true;")
    page = browser.new_page()
    try:
        page.goto(site.address.replace("site.localhost", "guardian.localhost"))
        page.evaluate("document.body.append(Object.assign(document.createElement('iframe'), {srcdoc: '<p>x'}))")
        page.wait_for_function("frames[0].modulesCame")
    finally:
        page.close()
        site.close()


def test_hosts_of_modules_that_came_before_the_guard_are_failed_and_no_element_is_left(browser: Browser) -> None:
    party = ThirdParty()
    site = Site(CONF)
    host = f"{TRACKER}:{party.port}"
    site.head = (
        b"<script>" + denied_modules([host], 1) + b'</script><script src="/guard.js?v=0-0" data-modules></script>'
    )
    site.pages["/"] = ("text/html", site.document(b"<p>page"))
    page = browser.new_page()
    try:
        page.goto(site.address)
        assert page.evaluate(f"import('http://' + {host!r} + '/hit/a/x.js').then(() => '', e => e.name)") == "TypeError"
        assert page.evaluate("document.querySelectorAll('script').length") == 0
        assert not party.hits
    finally:
        page.close()
        for server in (site, party):
            server.close()


@pytest.mark.parametrize(
    ("name", "event"), [("object", "load"), ("frame", "load"), ("iframe", "load"), ("form", "submit")]
)
def test_an_event_at_an_element_that_only_has_the_name_of_one_throws_nothing(
    name: str, event: str, browser: Browser
) -> None:
    site, thrown = Site(CONF), []
    page = browser.new_page()
    page.on("pageerror", lambda error: thrown.append(str(error)))
    try:
        page.goto(site.address)
        page.evaluate(
            "([name, event]) => document.body.appendChild(document.createElementNS('urn:x', name)).dispatchEvent(new Event(event))",
            [name, event],
        )
        page.evaluate("new Promise(done => setTimeout(done))")
        assert thrown == []
    finally:
        page.close()
        site.close()


def test_a_stand_in_learns_what_the_page_asked_for_and_the_gate_does_not(page: Page, site: Site) -> None:
    told = page.evaluate("""new Promise(done => {
        let s = document.createElement('script');
        s.onload = () => done(self.stoodInAs);
        s.src = 'https://surrogate.test/gtm.js?id=GTM-1&l=layer#x';
        document.head.append(s);
    })""")
    assert told.endswith("/_optout/s/for.js?rule=surrogate.test#id=GTM-1&l=layer")

"""What a visitor told a platform that no server can read is in force with their next request.

Each platform is played by its documented interface alone, its state kept in ``localStorage`` as the real ones keep it.
The site has a domain: the gate then makes strings agree for every domain above the host, and who changes their mind must
get rid of those too.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route

from optout_gate.pages import mirror
from support.browsers import chromium
from support.processes import Origin, running_gate

pytestmark = pytest.mark.browser

HOST = "www.juniper.example"
TAG = '<script src="/_optout/mirror.js" async></script>'
HTML = [("Content-Type", "text/html; charset=utf-8")]

STATE = "const said = () => localStorage.choice || 'in';"  # in an opt-out state of the US, silence leaves everything on

GPP = """window.__gpp = (command, callback) => { if (command === 'ping') callback({
  gppVersion: '1.1', cmpStatus: 'loaded', signalStatus: 'ready', applicableSections: [7],
  gppString: said() === 'out' ? 'DBABLA~BVQVAAAAAgA.QA' : 'DBABLA~BVQqAAAAAgA.QA' }, true); };"""

PLATFORMS = {
    "sourcepoint": GPP,
    "sourcepoint-that-answers-later": GPP.replace("callback({", "setTimeout(callback, 20, {"),
    "usercentrics-2": """window.__uspapi = (command, version, callback) => {
      if (command === 'getUSPData') callback({ version: 1, uspString: said() === 'out' ? '1YYN' : '1YNN' }, true); };""",
    "usercentrics-3": """window.__ucCmp = { getConsentDetails: async () => ({
      consent: { type: localStorage.choice ? 'EXPLICIT' : 'IMPLICIT',
                 status: said() === 'out' ? 'ALL_DENIED' : 'ALL_ACCEPTED' } }) };""",
    "osano": """window.Osano = { cm: { getConsent: () => ({
      ESSENTIAL: 'ACCEPT', MARKETING: 'ACCEPT', ANALYTICS: 'ACCEPT', PERSONALIZATION: 'ACCEPT', STORAGE: 'ACCEPT',
      OPT_OUT: said() === 'out' ? 'ACCEPT' : 'DENY' }) } };""",
    "osano-by-category": """window.Osano = { cm: { getConsent: () => ({
      ESSENTIAL: 'ACCEPT', MARKETING: said() === 'out' ? 'DENY' : 'ACCEPT', OPT_OUT: 'DENY' }) } };""",
    "termly": """window.Termly = { getConsentState: () => localStorage.choice && {
      essential: true, advertising: said() === 'in' } };""",
}


def page_with(script: str, *, head: str = "") -> tuple[int, list[tuple[str, str]], bytes]:
    return 200, HTML, f"<!doctype html><title>page</title>{head}{TAG}<script>{STATE}{script}</script><p>text".encode()


UNTAGGED = f"<!doctype html><title>page</title><script>{STATE}{GPP}</script><p>text"

PAGES = {
    "/untagged": (200, HTML, UNTAGGED.encode()),
    **{f"/{name}": page_with(script) for name, script in PLATFORMS.items()},
    **{f"/{name}-late": page_with(f"setTimeout(() => {{ {script} }}, 1500)") for name, script in PLATFORMS.items()},
    "/none": page_with(""),
    "/loading": page_with(
        """window.__gpp = (command, callback) => callback({ gppVersion: '1.1', cmpStatus: 'stub',
             signalStatus: 'not ready', gppString: '', applicableSections: [] }, true);
           window.__uspapi = (command, version, callback) => callback(null, false);
           window.Termly = { getConsentState: () => undefined };"""
    ),
    "/throwing": page_with(
        """const fail = () => { throw new Error('broken'); };
           window.__gpp = fail; window.__uspapi = fail; window.UC_UI = {}; window.Termly = { getConsentState: fail };
           window.Osano = { cm: { getConsent: fail } };
           window.__ucCmp = { getConsentDetails: () => Promise.reject(new Error('broken')) };"""
    ),
    "/throwing-but-one": page_with(
        "window.__gpp = window.__uspapi = () => { throw new Error('broken'); };" + PLATFORMS["termly"]
    ),
    "/answering-nothing": page_with(
        """window.__gpp = (command, callback) => setTimeout(callback, 0, null, false);
           window.__uspapi = (command, version, callback) => setTimeout(callback, 0, null, true);
           window.__ucCmp = { getConsentDetails: async () => null }; window.Osano = { cm: { getConsent: () => null } };"""
    ),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a real gate in front of the pages."""
    file: Path = tmp_path_factory.mktemp("gate") / "gate.yaml"
    with Origin(dict(PAGES)) as origin:
        file.write_text(f"version: 1\nsites: [{{upstream: '{origin.url}'}}]\n")
        with running_gate("--config", str(file)) as gate:
            yield f"http://{HOST}:{gate.address[1]}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(f"--host-resolver-rules=MAP {HOST} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1") as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context()
    yield made
    made.close()


def cookies(context: BrowserContext) -> dict[str, str]:
    """Return what stands for the host itself."""
    return {cookie["name"]: cookie["value"] for cookie in context.cookies() if not cookie["domain"].startswith(".")}


def opted_out(page: Page) -> bool:
    """Return what the gate reads in the browser's next request."""
    return bool(page.evaluate("fetch('/_optout/status').then(answer => answer.json()).then(told => told.opted_out)"))


def becomes(page: Page, expected: bool, within_s: float = 10) -> bool:
    """Return True once the gate reads the visitor as opted out, or as not, as ``expected``."""
    deadline = time.monotonic() + within_s
    while opted_out(page) is not expected:
        if time.monotonic() > deadline:
            return False
        page.wait_for_timeout(50)
    return True


def open_and_watch(context: BrowserContext, url: str) -> tuple[Page, list[str]]:
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(url)
    return page, errors


def after_some_readings(page: Page) -> None:
    page.wait_for_timeout(700)  # the mirror reads ten times a second


@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_the_visitor_tells_the_platform_is_in_force_with_their_next_request(
    context: BrowserContext, site: str, platform: str
) -> None:
    page, errors = open_and_watch(context, f"{site}/{platform}")
    after_some_readings(page)
    assert not opted_out(page)
    for choice in ("out", "in", "out"):
        page.evaluate("choice => { localStorage.choice = choice; }", choice)
        assert becomes(page, choice == "out"), (choice, context.cookies())
        page.goto(f"{site}/{platform}")  # the gate makes the strings agree with an opt-out, for every domain
        after_some_readings(page)
        page.goto(f"{site}/none")
        assert opted_out(page) is (choice == "out"), (choice, context.cookies())
        page.goto(f"{site}/{platform}")
    assert errors == []


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_platform_that_loads_late_is_read_when_it_is_there(context: BrowserContext, site: str, platform: str) -> None:
    page, errors = open_and_watch(context, f"{site}/{platform}-late")
    page.evaluate("localStorage.choice = 'out'")
    assert becomes(page, True)
    assert errors == []


@pytest.mark.parametrize("name", ["none", "loading", "throwing", "answering-nothing"])
def test_a_platform_that_never_answers_leaves_no_cookie_and_no_error(
    context: BrowserContext, site: str, name: str
) -> None:
    page, errors = open_and_watch(context, f"{site}/{name}")
    after_some_readings(page)
    assert (context.cookies(), errors) == ([], [])


def test_a_platform_that_throws_does_not_keep_another_from_being_read(context: BrowserContext, site: str) -> None:
    page, errors = open_and_watch(context, f"{site}/throwing-but-one")
    page.evaluate("localStorage.choice = 'out'")
    assert becomes(page, True)
    assert errors == []


def test_an_opt_out_stays_while_the_platform_is_still_loading(context: BrowserContext, site: str) -> None:
    page, _ = open_and_watch(context, f"{site}/termly")
    page.evaluate("localStorage.choice = 'out'")
    assert becomes(page, True)
    page.goto(f"{site}/loading")
    after_some_readings(page)
    assert opted_out(page)


@pytest.mark.parametrize(
    ("platform", "name", "stricter"),
    [("usercentrics-2", "usprivacy", "1YYN"), ("sourcepoint", "__gpp", "DBABLA~BVQVAAAAAgA.YA")],
)
def test_a_stricter_string_of_another_owner_is_left_alone(
    context: BrowserContext, site: str, platform: str, name: str, stricter: str
) -> None:
    context.add_cookies([{"name": name, "value": stricter, "url": f"{site}/"}])
    page, _ = open_and_watch(context, f"{site}/{platform}")
    after_some_readings(page)
    assert cookies(context)[name] == stricter
    assert f"{name}_m" not in cookies(context)


def test_a_laxer_string_of_another_owner_does_not_hide_an_opt_out(context: BrowserContext, site: str) -> None:
    context.add_cookies([{"name": "usprivacy", "value": "1YNN", "url": f"{site}/"}])
    page, _ = open_and_watch(context, f"{site}/usercentrics-2")
    page.evaluate("localStorage.choice = 'out'")
    assert becomes(page, True)


def test_a_string_that_the_gate_made_agree_with_the_browsers_signal_is_left_so(
    context: BrowserContext, site: str
) -> None:
    page, _ = open_and_watch(context, f"{site}/usercentrics-2")
    page.wait_for_function("document.cookie.includes('usprivacy=1YNN')")
    context.set_extra_http_headers({"Sec-GPC": "1"})
    page.goto(f"{site}/usercentrics-2")
    after_some_readings(page)
    assert cookies(context)["usprivacy"] == "1YYN"


def test_after_minutes_of_silence_a_click_wakes_the_mirror(context: BrowserContext, site: str) -> None:
    page = context.new_page()
    page.clock.install()
    page.goto(f"{site}/usercentrics-2")
    page.clock.run_for(600_000)
    page.evaluate("localStorage.choice = 'out'")
    page.clock.run_for(600_000)
    assert not opted_out(page)
    page.click("p")
    page.clock.run_for(1_000)
    assert opted_out(page)


def test_the_sections_that_apply_stand_beside_the_string(context: BrowserContext, site: str) -> None:
    page, _ = open_and_watch(context, f"{site}/sourcepoint")
    page.wait_for_function("document.cookie.includes('__gpp_sid=')")
    assert (cookies(context)["__gpp"], cookies(context)["__gpp_sid"]) == ("DBABLA~BVQqAAAAAgA.QA", "7")


def test_cookies_last_less_than_390_days_and_are_secure_where_the_page_is(context: BrowserContext, site: str) -> None:
    def answer(route: Route) -> None:
        if route.request.url.endswith("mirror.js"):
            route.fulfill(body=mirror.script(), content_type="text/javascript")
        else:
            route.fulfill(body=PAGES["/sourcepoint"][2], content_type="text/html")

    context.route("https://secure.example/**", answer)
    for url, secure in (("https://secure.example/", True), (f"{site}/sourcepoint", False)):
        context.clear_cookies()
        page = context.new_page()
        page.goto(url)
        page.wait_for_function("document.cookie.includes('__gpp_sid_m=')")
        found = context.cookies()
        assert {cookie["name"] for cookie in found} == {"__gpp", "__gpp_sid", "__gpp_m", "__gpp_sid_m"}
        for cookie in found:
            assert (cookie["secure"], cookie["sameSite"], cookie["path"]) == (secure, "Lax", "/")
            assert time.time() < cookie["expires"] < time.time() + 390 * 86400
        page.close()


def test_a_page_without_the_tag_is_what_the_origin_sent(context: BrowserContext, site: str) -> None:
    page, _ = open_and_watch(context, f"{site}/untagged")
    after_some_readings(page)
    body = page.evaluate("fetch('/untagged').then(answer => answer.text())")
    assert (body, context.cookies()) == (UNTAGGED, [])

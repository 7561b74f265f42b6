"""What counts: which third parties a real browser reaches, page by page, without the signal and with it.

The demo runs as its users run it. Without the signal the trackers must be reached, or the test would prove nothing.
"""

from collections.abc import Iterator
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Browser, Page

from optout_gate.demo.manifest import LOADED_AT_RUN_TIME, hosts_to_keep, hosts_to_lose
from optout_gate.demo.site import PAGES
from support.browsers import ThirdParties, chromium
from support.demos import Demo, running_demo

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with running_demo() as running:
        yield running


@pytest.fixture(scope="module")
def gate(demo: Demo) -> str:
    """Return the address of the gate in front of the demo site."""
    return demo.url


@pytest.fixture(scope="module")
def third_parties() -> Iterator[ThirdParties]:
    with ThirdParties() as running:
        yield running


@pytest.fixture(scope="module")
def browser(third_parties: ThirdParties) -> Iterator[Browser]:
    with chromium(*third_parties.browser_arguments) as running:
        yield running


def visit(
    browser: Browser, third_parties: ThirdParties, url: str, *, quiet_ms: int = 400, signal: bool = False
) -> list[str]:
    """Open a page with a fresh profile, wait until it is quiet, and return what its scripts threw."""
    third_parties.hits.clear()
    thrown: list[str] = []
    context = browser.new_context(extra_http_headers={"Sec-GPC": "1"} if signal else {})
    page: Page = context.new_page()
    page.on("pageerror", lambda error: thrown.append(str(error)))
    page.goto(url, wait_until="load")
    page.wait_for_timeout(quiet_ms)  # bootstraps load on `load` and a little after
    page.goto("about:blank")  # leaves the page, at which the guard reports
    context.close()
    return thrown


@pytest.mark.parametrize("path", PAGES)
def test_denied_vendors_are_reached_without_the_signal_and_not_with_it(
    browser: Browser, third_parties: ThirdParties, gate: str, path: str
) -> None:
    denied, kept = hosts_to_lose(path), hosts_to_keep(path)
    visit(browser, third_parties, gate + path)
    before = {host for host in denied if third_parties.reached(host)}
    kept_before = {host for host in kept if third_parties.reached(host)}
    assert len(before) >= min(4, len(denied)), f"only {before} of {denied} were reached without the signal"

    thrown = visit(browser, third_parties, gate + path, signal=True)
    assert {host for host in denied if third_parties.reached(host)} == set()
    assert {host for host in kept if third_parties.reached(host)} == kept_before
    assert thrown == []


@pytest.mark.parametrize("path", LOADED_AT_RUN_TIME)
def test_what_scripts_load_later_is_reached_without_the_signal_and_not_with_it(
    browser: Browser, third_parties: ThirdParties, demo: Demo, path: str
) -> None:
    loaded = LOADED_AT_RUN_TIME[path]
    visit(browser, third_parties, demo.url + path)
    assert [each.host for each in loaded if not third_parties.reached(each.host)] == []

    before = demo.counted("optout_gate_blocked_in_browser_total", "vendor", "channel")
    leaks = demo.counted("optout_gate_leaks_total", "vendor", "channel")
    thrown = visit(browser, third_parties, demo.url + path, quiet_ms=1500, signal=True)
    assert [each.host for each in loaded if third_parties.reached(each.host)] == []
    assert thrown == []

    def unreported() -> set[tuple[str, str]]:
        now = demo.counted("optout_gate_blocked_in_browser_total", "vendor", "channel")
        return {(each.vendor, each.channel) for each in loaded} - {key for key in now if now[key] > before.get(key, 0)}

    assert demo.once(lambda: not unreported()), f"stopped, and not reported: {unreported()}"
    assert demo.counted("optout_gate_leaks_total", "vendor", "channel") == leaks


def test_the_opt_out_cookie_of_the_preference_page_keeps_them_away_too(
    browser: Browser, third_parties: ThirdParties, gate: str
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{gate}/_optout/preferences")
    page.get_by_role("button", name="Opt out").click()
    assert "opted out" in page.get_by_role("status").inner_text()
    third_parties.hits.clear()
    page.goto(f"{gate}/", wait_until="load")
    page.wait_for_timeout(400)
    context.close()
    assert {host for host in hosts_to_lose("/") if third_parties.reached(host)} == set()


def test_the_enrolment_form_submits_for_a_visitor_who_opted_out(
    browser: Browser, third_parties: ThirdParties, gate: str
) -> None:
    context = browser.new_context(extra_http_headers={"Sec-GPC": "1"})
    page = context.new_page()
    page.goto(f"{gate}/enroll", wait_until="load")
    for box in page.locator("form input[required]:not([type=checkbox]):not([type=radio])").all():
        kind = box.get_attribute("type")
        box.fill({"email": "a@example.com", "date": "1990-01-01", "tel": "5550100000"}.get(kind or "", "12345"))
    for box in page.locator("form input[type=checkbox][required]").all():
        box.check()
    for select in page.locator("form select[required]").all():
        select.select_option(index=1)
    with page.expect_request(lambda request: request.method == "POST") as posted:
        page.locator("form[method=post] button[type=submit], form[method=post] input[type=submit]").first.click()
    page.wait_for_url("**/enroll/thanks**")
    context.close()
    # The page waits for Google's `event_callback`, and gives up waiting after a while: the stand-in called back.
    assert parse_qs(posted.value.post_data or "")["sent_by"] == ["callback"]


def test_stand_ins_come_once_for_all_accounts_and_are_kept_for_good(
    browser: Browser, third_parties: ThirdParties, gate: str
) -> None:
    context = browser.new_context(extra_http_headers={"Sec-GPC": "1"})
    page = context.new_page()
    answers: list[tuple[str, str, str]] = []
    page.on(
        "response",
        lambda response: (
            answers.append(
                (response.url, response.headers.get("cache-control", ""), response.headers.get("content-type", ""))
            )
            if "/_optout/s/" in response.url
            else None
        ),
    )
    page.goto(f"{gate}/enroll", wait_until="load")
    page.wait_for_timeout(300)
    identified = page.evaluate("Object.keys(window.google_tag_manager || {})")
    context.close()
    scripts = [answer for answer in answers if answer[2].startswith("text/javascript")]
    assert any("google-tag.js?v=" in url for url, _, _ in scripts)
    assert all("immutable" in cache for url, cache, _ in scripts)
    assert not any("DEMO" in url.partition("#")[0] for url, _, _ in answers), "an account number left the browser"
    assert "G-DEMO000000" in identified  # read from behind the "#"


def test_a_form_of_a_denied_vendor_leads_to_a_page_that_says_so(browser: Browser, gate: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.set_content(
        f'<form action="{gate}/_optout/not-sent" method="post"><input name="email" value="a@b"><button>Go</button></form>'
    )
    page.get_by_role("button").click()
    page.wait_for_url("**/_optout/not-sent")
    assert page.get_by_role("heading").inner_text() == "This form was not sent"
    context.close()

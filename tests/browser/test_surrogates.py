"""What a page that relies on a vendor does when only the vendor's stand-in is there, in a real browser.

Each case (``surrogates/NAME.case``) is played behind the vendor's own bootstrap, with the script alone, and with the
script loaded over again. The pages carry a Content-Security-Policy that allows no eval and no inline handler.
"""

from collections.abc import Iterator
from typing import cast, get_args

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from support.browsers import ARGUMENTS
from support.surrogate_cases import Case, read_cases
from support.surrogate_site import Mode, Site, serving

pytestmark = pytest.mark.browser

CASES = read_cases()
FLAGS = [
    "--headless",
    *ARGUMENTS,
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # a leak fails by name instead of leaving
]

# Waits give up after 5 s, and let the assertion that follows say what is missing. Few, long scripts: each round
# trip to the browser costs more than what it runs.
PLAY = """async ([globals, callbacks]) => {
  const until = async done => { for (let i = 0; i < 2500 && !done(); i++) await new Promise(go => setTimeout(go, 2)); };
  await until(() => globals.every(name => name in window));  // a bootstrap may itself wait for the load event
  const visible = [document.documentElement, document.body].every(element => {
    const style = getComputedStyle(element); return style.opacity === '1' && style.visibility === 'visible';
  });
  waits();
  await until(() => callbacks.every(name => counts[name]));
  return { visible, added, counts };
}"""
SUBMIT = """async () => {
  const frame = document.querySelector('iframe');
  await new Promise(done => { frame.onload = done; document.getElementById('submit').click(); });
  await new Promise(done => setTimeout(done, 20));  // a second call would have come by now
  const stored = document.cookie.length + localStorage.length + sessionStorage.length;
  const { pathname, search } = frame.contentWindow.location;
  return { submitted: pathname + search, counts, stored: stored + (await indexedDB.databases()).length };
}"""
LEAVE = "setTimeout(() => document.getElementById('link').click(), 0)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


class Visit:
    """A page in a browser context of its own, and what it did that it should not have done."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.requested: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(error.message))
        page.context.on("request", lambda request: self.requested.append(request.url))


@pytest.fixture(scope="module")
def visit(case: Case, browser: Browser) -> Iterator[Visit]:
    # One context a case: opening a page costs more than all that is done on it.
    context = browser.new_context()
    context.set_default_timeout(20_000)
    yield Visit(context.new_page())
    context.close()


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    return cast(Case, request.param)


@pytest.mark.parametrize("mode", get_args(Mode))
def test_a_page_works_with_the_stand_in_as_with_the_vendor(case: Case, mode: Mode, site: Site, visit: Visit) -> None:
    page = visit.page
    visit.errors.clear()
    visit.requested.clear()
    page.goto(site.url(case, mode), wait_until="load")

    expected = case.expected("" if mode == "bare" else case.early, case.wait)
    played = page.evaluate(PLAY, [case.globals, list(expected)])
    assert played["visible"], "the page is still hidden"
    if mode == "bare":
        assert sorted(played["added"]) == sorted(case.globals)

    after = page.evaluate(SUBMIT)
    assert visit.errors == []
    assert after == {"submitted": "/submitted?q=1", "counts": expected, "stored": 0}

    with page.expect_navigation(url="**/outbound"):
        page.evaluate(LEAVE)
    assert visit.errors == []
    assert [url for url in visit.requested if not url.startswith(site.origin + "/")] == []
    assert page.context.cookies() == []


def test_without_the_stand_in_the_same_page_breaks(case: Case, site: Site, visit: Visit) -> None:
    visit.page.goto(site.url(case, "bare", script="generic"), wait_until="load")
    broken = visit.page.evaluate("() => { try { use(); return false; } catch (error) { return true; } }")
    assert broken is (case.name != "generic")


def test_a_callback_that_throws_takes_no_other_with_it(case: Case, site: Site, visit: Visit) -> None:
    visit.errors.clear()
    visit.page.goto(site.url(case, "bootstrap") + "?throwing", wait_until="load")
    expected = case.expected(case.early, case.wait)
    assert visit.page.evaluate(PLAY, [case.globals, list(expected)])["counts"] == expected
    assert set(visit.errors) == ({"of the page"} if expected else set())

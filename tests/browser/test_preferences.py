"""The preference page and the status in a real Chromium: without scripts, by keyboard, by axe-core's rules."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from support.axe import findings
from support.browsers import ARGUMENTS, CHROMIUM, LOOPBACK_ONLY, chromium
from support.npm import npm_available
from support.processes import Gate, Origin, running_gate

pytestmark = pytest.mark.browser
needs_npm = pytest.mark.skipif(not npm_available(), reason="npm is not installed, so axe-core cannot be fetched")

PLACE = b'<!doctype html><html lang="es"><title>Hola</title><main><h1>Hola</h1><p data-optout-status></p></main>'
NO_PLACE = b'<!doctype html><html lang="en"><head><title>Hi</title></head><body><main><h1>Hi</h1></main></body></html>'
FRAME = b'<!doctype html><title>F</title><iframe src="/_optout/preferences"></iframe>'
HTML = [("Content-Type", "text/html; charset=utf-8")]
CONFIG = """
version: 1
sites: [{{upstream: "{origin}"}}]
preferences: {{paths: [/your-privacy-choices], request_form: /privacy/request, status: end_of_body}}
gpc_json: {{last_update: 2026-01-01}}
"""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with Origin({"/": (200, HTML, PLACE), "/other": (200, HTML, NO_PLACE), "/frame": (200, HTML, FRAME)}) as origin:
        file = tmp_path_factory.mktemp("gate") / "site.yaml"
        file.write_text(CONFIG.format(origin=origin.url))
        with running_gate("--config", str(file)) as running:
            yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(LOOPBACK_ONLY) as running:
        yield running


def here(gate: Gate, path: str) -> str:
    return f"http://127.0.0.1:{gate.address[1]}{path}"


def status(page: Page) -> str:
    return page.get_by_role("status").inner_text()


def without_cookies(browser: Browser, folder: Path, **headers: str) -> BrowserContext:
    """Return the browser with cookies blocked in its settings."""
    settings = folder / "Default" / "Preferences"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"profile": {"default_content_setting_values": {"cookies": 2}}}))
    return browser.browser_type.launch_persistent_context(
        folder, executable_path=CHROMIUM, args=[*ARGUMENTS], extra_http_headers=headers
    )


def test_one_press_opts_out_and_one_opts_back_in_without_any_script(browser: Browser, gate: Gate) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(here(gate, "/your-privacy-choices"))
    assert "You are not opted out" in status(page)
    page.get_by_role("button", name="Opt out").click()
    assert page.url.startswith(here(gate, "/your-privacy-choices"))
    assert "You are opted out on this browser." in status(page)
    assert "Opt-Out Request Honored" in status(page)
    assert page.title().startswith("You are opted out")
    [cookie] = context.cookies()
    assert (cookie["name"], cookie["value"], cookie["sameSite"], cookie["path"]) == ("optout_gate", "1", "Lax", "/")
    assert cookie["domain"] == "127.0.0.1"  # host-only: no leading dot
    page.get_by_role("button", name="Opt in").click()
    assert "You are not opted out" in status(page)
    context.close()


def test_the_page_is_used_by_keyboard_alone(browser: Browser, gate: Gate) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(here(gate, "/_optout/preferences"))
    order = []
    for _ in range(12):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.innerText"))
        if order[-1] == "Opt out":
            break
    assert order == ["Español", "Opt out"]
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"  # the focus is seen
    page.keyboard.press("Enter")
    page.wait_for_url("**chosen=out**")
    assert "You are opted out" in status(page)
    context.close()


def test_the_page_says_what_the_browsers_signal_said_and_that_it_outlasts_an_opt_in(
    browser: Browser, gate: Gate
) -> None:
    context = browser.new_context(extra_http_headers={"Sec-GPC": "1"})
    page = context.new_page()
    page.goto(here(gate, "/_optout/preferences"))
    assert "Your browser sends the Global Privacy Control signal. It is honored" in status(page)
    page.get_by_role("button", name="Opt in").click()
    assert "You are opted out" in status(page)
    assert "still sends the Global Privacy Control signal" in status(page)
    context.close()


def test_blocked_cookies_are_told_and_that_the_signal_works_without_them(
    browser: Browser, gate: Gate, tmp_path: Path
) -> None:
    cases: tuple[tuple[dict[str, str], str], ...] = (
        ({}, "a browser that sends the Global Privacy Control signal, which works without cookies"),
        ({"Sec-GPC": "1"}, "is honored without cookies, so you are opted out all the same"),
    )
    for number, (headers, words) in enumerate(cases):
        context = without_cookies(browser, tmp_path / str(number), **headers)
        page = context.new_page()
        page.goto(here(gate, "/_optout/preferences"))
        assert "cookie" not in status(page).replace("without a cookie", "")
        page.get_by_role("button", name="Opt out").click()
        assert "did not keep the cookie" in status(page) and words in status(page)
        context.close()


def test_the_language_is_the_browsers_or_the_one_chosen_and_stays(browser: Browser, gate: Gate) -> None:
    context = browser.new_context(locale="es-MX")
    page = context.new_page()
    page.goto(here(gate, "/_optout/preferences"))
    assert page.get_attribute("html", "lang") == "es"
    page.get_by_role("button", name="Excluirme").click()
    assert "Solicitud de exclusión respetada" in status(page)
    page.get_by_role("link", name="English").click()
    assert "You are opted out" in status(page)
    page.get_by_role("button", name="Opt in").click()
    assert page.get_attribute("html", "lang") == "en"
    context.close()


def test_no_frame_shows_it(browser: Browser, gate: Gate) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(here(gate, "/frame"), wait_until="load")
    [_, frame] = page.frames
    assert "preferences" not in frame.url or not frame.query_selector("form")
    context.close()


def test_a_page_of_another_site_cannot_press_the_button(browser: Browser, gate: Gate) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://localhost:{gate.address[1]}/other")  # another site than 127.0.0.1
    page.evaluate(
        """url => { const form = document.body.appendChild(document.createElement('form'));
                    form.method = 'post'; form.action = url; form.submit() }""",
        here(gate, "/_optout/opt-in"),
    )
    page.wait_for_url("**/_optout/opt-in")
    assert "only be made on this site" in page.inner_text("body")
    assert not [cookie for cookie in context.cookies() if cookie["domain"] == "127.0.0.1"]
    context.close()


def test_the_sites_own_button_is_answered_with_json(browser: Browser, gate: Gate) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(here(gate, "/other"))
    press = """path => fetch(path, {method: 'POST', headers: {Accept: 'application/json'}}).then(each => each.json())"""
    answer = page.evaluate(press, "/_optout/opt-out")
    assert (answer["opted_out"], answer["in_force"], answer["status"]) == (True, True, "Opt-Out Request Honored")
    assert page.evaluate("fetch('/_optout/status').then(each => each.json())") == answer
    assert page.evaluate(press, "/_optout/opt-in")["opted_out"] is False
    context.close()


@needs_npm
@pytest.mark.parametrize(
    ("path", "words", "language"),
    [("/", "Solicitud de exclusión respetada", "es"), ("/other", "Opt-Out Request Honored", "en")],
)
def test_a_page_shows_the_status_in_its_own_language(
    browser: Browser, gate: Gate, path: str, words: str, language: str
) -> None:
    for headers, shown in (({}, 0), ({"Sec-GPC": "1"}, 1)):
        context = browser.new_context(extra_http_headers=headers, locale="en-US")
        page = context.new_page()
        page.goto(here(gate, path))
        places = page.locator("body [data-optout-status=honored]")
        assert places.count() == shown
        if shown:
            assert places.inner_text() == words
            assert places.evaluate("each => each.closest('[lang]').lang") == language
            assert findings(page) == []
        context.close()


@needs_npm
@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing_and_nothing_is_cut_off(
    browser: Browser, gate: Gate, language: str, scheme: str, width: int, request: pytest.FixtureRequest
) -> None:
    for headers, chosen in (({}, ""), ({"Sec-GPC": "1"}, "&chosen=in"), ({"Cookie": "optout_gate=1"}, "&chosen=out")):
        context = browser.new_context(
            extra_http_headers=headers,
            color_scheme="dark" if scheme == "dark" else "light",
            viewport={"width": width, "height": 800},
            bypass_csp=True,  # for axe's own script; the page has none
        )
        page = context.new_page()
        page.goto(here(gate, f"/_optout/preferences?lang={language}{chosen}"))
        assert findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if folder := request.config.getoption("--screenshots"):
            page.screenshot(
                path=Path(folder) / f"{language}-{scheme}-{width}-{chosen[8:] or 'new'}.png", full_page=True
            )
        context.close()

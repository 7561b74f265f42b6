"""The page on the admin address in a real Chromium, over two workers: what it shows, and that it asks nobody else."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from optout_gate.report import Outcome
from optout_gate.telemetry import metrics
from support.axe import findings
from support.browsers import LOOPBACK_ONLY, chromium
from support.npm import npm_available
from support.processes import Gate, Origin, eventually, get, running_gate

pytestmark = pytest.mark.browser

PATIENCE_MS = 20_000
HTML = [("Content-Type", "text/html; charset=utf-8"), ("Set-Cookie", "_fbp=1; Path=/")]
PAGE = (
    b'<!doctype html><title>Shop</title><script src="https://connect.facebook.net/en_US/fbevents.js"></script>'
    b'<img src="https://www.facebook.com/tr?id=1"><script src="https://static.hotjar.com/c/hotjar-1.js"></script>'
)
CONFIG = """
version: 1
sites:
  - {{hosts: [shop.test, "*.shop.test"], upstream: "{origin}"}}
  - {{hosts: ["a-site-with-quite-a-long-name-for-a-narrow-screen.test"], upstream: "{origin}", mode: observe, policy: old}}
  - {{hosts: [passed.test], upstream: "{origin}", no_transform: honor, policy: old}}
  - {{hosts: [off.test], upstream: "{origin}", mode: "off"}}
  - {{hosts: [down.test], upstream: "http://127.0.0.1:9"}}
{more}
policies: {{old: {{deny: [advertising], always: ["/member/*", "/checkout/payment/*"]}}}}
"""
OBSERVED = "a-site-with-quite-a-long-name-for-a-narrow-screen.test"


def visited(gate: Gate, path: str, *lines: str, host: str = "shop.test") -> None:
    head, _ = get(gate.address, path, *lines, host=host)
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"not what is to be counted: {head!r}")


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    file = tmp_path_factory.mktemp("gate") / "site.yaml"
    pages = {"/": (200, HTML, PAGE), "/member/1": (200, HTML, PAGE)}
    pages["/fixed"] = (200, [*HTML, ("Cache-Control", "no-transform")], PAGE)
    with Origin(pages) as origin:
        more = [f"  - {{hosts: [{number}.shop-of-many.test], upstream: '{origin.url}'}}" for number in range(12)]
        file.write_text(CONFIG.format(origin=origin.url, more="\n".join(more)))
        with running_gate("--config", str(file), "--workers", "2") as running:
            # A visitor who gives up on workers that only start would be counted as well: first a page of the gate's own.
            if not eventually(lambda: b" 200 " in get(running.address, "/_optout/preferences")[0], seconds=60):
                raise RuntimeError("no worker serves")
            for _ in range(3):
                visited(running, "/", "Sec-GPC: 1")
                visited(running, "/")
            visited(running, "/", "Cookie: optout_gate=1", host=OBSERVED)
            visited(running, "/fixed", "Sec-GPC: 1", host="passed.test")
            visited(running, "/member/1", host="passed.test")  # denied for everyone: nobody opted out
            visited(running, "/", "Sec-GPC: 1", host="off.test")
            get(running.address, "/", host="down.test")
            yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(LOOPBACK_ONLY) as running:
        yield running


def shown(context: BrowserContext, gate: Gate) -> Page:
    """Return the page once it has drawn what happened."""
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{gate.admin[1]}/")
    expect(page.get_by_role("status")).to_have_text("Live", timeout=PATIENCE_MS)
    expect(page.locator("#recent")).to_contain_text("observed", timeout=PATIENCE_MS)  # workers write once a second
    return page


def figure(page: Page, name: str) -> str:
    return page.locator("#figures div", has_text=name).locator("dd").inner_text()


def test_the_page_shows_what_happened_and_asks_nobody_but_the_gate(browser: Browser, gate: Gate) -> None:
    context = browser.new_context()
    asked: list[str] = []
    complaints: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    context.on("console", lambda message: complaints.append(message.text))
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    page = shown(context, gate)
    assert figure(page, "Requests") == "11"
    assert figure(page, "Opted out") == "5 45.5 %"
    assert figure(page, "Served with trackers") == "3"
    assert figure(page, "Failed by the site") == "1"
    assert figure(page, "Pages not rewritten") == "1"
    assert figure(page, "Leaks in browsers") == "0"
    vendors = page.locator("#vendors tr", has_text="meta-pixel")
    expect(vendors).to_contain_text("advertising")
    expect(page.locator("#purposes tr", has_text="session replay").locator("td").last).to_have_text("3")
    expect(page.locator("#kinds tr", has_text="cookie")).to_be_visible()
    expect(page.locator("#gate-time tr").first).to_be_visible()
    expect(page.locator("#outcome-key")).to_contain_text("untouched: nobody opted out")
    expect(page.locator("#outcome-key")).to_contain_text("passed as it came: served with trackers")
    assert page.locator("#recent tbody tr").count() == 5
    expect(page.locator("#sites")).to_be_hidden()  # seventeen of them: folded away, and unfolded without a mouse
    page.get_by_text("Sites: 17").press("Enter")
    expect(page.locator("#sites")).to_be_visible()
    expect(page.locator("#sites")).to_contain_text(OBSERVED)
    expect(page.locator("#policies")).to_contain_text("/member/*, /checkout/payment/*")
    in_force = int(figures(gate)["optout_gate_config_hash"])
    assert page.locator("#config div", has_text="Hash").locator("dd").inner_text() == f"{in_force:012x}"
    expect(page.locator("#outcomes polygon").first).to_be_attached(timeout=PATIENCE_MS)  # two looks make a curve
    assert complaints == []
    assert {url.split("/")[2] for url in asked if not url.startswith("data:")} == {f"127.0.0.1:{gate.admin[1]}"}
    context.close()


def test_without_scripts_the_page_says_where_the_figures_are_and_shows_no_empty_ones(
    browser: Browser, gate: Gate
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{gate.admin[1]}/")
    words = page.locator("body").inner_text()
    assert "/live.json" in words and "drawn by a script" in words
    assert "Reading" not in words and "Taken out" not in words and page.get_by_role("button").count() == 0
    context.close()


def test_a_time_beyond_the_last_bound_stays_within_the_page(browser: Browser, gate: Gate) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    fed = json.loads(get(gate.admin, "/live.json")[1])
    slow = fed["histograms"]["rewrite_duration_seconds"]
    slow[:] = [[bound, 0 if bound != "+Inf" else 7] for bound, _ in slow]
    page.route("**/live.json", lambda route: route.fulfill(json=fed))
    page.goto(f"http://127.0.0.1:{gate.admin[1]}/")
    expect(page.get_by_role("status")).to_have_text("Live", timeout=PATIENCE_MS)
    assert figure(page, "In the gate") == "> 500 ms"
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    context.close()


def figures(gate: Gate) -> dict[str, float]:
    """Return the metrics without labels."""
    lines = get(gate.admin, "/metrics")[1].decode().splitlines()
    return {line.split()[0]: float(line.split()[1]) for line in lines if not line.startswith("#") and "{" not in line}


def test_every_outcome_has_its_words_and_its_colour_on_the_page() -> None:
    folder = Path(metrics.__file__).parent / "page"
    script, style = (folder / "page.js").read_text("utf-8"), (folder / "page.css").read_text("utf-8")
    table = script[script.index("const OUTCOMES = [") : script.index("];")]
    assert sorted(re.findall(r'\["(\w+)", "', table)) == sorted(Outcome)
    for outcome in Outcome:
        assert (
            style.count(f"--c-{outcome.value}: ") == 2
            and f".{outcome.value} {{ fill: var(--c-{outcome.value}); }}" in style
        )


def test_the_figures_stand_still_while_the_page_is_paused(browser: Browser, gate: Gate) -> None:
    context = browser.new_context()
    page = shown(context, gate)
    page.clock.install()
    page.reload()
    expect(page.get_by_role("status")).to_have_text("Live", timeout=PATIENCE_MS)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status")).to_have_text("Paused")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(10_000)
    assert asked == []
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status")).to_have_text("Live", timeout=PATIENCE_MS)
    assert asked
    context.close()


def test_the_page_says_when_the_gate_does_not_answer_and_keeps_the_last_figures(browser: Browser) -> None:
    context = browser.new_context()
    with Origin({"/": (200, HTML, PAGE)}) as origin, running_gate("--upstream", origin.url) as gate:
        get(gate.address, "/", "Sec-GPC: 1")
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{gate.admin[1]}/")
        expect(page.get_by_role("status")).to_have_text("Live", timeout=PATIENCE_MS)
        gate.stop()
        expect(page.get_by_role("status")).to_contain_text("does not answer", timeout=PATIENCE_MS)
        assert figure(page, "Requests") == "1"
    context.close()


@pytest.mark.skipif(not npm_available(), reason="npm is not installed, so axe-core cannot be fetched")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_nothing_and_nothing_runs_off_the_screen(
    browser: Browser, gate: Gate, scheme: str, width: int, request: pytest.FixtureRequest
) -> None:
    context = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": width, "height": 800},
        bypass_csp=True,  # for axe's own script
    )
    page = shown(context, gate)
    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if folder := request.config.getoption("--screenshots"):
        page.screenshot(path=Path(folder) / f"admin-{scheme}-{width}.png", full_page=True)
    context.close()


def test_what_the_page_is_fed_names_no_visitor(gate: Gate) -> None:
    secrets = ("s3cret-path", "s3cret-query", "s3cret-cookie", "s3cret-agent", "203.0.113.77")
    path, query, cookie, agent, address = secrets
    lines = (f"Cookie: id={cookie}; optout_gate=1", f"User-Agent: {agent}", f"X-Forwarded-For: {address}")
    get(gate.address, f"/{path}?q={query}", *lines)
    told = get(gate.admin, "/live.json")[1].decode()
    assert not [secret for secret in secrets if secret in told]
    assert {"at", "site", "signal", "outcome", "removed", "ms"} == set(json.loads(told)["recent"][0])

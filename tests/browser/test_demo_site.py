"""The demo site works in a browser that reaches no third party, whether the tags are there or gone.

Every name but the loopback address leads nowhere, as on a machine without a network.
"""

import asyncio
import re
import socket
import threading
from collections.abc import Iterator
from urllib.parse import parse_qs

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from optout_gate.demo.site import PAGES, site
from support import browsers
from support.browsers import CHROMIUM

pytestmark = pytest.mark.browser

ARGUMENTS = [
    *browsers.ARGUMENTS,
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
TAGS = re.compile(r"<script\b(?![^>]*juniper\.js).*?</script>", re.DOTALL)


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Return the address of the demo site on a real server."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(site(), log_level="warning", lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("needs Debian's chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(params=[1280, 390], ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": request.param, "height": 800})
    yield context.new_page()
    context.close()


def without_tags(route: Route) -> None:
    """Serve a page with every script but the site's own cut out: vendors gone, and nothing put in their place."""
    answer = route.fetch()
    route.fulfill(response=answer, body=TAGS.sub("", answer.text()))


@pytest.mark.parametrize("path", PAGES)
def test_every_page_shows_itself_and_fits_the_screen(page: Page, origin: str, path: str) -> None:
    page.goto(origin + path)
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator("body")).to_have_css("opacity", "1")  # anti-flicker code has let go
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("tags", ["there", "gone"])
def test_the_enrolment_form_goes_off_without_any_vendor_answering(page: Page, origin: str, tags: str) -> None:
    if tags == "gone":
        page.route(origin + "/enroll?*", without_tags)
    page.goto(origin + "/enroll?zip=95814&plan=gold")
    assert page.evaluate("typeof fbq") == ("undefined" if tags == "gone" else "function")
    for name, value in {"first_name": "Rosa", "last_name": "Example", "email": "rosa@example.com"}.items():
        page.fill(f"[name={name}]", value)

    with page.expect_request(lambda request: request.method == "POST") as posted:
        page.get_by_role("button", name="Send my application").click()
    page.wait_for_url("**/enroll/thanks")

    fields = parse_qs(posted.value.post_data or "")
    assert fields["zip"] == ["95814"]
    assert fields["plan"] == ["gold"]
    assert fields["sent_by"] == ["timer"]


def test_google_s_callback_sends_the_form_at_once(page: Page, origin: str) -> None:
    page.goto(origin + "/enroll?zip=95814")
    # What gtag.js does once its hit is away: it calls back.
    page.evaluate("() => { gtag = (verb, name, fields) => fields.event_callback(); }")
    for name in ("first_name", "last_name"):
        page.fill(f"[name={name}]", "A")
    page.fill("[name=email]", "a@example.com")
    with page.expect_request(lambda request: request.method == "POST") as posted:
        page.get_by_role("button", name="Send my application").click()
    assert parse_qs(posted.value.post_data or "")["sent_by"] == ["callback"]


def test_the_directory_shows_what_a_link_asked_for_and_then_what_is_searched(page: Page, origin: str) -> None:
    page.goto(origin + "/find-a-doctor?specialty=Endocrinology")
    expect(page.locator("#doctor-count")).to_have_text("2 doctors in the network")
    page.select_option("#specialty", "")
    page.fill("#q", "spanish")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".doctor h3")).to_have_text(["Dr. Lena Castillo", "Dr. Miguel Ochoa"])

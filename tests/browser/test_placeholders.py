"""What stands where a denied vendor's visible embed was: the same size, a name for screen readers, a link, no script."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from support.browsers import chromium
from support.gates import OPTED_OUT, SITE, drive, gate, page, request

pytestmark = pytest.mark.browser

EMBED = '<iframe src="https://posts.test/embed/1" width="500" height="300" style="border:0"></iframe><p id="after">after</p>'
STRICT = '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'">'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium("--host-resolver-rules=MAP * ~NOTFOUND") as running:
        yield running


@pytest.mark.parametrize("policy", ["", STRICT], ids=["no-policy", "a-strict-policy"])
def test_a_frame_keeps_its_place_and_says_what_is_missing(browser: Browser, policy: str) -> None:
    view = browser.new_page()
    refused: list[str] = []
    view.on("console", lambda message: refused.append(message.text) if message.type == "error" else None)
    view.set_content(f"<!doctype html>{policy}{EMBED}")
    before = view.locator("#after").bounding_box()

    view.set_content(page(f"<!doctype html>{policy}{EMBED}".encode(), signal=OPTED_OUT).decode())
    assert view.locator("#after").bounding_box() == before
    frame = view.frame_locator("iframe")
    assert "Test Posts" in frame.locator("p").inner_text()
    assert frame.get_by_role("link").get_attribute("href") == "https://posts.test/embed/1"
    assert view.locator("iframe").get_attribute("title") == "Test Posts: not loaded"
    assert frame.locator("html").get_attribute("lang") == "en"
    # The embed's own style attribute is all that the policy refuses, with the placeholder as without it.
    assert {text.partition(" violates")[0] for text in refused} <= {
        "Applying inline style",
        "Framing 'https://posts.test/'",
    }
    view.close()


def test_a_box_gets_a_paragraph_that_can_be_read_and_followed(browser: Browser) -> None:
    view = browser.new_page()
    body = b'<!doctype html><div class="post-box" data-post="https://posts.test/p/3"></div>'
    view.set_content(page(body, signal=OPTED_OUT).decode())
    assert view.locator(".post-box p").is_visible()
    assert view.get_by_role("link", name="See it on posts.test").get_attribute("href") == "https://posts.test/p/3"
    view.close()


def test_a_pin_that_would_have_been_drawn_in_an_empty_link_can_be_read_and_followed(browser: Browser) -> None:
    view = browser.new_page()
    body = b'<!doctype html><a data-pin-do="embedPin" href="https://www.pinterest.com/pin/99360735500167749/"></a>'
    view.set_content(page(body, signal=None).decode())
    assert view.get_by_role("link").inner_text() == ""
    view.set_content(page(body, signal=OPTED_OUT).decode())
    link = view.get_by_role("link", name="Pinterest")
    assert link.is_visible() and link.get_attribute("href") == "https://www.pinterest.com/pin/99360735500167749/"
    view.close()


SIZED = {
    '<div class="fb-page" data-href="https://www.facebook.com/someone" data-width="400" data-height="300"></div>': (
        400,
        300,
    ),
    '<div class="fb-page" data-href="https://www.facebook.com/someone"></div>': (340, 500),
    '<span class="snapchat-embed"></span><blockquote class="snapchat-embed"></blockquote>': (416, 692),
}


@pytest.mark.parametrize("policy", ["", STRICT], ids=["no-policy", "a-strict-policy"])
@pytest.mark.parametrize("markup", SIZED, ids=["said", "usual", "usual-without-a-link"])
def test_a_box_becomes_as_large_as_the_vendor_would_have_made_it(browser: Browser, policy: str, markup: str) -> None:
    view = browser.new_page()
    view.set_content(page(f"<!doctype html>{policy}{markup}".encode(), signal=OPTED_OUT).decode())
    box = view.locator("iframe").bounding_box()
    assert box is not None and (box["width"], box["height"]) == SIZED[markup]
    assert (view.locator("iframe").get_attribute("title") or "").endswith(": not loaded")
    inside = view.frame_locator("iframe")
    assert "because you opted out" in inside.locator("p").inner_text()
    if "data-href" in markup:
        assert inside.get_by_role("link").get_attribute("href") == "https://www.facebook.com/someone"
    view.close()


def test_a_link_that_would_have_become_a_timeline_keeps_its_place_and_its_words(browser: Browser) -> None:
    view = browser.new_page()
    body = b'<!doctype html>%s<a class="twitter-timeline" data-width="300" data-height="400" href="https://x.com/a">Posts</a>'
    view.set_content(page(body % STRICT.encode(), signal=OPTED_OUT).decode())
    link = view.get_by_role("link", name=re.compile(r"^X \(Twitter\).*: not loaded Posts$"))
    assert link.get_attribute("href") == "https://x.com/a"
    drawn = view.locator("a svg").bounding_box()
    assert drawn is not None and (drawn["width"], drawn["height"]) == (300, 400)
    view.close()


RESTRICTED = """
policies: {default: {vendors: {google-tag: restrict}}}
"""


def test_consent_is_denied_before_the_pages_first_call(browser: Browser) -> None:
    exchange = gate(SITE, trackers=RESTRICTED).open(request("/", OPTED_OUT))
    assert exchange is not None
    body = (
        b'<!doctype html><script async src="https://www.googletagmanager.com/gtag/js?id=G-1"></script><script>'
        b"window.dataLayer=window.dataLayer||[];function gtag(){dataLayer.push(arguments)}gtag('config','G-1')</script>"
    )
    view = browser.new_page()
    view.set_content(drive(exchange, body)[1].decode())
    calls = view.evaluate("dataLayer.map(call => [].slice.call(call))")
    assert calls[0][:2] == ["consent", "default"] and set(calls[0][2].values()) == {"denied"}
    assert calls[-1] == ["config", "G-1"]
    vendors = view.locator('script[async]:not([src^="/_optout"])')
    assert vendors.get_attribute("src") == "https://www.googletagmanager.com/gtag/js?id=G-1"
    view.close()

"""What a grader finds in a real browser's cookies: before the signal, with it, and after it.

The site under test has a domain, so that a consent platform's script can write its strings for all of it, as they do: a
browser then keeps host-only and domain cookies beside each other, and both must agree.
"""

import re
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext

from support.browsers import chromium
from support.grader import RULES, grade
from support.processes import COMMAND

pytestmark = pytest.mark.browser

HOST = "www.juniper.example"
AS_A_PLATFORM_WRITES = """() => {
  const strings = {
    usprivacy: '1YNN', __gpp: 'DBABLA~BVQqAAAAAgA.QA', OneTrustWPCCPAGoogleOptOut: 'false',
    OptanonConsent: 'isGpcEnabled=0&groups=C0001%3A1%2CC0004%3A1',
  };
  for (const [name, value] of Object.entries(strings))
    document.cookie = `${name}=${value}; Domain=juniper.example; Path=/; Max-Age=3600`;
}"""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """Return the address of the gate in front of the demo site, under a name of its own."""
    command = [*COMMAND, "demo", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(r"behind the gate\s+http://127\.0\.0\.1:(\d+)/\s*$", line):
                break
        else:
            pytest.fail("the demo did not start")
        yield f"http://{HOST}:{found[1]}"
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(f"--host-resolver-rules=MAP {HOST} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1") as running:
        yield running


def values(context: BrowserContext) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for cookie in context.cookies():
        found.setdefault(cookie["name"], []).append(cookie["value"])
    return found


def test_every_string_agrees_once_the_signal_is_there_and_when_it_is_gone(browser: Browser, site: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site}/", wait_until="commit")
    page.evaluate(AS_A_PLATFORM_WRITES)
    assert grade(values(context)) == dict.fromkeys(RULES, False)
    assert len(values(context)["usprivacy"]) == 2  # the site's own for the host, the script's for the domain

    context.set_extra_http_headers({"Sec-GPC": "1"})
    page.goto(f"{site}/", wait_until="commit")
    assert grade(values(context)) == dict.fromkeys(RULES, True)
    assert values(context)["optout_gate"] == ["1.1.gpc"]
    assert "1YNN" not in page.evaluate("document.cookie")

    context.set_extra_http_headers({})
    page.goto(f"{site}/find-a-doctor", wait_until="commit")
    assert grade(values(context)) == dict.fromkeys(RULES, True)
    context.close()

"""What a real browser reaches from a page that went out contained, and from one that it kept from before an opt-out."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from support.browsers import ThirdParties, chromium
from support.processes import running_gate

pytestmark = pytest.mark.browser

TRACKER = "connect.facebook.net"
REFERENCES = f"""
<script>document.title = 'inline scripts run'</script>
<img src="https://{TRACKER}/pixel.gif"><img src="/own.svg" id="own">
<link rel="preconnect" href="https://{TRACKER}"><link rel="stylesheet" href="https://{TRACKER}/x.css">
<script src="https://{TRACKER}/en_US/fbevents.js"></script><iframe src="https://{TRACKER}/frame"></iframe>
<script>navigator.sendBeacon('https://{TRACKER}/beacon'); fetch('https://{TRACKER}/fetch').catch(() => 0)</script>
"""
PAGE = f"<!doctype html><html><head><title>-</title></head><body>{REFERENCES}</body></html>"
GIVEN_UP = PAGE.replace("</body>", "<noscript>" * 6 + "</noscript>" * 6 + "</body>")
"""Pages in pages beyond the depth that the gate goes."""


class Site:
    """A website that answers conditions, and remembers which came."""

    def __init__(self) -> None:
        self.conditions: list[str | None] = []
        self.answered: list[int] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path in ("/own.svg", "/favicon.ico"):
                    self._send(200, b'<svg xmlns="http://www.w3.org/2000/svg" width="7" height="7"/>', "image/svg+xml")
                    return
                condition = self.headers.get("If-None-Match")
                site.conditions.append(condition)
                status = 304 if condition == '"v1"' else 200
                site.answered.append(status)
                body = GIVEN_UP if path == "/given-up" else PAGE
                self._send(status, b"" if status == 304 else body.encode(), "text/html")

            def _send(self, status: int, body: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("ETag", '"v1"')
                self.send_header("Cache-Control", "no-cache")  # kept, and asked about before it is shown again
                if status != 304:
                    self.send_header("Content-Type", kind)
                    self.send_header("Content-Length", str(len(body)))
                    self.send_header("Link", f"<https://{TRACKER}/preloaded.js>; rel=preload; as=script")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "Site":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


@pytest.fixture(scope="module")
def gate(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    file = tmp_path_factory.mktemp("gate") / "site.yaml"
    file.write_text(f'version: 1\nsites: [{{upstream: "{site.url}"}}]\npolicies: {{default: {{sticky: false}}}}\n')
    with running_gate("--config", str(file)) as running:
        yield f"http://{running.address[0]}:{running.address[1]}"


@pytest.fixture(scope="module")
def third_parties() -> Iterator[ThirdParties]:
    with ThirdParties() as running:
        yield running


@pytest.fixture(scope="module")
def browser(third_parties: ThirdParties) -> Iterator[Browser]:
    with chromium(*third_parties.browser_arguments) as running:
        yield running


@pytest.fixture
def context(browser: Browser, third_parties: ThirdParties) -> Iterator[BrowserContext]:
    third_parties.hits.clear()
    made = browser.new_context()
    yield made
    made.close()


def show(context: BrowserContext, url: str, third_parties: ThirdParties, *, opted_out: bool) -> tuple[Page, bool]:
    """Open a page as somebody who opted out or not; return it, and whether the tracker was reached."""
    third_parties.hits.clear()
    context.set_extra_http_headers({"Sec-GPC": "1"} if opted_out else {})
    page = context.new_page()
    page.goto(url, wait_until="load")
    page.wait_for_timeout(300)
    return page, third_parties.reached(TRACKER)


def test_a_contained_page_shows_and_reaches_nobody(
    context: BrowserContext, third_parties: ThirdParties, gate: str
) -> None:
    assert show(context, f"{gate}/given-up", third_parties, opted_out=False)[1]
    page, reached = show(context, f"{gate}/given-up", third_parties, opted_out=True)
    assert not reached
    assert page.title() == "inline scripts run"
    assert page.evaluate("document.getElementById('own').naturalWidth") == 7
    assert f"https://{TRACKER}/pixel.gif" in page.content()  # it was there to be reached


def test_a_kept_page_is_shown_again_to_its_own_visitor_alone(
    context: BrowserContext, third_parties: ThirdParties, site: Site, gate: str
) -> None:
    url = f"{gate}/kept"
    site.answered.clear()
    for opted_out, answered in ((False, 200), (False, 304), (True, 200), (True, 304), (False, 200), (True, 200)):
        _, reached = show(context, url, third_parties, opted_out=opted_out)
        assert reached is not opted_out
        assert site.answered.pop() == answered, (opted_out, site.conditions)

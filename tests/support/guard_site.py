"""A site on loopback, with the guard in its pages and workers or without it, and the driver that runs cases in it.

Its host is under ``.localhost``, which browsers trust like TLS: service workers, caches and Sec-Fetch-* exist there.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from playwright.sync_api import Browser, sync_playwright

from optout_gate.rewrite.guard import GuardConfig, denied_modules, source, worker_prologue
from support.browsers import ARGUMENTS, CHROMIUM
from support.guard_cases import FRAME, PAGE, WORKER, Channel
from support.third_party import PIXEL, ThirdParty

CHROMIUM_ARGUMENTS = (
    *ARGUMENTS,
    # Every name but the site's own is played on loopback; nothing else resolves.
    "--host-resolver-rules=MAP *.test 127.0.0.1, MAP *.test. 127.0.0.1, MAP *.invalid ~NOTFOUND",
    "--autoplay-policy=no-user-gesture-required",
)
TRACKER, GOOD = "tracker.localhost", "good.localhost"

IN_REALM = """
var quoted = function (s) { return JSON.stringify(s) };
if (typeof document !== 'undefined') {
  var d = document, b = d.body;
  var make = function (tag, a) {
    var e = d.createElement(tag);
    for (var k in a) { if (k === 'text') e.text = a[k]; else e.setAttribute(k, a[k]) }
    return e;
  };
  var put = function (e) { return b.appendChild(e) };
  var blank = function () { return put(make('iframe')).contentWindow };
}
var vendor = host.split('.')[0];
var job = function (script) { return {prelude: '', cases: [{host: host, port: port, id: id, js: script + '.catch(function(){})'}]} };
var work = function (script, options) {
  return new Worker(URL.createObjectURL(new Blob([script], {type: 'text/javascript'})), options);
};
var tell = function () { new Image().src = u('gif').replace(host, 'witness.localhost') };
var u = function (end) { return ['ht' + 'tp:', '', host + ':' + port, 'hit', id, 'x.' + end].join('/') };
"""
RUN = """
self.runCases = function (self, prelude, cases) {
  return cases.map(function (c) {
    try { new self.Function('host', 'port', 'id', prelude + c.js)(c.host, c.port, c.id); return ''; }
    catch (e) { return c.id + ': ' + e; }
  }).filter(Boolean);
};
"""
WORKER_SCRIPT = RUN + "onmessage = function (e) { postMessage(self.runCases(self, e.data.prelude, e.data.cases)) };"


IN = {
    PAGE: "c => runCases(window, c.prelude, c.cases)",
    FRAME: """c => runCases(document.body.appendChild(document.createElement('iframe')).contentWindow,
                           c.prelude, c.cases)""",
    WORKER: """c => new Promise(done => {
        const w = self.w = new Worker('/worker.js');
        w.onmessage = e => done(e.data);
        w.postMessage(c);
    })""",
}


class Window(Protocol):
    """What runs cases: a page of Playwright's, or :class:`support.firefox.Firefox`."""

    def evaluate(self, expression: str, arg: Any = None) -> Any: ...
    def wait_for_timeout(self, timeout: float) -> None: ...


class Site:
    """The site; ``reports`` are the bodies that were posted to the report path."""

    def __init__(self, guard: GuardConfig | None, modules_denied: tuple[str, ...] = (), external: bool = False) -> None:
        head = b""
        if guard is not None:
            head = b"<script src=/guard.js></script>" if external else b"<script>" + source(guard) + b"</script>"
            modules = modules_denied or guard.hosts
            head += b"<script>" + denied_modules(modules, len(modules)) + b"</script>"
        self.head = head
        self.reports: list[str] = []
        self.pages: dict[str, tuple[str, bytes]] = {
            "/": ("text/html", self.document(b"<script>" + RUN.encode() + b"</script>")),
            "/frame.html": ("text/html", self.document(b"<p>frame")),
            "/worker.js": ("text/javascript", (worker_prologue(guard) if guard else b"") + WORKER_SCRIPT.encode()),
            "/empty.js": ("text/javascript", b"0;"),
            "/e.gif": ("image/gif", PIXEL),
        }
        if guard is not None:
            self.pages["/guard.js"] = ("text/javascript", source(guard))
        site = self

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                kind, body = site.pages.get(self.path) or site.pages.get(self.path.split("?")[0], ("", b""))
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", kind or "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/_optout/report":
                    site.reports.append(body.decode())
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                return

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:
                    return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self._server.daemon_threads = True
        self.address = f"http://site.localhost:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def document(self, body: bytes) -> bytes:
        return (
            b"<!doctype html><html><head>" + self.head + b"<meta charset=utf-8><title>site</title></head><body>" + body
        )

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def case_id(channel: Channel, realm: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in f"{realm} {channel.name}")


def run_cases(page: Window, channels: Iterable[Channel], realm: str, host: str, port: int) -> list[str]:
    """Run every channel that the realm has, at once; the answer is what was thrown into the callers."""
    cases = [{"id": case_id(c, realm), "js": c.js, "host": host, "port": port} for c in channels if realm in c.realms]
    where = {"prelude": IN_REALM, "cases": cases}
    return list(page.evaluate(IN[realm], where))


def wait_for_calls(
    page: Window, party: ThirdParty, are_enough: Callable[[set[str]], bool], *, patience_s: float, quiet_s: float
) -> None:
    """Return when the calls are enough and no more come for ``quiet_s``, or after ``patience_s``."""
    start = changed = time.monotonic()
    count = 0
    while True:
        now = time.monotonic()
        if len(party.hits) != count:
            count, changed = len(party.hits), now
        if now - changed > quiet_s and (are_enough(party.hits) or now - start > patience_s):
            return
        page.wait_for_timeout(50)

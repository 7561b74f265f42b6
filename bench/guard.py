"""What the guard costs in Chromium: bytes on the wire, milliseconds to install, microseconds a call.

``python bench/guard.py`` loads the same page plain and guarded by the default policy with the whole catalogue, forty times
each, as the gate delivers it: Chromium compiles a script that comes from a server while it comes in, off the main thread. It
prints the best of the runs and the median (on a busy machine the best says more). Run it on a quiet one.
"""

import gzip
import json
import statistics
import sys
from pathlib import Path

import brotli
from playwright.sync_api import Browser

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from optout_gate.policy.config import PolicyConfig
from optout_gate.policy.decision import Policy
from optout_gate.rewrite.csp import Admission
from optout_gate.rewrite.guard import GuardConfig, source
from optout_gate.rewrite.guard_rules import GUARD_PATH, MODULES_PATH, Guards
from optout_gate.rewrite.inject import element
from optout_gate.trackers.catalog import builtin
from support.guard_site import Site, chromium

RUNS = 40
# One line of JavaScript a row.
CALLS = 20_000
MARKUP = '<div class="a"><a href="https://example.com/x">link</a> <b style="color:red">x</b></div>'
OPERATIONS = {
    "setAttribute, no URL": "let e = document.createElement('img'); for (let i = 0; i < n; i++) e.setAttribute('data-x', 'a')",
    "setAttribute, src": "let e = document.createElement('img'); for (let i = 0; i < n; i++) e.setAttribute('src', '')",
    "style.color": "let s = document.createElement('p').style; for (let i = 0; i < n; i++) s.color = i & 1 ? 'red' : 'blue'",
    "style.background": "let s = document.createElement('p').style; for (let i = 0; i < n; i++) s.background = i & 1 ? 'red' : 'blue'",
    "textContent of an element": "let e = document.createElement('p'); for (let i = 0; i < n; i++) e.textContent = 'text'",
    "nodeValue of a text": "let t = document.createTextNode(''); for (let i = 0; i < n; i++) t.nodeValue = 'text'",
    "appendChild": "let e = document.createElement('p'), c = document.createElement('b'); for (let i = 0; i < n; i++) e.appendChild(c)",
    "XMLHttpRequest.open": "let x = new XMLHttpRequest; for (let i = 0; i < n; i++) x.open('GET', '/x')",
    "innerHTML of 2 kB": f"let e = document.createElement('div'), h = '{MARKUP}'.repeat(22); for (let i = 0; i < n; i++) e.innerHTML = h",
}
TIMED = """([js, n]) => { const run = new Function('n', js), took = []; run(n / 10);
for (let i = 0; i < 7; i++) { const start = performance.now(); run(n); took.push(performance.now() - start) }
return Math.min(...took) * 1000 / n }"""
TEXT = b"<p>Lorem ipsum dolor sit amet, consectetur adipiscing elit.</p>" * 500
FOREIGN = b"<script>new Image().src = 'http://nobody.invalid/'</script>"
BLANK_FRAME = """() => { const took = []; for (let i = 0; i < 30; i++) { const f = document.createElement('iframe'), s = performance.now();
document.body.append(f); f.contentWindow; took.push(performance.now() - s); f.remove() } return Math.min(...took) }"""


def main() -> None:
    catalog = builtin()
    guard = Guards(Policy("default", PolicyConfig(), catalog), catalog).named("")
    conf = guard.config
    names = len(conf.cookies) + len(conf.storage)
    print(f"{len(conf.hosts)} hosts, {len(conf.patterns)} path rules, {names} cookies and keys")
    scripts = {"guard.js": guard.script, "of which code": source(GuardConfig()), "modules.js": guard.modules}
    for name, script in scripts.items():
        print(
            f"{name}: {len(script)} B, gzip {len(gzip.compress(script, 9))} B, brotli {len(brotli.compress(script))} B"
        )
    plain, guarded = Site(None), Site(conf)
    content = b"<meta charset=utf-8><title>page</title>" + TEXT + FOREIGN
    plain.pages["/"] = ("text/html", b"<!doctype html>" + content)
    guarded.pages["/"] = (
        "text/html",
        b"<!doctype html>" + element(guard, Admission(nonce=None, inline=True)) + content,
    )
    guarded.pages[GUARD_PATH] = ("text/javascript", guard.script)
    guarded.pages[MODULES_PATH] = ("text/javascript", guard.modules)
    with chromium() as browser:
        runs = [(tasks(browser, plain), tasks(browser, guarded)) for _ in range(RUNS)]
        print("main thread, processor time of a task:")
        for name in ("guard.js", "modules.js", "guard.js and modules.js", "the page's first address elsewhere"):
            for kind, took in zip(("plain", "guarded"), zip(*runs, strict=True), strict=True):
                times = [one[name] for one in took if name in one]
                if times:
                    print(f"  {name}, {kind}: best {min(times):.1f} ms, median {statistics.median(times):.1f} ms")
        for name, site in (("plain", plain), ("guarded", guarded)):
            page = browser.new_page()
            page.goto(site.address)
            print(f"{name}: blank frame {page.evaluate(BLANK_FRAME):.1f} ms")
            for what, js in OPERATIONS.items():
                print(f"  {what}: {page.evaluate(TIMED, [js, CALLS // 20 if '2 kB' in what else CALLS]):.2f} us")
    plain.close()
    guarded.close()


def tasks(browser: Browser, site: Site) -> dict[str, float]:
    """Return the milliseconds of the main thread's processor that each script took in one fresh page."""
    context = browser.new_context()
    page = context.new_page()
    browser.start_tracing(page=page, categories=["devtools.timeline"])
    page.goto(site.address)
    page.wait_for_load_state("networkidle")
    events = json.loads(browser.stop_tracing())["traceEvents"]
    context.close()
    took: dict[str, float] = {}
    for event in events:
        if event["name"] == "EvaluateScript":
            path = event["args"]["data"]["url"].partition("?")[0].rpartition("/")[2]
            name = path or "the page's first address elsewhere"
            took[name] = max(took.get(name, 0.0), event["tdur"] / 1000)
    if "guard.js" in took:  # whichever of the two comes last makes the import map
        took["guard.js and modules.js"] = took["guard.js"] + took["modules.js"]
    return took


if __name__ == "__main__":
    main()

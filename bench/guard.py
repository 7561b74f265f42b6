"""What the guard costs in Chromium: bytes on the wire, milliseconds to install, microseconds a call.

``python bench/guard.py`` loads the same page plain and guarded by the default policy with the whole catalogue, forty times
each, and prints medians with the best of the runs beside them (on a busy machine the best says more). Run it on a quiet one.
"""

import gzip
import statistics
import sys
from itertools import pairwise
from pathlib import Path

import brotli
from playwright.sync_api import Browser

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from optout_gate.policy.config import PolicyConfig
from optout_gate.policy.decision import Policy
from optout_gate.rewrite.guard import GuardConfig, source
from optout_gate.rewrite.guard_rules import Guards
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
    clock = b"<script>(self.clock = self.clock || []).push(performance.now())</script>"
    table = b"<script>fetch('http://nobody.invalid/').catch(() => 0)</script>"
    modules = b"<script>" + guard.modules + b"</script>"
    guarded.head = clock + b"<script>" + guard.script + b"</script>" + clock + table + clock + modules + clock
    guarded.pages["/"] = ("text/html", guarded.document(b""))
    with chromium() as browser:
        took = [installing(browser, guarded) for _ in range(RUNS)]
        for what, one in zip(
            ("install", "first foreign address", "modules of the common"), zip(*took, strict=True), strict=True
        ):
            print(f"{what}: median {statistics.median(one):.1f} ms, best {min(one):.1f} ms of {RUNS}")
        for name, site in (("plain", plain), ("guarded", guarded)):
            page = browser.new_page()
            page.goto(site.address)
            print(f"{name}: blank frame {page.evaluate(BLANK_FRAME):.1f} ms")
            for what, js in OPERATIONS.items():
                print(f"  {what}: {page.evaluate(TIMED, [js, CALLS // 20 if '2 kB' in what else CALLS]):.2f} us")
    plain.close()
    guarded.close()


def installing(browser: Browser, site: Site) -> tuple[float, ...]:
    """Return the milliseconds that the guard, its first question and its import map took in one fresh page."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(site.address)
    times = page.evaluate("clock")
    context.close()
    return tuple(after - before for before, after in pairwise(times))


if __name__ == "__main__":
    main()

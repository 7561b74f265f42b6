"""Megabytes of HTML rewritten in a second, beside lol-html itself with handlers that do nothing, in one run.

    python bench/rewrite.py [--rounds 40] [--list FILE ...] [--json FILE]

lol-html with empty handlers is the limit of anything that asks Python about the elements of a page. Measured on the
pages of :mod:`pages` and on the home page of the demo site, which is nothing but vendors' tags, by the CPU time of this
thread, the best of many short rounds taken in turns: what else runs on the machine only ever adds. What is timed is the
body alone; what a request costs before it has one is in ``bench/run.py``. The pages come with ``no-store``, so none is
known as a whole; what vendors have in them is known from the round before, as it would be from a page before. So each is
measured once more with another nonce on every script in every round, where no script is known: nothing is demanded of
those. Then the same with EasyList and EasyPrivacy: generated ones of their size and make-up
(:mod:`lists`), or the files given. Last, a page of 200 MB is streamed through, and the memory watched. Exit code 1 says
that a demand does not hold.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import lolhtml
from rich.console import Console
from rich.table import Table

import lists
import pages
from optout_gate.gate import Gate
from optout_gate.http import Headers, Request, Response
from optout_gate.policy.load import Loaded, from_upstream, load_file
from optout_gate.rewrite.references import REFERENCES

CHUNK_BYTES = 64 * 1024
AT_LEAST = 0.5  # of lol-html with empty handlers, with the whole catalogue
AT_LEAST_WITH_LISTS = 0.35  # with EasyList and EasyPrivacy in a configuration
STREAMED_BYTES = 200 * 1024 * 1024
MAX_GROWTH_BYTES = 16 * 1024 * 1024  # while it streams; 200 MB held would be twelve times that

Rewrite = Callable[[bytes], float]
"""Puts a page through, and returns the seconds of CPU time that it took."""


class Elements:
    """Does nothing with elements."""

    def element(self, element: Any) -> None:
        """Be called."""


class Texts:
    """Does nothing with texts."""

    def text(self, chunk: Any) -> None:
        """Be called."""


# Fixed here rather than taken from the gate, so that a better choice of selectors there shows.
_ELEMENTS = ",".join([*REFERENCES, "noscript", "style", "base"])
_TEXTS = "script,style,noscript"


def bare(page: bytes) -> float:
    """Put a page through lol-html with no handler: parsing alone."""
    return _through(lolhtml.HTMLRewriter, (), page)


def empty(page: bytes) -> float:
    """Put a page through lol-html with handlers that do nothing."""
    handlers = ((_ELEMENTS, Elements()), ("[style]", Elements()), (_TEXTS, Texts()))
    return _through(lolhtml.HTMLRewriter, handlers, page)


def _through(make: Any, handlers: tuple[tuple[str, object], ...], page: bytes) -> float:
    begun = time.thread_time()
    out: list[bytes] = []
    rewriter = make(out.append)
    for selector, handler in handlers:
        rewriter.on(selector, handler)
    for start in range(0, len(page), CHUNK_BYTES):
        rewriter.write(page[start : start + CHUNK_BYTES])
    rewriter.end()
    b"".join(out)
    return time.thread_time() - begun


_REQUEST = Request(
    "GET", "https", "www.example.com", b"/", Headers([(b"Host", b"www.example.com"), (b"Sec-GPC", b"1")])
)
_RESPONSE = Response(200, Headers([(b"Content-Type", b"text/html; charset=utf-8"), (b"Cache-Control", b"no-store")]))


def gate(loaded: Loaded) -> Rewrite:
    """Return the gate, rewriting for a visitor who opted out."""
    core = Gate(loaded, clock=time.perf_counter)

    def rewrite(page: bytes) -> float:
        exchange = core.open(_REQUEST)
        assert exchange is not None
        passage = exchange.respond(_RESPONSE)
        begun = time.thread_time()
        for start in range(0, len(page), CHUNK_BYTES):
            passage.feed(page[start : start + CHUNK_BYTES])
        passage.close()
        return time.thread_time() - begun

    return rewrite


def with_lists(files: list[Path], folder: Path) -> Loaded:
    """Return a configuration with filter lists; where no files are given, with generated ones."""
    texts = [file.read_text("utf-8") for file in files] or ["\n".join(lines) for lines in lists.generated().values()]
    entries = []
    for number, text in enumerate(texts):
        (folder / f"{number}.txt").write_text(text, "utf-8")
        entries.append(f"{{path: {number}.txt, purpose: advertising}}")
    config = folder / "gate.yaml"
    sites = 'sites: [{hosts: ["*"], upstream: "http://127.0.0.1:1"}]'
    config.write_text(f"version: 1\n{sites}\ntrackers: {{filter_lists: [{', '.join(entries)}]}}\n", "utf-8")
    return load_file(config)


def real_shaped_pages() -> dict[str, bytes]:
    """Return the pages measured, by name."""
    demo = sorted((files("optout_gate") / "demo" / "pages").iterdir(), key=lambda each: each.name)
    found = {name: pages.page(size) for name, size in pages.SIZES.items()}
    return found | {"demo site": b"".join(each.read_bytes() for each in demo if each.name == "home.html")}


def with_nonces(page: bytes, seed: int) -> bytes:
    """Return a page with a nonce on every script, as under a strict Content-Security-Policy."""
    return page.replace(b"<script", b'<script nonce="%032x"' % Random(seed).getrandbits(128))


def fastest(rewrites: dict[str, Rewrite], page: bytes, rounds: int, *, nonces: bool) -> dict[str, float]:
    """Return the megabytes a second of each at its best, in CPU time."""
    best = dict.fromkeys(rewrites, float("inf"))
    for number in range(rounds):
        there = with_nonces(page, number) if nonces else page
        for name, rewrite in rewrites.items():
            best[name] = min(best[name], rewrite(there) / len(there))
    return {name: 1 / seconds / 1e6 for name, seconds in best.items()}


def growth_bytes(loaded: Loaded) -> int:
    """Return by how much the process's memory grows while a page of :data:`STREAMED_BYTES` goes through."""
    core = Gate(loaded, clock=time.perf_counter)
    exchange = core.open(_REQUEST)
    assert exchange is not None
    passage = exchange.respond(_RESPONSE)
    page = pages.page(pages.SIZES["119 KB"])
    head, _, _ = page.partition(b"</main>")
    passage.feed(head)
    streamed = len(head)
    before: int | None = None
    sections = pages.sections(1)
    while streamed < STREAMED_BYTES:
        chunk = b"".join(next(sections) for _ in range(100))
        passage.feed(chunk)
        streamed += len(chunk)
        if before is None and streamed > STREAMED_BYTES // 20:  # buffers have their size by now
            before = _peak_bytes()
    passage.close()
    return _peak_bytes() - (before or 0)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> int:
    """Measure, print, judge; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--list", type=Path, nargs="*", default=[], metavar="FILE", help="filter lists to measure with")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure")
    given = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 100)
    loaded = from_upstream("http://127.0.0.1:1")
    rewrites: dict[str, Rewrite] = {"parsing alone": bare, "empty handlers": empty, "gate": gate(loaded)}
    demands = {"gate": AT_LEAST, "gate with lists": AT_LEAST_WITH_LISTS}
    with TemporaryDirectory() as folder:
        rewrites["gate with lists"] = gate(with_lists(given.list, Path(folder)))
    drawn = Table("MB/s of CPU time", *rewrites, *(f"{name} ÷ empty" for name in demands))
    found: dict[str, Any] = {"pages": {}}
    holds = True
    for nonces in (False, True):
        for name, page in real_shaped_pages().items():
            speeds = fastest(rewrites, page, given.rounds, nonces=nonces)
            ratios = {each: speeds[each] / speeds["empty handlers"] for each in demands}
            figures = [f"{speed:,.0f}" for speed in speeds.values()] + [f"{ratio:.2f}" for ratio in ratios.values()]
            row = f"{name}, other nonces" if nonces else name
            drawn.add_row(f"{row} ({len(page):,} bytes)", *figures)
            found["pages"][row] = {"bytes": len(page), "megabytes_per_second": speeds, "ratios": ratios}
            if not nonces:
                holds = holds and all(ratios[each] >= at_least for each, at_least in demands.items())
    console.print(drawn)
    for each, at_least in demands.items():
        worst = min(figures["ratios"][each] for row, figures in found["pages"].items() if "nonces" not in row)
        words = "holds" if worst >= at_least else "does NOT hold"
        console.print(f"{each}: at least {at_least} of lol-html with empty handlers is demanded of each page: {words}.")
    grown = found["growth_bytes"] = growth_bytes(loaded)
    flat = grown <= MAX_GROWTH_BYTES
    console.print(
        f"A page of {STREAMED_BYTES >> 20} MiB: memory grew by {grown / 2**20:.1f} MiB while it went through."
    )
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0 if holds and flat else 1


if __name__ == "__main__":
    sys.exit(main())

"""lol-html and the gate's own scanner take the same things out of a page, and leave the same tree behind."""

from pathlib import Path

import html5lib
import pytest

from optout_gate.exchange import Exchange
from optout_gate.rewrite.html import HtmlRewriter
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.tags import TagScanner
from support.gates import OPTED_OUT, gate_of_tests, request

HERE = Path(__file__).parent
# A page inside <noframes> and the like is the same; "select" is what only the scanner reads.
CASES = sorted(
    file for file in HERE.rglob("*.html") if not file.stem.endswith(".expected") and file.parent.name != "engine"
)
DEMO = sorted((HERE.parents[1] / "src" / "optout_gate" / "demo" / "pages").glob("*.html"))


def read(page: bytes, *, by_scanner: bool, size: int) -> tuple[bytes, list[tuple[str, str, str]]]:
    exchange: Exchange | None = gate_of_tests().open(request("/dir/page?q=1", OPTED_OUT))
    assert exchange is not None
    judge = Judge(exchange.decision, gate_of_tests().catalog, (), page_url=exchange.visitor.url)
    rewriter = HtmlRewriter(judge, page_url=exchange.visitor.url)
    if by_scanner:
        rewriter._scanner = TagScanner(rewriter._page)
    seen = page.decode("latin-1").encode("utf-8")
    out = [rewriter.feed(seen[start : start + size]) for start in range(0, len(seen), size)]
    out.append(rewriter.close())
    removed = [(each.kind, each.verdict.vendor.vendor, each.what) for each in judge.removals.kept]
    return b"".join(out), removed


def tree(page: bytes) -> object:
    """Return what a browser makes of a page, in a form that can be compared."""

    def plain(element: object) -> object:
        tag, attributes = element.tag, sorted(element.attrib.items())  # type: ignore[attr-defined]
        children = [plain(child) for child in element]  # type: ignore[attr-defined]
        return (str(tag), attributes, element.text, element.tail, children)  # type: ignore[attr-defined]

    return plain(html5lib.parse(page.decode("utf-8", "replace")))


@pytest.mark.parametrize("case", [*CASES, *DEMO], ids=lambda case: f"{case.parent.name}/{case.name}")
@pytest.mark.parametrize("size", [13, 100_000])
def test_both_readers_take_out_the_same_and_leave_the_same_tree(case: Path, size: int) -> None:
    page = case.read_bytes()
    out, removed = read(page, by_scanner=False, size=100_000)
    scanned, by_scanner = read(page, by_scanner=True, size=size)
    assert sorted(by_scanner) == sorted(removed)
    assert tree(scanned) == tree(out)


def test_a_page_with_nothing_denied_leaves_the_scanner_byte_for_byte() -> None:
    page = b"<!DOCTYPE html><p CLASS=a  id='b' >x &amp; y<br/><!-- c --><textarea></p></textarea><a href='/x'\n>z</a><x-y  /></p  >"
    assert read(page, by_scanner=True, size=3)[0] == page


def test_a_tag_without_end_is_passed_on_as_browsers_pass_over_it() -> None:
    page = b'<p>a<img src="https://ads.test/x'
    assert read(page, by_scanner=True, size=5)[0] == page

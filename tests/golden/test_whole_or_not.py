"""A page that is there whole, one that goes on and one in crumbs are asked about different things, and leave alike."""

from pathlib import Path

import pytest

from optout_gate.errors import RewriteError
from optout_gate.rewrite import selectors
from optout_gate.rewrite.html import HtmlRewriter
from optout_gate.rewrite.judge import Judge
from support.gates import OPTED_OUT, gate_of_tests, request

HERE = Path(__file__).parent
CASES = sorted(file for file in HERE.rglob("*.html") if not file.stem.endswith(".expected"))
DEMO = sorted((HERE.parents[1] / "src" / "optout_gate" / "demo" / "pages").glob("*.html"))


def left(page: bytes, *, whole: bool, size: int) -> tuple[bytes, list[tuple[str, str]]] | str:
    exchange = gate_of_tests().open(request("/dir/page?q=1", OPTED_OUT))
    assert exchange is not None
    judge = Judge(exchange.decision, gate_of_tests().catalog, (), page_url=exchange.visitor.url)
    seen = page.decode("latin-1").encode("utf-8")
    rewriter = HtmlRewriter(judge, page_url=exchange.visitor.url, whole=seen if whole else None)
    try:
        out = [rewriter.feed(seen[start : start + size]) for start in range(0, len(seen), size)]
        out.append(rewriter.close())
    except RewriteError as error:
        return error.reason
    return b"".join(out), [(each.kind, each.verdict.vendor.vendor) for each in judge.removals.kept]


@pytest.mark.parametrize("case", [*CASES, *DEMO], ids=lambda case: f"{case.parent.name}/{case.name}")
def test_what_is_left_out_of_the_search_is_not_there(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = case.read_bytes()
    looked_for_everything = left(page, whole=False, size=7)
    assert left(page, whole=True, size=10**6) == looked_for_everything
    monkeypatch.setattr(selectors, "_BEGINNING_BYTES", 0)  # so that a page of this size has a beginning
    assert left(page, whole=False, size=10**6) == looked_for_everything

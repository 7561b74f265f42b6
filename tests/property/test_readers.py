"""Whatever markup comes, the gate's own scanner never fails, and finds what lol-html finds."""

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from optout_gate.errors import RewriteError
from optout_gate.rewrite.html import HtmlRewriter
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.tags import TagScanner
from support.gates import OPTED_OUT, gate_of_tests, request

PIECES = st.sampled_from(
    [
        "<p>", "</p>", "text ", "<", ">", "&amp;", "<!--", "-->", "--!>", "<!-", "<!>", "</", "<?php ?>", "<![CDATA[", "]]>", '"', "'", "=",
        "<script>", "</script>", "</script >", "<SCRIPT", "<style>", "</style>", "<title>", "</title>", "<textarea>", "</textarea>",
        "<noscript>", "</noscript>", "<iframe>", "</iframe>", "<xmp>", "</xmp>", "<template>", "</template>",
        '<img src="https://ads.test/a">', "<img src='//ads.test/b' x>", "<img src=https://ads.test/c>", "<img/src='https://ads.test/d'/>",
        '<a ping="https://ads.test/e" href="/x?adclid=1">', "</a>", '<script src="https://ads.test/f"></script>',
        '<p style="background:url(//ads.test/g)">', "<link rel=preload href=https://ads.test/h>", "é", "\x00", "\r\n", "<p a=b c='d' e>",
    ]
)  # fmt: skip
DELICATE = st.sampled_from(
    ["<select>", "</select>", "<option>", "<SELECT\n", "<select name='a'>", "<frameset>", "</frameset>"]
)
SOUP = st.lists(PIECES, max_size=24).map("".join)


def read(page: str, *, scanner: bool, size: int = 1 << 20, xml: bool = False) -> tuple[bytes, list[tuple[str, str]]]:
    exchange = gate_of_tests().open(request("/page", OPTED_OUT))
    assert exchange is not None
    judge = Judge(exchange.decision, gate_of_tests().catalog, (), page_url=exchange.visitor.url)
    rewriter = HtmlRewriter(judge, page_url=exchange.visitor.url)
    if scanner:
        rewriter._scanner = TagScanner(rewriter._page, xml=xml)
    data = page.encode()
    out = b"".join(rewriter.feed(data[start : start + size]) for start in range(0, len(data), size)) + rewriter.close()
    return out, sorted((each.kind, each.what) for each in judge.removals.kept)


@settings(max_examples=300, deadline=None)
@given(SOUP)
@example("<script><!--<script></script>--><img src=https://ads.test/c></script><img src=https://ads.test/c>")
@example("<!--><img src=https://ads.test/c>-->")
@example("<!--->--!><img src=https://ads.test/c>")
@example("</ <img src=https://ads.test/c>")
@example("<p a='<img src=https://ads.test/c>'>")
def test_the_scanner_takes_out_what_lol_html_takes_out(page: str) -> None:
    assume(page.count("<noscript") < 4)
    assert read(page, scanner=True)[1] == read(page, scanner=False)[1]


@settings(max_examples=200, deadline=None)
@given(SOUP, st.integers(1, 9))
def test_where_a_page_is_cut_does_not_show(page: str, size: int) -> None:
    assume(page.count("<noscript") < 4)  # deeper, pages in pages are given up
    assert read(page, scanner=True, size=size)[0] == read(page, scanner=True)[0]


@settings(max_examples=200, deadline=None)
@given(SOUP, st.integers(1, 9))
def test_xml_never_fails_but_on_declarations(page: str, size: int) -> None:
    try:
        out, _ = read(page, scanner=True, size=size, xml=True)
    except RewriteError as error:
        assert error.reason in ("charset", "oversize")
    else:
        assert out == read(page, scanner=True, xml=True)[0]


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES | DELICATE, max_size=24).map("".join), st.sampled_from([1, 3, 7, 1000]))
@example('<frameset><textarea></textarea><p style="background:url(//ads.test/g)">&amp;</textarea>', 3)
@example("<noscript><select><iframe></iframe><img src=https://ads.test/c></noscript>", 1000)
@example("<SELECT\n<select><style>", 1000)
@example("<<select><style>", 1)
@example("</<p><select><style>", 1)
@example("a</1>b</ </1>c<select><style>", 1000)
@example("</1></1></1><select><style>", 3)
@example("</<select><select><noscript>", 1)
@example("</<p><SELECT\n<select><style>", 1)
@example("<noscript></1><select><noscript>", 1)
@example("<script></script><SELECT\n<select><noscript>", 1)
@example("<style></style><SELECT\n<select><noscript>", 1000)
@example("<<SELECT\n<select><noscript>", 1)
@example("</<select><SELECT\n<select><noscript>", 1000)
@example("</<select></<select><SELECT\n<select><noscript>", 3)
@example("<script></1 </script> text <select><style>", 1000)
@example("<title></1></title></1>x<select><style>", 7)
@example("<frameset></frameset><noscript><img src=https://ads.test/c></noscript>", 7)
def test_where_lol_html_gives_up_the_scanner_goes_on_and_nothing_is_lost_between_them(page: str, size: int) -> None:
    assume(page.count("<noscript") < 4)
    try:
        out, removed = read(page, scanner=False, size=size)
    except RewriteError as error:
        assert error.reason == "rewriter" and "</select" in page  # an end tag in a script looks like the element's
    else:
        assert removed == read(page, scanner=True)[1]
        assert len(removed) > 0 or out.decode() == page

"""Whatever markup comes, a page leaves as if lol-html had seen all of it and nothing had been remembered."""

from collections.abc import Iterable

from hypothesis import example, given, settings
from hypothesis import strategies as st

from optout_gate.errors import RewriteError
from optout_gate.rewrite import html
from optout_gate.rewrite.html import HtmlRewriter
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.memory import Memory
from optout_gate.rewrite.status import Status
from support.gates import OPTED_OUT, gate_of_tests, request

WORDS = Status({"en": "Honoured", "de": "Beachtet"}, at_end=False)
ALWAYS = Status({"en": "Honoured", "de": "Beachtet"}, at_end=True)
NAMES = [
    "a", "abbr", "p", "P", "div", "span", "li", "img", "IMG", "image", "input", "button", "form", "meta", "link", "label", "table",
    "blockquote", "section", "html", "head", "body", "template", "svg", "path", "use", "g", "set", "animate", "foreignobject",
    "math", "title", "textarea", "iframe", "object", "embed", "video", "source", "area", "x-card", "x-", "amp-img", "annotation-xml", "base", "option",
]  # fmt: skip
ATTRIBUTES = [
    "href", "HREF", "src", "srcset", "action", "formaction", "ping", "style", "STYLE", "class", "id", "data-post", "data-parked-src",
    "data-id", "data-optout-status", "background", "attributionsrc", "alt", "title", "type", "name", "http-equiv", "content", "rel",
    "xlink:href", "Xlink:href", "fill", "Filter", "d", "transform", "to", "attributename", "onclick", "lang", "aria-label", "http",
    "typex", "open", "width", "nonce", "v-if", "@click", "_ngcontent-a", ":src", "[src]", "clip-path", "marker-end", "data-", "x-data",
]  # fmt: skip
VALUES = [
    "", "/own.png", "//ads.test/a", "/\\ads.test/a", "/\t/ads.test/a", "/&#47;ads.test/a", "https://ads.test/a", "HTTPS://ADS.test/a",
    " https://ads.test/a", "https://other.test/a", "/a 1x, //ads.test/b 2x", "/a 1x, /b 2x", "/a?adclid=1&b=2", "?b=2&amp;adclid=1",
    "/a&adclid=1", "/a?b=2", "post-box", "x post-box", "x-post-box", "fb-post", "x fb-like", "twitter-tweet", "disqus_thread",
    "background:url(//ads.test/g)", "background:url&#40;//ads.test/g)", "color:red", "url(//ads.test/f)", "url(#f)", "none",
    "refresh", "0;url=https://ads.test/m", "stylesheet", "href", "https://ads.test/b?a>b", "é", "a\x0bpost-box", "de",
]  # fmt: skip
QUOTES = st.sampled_from(['"{}"', '"{}"', '"{}"', "'{}'", "{}"])
BLANKS = st.sampled_from([" ", " ", " ", "\n", "\t", "  ", "/", "", "\x0b"])
SIGNS = st.sampled_from(["=", "=", "=", " = ", "\n="])


@st.composite
def attributes(draw: st.DrawFn) -> str:
    name, value = draw(st.sampled_from(ATTRIBUTES)), draw(st.sampled_from(VALUES))
    if draw(st.integers(0, 9)) == 0:
        return draw(BLANKS) + name
    return draw(BLANKS) + name + draw(SIGNS) + draw(QUOTES).format(value)


TAGS = st.builds(
    lambda name, found, end: f"<{name}{''.join(found)}{end}",
    st.sampled_from(NAMES),
    st.lists(attributes(), max_size=4),
    st.sampled_from([">", ">", ">", "/>", " >", ""]),
)
ENDS = st.builds("</{}>".format, st.sampled_from(NAMES))
PIECES = st.sampled_from(
    [
        "text", " ", "é", "<", "< 3", "&amp;", "<!-- c -->", "<!--", "-->", "--!>", "<!-->", "<!--->", "<!doctype html>", "<!x>", "<?php ?>",
        "</>", "</1>", "</ p>", "</p class='x'>", "<![CDATA[", "]]>", '"', "'", ">", "\x00", "<p a=b'c>", '<p a"b>', "<p =x>", "<p\x0b>",
        "<script>load('https://ads.test/s.js')</script>", "<script src=https://ads.test/s.js></script>", "<script>", "</script>", "<SCRIPT >1<2</SCRIPT\n>",
        "<script type='application/json'>{\"a\":\"https://ads.test/s.js\"}</script>", "<script type=text/plain src=https://ads.test/s.js></script>",
        "<script><!--<script></script>--></script>", "<script>'</scripty>'</script>", "<script/x>'//ads.test/x'</script >",
        "<noscript><img src=https://ads.test/p></noscript>", "<noscript><a></noscript x>", "<style>a{background:url(//ads.test/c)}</style>",
        "<style><!-- a{} --></style>", "<title></p>//ads.test</title>", "<textarea><img src=https://ads.test/t></textarea>",
        "<iframe src='https://posts.test/e'>x</iframe>", "<iframe srcdoc='<img src=https://ads.test/i>'></iframe>",
        "<svg class='i'><use href='#x'/></svg>", '<svg><path d="M0" fill="url(//ads.test/f)"/></svg>', '<svg><title>x</title><path d="M0"/></svg>',
        '<svg><use HREF="https://ads.test/u"/></svg>', '<svg><style>a{}</style><title><img src=https://ads.test/v></title></svg>',
        "<base href='/x/'>", "<base href=https://ads.test/>", "<xmp><img src=https://ads.test/x></xmp>", "<plaintext>", "<noframes>", "</svg>", "</select>",
        "<div class='post-box' data-post='https://posts.test/1'></div>", "<p data-optout-status lang=de>", "<p DATA-OPTOUT-STATUS>", "<html lang=de>",
    ]
)  # fmt: skip
SOUP = st.lists(TAGS | TAGS | ENDS | PIECES | PIECES, max_size=14).map("".join)

Left = tuple[bytes, list[tuple[str, str, str]], list[str], dict[str, int]]


def left(
    page: str, *, plain: bool, whole: bool, memory: Memory | None = None, status: Status | None = None
) -> Left | str:
    """Return what leaves, and everything that is said about it."""
    exchange = gate_of_tests().open(request("/dir/page?q=1", OPTED_OUT))
    assert exchange is not None
    judge = Judge(exchange.decision, gate_of_tests().catalog, (), page_url=exchange.visitor.url, memory=memory)
    data = page.encode()
    rewriter = HtmlRewriter(judge, page_url=exchange.visitor.url, whole=data if whole else None, status=status)
    rewriter._may_be_plain = rewriter._may_be_plain and plain
    try:
        out = rewriter.feed(data) + rewriter.close()
    except RewriteError as error:
        return error.reason
    removals = judge.removals
    notes = [(each.kind, each.verdict.vendor.vendor, each.what) for each in removals.kept]
    return out, notes, list(judge.allowed), dict(removals.unknown)


MEMORY = Memory()
"""One for all pages: what is remembered of one of them decides about others."""


@settings(max_examples=600, deadline=None)
@given(SOUP, st.sampled_from([None, WORDS, ALWAYS]))
@example('<p class="x post-box" data-post="//posts.test/1">', None)
@example('<p title="a>b" style="background:url(//ads.test/g)">', None)
@example("<svg><path/></svg><img src=//ads.test/a>", None)
@example('<img src="//ads.test/a"><form action="//ads.test/b"></form>', None)
@example('<img src="/\\ads.test/a"><img src="/\t/ads.test/a"><img src="/&#47;ads.test/a">', None)
@example('<img srcset="/a 1x, //ads.test/b 2x"><img srcset="/a 1x, https://ads.test/b 2x">', None)
@example('<a href="/a?b=1&amp;adclid=1">x</a><a href="/a?adclid=1">y</a>', None)
@example('<base href="https://ads.test/"><img src="/own.png">', None)
@example("<!--><img src=https://ads.test/c>-->", None)
@example("<!--->--!><img src=https://ads.test/c>", None)
@example("<script>'<!--<script>'</script><img src=https://ads.test/c>--></script>", None)
@example('<template><select><style></template><img src="https://ads.test/c"></select>', None)
@example('<html lang="de"><p><i data-optout-status></i>', WORDS)
@example('<html lang="de"><body><p>x</body></html>', ALWAYS)
def test_plain_markup_and_what_is_remembered_leave_no_trace(page: str, status: Status | None) -> None:
    seen_whole = left(page, plain=False, whole=True, status=status)
    assert left(page, plain=True, whole=True, status=status) == seen_whole
    for _ in range(3):  # met, remembered, known
        assert left(page, plain=True, whole=True, memory=MEMORY, status=status) == seen_whole


@settings(max_examples=300, deadline=None)
@given(SOUP, st.integers(1, 60))
def test_a_page_that_goes_on_leaves_as_if_lol_html_had_seen_all_of_it(page: str, size: int) -> None:
    least = html.LEAST_PLAIN_BYTES
    html.LEAST_PLAIN_BYTES = 1
    try:
        assert left_in_pieces(page, size, plain=True) == left_in_pieces(page, size, plain=False)
    finally:
        html.LEAST_PLAIN_BYTES = least


def left_in_pieces(page: str, size: int, *, plain: bool) -> object:
    exchange = gate_of_tests().open(request("/dir/page?q=1", OPTED_OUT))
    assert exchange is not None
    judge = Judge(exchange.decision, gate_of_tests().catalog, (), page_url=exchange.visitor.url)
    rewriter = HtmlRewriter(judge, page_url=exchange.visitor.url)
    rewriter._may_be_plain = plain
    data = page.encode()
    pieces: Iterable[bytes] = (data[start : start + size] for start in range(0, len(data), size))
    try:
        out = b"".join(map(rewriter.feed, pieces)) + rewriter.close()
    except RewriteError as error:
        return error.reason
    return out, sorted((each.kind, each.what) for each in judge.removals.kept)

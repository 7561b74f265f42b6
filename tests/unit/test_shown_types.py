"""What a browser makes of a response decides with its type: XML as a page, any type as a sheet, rules in a file."""

import pytest

from optout_gate.errors import RewriteError
from optout_gate.http import Headers, Pair, Response
from optout_gate.report import Outcome
from support.gates import OPTED_OUT, drive, gate, gate_of_tests, request

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="https://ads.test/i.png"/><circle r="1"/></svg>'
DRAWING = (b"Content-Type", b"image/svg+xml")
SHEET = b"p{background:url(https://ads.test/p.gif)}"


def answered(body: bytes, *headers: Pair, asks: tuple[Pair, ...] = ()) -> tuple[Response, bytes, Outcome]:
    exchange = gate_of_tests().open(request("/file", OPTED_OUT, *asks))
    assert exchange is not None
    head, out = drive(exchange, body, *headers)
    return head, out, exchange.report.outcome


@pytest.mark.parametrize("destination", [b"document", b"iframe", b"frame", b"object", b"embed"])
@pytest.mark.parametrize("kind", [b"image/svg+xml", b"application/xml", b"text/xml", b"application/rss+xml"])
def test_xml_that_is_shown_is_rewritten(kind: bytes, destination: bytes) -> None:
    head, out, outcome = answered(SVG, (b"Content-Type", kind), asks=((b"Sec-Fetch-Dest", destination),))
    assert b"ads.test" not in out and out.endswith(b'<circle r="1"/></svg>')
    assert outcome is Outcome.ENFORCED and b"Sec-GPC" in head.headers.members(b"vary")


def test_a_sheet_of_xslt_is_html_where_chromium_shows_it_and_data_elsewhere() -> None:
    sheet = b"<html><body><p><img src=https://ads.test/i.png></p><script src=https://ads.test/t.js></script>"
    kind = (b"Content-Type", b"text/xsl")
    _, out, outcome = answered(sheet, kind, asks=((b"Sec-Fetch-Dest", b"document"),))
    assert b"ads.test" not in out and b"/_optout/guard.js" in out and outcome is Outcome.ENFORCED
    assert answered(sheet, kind, asks=((b"Sec-Fetch-Dest", b"xslt"),))[1] == sheet


@pytest.mark.parametrize("destination", [b"image", b"empty"])
def test_a_picture_and_data_are_left_as_they_came(destination: bytes) -> None:
    assert answered(SVG, DRAWING, asks=((b"Sec-Fetch-Dest", destination),))[1] == SVG
    assert answered(SVG, DRAWING)[1] == SVG  # over plain http, and from no browser


@pytest.mark.parametrize(
    ("asks", "destination", "stored"),
    [((), b"document", True), ((), b"image", True), ((OPTED_OUT,), b"image", False), ((OPTED_OUT,), b"empty", False)],
)  # fmt: skip
def test_no_cache_gives_a_picture_to_who_opened_it_as_a_page_and_opted_out(
    asks: tuple[Pair, ...], destination: bytes, stored: bool
) -> None:
    exchange = gate_of_tests().open(request("/a.svg", *asks, (b"Sec-Fetch-Dest", destination)))
    assert exchange is not None
    head, _ = drive(exchange, SVG, DRAWING)
    assert head.headers.members(b"vary") == [b"Sec-GPC"]
    assert (b"private" not in head.headers.members(b"cache-control")) is stored


def test_an_older_browser_says_that_it_shows_a_page_by_what_it_accepts() -> None:
    assert b"ads.test" not in answered(SVG, DRAWING, asks=((b"Accept", b"text/html,*/*;q=0.8"),))[1]


def test_an_svg_with_entities_of_its_own_is_contained() -> None:
    body = b'<!DOCTYPE svg [<!ENTITY a "https://ads.test/">]>' + SVG
    head, out, outcome = answered(body, DRAWING, asks=((b"Sec-Fetch-Dest", b"iframe"),))
    assert outcome is Outcome.CONTAINED and out == body and b"content-security-policy" in head.headers


@pytest.mark.parametrize("kind", [b"text/plain", b"application/octet-stream", b"text/html"])
def test_what_a_page_in_quirks_mode_takes_for_a_sheet_is_rewritten_as_one(kind: bytes) -> None:
    style = ((b"Sec-Fetch-Dest", b"style"),)
    assert answered(SHEET, (b"Content-Type", kind), asks=style)[1] == b"p{background:url(about:invalid)}"
    refused = answered(SHEET, (b"Content-Type", b"text/plain"), (b"X-Content-Type-Options", b"nosniff"), asks=style)
    assert refused[1] == SHEET  # no browser takes it


def test_speculation_rules_in_a_file_lose_what_is_denied() -> None:
    body = '{"prefetch":[{"urls":["/next","https://ads.test/x"]},{"where":{"selector_matches":".é"}}]}'.encode()
    kind = (b"Content-Type", b"application/speculationrules+json")
    head, out, outcome = answered(body, kind, (b"ETag", b'"1"'), asks=((b"Sec-Fetch-Dest", b"speculationrules"),))
    assert outcome is Outcome.ENFORCED and b"ads.test" not in out and b'"/next"' in out
    assert b'{"and":[{"selector_matches":".\\u00e9"},{"href_matches":"https://www.shop.test/*"}]}' in out
    own = b'{"prefetch": [{"urls": ["/next"]}]}'
    assert answered(own, kind)[1] == own
    assert head.headers.values(b"etag") != [b'"1"']


def test_nothing_of_this_is_done_for_who_said_nothing() -> None:
    for kind, destination in ((b"image/svg+xml", b"iframe"), (b"text/plain", b"style")):
        exchange = gate_of_tests().open(request("/file", (b"Sec-Fetch-Dest", destination)))
        assert exchange is not None
        passage = exchange.respond(Response(200, Headers([(b"Content-Type", kind)])))
        assert passage.untouched


@pytest.mark.parametrize("kind", [b"text/html, charset=utf-8", b"text/html charset=utf-8", b"text/html,text/html"])
def test_a_page_is_one_however_clumsily_its_type_is_said(kind: bytes) -> None:
    lines = ((b"Content-Type", kind), (b"X-Content-Type-Options", b"nosniff"))
    _, out, outcome = answered(b'<img src="https://ads.test/p">', *lines)
    assert b"ads.test" not in out and outcome is Outcome.ENFORCED


@pytest.mark.parametrize(
    ("lines", "looked_into"),
    [
        ([b"nosniff"], False), ([b"NoSniff"], False), ([b"nosniff, x"], False),
        ([b"x, nosniff"], True), ([b"x", b"nosniff"], True), ([b""], True),
    ],
)  # fmt: skip
def test_the_first_word_alone_forbids_to_look_into_a_body(lines: list[bytes], looked_into: bool) -> None:
    _, out, _ = answered(b'<img src="https://ads.test/p">', *((b"X-Content-Type-Options", line) for line in lines))
    assert (b"ads.test" not in out) is looked_into


@pytest.mark.parametrize(
    ("destination", "outcome"), [(b"document", Outcome.CONTAINED), (b"image", Outcome.NOTHING_TO_DO)]
)
def test_pages_pushed_one_after_the_other_are_contained_and_pictures_pass(destination: bytes, outcome: Outcome) -> None:
    body = b'--x\r\nContent-Type: text/html\r\n\r\n<img src="https://ads.test/p">\r\n--x\r\n'
    kind = (b"Content-Type", b"multipart/x-mixed-replace; boundary=x")
    head, out, became = answered(body, kind, asks=((b"Sec-Fetch-Dest", destination),))
    assert out == body and became is outcome
    assert (b"content-security-policy" in head.headers) is (outcome is Outcome.CONTAINED)


@pytest.mark.parametrize(
    ("kind", "destination", "body"),
    [
        (b"text/css", b"style", SHEET),
        (b"text/plain", b"style", SHEET),
        (b"application/speculationrules+json", b"speculationrules", b'{"prefetch":[{"urls":["https://ads.test/x"]}]}'),
    ],
)
def test_what_a_page_names_cannot_be_contained_by_a_policy_of_its_own(
    kind: bytes, destination: bytes, body: bytes
) -> None:
    lines = ((b"Content-Type", kind), (b"Content-Encoding", b"dcz"))
    asks = ((b"Sec-Fetch-Dest", destination),)
    with pytest.raises(RewriteError):
        answered(body, *lines, asks=asks)
    passes = gate("version: 1\nsites: [{upstream: 'http://127.0.0.1:9', on_failure: {decoding: pass}}]\n")
    exchange = passes.open(request("/file", OPTED_OUT, *asks))
    assert exchange is not None
    assert drive(exchange, body, *lines)[1] == body and exchange.report.outcome is Outcome.PASSED_UNENFORCED


def test_a_sheet_that_may_not_be_changed_is_contained_with_the_page_that_may_not_either() -> None:
    contains = gate("version: 1\nsites: [{upstream: 'http://127.0.0.1:9', no_transform: contain}]\n")
    exchange = contains.open(request("/file", OPTED_OUT, (b"Sec-Fetch-Dest", b"style")))
    assert exchange is not None
    lines = ((b"Content-Type", b"text/css"), (b"Cache-Control", b"no-transform"))
    assert drive(exchange, SHEET, *lines)[1] == SHEET and exchange.report.outcome is Outcome.CONTAINED

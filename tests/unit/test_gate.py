"""The gate from request to report: what is looked at, what fails, and what then leaves."""

import re
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard

from optout_gate.errors import RewriteError
from optout_gate.exchange import Exchange
from optout_gate.http import Headers, Response
from optout_gate.report import Outcome
from optout_gate.rewrite import guard, neutral, plain
from optout_gate.rewrite.passage import HELD_BYTES
from support.gates import OPTED_OUT, SITE, drive, gate, gate_of_tests, request

PIXEL = neutral.PIXEL.encode()
MARKED = b' data-optout-gate="test-ads"'
TRACKER = b'<script src="https://ads.test/t.js"></script>'
HTML = (b"Content-Type", b"text/html")


# The end tag in the script ends the gate's caution; then comes what lol-html gives up on.
GIVEN_UP = b"<select><script>'</select>'</script><xmp></xmp></select>"
NESTED = b"<noscript>" * 6 + b"</noscript>"  # pages in pages, deeper than is read


def opened(*lines: tuple[bytes, bytes], method: str = "GET") -> Exchange:
    exchange = gate_of_tests().open(request("/", OPTED_OUT, *lines, method=method))
    assert exchange is not None
    return exchange


def test_an_unknown_host_has_no_exchange() -> None:
    text = "version: 1\nsites: [{hosts: [www.shop.test, '*.shop.example'], upstream: 'http://127.0.0.1:9'}]\n"
    sites = gate(text)
    assert sites.open(request(host="www.shop.test:8443")) is not None
    assert sites.open(request(host="WWW.SHOP.TEST.")) is not None
    assert sites.open(request(host="a.b.shop.example")) is not None
    for host in ("shop.test", "shop.example", "x.www.shop.test", "evil.test", ""):
        assert sites.open(request(host=host)) is None


def test_the_report_says_what_was_removed_and_what_it_cost() -> None:
    exchange = opened()
    _, out = drive(exchange, b"<p>" + TRACKER)
    report = exchange.report
    assert report.outcome is Outcome.ENFORCED
    assert report.removals.counts == {("test-ads", "advertising", "script"): 1}
    assert (report.bytes_in, report.bytes_out) == (len(TRACKER) + 3, len(out))
    assert report.gate_seconds > 0


def test_a_clean_page_has_nothing_to_do() -> None:
    exchange = opened()
    assert drive(exchange, b"<p>clean")[1] == b"<p>clean"
    assert exchange.report.outcome is Outcome.NOTHING_TO_DO


def test_observe_mode_counts_and_changes_nothing() -> None:
    text = "version: 1\nsites: [{upstream: 'http://127.0.0.1:9', mode: observe}]\n"
    exchange = gate(text).open(request("/", OPTED_OUT))
    assert exchange is not None
    lines = (HTML, (b"Set-Cookie", b"_ads=1"), (b"ETag", b'"x"'))
    head, out = drive(exchange, TRACKER, *lines)
    assert (out, head.headers.pairs) == (TRACKER, lines)
    assert exchange.report.outcome is Outcome.OBSERVED
    assert set(exchange.report.removals.counts) == {
        ("test-ads", "advertising", "script"), ("test-ads", "advertising", "cookie")
    }  # fmt: skip


@pytest.mark.parametrize("name", [b"gzip", b"deflate"])
def test_a_compressed_page_is_rewritten_in_its_coding(name: bytes) -> None:
    wbits = 31 if name == b"gzip" else 15
    writer = zlib.compressobj(wbits=wbits)
    body = writer.compress(b"<p>" + TRACKER) + writer.flush()
    head, out = drive(opened(), body, HTML, (b"Content-Encoding", name))
    assert b"ads.test" not in zlib.decompress(out, wbits=wbits)
    assert head.headers.values(b"content-encoding") == [name]


@pytest.mark.parametrize(
    ("lines", "body", "reason"),
    [
        pytest.param([(b"Content-Encoding", b"foo")], TRACKER, "decoding", id="unknown-coding"),
        pytest.param([(b"Content-Encoding", b"gzip, br")], TRACKER, "decoding", id="stacked-codings"),
        pytest.param([(b"Content-Encoding", b"gzip")], TRACKER, "decoding", id="not-what-it-says"),
        pytest.param(
            [(b"Content-Encoding", b"gzip")], zlib.compress(TRACKER, wbits=31)[:-9], "decoding", id="cut-short"
        ),
        pytest.param([], b"x" * HELD_BYTES + GIVEN_UP + TRACKER, "rewriter", id="markup-that-the-engine-refuses"),
        pytest.param([], NESTED + TRACKER, "oversize", id="pages-in-pages"),
        pytest.param([], b"<p " + b"a" * 5_000_000, "oversize", id="an-attribute-without-end"),
    ],
)
def test_a_page_that_cannot_be_rewritten_is_contained(
    lines: list[tuple[bytes, bytes]], body: bytes, reason: str
) -> None:
    exchange = opened()
    if len(body) > 1_000_000:  # found out after the first part was let go: cut off, never flushed
        with pytest.raises(RewriteError):
            drive(exchange, body, HTML, *lines, cuts=range(0, len(body), 65536))
        return
    head, out = drive(exchange, body, HTML, *lines, (b"Set-Cookie", b"_ads=1"))
    assert out == body
    [policy] = head.headers.values(b"content-security-policy")
    assert policy.startswith(b"default-src 'self'")
    assert not any(value.startswith(b"_ads=") for value in head.headers.values(b"set-cookie"))
    assert (exchange.report.outcome, exchange.report.error) == (Outcome.CONTAINED, reason)


def test_an_xhtml_page_is_rewritten_and_one_that_declares_entities_is_contained() -> None:
    xhtml = (b"Content-Type", b"application/xhtml+xml")
    assert b"ads.test" not in drive(opened(), TRACKER, xhtml)[1]
    body = b"<!DOCTYPE html [<!ENTITY a 'https://ads.test/'>]><html/>"
    head, out = drive(opened(), body, xhtml)
    assert out == body and b"content-security-policy" in head.headers


@pytest.mark.parametrize(
    "declared", ['<meta charset="iso-2022-jp">', "<META content='text/html; charset=ISO-2022-JP'>"]
)
def test_in_iso_2022_jp_no_letter_of_the_text_is_taken_for_markup(declared: str) -> None:
    page = f'{declared}<p>\u5b9f a="</p><img src="https://ads.test/p.gif"><p>\u5b9f</p>'.encode("iso2022_jp")
    assert b"<B" in page  # half of the first letter; what follows it would be that tag's
    out = drive(opened(), page, HTML)[1]
    assert b"ads.test" not in out and out.decode("iso2022_jp").count("\u5b9f") == 2
    assert drive(opened(), page.replace(b"ads.test", b"own.test"), HTML)[1].endswith(b"<p>\x1b$B<B\x1b(B</p>")


def test_a_part_of_a_page_is_contained() -> None:
    head, _ = drive(opened(), TRACKER, HTML, status=206)
    assert b"content-security-policy" in head.headers


def test_an_error_after_the_first_part_is_raised_and_nothing_more_comes_out() -> None:
    passage = opened().respond(Response(200, Headers([HTML])))
    assert passage.feed(b"<p>" + b"x" * HELD_BYTES) != b""
    with pytest.raises(RewriteError):
        passage.feed(GIVEN_UP + TRACKER)


def test_the_first_part_is_held_back_until_it_is_known_to_work() -> None:
    passage = opened().respond(Response(200, Headers([HTML])))
    assert passage.feed(b"<p>" * 100) == b""
    assert passage.close() == b"<p>" * 100


def test_as_much_is_held_back_as_the_configuration_says() -> None:
    exchange = gate(SITE + "limits: {rewriting: {held_bytes: 10}}\n").open(request("/", OPTED_OUT))
    assert exchange is not None
    passage = exchange.respond(Response(200, Headers([HTML])))
    assert passage.feed(b"<p>12345") == b""
    assert passage.feed(b"678") == b"<p>12345678"


# The origin's fields that choose between the ways to hold a page back, and how it is known again.
@pytest.mark.parametrize("lines", [(), ((b"Cache-Control", b"no-store"),), ((b"ETag", b'"1"'),)])
def test_what_is_held_back_of_a_page_is_let_go_when_its_origin_takes_its_time(
    lines: tuple[tuple[bytes, bytes], ...],
) -> None:
    first, rest = b"<html><body><h1>Shop</h1>" + TRACKER, b"<p>more</p>" + TRACKER + b"</body>"
    exchange = opened((b"Sec-Fetch-Dest", b"document"))
    passage = exchange.respond(Response(200, Headers([(b"Content-Type", b"text/html; charset=utf-8"), *lines])))
    assert passage.feed(first) == b""
    began = passage.let_go()
    assert b"<h1>Shop</h1>" in began and b"ads.test" not in began
    assert (b"Vary", b"Sec-GPC") in passage.head.headers.pairs
    went_on = passage.feed(rest)
    assert went_on.startswith(b"<p>more</p>") and b"ads.test" not in went_on
    assert passage.let_go() == b"" and passage.close() == b""
    assert (exchange.report.bytes_in, exchange.report.bytes_out) == (len(first + rest), len(began + went_on))


def test_a_page_ends_once_and_nothing_follows_its_end() -> None:
    exchange = opened()
    passage = exchange.respond(Response(200, Headers([HTML])))
    assert TRACKER not in passage.feed(TRACKER) + passage.close()
    assert passage.close() == b""
    with pytest.raises(RewriteError, match="after its end"):
        passage.feed(TRACKER)


@pytest.mark.parametrize("ends", [b"", b"</xmp>"], ids=["with-the-next-piece", "at-the-end"])
def test_a_page_that_waits_for_its_charset_when_it_is_let_go_can_still_be_contained(ends: bytes) -> None:
    passage = opened((b"Sec-Fetch-Dest", b"document")).respond(Response(200, Headers([HTML])))
    first, rest = b"<!doctype html><title>Shop</title>", GIVEN_UP + TRACKER + ends
    assert passage.feed(first) + passage.let_go() == b"", "it may yet say a charset"
    assert passage.feed(rest) + passage.close() == first + rest
    assert b"content-security-policy" in passage.head.headers


def test_a_page_that_cannot_be_rewritten_is_still_contained_when_it_is_let_go() -> None:
    passage = opened().respond(Response(200, Headers([HTML])))
    assert passage.feed(GIVEN_UP + TRACKER) == b""
    assert passage.let_go() == GIVEN_UP + TRACKER
    assert b"content-security-policy" in passage.head.headers
    assert passage.feed(TRACKER) == TRACKER


@pytest.mark.parametrize(
    ("content_type", "rewritten"),
    [
        (b"text/html", True), (b"TEXT/HTML; charset=x", True), (b"", True), (b"unknown/unknown", True),
        (b"text/plain", False), (b"application/json", False), (b"application/javascript", False), (b"image/svg+xml", False),
    ],
)  # fmt: skip
def test_what_a_browser_takes_for_html_is_rewritten_and_nothing_else(content_type: bytes, rewritten: bool) -> None:
    lines = [(b"Content-Type", content_type)] if content_type else [(b"X", b"y")]
    assert (b"ads.test" not in drive(opened(), TRACKER, *lines)[1]) is rewritten


def test_a_body_that_says_nosniff_is_not_looked_into() -> None:
    assert drive(opened(), TRACKER, (b"X-Content-Type-Options", b"nosniff"))[1] == TRACKER


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_a_response_without_a_body_keeps_none_and_claims_no_length_or_validator(method: str, status: int) -> None:
    exchange = opened((b"Cookie", b"optout_gate=1"), method=method)
    head, out = drive(exchange, b"", HTML, (b"Content-Length", b"10"), (b"ETag", b'"x"'), status=status)
    assert (out, head.status) == (b"", status)
    assert b'"x"' not in head.headers.values(b"etag")
    assert head.headers.without([b"permissions-policy", b"etag"]).pairs == (HTML, (b"Vary", b"Sec-GPC"))


def test_an_empty_body_stays_empty_also_when_it_claims_a_coding() -> None:
    assert drive(opened(), b"", HTML, (b"Content-Encoding", b"gzip"))[1] == b""


def test_the_pages_own_host_is_never_a_third_party() -> None:
    exchange = gate_of_tests().open(request("/", OPTED_OUT, host="ads.test"))
    assert exchange is not None
    body = b'<script src="https://ads.test/a.js"></script><script src="//cdn.ads.test/b.js"></script>'
    assert drive(exchange, body)[1] == body


def _zlib_bomb(wbits: int) -> bytes:
    writer = zlib.compressobj(9, wbits=wbits)
    return b"".join(writer.compress(b"\0" * 1_000_000) for _ in range(60)) + writer.flush()


@pytest.mark.parametrize(
    ("coding", "bomb"),
    [
        pytest.param(b"gzip", lambda: _zlib_bomb(31), id="gzip"),
        pytest.param(b"deflate", lambda: _zlib_bomb(15), id="deflate"),
        pytest.param(b"br", lambda: brotli.compress(b"\0" * 60_000_000, quality=3), id="br"),
        pytest.param(b"zstd", lambda: zstandard.compress(b"\0" * 60_000_000), id="zstd"),
    ],
)
def test_a_bomb_is_given_up_before_it_costs_memory(coding: bytes, bomb: Callable[[], bytes]) -> None:
    made = bomb()
    exchange = opened()
    tracemalloc.start()
    try:
        head, out = drive(exchange, made, HTML, (b"Content-Encoding", coding), cuts=range(0, len(made), 65536))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 32_000_000
    assert (exchange.report.outcome, exchange.report.error) == (Outcome.CONTAINED, "oversize")
    assert b"content-security-policy" in head.headers
    assert out == made


def test_an_attribute_without_end_is_given_up_before_it_costs_memory() -> None:
    passage = opened().respond(Response(200, Headers([HTML])))
    assert passage.feed(b"<p>" + b"x" * HELD_BYTES) != b""
    fed = 0
    with pytest.raises(RewriteError):
        while fed < 30_000_000:
            passage.feed(b'<a title="' if not fed else b"x" * 65536)
            fed += 65536
    assert fed < 8_000_000


def test_a_page_that_is_there_whole_is_read_by_the_scanner_where_the_engine_gives_up_without_warning() -> None:
    exchange = opened()
    head, out = drive(exchange, GIVEN_UP + TRACKER, HTML)
    assert out.startswith(GIVEN_UP) and b"ads.test" not in out
    assert b"content-security-policy" not in head.headers
    assert exchange.report.outcome is Outcome.ENFORCED and sum(exchange.report.removals.counts.values()) == 1


def test_however_long_a_page_no_more_of_it_is_held_than_its_beginning() -> None:
    section = b'<p class="a">words, <a href="/x">links</a>, <img src="/own.gif"></p>\n' * 900
    section += b'<img src="https://ads.test/p.gif">'
    passage = opened().respond(Response(200, Headers([HTML])))
    came = left = 0
    tracemalloc.start()
    try:
        for number in range(200):  # 12 MB; the 200 MB of bench/rewrite.py take too long here
            came += len(section)
            left += len(passage.feed(section).replace(PIXEL, b"https://ads.test/p.gif").replace(MARKED, b""))
            assert came - left <= HELD_BYTES + len(section)
            if number == 20:
                tracemalloc.reset_peak()
                before, _ = tracemalloc.get_traced_memory()
        grown = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert left + len(passage.close()) == came
    assert grown < 2 * 1024 * 1024  # some copies of one piece, and a note for each removal


# Behind 32 KiB of a page without a <base>, pictures of the site's own are no longer looked at.
_LATE = b"<!doctype html><p>" + b"long " * 8_000


def test_what_follows_a_base_that_leads_elsewhere_and_comes_late_is_not_sent() -> None:
    exchange = gate().open(request("/", OPTED_OUT))
    assert exchange is not None
    passage = exchange.respond(Response(200, Headers([(b"Content-Type", b"text/html")])))
    assert passage.feed(b'<p style="color:rgb(0,0,0)">' + _LATE * 2)  # which lol-html is asked about
    with pytest.raises(RewriteError):
        passage.feed(b"<base href=https://ads.test/><img src=/pixel.gif>")


def test_a_late_base_behind_plain_markup_alone_has_what_follows_looked_at() -> None:
    exchange = gate().open(request("/", OPTED_OUT))
    assert exchange is not None
    passage = exchange.respond(Response(200, Headers([(b"Content-Type", b"text/html")])))
    assert passage.feed(_LATE * 2)
    assert b"pixel.gif" not in passage.feed(b"<base href=https://ads.test/><img src=/pixel.gif>") + passage.close()


def test_a_base_in_the_head_has_pictures_of_the_sites_own_looked_at() -> None:
    page = b"<!doctype html><base href=https://ads.test/><img src=/pixel.gif>" + _LATE * 2
    exchange = gate().open(request("/", OPTED_OUT))
    assert exchange is not None
    assert b"pixel.gif" not in drive(exchange, page)[1]


@pytest.mark.parametrize(
    "source",
    [b"//ads.test/a.gif", b"/\\ads.test/a.gif", b"/\t/ads.test/a.gif", b"/\n/ads.test/a.gif", b"/\r/ads.test/a.gif",
     b"/&#47;ads.test/a.gif", b"\\\\ads.test/a.gif", b" //ads.test/a.gif", b"http:ads.test/a.gif", b"\x01//ads.test/a.gif"],
)  # fmt: skip
def test_no_spelling_of_two_slashes_passes_for_one(source: bytes) -> None:
    for quote in (b'"', b"'"):
        page = _LATE + b"<img src=" + quote + source + quote + b">" + _LATE
        exchange = gate_of_tests().open(request("/", OPTED_OUT))
        assert exchange is not None
        assert b"ads.test" not in drive(exchange, page)[1]


def test_what_the_first_page_would_wait_for_is_made_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    guard._folded.cache_clear()
    plain._around.cache_clear()
    re.purge()
    warm = gate()
    warm.warm_up()

    def late(*_: object) -> None:
        raise AssertionError("made when a visitor waited for it")

    for module, name in ((guard, "fold"), (guard, "hashed"), (plain, "Plain"), (re._compiler, "compile")):  # type: ignore[attr-defined]
        monkeypatch.setattr(module, name, late)
    exchange = warm.open(request("/", OPTED_OUT))
    assert exchange is not None
    _, out = drive(exchange, b"<!doctype html><html><head></head><body>" + TRACKER + b"</body></html>")
    assert MARKED in out and b"/_optout/guard.js?v=" in out


@pytest.mark.parametrize(
    "first", ["<base href='http://[none'>", "<template><base href=/></template>", "<base href=/a/>"]
)
def test_a_base_behind_the_first_leads_to_no_denied_vendor(first: str) -> None:
    rest = "<base href='https://cdn.test/'><img src=a.png>"
    markup = f"<!doctype html><head></head>{first}<base href='https://ads.test/' target=_top>{rest}"
    exchange = opened()
    out = drive(exchange, markup.encode(), HTML)[1].decode()
    assert "ads.test" not in out and f'<base target=_top data-optout-gate="test-ads">{rest}' in out
    assert [each.what for each in exchange.report.removals.kept] == ["https://ads.test/"]

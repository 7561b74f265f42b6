"""A page that comes again is remembered, and nothing that it depends on is overlooked."""

from dataclasses import replace
from functools import partial

from optout_gate.exchange import Exchange
from optout_gate.gate import Gate
from optout_gate.http import Headers, Pair, Response
from optout_gate.report import Outcome
from optout_gate.rewrite import repeats
from optout_gate.rewrite.passage import HELD_BYTES
from optout_gate.rewrite.removals import Removals
from support.gates import OPTED_OUT, SITE, drive, gate, gate_of_tests, request

HTML: Pair = (b"Content-Type", b"text/html")
PAGE = b'<!doctype html><script src="https://ads.test/t.js"></script><p>Hello<img src="https://replay.test/p.gif">'


def visit(
    running: Gate, *lines: Pair, body: bytes = PAGE, head: tuple[Pair, ...] = (), target: str = "/"
) -> tuple[Exchange, bytes]:
    exchange = running.open(request(target, OPTED_OUT, *lines))
    assert exchange is not None
    return exchange, drive(exchange, body, HTML, length_of(body), *head, cuts=range(0, len(body), 40))[1]


def remembered(running: Gate) -> int:
    return len(running.repeats)


def test_a_page_is_remembered_when_it_is_met_the_second_time_and_then_comes_out_the_same() -> None:
    running = gate()
    first, out = visit(running)
    assert remembered(running) == 0
    assert visit(running)[1] == out
    assert remembered(running) == 1
    again, repeated = visit(running)
    assert repeated == out
    assert again.report.removals.counts == first.report.removals.counts
    assert [each.what for each in again.report.removals.kept] == [each.what for each in first.report.removals.kept]
    assert again.report.outcome is Outcome.ENFORCED


def test_whatever_an_answer_depends_on_makes_it_another_page() -> None:
    running = gate()
    for _ in range(3):
        visit(running)
    assert remembered(running) == 1
    for lines, more in (
        (((b"Sec-Fetch-Dest", b"empty"),), {}),
        ((), {"target": "/other"}),
        ((), {"body": PAGE + b" "}),
        ((), {"head": ((b"Content-Security-Policy", b"script-src 'nonce-abc'"),)}),
    ):
        _, fresh = visit(gate(), *lines, **more)
        assert visit(running, *lines, **more)[1] == fresh
        assert remembered(running) == 1


ASKED: tuple[tuple[Pair, ...], ...] = (
    (OPTED_OUT,),
    ((b"Sec-GPC", b"1, 1"),),
    (OPTED_OUT, (b"Cookie", b"optout_gate=1")),
    (OPTED_OUT, (b"Cookie", b"_ads=1; session=2")),
    ((b"Cookie", b"usprivacy=1YYN"),),
    (OPTED_OUT, (b"Sec-Fetch-Dest", b"document")),
    (OPTED_OUT, (b"Sec-Fetch-Dest", b"iframe")),
    (OPTED_OUT, (b"Sec-Fetch-Dest", b"empty")),
    (OPTED_OUT, (b"Authorization", b"Bearer x")),
    ((b"DNT", b"1"),),
)
ANSWERED: tuple[tuple[Pair, ...], ...] = (
    ((b"Date", b"today"),),
    ((b"Date", b"tomorrow"), (b"ETag", b'"2"'), (b"X-Request-Id", b"7")),
    ((b"Cache-Control", b"public, s-maxage=60"), (b"Vary", b"Accept")),
    ((b"Set-Cookie", b"_ads=1"), (b"Set-Cookie", b"session=3")),
    ((b"Link", b"<https://ads.test/x.js>; rel=preload"), (b"NEL", b"{}"), (b"Report-To", b"{}")),
    ((b"Content-Security-Policy", b"script-src 'nonce-abc'"), (b"Permissions-Policy", b"camera=()")),
    ((b"Expires", b"0"), (b"expires", b"1"), (b"Age", b"3")),
)


def test_an_answer_remembered_is_the_one_that_would_have_been_worked_out_head_and_body() -> None:
    """Every request and answer, interleaved, against a gate that remembers nothing."""
    running, met = gate(), 0
    for _ in range(3):
        for asked in ASKED:
            for answered in ANSWERED:
                for status in (200, 404):
                    told = []
                    for each in (running, gate_without_memory()):
                        exchange = each.open(request("/", *asked))
                        assert exchange is not None
                        head, out = drive(exchange, PAGE, HTML, length_of(PAGE), *answered, cuts=(40,), status=status)
                        report = exchange.report
                        counts = (report.removals.counts, report.unguarded, report.outcome)
                        told.append((head.status, head.headers.pairs, out, counts))
                    assert told[0] == told[1], (asked, answered, status)
                    met += 1
    assert met and remembered(running) > 20


def gate_without_memory() -> Gate:
    fresh = gate_of_tests()
    fresh.repeats = repeats.Repeats()
    return fresh


def length_of(body: bytes) -> Pair:
    return (b"Content-Length", str(len(body)).encode())


def test_a_head_asked_for_before_the_body_is_there_loses_nothing() -> None:
    running = gate()
    for _ in range(3):
        exchange = running.open(request("/", OPTED_OUT))
        assert exchange is not None
        passage = exchange.respond(Response(200, Headers((HTML, length_of(PAGE)))))
        out = passage.feed(PAGE[:50])
        assert (b"Vary", b"Sec-GPC") in passage.head.headers.pairs
        assert out + passage.feed(PAGE[50:]) + passage.close() == visit(gate())[1]


def test_what_an_origin_forbids_to_store_is_not_remembered() -> None:
    running = gate()
    for said in (b"no-store", b"private, max-age=0", b'private="x"'):
        for _ in range(3):
            visit(running, head=((b"Cache-Control", said),))
    for _ in range(3):
        visit(running, (b"Authorization", b"Bearer x"))
    assert remembered(running) == 0


def test_lines_that_differ_from_one_answer_to_the_next_do_not_make_another_page() -> None:
    running = gate()
    for number in range(3):
        visit(running, head=((b"Date", b"%d" % number), (b"Set-Cookie", b"session=%d" % number)))
    assert remembered(running) == 1


def test_a_visitor_who_said_nothing_is_never_given_a_remembered_page() -> None:
    running = gate()
    for _ in range(3):
        visit(running)
    exchange = running.open(request("/"))
    assert exchange is not None
    assert drive(exchange, PAGE, HTML)[1] == PAGE


def test_a_page_that_cannot_be_rewritten_is_not_remembered() -> None:
    running = gate()
    coded = (b"Content-Encoding", b"gzip")
    for _ in range(3):
        exchange, out = visit(running, body=b"not gzip", head=(coded,))
        assert (exchange.report.outcome, out) == (Outcome.CONTAINED, b"not gzip")
    assert remembered(running) == 0


def test_a_body_that_is_longer_than_is_waited_for_is_rewritten_as_it_comes() -> None:
    running = gate()
    body = PAGE + b"x" * (repeats.MAX_PAGE_BYTES + 1)
    exchange = running.open(request("/", OPTED_OUT))
    assert exchange is not None
    for _ in range(3):
        out = drive(exchange, body, HTML, cuts=range(0, len(body), 65536))[1]
        assert b"ads.test" not in out and out.endswith(b"x" * 1000)
    assert remembered(running) == 0
    assert HELD_BYTES < repeats.MAX_PAGE_BYTES


def test_all_that_is_remembered_is_bounded() -> None:
    store = repeats.Repeats()
    page = repeats.Remembered(b"%d", b"x" * (repeats.MAX_BYTES // 4), Removals(), {}, None)
    for number in range(10):
        for _ in range(2):
            came = b"%d" % number
            store.offer("key", came, partial(replace, page, came=came))
    assert store.find("key", b"9") is not None and store.find("key", b"0") is None
    assert store.find("another", b"9") is None
    assert len(store) == 3


def test_pages_that_share_their_length_and_samples_are_told_apart() -> None:
    store = repeats.Repeats()
    one, two = (b"a" * 100 + letter + b"a" * 400 for letter in (b"x", b"y"))
    for _ in range(2):
        store.offer("key", one, lambda: repeats.Remembered(one, b"out", Removals(), {}, None))
    assert store.find("key", one) is not None and store.find("key", two) is None


def test_a_reload_begins_anew() -> None:
    assert gate(SITE).repeats is not gate(SITE).repeats


def test_what_is_remembered_counts_with_all_that_it_costs() -> None:
    """Small pages under long addresses: each is nothing, and its key is as long as its sender likes."""
    store = repeats.Repeats(1024 * 1024)
    for number in range(300):
        key = ("policy", "/" + "a" * 20_000 + str(number), (b"text/html",))
        for _ in range(2):
            store.offer(
                key, b"<p>", lambda: repeats.Remembered(b"<p>", b"<p>", Removals(), {}, None, ((b"a", b"b"), 1))
            )
    assert 40 <= len(store) <= 1024 * 1024 // (20_000 + repeats.PAGE_BYTES)

"""A page that comes again is remembered, and nothing that it depends on is overlooked."""

from dataclasses import replace
from functools import partial

from optout_gate.gate import Exchange, Gate
from optout_gate.http import Pair
from optout_gate.report import Outcome
from optout_gate.rewrite import repeats
from optout_gate.rewrite.passage import HELD_BYTES
from optout_gate.rewrite.removals import Removals
from support.gates import OPTED_OUT, SITE, drive, gate, request

HTML: Pair = (b"Content-Type", b"text/html")
PAGE = b'<!doctype html><script src="https://ads.test/t.js"></script><p>Hello<img src="https://replay.test/p.gif">'


def visit(
    running: Gate, *lines: Pair, body: bytes = PAGE, head: tuple[Pair, ...] = (), target: str = "/"
) -> tuple[Exchange, bytes]:
    exchange = running.open(request(target, OPTED_OUT, *lines))
    assert exchange is not None
    length = (b"Content-Length", str(len(body)).encode())
    return exchange, drive(exchange, body, HTML, length, *head, cuts=range(0, len(body), 40))[1]


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

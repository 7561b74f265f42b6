"""What a gate remembers of one page never decides about another that it should judge anew."""

from pathlib import Path

from optout_gate.rewrite.memory import MAX_SNIPPETS, Memory, Snippet
from support.gates import OPTED_OUT, SITE, drive, gate, request

SCRIPT = b"<script>load('https://ads.test/a.js')</script>"
PIXEL = b"<noscript><img src=https://ads.test/p.gif></noscript>"
PAGE = SCRIPT + PIXEL


def test_the_second_page_leaves_as_the_first_did_and_reports_the_same() -> None:
    one = gate()
    seen = []
    for _ in range(2):
        exchange = one.open(request("/page", OPTED_OUT))
        assert exchange is not None
        out = drive(exchange, PAGE)[1]
        removals = exchange.report.removals
        seen.append((out, dict(removals.counts), removals.kept))
    assert seen[0] == seen[1]
    assert b"ads.test" not in seen[0][0]
    assert sum(seen[0][1].values()) == 2


def test_a_host_of_the_sites_own_stays_on_it_and_goes_elsewhere_in_any_order() -> None:
    for hosts in (("ads.test", "www.shop.test"), ("www.shop.test", "ads.test")):
        one = gate()
        kept = {}
        for host in hosts:
            exchange = one.open(request("/page", OPTED_OUT, host=host))
            assert exchange is not None
            kept[host] = drive(exchange, PAGE)[1]
        assert kept["ads.test"] == PAGE
        assert b"ads.test" not in kept["www.shop.test"]


def test_a_site_that_allows_a_vendor_does_not_inherit_what_another_sites_policy_took_out() -> None:
    text = """
version: 1
sites:
  - {hosts: [strict.test], upstream: "http://127.0.0.1:9"}
  - {hosts: ["*"], upstream: "http://127.0.0.1:9", policy: lenient}
policies:
  lenient: {vendors: {test-ads: allow}}
"""
    one = gate(text)
    out = {}
    for host in ("strict.test", "lenient.test"):
        exchange = one.open(request("/page", OPTED_OUT, host=host))
        assert exchange is not None
        out[host] = drive(exchange, PAGE)[1]
    assert b"ads.test" not in out["strict.test"]
    assert out["lenient.test"] == PAGE


def test_a_foreign_base_decides_about_a_relative_pixel_seen_before_without_it() -> None:
    pixel = b"<noscript><img src=/p.gif><img src=https://ads.test/p.gif></noscript>"
    one = gate()
    out = []
    for head in (b"", b"<base href=https://ads.test/>", b""):
        exchange = one.open(request("/page", OPTED_OUT))
        assert exchange is not None
        out.append(drive(exchange, head + pixel)[1])
    assert b"src=/p.gif" in out[0] == out[2]
    assert b"/p.gif" not in out[1]


def test_a_filter_list_is_asked_about_every_page(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("||listed.test^$domain=one.test\n")
    trackers = "trackers: {filter_lists: [{path: list.txt, purpose: analytics}]}\n"
    one = gate(SITE, trackers=trackers, folder=tmp_path)
    page = b"<script>load('https://listed.test/a.js')</script>"
    for host, denied in (("one.test", True), ("two.test", False), ("one.test", True)):
        exchange = one.open(request("/page", OPTED_OUT, host=host))
        assert exchange is not None
        assert (b"listed.test" not in drive(exchange, page)[1]) is denied


def test_the_snippet_not_asked_for_the_longest_time_is_forgotten_first() -> None:
    memory = Memory()
    kept = Snippet("kept")
    for number in range(MAX_SNIPPETS):
        memory.keep(number, kept)
    assert memory.recall(0) == kept
    memory.keep("one more", kept)
    assert memory.recall(0) == kept
    assert memory.recall(1) is None


def test_elements_known_by_their_bytes_leave_and_are_reported_as_when_they_were_new() -> None:
    page = (
        b'<html lang=en><link rel=preload as=script href="https://ads.test/a.js"><img srcset="//ads.test/a.gif 1x, /b.gif 2x">'
        b'<iframe src="https://posts.test/e"></iframe><a ping="https://ads.test/p" href="/x">x</a>'
        b'<script nonce=r4nd0m src="https://ads.test/b.js"></script><p style="background:url(//ads.test/c.gif)">'
        b'<img src="https://nobody.test/d.png"><script src="https://fonts.test/e.js"></script>'
    )
    one = gate()
    seen = []
    for _ in range(4):
        exchange = one.open(request("/page", OPTED_OUT))
        assert exchange is not None
        out = drive(exchange, page, (b"Content-Type", b"text/html"), (b"Cache-Control", b"no-store"))[1]
        removals = exchange.report.removals
        seen.append((out, removals.kept, dict(removals.unknown), list(exchange.report.allowed)))
    assert all(each == seen[0] for each in seen)
    assert b"ads.test" not in seen[0][0]
    assert len(seen[0][1]) == 6
    assert seen[0][2:] == ({"nobody.test": 1}, ["test-fonts"])


def test_an_element_is_remembered_when_it_is_met_again() -> None:
    memory = Memory()
    assert [memory.recurs(key) for key in ("a", "b", "a", "a")] == [False, False, True, True]

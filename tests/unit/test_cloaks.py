"""Subdomains that are a vendor's by a CNAME: what is asked, what is kept, and what it makes of pages."""

import pytest

from optout_gate.errors import ConfigError
from optout_gate.gate import Gate
from optout_gate.rewrite.cloaks import MAX_HOSTS, MAX_KEPT_S, MAX_WAITING, MIN_KEPT_S, RETRY_S, Cloaks
from optout_gate.trackers.catalog import builtin
from support.gates import OPTED_OUT, SITE, drive, gate, request

UNCLOAKING = SITE + "dns: {uncloak: true}\n"
PAGE = b'<!doctype html><script src="https://metrics.shop.test/t.js"></script><img src="https://img.shop.test/a.png">'


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def page(of: Gate, body: bytes = PAGE) -> bytes:
    exchange = of.open(request("/page", OPTED_OUT))
    assert exchange is not None
    return drive(exchange, body)[1]


def waiting(of: Gate) -> list[str]:
    assert of.cloaks is not None
    return of.cloaks.due()


def test_nothing_is_asked_unless_it_is_configured() -> None:
    assert gate().cloaks is None


def test_a_subdomain_counts_as_the_sites_until_its_cname_is_known_and_as_the_vendors_from_then_on() -> None:
    uncloaking = gate(UNCLOAKING)
    assert b"https://metrics.shop.test/t.js" in page(uncloaking)
    assert waiting(uncloaking) == ["metrics.shop.test", "img.shop.test"]
    uncloaking.learn("metrics.shop.test", ["x.cdn.example", "collect.ads.test"], 300)
    uncloaking.learn("img.shop.test", ["cdn.example"], 300)
    out = page(uncloaking)
    assert b"metrics.shop.test" not in out
    assert b'data-optout-gate="test-ads"' in out
    assert b"https://img.shop.test/a.png" in out
    assert waiting(uncloaking) == []


def test_the_evidence_names_the_cname_and_the_rule() -> None:
    uncloaking = gate(UNCLOAKING)
    uncloaking.learn("metrics.shop.test", ["collect.ads.test"], 300)
    exchange = uncloaking.open(request("/page", OPTED_OUT))
    assert exchange is not None
    drive(exchange, PAGE)
    (removal,) = exchange.report.removals.kept
    assert removal.verdict.rule.kind == "cname"
    assert removal.verdict.rule.text == "metrics.shop.test leads to collect.ads.test, ads.test"


def test_neither_the_pages_own_host_nor_configured_ones_nor_third_parties_are_looked_up() -> None:
    text = UNCLOAKING.replace('hosts: ["*"]', "hosts: [www.shop.test, static.shop.test]")
    uncloaking = gate(text)
    hosts = (
        "www.shop.test",
        "shop.test",
        "static.shop.test",
        "a.static.shop.test",
        "else.where.test",
        "metrics.shop.test",
    )
    page(uncloaking, b"".join(b"<img src=https://%b/x>" % host.encode() for host in hosts))
    assert waiting(uncloaking) == ["a.static.shop.test", "metrics.shop.test"]


def test_who_said_nothing_has_nothing_looked_up() -> None:
    uncloaking = gate(UNCLOAKING)
    exchange = uncloaking.open(request("/page"))
    assert exchange is not None
    assert drive(exchange, PAGE)[1] == PAGE
    assert waiting(uncloaking) == []


def test_an_answer_holds_as_long_as_the_dns_says_within_bounds() -> None:
    for lifetime, kept in ((0, MIN_KEPT_S), (600, 600), (1e9, MAX_KEPT_S)):
        clock = Clock()
        cloaks = Cloaks(builtin(), clock)
        assert cloaks.learn("m.shop.test", ["a.omtrdc.net"], lifetime)
        clock.now += kept - 1
        assert not cloaks.is_due
        clock.now += 1
        assert cloaks.is_due
        assert cloaks.due() == ["m.shop.test"]
        assert cloaks.rule("m.shop.test") is not None  # until it is looked up again
        assert cloaks.learn("m.shop.test", [], 60)
        assert cloaks.rule("m.shop.test") is None


def test_a_host_that_stands_for_itself_is_asked_for_again_only_when_a_page_refers_to_it_again() -> None:
    clock = Clock()
    cloaks = Cloaks(builtin(), clock)
    assert not cloaks.learn("img.shop.test", [], 60)
    assert cloaks.met("img.shop.test") is None
    assert not cloaks.is_due
    clock.now += 61
    assert cloaks.due() == []
    cloaks.met("img.shop.test")
    assert cloaks.due() == ["img.shop.test"]


def test_when_nobody_answers_what_was_known_stays_and_is_asked_for_again_before_long() -> None:
    clock = Clock()
    cloaks = Cloaks(builtin(), clock)
    cloaks.learn("m.shop.test", ["a.omtrdc.net"], 60)
    clock.now += 60
    assert cloaks.due() == ["m.shop.test"]
    cloaks.missed("m.shop.test")
    assert cloaks.rule("m.shop.test") is not None
    assert not cloaks.is_due
    clock.now += RETRY_S
    assert cloaks.due() == ["m.shop.test"]


def test_neither_what_waits_nor_what_is_known_grows_without_end() -> None:
    cloaks = Cloaks(builtin(), Clock())
    for number in range(MAX_WAITING + 50):
        cloaks.met(f"{number}.shop.test")
    assert len(cloaks.due()) == MAX_WAITING
    for number in range(MAX_HOSTS + 50):
        cloaks.learn(f"{number}.shop.test", ["a.omtrdc.net"], 60)
    assert cloaks.rule("49.shop.test") is None
    assert cloaks.rule("50.shop.test") is not None


def test_a_host_on_which_only_some_paths_are_a_vendors_does_not_make_a_cname_one() -> None:
    uncloaking = gate(UNCLOAKING)
    uncloaking.learn("img.shop.test", ["mixed.test"], 300)
    assert b"https://img.shop.test/a.png" in page(uncloaking)


def test_a_configuration_that_asks_the_dns_without_the_package_is_refused_with_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("optout_gate.policy.load.find_spec", lambda name: None)
    with pytest.raises(ConfigError) as told:
        gate(UNCLOAKING)
    (problem,) = told.value.problems
    assert (problem.line, problem.column) == (7, 16)
    assert "pip install 'optout-gate[dns]'" in problem.text

"""Third parties that no list knows: let through and counted, or blocked; what is allowed by name wins over all."""

from pathlib import Path

import pytest

from optout_gate.errors import ConfigError
from optout_gate.exchange import Exchange
from optout_gate.policy.load import load_text
from support.gates import OPTED_OUT, SITE, TRACKERS, drive, gate, request

PAGE = (
    b'<script src="https://nobody-knows.test/a.js"></script><link rel=stylesheet href="//cdn.other.test/a.css">'
    b'<img src="https://nobody-knows.test/photo.jpg" width=300><script src="https://ads.test/x.js"></script>'
    b'<script src="https://fonts.test/f.js"></script><img src="https://nobody-knows.test/beacon" width=1 height=1>'
    b'<script>see("https://documentation.test/how")</script><a href="https://nobody-knows.test/">link</a>'
)


def policy(lines: str) -> str:
    return f"{SITE}policies:\n  default:\n{lines}"


def through(lines: str, path: str = "/page") -> tuple[bytes, Exchange]:
    exchange = gate(policy(lines)).open(request(path, OPTED_OUT))
    assert exchange is not None
    return drive(exchange, PAGE)[1], exchange


def test_by_default_they_are_let_through_and_counted_by_host() -> None:
    out, exchange = through("    honor: [gpc]\n")
    assert b"nobody-knows.test/a.js" in out and b"cdn.other.test/a.css" in out
    assert exchange.report.removals.unknown == {"nobody-knows.test": 2, "cdn.other.test": 1}


def test_allow_counts_nobody() -> None:
    out, exchange = through("    unknown: allow\n")
    assert b"nobody-knows.test/a.js" in out
    assert not exchange.report.removals.unknown


def test_block_leaves_only_what_is_known_and_links_and_the_words_of_scripts() -> None:
    out, exchange = through("    unknown: block\n")
    assert b"a.js" not in out and b"photo.jpg" not in out and b"a.css" not in out
    assert b"fonts.test/f.js" in out
    assert b'see("https://documentation.test/how")' in out
    assert b'<a href="https://nobody-knows.test/">' in out
    assert {removal.verdict.vendor.vendor for removal in exchange.report.removals.kept} == {
        "unknown-host", "unknown-beacon", "test-ads"
    }  # fmt: skip


def test_on_an_always_path_only_what_is_allowed_by_name_loads() -> None:
    lines = "    unknown: allow\n    always: [/member/*]\n    allow: [other.test]\n"
    out, _ = through(lines, "/member/claims")
    assert b"nobody-knows.test/a.js" not in out and b"cdn.other.test/a.css" in out and b"fonts.test" in out
    assert b"nobody-knows.test/a.js" in through(lines, "/public")[0]


@pytest.mark.parametrize(
    ("allowed", "stays"),
    [
        pytest.param("nobody-knows.test", b"nobody-knows.test/beacon", id="a-host"),
        pytest.param("ads.test", b"ads.test/x.js", id="a-denied-host"),
        pytest.param("test-ads", b"ads.test/x.js", id="a-denied-vendor"),
        pytest.param("unknown-beacon", b"nobody-knows.test/beacon", id="beacons-at-large"),
    ],
)
def test_what_a_policy_allows_by_name_wins_over_all_of_it(allowed: str, stays: bytes) -> None:
    assert stays in through(f"    allow: [{allowed}]\n")[0]
    assert stays not in through("    honor: [gpc]\n")[0]


def test_a_vendor_that_is_not_there_cannot_be_allowed() -> None:
    with pytest.raises(ConfigError, match=r"there is no vendor 'tset-ads'.*a host has a dot in it"):
        load_text(policy("    allow: [tset-ads]\n") + TRACKERS, file="x.yaml", folder=Path())


def test_other_hosts_of_the_site_are_no_third_party() -> None:
    site = 'version: 1\nsites: [{hosts: [www.shop.test, "*.shopcdn.test"], upstream: "http://127.0.0.1:9"}]\n'
    exchange = gate(site + "policies: {default: {unknown: block}}\n").open(request("/", OPTED_OUT))
    assert exchange is not None
    body = b'<script src="https://a.shopcdn.test/x.js"></script><img src="//img.shop.test/1" width=1 height=1>'
    assert b"a.shopcdn.test/x.js" in drive(exchange, body)[1]

"""Gates for tests: a small configuration with vendors of its own, so that no test depends on the catalogue."""

import itertools
from collections.abc import Iterable
from pathlib import Path

from optout_gate.exchange import Exchange
from optout_gate.gate import Gate
from optout_gate.http import Headers, Pair, Request, Response
from optout_gate.policy.load import load_text

TRACKERS = """
trackers:
  extra:
    - {vendor: test-ads, company: Ads Inc, purposes: [advertising], domains: [ads.test], patterns: [mixed.test/pixel],
       cookies: [_ads, "_ads_*"], surrogate: generic, click_ids: [adclid], amp: [testads]}
    - {vendor: test-replay, purposes: [session_replay], domains: [replay.test],
       inline: [{all: [recordEverything, replayAgentVersion]}]}
    - {vendor: test-posts, name: Test Posts, purposes: [social], domains: [posts.test], embed: true,
       containers: {post-box: data-post}}
    - {vendor: test-consent, purposes: [functional], domains: [consent.test], lazy: [data-parked-src]}
    - {vendor: test-fonts, purposes: [functional], domains: [fonts.test]}
    - {vendor: test-bots, purposes: [security, analytics], domains: [bots.test]}
    - {vendor: test-speed, purposes: [performance], domains: [speed.test]}
"""
SITE = """
version: 1
sites:
  - hosts: ["*"]
    upstream: http://127.0.0.1:9
    outcome_header: false   # has tests of its own
"""

OPTED_OUT: Pair = (b"Sec-GPC", b"1")


def gate(text: str = SITE, *, trackers: str = TRACKERS, folder: Path | None = None) -> Gate:
    """Return a gate for a configuration; its clock ticks a millisecond a look."""
    ticks = itertools.count()
    loaded = load_text(text + trackers, file="test.yaml", folder=folder or Path())
    return Gate(loaded, clock=lambda: next(ticks) / 1000)


def request(target: str = "/", *headers: Pair, method: str = "GET", host: str = "www.shop.test") -> Request:
    """Return a request as a browser sends it to the site under test."""
    lines = [(b"Host", host.encode()), *headers]
    return Request(method, "https", host, target.encode(), Headers(lines))


def drive(
    exchange: Exchange, body: bytes, *headers: Pair, cuts: Iterable[int] = (), status: int = 200
) -> tuple[Response, bytes]:
    """Put a response through an exchange, its body cut at ``cuts``; return the head and body that leave."""
    lines = headers or ((b"Content-Type", b"text/html; charset=utf-8"),)
    passage = exchange.respond(Response(status, Headers(lines)))
    if passage.untouched:
        return passage.head, body
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(body)}), len(body)]
    out = [passage.feed(body[start:end]) for start, end in itertools.pairwise(edges)]
    out.append(passage.close())
    return passage.head, b"".join(out)


def page(body: bytes, *headers: Pair, signal: Pair | None = OPTED_OUT, cuts: Iterable[int] = ()) -> bytes:
    """Return what a page becomes for a visitor with ``signal`` (None: who said nothing)."""
    exchange = gate_of_tests().open(request("/page", *([signal] if signal else [])))
    assert exchange is not None
    return drive(exchange, body, *headers, cuts=cuts)[1]


_GATE: list[Gate] = []


def gate_of_tests() -> Gate:
    """Return one gate of the default configuration for all tests."""
    if not _GATE:
        _GATE.append(gate())
    return _GATE[0]

"""First-party clothes: a worker of the site's own, and the site's own address that leads to a denied vendor."""

import zlib
from base64 import b64encode
from hashlib import sha256

import pytest

from optout_gate.exchange import Exchange
from optout_gate.report import Outcome
from support.gates import OPTED_OUT, drive, gate_of_tests, request

SCRIPT = b"'use strict';\nself.onmessage = 1;\n"
JAVASCRIPT = (b"Content-Type", b"text/javascript")
AS_WORKER = (b"Sec-Fetch-Dest", b"worker")


def opened(*lines: tuple[bytes, bytes], path: str = "/w.js") -> Exchange:
    exchange = gate_of_tests().open(request(path, *lines))
    assert exchange is not None
    return exchange


@pytest.mark.parametrize(
    "asks",
    [
        (b"Sec-Fetch-Dest", b"worker"),
        (b"Sec-Fetch-Dest", b"sharedworker"),
        (b"Sec-Fetch-Dest", b"serviceworker"),
        (b"Service-Worker", b"script"),
    ],
)
@pytest.mark.parametrize("kind", [b"text/javascript; charset=utf-8", b"application/javascript"])
def test_a_workers_script_comes_with_the_guard_in_front(asks: tuple[bytes, bytes], kind: bytes) -> None:
    validators = ((b"ETag", b'"x"'), (b"Last-Modified", b"Mon, 01 Jan 2024 00:00:00 GMT"), (b"Content-Length", b"34"))
    head, out = drive(opened(OPTED_OUT, asks), SCRIPT, (b"Content-Type", kind), *validators)
    assert out.endswith(SCRIPT)
    assert out.startswith(b'"use strict";(function G(')  # the script's own directive would count for nothing
    assert out.count(b"\n") == SCRIPT.count(b"\n")  # line numbers hold
    assert head.headers.values(b"etag") != [b'"x"']
    assert head.headers.without([b"etag"]).pairs == (
        (b"Content-Type", kind),
        (b"Vary", b"Sec-GPC, Sec-Fetch-Dest, Service-Worker"),
    )


def test_a_worker_whose_address_the_guard_marked_is_one_where_the_browser_says_nothing() -> None:
    kind = (b"Content-Type", b"text/javascript")
    for lines, path, is_worker in (
        ((), "/w.js?a=1&_optout=worker", True),
        ((), "/w.js?a=1", False),
        (((b"Sec-Fetch-Dest", b"script"),), "/w.js?_optout=worker", False),
    ):
        out = drive(opened(OPTED_OUT, *lines, path=path), SCRIPT, kind)[1]
        assert (b"(function G(" in out) is is_worker


def test_an_old_copy_of_a_workers_script_is_not_good_for_a_visitor_who_opted_out() -> None:
    exchange = opened(OPTED_OUT, AS_WORKER, (b"If-None-Match", b'"x"'), (b"Accept-Encoding", b"gzip, zstd"))
    assert b"if-none-match" not in exchange.request.headers


@pytest.mark.parametrize("cuts", [[], [1], [5, 20]])
def test_a_compressed_worker_is_opened_and_closed_again(cuts: list[int]) -> None:
    writer = zlib.compressobj(wbits=31)
    body = writer.compress(SCRIPT) + writer.flush()
    _, out = drive(opened(OPTED_OUT, AS_WORKER), body, JAVASCRIPT, (b"Content-Encoding", b"gzip"), cuts=cuts)
    assert zlib.decompress(out, wbits=31).endswith(b");" + SCRIPT)


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        pytest.param([AS_WORKER], JAVASCRIPT, id="nobody-opted-out"),
        pytest.param([OPTED_OUT, (b"Sec-Fetch-Dest", b"script")], JAVASCRIPT, id="a-pages-script"),
        pytest.param([OPTED_OUT], JAVASCRIPT, id="no-word-of-what-it-is-for"),
        pytest.param([OPTED_OUT, AS_WORKER], (b"Content-Type", b"application/wasm"), id="not-a-script"),
    ],
)
def test_other_scripts_are_untouched(lines: list[tuple[bytes, bytes]], kind: tuple[bytes, bytes]) -> None:
    assert drive(opened(*lines), SCRIPT, kind)[1] == SCRIPT


def test_a_worker_that_cannot_be_opened_is_held_by_a_policy_instead() -> None:
    exchange = opened(OPTED_OUT, AS_WORKER)
    head, _ = drive(exchange, SCRIPT, JAVASCRIPT, (b"Content-Encoding", b"foo"))
    assert exchange.report.outcome is Outcome.CONTAINED
    assert b"content-security-policy" in head.headers


def test_caches_tell_a_worker_from_a_script_for_everyone() -> None:
    head, _ = drive(opened(AS_WORKER), SCRIPT, JAVASCRIPT, (b"Vary", b"Accept-Encoding"))
    assert head.headers.values(b"vary") == [b"Accept-Encoding, Sec-GPC, Sec-Fetch-Dest, Service-Worker"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("destination", [b"image", b"script", b"empty", b"iframe", b"style"])
def test_a_redirect_to_a_denied_vendor_ends_at_the_stand_in(status: int, destination: bytes) -> None:
    exchange = opened(OPTED_OUT, (b"Sec-Fetch-Dest", destination), path="/t/42")
    head, _ = drive(
        exchange, b"", (b"Location", b"https://ads.test/p?u=1"), (b"Cache-Control", b"max-age=99"), status=status
    )
    assert head.status == 303
    [location] = head.headers.values(b"location")
    assert location.partition(b"?")[0] == b"/_optout/s/generic.js"
    assert head.headers.values(b"cache-control") == [b"private, no-store"]
    assert exchange.report.removals.counts == {("test-ads", "advertising", "header"): 1}


@pytest.mark.parametrize(
    ("lines", "location"),
    [
        pytest.param([OPTED_OUT, (b"Sec-Fetch-Dest", b"document")], b"https://ads.test/", id="the-visitor-goes-there"),
        pytest.param([OPTED_OUT, (b"Accept", b"text/html,*/*")], b"https://ads.test/", id="an-old-browsers-visitor"),
        pytest.param([(b"Sec-Fetch-Dest", b"image")], b"https://ads.test/", id="nobody-opted-out"),
        pytest.param([OPTED_OUT, (b"Sec-Fetch-Dest", b"image")], b"https://fonts.test/", id="an-allowed-vendor"),
        pytest.param([OPTED_OUT, (b"Sec-Fetch-Dest", b"image")], b"/elsewhere", id="the-site-itself"),
    ],
)
def test_other_redirects_lead_where_they_lead(lines: list[tuple[bytes, bytes]], location: bytes) -> None:
    head, _ = drive(opened(*lines, path="/out"), b"", (b"Location", location), status=302)
    assert (head.status, head.headers.values(b"location")) == (302, [location])


BEHIND_A_WORKER = ((b"Sec-Fetch-Dest", b"empty"), (b"Sec-Fetch-Mode", b"navigate"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_move_behind_a_service_worker_gets_a_page_that_goes_on_in_a_tab_alone(status: int) -> None:
    target = 'https://ads.test/p?u=1&v="><script>é'.encode()
    lines = (
        (b"Location", target),
        (b"Content-Type", b"text/plain"),
        (b"Content-Length", b"5"),
        (b"Set-Cookie", b"a=1"),
    )
    head, out = drive(opened(OPTED_OUT, *BEHIND_A_WORKER, path="/out"), b"moved", *lines, status=status)
    assert head.status == 200
    assert head.headers.values(b"content-type") == [b"text/html; charset=utf-8"]
    assert head.headers.values(b"cache-control") == [b"private, no-store"]
    assert head.headers.values(b"set-cookie")[0] == b"a=1"
    assert b"location" not in head.headers and b"content-length" not in head.headers
    assert b'<a href="https://ads.test/p?u=1&amp;v=&quot;&gt;&lt;script&gt;%C3%A9" hidden>' in out
    assert b"moved" not in out
    script = out.partition(b"<script>")[2].partition(b"</script>")[0]
    [policy] = head.headers.values(b"content-security-policy")
    assert b"'sha256-" + b64encode(sha256(script).digest()) + b"'" in policy


@pytest.mark.parametrize(
    ("lines", "location"),
    [
        pytest.param([OPTED_OUT, *BEHIND_A_WORKER], b"/elsewhere", id="the-site-itself"),
        pytest.param([OPTED_OUT, *BEHIND_A_WORKER], b"https://fonts.test/", id="an-allowed-vendor"),
        pytest.param([*BEHIND_A_WORKER], b"https://ads.test/", id="nobody-opted-out"),
    ],
)
def test_other_moves_behind_a_service_worker_lead_where_they_lead(
    lines: list[tuple[bytes, bytes]], location: bytes
) -> None:
    head, out = drive(opened(*lines, path="/out"), b"moved", (b"Location", location), status=302)
    assert (head.status, head.headers.values(b"location"), out) == (302, [location], b"moved")

"""ETags of rewritten pages, there and back: who gets a 304, and who never may."""

import pytest

from optout_gate.exchange import Exchange
from optout_gate.gate import Gate
from optout_gate.http import Headers, Pair, Response
from support.gates import OPTED_OUT, SITE, drive, gate, gate_of_tests, request

HTML = (b"Content-Type", b"text/html")
TRACKER = b'<img src="https://ads.test/p">'
BY_COOKIE: Pair = (b"Cookie", b"optout_gate=1")


def opened(*lines: Pair, of: Gate | None = None, target: str = "/", method: str = "GET") -> Exchange:
    exchange = (of or gate_of_tests()).open(request(target, *lines, method=method))
    assert exchange is not None
    return exchange


def etag(origins: bytes, *lines: Pair, of: Gate | None = None, target: str = "/") -> bytes:
    """Return the ETag that a visitor gets for a page of which the origin says ``origins``."""
    head, _ = drive(opened(*(lines or (OPTED_OUT,)), of=of, target=target), TRACKER, HTML, (b"ETag", origins))
    [value] = head.headers.values(b"etag")
    return value


def asked(condition: bytes, *lines: Pair, of: Gate | None = None, target: str = "/") -> list[bytes]:
    """Return the conditions that reach the origin."""
    sent = opened(*(lines or (OPTED_OUT,)), (b"If-None-Match", condition), of=of, target=target).request.headers
    return sent.values(b"if-none-match")


@pytest.mark.parametrize(
    "origins", [b'"v7"', b'W/"v7"', b'""', b'"a,b"', b'"\xff~!"', b'"x+og.0123456789ab"', b'"a+ogw."']
)
def test_an_etag_comes_back_to_the_origin_as_the_origin_wrote_it(origins: bytes) -> None:
    ours = etag(origins)
    assert ours != origins
    assert ours.startswith(b'W/"')  # the same page, and after a compressor other bytes
    assert asked(ours) == [origins]


@pytest.mark.parametrize("origins", [b"v7", b'"v7', b'"a b"', b'"a" "b"', b'w/"x"', b""])
def test_what_is_no_etag_is_dropped(origins: bytes) -> None:
    head, _ = drive(opened(OPTED_OUT), TRACKER, HTML, (b"ETag", origins))
    assert b"etag" not in head.headers


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param(b'"v7"', id="the origin's own, from before the opt-out"),
        pytest.param(b'W/"v7"', id="likewise, weak"),
        pytest.param(b"*", id="anything"),
        pytest.param(b'W/"v7+og.000000000000"', id="another stamp"),
        pytest.param(b'W/"v7+og."', id="no stamp"),
        pytest.param(b'"v7+og', id="cut short"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_condition_without_the_right_stamp_never_reaches_the_origin(condition: bytes) -> None:
    assert asked(condition) == []


def test_of_several_members_those_with_the_right_stamp_reach_the_origin() -> None:
    one, two = etag(b'"a,b"'), etag(b'W/"c"')
    assert asked(b'"a,b", ' + one + b' , W/"x+og.000000000000",' + two) == [b'"a,b", W/"c"']


def test_if_modified_since_and_ranges_never_reach_the_origin_for_a_page() -> None:
    lines = ((b"If-Modified-Since", b"Mon, 01 Jan 2024 00:00:00 GMT"), (b"Range", b"bytes=0-9"), (b"If-Range", b'"v7"'))
    navigation = (b"Sec-Fetch-Dest", b"document")
    sent = opened(
        OPTED_OUT, navigation, *lines, (b"If-None-Match", etag(b'"v7"', OPTED_OUT, navigation))
    ).request.headers
    assert sent.names.isdisjoint({b"if-modified-since", b"range", b"if-range"})
    assert sent.values(b"if-none-match") == [b'"v7"']


OTHERS = {
    "policy": SITE + "policies: {default: {deny: [advertising]}}\n",
    "list of what is allowed": SITE + "policies: {default: {allow: [posts.test]}}\n",
    "status": SITE + "preferences: {status: end_of_body}\n",
}


@pytest.mark.parametrize("changed", list(OTHERS))
def test_a_page_from_before_a_change_of_configuration_is_not_revalidated(changed: str) -> None:
    other = gate(OTHERS[changed])
    assert asked(etag(b'"v7"'), of=other) == []
    assert asked(etag(b'"v7"', of=other), of=other) == [b'"v7"']


def test_where_a_gate_listens_and_who_is_behind_it_changes_no_page() -> None:
    moved = SITE.replace("127.0.0.1:9", "10.0.0.1:80") + "listen: 127.0.0.1:1\nadmin: 127.0.0.1:2\n"
    assert asked(etag(b'"v7"'), of=gate(moved)) == [b'"v7"']


DECISIONS: dict[str, tuple[Pair, ...]] = {
    "by a consent cookie": ((b"Cookie", b"usprivacy=1YYN"),),
    "a part of it": (OPTED_OUT, (b"Sec-Fetch-Dest", b"empty")),
    "a worker's script": (OPTED_OUT, (b"Sec-Fetch-Dest", b"worker")),
}


@pytest.mark.parametrize("other", list(DECISIONS))
def test_a_page_made_under_another_decision_or_for_another_use_is_not_revalidated(other: str) -> None:
    config = gate(SITE + "policies: {default: {honor: {all: as_said, usprivacy: [advertising]}}}\n")
    lines = DECISIONS[other]
    assert asked(etag(b'"v7"', *lines, of=config), of=config) == []
    assert asked(etag(b'"v7"', of=config), *lines, of=config) == []
    assert asked(etag(b'"v7"', *lines, of=config), *lines, of=config) == [b'"v7"']


def test_the_origin_is_asked_by_who_said_nothing_in_the_words_it_will_not_know() -> None:
    ours = etag(b'"v7"')
    assert asked(ours, (b"X-A", b"b")) == [ours]  # so it answers with the whole page
    head, _ = drive(opened(), b"<p>", HTML, (b"ETag", b'"v7"'))
    assert head.headers.values(b"etag") == [b'"v7"']


def test_a_304_says_of_the_kept_page_what_holds_for_it_and_takes_nothing_off_it() -> None:
    ours = etag(b'"v7"')
    exchange = opened(OPTED_OUT, (b"If-None-Match", ours))
    origins = [
        (b"ETag", b'"v7"'), (b"Cache-Control", b"max-age=60"), (b"Vary", b"Accept-Encoding"), (b"Last-Modified", b"x"),
        (b"Content-Security-Policy", b"default-src 'none'"), (b"Permissions-Policy", b"camera=()"), (b"Link", b"<//ads.test>"),
    ]  # fmt: skip
    passage = exchange.respond(Response(304, Headers(origins)))
    assert passage.untouched
    assert passage.head.headers.pairs == (
        (b"Cache-Control", b"max-age=60"), (b"Vary", b"Accept-Encoding, Sec-GPC"), (b"ETag", ours)
    )  # fmt: skip


@pytest.mark.parametrize(
    "condition", [(b"If-None-Match", b'"v7"'), (b"If-Modified-Since", b"Mon, 01 Jan 2024 00:00:00 GMT")]
)
def test_a_304_to_a_browser_that_holds_an_older_page_never_reaches_it(condition: Pair) -> None:
    passage = opened(OPTED_OUT, condition).respond(Response(304, Headers([(b"ETag", b'"v7"')])))
    assert passage.blocked


@pytest.mark.parametrize("said", [(OPTED_OUT,), ()], ids=["opted out", "nobody"])
def test_a_304_for_what_may_be_a_page_varies_for_everyone(said: tuple[Pair, ...]) -> None:
    passage = opened(*said).respond(Response(304, Headers([(b"Vary", b"Cookie")])))
    assert passage.head.headers.values(b"vary") == [b"Cookie, Sec-GPC"]


def test_an_image_keeps_its_own_validators() -> None:
    image = (b"Sec-Fetch-Dest", b"image")
    assert asked(b'"v7"', OPTED_OUT, image) == [b'"v7"']
    head, _ = drive(opened(OPTED_OUT, image), b"GIF89a", (b"Content-Type", b"image/gif"), (b"ETag", b'"v7"'))
    assert head.headers.values(b"etag") == [b'"v7"']


def test_a_head_tells_the_etag_that_a_get_would() -> None:
    head, _ = drive(opened(OPTED_OUT, method="HEAD"), b"", HTML, (b"ETag", b'"v7"'))
    assert head.headers.values(b"etag") == [etag(b'"v7"')]


@pytest.mark.parametrize("field", [b"CDN-Cache-Control", b"Cloudflare-CDN-Cache-Control", b"Surrogate-Control"])
def test_a_page_that_a_cookie_decided_is_kept_by_no_network_whatever_its_own_field_says(field: bytes) -> None:
    head, _ = drive(opened(BY_COOKIE), TRACKER, HTML, (field, b"max-age=600"), (b"Cache-Control", b"public"))
    told = head.headers
    assert told.values(b"cache-control") == [b"private"]
    assert told.values(b"cdn-cache-control") == [b"no-store"]
    assert not any(value == b"max-age=600" for _, value in told)


KNOWN_BROWSER: Pair = (b"Cookie", b"session=1")


@pytest.mark.parametrize(
    ("lines", "cleared"),
    [
        pytest.param((OPTED_OUT, KNOWN_BROWSER), True, id="the signal, in a browser that keeps cookies"),
        pytest.param((OPTED_OUT,), False, id="a browser that may keep none, or was never here"),
        pytest.param((OPTED_OUT, (b"Cookie", b"session=1; optout_gate=1")), False, id="kept already"),
        pytest.param((BY_COOKIE,), False, id="the cookie alone"),
        pytest.param((KNOWN_BROWSER,), False, id="nobody"),
        pytest.param((OPTED_OUT, KNOWN_BROWSER, (b"Sec-Fetch-Dest", b"image")), False, id="an image"),
    ],
)
def test_kept_pages_are_forgotten_once_when_an_opt_out_is_first_kept(lines: tuple[Pair, ...], cleared: bool) -> None:
    head, _ = drive(opened(*lines), TRACKER, HTML)
    assert (head.headers.values(b"clear-site-data") == [b'"cache"']) is cleared
    assert not cleared or any(value.startswith(b"optout_gate=") for value in head.headers.values(b"set-cookie"))


def test_a_sealed_page_forbids_caches_in_front_to_change_it() -> None:
    sealing = gate(SITE.replace("outcome_header: false", "seal: true"))
    for given, expected in ((b"max-age=60", b"max-age=60, no-transform"), (b"No-Transform", b"No-Transform")):
        head, _ = drive(opened(OPTED_OUT, BY_COOKIE, of=sealing), TRACKER, HTML, (b"Cache-Control", given))
        assert head.headers.values(b"cache-control") == [expected]

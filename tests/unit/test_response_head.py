"""Each file of ``response_header_cases/`` is one case: lines from the origin, ten dashes, lines to the visitor."""

from pathlib import Path

import pytest

from optout_gate.http import Headers, Response
from optout_gate.rewrite import response_head
from optout_gate.rewrite.cookie_expiry import MAX_LINES
from support.gates import OPTED_OUT, drive, gate_of_tests, request

CASES = sorted((Path(__file__).parent / "response_header_cases").glob("*.case"))


def pairs(block: bytes) -> tuple[tuple[bytes, bytes], ...]:
    lines = [line for line in block.splitlines() if line and not line.startswith(b"#")]
    return tuple((name, value) for name, _, value in (line.partition(b": ") for line in lines))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_headers_are_rewritten_as_the_case_says(case: Path) -> None:
    given, expected = case.read_bytes().split(b"----------\n")
    exchange = gate_of_tests().open(request("/", OPTED_OUT))
    assert exchange is not None
    head, _ = drive(exchange, b"", (b"Content-Type", b"image/png"), *pairs(given))
    assert head.headers.pairs[1:] == pairs(expected)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_headers_are_untouched_without_a_signal(case: Path) -> None:
    given = pairs(case.read_bytes().split(b"----------\n")[0])
    exchange = gate_of_tests().open(request("/"))
    assert exchange is not None
    assert drive(exchange, b"", (b"Content-Type", b"image/png"), *given)[0].headers.pairs[1:] == given


@pytest.mark.parametrize(
    ("vary", "expected"),
    [
        pytest.param([], [b"Sec-GPC"], id="absent"),
        pytest.param([b"Accept-Encoding"], [b"Accept-Encoding, Sec-GPC"], id="merged"),
        pytest.param([b"Accept-Encoding", b"Cookie"], [b"Accept-Encoding, Cookie, Sec-GPC"], id="several-lines"),
        pytest.param([b"accept, sec-gpc"], [b"accept, sec-gpc"], id="already-there"),
        pytest.param([b"*"], [b"*"], id="star"),
        pytest.param([b""], [b"Sec-GPC"], id="empty"),
    ],
)
@pytest.mark.parametrize("signal", [None, OPTED_OUT], ids=["no-signal", "opted-out"])
def test_vary_is_merged_on_html_for_every_visitor(
    signal: tuple[bytes, bytes] | None, vary: list[bytes], expected: list[bytes]
) -> None:
    exchange = gate_of_tests().open(request("/", *([signal] if signal else [])))
    assert exchange is not None
    head, _ = drive(exchange, b"<p>", (b"Content-Type", b"text/html"), *((b"Vary", value) for value in vary))
    assert head.headers.values(b"vary") == expected


def test_fields_that_no_longer_hold_are_dropped_from_a_rewritten_body() -> None:
    exchange = gate_of_tests().open(request("/", OPTED_OUT, (b"Cookie", b"optout_gate=1")))
    assert exchange is not None
    stale = [
        (b"Content-Length", b"3"), (b"ETag", b'"a"'), (b"Last-Modified", b"Mon, 23 Nov 2026 00:00:00 GMT"), (b"Accept-Ranges", b"bytes"),
        (b"Content-MD5", b"x"), (b"Digest", b"x"), (b"Content-Digest", b"x"), (b"Repr-Digest", b"x"), (b"Signature", b"x"),
    ]  # fmt: skip
    head, _ = drive(exchange, b"<p>", (b"Content-Type", b"text/html"), *stale, (b"X-Kept", b"1"))
    kept = head.headers.without([b"permissions-policy", b"etag"]).pairs
    assert head.headers.values(b"etag") != [b'"a"']
    assert kept == ((b"Content-Type", b"text/html"), (b"X-Kept", b"1"), (b"Vary", b"Sec-GPC"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], b"private"),
        ([b"public, max-age=60, s-maxage=9"], b"max-age=60, private"),
        ([b"no-store"], b"no-store"),
        ([b"private"], b"private"),
    ],
)
def test_an_answer_that_a_cookie_decided_is_private(given: list[bytes], expected: bytes) -> None:
    exchange = gate_of_tests().open(request("/", (b"Cookie", b"optout_gate=1")))
    assert exchange is not None
    lines = [(b"Cache-Control", value) for value in given]
    assert drive(exchange, b"<p>", (b"Content-Type", b"text/html"), *lines)[0].headers.values(b"cache-control") == [
        expected
    ]


def test_a_contained_page_may_load_from_its_own_site_alone() -> None:
    headers = Headers(
        [
            (b"Content-Security-Policy", b"default-src *"),
            (b"Link", b"<https://ads.test>; rel=preload"),
            (b"ETag", b'"x"'),
        ]
    )
    contained = response_head.contained(headers, ("www.shop.test", "*.shop.test", "*"))
    own, added = contained.values(b"content-security-policy")
    assert own == b"default-src *"
    assert added.startswith(b"default-src 'self' www.shop.test *.shop.test 'unsafe-inline'")
    assert b"link" not in contained
    assert b"etag" not in contained
    assert contained.values(b"cache-control") == [b"private, no-store"]


WITHHELD = b"browsing-topics=(), attribution-reporting=(), join-ad-interest-group=(), run-ad-auction=()"


def of_page(
    *lines: tuple[bytes, bytes], cookie: bytes = b"", target: str = "/", host: str = "www.shop.test"
) -> Headers:
    sent = [OPTED_OUT, *([(b"Cookie", cookie)] if cookie else [])]
    exchange = gate_of_tests().open(request(target, *sent, host=host))
    assert exchange is not None
    return drive(exchange, b"<p>", (b"Content-Type", b"text/html"), *lines)[0].headers


def expired(headers: Headers) -> list[bytes]:
    """Return the lines that expire a cookie; the gate also keeps an opt-out in one of its own."""
    return [value for value in headers.values(b"set-cookie") if b"Max-Age=0" in value]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param([], [WITHHELD], id="absent"),
        pytest.param(
            [b"camera=(), geolocation=(self)"], [b"camera=(), geolocation=(self)", WITHHELD], id="others-stay"
        ),
        pytest.param([b"browsing-topics=(self)"], [b"browsing-topics=(self)", WITHHELD], id="the-last-one-holds"),
        pytest.param(
            [b'ch-ua-model=(self "https://ads.test" "https://fonts.test")'],
            [b'ch-ua-model=(self "https://fonts.test")', WITHHELD],
            id="hints-are-not-lent",
        ),
        pytest.param([b"camera 'none'; geolocation"], [WITHHELD], id="what-no-browser-reads-would-void-all"),
    ],
)
def test_a_page_withholds_what_the_browser_keeps_for_advertisers(given: list[bytes], expected: list[bytes]) -> None:
    assert of_page(*((b"Permissions-Policy", value) for value in given)).values(b"permissions-policy") == expected


def test_only_pages_withhold_it() -> None:
    exchange = gate_of_tests().open(request("/", OPTED_OUT))
    assert exchange is not None
    assert b"permissions-policy" not in drive(exchange, b"x", (b"Content-Type", b"image/png"))[0].headers


def test_a_denied_cookie_that_the_browser_has_is_expired_on_every_domain_and_path_that_can_hold_it() -> None:
    headers = of_page(cookie=b"session=1; _ads=2; other=3", target="/a/b?q=/x", host="www.shop.test")
    variants = set(expired(headers))
    domains = ("", "; Domain=www.shop.test", "; Domain=shop.test")
    paths = ("/", "/a", "/a/", "/a/b")
    assert variants == {
        f"_ads=; Max-Age=0; Path={path}{domain}; Secure{partitioned}".encode()
        for path in paths
        for domain in domains
        for partitioned in ("", "; Partitioned")
    }


def test_a_browser_without_denied_cookies_is_told_nothing() -> None:
    assert expired(of_page(cookie=b"session=1")) == []
    assert expired(of_page()) == []


def test_nothing_is_expired_for_a_visitor_who_said_nothing() -> None:
    exchange = gate_of_tests().open(request("/", (b"Cookie", b"_ads=1")))
    assert exchange is not None
    assert b"set-cookie" not in drive(exchange, b"<p>", (b"Content-Type", b"text/html"))[0].headers


def test_a_heap_of_denied_cookies_grows_no_header_without_bound_and_the_likeliest_variants_come_first() -> None:
    cookie = b"; ".join(b"_ads_%d=1" % number for number in range(200))
    lines_of = of_page(cookie=cookie, target="/deep/er/still")
    lines = expired(lines_of)
    assert len(lines) == MAX_LINES
    assert all(b"Path=/;" in line for line in lines)


@pytest.mark.parametrize(
    ("destination", "led_to"),
    [
        pytest.param(b"image", b"/_optout/s/generic.js?v=", id="fetched-by-the-page"),
        pytest.param(b"script", b"/_optout/s/generic.js?v=", id="script"),
        pytest.param(b"document", b"https://ads.test/x", id="followed-by-a-person"),
        pytest.param(None, b"/_optout/s/generic.js?v=", id="not-said"),
    ],
)
def test_a_redirect_leads_the_page_to_no_denied_vendor(destination: bytes | None, led_to: bytes) -> None:
    sent = [(b"Sec-Fetch-Dest", destination)] if destination else []
    exchange = gate_of_tests().open(request("/r", OPTED_OUT, *sent))
    assert exchange is not None
    head, _ = drive(exchange, b"", (b"Location", b"https://ads.test/x"), (b"Cache-Control", b"max-age=9"), status=302)
    assert (head.headers.first(b"location") or b"").startswith(led_to)


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        pytest.param([], True, id="none"),
        pytest.param([b"img-src 'self'"], True, id="says-nothing-of-scripts"),
        pytest.param([b"default-src 'self'"], False, id="default"),
        pytest.param([b"default-src 'self'; script-src * 'unsafe-inline'"], True, id="unsafe-inline"),
        pytest.param([b"script-src 'unsafe-inline' 'nonce-a'"], False, id="a-nonce-undoes-it"),
        pytest.param([b"script-src 'unsafe-inline'", b"script-src-elem 'self'"], False, id="both-hold"),
        pytest.param([b"script-src 'unsafe-inline', script-src 'self'"], False, id="both-hold-in-one-line"),
    ],
)
def test_whether_a_policy_lets_a_script_of_the_gates_in_is_read_as_browsers_read_it(
    policy: list[bytes], allowed: bool
) -> None:
    headers = Headers([(b"Content-Security-Policy", value) for value in policy])
    assert response_head.allows_inline(headers) is allowed


@pytest.mark.parametrize("unit", [b"a", b"a,", b"<a>", b'<a>;x="b",', b"\\", b'\\"'])
def test_no_quote_without_an_end_keeps_a_visitor_waiting(unit: bytes) -> None:
    """64 KiB of each, which is done at once or, where bytes are looked at again and again, hardly ever."""
    value = unit * (65_000 // len(unit)) + b'"'
    exchange = gate_of_tests().open(request("/", OPTED_OUT))
    assert exchange is not None
    fields = [(b"Content-Type", b"text/html"), (b"Link", value), (b"Reporting-Endpoints", value)]
    assert exchange.respond(Response(200, Headers(fields))).head.status == 200

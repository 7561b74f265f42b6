"""Strings that agree: toward the origin, toward the browser, and in the browser; and nothing else changes."""

import pytest
from prometheus_client import generate_latest

from optout_gate.http import Headers, Pair, Response
from optout_gate.telemetry.metrics import Metrics
from support.gates import OPTED_OUT, SITE, drive, gate, gate_of_tests, request

PAGE = (b"Content-Type", b"text/html")
STICKY = b"optout_gate=1.1.gpc; Max-Age=33696000; Path=/; Secure; SameSite=Lax"
WRITING = (
    "version: 1\nsites: [{upstream: 'http://127.0.0.1:9', coherence: {write: [usprivacy, gpp, onetrust-google]%s}}]\n"
)


def sent(*lines: Pair, text: str | None = None) -> list[bytes]:
    """Return the ``Cookie`` values that reach the origin."""
    exchange = (gate(text) if text else gate_of_tests()).open(request("/", *lines))
    assert exchange is not None
    return exchange.request.headers.values(b"cookie")


def answered(*lines: Pair, response: tuple[Pair, ...] = (PAGE,), text: str | None = None, **more: str) -> Headers:
    """Return the response's headers as they reach the visitor."""
    exchange = (gate(text) if text else gate_of_tests()).open(request("/", *lines, **more))
    assert exchange is not None
    return exchange.respond(Response(200, Headers(response))).head.headers


def cookie(value: bytes) -> Pair:
    return (b"Cookie", value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (b"usprivacy=1YNN", b"usprivacy=1YYN"),
        (b"a=1;  usprivacy = 1YNN ;b=%7B;", b"a=1;  usprivacy =1YYN;b=%7B;"),
        (b"usprivacy=1YNN; us_privacy=1YNN; usprivacy=1NYN", b"usprivacy=1YYN; us_privacy=1YYN; usprivacy=1NYN"),
        (b"OneTrustWPCCPAGoogleOptOut=false; x", b"OneTrustWPCCPAGoogleOptOut=true; x"),
        (
            b"OptanonConsent=isGpcEnabled=0&groups=C0001%3A1%2CC0004%3A1",
            b"OptanonConsent=isGpcEnabled=1&groups=C0001%3A1%2CC0004%3A0&browserGpcFlag=1",
        ),
        (b"__gpp=DBABLA~BVQqAAAAAgA.QA; __gpp_sid=7", b"__gpp=DBABLA~BVQVAAAAAgA.YA; __gpp_sid=7"),
        (b"klaro=%7B%22x%22%3Atrue%7D", b"klaro=%7B%22x%22%3Atrue%7D"),  # the gate cannot write it
        (b"cart=1; session=\xff\x00weird; =x", b"cart=1; session=\xff\x00weird; =x"),
    ],
)
def test_strings_toward_the_origin_agree_and_all_else_keeps_its_bytes(given: bytes, expected: bytes) -> None:
    assert sent(OPTED_OUT, cookie(given)) == [expected]
    assert sent(cookie(given.replace(b"1NYN", b"1YNN"))) == [given.replace(b"1NYN", b"1YNN")]


def test_lines_stay_as_many_as_they_were() -> None:
    assert sent(OPTED_OUT, cookie(b"a=1"), cookie(b"usprivacy=1YNN")) == [b"a=1", b"usprivacy=1YYN"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            b"usprivacy=1YNN; Path=/x; Domain=.shop.test; HttpOnly",
            b"usprivacy=1YYN; Path=/x; Domain=.shop.test; HttpOnly",
        ),
        (b"OneTrustWPCCPAGoogleOptOut=false", b"OneTrustWPCCPAGoogleOptOut=true"),
        (b"session=usprivacy=1YNN; Path=/", b"session=usprivacy=1YNN; Path=/"),
    ],
)
@pytest.mark.parametrize("kind", [b"text/html", b"application/json"])
def test_what_the_origin_sets_agrees_and_keeps_its_attributes(kind: bytes, given: bytes, expected: bytes) -> None:
    headers = answered(OPTED_OUT, response=((b"Content-Type", kind), (b"Set-Cookie", given)))
    assert headers.values(b"set-cookie")[0] == expected
    assert answered(response=((b"Content-Type", kind), (b"Set-Cookie", given))).values(b"set-cookie") == [given]


def test_what_stands_in_the_browser_is_set_anew_for_the_host_and_the_domains_above_it() -> None:
    headers = answered(OPTED_OUT, cookie(b"optout_gate=1; usprivacy=1YNN"))
    attributes = b"; Max-Age=33696000; Path=/%b; Secure; SameSite=Lax"
    assert headers.values(b"set-cookie") == [
        b"usprivacy=1YYN" + attributes % domain for domain in (b"", b"; Domain=www.shop.test", b"; Domain=shop.test")
    ]
    assert headers.values(b"cache-control") == [b"private"]


@pytest.mark.parametrize(
    ("lines", "response", "method"),
    [
        pytest.param([cookie(b"usprivacy=1YYN")], [PAGE], "GET", id="it-agrees-already"),
        pytest.param([cookie(b"basket=1")], [PAGE], "GET", id="none-stands"),
        pytest.param([cookie(b"usprivacy=1YNN")], [(b"Content-Type", b"text/css")], "GET", id="not-a-page"),
        pytest.param([cookie(b"usprivacy=1YNN"), (b"Sec-Fetch-Dest", b"empty")], [PAGE], "GET", id="a-fragment"),
        pytest.param([cookie(b"usprivacy=1YNN")], [PAGE], "HEAD", id="head"),
    ],
)
def test_nothing_is_set_anew_where_there_is_no_need(lines: list[Pair], response: list[Pair], method: str) -> None:
    headers = answered(OPTED_OUT, cookie(b"optout_gate=1"), *lines, response=tuple(response), method=method)
    assert b"set-cookie" not in headers


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_no_domain_is_named_on_an_address(host: str) -> None:
    headers = answered(cookie(b"optout_gate=1; usprivacy=1YNN"), host=host)
    assert [value for value in headers.values(b"set-cookie") if b"Domain" in value] == []
    assert len(headers.values(b"set-cookie")) == 1


def test_who_refused_only_statistics_has_refused_no_sale() -> None:
    lines = cookie(b"OptanonConsent=groups=C0001%3A1%2CC0002%3A0%2CC0004%3A1; usprivacy=1YNN")
    exchange = gate_of_tests().open(request("/", lines))
    assert exchange is not None and exchange.decision.opted_out
    assert exchange.request.headers.values(b"cookie") == [lines[1]]
    assert b"sec-gpc" not in exchange.request.headers
    assert b"set-cookie" not in exchange.respond(Response(200, Headers([PAGE]))).head.headers


def test_strings_that_the_site_does_not_use_are_written_only_where_it_asks() -> None:
    assert sent(OPTED_OUT) == []
    written = b"usprivacy=1YYN; __gpp=DBABLA~CVQVAAAAAACA.YA; __gpp_sid=7; OneTrustWPCCPAGoogleOptOut=true"
    assert sent(OPTED_OUT, text=WRITING % "") == [written]
    assert sent(OPTED_OUT, cookie(b"a=1; __gpp=DBABBg~BUUAAACA.YA"), text=WRITING % "") == [
        b"a=1; __gpp=DBABBg~BUUAAACA.YA; usprivacy=1YYN; OneTrustWPCCPAGoogleOptOut=true"
    ]
    assert sent(text=WRITING % "") == []
    names = [
        value.partition(b"=")[0]
        for value in answered(OPTED_OUT, cookie(b"optout_gate=1"), text=WRITING % "").values(b"set-cookie")
    ]
    assert names == [b"usprivacy", b"__gpp", b"__gpp_sid", b"OneTrustWPCCPAGoogleOptOut"]


def test_a_string_is_worded_as_the_site_configures() -> None:
    text = WRITING % ", notice_given: false, lspa: true, gpp_sections: [8]"
    assert sent(OPTED_OUT, text=text) == [
        b"usprivacy=1NYY; __gpp=DBABBg~BUUAAACA.YA; __gpp_sid=8; OneTrustWPCCPAGoogleOptOut=true"
    ]
    assert sent(OPTED_OUT, cookie(b"usprivacy=1---; __gpp=x; OneTrustWPCCPAGoogleOptOut=true"), text=text)[0][:14] == (
        b"usprivacy=1NYY"
    )


def test_a_sites_own_onetrust_groups_are_read_and_written() -> None:
    text = "version: 1\nsites: [{upstream: 'http://127.0.0.1:9', onetrust_groups: {BG7: [sale], C0004: []}}]\n"
    exchange = gate(text).open(request("/", cookie(b"OptanonConsent=groups=BG7:0,C0004:1")))
    assert exchange is not None and exchange.decision.do_not_sell
    assert sent(OPTED_OUT, cookie(b"OptanonConsent=groups=BG7:1,C0004:1"), text=text)[0].startswith(
        b"OptanonConsent=groups=BG7:0,C0004:1&"
    )


@pytest.mark.parametrize("mode", ["observe", "off"])
def test_nothing_is_made_to_agree_unless_the_site_enforces(mode: str) -> None:
    text = f"version: 1\nsites: [{{upstream: 'http://127.0.0.1:9', mode: '{mode}', coherence: {{write: [gpp]}}}}]\n"
    lines = (PAGE, (b"Set-Cookie", b"usprivacy=1YNN"))
    assert sent(OPTED_OUT, cookie(b"usprivacy=1YNN"), text=text) == [b"usprivacy=1YNN"]
    assert answered(OPTED_OUT, cookie(b"usprivacy=1YNN"), response=lines, text=text).pairs == lines


def test_a_line_that_would_break_the_header_is_never_set() -> None:
    headers = answered(OPTED_OUT, cookie(b"optout_gate=1; cookieyes-consent=\x01advertisement:yes"))
    assert b"set-cookie" not in headers


def test_contradictions_are_told_by_pair() -> None:
    exchange = gate_of_tests().open(request("/", OPTED_OUT, cookie(b"usprivacy=1YNN; optout_gate=0; _ga=1")))
    assert exchange is not None
    assert exchange.report.contradictions == [("cookie", "gpc"), ("gpc", "usprivacy")]
    agreeing = gate_of_tests().open(request("/", OPTED_OUT, cookie(b"usprivacy=1YYN; optout_gate=1")))
    assert agreeing is not None and not agreeing.report.contradictions


def test_contradictions_and_what_was_not_read_are_counted() -> None:
    metrics = Metrics()
    for lines in ([OPTED_OUT, cookie(b"usprivacy=1YNN")], [cookie(b"usprivacy=" + b"1" * 9000)]):
        exchange = gate_of_tests().open(request("/", *lines))
        assert exchange is not None
        metrics.record(exchange.report, seconds=0.0)
    text = generate_latest(metrics.registry).decode()
    assert 'optout_gate_signal_contradictions_total{one="gpc",other="usprivacy"} 1.0' in text
    assert 'optout_gate_signal_anomalies_total{kind="cookie_unread"} 1.0' in text
    assert 'signal="unread"' in text


@pytest.mark.parametrize(
    ("lines", "remembered"),
    [
        pytest.param([OPTED_OUT], True, id="the-signal"),
        pytest.param([(b"Sec-GPC", b"0, 1")], True, id="the-signal-folded"),
        pytest.param([OPTED_OUT, cookie(b"optout_gate=0")], True, id="over-a-consent-that-knew-nothing"),
        pytest.param([OPTED_OUT, cookie(b"optout_gate=0.1.none.20261101")], True, id="over-one-without-the-signal"),
        pytest.param([OPTED_OUT, cookie(b"optout_gate=0.1.gpc.20261101")], False, id="not-over-an-informed-one"),
        pytest.param([OPTED_OUT, cookie(b"optout_gate=1")], False, id="it-stands-already"),
        pytest.param([cookie(b"usprivacy=1YYN")], False, id="a-string-keeps-itself"),
        pytest.param([(b"DNT", b"1")], False, id="dnt"),
        pytest.param([], False, id="no-signal"),
    ],
)
def test_the_browsers_signal_is_remembered_in_the_cookie(lines: list[Pair], remembered: bool) -> None:
    assert (STICKY in answered(*lines).values(b"set-cookie")) is remembered


def test_the_page_that_brings_the_cookie_is_for_this_visitor_alone_and_the_next_may_be_shared() -> None:
    assert answered(OPTED_OUT).values(b"cache-control") == [b"private"]
    assert b"cache-control" not in answered(OPTED_OUT, cookie(b"optout_gate=1.1.gpc"))


def test_no_request_but_for_a_page_is_answered_with_the_cookie() -> None:
    assert b"set-cookie" not in answered(OPTED_OUT, response=((b"Content-Type", b"text/css"),))
    assert b"set-cookie" not in answered(OPTED_OUT, (b"Sec-Fetch-Dest", b"iframe"))
    assert b"set-cookie" not in answered(OPTED_OUT, text=SITE + "policies: {default: {sticky: false}}\n")


def test_a_remembered_opt_out_is_enforced_without_the_signal() -> None:
    exchange = gate_of_tests().open(request("/", cookie(b"optout_gate=1.1.gpc")))
    assert exchange is not None
    head, body = drive(exchange, b'<script src="https://ads.test/a.js"></script>')
    assert b"ads.test" not in body
    assert exchange.request.headers.values(b"sec-gpc") == [b"1"]
    assert head.headers.values(b"cache-control") == [b"private"]

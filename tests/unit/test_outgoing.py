"""What the site's own server is sent for a visitor who opted out: without denied vendors' cookies and ids of clicks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optout_gate.exchange import Exchange
from optout_gate.http import Pair
from support.gates import OPTED_OUT, SITE, gate, gate_of_tests, request

REFERER = b"Referer"


def sent(target: str, *lines: Pair, text: str = SITE) -> Exchange:
    chosen = gate_of_tests() if text is SITE else gate(text)
    exchange = chosen.open(request(target, *lines))
    assert exchange is not None
    return exchange


def cookies(*lines: bytes, signal: Pair | None = OPTED_OUT, text: str = SITE) -> list[bytes]:
    """Return the Cookie lines that the origin gets; the tests' vendor sets ``_ads`` and ``_ads_*``."""
    signals = [signal] if signal else []
    return sent("/", *signals, *[(b"Cookie", line) for line in lines], text=text).request.headers.values(b"cookie")


@pytest.mark.parametrize(
    ("came", "goes"),
    [
        pytest.param([b"_ads=1"], [], id="nothing-else-there"),
        pytest.param([b"a=1; _ads=2; b=3"], [b"a=1; b=3"], id="in-the-middle"),
        pytest.param([b"_ads=2; a=1"], [b"a=1"], id="first"),
        pytest.param([b"a=1; _ads_x=2"], [b"a=1"], id="last"),
        pytest.param([b"_ads=1; _ads_b=2;  c=3"], [b"c=3"], id="several-at-the-front"),
        pytest.param([b'a="x;y";b=  2 ;;_ads=1;c'], [b'a="x;y";b=  2 ;;c'], id="odd-bytes-of-the-rest-stay"),
        pytest.param([b"_adsx=1; __ads=1; ads=1"], [b"_adsx=1; __ads=1; ads=1"], id="names-that-only-look-alike"),
        pytest.param([b"a=_ads=1"], [b"a=_ads=1"], id="in-a-value"),
        pytest.param([b"_ads=1", b"a=2; _ads_=3"], [b"a=2"], id="several-lines"),
        pytest.param([b"s=\xff\x00; _ads=\xfe"], [b"s=\xff\x00"], id="bytes-that-are-no-text"),
    ],
)
def test_denied_vendors_cookies_are_cut_out_and_the_rest_keeps_its_bytes(came: list[bytes], goes: list[bytes]) -> None:
    assert cookies(*came) == goes
    assert cookies(*came, signal=None) == [line.strip() for line in came]


def test_cookies_in_which_an_opt_out_stands_stay() -> None:
    line = b"optout_gate=1; usprivacy=1YYN; OptanonConsent=x; __gpp=y; _ads=1"
    assert cookies(line, signal=None)[0].startswith(b"optout_gate=1; usprivacy=1YYN; OptanonConsent=")
    assert b"_ads" not in cookies(line, signal=None)[0]


def test_a_signals_cookie_stays_even_if_somebody_calls_it_a_vendors() -> None:
    trackers = "trackers: {extra: [{vendor: odd, purposes: [analytics], cookies: [usprivacy, plain]}]}\n"
    exchange = gate(SITE, trackers=trackers).open(request("/", OPTED_OUT, (b"Cookie", b"usprivacy=1YYN; plain=1")))
    assert exchange is not None
    assert exchange.request.headers.values(b"cookie") == [b"usprivacy=1YYN"]


def test_what_was_cut_is_in_the_report_by_vendor() -> None:
    exchange = sent("/?adclid=1", OPTED_OUT, (b"Cookie", b"_ads=1; _ads_b=2"), (REFERER, b"https://x.test/?adclid=2"))
    assert exchange.report.outgoing.counts == {
        ("test-ads", "advertising", "sent_cookie"): 2,
        ("test-ads", "advertising", "sent_click_id"): 2,
    }


def test_observe_mode_lists_what_it_would_cut_and_cuts_nothing() -> None:
    lines = (OPTED_OUT, (b"Cookie", b"_ads=1"), (REFERER, b"https://x.test/?adclid=2"))
    exchange = sent("/?adclid=1", *lines, text=SITE.rstrip() + "\n    mode: observe\n")
    assert exchange.request.target == b"/?adclid=1"
    assert exchange.request.headers.pairs[1:] == lines
    assert len(exchange.report.outgoing) == 3


@pytest.mark.parametrize(
    ("came", "goes"),
    [
        ("/p?adclid=1", "/p"),
        ("/p?a=1&adclid=x%3D&b=%2F", "/p?a=1&b=%2F"),
        ("/p?adclid", "/p"),
        ("/p?%61dclid=1&b", "/p?b"),
        ("/p?a=adclid=1", "/p?a=adclid=1"),
        ("/p?Adclid=1&xadclid=1", "/p?Adclid=1&xadclid=1"),
        ("/p?&&adclid=1&", "/p?&&"),
        ("/p?", "/p?"),
        ("/adclid=1", "/adclid=1"),
        ("/p?a=1?adclid=2", "/p?a=1?adclid=2"),
    ],
)
def test_click_ids_leave_the_address_and_the_referer_and_nothing_else_does(came: str, goes: str) -> None:
    exchange = sent(came, OPTED_OUT, (REFERER, b"https://ads.example" + came.encode()))
    assert exchange.request.target == goes.encode()
    assert exchange.request.headers.values(b"referer") == [b"https://ads.example" + goes.encode()]
    assert sent(came).request.target == came.encode()


def test_click_ids_stay_where_the_policy_keeps_them() -> None:
    keeping = SITE + "policies: {default: {click_ids: keep}}\n"
    exchange = sent("/?adclid=1", OPTED_OUT, (REFERER, b"https://x.test/?adclid=2"), text=keeping)
    assert exchange.request.target == b"/?adclid=1"
    assert exchange.request.headers.values(b"referer") == [b"https://x.test/?adclid=2"]
    assert not exchange.report.outgoing


def test_the_page_is_still_read_by_the_address_that_the_visitor_sees() -> None:
    assert sent("/p?adclid=1", OPTED_OUT).visitor.target == b"/p?adclid=1"


_PARTS = st.lists(
    st.one_of(
        st.binary(max_size=12).map(lambda raw: bytes(each for each in raw if each > 0x20 and each not in b"&?%")),
        st.sampled_from([b"adclid=1", b"adclid", b"%61dclid=%00", b"a=1", b""]),
    ),
    max_size=8,
)


@given(_PARTS)
def test_whatever_else_stands_in_a_query_keeps_its_bytes_and_order(parts: list[bytes]) -> None:
    kept = [part for part in parts if part.partition(b"=")[0] not in (b"adclid", b"%61dclid")]
    target = (b"/p?" + b"&".join(parts)).decode("latin-1")
    exchange = gate_of_tests().open(request("/", OPTED_OUT, (REFERER, target.encode("latin-1"))))
    assert exchange is not None
    stripped = exchange.request.headers.values(b"referer")
    if len(kept) == len(parts):
        assert stripped == [target.encode("latin-1").strip()]
    else:
        assert stripped == [b"/p" + (b"?" if kept else b"") + b"&".join(kept)]


_SEGMENTS = st.sampled_from([b"_ads=1", b" _ads_q=2", b"a=1", b"  b = 2 ", b"", b" c", b"\xff=\x00"])


@given(st.lists(_SEGMENTS, min_size=1, max_size=8))
def test_whatever_else_stands_in_cookie_keeps_its_bytes_and_order(parts: list[bytes]) -> None:
    kept = [part for part in parts if b"_ads" not in part]
    expected = b";".join(kept)
    if b"_ads" in parts[0]:
        expected = expected.lstrip()  # of what was not the first before
    exchange = gate_of_tests().open(request("/", OPTED_OUT, (b"Cookie", b";".join(parts))))
    assert exchange is not None
    lines = [value for name, value in exchange.request.headers if name == b"Cookie"]
    assert lines == ([expected] if expected or kept == parts else [])

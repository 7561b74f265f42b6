"""Which signals count and for what: from what was said, to purposes, to vendors, with the evidence."""

import pytest

from optout_gate.http import Headers, Pair, Response
from optout_gate.policy.config import Action, Mode, PolicyConfig
from optout_gate.policy.decision import Decision, Policy
from optout_gate.signals.formats import FORMATS
from optout_gate.signals.kinds import FAMILIES, KINDS
from optout_gate.signals.reading import read
from optout_gate.trackers.purposes import Purpose
from support.gates import OPTED_OUT, SITE, gate, gate_of_tests, request

ALL = {"advertising", "analytics", "session_replay", "social", "personalization", "tag_management"}
SALE = {"advertising", "social", "personalization", "tag_management"}
GPC = ["Sec-GPC: 1"]
US = ["Cookie: usprivacy=1YYN"]
STATISTICS = ["Cookie: OptanonConsent=groups=C0001:1,C0002:0,C0004:1"]
IN = ["Cookie: OptanonConsent=groups=C0001:1,C0002:1,C0004:1; __gpp=DBABLA~BVQqAAAAAgA.QA; usprivacy=1YNN"]
HUGE = [f"Cookie: usprivacy={'1' * 9000}"]


def made(lines: list[str], policy: dict[str, object] | None = None, path: str = "/") -> Decision:
    headers = Headers([(name.encode(), value.strip().encode()) for name, _, value in (x.partition(":") for x in lines)])
    ready = Policy("p", PolicyConfig.model_validate(policy or {}), gate_of_tests().catalog)
    return ready.decide(Mode.ENFORCE, read(headers, cookie_name="optout_gate"), path)


@pytest.mark.parametrize(
    ("lines", "honor", "denied"),
    [
        (GPC, ["all"], ALL),
        (US, ["all"], SALE),
        (STATISTICS, ["all"], {"analytics", "session_replay"}),
        (IN, ["all"], set()),
        ([*GPC, *IN], ["all"], ALL),
        (["Cookie: usprivacy=1YNN; us_privacy=1YYN"], ["all"], SALE),
        (["Cookie: __gpp=garbage; CookieConsent=-1; usprivacy=1---"], ["all"], set()),
        (["Cookie: __gpp=garbage; usprivacy=1YYN"], ["all"], SALE),
        (US, ["gpc", "cookie"], set()),
        (US, ["iab"], SALE),
        (US, ["cmp"], set()),
        (STATISTICS, ["cmp"], {"analytics", "session_replay"}),
        (STATISTICS, ["onetrust"], {"analytics", "session_replay"}),
        (US, {"usprivacy": "everything"}, ALL),
        (US, {"all": "everything", "usprivacy": "nothing"}, set()),
        (US, {"usprivacy": "nothing", "iab": "as_said", "all": "everything"}, set()),
        (US, {"usprivacy": ["advertising", "performance"]}, {"advertising"}),
        (US, {"usprivacy": []}, set()),
        (GPC, {"all": "as_said", "gpc": ["advertising"]}, {"advertising"}),
        (
            [*GPC, *STATISTICS],
            {"all": "as_said", "gpc": ["advertising"]},
            {"advertising", "analytics", "session_replay"},
        ),
        (["DNT: 1"], ["all"], set()),
        (["DNT: 1"], ["dnt"], ALL),
        (HUGE, ["all"], SALE),
        (HUGE, ["cmp"], SALE),
        (HUGE, ["gpc", "cookie"], set()),
    ],
)
def test_what_is_denied_is_all_that_the_honoured_signals_refuse(
    lines: list[str], honor: object, denied: set[str]
) -> None:
    decision = made(lines, {"honor": honor})
    assert decision.denied == {Purpose(each) for each in denied}
    assert decision.opted_out is bool(denied)


def test_a_purpose_that_the_policy_does_not_deny_is_not_denied_by_any_signal() -> None:
    assert made([*GPC, *US], {"deny": ["analytics"]}).denied == {Purpose.ANALYTICS}
    assert not made(STATISTICS, {"deny": ["advertising"]}).opted_out


def test_vendors_are_answered_for_what_was_refused() -> None:
    vendors = gate_of_tests().catalog.vendors
    refused_sale, refused_statistics = made(US), made(STATISTICS)
    assert refused_sale.answer(vendors["test-ads"]).action is Action.BLOCK
    assert refused_sale.answer(vendors["test-replay"]).words == "the visitor did not refuse session_replay"
    assert refused_statistics.answer(vendors["test-ads"]).action is Action.ALLOW
    assert refused_statistics.answer(vendors["test-replay"]).action is Action.BLOCK


def test_every_denied_purpose_names_the_signals_that_led_to_it() -> None:
    decision = made([*US, *GPC])
    assert [str(getattr(each, "words", each)) for each in decision.evidence(Purpose.ADVERTISING)] == [
        "Sec-GPC: 1",
        "usprivacy: opted out of sale",
    ]
    assert [getattr(each, "words", "") for each in decision.evidence(Purpose.ANALYTICS)] == ["Sec-GPC: 1"]
    assert decision.evidence(Purpose.PERFORMANCE) == ()


def test_a_page_that_a_cookie_decided_is_not_for_shared_caches_and_one_the_signal_decided_is() -> None:
    assert made(US).needs_cookies and made([*STATISTICS]).needs_cookies
    assert not made(GPC).needs_cookies and not made([*GPC, *US]).needs_cookies
    assert made([*GPC, *US], {"honor": {"gpc": ["analytics"], "usprivacy": "as_said"}}).needs_cookies
    assert not made([], {"always": ["/*"]}).needs_cookies


@pytest.mark.parametrize(("setting", "opted_out"), [("ignore", True), ("honor", False)])
@pytest.mark.parametrize("record", ["0.1.gpc.20261123"])
def test_a_consent_in_knowledge_of_the_signal_overrides_it_only_where_the_policy_allows(
    setting: str, opted_out: bool, record: str
) -> None:
    lines = [*GPC, f"Cookie: optout_gate={record}"]
    assert made(lines, {"informed_consent": setting}).opted_out is opted_out


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([*GPC, "Cookie: optout_gate=0"], id="a-consent-without-a-record"),
        pytest.param([*GPC, "Cookie: optout_gate=0.1.none.20261123"], id="one-that-knew-of-no-signal"),
        pytest.param([*GPC, "Cookie: optout_gate=0.1.gpc.20261123; usprivacy=1YYN"], id="another-signal"),
        pytest.param([*GPC, "Cookie: optout_gate=0.1.gpc.20261123; optout_gate=1"], id="an-opt-out-beside-it"),
        pytest.param([*GPC, *IN], id="a-platforms-accept"),
    ],
)
def test_no_other_consent_overrides_anything(lines: list[str]) -> None:
    assert made(lines, {"informed_consent": "honor"}).do_not_sell


def test_a_page_for_an_informed_consent_is_not_shared_with_others_who_send_the_signal() -> None:
    text = SITE + "policies: {default: {informed_consent: honor}}\n"
    record: Pair = (b"Cookie", b"optout_gate=0.1.gpc.20261123")
    exchange = gate(text).open(request("/", OPTED_OUT, record))
    assert exchange is not None
    head = exchange.respond(Response(200, Headers([(b"Content-Type", b"text/html")]))).head
    assert head.headers.values(b"cache-control") == [b"private"]
    assert b"set-cookie" not in head.headers


def test_path_rules_hold_for_everyone_beside_what_was_refused() -> None:
    policy: dict[str, object] = {"always": ["/member/*"], "deny": ["analytics", "advertising"]}
    decision = made(US, policy, "/member/x")
    assert decision.denied == {Purpose.ANALYTICS, Purpose.ADVERTISING}
    assert [str(each) for each in decision.evidence(Purpose.ANALYTICS)] == ["denied for everyone on /member/*"]
    assert (decision.signal, decision.always) == ("usprivacy", "/member/*")
    assert not made([], policy, "/member").do_not_sell


def test_families_are_closed_and_do_not_track_is_in_none() -> None:
    assert FAMILIES["all"] == KINDS - {"dnt"} and FAMILIES["all"] >= FORMATS | {"gpc", "cookie"}
    assert FAMILIES["iab"] | FAMILIES["cmp"] == FORMATS and not FAMILIES["iab"] & FAMILIES["cmp"]

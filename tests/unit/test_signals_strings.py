"""US Privacy, TC and OneTrust strings, statements, and what lies between a platform and the wire."""

from urllib.parse import quote

import pytest

from optout_gate.signals import escapes, onetrust, tcf, usprivacy
from optout_gate.signals.statement import NOTHING, Answer, Statement, merged

OUT, IN, UNKNOWN = Answer.OUT, Answer.IN, Answer.UNKNOWN

REAL = (  # a OneTrust cookie as sites send it, less its id
    "isGpcEnabled={gpc}&datestamp=Wed+Feb+01+2023+09%3A14%3A02+GMT-0500+(Eastern+Standard+Time)&version=202209.1.0"
    "&browserGpcFlag={gpc}&isIABGlobal=false&hosts=&interactionCount=1&isAnonUser=1&landingPath=NotLandingPage"
    "&groups=C0001%3A1%2CC0002%3A0%2CC0003%3A1%2CC0004%3A{ads}%2CC0005%3A{ads}&geolocation=US%3BCA&AwaitingReconsent=false"
)


# --- statements


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [(OUT, IN, OUT), (OUT, UNKNOWN, OUT), (IN, UNKNOWN, IN), (IN, IN, IN), (UNKNOWN, UNKNOWN, UNKNOWN)],
)
def test_out_beats_in_and_unknown_clears_nothing(one: Answer, other: Answer, expected: Answer) -> None:
    assert Statement(sale=one).merge(Statement(sale=other)).sale is expected
    assert Statement(sale=other).merge(Statement(sale=one)).sale is expected


def test_analytics_refused_is_not_an_opt_out_of_sale() -> None:
    assert not Statement(analytics=OUT, session_replay=OUT).opted_out


def test_one_of_sale_sharing_and_targeting_refused_is_an_opt_out() -> None:
    for use in ("sale", "sharing", "targeted_advertising"):
        said = Statement(**{use: OUT}).merge(Statement.advertising(IN, ""))
        assert said.opted_out


def test_merging_keeps_each_evidence_once() -> None:
    said = merged([Statement(evidence="a"), NOTHING, Statement(evidence="b"), Statement(evidence="a")])
    assert said.evidence.split("; ").count("b") == 1
    assert merged([]) == NOTHING


# --- US Privacy


@pytest.mark.parametrize(
    ("value", "sale"),
    [
        pytest.param("1YYN", OUT, id="opted-out"),
        pytest.param("1yyn", OUT, id="lower-case"),
        pytest.param("1-Y-", OUT, id="outsourced"),
        pytest.param("1NYN", OUT, id="no-notice"),
        pytest.param("1YNN", IN, id="not-opted-out"),
        pytest.param("1---", UNKNOWN, id="the-law-does-not-apply-is-not-an-opt-in"),
        pytest.param("1YY", UNKNOWN, id="three-characters"),
        pytest.param("1YYNN", UNKNOWN, id="five-characters"),
        pytest.param("2YYN", UNKNOWN, id="another-version"),
        pytest.param("1YXN", UNKNOWN, id="another-letter"),
        pytest.param("1YYN\n", UNKNOWN, id="a-line-break-behind"),
        pytest.param('"1YYN"', OUT, id="quoted"),
        pytest.param("%31%59%59%4E", OUT, id="percent-encoded"),
        pytest.param("%2531YYN", OUT, id="percent-encoded-twice"),
        pytest.param("%252531YYN", UNKNOWN, id="percent-encoded-three-times-is-nobodys"),
        pytest.param("%7B%22uspString%22%3A%221YYN%22%2C%22optOutDate%22%3Anull%7D", OUT, id="iubendas-json"),
        pytest.param("%7B%22uspString%22%3A%221YN-%22%7D", IN, id="iubendas-json-not-opted-out"),
        pytest.param("", UNKNOWN, id="empty"),
        pytest.param("1YYN" + "A" * 20_000, UNKNOWN, id="huge"),
    ],
)
def test_a_us_privacy_string_says_what_its_third_character_says(value: str, sale: Answer) -> None:
    assert usprivacy.read(value).sale is sale
    assert usprivacy.read(value.encode()).sale is sale
    assert usprivacy.read(value).sharing is UNKNOWN


@pytest.mark.parametrize(
    ("previous", "expected"),
    [
        (None, "1YYN"),
        ("1YNN", "1YYN"),
        ("1NNY", "1NYY"),
        ("1---", "1YYN"),
        ("1-N-", "1YYN"),
        ("1ynn", "1YYN"),
        ("1YYN", "1YYN"),
        ("garbage", "1YYN"),
        ('"1YNN"', '"1YYN"'),
        (
            "%7B%22uspString%22%3A%221YN-%22%2C%22optOutDate%22%3Anull%7D",
            "%7B%22uspString%22%3A%221YYN%22%2C%22optOutDate%22%3Anull%7D",
        ),
    ],
)
def test_a_us_privacy_string_is_written_opted_out(previous: str | None, expected: str) -> None:
    assert usprivacy.opted_out(previous) == expected


def test_the_site_says_what_the_string_did_not() -> None:
    assert usprivacy.opted_out("1---", notice_given=False, lspa=True) == "1NYY"
    assert usprivacy.opted_out("1YNN", notice_given=False, lspa=True) == "1YYN"


# --- TCF


@pytest.mark.parametrize(
    ("value", "stands"),
    [("CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA", True), ("DBABLA~BVQVAAAAAgA", False), ("", False)],
)
def test_a_tc_string_answers_nothing(value: str, stands: bool) -> None:
    assert tcf.read(value).silent
    assert ("stands" in tcf.read(value).evidence) is stands


# --- OneTrust


@pytest.mark.parametrize(
    ("value", "advertising", "analytics"),
    [
        pytest.param(REAL.format(gpc=0, ads=0), OUT, OUT, id="real-refused"),
        pytest.param(REAL.format(gpc=0, ads=1), IN, OUT, id="real-allowed"),
        pytest.param(REAL.format(gpc=1, ads=1), OUT, OUT, id="applied-gpc-but-left-targeting-on"),
        pytest.param(quote(REAL.format(gpc=0, ads=0)), OUT, OUT, id="percent-encoded-as-a-whole"),
        pytest.param(quote(quote(REAL.format(gpc=0, ads=0))), OUT, OUT, id="and-once-more"),
        pytest.param("groups=1:1,2:0,3:0,4:0", OUT, OUT, id="numbers"),
        pytest.param("groups=C1:1,C2:1,C4:1", IN, IN, id="short-ids"),
        pytest.param("groups=C0001:1,OSSTA_BG:0", OUT, UNKNOWN, id="the-us-templates-group"),
        pytest.param("groups=C0001%3A1&groups=C0004%3A0", OUT, UNKNOWN, id="groups-twice"),
        pytest.param("groups=C0004%3A1,C0004%3A0", OUT, UNKNOWN, id="a-group-twice"),
        pytest.param("groups=BG349:0,dsh:0", UNKNOWN, UNKNOWN, id="ids-only-the-site-knows"),
        pytest.param("groups=C0004", UNKNOWN, UNKNOWN, id="a-group-without-an-answer"),
        pytest.param("groups=&isGpcEnabled=", UNKNOWN, UNKNOWN, id="empty-fields"),
        pytest.param("isGpcEnabled=1", OUT, UNKNOWN, id="the-flag-alone"),
        pytest.param("browserGpcFlag=1&isGpcEnabled=0", OUT, UNKNOWN, id="the-browser-sent-gpc"),
        pytest.param("isGpcEnabled=0", UNKNOWN, UNKNOWN, id="no-flag-is-no-consent"),
        pytest.param("true", UNKNOWN, UNKNOWN, id="another-cookie-of-that-name"),
    ],
)
def test_onetrust_flags_and_groups_are_read(value: str, advertising: Answer, analytics: Answer) -> None:
    said = onetrust.read(value)
    assert (said.targeted_advertising, said.analytics) == (advertising, analytics)
    assert said.opted_out is (advertising is OUT)


def test_onetrust_flags_and_groups_are_two_readings_so_that_they_can_disagree() -> None:
    value = REAL.format(gpc=1, ads=1)
    assert onetrust.read_flags(value).sale is OUT
    assert onetrust.read_groups(value).sale is IN


def test_social_media_refused_is_sharing_refused() -> None:
    said = onetrust.read("groups=C0004:1,C0005:0")
    assert (said.sharing, said.targeted_advertising) == (OUT, IN)


def test_a_site_names_its_own_groups() -> None:
    groups = {"BG349": ("sale",)}
    assert onetrust.read("groups=BG349:0", groups).sale is OUT
    assert onetrust.opted_out("groups=BG349:1,x:1", groups) == "groups=BG349:0,x:1&isGpcEnabled=1&browserGpcFlag=1"


def test_onetrust_evidence_holds_no_identifier() -> None:
    evidence = onetrust.read("consentId=0b5e9f6c-1111&groups=C0004:0&isGpcEnabled=1").evidence
    assert "0b5e" not in evidence
    assert "refused" in evidence


def test_an_opted_out_onetrust_cookie_differs_only_where_it_must() -> None:
    before = REAL.format(gpc=0, ads=1)
    assert onetrust.opted_out(before) == REAL.format(gpc=1, ads=0)
    assert onetrust.opted_out(REAL.format(gpc=1, ads=0)) == REAL.format(gpc=1, ads=0)


def test_an_encoded_onetrust_cookie_is_written_in_its_own_encoding() -> None:
    encoded = quote(REAL.format(gpc=0, ads=1), safe="")
    assert onetrust.opted_out(encoded) == quote(REAL.format(gpc=1, ads=0), safe="")


def test_what_is_no_onetrust_cookie_is_not_written() -> None:
    assert onetrust.opted_out("true") is None


@pytest.mark.parametrize(
    ("value", "sale"), [("true", OUT), ("TRUE", OUT), ("false", IN), ("", UNKNOWN), ("1", UNKNOWN)]
)
def test_onetrusts_cookie_for_google_says_true_for_opted_out(value: str, sale: Answer) -> None:
    assert onetrust.read_google_opt_out(value).sale is sale


def test_a_closed_banner_says_nothing_about_the_button() -> None:
    assert onetrust.read_alert_box_closed("2025-04-04T17:45:18.074Z").silent


# --- what lies between


def test_layers_go_from_the_wire_inward_and_no_deeper_than_two() -> None:
    assert list(escapes.layers("a%2525252Fb")) == ["a%2525252Fb", "a%25252Fb", "a%252Fb"]
    assert list(escapes.layers('"a\\"b\\054c\\303\\251"')) == ['a"b,cé']
    assert list(escapes.layers("x" * (escapes.MAX_VALUE_BYTES + 1))) == []


@pytest.mark.parametrize(
    "value",
    [
        'old%3B%20new%2C"',
        "%257Bold%257D",
        '"old\\054 \\303\\251"',
        "(old)%20!*'~",
        "old",
    ],
)
def test_a_rewritten_value_is_encoded_as_the_old_one_was(value: str) -> None:
    new = escapes.rewritten(value, lambda text: text.replace("old", "new") if "%" not in text else None)
    assert new == value.replace("old", "new")


def test_rewriting_lets_no_line_break_out_of_its_escape() -> None:
    def rewrite(text: str) -> str | None:
        return text + "!" if "\n" in text or "\r" in text else None

    for value in ('"a\\015\\012b"', "a%0D%0Ab", "a%250D%250Ab"):
        new = escapes.rewritten(value, rewrite)
        assert new is not None
        assert new.isprintable()


def test_json_of_any_depth_is_read_or_refused() -> None:
    assert escapes.json_object('{"a":' * 4000 + "1" + "}" * 4000) is None
    assert escapes.json_object("[1]") is None
    assert escapes.json_text({"a": "é;"}) == '{"a":"\\u00e9\\u003b"}'

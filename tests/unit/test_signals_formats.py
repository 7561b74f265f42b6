"""The registry of consent cookies: what is read, what is bounded, what contradicts what."""

import re
from pathlib import Path

import pytest

from optout_gate.signals import escapes, formats, onetrust
from optout_gate.signals.statement import NOTHING, Answer, Statement, merged

_DOCS = Path(__file__).resolve().parents[2] / "docs" / "signals.md"

OUT, IN = Answer.OUT, Answer.IN


def refused(*lines: bytes) -> bool:
    return merged(reading.statement for reading in formats.read_cookies(lines)).opted_out


# --- reading a request


def test_no_cookie_is_no_reading() -> None:
    assert formats.read_cookies([]) == []
    assert formats.read_cookies([b"session=abc; _ga=GA1.1.1; lone"]) == []


@pytest.mark.parametrize("name", [b"usprivacy", b"us_privacy", b"us-privacy"])
def test_us_privacy_is_read_under_all_three_names(name: bytes) -> None:
    [reading] = formats.read_cookies([name + b"=1YYN"])
    assert (reading.format, reading.cookie) == ("usprivacy", name.decode())
    assert reading.statement.sale is OUT


@pytest.mark.parametrize("name", [b"USPRIVACY", b"usprivacy2", b"x_fides_consent", b"ENSIGHTEN_PRIVACY_Advertising"])
def test_cookie_names_are_case_sensitive_and_whole(name: bytes) -> None:
    assert formats.read_cookies([name + b"=1YYN"]) == []


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        (b"fides_consent_site-1", "fides"),
        (b"_iub_cs-12345678", "iubenda"),
        (b"DELTA_ENSIGHTEN_PRIVACY_Advertising", "ensighten"),
        (b"kndctr_ABC_AdobeOrg_consent", "adobe"),
        (b"ppms_privacy_1", "piwik-pro"),
    ],
)
def test_patterned_names_are_found(name: bytes, format_: str) -> None:
    assert [cookie.format for cookie in formats.readers(name)] == [format_]


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([b"usprivacy=1YNN; usprivacy=1YYN"], id="on-one-line"),
        pytest.param([b"usprivacy=1YYN; usprivacy=1YNN"], id="whichever-comes-first"),
        pytest.param([b"usprivacy=1YNN", b"usprivacy=1YYN"], id="on-two-lines"),
    ],
)
def test_every_value_of_a_repeated_name_is_read_and_the_most_restrictive_wins(lines: list[bytes]) -> None:
    assert len(formats.read_cookies(lines)) == 2
    assert refused(*lines)


def test_the_same_cookie_twice_is_one_reading() -> None:
    assert len(formats.read_cookies([b"usprivacy=1YYN; usprivacy=1YYN"])) == 1


def test_onetrusts_flags_and_groups_are_two_readings_of_one_cookie() -> None:
    readings = formats.read_cookies([b"OptanonConsent=isGpcEnabled=1&groups=C0004:1"])
    assert [reading.format for reading in readings] == ["onetrust-gpc", "onetrust"]


def test_a_sites_own_onetrust_groups_are_read_and_written() -> None:
    groups = {**onetrust.GROUPS, "BG349": ("sale",)}
    readings = formats.read_cookies([b"OptanonConsent=groups=BG349:0"], groups)
    assert readings[1].statement.sale is OUT
    written = formats.opted_out(b"OptanonConsent", b"isGpcEnabled=1&browserGpcFlag=1&groups=BG349:1", groups)
    assert written == b"isGpcEnabled=1&browserGpcFlag=1&groups=BG349:0"


def test_a_value_no_browser_stores_is_reported_unread_and_counts_as_an_opt_out() -> None:
    [reading] = formats.read_cookies([b"usprivacy=" + b"1" * (escapes.MAX_VALUE_BYTES + 1)])
    assert reading.format == formats.UNREAD
    assert reading.statement.opted_out
    assert "not read" in reading.statement.evidence


def test_more_consent_cookies_than_any_browser_keeps_are_reported_and_count_as_an_opt_out() -> None:
    lines = [b"; ".join(b"cmplz_marketing=allow%d" % n for n in range(formats.MAX_READ_COOKIES + 50))]
    readings = formats.read_cookies(lines)
    assert len(readings) == formats.MAX_READ_COOKIES + 1
    assert readings[-1].format == formats.UNREAD
    assert refused(*lines)


def test_any_number_of_other_cookies_hides_nothing() -> None:
    assert refused(b"; ".join(b"c%d=v" % n for n in range(5000)) + b"; usprivacy=1YYN")


def test_more_bytes_of_consent_than_a_head_holds_are_reported() -> None:
    lines = [b"; ".join(b"klaro=%d" % n + b"x" * 7000 for n in range(6))]
    assert formats.read_cookies(lines)[-1].format == formats.UNREAD


# --- writing


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (b"usprivacy", b"1YNN", b"1YYN"),
        (b"__gpp", b"DBABLA~BVQqAAAAAgA.QA", b"DBABLA~BVQVAAAAAgA.YA"),
        (b"OneTrustWPCCPAGoogleOptOut", b"false", b"true"),
        (b"OptanonConsent", b"isGpcEnabled=0&groups=C0004%3A1", b"isGpcEnabled=1&groups=C0004%3A0&browserGpcFlag=1"),
        (b"OptanonConsent", b"h=\xff&isGpcEnabled=0", b"h=\xff&isGpcEnabled=1&browserGpcFlag=1"),
    ],
)
def test_the_strings_that_outsiders_check_are_written(name: bytes, value: bytes, expected: bytes) -> None:
    assert formats.opted_out(name, value) == expected


@pytest.mark.parametrize("name", [b"session", b"euconsent-v2", b"OptanonAlertBoxClosed", b"didomi_token"])
def test_other_cookies_are_left_alone(name: bytes) -> None:
    assert formats.opted_out(name, b"x") is None


# --- contradictions


def advertising(answer: Answer) -> Statement:
    return Statement.advertising(answer, "")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param([], [], id="nothing-said"),
        pytest.param([("a", advertising(OUT)), ("b", advertising(OUT))], [], id="both-out"),
        pytest.param([("b", advertising(IN)), ("a", advertising(OUT))], [("a", "b")], id="one-out-one-in"),
        pytest.param([("a", advertising(OUT)), ("b", NOTHING)], [], id="silence-contradicts-nobody"),
        pytest.param([("a", advertising(OUT)), ("a", advertising(IN))], [("a", "a")], id="a-format-and-itself"),
        pytest.param([("a", Statement(sale=OUT)), ("b", Statement(sharing=IN))], [], id="about-different-things"),
        pytest.param([("a", Statement(analytics=OUT)), ("b", Statement(analytics=IN))], [], id="about-analytics"),
        pytest.param(
            [("c", advertising(OUT)), ("b", advertising(IN)), ("a", Statement(sale=IN))],
            [("a", "c"), ("b", "c")],
            id="each-pair-once-in-order",
        ),
    ],
)
def test_formats_that_disagree_are_paired(said: list[tuple[str, Statement]], expected: list[tuple[str, str]]) -> None:
    assert formats.contradictions(said) == expected


def test_onetrust_contradicts_itself_when_gpc_was_applied_and_targeting_left_on() -> None:
    readings = formats.read_cookies([b"OptanonConsent=isGpcEnabled=1&groups=C0004:1; usprivacy=1YNN"])
    assert formats.contradictions((reading.format, reading.statement) for reading in readings) == [
        ("onetrust", "onetrust-gpc"),
        ("onetrust-gpc", "usprivacy"),
    ]


# --- the documentation


def documented() -> dict[str, tuple[set[str], bool]]:
    """Format id to its cookies' names and whether the table says that the gate writes it."""
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|(.*)\|$", _DOCS.read_text(), re.MULTILINE)
    table = {}
    for format_, rest in rows:
        cells = [cell.strip() for cell in rest.split(" | ")]
        table[format_] = (set(re.findall(r"`([^`]+)`", cells[0])), cells[3].startswith("yes"))
    return table


def test_the_documentation_lists_every_format_and_cookie_of_the_registry() -> None:
    expected: dict[str, tuple[set[str], bool]] = {}
    for cookie in formats.COOKIES:
        names, writes = expected.get(cookie.format, (set(), False))
        expected[cookie.format] = (names | {cookie.name}, writes or cookie.opted_out is not None)
    assert documented() == expected

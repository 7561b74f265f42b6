"""A vendor is found by host, path, cookie name or script text, the most specific rule first."""

import pytest

from optout_gate.documents import parse, validate
from optout_gate.errors import ConfigError
from optout_gate.trackers.catalog import Catalog
from optout_gate.trackers.vendor import CatalogueFile

TEXT = """
vendors:
  - {vendor: ads, name: Ads, company: A, purposes: [advertising], domains: [ads.test, big.*], patterns: [mixed.test/tr, "shop.*/pixel*.gif"],
     cookies: [_a, "_ab_*", "_abc_*"], source: x}
  - {vendor: maps, name: Maps, company: A, purposes: [functional], domains: [maps.ads.test], patterns: [ads.test/maps/api], source: x}
  - {vendor: agent, name: Agent, company: B, purposes: [session_replay], inline: [{all: [needle-one, needle-two]}], cookies: ["_abc_d*"], source: x}
"""


def catalog(text: str = TEXT) -> Catalog:
    document = parse(text, "c.yaml")
    return Catalog([(document, ("vendors",), validate(CatalogueFile, document).vendors)])


@pytest.mark.parametrize(
    ("host", "path", "vendor"),
    [
        ("ads.test", "/", "ads"), ("a.b.ads.test", "/x", "ads"), ("notads.test", "/", None), ("test", "/", None),
        ("maps.ads.test", "/", "maps"), ("x.maps.ads.test", "/", "maps"), ("ads.test", "/maps/api/js?k", "maps"),
        ("mixed.test", "/tr", "ads"), ("mixed.test", "/tr/", "ads"), ("mixed.test", "/tr?id=1", "ads"), ("www.mixed.test", "/tr&x", "ads"),
        ("mixed.test", "/trending", None), ("mixed.test", "/tr-x", None), ("mixed.test", "/x/tr", None), ("mixed.test", "/", None),
        ("big.com", "/", "ads"), ("www.big.co.uk", "/", "ads"), ("big.example.com", "/", None), ("big", "/", None),
        ("www.shop.de", "/pixel1x1.gif?x", "ads"), ("www.shop.de", "/pixel", None), ("", "/", None),
    ],
)  # fmt: skip
def test_the_most_specific_rule_for_a_url_wins(host: str, path: str, vendor: str | None) -> None:
    rule = catalog().by_url(host, path)
    assert (rule.vendor.vendor if rule else None) == vendor


@pytest.mark.parametrize(
    ("name", "vendor"),
    [("_a", "ads"), ("_ab", None), ("_ab_1", "ads"), ("_abc_x", "ads"), ("_abc_d1", "agent"), ("_A", None), ("", None)],
)
def test_a_cookie_is_known_by_name_or_by_its_longest_prefix(name: str, vendor: str | None) -> None:
    rule = catalog().by_cookie(name)
    assert (rule.vendor.vendor if rule else None) == vendor


def test_a_script_bears_a_fingerprint_when_every_string_of_it_is_there() -> None:
    found = catalog().by_script("x needle-two y needle-one z")
    assert found is not None and found.vendor.vendor == "agent"
    assert catalog().by_script("needle-one alone") is None


def test_a_rule_names_the_line_it_stands_in() -> None:
    rule = catalog().by_url("mixed.test", "/tr")
    assert rule is not None
    assert (rule.place, rule.text, rule.kind) == ("c.yaml:3", "mixed.test/tr", "pattern")


def test_every_rule_of_a_host_is_found_for_connections_ahead() -> None:
    assert {rule.text for rule in catalog().on_host("maps.ads.test")} == {
        "maps.ads.test",
        "ads.test/maps/api",
        "ads.test",
    }


def test_a_vendor_defined_twice_is_refused_with_both_places() -> None:
    with pytest.raises(ConfigError, match=r"c\.yaml:7:\d+: vendor 'ads' is already defined in c\.yaml:3"):
        catalog(TEXT + "  - {vendor: ads, name: x, company: x, purposes: [social], domains: [x.test], source: x}\n")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("{vendor: A, name: x, company: x, purposes: [social], source: x}", "'A' is not an id"),
        ("{vendor: a, name: x, company: x, purposes: [], source: x}", "at least one entry"),
        ("{vendor: a, name: x, company: x, purposes: [adverts], source: x}", "did you mean 'advertising'?"),
        (
            "{vendor: a, name: x, company: x, purposes: [social], domains: ['https://x.test'], source: x}",
            "is not a host",
        ),
        ("{vendor: a, name: x, company: x, purposes: [social], patterns: [x.test], source: x}", "has no path"),
        (
            "{vendor: a, name: x, company: x, purposes: [social], domain: [x.test], source: x}",
            "did you mean 'domains'?",
        ),
        ("{vendor: a, name: x, company: x, purposes: [social]}", "the key 'source' is missing"),
    ],
)
def test_a_wrong_entry_is_told_with_its_place(entry: str, expected: str) -> None:
    with pytest.raises(ConfigError) as told:
        catalog(f"vendors:\n  - {entry}\n")
    assert expected in str(told.value)
    assert str(told.value).startswith("c.yaml:2:")

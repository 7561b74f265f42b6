"""URLs are resolved as browsers resolve them, and attribute text is decoded as in attributes."""

import pytest

from optout_gate.rewrite.attributes import editable, url_text, written
from optout_gate.trackers.urls import Target, attribute_text, base_of, resolve

BASE = base_of("https://www.shop.test/dir/page?q=1")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        pytest.param("?a=1&gtm_x=2", "?a=1&gtm_x=2", id="gt-without-semicolon-before-a-letter"),
        pytest.param("?a=1&region=us", "?a=1&region=us", id="reg-before-a-letter"),
        pytest.param("?a=1&copy=2", "?a=1&copy=2", id="copy-before-an-equals-sign"),
        pytest.param("?a=1&copy", "?a=1©", id="copy-at-the-end"),
        pytest.param("?a=1&amp;b&lt;", "?a=1&b<", id="with-semicolons"),
        pytest.param("&#x68;ttp&colon;&sol;&#47", "http://", id="numeric-and-named"),
        pytest.param("&notanentity; &;", "&notanentity; &;", id="unknown"),
        pytest.param("&#x80;&#0;&#xD800;", "€��", id="numbers-with-a-rule-of-their-own"),
    ],
)
def test_character_references_in_attributes(raw: str, text: str) -> None:
    assert attribute_text(raw) == text


@pytest.mark.parametrize(
    ("reference", "host"),
    [
        ("https://ads.test/x", "ads.test"), ("//ads.test", "ads.test"), ("https:\\\\ads.test", "ads.test"),
        ("\t//ads.test\n", "ads.test"), ("ht\ntps://ads.test", "ads.test"), ("HTTPS://ADS.TEST.:443/", "ads.test"),
        ("https://u:p@ads.test", "ads.test"), ("//bücher.test", "xn--bcher-kva.test"), ("https:ads.test", "www.shop.test"),
        ("http:ads.test", "ads.test"), ("wss://ads.test/s", "ads.test"), ("/x", "www.shop.test"), ("x.js", "www.shop.test"),
        ("https://0x7f.1/", "127.0.0.1"), ("?q", "www.shop.test"), ("//ads.test:99999/", None), ("data:text/html,x", None),
        ("javascript:x", None), ("", None), ("  ", None), ("https://[::1", None), ("mailto:a@ads.test", None),
        ("#a", "www.shop.test"), ("blob:https://ads.test/1", None),
    ],
)  # fmt: skip
def test_a_reference_leads_to_the_host_that_a_browser_asks(reference: str, host: str | None) -> None:
    target = resolve(reference, BASE)
    assert (target.host if target else None) == host


def test_the_path_of_a_target_is_normalised_and_keeps_its_query() -> None:
    assert resolve("https://x.test/a/../b?c=/../d#e", BASE) == Target("https", "x.test", "/b?c=/../d")


def test_an_unreadable_base_makes_nothing_relative_to_it() -> None:
    assert resolve("/x", base_of("::")) is None


@pytest.mark.parametrize("raw", ["caf\xc3\xa9 \xff", "a&amp;b", "&euro;\xe2\x82\xac", "plain"])
def test_what_is_edited_is_written_back_with_the_same_meaning(raw: str) -> None:
    assert attribute_text(written(editable(raw))) == attribute_text(raw)


def test_bytes_above_ascii_in_a_url_read_as_utf_8_where_they_are() -> None:
    assert url_text("//b\xc3\xbccher.test") == "//bücher.test"
    assert url_text("//b\xfccher.test") == "//b\xfccher.test"


def test_a_long_url_is_resolved_like_a_short_one() -> None:
    target = resolve("https://ads.test/" + "a" * 5000, BASE)
    assert target is not None and target.host == "ads.test"

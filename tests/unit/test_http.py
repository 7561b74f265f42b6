"""Header fields keep their order, repeats and bytes; media types are read as browsers read them."""

import pytest

from optout_gate.http import Headers, MediaType, host_of, media_type, request_of


def test_repeated_fields_are_all_seen_in_wire_order() -> None:
    headers = Headers([(b"Sec-GPC", b"0"), (b"X", b"y"), (b"sec-gpc", b" 1\t")])
    assert headers.values(b"sec-gpc") == [b"0", b"1"]
    assert headers.first(b"sec-gpc") == b"0"


def test_members_of_all_lines_are_listed_without_empty_ones() -> None:
    assert Headers([(b"Vary", b"a, ,b"), (b"vary", b"c")]).members(b"vary") == [b"a", b"b", b"c"]


def test_leaving_fields_out_keeps_the_rest_as_it_was() -> None:
    headers = Headers([(b"A", b"1"), (b"B", b"2"), (b"a", b"3"), (b"C", b"4")])
    assert headers.without([b"a"]).pairs == ((b"B", b"2"), (b"C", b"4"))
    assert headers.without([b"z"]) is headers


def test_replacing_puts_one_line_where_the_first_stood() -> None:
    headers = Headers([(b"A", b"1"), (b"Host", b"x"), (b"B", b"2"), (b"host", b"y")])
    assert headers.replacing(b"host", b"z").pairs == ((b"A", b"1"), (b"Host", b"z"), (b"B", b"2"))
    assert headers.replacing(b"via", b"v").pairs[-1] == (b"via", b"v")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([], MediaType("", None), id="absent"),
        pytest.param([b"text/html"], MediaType("text/html", None), id="bare"),
        pytest.param([b'Text/HTML; Charset="UTF-16LE"'], MediaType("text/html", "utf-16le"), id="case-and-quotes"),
        pytest.param([b"text/plain", b"text/html"], MediaType("text/html", None), id="the-last-valid-line-counts"),
        pytest.param([b"text/html", b"nonsense"], MediaType("text/html", None), id="an-invalid-line-does-not"),
        pytest.param([b"text/html;charset=a;charset=b"], MediaType("text/html", "a"), id="the-first-parameter-counts"),
        pytest.param([b"text/html; \xff=\xff"], MediaType("text/html", None), id="bytes"),
        # What follows was tried in Chromium and Firefox, with X-Content-Type-Options: nosniff.
        pytest.param([b"text/html, charset=utf-8"], MediaType("text/html", None), id="a-comma-for-a-semicolon"),
        pytest.param([b"text/html charset=utf-8"], MediaType("text/html", None), id="nothing-for-a-semicolon"),
        pytest.param([b"text/html,"], MediaType("text/html", None), id="an-empty-member"),
        pytest.param([b",text/html,text/html; charset=a"], MediaType("text/html", "a"), id="a-list"),
        pytest.param([b"text/plain, text/html"], MediaType("text/html", None), id="the-last-of-a-list"),
        pytest.param([b"text/html, text/plain"], MediaType("text/plain", None), id="the-last-of-a-list-also-if-plain"),
        pytest.param([b"text/html; charset=a, text/html"], MediaType("text/html", "a"), id="the-charset-said-before"),
        pytest.param([b"text/plain; charset=a", b"text/html"], MediaType("text/html", None), id="of-another-type"),
        pytest.param([b"text/html", b"*/*"], MediaType("text/html", None), id="any-type-is-none"),
        pytest.param([b"text/html(a comment)"], MediaType("text/html", None), id="a-comment, to Chromium alone"),
        pytest.param([b'text/plain;a="b, text/html;c="d'], MediaType("text/plain", None), id="a-comma-in-quotes"),
        pytest.param([b'text/plain;a=",text/html'], MediaType("text/plain", None), id="in-quotes-without-end"),
        pytest.param([b"text/html/x"], MediaType("", None), id="two-slashes"),
        pytest.param([b"text/ html"], MediaType("", None), id="a-space-within"),
        pytest.param([b"html"], MediaType("", None), id="no-slash"),
    ],
)
def test_the_media_type_is_the_last_valid_one(lines: list[bytes], expected: MediaType) -> None:
    assert media_type(Headers([(b"Content-Type", line) for line in lines])) == expected


@pytest.mark.parametrize(
    ("authority", "host"),
    [("Shop.Test:8080", "shop.test"), ("shop.test.", "shop.test"), ("[::1]:80", "[::1]"), ("", "")],
)
def test_the_host_of_an_authority_has_no_port_case_or_trailing_dot(authority: str, host: str) -> None:
    assert host_of(authority) == host


def test_a_request_is_built_from_the_raw_lines_where_the_server_kept_them() -> None:
    raw = {"headers": ((b"HOST", b"shop.test"),), "target": b"/a%2Fb?x=%2f"}
    scope = {"method": "GET", "headers": [(b"host", b"shop.test")], "path": "/a/b", "query_string": b"x=%2f"}
    kept = request_of({**scope, "extensions": {"optout_gate.raw": raw}})
    assert (kept.target, kept.headers.pairs) == (b"/a%2Fb?x=%2f", ((b"HOST", b"shop.test"),))
    assert request_of({**scope, "raw_path": b"/a%2Fb"}).target == b"/a%2Fb?x=%2f"

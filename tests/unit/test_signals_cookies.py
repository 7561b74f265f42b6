"""The Cookie field as servers meet it."""

import pytest

from optout_gate.signals import cookies


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([], [], id="no-field"),
        pytest.param([b""], [], id="empty-field"),
        pytest.param([b"a=1"], [(b"a", b"1")], id="one"),
        pytest.param([b"a=1; b=2"], [(b"a", b"1"), (b"b", b"2")], id="two"),
        pytest.param([b"a=1;b=2"], [(b"a", b"1"), (b"b", b"2")], id="no-space-after-the-semicolon"),
        pytest.param([b"a=1", b"b=2"], [(b"a", b"1"), (b"b", b"2")], id="http2-crumbs-on-several-lines"),
        pytest.param([b"a=1; a=2"], [(b"a", b"1"), (b"a", b"2")], id="a-repeated-name-is-kept-twice"),
        pytest.param([b"a=b=c=="], [(b"a", b"b=c==")], id="only-the-first-equals-sign-divides"),
        pytest.param([b'a="x y"'], [(b"a", b'"x y"')], id="quotes-and-spaces-are-part-of-the-value"),
        pytest.param([b'a="x; y"'], [(b"a", b'"x'), (b"", b'y"')], id="a-quoted-semicolon-still-divides"),
        pytest.param([b"lone"], [(b"", b"lone")], id="a-cookie-without-a-name"),
        pytest.param([b"=v"], [(b"", b"v")], id="an-empty-name"),
        pytest.param([b"a="], [(b"a", b"")], id="an-empty-value"),
        pytest.param([b" \ta = 1\t ;; ; b=2;"], [(b"a", b"1"), (b"b", b"2")], id="stray-blanks-and-semicolons"),
        pytest.param([b"a=\xc3\xa9\xff\x00"], [(b"a", b"\xc3\xa9\xff\x00")], id="any-byte-passes"),
        pytest.param([b"a=1,b=2"], [(b"a", b"1,b=2")], id="a-comma-is-part-of-the-value"),
    ],
)
def test_every_cookie_is_found_value_untouched(lines: list[bytes], expected: list[tuple[bytes, bytes]]) -> None:
    assert cookies.pairs(lines) == expected


@pytest.mark.parametrize("value", [b"a=1; b=2; a=3", b"lone; a=", b'a="x"', b"=v=w"])
def test_a_line_written_from_its_pairs_is_the_line(value: bytes) -> None:
    assert cookies.line(cookies.pairs([value])) == value

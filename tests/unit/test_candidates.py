"""``srcset`` is taken apart as browsers do, and in one pass whatever stands in it."""

import pytest

from optout_gate.rewrite.candidates import candidates


@pytest.mark.parametrize(
    ("srcset", "expected"),
    [
        pytest.param("a.png", ["a.png"], id="one"),
        pytest.param("a.png 1x, b.png 2x", ["a.png", "b.png"], id="two"),
        pytest.param("a.png,b.png 2x", ["a.png,b.png"], id="a-comma-in-an-address-is-of-it"),
        pytest.param("a.png, b.png,,c d", ["a.png", "b.png,,c"], id="only-the-commas-at-its-end-part-it"),
        pytest.param("a.png,, b.png", ["a.png", "b.png"], id="two-commas"),
        pytest.param(" ,\t, a.png\n,b.png", ["a.png", "b.png"], id="commas-and-blanks-in-front"),
        pytest.param("data:image/gif;base64,R0 1x, b", ["data:image/gif;base64,R0", "b"], id="data"),
        pytest.param("a (1, b), c", ["a", "c"], id="a-comma-in-parentheses"),
        pytest.param("a (1, b) 2x) , c", ["a", "c"], id="a-closing-one-too-many"),
        pytest.param("a (1, b, c", ["a"], id="a-parenthesis-without-end"),
        pytest.param("a((b, c", ["a((b", "c"], id="a-parenthesis-in-an-address-is-of-it"),
        pytest.param("a\N{NO-BREAK SPACE}b 1x", ["a\N{NO-BREAK SPACE}b"], id="no-blank-of-html"),
        pytest.param(" , ,", [], id="none"),
        pytest.param("", [], id="empty"),
    ],
)
def test_each_candidate_is_found_as_a_browser_finds_it(srcset: str, expected: list[str]) -> None:
    assert [url for url, _ in candidates(srcset)] == expected


@pytest.mark.parametrize("piece", ["a(", "a ", "a (", "(", ",", "a,b (c", ") (", "<iframe>("])
def test_no_srcset_keeps_a_visitor_waiting(piece: str) -> None:
    """300 KB of each, which is done at once or, where characters are looked at again and again, never."""
    text = piece * (300_000 // len(piece))
    assert sum(len(url) + len(descriptor) for url, descriptor in candidates(text)) <= len(text)

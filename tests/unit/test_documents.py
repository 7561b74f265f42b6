"""YAML is read with its places; what is not sound is refused with them."""

import pytest

from optout_gate.documents import parse
from optout_gate.errors import ConfigError


def test_plain_words_are_words_and_not_booleans() -> None:
    data = parse("a: off\nb: no\nc: true\nd: 8080\ne: 1.5\nf: '1'\ng: ~\nh: 12:30:45\n", "f").data
    assert data == {"a": "off", "b": "no", "c": True, "d": 8080, "e": 1.5, "f": "1", "g": None, "h": "12:30:45"}


def test_every_value_knows_its_line() -> None:
    document = parse("a:\n  - x\n  - {b: c}\n", "f")
    assert [document.line("a"), document.line("a", 0), document.line("a", 1, "b")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a: 1\nb: 2\na: 3\n", r"f:3:1: key 'a' stands twice, first in line 1", id="duplicate"),
        pytest.param("a: [1\nb", r"f:\d+:\d+: not valid YAML", id="syntax"),
        pytest.param("? [1]\n: 2\n", r"f:1:\d+: a key must be a plain word", id="complex-key"),
        pytest.param("a: " + "[" * 40 + "]" * 40, r"more than 32 levels deep: refused", id="depth"),
        pytest.param("a: !!python/object:os.system x", None, id="tags-make-no-objects"),
        pytest.param("a: \x00", r"f:1:4: not valid YAML", id="control-character"),
    ],
)
def test_a_document_that_is_not_sound_is_refused(text: str, expected: str | None) -> None:
    if expected is None:
        assert parse(text, "f").data == {"a": "x"}
        return
    with pytest.raises(ConfigError, match=expected):
        parse(text, "f")


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ConfigError, match="500,000 values"):
        parse("\n".join(lines), "f")


def test_an_empty_document_is_nothing() -> None:
    assert parse("", "f").data is None
    assert parse("# only a comment\n", "f").data is None

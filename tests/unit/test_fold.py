"""The fold: one line, the same program, and no name that comes to mean another."""

import re
from importlib.resources import files

import pytest

from optout_gate.rewrite.fold import fold


@pytest.mark.parametrize(
    ("source", "folded"),
    [
        pytest.param("(function G(win) {\n  // why\n  var a1 = win.a1;\n  return a1;\n})", "(function G(d){var e=d.a1;return e})", id="names-and-members"),
        pytest.param("(function G(one, two) { return two + two + one; })", "(function G(d,e){return e+e+d})", id="in-the-order-of-declaration"),
        pytest.param("(function G(x1) { function f(y1) { return y1; } return f(x1); })", "(function G(d){function e(a){return a}return e(d)})", id="a-function-of-its-own"),
        pytest.param("(function G(x1) { function f(y1) { return y1 + x1; } return f; })", "(function G(d){function e(a){return a+d}return e})", id="what-it-uses-of-the-outer-one-is-not-taken"),
        pytest.param("(function G() { var x1 = 1, y1 = [x1, 2], z1; for (var i1 in y1) z1 = i1; })", None, id="every-name-of-a-var"),
        pytest.param("(function G() { return { key: a, get name() { return b; }, set name(v1) { b = v1; } }; })", "(function G(){return{key:a,get name(){return b},set name(a){b=a}}})", id="keys-accessors-and-the-browsers-names"),
        pytest.param("(function G(s1) { try { s1(); } catch (e1) { s1(e1); } })", "(function G(d){try{d()}catch(e){d(e)}})", id="catch"),
        pytest.param("(function G(s1) { return s1 ? /a b{2}/.exec(s1) : 'a  b' + + +s1; })", None, id="regular-expressions-and-texts-keep-their-spaces"),
        pytest.param("(function G() { var b1 = G; return typeof b1 === 'x' && arguments; })", "(function G(){var d=G;return typeof d==='x'&&arguments})", id="its-own-name"),
    ],
)  # fmt: skip
def test_a_function_on_one_line(source: str, folded: str | None) -> None:
    out = fold(source, keep="G")
    assert "\n" not in out
    if folded is not None:
        assert out == folded
    else:
        assert not re.search(r"\b[a-z]1\b", out)
        assert [text in out for text in ("/a b{2}/", "'a  b'")] == [text in source for text in ("/a b{2}/", "'a  b'")]


def test_many_names_never_take_the_one_that_stays() -> None:
    names = [f"name{number}" for number in range(60)]
    out = fold(f"(function G() {{ var {', '.join(names)}; return [G, {', '.join(names)}]; }})", keep="G")
    [listed] = re.findall(r"\[G,(.*)\]", out)
    assert len(set(listed.split(","))) == 60 and "G" not in listed.split(",")


def test_what_is_used_most_has_one_letter() -> None:
    names = [f"name{number}" for number in range(60)]
    out = fold(f"(function G() {{ var {', '.join(names)}; name59(name59, name59); }})", keep="G")
    assert re.search(r"([A-Za-z])\(\1,\1\)", out)


def test_the_guard_says_the_same_words_folded() -> None:
    source = files("optout_gate.browser").joinpath("guard.js").read_text("ascii")
    code = "\n".join(line for line in source.splitlines() if not line.strip().startswith("//"))
    folded = fold(source, keep="G")
    members = re.compile(r"\.\s?([A-Za-z]{3,})\b")
    assert sorted(members.findall(folded)) == sorted(members.findall(code))
    assert len(folded) < 0.75 * len(code)

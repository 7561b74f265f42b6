"""What is data is left alone, what is code has its denied addresses neutralised, whatever its length."""

import pytest

from optout_gate.rewrite import surrogates
from optout_gate.rewrite.inline import MAX_HELD_CHARACTERS, is_data, is_script
from support.gates import page


@pytest.mark.parametrize(
    ("script", "data"),
    [
        ('window.__A = {"a":1};', True), ("var s=[1,2]", True), ('self["x"] = "a"', True), ("a.b.c={}", True),
        ('self.__next_f.push([1,"x"])', True), ("(self.__next_f=self.__next_f||[]).push([0]);", True),
        ('window.__A = {"a":1}; load()', False), ("a = {b: 1}", False), ("a == {}", False), ("f()", False), ("", False),
        ('self.__next_f.push([1,"x"]);evil()', False), ("x = 1", False), ("a = [" + "[" * 5000, False),
    ],
)  # fmt: skip
def test_a_script_that_only_assigns_a_json_value_is_data(script: str, data: bool) -> None:
    assert is_data(script) is data


@pytest.mark.parametrize(
    ("kind", "runs"),
    [
        (None, True), ("", True), ("text/javascript", True), (" Module ", True), ("application/json", False),
        ("text/partytown", True), ("text/plain", False), ("importmap", False), ("text/babel", False), ("application/ld+json", False),
    ],
)  # fmt: skip
def test_what_runs_is_told_by_the_type(kind: str | None, runs: bool) -> None:
    assert is_script(kind) is runs


def test_a_script_longer_than_is_held_is_neutralised_to_its_end() -> None:
    filler = "f('%s');\n" % ("x" * 80)
    long = filler * (3 * MAX_HELD_CHARACTERS // len(filler))
    body = f"<script>{long}load('https://ads.test/late.js');{filler}</script>".encode()
    out = page(body, cuts=range(0, len(body), 65536))
    assert b"ads.test" not in out
    assert (
        out.replace(f"/_optout/s/generic.js?v={surrogates.version('generic')}#".encode(), b"https://ads.test") == body
    )


@pytest.mark.parametrize("call", ["new URL('{}/t.js')", 'new URL( "{}/t.js", self.base)', "new self.URL(`{}/t.js`)"])
def test_an_address_that_is_read_by_itself_keeps_a_host(call: str) -> None:
    """``new URL`` throws at a path without a base, into the middle of the page's own code."""
    out = page(f"<script>let u = {call.format('https://ads.test')}; start(u)</script>".encode())
    stand_in = f"https://www.shop.test/_optout/s/generic.js?v={surrogates.version('generic')}#"
    assert out == f"<script>let u = {call.format(stand_in)}; start(u)</script>".encode()


def test_rows_of_react_too_long_to_hold_are_left_alone() -> None:
    body = b'<script>self.__next_f.push([1,"' + b"https://ads.test/x " * 40_000 + b'"])</script>'
    assert page(body, cuts=range(0, len(body), 65536)) == body

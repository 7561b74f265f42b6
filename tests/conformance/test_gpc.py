"""The sentences of the Global Privacy Control specification that concern a server and an intermediary.

https://w3c.github.io/gpc/, "The Sec-GPC Header Field for HTTP Requests".
"""

import pytest

from optout_gate.http import Headers
from optout_gate.signals.gpc import Gpc, read_gpc
from support.gates import drive, gate, request

EXACTLY_ONE = 'ignored "unless the field value is exactly the character 1"'


def lines(*values: bytes) -> Headers:
    return Headers([(b"Sec-GPC", value) for value in values])


@pytest.mark.parametrize(
    "value",
    [b"0", b"", b"true", b"yes", b'"1"', b"01", b"1;x", b"11", b"1.0", b"+1", b"\xef\xbc\x91", b"1\x00", b"?1"],
)
def test_a_value_that_is_not_exactly_1_is_as_good_as_absent(value: bytes) -> None:
    assert read_gpc(lines(value)) is Gpc.IGNORED


@pytest.mark.parametrize("value", [b"1", b" 1", b"1 ", b"\t1\t"])
def test_the_value_1_is_the_signal_and_blanks_around_it_are_not_part_of_it(value: bytes) -> None:
    assert read_gpc(lines(value)) is Gpc.SET


@pytest.mark.parametrize("values", [(b"1", b"1"), (b"0", b"1"), (b"1", b"0"), (b"x", b"1", b"0")])
def test_with_several_lines_one_that_says_1_is_enough(values: tuple[bytes, ...]) -> None:
    assert read_gpc(lines(*values)) is Gpc.SET


@pytest.mark.parametrize("value", [b"1, 1", b"0, 1", b"1,0"])
def test_a_folded_1_fails_toward_the_opt_out_and_is_told_apart(value: bytes) -> None:
    assert read_gpc(lines(value)) is Gpc.FOLDED


def test_absence_says_nothing() -> None:
    assert read_gpc(Headers([(b"Sec_GPC", b"1"), (b"DNT", b"1")])) is Gpc.ABSENT


def test_an_intermediary_never_removes_the_signal() -> None:
    exchange = gate().open(request("/", (b"Sec-GPC", b"0"), (b"sec-gpc", b"1")))
    assert exchange is not None
    assert exchange.request.headers.values(b"sec-gpc") == [b"0", b"1"]


def test_an_intermediary_inserts_the_signal_for_an_opt_out_by_other_means() -> None:
    exchange = gate().open(request("/", (b"Cookie", b"a=b; optout_gate=1"), (b"Sec-GPC", b"0")))
    assert exchange is not None
    assert exchange.request.headers.values(b"sec-gpc") == [b"1"]


def test_the_signal_counts_on_requests_of_every_method() -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        exchange = gate().open(request("/", (b"Sec-GPC", b"1"), method=method))
        assert exchange is not None and exchange.decision.opted_out


def test_do_not_track_is_counted_and_changes_nothing() -> None:
    exchange = gate().open(request("/", (b"DNT", b"1")))
    assert exchange is not None
    page = b"<script src=//ads.test/a.js></script>"
    assert drive(exchange, page)[1] == page
    assert exchange.report.reading.dnt


def test_do_not_track_counts_where_a_policy_lists_it() -> None:
    text = "version: 1\nsites: [{upstream: 'http://127.0.0.1:9'}]\npolicies: {default: {honor: [dnt]}}\n"
    exchange = gate(text).open(request("/", (b"DNT", b"1"), (b"Sec-GPC", b"1")))
    assert exchange is not None
    assert [signal.kind for signal in exchange.decision.because] == ["dnt"]

"""The gate's own cookie: a choice, and a note that cannot undo it."""

from datetime import date

import pytest

from optout_gate.signals.opt_out_cookie import REMEMBERED, Choice, consent, read_own_cookie, set_line

DAY = date(2026, 11, 23)


def read(*values: bytes) -> tuple[Choice, bool]:
    own = read_own_cookie([b"; ".join(b"x=1; optout_gate=" + value for value in values)], "optout_gate")
    return own.choice, own.informed


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([b"1"], (Choice.OUT, False)),
        ([b'"1"'], (Choice.OUT, False)),
        ([REMEMBERED], (Choice.OUT, False)),
        ([b"1.9.whatever.20990101"], (Choice.OUT, False)),
        ([b"0"], (Choice.IN, False)),
        ([consent(signal_seen=True, day=DAY)], (Choice.IN, True)),
        ([consent(signal_seen=False, day=DAY)], (Choice.IN, False)),
        ([b"0.2.gpc.20261123"], (Choice.IN, False)),
        ([b"0.1.gpc.20261399"], (Choice.IN, False)),
        ([b"0.1.gpc."], (Choice.IN, False)),
        ([b"0.1.gpc.20261123", b"1"], (Choice.OUT, False)),
        ([b"0.1.gpc.20261123", b"0"], (Choice.IN, False)),
        ([b"0", b"0.1.gpc.20261123"], (Choice.IN, False)),
        ([b"01"], (Choice.NONE, False)),
        ([b"0.gpc\xff"], (Choice.NONE, False)),
        ([b""], (Choice.NONE, False)),
        ([b"1." + b"1" * 5000], (Choice.NONE, False)),
    ],
)
def test_a_value_is_read_and_what_is_no_record_is_no_consent(
    values: list[bytes], expected: tuple[Choice, bool]
) -> None:
    assert read(*values) == expected


def test_a_record_of_consent_holds_a_day_and_no_identifier() -> None:
    assert consent(signal_seen=True, day=DAY) == b"0.1.gpc.20261123"
    own = read_own_cookie([b"optout_gate=0.1.gpc.20261123"], "optout_gate")
    assert own.day == "20261123"


def test_the_line_that_sets_it_is_scoped_as_configured() -> None:
    assert set_line("o", b"1", max_age_days=1, domain=None, secure=False) == (
        b"Set-Cookie",
        b"o=1; Max-Age=86400; Path=/; SameSite=Lax",
    )
    assert b"; Domain=shop.test; Secure;" in set_line("o", b"1", max_age_days=1, domain="shop.test", secure=True)[1]

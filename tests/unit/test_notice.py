"""The privacy notice as a program: what it sells can be refused, what it does not sell reaches nobody."""

from pathlib import Path

import pytest

from optout_gate.gate import Gate
from optout_gate.policy.load import Loaded, load_file
from optout_gate.signals.statement import USES
from optout_gate.trackers.purposes import Purpose
from support.gates import drive, request

FILE = Path(__file__).parents[2] / "config" / "policies" / "health-insurer.yaml"
PIXEL = b'<script src="https://connect.facebook.net/en_US/fbevents.js"></script>'
STATISTICS = b'<script src="https://www.google-analytics.com/analytics.js"></script>'
CAPTCHA = b'<script src="https://www.google.com/recaptcha/api.js"></script>'
SPEED = b'<script src="https://js-agent.newrelic.com/nr.js"></script>'
REFUSABLE = {"advertising", "analytics", "session_replay", "social", "personalization", "tag_management"}


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return load_file(FILE)


@pytest.fixture(scope="module")
def gate(loaded: Loaded) -> Gate:
    return Gate(loaded, clock=lambda: 0.0)


def page(gate: Gate, path: str, *lines: tuple[bytes, bytes], body: bytes = PIXEL + STATISTICS) -> bytes:
    exchange = gate.open(request(path, *lines))
    assert exchange is not None
    return drive(exchange, body)[1]


def test_an_opt_out_denies_whatever_the_notice_sells_and_nothing_else(loaded: Loaded) -> None:
    policy = loaded.config.policies["health-insurer"]
    assert policy.notice is not None
    assert policy.denied == policy.notice.refusable == {Purpose(each) for each in REFUSABLE}


@pytest.mark.parametrize("path", ["/", "/plans", "/about"])
def test_where_only_what_may_be_sold_is_at_stake_the_visitor_decides(gate: Gate, path: str) -> None:
    assert page(gate, path) == PIXEL + STATISTICS
    out = page(gate, path, (b"Sec-GPC", b"1"), body=PIXEL + STATISTICS + CAPTCHA + SPEED)
    assert b"facebook.net" not in out and b"google-analytics.com" not in out
    assert CAPTCHA in out and SPEED in out  # security and performance are not sold


def test_who_refuses_sale_in_one_string_refuses_all_that_this_notice_sells(gate: Gate) -> None:
    out = page(gate, "/", (b"Cookie", b"usprivacy=1YYN"))
    assert b"facebook.net" not in out and b"google-analytics.com" not in out


@pytest.mark.parametrize(
    "path",
    ["/conditions/diabetes", "/find-a-doctor", "/find-a-doctor/1", "/claims/7", "/telehealth/room", "/video-visit/1",
     "/member", "/member/claims", "/login", "/enroll/step-2", "/kids/games"],
)  # fmt: skip
def test_health_audio_and_video_portals_and_minors_reach_no_recipient_for_anyone(gate: Gate, path: str) -> None:
    exchange = gate.open(request(path))
    assert exchange is not None
    assert exchange.decision.denied == {Purpose(each) for each in REFUSABLE}
    assert not exchange.decision.do_not_sell  # nobody opted out: no signal is made up for the origin
    out = drive(exchange, PIXEL + STATISTICS + CAPTCHA)[1]
    assert b"facebook.net" not in out and b"google-analytics.com" not in out and CAPTCHA in out


def test_do_not_track_is_not_honoured(gate: Gate) -> None:
    assert page(gate, "/", (b"DNT", b"1")) == PIXEL + STATISTICS


def test_the_chart_has_every_category_of_the_notice_and_says_which_are_never_shared(loaded: Loaded) -> None:
    notice = loaded.config.policies["health-insurer"].notice
    assert notice is not None
    assert str(notice.updated) == "2025-02-17"
    never = {id_ for id_, category in notice.categories.items() if not category.sold_or_shared}
    assert never == {"health", "audio_visual"}
    assert len(notice.categories) == 10
    assert all(len(notice.categories[id_].sold_or_shared) == 4 for id_ in notice.categories.keys() - never)


def test_who_may_not_have_a_category_is_withheld_it_even_where_another_with_its_purpose_may(loaded: Loaded) -> None:
    notice = loaded.config.policies["health-insurer"].notice
    assert notice is not None
    some = notice.categories["health"].model_copy(update={"sold_or_shared": ("advertisers",), "paths": ("/x/*",)})
    assert Purpose.ADVERTISING in notice.withheld(some)  # data partners are known by the same purpose
    assert Purpose.SOCIAL not in notice.withheld(some)


def test_every_use_leads_to_purposes() -> None:
    from optout_gate.policy.honor import FOLLOWS

    assert set(FOLLOWS) == set(USES) and all(FOLLOWS.values())

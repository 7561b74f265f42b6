"""What browsers may report, and what they cannot make of it."""

import json
import re
from importlib.resources import files
from typing import Any

import pytest

from optout_gate.pages.app import OwnPages
from optout_gate.pages.reports import BURST, CHANNELS, MAX_BYTES, MAX_EVENTS
from optout_gate.telemetry.metrics import MAX_BLOCKED_PAIRS, Metrics
from support.asgi_call import ask
from support.gates import gate

RUNNING = gate()


def pages(told: list[tuple[Any, ...]]) -> OwnPages:
    return OwnPages(lambda: RUNNING, told=lambda *event: told.append(event))


async def posted(body: bytes | object, to: OwnPages | None = None) -> tuple[int, list[tuple[Any, ...]]]:
    """Return the status of a report's answer, and what it told."""
    told: list[tuple[Any, ...]] = []
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = await ask(to or pages(told), "/_optout/report", method="POST", body=raw)
    return answer.status, told


async def test_the_guards_report_is_told_event_by_event_by_whose_the_rule_is() -> None:
    events = [
        ["blocked", "ads.test", "img", 3],
        ["leaked", "test-replay", "script", 1],  # by vendor, as older guards say it
        ["blocked", "unknown", "navigate", 1],
    ]
    told: list[tuple[Any, ...]] = [("blocked", "test-ads", "img", 3), *(tuple(event) for event in events[1:])]
    assert await posted({"v": 1, "events": events}) == (204, told)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(["blocked", "no-such-vendor", "img", 1], id="a-vendor-that-nobody-knows"),
        pytest.param(["blocked", "secret.nobody.test", "img", 1], id="a-host-that-nobody-knows"),
        pytest.param(["blocked", "test-ads", "/secret/path", 1], id="a-channel-of-its-own"),
        pytest.param(["shouted", "test-ads", "img", 1], id="another-word"),
        pytest.param(["blocked", "test-ads", "img", 0], id="nothing"),
        pytest.param(["blocked", "test-ads", "img", -5], id="less-than-nothing"),
        pytest.param(["blocked", "test-ads", "img", True], id="not-a-number"),
        pytest.param(["blocked", "test-ads", "img", 1.5], id="half-a-request"),
    ],
)
async def test_an_event_in_unknown_words_is_dropped(event: list[Any]) -> None:
    assert await posted({"v": 1, "events": [event, ["blocked", "test-ads", "img", 1]]}) == (
        204,
        [("blocked", "test-ads", "img", 1)],
    )


async def test_one_report_can_count_only_so_much() -> None:
    status, told = await posted({"v": 1, "events": [["blocked", "test-ads", "img", 10**9]] * (MAX_EVENTS + 50)})
    assert (status, len(told), told[0][3]) == (204, MAX_EVENTS, 1000)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"\xff", b"null", b"[1]", b'"x"', b"[[[", b"[" * 15_000, b'{"v":2,"events":[]}', b'{"v":1}',
        b'{"v":1,"events":[1]}', b'{"v":1,"events":[["blocked","a"]]}', b'{"v":1,"events":[["blocked",{},"img",1]]}',
        b'{"csp-report":[]}', b'{"csp-report":null}', b'[{"type":"csp-violation"}]', b'[{"type":"csp-violation","body":7}]',
    ],
)  # fmt: skip
async def test_what_is_no_report_is_refused(body: bytes) -> None:
    assert await posted(body) == (400, [("refused", "form", "", 1)])


async def test_a_report_that_is_too_long_is_refused_unread() -> None:
    assert await posted(b" " * (MAX_BYTES + 1)) == (413, [("refused", "size", "", 1)])


async def test_reports_beyond_the_rate_are_refused() -> None:
    told: list[tuple[Any, ...]] = []
    one = pages(told)
    statuses = [(await posted({"v": 1, "events": []}, one))[0] for _ in range(BURST * 2)]
    # The test's clock ticks a millisecond a look: at 200 a second, a fifth of a report comes free each time.
    assert statuses[:BURST] == [204] * BURST
    assert statuses.count(429) > BURST // 2
    assert ("refused", "rate", "", 1) in told


@pytest.mark.parametrize(
    ("report", "told"),
    [
        pytest.param(
            {"csp-report": {"blocked-uri": "https://ads.test/x?secret", "document-uri": "https://s/", "disposition": "enforce"}},
            [("blocked", "test-ads", "csp", 1)], id="report-uri",
        ),
        pytest.param({"csp-report": {"blocked-uri": "https://ads.test"}}, [("blocked", "test-ads", "csp", 1)], id="older-browsers"),
        pytest.param(
            {"csp-report": {"blocked-uri": "https://ads.test", "disposition": "report"}},
            [("leaked", "test-ads", "csp", 1)], id="a-policy-that-only-reports-lets-it-out",
        ),
        pytest.param(
            [{"type": "csp-violation", "body": {"blockedURL": "https://x.ads.test/", "disposition": "enforce"}}, {"type": "deprecation"}],
            [("blocked", "test-ads", "csp", 1)], id="report-to",
        ),
        pytest.param({"csp-report": {"blocked-uri": "inline"}}, [], id="inline"),
        pytest.param({"csp-report": {"blocked-uri": "https://nobody.test/"}}, [], id="a-host-that-nobody-knows"),
        pytest.param({"csp-report": {"blocked-uri": 7}}, [], id="no-address"),
    ],
)  # fmt: skip
async def test_a_policys_report_is_told_by_vendor_alone(report: object, told: list[tuple[Any, ...]]) -> None:
    assert await posted(report) == (204, told)


async def test_nobody_needs_to_be_told() -> None:
    silent = OwnPages(lambda: RUNNING)
    assert (await posted({"v": 1, "events": [["blocked", "test-ads", "img", 1]]}, silent))[0] == 204


async def test_a_report_is_not_asked_for_by_get() -> None:
    assert (await ask(pages([]), "/_optout/report")).status == 405


def test_events_become_metrics() -> None:
    metrics = Metrics()
    metrics.browser_said("blocked", "test-ads", "img", 3)
    metrics.browser_said("leaked", "test-ads", "script", 1)
    metrics.browser_said("refused", "rate", "", 1)
    value = metrics.registry.get_sample_value
    assert value("optout_gate_blocked_in_browser_total", {"vendor": "test-ads", "channel": "img"}) == 3
    assert value("optout_gate_leaks_total", {"vendor": "test-ads", "channel": "script"}) == 1
    assert value("optout_gate_browser_reports_refused_total", {"reason": "rate"}) == 1


def test_forged_reports_cannot_make_series_without_end() -> None:
    metrics = Metrics()
    for channel in sorted(CHANNELS):
        for number in range(50):
            metrics.browser_said("blocked", f"vendor-{number}", channel, 1)
    [family] = [each for each in metrics.registry.collect() if each.name == "optout_gate_blocked_in_browser"]
    assert len(family.samples) <= MAX_BLOCKED_PAIRS + 1
    assert sum(sample.value for sample in family.samples) == 50 * len(CHANNELS)


def test_every_element_that_the_guard_names_is_a_channel() -> None:
    source = files("optout_gate.browser").joinpath("guard.js").read_text("ascii")
    table = source[source.index("'Image=img src") : source.index("].forEach(function (row)")]
    rows = [row.split(" ") for row in re.findall(r"'([\w-]+(?:=[\w,*]+)? [^']+)'", table)]
    asked = [row[0] for row in rows if any(re.fullmatch(r"\w+(:script|:frame)?", word) for word in row[1:])]
    tags = {tag.lower() for head in asked for tag in head.rpartition("=")[2].split(",")}
    named = set(re.findall(r"(?:safe|stop|safeScript)\([^()]*, '([a-z]+)'", source))
    named |= set(re.findall(r"(?:saving|refusing)\('([a-z]+)'", source)) | set(
        re.findall(r"scrubbing\(\d, '([a-z]+)'", source)
    )
    assert len(tags) > 20 and len(named) > 8
    assert tags | named <= CHANNELS

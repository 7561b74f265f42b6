"""The guard stops every way out that it claims to stop, in a real Chromium, counted at the third party.

Each way is proven twice: without the guard the third party is called, so the case is real; with it, it is not. And a
good third party is called either way, so the guard has not simply broken the channel.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page

from optout_gate.rewrite.guard import GuardConfig
from support.guard_cases import CHANNELS, EVERYWHERE, FRAME, PAGE, WORKER, Channel
from support.guard_matrix import MATRIX, THROUGH_THE_GATE
from support.guard_site import GOOD, TRACKER, Site, case_id, chromium, run_cases, wait_for_calls
from support.third_party import RAW_CALL, ThirdParty

pytestmark = pytest.mark.browser

DENYING = GuardConfig(hosts=(TRACKER,), cookies=("tracker_*",), storage=("tracker_*",))
CASES = [(channel, realm) for channel in CHANNELS for realm in channel.realms]


@dataclass(frozen=True, slots=True)
class Run:
    """What one load of a page called."""

    tracker: frozenset[str]
    good: frozenset[str]
    thrown: tuple[str, ...]
    reports: tuple[str, ...]

    def reached(self, calls: frozenset[str], channel: Channel, realm: str) -> bool:
        return (RAW_CALL if channel.raw else case_id(channel, realm)) in calls


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def runs(browser: Browser) -> dict[tuple[bool, str], Run]:
    """Every case, in every realm, without the guard and with it; one load of a page for all cases of a realm."""
    return {(guarded, realm): run(browser, guarded, realm) for guarded in (False, True) for realm in EVERYWHERE}


def run(
    browser: Browser,
    guarded: bool,
    realm: str,
    conf: GuardConfig = DENYING,
    channels: tuple[Channel, ...] = CHANNELS,
    external: bool = False,
    patience_s: float = 20,
) -> Run:
    tracker, good = ThirdParty(), ThirdParty()
    site = Site(conf if guarded else None, modules_denied=(f"{TRACKER}:{tracker.port}",), external=external)
    context = browser.new_context()
    try:
        page = context.new_page()
        page.goto(site.address)
        thrown = run_cases(page, channels, realm, TRACKER, tracker.port)
        wanted = {case_id(c, realm) for c in channels if realm in c.realms and not c.unprovable and not c.raw}
        if guarded:
            other = context.new_page()
            other.goto(site.address)
            thrown += run_cases(other, channels, realm, GOOD, good.port)
        wait_for_calls(page, good if guarded else tracker, wanted.issubset, patience_s=patience_s, quiet_s=1.2)
        if guarded and realm == WORKER:
            wait_for_leak(page, site)
        context.close()
        return Run(frozenset(tracker.hits), frozenset(good.hits), tuple(thrown), tuple(site.reports))
    finally:
        for server in (tracker, good, site):
            server.close()


def wait_for_leak(page: Page, site: Site) -> None:
    """Return when a report of a leak has come; reports are batched for two seconds."""
    for _ in range(100):
        if any('"leaked"' in body for body in site.reports):
            return
        page.wait_for_timeout(50)


@pytest.mark.parametrize(("channel", "realm"), CASES, ids=[f"{realm}-{channel.name}" for channel, realm in CASES])
def test_a_denied_vendor_is_reached_without_the_guard_and_not_with_it(
    channel: Channel, realm: str, runs: dict[tuple[bool, str], Run]
) -> None:
    plain, guarded = runs[False, realm], runs[True, realm]
    if channel.unprovable:
        assert not plain.reached(plain.tracker, channel, realm), "provable after all: take the remark out of its row"
        pytest.skip(f"not provable here: {channel.unprovable}")
    assert plain.reached(plain.tracker, channel, realm), "the case proves nothing: no call without the guard either"
    assert guarded.reached(guarded.tracker, channel, realm) == bool(channel.open_because)
    assert guarded.reached(guarded.good, channel, realm), "a good third party is not reached any more"


def test_at_least_sixty_ways_are_tried() -> None:
    assert sum(1 for channel in CHANNELS if not channel.unprovable) >= 60
    assert len({channel.name for channel in CHANNELS}) == len(CHANNELS)


@pytest.mark.parametrize("realm", EVERYWHERE)
def test_callers_see_no_exception_that_they_would_not_see_without_the_guard(
    realm: str, runs: dict[tuple[bool, str], Run]
) -> None:
    assert runs[False, realm].thrown == ()
    assert runs[True, realm].thrown == ()


def test_reports_name_rule_and_channel_and_nothing_else(runs: dict[tuple[bool, str], Run]) -> None:
    seen = set()
    for realm in EVERYWHERE:
        for body in runs[True, realm].reports:
            report = json.loads(body)
            assert set(report) == {"v", "events"}
            for what, rule, channel, count in report["events"]:
                assert what in ("blocked", "leaked")
                assert rule in (TRACKER, "=tracker_*", "#tracker_*", "unknown")
                assert channel.isalnum()
                assert count >= 1
                seen.add((what, channel))
    assert {
        ("blocked", channel) for channel in ("fetch", "xhr", "beacon", "img", "script", "css", "form", "webtransport")
    } <= seen


def test_a_hole_shows_as_a_leak(runs: dict[tuple[bool, str], Run]) -> None:
    # import() in a worker is the hole; the worker's own performance entries tell of it.
    assert any(f'"leaked","{TRACKER}","script"' in body for body in runs[True, WORKER].reports)


def test_the_guard_as_a_file_of_its_own_reaches_the_documents_that_scripts_make(browser: Browser) -> None:
    # From a file, srcdoc, data: and blob: documents load that file instead of carrying the text.
    words = ("srcdoc", "data:", "blob", "javascript: frame")
    made = tuple(c for c in CHANNELS if not c.open_because and any(word in c.name for word in words))
    held = run(browser, True, PAGE, DENYING, made, external=True)
    assert held.tracker == frozenset()
    assert held.good >= {case_id(c, PAGE) for c in made if PAGE in c.realms}


def test_strict_mode_also_stops_a_blank_frame_that_is_sent_away(browser: Browser) -> None:
    strict = GuardConfig(hosts=(TRACKER,), strict=True)
    sent_away = tuple(c for c in CHANNELS if c.name == "blank frame, its location")
    stopped = run(browser, True, PAGE, strict, sent_away, patience_s=1.5)  # nothing is to come
    # Fail-closed: the brake cannot see where a location leads, so it stops good ones too.
    assert stopped.tracker == stopped.good == frozenset()
    in_sight = tuple(c for c in CHANNELS if c.name in ("form.submit", "iframe, src after insertion"))
    checked = run(browser, True, PAGE, strict, in_sight)
    assert checked.tracker == frozenset()
    assert checked.good == {case_id(c, PAGE) for c in in_sight}


def test_the_matrix_in_the_documentation_is_that_of_this_run(
    runs: dict[tuple[bool, str], Run],
) -> None:
    """Run with ``GUARD_MATRIX=write`` to print it anew."""
    printed = print_matrix(runs) + "\n"
    before, marker, after = MATRIX.read_text().partition(THROUGH_THE_GATE)
    if os.environ.get("GUARD_MATRIX") == "write":
        MATRIX.write_text(printed + marker + after)
        before = printed
    assert before == printed


def print_matrix(runs: dict[tuple[bool, str], Run]) -> str:
    marks = {PAGE: "page", FRAME: "frame", WORKER: "worker"}
    lines = [
        "# What the guard stops",
        "",
        "Printed by `tests/browser/test_guard.py` from its own run in Chromium; write it anew with",
        "`GUARD_MATRIX=write pytest tests/browser/test_guard.py`. Every case is one line of JavaScript in",
        "`tests/support/guard_cases.py`. *Stopped* means: the third party was called without the guard and",
        "was not with it, while a good third party was called through the same channel. *Page* is the document,",
        "*frame* a blank frame that a script inserted, *worker* a dedicated worker of the site.",
        "",
        "| channel | " + " | ".join(marks.values()) + " | by what, or why not |",
        "| --- | --- | --- | --- | --- |",
    ]
    for channel in CHANNELS:
        cells = []
        for realm in marks:
            if realm not in channel.realms:
                cells.append("")
            elif channel.unprovable or not runs[False, realm].reached(runs[False, realm].tracker, channel, realm):
                cells.append("not provable here")
            else:
                out = runs[True, realm].reached(runs[True, realm].tracker, channel, realm)
                cells.append("**open**" if out else "stopped")
        reason = channel.open_because or channel.unprovable or channel.stopped_by
        if WORKER in channel.realms and reason == "guard":
            reason = "worker prologue" if channel.realms == (WORKER,) else "guard; in workers the prologue"
        lines.append(f"| {channel.name} | {' | '.join(cells)} | {reason} |")
    return "\n".join(lines) + "\n"

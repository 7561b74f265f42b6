"""The guard in Debian's Firefox, where it is installed: the same ways out as in Chromium, counted at the third party.

A way that Firefox does not have is not proven here: only those count by which the third party is reached without the guard.
"""

import contextlib
from collections.abc import Iterator

import pytest

from optout_gate.rewrite.guard import GuardConfig
from support.firefox import Firefox, firefox
from support.guard_cases import CHANNELS, EVERYWHERE, FRAME, PAGE, WORKER
from support.guard_site import GOOD, TRACKER, Site, case_id, run_cases, wait_for_calls
from support.third_party import ThirdParty

pytestmark = pytest.mark.browser

CLOSED = tuple(channel for channel in CHANNELS if not (channel.open_because or channel.unprovable or channel.raw))
AT_LEAST = {PAGE: 195, FRAME: 180, WORKER: 28}  # proven in Firefox 153: 225, 207 and 34


@pytest.fixture(scope="module")
def window() -> Iterator[Firefox]:
    with firefox() as window:
        yield window


def run_all(window: Firefox, site: Site, realm: str, host: str, port: int) -> None:
    """Run every case. That there is an answer proves it: on a busy machine one of them may take the page away before."""
    for _ in range(4):
        window.goto(site.address)
        with contextlib.suppress(TypeError):  # no answer
            run_cases(window, CLOSED, realm, host, port)
            return
    pytest.fail("the page went away before it had answered, four times")


def reached(window: Firefox, realm: str, host: str, guard: GuardConfig | None, wanted: int) -> frozenset[str]:
    """Return the cases by which a third party was reached, all run in one load of a page; ``wanted`` are waited for."""
    party = ThirdParty()
    site = Site(guard, modules_denied=(f"{TRACKER}:{party.port}",))
    try:
        run_all(window, site, realm, host, party.port)
        wait_for_calls(window, party, lambda calls: len(calls) >= wanted, patience_s=15, quiet_s=1)
        return frozenset(party.hits) & {case_id(channel, realm) for channel in CLOSED}  # not its favicon
    finally:
        for server in (party, site):
            server.close()


@pytest.mark.parametrize("realm", EVERYWHERE)
def test_a_denied_vendor_is_reached_without_the_guard_and_not_with_it(window: Firefox, realm: str) -> None:
    denying = GuardConfig(hosts=(TRACKER,), cookies=("tracker_*",), storage=("tracker_*",))
    plain = reached(window, realm, TRACKER, None, AT_LEAST[realm])
    assert len(plain) >= AT_LEAST[realm]
    assert reached(window, realm, TRACKER, denying, 0) == frozenset()
    good = reached(window, realm, GOOD, denying, AT_LEAST[realm])
    assert len(good) >= AT_LEAST[realm]


def test_the_signal_is_spoken_in_documents_and_workers(window: Firefox) -> None:
    site = Site(GuardConfig(hosts=(TRACKER,)))
    window.goto(site.address)
    own = "Object.getOwnPropertyNames(Navigator.prototype).includes('globalPrivacyControl')"
    assert window.evaluate(f"() => [navigator.globalPrivacyControl, {own}]") == [True, True]
    said = """() => new Promise(done => { const w = new Worker('/worker.js'); w.onmessage = e => done(e.data);
        w.postMessage({prelude: '', cases: [{js: 'throw navigator.globalPrivacyControl', id: 'said'}]}) })"""
    assert window.evaluate(said) == ["said: true"]
    site.close()

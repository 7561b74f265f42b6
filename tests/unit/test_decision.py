"""A decision follows from signals, mode, policy and path; a verdict says what becomes of a vendor, and why."""

import pytest

from optout_gate.http import Headers
from optout_gate.policy.config import Action, Mode, PolicyConfig
from optout_gate.policy.decision import Decision, Policy
from optout_gate.signals.reading import read
from optout_gate.trackers.catalog import Catalog
from support.gates import gate_of_tests


def catalog() -> Catalog:
    return gate_of_tests().catalog


def made(
    signal: bytes = b"", policy: dict[str, object] | None = None, *, path: str = "/", mode: Mode = Mode.ENFORCE
) -> Decision:
    headers = Headers([(b"Sec-GPC", signal)] if signal else [])
    config = PolicyConfig.model_validate(policy or {})
    return Policy("p", config, catalog()).decide(mode, read(headers, cookie_name="optout_gate"), path)


def test_no_signal_is_no_opt_out() -> None:
    decision = made()
    assert (decision.opted_out, decision.signal, str(decision)) == (False, "none", "no opt-out")


def test_a_signal_that_the_policy_honours_opts_out_and_is_kept_as_evidence() -> None:
    decision = made(b"1")
    assert (decision.opted_out, decision.enforced, decision.signal) == (True, True, "gpc")
    assert str(decision) == "opted out by Sec-GPC: 1"


def test_a_signal_that_the_policy_does_not_honour_changes_nothing() -> None:
    assert not made(b"1", {"honor": ["cookie"]}).opted_out


def test_observing_is_deciding_without_enforcing() -> None:
    decision = made(b"1", mode=Mode.OBSERVE)
    assert decision.opted_out and not decision.enforced


def test_a_site_that_is_off_decides_nothing() -> None:
    assert not made(b"1", {"always": ["/*"]}, mode=Mode.OFF).opted_out


@pytest.mark.parametrize(
    ("path", "covered"),
    [
        ("/member", True), ("/member/", True), ("/member/a/b", True), ("/%6dember/x", True), ("//member//x", True),
        ("/x/../member/y", True), ("/a\\..\\member", True), ("/members", False), ("/x/member", False), ("/", False),
    ],
)  # fmt: skip
def test_an_always_path_is_read_as_origins_read_it(path: str, covered: bool) -> None:
    decision = made(b"", {"always": ["/member/*"]}, path=path)
    assert decision.opted_out is covered
    assert decision.signal == ("always" if covered else "none")


@pytest.mark.parametrize(
    ("vendor", "policy", "action", "words"),
    [
        ("test-ads", {}, Action.BLOCK, "policy 'p' denies advertising"),
        ("test-fonts", {}, Action.ALLOW, "policy 'p' does not deny functional"),
        ("test-bots", {}, Action.ALLOW, "security keeps working for everyone"),
        ("test-bots", {"vendors": {"test-bots": "block"}}, Action.BLOCK, "policy 'p' says block for this vendor"),
        ("test-ads", {"vendors": {"test-ads": "allow"}}, Action.ALLOW, "policy 'p' says allow for this vendor"),
        ("test-ads", {"deny": ["analytics"]}, Action.ALLOW, "policy 'p' does not deny advertising"),
        ("test-speed", {"deny": ["performance"]}, Action.BLOCK, "policy 'p' denies performance"),
    ],
)
def test_a_vendor_is_answered_by_its_purposes_or_by_name(
    vendor: str, policy: dict[str, object], action: Action, words: str
) -> None:
    answer = made(b"1", policy).policy.answer(catalog().vendors[vendor])
    assert (answer.action, answer.words) == (action, words)


def test_a_verdict_names_the_rule_and_where_it_stands() -> None:
    rule = catalog().by_url("ads.test", "/")
    assert rule is not None
    assert str(made(b"1").verdict(rule)).startswith("block: test-ads (policy 'p' denies advertising), by test.yaml:")

"""A restricted vendor keeps loading, with its mode set before its first call, or not at all."""

from pathlib import Path

import pytest

from optout_gate.errors import ConfigError
from optout_gate.policy.load import load_text
from optout_gate.rewrite.restricted import with_query
from support.gates import OPTED_OUT, SITE, drive, gate, request

MODE = """
policies: {default: {vendors: {modal: restrict, other-modal: restrict}}}
trackers:
  extra:
    - {vendor: modal, purposes: [advertising], domains: [modal.test],
       restricted: {before: "window.modal='limited';", query: {rdp: "1"}, attributes: {data-limited: "1"}, source: x}}
    - {vendor: other-modal, purposes: [analytics], domains: [om.test],
       restricted: {before: "om=1;", source: x}}
    - {vendor: plain, purposes: [advertising], domains: [plain.test]}
"""
FIRST = b"window.modal='limited';om=1;</script>"


def through(body: bytes, *headers: tuple[bytes, bytes], signal: bool = True) -> bytes:
    exchange = gate(SITE, trackers=MODE).open(request("/", *([OPTED_OUT] if signal else [])))
    assert exchange is not None
    return drive(exchange, body, (b"Content-Type", b"text/html"), *headers)[1]


def test_modes_are_set_before_the_first_script_and_references_carry_their_parameters() -> None:
    out = through(
        b'<head><script>own()</script><script async src="https://modal.test/t.js?id=1&amp;rdp=0#x"></script>'
        b'<noscript><img src="https://modal.test/p?id=1"></noscript>'
    )
    assert out.startswith(b'<head><script data-optout-gate="restricted">' + FIRST + b"<script>own()</script>")
    assert out.count(FIRST) == 1
    assert b'src="https://modal.test/t.js?id=1&amp;rdp=1#x" data-limited="1"' in out
    assert b'<noscript><img src="https://modal.test/p?id=1&amp;rdp=1"></noscript>' in out


def test_an_inline_bootstrap_of_a_restricted_vendor_is_left_as_it_is() -> None:
    assert b"<script>load('https://modal.test/t.js')</script>" in through(
        b"<script>load('https://modal.test/t.js')</script>"
    )


def test_who_said_nothing_gets_the_page_as_it_is() -> None:
    body = b'<script src="https://modal.test/t.js"></script>'
    assert through(body, signal=False) == body


def test_under_a_policy_of_nonces_the_mode_bears_the_pages_nonce() -> None:
    csp = (b"Content-Security-Policy", b"script-src 'nonce-abc'")
    out = through(b'<script nonce="abc" src="https://modal.test/t.js"></script>', csp)
    assert out.startswith(b'<script nonce="abc" data-optout-gate="restricted">' + FIRST)
    assert b"https://modal.test/t.js?rdp=1" in out


def test_where_a_policy_keeps_the_mode_out_the_vendor_is_denied() -> None:
    csp = (b"Content-Security-Policy", b"script-src 'self' https://modal.test")
    out = through(b'<script src="https://modal.test/t.js"></script><script>x("//om.test/a")</script>', csp)
    assert b"modal.test" not in out and b"om.test" not in out and FIRST not in out


def test_a_vendor_that_documents_no_such_mode_cannot_be_restricted() -> None:
    text = SITE + MODE.replace("{modal: restrict,", "{plain: restrict,")
    with pytest.raises(ConfigError, match="'plain' has no restricted mode that its vendor documents"):
        load_text(text, file="x.yaml", folder=Path())


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/t", "/t?a=1"), ("/t?", "/t?a=1"), ("/t?b=2", "/t?b=2&a=1"), ("/t?a=0&b=2", "/t?b=2&a=1"), ("/t#x", "/t?a=1#x"),
        ("/t?aa=0", "/t?aa=0&a=1"),
    ],
)  # fmt: skip
def test_a_parameter_is_set_once(url: str, expected: str) -> None:
    assert with_query(url, {"a": "1"}) == expected

"""What a gateway drops, keeps and adds (RFC 9110 §7.6)."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from optout_gate.http import Headers
from optout_gate.proxy import forwarding, signed_in
from support.gates import SITE, gate

Lines = tuple[tuple[bytes, bytes], ...]


def onward(*lines: tuple[bytes, bytes], trusted: bool = False) -> Lines:
    headers = forwarding.end_to_end(Headers(lines))
    return forwarding.toward_origin(
        headers, peer="203.0.113.9", trusted=trusted, scheme="https", authority="shop.test", host="shop.test"
    ).pairs


def test_hop_by_hop_fields_and_those_that_connection_names_are_dropped() -> None:
    headers = Headers(
        [(b"Connection", b"close, X-Foo"), (b"X-Foo", b"1"), (b"Keep-Alive", b"5"), (b"TE", b"trailers"), (b"Trailer", b"x"),
         (b"Upgrade", b"h2c"), (b"Proxy-Authorization", b"x"), (b"Transfer-Encoding", b"chunked"), (b"X-Bar", b"2")]
    )  # fmt: skip
    assert forwarding.end_to_end(headers).pairs == ((b"X-Bar", b"2"),)


@pytest.mark.parametrize(
    "name",
    [b"Host", b"Cookie", b"Authorization", b"Sec-GPC", b"Content-Type", b"X-Forwarded-For", b"X-Forwarded-Port",
     b"X-Real-IP", b"Forwarded", b"Via", b"Cache-Control"],
)  # fmt: skip
def test_connection_cannot_take_away_what_others_rely_on(name: bytes) -> None:
    headers = Headers([(b"Connection", b"close, " + name), (name, b"1")])
    assert forwarding.end_to_end(headers).pairs == ((name, b"1"),)


def test_what_an_untrusted_peer_says_about_others_is_dropped() -> None:
    lines = onward(
        (b"X-Forwarded-For", b"6.6.6.6"), (b"Forwarded", b"for=6.6.6.6"), (b"X-Real-IP", b"6.6.6.6"), (b"Host", b"a")
    )
    assert lines == (
        (b"Host", b"shop.test"), (b"X-Forwarded-Proto", b"https"), (b"X-Forwarded-Host", b"shop.test"),
        (b"X-Forwarded-For", b"203.0.113.9"), (b"Via", b"1.1 optout-gate"),
    )  # fmt: skip


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize(
    "name", [b"X_Forwarded_For", b"x-forwarded_for", b"X_REAL_IP", b"X_Forwarded-Proto", b"Content_Length", b"Transfer_Encoding"]
)  # fmt: skip
def test_nobody_speaks_in_the_gates_place_by_a_name_that_cgi_takes_for_its_own(name: bytes, trusted: bool) -> None:
    assert name not in dict(onward((name, b"6.6.6.6"), trusted=trusted))
    assert dict(onward((b"Own_Field", b"1"), trusted=trusted))[b"Own_Field"] == b"1"


def test_a_trusted_peers_word_is_kept_and_added_to() -> None:
    lines = onward(
        (b"X-Forwarded-For", b"198.51.100.7"), (b"X-Forwarded-Proto", b"https"), (b"Via", b"1.1 edge"), trusted=True
    )
    assert dict(lines)[b"X-Forwarded-For"] == b"198.51.100.7, 203.0.113.9"
    assert dict(lines)[b"X-Forwarded-Proto"] == b"https"
    assert dict(lines)[b"Via"] == b"1.1 edge, 1.1 optout-gate"


def test_unknown_fields_keep_their_order_repeats_case_and_bytes() -> None:
    mine: Lines = ((b"x-B", b"\xe9"), (b"X-a", b"1"), (b"x-B", b""))
    assert onward(*mine)[:3] == mine


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [("10.1.2.3", True), ("10.2.0.1", False), ("::1", True), (None, False), ("not-an-address", False)],
)
def test_a_peer_is_trusted_by_its_network(peer: str | None, trusted: bool) -> None:
    assert forwarding.is_trusted(peer, (ip_network("10.1.0.0/16"), ip_network("::1/128"))) is trusted


def test_hops_through_gates_of_this_name_are_counted() -> None:
    headers = Headers([(b"Via", b"1.1 optout-gate, 1.1 edge"), (b"via", b"HTTP/1.1 optout-gate (x)")])
    assert forwarding.hops(headers) == 2


@pytest.mark.parametrize(("trusted", "kept"), [(False, []), (True, [b"X-Account"])])
def test_nobody_signs_in_at_the_origin_by_a_field_that_no_trusted_peer_sent(
    trusted: bool, kept: list[bytes], tmp_path: Path
) -> None:
    (tmp_path / "consumers.key").write_text("k" * 64)
    known = "consumers: {identify: {header: X-Account}, key_file: consumers.key}\ntrusted_proxies: [127.0.0.1]\n"
    headers = Headers([(b"X-Account", b"alice"), (b"X_Account", b"bob"), (b"x_ACCOUNT", b"bob")])
    left = signed_in.without_false_identity(headers, gate(SITE + known, folder=tmp_path), trusted=trusted)
    assert [name for name, _ in left] == kept

"""What the edge refuses: the connection is closed and the application never hears of it.

The table walks the classes of request smuggling that HTTP Garden collects, and what other servers were seen to let
pass.
"""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from support.edge import Edge, echo, edge, read_body, until_closed

HOST = b"Host: shop.example\r\n"


@pytest.fixture(scope="module")
def door() -> Iterator[Edge]:
    with edge(echo) as running:
        yield running


def get(*lines: bytes, version: bytes = b"HTTP/1.1", target: bytes = b"/", method: bytes = b"GET") -> bytes:
    return b"%b %b %b\r\n%b\r\n" % (method, target, version, b"".join(line + b"\r\n" for line in lines))


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\n%b%b\r\n%b" % (HOST, b"".join(line + b"\r\n" for line in lines), body)


H = b"Host: shop.example"
CHUNKED = b"Transfer-Encoding: chunked"
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: shop.example\r\n\r\n"

REFUSED = [
    # Two answers to where the body ends
    pytest.param(post(b"Content-Length: 5", CHUNKED, body=b"0\r\n\r\n"), id="content-length-and-chunked"),
    pytest.param(post(CHUNKED, b"Content-Length: 5", body=b"0\r\n\r\n"), id="chunked-and-content-length"),
    pytest.param(post(b"Content-Length: 3", b"Content-Length: 3", body=b"abc"), id="content-length-twice-the-same"),
    pytest.param(post(b"Content-Length: 3", b"Content-Length: 4", body=b"abcd"), id="content-length-twice-different"),
    pytest.param(post(b"Content-Length: 3, 3", body=b"abc"), id="content-length-list"),
    pytest.param(post(b"Content-Length: +3", body=b"abc"), id="content-length-plus"),
    pytest.param(post(b"Content-Length: 03", body=b"abc"), id="content-length-octal"),
    pytest.param(post(b"Content-Length: -3", body=b"abc"), id="content-length-negative"),
    pytest.param(post(b"Content-Length: 0x3", body=b"abc"), id="content-length-hex"),
    pytest.param(post(b"Content-Length: 1_0", body=b"0123456789"), id="content-length-underscore"),
    pytest.param(post(b"Content-Length: 3 3", body=b"abc"), id="content-length-with-space"),
    pytest.param(post(b"Content-Length:", body=b"abc"), id="content-length-empty"),
    pytest.param(post(b"Content-Length: 99999999999999999999", body=b"abc"), id="content-length-overflows"),
    pytest.param(post(b"Content-Length: \xb2", body=b"abc"), id="content-length-superscript-digit"),
    pytest.param(post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), id="gzip-and-chunked"),
    pytest.param(post(b"Transfer-Encoding: identity", body=b"abc"), id="identity"),
    pytest.param(post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), id="xchunked"),
    pytest.param(post(CHUNKED, CHUNKED, body=b"0\r\n\r\n"), id="chunked-twice"),
    pytest.param(post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"), id="chunked-listed-twice"),
    pytest.param(post(b"Transfer-Encoding: chunked;a=b", body=b"0\r\n\r\n"), id="chunked-with-parameter"),
    pytest.param(post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"), id="chunked-behind-vertical-tab"),
    pytest.param(post(b"Transfer-Encoding: \xa0chunked", body=b"0\r\n\r\n"), id="chunked-behind-no-break-space"),
    pytest.param(post(b"Transfer-Encoding:", body=b"0\r\n\r\n"), id="transfer-encoding-empty"),
    pytest.param(b"POST / HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n\r\n0\r\n\r\n", id="chunked-in-http-1.0"),
    # Lines that two parsers end, fold or name differently
    pytest.param(b"GET / HTTP/1.1\n" + HOST + b"\r\n", id="bare-line-feed-after-request-line"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: shop.example\nX: y\r\n\r\n", id="bare-line-feed-after-field"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: shop.example\n\n", id="bare-line-feeds-at-the-end"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: shop.example\rX: y\r\n\r\n", id="bare-carriage-return"),
    pytest.param(get(H, b"X: a", b" folded"), id="folded-line"),
    pytest.param(get(H, b"X: a", b"\tContent-Length: 3"), id="folded-content-length"),
    pytest.param(get(b" Host: shop.example"), id="space-before-first-field"),
    pytest.param(get(H, b"X : y"), id="space-before-colon"),
    pytest.param(get(H, b"Transfer-Encoding : chunked"), id="space-before-colon-of-transfer-encoding"),
    pytest.param(get(H, b": empty"), id="empty-name"),
    pytest.param(get(H, b"no colon"), id="no-colon"),
    pytest.param(get(H, b"X: a\0b"), id="nul-in-value"),
    pytest.param(get(H, b"X: a\x01b"), id="control-character-in-value"),
    pytest.param(get(H, b"X\0: b"), id="nul-in-name"),
    pytest.param(get(H, b"X(y): b"), id="delimiter-in-name"),
    pytest.param(get(H, b"X\x85: b"), id="eight-bit-name"),
    # Who is asked, and for what
    pytest.param(get(), id="no-host"),
    pytest.param(get(version=b"HTTP/1.0"), id="no-host-in-http-1.0"),
    pytest.param(get(H, b"Host: shop.example"), id="host-twice-the-same"),
    pytest.param(get(H, b"Host: evil.example"), id="host-twice"),
    pytest.param(get(b"Host:"), id="host-empty"),
    pytest.param(get(b"Host: a/b@c d"), id="host-with-path-and-user"),
    pytest.param(get(b"Host: a@b"), id="host-with-user"),
    pytest.param(get(b"Host: a, b"), id="host-list"),
    pytest.param(get(b"Host: a:b"), id="host-with-a-word-for-a-port"),
    pytest.param(get(b"Host: a:1:2"), id="host-with-two-ports"),
    pytest.param(get(b"Host: [::1"), id="host-bracket-open"),
    pytest.param(get(b"Host: a%00b"), id="host-with-escape"),
    pytest.param(get(b"Host: m\xfcller.example"), id="host-eight-bit"),
    pytest.param(get(H, target=b"http://evil.example/"), id="absolute-form"),
    pytest.param(get(H, target=b"http://shop.example/"), id="absolute-form-of-the-same-host"),
    pytest.param(get(H, target=b"evil.example:443", method=b"CONNECT"), id="connect"),
    pytest.param(get(H, target=b"*"), id="asterisk-with-get"),
    pytest.param(get(H, target=b"/a#b"), id="fragment"),
    pytest.param(get(H, target=b"a/b"), id="relative-target"),
    pytest.param(get(H, target=b"@evil.example/"), id="target-begins-with-at"),
    pytest.param(get(H, target=b"/a b"), id="space-in-target"),
    # Not HTTP/1
    pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="http-2-preface"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40, id="tls-hello"),
    pytest.param(get(H, version=b"HTTP/1.12"), id="version-with-two-digits"),
    pytest.param(b"FOO / HTTP/1.1\r\n" + HOST + b"\r\n", id="unknown-method"),
]

BROKEN_CHUNKS = [
    pytest.param(post(CHUNKED, body=b"0x3\r\nabc\r\n0\r\n\r\n"), id="chunk-size-hex-prefix"),
    pytest.param(post(CHUNKED, body=b"+3\r\nabc\r\n0\r\n\r\n"), id="chunk-size-plus"),
    pytest.param(post(CHUNKED, body=b"1_0\r\nabc\r\n0\r\n\r\n"), id="chunk-size-underscore"),
    pytest.param(post(CHUNKED, body=b"\r\nabc\r\n0\r\n\r\n"), id="chunk-size-empty"),
    pytest.param(post(CHUNKED, body=b"3\nabc\r\n0\r\n\r\n"), id="chunk-size-bare-line-feed"),
    pytest.param(post(CHUNKED, body=b"3;a\nb\r\nabc\r\n0\r\n\r\n"), id="line-feed-in-chunk-extension"),
    pytest.param(post(CHUNKED, body=b"3 \r\nabc\r\n0\r\n\r\n"), id="space-behind-chunk-size"),
    pytest.param(post(CHUNKED, body=b"3\r\nabcXX0\r\n\r\n"), id="chunk-without-its-end"),
    pytest.param(post(CHUNKED, body=b"3\r\nabc\n0\r\n\r\n"), id="chunk-ends-with-line-feed"),
    pytest.param(post(CHUNKED, body=b"fffffffffffffffff\r\nabc\r\n"), id="chunk-size-overflows"),
]


@pytest.mark.parametrize("request_bytes", REFUSED)
def test_an_ambiguous_request_gets_400_and_a_closed_connection_and_reaches_nobody(
    door: Edge, request_bytes: bytes
) -> None:
    door.scopes.clear()
    answered = door.talk(request_bytes + HIDDEN)
    assert answered.startswith(b"HTTP/1.1 400 "), answered[:80]
    assert answered.count(b"HTTP/1.1 ") == 1
    assert b"\r\nconnection: close\r\n" in answered
    assert door.scopes == []


@pytest.mark.parametrize("request_bytes", REFUSED)
def test_an_ambiguous_request_cut_into_single_bytes_is_refused_alike(door: Edge, request_bytes: bytes) -> None:
    door.scopes.clear()
    with door.connect() as client, contextlib.suppress(ConnectionError):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(request_bytes)):
            client.sendall(request_bytes[at : at + 1])
        client.sendall(HIDDEN)
        assert until_closed(client).startswith(b"HTTP/1.1 400 ")
    assert door.scopes == []


@pytest.mark.parametrize("request_bytes", BROKEN_CHUNKS)
def test_a_broken_chunked_body_never_becomes_a_whole_one(request_bytes: bytes) -> None:
    whole: list[bytes] = []

    async def keep(scope: Any, receive: Any, send: Any) -> None:
        with contextlib.suppress(ConnectionError):
            whole.append(await read_body(receive))

    with edge(keep) as door:
        answered = door.talk(request_bytes + HIDDEN)
        assert answered.startswith(b"HTTP/1.1 400 ")
        assert answered.count(b"HTTP/1.1 ") == 1
        assert [scope["path"] for scope in door.scopes] in ([], ["/"])
    assert whole == []


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(get(H, b"Expect: junk"), 417, id="expect-something-else"),
        pytest.param(b"GET /\r\n\r\n", 505, id="http-0.9"),
        pytest.param(get(H, version=b"HTTP/2.0"), 505, id="http-2-on-the-line"),
        pytest.param(get(H, target=b"/" + b"a" * 40_000), 414, id="target-too-long"),
        pytest.param(b"GET /" + b"a" * 70_000, 414, id="target-without-end"),
        pytest.param(get(H, *[b"X: y"] * 200), 431, id="201-fields"),
        pytest.param(get(H, b"X: " + b"a" * 65_000, b"Y: " + b"b" * 1000), 431, id="fields-too-long-together"),
        pytest.param(get(H)[:-2] + b"X: " + b"a" * 70_000, 431, id="field-without-end"),
        pytest.param(get(H)[:-2] + b"a" * 70_000, 431, id="name-without-end"),
        pytest.param(b"\r\n" * 40_000, 431, id="empty-lines-without-end"),
    ],
)
def test_a_request_beyond_the_limits_is_told_so_and_closed(door: Edge, request_bytes: bytes, status: int) -> None:
    door.scopes.clear()
    answered = door.talk(request_bytes)
    assert answered.startswith(b"HTTP/1.1 %d " % status), answered[:80]
    assert door.scopes == []


def test_200_fields_and_64_kib_are_still_served(door: Edge) -> None:
    fields = get(H, b"Connection: close", *[b"X-%03d: %b" % (number, b"a" * 300) for number in range(198)])
    assert 60_000 < len(fields) < 65_536
    assert door.talk(fields).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("host", [b"shop.example", b"SHOP.example:8080", b"127.0.0.1", b"[::1]:80", b"a_b.example."])
def test_an_honest_host_is_served(door: Edge, host: bytes) -> None:
    assert door.talk(get(b"Host: " + host, b"Connection: close")).startswith(b"HTTP/1.1 200 ")


def test_a_refused_request_waits_for_the_answers_before_it(door: Edge) -> None:
    answered = door.talk(get(H, target=b"/first") + get(H, H, target=b"/second") + HIDDEN)
    assert answered.count(b"HTTP/1.1 200 ") == 1
    assert answered.index(b"GET /first") < answered.index(b"HTTP/1.1 400 ")
    assert b"hidden" not in answered

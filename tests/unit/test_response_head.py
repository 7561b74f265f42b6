"""Each file of ``response_header_cases/`` is one case: lines from the origin, ten dashes, lines to the visitor."""

from pathlib import Path

import pytest

from optout_gate.http import Headers
from optout_gate.rewrite import response_head
from support.gates import OPTED_OUT, drive, gate_of_tests, request

CASES = sorted((Path(__file__).parent / "response_header_cases").glob("*.case"))


def pairs(block: bytes) -> tuple[tuple[bytes, bytes], ...]:
    lines = [line for line in block.splitlines() if line and not line.startswith(b"#")]
    return tuple((name, value) for name, _, value in (line.partition(b": ") for line in lines))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_headers_are_rewritten_as_the_case_says(case: Path) -> None:
    given, expected = case.read_bytes().split(b"----------\n")
    exchange = gate_of_tests().open(request("/", OPTED_OUT))
    assert exchange is not None
    head, _ = drive(exchange, b"", (b"Content-Type", b"image/png"), *pairs(given))
    assert head.headers.pairs[1:] == pairs(expected)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_headers_are_untouched_without_a_signal(case: Path) -> None:
    given = pairs(case.read_bytes().split(b"----------\n")[0])
    exchange = gate_of_tests().open(request("/"))
    assert exchange is not None
    assert drive(exchange, b"", (b"Content-Type", b"image/png"), *given)[0].headers.pairs[1:] == given


@pytest.mark.parametrize(
    ("vary", "expected"),
    [
        pytest.param([], [b"Sec-GPC"], id="absent"),
        pytest.param([b"Accept-Encoding"], [b"Accept-Encoding, Sec-GPC"], id="merged"),
        pytest.param([b"Accept-Encoding", b"Cookie"], [b"Accept-Encoding, Cookie, Sec-GPC"], id="several-lines"),
        pytest.param([b"accept, sec-gpc"], [b"accept, sec-gpc"], id="already-there"),
        pytest.param([b"*"], [b"*"], id="star"),
        pytest.param([b""], [b"Sec-GPC"], id="empty"),
    ],
)
@pytest.mark.parametrize("signal", [None, OPTED_OUT], ids=["no-signal", "opted-out"])
def test_vary_is_merged_on_html_for_every_visitor(
    signal: tuple[bytes, bytes] | None, vary: list[bytes], expected: list[bytes]
) -> None:
    exchange = gate_of_tests().open(request("/", *([signal] if signal else [])))
    assert exchange is not None
    head, _ = drive(exchange, b"<p>", (b"Content-Type", b"text/html"), *((b"Vary", value) for value in vary))
    assert head.headers.values(b"vary") == expected


def test_fields_that_no_longer_hold_are_dropped_from_a_rewritten_body() -> None:
    exchange = gate_of_tests().open(request("/", OPTED_OUT, (b"Cookie", b"optout_gate=1")))
    assert exchange is not None
    stale = [
        (b"Content-Length", b"3"), (b"ETag", b'"a"'), (b"Last-Modified", b"Mon, 23 Nov 2026 00:00:00 GMT"), (b"Accept-Ranges", b"bytes"),
        (b"Content-MD5", b"x"), (b"Digest", b"x"), (b"Content-Digest", b"x"), (b"Repr-Digest", b"x"), (b"Signature", b"x"),
    ]  # fmt: skip
    head, _ = drive(exchange, b"<p>", (b"Content-Type", b"text/html"), *stale, (b"X-Kept", b"1"))
    assert head.headers.pairs == ((b"Content-Type", b"text/html"), (b"X-Kept", b"1"), (b"Vary", b"Sec-GPC"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], b"private"),
        ([b"public, max-age=60, s-maxage=9"], b"max-age=60, private"),
        ([b"no-store"], b"no-store"),
        ([b"private"], b"private"),
    ],
)
def test_an_answer_that_a_cookie_decided_is_private(given: list[bytes], expected: bytes) -> None:
    exchange = gate_of_tests().open(request("/", (b"Cookie", b"optout_gate=1")))
    assert exchange is not None
    lines = [(b"Cache-Control", value) for value in given]
    assert drive(exchange, b"<p>", (b"Content-Type", b"text/html"), *lines)[0].headers.values(b"cache-control") == [
        expected
    ]


def test_a_contained_page_may_load_from_its_own_site_alone() -> None:
    headers = Headers([(b"Content-Security-Policy", b"default-src *"), (b"Link", b"<https://ads.test>; rel=preload")])
    contained = response_head.contained(headers, ("www.shop.test", "*.shop.test", "*"))
    own, added = contained.values(b"content-security-policy")
    assert own == b"default-src *"
    assert added.startswith(b"default-src 'self' www.shop.test *.shop.test 'unsafe-inline'")
    assert b"link" not in contained
    assert contained.values(b"cache-control") == [b"private, no-store"]

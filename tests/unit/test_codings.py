"""Bodies in a coding are opened to the last byte, wherever they are cut, and as browsers open what servers get wrong."""

import gzip
import random
import zlib
from collections.abc import Callable, Mapping

import brotli
import pytest
import zstandard

from optout_gate.errors import Failure, RewriteError
from optout_gate.report import Outcome
from optout_gate.rewrite.codings import Coding, coding_of
from support.gates import OPTED_OUT, drive, gate_of_tests, request

WORDS = [b"<p>Hello</p>", b"the quick brown fox ", b"jumps over ", b'<a href="/lazy">dog</a>\n', b"1", b"2", b"3"]
_chance = random.Random(7)
TEXT = b"".join(_chance.choices(WORDS, k=30_000))  # 300 KB, of which a coding leaves a tenth: more than a step at once
ALIKE = b"<p>Hello</p>" * 20_000  # and a thousandth

CODERS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "deflate, bare": lambda body: zlib.compress(body)[2:-4],
    "br": brotli.compress,
    "br, quickly": lambda body: brotli.compress(body, quality=1),
    "zstd": zstandard.compress,
}


def opened(name: str, coded: bytes, cut: int = 1 << 30) -> bytes:
    coding = Coding(name.partition(",")[0].encode())
    out = [piece for at in range(0, len(coded), cut) for piece in coding.opened(coded[at : at + cut])]
    coding.end()
    return b"".join(out)


@pytest.mark.parametrize("cut", [1, 1400, 65536, 1 << 30])
@pytest.mark.parametrize("body", [TEXT, ALIKE], ids=["text", "alike"])
@pytest.mark.parametrize("name", CODERS)
def test_a_body_is_opened_to_its_last_byte(name: str, body: bytes, cut: int) -> None:
    assert opened(name, CODERS[name](body), cut) == body


@pytest.mark.parametrize("name", ["gzip", "br", "zstd"])
def test_a_long_page_that_grows_a_lot_is_enforced(name: str) -> None:
    exchange = gate_of_tests().open(request("/", OPTED_OUT))
    assert exchange is not None
    page = ALIKE[:180_000] + b'<img src="https://ads.test/p">'
    head, _ = drive(exchange, CODERS[name](page), (b"Content-Type", b"text/html"), (b"Content-Encoding", name.encode()))
    assert exchange.report.outcome is Outcome.ENFORCED
    assert b"content-security-policy" not in head.headers


@pytest.mark.parametrize("cut", [1, 2, 7, 1 << 30])
@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_members_follow_each_other_and_what_is_none_is_passed_over(name: str, cut: int) -> None:
    code = CODERS[name]
    first, second = code(b"first "), code(b"second")
    assert opened(name, first + code(b"") + second, cut) == b"first second"
    assert opened(name, first + b"<b>Notice</b>: headers already sent", cut) == b"first "
    assert opened(name, first + b"\0" * 100 + second, cut) == b"first "
    assert opened(name, first + second[:1], cut) == b"first "
    with pytest.raises(RewriteError, match="ends before its end") as found:
        opened(name, first + second[:-1], cut)
    assert found.value.reason is Failure.DECODING


def test_what_follows_other_ends_is_passed_over_as_well() -> None:
    assert opened("deflate", zlib.compress(b"first") + b"\x1f\x8b") == b"first"
    coded = brotli.compress(b"first")
    assert opened("br", coded + b"more", cut=len(coded)) == b"first"


@pytest.mark.parametrize("cut", [1, 5, 1 << 30])
def test_a_frame_of_zstd_that_is_to_be_skipped_is(cut: int) -> None:
    skipped = b"\x5f\x2a\x4d\x18\x04\0\0\0abcd"
    assert opened("zstd", skipped + zstandard.compress(b"page") + skipped, cut) == b"page"


@pytest.mark.parametrize(
    ("values", "coding"),
    [
        ([], b"identity"), ([b"GZip"], b"gzip"), ([b"identity", b"br"], b"br"),
        ([b"utf-8"], b"identity"), ([b"none"], b"identity"), ([b"aws-chunked"], b"identity"), ([b"aws-chunked", b"gzip"], b"gzip"),
        ([b"gzip", b"br"], None), ([b"dcz"], None), ([b"dcb"], None), ([b"rot13"], None),
    ],
)  # fmt: skip
def test_what_no_browser_takes_for_a_coding_is_none(values: list[bytes], coding: bytes | None) -> None:
    assert coding_of(values) == coding

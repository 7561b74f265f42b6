"""Everything that can break between an origin and a visitor who opted out, one after the other, through a real gate.

What must hold for each: no denied host leaves where a browser could reach it; each response has one outcome, and the
metrics add up to the number of requests; who said nothing gets the origin's bytes; memory stays bounded; and in the
middle of every long body somebody else is answered.
"""

import gzip
import os
import re
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import brotli
import pytest
import zstandard

from support.faults import TIMEOUT_S, Fault, FaultyOrigin, Got, visit
from support.processes import Gate, get, running_gate

CONFIG = """version: 1
sites: [{{upstream: "{origin}"}}]
trusted_proxies: [127.0.0.1]
consumers: {{identify: {{header: X-Account}}, key_file: consumers.key}}
choices: {{backend: redis, url: "redis://127.0.0.1:1/0"}}   # nobody listens there
policies: {{default: {{sticky: false}}}}
trackers: {{extra: [{{vendor: test-ads, purposes: [advertising], domains: [ads.test], cookies: [_ads]}}]}}
"""
DENIED = b"https://ads.test/"
TRACKER = b'<img src="https://ads.test/p">'
PAGE = b"<!doctype html><p>Hello</p>" + TRACKER
# Longer than what is waited for: a page that is there whole would be read again by the gate's own scanner.
GIVEN_UP = b"<select><script>'</select>'</script><xmp>" + b"x" * 70_000
HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
PIECE = 64 * 1024
LONG = b"<p>0123456789</p>\n" * 20_000  # more than the gate holds back
BOMB_BYTES = 256 * 1024 * 1024
MEMORY_BYTES = BOMB_BYTES * 5 // 8  # that all of this may cost the gate together, so that no bomb was ever opened whole


def labelled(*lines: bytes, status: bytes = b"200 OK", kind: bytes = b"text/html") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Type: %b\r\n" % (status, kind) + b"".join(line + b"\r\n" for line in lines)


def whole(*pieces: bytes) -> Callable[[], Iterable[bytes]]:
    return lambda: pieces


def long_run(start: bytes, filling: bytes, size: int, end: bytes = b"") -> Callable[[], Iterable[bytes]]:
    """Return the pieces of a body that begins, goes on for ``size`` bytes, and ends."""

    def pieces() -> Iterator[bytes]:
        yield start
        block = (filling * (PIECE // len(filling) + 1))[:PIECE]
        for _ in range(size // PIECE):
            yield block
        if end:
            yield end

    return pieces


def bomb(encode: Callable[[Iterator[bytes]], bytes], begin: bytes = PAGE) -> Callable[[], Iterable[bytes]]:
    """Return the pieces of a small body that grows to 256 MiB when it is opened."""

    def plain() -> Iterator[bytes]:
        yield begin
        yield from [bytes(1024 * 1024)] * (BOMB_BYTES // (1024 * 1024))

    @cache
    def pieces() -> list[bytes]:
        coded = encode(plain())
        return [coded[at : at + 4096] for at in range(0, len(coded), 4096)]

    return pieces


def by_gzip(plain: Iterator[bytes]) -> bytes:
    writer = zlib.compressobj(6, wbits=31)
    return b"".join([*map(writer.compress, plain), writer.flush()])


def by_brotli(plain: Iterator[bytes]) -> bytes:
    writer = brotli.Compressor(quality=1)
    return b"".join([*map(writer.process, plain), writer.finish()])


def by_zstd(plain: Iterator[bytes]) -> bytes:
    writer = zstandard.ZstdCompressor(level=1).compressobj()
    return b"".join([*map(writer.compress, plain), writer.flush()])


MANY_KINDS = b"".join(b"<p>%d</p>" % (number * 7919 % 1_000_003) for number in range(60_000))
"""A page that compresses as pages do."""

FAULTS = {
    # The rewriter.
    "rewriter": Fault("contained", body=whole(PAGE + GIVEN_UP + TRACKER)),
    "rewriter-late": Fault("blocked", body=whole(PAGE, LONG, GIVEN_UP + TRACKER)),
    "xml-with-entities": Fault(
        "contained", labelled(kind=b"application/xhtml+xml"), whole(b"<!DOCTYPE html [<!ENTITY a 'b'>]><html>" + TRACKER)
    ),
    # Decoding.
    "not-its-coding": Fault("contained", labelled(b"Content-Encoding: gzip"), whole(PAGE)),
    "ends-too-soon": Fault("contained", labelled(b"Content-Encoding: gzip"), whole(gzip.compress(PAGE)[:-9])),
    "breaks-late": Fault(
        "blocked",
        labelled(b"Content-Encoding: gzip"),
        whole(gzip.compress(os.urandom(300_000))[:-8], b"not its checksum" + TRACKER),
    ),
    "more-behind-its-coding": Fault(
        "enforced", labelled(b"Content-Encoding: gzip"), whole(gzip.compress(TRACKER), b"no member of gzip" + TRACKER)
    ),
    "sheet-in-a-coding-nobody-knows": Fault(
        "blocked", labelled(b"Content-Encoding: rot13", kind=b"text/css"), whole(b"p{background:url(" + DENIED + b"p)}")
    ),
    "unknown-coding": Fault("contained", labelled(b"Content-Encoding: rot13"), whole(PAGE)),
    "stacked-codings": Fault("contained", labelled(b"Content-Encoding: gzip, br"), whole(PAGE)),
    "signed-exchange": Fault("blocked", labelled(kind=b"application/signed-exchange;v=b3"), whole(PAGE)),
    # What grows.
    "gzip-bomb": Fault("contained", labelled(b"Content-Encoding: gzip"), bomb(by_gzip)),
    "br-bomb": Fault("contained", labelled(b"Content-Encoding: br"), bomb(by_brotli)),
    "zstd-bomb": Fault("contained", labelled(b"Content-Encoding: zstd"), bomb(by_zstd)),
    "gzip-bomb-late": Fault("blocked", labelled(b"Content-Encoding: gzip"), bomb(by_gzip, PAGE + MANY_KINDS)),
    "attribute-of-30-MB": Fault("blocked", body=long_run(b"<p title='", b"a", 30_000_000, b"'>" + PAGE)),
    "script-of-30-MB": Fault("enforced", body=long_run(b"<script>", b"f();", 30_000_000, b"</script>" + PAGE)),
    "style-of-30-MB": Fault("blocked", body=long_run(b"<style>", b"a", 30_000_000, b"</style>" + PAGE)),
    "comment-of-30-MB": Fault("enforced", body=long_run(b"<!--", b"- ", 30_000_000, b"-->" + PAGE)),
    "nested-100000-deep": Fault("enforced", body=long_run(b"<!doctype html>", b"<div>", 500_000, TRACKER)),
    "in-a-million-chunks": Fault("enforced", body=long_run(PAGE, b"<p>x", 1_000_000, TRACKER), chunk_bytes=1),
    # Charsets.
    "utf-16": Fault("enforced", labelled(kind=b"text/html; charset=utf-16le"), whole(PAGE.decode().encode("utf-16-le"))),
    "utf-16-marked": Fault("enforced", body=whole(PAGE.decode().encode("utf-16"))),
    "charset-that-nobody-knows": Fault("enforced", labelled(kind=b"text/html; charset=x-nobody"), whole(PAGE)),
    # Answers that are no whole page.
    "partial-content": Fault("contained", labelled(b"Content-Range: bytes 0-9/99", status=b"206 Partial Content"), whole(PAGE)),
    "not-modified-unasked": Fault(
        "blocked", b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n', request=('If-None-Match: "x"',)
    ),
    "head": Fault("nothing_to_do", labelled(b"Content-Length: 999"), method="HEAD"),
    "empty": Fault("nothing_to_do", body=whole()),
    # An origin that breaks off.
    "no-answer": Fault("nothing_to_do", b"", breaks=True),
    "half-a-head": Fault("nothing_to_do", b"", breaks=True),
    "breaks-off-early": Fault("nothing_to_do", body=whole(PAGE), length=99_999, breaks=True),
    "breaks-off-late": Fault("enforced", body=whole(PAGE, LONG, TRACKER), length=9_999_999, breaks=True),
    "breaks-off-within-chunks": Fault("enforced", body=whole(PAGE, LONG), breaks=True),
    "breaks-off-in-a-coding": Fault("nothing_to_do", labelled(b"Content-Encoding: gzip"), whole(gzip.compress(PAGE)[:20]), 99, True),
    # A store that does not answer.
    "choice-store": Fault("contained", body=whole(PAGE), request=("X-Account: alice",)),
}  # fmt: skip
NOBODY = {"choice-store"}
"""Faults that only a visitor without a signal meets."""


@dataclass
class Running:
    """The gate behind the faults, and what was seen so far."""

    gate: Gate
    origin: FaultyOrigin
    before_bytes: int
    met: Counter[str] = field(default_factory=Counter)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("faults")
    (folder / "consumers.key").write_text("k" * 64)
    with FaultyOrigin(FAULTS) as origin:
        (folder / "site.yaml").write_text(CONFIG.format(origin=origin.url))
        with running_gate("--config", str(folder / "site.yaml")) as gate:
            visit(gate.address, "/rewriter", "Sec-GPC: 1")  # what is loaded on first use
            yield Running(gate, origin, peak_bytes(gate), Counter({"contained": 1}))


def peak_bytes(gate: Gate) -> int:
    """Return the most memory that the gate's processes ever held."""
    group = [gate.process.pid, *map(int, children(gate.process.pid))]
    found = [re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE) for pid in group]
    return sum(int(each[1]) * 1024 for each in found if each is not None)


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def reachable(got: Got) -> bool:
    """Return True when a browser would come to ask a denied host."""
    contained = b"default-src 'self'" in got.field("content-security-policy")
    encoding = "utf-16-le" if b"utf-16" in got.field("content-type") or got.body.startswith(b"\xff\xfe") else "latin-1"
    return not contained and DENIED in got.body.decode(encoding, "ignore").encode()


@pytest.mark.parametrize("name", list(FAULTS))
def test_whatever_breaks_no_denied_host_is_reached(running: Running, name: str) -> None:
    fault = FAULTS[name]
    others: list[Got] = []
    begun, done = threading.Event(), threading.Event()

    def somebody_else() -> None:
        begun.set()
        others.append(visit(running.gate.address, "/fine"))
        done.set()

    running.origin.meanwhile = somebody_else
    signal = () if name in NOBODY else ("Sec-GPC: 1",)
    got = visit(running.gate.address, f"/{name}", *signal, *fault.request, method=fault.method)
    assert not reachable(got), got.head
    told = got.field("optout-gate").split(b";")
    if b"so-far" not in told:
        assert told[0].decode() == fault.becomes, got.head
    else:
        assert fault.becomes == "enforced" or not got.complete  # a part has left, and then the connection was cut
    assert fault.becomes != "blocked" or got.status == 503 or not got.complete
    assert not fault.breaks or got.status in (502, 503) or not got.complete
    assert not begun.is_set() or done.wait(TIMEOUT_S)
    assert all((each.status, each.body) == (200, b"fine") for each in others)
    running.met[fault.becomes] += 1


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in NOBODY])
def test_who_said_nothing_gets_what_the_origin_sent(running: Running, name: str) -> None:
    fault = FAULTS[name]
    running.origin.meanwhile = lambda: None
    got = visit(running.gate.address, f"/{name}", *fault.request, method=fault.method)
    sent = b"" if fault.method == "HEAD" or not fault.head else b"".join(fault.body())
    assert got.status in (502, int(fault.head.split(b" ")[1] or 0) if fault.head else 502)
    if got.status != 502:
        assert sent == got.body if got.complete else sent.startswith(got.body)
        assert got.complete or fault.breaks
    assert b"optout-gate" not in got.head.lower()


def test_every_response_had_one_outcome_and_memory_stayed_bounded(running: Running) -> None:
    """Runs last: it adds up what the others did."""
    _, text = get(running.gate.admin, "/metrics")
    rows = re.findall(
        r'^optout_gate_requests_total\{decision="(\w+)",signal="(\w+)",site="\*"\} (\S+)$', text.decode(), re.M
    )
    counted: Counter[str] = Counter()
    for decision, signal, value in rows:
        if signal in ("gpc", "account"):
            counted[decision] += int(float(value))
    assert +counted == running.met
    assert peak_bytes(running.gate) - running.before_bytes < MEMORY_BYTES

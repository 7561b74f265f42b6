"""What the origin is sent for a visitor who opted out, and that nothing changes for others."""

import pytest

from support.gates import OPTED_OUT, gate, gate_of_tests, request

Lines = tuple[tuple[bytes, bytes], ...]
CONDITIONAL: Lines = ((b"If-None-Match", b'"a"'), (b"If-Modified-Since", b"x"))


def sent(*lines: tuple[bytes, bytes]) -> Lines:
    exchange = gate_of_tests().open(request("/", *lines))
    assert exchange is not None
    return exchange.request.headers.pairs[1:]


def test_nothing_changes_for_a_visitor_who_said_nothing() -> None:
    lines = (*CONDITIONAL, (b"Range", b"bytes=0-1"), (b"Accept-Encoding", b"dcb, br"), (b"X", b"y"))
    assert sent(*lines) == lines


@pytest.mark.parametrize("destination", [None, b"document", b"empty", b"iframe", b"style", b"script"])
def test_a_page_or_script_from_before_the_opt_out_cannot_be_revalidated(destination: bytes | None) -> None:
    lines = ((b"Sec-Fetch-Dest", destination),) if destination else ()
    assert sent(OPTED_OUT, *lines, *CONDITIONAL) == (OPTED_OUT, *lines)


@pytest.mark.parametrize("destination", [b"image", b"font", b"json", b"video"])
def test_what_is_never_rewritten_is_still_revalidated(destination: bytes) -> None:
    lines = (OPTED_OUT, (b"Sec-Fetch-Dest", destination), *CONDITIONAL, (b"Range", b"bytes=0-1"))
    assert sent(*lines) == lines


def test_a_part_of_a_page_is_not_asked_for_and_a_part_of_a_film_is() -> None:
    ranges = ((b"Range", b"bytes=0-1"), (b"If-Range", b'"a"'))
    assert sent(OPTED_OUT, (b"Sec-Fetch-Dest", b"document"), *ranges) == (OPTED_OUT, (b"Sec-Fetch-Dest", b"document"))
    assert sent(OPTED_OUT, (b"Accept", b"text/html"), *ranges) == (OPTED_OUT, (b"Accept", b"text/html"))
    assert sent(OPTED_OUT, (b"Accept", b"*/*"), *ranges) == (OPTED_OUT, (b"Accept", b"*/*"), *ranges)


@pytest.mark.parametrize(
    ("offered", "kept"),
    [
        (b"gzip, deflate, br, zstd", b"gzip, deflate, br, zstd"),
        (b"gzip;q=0.5, dcb, dcz;q=1, br", b"gzip;q=0.5, br"),
        (b"compress, pack200-gzip", b"identity"),
        (b"*;q=0.1", b"gzip;q=0.1"),
        (b"BR", b"BR"),
    ],
)
def test_only_codings_that_can_be_opened_are_asked_for(offered: bytes, kept: bytes) -> None:
    lines = sent(OPTED_OUT, (b"Accept-Encoding", offered), (b"Available-Dictionary", b":x:"))
    assert lines == (OPTED_OUT, (b"Accept-Encoding", kept))


def test_observe_mode_changes_nothing_on_the_way_to_the_origin() -> None:
    text = "version: 1\nsites: [{upstream: 'http://127.0.0.1:9', mode: observe}]\n"
    lines = (OPTED_OUT, *CONDITIONAL, (b"Accept-Encoding", b"dcb"))
    exchange = gate(text).open(request("/", *lines))
    assert exchange is not None
    assert exchange.request.headers.pairs[1:] == lines


FOR_ADVERTISERS: Lines = (
    (b"Sec-Browsing-Topics", b"(1 2);v=chrome.1:1:2"),
    (b"Attribution-Reporting-Eligible", b"event-source, trigger"),
    (b"Attribution-Reporting-Support", b"web"),
    (b"Sec-Ad-Auction-Fetch", b"?1"),
    (b"Sec-Shared-Storage-Writable", b"?1"),
)


def test_what_a_browser_tells_advertisers_goes_no_further() -> None:
    image: Lines = ((b"Sec-Fetch-Dest", b"image"),)
    assert sent(OPTED_OUT, *image, *FOR_ADVERTISERS) == (OPTED_OUT, *image)
    assert sent(*image, *FOR_ADVERTISERS) == (*image, *FOR_ADVERTISERS)


def test_who_did_not_refuse_advertising_is_still_heard_by_advertisers() -> None:
    text = """
version: 1
sites: [{hosts: ["*"], upstream: "http://127.0.0.1:9"}]
policies: {default: {deny: [session_replay]}}
"""
    exchange = gate(text).open(request("/", OPTED_OUT, *FOR_ADVERTISERS))
    assert exchange is not None and exchange.decision.opted_out
    assert exchange.request.headers.pairs[2:] == FOR_ADVERTISERS

"""What fuzzing the two ways through the proxy found, each in the fewest bytes that show it.

``fuzz/relay_targets.py`` says what a script is, and holds every one of these to all that it promises.
"""

import pytest

from relay_seeds import LONG, A, answer, ask
from relay_targets import CUT, END, FIRST, MUCH, ORIGIN, RESET, STOP, TICK, relay, ways
from relay_world import Played

SENT = ("optout_gate_sent_body_bytes_total",)
FRAGMENT = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n?"
"""An answer whose body is broken in its first byte."""

POST = ask(b"/a", b"Content-Length: 4\r\n", b"POST")
KEPT = ORIGIN + b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n" + MUCH + FIRST
"""An answer that the gate can send to who reads nothing, once. With a second one it has to wait."""

each_way = pytest.mark.parametrize("way", ["long", "new", "known"])


def play(script: bytes, way: str) -> Played:
    relay(script)
    return ways(script)[way]


@each_way
def test_a_request_lost_to_a_closing_connection_is_sent_once_more_and_over_a_new_one(way: str) -> None:
    played = play(A + ORIGIN + RESET + ORIGIN + answer(), way)
    asked = [each.count(b"GET /a ") for each in played.asked]
    assert asked[:3] == [0, 1, 1], "not over the other one that was idle, which may be closing as well"
    assert played.got[2].endswith(b"\r\n\r\nok")


@each_way
def test_a_request_that_is_lost_twice_is_not_sent_again(way: str) -> None:
    played = play(A + ORIGIN + RESET + ORIGIN + RESET + ORIGIN + answer(), way)
    assert sum(each.count(b"GET /a ") for each in played.asked) == 2
    assert played.got[2].startswith(b"HTTP/1.1 502 ")


@each_way
def test_what_was_never_sent_is_not_counted_as_sent(way: str) -> None:
    played = play(STOP + A + ORIGIN + LONG + MUCH + CUT + MUCH + CUT + MUCH + FIRST + RESET, way)
    # One piece went into a buffer that then was full; the rest stayed with the gate, or with the origin.
    assert 0 < played.counted[SENT] - len(b"warm") * 3 <= 2 * 64 * 1024


@each_way
def test_an_answer_that_breaks_before_any_of_it_was_sent_is_a_502(way: str) -> None:
    assert play(A + ORIGIN + FRAGMENT, way).got[2].startswith(b"HTTP/1.1 502 ")


def test_an_answer_that_is_broken_off_because_its_request_stalls_never_looks_whole() -> None:
    request = b"POST / HTTP/1.0\r\nHost: shop.test\r\nContent-Length: 5\r\n\r\nab"
    relay(request + ORIGIN + b"HTTP/1.1 200 OK\r\n\r\nbegun" + TICK * 4)  # it ends with its connection


@each_way
def test_blanks_around_a_length_mean_nothing(way: str) -> None:
    assert play(A + ORIGIN + b"HTTP/1.1 200 OK\r\nContent-Length:\t2 \t\r\n\r\nok", way).got[2].endswith(b"\r\n\r\nok")


@pytest.mark.parametrize("fields", [b"", b"Sec-GPC: 1\r\n"], ids=["silent", "opted-out"])
@pytest.mark.parametrize("breaks", [RESET, END, b"?", TICK * 4], ids=["reset", "end", "garbage", "silence"])
def test_a_part_never_looks_whole_to_who_knows_no_chunks(breaks: bytes, fields: bytes) -> None:
    for kind in (b"text/plain", b"text/html"):
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: " + kind + b"\r\n\r\n"
        request = b"GET /a HTTP/1.0\r\nHost: shop.test\r\n" + fields + b"\r\n"
        relay(request + ORIGIN + head + (b"9c40\r\n" + MUCH + b"\r\n") * 2 + CUT + breaks)


@pytest.mark.parametrize("fields", [b"", b"Sec-GPC: 1\r\n"], ids=["silent", "opted-out"])
def test_nor_to_who_says_that_no_more_requests_come_and_reads_on(fields: bytes) -> None:
    request = b"GET /a HTTP/1.0\r\nHost: shop.test\r\n" + fields + b"\r\n"
    for head in (b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"):
        relay(request + ORIGIN + head + b"<p>part" + TICK + FIRST + END)


@each_way
@pytest.mark.parametrize(
    "last",
    [
        pytest.param(ask(b"/a", b"Connection: close\r\n"), id="by-its-own-word"),
        pytest.param(b"GET /a HTTP/1.0\r\nHost: shop.test\r\nConnection: keep-alive\r\n\r\n", id="by-the-gates"),
    ],
)
def test_who_says_more_behind_a_last_request_is_heard_for_a_while_so_that_no_reset_takes_the_answer(
    way: str, last: bytes
) -> None:
    played = play(last + CUT + A + ORIGIN + answer() + FIRST + A, way)
    assert len(played.got) == 4, "it is not closed yet: the first client has made no other connection"
    assert played.got[2].endswith(b"\r\n\r\nok")


@each_way
@pytest.mark.parametrize(
    "refused",
    [
        pytest.param(ask(b"/a", b"Host: again\r\n", b"HEAD"), id="for-its-head"),
        pytest.param(ask(b"/a", b"Transfer-Encoding: chunked\r\n", b"HEAD") + b"?", id="for-its-body"),
    ],
)
def test_a_refusal_of_head_has_no_body(way: str, refused: bytes) -> None:
    got = play(refused, way).got[2]
    assert got.startswith(b"HTTP/1.1 400 ") and got.endswith(b"\r\nconnection: close\r\n\r\n")


@each_way
def test_a_refusal_of_something_else_says_why_also_behind_a_head_request(way: str) -> None:
    head = ask(b"/a", method=b"HEAD") + ORIGIN + b"HTTP/1.1 204 No Content\r\n\r\n"
    got = play(head + FIRST + A + ORIGIN + answer() + FIRST + b"?", way).got[2]
    assert got.endswith(b"\r\n\r\nnot HTTP: Invalid method encountered\n")


def test_a_client_that_leaves_behind_its_last_request_is_missed_whichever_way() -> None:
    relay(ask(b"/a", b"Connection: close\r\n") + CUT + A + END)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(A + KEPT, id="and-says-nothing"),
        pytest.param(A + KEPT + A[:10], id="and-begins-a-request"),
        pytest.param(A + KEPT + A + KEPT + A + ORIGIN + answer(), id="and-asks-on"),
        pytest.param(A + KEPT + A + KEPT + A[:10], id="and-begins-to-ask-on"),
        pytest.param(A + KEPT + A + KEPT + (b"X-More: " + TICK) * 12, id="and-drips-a-request"),
        pytest.param(A + KEPT + A + KEPT + POST + b"ab" + KEPT, id="and-begins-a-body"),
        pytest.param(POST + b"ab" + KEPT, id="and-leaves-its-body-unfinished"),
        pytest.param(A + ORIGIN + LONG + MUCH * 2 + FIRST + b"?", id="and-says-what-is-no-request"),
        pytest.param(A + KEPT + END, id="and-ends"),
        pytest.param(POST + b"abcd" + FIRST + A + FIRST + b"?" + END, id="and-ends-with-what-is-no-request"),
        pytest.param(A + ORIGIN + LONG + MUCH + CUT + MUCH, id="while-the-origin-stops"),
        pytest.param(A + KEPT + A + KEPT + A + ORIGIN + b"?", id="while-the-origin-errs"),
    ],
)
def test_a_client_that_reads_nothing_is_let_go_in_time(script: bytes) -> None:
    relay(STOP + script)  # which holds that nothing is left after some time


@each_way
def test_an_answer_under_way_is_not_cut_for_what_came_behind_its_request(way: str) -> None:
    begun = STOP + A + ORIGIN + b"HTTP/1.1 200 OK\r\nContent-Length: 80006\r\n\r\n" + MUCH * 2 + FIRST + b"?"
    got = play(begun + STOP + (ORIGIN + b"m" + TICK) * 6, way).got[2]  # a slow origin, and a client that reads again
    head, _, rest = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK") and rest.startswith(b"m" * 80006 + b"HTTP/1.1 400 ")

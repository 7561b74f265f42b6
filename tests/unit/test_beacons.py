"""Requests to vendors through the site's own host: each is told from the site's own by path and fields together."""

import gzip
import json
import logging
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import brotli
import pytest
import yaml
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from optout_gate.exchange import Exchange
from optout_gate.gate import Gate
from optout_gate.http import Headers, Pair, Response
from optout_gate.report import Outcome
from optout_gate.rewrite import surrogates
from optout_gate.rewrite.neutral import GIF
from optout_gate.telemetry.metrics import Metrics
from optout_gate.trackers.catalog import builtin
from optout_gate.trackers.endpoints import Endpoint
from optout_gate.trackers.payloads import MAX_BODY_BYTES, MAX_OPENED_BYTES, fields_of_body
from support.gates import OPTED_OUT, SITE, gate, request

CASES = yaml.safe_load((Path(__file__).parent / "beacon_cases.yaml").read_text("utf-8"))
BEACONS: list[dict[str, Any]] = CASES["beacons"]
INNOCENTS: list[dict[str, Any]] = CASES["innocents"]
ENDPOINTS = [(vendor.vendor, endpoint) for vendor in builtin() for endpoint in vendor.endpoints]
DENIES_ALL = (
    "policies: {default: {deny: [advertising, analytics, session_replay, social, personalization, tag_management, "
    "performance], always: [/member/*]}}\n"
)
JSON = (b"Content-Type", b"application/json")
VIEW = "/g/collect?v=2&tid=G-ABC123"


@cache
def catalogue_gate(mode: str = "enforce") -> Gate:
    """Return a gate with the built-in catalogue, under a policy that denies every purpose that can be."""
    return gate(SITE.rstrip() + f"\n    mode: {mode}\n" + DENIES_ALL, trackers="")


def sent(target: str, *lines: Pair, body: bytes | None = None, mode: str = "enforce", **more: Any) -> Exchange:
    """Return the exchange for a request, once its body was read if that was asked for."""
    if body is not None:
        lines = (*lines, (b"Content-Length", str(len(body)).encode()))
        more.setdefault("method", "POST")
    exchange = catalogue_gate(mode).open(request(target, *lines, **more))
    assert exchange is not None
    if exchange.beacon is not None and exchange.beacon.wants_body:
        assert body is not None
        exchange.read(body)
    return exchange


def of_case(case: dict[str, Any], *lines: Pair, **more: Any) -> Exchange:
    post = case.get("post")
    body = None
    if post is not None:
        body = (post if isinstance(post, str) else json.dumps(post)).encode()
        body = gzip.compress(body) if case.get("gzip") else body
        lines = (*lines, (b"Content-Type", case.get("type", "text/plain;charset=UTF-8").encode()))
    if "dest" in case:
        lines = (*lines, (b"Sec-Fetch-Dest", case["dest"].encode()))
    return sent(case["to"], *lines, body=body, **more)


def reply(exchange: Exchange) -> Response | None:
    return exchange.beacon.reply if exchange.beacon is not None else None


def vendors(exchange: Exchange) -> list[str]:
    return [vendor for vendor, _, kind in exchange.report.outgoing.counts if kind == "beacon"]


ANSWERS = {
    "empty": (204, None, b""),
    "pixel": (200, b"image/gif", GIF),
    "json": (200, b"application/json", b"{}"),
    "page": (200, b"text/html; charset=utf-8", b"<!doctype html><title></title>"),
}


@pytest.mark.parametrize("case", BEACONS, ids=lambda case: f"{case['of']}-{case['to'].partition('?')[0]}")
def test_a_beacon_is_refused_with_what_its_caller_survives(case: dict[str, Any]) -> None:
    exchange = of_case(case, OPTED_OUT)
    answer = reply(exchange)
    assert answer is not None
    assert vendors(exchange) == [case["of"]]
    assert exchange.report.outcome is Outcome.ENFORCED
    kind = case.get("answer", "empty")
    if kind == "script":
        assert answer.headers.first(b"content-type") == b"text/javascript; charset=utf-8"
        assert answer.body in [surrogates.read(name) for name in surrogates.names()]
    else:
        assert (answer.status, answer.headers.first(b"content-type"), answer.body) == ANSWERS[kind]
    assert answer.headers.first(b"cache-control") == b"private, no-store"


@pytest.mark.parametrize("case", INNOCENTS, ids=lambda case: case["to"])
def test_what_only_looks_like_a_beacon_goes_on_as_it_came(case: dict[str, Any]) -> None:
    exchange = of_case(case, OPTED_OUT)
    assert reply(exchange) is None
    assert not exchange.report.outgoing
    assert exchange.request.target == case["to"].encode()


@pytest.mark.parametrize("case", BEACONS, ids=lambda case: f"{case['of']}-{case['to'].partition('?')[0]}")
def test_a_visitor_who_said_nothing_sends_beacons_as_before(case: dict[str, Any]) -> None:
    exchange = of_case(case)
    assert exchange.beacon is None
    assert exchange.request.target == case["to"].encode()


def sample(expected: str) -> str:
    return expected.partition("|")[0].replace("*", "x7")


def query_of(endpoint: Endpoint, *, without: str = "") -> str:
    return "&".join(f"{quote(k)}={quote(sample(v))}" for k, v in endpoint.fields.items() if k != without)


@pytest.mark.parametrize(("vendor", "endpoint"), ENDPOINTS, ids=lambda each: str(each)[:40])
def test_every_endpoint_of_the_catalogue_is_recognised_whole_and_never_by_less(vendor: str, endpoint: Endpoint) -> None:
    for pattern in endpoint.paths:
        path = "/under/any" + pattern.replace("*", "x7")
        assert vendors(sent(f"{path}?{query_of(endpoint)}", OPTED_OUT)) == [vendor]
        for field in endpoint.fields:
            assert reply(sent(f"{path}?{query_of(endpoint, without=field)}", OPTED_OUT)) is None
        if not pattern.endswith("*"):
            assert reply(sent(f"{path}-of-ours?{query_of(endpoint)}", OPTED_OUT)) is None
        assert reply(sent(f"{path}/more?{query_of(endpoint)}", OPTED_OUT)) is None


_WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8)


@given(st.sampled_from(ENDPOINTS), st.dictionaries(_WORD, _WORD, max_size=6), st.dictionaries(_WORD, _WORD, max_size=4))
def test_a_form_of_the_sites_own_on_any_such_path_goes_on(
    chosen: tuple[str, Endpoint], query: dict[str, str], form: dict[str, str]
) -> None:
    path = chosen[1].paths[0].replace("*", "x7")
    known = {key for _, endpoint in ENDPOINTS for key in endpoint.fields}
    own = "&".join(f"{key}={value}" for key, value in query.items() if key not in known)
    body = json.dumps({key: value for key, value in form.items() if key not in known}).encode()
    assert reply(sent(f"{path}?{own}", OPTED_OUT, JSON, body=body)) is None


@given(st.binary(max_size=300))
def test_no_body_is_too_broken_to_look_at(body: bytes) -> None:
    names = ["api_key", "a.b.c", "e"]
    for each in (body, b"{" + body, b"[" + body, b"\x1f\x8b" + body, gzip.compress(body), b'{"a":' + body + b"}"):
        fields_of_body(each, names)


def test_on_paths_that_deny_for_everyone_beacons_are_refused_without_a_signal() -> None:
    assert reply(sent("/member" + VIEW)) is not None
    assert reply(sent("/members" + VIEW)) is None


def test_observe_mode_lists_what_would_have_been_refused_and_lets_it_go() -> None:
    for exchange in (
        sent(VIEW, OPTED_OUT, mode="observe"),
        sent(
            "/api/event", OPTED_OUT, JSON, body=b'{"n":"pageview","u":"https://s.test/","d":"s.test"}', mode="observe"
        ),
    ):
        assert reply(exchange) is None
        assert exchange.report.outgoing.counts.total() == 1
        exchange.respond(Response(202, Headers()))
        assert exchange.report.outcome is Outcome.OBSERVED


def test_a_vendor_that_the_policy_allows_by_name_may_collect() -> None:
    allowing = gate(SITE + "policies: {default: {vendors: {google-analytics: allow}}}\n", trackers="")
    exchange = allowing.open(request(VIEW, OPTED_OUT))
    assert exchange is not None
    assert reply(exchange) is None
    assert not exchange.report.outgoing


def test_an_operators_own_endpoint_is_refused_like_the_catalogues() -> None:
    own = "trackers: {extra: [{vendor: our-tracker, purposes: [analytics], endpoints: [{paths: [/px], fields: {site: s1}}]}]}\n"
    exchange = gate(SITE, trackers=own).open(request("/a/px?site=s1", OPTED_OUT))
    assert exchange is not None
    assert vendors(exchange) == ["our-tracker"]


def test_the_kind_of_answer_is_what_the_browser_asked_for() -> None:
    kinds = {
        destination: reply(sent(VIEW, OPTED_OUT, (b"Sec-Fetch-Dest", destination)))
        for destination in (b"image", b"script", b"iframe", b"empty", b"something-new")
    }
    told = {name: each.headers.first(b"content-type") for name, each in kinds.items() if each is not None}
    assert told == {
        b"image": b"image/gif",
        b"script": b"text/javascript; charset=utf-8",
        b"iframe": b"text/html; charset=utf-8",
        b"empty": None,
        b"something-new": None,
    }


def test_a_script_on_another_host_of_the_site_may_see_the_empty_answer() -> None:
    answer = reply(sent(VIEW, OPTED_OUT, (b"Origin", b"https://www.shop.test"), host="data.shop.test"))
    assert answer is not None
    assert answer.headers.first(b"access-control-allow-origin") == b"https://www.shop.test"
    assert answer.headers.first(b"access-control-allow-credentials") == b"true"
    assert answer.headers.first(b"vary") == b"Origin"


def test_a_head_request_gets_the_head_alone() -> None:
    answer = reply(sent("/gtm.js?id=GTM-A1", OPTED_OUT, method="HEAD"))
    assert answer is not None
    assert answer.body == b""
    assert int(answer.headers.first(b"content-length") or b"") > 0


@pytest.mark.parametrize(
    ("lines", "method"),
    [
        pytest.param(
            [(b"Content-Length", b"20"), JSON, (b"Content-Encoding", b"compress")], "POST", id="an-unknown-coding"
        ),
        pytest.param(
            [(b"Content-Length", b"20"), JSON, (b"Content-Encoding", b"gzip, gzip")], "POST", id="two-codings"
        ),
        pytest.param([(b"Content-Length", b"20"), (b"Content-Type", b"image/png")], "POST", id="a-picture"),
        pytest.param([(b"Content-Length", b"0"), JSON], "POST", id="empty"),
        pytest.param([JSON], "POST", id="none"),
        pytest.param([(b"Content-Length", b"20"), JSON], "PUT", id="a-method-of-no-beacon"),
    ],
)
def test_a_body_that_no_beacon_would_have_is_never_read(lines: list[Pair], method: str) -> None:
    exchange = catalogue_gate().open(request("/api/event", OPTED_OUT, *lines, method=method))
    assert exchange is not None
    assert exchange.beacon is None or not exchange.beacon.wants_body
    assert reply(exchange) is None


FIRST = b'{"n": "pageview", "u": "https://s.test", "d": "s.test", "x": ["'
CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("coding", CODINGS)
def test_a_beacon_is_known_under_every_coding_that_the_gate_can_open(coding: str) -> None:
    body = CODINGS[coding](FIRST + b'"]}')
    line = (b"Content-Encoding", coding.encode())
    assert reply(sent("/api/event", OPTED_OUT, JSON, line, body=body)) is not None
    assert reply(sent("/api/event", OPTED_OUT, JSON, line, body=CODINGS[coding](b'{"n": "mine"}'))) is None
    assert reply(sent("/api/event", OPTED_OUT, JSON, line, body=b"not " + body)) is None


@pytest.mark.parametrize("line", [(), (b"Content-Encoding", b"gzip")], ids=["unsaid", "said"])
def test_a_compressed_body_that_grows_without_end_is_not_opened_further_than_a_beacons(line: Any) -> None:
    lines = (OPTED_OUT, JSON, line) if line else (OPTED_OUT, JSON)
    behind = gzip.compress(b'{"x": "' + b"a" * 5_000_000 + b'", ' + FIRST[1:] + b'"]}')
    assert len(behind) < MAX_BODY_BYTES < MAX_OPENED_BYTES
    assert reply(sent("/api/event", *lines, body=behind)) is None
    assert reply(sent("/api/event", *lines, body=gzip.compress(FIRST + b"a" * 5_000_000 + b'"]}'))) is not None


REPLAY = FIRST + b'a\\"}]' * 40_000 + b'"]}'
FORM = b"v=1&tid=UA-1-1&"
PARTS = b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
MULTIPART = (b"Content-Type", b'multipart/form-data; charset=utf-8; boundary="x"')
FORM_TYPE = (b"Content-Type", b"application/x-www-form-urlencoded")


@pytest.mark.parametrize(
    ("target", "kind", "body", "known"),
    [
        pytest.param("/api/event", JSON, REPLAY, True, id="json"),
        pytest.param("/api/event", JSON, b" [" + REPLAY + b"]", True, id="a-list"),
        pytest.param("/api/event", JSON, b'{"x": ["' + b"a" * 70_000 + b'"], ' + FIRST[1:] + b'"]}', False, id="too-late"),
        pytest.param("/api/event", JSON, b'{"x": ' + b"[" * 70_000, False, id="deep"),
        pytest.param("/api/event", JSON, b"}" * 70_000, False, id="no-json"),
        pytest.param("/collect", FORM_TYPE, FORM + b"dl=" + b"x" * 70_000, True, id="form"),
        pytest.param("/collect", FORM_TYPE, FORM[:4] + b"dl=" + b"x" * 70_000 + FORM[3:-1], False, id="form-too-late"),
        pytest.param("/track", FORM_TYPE, b"data=eyJldmVudCI6" + b"x" * 70_000, True, id="one-long-value"),
        pytest.param("/collect", FORM_TYPE, b"v=" + b"1" * 70_000 + b"&tid=UA-1", False, id="another-value"),
        pytest.param("/collect", FORM_TYPE, b"tid=UA-1&x=" + b"a" * (MAX_BODY_BYTES - 14) + b"&v=10", False, id="a-value-cut"),
        pytest.param("/collect", MULTIPART, PARTS % (b"v", b"1") + PARTS % (b"tid", b"UA-1") + b"--x--\r\n", True, id="multipart"),
        pytest.param("/collect", MULTIPART, PARTS % (b"v", b"1") + b"--x--\r\n", False, id="multipart-of-the-site"),
        pytest.param("/collect", MULTIPART, PARTS % (b"v", b"1") + PARTS % (b"tid", b"UA-1") + b"-" * 70_000, True, id="long-multipart"),
        pytest.param("/track", MULTIPART, PARTS % (b"data", b"eyJldmVudCI6" + b"x" * 70_000), True, id="multipart-cut"),
    ],
)  # fmt: skip
def test_of_a_long_body_the_beginning_tells(target: str, kind: Pair, body: bytes, known: bool) -> None:
    assert (reply(sent(target, OPTED_OUT, kind, body=body)) is not None) is known


@given(st.binary(max_size=200), st.integers(0, 200))
def test_what_the_beginning_of_json_says_is_what_all_of_it_says(text: bytes, at: int) -> None:
    whole = json.dumps({"a": text.decode("latin-1"), "b": [{"c": "x"}], "d": {"e": 25}, "f": True}).encode()
    names = ["a", "b.c", "d", "d.e", "f"]
    said = fields_of_body(whole, names)
    for name, values in fields_of_body(whole[:at], names, cut=True).items():
        assert values in ([], said[name])


@pytest.mark.parametrize(("mode", "done"), [("enforce", "refused"), ("observe", "would have been refused")])
def test_the_log_names_each_vendor_once_and_no_path(mode: str, done: str) -> None:
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    log, metrics = logging.getLogger("optout_gate"), Metrics()
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        for _ in range(2):
            exchange = sent("/secret/path" + VIEW, OPTED_OUT, mode=mode)
            if mode == "observe":
                exchange.respond(Response(204, Headers()))
            metrics.record(exchange.report, seconds=0.1)
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
    assert lines == [f"requests to google-analytics through the site's own host: {done}"]

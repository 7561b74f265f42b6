"""Scripts of the site's own host: a vendor's library is replaced, the application's bundle that holds one is not."""

import gzip
from functools import cache

import pytest

from optout_gate.exchange import Exchange
from optout_gate.gate import Gate
from optout_gate.http import Headers, Pair, Request, Response
from optout_gate.report import Outcome
from optout_gate.rewrite import surrogates
from optout_gate.trackers.catalog import builtin
from optout_gate.trackers.libraries import MAX_LIBRARY_BYTES, OPENING_BYTES, Library, is_library
from support.gates import OPTED_OUT, SITE, drive, gate, request

SCRIPT: Pair = (b"Content-Type", b"text/javascript")
FILLER = b"function f(a,b){return a&&b||0};" * 400  # 13 KB of nothing in particular
LIBRARIES = [(vendor, library) for vendor in builtin() for library in vendor.libraries]


@cache
def catalogue_gate(mode: str = "enforce") -> Gate:
    return gate(SITE.rstrip() + f"\n    mode: {mode}\n", trackers="")


def opened(target: str, *lines: Pair, mode: str = "enforce", **more: str) -> Exchange:
    exchange = catalogue_gate(mode).open(request(target, *lines, **more))
    assert exchange is not None
    return exchange


def through(
    target: str, body: bytes, *headers: Pair, cuts: range | tuple[int, ...] = ()
) -> tuple[Exchange, Response, bytes]:
    exchange = opened(target, OPTED_OUT)
    return exchange, *drive(exchange, body, *(headers or (SCRIPT,)), cuts=cuts)


def file_of(library: Library, *, comment: bytes = b"/* a tag */") -> tuple[str, bytes]:
    """Return the name and text of a file as the vendor's: its opening, other code, and its marks in between."""
    name = library.names[0].replace("*", "x7") if library.names else "whatever.js"
    begins = library.opening.encode() if library.opening else comment
    return name, b"\n".join([b"/*", begins, b"*/", FILLER, *library.marks, FILLER])


@pytest.mark.parametrize(("vendor", "library"), LIBRARIES, ids=lambda each: str(getattr(each, "vendor", ""))[:40])
def test_every_library_of_the_catalogue_is_replaced_by_its_stand_in(vendor: object, library: Library) -> None:
    name, body = file_of(library)
    exchange, head, out = through(f"/static/{name}?v=3", body)
    ((found, _, kind), _) = next(iter(exchange.report.removals.counts.items()))
    assert kind == "library"
    entry = builtin().vendors[found]
    assert out == surrogates.script(entry.surrogate or "generic")
    assert head.headers.first(b"cache-control") == b"private, no-store"
    assert exchange.report.outcome is Outcome.ENFORCED


@pytest.mark.parametrize("library", [library for _, library in LIBRARIES], ids=lambda each: "+".join(each.all)[:40])
def test_a_file_that_lacks_one_mark_is_not_that_library(library: Library) -> None:
    body = file_of(library)[1]
    assert is_library(library, body)
    for mark in library.marks:
        assert not is_library(library, body.replace(mark, b"-"))


PIXEL = next(library for vendor, library in LIBRARIES if vendor.vendor == "meta-pixel" and library.opening)
POSTHOG = next(library for vendor, library in LIBRARIES if vendor.vendor == "posthog")
MARKS = b"\n".join(POSTHOG.marks)
BUNDLES = {
    "another-name": ("/assets/main.8f3a.js", MARKS + FILLER),
    "the-licence-somewhere-inside": ("/assets/app.js", FILLER + file_of(PIXEL)[1]),
    "webpack": ("/static/array.js", b"(self.webpackChunkshop=self.webpackChunkshop||[]).push([[1],{" + MARKS + b"}])"),
    "webpack-4": ("/static/array.js", b"(window.webpackJsonp=window.webpackJsonp||[]).push(" + MARKS + b")"),
    "webpack-runtime": ("/static/array.js", b"var __webpack_modules__={};" + MARKS),
    "vite": ("/static/array.js", b"const __vite__mapDeps=(i)=>i;" + MARKS),
    "a-module-that-imports": ("/static/array.js", b'import{a as t}from"./x.js";' + MARKS),
    "a-module-that-exports": ("/static/array.js", MARKS + b";export{x as default};"),
    "parcel": ("/static/array.js", MARKS + b";parcelRequire=1"),
    "systemjs": ("/static/array.js", b"System.register([],function(){" + MARKS + b"})"),
    "longer-than-any-library": ("/static/array.js", MARKS + FILLER * (MAX_LIBRARY_BYTES // len(FILLER) + 1)),
    "a-page-that-only-mentions": (
        "/static/array.js",
        b"posthog.init('phc_x',{api_host:'/ingest'});posthog.capture('x')",
    ),
    "empty": ("/static/array.js", b""),
}


@pytest.mark.parametrize(("target", "body"), BUNDLES.values(), ids=BUNDLES.keys())
@pytest.mark.parametrize("coding", [b"identity", b"gzip"])
def test_a_bundle_of_the_applications_leaves_bit_for_bit(target: str, body: bytes, coding: bytes) -> None:
    sent = gzip.compress(body) if coding == b"gzip" else body
    lines: tuple[Pair, ...] = (
        SCRIPT,
        (b"ETag", b'"a"'),
        (b"Content-Length", b"%d" % len(sent)),
        (b"Cache-Control", b"max-age=9"),
    )
    if coding == b"gzip":
        lines = (*lines, (b"Content-Encoding", b"gzip"))
    exchange, head, out = through(target, sent, *lines, cuts=range(1, len(sent), max(1, len(sent) // 7)))
    assert out == sent
    assert head.headers.pairs == (*lines, (b"Vary", b"Sec-GPC"))
    assert not exchange.report.removals


def test_a_library_is_recognised_in_any_coding_and_cut_anywhere() -> None:
    name, body = file_of(PIXEL)
    packed = gzip.compress(body)
    lines = (SCRIPT, (b"Content-Encoding", b"gzip"), (b"ETag", b'"a"'), (b"Content-Length", b"%d" % len(packed)))
    for cuts in (range(1, 60), (len(packed) - 1,), ()):
        _, head, out = through(f"/{name}", packed, *lines, cuts=cuts)
        assert out == surrogates.read("meta-pixel")
        assert head.headers.pairs == (
            (b"Vary", b"Sec-GPC"),
            (b"Content-Type", b"text/javascript; charset=utf-8"),
            (b"Cache-Control", b"private, no-store"),
        )


def test_nothing_is_held_back_of_a_script_that_shows_to_be_none_by_its_first_bytes() -> None:
    exchange = opened("/app.js", OPTED_OUT)
    passage = exchange.respond(Response(200, Headers([SCRIPT])))
    assert passage.feed(FILLER[: OPENING_BYTES - 1]) == b""
    assert passage.feed(FILLER[OPENING_BYTES - 1 :]) == FILLER
    assert passage.feed(b"more") == b"more"


def test_a_damaged_coding_leaves_as_it_came() -> None:
    _, _, out = through("/fbevents.js", b"\x1f\x8bnot gzip at all", SCRIPT, (b"Content-Encoding", b"gzip"))
    assert out == b"\x1f\x8bnot gzip at all"


def test_a_coding_that_the_gate_cannot_open_goes_through() -> None:
    exchange = opened("/fbevents.js", OPTED_OUT)
    assert exchange.respond(Response(200, Headers([SCRIPT, (b"Content-Encoding", b"dcb")]))).untouched


@pytest.mark.parametrize("status", [204, 206, 301, 304, 404])
def test_only_a_whole_script_is_looked_at(status: int) -> None:
    assert opened("/fbevents.js", OPTED_OUT).respond(Response(status, Headers([SCRIPT]))).untouched


def test_who_said_nothing_gets_the_library_and_caches_are_told_to_keep_the_two_apart() -> None:
    passage = opened("/fbevents.js").respond(Response(200, Headers([SCRIPT])))
    assert passage.untouched
    assert passage.head.headers.pairs == (SCRIPT, (b"Vary", b"Sec-GPC"))


def test_observe_mode_lists_the_library_and_lets_it_go() -> None:
    name, body = file_of(PIXEL)
    exchange = opened(f"/{name}", OPTED_OUT, mode="observe")
    head, out = drive(exchange, body, SCRIPT)
    assert (out, head.headers.pairs) == (body, (SCRIPT,))
    assert exchange.report.removals.counts == {("meta-pixel", "advertising", "library"): 1}
    assert exchange.report.outcome is Outcome.OBSERVED


def test_a_vendor_that_may_stay_keeps_its_library() -> None:
    allowing = gate(SITE + "policies: {default: {vendors: {meta-pixel: allow}}}\n", trackers="")
    name, body = file_of(PIXEL)
    exchange = allowing.open(request(f"/{name}", OPTED_OUT))
    assert exchange is not None
    assert drive(exchange, body, SCRIPT)[1] == body


def test_a_google_tag_is_told_from_a_container_of_tag_managers() -> None:
    ours = {
        vendor.vendor: file_of(library)[1]
        for vendor, library in LIBRARIES
        if vendor.vendor in ("google-tag", "google-tag-manager")
    }
    for vendor, body in ours.items():
        assert next(iter(through("/x.js", body)[0].report.removals.counts))[0] == vendor


def test_a_script_for_a_worker_gets_the_guard_instead() -> None:
    target: Request = request("/sw.js", OPTED_OUT, (b"Sec-Fetch-Dest", b"serviceworker"))
    exchange = catalogue_gate().open(target)
    assert exchange is not None
    _, out = drive(exchange, b"self.x=1", SCRIPT)
    assert out.endswith(b"self.x=1")
    assert out != b"self.x=1"


MODULE = b"""/* \xc3\xa9 */ import start, { track } from "https://connect.facebook.net/x.js";
export { again } from '//connect.facebook.net/y.js';
import "https://cdn.example/own.js"; import { local } from "./local.js";
fetch("https://connect.facebook.net/left-to-the-guard");
"""


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_a_module_in_a_file_gets_the_exports_that_it_asks_a_denied_vendor_for(coding: str) -> None:
    body = MODULE + FILLER
    lines = (SCRIPT, (b"ETag", b'"1"'), *([(b"Content-Encoding", coding.encode())] if coding else []))
    exchange, head, out = through(
        "/app.js", gzip.compress(body) if coding else body, *lines, cuts=range(100, 3000, 100)
    )
    assert out.endswith(FILLER) and b"left-to-the-guard" in out and out.startswith(b"/* \xc3\xa9 */")
    first, second, *rest = out.splitlines()
    assert first.endswith(b'/default.track.js#";') and second.endswith(b"/default.again.js#';")
    assert rest[:2] == MODULE.splitlines()[2:]
    assert b"content-encoding" not in head.headers and b"etag" not in head.headers
    assert head.headers.first(b"cache-control") == b"private, no-store"
    assert exchange.report.outcome is Outcome.ENFORCED


@pytest.mark.parametrize(
    "body",
    [
        MODULE.replace(b"connect.facebook.net", b"cdn.example"),
        b"const text = 'import it from \"https://connect.facebook.net/x.js\"'; // no import\n" + FILLER,
        b"import './own.js'\n" + FILLER + MODULE,  # imports that begin further on are the guard's
        MODULE + b" " * MAX_LIBRARY_BYTES,
    ],
    ids=["of-nobody-denied", "in-a-string", "further-on", "too-large"],
)
def test_any_other_module_leaves_as_it_came(body: bytes) -> None:
    packed = gzip.compress(body)
    _, head, out = through("/app.js", packed, SCRIPT, (b"Content-Encoding", b"gzip"))
    assert out == packed and head.headers.first(b"content-encoding") == b"gzip"


def test_in_observe_mode_a_module_leaves_as_it_came_and_its_imports_are_noted() -> None:
    exchange = opened("/app.js", OPTED_OUT, mode="observe")
    assert drive(exchange, MODULE, SCRIPT)[1] == MODULE
    assert {vendor for vendor, _, _ in exchange.report.removals.counts} == {"facebook-sdk"}


@pytest.mark.parametrize(("status", "looked_at"), [(201, True), (203, True), (299, True), (404, False), (500, False)])
def test_a_library_is_one_under_every_status_with_which_it_runs(status: int, looked_at: bool) -> None:
    name, body = file_of(PIXEL)
    exchange = opened(f"/static/{name}", OPTED_OUT)
    assert (drive(exchange, body, SCRIPT, status=status)[1] != body) is looked_at

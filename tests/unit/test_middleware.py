"""The middleware, seen from both sides: what reaches the application, and what reaches the server."""

import asyncio
import gc
import gzip
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, StreamingResponse
from starlette.routing import Route
from starlette.types import Message

from optout_gate.errors import ConfigError
from optout_gate.http import Headers
from optout_gate.middleware import OptOutGateMiddleware
from optout_gate.policy.choice import choice_of
from optout_gate.report import Outcome, Report
from optout_gate.rewrite import guard as guard_module
from support.asgi_call import ask
from support.asgi_server import Exchanged, answering, body, exchange, scope_of, start
from support.gates import OPTED_OUT, SITE, gate

PAGE = b'<!doctype html><p>Hello</p><script src="https://ads.test/t.js"></script>'
DENIED = b"https://ads.test/"
UNREADABLE = b"<noscript>" * 6 + b"</noscript>"  # pages in pages, deeper than is read
HTML = (b"content-type", b"text/html")
FILE = (b"content-type", b"image/png")
EVERY_EXTENSION = (
    "http.response.pathsend", "http.response.zerocopysend", "http.response.push", "http.response.early_hint",
    "http.response.trailers", "http.response.debug",
)  # fmt: skip


async def through(*messages: Message | BaseException, opted_out: bool = True, **more: Any) -> Exchanged:
    """Return what the server gets when the application sends ``messages`` through the middleware."""
    scope = scope_of("/page", *([OPTED_OUT] if opted_out else []), **more)
    return await exchange(OptOutGateMiddleware(answering(*messages), gate()), scope)


async def directly(*messages: Message | BaseException) -> Exchanged:
    return await exchange(answering(*messages), scope_of("/page"))


# The page's way.


async def test_a_page_is_cleaned_for_a_visitor_who_opted_out() -> None:
    seen = await through(start(HTML, (b"content-length", b"%d" % len(PAGE)), (b"etag", b'"a"')), body(PAGE))
    assert DENIED not in seen.body and b"<p>Hello</p>" in seen.body
    assert seen.headers.values(b"content-length") == [b"%d" % len(seen.body)]
    assert seen.headers.values(b"etag") != [b'"a"']


async def test_a_page_is_byte_for_byte_the_applications_own_for_everyone_else() -> None:
    messages = start(HTML, (b"etag", b'"a"')), body(PAGE[:30], more=True), body(PAGE[30:])
    seen, bare = await through(*messages, opted_out=False), await directly(*messages)
    assert seen.bodies == bare.bodies
    assert seen.headers.without([b"vary"]) == bare.headers
    assert seen.headers.values(b"vary") == [b"Sec-GPC"]


async def test_a_long_page_streams() -> None:
    pieces = [PAGE, *[b"<p>" + b"x" * 40_000 + b"</p>"] * 4]
    sizes_at_the_server: list[int] = []
    seen = Exchanged()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        for piece in pieces:
            await send(body(piece, more=True))
            sizes_at_the_server.append(len(seen.body))
        await send(body())

    async def server_send(message: Message) -> None:
        seen.messages.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    await OptOutGateMiddleware(app, gate())(scope_of("/", OPTED_OUT), receive, server_send)
    assert sizes_at_the_server[-1] > 120_000
    assert sizes_at_the_server[2] < sizes_at_the_server[3] < sizes_at_the_server[4]
    assert DENIED not in seen.body and seen.is_complete


async def test_header_names_are_lower_case_as_asgi_asks() -> None:
    seen = await through(start(HTML), body(UNREADABLE + PAGE))
    assert b"content-security-policy" in seen.headers
    assert all(name == name.lower() for name, _ in seen.headers)


async def test_a_page_that_cannot_be_rewritten_goes_out_contained() -> None:
    seen = await through(start(HTML), body(UNREADABLE + PAGE))
    assert seen.body == UNREADABLE + PAGE
    assert b"default-src 'self'" in (seen.headers.first(b"content-security-policy") or b"")


async def test_a_head_and_an_answer_without_a_body_have_none_to_rewrite() -> None:
    for status in (204, 304):
        seen = await through(start(HTML, status=status), body())
        assert seen.status == status and seen.body == b"" and b"content-length" not in seen.headers
    seen = await through(start(HTML, (b"content-length", b"123")), body(), method="HEAD")
    assert b"content-length" not in seen.headers


# What the application sees.


async def test_the_application_sees_the_choice_and_the_rewritten_head_in_a_copy_of_the_scope() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    scope = scope_of("/", OPTED_OUT, (b"if-none-match", b'"old"'), (b"accept-encoding", b"gzip, xz"))
    before = dict(scope)
    await exchange(OptOutGateMiddleware(app, gate()), scope)
    assert scope == before
    (inner,) = seen
    headers = Headers(inner["headers"])
    assert b"if-none-match" not in headers
    assert headers.values(b"accept-encoding") == [b"gzip"]
    choice = choice_of(inner)
    assert choice is not None and choice.opted_out and choice.signal == "gpc"
    assert choice.denies("test-ads") and choice.denies("advertising")
    assert not choice.denies("test-fonts") and not choice.denies("functional")


async def test_nothing_is_denied_to_the_template_of_a_visitor_who_said_nothing() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(choice_of(scope))

    await exchange(OptOutGateMiddleware(app, gate()), scope_of("/"))
    (choice,) = seen
    assert not choice.opted_out and not choice.denies("test-ads") and str(choice) == "no opt-out"


async def test_a_misspelt_vendor_in_a_template_is_an_error_with_a_suggestion() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(choice_of(scope))

    await exchange(OptOutGateMiddleware(app, gate()), scope_of("/"))
    with pytest.raises(ValueError, match=r"test-ad.*did you mean 'test-ads'"):
        seen[0].denies("test-ad")


async def test_the_template_is_told_of_just_the_purposes_that_this_signal_refuses() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(choice_of(scope))

    text = SITE + "policies: {default: {honor: {gpc: [advertising]}}}\n"
    await exchange(OptOutGateMiddleware(app, gate(text)), scope_of("/", OPTED_OUT))
    (choice,) = seen
    assert choice.denies("test-ads") and choice.denies("advertising")
    assert not choice.denies("test-replay") and not choice.denies("session_replay")


@pytest.mark.parametrize("kind", ["lifespan", "something.new"])
async def test_other_scopes_pass_as_they_came(kind: str) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, send))

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        raise AssertionError

    scope = {"type": kind}
    await OptOutGateMiddleware(app, gate())(scope, receive, send)
    assert seen == [(scope, receive, send)]
    assert seen[0][0] is scope


async def test_websocket_messages_pass_and_the_application_sees_the_choice() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        choice = choice_of(scope)
        assert choice is not None and choice.opted_out
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "bytes": PAGE})

    scope = scope_of("/ws", OPTED_OUT, kind="websocket")
    del scope["method"]
    seen = await exchange(OptOutGateMiddleware(app, gate()), scope)
    assert seen.failure is None
    assert seen.messages == [{"type": "websocket.accept"}, {"type": "websocket.send", "bytes": PAGE}]


@pytest.mark.parametrize(
    ("answer", "has_room"),
    [
        pytest.param({"type": "websocket.accept"}, True, id="accepted"),
        pytest.param({"type": "websocket.http.response.start", "status": 403, "headers": []}, True, id="refused"),
        pytest.param({"type": "websocket.close", "code": 1008}, False, id="closed-at-once"),
    ],
)
async def test_the_answer_to_a_websocket_has_one_outcome(answer: Message, has_room: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(answer)
        await send({"type": "websocket.close", "code": 1000})

    reports: list[Report] = []
    telling = gate(SITE.replace("outcome_header: false", "outcome_header: true"))
    scope = scope_of("/ws", OPTED_OUT, (b"Cookie", b"_ads=1; own=2"), kind="websocket")
    del scope["method"]
    seen = await exchange(OptOutGateMiddleware(app, telling, on_report=reports.append), scope)
    lines = [value for name, value in seen.messages[0].get("headers", ()) if name == b"optout-gate"]
    assert [line.partition(b";policy=")[0] for line in lines] == [b"enforced;removed=1"] * has_room
    assert [report.outcome for report in reports] == [Outcome.ENFORCED]


async def test_a_host_that_is_not_the_gates_is_left_alone() -> None:
    text = SITE.replace('"*"', "other.test")
    app = OptOutGateMiddleware(answering(start(), body(PAGE)), gate(text))
    seen = await exchange(app, scope_of("/", OPTED_OUT))
    assert seen.body == PAGE and b"vary" not in seen.headers


async def test_the_gates_own_pages_are_served_under_its_prefix() -> None:
    app = OptOutGateMiddleware(answering(AssertionError("reached")), gate())
    seen = await exchange(app, scope_of("/_optout/s/generic.js"))
    assert seen.failure is None and seen.status == 200
    assert seen.headers.first(b"content-type") == b"text/javascript; charset=utf-8"
    under_a_mount = await exchange(app, scope_of("/shop/_optout/s/generic.js", root_path="/shop"))
    assert under_a_mount.status == 200


# Ways round the gate.


@pytest.fixture
def page_file(tmp_path: Path) -> Path:
    file = tmp_path / "page.html"
    file.write_bytes(PAGE)
    return file


async def test_a_file_sent_by_its_path_cannot_go_round_the_gate(page_file: Path) -> None:
    message = {"type": "http.response.pathsend", "path": str(page_file)}
    seen = await through(start(), message, extensions=EVERY_EXTENSION)
    assert not seen.of("http.response.pathsend")
    assert DENIED not in seen.body and b"<p>Hello</p>" in seen.body and seen.is_complete


async def test_a_file_that_is_no_page_is_still_the_servers_to_send(page_file: Path) -> None:
    message = {"type": "http.response.pathsend", "path": str(page_file)}
    assert (await through(start(FILE), message)).of("http.response.pathsend") == [message]
    assert (await through(start(), message, opted_out=False)).of("http.response.pathsend") == [message]


@pytest.mark.parametrize(("offset", "count", "expected"), [(None, None, b"Hello"), (15, 12, b"<p>Hello</p>")])
async def test_a_file_sent_by_its_descriptor_cannot_go_round_the_gate(
    page_file: Path, offset: int | None, count: int | None, expected: bytes
) -> None:
    with page_file.open("rb") as file:
        message = {"type": "http.response.zerocopysend", "file": file, "more_body": True}
        message |= {"offset": offset} if offset is not None else {}
        message |= {"count": count} if count is not None else {}
        seen = await through(start(), message, body(b"<p>end</p>"), extensions=EVERY_EXTENSION)
    assert not seen.of("http.response.zerocopysend")
    assert DENIED not in seen.body and expected in seen.body and seen.body.endswith(b"<p>end</p>")


async def test_a_server_push_is_kept_from_a_visitor_whose_signal_it_would_not_carry() -> None:
    push = {"type": "http.response.push", "path": "/frame", "headers": []}
    assert not (await through(push, start(), body(PAGE))).of("http.response.push")
    assert (await through(push, start(), body(PAGE), opted_out=False)).of("http.response.push") == [push]


async def test_an_early_hint_names_no_denied_vendor() -> None:
    links = [b"<https://ads.test/>; rel=preconnect", b"</style.css>; rel=preload; as=style"]
    hint = {"type": "http.response.early_hint", "links": links}
    (kept,) = (await through(hint, start(), body(PAGE))).of("http.response.early_hint")
    assert kept["links"] == links[1:]
    only_denied = {"type": "http.response.early_hint", "links": links[:1]}
    assert not (await through(only_denied, start(), body(PAGE))).of("http.response.early_hint")
    assert (await through(hint, start(), body(PAGE), opted_out=False)).of("http.response.early_hint") == [hint]


async def test_trailers_go_with_the_body_they_speak_of() -> None:
    trailers = {"type": "http.response.trailers", "headers": [(b"content-digest", b"x")], "more_trailers": False}
    rewritten = await through(start(HTML, trailers=True), body(PAGE), trailers)
    assert rewritten.start["trailers"] is False and not rewritten.of("http.response.trailers")
    image = await through(start(FILE, trailers=True), body(b"png"), trailers)
    assert image.start["trailers"] is True and image.of("http.response.trailers") == [trailers]


async def test_debug_information_passes() -> None:
    debug = {"type": "http.response.debug", "info": {"template": "a"}}
    assert (await through(debug, start(), body(PAGE))).of("http.response.debug") == [debug]


async def test_an_extension_that_the_gate_does_not_know_is_not_offered_nor_let_through() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(set(scope["extensions"]))
        await send({"type": "http.response.teleport", "body": PAGE})

    offered = (*EVERY_EXTENSION, "http.response.teleport", "tls")
    out = await exchange(OptOutGateMiddleware(app, gate()), scope_of("/", OPTED_OUT, extensions=offered))
    assert seen == [{*EVERY_EXTENSION, "tls"}]
    assert isinstance(out.failure, RuntimeError) and not out.messages


# An application that does wrong.


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param([body(PAGE)], id="a-body-before-its-head"),
        pytest.param([start(FILE), start(FILE)], id="two-heads"),
        pytest.param([start(FILE), body(b"a"), body(b"b")], id="a-body-after-the-end"),
        pytest.param([start(FILE, (b"content-length", b"9")), body(b"a")], id="too-short-a-body"),
    ],
)
async def test_what_is_not_rewritten_reaches_the_server_for_it_to_judge(messages: list[Message]) -> None:
    seen, bare = await through(*messages), await directly(*messages)
    assert seen.messages == bare.messages


async def test_two_heads_of_a_page_are_an_error_and_nothing_is_sent() -> None:
    seen = await through(start(), start(), body(PAGE))
    assert isinstance(seen.failure, RuntimeError) and not seen.messages


@pytest.mark.parametrize("declared", [len(PAGE) - 1, len(PAGE) + 1])
async def test_a_page_with_a_wrong_content_length_is_an_error_and_nothing_is_sent(declared: int) -> None:
    seen = await through(start(HTML, (b"content-length", b"%d" % declared)), body(PAGE[:9], more=True), body(PAGE[9:]))
    assert isinstance(seen.failure, RuntimeError) and "Content-Length" in str(seen.failure)
    assert not seen.messages


async def test_an_exception_half_way_leaves_no_half_page_behind() -> None:
    seen = await through(start(), body(PAGE, more=True), ZeroDivisionError())
    assert isinstance(seen.failure, ZeroDivisionError) and not seen.messages


async def test_a_page_that_gets_unreadable_late_is_cut_off() -> None:
    reports: list[Report] = []
    long_page = b"<p>" + b"x" * 70_000
    app = OptOutGateMiddleware(
        answering(start(), body(long_page, more=True), body(UNREADABLE + PAGE, more=True), body()),
        gate(),
        on_report=reports.append,
    )
    seen = await exchange(app, scope_of("/", OPTED_OUT))
    assert seen.failure is not None and not seen.is_complete
    assert DENIED not in seen.body
    assert [report.outcome for report in reports] == [Outcome.BLOCKED]


async def test_an_application_that_swallows_the_cut_cannot_complete_the_page() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        await send(body(b"<p>" + b"x" * 70_000, more=True))
        for _ in range(3):
            with pytest.raises(OSError, match="cut off"):
                await send(body(UNREADABLE + PAGE, more=True))

    seen = await exchange(OptOutGateMiddleware(app, gate()), scope_of("/", OPTED_OUT))
    assert seen.failure is not None and not seen.is_complete and DENIED not in seen.body


async def test_a_visitor_who_goes_away_is_told_to_the_application_as_the_server_tells_it() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        await send(body(b"x" * 70_000, more=True))

    async def gone(message: Message) -> None:
        raise OSError("client went away")

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(OSError, match="client went away"):
        await OptOutGateMiddleware(app, gate())(scope_of("/", OPTED_OUT), receive, gone)


async def test_exchanges_at_the_same_time_do_not_mix() -> None:
    turn = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        await send(body(PAGE[:40], more=True))
        if scope["path"] == "/first":
            await turn.wait()
        await send(body(PAGE[40:]))
        turn.set()

    middleware = OptOutGateMiddleware(app, gate())
    first, second = await asyncio.gather(
        exchange(middleware, scope_of("/first", OPTED_OUT)), exchange(middleware, scope_of("/second"))
    )
    assert DENIED not in first.body and second.body == PAGE


# A page that comes slowly.

UTF8 = (b"content-type", b"text/html; charset=utf-8")
IMPATIENT = SITE + "limits: {rewriting: {held_s: 0.001}}\n"


class Server:
    """A server's ``send`` that can be waited for; ``stalled`` is cleared while its visitor reads nothing."""

    def __init__(self) -> None:
        self.seen = Exchanged()
        self.got = asyncio.Event()
        self.stalled = asyncio.Event()
        self.stalled.set()

    async def send(self, message: Message) -> None:
        self.seen.messages.append(message)
        self.got.set()
        await self.stalled.wait()

    async def serve(self, app: Any, text: str = IMPATIENT, **options: Any) -> Exchanged:
        async def receive() -> Message:
            return {"type": "http.request"}

        async with asyncio.timeout(30):
            await OptOutGateMiddleware(app, gate(text), **options)(scope_of("/", OPTED_OUT), receive, self.send)
        return self.seen


async def test_what_is_there_of_a_page_is_sent_while_its_application_makes_the_rest() -> None:
    server = Server()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start(UTF8))
        await send(body(more=True))
        await send(body(PAGE, more=True))
        await server.got.wait()
        await send(body(PAGE))

    seen = await server.serve(app)
    first, *rest = seen.bodies
    assert b"<p>Hello</p>" in first and b"<p>Hello</p>" in b"".join(rest) and DENIED not in seen.body
    assert seen.is_complete and b"content-length" not in seen.headers


async def test_a_piece_that_comes_while_the_ones_before_it_are_being_sent_waits_its_turn() -> None:
    server = Server()
    server.stalled.clear()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start(UTF8))
        await send(body(PAGE, more=True))
        await server.got.wait()
        rest = asyncio.ensure_future(send(body(b"<p>rest")))
        for _ in range(5):
            await asyncio.sleep(0)
        assert [message["type"] for message in server.seen.messages] == ["http.response.start"]
        server.stalled.set()
        await rest

    seen = await server.serve(app)
    assert seen.body.endswith(b"<p>rest") and seen.body.count(b"<p>Hello</p>") == 1 and seen.is_complete


async def test_a_part_of_a_file_waits_its_turn_as_well() -> None:
    server = Server()
    server.stalled.clear()
    loop = asyncio.get_running_loop()

    pieces = [PAGE, b"<p>rest", b""]

    class SlowFile:
        def read(self, size: int) -> bytes:
            if pieces[0] == b"<p>rest":  # in a thread of its own, as files are read
                asyncio.run_coroutine_threadsafe(server.got.wait(), loop).result(30)
                loop.call_soon_threadsafe(loop.call_later, 0.02, server.stalled.set)
            return pieces.pop(0)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start(UTF8))
        await send({"type": "http.response.zerocopysend", "file": SlowFile()})

    seen = await server.serve(app)
    assert seen.body.endswith(b"<p>rest") and seen.body.count(b"<p>Hello</p>") == 1 and seen.is_complete


async def test_a_page_that_cannot_be_rewritten_is_contained_when_its_application_takes_its_time() -> None:
    server = Server()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start(UTF8))
        await send(body(UNREADABLE, more=True))
        await server.got.wait()
        await send(body(PAGE))

    seen = await server.serve(app)
    assert seen.body == UNREADABLE + PAGE
    assert b"default-src 'self'" in (seen.headers.first(b"content-security-policy") or b"")


async def test_a_page_of_which_nothing_may_leave_is_refused_when_its_application_takes_its_time() -> None:
    server = Server()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start(UTF8))
        await send(body(UNREADABLE, more=True))
        await server.got.wait()
        for _ in range(2):
            with pytest.raises(OSError, match="cut off"):
                await send(body(PAGE))

    text = IMPATIENT.replace("outcome_header", "on_failure: {rewriter: block}\n    outcome_header")
    seen = await server.serve(app, text)
    assert seen.status == 503 and seen.is_complete and len(seen.of("http.response.start")) == 1


async def test_a_visitor_who_goes_away_meanwhile_is_told_to_the_application_with_its_next_piece(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gone = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start(UTF8))
        await send(body(PAGE, more=True))
        await gone.wait()
        if scope["path"] == "/tells":
            await send(body(PAGE))

    async def send(message: Message) -> None:
        gone.set()
        raise OSError("client went away")

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    middleware = OptOutGateMiddleware(app, gate(IMPATIENT))
    async with asyncio.timeout(30):
        with pytest.raises(OSError, match="client went away"):
            await middleware(scope_of("/tells", OPTED_OUT), receive, send)
        gone.clear()
        await middleware(scope_of("/is-through", OPTED_OUT), receive, send)
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_a_page_that_tells_its_length_is_held_to_its_end() -> None:
    server = Server()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start(UTF8, (b"content-length", b"%d" % len(PAGE))))
        await send(body(PAGE[:-1], more=True))
        await asyncio.sleep(0.02)
        assert not server.seen.messages
        await send(body(PAGE[-1:]))

    assert (await server.serve(app)).is_complete


def test_without_asyncios_loop_a_page_waits_for_its_end() -> None:
    """As under hypercorn with trio; nothing here waits, so no loop is needed to run it."""
    running = through(start(UTF8), body(PAGE, more=True), body())
    with pytest.raises(StopIteration) as done:
        running.send(None)
    seen: Exchanged = done.value.value
    assert seen.failure is None and seen.is_complete and DENIED not in seen.body


# Its place among others.


@pytest.mark.parametrize("gate_is_outermost", [True, False])
async def test_a_page_is_cleaned_outside_and_inside_a_compressing_middleware(gate_is_outermost: bool) -> None:
    async def page(request: Request) -> HTMLResponse:
        return HTMLResponse(PAGE * 20)

    app = Starlette(routes=[Route("/", page)])
    layers: list[tuple[Any, dict[str, Any]]] = [(GZipMiddleware, {}), (OptOutGateMiddleware, {"config": gate()})]
    for layer, options in layers if gate_is_outermost else reversed(layers):
        app.add_middleware(layer, **options)
    seen = await exchange(app, scope_of("/", OPTED_OUT, (b"accept-encoding", b"gzip")))
    assert seen.headers.values(b"content-encoding") == [b"gzip"]
    plain = gzip.decompress(seen.body)
    assert DENIED not in plain and plain.count(b"<p>Hello</p>") == 20


async def test_around_the_application_the_page_of_a_crash_passes_the_gate_as_well() -> None:
    """Starlette makes that page outside every middleware that was added to the application."""

    async def crash(request: Request) -> HTMLResponse:
        raise ZeroDivisionError

    async def apology(request: Request, error: Exception) -> HTMLResponse:
        return HTMLResponse(PAGE, 500)

    app = Starlette(routes=[Route("/", crash)], exception_handlers={500: apology})
    seen = await exchange(OptOutGateMiddleware(app, gate()), scope_of("/", OPTED_OUT))
    assert seen.status == 500 and DENIED not in seen.body and b"<p>Hello</p>" in seen.body


async def test_an_application_that_dies_with_its_page_half_made_gets_its_servers_error_page() -> None:
    async def half() -> AsyncIterator[bytes]:
        yield PAGE
        raise ZeroDivisionError

    async def page(request: Request) -> StreamingResponse:
        return StreamingResponse(half(), media_type="text/html")

    app = Starlette(routes=[Route("/", page)])
    app.add_middleware(OptOutGateMiddleware, config=gate())
    seen = await exchange(app, scope_of("/", OPTED_OUT))
    assert isinstance(seen.failure, ZeroDivisionError)
    assert seen.status == 500 and seen.body == b"Internal Server Error" and seen.is_complete


def test_what_an_application_keeps_of_a_page_may_be_forgotten_in_another_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As with Starlette's test client, which runs the application in a thread and gives its templates' contexts back."""
    kept: list[Any] = []
    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        kept.append(send)
        await send(start(HTML))
        await send(body(PAGE, more=True))
        await send(body(PAGE))

    def serve() -> None:
        asyncio.run(exchange(OptOutGateMiddleware(app, gate()), scope_of("/", OPTED_OUT)))

    thread = threading.Thread(target=serve)
    thread.start()
    thread.join()
    kept.clear()
    gc.collect()
    assert not unraisable


# Configuration and reports.


async def test_a_report_is_made_of_every_exchange() -> None:
    reports: list[Report] = []
    middleware = OptOutGateMiddleware(answering(start(), body(PAGE)), gate(), on_report=reports.append)
    await exchange(middleware, scope_of("/", OPTED_OUT))
    await exchange(middleware, scope_of("/"))
    assert [report.outcome for report in reports] == [Outcome.ENFORCED, Outcome.UNTOUCHED]
    assert reports[0].removals.counts.total() == 1
    assert reports[1].bytes_in == reports[1].bytes_out == len(PAGE)


async def test_a_report_is_made_before_a_task_that_the_application_does_behind_its_answer() -> None:
    told: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        await send(body(PAGE))
        told.append("task")

    middleware = OptOutGateMiddleware(app, gate(), on_report=lambda report: told.append(report.outcome))
    for signals in ([OPTED_OUT], []):
        await exchange(middleware, scope_of("/", *signals))
    assert told == [Outcome.ENFORCED, "task", Outcome.UNTOUCHED, "task"]


async def test_a_report_that_cannot_be_told_is_logged_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def unable(report: Report) -> None:
        raise ZeroDivisionError

    middleware = OptOutGateMiddleware(answering(start(), body(PAGE)), gate(), on_report=unable)
    seen = await exchange(middleware, scope_of("/", OPTED_OUT))
    assert seen.failure is None and seen.is_complete
    assert "on_report raised" in caplog.text and "ZeroDivisionError" in caplog.text


async def test_what_browsers_report_is_told_by_vendor() -> None:
    told: list[tuple[str, str, str, int]] = []
    app = OptOutGateMiddleware(answering(), gate(), on_browser_report=lambda *event: told.append(event))
    report = b'{"v":1,"events":[["blocked","ads.test","img",2],["leaked","nobody.test","img",1]]}'
    answer = await ask(app, "/_optout/report", method="POST", body=report)
    assert (answer.status, told) == (204, [("blocked", "test-ads", "img", 2)])


async def test_a_configuration_file_is_loaded_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(SITE.replace("upstream:", "mode: observe\n    upstream:"), "utf-8")
    reports: list[Report] = []
    seen = await exchange(
        OptOutGateMiddleware(answering(start(), body(PAGE)), str(file), on_report=reports.append),
        scope_of("/", OPTED_OUT),
    )
    assert seen.body == PAGE and reports[0].outcome is Outcome.OBSERVED
    file.write_text("version: 1\nsitez: []\n", "utf-8")
    with pytest.raises(ConfigError, match="sitez"):
        OptOutGateMiddleware(answering(), file)


async def test_without_a_configuration_the_defaults_hold_on_every_host() -> None:
    pixel = b'<img src="https://www.facebook.com/tr?id=1">'
    seen = await exchange(OptOutGateMiddleware(answering(start(), body(pixel))), scope_of("/", OPTED_OUT))
    assert b"facebook.com" not in seen.body


async def test_the_guard_is_made_while_the_server_starts_and_not_while_visitors_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
            await send({"type": "http.response.body", "body": b"<!doctype html><html><head></head></html>"})

    async def nothing(*_: Any) -> Any:
        return None

    def late(*_: object) -> None:
        raise AssertionError("made when a visitor waited for it")

    under_test = OptOutGateMiddleware(app, gate())
    await under_test({"type": "lifespan"}, nothing, nothing)
    monkeypatch.setattr(guard_module, "hashed", late)
    sent = await exchange(under_test, scope_of("/", OPTED_OUT))
    assert b"/_optout/guard.js?v=" in sent.body

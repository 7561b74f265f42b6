"""The addon in mitmproxy's own test harness: options, hooks, commands, the content view."""

import gc
import json
import weakref
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from mitmproxy import contentviews, exceptions
from mitmproxy import http as mitm
from mitmproxy.addons.clientplayback import ClientPlayback
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.test import taddons, tflow, tutils

from optout_gate.mitm.addon import OptOutGateAddon
from optout_gate.rewrite import surrogates
from optout_gate.rewrite.guard_rules import GUARD_PATH
from support.exchanges import SITE

STAND_IN = f"/_optout/s/generic.js?v={surrogates.version('generic')}"
PAGE = b'<!doctype html><p>Hello</p>\n<script src="https://ads.test/t.js"></script><img src="/own.png">'
DENIED = b"https://ads.test/"


@pytest.fixture
async def addon() -> OptOutGateAddon:
    return OptOutGateAddon()


@pytest.fixture
async def context(addon: OptOutGateAddon) -> Any:
    with taddons.context(Proxyserver(), addon, ClientPlayback()) as context:
        context.configure(addon, optout_config=str(SITE))
        yield context
        addon.done()


def page_flow(*lines: tuple[bytes, bytes], target: bytes = b"/page", body: bytes = PAGE) -> mitm.HTTPFlow:
    """Return a flow as it stands before its request is sent; its response is what the origin will answer."""
    request = tutils.treq(
        method=b"GET", path=target, content=b"", headers=mitm.Headers([(b"Host", b"www.shop.test"), *lines])
    )
    length = str(len(body)).encode()
    response = tutils.tresp(
        content=None, headers=mitm.Headers([(b"Content-Type", b"text/html"), (b"Content-Length", length)])
    )
    flow = tflow.tflow(req=request, resp=response)
    flow.metadata["test body"] = body
    return flow


async def cross(addon: OptOutGateAddon, flow: mitm.HTTPFlow, *, pieces: int = 0) -> bytes:
    """Take a flow through the hooks in mitmproxy's order; return the body that the client gets."""
    body = flow.metadata.pop("test body")
    response, flow.response = flow.response, None
    addon.requestheaders(flow)
    await addon.request(flow)
    if flow.response is not None:
        return flow.response.raw_content or b""
    flow.response = response
    assert response is not None
    if pieces:
        del response.headers["content-length"]
    addon.responseheaders(flow)
    sent = b""
    if response.stream:
        step = -(-len(body) // pieces)
        for piece in [*(body[start : start + step] for start in range(0, len(body), step)), b""]:
            out = response.stream(piece)
            assert out != b"" and b"" not in out, "a piece of length zero ends a chunked body"
            sent += b"".join(out)
        addon.response(flow)
        return sent
    response.data.content = body
    addon.response(flow)
    assert flow.response is not None
    return flow.response.raw_content or b""


def streaming(addon: OptOutGateAddon, flow: mitm.HTTPFlow, media_type: bytes = b"text/html") -> Any:
    """Take a flow as far as its response's head, which tells no length; return what its pieces go through."""
    del flow.metadata["test body"]
    response, flow.response = flow.response, None
    addon.requestheaders(flow)
    flow.response = response
    assert response is not None
    response.headers = mitm.Headers([(b"Content-Type", media_type + b"; charset=utf-8")])
    addon.responseheaders(flow)
    return response.stream


OPTED_OUT = (b"Sec-GPC", b"1")


async def test_a_short_page_is_held_back_and_cleaned(addon: OptOutGateAddon, context: Any) -> None:
    flow = page_flow(OPTED_OUT)
    sent = await cross(addon, flow)
    assert DENIED not in sent and b"<p>Hello</p>" in sent
    assert flow.response is not None and flow.response.headers["content-length"] == str(len(sent))


async def test_a_streamed_page_is_cleaned_and_kept_for_showing(addon: OptOutGateAddon, context: Any) -> None:
    flow = page_flow(OPTED_OUT)
    sent = await cross(addon, flow, pieces=7)
    assert DENIED not in sent and b"<p>Hello</p>" in sent
    assert flow.response is not None and flow.response.raw_content == sent
    assert flow.response.headers["transfer-encoding"] == "chunked"


async def test_a_page_is_untouched_for_everyone_else(addon: OptOutGateAddon, context: Any) -> None:
    flow = page_flow()
    assert await cross(addon, flow) == PAGE
    assert flow.comment == "" and flow.marked == ""
    assert flow.metadata["optout_gate"]["outcome"] == "untouched"


async def test_repeated_signal_lines_are_read_one_by_one(addon: OptOutGateAddon, context: Any) -> None:
    sent = await cross(addon, page_flow((b"Sec-GPC", b"0"), (b"Sec-GPC", b"1")))
    assert DENIED not in sent


async def test_a_flow_says_what_happened_to_it(addon: OptOutGateAddon, context: Any) -> None:
    flow = page_flow(OPTED_OUT)
    await cross(addon, flow)
    assert flow.comment == "opted out by Sec-GPC: 1 removed: test-ads 1"
    assert flow.marked == ":scissors:"
    told = flow.metadata["optout_gate"]
    assert told["outcome"] == "enforced" and told["signal"] == "gpc" and told["removed"] == 1
    assert told["removals"] == [{"vendor": "test-ads", "purpose": "advertising", "kind": "script", "count": 1}]


async def test_a_flow_with_its_metadata_can_be_saved_and_loaded(addon: OptOutGateAddon, context: Any) -> None:
    flow = page_flow(OPTED_OUT)
    await cross(addon, flow)
    assert mitm.HTTPFlow.from_state(flow.get_state()).metadata == flow.metadata


async def test_a_comment_and_mark_that_somebody_else_made_stay(addon: OptOutGateAddon, context: Any) -> None:
    flow = page_flow(OPTED_OUT)
    flow.comment, flow.marked = "look at this one", ":eyes:"
    await cross(addon, flow)
    assert (flow.comment, flow.marked) == ("look at this one", ":eyes:")


async def test_a_flow_that_another_addon_answered_is_left_alone(addon: OptOutGateAddon, context: Any) -> None:
    flow = page_flow(OPTED_OUT)
    addon.requestheaders(flow)
    flow.response = mitm.Response.make(200, PAGE, {"Content-Type": "text/html"})  # as in its request hook
    addon.responseheaders(flow)
    addon.response(flow)
    assert flow.response.content == PAGE
    early = page_flow(OPTED_OUT)
    early.response = mitm.Response.make(200, PAGE, {"Content-Type": "text/html"})
    before = early.request.headers.fields
    addon.requestheaders(early)
    await addon.request(early)
    addon.responseheaders(early)
    assert early.response.content == PAGE and early.request.headers.fields == before


async def test_the_gates_own_pages_are_answered(addon: OptOutGateAddon, context: Any) -> None:
    body = await cross(addon, page_flow(OPTED_OUT, target=b"/_optout/preferences"))
    assert b"You are opted out" in body


@pytest.mark.parametrize("coding", [b"br", b"gzip", b"identity"])
async def test_the_guard_comes_in_the_coding_that_its_head_names(
    addon: OptOutGateAddon, context: Any, coding: bytes
) -> None:
    plain = page_flow(OPTED_OUT, target=GUARD_PATH.encode())
    flow = page_flow(OPTED_OUT, (b"Accept-Encoding", coding), target=GUARD_PATH.encode())
    sent = await cross(addon, flow)
    assert flow.response is not None
    assert flow.response.headers.get("content-length") == str(len(sent))
    assert flow.response.content == await cross(addon, plain)  # opened by mitmproxy, as a browser does
    assert (sent == flow.response.content) == (coding == b"identity")


async def test_a_streamed_page_that_cannot_be_rewritten_is_cut_and_told_without_its_address(
    addon: OptOutGateAddon, context: Any, caplog: pytest.LogCaptureFixture
) -> None:
    target = b"/mary@example.com?token=s3cret"
    flow = page_flow(OPTED_OUT, body=b"<noscript>" * 6 + b"</noscript>" + PAGE, target=target)
    assert await cross(addon, flow, pieces=3) == b""
    assert flow.error is not None and flow.metadata["optout_gate"]["outcome"] == "blocked"
    assert flow.marked == ":no_entry:" and "cut off" in flow.comment
    assert "cut off" in caplog.text and "mary" not in caplog.text and "s3cret" not in caplog.text


async def test_a_page_that_its_origin_streams_is_begun_with_a_piece_that_comes_late(
    addon: OptOutGateAddon, context: Any, tmp_path: Path
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(SITE.read_text("utf-8") + "limits: {rewriting: {held_s: 0.001}}\n", "utf-8")
    context.options.update(optout_config=str(file))
    stream = streaming(addon, page_flow(OPTED_OUT))
    assert list(stream(PAGE)) == []
    late = perf_counter() + 0.001
    while perf_counter() <= late:
        pass
    begun = b"".join(stream(b"<p>late"))
    assert DENIED not in begun and begun.endswith(b"<p>late")
    assert [b"".join(stream(piece)) for piece in (b"<p>rest", b"")] == [b"<p>rest", b""]


async def test_the_end_of_a_page_told_twice_is_one_end(addon: OptOutGateAddon, context: Any) -> None:
    """So mitmproxy 11 does where an HTTP/2 stream ends in a DATA frame with nothing in it, as most do."""
    flow = page_flow(OPTED_OUT)
    stream = streaming(addon, flow)
    sent = b"".join([*stream(PAGE), *stream(b"")])
    assert DENIED not in sent and list(stream(b"")) == []
    addon.response(flow)
    assert flow.metadata["optout_gate"]["outcome"] == "enforced"
    assert flow.response is not None and flow.response.raw_content == sent


async def test_what_comes_after_the_end_of_a_page_does_not_leave(addon: OptOutGateAddon, context: Any) -> None:
    flow = page_flow(OPTED_OUT)
    stream = streaming(addon, flow)
    whole = b"".join([*stream(PAGE), *stream(b"")])
    assert DENIED not in whole and [*stream(PAGE), *stream(b"")] == []
    addon.error(flow)
    assert flow.error is not None and flow.metadata["optout_gate"]["outcome"] == "blocked"


@pytest.mark.parametrize("signals", [(), (OPTED_OUT,)], ids=["no-signal", "opted-out"])
async def test_events_go_on_one_by_one(
    addon: OptOutGateAddon, context: Any, signals: tuple[tuple[bytes, bytes], ...]
) -> None:
    assert streaming(addon, page_flow(*signals), b"text/event-stream") is True


async def test_mitmproxys_own_streaming_of_large_bodies_does_not_go_round_the_gate(
    addon: OptOutGateAddon, context: Any
) -> None:
    context.options.update(stream_large_bodies="1")
    flow = page_flow(OPTED_OUT)
    body = flow.metadata["test body"]
    addon.requestheaders(flow)
    assert flow.response is not None
    flow.response.stream = True  # what mitmproxy does before the hook for a body of declared length
    addon.responseheaders(flow)
    stream: Any = flow.response.stream
    assert callable(stream)
    assert DENIED not in b"".join([*stream(body), *stream(b"")])


async def test_a_flow_that_mitmproxy_forgets_is_forgotten(addon: OptOutGateAddon, context: Any) -> None:
    held, streamed = page_flow(OPTED_OUT), page_flow(OPTED_OUT)
    await cross(addon, held)
    await cross(addon, streamed, pieces=2)
    alive = [weakref.ref(held), weakref.ref(streamed)]
    del held, streamed
    gc.collect()
    assert [each() for each in alive] == [None, None]


# Options.


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("optout_mode", "strict", "optout_mode: expected one of enforce, observe, off"),
        ("optout_sites", ["WWW.Example.com"], "did you mean 'www.example.com'"),
        ("optout_config", "/nowhere/site.yaml", "/nowhere/site.yaml: cannot be read: No such file"),
    ],
)
async def test_a_wrong_option_is_refused_with_words_and_the_old_one_stays(
    addon: OptOutGateAddon, context: Any, option: str, value: Any, message: str
) -> None:
    before = getattr(context.options, option)
    with pytest.raises(exceptions.OptionsError, match=message):
        context.options.update(**{option: value})
    assert getattr(context.options, option) == before
    assert DENIED not in await cross(addon, page_flow(OPTED_OUT))


async def test_a_wrong_configuration_file_is_refused_with_its_line(
    addon: OptOutGateAddon, context: Any, tmp_path: Path
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("version: 1\nsites:\n  - upstream: http://x\n    mod: off\n", "utf-8")
    with pytest.raises(exceptions.OptionsError, match=r"site.yaml:4:5: .*mod"):
        context.options.update(optout_config=str(file))


async def test_a_configuration_file_that_is_saved_is_read_again(
    addon: OptOutGateAddon, context: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "site.yaml"
    caplog.set_level("INFO")
    text = SITE.read_text("utf-8")
    file.write_text(text, "utf-8")
    context.options.update(optout_config=str(file))
    assert DENIED not in await cross(addon, page_flow(OPTED_OUT))
    for wrong in ("version: 1\nsitez: []\n", None):  # saved with a mistake, and not there while it is saved
        file.write_text(wrong, "utf-8") if wrong is not None else file.unlink()
        for _ in range(2):
            assert DENIED not in await cross(addon, page_flow(OPTED_OUT))
    assert caplog.text.count("sitez") == 1 and "the configuration before it stays" in caplog.text
    file.write_text(text.replace('  - hosts: ["*"]\n', "  - hosts: [\"*\"]\n    mode: 'off'\n", 1), "utf-8")
    assert await cross(addon, page_flow(OPTED_OUT)) == PAGE
    assert "was saved, and read again" in caplog.text


async def test_options_change_at_run_time(addon: OptOutGateAddon, context: Any) -> None:
    context.options.update(optout_signal=True)
    flow = page_flow()
    assert DENIED not in await cross(addon, flow)
    assert flow.request.headers.get_all("sec-gpc") == ["1"]
    context.options.update(optout_mode="observe")
    observed = page_flow()
    assert await cross(addon, observed) == PAGE
    assert observed.comment == "opted out by Sec-GPC: 1 would be removed: test-ads 1"
    context.options.update(optout_mode="off")
    assert await cross(addon, page_flow()) == PAGE
    context.options.update(optout_mode="", optout_sites=["*.other.test"])
    assert await cross(addon, page_flow()) == PAGE
    context.options.update(optout_sites=["*.shop.test"])
    assert DENIED not in await cross(addon, page_flow())
    context.options.update(optout_signal=False)
    assert await cross(addon, page_flow()) == PAGE


async def test_holding_back_and_streaming_give_the_same_page(addon: OptOutGateAddon, context: Any) -> None:
    streamed = await cross(addon, page_flow(OPTED_OUT), pieces=5)
    context.options.update(optout_stream=False)
    held = page_flow(OPTED_OUT)
    assert held.response is not None
    del held.response.headers["content-length"]
    assert await cross(addon, held) == streamed


# Commands.


async def test_explain_names_what_was_removed_and_the_rule(addon: OptOutGateAddon, context: Any) -> None:
    flow = page_flow(OPTED_OUT)
    await cross(addon, flow)
    lines = addon.explain(flow)
    assert lines[0] == "opted out by Sec-GPC; policy 'default', mode enforce: enforced"
    assert lines[1] == "script https://ads.test/t.js"
    assert "test-ads" in lines[2] and "denies advertising" in lines[2] and "ads.test" in lines[2]
    with pytest.raises(exceptions.CommandError, match="did not see"):
        addon.explain(tflow.tflow())


async def test_report_writes_every_flow_of_the_run(addon: OptOutGateAddon, context: Any, tmp_path: Path) -> None:
    await cross(addon, page_flow(OPTED_OUT, target=b"/page?secret=1"))
    await cross(addon, page_flow(OPTED_OUT, target=b"/<b>"))
    await cross(addon, page_flow())
    addon.report(str(tmp_path / "run.json"))
    run = json.loads((tmp_path / "run.json").read_text("utf-8"))
    assert run["flows"] == 3 and run["removed"] == 2
    assert run["outcomes"] == {"enforced": 2, "untouched": 1}
    assert run["vendors"] == [{"vendor": "test-ads", "purpose": "advertising", "count": 2}]
    assert "secret" not in json.dumps(run)
    addon.report(str(tmp_path / "run.html"))
    page = (tmp_path / "run.html").read_text("utf-8")
    assert page.startswith("<!doctype html>") and "test-ads" in page and "<b>" not in page
    with pytest.raises(exceptions.CommandError, match="cannot write"):
        addon.report(str(tmp_path / "nowhere" / "run.json"))


async def test_compare_asks_again_without_any_signal_and_tells_the_difference(
    addon: OptOutGateAddon, context: Any
) -> None:
    context.options.update(optout_signal=True)
    gated = page_flow(OPTED_OUT, (b"Cookie", b"a=1; optout_gate=1; b=2"), (b"DNT", b"1"))
    await cross(addon, gated)
    playback = context.master.addons.get("clientplayback")
    addon.compare(gated)
    again = playback.queue.get_nowait()
    assert again.request.headers.get_all("sec-gpc") == [] and "dnt" not in again.request.headers
    assert again.request.headers["cookie"] == "a=1; b=2"
    again.response = mitm.Response.make(200, PAGE, {"Content-Type": "text/html"})
    addon.requestheaders(again)
    addon.responseheaders(again)
    addon.response(again)
    assert again.response.content == PAGE
    difference = addon.explain(again)
    assert '- <script src="https://ads.test/t.js">' in difference
    assert any(line.startswith("+ <script ") and "test-ads" in line for line in difference)
    assert not any("own.png" in line for line in difference)
    assert again.comment.startswith("without the signal: ")


# The content view.


def shown(flow: mitm.HTTPFlow) -> tuple[str, list[str]]:
    """Return name and lines of what mitmproxy shows of a flow's response, in either of its versions' ways."""
    assert flow.response is not None
    if hasattr(contentviews, "prettify_message"):
        result = contentviews.prettify_message(flow.response, flow)
        return result.view_name, result.text.splitlines()
    description, lines, error = contentviews.get_message_content_view("auto", flow.response, flow)
    assert error is None
    return description.split()[-1], ["".join(text for _, text in line) for line in lines]


async def test_the_content_view_marks_what_was_taken_out(addon: OptOutGateAddon, context: Any) -> None:
    flow = page_flow(OPTED_OUT)
    await cross(addon, flow, pieces=2)
    name, lines = shown(flow)
    assert name == "optout-gate"
    assert '- <script src="https://ads.test/t.js">' in lines
    assert f'+ <script src="{STAND_IN}" data-optout-gate="test-ads">' in lines
    assert "  <p>Hello" in lines


async def test_the_content_view_of_a_loaded_flow_marks_what_stands_in(addon: OptOutGateAddon, context: Any) -> None:
    flow = page_flow(OPTED_OUT)
    await cross(addon, flow)
    name, lines = shown(mitm.HTTPFlow.from_state(flow.get_state()))
    assert name == "optout-gate"
    assert f'* <script src="{STAND_IN}" data-optout-gate="test-ads">' in lines


async def test_other_messages_keep_the_view_they_had(addon: OptOutGateAddon, context: Any) -> None:
    flow = page_flow()
    await cross(addon, flow)
    assert shown(flow)[0] != "optout-gate"

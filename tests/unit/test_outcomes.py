"""What became of a response, and who is told: the report, the header, the log."""

import gzip
import logging

import pytest

from optout_gate.errors import Failure, RewriteError
from optout_gate.exchange import Exchange
from optout_gate.gate import Gate
from optout_gate.http import Headers, Pair, Response
from optout_gate.report import Outcome
from optout_gate.rewrite import css, page, response_head
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.passage import HELD_BYTES
from optout_gate.telemetry.metrics import Metrics
from optout_gate.telemetry.outcomes import SILENCE_S, OutcomeLog
from support.gates import OPTED_OUT, SITE, drive, gate, request

HTML = (b"Content-Type", b"text/html")
TRACKER = b'<img src="https://ads.test/p">'
# Longer than what is waited for: a page that is there whole would be read again by the gate's own scanner.
GIVEN_UP = b"<select><script>'</select>'</script><xmp>" + b"x" * HELD_BYTES
LONG = b"<p>0123456789</p>\n" * 8000
TELLING = gate(SITE.replace("outcome_header: false", "outcome_header: true"))


def opened(*lines: Pair, of: Gate = TELLING, target: str = "/") -> Exchange:
    exchange = of.open(request(target, *(lines or (OPTED_OUT,))))
    assert exchange is not None
    return exchange


def told(head: Response) -> str:
    """Return ``Optout-Gate`` without the policy, which is the same throughout."""
    [value] = head.headers.values(b"optout-gate")
    policy = f';policy="{TELLING.policy_hash[:8].decode()}"'
    assert policy in value.decode()
    return value.decode().replace(policy, "")


@pytest.mark.parametrize(
    ("body", "lines", "expected"),
    [
        pytest.param(TRACKER * 2, (HTML,), "enforced;removed=2", id="something-removed"),
        pytest.param(b"<p>", (HTML,), "nothing_to_do", id="a-clean-page"),
        pytest.param(b"{}", ((b"Content-Type", b"application/json"),), "nothing_to_do", id="no-page"),
        pytest.param(b"", (HTML, (b"Set-Cookie", b"_ads=1")), "enforced;removed=1", id="a-cookie"),
        pytest.param(TRACKER + GIVEN_UP, (HTML,), "contained;reason=rewriter", id="contained-with-all-its-trackers"),
        pytest.param(
            TRACKER + GIVEN_UP,
            (HTML, (b"Set-Cookie", b"_ads=1")),
            "contained;removed=1;reason=rewriter",
            id="less-a-cookie",
        ),
        pytest.param(b"", (HTML, (b"Content-Encoding", b"foo")), "contained;reason=decoding", id="refused-unseen"),
        pytest.param(TRACKER, (HTML, (b"Optout-Gate", b"enforced")), "enforced;removed=1", id="said-by-the-origin"),
    ],
)
def test_the_head_tells_the_outcome(body: bytes, lines: tuple[Pair, ...], expected: str) -> None:
    exchange = opened()
    head, _ = drive(exchange, body, *lines)
    assert told(head) == expected
    assert exchange.report.outcome.value == expected.partition(";")[0]


def test_a_head_that_leaves_before_its_body_says_so() -> None:
    exchange = opened()
    passage = exchange.respond(Response(200, Headers([HTML])))
    assert passage.feed(TRACKER + LONG)
    assert told(passage.head) == "enforced;removed=1;so-far"
    passage.feed(TRACKER)
    passage.close()
    assert (told(passage.head), len(exchange.report.removals)) == ("enforced;removed=2", 2)


def test_pages_that_are_rewritten_although_they_forbid_it_are_counted() -> None:
    says_so = (b"Cache-Control", b"max-age=60, No-Transform")
    metrics = Metrics()
    for body, lines in (
        *((TRACKER, (HTML, says_so)),) * 4,  # the later ones are remembered
        (b"<p>", (HTML, says_so)),
        (TRACKER, (HTML, (b"Cache-Control", b'private="no-transform"'))),
        (TRACKER + GIVEN_UP, (HTML, says_so)),  # contained
        (b"{}", ((b"Content-Type", b"application/json"), says_so)),
    ):
        exchange = opened()
        drive(exchange, body, *lines)
        metrics.record(exchange.report, seconds=0.1)
    assert metrics.registry.get_sample_value("optout_gate_no_transform_total") == 5


@pytest.mark.parametrize("mode", ["observe", '"off"'])
def test_nobody_is_told_where_nothing_is_changed(mode: str) -> None:
    site = gate(f"version: 1\nsites: [{{upstream: 'http://127.0.0.1:9', mode: {mode}}}]\n")
    assert b"optout-gate" not in drive(opened(of=site), TRACKER, HTML)[0].headers
    assert b"optout-gate" not in drive(opened((b"X-A", b"b")), TRACKER, HTML)[0].headers


def test_before_anything_came_back_the_outcome_is_that_of_an_empty_answer() -> None:
    assert opened().report.outcome is Outcome.NOTHING_TO_DO  # the origin did not answer, say
    assert opened((b"X-A", b"b")).report.outcome is Outcome.UNTOUCHED
    assert told(opened().marked(Response(502, Headers()))) == "nothing_to_do"


CAUSES: dict[Failure, tuple[tuple[Pair, ...], bytes, int]] = {
    Failure.REWRITER: ((HTML,), TRACKER + GIVEN_UP + TRACKER, 200),
    Failure.DECODING: ((HTML, (b"Content-Encoding", b"br")), TRACKER, 200),
    Failure.OVERSIZE: ((HTML, (b"Content-Encoding", b"gzip")), gzip.compress(TRACKER + b"<p>" * 1_000_000), 200),
    Failure.CHARSET: (
        ((b"Content-Type", b"application/xhtml+xml"),),
        b"<!DOCTYPE html [<!ENTITY a 'b'>]>" + TRACKER,
        200,
    ),
    Failure.PARTIAL_CONTENT: ((HTML, (b"Content-Range", b"bytes 0-9/99")), TRACKER, 206),
}


@pytest.mark.parametrize("instead", ["contain", "block", "pass"])
@pytest.mark.parametrize("cause", list(CAUSES))
def test_each_cause_does_as_it_is_told_and_no_other(cause: Failure, instead: str) -> None:
    opposite = "block" if instead == "contain" else "contain"
    keys = {each.value: instead if each is cause else opposite for each in CAUSES}
    site = gate(
        f"version: 1\nsites: [{{hosts: ['*.shop.test'], upstream: 'http://127.0.0.1:9', allow_hosts: [cdn.test, '*'],"
        f" on_failure: {keys}}}]\npolicies: {{default: {{allow: [maps.test]}}}}\n"
    )
    exchange = opened(OPTED_OUT, (b"Cookie", b"optout_gate=1"), of=site)
    lines, body, status = CAUSES[cause]
    lines += ((b"Link", b"<https://x.test/>; rel=preconnect"), (b"ETag", b'"x"'), (b"Set-Cookie", b"_ads=1"))
    if instead == "block":
        with pytest.raises(RewriteError) as raised:
            drive(exchange, body, *lines, status=status)
        answer = exchange.cut(raised.value)
        assert (answer.status, answer.headers.values(b"retry-after")) == (503, [b"5"])
        assert answer.headers.values(b"cache-control") == [b"no-store"]
    else:
        head, out = drive(exchange, body, *lines, status=status)
        assert (out, head.status) == (body, status)
        assert head.headers.values(b"cache-control") == [b"private, no-store"]
        assert head.headers.names.isdisjoint({b"etag", b"set-cookie"})
        policy = b" ".join(head.headers.values(b"content-security-policy"))
        sources = b"'self' *.shop.test cdn.test maps.test *.maps.test"
        assert policy.startswith(b"default-src " + sources + b" 'unsafe-inline'") == (instead == "contain")
        assert (b"link" in head.headers) == (instead == "pass")
    expected = {"contain": Outcome.CONTAINED, "block": Outcome.BLOCKED, "pass": Outcome.PASSED_UNENFORCED}[instead]
    assert (exchange.report.outcome, exchange.report.error) == (expected, cause)


@pytest.mark.parametrize("instead", ["contain", "block", "pass"])
def test_past_the_first_part_nothing_more_leaves_whatever_is_configured(instead: str) -> None:
    site = gate(f"version: 1\nsites: [{{upstream: 'http://127.0.0.1:9', on_failure: {{rewriter: {instead}}}}}]\n")
    passage = opened(of=site).respond(Response(200, Headers([HTML])))
    assert passage.feed(LONG)
    with pytest.raises(RewriteError):
        passage.feed(GIVEN_UP + TRACKER)


class Mistaken:
    """Stands for a function of the gate's that has a mistake in it."""

    def __init__(self, kind: type[BaseException]) -> None:
        self._kind = kind

    def __call__(self, *args: object, **kwargs: object) -> None:
        raise self._kind("secret of the page")


class Panic(BaseException):
    """As lol-html's: no Exception."""


Panic.__module__ = "pyo3_runtime"

STAGES = {
    "references of a page": (Judge, "reference"),
    "an element": (page.Page, "element"),
    "a style sheet": (css.CssRewriter, "feed"),
    "a header field": (response_head, "enforced"),
}
BODY = b'<img src="https://ads.test/p"><style>a{background:url(https://ads.test/q)}</style>'


@pytest.mark.parametrize("kind", [KeyError, RecursionError, MemoryError, Panic])
@pytest.mark.parametrize("stage", list(STAGES))
def test_a_mistake_in_the_gate_lets_nothing_out_uncontained(
    stage: str, kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name = STAGES[stage]
    if kind is Panic and owner is response_head:
        pytest.skip("nothing of lol-html's is called there")
    exchange = opened(of=gate(SITE))  # with an empty memory
    monkeypatch.setattr(owner, name, Mistaken(kind))
    try:
        head, out = drive(exchange, BODY, HTML)
    except RewriteError as error:
        exchange.cut(error)
        assert exchange.report.outcome is Outcome.BLOCKED
    else:
        assert out == BODY and exchange.report.outcome is Outcome.CONTAINED
        assert head.headers.values(b"content-security-policy")[-1].startswith(b"default-src 'self'")
    assert exchange.report.error is Failure.REWRITER
    assert exchange.report.problem and "secret" not in exchange.report.problem


def test_a_mistake_in_the_gate_changes_nothing_for_who_is_only_observed(monkeypatch: pytest.MonkeyPatch) -> None:
    observed = gate("version: 1\nsites: [{upstream: 'http://127.0.0.1:9', mode: observe}]\n")
    for owner, name in STAGES.values():
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, Mistaken(KeyError))
            assert drive(opened(of=observed), BODY, HTML) == (Response(200, Headers([HTML])), BODY)


def test_what_could_not_be_enforced_is_logged_once_and_then_with_a_count(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    outcomes = OutcomeLog(lambda: now)

    def visit(*lines: Pair) -> None:
        exchange = opened()
        drive(exchange, TRACKER, HTML, *lines)
        outcomes.tell(exchange.report)

    with caplog.at_level(logging.INFO, "optout_gate.outcomes"):
        visit()
        for _ in range(3):
            visit((b"Content-Encoding", b"gzip"))
        now += SILENCE_S
        visit((b"Content-Encoding", b"gzip"))
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith("*: a response went out contained: decoding: the body is not gzip")
    assert second.endswith("(and 2 more since the last such line)")
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_what_passed_unenforced_is_logged_as_an_error(caplog: pytest.LogCaptureFixture) -> None:
    passing = gate("version: 1\nsites: [{upstream: 'http://127.0.0.1:9', on_failure: {decoding: pass}}]\n")
    exchange = opened(of=passing)
    drive(exchange, TRACKER, HTML, (b"Content-Encoding", b"foo"))
    OutcomeLog().tell(exchange.report)
    [record] = caplog.records
    assert record.levelno == logging.ERROR and "passed unenforced" in record.getMessage()


def test_a_consumer_of_whom_nothing_is_known_gets_the_page_contained_and_keeps_what_they_have() -> None:
    brought = (b"Cookie", b"_ads=1; usprivacy=1YNN")
    exchange = TELLING.open(request("/", brought, (b"If-None-Match", b'"x"')), untold=True)
    assert exchange is not None
    assert b"sec-gpc" not in exchange.request.headers and b"if-none-match" not in exchange.request.headers
    assert exchange.request.headers.values(b"cookie") == [b"usprivacy=1YNN"]  # what they said goes on as they said it
    head, out = drive(exchange, TRACKER, HTML, (b"Set-Cookie", b"_ads=2"), (b"Set-Cookie", b"session=1"))
    assert out == TRACKER and told(head) == "contained;removed=2;reason=choice_store"
    assert head.headers.values(b"set-cookie") == [b"session=1"]
    heard = TELLING.open(request("/", OPTED_OUT), untold=True)  # their own word needs no store
    assert heard is not None and b"ads.test" not in drive(heard, TRACKER, HTML)[1]

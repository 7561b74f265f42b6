"""One table of exchanges through every door: reverse proxy, ASGI middleware, mitmproxy addon.

The middleware and the addon are held to what the proxy does, the proxy to the outcome that the table names. What a
protocol or program keeps from being equal is counted, and printed into docs/doors.md.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from optout_gate.http import Headers
from support.doors import ROOT, Passed, through_addon, through_middleware, through_proxy
from support.exchanges import Case, table

pytestmark = pytest.mark.mitmproxy

CASES = table()
DOORS = ("proxy", "middleware", "addon", "addon, not streaming")
DOCUMENT = ROOT / "docs" / "doors.md"
BEGIN, END = "<!-- printed by tests/conformance/test_doors.py -->\n", "<!-- end of print -->\n"

FRAMING = {b"connection", b"content-length", b"date", b"keep-alive", b"transfer-encoding"}
"""Response fields that belong to the connection or the server that sends, not to the message."""
OUTCOME = b"optout-gate"
FORWARDING = {b"connection", b"content-length", b"host", b"via", b"x-case", b"x-forwarded-for", b"x-forwarded-host",
              b"x-forwarded-proto"}  # fmt: skip
"""Request fields that a proxy has to set, and that a middleware and a developer's tool have not."""


@dataclass(frozen=True, slots=True)
class Run:
    """Every exchange through every door, in the order of :data:`CASES`."""

    passed: Mapping[str, list[Passed]]

    def count(self, door: str, holds: Callable[[Case, Passed, Passed], bool]) -> tuple[int, list[str]]:
        """Return in how many exchanges of one door something holds, and the names of the others."""
        rows = zip(CASES, self.passed[door], self.passed["proxy"], strict=True)
        failing = [case.name for case, here, proxy in rows if not holds(case, here, proxy)]
        return len(CASES) - len(failing), failing


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    async def every_door() -> dict[str, list[Passed]]:
        folder, other = tmp_path_factory.mktemp("addon"), tmp_path_factory.mktemp("not-streaming")
        return {
            "proxy": await through_proxy(CASES),
            "middleware": await through_middleware(CASES),
            "addon": await through_addon(CASES, folder),
            "addon, not streaming": await through_addon(CASES, other, "--set", "optout_stream=false"),
        }

    return Run(asyncio.run(every_door()))


def fields(headers: Headers, but: set[bytes]) -> list[tuple[bytes, bytes]]:
    """Return header lines for comparing: names in lower case, space around values trimmed, some left out."""
    return [(name.lower(), value.strip(b" \t")) for name, value in headers if name.lower() not in but]


def expected(case: Case, door: str) -> str:
    return case.through.get(door, case.becomes)


def same_status(case: Case, here: Passed, proxy: Passed) -> bool:
    return here.status == proxy.status


def same_fields(case: Case, here: Passed, proxy: Passed) -> bool:
    # What a head that left before its body says of the outcome depends on how the network cut the body into pieces.
    unfinished = any(b"so-far" in value for each in (here, proxy) for value in each.headers.values(OUTCOME))
    left_out = FRAMING | ({OUTCOME} if unfinished else set())
    return fields(here.headers, left_out) == fields(proxy.headers, left_out)


def same_body(case: Case, here: Passed, proxy: Passed) -> bool:
    if here.complete or proxy.complete:
        return here.body == proxy.body and here.complete == proxy.complete
    # Both were cut off. What had left by then depends on how the network cut the body into pieces.
    shorter, longer = sorted([here.body, proxy.body], key=len)
    return longer.startswith(shorter)


def same_report(case: Case, here: Passed, proxy: Passed) -> bool:
    return here.report == proxy.report


def same_target(case: Case, here: Passed, proxy: Passed) -> bool:
    return here.target == proxy.target == case.asks


def same_request_body(case: Case, here: Passed, proxy: Passed) -> bool:
    posted = b"".join(case.post or ()) if case.asks is not None else b""
    return here.posted == proxy.posted == posted


def same_request_fields(case: Case, here: Passed, proxy: Passed) -> bool:
    return fields(here.at_origin, FORWARDING) == fields(proxy.at_origin, FORWARDING)


def names_as_the_origin_spelt_them(case: Case, here: Passed, proxy: Passed) -> bool:
    spelt = {name for name, _ in case.response}
    meant = {name.lower() for name in spelt} - FRAMING
    return all(name in spelt for name, _ in here.headers if name.lower() in meant)


def length_is_told(case: Case, here: Passed, proxy: Passed) -> bool:
    """Where the proxy tells the body's length beforehand, so does this door."""
    return b"content-length" not in proxy.headers or b"content-length" in here.headers


ASPECTS: Mapping[str, Callable[[Case, Passed, Passed], bool]] = {
    "status": same_status,
    "response fields, their values and order": same_fields,
    "body, to the byte, and its end": same_body,
    "what the origin is asked for, to the byte": same_target,
    "request fields at the origin": same_request_fields,
    "the request's body at the origin, to the byte": same_request_body,
    "outcome, signal and removals in the report": same_report,
    "field names spelt as the origin spelt them": names_as_the_origin_spelt_them,
    "length told beforehand where the proxy tells it": length_is_told,
}
"""Each is counted and printed. The ones below are equal in every exchange but those that the table itself tells apart."""
EQUAL = tuple(ASPECTS)[:7]


def test_the_table_is_long_enough_to_mean_something() -> None:
    assert len(CASES) >= 150
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("door", DOORS)
def test_every_outcome_is_the_one_that_the_table_names(run: Run, door: str) -> None:
    wrong = {
        case.name: passed.report["outcome"]
        for case, passed in zip(CASES, run.passed[door], strict=True)
        if passed.report["outcome"] != expected(case, door)
    }
    assert not wrong


@pytest.mark.parametrize("door", DOORS)
def test_no_door_lets_a_denied_vendor_through_where_it_was_to_be_taken_out(run: Run, door: str) -> None:
    for case, passed in zip(CASES, run.passed[door], strict=True):
        if passed.report["outcome"] in ("enforced", "blocked"):
            assert b"https://ads.test/" not in passed.body, case.name
        if passed.report["outcome"] == "contained":
            assert b"default-src 'self'" in (passed.headers.first(b"content-security-policy") or b""), case.name
        if passed.report["outcome"] == "blocked":
            assert passed.status == 503 or not passed.complete, case.name
        if passed.report["outcome"] in ("contained", "passed_unenforced"):
            assert passed.headers.values(b"cache-control") == [b"private, no-store"], case.name


@pytest.mark.parametrize("door", DOORS)
def test_nobody_who_said_nothing_is_touched_by_any_door(run: Run, door: str) -> None:
    for case, passed in zip(CASES, run.passed[door], strict=True):
        if passed.report["outcome"] == "untouched" and case.has_body:
            assert passed.body == b"".join(case.pieces), case.name


@pytest.mark.parametrize("door", DOORS)
def test_every_response_to_who_opted_out_says_in_its_head_what_the_report_says(run: Run, door: str) -> None:
    for case, passed in zip(CASES, run.passed[door], strict=True):
        said = passed.headers.values(OUTCOME)
        outcome = passed.report["outcome"]
        assert len(said) == (outcome not in ("untouched", "observed")), case.name
        token, *parameters = said[0].decode().split(";") if said else [outcome]
        if "so-far" not in parameters:
            assert token == outcome, case.name
            removed = sum(count for *_, count in passed.report["removals"])
            assert (f"removed={removed}" in parameters) == bool(removed and said), case.name
            assert (f"reason={passed.report['error']}" in parameters) == bool(passed.report["error"] and said), (
                case.name
            )


@pytest.mark.parametrize("aspect", EQUAL)
@pytest.mark.parametrize("door", DOORS[1:])
def test_a_door_does_as_the_proxy_does(run: Run, door: str, aspect: str) -> None:
    _, differing = run.count(door, ASPECTS[aspect])
    explained = {case.name for case in CASES if door in case.through}
    assert not set(differing) - explained


def test_the_support_matrix_in_the_documentation_is_this_runs(run: Run, request: pytest.FixtureRequest) -> None:
    printed = matrix(run)
    text = DOCUMENT.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    written, _, after = rest.partition(END)
    if request.config.getoption("--regenerate"):
        Path(DOCUMENT).write_text(f"{before}{BEGIN}{printed}{END}{after}", "utf-8")
        return
    assert written == printed, "run: make unit ARGS='tests/conformance/test_doors.py --regenerate'"


def matrix(run: Run) -> str:
    """Return the table of docs/doors.md."""
    lines = [f"| in {len(CASES)} exchanges, the same as the proxy | {' | '.join(DOORS[1:])} |", "|---|---|---|---|"]
    for aspect, holds in ASPECTS.items():
        counts = [run.count(door, holds)[0] for door in DOORS[1:]]
        cells = ["all" if count == len(CASES) else f"{count}" for count in counts]
        lines.append(f"| {aspect} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"

"""Pages in, pages out: NAME.html, NAME.expected.html, NAME.report.json.

A stranger adds a case without code: put ``NAME.html`` here, run ``make golden``, and read what came of it. A first
comment in the page says what the case is about. ``NAME.css`` cases go through as style sheets, ``NAME.xhtml`` as XML.
"""

import json
import re
from base64 import b64decode, b64encode
from pathlib import Path

import pytest

from optout_gate.exchange import Exchange
from support.gates import OPTED_OUT, drive, gate_of_tests, request

HERE = Path(__file__).parent
TYPES = {".html": b"text/html; charset=utf-8", ".css": b"text/css", ".xhtml": b"application/xhtml+xml"}
CASES = sorted(file for file in HERE.rglob("*.*") if file.suffix in TYPES and not file.stem.endswith(".expected"))


def opened(*headers: tuple[bytes, bytes]) -> Exchange:
    exchange = gate_of_tests().open(request("/dir/page?q=1", *headers))
    assert exchange is not None
    return exchange


def unversioned(page: bytes) -> bytes:
    """Return a page without the versions in the gate's own addresses, which change with the guard and the catalogue."""
    page = re.sub(rb"(?<=;base64,)[A-Za-z0-9+/]{80,}=*", lambda held: b64encode(unversioned(b64decode(held[0]))), page)
    page = re.sub(rb"(?<=/_optout/m/)[0-9a-f]+(?=/)", b"VERSION", page)
    return re.sub(rb"(?<=/_optout/)((?:guard|modules)\.js|s/[a-z0-9-]+\.js)\?v=[0-9a-f-]+", rb"\1?v=VERSION", page)


def report_of(exchange: Exchange) -> dict[str, object]:
    return {
        "outcome": exchange.report.outcome.value,
        "removed": [
            {"kind": each.kind, "vendor": each.verdict.vendor.vendor, "what": each.what}
            for each in exchange.report.removals.kept
        ],
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.relative_to(HERE)))
def test_a_page_comes_out_as_expected(case: Path, request: pytest.FixtureRequest) -> None:
    expected, report = case.with_suffix(".expected" + case.suffix), case.with_suffix(".report.json")
    exchange = opened(OPTED_OUT)
    out = unversioned(drive(exchange, case.read_bytes(), (b"Content-Type", TYPES[case.suffix]))[1])
    told = json.dumps(report_of(exchange), indent=2, ensure_ascii=False) + "\n"
    if request.config.getoption("--regenerate"):
        expected.write_bytes(out)
        report.write_text(told, "utf-8")
    assert out == expected.read_bytes()
    assert told == report.read_text("utf-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.relative_to(HERE)))
def test_a_page_is_untouched_without_a_signal(case: Path) -> None:
    body = case.read_bytes()
    assert drive(opened(), body, (b"Content-Type", TYPES[case.suffix]))[1] == body


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.relative_to(HERE)))
@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_where_a_page_is_cut_does_not_show(case: Path, size: int) -> None:
    body = case.read_bytes()
    _, out = drive(opened(OPTED_OUT), body, (b"Content-Type", TYPES[case.suffix]), cuts=range(size, len(body), size))
    assert unversioned(out) == case.with_suffix(".expected" + case.suffix).read_bytes()


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.relative_to(HERE)))
def test_rewriting_twice_is_rewriting_once(case: Path) -> None:
    once = case.with_suffix(".expected" + case.suffix).read_bytes()
    assert drive(opened(OPTED_OUT), once, (b"Content-Type", TYPES[case.suffix]))[1] == once

"""``docs/http.md`` against the tests: every row names tests that there are, and every case for varnishtest is named."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "http.md").read_text("utf-8")
ROW = re.compile(r"^\| ([AB]\d+) \| (.+?) \| (.+) \|$", re.MULTILINE)
REQUIRED = [f"A{number}" for number in range(1, 40)] + [f"B{number}" for number in range(1, 13)]


def test_every_requirement_has_a_row_with_tests_and_none_stands_twice() -> None:
    rows = ROW.findall(PAGE)
    assert [number for number, _, _ in rows] == REQUIRED
    assert [number for number, _, tests in rows if not re.search(r"`[a-z0-9_]+\.(?:py::test_|vtc`)", tests)] == []


def test_every_test_that_is_named_is_there() -> None:
    files: dict[str, str] = {}
    for each in TESTS.rglob("test_*.py"):  # a room's tests in this process and those with real ones have one name
        files[each.name] = files.get(each.name, "") + each.read_text("utf-8")
    named = re.findall(r"`(test_\w+\.py)::(\w+)`", PAGE)
    assert named
    assert [f"{file}::{name}" for file, name in named if f"def {name}(" not in files.get(file, "")] == []


def test_the_cases_for_varnishtest_that_are_named_are_those_that_there_are() -> None:
    assert set(re.findall(r"`(\w+\.vtc)`", PAGE)) == {each.name for each in TESTS.rglob("*.vtc")}

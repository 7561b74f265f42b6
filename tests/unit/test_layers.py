"""Imports point down the floors of docs/architecture.md; the core reaches nothing outside."""

import ast
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src" / "optout_gate"
FLOORS = (
    "errors http documents",
    "signals trackers",
    "policy rewrite",
    "report site measured responding exchange gate",
    "pages telemetry proxy middleware receiving sending uncloaking mitm browser choices edges",
    "demo",
    "cli",
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names.split()}
OUTSIDE_WORLD = {"asyncio", "socket", "ssl", "time", "random", "os", "aiohttp", "starlette", "uvicorn", "mitmproxy"}
FILES = sorted(file for file in SRC.rglob("*.py"))


def imported(file: Path) -> set[str]:
    """Return the dotted names that a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SRC)))
def test_imports_point_down(file: Path) -> None:
    room = file.relative_to(SRC).parts[0].removesuffix(".py")
    if room == "__init__":
        return
    here = FLOOR[room]
    for name in imported(file):
        top, *rest = name.split(".")
        if top == "optout_gate" and rest and rest[0] in FLOOR:
            assert FLOOR[rest[0]] <= here, f"{file.name} imports {name} from a floor above"
        elif here < FLOOR["pages"]:
            assert top not in OUTSIDE_WORLD, f"{file.name} reaches the outside world: {name}"


def test_trackers_and_signals_do_not_know_each_other() -> None:
    for room, other in (("trackers", "signals"), ("signals", "trackers")):
        for file in (SRC / room).rglob("*.py"):
            assert not any(name.startswith(f"optout_gate.{other}") for name in imported(file)), file

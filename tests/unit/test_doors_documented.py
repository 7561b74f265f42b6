"""What docs/middleware.md and docs/mitmproxy.md promise is what is there."""

import re
from pathlib import Path

import pytest

from optout_gate.mitm.settings import OPTIONS
from optout_gate.mitm.words import MARKS
from optout_gate.policy.choice import VisitorChoice
from optout_gate.report import Outcome
from optout_gate.sending import MESSAGES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PICTURE = DOCS / "images" / "mitmweb.png"


def rows(document: str) -> list[list[str]]:
    """Return the cells of every table row of a document."""
    text = (DOCS / document).read_text("utf-8")
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def test_every_option_of_the_addon_stands_in_the_documentation_with_its_default() -> None:
    documented = {cells[0].strip("`"): cells[1] for cells in rows("mitmproxy.md") if cells[0].startswith("`optout_")}
    assert set(documented) == {name for name, *_ in OPTIONS}
    for name, kind, default, _ in OPTIONS:
        if kind is bool:
            assert documented[name] == f"`{str(default).lower()}`"


def test_every_command_of_the_addon_stands_in_the_documentation() -> None:
    source = (ROOT / "src" / "optout_gate" / "mitm" / "addon.py").read_text("utf-8")
    commands = set(re.findall(r'@command\.command\("(optout\.\w+)"\)', source))
    documented = {name for cells in rows("mitmproxy.md") for name in re.findall(r"`(optout\.\w+) ", cells[0])}
    assert commands and documented == commands


def test_every_mark_has_its_line() -> None:
    symbols = {
        Outcome.ENFORCED: "✂", Outcome.OBSERVED: "✏", Outcome.CONTAINED: "⚠", Outcome.BLOCKED: "⛔",
        Outcome.PASSED_UNENFORCED: "🔓",
    }  # fmt: skip
    assert set(symbols) == set(MARKS)
    first_cells = {cells[0] for cells in rows("mitmproxy.md")}
    assert set(symbols.values()) <= first_cells


@pytest.mark.parametrize("message", sorted(set(MESSAGES) - {"http.response.start", "http.response.body"}))
def test_every_message_that_is_handled_on_purpose_has_its_line(message: str) -> None:
    text = " ".join(cells[0] for cells in rows("middleware.md"))
    assert f"`{message}`" in text or f"`{message.rpartition('.')[2]}`" in text


def test_everything_that_an_application_may_ask_of_the_choice_has_its_line() -> None:
    public = {name for name in dir(VisitorChoice) if not name.startswith("_")} - {"catalog", "decision"}
    documented = {cells[0].strip("`").partition("(")[0] for cells in rows("middleware.md")}
    assert public <= documented


def test_the_picture_is_a_small_png() -> None:
    data = PICTURE.read_bytes()
    assert data.startswith(b"\x89PNG") and len(data) < 200_000

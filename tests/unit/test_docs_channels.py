"""``docs/channels.md`` prints the tables that the code works by."""

import re
from pathlib import Path

import pytest

from optout_gate.rewrite.response_head import ENFORCED
from support import channel_tables

PAGE = Path(__file__).parents[2] / "docs" / "channels.md"
TABLES = {"markup": channel_tables.markup, "headers": channel_tables.headers, "link types": channel_tables.not_fetched}


@pytest.mark.parametrize("name", TABLES)
def test_the_page_prints_the_codes_tables(name: str, request: pytest.FixtureRequest) -> None:
    text = PAGE.read_text("utf-8")
    begin, end = f"<!-- printed: {name} -->\n", "<!-- end -->"
    before, found, rest = text.partition(begin)
    assert found
    written, _, after = rest.partition(end)
    printed = TABLES[name]()
    if request.config.getoption("--regenerate"):
        PAGE.write_text(before + begin + printed + end + after, "utf-8")
        return
    assert written == printed, "run: make unit ARGS='tests/unit/test_docs_channels.py --regenerate'"


def test_every_field_of_the_table_has_its_reason() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", channel_tables.headers(), re.MULTILINE)
    assert {name for name, reason in rows if len(reason) > 5} == {name.decode() for name in ENFORCED}

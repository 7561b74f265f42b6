"""The catalogue as a page: everybody is on it, and it is sound HTML that loads nothing."""

from pathlib import Path

import html5lib
from click.testing import CliRunner

from optout_gate.cli import main
from optout_gate.trackers.catalog import builtin


def test_every_vendor_stands_on_the_page_and_nothing_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "vendors.html"
    done = CliRunner().invoke(main, ["vendors", "--html", str(file)])
    assert done.exit_code == 0, done.output
    text = file.read_text("utf-8")
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    tree = parser.parse(text)
    assert [error for _, error, _ in parser.errors] == []
    names = {"".join(head.itertext()).removesuffix(head.findtext("code") or "") for head in tree.iter("th")}
    assert {vendor.name for vendor in builtin()} <= names
    assert not any(element.get("src") for element in tree.iter())
    assert not list(tree.iter("script")) and not list(tree.iter("link"))
    consequences = {row.get("id"): row.findall("td")[1].findtext("span") for row in tree.iter("tr") if row.get("id")}
    assert consequences["hotjar"] == "kept away"
    assert consequences["google-fonts"] is None


def test_the_page_can_be_of_one_purpose(tmp_path: Path) -> None:
    file = tmp_path / "replay.html"
    CliRunner().invoke(main, ["vendors", "--purpose", "session_replay", "--html", str(file)])
    text = file.read_text("utf-8")
    assert 'id="hotjar"' in text and 'id="google-fonts"' not in text

"""Documentation follows the code: every key, command and link that is shown exists."""

import re
from pathlib import Path

import pytest
import yaml

from optout_gate.cli import COMMANDS
from optout_gate.policy.config import Config
from optout_gate.policy.load import load_text

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "AGENTS.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_shown_exists(page: Path) -> None:
    for command in re.findall(r"(?:^\$ |`)optout-gate ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE):
        assert command in COMMANDS, command


def test_the_configuration_in_the_readme_is_good() -> None:
    [text] = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    load_text(text, file="README.md", folder=ROOT)


def test_the_example_configuration_shows_every_key_of_the_file_and_of_its_sites_and_policies() -> None:
    shown = yaml.safe_load((ROOT / "config" / "example.yaml").read_text("utf-8"))
    fields = Config.model_fields
    assert set(shown) == set(fields)


def test_make_words_in_the_readme_exist() -> None:
    words = set(re.findall(r"^\$ make (\w+)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE))
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= words <= targets

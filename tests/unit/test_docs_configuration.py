"""``docs/configuration.md`` against the model: every key with its default, and no key that there is not."""

import re
from pathlib import Path

import yaml

from optout_gate.policy.honor import FOLLOWS, Reach
from optout_gate.policy.limits import LimitsConfig
from support.config_keys import keys

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "configuration.md").read_text("utf-8")
ROW = re.compile(r"^\| `([a-zA-Z0-9_.\[\]]+)` \| (?:`([^`]*)`|(required)) \| (.+) \|$", re.MULTILINE)


def test_every_key_is_documented_with_its_default_and_no_other_is() -> None:
    documented = {key: default or required for key, default, required, _ in ROW.findall(PAGE)}
    assert documented == dict(keys())


def test_no_key_is_documented_twice_or_without_a_meaning() -> None:
    rows = ROW.findall(PAGE)
    assert len({key for key, *_ in rows}) == len(rows)
    assert [key for key, _, _, meaning in rows if len(meaning) < 5] == []


def test_every_word_of_honor_is_documented() -> None:
    for reach in Reach:
        assert f"| `{reach.value}` |" in PAGE


def test_the_table_of_uses_and_purposes_is_the_codes() -> None:
    text = (ROOT / "docs" / "signals.md").read_text("utf-8")
    for use, purposes in FOLLOWS.items():
        [row] = re.findall(
            rf"^\| ([^|]*\b{use.replace('_', ' ')}\b[^|]*) \| ([^|;]+)", text.partition("## Formats")[0], re.MULTILINE
        )
        assert set(re.findall(r"\w+", row[1])) == {purpose.value for purpose in purposes}


def test_the_example_shows_every_key_of_sites_and_policies_but_the_notice() -> None:
    shown = yaml.safe_load((ROOT / "config" / "example.yaml").read_text("utf-8"))
    site, policy = shown["sites"][0], shown["policies"]["default"]
    documented = {key for key, _ in keys()}
    assert {key.split("[].")[1].split(".")[0] for key in documented if key.startswith("sites[]")} == set(site)
    names = {key.split(".")[2] for key in documented if key.startswith("policies.")} - {"notice"}
    assert names == set(policy)
    assert {key.rpartition(".")[2] for key in documented if ".coherence." in key} == set(site["coherence"])


def test_the_example_shows_every_limit_with_its_default() -> None:
    shown = yaml.safe_load((ROOT / "config" / "example.yaml").read_text("utf-8"))["limits"]
    assert LimitsConfig.model_validate(shown) == LimitsConfig()
    assert {f"limits.{part}.{key}" for part in shown for key in shown[part]} == {
        key for key, _ in keys() if key.startswith("limits.")
    }

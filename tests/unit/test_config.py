"""A configuration is refused with everything that is wrong in it, each with its place, or it is good.

Each file of ``config_cases/`` is one case: a configuration, ten dashes, and what is said of it.
"""

import re
from pathlib import Path

import pytest

from optout_gate.errors import ConfigError
from optout_gate.policy.load import from_upstream, load_file, load_text
from optout_gate.trackers.purposes import DENIABLE, Purpose

HERE = Path(__file__).parent
CASES = sorted((HERE / "config_cases").glob("*.case"))
SHIPPED = sorted((HERE.parents[1] / "config").rglob("*.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_wrong_configuration_is_told_whole(case: Path, request: pytest.FixtureRequest) -> None:
    given, expected = case.read_text("utf-8").split("----------\n")
    with pytest.raises(ConfigError) as told:
        load_text(given, file="site.yaml", folder=Path("/nowhere"))
    said = re.sub(r"(catalogue/[a-z-]+\.yaml):\d+", r"\1:N", f"{told.value}\n")  # the catalogue's lines move
    if request.config.getoption("--regenerate"):
        case.write_text(f"{given}----------\n{said}", "utf-8")
        return
    assert said == expected


def test_what_is_shipped_is_good() -> None:
    assert SHIPPED
    for file in SHIPPED:
        if "prometheus" not in file.name:
            load_file(file)


def test_an_upstream_alone_is_enough_and_the_defaults_are_safe() -> None:
    loaded = from_upstream("http://127.0.0.1:8000")
    assert loaded.config.listen == "127.0.0.1:8080"
    assert loaded.config.admin == "127.0.0.1:9090"
    [site] = loaded.config.sites
    assert (site.hosts, site.mode.value, site.preserve_host) == (("*",), "enforce", True)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("hosts: [*.example.com]", "2:9: not valid YAML: a value that begins with '*' stands in quotes, as in"),
        ("hosts: *", "2:8: not valid YAML: a value that begins with '*' stands in quotes, as in"),
        ("sites:\n\t- upstream: x", "3:1: not valid YAML: a tab; lines are indented with spaces"),
        ("listen: @here", "2:9: not valid YAML: a value that begins with '@' stands in quotes"),
        ("listen: a\x07", "2:10: not valid YAML: the character '\\x07' may not stand in YAML"),
    ],
)
def test_slips_in_yaml_are_told_in_words_with_line_and_column(line: str, told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"site.yaml:{told}")):
        load_text(f"version: 1\n{line}\n", file="site.yaml", folder=Path())


def test_a_file_in_another_encoding_is_told_with_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_bytes("version: 1\r\n# café\r\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"site\.yaml:2:6: not UTF-8 text"):
        load_file(tmp_path / "site.yaml")


def test_a_gate_before_itself_is_warned_of() -> None:
    [caution] = load_text(
        "version: 1\nsites: [{upstream: 'http://localhost:8080'}]\n", file="f", folder=Path()
    ).cautions
    assert str(caution) == "f:2:20: http://localhost:8080 is the gate's own address: every request ends with 508"
    for upstream in ("http://localhost:8000", "https://localhost:8080", "http://10.0.0.1:8080", "unix:/run/a.sock"):
        assert not load_text(f"version: 1\nsites: [{{upstream: '{upstream}'}}]\n", file="f", folder=Path()).cautions


def test_a_missing_file_is_told_by_name() -> None:
    with pytest.raises(ConfigError, match=r"^/nowhere/site\.yaml: cannot be read: No such file"):
        load_file(Path("/nowhere/site.yaml"))
    with pytest.raises(ConfigError, match=r"^/nowhere/site\.yaml: cannot be read: No such file"):
        load_file("/nowhere/site.yaml")


def test_security_and_function_are_never_denied() -> None:
    assert frozenset(Purpose) - DENIABLE == {Purpose.SECURITY, Purpose.FUNCTIONAL}


def test_the_operators_own_vendor_wins_over_the_catalogue_for_its_host(tmp_path: Path) -> None:
    text = """
version: 1
sites: [{upstream: "http://127.0.0.1:1"}]
trackers:
  extra: [{vendor: our-gtm, purposes: [functional], domains: [www.googletagmanager.com]}]
"""
    rule = load_text(text, file="site.yaml", folder=tmp_path).catalog.by_url("www.googletagmanager.com", "/gtm.js")
    assert rule is not None
    assert (rule.vendor.vendor, rule.vendor.name, rule.place) == ("our-gtm", "our-gtm", "site.yaml:5")


def test_a_filter_list_joins_with_its_rule_and_line(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "easy.txt").write_text("! comment\n||list.test^$third-party\n@@||list.test/ok^\n")
    text = """
version: 1
sites: [{upstream: "http://127.0.0.1:1"}]
trackers: {filter_lists: [{path: lists/easy.txt, purpose: analytics}]}
"""
    from optout_gate.trackers.urls import Target

    [found] = load_text(text, file="site.yaml", folder=tmp_path).filter_lists
    rule = found.match(Target("https", "list.test", "/x"), "https://shop.test/", "script")
    assert rule is not None
    assert (rule.place, rule.text, rule.vendor.purposes) == (
        "lists/easy.txt:2",
        "||list.test^$third-party",
        (Purpose.ANALYTICS,),
    )
    assert found.match(Target("https", "list.test", "/ok"), "https://shop.test/", "script") is None
    assert found.match(Target("https", "list.test", "/x"), "https://list.test/", "script") is None

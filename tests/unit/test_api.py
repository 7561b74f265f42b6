"""The public interface: its names, what importing it costs, and that it is enough to build a door with."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

import optout_gate
from optout_gate import Gate, OptOutGateMiddleware, Outcome, Report

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "api.md").read_text("utf-8")
SITE = ROOT / "tests" / "conformance" / "doors" / "site.yaml"

SURFACE = {
    "ConfigError", "Exchange", "Failure", "Gate", "GateError", "Headers", "Loaded", "OptOutGateMiddleware", "Outcome",
    "Passage", "Report", "Request", "Response", "RewriteError", "VisitorChoice", "choice_of", "load_file", "own_page",
}  # fmt: skip
"""A name that is added here is a promise; one that is taken away breaks somebody's program."""


def test_the_surface_is_what_was_promised() -> None:
    assert set(optout_gate.__all__) == SURFACE
    assert sorted(optout_gate.__all__) == optout_gate.__all__
    for name in SURFACE:
        assert getattr(optout_gate, name).__doc__, f"{name} has no description"
    assert set(dir(optout_gate)) >= SURFACE


def test_what_type_checkers_see_is_what_is_there() -> None:
    seen: set[str] = set()
    tree = ast.parse(Path(optout_gate.__file__).read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("optout_gate."):
            (alias,) = node.names
            module = sys.modules.get(str(node.module)) or __import__(str(node.module), fromlist=[alias.name])
            assert getattr(optout_gate, alias.name) is getattr(module, alias.name)
            seen.add(alias.name)
    assert seen == SURFACE
    assert Path(optout_gate.__file__).with_name("py.typed").exists()


def test_every_name_is_described_in_the_documentation() -> None:
    table = DOCUMENT.partition("## A door of your own")[0]
    assert {name for name in SURFACE if not re.search(rf"`{name}[`(]", table)} == set()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Gatte'"):
        _ = optout_gate.Gatte


@pytest.mark.parametrize(
    ("misuse", "words"),
    [
        (lambda: optout_gate.Headers([("Sec-GPC", "1")]), r"a pair of bytes.*not \('Sec-GPC', '1'\)"),  # type: ignore[list-item]
        (lambda: Gate("site.yaml", clock=perf_counter), "takes what load_file returns, not 'site.yaml'"),  # type: ignore[arg-type]
        (lambda: OptOutGateMiddleware(print, {"version": 1}), "config is a file's path, what load_file"),  # type: ignore[arg-type]
    ],
    ids=["text-for-header-fields", "a-path-for-a-gate", "values-for-a-configuration"],
)
def test_what_is_no_value_of_the_interface_is_refused_with_words(misuse: Callable[[], object], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        misuse()


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import optout_gate, sys; print([m for m in ('lolhtml','pydantic','aiohttp','starlette') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "[]", run.stderr


# The fourth door, as docs/api.md has it.

PAGE = '<!doctype html><p>Hello</p><script src="https://ads.test/t.js"></script>'


@pytest.fixture
def door(tmp_path: Path) -> Any:
    block = DOCUMENT.partition("<!-- the fourth door -->")[2].partition("<!-- end of the fourth door -->")[0]
    source = block.partition("```python\n")[2].partition("```")[0]
    statements = [line for line in source.splitlines() if line.strip()]
    assert 30 < len(statements) <= 55, "it is to be short"
    names: dict[str, Any] = {}
    exec(compile(source, "docs/api.md", "exec"), names)
    return names["opt_out_gate"]


@pytest.fixture
async def client(door: Any, tmp_path: Path) -> Any:
    (tmp_path / "page.html").write_text(PAGE, "utf-8")
    seen: list[Report] = []

    async def page(request: web.Request) -> web.Response:
        answer = web.Response(text=PAGE, content_type="text/html", headers={"ETag": '"1"'})
        answer.set_cookie("_ads", "1")
        answer.set_cookie("session", "2")
        return answer

    async def file(request: web.Request) -> web.FileResponse:
        return web.FileResponse(tmp_path / "page.html")

    async def echo(request: web.Request) -> web.Response:
        return web.json_response({"body": await request.text(), "gpc": request.headers.get("Sec-GPC")})

    app = web.Application(middlewares=[door(SITE, seen.append)])
    app.add_routes([web.get("/", page), web.get("/file", file), web.post("/echo", echo), web.post("/event", echo)])
    async with TestClient(TestServer(app)) as client:
        client.seen = seen  # type: ignore[attr-defined]
        yield client


async def test_the_fourth_door_cleans_a_page_with_its_cookies(client: Any) -> None:
    answer = await client.get("/", headers={"Sec-GPC": "1"})
    body = await answer.text()
    assert "ads.test" not in body and "<p>Hello</p>" in body
    cookies = {line.partition("=")[0] for line in answer.headers.getall("Set-Cookie")}
    assert "session" in cookies and "_ads" not in cookies
    assert answer.headers["ETag"].startswith('W/"1+og.') and answer.headers["Vary"] == "Sec-GPC"
    assert [report.outcome for report in client.seen] == [Outcome.ENFORCED]


async def test_the_fourth_door_leaves_everyone_else_alone(client: Any) -> None:
    answer = await client.get("/")
    assert await answer.text() == PAGE
    assert len(answer.headers.getall("Set-Cookie")) == 2 and answer.headers["ETag"] == '"1"'


async def test_the_fourth_door_passes_requests_with_a_body(client: Any) -> None:
    answer = await client.post("/echo", data="hello", headers={"Cookie": "optout_gate=1"})
    assert await answer.json() == {"body": "hello", "gpc": "1"}


async def test_the_fourth_door_answers_beacons_and_passes_their_look_alikes(client: Any) -> None:
    view = '{"n":"pageview","u":"https://shop.test/","d":"shop.test"}'
    assert (await client.post("/event?gclid=1", data=view, headers={"Sec-GPC": "1"})).status == 204
    assert client.seen[-1].outcome is Outcome.ENFORCED
    other = await client.post("/event", data='{"n": "party"}', headers={"Sec-GPC": "1"})
    assert (await other.json())["body"] == '{"n": "party"}'


async def test_the_fourth_door_lets_no_file_go_round_it(client: Any) -> None:
    assert await (await client.get("/file")).text() == PAGE
    refused = await client.get("/file", headers={"Sec-GPC": "1"})
    assert refused.status == 503 and "ads.test" not in await refused.text()


async def test_the_fourth_door_serves_the_gates_own_pages(client: Any) -> None:
    answer = await client.get("/_optout/s/generic.js")
    assert answer.status == 200 and answer.content_type == "text/javascript"

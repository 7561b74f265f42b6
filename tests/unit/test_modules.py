"""Which names a statement imports, and the module that has just these."""

import pytest

from optout_gate.pages.app import OwnPages
from optout_gate.rewrite import modules
from support.asgi_call import ask
from support.gates import gate_of_tests

TESTS = [
    pytest.param('import x from "U"', "default", id="default"),
    pytest.param('import "U"', "default", id="for-its-effects"),
    pytest.param('import x, {a as b, c} from "U"', "default a c", id="default-and-names"),
    pytest.param('import{a as b,c}from"U"', "default a c", id="minified"),
    pytest.param('import{default as e,$x}from "U"', "default $x", id="default-by-name"),
    pytest.param('import * as n from "U"; n.go(1); n\n.stop(); an.other()', "default go stop", id="namespace"),
    pytest.param('import/*c*/{a}/*d*/from "U"', "default a", id="comments"),
    pytest.param('import R from "react";\nimport {b} from "U"', "default b", id="one-of-several"),
    pytest.param('export const z = 1\nimport y from "U"', "default", id="behind-an-export"),
    pytest.param('export {a as b} from "U"', "default a", id="exported-again"),
    pytest.param('export * from "U"', "default", id="all-exported-again"),
    pytest.param('const {a, b: c, d = 1} = await import("U")', "default a b d", id="awaited-names"),
    pytest.param('const m = await import("U"); m.x()', "default x", id="awaited-namespace"),
    pytest.param('import("U").then(({p, default: q}) => p())', "default p", id="then-names"),
    pytest.param(
        'import(/* webpackIgnore: true */ "U").then(function (m) { m.k() })', "default k", id="then-namespace"
    ),
    pytest.param('import * as n from "U"; n.then(1)', "default", id="a-then-would-be-waited-for"),
    pytest.param('fetch("U")', None, id="a-call"),
    pytest.param('loader.import("U")', None, id="a-method"),
    pytest.param('const s = "import x from"; load("U")', None, id="words-in-a-string"),
]


@pytest.mark.parametrize(("script", "names"), TESTS)
def test_the_names_that_a_statement_imports_are_found(script: str, names: str | None) -> None:
    quote = script.index('"U"')
    found = modules.imported(script, quote, quote + 3)
    assert (" ".join(found) if found is not None else None) == names


async def test_a_module_is_kept_for_good_under_its_version_and_nothing_but_names_is_put_into_it() -> None:
    app = OwnPages(gate_of_tests)
    answer = await ask(app, modules.address(("default", "track", "$x")))
    assert answer.lines(b"content-type") == ["text/javascript; charset=utf-8"]
    assert "immutable" in answer.lines(b"cache-control")[0]
    assert answer.body.endswith(b"export { nothing as default, nothing as track, nothing as $x };\n")
    assert "immutable" not in (await ask(app, "/_optout/m/older/default.js")).lines(b"cache-control")[0]
    for wrong in ("a b", "a;b", "a-b", "a..b", "1a", '"', ".".join(["a"] * 65)):
        assert (await ask(app, f"/_optout/m/{modules.VERSION}/{wrong}.js")).status == 404

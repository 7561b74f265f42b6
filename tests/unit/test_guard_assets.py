"""The guard as bytes: safe wherever it is put, and the same bytes for the same decision."""

import json
import re
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest

from optout_gate.rewrite.guard import GuardConfig, denied_modules, source, version, worker_prologue

CONF = GuardConfig(
    hosts=("hotjar.com", "tracker.*", "connect.facebook.net"),
    patterns=(("facebook.com", "/tr"), ("www.example.com", "/a,b;c")),
    cookies=("_ga*", "_fbp"),
    storage=("_hj*",),
    exceptions=("maps.hotjar.com", "facebook.com/trip"),
)
JAVASCRIPT = files("optout_gate.browser").joinpath("guard.js").read_text("utf-8")


def configuration(script: bytes) -> dict[str, Any]:
    loaded = json.loads(script[script.rindex(b"(self,") + len(b"(self,") : -2])
    assert isinstance(loaded, dict)
    return loaded


def test_names_are_hashes_and_rules_stand_by_host_with_exceptions_before_what_they_except() -> None:
    conf = configuration(source(CONF))
    assert len(conf["t"]) == 3 * (8 + 8)  # rows of three hosts, a rule, its host, two cookies, a key, and eight more
    assert (conf["l"], conf["w"]) == ("4", 2)
    assert conf["p"] == " facebook.com !/trip /tr maps.hotjar.com !/ "
    assert b"hotjar.com" not in source(CONF).replace(b"maps.hotjar.com", b"")


def test_equal_decisions_are_equal_bytes() -> None:
    other = replace(CONF, hosts=tuple(reversed(CONF.hosts)), cookies=tuple(reversed(CONF.cookies)))
    assert source(other) == source(CONF)
    assert version(other) == version(CONF)


@pytest.mark.parametrize(
    "change",
    [{"hosts": ("a.example",)}, {"strict": True}, {"gpc": False}, {"sample_rate": 0.5}],
    ids=lambda c: next(iter(c)),
)
def test_the_version_changes_with_the_decision(change: dict[str, object]) -> None:
    assert version(replace(CONF, **change)) != version(CONF)  # type: ignore[arg-type]


def test_the_script_is_safe_inside_html() -> None:
    hostile = GuardConfig(patterns=(("a.example", "/</script><!--\u2028"),), report_path="/</script>")
    for script in (source(CONF), source(hostile)):
        assert script.isascii()
        assert b"</script" not in script.lower()
        assert b"<!--" not in script.split(b"(self,")[-1]
        assert b"<script" not in script.split(b"(self,")[-1]
    assert configuration(source(hostile))["p"] == " a.example /</script><!--\u2028 "


def test_the_script_cannot_turn_into_html_comment_and_script_state() -> None:
    # "<!--" followed by "<script" makes a later "</script>" invisible to the HTML parser.
    assert not re.search(rb"<!--.*<script", source(CONF), re.DOTALL | re.IGNORECASE)


def test_a_worker_keeps_its_line_numbers() -> None:
    assert b"\n" not in worker_prologue(CONF)


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        pytest.param(b"'use strict'; let a", True, id="first"),
        pytest.param(b'// licence\n/* more\n */ "use strict"', True, id="behind-comments"),
        pytest.param(b"\xef\xbb\xbf'use strict'", True, id="behind-a-byte-order-mark"),
        pytest.param(b"let a; 'use strict'", False, id="not-first"),
        pytest.param(b"// 'use strict'", False, id="in-a-comment"),
        pytest.param(b"", False, id="nothing-known"),
    ],
)
def test_a_worker_in_strict_mode_stays_in_it(head: bytes, kept: bool) -> None:
    assert worker_prologue(CONF, head).startswith(b'"use strict";') is kept


def test_modules_are_denied_by_a_script_of_their_own_that_is_safe_in_html() -> None:
    script = denied_modules(["a.example", "b.example"], 1)
    assert script.endswith(b'(Symbol.for("optout-gate"),["a.example","b.example"],1);')
    assert b"<" not in denied_modules(["</script>"], 1)


def test_what_would_tear_the_list_of_rules_is_refused() -> None:
    for pattern in (("a.example", "/x y"), ("a.example", "x")):
        with pytest.raises(ValueError, match="not a host and a path"):
            GuardConfig(patterns=(pattern,))


@pytest.mark.parametrize(
    ("rule", "broken_by"),
    [
        pytest.param("a comment has its line to itself", r"(?:^|[;{},)])\s*//\s", id="comments"),
        pytest.param("no block comments", r"/\*\s", id="block-comments"),
        pytest.param("no template literals", "`", id="templates"),
        pytest.param("a statement ends in ';' or a brace", r"(?:\)|['\w\]])$", id="ends"),
        pytest.param("ASCII only", r"[^\x00-\x7f]", id="ascii"),
    ],
)
def test_the_source_keeps_the_rules_that_let_it_stand_on_one_line(rule: str, broken_by: str) -> None:
    lines = [line for line in JAVASCRIPT.splitlines() if line.strip() and not line.strip().startswith("//")]
    goes_on = re.compile(r"\s*[?:.&|+\])}]")  # an expression in the next line, or the end of a block or list
    breaking = [
        line
        for line, after in zip(lines, [*lines[1:], "}"], strict=True)
        if re.search(broken_by, line) and not goes_on.match(after)
    ]
    assert breaking == [], rule

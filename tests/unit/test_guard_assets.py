"""The guard as bytes: safe wherever it is put, and the same bytes for the same decision."""

import json
import re
from dataclasses import replace
from importlib.resources import files

import pytest

from optout_gate.rewrite.guard import GuardConfig, import_map, source, version, worker_prologue

CONF = GuardConfig(
    hosts=("hotjar.com", "tracker.*", "connect.facebook.net"),
    patterns=(("facebook.com", "/tr"), ("www.example.com", "/a,b;c")),
    cookies=("_ga*", "_fbp"),
    storage=("_hj*",),
    vendors={
        "hotjar.com": "hotjar",
        "connect.facebook.net": "meta-pixel",
        "facebook.com/tr": "meta-pixel",
        "_fbp": "meta-pixel",
    },
    surrogates={"meta-pixel": "fbevents"},
)
JAVASCRIPT = files("optout_gate.browser").joinpath("guard.js").read_text("utf-8")


def configuration(script: bytes) -> dict[str, object]:
    loaded = json.loads(script[script.rindex(b"(self,") + len(b"(self,") : -2])
    assert isinstance(loaded, dict)
    return loaded


def test_hosts_are_grouped_by_vendor_and_path_rules_are_held_apart() -> None:
    conf = configuration(source(CONF))
    assert conf["h"] == "hotjar:hotjar.com;meta-pixel:connect.facebook.net;unknown:tracker.*"
    assert conf["p"] == [["meta-pixel", "facebook.com/tr"], ["unknown", "www.example.com/a,b;c"]]
    assert conf["c"] == "meta-pixel:_fbp;unknown:_ga*"
    assert conf["s"] == {"meta-pixel": "fbevents"}


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
    assert configuration(source(hostile))["p"] == [["unknown", "a.example/</script><!--\u2028"]]


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


def test_the_import_map_fails_whole_hosts_and_leaves_out_what_it_cannot_say() -> None:
    assert json.loads(import_map(CONF.hosts)) == {
        "imports": {"https://hotjar.com/": None, "https://connect.facebook.net/": None}
    }
    assert json.loads(import_map(["a.example"], ("http", "https"))) == {
        "imports": {"http://a.example/": None, "https://a.example/": None}
    }


def test_what_would_tear_the_tables_is_refused() -> None:
    with pytest.raises(ValueError, match="cut at"):
        GuardConfig(hosts=("a.example;b.example",))
    with pytest.raises(ValueError, match="not an id"):
        GuardConfig(vendors={"a.example": "A vendor"})


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

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from optout_gate.gate import Gate
from optout_gate.rewrite import surrogates
from optout_gate.trackers import catalog
from support.gates import OPTED_OUT, drive, gate, request
from support.surrogate_cases import Case, read_cases, table

ROOT = Path(__file__).parents[2]
NAMES = [
    "ab-tasty",
    "adobe-alloy",
    "adobe-analytics",
    "adobe-launch",
    "adobe-target",
    "adsense",
    "amazon-apstag",
    "amplitude",
    "braze",
    "chartbeat",
    "clarity",
    "comscore",
    "contentsquare",
    "criteo",
    "drift",
    "facebook-sdk",
    "fullstory",
    "generic",
    "google-analytics",
    "google-ima",
    "google-optimize",
    "google-publisher-tag",
    "google-tag",
    "google-tag-manager",
    "heap",
    "hotjar",
    "hubspot",
    "intercom",
    "klaviyo",
    "linkedin-insight",
    "logrocket",
    "marketo",
    "matomo",
    "meta-pixel",
    "microsoft-uet",
    "mixpanel",
    "mouseflow",
    "nielsen",
    "optimizely",
    "outbrain",
    "pinterest-tag",
    "posthog",
    "prebid",
    "qualtrics",
    "quantcast",
    "quantum-metric",
    "reddit-pixel",
    "segment",
    "snap-pixel",
    "tealium",
    "tiktok-pixel",
    "trade-desk",
    "twitter-widgets",
    "vwo",
    "x-pixel",
]

_TOKEN = re.compile(
    r"""
      (?P<comment> //[^\n]* | /\*.*?\*/ )
    | (?P<string> '(?:\\.|[^'\\\n])*' | "(?:\\.|[^"\\\n])*" )
    | (?P<template> ` )
    | (?P<number> (?:0[xX][0-9a-fA-F]+ | \d+(?:\.\d*)?(?:[eE][+-]?\d+)? | \.\d+) )
    | (?P<word> [A-Za-z_$][\w$]* )
    | (?P<space> \s+ )
    | (?P<sign> => | \.\.\. | \*\* | \?\. | \?\? | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_REGEX = re.compile(r"/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\[\n])+/([a-z]*)")
# What may stand before a regular expression and not before a division.
_BEFORE_REGEX = {"(", ",", "=", ":", "[", "!", "&", "|", "?", "{", "}", ";", "return", "typeof", ""}


def tokens(source: str) -> Iterator[tuple[str, str]]:
    """Yield kind and text of every token that is not a space or a comment."""
    place, last = 0, ""
    while place < len(source):
        if source[place] == "/" and last in _BEFORE_REGEX and (regex := _REGEX.match(source, place)):
            kind, text, place = "regex", regex[0], regex.end()
        else:
            token = _TOKEN.match(source, place)
            assert token is not None and token.lastgroup is not None
            kind, text, place = token.lastgroup, token[0], token.end()
        if kind not in {"space", "comment"}:
            last = text
            yield kind, text


def es6(source: str) -> list[str]:
    """Return what a browser that knows ES5 and no more could not parse."""
    found = [text for kind, text in tokens(source) if text in {"=>", "...", "**", "?.", "??"} and kind == "sign"]
    found += [text for kind, text in tokens(source) if kind == "template"]
    found += re.findall(r"\b(?:let|const|class|async|await|yield|import|export|super)\b", code(source))
    found += [text for kind, text in tokens(source) if kind == "regex" and not re.search(r"/[gim]*$", text)]
    found += re.findall(r"\(\?<", source)  # lookbehind and named groups
    found += re.findall(r"function\s*\w*\s*\([^)]*=", code(source))  # default parameters
    found += re.findall(r",\s*\)", code(source))  # trailing comma in a call
    return found


def code(source: str) -> str:
    """Return the source with strings and regular expressions emptied, and without comments and property names."""
    words = [("''" if kind in {"string", "regex"} else text) for kind, text in tokens(source)]
    return re.sub(r"\. [\w$]+", ".", " ".join(words))


@cache
def gate_of_builtin_vendors() -> Gate:
    return gate(trackers="")


def test_every_surrogate_that_the_catalogue_may_name_is_there() -> None:
    assert surrogates.names() == frozenset(NAMES)


def test_every_surrogate_has_its_case_for_the_browser() -> None:
    assert [case.name for case in read_cases()] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_surrogate_is_small_and_says_first_what_it_stands_in_for(name: str) -> None:
    script = surrogates.read(name)
    assert len(script) < 2048
    assert script.startswith(b"// Stands in for ")
    assert script.endswith(b"\n")
    assert max(map(len, script.splitlines())) <= 130


@pytest.mark.parametrize("name", NAMES)
def test_a_surrogate_is_es5(name: str) -> None:
    assert es6(surrogates.read(name).decode("ascii")) == []


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("f(() => 1)", id="arrow"),
        pytest.param("let a = 1", id="let"),
        pytest.param("var a = `b`", id="template"),
        pytest.param("f(...a)", id="spread"),
        pytest.param("function f(a = 1) {}", id="default"),
        pytest.param("a?.b", id="optional-chaining"),
        pytest.param("/a/y", id="sticky"),
        pytest.param("f(a,)", id="trailing-comma"),
    ],
)
def test_later_syntax_is_recognised(source: str) -> None:
    assert es6(source)


@pytest.mark.parametrize("source", ["'let => `'", "// const `", "a.class = /`=>/g", "a / b / c"])
def test_es5_that_looks_later_is_not(source: str) -> None:
    assert es6(source) == []


# Nothing is sent, stored, or compiled from text.
FORBIDDEN = re.compile(
    r"""\b(?: fetch | XMLHttpRequest | sendBeacon | WebSocket | EventSource | Image | importScripts | eval | Function
        | localStorage | sessionStorage | indexedDB | caches | write | createElement | innerHTML | postMessage )\b
        | \bdocument\s*\.\s*cookie | \bd\.cookie | \.src\s*=[^=] | ['"]script['"] | \bon(?:load|error|click)\b\s*=
        | set(?:Timeout|Interval)\(\s*['"]""",
    re.VERBOSE,
)


@pytest.mark.parametrize("name", NAMES)
def test_a_surrogate_neither_sends_nor_stores_nor_compiles(name: str) -> None:
    script = re.sub(r"^\s*//.*$|\s// .*$", "", surrogates.read(name).decode(), flags=re.MULTILINE)
    assert FORBIDDEN.search(script) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_version_is_fit_for_an_address(name: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{12}", surrogates.version(name))


def test_a_version_changes_with_its_script_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: surrogates.version(name) for name in NAMES}
    scripts = {name: surrogates.read(name) for name in NAMES} | {"hotjar": b"// x\n"}
    monkeypatch.setattr(surrogates, "_scripts", lambda: scripts)
    after = {name: surrogates.version.__wrapped__(name) for name in NAMES}
    assert {name for name in NAMES if before[name] != after[name]} == {"hotjar"}


def test_an_unknown_surrogate_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        surrogates.read("../google-tag")


def test_the_table_in_the_documentation_is_what_the_cases_say() -> None:
    assert table(read_cases()) in (ROOT / "docs" / "surrogates.md").read_text(encoding="utf-8")


BOOTSTRAPS = [pytest.param(case, id=case.name) for case in read_cases() if case.address]


@pytest.mark.parametrize("case", BOOTSTRAPS)
def test_the_gate_makes_of_a_published_bootstrap_what_the_browser_tests_assume(case: Case) -> None:
    exchange = gate_of_builtin_vendors().open(request("/page", OPTED_OUT))
    assert exchange is not None
    _, out = drive(exchange, f"<script>\n{case.bootstrap}\n</script>".encode())
    stand_in = f"/_optout/s/{case.name}.js?v={surrogates.version(case.name)}"
    if case.address[0] in "\"'":  # the script joins a scheme and a host of its own: the site's own host takes its place
        assert f"www.shop.test{stand_in}#" in out.decode()
    else:
        assert case.stand_in(stand_in) in out.decode()
        assert case.address not in out.decode()


def test_every_surrogate_that_the_catalogue_names_exists() -> None:
    named = {vendor.surrogate for vendor in catalog.builtin() if vendor.surrogate}
    assert named <= surrogates.names()
    assert surrogates.names() <= named

r"""Imports of a denied vendor's module, and the module that stands in for it.

A classic stand-in will not do here: ``import posthog from "https://…"`` fails when the module has no export of that name, and
a module with an import that fails never runs, the site's own code in it included. So the importing statement is read
for the names it wants, and the address becomes that of a module that exports just these: ``/_optout/m/VERSION/a.b.js``.
Each is one and the same value, which survives whatever is done with it: called, constructed, read from, awaited,
iterated, it is itself or nothing.

Names that are not in the statement are looked for where they must be: those of ``import * as vendor`` and of
``const vendor = await import(…)`` behind ``vendor.``. What is not found there is ``undefined``.
"""

import hashlib
import re

from optout_gate.rewrite.neutral import PREFIX

MAX_NAMES = 64  # of one statement; a real one has some dozen at most
_MAX_STATEMENT = 2000  # characters between the keyword and the address
_MAX_REQUEST = 4096

_NAME = r"[A-Za-z_$][A-Za-z0-9_$]{0,63}"
_COMMENT = r"/\*(?:[^*]|\*(?!/))*\*/|//[^\n]*\n"
_STATIC = re.compile(
    rf".*(?<![\w$.])(?:import|export)(?![\w$])(?P<clause>[^\"'`;()]*)(?<![\w$])from(?:\s|{_COMMENT})*\Z", re.DOTALL
)
_BARE = re.compile(r"(?<![\w$.])import\s*\Z")
_DYNAMIC = re.compile(r"(?<![\w$.])import\s*\(\s*(?:/\*[^*]*(?:\*(?!/)[^*]*)*\*/\s*)*\Z")
_CLAUSE = re.compile(
    rf"\s*(?P<default>{_NAME})?\s*,?\s*(?:\{{(?P<names>[^{{}}*]*)\}}|\*\s*as\s+(?P<whole>{_NAME})|\*)?\s*\Z"
)
_AWAITED = re.compile(rf"(?:\{{(?P<names>[^{{}}]*)\}}|(?<![\w$.])(?P<whole>{_NAME}))\s*=\s*(?:await\s*)?\Z")
_THEN = re.compile(
    rf"\s*\)\s*\.\s*then\s*\(\s*(?:async\s*)?(?:function\s*)?\(?\s*(?:\{{(?P<names>[^{{}}]*)\}}|(?P<whole>{_NAME}))"
)
_WANTED = re.compile(rf"\A\s*(?P<name>{_NAME})\s*(?:as\b|:|=|\Z)")
_NAMES = re.compile(rf"\A{_NAME}(?:\.{_NAME}){{0,{MAX_NAMES - 1}}}\Z")


def imported(script: str, quote: int, end: int) -> tuple[str, ...] | None:
    """Return the names that a script imports by the address in quotes at ``script[quote:end]``, ``default`` among them.

    None when it is not the address of an import.
    """
    before = script[max(0, quote - _MAX_STATEMENT) : quote]
    if "import" not in before and "export" not in before:
        return None
    names: list[str] = []
    whole: str | None = None
    if (static := _STATIC.match(before)) is not None:
        clause = _CLAUSE.match(re.sub(r"/\*.*?\*/|//[^\n]*", "", static["clause"], flags=re.DOTALL))
        if clause is not None:
            names, whole = _wanted(clause["names"]), clause["whole"]
    elif (dynamic := _DYNAMIC.search(before)) is not None:
        found = _AWAITED.search(before, 0, dynamic.start()) or _THEN.match(script, end)
        if found is not None:
            names, whole = _wanted(found["names"]), found["whole"]
    elif _BARE.search(before) is None:
        return None
    if whole is not None:
        names += re.findall(rf"(?<![\w$.]){re.escape(whole)}\s*\??\.\s*({_NAME})", script)
    # A namespace with a "then" of its own would be waited for, and nothing would ever come.
    return tuple(dict.fromkeys(["default", *(name for name in names if name != "then")]))[:MAX_NAMES]


def _wanted(names: str | None) -> list[str]:
    return [found["name"] for each in (names or "").split(",") if (found := _WANTED.match(each)) is not None]


def address(names: tuple[str, ...]) -> str:
    """Return the path of the module that exports ``names``."""
    return f"{PREFIX}/m/{VERSION}/{'.'.join(names)}.js"


def module(names: str) -> bytes | None:
    """Return the module that exports the names between dots, or None for what :func:`address` never gives."""
    if len(names) > _MAX_REQUEST or _NAMES.match(names) is None:
        return None
    exported = ", ".join(f"nothing as {name}" for name in dict.fromkeys(names.split(".")))
    return f"{_BODY}export {{ {exported} }};\n".encode()


_BODY = """\
// Stands in for a module of a vendor that the visitor opted out of: whatever is done with its exports leads nowhere.
const nothing = new Proxy(function () {}, {
  get(target, key) {
    if (key === Symbol.toPrimitive) return () => '';
    if (key === Symbol.iterator) return function* () {};
    if (key === 'then' || typeof key === 'symbol') return undefined;  // awaited, it is itself
    return key === 'prototype' ? target.prototype : nothing;
  },
  set: () => true,
  apply: () => nothing,
  construct: () => nothing,
});
"""
VERSION = hashlib.sha256(_BODY.encode()).hexdigest()[:12]
"""Changes whenever the module does, so that browsers may keep it for good."""

"""Inline scripts whose loads of denied vendors are made harmless, and whose every other byte runs as before.

A vendor's bootstrap does two things: it defines a queue function that the site's own code calls (``fbq``, ``gtag``,
``hj``), and it loads the vendor's library. Taking the script out breaks the site; so only the load is neutralised: the
address in the script becomes the gate's own stand-in. That needs no understanding of the script, and works alike for a
bootstrap alone and for one in the middle of other code.

What is looked at is text that can only be an address: ``//host`` with or without a scheme (slashes plain or escaped),
and a quoted host alone (``'edge.fullstory.com/s/fs.js'``), as bootstraps write it that put the scheme before it. What
decides is the catalogue's entry for that host and path, never the shape of the code; a script of the application that
names no denied vendor is not changed by a byte. The address of an import becomes that of a module with the exports it asks for
(:mod:`optout_gate.rewrite.modules`). A script that bears a vendor's fingerprint, and in which no denied
address was found, carries a whole agent or loads one from an address that is not in it as text; its content goes.

Data are not scripts: JSON, templates and the state that frameworks print into the page are left alone, also where
a script does no more than assign a JSON value (``window.__STATE__ = {...}``) or push a row of React's, whose bytes are
counted.
"""

import json
import re
from collections.abc import Set
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from optout_gate.policy.decision import Verdict
from optout_gate.rewrite import modules
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.neutral import HOST, PREFIX, stand_in
from optout_gate.trackers.urls import NOWHERE, Base, resolve

MAX_HELD_CHARACTERS = 256 * 1024  # the longest agent that sites put inline is some 60 KB; beyond it: piece by piece
MAX_REMEMBERED_CHARACTERS = 8 * 1024  # a bootstrap is one or two thousand; longer ones would fill the memory
_STAND_IN = f"{PREFIX}/s/"
_MODULE = f"{PREFIX}/m/"
_TAIL = 8 * 1024  # held back at a cut, so that no address is split

# Beyond ASCII, the letters that a host's parsing makes ASCII ones (ı, ſ, İ, the Kelvin sign).
_ALNUM = "A-Za-z0-9\u0130\u0131\u017f\u212a"
_LABEL = rf"[{_ALNUM}]++(?:-++[{_ALNUM}]++)*+"
_HOST = rf"{_LABEL}(?:\.{_LABEL})++"
# It begins with one of four characters, so that all the others cost a comparison; the scheme is looked for backwards.
_ADDRESS = re.compile(
    rf"""
    [/\\"'`](?:
      (?:(?<=/)|(?<=\\)/)\\?/(?P<host>{_HOST})(?P<port>:[0-9]{{1,5}})?
      (?P<path>(?:\\?[/?])[^\s"'`<>\\]*(?:\\/[^\s"'`<>\\]*)*)?
    | (?<=["'`])(?P<dot>\.?)(?P<bare>{_HOST})(?P<rest>/[^\s"'`<>\\]*)?(?=["'`:?\\])
    )
    """,
    re.VERBOSE,
)
_SPECIFIER = re.compile(r"([\"'])([^\s\"'`<>\\]{1,512})\1")
_HAS_PLACE = re.compile(r"[./]|https?:", re.IGNORECASE)  # any other is a name
_SCHEME = re.compile(r"(?:https?|wss?):\Z", re.IGNORECASE)
_BARE_URL = re.compile(r"\bURL\(\s*[\"'`]\Z")
_LONGEST_CALL = 16
_LONGEST_SCHEME = len("https:")
_STATE = re.compile(
    r"""\s*(?:
      (?P<rows>\(?\s*self\.__next_f\b[^\[{"']*(?:\[\]\s*\)\s*)?\.push\()   # React's rows, as Next.js prints them
    | (?:(?:var|let|const)\s+)?[A-Za-z_$][\w$]*(?:\.[\w$]+|\[["'][\w$.-]+["']\])*\s*=(?!=)
    )""",
    re.VERBOSE,
)
_SCRIPT_TYPES = frozenset(
    {
        "", "module", "text/javascript", "application/javascript", "application/ecmascript", "application/x-ecmascript",
        "application/x-javascript", "text/ecmascript", "text/javascript1.0", "text/javascript1.1",
        "text/javascript1.2", "text/javascript1.3", "text/javascript1.4", "text/javascript1.5", "text/jscript",
        "text/livescript", "text/x-ecmascript", "text/x-javascript",
        "text/partytown",  # Partytown runs it in a worker
    }
)  # fmt: skip


def is_script(type_attribute: str | None) -> bool:
    """Return True when a ``script`` element of this type runs (HTML §4.12.1: a JavaScript MIME type, or module)."""
    return type_attribute is None or type_attribute.strip(" \t\n\r\f").lower() in _SCRIPT_TYPES


class InlineScript:
    """Rewrites the text of one inline script, in pieces of any size."""

    def __init__(self, judge: Judge, base: Base, stood_in: Set[str] = frozenset()) -> None:
        """Take who decides, where imports start from, and the names of modules that an import map leads to a stand-in."""
        self._judge = judge
        self._base = base
        self._stood_in = stood_in
        self._held: list[str] = []
        self._size = 0
        self._cut = False  # True once a part has been passed on
        self._rows = False  # True in a row of React's too long to hold

    def feed(self, text: str) -> str:
        """Take the next characters, return those that are final."""
        self._held.append(text)
        self._size += len(text)
        if self._size <= MAX_HELD_CHARACTERS:
            return ""
        whole = "".join(self._held)
        if self._rows or (not self._cut and is_rows(whole)):
            self._rows, out, rest = True, whole, ""
        else:
            end = _safe_cut(whole)
            out, rest = self._neutralised(whole[:end]), whole[end:]
        self._held, self._size, self._cut = [rest], len(rest), True
        return out

    def close(self) -> str:
        """Return what was held back."""
        text = "".join(self._held)
        self._held, self._size = [], 0
        if not text or self._rows:
            return text
        if self._cut:
            return self._neutralised(text)
        return self._whole(text)

    def _whole(self, text: str) -> str:
        if is_data(text):
            return text
        out = self._neutralised(text)
        # Where a load was found, here or by a gate before this one, the rest of the script may stay, and the page's own
        # code with it.
        if _STAND_IN in out or _MODULE in out or HOST in out or (verdict := self._judge.script(text)) is None:
            return out
        self._judge.removals.add("inline_script", verdict, verdict.rule.text)
        return f"/* optout-gate: {verdict.vendor.vendor} */"

    def _neutralised(self, text: str) -> str:
        if self._stood_in or not self._judge.own(self._base.host):
            text = without_denied_imports(text, self._judge, self._base, self._stood_in)
        out: list[str] = []
        done = 0
        for address in _remembered(text) if len(text) <= MAX_REMEMBERED_CHARACTERS else _addresses(text):
            target = resolve(f"//{address.host}{address.path}", self._base)
            verdict = self._judge.mention(target, "script") if target is not None else None
            if verdict is None:
                continue
            self._judge.removals.add("inline_script", verdict, address.host + address.path)
            # What follows in the script is glued to this. Behind a "#" it stays in the browser, where the stand-in reads
            # the account number from it, and one cached script serves them all.
            # The URL constructor throws at a path alone.
            bare = _BARE_URL.search(text, max(0, address.start - _LONGEST_CALL), address.start) is not None
            origin = self._judge.origin_for(NOWHERE if bare else self._base)
            instead = f"{stand_in(verdict, origin)}#"
            if address.form is _Form.WHOLE and (names := _imported(text, address)) is not None:
                instead = f"{origin}{modules.address(names)}#"
            elif address.form is _Form.JOINED:
                instead = f"{self._judge.authority}{stand_in(verdict)}#"  # the script puts the scheme before it
            elif address.form is not _Form.WHOLE:
                instead = HOST
            harmless = f"{address.before}{instead}{address.after}"
            out += (text[done : address.start], harmless)
            done = address.end
        if not out:
            return text
        out.append(text[done:])
        return "".join(out)


def without_denied_imports(
    text: str, judge: Judge, base: Base, stood_in: Set[str] = frozenset(), end: int | None = None
) -> str:
    """Return a script whose imports of denied modules lead to one with the exports they ask for.

    ``stood_in`` are the names that the page's import map leads to a stand-in. Relative ones lead where ``base`` does.
    From ``end`` on, nothing is changed.
    """

    def instead(match: re.Match[str]) -> str:
        name = match[2]
        verdict: Verdict | None = None
        if not _is_among(stood_in, name):
            target = resolve(name, base) if _HAS_PLACE.match(name) is not None else None
            verdict = judge.mention(target, "script") if target is not None else None
            if verdict is None:
                return match.group()
        names = modules.imported(text, match.start(), match.end())
        if names is None:
            return match.group()
        if verdict is not None:
            judge.removals.add("inline_script", verdict, name)
        return f"{match[1]}{judge.origin_for(base)}{modules.address(names)}#{match[1]}"

    return _SPECIFIER.sub(instead, text[:end]) + ("" if end is None else text[end:])


def _is_among(names: Set[str], name: str) -> bool:
    return name in names or any(each.endswith("/") and name.startswith(each) for each in names)


class _Form(Enum):
    """How a script writes an address, which decides what can stand in its place."""

    WHOLE = "whole"  # ``https://host/path``, ``//host/path``: a stand-in's path
    JOINED = "joined"  # ``'host/path'``, after a scheme that the script adds: the site's own host and the path
    ENDING = "ending"  # ``'.host/path'``, after half a name: a host that never resolves
    SOCKET = "socket"  # ``wss://host``: the same


class _Address(NamedTuple):
    """Text in a script that can only be an address.

    Attributes:
        start: where it begins, its scheme or quote included.
        end: where it ends.
        host: as written.
        path: path and query as the script's reader sees them, ``/`` where there are none.
        form: how it is written.
        before: what stays before it.
        after: path and query as written.
    """

    start: int
    end: int
    host: str
    path: str
    form: _Form
    before: str
    after: str


def _addresses(text: str) -> tuple[_Address, ...]:
    """Return every address in a script, in order."""
    found: list[_Address] = []
    behind = 0  # where the address before ended
    for match in _ADDRESS.finditer(text):
        start, end = match.span()
        after = match["path"] or match["rest"] or ""
        form, before = _Form.WHOLE, ""
        if match["bare"] is not None:
            form, before = (_Form.ENDING if match["dot"] else _Form.JOINED), text[start] + match["dot"]
        elif (scheme := _SCHEME.search(text, max(behind, start - _LONGEST_SCHEME), start)) is not None:
            start = scheme.start()
            if scheme.group().lower().startswith("ws"):
                form, before = _Form.SOCKET, text[start : match.start("host")]
        path = (after or "/").replace("\\", "")
        found.append(_Address(start, end, match["host"] or match["bare"], path, form, before, after))
        behind = end
    return tuple(found)


# Where the addresses are depends on the text alone, and a site's bootstraps are the same on every page.
_remembered = lru_cache(maxsize=512)(_addresses)


def _imported(text: str, address: _Address) -> tuple[str, ...] | None:
    """Return the names that are imported by an address, or None where it is not a module's."""
    quote = address.start - 1
    if text[quote : quote + 1] not in ('"', "'", "`") or text[address.end : address.end + 1] != text[quote]:
        return None
    return modules.imported(text, quote, address.end + 1)


def is_data(script: str) -> bool:
    """Return True when all that a script does is to assign, or push as a row, one JSON value."""
    start = _STATE.match(script)
    if start is None:
        return False
    value = script[start.end() :].strip().removesuffix(";").rstrip()
    if start["rows"]:
        value = value.removesuffix(")")
    if value[:1] not in ("{", "[", '"'):
        return False
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return False
    return True


def is_rows(script: str) -> bool:
    """Return True when a script begins as a row of React's does."""
    start = _STATE.match(script)
    return start is not None and start["rows"] is not None


def _safe_cut(text: str) -> int:
    """Return where ``text`` can be cut without splitting an address: behind the last blank or quote of the body."""
    body = text[: len(text) - _TAIL]
    end = max(body.rfind(character) for character in " \n;\"'")
    return end + 1 if end > 0 else len(body)

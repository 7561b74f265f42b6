"""CSS with the denied references taken out: ``url()``, ``@import``, ``image-set()``, ``@font-face`` sources.

A tokenizer in the small (CSS Syntax 3 §4.3): comments are passed over, strings and ``url(`` tokens are read with their
escapes, everything else is not looked at. A denied address becomes ``about:invalid`` in place, which fails as a
missing resource does; nothing is parsed and printed, so every other byte stays.

A sheet is cut for streaming behind a ``;``, ``{`` or ``}`` that stands outside every token: no statement that could
hold a reference is ever split.
"""

import re

from optout_gate.errors import Failure, RewriteError
from optout_gate.rewrite import data_urls
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.neutral import CSS_URL
from optout_gate.trackers.urls import NOWHERE, Base

_MAX_DEPTH = 4  # of sheets in the addresses of sheets
MAX_HELD_CHARACTERS = 4 * 1024 * 1024  # of one statement; inlined fonts and images are long

_STRING = r"\"(?:[^\"\\\n\r\f]|\\(?s:.))*\"|'(?:[^'\\\n\r\f]|\\(?s:.))*'"


def _letters(name: str) -> str:
    """Return a pattern for a name as an identifier may spell it, escapes included (CSS Syntax 3 §4.3.7)."""
    found = []
    for letter in name:
        codes = "|".join(f"{ord(each):x}" for each in {letter: None, letter.upper(): None})
        plain = re.escape(letter) if letter in "abcdef" else rf"\\?{re.escape(letter)}"  # "\a" is a character's number
        found.append(rf"(?:{plain}|\\0{{0,4}}(?:{codes})\s?)")
    return "".join(found)


def _tokens(url: str, statement: str, function: str) -> re.Pattern[str]:
    return re.compile(
        rf"""
        (?P<comment>/\*.*?\*/)
      | (?P<url>{url}\(\s*)
        (?: (?P<quoted>{_STRING}) | (?P<bare>(?:[^"'()\\\s]|\\[0-9a-f]{{1,6}}\s?|\\(?s:.))+) )
      | (?P<statement>{statement})
      | (?P<function>{function}\()
      | (?P<string>{_STRING})
      | (?P<end>[;{{}}])
      | (?P<bad>["'][^"'\n\r\f]*[\n\r\f])   # a newline ends a string that was never closed (§4.3.5)
      | (?P<open>/\*|["'])
        """,
        re.IGNORECASE | re.DOTALL | re.VERBOSE,
    )


_TOKEN = _tokens("url", "@import", "image-set")
_ESCAPED_TOKEN = _tokens(_letters("url"), f"@{_letters('import')}", _letters("image-set"))
"""For a sheet with a backslash in it: any name may be written with escapes there."""
_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[ \t\n\r\f])?|(\r\n|[\n\r\f])|(.))", re.DOTALL)
_ADDRESS = re.compile(r"\s*(?:https?:|[\\/]{2})", re.IGNORECASE)
_PROPERTY = re.compile(r"--[^;{}:]*:[^;{}]*\Z")


class CssRewriter:
    """Rewrites one style sheet, in pieces of any size."""

    def __init__(self, judge: Judge, base: Base, *, depth: int = 0) -> None:
        self._judge = judge
        self._base = base
        self._depth = depth
        self._held = ""

    def feed(self, text: str) -> str:
        """Take the next characters, return those that are final.

        Raises:
            RewriteError: a statement is longer than the gate holds.
        """
        self._held += text
        if not any(end in text for end in ";{}"):
            out = ""
        else:
            out, done = self._rewritten(self._held, whole=False)
            self._held = self._held[done:]
        if len(self._held) > MAX_HELD_CHARACTERS:
            raise RewriteError(Failure.OVERSIZE, f"a CSS statement is longer than {MAX_HELD_CHARACTERS:,} characters")
        return out

    def close(self) -> str:
        """Return what was held back."""
        out, _ = self._rewritten(self._held, whole=True)
        self._held = ""
        return out

    def _rewritten(self, text: str, *, whole: bool) -> tuple[str, int]:
        """Return ``text`` rewritten up to its last whole statement (or its end), and how much of it that was."""
        found: list[re.Match[str]] = []
        end = 0
        takes_addresses = False  # within `@import` and `image-set()`, where a string is an address
        for match in (_TOKEN if "\\" not in text else _ESCAPED_TOKEN).finditer(text):
            kind = match.lastgroup
            if kind == "end":
                end = match.end()
                takes_addresses = False
            elif kind == "open":
                if not whole:
                    break
                if takes_addresses and match[0] != "/*":  # the end of a sheet closes a string
                    found.append(match)
                    break
            elif kind in ("statement", "function"):
                takes_addresses = True
            elif kind in ("quoted", "bare") or (
                kind == "string" and (takes_addresses or self._is_kept_for_later(match, text, end))
            ):
                found.append(match)
        out: list[str] = []
        if whole:
            end = len(text)
        done = 0
        for match in found:
            if match.start() >= end:
                break  # it is looked at, and counted, when all of its statement is there
            for start, stop, replacement in self._edit(match, text):
                out += (text[done:start], replacement)
                done = stop
        out.append(text[done:end])
        return "".join(out), end

    @staticmethod
    def _is_kept_for_later(match: re.Match[str], text: str, statement: int) -> bool:
        """Return True for an address in a custom property, which ``image-set(var(--name))`` may fetch elsewhere."""
        return (
            _ADDRESS.match(text, match.start() + 1) is not None
            and _PROPERTY.search(text, statement, match.start()) is not None
        )

    def _edit(self, match: re.Match[str], text: str) -> list[tuple[int, int, str]]:
        kind = match.lastgroup or ""
        start, stop = match.span(kind)
        if kind == "open":
            stop = len(text)
        quote = "" if kind == "bare" else text[start]
        address = text[start:stop]
        if quote:
            address = address[1:].removesuffix(quote) if kind != "open" else address[1:]
        if "\\" in address:
            address = _ESCAPE.sub(_unescaped, address)
        verdict = self._judge.reference(address, self._base, "image")
        if verdict is None:
            return self._sheet(start, stop, address) if data_urls.is_data(address) else []
        self._judge.removals.add("style", verdict, address)
        return [(start, stop, f"{quote}{CSS_URL}{quote}")]

    def _sheet(self, start: int, stop: int, address: str) -> list[tuple[int, int, str]]:
        """Rewrite a style sheet that stands in the address of an ``@import``."""
        held = data_urls.opened(address)
        if held is None or held.kind != data_urls.SHEET or self._depth >= _MAX_DEPTH:
            return []
        inner = CssRewriter(self._judge, NOWHERE, depth=self._depth + 1)
        rewritten = inner.feed(held.text) + inner.close()
        if rewritten == held.text:
            return []
        return [(start, stop, f'"{held.holding(rewritten)}"')]


# What references to another host than the base's have in them, as an attribute's raw value: two slashes, an escape, a
# character reference, a blank that browsers leave out, or a scheme's end (a property's name may end so too).
_MAY_LEAVE = re.compile(r"//|[\\&\t\n\r\f]|[pPsS]:")


def may_leave(raw: str) -> bool:
    """Return True unless nothing in the raw value of a ``style`` attribute leads to another host than its base's."""
    return _MAY_LEAVE.search(raw) is not None


def rewrite_css(text: str, judge: Judge, base: Base) -> str:
    """Return a whole style sheet, or the value of a ``style`` attribute, without its denied references."""
    if "(" not in text and "@" not in text:
        return text
    rewriter = CssRewriter(judge, base)
    return rewriter.feed(text) + rewriter.close()


def _unescaped(match: re.Match[str]) -> str:
    digits, newline, character = match.groups()
    if digits:
        code = int(digits, 16)
        return chr(code) if 0 < code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else "\ufffd"
    return "" if newline else character or ""

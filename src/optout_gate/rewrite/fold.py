"""JavaScript of ours on one line, without comments and needless spaces, its local names shortened.

Why shorten at all: a visitor pays for every byte of the guard, and blank frames and workers carry its text again. It is a
fold and not a compiler: statement for statement, what stands in the repository is what runs. It knows ``var``, ``function``,
accessors and ``catch``, and no more of the language: the source keeps to a few rules, which its own head lists.

Names are shortened scope by scope, in the order in which they are declared, and the outermost function leaves the first
letters alone: so most functions call their arguments ``a, b, c``, and what they say alike looks alike, which is what
compresses. A name that no scope declares is the browser's, and stays.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from string import ascii_letters, ascii_lowercase

_TOKENS = re.compile(
    r"""(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
    # A slash after an operator or an opening bracket begins a regular expression, elsewhere it divides.
    r"""|(?P<regex>(?<=[(\[!,=:?&|] )/(?:[^/\\\[]|\\.|\[(?:[^\]\\]|\\.)*\])+/[a-z]*|(?<=[(\[!])/(?:[^/\\\[]|\\.|\[(?:[^\]\\]|\\.)*\])+/[a-z]*)"""
    r"""|(?P<member>\.\s?[A-Za-z_$][\w$]*|(?:[gs]et\s)?[A-Za-z_$][\w$]*(?=:)|(?:get|set)\s[A-Za-z_$][\w$]*(?=\()|\d[\w.]*)"""
    r"""|(?P<name>[A-Za-z_$][\w$]*)"""
    r"""|(?P<space>\s+)"""
    r"""|(?P<other>.)""",
    re.DOTALL,
)
_WORDS = frozenset(
    [
        "arguments",
        "break",
        "case",
        "catch",
        "continue",
        "default",
        "delete",
        "do",
        "else",
        "false",
        "finally",
        "for",
        "function",
        "if",
        "in",
        "instanceof",
        "new",
        "null",
        "return",
        "switch",
        "this",
        "throw",
        "true",
        "try",
        "typeof",
        "var",
        "void",
        "while",
        "as",
        "is",
        "of",
    ]
)
_ARGUMENTS = 3
"""Letters that the outermost function leaves to the arguments of those in it: most of them take three."""
_PAIRS = [name for pair in product(ascii_lowercase, repeat=2) if (name := "".join(pair)) not in _WORDS]
"""Names of two letters: more than the guard needs, of few letters, which compresses."""


@dataclass(eq=False, slots=True)
class _Scope:
    """One function: what it declares, and every name that it or a function in it uses."""

    outer: "_Scope | None" = None
    declared: dict[str, None] = field(default_factory=dict)
    uses: Counter[str] = field(default_factory=Counter)
    short: dict[str, str] = field(default_factory=dict)
    inner: list["_Scope"] = field(default_factory=list)

    def called(self, name: str) -> str:
        """Return what ``name`` is called where it is used in this scope."""
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.declared:
                return scope.short[name]
            scope = scope.outer
        return name

    def use(self, name: str) -> None:
        """Count a use, in every scope up to the one that declares the name; all are known by then."""
        scope: _Scope | None = self
        while scope is not None:
            scope.uses[name] += 1
            scope = scope.outer if name not in scope.declared else None

    def shorten(self, reserved: int = 0) -> None:
        """Give what is declared here its short forms, one letter to what is used most, and then in the functions inside."""
        outside = {self.called(name) for name in self.uses if name not in self.declared}
        letters = [letter for letter in ascii_letters[reserved:] if letter not in outside]
        pairs = (name for name in _PAIRS if name not in outside)
        often = set(sorted(self.declared, key=lambda name: -self.uses[name])[: len(letters)])
        singles = iter(letters)
        for name in self.declared:
            self.short[name] = next(singles if name in often else pairs)
        for scope in self.inner:
            scope.shorten()


Token = tuple[str, str]


def fold(source: str, keep: str) -> str:
    """Return ``source``, one function expression in brackets, on one line; ``keep`` is the name of it that stays."""
    lines = (line.strip() for line in source.splitlines())
    code = " ".join(line for line in lines if line and not line.startswith("//"))
    tokens = [(match.lastgroup or "", match[0]) for match in _TOKENS.finditer(code)]
    root = _Scope()
    scopes = _scopes(tokens, root, keep)
    own = [kind == "name" and text not in _WORDS for kind, text in tokens]
    for (_, text), scope, counts in zip(tokens, scopes, own, strict=True):
        if counts:
            scope.use(text)
    for outermost in root.inner:
        outermost.shorten(reserved=_ARGUMENTS)
    called = [
        scope.called(text) if counts else text for (_, text), scope, counts in zip(tokens, scopes, own, strict=True)
    ]
    folded: list[str] = []
    for ((kind, _), text), after in zip(zip(tokens, called, strict=True), [*called[1:], ";"], strict=True):
        if kind != "space":
            if text == "}" and folded[-1] == ";":
                folded.pop()  # the last statement of a block needs none
            folded.append(text)
        # A space counts between two words, and between two signs that would make one operator.
        elif re.fullmatch(r"[\w$]{2}", between := folded[-1][-1] + after[0]) or between in ("++", "--"):
            folded.append(" ")
    return "".join(folded)


def _scopes(tokens: list[Token], root: _Scope, keep: str) -> list[_Scope]:
    """Return the scope that each token stands in, with everything declared in it but ``keep``, which stays as it is."""
    here, depth = root, 0
    ends: list[int] = []  # depth of braces at which each function around us ends
    found: list[_Scope] = []
    opening = False  # between a function's name and its body
    for at, (kind, text) in enumerate(tokens):
        if text == "function" or (kind == "member" and re.match(r"[gs]et\s", text)):
            name, inner = _after(tokens, at), _Scope(here)
            if text == "function" and name not in ("(", keep):
                here.declared[name] = None
            here.inner.append(inner)
            found.append(here)
            here, opening = inner, True
            continue
        if text == "{":
            depth += 1
            if opening:
                ends.append(depth)
                opening = False
        elif text == "var":
            here.declared.update(dict.fromkeys(_declared(tokens, at)))
        elif text == "catch":
            here.declared[_after(tokens, at, 2)] = None
        elif opening and kind == "name":
            if "function" in (tokens[at - 1][1], tokens[at - 2][1]):  # its name, which is declared outside
                assert here.outer is not None
                found.append(here.outer)
                continue
            here.declared[text] = None
        found.append(here)
        if text == "}":
            if ends and ends[-1] == depth:
                ends.pop()
                assert here.outer is not None
                here = here.outer
            depth -= 1
    return found


def _after(tokens: list[Token], at: int, nth: int = 1) -> str:
    """Return the ``nth`` token behind one, spaces not counted."""
    return [text for kind, text in tokens[at + 1 : at + 2 * nth + 1] if kind != "space"][nth - 1]


def _declared(tokens: list[Token], at: int) -> Iterator[str]:
    """Yield what the ``var`` at a place declares."""
    yield _after(tokens, at)
    depth = 0
    for place in range(at + 1, len(tokens)):
        text = tokens[place][1]
        depth += (text in "([{") - (text in ")]}")
        if depth < 0 or (depth == 0 and text == ";"):
            return
        if depth == 0 and text == ",":
            yield _after(tokens, place)

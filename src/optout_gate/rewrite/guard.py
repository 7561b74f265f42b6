"""The guard as bytes: the script of ``browser/guard.js`` with one decision written into it.

The guard is the same function in four places (a document, a worker, a ``srcdoc`` or ``blob:`` document, a window
that a script opened), and the last two are made in the browser by writing the function's own text in front of what
the page made. So it has to survive on one line, inside HTML and inside a string: the source
keeps to a few rules (its own head lists them), and :mod:`optout_gate.rewrite.fold` makes one line of it.

The configuration travels as JSON in which every ``<`` is escaped, so that neither ``</script`` nor ``<!--`` can
occur, and everything beyond ASCII, so that U+2028 cannot end a line.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files

from optout_gate.rewrite.fold import fold
from optout_gate.rewrite.hashed import hashed

UNKNOWN_VENDOR = "unknown"
"""What the guard says of what it stopped without knowing where it led."""

_COMPILE_ALL = b"//# allFunctionsCalledOnLoad\n"
"""Has Chromium 136 and later compile all of it while it comes in, off the main thread, instead of function by function in
front of the page's first script (https://v8.dev/blog/explicit-compile-hints); to all others a comment."""
_EXACT = re.compile(r"/[^*]{,61}[A-Za-z0-9]\Z", re.DOTALL)
"""Paths that the guard finds by asking for each beginning of an address that ends on a boundary, up to 63 characters."""
_USE_STRICT = re.compile(rb"""(?:\xef\xbb\xbf)?(?:\s|//[^\n]*\n|/\*.*?\*/)*(["'])use strict\1""", re.DOTALL)
"""A directive prologue. Anything but white space and comments in front of it makes it an ordinary string."""


@dataclass(frozen=True, slots=True)
class GuardConfig:
    """What one guard denies: the browser's half of a decision."""

    hosts: tuple[str, ...] = ()
    """Denied whole, with every subdomain; ``name.*`` is the name under any public suffix."""
    patterns: tuple[tuple[str, str], ...] = ()
    """Host and path of rules on hosts that also serve other things; the path may hold ``*``, and ends on a
    boundary. Held apart from :attr:`hosts`: the import map, for one, takes only whole hosts."""
    exceptions: tuple[str, ...] = ()
    """Hosts (with their subdomains) and ``host/path`` that stay open although something above them is denied: an
    allowed vendor's place under a denied one's host."""
    cookies: tuple[str, ...] = ()
    """Names of cookies that page scripts may not set; a final ``*`` is any ending."""
    storage: tuple[str, ...] = ()
    """``localStorage`` keys, likewise."""
    innocent: tuple[str, ...] = ()
    """Hosts that are known and not denied: none of them is ever taken for a denied one (:mod:`optout_gate.rewrite.hashed`)."""
    common: frozenset[str] = frozenset()
    """Hosts of the vendors that most sites use: the first whose modules are failed (``guard_rules``)."""
    fetched: tuple[tuple[str, str], ...] = ()
    """Denied hosts whose stopped ``fetch`` is answered, with the JSON; any other fails."""
    stand_in: str = "/_optout/s/for.js?rule="
    """Where a denied script's stand-in is, up to the rule that denies it."""
    report_path: str = "/_optout/report"
    gpc: bool = True
    """Make ``navigator.globalPrivacyControl`` true."""
    strict: bool = False
    """Also cancel what cannot be judged: blank frames sent away by their ``location``, and moves of the whole tab."""
    sample_rate: float = 1.0
    """Share of pages that report, from 0 to 1."""

    def __post_init__(self) -> None:
        split = [host + path for host, path in self.patterns if not path.startswith("/") or " " in host + path]
        if split:
            raise ValueError(f"{split[0]!r} is not a host and a path, which the guard's list of rules is cut at")


def source(conf: GuardConfig) -> bytes:
    """Return the script for a document: a hint to compilers, and ``guard.js`` with its configuration, in ASCII.

    Safe inside a ``<script>`` element as it is.
    """
    return _COMPILE_ALL + _script(conf)


def worker_prologue(conf: GuardConfig, head: bytes = b"") -> bytes:
    """Return what goes in front of a worker's script: one line without an end.

    Why no newline: the script's own first line goes on behind it, so that line numbers in errors and source maps
    hold. ``head`` is the beginning of the script; when that is a ``'use strict'`` directive, the prologue opens
    with one too, because behind the guard the script's own has no effect any more.
    """
    directive = b'"use strict";' if _USE_STRICT.match(head) else b""
    return directive + _script(conf)


def denied_modules(hosts: Sequence[str], at_once: int) -> bytes:
    """Return the script that has the guard fail every module of the hosts, the first of them before anything else.

    An import map does it, whose keys are URL prefixes: they take names and not hashes, a subdomain has to be listed to be
    stopped, and ``name.*`` cannot be written at all. It is a script of its own, because a page need not wait for it.
    """
    # Where it comes before the guard, what it says waits for it.
    tells = (
        b'(function(k,h,n){typeof self[k]=="function"?self[k](h,n):self[k]=[h,n]})(Symbol.for("optout-gate"),%b,%d);'
    )
    return tells % (_json(list(hosts)), at_once)


def version(conf: GuardConfig) -> str:
    """Return 16 hexadecimal digits that change with the script or its configuration, for an immutable URL."""
    return sha256(source(conf)).hexdigest()[:16]


def _script(conf: GuardConfig) -> bytes:
    return _folded() + b"(self," + _configuration(conf) + b");"


@cache
def _folded() -> bytes:
    """Return the function alone, on one line."""
    return fold(files("optout_gate.browser").joinpath("guard.js").read_text("ascii"), keep="G").encode("ascii")


def _configuration(conf: GuardConfig) -> bytes:
    exact, others = _rules(conf)
    with_rules = dict.fromkeys(f"{host}/" for host, _ in exact)
    names = [
        *conf.hosts,
        *with_rules,
        *(host + path for host, path in exact),
        *(f"={name}" for name in conf.cookies),
        *(f"#{name}" for name in conf.storage),
    ]
    filter_ = hashed(names, conf.innocent)
    endings = (name for name in (*conf.cookies, *conf.storage) if name.endswith("*"))
    return _json(
        {
            "m": filter_.seed,
            "l": " ".join(map(str, sorted({len(name.encode("utf-16-le")) // 2 for name in endings}))),
            "w": _stars(conf.hosts) * 2 or _stars([*(host for host, _ in exact), *others]),
            "u": conf.stand_in,
            "f": dict(conf.fetched),
            "r": conf.report_path,
            "n": conf.sample_rate,
            "g": int(conf.gpc),
            "x": int(conf.strict),
            "p": " ".join(["", *others, ""]),
            # Last, since codings do best with what is alike in one piece: it saves 1 %.
            "t": filter_.rows,
        }
    )


def _stars(names: Iterable[str]) -> int:
    """Return 1 when one of the names is a name under any public suffix."""
    return int(any(name.endswith(".*") and not name.startswith(("/", "!")) for name in names))


def _rules(conf: GuardConfig) -> tuple[list[tuple[str, str]], list[str]]:
    """Return host and path of the rules that can be asked for as names, and each host that has others, followed by these.

    Of the others the first that fits counts: exceptions stand before what they are exceptions to, a whole host that stays
    open last. Where a path stays open, all rules of the host are among them.
    """
    exact: list[tuple[str, str]] = []
    others: dict[str, list[str]] = {}
    for text in sorted(conf.exceptions):
        host, slash, path = text.partition("/")
        if slash:
            others.setdefault(host, []).append(f"!/{path}")
    partly_open = set(others)
    for host, path in sorted(conf.patterns):
        if _EXACT.match(path) and host not in partly_open:
            exact.append((host, path))
        else:
            others.setdefault(host, []).append(path)
    for text in sorted(conf.exceptions):
        if "/" not in text:
            others.setdefault(text, []).append("!/")
    return exact, [text for host, paths in sorted(others.items()) for text in (host, *paths)]


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c").encode("ascii")

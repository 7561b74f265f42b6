"""What a page's Content-Security-Policy lets the gate add, and the policies by which the gate tightens it.

Policies intersect: a response may bring several, on several lines or split by commas, and each of them must admit the
guard (CSP 3 §4.2). Nothing is ever loosened here: a source that would admit the guard is never added, only what is
already there is used, a nonce of the page's or its own host. A policy in a ``meta`` element governs what comes behind
it; the guard stands in front.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from optout_gate.http import Headers, Pair
from optout_gate.rewrite.judge import Judge

FIELD = b"content-security-policy"

_GOVERNING = ("script-src-elem", "script-src", "default-src")
"""What governs ``script`` elements; the first of these that is there counts (CSP 3 §6.8.3)."""

_NONCE = re.compile(r"'nonce-([A-Za-z0-9+/_=-]+)'\Z", re.IGNORECASE)
_HASH = re.compile(r"'sha(?:256|384|512)-", re.IGNORECASE)
_HOST_SOURCE = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?(?P<host>\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::(?P<port>\d+|\*))?(?P<path>/.*)?\Z",
    re.IGNORECASE,
)
_PORTS = {"http": "80", "https": "443"}

Policy = Mapping[str, list[str]]
"""Directive names in lower case to their values as written."""


@dataclass(frozen=True, slots=True)
class Admission:
    """How the guard gets into a page.

    Attributes:
        nonce: what its ``script`` element carries; None where it needs none.
        inline: the page's policies admit an inline script with that nonce, too; an import map is one.
    """

    nonce: str | None = None
    inline: bool = True


def policies(headers: Headers) -> list[Policy]:
    """Return the enforced policies of a response; of a directive that is repeated the first counts."""
    found: list[Policy] = []
    for value in headers.values(FIELD):
        for text in value.decode("latin-1").split(","):
            directives: dict[str, list[str]] = {}
            for part in text.split(";"):
                if words := part.split():
                    directives.setdefault(words[0].lower(), words[1:])
            if directives:
                found.append(directives)
    return found


_UNASKED = Admission(None, True)


def runs_no_script(headers: Headers) -> bool:
    """Return True when a sandbox keeps every script from running: there is nothing to guard."""
    if FIELD not in headers:
        return False
    sandboxes = (each["sandbox"] for each in policies(headers) if "sandbox" in each)
    return any("allow-scripts" not in map(str.lower, words) for words in sandboxes)


def admission(headers: Headers, *, page_url: str, path: str) -> Admission | None:
    """Return how a script at ``path`` of the page's own host gets past its policies, or None when it cannot.

    Of several nonces, one that would admit an inline script as well is preferred.
    """
    if FIELD not in headers:
        return _UNASKED
    lists = [sources for each in policies(headers) if (sources := _governing(each)) is not None]
    nonces = dict.fromkeys(match[1] for sources in lists for word in sources if (match := _NONCE.match(word)))
    found = [
        Admission(nonce, all(_admits_inline(sources, nonce) for sources in lists))
        for nonce in (None, *nonces)
        if all(_admits(sources, nonce, page_url, path) for sources in lists)
    ]
    return next((each for each in found if each.inline), found[0] if found else None)


def admits_no_import_map(headers: Headers, *, page_url: str, path: str) -> bool:
    """Return True for a page whose policies let the guard in and no inline script, which an import map is."""
    if FIELD not in headers:
        return False
    admitted = admission(headers, page_url=page_url, path=path)
    return admitted is not None and not admitted.inline


def _governing(policy: Policy) -> list[str] | None:
    return next((policy[name] for name in _GOVERNING if name in policy), None)


def _carries(sources: list[str], nonce: str | None) -> bool:
    # Nonces compare by case, the keyword round them does not.
    return nonce is not None and any((match := _NONCE.match(word)) and match[1] == nonce for word in sources)


def _admits(sources: list[str], nonce: str | None, page_url: str, path: str) -> bool:
    if _carries(sources, nonce):
        return True
    words = [word.lower() for word in sources]
    if "'strict-dynamic'" in words:
        return False  # hosts and 'self' count for nothing then
    page = urlsplit(page_url)
    if "'self'" in words:
        return True
    return any(_matches(word, page.scheme, page.hostname or "", page.port, path) for word in words)


def _admits_inline(sources: list[str], nonce: str | None) -> bool:
    if _carries(sources, nonce):
        return True
    words = [word.lower() for word in sources]
    # 'unsafe-inline' is void beside a nonce, a hash or 'strict-dynamic' (CSP 3 §6.7.3.2).
    void = "'strict-dynamic'" in words or any(_NONCE.match(word) or _HASH.match(word) for word in words)
    return "'unsafe-inline'" in words and not void


def _matches(word: str, scheme: str, host: str, port: int | None, path: str) -> bool:
    """Return True when a scheme or host source admits ``path`` on the page's own host (CSP 3 §6.7.2.8)."""
    if word.endswith(":"):
        return word == f"{scheme}:" or (word == "http:" and scheme == "https")
    found = _HOST_SOURCE.match(word)
    if found is None:
        return False
    if found["scheme"] not in (None, scheme) and not (found["scheme"] == "http" and scheme == "https"):
        return False
    name = found["host"]
    if name.startswith("*"):
        if not host.endswith(name[1:]):
            return False
    elif name != host:
        return False
    if found["port"] not in (None, "*") and found["port"] != (str(port) if port else _PORTS.get(scheme)):
        return False
    if found["port"] is None and port is not None and name != "*" and str(port) != _PORTS.get(scheme):
        return False
    allowed = found["path"]
    if not allowed or allowed == "/":
        return True
    return path.startswith(allowed) if allowed.endswith("/") else path == allowed


def without_denied(headers: Headers, judge: Judge) -> Headers:
    """Return the headers with denied vendors' hosts taken out of the page's own policies, which tightens them.

    For a page that admits no guard, or no import map: by what its own policy lists, its scripts would reach them.
    """
    out: list[Pair] = []
    for name, value in headers:
        if name.lower() == FIELD:
            value = b",".join(_tightened(text, judge) for text in value.split(b","))
        out.append((name, value))
    return Headers(out)


def _tightened(policy: bytes, judge: Judge) -> bytes:
    directives: list[str] = []
    for part in policy.decode("latin-1").split(";"):
        name, *sources = part.split() or [""]
        kept = [source for source in sources if not _is_denied(source, judge)]
        if len(kept) == len(sources):
            directives.append(part)
        elif kept or name.lower() not in ("report-uri", "report-to"):
            directives.append(" ".join(["", name, *(kept or ["'none'"])]))
    return ";".join(directives).encode("latin-1")


def _is_denied(source: str, judge: Judge) -> bool:
    found = _HOST_SOURCE.match(source)
    if found is None or "." not in found["host"]:
        return False
    return judge.connection(f"https://{found['host'].removeprefix('*.')}/", judge.page) is not None


def lockdown(hosts: Iterable[str], report_path: str) -> bytes:
    """Return a policy under which a page reaches its own host and ``hosts``, and no one else.

    It says nothing about inline scripts, ``eval`` and the like: what the page's own policy forbids stays forbidden, since
    both hold.
    """
    listed = " ".join(["'self'", *hosts])
    return (
        f"default-src {listed} data: blob: 'unsafe-inline' 'unsafe-eval'; form-action {listed}; base-uri 'self'; "
        f"report-uri {report_path}"
    ).encode()

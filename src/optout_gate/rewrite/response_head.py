"""What happens to each response header. The tables are the specification: one line a field, and why.

A field that is in no table passes through untouched. ``Vary`` is the one thing that also concerns visitors who said
nothing: without it, a cache would hand the page of one to the other.
"""

import re
from collections.abc import Callable, Mapping

from optout_gate.http import Headers, Pair
from optout_gate.rewrite.judge import Judge

Rewrite = Callable[[bytes, Judge], bytes | None]
"""Takes a field's value, returns what stands in its place; None drops the line."""

_LINK = re.compile(rb'\s*<([^>]*)>((?:[^,"]|"(?:\\.|[^"\\])*")*)(?:,|\Z)', re.DOTALL)
_URL = re.compile(rb"(?:https?:)?//[^\s\"'<>,;]+", re.IGNORECASE)


def _set_cookie(value: bytes, judge: Judge) -> bytes | None:
    name = value.partition(b";")[0].partition(b"=")[0].strip(b" \t").decode("latin-1")
    verdict = judge.cookie(name)
    if verdict is None:
        return value
    judge.removals.add("cookie", verdict, name)
    return None


def _link(value: bytes, judge: Judge) -> bytes | None:
    kept: list[bytes] = []
    changed = False
    for match in _LINK.finditer(value):
        url = match[1].decode("latin-1")
        connects = b"preconnect" in match[2].lower() or b"dns-prefetch" in match[2].lower()
        verdict = judge.connection(url, judge.page) if connects else judge.reference(url, judge.page, "other")
        if verdict is None:
            kept.append(match.group().strip().rstrip(b",").rstrip())
        else:
            judge.removals.add("header", verdict, url)
            changed = True
    if not changed:
        return value
    return b", ".join(kept) or None


def _without_denied_urls(value: bytes, judge: Judge) -> bytes | None:
    for match in _URL.finditer(value):
        url = match.group().decode("latin-1")
        verdict = judge.reference(url, judge.page, "other")
        if verdict is not None:
            judge.removals.add("header", verdict, url)
            return None
    return value


ENFORCED: Mapping[bytes, Rewrite] = {
    b"set-cookie": _set_cookie,  # a denied vendor's first-party cookie, set by the server
    b"link": _link,  # preconnects, preloads and prefetches to a denied vendor
    b"refresh": _without_denied_urls,  # sends the page on
    b"report-to": _without_denied_urls,  # names who NEL and CSP report visits to
    b"reporting-endpoints": _without_denied_urls,  # the same, in the newer syntax
}
"""For a visitor who opted out, on every response."""

REWRITTEN_BODY = frozenset(
    {
        b"content-length",  # the body may change size; the server frames it anew
        b"etag",  # names the body as it was; a rewritten page must never pass for it
        b"last-modified",  # lets a page from before the opt-out be revalidated
        b"accept-ranges",  # a part of the origin's bytes is not a part of these
        b"content-md5", b"digest", b"content-digest", b"repr-digest", b"want-digest",  # RFC 9530: of other bytes
        b"signature", b"signature-input",  # RFC 9421: may cover any of the above
        b"transfer-encoding",
    }
)  # fmt: skip
"""Fields that no longer hold once a body is rewritten."""


def enforced(headers: Headers, judge: Judge) -> Headers:
    """Return a response's headers without what points at a denied vendor."""
    out: list[Pair] = []
    changed = False
    for pair in headers:
        rewrite = ENFORCED.get(pair[0].lower())
        value = rewrite(pair[1], judge) if rewrite is not None else pair[1]
        if value is not pair[1]:
            changed = True
        if value is not None:
            out.append((pair[0], value))
    return Headers(out) if changed else headers


def varying(headers: Headers, *, fields: tuple[bytes, ...] = (b"Sec-GPC",)) -> Headers:
    """Return the headers with ``Vary: Sec-GPC`` merged in (RFC 9110 §12.5.5), or with other fields' names."""
    members = [member.lower() for member in headers.members(b"vary")]
    missing = [field for field in fields if field.lower() not in members]
    if b"*" in members or not missing:
        return headers
    present = headers.values(b"vary") if members else []
    return (
        headers.replacing(b"vary", b", ".join([*present, *missing]))
        if b"vary" in headers
        else headers.plus((b"Vary", b", ".join(missing)))
    )


def private(headers: Headers) -> Headers:
    """Return the headers with a ``Cache-Control`` that keeps shared caches from storing (RFC 9111 §5.2.2.7).

    For answers that depend on a cookie, which no ``Vary: Sec-GPC`` tells apart.
    """
    members = [member.lower() for member in headers.members(b"cache-control")]
    if b"private" in members or b"no-store" in members:
        return headers
    kept = [
        member
        for member in headers.members(b"cache-control")
        if member.lower() != b"public" and not member.lower().startswith(b"s-maxage")
    ]
    return headers.replacing(b"cache-control", b", ".join([*kept, b"private"]))


def contained(headers: Headers, hosts: tuple[str, ...]) -> Headers:
    """Return the headers under which a page that cannot be rewritten may go out to a visitor who opted out.

    A Content-Security-Policy needs no parser: it limits the page to the site itself. It stands beside one that the
    page brings, and both hold (CSP 3 §4.2). What it has no say over, preloads and prefetches in ``Link``, goes.
    """
    sources = " ".join(["'self'", *(host for host in hosts if host != "*")])
    policy = (
        f"default-src {sources} 'unsafe-inline' 'unsafe-eval' data: blob:; "
        f"form-action {sources}; base-uri 'self'; object-src 'none'"
    )
    stripped = headers.without([b"link", b"report-to", b"reporting-endpoints", b"nel", b"refresh", b"cache-control"])
    return stripped.plus(
        (b"Content-Security-Policy", policy.encode()),
        (b"Cache-Control", b"private, no-store"),
    )

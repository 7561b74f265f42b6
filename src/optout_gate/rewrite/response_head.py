"""What happens to each response header. The tables are the specification: one line a field, and why.

A field that is in no table passes through untouched. ``Vary`` is the one thing that also concerns visitors who said
nothing: without it, a cache would hand the page of one to the other.
"""

import re
from collections.abc import Iterable, Mapping

from optout_gate.http import Headers, Pair, Request
from optout_gate.rewrite import header_fields as fields
from optout_gate.rewrite.cookie_expiry import expiring
from optout_gate.rewrite.header_fields import FieldRewrite
from optout_gate.rewrite.judge import Judge
from optout_gate.trackers.purposes import Purpose

ENFORCED: Mapping[bytes, FieldRewrite] = {
    b"set-cookie": fields.set_cookie,  # a denied vendor's first-party cookie, set by the server
    b"link": fields.link,  # preconnects, preloads and prefetches to a denied vendor; also in 103 Early Hints
    b"refresh": fields.no_denied_url,  # sends the page on
    b"report-to": fields.report_to,  # names who NEL and CSP report visits to
    b"reporting-endpoints": fields.members,  # the same, in the newer syntax
    b"content-security-policy": fields.csp,  # its report-uri; the policy itself is only ever tightened
    b"content-security-policy-report-only": fields.csp,
    b"speculation-rules": fields.members,  # addresses of rules to prefetch or prerender by
    b"permissions-policy": fields.permissions,  # lends features and client hints (ch-ua-model) to other origins
    b"observe-browsing-topics": fields.advertising,  # has the browser note the visit for the Topics API
    b"attribution-reporting-register-source": fields.advertising,  # an ad was seen or clicked
    b"attribution-reporting-register-trigger": fields.advertising,  # it led to something
    b"attribution-reporting-register-os-source": fields.advertising,  # the same, kept by the operating system
    b"attribution-reporting-register-os-trigger": fields.advertising,
    b"attribution-reporting-info": fields.advertising,  # chooses between the two
    b"ad-auction-signals": fields.advertising,  # a bid for an auction in the browser
    b"ad-auction-result": fields.advertising,
    b"ad-auction-additional-bid": fields.advertising,
    b"shared-storage-write": fields.advertising,  # writes what advertisers read on other sites
}
"""For a visitor who opted out, on every response.

``Accept-CH``, ``Critical-CH`` (hints for the site itself), ``SourceMap`` (fetched by developer tools alone) and ``Location``
of a page (a link that a person followed) pass through untouched.
"""

NEL_FORGET = b'{"max_age":0}'
"""Has a browser forget an error-reporting policy that it keeps (Network Error Logging §4.1)."""

FORGET_PAGES = (b"Clear-Site-Data", b'"cache"')
"""Has a browser forget pages from before the opt-out (Clear Site Data §3.1), which it could show without asking."""

WITHHELD = (b"browsing-topics", b"attribution-reporting", b"join-ad-interest-group", b"run-ad-auction")
"""Features of advertising that a page gets with no Permissions-Policy, and that scripts and frames would use."""

# A dictionary whose members have no value, a token or an inner list (RFC 9651): what browsers take for this field.
_PERMISSION = rb"\s*[a-z*][a-z0-9_.*-]*\s*(?:=\s*(?:\((?:[^()\"]|\"[^\"]*\")*\)|\*|[\w?*]+)(?:;[^,]*)?)?\s*"
_PERMISSIONS = re.compile(rb"(?:%b)(?:,%b)*" % (_PERMISSION, _PERMISSION))

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


def enforced(headers: Headers, judge: Judge, request: Request, *, page: bool = False) -> Headers:
    """Return a response's headers without what points at a denied vendor.

    A ``page`` also withholds the browser's own advertising features, and expires the cookies that the request brought.
    """
    out: list[Pair] = []
    changed = False
    for pair in headers:
        rewrite = ENFORCED.get(pair[0].lower())
        value = rewrite(pair[1], judge) if rewrite is not None else pair[1]
        if value is not pair[1]:
            changed = True
        if value is not None:
            out.append((pair[0], value))
    result = Headers(out) if changed else headers
    if changed and b"nel" in headers and not _reports_somewhere(result):
        result = result.replacing(b"nel", NEL_FORGET)
    if page:
        if Purpose.ADVERTISING in judge.decision.denied:
            result = _withholding(result)
        result = result.plus(*expiring(request, judge))
    return result


def _reports_somewhere(headers: Headers) -> bool:
    return b"report-to" in headers or b"reporting-endpoints" in headers


def _withholding(headers: Headers) -> Headers:
    """Return the headers with features of advertising withheld; what stands for other features stays.

    Of a feature named twice the last holds, so a line at the end suffices. A line that no browser can read would have
    all of them passed over, and is dropped.
    """
    unreadable = [value for value in headers.values(b"permissions-policy") if not _PERMISSIONS.fullmatch(value)]
    if unreadable:
        headers = headers.without([b"permissions-policy"])
    added = b", ".join(name + b"=()" for name in WITHHELD)
    return headers.plus((b"Permissions-Policy", added))


def allows_inline(headers: Headers) -> bool:
    """Return True unless a Content-Security-Policy keeps inline scripts without a nonce out (CSP 3 §6.7.3.2)."""
    for value in headers.values(b"content-security-policy"):
        for policy in value.lower().split(b","):
            directives = [directive.split() for directive in policy.split(b";") if directive.strip()]
            found = {words[0]: words[1:] for words in reversed(directives)}  # of two, the first holds
            names = (b"script-src-elem", b"script-src", b"default-src")
            sources = next((found[name] for name in names if name in found), None)
            if sources is None:
                continue
            exact = (b"'nonce-", b"'sha256-", b"'sha384-", b"'sha512-", b"'strict-dynamic'")
            if b"'unsafe-inline'" not in sources or any(source.startswith(exact) for source in sources):
                return False
    return True


def varying(headers: Headers, *, fields: tuple[bytes, ...]) -> Headers:
    """Return the headers with the names of ``fields`` merged into ``Vary`` (RFC 9110 §12.5.5)."""
    if b"vary" not in headers:
        return headers.plus((b"Vary", b", ".join(fields)))
    members = [member.lower() for member in headers.members(b"vary")]
    missing = [field for field in fields if field.lower() not in members]
    if b"*" in members or not missing:
        return headers
    present = headers.values(b"vary") if members else []
    return headers.replacing(b"vary", b", ".join([*present, *missing]))


def private(headers: Headers) -> Headers:
    """Return the headers with a ``Cache-Control`` that keeps shared caches from storing (RFC 9111 §5.2.2.7).

    For answers that depend on a cookie or an account, which no ``Vary: Sec-GPC`` tells apart. Caches of a content
    network go by a field of their own before this one, where there is one (RFC 9213 §2.2), so theirs says the same.
    """
    members = [member.lower() for member in headers.members(b"cache-control")]
    if b"private" not in members and b"no-store" not in members:
        kept = [
            member
            for member in headers.members(b"cache-control")
            if member.lower() != b"public" and not member.lower().startswith(b"s-maxage")
        ]
        headers = headers.replacing(b"cache-control", b", ".join([*kept, b"private"]))
    return _kept_from_networks(headers)


def _kept_from_networks(headers: Headers) -> Headers:
    targeted = {name for name in headers.names if name.endswith(b"cdn-cache-control") or name == b"surrogate-control"}
    return headers.without(targeted).plus((b"CDN-Cache-Control", b"no-store"))


def sealed(headers: Headers) -> Headers:
    """Return a page's headers with a word to caches in front not to change it (RFC 9111 §5.2.2.6)."""
    members = headers.members(b"cache-control")
    if b"no-transform" in [member.lower() for member in members]:
        return headers
    return headers.replacing(b"cache-control", b", ".join([*members, b"no-transform"]))


def not_modified(headers: Headers) -> Headers:
    """Return the headers of a 304 less those that the page in the visitor's cache has from the gate.

    What a 304 brings takes the place of what was kept with the page (RFC 9111 §3.2): a Content-Security-Policy of the
    origin's would take that of a lockdown away, and its nonce would no longer be the guard's.
    """
    return headers.without(ENFORCED.keys() - {b"set-cookie"})


def passed(headers: Headers) -> Headers:
    """Return the headers under which a page goes out as it came because the operator says so: nobody keeps it."""
    return _not_stored(headers.without(_VALIDATORS))


def contained(headers: Headers, hosts: Iterable[str]) -> Headers:
    """Return the headers under which a page that cannot be rewritten may go out to a visitor who opted out.

    A Content-Security-Policy needs no parser: it limits the page to the site itself and ``hosts``. It stands beside one
    that the page brings, and both hold (CSP 3 §4.2). What it has no say over, preloads and prefetches in ``Link``, goes.
    """
    sources = " ".join(["'self'", *(host for host in hosts if host != "*")])
    policy = (
        f"default-src {sources} 'unsafe-inline' 'unsafe-eval' data: blob:; "
        f"form-action {sources}; base-uri 'self'; object-src 'none'"
    )
    stripped = headers.without(_VALIDATORS | {b"link", b"report-to", b"reporting-endpoints", b"nel", b"refresh"})
    return _not_stored(stripped.plus((b"Content-Security-Policy", policy.encode())))


_VALIDATORS = frozenset({b"etag", b"last-modified"})


def _not_stored(headers: Headers) -> Headers:
    return _kept_from_networks(headers.without([b"cache-control"]).plus((b"Cache-Control", b"private, no-store")))

"""What happens to a request's header on its way to the origin, for a visitor who opted out.

Whatever is not named here passes through untouched, ``Sec-GPC`` first of all: an intermediary must not remove it.
"""

from functools import lru_cache

from optout_gate.http import Headers, Request
from optout_gate.policy.decision import Decision
from optout_gate.rewrite import validators
from optout_gate.rewrite.codings import KNOWN
from optout_gate.signals import gpc
from optout_gate.trackers.purposes import Purpose

# Sec-Fetch-Dest of requests whose answers the gate never rewrites. Everything else may bring HTML, CSS or a worker's
# script: a fragment that a script fetches comes as ``empty``. (Fetch §2.2.5 lists the destinations.)
_NEVER_REWRITTEN = frozenset(
    {b"audio", b"audioworklet", b"font", b"image", b"json", b"manifest", b"paintworklet", b"script", b"track",
     b"video", b"webidentity"}
)  # fmt: skip

SIGNED_EXCHANGE = b"application/signed-exchange"
MARKED_AS_WORKER = b"_optout=worker"
"""In the query of a worker's address, put there by ``guard.js``; it is left for the origin to see, as any query."""

_WORKERS = frozenset({b"worker", b"sharedworker", b"serviceworker"})

_SCRIPT = b"script"  # never rewritten, but replaced where it is a vendor's library: the whole of it has to be seen

# A part of a page cannot be rewritten.
_DICTIONARIES = frozenset({b"available-dictionary", b"dictionary-id"})  # RFC 9842
_RANGES = frozenset({b"range", b"if-range"})


_FOR_ADVERTISERS = frozenset(
    {
        b"sec-browsing-topics",  # what the visitor is interested in, by the pages they saw (Topics API §7)
        b"attribution-reporting-eligible",  # offers to register an ad's view or click with the answer
        b"attribution-reporting-support",  # says where it would be kept
        b"sec-ad-auction-fetch",  # offers the answer to an auction in the browser (Protected Audience)
        b"sec-shared-storage-writable",  # offers to write what advertisers read on other sites
    }
)
"""Fields by which a browser takes part in advertising; the origin could only hand them on."""


def may_be_rewritten(request: Request) -> bool:
    """Return True unless the browser said that the request is for something the gate never rewrites."""
    destination = request.headers.first(b"sec-fetch-dest")
    return destination is None or destination.lower() not in _NEVER_REWRITTEN


def is_for_worker(request: Request) -> bool:
    """Return True for the script of a worker, which starts a realm of its own.

    ``Service-Worker: script`` is older than ``Sec-Fetch-Dest`` and sent by every browser that has service workers. Where
    ``Sec-Fetch-Dest`` is missing (plain http, Safari before 16.4), the page's guard has marked the address.
    """
    destination = request.headers.first(b"sec-fetch-dest")
    if destination in _WORKERS or request.headers.first(b"service-worker") == b"script":
        return True
    return destination is None and MARKED_AS_WORKER in request.target


def is_for_a_sheet(request: Request) -> bool:
    """Return True when the browser said that it takes the answer for a style sheet."""
    return request.headers.first(b"sec-fetch-dest") == b"style"


def is_shown(request: Request) -> bool:
    """Return True when the answer becomes a page or a frame, as far as the browser says, whatever its type."""
    destination = request.headers.first(b"sec-fetch-dest")
    if destination is not None:
        return destination.lower() in _SHOWN
    return any(member.lower().startswith(b"text/html") for member in request.headers.members(b"accept"))


_SHOWN = frozenset({b"document", b"iframe", b"frame", b"object", b"embed"})


def is_for_a_document(request: Request) -> bool:
    """Return True when the answer may become the page in the visitor's window, as far as the browser says."""
    destination = request.headers.first(b"sec-fetch-dest")
    return request.method != "HEAD" and (destination is None or destination.lower() == b"document")


def toward_origin(request: Request, decision: Decision, policy_hash: bytes = b"", *, presumed: bool = False) -> Headers:
    """Return the header lines to send to the origin.

    Args:
        request: as the visitor sent it.
        decision: what holds.
        policy_hash: of everything that was configured; see :mod:`optout_gate.rewrite.validators`.
        presumed: nobody said what the decision rests on, so the origin is not told so.
    """
    headers = request.headers
    if not decision.enforced:
        return headers
    if decision.do_not_sell and not presumed and b"1" not in headers.values(gpc.FIELD):
        # The opt-out came from elsewhere; the origin's own code and its server-side tags get the signal they know.
        headers = headers.without([gpc.FIELD]).plus(gpc.LINE)
    if Purpose.ADVERTISING in decision.denied:
        headers = headers.without(_FOR_ADVERTISERS)
    if may_be_rewritten(request) or request.headers.first(b"sec-fetch-dest") == _SCRIPT:
        if b"if-none-match" in headers or b"if-modified-since" in headers:
            headers = validators.toward_origin(headers, validators.stamp(policy_hash, decision, request))
        if (b"range" in headers or b"if-range" in headers) and _wants_a_page(headers):
            headers = headers.without(_RANGES)
        headers = _openable(_decodable(headers))
    return headers


def _wants_a_page(headers: Headers) -> bool:
    """Return True when a range asked for could be one of a page; players of old browsers send no destination."""
    if b"sec-fetch-dest" in headers:
        return True
    return any(member.lower().startswith((b"text/html", b"text/css")) for member in headers.members(b"accept"))


def _decodable(headers: Headers) -> Headers:
    """Return the headers with ``Accept-Encoding`` cut to codings that the gate can open (RFC 9110 §12.5.3)."""
    offered = headers.values(b"accept-encoding")
    if not any(offered):
        return headers
    kept = _codings(b",".join(offered))
    headers = headers.without(_DICTIONARIES)
    return headers if kept is None and len(offered) == 1 else headers.replacing(b"accept-encoding", kept or offered[0])


@lru_cache(maxsize=256)  # browsers send one of a few values
def _codings(offered: bytes) -> bytes | None:
    """Return what to offer instead of ``offered``, or None when the gate can open all of it."""
    members = [member for raw in offered.split(b",") if (member := raw.strip())]
    kept: list[bytes] = []
    for member in members:
        name = member.partition(b";")[0].strip().lower()
        if name in KNOWN:
            kept.append(member)
        elif name == b"*":
            kept.append(b"gzip" + member[1:])
    return None if kept == members else b", ".join(kept) or b"identity"


def _openable(headers: Headers) -> Headers:
    """Return the headers without a wish for signed exchanges: a page sealed by its signature cannot be rewritten."""
    accept = b", ".join(headers.values(b"accept"))
    if SIGNED_EXCHANGE not in accept:
        return headers
    return headers.replacing(b"accept", _without_signed_exchanges(accept))


@lru_cache(maxsize=256)  # browsers send one of a few values
def _without_signed_exchanges(accept: bytes) -> bytes:
    kept = [member for raw in accept.split(b",") if not (member := raw.strip()).startswith(SIGNED_EXCHANGE)]
    return b", ".join(kept) or b"*/*"

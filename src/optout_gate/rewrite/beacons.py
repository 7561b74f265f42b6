"""Requests to vendors through the site's own host: recognised by path and fields, answered by the gate.

The path makes a request suspect, the fields in its query or body say what it is
(:mod:`optout_gate.trackers.endpoints`). Where only the body can tell, the door reads it, of a long one the beginning, and,
if it is the site's own after all, sends on the same bytes. A body under a type of no beacon is never read.

The answer is one that the caller survives: what the browser says it is for decides, an image or a script or a frame, else
the kind that the vendor's code waits for. A person who opens such an address gets what the site has there.
"""

from collections.abc import Mapping

from optout_gate.errors import RewriteError
from optout_gate.http import Headers, Pair, Request, Response, media_type
from optout_gate.policy.decision import Decision, Verdict
from optout_gate.rewrite import surrogates
from optout_gate.rewrite.codings import Coding, coding_of
from optout_gate.rewrite.neutral import GENERIC, GIF
from optout_gate.rewrite.outgoing import BEACON
from optout_gate.rewrite.removals import Removals
from optout_gate.trackers.catalog import Catalog, Rule
from optout_gate.trackers.endpoints import Endpoint
from optout_gate.trackers.payloads import MAX_BODY_BYTES, MAX_OPENED_BYTES, fields_of_body, fields_of_query

_METHODS = frozenset({"GET", "HEAD", "POST"})
_BODIES = frozenset(
    {
        "",  # sendBeacon with an ArrayBuffer says nothing
        "application/json", "application/x-www-form-urlencoded", "application/octet-stream", "text/plain",
        "application/vnd.adobe.alloy+json", "application/csp-report",
        "multipart/form-data",  # sendBeacon with a FormData; of an upload too, and then the fields are others
    }
)  # fmt: skip
"""Types under which libraries send events."""

_BY_DESTINATION: Mapping[bytes, str] = {
    b"image": "pixel",
    b"script": "script",
    b"worker": "script",
    b"sharedworker": "script",
    b"serviceworker": "script",
    b"iframe": "page",
    b"frame": "page",
    b"embed": "page",
    b"object": "page",
}
"""What the browser can use, by ``Sec-Fetch-Dest``; for all else it is for the vendor's code to read."""


class Beacon:
    """A request that may be a denied vendor's.

    Attributes:
        wants_body: True while only the body can tell.
        reply: what the gate answers with; None where the request goes on.
        most_bytes: of the body that are looked at.
    """

    most_bytes = MAX_BODY_BYTES

    __slots__ = ("_removals", "_request", "_stays", "_suspects", "reply", "wants_body")

    def __init__(
        self, request: Request, suspects: list[tuple[Endpoint, Verdict]], removals: Removals, *, stays: bool
    ) -> None:
        """Take the denied endpoints that the request's path could be; with ``stays`` it is noted and goes on."""
        self._request = request
        self._removals = removals
        self._stays = stays
        self.reply: Response | None = None
        query = request.target.partition(b"?")[2].decode("latin-1")
        found = fields_of_query(query) if query else {}
        self._suspects = [(endpoint, verdict, endpoint.missing(found)) for endpoint, verdict in suspects]
        whole = next((suspect for suspect in self._suspects if not suspect[2]), None)
        self.wants_body = whole is None and _has_readable_body(request)
        if whole is not None:
            self._is_one(*whole[:2])

    def read(self, body: bytes, *, is_whole: bool = True) -> None:
        """Take the request's body, or the beginning of one that is longer than :attr:`most_bytes`."""
        self.wants_body = False
        if len(body) > self.most_bytes:
            body, is_whole = body[: self.most_bytes], False
        body, is_whole = _decoded(self._request, body, is_whole=is_whole)
        found = fields_of_body(
            body,
            {name for _, _, missing in self._suspects for name in missing},
            content_type=self._request.headers.first(b"content-type") or b"",
            cut=not is_whole,
        )
        for endpoint, verdict, missing in self._suspects:
            if not set(missing).intersection(endpoint.missing(found)):
                self._is_one(endpoint, verdict)
                return

    def _is_one(self, endpoint: Endpoint, verdict: Verdict) -> None:
        self._removals.add(BEACON, verdict, self._request.path)
        if not self._stays:
            self.reply = _reply(self._request, endpoint, verdict)


def beacon(request: Request, decision: Decision, catalog: Catalog, removals: Removals) -> Beacon | None:
    """Return the beacon that a request may be, by its path; None for nearly every request."""
    known = catalog.endpoints.on(request.path)
    if not known or request.method not in _METHODS:
        return None
    if request.headers.first(b"sec-fetch-dest") == b"document":
        return None  # a person goes there
    suspects = [(endpoint, verdict) for endpoint, rule in known if (verdict := decision.verdict(rule)).denied]
    return Beacon(request, suspects, removals, stays=not decision.enforced) if suspects else None


def nearest(catalog: Catalog, path: str, query: str, body: bytes) -> tuple[Endpoint, Rule, list[str]] | None:
    """Return the endpoint that a request comes nearest to, its rule, and the fields that it does not bring."""
    found = fields_of_query(query)
    near: list[tuple[Endpoint, Rule, list[str]]] = []
    for endpoint, rule in catalog.endpoints.on(path):
        brought = endpoint.missing(fields_of_body(body, endpoint.fields))
        near.append((endpoint, rule, [name for name in endpoint.missing(found) if name in brought]))
    return min(near, key=lambda each: len(each[2]), default=None)


def _has_readable_body(request: Request) -> bool:
    if request.method != "POST" or media_type(request.headers).essence not in _BODIES:
        return False
    if coding_of(request.headers.members(b"content-encoding")) is None:
        return False
    declared = request.headers.first(b"content-length")
    if declared is None:
        return b"transfer-encoding" in request.headers
    return declared.isdigit() and int(declared) > 0


def _decoded(request: Request, body: bytes, *, is_whole: bool) -> tuple[bytes, bool]:
    """Return what a body holds under its content coding, up to a bound, and whether that is all of it."""
    coding = coding_of(request.headers.members(b"content-encoding"))
    if coding is None or coding == b"identity":
        return body, is_whole
    opened = bytearray()
    try:
        for piece in Coding(coding).opened(body):
            opened += piece
            if len(opened) > MAX_OPENED_BYTES:
                return bytes(opened), False
    except RewriteError:
        return b"", True
    return bytes(opened), is_whole


def _reply(request: Request, endpoint: Endpoint, verdict: Verdict) -> Response:
    destination = request.headers.first(b"sec-fetch-dest") or b""
    kind = _BY_DESTINATION.get(destination.lower(), endpoint.answer)
    headers: list[Pair] = [(b"Cache-Control", b"private, no-store")]
    if kind == "empty":
        return Response(204, Headers([*headers, *_shared(request)]))
    body, content_type = _content(kind, verdict)
    headers += [(b"Content-Type", content_type), (b"Content-Length", str(len(body)).encode())]
    return Response(200, Headers([*headers, *_shared(request)]), b"" if request.method == "HEAD" else body)


def _content(kind: str, verdict: Verdict) -> tuple[bytes, bytes]:
    match kind:
        case "pixel":
            return GIF, b"image/gif"
        case "script":
            return surrogates.script(verdict.vendor.surrogate or GENERIC), b"text/javascript; charset=utf-8"
        case "json":
            return b"{}", b"application/json"
        case _:
            return b"<!doctype html><title></title>", b"text/html; charset=utf-8"


def _shared(request: Request) -> list[Pair]:
    """Return what lets a script on another of the site's hosts see the answer, which holds nothing."""
    origin = request.headers.first(b"origin")
    if origin is None:
        return []
    return [
        (b"Access-Control-Allow-Origin", origin),
        (b"Access-Control-Allow-Credentials", b"true"),
        (b"Vary", b"Origin"),
    ]

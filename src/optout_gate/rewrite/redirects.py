"""Redirects of the site's own host to a denied vendor: a third party in first-party clothes.

``<img src="/t/42">`` is the site's own to every reader of markup and to the guard; where it leads stands in the answer.
What the visitor's browser asked for decides what it gets: a stand-in of the gate's own, which is a script, a pixel, a
blank frame or nothing (204) by ``Sec-Fetch-Dest``. A visitor who follows a link through the site's redirector goes
where the link leads: that is the visitor's own move.

Behind a site's own service worker, which makes every request ``empty``, a move of the tab and that of a frame look alike
from here. Such a move is answered with a page that knows where it stands: in a tab it goes on, in a frame it is blank.
"""

from base64 import b64encode
from hashlib import sha256
from html import escape
from urllib.parse import quote

from optout_gate.http import Request, Response
from optout_gate.policy.decision import Verdict
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.neutral import stand_in

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GO_ON = "if (top === self) location.replace(document.links[0].href)"
_ONWARD = (
    '<!doctype html><html><head><meta charset="utf-8"><title>{0}</title></head><body><a href="{0}" hidden></a>'
    f"<script>{_GO_ON}</script></body></html>"
)
_HASH = b64encode(sha256(_GO_ON.encode()).digest()).decode()
_HEADERS = (
    (b"Content-Type", b"text/html; charset=utf-8"),
    (b"Content-Security-Policy", f"default-src 'none'; script-src 'sha256-{_HASH}'; base-uri 'none'".encode()),
    (b"Cache-Control", b"private, no-store"),
)
_REPLACED = (
    b"content-type", b"content-security-policy", b"content-security-policy-report-only", b"cache-control", b"location",
    b"content-length", b"content-encoding", b"etag", b"last-modified", b"accept-ranges", b"content-disposition",
)  # fmt: skip


def onward(response: Response, judge: Judge, request: Request) -> tuple[Response, bytes] | None:
    """Return the head and body of a page that goes on in a tab alone, for a service worker's redirect to a denied vendor."""
    asked = request.headers
    if response.status not in _REDIRECTS or asked.first(b"sec-fetch-mode") != b"navigate":
        return None
    if asked.first(b"sec-fetch-dest") != b"empty" or request.method != "GET":
        return None
    denied = _denied(response, judge)
    if denied is None:
        return None
    location = quote(denied[0].encode("latin-1"), safe="".join(map(chr, range(0x21, 0x7F))))
    body = _ONWARD.format(escape(location))
    return Response(200, response.headers.without(_REPLACED).plus(*_HEADERS)), body.encode()


def kept_home(response: Response, judge: Judge, request: Request) -> Response:
    """Return a redirect to a denied vendor as one to its stand-in; any other response as it came."""
    if response.status not in _REDIRECTS or _is_visitors_move(request):
        return response
    denied = _denied(response, judge)
    if denied is None:
        return response
    text, verdict = denied
    judge.removals.add("header", verdict, text)
    headers = response.headers.replacing(b"location", stand_in(verdict).encode())
    # 303: a POST is answered, not repeated. no-store: a browser keeps a 301 for ever.
    return Response(303, headers.replacing(b"cache-control", b"private, no-store"))


def _denied(response: Response, judge: Judge) -> tuple[str, Verdict] | None:
    """Return where a redirect leads, and by what that is denied, or None where it is not."""
    location = response.headers.first(b"location")
    if location is None:
        return None
    text = location.decode("latin-1")
    verdict = judge.reference(text, judge.page, "other")
    return None if verdict is None else (text, verdict)


def _is_visitors_move(request: Request) -> bool:
    destination = request.headers.first(b"sec-fetch-dest")
    if destination is not None:
        return destination == b"document"
    return any(member.lower().startswith(b"text/html") for member in request.headers.members(b"accept"))

"""Redirects of the site's own host to a denied vendor: a third party in first-party clothes.

``<img src="/t/42">`` is the site's own to every reader of markup and to the guard; where it leads stands in the answer.
What the visitor's browser asked for decides what it gets: a stand-in of the gate's own, which is a script, a pixel, a
blank frame or nothing (204) by ``Sec-Fetch-Dest``. A visitor who follows a link through the site's redirector goes
where the link leads: that is the visitor's own move.
"""

from optout_gate.http import Request, Response
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.neutral import stand_in

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def kept_home(response: Response, judge: Judge, request: Request) -> Response:
    """Return a redirect to a denied vendor as one to its stand-in; any other response as it came."""
    if response.status not in _REDIRECTS or _is_visitors_move(request):
        return response
    location = response.headers.first(b"location")
    if location is None:
        return response
    text = location.decode("latin-1")
    verdict = judge.reference(text, judge.page, "other")
    if verdict is None:
        return response
    judge.removals.add("header", verdict, text)
    headers = response.headers.replacing(b"location", stand_in(verdict).encode())
    # 303: a POST is answered, not repeated. no-store: a browser keeps a 301 for ever.
    return Response(303, headers.replacing(b"cache-control", b"private, no-store"))


def _is_visitors_move(request: Request) -> bool:
    destination = request.headers.first(b"sec-fetch-dest")
    if destination is not None:
        return destination == b"document"
    return any(member.lower().startswith(b"text/html") for member in request.headers.members(b"accept"))

"""The gate's own pages for doors that do not speak ASGI: a head and a body in, a response out."""

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import unquote

from optout_gate.gate import Gate
from optout_gate.http import Headers, Request, Response
from optout_gate.pages.app import PREFIX, OwnPages


def is_own(request: Request) -> bool:
    """Return True for a request to a page of the gate's own."""
    return request.target.startswith(PREFIX.encode() + b"/")


async def own_page(gate: Gate, request: Request, body: bytes = b"") -> Response | None:
    """Return the gate's own answer to ``request``, or None where it is the website's to answer.

    A rewritten page refers to what is under the gate's prefix (:data:`~optout_gate.rewrite.neutral.PREFIX`), so every
    door has to ask this first.
    """
    if not is_own(request):
        return None
    raw_path, _, query = request.target.partition(b"?")
    scope: MutableMapping[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.scheme,
        "path": unquote(raw_path.decode("latin-1")),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers],
    }
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await OwnPages(lambda: gate)(scope, receive, send)
    start, *bodies = sent
    return Response(start["status"], Headers(start["headers"]), b"".join(each.get("body", b"") for each in bodies))

"""The gate's own pages for doors that do not speak ASGI: a head and a body in, a response out."""

from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from optout_gate.gate import Gate
from optout_gate.http import Headers, Request, Response
from optout_gate.pages.app import OwnPages


def is_own(gate: Gate, request: Request) -> bool:
    """Return True for a request to a page of the gate's own."""
    return _pages(gate).answer_to(unquote(request.path))


async def own_page(
    gate: Gate, request: Request, read_body: Callable[[], Awaitable[bytes]] | None = None
) -> Response | None:
    """Return the gate's own answer to ``request``, or None where it is the website's to answer.

    A rewritten page refers to what is under the gate's prefix (:data:`~optout_gate.rewrite.neutral.PREFIX`), so every
    door has to ask this first. ``read_body`` gives the request's body; it is called only where the answer is the gate's.
    """
    if not is_own(gate, request):
        return None
    body = await read_body() if read_body is not None else b""
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

    await _pages(gate)(scope, receive, send)
    start, *bodies = sent
    return Response(start["status"], Headers(start["headers"]), b"".join(each.get("body", b"") for each in bodies))


@lru_cache(maxsize=4)  # one gate at a time is at work, two during a reload
def _pages(gate: Gate) -> OwnPages:
    return OwnPages(lambda: gate)

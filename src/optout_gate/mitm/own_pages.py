"""The gate's own pages inside mitmproxy: what a rewritten page refers to under ``/_optout`` must be there."""

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import unquote

from mitmproxy import http as mitm

from optout_gate.gate import Gate
from optout_gate.mitm.messages import request_of
from optout_gate.pages.app import PREFIX, OwnPages


def is_own(request: mitm.Request) -> bool:
    """Return True for a request to a page of the gate's own."""
    path: bytes = request.data.path
    return path.startswith(PREFIX.encode() + b"/")


async def answer(gate: Gate, request: mitm.Request) -> mitm.Response:
    """Return the answer of the gate's own pages."""
    head = request_of(request)
    raw_path, _, query = head.target.partition(b"?")
    scope: MutableMapping[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": head.method,
        "scheme": head.scheme,
        "path": unquote(raw_path.decode("latin-1")),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in head.headers],
    }
    body = request.raw_content or b""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await OwnPages(lambda: gate)(scope, receive, send)
    start, *bodies = sent
    content = b"".join(message.get("body", b"") for message in bodies)
    return mitm.Response.make(start["status"], content, tuple(start["headers"]))

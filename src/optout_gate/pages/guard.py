"""The guard's two scripts over HTTP: one address per version each, kept by browsers and caches for ever."""

import threading
from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from optout_gate.rewrite.guard_rules import Guard, Guards

_FOR_EVER = "public, max-age=31536000, immutable"
_HEADERS = {
    "Content-Type": "text/javascript; charset=utf-8",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "cross-origin",  # a sandboxed frame of the site is no site to the browser
}
_ONE_AT_A_TIME = threading.Lock()


async def serve(request: Request, guards: Guards, path: str) -> Response:
    """Return the script that belongs at ``path``, in the best coding that the browser takes.

    A version that is not this one (a page from before a reload, a worker process that has yet to reload) gets the
    script at work as well, but kept for no time: the right one belongs under another address.
    """
    version = request.query_params.get("v", "")
    # Off the event loop: to make one that no page here has takes a fifth of a second, and Brotli half of that.
    guard, scripts = await run_in_threadpool(_made, guards, version)
    current = version == guard.version
    headers = {**_HEADERS, "Cache-Control": _FOR_EVER if current else "no-store"}
    offered = _codings(request.headers.get("accept-encoding", ""))
    coding = next((each for each in ("br", "gzip") if each in offered), "identity")
    if coding != "identity":
        headers["Content-Encoding"] = coding
    return Response(scripts[coding][path], headers=headers)


def _made(guards: Guards, version: str) -> tuple[Guard, Mapping[str, Mapping[str, bytes]]]:
    """Return the guard that a version means, with all that costs time; those of many addresses one after the other."""
    with _ONE_AT_A_TIME:
        guard = guards.named(version)
        _ = guard.version
        return guard, guard.compressed


def _codings(value: str) -> frozenset[str]:
    """Return the codings that an ``Accept-Encoding`` takes by name (RFC 9110 §12.5.3)."""
    members = (member.strip().lower().partition(";") for member in value.split(","))
    return frozenset(name.strip() for name, _, weight in members if weight.replace(" ", "") not in ("q=0", "q=0.0"))

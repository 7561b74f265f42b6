"""The page on the admin address: what the gate does at this moment, drawn without any request but to the gate.

Its policy admits the page's own script and style and nothing else, so that a name that found its way into a label could
at worst be read, never run.
"""

from collections.abc import Callable
from importlib.resources import files

from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from optout_gate.policy.load import Loaded
from optout_gate.telemetry.overview import overview

Entries = Callable[[], list[dict[str, object]]]
"""Returns the last decisions, as :mod:`optout_gate.telemetry.recent` tells them."""

FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def routes(registry: Callable[[], CollectorRegistry], loaded: Callable[[], Loaded], recent: Entries) -> list[Route]:
    """Return the page, its files, and ``/live.json`` with what it draws."""

    async def live(request: Request) -> Response:
        return JSONResponse(overview(registry(), loaded(), recent()), headers=HEADERS)

    folder = files("optout_gate.telemetry") / "page"
    served = [_file(path, (folder / name).read_bytes(), kind) for path, (name, kind) in FILES.items()]
    return [*served, Route("/live.json", live)]


def _file(path: str, body: bytes, kind: str) -> Route:
    async def answer(request: Request) -> Response:
        return Response(body, headers={**HEADERS, "Content-Type": kind})

    return Route(path, answer)

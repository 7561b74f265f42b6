"""The gate's own pages, all under one prefix of every site: surrogates, the preference page, the status."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from optout_gate.gate import Gate
from optout_gate.http import request_of
from optout_gate.pages import guard, preferences, surrogates
from optout_gate.pages.reports import Reports, Told
from optout_gate.rewrite.guard_rules import GUARD_PATH, REPORT_PATH
from optout_gate.rewrite.neutral import PREFIX

__all__ = ["PREFIX", "OwnPages"]

_PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c000000000100010000020144003b")
_FRAME = b"<!doctype html><title>Kept away</title>"


class OwnPages:
    """The pages as an ASGI application."""

    def __init__(self, gate: Callable[[], Gate], told: Told | None = None) -> None:
        """Take the gate at work, and who is told of browsers' reports; by default nobody."""
        self._gate = gate
        self._reports = Reports(told)
        self._app = Starlette(
            routes=[
                Route(f"{PREFIX}/s/{{name}}.js", self._surrogate, methods=["GET"]),
                Route(GUARD_PATH, self._guard, methods=["GET"]),
                Route(REPORT_PATH, self._report, methods=["POST"]),
                Route(preferences.PATH, self._preferences, methods=["GET"]),
                Route(f"{PREFIX}/opt-out", self._opt_out, methods=["POST"]),
                Route(f"{PREFIX}/opt-in", self._opt_in, methods=["POST"]),
            ],
        )

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Serve one request under the prefix."""
        await self._app(scope, receive, send)

    async def _surrogate(self, request: Request) -> Response:
        """Answer in place of a denied vendor with what the element or call that asked survives."""
        destination = request.headers.get("sec-fetch-dest", "script")
        cached = {
            "Cache-Control": "public, max-age=86400",
            "Vary": "Sec-Fetch-Dest",
            "X-Content-Type-Options": "nosniff",
        }
        if destination == "image":
            return Response(_PIXEL, media_type="image/gif", headers=cached)
        if destination in ("iframe", "frame", "document", "embed", "object"):
            return Response(_FRAME, media_type="text/html", headers=cached)
        if destination == "empty":
            return Response(status_code=204, headers=cached)
        return Response(surrogates.script(request.path_params["name"]), media_type="text/javascript", headers=cached)

    async def _guard(self, request: Request) -> Response:
        site = self._gate().site_for(request_of(request.scope).host)
        return guard.serve(request, site.guard) if site is not None else Response(status_code=421)

    async def _report(self, request: Request) -> Response:
        gate = self._gate()
        return await self._reports.take(request, gate.catalog, now=gate.clock())

    async def _preferences(self, request: Request) -> Response:
        exchange = self._gate().open(request_of(request.scope))
        return preferences.show(exchange) if exchange is not None else Response(status_code=421)

    async def _opt_out(self, request: Request) -> Response:
        return preferences.choose(request, self._gate(), out=True)

    async def _opt_in(self, request: Request) -> Response:
        return preferences.choose(request, self._gate(), out=False)

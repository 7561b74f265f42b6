"""The gate's own pages, all under one prefix of every site: surrogates, the preference page, the status."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from optout_gate.gate import Gate
from optout_gate.http import request_of
from optout_gate.pages import not_sent, preferences
from optout_gate.rewrite import surrogates
from optout_gate.rewrite.neutral import FORM, PREFIX

__all__ = ["PREFIX", "OwnPages"]

_PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c000000000100010000020144003b")
_FRAME = b"<!doctype html><title>Kept away</title>"

_FOR_GOOD = "public, max-age=31536000, immutable"  # the address holds the script's version
_FOR_NOW = "public, max-age=300"  # an address without it, or with one of another release of the gate

# What asks, by Sec-Fetch-Dest (Fetch §2.2.5), and what it can live with: (status, type, body). A denied address in an
# inline script may have been an image's, a frame's or a beacon's. Whatever is not here gets the script.
_BY_DESTINATION: Mapping[str, tuple[int, str, bytes]] = {
    "image": (200, "image/gif", _PIXEL),
    "iframe": (200, "text/html", _FRAME),
    "frame": (200, "text/html", _FRAME),
    "document": (200, "text/html", _FRAME),
    "embed": (200, "text/html", _FRAME),
    "object": (200, "text/html", _FRAME),
    "style": (200, "text/css", b""),
    "empty": (204, "", b""),  # fetch, XMLHttpRequest, sendBeacon
    "audio": (204, "", b""),
    "video": (204, "", b""),
    "track": (204, "", b""),
    "font": (204, "", b""),
    "json": (200, "application/json", b"{}"),
}


class OwnPages:
    """The pages as an ASGI application."""

    def __init__(self, gate: Callable[[], Gate]) -> None:
        self._gate = gate
        self._app = Starlette(
            routes=[
                Route(f"{PREFIX}/s/{{name}}.js", self._surrogate, methods=["GET", "POST"]),
                Route(FORM, self._not_sent, methods=["GET", "POST"]),
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
        name = request.path_params["name"]
        if name not in surrogates.names():
            return Response("No such stand-in.\n", 404, media_type="text/plain", headers={"Cache-Control": "no-store"})
        current = request.query_params.get("v") == surrogates.version(name)
        headers = {
            "Cache-Control": _FOR_GOOD if current else _FOR_NOW,
            "Vary": "Sec-Fetch-Dest",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-site",  # a page whose <base> leads to another host of the site
        }
        other = _BY_DESTINATION.get(request.headers.get("sec-fetch-dest", ""))
        if other is not None:
            status, media_type, body = other
            return Response(body or None, status, media_type=media_type or None, headers=headers)
        return Response(surrogates.read(name), media_type="text/javascript", headers=headers)

    async def _not_sent(self, request: Request) -> Response:
        return not_sent.show()

    async def _preferences(self, request: Request) -> Response:
        exchange = self._gate().open(request_of(request.scope))
        return preferences.show(exchange) if exchange is not None else Response(status_code=421)

    async def _opt_out(self, request: Request) -> Response:
        return preferences.choose(request, self._gate(), out=True)

    async def _opt_in(self, request: Request) -> Response:
        return preferences.choose(request, self._gate(), out=False)

"""The gate's own pages: everything under one prefix of every site, and what the configuration places elsewhere."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from optout_gate.choices.consumers import SignedIn
from optout_gate.exchange import Exchange
from optout_gate.gate import Gate
from optout_gate.http import request_of
from optout_gate.pages import gpc_json, guard, mirror, not_sent, preferences, status
from optout_gate.pages.choosing import cookie_value, set_cookie_lines, settle
from optout_gate.pages.own_page import sent_from_here
from optout_gate.pages.reports import Reports, Told
from optout_gate.policy.texts import preferred
from optout_gate.report import OUTCOME_FIELD, Outcome
from optout_gate.rewrite import modules, surrogates
from optout_gate.rewrite.guard_rules import BY_RULE, GUARD_PATH, MODULES_PATH, REPORT_PATH
from optout_gate.rewrite.neutral import FORM, PREFIX
from optout_gate.telemetry.choices import ChoiceMetrics

__all__ = ["PREFIX", "SIGNED_IN", "OwnPages"]

SIGNED_IN = "optout_gate.signed_in"
"""Where a door leaves the consumer who has signed in, a :class:`SignedIn`, in the ASGI scope."""

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

# A site's service worker that passes a request on makes it ``empty``, whatever it was for; what it accepts stays.
_BY_ACCEPT = (("text/html", "iframe"), ("image/", "image"), ("text/css", "style"))


_NOTHING_TO_DO = (OUTCOME_FIELD.lower(), Outcome.NOTHING_TO_DO.value.encode())


class OwnPages:
    """The pages as an ASGI application."""

    def __init__(
        self, gate: Callable[[], Gate], metrics: ChoiceMetrics | None = None, told: Told | None = None
    ) -> None:
        """Take where the gate is, what counts choices, and who is told of browsers' reports, if anybody is."""
        self._gate = gate
        self._metrics = metrics
        self._reports = Reports(told)
        self._app = Starlette(
            routes=[
                Route(f"{PREFIX}/s/{{name}}.js", self._surrogate, methods=["GET", "POST"]),
                Route(f"{PREFIX}/m/{{version}}/{{names}}.js", self._module, methods=["GET"]),
                Route(FORM, self._not_sent, methods=["GET", "POST"]),
                Route(GUARD_PATH, self._guard, methods=["GET"]),
                Route(MODULES_PATH, self._guard, methods=["GET"]),
                Route(mirror.PATH, self._mirror, methods=["GET"]),
                Route(REPORT_PATH, self._report, methods=["POST"]),
                Route(preferences.PATH, self._preferences, methods=["GET"]),
                Route(preferences.OPT_OUT, self._opt_out, methods=["POST"]),
                Route(preferences.OPT_IN, self._opt_in, methods=["POST"]),
                Route(status.PATH, self._status, methods=["GET"]),
            ],
        )

    def answer_to(self, path: str) -> bool:
        """Return True when a path (percent-escapes decoded) is the gate's own to answer."""
        if path.startswith(f"{PREFIX}/"):
            return True
        config = self._gate().config
        return path in config.preferences.paths or (path == gpc_json.PATH and config.gpc_json is not None)

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Serve one request for which :meth:`answer_to` is true."""
        path, send = _path(scope), self._marking(scope, send)
        if path.startswith(f"{PREFIX}/"):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        if request.method not in ("GET", "HEAD"):
            response = Response(status_code=405, headers={"Allow": "GET, HEAD"})
        elif path == gpc_json.PATH:
            response = self._gpc_json(request)
        else:
            response = await self._preferences(request)
        await response(scope, receive, send)

    def _marking(
        self, scope: MutableMapping[str, Any], send: Callable[[MutableMapping[str, Any]], Awaitable[None]]
    ) -> Callable[[MutableMapping[str, Any]], Awaitable[None]]:
        """Return ``send`` with ``Optout-Gate`` on the answer: the same for everyone, since some of them stand in caches."""
        site = self._gate().site_for(request_of(scope).host)
        if site is None or not site.config.outcome_header:
            return send

        async def marked(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], _NOTHING_TO_DO]}
            await send(message)

        return marked

    def _gpc_json(self, request: Request) -> Response:
        config = self._gate().config.gpc_json
        if config is None or self._gate().site_for(request_of(request.scope).host) is None:
            return Response(status_code=421)
        return Response(gpc_json.body(config), headers=gpc_json.HEADERS)

    async def _surrogate(self, request: Request) -> Response:
        """Answer in place of a denied vendor with what the element or call that asked survives."""
        name = request.path_params["name"]
        if name == BY_RULE:
            rule = self._gate().catalog.by_rule(request.query_params.get("rule", ""))
            name = rule.vendor.surrogate if rule is not None else None
        if name not in surrogates.names():
            return Response("No such stand-in.\n", 404, media_type="text/plain", headers={"Cache-Control": "no-store"})
        current = request.query_params.get("v") == surrogates.version(name)
        headers = {
            "Cache-Control": _FOR_GOOD if current else _FOR_NOW,
            "Vary": "Sec-Fetch-Dest, Sec-Fetch-Mode, Accept, Origin",  # all that _destination reads
            "X-Content-Type-Options": "nosniff",
            # For a sandboxed frame, which is of no site, and a page whose <base> leads to another host of this one.
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        other = _BY_DESTINATION.get(_destination(request))
        if other is not None:
            status, media_type, body = other
            return Response(body or None, status, media_type=media_type or None, headers=headers)
        return Response(surrogates.read(name), media_type="text/javascript", headers=headers)

    async def _module(self, request: Request) -> Response:
        """Answer in place of a denied vendor's module, with the exports that the page's own code imports."""
        body = modules.module(request.path_params["names"])
        if body is None:
            return Response("No such module.\n", 404, media_type="text/plain", headers={"Cache-Control": "no-store"})
        current = request.path_params["version"] == modules.VERSION
        headers = {
            "Cache-Control": _FOR_GOOD if current else _FOR_NOW,
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-site",
            "Access-Control-Allow-Origin": "*",  # modules are fetched with CORS, from a page under another host of the site too
        }
        return Response(body, media_type="text/javascript", headers=headers)

    async def _not_sent(self, request: Request) -> Response:
        return not_sent.show()

    async def _guard(self, request: Request) -> Response:
        site = self._gate().site_for(request_of(request.scope).host)
        if site is None:
            return Response(status_code=421)
        return await guard.serve(request, site.guards, MODULES_PATH if "modules" in request.url.path else GUARD_PATH)

    async def _mirror(self, request: Request) -> Response:
        return mirror.serve()

    async def _report(self, request: Request) -> Response:
        gate = self._gate()
        return await self._reports.take(request, gate.catalog, now=gate.clock())

    async def _preferences(self, request: Request) -> Response:
        gate, signed_in = self._gate(), _signed_in(request)
        exchange = _open(gate, request, signed_in)
        if exchange is None:
            return Response(status_code=421)
        chosen = request.query_params.get("chosen")
        chosen = chosen if chosen in ("out", "in") else None
        if self._metrics is not None and chosen and preferences.cookie_was_refused(exchange, chosen):
            self._metrics.cookie_refused(chosen)
        page, headers = preferences.render(
            exchange,
            gate.beside,
            gate.config.preferences,
            language=_language(request),
            path=_path(request.scope),
            chosen=chosen,
            signed_in=signed_in,
        )
        return HTMLResponse(page, headers=headers)

    async def _status(self, request: Request) -> Response:
        signed_in = _signed_in(request)
        exchange = _open(self._gate(), request, signed_in)
        return Response(status_code=421) if exchange is None else self._described(request, exchange, signed_in)

    def _described(self, request: Request, exchange: Exchange, signed_in: SignedIn | None) -> Response:
        texts = self._gate().beside.texts[_language(request)]
        described = status.describe(exchange, texts, signed_in=signed_in is not None)
        return JSONResponse(described, headers=preferences.HEADERS)

    async def _opt_out(self, request: Request) -> Response:
        return await self._choose(request, out=True)

    async def _opt_in(self, request: Request) -> Response:
        return await self._choose(request, out=False)

    async def _choose(self, request: Request, *, out: bool) -> Response:
        """Keep a choice and lead back to the page, or answer with JSON where that was asked for."""
        gate, signed_in, head = self._gate(), _signed_in(request), request_of(request.scope)
        exchange = _open(gate, request, signed_in)
        if exchange is None:
            return Response(status_code=421)
        language = _language(request)
        here = sent_from_here(head.headers, authority=head.authority, scheme=head.scheme)
        if here is False or (here is None and not out):
            if self._metrics is not None:
                self._metrics.cross_site("out" if out else "in")
            return PlainTextResponse(f"{gate.beside.texts[language]['not_from_here']}\n", 403)
        if self._metrics is not None:
            self._metrics.chosen("out" if out else "in")
        told = preferences.TOLD in request.query_params
        value = cookie_value(exchange, out=out, told=told, today=datetime.now(UTC).date())
        after = await settle(gate, head, exchange, signed_in, out=out, value=value)
        if "application/json" in request.headers.get("accept", ""):
            response = self._described(request, after, signed_in)
        else:
            stands_at = (*gate.config.preferences.paths, preferences.PATH)
            page = request.query_params.get("page")
            back = urlencode({"chosen": "out" if out else "in", "lang": language})
            where = page if page in stands_at else stands_at[0]
            response = RedirectResponse(f"{where}?{back}", 303, headers=preferences.HEADERS)
        secure = request.url.scheme == "https"
        for line in set_cookie_lines(gate.config.cookie, value, secure=secure):
            response.headers.append("Set-Cookie", line)
        if out and secure:  # pages kept from before the choice would bring the trackers back
            response.headers["Clear-Site-Data"] = '"cache"'
        return response


def _open(gate: Gate, request: Request, signed_in: SignedIn | None) -> Exchange | None:
    return gate.open(request_of(request.scope), signed_in.signal if signed_in is not None else None)


def _signed_in(request: Request) -> SignedIn | None:
    found = request.scope.get(SIGNED_IN)
    return found if isinstance(found, SignedIn) else None


def _language(request: Request) -> str:
    return preferred(request.headers.getlist("accept-language"), chosen=request.query_params.get("lang"))


def _path(scope: MutableMapping[str, Any]) -> str:
    """Return the path as it is routed: what the application is mounted under left away."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def _destination(request: Request) -> str:
    """Return what an answer is for, in the words of ``Sec-Fetch-Dest``; for a page behind a service worker, by its other fields."""
    said = request.headers.get("sec-fetch-dest", "")
    if said != "empty" or request.method != "GET":
        return said
    accept = request.headers.get("accept", "")
    for start, destination in _BY_ACCEPT:
        if accept.startswith(start):
            return destination
    # To its own host, a page's fetch and XMLHttpRequest say `cors` and no Origin; a script says `no-cors`, or `cors` and Origin.
    is_fetch = request.headers.get("sec-fetch-mode") == "cors" and "origin" not in request.headers
    return said if is_fetch else "script"

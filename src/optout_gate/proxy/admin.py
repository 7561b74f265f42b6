"""The admin address: a page to look at, metrics and health, for operators. Never on the visitors' address."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from optout_gate import __version__
from optout_gate.policy.load import Loaded
from optout_gate.proxy import admin_page
from optout_gate.proxy.admin_choices import AdminChoices


class Admin:
    """The admin address as an ASGI application."""

    def __init__(
        self,
        registry: Callable[[], CollectorRegistry],
        ready: Callable[[], str | None],
        loaded: Callable[[], Loaded],
        recent: admin_page.Entries,
    ) -> None:
        """Take where metrics, configuration and last decisions are, and what says why the gate is not ready, if so."""
        self._registry = registry
        self._ready = ready
        self._choices = AdminChoices(loaded)
        self.app = Starlette(
            routes=[
                Route("/metrics", self._metrics),
                Route("/healthz", self._health),
                Route("/readyz", self._readiness),
                Route("/version", self._version),
                *admin_page.routes(registry, loaded, recent),
                *self._choices.routes,
            ]
        )

    async def close(self) -> None:
        """Let go of what the addresses hold open."""
        await self._choices.close()

    def _metrics(self, request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self._registry()), headers={"Content-Type": content_type})

    async def _health(self, request: Request) -> Response:
        """Answer, which is the whole proof: the event loop is alive."""
        return PlainTextResponse("ok\n")

    async def _readiness(self, request: Request) -> Response:
        """Say whether traffic may come. The origin's health is not asked, lest its outage remove every gate."""
        why_not = self._ready()
        return PlainTextResponse("ready\n") if why_not is None else PlainTextResponse(f"{why_not}\n", 503)

    async def _version(self, request: Request) -> Response:
        return JSONResponse({"name": "optout-gate", "version": __version__})

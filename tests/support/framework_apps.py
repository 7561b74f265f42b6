"""The same small site in every framework that the middleware promises to serve, one under each first path segment.

Started by a real server in a process of its own: ``uvicorn support.framework_apps:app``. Each site has ``page``,
``slow`` (a page in two halves with a pause between them, the first longer than the gate holds back), ``file`` (a page sent as a
file), ``broken`` (dies half-way) and ``template`` (leaves its tag out by itself).
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from optout_gate.middleware import OptOutGateMiddleware
from optout_gate.policy.choice import choice_of
from support.gates import gate

PAGE = b'<!doctype html><p>Hello</p><script src="https://ads.test/t.js"></script>'
LONG = b"<p>" + b"x" * 70_000 + b"</p>"
PAUSE_S = 0.5
GATE = gate()

FILE = Path(tempfile.gettempdir()) / "optout-gate-framework-page.html"
FILE.write_bytes(PAGE)


def tag(scope: Any) -> str:
    """Return what the template puts in: the tag, or nothing for a visitor to whom its vendor is denied."""
    choice = choice_of(scope)
    assert choice is not None
    return "<b>left out by the template</b>" if choice.denies("test-ads") else "<b>put in by the template</b>"


async def slowly() -> AsyncIterator[bytes]:
    yield PAGE + LONG
    await asyncio.sleep(PAUSE_S)
    yield PAGE


seen = asyncio.Event()
"""Set by who has seen the shell of a page."""


async def shell() -> AsyncIterator[bytes]:
    """Yield a page whose rest comes when its beginning was seen; its encoding has to be told beside it."""
    yield PAGE
    await seen.wait()
    seen.clear()
    yield PAGE


async def breaking() -> AsyncIterator[bytes]:
    yield PAGE + LONG
    raise RuntimeError("the application died half-way, as the test wants it to")


def starlette_site(*, bare: bool = False) -> ASGIApp:
    """Return the site; ``bare`` is without the middleware, for a gate that stands elsewhere."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import FileResponse, HTMLResponse, Response, StreamingResponse
    from starlette.routing import Route, WebSocketRoute
    from starlette.websockets import WebSocket

    async def page(request: Request) -> Response:
        return HTMLResponse(PAGE)

    async def slow(request: Request) -> Response:
        return StreamingResponse(slowly(), media_type="text/html")

    async def shell_page(request: Request) -> Response:
        return StreamingResponse(shell(), media_type="text/html")

    async def shell_seen(request: Request) -> Response:
        seen.set()
        return Response(status_code=204)

    async def file(request: Request) -> Response:
        return FileResponse(FILE, media_type="text/html")

    async def broken(request: Request) -> Response:
        return StreamingResponse(breaking(), media_type="text/html")

    async def template(request: Request) -> Response:
        return HTMLResponse(tag(request.scope))

    async def version(request: Request) -> Response:
        return HTMLResponse(PAGE, headers={"X-Version": request.scope["http_version"]})

    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())
        await websocket.close()

    sites = {
        "page": page,
        "slow": slow,
        "shell": shell_page,
        "seen": shell_seen,
        "file": file,
        "broken": broken,
        "template": template,
        "version": version,
    }
    routes = [Route(f"/starlette/{name}", endpoint) for name, endpoint in sites.items()]
    app = Starlette(routes=[*routes, WebSocketRoute("/starlette/echo", echo)])
    if not bare:
        app.add_middleware(OptOutGateMiddleware, config=GATE)
    return app


def fastapi_site() -> ASGIApp:
    from fastapi import BackgroundTasks, FastAPI, Request
    from fastapi.responses import FileResponse, HTMLResponse, StreamingResponse

    app = FastAPI()
    app.add_middleware(OptOutGateMiddleware, config=GATE)
    done: list[str] = []

    @app.get("/fastapi/page", response_class=HTMLResponse)
    async def page(tasks: BackgroundTasks) -> bytes:
        tasks.add_task(done.append, "after the page")
        return PAGE

    @app.get("/fastapi/background")
    async def background() -> list[str]:
        return done

    @app.get("/fastapi/slow")
    async def slow() -> StreamingResponse:
        return StreamingResponse(slowly(), media_type="text/html")

    @app.get("/fastapi/file")
    async def file() -> FileResponse:
        return FileResponse(FILE, media_type="text/html")

    @app.get("/fastapi/broken")
    async def broken() -> StreamingResponse:
        return StreamingResponse(breaking(), media_type="text/html")

    @app.get("/fastapi/template", response_class=HTMLResponse)
    async def template(request: Request) -> str:
        return tag(request.scope)

    return app


def django_site() -> ASGIApp:
    import django
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
    from django.urls import path

    def page(request: HttpRequest) -> HttpResponse:
        return HttpResponse(PAGE)

    def slow(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(slowly(), content_type="text/html")

    def file(request: HttpRequest) -> FileResponse:
        return FileResponse(FILE.open("rb"), content_type="text/html")

    def broken(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(breaking(), content_type="text/html")

    def template(request: HttpRequest) -> HttpResponse:
        return HttpResponse(tag(request.scope))

    views: dict[str, Any] = {"page": page, "slow": slow, "file": file, "broken": broken, "template": template}
    settings.configure(
        ALLOWED_HOSTS=["*"], ROOT_URLCONF="support.django_urls", SECRET_KEY="a test's", LOGGING_CONFIG=None
    )
    urls: Any = type(sys)("support.django_urls")
    urls.urlpatterns = [path(f"django/{name}", view) for name, view in views.items()]
    sys.modules["support.django_urls"] = urls
    django.setup()
    return OptOutGateMiddleware(get_asgi_application(), GATE)


def flask_site() -> ASGIApp:
    from a2wsgi import WSGIMiddleware
    from flask import Flask, Response, request, send_file

    app = Flask("flask_site")

    def halves() -> Iterator[bytes]:
        yield PAGE + LONG
        time.sleep(PAUSE_S)
        yield PAGE

    def dying() -> Iterator[bytes]:
        yield PAGE + LONG
        raise RuntimeError("the application died half-way, as the test wants it to")

    @app.get("/flask/page")
    def page() -> bytes:
        return PAGE

    @app.get("/flask/slow")
    def slow() -> Response:
        return Response(halves(), mimetype="text/html")

    @app.get("/flask/file")
    def file() -> Response:
        return send_file(FILE, mimetype="text/html")

    @app.get("/flask/broken")
    def broken() -> Response:
        return Response(dying(), mimetype="text/html")

    @app.get("/flask/template")
    def template() -> str:
        return tag(request.environ["asgi.scope"])

    wsgi = WSGIMiddleware(app.wsgi_app)  # type: ignore[arg-type]  # the two packages type WSGI apart
    return OptOutGateMiddleware(wsgi, GATE)


SITES = {"starlette": starlette_site(), "fastapi": fastapi_site(), "django": django_site(), "flask": flask_site()}


bare = starlette_site(bare=True)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the site that the first path segment names."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    first = scope["path"].split("/")[1]
    await SITES.get(first, SITES["starlette"])(scope, receive, send)

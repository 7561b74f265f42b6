"""The demo site: a fictional health insurer, tagged as real ones are.

``optout-gate demo`` puts this application behind the gate. It is an origin like any other and knows nothing of the
gate: the pages lie as files in ``pages/`` with their vendors' tags as the vendors publish them (every account
number a dummy), and the leaks that do not stand in a page are made here, ``Link`` fields and server-set tracking
cookies. What is planted where is written down in :mod:`optout_gate.demo.manifest`.

The pages need no third party and no network. A browser that opens them without the gate will try to reach the
vendors, though: that is the point, so keep it on a machine where those names lead nowhere.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

PAGES: Mapping[str, str] = {
    "/": "home",
    "/find-a-doctor": "find-a-doctor",
    "/conditions/diabetes": "diabetes",
    "/enroll": "enroll",
    "/enroll/thanks": "thanks",
    "/login": "login",
    "/member": "member",
    "/wellness": "wellness",
}
"""Path of each page, and the name of its file in ``pages/``."""

MEDIA_TYPES: Mapping[str, str] = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

LINKS: Mapping[str, tuple[str, ...]] = {
    "/": (
        # two tags and the site's own stylesheet in one field line: only the last may stay
        "<https://www.googletagmanager.com>; rel=preconnect, <https://connect.facebook.net>; rel=preconnect; "
        "crossorigin, </assets/juniper.css>; rel=preload; as=style",
        "<https://static.hotjar.com/c/hotjar-0000000.js?sv=6>; rel=preload; as=script",
        "<https://fonts.gstatic.com>; rel=preconnect; crossorigin",
    ),
    "/conditions/diabetes": ("<//analytics.tiktok.com>; rel=dns-prefetch",),
    "/enroll": ("<https://snap.licdn.com/li.lms-analytics/insight.min.js>; rel=preload; as=script",),
    "/member": ("<https://edge.fullstory.com>; rel=preconnect; crossorigin=anonymous",),
}
"""``Link`` field lines of a page, as a CDN or a framework adds them."""

COOKIES: tuple[str, ...] = (
    "juniper_session=demo; Path=/; HttpOnly; SameSite=Lax",  # the site's own: must stay
    "_ga=GA1.1.0000000000.0000000000; Path=/; Max-Age=63072000; SameSite=Lax",  # server-side GTM sets the rest
    "_ga_DEMO000000=GS1.1.0000000000.1.0.0000000000.0.0.0; Path=/; Max-Age=63072000; SameSite=Lax",
    "_gcl_au=1.1.0000000000.0000000000; Path=/; Max-Age=7776000; SameSite=Lax",
    "_fbp=fb.1.0000000000000.0000000000; Path=/; Max-Age=7776000; SameSite=Lax",
    "_uetsid=00000000000000000000000000000000; Path=/; Max-Age=86400; SameSite=Lax",
    "ajs_anonymous_id=00000000-0000-4000-8000-000000000000; Path=/; Max-Age=31536000; SameSite=Lax",
    # Opt-out strings, as a consent platform keeps them for a visitor who has not opted out; deaf to the signal.
    "usprivacy=1YNN; Path=/; Max-Age=31536000; SameSite=Lax",
    "__gpp=DBABLA~BVQqAAAAAgA.QA; Path=/; Max-Age=31536000; SameSite=Lax",
    "__gpp_sid=7; Path=/; Max-Age=31536000; SameSite=Lax",
    "OptanonConsent=isGpcEnabled=0&datestamp=Mon+Nov+23+2026&version=202209.1.0&browserGpcFlag=0&isIABGlobal=false"
    "&hosts=&consentId=00000000-0000-4000-8000-000000000000&interactionCount=1&landingPath=NotLandingPage"
    "&groups=C0001%3A1%2CC0002%3A1%2CC0003%3A1%2CC0004%3A1%2CC0005%3A1; Path=/; Max-Age=31536000; SameSite=Lax",
    "OneTrustWPCCPAGoogleOptOut=false; Path=/; Max-Age=31536000; SameSite=Lax",
)
"""``Set-Cookie`` field lines of every page."""

BEACON = "/metrics/g/collect?v=2&tid=G-DEMO000000&cid=0.0&en=page_view"
"""A page view as the site's tag would send it through the site's own host, where a server-side container listens."""

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "/enroll": ("first_name", "last_name", "email", "zip", "plan"),
    "/login": ("member", "password"),
}
"""Fields that a form must bring."""

NEXT: Mapping[str, str] = {"/enroll": "/enroll/thanks", "/login": "/member"}
"""Where a good form leads. 303, so that a reload does not send it again."""

HIDDEN_NOTICE = b'id="form-notice" role="alert" hidden'
SHOWN_NOTICE = b'id="form-notice" role="alert"'


def site() -> Starlette:
    """Return the demo site as an ASGI application. Keeps no state."""
    return Starlette(
        routes=[
            *(Route(path, show) for path in PAGES),
            *(Route(path, accept, methods=["POST"]) for path in REQUIRED),
            Route("/api/doctors", find_doctors),
            Route(BEACON.partition("?")[0], collect, methods=["GET", "POST"]),
            Route("/assets/{name}", asset),
        ],
        exception_handlers={404: not_found},
    )


async def show(request: Request) -> Response:
    """Return the page of the request's path, or a 304."""
    path = request.url.path
    response = _html(path, _bytes(f"pages/{PAGES[path]}.html"))
    response.headers["cache-control"] = "private, no-cache"  # kept by the browser, asked for again each time
    return _revalidated(request, response)


async def accept(request: Request) -> Response:
    """Return the way on, or the form again with its notice when a field is missing."""
    path = request.url.path
    fields = parse_qs((await request.body()).decode("utf-8", "replace"))
    if all(fields.get(name, [""])[0].strip() for name in REQUIRED[path]):
        return RedirectResponse(NEXT[path], status_code=303)
    body = _bytes(f"pages/{PAGES[path]}.html").replace(HIDDEN_NOTICE, SHOWN_NOTICE)
    return _html(path, body, status=422)


async def collect(request: Request) -> Response:
    """Return what a server-side container does once it has passed the visit on."""
    return Response("collected\n", media_type="text/plain", headers={"cache-control": "no-store"})


async def find_doctors(request: Request) -> Response:
    """Return the doctors that match every given part of the query, as JSON.

    A ZIP code matches by its first three digits: the region, as directories do.
    """
    words = request.query_params.get("q", "").lower().split()
    specialty = request.query_params.get("specialty", "")
    region = request.query_params.get("zip", "")[:3]
    found = [
        doctor
        for doctor in _doctors()
        if all(word in json.dumps(doctor, ensure_ascii=False).lower() for word in words)
        and specialty in ("", doctor["specialty"])
        and doctor["zip"].startswith(region)
    ]
    return JSONResponse({"doctors": found}, headers={"cache-control": "no-store"})


async def asset(request: Request) -> Response:
    """Return a stylesheet, script or image of the site."""
    name = request.path_params["name"]
    media_type = MEDIA_TYPES.get(name.rpartition(".")[2])
    if media_type is None or not (files(__package__) / "assets" / name).is_file():
        raise HTTPException(404)
    headers = {"content-type": media_type, "cache-control": "public, max-age=300"}
    return _revalidated(request, Response(_bytes(f"assets/{name}"), headers=headers))


async def not_found(request: Request, error: Exception) -> Response:
    """Return the page that says that there is none."""
    return _html(request.url.path, _bytes("pages/not-found.html"), status=404)


def _html(path: str, body: bytes, status: int = 200) -> Response:
    response = Response(body, status_code=status, media_type="text/html")
    for line in LINKS.get(path, ()):
        response.headers.append("link", line)
    for line in COOKIES:
        response.headers.append("set-cookie", line)
    response.headers["content-language"] = "en-US"
    return response


def _revalidated(request: Request, response: Response) -> Response:
    """Return ``response`` under an entity tag, or a 304 when the browser says that it has it."""
    etag = f'"{hashlib.sha256(response.body).hexdigest()[:16]}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"etag": etag, "cache-control": response.headers["cache-control"]})
    response.headers["etag"] = etag
    return response


@cache
def _bytes(name: str) -> bytes:
    return (files(__package__) / name).read_bytes()


@cache
def _doctors() -> list[dict[str, Any]]:
    doctors: list[dict[str, Any]] = json.loads(_bytes("doctors.json"))
    return doctors

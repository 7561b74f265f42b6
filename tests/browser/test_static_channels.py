"""Ways of naming a denied host that Chromium follows without a script of the page's: with the gate, none of them is left.

The guard is taken out of the page here: what is shown is what the rewriter does by itself. Each way is in the page as it
came, too, where the third party hears of it, so that none of these cases stands for a request that nobody makes.
"""

import re
from base64 import b64encode
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from optout_gate import http
from support.browsers import chromium, served
from support.gates import OPTED_OUT, drive, gate_of_tests
from support.third_party import ThirdParty

pytestmark = pytest.mark.browser


def hit(name: str, end: str) -> str:
    return f"http://ads.test/hit/{name}/x.{end}"


def sheet(name: str) -> str:
    return f"body{{background:url({hit(name, 'gif')})}}"


WAYS = {
    "css-escaped-url": "<style>body{{background:u\\rl({gif})}}</style>",
    "css-escaped-function": "<style>u{{background:image\\-set('{gif}' 1x)}}</style><u>u</u>",
    "css-escaped-import": "<style>@\\69mport '{css}';</style>",
    "css-semicolon": "<style>b{{background:image-set(url('/a;b') 9x, '{gif}' 1x)}}</style><b>b</b>",
    "css-long-comment": f"<style>@import /*{'-' * 2000}*/ '{{css}}';</style>",
    "css-unclosed": "<style>@import '{css}</style>",
    "css-property": "<style>:root{{--a:'{gif}'}} i{{background:image-set(var(--a) 1x)}}</style><i>i</i>",
    "svg-style": "<svg><style>@import 'http&#58;//ads.test/hit/svg-style/x.css';</style></svg>",
    "svg-script": "<svg><script>import('http:&#47;/ads.test/hit/svg-script/x.js')</script></svg>",
    "data-frame": '<iframe src="data:text/html,<img src={gif}>"></iframe>',
    "data-object": "<object data=\"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'>"
    "<image href='{gif}'/></svg>\"></object>",
    "data-sheet": f'<link rel=stylesheet href="data:text/css;base64,{b64encode(sheet("data-sheet").encode()).decode()}">',
    "data-import": "<style>@import \"data:text/css,@import '{css}'\";</style>",
    "data-script": "<script src=\"data:text/javascript,import('{js}')\"></script>",
    "svg-shown": '<iframe src="{files}/svg-shown.svg"></iframe>',
    "xml-shown": '<iframe src="{files}/xml-shown.xml"></iframe>',
    "xsl-shown": '<iframe src="{files}/xsl-shown.xsl"></iframe>',
    "base-looked-ahead-for": "<iframe src='{files}/base-looked-ahead-for.html'></iframe>",
    "base-in-a-template": "<iframe src='{files}/base-in-a-template.html'></iframe>",
    "untyped-sheet": '<link rel=stylesheet href="{files}/untyped-sheet">',
    "import-map": '<script type=importmap>{{"imports":{{"kit":"{js}"}}}}</script>'
    "<script type=module>import * as kit from 'kit'; kit.start; document.title += ' mapped'</script>",
    "commented-import": "<script type=module>import {{}} from /* here */ '{js}'; document.title += ' imported'</script>",
}
FILES = {
    "svg-shown.svg": (
        "image/svg+xml",
        f"<svg xmlns='http://www.w3.org/2000/svg'><image href='{hit('svg-shown', 'gif')}'/></svg>",
    ),
    "xml-shown.xml": (
        "application/xml",
        f"<html xmlns='http://www.w3.org/1999/xhtml'><img src='{hit('xml-shown', 'gif')}'/></html>",
    ),
    "xsl-shown.xsl": ("text/xsl", f"<html><body><img src='{hit('xsl-shown', 'gif')}'>"),
    "base-looked-ahead-for.html": (
        "text/html",
        "<base href='http://[none'><base href='http://ads.test/hit/base-looked-ahead-for/'><img src=x.gif>",
    ),
    "base-in-a-template.html": (
        "text/html",
        "<template><base href=/></template><base href='http://ads.test/hit/base-in-a-template/'><img src=x.gif>",
    ),
    "untyped-sheet": ("text/plain", sheet("untyped-sheet")),
}


def body_of(path: str) -> tuple[str, str]:
    """Return the type and text at a path under ``/raw`` or ``/gated``; the page has no doctype, so it is in quirks mode."""
    side, _, name = path.removeprefix("/").partition("/")
    if name:
        return FILES[name]
    ways = [
        way.format(files=f"/{side}", **{end: hit(name, end) for end in ("gif", "css", "js")})
        for name, way in WAYS.items()
    ]
    return "text/html; charset=utf-8", "<html><head><title>ran</title></head><body>" + "\n".join(ways)


async def answer(request: Request) -> Response:
    kind, text = body_of(request.url.path)
    if request.url.path.startswith("/raw"):
        return Response(text, media_type=kind)
    host = request.headers["host"]
    lines = [(b"Host", host.encode()), (b"Sec-Fetch-Dest", request.headers["sec-fetch-dest"].encode()), OPTED_OUT]
    exchange = gate_of_tests().open(http.Request("GET", "http", host, request.url.path.encode(), http.Headers(lines)))
    assert exchange is not None
    _, body = drive(exchange, text.encode(), (b"Content-Type", kind.encode()))
    return Response(
        re.sub(rb"<script[^>]* src=\"/_optout/(?:guard|modules)\.js[^>]*></script>", b"", body), media_type=kind
    )


async def module(request: Request) -> Response:
    names = request.path_params["names"].removesuffix(".js").split(".")
    text = "const a = 0; export { " + ", ".join(f"a as {name}" for name in names) + " }"
    return Response(text, media_type="text/javascript")


@pytest.fixture(scope="module")
def browser(third_party: ThirdParty) -> Iterator[Browser]:
    rules = f"MAP *.test:80 127.0.0.1:{third_party.port}, MAP *.test ~NOTFOUND"
    with chromium(f"--host-resolver-rules={rules}") as running:
        yield running


def test_no_way_that_chromium_follows_leads_to_a_denied_host(browser: Browser, third_party: ThirdParty) -> None:
    site = Starlette(
        routes=[
            Route("/_optout/m/{version}/{names}", module),
            *(Route(f"/{side}{rest}", answer) for side in ("raw", "gated") for rest in ("", "/{name}")),
        ]
    )
    with served(site) as port:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"http://site.localhost:{port}/raw", timeout=60_000)
        for _ in range(600):  # some are asked for behind the page's load event
            if WAYS.keys() <= third_party.hits:
                break
            page.wait_for_timeout(100)
        assert third_party.hits == WAYS.keys()
        context.close()

        third_party.hits.clear()
        context = browser.new_context()
        page = context.new_page()
        thrown: list[str] = []
        page.on("pageerror", lambda error: thrown.append(str(error)))
        page.goto(f"http://site.localhost:{port}/gated", timeout=60_000)
        page.wait_for_function("document.title === 'ran mapped imported'", timeout=60_000)
        assert third_party.hits == set()
        assert thrown == []
        context.close()

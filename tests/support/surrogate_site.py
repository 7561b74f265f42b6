"""A site on loopback whose pages use a vendor through its surrogate, under a Content-Security-Policy without eval."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

from optout_gate.rewrite import surrogates
from support.surrogate_cases import Case

Mode = Literal["bootstrap", "bare", "twice"]
"""Behind the vendor's bootstrap; ``<script src>`` alone; behind the bootstrap and then twice more."""

_PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>{title}</title><script nonce="page">
window.counts = {{}}; window.held = {{}};
window.seen = function (name, right) {{
  return function () {{
    if (right && !right.apply(null, arguments)) throw new Error(name + ' got ' + [].join.call(arguments));
    counts[name] = (counts[name] || 0) + 1;
    if (location.search === '?throwing') throw new Error('of the page');
  }};
}};
window.before = window.added = undefined;
</script>{head}</head><body><p>What the visitor came for.</p>{body}
<form action="/submitted" target="sink"><button id="submit" name="q" value="1">Send</button></form>
<iframe name="sink" title="answer"></iframe><a id="link" href="/outbound">Out</a>
<script nonce="page">
window.use = function () {{
{use}
}};
window.waits = function () {{
{wait}
}};
document.forms[0].addEventListener('submit', function () {{ use(); }});
document.getElementById('link').addEventListener('click', function (event) {{
  var link = this, go = function () {{ location.href = link.href; }};
  {prevent}
{link}
}});
</script></body></html>"""


def page(case: Case, mode: Mode, script: str) -> str:
    """Return the page of a case, in a mode, that loads ``script``."""
    inline = '<script nonce="page">\n{}\n</script>'.format
    tag = f'<script src="{script}"></script>'
    if mode == "bare":
        head = [
            inline("before = Object.getOwnPropertyNames(window);"),
            tag,
            inline("added = Object.getOwnPropertyNames(window).filter(n => !before.includes(n));"),
        ]
    elif case.address:
        head = [inline(case.neutralised(script)), inline(case.early)]
    else:
        head = [inline(case.bootstrap), tag.replace(" src", " async src"), inline(case.early)]
    return _PAGE.format(
        title=case.name,
        head="".join([*head, tag, tag] if mode == "twice" else head),
        body=case.body,
        use=case.use,
        wait=case.wait,
        link=case.link or case.use,
        prevent="event.preventDefault();" if "go" in case.link else "",
    )


class Site:
    """The site while it is up; ``pages`` is what it serves, by path."""

    def __init__(self, origin: str, pages: dict[str, Case]) -> None:
        self.origin = origin
        self._pages = pages

    def url(self, case: Case, mode: Mode, *, script: str | None = None) -> str:
        """Return the address of a case's page; with ``script``, that surrogate stands in the place of its own."""
        self._pages[case.name] = case
        return f"{self.origin}/page/{mode}/{case.name}/{script or case.name}"


@contextmanager
def serving() -> Iterator[Site]:
    """Serve pages and surrogates on loopback until the block ends."""
    pages: dict[str, Case] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = urlsplit(self.path).path.split("/")[1:]
            status, kind, body, policy = 200, "text/html; charset=utf-8", b"<!doctype html><title>there</title>", ""
            match path:
                case ["_optout", "s", file]:
                    kind, body = "text/javascript; charset=utf-8", surrogates.read(file.removesuffix(".js"))
                case ["page", "bootstrap" | "bare" | "twice" as mode, name, script]:
                    case = pages[name]
                    body = page(case, mode, f"/_optout/s/{script}.js").encode()
                    policy = (
                        f"default-src 'none'; script-src 'self' 'nonce-page'{' ' if case.needs_eval else ''}"
                        f"{chr(39) + 'unsafe-eval' + chr(39) if case.needs_eval else ''}; "
                        "style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'"
                    )
                case ["submitted" | "outbound"]:
                    pass
                case _:
                    status = 404
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if policy:
                self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: pytest's output is for failures."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Site(f"http://127.0.0.1:{server.server_port}", pages)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

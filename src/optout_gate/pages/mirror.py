"""The mirror's script over HTTP: what a consent platform knows only in the browser, made cookies the gate can read.

A site puts the tag on its pages itself. The gate never does: it would have to touch pages of visitors who said nothing.
So the address is typed once, by hand, and carries no version; ``docs/mirror.md`` explains the script line by line, since
its size leaves no room for comments.
"""

from functools import cache
from importlib.resources import files

from starlette.responses import Response

from optout_gate.rewrite.neutral import PREFIX

PATH = f"{PREFIX}/mirror.js"

MAX_BYTES = 1024  # it stands on every page of a site, before any choice is known

_HEADERS = {
    "Content-Type": "text/javascript; charset=utf-8",
    "Cache-Control": "public, max-age=86400",  # no version in the address: a day after an update, everyone has the new one
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-site",  # a page whose <base> leads to another host of the site
}


@cache
def script() -> bytes:
    """Return the script as it stands in the package."""
    return files("optout_gate.browser").joinpath("mirror.js").read_bytes()


def serve() -> Response:
    """Return the script, the same for everyone; it sets no cookie and depends on none."""
    return Response(script(), headers=_HEADERS)

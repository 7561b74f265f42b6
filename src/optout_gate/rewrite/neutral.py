"""What takes the place of a reference that must not be followed.

Chosen so that the page goes on: a script's ``load`` event fires, an image has pixels, nothing that page code holds in
its hands disappears. An element is never removed, since a framework that hydrates counts them.
"""

from base64 import b64decode
from functools import cache

from optout_gate.policy.decision import Verdict
from optout_gate.rewrite import surrogates

PREFIX = "/_optout"
"""Path under which everything of the gate's own stands, on every site."""

PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
"""A transparent GIF of 1×1: an image's ``load`` fires, and no request is made."""

GIF = b64decode(PIXEL.partition(",")[2])
"""The same, as it goes over the wire."""

FRAME = "about:blank"

FORM = f"{PREFIX}/not-sent"
"""Where a form of a denied vendor's leads: a page of the gate's own that says that nothing was sent."""

CSS_URL = "about:invalid"
"""CSS Values 4 §4.4.1: a resource that is known not to exist."""

HOST = "optout-gate.invalid"
"""A host that never resolves (RFC 6761 §6.4), for script text that puts its URL together itself."""

MARK = "data-optout-gate"
"""Attribute that names the vendor on an element that was changed, for whoever reads the page's source."""

GENERIC = "generic"
"""The surrogate of vendors whose code no page calls."""


def stand_in(verdict: Verdict, origin: str = "") -> str:
    """Return the address of the script that stands in for a denied vendor's.

    The version in it lets browsers keep the script for good. What follows a ``#`` in it never leaves the browser, so
    whoever glues a query to this puts a ``#`` between: one cached script serves every account number. ``origin`` is
    the site's, for a page whose ``<base>`` leads elsewhere.
    """
    return origin + _path(verdict.vendor.surrogate or GENERIC)


@cache
def _path(name: str) -> str:
    if name not in surrogates.names():
        name = GENERIC  # an operator's own entry may name one that is not there
    return f"{PREFIX}/s/{name}.js?v={surrogates.version(name)}"

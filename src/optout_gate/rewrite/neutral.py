"""What takes the place of a reference that must not be followed.

Chosen so that the page goes on: a script's ``load`` event fires, an image has pixels, nothing that page code holds in
its hands disappears. An element is never removed, since a framework that hydrates counts them.
"""

from optout_gate.policy.decision import Verdict

PREFIX = "/_optout"
"""Path under which everything of the gate's own stands, on every site."""

PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
"""A transparent GIF of 1×1: an image's ``load`` fires, and no request is made."""

FRAME = "about:blank"

CSS_URL = "about:invalid"
"""CSS Values 4 §4.4.1: a resource that is known not to exist."""

HOST = "optout-gate.invalid"
"""A host that never resolves (RFC 6761 §6.4), for script text that puts its URL together itself."""

MARK = "data-optout-gate"
"""Attribute that names the vendor on an element that was changed, for whoever reads the page's source."""


def stand_in(verdict: Verdict) -> str:
    """Return the path of the script that stands in for a denied vendor's."""
    return f"{PREFIX}/s/{verdict.vendor.surrogate or 'generic'}.js"

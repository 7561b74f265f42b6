"""The same page once more, asked for without any opt-out, and what differs: ``optout.compare``."""

from mitmproxy import http as mitm

from optout_gate.http import Headers
from optout_gate.mitm import marked_page, messages
from optout_gate.mitm.view import decoded
from optout_gate.signals import gpc

METADATA = "optout_gate_compare"
"""Key of ``flow.metadata`` on the second request: the first flow's id. Such a flow passes the gate untouched."""

DIFFERENCE = "optout_gate_difference"
"""Key of ``flow.metadata`` on the second request once it is answered: the lines that differ."""


def without_signals(flow: mitm.HTTPFlow, cookie_name: str) -> mitm.HTTPFlow:
    """Return a copy of ``flow`` that asks for the page as a visitor does who said nothing."""
    again: mitm.HTTPFlow = flow.copy()
    headers = Headers(again.request.headers.fields).without([gpc.FIELD, b"dnt"])
    cookies = headers.values(b"cookie")
    if cookies:
        prefix = cookie_name.encode() + b"="
        crumbs = [crumb.strip() for line in cookies for crumb in line.split(b";")]
        kept = b"; ".join(crumb for crumb in crumbs if not crumb.startswith(prefix))
        headers = headers.replacing(b"cookie", kept) if kept else headers.without([b"cookie"])
    messages.set_headers(again.request, headers)
    again.metadata = {METADATA: flow.id}
    again.comment = again.marked = ""
    return again


def difference(bare: mitm.HTTPFlow, gated: mitm.HTTPFlow) -> list[str]:
    """Return what differs, from the page without a signal to the page with it: header lines, then the body."""
    assert bare.response is not None and gated.response is not None
    lines = _head_difference(_lines(bare.response), _lines(gated.response))
    before, after = (_text(each.response) for each in (bare, gated))
    if before is None or after is None:
        return [*lines, "(the body was not kept)"]
    return [*lines, *marked_page.changes(before, after)]


def _lines(response: mitm.Response) -> list[str]:
    return [f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in response.headers.fields]


def _head_difference(before: list[str], after: list[str]) -> list[str]:
    gone = [marked_page.GONE + line for line in before if line not in after]
    return gone + [marked_page.PUT + line for line in after if line not in before]


def _text(response: mitm.Response | None) -> str | None:
    if response is None or response.raw_content is None:
        return None
    try:
        content = response.content
    except ValueError:
        return None
    return decoded(content, None) if content is not None else None

"""What visitors' browsers report: what the guard stopped, what got out, and what a policy refused.

Anyone may post here, so nothing that comes in is believed further than its shape: a rule must be the catalogue's, a
channel one of :data:`CHANNELS`, a count small; the rest is dropped. A report names no visitor and no address; of a CSP
report, in which browsers write the page's address, only the blocked host is looked at, and forgotten.

A forged report can raise a counter. It cannot make a label, and no more than :data:`PER_SECOND` are read.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from optout_gate.rewrite.guard import UNKNOWN_VENDOR
from optout_gate.trackers.catalog import Catalog
from optout_gate.trackers.urls import base_of, resolve

MAX_BYTES = 16 * 1024  # the guard's own are below 2 KB; a batch of CSP reports is what takes more
MAX_EVENTS = 200  # of one report
MAX_COUNT = 1000  # of one event
PER_SECOND = 200  # reports that one process reads; a page sends one or two
BURST = 1000

CHANNELS = frozenset(
    [
        "audio",
        "attr",
        "base",
        "beacon",
        "body",
        "cookie",
        "credentials",
        "css",
        "csp",
        "embed",
        "eventsource",
        "fetch",
        "form",
        "frame",
        "iframe",
        "image",
        "img",
        "import",
        "input",
        "link",
        "media",
        "navigate",
        "object",
        "open",
        "other",
        "payment",
        "ping",
        "rtc",
        "script",
        "source",
        "storage",
        "table",
        "td",
        "tbody",
        "th",
        "thead",
        "tfoot",
        "tr",
        "track",
        "use",
        "video",
        "websocket",
        "webtransport",
        "worker",
        "xhr",
        "animate",
        "feimage",
        "filter",
        "lineargradient",
        "mpath",
        "pattern",
        "radialgradient",
        "set",
        "textpath",
        "early",
        "icon",
        "navigation",
        "preflight",
        "prefetch",
        "subdocument",
        "xmlhttprequest",
    ]
)
"""What a request is made by: the guard's words, and the browser's (``initiatorType``) for leaks."""

Told = Callable[[str, str, str, int], object]
"""Is told ``blocked`` or ``leaked``, vendor, channel and count; or ``refused``, a reason, nothing and 1."""

Event = tuple[str, str, str, int]


class Reports:
    """Reads reports and passes on what they say, so many a second."""

    def __init__(self, told: Told | None) -> None:
        self._told = told
        self._tokens = float(BURST)
        self._filled_at: float | None = None

    async def take(self, request: Request, catalog: Catalog, *, now: float) -> Response:
        """Answer one report: 204, or 400, 413 or 429 for one that is not read. ``now`` is in seconds."""
        if not self._may_read(now):
            return self._refused(429, "rate")
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BYTES:
                return self._refused(413, "size")
        try:
            events = list(_events(json.loads(body), catalog))[:MAX_EVENTS]
        except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
            return self._refused(400, "form")
        if self._told is not None:
            for event in events:
                self._told(*event)
        return Response(status_code=204, headers={"Cache-Control": "no-store"})

    def _may_read(self, now: float) -> bool:
        since = now - self._filled_at if self._filled_at is not None else 0.0
        self._filled_at = now
        self._tokens = min(BURST, self._tokens + max(0.0, since) * PER_SECOND)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _refused(self, status: int, reason: str) -> Response:
        if self._told is not None:
            self._told("refused", reason, "", 1)
        return Response(status_code=status, headers={"Cache-Control": "no-store"})


def _events(report: Any, catalog: Catalog) -> Iterator[Event]:
    """Yield what a report says, in any of its three forms, as far as it says it in known words."""
    if isinstance(report, dict) and "csp-report" in report:  # report-uri (CSP 3 §5.3)
        said = report["csp-report"]
        yield from _violation(said.get("blocked-uri"), said.get("disposition", "enforce"), catalog)
    elif isinstance(report, list):  # report-to (Reporting API §2.3)
        for each in report:
            if each.get("type") == "csp-violation":
                yield from _violation(each["body"].get("blockedURL"), each["body"].get("disposition"), catalog)
    elif isinstance(report, dict) and report.get("v") == 1:
        for what, denied_by, channel, count in report["events"]:
            if what not in ("blocked", "leaked") or not isinstance(count, int) or isinstance(count, bool):
                continue
            vendor = _vendor_of(denied_by, catalog)
            if vendor is not None and channel in CHANNELS and count > 0:
                yield what, vendor, channel, min(count, MAX_COUNT)
    else:
        raise ValueError("not a report")


def _vendor_of(denied_by: object, catalog: Catalog) -> str | None:
    """Return the vendor of a rule; a vendor's id is what guards named before they carried hashes."""
    if not isinstance(denied_by, str):
        raise TypeError("a rule is a text")
    if denied_by == UNKNOWN_VENDOR or denied_by in catalog.vendors:
        return denied_by
    rule = catalog.by_rule(denied_by)
    return rule.vendor.vendor if rule is not None else None


def _violation(blocked: object, disposition: object, catalog: Catalog) -> Iterator[Event]:
    """Yield what a CSP report is about: a policy that only reports lets the request out."""
    target = resolve(blocked, base_of("https://invalid.invalid/")) if isinstance(blocked, str) else None
    rule = catalog.by_url(target.host, target.path) if target is not None else None
    if rule is not None:
        yield ("leaked" if disposition == "report" else "blocked"), rule.vendor.vendor, "csp", 1

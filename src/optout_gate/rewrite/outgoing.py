"""What the site's own server is not to be told about a visitor who opted out.

A server that has a vendor's cookie and the id of the click can pass both on, behind any browser's back. So denied vendors'
cookies leave ``Cookie``, and the ids of clicks leave the address and ``Referer``. Both are cut out of the bytes as they
came: what stays keeps its order, its blanks and its escapes. The cookies in which an opt-out stands always stay.
"""

from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from optout_gate.http import Headers, Pair, Request
from optout_gate.policy.config import ClickIds
from optout_gate.policy.decision import Decision, Verdict
from optout_gate.rewrite.removals import Removals
from optout_gate.signals import formats
from optout_gate.trackers.catalog import Catalog, Rule

COOKIE, CLICK_ID, BEACON = "sent_cookie", "sent_click_id", "beacon"
"""The kinds of removals that are taken out of requests, or stand for one that was refused."""


def may_hold_something(request: Request) -> bool:
    """Return False when a vendor can have left nothing in a request: no cookie, no query, no referring page."""
    return b"cookie" in request.headers or b"referer" in request.headers or b"?" in request.target


def cleaned(request: Request, headers: Headers, decision: Decision, catalog: Catalog, removals: Removals) -> Request:
    """Return ``request`` as the origin gets it, with ``headers`` less what denied vendors left in them."""
    cutting = _Cutting(decision, catalog, removals)
    target = request.target
    if b"cookie" in headers:
        headers = cutting.cookies(headers)
    if decision.policy.click_ids is ClickIds.STRIP:
        target = cutting.address(target)
        if b"referer" in headers:
            headers = _each_line(headers, b"referer", cutting.address)
    return Request(request.method, request.scheme, request.authority, target, headers)


class _Cutting:
    """What is denied in one request, and a note of everything that was cut out of it."""

    def __init__(self, decision: Decision, catalog: Catalog, removals: Removals) -> None:
        self._decision = decision
        self._catalog = catalog
        self._removals = removals

    def cookies(self, headers: Headers) -> Headers:
        """Return the headers less denied vendors' cookies; a line that held no other goes."""
        return _each_line(headers, b"cookie", self._cookie_line)

    def _cookie_line(self, line: bytes) -> bytes | None:
        parts = line.split(b";")
        kept = [part for part in parts if not self._is_denied_cookie(part.partition(b"=")[0].strip(b" \t"))]
        if len(kept) == len(parts):
            return line
        if kept and kept[0] is not parts[0]:
            kept[0] = kept[0].lstrip(b" \t")  # the blank that parted it from the one before
        return b";".join(kept) or None

    def _is_denied_cookie(self, name: bytes) -> bool:
        text = name.decode("latin-1")
        verdict = self._denied(self._catalog.by_cookie(text))
        if verdict is None or formats.readers(name):
            return False
        self._removals.add(COOKIE, verdict, text)
        return True

    def address(self, address: bytes) -> bytes:
        """Return a request's target, or a URL without fragment, less the ids of clicks in its query."""
        path, mark, query = address.partition(b"?")
        if not mark:
            return address
        parts = query.split(b"&")
        kept = [part for part in parts if not self._is_denied_click(part.partition(b"=")[0])]
        if len(kept) == len(parts):
            return address
        return path + (b"?" if kept else b"") + b"&".join(kept)

    def _is_denied_click(self, name: bytes) -> bool:
        text = (unquote_to_bytes(name) if b"%" in name else name).decode("latin-1")
        verdict = self._denied(self._catalog.by_click_id(text))
        if verdict is None:
            return False
        self._removals.add(CLICK_ID, verdict, text)
        return True

    def _denied(self, rule: Rule | None) -> Verdict | None:
        if rule is None:
            return None
        verdict = self._decision.verdict(rule)
        return verdict if verdict.denied else None


def _each_line(headers: Headers, name: bytes, change: Callable[[bytes], bytes | None]) -> Headers:
    """Return the headers with every ``name`` line's value changed; None drops the line."""
    out: list[Pair] = []
    changed = False
    for pair in headers:
        value = change(pair[1]) if pair[0].lower() == name else pair[1]
        changed = changed or value is not pair[1]
        if value is not None:
            out.append(pair if value is pair[1] else (pair[0], value))
    return Headers(out) if changed else headers

"""Responses that cannot be rewritten: which are not even begun with, and what leaves in place of each.

What leaves is the operator's to say, a cause at a time (:mod:`optout_gate.policy.config_failures`). Three things no header
can contain: a signed exchange, whose page has headers of its own inside the signature, a 304, whose page stands in the
visitor's browser already, and a file beside the page (a style sheet, speculation rules), of which browsers heed no
Content-Security-Policy but the page's.
"""

from optout_gate.errors import Failure, RewriteError
from optout_gate.http import Headers, Response, media_type
from optout_gate.policy.config import SiteConfig
from optout_gate.policy.config_failures import INSTEAD_OF_TRANSFORMING, Instead, NoTransform
from optout_gate.rewrite.request_head import SIGNED_EXCHANGE
from optout_gate.rewrite.response_kind import PUSHED

NOT_WHOLE = frozenset({SIGNED_EXCHANGE.decode(), "multipart/byteranges"})
"""Types of what may hold a page, and cannot be rewritten."""

_OF_THE_PAGE_TOO = frozenset({Failure.CHOICE_STORE, Failure.NO_TRANSFORM})
"""What keeps a file beside the page from being rewritten, and the page as well: that is contained, and the file with it."""

_NOT_SHOWN = b"This page cannot be shown with your privacy choice honoured. Please try again later.\n"
NOT_SHOWN = Response(
    503,
    Headers(
        [
            (b"Content-Type", b"text/plain; charset=utf-8"),
            (b"Content-Length", str(len(_NOT_SHOWN)).encode()),
            (b"Cache-Control", b"no-store"),
            (b"Retry-After", b"5"),
        ]
    ),
    _NOT_SHOWN,
)
"""What a visitor gets in place of a response of which nothing may leave."""


def refusal(response: Response, essence: str, coding: bytes | None, config: SiteConfig) -> RewriteError | None:
    """Return why a response that may hold a page is not even begun with, or None."""
    if essence in NOT_WHOLE and essence.startswith("application/"):
        return RewriteError(Failure.DECODING, "a page sealed by a signature")
    if response.status == 206 or essence in NOT_WHOLE or essence == PUSHED:
        return RewriteError(Failure.PARTIAL_CONTENT, "a part of a page")
    if coding is None:
        return RewriteError(Failure.DECODING, "a content coding that the gate cannot open")
    if config.no_transform is not NoTransform.ENFORCE and forbids_transforming(response.headers):
        return RewriteError(Failure.NO_TRANSFORM, "the origin forbids to change it")
    return None


def forbids_transforming(headers: Headers) -> bool:
    """Return True for a response that says ``no-transform`` (RFC 9111 §5.2.2.6)."""
    if b"cache-control" not in headers:
        return False
    return b"no-transform" in [member.lower() for member in headers.members(b"cache-control")]


def instead_of(response: Response, failure: Failure, config: SiteConfig, *, is_beside: bool) -> Instead:
    """Return what leaves in place of a response; ``is_beside`` says that it is no page, but a file that one names."""
    if failure is Failure.NO_TRANSFORM:
        chosen = INSTEAD_OF_TRANSFORMING[config.no_transform]
    else:
        chosen = config.on_failure.instead(failure)
    uncontainable = (
        response.status == 304
        or media_type(response.headers).essence.encode() == SIGNED_EXCHANGE
        or (is_beside and failure not in _OF_THE_PAGE_TOO)
    )
    return Instead.BLOCK if chosen is Instead.CONTAIN and uncontainable else chosen

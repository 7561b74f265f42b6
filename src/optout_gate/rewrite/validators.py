"""Validators of rewritten responses: ``ETag`` and ``If-None-Match``, each named anew for what the gate made of it.

An ETag names bytes. A page that the gate rewrote has others than its origin's, and others again under the next
configuration, so the origin's ETag must not stand on it: a browser that kept the page with its trackers would ask
whether it is still good, the origin would say yes, and the old page would be shown to somebody who has opted out since.
To drop validators is safe and costs every opted-out visitor their 304s. So they are translated instead::

    origin       ETag: "v7"                            ->  visitor  ETag: W/"v7+og.3f9c0a1b22d4"
    visitor      If-None-Match: W/"v7+og.3f9c0a1b22d4" ->  origin   If-None-Match: "v7"

What stands behind the plus is the *stamp*: of everything but the origin's bytes that the page depends on. A member with
another stamp, or with none, never reaches the origin. The translated tag is always weak: what a compressor makes of the
same page differs, so it is the same page and not the same bytes (RFC 9110 §8.8.1); an ``og`` or ``ogw`` says which of
the two the origin's was. ``If-Modified-Since`` has no room for a stamp: ``Last-Modified`` is taken off a rewritten
response and the condition off the request.
"""

import re
from collections.abc import Hashable
from functools import lru_cache
from hashlib import blake2b

from optout_gate.http import Headers, Pair, Request
from optout_gate.policy.decision import Decision
from optout_gate.trackers.purposes import Purpose

STAMP_BYTES = 6  # 48 bits: the stamps of one page's versions are told apart, and the field stays short
_ETAG = re.compile(rb'(?P<weak>W/)?"(?P<opaque>[\x21\x23-\x7e\x80-\xff]*)"')  # RFC 9110 §8.8.3
_OURS = re.compile(rb"(?P<opaque>.*)\+og(?P<weak>w?)\.(?P<stamp>[0-9a-f]{%d})" % (2 * STAMP_BYTES), re.DOTALL)

CONDITIONS = frozenset({b"if-none-match", b"if-modified-since"})


def stamp(policy_hash: bytes, decision: Decision, request: Request) -> bytes:
    """Return what tells apart the versions that the gate makes of one and the same response of the origin.

    ``policy_hash`` is of everything that was configured. The rest is what :mod:`optout_gate.rewrite.repeats` keys pages
    by, less what the address and the origin's bytes say already.
    """
    values = request.headers.values
    return _stamp(
        policy_hash,
        decision.policy.name,
        decision.denied,
        decision.rules and tuple([rule.pattern for rule in decision.rules]),
        decision.do_not_sell,
        tuple(values(b"sec-fetch-dest") + values(b"service-worker")),
        tuple(values(b"accept")),
    )


@lru_cache(maxsize=1024)  # what visitors say differs little; what they may say does not end
def _stamp(policy_hash: bytes, policy: str, denied: frozenset[Purpose], *rest: Hashable) -> bytes:
    told = repr((policy_hash, policy, sorted(denied), rest)).encode()
    return blake2b(told, digest_size=STAMP_BYTES).hexdigest().encode()


def toward_origin(headers: Headers, stamp: bytes) -> Headers:
    """Return a request's header lines with the conditions that carry ``stamp``, in the origin's words, and no others."""
    kept: list[bytes] = []
    for value in headers.values(b"if-none-match"):
        for tag in _ETAG.finditer(value):
            ours = _OURS.fullmatch(tag["opaque"])
            if ours is not None and ours["stamp"] == stamp:
                kept.append(b'%b"%b"' % (b"W/" if ours["weak"] else b"", ours["opaque"]))
    if not kept:
        return headers.without(CONDITIONS)
    return headers.without([b"if-modified-since"]).replacing(b"if-none-match", b", ".join(kept))


def toward_browser(came: Headers, stamp: bytes) -> tuple[Pair, ...]:
    """Return the ETag line of a rewritten response, given the header lines that came; none where they have no ETag."""
    tag = _ETAG.fullmatch(came.first(b"etag") or b"")
    if tag is None:
        return ()
    return ((b"ETag", b'W/"%b+%b.%b"' % (tag["opaque"], b"ogw" if tag["weak"] else b"og", stamp)),)

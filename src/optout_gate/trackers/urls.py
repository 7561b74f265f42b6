r"""Where a reference in a page leads, as a browser would resolve it.

Browsers forgive URLs a great deal (tabs and newlines inside, ``https:\\host``, ``https:host``, userinfo,
percent-escapes and trailing dots in hosts, IDN, upper case), so the parsing is Ada's, the one in Node.js: the WHATWG
URL Standard to the letter. What is ours is reading an attribute's text first: character references in attributes have
a rule of their own (HTML §13.2.5.73), under which ``html.unescape`` turns ``?a=1&gtm_x`` into something else.
"""

import re
from functools import lru_cache
from html import unescape
from html.entities import html5
from typing import NamedTuple

import can_ada

MAX_CACHED_URL = 512  # characters; longer ones carry one-off queries and would only push others out
_STRIPPED = "".join(map(chr, range(0x21)))  # leading and trailing C0 controls and space
_NEWLINES = str.maketrans("", "", "\t\n\r")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_ORIGIN = re.compile(r"https?://[^/?#\\]*")
_FETCHED_SCHEMES = frozenset({"http:", "https:", "ws:", "wss:", "ftp:"})
_REFERENCE = re.compile(r"&(#[0-9]{1,10};?|#[xX][0-9a-fA-F]{1,10};?|[A-Za-z][A-Za-z0-9]{1,31};?)(=?)")


class Target(NamedTuple):
    """What a reference points at.

    Attributes:
        scheme: ``https``, ``http``, ``wss``, ...
        host: lower case, IDN as ``xn--``, no port, no trailing dot.
        path: path and query, from its first ``/``.
    """

    scheme: str
    host: str
    path: str

    @property
    def url(self) -> str:
        """The target as a URL, without port and fragment."""
        return f"{self.scheme}://{self.host}{self.path}"


class Base(NamedTuple):
    """What relative references start from: the page's URL, or that of its ``<base>``."""

    url: str
    scheme: str
    host: str


NOWHERE = Base("", "https", "")
"""A base without a host, as that of a document in a ``data:`` address: nothing is relative to it."""


def base_of(url: str) -> Base:
    """Return ``url`` as a base; an unreadable one serves as an empty host, which nothing is relative to."""
    origin = _ORIGIN.match(url)  # where the path says nothing, few different ones are asked for
    target = _absolute(origin.group()) if origin is not None else _parsed(url)
    return Base(url, target.scheme, target.host) if target else NOWHERE


def attribute_text(raw: str) -> str:
    """Return an attribute's value with its character references decoded as a browser does in attributes.

    A named reference without its semicolon stays as it is before ``=`` or a letter or digit
    (HTML Standard §13.2.5.73), so the query ``?a=1&copy=2`` survives.
    """
    if "&" not in raw:
        return raw
    return _REFERENCE.sub(_decoded, raw)


def _decoded(match: re.Match[str]) -> str:
    name, equals = match.groups()
    if name.startswith("#"):
        return unescape(f"&{name.rstrip(';')};") + equals
    if name not in html5 or (equals and not name.endswith(";")):
        return match.group()
    return html5[name] + equals


def resolve(reference: str, base: Base) -> Target | None:
    """Return where ``reference`` leads from ``base``, or None when it fetches nothing from a host.

    None stands for references that no browser can resolve, ``data:``, ``javascript:`` and the like, and empty
    ones. A relative reference leads to the base's own host.
    """
    text = reference.strip(_STRIPPED)
    if not text.isprintable():
        text = text.translate(_NEWLINES)
    if not text:
        return None
    if text[0] in "/\\":
        if text[1:2] in ("/", "\\"):
            return _absolute(f"{base.scheme}:{text}")
        return Target(base.scheme, base.host, text) if base.host else None
    scheme = _SCHEME.match(text)
    if scheme is None:
        return Target(base.scheme, base.host, "/" + text) if base.host else None
    name = scheme.group().lower()
    if name not in _FETCHED_SCHEMES:
        return None
    if text[len(name) : len(name) + 2] == "//":
        return _absolute(text)
    try:
        return _target(can_ada.parse(base.url) + text)
    except ValueError:
        return None


def _absolute(url: str) -> Target | None:
    return _cached(url) if len(url) <= MAX_CACHED_URL else _parsed(url)


def _parsed(url: str) -> Target | None:
    try:
        return _target(can_ada.parse(url))
    except (ValueError, UnicodeEncodeError):
        return None


_cached = lru_cache(maxsize=16_384)(_parsed)


def _target(url: can_ada.URL) -> Target:
    return Target(url.protocol[:-1], url.hostname.removesuffix("."), url.pathname + url.search)

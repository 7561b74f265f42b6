"""Where a page refers to something: every attribute that makes a browser fetch, connect or send, by element.

The tables are the specification; :mod:`optout_gate.rewrite.page` carries them out, and ``docs/channels.md`` prints them.
Request types are those of filter lists. What is *not* here is left alone on purpose:

- ``a[href]`` and ``area[href]`` are links that a person follows; only click identifiers of denied vendors go from them.
- Event handler attributes (``onclick``, ``onerror``) and ``javascript:`` URLs act only by running a script.
- Comments, conditional ones for old browsers too: no browser of today reads them.
- ``param``, ``applet``, ``head[profile]``, ``blockquote[cite]``, ``img[longdesc]``: nothing is fetched from them.
- ``meta`` with a Content-Security-Policy: ``report-uri`` has no effect there (CSP 3 §3.3), and a policy is never loosened.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from optout_gate.rewrite.neutral import FORM, FRAME, PIXEL


class Reference(NamedTuple):
    """An attribute that holds one address or several.

    Attributes:
        attribute: its name, as the parser gives it (lower case).
        request: the type of the request it causes, in the words of filter lists.
        kind: the kind of removal it is counted as.
        many: how several addresses stand in it: ``srcset`` candidates, or ``tokens`` between blanks.
    """

    attribute: str
    request: str
    kind: str
    many: str = ""


_IMAGE = Reference("src", "image", "image")
_SRCSET = Reference("srcset", "image", "image", "srcset")
_HREF = Reference("href", "image", "image")
_XLINK = Reference("xlink:href", "image", "image")
_PING = Reference("ping", "ping", "ping", "tokens")
_FORMACTION = Reference("formaction", "other", "form")

REFERENCES: Mapping[str, tuple[Reference, ...]] = {
    "script": (
        Reference("src", "script", "script"),
        Reference("href", "script", "script"),  # of SVG's script
        Reference("xlink:href", "script", "script"),
    ),
    "img": (_IMAGE, _SRCSET),
    "image": (_HREF, _XLINK, _IMAGE, _SRCSET),  # in HTML, <image> is <img>; in SVG, an element of its own
    "feimage": (_HREF, _XLINK),
    "use": (_HREF, _XLINK),
    "source": (Reference("src", "media", "media"), _SRCSET),
    "video": (Reference("src", "media", "media"), Reference("poster", "image", "image")),
    "audio": (Reference("src", "media", "media"),),
    "track": (Reference("src", "other", "media"),),
    "input": (_IMAGE, _FORMACTION),  # type=image
    "button": (_FORMACTION,),
    "form": (Reference("action", "other", "form"),),
    "iframe": (Reference("src", "subdocument", "iframe"),),
    "frame": (Reference("src", "subdocument", "iframe"),),
    "embed": (Reference("src", "object", "object"),),
    "object": (Reference("data", "object", "object"),),
    "link": (Reference("href", "other", "link"), Reference("imagesrcset", "image", "link", "srcset")),
    "a": (_PING,),
    "area": (_PING,),
    "amp-pixel": (_IMAGE,),
    "amp-img": (_IMAGE, _SRCSET),
    "amp-anim": (_IMAGE, _SRCSET),
    "amp-iframe": (Reference("src", "subdocument", "iframe"),),
    "amp-ad": (Reference("src", "script", "script"),),
    "amp-embed": (Reference("src", "script", "script"),),
    "amp-analytics": (Reference("config", "xmlhttprequest", "script"),),
    "amp-video": (Reference("src", "media", "media"), Reference("poster", "image", "image")),
}

EVERYWHERE: tuple[Reference, ...] = (
    Reference("background", "image", "image"),  # body, table, and in practice its rows and cells
    Reference("attributionsrc", "ping", "ping", "tokens"),  # a, area, img, script: registers a click or a view
)
"""On whatever element it stands."""

SELECTOR = (
    "script,noscript,style,base,img,image,feimage,use,source,video,audio,track[src],input[src],input[formaction],"
    "button[formaction],form[action],iframe,frame,embed,object,link,meta[http-equiv],animate,set,a[ping],area[ping],"
    "amp-pixel,amp-img,amp-anim,amp-iframe,amp-ad,amp-embed,amp-analytics,amp-video"
)
"""Just the elements that can hold one, so that the rest of a page costs no call."""

REPLACEMENT: Mapping[str, str | None] = {
    "image": PIXEL,  # `load` fires; a layout that waits for it goes on
    "iframe": FRAME,
    "form": FORM,  # a submit leads to a page that says that nothing was sent
    "link": None,
    "media": None,
    "object": None,
    "ping": None,
}
"""What takes a denied reference's place, by kind; None takes the attribute away, which leaves the element inert.
Scripts have a stand-in each (:func:`~optout_gate.rewrite.neutral.stand_in`)."""

STALE = ("integrity", "attributionsrc", "browsingtopics", "sharedstoragewritable", "adauctionheaders")
"""Attributes that speak of the reference that was there before."""

NOT_FETCHED = frozenset(
    [
        "alternate",
        "author",
        "bookmark",
        "canonical",
        "external",
        "help",
        "license",
        "me",
        "next",
        "nofollow",
        "noopener",
        "noreferrer",
        "opener",
        "pingback",
        "prev",
        "privacy-policy",
        "search",
        "shortlink",
        "tag",
        "terms-of-service",
        "expect",
    ]
)
"""``link`` types that fetch nothing and connect to nobody. What is not among them is taken to load."""

CONNECTION = "connection"
"""What a ``link`` causes that only connects ahead."""

LINK_REQUESTS: Mapping[str, str] = {"stylesheet": "stylesheet", "modulepreload": "script", "icon": "image"}
PRELOADS: Mapping[str, str] = {
    "script": "script", "style": "stylesheet", "image": "image", "font": "font", "fetch": "xmlhttprequest",
    "document": "subdocument", "audio": "media", "video": "media", "track": "other", "worker": "script",
}  # fmt: skip
"""Request type of a ``link`` by its ``rel``, and of ``rel=preload`` by its ``as``."""


@lru_cache(maxsize=512)
def link_request(rel: str, destination: str) -> str | None:
    """Return the request type of a ``link`` by its ``rel`` and ``as``, or None when it fetches nothing.

    It is :data:`CONNECTION` when no more than a connection is made.
    """
    rels = rel.lower().split()
    if NOT_FETCHED.issuperset(rels):
        return None
    if "preconnect" in rels or "dns-prefetch" in rels:
        return CONNECTION
    if "preload" in rels:
        return PRELOADS.get(destination.lower(), "other")
    return next((LINK_REQUESTS[each] for each in rels if each in LINK_REQUESTS), "other")

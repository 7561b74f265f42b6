"""A vendor as the catalogue describes it: one company's product, and how to tell that it is there.

An entry is data; adding a vendor never needs Python. The shape below *is* the catalogue's format, and
``docs/catalogue.md`` explains it with examples.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from optout_gate.trackers.endpoints import Endpoint
from optout_gate.trackers.libraries import Library
from optout_gate.trackers.purposes import Purpose

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*(?:\.[a-z0-9-]*[a-z][a-z0-9-]*|\.\*)\Z")


def _host(value: str) -> str:
    if not _HOST.match(value):
        raise ValueError(
            f"{value!r} is not a host: expected lower-case letters, digits, '-' and '.', as in 'ads.example.com', "
            "or 'example.*' for every top-level domain"
        )
    return value


def _pattern(value: str) -> str:
    host, slash, _ = value.partition("/")
    if not slash:
        raise ValueError(f"{value!r} has no path: expected 'host/path', as in 'example.com/pixel'")
    _host(host)
    return value


def _word(value: str) -> str:
    if not re.match(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z", value):
        raise ValueError(f"{value!r} is not an id: expected lower-case words joined by '-', as in 'meta-pixel'")
    return value


Host = Annotated[str, AfterValidator(_host)]
"""A host, which means itself and every subdomain; ``name.*`` stands for every public suffix."""

UrlPattern = Annotated[str, AfterValidator(_pattern)]
"""``host/path``: the host as in :data:`Host`, the path (with query) from its start; ``*`` is any run of
characters. The end falls on a boundary: ``facebook.com/tr`` is ``/tr``, ``/tr/`` and ``/tr?id=1``, not
``/trending``."""


def _lazy(value: str) -> str:
    if not re.match(r"data-[a-z0-9]+(?:-[a-z0-9]+)*\Z", value):
        raise ValueError(f"{value!r} is not an attribute for loaders: expected 'data-...'")
    return value


BOX = re.compile(
    r"(?:(?P<tag>[a-z][a-z0-9-]*)(?=[.#\[]))?(?:(?P<id>#)|\.)?(?P<name>[A-Za-z][A-Za-z0-9_-]*\*?|\[data-[a-z0-9-]+\])\Z"
    r"|<(?P<element>[a-z][a-z0-9-]*)>\Z"
    r"|script\[type=(?P<script>[A-Za-z]+)/\*\]\Z"
)


def _container(value: str) -> str:
    if BOX.match(value) is None:
        raise ValueError(
            f"{value!r} is not a box: expected a class, '#id' or '[data-...]', as in 'div.fb-post', or '<amp-facebook>'"
        )
    return value


Container = Annotated[str, AfterValidator(_container)]
"""A class, ``#id`` or ``[attribute]`` of the boxes that a vendor's script fills; a final ``*`` is any ending. An element's name
before it (``div.fb-post``) saves looking at all others; ``<amp-facebook>`` is every element of that name, and
``script[type=IN/*]`` a script that is none, in whose place the vendor's draws something."""

LazyAttribute = Annotated[str, AfterValidator(_lazy)]
VendorId = Annotated[str, AfterValidator(_word)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fingerprint(_Entry):
    """How to recognise an inline script by strings in it.

    Needed only for scripts that carry a whole agent, or load one from an address that does not stand in them
    as text; a bootstrap that names its vendor's host is found by that host.
    """

    all: tuple[Annotated[str, Field(min_length=4)], ...] = Field(
        min_length=1, description="strings that must all occur in the script"
    )


class Box(_Entry):
    """What is known of a box that a vendor's script fills: what it shows, and how large it becomes.

    ``size`` is what the vendor documents for a box that says nothing, as width and height in pixels; 0 is as wide as its
    place. Without it, what the vendor would have shown has no size that could be known beforehand.
    """

    link: str = Field("", description="the attribute that names the content")
    page: str = Field(
        "", description="the content's page, with '{}' for what that attribute holds where it is no address"
    )
    width: str = Field("", description="the attribute that says how wide it becomes, in pixels or '100%'")
    height: str = Field("", description="the attribute that says how high it becomes, in pixels")
    size: tuple[int, int] | None = Field(
        None, description="width and height where no attribute says it; 0: all there is"
    )


class Restricted(_Entry):
    """The vendor's documented restricted mode: what to set before its first call."""

    before: str = Field("", description="one line of JavaScript that runs before the vendor's first call")
    query: dict[str, str] = Field(default_factory=dict, description="parameters to set on the vendor's URLs")
    attributes: dict[str, str] = Field(default_factory=dict, description="attributes to set on its script tags")
    source: str = Field(description="the vendor's page that documents the mode")


class Vendor(_Entry):
    """One company's product."""

    vendor: VendorId = Field(description="id, as used in configuration, metrics and reports")
    name: str = Field(description="the product's name, as people know it")
    company: str = Field(description="who receives the data")
    purposes: tuple[Purpose, ...] = Field(min_length=1, description="what it is there for; the chief one first")
    domains: tuple[Host, ...] = Field((), description="hosts that are wholly the vendor's, with subdomains")
    patterns: tuple[UrlPattern, ...] = Field((), description="paths on hosts that also serve other things")
    inline: tuple[Fingerprint, ...] = Field((), description="inline scripts that carry the vendor's code")
    endpoints: tuple[Endpoint, ...] = Field((), description="where it collects through the site's own host")
    libraries: tuple[Library, ...] = Field((), description="its files, served from the site's own host")
    cookies: tuple[str, ...] = Field((), description="first-party cookies it sets; a final '*' is any ending")
    storage: tuple[str, ...] = Field((), description="localStorage keys it sets; a final '*' is any ending")
    click_ids: tuple[str, ...] = Field((), description="query parameters that identify a click")
    globals: tuple[str, ...] = Field((), description="names its code defines on window, which pages call")
    surrogate: VendorId | None = Field(None, description="stand-in script, browser/surrogates/NAME.js")
    fetched: dict[Host, str] = Field(
        default_factory=dict,
        description="JSON by the host, with which a stopped fetch of the host ends, where its library, bundled by the site, "
        "leaves callers waiting when it fails",
    )
    embed: bool = Field(False, description="a visible embed that leaves a placeholder when it is denied")
    containers: dict[Container, str | Box] = Field(
        default_factory=dict,
        description="the boxes its script fills ('class', '#id', '[attribute]'; a final '*' is any ending), and the "
        "attribute that names the content ('' for none), or all that is known of the box",
    )
    amp: tuple[str, ...] = Field((), description="its names in the `type` of AMP components")
    lazy: tuple[LazyAttribute, ...] = Field(
        (), description="attributes from which its own loader takes addresses of others, as consent platforms do"
    )
    restricted: Restricted | None = Field(None, description="its restricted mode, where it documents one")
    source: str = Field(description="where these facts come from: a URL or a short reference")


class CatalogueFile(_Entry):
    """One file of the catalogue."""

    vendors: tuple[Vendor, ...] = Field(min_length=1)

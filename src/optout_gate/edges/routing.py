"""Which requests an edge sends to the gate, and which straight to the site.

An edge reads requests with regular expressions, so it does not decide who opted out: it only must not miss anyone. The
rule is a superset of the gate's. A ``Sec-GPC`` line with any value goes to the gate, because nginx before 1.23 shows
only the first of repeated lines, and ``0`` before ``1`` is an opt-out. What cannot be said to an edge sends everything.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from optout_gate.policy.config import Config, PolicyConfig, SiteConfig, split_address
from optout_gate.policy.honor import Reach
from optout_gate.policy.load import Loaded
from optout_gate.policy.tls import TlsOptions
from optout_gate.rewrite.neutral import PREFIX
from optout_gate.signals import kinds
from optout_gate.signals.formats import COOKIES, FORMATS

NEVER_REWRITTEN = ("audio", "font", "manifest", "track", "video")
"""Destinations (``Sec-Fetch-Dest``) that go straight to the site for everyone. A list of what is not a page, since
fragments that a script fetches (htmx, Turbo) come as ``empty`` and older browsers send nothing at all. An image is not in
it: that is what beacons through the site's own host come as."""

GPC_JSON = "/.well-known/gpc.json"
VARIES = (
    "text/html", "application/xhtml+xml", "text/css",
    "text/javascript", "application/javascript", "application/x-javascript", "text/ecmascript", "application/ecmascript",
    "image/svg+xml", "application/xml", "text/xml",
    "application/rss+xml", "application/atom+xml", "application/rdf+xml", "application/mathml+xml",
    "application/speculationrules+json", "application/unknown", "unknown/unknown", "*/*",
)  # fmt: skip
"""Types (their beginnings) of which a visitor who opted out may get another body, so that caches must keep the two apart.
XML is among them for where it is shown as a page, and what browsers look into to find out what it is."""

ODD_PATH = r"[^?]*(?:%|\\|//|/\.)"  # what the gate reads as another path: only it may say whether `always` covers it


@dataclass(frozen=True, slots=True)
class Address:
    """A host and port.

    Attributes:
        host: name or address, an IPv6 one without brackets.
        port: TCP port.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Return the address in ``HOST:PORT``.

        Raises:
            ValueError: it is not one.
        """
        return cls(*split_address(text))


@dataclass(frozen=True, slots=True)
class UnixSocket:
    """A socket of the edge's own machine. HAProxy and Caddy have other ways to write it than nginx, which is this.

    Attributes:
        path: absolute.
    """

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


SYSTEMS_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
"""Where Debian and Ubuntu keep them, for edges that have no word of their own for the system's."""


@dataclass(frozen=True, slots=True)
class OriginTls:
    """How an edge speaks TLS with a site's own server: as the gate does, or who said nothing would get another site.

    Attributes:
        name: asked for (SNI) and looked for in the certificate.
        verify: check chain and name.
        ca_file: absolute name of the PEM file of the authorities to trust; None for the system's.
        certificate: absolute name of the PEM file of the chain to show, for an origin that asks for one.
        key: that of its private key, which may be the same file.
    """

    name: str
    verify: bool
    ca_file: str | None
    certificate: str | None
    key: str | None


@dataclass(frozen=True, slots=True)
class EdgeSite:
    """One website as an edge sees it.

    Attributes:
        hosts: its host patterns: ``www.example.com``, ``*.example.com``, ``*``.
        origin: where its own server is.
        tls: how TLS is spoken with it; None where it is not.
        host: what it is sent as Host; None when the visitor's own is sent on.
    """

    hosts: tuple[str, ...]
    origin: Address | UnixSocket
    tls: OriginTls | None
    host: str | None

    @property
    def takes_all(self) -> bool:
        """True when it answers to every host."""
        return "*" in self.hosts


@dataclass(frozen=True, slots=True)
class Routing:
    """Everything that an edge's configuration is filled in with.

    Attributes:
        listen: where visitors come in.
        gates: the gates, with their admin addresses for health checks.
        sites: the websites, in the order in which they are matched.
        everything: True when a policy honours a signal that an edge cannot see, as a consumer's standing opt-out: every
            request that may bring a page goes to the gate.
        dnt: True when ``DNT: 1`` counts somewhere.
        own_cookie: the opt-out cookie's name, where that counts somewhere.
        consent_cookies: names of the cookies of consent platforms, ``*`` for any characters.
        paths: regular expressions of paths (anchored at the start) that go to the gate whoever asks.
    """

    listen: Address
    gates: tuple[tuple[Address, Address], ...]
    sites: tuple[EdgeSite, ...]
    everything: bool
    dnt: bool
    own_cookie: str | None
    consent_cookies: tuple[str, ...]
    paths: tuple[str, ...]

    @property
    def cookies(self) -> tuple[str, ...]:
        """Regular expressions that find, in a Cookie field, the cookies by which a visitor may be known."""
        return tuple(_cookies(self.own_cookie, self.consent_cookies))


def routing_of(loaded: Loaded, *, listen: Address, gates: Iterable[tuple[Address, Address]] = ()) -> Routing:
    """Return how an edge on ``listen`` routes for a configuration; ``gates`` are by default the configuration's own one.

    One rule holds for all sites: to send one site's visitor to the gate needlessly costs a hop and changes nothing.
    """
    config = loaded.config
    policies = {"default": PolicyConfig(), **config.policies}
    used = [policies[site.policy] for site in config.sites]
    honoured = {kind for policy in used for kind in _honoured(policy)}
    seen = {kinds.GPC, kinds.COOKIE, kinds.DNT, *FORMATS}
    if config.consumers is None:
        seen.add(kinds.ACCOUNT)  # nobody is known, so nobody's account says anything
    own_gate = (Address.parse(config.listen), Address.parse(config.admin))
    return Routing(
        listen=listen,
        gates=tuple(gates) or (own_gate,),
        sites=tuple(_site(site, loaded.beside.upstream_tls.get(at)) for at, site in enumerate(config.sites)),
        everything=not honoured <= seen,
        dnt=kinds.DNT in honoured,
        own_cookie=config.cookie.name if kinds.COOKIE in honoured else None,
        consent_cookies=tuple(
            dict.fromkeys(each.name for each in COOKIES if each.format in honoured and not each.silent)
        ),
        paths=tuple(_paths(config, [pattern for policy in used for pattern in policy.always])),
    )


def _honoured(policy: PolicyConfig) -> set[str]:
    """Return every kind that a word of the policy lets count; that a narrower word takes one back is left to the gate."""
    words = (word for word, reach in policy.honor.items() if reach not in (Reach.NOTHING, ()))
    return {kind for word in words for kind in kinds.kinds_of(word)}


def _site(site: SiteConfig, said: TlsOptions | None) -> EdgeSite:
    if site.upstream.startswith("unix:"):
        socket = UnixSocket(site.upstream.removeprefix("unix:"))
        return EdgeSite(site.hosts, socket, None, None if site.preserve_host else "localhost")
    parts = urlsplit(site.upstream)
    host = parts.hostname or ""
    tls = _origin_tls(host, said or TlsOptions()) if parts.scheme == "https" else None
    origin = Address(host, parts.port or (443 if tls else 80))
    return EdgeSite(site.hosts, origin, tls, None if site.preserve_host else parts.netloc)


def _origin_tls(host: str, said: TlsOptions) -> OriginTls:
    certificate, key = said.client_certificate, said.client_key or said.client_certificate
    # The edge starts in another folder.
    ca, certificate, key = (name and str(Path(name).absolute()) for name in (said.ca_file, certificate, key))
    return OriginTls(said.server_name or host, said.verify, ca, certificate, key)


_BEFORE = r"(?:^|[;,])[ \x09]*"  # a comma parts lines that an edge has joined
EQUALS = r"[ \x09]*="
_MAX_ALTERNATIVES = 800  # characters: HAProxy reads lines of 2,048


def _cookies(own: str | None, names: tuple[str, ...]) -> Iterable[str]:
    """Yield expressions that find the opt-out cookie where it says *out*, and consent cookies whatever they say."""
    if own is not None:
        yield f"{_BEFORE}{says_out(own)}"
    for group in grouped((cookie_name(each) for each in names), _MAX_ALTERNATIVES):
        yield rf"{_BEFORE}(?:{'|'.join(group)}){EQUALS}"


def says_out(own: str) -> str:
    """Return the expression of the opt-out cookie where it says *out*."""
    return rf'{re.escape(own)}{EQUALS}[ \x09"]*1'


def cookie_name(pattern: str) -> str:
    """Return the expression of a cookie's name."""
    return re.escape(pattern).replace(r"\*", "[^=;]*")


def grouped(expressions: Iterable[str], max_chars: int) -> Iterable[list[str]]:
    """Yield the expressions in lists that are hardly longer than ``max_chars`` together."""
    group: list[str] = []
    for each in expressions:
        group.append(each)
        if sum(map(len, group)) > max_chars:
            yield group
            group = []
    if group:
        yield group


def _paths(config: Config, always: list[str]) -> Iterable[str]:
    own = [f"{PREFIX}/", *config.preferences.paths, *([GPC_JSON] if config.gpc_json is not None else [])]
    yield from (re.escape(path) for path in own)
    for pattern in dict.fromkeys(always):
        stem = pattern.removesuffix("/*") or "/"
        yield ".*".join(re.escape(part) for part in stem.split("*"))
    if always or config.preferences.paths:
        yield ODD_PATH

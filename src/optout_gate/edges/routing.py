"""Which requests an edge sends to the gate, and which straight to the site.

An edge reads requests with regular expressions, so it does not decide who opted out: it only must not miss anyone. The
rule is a superset of the gate's. A ``Sec-GPC`` line with any value goes to the gate, because nginx before 1.23 shows
only the first of repeated lines, and ``0`` before ``1`` is an opt-out. What cannot be said to an edge sends everything.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from optout_gate.policy.config import Config, PolicyConfig, SiteConfig, split_address
from optout_gate.rewrite.neutral import PREFIX
from optout_gate.signals.kinds import COOKIE, DNT, GPC, kinds_of

NEVER_REWRITTEN = ("audio", "font", "image", "manifest", "track", "video")
"""Destinations (``Sec-Fetch-Dest``) that go straight to the site for everyone. A list of what is not a page, since
fragments that a script fetches (htmx, Turbo) come as ``empty`` and older browsers send nothing at all."""

OWN_PATHS = (f"{PREFIX}/", "/.well-known/gpc.json")
"""The gate's own pages, on every site."""

VARIES = ("text/html", "application/xhtml+xml", "text/css")
"""Types of which a visitor who opted out may get another body, so that caches must keep the two apart."""

_ODD_PATH = r"[^?]*(?:%|\\|//|/\.)"  # what the gate reads as another path: only it may say whether `always` covers it


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
class EdgeSite:
    """One website as an edge sees it.

    Attributes:
        hosts: its host patterns: ``www.example.com``, ``*.example.com``, ``*``.
        origin: where its own server is.
        tls: True when that server speaks TLS.
        host: what it is sent as Host; None when the visitor's own is sent on.
    """

    hosts: tuple[str, ...]
    origin: Address
    tls: bool
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
        everything: True when a policy honours a signal that an edge cannot see: every request goes to the gate.
        dnt: True when ``DNT: 1`` counts somewhere.
        cookie: regular expression that finds the opt-out cookie in a Cookie field; None when it counts nowhere.
        paths: regular expressions of paths (anchored at the start) that go to the gate whoever asks.
    """

    listen: Address
    gates: tuple[tuple[Address, Address], ...]
    sites: tuple[EdgeSite, ...]
    everything: bool
    dnt: bool
    cookie: str | None
    paths: tuple[str, ...]


def routing_of(config: Config, *, listen: Address, gates: Iterable[tuple[Address, Address]] = ()) -> Routing:
    """Return how an edge on ``listen`` routes for ``config``; ``gates`` are by default the configuration's own one.

    One rule holds for all sites: to send one site's visitor to the gate needlessly costs a hop and changes nothing.
    """
    policies = {"default": PolicyConfig(), **config.policies}
    used = [policies[site.policy] for site in config.sites]
    honoured = {kind for policy in used for word in policy.honor for kind in kinds_of(word)}
    own_gate = (Address.parse(config.listen), Address.parse(config.admin))
    return Routing(
        listen=listen,
        gates=tuple(gates) or (own_gate,),
        sites=tuple(_site(site) for site in config.sites),
        everything=not honoured <= {GPC, COOKIE, DNT},
        dnt=DNT in honoured,
        cookie=_cookie(config.cookie.name) if COOKIE in honoured else None,
        paths=tuple(_paths([pattern for policy in used for pattern in policy.always])),
    )


def _site(site: SiteConfig) -> EdgeSite:
    parts = urlsplit(site.upstream)
    tls = parts.scheme == "https"
    origin = Address(parts.hostname or "", parts.port or (443 if tls else 80))
    return EdgeSite(site.hosts, origin, tls, None if site.preserve_host else parts.netloc)


def _cookie(name: str) -> str:
    """Return an expression that finds every cookie that the gate reads as an opt-out; a comma parts folded lines."""
    return rf'(?:^|[;,])[ \x09]*{re.escape(name)}[ \x09]*=[ \x09"]*1'


def _paths(always: list[str]) -> Iterable[str]:
    yield from (re.escape(path) for path in OWN_PATHS)
    for pattern in dict.fromkeys(always):
        stem = pattern.removesuffix("/*") or "/"
        yield ".*".join(re.escape(part) for part in stem.split("*"))
    if always:
        yield _ODD_PATH

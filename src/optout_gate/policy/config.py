"""The configuration file's shape. ``docs/configuration.md`` explains every key; ``optout-gate schema`` prints it."""

import re
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import IPv6Address, ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from optout_gate.policy.config_failures import NoTransform, OnFailureConfig
from optout_gate.policy.config_tls import TlsConfig, UpstreamTlsConfig, UpstreamUrl
from optout_gate.policy.config_visitor import ChoicesConfig, ConsumersConfig, GpcJsonConfig, PreferencesConfig
from optout_gate.policy.honor import EVERY_SIGNAL, Honor
from optout_gate.policy.limits import LimitsConfig
from optout_gate.policy.notice import Notice
from optout_gate.policy.parts import CookieName, DeniablePurpose, Part, PathPattern
from optout_gate.signals import onetrust
from optout_gate.trackers.purposes import Purpose
from optout_gate.trackers.vendor import Vendor, VendorId

_HOST_PATTERN = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\Z")


class Mode(StrEnum):
    """What the gate does on a site."""

    ENFORCE = "enforce"
    OBSERVE = "observe"  # decides, counts and reports; changes nothing
    OFF = "off"


class Action(StrEnum):
    """What is done with a vendor."""

    ALLOW = "allow"
    RESTRICT = "restrict"  # keeps loading, in its vendor's documented restricted mode
    BLOCK = "block"


class Unknown(StrEnum):
    """What is done with a third party that neither the catalogue nor a list knows."""

    ALLOW = "allow"
    REPORT = "report"  # let through, and counted by host
    BLOCK = "block"


class ClickIds(StrEnum):
    """What happens to the ids of clicks on the way to the origin."""

    STRIP = "strip"  # they leave the address and Referer
    KEEP = "keep"


def _address(value: object) -> object:
    if isinstance(value, str | int) and not isinstance(value, bool):
        split_address(str(value))  # a bare port is a number to YAML
    return value


def split_address(value: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT`` or ``[IPV6]:PORT``.

    Raises:
        ValueError: it is not one.
    """
    host, colon, port = value.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"expected HOST:PORT with a port up to 65535, as in 127.0.0.1:8080, found {value!r}")
    if ":" in host and not bracketed:
        raise ValueError(f"an IPv6 address stands in brackets, as in [::1]:8080, found {value!r}")
    if bracketed:
        host = str(IPv6Address(host[1:-1]))
    return host, int(port)


def _host_pattern(value: str) -> str:
    if value != "*" and not _HOST_PATTERN.match(value):
        near = _host_in(value)
        hint = f"; did you mean {near!r}?" if _HOST_PATTERN.match(near) else ""
        raise ValueError(f"{value!r} is not a host pattern: expected 'www.example.com', '*.example.com' or '*'{hint}")
    return value


def _host_in(value: str) -> str:
    """Return the host of what may be an address, with a port, in capitals or in letters of another alphabet."""
    host = re.sub(r"\A[a-z]+://|/.*\Z|:[0-9]+/?.*\Z", "", value.lower())
    try:
        return host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def _allowed(value: str) -> str:
    """Return a vendor's id (no dot in it) or a host (a dot); that the vendor exists is checked with the catalogue."""
    if not _HOST_PATTERN.match(value) or value.startswith("*."):
        raise ValueError(f"{value!r} is neither a host nor a vendor: expected 'cdn.example.net' or 'google-maps'")
    return value


def _network(value: str) -> str:
    try:
        ip_network(value)
    except ValueError:
        raise ValueError(f"{value!r} is not an address or network: expected 10.0.0.0/8 or ::1") from None
    return value


Address = Annotated[str, BeforeValidator(_address)]
HostPattern = Annotated[str, AfterValidator(_host_pattern)]
NetworkText = Annotated[str, AfterValidator(_network)]
AllowedName = Annotated[str, AfterValidator(_allowed)]


Use = Literal["sale", "sharing", "targeted_advertising", "analytics", "session_replay"]
"""What a signal speaks of: :data:`optout_gate.signals.statement.USES`."""


class CoherenceConfig(Part):
    """What the site's own opt-out strings say for a visitor who opted out."""

    write: tuple[Literal["usprivacy", "gpp", "onetrust-google"], ...] = Field(
        (), description="strings to set where none stands; all others are only made to agree where they do"
    )
    notice_given: bool = Field(
        True, description="US Privacy String: the site gives notice of the right to opt out, where none says"
    )
    lspa: bool = Field(False, description="US Privacy String: the site is under the IAB's LSPA, where none says")
    gpp_sections: tuple[Annotated[int, Field(ge=6, le=27)], ...] = Field(
        (7,), min_length=1, description="sections of a GPP string that the gate sets; 7 is the national one"
    )


class SiteConfig(Part):
    """One website behind the gate."""

    hosts: tuple[HostPattern, ...] = Field(
        ("*",), min_length=1, description="hosts it answers to; '*.example.com' is every subdomain, '*' every host"
    )
    upstream: UpstreamUrl = Field(
        description="where its requests go: http://HOST:PORT, https://HOST:PORT or unix:/PATH of a socket"
    )
    upstream_tls: UpstreamTlsConfig | None = Field(
        None, description="how TLS with an https upstream is spoken; verified against the system's authorities without"
    )
    preserve_host: bool = Field(True, description="send the visitor's Host on, not the upstream's own")
    mode: Mode = Field(Mode.ENFORCE, description="enforce; observe counts and changes nothing; off does neither")
    policy: str = Field("default", description="name of the policy that holds")
    lockdown: bool | tuple[PathPattern, ...] = Field(
        False,
        description="pages that reach allowed third parties only, by a response CSP: true, or path patterns; "
        "paths in `always` are, unless this is false in so many words",
    )
    allow_hosts: tuple[HostPattern, ...] = Field(
        (), description="third parties that locked-down pages may reach, beside allowed vendors that they name"
    )
    onetrust_groups: dict[str, tuple[Use, ...]] = Field(
        default_factory=dict, description="what OneTrust categories of the site's own mean, over the usual ones"
    )
    coherence: CoherenceConfig = Field(
        default_factory=CoherenceConfig, description="the site's own opt-out strings, for a visitor who opted out"
    )
    on_failure: OnFailureConfig = Field(
        default_factory=OnFailureConfig,
        description="what leaves when an opt-out cannot be enforced, by cause: contain, block or pass",
    )
    no_transform: NoTransform = Field(
        NoTransform.ENFORCE,
        description="pages that the origin forbids to change: enforce all the same, contain or honor",
    )
    seal: bool = Field(
        False, description="tell caches in front not to change pages of who opted out (Cache-Control: no-transform)"
    )
    outcome_header: bool = Field(
        True, description="say in Optout-Gate what became of each response to somebody who opted out"
    )

    @property
    def all_onetrust_groups(self) -> Mapping[str, tuple[str, ...]]:
        """OneTrust's usual categories, and the site's own over them; the very table of the usual ones where none are."""
        return {**onetrust.GROUPS, **self.onetrust_groups} if self.onetrust_groups else onetrust.GROUPS


class InformedConsent(StrEnum):
    """What a consent does that was given in knowledge of the browser's signal (11 CCR §7025(c)(3))."""

    IGNORE = "ignore"  # the signal holds
    HONOR = "honor"  # the consent holds, for as long as its record does


class PolicyConfig(Part):
    """What an opt-out means."""

    honor: Honor = Field(
        dict(EVERY_SIGNAL),
        description="signals that count: a list of names, or names with what each counts for; all is all but dnt",
    )
    deny: tuple[DeniablePurpose, ...] = Field(
        (
            Purpose.ADVERTISING,
            Purpose.ANALYTICS,
            Purpose.SESSION_REPLAY,
            Purpose.SOCIAL,
            Purpose.PERSONALIZATION,
            Purpose.TAG_MANAGEMENT,
        ),
        description="purposes denied for a visitor who opted out; beside a notice, in addition to what it sells",
    )
    vendors: dict[VendorId, Action] = Field(
        default_factory=dict, description="an answer for single vendors, over that of their purposes"
    )
    always: tuple[PathPattern, ...] = Field(
        (), description="paths on which all that is denied is denied for everyone; '*' is any run"
    )
    unknown: Unknown = Field(
        Unknown.REPORT,
        description="third parties that nobody knows: allow; report counts them; block (always so on `always` paths)",
    )
    allow: tuple[AllowedName, ...] = Field(
        (), description="hosts (with their subdomains) and vendors that load whatever else is said here"
    )
    click_ids: ClickIds = Field(
        ClickIds.STRIP,
        description="denied vendors' click ids (gclid, fbclid) in the address and Referer on their way to the origin: "
        "strip or keep",
    )
    sticky: bool = Field(
        True, description="keep an opt-out that the browser's signal made in the opt-out cookie, until it is taken back"
    )
    informed_consent: InformedConsent = Field(
        InformedConsent.IGNORE, description="whether a later consent, given in knowledge of the signal, overrides it"
    )
    strict: bool = Field(
        False, description="in the browser, also cancel moves that cannot be judged: of blank frames, of the whole tab"
    )
    sample_rate: float = Field(1.0, ge=0, le=1, description="share of pages whose guard reports what it stopped")
    notice: Notice | None = Field(None, description="a privacy notice, compiled into what is denied")

    @property
    def denied(self) -> frozenset[Purpose]:
        """Everything that an opt-out denies."""
        if self.notice is None:
            return frozenset(self.deny)
        return self.notice.refusable.union(self.deny if "deny" in self.model_fields_set else ())


class DnsConfig(Part):
    """What the DNS is asked."""

    uncloak: bool = Field(
        False,
        description="look up subdomains of the site that pages refer to, and treat one that is a vendor's CNAME as it",
    )
    resolvers: tuple[Address, ...] = Field((), description="resolvers to ask, HOST:PORT; by default the system's")


class CookieConfig(Part):
    """The gate's own first-party opt-out cookie."""

    name: CookieName = Field("optout_gate", description="its name")
    max_age_days: int = Field(390, ge=1, le=400, description="how long it lasts; browsers cut at 400 days")
    domain: str | None = Field(None, description="Domain attribute; by default the host alone")


class FilterListConfig(Part):
    """A filter list in EasyList syntax."""

    path: str = Field(min_length=1, description="file, relative to the configuration")
    purpose: DeniablePurpose = Field(description="what its matches are denied for")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = Field(
        None, description="checksum the file must have (see: optout-gate lists add)"
    )


class ExtraVendor(Vendor):
    """A vendor the operator adds; of a catalogue entry only id and purposes are asked for."""

    name: str = Field("", description="the product's name; by default its id")
    company: str = Field("", description="who receives the data")
    source: str = Field("configuration", description="where the facts come from")


class TrackersConfig(Part):
    """What the gate recognises beyond its own catalogue."""

    extra: tuple[ExtraVendor, ...] = Field((), description="vendors of your own")
    filter_lists: tuple[FilterListConfig, ...] = Field((), description="filter lists, asked after the catalogue")


class Config(Part):
    """The whole file."""

    version: Literal[1] = Field(description="format of this file")
    listen: Address = Field("127.0.0.1:8080", description="where visitors come in")
    admin: Address = Field("127.0.0.1:9090", description="metrics and health; never on the visitors' address")
    tls: TlsConfig | None = Field(None, description="serve visitors over TLS; off by default")
    sites: tuple[SiteConfig, ...] = Field(min_length=1, description="websites; the first whose hosts match is taken")
    policies: dict[str, PolicyConfig] = Field(
        default_factory=dict, description="policies by name; one called 'default' always exists"
    )
    cookie: CookieConfig = Field(default_factory=CookieConfig, description="the opt-out cookie")
    trusted_proxies: tuple[NetworkText, ...] = Field(
        (),
        description="peers whose X-Forwarded-* and Forwarded fields count, as addresses or networks; none by default",
    )
    limits: LimitsConfig = Field(
        default_factory=LimitsConfig, description="what clients, origins and pages may cost; sane without a word"
    )
    trackers: TrackersConfig = Field(default_factory=TrackersConfig, description="additions to the catalogue")
    dns: DnsConfig = Field(default_factory=DnsConfig, description="what the DNS is asked; nothing by default")
    preferences: PreferencesConfig = Field(
        default_factory=PreferencesConfig, description="the preference page and the status"
    )
    gpc_json: GpcJsonConfig | None = Field(None, description="publish /.well-known/gpc.json; off by default")
    consumers: ConsumersConfig | None = Field(None, description="how signed-in consumers are known; off by default")
    choices: ChoicesConfig = Field(default_factory=ChoicesConfig, description="where their opt-outs stand")

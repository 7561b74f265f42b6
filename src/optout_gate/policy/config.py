"""The configuration file's shape. ``docs/configuration.md`` explains every key; ``optout-gate schema`` prints it."""

import re
from enum import StrEnum
from ipaddress import IPv6Address, ip_network
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from optout_gate.trackers.purposes import DENIABLE, Purpose
from optout_gate.trackers.vendor import Vendor, VendorId

_HOST_PATTERN = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\Z")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110 §5.6.2, of which cookie names are made


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


def _address(value: str) -> str:
    split_address(value)
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


def _upstream(value: str) -> str:
    expected = f"expected http://HOST[:PORT] or https://HOST[:PORT], found {value!r}"
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError(expected) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError(expected)
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"an upstream is scheme, host and port alone; requests bring their own path: {value!r}")
    return value.rstrip("/")


def _host_pattern(value: str) -> str:
    if value != "*" and not _HOST_PATTERN.match(value):
        hint = f"; did you mean {value.lower()!r}?" if _HOST_PATTERN.match(value.lower()) else ""
        raise ValueError(f"{value!r} is not a host pattern: expected 'www.example.com', '*.example.com' or '*'{hint}")
    return value


def _path_pattern(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError(f"a path pattern starts with '/', as in '/member/*', found {value!r}")
    return value


def _deniable(value: Purpose) -> Purpose:
    if value not in DENIABLE:
        raise ValueError(f"{value.value!r} cannot be denied: it keeps working for everyone")
    return value


def _network(value: str) -> str:
    try:
        ip_network(value)
    except ValueError:
        raise ValueError(f"{value!r} is not an address or network: expected 10.0.0.0/8 or ::1") from None
    return value


def _cookie_name(value: str) -> str:
    if not _TOKEN.match(value):
        raise ValueError(f"{value!r} is not a cookie name (RFC 6265 §4.1.1)")
    return value


Address = Annotated[str, AfterValidator(_address)]
HostPattern = Annotated[str, AfterValidator(_host_pattern)]
PathPattern = Annotated[str, AfterValidator(_path_pattern)]
UpstreamUrl = Annotated[str, AfterValidator(_upstream)]
NetworkText = Annotated[str, AfterValidator(_network)]
DeniablePurpose = Annotated[Purpose, AfterValidator(_deniable)]
SignalKind = Literal["gpc", "cookie", "dnt"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SiteConfig(_Part):
    """One website behind the gate."""

    hosts: tuple[HostPattern, ...] = Field(
        ("*",), min_length=1, description="hosts it answers to; '*.example.com' is every subdomain, '*' every host"
    )
    upstream: UpstreamUrl = Field(description="where its requests go: http://HOST:PORT or https://HOST:PORT")
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


class PolicyConfig(_Part):
    """What an opt-out means."""

    honor: tuple[SignalKind, ...] = Field(
        ("gpc", "cookie"),
        description="signals that count as an opt-out; dnt is counted, never honoured unless listed",
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
        description="purposes denied for a visitor who opted out",
    )
    vendors: dict[VendorId, Action] = Field(
        default_factory=dict, description="an answer for single vendors, over that of their purposes"
    )
    always: tuple[PathPattern, ...] = Field((), description="paths on which `deny` holds for everyone; '*' is any run")


class CookieConfig(_Part):
    """The gate's own first-party opt-out cookie."""

    name: Annotated[str, AfterValidator(_cookie_name)] = Field("optout_gate", description="its name")
    max_age_days: int = Field(390, ge=1, le=400, description="how long it lasts; browsers cut at 400 days")
    domain: str | None = Field(None, description="Domain attribute; by default the host alone")


class FilterListConfig(_Part):
    """A filter list in EasyList syntax."""

    path: str = Field(min_length=1, description="file, relative to the configuration")
    purpose: DeniablePurpose = Field(description="what its matches are denied for")


class TrackersConfig(_Part):
    """What the gate recognises beyond its own catalogue."""

    extra: tuple["ExtraVendor", ...] = Field((), description="vendors of your own")
    filter_lists: tuple[FilterListConfig, ...] = Field((), description="filter lists, asked after the catalogue")


class ExtraVendor(Vendor):
    """A vendor the operator adds; of a catalogue entry only id and purposes are asked for."""

    name: str = Field("", description="the product's name; by default its id")
    company: str = Field("", description="who receives the data")
    source: str = Field("configuration", description="where the facts come from")


class Config(_Part):
    """The whole file."""

    version: Literal[1] = Field(description="format of this file")
    listen: Address = Field("127.0.0.1:8080", description="where visitors come in")
    admin: Address = Field("127.0.0.1:9090", description="metrics and health; never on the visitors' address")
    sites: tuple[SiteConfig, ...] = Field(min_length=1, description="websites; the first whose hosts match is taken")
    policies: dict[str, PolicyConfig] = Field(
        default_factory=dict, description="policies by name; one called 'default' always exists"
    )
    cookie: CookieConfig = Field(default_factory=CookieConfig, description="the opt-out cookie")
    trusted_proxies: tuple[NetworkText, ...] = Field(
        (),
        description="peers whose X-Forwarded-* and Forwarded fields count, as addresses or networks; none by default",
    )
    trackers: TrackersConfig = Field(default_factory=TrackersConfig, description="additions to the catalogue")

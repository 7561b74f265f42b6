"""The configuration's keys about the visitor's side: the preference page, the statement of support, known consumers.

They are used at the border (:mod:`optout_gate.pages`, :mod:`optout_gate.choices`); the core only carries them.
``docs/preferences.md`` and ``docs/known-consumers.md`` explain them.
"""

import re
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from optout_gate.policy.parts import TOKEN, CookieName, Part

_NOT_AN_IDENTITY = frozenset(
    {"authorization", "cookie", "host", "sec-gpc", "user-agent", "x-forwarded-for", "x-real-ip", "forwarded"}
)
"""Fields that every browser sends, or that name a machine: no gateway's word about who has signed in."""


def _full_date(value: str) -> str:
    # RFC 3339 full-date, which is narrower than what fromisoformat reads (20260101, 2026-W01-4).
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            raise ValueError
        date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"expected a date as in 2026-01-01, found {value!r}") from None
    return value


def _own_path(value: str) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-]", value) or "//" in value:
        raise ValueError(f"expected a path of letters, digits and -._~ as in /your-privacy-choices, found {value!r}")
    return value


def _link(value: str) -> str:
    expected = f"expected https://HOST/PATH or a path of the site as in /privacy/request, found {value!r}"
    try:
        parts = urlsplit(value)
    except ValueError:
        raise ValueError(expected) from None
    own = not parts.scheme and not parts.netloc and value.startswith("/")
    elsewhere = parts.scheme in ("https", "http", "mailto") and (parts.hostname or parts.scheme == "mailto")
    if not (own or elsewhere) or "\\" in value or any(each <= " " for each in value):
        raise ValueError(expected)
    return value


def _identity_field(value: str) -> str:
    if not TOKEN.match(value):
        raise ValueError(f"{value!r} is not the name of a header field (RFC 9110 §5.1)")
    if value.lower() in _NOT_AN_IDENTITY:
        raise ValueError(f"{value!r} does not say who has signed in; name the field that your own gateway adds")
    return value


def _redis_url(value: str) -> str:
    expected = "expected redis://HOST[:PORT][/DATABASE], rediss://… or unix://…"
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError(expected) from None
    if parts.scheme not in ("redis", "rediss", "unix") or port == 0 or not (parts.hostname or parts.path.strip("/")):
        raise ValueError(expected)  # the value is not repeated: it may hold a password
    return value


class StatusPlace(StrEnum):
    """Where a page shows that an opt-out is honoured."""

    PLACEHOLDER = "placeholder"  # in elements with `data-optout-status`
    END_OF_BODY = "end_of_body"  # there, and where a page has none, at the end of its body
    OFF = "off"


class PreferencesConfig(Part):
    """The preference page and the status."""

    paths: tuple[Annotated[str, AfterValidator(_own_path)], ...] = Field(
        (), description="further paths of every site at which the page stands, such as /your-privacy-choices"
    )
    request_form: Annotated[str, AfterValidator(_link)] | None = Field(
        None, description="the site's form for requests about data it already has; linked from the page"
    )
    templates: str | None = Field(
        None, min_length=1, description="folder with preferences.html, preferences.css, en.yaml or es.yaml of your own"
    )
    status: StatusPlace = Field(
        StatusPlace.PLACEHOLDER,
        description="where pages show that the opt-out is honoured: placeholder, end_of_body or off",
    )


class GpcJsonConfig(Part):
    """The statement at /.well-known/gpc.json."""

    last_update: Annotated[str, AfterValidator(_full_date)] = Field(
        description="the day on which the statement was made; it does not move by itself"
    )


class IdentifyConfig(Part):
    """How a request says which consumer has signed in."""

    header: Annotated[str, AfterValidator(_identity_field)] | None = Field(
        None, description="a field that the site's own gateway adds; believed from trusted_proxies alone"
    )
    cookie: CookieName | None = Field(
        None, description="a cookie that holds the same value on every browser the consumer signs in on"
    )
    unguessable: bool = Field(
        False, description="nobody else can know the cookie's value, so that it may also take an opt-out back"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.header is None) == (self.cookie is None):
            raise ValueError("expected one of 'header' and 'cookie'")
        if self.unguessable and self.cookie is None:
            raise ValueError("'unguessable' speaks of a cookie; a header is believed from trusted_proxies alone")
        return self


class ConsumersConfig(Part):
    """Known consumers: whose opt-out holds on every browser they sign in on."""

    identify: IdentifyConfig = Field(description="how a request says who has signed in")
    key_file: str = Field(
        min_length=1, description="file with the secret key under which identifiers are hashed, at least 32 bytes"
    )


class ChoicesCacheConfig(Part):
    """What each worker remembers of the store."""

    entries: int = Field(10_000, ge=1, le=10_000_000, description="consumers remembered at most")
    opted_out_s: float = Field(60.0, ge=0, le=3600, description="how long an opt-out is remembered, in seconds")
    others_s: float = Field(1.0, ge=0, le=60, description="how long it is remembered that there is none, in seconds")


class ChoicesConfig(Part):
    """Where the opt-outs of known consumers stand."""

    backend: Literal["sqlite", "redis"] = Field("sqlite", description="sqlite for one machine, redis for several")
    path: str = Field("choices.sqlite", min_length=1, description="sqlite: the file, relative to the configuration")
    url: Annotated[str, AfterValidator(_redis_url)] | None = Field(None, description="redis: redis://HOST:PORT/0")
    timeout_ms: float = Field(20.0, gt=0, le=1000, description="how long a visitor's request waits for it at most")
    cache: ChoicesCacheConfig = Field(default_factory=ChoicesCacheConfig, description="what each worker remembers")
    token_file: str | None = Field(
        None, min_length=1, description="file with the bearer token of /choices on the admin address; off without it"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.backend == "redis" and self.url is None:
            raise ValueError("backend redis needs a 'url', as in redis://127.0.0.1:6379/0")
        if self.backend == "sqlite" and self.url is not None:
            raise ValueError("'url' is for backend redis; sqlite has a 'path'")
        return self

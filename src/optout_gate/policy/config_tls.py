"""The configuration's keys about connections: where an origin is, and TLS on either side.

``unix:/path`` is nginx's own way to write a unix socket, and the one that servers of applications print.
"""

import re
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from optout_gate.policy.parts import Part

FileName = Annotated[str, Field(min_length=1)]


_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(%\w+)?")
"""A name as name servers know it, or an address. Edges' configurations hold it as it stands."""


def _nearest(host: str) -> str:
    try:
        name = host.encode("idna").decode()
    except UnicodeError:
        return ""
    return f"; did you mean {name!r}?" if _HOST.fullmatch(name) else ""


def _upstream(value: str) -> str:
    expected = f"expected http://HOST[:PORT], https://HOST[:PORT] or unix:/PATH, found {value!r}"
    if value.startswith("unix:"):
        if not value.startswith("unix:/") or value.startswith("unix://") or "\0" in value:
            raise ValueError(f"a unix socket is written unix:/absolute/path, found {value!r}")
        return value
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError(expected) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError(expected)
    if not _HOST.fullmatch(parts.hostname):
        raise ValueError(
            f"expected a host name, as in app.internal, found {parts.hostname!r} in {value!r}{_nearest(parts.hostname)}"
        )
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"an upstream is scheme, host and port alone; requests bring their own path: {value!r}")
    return value.rstrip("/")


UpstreamUrl = Annotated[str, AfterValidator(_upstream)]


def _server_name(value: str) -> str:
    if not value.isascii() or not value or any(each in value for each in " /:@\t\r\n"):
        raise ValueError(f"expected a host name, as in app.internal, found {value!r}")
    return value


class UpstreamTlsConfig(Part):
    """How an origin's certificate is checked, and what the gate shows of its own."""

    verify: bool = Field(
        True, description="check the origin's certificate and name; without, anyone on the way reads and changes all"
    )
    ca_file: FileName | None = Field(
        None, description="PEM file of the authorities to trust instead of the system's, relative to this file"
    )
    server_name: Annotated[str, AfterValidator(_server_name)] | None = Field(
        None, description="name asked for (SNI) and looked for in the certificate, when it is not the upstream's host"
    )
    certificate_file: FileName | None = Field(
        None, description="PEM file of the gate's own certificate chain, for an origin that asks for one"
    )
    key_file: FileName | None = Field(None, description="PEM file of its key; by default in the same file")

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.key_file is not None and self.certificate_file is None:
            raise ValueError("key_file is the key of a certificate, and there is no certificate_file")
        if not self.verify and self.ca_file is not None:
            raise ValueError("ca_file says whom to trust, and verify: false that nothing is checked; leave one out")
        return self


class TlsConfig(Part):
    """TLS toward visitors."""

    certificate_file: FileName = Field(
        description="PEM file of the certificate chain, the site's own certificate first, relative to this file"
    )
    key_file: FileName | None = Field(None, description="PEM file of its key; by default in the same file")

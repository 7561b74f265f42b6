"""Where an origin is, and how a connection to it is opened.

The authority of the origin comes from the configuration alone. Nothing of a visitor's request (its Host, its target)
ever reaches this module, so no request can choose where the gate connects to.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar
from urllib.parse import urlsplit

P = TypeVar("P", bound=asyncio.BaseProtocol)

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """How the origin's certificate is checked, and what the gate shows of its own.

    Attributes:
        verify: check chain and name. Off is for a laboratory: anyone on the path can then read and change everything.
        server_name: name for SNI and for checking the certificate, when it is not the address's host.
        ca_file: PEM file of the certificate authorities to trust instead of the system's.
        client_certificate: PEM file of the gate's certificate chain, for an origin that asks for one.
        client_key: PEM file of its private key, when that is not in the same file.
    """

    verify: bool = True
    server_name: str | None = None
    ca_file: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None


@dataclass(frozen=True, slots=True)
class UpstreamAddress:
    """An origin's address: a host and port, with or without TLS, or the path of a unix socket."""

    host: str = ""
    port: int = 0
    path: str | None = None
    tls: TlsOptions | None = None

    @classmethod
    def parse(cls, text: str, tls: TlsOptions | None = None) -> "UpstreamAddress":
        """Return the address that ``text`` names: ``http://host[:port]``, ``https://host[:port]`` or ``unix:/path``.

        ``tls`` refines an https address; without it the certificate is verified against the system's authorities.
        Raises ValueError with a sentence that says what is wrong.
        """
        if text.startswith("unix:"):
            path = text.removeprefix("unix:").removeprefix("//")
            if not path.startswith("/"):
                raise ValueError(f"{text!r}: a unix socket is written unix:/absolute/path")
            if tls is not None:
                raise ValueError(f"{text!r}: TLS options do not apply to a unix socket")
            return cls(path=path)
        parts = urlsplit(text)
        if parts.scheme not in DEFAULT_PORTS:
            raise ValueError(f"{text!r}: expected http://host:port, https://host[:port] or unix:/path")
        if parts.username is not None or parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError(f"{text!r}: an upstream is scheme, host and port; user, path and query are not used")
        if not parts.hostname:
            raise ValueError(f"{text!r}: no host")
        port = parts.port if parts.port is not None else DEFAULT_PORTS[parts.scheme]  # .port raises ValueError itself
        if parts.scheme == "http" and tls is not None:
            raise ValueError(f"{text!r}: TLS options do not apply to http")
        return cls(parts.hostname, port, None, (tls or TlsOptions()) if parts.scheme == "https" else None)

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    async def connect(self, protocol: Callable[[], P]) -> P:
        """Return a new connection to the origin. Raises OSError (TLS failures are its subclass ``ssl.SSLError``)."""
        loop = asyncio.get_running_loop()
        if self.path is not None:
            return (await loop.create_unix_connection(protocol, self.path))[1]
        if self.tls is None:
            return (await loop.create_connection(protocol, self.host, self.port))[1]
        context = client_context(self.tls)
        name = self.tls.server_name or self.host
        return (await loop.create_connection(protocol, self.host, self.port, ssl=context, server_hostname=name))[1]


@lru_cache(maxsize=64)
def client_context(tls: TlsOptions) -> ssl.SSLContext:
    """Return the TLS client context for ``tls``; files are read once. Raises OSError when one cannot be read."""
    context = ssl.create_default_context(cafile=tls.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.client_certificate is not None:
        context.load_cert_chain(tls.client_certificate, tls.client_key)
    return context

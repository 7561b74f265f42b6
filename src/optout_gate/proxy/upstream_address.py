"""Where an origin is, and how a connection to it is opened.

The authority of the origin comes from the configuration alone. Nothing of a visitor's request (its Host, its target)
ever reaches this module, so no request can choose where the gate connects to.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from optout_gate.policy.tls import TlsOptions
from optout_gate.proxy.tls import client_context
from optout_gate.proxy.upstream_name import OriginName

P = TypeVar("P", bound=asyncio.BaseProtocol)

DEFAULT_PORTS = {"http": 80, "https": 443}


SYSTEM_TLS = TlsOptions()
"""Verified against the system's authorities."""


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
        return cls(parts.hostname, port, None, (tls or SYSTEM_TLS) if parts.scheme == "https" else None)

    @property
    def authority(self) -> str:
        """What it is sent as ``Host`` when that is not the visitor's own."""
        if self.path is not None:
            return "localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS["https" if self.tls else "http"] else f"{host}:{self.port}"

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    async def connect(self, protocol: Callable[[], P], name: OriginName) -> P:
        """Return a new connection to the origin. Raises OSError (TLS failures are its subclass ``ssl.SSLError``).

        ``name`` is this address's host and port, with what was last found out of it.
        """
        loop = asyncio.get_running_loop()
        if self.path is not None:
            return (await loop.create_unix_connection(protocol, self.path))[1]
        context = client_context(self.tls) if self.tls is not None else None
        shown = (self.tls.server_name or self.host) if self.tls is not None else None
        if name.is_literal:
            made = await loop.create_connection(protocol, self.host, self.port, ssl=context, server_hostname=shown)
            return made[1]
        connected = await name.connect()
        try:
            return (await loop.create_connection(protocol, sock=connected, ssl=context, server_hostname=shown))[1]
        except BaseException:
            connected.close()
            raise

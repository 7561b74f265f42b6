"""What the operator said about TLS, as values: which files, which names. Contexts are made of them at the border.

Here only what can be read off the files is checked: that they are there, are PEM and are not encrypted. Whether a key
belongs to its certificate is known to OpenSSL alone (:mod:`optout_gate.proxy.tls`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Place = tuple[str, int, int]
"""File, line and column of the configuration."""


@dataclass(frozen=True, eq=False)
class TlsOptions:
    """How an origin's certificate is checked, and what the gate shows of its own.

    Two of them are never equal: what stood in the files belongs to the load that read them.

    Attributes:
        verify: check chain and name. Off is for a laboratory: anyone on the path can then read and change everything.
        server_name: name for SNI and for checking the certificate, when it is not the address's host.
        ca_file: PEM file of the certificate authorities to trust instead of the system's.
        client_certificate: PEM file of the gate's certificate chain, for an origin that asks for one.
        client_key: PEM file of its private key, when that is not in the same file.
        place: where it was said.
    """

    verify: bool = True
    server_name: str | None = None
    ca_file: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    place: Place = ("", 0, 0)


@dataclass(frozen=True)
class VisitorsTls:
    """What visitors are shown.

    Attributes:
        certificate: PEM file of the chain, the site's own certificate first.
        key: PEM file of its private key, when that is not in the same file.
        place: where it was said; a name alone for a flag.
    """

    certificate: str
    key: str | None
    place: Place


def faults(certificate: str | None, key: str | None, ca: str | None = None) -> Iterator[tuple[str, str]]:
    """Yield what can be seen to be wrong with files of TLS: the key of the configuration, and words with the file's name."""
    seen: set[str] = set()  # a file that holds certificate and key cannot be read once
    for said, name, mark in (
        ("ca_file", ca, _CERTIFICATE),
        ("certificate_file", certificate, _CERTIFICATE),
        ("key_file" if key else "certificate_file", certificate and (key or certificate), _KEY),
    ):
        text = _fault(name, mark) if name else None
        if text is not None and text not in seen:
            seen.add(text)
            yield said, text


_CERTIFICATE, _KEY = b"CERTIFICATE-----", b"PRIVATE KEY-----"


def _fault(name: str, mark: bytes) -> str | None:
    try:
        content = Path(name).read_bytes()
    except OSError as error:
        return f"{name} cannot be read: {error.strerror}"
    if mark not in content:
        return f"{name} holds no PEM {'certificate' if mark is _CERTIFICATE else 'private key'}"
    if mark is _KEY and b"ENCRYPTED" in content:
        return f"{name} is encrypted, and the gate has nobody to ask for a passphrase"
    return None

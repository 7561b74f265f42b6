"""Whether a choice was sent from a page of the site itself, and not by another site in the visitor's name.

Nobody else may press these buttons: an advertiser's page could opt every visitor back in. There is no token in
the form, since a token would be an identifier; browsers say themselves where a request comes from, in ``Sec-Fetch-Site``
(Fetch Metadata, on https and localhost), else in ``Origin`` (on every POST for years), else in ``Referer``.

A request that says nothing of the kind was not sent by a browser of this decade. It may opt out, which harms nobody
and needs no verification (11 CCR §7026(d)); to opt in it would have to say more.
"""

from urllib.parse import urlsplit

from optout_gate.http import Headers

_DEFAULT_PORTS = {"http": 80, "https": 443}


def sent_from_here(headers: Headers, *, authority: str, scheme: str) -> bool | None:
    """Return whether a request came from a page of the same origin; None when it does not say."""
    sites = headers.values(b"sec-fetch-site")
    if sites:
        return all(site in (b"same-origin", b"none") for site in sites)
    for name in (b"origin", b"referer"):
        values = headers.values(name)
        if values:
            here = _place(f"{scheme}://{authority}")
            return all(_place(value.decode("latin-1")) == here for value in values)
    return None


def _place(url: str) -> tuple[str, int] | None:
    """Return host and port. The scheme is left out: before a proxy that ends TLS, the gate sees another."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    if not parts.hostname:
        return None
    return parts.hostname.rstrip("."), 0 if port in _DEFAULT_PORTS.values() else port

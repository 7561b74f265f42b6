"""A configuration as a short hash: two gates with the same one make the same of a page.

It goes into the validators of rewritten pages, so that one which an older configuration made is never revalidated, and
into ``Optout-Gate``, so that an operator sees which configuration a page went out under.
"""

import json
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

import optout_gate
from optout_gate import trackers
from optout_gate.policy.load import Loaded

_NO_PART_IN_PAGES: dict[str, Any] = {
    **dict.fromkeys(("listen", "admin", "trusted_proxies", "consumers", "choices"), True),
    "sites": {"__all__": {"upstream", "preserve_host"}},
}
"""Keys that no page depends on: they differ between machines that serve the same site, and some hold secrets."""


def fingerprint(loaded: Loaded) -> bytes:
    """Return a hash, in hexadecimal, of everything but a request and its response that a page depends on."""
    digest = sha256(optout_gate.__version__.encode())
    for part in _parts(loaded):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest().encode()


def _parts(loaded: Loaded) -> Iterator[bytes]:
    yield loaded.config.model_dump_json(exclude=_NO_PART_IN_PAGES).encode()
    yield _builtin_catalogue()
    yield json.dumps({language: dict(texts) for language, texts in loaded.beside.texts.items()}).encode()
    for each in loaded.filter_lists:
        yield each.vendor.vendor.encode()
        yield "\n".join(each.lines).encode()


@cache
def _builtin_catalogue() -> bytes:
    digest = sha256()
    for file in sorted((files(trackers) / "catalogue").iterdir(), key=lambda each: each.name):
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.digest()

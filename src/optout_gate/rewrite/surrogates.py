"""The stand-in scripts, as they go over the wire, and the version that belongs in their address.

A surrogate takes the place of a vendor's library at ``/_optout/s/NAME.js``: the page's own calls find somebody
at home, the callbacks it waits for fire, and nothing is sent, stored or measured. The files are package data in
``optout_gate/browser/surrogates``, served byte for byte; there is no build step. They are cached as immutable, so
a change must change their address: that is what :func:`version` is for.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType


@cache
def _scripts() -> Mapping[str, bytes]:
    """Return every script by its name, read from the package once, in the order of the names."""
    folder = files("optout_gate") / "browser" / "surrogates"
    scripts = {entry.name.removesuffix(".js"): entry.read_bytes() for entry in folder.iterdir()}
    return MappingProxyType(dict(sorted(scripts.items())))


def names() -> frozenset[str]:
    """Return the names that a catalogue entry may give as its ``surrogate``."""
    return frozenset(_scripts())


def read(name: str) -> bytes:
    """Return the script of that name; raises KeyError for a name that :func:`names` does not hold."""
    return _scripts()[name]


def script(name: str) -> bytes:
    """Return the script that answers under a name: a name that nobody knows (an older page's) gets the generic one."""
    scripts = _scripts()
    return scripts.get(name, scripts["generic"])


@cache
def version(name: str) -> str:
    """Return 12 hex digits that change whenever the script of that name does; raises KeyError for an unknown name."""
    return hashlib.sha256(read(name)).hexdigest()[:12]

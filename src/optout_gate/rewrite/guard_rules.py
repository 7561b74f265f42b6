"""The guard's configuration, worked out of a policy: what the catalogue denies, in the guard's own terms.

The catalogue lets the most specific rule win, so an allowed vendor may live under a denied one's host. The guard walks
up a host's labels in the same way, and is told of just those exceptions.

What the guard cannot be told stays the markup's work: filter lists, whose rules are not hosts, and cookie names that
hold one of the characters its tables are cut at.
"""

import gzip
import re
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import brotli

from optout_gate.policy.config import Action
from optout_gate.policy.decision import Policy
from optout_gate.rewrite.guard import GuardConfig, source, worker_prologue
from optout_gate.rewrite.neutral import PREFIX
from optout_gate.trackers.catalog import Catalog, Rule

GUARD_PATH = f"{PREFIX}/guard.js"
REPORT_PATH = f"{PREFIX}/report"

_CUT = re.compile(r"[,; ]")


@dataclass(frozen=True)
class Guard:
    """The guard of one policy. What costs time is made when it is first asked for, and kept.

    Attributes:
        policy: whose denials it holds up.
        catalog: whose vendors it knows.
    """

    policy: Policy
    catalog: Catalog

    @cached_property
    def config(self) -> GuardConfig:
        """The configuration written into the script."""
        return denials(self.policy, self.catalog)

    @cached_property
    def script(self) -> bytes:
        """The script as it is served."""
        return source(self.config)

    @cached_property
    def version(self) -> str:
        """16 hexadecimal digits that change with the script."""
        return sha256(self.script).hexdigest()[:16]

    @cached_property
    def url(self) -> str:
        """The script's address on every site, good for ever."""
        return f"{GUARD_PATH}?v={self.version}"

    @cached_property
    def gzipped(self) -> bytes:
        """The script under gzip."""
        return gzip.compress(self.script, 9, mtime=0)

    @cached_property
    def brotlied(self) -> bytes:
        """The script under Brotli."""
        compressed: bytes = brotli.compress(self.script, quality=9)  # 11 takes a second for 6 % less
        return compressed

    def prologue(self, head: bytes) -> bytes:
        """Return what goes in front of a worker script that begins with ``head``."""
        return worker_prologue(self.config, head)


def denials(policy: Policy, catalog: Catalog) -> GuardConfig:
    """Return what the guard denies under ``policy``."""

    def denied(rule: Rule | None) -> bool:
        return rule is not None and policy.answer(rule.vendor).action is Action.BLOCK

    hosts: list[str] = []
    patterns: list[tuple[str, str]] = []
    vendors: dict[str, str] = {}
    concerned: set[str] = set()
    for host, whole, paths in catalog.hosts():
        if whole is not None and denied(whole):
            hosts.append(host)
            vendors[host] = whole.vendor.vendor
            concerned.add(host)
        for rule in filter(denied, paths):
            name, _, path = rule.text.partition("/")
            patterns.append((name, f"/{path}"))
            vendors[rule.text] = rule.vendor.vendor
            concerned.add(host)
    exceptions: list[str] = []
    for host, whole, paths in catalog.hosts():
        if whole is not None and not denied(whole) and _is_below(host, concerned):
            exceptions.append(host)
        if host in concerned or _is_below(host, concerned):
            exceptions += [rule.text for rule in paths if not denied(rule)]
    blocked = [vendor for vendor in catalog if policy.answer(vendor).action is Action.BLOCK]
    cookies: list[str] = []
    storage: list[str] = []
    for vendor in blocked:
        for names, kept in ((vendor.cookies, cookies), (vendor.storage, storage)):
            for name in names:
                if not _CUT.search(name):
                    kept.append(name)
                    vendors.setdefault(name, vendor.vendor)
    return GuardConfig(
        hosts=tuple(hosts),
        patterns=tuple(patterns),
        exceptions=tuple(exceptions),
        cookies=tuple(dict.fromkeys(cookies)),
        storage=tuple(dict.fromkeys(storage)),
        vendors=vendors,
        surrogates={vendor.vendor: vendor.surrogate for vendor in blocked if vendor.surrogate is not None},
        surrogate_prefix=f"{PREFIX}/s/",
        report_path=REPORT_PATH,
    )


def _is_below(host: str, others: set[str]) -> bool:
    """Return True when ``host`` stands under one of ``others``, or under a ``name.*`` among them."""
    parts = host.split(".")
    above = (".".join(parts[start:]) for start in range(1, len(parts)))
    if any(name in others for name in above):
        return True
    return any(f"{label}.*" in others for label in parts[:-1] if label != "*" and f"{label}.*" != host)

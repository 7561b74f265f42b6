"""The guard's configuration, worked out of a policy: what the catalogue denies, in the guard's own terms.

The catalogue lets the most specific rule win, so an allowed vendor may live under a denied one's host. The guard walks
up a host's labels in the same way, and is told of just those exceptions.

What the guard cannot be told stays the markup's work: filter lists, whose rules are not hosts, and cookie names that
hold one of the characters its tables are cut at.
"""

import gzip
import re
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from hashlib import sha256

import brotli

from optout_gate.policy.config import Action
from optout_gate.policy.decision import Decision, Policy
from optout_gate.rewrite.guard import GuardConfig, source, worker_prologue
from optout_gate.rewrite.neutral import PREFIX
from optout_gate.trackers.catalog import Catalog, Rule
from optout_gate.trackers.purposes import DENIABLE, Purpose

GUARD_PATH = f"{PREFIX}/guard.js"
REPORT_PATH = f"{PREFIX}/report"

_PURPOSES = sorted(DENIABLE)
_KEY = re.compile(r"[0-9a-f]{1,4}\Z")
_CUT = re.compile(r"[,; ]")


class Guards:
    """The guards of one policy: one for each set of denied purposes that occurs, and whether it speaks for the visitor.

    Attributes:
        catalog: whose vendors they know.
    """

    def __init__(self, policy: Policy, catalog: Catalog) -> None:
        self.catalog = catalog
        self._policy = policy
        # Bounded, because the script's address, which anybody may ask for, says which it is.
        self._made = lru_cache(maxsize=16)(self._make)

    def of(self, decision: Decision) -> "Guard":
        """Return the guard that holds ``decision`` up."""
        return self._made(decision.denied, decision.do_not_sell)

    def named(self, version: str) -> "Guard":
        """Return the guard that a ``v`` parameter means; for one that means none, that of a whole opt-out."""
        key = version.partition("-")[0]
        number = int(key, 16) if _KEY.match(key) else -1
        denied = frozenset(purpose for bit, purpose in enumerate(_PURPOSES) if number >> 1 >> bit & 1)
        if number < 0 or number >> 1 >> len(_PURPOSES):
            return self._made(self._policy.denied, True)
        return self._made(denied, bool(number & 1))

    def _make(self, denied: frozenset[Purpose], speaks: bool) -> "Guard":
        number = sum(1 << bit for bit, purpose in enumerate(_PURPOSES) if purpose in denied) << 1 | speaks
        return Guard(f"{number:x}", replace(denials(self._policy, denied, self.catalog), gpc=speaks))


@dataclass(frozen=True)
class Guard:
    """One guard. What costs time is made when it is first asked for, and kept.

    Attributes:
        key: what it denies, as a hexadecimal number.
        config: the configuration written into the script.
    """

    key: str
    config: GuardConfig

    @cached_property
    def script(self) -> bytes:
        """The script as it is served."""
        return source(self.config)

    @cached_property
    def version(self) -> str:
        """What the address says: which guard, and 16 hexadecimal digits that change with its script."""
        return f"{self.key}-{sha256(self.script).hexdigest()[:16]}"

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


def denials(policy: Policy, purposes: frozenset[Purpose], catalog: Catalog) -> GuardConfig:
    """Return what the guard denies when ``policy`` denies ``purposes``."""

    def denied(rule: Rule | None) -> bool:
        return rule is not None and policy.answer(rule.vendor, purposes).action is Action.BLOCK

    hosts: list[str] = []
    patterns: list[tuple[str, str]] = []
    vendors: dict[str, str] = {}
    concerned: set[str] = set()
    for host, whole, paths in catalog.hosts():
        if policy.allows(host) is not None:
            continue
        if whole is not None and denied(whole):
            hosts.append(host)
            vendors[host] = whole.vendor.vendor
            concerned.add(host)
        for rule in filter(denied, paths):
            name, _, path = rule.text.partition("/")
            patterns.append((name, f"/{path}"))
            vendors[rule.text] = rule.vendor.vendor
            concerned.add(host)
    exceptions: list[str] = sorted(policy.allows_hosts)  # by name, over whatever is known of them
    for host, whole, paths in catalog.hosts():
        if host in policy.allows_hosts:
            continue
        if whole is not None and not denied(whole) and _is_below(host, concerned):
            exceptions.append(host)
        if host in concerned or _is_below(host, concerned):
            exceptions += [rule.text for rule in paths if not denied(rule)]
    blocked = [vendor for vendor in catalog if policy.answer(vendor, purposes).action is Action.BLOCK]
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

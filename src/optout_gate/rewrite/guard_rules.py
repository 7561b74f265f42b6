"""The guard's configuration, worked out of a policy: what the catalogue denies, in the guard's own terms.

The catalogue lets the most specific rule win, so an allowed vendor may live under a denied one's host. The guard walks
up a host's labels in the same way, and is told of just those exceptions.

What the guard cannot be told stays the markup's work: filter lists, whose rules are not hosts.

The guard holds hashes and no vendors (:mod:`optout_gate.rewrite.hashed`): what it reports and asks a stand-in for is the
rule, and :meth:`~optout_gate.trackers.catalog.Catalog.by_rule` says whose that is.
"""

import gzip
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from hashlib import sha256
from weakref import WeakValueDictionary

import brotli

from optout_gate.policy.config import Action
from optout_gate.policy.decision import Decision, Policy
from optout_gate.rewrite.guard import GuardConfig, denied_modules, source, worker_prologue
from optout_gate.rewrite.neutral import PREFIX
from optout_gate.trackers.catalog import Catalog, Rule
from optout_gate.trackers.purposes import DENIABLE, Purpose

GUARD_PATH = f"{PREFIX}/guard.js"
MODULES_PATH = f"{PREFIX}/modules.js"
REPORT_PATH = f"{PREFIX}/report"
BY_RULE = "for"
"""Name under which a stand-in is asked for by rule."""

_PURPOSES = sorted(DENIABLE)
_KEY = re.compile(r"[0-9a-f]{1,4}\Z")


class Guards:
    """The guards of one policy: one for each set of denied purposes that occurs, and whether it speaks for the visitor.

    Attributes:
        catalog: whose vendors they know.
    """

    def __init__(self, policy: Policy, catalog: Catalog) -> None:
        self.catalog = catalog
        self._policy = policy
        self._made = lru_cache(maxsize=16)(self._make)
        self._in_use: WeakValueDictionary[str, Guard] = WeakValueDictionary()  # by their keys; pages hold them up
        # Apart, because anybody may ask for an address: those that no page here has make none of the others go.
        self._asked = lru_cache(maxsize=4)(self._make)

    def of(self, decision: Decision) -> "Guard":
        """Return the guard that holds ``decision`` up."""
        guard = self._made(decision.denied, decision.do_not_sell)
        self._in_use.setdefault(guard.key, guard)
        return guard

    def named(self, version: str) -> "Guard":
        """Return the guard that a ``v`` parameter means; for one that means none, that of a whole opt-out."""
        key = version.partition("-")[0]
        number = int(key, 16) if _KEY.match(key) else -1
        if number < 0 or number >> 1 >> len(_PURPOSES):
            number = _number(self._policy.denied, True)
        denied = frozenset(purpose for bit, purpose in enumerate(_PURPOSES) if number >> 1 >> bit & 1)
        return self._in_use.get(f"{number:x}") or self._asked(denied, bool(number & 1))

    def _make(self, denied: frozenset[Purpose], speaks: bool) -> "Guard":
        return Guard(f"{_number(denied, speaks):x}", replace(denials(self._policy, denied, self.catalog), gpc=speaks))


def _number(denied: frozenset[Purpose], speaks: bool) -> int:
    return sum(1 << bit for bit, purpose in enumerate(_PURPOSES) if purpose in denied) << 1 | speaks


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
        """What the address says: which guard, and 16 hexadecimal digits that change with its scripts."""
        return f"{self.key}-{sha256(self.script + self.modules).hexdigest()[:16]}"

    @cached_property
    def url(self) -> str:
        """The script's address on every site, good for ever."""
        return f"{GUARD_PATH}?v={self.version}"

    @cached_property
    def modules_url(self) -> str:
        """The address of the script with the hosts whose modules fail."""
        return f"{MODULES_PATH}?v={self.version}"

    @cached_property
    def modules(self) -> bytes:
        """The script that tells the guard which hosts' modules to fail: names, because an import map takes no hashes."""
        # A key of the map means its very host; where some of it stays open, all of it does.
        partly_open = {text.partition("/")[0] for text in self.config.exceptions if "/" in text}
        common = self.config.common
        hosts = [host for host in self.config.hosts if "*" not in host and host not in partly_open]
        hosts.sort(key=lambda host: host not in common)
        return denied_modules(hosts, sum(host in common for host in hosts))

    @cached_property
    def compressed(self) -> Mapping[str, Mapping[str, bytes]]:
        """Both scripts in each coding, by the coding and the script's path; takes a tenth of a second, once."""
        scripts = {GUARD_PATH: self.script, MODULES_PATH: self.modules}
        return {
            "br": {path: brotli.compress(script) for path, script in scripts.items()},
            "gzip": {path: gzip.compress(script, 9, mtime=0) for path, script in scripts.items()},
            "identity": scripts,
        }

    def prologue(self, head: bytes) -> bytes:
        """Return what goes in front of a worker script that begins with ``head``."""
        return worker_prologue(self.config, head)


def denials(policy: Policy, purposes: frozenset[Purpose], catalog: Catalog) -> GuardConfig:
    """Return what the guard denies when ``policy`` denies ``purposes``."""

    def denied(rule: Rule | None) -> bool:
        return rule is not None and policy.answer(rule.vendor, purposes).action is Action.BLOCK

    hosts: list[str] = []
    patterns: list[tuple[str, str]] = []
    innocent: list[str] = []
    common: list[str] = []
    concerned: set[str] = set()
    for host, whole, paths in catalog.hosts():
        if policy.allows(host) is not None:
            continue
        if whole is not None and denied(whole):
            hosts.append(host)
            concerned.add(host)
            if whole.vendor.surrogate is not None:
                common.append(host)
        elif not host.endswith(".*"):
            innocent.append(host)
        for rule in filter(denied, paths):
            name, _, path = rule.text.partition("/")
            patterns.append((name, f"/{path.replace(' ', '%20')}"))  # as browsers write it
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
    shadowed = _shadowed(hosts, {text.partition("/")[0] for text in exceptions}, catalog)
    return GuardConfig(
        hosts=tuple(host for host in hosts if host not in shadowed),
        patterns=tuple(patterns),
        exceptions=tuple(exceptions),
        cookies=tuple(dict.fromkeys(name for vendor in blocked for name in _widest(vendor.cookies))),
        storage=tuple(dict.fromkeys(name for vendor in blocked for name in _widest(vendor.storage))),
        innocent=tuple(innocent),
        common=frozenset(common),
        fetched=tuple(each for vendor in blocked for each in vendor.fetched.items()),
        stand_in=f"{PREFIX}/s/{BY_RULE}.js?rule=",
        report_path=REPORT_PATH,
        strict=policy.strict,
        sample_rate=policy.sample_rate,
    )


def _shadowed(hosts: Iterable[str], open_hosts: set[str], catalog: Catalog) -> set[str]:
    """Return the hosts that are denied with the host of the same vendor above them, and need no place of their own."""
    owners = {host: whole.vendor.vendor for host, whole, _ in catalog.hosts() if whole is not None}
    denied = set(hosts)
    shadowed: set[str] = set()
    for host in denied:
        above = host.partition(".")[2]
        while above and above not in owners and above not in open_hosts:
            above = above.partition(".")[2]
        if above in denied and above not in open_hosts and owners[above] == owners[host]:
            shadowed.add(host)
    return shadowed


def _widest(names: Iterable[str]) -> Iterator[str]:
    """Yield the names that none of the others covers with its final ``*``."""
    starts = tuple(name[:-1] for name in names if name.endswith("*"))
    for name in names:
        if not any(name.startswith(start) and name != f"{start}*" for start in starts):
            yield name


def _is_below(host: str, others: set[str]) -> bool:
    """Return True when ``host`` stands under one of ``others``, or under a ``name.*`` among them."""
    parts = host.split(".")
    above = (".".join(parts[start:]) for start in range(1, len(parts)))
    if any(name in others for name in above):
        return True
    return any(f"{label}.*" in others for label in parts[:-1] if label != "*" and f"{label}.*" != host)

"""Which pages are held to allowed third parties by a Content-Security-Policy, and the policy that holds them.

A second line of defence that no script can undo. A CSP can only allow, never deny, so whoever is not listed is kept
away, the unknown included: that is why it is a choice of the operator's (``lockdown``), and the default only on
``always`` paths, where a leak weighs most.

Listed are the site's hosts, ``allow_hosts``, whom the policy's ``allow`` names, every security vendor of the catalogue (they are loaded by scripts, too,
and keep working for everyone), and the allowed vendors that the page itself refers to in what is known of it when its
head leaves: its first 64 KiB. All allowed vendors would make a header of 20 KB, which proxies and clients refuse.
"""

from collections.abc import Iterable, Iterator

from optout_gate.http import Headers
from optout_gate.policy.config import Action, SiteConfig
from optout_gate.policy.decision import Decision, Policy, covers
from optout_gate.rewrite import csp
from optout_gate.rewrite.guard_rules import REPORT_PATH
from optout_gate.trackers.catalog import Catalog
from optout_gate.trackers.purposes import Purpose
from optout_gate.trackers.vendor import Vendor


class Lockdown:
    """One site's lockdown.

    Attributes:
        first_party: the site's hosts and the allow-list, as sources of a policy.
    """

    def __init__(self, config: SiteConfig, policy: Policy, catalog: Catalog) -> None:
        self._pages = config.lockdown
        self._on_always_paths = "lockdown" not in config.model_fields_set
        self._hosts = tuple(dict.fromkeys(host for host in (*config.hosts, *config.allow_hosts) if host != "*"))
        self._hosts += tuple(source for host in sorted(policy.allows_hosts) for source in (host, f"*.{host}"))
        self._open = "*" in config.allow_hosts
        self.first_party = self._hosts
        self._security = tuple(
            vendor
            for vendor in catalog
            if (Purpose.SECURITY in vendor.purposes and policy.answer(vendor).action is not Action.BLOCK)
            or vendor.vendor in policy.allows_vendors
        )

    def holds(self, decision: Decision, path: str) -> bool:
        """Return True for a page that is locked down."""
        if self._open or not decision.enforced:
            return False
        if isinstance(self._pages, tuple):
            return covers(self._pages, path)
        return self._pages or (self._on_always_paths and decision.always is not None)

    def applied(self, headers: Headers, seen: Iterable[Vendor]) -> Headers:
        """Return a page's headers with the policy beside those that it brings; both hold."""
        vendors = {vendor.vendor: vendor for vendor in [*self._security, *seen]}.values()
        sources = dict.fromkeys([*self._hosts, *(source for vendor in vendors for source in _sources(vendor))])
        return headers.plus((b"Content-Security-Policy", csp.lockdown(sources, REPORT_PATH)))


def _sources(vendor: Vendor) -> Iterator[str]:
    """Yield a vendor's places as CSP sources; ``name.*``, which cannot be said, as ``name.com``."""
    for host in vendor.domains:
        name = host.removesuffix(".*") + ".com" if host.endswith(".*") else host
        yield name
        yield f"*.{name}"
    for pattern in vendor.patterns:
        host, _, path = pattern.partition("/")
        name = host.removesuffix(".*") + ".com" if host.endswith(".*") else host
        whole = path.partition("*")[0].partition("?")[0]
        if whole != path or not whole.endswith("/"):
            # A source's path covers what is under it only where it ends on a slash.
            whole = whole.rpartition("/")[0] + "/" if "*" in path else whole + "/"
        for each in (name, f"*.{name}"):
            yield f"{each}/{whole.lstrip('/')}"

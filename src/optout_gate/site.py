"""A website behind the gate: the hosts it answers to, its policy, and what is ready for its pages."""

from optout_gate.policy.config import CookieConfig, SiteConfig
from optout_gate.policy.decision import Policy
from optout_gate.policy.tls import TlsOptions
from optout_gate.rewrite import coherence
from optout_gate.rewrite.guard_rules import Guards
from optout_gate.rewrite.lockdown import Lockdown


class Site:
    """A website behind the gate, ready for use."""

    def __init__(
        self,
        config: SiteConfig,
        policy: Policy,
        cookie: CookieConfig,
        guards: Guards,
        upstream_tls: TlsOptions | None = None,
    ) -> None:
        self.config = config
        self.upstream_tls = upstream_tls
        self.policy = policy
        self.wording = coherence.Wording.of(config, cookie)
        self.guards = guards
        self.lockdown = Lockdown(config, policy, guards.catalog)
        self.name = config.hosts[0]
        self.hosts = config.hosts

    def answers_to(self, host: str) -> bool:
        """Return True when ``host`` (lower case, no port) is one of the site's."""
        return any(host_matches(pattern, host) for pattern in self.hosts)


def host_matches(pattern: str, host: str) -> bool:
    """Return True when ``host`` (lower case, no port) is what a host pattern of the configuration means."""
    if pattern == "*":
        return True
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
    return host == pattern

"""Configurations for the edge that stands before the gate: nginx, HAProxy, Envoy, Caddy.

An edge that already serves the site need not send everything through the gate, only what the gate could change. Which
requests those are is worked out once (:mod:`optout_gate.edges.routing`); each dialect then says it in its own words.
"""

from collections.abc import Callable, Mapping

from optout_gate.edges import caddy, envoy, haproxy, nginx
from optout_gate.edges.routing import Routing, routing_of

__all__ = ["DIALECTS", "FILES", "Routing", "routing_of"]

DIALECTS: Mapping[str, Callable[[Routing, bool], str]] = {
    "nginx": nginx.write,
    "haproxy": haproxy.write,
    "envoy": envoy.write,
    "caddy": caddy.write,
}
"""Each takes a routing, and whether visitors who opted out get the bare site while no gate answers."""

FILES: Mapping[str, tuple[str, str]] = {
    "nginx": ("optout-gate.conf", "optout-gate.fail-open.conf"),
    "haproxy": ("haproxy.cfg", "haproxy.fail-open.cfg"),
    "envoy": ("envoy.yaml", "envoy.fail-open.yaml"),
    "caddy": ("Caddyfile", "Caddyfile.fail-open"),
}
"""What each is called under ``deploy/``: closed, open."""

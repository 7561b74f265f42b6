"""The statement at ``/.well-known/gpc.json`` that this origin honours Global Privacy Control.

Source: W3C "Global Privacy Control (GPC)", "GPC Support Resource". ``gpc`` is a JSON boolean, ``lastUpdate`` the full-date
on which the statement was made: never today's date, it is no heartbeat. It says what the site does for everybody,
so it is the same with and without the signal: no ``Vary``, and caches may keep it.

Crawlers meet sites whose firewall, login or soft 404 answers in its place; so the gate answers before all of them. It is
a public promise: the configuration refuses it beside any site that does not enforce.
"""

import json

from optout_gate.policy.config_visitor import GpcJsonConfig

PATH = "/.well-known/gpc.json"
HEADERS = {
    "Content-Type": "application/json",
    "Cache-Control": "public, max-age=86400",
    "X-Content-Type-Options": "nosniff",
}


def body(config: GpcJsonConfig) -> bytes:
    """Return the statement."""
    return json.dumps({"gpc": True, "lastUpdate": config.last_update}).encode()

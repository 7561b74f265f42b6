"""Everything the page on the admin address shows, as plain values for JSON: read from the metrics' registry.

The registry may be one process's or several workers' together; the page does not know. Histograms come as Prometheus
has them, counts up to each bound. The configuration is told by its sites and policies, never with keys or tokens.
"""

import time
from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Metric

from optout_gate import __version__
from optout_gate.policy.config import PolicyConfig
from optout_gate.policy.load import Loaded
from optout_gate.telemetry.state import config_number

COUNTS: Mapping[str, tuple[str, ...]] = {
    "requests": ("site", "signal", "decision"),
    "removals": ("vendor", "purpose"),
    "removals_by_kind": ("kind",),
    "leaks": ("vendor", "channel"),
    "blocked_in_browser": ("vendor", "channel"),
    "rewrite_errors": ("reason", "action"),
    "upstream_errors": ("site", "reason"),
    "signals_not_honoured": ("site", "signal"),
    "own_page_responses": ("page", "result"),
    "unknown_references": (),
}
"""Counters that are shown, by name without prefix and ending, with the labels of a row in their order."""

GAUGES: Mapping[str, tuple[str, ...]] = {
    "last_opt_out_timestamp_seconds": ("signal",),
    "config_last_reload_successful": (),
    "config_last_reload_success_timestamp_seconds": (),
    "inflight_requests": (),
    "unknown_hosts": (),
}
"""The same for gauges."""

HISTOGRAMS = ("rewrite_duration_seconds", "upstream_duration_seconds")
_PREFIX = "optout_gate_"


def overview(registry: CollectorRegistry, loaded: Loaded, recent: list[dict[str, object]]) -> dict[str, Any]:
    """Return what the page shows at this moment."""
    metrics = {metric.name.removeprefix(_PREFIX): metric for metric in registry.collect()}
    return {
        "at": time.time(),
        "version": __version__,
        "configuration": _configuration(loaded),
        "counts": {name: _rows(metrics.get(name), labels, "_total") for name, labels in COUNTS.items()},
        "gauges": {name: _rows(metrics.get(name), labels, "") for name, labels in GAUGES.items()},
        "histograms": {name: _buckets(metrics.get(name)) for name in HISTOGRAMS},
        "recent": recent,
    }


def _rows(metric: Metric | None, labels: tuple[str, ...], ending: str) -> list[list[Any]]:
    """Return one row a series: the values of its labels, then its own."""
    samples = metric.samples if metric is not None else []
    return [
        [*(sample.labels[label] for label in labels), sample.value]
        for sample in samples
        if sample.name.endswith(ending) and not sample.name.endswith("_created")
    ]


def _buckets(metric: Metric | None) -> list[list[float | str]]:
    """Return pairs of a bound in seconds, the last one ``+Inf``, and the observations up to it."""
    samples = metric.samples if metric is not None else []
    found = [(sample.labels["le"], sample.value) for sample in samples if sample.name.endswith("_bucket")]
    return [[le, value] for le, value in sorted(found, key=lambda pair: float(pair[0]))]


def _configuration(loaded: Loaded) -> dict[str, Any]:
    config = loaded.config
    policies = {"default": PolicyConfig(), **config.policies}
    used = {site.policy for site in config.sites}
    number = config_number(config)
    return {
        "hash": f"{number:012x}",
        "number": number,  # what optout_gate_config_hash shows
        "sites": [
            {
                "hosts": list(site.hosts),
                "upstream": site.upstream,
                "mode": site.mode.value,
                "policy": site.policy,
            }
            for site in config.sites
        ],
        "policies": [_policy(name, policy) for name, policy in policies.items() if name in used],
    }


def _policy(name: str, policy: PolicyConfig) -> dict[str, Any]:
    return {
        "name": name,
        "honor": sorted(policy.honor),
        "denied": sorted(purpose.value for purpose in policy.denied),
        "always": list(policy.always),
        "unknown": policy.unknown.value,
    }

"""What the gate says of itself: its version, the configuration in force, how old its lists are.

What changes with a reload is a number and never a label: with several workers no label value is ever forgotten.
"""

import hashlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Gauge

from optout_gate import __version__
from optout_gate.gate import Gate
from optout_gate.policy.config import Config
from optout_gate.telemetry.names import OTHER, Names
from optout_gate.trackers.catalog import REVISED

MAX_NAMED_LISTS = 4  # filter lists by name; further ones count together, as old as the newest of them


class StateMetrics:
    """The metrics of what is at work."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._build = Gauge(
            "optout_gate_build_info",
            "1; the version in its label.",
            ["version"],
            registry=registry,
            multiprocess_mode="max",
        )
        self._vendors = Gauge(
            "optout_gate_catalogue_vendors", "Vendors the gate knows.", registry=registry, multiprocess_mode="max"
        )
        self._catalogue_time = Gauge(
            "optout_gate_catalogue_revised_timestamp_seconds",
            "When the built-in catalogue was last gone through.",
            registry=registry,
            multiprocess_mode="max",
        )
        self._list_time = Gauge(
            "optout_gate_filter_list_modified_timestamp_seconds",
            "When the file of a filter list was last changed.",
            ["list"],
            registry=registry,
            multiprocess_mode="max",
        )
        self._config_hash = Gauge(
            "optout_gate_config_hash",
            "The configuration in force as a number: gates that differ run different ones.",
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self._reload_good = Gauge(
            "optout_gate_config_last_reload_successful",
            "1 when the configuration was last loaded without a mistake; 0 while an older one stays in force.",
            registry=registry,
            multiprocess_mode="livemin",
        )
        self._reload_time = Gauge(
            "optout_gate_config_last_reload_success_timestamp_seconds",
            "When the configuration in force was loaded.",
            registry=registry,
            multiprocess_mode="livemin",
        )
        self._lists = Names[str](MAX_NAMED_LISTS)

    def describe(self, gate: Gate, lists: Mapping[str, float]) -> None:
        """Say what is at work since now; ``lists`` holds when the filter lists' files were changed, by list."""
        self._build.labels(__version__).set(1)
        self._vendors.set(len(gate.catalog))
        self._catalogue_time.set(datetime.combine(REVISED, datetime.min.time(), UTC).timestamp())
        self._config_hash.set(config_number(gate.config))
        self._reload_good.set(1)
        self._reload_time.set(time.time())
        for name, changed in lists.items():
            self._list_time.labels(self._lists.label(name, OTHER)).set(changed)

    def reload_failed(self) -> None:
        """Say that a new configuration was wrong, and the one before it stays."""
        self._reload_good.set(0)


def config_number(config: Config) -> int:
    """Return a configuration as a number of 48 bits, which a float holds exactly; where it listens is no part of it."""
    digest = hashlib.sha256(config.model_dump_json(exclude={"listen", "admin"}).encode()).digest()
    return int.from_bytes(digest[:6], "big")

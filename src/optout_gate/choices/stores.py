"""The store that a configuration names."""

from pathlib import Path

from optout_gate.choices.redis_store import RedisStore
from optout_gate.choices.sqlite_store import SqliteStore
from optout_gate.choices.standing import Store
from optout_gate.policy.config_visitor import ChoicesConfig


def open_store(config: ChoicesConfig, folder: Path) -> Store:
    """Return the store; it connects when it is first asked. ``folder`` is where a relative path starts.

    Raises:
        StoreError: what the backend needs is not installed.
    """
    if config.backend == "redis":
        assert config.url is not None  # the configuration was checked
        return RedisStore(config.url)
    return SqliteStore(folder / config.path)

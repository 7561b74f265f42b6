"""The store that a configuration names: for requests, one consumer at a time, and for commands, all at once."""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from optout_gate.choices.files import Choice
from optout_gate.choices.redis_store import RedisStore
from optout_gate.choices.sqlite_store import ChoicesFile, SqliteStore
from optout_gate.choices.standing import Standing, Store, StoreError
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


class Unopened:
    """A store that could not be opened: every question fails, so that nobody is taken to have said nothing."""

    def __init__(self, error: StoreError) -> None:
        self._error = error

    async def look_up(self, name: bytes) -> Standing | None:
        """Raise.

        Raises:
            StoreError: always.
        """
        raise self._error

    async def apply(self, name: bytes, standing: Standing) -> Standing:
        """Raise.

        Raises:
            StoreError: always.
        """
        raise self._error

    async def forget(self, name: bytes) -> bool:
        """Raise.

        Raises:
            StoreError: always.
        """
        raise self._error

    async def close(self) -> None:
        """Do nothing."""


class Ledger(Protocol):
    """A store as a whole. Raises :exc:`~optout_gate.choices.standing.StoreError`."""

    async def apply_all(self, choices: Iterable[Choice]) -> None:
        """Let choices count."""

    async def everything(self) -> list[Choice]:
        """Return every choice."""

    async def forget_all(self, names: Iterable[bytes]) -> int:
        """Remove pseudonyms; return for how many something stood."""


class _SqliteLedger:
    """A file of choices, as a whole. Blocks: for commands."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def apply_all(self, choices: Iterable[Choice]) -> None:
        """Let choices count, all of them or none."""
        file = ChoicesFile(self._path)
        try:
            file.apply_all(choices)
        finally:
            file.close()

    async def everything(self) -> list[Choice]:
        """Return every choice."""
        file = ChoicesFile(self._path)
        try:
            return list(file.everything())
        finally:
            file.close()

    async def forget_all(self, names: Iterable[bytes]) -> int:
        """Remove pseudonyms; return for how many something stood."""
        file = ChoicesFile(self._path)
        try:
            return sum(file.forget(name) for name in names)
        finally:
            file.close()


class _RedisLedger:
    """The choices in Redis, as a whole. A connection that breaks half-way leaves half; the same file completes it."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def apply_all(self, choices: Iterable[Choice]) -> None:
        """Let choices count."""
        store = RedisStore(self._url)
        try:
            for name, standing in choices:
                await store.apply(name, standing)
        finally:
            await store.close()

    async def everything(self) -> list[Choice]:
        """Return every choice."""
        store = RedisStore(self._url)
        try:
            return [each async for each in store.everything()]
        finally:
            await store.close()

    async def forget_all(self, names: Iterable[bytes]) -> int:
        """Remove pseudonyms; return for how many something stood."""
        store = RedisStore(self._url)
        try:
            return sum([await store.forget(name) for name in names])
        finally:
            await store.close()


def open_ledger(config: ChoicesConfig, folder: Path) -> Ledger:
    """Return the store as a whole, for commands."""
    if config.backend == "redis":
        assert config.url is not None  # the configuration was checked
        return _RedisLedger(config.url)
    return _SqliteLedger(folder / config.path)

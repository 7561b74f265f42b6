"""Choices in an SQLite file: the default, for one machine with any number of worker processes.

In WAL mode readers and the one writer do not wait for each other, and a process that is killed leaves a file that the
next one opens (https://www.sqlite.org/wal.html). ``synchronous=FULL`` has a commit on the disk before it is
answered: an opt-out that was confirmed outlives a power cut, and there are few of them.

SQLite blocks, so each kind of call has a thread of its own: a slow write does not hold up a look-up. A queue before a
thread that hangs (a network file system that went away) would grow for ever; it is cut short instead.
"""

import asyncio
import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from optout_gate.choices.standing import Source, Standing, StoreError

BUSY_TIMEOUT_MS = 2000  # another process's write; the visitor's request stops waiting long before
MAX_WAITING = 256  # calls before one thread; at 50 µs a look-up more than the longest time-out
VERSION = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS choices (
  consumer BLOB PRIMARY KEY,   -- HMAC-SHA256 of the identifier
  out      INTEGER NOT NULL,   -- 1: opted out; 0: took it back
  at_ms    INTEGER NOT NULL,   -- when, in milliseconds since 1970
  source   TEXT NOT NULL       -- how it came in
) WITHOUT ROWID
"""
_APPLY = """
INSERT INTO choices (consumer, out, at_ms, source) VALUES (?, ?, ?, ?)
ON CONFLICT (consumer) DO UPDATE SET out = excluded.out, at_ms = excluded.at_ms, source = excluded.source
WHERE (excluded.at_ms, excluded.out) > (at_ms, out)
"""
_LOOK_UP = "SELECT out, at_ms, source FROM choices WHERE consumer = ?"

T = TypeVar("T")


class ChoicesFile:
    """An open file of choices, for one thread. Raises :exc:`StoreError` for whatever SQLite raises."""

    def __init__(self, path: Path) -> None:
        with _translated(path):
            # The file names nobody, but when and how often people chose is nobody else's to read.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None)
            self._path = path
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self) -> None:
        run = self._connection.execute
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        [version] = run("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise StoreError(f"{self._path}: format {version} is newer than this optout-gate knows ({VERSION})")
        if version < VERSION:
            run(_SCHEMA)
            run(f"PRAGMA user_version = {VERSION}")

    def look_up(self, name: bytes) -> Standing | None:
        """Return what stands under a pseudonym, or None."""
        with _translated(self._path):
            row = self._connection.execute(_LOOK_UP, (name,)).fetchone()
        return _standing(*row) if row is not None else None

    def apply(self, name: bytes, standing: Standing) -> Standing:
        """Let a choice count; return what stands then."""
        self.apply_all([(name, standing)])
        found = self.look_up(name)
        return found if found is not None else standing

    def apply_all(self, choices: Iterable[tuple[bytes, Standing]]) -> None:
        """Let many choices count, all of them or none."""
        rows = ((name, each.out, each.at_ms, each.source.value) for name, each in choices)
        with _translated(self._path), self._transaction():
            self._connection.executemany(_APPLY, rows)

    def forget(self, name: bytes) -> bool:
        """Remove what stands under a pseudonym; return whether there was anything."""
        with _translated(self._path):
            return self._connection.execute("DELETE FROM choices WHERE consumer = ?", (name,)).rowcount > 0

    def everything(self) -> Iterator[tuple[bytes, Standing]]:
        """Yield every pseudonym with what stands, in the order of the pseudonyms."""
        with _translated(self._path):
            for name, *row in self._connection.execute(
                "SELECT consumer, out, at_ms, source FROM choices ORDER BY consumer"
            ):
                yield bytes(name), _standing(*row)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: {error}") from None


def _standing(out: int, at_ms: int, source: str) -> Standing:
    return Standing(bool(out), at_ms, Source(source) if source in tuple(Source) else Source.IMPORT)


class SqliteStore:
    """A :class:`~optout_gate.choices.standing.Store` in an SQLite file."""

    def __init__(self, path: Path) -> None:
        """Take the file; it is made when it is first asked for anything."""
        self._readers = _Desk(path)
        self._writers = _Desk(path)

    async def look_up(self, name: bytes) -> Standing | None:
        """Return what stands under a pseudonym, or None."""
        return await self._readers.ask(lambda file: file.look_up(name))

    async def apply(self, name: bytes, standing: Standing) -> Standing:
        """Let a choice count; return what stands then."""
        return await self._writers.ask(lambda file: file.apply(name, standing))

    async def forget(self, name: bytes) -> bool:
        """Remove what stands under a pseudonym; return whether there was anything."""
        return await self._writers.ask(lambda file: file.forget(name))

    async def close(self) -> None:
        """Close the file, without waiting for a call that hangs."""
        self._readers.close()
        self._writers.close()


class _Desk:
    """One thread with the file open in it, and a short queue."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="optout-gate-choices")
        self._held = threading.local()
        self._waiting = 0

    async def ask(self, question: Callable[[ChoicesFile], T]) -> T:
        """Return the answer of ``question``, put to the file in its thread."""
        if self._waiting >= MAX_WAITING:
            raise StoreError(f"{self._path}: {MAX_WAITING} calls are waiting already")
        self._waiting += 1
        try:
            asked = self._thread.submit(self._answer, question)
        except RuntimeError:
            self._waiting -= 1
            raise StoreError(f"{self._path} is closed") from None
        loop = asyncio.get_running_loop()

        def done(_: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is gone, and the count with it
                loop.call_soon_threadsafe(self._one_less)

        asked.add_done_callback(done)
        return await asyncio.wrap_future(asked)

    def _one_less(self) -> None:
        self._waiting -= 1

    def _answer(self, question: Callable[[ChoicesFile], T]) -> T:
        file: ChoicesFile | None = getattr(self._held, "file", None)
        if file is None:
            file = self._held.file = ChoicesFile(self._path)
        try:
            return question(file)
        except StoreError:
            # A file that was moved or broken stays so for its connection: the next call opens it anew.
            self._held.file = None
            file.close()
            raise

    def close(self) -> None:
        """Close the file behind the calls that wait, and end the thread."""
        with contextlib.suppress(RuntimeError):
            self._thread.submit(self._close)
        self._thread.shutdown(wait=False)

    def _close(self) -> None:
        file: ChoicesFile | None = getattr(self._held, "file", None)
        if file is not None:
            file.close()

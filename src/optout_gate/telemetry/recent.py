"""The last decisions for visitors who opted out, for people to look at. Kept in memory, and gone with the process.

An entry says when (to the second), which of the configuration's sites, which signal, what became of the response and
which vendors were taken out. It holds no address, path, cookie or anything else by which one visitor could be told
from another.

With several workers each writes its entries to a file beside its metrics, at most once a second, and the supervisor
reads them together.
"""

import json
import os
from collections import Counter, deque
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from optout_gate.report import Report

MAX_ENTRIES = 15
_FILES = "recent-{pid}.json"


class _Entry(NamedTuple):
    at: float
    site: str
    signal: str
    outcome: str
    removed: Counter[tuple[str, str, str]]
    seconds: float


class Recent:
    """What one process decided last."""

    def __init__(self) -> None:
        self._entries: deque[_Entry] = deque(maxlen=MAX_ENTRIES)
        self._count = 0
        self._written = 0

    def note(self, report: Report, *, at: float, seconds: float) -> None:
        """Keep a decision; ``at`` in seconds since 1970. Nothing is worked out before somebody looks."""
        entry = _Entry(at, report.site, report.decision.signal, report.outcome.value, report.removals.counts, seconds)
        self._entries.append(entry)
        self._count += 1

    def entries(self) -> list[dict[str, object]]:
        """Return what is kept as plain values, the latest first."""
        return [_told(each) for each in reversed(self._entries)]

    def write(self, folder: Path) -> None:
        """Write the entries where :func:`read_together` finds them, if there are new ones."""
        if self._count == self._written:
            return
        self._written = self._count
        file = folder / _FILES.format(pid=os.getpid())
        beside = file.with_suffix(".new")
        beside.write_text(json.dumps(self.entries()))
        beside.replace(file)  # a reader finds the old file or the new one, never half of it


def read_together(folder: Path) -> list[dict[str, object]]:
    """Return the latest entries of every process that wrote into ``folder``, the latest first."""
    found = [entry for file in folder.glob(_FILES.format(pid="*")) for entry in json.loads(file.read_text())]
    return sorted(found, key=lambda entry: str(entry["at"]), reverse=True)[:MAX_ENTRIES]


def forget(folder: Path, pid: int) -> None:
    """Drop what a process that has ended left behind."""
    (folder / _FILES.format(pid=pid)).unlink(missing_ok=True)


def _told(entry: _Entry) -> dict[str, object]:
    removed: Counter[str] = Counter()
    for (vendor, _, _), count in entry.removed.items():
        removed[vendor] += count
    return {
        "at": datetime.fromtimestamp(int(entry.at), UTC).isoformat().replace("+00:00", "Z"),
        "site": entry.site,
        "signal": entry.signal,
        "outcome": entry.outcome,
        "removed": dict(removed.most_common()),
        "ms": round(entry.seconds * 1000, 1),
    }

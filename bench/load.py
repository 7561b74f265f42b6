"""Load on one contender, and what answering it cost: requests by wrk's count, CPU by the kernel's.

Requests per second depend on who else is on the machine in that second; CPU per request hardly does. Both are taken
from the same seconds. The kernel's count of a process (proc_pid_stat(5)) comes in ticks, of 10 ms as a rule, so a round
shorter than a second says little about a fast contender.
"""

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 8  # keep one core busy; more would only lengthen the queue of a slow contender past the round
SIGNAL = "Sec-GPC: 1"
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_DONE = re.compile(r"(\d+) requests in ([\d.]+)(us|ms|s|m),")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


class LoadFailed(Exception):
    """A contender answered wrongly or not at all while it was measured."""


@dataclass(frozen=True, slots=True)
class Round:
    """One measurement.

    Attributes:
        requests: answered.
        seconds: that it took.
        cpu_seconds: that the contender's processes spent in it.
    """

    requests: int
    seconds: float
    cpu_seconds: float

    @property
    def requests_per_second(self) -> float:
        """Requests answered in a second."""
        return self.requests / self.seconds

    @property
    def cpu_us_per_request(self) -> float:
        """CPU time of one request, in microseconds."""
        return self.cpu_seconds / self.requests * 1e6

    @property
    def core_share(self) -> float:
        """How much of its core the contender had: near 1, it was what limited the rate."""
        return self.cpu_seconds / self.seconds


def measure(
    port: int, path: str, *, pid: int, signal: bool, seconds: int, core: int, lines: Sequence[str] = ()
) -> Round:
    """Return one round of load on a loopback port, made on ``core``, of requests with ``lines`` in their heads.

    ``pid`` is the contender's first process.

    Raises:
        LoadFailed: a request was answered with something else than 2xx or 3xx, or not.
    """
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s"]
    for line in (*lines, *([SIGNAL] if signal else [])):
        command += ["-H", line]
    before = cpu_seconds(pid)
    text = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True
    ).stdout
    spent = cpu_seconds(pid) - before
    done = _DONE.search(text)
    if done is None or not int(done[1]) or "Non-2xx" in text or "Socket errors" in text:
        raise LoadFailed(text)
    if not spent:
        raise LoadFailed(f"process {pid} had no CPU for {done[1]} requests: the round was too short for this machine")
    return Round(int(done[1]), float(done[2]) * _UNITS[done[3]], spent)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process, its descendants, and those of them that it has outlived have spent."""
    fields = {each: found for each in _processes() if (found := _stat(each)) is not None}
    wanted, total = [pid], 0
    while wanted:
        each = wanted.pop()
        if each in fields:
            total += sum(fields[each][11:15])  # utime, stime, cutime, cstime
            wanted += [child for child, stat in fields.items() if stat[1] == each]
    return total / _TICKS_PER_SECOND


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _stat(pid: int) -> list[int] | None:
    """Return the numbers of a process's ``stat`` from its state on (which is no number and reads as 0), or None when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    _state, *numbers = text.rpartition(")")[2].split()  # a name in parentheses before it may hold blanks
    return [0, *map(int, numbers)]

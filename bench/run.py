"""Requests per second and CPU per request of the gate, beside what could stand in its place, in one run.

    python bench/run.py [--quick] [--rounds 4] [--seconds 2] [--json FILE]

Absolute figures are this machine's in this minute. What carries over is the ratios, so the contenders take turns in
short rounds, a ratio is taken within each round, and medians are printed. ``docs/benchmarks.md`` has the method and
figures; exit code 1 says that one of :data:`DEMANDS` does not hold, 2 that nothing could be measured.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import pages
from contenders import MITMDUMP, CannotRun, Contender, all_running, check
from load import LoadFailed, Round, measure

GATE = "gate"


class Demand(NamedTuple):
    """What must be true of the gate, for visitors who send the signal or for those who do not."""

    page: str
    signal: bool
    beside: str
    at_least: float

    @property
    def words(self) -> str:
        """What is measured, for people."""
        return f"{self.page} page, {'with' if self.signal else 'without'} the signal: gate ÷ {self.beside}"


DEMANDS = (
    Demand("119 KB", True, "mitmproxy", 2.5),
    Demand("30 KB", True, "mitmproxy", 7.0),
    Demand("119 KB", False, "nginx proxy_pass", 0.7),
    Demand("30 KB", False, "nginx proxy_pass", 0.33),
)

Case = tuple[str, bool]
"""A page by its name, and whether the signal is sent."""

Figures = dict[Case, dict[str, list[Round]]]
"""Rounds by case and contender, in the order in which they were measured."""


def measure_all(
    contenders: Sequence[Contender], *, rounds: int, seconds: int, load_core: int, console: Console
) -> Figures:
    """Return every figure; contenders take turns, so that a slow moment of the machine hits all alike."""
    cases: list[Case] = [(page, signal) for page in pages.SIZES for signal in (False, True)]
    figures: Figures = {case: {contender.name: [] for contender in contenders} for case in cases}
    columns = (TextColumn("{task.description:<44}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task("", total=len(contenders) * (len(cases) * rounds * seconds + 1))

        def load(contender: Contender, page: str, signal: bool, seconds: int) -> Round:
            words = "with" if signal else "without"
            progress.update(task, description=f"{contender.name}, {page}, {words} the signal")
            path = f"/{pages.SIZES[page]}"
            done = measure(contender.port, path, pid=contender.pid, signal=signal, seconds=seconds, core=load_core)
            progress.advance(task, seconds)
            return done

        for contender in contenders:  # not counted: the first second fills caches and opens connections
            load(contender, "30 KB", True, 1)
        for _ in range(rounds):
            for page, signal in cases:
                for contender in contenders:
                    figures[page, signal][contender.name].append(load(contender, page, signal, seconds))
    return figures


def ratio(figures: Figures, case: Case, beside: str) -> float:
    """Return how many times as many requests the gate answers: the median of the rounds' ratios."""
    pairs = zip(figures[case][GATE], figures[case][beside], strict=True)
    return median(gate.requests_per_second / other.requests_per_second for gate, other in pairs)


def cpu_ratio(figures: Figures, case: Case, beside: str) -> float:
    """Return how many times as much CPU the other spends on a request: the ratio that a busy machine moves least."""
    pairs = zip(figures[case][GATE], figures[case][beside], strict=True)
    return median(other.cpu_us_per_request / gate.cpu_us_per_request for gate, other in pairs)


def table(figures: Figures, case: Case) -> Table:
    page, signal = case
    title = f"{page} page, {'with' if signal else 'without'} the signal"
    drawn = Table(title=title, title_justify="left", title_style="bold")
    drawn.add_column("", no_wrap=True)
    for heading in ("req/s", "lowest–highest", "CPU µs/req", "core", "gate ÷", "by CPU"):
        drawn.add_column(heading, justify="right", no_wrap=True)
    for name, rounds in figures[case].items():
        rates = [each.requests_per_second for each in rounds]
        drawn.add_row(
            name,
            f"{median(rates):,.0f}",
            f"{min(rates):,.0f}–{max(rates):,.0f}",
            f"{median(each.cpu_us_per_request for each in rounds):,.0f}",
            f"{median(each.core_share for each in rounds):.0%}",
            "" if name == GATE else f"{ratio(figures, case, name):.2f}",
            "" if name == GATE else f"{cpu_ratio(figures, case, name):.2f}",
            style="bold" if name == GATE else None,
        )
    return drawn


def report(figures: Figures, settings: dict[str, Any]) -> dict[str, Any]:
    """Return everything that was measured, as JSON has it."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "settings": settings,
        "figures": [
            {
                "page": page,
                "signal": signal,
                "contender": name,
                "requests_per_second": [round(each.requests_per_second, 1) for each in rounds],
                "cpu_us_per_request": [round(each.cpu_us_per_request, 1) for each in rounds],
                "core_share": [round(each.core_share, 3) for each in rounds],
                "gate_ratio": None if name == GATE else round(ratio(figures, (page, signal), name), 3),
                "gate_cpu_ratio": None if name == GATE else round(cpu_ratio(figures, (page, signal), name), 3),
            }
            for (page, signal), contenders in figures.items()
            for name, rounds in contenders.items()
        ],
        "demands": [
            {**demand._asdict(), "words": demand.words, "measured": round(found, 3), "holds": found >= demand.at_least}
            for demand in DEMANDS
            for found in [ratio(figures, (demand.page, demand.signal), demand.beside)]
        ],
    }


def machine() -> dict[str, Any]:
    """Return what the figures belong to: processor, system, and the versions measured."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    nginx = subprocess.run(["/usr/sbin/nginx", "-v"], capture_output=True, text=True, check=False).stderr
    mitmproxy = subprocess.run([MITMDUMP, "--version"], capture_output=True, text=True, check=False).stdout
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "nginx": nginx.strip().rpartition("/")[2],
        "mitmproxy": mitmproxy.partition("\n")[0].rpartition(" ")[2],
        "optout-gate": version("optout-gate"),
        "python-lolhtml": version("python-lolhtml"),
    }


def main() -> int:
    """Measure, print, judge; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="under a minute: 2 rounds of 1 s")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=2, help="of one round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure")
    given = parser.parse_args()
    rounds, seconds = (2, 1) if given.quick else (given.rounds, given.seconds)
    console = Console(width=None if sys.stdout.isatty() else 100)  # a table that is cut says nothing
    cores = sorted(os.sched_getaffinity(0))
    core, load_core = cores[0], cores[-1]
    if core == load_core:
        console.print("One core only: contenders, origin and load share it. The ratios are too small for that.")
    try:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)  # nginx's workers, as another user, read the pages in it
            with all_running(Path(folder), core=core, load_core=load_core) as contenders:
                check(contenders)
                console.print(
                    f"{len(contenders)} contenders on core {core} in turn, load and origin on core {load_core}."
                )
                figures = measure_all(contenders, rounds=rounds, seconds=seconds, load_core=load_core, console=console)
    except (CannotRun, LoadFailed) as problem:
        console.print(f"Nothing measured: {problem}", style="red", markup=False)
        return 2
    for case in figures:
        console.print(table(figures, case))
    found = report(figures, {"rounds": rounds, "seconds": seconds, "core": core, "load_core": load_core})
    for demand in found["demands"]:
        words = "holds" if demand["holds"] else "does NOT hold"
        console.print(
            f"{demand['words']} = {demand['measured']:.2f}; at least {demand['at_least']:g} is demanded: {words}.",
            style="green" if demand["holds"] else "red",
        )
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0 if all(demand["holds"] for demand in found["demands"]) else 1


if __name__ == "__main__":
    sys.exit(main())

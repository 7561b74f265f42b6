"""The demo as its users run it, and what its metrics say."""

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from support.processes import COMMAND


@dataclass(frozen=True)
class Demo:
    """A demo that runs.

    Attributes:
        url: where the site stands behind the gate.
        admin: where the gate's metrics are.
    """

    url: str
    admin: str

    def counted(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """Return a counter's values by those of the labels."""
        with urlopen(f"{self.admin}/metrics") as answer:
            families = text_string_to_metric_families(answer.read().decode())
            samples = [sample for family in families for sample in family.samples if sample.name == name]
        return {tuple(sample.labels[label] for label in labels): sample.value for sample in samples}

    def once(self, holds: Callable[[], bool], *, patience_s: float = 10) -> bool:
        """Return True as soon as ``holds`` does, and False when it does not in time: a beacon has no answer."""
        until = time.monotonic() + patience_s
        while not holds():
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        return True


@contextmanager
def running_demo() -> Iterator[Demo]:
    """Run ``optout-gate demo`` on free ports."""
    command = [*COMMAND, "demo", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found: dict[str, str] = {}
        for line in process.stdout:
            if match := re.search(r"(behind the gate|Metrics)\s+(http://[^/\s]+)", line):
                found[match[1]] = match[2]
            if len(found) == 2:
                break
        else:
            raise RuntimeError("the demo did not start")
        try:
            yield Demo(found["behind the gate"], found["Metrics"])
        finally:
            process.terminate()
            process.wait(30)

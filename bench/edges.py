"""What an edge costs that asks of each request whether the gate could change it, for visitors who said nothing.

    python bench/edges.py [--rounds 9] [--seconds 2]

Three edges take turns before one origin: the snippet of ``optout-gate snippet``, the same without the question, and that
one a second time. The last is the measure of chance: what it differs from its twin by, the machine did. The order changes
from round to round, a ratio is taken within a round, and medians are printed. Exit code 1 says that an edge with the
question answers less than 0.95 of the requests per second of CPU of the bare one, 2 that nothing could be measured.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median

from click.testing import CliRunner

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from load import LoadFailed, Round, measure  # noqa: E402
from optout_gate.cli import main as optout_gate  # noqa: E402
from pages import page  # noqa: E402
from support.edges import Address, free_address, program, running_edge, shown  # noqa: E402

SIZE = 30_000
AT_LEAST = 0.95
KINDS = ("bare", "bare again", "asks")
CONFIG = """version: 1
listen: 127.0.0.1:1
admin: 127.0.0.1:2
trusted_proxies: [127.0.0.1]
sites: [{{hosts: ["127.0.0.1"], upstream: "http://{origin}"}}]
policies: {{default: {{always: ["/member/*"]}}}}
"""
ORIGIN = """
server {{
    listen {listen};
    keepalive_requests 1000000000;
    add_header Cache-Control private;
    default_type text/html;
    root {folder};
}}
"""

BARE: Mapping[str, tuple[tuple[str, str], ...]] = {
    "nginx": (
        (
            "        if ($optout_gate_asked) {\n            error_page 418 = @optout_gate;\n"
            "            return 418;\n        }\n",
            "",
        ),
        ("add_header Vary $optout_gate_vary always;", ""),
    ),
    "haproxy": (
        ("    acl signal ", "    # acl signal "),
        ("    acl asset ", "    # acl asset "),
        ("    acl always ", "    # acl always "),
        ("    http-request set-var(txn.to)", "    # http-request set-var(txn.to)"),
        ("    use_backend optout_gate if", "    # use_backend optout_gate if"),
        ("    http-after-response", "    # http-after-response"),
    ),
}
"""What is taken out of a snippet to have the edge without the question; every line must be there."""


def bare(dialect: str, text: str) -> str:
    """Return a snippet without the question."""
    for old, new in BARE[dialect]:
        if old not in text:
            raise LoadFailed(f"the snippet of {dialect} has no {old!r} any more: bench/edges.py must follow it")
        text = text.replace(old, new)
    return text


@contextlib.contextmanager
def edges(dialect: str, origin: Address, folder: Path) -> Iterator[dict[str, tuple[int, int]]]:
    """Run the three; yield port and process of each."""
    file = folder / "site.yaml"
    file.write_text(CONFIG.format(origin=shown(origin)))
    found: dict[str, tuple[int, int]] = {}
    with contextlib.ExitStack() as stack:
        for kind in KINDS:
            listen = free_address()
            told = CliRunner().invoke(
                optout_gate, ["snippet", dialect, "--config", str(file), "--listen", shown(listen)]
            )
            text = told.output if kind == "asks" else bare(dialect, told.output)
            process = stack.enter_context(running_edge(dialect, text, folder / kind.replace(" ", "-"), listen))
            subprocess.run(["taskset", "-a", "-c", "-p", "0", str(process.pid)], check=True, capture_output=True)
            found[kind] = (listen[1], process.pid)
        yield found


def measured(dialect: str, *, rounds: int, seconds: int, core: int) -> dict[str, list[Round]]:
    """Return the rounds of each kind; the same number in all are of one turn."""
    figures: dict[str, list[Round]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as name:
        folder, listen = Path(name), free_address()
        (folder / "www").mkdir()
        (folder / "www" / "page").write_bytes(page(SIZE))
        text = ORIGIN.format(listen=shown(listen), folder=folder / "www")
        with running_edge("nginx", text, folder / "origin", listen) as origin, edges(dialect, listen, folder) as found:
            os.sched_setaffinity(origin.pid, {core})
            for turn in range(rounds):
                for kind in KINDS[turn % 3 :] + KINDS[: turn % 3]:
                    port, pid = found[kind]
                    figures[kind].append(measure(port, "/page", pid=pid, signal=False, seconds=seconds, core=core))
    return figures


def ratio(figures: dict[str, list[Round]], kind: str) -> tuple[float, float]:
    """Return medians over the turns of requests per second, and per second of CPU, beside the bare edge."""
    pairs = list(zip(figures[kind], figures["bare"], strict=True))
    rate = median(one.requests_per_second / other.requests_per_second for one, other in pairs)
    return rate, median(other.cpu_us_per_request / one.cpu_us_per_request for one, other in pairs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=2)
    arguments = parser.parse_args()
    slow = False
    print(f"{'edge':10}{'requests/s':>12}{'CPU us':>10}{'rate':>9}{'per CPU':>9}{'twin: rate':>12}{'per CPU':>9}")
    for dialect in BARE:
        if program(dialect) is None:
            print(f"{dialect:10} is not installed")
            continue
        try:
            figures = measured(
                dialect, rounds=arguments.rounds, seconds=arguments.seconds, core=(os.cpu_count() or 1) - 1
            )
        except (LoadFailed, OSError, subprocess.CalledProcessError) as error:
            print(f"{dialect}: {error}", file=sys.stderr)
            return 2
        (rate, cpu), (twin_rate, twin_cpu) = ratio(figures, "asks"), ratio(figures, "bare again")
        per_second = median(each.requests_per_second for each in figures["asks"])
        spent = median(each.cpu_us_per_request for each in figures["asks"])
        print(f"{dialect:10}{per_second:12.0f}{spent:10.1f}{rate:9.3f}{cpu:9.3f}{twin_rate:12.3f}{twin_cpu:9.3f}")
        slow = slow or cpu < AT_LEAST * min(1.0, twin_cpu)
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())

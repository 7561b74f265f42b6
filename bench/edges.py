"""What an edge costs that asks of each request whether the gate could change it, for visitors who said nothing.

    python bench/edges.py [nginx haproxy envoy caddy] [--rounds 9] [--seconds 2]

Three edges take turns before one origin: the snippet of ``optout-gate snippet``, the same without the question, and that
one a second time. The last is the measure of chance: what it differs from its twin by, the machine did. Each round has new
processes and another order, a ratio is taken within a round, and medians are printed. Exit code 1 says that an edge with the
question answers less than 0.95 of the requests per second of CPU of the bare one, 2 that nothing could be measured.
"""

import argparse
import contextlib
import itertools
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median

import yaml
from click.testing import CliRunner

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from load import LoadFailed, Round, measure  # noqa: E402
from optout_gate.cli import main as optout_gate  # noqa: E402
from optout_gate.edges import DIALECTS  # noqa: E402
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

VISITORS: Mapping[str, tuple[str, ...]] = {
    "wrk": (),
    "browser": (
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "Accept-Language: en-US,en;q=0.5",
        "Accept-Encoding: gzip, deflate, br",
        "Referer: http://127.0.0.1/shop/",
        "Cookie: session=4f1c2b7e9a8d4e6f; _ga=GA1.1.1234567890.1700000000; cart=3; theme=dark",
        "Sec-Fetch-Dest: document",
        "Sec-Fetch-Mode: navigate",
        "Sec-Fetch-Site: same-origin",
        "Upgrade-Insecure-Requests: 1",
    ),
}
"""What is sent beside the Host: nothing, or what a browser sends. An edge must read each cookie to know whose it is."""

BARE: Mapping[str, tuple[tuple[str, str], ...]] = {
    "nginx": (
        (r"^ +if \(\$optout_gate_asked\) \{\n(?:.*;\n)+ +\}\n", ""),
        (r"add_header Vary \$optout_gate_vary always;", ""),
    ),
    "haproxy": (
        (r"^    acl (?:signal|asset|always) .*\n", ""),
        (r"^    http-request set-var\(txn\.to\) .*\n", ""),
        (r"^    use_backend optout_gate .*\n", ""),
        (r"^    http-after-response .*\n", ""),
    ),
    "caddy": (
        (r"^\t@known not \{\n(?:\t\t.*\n)*\t\}\n", ""),
        (r"^\troute @known \{\n(?:\t\t.*\n)*\t\}\n", ""),
        (r"^(\treverse_proxy .*) \{\n(?:\t\t.*\n)+\t\}\n(?=\}\n)", r"\1\n"),
    ),
}
"""What is replaced in a snippet to have the edge without the question; each must be there. Envoy's is no text."""


def bare(dialect: str, text: str) -> str:
    """Return a snippet without the question."""
    if dialect == "envoy":
        return bare_envoy(text)
    for old, new in BARE[dialect]:
        text, found = re.subn(old, new, text, flags=re.MULTILINE)
        if not found:
            raise LoadFailed(f"the snippet of {dialect} has no {old!r} any more: bench/edges.py must follow it")
    return text


def bare_envoy(text: str) -> str:
    """Return Envoy's file with one route, which is the site's, and nothing that only the question needs."""
    config = yaml.safe_load(text)
    del config["inline_headers"]
    [chain] = config["static_resources"]["listeners"][0]["filter_chains"]
    site = chain["filters"][0]["typed_config"]["route_config"]["virtual_hosts"][0]
    to_origin = next(route["route"] for route in site["routes"] if route["route"]["cluster"] == "origin_1")
    site["routes"] = [{"match": {"prefix": "/"}, "route": to_origin}]
    return str(yaml.safe_dump(config, sort_keys=False))


def snippets(dialect: str, origin: Address, folder: Path) -> dict[str, tuple[Address, str]]:
    """Return, for each kind, where it listens and its configuration."""
    file = folder / "site.yaml"
    file.write_text(CONFIG.format(origin=shown(origin)))
    found = {}
    for kind in KINDS:
        listen = free_address()
        told = CliRunner().invoke(optout_gate, ["snippet", dialect, "--config", str(file), "--listen", shown(listen)])
        found[kind] = (listen, told.output if kind == "asks" else bare(dialect, told.output))
    return found


@contextlib.contextmanager
def edges(dialect: str, texts: Mapping[str, tuple[Address, str]], folder: Path) -> Iterator[dict[str, tuple[int, int]]]:
    """Run the three; yield port and process of each."""
    found: dict[str, tuple[int, int]] = {}
    with contextlib.ExitStack() as stack:
        for kind, (listen, text) in texts.items():
            beside = folder / kind.replace(" ", "-")
            process = stack.enter_context(running_edge(dialect, text, beside, listen))
            subprocess.run(["taskset", "-a", "-c", "-p", "0", str(process.pid)], check=True, capture_output=True)
            found[kind] = (listen[1], process.pid)
        yield found


def measured(dialect: str, *, rounds: int, seconds: int, core: int) -> dict[tuple[str, str], list[Round]]:
    """Return the rounds by visitor and kind; the same number in all are of one turn.

    Each turn has new processes: where a process's memory comes to lie makes it faster or slower by some 2 % for as long
    as it lives, and no number of rounds would even that out.
    """
    figures: dict[tuple[str, str], list[Round]] = {(who, kind): [] for who in VISITORS for kind in KINDS}
    with tempfile.TemporaryDirectory() as name:
        folder, listen = Path(name), free_address()
        (folder / "www").mkdir()
        (folder / "www" / "page").write_bytes(page(SIZE))
        text = ORIGIN.format(listen=shown(listen), folder=folder / "www")
        with running_edge("nginx", text, folder / "origin", listen) as origin:
            os.sched_setaffinity(origin.pid, {core})
            texts = snippets(dialect, listen, folder)
            for turn in range(rounds):
                order = KINDS[turn % 3 :] + KINDS[: turn % 3]
                with edges(dialect, texts, folder / str(turn)) as found:
                    for kind in order:  # what a process does once, it does now
                        measure(found[kind][0], "/page", pid=found[kind][1], signal=False, seconds=1, core=core)
                    for (who, lines), kind in itertools.product(VISITORS.items(), order):
                        port, pid = found[kind]
                        load = measure(port, "/page", pid=pid, signal=False, seconds=seconds, core=core, lines=lines)
                        figures[who, kind].append(load)
    return figures


def ratio(figures: dict[tuple[str, str], list[Round]], who: str, kind: str) -> tuple[float, float]:
    """Return medians over the turns of requests per second, and per second of CPU, beside the bare edge."""
    pairs = list(zip(figures[who, kind], figures[who, "bare"], strict=True))
    rate = median(one.requests_per_second / other.requests_per_second for one, other in pairs)
    return rate, median(other.cpu_us_per_request / one.cpu_us_per_request for one, other in pairs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("edge", nargs="*", choices=[[], *DIALECTS], help="all by default")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=2)
    arguments = parser.parse_args()
    slow = False
    print(
        f"{'edge':9}{'visitor':9}{'requests/s':>11}{'CPU us':>8}{'rate':>8}{'per CPU':>8}{'twin: rate':>12}{'per CPU':>8}"
    )
    for dialect in arguments.edge or DIALECTS:
        if program(dialect) is None:
            print(f"{dialect:9}is not installed")
            continue
        try:
            figures = measured(
                dialect, rounds=arguments.rounds, seconds=arguments.seconds, core=(os.cpu_count() or 1) - 1
            )
        except (LoadFailed, OSError, subprocess.CalledProcessError) as error:
            print(f"{dialect}: {error}", file=sys.stderr)
            return 2
        for who in VISITORS:
            (rate, cpu), (twin_rate, twin_cpu) = ratio(figures, who, "asks"), ratio(figures, who, "bare again")
            per_second = median(each.requests_per_second for each in figures[who, "asks"])
            spent = median(each.cpu_us_per_request for each in figures[who, "asks"])
            print(
                f"{dialect:9}{who:9}{per_second:11.0f}{spent:8.1f}{rate:8.3f}{cpu:8.3f}{twin_rate:12.3f}{twin_cpu:8.3f}",
                flush=True,
            )
            slow = slow or cpu < AT_LEAST * min(1.0, twin_cpu)
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())

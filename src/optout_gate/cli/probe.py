"""``optout-gate probe``."""

import sys
from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table

from optout_gate.cli.output import CONFIG_FILE, checked_url, config_errors_told, console, emit_json, fail, show
from optout_gate.edges.probe import Probe, ProbeError, asking
from optout_gate.gate import Gate
from optout_gate.http import Pair
from optout_gate.policy.load import everywhere, load_file
from optout_gate.policy.parts import TOKEN

EXAMPLE = """
\b
Example:
  optout-gate probe https://www.example.com/
  optout-gate probe https://staging.example.com/shop --header 'Authorization: Basic …' --config site.yaml --json
"""


@click.command(epilog=EXAMPLE)
@click.argument("url")
@click.option(
    "--header", "lines", multiple=True, metavar="'NAME: VALUE'", help="A header line for every request; again for more."
)
@click.option(
    "--config",
    type=CONFIG_FILE,
    envvar="OPTOUT_GATE_CONFIG",
    help="The site's configuration: what is denied, and the cookie's name.  [default: the defaults]",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0.1, 300),
    default=10.0,
    show_default=True,
    help="For each request, in seconds.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@config_errors_told
def probe(url: str, lines: tuple[str, ...], config: Path | None, timeout_s: float, as_json: bool) -> None:
    """Ask a live site as several visitors, in several orders, and say where a cache hands the page of one to another.

    Sends at most 32 GETs to URL, most of them with a query parameter that no cache has met, and fetches nothing else.
    Exit code 0 when every answer is its visitor's own, 1 when one is not, 2 when that cannot be told.
    """
    gate = Gate(load_file(config) if config is not None else everywhere(), clock=lambda: 0.0)
    url = checked_url(url)
    try:
        look = Probe(url, gate, asking(url, [_line(each) for each in lines], timeout_s=timeout_s))
        look.run()
    except ProbeError as error:
        fail(str(error))
    if as_json:
        emit_json({"url": url, "asked": look.asked, "findings": [asdict(each) for each in look.findings]})
    elif look.findings:
        table = Table("what is wrong", "who asked, in order", "evidence", "URL", title=url)
        for each in look.findings:
            table.add_row(f"{each.kind}: {each.words}", " → ".join(each.order), each.evidence, each.url)
        show(table)
    else:
        console.print(
            f"good: {look.asked} requests in every order, and each answer was its visitor's own", markup=False
        )
    sys.exit(1 if look.findings else 0)


def _line(text: str) -> Pair:
    name, colon, value = text.partition(":")
    if not colon or not TOKEN.match(name.strip()) or any(each in value for each in "\r\n\0"):
        raise click.UsageError(f"expected --header 'NAME: VALUE' on one line, found {text!r}")
    return name.strip().encode("latin-1", "replace"), value.strip().encode("latin-1", "replace")

"""``optout-gate vendors``."""

from pathlib import Path

import click
from rich.table import Table

from optout_gate.cli import vendor_page
from optout_gate.cli.output import console, emit_json, fail, show
from optout_gate.trackers.catalog import builtin
from optout_gate.trackers.purposes import Purpose

EXAMPLE = """
\b
Example:
  optout-gate vendors --purpose session_replay
"""


@click.command(epilog=EXAMPLE)
@click.option(
    "--purpose", type=click.Choice([purpose.value for purpose in Purpose]), help="Only vendors of this purpose."
)
@click.option("--json", "as_json", is_flag=True, help="Print the entries as JSON.")
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a page for people: one file, to read, print and send on.",
)
def vendors(purpose: str | None, as_json: bool, page: Path | None) -> None:
    """List the vendors that the gate knows."""
    catalog = builtin()
    chosen = sorted(
        (vendor for vendor in catalog if purpose is None or Purpose(purpose) in vendor.purposes),
        key=lambda vendor: (vendor.purposes[0].value, vendor.name.lower()),
    )
    if page is not None:
        try:
            page.write_text(vendor_page.page(catalog, chosen), "utf-8")
        except OSError as error:
            fail(f"{page} cannot be written: {error.strerror}")
        console.print(f"{len(chosen)} vendors written to {page}")
        return
    if as_json:
        emit_json([vendor.model_dump(mode="json", exclude_defaults=True) for vendor in chosen])
        return
    table = Table("vendor", "name", "company", "purposes", "recognised by", "stands in")
    for vendor in chosen:
        hosts = [*vendor.domains, *vendor.patterns]
        shown = ", ".join(hosts[:3]) + (f" and {len(hosts) - 3} more" if len(hosts) > 3 else "")
        file, line = catalog.origins[vendor.vendor]
        purposes = ", ".join(each.value for each in vendor.purposes)
        table.add_row(vendor.vendor, vendor.name, vendor.company, purposes, shown, f"{file}:{line}")
    show(table)
    console.print(f"{len(chosen)} vendors")

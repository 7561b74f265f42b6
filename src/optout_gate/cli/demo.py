"""``optout-gate demo``."""

import asyncio
import sys

import click

from optout_gate.cli.output import console, fail

EXAMPLE = """
\b
Example:
  optout-gate demo
  optout-gate demo --once
"""


@click.command(epilog=EXAMPLE)
@click.option(
    "--listen", metavar="HOST:PORT", help="Where the gate listens.  [default: 127.0.0.1:8080, or a free port]"
)
@click.option("--admin", metavar="HOST:PORT", help="Where its metrics are.  [default: 127.0.0.1:9090, or a free port]")
@click.option("--once", is_flag=True, help="Print the table and leave: 0 when nothing denied is left, else 1.")
def demo(listen: str | None, admin: str | None, once: bool) -> None:
    """Show the gate at work on a demo website with real-world trackers, offline, on this machine alone."""
    from optout_gate.demo.run import run
    from optout_gate.proxy.settings import AddressInUse
    from optout_gate.telemetry.logs import configure_logging

    configure_logging()
    try:
        code = asyncio.run(run(console, listen=listen, admin=admin, once=once))
    except (AddressInUse, ValueError) as error:
        fail(str(error))
    sys.exit(code)

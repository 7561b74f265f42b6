"""``optout-gate snippet``."""

from pathlib import Path

import click

from optout_gate.cli.output import CONFIG_FILE, config_errors_told
from optout_gate.edges import DIALECTS, routing_of
from optout_gate.edges.routing import Address
from optout_gate.errors import ConfigError, Problem
from optout_gate.policy.load import from_upstream, load_file

EXAMPLE = """
\b
Example:
  optout-gate snippet nginx --config site.yaml > /etc/nginx/conf.d/optout-gate.conf
  optout-gate snippet haproxy --config site.yaml --gate 10.0.0.5:8080/9090 --gate 10.0.0.6:8080/9090
"""


@click.command(epilog=EXAMPLE)
@click.argument("edge", type=click.Choice(list(DIALECTS)))
@click.option("--config", type=CONFIG_FILE, envvar="OPTOUT_GATE_CONFIG", help="The site's configuration (YAML).")
@click.option("--upstream", metavar="URL", envvar="OPTOUT_GATE_UPSTREAM", help="Without a file: the website.")
@click.option(
    "--listen", metavar="HOST:PORT", default="0.0.0.0:80", show_default=True, help="Where the edge takes visitors in."
)
@click.option(
    "--gate",
    "gates",
    metavar="HOST:PORT/ADMINPORT",
    multiple=True,
    help="A gate; again for each further one.  [default: the configuration's own]",
)
@click.option("--fail-open", is_flag=True, help="While no gate answers, give visitors who opted out the bare site.")
@config_errors_told
def snippet(
    edge: str, config: Path | None, upstream: str | None, listen: str, gates: tuple[str, ...], fail_open: bool
) -> None:
    """Print a configuration that sends to the gate only what the gate could change.

    Everything else goes straight from the edge to the site. Fails closed unless --fail-open is given.
    """
    if config is None and upstream is None:
        raise click.UsageError("say what the site is: --config FILE, or --upstream http://HOST:PORT")
    loaded = load_file(config) if config is not None else from_upstream(upstream or "")
    routing = routing_of(loaded, listen=_address(listen, "--listen"), gates=[_gate(each) for each in gates])
    click.echo(DIALECTS[edge](routing, fail_open), nl=False)


def _gate(text: str) -> tuple[Address, Address]:
    where, slash, admin = text.rpartition("/")
    if not slash:
        problem = f"expected HOST:PORT/ADMINPORT, as in 10.0.0.5:8080/9090, found {text!r}"
        raise ConfigError([Problem("--gate", 0, 0, problem)])
    gate = _address(where, "--gate")
    return gate, _address(f"{where.rpartition(':')[0]}:{admin}", "--gate")


def _address(text: str, flag: str) -> Address:
    try:
        return Address.parse(text)
    except ValueError as error:
        raise ConfigError([Problem(flag, 0, 0, str(error))]) from None

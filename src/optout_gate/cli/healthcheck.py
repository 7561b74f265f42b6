"""``optout-gate healthcheck``."""

import http.client
import sys
from pathlib import Path

import click

from optout_gate.cli.output import CONFIG_FILE, checked_address, config_errors_told, errors
from optout_gate.policy.config import Config, split_address
from optout_gate.policy.load import load_file

EXAMPLE = """
\b
Example:
  optout-gate healthcheck --admin 127.0.0.1:9090
"""

TIMEOUT_S = 3.0


@click.command(epilog=EXAMPLE)
@click.option("--config", type=CONFIG_FILE, envvar="OPTOUT_GATE_CONFIG", help="Configuration file (YAML).")
@click.option(
    "--admin",
    metavar="HOST:PORT",
    envvar="OPTOUT_GATE_ADMIN",
    help="Where metrics and health are.  [default: the configuration's]",
)
@config_errors_told
def healthcheck(config: Path | None, admin: str | None) -> None:
    """Ask a running gate whether it is ready: for containers, which hold no curl.

    Exit code 0 when it is; 1 when it is not, or does not answer.
    """
    address = checked_address(admin, "--admin")
    if address is None:
        default = str(Config.model_fields["admin"].default)
        address = load_file(config).config.admin if config is not None else default
    host, port = split_address(address)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # listening everywhere is no place to ask
    asked = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        asked.request("GET", "/readyz")
        answer = asked.getresponse()
        words = answer.read(200).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        errors.print(f"not ready: nothing answers on {address} ({error})", markup=False)
        sys.exit(1)
    finally:
        asked.close()
    if answer.status != 200:
        errors.print(f"not ready: {words}", markup=False)
        sys.exit(1)
    click.echo("ready")

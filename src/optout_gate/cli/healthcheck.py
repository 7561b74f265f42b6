"""``optout-gate healthcheck``."""

import http.client
import sys
from pathlib import Path

import click

from optout_gate.cli.output import CONFIG_FILE, checked_address, config_errors_told, emit_json, errors
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
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@config_errors_told
def healthcheck(config: Path | None, admin: str | None, as_json: bool) -> None:
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
        ready, words = answer.status == 200, answer.read(200).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        ready, words = False, f"nothing answers on {address} ({error})"
    finally:
        asked.close()
    if as_json:
        emit_json({"ready": ready, "admin": address, "says": words})
    elif ready:
        click.echo("ready")
    else:
        errors.print(f"not ready: {words}", markup=False)
    sys.exit(0 if ready else 1)

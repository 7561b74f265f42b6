"""``optout-gate serve``."""

import sys
from pathlib import Path

import click

from optout_gate.cli.output import CONFIG_FILE, checked_address, config_errors_told, fail
from optout_gate.proxy.server import run
from optout_gate.proxy.settings import DRAIN_DELAY_S, DRAIN_S, CannotStart, Settings
from optout_gate.telemetry.logs import FORMS, Form, configure_logging

EXAMPLE = """
\b
Example:
  optout-gate serve --upstream http://127.0.0.1:8000
  optout-gate serve --config site.yaml --workers 4
"""


@click.command(epilog=EXAMPLE)
@click.option(
    "--config",
    type=CONFIG_FILE,
    envvar="OPTOUT_GATE_CONFIG",
    help="Configuration file (YAML).",
)
@click.option(
    "--upstream", metavar="URL", envvar="OPTOUT_GATE_UPSTREAM", help="The website: http://HOST:PORT or unix:/PATH."
)
@click.option(
    "--listen",
    metavar="HOST:PORT",
    envvar="OPTOUT_GATE_LISTEN",
    help="Where visitors come in.  [default: 127.0.0.1:8080]",
)
@click.option(
    "--admin",
    metavar="HOST:PORT",
    envvar="OPTOUT_GATE_ADMIN",
    help="Where metrics and health are.  [default: 127.0.0.1:9090]",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    envvar="OPTOUT_GATE_WORKERS",
    help="Processes that serve visitors.",
)
@click.option(
    "--log-format",
    type=click.Choice(FORMS),
    default="text",
    show_default=True,
    envvar="OPTOUT_GATE_LOG_FORMAT",
    help="Log lines for people, or as JSON.",
)
@click.option(
    "--log-requests",
    is_flag=True,
    envvar="OPTOUT_GATE_LOG_REQUESTS",
    help="A log line for each request: outcome, decision, vendors. Never an address, cookie or query.",
)
@click.option(
    "--drain-delay",
    type=click.FloatRange(0, 3600),
    default=DRAIN_DELAY_S,
    show_default=True,
    metavar="SECONDS",
    envvar="OPTOUT_GATE_DRAIN_DELAY",
    help="How long SIGTERM leaves the gate listening, not ready, until an edge has noticed.",
)
@click.option(
    "--drain-timeout",
    type=click.IntRange(1, 3600),
    default=DRAIN_S,
    show_default=True,
    metavar="SECONDS",
    envvar="OPTOUT_GATE_DRAIN_TIMEOUT",
    help="How long what is under way may take once the gate has stopped listening.",
)
@click.option(
    "--tls-cert",
    metavar="FILE",
    envvar="OPTOUT_GATE_TLS_CERT",
    help="Serve visitors over TLS: PEM file of the certificate chain. SIGHUP reads it anew.",
)
@click.option(
    "--tls-key",
    metavar="FILE",
    envvar="OPTOUT_GATE_TLS_KEY",
    help="PEM file of its key.  [default: in the same file]",
)
@config_errors_told
def serve(
    config: Path | None,
    upstream: str | None,
    listen: str | None,
    admin: str | None,
    workers: int,
    log_format: Form,
    log_requests: bool,
    drain_delay: float,
    drain_timeout: int,
    tls_cert: str | None,
    tls_key: str | None,
) -> None:
    """Run the gate in front of a website.

    --upstream alone is enough. Every option also comes from the environment: OPTOUT_GATE_CONFIG, OPTOUT_GATE_UPSTREAM,
    OPTOUT_GATE_LISTEN, OPTOUT_GATE_ADMIN, OPTOUT_GATE_WORKERS, OPTOUT_GATE_LOG_FORMAT, OPTOUT_GATE_LOG_REQUESTS,
    OPTOUT_GATE_DRAIN_DELAY, OPTOUT_GATE_DRAIN_TIMEOUT, OPTOUT_GATE_TLS_CERT, OPTOUT_GATE_TLS_KEY.
    """
    if config is None and upstream is None:
        raise click.UsageError("say where the website is: --upstream http://HOST:PORT, or --config FILE")
    if tls_key is not None and tls_cert is None:
        raise click.UsageError("--tls-key is the key of a certificate, and there is no --tls-cert")
    configure_logging(log_format)
    try:
        addresses = checked_address(listen, "--listen"), checked_address(admin, "--admin")
        settings = Settings(
            config,
            upstream,
            *addresses,
            workers,
            log_format,
            log_requests,
            drain_delay,
            drain_timeout,
            tls_cert,
            tls_key,
        )
        code = run(settings)
    except CannotStart as error:
        fail(str(error))
    sys.exit(code)

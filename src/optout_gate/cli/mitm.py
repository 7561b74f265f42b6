"""``optout-gate mitm``."""

import os
import shutil
import sys
from pathlib import Path

import click

from optout_gate.cli.output import CONFIG_FILE, config_errors_told, fail
from optout_gate.errors import ConfigError, Problem

EXAMPLE = """
\b
Example:
  optout-gate mitm https://www.example.com
  optout-gate mitm http://127.0.0.1:8000 --no-signal --config site.yaml
  mitmdump -s $(optout-gate mitm --script)
"""
MISSING = (
    "mitmproxy is not installed beside this command. It wants an environment of its own, since it holds others back: "
    "in a checkout, make mitm ARGS=URL; elsewhere, pip install 'optout-gate[mitmproxy]' in a new virtual environment"
)


@click.command(epilog=EXAMPLE)
@click.argument("url", required=False)
@click.option(
    "--listen", metavar="HOST:PORT", default="127.0.0.1:8081", show_default=True, help="Where the site then is."
)
@click.option(
    "--web", metavar="HOST:PORT", default="127.0.0.1:8082", show_default=True, help="Where mitmweb's own pages are."
)
@click.option(
    "--signal/--no-signal", default=True, show_default=True, help="Pretend that every visitor sends Sec-GPC: 1."
)
@click.option(
    "--config",
    type=CONFIG_FILE,
    envvar="OPTOUT_GATE_CONFIG",
    help="Configuration file; by default the defaults hold on every host.",
)
@click.option("--browser/--no-browser", default=True, show_default=True, help="Open mitmweb's pages in a browser.")
@click.option("--script", is_flag=True, help="Print the path of the addon's script, for mitmproxy's -s, and leave.")
@config_errors_told
def mitm(
    url: str | None, listen: str, web: str, signal: bool, config: Path | None, browser: bool, script: bool
) -> None:
    """Show what the gate does to the site at URL: mitmweb in front of it, with the gate in it.

    For a developer, on this machine. Further arguments are mitmproxy's: run it yourself with -s and --script.
    """
    from optout_gate import mitm as package

    addon = Path(package.__file__).with_name("script.py")
    if script:
        click.echo(addon)
        return
    if url is None:
        raise click.UsageError("say which site to look at: optout-gate mitm URL")
    site = _site(url)
    command = [_mitmweb(), f"--mode=reverse:{site}", "-s", str(addon)]
    for flag, value, names in (("--listen", listen, ("listen_host", "listen_port")),
                               ("--web", web, ("web_host", "web_port"))):  # fmt: skip
        for name, part in zip(names, _address(flag, value), strict=True):
            command += ["--set", f"{name}={part}"]
    command += ["--set", f"optout_signal={str(signal).lower()}", "--set", f"web_open_browser={str(browser).lower()}"]
    if config is not None:
        from optout_gate.policy.load import load_file

        load_file(config)  # mitmproxy would tell what is wrong too, among many other lines
        command += ["--set", f"optout_config={config.resolve()}"]
    click.echo(f"The site with the gate before it:  http://{listen}/", err=True)
    os.execv(command[0], command)


def _mitmweb() -> str:
    beside = Path(sys.executable).with_name("mitmweb")
    found = str(beside) if beside.exists() else shutil.which("mitmweb")
    if found is None:
        fail(MISSING)
    return found


def _site(url: str) -> str:
    from optout_gate.policy.load import from_upstream

    if url.startswith("unix:"):
        raise ConfigError([Problem("URL", 0, 0, "mitmproxy reaches no socket file; expected http://HOST[:PORT]")])
    try:
        return from_upstream(url).config.sites[0].upstream
    except ConfigError as error:
        raise ConfigError([Problem("URL", 0, 0, each.text) for each in error.problems]) from None


def _address(flag: str, value: str) -> tuple[str, int]:
    from optout_gate.policy.config import split_address

    try:
        return split_address(value)
    except ValueError as error:
        raise ConfigError([Problem(flag, 0, 0, str(error))]) from None

"""``optout-gate learn``."""

from pathlib import Path
from typing import BinaryIO

import click

from optout_gate.cli.output import CONFIG_FILE, config_errors_told, console, emit_json, fail
from optout_gate.policy.config import PolicyConfig
from optout_gate.policy.decision import Policy
from optout_gate.policy.load import everywhere, load_file
from optout_gate.telemetry.learning import Learned, Learning
from optout_gate.trackers.catalog import Catalog

MAX_FILE_BYTES = 256 * 1024 * 1024  # a HAR with bodies of one visit has some ten megabytes

EXAMPLE = """
\b
Example:
  optout-gate serve --config site.yaml 2> gate.log     # mode: observe
  optout-gate learn --config site.yaml gate.log visit.har
"""


@click.command(epilog=EXAMPLE)
@click.argument("files", nargs=-1, required=True, type=click.File("rb"), metavar="FILE...")
@click.option("--config", type=CONFIG_FILE, help="Configuration, whose hosts are the site's own.")
@click.option("--policy", "name", default="default", show_default=True, help="The policy that is to allow them.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON, with who is denied.")
@config_errors_told
def learn(files: tuple[BinaryIO, ...], config: Path | None, name: str, as_json: bool) -> None:
    """Write the list of third parties that pages under lockdown would need.

    FILE is a log of the gate, which in observe mode changes nothing and names every third party that may stay once, or
    a HAR file saved from a browser's network panel, which also has what scripts loaded. '-' is standard input.
    """
    loaded = load_file(config) if config is not None else everywhere()
    policies = {"default": PolicyConfig(), **loaded.config.policies}
    if name not in policies:
        fail(f"there is no policy {name!r}; there is {', '.join(sorted(policies))}")
    own = [host for site in loaded.config.sites for host in site.hosts]
    learning = Learning(Policy(name, policies[name], loaded.catalog), loaded.catalog, own)
    for file in files:
        content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            fail(f"larger than {MAX_FILE_BYTES:,} bytes", file=_name(file))
        try:
            learning.read(content.decode("utf-8-sig", "replace"))
        except ValueError as error:
            fail(str(error), file=_name(file))
    if as_json:
        learned = learning.learned
        emit_json({"policy": name, "allow": learned.allow, "denied": sorted(learned.denied)})
    else:
        _tell(name, learning.learned, loaded.catalog)


def _name(file: BinaryIO) -> str:
    name = getattr(file, "name", "-")
    return "standard input" if name in ("-", "<stdin>") else str(name)


def _tell(policy: str, learned: Learned, catalog: Catalog) -> None:
    if not learned.allow:
        console.print("# No third party that may stay was seen: the list is empty.")
        return
    click.echo(f"policies:\n  {policy}:\n    allow:")
    for host in sorted(learned.hosts):
        click.echo(f"      - {host}  # nobody knows it")
    for id_ in sorted(learned.vendors):
        vendor = catalog.vendors[id_]
        click.echo(f"      - {id_}  # {vendor.name}: {', '.join(purpose.value for purpose in vendor.purposes)}")
    if learned.denied:
        click.echo(f"# Denied, and not in the list: {', '.join(sorted(learned.denied))}")

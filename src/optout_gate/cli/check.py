"""``optout-gate check``."""

from pathlib import Path

import click
from rich.table import Table

from optout_gate.cli.output import config_errors_told, console, emit_json
from optout_gate.policy.config import PolicyConfig
from optout_gate.policy.decision import Policy
from optout_gate.policy.load import Loaded, load_file

EXAMPLE = """
\b
Example:
  optout-gate check config/minimal.yaml
"""


@click.command(epilog=EXAMPLE)
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print what it amounts to as JSON.")
@config_errors_told
def check(config: Path, as_json: bool) -> None:
    """Say whether a configuration is good, and what it amounts to.

    Exit code 0 when it is good, 2 when it is not; every mistake is told with its line and column.
    """
    loaded = load_file(config)
    if as_json:
        emit_json(_summary(loaded))
        return
    console.print(f"[green]good[/]: {config}")
    console.print(f"visitors on {loaded.config.listen}, operators on {loaded.config.admin}")
    sites = Table("hosts", "upstream", "mode", "policy", title="Sites", title_justify="left")
    for site in loaded.config.sites:
        sites.add_row(", ".join(site.hosts), site.upstream, site.mode.value, site.policy)
    console.print(sites)
    policies = Table(
        "policy", "honours", "denies", "vendors blocked", "single vendors", "always on", title_justify="left"
    )
    policies.title = "Policies"
    for name, policy in _policies(loaded).items():
        counts = _blocked(name, policy, loaded)
        policies.add_row(
            name,
            ", ".join(policy.honor) or "nothing",
            ", ".join(purpose.value for purpose in policy.deny) or "nothing",
            f"{counts} of {len(loaded.catalog)}",
            ", ".join(f"{vendor}: {action.value}" for vendor, action in policy.vendors.items()) or "–",
            ", ".join(policy.always) or "–",
        )
    console.print(policies)
    for filter_list in loaded.filter_lists:
        purpose = filter_list.vendor.purposes[0].value
        console.print(f"filter list {filter_list.path}: {filter_list.rules:,} rules, denied as {purpose}")
        for line in filter_list.skipped:
            told = f"  {filter_list.path}:{line.number}: passed over, {line.fault}: {line.text}"
            console.print(told, markup=False, soft_wrap=True)


def _policies(loaded: Loaded) -> dict[str, PolicyConfig]:
    return {"default": PolicyConfig(), **loaded.config.policies}


def _blocked(name: str, config: PolicyConfig, loaded: Loaded) -> int:
    policy = Policy(name, config, loaded.catalog)
    return sum(policy.answer(vendor).action == "block" for vendor in loaded.catalog)


def _summary(loaded: Loaded) -> dict[str, object]:
    return {
        "file": loaded.file,
        "config": loaded.config.model_dump(mode="json", exclude={"trackers"}),
        "vendors": len(loaded.catalog),
        "policies": {
            name: {"vendors_blocked": _blocked(name, policy, loaded)} for name, policy in _policies(loaded).items()
        },
        "filter_lists": [each.path for each in loaded.filter_lists],
    }

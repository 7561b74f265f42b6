"""``optout-gate check``."""

from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from optout_gate.cli.output import CONFIG_FILE, config_errors_told, console, emit_json, show
from optout_gate.policy.config import PolicyConfig, SiteConfig
from optout_gate.policy.config_failures import Instead, NoTransform
from optout_gate.policy.decision import Policy
from optout_gate.policy.honor import Reach
from optout_gate.policy.load import Loaded, load_file
from optout_gate.policy.notice import Notice
from optout_gate.proxy.tls import check_files
from optout_gate.trackers.purposes import Purpose

EXAMPLE = """
\b
Example:
  optout-gate check config/minimal.yaml
"""


@click.command(epilog=EXAMPLE)
@click.argument("config", type=CONFIG_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print what it amounts to as JSON.")
@config_errors_told
def check(config: Path, as_json: bool) -> None:
    """Say whether a configuration is good, and what it amounts to.

    Exit code 0 when it is good, 2 when it is not; every mistake is told with its line and column.
    """
    loaded = load_file(config)
    check_files(loaded)
    if as_json:
        emit_json(_summary(loaded))
        return
    console.print(f"[green]good[/]: {config}")
    for caution in loaded.cautions:
        console.print(f"[yellow]warning[/]: {escape(str(caution))}", soft_wrap=True)
    how = " (TLS)" if loaded.config.tls is not None else ""
    console.print(f"visitors on {loaded.config.listen}{how}, operators on {loaded.config.admin}")
    sites = Table("hosts", "upstream", "mode", "policy", title="Sites", title_justify="left")
    for site in loaded.config.sites:
        sites.add_row(", ".join(site.hosts), site.upstream, site.mode.value, site.policy)
    show(sites)
    policies = Table(
        "policy", "honours", "denies", "vendors blocked", "single vendors", "always on", title_justify="left"
    )
    policies.title = "Policies"
    for name, policy in _policies(loaded).items():
        counts = _blocked(name, policy, loaded)
        policies.add_row(
            name,
            ", ".join(map(_honoured, policy.honor, policy.honor.values())) or "nothing",
            ", ".join(purpose.value for purpose in Purpose if purpose in policy.denied) or "nothing",
            f"{counts} of {len(loaded.catalog)}",
            ", ".join(f"{vendor}: {action.value}" for vendor, action in policy.vendors.items()) or "–",
            ", ".join(policy.always) or "–",
        )
    show(policies)
    for name, policy in loaded.config.policies.items():
        if policy.notice is not None:
            _tell_notice(name, policy.notice)
    for filter_list in loaded.filter_lists:
        purpose = filter_list.vendor.purposes[0].value
        console.print(f"filter list {filter_list.path}: {filter_list.rules:,} rules, denied as {purpose}")
        for line in filter_list.skipped:
            told = f"  {filter_list.path}:{line.number}: passed over, {line.fault}: {line.text}"
            console.print(told, markup=False, soft_wrap=True)
    for site in loaded.config.sites:
        _tell_failures(site)
    console.print(
        f"a cache in front has to keep requests with the cookie {loaded.config.cookie.name} apart, as those of "
        "`optout-gate snippet` do; `optout-gate probe URL` finds one that does not",
        markup=False,
        soft_wrap=True,
    )


def _tell_failures(site: SiteConfig) -> None:
    """Print what leaves in place of pages that cannot be rewritten, where it is not the default."""
    for cause, instead in site.on_failure:
        if instead is Instead.PASS:
            console.print(f"[yellow]{site.hosts[0]}: on_failure.{cause} passes pages unenforced[/]", soft_wrap=True)
        elif instead is Instead.BLOCK:
            console.print(f"{site.hosts[0]}: on_failure.{cause} blocks pages", soft_wrap=True)
    if site.no_transform is NoTransform.HONOR:
        console.print(f"[yellow]{site.hosts[0]}: no_transform passes pages unenforced[/]", soft_wrap=True)


def _honoured(word: str, reach: Reach | tuple[Purpose, ...]) -> str:
    if reach is Reach.AS_SAID:
        return word
    shown = reach.value if isinstance(reach, Reach) else "/".join(purpose.value for purpose in reach) or "nothing"
    return f"{word} ({shown})"


def _tell_notice(policy: str, notice: Notice) -> None:
    """Print a notice's chart as it reads, and what was made of it."""
    title = f"{notice.title}, {notice.updated}: policy {policy!r}"
    chart = Table("category", *(recipient.name for recipient in notice.recipients.values()), title=title)
    chart.title_justify = "left"
    chart.add_column("for everyone")
    for category in notice.categories.values():
        cells = ["sold or shared" if id_ in category.sold_or_shared else "not" for id_ in notice.recipients]
        withheld = notice.withheld(category)
        denied = ", ".join(purpose.value for purpose in Purpose if purpose in withheld)
        floor = f"on {', '.join(category.paths)}: no {denied}" if category.paths and denied else "–"
        chart.add_row(category.name, *cells, floor)
    show(chart)
    console.print(f"collected with: {', '.join(each.value for each in notice.technologies)}")
    for words, purposes in notice.purposes.items():
        console.print(f"used for {words}: {', '.join(purpose.value for purpose in purposes)}")


def _policies(loaded: Loaded) -> dict[str, PolicyConfig]:
    return {"default": PolicyConfig(), **loaded.config.policies}


def _blocked(name: str, config: PolicyConfig, loaded: Loaded) -> int:
    policy = Policy(name, config, loaded.catalog)
    return sum(policy.answer(vendor).action == "block" for vendor in loaded.catalog)


def _summary(loaded: Loaded) -> dict[str, object]:
    return {
        "file": loaded.file,
        "warnings": [str(caution) for caution in loaded.cautions],
        "config": loaded.config.model_dump(mode="json", exclude={"trackers"}),
        "vendors": len(loaded.catalog),
        "policies": {
            name: {
                "vendors_blocked": _blocked(name, policy, loaded),
                "denies": sorted(purpose.value for purpose in policy.denied),
                "everyone": [
                    {"path": rule.pattern, "denies": sorted(rule.purposes), "why": rule.words}
                    for rule in Policy(name, policy, loaded.catalog).path_rules
                ],
            }
            for name, policy in _policies(loaded).items()
        },
        "filter_lists": [each.path for each in loaded.filter_lists],
    }

"""``optout-gate explain``."""

from pathlib import Path

import click

from optout_gate.cli.output import config_errors_told, console, emit_json, fail
from optout_gate.policy.config import Mode, PolicyConfig
from optout_gate.policy.decision import Decision, Policy
from optout_gate.policy.load import Loaded, from_upstream, load_file
from optout_gate.rewrite.judge import Judge
from optout_gate.signals.reading import Signal
from optout_gate.trackers.lists import RESOURCE_TYPES
from optout_gate.trackers.urls import base_of, resolve

EXAMPLE = """
\b
Example:
  optout-gate explain https://www.googletagmanager.com/gtm.js
  optout-gate explain //www.facebook.com/tr?id=1 --type image --page https://www.example.com/
"""


@click.command(epilog=EXAMPLE)
@click.argument("url")
@click.option(
    "--type",
    "kind",
    type=click.Choice(sorted(RESOURCE_TYPES)),
    default="script",
    show_default=True,
    help="Kind of request, for filter lists.",
)
@click.option("--page", default="https://www.example.com/", show_default=True, help="The page it stands on.")
@click.option("--config", type=click.Path(path_type=Path), envvar="OPTOUT_GATE_CONFIG", help="Configuration file.")
@click.option("--policy", "policy_name", default="default", show_default=True, help="Policy of that file to ask.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@config_errors_told
def explain(url: str, kind: str, page: str, config: Path | None, policy_name: str, as_json: bool) -> None:
    """Say which vendor, purpose and rule would block URL for a visitor who opted out, or that nothing would."""
    loaded = load_file(config) if config is not None else from_upstream("http://127.0.0.1:8000")
    judge = _judge(loaded, policy_name, page)
    target = resolve(url, base_of(page))
    if target is None or not target.host:
        fail(f"{url!r} is not an address that a browser would fetch")
    verdict = judge.verdict(target, kind)
    first_party = judge.own(target.host)
    denied = verdict is not None and verdict.denied and not first_party
    answer: dict[str, object] = {"url": target.url, "type": kind, "page": page, "blocked": denied}
    if first_party:
        answer["why"] = f"{target.host} is the page's own site, which is never touched"
    elif verdict is None:
        answer["why"] = f"nobody in the catalogue claims {target.host}, and no filter list denies it"
    else:
        answer |= {
            "vendor": verdict.vendor.vendor,
            "name": verdict.vendor.name,
            "company": verdict.vendor.company,
            "purposes": [purpose.value for purpose in verdict.vendor.purposes],
            "purpose": verdict.answer.purpose.value,
            "action": verdict.answer.action.value,
            "rule": verdict.rule.text,
            "rule_kind": verdict.rule.kind,
            "place": verdict.rule.place,
            "why": verdict.answer.words,
            "stand_in": verdict.vendor.surrogate,
        }
    if as_json:
        emit_json(answer)
        return
    console.print(f"[bold red]blocked[/]  {target.url}" if denied else f"[bold green]passes[/]   {target.url}")
    for key, label in (("vendor", "vendor"), ("company", "company"), ("purposes", "purposes"), ("rule", "rule"),
                       ("place", "stands in"), ("why", "because"), ("stand_in", "stand-in")):  # fmt: skip
        value = answer.get(key)
        if value:
            shown = ", ".join(value) if isinstance(value, list) else str(value)
            console.print(f"  [dim]{label:<10}[/]{shown}", soft_wrap=True)


def _judge(loaded: Loaded, policy_name: str, page: str) -> Judge:
    policies = {"default": PolicyConfig(), **loaded.config.policies}
    if policy_name not in policies:
        fail(f"there is no policy {policy_name!r}; the file has {', '.join(policies)}")
    policy = Policy(policy_name, policies[policy_name], loaded.catalog)
    decision = Decision(policy, Mode.ENFORCE, (Signal("gpc", "Sec-GPC: 1"),), denied=policy.denied)
    return Judge(decision, loaded.catalog, loaded.filter_lists, page_url=page)

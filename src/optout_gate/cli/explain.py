"""``optout-gate explain``."""

from pathlib import Path
from urllib.parse import urlsplit

import click
from rich.table import Table

from optout_gate.cli.output import CONFIG_FILE, checked_url, config_errors_told, console, emit_json, errors, fail, show
from optout_gate.http import Headers, Pair, host_of
from optout_gate.policy.config import Mode, PolicyConfig, SiteConfig, Unknown
from optout_gate.policy.decision import Decision, Policy, Verdict
from optout_gate.policy.load import Loaded, from_upstream, load_file
from optout_gate.policy.trace import Trace, trace
from optout_gate.rewrite.beacons import nearest
from optout_gate.rewrite.judge import Judge
from optout_gate.signals import gpc, onetrust
from optout_gate.signals.reading import read
from optout_gate.site import host_matches
from optout_gate.trackers.lists import RESOURCE_TYPES
from optout_gate.trackers.urls import Target, base_of, resolve

EXAMPLE = """
\b
Example:
  optout-gate explain https://www.googletagmanager.com/gtm.js
  optout-gate explain //www.facebook.com/tr?id=1 --type image --page https://www.example.com/
  optout-gate explain '/metrics/g/collect?v=2&tid=G-1' --page https://www.example.com/
  optout-gate explain --header 'Sec-GPC: 1' --cookie 'usprivacy=1YNN'
"""
SHOWN_VENDORS = 6  # of a purpose, in a terminal; --json has them all


@click.command(epilog=EXAMPLE)
@click.argument("url", required=False)
@click.option(
    "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header line that the visitor sends."
)
@click.option("--cookie", "cookies", multiple=True, metavar="NAME=VALUE", help="A cookie that the visitor sends.")
@click.option(
    "--type",
    "kind",
    type=click.Choice(sorted(RESOURCE_TYPES)),
    default="script",
    show_default=True,
    help="Kind of request, for filter lists.",
)
@click.option("--page", default="https://www.example.com/", show_default=True, help="The page it stands on.")
@click.option("--body", metavar="TEXT", help="The body of a request to the page's own site: a form or JSON.")
@click.option("--config", type=CONFIG_FILE, envvar="OPTOUT_GATE_CONFIG", help="Configuration file.")
@click.option("--policy", "policy_name", help="Policy of that file to ask.  [default: that of the page's site]")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@config_errors_told
def explain(
    url: str | None,
    headers: tuple[str, ...],
    cookies: tuple[str, ...],
    kind: str,
    page: str,
    body: str | None,
    config: Path | None,
    policy_name: str | None,
    as_json: bool,
) -> None:
    """Say what becomes of URL, or the way from each signal to each purpose and vendor.

    With URL: which vendor, purpose and rule would block it for a visitor who sends the headers and cookies given, or
    Sec-GPC: 1 when none are. Without: what each of those says, and what follows.
    """
    if url is None and not headers and not cookies:
        raise click.UsageError("say what to explain: a URL, or what a visitor sends (--header, --cookie)")
    loaded = load_file(config) if config is not None else from_upstream("http://127.0.0.1:8000")
    page = checked_url(page)
    site = _site(loaded, page)
    if site is None and policy_name is None and config is not None:
        told = f"no site of {config} answers to {urlsplit(page).hostname}: this is what the policy 'default' would say"
        errors.print(told, markup=False, soft_wrap=True)
    policy = _policy(loaded, policy_name or (site.policy if site is not None else "default"))
    groups = site.all_onetrust_groups if site is not None else onetrust.GROUPS
    said = _lines(headers, cookies) if headers or cookies else [gpc.LINE]
    reading = read(Headers(said), cookie_name=loaded.config.cookie.name, onetrust_groups=groups)
    decision = policy.decide(Mode.ENFORCE, reading, urlsplit(page).path or "/")
    if url is None:
        _tell_trace(decision, trace(decision, reading, loaded.catalog), as_json=as_json)
    else:
        judge = Judge(decision, loaded.catalog, loaded.filter_lists, page_url=page)
        _tell_url(url, kind, page, judge, body, as_json=as_json)


def _tell_url(url: str, kind: str, page: str, judge: Judge, body: str | None, *, as_json: bool) -> None:
    target = resolve(url, base_of(page))
    if target is None or not target.host:
        fail(f"{url!r} is not an address that a browser would fetch")
    first_party = judge.own(target.host)
    opted_out = judge.decision.opted_out
    verdict = judge.verdict(target, kind)
    if verdict is None and opted_out:
        verdict = judge.target(target, kind)  # what nobody knows may be denied for that
    denied = opted_out and verdict is not None and verdict.denied and not first_party
    answer: dict[str, object] = {"url": target.url, "type": kind, "page": page, "blocked": denied}
    if first_party:
        answer |= _through_the_site(target, judge, body)
    elif verdict is None:
        unknown = judge.decision.policy.unknown
        counted = ": it is let through, and counted" if opted_out and unknown is Unknown.REPORT else ""
        answer["why"] = f"nobody in the catalogue claims {target.host}, and no filter list denies it{counted}"
    else:
        answer |= _of(verdict, judge)
    if as_json:
        emit_json(answer)
        return
    console.print(
        f"[bold red]blocked[/]  {target.url}" if answer["blocked"] else f"[bold green]passes[/]   {target.url}"
    )
    for key, label in (("vendor", "vendor"), ("company", "company"), ("purposes", "purposes"), ("rule", "rule"),
                       ("place", "stands in"), ("why", "because"), ("decision", "visitor"),
                       ("stand_in", "stand-in"), ("answer", "answered")):  # fmt: skip
        value = answer.get(key)
        if value:
            shown = ", ".join(value) if isinstance(value, list) else str(value)
            console.print(f"  [dim]{label:<10}[/]{shown}", soft_wrap=True)


def _through_the_site(target: Target, judge: Judge, body: str | None) -> dict[str, object]:
    """Return what becomes of a request to the page's own site, and which rule would refuse it."""
    path, _, query = target.path.partition("?")
    found = nearest(judge.catalog, path, query, (body or "").encode())
    if found is None:
        return {"why": f"{target.host} is the page's own site, and no vendor's requests end in such a path"}
    endpoint, rule, missing = found
    if missing:
        wanted = ", ".join(f"{name}={endpoint.fields[name]}" for name in missing)
        return {"why": f"it is the site's own: one to {rule.vendor.vendor} on such a path would bring {wanted}"}
    verdict = judge.decision.verdict(rule)
    refused = judge.decision.opted_out and verdict.denied
    return {**_of(verdict, judge), "blocked": refused, "answer": endpoint.answer if refused else None}


def _of(verdict: Verdict, judge: Judge) -> dict[str, object]:
    """Return who was recognised, by which rule, and what follows."""
    opted_out = judge.decision.opted_out
    return {
        "vendor": verdict.vendor.vendor,
        "name": verdict.vendor.name,
        "company": verdict.vendor.company,
        "purposes": [purpose.value for purpose in verdict.vendor.purposes],
        "purpose": verdict.answer.purpose.value,
        "action": verdict.answer.action.value if opted_out else "allow",
        "rule": verdict.rule.text,
        "rule_kind": verdict.rule.kind,
        "place": verdict.rule.place,
        "why": verdict.answer.words if opted_out else "the visitor did not opt out",
        "stand_in": verdict.vendor.surrogate,
        "decision": str(judge.decision),
    }


def _tell_trace(decision: Decision, found: Trace, *, as_json: bool) -> None:
    if as_json:
        emit_json(_as_json(decision, found))
        return
    signals = Table("signal", "what it says", "refuses", "denies", title="Signals", title_justify="left")
    for step in found.signals:
        denies = ", ".join(each.value for each in step.denies)
        signals.add_row(step.kind, step.words, ", ".join(step.refuses) or "–", denies or f"nothing: {step.why}")
    console.print(signals if found.signals else "Nothing that was sent is a signal.")
    for one, other in found.contradictions:
        console.print(f"[yellow]contradiction[/]: {one} and {other}; the refusal counts")
    purposes = Table("purpose", "", "because", "vendors blocked for it", title="Purposes", title_justify="left")
    for each in found.purposes:
        names = ", ".join(vendor.vendor for vendor in each.vendors[:SHOWN_VENDORS])
        more = len(each.vendors) - SHOWN_VENDORS
        purposes.add_row(
            each.purpose.value,
            "[red]denied[/]" if each.because else "[green]allowed[/]",
            "; ".join(each.because) or "–",
            f"{names} and {more} more" if more > 0 else names or "–",
        )
    show(purposes)
    console.print(f"policy {decision.policy.name!r}: {decision}")


def _as_json(decision: Decision, found: Trace) -> dict[str, object]:
    return {
        "policy": decision.policy.name,
        "opted_out": decision.opted_out,
        "decision": str(decision),
        "signals": [
            {
                "signal": step.kind,
                "says": step.words,
                "refuses": list(step.refuses),
                "denies": [purpose.value for purpose in step.denies],
                "why_not": step.why or None,
            }
            for step in found.signals
        ],
        "contradictions": [list(pair) for pair in found.contradictions],
        "purposes": {
            each.purpose.value: {
                "denied": bool(each.because),
                "because": list(each.because),
                "vendors": [vendor.vendor for vendor in each.vendors],
            }
            for each in found.purposes
        },
        "vendors": {
            vendor.vendor: {
                "action": answer.action.value if decision.opted_out else "allow",
                "purpose": answer.purpose.value,
                "why": answer.words if decision.opted_out else str(decision),
            }
            for vendor, answer in found.answers
        },
    }


def _lines(headers: tuple[str, ...], cookies: tuple[str, ...]) -> list[Pair]:
    lines: list[Pair] = []
    for header in headers:
        name, colon, value = header.partition(":")
        if not colon or not name.strip():
            raise click.UsageError(f"a header is 'NAME: VALUE', found {header!r}")
        lines.append((name.strip().encode("latin-1", "replace"), value.strip().encode("utf-8", "surrogateescape")))
    for cookie in cookies:
        if "=" not in cookie:
            raise click.UsageError(f"a cookie is NAME=VALUE, found {cookie!r}")
    if cookies:
        lines.append((b"Cookie", "; ".join(cookies).encode("utf-8", "surrogateescape")))
    return lines


def _site(loaded: Loaded, page: str) -> SiteConfig | None:
    """Return the site that answers to the page's host, or None."""
    host = host_of(urlsplit(page).netloc)
    return next((site for site in loaded.config.sites if any(host_matches(each, host) for each in site.hosts)), None)


def _policy(loaded: Loaded, name: str) -> Policy:
    policies = {"default": PolicyConfig(), **loaded.config.policies}
    if name not in policies:
        fail(f"there is no policy {name!r}; the file has {', '.join(policies)}")
    return Policy(name, policies[name], loaded.catalog)

"""What a flow carries for people and filters: comment, mark and metadata, all drawn from the exchange's report."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from optout_gate.policy.decision import Decision
from optout_gate.report import Outcome, Report

METADATA = "optout_gate"
"""Key of ``flow.metadata``. ``~meta`` filters look into it."""

MARKS = {
    Outcome.ENFORCED: ":scissors:",
    Outcome.CONTAINED: ":warning:",
    Outcome.BLOCKED: ":no_entry:",
    Outcome.PASSED_UNENFORCED: ":unlock:",
    Outcome.OBSERVED: ":pencil2:",
}
"""A flow's mark by what became of it; where nothing was done there is none."""

_SHOWN_VENDORS = 6  # in a comment, which stands on one line


def of(flow: Any) -> dict[str, Any] | None:
    """Return what a flow's metadata says of it, None where the gate did not see it."""
    told = getattr(flow, "metadata", {}).get(METADATA)
    return told if isinstance(told, dict) else None


def comment(report: Report) -> str:
    """Return one line about an exchange, empty for a visitor who did not opt out."""
    if not report.decision.opted_out:
        return ""
    count = len(report.taken_out)
    verb = "would be removed" if report.outcome is Outcome.OBSERVED else "removed"
    if report.outcome is Outcome.CONTAINED:
        what = f"sent contained, it cannot be rewritten ({report.error})"
    elif report.outcome is Outcome.BLOCKED:
        what = f"cut off, it cannot be rewritten ({report.error})"
    elif report.outcome is Outcome.PASSED_UNENFORCED:
        what = f"passed unenforced, as configured ({report.error})"
    elif count:
        what = f"{count} {verb}: {_vendors(report)}"
    else:
        what = "nothing to remove"
    return f"{_why(report.decision)}: {what}"


def mark(report: Report) -> str:
    """Return the flow's mark, empty where nothing was done."""
    if report.outcome is Outcome.OBSERVED and not report.taken_out:
        return ""
    return MARKS.get(report.outcome, "")


def metadata(report: Report) -> dict[str, Any]:
    """Return a report as plain values, which mitmproxy can save with the flow."""
    taken_out = report.taken_out
    return {
        "site": report.site,
        "outcome": report.outcome.value,
        "signal": report.decision.signal,
        "decision": _why(report.decision),
        "policy": report.decision.policy.name,
        "mode": report.decision.mode.value,
        "removed": len(taken_out),
        "removals": [
            {"vendor": vendor, "purpose": purpose, "kind": kind, "count": count}
            for (vendor, purpose, kind), count in sorted(taken_out.counts.items())
        ],
        "details": [
            {
                "kind": each.kind,
                "what": each.what,
                "vendor": each.verdict.vendor.vendor,
                "why": str(each.verdict),
            }
            for each in taken_out.kept
        ],
        "error": report.error,
        "bytes_in": report.bytes_in,
        "bytes_out": report.bytes_out,
        "gate_seconds": report.gate_seconds,
    }


def explained(told: Mapping[str, Any]) -> list[str]:
    """Return a flow's metadata as lines for people: what held, on whose word, and each thing taken out with its rule."""
    lines = [
        f"{told['decision']}; policy {told['policy']!r}, mode {told['mode']}: {told['outcome'].replace('_', ' ')}",
    ]
    if told["error"]:
        lines.append(f"could not be rewritten: {told['error']}")
    for each in told["details"]:
        lines.append(f"{each['kind'].replace('_', ' ')} {each['what']}")
        lines.append(f"    {each['why']}")
    left = told["removed"] - len(told["details"])
    if left:
        lines.append(f"and {left} more")
    return lines


def _why(decision: Decision) -> str:
    """Return the decision without the signals' values, which would read like the count behind them."""
    if not decision.because:
        return str(decision)
    return f"opted out by {', '.join(signal.words.partition(':')[0] for signal in decision.because)}"


def _vendors(report: Report) -> str:
    counts: Counter[str] = Counter()
    for (vendor, _, _), count in report.taken_out.counts.items():
        counts[vendor] += count
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{vendor} {count}" for vendor, count in ranked[:_SHOWN_VENDORS]]
    return ", ".join(shown + ["…"] * (len(ranked) > _SHOWN_VENDORS))

"""Everything that a run of mitmproxy saw, for ``optout.report``: JSON for programs, one page of HTML for people.

mitmdump forgets flows once they are through, so what a report needs is kept here: no body, no header, no query.
"""

import json
from collections import Counter
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

MAX_FLOWS = 20_000  # of a run; a flow's entry is about a kilobyte

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1b1b1f}"
    "table{border-collapse:collapse;width:100%;margin:1rem 0 2rem}th,td{text-align:left;padding:.35rem .6rem;"
    "border-bottom:1px solid #d9d9e0;vertical-align:top}td.n,th.n{text-align:right}td.u{word-break:break-all}"
)


class Record:
    """The flows of a run, in order of their beginning."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, Any]] = {}
        self._forgotten = 0

    def keep(self, flow_id: str, method: str, url: str, status: int | None, told: Mapping[str, Any]) -> None:
        """Note, or note anew, what became of a flow."""
        if flow_id not in self._entries and len(self._entries) >= MAX_FLOWS:
            del self._entries[next(iter(self._entries))]
            self._forgotten += 1
        kept = {key: value for key, value in told.items() if key != "details"}
        self._entries[flow_id] = {"method": method, "url": url.partition("?")[0], "status": status, **kept}

    def summary(self) -> dict[str, Any]:
        """Return the run: totals by outcome and vendor, and every flow."""
        flows = list(self._entries.values())
        vendors: Counter[tuple[str, str]] = Counter()
        for flow in flows:
            for each in flow["removals"]:
                vendors[each["vendor"], each["purpose"]] += each["count"]
        return {
            "flows": len(flows),
            "forgotten": self._forgotten,
            "outcomes": dict(Counter(flow["outcome"] for flow in flows)),
            "removed": sum(vendors.values()),
            "vendors": [
                {"vendor": vendor, "purpose": purpose, "count": count}
                for (vendor, purpose), count in sorted(vendors.items(), key=lambda item: (-item[1], item[0]))
            ],
            "exchanges": flows,
        }

    def write(self, path: Path) -> None:
        """Write the run to ``path``: a page where its name ends in ``.html``, else JSON."""
        summary = self.summary()
        if path.suffix.lower() in (".html", ".htm"):
            path.write_text(_page(summary), "utf-8")
        else:
            path.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _page(summary: Mapping[str, Any]) -> str:
    outcomes = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in summary["outcomes"].items())
    vendors = "".join(
        f"<tr><td>{escape(each['vendor'])}<td>{escape(each['purpose'])}<td class=n>{each['count']}"
        for each in summary["vendors"]
    )
    exchanges = "".join(
        f"<tr><td>{escape(each['method'])}<td class=u>{escape(each['url'])}<td class=n>{each['status'] or ''}"
        f"<td>{escape(each['decision'])}<td>{escape(each['outcome'].replace('_', ' '))}<td class=n>{each['removed']}"
        for each in summary["exchanges"]
    )
    forgotten = f" The first {summary['forgotten']} are not listed." if summary["forgotten"] else ""
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>optout-gate: what was taken out</title>"
        f"<style>{_STYLE}</style><h1>What was taken out</h1>"
        f"<p>{summary['flows']} exchanges: {outcomes or 'none'}. {summary['removed']} things taken out.{forgotten}</p>"
        f"<h2>By vendor</h2><table><tr><th>vendor<th>purpose<th class=n>count{vendors}</table>"
        f"<h2>By exchange</h2><table><tr><th>method<th>address<th class=n>status<th>decision<th>outcome"
        f"<th class=n>taken out{exchanges}</table></html>\n"
    )

"""Scripts that are no code but instructions to the browser: import maps and speculation rules.

Both are JSON, and both make a browser fetch what they name. They are read, the denied addresses taken out, and printed
anew; where none is denied, they leave as they came. Other JSON in a page is data of the site's own and never read here.
What is no JSON has no effect in a browser either and stays.
"""

import json
from typing import Any

from optout_gate.rewrite import modules
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.neutral import PREFIX
from optout_gate.rewrite.whole import WholeText
from optout_gate.trackers.urls import Base

INSTRUCTIONS = frozenset({"importmap", "speculationrules"})
MAX_INSTRUCTION_CHARACTERS = 256 * 1024  # of one element; the longest import maps of real sites have some 30,000


class Instructions(WholeText):
    """Rewrites an import map or a set of speculation rules."""

    def __init__(self, judge: Judge, base: Base) -> None:
        super().__init__(self._rewritten, MAX_INSTRUCTION_CHARACTERS, "script")
        self._judge = judge
        self._base = base

    def _rewritten(self, text: str) -> str:
        if "//" not in text and "\\" not in text:
            return text
        try:
            rules = json.loads(text)
        except (ValueError, RecursionError):
            return text
        before = len(self._judge.removals)
        rules = self._clean(rules)
        if len(self._judge.removals) == before:
            return text
        return json.dumps(rules, separators=(",", ":")).replace("<", "\\u003c")

    def _clean(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._clean(member) for name, member in value.items()}
        if isinstance(value, list):  # of addresses to prefetch or prerender: a denied one goes
            return [self._clean(member) for member in value if not (isinstance(member, str) and self._denied(member))]
        if isinstance(value, str) and (address := self._denied(value)):  # of a module: something must stand there
            return address
        return value

    def _denied(self, address: str) -> str:
        """Return what stands in for a denied address, or nothing when it is not denied."""
        if "//" not in address:
            return ""
        verdict = self._judge.reference(address, self._base, "script")
        if verdict is None:
            return ""
        self._judge.removals.add("script", verdict, address)
        origin = self._judge.origin_for(self._base)
        # A key that ends in "/" maps a whole folder, and its address must end so too.
        return f"{origin}{PREFIX}/s/" if address.endswith("/") else origin + modules.address(("default",))

"""Scripts that are no code but instructions to the browser: import maps and speculation rules.

Both are JSON, and both make a browser fetch what they name. They are read, the denied addresses taken out, and printed
anew; where none is denied, they leave as they came. Other JSON in a page is data of the site's own and never read here.
What is no JSON has no effect in a browser either and stays.
"""

import json
import re
from contextlib import suppress
from typing import Any

from optout_gate.rewrite import modules
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.neutral import PREFIX
from optout_gate.rewrite.whole import WholeText
from optout_gate.trackers.urls import Base

INSTRUCTIONS = frozenset({"importmap", "speculationrules"})
RULES = "application/speculationrules+json"
"""The type of rules in a file of their own."""
_MARKS = (":", "\\", "//", "prefetch", "prerender")
_LEAVES = re.compile(r"[\s\0-\x1f]*(?:https?:|[/\\][\t\n\r]*[/\\])", re.IGNORECASE)
MAX_INSTRUCTION_CHARACTERS = 256 * 1024  # of one element; the longest import maps of real sites have some 30,000


class Instructions(WholeText):
    """Rewrites an import map or a set of speculation rules."""

    def __init__(self, judge: Judge, base: Base, stood_in: set[str] | None = None) -> None:
        """Take who decides, and where to note the names of modules that are denied."""
        super().__init__(self._rewritten, MAX_INSTRUCTION_CHARACTERS, "script")
        self._judge = judge
        self._base = base
        self._base_is_own = judge.own(base.host)
        self._home = f"{judge.page.scheme}://{judge.authority}/"
        self._stood_in = set() if stood_in is None else stood_in

    def _rewritten(self, text: str) -> str:
        if self._base_is_own and not any(mark in text for mark in _MARKS):
            return text
        text_meant = text
        if not text.isascii():
            with suppress(
                UnicodeError
            ):  # a page's bytes stand as one character each, and are printed as what they mean
                text_meant = text.encode("latin-1").decode("utf-8")
        try:
            rules = json.loads(text_meant)
        except (ValueError, RecursionError):
            return text
        cleaned = self._clean(rules)
        return text if cleaned == rules else json.dumps(cleaned, separators=(",", ":")).replace("<", "\\u003c")

    def _clean(self, value: Any, name: str = "") -> Any:
        """Return a value without denied addresses; ``name`` is that of the member it is."""
        if isinstance(value, dict):
            cleaned = {each: self._clean(member, each) for each, member in value.items()}
            if name == "imports":  # names in scopes mean this for some scripts, and may mean another thing for the rest
                self._stood_in.update(each for each, address in cleaned.items() if address != value[each])
            return cleaned
        if isinstance(value, list) and name in ("prefetch", "prerender"):
            return [self._kept_home(self._clean(member)) for member in value]
        if isinstance(value, list):  # of addresses to prefetch or prerender: a denied one goes
            return [
                self._clean(member)
                for member in value
                if not (isinstance(member, str) and self._denied(member, in_list=name == "urls"))
            ]
        if isinstance(value, str) and (address := self._denied(value)):  # of a module: something must stand there
            return address
        return value

    def _kept_home(self, rule: Any) -> Any:
        """Return a rule that loads ahead what the page links to, for links within the site alone.

        Which links a page has is not known where its rules stand, and to whom one of them leads is no more than a guess there.
        """
        if not isinstance(rule, dict) or "urls" in rule or self._is_home(rule.get("where")):
            return rule
        home = {"href_matches": f"{self._home}*"}
        return {**rule, "where": {"and": [rule["where"], home]} if "where" in rule else home}

    def _is_home(self, where: Any) -> bool:
        """Return True when a condition holds for links within the site alone."""
        if not isinstance(where, dict) or len(where) != 1:
            return False
        (kind, value), *_ = where.items()
        members = value if isinstance(value, list) else [value]
        if kind == "href_matches":
            return all(isinstance(each, str) and self._matches_home(each) for each in members)
        if kind == "and":
            return any(self._is_home(each) for each in members)
        return kind == "or" and all(self._is_home(each) for each in members)

    def _matches_home(self, pattern: str) -> bool:
        within = self._base_is_own and pattern[:1] == "/" and pattern[1:2] not in ("/", "\\")
        return within or pattern.startswith(self._home)

    def _denied(self, address: str, *, in_list: bool = False) -> str:
        """Return what stands in for a denied address, or nothing when it is not denied."""
        if _LEAVES.match(address) is None and (self._base_is_own or not (in_list or address[:1] in ("/", "."))):
            return ""
        verdict = self._judge.reference(address, self._base, "script")
        if verdict is None:
            return ""
        self._judge.removals.add("script", verdict, address)
        origin = self._judge.origin_for(self._base)
        # A key that ends in "/" maps a whole folder, and its address must end so too.
        return f"{origin}{PREFIX}/s/" if address.endswith("/") else origin + modules.address(("default",))

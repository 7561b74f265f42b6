"""The third parties that a site needs, learned from what was seen of it, for pages under lockdown.

Two kinds of file tell. The gate's own log, in observe mode or any other, names each third party once that pages of who
opted out refer to and that may stay: vendors by id, hosts that nobody knows by name. It sees markup alone. A HAR file, which
every browser saves from its network panel, names all that one visit requested, whatever made the request.

Nobody is allowed here who is not today: a vendor that the policy denies is told as kept away.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from optout_gate.policy.config import Action
from optout_gate.policy.decision import Policy
from optout_gate.trackers.catalog import Catalog
from optout_gate.trackers.urls import base_of, resolve

UNKNOWN = "a third party that nobody knows:"
ALLOWED = "a vendor that the policy allows:"
"""What log lines say of a third party in front of its name."""

_LINE = re.compile(rf"(?P<what>{UNKNOWN}|{ALLOWED}) (?P<name>[a-z0-9._-]+)")


_OWN_LINE = re.compile(
    r'"logger\\?": ?\\?"optout_gate|\d{4}-\d\d-\d\dT[\d:.]+Z(?:\x1b\[[\d;]*m|\s)*\[(?:\x1b\[[\d;]*m)*(?:debug|info|warning|error|critical)\b'
)
"""What some line of the gate's log has in any form, whatever a journal or a container's engine wrote around it."""

_EXPECTED = "expected the log of a gate (standard error of optout-gate serve), or a HAR file saved from a browser"
_NEITHER = f"neither a HAR file nor log lines of the gate; {_EXPECTED}"
_EMPTY = f"there is nothing in it; {_EXPECTED}"
_CUT = f"neither log lines of the gate nor a whole HAR file: {{}}; {_EXPECTED}"


@dataclass(slots=True)
class Learned:
    """Who a site refers to, each in the order of the alphabet when it is read.

    Attributes:
        hosts: third parties that neither the catalogue nor the policy knows.
        vendors: vendors that may stay, by id.
        denied: vendors that are denied, by id.
    """

    hosts: set[str] = field(default_factory=set)
    vendors: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)

    @property
    def allow(self) -> list[str]:
        """What the policy's ``allow`` would say."""
        return [*sorted(self.hosts), *sorted(self.vendors)]


class Learning:
    """Reads one file after another."""

    def __init__(self, policy: Policy, catalog: Catalog, own_hosts: Iterable[str] = ()) -> None:
        """Take what decides, and the hosts that are the site's own, as host patterns."""
        self.learned = Learned()
        self._policy = policy
        self._catalog = catalog
        self._own = {host.removeprefix("*.") for host in own_hosts if host != "*"}

    def read(self, text: str) -> None:
        """Learn from one file: a HAR where its text is one, else log lines.

        Raises:
            ValueError: it is neither.
        """
        if not text.strip():
            raise ValueError(_EMPTY)
        if not text.lstrip().startswith("{"):
            self._lines(text)
            return
        try:
            har = json.loads(text)
        except ValueError as error:  # one object a line: a log
            if _LINE.search(text) is None and _OWN_LINE.search(text) is None:
                raise ValueError(_CUT.format(error)) from None
            self._lines(text)
            return
        if isinstance(har, dict) and "event" in har:  # a log of one line
            self._lines(text)
            return
        try:
            urls = [str(entry["request"]["url"]) for entry in har["log"]["entries"]]
        except (KeyError, TypeError):
            raise ValueError(_NEITHER) from None
        self._requests(urls)

    def _lines(self, text: str) -> None:
        found = list(_LINE.finditer(text))
        if not found and _OWN_LINE.search(text) is None:
            raise ValueError(_NEITHER)
        for match in found:
            if match["what"] == ALLOWED:
                self._vendor(match["name"])
            else:
                self._host(match["name"], "/")

    def _requests(self, urls: list[str]) -> None:
        """Learn from what one visit requested; where no host is known to be the site's, the first one is."""
        base = base_of("https://nobody.invalid/")
        targets = [target for url in urls if (target := resolve(url, base)) is not None]
        if targets and not self._own:
            self._own = {targets[0].host.removeprefix("www.")}
        for target in targets:
            self._host(target.host, target.path)

    def _host(self, host: str, path: str) -> None:
        if self._is_own(host) or self._policy.allows(host) is not None:
            return
        rule = self._catalog.by_url(host, path)
        if rule is not None:
            self._vendor(rule.vendor.vendor)
        else:
            self.learned.hosts.add(host)

    def _vendor(self, id_: str) -> None:
        vendor: Any = self._catalog.vendors.get(id_)
        if vendor is not None:
            answer = self._policy.answer(vendor)
            (self.learned.denied if answer.action is Action.BLOCK else self.learned.vendors).add(id_)

    def _is_own(self, host: str) -> bool:
        return any(host == own or host.endswith(f".{own}") for own in self._own)

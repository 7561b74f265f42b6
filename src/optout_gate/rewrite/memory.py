"""What was found out on one page, and need not be found out again on the next.

The same addresses stand on every page of a site, and the same snippets: bootstraps, pixels, style sheets, scripts of the
site's own. Taking one apart costs more than knowing it again. A snippet from which something was taken is kept at
once, since it is a vendor's code; any other when it is met the second time, since a script that holds a visitor's state is a new
one every time, and its text is not kept, only a hash (of 64 bits under a key of this process, so nobody can make two alike).
A whole element, from its start tag to its end tag, is a snippet too, once it is met the second time; a start tag's attributes
that say all about it are remembered with what was done to them (:mod:`optout_gate.rewrite.start_tag`).
A gate has one memory, so a reload begins with an empty one.

What decides about a snippet besides its text is the key's business: :mod:`optout_gate.rewrite.remembering` puts it together.
"""

from collections.abc import Hashable, Mapping
from typing import NamedTuple

from optout_gate.policy.decision import Verdict
from optout_gate.rewrite.removals import Note
from optout_gate.rewrite.start_tag import Attributes, Edits
from optout_gate.trackers.urls import Target
from optout_gate.trackers.vendor import Vendor

MAX_SNIPPETS = 1024  # a site has some dozens
MAX_SNIPPET_CHARACTERS = 8 * 1024  # a bootstrap is one or two thousand
MAX_UNCHANGED = 8192  # hashes; besides scripts and styles, tags that are asked about and stay
MAX_MET = 32_768  # hashes of snippets met once
MAX_SHELVES = 64  # hosts of sites, by what is denied there
MAX_ADDRESSES = 4096  # of one shelf; a site's pages name some hundreds
MAX_TAGS = 1024  # of one shelf; those of scripts, links and frames that lead elsewhere
MAX_ADDRESS_CHARACTERS = 512  # longer ones carry one-off queries


class Known(NamedTuple):
    """What an address is.

    Attributes:
        target: where it leads.
        own: the site's own.
        verdict: the verdict about it whatever it says, or None when nobody knows it.
    """

    target: Target
    own: bool
    verdict: Verdict | None


class Snippet(NamedTuple):
    """What became of a snippet.

    Attributes:
        text: what it is now.
        notes: what was taken out of it.
        allowed: vendors that were recognised in it and may stay, by id.
        unknown: hosts in it that nobody knows, and that were let through.
    """

    text: str | bytes
    notes: tuple[Note, ...] = ()
    allowed: Mapping[str, Vendor] = {}
    unknown: tuple[str, ...] = ()


class KnownTag(NamedTuple):
    """What became of a start tag.

    Attributes:
        edits: what was done with its attributes.
        notes: what was taken out of it.
        allowed: vendors that were recognised in it and may stay, by id.
        unknown: hosts in it that nobody knows, and that were let through.
    """

    edits: Edits
    notes: tuple[Note, ...]
    allowed: Mapping[str, Vendor]
    unknown: tuple[str, ...]


class Shelf:
    """What is known under one decision about one site. As a part of a key, it stands for the two."""

    __slots__ = ("addresses", "box_selectors", "hosts", "tags")

    def __init__(self) -> None:
        self.addresses: dict[tuple[str, str], Known] = {}
        self.hosts: dict[str, tuple[Verdict, ...]] = {}
        self.box_selectors: dict[Hashable, str] = {}
        self.tags: dict[Hashable, KnownTag] = {}

    def learn(self, key: tuple[str, str], known: Known) -> None:
        """Remember what an address is for a kind of request."""
        if len(key[1]) > MAX_ADDRESS_CHARACTERS:
            return
        if len(self.addresses) >= MAX_ADDRESSES:
            self.addresses.clear()  # those that every page names are back with the next one
        self.addresses[key] = known

    def learn_tag(self, key: Hashable, attributes: Attributes, known: KnownTag) -> None:
        """Remember what became of a start tag."""
        if sum(len(name) + len(value) for name, value in attributes) > MAX_ADDRESS_CHARACTERS:
            return
        if len(self.tags) >= MAX_TAGS:
            self.tags.clear()
        self.tags[key] = known

    def learn_host(self, host: str, verdicts: tuple[Verdict, ...]) -> None:
        """Remember every verdict about something on a host."""
        if len(self.hosts) >= MAX_ADDRESSES:
            self.hosts.clear()
        self.hosts[host] = verdicts


class Memory:
    """Shelves and snippets; of each, the one not asked for the longest time is forgotten first."""

    def __init__(self) -> None:
        self._snippets: dict[Hashable, Snippet] = {}
        self._unchanged: dict[int, Snippet] = {}
        self._met: set[int] = set()
        self._shelves: dict[Hashable, Shelf] = {}

    def shelf(self, standing: Hashable) -> Shelf:
        """Return the shelf for everything that verdicts depend on besides the address."""
        found = self._shelves.pop(standing, None)
        if found is None:
            found = Shelf()
            if len(self._shelves) >= MAX_SHELVES:
                del self._shelves[next(iter(self._shelves))]
        self._shelves[standing] = found
        return found

    def recall(self, key: Hashable) -> Snippet | None:
        """Return what became of a snippet, or None."""
        found = self._snippets.pop(key, None)
        if found is not None:
            self._snippets[key] = found  # the youngest again
        return found

    def keep(self, key: Hashable, snippet: Snippet) -> None:
        """Remember what became of a snippet."""
        if len(self._snippets) >= MAX_SNIPPETS:
            del self._snippets[next(iter(self._snippets))]
        self._snippets[key] = snippet

    def recurs(self, key: Hashable) -> bool:
        """Return True when a snippet was met before, and remember that it was met."""
        met = hash(key)
        if met in self._met:
            return True
        self._meet(met)
        return False

    def _meet(self, met: int) -> None:
        if len(self._met) >= MAX_MET:
            self._met.clear()
        self._met.add(met)

    def unchanged(self, key: Hashable) -> Snippet | None:
        """Return what stands in a snippet from which nothing was taken the times before, or None."""
        return self._unchanged.get(hash(key))

    def keep_unchanged(self, key: Hashable, snippet: Snippet) -> None:
        """Remember that nothing was taken from a snippet, when it is met the second time, and not its text."""
        met = hash(key)
        if met not in self._met:
            self._meet(met)
            return
        if len(self._unchanged) >= MAX_UNCHANGED:
            del self._unchanged[next(iter(self._unchanged))]
        self._unchanged[met] = snippet

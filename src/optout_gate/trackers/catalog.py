"""The catalogue: every vendor the gate knows, and the index that finds one by host, cookie name or script text.

The built-in files stand in ``catalogue/``; a configuration adds entries of its own, which win over built-in ones
for the same host. A lookup walks up the labels of a host, one dictionary access each: its cost does not depend on
how many vendors there are.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

from optout_gate.documents import Document, parse, validate
from optout_gate.errors import ConfigError, Problem
from optout_gate.trackers.endpoints import Endpoint, Endpoints
from optout_gate.trackers.libraries import Libraries, Library
from optout_gate.trackers.vendor import BOX, Box, CatalogueFile, Vendor

REVISED = date(2026, 11, 23)
"""When somebody last went through the built-in catalogue; set with every change to it. Metrics tell its age."""

# Second labels under which countries register names, as in example.co.uk; with ``name.*`` patterns only.
_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gob", "gov", "ne", "net", "or", "org"})

MAX_COOKIE_NAMES = 2048  # remembered; a site has some dozens, and anybody can send others


@dataclass(frozen=True, slots=True)
class Rule:
    """What recognised a vendor, and where it stands.

    Attributes:
        vendor: the vendor it belongs to.
        kind: ``domain``, ``pattern``, ``inline``, ``cookie``, ``storage``, ``endpoint``, ``library``, ``cname``,
            ``list`` (a filter list) or ``shape``.
        text: the rule as written.
        file: the file it stands in; built-in ones are named ``catalogue/NAME.yaml``.
        line: its line, from 1.
    """

    vendor: Vendor
    kind: str
    text: str
    file: str
    line: int

    @property
    def place(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"


@dataclass(slots=True)
class _Entry:
    domain: Rule | None = None
    paths: list[tuple[re.Pattern[str], Rule]] = field(default_factory=list)


class Container(NamedTuple):
    """A box that a vendor's script fills.

    Attributes:
        rule: whose it is.
        box: what it shows, and how large it becomes.
        tag: the element's name; empty for any.
    """

    rule: Rule
    box: Box
    tag: str


class Catalog:
    """Vendors by id, and the rules that recognise them. Built once, then only read."""

    def __init__(self, documents: Iterable[tuple[Document, tuple[str | int, ...], Iterable[Vendor]]]) -> None:
        """Index vendors; each document comes with the path of its list of vendors. Later entries win."""
        self.vendors: dict[str, Vendor] = {}
        self.origins: dict[str, tuple[str, int]] = {}
        self._hosts: dict[str, _Entry] = {}
        self._names: dict[str, _Entry] = {}  # of ``name.*`` hosts
        self._cookies: dict[str, Rule] = {}
        self._cookie_prefixes: dict[str, Rule] = {}
        self._storage: dict[str, Rule] = {}
        self._inline: list[tuple[str, tuple[str, ...], Rule]] = []
        self._click_ids: dict[str, Rule] = {}
        self._amp: dict[str, Rule] = {}
        self.containers: dict[str, Container] = {}
        self.script_boxes: dict[str, Container] = {}  # by what stands before the "/" of a script's type
        self._endpoints: list[tuple[Endpoint, Rule]] = []
        self._libraries: list[tuple[Library, Rule]] = []
        self.lazy_attributes: tuple[str, ...] = ()
        problems: list[Problem] = []
        for document, path, vendors in documents:
            for index, vendor in enumerate(vendors):
                where = (*path, index)
                if vendor.vendor in self.vendors:
                    file, line = self.origins[vendor.vendor]
                    text = f"vendor {vendor.vendor!r} is already defined in {file}:{line}"
                    problems.append(document.problem((*where, "vendor"), text))
                    continue
                self.vendors[vendor.vendor] = vendor
                self.origins[vendor.vendor] = (document.file, document.line(*where))
                self._index(vendor, document, where)
        if problems:
            raise ConfigError(problems)
        self._container_starts = [(name[:-1], box) for name, box in self.containers.items() if name.endswith("*")]
        self.container_attributes = tuple(name[1:-1] for name in self.containers if name.startswith("["))
        self.endpoints = Endpoints(self._endpoints)
        self.libraries = Libraries(self._libraries)
        # Hundreds of prefixes have some twenty lengths, so a name is looked up one length at a time. The same few names
        # come with every request of every visitor; they are remembered, their values never get here.
        self._prefix_lengths = tuple(sorted({len(prefix) for prefix in self._cookie_prefixes}, reverse=True))
        self._by_cookie = lru_cache(maxsize=MAX_COOKIE_NAMES)(self._find_cookie)
        # A parameter's name stands behind "?", "&" or, in a page, "&amp;".
        names = "|".join(sorted(map(re.escape, self._click_ids), key=len, reverse=True))
        self.click_id_pattern = re.compile(f"[?&;](?:{names})=") if names else None

    def __len__(self) -> int:
        return len(self.vendors)

    def __iter__(self) -> Iterator[Vendor]:
        return iter(self.vendors.values())

    def by_url(self, host: str, path: str) -> Rule | None:
        """Return the rule for a host (lower case) and path with query, or None when nobody claims it.

        The most specific host wins; on one host, a path wins over the whole.
        """
        suffix = host
        while True:
            entry = self._hosts.get(suffix)
            if entry is not None and (rule := _at(entry, path)):
                return rule
            label, dot, rest = suffix.partition(".")
            if not dot:
                return None
            entry = self._names.get(label)
            if entry is not None and _is_public_suffix(rest) and (rule := _at(entry, path)):
                return rule
            suffix = rest

    def on_host(self, host: str) -> list[Rule]:
        """Return every rule that speaks of ``host`` or of something it stands under, whatever the path."""
        found: list[Rule] = []
        suffix = host
        while suffix:
            label, _, rest = suffix.partition(".")
            for entry in (self._hosts.get(suffix), self._names.get(label) if _is_public_suffix(rest) else None):
                if entry is not None:
                    found += [rule for _, rule in entry.paths]
                    found += [entry.domain] if entry.domain is not None else []
            suffix = rest
        return found

    def hosts(self) -> Iterator[tuple[str, Rule | None, tuple[Rule, ...]]]:
        """Yield every host that a rule speaks of, as written, its rule for the whole of it, and those for paths."""
        for host, entry in self._hosts.items():
            yield host, entry.domain, tuple(rule for _, rule in entry.paths)
        for name, entry in self._names.items():
            yield f"{name}.*", entry.domain, tuple(rule for _, rule in entry.paths)

    def by_rule(self, text: str) -> Rule | None:
        """Return the rule that a guard names: a host, ``host/path``, ``=cookie`` or ``#key``, as written."""
        if text[:1] == "=":
            return self.by_cookie(text[1:])
        if text[:1] == "#":
            return self._storage.get(text[1:])
        host, slash, path = text.partition("/")
        # A rule as written is matched by itself: its '*' is one of the texts that '*' stands for.
        return self.by_url(host, slash + path)

    def by_cookie(self, name: str) -> Rule | None:
        """Return the rule for a first-party cookie's name, or None."""
        return self._by_cookie(name)

    def _find_cookie(self, name: str) -> Rule | None:
        rule = self._cookies.get(name)
        if rule is not None:
            return rule
        for length in self._prefix_lengths:
            if (rule := self._cookie_prefixes.get(name[:length])) is not None:
                return rule
        return None

    def by_click_id(self, name: str) -> Rule | None:
        """Return the rule for a query parameter that identifies a click, or None."""
        return self._click_ids.get(name)

    def by_amp(self, name: str) -> Rule | None:
        """Return the rule for the ``type`` of an AMP component, or None."""
        return self._amp.get(name)

    def by_container(self, tag: str, words: Iterable[str]) -> Iterator["Container"]:
        """Yield the boxes that an element may be, by its name, its classes, its ``#id`` and its ``[attributes]``."""
        for word in words:
            found = self.containers.get(word)
            if found is None:
                found = next((box for start, box in self._container_starts if word.startswith(start)), None)
            if found is not None and found.tag in ("", tag):
                yield found

    def by_script(self, text: str) -> Rule | None:
        """Return the rule whose fingerprint an inline script bears, or None."""
        for first, others, rule in self._inline:
            if first in text and all(each in text for each in others):
                return rule
        return None

    def _index(self, vendor: Vendor, document: Document, where: tuple[str | int, ...]) -> None:
        def rule(kind: str, key: str, index: int, text: str) -> Rule:
            line = document.line(*where, key, index) or document.line(*where)
            return Rule(vendor, kind, text, document.file, line)

        for index, host in enumerate(vendor.domains):
            self._entry(host).domain = rule("domain", "domains", index, host)
        for index, pattern in enumerate(vendor.patterns):
            host, _, path = pattern.partition("/")
            self._entry(host).paths.append((_path_regex("/" + path), rule("pattern", "patterns", index, pattern)))
        for index, name in enumerate(vendor.cookies):
            made = rule("cookie", "cookies", index, name)
            if name.endswith("*"):
                self._cookie_prefixes.setdefault(name[:-1], made)
            else:
                self._cookies[name] = made
        for index, name in enumerate(vendor.storage):
            self._storage.setdefault(name, rule("storage", "storage", index, name))
        for index, name in enumerate(vendor.click_ids):
            self._click_ids.setdefault(name, rule("click_id", "click_ids", index, name))
        for index, name in enumerate(vendor.amp):
            self._amp.setdefault(name, rule("amp", "amp", index, name))
        for text, known in vendor.containers.items():
            made = Rule(vendor, "container", text, document.file, document.line(*where, "containers", text))
            box = Box(link=known) if isinstance(known, str) else known
            if (parts := BOX.match(text)) is None:
                continue
            if parts["script"]:
                self.script_boxes.setdefault(parts["script"].lower(), Container(made, box, "script"))
            elif parts["element"]:
                self.containers.setdefault(text, Container(made, box, parts["element"]))
            else:
                word = (parts["id"] or "") + parts["name"]
                self.containers.setdefault(word, Container(made, box, parts["tag"] or ""))
        self.lazy_attributes = tuple(dict.fromkeys([*self.lazy_attributes, *vendor.lazy]))
        for index, fingerprint in enumerate(vendor.inline):
            text = " + ".join(fingerprint.all)
            first, *others = fingerprint.all
            self._inline.append((first, tuple(others), rule("inline", "inline", index, text)))
        for index, endpoint in enumerate(vendor.endpoints):
            fields = "&".join(f"{name}={value}" for name, value in endpoint.fields.items())
            text = f"{' '.join(endpoint.paths)} with {fields}"
            self._endpoints.append((endpoint, rule("endpoint", "endpoints", index, text)))
        for index, library in enumerate(vendor.libraries):
            made = rule("library", "libraries", index, " + ".join(library.all))
            self._libraries.append((library, made))

    def _entry(self, host: str) -> _Entry:
        if host.endswith(".*"):
            return self._names.setdefault(host[:-2], _Entry())
        return self._hosts.setdefault(host, _Entry())


def _at(entry: _Entry, path: str) -> Rule | None:
    for regex, rule in entry.paths:
        if regex.match(path):
            return rule
    return entry.domain


def _is_public_suffix(rest: str) -> bool:
    first, dot, last = rest.partition(".")
    return not dot or (first in _SECOND_LEVEL and "." not in last)


def _path_regex(pattern: str) -> re.Pattern[str]:
    """Return a regular expression for a pattern's path; ``*`` is any run, the end falls on a boundary."""
    body = ".*?".join(re.escape(part) for part in pattern.split("*"))
    boundary = r"(?![A-Za-z0-9_-])" if pattern[-1].isalnum() else ""
    return re.compile(body + boundary)


@cache
def builtin_documents() -> tuple[tuple[Document, tuple[str | int, ...], tuple[Vendor, ...]], ...]:
    """Return the project's own catalogue files, parsed and validated.

    Raises:
        ConfigError: one of them is wrong (a test keeps this from happening).
    """
    found = []
    problems: list[Problem] = []
    for file in sorted((files(__package__) / "catalogue").iterdir(), key=lambda each: each.name):
        if not file.name.endswith(".yaml"):
            continue
        try:
            document = parse(file.read_text("utf-8"), f"catalogue/{file.name}")
            found.append((document, ("vendors",), validate(CatalogueFile, document).vendors))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return tuple(found)


@cache
def builtin() -> Catalog:
    """Return the project's own catalogue."""
    return Catalog(builtin_documents())

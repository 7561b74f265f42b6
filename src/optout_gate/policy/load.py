"""A configuration file, from text to something that can be used, with every mistake told at once.

Shape and values are pydantic's to check (:mod:`optout_gate.policy.config`); what one part says about another is
checked here, on the raw data, so that a wrong type in one place does not hide a wrong name in another.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from optout_gate.documents import VALUE, Document, did_you_mean, parse, place_of, validate
from optout_gate.errors import ConfigError, Problem
from optout_gate.policy.beside import Beside, read_beside
from optout_gate.policy.config import Action, Config, split_address
from optout_gate.trackers import lists, unknown
from optout_gate.trackers.catalog import Catalog, builtin, builtin_documents
from optout_gate.trackers.lists import FilterList


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration ready for a gate: values, and the rules it brings."""

    config: Config
    catalog: Catalog
    filter_lists: tuple[FilterList, ...]
    file: str
    beside: Beside = field(default_factory=Beside)
    cautions: tuple[Problem, ...] = ()
    """What is allowed and hardly ever meant."""


def load_file(path: Path | str) -> Loaded:
    """Return the configuration in ``path``.

    Raises:
        ConfigError: with everything that is wrong, each with file, line and column.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError([Problem(str(path), 0, 0, f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8")
        place = place_of(before, len(before))
        raise ConfigError([Problem(str(path), *place, "not UTF-8 text; save the file in that encoding")]) from None
    return load_text(text, file=str(path), folder=path.parent)


def load_text(text: str, *, file: str, folder: Path) -> Loaded:
    """Return the configuration in ``text``; file names in it start from ``folder``.

    Raises:
        ConfigError: with everything that is wrong, each with file, line and column.
    """
    document = parse(text, file)
    problems: list[Problem] = []
    config: Config | None = None
    try:
        config = validate(Config, document)
    except ConfigError as error:
        problems += error.problems
    catalog = _catalog(document, config)
    problems += _names(document, catalog)
    problems += _notices(document)
    problems += _own_vendors(document)
    if config is not None and config.dns.uncloak and find_spec("dns") is None:
        at = ("dns", "uncloak", VALUE)
        problems.append(document.problem(at, "to ask the DNS needs a package: pip install 'optout-gate[dns]'"))
    filter_lists, list_problems = _filter_lists(document, folder)
    problems += list_problems
    beside = Beside(folder)
    if config is not None:
        beside, beside_problems = read_beside(document, config, folder)
        problems += beside_problems
    if problems or config is None:
        raise ConfigError(problems)
    return Loaded(config, catalog, tuple(filter_lists), file, beside, tuple(_cautions(document, config)))


def from_upstream(upstream: str) -> Loaded:
    """Return the configuration that ``--upstream URL`` alone amounts to.

    Raises:
        ConfigError: it is not a URL to send requests to.
    """
    text = f"version: 1\nsites: [{{upstream: {upstream!r}}}]\n"
    try:
        return load_text(text, file="--upstream", folder=Path())
    except ConfigError as error:
        raise ConfigError([Problem("--upstream", 0, 0, each.text) for each in error.problems]) from None


def everywhere() -> Loaded:
    """Return the defaults on every host, for doors that know by themselves where requests go."""
    return from_upstream("http://upstream.invalid")


def _catalog(document: Document, config: Config | None) -> Catalog:
    """Return the built-in catalogue with the operator's entries over it."""
    own = config.trackers.extra if config else ()
    named = [each.model_copy(update={"name": each.name or each.vendor}) for each in own]
    try:
        return Catalog([*builtin_documents(), (document, ("trackers", "extra"), named)])
    except ConfigError:
        return builtin()  # a vendor defined twice, which _own_vendors tells


def _cautions(document: Document, config: Config) -> Iterator[Problem]:
    for index, site in enumerate(config.sites):
        if site.upstream_tls is not None and not site.upstream_tls.verify:
            at = ("sites", index, "upstream_tls", "verify", VALUE)
            text = f"the certificate of {site.upstream} is not checked: anyone on the way there reads and changes all"
            yield document.problem(at, text)
        if _is_listened_on(site.upstream, config.listen):
            where = ("sites", index, "upstream", VALUE)
            yield document.problem(where, f"{site.upstream} is the gate's own address: every request ends with 508")


def _is_listened_on(upstream: str, listen: str) -> bool:
    origin, (host, port) = urlsplit(upstream), split_address(listen)
    mine = {host, "localhost", "127.0.0.1"} if host in ("0.0.0.0", "127.0.0.1") else {host}
    return origin.scheme == "http" and origin.port == port and origin.hostname in mine


def _own_vendors(document: Document) -> Iterator[Problem]:
    """Yield the operator's vendors whose id is taken."""
    seen: dict[str, str] = {vendor: "{}:{}".format(*place) for vendor, place in builtin().origins.items()}
    for index, entry in enumerate(_list(_mapping(_mapping(document.data).get("trackers")).get("extra"))):
        vendor = _mapping(entry).get("vendor")
        if not isinstance(vendor, str):
            continue
        at = ("trackers", "extra", index, "vendor", VALUE)
        if vendor in seen:
            yield document.problem(at, f"vendor {vendor!r} is already defined in {seen[vendor]}; choose another id")
        seen.setdefault(vendor, f"{document.file}:{document.line('trackers', 'extra', index)}")


def _covers(wider: str, host: str) -> bool:
    """Return whether every name that ``host`` means is one that the pattern ``wider``, another one, means."""
    return wider.startswith("*.") and host.endswith(wider[1:])


def _names(document: Document, catalog: Catalog) -> Iterator[Problem]:
    """Yield what is wrong with names that refer to something else in the file or to the catalogue."""
    data = _mapping(document.data)
    policies = {"default": {}, **_mapping(data.get("policies"))}
    own = {_mapping(each).get("vendor") for each in _list(_mapping(data.get("trackers")).get("extra"))}
    taken: dict[str, int] = {}
    for index, site in enumerate(_list(data.get("sites"))):
        policy = _mapping(site).get("policy", "default")
        if isinstance(policy, str) and policy not in policies:
            where: tuple[int | str, ...] = ("sites", index, "policy", VALUE)
            if "policy" not in _mapping(site):
                where = ("sites", index)
            names = ", ".join(map(repr, policies))
            text = f"there is no policy {policy!r}; expected one of {names}{did_you_mean(policy, policies)}"
            yield document.problem(where, text)
        here: list[str] = []
        for number, host in enumerate(_list(_mapping(site).get("hosts", ["*"]))):
            if not isinstance(host, str):
                continue
            at = ("sites", index, "hosts", number)
            if host in taken:
                text = f"host {host!r} already belongs to the site in line {taken[host]}: this one is never reached"
                yield document.problem(at, text)
            elif "*" in taken:
                text = f"host {host!r} is never reached: '*' in line {taken['*']} takes every host, so it comes last"
                yield document.problem(at, text)
            elif (wider := next((each for each in taken if _covers(each, host)), None)) is not None:
                # An edge goes by the narrowest pattern, so it would answer for the other site.
                place = f"{wider!r} in line {taken[wider]}"
                yield document.problem(
                    at, f"host {host!r} is never reached: {place} takes it; put the narrower one first"
                )
            here.append(host)
        for host in here:
            taken.setdefault(host, document.line("sites", index))
    for name, policy_data in policies.items():
        for vendor, action in _mapping(_mapping(policy_data).get("vendors")).items():
            known = vendor in catalog.vendors or vendor in own or vendor in unknown.VENDORS
            if not known:
                text = f"there is no vendor {vendor!r} in the catalogue{did_you_mean(vendor, catalog.vendors)}"
                yield document.problem(("policies", name, "vendors", vendor), f"{text} (see: optout-gate vendors)")
            elif action == Action.RESTRICT and not _has_restricted_mode(catalog, vendor):
                text = f"vendor {vendor!r} has no restricted mode that its vendor documents; expected allow or block"
                yield document.problem(("policies", name, "vendors", vendor), text)
        for index, allowed in enumerate(_list(_mapping(policy_data).get("allow"))):
            if not isinstance(allowed, str) or "." in allowed:
                continue
            if allowed not in catalog.vendors and allowed not in own and allowed not in unknown.VENDORS:
                text = f"there is no vendor {allowed!r} in the catalogue{did_you_mean(allowed, catalog.vendors)}"
                yield document.problem(("policies", name, "allow", index), f"{text}; a host has a dot in it")


def _has_restricted_mode(catalog: Catalog, vendor: str) -> bool:
    entry = catalog.vendors.get(vendor)
    return entry is not None and entry.restricted is not None


def _notices(document: Document) -> Iterator[Problem]:
    """Yield what a notice says about itself that does not hold together."""
    for name, policy in _mapping(_mapping(document.data).get("policies")).items():
        notice = _mapping(_mapping(policy).get("notice"))
        at = ("policies", name, "notice")
        recipients = _mapping(notice.get("recipients"))
        stated = {each for words in _mapping(notice.get("purposes")).values() for each in _list(words)}
        for id_, recipient in recipients.items():
            for index, purpose in enumerate(_list(_mapping(recipient).get("purposes"))):
                if purpose not in stated:
                    text = f"the notice states no such purpose: {purpose!r} stands under none of its 'purposes'"
                    yield document.problem((*at, "recipients", id_, "purposes", index), text)
        for id_, category in _mapping(notice.get("categories")).items():
            for index, recipient in enumerate(_list(_mapping(category).get("sold_or_shared"))):
                if isinstance(recipient, str) and recipient not in recipients:
                    text = f"the notice names no recipient {recipient!r}{did_you_mean(recipient, recipients)}"
                    yield document.problem((*at, "categories", id_, "sold_or_shared", index), text)


def _filter_lists(document: Document, folder: Path) -> tuple[list[FilterList], list[Problem]]:
    found: list[FilterList] = []
    problems: list[Problem] = []
    entries = _list(_mapping(_mapping(document.data).get("trackers")).get("filter_lists"))
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        path, purpose = _mapping(entry).get("path"), _mapping(entry).get("purpose")
        if not isinstance(path, str) or not path:
            continue
        where = ("trackers", "filter_lists", index, "path", VALUE)
        if path in seen:
            problems.append(document.problem(where, f"the filter list {path!r} stands twice"))
            continue
        seen.add(path)
        try:
            content = (folder / path).read_bytes()
        except OSError as error:
            problems.append(document.problem(where, f"filter list {folder / path} cannot be read: {error.strerror}"))
            continue
        pinned, found_sum = _mapping(entry).get("sha256"), lists.checksum(content)
        if isinstance(pinned, str) and pinned.lower() != found_sum:
            at = ("trackers", "filter_lists", index, "sha256", VALUE)
            problems.append(document.problem(at, f"filter list {folder / path} has another checksum: {found_sum}"))
            continue
        text = content.decode("utf-8", "replace")
        name = "-".join(part for part in _words(Path(path).stem)) or str(index)
        try:
            found.append(lists.load(text, path=path, name=name, purpose=purpose))  # type: ignore[arg-type]
        except ValueError:
            continue  # a wrong purpose, which validation has told already
    return found, problems


def _words(text: str) -> list[str]:
    return "".join(each if each.isascii() and each.isalnum() else " " for each in text.lower()).split()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

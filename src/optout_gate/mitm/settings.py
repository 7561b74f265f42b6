"""The addon's options, in mitmproxy's own manner, and the gate that they amount to."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from optout_gate.errors import ConfigError, Problem
from optout_gate.gate import Gate
from optout_gate.policy.config import HostPattern, Mode
from optout_gate.policy.load import Loaded, everywhere, load_file
from optout_gate.site import host_matches

# Name, type, default, help: what --set, config.yaml and the option editors of mitmproxy and mitmweb show.
OPTIONS: tuple[tuple[str, Any, Any, str], ...] = (
    ("optout_config", str, "", "Configuration file of optout-gate (YAML); without one, the defaults hold on every host."),
    ("optout_signal", bool, False, "Pretend that every visitor sends Sec-GPC: 1. The origin sees it as well."),
    ("optout_mode", str, "", "enforce, observe or off on every site; empty leaves it to the configuration."),
    ("optout_sites", Sequence[str], [], "Hosts to act on ('*.example.com' is every subdomain); empty means all."),
    ("optout_stream", bool, True, "Pass rewritten pages on as they come; off holds each one back whole."),
)  # fmt: skip
NAMES = frozenset(name for name, *_ in OPTIONS)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the options amount to.

    Attributes:
        gate: the configuration at work.
        pretend: every request is to carry ``Sec-GPC: 1``.
        only: host patterns to act on; none means every host.
        stream: pages go on as they come.
        file: the configuration file, None where there is none.
        version: of that file, as it was read.
    """

    gate: Gate
    pretend: bool
    only: tuple[str, ...]
    stream: bool
    file: Path | None = None
    version: tuple[int, ...] | None = None

    def concern(self, host: str) -> bool:
        """Return True when the gate acts on ``host``."""
        return not self.only or any(host_matches(pattern, host) for pattern in self.only)

    def newer(self) -> "Settings | None":
        """Return these for the version of the configuration file that was saved since it was read, to be read; or None.

        A file that is not there just now is one that an editor is about to put back.
        """
        version = version_of(self.file)
        return replace(self, version=version) if version is not None and version != self.version else None


def version_of(file: Path | None) -> tuple[int, ...] | None:
    """Return what changes when a file is saved, or None where there is none."""
    try:
        found = file.stat() if file is not None else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if found is not None else None


def settings_of(options: Any) -> Settings:
    """Return what mitmproxy's ``options`` amount to.

    Raises:
        ConfigError: with everything that is wrong, in words for the one who set them.
    """
    problems: list[Problem] = []
    loaded: Loaded | None = None
    file = Path(options.optout_config).expanduser() if options.optout_config else None
    version = version_of(file)  # before it is read, so that one saved meanwhile is read again
    try:
        loaded = load_file(file) if file is not None else everywhere()
    except ConfigError as error:
        problems += error.problems
    if options.optout_mode and options.optout_mode not in tuple(Mode):
        expected = ", ".join(Mode)
        text = f"expected one of {expected}, or nothing, found {options.optout_mode!r}"
        problems.append(Problem("optout_mode", 0, 0, text))
    for pattern in options.optout_sites:
        try:
            TypeAdapter(HostPattern).validate_python(pattern)
        except ValidationError as error:
            text = error.errors()[0]["msg"].removeprefix("Value error, ")
            problems.append(Problem("optout_sites", 0, 0, text))
    if problems or loaded is None:
        raise ConfigError(problems)
    if options.optout_mode:
        loaded = _in_mode(loaded, Mode(options.optout_mode))
    gate = Gate(loaded, clock=time.perf_counter)
    return Settings(gate, options.optout_signal, tuple(options.optout_sites), options.optout_stream, file, version)


def _in_mode(loaded: Loaded, mode: Mode) -> Loaded:
    sites = tuple(site.model_copy(update={"mode": mode}) for site in loaded.config.sites)
    config = loaded.config.model_copy(update={"sites": sites})
    return Loaded(config, loaded.catalog, loaded.filter_lists, loaded.file)

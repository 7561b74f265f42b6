"""What ``serve`` was asked for, and the listening sockets that it asks for. Plain values: they cross into workers."""

import contextlib
import logging
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from optout_gate.policy.config import split_address
from optout_gate.policy.load import Loaded, from_upstream, load_file
from optout_gate.policy.tls import VisitorsTls
from optout_gate.proxy.tls import check_files
from optout_gate.telemetry.logs import Form

DRAIN_S = 25  # for requests under way when the gate stops listening; Kubernetes kills after 30 unless told otherwise
DRAIN_DELAY_S = 5.0  # between "not ready" and the end of listening: until whoever sends requests has noticed

log = logging.getLogger("optout_gate")


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``serve`` was asked for.

    Attributes:
        log_requests: whether each request gets a line in the log.
        drain_delay_s: how long SIGTERM leaves the gate listening.
        drain_timeout_s: how long what is under way may then take.
        tls_cert: PEM file of the certificate chain to show to visitors, over the configuration's.
        tls_key: PEM file of its key, when that is not in the same file.
    """

    config: Path | None
    upstream: str | None
    listen: str | None
    admin: str | None
    workers: int = 1
    log_format: Form = "text"
    log_requests: bool = False
    drain_delay_s: float = DRAIN_DELAY_S
    drain_timeout_s: int = DRAIN_S
    tls_cert: str | None = None
    tls_key: str | None = None

    def load(self) -> Loaded:
        """Return the configuration, with the flags over the file.

        Raises:
            ConfigError: with everything that is wrong.
        """
        loaded = load_file(self.config) if self.config is not None else from_upstream(self.upstream or "")
        changes: dict[str, object] = {}
        if self.listen is not None:
            changes["listen"] = self.listen
        if self.admin is not None:
            changes["admin"] = self.admin
        beside = loaded.beside
        if self.config is not None and self.upstream is not None:
            [one] = from_upstream(self.upstream).config.sites
            changes["sites"] = tuple(site.model_copy(update={"upstream": one.upstream}) for site in loaded.config.sites)
            if not one.upstream.startswith("https://"):
                beside = replace(beside, upstream_tls={})
        if self.tls_cert is not None:
            beside = replace(beside, tls=VisitorsTls(self.tls_cert, self.tls_key, ("--tls-cert", 0, 0)))
        loaded = replace(loaded, config=loaded.config.model_copy(update=changes), beside=beside)
        check_files(loaded)
        return loaded


FEW_FILES = 2048  # a visitor on the way to the origin has two


def open_many_files() -> None:
    """Let this process, and those it starts, have as many connections as the system allows it.

    The usual limit of 1,024 is there for programs that call select(2); the one above it is what the operator means.
    """
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        if 0 <= most < FEW_FILES:  # further visitors would be cut off without a word
            log.warning("%d open files are all that the system allows: %d visitors at once, at most", most, most // 2)


class CannotStart(Exception):
    """The machine refuses what serving needs; the text says what, why, and what to do."""


class AddressInUse(CannotStart):
    """An address cannot be bound; the text says which and why.

    Attributes:
        number: the system's error number.
    """

    def __init__(self, number: int | None, text: str) -> None:
        super().__init__(text)
        self.number = number


def bind(address: str, flag: str) -> socket.socket:
    """Return a listening socket.

    Raises:
        AddressInUse: with the address, the reason, and the flag that chooses another.
    """
    host, port = split_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        text = f"cannot listen on {address}: {error.strerror} ({flag} chooses another address)"
        raise AddressInUse(error.errno, text) from None
    listener.setblocking(False)
    return listener


def addresses_of(loaded: Loaded) -> Mapping[str, str]:
    """Return what is listened on, by key of the configuration."""
    return {"listen": loaded.config.listen, "admin": loaded.config.admin}


def not_moved(bound: Mapping[str, str], asked: Mapping[str, str]) -> Iterator[str]:
    """Yield words for each address that a reload asks for in vain."""
    for key, address in bound.items():
        if asked[key] != address:
            yield f"{key} changes with a restart, not with a reload: still on {address}"

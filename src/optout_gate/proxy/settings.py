"""What ``serve`` was asked for, and the listening sockets that it asks for. Plain values: they cross into workers."""

import socket
from dataclasses import dataclass, replace
from pathlib import Path

from optout_gate.policy.config import split_address
from optout_gate.policy.load import Loaded, from_upstream, load_file
from optout_gate.telemetry.logs import Form

DRAIN_S = 25  # for requests under way when the gate stops listening; Kubernetes kills after 30 unless told otherwise
DRAIN_DELAY_S = 5.0  # between "not ready" and the end of listening: until whoever sends requests has noticed


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``serve`` was asked for.

    Attributes:
        drain_delay_s: how long SIGTERM leaves the gate listening.
    """

    config: Path | None
    upstream: str | None
    listen: str | None
    admin: str | None
    workers: int = 1
    log_format: Form = "text"
    drain_delay_s: float = DRAIN_DELAY_S

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
        if self.config is not None and self.upstream is not None:
            sites = tuple(site.model_copy(update={"upstream": self.upstream}) for site in loaded.config.sites)
            changes["sites"] = sites
        return replace(loaded, config=loaded.config.model_copy(update=changes))


class AddressInUse(Exception):
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

"""Ports of loopback for programs that must be told theirs.

The system's own choice (port 0) lies in the range that outgoing connections take theirs from, so that one of those may
sit on it by the time the program listens. These lie below that range (ip(7), ``ip_local_port_range``).
"""

import contextlib
import random
import socket

_BELOW_EPHEMERAL = range(10_240, 32_000)


def free_port() -> int:
    """Return a port of loopback that nobody listens on at this moment."""
    while True:
        port = random.choice(_BELOW_EPHEMERAL)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def has_ipv6() -> bool:
    """Return whether this machine has a loopback of IPv6, which some containers have not."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False

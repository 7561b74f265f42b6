"""What systemd is told: that the gate is ready, reloads, stops, and is alive (sd_notify(3), by datagram).

Source: the protocol of ``NOTIFY_SOCKET`` in sd_notify(3) and of ``WATCHDOG_USEC`` in sd_watchdog_enabled(3). Without
those variables, so outside systemd, nothing is said. An address that begins with ``@`` is an abstract socket.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable

READY = "READY=1"
STOPPING = "STOPPING=1"
ALIVE = "WATCHDOG=1"


def tell(*lines: str) -> None:
    """Send lines to the service manager; a manager that is not there, or does not listen, is no reason to fail."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.setblocking(False)
        with contextlib.suppress(OSError):
            out.sendto("\n".join(lines).encode(), address)


def tell_reloading() -> None:
    """Say that a reload begins; ``READY`` says that it is over, with the new configuration or the old."""
    tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def watchdog_s() -> float | None:
    """Return within how many seconds the manager wants a sign of life from this process, or None."""
    usec, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not usec.isdigit() or int(usec) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 1e6


async def stay_alive(is_well: Callable[[], bool]) -> None:
    """Give signs of life as long as the event loop turns and ``is_well``; return at once when nobody asks for them."""
    interval = watchdog_s()
    if interval is None:
        return
    while True:
        if is_well():
            tell(ALIVE)
        await asyncio.sleep(interval / 2)

"""The addresses behind an origin's name: all of them are tried, and the last ones hold while no name server answers.

A name may stand for several machines, of which one is gone without a word, or for one with an IPv6 address that leads
nowhere. So the next address is tried a quarter of a second after the one before (RFC 8305), and the first that answers
is taken. A name server that does not answer is not an origin that does not: what it said last is still the best guess. That the name
does not exist is an answer.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import Any

import aiohappyeyeballs

NEXT_ADDRESS_S = 0.25  # RFC 8305 §8
LOOK_UP_S = 2.0  # for a name server while an earlier answer is known
SILENT = frozenset({socket.EAI_AGAIN, socket.EAI_FAIL})

AddressInfo = tuple[Any, Any, int, str, tuple[Any, ...]]
"""As ``getaddrinfo`` gives it."""

Ask = Callable[[str, int], Awaitable[Sequence[AddressInfo]]]

log = logging.getLogger("optout_gate.upstream")


async def _ask_system(host: str, port: int) -> Sequence[AddressInfo]:
    return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


class OriginName:
    """A host and port as they were last looked up.

    Attributes:
        is_literal: it is an address, and there is nothing to look up or to choose from.
    """

    def __init__(self, host: str, port: int, ask: Ask = _ask_system) -> None:
        self._host = host
        self._port = port
        self._ask = ask
        self._last: Sequence[AddressInfo] = ()
        self._silent = False
        self.is_literal = _is_literal(host)

    async def connect(self) -> socket.socket:
        """Return a connection to the first of the addresses that answers. Raises OSError."""
        found = list(await self._addresses())
        try:
            return await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=NEXT_ADDRESS_S)
        except RuntimeError as error:  # which uvloop raises of some addresses that cannot be reached
            raise OSError(str(error)) from error

    async def _addresses(self) -> Sequence[AddressInfo]:
        try:
            async with asyncio.timeout(LOOK_UP_S if self._last else None):
                self._last = await self._ask(self._host, self._port)
        except (socket.gaierror, TimeoutError) as error:
            if not self._last or (isinstance(error, socket.gaierror) and error.errno not in SILENT):
                raise
            if not self._silent:
                log.warning("no name server answers for %s: its last addresses are used", self._host)
            self._silent = True
        else:
            self._silent = False
        return self._last


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

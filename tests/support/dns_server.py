"""A real DNS server on loopback that answers from a table, and remembers what it was asked."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset


class DnsServer(asyncio.DatagramProtocol):
    """Answers A questions: follows CNAMEs in ``names`` to ``192.0.2.1``; NXDOMAIN for a name that is not there.

    Attributes:
        asked: the names it was asked for, in order.
        port: its UDP port.
    """

    def __init__(self, names: Mapping[str, str | None], *, lifetime_s: int = 300) -> None:
        """Take the CNAME of each name; None for one with an address of its own."""
        self.names = dict(names)
        self.asked: list[str] = []
        self.silent = False
        self.port = 0
        self._lifetime_s = lifetime_s
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        question = dns.message.from_wire(data)
        name = question.question[0].name.to_text().rstrip(".")
        self.asked.append(name)
        if self.silent:
            return
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        if name not in self.names:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        else:
            while (target := self.names.get(name)) is not None:
                answer.answer.append(dns.rrset.from_text(f"{name}.", self._lifetime_s, "IN", "CNAME", f"{target}."))
                name = target
            answer.answer.append(dns.rrset.from_text(f"{name}.", self._lifetime_s, "IN", "A", "192.0.2.1"))
        self._transport.sendto(answer.to_wire(), addr)


@asynccontextmanager
async def dns_server(names: Mapping[str, str | None]) -> AsyncIterator[DnsServer]:
    """Run a server until the block is left."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: DnsServer(names), local_addr=("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()

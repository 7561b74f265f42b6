"""Looking up, beside the requests, which subdomains of a site are a vendor's by a CNAME. Needs ``optout-gate[dns]``.

No request waits for it. A door says after each exchange that something may be due; one task at a time looks up what is,
a few hosts at once, and tells the gate.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from optout_gate.gate import Gate
from optout_gate.policy.config import split_address

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

AT_ONCE = 8  # hosts
TIMEOUT_S = 3.0  # for one host, whatever number of resolvers is asked
MAX_NAMES = 8  # of a chain of CNAMEs; resolvers follow some 10

log = logging.getLogger("optout_gate.dns")


class Uncloaking:
    """The look-ups of one process."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    def look_up(self, gate: Gate) -> None:
        """Look up what is due, unless that is being done already. Returns at once."""
        if gate.cloaks is not None and gate.cloaks.is_due and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(_look_up(gate))

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


async def _look_up(gate: Gate) -> None:
    from dns.exception import DNSException

    assert gate.cloaks is not None
    try:
        resolver = _resolver(gate.config.dns.resolvers)
    except DNSException as error:
        log.warning("subdomains of the site cannot be looked up: %s", error)
        resolver = None
    turns = asyncio.Semaphore(AT_ONCE)
    await asyncio.gather(*(_one(gate, resolver, host, turns) for host in gate.cloaks.due()))


async def _one(gate: Gate, resolver: "Resolver | None", host: str, turns: asyncio.Semaphore) -> None:
    from dns.exception import DNSException
    from dns.resolver import NXDOMAIN

    assert gate.cloaks is not None
    async with turns:
        try:
            if resolver is None:
                gate.cloaks.missed(host)
                return
            answer = await resolver.resolve(host, "A", raise_on_no_answer=False, search=False)
        except NXDOMAIN:
            gate.learn(host, (), 0)
        except (DNSException, OSError, UnicodeError) as error:
            log.info("no answer about %s: %s", host, error)
            gate.cloaks.missed(host)
        else:
            found = answer.chaining_result
            chain = [str(each.target).rstrip(".").lower() for cname in found.cnames for each in cname]
            gate.learn(host, chain[:MAX_NAMES], found.minimum_ttl)


def _resolver(addresses: Sequence[str]) -> "Resolver":
    """Return a resolver that asks ``addresses``, by default those of the system.

    Raises:
        DNSException: the system names none.
    """
    from dns.asyncresolver import Resolver
    from dns.nameserver import Do53Nameserver

    resolver = Resolver(configure=not addresses)
    if addresses:
        resolver.nameservers = [Do53Nameserver(*split_address(address)) for address in addresses]
    resolver.lifetime = TIMEOUT_S
    return resolver

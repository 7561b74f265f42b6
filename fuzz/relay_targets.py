"""Whatever clients and origins send each other through the proxy, and whenever they go: both ways through it do the same.

One script of bytes and events is played three times before the same gate: by the long way alone, by the short way, and by
the short way once more with the heads known that the second time left behind. What every client got, what every origin got
and what was counted must be equal; where each message begins and ends is judged by two parsers that are not the gate's
(:mod:`relay_judges`); and after it all there is nothing left under way, and somebody else is answered.

A script is bytes as they are, with these among them, which no UTF-8 has:

========  =====================================================================================
``FIRST``   what follows is said by the first client, over a new connection when it has none
``SECOND``  the same of another client
``ORIGIN``  what follows is said by the origin, over the connection that was asked last
``OTHER``   the same over the connection that was asked before that one
``CUT``     what was said so far comes by itself
``CRUMBS``  what follows comes in pieces of seven bytes
``MUCH``    stands for 40,000 bytes
``TICK``    a second goes by
``STOP``    who speaks reads nothing from now on, or reads again
``END``     who speaks ends what it says
``RESET``   who speaks is gone
========  =====================================================================================
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from optout_gate.proxy import upstream_parser
from optout_gate.proxy.protocol import GateProtocol, gate_protocol
from optout_gate.rewrite.memory import Memory
from optout_gate.rewrite.repeats import Repeats
from relay_world import LOOP, Played, World, gate
from wires import Wire

FIRST, SECOND, ORIGIN, OTHER, CUT, CRUMBS, MUCH, TICK, STOP, END, RESET = (
    bytes((each,)) for each in range(0xF5, 0x100)
)
_EVENT = re.compile(rb"([\xf5-\xfa\xfc-\xff])")
_SPEAKERS = (FIRST, SECOND, ORIGIN, OTHER)
MUCH_BYTES = 40_000
MOST_MUCHES = 12  # in one script
LONGEST = 2048


class Script:
    """A script being played in one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._speaking: dict[bytes, Wire] = {}

    def _speaker(self, who: bytes) -> Wire | None:
        if who in (ORIGIN, OTHER):
            asked = self._world.noted.open_origins()
            return asked[-1 if who == ORIGIN else -2] if len(asked) > (who == OTHER) else None
        wire = self._speaking.get(who)
        if wire is None or wire.is_closing() or wire.left:
            wire = self._speaking[who] = self._world.connect()
        return wire

    async def play(self, script: bytes) -> None:
        """Play it."""
        wire: Wire | None = self._speaker(FIRST)
        crumbs, muches = False, MOST_MUCHES
        for part in _EVENT.split(script):
            if part in _SPEAKERS:
                wire, crumbs = self._speaker(part), False
            elif part == CRUMBS:
                crumbs = True
            elif part == TICK:
                await LOOP.pass_by(1)
            elif wire is None or part in (b"", CUT):
                continue
            elif part == STOP:
                wire.read(not wire.reads)
            elif part == END:
                wire.end()
            elif part == RESET:
                wire.reset()
            else:
                pieces, muches = part.split(MUCH, muches), muches - min(muches, part.count(MUCH))
                data = (b"m" * MUCH_BYTES).join(pieces)
                size = 7 if crumbs and len(data) <= LONGEST else len(data)
                for start in range(0, len(data), size):
                    self._world.noted.say(wire, data[start : start + size])
                    await LOOP.settle()
            await LOOP.settle()


async def _played(script: bytes, protocol: type[GateProtocol], *, short: bool) -> Played:
    world = World(protocol, short=short)
    try:
        await world.warm_up()
        await Script(world).play(script)
        return await world.ended()
    except BaseException:
        await world.leave()  # the next script is another matter
        raise


class _Mistakes(logging.Handler):
    """Keeps what is logged as a mistake."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        LOOP.mistakes.append(logging.Formatter().format(record))


@contextmanager
def _none_logged() -> Iterator[None]:
    mistakes = _Mistakes(logging.ERROR)
    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "optout_gate.proxy")]
    before = [(each.level, each.propagate) for each in loggers]
    LOOP.mistakes.clear()
    for each in loggers:
        each.setLevel(logging.ERROR)
        each.propagate = False
        each.addHandler(mistakes)
    try:
        yield
    finally:
        for each, (level, propagate) in zip(loggers, before, strict=True):
            each.removeHandler(mistakes)
            each.setLevel(level)
            each.propagate = propagate
    assert not LOOP.mistakes, "\n".join(LOOP.mistakes)


def ways(script: bytes) -> dict[str, Played]:
    """Return what comes of a script the long way, and the short way with heads that are ``new`` and ``known``."""
    upstream_parser._KNOWN.clear()
    gate().memory, gate().repeats = Memory(), Repeats()  # so that nothing depends on the scripts before
    limits = gate().config.limits.client
    long, short = gate_protocol(limits), gate_protocol(limits)
    with _none_logged():
        return {
            "long": LOOP.run_until_complete(_played(script, long, short=False)),
            "new": LOOP.run_until_complete(_played(script, short, short=True)),
            "known": LOOP.run_until_complete(_played(script, short, short=True)),
        }


def _difference(one: Played, other: Played) -> Iterator[str]:
    for name in Played._fields:
        left: Any = getattr(one, name)
        right: Any = getattr(other, name)
        if left != right:
            if isinstance(left, dict):
                left, right = set(left.items()) - set(right.items()), set(right.items()) - set(left.items())
            yield f"{name}: {left!r} and {right!r}"


def relay(data: bytes) -> None:
    """Play a script every way."""
    played = ways(data[:LONGEST])
    for heads in ("new", "known"):
        told = "\n".join(_difference(played["long"], played[heads]))
        assert not told, f"the long way and the short one, with {heads} heads, differ in\n{told}"

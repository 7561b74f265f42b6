"""Which signals count, and for what.

Signals speak of *uses* of the visitor's data (sale, sharing, targeted advertising, analytics, session replay), vendors
have *purposes* (advertising, social, …). :data:`FOLLOWS` leads from one to the other. A policy says how far it goes
along with each signal: as far as the signal says, all the way, not at all, or to purposes that it lists.

``honor`` in the configuration is a list of names, or a mapping of names to one of these words. A name is a signal's kind
or a family's; where several speak of one signal, the narrowest holds.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, TypeAdapter

from optout_gate.documents import did_you_mean
from optout_gate.policy.parts import DeniablePurpose
from optout_gate.signals.formats import FORMATS, UNREAD
from optout_gate.signals.kinds import DNT, FAMILIES, WHOLESALE, kinds_of
from optout_gate.signals.reading import Signal
from optout_gate.trackers.purposes import Purpose

_SALE = frozenset({Purpose.ADVERTISING, Purpose.SOCIAL, Purpose.PERSONALIZATION, Purpose.TAG_MANAGEMENT})

FOLLOWS: Mapping[str, frozenset[Purpose]] = {
    # Who is given the data for money, for their own ends, or to advertise elsewhere. A platform's profile of a visitor
    # is built across sites, and a tag manager's whole work is to load the others.
    "sale": _SALE,
    "sharing": _SALE,
    "targeted_advertising": _SALE,
    "analytics": frozenset({Purpose.ANALYTICS}),
    "session_replay": frozenset({Purpose.SESSION_REPLAY}),
}
"""The purposes that are refused with a use."""


class Reach(StrEnum):
    """How far a policy goes along with a signal."""

    AS_SAID = "as_said"  # the purposes of the uses that it refuses; everything for one that names none, as GPC
    EVERYTHING = "everything"  # whatever it refuses, all that the policy denies
    NOTHING = "nothing"  # it is read and counted, and changes nothing


def _signal_word(value: str) -> str:
    if not kinds_of(value):
        families = ", ".join(sorted(FAMILIES))
        hint = did_you_mean(value, [*WHOLESALE, *FAMILIES]) or did_you_mean(value, FORMATS)
        raise ValueError(
            f"there is no signal {value!r}; expected gpc, cookie, account, dnt, {families} or a format's id{hint}"
        )
    return value


SignalWord = Annotated[str, AfterValidator(_signal_word)]
"""A signal's kind or a family's name."""

_WORDS: TypeAdapter[tuple[str, ...]] = TypeAdapter(tuple[SignalWord, ...])
_PURPOSES: TypeAdapter[tuple[Purpose, ...]] = TypeAdapter(tuple[DeniablePurpose, ...])
_REACH: TypeAdapter[Reach] = TypeAdapter(Reach)


def _reach(value: Any) -> Any:
    """Return a reach or purposes; tried one at a time, so that a mistake is told once and in its place."""
    return _PURPOSES.validate_python(value) if isinstance(value, list | tuple) else _REACH.validate_python(value)


def _by_word(value: Any) -> Any:
    """Return a mapping for a list of names too."""
    return dict.fromkeys(_WORDS.validate_python(value), Reach.AS_SAID) if isinstance(value, list | tuple) else value


EVERY_SIGNAL: Mapping[str, Reach | tuple[Purpose, ...]] = {"all": Reach.AS_SAID}
"""What a policy honours that says nothing else: all signals, each for what it says."""

HonorFor = Annotated[Reach | tuple[DeniablePurpose, ...], BeforeValidator(_reach)]
Honor = Annotated[
    dict[SignalWord, HonorFor],
    BeforeValidator(_by_word, json_schema_input_type=tuple[SignalWord, ...] | dict[SignalWord, HonorFor]),
]


class Honoured:
    """What follows from each signal under one policy; worked out once.

    ``sold`` is what the site's own notice says is sold or shared: who refuses sale or sharing refuses all of that.
    """

    def __init__(
        self,
        honor: Mapping[str, Reach | tuple[Purpose, ...]],
        denied: frozenset[Purpose],
        sold: frozenset[Purpose] = frozenset(),
    ) -> None:
        self._denied = denied
        self._follows = {**FOLLOWS, **{use: FOLLOWS[use] | sold for use in ("sale", "sharing")}}
        self._reach: dict[str, Reach | tuple[Purpose, ...]] = {}
        self._purposes: dict[tuple[str, frozenset[str]], frozenset[Purpose]] = {}  # kinds by sets of five uses: bounded
        for word in sorted(honor, key=lambda word: -len(kinds_of(word))):  # the narrowest last
            self._reach |= dict.fromkeys(kinds_of(word), honor[word])
        # What was not read for its size may have been any consent cookie: it counts where one of them does.
        if any(self._counts(format_) for format_ in FORMATS):
            self._reach[UNREAD] = Reach.AS_SAID

    def counts(self, signal: Signal) -> bool:
        """Return True when the policy acts on ``signal``."""
        return self._counts(signal.kind) and (signal.is_do_not_sell or bool(self.purposes(signal)))

    def purposes(self, signal: Signal) -> frozenset[Purpose]:
        """Return the purposes that are denied on the word of ``signal``."""
        key = (signal.kind, signal.refuses)
        found = self._purposes.get(key)
        if found is None:
            found = self._purposes[key] = self._denied & self._asked(signal)
        return found

    def _asked(self, signal: Signal) -> frozenset[Purpose]:
        reach = self._reach.get(signal.kind, Reach.NOTHING)
        if reach is Reach.NOTHING:
            return frozenset()
        if isinstance(reach, tuple):
            return frozenset(reach)
        if reach is Reach.EVERYTHING or signal.kind in WHOLESALE:
            return self._denied
        return frozenset(purpose for use in signal.refuses for purpose in self._follows[use])

    def why_not(self, kind: str) -> str:
        """Return why a signal of ``kind`` changes nothing, in words."""
        if kind == DNT and kind not in self._reach:
            return "Do Not Track is not honoured"
        return "the policy does not honour it" if not self._counts(kind) else "nothing that the policy denies"

    def _counts(self, kind: str) -> bool:
        reach = self._reach.get(kind, Reach.NOTHING)
        return reach is not Reach.NOTHING and reach != ()

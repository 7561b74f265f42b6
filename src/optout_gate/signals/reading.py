"""Everything a request says about its visitor's choice, gathered."""

from collections.abc import Iterator
from dataclasses import dataclass

from optout_gate.http import Headers
from optout_gate.signals.dnt import read_dnt
from optout_gate.signals.gpc import Gpc, read_gpc
from optout_gate.signals.opt_out_cookie import Choice, read_opt_out_cookie


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing the visitor's browser said.

    Attributes:
        kind: ``gpc``, ``cookie`` or ``dnt``: the word that a policy's ``honor`` lists.
        words: the signal in words, for people; never holds an identifier.
    """

    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a request says.

    Attributes:
        gpc: the state of ``Sec-GPC``.
        cookie: the gate's own first-party cookie.
        dnt: True when ``DNT: 1`` was sent.
    """

    gpc: Gpc
    cookie: Choice
    dnt: bool

    def opt_outs(self) -> Iterator[Signal]:
        """Yield every signal that asks for an opt-out, the strongest first, whether or not it is honoured."""
        if self.gpc is Gpc.SET:
            yield Signal("gpc", "Sec-GPC: 1")
        elif self.gpc is Gpc.FOLDED:
            yield Signal("gpc", "Sec-GPC with 1 among folded values")
        if self.cookie is Choice.OUT:
            yield Signal("cookie", "the opt-out cookie")
        if self.dnt:
            yield Signal("dnt", "DNT: 1")


def read(headers: Headers, *, cookie_name: str) -> Reading:
    """Return what a request's header lines say. Never raises; a malformed signal is no signal."""
    return Reading(read_gpc(headers), read_opt_out_cookie(headers, cookie_name), read_dnt(headers))

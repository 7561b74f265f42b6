"""Everything a request says about its visitor's choice, gathered.

Most requests carry no consent cookie, and they must cost next to nothing: names are looked at first, and a value is
read only behind a name that some format claims.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from optout_gate.http import Headers
from optout_gate.signals import kinds, onetrust
from optout_gate.signals.dnt import read_dnt
from optout_gate.signals.formats import CookieReading, contradictions, names_any, read_cookies
from optout_gate.signals.gpc import Gpc, read_gpc
from optout_gate.signals.opt_out_cookie import NOT_THERE, Choice, OwnCookie, read_own_cookie
from optout_gate.signals.statement import ADVERTISING_USES, USES, Answer, Statement

EVERY_USE = frozenset(USES)
_ADVERTISING = frozenset(ADVERTISING_USES)
_REFUSAL = Statement.advertising(Answer.OUT, "")
_CONSENT = Statement.advertising(Answer.IN, "")


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing the visitor's browser or account said.

    Attributes:
        kind: ``gpc``, ``cookie``, ``account``, ``dnt`` or a format's id: what a policy's ``honor`` names.
        words: the signal in words, for people; never holds an identifier.
        refuses: the uses that it refuses, of :data:`~optout_gate.signals.statement.USES`.
    """

    kind: str
    words: str
    refuses: frozenset[str] = EVERY_USE

    @property
    def is_do_not_sell(self) -> bool:
        """True when it refuses sale, sharing or targeted advertising, and not only measurement."""
        return not self.refuses.isdisjoint(_ADVERTISING)


_GPC = Signal(kinds.GPC, "Sec-GPC: 1")
_FOLDED = Signal(kinds.GPC, "Sec-GPC with 1 among folded values")
_COOKIE = Signal(kinds.COOKIE, "the opt-out cookie")
_DNT = Signal(kinds.DNT, "DNT: 1")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a request says.

    Attributes:
        gpc: the state of ``Sec-GPC``.
        own: the gate's own first-party cookie.
        dnt: True when ``DNT: 1`` was sent.
        cookies: what each consent cookie says, in wire order; silent ones too.
    """

    gpc: Gpc
    own: OwnCookie = NOT_THERE
    dnt: bool = False
    cookies: tuple[CookieReading, ...] = ()

    @property
    def cookie(self) -> Choice:
        """The choice in the gate's own cookie."""
        return self.own.choice

    @property
    def gpc_sent(self) -> bool:
        """True when the browser sent the signal, also one that was damaged on the way."""
        return self.gpc is Gpc.SET or self.gpc is Gpc.FOLDED

    @property
    def silent(self) -> bool:
        """True when nothing was said that this module knows."""
        return self is _SILENT

    def opt_outs(self) -> Iterator[Signal]:
        """Yield every signal that refuses something, the strongest first, whether or not it is honoured."""
        if self.gpc is Gpc.SET:
            yield _GPC
        elif self.gpc is Gpc.FOLDED:
            yield _FOLDED
        if self.own.choice is Choice.OUT:
            yield _COOKIE
        for each in self.cookies:
            refused = frozenset(use for use in USES if getattr(each.statement, use) is Answer.OUT)
            if refused:
                yield Signal(each.format, each.statement.evidence, refused)
        if self.dnt:
            yield _DNT

    def contradictions(self) -> list[tuple[str, str]]:
        """Return the pairs of kinds of which one refuses a use that the other allows, each once, in order.

        The ids are of a closed set, so that they may label a metric.
        """
        if not self.cookies and self.own.choice is Choice.NONE:
            return []
        said = [(each.format, each.statement) for each in self.cookies]
        if self.gpc_sent:
            said.append((kinds.GPC, _REFUSAL))
        if self.own.choice is not Choice.NONE:
            said.append((kinds.COOKIE, _REFUSAL if self.own.choice is Choice.OUT else _CONSENT))
        return contradictions(said)


_SILENT = Reading(Gpc.ABSENT)


def read(
    headers: Headers, *, cookie_name: str, onetrust_groups: Mapping[str, tuple[str, ...]] = onetrust.GROUPS
) -> Reading:
    """Return what a request's header lines say. Never raises; a malformed signal is no signal.

    ``onetrust_groups`` is what the site's own OneTrust categories mean.
    """
    gpc, dnt = read_gpc(headers), read_dnt(headers)
    if b"cookie" not in headers:
        return _SILENT if gpc is Gpc.ABSENT and not dnt else Reading(gpc, NOT_THERE, dnt)
    lines = headers.values(b"cookie")
    cookies = tuple(read_cookies(lines, onetrust_groups)) if any(map(names_any, lines)) else ()
    own = read_own_cookie(lines, cookie_name)
    if gpc is Gpc.ABSENT and own is NOT_THERE and not (dnt or cookies):
        return _SILENT
    return Reading(gpc, own, dnt, cookies)

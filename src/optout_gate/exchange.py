"""One request and its response, as the gate sees them: what was said, what follows, and what becomes of the answer.

Made by :meth:`optout_gate.gate.Gate.open`. Everything here is about one visit; what is the same for all stands in the
gate, what is done to bytes in :mod:`optout_gate.rewrite`. The request is judged at once, here; what becomes of the response
is worked out when there is one (:mod:`optout_gate.responding`).
"""

from typing import TYPE_CHECKING, Protocol

from optout_gate.errors import RewriteError
from optout_gate.http import Headers, Pair, Request, Response
from optout_gate.measured import Measured
from optout_gate.policy.decision import Decision
from optout_gate.report import NOTHING, OUTCOME_FIELD, Outcome, Report
from optout_gate.responding import Responding, passed_on
from optout_gate.rewrite import coherence, outgoing, request_head
from optout_gate.rewrite.beacons import Beacon, beacon
from optout_gate.rewrite.passage import Passage
from optout_gate.rewrite.refusals import NOT_SHOWN
from optout_gate.rewrite.removals import Removals
from optout_gate.signals.kinds import ACCOUNT
from optout_gate.signals.reading import Reading, Signal
from optout_gate.site import Site

if TYPE_CHECKING:
    from optout_gate.gate import Gate

_OUTCOME = OUTCOME_FIELD.lower()
UNTOLD = Signal(ACCOUNT, "whether the account has opted out cannot be told")


class ToldBefore(Protocol):
    """Remembers what origins are told in a request's fields, by the decision: the same at every address on a site."""

    def get(self, decision: Decision) -> Headers | None:
        """Return the fields, or None where they have to be worked out."""
        ...

    def keep(self, decision: Decision, headers: Headers) -> None:
        """Remember the fields."""
        ...


class Exchange:
    """The gate's view of one request and its response.

    Attributes:
        beacon: where the request may be one to a denied vendor through the site's own host: its answer, or what the
            door has to read to know. None for nearly every request.
    """

    beacon: Beacon | None = None

    def __init__(
        self,
        gate: "Gate",
        site: Site,
        request: Request,
        known: Signal | None = None,
        *,
        untold: bool = False,
        reading: Reading | None = None,
        told: ToldBefore | None = None,
    ) -> None:
        begun = gate.clock()
        self._gate = gate
        self.site = site
        self.visitor = request
        if reading is None:
            reading = gate.read(request, site)
        self.decision = site.policy.decide(site.config.mode, reading, request.path, known)
        self._presumed = False
        if untold and not self.decision.opted_out:
            self.decision = site.policy.decide(site.config.mode, reading, request.path, UNTOLD)
            self._presumed = self.decision.enforced
        self.request = request
        if self.decision.enforced:
            headers = told.get(self.decision) if told is not None else None
            if headers is None:
                headers = self._toward_origin(reading)
                if told is not None:
                    told.keep(self.decision, headers)
            self.request = request._replace(headers=headers)
        opted_out = self.decision.opted_out
        self.report = Report(
            site.name,
            self.decision,
            reading,
            () if reading.silent else reading.contradictions(),
            removals=Removals() if opted_out else NOTHING,
        )
        if opted_out:
            self.report.begin()
            self._look_at_what_goes_out()
        self._spend(begun)

    def _look_at_what_goes_out(self) -> None:
        catalog, visitor = self._gate.catalog, self.visitor
        if not (outgoing.may_hold_something(visitor) or catalog.endpoints.on(visitor.path)):
            return
        removals = self.report.outgoing = Removals()
        request = outgoing.cleaned(self.visitor, self.request.headers, self.decision, catalog, removals)
        if self.decision.enforced:
            self.request = request
        self.beacon = beacon(self.visitor, self.decision, catalog, removals)
        self.report.note()

    def read(self, body: bytes, *, is_whole: bool = True) -> None:
        """Take the body of a request whose :attr:`beacon` wants it, or the beginning of a long one."""
        assert self.beacon is not None
        self.beacon.read(body, is_whole=is_whole)
        self.report.note()

    def _toward_origin(self, reading: Reading) -> Headers:
        headers = request_head.toward_origin(
            self.visitor, self.decision, self._gate.policy_hash, presumed=self._presumed
        )
        wording = self.site.wording
        if (reading.cookies or wording.absent) and self.decision.do_not_sell and not self._presumed:
            headers = coherence.toward_origin(headers, wording)
        return headers

    def respond(self, response: Response) -> Passage:
        """Return the head to send on and what to put the body through."""
        begun = self._gate.clock()
        if not self.decision.opted_out:
            passage = passed_on(self, response)
            self._spend(begun)
            return passage
        responding = self._responding()
        passage = responding.passage(response)
        self._spend(begun)
        if not passage.untouched:
            return Measured(passage, self, response.headers, responding.etag, self._gate.clock)
        passage.head = self.marked(passage.head)
        return passage

    def early(self, headers: Headers) -> list[bytes]:
        """Return the ``Link`` values of a 103 response (RFC 8297) that may go ahead of the response itself."""
        return self._responding().early(headers) if self.decision.enforced else headers.values(b"link")

    def _responding(self) -> Responding:
        return Responding(self._gate, self, presumed=self._presumed)

    def marked(self, response: Response, *further: Pair, is_over: bool = True) -> Response:
        """Return a response with ``further`` lines and ``Optout-Gate``: what became of it, for whom opted out.

        Doors call it for answers of their own; ``is_over`` is False for a head that leaves before its body is through.
        """
        headers = response.headers
        if self.decision.enforced and self.site.config.outcome_header:
            if _OUTCOME in headers:  # of a gate before this one
                headers = headers.without((_OUTCOME,))
            further += ((OUTCOME_FIELD, self.report.field(self._gate.policy_hash, is_over=is_over)),)
        return Response(response.status, headers.plus(*further), response.body) if further else response

    def cut(self, error: RewriteError) -> Response:
        """Say that the body could not go on; return what the door answers, unless a part of it has left.

        Then the door cuts the connection, so that the visitor's browser sees that a part is missing.
        """
        self.report.fail(error)
        self.report.outcome = Outcome.BLOCKED
        return self.marked(NOT_SHOWN)

    def _spend(self, begun: float) -> None:
        self.report.gate_seconds += self._gate.clock() - begun

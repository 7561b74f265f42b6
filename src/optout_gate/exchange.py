"""One request and its response, as the gate sees them: what was said, what follows, and what becomes of the answer.

Made by :meth:`optout_gate.gate.Gate.open`. Everything here is about one visit; what is the same for all stands in the
gate, what is done to bytes in :mod:`optout_gate.rewrite`.
"""

from collections import Counter
from typing import TYPE_CHECKING

from optout_gate.errors import Failure, RewriteError
from optout_gate.http import Headers, Pair, Request, Response, media_type
from optout_gate.measured import Measured
from optout_gate.policy.config import Mode
from optout_gate.policy.config_failures import Instead
from optout_gate.policy.decision import Decision
from optout_gate.report import NOTHING, OUTCOME_FIELD, Outcome, Report
from optout_gate.rewrite import answers, coherence, csp, outgoing, repeats, request_head, response_head, validators
from optout_gate.rewrite.beacons import Beacon, beacon
from optout_gate.rewrite.charset import Bytes, Charset, charset_for
from optout_gate.rewrite.codings import Coding, coding_of
from optout_gate.rewrite.css import CssRewriter
from optout_gate.rewrite.guard_rules import GUARD_PATH
from optout_gate.rewrite.html import HtmlRewriter
from optout_gate.rewrite.inject import Injected, encoding_is_known, may_be_guarded, modules_in
from optout_gate.rewrite.instructions import RULES, Instructions
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.library import LibraryPassage
from optout_gate.rewrite.passage import (
    BlockedPassage,
    MakeRewriter,
    ObservedPassage,
    Passage,
    Pipeline,
    Rewriter,
    RewrittenPassage,
    mistake,
)
from optout_gate.rewrite.redirects import kept_home
from optout_gate.rewrite.refusals import NOT_SHOWN, NOT_WHOLE, forbids_transforming, instead_of, refusal
from optout_gate.rewrite.removals import Mark, Removals
from optout_gate.rewrite.status import Status
from optout_gate.rewrite.whole import TextBody
from optout_gate.rewrite.workers import JAVASCRIPT, GuardedWorker
from optout_gate.signals.kinds import ACCOUNT
from optout_gate.signals.reading import Reading, Signal
from optout_gate.site import Site

if TYPE_CHECKING:
    from optout_gate.gate import Gate

MOST_TOLD = 4  # decisions for one request head: paths on which more is denied for everyone
HTML = "text/html"
CSS = "text/css"
_SNIFFED = frozenset({"", "*/*", "unknown/unknown", "application/unknown"})
"""Types that browsers look into the body for (MIME Sniffing §7), and may find HTML."""
_XML = frozenset({"application/xhtml+xml"})
"""Pages that a browser reads by the rules of XML."""


_BESIDE = frozenset({CSS, RULES})
"""What a page names, and the browser acts upon, without a script."""
_PAGE_VARIES = (b"Sec-GPC",)
_WORKER_VARIES = (b"Sec-GPC", b"Sec-Fetch-Dest", b"Service-Worker")
"""What tells a worker's script from the same file loaded by a page."""
_OUTCOME = OUTCOME_FIELD.lower()
UNTOLD = Signal(ACCOUNT, "whether the account has opted out cannot be told")
_REMEMBERED = frozenset({HTML, CSS, *_XML})
_NO_PAGE = frozenset({204, 205, *range(300, 400)})
"""Statuses with which no page is shown; one that tells of an error is a page like any other."""


class Told:
    """What origins are told in a request's fields, by the decision: the same at every address on a site."""

    __slots__ = ("_by_decision",)

    def __init__(self) -> None:
        self._by_decision: dict[int, tuple[Decision, Headers]] = {}

    def get(self, decision: Decision) -> Headers | None:
        """Return the fields, or None where they have to be worked out."""
        found = self._by_decision.get(id(decision))  # a policy decides alike with one value
        return found[1] if found is not None else None

    def keep(self, decision: Decision, headers: Headers) -> None:
        """Remember the fields."""
        if len(self._by_decision) < MOST_TOLD:
            self._by_decision[id(decision)] = decision, headers


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
        told: "Told | None" = None,
    ) -> None:
        begun = gate.clock()
        self._gate = gate
        self.site = site
        self.visitor = request
        if reading is None:
            reading = gate.read(request, site)
        self.decision = site.policy.decide(site.config.mode, reading, request.path, known)
        self._presumed = False
        self._before_body: Mark | None = None
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
        self.note()

    def read(self, body: bytes, *, is_whole: bool = True) -> None:
        """Take the body of a request whose :attr:`beacon` wants it, or the beginning of a long one."""
        assert self.beacon is not None
        self.beacon.read(body, is_whole=is_whole)
        self.note()

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
        passage = self._remembered(response) or self._worked_out(response)
        self._spend(begun)
        if not passage.untouched:
            return Measured(passage, self, response.headers, self._gate.clock)
        passage.head = self.marked(passage.head)
        return passage

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

    def _worked_out(self, response: Response, *, whole: bool = False) -> Passage:
        """Return what the response goes through; ``whole`` says that head and body are remembered as one already."""
        try:
            return self._passage(response, whole=whole)
        except Exception as error:  # a mistake of the gate's own; what it would have done to this response is not known
            return self._given_up(response, error)

    def _given_up(self, response: Response, error: Exception) -> Passage:
        if not self.decision.enforced:
            self._failed(RewriteError(Failure.REWRITER, mistake(error)))
            return Passage(response)
        return BlockedPassage(response, RewriteError(Failure.REWRITER, mistake(error)))

    def early(self, headers: Headers) -> list[bytes]:
        """Return the ``Link`` values of a 103 response (RFC 8297) that may go ahead of the response itself."""
        if self.decision.enforced:
            headers = response_head.enforced(headers, self._judge(headers), self.visitor)
        return headers.values(b"link")

    def _judge(self, headers: Headers) -> Judge:
        return Judge(
            self.decision,
            self._gate.catalog,
            self._gate.filter_lists,
            page_url=self.visitor.url,
            notes=self.report.removals,
            memory=self._gate.memory,
            own_hosts=self.site.hosts,
            inline_allowed=response_head.allows_inline(headers),
            cloaks=self._gate.cloaks,
        )

    def _remembered(self, response: Response) -> Passage | None:
        """Return what looks the answer up first, or None for one that cannot be the same for the next visitor."""
        if not self.decision.enforced or self.site.wording.absent:  # strings that are made where none stand have a date
            return None
        if media_type(response.headers).essence not in _REMEMBERED:
            return None
        if not answers.may_come_again(self.visitor, response):
            return None
        self.report.no_transform = forbids_transforming(response.headers)
        key = answers.key_of(self.decision, self.visitor, response)
        wait_bytes = self._wait_for(response)
        return answers.RepeatedAnswer(
            response, self._made_whole, self._gate.repeats, key=key, wait_bytes=wait_bytes, report=self.report
        )

    def _wait_for(self, response: Response) -> int:
        return repeats.wait_for(response.headers, self._gate.limits.held_bytes)

    def _made_whole(self, response: Response) -> Passage:
        return self._worked_out(response, whole=True)

    def _passage(self, response: Response, *, whole: bool) -> Passage:
        mode = self.site.config.mode
        kind = media_type(response.headers)
        essence = kind.essence
        headers = response.headers
        as_it_says = b"nosniff" in headers.members(b"x-content-type-options")
        if essence != CSS and not as_it_says and request_head.is_for_a_sheet(self.visitor):
            essence = CSS  # a page in quirks mode takes any type for one (HTML §4.6.7.26)
        is_page = essence == HTML or essence in _XML
        is_page = is_page or (_is_xml(essence) and request_head.is_shown(self.visitor))
        sniffed = essence in _SNIFFED and not as_it_says
        sniffed = sniffed and request_head.may_be_rewritten(self.visitor)  # also a 304, which has no type of its own
        is_script = essence in JAVASCRIPT
        is_worker = is_script and request_head.is_for_worker(self.visitor)
        may_be_library = is_script and not is_worker
        if (is_page or is_script or sniffed or essence in _BESIDE) and mode is Mode.ENFORCE:
            headers = response_head.varying(headers, fields=_WORKER_VARIES if is_worker else _PAGE_VARIES)
        if not self.decision.opted_out:
            if is_page and self.site.policy.overridden(self.report.reading):
                # The signal is there, and a cookie alone tells why it has no effect.
                headers = response_head.private(headers)
            return Passage(Response(response.status, headers))
        if response.status == 304 and self.decision.enforced and request_head.may_be_rewritten(self.visitor):
            return self._not_modified(headers)
        judge = self._judge(headers)
        self.report.allowed = judge.allowed
        if mode is Mode.OBSERVE:
            self.report.outcome = Outcome.OBSERVED
            kept_home(response, judge, self.visitor)
            response_head.enforced(headers, judge, self.visitor, page=is_page)
            is_worker = False
        else:
            response = kept_home(Response(response.status, headers), judge, self.visitor)
            headers = response_head.enforced(response.headers, judge, self.visitor, page=is_page and not self._presumed)
            if self.decision.needs_cookies and (is_page or is_worker or essence in _BESIDE):
                headers = response_head.private(headers)
            if self.decision.do_not_sell and not self._presumed:
                headers = self._told_the_browser(headers, response.status, is_page=is_page)
            self.note()
        if may_be_library:
            return self._script(Response(response.status, headers), judge)
        sealed = (
            essence in NOT_WHOLE
            and request_head.may_be_rewritten(self.visitor)
            and b"range" not in self.request.headers  # a player's, of what is no page
        )
        if not (is_page or is_worker or sniffed or sealed or essence in _BESIDE):
            return Passage(Response(response.status, headers))
        if self.visitor.method == "HEAD" or response.status in (204, 205, 304) or response.status < 200:
            if mode is Mode.ENFORCE:
                headers = headers.without(response_head.REWRITTEN_BODY).plus(*self.etag(response.headers))
            return Passage(Response(response.status, headers))
        rewritten = self._rewritten(Response(response.status, headers), essence, kind.charset, judge)
        if whole or not (
            isinstance(rewritten, RewrittenPassage) and repeats.may_be_stored(self.visitor, response.headers)
        ):
            return rewritten
        return repeats.RepeatedPassage(
            rewritten,
            self._gate.repeats,
            judge,
            key=repeats.key_of(self.decision, self.visitor, Response(response.status, headers)),
            wait_bytes=self._wait_for(response),
            report=self.report,
        )

    def _script(self, response: Response, judge: Judge) -> Passage:
        """Return what a script of the site's own host is put through: it may be a vendor's library."""
        coding = coding_of(response.headers.members(b"content-encoding"))
        if response.status != 200 or self.visitor.method != "GET" or coding is None:
            return Passage(response)
        name = self.visitor.path.rpartition("/")[2]
        catalog, removals = self._gate.catalog, self.report.removals
        return LibraryPassage(response, name, coding, self.decision, catalog, removals, judge)

    def _told_the_browser(self, headers: Headers, status: int, *, is_page: bool) -> Headers:
        """Return a response's headers with cookies that agree with the opt-out, and on a page those that keep it."""
        site, reading, secure = self.site, self.report.reading, self.visitor.scheme == "https"
        headers = coherence.toward_browser(headers, site.wording)
        if not is_page or status in _NO_PAGE or not request_head.is_for_a_document(self.visitor):
            return headers
        lines = coherence.remembering(self.decision, reading, self._gate.config.cookie, secure=secure)
        if lines and secure and b"cookie" in self.visitor.headers:
            # Once: the next request brings the cookie. A browser that brings none may keep none, and would clear for ever.
            lines.append(response_head.FORGET_PAGES)
        if reading.cookies or site.wording.absent:
            lines += coherence.standing(
                self.visitor.headers, headers, site.wording, host=self.visitor.host, secure=secure
            )
        return response_head.private(headers.plus(*lines)) if lines else headers

    def _rewritten(self, response: Response, essence: str, label: str | None, judge: Judge) -> Passage:
        observing = self.site.config.mode is Mode.OBSERVE
        self._before_body = self.report.removals.mark() if self.report.removals else None
        coding = coding_of(response.headers.members(b"content-encoding"))
        self.report.no_transform = forbids_transforming(response.headers)
        refused = refusal(response, essence, coding, self.site.config)
        if self._presumed:
            refused = RewriteError(Failure.CHOICE_STORE, "whether this consumer has opted out cannot be told")
        if refused is not None or coding is None:
            assert refused is not None
            return self._unbegun(response, refused)

        headers = response.headers.without(response_head.REWRITTEN_BODY)
        head = Response(response.status, response_head.sealed(headers) if self.site.config.seal else headers)
        is_page = essence not in (CSS, RULES, *JAVASCRIPT)
        locked = is_page and self.site.lockdown.holds(self.decision, self.visitor.path)
        status = self._status()
        guard = self.site.guards.of(self.decision)

        def start(first: bytes) -> tuple[Charset, MakeRewriter]:
            if essence in JAVASCRIPT:
                return Bytes(), lambda _: GuardedWorker(guard.prologue)
            if essence == CSS:
                return charset_for(label, first), lambda _: TextBody(CssRewriter(judge, judge.page))
            if essence == RULES:
                return Bytes(), lambda _: TextBody(Instructions(judge, judge.page))

            def page(whole: bytes | None) -> Rewriter:
                xml = _is_xml(essence)
                page: Rewriter = HtmlRewriter(judge, page_url=self.visitor.url, whole=whole, status=status, xml=xml)
                if not observing and may_be_guarded(head.headers):
                    declared = xml or encoding_is_known(label, first)
                    page = Injected(
                        page,
                        self.visitor,
                        head.headers,
                        guard,
                        declared,
                        missed,
                        xml=xml,
                        modules=modules_in(whole),
                    )
                return page

            return charset_for(label, first), page

        def missed(reason: str) -> None:
            self.report.unguarded = reason

        def finish(head: Response) -> Response:
            headers = head.headers
            leaves_modules = is_page and csp.admits_no_import_map(headers, page_url=self.visitor.url, path=GUARD_PATH)
            if self.report.unguarded is not None or leaves_modules:
                headers = csp.without_denied(headers, judge)
            return Response(
                head.status, self.site.lockdown.applied(headers, judge.allowed.values()) if locked else headers
            )

        held_bytes = self._wait_for(response) if is_page else self._gate.limits.held_bytes
        pipeline = Pipeline(None if coding == b"identity" else Coding(coding, self._gate.limits), start)
        if observing:
            return ObservedPassage(response, pipeline, self._failed)
        return RewrittenPassage(
            head, pipeline, lambda error: self._instead(response, error), finish, hold_bytes=held_bytes
        )

    def _status(self) -> Status | None:
        """Return what shows the visitor of a page that their opt-out is honoured, or None."""
        if not (self.decision.do_not_sell and self.decision.enforced):
            return None
        return self._gate.status if request_head.is_for_a_document(self.visitor) else None

    def _not_modified(self, headers: Headers) -> Passage:
        """Return a 304: good for the page that this very configuration made, and for no other."""
        conditions = validators.CONDITIONS.intersection
        if conditions(self.visitor.headers.names) and not conditions(self.request.headers.names):
            error = RewriteError(Failure.PARTIAL_CONTENT, "a 304, and the origin had been asked for the whole page")
            return self._unbegun(Response(304, headers), error)
        kept = response_head.not_modified(headers)
        return Passage(Response(304, kept.without(response_head.REWRITTEN_BODY).plus(*self.etag(headers))))

    def _unbegun(self, response: Response, error: RewriteError) -> Passage:
        """Return what becomes of a response that is not even begun with."""
        if not self.decision.enforced:
            self._failed(error)
            return Passage(response)
        instead = self._instead(response, error)
        return BlockedPassage(response, error) if instead is None else Passage(instead)

    def etag(self, came: Headers) -> tuple[Pair, ...]:
        """Return the ETag line of a rewritten response, given the header lines that came; none where they have no ETag."""
        if b"etag" not in came or not self.decision.enforced:
            return ()
        return validators.toward_browser(came, validators.stamp(self._gate.policy_hash, self.decision, self.visitor))

    def _instead(self, response: Response, error: RewriteError) -> Response | None:
        """Return the head with which a page that cannot be rewritten goes out as it came, or None where it may not."""
        self._failed(error)
        # The body goes out with what had been taken out of it, or not at all.
        self.report.removals.forget(self._before_body or (0, Counter(), Counter()))
        instead = instead_of(response, error.reason, self.site.config)
        if instead is Instead.BLOCK:
            return None
        if instead is Instead.PASS:
            self.report.outcome = Outcome.PASSED_UNENFORCED
            return Response(response.status, response_head.passed(response.headers))
        self.report.outcome = Outcome.CONTAINED
        return Response(response.status, response_head.contained(response.headers, self.site.lockdown.first_party))

    def _failed(self, error: RewriteError) -> None:
        self.report.error, self.report.problem = error.reason, str(error)

    def cut(self, error: RewriteError) -> Response:
        """Say that the body could not go on; return what the door answers, unless a part of it has left.

        Then the door cuts the connection, so that the visitor's browser sees that a part is missing.
        """
        self._failed(error)
        self.report.outcome = Outcome.BLOCKED
        return self.marked(NOT_SHOWN)

    def note(self) -> None:
        """Bring the report's outcome up to date with what was removed so far."""
        self.report.note()

    def _spend(self, begun: float) -> None:
        self.report.gate_seconds += self._gate.clock() - begun


def _is_xml(essence: str) -> bool:
    """Return True for a type that browsers read by the rules of XML (MIME Sniffing §4.6).

    But for XHTML these are pages only where they are shown: as a picture an SVG fetches nothing, and as data XML is the site's own.
    """
    return essence.endswith("+xml") or essence in ("application/xml", "text/xml")

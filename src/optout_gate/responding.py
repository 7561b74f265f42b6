"""The second half of an exchange: which head a response leaves with, and what its body goes through.

Asked for once a response is there, by :meth:`optout_gate.exchange.Exchange.respond`, which is given what was found out from the
request. For who did not opt out a response leaves as it came, but for ``Vary``. For who did, what the browser makes of it
(:mod:`optout_gate.rewrite.response_kind`) decides what is done; where that cannot be done, what leaves instead is the operator's to
say (:mod:`optout_gate.rewrite.refusals`).
"""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from optout_gate.errors import Failure, RewriteError
from optout_gate.http import Headers, Pair, Response, media_type
from optout_gate.policy.config import Mode
from optout_gate.policy.config_failures import Instead
from optout_gate.report import Outcome
from optout_gate.rewrite import answers, coherence, csp, repeats, request_head, response_head, validators
from optout_gate.rewrite.body_rewriter import rewriter_of
from optout_gate.rewrite.codings import Coding, coding_of
from optout_gate.rewrite.guard_rules import GUARD_PATH
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.library import LibraryPassage
from optout_gate.rewrite.passage import BlockedPassage, ObservedPassage, Passage, ReplacedPassage, RewrittenPassage
from optout_gate.rewrite.pipeline import Pipeline, mistake
from optout_gate.rewrite.redirects import kept_home, onward
from optout_gate.rewrite.refusals import NOT_WHOLE, forbids_transforming, instead_of, refusal
from optout_gate.rewrite.removals import Mark
from optout_gate.rewrite.response_kind import CSS, HTML, XHTML, ResponseKind, kind_of
from optout_gate.rewrite.status import Status

if TYPE_CHECKING:
    from optout_gate.exchange import Exchange
    from optout_gate.gate import Gate

_PAGE_VARIES = (b"Sec-GPC",)
_WORKER_VARIES = (b"Sec-GPC", b"Sec-Fetch-Dest", b"Service-Worker")
"""What tells a worker's script from the same file loaded by a page."""
_REMEMBERED = frozenset({HTML, XHTML, CSS})
_NO_PAGE = frozenset({204, 205, *range(300, 400)})
"""Statuses with which no page is shown; one that tells of an error is a page like any other."""
_RUN = frozenset(range(200, 300)) - {204, 205, 206}
"""Statuses with which browsers run a whole script."""


def passed_on(exchange: "Exchange", response: Response) -> Passage:
    """Return what a response goes through to a visitor who did not opt out: nothing. Its head says that another would differ."""
    site, report = exchange.site, exchange.report
    try:
        kind = kind_of(exchange.visitor, response.headers)
        headers = _varying(response.headers, kind) if site.config.mode is Mode.ENFORCE else response.headers
        if kind.is_page and site.policy.overridden(report.reading):
            # The signal is there, and a cookie alone tells why it has no effect.
            headers = response_head.private(headers)
        return Passage(Response(response.status, headers))
    except Exception as error:  # a mistake of the gate's own
        report.fail(RewriteError(Failure.REWRITER, mistake(error)))
        return Passage(response)


def _varying(headers: Headers, kind: ResponseKind) -> Headers:
    if kind.is_page or kind.is_xml or kind.is_script or kind.is_sniffed or kind.is_beside:
        return response_head.varying(headers, fields=_WORKER_VARIES if kind.is_worker else _PAGE_VARIES)
    return headers


class Responding:
    """Works out what becomes of one response to a visitor who opted out."""

    __slots__ = ("_before_body", "_decision", "_gate", "_presumed", "_report", "_request", "_site", "_visitor")

    def __init__(self, gate: "Gate", exchange: "Exchange", *, presumed: bool) -> None:
        """Take the exchange; ``presumed`` says that its opt-out is taken to be one, since the store cannot tell."""
        self._gate = gate
        self._site = exchange.site
        self._visitor = exchange.visitor  # the request as they sent it
        self._request = exchange.request  # and as the origin got it
        self._decision = exchange.decision
        self._report = exchange.report
        self._presumed = presumed
        self._before_body: Mark | None = None

    def passage(self, response: Response) -> Passage:
        """Return what a response goes through."""
        return self._remembered(response) or self._worked_out(response)

    def early(self, headers: Headers) -> list[bytes]:
        """Return the ``Link`` values of a 103 response (RFC 8297) that may go ahead of the response itself."""
        return response_head.enforced(headers, self._judge(headers), self._visitor).values(b"link")

    def etag(self, came: Headers) -> tuple[Pair, ...]:
        """Return the ETag line of a rewritten response, given the header lines that came; none where they have no ETag."""
        if b"etag" not in came or not self._decision.enforced:
            return ()
        return validators.toward_browser(came, validators.stamp(self._gate.policy_hash, self._decision, self._visitor))

    def _remembered(self, response: Response) -> Passage | None:
        """Return what looks the answer up first, or None for one that cannot be the same for the next visitor."""
        # Strings that are made where none stand have a date.
        if not self._decision.enforced or self._site.wording.absent:
            return None
        if media_type(response.headers).essence not in _REMEMBERED:
            return None
        if not answers.may_come_again(self._visitor, response):
            return None
        self._report.no_transform = forbids_transforming(response.headers)
        key = answers.key_of(self._decision, self._visitor, response)
        return answers.RepeatedAnswer(
            response,
            self._made_whole,
            self._gate.repeats,
            key=key,
            wait_bytes=self._wait_for(response),
            report=self._report,
        )

    def _wait_for(self, response: Response) -> int:
        return repeats.wait_for(response.headers, self._gate.limits.held_bytes)

    def _made_whole(self, response: Response) -> Passage:
        return self._worked_out(response, whole=True)

    def _worked_out(self, response: Response, *, whole: bool = False) -> Passage:
        """Return what the response goes through; ``whole`` says that head and body are remembered as one already."""
        try:
            return self._passage(response, whole=whole)
        except Exception as error:  # a mistake of the gate's own; what it would have done to this response is not known
            failure = RewriteError(Failure.REWRITER, mistake(error))
            if self._decision.enforced:
                return BlockedPassage(response, failure)
            self._report.fail(failure)
            return Passage(response)

    def _passage(self, response: Response, *, whole: bool) -> Passage:
        kind, headers = kind_of(self._visitor, response.headers), response.headers
        if self._decision.enforced:
            headers = _varying(headers, kind)
            if response.status == 304 and request_head.may_be_rewritten(self._visitor):
                return self._not_modified(headers)
        judge = self._judge(headers)
        self._report.allowed = judge.allowed
        response = Response(response.status, headers)
        turned = onward(response, judge, self._visitor) if self._decision.enforced else None
        if turned is not None:
            return ReplacedPassage(self._head(turned[0], kind, judge), turned[1])
        response = self._kept_home(response, judge)
        head = self._head(response, kind, judge)
        if kind.is_script and not kind.is_worker:
            return self._script(head, judge)
        is_sealed = (
            kind.essence in NOT_WHOLE
            and request_head.may_be_rewritten(self._visitor)
            and b"range" not in self._request.headers  # a player's, of what is no page
        )
        is_worker = kind.is_worker and self._decision.enforced
        if not (kind.is_page or is_worker or kind.is_sniffed or is_sealed or kind.is_beside):
            return Passage(head)
        if self._visitor.method == "HEAD" or head.status in (204, 205, 304) or head.status < 200:
            if self._decision.enforced:
                headers = head.headers.without(response_head.REWRITTEN_BODY).plus(*self.etag(response.headers))
                head = Response(head.status, headers)
            return Passage(head)
        rewritten = self._rewritten(head, kind, judge)
        if whole or not (
            isinstance(rewritten, RewrittenPassage) and repeats.may_be_stored(self._visitor, response.headers)
        ):
            return rewritten
        return repeats.RepeatedPassage(
            rewritten,
            self._gate.repeats,
            judge,
            key=repeats.key_of(self._decision, self._visitor, head),
            wait_bytes=self._wait_for(response),
            report=self._report,
        )

    def _judge(self, headers: Headers) -> Judge:
        return Judge(
            self._decision,
            self._gate.catalog,
            self._gate.filter_lists,
            page_url=self._visitor.url,
            notes=self._report.removals,
            memory=self._gate.memory,
            own_hosts=self._site.hosts,
            inline_allowed=response_head.allows_inline(headers),
            cloaks=self._gate.cloaks,
        )

    # The head

    def _kept_home(self, response: Response, judge: Judge) -> Response:
        kept = kept_home(response, judge, self._visitor)
        return kept if self._decision.enforced else response

    def _head(self, response: Response, kind: ResponseKind, judge: Judge) -> Response:
        """Return the head for a visitor who opted out; in observe mode, look at what it would be, and return it as it is."""
        if not self._decision.enforced:
            self._report.outcome = Outcome.OBSERVED
            response_head.enforced(response.headers, judge, self._visitor, page=kind.is_page)
            return response
        is_page = kind.is_page and not self._presumed
        headers = response_head.enforced(response.headers, judge, self._visitor, page=is_page)
        # XML that is not shown stays as it came: no cache may give it to who opens it as a page.
        is_unshown = kind.is_xml and not kind.is_page
        if is_unshown or (self._decision.needs_cookies and (kind.is_page or kind.is_worker or kind.is_beside)):
            headers = response_head.private(headers)
        if self._decision.do_not_sell and not self._presumed:
            headers = self._told_the_browser(headers, response.status, is_page=is_page)
        self._report.note()
        return Response(response.status, headers)

    def _told_the_browser(self, headers: Headers, status: int, *, is_page: bool) -> Headers:
        """Return a response's headers with cookies that agree with the opt-out, and on a page those that keep it."""
        site, reading, secure = self._site, self._report.reading, self._visitor.scheme == "https"
        headers = coherence.toward_browser(headers, site.wording)
        if not is_page or status in _NO_PAGE or not request_head.is_for_a_document(self._visitor):
            return headers
        lines = coherence.remembering(self._decision, reading, self._gate.config.cookie, secure=secure)
        if lines and secure and b"cookie" in self._visitor.headers:
            # Once: the next request brings the cookie. A browser that brings none may keep none, and would clear for ever.
            lines.append(response_head.FORGET_PAGES)
        if reading.cookies or site.wording.absent:
            lines += coherence.standing(
                self._visitor.headers, headers, site.wording, host=self._visitor.host, secure=secure
            )
        return response_head.private(headers.plus(*lines)) if lines else headers

    def _not_modified(self, headers: Headers) -> Passage:
        """Return a 304: good for the page that this very configuration made, and for no other."""
        conditions = validators.CONDITIONS.intersection
        if conditions(self._visitor.headers.names) and not conditions(self._request.headers.names):
            error = RewriteError(Failure.PARTIAL_CONTENT, "a 304, and the origin had been asked for the whole page")
            return self._unbegun(Response(304, headers), error)
        kept = response_head.not_modified(headers)
        return Passage(Response(304, kept.without(response_head.REWRITTEN_BODY).plus(*self.etag(headers))))

    # The body

    def _script(self, response: Response, judge: Judge) -> Passage:
        """Return what a script of the site's own host is put through: it may be a vendor's library."""
        coding = coding_of(response.headers.members(b"content-encoding"))
        if response.status not in _RUN or self._visitor.method != "GET" or coding is None:
            return Passage(response)
        name = self._visitor.path.rpartition("/")[2]
        return LibraryPassage(response, name, coding, judge)

    def _rewritten(self, response: Response, kind: ResponseKind, judge: Judge) -> Passage:
        self._before_body = self._report.removals.mark() if self._report.removals else None
        coding = coding_of(response.headers.members(b"content-encoding"))
        self._report.no_transform = forbids_transforming(response.headers)
        refused = refusal(response, kind.essence, coding, self._site.config)
        if self._presumed:
            refused = RewriteError(Failure.CHOICE_STORE, "whether this consumer has opted out cannot be told")
        if refused is not None or coding is None:
            assert refused is not None
            return self._unbegun(response, refused)
        headers = response.headers.without(response_head.REWRITTEN_BODY)
        head = Response(response.status, response_head.sealed(headers) if self._site.config.seal else headers)
        guard = self._site.guards.of(self._decision)
        start = rewriter_of(kind, head, self._visitor, judge, guard, self._status(), self._unguarded)
        pipeline = Pipeline(None if coding == b"identity" else Coding(coding, self._gate.limits), start)
        if not self._decision.enforced:
            return ObservedPassage(response, pipeline, self._report.fail)
        is_markup = not (kind.is_beside or kind.is_worker)
        held_bytes = self._wait_for(response) if is_markup else self._gate.limits.held_bytes
        return RewrittenPassage(
            head,
            pipeline,
            lambda error: self._instead(response, error),
            self._finish(judge, is_markup=is_markup),
            hold_bytes=held_bytes,
        )

    def _unguarded(self, reason: str) -> None:
        self._report.unguarded = reason

    def _finish(self, judge: Judge, *, is_markup: bool) -> Callable[[Response], Response]:
        """Return what gives a head as it leaves, once the first part of the body has been rewritten."""
        site, visitor, report = self._site, self._visitor, self._report
        locked = is_markup and site.lockdown.holds(self._decision, visitor.path)

        def finish(head: Response) -> Response:
            headers = head.headers
            leaves_modules = is_markup and csp.admits_no_import_map(headers, page_url=visitor.url, path=GUARD_PATH)
            if report.unguarded is not None or leaves_modules:
                headers = csp.without_denied(headers, judge)
            return Response(head.status, site.lockdown.applied(headers, judge.allowed.values()) if locked else headers)

        return finish

    def _status(self) -> Status | None:
        """Return what shows the visitor of a page that their opt-out is honoured, or None."""
        if not (self._decision.do_not_sell and self._decision.enforced):
            return None
        return self._gate.status if request_head.is_for_a_document(self._visitor) else None

    # What leaves instead

    def _unbegun(self, response: Response, error: RewriteError) -> Passage:
        """Return what becomes of a response that is not even begun with."""
        if not self._decision.enforced:
            self._report.fail(error)
            return Passage(response)
        instead = self._instead(response, error)
        return BlockedPassage(response, error) if instead is None else Passage(instead)

    def _instead(self, response: Response, error: RewriteError) -> Response | None:
        """Return the head with which a page that cannot be rewritten goes out as it came, or None where it may not."""
        self._report.fail(error)
        # The body goes out with what had been taken out of it, or not at all.
        self._report.removals.forget(self._before_body or (0, Counter(), Counter()))
        is_beside = kind_of(self._visitor, response.headers).is_beside
        instead = instead_of(response, error.reason, self._site.config, is_beside=is_beside)
        if instead is Instead.BLOCK:
            return None
        if instead is Instead.PASS:
            self._report.outcome = Outcome.PASSED_UNENFORCED
            return Response(response.status, response_head.passed(response.headers))
        self._report.outcome = Outcome.CONTAINED
        return Response(response.status, response_head.contained(response.headers, self._site.lockdown.first_party))

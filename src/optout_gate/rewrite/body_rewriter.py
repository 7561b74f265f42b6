"""Which rewriter a body gets, and in which encoding it reads: by what the response is to the browser."""

from collections.abc import Callable

from optout_gate.http import Request, Response
from optout_gate.rewrite.charset import Bytes, Charset, charset_for
from optout_gate.rewrite.css import CssRewriter
from optout_gate.rewrite.guard_rules import Guard
from optout_gate.rewrite.html import HtmlRewriter
from optout_gate.rewrite.inject import Injected, encoding_is_known, may_be_guarded, modules_in
from optout_gate.rewrite.instructions import RULES, Instructions
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.pipeline import MakeRewriter, Rewriter
from optout_gate.rewrite.response_kind import CSS, ResponseKind
from optout_gate.rewrite.status import Status
from optout_gate.rewrite.whole import TextBody
from optout_gate.rewrite.workers import GuardedWorker


def rewriter_of(
    kind: ResponseKind,
    head: Response,
    visitor: Request,
    judge: Judge,
    guard: Guard,
    status: Status | None,
    unguarded: Callable[[str], None],
) -> Callable[[bytes], tuple[Charset, MakeRewriter]]:
    """Return what gives a body's charset and rewriter, told how the body begins.

    Args:
        kind: what the response is.
        head: the head that it leaves with.
        visitor: the request.
        judge: who decides.
        guard: goes into documents and workers, unless the site only observes.
        status: what shows the visitor that their opt-out is honoured.
        unguarded: told why a document goes out without the guard.
    """
    observing = not judge.decision.enforced

    def start(first: bytes) -> tuple[Charset, MakeRewriter]:
        if kind.is_worker:
            return Bytes(), lambda _: GuardedWorker(guard.prologue)
        if kind.essence == CSS:
            return charset_for(kind.charset, first), lambda _: TextBody(CssRewriter(judge, judge.page))
        if kind.essence == RULES:
            return Bytes(), lambda _: TextBody(Instructions(judge, judge.page))

        def page(whole: bytes | None) -> Rewriter:
            html = HtmlRewriter(judge, page_url=visitor.url, whole=whole, status=status, xml=kind.is_xml)
            if observing or not may_be_guarded(head.headers):
                return html
            declared = kind.is_xml or encoding_is_known(kind.charset, first)
            modules = modules_in(whole)
            page = Injected(html, visitor, head.headers, guard, declared, unguarded, xml=kind.is_xml, modules=modules)
            judge.frames = page.frames
            return page

        return charset_for(kind.charset, first), page

    return start

"""Whole answers that come again: the head that a page left with, remembered beside its body.

For most visitors of a site a page is the same, head and body, but for a date and a few identifiers. Where the request
brings no cookie and the answer sets none, the head that leaves depends on nothing but what :mod:`~.repeats` has in its
key and on whose word it was decided. So head and body are remembered as one, and a page met again costs a look at its
bytes. Fields that differ each time (:data:`~.repeats.PASSING`) go through from the answer at hand; a head in which one
of them was changed is not remembered.
"""

from collections.abc import Callable, Hashable
from typing import Protocol

from optout_gate.errors import Failure
from optout_gate.http import Headers, Pair, Request, Response
from optout_gate.policy.decision import Decision
from optout_gate.rewrite import repeats
from optout_gate.rewrite.passage import Passage
from optout_gate.rewrite.removals import Removals
from optout_gate.rewrite.repeats import PASSING, Remembered, Repeats

Template = tuple[Pair | int, ...]
"""A head as it leaves: field lines, and the places of those that are taken from the head as it came."""


class Reported(Protocol):
    """What an exchange's report says of the page."""

    removals: Removals
    unguarded: str | None
    error: Failure | None


def may_come_again(request: Request, response: Response) -> bool:
    """Return True when nothing of the answer is for this visitor alone, and there is a page in it."""
    return (
        response.status == 200
        and request.method == "GET"
        and b"cookie" not in request.headers
        and b"set-cookie" not in response.headers
        and repeats.may_be_stored(request, response.headers)
    )


def key_of(decision: Decision, request: Request, response: Response) -> Hashable:
    """Return everything besides the body that head and body depend on."""
    # Of the fields that differ the names belong to it, and where they stand: a template knows their places.
    lines = [name if (name := pair[0].lower()) in PASSING else pair for pair in response.headers.pairs]
    return decision.because, repeats.asked(decision, request), response.status, tuple(lines)


def template_of(came: Headers, left: Headers) -> Template | None:
    """Return how to make the head that leaves from one that comes; None when a field that differs was changed."""
    places = {id(pair): place for place, pair in enumerate(came.pairs)}
    out: list[Pair | int] = []
    for pair in left:
        if pair[0].lower() not in PASSING or pair[0].lower() == b"set-cookie":
            out.append(pair)
        elif (place := places.get(id(pair))) is not None:
            out.append(place)
        else:
            return None
    return tuple(out)


class RepeatedAnswer(Passage):
    """A response that is looked up before anything is worked out for it."""

    untouched = False

    def __init__(
        self,
        response: Response,
        work_out: Callable[[Response], Passage],
        repeats_: Repeats,
        *,
        key: Hashable,
        wait_bytes: int,
        report: Reported,
    ) -> None:
        self._came = response
        self._left: Response | None = None
        self._work_out = work_out
        self._repeats = repeats_
        self._key = key
        self._report = report
        self._wait_bytes = wait_bytes
        self._waiting: list[bytes] = []
        self._held_bytes = 0
        self._inner: Passage | None = None

    @property
    def head(self) -> Response:  # type: ignore[override]
        """The head to send. Asked for before anything is there to send, it is worked out at once."""
        return self._left if self._left is not None else self._worked_out().head

    @property
    def blocked(self) -> bool:  # type: ignore[override]
        """True for a response of which nothing may leave; asked for, it is worked out at once."""
        return self._left is None and self._worked_out().blocked

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes of the origin's body, return those to send now.

        Raises:
            RewriteError: the rewriter gave up after a part had been sent; cut the connection.
        """
        if self._inner is not None:
            return self._inner.feed(self._body() + chunk if self._waiting else chunk)
        self._waiting.append(chunk)
        self._held_bytes += len(chunk)
        return b"" if self._held_bytes <= self._wait_bytes else self._worked_out().feed(self._body())

    def let_go(self) -> bytes:
        """Return what is final of all that was held back; the answer is not looked up.

        Raises:
            RewriteError: nothing may be sent.
        """
        inner = self._worked_out()
        return (inner.feed(self._body()) if self._waiting else b"") + inner.let_go()

    def close(self) -> bytes:
        """Say that the origin's body is over, return the last bytes to send.

        Raises:
            RewriteError: the rewriter gave up after a part had been sent; cut the connection.
        """
        if self._inner is not None:
            return (self._inner.feed(self._body()) if self._waiting else b"") + self._inner.close()
        body = self._body()
        found = self._repeats.find(self._key, body)
        if found is not None and found.head is not None:
            report, came = self._report, self._came.headers.pairs
            report.removals, report.unguarded = found.removals, found.unguarded
            filled = tuple([came[each] if isinstance(each, int) else each for each in found.head])
            self._left = Response(self._came.status, Headers(filled))
            return found.left
        inner = self._worked_out()
        out = (inner.feed(body) if body else b"") + inner.close()
        template = template_of(self._came.headers, inner.head.headers)
        if template is not None and self._report.error is None:
            self._repeats.offer(self._key, body, lambda: self._remembered(body, out, template))
        return out

    def _worked_out(self) -> Passage:
        if self._inner is None:
            self._inner = self._work_out(self._came)
        return self._inner

    def _body(self) -> bytes:
        body = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        self._waiting.clear()
        return body

    def _remembered(self, body: bytes, out: bytes, template: Template) -> Remembered:
        return Remembered(body, out, self._report.removals, {}, self._report.unguarded, template)

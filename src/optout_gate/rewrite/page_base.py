"""Where a page's relative references start from: its own address, until the first ``<base>`` says otherwise (HTML §4.2.3).

While that is a host of the site's own, a reference that names no host is never denied, and nearly all of a page needs no second
look. So who reads a page may leave out much of what begins with one slash; a base that leads elsewhere and comes after that is
an error.
"""

from typing import Any

from optout_gate.errors import Failure, RewriteError
from optout_gate.rewrite.attributes import url_text
from optout_gate.rewrite.element import Element, without
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.neutral import MARK
from optout_gate.trackers.urls import Base, base_of, resolve


class PageBase:
    """What relative references of one page start from, so far.

    Attributes:
        base: the address.
        is_own: it is on one of the site's own hosts.
        is_the_pages: it is on the host of the page itself.
        may_move: False where whoever reads the page leaves out addresses that begin with one slash.
    """

    __slots__ = ("_in_noscript", "_is_set", "_judge", "_page_url", "base", "is_own", "is_the_pages", "may_move")

    def __init__(self, judge: Judge, page_url: str, *, in_noscript: bool) -> None:
        self._judge = judge
        self._page_url = page_url
        self._in_noscript = in_noscript
        self._is_set = False
        self.may_move = True
        self._start_from(base_of(page_url))

    def _start_from(self, base: Base) -> None:
        self.base = base
        self.is_own = self._judge.own(base.host)
        self.is_the_pages = base.host == self._judge.page.host

    @property
    def url(self) -> str:
        """What the references of a page inside this one start from."""
        return self.base.url or self._page_url

    def state(self) -> tuple[Any, ...]:
        """Return what is known so far, for :meth:`restore`."""
        return (self.base, self._is_set, self.is_own, self.is_the_pages)

    def restore(self, state: tuple[Any, ...]) -> None:
        """Go back to ``state``."""
        self.base, self._is_set, self.is_own, self.is_the_pages = state

    def take(self, element: Element) -> None:
        """Let the first ``base`` with a ``href`` move it, and disarm a later one that leads to a denied vendor.

        The first here may be none to a browser: in a ``template`` or a drawing it does not count, and what looks ahead in
        the page takes the first that it can read.

        Raises:
            RewriteError: it leads elsewhere, where nothing of the kind :attr:`may_move` it any more.
        """
        href = element.get_attribute("href")
        if href is None:
            return
        target = resolve(url_text(href), self.base)
        if target is not None and (self._is_set or self._in_noscript) and not self._judge.own(target.host):
            verdict = self._judge.reference(url_text(href), self.base, "other")
            if verdict is not None or self._in_noscript:
                # Without scripts the page behind the noscript starts from it as well; here that is read as with scripts.
                without(element, "href")
            if verdict is not None:
                self._judge.removals.add("link", verdict, url_text(href))
                element.set_attribute(MARK, verdict.vendor.vendor)
            if self._in_noscript:
                return
        if self._is_set:
            return
        self._is_set = True
        if target is not None:
            self._start_from(base_of(target.url))
            if not (self.is_own or self.may_move):
                raise RewriteError(Failure.REWRITER, "a base that leads elsewhere, behind the beginning of the page")

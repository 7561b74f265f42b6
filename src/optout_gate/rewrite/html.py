"""A page without its denied references: streamed through lol-html, untouched markup byte for byte.

What lol-html does and does not do decides the shape of this module:

- It works on UTF-8 and hands over text as ``str``. A page is fed to it as Latin-1 seen through UTF-8 (one character a
  byte), and back: every encoding in which ASCII bytes mean ASCII survives to the byte, also a broken or mixed one, and
  what is put in is ASCII. :mod:`optout_gate.rewrite.charset` does this, and brings other encodings (UTF-16) into it.
- Attribute values come raw; :mod:`optout_gate.rewrite.attributes` decodes them.
- The content of ``noscript`` is text to it, as to a browser that runs scripts; for browsers that do not, it is a page
  of its own and gets a rewriter of its own.
- A text may come in any number of pieces; scripts and styles are put together first.
- It gives up on text elements (``style``, ``title``, ``noscript``, ``iframe``...) inside ``select`` and ``frameset``. So from
  where one of these begins, output waits until it is over; should lol-html give up, the gate's own scanner
  (:mod:`optout_gate.rewrite.tags`) takes the page from there on. One that is there whole it reads from its beginning, where
  lol-html gives up without warning.

Most of a page needs no lol-html: what :mod:`optout_gate.rewrite.plain` passes over never gets there, and an element that was
met before leaves as it left then. Both end where anything comes that they have doubts about.

What is done with an element stands in :mod:`optout_gate.rewrite.page`.
"""

import re
from typing import cast

from optout_gate.errors import Failure, RewriteError
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.lol_html import LolHtml
from optout_gate.rewrite.page import Page
from optout_gate.rewrite.plain import ALIKE, PLAIN, parts_of
from optout_gate.rewrite.remembering import ELEMENT, met_again, recalled, recurs, remembered
from optout_gate.rewrite.selectors import DELICATE, Contents, handlers, holds_delicate
from optout_gate.rewrite.status import Status
from optout_gate.rewrite.tags import TagScanner
from optout_gate.rewrite.unsent import Unsent

MAX_TRIED_BYTES = 256 * 1024  # of a select; one with every country and its telephone code has some 20 KB
LEAST_PLAIN_BYTES = 4096  # of the beginning of a page that is not there whole; a page in crumbs is lol-html's
MAX_DEPTH = 4  # of pages inside pages (noscript, srcdoc)

_IMPORT_MAP = b"importmap"
# With every "<" before it: of several, lol-html still holds the last but one when the tag begins.
_DELICATE_START = re.compile(rb"<+(select|frameset)(?=[\s/>]|\Z)", re.IGNORECASE)
_HELD_START = max(len(name) for name in DELICATE) + 1  # of "<frameset"; a chunk may end inside it


class HtmlRewriter:
    """Rewrites one page, in pieces of any size. Takes and returns Latin-1 seen through UTF-8."""

    def __init__(
        self,
        judge: Judge,
        *,
        page_url: str,
        depth: int = 0,
        whole: bytes | None = None,
        in_noscript: bool = False,
        xml: bool = False,
        status: Status | None = None,
    ) -> None:
        """Take who decides, where relative references start from, the page's bytes where they are all there, and the status."""

        # The handlers know nothing of this object: a cycle through lol-html's would never be collected.
        def inner(text: str, url: str) -> str:
            return _inner_page(judge, text, url, depth + 1, in_noscript=in_noscript)

        def noscript(text: str, url: str) -> str:
            return _inner_page(judge, text, url, depth + 1, in_noscript=True)

        def inner_xml(text: str, url: str) -> str:
            return _inner_page(judge, text, url, depth + 1, xml=True)

        self._judge = judge
        self._page = Page(judge, page_url, inner, noscript, inner_xml, in_noscript=in_noscript)
        self._scanner: TagScanner | None = TagScanner(self._page, xml=True) if xml else None
        self._whole = whole
        self._waiting: list[bytes] = []  # of a page that is there whole
        self._status = status
        self._contents: Contents | None = None
        self._made: LolHtml | None = None
        self._start = self._page.state()
        # Until lol-html has the page. A mode is set before the first script, whatever that is.
        self._may_be_plain = depth == 0 and not (xml or judge.decision.policy.restricts) and self._page.here.is_own
        self._partial = b""
        self._trial: _Trial | None = None
        self._unsent = Unsent()

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes, return those that are final: none of a page that is there whole.

        Raises:
            RewriteError: the page cannot be read, or an attribute in it is longer than is held.
        """
        if self._whole is None:
            return self._feed(chunk)
        self._waiting.append(chunk)
        return b""

    def close(self) -> bytes:
        """Return what was held back.

        Raises:
            RewriteError: the page cannot be read.
        """
        if self._whole is None:
            return self._close()
        data = b"".join(self._waiting)
        mark = self._judge.removals.mark()
        try:
            return self._feed(data) + self._close()
        except RewriteError as error:
            if error.reason is not Failure.REWRITER:
                raise
        self._judge.removals.forget(mark)
        self._page.restore(self._start)
        self._page.here.may_move = True
        scanner = TagScanner(self._page)
        return scanner.feed(data) + scanner.close()

    def _feed(self, chunk: bytes) -> bytes:
        data = self._partial + chunk if self._partial else chunk
        self._partial = b""
        if self._scanner is not None:
            return self._scanner.feed(data)
        if self._may_be_plain:
            self._may_be_plain = False
            if self._whole is not None or len(data) >= LEAST_PLAIN_BYTES:
                return self._plainly(data)
        return self._read(data)

    def _plainly(self, data: bytes) -> bytes:
        """Take the first bytes of a page, or all of it: as far as they are plain, lol-html sees what may matter alone."""
        judge, is_whole = self._judge, self._whole is not None
        parts, rest = parts_of(data, judge.catalog, self._status, whole=is_whole)
        if any(_IMPORT_MAP in text.lower() for text, kind in parts if kind is ALIKE):
            return self._read(data)  # what scripts behind it import depends on it
        known = iter(recalled(judge, [text for text, kind in parts if kind is ALIKE]))
        steps = [(text, kind, next(known) if kind is ALIKE else None) for text, kind in parts]
        there = [text for text, kind, found in steps if kind is not PLAIN and found is None]
        if (there or rest) and self._contents is None:
            self._contents = Contents(b"".join([*there, rest]) if is_whole else data, whole=is_whole)
        out: list[bytes] = []
        for text, kind, found in steps:
            if kind is PLAIN:
                out.append(text)
            elif found is not None:
                met_again(judge, found)
                out.append(cast(bytes, found.text) if found.notes else text)
            elif kind is ALIKE and recurs(judge, text):
                out.append(remembered(judge, ELEMENT, text, judge.page, self._engine.write))
            else:
                out.append(self._engine.write(text))
        if rest and not is_whole and len(rest) < LEAST_PLAIN_BYTES and b">" not in rest:
            self._partial = rest  # a tag that is not over
            self._may_be_plain = True
        elif rest:
            out.append(self._read(rest))
        elif not is_whole:
            self._may_be_plain = True
        return b"".join(out)

    def _read(self, data: bytes) -> bytes:
        tail = data.rfind(b"<", -_HELD_START)
        if tail >= 0 and any(f"<{name}".encode().startswith(data[tail:].lower()) for name in DELICATE):
            tail = len(data[:tail].rstrip(b"<"))
            data, self._partial = data[:tail], data[tail:]
        if self._trial is None and not self._may_hold_delicate(data):
            return self._written(data) if data else b""
        return self._carefully(data)

    def _close(self) -> bytes:
        out = b""
        if self._partial:
            out = self._scanner.feed(self._partial) if self._scanner is not None else self._carefully(self._partial)
        if self._scanner is not None:
            return out + self._scanner.close()
        if self._trial is None:
            return out + self._made.end() if self._made is not None else out  # else lol-html was given nothing
        try:
            return out + b"".join(self._trial.out) + self._engine.end()
        except RewriteError as error:
            return out + self._scan_from_trial(error) + self._scanner_in_place().close()

    def _written(self, data: bytes) -> bytes:
        out = self._engine.write(data)
        if self._whole is None:  # a page that is there whole is read from its beginning instead
            self._unsent.note(data, out)
        return out

    @property
    def _engine(self) -> LolHtml:
        if self._made is None:
            contents = self._contents or Contents(b"", whole=True)
            self._made = LolHtml(handlers(self._page, self._judge, contents), contents, self._status)
        return self._made

    def _may_hold_delicate(self, data: bytes) -> bool:
        """Look into the first bytes for what they hold; return True unless no delicate element begins in these."""
        if self._contents is not None:
            return self._contents.has_delicate if self._whole is not None else holds_delicate(data)
        self._contents = Contents(self._whole or data, whole=self._whole is not None)
        return self._contents.has_delicate

    def _carefully(self, data: bytes) -> bytes:
        """Take bytes that hold a delicate element: its output waits until it is over."""
        out: list[bytes] = []
        place = 0
        while place < len(data):
            if self._scanner is not None:
                out.append(self._scanner.feed(data[place:]))
                break
            if self._trial is None:
                start = _DELICATE_START.search(data, place)
                end = len(data) if start is None else start.start()
                if end > place:
                    out.append(self._written(data[place:end]))
                if start is not None:
                    self._trial = _Trial(start[1].lower(), self._page, self._judge, self._unsent.held())
                place = end
                continue
            trial = self._trial
            own = _DELICATE_START.match(data, place)
            if (
                own is not None
                and trial.raw
                and not self._page.in_delicate
                and (trial.has_put_out or self._page.texts.is_within)
            ):
                # The one before stood inside a script or an attribute; this one may be one. (Where lol-html has put
                # out nothing of it since then, and no text is being read, the tag that began it is not over yet.)
                out += trial.out
                self._unsent.note(bytes(trial.raw), b"".join(trial.out))
                self._trial = _Trial(own[1].lower(), self._page, self._judge, self._unsent.held())
                continue
            if own is not None:
                trial.begin_tag(own.start(1) - 1 - place)
            behind = own.end() if own is not None else place
            again = _DELICATE_START.search(data, behind) if not self._page.in_delicate else None
            end = len(data) if again is None else again.start()
            if (found := trial.end.search(data, place, end)) is not None:
                end = found.end()
            trial.raw += data[place:end]
            try:
                trial.take(self._engine.write(data[place:end]))
            except RewriteError as error:
                out.append(self._scan_from_trial(error))
            else:
                if found is not None or (len(trial.raw) > MAX_TRIED_BYTES and not self._page.in_delicate):
                    out += trial.out
                    self._unsent.note(bytes(trial.raw), b"".join(trial.out))
                    self._trial = None
                elif len(trial.raw) > MAX_TRIED_BYTES:  # held long enough: from here on with what never gives up
                    out.append(self._scan_from_trial(None))
            place = end
        return b"".join(out)

    def _scan_from_trial(self, error: RewriteError | None) -> bytes:
        """Let the scanner read what was tried, and all that follows; return what it makes of the first part."""
        trial = self._trial
        if self._whole is not None or trial is None or not self._page.in_delicate:
            # A page that is there whole is read from its beginning. In another, what looked like the element
            # stood inside a script or an attribute: no place to begin reading at.
            raise error or RewriteError(Failure.REWRITER, "the HTML rewriter gave up")
        self._trial = None
        trial.rewind()
        self._page.here.may_move = True  # the scanner leaves nothing out
        self._scanner = TagScanner(self._page)
        return self._scanner.feed(trial.held + trial.raw)

    def _scanner_in_place(self) -> TagScanner:
        assert self._scanner is not None
        return self._scanner


class _Trial:
    """Input since a delicate element began, and what lol-html made of it, until it is certain that it can."""

    def __init__(self, name: bytes, page: Page, judge: Judge, held: bytes) -> None:
        """Take the element's name, and what lol-html held when it began."""
        # Behind a frameset, too, lol-html refuses text: it ends with the page.
        self.end = re.compile(rb"</select" if name == b"select" else rb"(?!)", re.IGNORECASE)
        self.held = held
        self.raw = bytearray()
        self.out: list[bytes] = []
        self._tag = 0  # where in what was held and came the last tag begins that may be the element's
        self._unchanged = 0  # how much of that has come out, as it went in
        self._is_changed = False  # from there on something else came out
        self._page = page
        self._judge = judge
        self._state = page.state()
        self._mark = judge.removals.mark()
        page.in_delicate = False  # until lol-html says that the element is one

    def begin_tag(self, place: int) -> None:
        """Hear that what may be the element's tag begins so far into what comes next."""
        self._tag = len(self.held) + len(self.raw) + place

    def take(self, out: bytes) -> None:
        """Keep what lol-html made of the input so far."""
        if not out:
            return
        self.out.append(out)
        if not self._is_changed:
            start = self._unchanged - len(self.held)
            before = self.held[self._unchanged :][: len(out)] + self.raw[max(start, 0) : max(start + len(out), 0)]
            self._is_changed = before != out
            self._unchanged += len(out)

    @property
    def has_put_out(self) -> bool:
        """Whether lol-html has put out something of the last tag that may be the element's, so that it is over."""
        return self._is_changed or self._unchanged > self._tag

    def rewind(self) -> None:
        """Put page and notes back to where the element began."""
        self._page.restore(self._state)
        self._judge.removals.forget(self._mark)


def _inner_page(judge: Judge, text: str, url: str, depth: int, *, in_noscript: bool = False, xml: bool = False) -> str:
    if depth >= MAX_DEPTH:
        raise RewriteError(Failure.OVERSIZE, f"pages nested more than {MAX_DEPTH} deep")
    data = text.encode("utf-8", "surrogatepass")
    inner = HtmlRewriter(
        judge, page_url=url, depth=depth, whole=None if xml else data, in_noscript=in_noscript, xml=xml
    )
    return (inner.feed(data) + inner.close()).decode("utf-8", "surrogatepass")

"""Pages that come again byte for byte: rewritten once, and then remembered.

Most pages of a site are the same for everyone who has not signed in, and rewriting the same bytes under the same decision
gives the same bytes. What that answer depends on is its key: the body, the decision, the page's address, what the browser
said it will do with it, and every line of the response's header but those of :data:`PASSING` (a line that is new each
time, a nonce say, only makes the page one that is never met again). A page enters when it is met the second time, so one
that is made for a single visitor costs a digest and is never kept; and what its origin forbids to store is not stored
(RFC 9111 §5.2.2.5 and §5.2.2.7).

To know a page again, the whole of it has to be there: a body that says its length up to :data:`MAX_PAGE_BYTES` is waited
for, one that does not is waited for no longer than any other.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

from optout_gate.http import Headers, Pair, Request, Response
from optout_gate.policy.decision import Decision
from optout_gate.rewrite.judge import Judge
from optout_gate.rewrite.passage import Passage, RewrittenPassage
from optout_gate.rewrite.removals import Mark, Removals
from optout_gate.trackers.vendor import Vendor

MAX_PAGE_BYTES = (
    256 * 1024
)  # of a body as it comes; the largest of 100 common home pages has some 500 KB, the median 80
MAX_BYTES = 32 * 1024 * 1024  # of all that is remembered
PAGE_BYTES = 2 * 1024  # what a page costs besides its bodies and its key; measured on small ones
_64_BITS = 0xFFFF_FFFF_FFFF_FFFF
MAX_MET = 8192  # digests of pages met once

PASSING = frozenset(
    {b"age", b"cf-ray", b"content-length", b"date", b"etag", b"expires", b"last-modified", b"request-id",
     b"server-timing", b"set-cookie", b"via", b"x-amz-cf-id", b"x-cache", b"x-cache-hits", b"x-request-id",
     b"x-runtime", b"x-served-by", b"x-timer", b"x-trace-id"}
)  # fmt: skip
"""Response fields on which no rewriting of a body depends, and which differ from one answer to the next."""

_FORBID_STORING = frozenset({b"no-store", b"private"})

Address = tuple[Hashable, int, bytes]
"""Where a page is looked for: its key, its length, and a few of its bytes. Only equal bytes are then the same page."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What became of a page.

    Attributes:
        came: the body as it came.
        left: the body as it left.
        removals: what was taken out of it.
        allowed: vendors that were recognised in it and may stay.
        unguarded: why it has no guard, if it has none.
        head: how to make the head that it left with, where that is known too (:mod:`.answers`).
    """

    came: bytes
    left: bytes
    removals: Removals
    allowed: dict[str, Vendor]
    unguarded: str | None
    head: "tuple[Pair | int, ...] | None" = None

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        return len(self.came) + len(self.left) + _length(self.head)


class Repeats:
    """Pages met before, the longest unused forgotten first. Belongs to one gate: a reload begins anew."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes  # of all that is remembered
        self._pages: OrderedDict[Address, tuple[Remembered, int]] = OrderedDict()  # with what each costs
        self._met: OrderedDict[bytes, None] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._pages)

    def find(self, key: Hashable, body: bytes) -> Remembered | None:
        """Return what became of a page, or None when it is not remembered. Comparing costs less than a digest."""
        address = _address(key, body)
        found = self._pages.get(address)
        if found is None or found[0].came != body:
            return None
        self._pages.move_to_end(address)
        return found[0]

    def offer(self, key: Hashable, body: bytes, make: Callable[[], Remembered]) -> None:
        """Remember a page when it is met the second time."""
        digest = blake2b(body, digest_size=16, salt=(hash(key) & _64_BITS).to_bytes(8, "big")).digest()
        if digest not in self._met:
            self._met[digest] = None
            if len(self._met) > MAX_MET:
                self._met.popitem(last=False)
            return
        address, page = _address(key, body), make()
        if (replaced := self._pages.pop(address, None)) is not None:
            self._bytes -= replaced[1]
        # The key holds an address and an Accept that anybody may make long, on a page of a hundred bytes.
        cost = page.size + _length(address) + PAGE_BYTES
        self._pages[address] = page, cost
        self._bytes += cost
        while self._bytes > self._max_bytes:
            _, (_, freed) = self._pages.popitem(last=False)
            self._bytes -= freed


def _length(part: object) -> int:
    """Return the length of all text in a key or a head."""
    if isinstance(part, bytes | str):
        return len(part)
    return sum(map(_length, part)) if isinstance(part, tuple) else 0


def _address(key: Hashable, body: bytes) -> Address:
    middle = len(body) // 2
    return key, len(body), body[:16] + body[middle : middle + 16] + body[-16:]


def may_be_stored(request: Request, headers: Headers) -> bool:
    """Return True unless the origin, or what the visitor sent, forbids to store an answer."""
    if b"authorization" in request.headers:
        return False
    if b"cache-control" not in headers:
        return True
    said = {member.lower().partition(b"=")[0] for member in headers.members(b"cache-control")}
    return said.isdisjoint(_FORBID_STORING)


def wait_for(headers: Headers, held_bytes: int) -> int:
    """Return for how many bytes of a body to wait, given the origin's header; ``held_bytes`` where it tells no length."""
    length = headers.first(b"content-length") or b""
    if length.isdigit() and len(length) < 9 and int(length) <= MAX_PAGE_BYTES:
        return MAX_PAGE_BYTES
    return held_bytes


def key_of(decision: Decision, request: Request, response: Response) -> Hashable:
    """Return everything besides the body that a rewritten body depends on."""
    lines = [pair for pair in response.headers.pairs if pair[0].lower() not in PASSING]
    return asked(decision, request), response.status, tuple(lines)


def asked(decision: Decision, request: Request) -> Hashable:
    """Return the part of the key that is known before the answer is."""
    values = request.headers.values
    return (
        decision.policy.name,
        decision.denied,
        decision.rules,
        decision.do_not_sell,
        request.scheme,
        request.authority,
        request.path,
        tuple(values(b"sec-fetch-dest")),
        tuple(values(b"service-worker")),
        tuple(values(b"accept")),
    )


class Reported(Protocol):
    """The part of an exchange's report that a rewriter writes to besides the removals."""

    unguarded: str | None


class RepeatedPassage(Passage):
    """A rewritten response that is looked up before it is rewritten."""

    untouched = False

    def __init__(
        self,
        inner: RewrittenPassage,
        repeats: Repeats,
        judge: Judge,
        *,
        key: Hashable,
        wait_bytes: int,
        report: Reported,
    ) -> None:
        super().__init__(inner.head)
        self._inner = inner
        self._repeats = repeats
        self._judge = judge
        self._key = key
        self._wait_bytes = wait_bytes
        self._report = report
        self._waiting: list[bytes] | None = []
        self._held_bytes = 0

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes of the origin's body, return those to send now.

        Raises:
            RewriteError: the rewriter gave up after a part had been sent; cut the connection.
        """
        if self._waiting is None:
            return self._through(self._inner.feed(chunk))
        self._waiting.append(chunk)
        self._held_bytes += len(chunk)
        if self._held_bytes <= self._wait_bytes:
            return b""
        held, self._waiting = b"".join(self._waiting), None
        return self._through(self._inner.feed(held))

    def let_go(self) -> bytes:
        """Return what is final of all that was held back; the page is not looked up.

        Raises:
            RewriteError: the rewriter gave up, and nothing may be sent.
        """
        held, self._waiting = b"".join(self._waiting or ()), None
        return self._through((self._inner.feed(held) if held else b"") + self._inner.let_go())

    def close(self) -> bytes:
        """Say that the origin's body is over, return the last bytes to send.

        Raises:
            RewriteError: the rewriter gave up after a part had been sent; cut the connection.
        """
        if self._waiting is None:
            return self._through(self._inner.close())
        body, self._waiting = b"".join(self._waiting), None
        found = self._repeats.find(self._key, body)
        if found is not None:
            self._judge.removals.take(found.removals)
            self._judge.allowed |= found.allowed
            self._report.unguarded = found.unguarded
            self.head = self._inner.finished()
            return found.left
        before = self._judge.removals.mark()
        out = self._inner.whole(body)
        if not self._inner.gave_up:
            self._repeats.offer(self._key, body, lambda: self._remembered(body, out, before))
        return self._through(out)

    def _remembered(self, body: bytes, out: bytes, before: Mark) -> Remembered:
        return Remembered(
            body, out, self._judge.removals.since(before), dict(self._judge.allowed), self._report.unguarded
        )

    def _through(self, out: bytes) -> bytes:
        self.head = self._inner.head
        return out

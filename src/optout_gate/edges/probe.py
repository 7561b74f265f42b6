"""Caches before a live site that hand the page of one visitor to another, found by asking as several.

A gate can say ``Vary: Sec-GPC`` as often as it likes: a cache in front that ignores ``Vary``, or an edge that leaves it out
on the way round the gate, keeps the first page that comes along and gives it to everyone. Which way round it goes wrong
depends on who came first, so a probe asks in several orders, each under a query of its own, which no cache has met.

What a page is shows in two ways: ``Optout-Gate`` on it, and the references in its body that the gate would take out. Both
are measured first for each visitor by itself; a finding is an answer that does not look like its visitor's. Only GETs, only
the one URL, and never more than :data:`MOST_REQUESTS`; nothing that a page refers to is fetched.
"""

import http.client
import secrets
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from optout_gate import __version__
from optout_gate.errors import GateError, RewriteError
from optout_gate.gate import Gate
from optout_gate.http import Headers, Pair, Request, Response, media_type
from optout_gate.report import OUTCOME_FIELD
from optout_gate.rewrite.response_kind import HTML
from optout_gate.signals import gpc

MOST_REQUESTS = 32
MAX_BODY_BYTES = 4 * 1024 * 1024  # what of a page is looked at
PARAMETER = "optout-gate-probe"
_OUTCOME = OUTCOME_FIELD.lower()
_TELLTALES = (
    b"age",
    b"x-cache",
    b"x-cache-status",
    b"cf-cache-status",
    b"cache-status",
    b"x-shared-cache",
    b"x-served-by",
)
"""Fields by which caches say that an answer came from them."""

NOBODY, SIGNAL, COOKIE = "nobody", "signal", "cookie"
VISITORS = {NOBODY: "said nothing", SIGNAL: "sent Sec-GPC: 1", COOKIE: "brought the opt-out cookie"}

ORDERS = (
    (NOBODY, NOBODY, SIGNAL, NOBODY),  # some caches keep what they are asked for twice
    (SIGNAL, SIGNAL, NOBODY, SIGNAL),
    (NOBODY, NOBODY, COOKIE, NOBODY),
    (COOKIE, COOKIE, NOBODY, COOKIE),
    (SIGNAL, SIGNAL, COOKIE),
)
REVALIDATIONS = ((NOBODY, SIGNAL), (NOBODY, COOKIE), (SIGNAL, NOBODY))
"""Who got the page, and who then asks whether it is still good."""

Ask = Callable[[str, Sequence[Pair]], Response]
"""Sends a GET with further header lines, and returns the answer with its body."""


class ProbeError(GateError):
    """The site did not answer, or not with anything that can be told apart."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one visitor got.

    Attributes:
        visitor: who asked.
        url: for what.
        status: of the answer.
        headers: likewise.
        denied: how many references in it the gate would take out; None where it is no page.
    """

    visitor: str
    url: str
    status: int
    headers: Headers
    denied: int | None

    @property
    def outcome(self) -> str | None:
        """What ``Optout-Gate`` says, without its parameters."""
        value = self.headers.first(_OUTCOME)
        return value.partition(b";")[0].decode("latin-1") if value is not None else None

    @property
    def is_held(self) -> bool:
        """True when what is denied in it is kept from loading by a policy."""
        return self.outcome == "contained"

    def told(self) -> str:
        """Return what tells the answer apart, for people."""
        says = f"Optout-Gate: {self.outcome}" if self.outcome is not None else "no Optout-Gate"
        found = f"{self.denied} denied references" if self.denied is not None else f"status {self.status}"
        cached = [
            f"{name.decode().title()}: {value.decode('latin-1')}"
            for name in _TELLTALES
            for value in self.headers.values(name)
        ]
        return "; ".join([says, found, *cached])


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong.

    Attributes:
        kind: ``not_enforced``, ``poisoned``, ``withheld``, ``revalidated`` or ``vary``.
        words: what is wrong, for people.
        url: what was asked for.
        order: who asked, one after the other, the last of them the one it went wrong for.
        evidence: what tells.
    """

    kind: str
    words: str
    url: str
    order: tuple[str, ...]
    evidence: str


class Probe:
    """One look at one URL.

    Attributes:
        findings: what is wrong, in the order in which it was met.
        asked: how many requests were sent.
    """

    def __init__(self, url: str, gate: Gate, ask: Ask) -> None:
        """Take the address, the gate by whose configuration a page is looked at, and who sends requests."""
        self.findings: list[Finding] = []
        self.asked = 0
        self._url = url
        self._gate = gate
        self._send = ask
        self._alone: dict[str, Answer] = {}
        cookie = f"{gate.config.cookie.name}=1".encode()
        self._says: dict[str, tuple[Pair, ...]] = {NOBODY: (), SIGNAL: (gpc.LINE,), COOKIE: ((b"Cookie", cookie),)}

    def run(self) -> list[Finding]:
        """Ask, and return what is wrong.

        Raises:
            ProbeError: the site does not answer, or nothing tells its pages apart.
        """
        self._meet_each_alone()
        for order in ((*VISITORS,), *ORDERS):
            url = self._url if order == (*VISITORS,) else self._fresh()
            for number, visitor in enumerate(order):
                self._judge(self._ask(url, visitor), order[: number + 1])
        for first, second in REVALIDATIONS:
            self._revalidate(first, second)
        return self.findings

    def _meet_each_alone(self) -> None:
        for visitor in VISITORS:
            answer = self._alone[visitor] = self._ask(self._fresh(), visitor)
            if answer.status != 200 or answer.denied is None:
                where = answer.headers.first(b"location")
                hint = f", to {where.decode('latin-1')}: probe that" if where is not None else ""
                raise ProbeError(f"who {VISITORS[visitor]} gets status {answer.status} and no page{hint}")
        nobody, signal = self._alone[NOBODY], self._alone[SIGNAL]
        if not nobody.denied and signal.outcome is None:
            raise ProbeError("nothing tells the pages apart: no denied reference in either, and no Optout-Gate")
        for visitor in (SIGNAL, COOKIE):
            answer = self._alone[visitor]
            if answer.denied and not answer.is_held:
                words = f"who {VISITORS[visitor]} gets denied references, whoever came before"
                self._found("not_enforced", words, answer, (visitor,))
        if (seconds := _kept_for(nobody.headers)) and not _varies(nobody.headers):
            words = f"kept for {seconds} s and the same for everyone: a browser or cache shows it after an opt-out"
            self._found("vary", words, nobody, (NOBODY,))

    def _judge(self, answer: Answer, order: tuple[str, ...]) -> None:
        alone = self._alone[answer.visitor]
        if answer.status != 200 or answer.denied is None:
            return
        if answer.visitor == NOBODY:
            if alone.outcome is None and (answer.outcome is not None or (alone.denied and not answer.denied)):
                self._found("withheld", "who said nothing gets the page of somebody who opted out", answer, order)
            return
        leaks = answer.denied > (alone.denied or 0) and not answer.is_held
        unmarked = alone.outcome is not None and answer.outcome is None
        if leaks or unmarked:
            self._found(
                "poisoned", f"who {VISITORS[answer.visitor]} gets the page of somebody who said nothing", answer, order
            )

    def _revalidate(self, first: str, second: str) -> None:
        url = self._fresh()
        headers = self._ask(url, first).headers
        conditions = [
            (condition, headers.values(validator)[0])
            for condition, validator in ((b"If-None-Match", b"etag"), (b"If-Modified-Since", b"last-modified"))
            if validator in headers
        ]
        if not conditions:
            return
        answer = self._ask(url, second, *conditions)
        if answer.status == 304:
            words = f"who {VISITORS[second]} is told that the page of who {VISITORS[first]} is still good"
            self._found("revalidated", words, answer, (first, second))

    def _found(self, kind: str, words: str, answer: Answer, order: tuple[str, ...]) -> None:
        self.findings.append(Finding(kind, words, answer.url, order, answer.told()))

    def _fresh(self) -> str:
        return f"{self._url}{'&' if '?' in self._url else '?'}{PARAMETER}={secrets.token_hex(6)}"

    def _ask(self, url: str, visitor: str, *further: Pair) -> Answer:
        self.asked += 1
        if self.asked > MOST_REQUESTS:
            raise ProbeError(f"more than {MOST_REQUESTS} requests")
        response = self._send(url, [*self._says[visitor], *further])
        return Answer(visitor, url, response.status, response.headers, self._denied(url, response))

    def _denied(self, url: str, response: Response) -> int | None:
        """Return how many references the gate would take out of a page, None for what is none."""
        kind = media_type(response.headers)
        if kind.essence != HTML:
            return None
        parts = urlsplit(url)
        asking = Request("GET", parts.scheme, parts.netloc, b"/", Headers([gpc.LINE]))
        exchange = self._gate.open(asking)
        if exchange is None:
            raise ProbeError(f"no site of the configuration answers to {parts.hostname}")
        kept = {b"content-type", b"content-encoding"}
        passage = exchange.respond(Response(200, Headers(pair for pair in response.headers if pair[0].lower() in kept)))
        try:
            passage.feed(response.body)
            passage.close()
        except RewriteError:
            pass  # what was found up to there counts
        return len(exchange.report.removals)


def asking(url: str, further: Sequence[Pair] = (), *, timeout_s: float = 10.0) -> Ask:
    """Return what asks the site at ``url``, one connection a request; ``further`` header lines go with each.

    Raises:
        ProbeError: it is no address of a website; and when asking: the site does not answer.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket that is not closed, a port that is no number
        good = False
    if not good:
        raise ProbeError(f"expected http://HOST/PATH or https://HOST/PATH, found {url!r}")

    def ask(asked: str, lines: Sequence[Pair]) -> Response:
        try:
            return _get(urlsplit(asked), [*lines, *further], timeout_s)
        except (OSError, http.client.HTTPException) as error:
            raise ProbeError(f"{parts.netloc} does not answer: {error}") from None

    return ask


def _get(parts: SplitResult, lines: Sequence[Pair], timeout_s: float) -> Response:
    assert parts.hostname is not None
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=timeout_s, context=context
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
    named = {name.lower() for name, _ in lines}
    target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    try:
        connection.putrequest("GET", target, skip_host=b"host" in named, skip_accept_encoding=True)
        for name, value in [*(line for line in _LIKE_A_BROWSER if line[0].lower() not in named), *lines]:
            connection.putheader(name.decode("latin-1"), value)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read(MAX_BODY_BYTES)
        headers = Headers((name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.getheaders())
        return Response(answer.status, headers, body)
    finally:
        connection.close()


_LIKE_A_BROWSER: tuple[Pair, ...] = (
    (b"User-Agent", f"optout-gate-probe/{__version__}".encode()),
    (b"Accept", b"text/html,*/*;q=0.8"),
    (b"Accept-Encoding", b"gzip"),
    (b"Sec-Fetch-Dest", b"document"),
    (b"Sec-Fetch-Mode", b"navigate"),
    (b"Connection", b"close"),
)
"""What edges route a page's request by."""


def _kept_for(headers: Headers) -> int:
    """Return for how many seconds an answer may be kept without asking; 0 where it says nothing of it."""
    return max(_lifetimes(headers), default=0)


def _lifetimes(headers: Headers) -> Iterator[int]:
    members = [member.lower() for member in headers.members(b"cache-control")]
    if b"no-store" in members or b"no-cache" in members:
        return
    for member in members:
        name, _, value = member.partition(b"=")
        if name in (b"max-age", b"s-maxage") and value.isdigit():
            yield int(value)


def _varies(headers: Headers) -> bool:
    return not {b"sec-gpc", b"*"}.isdisjoint(member.lower() for member in headers.members(b"vary"))

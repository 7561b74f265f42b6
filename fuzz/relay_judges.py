"""What clients and origins saw, read by parsers that are not the gate's: h11 for answers, h11 and llhttp for requests.

* What an origin gets over a connection is one whole request after the other, to both parsers the same; it is the request
  that the client sent, less what the gate's own rules take out; and the next one comes only when the answer to the one
  before has ended, with nothing behind it.
* What a client gets is one answer for each of its requests, in their order, and at most one refusal behind them. An
  answer that is not the gate's own has the status and, for who said nothing, the body that the origin sent for this very
  request; where the client got less, it was told so.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import h11
import httptools

from wires import Wire

LONGEST_EVENT = 1 << 22
OWN_ERRORS = frozenset(
    {
        b"The website behind this gate did not answer.\n",
        b"This page cannot be shown with your privacy choice honoured. Please try again later.\n",
    }
)
"""What the gate says in an answer's stead."""
SAYS_SOMETHING = frozenset({b"sec-gpc", b"cookie", b"dnt"})
REFUSALS = frozenset({400, 408, 413})
"""What a body can be refused with."""
PORT_OF_SHOP = 1
_ASCII = bytes(min(each, 0x7E) for each in range(256))
"""For h11, which takes no byte above 126 in a target; llhttp and the gate do."""
_OURS = frozenset({b"via", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"host"})
"""Fields that the gate writes."""
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})

Pairs = tuple[tuple[bytes, bytes], ...]


class Reading(NamedTuple):
    """An answer as h11 reads it.

    Attributes:
        status: of the final answer; 0 while it has no head.
        complete: its end is there.
        rest: what came behind it.
        problem: why it is none.
    """

    status: int = 0
    headers: Pairs = ()
    body: bytes = b""
    complete: bool = False
    rest: bytes = b""
    problem: str = ""


@lru_cache(maxsize=1024)
def read_request(data: bytes) -> tuple[bytes, int, int]:
    """Return method, fields and length of body of the one request that ``data`` is to h11."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LONGEST_EVENT)
    head, blank, body = data.partition(b"\r\n\r\n")
    connection.receive_data(head.translate(_ASCII) + blank + body)
    method, fields, length = b"", 0, 0
    try:
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Request):
                method, fields = event.method, len(list(event.headers))
            else:
                assert isinstance(event, h11.Data), f"{event!r} in {data!r}"
                length += len(event.data)
    except h11.RemoteProtocolError as error:
        raise AssertionError(f"an origin was sent {data!r}: {error}") from error
    assert not connection.trailing_data[0], f"more than one request: {data!r}"
    return method, fields, length


@lru_cache(maxsize=1024)  # the same three times, and for what every script begins and ends with
def read_answer(method: str, data: bytes, *, ended: bool) -> Reading:
    """Return the first answer in ``data``; ``ended`` says that nothing comes behind it any more."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=LONGEST_EVENT)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    status, body, told = 0, bytearray(), False
    headers: Pairs = ()
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Response):
                status, headers = event.status_code, tuple(event.headers)
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return Reading(status, headers, bytes(body), True, connection.trailing_data[0])
            elif event is h11.NEED_DATA and ended and not told:
                told = True
                connection.receive_data(b"")
            elif not isinstance(event, h11.InformationalResponse):
                return Reading(status, headers, bytes(body))
    except h11.RemoteProtocolError as error:
        return Reading(status, headers, bytes(body), problem=str(error))


class _Callbacks:
    """What llhttp finds in a request."""

    def __init__(self) -> None:
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.complete = 0

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete += 1


@dataclass
class Accepted:
    """A request that the application was given."""

    method: str
    target: bytes
    headers: Pairs
    arrivals: "list[Arrival]" = field(default_factory=list)

    @property
    def is_silent(self) -> bool:
        """Whether nothing opts out, neither its fields nor its address."""
        return not self.target.startswith(b"/always") and SAYS_SOMETHING.isdisjoint(
            name.lower() for name, _ in self.headers
        )

    @property
    def has_body(self) -> bool:
        """Whether it says that it has a body."""
        return not _FRAMING.isdisjoint(name.lower() for name, _ in self.headers)


class Arrival:
    """A request at an origin, and what the origin said since."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.raw = b""
        self.answer = b""
        self.found = _Callbacks()
        self.complete = False
        self._llhttp = httptools.HttpRequestParser(self.found)

    def feed(self, data: bytes) -> None:
        """Take more of it. Raises AssertionError where it is anything but one request."""
        self.raw += data
        try:
            self._llhttp.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise AssertionError(f"an origin was sent {self.raw!r}: {error!r}") from error
        assert self.found.complete < 2, f"more than one request: {self.raw!r}"
        self.complete = self.found.complete == 1
        if self.complete:
            read = read_request(self.raw)
            assert read == (self._llhttp.get_method(), len(self.found.headers), len(self.found.body)), (
                f"{read} of {self.raw!r}"
            )

    def reading(self) -> Reading:
        """Return the answer as far as it has come."""
        return read_answer(self.raw.partition(b" ")[0].decode(), self.answer, ended=self.wire.left)

    def check(self, accepted: Accepted, said: bytes, port: int) -> None:
        """Hold it to the request that it is."""
        found = self.found
        names = [name.lower() for name, _ in found.headers]
        assert names.count(b"host") == 1, f"hosts: {self.raw!r}"
        assert len(_FRAMING.intersection(names)) <= 1, f"two framings: {self.raw!r}"
        [host] = [value for name, value in accepted.headers if name.lower() == b"host"]
        is_shop = host.strip(b" \t").partition(b":")[0].rstrip(b".").lower() == b"shop.test"
        assert (port == PORT_OF_SHOP) is is_shop, f"{host!r} was asked of port {port}"
        assert self.raw.startswith(accepted.method.encode() + b" "), f"{accepted} became {self.raw!r}"
        if accepted.is_silent:
            assert found.target == accepted.target, f"{accepted} became {self.raw!r}"
            own = {(name, value.strip(b" \t")) for name, value in accepted.headers}
            for name, value in found.headers:
                is_ours = name.lower() in _OURS | _FRAMING
                assert is_ours or (name, value.strip(b" \t")) in own, f"{name!r}: {self.raw!r}"
        for name, value in accepted.headers:
            assert name in said and value in said, f"{name!r}: {value!r} was never said by this client"


class Noted:
    """What happened between the two sides of one world.

    Attributes:
        origins: connections to them, in their order.
        wrong: what was found amiss on the way.
    """

    def __init__(self) -> None:
        self.origins: list[Wire] = []
        self.wrong: list[str] = []
        self._ports: list[int] = []
        self._asked: list[Wire] = []  # the last one last
        self._last: dict[Wire, Arrival] = {}
        self._clients: dict[int, tuple[Wire, bytearray, list[Accepted]]] = {}

    # What happens

    def connected(self, wire: Wire) -> None:
        """Note a client."""
        self._clients[wire.get_extra_info("peername")[1]] = wire, bytearray(), []

    def reached(self, port: int) -> Wire:
        """Return a new connection to an origin."""
        wire = Wire(("127.0.0.1", port), self._arrived)
        self.origins.append(wire)
        self._ports.append(port)
        return wire

    def say(self, wire: Wire, data: bytes) -> None:
        """Say something to the gate."""
        port = wire.get_extra_info("peername")[1]
        if wire in self.origins:
            if wire in self._last and not (wire.left or wire.is_closing()):
                self._last[wire].answer += data
        else:
            self._clients[port][1].extend(data)
        wire.say(data)

    def accepted(self, port: int, method: str, target: bytes, headers: Pairs) -> Accepted:
        """Note a request that the application has."""
        accepted = Accepted(method, target, headers)
        self._clients[port][2].append(accepted)
        return accepted

    def left(self, port: int) -> None:
        """Note that the application does not have it after all."""
        self._clients[port][2].pop()

    def _arrived(self, wire: Wire, data: bytes) -> None:
        try:
            self._take(wire, data)
        except AssertionError as error:
            self.wrong.append(str(error))

    def _take(self, wire: Wire, data: bytes) -> None:
        last = self._last.get(wire)
        if last is None or last.complete:
            if last is not None:
                reading = last.reading()
                rest = reading.rest.strip(b"\r\n")  # llhttp passes over empty lines behind a chunked body
                assert reading.complete and not rest, f"{data!r} was sent while {last.answer!r} was the answer"
            last = self._last[wire] = Arrival(wire)
            if wire in self._asked:
                self._asked.remove(wire)
            self._asked.append(wire)
        begins = not last.raw
        last.feed(data)
        if begins:  # with its whole head
            [address] = [value for name, value in last.found.headers if name.lower() == b"x-forwarded-for"]
            client = int(address.removeprefix(b"10.0.0."))
            _, said, accepted = self._clients[client]
            accepted[-1].arrivals.append(last)
            last.check(accepted[-1], bytes(said), self._ports[self.origins.index(wire)])

    def open_origins(self) -> list[Wire]:
        """Return the connections over which an origin can answer, the one asked last at the end."""
        return [wire for wire in self._asked if not (wire.is_closing() or wire.left)]

    # What is seen at the end

    def asked(self) -> list[bytes]:
        """Return what each connection to an origin was sent."""
        return [bytes(wire.sent) for wire in self.origins]

    def judge(self, counted: dict[Any, float]) -> None:
        """Hold all that clients got to all that origins said, and the counts to both."""
        assert not self.wrong, "\n".join(self.wrong)
        for wire, _, accepted in self._clients.values():
            self._judge_client(wire, accepted)
        exchanges = sum(len(accepted) for _, _, accepted in self._clients.values())
        own = sum(n for (name, *_), n in counted.items() if name == "optout_gate_own_page_responses_total")
        unknown = counted.get(("optout_gate_refused_requests_total", ("reason", "unknown_host")), 0)
        told = sum(n for (name, *_), n in counted.items() if name == "optout_gate_requests_total")
        assert told + own + unknown == exchanges, f"{exchanges} exchanges, and counted are {counted}"
        assert not counted.get(("optout_gate_inflight_requests",)), "something is still counted as under way"

    def _judge_client(self, wire: Wire, accepted: list[Accepted]) -> None:
        rest = bytes(wire.sent)
        for each in accepted:
            read = read_answer(each.method, rest, ended=wire.over and not wire.was_reset)
            assert not read.problem or wire.cut or wire.left, f"a client got {bytes(wire.sent)!r}: {read.problem}"
            if not read.status:
                assert not rest or wire.cut or wire.left, f"a client got {bytes(wire.sent)!r}"
                assert wire.cut or wire.left, f"{each} was never answered: {bytes(wire.sent)!r}"
                return
            _judge_answer(each, read)
            rest = read.rest
            if not read.complete:
                assert wire.cut or wire.left, f"{each} was answered in part, and nobody said so: {bytes(wire.sent)!r}"
                return
        if rest:
            read = read_answer("GET", rest, ended=wire.over)
            whole = read.complete and not read.rest and read.status >= 400
            assert whole or wire.left, f"behind the answers a client got {rest!r}"


def _judge_answer(accepted: Accepted, read: Reading) -> None:
    """Hold an answer to what the origin said."""
    is_own = not accepted.arrivals or read.body in OWN_ERRORS or (accepted.method == "HEAD" and read.status >= 500)
    is_own = is_own or (read.status in REFUSALS and accepted.has_body)
    if is_own:
        return
    came = accepted.arrivals[-1].reading()
    told = f"{accepted.arrivals[-1].answer!r} became {read!r}"
    assert not came.problem or not read.complete, f"{came.problem}: {told}"
    assert came.status == read.status, told
    assert came.complete or not read.complete, told
    if accepted.is_silent:
        assert came.body == read.body if read.complete else came.body.startswith(read.body), told

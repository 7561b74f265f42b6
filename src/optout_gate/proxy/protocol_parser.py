"""The reading half of :class:`~optout_gate.proxy.protocol.GateProtocol`: bytes in, judged requests out.

httptools gathers a field until it is complete, however long, and gives trailers to the same callback as header
fields. So bytes are counted before they are fed, an unfinished head gets no more than its limit, and the list of
fields is closed when the head is.
"""

from abc import abstractmethod
from typing import Any, ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from optout_gate.http import Pair, path_of
from optout_gate.policy.limits import ServerLimits
from optout_gate.proxy.known_heads import Head
from optout_gate.proxy.protocol_head import Meaning, Refusal, framing_head, judge


class GuardedParsing(HttpToolsProtocol):
    """Parses requests within limits."""

    limits: ClassVar[ServerLimits]
    hostless: ClassVar[bool]  # a request in HTTP/1.0 need not name a host

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._refusal: Refusal | None = None
        self._deaf = False  # no more requests are read from this client
        self.url = b""
        self._in_head = True
        self._reframing = False  # the parser reads a head of our own
        self._head_bytes = 0  # fed since the last message ended; exact while no message ends within one feed
        self._fed = 0  # at once
        self._overhead = 0  # fed within a body without giving any
        self._raw: list[Pair] = []
        self._body_bytes = 0
        self._meaning = Meaning(True, False, 0, False)

    @abstractmethod
    def _refuse(self, refusal: Refusal) -> None:
        """Answer in the application's stead and close."""

    @abstractmethod
    def _begin(self, method: str, version: str, meaning: Meaning) -> None:
        """Take a request whose head is complete: its target and fields stand in ``url`` and ``_raw``."""

    @abstractmethod
    def _may_upgrade(self) -> bool:
        """Return whether nothing stands before a WebSocket."""

    @abstractmethod
    def _become_websocket(self, rest: bytes) -> None:
        """Hand the connection over; ``rest`` came behind the head."""

    @abstractmethod
    def _begin_head(self) -> None:
        """Note that the first byte of a request has come."""

    @abstractmethod
    def _expect_body(self) -> None:
        """Note that bytes have been taken."""

    def data_received(self, data: bytes) -> None:
        """Parse what came, no more of an unfinished head at a time than a head may have."""
        if self._deaf:
            return
        rest: bytes | memoryview = data
        try:
            while rest and not self._deaf:
                part = rest
                if self._in_head:
                    if not self._head_bytes:
                        self._begin_head()
                    if self._head_bytes + len(rest) > self.limits.header_bytes:
                        part = memoryview(rest)[: self.limits.header_bytes - self._head_bytes + 1]
                    self._head_bytes += len(part)
                used = self._feed(part)
                if used == len(rest):
                    break
                rest = memoryview(rest)[used:]
        except Refusal as refusal:
            self._refuse(refusal)
        except httptools.HttpParserError as error:
            self._refuse(self._refusal or Refusal(400, f"not HTTP: {error}"))
        else:
            self._expect_body()

    def _feed(self, part: bytes | memoryview) -> int:
        """Return how much of ``part`` is dealt with."""
        used = len(part)
        self._fed = used
        self._overhead += used
        try:
            self.parser.feed_data(part)
        except httptools.HttpParserUpgrade as upgrade:
            used = upgrade.args[0]
            if self._meaning.websocket:
                self._become_websocket(bytes(part[used:]))
                return len(part)
            # llhttp takes what follows any Upgrade for another protocol. It is the body, and then the next request.
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self._reframing = True
            self.parser.feed_data(framing_head(self._meaning))
            self._reframing = False
        if self._in_head and self._head_bytes > self.limits.header_bytes:
            raise self._too_large()
        if not self._in_head and self._overhead > self.limits.header_bytes:
            raise Refusal(400, "chunk extensions or trailers without end")
        return used

    def _too_large(self) -> Refusal:
        if self._raw or len(self.url) < self.limits.target_bytes:
            return Refusal(431, "the request head is too large")
        return Refusal(414, "the request target is too long")

    # What the parser calls. A refusal raised here comes out of feed_data as a parser error.

    def on_message_begin(self) -> None:
        """Begin a request."""
        if not self._reframing:
            self.url = b""
            self._head_bytes = self._head_bytes or 1  # begun within a feed that another message began
            self._raw = []

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        if not self._reframing:
            self.url += url
            if len(self.url) > self.limits.target_bytes:
                self._stop(Refusal(414, "the request target is too long"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head; one of the trailers is dropped (RFC 9110 §6.5.1)."""
        if self._in_head and not self._reframing:
            self._raw.append((name, value))

    def _stop(self, refusal: Refusal) -> None:
        self._refusal = refusal
        raise refusal

    def on_headers_complete(self) -> None:
        """Judge the head, then call the application or let the request wait its turn."""
        if self._reframing:
            return
        raw = self._raw
        limits = self.limits
        if len(raw) > limits.header_fields:
            self._stop(Refusal(431, "the request has too many header fields"))
        # What is fed at once may end one body and hold all of the next head; then the count of bytes is not exact.
        if self._fed > limits.header_bytes and sum(len(n) + len(v) + 4 for n, v in raw) > limits.header_bytes:
            self._stop(Refusal(431, "the request head is too large"))
        headers = [(name.lower(), value) for name, value in raw]
        version = self.parser.get_http_version()
        method = self.parser.get_method().decode("ascii")
        if self.hostless and version == "1.0" and not any(name == b"host" for name, _ in headers):
            raw.append((b"host", b"localhost"))
            headers.append(raw[-1])
        try:
            meaning = self._meaning = judge(method, self.url, version, headers)
        except Refusal as refusal:
            self._stop(refusal)
        self._in_head = False
        self._overhead = 0
        self._body_bytes = 0
        self._check_body(meaning.length or 0)
        self._body_bytes = 0
        if meaning.websocket and self._should_upgrade_to_ws():
            if not self._may_upgrade():
                self._stop(Refusal(400, "an upgrade behind a request that is not answered yet"))
            return
        if meaning.websocket:
            self._meaning = meaning._replace(websocket=False)
        self._begin(method, version, meaning)

    def _check_body(self, more_bytes: int) -> None:
        """Stop a request whose body is, or is announced to be, larger than may be."""
        if self.limits.body_bytes is not None:
            self._body_bytes += more_bytes
            if self._body_bytes > self.limits.body_bytes:
                self._stop(Refusal(413, "the request body is too large"))

    def _described(self, target: bytes, head: Head) -> dict[str, Any]:
        """Return the ASGI scope of a request."""
        path, _, query = target.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": self.config.asgi_version, "spec_version": "2.3"},
            "http_version": head.version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": head.method,
            "root_path": self.root_path,
            "path": self.root_path + path_of(path),
            "raw_path": self.root_path.encode("ascii") + path,
            "query_string": query,
            "headers": [(name.lower(), value) for name, value in head.headers],
            "state": self.app_state.copy(),
            "extensions": {
                "optout_gate.raw": {"headers": head.headers.pairs, "target": target},
                "optout_gate.reason": {},
                "optout_gate.abort": {},
                "http.response.early_hint": {},
                "optout_gate.leaving": {},
            },
        }

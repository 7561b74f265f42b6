"""A server double for ASGI applications: plays what one visitor sends, keeps every message the application sends back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message

from optout_gate.http import Headers, Pair


@dataclass(slots=True)
class Exchanged:
    """What one call of the application sent.

    Attributes:
        messages: every message that reached the server, in order.
        failure: the exception that left the application, if one did.
    """

    messages: list[Message] = field(default_factory=list)
    failure: BaseException | None = None

    @property
    def start(self) -> Message:
        """The response's first ``http.response.start``."""
        return next(message for message in self.messages if message["type"] == "http.response.start")

    @property
    def status(self) -> int:
        """The response's status."""
        return int(self.start["status"])

    @property
    def headers(self) -> Headers:
        """The response's header lines."""
        return Headers(self.start["headers"])

    @property
    def bodies(self) -> list[bytes]:
        """The pieces of the body, one a message."""
        return [message.get("body", b"") for message in self.messages if message["type"] == "http.response.body"]

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.bodies)

    @property
    def is_complete(self) -> bool:
        """True when the body's end was said."""
        last = [message for message in self.messages if message["type"] == "http.response.body"][-1:]
        return bool(last) and not last[0].get("more_body", False)

    def of(self, kind: str) -> list[Message]:
        """Return the messages of one type."""
        return [message for message in self.messages if message["type"] == kind]


def scope_of(
    target: str = "/",
    *headers: Pair,
    method: str = "GET",
    extensions: Sequence[str] = (),
    kind: str = "http",
    **more: Any,
) -> dict[str, Any]:
    """Return a scope as servers make it: names in lower case, the host first."""
    path, _, query = target.partition("?")
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"www.shop.test"), *((name.lower(), value) for name, value in headers)],
        "server": ("127.0.0.1", 443),
        "client": ("127.0.0.1", 50000),
        "extensions": {name: {} for name in extensions},
        **more,
    }


async def exchange(app: ASGIApp, scope: Mapping[str, Any], *, pieces: Sequence[bytes] = (b"",)) -> Exchanged:
    """Return what ``app`` sends for one request, whose body comes in ``pieces``."""
    incoming: list[Message] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    incoming[-1]["more_body"] = False
    seen = Exchanged()

    async def receive() -> Message:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        seen.messages.append(message)

    try:
        await app(dict(scope), receive, send)
    except Exception as failure:
        seen.failure = failure
    return seen


def answering(*messages: Message | BaseException) -> ASGIApp:
    """Return an application that sends ``messages`` one after the other, and raises the exceptions among them."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            if isinstance(message, BaseException):
                raise message
            await send(message)

    return app


def start(*headers: Pair, status: int = 200, **more: Any) -> Message:
    """Return the head of a page."""
    return {
        "type": "http.response.start",
        "status": status,
        "headers": list(headers) or [(b"content-type", b"text/html")],
        **more,
    }


def body(piece: bytes = b"", *, more: bool = False) -> Message:
    """Return a piece of a body."""
    return {"type": "http.response.body", "body": piece, "more_body": more}

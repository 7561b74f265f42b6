"""A real uvicorn with the gate's protocol in front of a recording application, and a raw client for it."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from optout_gate.proxy.protocol import ServerLimits, gate_protocol

Application = Callable[[Any, Any, Any], Awaitable[None]]


async def read_body(receive: Any) -> bytes:
    """Return the whole request body."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client left")
        body += bytes(message["body"])
        if not message["more_body"]:
            return body


async def answer(send: Any, body: bytes, status: int = 200, headers: Any = (), **start: Any) -> None:
    """Send a whole response with its Content-Length."""
    fields = [(b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": fields, **start})
    await send({"type": "http.response.body", "body": body})


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with method, path and body of the request; nothing when the body never comes."""
    try:
        body = await read_body(receive)
    except ConnectionError:
        return
    await answer(send, b"%b %b %b" % (scope["method"].encode(), scope["raw_path"], body))


@dataclass
class Edge:
    """A server that runs, and every scope its application was called with."""

    port: int
    loop: asyncio.AbstractEventLoop | None = None
    scopes: list[Any] = field(default_factory=list)

    def connect(self, timeout_s: float = 5.0) -> socket.socket:
        """Return a connected socket."""
        return socket.create_connection(("127.0.0.1", self.port), timeout_s)

    def talk(self, *pieces: bytes) -> bytes:
        """Send the pieces and return everything until the server closes; TimeoutError when it does not."""
        with self.connect() as client:
            for piece in pieces:
                client.sendall(piece)
            return until_closed(client)


def until_closed(client: socket.socket) -> bytes:
    """Return what comes until the server closes; a reset counts as closing."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while data := client.recv(65536):
            received += data
    return received


def until(client: socket.socket, end: bytes) -> bytes:
    """Return what comes until it ends with ``end``, or the server closes."""
    received = b""
    while not received.endswith(end):
        data = client.recv(65536)
        if not data:
            break
        received += data
    return received


@contextlib.contextmanager
def edge(application: Application, limits: ServerLimits | None = None, **config: Any) -> Iterator[Edge]:
    """Serve ``application`` on loopback in a thread with uvloop while the block runs."""
    listening = socket.create_server(("127.0.0.1", 0))
    scopes: list[Any] = []

    async def recording(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await application(scope, receive, send)

    options: dict[str, Any] = {
        "http": gate_protocol(limits or ServerLimits()),
        "loop": "uvloop",
        "ws": "websockets-sansio",
        "lifespan": "off",
        "log_config": None,
        "proxy_headers": False,
        "server_header": False,
        "date_header": False,
        "timeout_graceful_shutdown": 2,
    }
    server = uvicorn.Server(uvicorn.Config(recording, **(options | config)))

    door = Edge(listening.getsockname()[1], scopes=scopes)

    def run() -> None:
        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            door.loop = runner.get_loop()
            runner.run(server.serve(sockets=[listening]))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.005)
    try:
        yield door
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()

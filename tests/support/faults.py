"""An origin that breaks as told: raw sockets, one fault a path, and what a visitor makes of the bytes that come back."""

import contextlib
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What the origin does with one request.

    Attributes:
        becomes: the outcome for a visitor who opted out.
        head: the first bytes of the answer, framing left out; empty when there is none.
        body: its pieces, each sent by itself; in chunks, unless ``length`` says otherwise.
        length: the Content-Length that the origin tells.
        breaks: the connection is reset behind the pieces.
        request: further lines of the request.
        method: of the request.
        chunk_bytes: pieces are sent in chunks of this size, where they are; by default each as one.
    """

    becomes: str
    head: bytes = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
    body: Callable[[], Iterable[bytes]] = tuple
    length: int | None = None
    breaks: bool = False
    request: tuple[str, ...] = ()
    method: str = "GET"
    chunk_bytes: int | None = None

    @property
    def is_framed_by_chunks(self) -> bool:
        """True when the origin tells no length beforehand."""
        return self.length is None

    def parts(self) -> Iterator[bytes]:
        """Yield everything that the origin writes."""
        if not self.head:
            return
        bodiless = self.method == "HEAD" or b" 304 " in self.head[:16]
        if bodiless:
            yield self.head + b"\r\n"
            return
        framing = b"Transfer-Encoding: chunked" if self.length is None else b"Content-Length: %d" % self.length
        yield self.head + framing + b"\r\n\r\n"
        for piece in self.body():
            if self.length is not None:
                yield piece
            elif self.chunk_bytes is None:
                yield b"%x\r\n%b\r\n" % (len(piece), piece)
            else:
                step = self.chunk_bytes
                cut = (piece[at : at + step] for at in range(0, len(piece), step))
                yield b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in cut)
        if self.length is None and not self.breaks:
            yield b"0\r\n\r\n"


class FaultyOrigin:
    """The origin: ``/NAME`` does as the fault of that name says, everything else is answered well.

    Attributes:
        meanwhile: called once a response, after some of a body of several pieces has been sent.
    """

    def __init__(self, faults: Mapping[str, Fault]) -> None:
        self.meanwhile: Callable[[], object] = lambda: None
        origin = self

        class Handler(socketserver.BaseRequestHandler):
            request: socket.socket

            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    origin._serve(self.request, faults)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def _serve(self, connection: socket.socket, faults: Mapping[str, Fault]) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            received = connection.recv(65536)
            if not received:
                return
            head += received
        fault = faults.get(head.split(b" ")[1].decode().removeprefix("/"))
        if fault is None:
            body = b"fine"
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(body), body)
            )
            return
        for number, part in enumerate(fault.parts()):
            if number == 4:  # before the end: behind it, the gate may use this very connection for somebody else
                self.meanwhile()
            connection.sendall(part)
        if fault.breaks:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close with a reset
        connection.close()

    def __enter__(self) -> "FaultyOrigin":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(TIMEOUT_S)


@dataclass(frozen=True, slots=True)
class Got:
    """What a visitor got.

    Attributes:
        status: 0 when nothing came.
        head: status line and header lines.
        body: framing taken off.
        complete: the framing said that it is whole.
    """

    status: int
    head: bytes
    body: bytes
    complete: bool

    def field(self, name: str) -> bytes:
        """Return the values of a field, joined."""
        lines = [line.partition(b":") for line in self.head.split(b"\r\n")[1:]]
        return b", ".join(value.strip() for key, _, value in lines if key.decode().lower() == name.lower())


def visit(address: tuple[str, int], path: str, *lines: str, method: str = "GET") -> Got:
    """Return what one request brings, read until the other side closes."""
    text = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: shop.test", *lines, "Connection: close", "", ""])
    received = bytearray()
    with socket.create_connection(address, TIMEOUT_S) as client, contextlib.suppress(ConnectionResetError):
        client.sendall(text.encode())
        while data := client.recv(1 << 20):
            received += data
    head, end, rest = bytes(received).partition(b"\r\n\r\n")
    if not end:
        return Got(0, head, b"", False)
    got = Got(int(head.split(b" ")[1]), head, rest, True)
    if method == "HEAD" or got.status in (204, 304):
        return got
    if got.field("transfer-encoding") == b"chunked":
        return Got(got.status, head, *_dechunked(rest))
    return Got(got.status, head, rest, len(rest) == int(got.field("content-length") or len(rest)))


def _dechunked(data: bytes) -> tuple[bytes, bool]:
    out: list[bytes] = []
    at = 0
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            return b"".join(out), False
        size = int(data[at:end], 16)
        if size == 0:
            return b"".join(out), True
        out.append(data[end + 2 : end + 2 + size])
        at = end + 2 + size + 2

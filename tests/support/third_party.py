"""A third party on loopback that remembers who called: every request carries the id of the call it proves.

It answers by the ending of the path (a script, a picture, a style sheet, an event stream ...), so that whatever
asked goes on as it would with a real server, and closes each connection so that no browser limit on connections
per host holds a later call back.
"""

import base64
import socketserver
import threading
from typing import Any

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
ANSWERS: dict[str, tuple[str, bytes]] = {
    "js": ("text/javascript", b"0;"),
    "css": ("text/css", b"x{}"),
    "gif": ("image/gif", PIXEL),
    "html": ("text/html", b"<!doctype html><p>third party"),
    "svg": ("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    "vtt": ("text/vtt", b"WEBVTT\n\n"),
    "txt": ("text/plain", b"ok"),
}
RAW_CALL = "raw"
"""The id of a connection that does not speak HTTP (TURN over TCP)."""


class ThirdParty:
    """A server on a loopback port; ``hits`` are the ids that were called, as in ``/hit/ID/x.gif``."""

    def __init__(self) -> None:
        self.hits: set[str] = set()
        hits = self.hits

        class Answer(socketserver.StreamRequestHandler):
            timeout = 5

            def handle(self) -> None:
                try:
                    answer(self.rfile, self.wfile, hits)
                except OSError:
                    return

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Answer)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def answer(incoming: Any, outgoing: Any, hits: set[str]) -> None:
    """Note one request and answer it."""
    start = incoming.read(1)
    if not start:
        return
    if not start.isalpha():
        hits.add(RAW_CALL)
        return
    method, target, _ = (start + incoming.readline()).decode("latin-1").split(" ", 2)
    length = 0
    while (line := incoming.readline().strip()) != b"":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    incoming.read(length)
    if method != "OPTIONS":
        hits.add(target.split("/")[2] if target.startswith("/hit/") else target)
    kind, body = ANSWERS.get(target.rsplit(".", 1)[-1], ANSWERS["txt"])
    status = "204 No Content" if target.endswith(".event") else "200 OK"
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {0 if status[0:3] == '204' else len(body)}\r\n"
        "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Headers: *\r\nCache-Control: no-store\r\n"
        "Timing-Allow-Origin: *\r\nConnection: close\r\n\r\n"
    )
    outgoing.write(head.encode() + (b"" if status[0:3] == "204" else body))

"""A real Chromium, and a server that plays every third party there is."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
import uvicorn
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

LOOPBACK_ONLY = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
"""A flag under which no name but this machine's is found."""


@contextlib.contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """Run Debian's Chromium, or skip where it is not installed."""
    if not CHROMIUM.exists():
        pytest.skip("needs Debian's chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *arguments])
        yield browser
        browser.close()


class ThirdParties:
    """One TLS server on loopback that answers for every host name, and counts who was asked for."""

    def __init__(self) -> None:
        self.hits: Counter[str] = Counter()
        hits = self.hits

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                hits[self.headers.get("Host", "").partition(":")[0]] += 1
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                # A library that is there and does nothing: UET's bootstrap calls `new UET` once it has loaded.
                body = b"window.UET=window.UET||function(){this.push=function(){}};" if "bat.js" in self.path else b""
                self.send_response(200)
                self.send_header("Content-Type", "text/javascript")
                self.send_header("Access-Control-Allow-Origin", "*")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_HEAD = do_OPTIONS = answer

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """Say nothing: browsers drop connections as they please."""

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority = trustme.CA()
        authority.issue_cert("third-party.test").configure_cert(context)
        self._server = Quiet(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def browser_arguments(self) -> tuple[str, ...]:
        """Flags that lead every host but loopback to this server."""
        port = self._server.server_port
        return (
            f"--host-resolver-rules=MAP *:443 127.0.0.1:{port}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            "--ignore-certificate-errors",
        )

    def reached(self, host: str) -> bool:
        """Return True when ``host`` or something under it was asked for anything."""
        return any(seen == host or seen.endswith(f".{host}") for seen in self.hits)

    def __enter__(self) -> "ThirdParties":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextlib.contextmanager
def served(app: object) -> Iterator[int]:
    """Serve an ASGI application on loopback; yield its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))  # type: ignore[arg-type]
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
        listener.close()

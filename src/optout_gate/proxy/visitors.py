"""The visitors' side of one process: the protocol, the application, and how both come to an end."""

import asyncio
import contextlib
import gc
import logging
import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

from optout_gate.errors import ConfigError
from optout_gate.gate import Gate
from optout_gate.policy.limits import ServerLimits
from optout_gate.policy.load import Loaded
from optout_gate.proxy.app import ProxyApp
from optout_gate.proxy.protocol import gate_protocol
from optout_gate.proxy.settings import DRAIN_S, Settings, addresses_of, not_moved
from optout_gate.proxy.tls import VisitorsContext
from optout_gate.telemetry.logs import RequestLog, count_mistakes
from optout_gate.telemetry.metrics import Metrics

DEFAULTS = ServerLimits()

log = logging.getLogger("optout_gate")


def list_times(loaded: Loaded) -> dict[str, float]:
    """Return when the file of each filter list was changed, in seconds since 1970, by the list's name in reports."""
    folder = Path(loaded.file).parent
    return {each.vendor.vendor: (folder / each.path).stat().st_mtime for each in loaded.filter_lists}


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to the process it runs in, and waits for a TLS handshake as long as is said.

    uvicorn's own listens with the event loop's 60 seconds. A peer that says nothing has no protocol yet, so no other
    deadline of ours would find it.
    """

    def __init__(self, config: uvicorn.Config, tls_handshake_s: float) -> None:
        super().__init__(config)
        self._tls_handshake_s = tls_handshake_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets=[])
        config = self.config
        made: Any = config.http_protocol_class
        protocol = partial(made, config=config, server_state=self.server_state, app_state=self.lifespan.state)
        for each in sockets or ():
            server = await asyncio.get_running_loop().create_server(
                protocol,
                sock=each,
                ssl=config.ssl,
                backlog=config.backlog,
                ssl_handshake_timeout=self._tls_handshake_s if config.ssl is not None else None,
            )
            self.servers.append(server)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


def running_server(
    app: object,
    *,
    drain_timeout_s: int = DRAIN_S,
    tls_handshake_s: float = DEFAULTS.tls_handshake_s,
    **options: object,
) -> uvicorn.Server:
    """Return a server for ``app`` in the running loop; options are uvicorn's. It leaves signals and logs alone."""
    return _Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]
            log_config=None,
            access_log=False,  # uvicorn's holds addresses and query strings
            proxy_headers=False,  # the gate decides whose word counts
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=drain_timeout_s,
            **options,  # type: ignore[arg-type]
        ),
        tls_handshake_s,
    )


class Visitors:
    """The visitors' side of one process."""

    def __init__(self, settings: Settings, loaded: Loaded, listener: socket.socket) -> None:
        self._settings = settings
        self._listener = listener
        self.metrics = Metrics()
        count_mistakes(self.metrics.internal_errors.inc)
        self._addresses = addresses_of(loaded)
        limits = loaded.config.limits
        self.app = ProxyApp(self._gate(loaded), self.metrics, RequestLog() if settings.log_requests else None)
        self._protocol = gate_protocol(limits.client)
        self._stopping = False
        self.server = running_server(
            self.app,
            drain_timeout_s=settings.drain_timeout_s,
            tls_handshake_s=limits.client.tls_handshake_s,
            http=self._protocol,
            ws="websockets-sansio",
            ws_max_size=limits.upstream.message_bytes,
            lifespan="on",
        )
        self._tls: VisitorsContext | None = None
        if loaded.beside.tls is not None:
            self._tls = VisitorsContext(loaded.beside.tls)
            self.server.config.load()  # which sets ``ssl`` from options that know nothing of a reload
            self.server.config.ssl = self._tls.context

    def reload(self) -> None:
        """Load the configuration anew and swap it in; a wrong one is told and changes nothing."""
        try:
            loaded = self._settings.load()
            self._renew_certificate(loaded)
        except ConfigError as error:
            self.metrics.reload_failed()
            log.error("configuration not reloaded, the old one stays:\n%s", error)
            return
        self.app.gate = self._gate(loaded)
        self._protocol.keep_within(loaded.config.limits.client)
        self.server.config.ws_max_size = loaded.config.limits.upstream.message_bytes
        for said in not_moved(self._addresses, addresses_of(loaded)):
            log.warning(said)
        log.info("configuration reloaded")

    def _gate(self, loaded: Loaded) -> Gate:
        """Return a gate, made ready to stay: a full collection would go through all that it knows, 20 ms each time."""
        gc.unfreeze()
        self.loaded = loaded
        gate = Gate(loaded, clock=time.perf_counter)
        gate.warm_up()
        self.metrics.describe(gate, lists=list_times(loaded))
        gc.collect()
        gc.freeze()
        return gate

    def _renew_certificate(self, loaded: Loaded) -> None:
        if self._tls is not None and loaded.beside.tls is not None:
            self._tls.renew(loaded.beside.tls)
        elif (self._tls is None) != (loaded.beside.tls is None):
            log.warning("whether visitors come over TLS changes with a restart, not with a reload")

    async def serve(self) -> None:
        """Serve until ``server.should_exit``."""
        await self.server.serve(sockets=[self._listener])

    def stop(self, delay_s: float) -> None:
        """Serve for ``delay_s`` more, then only what is under way; told a second time, end at once.

        Until then every answer says ``Connection: close``. An edge that holds connections for later gives each of
        them up with an answer, and none is closed by us at the moment it sends the next request into it.
        """
        if self._stopping:
            self._leave()
            for task in self.server.server_state.tasks:
                task.cancel()
            return
        self._stopping = True
        self._protocol.draining = True
        if delay_s > 0:
            asyncio.get_running_loop().call_later(delay_s, self._leave)
        else:
            self._leave()

    def _leave(self) -> None:
        self.server.should_exit = True

"""Processes: one that serves visitors and operators, or a supervisor with several workers.

With one worker everything runs in one process and one event loop. With more, the supervisor
(:mod:`optout_gate.proxy.supervisor`) keeps the admin address to itself. Signals, to either: SIGTERM drains and exits,
SIGINT does so without waiting for an edge to notice, a second one of them ends at once; SIGHUP loads the configuration
anew, and a wrong file changes nothing but a line in the log. SIGUSR1, with which logrotate asks nginx to open its files
anew, does nothing: the gate has no log file.
"""

import asyncio
import logging
import signal
import socket
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from optout_gate.policy.load import Loaded
from optout_gate.proxy import service_manager
from optout_gate.proxy.admin import Admin
from optout_gate.proxy.protocol import ServerLimits, gate_protocol
from optout_gate.proxy.settings import AddressInUse, Settings, bind, open_many_files
from optout_gate.proxy.visitors import Visitors, running_server

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

log = logging.getLogger("optout_gate")


def run(settings: Settings) -> int:
    """Serve until told to stop; return the exit code.

    Raises:
        ConfigError: the configuration is wrong.
        CannotStart: an address cannot be bound, or the workers' metrics cannot be written.
    """
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # workers inherit it
    loaded = settings.load()
    open_many_files()
    visitors = bind(loaded.config.listen, "--listen")
    try:
        operators = bind(loaded.config.admin, "--admin")
    except AddressInUse:
        visitors.close()
        raise
    if settings.workers == 1:
        return in_loop(_Single(settings, loaded, visitors, operators).serve())
    from optout_gate.proxy.supervisor import supervised

    return supervised(settings, loaded, visitors, operators)


def in_loop(main: Awaitable[int]) -> int:
    """Return what ``main`` comes to in an event loop of its own."""

    async def started() -> int:
        return await main

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(started())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # no uvloop on this platform: slower, otherwise the same
        return None
    return uvloop.new_event_loop


class Service(ABC):
    """The admin address beside whatever serves visitors, from the first signal of life to the last."""

    def __init__(self, settings: Settings, visitors: socket.socket, operators: socket.socket) -> None:
        self._settings = settings
        self._operators = operators
        self._addresses = (visitors.getsockname(), operators.getsockname())
        self._stopping = False
        self._admin_pages = Admin(self.registry, self._not_ready, self.loaded, self.recent)
        self._admin = running_server(
            self._admin_pages.app, http=gate_protocol(ServerLimits(), hostless=True), lifespan="off"
        )

    @abstractmethod
    def registry(self) -> "CollectorRegistry":
        """Return the metrics of all that serves."""

    @abstractmethod
    def loaded(self) -> Loaded:
        """Return the configuration in force."""

    @abstractmethod
    def recent(self) -> list[dict[str, object]]:
        """Return the last decisions of all that serves."""

    @abstractmethod
    def why_not_ready(self) -> str | None:
        """Return why visitors cannot come yet, or None."""

    @abstractmethod
    def stop(self, delay_s: float) -> None:
        """Begin to end, ``delay_s`` from now; told again, end at once."""

    @abstractmethod
    def reload(self) -> None:
        """Load the configuration anew, or keep the old one."""

    @abstractmethod
    async def serve_visitors(self, ready: Callable[[], None]) -> None:
        """Serve until stopped and drained; call ``ready`` once when visitors may come."""

    def _not_ready(self) -> str | None:
        return "draining" if self._stopping else self.why_not_ready()

    def _stop(self, delay_s: float) -> None:
        service_manager.tell(service_manager.STOPPING)
        self._stopping = True
        self.stop(delay_s)

    def _reload(self) -> None:
        service_manager.tell_reloading()
        self.reload()
        service_manager.tell(service_manager.READY)

    def _ready(self) -> None:
        visitors, operators = map(_shown, self._addresses)
        service_manager.tell(service_manager.READY, f"STATUS=visitors on {visitors}")
        scheme = "https" if self.loaded().beside.tls is not None else "http"
        log.info("ready: visitors on %s://%s, operators on http://%s", scheme, visitors, operators)

    async def serve(self) -> int:
        """Serve until told to stop; return the exit code."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop, self._settings.drain_delay_s)
        loop.add_signal_handler(signal.SIGINT, self._stop, 0.0)  # Ctrl-C: nobody sends requests but who typed it
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        admin = loop.create_task(self._admin.serve(sockets=[self._operators]))
        await until(lambda: self._admin.started or admin.done())
        alive = loop.create_task(service_manager.stay_alive(lambda: self._stopping or self.why_not_ready() is None))
        await self.serve_visitors(self._ready)
        alive.cancel()
        self._admin.should_exit = True
        await admin
        await self._admin_pages.close()
        return 0


class _Single(Service):
    """Visitors and operators in one process."""

    def __init__(self, settings: Settings, loaded: Loaded, visitors: socket.socket, operators: socket.socket) -> None:
        self._visitors = Visitors(settings, loaded, visitors)
        super().__init__(settings, visitors, operators)

    def registry(self) -> "CollectorRegistry":
        return self._visitors.metrics.registry

    def loaded(self) -> Loaded:
        return self._visitors.loaded

    def recent(self) -> list[dict[str, object]]:
        return self._visitors.metrics.recent.entries()

    def why_not_ready(self) -> str | None:
        return None if self._visitors.server.started else "starting"

    def stop(self, delay_s: float) -> None:
        self._visitors.stop(delay_s)

    def reload(self) -> None:
        self._visitors.reload()

    async def serve_visitors(self, ready: Callable[[], None]) -> None:
        visitors = asyncio.get_running_loop().create_task(self._visitors.serve())
        await until(lambda: self._visitors.server.started or visitors.done())
        if self._visitors.server.started:
            ready()
        await visitors


async def until(done: Callable[[], bool]) -> None:
    """Return when ``done`` says so."""
    while not done():
        await asyncio.sleep(0.01)


def _shown(name: tuple[str, int]) -> str:
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

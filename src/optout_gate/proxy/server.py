"""Processes: one that serves visitors and operators, or a supervisor with several workers.

With one worker everything runs in one process and one event loop. With more, the supervisor binds the visitors'
socket, keeps the admin address to itself, starts the workers, restarts one that dies, and reads their metrics together
from files. Signals: SIGTERM and SIGINT drain and exit; SIGHUP loads the configuration anew, and a wrong file changes
nothing but a line in the log.
"""

import asyncio
import contextlib
import logging
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from optout_gate.errors import ConfigError
from optout_gate.gate import Gate
from optout_gate.policy.config import split_address
from optout_gate.policy.load import Loaded, from_upstream, load_file
from optout_gate.proxy import service_manager
from optout_gate.proxy.protocol import ServerLimits, gate_protocol
from optout_gate.telemetry import recent
from optout_gate.telemetry.logs import Form, RequestLog, configure_logging

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

log = logging.getLogger("optout_gate")

DRAIN_S = 25  # for requests under way when the gate is told to stop; Kubernetes kills after 30
DECISIONS_EVERY_S = 1.0  # the page looks every two
RESTART_PAUSE_S = 1.0  # a worker that dies at once is not restarted in a tight loop


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``serve`` was asked for. Plain values: they cross into worker processes."""

    config: Path | None
    upstream: str | None
    listen: str | None
    admin: str | None
    workers: int = 1
    log_format: Form = "text"
    log_requests: bool = False

    def load(self) -> Loaded:
        """Return the configuration, with the flags over the file.

        Raises:
            ConfigError: with everything that is wrong.
        """
        loaded = load_file(self.config) if self.config is not None else from_upstream(self.upstream or "")
        changes: dict[str, object] = {}
        if self.listen is not None:
            changes["listen"] = self.listen
        if self.admin is not None:
            changes["admin"] = self.admin
        if self.config is not None and self.upstream is not None:
            sites = tuple(site.model_copy(update={"upstream": self.upstream}) for site in loaded.config.sites)
            changes["sites"] = sites
        return replace(loaded, config=loaded.config.model_copy(update=changes))


def list_times(loaded: Loaded) -> dict[str, float]:
    """Return when the file of each filter list was changed, in seconds since 1970, by the list's name in reports."""
    folder = Path(loaded.file).parent
    return {each.vendor.vendor: (folder / each.path).stat().st_mtime for each in loaded.filter_lists}


class AddressInUse(Exception):
    """An address cannot be bound; the text says which and why.

    Attributes:
        number: the system's error number.
    """

    def __init__(self, number: int | None, text: str) -> None:
        super().__init__(text)
        self.number = number


def bind(address: str, flag: str) -> socket.socket:
    """Return a listening socket.

    Raises:
        AddressInUse: with the address, the reason, and the flag that chooses another.
    """
    host, port = split_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        text = f"cannot listen on {address}: {error.strerror} ({flag} chooses another address)"
        raise AddressInUse(error.errno, text) from None
    listener.setblocking(False)
    return listener


def run(settings: Settings) -> int:
    """Serve until told to stop; return the exit code.

    Raises:
        ConfigError: the configuration is wrong.
        AddressInUse: an address cannot be bound.
    """
    loaded = settings.load()
    visitors = bind(loaded.config.listen, "--listen")
    try:
        operators = bind(loaded.config.admin, "--admin")
    except AddressInUse:
        visitors.close()
        raise
    if settings.workers == 1:
        return _in_loop(_Single(settings, loaded, visitors, operators).serve())
    return _supervised(settings, loaded, visitors, operators)


def _in_loop(main: Awaitable[int]) -> int:
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


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to the process it runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


def running_server(app: object, **options: object) -> uvicorn.Server:
    """Return a server for ``app`` in the running loop; options are uvicorn's. It leaves signals and logs alone."""
    return _Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]
            log_config=None,
            access_log=False,  # uvicorn's holds addresses and query strings
            proxy_headers=False,  # the gate decides whose word counts
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=DRAIN_S,
            **options,  # type: ignore[arg-type]
        )
    )


class _Visitors:
    """The visitors' side of one process."""

    def __init__(self, settings: Settings, loaded: Loaded, listener: socket.socket) -> None:
        from optout_gate.proxy.app import ProxyApp
        from optout_gate.telemetry.metrics import Metrics

        self._settings = settings
        self.loaded = loaded
        self._listener = listener
        self.metrics = Metrics()
        gate = Gate(loaded, clock=time.perf_counter)
        self.metrics.describe(gate, lists=list_times(loaded))
        self.app = ProxyApp(gate, self.metrics, RequestLog() if settings.log_requests else None)
        self.server = running_server(
            self.app, http=gate_protocol(ServerLimits()), ws="websockets-sansio", lifespan="on"
        )

    def reload(self) -> None:
        """Load the configuration anew and swap it in; a wrong one is told and changes nothing."""
        try:
            loaded = self._settings.load()
        except ConfigError as error:
            self.metrics.reload_failed()
            log.error("configuration not reloaded, the old one stays:\n%s", error)
            return
        self.loaded = loaded
        gate = Gate(loaded, clock=time.perf_counter)
        self.app.gate = gate
        self.metrics.describe(gate, lists=list_times(loaded))
        log.info("configuration reloaded")

    async def serve(self) -> None:
        """Serve until ``server.should_exit``."""
        await self.server.serve(sockets=[self._listener])


class _Single:
    """Visitors and operators in one process."""

    def __init__(self, settings: Settings, loaded: Loaded, visitors: socket.socket, operators: socket.socket) -> None:
        from optout_gate.proxy.admin import Admin

        self._visitors = _Visitors(settings, loaded, visitors)
        self._operators = operators
        self._stopping = False
        admin = Admin(
            lambda: self._visitors.metrics.registry,
            self._not_ready,
            lambda: self._visitors.loaded,
            self._visitors.metrics.recent.entries,
        )
        self._let_go = admin.close
        self._admin = running_server(admin.app, http="httptools", lifespan="off")
        self._addresses = (visitors.getsockname(), operators.getsockname())

    def _not_ready(self) -> str | None:
        if self._stopping:
            return "draining"
        return None if self._visitors.server.started else "starting"

    def _reload(self) -> None:
        service_manager.tell_reloading()
        self._visitors.reload()
        service_manager.tell(service_manager.READY)

    def _stop(self) -> None:
        service_manager.tell(service_manager.STOPPING)
        if self._stopping:  # told twice: at once
            self._visitors.server.force_exit = True
        self._stopping = True
        self._visitors.server.should_exit = True

    async def serve(self) -> int:
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        admin = loop.create_task(self._admin.serve(sockets=[self._operators]))
        visitors = loop.create_task(self._visitors.serve())
        await _until(lambda: (self._visitors.server.started and self._admin.started) or visitors.done() or admin.done())
        if self._visitors.server.started and self._admin.started:
            _say_ready(*self._addresses)
        alive = loop.create_task(service_manager.stay_alive(lambda: True))
        await visitors
        alive.cancel()
        self._admin.should_exit = True
        await admin
        await self._let_go()
        return 0


async def _until(done: Callable[[], bool]) -> None:
    while not done():
        await asyncio.sleep(0.01)


def _say_ready(visitors: tuple[str, int], operators: tuple[str, int]) -> None:
    service_manager.tell(service_manager.READY, f"STATUS=visitors on {_shown(visitors)}")
    log.info("ready: visitors on http://%s, operators on http://%s", _shown(visitors), _shown(operators))


def _shown(name: tuple[str, int]) -> str:
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


# Several workers


def _work(settings: Settings, listener: socket.socket) -> None:
    """Serve visitors in a process of its own."""
    configure_logging(settings.log_format)
    visitors = _Visitors(settings, settings.load(), listener)

    async def main() -> int:
        loop = asyncio.get_running_loop()

        def stop() -> None:
            visitors.server.should_exit = True

        loop.add_signal_handler(signal.SIGTERM, stop)
        loop.add_signal_handler(signal.SIGHUP, visitors.reload)
        loop.add_signal_handler(signal.SIGINT, lambda: None)  # the terminal's goes to the supervisor as well
        writing = loop.create_task(_write_decisions(visitors))
        await visitors.serve()
        writing.cancel()
        return 0

    sys.exit(_in_loop(main()))


async def _write_decisions(visitors: _Visitors) -> None:
    """Write a worker's last decisions where the supervisor's page reads them."""
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    while True:
        try:
            visitors.metrics.recent.write(folder)
        except OSError as error:
            log.error("the last decisions cannot be written to %s: %s", folder, error.strerror)
            return
        await asyncio.sleep(DECISIONS_EVERY_S)


def _supervised(settings: Settings, loaded: Loaded, visitors: socket.socket, operators: socket.socket) -> int:
    folder = tempfile.mkdtemp(prefix="optout-gate-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # read by prometheus-client when the workers import it
    try:
        return _in_loop(_Supervisor(settings, loaded, visitors, operators, folder).serve())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Supervisor:
    """Starts workers, keeps their number, and serves operators."""

    def __init__(
        self, settings: Settings, loaded: Loaded, visitors: socket.socket, operators: socket.socket, folder: str
    ) -> None:
        from optout_gate.proxy.admin import Admin

        self._settings = settings
        self._loaded = loaded
        self._listener = visitors
        self._operators = operators
        self._folder = folder
        self._stopping = False
        self._spawn = multiprocessing.get_context("spawn")
        self._workers: list[BaseProcess] = []
        admin = Admin(
            self._registry, self._not_ready, lambda: self._loaded, lambda: recent.read_together(Path(self._folder))
        )
        self._let_go = admin.close
        self._admin = running_server(admin.app, http="httptools", lifespan="off")

    def _registry(self) -> "CollectorRegistry":
        from prometheus_client import CollectorRegistry
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=self._folder)  # type: ignore[no-untyped-call]
        return registry

    def _not_ready(self) -> str | None:
        if self._stopping:
            return "draining"
        return None if any(worker.is_alive() for worker in self._workers) else "no worker is alive"

    def _start_worker(self) -> BaseProcess:
        worker = self._spawn.Process(target=_work, args=(self._settings, self._listener), daemon=False)
        worker.start()
        return worker

    def _stop(self) -> None:
        service_manager.tell(service_manager.STOPPING)
        self._stopping = True

    def _reload(self) -> None:
        service_manager.tell_reloading()
        try:
            self._loaded = self._settings.load()
        except ConfigError as error:
            log.error("configuration not reloaded, the old one stays:\n%s", error)
        # Each worker reads the file by itself, and says in its metrics whether it is good.
        for worker in self._workers:
            if worker.pid is not None and worker.is_alive():
                os.kill(worker.pid, signal.SIGHUP)
        service_manager.tell(service_manager.READY)

    async def serve(self) -> int:
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        admin = loop.create_task(self._admin.serve(sockets=[self._operators]))
        self._workers = [self._start_worker() for _ in range(self._settings.workers)]
        await _until(lambda: self._admin.started or admin.done())
        _say_ready(self._listener.getsockname(), self._operators.getsockname())
        log.info("%d workers: %s", len(self._workers), ", ".join(str(worker.pid) for worker in self._workers))
        alive = loop.create_task(service_manager.stay_alive(lambda: self._not_ready() is None or self._stopping))
        while not self._stopping:
            await asyncio.sleep(0.2)
            for index, worker in enumerate(self._workers):
                if not worker.is_alive() and not self._stopping:
                    self._bury(worker)
                    await asyncio.sleep(RESTART_PAUSE_S)
                    self._workers[index] = self._start_worker()
        await self._drain()
        alive.cancel()
        self._admin.should_exit = True
        await admin
        await self._let_go()
        return 0

    def _bury(self, worker: BaseProcess) -> None:
        from prometheus_client.multiprocess import mark_process_dead

        log.error("worker %s died (exit code %s); starting another", worker.pid, worker.exitcode)
        if worker.pid is not None:
            mark_process_dead(worker.pid, path=self._folder)  # type: ignore[no-untyped-call]
            recent.forget(Path(self._folder), worker.pid)

    async def _drain(self) -> None:
        self._listener.close()
        for worker in self._workers:
            worker.terminate()
        deadline = time.monotonic() + DRAIN_S + 2
        while any(worker.is_alive() for worker in self._workers) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        for worker in self._workers:
            if worker.is_alive():
                worker.kill()
            worker.join()

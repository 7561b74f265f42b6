"""Several workers under one supervisor.

The supervisor binds the visitors' socket, which every worker accepts from, and keeps the admin address to itself. It
starts the workers, restarts one that dies, and reads their metrics together from files.
"""

import asyncio
import logging
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from optout_gate.errors import ConfigError
from optout_gate.policy.load import Loaded
from optout_gate.proxy.server import Service, in_loop, until
from optout_gate.proxy.settings import CannotStart, Settings
from optout_gate.telemetry.logs import configure_logging
from optout_gate.telemetry.recent import Recent, forget, read_together

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from optout_gate.proxy.visitors import Visitors

log = logging.getLogger("optout_gate")

DECISIONS_EVERY_S = 1.0  # the page looks every two
RESTART_PAUSE_S = 1.0  # a worker that dies at once is not restarted in a tight loop


def supervised(settings: Settings, loaded: Loaded, visitors: socket.socket, operators: socket.socket) -> int:
    """Serve with ``settings.workers`` processes until told to stop; return the exit code."""
    try:
        folder = tempfile.mkdtemp(prefix="optout-gate-metrics-")
    except OSError as error:
        where = error.filename or "a folder for temporary files"
        text = f"cannot write the workers' metrics to {where}: {error.strerror} (TMPDIR names another folder)"
        raise CannotStart(text) from None
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # read by prometheus-client when the workers import it
    try:
        return in_loop(_Supervisor(settings, loaded, visitors, operators, folder).serve())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _work(settings: Settings, listener: socket.socket) -> None:
    """Serve visitors in a process of its own."""
    from optout_gate.proxy.visitors import Visitors

    configure_logging(settings.log_format)
    try:
        loaded = settings.load()
    except ConfigError as error:  # the file was good when the gate was started, and a worker has died since
        log.error("a worker cannot start:\n%s", error)
        sys.exit(2)
    visitors = Visitors(settings, loaded, listener)

    async def main() -> int:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, visitors.stop, settings.drain_delay_s)
        loop.add_signal_handler(signal.SIGUSR2, visitors.stop, 0.0)
        loop.add_signal_handler(signal.SIGHUP, visitors.reload)
        loop.add_signal_handler(signal.SIGINT, lambda: None)  # the terminal's goes to the supervisor as well
        beside = [loop.create_task(_write_decisions(visitors.metrics.recent)), loop.create_task(_say_serving(visitors))]
        await visitors.serve()
        for each in beside:
            each.cancel()
        return 0

    sys.exit(in_loop(main()))


async def _say_serving(visitors: "Visitors") -> None:
    """Leave a file by which the supervisor knows that visitors may come to this worker."""
    await until(lambda: visitors.server.started)
    _serving(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]), os.getpid()).touch()


def _serving(folder: Path, pid: int | None) -> Path:
    return folder / f"serving-{pid}"


async def _write_decisions(of: Recent) -> None:
    """Write a worker's last decisions where the supervisor reads them for its page."""
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    while True:
        try:
            of.write(folder)
        except OSError as error:
            log.error("the last decisions cannot be written to %s: %s", folder, error.strerror)
            return
        await asyncio.sleep(DECISIONS_EVERY_S)


class _Count(Protocol):
    """A number in a file that is read with the workers'."""

    def inc(self, amount: float) -> None: ...


def _count_of_deaths() -> _Count:
    """Return the count of workers that died, beside the workers' own, which stand at zero.

    The supervisor has imported prometheus-client before there was a folder, so that a counter of its own would be kept in
    its memory and shown to nobody.
    """
    from prometheus_client.values import MultiProcessValue

    from optout_gate.telemetry.series import WORKER_DEATHS

    name, words = WORKER_DEATHS
    in_files = MultiProcessValue()  # type: ignore[no-untyped-call]
    count: _Count = in_files("counter", name.removesuffix("_total"), name, (), (), words)
    return count


class _Supervisor(Service):
    """Starts workers, keeps their number, and serves operators."""

    def __init__(
        self, settings: Settings, loaded: Loaded, visitors: socket.socket, operators: socket.socket, folder: str
    ) -> None:
        super().__init__(settings, visitors, operators)
        self._loaded = loaded
        self._listener = visitors
        self._folder = Path(folder)
        self._spawn = multiprocessing.get_context("spawn")
        self._workers: list[BaseProcess] = []
        self._deaths: _Count | None = None
        self._deadline = 0.0  # on the monotonic clock, when stopping

    def registry(self) -> "CollectorRegistry":
        from prometheus_client import CollectorRegistry
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(self._folder))  # type: ignore[no-untyped-call]
        return registry

    def loaded(self) -> Loaded:
        return self._loaded

    def recent(self) -> list[dict[str, object]]:
        return read_together(self._folder)

    def why_not_ready(self) -> str | None:
        if any(worker.is_alive() and _serving(self._folder, worker.pid).exists() for worker in self._workers):
            return None
        return "no worker serves yet" if any(worker.is_alive() for worker in self._workers) else "no worker is alive"

    def stop(self, delay_s: float) -> None:
        again = self._deadline > 0
        self._deadline = time.monotonic() + (0 if again else delay_s + self._settings.drain_timeout_s + 2)
        self._tell(signal.SIGTERM if delay_s else signal.SIGUSR2)

    def reload(self) -> None:
        try:
            self._loaded = self._settings.load()
        except ConfigError as error:
            log.error("configuration not reloaded, the old one stays:\n%s", error)
        self._tell(signal.SIGHUP)  # each reads the file by itself, and says in its metrics whether it is good

    def _tell(self, what: signal.Signals) -> None:
        for worker in self._workers:
            if worker.pid is not None and worker.is_alive():
                os.kill(worker.pid, what)

    def _start_worker(self) -> BaseProcess:
        worker = self._spawn.Process(target=_work, args=(self._settings, self._listener), daemon=False)
        worker.start()
        return worker

    async def serve_visitors(self, ready: Callable[[], None]) -> None:
        self._workers = [self._start_worker() for _ in range(self._settings.workers)]
        log.info("%d workers: %s", len(self._workers), ", ".join(str(worker.pid) for worker in self._workers))
        is_told = False
        while not self._stopping:
            if not is_told and self.why_not_ready() is None:
                ready()
                is_told = True
            await asyncio.sleep(0.2 if is_told else 0.02)
            for index, worker in enumerate(self._workers):
                if not worker.is_alive() and not self._stopping:
                    self._bury(worker)
                    await asyncio.sleep(RESTART_PAUSE_S)
                    if not self._stopping:
                        self._workers[index] = self._start_worker()
        await self._drain()

    def _bury(self, worker: BaseProcess) -> None:
        from prometheus_client.multiprocess import mark_process_dead

        if self._deaths is None:
            self._deaths = _count_of_deaths()
        self._deaths.inc(1)
        log.error("worker %s died (exit code %s); starting another", worker.pid, worker.exitcode)
        if worker.pid is not None:
            mark_process_dead(worker.pid, path=str(self._folder))  # type: ignore[no-untyped-call]
            forget(self._folder, worker.pid)
            _serving(self._folder, worker.pid).unlink(missing_ok=True)  # a number may come again

    async def _drain(self) -> None:
        self._listener.close()
        while any(worker.is_alive() for worker in self._workers) and time.monotonic() < self._deadline:
            await asyncio.sleep(0.05)
        for worker in self._workers:
            if worker.is_alive():
                worker.kill()
            worker.join()

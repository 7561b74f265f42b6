"""Known consumers as one worker sees them: a cache before the store, and a queue behind it.

A store is a thing that fails, and visitors must not wait for it. So a request waits ``timeout_ms`` at most and then goes
by what was remembered, or by what ``on_failure.choice_store`` says; the answer is kept when it comes, for the next request. After a few failures in a row
nobody waits for a second. What a request teaches (somebody signed in sends the signal) is written behind its back, and
tried again until the store takes it.

The cache keeps an opt-out long and the lack of one shortly, since only a stale "none" can let a tracker through. An
answer that is too old is still better than none when the store does not answer.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from optout_gate.choices.identity import Consumer
from optout_gate.choices.standing import PSEUDONYM_BYTES, Source, Standing, Store, StoreError, prevailing
from optout_gate.policy.config_visitor import ChoicesConfig
from optout_gate.policy.decision import Decision
from optout_gate.signals.kinds import COOKIE, GPC
from optout_gate.signals.reading import Signal
from optout_gate.telemetry.choices import ChoiceMetrics

FAILURES_IN_A_ROW = 5  # one slow answer is chance, five are an outage
PAUSE_S = 1.0  # in which nobody waits; then one failure is enough for the next pause
MAX_ASKED = 1000  # look-ups under way; each is a task of some 3 KB
MAX_UNWRITTEN = 10_000  # choices that wait for the store; those of signals come again with the next request
RETRY_S = (0.1, 0.5, 1.0, 2.0, 5.0)  # between attempts to write; the last for every further one
FLUSH_S = 2.0  # for what is unwritten when the worker stops

_LEARNT = {GPC: Source.GPC, COOKIE: Source.COOKIE}
"""Kinds that go into the store: those that refuse every use. A platform's string that refuses one use alone would become
more than was said."""

NO_ANSWER = "the store of choices does not answer; visitors go by their own signals meanwhile"

log = logging.getLogger("optout_gate.choices")


@dataclass(frozen=True, slots=True)
class _Remembered:
    """What the store answered, and until when that is taken for true (seconds of the clock)."""

    standing: Standing | None
    until: float


class KnownConsumers:
    """The standing choices, for one worker. Belongs to one event loop."""

    def __init__(
        self,
        store: Store,
        config: ChoicesConfig,
        metrics: ChoiceMetrics,
        *,
        clock: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        """Take where choices stand, and two clocks: a steady one in seconds, and the time of day."""
        self._store = store
        self._timeout_s = config.timeout_ms / 1000
        self._backend = config.backend
        self._cache = config.cache
        self._metrics = metrics
        self._clock = clock
        self.now_ms = now_ms
        self._remembered: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._asked: dict[bytes, asyncio.Task[None]] = {}
        self._unwritten: OrderedDict[bytes, Standing] = OrderedDict()
        self._writer: asyncio.Task[None] | None = None
        self._written = asyncio.Event()
        self._failures = 0
        self._paused_until = 0.0

    async def greet(self) -> None:
        """Ask the store for nobody, so that one that does not answer is told in the log before anybody needs it."""
        try:
            await self._store.look_up(bytes(PSEUDONYM_BYTES))
        except StoreError as error:
            log.error("%s (%s)", NO_ANSWER, error)

    async def look_up(self, name: bytes, *, fresh: bool = False) -> Standing | None:
        """Return what stands under a pseudonym, as far as it can be told within the time-out. Never raises.

        ``fresh`` asks the store whatever is remembered: for the gate's own pages, which say what is in force.
        """
        remembered = self._remembered.get(name)
        if remembered is not None:
            self._remembered.move_to_end(name)
            if not fresh and self._clock() < remembered.until:
                self._metrics.looked_up("cached")
                return self._latest(name)
        if self._clock() < self._paused_until:
            self._metrics.looked_up("paused")
            return self._latest(name)
        task = self._asked.get(name)
        if task is None:
            if len(self._asked) >= MAX_ASKED:
                self._metrics.looked_up("busy")
                return self._latest(name)
            task = self._asked[name] = asyncio.create_task(self._ask(name))
        begun = self._clock()
        done, _ = await asyncio.wait({task}, timeout=self._timeout_s)
        self._metrics.waited(self._backend, self._clock() - begun)
        if not done:
            self._metrics.looked_up("timeout")
            self._failed()
        return self._latest(name)

    def has_heard_of(self, name: bytes) -> bool:
        """Return True when the store has answered for a pseudonym, however long ago, or a choice waits for it."""
        return name in self._remembered or name in self._unwritten

    def learn(self, name: bytes, known: Standing | None, decision: Decision) -> None:
        """Take an opt-out that a request of a signed-in consumer carried, if it is news."""
        if known is not None and known.out:
            return
        source = next((_LEARNT[signal.kind] for signal in decision.because if signal.kind in _LEARNT), None)
        if source is not None:
            self._take(name, Standing(True, self.now_ms(), source))

    async def choose(self, name: bytes, *, out: bool, source: Source) -> bool:
        """Take a choice, wait for the store as long as a request may, and return whether the store has it."""
        self._take(name, Standing(out, self.now_ms(), source))
        deadline = self._clock() + self._timeout_s
        while name in self._unwritten:
            left = deadline - self._clock()
            if left <= 0:
                return False
            self._written.clear()
            try:
                await asyncio.wait_for(self._written.wait(), left)
            except TimeoutError:
                return False
        return True

    async def close(self) -> None:
        """Write what is unwritten, within two seconds, and let go of the store."""
        if self._writer is not None:
            await asyncio.wait({self._writer}, timeout=FLUSH_S)
            self._writer.cancel()
        for task in self._asked.values():
            task.cancel()
        if self._unwritten:
            log.error("%d choices of known consumers could not be written", len(self._unwritten))
        await self._store.close()

    def _latest(self, name: bytes) -> Standing | None:
        remembered = self._remembered.get(name)
        return prevailing(remembered.standing if remembered is not None else None, self._unwritten.get(name))

    async def _ask(self, name: bytes) -> None:
        before = self._remembered.get(name)
        try:
            standing = await self._store.look_up(name)
        except StoreError as error:
            self._metrics.looked_up("error")
            self._failed(error)
        else:
            self._metrics.looked_up("stands" if standing is not None else "none")
            if self._failures >= FAILURES_IN_A_ROW:
                log.info("the store of choices answers again")
            self._failures = 0
            now = self._remembered.get(name)
            if now is not None and now is not before:  # written while the store was answering
                standing = prevailing(standing, now.standing)
            self._remember(name, standing)
        finally:
            self._asked.pop(name, None)

    def _remember(self, name: bytes, standing: Standing | None) -> None:
        out = standing is not None and standing.out
        seconds = self._cache.opted_out_s if out else self._cache.others_s
        self._remembered[name] = _Remembered(standing, self._clock() + seconds)
        self._remembered.move_to_end(name)
        while len(self._remembered) > self._cache.entries:
            self._remembered.popitem(last=False)

    def _failed(self, error: StoreError | None = None) -> None:
        self._failures += 1
        if self._failures < FAILURES_IN_A_ROW:
            return
        if self._failures == FAILURES_IN_A_ROW:
            log.error("%s (%s)", NO_ANSWER, error or f"not within {self._timeout_s * 1000:g} ms")
        self._paused_until = self._clock() + PAUSE_S

    def _take(self, name: bytes, standing: Standing) -> None:
        waiting = self._unwritten.get(name)
        if waiting is None and len(self._unwritten) >= MAX_UNWRITTEN:
            self._metrics.wrote(standing.source.value, "dropped")
            return
        latest = prevailing(waiting, standing)
        assert latest is not None
        self._unwritten[name] = latest
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        """Write what waits, one after the other, until nothing does."""
        attempts = 0
        while self._unwritten:
            name, standing = next(iter(self._unwritten.items()))
            try:
                stands = await self._store.apply(name, standing)
            except StoreError as error:
                if attempts == 0:
                    log.error("a choice could not be written and is tried again: %s", error)
                self._metrics.wrote(standing.source.value, "error")
                await asyncio.sleep(RETRY_S[min(attempts, len(RETRY_S) - 1)])
                attempts += 1
                continue
            attempts = 0
            self._metrics.wrote(standing.source.value, "written")
            self._remember(name, stands)
            if self._unwritten.get(name) is standing:  # else a later choice came meanwhile
                del self._unwritten[name]
            self._written.set()


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A signed-in consumer, during one request.

    Attributes:
        consumer: who.
        standing: what stands for them, as the request found it.
        consumers: where a new choice goes.
    """

    consumer: Consumer
    standing: Standing | None
    consumers: KnownConsumers

    @property
    def signal(self) -> Signal | None:
        """Their standing opt-out as a signal, or None."""
        return self.standing.signal if self.standing is not None else None

    @property
    def may_take_back(self) -> bool:
        """True when their word is good enough to take an opt-out back."""
        return self.consumer.may_take_back

    @property
    def untold(self) -> bool:
        """True when the store has not said what stands for them, now or ever before."""
        return self.standing is None and not self.consumers.has_heard_of(self.consumer.name)

    async def now(self) -> Standing | None:
        """Return what stands for them by now."""
        return await self.consumers.look_up(self.consumer.name)

    def learn(self, decision: Decision) -> None:
        """Take the opt-out that their request carried, if it is news."""
        self.consumers.learn(self.consumer.name, self.standing, decision)

    async def choose(self, *, out: bool) -> bool:
        """Take what they chose on the preference page; return whether the store has it."""
        return await self.consumers.choose(self.consumer.name, out=out, source=Source.PAGE)

"""Standing choices: which of two holds, what a worker remembers, and who a request says has signed in."""

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from optout_gate.choices.consumers import FAILURES_IN_A_ROW, KnownConsumers
from optout_gate.choices.files import Choice
from optout_gate.choices.identity import Consumer, Refusal, identify
from optout_gate.choices.moment import MomentError, moment, written
from optout_gate.choices.sqlite_store import ChoicesFile, SqliteStore
from optout_gate.choices.standing import Source, Standing, StoreError, prevailing, pseudonym
from optout_gate.exchange import Exchange
from optout_gate.http import Headers
from optout_gate.policy.config_visitor import ChoicesConfig, IdentifyConfig
from optout_gate.telemetry.choices import ChoiceMetrics
from support import gates

KEY = b"k" * 32
ALICE = pseudonym(b"alice", key=KEY)
STANDINGS = st.builds(Standing, st.booleans(), st.integers(0, 3), st.just(Source.FORM))


@given(st.lists(STANDINGS, min_size=1, max_size=5))
@settings(max_examples=60)
def test_choices_end_the_same_in_any_order_any_number_of_times(given_: list[Standing]) -> None:
    """The later choice holds, and of two of one moment the opt-out; the file and the rule agree."""
    ends = set()
    for order in (given_, given_[::-1], given_ * 2):
        stands = None
        for each in order:
            stands = prevailing(stands, each)
        ends.add(stands)
    assert len(ends) == 1
    expected = max(given_, key=lambda each: (each.at_ms, each.out))
    assert ends == {expected}


def test_the_file_keeps_to_the_same_rule(tmp_path: Path) -> None:
    file = ChoicesFile(tmp_path / "choices.sqlite")
    standings = [Standing(out, at, Source.FORM) for at in range(3) for out in (True, False)]
    for one, other in itertools.product(standings, repeat=2):
        file.forget(ALICE)
        file.apply(ALICE, one)
        assert file.apply(ALICE, other) == prevailing(one, other)
    file.close()


def test_a_file_of_many_is_taken_whole_or_not_at_all(tmp_path: Path) -> None:
    file = ChoicesFile(tmp_path / "choices.sqlite")

    def breaks_off() -> Iterator[Choice]:
        yield ALICE, Standing(True, 1, Source.FORM)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        file.apply_all(breaks_off())
    assert list(file.everything()) == []
    file.close()


def test_a_file_that_is_none_and_one_of_a_later_format_are_told(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database at all, but long enough to be read as one's header " * 3)
    with pytest.raises(StoreError, match="file is not a database"):
        ChoicesFile(tmp_path / "text")
    file = ChoicesFile(tmp_path / "later")
    file._connection.execute("PRAGMA user_version = 99")
    file.close()
    with pytest.raises(StoreError, match="format 99 is newer"):
        ChoicesFile(tmp_path / "later")


class Clock:
    """A steady clock that stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Store:
    """A store in memory that may be slow or broken."""

    def __init__(self) -> None:
        self.stands: dict[bytes, Standing] = {}
        self.asked = 0
        self.broken = False
        self.answers = asyncio.Event()
        self.answers.set()

    async def look_up(self, name: bytes) -> Standing | None:
        self.asked += 1
        await self.answers.wait()
        if self.broken:
            raise StoreError("broken")
        return self.stands.get(name)

    async def apply(self, name: bytes, standing: Standing) -> Standing:
        await self.answers.wait()
        if self.broken:
            raise StoreError("broken")
        stands = prevailing(self.stands.get(name), standing)
        assert stands is not None
        self.stands[name] = stands
        return stands

    async def forget(self, name: bytes) -> bool:
        return self.stands.pop(name, None) is not None

    async def close(self) -> None:
        pass


def known(store: Store, clock: Clock, **config: object) -> KnownConsumers:
    metrics = ChoiceMetrics(CollectorRegistry())
    settings = ChoicesConfig.model_validate({"timeout_ms": 20, **config})
    return KnownConsumers(store, settings, metrics, clock=clock, now_ms=lambda: round(clock.now * 1000))


OUT = Standing(True, 1, Source.FORM)


async def test_an_opt_out_is_remembered_long_and_its_lack_shortly() -> None:
    store, clock = Store(), Clock()
    consumers = known(store, clock)
    assert await consumers.look_up(ALICE) is None
    store.stands[ALICE] = OUT
    assert await consumers.look_up(ALICE) is None and store.asked == 1
    clock.now = 1.1
    assert await consumers.look_up(ALICE) == OUT
    store.stands.clear()
    clock.now = 60.0
    assert await consumers.look_up(ALICE) == OUT and store.asked == 2
    assert await consumers.look_up(ALICE, fresh=True) is None
    await consumers.close()


async def test_no_more_is_remembered_than_configured() -> None:
    store, clock = Store(), Clock()
    consumers = known(store, clock, cache={"entries": 2})
    for name in (b"a", b"b", b"a", b"c", b"a"):
        await consumers.look_up(name)
    assert store.asked == 3 and len(consumers._remembered) == 2
    await consumers.look_up(b"b")
    assert store.asked == 4
    await consumers.close()


async def test_one_look_up_serves_all_who_wait_and_its_late_answer_is_kept() -> None:
    store, clock = Store(), Clock()
    store.stands[ALICE] = OUT
    store.answers.clear()
    consumers = known(store, clock)
    assert await asyncio.gather(*(consumers.look_up(ALICE) for _ in range(5))) == [None] * 5
    assert store.asked == 1
    store.answers.set()
    await asyncio.sleep(0.01)
    assert await consumers.look_up(ALICE) == OUT and store.asked == 1
    await consumers.close()


async def test_after_failures_in_a_row_nobody_asks_until_a_pause_is_over_and_old_answers_hold() -> None:
    store, clock = Store(), Clock()
    store.stands[ALICE] = OUT
    consumers = known(store, clock, cache={"others_s": 0, "opted_out_s": 0})
    assert await consumers.look_up(ALICE) == OUT
    store.broken = True
    for _ in range(20):
        assert await consumers.look_up(ALICE) == OUT
    assert store.asked == 1 + FAILURES_IN_A_ROW
    clock.now, store.broken = 1.5, False
    store.stands.clear()
    assert await consumers.look_up(ALICE) is None
    await consumers.close()


def opened(*headers: tuple[bytes, bytes]) -> Exchange:
    exchange = gates.gate_of_tests().open(gates.request("/", *headers))
    assert exchange is not None
    return exchange


@pytest.mark.parametrize(
    ("line", "learnt"),
    [
        pytest.param((b"Sec-GPC", b"1"), Source.GPC, id="the-signal"),
        pytest.param((b"Cookie", b"optout_gate=1"), Source.COOKIE, id="the-cookie"),
        pytest.param((b"Cookie", b"usprivacy=1YYN"), None, id="a-platforms-string"),
        pytest.param((b"DNT", b"1"), None, id="dnt"),
        pytest.param((b"Cookie", b"optout_gate=0"), None, id="an-opt-in"),
    ],
)
async def test_what_a_request_teaches(line: tuple[bytes, bytes], learnt: Source | None) -> None:
    store, clock = Store(), Clock()
    consumers = known(store, clock)
    consumers.learn(ALICE, None, opened(line).decision)
    await asyncio.sleep(0.01)
    assert (store.stands[ALICE].source if ALICE in store.stands else None) == learnt
    await consumers.close()


async def test_what_stands_already_is_not_written_again_and_the_standing_is_no_teacher() -> None:
    store, clock = Store(), Clock()
    consumers = known(store, clock)
    consumers.learn(ALICE, OUT, opened(gates.OPTED_OUT).decision)
    signal = OUT.signal
    exchange = gates.gate_of_tests().open(gates.request("/"), signal)
    assert exchange is not None and exchange.decision.signal == "account"
    consumers.learn(ALICE, None, exchange.decision)
    await asyncio.sleep(0.01)
    assert store.stands == {}
    await consumers.close()


async def test_a_choice_that_cannot_be_written_holds_here_and_is_written_later() -> None:
    store, clock = Store(), Clock()
    store.broken = True
    consumers = known(store, clock)
    clock.now = 5.0
    assert not await asyncio.wait_for(consumers.choose(ALICE, out=True, source=Source.PAGE), 2)
    stands = await consumers.look_up(ALICE)
    assert stands is not None and stands.out
    store.broken = False
    await asyncio.sleep(0.25)
    assert store.stands[ALICE] == Standing(True, 5000, Source.PAGE)
    await consumers.close()


async def test_a_queue_before_a_file_that_cannot_be_opened_empties(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "no" / "such" / "folder")
    for _ in range(3):
        with pytest.raises(StoreError, match="No such file"):
            await store.look_up(ALICE)
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.look_up(ALICE)


BY_HEADER = IdentifyConfig(header="X-Account")
BY_COOKIE = IdentifyConfig(cookie="uid")


def who(how: IdentifyConfig, *lines: tuple[bytes, bytes], trusted: bool = True) -> Consumer | Refusal | None:
    return identify(Headers(lines), how, key=KEY, peer_is_trusted=trusted)


def test_who_has_signed_in() -> None:
    assert who(BY_HEADER, (b"x-account", b" alice ")) == Consumer(ALICE, True)
    assert who(BY_HEADER, (b"X-Account", b"")) is None
    assert who(BY_HEADER) is None
    assert who(BY_HEADER, (b"X-Account", b"alice"), trusted=False) is Refusal.UNTRUSTED_PEER
    assert who(BY_HEADER, (b"X-Account", b"mallory"), (b"X-Account", b"alice")) is Refusal.SEVERAL
    assert who(BY_HEADER, (b"X-Account", b"alice"), (b"X-Account", b"alice")) == Consumer(ALICE, True)
    assert who(BY_HEADER, (b"X-Account", b"a" * 2000)) is Refusal.TOO_LONG
    assert who(BY_COOKIE, (b"Cookie", b'a=b; uid="alice"'), trusted=False) == Consumer(ALICE, False)
    assert who(BY_COOKIE, (b"Cookie", b"uid=alice; uid=bob")) is Refusal.SEVERAL
    assert who(BY_COOKIE, (b"Cookie", b"xuid=alice")) is None


def test_moments() -> None:
    now = moment("2026-06-01T12:00:00Z", now_ms=2**50)
    assert written(now) == "2026-06-01T12:00:00.000Z"
    assert moment("2026-06-01T14:00:00+02:00", now_ms=now) == now
    assert written(moment("2026-05-31", now_ms=now)) == "2026-05-31T00:00:00.000Z"
    for wrong in ("2026-06-02", "yesterday", "", None, 5, "1969-01-01"):
        with pytest.raises(MomentError):
            moment(wrong, now_ms=now)

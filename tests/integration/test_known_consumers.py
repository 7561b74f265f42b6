"""An opt-out of somebody who signs in holds on the next browser, with real processes, a real file and a real Redis."""

import contextlib
import csv
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from support.processes import COMMAND, Gate, Origin, eventually, exchange, get, running_gate
from support.redis_server import RedisServer, redis_server

PAGE = b'<!doctype html><p>Hi<script src="https://www.googletagmanager.com/gtag/js?id=G-1"></script>'
TOKEN = "a-token-of-the-call-centre"


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin({"/": (200, [("Content-Type", "text/html")], PAGE)}) as running:
        yield running


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


def configuration(
    folder: Path,
    origin: Origin,
    *,
    identify: str = "{header: X-Account}",
    choices: str = "",
    trusted: str = "127.0.0.1",
) -> str:
    """Write a configuration with its key and token, and return its path; a slow machine's store is no outage."""
    choices += "" if "timeout_ms" in choices else ", timeout_ms: 1000"
    (folder / "consumers.key").write_text("k" * 64 + "\n")
    (folder / "admin.token").write_text(TOKEN + "\n")
    file = folder / "site.yaml"
    file.write_text(f"""
version: 1
sites: [{{upstream: "{origin.url}"}}]
trusted_proxies: [{trusted}]
consumers: {{identify: {identify}, key_file: consumers.key}}
choices: {{token_file: admin.token{choices}}}
""")
    return str(file)


def is_clean(gate: Gate, *lines: str) -> bool:
    """Return True when a visitor gets the page without the tracker."""
    return b"googletagmanager" not in get(gate.address, "/", *lines)[1]


def ask(gate: Gate, word: str, body: object, *, token: str = TOKEN) -> tuple[int, dict[str, object]]:
    """Return status and answer of an address under /choices."""
    payload = json.dumps(body)
    lines = (f"Authorization: Bearer {token}", f"Content-Length: {len(payload)}")
    text = "\r\n".join([f"POST /choices/{word} HTTP/1.1", "Host: admin", *lines, "Connection: close", "", payload])
    head, _, answer = exchange(gate.admin, text.encode()).partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(answer)


def count(gate: Gate, metric: str) -> float:
    """Return a metric's value, 0 when it is not there yet."""
    _, body = get(gate.admin, "/metrics")
    found = re.search(rf"^{re.escape(metric)} (\S+)$", body.decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def stands(gate: Gate, who: str) -> object:
    return ask(gate, "look-up", {"consumer": who})[1]["choice"]


def has_opted_out(gate: Gate, who: str) -> bool:
    return stands(gate, who) == "out"


@pytest.fixture(params=["sqlite", "redis"])
def choices(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return ""
    server: RedisServer = request.getfixturevalue("redis")
    server.command("FLUSHALL")
    return f", backend: redis, url: '{server.url}'"


@pytest.mark.parametrize("said", ["Sec-GPC: 1", "Cookie: optout_gate=1"])
def test_an_opt_out_on_one_browser_holds_on_the_next(tmp_path: Path, origin: Origin, choices: str, said: str) -> None:
    with running_gate("--config", configuration(tmp_path, origin, choices=choices)) as gate:
        assert not is_clean(gate, "X-Account: alice")
        assert is_clean(gate, "X-Account: alice", said)
        assert eventually(lambda: is_clean(gate, "X-Account: alice"))
        assert ("Sec-GPC", "1") in origin.seen[-1].headers  # the origin's own code hears of it too
        assert not is_clean(gate, "X-Account: bob") and not is_clean(gate)
        assert eventually(partial(has_opted_out, gate, "alice"))
        assert gate.stop() == 0


def test_only_a_keyed_hash_is_stored(tmp_path: Path, origin: Origin, redis: RedisServer) -> None:
    redis.command("FLUSHALL")
    for text in ("", f", backend: redis, url: '{redis.url}'"):
        with running_gate("--config", configuration(tmp_path, origin, choices=text)) as gate:
            is_clean(gate, "X-Account: alice@example.com", "Sec-GPC: 1")
            assert eventually(partial(has_opted_out, gate, "alice@example.com"))
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("choices.sqlite*"))
    assert b"gpc" in kept and b"alice" not in kept
    key, store = sorted(redis.command("KEYS", "*").split())
    assert store == "optout:store" and re.fullmatch("[0-9a-f]{16}", redis.command("GET", store).strip())
    assert re.fullmatch("optout:[0-9a-f]{64}", key)
    assert sorted(redis.command("HKEYS", key).split()) == ["at_ms", "out", "source"]
    assert (tmp_path / "choices.sqlite").stat().st_mode & 0o077 == 0


def test_an_opt_out_survives_kill_9(tmp_path: Path, origin: Origin) -> None:
    file = configuration(tmp_path, origin)
    with running_gate("--config", file) as gate:
        is_clean(gate, "X-Account: alice", "Sec-GPC: 1")
        assert eventually(partial(has_opted_out, gate, "alice"))
        gate.stop(signal.SIGKILL)
    with running_gate("--config", file) as gate:
        assert is_clean(gate, "X-Account: alice")
    with sqlite3.connect(tmp_path / "choices.sqlite") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_workers_share_it(tmp_path: Path, origin: Origin) -> None:
    with running_gate("--config", configuration(tmp_path, origin), "--workers", "3") as gate:
        assert eventually(lambda: get(gate.admin, "/readyz")[1] == b"ready\n")
        assert ask(gate, "opt-out", {"consumer": "alice", "source": "phone"})[1]["choice"] == "out"
        assert all(is_clean(gate, "X-Account: alice") for _ in range(30))
        assert not is_clean(gate, "X-Account: bob")
        assert count(gate, 'optout_gate_consumer_lookups_total{result="stands"}') >= 1


def test_a_field_from_an_untrusted_peer_names_nobody_and_goes_no_further(tmp_path: Path, origin: Origin) -> None:
    with running_gate("--config", configuration(tmp_path, origin, trusted="10.0.0.0/8")) as gate:
        ask(gate, "opt-out", {"consumer": "alice"})
        assert not is_clean(gate, "X-Account: alice")
        assert "X-Account" not in dict(origin.seen[-1].headers)
        is_clean(gate, "X-Account: bob", "Sec-GPC: 1")
        time.sleep(0.3)
        assert stands(gate, "bob") is None
        assert count(gate, 'optout_gate_consumer_identities_refused_total{reason="untrusted_peer"}') == 2


def press(gate: Gate, button: str, *lines: str) -> bytes:
    """Press a button of the preference page; return the head of the answer."""
    lines = ("Sec-Fetch-Site: same-origin", "Content-Length: 0", *lines)
    return get(gate.address, f"/_optout/{button}", *lines, method="POST")[0]


@pytest.mark.parametrize(("identify", "taken_back"), [("cookie: uid", False), ("cookie: uid, unguessable: true", True)])
def test_a_cookie_that_others_could_guess_opts_out_and_takes_nothing_back(
    tmp_path: Path, origin: Origin, identify: str, taken_back: bool
) -> None:
    with running_gate("--config", configuration(tmp_path, origin, identify=f"{{{identify}}}")) as gate:
        press(gate, "opt-out", "Cookie: uid=42")
        assert eventually(lambda: stands(gate, "42") == "out")
        press(gate, "opt-in", "Cookie: uid=42; optout_gate=1")
        _, page = get(gate.address, "/_optout/preferences?chosen=in", "Cookie: uid=42; optout_gate=0")
        assert (b'data-optout-state="in"' in page) == taken_back
        assert (b"Please ask this site to take it back" in page) != taken_back
        assert is_clean(gate, "Cookie: uid=42") != taken_back


def test_an_opt_in_beside_the_signal_takes_nothing_back(tmp_path: Path, origin: Origin) -> None:
    with running_gate("--config", configuration(tmp_path, origin)) as gate:
        ask(gate, "opt-out", {"consumer": "alice"})
        press(gate, "opt-in", "X-Account: alice", "Sec-GPC: 1")
        assert stands(gate, "alice") == "out"
        press(gate, "opt-in", "X-Account: alice")
        assert stands(gate, "alice") == "in"


def test_the_admin_address_sets_clears_looks_up_and_forgets(tmp_path: Path, origin: Origin) -> None:
    with running_gate("--config", configuration(tmp_path, origin)) as gate:
        assert ask(gate, "look-up", {"consumer": "alice"}) == (200, {"choice": None})
        early = {"consumer": "alice", "source": "agent", "at": "2026-01-31"}
        told = (200, {"choice": "out", "at": "2026-01-31T00:00:00.000Z", "source": "agent"})
        assert ask(gate, "opt-out", early) == told
        assert ask(gate, "opt-in", {"consumer": "alice", "at": "2026-01-30"}) == told  # the later choice holds
        assert ask(gate, "opt-in", {"consumer": "alice"})[1]["choice"] == "in"
        assert ask(gate, "forget", {"consumer": "alice"}) == (200, {"forgotten": True})
        assert ask(gate, "forget", {"consumer": "alice"}) == (200, {"forgotten": False})


@pytest.mark.parametrize(
    ("body", "token", "status"),
    [
        pytest.param({"consumer": "alice"}, "wrong", 401, id="another-token"),
        pytest.param({"consumer": "alice"}, "", 401, id="no-token"),
        pytest.param({"consumer": ""}, TOKEN, 400, id="nobody"),
        pytest.param(["alice"], TOKEN, 400, id="not-an-object"),
        pytest.param({"consumer": "alice", "source": "rumour"}, TOKEN, 400, id="a-source-that-is-none"),
        pytest.param({"consumer": "alice", "at": "2999-01-01"}, TOKEN, 400, id="the-future"),
        pytest.param({"consumer": "a" * 5000}, TOKEN, 400, id="an-endless-name"),
        pytest.param({"consumer": "a" * 50000}, TOKEN, 413, id="an-endless-body"),
    ],
)
def test_the_admin_address_refuses(strict: Gate, body: object, token: str, status: int) -> None:
    found, answer = ask(strict, "opt-out", body, token=token)
    assert found == status and "error" in answer


@pytest.fixture(scope="module")
def strict(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with running_gate("--config", configuration(tmp_path_factory.mktemp("strict"), origin)) as gate:
        yield gate


def test_a_redis_that_hangs_delays_nobody_for_longer_than_configured(tmp_path: Path, origin: Origin) -> None:
    with redis_server() as server:
        text = f", backend: redis, url: '{server.url}', timeout_ms: 30, cache: {{others_s: 0}}"
        with running_gate("--config", configuration(tmp_path, origin, choices=text)) as gate:
            ask(gate, "opt-out", {"consumer": "alice"})
            assert is_clean(gate, "X-Account: alice") and not is_clean(gate, "X-Account: bob")
            server.freeze()
            timeout = 'optout_gate_consumer_lookups_total{result="timeout"}'
            begun, before = time.monotonic(), count(gate, timeout)
            for number in range(40):
                head, page = get(gate.address, "/", f"X-Account: stranger-{number}")
                assert b"Content-Security-Policy: default-src 'self'" in head and b"googletagmanager" in page
                assert b"Optout-Gate: contained;reason=choice_store" in head and b"Set-Cookie" not in head
            # After five time-outs in a row nobody waits for a second: however slow this machine is, one in a second does.
            waited = count(gate, timeout) - before
            assert 5 <= waited <= 6 + (time.monotonic() - begun)
            assert count(gate, 'optout_gate_consumer_lookups_total{result="paused"}') == 40 - waited
            assert is_clean(gate, "X-Account: bob", "Sec-GPC: 1")
            assert is_clean(gate, "X-Account: alice")  # what was known holds on
            server.thaw()
            assert eventually(lambda: stands(gate, "bob") == "out")  # written when it could be
            assert eventually(lambda: is_clean(gate, "X-Account: bob"))


def test_a_redis_that_is_gone_and_comes_back_loses_no_opt_out(tmp_path: Path, origin: Origin) -> None:
    with redis_server() as server:
        port = server.port
        text = f", backend: redis, url: '{server.url}', cache: {{others_s: 0}}"
        file = configuration(tmp_path, origin, choices=text)
    with running_gate("--config", file) as gate:  # nobody listens there now
        assert b"reason=choice_store" in get(gate.address, "/", "X-Account: alice")[0]
        assert "Sec-GPC" not in dict(origin.seen[-1].headers)
        assert b"Content-Security-Policy" not in get(gate.address, "/")[0]  # nobody has signed in
        assert is_clean(gate, "X-Account: alice", "Sec-GPC: 1")
        assert is_clean(gate, "X-Account: alice")  # known here already
        assert eventually(lambda: count(gate, 'optout_gate_consumer_writes_total{result="error",source="gpc"}') >= 1)
        assert ask(gate, "look-up", {"consumer": "alice"})[0] == 503
        with redis_server(port):
            assert eventually(partial(has_opted_out, gate, "alice"))


def test_two_gates_on_one_redis_agree_within_a_second_and_over_its_restart(tmp_path: Path, origin: Origin) -> None:
    with contextlib.ExitStack() as running:
        with redis_server(folder=tmp_path) as server:
            text = f", backend: redis, url: '{server.url}', cache: {{others_s: 0}}"
            file = configuration(tmp_path, origin, choices=text)
            one, other = (running.enter_context(running_gate("--config", file)) for _ in range(2))
            assert not is_clean(other, "X-Account: alice")
            assert is_clean(one, "X-Account: alice", "Sec-GPC: 1")
            assert eventually(lambda: is_clean(other, "X-Account: alice"), seconds=2.0)
        assert is_clean(one, "X-Account: alice") and is_clean(other, "X-Account: alice")  # Redis is gone now
        assert is_clean(one, "X-Account: bob", "Sec-GPC: 1")
        # The other gate has not heard of it, and holds back.
        assert b"reason=choice_store" in get(other.address, "/", "X-Account: bob")[0]
        with redis_server(server.port, folder=tmp_path):  # what a gate could not write comes from the gate
            assert eventually(partial(has_opted_out, other, "bob"))
            assert eventually(lambda: not contained(other, "X-Account: carol"))  # it answers again
            assert is_clean(other, "X-Account: bob") and is_clean(one, "X-Account: bob")


def test_a_redis_that_lost_everything_is_told_and_is_nobodys_word_for_no_opt_out(
    tmp_path: Path, origin: Origin
) -> None:
    with redis_server() as server:
        text = f", backend: redis, url: '{server.url}', cache: {{opted_out_s: 0, others_s: 0}}"
        file = configuration(tmp_path, origin, choices=text)
        with running_gate("--config", file) as gate:
            ask(gate, "opt-out", {"consumer": "alice"})
            assert is_clean(gate, "X-Account: alice") and not contained(gate, "X-Account: bob")
            server.command("FLUSHALL")  # as after a failover to a replica that had nothing
            assert contained(gate, "X-Account: carol")
            assert is_clean(gate, "X-Account: alice")  # the store knows nobody, and this gate knows better
            gone = "the choices that were here are gone"
            assert eventually(lambda: contained(gate, "X-Account: carol") and any(gone in line for line in gate.log))
            ask(gate, "opt-out", {"consumer": "dave"})
            assert eventually(lambda: is_clean(gate, "X-Account: dave"))  # what came since counts
        with running_gate("--config", file) as gate:  # started anew, it takes the store as it is
            assert not contained(gate, "X-Account: carol") and is_clean(gate, "X-Account: dave")


def test_a_redis_that_drops_what_it_knows_when_memory_runs_out_is_told_at_the_start(
    tmp_path: Path, origin: Origin
) -> None:
    with redis_server(None, "--maxmemory", "8mb", "--maxmemory-policy", "allkeys-lru") as server:
        file = configuration(tmp_path, origin, choices=f", backend: redis, url: '{server.url}'")
        with running_gate("--config", file) as gate:
            gate.wait_for_log("maxmemory-policy is allkeys-lru")


def contained(gate: Gate, *lines: str) -> bool:
    """Return True when a visitor gets a page under a policy that lets nothing of others load."""
    return b"Optout-Gate: contained" in get(gate.address, "/", *lines)[0]


def command(*words: str, given: str | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, "choices", *words], input=given, capture_output=True, text=True, timeout=60, env={**os.environ}
    )


def test_a_file_comes_in_holds_goes_out_and_is_forgotten(tmp_path: Path, origin: Origin, choices: str) -> None:
    file = configuration(tmp_path, origin, choices=choices)
    table = "consumer,at,source\nalice,2026-01-31,phone\nbob@example.com,,form\n"
    (tmp_path / "in.csv").write_text(table)
    done = command("import", str(tmp_path / "in.csv"), "--config", file)
    assert (done.returncode, done.stdout) == (0, "taken: 2 opt-outs, 0 opt-ins\n"), done.stderr
    with running_gate("--config", file) as gate:
        assert is_clean(gate, "X-Account: alice") and is_clean(gate, "X-Account: bob@example.com")
        # Alice comes back in; the same line, in the file of the next night, is older than that.
        press(gate, "opt-in", "X-Account: alice")
        assert eventually(lambda: stands(gate, "alice") == "in")
        (tmp_path / "in.csv").write_text("consumer,at,source\nalice,2026-01-31,phone\n")
        assert command("import", str(tmp_path / "in.csv"), "--config", file).returncode == 0
        assert stands(gate, "alice") == "in"
    rows = list(csv.DictReader(io.StringIO(command("export", "--config", file).stdout)))
    assert sorted((row["choice"], row["source"]) for row in rows) == [("in", "page"), ("out", "form")]
    assert all(re.fullmatch("[0-9a-f]{64}", row["pseudonym"]) for row in rows)
    done = command("forget", "-", "nobody", "--config", file, given="alice\n")
    assert (done.returncode, done.stdout) == (0, "forgotten: 1 of 2\n")
    assert command("forget", "alice", "--config", file).returncode == 1


def test_a_file_with_a_mistake_is_told_by_line_and_nothing_of_it_is_kept(tmp_path: Path, origin: Origin) -> None:
    file = configuration(tmp_path, origin)
    table = tmp_path / "in.csv"
    table.write_text("consumer,choice,source\nalice,out,phone\nbob,maybe,phone\n,out,phone\ncarol,out,fone\ndave,out\n")
    done = command("import", str(table), "--config", file)
    assert done.returncode == 2
    assert [line.removeprefix(f"{table}:") for line in done.stderr.splitlines()[:4]] == [
        "3:1: choice is 'out' or 'in', found 'maybe'",
        "4:1: expected a consumer of 1 to 1,024 bytes",
        "5:1: there is no source 'fone'; expected one of gpc, cookie, page, form, phone, mail, agent, operator, import;"
        " did you mean 'phone'?",
        "6:1: expected 3 fields, found 2",
    ]
    assert command("export", "--config", file).stdout == "pseudonym,choice,at,source\n"

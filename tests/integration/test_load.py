"""Thousands of connections that do nothing, hundreds that do little, and a worker that is killed: others do not notice.

The gate is started before this process asks for more open files, so that it has to ask for its own.
"""

import asyncio
import contextlib
import os
import re
import resource
import signal
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.processes import DEADLINE_S, Gate, Origin, running_gate

PAGE = b"<!doctype html><p>Hello<script src=https://www.googletagmanager.com/gtm.js?id=GTM-1></script>"
LARGE = b"x" * (1 << 20)
PAGES = {
    "/": (200, [("Content-Type", "text/html")], PAGE),
    "/large": (200, [("Content-Type", "application/octet-stream")], LARGE),
}
CONFIG = """
version: 1
sites: [{{upstream: {upstream}}}]
limits: {{client: {{header_s: 120, keepalive_s: 120, body_idle_s: 120, send_idle_s: 120}}}}
"""
IDLE, SLOW = 2000, 200
REQUESTS = 200


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin(PAGES) as running:
        running.server.request_queue_size = 512
        running.server.socket.listen(512)
        yield running


@contextlib.contextmanager
def more_open_files(wanted: int) -> Iterator[int]:
    """Give how many of ``wanted`` connections this process may have, one file each."""
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = most if most != resource.RLIM_INFINITY else 1 << 20
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before, min(limit, wanted + 2000)), most))
    try:
        allowed = min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 1000)
        if allowed < wanted:
            print(f"only {allowed} of {wanted} connections: this system allows {limit} open files")
        yield allowed
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connected(gate: Gate, count: int) -> list[Stream]:
    """Return ``count`` connections, opened a hundred at a time."""
    made: list[Stream] = []
    while len(made) < count:
        batch = min(100, count - len(made))
        made += await asyncio.gather(*(asyncio.open_connection(*gate.address) for _ in range(batch)))
    return made


async def hang_up(streams: list[Stream]) -> None:
    for _, writer in streams:
        writer.transport.abort()
    await asyncio.gather(*(writer.wait_closed() for _, writer in streams), return_exceptions=True)


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Return the status and body of the next response."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?im)^content-length: *(\d+)", head)
    assert length is not None, head
    return int(head.split()[1]), await reader.readexactly(int(length[1]))


async def ask(stream: Stream, *lines: bytes) -> tuple[int, bytes]:
    reader, writer = stream
    writer.write(b"\r\n".join([b"GET / HTTP/1.1", b"Host: shop.test", *lines, b"", b""]))
    return await asyncio.wait_for(answer(reader), DEADLINE_S)


HEAD = b"GET / HTTP/1.1\r\nHost: shop.test\r\nX-Slow: 1\r\n\r\n"
UPLOAD = b"POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 20\r\n\r\n" + b"y" * 20


async def drip(stream: Stream, request: bytes, done: asyncio.Event) -> int:
    """Send a request byte by byte while the others are served, its rest at the end; return the status."""
    reader, writer = stream
    sent = request.find(b"\r\n\r\n") + 4 if request is UPLOAD else 0  # the head of an upload at once
    writer.write(request[:sent])
    while not done.is_set() and sent < len(request) - 1:
        writer.write(request[sent : sent + 1])
        sent += 1
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), 0.2)
    await done.wait()
    writer.write(request[sent:])
    return (await answer(reader))[0]


async def sip(stream: Stream, done: asyncio.Event) -> int:
    """Ask for what is large, read a little of it while the others are served, and all at the end."""
    reader, writer = stream
    writer.write(b"GET /large HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    await done.wait()
    status, body = await answer(reader)
    assert body == LARGE
    return status


async def test_idle_and_slow_connections_cost_nobody_a_request(origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(CONFIG.format(upstream=origin.url))
    with running_gate("--config", str(tmp_path / "site.yaml")) as gate, more_open_files(IDLE + SLOW) as allowed:
        idle = await connected(gate, max(10, allowed - SLOW))
        slow = await connected(gate, SLOW)
        done = asyncio.Event()
        kinds = [
            *(drip(stream, HEAD, done) for stream in slow[:70]),
            *(drip(stream, UPLOAD, done) for stream in slow[70:140]),
            *(sip(stream, done) for stream in slow[140:]),
        ]
        under_way = [asyncio.ensure_future(each) for each in kinds]
        normal = await connected(gate, 4)
        for number in range(REQUESTS // 4):
            signals = [b"Sec-GPC: 1"] if number % 2 else []
            for status, body in await asyncio.gather(*(ask(each, *signals) for each in normal)):
                assert status == 200 and (b"googletagmanager" in body) is not bool(signals)
        assert not any(reader.at_eof() for reader, _ in idle)
        done.set()
        assert await asyncio.wait_for(asyncio.gather(*under_way), DEADLINE_S) == [200] * SLOW
        assert (await ask(idle[0]))[0] == (await ask(idle[-1]))[0] == 200
        await hang_up([*idle, *slow, *normal])


# A worker that dies


def owner_of(port: int, gate: Gate, workers: list[int]) -> int:
    """Return the worker that holds the other end of a connection, by the kernel's own tables."""
    here = struct.pack(">4B", *map(int, gate.address[0].split(".")))[::-1].hex().upper()
    ends = f"{here}:{gate.address[1]:04X} {here}:{port:04X}"
    [line] = [each for each in Path("/proc/net/tcp").read_text().splitlines() if ends in each]
    name = f"socket:[{line.split()[9]}]"
    for worker in workers:
        for descriptor in Path(f"/proc/{worker}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if os.readlink(descriptor) == name:
                    return worker
    raise LookupError(f"no worker holds {ends}")


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux, which tells which process has a socket")
async def test_a_worker_that_is_killed_takes_only_its_own_requests_with_it(origin: Origin) -> None:
    with running_gate("--upstream", origin.url, "--workers", "2") as gate:
        workers = [int(pid) for pid in re.findall(r"\d+", gate.wait_for_log("2 workers:").partition("workers:")[2])]
        by_owner: dict[int, list[Stream]] = {worker: [] for worker in workers}
        until = asyncio.get_running_loop().time() + DEADLINE_S
        while min(map(len, by_owner.values())) < 4:  # the kernel gives a connection to whichever worker wakes first
            assert asyncio.get_running_loop().time() < until, {pid: len(each) for pid, each in by_owner.items()}
            streams = await connected(gate, 8)
            await asyncio.gather(*(ask(each) for each in streams))
            for each in streams:
                by_owner[owner_of(each[1].get_extra_info("sockname")[1], gate, workers)].append(each)
        killed, other = workers
        stop = asyncio.Event()

        async def repeat(stream: Stream) -> tuple[int, bool]:
            """Return how many requests were answered, and whether the connection was lost."""
            answered = 0
            try:
                while not stop.is_set():
                    status, body = await ask(stream)
                    assert (status, body) == (200, PAGE)
                    answered += 1
            except (asyncio.IncompleteReadError, ConnectionError):
                return answered, True
            return answered, False

        loads = {pid: [asyncio.ensure_future(repeat(each)) for each in streams] for pid, streams in by_owner.items()}
        count = len(origin.seen)
        while len(origin.seen) < count + 50:
            assert asyncio.get_running_loop().time() < until, "the load does not get through"
            await asyncio.sleep(0.01)
        os.kill(killed, signal.SIGKILL)
        lost = await asyncio.wait_for(asyncio.gather(*loads[killed]), DEADLINE_S)
        assert all(was_lost for _, was_lost in lost)
        await asyncio.to_thread(gate.wait_for_log, "starting another")
        [newcomer] = await connected(gate, 1)  # nobody has to wait for the new worker
        assert (await ask(newcomer))[0] == 200
        stop.set()
        kept = await asyncio.wait_for(asyncio.gather(*loads[other]), DEADLINE_S)
        assert not any(was_lost for _, was_lost in kept) and all(answered for answered, _ in kept)
        await hang_up([*by_owner[killed], *by_owner[other], newcomer])

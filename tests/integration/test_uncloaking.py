"""Subdomains that are CNAMEs of denied vendors, looked up at a real DNS server on loopback."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from optout_gate import uncloaking
from optout_gate.gate import Gate
from optout_gate.middleware import OptOutGateMiddleware
from support.asgi_server import answering, body, exchange, scope_of, start
from support.dns_server import DnsServer, dns_server
from support.gates import OPTED_OUT, SITE, gate

PAGE = b'<!doctype html><script src="https://metrics.shop.test/t.js"></script><img src="https://img.shop.test/a.png">'
NAMES = {
    "metrics.shop.test": "shop.cloak.test",
    "shop.cloak.test": "collect.ads.test",
    "collect.ads.test": None,
    "img.shop.test": None,
}
DEADLINE_S = 30.0


def gate_asking(server: DnsServer) -> Gate:
    return gate(SITE + f"dns: {{uncloak: true, resolvers: ['127.0.0.1:{server.port}']}}\n")


def door_to(asking: Gate, page: bytes = PAGE) -> Any:
    return OptOutGateMiddleware(answering(start(), body(page)), asking)


async def page_through(door: Any) -> bytes:
    """Return what a page becomes; the application sends it anew each time."""
    return (await exchange(door, scope_of("/page", OPTED_OUT))).body


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await asyncio.sleep(0.01)


async def test_a_cloaked_subdomain_is_the_vendors_by_the_next_page() -> None:
    async with dns_server(NAMES) as server:
        asking = gate_asking(server)
        door = door_to(asking)
        assert asking.cloaks is not None
        cloaks = asking.cloaks
        assert b"metrics.shop.test" in await page_through(door)
        await until(lambda: cloaks.rule("metrics.shop.test") is not None)
        out = await page_through(door)
        assert b"metrics.shop.test" not in out
        assert b"img.shop.test" in out
        await until(lambda: "img.shop.test" in server.asked)
        await page_through(door)
        assert sorted(server.asked) == ["img.shop.test", "metrics.shop.test"]  # each once


async def test_a_name_that_is_not_there_stays_the_sites_and_is_not_asked_for_again() -> None:
    async with dns_server({}) as server:
        asking = gate_asking(server)
        door = door_to(asking)
        await page_through(door)
        await until(lambda: len(server.asked) == 2)
        await until(lambda: len(asyncio.all_tasks()) == 1)
        assert await page_through(door) == await page_through(door)
        assert asking.cloaks is not None
        assert not asking.cloaks.is_due
        assert len(server.asked) == 2


async def test_a_silent_dns_holds_no_page_up_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uncloaking, "TIMEOUT_S", 0.2)
    async with dns_server(NAMES) as server:
        server.silent = True
        asking = gate_asking(server)
        door = door_to(asking)
        assert asking.cloaks is not None
        cloaks = asking.cloaks
        first = await page_through(door)
        await until(lambda: len(asyncio.all_tasks()) == 1)
        assert "metrics.shop.test" in server.asked
        assert not cloaks.is_due
        assert await page_through(door) == first
        assert b"metrics.shop.test" in first


async def test_an_application_that_ends_takes_its_look_ups_along() -> None:
    async with dns_server(NAMES) as server:
        server.silent = True
        asking = gate_asking(server)
        assert asking.cloaks is not None
        asking.cloaks.met("metrics.shop.test")
        looking = uncloaking.Uncloaking()
        looking.look_up(asking)
        await until(lambda: bool(server.asked))
        await looking.close()
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []

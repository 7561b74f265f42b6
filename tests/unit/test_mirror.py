"""The mirror's script is small, old-fashioned and the same for everyone. What it does is in ``tests/browser``."""

import re

from optout_gate.pages import mirror
from optout_gate.pages.app import OwnPages
from support import gates
from support.asgi_call import ask

SITE = 'version: 1\nsites: [{upstream: "http://127.0.0.1:9"}]\n'

NEWER_THAN_ES5 = r"=>|`|\.\.\.|\?\.|\?\?|\*\*|\b(?:let|const|class|async|await|yield|import|export)\b"


def text() -> str:
    return mirror.script().decode("ascii")


def test_the_mirror_takes_at_most_a_kilobyte_as_shipped() -> None:
    assert len(mirror.script()) <= mirror.MAX_BYTES == 1024


def test_the_mirror_needs_no_browser_newer_than_es5() -> None:
    assert re.findall(NEWER_THAN_ES5, text()) == []


def test_the_mirror_makes_up_nothing_and_sends_nothing() -> None:
    for word in ("random", "crypto", "Date", "fetch", "XMLHttpRequest", "sendBeacon", "Image", "localStorage", "eval"):
        assert word not in text()


async def test_the_mirror_is_served_to_everyone_alike_for_a_day_as_a_script() -> None:
    gate = gates.gate(SITE)
    pages = OwnPages(lambda: gate)
    plain = await ask(pages, mirror.PATH, headers={"Host": "shop.test"})
    signalled = await ask(pages, f"{mirror.PATH}?v=1", headers={"Host": "shop.test", "Sec-GPC": "1"})
    assert (plain.status, plain.body) == (200, mirror.script())
    assert plain.lines(b"content-type") == ["text/javascript; charset=utf-8"]
    assert plain.lines(b"cache-control") == ["public, max-age=86400"]
    assert plain.lines(b"x-content-type-options") == ["nosniff"]
    assert plain.lines(b"set-cookie") == []
    assert signalled == plain


async def test_nobody_posts_to_the_mirror() -> None:
    gate = gates.gate(SITE)
    answer = await ask(OwnPages(lambda: gate), mirror.PATH, method="POST", headers={"Host": "shop.test"})
    assert answer.status == 405

"""A grader from outside passes the demo site behind the gate, and fails it without.

The rules are those by which sites have been judged in public: :mod:`support.grader`.
"""

import pytest

from optout_gate.demo.manifest import OPT_OUT_STRINGS
from optout_gate.demo.site import PAGES, site
from optout_gate.gate import Gate
from optout_gate.http import Headers, Pair, Request, Response
from optout_gate.policy.load import everywhere
from support.asgi_call import ask
from support.browser_jar import BrowserJar
from support.grader import RULES, grade

HOST = "www.juniper.example"
GPC: Pair = (b"Sec-GPC", b"1")
GATE = Gate(everywhere(), clock=lambda: 0.0)


async def visit(jar: BrowserJar, path: str, *lines: Pair, gate: Gate | None = GATE) -> list[bytes]:
    """Load a page as a browser does, through the gate or past it; return the ``Cookie`` values that the site got."""
    sent = Headers([(b"Host", HOST.encode()), (b"Sec-Fetch-Dest", b"document"), *lines, *jar.line()])
    exchange = gate.open(Request("GET", "https", HOST, path.encode(), sent)) if gate is not None else None
    toward_site = exchange.request.headers if exchange is not None else sent
    answer = await ask(site(), path, headers={name.decode(): value.decode() for name, value in toward_site})
    head = Headers(answer.headers)
    if exchange is not None:
        head = exchange.respond(Response(answer.status, head)).head.headers
    jar.take(head)
    return toward_site.values(b"cookie")


def strings_of_a_platform(jar: BrowserJar) -> None:
    """Put into the jar what a consent platform's script wrote before the visitor switched the signal on."""
    for name, (value, _) in OPT_OUT_STRINGS.items():
        text = f"isGpcEnabled=0&groups=C0001%3A1%2C{value}" if name == "OptanonConsent" else value
        jar.script_sets(name, text, domain="juniper.example")


@pytest.mark.parametrize("path", PAGES)
async def test_the_bare_demo_site_fails_every_rule(path: str) -> None:
    jar = BrowserJar(HOST)
    await visit(jar, path, GPC, gate=None)
    assert grade(jar.values()) == dict.fromkeys(RULES, False)


@pytest.mark.parametrize("path", PAGES)
async def test_the_demo_site_behind_the_gate_passes_every_rule_on_the_first_page(path: str) -> None:
    jar = BrowserJar(HOST)
    await visit(jar, path, GPC)
    assert grade(jar.values()) == dict.fromkeys(RULES, True)
    assert {name for name in OPT_OUT_STRINGS if OPT_OUT_STRINGS[name][1] not in jar.values()[name][0]} == set()


async def test_a_visitor_who_sends_no_signal_is_given_the_sites_own_strings() -> None:
    behind, bare = BrowserJar(HOST), BrowserJar(HOST)
    await visit(behind, "/")
    await visit(bare, "/", gate=None)
    assert behind.values() == bare.values()


async def test_strings_that_a_script_left_in_the_browser_are_put_right_with_the_page() -> None:
    jar = BrowserJar(HOST)
    strings_of_a_platform(jar)
    assert grade(jar.values()) == dict.fromkeys(RULES, False)
    sent = await visit(jar, "/assets/juniper.css", GPC)  # no page: only what goes to the site is put right
    assert b"usprivacy=1YYN" in sent[0] and b"C0004%3A0" in sent[0]
    await visit(jar, "/nowhere", GPC)  # a page of the site that sets nothing for the domain
    await visit(jar, "/", GPC)
    assert grade(jar.values()) == dict.fromkeys(RULES, True)


async def test_an_opt_out_in_one_string_is_an_opt_out_in_all() -> None:
    jar = BrowserJar(HOST)
    strings_of_a_platform(jar)
    jar.script_sets("usprivacy", "1YYN", domain="juniper.example")
    [sent] = await visit(jar, "/")
    assert b"OneTrustWPCCPAGoogleOptOut=true" in sent and b"isGpcEnabled=1" in sent
    assert grade(jar.values()) == dict.fromkeys(RULES, True)


async def test_the_opt_out_holds_when_the_signal_is_gone() -> None:
    """11 CCR §7025(c)(5): that the signal is absent later is no consent."""
    jar = BrowserJar(HOST)
    await visit(jar, "/", GPC)
    [sent] = await visit(jar, "/")
    assert b"usprivacy=1YYN" in sent
    assert grade(jar.values()) == dict.fromkeys(RULES, True)

"""What the guard is told of a policy, and where it is served."""

import gzip
import json
from dataclasses import replace
from urllib.parse import quote

import brotli
import pytest

from optout_gate.gate import Gate
from optout_gate.pages.app import OwnPages
from optout_gate.rewrite.guard_rules import Guards
from optout_gate.site import Site
from optout_gate.trackers.purposes import Purpose
from support.asgi_call import Answer, ask
from support.gates import OPTED_OUT, SITE, gate, request

NESTED = """
trackers:
  extra:
    - {vendor: ad-company, purposes: [advertising], domains: [big.test, "eu.big.test", "us.big.test"], patterns: [shop.*/ads, mixed.test/pixel],
       cookies: [_big, "_big_*", _big_id], storage: ["big:v1", "with;semicolon"], surrogate: generic}
    - {vendor: ad-tool, purposes: [functional], domains: [maps.big.test, elsewhere.test], patterns: [mixed.test/maps, other.test/x, "eu.big.test/help", pay.shop.*/pay]}
    - {vendor: counts-visits, purposes: [analytics], domains: [counts.test]}
"""


def site(text: str = SITE, trackers: str = NESTED) -> Site:
    return gate(text, trackers=trackers).sites[0]


def configuration(script: bytes) -> dict[str, object]:
    start = script.rindex(b"(self,{")
    return dict(json.loads(script[start + len(b"(self,") : -2]))


def guards(of: Site) -> Guards:
    return of.guards


def test_denied_hosts_paths_cookies_and_keys_go_in_and_others_do_not() -> None:
    conf = guards(site()).named("").config
    assert {"big.test", "counts.test"} <= set(conf.hosts)
    # What an entry above covers for the same vendor needs none of its own.
    assert not {"eu.big.test", "us.big.test"} & set(conf.hosts) and "_big_id" not in conf.cookies
    assert "elsewhere.test" not in conf.hosts and "maps.big.test" not in conf.hosts
    assert {("shop.*", "/ads"), ("mixed.test", "/pixel")} <= set(conf.patterns)
    assert {"_big", "_big_*"} <= set(conf.cookies)
    assert "big:v1" in conf.storage
    assert "big.test" in conf.common and "counts.test" not in conf.common  # only the first has a stand-in


def test_what_a_stopped_fetch_ends_with_is_told_of_denied_vendors_alone() -> None:
    trackers = NESTED.replace("domains: [counts.test]", "domains: [counts.test], fetched: {counts.test: '{}'}")
    allowing = SITE.replace("sites:", "policies: {default: {allow: [counts-visits]}}\nsites:")
    told = [configuration(guards(site(text, trackers)).named("").script)["f"] for text in (SITE, allowing)]
    assert [isinstance(each, dict) and each.get("counts.test") for each in told] == ["{}", None]


def test_an_allowed_vendor_below_a_denied_host_stays_open_and_nothing_else_is_said() -> None:
    builtin_ones = set(guards(site(trackers="")).named("").config.exceptions)
    added = set(guards(site()).named("").config.exceptions) - builtin_ones
    assert added == {"maps.big.test", "mixed.test/maps", "eu.big.test/help", "pay.shop.*/pay"}


def test_a_host_that_the_policy_allows_by_name_stays_open_with_what_is_under_it() -> None:
    conf = guards(site(SITE.replace("sites:", "policies: {default: {allow: [eu.big.test]}}\nsites:"))).named("").config
    assert "eu.big.test" in conf.exceptions
    assert "eu.big.test" not in conf.hosts and "big.test" in conf.hosts


def test_a_purpose_that_the_visitor_did_not_refuse_is_not_held_up() -> None:
    exchange = gate(trackers=NESTED).open(request("/", OPTED_OUT))
    assert exchange is not None
    guard = exchange.site.guards.of(replace(exchange.decision, denied=frozenset({Purpose.ADVERTISING})))
    assert "big.test" in guard.config.hosts
    assert "counts.test" not in guard.config.hosts
    assert exchange.site.guards.named(guard.version) is guard


def test_addresses_that_no_page_here_has_make_no_guard_of_a_page_go() -> None:
    exchange = gate(trackers=NESTED).open(request("/", OPTED_OUT))
    assert exchange is not None
    guards = exchange.site.guards
    guard = guards.of(exchange.decision)
    for number in range(20):
        assert guards.named(f"{number:x}-0") is not guard
    assert guards.of(exchange.decision) is guard
    assert guards.named(guard.version) is guard and guards.named("") is guard


def test_a_path_that_denies_for_everyone_does_not_speak_for_the_visitor() -> None:
    text = SITE.replace("sites:", "policies: {default: {always: [/member/*]}}\nsites:")
    running = gate(text, trackers=NESTED)
    silent, opted_out = running.open(request("/member/x")), running.open(request("/member/x", OPTED_OUT))
    assert silent is not None and opted_out is not None
    assert configuration(silent.site.guards.of(silent.decision).script)["g"] == 0
    assert configuration(silent.site.guards.of(opted_out.decision).script)["g"] == 1


def test_strictness_and_the_share_of_pages_that_report_are_the_policys() -> None:
    conf = configuration(guards(site()).named("").script)
    assert (conf["x"], conf["n"]) == (0, 1.0)
    told = SITE.replace("sites:", "policies: {default: {strict: true, sample_rate: 0.25}}\nsites:")
    conf = configuration(guards(site(told)).named("").script)
    assert (conf["x"], conf["n"]) == (1, 0.25)


def test_equal_decisions_share_a_guard_and_the_address_leads_back_to_it() -> None:
    made = guards(site())
    guard = made.named("")
    assert made.named(guard.version) is guard
    assert made.named("zz-0") is guard and made.named("ffffff-0") is guard


# --- Over HTTP.


def pages(running: Gate) -> OwnPages:
    return OwnPages(lambda: running)


async def asked(path: str, **headers: str) -> Answer:
    return await ask(pages(gate(trackers=NESTED)), path, headers=headers)


async def test_the_current_version_is_kept_for_ever_and_another_not_at_all() -> None:
    version = guards(site()).named("").version
    current = await asked(f"/_optout/guard.js?v={version}")
    assert current.status == 200
    assert current.lines(b"cache-control") == ["public, max-age=31536000, immutable"]
    assert current.lines(b"content-type") == ["text/javascript; charset=utf-8"]
    for path in ("/_optout/guard.js", "/_optout/guard.js?v=f7-0000000000000000", "/_optout/guard.js?v=%00"):
        old = await asked(path)
        assert (old.status, old.lines(b"cache-control")) == (200, ["no-store"])
        assert old.body == current.body


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip, deflate, br, zstd", "br"), ("gzip;q=0.5", "gzip"), ("br;q=0, gzip", "gzip"), ("identity", None)],
)
@pytest.mark.parametrize("name", ["guard", "modules"])
async def test_the_guard_travels_compressed(accepted: str, coding: str | None, name: str) -> None:
    answer = await asked(f"/_optout/{name}.js", **{"accept-encoding": accepted})
    assert answer.lines(b"content-encoding") == ([coding] if coding else [])
    opened = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[coding](answer.body)
    guard = guards(site()).named("")
    assert opened == {"guard": guard.script, "modules": guard.modules}[name]
    assert answer.lines(b"vary") == ["Accept-Encoding"]


@pytest.mark.parametrize("path", ["guard.js", "modules.js", "s/generic.js"])
async def test_a_sandboxed_frame_which_is_of_no_site_may_load_what_the_gate_put_into_it(path: str) -> None:
    answer = await asked(f"/_optout/{path}")
    assert answer.lines(b"cross-origin-resource-policy") == ["cross-origin"]


@pytest.mark.parametrize(("coding", "size_bytes"), [("br", 20 * 1024), ("gzip", 22 * 1024)])
async def test_the_guard_of_the_whole_catalogue_stays_within_its_size(coding: str, size_bytes: int) -> None:
    answer = await ask(pages(gate()), "/_optout/guard.js", headers={"accept-encoding": coding})
    assert len(guards(site(trackers="")).named("").config.hosts) > 2000
    assert len(answer.body) < size_bytes


def test_modules_are_denied_by_name_the_common_vendors_first_and_never_on_a_host_that_is_partly_open() -> None:
    script = guards(site()).named("").modules
    hosts, first = json.loads(b"[" + script.partition(b'(Symbol.for("optout-gate"),')[2][:-2] + b"]")
    assert "big.test" in hosts[:first] and "counts.test" in hosts[first:]
    assert not [host for host in hosts if "*" in host]
    partly = site(trackers=NESTED.replace("eu.big.test/help", "counts.test/help"))
    assert b'"counts.test"' not in guards(partly).named("").modules


@pytest.mark.parametrize(
    ("rule", "status"),
    [("big.test", 200), ("x.big.test", 200), ("mixed.test/pixel", 200), ("counts.test", 404), ("nobody.test", 404), ("", 404)],
)  # fmt: skip
async def test_a_denied_script_gets_its_vendors_stand_in_by_the_rule_that_denies_it(rule: str, status: int) -> None:
    assert (await asked(f"/_optout/s/for.js?rule={quote(rule, safe='')}")).status == status


@pytest.mark.parametrize(
    ("rule", "vendor"),
    [
        ("big.test", "ad-company"), ("mixed.test/pixel", "ad-company"), ("shop.*/ads", "ad-company"),
        ("maps.big.test", "ad-tool"), ("=_big", "ad-company"), ("=_big_*", "ad-company"), ("#big:v1", "ad-company"),
        ("#nobody", None), ("=nobody", None), ("nobody.test", None), ("", None),
    ],
)  # fmt: skip
def test_the_catalogue_knows_whose_a_rule_is(rule: str, vendor: str | None) -> None:
    found = guards(site()).catalog.by_rule(rule)
    assert (found.vendor.vendor if found is not None else None) == vendor


def test_the_catalogue_knows_whose_every_rule_of_the_guard_is() -> None:
    made = guards(site(trackers=""))
    conf = made.named("").config
    rules = [*conf.hosts, *(host + path for host, path in conf.patterns)]
    rules += [f"={name}" for name in conf.cookies] + [f"#{name}" for name in conf.storage]
    assert [rule for rule in rules if made.catalog.by_rule(rule) is None] == []

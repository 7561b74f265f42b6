"""Where the guard goes in a page, and where it does not."""

import re
from base64 import b64decode
from html import escape
from urllib.parse import quote
from xml.etree import ElementTree

import pytest

from optout_gate.rewrite.inject import PRESCAN_BYTES, Modules, declared_encoding, modules_in
from support.gates import OPTED_OUT, drive, gate, gate_of_tests, request

HOSTS = rb'<script async src="/_optout/modules\.js\?v=[0-9a-f]+-[0-9a-f]{16}"(?: nonce="[^"]*")?></script>'
GUARD = re.compile(
    rb'(?:%b)?<script src="/_optout/guard\.js\?v=[0-9a-f]+-[0-9a-f]{16}"( data-modules(?:="(?:here|own)")?)?(?: data-marks)?( nonce="[^"]*")?></script>'
    % HOSTS
)
MODULES = re.compile(rb'<script src="/_optout/modules\.js\?v=[0-9a-f]+-[0-9a-f]{16}"(?: nonce="[^"]*")?></script>')
HTML = (b"Content-Type", b"text/html; charset=utf-8")
UNLABELLED = (b"Content-Type", b"text/html")


def sent(page: bytes, *lines: tuple[bytes, bytes], dest: bytes | None = None, cuts: list[int] | None = None) -> bytes:
    """Return what becomes of a page for a visitor who opted out, the guard written as ``GUARD``."""
    asked = [OPTED_OUT] + ([(b"Sec-Fetch-Dest", dest)] if dest is not None else [])
    exchange = gate_of_tests().open(request("/page", *asked))
    assert exchange is not None
    return GUARD.sub(b"GUARD", drive(exchange, page, *(lines or (HTML,)), cuts=cuts or ())[1])


PLACES = [
    pytest.param(b"<!doctype html><html><head>|<title>x", id="behind-the-head-tag"),
    pytest.param(b"<!DOCTYPE html>\n<HTML lang=en>\n<HEAD data-a='>' class=\"a>b\">|<meta charset=utf-8>", id="attributes"),
    pytest.param(b"<!doctype html><html>|<body><p>x", id="no-head"),
    pytest.param(b"<!doctype html>|<title>x</title><p>x", id="nothing-but-a-doctype"),
    pytest.param(b"<html>|<script>1</script>", id="no-doctype"),
    pytest.param(b"<!doctype html><!-- <head> --><html><!-- a --> <head>|<!-- b --><script>1</script>", id="comments"),
    pytest.param(b"<!doctype html><html><!-->|<p>x", id="a-comment-that-ends-at-once"),
    pytest.param(b"<?xml version='1.0'?><!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0//EN' 'x'><html><head>|<p>", id="xhtml"),
    pytest.param(b"\xef\xbb\xbf<!doctype html><head>|<p>x", id="byte-order-mark"),
    pytest.param(b"  \n<!doctype html>\t<html>\n|text", id="white-space-and-text"),
    pytest.param(b"<!doctype html><html>|<header>x", id="a-header"),
    pytest.param(b"<!doctype html><html><head>|", id="and-no-more"),
    pytest.param(b"<!doctype html>|", id="a-doctype-alone"),
    pytest.param(b"<!doctype html>|<html a=\"", id="an-attribute-that-never-ends"),
    pytest.param("<!doctype html><html><head title='ü>'>|<p>é".encode("latin-1"), id="bytes-beyond-ascii"),
]  # fmt: skip


@pytest.mark.parametrize("page", PLACES)
def test_the_guard_stands_first_in_the_head(page: bytes) -> None:
    assert sent(page.replace(b"|", b"")) == page.replace(b"|", b"GUARD")


@pytest.mark.parametrize("page", PLACES)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_where_the_page_is_cut_does_not_show(page: bytes, size: int) -> None:
    whole = page.replace(b"|", b"")
    assert sent(whole, cuts=list(range(size, len(whole), size))) == page.replace(b"|", b"GUARD")


@pytest.mark.parametrize(
    ("page", "dest", "guarded"),
    [
        pytest.param(b"<p>part</p>", None, False, id="a-fragment"),
        pytest.param(b"<p>part</p>", b"empty", False, id="a-fragment-that-a-script-asks-for"),
        pytest.param(b"<p>part</p>", b"document", True, id="the-browser-shows-it"),
        pytest.param(b"<p>part</p>", b"iframe", True, id="in-a-frame"),
        pytest.param(b"<p>part</p>", b"object", True, id="as-an-object"),
        pytest.param(b"<!doctype html><p>page", b"empty", True, id="a-page-that-a-service-worker-keeps"),
        pytest.param(b"<!doctype html><p>page", None, True, id="a-browser-that-does-not-say"),
        pytest.param(b"<header>part", None, False, id="a-fragment-of-a-header"),
        pytest.param(b"<head><title>", None, False, id="a-fragment-of-a-head"),
        pytest.param(b"", b"document", False, id="nothing"),
        pytest.param(b"<!-- <html> --><p>", None, False, id="html-in-a-comment"),
    ],
)
def test_documents_get_the_guard_and_fragments_never(page: bytes, dest: bytes | None, guarded: bool) -> None:
    assert (b"GUARD" in sent(page, dest=dest)) is guarded


def test_nobody_else_gets_the_guard() -> None:
    page = b"<!doctype html><html><head><title>"
    assert drive_plain(page) == page
    observing = gate("version: 1\nsites: [{upstream: 'http://127.0.0.1:9', mode: observe}]\n")
    exchange = observing.open(request("/", OPTED_OUT, (b"Sec-Fetch-Dest", b"document")))
    assert exchange is not None
    assert drive(exchange, page, HTML)[1] == page


def drive_plain(page: bytes) -> bytes:
    exchange = gate_of_tests().open(request("/", (b"Sec-Fetch-Dest", b"document")))
    assert exchange is not None
    return drive(exchange, page, HTML)[1]


def test_a_page_that_another_gate_guards_is_left_alone() -> None:
    page = b"<!doctype html><html><head><title>x</title>"
    exchange = gate_of_tests().open(request("/", OPTED_OUT))
    assert exchange is not None
    once = drive(exchange, page, HTML)[1]
    again = gate_of_tests().open(request("/", OPTED_OUT))
    assert again is not None
    assert len(GUARD.findall(once)) == 1
    assert drive(again, once, HTML)[1] == once


def test_a_file_to_save_is_left_alone() -> None:
    page = b"<!doctype html><html><head>"
    assert sent(page, HTML, (b"Content-Disposition", b"attachment; filename=x.html")) == page


def test_utf_16_gets_the_guard_in_its_own_encoding() -> None:
    page = "<!doctype html><html><head><p>é".encode("utf-16")
    exchange = gate_of_tests().open(request("/", OPTED_OUT))
    assert exchange is not None
    out = drive(exchange, page, UNLABELLED)[1].decode("utf-16")
    assert GUARD.sub(b"GUARD", out.encode()) == "<!doctype html><html><head>GUARD<p>é".encode()


# --- The encoding, which browsers look for in the first 1,024 bytes.


def page_with_meta_at(offset: int, meta: bytes = b"<meta charset=windows-1251>") -> bytes:
    head = b"<!doctype html><html><head>"
    filler = b"<!--" + b"x" * (offset - len(head) - 7) + b"-->"
    return head + filler + meta + b"<p>" + b"y" * 3000


@pytest.mark.parametrize("offset", [50, 800, 950, 990])
@pytest.mark.parametrize("label", [UNLABELLED, HTML])
def test_the_declared_encoding_stays_where_browsers_look_for_it(offset: int, label: tuple[bytes, bytes]) -> None:
    page = page_with_meta_at(offset)
    exchange = gate_of_tests().open(request("/", OPTED_OUT))
    assert exchange is not None
    out = drive(exchange, page, label)[1]
    assert GUARD.search(out)
    assert label == HTML or declared_encoding(out[:PRESCAN_BYTES].decode("latin-1")) == "windows-1251"
    # Repeated only where it would be out of sight.
    assert out.count(b"charset") == (2 if label == UNLABELLED and offset >= 950 else 1)


def test_an_encoding_that_browsers_never_saw_is_not_shown_to_them() -> None:
    page = page_with_meta_at(PRESCAN_BYTES + 10)
    assert sent(page, UNLABELLED).count(b"charset") == 1


@pytest.mark.parametrize(
    ("markup", "label"),
    [
        ("<meta charset=utf-8>", "utf-8"),
        ("<META CHARSET = 'Shift_JIS' />", "Shift_JIS"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-2">', "iso-8859-2"),
        ("<meta content='text/html;charset=koi8-r' http-equiv=content-type>", "koi8-r"),
        ("<!-- <meta charset=utf-8> --><meta charset=big5>", "big5"),
        ("<a title='<meta charset=utf-8>'><meta charset=big5>", "big5"),
        ("<meta name=charset content=utf-8>", None),
        ("<meta content='text/html;charset=koi8-r'>", None),
        ("<metadata charset=utf-8>", None),
        ("<meta charset='\"><script>'>", None),
        ("", None),
    ],
)
def test_a_pages_declared_encoding_is_read_as_browsers_read_it(markup: str, label: str | None) -> None:
    assert declared_encoding(markup) == label


def test_a_hostile_beginning_costs_no_time() -> None:
    for page in (b"<html " + b'a="' * 20_000, b"<!--" * 15_000, b"<html" + b" a=" * 15_000, b"</ " * 20_000):
        assert sent(page)


def test_a_browser_that_does_not_say_what_it_asks_for_is_told_to_mark_the_addresses_of_workers() -> None:
    for lines, marks in (((OPTED_OUT,), True), ((OPTED_OUT, (b"Sec-Fetch-Dest", b"document")), False)):
        exchange = gate_of_tests().open(request("/", *lines))
        assert exchange is not None
        assert (b" data-marks>" in drive(exchange, b"<!doctype html><p>", HTML)[1]) is marks


# --- Content-Security-Policy.


@pytest.mark.parametrize(
    ("policies", "attributes"),
    [
        pytest.param([], b" data-modules", id="none"),
        pytest.param([b"img-src 'none'"], b" data-modules", id="says-nothing-of-scripts"),
        pytest.param([b"script-src 'self'"], b"", id="own-host"),
        pytest.param([b"script-src 'self' 'unsafe-inline'"], b" data-modules", id="own-host-and-inline"),
        pytest.param([b"script-src 'nonce-abc'"], b' data-modules nonce="abc"', id="nonce"),
        pytest.param([b"default-src 'none'; script-src 'nonce-abc' 'strict-dynamic'"], b' data-modules nonce="abc"', id="strict"),
        pytest.param([b"script-src 'self' 'nonce-abc'"], b' data-modules nonce="abc"', id="the-nonce-lets-the-map-in-too"),
        pytest.param([b"script-src 'none'; script-src-elem 'self'"], b"", id="elements-have-their-own-directive"),
        pytest.param([b"script-src 'nonce-abc'", b"script-src 'nonce-abc' 'nonce-d'"], b' data-modules nonce="abc"', id="two-policies-one-nonce"),
        pytest.param([b"script-src 'nonce-abc', script-src 'self'"], b' nonce="abc"', id="nonce-for-one-host-for-the-other"),
        pytest.param([b"script-src https://www.shop.test"], b"", id="own-host-by-name"),
        pytest.param([b"script-src *.shop.test"], b"", id="own-host-by-pattern"),
        pytest.param([b"script-src https://www.shop.test/_optout/"], b"", id="own-path"),
        pytest.param([b"script-src https:"], b"", id="scheme"),
    ],
)  # fmt: skip
def test_the_guard_gets_in_by_what_the_pages_policies_already_admit(policies: list[bytes], attributes: bytes) -> None:
    exchange = gate_of_tests().open(request("/", OPTED_OUT))
    assert exchange is not None
    lines = [(b"Content-Security-Policy", value) for value in policies]
    head, out = drive(exchange, b"<!doctype html><html><head>", HTML, *lines)
    found = GUARD.search(out)
    assert found is not None
    assert b"".join(part or b"" for part in found.groups()) == attributes
    assert found[0].count(b" nonce=") == attributes.count(b" nonce=") * found[0].count(b"<script")
    assert (re.match(HOSTS, found[0]) is not None) == (b"data-modules" in attributes)
    assert head.headers.values(b"content-security-policy") == policies
    assert exchange.report.unguarded is None


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        pytest.param(
            b"script-src 'self' https://ads.test fonts.test", b"script-src 'self' fonts.test", id="no-import-map"
        ),
        pytest.param(
            b"script-src 'nonce-abc' https://ads.test", b"script-src 'nonce-abc' https://ads.test", id="a-nonce"
        ),
    ],
)
def test_a_page_that_admits_the_guard_and_no_import_map_loses_denied_hosts_from_its_policy(
    policy: bytes, left: bytes
) -> None:
    exchange = gate_of_tests().open(request("/", OPTED_OUT))
    assert exchange is not None
    head, out = drive(exchange, b"<!doctype html><html><head><p>", HTML, (b"Content-Security-Policy", policy))
    assert GUARD.search(out)
    assert [b" ".join(each.split()) for each in head.headers.values(b"content-security-policy")] == [left]


@pytest.mark.parametrize(
    "policies",
    [
        pytest.param([b"script-src 'none'"], id="none"),
        pytest.param([b"default-src https://cdn.test"], id="another-host"),
        pytest.param([b"script-src 'self' 'strict-dynamic' 'sha256-abc'"], id="strict-dynamic-by-hash"),
        pytest.param([b"script-src 'nonce-abc'", b"script-src 'nonce-d'"], id="two-policies-no-nonce-in-common"),
        pytest.param([b"script-src https://www.shop.test/js/"], id="another-path"),
        pytest.param([b"script-src https://www.shop.test:8443"], id="another-port"),
        pytest.param([b"script-src"], id="an-empty-list"),
    ],
)
def test_a_page_that_admits_no_guard_is_counted_and_loses_denied_hosts_from_its_policy(policies: list[bytes]) -> None:
    exchange = gate_of_tests().open(request("/", OPTED_OUT))
    assert exchange is not None
    lines = [(b"Content-Security-Policy", value) for value in policies]
    reached = (
        b"Content-Security-Policy",
        b"img-src https://ads.test *.ads.test fonts.test; connect-src wss://ads.test",
    )
    head, out = drive(exchange, b"<!doctype html><html><head><p>", HTML, *lines, reached)
    assert out == b"<!doctype html><html><head><p>"
    assert exchange.report.unguarded == "csp"
    *kept, tightened = head.headers.values(b"content-security-policy")
    assert kept == policies
    assert tightened == b"img-src fonts.test; connect-src 'none'"


def test_a_fragment_that_admits_no_guard_is_not_counted() -> None:
    exchange = gate_of_tests().open(request("/", OPTED_OUT))
    assert exchange is not None
    drive(exchange, b"<p>x", HTML, (b"Content-Security-Policy", b"script-src 'none'"))
    assert exchange.report.unguarded is None


def test_a_sandbox_without_scripts_needs_no_guard() -> None:
    page = b"<!doctype html><html><head>"
    assert sent(page, HTML, (b"Content-Security-Policy", b"sandbox allow-forms")) == page
    assert b"GUARD" in sent(page, HTML, (b"Content-Security-Policy", b"sandbox allow-scripts"))


# --- Lockdown.

LOCKED = """
version: 1
sites:
  - {hosts: [www.shop.test], upstream: "http://127.0.0.1:9", policy: p, LOCKDOWN}
policies:
  p: {always: [/member/*]}
"""


def csp_of(lockdown: str, path: str, *signal: tuple[bytes, bytes], page: bytes = b"<!doctype html><p>") -> list[bytes]:
    exchange = gate(LOCKED.replace("LOCKDOWN", lockdown)).open(request(path, *signal))
    assert exchange is not None
    head, _ = drive(exchange, page, HTML, (b"Content-Security-Policy", b"img-src 'self'"))
    own, *added = head.headers.values(b"content-security-policy")
    assert own == b"img-src 'self'"
    return added


@pytest.mark.parametrize(
    ("lockdown", "path", "signal", "locked"),
    [
        pytest.param("mode: enforce", "/", True, False, id="not-by-default"),
        pytest.param("mode: enforce", "/member/x", False, True, id="always-paths-by-default"),
        pytest.param("lockdown: false", "/member/x", True, False, id="said-to-be-off"),
        pytest.param("lockdown: true", "/", True, True, id="everywhere"),
        pytest.param("lockdown: true", "/", False, False, id="nobody-who-said-nothing"),
        pytest.param("lockdown: [/pay/*]", "/pay/1", True, True, id="by-path"),
        pytest.param("lockdown: [/pay/*]", "/play", True, False, id="another-path"),
    ],
)
def test_pages_are_locked_down_where_the_configuration_says_so(
    lockdown: str, path: str, signal: bool, locked: bool
) -> None:
    assert bool(csp_of(lockdown, path, *([OPTED_OUT] if signal else []))) is locked


def test_a_locked_down_page_reaches_what_is_listed_and_what_it_names_and_is_allowed() -> None:
    page = b'<!doctype html><link rel=stylesheet href="https://fonts.test/a.css"><img src="https://ads.test/i"><img src="//who.test/">'
    [policy] = csp_of("lockdown: true, allow_hosts: [cdn.shop.test]", "/", OPTED_OUT, page=page)
    sources = dict(part.strip().partition(b" ")[::2] for part in policy.split(b";"))[b"default-src"].split()
    assert {b"'self'", b"www.shop.test", b"cdn.shop.test", b"fonts.test", b"*.fonts.test"} <= set(sources)
    assert b"bots.test" in sources  # security is loaded by scripts, too
    assert not {b"ads.test", b"who.test", b"speed.test"} & set(sources)
    assert b"report-uri /_optout/report" in policy


def test_a_locked_down_page_reaches_whom_the_policy_allows_by_name_whatever_it_refers_to() -> None:
    text = LOCKED.replace("always:", "allow: [test-fonts, cdn.nobody.test], always:")
    exchange = gate(text.replace("LOCKDOWN", "lockdown: true")).open(request("/", OPTED_OUT))
    assert exchange is not None
    head, _ = drive(exchange, b"<!doctype html><p>", HTML)
    policy = head.headers.values(b"content-security-policy")[0].decode()
    assert {"fonts.test", "cdn.nobody.test", "*.cdn.nobody.test"} <= set(policy.split())


# --- Pages with modules wait for the import map that fails those of denied hosts.


@pytest.mark.parametrize(
    ("markup", "policy", "told"),
    [
        pytest.param(b"<script src=/app.js></script>", b"", b"GUARD", id="a-classic-script"),
        pytest.param(b"<p class=module>modules are imported (often)", b"", b"GUARD", id="words"),
        pytest.param(b"<script type=module src=/app.js></script>", b"", b"GUARD here MODULES", id="a-module"),
        pytest.param(b"<script TYPE = 'module'>1</script>", b"", b"GUARD here MODULES", id="an-inline-module"),
        pytest.param(b"<script>import('/app.js')</script>", b"", b"GUARD here MODULES", id="a-dynamic-import"),
        pytest.param(
            b'<script type="importmap">{"imports":{}}</script><script type=module>1</script>',
            b"",
            b"GUARD own MODULES",
            id="an-import-map-of-its-own",
        ),
        pytest.param(
            b"<script type=module>1</script>",
            b"script-src 'nonce-abc' 'strict-dynamic'",
            b"GUARD here MODULES",
            id="under-a-nonce",
        ),
        pytest.param(b"<script type=module>1</script>", b"script-src 'self'", b"GUARD", id="no-import-map-is-admitted"),
    ],
)
def test_a_page_that_shows_modules_waits_for_the_import_map(markup: bytes, policy: bytes, told: bytes) -> None:
    exchange = gate_of_tests().open(request("/", OPTED_OUT))
    assert exchange is not None
    lines = [(b"Content-Security-Policy", policy)] if policy else []
    page = b"<!doctype html><html><head>|<title>x</title></head><body>" + markup
    out = drive(exchange, page.replace(b"|", b""), HTML, *lines)[1]
    out = GUARD.sub(lambda found: b"GUARD" + (found[1] or b"").partition(b'="')[2].rstrip(b'"').join([b" ", b""]), out)
    assert MODULES.sub(b" MODULES", out).replace(b"GUARD <", b"GUARD<") == page.replace(b"|", told)
    assert out.count(b'nonce="abc"') == (1 if b"nonce" in policy else 0)


def test_a_page_too_long_to_be_there_whole_does_not_wait() -> None:
    page = b"<!doctype html><html><head>|</head><script type=module>1</script>" + b"<p>" * 200_000
    assert sent(page.replace(b"|", b"")) == page.replace(b"|", b"GUARD")


# --- Pages in XML.

XML = (b"Content-Type", b"application/xhtml+xml")
NAMESPACE = b'xmlns="http://www.w3.org/1999/xhtml"'
IN_XML = re.compile(
    rb'<script xmlns="http://www\.w3\.org/1999/xhtml" async="" src="/_optout/modules\.js\?v=[0-9a-f-]+"(?: nonce="[^"]*")?></script>'
    rb'<script xmlns="http://www\.w3\.org/1999/xhtml" src="/_optout/guard\.js\?v=[0-9a-f-]+" data-modules=""'
    rb'(?: data-marks="")?( nonce="[^"]*")?></script>'
)


@pytest.mark.parametrize(
    ("page", "dest"),
    [
        pytest.param(b"<html NS><head>|<title>x</title></head></html>", None, id="behind-the-head-tag"),
        pytest.param(
            b"<?xml version='1.0' encoding='utf-8'?>\n<?xml-stylesheet href='/a.css'?>\n"
            b'<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">\n'
            b"<!-- <html> -->\n<html lang='a>b'\n  NS>\n<!-- a --><?b <head> ?>\n<head\n>|<meta charset='utf-8'/></head></html>",
            None,
            id="all-that-may-stand-in-front",
        ),
        pytest.param(b"\xef\xbb\xbf<html NS><head>|</head></html>", None, id="byte-order-mark"),
        pytest.param(
            b'<h:html xmlns:h="http://www.w3.org/1999/xhtml"><h:head>|<h:title/></h:head></h:html>', None, id="prefix"
        ),
        pytest.param(b"<html NS>|<head/><body/></html>", None, id="an-empty-head"),
        pytest.param(b"<html NS>|<body><p>x</p></body></html>", None, id="no-head"),
        pytest.param(b"<html NS>|<x:head xmlns:x='urn:x'/></html>", None, id="a-head-of-something-else"),
        pytest.param(b"<html NS>|", None, id="and-no-more"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'>|<g/></svg>", b"iframe", id="a-drawing-that-is-shown"),
        pytest.param(b"<html><head/></html>", None, id="without-its-namespace"),
        pytest.param(b"<html xmlns:h='http://www.w3.org/1999/xhtml'><head/></html>", None, id="another-prefix"),
        pytest.param(b"<p NS>part</p>", b"empty", id="a-fragment-that-a-script-asks-for"),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_in_xml_the_guard_stands_first_in_the_head_or_the_root(page: bytes, dest: bytes | None, size: int) -> None:
    page = page.replace(b"NS", NAMESPACE)
    whole = page.replace(b"|", b"")
    exchange = gate_of_tests().open(request("/", OPTED_OUT, *([(b"Sec-Fetch-Dest", dest)] if dest is not None else [])))
    assert exchange is not None
    out = drive(exchange, whole, XML, cuts=list(range(size, len(whole), size)))[1]
    assert IN_XML.sub(b"|", out) == page
    assert exchange.report.unguarded is None


def test_a_page_in_xml_carries_the_nonce_of_its_policy_and_stays_well_formed() -> None:
    page = b"<html " + NAMESPACE + b"><head><title>x</title></head></html>"
    exchange = gate_of_tests().open(request("/", OPTED_OUT))
    assert exchange is not None
    out = drive(exchange, page, XML, (b"Content-Security-Policy", b"script-src 'nonce-a+/b='"))[1]
    head = ElementTree.fromstring(out)[0]
    assert [child.tag.partition("}")[2] for child in head] == ["script", "script", "title"]
    assert [script.get("nonce") for script in head[:2]] == ["a+/b=", "a+/b="]


@pytest.mark.parametrize(
    ("page", "policy", "reason"),
    [
        pytest.param(b"<html NS/>", b"default-src *", "xhtml", id="an-empty-root"),
        pytest.param(b"<!-- never over", b"default-src *", "xhtml", id="no-root"),
        pytest.param(b"<rss version='2.0'><channel/></rss>", b"default-src *", "xhtml", id="a-feed-that-is-shown"),
        pytest.param(b"<html NS><head/></html>", b"default-src 'none'", "csp", id="its-policy"),
    ],
)
def test_a_page_in_xml_that_cannot_have_the_guard_goes_without_and_is_counted(
    page: bytes, policy: bytes, reason: str
) -> None:
    exchange = gate_of_tests().open(request("/", OPTED_OUT, (b"Sec-Fetch-Dest", b"document")))
    assert exchange is not None
    page = page.replace(b"NS", NAMESPACE)
    assert drive(exchange, page, XML, (b"Content-Security-Policy", policy))[1] == page
    assert exchange.report.unguarded == reason


@pytest.mark.parametrize(
    ("page", "modules"),
    [
        (b"<script type=module>", Modules(used=True)),
        (b"<SCRIPT TYPE='MODULE'>", Modules(used=True)),
        (b'<script type\n = "module">', Modules(used=True)),
        (b"<script>import ('/a.js')</script>", Modules(used=True)),
        (b"<script type=importmap>{}</script>", Modules(mapped=True)),
        (b'<script type="ImportMap">{}</script><script type=module>', Modules(used=True, mapped=True)),
        (b"<p>modules, and a type: module; import as you like</p>", Modules()),
        (b"<p>type= modular</p>", Modules()),
        (b"module " * 200, Modules(used=True)),  # not asked for each
        (None, Modules()),
    ],
)
def test_what_is_known_of_a_pages_modules(page: bytes | None, modules: Modules) -> None:
    assert modules_in(page) == modules


FRAMES = [
    pytest.param("<p>text", "", False, id="nothing-that-runs"),
    pytest.param("<meta name=a content=b>", "", False, id="an-attribute-that-ends-like-a-handler"),
    pytest.param("<script>1</script>", "", True, id="script"),
    pytest.param("<img src=x onerror=1>", "", True, id="handler"),
    pytest.param("<iframe srcdoc='<p>'></iframe>", "", True, id="frame-in-a-frame"),
    pytest.param("<script>1</script>", ' sandbox="allow-forms"', False, id="sandbox-without-scripts"),
    pytest.param("<script>1</script>", ' sandbox="allow-forms Allow-Scripts"', True, id="sandbox-with-scripts"),
]


@pytest.mark.parametrize(("inner", "attributes", "guarded"), FRAMES)
@pytest.mark.parametrize("holding", ["srcdoc", "data"])
def test_a_page_inside_the_page_gets_the_guard_where_a_script_of_it_could_run(
    inner: str, attributes: str, guarded: bool, holding: str
) -> None:
    value = f'srcdoc="{escape(inner)}"' if holding == "srcdoc" else f'src="data:text/html,{quote(inner)}"'
    page = f"<!doctype html><html><head><title>x</title></head><body><iframe{attributes} {value}></iframe>".encode()
    out = sent(page, dest=b"document").partition(b"GUARD")[2]
    out = re.sub(rb"(?<=;base64,)[^\"]+", lambda held: b64decode(held[0]), out)
    assert (b"/_optout/guard.js" in out) is guarded
    if not guarded:
        assert out == page.partition(b"<head>")[2]


def test_a_frame_met_on_other_pages_gets_the_nonce_of_this_one() -> None:
    frames = b"<iframe srcdoc='<script nonce=N>1</script>'></iframe><iframe src='data:text/html,<script>1</script>'></iframe>"
    page = b"<!doctype html><html><head><title>x</title></head><body>" + frames * 2 + b"</body></html>"
    for nonce in (b"one", b"two", b"three", b"four"):
        out = sent(page, HTML, (b"Content-Security-Policy", b"script-src 'nonce-%b'" % nonce), dest=b"document")
        out = re.sub(rb"(?<=;base64,)[^\"]+", lambda held: b64decode(held[0]).replace(b'"', b"&quot;"), out)
        assert set(re.findall(rb"guard\.js[^>]+ nonce=&quot;(\w+)&quot;", out)) == {nonce}
        assert out.count(b"/_optout/guard.js") == 4


def test_what_stands_in_a_page_without_a_place_for_the_guard_gets_none() -> None:
    page = b"<!doctype html><html><head></head><body><iframe srcdoc='<script>1</script>'></iframe></body></html>"
    assert sent(page, HTML, (b"Content-Security-Policy", b"script-src 'none'"), dest=b"document") == page

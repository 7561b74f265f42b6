"""Whatever a browser says and a site answers, nothing raises, and no denied host is left where a parser finds it.

A page is made of the bytes below 128 as they are and of :data:`WORDS` for those above, so that a mutation of one byte
moves a whole tag. What is left in the page that leaves is looked for by another parser than the gate's own (html5lib).
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import can_ada
import html5lib

from optout_gate.errors import RewriteError
from optout_gate.exchange import Exchange
from optout_gate.http import Headers, Pair, Response
from optout_gate.report import Outcome
from support.gates import OPTED_OUT, gate_of_tests
from support.gates import request as asked

WORDS = (
    "<p>", "</p>", "text ", "&amp;", "<!--", "-->", "--!>", "<![CDATA[", "]]>", "<?php ?>", "<html>", "<head>", "</head>", "<body>",
    "<script>", "</script>", "</script >", "<SCRIPT", "<style>", "</style>", "<title>", "</title>", "<textarea>", "</textarea>",
    "<noscript>", "</noscript>", "<iframe>", "</iframe>", "<xmp>", "</xmp>", "<template>", "</template>", "<svg>", "</svg>",
    "<math>", "</math>", "<select>", "</select>", "<option>", "<table>", "<tr><td>", "</table>", "<frameset>", "</frameset>",
    '<img src="https://ads.test/a">', "<img src='//ads.test/b' x>", "<img src=https://ads.test/c>", "<img/src='https://ads.test/d'/>",
    "<image href=https://ads.test/i />", "<object data='//ads.test/o'></object>", "<embed src=//ads.test/e>", "<video poster=//ads.test/v>",
    '<a ping="https://ads.test/e" href="/x?adclid=1">', "</a>", '<script src="https://ads.test/f"></script>',
    '<p style="background:url(//ads.test/g)">', "<link rel=preload href=https://ads.test/h>", "<img srcset='/a 1x, //ads.test/s 2x'>",
    "<iframe srcdoc='<img src=//ads.test/k>'></iframe>", "<input type=image src=//ads.test/l>", "<base href=https://ads.test/>",
    "<meta charset=utf-8>", "<meta http-equiv=refresh content='0;url=https://ads.test/m'>", "é", "\x00", "\r\n", "<p a=b c='d' e>",
    "https://ads.test/n", "https:\\\\ads.test\\n", "&#104;ttps://ads.test/x", " src=", " href=", " SRC = '", "'", '"', "=", "//ads.test/q",
)  # fmt: skip
LOADS: Mapping[str, frozenset[str]] = {
    "src": frozenset(("audio", "embed", "frame", "iframe", "img", "input", "script", "source", "track", "video")),
    "href": frozenset(("link", "image", "use", "feimage")),
    "data": frozenset(("object",)),
    "poster": frozenset(("video",)),
    "background": frozenset(("body", "table", "td", "th")),
}
"""Attributes that make a browser load without a script, and on which elements."""
LOADING_LINKS = frozenset(
    [
        "stylesheet",
        "preload",
        "icon",
        "prefetch",
        "prerender",
        "preconnect",
        "dns-prefetch",
        "modulepreload",
        "manifest",
    ]
)
PAGE = "https://www.shop.test/page"
Element = tuple[str, Mapping[str, str], bool]
"""Tag, attributes, and whether it stands in a noscript."""
OUT_OF_FOREIGN = re.compile(rb"(?is)<(svg|math).*</(p|br)")
"""An end tag of p or br ends foreign content since 2020 (HTML Standard §13.2.6.5), which html5lib does not know."""
NESTED_FOREIGN = re.compile(rb"(?is)<(svg|math).*<(svg|math).*<!\[CDATA\[")
"""Of several svg and math in each other, lol-html takes a block element to end the innermost; docs/http.md has it among what is left."""
DELICATE = re.compile(rb"(?i)<(select|frameset)")
NOSCRIPT = re.compile(rb"(?i)<noscript")
MOST_GROWTH = 24  # times: the shortest reference there is becomes a stand-in's with its vendor's name
FREE_BYTES = 64 * 1024  # the guard and its configuration


def page_of(data: bytes) -> bytes:
    """Return the page that a fuzzer's input stands for."""
    return b"".join(bytes((each,)) if each < 128 else WORDS[(each - 128) % len(WORDS)].encode() for each in data)


def _exchange(*lines: Pair) -> Exchange:
    exchange = gate_of_tests().open(asked("/page", *lines))
    assert exchange is not None
    return exchange


def _through(body: bytes, kind: bytes, size: int) -> tuple[Exchange, Response, bytes | None]:
    """Return the exchange, the head and the body that leave for a visitor who opted out; None: the rest was cut off."""
    exchange = _exchange(OPTED_OUT)
    passage = exchange.respond(Response(200, Headers([(b"Content-Type", kind)])))
    try:
        out = b"".join(passage.feed(body[start : start + size]) for start in range(0, len(body), size))
        out += passage.close()
    except RewriteError as error:
        exchange.cut(error)
        return exchange, passage.head, None
    return exchange, passage.head, out


def _sound(body: bytes, kind: bytes) -> bytes | None:
    """Return what leaves when it was rewritten; whatever happened is as it may be."""
    exchange, head, out = _through(body, kind, 1 << 20)
    again, _, pieces = _through(body, kind, 5)
    assert (exchange.report.outcome, out) == (again.report.outcome, pieces), "where the body is cut shows"
    assert len(out or b"") <= MOST_GROWTH * len(body) + FREE_BYTES
    if exchange.report.outcome is Outcome.CONTAINED:
        assert b"content-security-policy" in head.headers
        return None
    return out


def elements(page: bytes, *, scripting: bool) -> list[Element]:
    """Return the elements of a page as a browser with or without scripts reads it, each with its attributes."""
    parser = html5lib.HTMLParser(html5lib.getTreeBuilder("etree"))
    read = parser.parse(page, transport_encoding="utf-8", scripting=scripting)
    return list(_flat(read, inside=False))


def _flat(node: Any, *, inside: bool) -> Iterator[Element]:
    if isinstance(node.tag, str):
        tag = node.tag.rpartition("}")[2].lower()
        yield tag, node.attrib, inside
        for child in node:
            yield from _flat(child, inside=inside or tag == "noscript")


def references(elements: list[Element]) -> Iterator[str]:
    """Yield the hosts that a browser asks for a page's static markup."""
    base: str | None = None  # the first holds, for what comes after it: a browser loads while it reads
    for tag, attributes, _ in elements:
        if tag == "base" and base is None:
            base = attributes.get("href")
        if tag == "input" and attributes.get("type", "").lower() != "image":
            continue
        if tag == "link" and LOADING_LINKS.isdisjoint(attributes.get("rel", "").lower().split()):
            continue
        for name, value in attributes.items():
            if value and tag in LOADS.get(name, ()):
                yield host(value, base or "")


def host(url: str, base: str) -> str:
    """Return the host that a browser asks for ``url``; empty where none is asked."""
    start = can_ada.parse(PAGE)
    with contextlib.suppress(ValueError):
        start = start + base
    try:
        read = start + url
    except ValueError:
        return ""
    return read.hostname.rstrip(".") if read.protocol in ("http:", "https:") else ""


def page(data: bytes) -> None:
    """Answer with a page for a visitor who opted out."""
    out = _sound(page_of(data[:512]), b"text/html; charset=utf-8")
    # An unclosed style or title in a select or frameset is a text to some browsers and nothing to others, and html5lib is
    # of the others; tests/property/test_readers.py has those pages.
    doubted = (DELICATE, OUT_OF_FOREIGN, NESTED_FOREIGN)
    if out is not None and not any(each.search(out) for each in doubted):
        assert "ads.test" not in references(elements(out, scripting=True)), f"left in {out!r}"
        if NOSCRIPT.search(out) and _reads_alike(out):  # without one, a browser without scripts reads the same
            assert "ads.test" not in references(elements(out, scripting=False)), f"left without scripts in {out!r}"


def _reads_alike(page: bytes) -> bool:
    """Return whether every noscript ends at the same place for a browser without scripts.

    ``<noscript><p title="</noscript>">`` makes two pages of one, from there on; the gate reads the one with scripts.
    """
    marked = re.sub(rb"(?i)(</noscript[\t\n\f\r ]*>)", rb"\1<hr>", page)
    outside = [[each for each in elements(marked, scripting=on) if not each[2]] for on in (True, False)]
    return outside[0] == outside[1]


def sheet(data: bytes) -> None:
    """Answer with a style sheet for a visitor who opted out."""
    _sound(data[:2048].replace(b"~", b"url(//ads.test/a)"), b"text/css")


NAMES = (b"Cookie", b"cookie", b"Sec-GPC", b"DNT", b"Cookie")
UNSOUND = bytes(set(range(32)) - {9}) + b"\x7f"  # the gate's protocol refuses them before anybody reads the line


def signals(data: bytes) -> None:
    """Send any lines, and then the signal: nothing raises, and the signal holds."""
    lines = [
        (NAMES[line[0] % len(NAMES)], line[1:].translate(None, UNSOUND)) for line in data[:4096].split(b"\n") if line
    ]
    sent = sum(len(name) + len(value) for name, value in lines)
    exchange = _exchange(*lines)
    assert sum(len(name) + len(value) for name, value in exchange.request.headers) <= 2 * sent + 1024
    opted_out = _exchange(*lines, OPTED_OUT)
    assert opted_out.decision.denied >= _exchange(OPTED_OUT).decision.denied
    assert b"ads.test" not in drive_small(opted_out)


def drive_small(exchange: Exchange) -> bytes:
    """Return what leaves of a page with one tracker, without the guard's own rules."""
    passage = exchange.respond(Response(200, Headers([(b"Content-Type", b"text/html; charset=utf-8")])))
    out = passage.feed(b"<p><img src=//ads.test/a>") + passage.close()
    return out[out.rindex(b"<p>") :]

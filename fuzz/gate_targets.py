"""Whatever a browser says and a site answers, nothing raises, and no denied host is left where a parser finds it.

A page is made of the bytes below 128 as they are and of :data:`WORDS` for those above, so that a mutation of one byte
moves a whole tag. What is left in the page that leaves is looked for by another parser than the gate's own (html5lib).
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

import html5lib

from optout_gate.errors import RewriteError
from optout_gate.gate import Exchange
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
LOADS = {
    "src": None, "data": {"object"}, "poster": None, "background": None,
    "href": {"link", "image", "use", "feimage"},
}  # fmt: skip
"""Attributes that make a browser load, on which elements (None: any that is known to load)."""
LOADERS = frozenset("audio embed frame iframe img input script source track video image link object".split())
LOADING_LINKS = frozenset("stylesheet preload icon prefetch prerender preconnect dns-prefetch modulepreload manifest".split())
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


def references(page: bytes, *, scripting: bool) -> Iterator[str]:
    """Yield the hosts that a browser with or without scripts would ask for a page's static markup."""
    parser = html5lib.HTMLParser(html5lib.getTreeBuilder("etree"))
    for element in parser.parse(page, transport_encoding="utf-8", scripting=scripting).iter():
        if isinstance(element.tag, str):
            tag = element.tag.rpartition("}")[2].lower()
            if tag == "link" and LOADING_LINKS.isdisjoint(element.attrib.get("rel", "").lower().split()):
                continue
            for name, value in element.attrib.items():
                on = LOADS.get(name if isinstance(name, str) else "", frozenset())
                if tag in LOADERS and (on is None or tag in on):
                    yield host(value)


def host(url: str) -> str:
    cleaned = url.strip(" \t\r\n\f").replace("\\", "/").replace("\t", "").replace("\n", "").replace("\r", "")
    if cleaned.lower().startswith(("data:", "javascript:", "about:")) or not ("//" in cleaned[:8]):
        return ""
    try:
        return (urlsplit(cleaned).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


def page(data: bytes) -> None:
    """A site answers with a page for a visitor who opted out."""
    out = _sound(page_of(data[:512]), b"text/html; charset=utf-8")
    if out is not None:
        for scripting in (True, False):
            left = set(references(out, scripting=scripting))
            assert "ads.test" not in left, f"left in {out!r}"


def sheet(data: bytes) -> None:
    """A site answers with a style sheet for a visitor who opted out."""
    _sound(data[:2048].replace(b"~", b"url(//ads.test/a)"), b"text/css")


NAMES = (b"Cookie", b"cookie", b"Sec-GPC", b"DNT", b"Cookie")
UNSOUND = bytes(set(range(32)) - {9}) + b"\x7f"  # the gate's protocol refuses them before anybody reads the line


def signals(data: bytes) -> None:
    """A visitor sends any lines, and then the signal: nothing raises, and the signal holds."""
    lines = [(NAMES[line[0] % len(NAMES)], line[1:].translate(None, UNSOUND)) for line in data[:4096].split(b"\n") if line]
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

"""Where the fuzzer of the two ways begins: each kind of request and answer once, and what connections do in between."""

import gzip
from collections.abc import Iterator

from http_targets import REQUESTS, RESPONSES
from relay_targets import CRUMBS, CUT, END, FIRST, MUCH, ORIGIN, OTHER, RESET, SECOND, STOP, TICK

GPC = b"Sec-GPC: 1\r\n"
PAGE = b'<!doctype html><title>Shop</title><script src="https://ads.test/a.js"></script><p>Hi'
HTML = b"Content-Type: text/html\r\n"
DATED = b"Date: Mon, 01 Jan 2024 00:00:00 GMT\r\n"


def ask(target: bytes = b"/a", fields: bytes = b"", method: bytes = b"GET", host: bytes = b"shop.test") -> bytes:
    """Return a request."""
    return b"%b %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (method, target, host, fields)


def answer(body: bytes = b"ok", fields: bytes = b"", status: bytes = b"200 OK") -> bytes:
    """Return an answer of the origin."""
    return b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, fields, len(body), body)


def chunked(*chunks: bytes, fields: bytes = b"", end: bytes = b"0\r\n\r\n") -> bytes:
    """Return an answer in chunks."""
    sizes = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%b\r\n%b%b" % (fields, sizes, end)


ANSWERS = (
    *RESPONSES,
    answer(DATED, DATED),
    answer(PAGE, HTML + DATED + b'ETag: "1"\r\n'),
    answer(PAGE, HTML),
    answer(b"x", b"Set-Cookie: sid=1; HttpOnly\r\nSet-Cookie: _ads=1; Domain=.shop.test\r\n"),
    chunked(b"hello", b" world", end=b"0\r\nSec-GPC: 1\r\n\r\n"),
    chunked(PAGE[:30], PAGE[30:], fields=HTML),
    b"HTTP/1.0 200 Fine by me\r\nContent-Type: text/css\r\n\r\nbody{background:url(//ads.test/b)}",
    answer(b"1", b"Content-Type: text/javascript\r\n" + DATED),
    answer(b"?", DATED + b"Connection: close\r\n"),
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nContent-Length: 7\r\n\r\n',
    answer(b"no", status=b"999 Request denied"),
    b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n" + answer(b"hinted"),
    b"HTTP/1.1 100 Continue\r\n\r\n" * 2 + b"HTTP/1.1 102 Processing\r\n\r\n" + answer(),
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: upgrade\r\n\r\n",
    answer(b"", DATED + b"Location: /b\r\n", b"302 Found"),
    answer(b"ok", b"Keep-Alive: timeout=2\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n" + DATED),
)
FIELDS = (
    b"",
    GPC,
    b"Sec-Fetch-Mode: navigate\r\nAccept: text/html\r\n",
    b"Sec-Fetch-Dest: worker\r\n",
    b"Sec-Fetch-Dest: style\r\n",
    GPC + b"Cookie: _ads=1; a=b; optout_gate=1\r\n",
    b"Connection: close\r\n",
    b"Connection: Cookie, X-Hop\r\nX-Hop: 1\r\nX-Forwarded-For: 10.0.0.9\r\nX_Forwarded_For: 10.0.0.9\r\nVia: 1.1 a\r\n",
    GPC + b'If-None-Match: "1"\r\nRange: bytes=0-1\r\nAccept-Encoding: br\r\n',
    b"Upgrade: h2c\r\nConnection: upgrade\r\n",
    b"Content-Length: 0\r\n",
)


def scripts() -> Iterator[bytes]:
    """Yield the scripts."""
    for each in ANSWERS:
        for asked in (A, ask(b"/a", GPC + b"Sec-Fetch-Mode: navigate\r\n"), ask(b"/a", method=b"HEAD")):
            one = asked + ORIGIN + each
            yield one + FIRST + one + END
    for fields in FIELDS:
        yield (ask(b"/a?b=c", fields) + ORIGIN + answer(PAGE, HTML + DATED) + FIRST) * 2
        yield CRUMBS + ask(b"/a", fields) + ORIGIN + CRUMBS + answer() + FIRST + ask(b"/_optout/guard.js", fields)
    for request in REQUESTS:
        yield ask() + ORIGIN + answer() + FIRST + request + ORIGIN + answer() + FIRST + ask() + ORIGIN + answer()
    yield from EVENTS
    yield from LET_GO
    yield from STRICT
    yield from UPLOADS
    yield from UPGRADES


A, B = ask(b"/a"), ask(b"/b", GPC)
KEPT = b'If-None-Match: "1"\r\nAccept-Encoding: zz\r\n'
STALE = ask(b"/a", KEPT)
LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n" + DATED + b"\r\n"
STREAMED = chunked(b"<!doctype html><title>Shop</title><p>", fields=HTML, end=b"")
OF_KNOWN_CHARSET = b"Content-Type: text/html; charset=utf-8\r\n"
"""Else a page waits for its charset as well, and is not let go before 1,024 bytes of it are there."""


def let_go(*behind: bytes, page: bytes = PAGE, fields: bytes = OF_KNOWN_CHARSET, asked: bytes = B) -> bytes:
    """Return a page that its origin streams, let go after a while, and what comes ``behind``."""
    return asked + ORIGIN + chunked(page, fields=fields, end=b"") + TICK + ORIGIN + b"".join(behind)


def _piece(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


TRACKER = b'<img src="https://ads.test/b">'
GIVEN_UP = b"<select><script>'</select>'</script><xmp>"
"""What lol-html gives up on."""
HALF_OF_IT = gzip.compress(PAGE * 40)
LET_GO = (
    let_go(_piece(TRACKER), b"0\r\n\r\n", FIRST, A, ORIGIN, answer()),
    let_go(_piece(b'<img src="https://ads'), TICK, ORIGIN, _piece(b'.test/b">'), TICK, ORIGIN, b"0\r\n\r\n"),
    let_go(_piece(TRACKER), END),
    let_go(_piece(TRACKER), RESET, FIRST, A, ORIGIN, answer()),
    let_go(b"?"),
    let_go(TICK * 3, FIRST, A, ORIGIN, answer()),  # and no more of it comes
    let_go(_piece(GIVEN_UP), _piece(TRACKER), TICK, ORIGIN, b"0\r\n\r\n", FIRST, A),
    let_go(b"0\r\n\r\n", page=GIVEN_UP + TRACKER),
    let_go(_piece(TRACKER), FIRST, RESET, SECOND, A, ORIGIN, answer()),
    let_go(FIRST, A, A, ORIGIN, b"0\r\n\r\n", ORIGIN, answer(b"1"), ORIGIN, answer(b"2")),
    STOP + let_go(_piece(TRACKER), (b"9c40\r\n" + MUCH + b"\r\n") * 3, FIRST, STOP, ORIGIN, b"0\r\n\r\n"),
    let_go(_piece(b"p{}"), b"0\r\n\r\n", page=b"p{background:url(//ads.test/b)}", fields=b"Content-Type: text/css\r\n"),
    let_go(
        _piece(HALF_OF_IT[60:]),
        b"0\r\n\r\n",
        page=HALF_OF_IT[:60],
        fields=OF_KNOWN_CHARSET + b"Content-Encoding: gzip\r\n",
    ),
    let_go(_piece(TRACKER), RESET, asked=b"GET /b HTTP/1.0\r\nHost: shop.test\r\n" + GPC + b"\r\n"),
    let_go(_piece(TRACKER), END, asked=b"GET /b HTTP/1.0\r\nHost: shop.test\r\n" + GPC + b"\r\n"),
    let_go(_piece(TRACKER), b"0\r\n\r\n") + FIRST + let_go(_piece(TRACKER), b"0\r\n\r\n"),
    let_go(_piece(TRACKER), b"0\r\n\r\n", asked=ask(b"/always")),
    B
    + ORIGIN
    + b"HTTP/1.1 200 OK\r\n"
    + OF_KNOWN_CHARSET
    + b"\r\n"
    + PAGE
    + TICK
    + ORIGIN
    + TRACKER
    + TICK
    + ORIGIN
    + END,
)
EVENTS = (
    A + B + ask(b"/c", method=b"HEAD") + ORIGIN + answer(b"1") + ORIGIN + answer(b"2") + ORIGIN + answer(b"", HTML),
    A + SECOND + B + OTHER + answer(b"to the first") + ORIGIN + answer(b"to the second"),
    A + SECOND + A + ORIGIN + answer(b"two")[:40] + OTHER + answer(b"one")[:30] + ORIGIN + answer(b"two")[40:],
    A + ORIGIN + END + TICK + FIRST + A + ORIGIN + answer(),  # closed at the moment the request came
    A + ORIGIN + RESET + ORIGIN + RESET + ORIGIN + answer(),
    A + ORIGIN + answer() + ORIGIN + answer(b"surplus") + FIRST + A + ORIGIN + answer(b"mine"),
    A + ORIGIN + answer()[:-1] + FIRST + END + ORIGIN + b"k" + SECOND + A + ORIGIN + answer(),
    A + ORIGIN + answer()[:-1] + FIRST + RESET + SECOND + A + ORIGIN + answer(),
    A + ORIGIN + answer()[:20] + TICK + TICK + TICK + FIRST + A + ORIGIN + answer(),
    (
        A
        + ORIGIN
        + answer(b"kept", DATED)
        + FIRST
        + ask(b"/a", b"Connection: close\r\n")
        + ORIGIN
        + answer(b"kept", DATED)
        + FIRST
    )
    * 2,
    (STALE + ORIGIN + answer() + FIRST + ask(b"/always", KEPT) + ORIGIN + answer(PAGE, HTML) + FIRST) * 2,
    A + ORIGIN + LONG + MUCH + CUT + RESET + SECOND + A + ORIGIN + answer(),
    B + ORIGIN + STREAMED + TICK + ORIGIN + b"2\r\nHi\r\n" + CUT + b"0\r\n\r\n",
    B + ORIGIN + STREAMED + TICK + ORIGIN + END,
    B + ORIGIN + STREAMED + RESET,
    B + ORIGIN + STREAMED + b"?",
    STOP + B + ORIGIN + STREAMED + TICK + TICK + TICK + FIRST + RESET,
    A + TICK + TICK + TICK + FIRST + A + ORIGIN + answer(),
    STOP + A + ORIGIN + LONG + MUCH + CUT + MUCH + CUT + MUCH + FIRST + STOP + ORIGIN + MUCH + MUCH,
    STOP + A + ORIGIN + LONG + MUCH + CUT + MUCH + CUT + MUCH + TICK + TICK + TICK + TICK,
    STOP + B + ORIGIN + LONG[:-2] + HTML + b"\r\n<p>" + MUCH + MUCH + CUT + MUCH + ORIGIN + END + FIRST + STOP,
    A + ORIGIN + LONG + MUCH * 5 + b"HTTP/1.1 200 OK\r\n\r\nsurplus" + FIRST + A + ORIGIN + answer(),
    STOP + A + ORIGIN + LONG + MUCH * 5 + FIRST + STOP,
    A + ORIGIN + LONG + MUCH + RESET + FIRST + A,
    A + b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + ORIGIN + answer(),
    A + b"\r\n\r\nGET /b HTT" + ORIGIN + answer() + FIRST + b"P/1.1\r\nHost: shop.test\r\n\r\n" + ORIGIN + answer(),
    ask(b"/a", b"Upgrade: foo\r\nConnection: upgrade\r\n") * 2 + ORIGIN + answer() + ORIGIN + answer(),
    ask(host=b"other.test") + ORIGIN + answer() + FIRST + ask(host=b"other.test:80") + ORIGIN + answer() + FIRST + A,
    b"GET /a HTTP/1.0\r\nHost: shop.test\r\n\r\n" + ORIGIN + chunked(b"one", b"two"),
    A + ORIGIN + b"HTTP/1.1 200 OK\r\n\r\nuntil" + CUT + b" the end" + END,
    A + ORIGIN + b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + CUT + b"data" + FIRST + RESET,
    ask(b"/a", b"Content-Length: 3\r\n", b"POST") + b"abc" + ORIGIN + answer() + FIRST + A + ORIGIN + answer(),
    A
    + ask(b"/a", b"Transfer-Encoding: chunked\r\n", b"POST")
    + b"3\r\nabc\r\n0\r\n\r\n"
    + ORIGIN
    + answer()
    + ORIGIN
    + answer(),
)
STRICTLY = ask(b"/b", GPC, host=b"strict.test")
BROKEN = answer(PAGE, OF_KNOWN_CHARSET + b"Content-Encoding: gzip\r\n")
# A site that would rather have its pages blocked than contained, on a connection that stands already.
STRICT = tuple(
    STRICTLY + ORIGIN + answer() + FIRST + script + FIRST + STRICTLY + ORIGIN + answer()
    for script in (
        STRICTLY + ORIGIN + BROKEN,
        STRICTLY + ORIGIN + BROKEN[:-1] + TICK + ORIGIN + BROKEN[-1:],
        let_go(b"0\r\n\r\n", page=GIVEN_UP + TRACKER, asked=STRICTLY),  # given up on as it is let go
        let_go(_piece(GIVEN_UP), _piece(TRACKER), TICK, ORIGIN, b"0\r\n\r\n", asked=STRICTLY),  # given up on afterwards
        let_go(_piece(GIVEN_UP), RESET, asked=STRICTLY),
        let_go(FIRST, STRICTLY, STRICTLY, ORIGIN, _piece(GIVEN_UP), ORIGIN, answer(), asked=STRICTLY),
        let_go(_piece(b"?"), b"0\r\n\r\n", fields=OF_KNOWN_CHARSET + b"Content-Encoding: gzip\r\n", asked=STRICTLY),
    )
)
UPLOADS = (
    ask(b"/a", b"Content-Length: 3\r\nExpect: 100-continue\r\n", b"POST") + ORIGIN + answer() + FIRST + b"abc" + A,
    ask(b"/a", b"Content-Length: 3\r\n", b"POST") + b"a" + ORIGIN + answer() + FIRST + b"bc" + A + ORIGIN + answer(),
    ask(b"/a", b"Content-Length: 3\r\n", b"POST") + b"a" + ORIGIN + answer() + FIRST + END,
    ask(b"/a", b"Transfer-Encoding: chunked\r\n", b"POST") + b"9c40;a=b\r\n" + MUCH + b"\r\n0\r\nX-T: 1\r\n\r\n" + A,
)
WEBSOCKET = b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
# Nothing here speaks WebSocket: what asks for it is a request like any other, and no connection becomes another's tunnel.
UPGRADES = tuple(
    asked + ORIGIN + answered + FIRST + A + ORIGIN + answer()
    for asked in (
        ask(b"/a", WEBSOCKET),
        A + ask(b"/a", WEBSOCKET),
        ask(b"/a", WEBSOCKET) + A,
        ask(b"/a", WEBSOCKET + b"Content-Length: 3\r\n", b"POST") + b"abc",
        ask(b"/a", b"Upgrade: foo\r\nConnection: upgrade\r\nTransfer-Encoding: chunked\r\n", b"PUT")
        + b"3\r\nabc\r\n0\r\n\r\n",
        ask(b"a.test:443", method=b"CONNECT") + b"tunnel",
    )
    for answered in (
        answer(),
        SWITCHED + b"\x81\x02hi",
        answer(b"", b"Upgrade: websocket\r\n", b"426 Upgrade Required"),
    )
)

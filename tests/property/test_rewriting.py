"""Properties of rewriting, on generated and on real-looking pages.

- Identity: without a signal, or without a tracker, the same bytes.
- Cuts are invisible: where a body is cut does not change what leaves.
- Never more: the set of third-party references never grows, and none of a denied vendor is left.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

import html5lib
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from optout_gate.demo.site import PAGES, site
from optout_gate.rewrite.codings import Coding
from support.asgi_call import ask
from support.gates import page

HTML = b"text/html; charset=utf-8"
SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

URLS = st.sampled_from(
    [
        "https://ads.test/t.js", "//ads.test/p.gif?a=1&b=2", "https://mixed.test/pixel?x", "https://mixed.test/ok",
        "/own.js", "img.png", "https://fonts.test/f.css", "https://other.example/x", "https:\\\\ads.test\\x", "",
        "data:image/gif;base64,AAAA", "&#104;ttps://ads.test/x", "https://ADS.test./y", "javascript:void(0)",
    ]
)  # fmt: skip
TEXT = st.text(
    alphabet=st.one_of(st.characters(codec="utf-8", exclude_characters="\r\0"), st.sampled_from("<>&\"'=/!-")),
    max_size=24,
)
QUOTES = st.sampled_from(['"{}"', "'{}'", '" {} "'])


@st.composite
def elements(draw: st.DrawFn, depth: int = 2) -> str:
    url = draw(QUOTES).format(draw(URLS))
    inner = "".join(draw(st.lists(elements(depth=depth - 1), max_size=3))) if depth else draw(TEXT)
    kind = draw(st.integers(0, 13))
    return (
        f"<script src={url}></script>",
        f"<img src={url} alt={draw(QUOTES).format('x')}>",
        f"<img srcset='/a.png 1x, {url[1:-1]} 2x'>",
        f"<iframe src={url}></iframe>",
        f"<link rel=preload href={url}>",
        f"<noscript><img src={url}></noscript>",
        f"<style>a{{background:url({url})}}</style>",
        f"<div style='background:url(&quot;{url[1:-1]}&quot;)'>{inner}</div>",
        f"<script>load({url}); if (a < b) c('</p>')</script>",
        f"<template>{inner}</template>",
        f"<svg><image href={url} /></svg>",
        f"<p>{inner}",
        f"<!-- {draw(TEXT)} -->",
        draw(TEXT),
    )[kind]


PAGES_MADE = st.lists(elements(), max_size=8).map(lambda parts: "<!doctype html><body>" + "".join(parts))


@SETTINGS
@given(PAGES_MADE)
def test_identity_without_a_signal(text: str) -> None:
    body = text.encode()
    assert page(body, (b"Content-Type", HTML), signal=None) == body


@SETTINGS
@given(st.binary(max_size=400))
def test_identity_of_any_bytes_without_a_tracker(body: bytes) -> None:
    body = body.replace(b"test", b"tset")
    assert page(b"<p>" + body, (b"Content-Type", HTML)) == b"<p>" + body


@SETTINGS
@given(PAGES_MADE, st.lists(st.integers(0, 2000), max_size=12))
def test_cuts_are_invisible(text: str, cuts: list[int]) -> None:
    body = text.encode()
    assert page(body, (b"Content-Type", HTML), cuts=cuts) == page(body, (b"Content-Type", HTML))


@SETTINGS
@given(PAGES_MADE, st.sampled_from(["utf-16-le", "windows-1252", "shift_jis", "gb18030"]))
def test_a_page_leaves_in_its_own_encoding(text: str, encoding: str) -> None:
    body = text.encode(encoding, "ignore")
    plain = body.decode(encoding)
    kind = b"text/html; charset=" + encoding.removesuffix("-le").encode()
    assert (
        page(body, (b"Content-Type", kind)).decode(encoding) == page(plain.encode(), (b"Content-Type", HTML)).decode()
    )


def third_parties(body: bytes, *, scripting: bool) -> Iterator[str]:
    """Yield the hosts that attributes of a page refer to, as a standard parser reads it."""
    document = html5lib.HTMLParser(html5lib.getTreeBuilder("etree")).parse(
        body, transport_encoding="utf-8", scripting=scripting
    )
    for element in document.iter():
        if not isinstance(element.tag, str):
            continue
        tag = element.tag.rpartition("}")[2]
        for name, value in element.attrib.items():
            if name in ("src", "href") and tag != "a":
                yield host(value)
            elif name == "srcset":
                yield from (host(part.split()[0]) for part in value.split(",") if part.strip())


def host(url: str) -> str:
    cleaned = url.strip().replace("\\", "/").replace("\t", "").replace("\n", "")
    if cleaned.startswith("/") and not cleaned.startswith("//"):
        return ""
    try:
        return (urlsplit(cleaned).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


@SETTINGS
@given(PAGES_MADE)
def test_third_party_references_never_grow_and_no_denied_one_is_left(text: str) -> None:
    body = text.encode()
    out = page(body, (b"Content-Type", HTML))
    for scripting in (True, False):
        before, after = set(third_parties(body, scripting=scripting)), set(third_parties(out, scripting=scripting))
        assert after <= before | {""}
        assert "ads.test" not in after


@pytest.mark.parametrize("path", PAGES)
async def test_real_looking_pages_keep_the_three_properties(path: str) -> None:
    body = (await ask(site(), path)).body
    kind = (b"Content-Type", HTML)
    assert page(body, kind, signal=None) == body
    whole = page(body, kind)
    assert page(body, kind, cuts=range(0, len(body), 997)) == whole
    assert page(whole, kind) == whole
    for scripting in (True, False):
        assert set(third_parties(whole, scripting=scripting)) <= set(third_parties(body, scripting=scripting)) | {""}


@SETTINGS
@given(st.sampled_from([b"gzip", b"deflate", b"br", b"zstd"]), st.binary(max_size=5000), st.integers(1, 600))
def test_what_a_coding_closes_it_opens(name: bytes, data: bytes, size: int) -> None:
    writer, reader = Coding(name), Coding(name)
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    coded = b"".join(writer.closed(piece) for piece in pieces) + writer.finish()
    opened = [piece for start in range(0, len(coded), size) for piece in reader.opened(coded[start : start + size])]
    reader.end()
    assert b"".join(opened) == data

"""The demo site is a working website, and carries what its manifest says it carries."""

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from urllib.parse import urlencode, urlsplit
from xml.etree.ElementTree import Element

import html5lib
import pytest

from optout_gate.demo.manifest import (
    INERT,
    LOADED_AT_RUN_TIME,
    ON_EVERY_PAGE,
    OPT_OUT_STRINGS,
    PLANTED,
    PURPOSES,
    SITE_COOKIES,
    TRACKING_COOKIES,
    Form,
    Planted,
    hosts_to_keep,
    hosts_to_lose,
)
from optout_gate.demo.site import LINKS, PAGES, site
from optout_gate.trackers.catalog import builtin
from optout_gate.trackers.purposes import DENIABLE, Purpose
from support.asgi_call import Answer, ask

MAX_PAGE_BYTES = 60_000  # a demonstration that one can read; the measured pages are 30 and 119 KB
HTML = "{http://www.w3.org/1999/xhtml}"
PLANTINGS = [
    pytest.param(path, planted, id=f"{path} {planted.vendor}") for path in PLANTED for planted in PLANTED[path]
]
EVERY_PAGE = pytest.mark.parametrize("path", PAGES)


async def get(path: str, **headers: str) -> Answer:
    return await ask(site(), path, headers=headers)


def tree(answer: Answer) -> Element:
    """Return the document as a browser with scripts on builds it: a noscript element then holds text only."""
    parser = html5lib.HTMLParser(html5lib.getTreeBuilder("etree"))
    document: Element = parser.parse(answer.body, transport_encoding="utf-8", scripting=True)
    return document


def hosts_of(values: Iterator[str | None]) -> str:
    """Return the hosts of URLs (also of a srcset's), one a line."""
    urls = [part.split()[0] for value in values if value for part in value.split(", ") if part.strip()]
    return "\n".join(urlsplit(url).hostname or "" for url in urls)


def within(document: Element, *path: str) -> Iterator[Element]:
    """Return the elements named last in ``path`` that lie in one of those named before it."""
    *outer, name = path
    roots = [document] if not outer else list(document.iter(HTML + outer[0]))
    for root in roots:
        yield from root.iter(HTML + name)


def rel_links(document: Element, rel: str) -> str:
    return hosts_of(link.get("href") for link in within(document, "link") if link.get("rel") == rel)


def text_of(document: Element, name: str) -> str:
    return "\n".join("".join(element.itertext()) for element in within(document, name))


def carried(answer: Answer) -> dict[Form, str]:
    """Return, for each form, the text of the page in which a host of that form must stand."""
    document = tree(answer)
    # Read apart from the page: with scripts off, an <img> closes a noscript in the head, and the head with it.
    fallback: Element = html5lib.parseFragment(text_of(document, "noscript"))
    inline = [script for script in within(document, "script") if "src" not in script.attrib]
    return {
        Form.SCRIPT: hosts_of(script.get("src") for script in within(document, "script")),
        Form.INLINE: "\n".join("".join(script.itertext()) for script in inline if "json" not in script.get("type", "")),
        Form.NOSCRIPT_IMG: hosts_of(img.get("src") for img in within(fallback, "img")),
        Form.NOSCRIPT_IFRAME: hosts_of(frame.get("src") for frame in within(fallback, "iframe")),
        Form.IMG: hosts_of(img.get("src") for img in within(document, "img")),
        Form.SRCSET: hosts_of(img.get("srcset") for img in within(document, "img")),
        Form.IFRAME: hosts_of(frame.get("src") for frame in within(document, "iframe")),
        Form.PRECONNECT: rel_links(document, "preconnect"),
        Form.DNS_PREFETCH: rel_links(document, "dns-prefetch"),
        Form.PRELOAD: rel_links(document, "preload"),
        Form.STYLESHEET_LINK: rel_links(document, "stylesheet"),
        Form.STYLE_ELEMENT: text_of(document, "style"),
        Form.STYLE_ATTRIBUTE: "\n".join(element.get("style", "") for element in document.iter()),
        Form.LINK_HEADER: "\n".join(answer.lines(b"link")),
        Form.PING: hosts_of(anchor.get("ping") for anchor in within(document, "a")),
    }


@EVERY_PAGE
async def test_every_page_answers_as_utf8_html_under_an_entity_tag(path: str) -> None:
    answer = await get(path)
    assert answer.status == 200
    assert answer.lines(b"content-type") == ["text/html; charset=utf-8"]
    assert answer.lines(b"content-length") == [str(len(answer.body))]
    assert len(answer.body) < MAX_PAGE_BYTES

    again = await get(path, **{"if-none-match": answer.lines(b"etag")[0]})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(("path", "planted"), PLANTINGS)
async def test_every_planted_host_stands_in_what_the_path_serves(path: str, planted: Planted) -> None:
    answer = await get(path)
    served = answer.body.decode() + "\n".join(answer.lines(b"link"))
    assert [host for host in planted.hosts if host not in served] == []


@pytest.mark.parametrize(("path", "planted"), [case for case in PLANTINGS if case.values[0] in PAGES])
async def test_every_vendor_is_carried_in_each_form_that_the_manifest_names(path: str, planted: Planted) -> None:
    found = carried(await get(path))
    assert [form for form in planted.forms if not any(host in found[form] for host in planted.hosts)] == []


@EVERY_PAGE
async def test_every_third_party_that_a_page_loads_from_is_in_the_manifest(path: str) -> None:
    found = carried(await get(path))
    known = hosts_to_lose(path) | hosts_to_keep(path)
    parsed = set(Form) - {Form.INLINE, Form.STYLE_ELEMENT, Form.STYLE_ATTRIBUTE, Form.STYLESHEET, Form.LINK_HEADER}
    loaded = {host for form in parsed for host in found[form].split("\n") if host}
    in_text = [found[form] for form in (Form.INLINE, Form.STYLE_ELEMENT, Form.STYLE_ATTRIBUTE, Form.LINK_HEADER)]
    # In scripts and CSS a host follows a slash pair; what is glued together there is in the manifest by hand.
    loaded |= {host for text in in_text for host in re.findall(r"//([a-z0-9-]+(?:\.[a-z0-9-]+)+)", text)}
    assert [host for host in loaded if not any(host == k or host.endswith("." + k) for k in known)] == []


@pytest.mark.parametrize("path", LOADED_AT_RUN_TIME)
async def test_what_is_loaded_at_run_time_stands_nowhere_as_text(path: str) -> None:
    served = (await get(path)).body.decode()
    scripts = [asset for asset in (files("optout_gate.demo") / "assets").iterdir() if asset.name.endswith(".js")]
    served += "".join(script.read_text("utf-8") for script in scripts)
    loaded = LOADED_AT_RUN_TIME[path]
    assert len({each.vendor for each in loaded}) >= 10
    assert [each.host for each in loaded if each.host in served] == []
    for each in loaded:
        assert each.vendor in {rule.vendor.vendor for rule in builtin().on_host(each.host)}


async def test_the_stylesheet_that_every_page_uses_carries_a_beacon() -> None:
    answer = await get("/assets/juniper.css")
    assert answer.lines(b"content-type") == ["text/css; charset=utf-8"]
    beacons = re.findall(rb'url\("https://([^/"]+)/', answer.body)
    assert [host.decode() for host in beacons] == [host for p in PLANTED["/assets/juniper.css"] for host in p.hosts]


def test_the_manifest_covers_every_page_and_form_and_enough_vendors() -> None:
    everywhere = [planted for path in PLANTED for planted in PLANTED[path]]
    assert set(PLANTED) == {*PAGES, "/assets/juniper.css"}
    assert {form for planted in everywhere for form in planted.forms} == set(Form)
    assert {planted.vendor for planted in everywhere} == set(PURPOSES)
    assert len([vendor for vendor, purpose in PURPOSES.items() if purpose in DENIABLE]) >= 28
    assert set(PURPOSES.values()) >= DENIABLE | {Purpose.SECURITY, Purpose.FUNCTIONAL}


def test_the_catalogue_knows_every_planted_vendor_by_the_same_chief_purpose() -> None:
    vendors = builtin().vendors
    assert {id_: vendors[id_].purposes[0] for id_ in PURPOSES} == PURPOSES
    assert {cookie: builtin().by_cookie(cookie) for cookie in SITE_COOKIES} == dict.fromkeys(SITE_COOKIES)
    owners = {cookie: builtin().by_cookie(cookie) for cookie in TRACKING_COOKIES}
    assert {cookie: rule and rule.vendor.vendor for cookie, rule in owners.items()} == TRACKING_COOKIES


@EVERY_PAGE
def test_no_host_is_both_to_lose_and_to_keep(path: str) -> None:
    assert hosts_to_lose(path)
    assert hosts_to_keep(path)
    assert hosts_to_lose(path).isdisjoint(hosts_to_keep(path))


@EVERY_PAGE
async def test_every_page_sets_the_tracking_cookies_opt_out_strings_and_its_own(path: str) -> None:
    lines = (await get(path)).lines(b"set-cookie")
    set_ = dict(line.partition(";")[0].split("=", 1) for line in lines)
    assert list(set_) == [*SITE_COOKIES, *TRACKING_COOKIES, *OPT_OUT_STRINGS]
    assert [name for name, (says, _) in OPT_OUT_STRINGS.items() if says not in set_[name]] == []
    assert set(TRACKING_COOKIES.values()) <= set(PURPOSES)


@pytest.mark.parametrize("path", LINKS)
async def test_link_fields_leave_as_separate_lines(path: str) -> None:
    assert (await get(path)).lines(b"link") == list(LINKS[path])


@pytest.mark.parametrize(("path", "start_tag"), [(path, tag) for path in INERT for tag in INERT[path]])
async def test_an_inert_block_is_json_that_mentions_a_planted_vendor(path: str, start_tag: bytes) -> None:
    block = (await get(path)).body.partition(start_tag)[2].partition(b"</script>")[0]
    text = json.dumps(json.loads(block))
    assert re.search(r"facebook\.com|hotjar\.com|cdn\.segment\.com", text)


@EVERY_PAGE
async def test_every_page_is_sane_html(path: str) -> None:
    document = tree(await get(path))
    head, body = document.find(HTML + "head"), document.find(HTML + "body")
    assert head is not None
    assert body is not None
    assert document.get("lang") == "en"
    assert len(list(within(document, "main"))) == 1
    assert len(list(within(document, "h1"))) == 1
    # Something that does not belong into a head would have closed it before the stylesheet and the tags.
    assert "/assets/juniper.css" in [link.get("href") for link in head.iter(HTML + "link")]
    assert head.findall(HTML + "img") == []
    assert [img for img in within(document, "main", "img") if img.get("alt") is None] == []
    labels = {label.get("for") for label in within(document, "label")}
    fields = [field for name in ("input", "select") for field in within(document, name) if field.get("id")]
    assert [field.get("id") for field in fields if field.get("id") not in labels] == []


@EVERY_PAGE
async def test_every_first_party_reference_of_a_page_leads_somewhere(path: str) -> None:
    document = tree(await get(path))
    references = [element.get(name) for element in document.iter() for name in ("href", "src", "action")]
    local = {ref for ref in references if ref and ref.startswith("/") and not ref.startswith("//")}
    assert "/_optout/preferences" in local  # "Your Privacy Choices": the gate's own page, not the site's
    for reference in local - {"/_optout/preferences"}:
        assert (await get(reference.partition("#")[0])).status == 200, reference


async def test_every_asset_is_first_party_and_known_by_its_type() -> None:
    types = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    for asset in (files("optout_gate.demo") / "assets").iterdir():
        answer = await get(f"/assets/{asset.name}")
        assert answer.status == 200
        assert answer.lines(b"content-type")[0].startswith(types[asset.name[asset.name.index(".") :]])
        again = await get(f"/assets/{asset.name}", **{"if-none-match": answer.lines(b"etag")[0]})
        assert again.status == 304


async def test_the_svg_files_are_well_formed_and_load_nothing() -> None:
    for asset in (files("optout_gate.demo") / "assets").iterdir():
        if asset.name.endswith(".svg"):
            text = asset.read_text()
            assert html5lib.parseFragment(text) is not None
            assert text.count("http") == 1, "the namespace only"


@pytest.mark.parametrize("path", ["/nothing", "/assets/nothing.css", "/assets/..", "/assets/site.py"])
async def test_what_does_not_exist_is_a_page_that_says_so(path: str) -> None:
    answer = await get(path)
    assert answer.status == 404
    assert b"This page has moved on" in answer.body


GOOD = {
    "/enroll": (
        "/enroll/thanks",
        {"first_name": "A", "last_name": "B", "email": "a@example.com", "zip": "95814", "plan": "gold"},
    ),
    "/login": ("/member", {"member": "rosa", "password": "x"}),
}


@pytest.mark.parametrize("path", GOOD)
async def test_a_complete_form_leads_on(path: str) -> None:
    target, fields = GOOD[path]
    answer = await ask(site(), path, method="POST", body=urlencode(fields).encode())
    assert (answer.status, answer.lines(b"location")) == (303, [target])


@pytest.mark.parametrize(("path", "missing"), [(path, name) for path in GOOD for name in GOOD[path][1]])
async def test_a_form_with_a_field_missing_comes_back_with_its_notice_shown(path: str, missing: str) -> None:
    fields = {**GOOD[path][1], missing: " "}
    answer = await ask(site(), path, method="POST", body=urlencode(fields).encode())
    notice = next(e for e in tree(answer).iter() if e.get("id") == "form-notice")
    assert (answer.status, "hidden" in notice.attrib) == (422, False)

    untouched = next(e for e in tree(await get(path)).iter() if e.get("id") == "form-notice")
    assert "hidden" in untouched.attrib


@pytest.mark.parametrize(
    ("query", "names"),
    [
        pytest.param("q=spanish", {"Dr. Lena Castillo", "Dr. Miguel Ochoa"}, id="a language"),
        pytest.param("q=OKAFOR+riverside", {"Dr. Amara Okafor"}, id="every word, in any case"),
        pytest.param("specialty=Cardiology&zip=93720", {"Dr. Mei-Ling Zhao"}, id="a specialty in a region"),
        pytest.param("q=nobody", set(), id="nobody"),
    ],
)
async def test_the_directory_finds_doctors(query: str, names: set[str]) -> None:
    answer = await get(f"/api/doctors?{query}")
    assert answer.lines(b"content-type") == ["application/json"]
    assert {doctor["name"] for doctor in json.loads(answer.body)["doctors"]} == names


async def test_the_common_parts_are_planted_on_every_page() -> None:
    assert [path for path in PAGES if PLANTED[path][: len(ON_EVERY_PAGE)] != ON_EVERY_PAGE] == []

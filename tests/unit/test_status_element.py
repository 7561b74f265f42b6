"""The words of the status stand where the page has a place for them, and nowhere else."""

import re

import pytest

from support import gates

OUT = "Opt-Out Request Honored"


def shown(body: bytes, place: str = "placeholder", *, signal: bool = True, target: str = "/", **headers: str) -> str:
    """Return what a page becomes where ``preferences.status`` is ``place``."""
    gate = gates.gate(f"{gates.SITE}preferences: {{status: {place}}}\n")
    lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    exchange = gate.open(gates.request(target, *([gates.OPTED_OUT] if signal else []), *lines))
    assert exchange is not None
    return re.sub(
        r'<script[^>]* src="/_optout/(?:guard|modules)\.js[^>]*></script>', "", gates.drive(exchange, body)[1].decode()
    )


def test_a_place_gets_the_words_before_what_it_holds() -> None:
    page = shown(b"<html lang=en><p data-optout-status>Not yet<p>More, whose end tag is left out too")
    assert f'<p data-optout-status="honored">{OUT}Not yet<p>More, whose' in page


@pytest.mark.parametrize("place", ["placeholder", "end_of_body", "off"])
def test_who_said_nothing_gets_the_page_as_it_came(place: str) -> None:
    page = b"<html><body><p data-optout-status></p></body></html>"
    assert shown(page, place, signal=False) == page.decode()


def test_off_means_off() -> None:
    page = b"<html><body><p data-optout-status></p></body></html>"
    assert shown(page, "off") == page.decode()


def test_a_page_without_a_place_gets_it_at_its_end_where_that_is_configured() -> None:
    page = b"<html lang=en><body>Hi</body></html>"
    assert shown(page) == page.decode()
    assert shown(page, "end_of_body").endswith(
        f'</html><aside data-optout-status="honored" aria-label="{OUT}">{OUT}</aside>'
    )
    assert shown(b"<html><p data-optout-status></p></html>", "end_of_body").count(OUT) == 1


def test_a_part_of_a_page_and_what_is_no_document_get_none_at_their_end() -> None:
    assert OUT not in shown(b"<li>one<li>two", "end_of_body")
    assert OUT not in shown(b"<html><body>Hi", "end_of_body", Sec_Fetch_Dest="iframe")


@pytest.mark.parametrize(
    ("lang", "expected"),
    [
        ("es-MX", '<p data-optout-status="honored">Solicitud de exclusi&#243;n respetada</p>'),
        ("fr", f'<p data-optout-status="honored" lang="en">{OUT}</p>'),
        ("", f'<p data-optout-status="honored" lang="en">{OUT}</p>'),
    ],
)
def test_the_language_is_that_of_the_page(lang: str, expected: str) -> None:
    assert expected in shown(b"<html lang='%s'><p data-optout-status></p>" % lang.encode(), Accept_Language="es")


@pytest.mark.parametrize("tag", ["script", "style", "textarea", "title", "input", "img", "svg", "select", "template"])
def test_elements_in_which_text_is_code_or_unseen_stay_as_they_are(tag: str) -> None:
    page = f"<html><body><{tag} data-optout-status></{tag}></body></html>"
    assert shown(page.encode()) == page


def test_it_is_not_said_where_everybody_is_denied_and_nobody_asked() -> None:
    gate = gates.gate(f"{gates.SITE}policies: {{default: {{always: [/member/*]}}}}\n")
    exchange = gate.open(gates.request("/member/a"))
    assert exchange is not None and exchange.decision.enforced
    assert OUT not in gates.drive(exchange, b"<html><p data-optout-status></p>")[1].decode()

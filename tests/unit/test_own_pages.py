"""The gate's own pages say what is in force, to each visitor in their words, and nobody else presses their buttons."""

import json
from pathlib import Path
from string import Template

import pytest

from optout_gate.errors import ConfigError
from optout_gate.gate import Gate
from optout_gate.http import Headers
from optout_gate.pages import preferences
from optout_gate.pages.app import OwnPages
from optout_gate.pages.own_page import sent_from_here
from optout_gate.policy.load import load_text
from optout_gate.policy.texts import PLACEHOLDERS, builtin
from support import gates
from support.asgi_call import Answer, ask

PATHS = "preferences: {paths: [/your-privacy-choices, /choices], request_form: 'https://forms.test/a?b=1&c=2'}\n"


def pages(text: str = "", *, mode: str = "enforce", folder: Path | None = None, policy: str = "") -> OwnPages:
    site = f'version: 1\nsites: [{{upstream: "http://127.0.0.1:9", mode: {mode}}}]\n{policy}{text}'
    gate: Gate = gates.gate(site, folder=folder)
    return OwnPages(lambda: gate)


async def get(app: OwnPages, path: str = "/_optout/preferences", method: str = "GET", **headers: str) -> Answer:
    lines = {"Host": "www.shop.test", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await ask(app, path, method=method, headers=lines)


def location(answer: Answer) -> str:
    return answer.lines(b"location")[0]


async def test_nothing_says_opted_out_where_nothing_is_taken_away() -> None:
    seen = await get(pages(mode="observe"), Sec_GPC="1")
    assert b"does not act on it yet" in seen.body
    assert b"You are opted out" not in seen.body and b"Honored" not in seen.body
    told = json.loads((await get(pages(mode="observe"), "/_optout/status", Sec_GPC="1")).body)
    assert (told["opted_out"], told["in_force"], told["status"], told["denied"]) == (True, False, None, [])
    assert b"switched off" in (await get(pages(mode="off"), Sec_GPC="1")).body


async def test_a_signal_that_the_policy_does_not_honor_is_not_said_to_be() -> None:
    seen = await get(pages(policy="policies: {default: {honor: [cookie]}}\n"), Sec_GPC="1")
    assert b"This site does not act on it" in seen.body and b"You are not opted out" in seen.body


async def test_a_refusal_of_analytics_alone_is_not_an_opt_out_of_sale() -> None:
    groups = "OptanonConsent=groups=C0001:1,C0002:0,C0004:1"
    seen = await get(pages(), Cookie=groups)
    assert b'data-optout-state="in"' in seen.body


async def test_the_choice_leads_back_to_the_page_it_was_made_on_and_nowhere_else() -> None:
    app, here = pages(PATHS), {"Sec_Fetch_Site": "same-origin"}
    for page, where in (
        ("/choices", "/choices"),
        ("/_optout/preferences", "/_optout/preferences"),
        ("https://evil.test/", "/your-privacy-choices"),
        ("//evil.test", "/your-privacy-choices"),
        ("/your-privacy-choices/../x", "/your-privacy-choices"),
        ("", "/your-privacy-choices"),
    ):
        answer = await get(app, f"/_optout/opt-out?page={page}&lang=es", "POST", **here)
        assert (answer.status, location(answer)) == (303, f"{where}?chosen=out&lang=es")
    plain = await get(pages(), "/_optout/opt-out?lang=../x", "POST", **here)
    assert location(plain) == "/_optout/preferences?chosen=out&lang=en"


async def test_the_consent_record_says_whether_the_page_told_of_the_signal() -> None:
    app, here = pages(), {"Sec_Fetch_Site": "same-origin", "Sec_GPC": "1"}
    form = (await get(app, Sec_GPC="1")).body
    assert b"/_optout/opt-in?page=%2F_optout%2Fpreferences&amp;lang=en&amp;told=1" in form
    [told] = (await get(app, "/_optout/opt-in?told=1", "POST", **here)).lines(b"set-cookie")
    [untold] = (await get(app, "/_optout/opt-in", "POST", **here)).lines(b"set-cookie")
    assert told.startswith("optout_gate=0.1.gpc.") and untold.startswith("optout_gate=0.1.none.")
    informed = "policies: {default: {informed_consent: honor}}\n"
    assert b"If you opt in here, that counts" in (await get(pages(policy=informed), Sec_GPC="1")).body


async def test_a_cookie_for_the_domain_removes_the_one_for_the_host() -> None:
    app = pages("cookie: {domain: shop.test}\n")
    lines = (await get(app, "/_optout/opt-in", "POST", Origin="http://www.shop.test")).lines(b"set-cookie")
    assert [line.partition(";")[0].partition(".")[0] for line in lines] == ["optout_gate=0", "optout_gate="]
    assert "Domain=shop.test" in lines[0] and "Domain" not in lines[1] and "Max-Age=0" in lines[1]


@pytest.mark.parametrize(
    ("lines", "here"),
    [
        pytest.param([("Sec-Fetch-Site", "same-origin"), ("Origin", "https://evil.test")], True, id="fetch-metadata"),
        pytest.param([("Sec-Fetch-Site", "none")], True, id="typed-or-reloaded"),
        pytest.param([("Sec-Fetch-Site", "same-site")], False, id="another-host-of-the-same-site"),
        pytest.param([("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")], False, id="said-twice"),
        pytest.param([("Origin", "http://www.shop.test")], True, id="origin"),
        pytest.param([("Origin", "https://www.shop.test")], True, id="origin-behind-a-proxy-that-ends-tls"),
        pytest.param([("Origin", "http://www.shop.test:8443")], False, id="another-port"),
        pytest.param([("Origin", "http://www.shop.test.evil.test")], False, id="a-longer-name"),
        pytest.param([("Origin", "null")], False, id="an-opaque-origin"),
        pytest.param([("Origin", "http://[")], False, id="not-an-origin"),
        pytest.param([("Referer", "http://www.shop.test/a")], True, id="referer"),
        pytest.param([("Referer", "https://evil.test/www.shop.test")], False, id="another-sites-referer"),
        pytest.param([], None, id="nothing-said"),
    ],
)
def test_where_a_choice_was_sent_from(lines: list[tuple[str, str]], here: bool | None) -> None:
    headers = Headers((name.encode(), value.encode()) for name, value in lines)
    assert sent_from_here(headers, authority="www.shop.test", scheme="http") is here


async def test_who_says_nothing_of_where_they_are_may_opt_out_and_not_in() -> None:
    assert (await get(pages(), "/_optout/opt-out", "POST")).status == 303
    assert (await get(pages(), "/_optout/opt-in", "POST")).status == 403


async def test_the_page_cannot_be_framed_or_kept_and_runs_nothing() -> None:
    seen = await get(pages(PATHS), "/your-privacy-choices")
    [policy] = seen.lines(b"content-security-policy")
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe-inline" not in policy
    assert seen.lines(b"cache-control") == ["no-store"]
    assert b"<script" not in seen.body and b"set-cookie" not in [name for name, _ in seen.headers]
    assert b'href="https://forms.test/a?b=1&amp;c=2"' in seen.body
    assert (await get(pages(PATHS), "/choices", "POST")).status == 405


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("es-MX,en;q=0.5", "es"),
        ("fr,es;q=0.3,en;q=0.2", "es"),
        ("fr", "en"),
        ("es;q=0,en", "en"),
        ("es;q=x", "en"),
        ("", "en"),
    ],
)
async def test_the_language_is_the_best_that_is_spoken_here(asked: str, language: str) -> None:
    seen = await get(pages(), Accept_Language=asked)
    assert seen.lines(b"content-language") == [language]
    assert (await get(pages(), "/_optout/preferences?lang=es", Accept_Language="en")).lines(b"content-language") == [
        "es"
    ]


async def test_the_statement_is_by_the_letter_for_everybody_alike() -> None:
    app = pages("gpc_json: {last_update: 2026-01-01}\n")
    assert app.answer_to("/.well-known/gpc.json") and not pages().answer_to("/.well-known/gpc.json")
    plain = await get(app, "/.well-known/gpc.json")
    assert plain == await get(app, "/.well-known/gpc.json", Sec_GPC="1", Cookie="optout_gate=1")
    assert (plain.status, plain.lines(b"content-type")) == (200, ["application/json"])
    assert json.loads(plain.body) == {"gpc": True, "lastUpdate": "2026-01-01"}
    assert plain.lines(b"vary") == []
    head = await get(app, "/.well-known/gpc.json", "HEAD")
    assert head.status == 200 and head.lines(b"content-length") == plain.lines(b"content-length")
    assert (await get(app, "/.well-known/gpc.json", "POST")).lines(b"allow") == ["GET, HEAD"]


async def test_a_theme_replaces_page_style_and_words(tmp_path: Path) -> None:
    theme = tmp_path / "theme"
    theme.mkdir()
    (theme / "preferences.html").write_text("<title>$title</title><style>$style</style>$state costs $$5")
    (theme / "preferences.css").write_text("b { color: red } </style><script>")
    (theme / "es.yaml").write_text("title: Mi <privacidad>\n")
    app = pages("preferences: {templates: theme}\n", folder=tmp_path)
    seen = await get(app, Accept_Language="es")
    assert b"<title>Mi &lt;privacidad&gt;</title>" in seen.body and b"costs $5" in seen.body
    assert b"b { color: red }" in seen.body and b"</style><script>" not in seen.body
    assert "style-src 'self'" in seen.lines(b"content-security-policy")[0]
    assert "Your privacy choices" in (await get(app)).body.decode()


def test_a_theme_and_secrets_that_cannot_work_are_told_with_their_place(tmp_path: Path) -> None:
    theme = tmp_path / "theme"
    theme.mkdir()
    (theme / "preferences.html").write_text("<p>$stat</p>\n<p>costs $5</p>\n")
    (theme / "en.yaml").write_text("titel: My choices\ntitle: ''\n")
    (tmp_path / "short.key").write_text("hush-hush\n")
    (tmp_path / "empty.token").write_text("\n")
    text = """
version: 1
sites: [{upstream: "http://127.0.0.1:1"}]
preferences: {templates: theme}
consumers: {identify: {cookie: uid}, key_file: short.key}
choices: {token_file: empty.token}
"""
    with pytest.raises(ConfigError) as told:
        load_text(text, file="site.yaml", folder=tmp_path)
    said = [str(problem).removeprefix(f"{tmp_path}/") for problem in told.value.problems]
    assert "hush" not in str(said)
    assert [line.partition(" (openssl")[0].replace(str(tmp_path), "") for line in said] == [
        "theme/en.yaml:1:1: unknown key 'titel'; did you mean 'title'?",
        "theme/en.yaml:2:8: expected text",
        "theme/preferences.html:1:4: there is no placeholder $stat; did you mean 'state'?",
        "theme/preferences.html:2:10: a lone '$'; write '$$' for one that is to be seen",
        "site.yaml:5:48: /short.key holds 9 bytes, and at least 32 are wanted",
        "site.yaml:6:23: /empty.token holds 0 bytes, and at least 16 are wanted",
    ]


def test_every_language_has_every_text_and_the_page_fills_every_placeholder() -> None:
    english, spanish = (builtin()[language] for language in ("en", "es"))
    assert set(english) == set(spanish)
    same = {name for name in english if english[name] == spanish[name]}
    assert same == {"kept_link"}  # a name; all else is translated
    page = (Path(preferences.__file__).parent / "preferences.html").read_text("utf-8")
    assert set(Template(page).get_identifiers()) == PLACEHOLDERS


STAND_IN = "/_optout/s/hotjar.js"
SCRIPT, PIXEL, FRAME, SHEET, NOTHING = "text/javascript", "image/gif", "text/html", "text/css", None


@pytest.mark.parametrize(
    ("asks", "kind"),
    [
        pytest.param({}, SCRIPT, id="a-browser-without-the-field"),
        pytest.param({"Sec_Fetch_Dest": "script", "Sec_Fetch_Mode": "no-cors"}, SCRIPT, id="a-script"),
        pytest.param({"Sec_Fetch_Dest": "image", "Sec_Fetch_Mode": "no-cors"}, PIXEL, id="an-image"),
        pytest.param({"Sec_Fetch_Dest": "iframe", "Sec_Fetch_Mode": "navigate"}, FRAME, id="a-frame"),
        pytest.param({"Sec_Fetch_Dest": "empty", "Sec_Fetch_Mode": "cors"}, NOTHING, id="fetch"),
    ],
)
async def test_a_stand_in_is_what_the_element_that_asked_survives(asks: dict[str, str], kind: str | None) -> None:
    answer = await get(pages(), STAND_IN, Accept="*/*", **asks)
    assert answer.status == (204 if kind is NOTHING else 200)
    assert [each.partition(";")[0] for each in answer.lines(b"content-type")] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("asks", "kind"),
    [  # as Chromium sends them when a service worker answers with fetch(event.request)
        pytest.param({"Sec_Fetch_Mode": "no-cors", "Accept": "*/*"}, SCRIPT, id="a-script"),
        pytest.param({"Sec_Fetch_Mode": "cors", "Accept": "*/*", "Origin": "http://a"}, SCRIPT, id="crossorigin"),
        pytest.param({"Sec_Fetch_Mode": "no-cors", "Accept": "image/avif,image/*,*/*;q=0.8"}, PIXEL, id="an-image"),
        pytest.param({"Sec_Fetch_Mode": "no-cors", "Accept": "text/css,*/*;q=0.1"}, SHEET, id="a-sheet"),
        pytest.param({"Sec_Fetch_Mode": "navigate", "Accept": "text/html,*/*;q=0.8"}, FRAME, id="a-frame"),
        pytest.param({"Sec_Fetch_Mode": "cors", "Accept": "*/*"}, NOTHING, id="fetch"),
    ],
)
async def test_a_page_behind_a_service_worker_gets_the_same_stand_ins(asks: dict[str, str], kind: str | None) -> None:
    answer = await get(pages(), STAND_IN, Sec_Fetch_Dest="empty", **asks)
    assert [each.partition(";")[0] for each in answer.lines(b"content-type")] == ([kind] if kind else [])
    told_apart_by = {each.strip().lower() for line in answer.lines(b"vary") for each in line.split(",")}
    assert told_apart_by >= {"sec-fetch-dest", *(name.lower().replace("_", "-") for name in asks)}


async def test_a_beacon_sent_from_a_page_behind_a_service_worker_gets_nothing() -> None:
    sent = {"Sec_Fetch_Dest": "empty", "Sec_Fetch_Mode": "no-cors", "Accept": "*/*", "Origin": "http://www.shop.test"}
    assert (await get(pages(), STAND_IN, "POST", **sent)).status == 204

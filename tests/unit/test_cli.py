"""Every command has help with an example, speaks JSON where a program reads, and leaves with the right code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from optout_gate.cli import COMMANDS, main, output
from optout_gate.edges.probe import ProbeError, asking
from support.processes import Origin


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    file = tmp_path / "site.yaml"
    file.write_text("version: 1\nsites: [{hosts: [www.shop.test], upstream: 'http://127.0.0.1:8000'}]\n")
    return file


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_help_with_an_example(command: str) -> None:
    told = run(command, "--help")
    assert told.exit_code == 0
    assert "Example" in told.output and f"optout-gate {command}" in told.output


def test_a_command_costs_the_import_of_itself_alone() -> None:
    asked = "import sys; from optout_gate.cli import main; main(['healthcheck', '--help'], standalone_mode=False); "
    told = subprocess.run(
        [sys.executable, "-c", asked + "print([each for each in sys.modules if each.startswith('optout_gate.proxy')])"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert told.endswith("[]\n") and "Ask a running gate" in told


def test_the_first_page_of_help_shows_two_commands_a_line_each() -> None:
    lines = run("--help").output.splitlines()
    assert lines[-2:] == [
        "  Try it:            optout-gate demo",
        "  Before a website:  optout-gate serve --upstream http://127.0.0.1:8000",
    ]


def test_vendors_tells_of_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    told = run("vendors", "--html", str(tmp_path / "nowhere" / "vendors.html"))
    assert told.exit_code == 2 and "cannot be written: No such file or directory" in told.output


def test_a_good_configuration_leaves_with_0_and_says_what_it_amounts_to(site: Path) -> None:
    told = run("check", str(site))
    assert told.exit_code == 0 and "good" in told.output and "www.shop.test" in told.output
    summary = json.loads(run("check", str(site), "--json").output)
    assert summary["config"]["sites"][0]["mode"] == "enforce"
    assert 0 < summary["policies"]["default"]["vendors_blocked"] < summary["vendors"]


def test_no_table_cuts_a_name_short_in_a_narrow_terminal(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output.console, "_width", 60)
    told = run("check", str(site)).output
    assert "\u2026" not in told
    cells = [[cell.strip() for cell in line.split("\u2502")] for line in told.splitlines() if "\u2502" in line]
    assert "session_replay" in "".join(row[3] for row in cells if len(row) > 6)


def test_check_tells_what_passes_unenforced_and_what_a_cache_in_front_has_to_know(site: Path) -> None:
    quiet = " ".join(run("check", str(site)).output.split())
    assert "on_failure" not in quiet and "requests with the cookie optout_gate apart" in quiet
    site.write_text(
        site.read_text().replace("}]", ", on_failure: {decoding: pass, charset: block}, no_transform: honor}]")
    )
    told = " ".join(run("check", str(site)).output.split())
    assert "www.shop.test: on_failure.decoding passes pages unenforced" in told
    assert "www.shop.test: on_failure.charset blocks pages" in told
    assert "www.shop.test: no_transform passes pages unenforced" in told and "rewriter" not in told


def test_a_bad_configuration_leaves_with_2_and_names_the_place(site: Path) -> None:
    site.write_text("version: 1\nsites: [{upstrem: x}]\n")
    told = run("check", str(site))
    assert told.exit_code == 2
    assert "site.yaml:2:10: unknown key 'upstrem'" in told.output


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("chek", "there is no command 'chek'; did you mean 'check'?"),
        ("xyz", "there is no command 'xyz'; expected one of check, choices, demo"),
    ],
)
def test_a_command_that_nobody_knows_is_told_with_the_nearest_one(word: str, said: str) -> None:
    told = run(word)
    assert told.exit_code == 2 and said in told.output


@pytest.mark.parametrize(
    "url", ["http://[::1/", "http://x:99999/", "http://x:abc/", "http://a b/", "http:///x", "ftp://x/"]
)
@pytest.mark.parametrize("command", [("probe",), ("lists", "add"), ("explain", "https://a.example/x.js", "--page")])
def test_an_address_that_is_none_is_told_in_words(command: tuple[str, ...], url: str) -> None:
    told = run(*command, url)
    assert told.exit_code == 2
    assert f"expected http://HOST/PATH or https://HOST/PATH, found {url!r}" in told.output


@pytest.mark.parametrize("line", ["X", ": x", "X Y: z", "X: a\r\nB: c"])
def test_probe_refuses_a_header_that_is_none(line: str) -> None:
    told = run("probe", "http://127.0.0.1:1/", "--header", line)
    assert told.exit_code == 2 and "expected --header 'NAME: VALUE' on one line" in told.output


def test_explain_says_when_no_site_of_the_file_answers_to_the_page(site: Path) -> None:
    sent = ("explain", "https://static.hotjar.com/x.js", "--config", str(site), "--page")
    assert (
        "answers to other.test: this is what the policy 'default' would say" in run(*sent, "https://other.test/").output
    )
    assert "answers to" not in run(*sent, "https://www.shop.test/").output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["https://www.google-analytics.com/g/collect?v=2"], {"blocked": True, "purpose": "analytics"}),
        (["//connect.facebook.net/en_US/fbevents.js"], {"blocked": True, "vendor": "meta-pixel"}),
        (["https://fonts.googleapis.com/css"], {"blocked": False, "vendor": "google-fonts"}),
        (["https://www.google.com/recaptcha/api.js"], {"blocked": False, "vendor": "recaptcha"}),
        (["https://nobody.example/x.js"], {"blocked": False}),
        (["/own.js"], {"blocked": False}),
        (["/a/g/collect?v=2&tid=G-1"], {"blocked": True, "vendor": "google-analytics", "answer": "empty"}),
        (["/a/g/collect?v=2&tid=G-1", "--header", "DNT: 1"], {"blocked": False, "vendor": "google-analytics"}),
        (["/collect?item=5"], {"blocked": False}),
        (["/api/event"], {"blocked": False}),
        (["/api/event", "--body", '{"n":"x","u":"https://a.b/","d":"a.b"}'], {"blocked": True, "vendor": "plausible"}),
        (["https://static.hotjar.com/x.js", "--page", "https://www.hotjar.com/"], {"blocked": False}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_explain_says_who_and_why(arguments: list[str], expected: dict[str, object]) -> None:
    told = run("explain", *arguments, "--json")
    assert told.exit_code == 0
    answer = json.loads(told.output)
    assert expected.items() <= answer.items()
    assert answer["why"]
    if answer["blocked"]:
        assert answer["place"].startswith("catalogue/") and answer["rule"]
    assert ("blocked" if answer["blocked"] else "passes") in run("explain", *arguments).output


def test_explain_prints_the_way_from_each_signal_to_each_purpose_and_vendor() -> None:
    sent = ["--header", "Sec-GPC: 1", "--cookie", "usprivacy=1YNN", "--cookie", "OneTrustWPCCPAGoogleOptOut=true"]
    answer = json.loads(run("explain", *sent, "--header", "DNT: 1", "--json").output)
    assert [(step["signal"], bool(step["denies"]), step["why_not"]) for step in answer["signals"]] == [
        ("gpc", True, None),
        ("onetrust-google", True, None),
        ("dnt", False, "Do Not Track is not honoured"),
        ("usprivacy", False, "it refuses nothing"),
    ]
    assert answer["contradictions"] == [["gpc", "usprivacy"], ["onetrust-google", "usprivacy"]]
    assert answer["purposes"]["advertising"]["because"] == ["Sec-GPC: 1", "onetrust: opted out for Google"]
    assert "meta-pixel" in answer["purposes"]["advertising"]["vendors"]
    assert answer["purposes"]["security"] == {"denied": False, "because": [], "vendors": []}
    assert answer["vendors"]["hotjar"]["action"] == "block"
    assert answer["vendors"]["recaptcha"]["why"] == "security keeps working for everyone"
    shown = run("explain", *sent).output
    assert "contradiction" in shown and "denied" in shown and "because" in shown


def test_explain_judges_a_url_by_what_the_visitor_sends() -> None:
    def answer(*sent: str, url: str = "https://www.google-analytics.com/collect") -> dict[str, object]:
        found: dict[str, object] = json.loads(run("explain", url, *sent, "--json").output)
        return found

    assert answer("--header", "Sec-GPC: 1")["blocked"] is True
    assert answer("--cookie", "usprivacy=1YYN")["why"] == "the visitor did not refuse analytics"
    assert answer("--cookie", "usprivacy=1YNN")["why"] == "the visitor did not opt out"
    assert answer("--header", "DNT: 1")["blocked"] is False


@pytest.mark.parametrize(
    ("unknown", "page", "blocked", "why"),
    [
        ("allow", "/", False, "no filter list denies it"),
        ("report", "/", False, "it is let through, and counted"),
        ("report", "/member/x", True, "'/member/*' denies third parties that no list knows"),
        ("block", "/", True, "policy 'default' blocks third parties that no list knows"),
    ],
)
def test_explain_says_what_becomes_of_a_third_party_that_nobody_knows(
    site: Path, unknown: str, page: str, blocked: bool, why: str
) -> None:
    site.write_text(site.read_text() + f"policies: {{default: {{unknown: {unknown}, always: [/member/*]}}}}\n")
    sent = ("https://nobody.example/x.js", "--page", f"https://www.shop.test{page}", "--config", str(site))
    answer = json.loads(run("explain", *sent, "--json").output)
    assert answer["blocked"] is blocked and answer["why"].endswith(why)
    assert ("blocked" if blocked else "passes") in run("explain", *sent).output


def test_explain_goes_by_the_site_and_path_of_the_page(site: Path) -> None:
    site.write_text(
        "version: 1\nsites: [{hosts: [www.shop.test], upstream: 'http://127.0.0.1:8000', policy: strict,"
        " onetrust_groups: {BG1: [sale]}}]\npolicies: {strict: {always: ['/member/*'], deny: [advertising]}}\n"
    )
    cookie = ("--cookie", "OptanonConsent=groups=BG1:0")
    for page, because in (
        ("https://www.shop.test/", ["onetrust: sale refused"]),
        ("https://www.shop.test/member/1", ["onetrust: sale refused", "denied for everyone on /member/*"]),
        ("https://other.test/", []),
    ):
        told = run("explain", *cookie, "--page", page, "--config", str(site), "--json")
        assert json.loads(told.stdout)["purposes"]["advertising"]["because"] == because


@pytest.mark.parametrize("sent", [[], ["--header", "Sec-GPC"], ["--cookie", "usprivacy"]])
def test_explain_refuses_what_is_neither_address_nor_signal(sent: list[str]) -> None:
    assert run("explain", *sent).exit_code == 2


def test_check_shows_the_chart_of_a_notice() -> None:
    file = str(Path(__file__).parents[2] / "config" / "policies" / "health-insurer.yaml")
    told = run("check", file).output
    assert all(words in told for words in ("Audio and visual", "sold or shared", "Commercial data", "no advertising"))
    policy = json.loads(run("check", file, "--json").output)["policies"]["health-insurer"]
    assert {rule["path"]: rule["why"] for rule in policy["everyone"]}["/conditions/*"] == (
        "the notice: Sensitive personal information (health) is not sold or shared"
    )
    assert "performance" not in policy["denies"] and "advertising" in policy["denies"]


def test_explain_refuses_what_no_browser_fetches() -> None:
    assert run("explain", "javascript:void(0)").exit_code == 2


def test_vendors_lists_by_purpose() -> None:
    listed = json.loads(run("vendors", "--purpose", "session_replay", "--json").output)
    assert {"hotjar", "fullstory", "clarity"} <= {vendor["vendor"] for vendor in listed}
    assert all("session_replay" in vendor["purposes"] for vendor in listed)


def test_the_schema_is_that_of_the_configuration() -> None:
    schema = json.loads(run("schema").output)
    assert {"version", "sites", "policies", "cookie", "trackers"} <= set(schema["properties"])


def test_serve_without_a_website_is_a_usage_error_that_says_what_to_give() -> None:
    told = run("serve")
    assert told.exit_code == 2 and "--upstream" in told.output


def test_serve_refuses_an_address_that_is_none() -> None:
    told = run("serve", "--upstream", "http://127.0.0.1:8000", "--listen", "8080")
    assert told.exit_code == 2 and "--listen: expected HOST:PORT" in told.output


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("www.example.com", "URL: expected http://HOST[:PORT]"),
        ("unix:/run/site.sock", "URL: mitmproxy reaches no socket file"),
    ],
)
def test_a_site_that_mitmproxy_cannot_stand_before_is_refused_with_words(url: str, words: str) -> None:
    told = run("mitm", url)
    assert told.exit_code == 2 and words in told.output


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("check", "{bad}"), ("{bad}", 2, 21, "is missing", None)),
        (("explain", "//x.test/", "--config", "{bad}"), ("{bad}", 2, 21, "is missing", None)),
        (("probe", "http://x.test/", "--config", "{bad}"), ("{bad}", 2, 21, "is missing", None)),
        (("learn", "{bad}"), ("{bad}", None, None, "neither a HAR file nor log lines", None)),
        (("choices", "forget", "a", "--config", "{bad}"), ("{bad}", 2, 21, "is missing", None)),
        (("choices", "import", "{bad}", "--config", "{bad}"), ("{bad}", 2, 21, "is missing", None)),
        (("healthcheck", "--config", "{bad}"), ("{bad}", 2, 21, "is missing", None)),
        (("healthcheck", "--admin", "nowhere"), ("--admin", None, None, "expected", None)),
        (("lists", "add", "ftp://x.test/"), (None, None, None, "expected http://HOST/PATH", None)),
        (("vendors", "--html", "/nowhere/x.html"), (None, None, None, "cannot be written", None)),
        (("explain",), (None, None, None, "say what to explain", None)),
        (("check", "{bad}", "--colour"), (None, None, None, "No such option", None)),
        (("chek", "{bad}"), (None, None, None, "there is no command 'chek'", "did you mean 'check'?")),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_as_json_where_a_program_reads(
    arguments: tuple[str, ...], error: tuple[str | None, int | None, int | None, str, str | None], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nsites:             [{hosts: [www.shop.test], upsteam: 'http://127.0.0.1:8000'}]\n")
    words = [each.format(bad=bad) for each in arguments]
    told = run(*words, "--json")
    assert told.exit_code == 2 and not told.stderr, told.output
    file, line, column, message, hint = error
    first = json.loads(told.stdout)["errors"][0]
    assert message in first.pop("message")
    assert first == {"file": file and file.format(bad=bad), "line": line, "column": column, "hint": hint}
    in_words = run(*words)
    assert in_words.exit_code == 2 and message in in_words.stderr.replace("\n", " ")


def test_the_nearest_name_is_a_hint_by_itself(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nsites: [{hosts: [www.shop.test], upstream: 'http://127.0.0.1:8000', mod: observe}]\n")
    [error] = json.loads(run("check", str(bad), "--json").stdout)["errors"]
    assert error["message"].startswith("unknown key 'mod'; expected one of hosts") and "mean" not in error["message"]
    assert (error["line"], error["column"], error["hint"]) == (2, 69, "did you mean 'mode'?")


@pytest.mark.parametrize("url", ["http://[::1/", "http://x.test:port/", "http://x.test:0/", "ftp://x.test/", "x.test"])
def test_a_probe_of_what_is_no_address_says_what_was_expected(url: str) -> None:
    with pytest.raises(ProbeError, match="expected http://HOST/PATH"):
        asking(url)


def test_a_list_that_cannot_be_kept_is_told(tmp_path: Path) -> None:
    with Origin({"/a.txt": (200, [("Content-Type", "text/plain")], b"||ads.test^\n")}) as origin:
        told = run("lists", "add", f"{origin.url}/a.txt", "--to", "/proc/lists", "--json")
        assert told.exit_code == 2 and "cannot be written" in json.loads(told.stdout)["errors"][0]["message"]
        kept = json.loads(run("lists", "add", f"{origin.url}/a.txt", "--to", str(tmp_path), "--json").stdout)
    assert (kept["rules"], kept["skipped"], kept["path"]) == (1, [], str(tmp_path / "a.txt"))
    assert len(kept["sha256"]) == 64

"""Filter lists: what holds, what is named with its number and passed over, what is pinned."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from optout_gate.cli import main
from optout_gate.errors import ConfigError
from optout_gate.policy.load import load_text
from optout_gate.trackers.list_syntax import fault, is_rule
from optout_gate.trackers.lists import FilterList, checksum, load
from optout_gate.trackers.purposes import Purpose
from optout_gate.trackers.urls import Target
from support.gates import SITE

LIST = """[Adblock Plus 2.0]
! Title: of tests
||ads.test^$third-party
@@||ads.test/fine.js
||only.test^$script,domain=shop.test|~blog.shop.test
/pixel.gif?
||must.test^$important
@@||must.test^
||broken.test^$no-such-option
/(unclosed/
||half.test^$domain=
shop.test##.banner
shop.test#@#.banner
||popups.test^$popup
"""


@pytest.fixture(scope="module")
def filters() -> FilterList:
    return load(LIST, path="of-tests.txt", name="of-tests", purpose=Purpose.ADVERTISING)


@pytest.mark.parametrize(
    ("url", "page", "kind", "line"),
    [
        pytest.param("ads.test/x.js", "shop.test", "script", 3, id="a-host"),
        pytest.param("ads.test/x.js", "www.ads.test", "script", None, id="third-party-alone"),
        pytest.param("ads.test/fine.js", "shop.test", "script", None, id="exception"),
        pytest.param("only.test/x.js", "shop.test", "script", 5, id="domain"),
        pytest.param("only.test/x.js", "other.test", "script", None, id="another-domain"),
        pytest.param("only.test/x.js", "blog.shop.test", "script", None, id="a-domain-left-out"),
        pytest.param("only.test/x.png", "shop.test", "image", None, id="another-type"),
        pytest.param("any.test/pixel.gif?a=1", "shop.test", "image", 6, id="a-part-of-an-address"),
        pytest.param("must.test/x", "shop.test", "image", 7, id="important-beats-an-exception"),
        pytest.param("broken.test/x", "shop.test", "image", None, id="an-unreadable-line"),
    ],
)
def test_rules_hold_and_say_where_they_stand(
    filters: FilterList, url: str, page: str, kind: str, line: int | None
) -> None:
    host, _, path = url.partition("/")
    rule = filters.match(Target("https", host, "/" + path), f"https://{page}/", kind)
    assert (rule.line if rule is not None else None) == line
    assert rule is None or (rule.file, rule.vendor.vendor) == ("of-tests.txt", "list-of-tests")


def test_an_unreadable_line_is_named_with_its_number_and_passed_over(filters: FilterList) -> None:
    assert [(line.number, line.fault.partition(":")[0]) for line in filters.skipped] == [
        (9, "there is no option 'no-such-option'"),
        (10, "not a regular expression"),
        (11, "domain= names no domain"),
    ]


@pytest.mark.parametrize(
    "line", ["", "! x", "[Adblock]", "a.test##.x", "##.x", "a.test#@#x", "a#?#x:has(y)", "a#$#abort x"]
)
def test_comments_and_cosmetic_rules_are_no_rules_about_requests(line: str) -> None:
    assert not is_rule(line)


@pytest.mark.parametrize(
    "line",
    [
        "||a.test^$script,~third-party,domain=a|~b.a", "@@||a.test/x$xmlhttprequest", "/banner/*/img^", r"/ads?\d+\.js/$script",
        "||a.test^$csp=script-src 'self' 'unsafe-inline'", "||a.test^$redirect=noop.js,important", "|https://a.test/$document",
        "/a$b/c", "||a.test/$price=1/x$image", "-ad-$~stylesheet",
    ],
)  # fmt: skip
def test_what_lists_really_hold_is_no_fault(line: str) -> None:
    assert is_rule(line)
    assert fault(line) is None


def test_a_pinned_list_of_another_checksum_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(LIST)
    text = SITE + "trackers:\n  filter_lists:\n    - {path: a.txt, purpose: advertising, sha256: %s}\n"
    good = load_text(text % checksum(LIST.encode()), file="x.yaml", folder=tmp_path)
    assert good.filter_lists[0].rules == 7
    with pytest.raises(ConfigError, match=r"x.yaml:9:\d+: filter list .*a.txt has another checksum: "):
        load_text(text % ("a" * 64), file="x.yaml", folder=tmp_path)


@pytest.fixture
def published() -> Iterator[str]:
    """Return the address of a list on a server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = {"/lists/own.txt": LIST, "/lists/sign-in": "\n<!doctype html>\n<p>Sign in\n||ads.test^\n"}.get(
                self.path
            )
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write((found or "").encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/lists/own.txt"
        server.shutdown()
        thread.join()


def test_a_list_is_fetched_kept_and_pinned(published: str, tmp_path: Path) -> None:
    command = ["lists", "add", published, "--purpose", "analytics", "--to", str(tmp_path)]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "own.txt").read_text() == LIST
    pinned = done.output[done.output.index("trackers:") :]
    loaded = load_text(SITE + pinned, file="x.yaml", folder=Path("/"))
    assert loaded.filter_lists[0].vendor.purposes == (Purpose.ANALYTICS,)
    assert "line 9: there is no option" in done.output


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(lambda url: [url, "--sha256", "0" * 64], "not kept", id="another-checksum"),
        pytest.param(lambda url: [url + "x"], "cannot be fetched", id="not-there"),
        pytest.param(lambda url: ["file:///etc/hosts"], "expected http://HOST/PATH", id="a-file"),
        pytest.param(lambda url: [url.replace("own.txt", "sign-in")], "is a page, not a filter list", id="a-page"),
    ],
)
def test_what_cannot_be_trusted_is_not_kept(published: str, tmp_path: Path, change, words: str) -> None:  # type: ignore[no-untyped-def]
    done = CliRunner().invoke(main, ["lists", "add", *change(published), "--to", str(tmp_path)])
    assert done.exit_code == 2
    assert words in done.output
    assert list(tmp_path.iterdir()) == []

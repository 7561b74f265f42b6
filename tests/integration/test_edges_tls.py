"""Edges that end TLS and speak HTTP/2 toward visitors: what the snippets send where, when headers come in frames.

HTTP/2 has no Host field, splits cookies into one field each, and writes every name in lower case. The snippet is made to
speak TLS as its reader would: by the listener's own line.
"""

import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx
import pytest
import trustme
from click.testing import CliRunner

from optout_gate.cli import main
from support.edges import each_installed, free_address, running_edge, shown
from support.processes import Origin, eventually, running_gate

TRACKER = "connect.facebook.net"
PAGE = b'<!doctype html><title>Shop</title><script src="https://connect.facebook.net/en_US/fbevents.js"></script>'
SITE = {
    "/order": (200, [("Content-Type", "text/html")], PAGE),
    "/logo.png": (200, [("Content-Type", "image/png")], b""),
}
CONFIG = """version: 1
listen: {gate}
admin: {admin}
trusted_proxies: [127.0.0.1]
sites: [{{hosts: [shop.test], upstream: "{origin}"}}]
"""


def _nginx(text: str, listen: str, certificate: Path) -> str:
    own = f"ssl http2;\n    ssl_certificate {certificate};\n    ssl_certificate_key {certificate};"
    text = text.replace(f"listen {listen} default_server;", f"listen {listen} default_server {own}")
    return text.replace(f"listen {listen};", f"listen {listen} {own}")


def _haproxy(text: str, listen: str, certificate: Path) -> str:
    return text.replace(f"bind {listen}\n", f"bind {listen} ssl crt {certificate} alpn h2,http/1.1\n")


WITH_TLS: Mapping[str, Callable[[str, str, Path], str]] = {"nginx": _nginx, "haproxy": _haproxy}


class Edge:
    """An edge with a gate and a site behind it, and a visitor's client."""

    def __init__(self, url: str, origin: Origin) -> None:
        self.origin = origin
        self._client = httpx.Client(http2=True, verify=False, base_url=url, trust_env=False)

    def ask(self, path: str, *lines: tuple[str, str], method: str = "GET", host: str = "shop.test") -> httpx.Response:
        answer = self._client.request(method, path, headers=[("host", host), *lines])
        self._client.cookies.clear()
        assert answer.http_version == "HTTP/2"
        return answer

    def close(self) -> None:
        self._client.close()


@pytest.fixture(
    scope="module",
    params=each_installed(WITH_TLS),
)
def edge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder, listen, gate, admin = tmp_path_factory.mktemp("tls"), free_address(), free_address(), free_address()
    certificate, file = folder / "edge.pem", folder / "site.yaml"
    trustme.CA().issue_cert("shop.test").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    with Origin(dict(SITE)) as origin:
        file.write_text(CONFIG.format(gate=shown(gate), admin=shown(admin), origin=origin.url))
        told = CliRunner().invoke(main, ["snippet", request.param, "--config", str(file), "--listen", shown(listen)])
        text = WITH_TLS[request.param](told.output, shown(listen), certificate)
        assert text != told.output
        started = running_gate("--config", str(file), "--listen", shown(gate), "--admin", shown(admin))
        with started, running_edge(request.param, text, folder / "edge", listen):
            made = Edge(f"https://{shown(listen)}", origin)
            assert eventually(lambda: made.ask("/_optout/preferences").status_code == 200)
            yield made
            made.close()


@pytest.mark.parametrize(
    ("lines", "opted_out"),
    [
        ((), False),
        ((("sec-gpc", "1"),), True),
        ((("sec-gpc", "0"), ("sec-gpc", "1")), True),
        ((("cookie", "a=b"), ("cookie", "optout_gate=1")), True),
        ((("cookie", "optout_gate=1"), ("cookie", "a=b")), True),
        ((("cookie", "a=b"), ("cookie", "usprivacy=1YYN")), True),
        ((("cookie", "a=b"), ("cookie", "optout_gate=0")), False),
    ],
    ids=str,
)
def test_an_opt_out_in_http_2_is_honoured_and_everyone_else_gets_the_page(
    edge: Edge, lines: tuple[tuple[str, str], ...], opted_out: bool
) -> None:
    answer = edge.ask("/order", *lines)
    assert answer.status_code == 200 and (TRACKER in answer.text) is not opted_out
    seen = {name.lower(): value for name, value in edge.origin.seen[-1].headers}
    assert seen["host"] == "shop.test" and seen["x-forwarded-proto"] == "https"
    assert ("optout-gate" in seen.get("via", "")) is opted_out or not opted_out


def test_a_film_goes_round_the_gate_in_http_2_too(edge: Edge) -> None:
    edge.ask("/logo.png", ("sec-gpc", "1"), ("sec-fetch-dest", "video"))
    assert "via" not in {name.lower() for name, _ in edge.origin.seen[-1].headers}


def test_the_opt_out_cookie_is_for_https_alone_where_the_visitor_came_by_it(edge: Edge) -> None:
    answer = edge.ask("/_optout/opt-out", ("origin", "https://shop.test"), method="POST")
    assert answer.status_code == 303 and "; Secure" in answer.headers["set-cookie"]


def test_a_host_that_no_site_answers_to_is_refused(edge: Edge) -> None:
    assert edge.ask("/order", host="other.test").status_code == 421


ORIGIN_OVER_TLS = """version: 1
sites:
  - hosts: [shop.test]
    upstream: "https://127.0.0.1:{port}"
    upstream_tls: {{ca_file: authority.pem, server_name: {name}, certificate_file: edge.pem, key_file: edge.key}}
"""


@pytest.mark.parametrize("name", ["origin.internal", "other.internal"])
@pytest.mark.parametrize("dialect", each_installed())
def test_an_edge_speaks_tls_with_the_site_as_the_gate_does(dialect: str, name: str, tmp_path: Path) -> None:
    authority, listen = trustme.CA(), free_address()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    shown_by_edge = authority.issue_cert("edge.internal")
    for file in ("edge.pem", "edge.key"):  # HAProxy wants both in one
        shown_by_edge.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("origin.internal").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    site = Origin(dict(SITE))
    site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
    with site:
        config = tmp_path / "site.yaml"
        config.write_text(ORIGIN_OVER_TLS.format(port=site.server.server_port, name=name))
        told = CliRunner().invoke(main, ["snippet", dialect, "--config", str(config), "--listen", shown(listen)])
        with running_edge(dialect, told.output, tmp_path / "edge", listen):
            answer = httpx.get(f"http://{shown(listen)}/order", headers={"host": "shop.test"}, trust_env=False)
    if name == "origin.internal":
        assert (answer.status_code, answer.content) == (200, PAGE)
    else:
        assert answer.status_code in (502, 503) and not site.seen  # whose certificate it is must be looked at

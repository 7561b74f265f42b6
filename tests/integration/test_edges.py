"""nginx, HAProxy, Envoy and Caddy with the configurations of ``optout-gate snippet``, before a real gate and a site.

Whether a request went through the gate shows at the site: the gate names itself in ``Via``.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from optout_gate.cli import main
from support.edges import SHARED_CACHE, Address, each_installed, free_address, program, running_edge, shown
from support.ports import free_port, has_ipv6
from support.processes import Gate, Origin, eventually, get, running_gate

EDGES = each_installed()
TRACKER = b"connect.facebook.net"
PAGE = b'<!doctype html><title>Shop</title><script src="https://connect.facebook.net/en_US/fbevents.js"></script>'
DRAWING = (
    b'<svg xmlns="http://www.w3.org/2000/svg"><script href="https://connect.facebook.net/en_US/fbevents.js"/></svg>'
)
SHEET = b"body{background:url(https://connect.facebook.net/x.png)}"
CACHED = [("Cache-Control", "public, max-age=600"), ("ETag", '"v1"')]
SITE = {
    "/": (200, [("Content-Type", "text/html; charset=utf-8"), *CACHED], PAGE),
    "/member/": (200, [("Content-Type", "text/html"), *CACHED], PAGE),
    "/sheet.css": (200, [("Content-Type", "text/css"), *CACHED], SHEET),
    "/drawing.svg": (200, [("Content-Type", "image/svg+xml"), *CACHED], DRAWING),
    "/logo.png": (200, [("Content-Type", "image/png"), *CACHED], b"picture"),
    "/order": (200, [("Content-Type", "text/html")], PAGE),
}
CONFIG = """version: 1
listen: {gate}
admin: {admin}
trusted_proxies: [127.0.0.1]
sites: [{{hosts: [shop.test], upstream: "{origin}"}}]
policies: {{default: {{always: ["/member/*"], sticky: false}}}}   # a page that sets a cookie is in no cache
"""
DEADLINE_S = 20.0


@dataclass
class Stack:
    """A site, the addresses of one or more gates, and an edge in front."""

    origin: Origin
    file: Path
    edge: Address
    gates: list[tuple[Address, Address]]

    def gate(self, number: int = 0, *more: str) -> "contextlib.AbstractContextManager[Gate]":
        address, admin = self.gates[number]
        return running_gate("--config", str(self.file), "--listen", shown(address), "--admin", shown(admin), *more)

    def ask(self, path: str, *lines: str, via: Address | None = None, method: str = "GET") -> tuple[bytes, bytes]:
        return get(via or self.edge, path, *lines, method=method)

    def went_through_the_gate(self, path: str, *lines: str) -> bool:
        before = len(self.origin.seen)
        self.ask(path, *lines)
        [request] = self.origin.seen[before:]
        return any(name.lower() == "via" and "optout-gate" in value for name, value in request.headers)


@contextlib.contextmanager
def stack(dialect: str, folder: Path, *, fail_open: bool = False, gates: int = 1) -> Iterator[Stack]:
    """Run a site and an edge; the gates are the test's to start."""
    with Origin(dict(SITE)) as origin:
        addresses = [(free_address(), free_address()) for _ in range(gates)]
        edge = free_address()
        file = folder / "site.yaml"
        file.write_text(CONFIG.format(gate=shown(addresses[0][0]), admin=shown(addresses[0][1]), origin=origin.url))
        arguments = ["snippet", dialect, "--config", str(file), "--listen", shown(edge)]
        if fail_open:
            arguments.append("--fail-open")
        if gates > 1:
            arguments += [part for gate, admin in addresses for part in ("--gate", f"{shown(gate)}/{admin[1]}")]
        told = CliRunner().invoke(main, arguments)
        assert told.exit_code == 0, told.output
        with running_edge(dialect, told.output, folder / dialect, edge):
            yield Stack(origin, file, edge, addresses)


def wait_for(stack: Stack, status: bytes, *, marked: bool = False, path: str = "/") -> bytes:
    """Return the head of the first answer to an opted-out visitor with ``status``; edges notice after a while."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        head, _ = stack.ask(path, "Sec-GPC: 1")
        if head.startswith(b"HTTP/1.1 " + status) and marked == (b"x-optout-gate: bypassed" in head.lower()):
            return head
        assert time.monotonic() < deadline, head
        time.sleep(0.1)


@pytest.fixture(scope="module", params=EDGES)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp(request.param)
    with stack(request.param, folder) as made, made.gate():
        for path in ("/_optout/preferences", "/order"):
            wait_for(made, b"200", path=path)
        # Each of Caddy's ways to the gate looks after its health by itself.
        assert eventually(lambda: made.ask("/order", "Cookie: optout_gate=1")[0].startswith(b"HTTP/1.1 200"))
        yield made


@pytest.mark.parametrize(
    ("path", "lines", "to_gate"),
    [
        ("/order", (), False),
        ("/order", ("Sec-GPC: 1",), True),
        ("/order", ("Sec-GPC: 0", "Sec-GPC: 1"), True),
        ("/order", ("Sec-GPC: 1, 1",), True),
        ("/order", ("Cookie: optout_gate=1",), True),
        ("/order", ('Cookie: a=b; optout_gate = "1"; c=d',), True),
        ("/order", ("Cookie: a=b", "Cookie: optout_gate=1"), True),
        ("/order", ("Cookie: optout_gate=0; optout_gate=1",), True),
        ("/order", ("Cookie: theme=\xff\xfe; optout_gate=1",), True),  # bytes that are no text
        ("/order", ("Cookie: theme=\xff\xfe; cart=3",), False),
        ("/order", ("Cookie: optout_gate=0",), False),
        ("/order", ("Cookie: xoptout_gate=1",), False),
        ("/order", ("Cookie: a=b; usprivacy=1YYN",), True),
        ("/order", ("Cookie: cookie_consent=yes",), False),
        ("/order", ("Cookie: x=usprivacy",), False),
        ("/order", ("DNT: 1",), False),
        ("/order", ("Sec-GPC: 1", "Sec-Fetch-Dest: empty"), True),
        ("/order", ("Sec-GPC: 1", "Sec-Fetch-Dest: style"), True),
        ("/order", ("Sec-GPC: 1", "Sec-Fetch-Dest: image"), True),
        ("/order", ("Sec-Fetch-Dest: image",), False),
        ("/order", ("Sec-GPC: 1", "Sec-Fetch-Dest: font"), False),
        ("/member/x", (), True),
        ("/%6dember/x", (), True),
        ("//member/x", (), True),
        ("/a/../member/x", (), True),
        ("/a\\..\\member/x", (), True),
        ("/order?back=/member/", (), False),
        ("/order?back=//member/%20", (), False),
    ],
    ids=str,
)
def test_only_what_the_gate_could_change_goes_through_it(
    running: Stack, path: str, lines: tuple[str, ...], to_gate: bool
) -> None:
    assert running.went_through_the_gate(path, *lines) is to_gate


@pytest.mark.parametrize(
    "lines",
    [
        ("Sec-GPC: 0", "Sec-GPC: 1"),
        ("Sec-GPC: 1", "Sec-GPC: 1"),
        ("Cookie: a=b", "Cookie: optout_gate=1"),
        ("Cookie: theme=\xff; optout_gate=1", "Sec-GPC:"),
    ],
    ids=str,
)
def test_the_gate_reads_an_opt_out_in_what_an_edge_makes_of_it(running: Stack, lines: tuple[str, ...]) -> None:
    head, body = running.ask("/order", *lines)
    assert head.startswith(b"HTTP/1.1 200") and TRACKER not in body


def test_the_preference_page_is_the_gates_for_everyone(running: Stack) -> None:
    head, body = running.ask("/_optout/preferences")
    assert head.startswith(b"HTTP/1.1 200") and b"<form" in body


def test_a_host_that_no_site_answers_to_is_refused(running: Stack) -> None:
    assert get(running.edge, "/", host="other.test")[0].startswith(b"HTTP/1.1 421")


def test_the_site_learns_the_visitors_address_and_not_what_the_visitor_says_of_it(running: Stack) -> None:
    for signal_lines in ((), ("Sec-GPC: 1",)):
        running.ask("/order", *signal_lines, "X-Forwarded-For: 203.0.113.9")
        told = [value for name, value in running.origin.seen[-1].headers if name.lower() == "x-forwarded-for"]
        assert "203.0.113.9" not in ", ".join(told) and "127.0.0.1" in ", ".join(told)


@pytest.mark.parametrize("path", ["/", "/sheet.css", "/drawing.svg"])
@pytest.mark.parametrize("first", ["nobody", "opted out", "asks for a font"])
@pytest.mark.skipif(program("nginx") is None, reason="Debian's nginx-light is not installed")
def test_a_shared_cache_never_gives_a_tracker_to_who_opted_out(
    running: Stack, tmp_path: Path, path: str, first: str
) -> None:
    listen = free_address()
    text = SHARED_CACHE.format(listen=shown(listen), behind=shown(running.edge))
    with running_edge("nginx", text, tmp_path, listen):
        if first == "asks for a font":  # with the signal, and so by a way round the gate
            running.ask(path, "Sec-GPC: 1", "Sec-Fetch-Dest: font", via=listen)
        for signals in ((), ("Sec-GPC: 1",), ()) if first == "nobody" else (("Sec-GPC: 1",), (), ("Sec-GPC: 1",)):
            head, body = running.ask(path, "Sec-Fetch-Dest: document", *signals, via=listen)
            assert head.startswith(b"HTTP/1.1 200")
            assert (TRACKER in body) is not bool(signals)
        assert b"X-Shared-Cache: HIT" in head  # so there was a cache to get it wrong


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Stack]:
    if program("nginx") is None:
        pytest.skip("Debian's nginx-light is not installed")
    with stack("nginx", tmp_path) as made, made.gate():
        yield made


@pytest.mark.parametrize("path", ["/", "/sheet.css"])
@pytest.mark.parametrize(
    "visitors",
    [
        ((), ("Sec-GPC: 1",), ("Cookie: optout_gate=1",), ()),
        (("Sec-GPC: 1",), (), ("Cookie: optout_gate=1",), ("Sec-GPC: 1",)),
        (("Cookie: optout_gate=1",), ("Sec-GPC: 0",), (), ("Sec-GPC: 0", "Sec-GPC: 1"), ("Sec-GPC: 1",)),
    ],
    ids=["none first", "signal first", "cookie first"],
)
def test_nginxs_own_cache_never_gives_a_tracker_to_who_opted_out(
    nginx: Stack, path: str, visitors: tuple[tuple[str, ...], ...]
) -> None:
    for _ in range(2):
        for lines in visitors:
            head, body = nginx.ask(path, *lines, 'If-None-Match: "v1"' if lines == ("Sec-GPC: 1",) else "X-A: b")
            opted_out = any(line.endswith("1") for line in lines)
            assert head.startswith(b"HTTP/1.1 200"), head
            assert (TRACKER in body) is not opted_out, (lines, head)


def test_nginxs_own_cache_serves_who_said_nothing_without_asking_the_site_again(nginx: Stack) -> None:
    for _ in range(3):
        assert TRACKER in nginx.ask("/")[1]
    assert len(nginx.origin.seen) == 1


@contextlib.contextmanager
def visitors(made: Stack, *, number: int = 3) -> Iterator[list[tuple[bytes, bytes]]]:
    """Let visitors who opted out ask for a page over and over until the block ends; what they got is in the list."""
    got: list[tuple[bytes, bytes]] = []
    over = threading.Event()

    def visit() -> None:
        while not over.is_set():
            with contextlib.suppress(ConnectionError):
                got.append(made.ask("/order", "Sec-GPC: 1"))

    threads = [threading.Thread(target=visit) for _ in range(number)]
    for each in threads:
        each.start()
    try:
        yield got
    finally:
        over.set()
        for each in threads:
            each.join()


@pytest.mark.parametrize("dialect", EDGES)
def test_a_gate_killed_and_restarted_under_load_leaves_errors_for_who_opted_out_and_the_page_for_everyone_else(
    dialect: str, tmp_path: Path
) -> None:
    with stack(dialect, tmp_path) as made, contextlib.ExitStack() as gates:
        gate = gates.enter_context(made.gate())
        wait_for(made, b"200", path="/order")
        with visitors(made) as got:
            assert eventually(lambda: len(got) > 30)
            gate.stop(signal.SIGKILL)
            dead = len(got)
            assert eventually(lambda: len(got) > dead + 30)
            for lines in (("Sec-GPC: 1",), ("Cookie: optout_gate=1",)):
                head, body = made.ask("/order", *lines)
                assert head.startswith((b"HTTP/1.1 502", b"HTTP/1.1 503")) and TRACKER not in body
            assert TRACKER in made.ask("/order")[1]
            gates.enter_context(made.gate())
            wait_for(made, b"200", path="/order")
            back = len(got)
            assert eventually(lambda: b"200" in {head[9:12] for head, _ in got[back:]})
        statuses = {head[9:12] for head, _ in got}
        assert b"200" in statuses and statuses <= {b"200", b"502", b"503", b""}  # "": cut off in the head
        assert not [head for head, body in got if TRACKER in body]


@pytest.mark.parametrize("dialect", EDGES)
def test_the_open_variant_gives_the_bare_page_marked_and_kept_out_of_caches(dialect: str, tmp_path: Path) -> None:
    with stack(dialect, tmp_path, fail_open=True) as made:
        with made.gate():
            wait_for(made, b"200")
            assert TRACKER not in made.ask("/order", "Sec-GPC: 1")[1]
        head = wait_for(made, b"200", marked=True, path="/order")
        assert b"cache-control: private, no-store" in head.lower() and b"sec-gpc" in head.lower()
        assert b"x-optout-gate" not in made.ask("/order")[0].lower()
        with made.gate():
            wait_for(made, b"200", path="/order")
            assert TRACKER not in made.ask("/order", "Sec-GPC: 1")[1]


def test_the_open_variant_of_nginx_hands_a_form_that_no_gate_got_to_the_site_once(tmp_path: Path) -> None:
    if program("nginx") is None:
        pytest.skip("Debian's nginx-light is not installed")
    with stack("nginx", tmp_path, fail_open=True) as made:
        head, _ = get(made.edge, "/order", "Sec-GPC: 1", "Content-Length: 0", method="POST")
        assert b"X-Optout-Gate: bypassed" in head
        assert [seen.line for seen in made.origin.seen] == ["POST /order HTTP/1.1"]


@pytest.mark.parametrize("dialect", EDGES)
def test_two_gates_are_replaced_one_by_one_without_a_failed_request_or_an_unenforced_page(
    dialect: str, tmp_path: Path
) -> None:
    wrong: list[bytes] = []
    answered = 0
    over = threading.Event()

    def visit(made: Stack) -> None:
        nonlocal answered
        while not over.is_set():
            head, body = made.ask("/order", "Sec-GPC: 1")
            answered += 1
            if not head.startswith(b"HTTP/1.1 200") or TRACKER in body:
                wrong.append(head or b"nothing")

    with stack(dialect, tmp_path, gates=2) as made, contextlib.ExitStack() as gates:
        notice = ("--drain-delay", "2")  # every edge asks more often, or learns from an answer
        first = gates.enter_context(made.gate(0, *notice))
        second = gates.enter_context(made.gate(1, *notice))
        wait_for(made, b"200", path="/order")
        time.sleep(1)  # every edge has asked both gates how they are
        load = threading.Thread(target=visit, args=(made,))
        load.start()
        try:
            for number, gate in enumerate((first, second)):
                gate.stop(signal.SIGTERM)
                time.sleep(0.5)
                gates.enter_context(made.gate(number, *notice))
                time.sleep(3)  # until the edge asks it again
        finally:
            over.set()
            load.join()
    assert not wrong and answered > 50


NAMED = """version: 1
listen: "{gate}"
admin: "{admin}"
trusted_proxies: [127.0.0.1, "::1"]
sites:
  - {{hosts: [www.shop.test], upstream: "{www}"}}
  - {{hosts: ["*.shop.test"], upstream: "{below}"}}
  - {{hosts: ["*"], upstream: "{rest}"}}
"""


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
@pytest.mark.parametrize("dialect", EDGES)
def test_an_edge_and_its_gate_on_ipv6_take_a_name_to_the_same_site(dialect: str, tmp_path: Path) -> None:
    origins = [Origin({"/": (200, [("Content-Type", "text/html")], name)}) for name in (b"www", b"below", b"rest")]
    gate, admin, edge = ("::1", free_port()), ("::1", free_port()), free_address()
    names = {"gate": "[{}]:{}".format(*gate), "admin": "[{}]:{}".format(*admin)}
    with contextlib.ExitStack() as running:
        for origin, name in zip(origins, ("www", "below", "rest"), strict=True):
            names[name] = running.enter_context(origin).url
        file = tmp_path / "site.yaml"
        file.write_text(NAMED.format(**names))
        told = CliRunner().invoke(main, ["snippet", dialect, "--config", str(file), "--listen", shown(edge)])
        running.enter_context(running_gate("--config", str(file), "--listen", names["gate"], "--admin", names["admin"]))
        running.enter_context(running_edge(dialect, told.output, tmp_path / dialect, edge))
        assert eventually(lambda: get(edge, "/", "Sec-GPC: 1", host="www.shop.test")[0].startswith(b"HTTP/1.1 200"))
        for host, site in (("www.shop.test", b"www"), ("WWW.shop.test:80", b"www"), ("a.shop.test", b"below"),
                           ("a.b.shop.test", b"below"), ("shop.test", b"rest"), ("other.test", b"rest")):  # fmt: skip
            for said in ((), ("Sec-GPC: 1",)):
                assert site in get(edge, "/", *said, host=host)[1], (host, said)

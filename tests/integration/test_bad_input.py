"""What the machine refuses and what strangers send: each is told with what and where, and changes nothing.

A root that may do everything is made an ordinary one where that is what refuses (``setpriv``, of util-linux); a full disk
is a process that may write no file.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.processes import COMMAND, Gate, Origin, eventually, exchange, get, running_gate

PLAIN_ROOT = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-net_bind_service", "--")
NO_FILES = ("bash", "-c", 'ulimit -f 0; exec "$0" "$@"')
LOOPBACK = ("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
PAGE = b'<p>Hi<script src="https://www.googletagmanager.com/gtag/js?id=G-1"></script>'

needs_setpriv = pytest.mark.skipif(shutil.which("setpriv") is None, reason="util-linux has no setpriv here")


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin({"/": (200, [("Content-Type", "text/html")], PAGE)}) as running:
        yield running


def told(*arguments: str, before: tuple[str, ...] = ()) -> str:
    """Return what a gate says that does not start; it leaves with 2."""
    before = before if before != PLAIN_ROOT or os.geteuid() == 0 else ()
    done = subprocess.run([*before, *COMMAND, "serve", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr and done.stdout == ""
    return done.stderr


def test_an_admin_address_in_use_is_told_with_its_flag(origin: Origin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        words = told("--upstream", origin.url, "--listen", "127.0.0.1:0", "--admin", address)
    assert f"cannot listen on {address}: Address already in use (--admin chooses another address)" in words


def test_an_address_of_another_machine_is_told(origin: Origin) -> None:
    words = told("--upstream", origin.url, "--listen", "192.0.2.1:8080", "--admin", "127.0.0.1:0")
    assert "cannot listen on 192.0.2.1:8080: Cannot assign requested address" in words


@needs_setpriv
def test_a_port_without_the_right_to_it_is_told(origin: Origin) -> None:
    lowest = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if not lowest.exists() or int(lowest.read_text()) <= 80:
        pytest.skip("any process may take port 80 here")
    words = told("--upstream", origin.url, "--listen", "127.0.0.1:80", "--admin", "127.0.0.1:0", before=PLAIN_ROOT)
    assert "cannot listen on 127.0.0.1:80: Permission denied (--listen chooses another address)" in words


def spoken(line: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Return what a command of the shell leaves, in which ``gate`` is the command line."""
    script = f'gate() {{ {" ".join(COMMAND)} "$@"; }}; {line}'
    surrounding = {**os.environ, **environment}
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, env=surrounding)


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        pytest.param(
            "gate vendors > /dev/full", 2, "standard output cannot be written: No space left", id="a-full-disk"
        ),
        pytest.param("gate schema > /dev/full", 2, "standard output cannot be written: No space left", id="unflushed"),
        pytest.param("gate vendors | true; exit ${PIPESTATUS[0]}", 141, "", id="a-reader-that-left"),
        pytest.param("gate vendors --json | true; exit ${PIPESTATUS[0]}", 141, "", id="one-that-left-json"),
        pytest.param("gate vendors >&-", 0, "", id="no-output-at-all"),
    ],
)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_an_output_that_takes_nothing_ends_a_command_in_words(line: str, code: int, said: str) -> None:
    done = spoken(line)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr and bool(said) == bool(done.stderr) and "Traceback" not in done.stderr


def test_signs_that_the_terminal_cannot_show_do_not_end_a_command() -> None:
    shown = spoken("gate explain --header 'DNT: 1'", PYTHONIOENCODING="ascii")
    assert shown.returncode == 0 and shown.stderr == ""
    assert "allowed" in shown.stdout and shown.stdout.isascii()
    json_lines = spoken("gate vendors --json", PYTHONIOENCODING="iso-8859-1")
    assert len(json.loads(json_lines.stdout)) > 1000


@needs_setpriv
def test_a_configuration_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("version: 1\n")
    file.chmod(0)
    assert f"{file}: cannot be read: Permission denied" in told("--config", str(file), before=PLAIN_ROOT)
    assert f"{tmp_path}: cannot be read: Is a directory" in told("--config", str(tmp_path))
    if os.geteuid() == 0:
        checked = subprocess.run(
            [*PLAIN_ROOT, *COMMAND, "check", str(file)], capture_output=True, text=True, timeout=60
        )
        assert (checked.returncode, checked.stderr) == (2, f"{file}: cannot be read: Permission denied\n1 problem\n")


def test_a_disk_that_takes_no_file_is_told_before_workers_start(origin: Origin) -> None:
    words = told("--upstream", origin.url, *LOOPBACK, "--workers", "2", before=NO_FILES)
    assert "cannot write the workers' metrics" in words and "TMPDIR names another folder" in words


def test_a_limit_on_open_files_that_few_visitors_reach_is_told() -> None:
    asked = "import resource; from optout_gate.proxy.settings import open_many_files; "
    for most, said in ((512, "512 open files are all that the system allows: 256 visitors at once"), (3000, "")):
        limited = f"resource.setrlimit(resource.RLIMIT_NOFILE, (128, {most})); open_many_files(); "
        shown = "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
        done = subprocess.run(
            [sys.executable, "-c", asked + limited + shown], capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stdout == f"{most}\n" and said in done.stderr and bool(said) == bool(done.stderr)


def known_consumers(folder: Path, origin: Origin, choices: str) -> str:
    (folder / "consumers.key").write_text("k" * 64)
    file = folder / "site.yaml"
    file.write_text(f"""
version: 1
sites: [{{upstream: "{origin.url}"}}]
consumers: {{identify: {{cookie: uid}}, key_file: consumers.key}}
choices: {{{choices}}}
""")
    return str(file)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        pytest.param("path: nowhere/c.sqlite", "{folder}/nowhere/c.sqlite: [Errno 2] No such file", id="no-folder"),
        pytest.param("path: /proc/c.sqlite", "/proc/c.sqlite: [Errno 2]", id="a-disk-that-takes-no-file"),
        pytest.param(
            "backend: redis, url: 'redis://127.0.0.1:1/0'", "connecting to 127.0.0.1:1. Connection refused", id="redis"
        ),
    ],
)
def test_a_store_that_cannot_be_reached_is_told_at_the_start_and_stops_nobody(
    tmp_path: Path, origin: Origin, choices: str, words: str
) -> None:
    with running_gate("--config", known_consumers(tmp_path, origin, choices)) as gate:
        line = gate.wait_for_log("the store of choices does not answer")
        assert words.format(folder=tmp_path) in line and "Traceback" not in "".join(gate.log)
        assert get(gate.address, "/")[1] == PAGE
        assert b"googletagmanager" not in get(gate.address, "/", "Sec-GPC: 1", "Cookie: uid=1")[1]


@pytest.fixture(scope="module")
def gate(origin: Origin) -> Iterator[Gate]:
    with running_gate("--upstream", origin.url) as running:
        yield running


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64, b"400", id="tls"),
        pytest.param(b"\x00" * 4096 + b"\r\n\r\n", b"400", id="zeros"),
        pytest.param(b"GET /metrics HTTP/9.9\r\n\r\n", b"400", id="a-version-that-is-none"),
        pytest.param(
            b"GET /metrics HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", b"431", id="a-huge-head"
        ),
        pytest.param(b"GET /" + b"a" * 60_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"414", id="a-huge-target"),
        pytest.param(b"GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"404", id="a-way-out"),
        pytest.param(b"DELETE /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"405", id="a-method"),
        pytest.param(
            b"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: "
            + b"text/x;q=\xff," * 900
            + b"\r\nConnection: close\r\n\r\n",
            b"200",
            id="an-accept-that-is-none",
        ),
        pytest.param(
            b"POST /choices/opt-out HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nConnection: close\r\n\r\n[[[[",
            b"404",
            id="choices-where-there-are-none",
        ),
    ],
)
def test_what_a_hostile_scraper_sends_is_refused_and_the_next_scrape_is_whole(
    gate: Gate, sent: bytes, status: bytes
) -> None:
    answer = exchange(gate.admin, sent)
    assert answer.startswith(b"HTTP/1.1 " + status), answer[:200]
    assert b"Traceback" not in answer
    assert b"\noptout_gate_build_info{" in get(gate.admin, "/metrics")[1]
    assert "Traceback" not in "".join(gate.log)


def test_a_health_check_in_http_1_0_need_not_name_a_host_and_a_visitor_must(gate: Gate) -> None:
    assert exchange(gate.admin, b"GET /readyz HTTP/1.0\r\n\r\n").endswith(b"ready\n")
    assert exchange(gate.admin, b"GET /readyz HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert exchange(gate.address, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_scrapers_that_never_finish_keep_nobody_waiting(gate: Gate) -> None:
    slow = [socket.create_connection(gate.admin) for _ in range(50)]
    try:
        for each in slow:
            each.sendall(b"GET /metrics HTTP/1.1\r\nHost: ")
        assert b"\noptout_gate_build_info{" in get(gate.admin, "/metrics")[1]
        assert get(gate.address, "/")[1] == PAGE
    finally:
        for each in slow:
            each.close()


def test_a_scraper_that_reads_nothing_keeps_nobody_waiting(gate: Gate) -> None:
    with socket.create_connection(gate.admin) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        deaf.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 200)
        assert eventually(lambda: b"\noptout_gate_build_info{" in get(gate.admin, "/metrics")[1])
        assert get(gate.address, "/")[1] == PAGE

"""The demo: a website with real-world tags, the gate in front of it, and a table of what it does to it.

Everything runs in one process on loopback, and nothing reaches beyond it. The table is made by asking the gate over
HTTP, as visitors do.
"""

import asyncio
import errno
import signal
import socket
import time
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from optout_gate.demo.audit import Compared, beacon_reaches, compare, pages
from optout_gate.demo.site import site
from optout_gate.exchange import Exchange
from optout_gate.gate import Gate
from optout_gate.policy.load import from_upstream
from optout_gate.proxy.admin import Admin
from optout_gate.proxy.app import ProxyApp
from optout_gate.proxy.protocol import ServerLimits, gate_protocol
from optout_gate.proxy.settings import AddressInUse, bind
from optout_gate.proxy.upstream import Upstream, UpstreamAddress
from optout_gate.proxy.visitors import running_server
from optout_gate.report import Report
from optout_gate.telemetry.metrics import Metrics


class Recording(ProxyApp):
    """The proxy, which also keeps the last reports, for the table."""

    def __init__(self, gate: Gate, metrics: Metrics) -> None:
        super().__init__(gate, metrics)
        self.reports: list[Report] = []

    def over(self, exchange: Exchange, *, status: int, begun: float) -> None:
        """Count an exchange, and keep its report."""
        self.reports.append(exchange.report)
        del self.reports[:-10]
        super().over(exchange, status=status, begun=begun)


async def run(console: Console, *, listen: str | None, admin: str | None, once: bool) -> int:
    """Run the demo; return 0, or 1 when anything denied is left on a page of a visitor who opted out.

    Raises:
        AddressInUse: an address that was asked for cannot be bound.
    """
    origin_socket = bind("127.0.0.1:0", "--listen")
    gate_socket = _bind(listen, "127.0.0.1:0" if once else "127.0.0.1:8080", "--listen")
    admin_socket = _bind(admin, "127.0.0.1:0" if once else "127.0.0.1:9090", "--admin")
    origin_url, gate_url, admin_url = (_url(each) for each in (origin_socket, gate_socket, admin_socket))

    metrics = Metrics()
    loaded = from_upstream(origin_url)
    gate = Gate(loaded, clock=time.perf_counter)
    metrics.describe(gate)
    app = Recording(gate, metrics)
    admin_app = Admin(lambda: metrics.registry, lambda: None, lambda: loaded, metrics.recent.entries)
    servers = [
        (running_server(site(), lifespan="off"), origin_socket),
        (running_server(app, http=gate_protocol(ServerLimits()), lifespan="on"), gate_socket),
        (running_server(admin_app.app, lifespan="off"), admin_socket),
    ]
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stop.set)
    tasks = [loop.create_task(server.serve(sockets=[listener])) for server, listener in servers]
    try:
        while not all(server.started for server, _ in servers):
            await asyncio.sleep(0.01)
        compared, reached = await _compare_all(origin_url, gate_url, app.reports)
        broken = _tell(console, compared, reached)
        if not once:
            _tell_urls(console, origin_url, gate_url, admin_url)
            await stop.wait()
        return 1 if broken else 0
    finally:
        for server, _ in servers:
            server.should_exit = True
        await asyncio.gather(*tasks)


async def _compare_all(
    origin_url: str, gate_url: str, reports: list[Report]
) -> tuple[list[Compared], tuple[bool, bool]]:
    origin, gate = Upstream(UpstreamAddress.parse(origin_url)), Upstream(UpstreamAddress.parse(gate_url))
    try:
        authority = gate_url.removeprefix("http://")
        compared = [
            await compare(path, origin=origin, gate=gate, authority=authority, last=reports) for path in pages()
        ]
        return compared, await beacon_reaches(gate=gate, authority=authority)
    finally:
        await origin.close()
        await gate.close()


def _bind(asked: str | None, default: str, flag: str) -> socket.socket:
    """Return a socket on the address asked for; on a default that is taken, any free port."""
    if asked is not None:
        return bind(asked, flag)
    try:
        return bind(default, flag)
    except AddressInUse as error:
        if error.number != errno.EADDRINUSE:
            raise
        return bind("127.0.0.1:0", flag)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"


def _tell(console: Console, compared: Sequence[Compared], reached: tuple[bool, bool]) -> bool:
    """Print the tables, and what became of a beacon through the site's own host; return True when something is not as promised."""
    table = Table(title="What two visitors get", title_justify="left", header_style="bold")
    for name, justify in (
        ("page", "left"),
        ("no signal", "left"),
        ("Sec-GPC: 1", "left"),
        ("taken out", "right"),
        ("", "left"),
    ):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for each in compared:
        plain, out = each.plain, each.opted_out
        left = len(out.denied_hosts) + len(out.tracking_cookies)
        table.add_row(
            each.path,
            f"{plural(len(plain.denied_hosts), 'tracker host')}, {plural(len(plain.tracking_cookies), 'cookie')}; "
            + ("untouched" if each.untouched else "[red]changed[/]"),
            "[green]none left[/]" if not left else f"[red]{left} left[/]",
            str(sum(each.removed.values())),
            "[green]as promised[/]" if not each.broken else f"[red]{'; '.join(each.broken)}[/]",
        )
    console.print(table)
    removed: Counter[tuple[str, str, str]] = sum((each.removed for each in compared), Counter())
    console.print(_by_vendor(removed))
    vendors = {vendor for vendor, _, _ in removed}
    console.print(f"{sum(removed.values())} things of {len(vendors)} vendors taken out for the visitor who opted out.")
    without, with_signal = ("reaches it" if each else "is answered by the gate" for each in reached)
    console.print(f"A beacon through the site's own host {without} without the signal, and {with_signal} with it.\n")
    return any(each.broken for each in compared) or reached != (True, False)


def _by_vendor(removed: Counter[tuple[str, str, str]]) -> Table:
    table = Table(title="What was taken out, by purpose and vendor", title_justify="left", header_style="bold")
    for name in ("purpose", "vendor", "as"):
        table.add_column(name)
    grouped: dict[tuple[str, str], Counter[str]] = {}
    for (vendor, purpose, kind), count in removed.items():
        grouped.setdefault((purpose, vendor), Counter())[kind] += count
    shown = ""
    for (purpose, vendor), kinds in sorted(grouped.items()):
        if shown and purpose != shown:
            table.add_section()
        words = ", ".join(f"{kind.replace('_', ' ')} {count}" for kind, count in kinds.most_common())
        table.add_row(purpose if purpose != shown else "", vendor, words)
        shown = purpose
    return table


def plural(count: int, noun: str) -> str:
    """Return ``1 cookie``, ``2 cookies``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _tell_urls(console: Console, origin_url: str, gate_url: str, admin_url: str) -> None:
    for name, url in (
        ("The site behind the gate", f"{gate_url}/"),
        ("Opt out by cookie", f"{gate_url}/_optout/preferences"),
        ("The bare site", f"{origin_url}/"),
        ("The gate at work, live", f"{admin_url}/"),
        ("Metrics", f"{admin_url}/metrics"),
    ):
        console.print(f"  {name:<26}[bold]{url}[/]", soft_wrap=True)
    console.print(
        f"\n  curl -s -H 'Sec-GPC: 1' {gate_url}/ | grep -o 'data-optout-gate=\"[^\"]*\"' | sort | uniq -c",
        soft_wrap=True,
    )
    console.print(
        "\n  A browser that opens the pages without the signal asks the vendors' real hosts, with dummy accounts. One that"
    )
    console.print(
        "  stays on this machine: chromium --host-resolver-rules='MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'", soft_wrap=True
    )
    console.print("\n  Ctrl-C ends it.")

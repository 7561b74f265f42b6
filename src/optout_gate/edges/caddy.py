"""Caddy (2.8 and later), as a Caddyfile.

Caddy sorts directives by an order of its own unless they stand in a ``route`` block. ``path_regexp`` reads a path that is
decoded and cleaned, as the gate reads it, but for backslashes. Go's expressions are slow, and each route
is made anew for each request: so one matcher without any over cookies finds most visitors, of whom nothing is known, and
the rest stands in a block of its own.
"""

from collections.abc import Iterable, Iterator

from optout_gate.edges.filling import fill, heading
from optout_gate.edges.routing import NEVER_REWRITTEN, ODD_PATH, Address, EdgeSite, Routing, UnixSocket

_FILE = """<<heading>>
# The gate must take the edge's word for who is behind it: trusted_proxies: [127.0.0.1]

(optout_gate) {
\tvars optout_gate gate
\treverse_proxy <<gates>> {
\t\tlb_policy first
\t\tlb_retries 2
\t\tfail_duration 2s
\t\t<<health>>
\t\ttransport http {
\t\t\tkeepalive 10s    # the gate closes idle connections after 15
\t\t}
\t\theader_down +Vary Sec-GPC
\t}
}
<<sites>>
"""

_SITE = """
<<names>> {
\tbind <<bind>>
\troute {
\t\t<<plain>>
\t\thandle {
\t\t\t<<handles>>
\t\t\thandle {
\t\t\t\t<<rest>>
\t\t\t}
\t\t}
\t}
\t<<errors>>
}
"""

_ERRORS = """handle_errors 502 503 504 {
\t@bypassed {
\t\tvars optout_gate gate
\t\tmethod GET HEAD
\t}
\thandle @bypassed {
\t\theader >X-Optout-Gate bypassed
\t\theader >Cache-Control "private, no-store"
\t\theader >-Expires
\t\theader >+Vary Sec-GPC
\t\t<<origin>>
\t}
}
"""


def write(routing: Routing, fail_open: bool) -> str:
    """Return a Caddyfile."""
    sites = "".join(_site(routing, site, fail_open) for site in routing.sites)
    if not any(site.takes_all for site in routing.sites):
        sites += f"\nhttp://:{routing.listen.port} {{\n\tbind {routing.listen.host}\n\trespond 421\n}}\n"
    return fill(
        _FILE,
        heading=heading("caddy", fail_open).rstrip(),
        gates=" ".join(str(gate) for gate, _ in routing.gates),
        health=_health(routing),
        sites=sites,
    )


def _health(routing: Routing) -> str:
    """Return the health checks; Caddy asks all gates on one port, so with several ports it learns by failing."""
    ports = {admin.port for _, admin in routing.gates}
    return f"health_uri /readyz\nhealth_port {ports.pop()}\nhealth_interval 500ms\n" if len(ports) == 1 else ""


def _site(routing: Routing, site: EdgeSite, fail_open: bool) -> str:
    bare = _to_origin(site)
    rest = _TO_GATE if routing.everything else _to_origin(site, vary=("Sec-GPC",))
    asked = {
        "path": (f"path_regexp `^(?:{'|'.join(_cleaned(routing.paths))})`", _TO_GATE),
        # A page that was asked for as a font came from the site: no cache may give it to who wants a page.
        "asset": (_any_of("Sec-Fetch-Dest", NEVER_REWRITTEN), _to_origin(site, vary=("Sec-GPC", "Sec-Fetch-Dest"))),
        "gpc": ("header Sec-GPC *", _TO_GATE),
        **({"dnt": ("header DNT 1", _TO_GATE)} if routing.dnt else {}),
        **{f"cookie{n}": (f"header_regexp Cookie `{each}`", _TO_GATE) for n, each in enumerate(routing.cookies, 1)},
    }
    handles = "".join(
        f"@{name} {match}\nhandle @{name} {{\n{_indented(what)}}}\n" for name, (match, what) in asked.items()
    )
    nobody = _nobody(routing, [match for name, (match, _) in asked.items() if not name.startswith("cookie")])
    return fill(
        _SITE,
        names=", ".join(_name(host, routing.listen) for host in site.hosts),
        bind=routing.listen.host,
        plain=""
        if routing.everything
        else f"@nobody {{\n{_indented(nobody)}}}\nhandle @nobody {{\n{_indented(rest)}}}\n",
        handles=handles,
        rest=rest,
        errors=fill(_ERRORS, origin=bare) if fail_open else "",
    )


def _nobody(routing: Routing, matches: list[str]) -> str:
    """Return the lines of a matcher for requests of which nothing is known that would send them elsewhere."""
    parts = [f"`*{part}*`" for part in parts_of_cookies(routing)]
    matches = [*matches, *([_any_of("Cookie", parts)] if parts else [])]
    return "\n".join(f"not {_in_braces(match)}" for match in matches)


def _in_braces(match: str) -> str:
    return match if match.startswith("{") else f"{{\n\t{match}\n}}"


def _any_of(field: str, values: Iterable[str]) -> str:
    return "{\n" + "".join(f"\theader {field} {value}\n" for value in values) + "}"


def _cleaned(paths: Iterable[str]) -> Iterator[str]:
    """Yield the expressions of paths; of what the gate reads as another path, only a backslash is left when Caddy has cleaned it."""
    return (r"[^\\]*\\" if path == ODD_PATH else path for path in paths)


def parts_of_cookies(routing: Routing) -> list[str]:
    """Return texts of which one occurs in a Cookie field that any expression for cookies matches."""
    own = [] if routing.own_cookie is None else [routing.own_cookie]
    parts = {*own, *(max(name.split("*"), key=len) for name in routing.consent_cookies)}
    return sorted(part for part in parts if not any(other in part for other in parts - {part}))


_TO_GATE = "import optout_gate\n"


def _indented(text: str) -> str:
    return "".join(f"\t{line}\n" for line in text.splitlines())


def _name(host: str, listen: Address) -> str:
    return f"http://{'' if host == '*' else host}:{listen.port}"


def _to_origin(site: EdgeSite, *, vary: tuple[str, ...] = ()) -> str:
    where = f"unix/{site.origin.path}" if isinstance(site.origin, UnixSocket) else str(site.origin)
    lines = [f"reverse_proxy {'https://' if site.tls else ''}{where} {{"]
    if site.tls and not isinstance(site.origin, UnixSocket) and site.tls != site.origin.host:
        lines += ["\ttransport http {", f"\t\ttls_server_name {site.tls}", "\t}"]
    if site.host:
        lines.append(f"\theader_up Host {site.host}")
    elif site.tls:
        lines.append("\theader_up Host {http.request.hostport}")
    lines += [f"\theader_down +Vary {field}" for field in vary]
    return "\n".join([*lines, "}"]) + "\n" if len(lines) > 1 else lines[0].removesuffix(" {") + "\n"

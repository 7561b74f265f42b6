"""Caddy (2.8 and later), as a Caddyfile.

Caddy makes each request's chain of routes anew and evaluates them one by one, so that who said nothing must meet few: one
matcher that takes in whoever may be known, and then the site. Everything that tells them apart stands in a block behind
that matcher. Go's expressions are slow: before they read a cookie, one of the known names must be in it, and before
those are looked for, one of the few pieces that they share. A font that nobody known asks for goes the way of pages and
gets their ``Vary``: to ask what it is costs every page some 3,000 instructions.

The way to the gate is a named route, of which there is one: a snippet would be written out in every place that imports
it, and each copy would ask the gates for their health. Of several directives a named route keeps the first alone (2.11),
hence the ``route`` within it.

Caddy sorts directives by an order of its own, in which ``route`` comes before ``reverse_proxy``; within ``route`` they stay
as written. ``path_regexp`` reads a path that is decoded and cleaned, as the gate reads it, but for backslashes.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations

from optout_gate.edges.filling import fill, heading
from optout_gate.edges.routing import NEVER_REWRITTEN, ODD_PATH, Address, EdgeSite, OriginTls, Routing, UnixSocket

_FILE = """<<heading>>
# The gate must take the edge's word for who is behind it: trusted_proxies: [127.0.0.1]
# `route` comes before `reverse_proxy` in Caddy's own order: an `order` option that turns them round leads past the gate.

&(optout_gate) {
\troute {
\t\tvars optout_gate gate
\t\treverse_proxy <<gates>> {
\t\t\tlb_policy first
\t\t\tlb_retries 2
\t\t\tfail_duration 2s
\t\t\t<<health>>
\t\t\ttransport http {
\t\t\t\t# The gate closes idle connections after 15.
\t\t\t\tkeepalive 10s
\t\t\t}
\t\t\theader_down +Vary Sec-GPC
\t\t}
\t}
}
<<sites>>
"""

_SITE = """
<<names>> {
\tbind <<bind>>
\t<<known>>
\t<<route>> {
\t\t<<path>>
\t\thandle @path {
\t\t\tinvoke optout_gate
\t\t}
\t\t<<asset>>
\t\thandle @asset {
\t\t\t<<to_asset>>
\t\t}
\t\t<<signals>>
\t}
\t<<site>>
\t<<errors>>
}
"""

_COOKIES = """<<named>>
route @named {
\t<<cookie>>
\thandle @cookie {
\t\tinvoke optout_gate
\t}
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
    return fill(
        _SITE,
        names=", ".join(name for host in site.hosts for name in _names(host, routing.listen)),
        bind=routing.listen.host,
        known="" if routing.everything else f"@known {_known(routing)}\n",
        route="route" if routing.everything else "route @known",
        path=f"@path {_or(_paths(routing.paths))}\n",
        asset=f"@asset {_one_of('Sec-Fetch-Dest', NEVER_REWRITTEN)}\n",
        # A page that was asked for as a font came from the site: no cache may give it to who wants a page.
        to_asset=_to_origin(site, vary=("Sec-GPC", "Sec-Fetch-Dest")),
        signals=_TO_GATE if routing.everything else _signals(routing),
        site="" if routing.everything else _to_origin(site, vary=("Sec-GPC",)),
        errors=fill(_ERRORS, origin=bare) if fail_open else "",
    )


def _known(routing: Routing) -> str:
    """Return the matcher of every request that may be the gate's."""
    cookies = [_one_of("Cookie", _anywhere(pieces(names_of_cookies(routing))))] if routing.cookies else []
    return _or([*_paths(routing.paths), *_fields(routing), *cookies])


def _signals(routing: Routing) -> str:
    """Return what sends those of whom something is known to the gate, after everything else has been told apart."""
    signals = f"@signal {_or(_fields(routing))}\nhandle @signal {{\n\tinvoke optout_gate\n}}\n"
    if not routing.cookies:
        return signals
    named = _one_of("Cookie", _anywhere(sorted(names_of_cookies(routing))))
    cookie = _or([f"header_regexp Cookie `{each}`" for each in routing.cookies])
    return signals + fill(_COOKIES, named=f"@named {named}\n", cookie=f"@cookie {cookie}\n")


_BACKTICK = r"\x60"  # a token in backticks can hold none


def _paths(paths: tuple[str, ...]) -> list[str]:
    """Return the matchers of paths; of what the gate reads as another path, only a backslash is left when Caddy has cleaned it.

    That has a matcher of its own, because what would look through the whole path makes Go's expression a slow one.
    """
    plain = f"path_regexp `^(?:{'|'.join(path.replace('`', _BACKTICK) for path in paths if path != ODD_PATH)})`"
    return [plain, *([r"path `*\*`"] if ODD_PATH in paths else [])]


def _fields(routing: Routing) -> list[str]:
    return ["header Sec-GPC *", *(["header DNT 1"] if routing.dnt else [])]


def _or(matchers: list[str]) -> str:
    """Return the matcher of what one of these matches at least. A Caddyfile has words for *and* and for *not* alone."""
    if len(matchers) == 1:
        return matchers[0]
    inner = "".join(f"not {each if each.startswith('{') else _in_braces(each)}\n" for each in matchers)
    return f"not {_in_braces(inner)}"


def _one_of(field: str, values: Iterable[str]) -> str:
    return _in_braces("".join(f"header {field} {value}\n" for value in values))


def _anywhere(texts: Iterable[str]) -> Iterator[str]:
    return (f"`*{text}*`" for text in texts)


def _in_braces(lines: str) -> str:
    return f"{{\n{_indented(lines)}}}"


def names_of_cookies(routing: Routing) -> set[str]:
    """Return texts of which one occurs in every Cookie field that any expression for cookies matches."""
    own = [] if routing.own_cookie is None else [routing.own_cookie]
    names = {*own, *(max(name.split("*"), key=len) for name in routing.consent_cookies)}
    return {name for name in names if not any(other in name for other in names - {name})}


_SHORTEST_PIECE = 5  # characters: shorter ones occur by chance in what sites keep in their cookies
_COMMON = "_abcdefinorst0123456789"  # a piece is looked for by its first character, so that should be rare in cookies


def pieces(names: set[str]) -> list[str]:
    """Return texts, as few as will do, of which each name has one in it: what costs an edge is their number."""
    sharing: dict[str, set[str]] = {name: {name} for name in names}
    for name in names:
        for start, end in combinations(range(len(name) + 1), 2):
            if end - start >= _SHORTEST_PIECE:
                sharing.setdefault(name[start:end], set()).add(name)
    found: list[str] = []
    left = set(names)
    while left:
        found.append(
            max(sharing, key=lambda piece: (len(sharing[piece] & left), piece[0] not in _COMMON, len(piece), piece))
        )
        left -= sharing[found[-1]]
    return sorted(found)


_TO_GATE = "invoke optout_gate\n"


def _indented(text: str) -> str:
    return "".join(f"\t{line}\n" for line in text.splitlines())


_DEEPEST = 4  # labels below a domain; who is deeper is nobody's, or the catch-all's


def _names(host: str, listen: Address) -> Iterator[str]:
    """Yield the addresses that a host pattern means: Caddy's ``*`` stands for one label, the gate's for one and more."""
    for depth in range(_DEEPEST if host.startswith("*.") else 1):
        yield f"http://{'*.' * depth}{'' if host == '*' else host}:{listen.port}"


def _tls(tls: OriginTls, origin: Address | UnixSocket) -> Iterator[str]:
    """Yield what Caddy does not do by itself when an origin's address begins with ``https``."""
    if not isinstance(origin, Address) or tls.name != origin.host:
        yield f"tls_server_name {tls.name}"
    if not tls.verify:
        yield "tls_insecure_skip_verify"
    elif tls.ca_file is not None:
        yield from ("tls_trust_pool file {", f'\tpem_file "{tls.ca_file}"', "}")
    if tls.certificate is not None:
        yield f'tls_client_auth "{tls.certificate}" "{tls.key}"'


_READ_BUFFER = "read_buffer 32KiB"
"""As much as Caddy copies at once. Of the 4 KiB that it reads otherwise, what is no head goes on as a first piece, which fits
into one write with a head that is no longer than the origin's; ``Vary`` makes it longer, and costs a system call more."""


def _to_origin(site: EdgeSite, *, vary: tuple[str, ...] = ()) -> str:
    where = f'"unix/{site.origin.path}"' if isinstance(site.origin, UnixSocket) else str(site.origin)
    lines = [f"reverse_proxy {'https://' if site.tls else ''}{where} {{"]
    tls = _tls(site.tls, site.origin) if site.tls is not None else ()
    lines += ["\ttransport http {", *(f"\t\t{line}" for line in (_READ_BUFFER, *tls)), "\t}"]
    if site.host:
        lines.append(f"\theader_up Host {site.host}")
    elif site.tls:
        lines.append("\theader_up Host {http.request.hostport}")
    lines += [f"\theader_down +Vary {field}" for field in vary]
    return "\n".join([*lines, "}"]) + "\n"

"""HAProxy (2.6 and later), as a whole file.

Its ``req.hdr`` parts values at commas and shows one of them; as a condition it goes through all. Its health checks ask
the gate's ``/readyz``, so that a gate that drains is left in peace before it stops listening.
"""

import re

from optout_gate.edges.filling import fill, heading
from optout_gate.edges.routing import NEVER_REWRITTEN, VARIES, EdgeSite, OriginTls, Routing, UnixSocket, grouped

_FILE = """<<heading>>
# The gate must take the edge's word for who is behind it: trusted_proxies: [127.0.0.1]

defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout http-request 10s
    timeout http-keep-alive 15s
    timeout tunnel 1h
    option http-keep-alive
    option redispatch 1
    retries 3
    # What a gate that stops never answered is asked of the next one; what may have changed something is not.
    retry-on conn-failure empty-response

frontend visitors
    bind <<listen>>
    http-request disable-l7-retry unless METH_GET or { method HEAD }
    <<hosts>>

    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Proto http unless { ssl_fc }
    http-request set-header X-Forwarded-Proto https if { ssl_fc }
    http-request set-header X-Forwarded-Host %[req.hdr(host)]

    # To the gate: the signal with any value (the gate decides what it means), the opt-out cookie, its own pages.
    <<signals>>
    acl asset req.fhdr(sec-fetch-dest) -m str <<assets>>
    <<paths>>
    http-request set-var(txn.to) str(origin)
    http-request set-var(txn.to) str(asset) if { req.fhdr(sec-gpc) -m found } asset
    <<mark>>
    http-request set-var(txn.to) str(gate) if always
    <<open_rules>>
    use_backend optout_gate if { var(txn.to) -m str gate }
    <<backends>>

    # Caches keep the two apart; what the gate answers says so itself.
    http-after-response set-var(txn.varies) bool(true) if { res.fhdr(content-type) -m beg -i <<varies>> }
    http-after-response set-var(txn.varies) bool(true) if !{ res.fhdr(content-type) -m found }
    http-after-response add-header Vary Sec-GPC if { var(txn.varies) -m bool } !{ res.hdr(vary) -m str -i sec-gpc }
    # A page that was asked for as a font came from the site: no cache may give it to who wants a page.
    http-after-response add-header Vary Sec-Fetch-Dest if { var(txn.to) -m str asset }
    <<open_response>>

backend optout_gate
    option httpchk GET /readyz
    timeout check 2s    # a gate that is busy for a moment is not gone
    http-check expect status 200
    default-server check inter 500ms fall 2 rise 1 observe layer4 error-limit 1 on-error mark-down init-addr last,libc,none
    <<gates>>
<<origins>>
"""

_OPEN_RULES = """acl gate_is_down nbsrv(optout_gate) lt 1
http-request set-var(txn.to) str(bypassed) if gate_is_down { var(txn.to) -m str gate }
"""

_OPEN_RESPONSE = """acl bypassed var(txn.to) -m str bypassed
http-after-response set-header X-Optout-Gate bypassed if bypassed
http-after-response set-header Cache-Control "private, no-store" if bypassed
http-after-response del-header Expires if bypassed
"""


_MAX_WORDS_CHARS = 150  # HAProxy reads 64 words of a line, and no name has less than three


def write(routing: Routing, fail_open: bool) -> str:
    """Return a configuration file of HAProxy."""
    return fill(
        _FILE,
        heading=heading("haproxy", fail_open).rstrip(),
        listen=str(routing.listen),
        hosts="\n".join(_hosts(routing.sites)),
        signals="\n".join(_signals(routing)),
        assets=" ".join(NEVER_REWRITTEN),
        paths="\n".join(f"acl always pathq -m reg {_quoted('^(?:' + path + ')')}" for path in routing.paths),
        mark="http-request set-var(txn.to) str(gate) if !asset"
        if routing.everything
        else "http-request set-var(txn.to) str(gate) if signal !asset",
        varies=" ".join(VARIES),
        open_rules=_OPEN_RULES if fail_open else "",
        open_response=_OPEN_RESPONSE if fail_open else "",
        backends="\n".join(_chosen(routing.sites)),
        gates="\n".join(
            f"server gate{number} {gate} check addr {_bracketed(admin.host)} port {admin.port}"
            for number, (gate, admin) in enumerate(routing.gates, 1)
        ),
        origins="".join(_origin(site, number) for number, site in enumerate(routing.sites, 1)),
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host  # the last colon would part a port from it


def _signals(routing: Routing) -> list[str]:
    lines = ["acl signal req.fhdr(sec-gpc) -m found"]
    lines += [f"acl signal req.fhdr(cookie) -m reg {_quoted(each)}" for each in routing.cookies]
    if routing.dnt:
        lines.append("acl signal req.fhdr(dnt) -m str 1")
    return lines


def _hosts(sites: tuple[EdgeSite, ...]) -> list[str]:
    lines = []
    for number, site in enumerate(sites, 1):
        exact = [host for host in site.hosts if "*" not in host]
        below = [host[1:] for host in site.hosts if host.startswith("*.")]
        for how, names in (("str", exact), ("end", below)):
            for some in grouped(names, _MAX_WORDS_CHARS):
                lines.append(f"acl site_{number} req.hdr(host),field(1,:) -m {how} -i {' '.join(some)}")
        if site.takes_all:
            lines.append(f"acl site_{number} always_true")
    anybody = " or ".join(f"site_{number}" for number in range(1, len(sites) + 1))
    if not any(site.takes_all for site in sites):
        lines.append(f"http-request return status 421 unless {anybody}")
    return lines


def _chosen(sites: tuple[EdgeSite, ...]) -> list[str]:
    return [f"use_backend origin_{number} if site_{number}" for number in range(1, len(sites) + 1)]


def _origin(site: EdgeSite, number: int) -> str:
    lines = ["", f"backend origin_{number}"]
    if site.host:
        lines.append(f"    http-request set-header Host {site.host}")
    tls = f" {_tls(site.tls)}" if site.tls is not None else ""
    if site.tls is not None and site.tls.certificate != site.tls.key:
        lines.append(f"    # HAProxy reads the key from the certificate's own file: put {site.tls.key} into it.")
    where = _quoted(f"unix@{site.origin.path}") if isinstance(site.origin, UnixSocket) else str(site.origin)
    lines.append(f"    server origin {where}{tls} init-addr last,libc,none")
    return "\n".join(lines) + "\n"


def _tls(tls: OriginTls) -> str:
    """Return the words of a server line, which has none for a key: HAProxy wants it in the certificate's file."""
    verify = f"required ca-file {_quoted(tls.ca_file) if tls.ca_file else '@system-ca'}" if tls.verify else "none"
    shown = f" crt {_quoted(tls.certificate)}" if tls.certificate is not None else ""
    return f"ssl verify {verify} sni str({tls.name}){shown}"


def _quoted(text: str) -> str:
    """Return ``text`` in single quotes, where HAProxy reads nothing but their end."""
    return "'" + re.sub("'", "'\\\\''", text) + "'"

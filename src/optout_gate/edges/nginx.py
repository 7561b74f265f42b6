"""nginx (1.22 and later), as a file for the ``http`` block.

Two traps. ``add_header`` acts after nginx's own cache, so ``Vary`` alone does not keep that cache apart: its key names
who answered. And ``error_page`` hands a request on after the gate may have had it, so the open variant sends one with a
body again only when no connection came about.

A map tries plain strings before any expression, so what most visitors send stands in it as a string.
"""

import re

from optout_gate.edges.filling import fill, heading
from optout_gate.edges.routing import NEVER_REWRITTEN, VARIES, EdgeSite, Routing

_FILE = r"""<<heading>>
# Belongs into the http block. The gate must take the edge's word for who is behind it: trusted_proxies: [127.0.0.1]

map $http_sec_gpc $optout_gate_gpc {      # any value: the gate decides what it means
    default odd;
    ""      "";
    "1"     gpc;
}
map $http_cookie $optout_gate_cookie {
    default "";
    ""      "";
    <<cookie>>
}
map $http_dnt $optout_gate_dnt {
    default "";
    <<dnt>>
}
map $request_uri $optout_gate_path {      # as it came, not as nginx would clean it up
    default "";
    <<paths>>
}
map $http_sec_fetch_dest $optout_gate_asset {   # what no page is made of; a browser that says nothing may get a page
    default "";
    <<assets>>
}
map "$optout_gate_path,$optout_gate_asset,$optout_gate_gpc$optout_gate_cookie$optout_gate_dnt" $optout_gate_to {
    default    gate;
    "~^path,"  gate;
    ",asset,"  origin;
    "~,asset," origin;
    <<unsignalled>>
}

# A visitor who is known by anything but the signal itself neither takes from the cache nor leaves anything in it.
map "$optout_gate_gpc$optout_gate_cookie$optout_gate_dnt" $optout_gate_uncached {
    default 1;
    <<cached>>
}
map "$optout_gate_to,$upstream_http_content_type" $optout_gate_vary {   # the gate says it itself for pages
    default "";
    <<often>>
    "~*^origin,(?:<<varies>>|$)" "Sec-GPC";
    "~*^gate,text/css" "Sec-GPC";
}
map $http_upgrade $optout_gate_connection {
    default upgrade;
    ""      "";
}
<<open_maps>>

proxy_cache_path /var/cache/nginx/optout-gate keys_zone=optout_gate:10m max_size=1g inactive=1h use_temp_path=off;

upstream optout_gate {
    <<gates>>
    keepalive 64;
    keepalive_timeout 10s;    # the gate closes idle connections after 15
}
<<sites>>
<<nobody>>
"""

_OPEN_MAPS = r"""
# Whether a request that the gate did not answer may go to the site: one that changes nothing, or one never sent.
map "$optout_gate_to,$request_method,$upstream_connect_time" $optout_gate_again {
    default 0;
    "~^gate,(?:GET|HEAD)," 1;
    "~^gate,[A-Z]+,-(?:, -)*$" 1;
}
"""

_SITE = r"""
upstream optout_origin_<<number>> {
    server <<origin>>;
    keepalive 64;
}
map $optout_gate_to $optout_gate_server_<<number>> {
    default http://optout_gate;
    origin  <<scheme>>://optout_origin_<<number>>;
}
map $optout_gate_to $optout_gate_host_<<number>> {
    default $http_host;
    <<host>>
}
server {
    listen <<listen>>;
    server_name <<names>>;

    proxy_http_version 1.1;
    proxy_set_header Host $optout_gate_host_<<number>>;
    proxy_set_header Connection $optout_gate_connection;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_connect_timeout 5s;
    proxy_next_upstream error timeout;
    <<tls>>

    location / {
        proxy_pass $optout_gate_server_<<number>>;
        proxy_cache optout_gate;
        proxy_cache_key "$optout_gate_to|$http_sec_gpc|$scheme://$http_host$request_uri";
        proxy_cache_bypass $optout_gate_uncached;
        proxy_no_cache $optout_gate_uncached;
        add_header Vary $optout_gate_vary always;
        <<open_page>>
    }
    <<open_location>>
}
"""

_OPEN_LOCATION = r"""
location @optout_gate_bypassed {
    if ($optout_gate_again = 0) {
        return 502;
    }
    proxy_pass <<scheme>>://optout_origin_<<number>>;
    <<host_again>>
    proxy_hide_header Cache-Control;
    proxy_hide_header Expires;
    add_header Cache-Control "private, no-store" always;
    add_header Vary Sec-GPC always;
    add_header X-Optout-Gate bypassed always;
}
"""

_TLS = """proxy_ssl_server_name on;
proxy_ssl_name {name};
proxy_ssl_verify on;
proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;
"""

_NOBODY = """
server {{   # a host that no site answers to
    listen {listen} default_server;
    server_name _;
    return 421;
}}
"""


def write(routing: Routing, fail_open: bool) -> str:
    """Return a file for nginx's ``http`` block."""
    # ",," is a request of which nothing is known that would send it to the gate.
    unsignalled = "" if routing.everything else '",,"       origin;'
    often = (f"{each}{charset}" for each in ("text/html", "text/css") for charset in ("", "; charset=utf-8"))
    listen = str(routing.listen)
    return fill(
        _FILE,
        heading=heading("nginx", fail_open).rstrip(),
        cookie="\n".join(f"{_quoted('~' + each)} cookie;" for each in routing.cookies),
        dnt='"1" dnt;' if routing.dnt else "",
        paths=f"{_quoted('~^(?:' + '|'.join(routing.paths) + ')')} path;",
        assets="\n".join(f"{each} asset;" for each in NEVER_REWRITTEN),
        unsignalled=unsignalled,
        cached="" if routing.everything else '""      0;\ngpc     0;',
        often="\n".join(f'"origin,{each}" "Sec-GPC";' for each in often),
        varies="|".join(re.escape(each) for each in VARIES),
        open_maps=_OPEN_MAPS if fail_open else "",
        gates="\n".join(f"server {gate} max_fails=1 fail_timeout=2s;" for gate, _ in routing.gates),
        sites="".join(_site(site, number, listen, fail_open) for number, site in enumerate(routing.sites, 1)),
        nobody="" if any(site.takes_all for site in routing.sites) else _NOBODY.format(listen=listen),
    )


def _site(site: EdgeSite, number: int, listen: str, fail_open: bool) -> str:
    scheme = "https" if site.tls else "http"
    names = " ".join("_" if host == "*" else host for host in site.hosts)
    host = f'"{site.host}"' if site.host else "$http_host"
    named = {"number": str(number), "scheme": scheme}
    return fill(
        _SITE,
        **named,
        origin=str(site.origin),
        host=f"origin  {host};" if site.host else "",
        listen=f"{listen} default_server" if site.takes_all else listen,
        names=names,
        tls=_TLS.format(name=site.tls) if site.tls else "",
        open_page="error_page 502 504 = @optout_gate_bypassed;" if fail_open else "",
        open_location=_bypass(site, host, named) if fail_open else "",
    )


def _bypass(site: EdgeSite, host: str, named: dict[str, str]) -> str:
    # proxy_set_header replaces all that would be inherited, so the list is said again where the Host differs.
    again = ""
    if site.host:
        again = (
            f"proxy_set_header Host {host};\n"
            "proxy_set_header Connection $optout_gate_connection;\n"
            "proxy_set_header Upgrade $http_upgrade;\n"
            "proxy_set_header X-Forwarded-For $remote_addr;\n"
            "proxy_set_header X-Forwarded-Proto $scheme;\n"
            "proxy_set_header X-Forwarded-Host $http_host;\n"
        )
    return fill(_OPEN_LOCATION, **named, host_again=again)


def _quoted(text: str) -> str:
    """Return ``text`` in double quotes, where nginx reads a backslash before some characters only."""
    return '"' + re.sub(r'\\(?=[\\"\'trn])', r"\\\\", text).replace('"', '\\"') + '"'

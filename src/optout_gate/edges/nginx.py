"""nginx (1.22 and later), as a file for the ``http`` block.

Three traps. ``add_header`` acts after nginx's own cache, so ``Vary`` alone does not keep that cache apart: its key names
who answered. ``error_page`` hands a request on after the gate may have had it, so the open variant sends one with a body
again only when no connection came about. And unless ``pcre_jit`` is on, which only the head of ``nginx.conf`` can say,
each alternative that an expression tries costs as much as all of the map around it.

So most visitors are sent on by a location with an upstream of its own, maps ask one another instead of joining what each
found, and strings stand before expressions.
"""

import itertools
import os.path
import re
from collections.abc import Iterator

from optout_gate.edges.filling import fill, heading
from optout_gate.edges.routing import (
    EQUALS,
    NEVER_REWRITTEN,
    ODD_PATH,
    SYSTEMS_AUTHORITIES,
    VARIES,
    EdgeSite,
    OriginTls,
    Routing,
    UnixSocket,
    cookie_name,
    grouped,
    says_out,
)

_BEFORE = r"[;,][ \x09]*+"  # a comma parts lines that an edge has joined
_LOOKED_AT = 4  # letters, or what may follow a name: few names of other cookies begin with four of these
_MAX_NAMES = 2500  # characters: nginx reads no parameter of more than 4,096
_ODD_PATH = r"[^?%\\/]*+(?:/(?![/.])[^?%\\/]*+)*+[%\\/]"

_FILE = r"""<<heading>>
# Belongs into the http block; `pcre_jit on;` at the head of nginx.conf makes it cheaper.
# The gate must take the edge's word for who is behind it: trusted_proxies: [127.0.0.1]

# Whether a request goes to the gate. Each map asks the next, so that no more is asked than is needed.
map $request_uri $optout_gate_asked {       # as it came, not as nginx would clean it up
    default $optout_gate_by_kind;
    <<paths>>
}
map $http_sec_fetch_dest $optout_gate_by_kind {     # what no page is made of; a browser that says nothing may get a page
    default <<unless_asset>>;
    <<assets>>
}
map $http_sec_gpc $optout_gate_by_signal {  # any value: the gate decides what it means
    default 1;
    ""      $optout_gate_known;
}
map ";$http_cookie" $optout_gate_known {    # by anything but the signal itself
    default <<unless_cookie>>;
    ";"     <<unless_cookie>>;
    <<cookie>>
}
<<dnt_map>>

# A visitor who is known by anything but the signal itself neither takes from the cache nor leaves anything in it.
map $http_sec_gpc $optout_gate_uncached {
    default 1;
    <<cached>>
}
map $upstream_http_content_type $optout_gate_vary {
    default "";
    <<often>>
    "~*^(?:<<varies>>)" $optout_gate_page_vary;
}
map $http_sec_gpc $optout_gate_page_vary {
    default "Sec-GPC, Sec-Fetch-Dest";  # the site's own, as it was asked for as a font: for nobody who wants a page
    ""      "Sec-GPC";
}
map $upstream_http_content_type $optout_gate_own_vary {     # the gate says it itself for pages
    default "";
    "~*^text/css" "Sec-GPC";
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
<<names>>
<<sites>>
<<nobody>>
"""

_NAMES = """
# More or longer names than nginx makes room for. Said once: an nginx.conf that says it already keeps its own, if larger.
server_names_hash_max_size {size};
server_names_hash_bucket_size 512;
"""
_FEW, _SHORT = 200, 40  # names, and characters of one: with nginx's own 512 and 64 bytes there is no warning

_OPEN_MAPS = r"""
# Whether a request that the gate did not answer may go to the site: one that changes nothing, or one never sent.
map "$request_method,$upstream_connect_time" $optout_gate_again {
    default 0;
    "~^(?:GET|HEAD)," 1;
    "~^[A-Z]+,-(?:, -)*$" 1;
}
"""

_SITE = r"""
upstream optout_origin_<<number>> {
    server <<origin>>;
    keepalive 64;
}
server {
    listen <<listen>>;
    server_name <<names>>;

    proxy_http_version 1.1;
    <<headers>>
    proxy_connect_timeout 5s;
    proxy_next_upstream error timeout;
    proxy_cache optout_gate;
    <<tls>>

    location / {
        if ($optout_gate_asked) {
            error_page 418 = @optout_gate;
            return 418;
        }
        <<open_twice>>
        proxy_pass <<scheme>>://optout_origin_<<number>>;
        proxy_cache_key "$http_sec_gpc|$scheme://$http_host$request_uri";
        add_header Vary $optout_gate_vary always;
        <<host>>
    }
    location @optout_gate {
        proxy_pass http://optout_gate;
        proxy_cache_key "gate|$http_sec_gpc|$scheme://$http_host$request_uri";
        proxy_cache_bypass $optout_gate_uncached;
        proxy_no_cache $optout_gate_uncached;
        add_header Vary $optout_gate_own_vary always;
        <<open_page>>
    }
    <<open_location>>
}
"""

_HEADERS = """proxy_set_header Host <<host>>;
proxy_set_header Connection $optout_gate_connection;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header X-Forwarded-For $remote_addr;
proxy_set_header X-Forwarded-Proto $scheme;
proxy_set_header X-Forwarded-Host $http_host;
"""

_DNT = """map $http_dnt $optout_gate_dnt {    # any value, for the same reason as the signal's
    default 1;
    ""      0;
}
"""

_OPEN_LOCATION = r"""
location @optout_gate_bypassed {
    if ($optout_gate_again = 0) {
        return 502;
    }
    proxy_pass <<scheme>>://optout_origin_<<number>>;
    <<host>>
    proxy_cache off;
    proxy_hide_header Cache-Control;
    proxy_hide_header Expires;
    add_header Cache-Control "private, no-store" always;
    add_header Vary Sec-GPC always;
    add_header X-Optout-Gate bypassed always;
}
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
    often = (f"{each}{charset}" for each in ("text/html", "text/css") for charset in ("", "; charset=utf-8"))
    listen = str(routing.listen)
    return fill(
        _FILE,
        heading=heading("nginx", fail_open).rstrip(),
        paths="\n".join(
            f"{_quoted('~^(?:' + '|'.join(some) + ')')} 1;" for some in grouped(map(quickly, routing.paths), _MAX_NAMES)
        ),
        unless_asset="1" if routing.everything else "$optout_gate_by_signal",
        assets="\n".join(f"{each} 0;" for each in NEVER_REWRITTEN),
        unless_cookie="$optout_gate_dnt" if routing.dnt else "0",
        cookie="\n".join(f"{_quoted('~' + each)} 1;" for each in cookie_expressions(routing)),
        dnt_map=_DNT if routing.dnt else "",
        cached="" if routing.everything else '""      $optout_gate_known;\n"1"     $optout_gate_known;',
        often="\n".join(f'"{each}" $optout_gate_page_vary;' for each in ("", "*/*", *often)),
        varies=_folded(sorted(each for each in VARIES if "*" not in each)),
        open_maps=_OPEN_MAPS if fail_open else "",
        gates="\n".join(f"server {gate} max_fails=1 fail_timeout=2s;" for gate, _ in routing.gates),
        names=_names(routing),
        sites="".join(_site(site, number, listen, fail_open) for number, site in enumerate(routing.sites, 1)),
        nobody="" if any(site.takes_all for site in routing.sites) else _NOBODY.format(listen=listen),
    )


def _names(routing: Routing) -> str:
    """Return what makes room for the names of the sites, where they want more than there is."""
    names = [host for site in routing.sites for host in site.hosts]
    if len(names) <= _FEW and max(map(len, names)) <= _SHORT:
        return ""
    return _NAMES.format(size=1 << max(512, 2 * len(names)).bit_length())


def _site(site: EdgeSite, number: int, listen: str, fail_open: bool) -> str:
    names = " ".join("_" if host == "*" else host for host in site.hosts)
    # proxy_set_header replaces all that would be inherited, so the list is said again where the Host differs.
    named = {
        "number": str(number),
        "scheme": "https" if site.tls else "http",
        "host": fill(_HEADERS, host=f'"{site.host}"') if site.host else "",
    }
    return fill(
        _SITE,
        **named,
        origin=f'"{site.origin}"' if isinstance(site.origin, UnixSocket) else str(site.origin),
        listen=f"{listen} default_server" if site.takes_all else listen,
        names=names,
        headers=fill(_HEADERS, host="$http_host"),
        tls=_tls(site.tls) if site.tls is not None else "",
        open_twice="recursive_error_pages on;    # the gate, and then the site" if fail_open else "",
        open_page="error_page 502 504 = @optout_gate_bypassed;" if fail_open else "",
        open_location=fill(_OPEN_LOCATION, **named) if fail_open else "",
    )


def _tls(tls: OriginTls) -> str:
    lines = ["proxy_ssl_server_name on;", f"proxy_ssl_name {tls.name};"]
    if tls.verify:
        lines += ["proxy_ssl_verify on;", f'proxy_ssl_trusted_certificate "{tls.ca_file or SYSTEMS_AUTHORITIES}";']
    if tls.certificate is not None:
        lines += [f'proxy_ssl_certificate "{tls.certificate}";', f'proxy_ssl_certificate_key "{tls.key}";']
    return "\n".join(lines) + "\n"


def quickly(path: str) -> str:
    """Return the expression of a path; that of odd ones as one that never goes back over what it has read."""
    return _ODD_PATH if path == ODD_PATH else path


def cookie_expressions(routing: Routing) -> Iterator[str]:
    """Yield expressions for a Cookie field with a semicolon before it."""
    own = routing.own_cookie
    named = sorted(each for each in routing.consent_cookies if not each.startswith("*"))
    ends = sorted(each.lstrip("*") for each in routing.consent_cookies if each.startswith("*"))
    for names in grouped(named, _MAX_NAMES) if named else [[]]:
        known = f"(?:{_folded(names)}){EQUALS}" if names else ""
        if own is not None:
            names, known = [own, *names], f"(?:{says_out(own)}{'|' if known else ''}{known})"
        if names:
            yield f"{_BEFORE}{_ahead(names)}{known}"
        own = None
    if ends:
        yield f"(?:{_folded(ends)}){EQUALS}"


def _ahead(names: list[str]) -> str:
    """Return a look at the first letters, which most cookies do not pass."""
    letters = [[*name.partition("*")[0], *([] if "*" in name else [" \t="])] for name in names]
    columns = ("".join(sorted({*"".join(column)})) for column in zip(*letters, strict=False))
    sets = (re.escape(column).replace("\t", "x09") for column in itertools.islice(columns, _LOOKED_AT))
    return f"(?={''.join(f'[{each}]' for each in sets)})"


def _folded(names: list[str]) -> str:
    """Return alternatives, sorted names that begin alike as one: each that fails costs as much as a whole comparison."""
    parts = []
    for _, group in itertools.groupby(names, key=lambda name: name[0]):
        alike = list(group)
        stem = os.path.commonprefix(alike)  # noqa: RUF071 - of any texts
        ends = "|".join(cookie_name(name.removeprefix(stem)) for name in alike)
        parts.append(cookie_name(stem) + (f"(?:{ends})" if len(alike) > 1 else ""))
    return "|".join(parts)


def _quoted(text: str) -> str:
    """Return ``text`` in double quotes, where nginx reads a backslash before some characters only."""
    return '"' + re.sub(r'\\(?=[\\"\'trn])', r"\\\\", text).replace('"', '\\"') + '"'

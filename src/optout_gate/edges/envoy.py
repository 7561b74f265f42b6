"""Envoy (1.30 and later), as a static bootstrap file.

A route matches a header's value as one text, repeated lines joined with commas, and a regular expression must match all
of it. Up to 1.36 or later a dot matches a character: not a byte that is no UTF-8, behind which no cookie would be found.
With no healthy gate a cluster would by default send to sick ones (its panic mode); here it must not. The open variant puts a listener of
Envoy's own behind the gates, which says on every answer that it was bypassed.

The dearest part of a question is to find the field: asked for one that it has no place for, Envoy first makes a map of
them all, which costs as much as ten expressions. So the fields of the question get a place of their own, and one route
with one expression over cookies takes everybody of whom nothing is known. What it leaves goes to the gate.
"""

import re
from ipaddress import ip_address
from typing import Any

import yaml

from optout_gate.edges.filling import heading
from optout_gate.edges.routing import (
    NEVER_REWRITTEN,
    SYSTEMS_AUTHORITIES,
    Address,
    EdgeSite,
    OriginTls,
    Routing,
    UnixSocket,
)

_HTTP = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
_AGGREGATE = "type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig"
_APPEND, _OVERWRITE = "APPEND_IF_EXISTS_OR_ADD", "OVERWRITE_IF_EXISTS_OR_ADD"
_BYPASS = "@optout-gate-bypassed"  # a socket without a file
_PLACED = ("sec-gpc", "cookie", "sec-fetch-dest")
"""Fields that get a place. Repeated lines of one reach the site as one, joined as HTTP/2 joins cookies, else with commas;
``DNT`` is not here, for the gate reads no list in it."""
_ANYTHING = re.compile(r"\[\^[?=;]+\]\*|\.\*")

Yaml = dict[str, Any]


def write(routing: Routing, fail_open: bool) -> str:
    """Return a bootstrap file of Envoy."""
    sites = [_site(routing, site) for site in _numbered(routing)]
    if not any(site.takes_all for site in routing.sites):
        sites.append(_NOBODY)
    listeners = [_listener("visitors", _socket(routing.listen), sites)]
    if fail_open:
        bypassed = [_bypassed(number, site) for number, site in _numbered(routing)]
        listeners.append(_listener("bypassed", {"pipe": {"path": _BYPASS}}, bypassed))
    clusters = _with_bypass(_gates(routing)) if fail_open else [_gates(routing)]
    clusters += [_origin(number, site) for number, site in _numbered(routing)]
    resources = {
        # Names of consent platforms' cookies make an expression longer than Envoy allows by default; RE2 reads it in
        # one pass all the same.
        "layered_runtime": {
            "layers": [{"name": "static", "static_layer": {"re2.max_program_size.error_level": 20000}}]
        },
        "inline_headers": [{"inline_header_name": name, "inline_header_type": "REQUEST_HEADER"} for name in _PLACED],
        "static_resources": {"listeners": listeners, "clusters": clusters},
    }
    note = "# The gate must take the edge's word for who is behind it: trusted_proxies: [127.0.0.1]\n"
    return heading("envoy", fail_open) + note + yaml.safe_dump(resources, sort_keys=False, width=110)


def _numbered(routing: Routing) -> list[tuple[int, EdgeSite]]:
    return list(enumerate(routing.sites, 1))


def _listener(name: str, address: Yaml, sites: list[Yaml]) -> Yaml:
    manager = {
        "@type": _HTTP,
        "stat_prefix": name,
        "use_remote_address": name == "visitors",
        "server_header_transformation": "PASS_THROUGH",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "route_config": {"ignore_port_in_host_matching": True, "virtual_hosts": sites},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}}],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {"name": name, "address": address, "filter_chains": [chain]}


def _site(routing: Routing, numbered: tuple[int, EdgeSite]) -> Yaml:
    number, site = numbered
    origin = _to_origin(number, site)
    own = {"match": {"safe_regex": {"regex": path_expression(routing)}}, **_TO_GATE}
    silent = {"match": {"prefix": "/", "headers": _silent(routing)}, **origin}
    asset = {"match": {"prefix": "/", "headers": [_matched("sec-fetch-dest", "|".join(NEVER_REWRITTEN))]}, **origin}
    return {
        "name": f"site_{number}",
        "domains": list(site.hosts),
        "request_headers_to_add": [
            _header("X-Forwarded-For", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", _OVERWRITE),
            _header("X-Forwarded-Host", "%REQ(:AUTHORITY)%", _OVERWRITE),
        ],
        "routes": [
            own,
            *([] if routing.everything else [{**silent, **_varying("Sec-GPC")}]),
            # A page that was asked for as a font came from the site: no cache may give it to who wants a page.
            {**asset, **_varying("Sec-GPC, Sec-Fetch-Dest")},
            {"match": {"prefix": "/"}, **_TO_GATE},
        ],
    }


def path_expression(routing: Routing) -> str:
    """Return the expression of a path, without its query, that is the gate's whoever asks."""
    return rf"(?:{_bytewise('|'.join(routing.paths))})\C*"


def cookie_expression(routing: Routing) -> str:
    """Return the expression of a Cookie field by which a visitor may be known."""
    return rf"\C*(?:{_bytewise('|'.join(routing.cookies))})\C*"


def _bytewise(expression: str) -> str:
    """Return an expression that reads over any bytes where ``expression`` reads over characters of a kind."""
    return _ANYTHING.sub(r"\\C*", expression)


def _silent(routing: Routing) -> list[Yaml]:
    """Return how a request is matched of whose visitor nothing is known."""
    matches: list[Yaml] = [{"name": "sec-gpc", "present_match": False}]
    if routing.dnt:
        matches.append({"name": "dnt", "present_match": False})
    if routing.cookies:
        unless = {"invert_match": True, "treat_missing_header_as_empty": True}
        matches.append({**_matched("cookie", cookie_expression(routing)), **unless})
    return matches


_NOBODY: Yaml = {
    "name": "nobody",  # a host that no site answers to
    "domains": ["*"],
    "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 421}}],
}


def _header(name: str, value: str, action: str) -> Yaml:
    return {"header": {"key": name, "value": value}, "append_action": action}


def _varying(fields: str, action: str = _APPEND) -> Yaml:
    return {"response_headers_to_add": [_header("Vary", fields, action)]}


_TO_GATE: Yaml = {
    # The gate says it of pages; said twice it would part the variants of caches that compare Vary as text.
    **_varying("Sec-GPC", "ADD_IF_ABSENT"),
    "route": {
        "cluster": "optout_gate",
        "timeout": "0s",  # of the whole answer; the gate has its own
        # Nothing that a gate may have begun to answer is sent twice.
        "retry_policy": {"retry_on": "connect-failure,refused-stream,reset-before-request", "num_retries": 2},
    },
}


def _to_origin(number: int, site: EdgeSite) -> Yaml:
    route: Yaml = {"cluster": f"origin_{number}", "timeout": "0s"}
    if site.host:
        route["host_rewrite_literal"] = site.host
    return {"route": route}


def _bypassed(number: int, site: EdgeSite) -> Yaml:
    told = [
        _header("X-Optout-Gate", "bypassed", _OVERWRITE),
        _header("Cache-Control", "private, no-store", _OVERWRITE),
        _header("Vary", "Sec-GPC", _APPEND),
    ]
    return {
        "name": f"site_{number}",
        "domains": list(site.hosts),
        "response_headers_to_add": told,
        "response_headers_to_remove": ["expires"],
        "routes": [{"match": {"prefix": "/"}, **_to_origin(number, site)}],
    }


def _matched(header: str, expression: str) -> Yaml:
    return {"name": header, "string_match": {"safe_regex": {"regex": expression}}}


def _gates(routing: Routing) -> Yaml:
    members = [
        {"endpoint": {"address": _socket(gate), "health_check_config": {"port_value": admin.port}}}
        for gate, admin in routing.gates
    ]
    check = {
        "timeout": "2s",  # a gate that is busy for a moment is not gone; one that drains says 503, which counts at once
        "interval": "0.5s",
        "no_traffic_interval": "0.5s",
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
        "http_health_check": {"path": "/readyz"},
    }
    return {
        "name": "optout_gate",
        "type": "STRICT_DNS",
        "connect_timeout": "5s",
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "health_checks": [check],
        # The gate closes idle connections after 15 s; Envoy would keep them for an hour and fail into one now and then.
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "common_http_protocol_options": {"idle_timeout": "10s"},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
        "load_assignment": {"cluster_name": "optout_gate", "endpoints": [{"lb_endpoints": members}]},
    }


def _with_bypass(gates: Yaml) -> list[Yaml]:
    """Return the gates, the listener that stands in for them, and the cluster that takes the first with a healthy one."""
    bypass = {
        "name": "bypassed",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "bypassed",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"pipe": {"path": _BYPASS}}}}]}],
        },
    }
    members = {**gates, "name": "gates", "load_assignment": {**gates["load_assignment"], "cluster_name": "gates"}}
    first = {
        "name": "optout_gate",
        "lb_policy": "CLUSTER_PROVIDED",
        "connect_timeout": "5s",
        "cluster_type": {
            "name": "envoy.clusters.aggregate",
            "typed_config": {"@type": _AGGREGATE, "clusters": ["gates", "bypassed"]},
        },
    }
    return [members, bypass, first]


def _origin(number: int, site: EdgeSite) -> Yaml:
    name = f"origin_{number}"
    cluster: Yaml = {
        "name": name,
        "type": "STATIC" if isinstance(site.origin, UnixSocket) else "STRICT_DNS",
        "connect_timeout": "5s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _socket(site.origin)}}]}],
        },
    }
    if site.tls is not None:
        context = {"@type": _TLS, "sni": site.tls.name, "common_tls_context": _tls(site.tls)}
        cluster["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": context}
    return cluster


def _tls(tls: OriginTls) -> Yaml:
    """Return what is checked and shown. Envoy looks for no name in a certificate unless it is told which."""
    common: Yaml = {}
    if tls.verify:
        name = {"san_type": "IP_ADDRESS" if _is_address(tls.name) else "DNS", "matcher": {"exact": tls.name}}
        trusted = {"filename": tls.ca_file or SYSTEMS_AUTHORITIES}
        common["validation_context"] = {"trusted_ca": trusted, "match_typed_subject_alt_names": [name]}
    if tls.certificate is not None:
        files = {"certificate_chain": {"filename": tls.certificate}, "private_key": {"filename": tls.key}}
        common["tls_certificates"] = [files]
    return common


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _socket(address: Address | UnixSocket) -> Yaml:
    if isinstance(address, UnixSocket):
        return {"pipe": {"path": address.path}}
    return {"socket_address": {"address": address.host, "port_value": address.port}}

"""Envoy (1.30 and later), as a static bootstrap file.

A route matches a header's value as one text, repeated lines joined with commas, and a regular expression must match all
of it. With no healthy gate a cluster would by default send to sick ones (its panic mode); here it must not. The open
variant puts a listener of Envoy's own behind the gates, which says on every answer that it was bypassed.
"""

import re
from typing import Any

import yaml

from optout_gate.edges.filling import heading
from optout_gate.edges.routing import NEVER_REWRITTEN, ODD_PATH, Address, EdgeSite, Routing, UnixSocket

_HTTP = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
_AGGREGATE = "type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig"
_BYPASS = "@optout-gate-bypassed"  # a socket without a file

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
    varying = {**origin, "response_headers_to_add": [_header("Vary", "Sec-GPC", "APPEND_IF_EXISTS_OR_ADD")]}
    paths = [{"match": _path(path), **_TO_GATE} for path in routing.paths]
    asset = {"match": _where("sec-fetch-dest", safe_regex={"regex": "|".join(NEVER_REWRITTEN)}), **origin}
    signals = [{"match": _where("sec-gpc"), **_TO_GATE}]
    for each in routing.cookies:
        signals.append({"match": _where("cookie", safe_regex={"regex": f".*(?:{each}).*"}), **_TO_GATE})
    if routing.dnt:
        signals.append({"match": _where("dnt", exact="1"), **_TO_GATE})
    rest = _TO_GATE if routing.everything else varying
    return {
        "name": f"site_{number}",
        "domains": list(site.hosts),
        "request_headers_to_add": [
            _header("X-Forwarded-For", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "OVERWRITE_IF_EXISTS_OR_ADD"),
            _header("X-Forwarded-Host", "%REQ(:AUTHORITY)%", "OVERWRITE_IF_EXISTS_OR_ADD"),
        ],
        "routes": [*paths, asset, *signals, {"match": {"prefix": "/"}, **rest}],
    }


_NOBODY: Yaml = {
    "name": "nobody",  # a host that no site answers to
    "domains": ["*"],
    "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 421}}],
}
_TO_GATE: Yaml = {
    # The gate says it of pages; said twice it would part the variants of caches that compare Vary as text.
    "response_headers_to_add": [{"header": {"key": "Vary", "value": "Sec-GPC"}, "append_action": "ADD_IF_ABSENT"}],
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
        _header("X-Optout-Gate", "bypassed", "OVERWRITE_IF_EXISTS_OR_ADD"),
        _header("Cache-Control", "private, no-store", "OVERWRITE_IF_EXISTS_OR_ADD"),
        _header("Vary", "Sec-GPC", "APPEND_IF_EXISTS_OR_ADD"),
    ]
    return {
        "name": f"site_{number}",
        "domains": list(site.hosts),
        "response_headers_to_add": told,
        "response_headers_to_remove": ["expires"],
        "routes": [{"match": {"prefix": "/"}, **_to_origin(number, site)}],
    }


def _path(path: str) -> Yaml:
    """Return how a path is matched: by an expression only where a prefix cannot say it."""
    if path == ODD_PATH or ".*" in path:
        return {"safe_regex": {"regex": f"(?:{path}).*"}}
    return {"prefix": re.sub(r"\\(.)", r"\1", path)}


def _where(header: str, **match: Any) -> Yaml:
    how: Yaml = {"string_match": match} if match else {"present_match": True}
    return {"prefix": "/", "headers": [{"name": header, **how}]}


def _header(name: str, value: str, action: str) -> Yaml:
    return {"header": {"key": name, "value": value}, "append_action": action}


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
    if site.tls:
        trusted = {"trusted_ca": {"filename": "/etc/ssl/certs/ca-certificates.crt"}}
        context = {"@type": _TLS, "sni": site.tls, "common_tls_context": {"validation_context": trusted}}
        cluster["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": context}
    return cluster


def _socket(address: Address | UnixSocket) -> Yaml:
    if isinstance(address, UnixSocket):
        return {"pipe": {"path": address.path}}
    return {"socket_address": {"address": address.host, "port_value": address.port}}

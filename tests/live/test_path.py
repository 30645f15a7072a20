"""One stack's life in a real cluster, in the order of the tests: up from nothing, used, broken, mended, taken down."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.project import Project, answer, containers, run

CLUSTER = "sam-test-cluster"
WORKER = f"{CLUSTER}-worker"


@pytest.fixture(scope="module")
def seed(project: Project) -> Iterator[Project]:
    assert containers(CLUSTER) == [], f"a cluster named {CLUSTER} is here already; these tests need that name"
    home = Path.home() / ".kube" / "config"
    before = home.read_bytes() if home.exists() else None
    project.up("seed")
    yield project
    assert (home.read_bytes() if home.exists() else None) == before, "the user's own kubeconfig was touched"


def hop(project: Project, name: str, stack: str = "seed") -> dict[str, Any]:
    return next(hop for hop in project.outputs(stack)["hops"] if hop["name"] == name)


def test_the_documented_request_is_answered(seed: Project) -> None:
    """The command of output `curl` gives 200 and the pod's own /etc/passwd."""
    status, body = answer(seed.outputs("seed")["curl"])
    assert status == 200
    assert body.strip() == seed.kubectl("seed", "exec", "example-pod", "--", "cat", "/etc/passwd").strip()


def test_the_hops_carry_what_the_documents_show(seed: Project) -> None:
    hops = {hop["name"]: hop for hop in seed.outputs("seed")["hops"]}
    assert list(hops) == [
        "name", "port-mapping", "host-port", "route", "service", "endpoint", "pod",
        "reply-endpoint", "reply-route", "reply-host-port", "reply-port-mapping", "reply-client",
    ]  # fmt: skip
    assert hops["name"]["address"] == "my-service.local"
    assert hops["port-mapping"]["address"] == "0.0.0.0"
    assert hops["host-port"]["details"] | {"http": "80 -> 8080", "https": "443 -> 8443"} == hops["host-port"]["details"]
    assert hops["route"]["next"] == "my-service:8080"
    assert hops["endpoint"]["details"]["interface"] == "cali47b61747c2f"
    assert hops["endpoint"]["details"]["podSubnet"] == "10.244.0.0/16"
    assert hops["service"]["standing"] == "beside the path"


def test_docker_says_the_same_of_the_published_ports(seed: Project) -> None:
    bindings = json.loads(run("docker", "inspect", "--format", "{{json .NetworkSettings.Ports}}", WORKER))
    assert bindings["80/tcp"][0] == {"HostIp": "0.0.0.0", "HostPort": "80"}
    assert bindings["443/tcp"][0] == {"HostIp": "0.0.0.0", "HostPort": "443"}
    said = hop(seed, "port-mapping")
    assert (said["address"], said["port"], said["next"]) == ("0.0.0.0", 80, f"{WORKER}:80")
    assert said["details"] == {"http": f"80 -> {WORKER}:80", "https": f"443 -> {WORKER}:443"}


def test_docker_says_the_same_of_the_node(seed: Project) -> None:
    address = run("docker", "inspect", "--format", "{{.NetworkSettings.Networks.kind.IPAddress}}", WORKER).strip()
    assert hop(seed, "host-port")["address"] == address


def test_the_api_says_the_same_of_pod_service_and_envoy(seed: Project) -> None:
    pod = seed.kubectl("seed", "get", "pod", "example-pod", "--output", "jsonpath={.status.podIP}")
    service = seed.kubectl("seed", "get", "service", "my-service", "--output", "jsonpath={.spec.clusterIP}")
    envoy = seed.kubectl(
        "seed", "get", "pods", "--namespace", "projectcontour", "--selector", "app=envoy",
        "--field-selector", f"spec.nodeName={WORKER}", "--output", "jsonpath={.items[*].status.podIP}",
    )  # fmt: skip
    assert hop(seed, "pod")["address"] == hop(seed, "endpoint")["address"] == pod
    assert hop(seed, "service")["address"] == service
    assert hop(seed, "service")["next"] == f"{pod}:8080"
    assert hop(seed, "host-port")["next"] == f"{envoy}:8080"
    assert hop(seed, "route")["address"] == envoy


def test_the_node_says_the_same_of_host_port_and_route(seed: Project) -> None:
    rules = run("docker", "exec", WORKER, "iptables-save", "--table", "nat")
    host_port = hop(seed, "host-port")
    assert f":{host_port['details']['chain']} " in rules
    envoy = host_port["next"].split(":")[0]
    assert f"--dport 80 -j DNAT --to-destination {envoy}:8080" in rules
    assert f"--dport 443 -j DNAT --to-destination {envoy}:8443" in rules
    endpoint = hop(seed, "endpoint")
    routes = run("docker", "exec", WORKER, "ip", "route")
    assert re.search(rf"^{endpoint['address']} dev {endpoint['next']} scope link", routes, re.MULTILINE)


def test_envoy_dials_the_pod_and_kube_proxy_is_beside_the_path(seed: Project) -> None:
    """Requests add to no packet counter of the Service's rules."""

    def counted() -> list[str]:
        rules = run("docker", "exec", WORKER, "iptables-save", "--counters", "--table", "nat")
        return [line for line in rules.splitlines() if "default/my-service" in line and "cluster IP" in line]

    before = counted()
    assert before, "kube-proxy has no rule for the Service yet"
    for _ in range(3):
        assert answer(seed.outputs("seed")["curl"])[0] == 200
    assert counted() == before


def test_nothing_secret_is_kept(seed: Project) -> None:
    """Neither state nor outputs hold the key of the kubeconfig, and its file is the owner's alone."""
    file = Path(seed.outputs("seed")["cluster"]["kubeconfig"])
    assert file.stat().st_mode & 0o077 == 0
    key = re.search(r"client-key-data: (\S+)", file.read_text())
    assert key
    state = seed.pulumi("stack", "export", "--show-secrets", "--stack", "seed")
    assert key[1] not in state
    assert "client-key-data" not in state


def test_a_second_up_changes_nothing(seed: Project) -> None:
    assert re.search(r"; no changes, \d+ unchanged\n", seed.up("seed"))


@pytest.mark.long
def test_a_changed_workload_changes_nothing_else(seed: Project) -> None:
    file = seed.folder / "stacks" / "Pulumi.seed.yaml"
    documented = file.read_text()
    file.write_text(documented.replace("[python, -m,", "[python, -u, -m,"))
    text = seed.up("seed")
    assert re.search(r"done after \d+ s; 1 replaced, \d+ unchanged\n", text), text
    (change,) = [line for line in text.splitlines() if re.match(r"  [+~±-] ", line)]
    assert change.startswith("  ± workload my-service: Pod default/example-pod: spec.containers[].command")
    assert answer(seed.outputs("seed")["curl"])[0] == 200
    file.write_text(documented)
    seed.up("seed")


@pytest.mark.costly
def test_two_stacks_answer_side_by_side(seed: Project) -> None:
    """`local` cleans up what a broken start of its own left, answers on its own port, and goes without a trace."""
    owner = seed.folder / ".ingress-hops" / "kubeconfig" / "local.owner"
    owner.mkdir(mode=0o700)
    image = run("docker", "inspect", "--format", "{{.Config.Image}}", WORKER).strip()
    leftover = ["--name", "ingress-hops-local-worker", "--volume", f"{owner}:/ingress-hops/1-00000000:ro"]
    run("docker", "create", *leftover, "--label", "io.x-k8s.kind.cluster=ingress-hops-local", image)
    seed.up("local")
    assert answer(seed.outputs("local")["curl"])[0] == 200
    host, port = "my-service.localhost", 8080
    assert answer(f"curl --resolve {host}:{port}:127.0.0.1 http://{host}:{port}/etc/passwd")[0] == 404
    assert answer(seed.outputs("seed")["curl"])[0] == 200
    seed.down("local")
    assert containers("ingress-hops-local") == []
    assert answer(seed.outputs("seed")["curl"])[0] == 200


@pytest.mark.costly
def test_a_stopped_worker_is_started_again(seed: Project) -> None:
    created = run("docker", "inspect", "--format", "{{.Created}}", WORKER)
    run("docker", "stop", "--time", "2", WORKER)
    assert f"started again by an up: {WORKER}" in seed.preview("seed")
    assert re.search(r"; no changes, \d+ unchanged\n", seed.up("seed"))
    assert answer(seed.outputs("seed")["curl"])[0] == 200
    assert run("docker", "inspect", "--format", "{{.Created}}", WORKER) == created
    pod = seed.kubectl("seed", "get", "pod", "example-pod", "--output", "jsonpath={.status.podIP}")
    assert hop(seed, "pod")["address"] == pod, "a pod has another address after its node was stopped"


@pytest.mark.costly
def test_a_cluster_deleted_by_hand_is_made_anew(seed: Project) -> None:
    run("kind", "delete", "cluster", "--name", CLUSTER)
    preview = seed.preview("seed")
    assert re.search(r"\b\d\d to replace", preview), preview[-600:]
    assert f"kind cluster {CLUSTER}" in preview
    assert containers(CLUSTER) == []
    seed.up("seed")
    assert answer(seed.outputs("seed")["curl"])[0] == 200
    assert re.search(r"; no changes, \d+ unchanged\n", seed.up("seed"))


def test_a_block_size_that_cannot_reach_the_pool_rebuilds_and_says_so(seed: Project) -> None:
    seed.pulumi("config", "set", "--path", "ingress-hops:calico.blockSize", "27", "--stack", "seed")
    preview = seed.preview("seed")
    run("git", "-C", str(seed.folder), "checkout", "--", "stacks")
    assert re.search(r"\b\d\d to replace", preview), preview[-600:]
    assert "- ingress-hops:calico.blockSize: 26 -> 27" in preview
    assert "The cluster is deleted with all in it" in preview


def test_down_leaves_nothing(seed: Project) -> None:
    folder = seed.folder / ".ingress-hops" / "kubeconfig"
    assert list(folder.glob("seed*"))
    seed.down("seed")
    assert containers(CLUSTER) == []
    assert list(folder.glob("seed*")) == []
    assert seed.resources("seed") == []
    seed.pulumi("stack", "rm", "seed", "--yes", "--preserve-config")
    changed = run("git", "-C", str(seed.folder), "status", "--porcelain", "stacks")
    assert not [line for line in changed.splitlines() if not line.startswith("A ")]
    with pytest.raises(AssertionError):
        answer("curl --resolve my-service.local:80:127.0.0.1 http://my-service.local/etc/passwd")
    assert subprocess.run(["docker", "ps"], check=False, capture_output=True).returncode == 0

"""Three workers: two publish ports of their own, the pod runs on another node than Envoy, and the way there breaks."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import yaml

from tests.live.faults.kubernetes import Kubernetes, bare, ready, until
from tests.project import Project, answer, containers, run

pytestmark = pytest.mark.long

STACK = "nodes"
CLUSTER = f"ingress-hops-{STACK}"
ALONE, SECOND, THIRD = f"{CLUSTER}-worker", f"{CLUSTER}-worker2", f"{CLUSTER}-worker3"
PORTS = {SECOND: 8530, THIRD: 8531}
"""The ports of the publishing workers."""
TUNNEL = "vxlan.calico"
POD = "web-pod"
CONFIG: dict[str, Any] = {
    "cluster": {
        "workers": 3,
        "publishingWorker": 2,
        "httpPort": PORTS[SECOND],
        "httpsPort": None,
        "alsoPublish": [{"worker": 3, "httpPort": PORTS[THIRD]}],
    },
    "calico": {"encapsulation": "VXLAN"},
    "contour": {"envoyNodes": "publishing"},
    "services": [{"name": "web", "kind": "Pod"}],
}


class Cluster(Kubernetes):
    """The running stack."""

    def __init__(self, project: Project) -> None:
        super().__init__(CLUSTER)
        self.project = project
        self.file = project.folder / "stacks" / f"Pulumi.{STACK}.yaml"

    def up(self, encapsulation: str) -> str:
        """Brings the stack up, made anew if it runs with another encapsulation."""
        config = CONFIG | {"calico": {"encapsulation": encapsulation}}
        self.file.write_text(yaml.safe_dump({"config": {f"ingress-hops:{key}": of for key, of in config.items()}}))
        return self.project.up(STACK, "REPLACE=1")

    def move(self, node: str) -> None:
        """Makes the pod anew on a node."""
        pod = bare(self.get("pod", POD, "apps"))
        pod["spec"]["nodeName"] = node
        self.delete("pod", POD, "apps")
        self.apply("create", pod)
        until("the pod answers", self.well)

    def well(self) -> bool:
        statuses = [status(port) for port in PORTS.values()]
        return ready(self.get("pod", POD, "apps")) and statuses == [200, 200]

    def trace(self, port: int) -> dict[str, Any]:
        """A trace, without the advice about this machine's resolver."""
        words = [".venv/bin/hops", "trace", STACK, "--port", str(port), "--format", "json"]
        folder, environment = self.project.folder, self.project.environment
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        report["codes"] = [(one["hop"], one["code"]) for one in report["findings"] if one["code"] != "T79"]
        return report

    def route(self, node: str, to: str) -> str:
        """The route of a node to the pods of another one, as `ip route` takes it."""
        (line,) = [
            line
            for line in run("docker", "exec", to, "ip", "route", "show", "type", "blackhole").splitlines()
            if line.startswith("blackhole")
        ]
        return run("docker", "exec", node, "ip", "route", "show", line.split()[1]).strip()


def status(port: int) -> int:
    with suppress(AssertionError):
        return answer(f"curl --resolve web.localhost:{port}:127.0.0.1 http://web.localhost:{port}/")[0]
    return 0


@pytest.fixture(scope="module")
def cluster(project: Project) -> Iterator[Cluster]:
    assert containers(CLUSTER) == [], f"a cluster named {CLUSTER} is here already; these tests need that name"
    project.pulumi("stack", "init", STACK)
    running = Cluster(project)
    try:
        said = running.up("VXLAN")
        for port in PORTS.values():
            assert f"http://web.localhost:{port}/  is answered by its pod: 200" in said
        running.move(ALONE)
        yield running
    finally:
        project.down(STACK)
    assert containers(CLUSTER) == []


def test_envoy_runs_on_the_publishing_workers_alone(cluster: Cluster) -> None:
    envoys = cluster.list("pods", "projectcontour", "app=envoy")
    assert sorted(pod["spec"]["nodeName"] for pod in envoys) == [SECOND, THIRD]
    outputs = cluster.project.outputs(STACK)
    assert [(one["node"], one["url"]) for one in outputs["entrances"]] == [
        (THIRD, f"http://web.localhost:{PORTS[THIRD]}/")
    ]
    assert answer(outputs["entrances"][0]["curl"])[0] == answer(outputs["curl"])[0] == 200
    assert [one["source"] for one in outputs["betweenNodes"]] == [SECOND, THIRD]


@pytest.mark.parametrize("node", PORTS)
def test_a_pod_on_another_node_is_traced_by_each_publishing_worker(cluster: Cluster, node: str) -> None:
    report = cluster.trace(PORTS[node])
    assert (report["status"], report["codes"]) == (0, [])
    assert report["betweenNodes"] == [f"{node} -> {ALONE} dev {TUNNEL}, encapsulated as UDP 4789, MTU 1450"]
    assert report["hops"][1]["found"] == f"127.0.0.1:{PORTS[node]} -> {node}:80"
    (counted,) = [line for line in report["hops"][5]["evidence"] if line.startswith(f"{TUNNEL} of {node}")]
    assert "before and" in counted


Fault = Callable[[Cluster], Iterator[None]]


def dropped(_: Cluster) -> Iterator[None]:
    """Felix puts its own rules before this one again within 90 s."""
    rule = ("INPUT", "--protocol", "udp", "--dport", "4789", "--jump", "DROP")
    run("docker", "exec", ALONE, "iptables", "--insert", *rule)
    yield
    run("docker", "exec", ALONE, "iptables", "--delete", *rule)


def no_way_there(cluster: Cluster) -> Iterator[None]:
    yield from _without_route(cluster, SECOND, ALONE)


def no_way_back(cluster: Cluster) -> Iterator[None]:
    yield from _without_route(cluster, ALONE, SECOND)


def _without_route(cluster: Cluster, node: str, to: str) -> Iterator[None]:
    route = cluster.route(node, to).split()
    run("docker", "exec", node, "ip", "route", "delete", route[0])
    yield
    run("docker", "exec", node, "ip", "route", "replace", *route)


def low_uplink(_: Cluster) -> Iterator[None]:
    run("docker", "exec", ALONE, "ip", "link", "set", "eth0", "mtu", "600")
    yield
    run("docker", "exec", ALONE, "ip", "link", "set", "eth0", "mtu", "1500")


def reported(cluster: Cluster, inject: Fault) -> dict[str, Any]:
    """The trace of a fault, which is taken out again. One that Calico mends during the look is put in again."""
    for _ in range(3):
        with contextmanager(inject)(cluster):
            report = cluster.trace(PORTS[SECOND])
        until("the path is healed", cluster.well)
        if report["codes"]:
            break
    return report


@pytest.mark.parametrize(
    ("inject", "expected"),
    [
        (dropped, ("endpoint", "T84")),
        (no_way_there, ("endpoint", "T35")),
        (no_way_back, ("endpoint", "T35")),
        (low_uplink, ("endpoint", "T85")),
    ],
)
def test_a_fault_between_the_nodes_is_named_and_its_healed_twin_is_not(
    cluster: Cluster, inject: Fault, expected: tuple[str, str]
) -> None:
    report = reported(cluster, inject)
    assert report["codes"] == [expected]
    assert (report["first"] == 6) is (expected[1] != "T85")
    assert cluster.trace(PORTS[SECOND])["codes"] == []


def test_packets_between_nodes_of_one_subnet_need_no_tunnel(cluster: Cluster) -> None:
    cluster.up("VXLANCrossSubnet")
    cluster.move(ALONE)
    report = cluster.trace(PORTS[SECOND])
    assert (report["status"], report["codes"]) == (0, [])
    assert report["betweenNodes"] == [f"{SECOND} -> {ALONE} dev eth0, not encapsulated, MTU 1500"]
    assert reported(cluster, no_way_there)["codes"] == [("endpoint", "T35")]


def test_a_dead_node_is_named(cluster: Cluster) -> None:
    """Last, since Docker may give the node another address."""
    run("docker", "stop", "--time", "2", ALONE)
    report = cluster.trace(PORTS[SECOND])
    assert (report["first"], report["codes"]) == (7, [("pod", "T10")])
    run("docker", "stop", "--time", "2", THIRD)
    report = cluster.trace(PORTS[THIRD])
    assert (report["first"], report["codes"][0]) == (2, ("port-mapping", "T10"))
    cluster.project.up(STACK)
    until("the path is healed", cluster.well, 180)
    assert [cluster.trace(port)["status"] for port in PORTS.values()] == [0, 0]

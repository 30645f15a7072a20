"""Clusters with IPv6: each family of the cluster is a way in, and the trace follows the one that a client uses."""

import json
import shlex
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.live.faults.kubernetes import Kubernetes, until
from tests.project import Project, answer, containers

pytestmark = pytest.mark.long

STACK = "six"
CLUSTER = f"ingress-hops-{STACK}"
PORT = 8540
LOOPBACK = {4: "127.0.0.1", 6: "[::1]"}
FAMILIES: dict[str, tuple[int, ...]] = {"dual": (4, 6), "ipv6": (6,)}


class Cluster(Kubernetes):
    """The running stack."""

    def __init__(self, project: Project, family: str) -> None:
        super().__init__(CLUSTER)
        self.project = project
        self.families = FAMILIES[family]
        self.file = project.folder / "stacks" / f"Pulumi.{STACK}.yaml"
        self.config = {
            "cluster": {"ipFamily": family, "httpPort": PORT, "httpsPort": None},
            "services": [{"name": "web", "kind": "Pod"}],
        }

    def up(self) -> str:
        self.file.write_text(yaml.safe_dump({"config": {f"ingress-hops:{key}": of for key, of in self.config.items()}}))
        return self.project.up(STACK)

    def hops(self, *words: str) -> dict[str, Any]:
        """The JSON of a command about the stack."""
        command = [".venv/bin/hops", *words, "--format", "json"]
        folder, environment = self.project.folder, self.project.environment
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def trace(self) -> dict[str, Any]:
        """A trace, without the advice about this machine's resolver."""
        report = self.hops("trace", STACK)
        report["codes"] = [(one["hop"], one["code"]) for one in report["findings"] if one["code"] != "T79"]
        return report


def by_family(family: int) -> int:
    """The status of the answer to a request by one family."""
    address = f"web.localhost:{PORT}:{LOOPBACK[family]}"
    return answer(shlex.join(["curl", "--resolve", address, f"http://web.localhost:{PORT}/"]))[0]


@pytest.fixture(scope="module", params=FAMILIES)
def cluster(project: Project, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    assert containers(CLUSTER) == [], f"a cluster named {CLUSTER} is here already; these tests need that name"
    project.pulumi("stack", "init", STACK)
    running = Cluster(project, request.param)
    try:
        said = running.up()
        assert f"http://web.localhost:{PORT}/  is answered by its pod: 200" in said
        yield running
    finally:
        project.down(STACK)
        project.pulumi("stack", "rm", "--yes", STACK)
    assert containers(CLUSTER) == []


def test_each_family_of_the_cluster_is_a_way_in(cluster: Cluster) -> None:
    outputs = cluster.project.outputs(STACK)
    assert answer(outputs["curl"])[0] == 200
    # Envoy connects to the pod by each of its addresses in turn.
    assert [by_family(family) for family in cluster.families for _ in range(4)] == [200] * 4 * len(cluster.families)


def test_the_outputs_tell_the_addresses_of_each_family(cluster: Cluster) -> None:
    named = {hop["name"]: hop for hop in cluster.project.outputs(STACK)["hops"]}
    for name in ("host-port", "route", "service", "pod"):
        told = [named[name]["address"], *filter(None, [named[name]["details"].get("ipv6")])]
        assert [6 if ":" in address else 4 for address in told] == list(cluster.families), name
    if cluster.families == (6,):
        assert named["name"]["next"] == f"[::1]:{PORT}"


def test_an_unchanged_up_changes_nothing(cluster: Cluster) -> None:
    assert "no changes" in cluster.up()


def test_a_healthy_path_is_traced_well(cluster: Cluster) -> None:
    until("the trace finds nothing", lambda: cluster.trace()["codes"] == [])
    report = cluster.trace()
    assert report["status"] == 0

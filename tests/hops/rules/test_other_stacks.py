"""Who holds what of a machine: stack files and Docker's containers as claims."""

import re
from dataclasses import replace

import pytest

from hops.kubernetes.resources.claims import Fleet, NameClaim, PortClaim
from hops.model.preflight import ClusterState, DockerContainer, DockerDaemon, Machine
from hops.model.settings.stack_config import SettingsError
from hops.rules.files.stack_file_settings import stack_settings
from hops.rules.other_stacks import claims, declared, others, published

ALICE = b"""config:
  ingress-hops:cluster: {name: alice, listenAddress: 127.0.0.2, httpPort: 8090, httpsPort: 8490}
  ingress-hops:services: [{host: a.localhost}, {name: b, host: b.localhost}, {name: c, host: a.localhost, path: /c}]
"""
SHARED = b"config: {ingress-hops:cluster: {existing: office}, ingress-hops:services: [{host: a.office.example}]}"


def test_a_kind_stack_holds_its_ports_its_names_and_each_host_once() -> None:
    assert claims("alice", stack_settings("alice", ALICE)) == Fleet(
        (PortClaim("the stack alice", "127.0.0.2", 8090), PortClaim("the stack alice", "127.0.0.2", 8490)),
        (
            NameClaim("the stack alice", "cluster", "alice"),
            NameClaim("the stack alice", "context", "kind-alice"),
            NameClaim("the stack alice", "host", "a.localhost"),
            NameClaim("the stack alice", "host", "b.localhost"),
        ),
    )


def test_a_further_publishing_worker_holds_its_ports() -> None:
    further = ALICE.replace(
        b"httpsPort: 8490", b"httpsPort: 8490, workers: 2, alsoPublish: [{worker: 2, httpPort: 8091}]"
    )
    of = stack_settings("alice", further)
    assert [claim.port for claim in claims("alice", of).ports] == [8090, 8490, 8091]
    cluster = next(body for body, _ in declared(of) if body["kind"] == "Cluster")
    mapped = [[one["hostPort"] for one in node.get("extraPortMappings", ())] for node in cluster["nodes"]]
    assert mapped == [[], [8090, 8490], [8091]]


def test_a_port_that_is_off_is_not_held() -> None:
    off = stack_settings("alice", ALICE.replace(b"8490", b"null"))
    assert [claim.port for claim in claims("alice", off).ports] == [8090]


def test_a_stack_on_an_existing_cluster_holds_its_context_and_no_port() -> None:
    assert claims("dave", stack_settings("dave", SHARED)) == Fleet(
        (), (NameClaim("the stack dave", "context", "office"), NameClaim("the stack dave", "host", "a.office.example"))
    )


def test_a_stack_is_no_other_of_its_own() -> None:
    files = {"alice": ALICE, "dave": SHARED}
    assert others(files, "alice").fleet == claims("dave", stack_settings("dave", SHARED))
    assert {claim.holder for claim in others(files, "bob").fleet.names} == {"the stack alice", "the stack dave"}


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (b"[", "line 2, column 1: the text ends, and the bracket or brace before its end is not closed"),
        (b"\xff", "can't decode"),
        (b"- a", "it is not a stack file"),
        (b"config: [a]", "it is not a stack file"),
        (b"config: {ingress-hops:cluster: {httpPort: 0}}", "ingress-hops:cluster.httpPort is 0"),
        (b"config: {[a]: b}", "a key must be a string"),
        (b"[" * 5000, "nesting is deeper"),
        (
            b"config:\n  ingress-hops:services:\n    - name: web\nencryptionsalt: v1:x\n    - name: api\n",
            "line 5 stands below line 4, encryptionsalt, which is no part of config; move everything below",
        ),
        (b"config:\n  - a\n b: c\nencryptionsalt: v1:x\n", "line 3, column 2: "),
        (
            b"config: {}\ningress-hops:services: []\n",
            "ingress-hops:services stands beside the key config; move it with its lines",
        ),
    ],
)
def test_a_file_that_is_none_is_reported_and_hides_nobody_elses(file: bytes, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        stack_settings("broken", file)
    found = others({"alice": ALICE, "broken": file}, "bob")
    assert found.fleet == claims("alice", stack_settings("alice", ALICE))
    (sentence,) = found.unread
    assert sentence.startswith(
        "the ports and names of the stack broken are unknown, because stacks/Pulumi.broken.yaml is invalid: "
    )
    assert sentence.endswith(". Correct that file")
    assert said in sentence


def container(name: str, cluster: str | None, port: int) -> DockerContainer:
    return DockerContainer(name, cluster, "running", (), (("0.0.0.0", port),))


def test_docker_holds_what_it_publishes_but_for_the_stacks_own_cluster() -> None:
    containers = (container("registry", None, 5000), container("bob-worker", "bob", 8080))
    docker = DockerDaemon(
        "Linux", "linux", rootless=False, cgroup_version=2, memory=1, disk_free=1, containers=containers
    )
    machine = Machine(docker=docker)
    registry = PortClaim("the container registry", "0.0.0.0", 5000)
    assert published(machine, "bob", ClusterState(generation=1)) == Fleet((registry,))
    assert published(machine, "bob", ClusterState(foreign=True)) == Fleet(
        (registry, PortClaim("the container bob-worker", "0.0.0.0", 8080)),
        (NameClaim("a kind cluster of another owner", "cluster", "bob"),),
    )
    assert published(replace(machine, docker=None), "bob", ClusterState()) == Fleet()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('config: {a: !!int ""}', "line 1, column 13: '' is not a valid !!int"),
        ("a: &a [1]\nconfig: " + "[" * 300, "the nesting is deeper than"),
        ("a: &a {b: *a}", "an alias contains itself"),
    ],
)
def test_a_stack_file_that_cannot_be_built(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)):
        stack_settings("alice", text.encode())

"""Workload: pods that may do little, their Service, and who may send to them."""

from typing import Any

import pulumi
import pytest
from pulumi.runtime.rpc import UNKNOWN

from components import Workload, WorkloadArgs
from components.workload import ADDRESS, DIGEST
from tests.recording import Recording, run


def args(**changes: Any) -> WorkloadArgs:
    plain: Any = {
        "name": "my-service",
        "namespace": "apps",
        "pods": ("example-pod", "example-pod-2"),
        "selector": {"service": "example-pod"},
        "image": "python:3.13-slim",
        "command": ("python", "-m", "http.server", "8080"),
        "port": 8080,
        "admit_from": "projectcontour",
        "network": [],
    }
    whole: WorkloadArgs = plain | changes
    return whole


def recorded(**changes: Any) -> Recording:
    return run(lambda: Workload("web", args(**changes)), Recording())


def test_every_child_is_the_components() -> None:
    recording = recorded()
    component, *children = recording.resources
    assert (component.type, component.name) == ("ingress-hops:index:Workload", "web")
    assert component.inputs["port"] == 8080
    assert "network" not in component.inputs
    assert sorted(child.name for child in children) == [
        "apps/example-pod",
        "apps/example-pod",
        "apps/example-pod-2",
        "apps/my-service",
        "apps/my-service",
    ]
    assert all(child.parent == component.urn for child in children)
    assert all("ingress-hops:index:Workload$kubernetes:" in child.urn for child in children)
    assert component.urn in recording.registered


def test_pods_are_named_and_labelled_as_planned() -> None:
    pods = recorded().of("Pod")
    metadata = [dict(pod.inputs["metadata"]) for pod in pods]
    assert all(set(one.pop("annotations")) == {DIGEST, "pulumi.com/waitFor"} for one in metadata)
    assert metadata == [
        {"name": name, "namespace": "apps", "labels": {"service": "example-pod"}}
        for name in ("example-pod", "example-pod-2")
    ]
    for pod in pods:
        (container,) = pod.inputs["spec"]["containers"]
        assert container["image"] == "python:3.13-slim"
        assert container["command"] == ["python", "-m", "http.server", "8080"]
        assert container["ports"] == [{"containerPort": 8080, "name": "http"}]
        assert container["readinessProbe"]["tcpSocket"] == {"port": 8080}


def test_pods_may_do_little() -> None:
    spec = recorded().of("Pod")[0].inputs["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65534,
        "runAsGroup": 65534,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["automountServiceAccountToken"] is False
    assert spec["serviceAccountName"] == "example-pod"
    assert recorded().one("ServiceAccount").inputs["automountServiceAccountToken"] is False


def test_a_pod_goes_before_its_successor_comes() -> None:
    assert all(pod.request.deleteBeforeReplace for pod in recorded().of("Pod"))


def test_pods_wait_for_the_network() -> None:
    def program() -> None:
        Workload("web", args(network=[pulumi.CustomResource("test:index:Node", "node", {})]))

    recording = run(program, Recording())
    node = recording.one("Node").urn
    assert {r.type for r in recording.resources if node in r.request.dependencies} == {"kubernetes:core/v1:Pod"}


def test_pods_wait_for_their_account() -> None:
    recording = recorded()
    account = recording.one("ServiceAccount").urn
    assert all(account in pod.request.dependencies for pod in recording.of("Pod"))


def digest(**changes: Any) -> str:
    (value, *_) = {pod.inputs["metadata"]["annotations"][DIGEST] for pod in recorded(**changes).of("Pod")}
    return str(value)


@pytest.mark.parametrize(
    "change",
    [{"image": "python:3.12-slim"}, {"command": ("python", "-m", "http.server")}, {"port": 9000}, {"pods": ("other",)}],
)
def test_the_digest_changes_with_the_spec(change: dict[str, Any]) -> None:
    assert digest(**change) != digest()


def test_the_digest_is_of_the_spec_alone() -> None:
    assert digest(name="other", selector={"service": "x"}, cluster_ip="10.96.1.1", admit_from="x") == digest()


def test_a_living_pod_of_another_spec_has_an_unknown_digest() -> None:
    """Another one, or none, as an older version made it; a pod that stays, or does not exist yet, has a known one."""
    for living in ("0123456789abcdef", None):
        first, second = recorded(living={"example-pod": living}).of("Pod")
        assert first.inputs["metadata"]["annotations"][DIGEST] == UNKNOWN
        assert second.inputs["metadata"]["annotations"][DIGEST] == digest()
    same = recorded(living={"example-pod": digest(), "a stranger": "x"}).of("Pod")
    assert {pod.inputs["metadata"]["annotations"][DIGEST] for pod in same} == {digest()}


def test_the_replaced_pods_are_named() -> None:
    living = {"example-pod": "0", "example-pod-2": digest()}
    seen: list[str] = []

    def program() -> None:
        seen.extend(Workload("web", args(living=living)).replaced)

    run(program, Recording())
    assert seen == ["example-pod"]


@pytest.mark.parametrize(
    ("given", "condition"),
    [
        ({}, "condition=Ready"),
        ({"wait_for_ready": True}, "condition=Ready"),
        ({"wait_for_ready": False}, "jsonpath={.metadata.uid}"),
    ],
)
def test_what_a_pod_is_waited_for(given: dict[str, Any], condition: str) -> None:
    for pod in recorded(**given).of("Pod"):
        assert pod.inputs["metadata"]["annotations"]["pulumi.com/waitFor"] == condition
        assert "pulumi.com/skipAwait" not in pod.inputs["metadata"]["annotations"], "its end has to be waited for"
        assert pod.request.customTimeouts.create == "5m"


def test_a_renamed_component_keeps_the_resources_of_objects_that_stay() -> None:
    def urns(name: str) -> set[str]:
        recording = run(lambda: Workload(name, args()), Recording())
        return {resource.urn for resource in recording.resources if resource.type.startswith("kubernetes:")}

    assert urns("web") == urns("shop")


def test_children_are_found_under_their_earlier_names() -> None:
    recording = recorded()
    aliases = {alias.spec.name for r in recording.resources[1:] for alias in r.request.aliases} - {""}
    assert aliases == {"web-account", "web-example-pod", "web-example-pod-2", "web-service", "web-admission"}


def test_the_service_leads_to_the_pods() -> None:
    service = recorded().one("Service").inputs
    assert service["metadata"]["name"] == "my-service"
    assert service["spec"] == {
        "type": "ClusterIP",
        "selector": {"service": "example-pod"},
        "ports": [{"name": "http", "port": 8080, "targetPort": 8080}],
    }
    assert recorded(cluster_ip="10.96.106.9").one("Service").inputs["spec"]["clusterIP"] == "10.96.106.9"


@pytest.mark.parametrize(
    ("pinned", "now", "expected"),
    [
        (None, "10.96.1.1", None),
        ("10.96.1.1", None, "10.96.1.1"),
        ("10.96.1.1", "10.96.1.1", "10.96.1.1"),
        ("10.96.1.1", "10.96.2.2", UNKNOWN),
    ],
    ids=["any address", "new", "the same", "another"],
)
def test_a_service_whose_address_changes_says_so(pinned: str | None, now: str | None, expected: str | None) -> None:
    service = recorded(cluster_ip=pinned, living_address=now).one("Service")
    assert service.inputs["metadata"]["annotations"].get(ADDRESS) == expected


def test_only_the_door_may_send() -> None:
    assert recorded().one("NetworkPolicy").inputs["spec"] == {
        "podSelector": {"matchLabels": {"service": "example-pod"}},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "projectcontour"}}}],
                "ports": [{"port": 8080, "protocol": "TCP"}],
            }
        ],
    }


def test_two_workloads_live_side_by_side() -> None:
    def program() -> None:
        Workload("one", args())
        Workload("two", args(name="other", pods=("other-pod", "other-pod-2")))

    recording = run(program, Recording())
    assert len({resource.urn for resource in recording.resources}) == 12

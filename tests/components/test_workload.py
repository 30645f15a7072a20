"""Workload: pods that may do little, their Service, and who may send to them."""

from typing import Any

import pulumi

from components import Workload, WorkloadArgs
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
    assert sorted(child.name for child in children) == [
        "web-account",
        "web-admission",
        "web-example-pod",
        "web-example-pod-2",
        "web-service",
    ]
    assert all(child.parent == component.urn for child in children)
    assert all("ingress-hops:index:Workload$kubernetes:" in child.urn for child in children)
    assert component.urn in recording.registered


def test_pods_are_named_and_labelled_as_planned() -> None:
    pods = recorded().of("Pod")
    assert [pod.inputs["metadata"] for pod in pods] == [
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


def test_the_component_waits_for_what_it_depends_on() -> None:
    def program() -> None:
        node = pulumi.CustomResource("test:index:Node", "node", {})
        Workload("web", args(), pulumi.ResourceOptions(depends_on=[node]))

    recording = run(program, Recording())
    # Its children cannot be registered before it.
    assert recording.one("Node").urn in recording.one("Workload").request.dependencies


def test_the_service_leads_to_the_pods() -> None:
    service = recorded().one("Service").inputs
    assert service["metadata"]["name"] == "my-service"
    assert service["spec"] == {
        "type": "ClusterIP",
        "selector": {"service": "example-pod"},
        "ports": [{"name": "http", "port": 8080, "targetPort": 8080}],
    }
    assert recorded(cluster_ip="10.96.106.9").one("Service").inputs["spec"]["clusterIP"] == "10.96.106.9"


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
        Workload("two", args(name="other"))

    recording = run(program, Recording())
    assert len({resource.urn for resource in recording.resources}) == 12

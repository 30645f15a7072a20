"""Objects of published files: every one becomes a resource, and what is missing is reported."""

from typing import Any

import pulumi
import pytest

from components import upstream
from components.upstream import ManifestError, declare, find, from_registry, named
from tests.recording import Recording, run


def item(kind: str, name: str = "a", version: str = "v1") -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}}


class Parent(pulumi.ComponentResource):
    def __init__(self, objects: list[dict[str, Any]]) -> None:
        super().__init__("test:index:Parent", "parent")
        self.children = declare(objects, "parent", self, None)


def test_objects_become_resources_in_an_order_that_works() -> None:
    objects = [
        item("DaemonSet", version="apps/v1"),
        item("ConfigMap", "C"),
        item("Namespace"),
        item("ClusterRole", "r", "rbac.authorization.k8s.io/v1"),
    ]

    def program() -> None:
        parent = Parent(objects)
        assert len(parent.children) == 4

    recording = run(program, Recording())
    assert [(r.type, r.name) for r in recording.resources[1:]] == [
        ("kubernetes:core/v1:Namespace", "parent-namespace-a"),
        ("kubernetes:core/v1:ConfigMap", "parent-configmap-c"),
        ("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", "parent-clusterrole-r"),
        ("kubernetes:apps/v1:DaemonSet", "parent-daemonset-a"),
    ]
    namespace, settings, role, pods = recording.resources[1:]
    assert list(namespace.request.dependencies) == []
    assert list(settings.request.dependencies) == list(role.request.dependencies) == [namespace.urn]
    assert {namespace.urn, settings.urn, role.urn} <= set(pods.request.dependencies)
    assert [alias.spec.name for alias in pods.request.aliases] == ["daemonset-a"], "its name in older versions"
    assert settings.inputs == item("ConfigMap", "C")


def test_what_is_looked_for_and_missing_is_reported() -> None:
    objects = [item("ConfigMap")]
    assert find(objects, "ConfigMap", "a") is objects[0]
    with pytest.raises(ManifestError, match="holds no ConfigMap b: adapt the component"):
        find(objects, "ConfigMap", "b")
    with pytest.raises(ManifestError, match="no entry named b: adapt the component"):
        named([{"name": "a"}, {}], "b")


def test_images_come_from_another_registry() -> None:
    pod = {
        "initContainers": [{"image": "quay.io/calico/cni:v1"}],
        "containers": [{"image": "docker.io/a/b:c@sha256:d"}],
    }
    objects = [item("ConfigMap"), item("DaemonSet") | {"spec": {"template": {"spec": pod}}}]
    from_registry(objects, None)
    assert pod["initContainers"][0]["image"] == "quay.io/calico/cni:v1"
    from_registry(objects, "mirror.example:5000/hub")
    assert pod["initContainers"][0]["image"] == "mirror.example:5000/hub/calico/cni:v1"
    assert pod["containers"][0]["image"] == "mirror.example:5000/hub/a/b:c@sha256:d"


def test_a_starting_container_is_asked_every_second() -> None:
    container = {"name": "a", "readinessProbe": {"exec": {}, "initialDelaySeconds": 9, "periodSeconds": 10}}
    upstream.started_by_readiness(container)
    assert container["startupProbe"] == {"exec": {}, "periodSeconds": 1, "failureThreshold": 300}
    with pytest.raises(ManifestError, match="gives a no readinessProbe"):
        upstream.started_by_readiness({"name": "a"})

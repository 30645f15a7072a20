"""The pods of a Deployment, and how far its rollout is."""

from typing import Any

import pytest

from hops.kubernetes.resources.deployments import current_pods, rollout

LABELS = {"service": "web-pod"}
OWNER = [{"kind": "ReplicaSet", "name": "web-1", "controller": True}]


def deployment(replicas: int = 1, **status: Any) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"namespace": "apps", "name": "web", "generation": 2},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS, "annotations": {"ingress-hops/spec": "new"}}},
        },
        "status": {"observedGeneration": 2, **status},
    }


def pod(name: str = "web-1-a", digest: str = "new", ready: str = "True", **metadata: Any) -> dict[str, Any]:
    annotations = {"ingress-hops/spec": digest, "cni.projectcalico.org/podIP": "10.0.0.1"}
    whole = {"namespace": "apps", "name": name, "labels": {**LABELS, "pod-template-hash": "1"}}
    return {
        "kind": "Pod",
        "metadata": {**whole, "annotations": annotations, "ownerReferences": OWNER, **metadata},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]},
    }


@pytest.mark.parametrize(
    "other",
    [
        pod(digest="old"),
        pod(labels={"service": "api-pod"}),
        pod(namespace="shop"),
        pod(deletionTimestamp="2026-11-29T05:00:00Z"),
        pod(ownerReferences=[]),
    ],
    ids=["of the old version", "another service's", "another namespace's", "ending", "a bare pod"],
)
def test_only_living_pods_of_the_current_template_are_current(other: dict[str, Any]) -> None:
    assert current_pods(deployment(), [other]) == []
    assert current_pods(deployment(), [pod("b"), other, pod("a")]) == [pod("a"), pod("b")]


def ready(*given: Any) -> dict[str, bool]:
    return {name: state.ready for name, state in rollout("apps/web", *given).items()}


def test_a_rollout_has_ended_when_every_pod_of_the_current_template_is_ready() -> None:
    assert ready(deployment(), [pod("a"), pod("old", "old")]) == {"apps/a": True}
    assert ready(deployment(), [pod("a", ready="False"), pod("old", "old")]) == {"apps/a": False}
    assert ready(deployment(2), [pod("a"), pod("old", "old")]) == {"apps/a": True, "apps/web": False}
    assert ready(deployment(2), [pod("a", ready="False"), pod("old", "old")]) == {"apps/a": False}, "it waits for a"
    assert ready(deployment(0), []) == {}
    assert ready(None, []) == {"apps/web": False}


def test_a_change_that_the_controller_has_not_seen_is_not_rolled_out() -> None:
    assert ready(deployment(observedGeneration=1), [pod("a")]) == {"apps/web": False}
    assert rollout("apps/web", deployment(observedGeneration=1), [])["apps/web"].starting


def test_the_reason_why_no_pod_is_made_is_reported() -> None:
    why = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "violates PodSecurity"}
    state = rollout("apps/web", deployment(conditions=[why]), [])["apps/web"]
    assert (state.reason, state.message, state.failing) == ("FailedCreate", "violates PodSecurity", True)

"""Deployments and other workloads: how many pods they have, how they replace them, and how far they are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hops.kubernetes import objects
from hops.kubernetes.resources.pod_start import PodStart, pod_start
from hops.kubernetes.values import JSON, at, number, pairs, sequence, text


@dataclass(frozen=True)
class RolloutStrategy:
    """How a workload replaces its pods.

    type: such as `Recreate`; None if none is declared.
    surge, unavailable: `maxSurge` and `maxUnavailable` as declared, a number or a percentage; None if missing.
    """

    type: str | None
    surge: JSON
    unavailable: JSON


def replicas(workload: Mapping[str, JSON] | None) -> int | None:
    """How many pods a workload is to have; None where it does not say."""
    return number(at(dict(workload or {}), "spec", "replicas"))


def rollout_strategy(workload: Mapping[str, JSON]) -> RolloutStrategy:
    """The strategy of a Deployment, or the update strategy of a DaemonSet."""
    key = "strategy" if workload.get("kind") == "Deployment" else "updateStrategy"
    declared = at(dict(workload), "spec", key)
    rolling = at(declared, "rollingUpdate")
    return RolloutStrategy(text(at(declared, "type")), at(rolling, "maxSurge"), at(rolling, "maxUnavailable"))


def scaled(autoscaler: Mapping[str, JSON]) -> tuple[str, str] | None:
    """The kind and name of the workload that an autoscaler scales; None where it names none."""
    reference = at(dict(autoscaler), "spec", "scaleTargetRef")
    return (text(at(reference, "kind")) or "Deployment", text(at(reference, "name")) or "") if reference else None


def claim_names(stateful_set: Mapping[str, JSON]) -> frozenset[str]:
    """The names of the volumes that a StatefulSet claims for each of its pods."""
    claims = sequence(at(dict(stateful_set), "spec", "volumeClaimTemplates"))
    return frozenset(text(at(claim, "metadata", "name")) or "" for claim in claims)


def scheduled_nodes(daemon_set: Mapping[str, JSON]) -> int | None:
    """On how many nodes a DaemonSet is to have a pod; None where its status does not say."""
    return number(at(dict(daemon_set), "status", "desiredNumberScheduled"))


def current_pods(deployment: Mapping[str, JSON], pods: Iterable[Mapping[str, JSON]]) -> list[Mapping[str, JSON]]:
    """The pods that a Deployment made from its current template and that are not being deleted, by name.

    deployment: the Deployment. Its template has an annotation that changes with the pod's spec, as a Workload's has.
    pods: pods of the cluster.
    """
    labels = pairs(at(dict(deployment), "spec", "selector", "matchLabels")).items()
    annotations = pairs(at(dict(deployment), "spec", "template", "metadata", "annotations")).items()
    own = (
        pod
        for pod in pods
        if objects.namespace(pod) == objects.namespace(deployment)
        and labels <= objects.labels(pod).items()
        and annotations <= objects.annotations(pod).items()
        and (objects.controller(pod) or ("",))[0] == "ReplicaSet"
        and not objects.deleting(pod)
    )
    return sorted(own, key=objects.name)


def rollout(
    name: str, deployment: Mapping[str, JSON] | None, pods: Iterable[Mapping[str, JSON]]
) -> dict[str, PodStart]:
    """The state of each current pod of a Deployment, by NAMESPACE/NAME; under its own name that of a pod it lacks.

    name: NAMESPACE/NAME of the Deployment.
    deployment: the Deployment; None if it does not exist.
    pods: pods of the cluster.
    """
    if deployment is None:
        return {name: PodStart("missing")}
    body = dict(deployment)
    if (number(at(body, "status", "observedGeneration")) or 0) < (number(at(body, "metadata", "generation")) or 0):
        return {name: PodStart("Pending")}
    current = current_pods(deployment, pods)
    states = {objects.full_name(pod): pod_start(dict(pod)) for pod in current}
    # A pod that is not ready keeps the Deployment from making the next one.
    if all(state.ready for state in states.values()) and len(current) < (replicas(deployment) or 0):
        failure = objects.condition(deployment, "ReplicaFailure")
        said = (failure.reason, failure.message) if failure else ("", "")
        states[name] = PodStart("missing", reason=said[0], message=said[1])
    return states

"""KN08: the pods that a namespace's Pod Security level refuses."""

from collections.abc import Iterable, Iterator
from functools import partial

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.pod_security import ENFORCE, ENFORCE_VERSION, LEVELS, minor, refusals
from hops.kubernetes.resources.pods import Pod
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.schemas.catalogue import minor_of
from hops.kubernetes.values import (
    Undecidable,
    pointer,
)
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.rules.families.samples import ENVOY
from hops.rules.rule import Breach, NoParameters, Rule, Scope, kinds

_PSA = "https://kubernetes.io/docs/concepts/security/pod-security-admission/"


@partial(
    Rule,
    code="KN08",
    title="A namespace enforces a pod security level that its pods meet",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.STACK,
    of=kinds("Namespace"),
    hop=HopName.POD,
    why="Pod security admission rejects a pod that violates the namespace's level, but only after a successful "
    "preview: the DaemonSet exists and has no pods. Without the label, every pod is admitted. The rule evaluates the "
    "latest version of the standards, or that of the label enforce-version.",
    remedy="Set the label pod-security.kubernetes.io/enforce of the namespace to the strictest level that admits its "
    "pods.",
    references=(_PSA, "https://kubernetes.io/docs/concepts/security/pod-security-standards/"),
    bad="""
apiVersion: v1
kind: Namespace
metadata: {name: ingress, labels: {pod-security.kubernetes.io/enforce: baseline}}
---"""
    + ENVOY.replace("projectcontour", "ingress"),
    good="""
apiVersion: v1
kind: Namespace
metadata: {name: ingress, labels: {pod-security.kubernetes.io/enforce: privileged}}
---"""
    + ENVOY.replace("projectcontour", "ingress"),
)
def pod_security(namespace: Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    if namespace.vague:
        raise Undecidable
    here = inventory.pods_in(namespace.name)
    if not here:
        return
    labels = namespace.labels
    level, path = labels.get(ENFORCE), pointer("/metadata/labels", ENFORCE)
    version = minor(labels.get(ENFORCE_VERSION) or "latest")
    if version is None:
        yield Breach(
            pointer("/metadata/labels", ENFORCE_VERSION),
            f"{labels[ENFORCE_VERSION]} is not a version; the API server refuses the namespace.",
            remedy="Set the label to latest or to a minor version such as v1.34.",
        )
        return
    # An API server applies no standard that is newer than itself.
    version = min(version, minor_of(inventory.kubernetes))
    if not level:
        value = _strictest(here, version)
        yield Breach(
            "/metadata/labels",
            f"the namespace lacks the label {ENFORCE}.",
            ({"op": "add", "path": path, "value": value},)
            if namespace.holds("/metadata/labels")
            else ({"op": "add", "path": "/metadata/labels", "value": {ENFORCE: value}},),
            remedy=f"Set the label {ENFORCE} to {value}, the strictest level that admits its pods.",
        )
        return
    refused = [(pod, why) for pod in here for why in refusals(level, pod, version)]
    if level not in LEVELS:
        value = _strictest(here, version)
        yield Breach(
            path,
            f"level {level} does not exist; the API server refuses the namespace.",
            ({"op": "replace", "path": path, "value": value},),
            remedy=f"Set the label {ENFORCE} to {value}, the strictest level that admits its pods.",
        )
    elif refused:
        value = _strictest(here, version)
        # What another rule cannot report comes first.
        pod, why = min(refused, key=lambda one: (bool(one[1].pointer), not one[1].pointer.endswith("/host")))
        yield Breach(
            path,
            f"level {level} rejects {pod.resource}, which has {why.what}.",
            ({"op": "replace", "path": path, "value": value},),
            remedy=f"Change the pod spec, or set the label {ENFORCE} to {value}.",
            causes=() if not why.pointer else tuple((pod.resource, one.pointer) for pod, one in refused),
            names=(pod.resource, why.pointer) if why.pointer else None,
        )


def _strictest(here: Iterable[Pod], version: int) -> str:
    """The strictest level that refuses none of the pods."""
    refusing = [level for level in LEVELS for pod in here if any(True for _ in refusals(level, pod, version))]
    return next(level for level in LEVELS if level not in refusing)

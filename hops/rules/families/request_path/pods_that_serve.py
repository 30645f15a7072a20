"""RP02, RP03, RP04 and RP08: what keeps the pods behind a route from serving."""

import re
from collections.abc import Iterator
from functools import partial
from itertools import chain

from hops.kubernetes import objects
from hops.kubernetes.commands import loopback, server
from hops.kubernetes.controller.secrets import generated, made_secrets
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.deployments import replicas, scaled
from hops.kubernetes.resources.kind_nodes import clusters, nodes
from hops.kubernetes.resources.pods import Pod, PodContainer
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.routing.exposed import Exposed, exposed
from hops.kubernetes.routing.targets import home
from hops.kubernetes.values import (
    JSON,
    at,
    flag,
    mapping,
    matches,
    sequence,
    text,
)
from hops.model.finding import Level, Severity, label
from hops.model.hop import HopName
from hops.model.settings.setting_types import Section
from hops.rules.families.request_path.policies_on_path import tcp_targets
from hops.rules.families.samples import DEPLOYMENT, ROUTED
from hops.rules.rule import Breach, NoParameters, Rule, Scope


@partial(
    Rule,
    code="RP02",
    title="The command of an exposed container does not listen on loopback only",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=exposed,
    hop=HopName.POD,
    why="A process that listens on 127.0.0.1 or localhost accepts connections of its own pod only. Envoy connects to "
    "the pod's address, the connection is refused, and Envoy returns 503. Development servers such as uvicorn, "
    "`flask run` and `manage.py runserver` listen on 127.0.0.1 if nothing else is given.",
    remedy="Let the command listen on 0.0.0.0.",
    references=("https://kubernetes.io/docs/concepts/workloads/pods/#pod-networking",),
    bad=DEPLOYMENT.replace("image: web", 'image: web, command: [python, -m, http.server, "8080", --bind, 127.0.0.1]')
    + ROUTED,
    good=DEPLOYMENT.replace("image: web", 'image: web, command: [python, -m, http.server, "8080", --bind, 0.0.0.0]')
    + ROUTED,
)
def reachable(subject: Exposed, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    pod = subject.pod
    lasting = [container for container in pod.containers if container.lasting]
    for container in lasting:
        given = loopback(container)
        if not given or not (len(lasting) == 1 or _is_target(container, pod, inventory)):
            continue
        key = "args" if container.body.get("args") else "command"
        yield Breach(
            f"{container.pointer}/{key}",
            f"container {container.name} listens on {given}, so connections of {subject.by} are refused.",
            evidence=given,
        )


def _is_target(container: PodContainer, pod: Pod, inventory: Inventory) -> bool:
    """Whether a Service or a hostPort leads to a port of a container."""
    own = {server(container).port, *(port.container_port for port in container.ports)}
    services = (service for alike in inventory.services_of(pod) for service in alike)
    aimed = {target for service in services for target in tcp_targets(service, pod)}
    return bool(own & aimed) or any(port.host_port for port in container.ports)


@partial(
    Rule,
    code="RP03",
    title="A route leads to a workload that can have a pod",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=exposed,
    hop=HopName.ENDPOINT,
    why="A workload with 0 replicas, or whose pods no declared node can run, has no endpoints: Envoy returns 503. The "
    "rule does not apply if an autoscaler is declared for the workload, or if a Service has other pods.",
    remedy="Set `spec.replicas` to 1 or more, and nodeSelector to labels of a declared node.",
    references=("https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#replicas",),
    bad=DEPLOYMENT.replace("spec:\n  selector", "spec:\n  replicas: 0\n  selector") + ROUTED,
    good=DEPLOYMENT.replace("spec:\n  selector", "spec:\n  replicas: 1\n  selector") + ROUTED,
)
def runs(subject: Exposed, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    pod = subject.pod
    beside = [other for alike in inventory.services_of(pod) for other in inventory.pods_of(alike[0])]
    if any(not _scaled_to_zero(other, inventory) and not _unplaced(other, inventory) for other in beside or [pod]):
        return
    if _scaled_to_zero(pod, inventory):
        yield Breach("/spec/replicas", f"{subject.by} leads to the workload, which has 0 replicas.", absence=True)
    elif (reason := _unplaced(pod, inventory)) and not pod.host_ports:
        path = f"{pod.pointer}/{'nodeSelector' if at(pod.spec, 'nodeSelector') else 'affinity'}"
        yield Breach(path, f"no node of the declared cluster can run the pod: {reason}.", absence=True)


def _scaled_to_zero(pod: Pod, inventory: Inventory) -> bool:
    kind, body = pod.resource.kind, pod.resource.body
    if kind not in ("Deployment", "ReplicaSet", "ReplicationController", "Rollout", "StatefulSet"):
        return False
    return replicas(body) == 0 and str(pod.resource) not in inventory.once(_autoscaled)


def _autoscaled(inventory: Inventory) -> frozenset[str]:
    """The workloads that a declared autoscaler scales."""
    return frozenset(
        label(workload[0], resource.namespace, workload[1])
        for resource in inventory.of_kind("HorizontalPodAutoscaler", "ScaledObject", "HTTPScaledObject")
        if (workload := scaled(resource.body))
    )


def _unplaced(pod: Pod, inventory: Inventory) -> str:
    """Why no declared node can run a pod, as a clause; "" if one can, or if no cluster is declared."""
    if not (at(pod.spec, "nodeSelector") or at(pod.spec, "affinity") or at(pod.spec, "nodeName")):
        return ""
    reasons = [node.refuses(pod) for _, node in nodes(inventory)]
    return (reasons[-1] or "") if reasons and all(reasons) else ""


class Given(Section):
    """Parameters of RP04.

    given: objects that exist outside the stack, as patterns Kind/namespace/name.
    """

    given: tuple[str, ...] = ("ConfigMap/*/kube-root-ca.crt", "ConfigMap/*/openshift-service-ca.crt")


@partial(
    Rule,
    code="RP04",
    title="The ConfigMaps, Secrets and volume claims of an exposed pod exist",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=exposed,
    hop=HopName.POD,
    parameters=Given,
    why="The kubelet does not start a container whose ConfigMap, Secret or key does not exist, and the scheduler does "
    "not place a pod whose PersistentVolumeClaim does not exist. The pod never becomes ready, and Envoy returns 503.",
    remedy="Declare the object, correct its name, set `optional: true`, or add the object to the parameter `given` of "
    "RP04 if it exists outside the stack.",
    references=("https://kubernetes.io/docs/tasks/configure-pod-container/configure-pod-configmap/",),
    bad=DEPLOYMENT.replace("image: web", "image: web, envFrom: [{configMapRef: {name: settings}}]") + ROUTED,
    good=DEPLOYMENT.replace("image: web", "image: web, envFrom: [{configMapRef: {name: settings}}]")
    + ROUTED
    + "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: apps}, data: {key: value}}",
)
def complete(subject: Exposed, inventory: Inventory, parameters: Given) -> Iterator[Breach]:
    seen: set[str] = set()
    namespace = home(subject.resource)
    for kind, reference, key, path in _references(subject.pod):
        name = text(at(reference, "name")) or text(at(reference, "secretName")) or text(at(reference, "claimName"))
        if not name or flag(at(reference, "optional")):
            continue
        shown = label(kind, namespace, name)
        if any(matches(pattern, shown) for pattern in parameters.given) or shown in seen:
            continue
        found = inventory.find(kind, namespace, name)
        if found is None:
            if kind == "Secret" and (namespace, name) in inventory.once(made_secrets):
                continue
            if (kind, name) in inventory.once(generated):
                continue
            if (kind, namespace, _RANDOM.sub("", name)) in inventory.once(_named_by_pulumi):
                continue
            seen.add(shown)
            yield Breach(
                path, f"{kind} {name} {inventory.lacks} in namespace {namespace}.", absence=True, evidence=name
            )
        elif key and (keys := _keys(found)) and key not in keys:
            yield Breach(path, f"{found} has no key {key}.", evidence=key)


_RANDOM = re.compile(r"-[0-9a-f]{8}$")


def _named_by_pulumi(inventory: Inventory) -> frozenset[tuple[str, str | None, str]]:
    """Objects whose names Pulumi ends at random: kind, namespace, and the name without that ending.

    A preview that replaces such an object shows it by its old name, and what refers to it by the new one.
    """
    return frozenset(
        (kind, home(resource), _RANDOM.sub("", objects.name(resource.body)))
        for kind in ("ConfigMap", "Secret")
        for resource in inventory.of_kind(kind)
        if resource.annotations.get("pulumi.com/autonamed") == "true"
    )


def _keys(resource: Resource) -> frozenset[str]:
    """The keys of a ConfigMap or Secret."""
    return frozenset(chain(*(mapping(resource.body.get(part)) for part in ("data", "binaryData", "stringData"))))


_SOURCES = (("ConfigMap", "configMap"), ("Secret", "secret"))
_Reference = tuple[str, JSON, str, str]


def _references(pod: Pod) -> Iterator[_Reference]:
    """The objects that a pod requires to start: kind, reference, key and JSON pointer."""
    for container in pod.containers:
        for i, entry in enumerate(sequence(container.body.get("envFrom"))):
            for kind, key in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
                yield kind, at(entry, key), "", f"{container.pointer}/envFrom/{i}/{key}/name"
        for i, entry in enumerate(sequence(container.body.get("env"))):
            for kind, key in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
                reference = at(entry, "valueFrom", key)
                path = f"{container.pointer}/env/{i}/valueFrom/{key}/name"
                yield kind, reference, text(at(reference, "key")) or "", path
    yield from _volumes(pod)


def _volumes(pod: Pod) -> Iterator[_Reference]:
    for i, volume in enumerate(sequence(at(pod.spec, "volumes"))):
        base = f"{pod.pointer}/volumes/{i}"
        yield from _mounted("ConfigMap", at(volume, "configMap"), f"{base}/configMap", "name")
        yield from _mounted("Secret", at(volume, "secret"), f"{base}/secret", "secretName")
        claim = at(volume, "persistentVolumeClaim")
        yield "PersistentVolumeClaim", claim, "", f"{base}/persistentVolumeClaim/claimName"
        for j, source in enumerate(sequence(at(volume, "projected", "sources"))):
            for kind, key in _SOURCES:
                yield from _mounted(kind, at(source, key), f"{base}/projected/sources/{j}/{key}", "name")


def _mounted(kind: str, source: JSON, base: str, name: str) -> Iterator[_Reference]:
    """A ConfigMap or Secret of a volume, and the keys of it that the volume requires."""
    yield kind, source, "", f"{base}/{name}"
    for index, item in enumerate(sequence(at(source, "items"))):
        yield kind, source, text(at(item, "key")) or "", f"{base}/items/{index}/key"


@partial(
    Rule,
    code="RP08",
    title="A kind node uses an image that was loaded into it",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    scope=Scope.STACK,
    of=exposed,
    hop=HopName.POD,
    why="`kind load docker-image` copies an image into the nodes. With imagePullPolicy Always, the default for the tag "
    "latest, the kubelet asks the registry all the same and never uses the copy: a local image without a registry is "
    "not found. The rule applies to images without a registry and a path.",
    remedy="Give the image another tag, or set imagePullPolicy to IfNotPresent.",
    references=("https://kind.sigs.k8s.io/docs/user/quick-start/#loading-an-image-into-your-cluster",),
    bad=DEPLOYMENT.replace("image: web", 'image: "web:latest", imagePullPolicy: Always') + ROUTED,
    good=DEPLOYMENT.replace("image: web", 'image: "web:latest", imagePullPolicy: IfNotPresent') + ROUTED,
)
def loaded(subject: Exposed, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    for container in subject.pod.containers:
        image = text(container.body.get("image"))
        policy = text(container.body.get("imagePullPolicy"))
        if not image or "/" in image or "@" in image:
            continue
        latest = image.partition(":")[2] in ("", "latest")
        always = policy == "Always" or (policy is None and bool(inventory.once(clusters)))
        if latest and always:
            given = "imagePullPolicy is Always" if policy else "imagePullPolicy defaults to Always"
            yield Breach(
                f"{container.pointer}/imagePullPolicy",
                f"container {container.name} has image {image}, and {given}, so a loaded image is not used.",
                evidence=image,
            )

"""AP: what the API server refuses, before any other rule judges."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from hops.kubernetes import objects
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.deployments import claim_names
from hops.kubernetes.resources.kind_nodes import clusters
from hops.kubernetes.resources.pods import Pod
from hops.kubernetes.resources.resource import GATEWAY_GROUP, Resource
from hops.kubernetes.resources.services import DeclaredService, declared_service
from hops.kubernetes.schemas.bounds import name_of
from hops.kubernetes.schemas.catalogue import Catalogue, catalogue, known_versions, minor_of, versions_with
from hops.kubernetes.schemas.expressions import ill_expressed
from hops.kubernetes.schemas.refusals import Fault, Refusal, nearest, refusals
from hops.kubernetes.schemas.removed import REMOVED
from hops.kubernetes.validation.refused_values import refused_values
from hops.kubernetes.values import UNKNOWN, Undecidable, at, pointer, sequence, steps, text, texts
from hops.model.finding import Level, Severity
from hops.rules.rule import Breach, NoParameters, Rule, Scope

_DEPRECATED = "https://kubernetes.io/docs/reference/using-api/deprecation-guide/"
_REFERENCE = "https://kubernetes.io/docs/reference/kubernetes-api/"
_NAMES = "https://kubernetes.io/docs/concepts/overview/working-with-objects/names/"

_NO_CEL = (
    "Beside those of Gateway API's Gateways and routes, which AP04 knows, the AP rules do not evaluate the CEL "
    "expressions (x-kubernetes-validations) of CustomResourceDefinitions."
)

REFUSED = "AP"
"""The family's letters. A finding of another rule about a value that the API server refuses yields to the refusal."""

# Objects of the core group's version that are no objects of the API: files of kubectl and answers of the server.
_NOT_OF_THE_API = frozenset({"APIGroup", "APIResourceList", "APIVersions", "Config", "DeleteOptions", "List", "Status"})
_MOVED: Mapping[str, Mapping[str, str]] = {
    "networking.k8s.io/v1 Ingress": {
        "serviceName": "service.name",
        "servicePort": "service.port.number (or service.port.name)",
        "backend": "defaultBackend",
    },
    "autoscaling/v2 HorizontalPodAutoscaler": {"targetCPUUtilizationPercentage": "metrics"},
}
_SUCCESSOR_NEEDS: Mapping[str, str] = {
    "networking.k8s.io/v1 Ingress": "There, backend.serviceName is backend.service.name, backend.servicePort is "
    "backend.service.port.number, spec.backend is spec.defaultBackend, and every path has a pathType.",
    "projectcontour.io/v1 HTTPProxy": "There, a route's match is conditions: [{prefix: …}], and delegate is includes.",
}
_NODE_PORTS = (30000, 32767)
_RESTARTS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("DaemonSet", "Deployment", "ReplicaSet", "ReplicationController", "StatefulSet"), ("Always",)),
    **dict.fromkeys(("CronJob", "Job"), ("OnFailure", "Never")),
}


@dataclass(frozen=True, slots=True, eq=False)
class Refused:
    """An object that the API server refuses, with its reasons."""

    resource: Resource
    refusals: Sequence[Refusal]


def _refused(inventory: Inventory) -> Mapping[Fault, Sequence[Refused]]:
    """The refused objects by kind of refusal."""
    version = inventory.kubernetes
    # A node image may be newer than the newest known version.
    known = catalogue(version if version in known_versions() else known_versions()[-1])
    found: dict[Fault, list[Refused]] = defaultdict(list)
    node_ports = _node_ports(inventory)
    pods = {pod.resource: pod for pod in inventory.pods}
    for resource in inventory.resources:
        body = resource.body
        if any(body.get(key) is UNKNOWN for key in ("apiVersion", "kind", "metadata")):
            continue
        reasons = list(_reasons(resource, known))
        beyond = _beyond(resource, pods.get(resource), known, node_ports)
        reasons += [reason for reason in beyond if not _refused_already(reason.path, reasons)]
        for fault in Fault if reasons else ():
            of_fault = [reason for reason in reasons if reason.fault is fault]
            if of_fault:
                found[fault].append(Refused(resource, of_fault))
    return found


def _refused_already(path: str, reasons: Sequence[Refusal]) -> bool:
    """Whether the schema refuses the value, a part of it, or an unknown field beside it that may stand for it."""
    beside = path.rpartition("/")[0]
    return any(
        reason.path == path
        or (reason.fault in (Fault.FIELD, Fault.TYPE) and reason.path.startswith(f"{path}/"))
        or (reason.fault is Fault.FIELD and reason.path.rpartition("/")[0] == beside)
        for reason in reasons
    )


def _of(fault: Fault, inventory: Inventory) -> Sequence[Refused]:
    return inventory.once(_refused).get(fault, ())


def _breaches(subject: Refused, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    for refusal in subject.refusals:
        yield Breach(refusal.path, refusal.message, refusal.patch, remedy=refusal.remedy)


_ap01, _ap02, _ap03, _ap04 = (partial(_of, fault) for fault in Fault)

_SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: apps}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
"""
_INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: apps}
spec:
  rules:
  - host: web.localhost
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}
"""
_ANNOTATED = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: apps, annotations: {example.com/checked: "true"}}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
"""

served = Rule(
    _breaches,
    code="AP01",
    title="The API server has the object's version and kind",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=_ap01,
    why="Each version of Kubernetes serves a fixed set of API versions. An object of a removed version, or of a kind "
    "that is misspelled, is refused with `no matches for kind`, and nothing of it is created. "
    f"{_NO_CEL}",
    remedy="Change apiVersion and kind to ones that the API server has.",
    references=(_DEPRECATED,),
    bad="""
apiVersion: networking.k8s.io/v1beta1
kind: Ingress
metadata: {name: web, namespace: apps}
spec:
  rules:
  - host: web.localhost
    http: {paths: [{path: /, pathType: Prefix, backend: {serviceName: web, servicePort: http}}]}
""",
    good=_INGRESS,
)

fields = Rule(
    _breaches,
    code="AP02",
    title="An object has only fields that its kind has",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=_ap02,
    why="kubectl asks the API server to refuse unknown fields. Other clients do not, and the server drops the field: "
    "the object is created without what the misspelled or misplaced field was to configure. "
    f"{_NO_CEL}",
    remedy="Correct the name of the field, or move it to its place.",
    references=("https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation", _REFERENCE),
    bad=_SERVICE.replace("selector:", "selectors:"),
    good=_SERVICE,
)

types = Rule(
    _breaches,
    code="AP03",
    title="Every value has the type of its field",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=_ap03,
    why="YAML reads 8080, true and 1.10 as a number, a boolean and the number 1.1. Labels, annotations, selectors and "
    "the values of variables are strings, and the API server refuses the object. "
    f"{_NO_CEL}",
    remedy="Write the value in the type of the field; put a string that looks like a number or boolean in quotes.",
    references=(_REFERENCE,),
    bad=_ANNOTATED.replace('"true"', "true"),
    good=_ANNOTATED,
)

values = Rule(
    _breaches,
    code="AP04",
    title="Every value is one that the API server accepts",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=_ap04,
    why="The API server refuses an object whose required field is missing, whose port, name or quantity is out of "
    "bounds, whose list has two entries of one name, or whose fields contradict each other: a request above its limit, "
    "two handlers in a probe, a Service with several ports of which one has no name. For the kinds of Contour, Gateway "
    "API and Calico it applies the patterns and enumerations of their CustomResourceDefinitions, and for Gateways and "
    "their routes the conditions on several fields. The rule does not evaluate the other CEL expressions "
    "(x-kubernetes-validations), and it accepts the fields of Gateway API's experimental channel.",
    remedy="Correct the value that the message names.",
    references=(_NAMES, "https://kubernetes.io/docs/concepts/services-networking/service/#type-nodeport"),
    bad=_SERVICE.replace("port: 80,", "port: 80000,"),
    good=_SERVICE,
)


def _reasons(resource: Resource, known: Catalogue) -> Iterator[Refusal]:
    body = resource.body
    version, kind = body.get("apiVersion"), body.get("kind")
    if not isinstance(version, str) or not version or not isinstance(kind, str) or not kind:
        yield from _unnamed(body, version, kind, known)
        return
    validator = known.validator(version, kind)
    if validator:
        yield from refusals(validator, body, _MOVED.get(f"{version} {kind}"))
    else:
        yield from _unserved(body, version, kind, known)


def _unnamed(body: Mapping[str, Any], version: Any, kind: Any, known: Catalogue) -> Iterator[Refusal]:
    """An object without kind, or a known kind without apiVersion; other YAML is no object."""
    if isinstance(kind, str) and kind in known.versions_of and objects.described(body):
        right = known.versions_of[kind][0]
        yield Refusal(
            Fault.VERSION,
            "/apiVersion",
            "the object has no apiVersion." if version is None else _no_text("apiVersion", version),
            f"Set apiVersion to {right}.",
            ({"op": "add", "path": "/apiVersion", "value": right},) if version is None else (),
        )
    elif kind and not isinstance(kind, str) and "apiVersion" in body:
        yield Refusal(Fault.VERSION, "/kind", _no_text("kind", kind), "Write the name of one kind.")
    elif isinstance(version, str) and version.rpartition("/")[0] in known.groups and objects.described(body):
        yield Refusal(Fault.VERSION, "/kind", "the object has no kind.", f"Set kind to one of {version}.")


def _no_text(key: str, value: Any) -> str:
    shown = "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else json.dumps(value)
    return f"{key} is {shown}; it must be a string."


def _unserved(body: Mapping[str, Any], version: str, kind: str, known: Catalogue) -> Iterator[Refusal]:
    """The refusal of a kind that the API server lacks, where that is certain."""
    if kind.endswith("List") and version.rpartition("/")[0] in known.groups:
        yield from _ill_listed(kind, body.get("items"))
    if kind in _NOT_OF_THE_API or kind.endswith("List"):
        return
    with_it = versions_with(version, kind)
    removed_by, successor = REMOVED.get(f"{version} {kind}", ("", ""))
    group, _, number_ = version.rpartition("/")
    others = known.versions_of.get(kind, ())
    same_group = [other for other in others if other.rpartition("/")[0] == group]
    # A preview's own resources have the version `pulumi`. The group of a custom kind has a dot.
    nobodys = bool(others) and (group == "k8s.io" or "." not in group)
    ours = (group in known.groups or nobodys) and re.match(r"v\d", number_) is not None
    if with_it and minor_of(with_it[-1]) > minor_of(known.version):
        message = f"{version} {kind} exists since Kubernetes {with_it[0]}, not in {known.version}."
    elif with_it:
        message = f"Kubernetes 1.{minor_of(with_it[-1]) + 1} removed {version} {kind}."
    elif removed_by:
        message = f"{removed_by} removed {version} {kind}."
    elif ours:
        message = f"Kubernetes {known.version} has no {kind} in {version}."
    elif same_group:
        message = f"the CustomResourceDefinitions of {group} have no {kind} in {version}."
    else:
        return
    successor = successor or next((f"{other} {kind}" for other in (*same_group, *others)), "")
    if not successor and (ours or removed_by):
        near = nearest(kind, _kinds_of(version, known)) or nearest(kind, known.versions_of)
        versions = known.versions_of.get(near or "", ())
        successor = f"{version if version in versions else versions[0]} {near}" if versions else ""
    yield _renamed(body, message, (version, kind), successor, known)


def _ill_listed(kind: str, items: Any) -> Iterator[Refusal]:
    if isinstance(items, list):
        for index, item in enumerate(items):
            if item is not UNKNOWN and not isinstance(item, dict):
                shown = "a list" if isinstance(item, list) else json.dumps(item, ensure_ascii=False)[:60]
                message = f"items[{index}] of the {kind} is {shown}; it must be an object."
                yield Refusal(Fault.TYPE, f"/items/{index}", message, "Write an object with apiVersion and kind.")
    elif items is not None and items is not UNKNOWN:
        message = f"items of the {kind} is {'a mapping' if isinstance(items, dict) else 'no list'}; it must be a list."
        yield Refusal(Fault.TYPE, "/items", message, "Write each object as an entry of a list.")


def _kinds_of(version: str, known: Catalogue) -> list[str]:
    return [kind for kind, versions in known.versions_of.items() if version in versions]


def _renamed(
    body: Mapping[str, Any], message: str, given: tuple[str, str], successor: str, known: Catalogue
) -> Refusal:
    """A refusal whose patch changes apiVersion and kind, if the object is then accepted."""
    path = "/apiVersion"
    if not successor:
        return Refusal(Fault.VERSION, path, message, "Remove the object; it has no successor.")
    version, kind = successor.split()
    validator = known.validator(version, kind)
    mended = {**body, "apiVersion": version, "kind": kind}
    changes = tuple(
        {"op": "replace", "path": f"/{key}", "value": value}
        for key, value, old in (("apiVersion", version, given[0]), ("kind", kind, given[1]))
        if value != old
    )
    if version == given[0]:
        path = "/kind"
    remedy = f"Use {successor if kind != given[1] else version}. {_SUCCESSOR_NEEDS.get(successor, '')}".strip()
    return Refusal(
        Fault.VERSION, path, message, remedy, changes if validator and not refusals(validator, mended) else ()
    )


def _node_ports(inventory: Inventory) -> tuple[int, int]:
    """The range of NodePorts: that of a declared kind cluster's kubeadm patches, otherwise Kubernetes' default."""
    for cluster in inventory.once(clusters):
        for patch in texts(cluster.resource.body.get("kubeadmConfigPatches")):
            found = (
                re.search(r"service-node-port-range\W+(?:value\W+)?(\d+)-(\d+)", patch)
                if patch is not UNKNOWN
                else None
            )
            if found:
                return int(found[1]), int(found[2])
    return _NODE_PORTS


def _beyond(resource: Resource, pod: Pod | None, known: Catalogue, node_ports: tuple[int, int]) -> Iterator[Refusal]:
    """What the API server refuses beyond the schema of the kind. An unknown value is accepted."""
    kind = resource.body.get("kind")
    if not isinstance(kind, str) or not known.validator(resource.api_version, kind):
        return
    checks = [_named(resource, known), refused_values(resource, pod, minor_of(known.version))]
    if resource.api_version.startswith(f"{GATEWAY_GROUP}/"):
        checks.append(ill_expressed(resource.kind, resource.body))
    if f"{resource.api_version} {resource.kind}" in known.served:
        checks += [_service(declared_service(resource), node_ports)] if resource.kind == "Service" else []
        checks += [_pod(resource, pod)] if pod else []
    for check in checks:
        with suppress(Undecidable):
            yield from check


def _named(resource: Resource, known: Catalogue) -> Iterator[Refusal]:
    name = objects.name(resource.body)
    if objects.nameless(resource.body):
        yield Refusal(Fault.VALUE, "/metadata/name", "the object has no name.", "Set metadata.name.")
    elif name:
        bound = name_of(resource.kind, minor_of(known.version))
        if not re.search(bound["pattern"], name) or len(name) > bound.get("maxLength", 253):
            yield Refusal(
                Fault.VALUE,
                "/metadata/name",
                f"metadata.name is {name[:80]!r}, which is not {bound['title'].partition(':')[0]}.",
                f"Write {bound['title']}.",
            )


def _service(service: DeclaredService, node_ports: tuple[int, int]) -> Iterator[Refusal]:
    kind = service.type
    seen: set[tuple[int | None, str]] = set()
    for port in service.ports:
        base, index = port.pointer, steps(port.pointer)[-1]
        node_port, first, last = port.node_port, *node_ports
        if node_port and kind in ("ClusterIP", "ExternalName"):
            yield Refusal(
                Fault.VALUE,
                f"{base}/nodePort",
                f"spec.ports[{index}].nodePort is {node_port}, and the Service has type {kind}, which has no nodePort.",
                "Remove nodePort, or set spec.type to NodePort.",
                ({"op": "remove", "path": f"{base}/nodePort"},),
            )
        elif node_port and not first <= node_port <= last:
            yield Refusal(
                Fault.VALUE,
                f"{base}/nodePort",
                f"spec.ports[{index}].nodePort is {node_port}, which is outside the range {first} to {last}.",
                f"Write a nodePort from {first} to {last}, or remove it; it is no port of the machine.",
            )
        claim = port.port, port.protocol
        if claim[0] and claim in seen:
            yield Refusal(
                Fault.VALUE,
                f"{base}/port",
                f"spec.ports has port {claim[0]}/{claim[1]} twice.",
                "Remove one of the entries, or change its port.",
            )
        seen.add(claim)


def _pod(resource: Resource, pod: Pod) -> Iterator[Refusal]:
    yield from _twice((c.pointer, c.name) for c in pod.containers if c.name)
    volumes = [
        (pointer(pod.pointer, "volumes", index), text(at(volume, "name")) or "")
        for index, volume in enumerate(sequence(pod.spec.get("volumes")))
    ]
    yield from _twice(volumes)
    names = {name for _, name in volumes}
    names |= claim_names(resource.body)
    for container in pod.containers:
        if container.body.get("image") is None:
            yield Refusal(
                Fault.VALUE,
                f"{container.pointer}/image",
                f"container {container.name} has no image.",
                f"Set image of container {container.name}.",
            )
        for index, mount in enumerate(sequence(container.body.get("volumeMounts"))):
            name = text(at(mount, "name"))
            if name and name not in names:
                yield Refusal(
                    Fault.VALUE,
                    f"{container.pointer}/volumeMounts/{index}/name",
                    f"container {container.name} mounts volume {name}, which the pod does not have.",
                    _near_volume(name, names),
                )
    allowed = _RESTARTS.get(resource.kind)
    given = text(pod.spec.get("restartPolicy")) or "Always"
    if allowed and given not in allowed:
        yield Refusal(
            Fault.VALUE,
            f"{pod.pointer}/restartPolicy",
            f"restartPolicy of a {resource.kind} is {given}, which is not {' or '.join(allowed)}.",
            f"Set restartPolicy to {' or '.join(allowed)}.",
        )


def _near_volume(name: str, names: Iterable[str]) -> str:
    near = nearest(name, sorted(names))
    return f"Write {near}." if near else f"Add volume {name} to the pod's volumes."


def _twice(named: Iterable[tuple[str, str]]) -> Iterator[Refusal]:
    seen: set[str] = set()
    for base, name in named:
        if name in seen:
            what = "volumes" if "/volumes/" in base else "containers"
            yield Refusal(
                Fault.VALUE, f"{base}/name", f"two {what} of the pod have the name {name}.", "Change one of the names."
            )
        seen.add(name)

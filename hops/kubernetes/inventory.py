"""Typed readers of declared objects, and an inventory that indexes them for the rules.

A field whose value is unknown in a preview is UNKNOWN (`hops.kubernetes.values`), whatever its type.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from itertools import chain
from typing import Literal, TypeVar

from hops.kubernetes.values import (
    JSON,
    UNKNOWN,
    Undecidable,
    Unknown,
    at,
    flag,
    mapping,
    matches,
    number,
    pairs,
    plain,
    pointer,
    sequence,
    text,
    texts,
)
from hops.model.finding import Identity, Place, label
from hops.model.settings import Settings
from hops.model.versions import NODE_IMAGE

T = TypeVar("T")

_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "Pod": (),
    "PodTemplate": ("template",),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    **dict.fromkeys(
        (
            "DaemonSet",
            "Deployment",
            "DeploymentConfig",
            "Job",
            "ReplicaSet",
            "ReplicationController",
            "Rollout",
            "StatefulSet",
        ),
        ("spec", "template"),
    ),
}
"""Path of the pod template in an object, by kind."""

_GROUPS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("ConfigMap", "Namespace", "Pod", "PodTemplate", "ReplicationController", "Secret", "Service"), ("",)
    ),
    **dict.fromkeys(("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"), ("apps", "extensions")),
    **dict.fromkeys(("CronJob", "Job"), ("batch",)),
    **dict.fromkeys(("Ingress", "IngressClass", "NetworkPolicy"), ("networking.k8s.io", "extensions")),
    **dict.fromkeys(
        ("Gateway", "GatewayClass", "GRPCRoute", "HTTPRoute", "ReferenceGrant", "TCPRoute", "TLSRoute", "UDPRoute"),
        ("gateway.networking.k8s.io",),
    ),
    **dict.fromkeys(("HTTPProxy", "TLSCertificateDelegation"), ("projectcontour.io",)),
    **dict.fromkeys(("Fleet", "Policy"), ("ingress-hops",)),
    "Cluster": ("kind.x-k8s.io", "kind.sigs.k8s.io"),
    "DeploymentConfig": ("apps.openshift.io",),
    "IPPool": ("crd.projectcalico.org", "projectcalico.org"),
    "Installation": ("operator.tigera.io",),
    "Rollout": ("argoproj.io",),
    "ServiceAccount": ("",),
}
"""API groups of the kinds that the rules read; other groups use the same kind names for other objects."""

ADDED = frozenset(
    {
        *("apps.kubernetes.io/pod-index", "statefulset.kubernetes.io/pod-name"),
        *("batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-completion-index"),
        *("batch.kubernetes.io/job-name", "controller-uid", "job-name"),
        *("controller-revision-hash", "pod-template-generation", "pod-template-hash"),
    }
)
"""Labels that controllers add to pods and that no template contains."""

_CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "Cluster",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "Fleet",
        "GatewayClass",
        "IPPool",
        "IngressClass",
        "Installation",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "Policy",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingWebhookConfiguration",
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One declared object.

    api_version: as declared; "" if it is missing.
    kind: as declared; `Kind.group` if another API group uses the name of a kind that the rules read.
    namespace: None for a cluster-scoped object; `default` if none is declared.
    name: "" if it is missing or unknown.
    body: the object as JSON values.
    place: where the object is declared.
    vague: whether name or namespace is unknown.
    """

    api_version: str
    kind: str
    namespace: str | None
    name: str
    body: Mapping[str, JSON]
    place: Place
    vague: bool = False

    @property
    def resource(self) -> "Resource":
        return self

    @property
    def nowhere(self) -> bool:
        """Whether the namespace is unknown."""
        return self.vague and at(self.body, "metadata", "namespace") is UNKNOWN

    @property
    def identity(self) -> Identity:
        return Identity(self.api_version, self.kind, self.namespace, self.name)

    def same_object(self, other: "Resource") -> bool:
        """Whether both declare the same object of a cluster, as a base and its overlay do.

        other: the declaration to compare with. Two declarations whose name or namespace is unknown or empty are
            different objects, unless they are one and the same declaration.
        """
        named = bool(self.name) and not self.vague and not other.vague
        return self is other or (named and str(self) == str(other))

    def means(self, patterns: Iterable[str]) -> bool:
        """Whether a pattern matches the object.

        patterns: Kind/namespace/name, in which * matches any text.

        Raises Undecidable if the result depends on an unknown name.
        """
        maybe = False
        for pattern in patterns:
            if matches(pattern, str(self)):
                return True
            maybe = maybe or (self.vague and matches(pattern.partition("/")[0], self.kind))
        if maybe:
            raise Undecidable
        return False

    def __str__(self) -> str:
        """Kind/namespace/name."""
        return label(self.kind, self.namespace, self.name)


@dataclass(frozen=True, slots=True, eq=False)
class Port:
    """One port of a container.

    container: name of the container.
    name, container_port, host_port, host_ip: as declared; None if missing.
    protocol: TCP if none is declared.
    pointer: JSON pointer of the port inside the object.
    """

    container: str
    name: str | None
    container_port: int | None
    host_port: int | None
    host_ip: str | None
    protocol: str
    pointer: str


@dataclass(frozen=True, slots=True, eq=False)
class PodContainer:
    """One container of a pod template.

    name: name of the container.
    body: the container as JSON values.
    ports: its declared ports.
    lasting: whether it runs as long as the pod: true for containers and sidecars, false for other init containers.
    pointer: JSON pointer of the container inside the object.
    """

    name: str
    body: Mapping[str, JSON]
    ports: Sequence[Port]
    lasting: bool
    pointer: str


@dataclass(frozen=True, slots=True, eq=False)
class Pod:
    """The pod template of a workload, or a standalone pod.

    resource: the workload or pod.
    spec: the pod spec as JSON values.
    labels: labels of the pod.
    containers: all containers, including init and ephemeral containers.
    host_network: `spec.hostNetwork`; None if it is not set.
    host_ports: ports of all containers that set a hostPort other than 0.
    pointer: JSON pointer of the pod spec inside the object.
    """

    resource: Resource
    spec: Mapping[str, JSON]
    labels: Mapping[str, str]
    containers: Sequence[PodContainer]
    host_network: bool | None
    host_ports: Sequence[Port]
    pointer: str

    def node_ports(self) -> Iterator[tuple[Port, int]]:
        """The ports that the running pod uses on its node, each with its number; hostNetwork ports are included."""
        shared = bool(self.host_network)
        if not shared and not self.host_ports:
            return
        for container in self.containers:
            if container.lasting:
                for port in container.ports:
                    taken = port.host_port or (port.container_port if shared else None)
                    if taken:
                        yield port, taken


@dataclass(frozen=True, slots=True, eq=False)
class ServicePort:
    """One port of a Service.

    name, port, node_port: as declared; None if missing.
    target_port: number or name of a container port; None means `port`.
    protocol: TCP if none is declared.
    pointer: JSON pointer of the port inside the Service.
    """

    name: str | None
    port: int | None
    target_port: int | str | None
    node_port: int | None
    protocol: str
    pointer: str


@dataclass(frozen=True, slots=True, eq=False)
class DeclaredService:
    """A Service.

    resource: the object.
    spec: the spec as JSON values.
    type: ClusterIP if none is declared.
    selector: labels of the selector; empty if there is none.
    ports: the declared ports.
    """

    resource: Resource
    spec: Mapping[str, JSON]
    type: str
    selector: Mapping[str, str]
    ports: Sequence[ServicePort]


@dataclass(frozen=True, slots=True, eq=False)
class IngressBackend:
    """A backend of an Ingress.

    service: name of the Service; None if missing.
    port_name, port_number: port of the Service; None if missing.
    resource: reference to an object other than a Service; empty if there is none.
    pointer: JSON pointer of the backend inside the Ingress.
    """

    service: str | None
    port_name: str | None
    port_number: int | None
    resource: Mapping[str, JSON]
    pointer: str


@dataclass(frozen=True, slots=True, eq=False)
class IngressPath:
    """One path of an Ingress rule.

    host: host of the rule; "" if there is none.
    path, path_type: as declared; None if missing.
    backend: the backend of the path.
    pointer: JSON pointer of the path inside the Ingress.
    """

    host: str
    path: str | None
    path_type: str | None
    backend: IngressBackend
    pointer: str


@dataclass(frozen=True, slots=True, eq=False)
class IngressRule:
    host: str
    paths: Sequence[IngressPath]
    pointer: str


@dataclass(frozen=True, slots=True, eq=False)
class IngressTLS:
    hosts: Sequence[str]
    secret: str | None
    pointer: str


@dataclass(frozen=True, slots=True, eq=False)
class DeclaredIngress:
    """An Ingress of the group networking.k8s.io or extensions.

    resource: the object.
    spec: the spec as JSON values.
    annotations: annotations with string values.
    class_name: `spec.ingressClassName`; None if missing.
    rules, tls: the entries of the spec.
    default_backend: the default backend; None if there is none.
    """

    resource: Resource
    spec: Mapping[str, JSON]
    annotations: Mapping[str, str]
    class_name: str | None
    rules: Sequence[IngressRule]
    tls: Sequence[IngressTLS]
    default_backend: IngressBackend | None

    def backends(self) -> Iterator[IngressBackend]:
        if self.default_backend is not None:
            yield self.default_backend
        for rule in self.rules:
            for path in rule.paths:
                yield path.backend


@dataclass(frozen=True)
class PortClaim:
    """A port of this machine that is used outside the stack.

    holder: the user of the port as a noun, such as `the stack alice`.
    address: listen address.
    port: 1 to 65535.
    protocol: TCP (default), UDP or SCTP.
    """

    holder: str
    address: str
    port: int
    protocol: str = "TCP"


@dataclass(frozen=True)
class NameClaim:
    """A name on this machine that is used outside the stack.

    holder: the user of the name as a noun, such as `the stack alice`.
    what: kind of name: host, cluster or kubeconfig context.
    name: the name itself.
    """

    holder: str
    what: Literal["host", "cluster", "context"]
    name: str


@dataclass(frozen=True)
class Fleet:
    """The ports and names of this machine that other stacks and Docker containers use.

    ports: the ports.
    names: the names.
    """

    ports: tuple[PortClaim, ...] = ()
    names: tuple[NameClaim, ...] = field(default=())


class Inventory:
    """The declared objects, indexed, with the facts that rules compare them with.

    declared: objects with their places. Objects of `List` kinds are expanded; other values are skipped.
    today: the day on which exceptions must be in force.
    settings: settings of the stack; None without a stack.
    fleet: ports and names that others use. Default: none.
    kubernetes: minor version of the API server, such as `1.34`. Default: that of the stack's node image, otherwise of
        the pinned one.
    """

    def __init__(
        self,
        declared: Iterable[tuple[JSON, Place]],
        *,
        today: date,
        settings: Settings | None = None,
        fleet: Fleet | None = None,
        kubernetes: str | None = None,
    ) -> None:
        self.today = today
        self.settings = settings
        self.kubernetes = kubernetes or _minor(settings.cluster.node_image if settings else "") or _minor(NODE_IMAGE)
        self.resources = _ordered(_resource(body, place) for body, place in _flat(declared))
        self._by_kind: dict[str, list[Resource]] = defaultdict(list)
        for resource in self.resources:
            self._by_kind[resource.kind].append(resource)
        self._given_fleet = fleet or Fleet()
        self._built: dict[Callable[[Inventory], object], object] = {}
        self._pods_of: dict[DeclaredService, Sequence[Pod]] = {}

    def of_kind(self, *kinds: str) -> Iterator[Resource]:
        for kind in kinds:
            yield from self._by_kind.get(kind, ())

    def find(self, kind: str, namespace: str | None, name: str) -> Resource | None:
        """The object with this name; None if there is none. Raises Undecidable if an unknown name could match."""
        found = self._by_name.get((kind, namespace, name))
        if found is None and kind in self._vague_kinds:
            raise Undecidable
        return found

    def once(self, build: Callable[["Inventory"], T]) -> T:
        """The result of `build(inventory)`, computed once per inventory; for an index that one rule family requires."""
        if build not in self._built:
            self._built[build] = build(self)
        return self._built[build]  # type: ignore[return-value]

    @cached_property
    def pods(self) -> tuple[Pod, ...]:
        """The pod templates of all workloads."""
        return tuple(_pod(resource, keys) for kind, keys in _TEMPLATES.items() for resource in self.of_kind(kind))

    @cached_property
    def services(self) -> tuple[DeclaredService, ...]:
        return tuple(_service(resource) for resource in self.of_kind("Service"))

    @cached_property
    def ingresses(self) -> tuple[DeclaredIngress, ...]:
        return tuple(_ingress(resource) for resource in self.of_kind("Ingress"))

    @cached_property
    def fleet(self) -> Fleet:
        """The given fleet and the declared `Fleet` objects, joined."""
        given = self._given_fleet
        declared = [_fleet(resource.body) for resource in self.of_kind("Fleet")]
        return Fleet(
            given.ports + tuple(claim for fleet in declared for claim in fleet.ports),
            given.names + tuple(claim for fleet in declared for claim in fleet.names),
        )

    def service(self, namespace: str | None, name: str) -> DeclaredService | None:
        """The Service with this name; None if there is none. Raises Undecidable like `find`."""
        resource = self.find("Service", namespace, name)
        return self._services[resource] if resource else None

    def pods_of(self, service: DeclaredService) -> Sequence[Pod]:
        """The pods that a Service selects; an empty selector selects none.

        Raises Undecidable if the namespace, the selector or the labels of a possible pod are unknown.
        """
        found = self._pods_of.get(service)
        if found is None:
            if service.resource.nowhere:
                raise Undecidable
            wanted = service.selector
            if not ADDED.isdisjoint(wanted):
                wanted = {key: value for key, value in wanted.items() if key not in ADDED}
            found = self._pods_of[service] = self.selected(service.resource.namespace, wanted)
        return found

    def selected(self, namespace: str | None, labels: Mapping[str, str]) -> Sequence[Pod]:
        """The pods of a namespace that have all labels. Raises Undecidable like `pods_of`."""
        wanted = list(labels.items())
        if not wanted:
            return ()
        groups = [self._by_label.get((namespace, key, value), ()) for key, value in wanted]
        for pod in chain(self._vague_pods.get(namespace, ()), self._vague_pods.get(None, ())):
            if pod.labels is UNKNOWN:
                raise Undecidable
            carried = [(pod.labels.get(key), value) for key, value in wanted]
            may_be = all(has is UNKNOWN or has == value for has, value in carried)
            # One that has all the labels for certain is selected, unless it may live elsewhere.
            if may_be and (pod.resource.nowhere or any(has is UNKNOWN for has, _ in carried)):
                raise Undecidable
        return [pod for pod in min(groups, key=len) if all(pod.labels.get(key) == value for key, value in wanted)]

    def services_of(self, pod: Pod) -> Sequence[DeclaredService]:
        """The Services that certainly select a pod."""
        return self._services_of.get(pod, ())

    def pods_in(self, namespace: str | None) -> Sequence[Pod]:
        """The pods of a namespace. Raises Undecidable if the namespace of a pod is unknown."""
        if self._vague_pods.get(None):
            raise Undecidable
        return self._by_namespace.get(namespace, ())

    @cached_property
    def _by_name(self) -> Mapping[tuple[str, str | None, str], Resource]:
        # The first of several with one name, in the order of `resources`.
        return {(r.kind, r.namespace, r.name): r for r in reversed(self.resources) if not r.vague}

    @cached_property
    def _vague_kinds(self) -> frozenset[str]:
        return frozenset(resource.kind for resource in self.resources if resource.vague)

    @cached_property
    def _services(self) -> Mapping[Resource, DeclaredService]:
        return {service.resource: service for service in self.services}

    @cached_property
    def _by_namespace(self) -> Mapping[str | None, list[Pod]]:
        groups: dict[str | None, list[Pod]] = defaultdict(list)
        for pod in self.pods:
            if not pod.resource.nowhere:
                groups[pod.resource.namespace].append(pod)
        return groups

    @cached_property
    def _by_label(self) -> Mapping[tuple[str | None, str, str], list[Pod]]:
        groups: dict[tuple[str | None, str, str], list[Pod]] = defaultdict(list)
        for pod in self.pods:
            if pod.labels is not UNKNOWN and not pod.resource.nowhere:
                for key, value in pod.labels.items():
                    if value is not UNKNOWN:
                        groups[pod.resource.namespace, key, value].append(pod)
        return groups

    @cached_property
    def _vague_pods(self) -> Mapping[str | None, list[Pod]]:
        """Pods with unknown labels, by namespace; those with an unknown namespace are under None."""
        groups: dict[str | None, list[Pod]] = defaultdict(list)
        for pod in self.pods:
            if pod.resource.nowhere:
                groups[None].append(pod)
            elif pod.labels is UNKNOWN or any(value is UNKNOWN for value in pod.labels.values()):
                groups[pod.resource.namespace].append(pod)
        return groups

    @cached_property
    def _services_of(self) -> Mapping[Pod, list[DeclaredService]]:
        groups: dict[Pod, list[DeclaredService]] = defaultdict(list)
        for service in self.services:
            try:
                selected = self.pods_of(service)
            except Undecidable:
                continue
            for pod in selected:
                groups[pod].append(service)
        return groups


def _minor(image: str) -> str:
    """The minor version in the tag of a node image such as `kindest/node:v1.34.8`; "" where there is none."""
    found = re.search(r":v(\d+\.\d+)", image)
    return found[1] if found else ""


def _flat(declared: Iterable[tuple[JSON, Place]]) -> Iterator[tuple[JSON, Place]]:
    for given, place in declared:
        body = given if isinstance(given, dict) else plain(given)
        if not isinstance(body, dict):
            continue
        kind, items = body.get("kind"), body.get("items")
        if isinstance(kind, str) and kind.endswith("List") and isinstance(items, list):
            # Lists of one kind may leave it out in their items.
            inherited = {} if kind == "List" else {"apiVersion": body.get("apiVersion"), "kind": kind[:-4]}
            yield from _flat(
                (
                    {**inherited, **item} if isinstance(item, dict) else item,
                    Place(place.file, place.document, pointer(place.within, "items", index), place.urn),
                )
                for index, item in enumerate(items)
            )
        else:
            yield body, place


def _resource(body: Mapping[str, JSON], place: Place) -> Resource:
    metadata = body.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    version, kind = body.get("apiVersion"), body.get("kind")
    version = version if isinstance(version, str) else ""
    # A kind configuration without `kind` is read as what it is meant to be.
    kind = kind if isinstance(kind, str) else "Cluster" if version.startswith("kind.x-k8s.io/") else ""
    groups = _GROUPS.get(kind)
    if groups is not None and version:
        group = version.rpartition("/")[0]
        if group not in groups:
            kind = f"{kind}.{group}" if group else f"{kind}.core"
    # kind's own configuration keeps its name at the top.
    name, namespace = known.get("name", body.get("name")), known.get("namespace")
    vague = metadata is UNKNOWN or name is UNKNOWN or namespace is UNKNOWN
    return Resource(
        api_version=version,
        kind=kind,
        namespace=None if kind in _CLUSTER_SCOPED else namespace if isinstance(namespace, str) else "default",
        # kind's default for its own.
        name=(name if isinstance(name, str) else "") or ("kind" if kind == "Cluster" and not vague else ""),
        body=body,
        place=place,
        vague=vague,
    )


def _ordered(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """Sorted by kind, namespace, name and content, so that findings do not depend on the order of documents."""
    groups: dict[tuple[str, str, str], list[Resource]] = defaultdict(list)
    for resource in resources:
        groups[resource.kind, resource.namespace or "", resource.name].append(resource)
    return tuple(
        resource
        for key in sorted(groups)
        for resource in (sorted(groups[key], key=lambda r: content(r.body)) if len(groups[key]) > 1 else groups[key])
    )


def content(value: JSON) -> str:
    """A canonical text of a JSON value, independent of the order of keys."""
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{key!r}:{content(item)}" for key, item in value.items())) + "}"
    return "[" + ",".join(map(content, value)) + "]" if isinstance(value, list) else repr(value)


def _pod(resource: Resource, keys: tuple[str, ...]) -> Pod:
    template = at(resource.body, *keys)
    base = pointer("", *keys, "spec")
    spec = mapping(at(template, "spec"))
    containers = _containers(spec, base)
    return Pod(
        resource=resource,
        spec=spec,
        labels=pairs(at(template, "metadata", "labels")),
        containers=containers,
        host_network=flag(at(spec, "hostNetwork")),
        host_ports=_host_ports(containers),
        pointer=base,
    )


def _containers(spec: Mapping[str, JSON], base: str) -> Sequence[PodContainer]:
    if isinstance(spec, Unknown):
        return UNKNOWN  # type: ignore[no-any-return]
    found: list[PodContainer] = []
    for key in ("initContainers", "containers", "ephemeralContainers"):
        declared = spec.get(key)
        if isinstance(declared, Unknown):
            found.append(UNKNOWN)
        elif isinstance(declared, list):
            for index, body in enumerate(declared):
                if isinstance(body, dict):
                    found.append(_container(body, key, pointer(base, key, index)))
                elif isinstance(body, Unknown):
                    found.append(UNKNOWN)
    return tuple(found)


def _container(body: Mapping[str, JSON], key: str, base: str) -> PodContainer:
    name, ports = text(body.get("name")), body.get("ports")
    shown = name if isinstance(name, str) else ""
    found: Sequence[Port] = ()
    if isinstance(ports, Unknown):
        found = UNKNOWN
    elif isinstance(ports, list) and ports:
        found = tuple(_port(port, shown, f"{base}/ports/{index}") for index, port in enumerate(ports))
    restart = body.get("restartPolicy")
    sidecar = restart if restart is UNKNOWN else restart == "Always"
    lasting = key == "containers" or (key == "initContainers" and sidecar)
    return PodContainer(shown, body, found, lasting, base)


def _port(port: JSON, container: str, base: str) -> Port:
    if isinstance(port, Unknown):
        return UNKNOWN  # type: ignore[no-any-return]
    fields = mapping(port)
    return Port(
        container=container,
        name=text(fields.get("name")),
        container_port=number(fields.get("containerPort")),
        host_port=number(fields.get("hostPort")),
        host_ip=text(fields.get("hostIP")),
        protocol=_protocol(fields.get("protocol")),
        pointer=base,
    )


def _protocol(value: JSON) -> str:
    return value if (isinstance(value, str) and value) or value is UNKNOWN else "TCP"


def _host_ports(containers: Sequence[PodContainer]) -> Sequence[Port]:
    if isinstance(containers, Unknown):
        return UNKNOWN  # type: ignore[no-any-return]
    found: list[Port] = []
    for container in containers:
        if isinstance(container, Unknown) or isinstance(container.ports, Unknown):
            found.append(UNKNOWN)
        else:
            found += [p for p in container.ports if p is UNKNOWN or p.host_port is UNKNOWN or p.host_port]
    return tuple(found)


def _each(value: JSON) -> Iterator[tuple[int, JSON]]:
    """The mappings and UNKNOWN items of a list, with their indexes."""
    return ((i, item) for i, item in enumerate(value) if isinstance(item, dict) or item is UNKNOWN)


def _service(resource: Resource) -> DeclaredService:
    spec = mapping(resource.body.get("spec"))
    ports = sequence(at(spec, "ports"))
    return DeclaredService(
        resource=resource,
        spec=spec,
        type=UNKNOWN if at(spec, "type") is UNKNOWN else text(at(spec, "type")) or "ClusterIP",
        selector=pairs(at(spec, "selector")),
        ports=ports if ports is UNKNOWN else tuple(_service_port(port, i) for i, port in _each(ports)),
    )


def _service_port(port: JSON, index: int) -> ServicePort:
    target = at(port, "targetPort")
    return ServicePort(
        name=text(at(port, "name")),
        port=number(at(port, "port")),
        target_port=text(target) if isinstance(target, str) else number(target),
        node_port=number(at(port, "nodePort")),
        protocol=_protocol(at(port, "protocol")),
        pointer=f"/spec/ports/{index}",
    )


def _ingress(resource: Resource) -> DeclaredIngress:
    spec = mapping(resource.body.get("spec"))
    rules, tls = sequence(at(spec, "rules")), sequence(at(spec, "tls"))
    default = "defaultBackend" if at(spec, "defaultBackend") is not None else "backend"
    backend = at(spec, default)
    return DeclaredIngress(
        resource=resource,
        spec=spec,
        annotations=pairs(at(resource.body, "metadata", "annotations")),
        class_name=text(at(spec, "ingressClassName")),
        rules=rules if rules is UNKNOWN else tuple(_ingress_rule(rule, i) for i, rule in _each(rules)),
        tls=tls
        if tls is UNKNOWN
        else tuple(
            IngressTLS(texts(at(entry, "hosts")), text(at(entry, "secretName")), f"/spec/tls/{i}")
            for i, entry in _each(tls)
        ),
        default_backend=backend if backend is None or backend is UNKNOWN else _backend(backend, f"/spec/{default}"),
    )


def _ingress_rule(rule: JSON, index: int) -> IngressRule:
    base = f"/spec/rules/{index}"
    host = at(rule, "host")
    host = host if isinstance(host, str) or host is UNKNOWN else ""
    paths = sequence(at(rule, "http", "paths"))
    return IngressRule(
        host=host,
        paths=paths
        if paths is UNKNOWN
        else tuple(
            IngressPath(
                host=host,
                path=text(at(path, "path")),
                path_type=text(at(path, "pathType")),
                backend=_backend(at(path, "backend"), f"{base}/http/paths/{i}/backend"),
                pointer=f"{base}/http/paths/{i}",
            )
            for i, path in _each(paths)
        ),
        pointer=base,
    )


def _backend(value: JSON, base: str) -> IngressBackend:
    older = at(value, "servicePort")
    return IngressBackend(
        service=text(at(value, "service", "name") or at(value, "serviceName"))
        if at(value, "service", "name") is not UNKNOWN
        else UNKNOWN,
        port_name=text(at(value, "service", "port", "name")) if older is None else text(older),
        port_number=number(at(value, "service", "port", "number")) if older is None else number(older),
        resource=mapping(at(value, "resource")),
        pointer=base,
    )


def _fleet(body: Mapping[str, JSON]) -> Fleet:
    """A `Fleet` object: `ports` and `names`, each entry with the fields of its claim."""
    return Fleet(
        tuple(
            PortClaim(
                text(at(claim, "holder")) or "",
                text(at(claim, "address")) or "",
                number(at(claim, "port")) or 0,
                _protocol(at(claim, "protocol")),
            )
            for _, claim in _each(sequence(body.get("ports")))
        ),
        tuple(
            NameClaim(text(at(claim, "holder")) or "", what, text(at(claim, "name")) or "")
            for _, claim in _each(sequence(body.get("names")))
            for what in ("host", "cluster", "context")
            if at(claim, "what") == what
        ),
    )

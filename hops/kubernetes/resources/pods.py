"""Pods and the pod templates of workloads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.resources.resource import resource as read_resource
from hops.kubernetes.values import (
    JSON,
    UNKNOWN,
    Unknown,
    at,
    flag,
    mapping,
    number,
    pairs,
    pointer,
    protocol,
    sequence,
    text,
)
from hops.model.finding import Place

TEMPLATES: Mapping[str, tuple[str, ...]] = {
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

ADDED = frozenset(
    {
        *("apps.kubernetes.io/pod-index", "statefulset.kubernetes.io/pod-name"),
        *("batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-completion-index"),
        *("batch.kubernetes.io/job-name", "controller-uid", "job-name"),
        *("controller-revision-hash", "pod-template-generation", "pod-template-hash"),
    }
)
"""Labels that controllers add to pods and that no template contains."""


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

    @property
    def image(self) -> str | None:
        return text(self.body.get("image"))

    @property
    def command(self) -> tuple[str, ...]:
        """The command and its arguments; empty if the image decides them."""
        return tuple(str(word) for key in ("command", "args") for word in sequence(self.body.get(key)))


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

    @property
    def required_node(self) -> str | None:
        """The node that the affinity requires by name, as the DaemonSet controller sets it."""
        required = at(self.spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
        terms = sequence(at(required, "nodeSelectorTerms"))
        fields = (entry for term in terms for entry in sequence(at(term, "matchFields")))
        return next((text(at(entry, "values", 0)) for entry in fields if at(entry, "key") == "metadata.name"), None)

    @property
    def lasting(self) -> Iterator[PodContainer]:
        """The containers that run as long as the pod."""
        return (container for container in self.containers if container.lasting)

    @property
    def ports(self) -> Iterator[Port]:
        """The ports that the lasting containers declare."""
        return (port for container in self.lasting for port in container.ports)

    @property
    def node_selector(self) -> Mapping[str, str]:
        return pairs(at(self.spec, "nodeSelector"))

    @property
    def secrets(self) -> Iterator[str]:
        """The names of the Secrets that are mounted as volumes."""
        names = (text(at(volume, "secret", "secretName")) for volume in sequence(at(self.spec, "volumes")))
        return (name for name in names if name)

    def node_ports(self) -> Iterator[tuple[Port, int]]:
        """The ports that the running pod uses on its node, each with its number; hostNetwork ports are included."""
        shared = bool(self.host_network)
        if not shared and not self.host_ports:
            return
        for port in self.ports:
            taken = port.host_port or (port.container_port if shared else None)
            if taken:
                yield port, taken


def pod_template(resource: Resource) -> Pod:
    """The pod template of a workload.

    resource: an object of one of the kinds of TEMPLATES.
    """
    return _pod(resource, TEMPLATES[resource.kind])


def as_pod(body: Mapping[str, JSON]) -> Pod:
    """A Pod object of the API, read as the rules read it."""
    return _pod(read_resource(dict(body), Place()), ())


def as_template(body: Mapping[str, JSON]) -> Pod:
    """The pod template of a workload object of the API, read as the rules read it."""
    return pod_template(read_resource(dict(body), Place()))


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
        protocol=protocol(fields.get("protocol")),
        pointer=base,
    )


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

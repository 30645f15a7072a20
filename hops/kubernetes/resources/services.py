"""Services."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hops.kubernetes.resources.pods import Port
from hops.kubernetes.resources.resource import Resource, resource
from hops.kubernetes.values import JSON, UNKNOWN, at, entries, mapping, number, pairs, protocol, sequence, text, texts
from hops.model.finding import Place
from hops.model.hop import bracketed

_SERVICE_LABEL = "kubernetes.io/service-name"
"""Label of an EndpointSlice (discovery/v1, LabelServiceName)."""
_MANAGED_BY, _ALLOCATOR = "ipaddress.kubernetes.io/managed-by", "ipallocator.k8s.io"
"""Label of an IPAddress that the API server allocated (networking/v1, LabelManagedBy)."""


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

    @property
    def target(self) -> int | str | None:
        """The number or name of the container port that gets the requests; None if `port` is missing as well."""
        # The API server takes 0 as if there were no targetPort.
        return self.port if self.target_port is None or self.target_port == 0 else self.target_port

    def leads_to(self, declared: Iterable[Port]) -> int | None:
        """The TCP port of a container that gets the requests; None if it is not known.

        declared: the ports of the pods, by whose names a target can be given.
        """
        target = self.target
        if isinstance(target, str):
            target = next((port.container_port for port in declared if port.name == target), None)
        return target if target in range(1, 65536) else None


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


@dataclass(frozen=True)
class Endpoint:
    """An address that an EndpointSlice gives to a Service.

    address: IP address of a pod.
    port: port of the pod; None if the Service's targetPort is none of the pod's ports.
    ready: whether the pod is ready.
    """

    address: str
    port: int | None
    ready: bool

    @property
    def reached(self) -> bool:
        """Whether requests are sent to it."""
        return self.ready and self.port is not None

    def __str__(self) -> str:
        return f"{bracketed(self.address)}:{self.port or 'no port'}{'' if self.ready else ' (not ready)'}"


def declared_service(resource: Resource) -> DeclaredService:
    """A Service, read from its object."""
    spec = mapping(resource.body.get("spec"))
    ports = sequence(at(spec, "ports"))
    return DeclaredService(
        resource=resource,
        spec=spec,
        type=UNKNOWN if at(spec, "type") is UNKNOWN else text(at(spec, "type")) or "ClusterIP",
        selector=pairs(at(spec, "selector")),
        ports=ports if ports is UNKNOWN else tuple(_service_port(port, i) for i, port in entries(ports)),
    )


def as_service(body: Mapping[str, JSON]) -> DeclaredService:
    """A Service object of the API, read as the rules read it."""
    return declared_service(resource(dict(body), Place()))


def load_balancers(service: Mapping[str, JSON] | None) -> Iterator[tuple[str | None, str | None]]:
    """The IP address and the host name of each load balancer of a Service; a load balancer has one of them."""
    for entry in sequence(at(dict(service or {}), "status", "loadBalancer", "ingress")):
        yield text(at(entry, "ip")), text(at(entry, "hostname"))


def service_of(endpoint_slice: Mapping[str, JSON]) -> str | None:
    """The name of the Service that an EndpointSlice belongs to."""
    return text(at(dict(endpoint_slice), "metadata", "labels", _SERVICE_LABEL))


def address_holder(ip_address: Mapping[str, JSON]) -> tuple[str | None, str | None] | None:
    """The namespace and name of the Service for which the API server allocated an IPAddress; None for any other."""
    body = dict(ip_address)
    parent = at(body, "spec", "parentRef")
    if at(body, "metadata", "labels", _MANAGED_BY) != _ALLOCATOR or at(parent, "resource") != "services":
        return None
    return text(at(parent, "namespace")), text(at(parent, "name"))


def endpoints(endpoint_slice: Mapping[str, JSON]) -> Iterator[Endpoint]:
    # A targetPort that no pod has leaves a slice without a port.
    ports = [number(at(entry, "port")) for entry in sequence(endpoint_slice.get("ports"))] or [None]
    for entry in sequence(endpoint_slice.get("endpoints")):
        for address in texts(at(entry, "addresses")):
            for port in ports:
                yield Endpoint(address, port, at(entry, "conditions", "ready") is not False)


def _service_port(port: JSON, index: int) -> ServicePort:
    target = at(port, "targetPort")
    return ServicePort(
        name=text(at(port, "name")),
        port=number(at(port, "port")),
        target_port=text(target) if isinstance(target, str) else number(target),
        node_port=number(at(port, "nodePort")),
        protocol=protocol(at(port, "protocol")),
        pointer=f"/spec/ports/{index}",
    )

"""Services."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.values import JSON, UNKNOWN, at, entries, mapping, number, pairs, protocol, sequence, text


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

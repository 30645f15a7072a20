"""The backends of Ingresses, HTTPProxies and Gateway API routes.

From Contour 1.33: internal/dag.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.resources.services import DeclaredService, ServicePort
from hops.kubernetes.values import JSON, UNKNOWN, Undecidable, at, number, sequence, text

GATEWAY_ROUTES = ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute")


def home(resource: Resource) -> str | None:
    """The namespace of an object. Raises Undecidable if it is unknown."""
    if resource.vague and at(resource.body, "metadata", "namespace") is UNKNOWN:
        raise Undecidable
    return resource.namespace


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A backend of a route.

    namespace: namespace of the Service; None for that of the route.
    service: name of the Service; None if missing.
    port_number, port_name: port of the Service; None if missing.
    foreign: the backend as a noun if it is not a Service; "" if it is.
    pointer: JSON pointer of the backend.
    service_pointer, port_pointer: JSON pointers of its parts.
    whole_port: returns the JSON value of the port for a number.
    """

    namespace: str | None
    service: str | None
    port_number: int | None
    port_name: str | None
    foreign: str
    pointer: str
    service_pointer: str
    port_pointer: str
    whole_port: Callable[[int], JSON]


def itself(port: int) -> JSON:
    return port


def references(entries: JSON, base: str) -> Iterator[Target]:
    for index, entry in enumerate(sequence(entries)):
        yield reference(entry, f"{base}/{index}")


def reference(entry: JSON, base: str) -> Target:
    kind, group = text(at(entry, "kind")) or "Service", text(at(entry, "group")) or ""
    return Target(
        namespace=text(at(entry, "namespace")),
        service=text(at(entry, "name")),
        port_number=number(at(entry, "port")),
        port_name=None,
        foreign="" if kind == "Service" and not group else f"a {kind}{f' of group {group}' if group else ''}",
        pointer=base,
        service_pointer=f"{base}/name",
        port_pointer=f"{base}/port",
        whole_port=itself,
    )


def port_of(service: DeclaredService, reference: int | str) -> ServicePort | None:
    """The port that Contour finds: the first of that number or name, and only if it is TCP (dag/cache.go)."""
    if isinstance(reference, str):
        found = next((port for port in service.ports if port.name == reference), None)
        # From there it goes on with the number.
        return port_of(service, found.port) if found and found.port and found.protocol == "TCP" else None
    found = next((port for port in service.ports if port.port == reference), None)
    return found if found and found.protocol == "TCP" else None


def granted(inventory: Inventory, resource: Resource, kind: str, namespace: str | None, name: str) -> bool:
    """Whether a ReferenceGrant of that namespace lets a Gateway API object refer to an object there.

    kind: of the object that is referred to.
    namespace: of that object.
    name: of that object.
    """
    grants, unsure = inventory.once(_grants)
    names = grants.get((namespace, resource.kind, home(resource), kind), ())
    if name in names or None in names:
        return True
    if unsure & {None, namespace}:
        raise Undecidable
    return False


_Grant = tuple[str | None, str | None, str | None, str | None]
_MOST_ENTRIES = 16
"""The entries of a list of a ReferenceGrant that the API server accepts."""


def _grants(inventory: Inventory) -> tuple[Mapping[_Grant, set[str | None]], set[str | None]]:
    """What ReferenceGrants allow, and the namespaces, None for all, with unknown ones.

    The names of objects, None for all, by their namespace, kind and namespace of the one that refers, and their kind.
    """
    names: dict[_Grant, set[str | None]] = defaultdict(set)
    unsure: set[str | None] = set()
    for grant in inventory.of_kind("ReferenceGrant"):
        if grant.unknown:
            unsure.add(None if grant.nowhere else grant.namespace)
            continue
        for sender in _listed(grant, "from")[:_MOST_ENTRIES]:
            for to in _listed(grant, "to")[:_MOST_ENTRIES]:
                key = (grant.namespace, text(at(sender, "kind")), text(at(sender, "namespace")), text(at(to, "kind")))
                names[key].add(text(at(to, "name")) or None)
    return names, unsure


def _listed(resource: Resource, key: str) -> Sequence[JSON]:
    return sequence(at(resource.body, "spec", key))

"""The Services and pods that requests from outside the cluster reach."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.pods import Pod
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.resources.services import DeclaredService
from hops.kubernetes.routing.route import Adapter
from hops.kubernetes.routing.routes import ADAPTERS
from hops.kubernetes.values import UNKNOWN, Undecidable, Unknown

OUTSIDE = ("NodePort", "LoadBalancer")
"""The types of Service that are reachable from outside."""


@dataclass(frozen=True, slots=True, eq=False)
class Exposure:
    """A reference from an Ingress, an HTTPProxy or a Gateway API route to a Service.

    resource: the referencing object.
    namespace: namespace of the Service.
    service: name of the Service; UNKNOWN stands for any number of routes.
    port: number or name of the Service's port; None if missing.
    pointer: JSON pointer of the reference inside the object.
    """

    resource: Resource
    namespace: str | None
    service: str | None
    port: int | str | None
    pointer: str


@dataclass(frozen=True, slots=True, eq=False)
class Exposed:
    """A pod that is reachable from outside the cluster.

    pod: the pod.
    by: the object or hostPort that exposes it, as a noun; UNKNOWN if this depends on an unknown value, so that a rule
        that prints it is undecided.
    """

    pod: Pod
    by: str

    @property
    def resource(self) -> Resource:
        return self.pod.resource


def routes(inventory: Inventory) -> tuple[Exposure, ...]:
    """All references of routes to Services. Call it as `inventory.once(routes)`."""
    return tuple(
        exposure
        for kind, adapter in ADAPTERS.items()
        for resource in inventory.of_kind(kind)
        for exposure in _known(_exposures(resource, adapter, inventory), resource)
    )


def routed(inventory: Inventory) -> dict[tuple[str | None, str], Resource]:
    """The Services that a route certainly references, each with the first. Call it as `inventory.once(routed)`."""
    leading: dict[tuple[str | None, str], Resource] = {}
    for route in inventory.once(routes):
        if route.namespace is not UNKNOWN and route.service is not UNKNOWN and route.service:
            leading.setdefault((route.namespace, route.service), route.resource)
    return leading


def exposed(inventory: Inventory) -> tuple[Exposed, ...]:
    """The pods that are, or may be, reachable from outside."""
    return inventory.once(_exposed)


def _exposed(inventory: Inventory) -> tuple[Exposed, ...]:
    reached, unsure = _reached(inventory)
    found = []
    for pod in inventory.pods:
        own = _by_host_port(pod)
        if own is None or own is UNKNOWN:
            own = reached.get(pod, own)
        if own is None and unsure and (pod.resource.nowhere or None in unsure or pod.resource.namespace in unsure):
            own = UNKNOWN
        if own is not None:
            found.append(Exposed(pod, own))
    return tuple(found)


def _reached(inventory: Inventory) -> tuple[Mapping[Pod, str], set[str | None]]:
    """What leads to pods by a Service, and the namespaces, None for all, in which any pod may be reached."""
    reached: dict[Pod, str] = {}
    unsure: set[str | None] = set()
    done: set[tuple[int, bool]] = set()
    may_be_routed = _may_be_routed(inventory)
    for service in inventory.services:
        by = _leads(service, inventory, may_be_routed)
        if by is None:
            continue
        try:
            selected = inventory.pods_of(service)
        except Undecidable:
            unsure.add(None if service.resource.nowhere else service.resource.namespace)
            continue
        # A second Service for the same pods changes nothing, unless only it certainly leads to them.
        if not done.isdisjoint({(id(selected), by is UNKNOWN), (id(selected), False)}):
            continue
        done.add((id(selected), by is UNKNOWN))
        for pod in selected:
            if reached.get(pod, UNKNOWN) is UNKNOWN:
                reached[pod] = by
    return reached, unsure


def _may_be_routed(inventory: Inventory) -> set[str | None]:
    """The namespaces, None for all, in which a Service that no route is known to name may be routed to."""
    return {
        None if route.namespace is UNKNOWN else route.namespace
        for route in inventory.once(routes)
        if route.namespace is UNKNOWN or route.service is UNKNOWN
    }


def _leads(service: DeclaredService, inventory: Inventory, may_be_routed: set[str | None]) -> str | None:
    """What leads to a Service from outside, UNKNOWN where something may."""
    resource, known = service.resource, inventory.once(routed)
    if not resource.vague and (resource.namespace, resource.name) in known:
        return str(known[resource.namespace, resource.name])
    if service.type is not UNKNOWN and service.type in OUTSIDE:
        return str(resource)
    unsure = service.type is UNKNOWN or None in may_be_routed or resource.namespace in may_be_routed
    return UNKNOWN if unsure or (resource.vague and (known or may_be_routed)) else None


def _by_host_port(pod: Pod) -> str | None:
    if isinstance(pod.host_ports, Unknown):
        return UNKNOWN  # type: ignore[no-any-return]
    known = (p.host_port for p in pod.host_ports if p is not UNKNOWN and p.host_port is not UNKNOWN)
    taken = next(known, None)
    return f"hostPort {taken}" if taken else UNKNOWN if pod.host_ports else None


def _known(found: Iterator[Exposure], resource: Resource) -> Iterator[Exposure]:
    """The routes, plus a route with an UNKNOWN Service if some routes are unknown."""
    try:
        yield from found
    except Undecidable:
        yield Exposure(resource, _namespace(resource), UNKNOWN, UNKNOWN, "")


def _namespace(resource: Resource) -> str | None:
    return UNKNOWN if resource.nowhere else resource.namespace


def _exposures(resource: Resource, adapter: Adapter, inventory: Inventory) -> Iterator[Exposure]:
    if adapter.detached(resource, inventory):
        return
    for target in adapter.targets(resource, inventory):
        if not target.foreign:
            yield Exposure(
                resource,
                _namespace(resource) if target.namespace is None else target.namespace,
                target.service,
                target.port_number if target.port_name is None else target.port_name,
                target.pointer,
            )

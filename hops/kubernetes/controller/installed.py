"""The Contours that a cluster has, under any name: the Envoys of each, and where requests enter.

From Contour 1.33: cmd/contour/bootstrap.go (the start of an Envoy) and internal/provisioner (the Contour of a Gateway).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hops.kubernetes import objects
from hops.kubernetes.controller.classes import DEFAULT_CLASS
from hops.kubernetes.controller.contour import DeclaredContour, contours, envoys, flag
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.pods import Pod, pod_template
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.resources.services import DeclaredService, load_balancers
from hops.model.hop import Entrance, Entrypoint, PortMapping

_WORKLOADS = ("DaemonSet", "Deployment", "StatefulSet")


@dataclass(frozen=True, slots=True, eq=False)
class InstalledContour:
    """A Contour that runs in a cluster.

    contour: what its Deployment declares.
    envoys: the workloads of its Envoys.
    """

    contour: DeclaredContour
    envoys: Sequence[Pod]

    @property
    def namespace(self) -> str:
        return self.contour.workload.namespace or "default"

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of its pods."""
        return pod_template(self.contour.workload).labels

    @property
    def name(self) -> str:
        """NAMESPACE/NAME of its Deployment."""
        return f"{self.namespace}/{self.contour.workload.name}"


def installed(inventory: Inventory) -> tuple[InstalledContour, ...]:
    """The Contours of a cluster, by name. Call it as `inventory.once(installed)`."""
    own = sorted(
        (contour for contour in inventory.once(contours) if contour.workload.kind in _WORKLOADS),
        key=lambda contour: str(contour.workload),
    )
    return tuple(InstalledContour(contour, _envoys(contour, own, inventory)) for contour in own)


def chosen(inventory: Inventory, name: str) -> tuple[InstalledContour, ...]:
    """The Contours that a name stands for: one, unless the name is wrong or not precise.

    inventory: the objects of the cluster.
    name: NAMESPACE, or NAMESPACE/NAME of the Deployment.
    """
    return tuple(one for one in inventory.once(installed) if name in (one.namespace, one.name))


def _envoys(contour: DeclaredContour, others: Sequence[DeclaredContour], inventory: Inventory) -> tuple[Pod, ...]:
    """The Envoys that have their routes from a Contour: by their bootstrap, or else those of its namespace."""
    namespace = contour.workload.namespace
    found = [
        pod for pod in inventory.once(envoys) if pod.resource.kind in _WORKLOADS and pod.resource.namespace == namespace
    ]
    alone = sum(other.workload.namespace == namespace for other in others) == 1
    return tuple(pod for pod in found if alone or contour.workload in _servers(pod, inventory))


def _servers(envoy: Pod, inventory: Inventory) -> Iterator[object]:
    """The workloads behind the address from which an Envoy has its routes (`contour bootstrap --xds-address`)."""
    addresses = {flag(container.command, "--xds-address") for container in envoy.containers} - {""}
    for service in inventory.services:
        if service.resource.namespace != envoy.resource.namespace:
            continue
        if {service.resource.name, objects.cluster_ip(service.resource.body)} & {
            address if address.replace(".", "").isdecimal() else address.partition(".")[0] for address in addresses
        }:
            yield from (pod.resource for pod in inventory.pods_of(service))


def ingress_class(inventory: Inventory, found: InstalledContour, kind: str) -> str | None:
    """The class that an object needs so that a Contour serves it; None if it needs none.

    inventory: the objects of the cluster.
    found: one of its Contours.
    kind: of the object: Ingress, which gets the cluster's default class if it has none, or HTTPProxy.
    """
    classes = found.contour.classes
    default = [one.name for one in inventory.of_kind("IngressClass") if one.annotations.get(DEFAULT_CLASS) == "true"]
    given = default[0] if kind == "Ingress" and len(default) == 1 else ""
    return None if given in classes else next(filter(None, classes), None)


def entrances(inventory: Inventory, found: InstalledContour) -> dict[Entrance, Entrypoint]:
    """The ways in which requests enter by the Envoys of a Contour: a load balancer first, then nodes.

    inventory: the objects of the cluster.
    found: one of its Contours.

    A load balancer that has no address yet comes last. A way without plain HTTP is left out.
    """
    ports, (node, address) = found.contour.ports, _entered(inventory, found)
    ready: dict[Entrance, Entrypoint] = {}
    waiting: dict[Entrance, Entrypoint] = {}
    offered = [service for pod in found.envoys for service in _services(inventory, pod)]
    for pod, service in offered:
        balanced = next((ip or name for ip, name in load_balancers(service.resource.body)), None)
        mapped = _mapped(
            ports, [(one.port, one.node_port or one.port, one.leads_to(pod.ports)) for one in service.ports]
        )
        if service.type == "LoadBalancer" and mapped:
            to = ready if balanced else waiting
            to.setdefault(Entrance.LOAD_BALANCER, Entrypoint(balanced, None, mapped, Entrance.LOAD_BALANCER))
    for pod in found.envoys:
        taken = [(number, number, port.container_port) for port, number in pod.node_ports()]
        if mapped := _mapped(ports, taken):
            ready.setdefault(Entrance.HOST_PORT, Entrypoint(address, node, mapped, Entrance.HOST_PORT))
    for pod, service in offered:
        nodes = [(one.node_port, one.node_port, one.leads_to(pod.ports)) for one in service.ports]
        if mapped := _mapped(ports, nodes):
            ready.setdefault(Entrance.NODE_PORT, Entrypoint(address, node, mapped, Entrance.NODE_PORT))
    return ready | waiting


def envoy_pods(inventory: Inventory, found: InstalledContour) -> tuple[Resource, ...]:
    """The running pods of the Envoys of a Contour that are not being deleted: the ready ones first, then by node."""
    pods = [
        pod
        for pod in inventory.of_kind("Pod")
        if pod.namespace == found.namespace and not objects.deleting(pod.body)
        if any(envoy.labels.items() <= objects.labels(pod.body).items() for envoy in found.envoys)
    ]
    return tuple(sorted(pods, key=lambda pod: (not objects.ready(pod.body), objects.node_of(pod.body) or "", pod.name)))


def _entered(inventory: Inventory, found: InstalledContour) -> tuple[str | None, str | None]:
    """The node that requests enter where no load balancer chooses one, and its address; None if it has no Envoy."""
    name = next(filter(None, (objects.node_of(pod.body) for pod in envoy_pods(inventory, found))), None)
    node = next((node.body for node in inventory.of_kind("Node") if node.name == name), None)
    return name, objects.node_address(node)


def _services(inventory: Inventory, envoy: Pod) -> Iterator[tuple[Pod, DeclaredService]]:
    """The Services in front of an Envoy."""
    for service in inventory.services:
        near = service.resource.namespace == envoy.resource.namespace
        if near and service.selector and service.selector.items() <= envoy.labels.items():
            yield envoy, service


def _mapped(
    ports: Mapping[str, int], offered: Iterable[tuple[int | None, int | None, int | None]]
) -> tuple[PortMapping, ...]:
    """The port mapping of each scheme; none without plain HTTP.

    ports: the ports that Envoy listens on, by scheme.
    offered: ports of clients, of the node and of Envoy's container.
    """
    mapped = [
        PortMapping(scheme, outside, node, inside)
        for scheme, inside in ports.items()
        for outside, node, container in offered
        if container == inside and outside and node
    ]
    first = {mapping.scheme: mapping for mapping in reversed(mapped)}
    return tuple(first[scheme] for scheme in ports if scheme in first) if "http" in first else ()

"""Reads paths back: from plain objects what they declare, from a cluster's answer what is there."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from hops.kubernetes import objects
from hops.kubernetes.controller.contour import serves
from hops.kubernetes.controller.installed import entrances, installed
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.deployments import current_pods
from hops.kubernetes.resources.kind_nodes import nodes
from hops.kubernetes.resources.pods import Port, as_pod
from hops.kubernetes.resources.services import as_service
from hops.kubernetes.routing.route import RouteTLS, matched
from hops.kubernetes.routing.routes import led_to, routes
from hops.kubernetes.values import at, sequence
from hops.model.finding import Place
from hops.model.hop import (
    IPV6,
    NOTHING_FOUND,
    Backend,
    Entrance,
    Entrypoint,
    ForeignService,
    LiveAddresses,
    PortMapping,
    RequestPath,
    ip_version,
)
from hops.model.path import CONTOUR_NAMESPACE, request_path
from hops.model.plan import NODE_PORTS
from hops.model.pod_network import POD_NETWORK


def found(
    listed: Iterable[Mapping[str, Any]], node: str | None, foreign: Collection[str] = frozenset()
) -> LiveAddresses:
    """Reads the addresses of a running cluster.

    listed: its nodes, pods, Services and Deployments as the API returns them. A headless Service has no address.
    node: name of the publishing node; None if there is none. The pod with the label `app=envoy` on it is Envoy.
    foreign: the Services that the stack does not make, by NAMESPACE/NAME. Default: none.
    """
    everything = [item for item in listed if isinstance(item, Mapping)]
    pods = [item for item in everything if item.get("kind") == "Pod"]
    services = [item for item in everything if item.get("kind") == "Service"]
    deployments = [item for item in everything if item.get("kind") == "Deployment"]
    envoy = (
        objects.address(pod)
        for pod in pods
        if objects.labels(pod).get("app") == "envoy"
        and objects.node_of(pod) == node
        and objects.namespace(pod) == CONTOUR_NAMESPACE
        and objects.address(pod)
    )
    internal = [
        objects.internal_addresses(item)
        for item in everything
        if item.get("kind") == "Node" and objects.name(item) == node
    ]
    whole = (*internal, *map(objects.addresses, pods), *map(objects.cluster_ips, services))
    return LiveAddresses(
        node=next((address for of in internal for address in of), None),
        seconds={of[0]: of[1] for of in whole if len(of) > 1},
        envoy=next(envoy, None),
        services={objects.full_name(item): ip for item in services if (ip := objects.cluster_ip(item))},
        pods={objects.full_name(item): ip for item in pods if (ip := objects.address(item))},
        deployed={
            objects.full_name(item): tuple(map(objects.name, current))
            for item in deployments
            if (current := current_pods(item, pods))
        },
        foreign={
            name: foreign_service(item, pods) for item in services if (name := objects.full_name(item)) in foreign
        },
        nodes={objects.full_name(item): on for item in pods if (on := objects.node_of(item))},
    )


def foreign_service(service: Mapping[str, Any], pods: Iterable[Mapping[str, Any]]) -> ForeignService:
    """What a Service selects.

    service: the Service as the API returns it.
    pods: pods of its cluster. Those that end are left out.
    """
    declared = as_service(service)
    chosen = [
        pod
        for pod in pods
        if objects.namespace(pod) == objects.namespace(service) and not objects.deleting(pod)
        if declared.selector and declared.selector.items() <= objects.labels(pod).items()
    ]
    offered = [port for pod in chosen for port in as_pod(pod).ports]
    targets = {port.port: target for port in declared.ports if port.port and (target := port.leads_to(offered))}
    return ForeignService(declared.selector, tuple(sorted(map(objects.name, chosen))), targets)


def read(declared: Iterable[Any], found: LiveAddresses = NOTHING_FOUND) -> tuple[RequestPath, ...]:
    """The request paths that objects declare: one for each backend of a route whose Service is declared.

    declared: Kubernetes objects and kind's `Cluster`. Malformed objects are skipped; the rules report them.
    found: addresses read from a running cluster. Default: none.
    """
    inventory = Inventory(((item, Place()) for item in declared), today=date.min)
    entrance = entrypoint(inventory)
    if entrance is None:
        return ()
    network, xds = _network(inventory), _xds(inventory)
    return tuple(request_path(entrance, backend, found, network, xds) for backend in backends(inventory))


def entrypoint(inventory: Inventory, port: int | None = None) -> Entrypoint | None:
    """The first node that publishes ports which Envoy takes as host ports; else the first way in that Envoy offers.

    port: of the machine; a node that publishes it comes first. Default: None, the first node.
    """
    workloads = [pod for pod in inventory.pods if pod.resource.kind in ("DaemonSet", "Deployment")]
    envoy = [pod for pod in workloads if pod.resource.name == "envoy"] or [pod for pod in workloads if serves(pod)]
    own = list(envoy[0].ports) if envoy else []
    published = list(_published(inventory, own))
    by_port = (one for one in published if any(mapping.host == port for mapping in one.mappings))
    if published:
        return next(by_port, published[0])
    ways = (way for found in inventory.once(installed) for way in entrances(inventory, found).values())
    return next(ways, None) or _balanced(inventory, own)


def _published(inventory: Inventory, own: Sequence[Port]) -> Iterator[Entrypoint]:
    """The nodes that publish ports which Envoy takes as host ports."""
    host_ports = {
        outside: inside for port in own if (outside := _port(port.host_port)) and (inside := _port(port.container_port))
    }
    for _, node in nodes(inventory):
        mappings = {
            scheme: (published, PortMapping(scheme, outside, node_port, host_ports[node_port]))
            for scheme, node_port in NODE_PORTS.items()
            for published in node.mappings
            if published.container_port == node_port and node_port in host_ports
            if (outside := _port(published.host_port))
        }
        if "http" in mappings:
            number = mappings["http"][1].node
            listens = [one.listen_address for one in node.mappings if one.container_port == number]
            # An address of each family, IPv4 first.
            first = {version: next((a for a in listens if ip_version(a) == version), None) for version in (4, IPV6)}
            listen, second = (*filter(None, first.values()), None)[:2]
            ports = tuple(mapping for _, mapping in mappings.values())
            yield Entrypoint(listen, node.name, ports, listen_ipv6=second)


def _balanced(inventory: Inventory, own: Sequence[Port]) -> Entrypoint | None:
    """The load balancer of an Envoy whose Contour is not recognized."""
    for service in inventory.services:
        if service.type == "LoadBalancer" and service.selector.get("app") == "envoy":
            mappings = tuple(
                PortMapping(scheme, outside, port.node_port or outside, inside)
                for scheme in NODE_PORTS
                for port in service.ports
                if port.name == scheme
                if (outside := _port(port.port)) and (inside := port.leads_to(own))
            )
            if mappings and mappings[0].scheme == "http":
                return Entrypoint(None, None, mappings, Entrance.LOAD_BALANCER)
    return None


def backends(inventory: Inventory) -> Iterator[Backend]:
    """What routes lead to: one for each Service and port behind each of them that is among the objects."""
    for claimed in inventory.once(routes).claims.values():
        for route in claimed:
            for backend, service, port in led_to(inventory, route):
                number = _port(port.port)
                if number is None:
                    continue
                chosen = [pod for pod in inventory.pods_of(service) if pod.resource.kind == "Pod"]
                yield Backend(
                    service=backend.service,
                    namespace=str(backend.namespace),
                    ingress=route.resource.name,
                    host=route.host or "*",
                    path=route.path,
                    port=number,
                    target_port=port.leads_to([port for pod in chosen for port in pod.ports]) or number,
                    selector=service.selector,
                    pods=tuple(pod.resource.name for pod in chosen),
                    cluster_ip=objects.cluster_ip(service.resource.body),
                    request_path=route.path,
                    kind=route.resource.kind,
                    path_type=_PATH_TYPES[route.match[0]],
                    requires=route.requires,
                    tls=route.tls.secret if isinstance(route.tls, RouteTLS) else None,
                )


_PATH_TYPES = {"exact": "Exact", "regex": "Regex", "segment": "Prefix", "string": "String"}


def match_of(backend: Backend) -> tuple[str, str]:
    """What the route of a backend matches, as in `Route.match`. A Prefix of an HTTPProxy need not end at a slash."""
    if backend.path_type == "Prefix":
        return ("string", backend.path) if backend.kind == "HTTPProxy" else matched(backend.path, "Prefix")
    return next(how for how, kind in _PATH_TYPES.items() if kind == backend.path_type), backend.path


def _port(value: int | None) -> int | None:
    """A TCP port, None where it is none."""
    return value if value in range(1, 65536) else None


def _network(inventory: Inventory) -> Mapping[str, str]:
    """The pool and encapsulation that the agent of the pod network gets."""
    for pod in inventory.pods:
        for container in pod.containers if pod.resource.kind == "DaemonSet" else ():
            environment = {str(at(entry, "name")): at(entry, "value") for entry in sequence(container.body.get("env"))}
            if declared := POD_NETWORK.declared(environment):
                return declared
    return {}


def _xds(inventory: Inventory) -> str | None:
    """The address of Contour's Service, where it is declared."""
    contour = (service for service in inventory.services if service.resource.name == "contour")
    return next((address for service in contour if (address := objects.cluster_ip(service.resource.body))), None)

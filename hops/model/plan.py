"""Decides every name, port and address of a stack once, from its settings."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic.alias_generators import to_camel

from hops.model import kind_names
from hops.model.hop import (
    NOTHING_FOUND,
    Backend,
    Entrance,
    Entrypoint,
    ForeignService,
    LiveAddresses,
    NodeHop,
    PortMapping,
    RequestPath,
)
from hops.model.path import CONTOUR_NAMESPACE, request_path
from hops.model.pod_network import POD_NETWORK
from hops.model.settings.cluster_settings import ENTRANCE_PORTS, RESERVED, ClusterSettings, PublisherSettings
from hops.model.settings.service_settings import PortSettings, ServiceSettings
from hops.model.settings.stack_settings import Settings
from hops.model.versions import CONTOUR, GATEWAY_API, Manifest

NODE_PORTS = {"http": 80, "https": 443}
"""The host ports that Envoy takes on its node."""
ENVOY_PORTS = {"http": 8080, "https": 8443}
"""The ports that Envoy listens on, as Contour publishes it (examples/contour/03-envoy.yaml)."""
XDS_HOST_NUMBER = next(number for number, owner in RESERVED.items() if owner == "Contour")
"""Of Contour's Service in the service subnet: in the band that Kubernetes gives out last."""


_NOT_IN_THE_CLUSTER = {"existing", "kubeconfig_folder", "registries"}
_LATER = (
    "publishing_worker",
    "also_publish",
    "ip_family",
    "pod_subnet_ipv6",
    "service_subnet_ipv6",
    "listen_address_ipv6",
)
IN_PLACE = frozenset(map(to_camel, _NOT_IN_THE_CLUSTER))
"""The keys of `cluster` that are not part of the fingerprint."""
_UNSEEN = ForeignService({}, (), {})
POOL = ("blockSize", "encapsulation")
"""The keys of `calico` that are part of it."""


@dataclass(frozen=True)
class Plan:
    """What a stack will be.

    context: of its kubeconfig.
    fingerprint: 8 hexadecimal digits of all that a running cluster cannot change.
    xds: the address of Contour's Service.
    control_plane, workers: names of kind's node containers, empty for an existing cluster.
    services: one for each service of the settings; the host of one without a route is "".
    backends, paths: one for each route, in order.
    entrypoints: the entrypoints, one for each publishing node; `paths` enter by the first.
    entrances: the paths that enter by the others; a route with TLS enters where https is published.
    manifests: the published files that it is made of.
    fixed: the settings behind the fingerprint, by key without the namespace, such as cluster.httpPort; of an existing
        cluster its context alone.
    between: the way between the nodes to each pod, from each publishing node, in the order of `backends`; empty unless
        there are several workers.
    controller_namespace: the namespace of Contour and Envoy.
    """

    context: str
    fingerprint: str
    xds: str | None
    control_plane: str | None
    workers: tuple[str, ...]
    entrypoints: tuple[Entrypoint, ...]
    services: tuple[Backend, ...]
    backends: tuple[Backend, ...]
    paths: tuple[RequestPath, ...]
    manifests: tuple[Manifest, ...]
    fixed: Mapping[str, Any]
    between: tuple[NodeHop, ...] = ()
    entrances: tuple[RequestPath, ...] = ()
    controller_namespace: str = CONTOUR_NAMESPACE

    @property
    def entrypoint(self) -> Entrypoint:
        """The entrypoint of httpPort and httpsPort."""
        return self.entrypoints[0]

    @property
    def publishing(self) -> tuple[str, ...]:
        """The nodes that publish ports; empty for an existing cluster."""
        return tuple(entrypoint.node for entrypoint in self.entrypoints if entrypoint.node)

    @property
    def asked(self) -> tuple[tuple[RequestPath, Backend], ...]:
        """Each path by each publishing node, and where it leads; those of the first node come first."""
        leads = {(f"{one.namespace}/{one.service}", one.route): one for one in self.backends}
        return tuple((path, leads[path.service, path.route]) for path in (*self.paths, *self.entrances))

    def path_by(self, port: int, backend: Backend) -> RequestPath | None:
        """The path of the requests to a backend that enter by a port of this machine, or else by the first node.

        None if the plan has no such backend.
        """
        own = [path for path, led in self.asked if (led.namespace, led.service) == (backend.namespace, backend.service)]
        of_route = [path for path in own if path.route == backend.route]
        by_port = (path for path in of_route if any(mapping.host == port for mapping in path.mappings))
        return next((path for path in (*by_port, *of_route)), None)

    @property
    def nodes(self) -> tuple[str, ...]:
        return (self.control_plane, *self.workers) if self.control_plane else ()


def plan(settings: Settings, found: LiveAddresses = NOTHING_FOUND, authority: str | None = None) -> Plan:
    """The plan of a stack.

    settings: the stack's settings.
    found: the addresses of its running cluster. Default: none.
    authority: the file of the certificate authority that signs the certificates of services with `tls: true`; the
        output `curl` names it. Default: None, no such file is named.
    """
    cluster = settings.cluster
    workers: tuple[str, ...] = ()
    entrypoints: tuple[Entrypoint, ...]
    if cluster.existing:
        context, xds, control_plane = cluster.existing, None, None
        entrypoints = (_existing_entrypoint(settings, found.entrance),)
    else:
        context, control_plane = kind_names.context(cluster.name), kind_names.control_plane(cluster.name)
        xds = str(cluster.service_subnets[0][XDS_HOST_NUMBER])
        workers = kind_names.workers(cluster.name, cluster.workers)
        nodes = workers or (control_plane,)
        listen, second = (*cluster.listen_addresses, None, None)[:2]
        entrypoints = tuple(
            Entrypoint(listen, nodes[one.worker - 1], _mappings(one), listen_ipv6=second) for one in cluster.publishers
        )
    routed = [_backends(settings, service, found, authority) for service in settings.services]
    services = tuple(of[0] for of in routed)
    backends = tuple(backend for of in routed for backend in of if backend.host)
    network = {} if cluster.existing else POD_NETWORK.facts(settings)
    paths = tuple(request_path(entrypoints[0], backend, found, network, xds) for backend in backends)
    # What was found of the node and its Envoy is the first publishing node's.
    elsewhere = replace(found, node=None, envoy=None)
    entrances = tuple(
        request_path(entrypoint, backend, elsewhere, network, xds)
        for entrypoint in entrypoints[1:]
        for backend in backends
        if any(mapping.scheme == backend.scheme for mapping in entrypoint.mappings)
    )
    crossings = (
        crossing
        for backend in backends
        for entrypoint in entrypoints
        for crossing in _between(settings, entrypoint, backend, found)
    )
    # An existing cluster has a pod network already.
    manifests = () if settings.contour.existing else (CONTOUR,)
    if not cluster.existing:
        manifests = (POD_NETWORK.manifest, *manifests)
    if settings.gateway_hosts is not None:
        manifests = (*manifests, GATEWAY_API)
    return Plan(
        context=context,
        fingerprint=_fingerprint(settings),
        xds=xds,
        control_plane=control_plane,
        workers=workers,
        entrypoints=entrypoints,
        services=services,
        backends=backends,
        paths=paths,
        manifests=manifests,
        fixed=_fixed(settings),
        between=tuple(crossings) if len(workers) > 1 else (),
        entrances=entrances,
        controller_namespace=settings.contour.namespace or CONTOUR_NAMESPACE,
    )


def _mappings(publisher: PublisherSettings) -> tuple[PortMapping, ...]:
    """The ports that a worker publishes."""
    published = {"http": publisher.http_port, "https": publisher.https_port}
    return tuple(
        PortMapping(scheme, host, NODE_PORTS[scheme], ENVOY_PORTS[scheme]) for scheme, host in published.items() if host
    )


def _existing_entrypoint(settings: Settings, found: Entrypoint | None) -> Entrypoint:
    """The entrance of an existing cluster: as found, or else as the settings want it."""
    cluster, entrance = settings.cluster, settings.contour.entrance or "LoadBalancer"
    requested = {"http": cluster.http_port, "https": cluster.https_port}
    inside = ENTRANCE_PORTS[entrance] if cluster.listen_address else requested
    entrypoint = found or Entrypoint(
        None,
        None,
        tuple(
            PortMapping(scheme, port, port, ENVOY_PORTS[scheme])
            for scheme in ENVOY_PORTS
            if requested[scheme] and (port := inside[scheme])
        ),
        Entrance(entrance),
    )
    if cluster.listen_address is None:
        return entrypoint
    outside = tuple(replace(one, host=port) for one in entrypoint.mappings if (port := requested[one.scheme]))
    return replace(entrypoint, listen=str(cluster.listen_address), mappings=outside)


def _between(settings: Settings, entrypoint: Entrypoint, backend: Backend, found: LiveAddresses) -> Iterator[NodeHop]:
    """The way from Envoy's node to the node of each pod of a backend."""
    # Envoy itself answers a redirect.
    pods = () if backend.redirect or settings.cluster.existing else backend.pods or (backend.service,)
    for pod in pods:
        name = f"{backend.namespace}/{pod}"
        yield NodeHop(
            service=f"{backend.namespace}/{backend.service}",
            route=backend.route,
            pod=name,
            source=str(entrypoint.node),
            target=found.nodes.get(name, found.unnamed if backend.named_later else None),
            encapsulation=settings.calico.encapsulation,
            encapsulated=settings.calico.encapsulation == "VXLAN",
        )


def _fixed(settings: Settings) -> dict[str, Any]:
    """All that a running cluster cannot change: nodes, ports, subnets, and the pod network's pool."""
    if settings.cluster.existing:
        return {"cluster.existing": settings.cluster.existing}
    cluster = settings.cluster.model_dump(mode="json", by_alias=True, exclude=_left_out(settings.cluster))
    pool = POD_NETWORK.fixed(settings, by_alias=True)
    return {f"cluster.{key}": value for key, value in cluster.items()} | {
        f"{POD_NETWORK.name}.{key}": value for key, value in pool.items()
    }


def _left_out(cluster: ClusterSettings) -> set[str]:
    """The keys that are no part of the fingerprint. Running clusters were made before some keys had a default."""
    fields = ClusterSettings.model_fields
    return _NOT_IN_THE_CLUSTER | {key for key in _LATER if getattr(cluster, key) == fields[key].default}


def _fingerprint(settings: Settings) -> str:
    # Of the same settings as `_fixed`, in the form that the marks of running clusters were made from.
    fixed = {
        "cluster": settings.cluster.model_dump(mode="json", exclude=_left_out(settings.cluster)),
        "pool": POD_NETWORK.fixed(settings),
    }
    return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:8]


def _backends(
    settings: Settings, service: ServiceSettings, found: LiveAddresses, authority: str | None
) -> tuple[Backend, ...]:
    """One backend for each route; the one of a service without a route has no host."""
    name = f"{service.namespace}/{service.name}"
    foreign = found.foreign.get(name, _UNSEEN) if service.kind == "Service" else None

    def target(port: PortSettings) -> int:
        return foreign.targets.get(port.port, 0) if foreign else port.target

    base = Backend(
        service=service.name,
        namespace=service.namespace,
        ingress="",
        host="",
        path="/",
        port=service.ports[0].port,
        target_port=target(service.ports[0]),
        selector=foreign.selector if foreign else {"service": service.pod},
        pods=foreign.pods if foreign else service.pods or found.deployed.get(name, ()),
        deployment=service.kind == "Deployment",
        foreign=service.kind == "Service",
        cluster_ip=str(service.cluster_ip) if service.cluster_ip else None,
        several=len(service.routes) > 1,
    )
    routed = tuple(
        replace(
            base,
            ingress=route.name,
            host=route.host,
            path=route.path,
            path_type=route.path_type,
            port=service.port_of(route).port,
            target_port=target(service.port_of(route)),
            request_path=route.asked,
            kind=route.kind,
            grpc=route.protocol == "h2c",
            tls=route.secret,
            authority=authority if route.tls is True else None,
            redirect=route.redirect.target if route.redirect else "",
            requires=route.conditions,
            weights={f"{one.service}:{one.port}": one.weight for one in settings.shares(service, route)},
            mirror=str(settings.mirrored(service, route) or ""),
        )
        for route in service.routes
    )
    return routed or (base,)

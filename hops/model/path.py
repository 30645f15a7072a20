"""Draws the twelve hops of one route, wherever its entrypoint and its backend were learnt."""

import hashlib
import re
import shlex
from collections.abc import Mapping
from ipaddress import ip_address

from hops.model.hop import (
    KINDS,
    Backend,
    Entrance,
    Entrypoint,
    Hop,
    HopName,
    HopRole,
    KnownAt,
    LiveAddresses,
    RequestPath,
    RouteMatch,
    SocketAddress,
    bracketed,
)
from hops.model.kind_names import is_control_plane
from hops.model.pod_network import POD_NETWORK

CONTOUR_NAMESPACE = "projectcontour"
GATEWAY = "contour"
"""The Gateway of a stack with HTTPRoutes, in Contour's namespace, and its class."""
HOST_PORT_CHAIN = "CNI-HOSTPORT-DNAT"
"""The nat chain in which the portmap plugin keeps all host ports of a node (plugins/meta/portmap)."""
XDS_PORT = 8001
"""Where Contour serves xDS to Envoy (examples/contour/02-service-contour.yaml)."""
_EDS_NAME_LENGTH = 60
USUAL_PORTS = {"http": 80, "https": 443}
"""The port of a URL without one, by scheme (RFC 9110, sections 4.2.1 and 4.2.2)."""
_INSIDE_TLS = (HopName.ROUTE, HopName.REPLY_ROUTE, HopName.REPLY_CLIENT)
"""The hops whose HTTP is inside of TLS: Envoy ends the TLS of the client, and speaks plain HTTP to the pod."""


def envoy_cluster(namespace: str, service: str, port: int) -> str:
    """Envoy's name for a Service's endpoints under Contour's default options, at most 60 characters.

    namespace: of the Service.
    service: its name.
    port: the Service's port number.

    Source: Contour, internal/envoy/cluster.go, Clustername and Hashname.
    """
    options = hashlib.sha1(b"", usedforsecurity=False).hexdigest()[:10]
    parts = [namespace, service, str(port), options]
    suffix = hashlib.sha256("/".join(parts).encode()).hexdigest()[:6]
    room = _EDS_NAME_LENGTH // len(parts)
    for index in reversed(range(len(parts))):
        if len("/".join(parts)) < _EDS_NAME_LENGTH:
            break
        if len(parts[index]) > room:
            parts[index] = f"{parts[index][: room - len(suffix) - 1]}-{suffix}"
    return "/".join(parts)


_HASH_OF_OPTIONS = re.compile(r"(?<![^\s])([^\s/]+/[^\s/]+/[0-9]+)/[0-9a-f]{10}(?![^\s,;)])")


def without_hashes(text: str) -> str:
    """A text in which each of Envoy's names for a Service's endpoints is namespace/service/port alone."""
    return _HASH_OF_OPTIONS.sub(r"\1", text)


def _others(backend: Backend) -> dict[str, str]:
    """The weights of a route's backends and its mirror, as details of its hop."""
    whole = sum(backend.weights.values())
    shares = ", ".join(f"{name} {weight} of {whole}" for name, weight in backend.weights.items())
    return ({"weights": shares} if shares else {}) | ({"mirror": backend.mirror} if backend.mirror else {})


def request_path(
    entrypoint: Entrypoint, backend: Backend, found: LiveAddresses, network: Mapping[str, str], xds: str | None = None
) -> RequestPath:
    """The path of the requests to one backend.

    found: the running cluster's addresses, empty before it runs.
    network: further facts of the endpoint hop.
    xds: the address of Contour's Service, from which Envoy has its routes.
    """
    mappings = entrypoint.mappings
    # An entrance without https, as objects may declare it, leaves a route with a certificate its plain port.
    entry = next((mapping for mapping in mappings if mapping.scheme == backend.scheme), mappings[0])
    name = f"{backend.namespace}/{backend.service}"
    pods = {pod: found.pods.get(f"{backend.namespace}/{pod}") for pod in backend.pods}
    pod_address = next(iter(pods.values()), found.unnamed if backend.named_later else None)
    cluster_ip = backend.cluster_ip or found.services.get(name)
    entrance, docker = entrypoint.listen, entrypoint.by is Entrance.DOCKER
    client = next(iter(entrypoint.clients), None)
    known = docker or found.network == POD_NETWORK.name
    interface = POD_NETWORK.interface(backend.namespace, backend.pods[0]) if backend.pods and known else None
    authority = backend.host if entry.host == USUAL_PORTS[entry.scheme] else f"{backend.host}:{entry.host}"
    url = f"{entry.scheme}://{authority}{backend.request_path}"
    secure = entry.scheme == "https"

    def at(address: str | None, port: int | None) -> SocketAddress | None:
        return SocketAddress(address, port) if address and port else None

    onward = interface or ("an interface named at up" if backend.named_later and known else None)
    if backend.pods:
        server = f"pod {backend.namespace}/{backend.pods[0]}"
    else:
        server = f"deployment {name}" if backend.deployment else f"pod of service {name}" if backend.foreign else "pod"
    envoy = at(found.envoy, entry.envoy)
    served = backend.target_port or None
    pod = at(pod_address, served)
    published = f"docker {entrypoint.node}" if docker else "load balancer"
    role = "node" if not docker else "control plane" if is_control_plane(str(entrypoint.node)) else "worker"
    node = f"{role} {entrypoint.node}" if entrypoint.node else "nodes of the cluster"
    ingress = f"{backend.kind.lower()} {backend.namespace}/{backend.ingress}"
    behind = SocketAddress(backend.service, backend.port)
    network_name = POD_NETWORK.name if known else "pod network"
    network_component = f"{network_name} {interface}" if interface else network_name
    inside = {**network} | ({"interface": interface} if interface else {})
    match = RouteMatch(
        host=backend.host,
        path=backend.path,
        service=backend.service,
        port=backend.port,
        cluster=envoy_cluster(backend.namespace, backend.service, backend.port),
    )
    route = {
        "match": f"{match.host}{match.path}",
        **({"conditions": ", ".join(map(str, backend.requires))} if backend.requires else {}),
        **(
            {"redirect": backend.redirect}
            if backend.redirect
            else {"backend": f"{match.service}:{match.port}", "cluster": match.cluster}
        ),
    } | ({str(HopRole.CONTROL): f"xDS of contour at {SocketAddress(xds, XDS_PORT)}"} if xds else {})
    route |= _others(backend)
    if backend.tls and secure:
        route["certificate"] = f"secret {backend.namespace}/{backend.tls}"
    selector = {
        "dns": f"{backend.service}.{backend.namespace}.svc.cluster.local",
        "selector": ",".join(f"{k}={v}" for k, v in sorted(backend.selector.items())),
    }
    addresses = {"pods": " ".join(f"{pod}={address or '?'}" for pod, address in pods.items())} if len(pods) > 1 else {}
    ways = {
        m.scheme: f"{m.host} -> {entrypoint.node}:{m.node}" if docker else f"{m.host} -> {m.envoy}" for m in mappings
    }
    inward = {m.scheme: f"{m.node} -> {m.envoy}" for m in mappings}
    chains = {"chain": HOST_PORT_CHAIN, "node": str(entrypoint.node), **inward} if docker else inward

    # component, address, port, next, details; in the order of KINDS
    rows: list[tuple[str, str | None, int | None, SocketAddress | str | None, dict[str, str]]] = [
        ("resolver of the host machine", backend.host, entry.host, at(client, entry.host), {}),
        (published, entrance, entry.host, SocketAddress(str(entrypoint.node), entry.node) if docker else envoy, ways),
        (node, found.node, entry.node, envoy, {} if entrypoint.by is Entrance.LOAD_BALANCER else chains),
        (ingress, found.envoy, entry.envoy, client if backend.redirect else behind, route),
        (f"service {name}", cluster_ip, backend.port, pod, selector),
        (network_component, pod_address, served, onward, inside),
        (server, pod_address, served, found.envoy, addresses),
        (network_component, pod_address, served, found.envoy, {}),
        (ingress, found.envoy, entry.envoy, found.node, {}),
        (node, found.node, entry.node, client, {}),
        (published, entrance, entry.host, client, {}),
        ("client", client, None, None, {}),
    ]
    in_preview = {
        HopName.NAME: True,
        HopName.PORT_MAPPING: docker,
        HopName.SERVICE: bool(backend.cluster_ip),
        HopName.REPLY_PORT_MAPPING: docker,
        HopName.REPLY_CLIENT: docker,
    }
    publishing = (HopName.PORT_MAPPING, *(() if entrypoint.by is Entrance.LOAD_BALANCER else (HopName.HOST_PORT,)))
    left_out = (_BEHIND_ENVOY if backend.redirect else ()) + (_BEFORE_NODES if entrypoint.by.on_node else ())
    hops = tuple(
        Hop(
            service=name,
            number=kind.number,
            name=kind.name.shown(entrypoint.by),
            component=component,
            address=address,
            port=port,
            protocol="HTTPS" if secure and kind.name in _INSIDE_TLS else kind.protocol,
            next=None if to is None else str(to),
            standing=kind.standing,
            known_at=KnownAt.PREVIEW if in_preview.get(kind.name) else KnownAt.UP,
            details=details | _second(kind.name, address, entrypoint, found),
            to=to if isinstance(to, SocketAddress) else None,
            mappings=mappings if kind.name in publishing else (),
            match=match if kind.name is HopName.ROUTE else None,
            route=backend.route,
        )
        for kind, (component, address, port, to, details) in zip(KINDS, rows, strict=True)
        if kind.name not in left_out
    )
    trust = f"--cacert {shlex.quote(backend.authority)} " if secure and backend.authority else ""
    # The status of a gRPC call is in the headers of an answer without a body.
    call = "--include --request POST " if backend.grpc else ""
    call += "".join(f"--header {shlex.quote(f'{name}: {value}')} " for name, value in backend.request_headers.items())
    resolve = f"{_connect(backend.host, entry.host, entrypoint.clients)} " if client else ""
    return RequestPath(
        service=name,
        scheme=entry.scheme,
        url=url,
        curl=f"curl {call}{trust}{resolve}{shlex.quote(url)}",
        hops=hops,
        kind=backend.kind,
        host=backend.host,
        path=backend.path,
        route=backend.route,
    )


_BEHIND_ENVOY = (HopName.SERVICE, HopName.ENDPOINT, HopName.POD, HopName.REPLY_ENDPOINT)
"""The hops that a redirect does not have: Envoy itself answers it."""
_BEFORE_NODES = (HopName.PORT_MAPPING, HopName.REPLY_PORT_MAPPING)
"""The hops that requests to a node's own address do not have."""


def _second(hop: HopName, address: str | None, entrypoint: Entrypoint, found: LiveAddresses) -> dict[str, str]:
    """The address of the other family that a hop has beside its first one, as a detail."""
    second = entrypoint.listen_ipv6 if hop is HopName.PORT_MAPPING else found.seconds.get(address or "")
    return {"ipv6": second} if second and hop in _WITH_ADDRESS else {}


_WITH_ADDRESS = (HopName.PORT_MAPPING, HopName.HOST_PORT, HopName.ROUTE, HopName.SERVICE, HopName.POD)
"""The hops that have an address of their own."""


def _connect(host: str, port: int, clients: tuple[str, ...]) -> str:
    """The option that makes curl go there for this name; a load balancer may be known by a name of its own only."""
    try:
        ip_address(clients[0])
    except ValueError:
        return f"--connect-to {host}:{port}:{clients[0]}:{port}"
    # A shell takes brackets for a pattern.
    addresses = ",".join(map(bracketed, clients))
    return f"--resolve {shlex.quote(f'{host}:{port}:{addresses}')}"

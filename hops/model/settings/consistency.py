"""What is wrong among the settings of a stack that are each valid."""

import json
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Literal

from hops.model.hop import route_name
from hops.model.settings.cluster_settings import (
    ENTRANCE_PORTS,
    NODE_PORT_RANGE,
    RESERVED,
    VERSIONS,
    InstalledContourSettings,
)
from hops.model.settings.problem_text import nearest, set_secret
from hops.model.settings.service_settings import ServiceSettings, listed
from hops.model.settings.setting_types import MOST_SECURE_LISTENERS

if TYPE_CHECKING:
    # Settings asks this module.
    from hops.model.settings.route_settings import CorsSettings, MirrorSettings
    from hops.model.settings.stack_settings import Settings


def problems_of(settings: "Settings", stack: str) -> list[str]:
    """What is wrong among settings that are each valid: one line per problem, with key, value, bound and remedy.

    settings: of the whole stack.
    stack: the stack's name, which remedies contain.
    """
    problems = [
        *_twice("name", ((f"{s.namespace}/{s.name}", s) for s in settings.services)),
        # The pods of a Deployment have its label and its account.
        *_twice(
            "pod",
            (
                (f"{s.namespace}/{pod}", s)
                for s in settings.services
                if s.kind != "Service"
                for pod in s.pods or (s.pod,)
            ),
        ),
        *(
            problem
            for kind in ("Ingress", "HTTPRoute")
            for problem in _twice(
                kind.lower(),
                ((f"{s.namespace}/{r.name}", s) for s in settings.services for r in s.routes if r.kind == kind),
            )
        ),
        *_twice(
            "host and path",
            (
                (route_name(r.host, r.path, sorted(r.conditions, key=str)) + _unless_prefix(r.path_type), s)
                for s in settings.services
                for r in s.routes
            ),
        ),
        *_proxies(settings.services),
        *_gateway_routes(settings.services),
        *(problem for number, s in enumerate(settings.services) for problem in _backends(settings, number, s)),
        *_certificates(settings.services),
    ]
    problems += [
        f"services[{number}].{key} takes the secret {name}, and there is no such secret; "
        f"{nearest(name, settings.secrets, 'secrets')}; {set_secret(stack, name)}"
        for number, s in enumerate(settings.services)
        for key, name in s.secrets.items()
        if name not in settings.secrets
    ]
    problems += [
        f"services[{number}].admit[{index}] is {name}, and no service of this stack has this name; "
        f"{nearest(name, (_short(s, other) for other in settings.services), 'services')}"
        for number, s in enumerate(settings.services)
        for index, name in enumerate(s.admit)
        if settings.referred(s, name) is None
    ]
    problems += [
        f"services[{number}].admit[{index}] is {name}, which has kind Service: the labels of its pods are not "
        "known; remove it, and declare a NetworkPolicy beside the stack"
        for number, s in enumerate(settings.services)
        for index, name in enumerate(s.admit)
        if (other := settings.referred(s, name)) and other.kind == "Service"
    ]
    problems += [
        f"services: {s.name} has build, and cluster.existing is {settings.cluster.existing}, which is no kind cluster "
        "and takes no images from Docker; push the image to a registry, and set image instead of build"
        for s in settings.services
        if s.build and settings.cluster.kind_name is None
    ]
    if settings.contour.existing and settings.gateway_hosts is not None:
        problems.append(
            f"contour.existing is {settings.contour.existing}, and only a Contour that the stack installs serves the "
            "Gateway of its HTTPRoutes; set their kind to Ingress or HTTPProxy, or remove contour.existing"
        )
    if settings.calico.encapsulation == "None" and settings.cluster.workers > 1 and not settings.cluster.existing:
        # calico-vxlan.yaml has no BGP agent, and Felix writes the routes of VXLAN only (ProgramClusterRoutes).
        problems.append(
            f"calico.encapsulation is None, and cluster.workers is {settings.cluster.workers}: nothing writes the "
            "routes between the nodes; take VXLANCrossSubnet, which encapsulates nothing inside of one subnet, or "
            "1 worker"
        )
    if settings.cluster.existing and settings.contour.envoy_nodes == "publishing":
        problems.append(
            f"contour.envoyNodes is publishing, and cluster.existing is {settings.cluster.existing}, whose nodes "
            "publish no ports for the stack; remove envoyNodes"
        )
    if settings.cluster.pod_subnet.prefixlen > settings.calico.block_size:
        problems.append(
            f"calico.blockSize /{settings.calico.block_size} does not fit into cluster.podSubnet "
            f"{settings.cluster.pod_subnet}; take a number from {max(20, settings.cluster.pod_subnet.prefixlen)} to 32"
        )
    problems += _entered(settings) if settings.cluster.existing else _made(settings)
    problems += _twice("clusterIP", ((str(s.cluster_ip), s) for s in settings.services if s.cluster_ip))
    problems += [
        f"services: clusterIP {s.cluster_ip} of {s.name} is {RESERVED[number]}'s; take another"
        for s in settings.services
        if s.cluster_ip and (number := int(s.cluster_ip) - int(_network(settings, s).network_address)) in RESERVED
    ]
    problems += [
        f"services: clusterIP {s.cluster_ip} of {s.name} lies outside cluster."
        f"serviceSubnet{'IPv6' if isinstance(subnet, IPv6Network) else ''} {subnet}; take one inside it"
        for s in settings.services
        if s.cluster_ip and s.cluster_ip not in (subnet := _network(settings, s))
    ]
    problems += [
        f"services[{number}].ipFamily is {s.ip_family}, and cluster.ipFamily is {settings.cluster.ip_family}; set "
        "cluster.ipFamily to dual, or remove ipFamily of the service"
        for number, s in enumerate(settings.services)
        if s.ip_family and not set(VERSIONS[s.ip_family]) <= set(settings.cluster.families)
    ]
    if not any(s.routes for s in settings.services):
        problems.append("services: no service has a route, so no request comes in; give one of them a route")
    problems += [
        f"services: {s.name} has tls, and cluster.httpsPort is null, so nothing listens for https; "
        "set httpsPort, to 8443 for example, or remove tls"
        for s in settings.services
        if settings.cluster.https_port is None and any(route.tls for route in s.routes)
    ]
    return problems


def _network(settings: "Settings", service: ServiceSettings) -> IPv4Network | IPv6Network:
    """The network of the first address of a Service."""
    subnets = settings.cluster.service_subnets
    return subnets[-1] if service.ip_family == "ipv6" else subnets[0]


def _backends(settings: "Settings", number: int, service: ServiceSettings) -> Iterator[str]:
    """What is wrong with the other services behind the routes of a service."""
    for index, route in enumerate(service.routes if service.declared_routes else ()):
        key = f"services[{number}].routes[{index}]"
        given: dict[str, MirrorSettings] = {f"{key}.others[{n}]": other for n, other in enumerate(route.others)}
        if route.mirror:
            given[f"{key}.mirror"] = route.mirror
        for at, backend in given.items():
            other = settings.referred(service, backend.service)
            if other is None:
                near = nearest(backend.service, (s.name for s in settings.services), "services")
                yield (
                    f"{at}.service is {backend.service}, and no service of the namespace {service.namespace} has "
                    f"this name; {near}"
                )
            elif other.port_named(backend.port) is None:
                yield (
                    f"{at}.port is {backend.port}, and {other.name} has {listed(other.ports)}; take one of these, "
                    "or remove port"
                )
        shares = [(service.name, service.port_of(route).port)] + [settings.behind(service, o) for o in route.others]
        if twice := next((share for share in shares if shares.count(share) > 1), None):
            yield f"{key}.others: {twice[0]}:{twice[1]} shares the requests twice; add its weights up in one entry"


def _made(settings: "Settings") -> Iterator[str]:
    """What is wrong with the entrance of a cluster that the stack makes."""
    cluster, contour = settings.cluster, settings.contour
    if contour.existing:
        yield (
            f"contour.existing is {contour.existing}, and the stack makes a new cluster, which has no Contour; "
            "name the Contour's cluster in cluster.existing, or remove contour.existing"
        )
    if contour.entrance:
        yield (
            f"contour.entrance is {contour.entrance}, and Docker publishes the ports of the cluster that the "
            "stack makes; remove entrance, or name another cluster in cluster.existing"
        )
    if cluster.listen_address is None:
        yield "cluster.listenAddress is null, and Docker publishes ports on an address; set it to 127.0.0.1"


def _entered(settings: "Settings") -> Iterator[str]:
    """What is wrong with the entrance of an existing cluster."""
    cluster, contour = settings.cluster, settings.contour
    if contour.existing:
        for key, field in InstalledContourSettings.model_fields.items():
            if getattr(contour, key) != field.default:
                yield (
                    f"contour.{field.alias} is of a Contour that the stack installs, and contour.existing is "
                    f"{contour.existing}; remove {field.alias}"
                )
    if cluster.listen_address is not None:
        return
    usual = ENTRANCE_PORTS[contour.entrance or "LoadBalancer"]
    for scheme, port in (("http", cluster.http_port), ("https", cluster.https_port)):
        key = f"cluster.{scheme}Port is {port}"
        if contour.existing and port not in (usual[scheme], None):
            yield (
                f"{key}, and the stack reads the ports of the Contour {contour.existing} from the cluster; remove "
                f"{scheme}Port, or set cluster.listenAddress to the address outside of it that has this port"
            )
        elif contour.entrance == "NodePort" and port and port not in NODE_PORT_RANGE:
            yield (
                f"{key}, and contour.entrance is NodePort, which takes a port from {NODE_PORT_RANGE[0]} to "
                f"{NODE_PORT_RANGE[-1]}; remove {scheme}Port, or take one of these"
            )


def _short(service: ServiceSettings, other: ServiceSettings) -> str:
    """The reference by which a service names another one."""
    return other.name if other.namespace == service.namespace else f"{other.namespace}/{other.name}"


def _unless_prefix(path_type: str) -> str:
    return "" if path_type == "Prefix" else f" ({path_type})"


def _twice(what: str, claims: Iterable[tuple[str, ServiceSettings]]) -> list[str]:
    seen: dict[str, ServiceSettings] = {}
    problems = []
    for claim, owner in claims:
        if first := seen.get(claim):
            who = f"two routes of {owner.name}" if first is owner else f"{first.name} and {owner.name} both"
            problems.append(f"services: {who} claim the {what} {claim}; give one another")
        seen.setdefault(claim, owner)
    return problems


def _proxies(services: Iterable[ServiceSettings]) -> Iterator[str]:
    """What is wrong among HTTPProxies: Contour serves one of each host."""
    first: dict[str, tuple[str, str, Literal[True] | str | None]] = {}
    cors: dict[str, CorsSettings] = {}
    for service in services:
        for route in service.routes if service.declared_routes else ():
            if route.kind != "HTTPProxy":
                continue
            own = (service.namespace, route.name, route.tls)
            namespace, name, tls = first.setdefault(route.host, own)
            if (namespace, name) != own[:2]:
                yield (
                    f"services: {route.host} has the HTTPProxies {namespace}/{name} and "
                    f"{service.namespace}/{route.name}, and Contour serves one of a host; give their routes one name "
                    "in one namespace, or kind Ingress"
                )
            elif tls != route.tls:
                yield f"services: the HTTPProxy of {route.host} has two values of tls; set the same on all its routes"
            if route.cors and cors.setdefault(route.host, route.cors) != route.cors:
                yield (
                    f"services: the HTTPProxy of {route.host} has two values of cors, which applies to the whole host; "
                    "keep it on one of its routes"
                )


def _gateway_routes(services: Iterable[ServiceSettings]) -> Iterator[str]:
    """What is wrong among HTTPRoutes: Contour gives a host that has a listener of its own to no other listener."""
    secured: dict[str, bool] = {}
    for route in (route for service in services for route in service.routes if route.kind == "HTTPRoute"):
        if secured.setdefault(route.host, bool(route.tls)) != bool(route.tls):
            yield (
                f"services: {route.host} has HTTPRoutes with tls and without, and Contour serves those with it only; "
                "set the same tls on all its routes"
            )
    if len(hosts := [host for host in secured if secured[host]]) > MOST_SECURE_LISTENERS:
        yield (
            f"services: {len(hosts)} hosts have HTTPRoutes with tls, and the Gateway has listeners for at most "
            f"{MOST_SECURE_LISTENERS}; set kind of the others to HTTPProxy"
        )


def _certificates(services: Iterable[ServiceSettings]) -> Iterator[str]:
    """The hosts with two certificates: Contour serves one of a host."""
    first: dict[str, Literal[True] | str] = {}
    for route in (route for service in services for route in service.routes if route.tls):
        if route.tls and first.setdefault(route.host, route.tls) != route.tls:
            both = " and ".join(json.dumps(value) for value in (first[route.host], route.tls))
            yield f"services: {route.host} has the certificates {both} (tls); set the same on all routes of the host"

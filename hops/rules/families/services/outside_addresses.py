"""SV03, SV04 and SV05: Services with addresses outside the cluster."""

from collections.abc import Iterator, Mapping
from functools import partial
from ipaddress import IPv6Address
from typing import Any, Literal

from pydantic import Field

from hops.kubernetes.controller.contour import serves
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.services import DeclaredService
from hops.kubernetes.routing.exposed import routed
from hops.kubernetes.values import UNKNOWN, Undecidable, address, text, texts
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.model.settings.setting_types import Section
from hops.rules.families.samples import SERVED_POD, service_example
from hops.rules.families.services.service_ports import SERVICES
from hops.rules.rule import CONTROLLER, Breach, NoParameters, Rule, Scope, services


class Outside(Section):
    """Parameters of SV03.

    outside: the Services that may have type NodePort or LoadBalancer, as patterns Kind/namespace/name, in addition to
        Services whose pods all run Envoy or Contour.
    types: the types that other Services may not have: NodePort, LoadBalancer or both.
    """

    outside: tuple[str, ...] = (CONTROLLER.replace("DaemonSet", "Service"),)
    types: tuple[Literal["NodePort", "LoadBalancer"], ...] = Field(
        ("NodePort", "LoadBalancer"), examples=[["LoadBalancer"]]
    )


@partial(
    Rule,
    code="SV03",
    title="Only the ingress controller's Service is reachable from outside",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.RESOURCE,
    of=services,
    hop=HopName.SERVICE,
    parameters=Outside,
    remediable=True,
    why="A NodePort, which a LoadBalancer also opens, exposes the Service on every node and bypasses the rules of "
    "every Ingress.",
    remedy="Set `spec.type` to ClusterIP and route to the Service with an Ingress, or add it to the parameter "
    "`outside` of SV03.",
    references=(SERVICES + "#publishing-services-service-types",),
    bad=SERVED_POD
    + service_example("{type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}"),
    good=SERVED_POD + service_example("{type: ClusterIP, selector: {app: web}, ports: [{port: 8080}]}"),
)
def not_outside(service: DeclaredService, inventory: Inventory, parameters: Outside) -> Iterator[Breach]:
    if service.type not in parameters.types or service.resource.means(parameters.outside):
        return
    selected = inventory.pods_of(service)
    if selected and all(serves(pod) for pod in selected):
        return
    key = (service.resource.namespace, service.resource.name)
    leading = None if service.resource.vague else inventory.once(routed).get(key)
    yield Breach(
        "/spec/type",
        f"the Service has type {service.type}" + (f" and bypasses {leading}." if leading else "."),
        _inside(service),
        evidence=service.type,
        # One that is out of range is refused, and the type with it.
        causes=tuple((service.resource, f"{port.pointer}/nodePort") for port in service.ports if port.node_port),
    )


_OUTSIDE_ONLY = (
    *("allocateLoadBalancerNodePorts", "externalTrafficPolicy", "healthCheckNodePort"),
    *("loadBalancerClass", "loadBalancerIP", "loadBalancerSourceRanges"),
)


def _inside(service: DeclaredService) -> tuple[Mapping[str, Any], ...]:
    """Makes it a ClusterIP, without the fields that the API refuses there."""
    operations: list[Mapping[str, Any]] = [{"op": "replace", "path": "/spec/type", "value": "ClusterIP"}]
    operations += [{"op": "remove", "path": f"/spec/{key}"} for key in _OUTSIDE_ONLY if key in service.spec]
    declared = service.spec.get("ports")
    operations += [
        {"op": "remove", "path": f"/spec/ports/{index}/nodePort"}
        for index, port in enumerate(declared if isinstance(declared, list) else ())
        if isinstance(port, dict) and "nodePort" in port
    ]
    return tuple(operations)


class ExternalAddresses(Section):
    """Parameters of SV04.

    addresses: the external IPs that a Service may have.
    """

    addresses: tuple[str, ...] = Field((), examples=[["192.0.2.10"]])


@partial(
    Rule,
    code="SV04",
    title="A Service has no external IPs",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.RESOURCE,
    of=services,
    hop=HopName.SERVICE,
    parameters=ExternalAddresses,
    remediable=True,
    why="kube-proxy redirects traffic for an external IP to the Service, even if the address belongs to another "
    "system. A Service can thereby intercept the traffic of others (CVE-2020-8554).",
    remedy="Remove externalIPs and route to the Service with an Ingress, or add the address to the parameter "
    "`addresses` of SV04.",
    references=("https://github.com/kubernetes/kubernetes/issues/97076",),
    bad=SERVED_POD
    + service_example("{selector: {app: web}, ports: [{port: 80, targetPort: 8080}], externalIPs: [203.0.113.7]}"),
    good=SERVED_POD + service_example("{selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}"),
)
def no_external_ips(service: DeclaredService, _: Inventory, parameters: ExternalAddresses) -> Iterator[Breach]:
    given = texts(service.spec.get("externalIPs"))
    if not given:
        return
    if any(ip is UNKNOWN for ip in given):
        raise Undecidable
    others = [ip for ip in given if ip not in parameters.addresses]
    if others:
        kept = [ip for ip in given if ip in parameters.addresses]
        yield Breach(
            "/spec/externalIPs",
            f"externalIPs contains {', '.join(others)}.",
            ({"op": "replace", "path": "/spec/externalIPs", "value": kept},)
            if kept
            else ({"op": "remove", "path": "/spec/externalIPs"},),
            evidence=", ".join(others),
        )


@partial(
    Rule,
    code="SV05",
    title="An ExternalName does not resolve to the client itself",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=services,
    hop=HopName.SERVICE,
    why="A client that resolves such a name connects to itself: Envoy to its own admin interface, a node to the "
    "metadata service at 169.254.169.254. Contour rejects these names.",
    remedy="Set externalName to another host, or use a Service with a selector.",
    references=("https://github.com/projectcontour/contour/security/advisories/GHSA-5ph6-qq5x-7jwc",),
    bad=service_example("{type: ExternalName, externalName: localhost}"),
    good=service_example("{type: ExternalName, externalName: db.example.com}"),
)
def not_back_here(service: DeclaredService, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    if service.type != "ExternalName":
        return
    name = text(service.spec.get("externalName"))
    if name and _is_here(name.lower().rstrip(".")):
        yield Breach("/spec/externalName", f"externalName {name} resolves to the client itself.", evidence=name)


# The last one is a public name for 127.0.0.1, which Contour refuses too (internal/dag/accessors.go).
_HERE = ("ip6-localhost", "ip6-loopback", "localhost", "localhost.localdomain", "local.projectcontour.io")


def _is_here(name: str) -> bool:
    found = address(name.strip("[]"))
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found
    if found:
        return found.is_loopback or found.is_link_local or found.is_unspecified
    return name in _HERE or name.endswith(".localhost")

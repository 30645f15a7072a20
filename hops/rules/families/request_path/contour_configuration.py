"""RP05, RP06 and RP07: what Contour watches, listens on and reads."""

from collections.abc import Iterator
from functools import partial
from itertools import chain

from hops.kubernetes.controller import contour_annotations
from hops.kubernetes.controller.classes import class_field, ingresses_of_others, others, owner_of
from hops.kubernetes.controller.contour import contours, may_serve, serves, watched
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.ingresses import DeclaredIngress
from hops.kubernetes.resources.pods import Pod
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.resources.services import DeclaredService
from hops.kubernetes.routing.exposed import routed
from hops.kubernetes.routing.proxies import virtual_host
from hops.kubernetes.routing.targets import home
from hops.kubernetes.values import (
    UNKNOWN,
    Undecidable,
    address,
    pointer,
)
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.rules.families.samples import CONTROLLER, DEPLOYMENT, ROUTED
from hops.rules.rule import Breach, NoParameters, Rule, Scope, pods

_CONTOUR = "https://projectcontour.io/docs/1.33/"


def _entrances(inventory: Inventory) -> Iterator[DeclaredIngress | Resource]:
    return chain(inventory.ingresses, inventory.of_kind("HTTPProxy"))


@partial(
    Rule,
    code="RP05",
    title="Contour watches the namespace of a route",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=_entrances,
    of_contour=True,
    hop=HopName.ROUTE,
    why="With --watch-namespaces, Contour reads no object of any other namespace, and with --root-namespaces it marks "
    "an HTTPProxy with a virtualhost elsewhere as invalid. The client receives 404.",
    remedy="Add the namespace to the flag of Contour, or move the route.",
    references=(_CONTOUR + "configuration/",),
    bad=DEPLOYMENT + ROUTED + CONTROLLER.replace("--incluster", "--incluster, --watch-namespaces=shop"),
    good=DEPLOYMENT + ROUTED + CONTROLLER.replace("--incluster", '--incluster, "--watch-namespaces=shop,apps"'),
)
def watches(subject: DeclaredIngress | Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    found = inventory.once(contours)
    if not any(contour.namespaces or contour.roots for contour in found) or owner_of(subject, inventory):
        return
    namespace = home(subject.resource)
    if not watched(namespace, found):
        shown = ", ".join(dict.fromkeys(name for contour in found for name in contour.namespaces))
        yield Breach("/metadata/namespace", f"Contour watches only {shown}, and the route is in {namespace}.")
    elif isinstance(subject, Resource) and virtual_host(subject) is not None:
        roots = {name for contour in found for name in contour.roots}
        if all(contour.roots for contour in found) and namespace not in roots:
            message = f"Contour accepts a virtualhost only in {', '.join(sorted(roots))}, and the HTTPProxy is in"
            yield Breach("/spec/virtualhost", f"{message} {namespace}.")


@partial(
    Rule,
    code="RP06",
    title="The hostPort of Envoy leads to a port on which Envoy listens",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=pods,
    hop=HopName.HOST_PORT,
    why="Contour configures the ports on which Envoy listens: 8080 and 8443, or those of --envoy-service-http-port and "
    "--envoy-service-https-port. A hostPort whose containerPort is another port leads to a port that nobody opens, and "
    "the connection is refused.",
    remedy="Set containerPort of Envoy and the flag of Contour to the same port.",
    references=(_CONTOUR + "configuration/",),
    bad=DEPLOYMENT + ROUTED + CONTROLLER.replace("--incluster", "--incluster, --envoy-service-http-port=80"),
    good=DEPLOYMENT + ROUTED + CONTROLLER.replace("--incluster", "--incluster, --envoy-service-http-port=8080"),
)
def listens(pod: Pod, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    if not pod.host_ports:
        return
    if not serves(pod):
        if may_serve(pod):
            raise Undecidable
        return
    if pod.resource.nowhere or any(contour.workload.nowhere for contour in inventory.once(contours)):
        raise Undecidable
    # A base and its overlay declare the same Contour.
    here = {str(c.workload): c for c in inventory.once(contours) if c.workload.namespace == pod.resource.namespace}
    if len(here) != 1:
        return
    (contour,) = here.values()
    for port in pod.host_ports:
        scheme = {"http": "http", "https": "https"}.get(port.name or "") or {80: "http", 443: "https"}.get(
            port.host_port or 0
        )
        if scheme is None or port.protocol != "TCP" or not port.container_port:
            continue
        listening, bound = contour.ports[scheme], address(contour.addresses[scheme])
        if port.container_port != listening:
            yield Breach(
                f"{port.pointer}/containerPort",
                f"hostPort {port.host_port} leads to port {port.container_port}, but {contour.workload} lets Envoy "
                f"listen for {scheme} on port {listening}.",
            )
        elif bound and bound.is_loopback:
            yield Breach(
                f"{port.pointer}/containerPort",
                f"hostPort {port.host_port} leads to port {port.container_port}, but {contour.workload} lets Envoy "
                f"listen for {scheme} on {bound} only.",
                remedy=f"Remove the flag --envoy-service-{scheme}-address of Contour.",
            )


def _annotated(inventory: Inventory) -> Iterator[DeclaredIngress | DeclaredService | Resource]:
    return chain(inventory.ingresses, inventory.services, inventory.of_kind("HTTPProxy"))


@partial(
    Rule,
    code="RP07",
    title="Contour reads the annotations of a route",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    scope=Scope.STACK,
    of=_annotated,
    of_contour=True,
    hop=HopName.ROUTE,
    yields_to=("IN16",),
    why="Contour ignores annotations of other controllers and annotations that it no longer has, and a value that it "
    "cannot parse, without an error. The route works differently from what the annotation describes. The rule does not "
    "apply to objects of another controller's class.",
    remedy="Write what Contour reads instead.",
    references=(_CONTOUR + "config/annotations/",),
    bad=DEPLOYMENT
    + ROUTED.replace(
        "kind: Ingress\nmetadata: {name: web, namespace: apps}",
        "kind: Ingress\nmetadata: {name: web, namespace: apps, "
        "annotations: {nginx.ingress.kubernetes.io/proxy-read-timeout: '60'}}",
    ),
    good=DEPLOYMENT
    + ROUTED.replace(
        "kind: Ingress\nmetadata: {name: web, namespace: apps}",
        "kind: Ingress\nmetadata: {name: web, namespace: apps, annotations: {projectcontour.io/response-timeout: 60s}}",
    ),
)
def read_annotations(
    subject: DeclaredIngress | DeclaredService | Resource, inventory: Inventory, _: NoParameters
) -> Iterator[Breach]:
    resource = subject.resource
    annotations = resource.annotations
    if annotations is not UNKNOWN and not annotations:
        return
    if isinstance(subject, DeclaredService):
        if (resource.namespace, resource.name) not in inventory.once(_contours_services):
            return
    elif annotations and owner_of(subject, inventory):
        return
    for key, value in annotations.items():
        path = pointer("/metadata/annotations", key)
        instead = contour_annotations.unread(resource.kind, key)
        if instead:
            yield Breach(path, f"Contour does not read the annotation {key}.", remedy=instead)
            continue
        form = contour_annotations.expected(resource.kind, key, value)
        problem = f"{value!r} is not {form}" if form else _pointless(subject, key, value)
        if problem:
            remedy = f"Set the annotation to {form}." if form else "Correct the value of the annotation."
            message = f"Contour cannot use the annotation {key}: {problem}."
            yield Breach(path, message, remedy=remedy, evidence=value)


def _contours_services(inventory: Inventory) -> frozenset[tuple[str | None, str]]:
    """The Services to which a route of Contour leads."""
    foreign = inventory.once(others)
    return frozenset(
        key
        for key, resource in inventory.once(routed).items()
        if class_field(resource) not in foreign and resource not in inventory.once(ingresses_of_others)
    )


def _pointless(subject: DeclaredIngress | DeclaredService | Resource, key: str, value: str) -> str:
    """Why a well-formed value has no effect, as a clause; "" if it has one."""
    name = key.partition("/")[2]
    parts = [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(subject, DeclaredIngress) and name == "websocket-routes":
        paths = {path.path or "/" for rule in subject.rules for path in rule.paths}
        missing = [part for part in parts if part not in paths]
        return f"the Ingress has no path {missing[0]}" if missing else ""
    if isinstance(subject, DeclaredService) and name.startswith("upstream-protocol."):
        known = {str(port.port) for port in subject.ports} | {port.name for port in subject.ports}
        missing = [part for part in parts if part not in known]
        return f"the Service has no port {missing[0]}" if missing else ""
    return ""

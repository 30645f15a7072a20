"""IN: rules for the backends and classes of Ingresses, HTTPProxies and Gateway API routes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain

from pydantic import Field

from hops.kubernetes.controller.classes import (
    CLASS_ANNOTATIONS,
    DEFAULT_CLASS,
    annotated_class,
    class_field,
    class_known,
    class_of,
    of_another_controller,
    others,
    owner_of,
    served,
)
from hops.kubernetes.controller.contour import contours
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.ingresses import DeclaredIngress
from hops.kubernetes.resources.resource import Resource, Rivals
from hops.kubernetes.resources.services import DeclaredService
from hops.kubernetes.routing.gateways import contours_class, of_another_gateway
from hops.kubernetes.routing.routes import ADAPTERS, routes, targets
from hops.kubernetes.routing.targets import GATEWAY_ROUTES, Target, granted, home, port_of
from hops.kubernetes.values import Undecidable, at, matches, pointer, text
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.model.settings.setting_types import Section
from hops.rules.families.samples import CONTOUR, INGRESS, SERVICE
from hops.rules.patches import Operations, put
from hops.rules.rule import Breach, NoParameters, Rule, Scope, ingresses, kinds

_API = "https://kubernetes.io/docs/concepts/services-networking/ingress/"
_CONTOUR = "https://projectcontour.io/docs/1.33/config/"


_SENDERS = tuple(kind for kind in ADAPTERS if kind != "HTTPProxy")
"""The kinds whose backends IN01 and IN02 judge; IN17 judges those of an HTTPProxy, which depend on its tree."""


@partial(
    Rule,
    code="IN01",
    title="The Service of a route exists",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=kinds(*_SENDERS),
    hop=HopName.SERVICE,
    why="Contour drops a route if its Service does not exist in the namespace of the Ingress, and reports this only "
    "in its log. The client receives 404, or no answer if this was the only route. A Gateway API route may reference "
    "a Service in another namespace if a ReferenceGrant there allows it.",
    remedy="Correct the name of the Service in the route, or declare the Service in that namespace.",
    references=(_API, "https://gateway-api.sigs.k8s.io/api-types/referencegrant/"),
    bad=SERVICE + "---" + INGRESS.replace("service: {name: web", "service: {name: wed"),
    good=SERVICE + "---" + INGRESS,
)
def service_exists(resource: Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    for target in targets(resource, inventory):
        if target.foreign or _is_action(target, resource, inventory):
            continue
        if not target.service:
            yield Breach(target.pointer, "a backend has no Service name.")
            continue
        own = home(resource)
        namespace = target.namespace or own
        if not inventory.find("Service", namespace, target.service):
            if (
                inventory.settings
                and not inventory.live
                and f"{namespace}/{target.service}" in inventory.settings.foreign
            ):
                # The stack does not make it, so it is not among the stack's objects.
                continue
            elsewhere = inventory.once(_namespaces).get(target.service)
            hint = f"; namespace {elsewhere[0]} has a Service of this name" if elsewhere else ""
            yield Breach(
                target.service_pointer,
                f"Service {target.service} {inventory.lacks} in namespace {namespace}{hint}.",
                evidence=target.service,
                absence=True,
            )
        elif namespace != own and not granted(inventory, resource, "Service", namespace, target.service):
            yield Breach(
                target.service_pointer,
                f"no ReferenceGrant in namespace {namespace} allows a {resource.kind} of namespace {own} to reference "
                f"Service {target.service}.",
                remedy=f"Declare a ReferenceGrant in namespace {namespace} from {resource.kind} in {own} to Service.",
                absence=True,
            )


def _is_action(target: Target, resource: Resource, inventory: Inventory) -> bool:
    """Whether a backend names an action in an annotation, which only the AWS Load Balancer Controller reads.

    Under the controller's own class `alb`, somebody else may add the annotation, such as Argo Rollouts.
    Source: https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/#actions
    """
    if resource.kind != "Ingress" or target.port_name != "use-annotation":
        return False
    ingress = inventory.ingress(resource)
    named = f"alb.ingress.kubernetes.io/actions.{target.service}" in resource.annotations
    return (named or class_of(ingress, inventory) == "alb") and of_another_controller(ingress, inventory)


def _namespaces(inventory: Inventory) -> Mapping[str, Sequence[str | None]]:
    found: dict[str, list[str | None]] = {}
    for resource in inventory.of_kind("Service"):
        found.setdefault(resource.name, []).append(resource.namespace)
    return found


@partial(
    Rule,
    code="IN02",
    title="The Service has the port that the route references",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=kinds(*_SENDERS),
    hop=HopName.SERVICE,
    why="A route references a port of the Service, not of the pod, either by number or by name. Contour uses the "
    "first matching port, drops the route if this port is not TCP, and reports this only in its log.",
    remedy="Set the port of the route to the number or name of a TCP port of the Service.",
    references=(_API,),
    bad=SERVICE + "---" + INGRESS.replace("number: 80", "number: 8080"),
    good=SERVICE + "---" + INGRESS,
)
def port_exists(resource: Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    for target in targets(resource, inventory):
        if target.foreign or not target.service or _is_action(target, resource, inventory):
            continue
        count = bool(target.port_name) + bool(target.port_number)
        service = inventory.service(target.namespace or home(resource), target.service)
        port = target.port_number or target.port_name or ""
        if count != 1:
            message = "a backend sets both number and name of its port." if count else "a backend has no port."
        elif service and service.type != "ExternalName" and not port_of(service, port):
            message = f"{service.resource} has no TCP port {port}."
        else:
            continue
        yield Breach(target.port_pointer, message, _port_patch(target, service))


def _port_patch(target: Target, service: DeclaredService | None) -> Operations:
    """Names the only port that there is."""
    offered = [port.port for port in service.ports if port.protocol == "TCP"] if service else []
    if service and len(offered) == 1 and offered[0] and port_of(service, offered[0]):
        return (put(target.port_pointer, target.whole_port(offered[0])),)
    return ()


class Classes(Section):
    """Parameters of IN09.

    classes: the ingress classes that the controller handles; "" stands for an object without a class. If empty, the
        rule reads the classes from the declared Contour; without a declared Contour it judges no class.
    """

    classes: tuple[str, ...] = Field((), examples=[["contour"]])


def _classed(inventory: Inventory) -> Iterable[DeclaredIngress | Resource]:
    return chain(inventory.ingresses, inventory.of_kind("HTTPProxy"))


@partial(
    Rule,
    code="IN09",
    title="The installed controller handles the ingress class",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.STACK,
    of=_classed,
    hop=HopName.ROUTE,
    parameters=Classes,
    remediable=True,
    why="Contour ignores an Ingress whose class it does not handle, and reports this only in its debug log. Without "
    "--ingress-class-name, Contour handles the class `contour` and Ingresses without a class. The annotation takes "
    "precedence over the field. The API server rejects a new Ingress whose annotation and field differ, and sets the "
    "default IngressClass if both are absent. The rule applies if a Contour is declared, and not to a class whose "
    "IngressClass names another controller.",
    remedy="Set ingressClassName to a class that the controller handles, and remove the class annotation.",
    references=(_CONTOUR + "ingress/", _API + "#ingress-class"),
    bad=INGRESS.replace("ingressClassName: contour", "ingressClassName: nginx") + "---" + CONTOUR,
    good=INGRESS + "---" + CONTOUR,
)
def class_served(subject: DeclaredIngress | Resource, inventory: Inventory, parameters: Classes) -> Iterator[Breach]:
    resource = subject.resource
    annotations = resource.annotations
    field = class_field(resource)
    classes = parameters.classes or inventory.once(served)
    name = class_of(subject, inventory)
    key = annotated_class(annotations)[1]
    installed = inventory.settings and class_known(inventory)
    known = bool(parameters.classes or installed or inventory.once(contours))
    if known and name not in classes and name not in inventory.once(others):
        path = pointer("/metadata/annotations", key) if key else "/spec/ingressClassName"
        default = "" if key or field or not name else " (the default class)"
        shown = ", ".join(served_ or "(none)" for served_ in classes)
        message = f"the ingress class is {name or '(none)'}{default}, but the controller handles only {shown}."
    else:
        key = next((k for k in CLASS_ANNOTATIONS if field and annotations.get(k, field) != field), "")
        if not key:
            return
        path = pointer("/metadata/annotations", key)
        message = f"annotation {key} is {annotations[key] or '(empty)'}, but ingressClassName is {field}."
    replacement = name if name in classes or not known else next((c for c in classes if c), "")
    yield Breach(path, message, _reclassed(subject, annotations, replacement, inventory), evidence=name)


def _reclassed(
    subject: DeclaredIngress | Resource, annotations: Mapping[str, str], replacement: str, inventory: Inventory
) -> Operations:
    resource, table = subject.resource, inventory.once(routes)
    new = [("", *route.key[1:]) for route in table.known(resource)] if owner_of(subject, inventory) else []
    if any(key in table.claims for key in new) or not replacement or not resource.holds("/spec"):
        return ()
    return (
        *({"op": "remove", "path": pointer("/metadata/annotations", k)} for k in CLASS_ANNOTATIONS if k in annotations),
        put("/spec/ingressClassName", replacement),
    )


@partial(
    Rule,
    code="IN10",
    title="At most one IngressClass is the default",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=kinds("IngressClass"),
    hop=HopName.ROUTE,
    why="The API server sets the default IngressClass on an Ingress without a class. If several classes are marked as "
    "default, it uses the newest, so the order of creation decides which controller handles the Ingress.",
    remedy="Remove the annotation ingressclass.kubernetes.io/is-default-class from all IngressClasses but one.",
    references=(_API + "#default-ingress-class",),
    bad="""
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: contour, annotations: {ingressclass.kubernetes.io/is-default-class: "true"}}
spec: {controller: projectcontour.io/ingress-controller}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx, annotations: {ingressclass.kubernetes.io/is-default-class: "true"}}
spec: {controller: k8s.io/ingress-nginx}
""",
    good="""
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: contour, annotations: {ingressclass.kubernetes.io/is-default-class: "true"}}
spec: {controller: projectcontour.io/ingress-controller}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
""",
)
def one_default(resource: Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    if _is_default(resource):
        rival = inventory.once(_defaults).of(resource)
        if rival:
            path = pointer("/metadata/annotations", DEFAULT_CLASS)
            yield Breach(path, f"{rival} is also marked as the default class.")


def _is_default(resource: Resource) -> bool:
    return resource.annotations.get(DEFAULT_CLASS) == "true"


def _defaults(inventory: Inventory) -> Rivals[Resource]:
    found: Rivals[Resource] = Rivals()
    for resource in inventory.of_kind("IngressClass"):
        try:
            if _is_default(resource):
                found.add(resource, resource)
        except Undecidable:
            # The class itself is reported as undecided.
            continue
    return found


@partial(
    Rule,
    code="IN11",
    title="An Ingress has rules with paths and no default backend",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=ingresses,
    hop=HopName.ROUTE,
    why="A default backend receives every request that matches no rule, for every host. An Ingress without rules, or "
    "a rule without paths, forwards no request.",
    remedy="Add a rule with `host` and `paths`, and remove defaultBackend.",
    references=(_API + "#default-backend",),
    bad="""
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: apps}
spec:
  ingressClassName: contour
  defaultBackend: {service: {name: web, port: {number: 80}}}
""",
    good=INGRESS,
)
def has_rules(ingress: DeclaredIngress, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    if ingress.default_backend:
        yield Breach(ingress.default_backend.pointer, "defaultBackend receives every request that no rule matches.")
    elif not ingress.rules:
        yield Breach("/spec/rules", "the Ingress has no rules.")
    for rule in ingress.rules:
        if not rule.paths:
            yield Breach(f"{rule.pointer}/http", f"the rule for {rule.host or 'every host'} has no paths.")


class ExternalNames(Section):
    """Parameters of IN12.

    external_names: whether Contour runs with enableExternalNameService; the rule also reads it from the declared
        configuration of Contour.
    """

    external_names: bool = Field(default=False, examples=[True])


@partial(
    Rule,
    code="IN12",
    title="The backend of a route is a Service with pods",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=kinds(*ADAPTERS),
    of_contour=True,
    hop=HopName.SERVICE,
    parameters=ExternalNames,
    why="Contour rejects a Service of type ExternalName, which could forward to any name and bypass every network "
    "boundary. Contour forwards only to Services: it ignores a backend of another kind, and a resource backend in an "
    "Ingress makes Contour fail. A backend of a custom kind is reported only where Contour, its GatewayClass or a "
    "stack is declared: another controller may support it.",
    remedy="Set the backend to a Service with a selector.",
    references=("https://github.com/projectcontour/contour/security/advisories/GHSA-5ph6-qq5x-7jwc",),
    bad="""
apiVersion: v1
kind: Service
metadata: {name: web, namespace: apps}
spec: {type: ExternalName, externalName: intranet.example.com, ports: [{port: 80}]}
---"""
    + INGRESS,
    good=SERVICE + "---" + INGRESS,
)
def inside(resource: Resource, inventory: Inventory, parameters: ExternalNames) -> Iterator[Breach]:
    if resource.kind in GATEWAY_ROUTES and of_another_gateway(resource, inventory):
        return
    for target in targets(resource, inventory):
        if target.foreign:
            if _extends(target.foreign) and not inventory.once(_contour_is_known):
                # An extension of the controller that is installed, which need not be Contour.
                continue
            yield Breach(target.pointer, f"the backend is {target.foreign}, which Contour does not support.")
        elif target.service and not parameters.external_names and not inventory.once(_external_names):
            service = inventory.service(target.namespace or home(resource), target.service)
            if service and service.type == "ExternalName":
                external = text(at(service.spec, "externalName")) or "(none)"
                yield Breach(
                    target.service_pointer,
                    f"{service.resource} has type ExternalName and forwards to {external}.",
                    evidence=external,
                )


def _contour_is_known(inventory: Inventory) -> bool:
    """Whether Contour, its GatewayClass or a stack is declared."""
    named = any(map(contours_class, inventory.of_kind("GatewayClass")))
    return named or inventory.settings is not None or bool(inventory.once(contours))


def _extends(foreign: str) -> bool:
    """Whether a backend is of a custom kind, and not of a kind of Kubernetes."""
    group = foreign.partition(" of group ")[2]
    return "." in group and not group.endswith(".k8s.io")


def _external_names(inventory: Inventory) -> bool:
    return any(contour.external_names for contour in inventory.once(contours))


class CodeAnnotations(Section):
    """Parameters of IN16.

    forbidden: patterns of annotation keys that a controller copies into its configuration.
    """

    forbidden: tuple[str, ...] = (
        *("*/*-snippet", "*/*-snippets", "*/lua-*"),
        *("haproxy-ingress.github.io/config-*", "ingress.kubernetes.io/config-*"),
    )


@partial(
    Rule,
    code="IN16",
    title="No annotation contains controller configuration",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.RESOURCE,
    of=kinds("Ingress", "Service", "HTTPProxy"),
    hop=HopName.ROUTE,
    parameters=CodeAnnotations,
    remediable=True,
    why="A snippet annotation is copied into the controller's configuration. Its author can read the controller's "
    "files and every Secret of the cluster. Contour ignores these annotations, so the behaviour that they describe "
    "does not apply.",
    remedy="Remove the annotation; use the HTTPProxy fields for headers, timeouts and rewrites.",
    references=("https://github.com/kubernetes/ingress-nginx/issues/7837",),
    bad=INGRESS.replace(
        "namespace: apps}",
        "namespace: apps, annotations: {nginx.ingress.kubernetes.io/configuration-snippet: return 200;}}",
    ),
    good=INGRESS.replace(
        "namespace: apps}", "namespace: apps, annotations: {projectcontour.io/response-timeout: 10s}}"
    ),
)
def no_snippet(resource: Resource, inventory: Inventory, parameters: CodeAnnotations) -> Iterator[Breach]:
    annotations = resource.annotations
    if not annotations:
        return
    remedy = ""
    if resource.kind == "Ingress" and of_another_controller(inventory.ingress(resource), inventory):
        remedy = "Remove the annotation; use the controller's other annotations."
    for key in annotations:
        if any(matches(pattern, key.lower()) for pattern in parameters.forbidden):
            path = pointer("/metadata/annotations", key)
            message = f"annotation {key} is copied into the controller's configuration."
            yield Breach(path, message, ({"op": "remove", "path": path},), remedy=remedy)

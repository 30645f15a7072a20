"""IN: rules for Ingresses, HTTPProxies and Gateway API routes."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

from pydantic import Field

from hops.kubernetes.controller.classes import (
    CLASS_ANNOTATIONS,
    DEFAULT_CLASS,
    annotated_class,
    class_of,
    others,
    owner_of,
    served,
)
from hops.kubernetes.controller.contour import contours
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.ingresses import DeclaredIngress, IngressPath
from hops.kubernetes.resources.resource import Resource, Rivals
from hops.kubernetes.resources.services import DeclaredService
from hops.kubernetes.routing.hosts import Named, bare, is_host_name, named
from hops.kubernetes.routing.proxies import virtual_host
from hops.kubernetes.routing.routes import (
    ADAPTERS,
    CatchAll,
    Route,
    RouteTable,
    everything_under,
    looks_like_regex,
    matched,
    routes,
)
from hops.kubernetes.routing.targets import Target, granted, home, port_of, senders, targets
from hops.kubernetes.values import Undecidable, at, matches, pairs, pointer, text
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.model.setting_types import Section
from hops.rules.rule import Breach, NoParameters, Rule, Scope, ingresses, kinds

_API = "https://kubernetes.io/docs/concepts/services-networking/ingress/"
_CONTOUR = "https://projectcontour.io/docs/1.33/config/"

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: apps}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
"""
_INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: apps}
spec:
  ingressClassName: contour
  rules:
  - host: web.localhost
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
"""

_INSTALLED = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: contour, namespace: projectcontour}
spec:
  selector: {matchLabels: {app: contour}}
  template:
    metadata: {labels: {app: contour}}
    spec:
      containers:
      - name: contour
        image: ghcr.io/projectcontour/contour:v1.33.6
        command: [contour]
        args: [serve, --incluster]
"""

_Operations = tuple[Mapping[str, Any], ...]


def _set(path: str, value: Any) -> Mapping[str, Any]:
    """Sets a key, be it there or not."""
    return {"op": "add", "path": path, "value": value}


@partial(
    Rule,
    code="IN01",
    title="The Service of a route exists",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=senders,
    hop=HopName.SERVICE,
    why="Contour drops a route if its Service does not exist in the namespace of the Ingress, and reports this only "
    "in its log. The client receives 404, or no answer if this was the only route. A Gateway API route may reference "
    "a Service in another namespace if a ReferenceGrant there allows it.",
    remedy="Correct the name of the Service in the route, or declare the Service in that namespace.",
    references=(_API, "https://gateway-api.sigs.k8s.io/api-types/referencegrant/"),
    bad=SERVICE + "---" + _INGRESS.replace("service: {name: web", "service: {name: wed"),
    good=SERVICE + "---" + _INGRESS,
)
def service_exists(subject: DeclaredIngress | Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    resource = subject.resource
    for target in targets(subject):
        if target.foreign:
            continue
        if not target.service:
            yield Breach(target.pointer, "a backend has no Service name.")
            continue
        own = home(resource)
        namespace = target.namespace or own
        if not inventory.find("Service", namespace, target.service):
            elsewhere = inventory.once(_namespaces).get(target.service)
            hint = f"; namespace {elsewhere[0]} has a Service of this name" if elsewhere else ""
            yield Breach(
                target.service_pointer,
                f"Service {target.service} does not exist in namespace {namespace}{hint}.",
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
    of=senders,
    hop=HopName.SERVICE,
    why="A route references a port of the Service, not of the pod, either by number or by name. Contour uses the "
    "first matching port, drops the route if this port is not TCP, and reports this only in its log.",
    remedy="Set the port of the route to the number or name of a TCP port of the Service.",
    references=(_API,),
    bad=SERVICE + "---" + _INGRESS.replace("number: 80", "number: 8080"),
    good=SERVICE + "---" + _INGRESS,
)
def port_exists(subject: DeclaredIngress | Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    for target in targets(subject):
        if target.foreign or not target.service:
            continue
        count = bool(target.port_name) + bool(target.port_number)
        service = inventory.service(target.namespace or home(subject.resource), target.service)
        wanted = target.port_number or target.port_name or ""
        if count != 1:
            message = "a backend sets both number and name of its port." if count else "a backend has no port."
        elif service and service.type != "ExternalName" and not port_of(service, wanted):
            message = f"{service.resource} has no TCP port {wanted}."
        else:
            continue
        yield Breach(target.port_pointer, message, _port_patch(target, service))


def _port_patch(target: Target, service: DeclaredService | None) -> _Operations:
    """Names the only port that there is."""
    offered = [port.port for port in service.ports if port.protocol == "TCP"] if service else []
    if service and len(offered) == 1 and offered[0] and port_of(service, offered[0]):
        return (_set(target.port_pointer, target.whole_port(offered[0])),)
    return ()


@partial(
    Rule,
    code="IN03",
    title="Every rule of an Ingress has a host",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=ingresses,
    hop=HopName.ROUTE,
    why="A rule without a host matches the requests for every name that no other rule claims, including misspelled "
    "names and names of other developers. Contour never serves such a rule over TLS.",
    remedy="Set `host` of the rule.",
    references=(_API,),
    bad=_INGRESS.replace("host: web.localhost", 'host: ""'),
    good=_INGRESS,
)
def host_named(ingress: DeclaredIngress, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    for rule in ingress.rules:
        if not rule.host:
            yield Breach(
                f"{rule.pointer}/host", "a rule has no host, so it matches every name that no other rule claims."
            )


@partial(
    Rule,
    code="IN04",
    title="No route has a wildcard host",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=named,
    hop=HopName.ROUTE,
    why="A wildcard host matches requests for names that other routes may require, and hides misspelled names.",
    yields_to=("IN15",),
    remedy="Replace the wildcard with the full name of each host.",
    references=(_API + "#hostname-wildcards",),
    bad=_INGRESS.replace("host: web.localhost", 'host: "*.localhost"'),
    good=_INGRESS,
)
def no_wildcard(subject: Named, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    for host, pointers in subject.hosts:
        # A Gateway's listener only bounds what its routes may name.
        if "*" in host and not pointers[0].startswith(("/spec/tls", "/spec/listeners")):
            yield Breach(pointers[0], f"host {host} is a wildcard and matches every name below it.", evidence=host)
    subject.settle()


@partial(
    Rule,
    code="IN05",
    title="Each combination of host, path and path type has one route",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=kinds(*ADAPTERS),
    hop=HopName.ROUTE,
    why="If two routes match the same requests, Contour keeps only one: the HTTPProxy before the Ingress, otherwise "
    "the route that it reads last, which can change when Contour restarts. Of two HTTPRoutes, it keeps the older one. "
    "`/foo` and `/foo/` are the same Prefix. Routes with other paths, other path types or the class of another "
    "controller do not conflict.",
    remedy="Remove one of the routes, or change its host or path.",
    references=("https://github.com/projectcontour/contour/issues/3461",),
    bad=_INGRESS + "---" + _INGRESS.replace("name: web, namespace: apps", "name: other, namespace: apps"),
    good=_INGRESS
    + "---"
    + _INGRESS.replace("name: web, namespace: apps", "name: other, namespace: apps").replace("path: /", "path: /other"),
)
def claimed_once(resource: Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    table = inventory.once(routes)
    for route in table.of(resource):
        rival = table.rival(resource, route)
        if rival is None or _roots(rival.resource, resource):
            # IN17 reports two roots with one host.
            continue
        if (rival.resource, rival.pointer) != (resource, route.pointer):
            by = "an earlier route of the same object" if rival.resource is resource else str(rival.resource)
            yield Breach(route.pointer, f"{route} of {route.host or 'every host'} is also claimed by {by}.")


@partial(
    Rule,
    code="IN06",
    title="No route shadows another",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    scope=Scope.STACK,
    of=kinds(*ADAPTERS),
    hop=HopName.ROUTE,
    why="Envoy evaluates exact paths first, then regular expressions, then prefixes, and the longest of each kind "
    "first. A regular expression that matches everything below a path shadows the longer prefixes below it. A Prefix "
    "shadows the string prefix of the same path.",
    remedy="Set pathType of the wider route to Prefix, or change the path of the shadowed route.",
    references=(_CONTOUR + "ingress/", _API + "#multiple-matches"),
    bad=_INGRESS.replace("path: /, pathType: Prefix", "path: /.*, pathType: ImplementationSpecific")
    + "---"
    + _INGRESS.replace("name: web, namespace: apps", "name: api, namespace: apps")
    .replace("service: {name: web", "service: {name: api")
    .replace("path: /", "path: /api"),
    good=_INGRESS
    + "---"
    + _INGRESS.replace("name: web, namespace: apps", "name: api, namespace: apps")
    .replace("service: {name: web", "service: {name: api")
    .replace("path: /", "path: /api"),
)
def none_hidden(resource: Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    table = inventory.once(routes)
    for route in table.of(resource):
        how, path = route.match
        wider = _wider(route, table)
        if wider and not route.ends_with(wider.route):
            yield Breach(
                route.pointer,
                f"{route} of {route.host} receives no request: {wider.route} of {wider.route.resource} matches first.",
                _as_prefix(table, wider),
                patches=wider.route.resource,
            )
        elif how == "string" and not path.endswith("/"):
            rivals = table.claims.get((route.owner, route.host, ("segment", path), ""))
            if rivals and not route.ends_with(rivals[0]):
                yield Breach(
                    route.pointer,
                    f"{route} of {route.host} receives only paths that continue without a slash, such as {path}bar: "
                    f"Prefix {path} of {rivals[0].resource} matches first.",
                )


def _roots(one: Resource, other: Resource) -> bool:
    """Whether these are two HTTPProxies with a virtualhost."""
    both = one is not other and one.kind == other.kind == "HTTPProxy"
    return both and virtual_host(one) is not None and virtual_host(other) is not None


def _redeclared(one: Resource, other: Resource) -> bool:
    """Whether these are two declarations of the same object."""
    return one is not other and one.same_object(other)


def _wider(route: Route, table: RouteTable) -> CatchAll | None:
    """The regular expression that takes every request for the path before the route does."""
    caught = table.caught.get((route.owner, route.host))
    how, path = route.match
    if not caught or how == "exact":
        return None
    plain = path
    if how == "regex":
        # What it surely begins with.
        plain = re.match(r"[\w/.~-]*", path)[0].rpartition("/")[0] + "/"  # type: ignore[index]
    for length in range(min(len(plain), max(map(len, caught))) + 1):
        for wider in caught.get(plain[:length], {}).values():
            whole = not wider.segments or "/" in (plain[length - 1 : length], plain[length : length + 1] or "/")
            first = how != "regex" or len(wider.route.match[1]) > len(path)
            other = wider.route is not route and not _redeclared(wider.route.resource, route.resource)
            if whole and first and other:
                return wider
    return None


def _as_prefix(table: RouteTable, wider: CatchAll) -> _Operations:
    """Makes the regular expression of an Ingress the Prefix that it means."""
    route, path = wider.route, wider.under.rstrip("/") or "/"
    free = table.free(route.resource, route.pointer, matched(path, "Prefix"))
    if route.resource.kind != "Ingress" or not free or _refused(path, "Prefix"):
        return ()
    return _set(f"{route.pointer}/path", path), _set(f"{route.pointer}/pathType", "Prefix")


@partial(
    Rule,
    code="IN07",
    title="pathType is Prefix or Exact",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.RESOURCE,
    of=ingresses,
    hop=HopName.ROUTE,
    remediable=True,
    why="The meaning of ImplementationSpecific depends on the controller. Contour treats a path that contains one of "
    "^+*[]% as a regular expression for the whole path, and any other path as a string prefix: /foo also matches "
    "/foobar. Prefix and Exact have the same meaning in every controller and match * literally, so a pattern in such a "
    "path is compared as text. The path / has the same meaning with every pathType.",
    remedy="Set pathType to Prefix or Exact; use an HTTPProxy for regular expressions.",
    references=(_API + "#path-types", _CONTOUR + "ingress/"),
    bad=_INGRESS.replace("path: /, pathType: Prefix", "path: /foo, pathType: ImplementationSpecific"),
    good=_INGRESS.replace("path: /,", "path: /foo,"),
)
def path_type(ingress: DeclaredIngress, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    for rule in ingress.rules:
        for entry in rule.paths:
            path = entry.path or "/"
            regex = looks_like_regex(path)
            if entry.path_type == "ImplementationSpecific" and path == "/":
                continue
            if entry.path_type not in ("Prefix", "Exact"):
                given = f"pathType {entry.path_type}" if entry.path_type else "no pathType"
                matched_by = "as a regular expression" if regex else "as a string prefix"
                message = f"Contour matches path {path} with {given} {matched_by}."
                yield Breach(f"{entry.pointer}/pathType", message, _typed(ingress, entry, inventory))
            elif _PATTERN.search(path):
                plain = _meant(path)
                message = f"path {path} with pathType {entry.path_type} is matched literally and not as a pattern."
                remedy = "Write one path for each alternative, or use an HTTPProxy with a regex condition."
                if plain not in (None, path):
                    remedy = f"Set path to {plain} with pathType Prefix, or use an HTTPProxy with a regex condition."
                operations = _typed(ingress, entry, inventory) if plain != path else ()
                yield Breach(f"{entry.pointer}/path", message, operations, remedy=remedy)


# Characters that no URL path contains unescaped, and what has a meaning only in a pattern: .*, (a|b), $ and /:name.
_PATTERN = re.compile(r"[{}|^\[\]\\?]|\.[*+]|\)[*+]|\*|\$$|/:[A-Za-z_]\w*(?=/|$)")


def _meant(path: str) -> str | None:
    """The Prefix that a path means, None where no Prefix says the same."""
    if not looks_like_regex(path):
        return path
    under = everything_under(path) or ((path[:-2], True) if path.endswith("/*") else None)
    return (under[0].rstrip("/") or "/") if under and not looks_like_regex(under[0]) else None


def _typed(ingress: DeclaredIngress, entry: IngressPath, inventory: Inventory) -> _Operations:
    path = _meant(entry.path or "/")
    if path is None or _refused(path, "Prefix"):
        return ()
    # Exact, exact and so on are only misspelt.
    kind = "Exact" if (entry.path_type or "").lower() == "exact" and path == entry.path else "Prefix"
    if not inventory.once(routes).free(ingress.resource, entry.pointer, matched(path, kind)):
        return ()
    return (
        *((_set(f"{entry.pointer}/path", path),) if path != entry.path else ()),
        _set(f"{entry.pointer}/pathType", kind),
    )


@partial(
    Rule,
    code="IN08",
    title="The API server accepts the path",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.RESOURCE,
    of=ingresses,
    hop=HopName.ROUTE,
    why="The API server rejects a path without a leading slash. For Prefix and Exact it also rejects //, /./, /../ "
    "and an encoded slash. The preview succeeds and the update fails.",
    remedy="Set `path` to the path that clients request, with a leading slash and without empty, dot or encoded "
    "segments.",
    references=("https://kubernetes.io/docs/reference/kubernetes-api/service-resources/ingress-v1/",),
    bad=_INGRESS.replace("path: /,", "path: /foo//bar,"),
    good=_INGRESS.replace("path: /,", "path: /foo/bar,"),
)
def path_taken(ingress: DeclaredIngress, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    for rule in ingress.rules:
        for entry in rule.paths:
            problem = _refused(entry.path, entry.path_type)
            if problem:
                mended = _normal(entry.path or "/")
                match = matched(mended, entry.path_type)
                free = inventory.once(routes).free(ingress.resource, entry.pointer, match)
                yield Breach(
                    f"{entry.pointer}/path",
                    f"the API server rejects path {entry.path or '(none)'}: the path {problem}.",
                    (_set(f"{entry.pointer}/path", mended),) if free else (),
                    evidence=entry.path or "",
                )


def _refused(path: str | None, path_type: str | None) -> str:
    """Why the API server rejects a path, as a predicate; "" if it accepts it (pkg/apis/networking/validation)."""
    plain = path_type in ("Prefix", "Exact")
    if not path:
        return "is missing" if plain else ""
    if not path.startswith("/"):
        return "does not start with /"
    if plain:
        for sequence_ in ("//", "/./", "/../", "%2f", "%2F"):
            if sequence_ in path:
                return f"contains {sequence_}"
        for end in ("/..", "/."):
            if path.endswith(end):
                return f"ends with {end}"
    return ""


def _normal(path: str) -> str:
    parts: list[str] = []
    for segment in re.sub("%2f", "/", path, flags=re.IGNORECASE).split("/"):
        if segment == "..":
            parts = parts[:-1]
        elif segment not in ("", "."):
            parts.append(segment)
    return "/" + "/".join(parts) + ("/" if parts and path.endswith("/") else "")


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
    bad=_INGRESS.replace("ingressClassName: contour", "ingressClassName: nginx") + "---" + _INSTALLED,
    good=_INGRESS + "---" + _INSTALLED,
)
def class_served(subject: DeclaredIngress | Resource, inventory: Inventory, parameters: Classes) -> Iterator[Breach]:
    resource = subject.resource
    annotations = resource.annotations
    field = text(at(resource.body, "spec", "ingressClassName"))
    classes = parameters.classes or inventory.once(served)
    name = class_of(subject, inventory)
    key = annotated_class(annotations)[1]
    known = bool(parameters.classes or inventory.settings or inventory.once(contours))
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
    wanted = name if name in classes or not known else next((c for c in classes if c), "")
    yield Breach(path, message, _reclassed(subject, annotations, wanted, inventory), evidence=name)


def _reclassed(
    subject: DeclaredIngress | Resource, annotations: Mapping[str, str], wanted: str, inventory: Inventory
) -> _Operations:
    resource, table = subject.resource, inventory.once(routes)
    new = [("", *route.key[1:]) for route in table.known(resource)] if owner_of(subject, inventory) else []
    if any(key in table.claims for key in new) or not wanted or not isinstance(resource.body.get("spec"), dict):
        return ()
    return (
        *({"op": "remove", "path": pointer("/metadata/annotations", k)} for k in CLASS_ANNOTATIONS if k in annotations),
        _set("/spec/ingressClassName", wanted),
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
    good=_INGRESS,
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
    of=lambda inventory: chain(senders(inventory), inventory.of_kind("HTTPProxy")),
    hop=HopName.SERVICE,
    parameters=ExternalNames,
    why="Contour rejects a Service of type ExternalName, which could forward to any name and bypass every network "
    "boundary. Contour forwards only to Services: it ignores a backend of another kind, and a resource backend in an "
    "Ingress makes Contour fail.",
    remedy="Set the backend to a Service with a selector.",
    references=("https://github.com/projectcontour/contour/security/advisories/GHSA-5ph6-qq5x-7jwc",),
    bad="""
apiVersion: v1
kind: Service
metadata: {name: web, namespace: apps}
spec: {type: ExternalName, externalName: intranet.example.com, ports: [{port: 80}]}
---"""
    + _INGRESS,
    good=SERVICE + "---" + _INGRESS,
)
def inside(subject: DeclaredIngress | Resource, inventory: Inventory, parameters: ExternalNames) -> Iterator[Breach]:
    for target in targets(subject):
        if target.foreign:
            yield Breach(target.pointer, f"the backend is {target.foreign}, which Contour does not support.")
        elif target.service and not parameters.external_names and not inventory.once(_external_names):
            service = inventory.service(target.namespace or home(subject.resource), target.service)
            if service and service.type == "ExternalName":
                external = text(at(service.spec, "externalName")) or "(none)"
                yield Breach(
                    target.service_pointer,
                    f"{service.resource} has type ExternalName and forwards to {external}.",
                    evidence=external,
                )


def _external_names(inventory: Inventory) -> bool:
    return any(contour.external_names for contour in inventory.once(contours))


class Suffixes(Section):
    """Parameters of IN13.

    suffixes: allowed suffixes of hosts, such as alice.localhost. If empty, every host is allowed.
    """

    suffixes: tuple[str, ...] = Field((), examples=[["alice.localhost"]])


@partial(
    Rule,
    code="IN13",
    title="A host has an allowed suffix",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.RESOURCE,
    of=named,
    hop=HopName.NAME,
    parameters=Suffixes,
    why="A host outside the suffix that was agreed for a stack intercepts the requests of another developer, or does "
    "not resolve. The rule is inactive until the parameter `suffixes` is set.",
    remedy="Change the host to a name below one of the `suffixes` of IN13.",
    bad=_INGRESS
    + """---
apiVersion: ingress-hops/v1
kind: Policy
rules: {IN13: {parameters: {suffixes: [alice.localhost]}}}
""",
    good=_INGRESS.replace("web.localhost", "web.alice.localhost")
    + """---
apiVersion: ingress-hops/v1
kind: Policy
rules: {IN13: {parameters: {suffixes: [alice.localhost]}}}
""",
)
def own_suffix(subject: Named, inventory: Inventory, parameters: Suffixes) -> Iterator[Breach]:
    suffixes = [suffix.lower().strip(".") for suffix in parameters.suffixes]
    if not suffixes:
        return
    for host, pointers in subject.hosts:
        if not any(f".{bare(host)}".endswith(f".{suffix}") for suffix in suffixes):
            new = f"{bare(host).partition('.')[0]}.{suffixes[0]}"
            yield Breach(
                pointers[0],
                f"host {host} is not below {' or '.join(suffixes)}.",
                _renamed(pointers, new, inventory),
                evidence=host,
            )
    subject.settle()


def _renamed(pointers: Sequence[str], new: str, inventory: Inventory) -> _Operations:
    """Another host at every place where an object has it, unless somebody has the new one already."""
    if not is_host_name(new) or new in inventory.once(_hosts):
        return ()
    return _everywhere(pointers, new)


def _everywhere(pointers: Sequence[str], value: str) -> _Operations:
    return tuple({"op": "replace", "path": where, "value": value} for where in pointers)


def _hosts(inventory: Inventory) -> frozenset[str]:
    return frozenset(bare(host) for subject in named(inventory) for host, _ in subject.hosts)


@partial(
    Rule,
    code="IN14",
    title="No host ends in .local",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    scope=Scope.RESOURCE,
    of=named,
    hop=HopName.NAME,
    why="Names in .local are reserved for multicast DNS (RFC 6762): a resolver queries the local network first and "
    "waits for an answer, or ignores the answer of its DNS server. Names in .localhost resolve to this machine "
    "everywhere; .test is reserved for tests.",
    remedy="Change the host to a name in .localhost, or to a name in .test with an entry in the hosts file.",
    references=("https://www.rfc-editor.org/rfc/rfc6762", "https://www.rfc-editor.org/rfc/rfc6761"),
    bad=_INGRESS.replace("web.localhost", "web.local"),
    good=_INGRESS,
)
def not_local(subject: Named, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    for host, pointers in subject.hosts:
        name = bare(host)
        if f".{name}".endswith(".local"):
            yield Breach(
                pointers[0],
                f"host {host} ends in .local, which resolvers look up by multicast DNS.",
                _renamed(pointers, name.removesuffix("local") + "localhost", inventory),
                evidence=host,
            )
    subject.settle()


@partial(
    Rule,
    code="IN15",
    title="A host is a DNS name",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=named,
    hop=HopName.NAME,
    why="The API server rejects a host with an IP address, a port, a scheme or capital letters: the preview succeeds "
    "and the update fails. It accepts a label of more than 63 characters, but no resolver does.",
    remedy="Change the host to a DNS name in lower case, without scheme, port or path.",
    references=(_API, "https://www.rfc-editor.org/rfc/rfc1123"),
    bad=_INGRESS.replace("web.localhost", "Web.localhost:8080"),
    good=_INGRESS,
)
def dns_name(subject: Named, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    for host, pointers in subject.hosts:
        if not is_host_name(host):
            name = bare(host)
            operations = _everywhere(pointers, name) if is_host_name(name) else ()
            yield Breach(pointers[0], f"host {host} is not a DNS name in lower case.", operations, evidence=host)
    subject.settle()


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
    bad=_INGRESS.replace(
        "namespace: apps}",
        "namespace: apps, annotations: {nginx.ingress.kubernetes.io/configuration-snippet: return 200;}}",
    ),
    good=_INGRESS.replace(
        "namespace: apps}", "namespace: apps, annotations: {projectcontour.io/response-timeout: 10s}}"
    ),
)
def no_snippet(resource: Resource, _: Inventory, parameters: CodeAnnotations) -> Iterator[Breach]:
    annotations = at(resource.body, "metadata", "annotations")
    if not annotations:
        return
    for key in pairs(annotations):
        if any(matches(pattern, key.lower()) for pattern in parameters.forbidden):
            path = pointer("/metadata/annotations", key)
            message = f"annotation {key} is copied into the controller's configuration."
            yield Breach(path, message, ({"op": "remove", "path": path},))

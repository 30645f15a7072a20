"""IN: what an Ingress, an HTTPProxy or a Gateway API route leads to, and for whom."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

from hops.kubernetes.classes import CLASS_ANNOTATIONS, DEFAULT_CLASS, annotated_class, class_of, owner_of, served
from hops.kubernetes.hosts import Named, bare, is_host_name, named
from hops.kubernetes.inventory import Ingress, IngressPath, Inventory, Resource, Service
from hops.kubernetes.proxies import Include, includes, part, proxies, virtual_host
from hops.kubernetes.routes import (
    CatchAll,
    Route,
    RouteTable,
    everything_under,
    looks_like_regex,
    matched,
    merged,
    routes,
)
from hops.kubernetes.secrets import secret_problem
from hops.kubernetes.targets import Target, granted, home, port_of, senders, targets
from hops.kubernetes.values import Undecidable, at, flag, matches, pairs, pointer, sequence, text
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.model.settings import Section
from hops.rules.families.tls import Certificates
from hops.rules.rule import Breach, NoParameters, Rule, Scope, ingresses, kinds

_API = "https://kubernetes.io/docs/concepts/services-networking/ingress/"
_CONTOUR = "https://projectcontour.io/docs/1.33/config/"
_HTTPPROXY = "https://projectcontour.io/docs/1.33/config/fundamentals/"

_SERVICE = """
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

_Operations = tuple[Mapping[str, Any], ...]


def _set(path: str, value: Any) -> Mapping[str, Any]:
    """Sets a key, be it there or not."""
    return {"op": "add", "path": path, "value": value}


@partial(
    Rule,
    code="IN01",
    title="The Service behind a route exists",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=senders,
    hop=HopName.SERVICE,
    why="Contour drops a route whose Service it doesn't find in the Ingress's own namespace and says so in its log "
    "only: the client gets 404, or no answer where it was the only route. A Gateway API route may name another "
    "namespace, which has to grant it.",
    remedy="Correct the name, or declare the Service in that namespace.",
    references=(_API, "https://gateway-api.sigs.k8s.io/api-types/referencegrant/"),
    bad=_SERVICE + "---" + _INGRESS.replace("service: {name: web", "service: {name: wed"),
    good=_SERVICE + "---" + _INGRESS,
)
def service_exists(subject: Ingress | Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    resource = subject.resource
    for target in targets(subject):
        if target.foreign:
            continue
        if not target.service:
            yield Breach(target.pointer, "it names no Service.")
            continue
        own = home(resource)
        namespace = target.namespace or own
        if not inventory.find("Service", namespace, target.service):
            elsewhere = inventory.once(_namespaces).get(target.service)
            hint = f"; there is one in namespace {elsewhere[0]}" if elsewhere else ""
            yield Breach(
                target.service_pointer,
                f"there is no Service {target.service} in namespace {namespace}{hint}.",
                evidence=target.service,
            )
        elif namespace != own and not granted(inventory, resource, "Service", namespace, target.service):
            yield Breach(
                target.service_pointer,
                f"no ReferenceGrant in namespace {namespace} lets a {resource.kind} of namespace {own} use Service "
                f"{target.service}.",
                remedy=f"Declare a ReferenceGrant in namespace {namespace}.",
            )


def _namespaces(inventory: Inventory) -> Mapping[str, Sequence[str | None]]:
    found: dict[str, list[str | None]] = {}
    for resource in inventory.of_kind("Service"):
        found.setdefault(resource.name, []).append(resource.namespace)
    return found


@partial(
    Rule,
    code="IN02",
    title="The Service has the port that a route names",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=senders,
    hop=HopName.SERVICE,
    why="A route names a port of the Service, not of the pod, by its number or its name and never by both. Contour "
    "takes the first port that fits, drops the route where that isn't TCP, and says so in its log only.",
    remedy="Name one of the Service's TCP ports, by number or by name.",
    references=(_API,),
    bad=_SERVICE + "---" + _INGRESS.replace("number: 80", "number: 8080"),
    good=_SERVICE + "---" + _INGRESS,
)
def port_exists(subject: Ingress | Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    for target in targets(subject):
        if target.foreign or not target.service:
            continue
        count = bool(target.port_name) + bool(target.port_number)
        service = inventory.service(target.namespace or home(subject.resource), target.service)
        wanted = target.port_number or target.port_name or ""
        if count != 1:
            message = "it names a port by number and by name." if count else "it names no port."
        elif service and service.type != "ExternalName" and not port_of(service, wanted):
            message = f"{service.resource} has no TCP port {wanted}."
        else:
            continue
        yield Breach(target.port_pointer, message, _port_patch(target, service))


def _port_patch(target: Target, service: Service | None) -> _Operations:
    """Names the only port that there is."""
    offered = [port.port for port in service.ports if port.protocol == "TCP"] if service else []
    if service and len(offered) == 1 and offered[0] and port_of(service, offered[0]):
        return (_set(target.port_pointer, target.whole_port(offered[0])),)
    return ()


@partial(
    Rule,
    code="IN03",
    title="Every rule of an Ingress names its host",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=ingresses,
    hop=HopName.ROUTE,
    why="A rule without a host takes the requests for every name that nobody else claims, misspelt ones and other "
    "people's included, and Contour never serves it by TLS.",
    remedy="Name the host.",
    references=(_API,),
    bad=_INGRESS.replace("host: web.localhost", 'host: ""'),
    good=_INGRESS,
)
def host_named(ingress: Ingress, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    for rule in ingress.rules:
        if not rule.host:
            yield Breach(f"{rule.pointer}/host", "a rule has no host, so it takes every name that is left.")


@partial(
    Rule,
    code="IN04",
    title="No route takes a wildcard host",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=named,
    hop=HopName.ROUTE,
    why="A wildcard takes the requests for names that others will want, and hides that a name was misspelt.",
    remedy="Name each host.",
    references=(_API + "#hostname-wildcards",),
    bad=_INGRESS.replace("host: web.localhost", 'host: "*.localhost"'),
    good=_INGRESS,
)
def no_wildcard(subject: Named, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    for host, pointers in subject.hosts:
        # A Gateway's listener only bounds what its routes may name.
        if "*" in host and not pointers[0].startswith(("/spec/tls", "/spec/listeners")):
            yield Breach(pointers[0], f"the host {host} takes every name of that form.", evidence=host)
    subject.settle()


@partial(
    Rule,
    code="IN05",
    title="One host, path and type has one route",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=kinds("Ingress", "HTTPProxy"),
    hop=HopName.ROUTE,
    why="Contour keeps one of two routes that match the same: the one that it happens to read last, which may change "
    "with its next start, and an HTTPProxy before an Ingress. `/foo` and `/foo/` are the same Prefix. Other paths on "
    "the same host, another type, or a class that another controller serves are no conflict.",
    remedy="Remove one of the two, or give it another host or path.",
    references=("https://github.com/projectcontour/contour/issues/3461",),
    bad=_INGRESS + "---" + _INGRESS.replace("name: web, namespace: apps", "name: other, namespace: apps"),
    good=_INGRESS
    + "---"
    + _INGRESS.replace("name: web, namespace: apps", "name: other, namespace: apps").replace("path: /", "path: /other"),
)
def claimed_once(resource: Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    table = inventory.once(routes)
    for route in table.of(resource):
        claims = [other for other in table.claims[route.key] if not other.resource.copy_of(resource)]
        if len(claims) == 1:
            continue
        if claims[0] is not route:
            rival = claims[0]
        else:
            # In one object the later one is reported.
            rival = next((other for other in claims if other.resource is not resource), route)
        if rival is not route and (rival.resource, rival.pointer) != (resource, route.pointer):
            by = "earlier in the same object" if rival.resource is resource else f"by {rival.resource}"
            yield Breach(route.pointer, f"{route} of {route.host or 'every host'} is also claimed {by}.")


@partial(
    Rule,
    code="IN06",
    title="No route hides another",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    scope=Scope.STACK,
    of=kinds("Ingress", "HTTPProxy"),
    hop=HopName.ROUTE,
    why="Envoy asks exact paths first, then regular expressions, then prefixes, each the longest first. A regular "
    "expression that takes everything under a path so hides the longer prefixes there, and a Prefix hides the string "
    "prefix of the same path.",
    remedy="Give the wider route the type Prefix, or the hidden one a path of its own.",
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
                f"{route} of {route.host} never gets a request: {wider.route} of {wider.route.resource} comes first.",
                _as_prefix(table, wider),
                patches=wider.route.resource,
            )
        elif how == "string" and not path.endswith("/"):
            rivals = table.claims.get((route.owner, route.host, ("segment", path), ""))
            if rivals and not route.ends_with(rivals[0]):
                yield Breach(
                    route.pointer,
                    f"{route} of {route.host} gets only what goes on without a slash: Prefix {path} of "
                    f"{rivals[0].resource} comes first.",
                )


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
            other = wider.route is not route and not wider.route.resource.copy_of(route.resource)
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
    title="A path says how it matches",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=ingresses,
    hop=HopName.ROUTE,
    remediable=True,
    why="What ImplementationSpecific means is the controller's affair: Contour takes a path with one of ^+*[]% for a "
    "regular expression of the whole path, any other for the beginning of a string, so that /foo takes /foobar too. "
    "Prefix and Exact mean the same everywhere, and take * for a star.",
    remedy="Set pathType to Prefix or Exact; regular expressions belong into an HTTPProxy.",
    references=(_API + "#path-types", _CONTOUR + "ingress/"),
    bad=_INGRESS.replace("path: /, pathType: Prefix", "path: /foo, pathType: ImplementationSpecific"),
    good=_INGRESS.replace("path: /,", "path: /foo,"),
)
def path_type(ingress: Ingress, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    for rule in ingress.rules:
        for entry in rule.paths:
            path = entry.path or "/"
            regex = looks_like_regex(path)
            if entry.path_type not in ("Prefix", "Exact"):
                given = f"pathType {entry.path_type}" if entry.path_type else "no pathType"
                means = "a regular expression" if regex else f"every path that begins with {path}"
                message = f"path {path} with {given} means {means} to Contour."
                yield Breach(f"{entry.pointer}/pathType", message, _typed(ingress, entry, inventory))
            elif regex and _meant(path) not in (None, path):
                message = f"path {path} with pathType {entry.path_type} means just these characters, * included."
                yield Breach(f"{entry.pointer}/path", message, _typed(ingress, entry, inventory))


def _meant(path: str) -> str | None:
    """The Prefix that a path means, None where no Prefix says the same."""
    if not looks_like_regex(path):
        return path
    under = everything_under(path) or ((path[:-2], True) if path.endswith("/*") else None)
    return (under[0].rstrip("/") or "/") if under and not looks_like_regex(under[0]) else None


def _typed(ingress: Ingress, entry: IngressPath, inventory: Inventory) -> _Operations:
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
    title="The API server takes the path",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=ingresses,
    hop=HopName.ROUTE,
    why="The API server refuses a path without a leading slash and, of type Prefix or Exact, one with //, /./, /../ or "
    "an encoded slash: the preview is green and the change fails.",
    remedy="Write the path as a client sends it.",
    references=("https://kubernetes.io/docs/reference/kubernetes-api/service-resources/ingress-v1/",),
    bad=_INGRESS.replace("path: /,", "path: /foo//bar,"),
    good=_INGRESS.replace("path: /,", "path: /foo/bar,"),
)
def path_taken(ingress: Ingress, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    for rule in ingress.rules:
        for entry in rule.paths:
            problem = _refused(entry.path, entry.path_type)
            if problem:
                mended = _normal(entry.path or "/")
                match = matched(mended, entry.path_type)
                free = inventory.once(routes).free(ingress.resource, entry.pointer, match)
                yield Breach(
                    f"{entry.pointer}/path",
                    f"path {entry.path or 'without a value'} {problem}, which the API server refuses.",
                    (_set(f"{entry.pointer}/path", mended),) if free else (),
                    evidence=entry.path or "",
                )


def _refused(path: str | None, path_type: str | None) -> str:
    """What the API server has against a path (pkg/apis/networking/validation), "" for nothing."""
    plain = path_type in ("Prefix", "Exact")
    if not path:
        return "is missing" if plain else ""
    if not path.startswith("/"):
        return "doesn't begin with /"
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
    """classes: those that the controller serves, "" for none; empty for those of the declared Contour."""

    classes: tuple[str, ...] = ()


def _classed(inventory: Inventory) -> Iterable[Ingress | Resource]:
    return chain(inventory.ingresses, inventory.of_kind("HTTPProxy"))


@partial(
    Rule,
    code="IN09",
    title="The installed controller serves the class",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=_classed,
    hop=HopName.ROUTE,
    parameters=Classes,
    remediable=True,
    why="Contour ignores an Ingress of a class that it doesn't serve, with a line in its debug log. Without "
    "--ingress-class-name it serves those of no class and of `contour`. An annotation beats the field, the API server "
    "refuses a new Ingress in which the two differ, and gives the default IngressClass to one that has neither.",
    remedy="Set ingressClassName to a class that is served, and remove the annotation.",
    references=(_CONTOUR + "ingress/", _API + "#ingress-class"),
    bad=_INGRESS.replace("ingressClassName: contour", "ingressClassName: nginx"),
    good=_INGRESS,
)
def class_served(subject: Ingress | Resource, inventory: Inventory, parameters: Classes) -> Iterator[Breach]:
    resource = subject.resource
    annotations = pairs(at(resource.body, "metadata", "annotations"))
    field = text(at(resource.body, "spec", "ingressClassName"))
    classes = parameters.classes or inventory.once(served)
    name = class_of(subject, inventory)
    key = annotated_class(annotations)[1]
    if name not in classes:
        path = pointer("/metadata/annotations", key) if key else "/spec/ingressClassName"
        by = "" if key or field else ", the default that the API server gives it," if name else ""
        shown = ", ".join(served_ or "none" for served_ in classes)
        message = f"its class {name or '(none)'}{by} isn't served (served: {shown})."
    else:
        key = next((k for k in CLASS_ANNOTATIONS if field and annotations.get(k, field) != field), "")
        if not key:
            return
        path = pointer("/metadata/annotations", key)
        message = f"its annotation {key} says {annotations[key] or 'nothing'}, its ingressClassName {field}."
    wanted = name if name in classes else next((c for c in classes if c), "")
    yield Breach(path, message, _reclassed(subject, annotations, wanted, inventory), evidence=name)


def _reclassed(
    subject: Ingress | Resource, annotations: Mapping[str, str], wanted: str, inventory: Inventory
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
    why="The API server gives an Ingress without a class the default one. Of several it takes the newest, so who "
    "serves the Ingress hangs on which was made last.",
    remedy="Keep the annotation on one of them.",
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
        rival = next((o for o in inventory.once(_defaults) if o is not resource and not o.copy_of(resource)), None)
        if rival:
            path = pointer("/metadata/annotations", DEFAULT_CLASS)
            yield Breach(path, f"{rival} is a default class too.")


def _is_default(resource: Resource) -> bool:
    return pairs(at(resource.body, "metadata", "annotations")).get(DEFAULT_CLASS) == "true"


def _defaults(inventory: Inventory) -> Sequence[Resource]:
    found: list[Resource] = []
    for resource in inventory.of_kind("IngressClass"):
        try:
            if _is_default(resource):
                found.append(resource)
        except Undecidable:
            # The class itself is reported as undecided.
            continue
    return found


@partial(
    Rule,
    code="IN11",
    title="An Ingress has rules and no default backend",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=ingresses,
    hop=HopName.ROUTE,
    why="A default backend takes every request that no rule takes, of every host. An Ingress without rules, or a rule "
    "without paths, leads nowhere.",
    remedy="Write a rule with the host and the path that are meant.",
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
def has_rules(ingress: Ingress, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    if ingress.default_backend:
        yield Breach(ingress.default_backend.pointer, "its default backend takes whatever no rule takes.")
    elif not ingress.rules:
        yield Breach("/spec/rules", "it has no rules.")
    for rule in ingress.rules:
        if not rule.paths:
            yield Breach(f"{rule.pointer}/http", f"the rule for {rule.host or 'every host'} has no paths.")


class ExternalNames(Section):
    """external_names: whether Contour runs with enableExternalNameService."""

    external_names: bool = False


@partial(
    Rule,
    code="IN12",
    title="A route leads to a Service with pods",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=lambda inventory: chain(senders(inventory), inventory.of_kind("HTTPProxy")),
    hop=HopName.SERVICE,
    parameters=ExternalNames,
    why="Contour refuses a Service of type ExternalName, which can lead past every wall to any name, and reads nothing "
    "but Services: a resource in the place of one isn't routed to, and in an Ingress makes Contour fail.",
    remedy="Send to a Service with a selector.",
    references=("https://github.com/projectcontour/contour/security/advisories/GHSA-5ph6-qq5x-7jwc",),
    bad="""
apiVersion: v1
kind: Service
metadata: {name: web, namespace: apps}
spec: {type: ExternalName, externalName: intranet.example.com, ports: [{port: 80}]}
---"""
    + _INGRESS,
    good=_SERVICE + "---" + _INGRESS,
)
def inside(subject: Ingress | Resource, inventory: Inventory, parameters: ExternalNames) -> Iterator[Breach]:
    for target in targets(subject):
        if target.foreign:
            yield Breach(target.pointer, f"it sends to {target.foreign}, which Contour doesn't read.")
        elif target.service and not parameters.external_names:
            service = inventory.service(target.namespace or home(subject.resource), target.service)
            if service and service.type == "ExternalName":
                leads = text(at(service.spec, "externalName")) or "nothing"
                yield Breach(
                    target.service_pointer, f"{service.resource} is an ExternalName for {leads}.", evidence=leads
                )


class Suffixes(Section):
    """suffixes: of which every host needs one, such as alice.localhost; with none any host may be taken."""

    suffixes: tuple[str, ...] = ()


@partial(
    Rule,
    code="IN13",
    title="A host lies in the developer's own domain",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=named,
    hop=HopName.NAME,
    parameters=Suffixes,
    why="Who takes names outside the suffix that was agreed for a stack takes a colleague's requests, or has a name "
    "that no resolver knows. The rule asks nothing until the parameter `suffixes` is set.",
    remedy="Take a host below one of the `suffixes`.",
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
                f"the host {host} isn't below {' or '.join(suffixes)}.",
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
    why="Names in .local belong to multicast DNS: a resolver asks the network around first and waits for an answer, or "
    "ignores what its DNS server says. Names in .localhost mean this machine everywhere; .test is free for tests.",
    remedy="Take a name in .localhost, or in .test with an entry in the hosts file.",
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
                f"the host {host} is one of multicast DNS.",
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
    why="The API server refuses an address, a port, a scheme and capital letters in a host: the preview is green and "
    "the change fails. A label of more than 63 characters it takes, and no resolver does.",
    remedy="Write the name alone, in lower case.",
    references=(_API, "https://www.rfc-editor.org/rfc/rfc1123"),
    bad=_INGRESS.replace("web.localhost", "Web.localhost:8080"),
    good=_INGRESS,
)
def dns_name(subject: Named, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    for host, pointers in subject.hosts:
        if not is_host_name(host):
            name = bare(host)
            operations = _everywhere(pointers, name) if is_host_name(name) else ()
            yield Breach(pointers[0], f"the host {host} isn't a DNS name.", operations, evidence=host)
    subject.settle()


class CodeAnnotations(Section):
    """forbidden: annotations that become a controller's own configuration, with *."""

    forbidden: tuple[str, ...] = (
        *("*/*-snippet", "*/*-snippets", "*/lua-*"),
        *("haproxy-ingress.github.io/config-*", "ingress.kubernetes.io/config-*"),
    )


@partial(
    Rule,
    code="IN16",
    title="No annotation carries a controller's own configuration",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=kinds("Ingress", "Service", "HTTPProxy"),
    hop=HopName.ROUTE,
    parameters=CodeAnnotations,
    remediable=True,
    why="A snippet is pasted into the controller's configuration: who may write an Ingress then reads the controller's "
    "files and every Secret of the cluster. Contour ignores them, and so does the reader who relies on them.",
    remedy="Remove the annotation; HTTPProxy has fields for headers, timeouts and rewrites.",
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
            message = f"its annotation {key} is pasted into a controller's configuration."
            yield Breach(path, message, ({"op": "remove", "path": path},))


@partial(
    Rule,
    code="IN17",
    title="An HTTPProxy is part of a valid tree",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=kinds("HTTPProxy"),
    hop=HopName.ROUTE,
    parameters=Certificates,
    parameters_of="TL04",
    why="Contour marks an HTTPProxy invalid, and serves nothing of it or an error in its place, where two roots share "
    "a host, where no root includes it, or where what it includes, sends to or takes its certificate from isn't there. "
    "It says so in the object's status only, after the change.",
    remedy="Correct the field that is named.",
    references=(_HTTPPROXY, "https://projectcontour.io/docs/1.33/config/inclusion-delegation/"),
    bad=_SERVICE
    + """---
apiVersion: projectcontour.io/v1
kind: HTTPProxy
metadata: {name: web, namespace: apps}
spec:
  virtualhost: {fqdn: web.localhost}
  includes: [{name: api, conditions: [{prefix: /api}]}]
  routes: [{services: [{name: web, port: 80}]}]
""",
    good=_SERVICE
    + """---
apiVersion: projectcontour.io/v1
kind: HTTPProxy
metadata: {name: web, namespace: apps}
spec:
  virtualhost: {fqdn: web.localhost}
  includes: [{name: api, conditions: [{prefix: /api}]}]
  routes: [{services: [{name: web, port: 80}]}]
---
apiVersion: projectcontour.io/v1
kind: HTTPProxy
metadata: {name: api, namespace: apps}
spec: {routes: [{services: [{name: web, port: 80}]}]}
""",
)
def valid_tree(proxy: Resource, inventory: Inventory, parameters: Certificates) -> Iterator[Breach]:
    host = virtual_host(proxy)
    if host is None:
        tree = inventory.once(proxies)
        # An include leads to the first of several with one name.
        if (proxy if proxy.vague else inventory.find("HTTPProxy", proxy.namespace, proxy.name)) not in tree.reached:
            if not tree.whole:
                raise Undecidable
            yield Breach("/spec/virtualhost", "it has no virtualhost, and no root includes it.")
    else:
        yield from _root(proxy, host, inventory, parameters)
    yield from _included(proxy, inventory)
    yield from _routed(proxy, inventory)


def _root(proxy: Resource, host: Mapping[str, Any], inventory: Inventory, parameters: Certificates) -> Iterator[Breach]:
    name = (text(host.get("fqdn")) or "").strip().lower()
    if name:
        same = inventory.once(proxies).roots[owner_of(proxy, inventory), name]
        rival = next((other for other in same if other is not proxy and not other.copy_of(proxy)), None)
        if rival:
            yield Breach("/spec/virtualhost/fqdn", f"{rival} has the host {name} too, so Contour serves neither.")
    else:
        yield Breach("/spec/virtualhost/fqdn", "its virtualhost has no fqdn.")
    spec = proxy.body.get("spec")
    tcp, tls = part(spec, "tcpproxy"), part(host, "tls")
    if tcp is None and not sequence(at(spec, "routes")) and not sequence(at(spec, "includes")):
        yield Breach("/spec", "it has neither routes nor includes.")
    if tcp is not None and tls is None:
        yield Breach("/spec/tcpproxy", "a tcpproxy needs TLS, by a secretName or with passthrough.")
    if tls is not None:
        secret = text(tls.get("secretName"))
        if bool(secret) == bool(flag(tls.get("passthrough"))):
            both = "both a secretName and" if secret else "neither a secretName nor"
            yield Breach("/spec/virtualhost/tls", f"its TLS has {both} passthrough.")
        elif secret:
            namespace, _, plain = secret.rpartition("/")
            own = home(proxy)
            problem = secret_problem(inventory, own, namespace or own, plain, parameters.given)
            if problem:
                yield Breach("/spec/virtualhost/tls/secretName", f"{problem}.", evidence=secret)


def _included(proxy: Resource, inventory: Inventory) -> Iterator[Breach]:
    seen: set[tuple[tuple[str, str], str]] = set()
    for include in includes(proxy, inventory):
        problem = _ill_included(proxy, include, inventory) or _ill_matched(include.conditions)
        if problem:
            yield Breach(include.pointer, f"{problem}.")
        key = merged(include.conditions)
        # Contour lets several have no condition but the path /.
        if key in seen and key != (("string", "/"), ""):
            yield Breach(f"{include.pointer}/conditions", "an earlier include has the same conditions.")
        seen.add(key)


def _ill_included(proxy: Resource, include: Include, inventory: Inventory) -> str:
    found = include.proxy
    if found is None or owner_of(found, inventory) != owner_of(proxy, inventory):
        other_class = ", or of another class" if found else ""
        return f"there is no HTTPProxy {include.name} in namespace {include.namespace}{other_class}"
    if virtual_host(found) is not None:
        return f"it includes {found}, which is a root itself"
    if (proxy, include.pointer) in inventory.once(proxies).circles:
        return f"it includes {found}, which leads back to it"
    if any(text(at(condition, key)) for condition in include.conditions for key in ("exact", "regex")):
        return "an include has an exact or regex condition, and may have a prefix only"
    return ""


def _ill_matched(conditions: Sequence[Any]) -> str:
    given = (text(at(condition, key)) for condition in conditions for key in ("prefix", "exact", "regex"))
    paths = [path for path in given if path]
    if len(paths) > 1:
        return "it has more than one condition on the path"
    return f"the path {paths[0]} of a condition doesn't begin with /" if paths and paths[0][0] != "/" else ""


def _routed(proxy: Resource, inventory: Inventory) -> Iterator[Breach]:
    for index, route in enumerate(sequence(at(proxy.body, "spec", "routes"))):
        base = f"/spec/routes/{index}"
        problem = _ill_matched(sequence(at(route, "conditions")))
        if problem:
            yield Breach(f"{base}/conditions", f"{problem}.")
        policies = [part(route, key) for key in ("requestRedirectPolicy", "directResponsePolicy")]
        ends = bool(sequence(at(route, "services"))) + sum(policy is not None for policy in policies)
        if ends != 1:
            yield Breach(base, "a route needs either services, a redirect or a direct response.")
    for target in targets(proxy):
        if not target.service or not 1 <= (target.port_number or 0) <= 65535:
            yield Breach(target.pointer, "it sends to no Service with a port.")
            continue
        namespace = home(proxy)
        service = inventory.service(namespace, target.service)
        if not service:
            message = f"there is no Service {target.service} in namespace {namespace}."
            yield Breach(target.service_pointer, message, evidence=target.service)
        elif service.type != "ExternalName" and not port_of(service, target.port_number or 0):
            yield Breach(target.port_pointer, f"{service.resource} has no TCP port {target.port_number}.")

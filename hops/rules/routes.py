"""What Contour makes of Ingresses, HTTPProxies and Gateway API routes: whose they are, what they match, where to.

From Contour 1.33: internal/ingressclass, internal/annotation, internal/dag.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from hops.rules.inventory import Ingress, Inventory, Resource, Service, ServicePort, content
from hops.rules.values import (
    JSON,
    UNKNOWN,
    Undecidable,
    at,
    mapping,
    matches,
    number,
    pairs,
    sequence,
    text,
    texts,
    unknown_paths,
)
from hops.settings import DNS_LABEL

CLASS_ANNOTATIONS = ("projectcontour.io/ingress.class", "kubernetes.io/ingress.class")
DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
CONTOUR = "Deployment/projectcontour/contour"
"""The workload that reads the routes, as Contour publishes it (examples/contour/03-contour.yaml)."""
GATEWAY_ROUTES = ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute")


def home(resource: Resource) -> str | None:
    """The object's namespace. Raises Undecidable where it isn't known yet."""
    if resource.vague and at(resource.body, "metadata", "namespace") is UNKNOWN:
        raise Undecidable
    return resource.namespace


# Classes


def served(inventory: Inventory) -> tuple[str, ...]:
    """The classes that Contour serves: those of its --ingress-class-name, else none and `contour`."""
    for resource in inventory.of_kind("Deployment"):
        if resource.means((CONTOUR,)):
            for container in sequence(at(resource.body, "spec", "template", "spec", "containers")):
                for argument in texts(at(container, "args")):
                    flag, _, value = argument.partition("=")
                    if flag == "--ingress-class-name" and value:
                        return tuple(part.strip() for part in value.split(","))
    return ("", "contour")


def _default_class(inventory: Inventory) -> str:
    """The class that the API server writes into an Ingress without one; "" for none, or for several."""
    marked = [
        resource
        for resource in inventory.of_kind("IngressClass")
        if pairs(at(resource.body, "metadata", "annotations")).get(DEFAULT_CLASS) == "true"
    ]
    if any(resource.vague for resource in marked):
        raise Undecidable
    return marked[0].name if len(marked) == 1 else ""


def annotated_class(annotations: Mapping[str, str]) -> tuple[str, str]:
    """The class that an annotation asks for, and the annotation's key; "" twice where none does."""
    for key in CLASS_ANNOTATIONS:
        if key in annotations:
            return (annotations[key], key) if annotations[key] else ("", "")
    return "", ""


def class_of(subject: Ingress | Resource, inventory: Inventory) -> str:
    """The class of an Ingress or HTTPProxy, "" for none: an annotation beats the field, and the field the default."""
    if isinstance(subject, Ingress):
        return (
            annotated_class(subject.annotations)[0]
            or subject.class_name
            # An empty name counts as given, so the API server doesn't add the default.
            or ("" if subject.class_name == "" else inventory.once(_default_class))
        )
    annotations = pairs(at(subject.body, "metadata", "annotations"))
    return annotated_class(annotations)[0] or text(at(subject.body, "spec", "ingressClassName")) or ""


def owner_of(subject: Ingress | Resource, inventory: Inventory) -> str:
    """The class that stands for another controller; an empty string for what Contour serves."""
    name = class_of(subject, inventory)
    return "" if name in inventory.once(served) else name


# Hosts


def bare(host: str) -> str:
    """A host name as it was meant: lower case, without scheme, port, path or last dot."""
    name = re.sub(r"^[a-z][a-z0-9+.-]*://", "", host.strip().lower()).partition("/")[0]
    return re.sub(r":\d*$", "", name).rstrip(".")


def is_host_name(name: str) -> bool:
    """Whether it is a DNS name, with * as its first label or without, and no IP address."""
    labels = name.removeprefix("*.").split(".")
    return (
        len(name) <= 253
        and all(DNS_LABEL.fullmatch(label) for label in labels)
        and not re.fullmatch(r"\d+\.\d+\.\d+\.\d+", name)
    )


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """An object with host names. hosts: each once, with the pointers to where it stands. whole: all are known."""

    resource: Resource
    hosts: Sequence[tuple[str, Sequence[str]]]
    whole: bool

    def settle(self) -> None:
        """Raises Undecidable where a host isn't known yet: for after the known ones."""
        if not self.whole:
            raise Undecidable


def named(inventory: Inventory) -> Sequence[Named]:
    return inventory.once(_named)


def _named(inventory: Inventory) -> Sequence[Named]:
    others = inventory.of_kind("HTTPProxy", "HTTPRoute", "GRPCRoute", "TLSRoute", "Gateway")
    return [
        *(_grouped(ingress.resource, _ingress_hosts(ingress)) for ingress in inventory.ingresses),
        *(_grouped(resource, _other_hosts(resource)) for resource in others),
    ]


def _ingress_hosts(ingress: Ingress) -> Iterator[tuple[JSON, str]]:
    if ingress.rules is UNKNOWN:
        yield UNKNOWN, ""
    else:
        yield from ((rule.host, f"{rule.pointer}/host") for rule in ingress.rules)
    tls = at(ingress.spec, "tls")
    if tls is UNKNOWN:
        yield UNKNOWN, ""
    elif tls:
        yield from tls_hosts(ingress)


def tls_hosts(ingress: Ingress) -> Iterator[tuple[JSON, str]]:
    """The hosts of `tls`, with their pointers."""
    for index, entry in enumerate(sequence(at(ingress.spec, "tls"))):
        hosts = at(entry, "hosts")
        if hosts is UNKNOWN:
            yield UNKNOWN, ""
        else:
            yield from (
                (host, f"/spec/tls/{index}/hosts/{i}")
                for i, host in enumerate(sequence(hosts))
                if isinstance(host, str) or host is UNKNOWN
            )


def _other_hosts(resource: Resource) -> Iterator[tuple[JSON, str]]:
    spec = at(resource.body, "spec")
    if resource.kind == "HTTPProxy":
        yield at(spec, "virtualhost", "fqdn"), "/spec/virtualhost/fqdn"
        return
    key = "listeners" if resource.kind == "Gateway" else "hostnames"
    entries = sequence(at(spec, key))
    if entries is UNKNOWN:
        yield UNKNOWN, ""
    elif key == "listeners":
        yield from ((at(entry, "hostname"), f"/spec/listeners/{i}/hostname") for i, entry in enumerate(entries))
    else:
        yield from ((entry, f"/spec/hostnames/{i}") for i, entry in enumerate(entries))


def _grouped(resource: Resource, hosts: Iterable[tuple[JSON, str]]) -> Named:
    known: dict[str, list[str]] = {}
    whole = True
    for host, where in hosts:
        if isinstance(host, str) and host:
            known.setdefault(host, []).append(where)
        elif host is UNKNOWN:
            whole = False
    return Named(resource, tuple(known.items()), whole)


# Where they lead


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """What an object sends to.

    namespace: None for the object's own. foreign: what stands in the place of a Service, "" for nothing. pointer: of
    the whole. service_pointer, port_pointer: of its parts. whole_port: makes the port's JSON value of a number.
    """

    namespace: str | None
    service: str | None
    port_number: int | None
    port_name: str | None
    foreign: str
    pointer: str
    service_pointer: str
    port_pointer: str
    whole_port: Callable[[int], JSON]


def senders(inventory: Inventory) -> Iterator[Ingress | Resource]:
    """The Ingresses and Gateway API routes."""
    return chain(inventory.ingresses, inventory.of_kind(*GATEWAY_ROUTES))


def targets(subject: Ingress | Resource) -> Iterator[Target]:
    if isinstance(subject, Ingress):
        yield from _ingress_targets(subject)
    elif subject.kind == "HTTPProxy":
        spec = at(subject.body, "spec")
        for i, route in enumerate(sequence(at(spec, "routes"))):
            yield from _references(at(route, "services"), f"/spec/routes/{i}/services")
        yield from _references(at(spec, "tcpproxy", "services"), "/spec/tcpproxy/services")
    else:
        for i, rule in enumerate(sequence(at(subject.body, "spec", "rules"))):
            base = f"/spec/rules/{i}"
            yield from _references(at(rule, "backendRefs"), f"{base}/backendRefs")
            for j, filter_ in enumerate(sequence(at(rule, "filters"))):
                mirror = at(filter_, "requestMirror", "backendRef")
                if mirror:
                    yield _reference(mirror, f"{base}/filters/{j}/requestMirror/backendRef")


def _ingress_targets(ingress: Ingress) -> Iterator[Target]:
    older = "beta" in ingress.resource.api_version
    for backend in ingress.backends():
        base = backend.pointer
        yield Target(
            namespace=None,
            service=backend.service,
            port_number=backend.port_number,
            port_name=backend.port_name,
            foreign="a resource" if backend.resource else "",
            pointer=base,
            service_pointer=f"{base}/serviceName" if older else f"{base}/service/name",
            port_pointer=f"{base}/servicePort" if older else f"{base}/service/port",
            whole_port=_itself if older else _numbered,
        )


def _itself(port: int) -> JSON:
    return port


def _numbered(port: int) -> JSON:
    return {"number": port}


def _references(entries: JSON, base: str) -> Iterator[Target]:
    for index, entry in enumerate(sequence(entries)):
        yield _reference(entry, f"{base}/{index}")


def _reference(entry: JSON, base: str) -> Target:
    kind, group = text(at(entry, "kind")) or "Service", text(at(entry, "group")) or ""
    return Target(
        namespace=text(at(entry, "namespace")),
        service=text(at(entry, "name")),
        port_number=number(at(entry, "port")),
        port_name=None,
        foreign="" if kind == "Service" and not group else f"a {kind}",
        pointer=base,
        service_pointer=f"{base}/name",
        port_pointer=f"{base}/port",
        whole_port=_itself,
    )


def port_of(service: Service, wanted: int | str) -> ServicePort | None:
    """The port that Contour finds: the first of that number or name, and only if it is TCP (dag/cache.go)."""
    if isinstance(wanted, str):
        found = next((port for port in service.ports if port.name == wanted), None)
        # From there it goes on with the number.
        return port_of(service, found.port) if found and found.port and found.protocol == "TCP" else None
    found = next((port for port in service.ports if port.port == wanted), None)
    return found if found and found.protocol == "TCP" else None


def granted(inventory: Inventory, resource: Resource, kind: str, namespace: str | None, name: str) -> bool:
    """Whether a ReferenceGrant of that namespace lets a Gateway API object refer to an object there."""
    return any(
        any(at(f, "kind") == resource.kind and at(f, "namespace") == home(resource) for f in _listed(grant, "from"))
        and any(at(t, "kind") == kind and at(t, "name") in (None, "", name) for t in _listed(grant, "to"))
        for grant in inventory.of_kind("ReferenceGrant")
        if home(grant) == namespace
    )


def _listed(resource: Resource, key: str) -> Sequence[JSON]:
    return sequence(at(resource.body, "spec", key))


# What they match


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One route in Envoy.

    owner: "" for Contour's. match: how (exact, regex, segment, string) and which path. conditions: on headers and
    parameters, "" for none. leads: to what, as JSON. pointer: inside the resource.
    """

    resource: Resource
    pointer: str
    owner: str
    host: str
    match: tuple[str, str]
    conditions: str
    leads: JSON

    @property
    def key(self) -> tuple[str, str, tuple[str, str], str]:
        return self.owner, self.host, self.match, self.conditions

    def ends_with(self, other: "Route") -> bool:
        """Whether both lead to the same. Raises Undecidable."""
        if unknown_paths([self.leads, other.leads]):
            raise Undecidable
        return self.leads == other.leads and home(self.resource) == home(other.resource)

    def __str__(self) -> str:
        how, path = self.match
        shown = {"segment": "Prefix", "string": "Prefix" if path == "/" else "string prefix"}
        return f"{shown.get(how, how)} {path}"


@dataclass(frozen=True, slots=True, eq=False)
class CatchAll:
    """A regular expression that takes everything under a path. segments: only whole ones."""

    route: Route
    under: str
    segments: bool


class RouteTable:
    """All routes. claims: by what they match. caught: by owner and host, the path that all is taken under, segments."""

    def __init__(self) -> None:
        self.claims: dict[tuple[str, str, tuple[str, str], str], list[Route]] = defaultdict(list)
        self.caught: dict[tuple[str, str], dict[str, dict[bool, CatchAll]]] = defaultdict(lambda: defaultdict(dict))
        self._of: dict[Resource, list[Route]] = defaultdict(list)
        self._at: dict[tuple[Resource, str], Route] = {}
        self._undecided: set[Resource] = set()

    def of(self, resource: Resource) -> Sequence[Route]:
        """The routes that an object makes. Raises Undecidable where what they match isn't known yet."""
        if resource in self._undecided:
            raise Undecidable
        return self.known(resource)

    def known(self, resource: Resource) -> Sequence[Route]:
        """As `of`, but none where they aren't known: for a patch, which may be left out."""
        return self._of.get(resource, ())

    def free(self, resource: Resource, where: str, match: tuple[str, str]) -> bool:
        """Whether the route at a pointer could match something else without meeting another route."""
        route = self._at.get((resource, where))
        if route is None or len(self.claims[route.key]) > 1:
            return False
        return match == route.match or (route.owner, route.host, match, route.conditions) not in self.claims

    def add(self, resource: Resource, routes: Iterable[Route]) -> None:
        try:
            found = list(routes)
        except Undecidable:
            self._undecided.add(resource)
            return
        for route in found:
            self.claims[route.key].append(route)
            self._of[route.resource].append(route)
            self._at[route.resource, route.pointer] = route
            if route.match[0] == "regex" and not route.conditions:
                self._catch(route)

    def _catch(self, route: Route) -> None:
        found = everything_under(route.match[1])
        if found:
            under, segments = found
            rivals = self.caught[route.owner, route.host][under]
            # The longest is asked first, so it takes everything.
            if segments not in rivals or len(rivals[segments].route.match[1]) < len(route.match[1]):
                rivals[segments] = CatchAll(route, under, segments)


def routes(inventory: Inventory) -> RouteTable:
    """Ask for it by `inventory.once(routes)`."""
    table = RouteTable()
    for ingress in inventory.ingresses:
        table.add(ingress.resource, _ingress_routes(ingress, inventory))
    for resource in inventory.of_kind("HTTPProxy"):
        table.add(resource, _proxy_routes(resource, inventory))
    return table


def matched(path: str | None, path_type: str | None) -> tuple[str, str]:
    """What a path of an Ingress matches."""
    path = path or "/"
    if path_type == "Exact":
        return "exact", path
    if path_type == "Prefix":
        return ("string", path) if path == "/" else ("segment", path.rstrip("/"))
    return ("regex" if looks_like_regex(path) else "string"), path


def looks_like_regex(path: str) -> bool:
    """Whether Contour takes a path of type ImplementationSpecific for a regular expression."""
    return any(character in path for character in "^+*[]%")


# `.*` and its like; `(/|$)(.*)` and `(/.*)?` stop at a slash.
_TAIL = re.compile(r"(?:(?P<open>\.[*+]|\(\.[*+]\))|\(/\|\$\)\(\.\*\)|\(/\.\*\)\?)\$?$")


def everything_under(path: str) -> tuple[str, bool] | None:
    """The plain path under which a regular expression takes everything, and whether only in whole segments."""
    found = _TAIL.search(path)
    plain = path[: found.start()] if found else ""
    if not found or not re.fullmatch(r"[\w/.~-]*", plain):
        return None
    return plain, not found["open"]


def _ingress_routes(ingress: Ingress, inventory: Inventory) -> Iterator[Route]:
    owner = owner_of(ingress, inventory)
    for rule in ingress.rules:
        host = bare(rule.host)
        for path in rule.paths:
            leads = [path.backend.service, path.backend.port_number, path.backend.port_name]
            yield Route(ingress.resource, path.pointer, owner, host, matched(path.path, path.path_type), "", leads)


# HTTPProxy

_LARGEST = 1_000
"""How many included proxies of one root are looked at: their number grows with every level of includes."""


@dataclass(frozen=True, slots=True, eq=False)
class Include:
    """An include of an HTTPProxy. proxy: None where there is none of that name."""

    namespace: str | None
    name: str
    proxy: Resource | None
    conditions: Sequence[JSON]
    pointer: str


def part(body: JSON, *keys: str) -> Mapping[str, JSON] | None:
    """The mapping under the keys, be it empty, None where there is none. Raises Undecidable."""
    declared = at(body, *keys)
    if declared is UNKNOWN:
        raise Undecidable
    return declared if isinstance(declared, dict) else None


def virtual_host(proxy: Resource) -> Mapping[str, JSON] | None:
    """What makes an HTTPProxy a root; see `part`."""
    return part(proxy.body, "spec", "virtualhost")


def includes(proxy: Resource, inventory: Inventory) -> Iterator[Include]:
    spec = at(proxy.body, "spec")
    for index, entry in enumerate(sequence(at(spec, "includes"))):
        yield _include(proxy, entry, f"/spec/includes/{index}", inventory)
    for key in ("include", "includes"):
        if at(spec, "tcpproxy", key):
            yield _include(proxy, at(spec, "tcpproxy", key), f"/spec/tcpproxy/{key}", inventory)


def _include(proxy: Resource, entry: JSON, base: str, inventory: Inventory) -> Include:
    namespace, name = text(at(entry, "namespace")) or home(proxy), text(at(entry, "name")) or ""
    found = inventory.find("HTTPProxy", namespace, name)
    return Include(namespace, name, found, sequence(at(entry, "conditions")), base)


@dataclass(frozen=True, slots=True, eq=False)
class Proxies:
    """How HTTPProxies hang together.

    roots: by owner and host. reached: from a root. circles: the includes that lead back, by proxy and pointer.
    whole: all includes are known.
    """

    roots: Mapping[tuple[str, str], Sequence[Resource]]
    reached: frozenset[Resource]
    circles: frozenset[tuple[Resource, str]]
    whole: bool


def proxies(inventory: Inventory) -> Proxies:
    """Ask for it by `inventory.once(proxies)`."""
    roots: dict[tuple[str, str], list[Resource]] = defaultdict(list)
    first: list[Resource] = []
    edges: dict[Resource, list[Include]] = {}
    whole = True
    for proxy in inventory.of_kind("HTTPProxy"):
        edges[proxy] = []
        try:
            host = virtual_host(proxy)
            if host is not None:
                first.append(proxy)
            edges[proxy] += includes(proxy, inventory)
            if host is not None:
                roots[owner_of(proxy, inventory), (text(at(host, "fqdn")) or "").lower()].append(proxy)
        except Undecidable:
            # The proxy itself is reported as undecided, and so is every orphan.
            whole = False
    reached, circles = _walked(first, edges)
    _, others = _walked([proxy for proxy in edges if proxy not in reached], edges)
    return Proxies(roots, frozenset(reached), frozenset(circles | others), whole)


def _walked(
    starts: Iterable[Resource], edges: Mapping[Resource, Sequence[Include]]
) -> tuple[set[Resource], set[tuple[Resource, str]]]:
    """What can be reached, and the edges that lead back to where the walk came through."""
    seen: set[Resource] = set()
    circles: set[tuple[Resource, str]] = set()
    for start in starts:
        if start in seen:
            continue
        seen.add(start)
        trail, open_ = [(start, iter(edges[start]))], {start}
        while trail:
            proxy, rest = trail[-1]
            include = next(rest, None)
            if include is None:
                open_.discard(proxy)
                trail.pop()
            elif include.proxy in open_:
                circles.add((proxy, include.pointer))
            elif include.proxy is not None and include.proxy not in seen:
                seen.add(include.proxy)
                open_.add(include.proxy)
                trail.append((include.proxy, iter(edges[include.proxy])))
    return seen, circles


def _proxy_routes(root: Resource, inventory: Inventory) -> Iterator[Route]:
    """The routes of a root and of what it includes."""
    host = virtual_host(root)
    if host is None:
        return
    owner, name = owner_of(root, inventory), bare(text(at(host, "fqdn")) or "")
    waiting: list[tuple[Resource, tuple[JSON, ...], tuple[Resource, ...]]] = [(root, (), (root,))]
    for _ in range(_LARGEST):
        if not waiting:
            return
        proxy, above, trail = waiting.pop()
        for index, route in enumerate(sequence(at(proxy.body, "spec", "routes"))):
            conditions = [*above, *sequence(at(route, "conditions"))]
            matches_, others = merged(conditions)
            yield Route(proxy, f"/spec/routes/{index}", owner, name, matches_, others, at(route, "services"))
        waiting += [
            (include.proxy, (*above, *include.conditions), (*trail, include.proxy))
            for include in includes(proxy, inventory)
            if include.proxy is not None and include.proxy not in trail
        ]


def merged(conditions: Sequence[JSON]) -> tuple[tuple[str, str], str]:
    """The path that a chain of conditions matches, and the other conditions (dag/conditions.go)."""
    path, how = "", "string"
    for condition in conditions:
        for key in ("prefix", "exact", "regex"):
            value = text(at(condition, key))
            if value:
                path += value
                how = "regex" if "regex" in (key, how) else "exact" if key == "exact" else "string"
                break
        else:
            how = how if how == "regex" else "string"
    others = [c for c in conditions if mapping(c) and not {"prefix", "exact", "regex"} & set(mapping(c))]
    if unknown_paths(others):
        raise Undecidable
    return (how, re.sub(r"//+", "/", path)) if path else ("string", "/"), ",".join(sorted(map(content, others)))


# Certificates


def secret_problem(
    inventory: Inventory, user: str | None, namespace: str | None, name: str, given: Sequence[str]
) -> str:
    """What keeps Contour from using a Secret as a certificate, as a sentence without its end; "" for nothing.

    user: the namespace of who wants it. given: patterns of Secrets that exist outside the stack.
    """
    if user != namespace and not _delegated(inventory, user, namespace, name):
        return f"no TLSCertificateDelegation in namespace {namespace} lets namespace {user} use Secret {name}"
    secret = inventory.find("Secret", namespace, name)
    if secret is None:
        made = (namespace, name) in inventory.once(_made_secrets)
        if made or any(matches(pattern, f"Secret/{namespace}/{name}") for pattern in given):
            return ""
        return f"there is no Secret {name} in namespace {namespace}"
    kind = text(at(secret.body, "type")) or "Opaque"
    if kind not in ("kubernetes.io/tls", "Opaque"):
        return f"{secret} is of type {kind} and not kubernetes.io/tls"
    held = {**mapping(at(secret.body, "data")), **mapping(at(secret.body, "stringData"))}
    missing = [key for key in ("tls.crt", "tls.key") if key not in held]
    return f"{secret} has no {' and no '.join(missing)}" if missing else ""


def _delegated(inventory: Inventory, user: str | None, namespace: str | None, name: str) -> bool:
    for resource in inventory.of_kind("TLSCertificateDelegation"):
        for entry in sequence(at(resource.body, "spec", "delegations")) if home(resource) == namespace else ():
            allowed = texts(at(entry, "targetNamespaces"))
            if at(entry, "secretName") == name and (user in allowed or tuple(allowed) == ("*",)):
                return True
    return False


def _made_secrets(inventory: Inventory) -> frozenset[tuple[str | None, str | None]]:
    """The Secrets that controllers make of declared objects, by namespace and name."""
    found: set[tuple[str | None, str | None]] = set()
    for kind, group, keys in _MAKERS:
        for resource in inventory.of_kind(kind):
            if resource.api_version.startswith(group):
                named_by = text(at(resource.body, *keys)) or text(at(resource.body, "metadata", "name"))
                found.add((home(resource), named_by))
    return frozenset(found)


_MAKERS = (
    ("Certificate", "cert-manager.io/", ("spec", "secretName")),
    ("ExternalSecret", "external-secrets.io/", ("spec", "target", "name")),
    ("SealedSecret", "bitnami.com/", ("spec", "template", "metadata", "name")),
)

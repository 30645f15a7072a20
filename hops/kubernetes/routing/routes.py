"""The routes that Contour creates from Ingresses, HTTPProxies and HTTPRoutes, and their conflicts.

From Contour 1.33: internal/dag.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from hops.kubernetes.controller.classes import owner_of
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.ingresses import DeclaredIngress, IngressTLS
from hops.kubernetes.resources.resource import Resource, Rivals, content
from hops.kubernetes.resources.services import DeclaredService, ServicePort
from hops.kubernetes.routing.gateways import (
    Attachment,
    GatewayListener,
    attachments,
    by_contour,
    common_host,
    detached,
    listeners,
    route_hosts,
)
from hops.kubernetes.routing.hosts import bare
from hops.kubernetes.routing.proxies import includes, part, status_messages, virtual_host
from hops.kubernetes.routing.targets import granted, home, port_of
from hops.kubernetes.values import (
    JSON,
    UNKNOWN,
    Undecidable,
    Unknown,
    at,
    flag,
    mapping,
    number,
    sequence,
    text,
    unknown_paths,
)

T = TypeVar("T")
ALLOW_HTTP = "kubernetes.io/ingress.allow-http"
"""The annotation by which Contour gives an Ingress no plain route (internal/annotation/annotations.go, HTTPAllowed)."""
FORCE_SSL = "ingress.kubernetes.io/force-ssl-redirect"
"""The annotation by which the plain routes of an Ingress redirect to https (TLSRequired in the same file)."""
PlainHTTP = Literal["served", "redirected", "refused"]
"""What Contour does with plain HTTP for a route: it serves it, redirects it to https, or has no plain route."""

_LARGEST = 1_000
"""Maximum number of included HTTPProxies per root: their number can grow with every level of includes."""


@dataclass(frozen=True, slots=True, eq=False)
class RouteBackend:
    """A Service that a route sends requests to.

    port: number or name, as the route gives it. weight: its share among the route's backends, None where none is given.
    """

    namespace: str | None
    service: str
    port: int | str
    weight: int | None = None


@dataclass(frozen=True, slots=True)
class RouteCondition:
    """A condition of a route on something else than the path.

    part: the part of the request: method, header or query.
    name: name of the header, in lower case, or of the query parameter; "" for the method.
    how: exact, regex, contains, prefix, suffix or present.
    value: the value to compare with; "" for present.
    negated: whether the request must not match.
    """

    part: Literal["method", "header", "query"]
    name: str
    how: str
    value: str = ""
    negated: bool = False

    def __str__(self) -> str:
        what = "method" if self.part == "method" else f"{self.part} {self.name}"
        return f"{what} {'not ' if self.negated else ''}{f'{self.how} {self.value}'.strip()}"


@dataclass(frozen=True, slots=True, eq=False)
class RouteTLS:
    """The TLS of a route's host.

    resource: the object that declares it: the route's own, or a Gateway.
    namespace, secret: the Secret with the certificate; None for a certificate that is not Contour's (passthrough).
    minimum_version: the minimum protocol version as declared, such as 1.2; None if Contour's own setting applies.
    pointer: JSON pointer of the declaration.
    """

    resource: Resource
    namespace: str | None
    secret: str | None
    minimum_version: str | None
    pointer: str


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One route in Envoy: each kind of object has an adapter below that fills it.

    resource: the object that declares the route.
    pointer: JSON pointer of the route inside the object.
    owner: ingress class of another controller; "" for Contour.
    host: host name; "" for every host.
    match: type of match (exact, regex, segment or string) and path.
    conditions: canonical text of conditions on headers and query parameters; "" for none.
    leads: the target of the route as JSON values.
    path: the path as declared.
    path_type: the path's type as declared, None where none is given.
    backends: the Services that the route sends requests to.
    accepted: whether the object's status lets Contour serve it; None where its kind has no such status.
    said: what the controllers wrote into the status against the route, as sentences without a full stop.
    listener: Gateway listener that the route is reached by; "" for Envoy's plain listener.
    detached: why no Gateway accepts the route, as a clause; "" if one does or may.
    tls: the TLS of its host; None without TLS. UNKNOWN if an unknown value decides it.
    plain: what happens to requests of plain HTTP. UNKNOWN like `tls`.
    requires: the same conditions, readable.
    redirect: where the route redirects requests to, with * for parts of the request that stay; "" for no redirect.
    rewrite: the path, or the prefix of the path, that replaces the matched one; None without a rewrite.
    """

    resource: Resource
    pointer: str
    owner: str
    host: str
    match: tuple[str, str]
    conditions: str
    leads: JSON
    path: str = "/"
    path_type: str | None = None
    backends: tuple[RouteBackend, ...] = ()
    accepted: bool | None = None
    said: tuple[str, ...] = ()
    listener: str = ""
    detached: str = ""
    tls: RouteTLS | None = None
    plain: PlainHTTP = "served"
    requires: tuple[RouteCondition, ...] = ()
    redirect: str = ""
    rewrite: str | None = None

    @property
    def key(self) -> tuple[str, str, tuple[str, str], str]:
        # Routes of different listeners do not compete.
        return (
            self.owner,
            self.host,
            self.match,
            f"{self.listener} {self.conditions}" if self.listener else self.conditions,
        )

    def ends_with(self, other: "Route") -> bool:
        """Whether both routes have the same target. Raises Undecidable if a target is unknown."""
        if unknown_paths([self.leads, other.leads]):
            raise Undecidable
        return self.leads == other.leads and home(self.resource) == home(other.resource)

    def __str__(self) -> str:
        how, path = self.match
        shown = {"segment": "Prefix", "string": "Prefix" if path == "/" else "string prefix"}
        return f"{shown.get(how, how)} {path}"


@dataclass(frozen=True, slots=True, eq=False)
class CatchAll:
    """A regular expression that matches everything below a path.

    route: the route with the regular expression.
    under: the path.
    segments: whether it matches only whole path segments.
    """

    route: Route
    under: str
    segments: bool


class RouteTable:
    """All routes, indexed.

    claims: the routes by `Route.key`.
    caught: catch-all routes by owner and host, then by path, then by `CatchAll.segments`.
    detached: the routes that no Gateway accepts; they are in none of the others.
    """

    def __init__(self) -> None:
        self.claims: dict[tuple[str, str, tuple[str, str], str], list[Route]] = defaultdict(list)
        self.caught: dict[tuple[str, str], dict[str, dict[bool, CatchAll]]] = defaultdict(lambda: defaultdict(dict))
        self._rivals: dict[tuple[str, str, tuple[str, str], str], Rivals[tuple[int, Route]]] = defaultdict(Rivals)
        self._own: dict[tuple[tuple[str, str, tuple[str, str], str], Resource], tuple[int, Route]] = {}
        self.detached: list[Route] = []
        self._of: dict[Resource, list[Route]] = defaultdict(list)
        self._at: dict[tuple[Resource, str], Route] = {}
        self._undecided: set[Resource] = set()
        self._count = 0

    def of(self, resource: Resource) -> Sequence[Route]:
        """The routes of an object. Raises Undecidable if a match of one is unknown."""
        if resource in self._undecided:
            raise Undecidable
        return self.known(resource)

    def known(self, resource: Resource) -> Sequence[Route]:
        """Like `of`, but returns no routes instead of raising Undecidable; for patches, which are optional."""
        return self._of.get(resource, ())

    def rival(self, resource: Resource, route: Route) -> Route | None:
        """The first route of the same key that the route is not, declarations of the same object left out.

        resource: the object that the route comes from; in one object the earlier route is the rival.
        """
        first = (-1, route)
        own, other = self._own.get((route.key, resource), first), self._rivals[route.key].of(resource)
        if other and (own[1] is route or other[0] < own[0]):
            return other[1]
        return None if own[1] is route else own[1]

    def free(self, resource: Resource, where: str, match: tuple[str, str]) -> bool:
        """Whether the route at a pointer can change to another match without a conflict."""
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
            if route.detached:
                self.detached.append(route)
                continue
            key, number_ = route.key, self._count
            self._count += 1
            self.claims[key].append(route)
            self._rivals[key].add(route.resource, (number_, route))
            self._own.setdefault((key, route.resource), (number_, route))
            self._of[route.resource].append(route)
            self._at[route.resource, route.pointer] = route
            if route.match[0] == "regex" and not route.conditions and not route.listener:
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
    """The table of all routes. Call it as `inventory.once(routes)`."""
    table = RouteTable()
    for kind, adapter in ADAPTERS.items():
        for resource in inventory.of_kind(kind):
            table.add(resource, adapter(resource, inventory))
    return table


def led_to(inventory: Inventory, route: Route) -> tuple[tuple[RouteBackend, DeclaredService, ServicePort], ...]:
    """The Services and ports behind a route, those left out that are not there. Raises Undecidable."""
    return tuple(
        (backend, service, port)
        for backend in route.backends
        if (service := inventory.service(backend.namespace, backend.service))
        and (port := port_of(service, backend.port))
        and port.port
    )


def matched(path: str | None, path_type: str | None) -> tuple[str, str]:
    """The match of an Ingress path: type of match and path."""
    path = path or "/"
    if path_type == "Exact":
        return "exact", path
    if path_type == "Prefix":
        return ("string", path) if path == "/" else ("segment", path.rstrip("/"))
    return ("regex" if looks_like_regex(path) else "string"), path


def looks_like_regex(path: str) -> bool:
    """Whether Contour treats a path of type ImplementationSpecific as a regular expression."""
    return any(character in path for character in "^+*[]%")


# `.*` and its like; `(/|$)(.*)` and `(/.*)?` stop at a slash.
_TAIL = re.compile(r"(?:(?P<open>\.[*+]|\(\.[*+]\))|\(/\|\$\)\(\.\*\)|\(/\.\*\)\?)\$?$")


def everything_under(path: str) -> tuple[str, bool] | None:
    """The path below which a regular expression matches everything, and whether by whole segments; None for others."""
    found = _TAIL.search(path)
    plain = path[: found.start()] if found else ""
    if not found or not re.fullmatch(r"[\w/.~-]*", plain):
        return None
    return plain, not found["open"]


def _decided(read: Callable[[], T]) -> T:
    """What a function reads, UNKNOWN if that is not known yet: a route is known without it."""
    try:
        return read()
    except Undecidable:
        return UNKNOWN  # type: ignore[no-any-return]


# Ingress


def _ingress_routes(resource: Resource, inventory: Inventory) -> Iterator[Route]:
    ingress = inventory.ingress(resource)
    owner = owner_of(ingress, inventory)
    plain = _decided(lambda: _ingress_plain(ingress))
    secured: Mapping[str, RouteTLS] | Unknown = _decided(lambda: _ingress_tls(ingress))
    for rule in ingress.rules:
        host = bare(rule.host)
        for path in rule.paths:
            leads = [path.backend.service, path.backend.port_number, path.backend.port_name]
            yield Route(
                ingress.resource,
                path.pointer,
                owner,
                host,
                matched(path.path, path.path_type),
                "",
                leads,
                path=path.path or "/",
                path_type=path.path_type,
                backends=_backends(ingress.resource, path.backend.service, leads[1] or leads[2]),
                tls=UNKNOWN if isinstance(secured, Unknown) else secured.get(host),
                plain=plain,
            )


def _ingress_plain(ingress: DeclaredIngress) -> PlainHTTP:
    if ingress.annotations.get(ALLOW_HTTP) == "false":
        return "refused"
    return "redirected" if ingress.annotations.get(FORCE_SSL) == "true" else "served"


def _ingress_tls(ingress: DeclaredIngress) -> Mapping[str, RouteTLS]:
    """The TLS of each host: Contour takes the entry that lists exactly this host."""

    def declared(entry: IngressTLS) -> RouteTLS:
        namespace = ingress.annotations.get("projectcontour.io/tls-cert-namespace") or ingress.resource.namespace
        version = ingress.annotations.get("projectcontour.io/tls-minimum-protocol-version")
        return RouteTLS(ingress.resource, namespace, entry.secret, version, entry.pointer)

    return {bare(host): declared(entry) for entry in ingress.tls for host in entry.hosts if entry.secret}


def _backends(resource: Resource, service: JSON, port: JSON, weight: int | None = None) -> tuple[RouteBackend, ...]:
    """The backend, where both its parts are known: the engine sends 80 as 80.0."""
    if isinstance(service, Unknown) or isinstance(port, Unknown) or not isinstance(service, str):
        return ()
    given = port if isinstance(port, str) else number(port)
    return (RouteBackend(resource.namespace, service, given, weight),) if given else ()


# HTTPProxy


def _proxy_routes(root: Resource, inventory: Inventory) -> Iterator[Route]:
    """The routes of a root and of what it includes."""
    host = virtual_host(root)
    if host is None:
        return
    owner, name = owner_of(root, inventory), bare(text(at(host, "fqdn")) or "")
    tls = _decided(lambda: _proxy_tls(root))
    waiting: list[tuple[Resource, tuple[JSON, ...], tuple[Resource, ...]]] = [(root, (), (root,))]
    for _ in range(_LARGEST):
        if not waiting:
            return
        proxy, above, trail = waiting.pop()
        for index, route in enumerate(sequence(at(proxy.body, "spec", "routes"))):
            conditions = [*above, *sequence(at(route, "conditions"))]
            matches_, others = merged(conditions)
            services = sequence(at(route, "services"))
            yield Route(
                proxy,
                f"/spec/routes/{index}",
                owner,
                name,
                matches_,
                others,
                at(route, "services"),
                path=matches_[1],
                path_type=matches_[0],
                backends=tuple(
                    backend
                    for service in services
                    if at(service, "mirror") is not True
                    for backend in _backends(
                        proxy, at(service, "name"), at(service, "port"), number(at(service, "weight"))
                    )
                ),
                accepted=at(root.body, "status", "currentStatus") == "valid",
                said=_decided(lambda proxy=proxy: status_messages(proxy)),  # type: ignore[misc]
                tls=tls,
                plain=_decided(lambda route=route: _proxy_plain(tls, route)),  # type: ignore[misc]
                requires=tuple(_proxy_conditions(conditions)),
                redirect=_decided(lambda route=route: _sent_to(at(route, "requestRedirectPolicy"))),  # type: ignore[misc]
                rewrite=text(at(route, "pathRewritePolicy", "replacePrefix", 0, "replacement")),
            )
        waiting += [
            (include.proxy, (*above, *include.conditions), (*trail, include.proxy))
            for include in includes(proxy, inventory)
            if include.proxy is not None and include.proxy not in trail
        ]


_NOT = {"notpresent": "present", "notcontains": "contains", "notexact": "exact"}


def _proxy_conditions(conditions: Sequence[JSON]) -> Iterator[RouteCondition]:
    for condition in conditions:
        for key, part_ in (("header", "header"), ("queryParameter", "query")):
            given = mapping(at(condition, key))
            name = text(at(given, "name")) or ""
            for how in ("exact", "regex", "contains", "prefix", "suffix", "present", *_NOT):
                if value := given.get(how):
                    shown = "" if value is True else str(value)
                    named = name.lower() if key == "header" else name
                    yield RouteCondition(part_, named, _NOT.get(how, how), shown, how in _NOT)  # type: ignore[arg-type]


def _proxy_tls(root: Resource) -> RouteTLS | None:
    tls = part(root.body, "spec", "virtualhost", "tls")
    if tls is None:
        return None
    namespace, _, secret = (text(tls.get("secretName")) or "").rpartition("/")
    version = text(tls.get("minimumProtocolVersion"))
    return RouteTLS(root, namespace or root.namespace, secret or None, version, "/spec/virtualhost/tls")


def _proxy_plain(tls: RouteTLS | None, route: JSON) -> PlainHTTP:
    return "served" if not tls or flag(at(route, "permitInsecure")) else "redirected"


def _sent_to(redirect: JSON) -> str:
    """The target of a redirect, with * for parts that stay as requested; "" for no redirect."""
    if not redirect:
        return ""
    path = at(redirect, "path")
    whole = text(path) or text(at(path, "replaceFullPath"))
    prefix = text(at(redirect, "prefix")) or text(at(path, "replacePrefixMatch"))
    port = number(at(redirect, "port"))
    shown = whole or (f"{prefix.rstrip('/')}/*" if prefix else "/*")
    scheme, host = text(at(redirect, "scheme")) or "*", text(at(redirect, "hostname")) or "*"
    return f"{scheme}://{host}{f':{port}' if port else ''}{shown}"


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


# HTTPRoute


def _http_routes(resource: Resource, inventory: Inventory) -> Iterator[Route]:
    """One route for each match, host and listener; a route that no Gateway accepts has its own hosts."""
    found = attachments(resource, inventory)
    loose = detached(resource, inventory)
    entries = list(_entries(resource, found, inventory))
    for index, rule in enumerate(sequence(at(resource.body, "spec", "rules"))):
        base, filters = f"/spec/rules/{index}", sequence(at(rule, "filters"))
        redirect = next((to for entry in filters if (to := _sent_to(at(entry, "requestRedirect")))), "")
        rewrites = (_rewritten(at(entry, "urlRewrite", "path")) for entry in filters)
        rewrite = next((path for path in rewrites if path is not None), None)
        backends = tuple(_http_backends(resource, rule, inventory))
        matches = sequence(at(rule, "matches"))
        for match in matches or ({},):
            how, path = _http_match(at(match, "path"))
            conditions = {key: at(match, key) for key in ("method", "headers", "queryParams") if at(match, key)}
            if unknown_paths(conditions):
                raise Undecidable
            for owner, host, listener, attachment in entries:
                secure = listener is not None and listener.protocol == "HTTPS"
                yield Route(
                    resource,
                    base,
                    owner,
                    host,
                    (how, path),
                    content(conditions) if conditions else "",
                    [at(rule, "backendRefs"), at(rule, "filters")],
                    path=path or "/",
                    path_type=text(at(match, "path", "type")) or "PathPrefix",
                    backends=() if redirect else backends,
                    accepted=_http_accepted(resource, attachment),
                    said=_decided(lambda a=attachment: _http_said(resource, a)),  # type: ignore[misc]
                    listener=_competing(listener, inventory) if listener else "",
                    detached=loose,
                    requires=tuple(_http_conditions(match)),
                    tls=_decided(lambda e=listener: _listener_tls(e)) if secure else None,  # type: ignore[misc]
                    plain="refused" if secure else "redirected" if redirect.startswith("https:") else "served",
                    redirect=redirect,
                    rewrite=rewrite,
                )


def _entries(
    resource: Resource, found: Sequence[Attachment], inventory: Inventory
) -> Iterator[tuple[str, str, GatewayListener | None, Attachment | None]]:
    """The owner and host of each listener that a route is reached by, each once."""
    seen: set[tuple[str, str, str]] = set()
    for one in found:
        for listener in one.listeners:
            owner = (
                ""
                if by_contour(listener.gateway, inventory)
                else text(at(listener.gateway.body, "spec", "gatewayClassName")) or ""
            )
            for host in route_hosts(resource):
                common = common_host(listener.host, host)
                key = (owner, common or "", _competing(listener, inventory))
                if common is not None and key not in seen:
                    seen.add(key)
                    yield owner, common, listener, one
    if not seen:
        yield from (("", host, None, next(iter(found), None)) for host in dict.fromkeys(route_hosts(resource)))


def _competing(listener: GatewayListener, inventory: Inventory) -> str:
    """The name of a listener among those whose routes are apart; "" for the only port of plain HTTP."""
    if listener.protocol == "HTTP" and len(inventory.once(_plain_ports)) == 1:
        return ""
    return f"{listener.gateway}:{listener.protocol}:{listener.port}"


def _plain_ports(inventory: Inventory) -> frozenset[tuple[Resource, int | None]]:
    """The Gateways and ports of Contour's plain listeners."""
    return frozenset(
        (gateway, listener.port)
        for gateway in inventory.of_kind("Gateway")
        if by_contour(gateway, inventory)
        for listener in listeners(gateway)
        if listener.protocol == "HTTP"
    )


def _http_match(path: JSON) -> tuple[str, str]:
    value = text(at(path, "value")) or "/"
    how = text(at(path, "type")) or "PathPrefix"
    if how == "PathPrefix":
        return matched(value, "Prefix")
    return ("exact" if how == "Exact" else "regex"), value


def _http_conditions(match: JSON) -> Iterator[RouteCondition]:
    if method := text(at(match, "method")):
        yield RouteCondition("method", "", "exact", method)
    for key, part_ in (("headers", "header"), ("queryParams", "query")):
        for entry in sequence(at(match, key)):
            name = text(at(entry, "name")) or ""
            how = "regex" if at(entry, "type") == "RegularExpression" else "exact"
            named = name.lower() if part_ == "header" else name
            yield RouteCondition(part_, named, how, text(at(entry, "value")) or "")  # type: ignore[arg-type]


def _http_backends(resource: Resource, rule: JSON, inventory: Inventory) -> Iterator[RouteBackend]:
    """The Services of a rule; without a ReferenceGrant, Contour sends nothing to one of another namespace."""
    for entry in sequence(at(rule, "backendRefs")):
        if (text(at(entry, "kind")) or "Service") != "Service" or text(at(entry, "group")):
            continue
        namespace, name = text(at(entry, "namespace")) or home(resource), text(at(entry, "name")) or ""
        if namespace != home(resource) and not granted(inventory, resource, "Service", namespace, name):
            continue
        if port := number(at(entry, "port")):
            yield RouteBackend(namespace, name, port, number(at(entry, "weight")))


def _rewritten(path: JSON) -> str | None:
    whole = text(at(path, "replaceFullPath"))
    return text(at(path, "replacePrefixMatch")) if whole is None else whole


def _listener_tls(listener: GatewayListener) -> RouteTLS | None:
    reference = at(listener.body, "tls", "certificateRefs", 0)
    namespace = text(at(reference, "namespace")) or listener.gateway.namespace
    return RouteTLS(listener.gateway, namespace, text(at(reference, "name")), None, f"{listener.pointer}/tls")


def _parents(resource: Resource, attachment: Attachment | None) -> list[JSON]:
    """The entries of a route's status for a parentRef."""
    reference = attachment.reference if attachment else None
    keys = ("name", "namespace", "sectionName", "port")
    wanted = {key: at(reference, key) for key in keys if at(reference, key) is not None}
    return [
        entry
        for entry in sequence(at(resource.body, "status", "parents"))
        if all(
            at(entry, "parentRef", key) == value or (key == "namespace" and value == resource.namespace)
            for key, value in wanted.items()
        )
    ]


def _http_accepted(resource: Resource, attachment: Attachment | None) -> bool:
    """Whether the status accepts the route and its backends, and its Gateway is programmed or says nothing of it."""
    gateway = attachment.gateway if attachment else None
    if gateway is not None and list(_unmet("", at(gateway.body, "status"), ("Accepted", "Programmed"))):
        return False
    parents = _parents(resource, attachment)
    given = [condition for entry in parents for condition in sequence(at(entry, "conditions"))]
    unmet = [line for entry in parents for line in _unmet("", entry, ("Accepted", "ResolvedRefs"))]
    return not unmet and any(at(condition, "type") == "Accepted" for condition in given)


def _http_said(resource: Resource, attachment: Attachment | None) -> tuple[str, ...]:
    """The conditions of a route's status that are not True, and those of its Gateway."""
    found = [
        line
        for entry in _parents(resource, attachment)
        for line in _unmet(f"{resource}", entry, ("Accepted", "ResolvedRefs"))
    ]
    gateway = attachment.gateway if attachment else None
    if gateway is not None:
        found += _unmet(f"{gateway}", at(gateway.body, "status"), ("Accepted", "Programmed"))
    if not sequence(at(resource.body, "status", "parents")):
        found.append(f"{resource} has no status: no controller has read it")
    return tuple(dict.fromkeys(found))


def _unmet(who: str, status: JSON, types: Sequence[str]) -> Iterator[str]:
    for condition in sequence(at(status, "conditions")):
        if at(condition, "type") in types and at(condition, "status") != "True":
            shown = f"{text(at(condition, 'type'))} is {text(at(condition, 'status'))}"
            why = ": ".join(filter(None, (text(at(condition, "reason")), text(at(condition, "message")))))
            yield f"{who}: {shown}{f' ({why})' if why else ''}"


ADAPTERS: Mapping[str, Callable[[Resource, Inventory], Iterator[Route]]] = {
    "Ingress": _ingress_routes,
    "HTTPProxy": _proxy_routes,
    "HTTPRoute": _http_routes,
}
"""The adapter of each kind of object that declares routes."""

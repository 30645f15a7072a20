"""The routes that Contour creates from Ingresses and HTTPProxies, and their conflicts.

From Contour 1.33: internal/dag.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hops.kubernetes.classes import owner_of
from hops.kubernetes.hosts import bare
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.proxies import includes, virtual_host
from hops.kubernetes.resources.ingresses import DeclaredIngress
from hops.kubernetes.resources.resource import Resource, content
from hops.kubernetes.resources.services import DeclaredService, ServicePort
from hops.kubernetes.targets import home, port_of
from hops.kubernetes.values import JSON, Undecidable, Unknown, at, mapping, number, sequence, text, unknown_paths

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


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One route in Envoy, of an Ingress or of an HTTPProxy: each kind has an adapter below that fills it.

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

    @property
    def key(self) -> tuple[str, str, tuple[str, str], str]:
        return self.owner, self.host, self.match, self.conditions

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
    """

    def __init__(self) -> None:
        self.claims: dict[tuple[str, str, tuple[str, str], str], list[Route]] = defaultdict(list)
        self.caught: dict[tuple[str, str], dict[str, dict[bool, CatchAll]]] = defaultdict(lambda: defaultdict(dict))
        self._of: dict[Resource, list[Route]] = defaultdict(list)
        self._at: dict[tuple[Resource, str], Route] = {}
        self._undecided: set[Resource] = set()

    def of(self, resource: Resource) -> Sequence[Route]:
        """The routes of an object. Raises Undecidable if a match of one is unknown."""
        if resource in self._undecided:
            raise Undecidable
        return self.known(resource)

    def known(self, resource: Resource) -> Sequence[Route]:
        """Like `of`, but returns no routes instead of raising Undecidable; for patches, which are optional."""
        return self._of.get(resource, ())

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
    """The table of all routes. Call it as `inventory.once(routes)`."""
    table = RouteTable()
    for ingress in inventory.ingresses:
        table.add(ingress.resource, _ingress_routes(ingress, inventory))
    for resource in inventory.of_kind("HTTPProxy"):
        table.add(resource, _proxy_routes(resource, inventory))
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


def _ingress_routes(ingress: DeclaredIngress, inventory: Inventory) -> Iterator[Route]:
    owner = owner_of(ingress, inventory)
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
            )


def _backends(resource: Resource, service: JSON, port: JSON, weight: int | None = None) -> tuple[RouteBackend, ...]:
    """The backend, where both its parts are known: the engine sends 80 as 80.0."""
    if isinstance(service, Unknown) or isinstance(port, Unknown) or not isinstance(service, str):
        return ()
    given = port if isinstance(port, str) else number(port)
    return (RouteBackend(resource.namespace, service, given, weight),) if given else ()


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
            )
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

"""The adapters of all kinds of routes, and the table of the routes that Contour creates, with their conflicts.

From Contour 1.33: internal/dag.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.resource import Resource, Rivals
from hops.kubernetes.resources.services import DeclaredService, ServicePort
from hops.kubernetes.routing.http_routes import GATEWAY, HTTP_ROUTE, OTHER_ROUTE
from hops.kubernetes.routing.ingress_routes import INGRESS
from hops.kubernetes.routing.proxy_routes import HTTP_PROXY
from hops.kubernetes.routing.route import Adapter, Route, RouteBackend
from hops.kubernetes.routing.targets import GATEWAY_ROUTES, Target, port_of
from hops.kubernetes.values import Undecidable

ADAPTERS: Mapping[str, Adapter] = {
    "Ingress": INGRESS,
    "HTTPProxy": HTTP_PROXY,
    "HTTPRoute": HTTP_ROUTE,
    **dict.fromkeys((kind for kind in GATEWAY_ROUTES if kind != "HTTPRoute"), OTHER_ROUTE),
    "Gateway": GATEWAY,
}
"""The adapter of each kind of object on the way from a listener to a Service."""
ROUTE_KINDS = tuple(kind for kind, adapter in ADAPTERS.items() if adapter.routes)
"""The kinds whose routes are followed to Envoy."""


def targets(resource: Resource, inventory: Inventory) -> Iterator[Target]:
    """The backends of an object of a kind in ADAPTERS."""
    return ADAPTERS[resource.kind].targets(resource, inventory)


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
        if adapter.routes:
            for resource in inventory.of_kind(kind):
                table.add(resource, adapter.routes(resource, inventory))
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


# `.*` and its like; `(/|$)(.*)` and `(/.*)?` stop at a slash.
_TAIL = re.compile(r"(?:(?P<open>\.[*+]|\(\.[*+]\))|\(/\|\$\)\(\.\*\)|\(/\.\*\)\?)\$?$")


def everything_under(path: str) -> tuple[str, bool] | None:
    """The path below which a regular expression matches everything, and whether by whole segments; None for others."""
    found = _TAIL.search(path)
    plain = path[: found.start()] if found else ""
    if not found or not re.fullmatch(r"[\w/.~-]*", plain):
        return None
    return plain, not found["open"]

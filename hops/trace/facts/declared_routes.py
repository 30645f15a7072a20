"""What the objects want of the followed request."""

from dataclasses import dataclass
from functools import partial

from hops.kubernetes.resources.resource import Resource, route_version
from hops.kubernetes.routing.gateways import programmed_without
from hops.kubernetes.routing.route import Route, takes_path
from hops.kubernetes.routing.routes import ROUTE_KINDS, led_to, routes
from hops.model.finding import Identity
from hops.model.path import envoy_cluster
from hops.trace.facts.conditions import met
from hops.trace.facts.path_facts import PathFacts
from hops.trace.observed.observation import FollowedRequest


@dataclass(frozen=True)
class Claims:
    """The routes that objects claim for the asked host.

    all: of any path and class.
    hit: those that the asked path meets, the one that Envoy would take first.
    """

    all: tuple[Route, ...]
    hit: tuple[Route, ...]

    @property
    def served(self) -> tuple[Route, ...]:
        """Those that Contour reads, by their class."""
        return tuple(route for route in self.hit if not route.owner)

    @property
    def first(self) -> Route | None:
        """The one that should take the request."""
        return next(iter(self.served), None)


def claims(view: PathFacts) -> Claims:
    """The routes of the asked host, and those of them that take the request."""
    of_host = [route for route in every(view) if takes_host(route.host, view.asked.host) is not None]
    named = max((takes_host(route.host, view.asked.host) or 0 for route in of_host if not route.owner), default=0)
    hit = [
        route
        for route in of_host
        if takes_path(route.match, view.asked.path)
        and meets(route, view.asked)
        # Envoy takes the virtual host of the name itself, and asks no other one.
        and (route.owner or (takes_host(route.host, view.asked.host) or 0) == named)
    ]
    return Claims(tuple(of_host), tuple(sorted(hit, key=partial(_rank, view.asked.scheme))))


def every(view: PathFacts) -> list[Route]:
    """The routes of any host, without those that no Gateway accepts."""
    return [route for group in view.inventory.once(routes).claims.values() for route in group]


def planned_ingress(view: PathFacts) -> Identity | None:
    """The object with the route that the stack declares for the request; None where there is no stack."""
    if not view.planned or not view.backend:
        return None
    kind = view.backend.kind
    return Identity(route_version(kind), kind, view.backend.namespace, view.backend.ingress)


def planned_ingress_missing(view: PathFacts) -> bool:
    """Whether the stack declares an object for the request and the cluster has none of that name."""
    planned = planned_ingress(view)
    return (
        planned is not None and view.sees(planned.kind) and not view.get(planned.kind, planned.namespace, planned.name)
    )


def sees_routes(view: PathFacts) -> bool:
    """Whether the objects of every kind that declares routes were seen."""
    return all(view.sees(kind) for kind in ROUTE_KINDS)


def detached(view: PathFacts) -> tuple[Route, ...]:
    """The routes that would take the request if a Gateway accepted them."""
    return tuple(
        route
        for route in view.inventory.once(routes).detached
        if takes_host(route.host, view.asked.host) is not None
        and takes_path(route.match, view.asked.path)
        and meets(route, view.asked)
    )


@dataclass(frozen=True)
class Share:
    """A ready pod behind the route that takes the request.

    namespace: of the Service.
    service: the name of the Service.
    address, port: where Envoy dials it.
    weight: its backend's, None where none is given.
    part: of all requests.
    """

    namespace: str
    service: str
    address: str
    port: int
    weight: int | None
    part: float


def shares(view: PathFacts) -> tuple[Share, ...]:
    """The ready pods behind the route that takes the request, of all its backends."""
    first = claims(view).first
    led = [(one, port) for one, _, port in led_to(view.inventory, first)] if first else []
    whole = sum(1 if one.weight is None else one.weight for one, _ in led)
    found = []
    for one, port in led:
        weight, namespace = 1 if one.weight is None else one.weight, str(one.namespace)
        target = port.target_port or port.port
        given = (e for e in view.endpoints(namespace, one.service) if e.reached and weight)
        # The port of an endpoint has no name here; of several behind a name the first is taken.
        ready = {e.address: e for e in given if isinstance(target, str) or e.port == target}
        for each in ready.values():
            part = weight / whole / len(ready)
            found.append(Share(namespace, one.service, each.address, each.port or 0, one.weight, part))
    return tuple(found)


def without_listener(view: PathFacts) -> Resource | None:
    """The Gateway that leaves the request's Ingress or HTTPProxy without a listener; None if nothing does."""
    first = claims(view).first
    if first is None or first.resource.kind not in ("Ingress", "HTTPProxy") or not view.sees("Gateway"):
        return None
    return programmed_without(view.asked.scheme, view.inventory)


def meets(route: Route, asked: FollowedRequest) -> bool:
    """Whether a request meets the route's conditions on method, headers and query parameters."""
    return met(route.requires, asked)


def takes_host(pattern: str, host: str) -> int | None:
    """How well the host of a rule fits a name: 2 itself, 1 by a wildcard of one label, 0 as any name; None not."""
    name = host.lower()
    if pattern == name:
        return 2
    first, _, rest = name.partition(".")
    if first and rest and pattern == f"*.{rest}":
        return 1
    return 0 if pattern in ("", "*") else None


def _rank(scheme: str, route: Route) -> tuple[bool, int, int, int]:
    how, path = route.match
    # A route of plain listeners only takes no request by https, whatever its path, and the other way round.
    served = route.tls is not None if scheme == "https" else not http_refused(route)
    return not served, {"exact": 0, "regex": 1}.get(how, 2), -len(path), -len(route.requires)


def http_refused(route: Route) -> bool:
    """Whether the controller has no route for plain HTTP."""
    return route.plain == "refused"


def leads_to(view: PathFacts, route: Route) -> tuple[tuple[str, str, int], ...]:
    """The namespace, Service and port number of each backend behind a route; those left out that are not there."""
    found = led_to(view.inventory, route)
    return tuple((str(backend.namespace), backend.service, port.port) for backend, _, port in found if port.port)


def is_cluster(name: str, namespace: str, service: str, port: int) -> bool:
    """Whether an Envoy cluster is that of a Service's port, with whatever options."""
    return name == envoy_cluster(namespace, service, port) or name.startswith(f"{namespace}/{service}/{port}/")

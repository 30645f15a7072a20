"""What the objects want of the followed request."""

import re
from dataclasses import dataclass

from hops.kubernetes.routes import Route, led_to, routes
from hops.model.finding import Identity
from hops.model.path import envoy_cluster
from hops.trace.facts.path_facts import PathFacts

ALLOW_HTTP = "kubernetes.io/ingress.allow-http"
"""The annotation by which Contour gives an Ingress no plain route (internal/annotation/annotations.go, HTTPAllowed)."""


@dataclass(frozen=True)
class Claims:
    """The routes that objects claim for the asked host.

    all: of any path and class. hit: those that the asked path meets, the one that Envoy would take first.
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
    """What Ingresses and HTTPProxies claim of the asked host and path."""
    of_host = [route for route in every(view) if takes_host(route.host, view.asked.host) is not None]
    named = max((takes_host(route.host, view.asked.host) or 0 for route in of_host if not route.owner), default=0)
    hit = [
        route
        for route in of_host
        if takes_path(route.match, view.asked.path)
        # Envoy takes the virtual host of the name itself, and asks no other one.
        and (route.owner or (takes_host(route.host, view.asked.host) or 0) == named)
    ]
    return Claims(tuple(of_host), tuple(sorted(hit, key=_rank)))


def every(view: PathFacts) -> list[Route]:
    """What Ingresses and HTTPProxies claim of any host."""
    return [route for group in view.inventory.once(routes).claims.values() for route in group]


def planned_ingress(view: PathFacts) -> Identity | None:
    """The Ingress that the stack declares for the request; None where there is no stack."""
    if not view.planned or not view.backend:
        return None
    return Identity("networking.k8s.io/v1", "Ingress", view.backend.namespace, view.backend.ingress)


def planned_ingress_missing(view: PathFacts) -> bool:
    """Whether the stack declares an Ingress for the request and the cluster has none of that name."""
    planned = planned_ingress(view)
    return planned is not None and view.sees("Ingress") and not view.get("Ingress", planned.namespace, planned.name)


def takes_host(pattern: str, host: str) -> int | None:
    """How well the host of a rule fits a name: 2 itself, 1 by a wildcard of one label, 0 as any name; None not."""
    name = host.lower()
    if pattern == name:
        return 2
    first, _, rest = name.partition(".")
    if first and rest and pattern == f"*.{rest}":
        return 1
    return 0 if pattern in ("", "*") else None


def takes_path(match: tuple[str, str], path: str) -> bool:
    """Whether what a route matches takes a path."""
    how, wanted = match
    asked = path.partition("?")[0]
    if how == "exact":
        return asked == wanted
    if how == "segment":
        return asked == wanted or asked.startswith(f"{wanted}/")
    if how == "regex":
        try:
            return re.fullmatch(wanted, asked) is not None
        except re.error:
            return True
    return asked.startswith(wanted)


def _rank(route: Route) -> tuple[int, int]:
    how, path = route.match
    return {"exact": 0, "regex": 1}.get(how, 2), -len(path)


def http_refused(route: Route) -> bool:
    """Whether the route's Ingress says that it serves no plain HTTP."""
    return route.resource.annotations.get(ALLOW_HTTP) == "false"


def leads_to(view: PathFacts, route: Route) -> tuple[tuple[str, str, int], ...]:
    """The namespace, Service and port number of each backend behind a route; those left out that are not there."""
    found = led_to(view.inventory, route)
    return tuple((str(backend.namespace), backend.service, port.port) for backend, _, port in found if port.port)


def is_cluster(name: str, namespace: str, service: str, port: int) -> bool:
    """Whether an Envoy cluster is that of a Service's port, with whatever options."""
    return name == envoy_cluster(namespace, service, port) or name.startswith(f"{namespace}/{service}/{port}/")

"""The model of a route, which the adapter of each kind of object fills."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.routing.targets import Target, home
from hops.kubernetes.values import JSON, UNKNOWN, Undecidable, Unknown, at, number, text, unknown_paths
from hops.model.hop import RouteCondition
from hops.model.regular_expressions import matches_whole

T = TypeVar("T")
PlainHTTP = Literal["served", "redirected", "refused"]
"""What Contour does with plain HTTP for a route: it serves it, redirects it to https, or has no plain route."""


@dataclass(frozen=True, slots=True, eq=False)
class RouteBackend:
    """A Service that a route sends requests to.

    namespace: of the Service.
    service: its name.
    port: number or name, as the route gives it.
    weight: its share among the route's backends, None where none is given.
    """

    namespace: str | None
    service: str
    port: int | str
    weight: int | None = None


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
class MissingTLS:
    """The hosts of an object that have no TLS.

    hosts: in lower case; "" for every host.
    pointer: JSON pointer of the place where TLS is declared.
    with_secret: the operations that declare TLS with a Secret of this name; none if there is no safe change.
    """

    hosts: tuple[str, ...]
    pointer: str
    with_secret: Callable[[str], tuple[Mapping[str, Any], ...]] = lambda _: ()


@dataclass(frozen=True, slots=True, eq=False)
class PlainAccess:
    """What lets routes with TLS be served over plain HTTP, too.

    pointer: JSON pointer of the declaration.
    message: one sentence.
    patch: the operations that end it; none if there is no safe change.
    remedy: how to end it; "" where the patch says it.
    """

    pointer: str
    message: str
    patch: tuple[Mapping[str, Any], ...] = ()
    remedy: str = ""


def _nothing(_: Resource, __: Inventory) -> Iterator[Any]:
    return iter(())


def _none_missing(_: Resource, __: Inventory) -> MissingTLS:
    return MissingTLS((), "")


def _not_secure(_: Resource, __: Inventory) -> bool | None:
    return None


def _attached(_: Resource, __: Inventory) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Adapter:
    """What the project reads of one kind of object on the way from a listener to a Service.

    routes: its routes; None for a kind whose routes are not followed.
    targets: its backends.
    secure: whether Contour serves a host of it with TLS; None if other objects decide that.
    missing_tls: its hosts without TLS.
    plain_access: what lets its routes with TLS be served over plain HTTP.
    detached: why no Gateway accepts it, as a clause; "" if one does, may, or need not.

    Each function takes an object and its inventory, and raises Undecidable if an unknown value decides the answer.
    """

    routes: Callable[[Resource, Inventory], Iterator[Route]] | None = None
    targets: Callable[[Resource, Inventory], Iterator[Target]] = _nothing
    secure: Callable[[Resource, Inventory], bool | None] = _not_secure
    missing_tls: Callable[[Resource, Inventory], MissingTLS] = _none_missing
    plain_access: Callable[[Resource, Inventory], Iterator[PlainAccess]] = _nothing
    detached: Callable[[Resource, Inventory], str] = _attached


def matched(path: str | None, path_type: str | None) -> tuple[str, str]:
    """The match of an Ingress path: type of match and path."""
    path = path or "/"
    if path_type == "Exact":
        return "exact", path
    if path_type == "Prefix":
        return ("string", path) if path == "/" else ("segment", path.rstrip("/"))
    return ("regex" if looks_like_regex(path) else "string"), path


def takes_path(match: tuple[str, str], path: str) -> bool:
    """Whether what a route matches takes a path; a query string is left out.

    match: type of match and path, as in `Route.match`.
    """
    how, pattern = match
    asked = path.partition("?")[0]
    if how == "exact":
        return asked == pattern
    if how == "segment":
        return asked == pattern or asked.startswith(f"{pattern}/")
    if how == "regex":
        # A route that Envoy refuses is not said to refuse the request.
        return matches_whole(pattern, asked) is not False
    return asked.startswith(pattern)


def looks_like_regex(path: str) -> bool:
    """Whether Contour treats a path of type ImplementationSpecific as a regular expression."""
    return any(character in path for character in "^+*[]%")


def decided(read: Callable[[], T]) -> T:
    """What a function reads, UNKNOWN if that is not known yet: a route is known without it."""
    try:
        return read()
    except Undecidable:
        return UNKNOWN  # type: ignore[no-any-return]


def known_backends(
    resource: Resource, service: JSON, port: JSON, weight: int | None = None
) -> tuple[RouteBackend, ...]:
    """The backend, where both its parts are known: the engine sends 80 as 80.0.

    service: its name, or unknown.
    port: number or name, or unknown.
    weight: its share among the route's backends. Default: None, not given.
    """
    if isinstance(service, Unknown) or isinstance(port, Unknown) or not isinstance(service, str):
        return ()
    given = port if isinstance(port, str) else number(port)
    return (RouteBackend(resource.namespace, service, given, weight),) if given else ()


def redirect_target(redirect: JSON) -> str:
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

"""Reads what Envoy says of itself: where it listens, which route it takes, whom it dials.

The forms are those of Envoy's admin interface, https://www.envoyproxy.io/docs/envoy/v1.38.3/operations/admin.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from hops.kubernetes.values import JSON, at, mapping, number, sequence, text
from hops.model.hop import RouteCondition, bracketed
from hops.model.regular_expressions import matches_whole
from hops.trace.observed.observation import ObservedEnvoy

_LISTENERS = {"http": re.compile(r"ingress_http|http-\d+"), "https": re.compile(r"ingress_https|https-\d+")}
"""Contour's names of its listeners by scheme: its own, or of a Gateway's ports (internal/gatewayapi/listeners.go)."""


@dataclass(frozen=True)
class EnvoyEndpoint:
    """A pod that Envoy dials for a Service.

    address: IP address.
    port: TCP port.
    health: as Envoy calls it.
    requests: those it sent there since it started, None if unknown.
    """

    address: str
    port: int
    health: str
    requests: int | None

    @property
    def healthy(self) -> bool:
        return self.health in ("HEALTHY", "UNKNOWN")

    def __str__(self) -> str:
        return f"{bracketed(self.address)}:{self.port}"


def listens(envoy: ObservedEnvoy, scheme: str = "http") -> str | None:
    """The address that the listener of a scheme is bound to, None where there is no such listener."""
    for status in _listening(envoy, scheme):
        address = at(status, "local_address", "socket_address")
        return f"{bracketed(str(at(address, 'address')))}:{at(address, 'port_value')}"
    return None


def listener(envoy: ObservedEnvoy | None, scheme: str) -> str:
    """The name of the listener of a scheme; without one, the name that Contour gives it where no Gateway is."""
    found = (str(at(status, "name")) for status in _listening(envoy, scheme)) if envoy else iter(())
    return next(found, f"ingress_{scheme}")


def _listening(envoy: ObservedEnvoy, scheme: str) -> Iterator[JSON]:
    for status in sequence(at(dict(envoy.listeners), "listener_statuses")):
        if _LISTENERS[scheme].fullmatch(str(at(status, "name"))):
            yield status


def virtual_hosts(envoy: ObservedEnvoy, scheme: str = "http") -> tuple[Mapping[str, Any], ...]:
    """Those of a scheme's listener."""
    given = [dict(at(dict(item), "route_config") or item) for item in envoy.routes]
    # Envoy keeps the routes of a listener that it drains, so only those of the open one are meant. A host with TLS has
    # a route configuration of its own (Contour, internal/xdscache/v3/route.go).
    name = listener(envoy, scheme)
    own = [
        item
        for item in given
        if (
            str(item.get("name")).startswith(f"{name.removeprefix('ingress_')}/")
            if scheme == "https"
            else item.get("name") == name
        )
    ]
    return tuple(host for item in own for host in sequence(item.get("virtual_hosts")) if isinstance(host, dict))


def domains(virtual_host: Mapping[str, Any]) -> tuple[str, ...]:
    """The names that a virtual host serves, without ports."""
    given = (text(item) for item in sequence(virtual_host.get("domains")))
    return tuple(dict.fromkeys(re.sub(r":[*\d]+$", "", item).lower() for item in given if item))


def virtual_host(envoy: ObservedEnvoy, host: str, scheme: str = "http") -> Mapping[str, Any] | None:
    """The one that takes a host name: its own name before the longest wildcard before `*`."""
    name, best, found = host.lower(), -1, None
    for candidate in virtual_hosts(envoy, scheme):
        for domain in domains(candidate):
            fits = domain == name or (domain.startswith("*") and name.endswith(domain[1:]))
            rank = 1000 if domain == name else len(domain)
            if fits and rank > best:
                best, found = rank, candidate
    return found


def matching(
    virtual_host: Mapping[str, Any], path: str, met: Callable[[tuple[RouteCondition, ...]], bool]
) -> Mapping[str, Any] | None:
    """The first route that takes a request, as Envoy asks them in order. met: whether the request meets conditions."""
    given = (route for route in sequence(virtual_host.get("routes")) if isinstance(route, dict))
    asked = path.partition("?")[0]
    return next((r for r in given if _takes(at(r, "match"), asked) and met(conditions(r))), None)


def conditions(route: Mapping[str, Any]) -> tuple[RouteCondition, ...]:
    """What a route asks of the method, the headers and the query (Envoy's config.route.v3.RouteMatch)."""
    match = at(dict(route), "match")
    headers = tuple(_condition("header", one) for one in sequence(at(match, "headers")))
    return headers + tuple(_condition("query", one) for one in sequence(at(match, "query_parameters")))


def _condition(part: Literal["header", "query"], one: JSON) -> RouteCondition:
    name, how = (text(at(one, "name")) or "").lower(), mapping(at(one, "string_match"))
    kinds = [kind for kind in ("exact", "contains", "prefix", "suffix") if kind in how]
    given = (kinds[0], str(how[kinds[0]])) if kinds else ("present", "")
    if regex := text(at(how if isinstance(how, dict) else {}, "safe_regex", "regex")):
        given = ("regex", regex)
    negated = at(one, "invert_match") is True or at(one, "present_match") is False
    if name == ":method":
        return RouteCondition("method", "", *given, negated=negated)
    # Names of query parameters are compared as they are written.
    return RouteCondition(part, name if part == "header" else text(at(one, "name")) or "", *given, negated=negated)


def _takes(match: JSON, path: str) -> bool:
    entry = mapping(match)
    if (exact := text(entry.get("path"))) is not None:
        return path == exact
    if (segments := text(entry.get("path_separated_prefix"))) is not None:
        return path == segments or path.startswith(f"{segments}/")
    if (regex := text(at(match, "safe_regex", "regex"))) is not None:
        return matches_whole(regex, path) is not False
    prefix = text(entry.get("prefix"))
    return prefix is not None and path.startswith(prefix)


def clusters(route: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the clusters that a route sends to; none for a redirect or an answer of its own."""
    sends = at(dict(route), "route")
    one = text(at(sends, "cluster"))
    weighted = (text(at(entry, "name")) for entry in sequence(at(sends, "weighted_clusters", "clusters")))
    return (one,) if one else tuple(name for name in weighted if name)


def identities(envoy: ObservedEnvoy) -> Iterator[datetime]:
    """Until when the certificates are good by which Envoy makes itself known to Contour."""
    for held in sequence(at(dict(envoy.certs), "certificates")):
        for one in sequence(at(held, "cert_chain")):
            names = [text(at(entry, "dns")) for entry in sequence(at(one, "subject_alt_names"))]
            ends = text(at(one, "expiration_time"))
            if "envoy" in names and ends:
                yield datetime.fromisoformat(ends)


def shown(route: Mapping[str, Any]) -> str:
    """What a route takes and where it leads, as text."""
    return " -> ".join(leads(route))


def leads(route: Mapping[str, Any]) -> tuple[str, str]:
    """What a route takes, and where it leads."""
    match = mapping(at(dict(route), "match"))
    keys = ("path", "path_separated_prefix", "prefix")
    takes = next((str(match[key]) for key in keys if match.get(key)), None) or at(dict(match), "safe_regex", "regex")
    other = next((key.replace("_", " ") for key in ("redirect", "direct_response") if key in route), "nothing")
    return str(takes), ", ".join(_weighed(route)) or other


def _weighed(route: Mapping[str, Any]) -> Iterator[str]:
    """The clusters that a route sends to, with their weights where there are several."""
    weights = sequence(at(dict(route), "route", "weighted_clusters", "clusters"))
    several = {text(at(entry, "name")): at(entry, "weight") for entry in weights} if len(weights) > 1 else {}
    for name in clusters(route):
        yield f"{name} (weight {several[name]})" if name in several else name


def endpoints(envoy: ObservedEnvoy, cluster: str) -> tuple[EnvoyEndpoint, ...] | None:
    """The pods of a cluster, None where Envoy has no such cluster."""
    status = _status(envoy, cluster)
    return None if status is None else tuple(_endpoints(status))


def pods_received_at(envoy: ObservedEnvoy, cluster: str) -> datetime | None:
    """When Envoy last received the pods of a cluster; None if it does not say.

    Source: https://www.envoyproxy.io/docs/envoy/v1.38.3/configuration/upstream/cluster_manager/cluster_stats,
    update_time, in milliseconds.
    """
    name = text(at(_status(envoy, cluster), "observability_name")) or cluster
    time = envoy.stats.get(f"cluster.{name}.update_time")
    return datetime.fromtimestamp(time / 1000, UTC) if time else None


def _status(envoy: ObservedEnvoy, cluster: str) -> JSON:
    known = sequence(at(dict(envoy.clusters), "cluster_statuses"))
    return next((status for status in known if at(status, "name") == cluster), None)


def _endpoints(status: JSON) -> Iterator[EnvoyEndpoint]:
    for host in sequence(at(status, "host_statuses")):
        address = at(host, "address", "socket_address")
        port = number(at(address, "port_value"))
        counts = (entry for entry in sequence(at(host, "stats")) if at(entry, "name") == "rq_total")
        total = next((str(at(entry, "value") or 0) for entry in counts), "")
        if port:
            health = text(at(host, "health_status", "eds_health_status")) or "UNKNOWN"
            yield EnvoyEndpoint(str(at(address, "address")), port, health, int(total) if total.isdecimal() else None)


def connected(envoy: ObservedEnvoy) -> bool | None:
    """Whether Envoy holds a connection to Contour, of those by which it gets its parts; None where no stat tells."""
    stats = envoy.stats_after or envoy.stats
    connected = [value for name, value in stats.items() if name.endswith("control_plane.connected_state")]
    return any(connected) if connected else None

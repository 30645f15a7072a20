"""What Contour makes of an HTTPProxy (internal/dag/httpproxy_processor.go)."""

import re
from collections.abc import Iterator, Sequence

from hops.kubernetes.controller.classes import owner_of
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.resource import Resource, content
from hops.kubernetes.routing.hosts import bare
from hops.kubernetes.routing.proxies import includes, part, proxy_tls, route_entries, status_messages, virtual_host
from hops.kubernetes.routing.route import (
    Adapter,
    MissingTLS,
    PlainAccess,
    PlainHTTP,
    Route,
    RouteTLS,
    decided,
    known_backends,
    redirect_target,
)
from hops.kubernetes.routing.targets import Target, references
from hops.kubernetes.values import JSON, Undecidable, at, flag, mapping, number, sequence, text, unknown_paths
from hops.model.hop import RouteCondition

_LARGEST = 1_000
"""Maximum number of included HTTPProxies per root: their number can grow with every level of includes."""


def _proxy_routes(root: Resource, inventory: Inventory) -> Iterator[Route]:
    """The routes of a root and of what it includes."""
    host = virtual_host(root)
    if host is None:
        return
    owner, name = owner_of(root, inventory), bare(text(at(host, "fqdn")) or "")
    tls = decided(lambda: _proxy_tls(root))
    waiting: list[tuple[Resource, tuple[JSON, ...], tuple[Resource, ...]]] = [(root, (), (root,))]
    for _ in range(_LARGEST):
        if not waiting:
            return
        proxy, above, trail = waiting.pop()
        for base, route in route_entries(proxy):
            conditions = [*above, *sequence(at(route, "conditions"))]
            matches_, others = merged(conditions)
            services = sequence(at(route, "services"))
            yield Route(
                proxy,
                base,
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
                    for backend in known_backends(
                        proxy, at(service, "name"), at(service, "port"), number(at(service, "weight"))
                    )
                ),
                accepted=at(root.body, "status", "currentStatus") == "valid",
                said=decided(lambda proxy=proxy: status_messages(proxy)),  # type: ignore[misc]
                tls=tls,
                plain=decided(lambda route=route: _proxy_plain(tls, route)),  # type: ignore[misc]
                requires=tuple(_proxy_conditions(conditions)),
                redirect=decided(lambda route=route: redirect_target(at(route, "requestRedirectPolicy"))),  # type: ignore[misc]
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
    tls = proxy_tls(root.body)
    if tls is None:
        return None
    namespace = tls.namespace or root.namespace
    return RouteTLS(root, namespace, tls.secret, tls.minimum_version, "/spec/virtualhost/tls")


def _proxy_plain(tls: RouteTLS | None, route: JSON) -> PlainHTTP:
    return "served" if not tls or flag(at(route, "permitInsecure")) else "redirected"


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


def _proxy_targets(proxy: Resource, _: Inventory) -> Iterator[Target]:
    for base, route in route_entries(proxy):
        yield from references(at(route, "services"), f"{base}/services")
    yield from references(at(proxy.body, "spec", "tcpproxy", "services"), "/spec/tcpproxy/services")


def _secure(proxy: Resource, inventory: Inventory) -> bool:
    host = virtual_host(proxy)
    return host is not None and part(host, "tls") is not None and not owner_of(proxy, inventory)


def _missing_tls(proxy: Resource, _: Inventory) -> MissingTLS:
    host, path = virtual_host(proxy), "/spec/virtualhost/tls"
    if host is None or part(host, "tls") is not None:
        return MissingTLS((), path)
    return MissingTLS(((text(host.get("fqdn")) or "").lower(),), path)


def _plain_access(proxy: Resource, _: Inventory) -> Iterator[PlainAccess]:
    for base, route in route_entries(proxy):
        if flag(at(route, "permitInsecure")):
            path = f"{base}/permitInsecure"
            message = "a route sets permitInsecure and is served over plain HTTP."
            patch = ({"op": "remove", "path": path},)
            yield PlainAccess(path, message, patch, "Remove permitInsecure from the route.")


HTTP_PROXY = Adapter(_proxy_routes, _proxy_targets, _secure, _missing_tls, _plain_access)

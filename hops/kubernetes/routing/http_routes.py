"""What Contour makes of the Gateway API (internal/dag/gatewayapi_processor.go)."""

from collections.abc import Iterator, Sequence

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.resource import Resource, content
from hops.kubernetes.routing.gateways import (
    Attachment,
    GatewayListener,
    attachments,
    by_contour,
    common_host,
    detached,
    gateways_known,
    listeners,
    route_hosts,
)
from hops.kubernetes.routing.route import (
    Adapter,
    MissingTLS,
    PlainAccess,
    Route,
    RouteBackend,
    RouteTLS,
    decided,
    matched,
    redirect_target,
)
from hops.kubernetes.routing.targets import Target, granted, home, reference, references
from hops.kubernetes.values import JSON, Undecidable, at, number, sequence, text, unknown_paths
from hops.model.hop import RouteCondition


def _http_routes(resource: Resource, inventory: Inventory) -> Iterator[Route]:
    """One route for each match, host and listener; a route that no Gateway accepts has its own hosts."""
    found = attachments(resource, inventory)
    loose = detached(resource, inventory)
    entries = list(_entries(resource, found, inventory))
    for index, rule in enumerate(sequence(at(resource.body, "spec", "rules"))):
        base, filters = f"/spec/rules/{index}", sequence(at(rule, "filters"))
        redirect = next((to for entry in filters if (to := redirect_target(at(entry, "requestRedirect")))), "")
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
                    accepted=_http_accepted(resource, attachment, listener),
                    said=decided(lambda a=attachment, e=listener: _http_said(resource, a, e)),  # type: ignore[misc]
                    listener=_competing(listener, inventory) if listener else "",
                    detached=loose,
                    requires=tuple(_http_conditions(match)),
                    tls=decided(lambda e=listener: _listener_tls(e)) if secure else None,  # type: ignore[misc]
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
    required = {key: at(reference, key) for key in keys if at(reference, key) is not None}
    return [
        entry
        for entry in sequence(at(resource.body, "status", "parents"))
        if all(
            at(entry, "parentRef", key) == value or (key == "namespace" and value == resource.namespace)
            for key, value in required.items()
        )
    ]


def _http_accepted(resource: Resource, attachment: Attachment | None, listener: GatewayListener | None) -> bool:
    """Whether the status accepts the route and its backends, and its Gateway is programmed or says nothing of it."""
    if list(_unprogrammed(attachment, listener)):
        return False
    parents = _parents(resource, attachment)
    given = [condition for entry in parents for condition in sequence(at(entry, "conditions"))]
    unmet = [line for entry in parents for line in _unmet("", entry, ("Accepted", "ResolvedRefs"))]
    return not unmet and any(at(condition, "type") == "Accepted" for condition in given)


def _http_said(resource: Resource, attachment: Attachment | None, listener: GatewayListener | None) -> tuple[str, ...]:
    """The conditions of a route's status that are not True, and those of its Gateway."""
    found = [
        line
        for entry in _parents(resource, attachment)
        for line in _unmet(f"{resource}", entry, ("Accepted", "ResolvedRefs"))
    ]
    found += _unprogrammed(attachment, listener)
    if not sequence(at(resource.body, "status", "parents")):
        found.append(f"{resource} has no status: no controller has read it")
    return tuple(dict.fromkeys(found))


def _unprogrammed(attachment: Attachment | None, listener: GatewayListener | None) -> Iterator[str]:
    """The conditions of a route's listener that are not True, or else of its Gateway.

    One bad listener makes Contour call the whole Gateway not programmed; it serves the others.
    """
    gateway = attachment.gateway if attachment else None
    if gateway is None:
        return
    status = at(gateway.body, "status")
    own = (entry for entry in sequence(at(status, "listeners")) if listener and at(entry, "name") == listener.name)
    entry = next(own, None)
    yield from _unmet(f"{gateway}", status, ("Accepted",) if entry else ("Accepted", "Programmed"))
    if entry and listener:
        yield from _unmet(f"listener {listener.name} of {gateway}", entry, ("Accepted", "Programmed", "ResolvedRefs"))


def _unmet(who: str, status: JSON, types: Sequence[str]) -> Iterator[str]:
    for condition in sequence(at(status, "conditions")):
        if at(condition, "type") in types and at(condition, "status") != "True":
            shown = f"{text(at(condition, 'type'))} is {text(at(condition, 'status'))}"
            why = ": ".join(filter(None, (text(at(condition, "reason")), text(at(condition, "message")))))
            yield f"{who}: {shown}{f' ({why})' if why else ''}"


def _route_targets(route: Resource, _: Inventory) -> Iterator[Target]:
    for i, rule in enumerate(sequence(at(route.body, "spec", "rules"))):
        base = f"/spec/rules/{i}"
        yield from references(at(rule, "backendRefs"), f"{base}/backendRefs")
        for j, filter_ in enumerate(sequence(at(rule, "filters"))):
            mirror = at(filter_, "requestMirror", "backendRef")
            if mirror:
                yield reference(mirror, f"{base}/filters/{j}/requestMirror/backendRef")


def _missing_tls(route: Resource, inventory: Inventory) -> MissingTLS:
    # The listeners of an undeclared Gateway may have TLS.
    claimed = _attached_routes(route, inventory) if inventory.once(gateways_known) else []
    covered = {one.host for one in claimed if one.tls}
    return MissingTLS(tuple(one.host for one in claimed if one.host not in covered), "/spec/parentRefs")


def _plain_access(route: Resource, inventory: Inventory) -> Iterator[PlainAccess]:
    claimed = _attached_routes(route, inventory)
    covered = {one.host for one in claimed if one.tls}
    message = "a rule is served over https and also over plain HTTP."
    remedy = "Attach the route to the HTTPS listener only, and redirect to https at the HTTP listener."
    for path in dict.fromkeys(one.pointer for one in claimed if one.host in covered and one.plain == "served"):
        yield PlainAccess(path, message, remedy=remedy)


def _attached_routes(route: Resource, inventory: Inventory) -> list[Route]:
    return [one for one in _http_routes(route, inventory) if not one.detached]


def _gateway_secure(gateway: Resource, _: Inventory) -> bool:
    return any(listener.protocol in ("HTTPS", "TLS") for listener in listeners(gateway))


HTTP_ROUTE = Adapter(
    _http_routes, _route_targets, missing_tls=_missing_tls, plain_access=_plain_access, detached=detached
)
OTHER_ROUTE = Adapter(targets=_route_targets, detached=detached)
"""A Gateway API route of another kind than HTTPRoute."""
GATEWAY = Adapter(secure=_gateway_secure)

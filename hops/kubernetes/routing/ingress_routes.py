"""What Contour makes of an Ingress (internal/dag/ingress_processor.go)."""

from collections.abc import Iterator, Mapping
from typing import Any

from hops.kubernetes.controller.classes import owner_of
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.ingresses import DeclaredIngress, IngressTLS
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.routing.hosts import bare
from hops.kubernetes.routing.route import (
    Adapter,
    MissingTLS,
    PlainAccess,
    PlainHTTP,
    Route,
    RouteTLS,
    decided,
    known_backends,
    matched,
)
from hops.kubernetes.routing.targets import Target, itself
from hops.kubernetes.values import JSON, UNKNOWN, Unknown, at, pointer

ALLOW_HTTP = "kubernetes.io/ingress.allow-http"
"""The annotation by which Contour gives an Ingress no plain route (internal/annotation/annotations.go, HTTPAllowed)."""
FORCE_SSL = "ingress.kubernetes.io/force-ssl-redirect"
"""The annotation by which the plain routes of an Ingress redirect to https (TLSRequired in the same file)."""


def _ingress_routes(resource: Resource, inventory: Inventory) -> Iterator[Route]:
    ingress = inventory.ingress(resource)
    owner = owner_of(ingress, inventory)
    plain = decided(lambda: _ingress_plain(ingress))
    secured: Mapping[str, RouteTLS] | Unknown = decided(lambda: _ingress_tls(ingress))
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
                backends=known_backends(ingress.resource, path.backend.service, leads[1] or leads[2]),
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


def _ingress_targets(resource: Resource, inventory: Inventory) -> Iterator[Target]:
    ingress = inventory.ingress(resource)
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
            whole_port=itself if older else _numbered,
        )


def _numbered(port: int) -> JSON:
    return {"number": port}


def _secure(resource: Resource, inventory: Inventory) -> bool:
    ingress = inventory.ingress(resource)
    return any(entry.secret and entry.hosts for entry in ingress.tls) and not owner_of(ingress, inventory)


def _missing_tls(resource: Resource, inventory: Inventory) -> MissingTLS:
    ingress, path = inventory.ingress(resource), "/spec/tls"
    if ingress.tls:
        return MissingTLS((), path)
    hosts = tuple(rule.host.lower() for rule in ingress.rules) or ("",)

    def with_secret(secret: str) -> tuple[Mapping[str, Any], ...]:
        named = list(dict.fromkeys(host for host in hosts if host))
        if resource.vague or not named:
            return ()
        entry = {"op": "add", "path": path, "value": [{"hosts": named, "secretName": secret}]}
        return (entry, _redirect(resource)) if _ingress_plain(ingress) == "served" else (entry,)

    return MissingTLS(hosts, path, with_secret)


def _plain_access(resource: Resource, inventory: Inventory) -> Iterator[PlainAccess]:
    ingress = inventory.ingress(resource)
    if ingress.tls and _ingress_plain(ingress) == "served":
        patch = _redirect(resource)
        path = patch["path"] if FORCE_SSL in ingress.annotations else "/metadata/annotations"
        message = "the Ingress has TLS but also serves its routes over plain HTTP on port 80."
        yield PlainAccess(path, message, (patch,))


def _redirect(resource: Resource) -> Mapping[str, Any]:
    if isinstance(at(resource.body, "metadata", "annotations"), dict):
        return {"op": "add", "path": pointer("/metadata/annotations", FORCE_SSL), "value": "true"}
    return {"op": "add", "path": "/metadata/annotations", "value": {FORCE_SSL: "true"}}


INGRESS = Adapter(_ingress_routes, _ingress_targets, _secure, _missing_tls, _plain_access)

"""Ingresses."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hops.kubernetes.resources.resource import Resource, resource
from hops.kubernetes.values import JSON, UNKNOWN, at, entries, mapping, number, sequence, text, texts
from hops.model.finding import Place


@dataclass(frozen=True, slots=True, eq=False)
class IngressBackend:
    """A backend of an Ingress.

    service: name of the Service; None if missing.
    port_name, port_number: port of the Service; None if missing.
    resource: reference to an object other than a Service; empty if there is none.
    pointer: JSON pointer of the backend inside the Ingress.
    """

    service: str | None
    port_name: str | None
    port_number: int | None
    resource: Mapping[str, JSON]
    pointer: str


@dataclass(frozen=True, slots=True, eq=False)
class IngressPath:
    """One path of an Ingress rule.

    host: host of the rule; "" if there is none.
    path, path_type: as declared; None if missing.
    backend: the backend of the path.
    pointer: JSON pointer of the path inside the Ingress.
    """

    host: str
    path: str | None
    path_type: str | None
    backend: IngressBackend
    pointer: str


@dataclass(frozen=True, slots=True, eq=False)
class IngressRule:
    host: str
    paths: Sequence[IngressPath]
    pointer: str


@dataclass(frozen=True, slots=True, eq=False)
class IngressTLS:
    """An entry of `tls` of an Ingress.

    hosts: as declared.
    secret: the name of the Secret with the certificate; None if the entry names none.
    pointer: JSON pointer of the entry inside the Ingress.
    """

    hosts: Sequence[str]
    secret: str | None
    pointer: str


@dataclass(frozen=True, slots=True, eq=False)
class DeclaredIngress:
    """An Ingress of the group networking.k8s.io or extensions.

    resource: the object.
    spec: the spec as JSON values.
    annotations: annotations with string values.
    class_name: `spec.ingressClassName`; None if missing.
    rules, tls: the entries of the spec.
    default_backend: the default backend; None if there is none.
    """

    resource: Resource
    spec: Mapping[str, JSON]
    annotations: Mapping[str, str]
    class_name: str | None
    rules: Sequence[IngressRule]
    tls: Sequence[IngressTLS]
    default_backend: IngressBackend | None

    def backends(self) -> Iterator[IngressBackend]:
        if self.default_backend is not None:
            yield self.default_backend
        for rule in self.rules:
            for path in rule.paths:
                yield path.backend


def declared_ingress(resource: Resource) -> DeclaredIngress:
    """An Ingress, read from its object."""
    spec = mapping(resource.body.get("spec"))
    rules, tls = sequence(at(spec, "rules")), sequence(at(spec, "tls"))
    default = "defaultBackend" if at(spec, "defaultBackend") is not None else "backend"
    backend = at(spec, default)
    return DeclaredIngress(
        resource=resource,
        spec=spec,
        annotations=resource.annotations,
        class_name=text(at(spec, "ingressClassName")),
        rules=rules if rules is UNKNOWN else tuple(_ingress_rule(rule, i) for i, rule in entries(rules)),
        tls=tls
        if tls is UNKNOWN
        else tuple(
            IngressTLS(texts(at(entry, "hosts")), text(at(entry, "secretName")), f"/spec/tls/{i}")
            for i, entry in entries(tls)
        ),
        default_backend=backend if backend is None or backend is UNKNOWN else _backend(backend, f"/spec/{default}"),
    )


def as_ingress(body: Mapping[str, JSON]) -> DeclaredIngress:
    """An Ingress object of the API, read as the rules read it."""
    return declared_ingress(resource(dict(body), Place()))


def _ingress_rule(rule: JSON, index: int) -> IngressRule:
    base = f"/spec/rules/{index}"
    host = at(rule, "host")
    host = host if isinstance(host, str) or host is UNKNOWN else ""
    paths = sequence(at(rule, "http", "paths"))
    return IngressRule(
        host=host,
        paths=paths
        if paths is UNKNOWN
        else tuple(
            IngressPath(
                host=host,
                path=text(at(path, "path")),
                path_type=text(at(path, "pathType")),
                backend=_backend(at(path, "backend"), f"{base}/http/paths/{i}/backend"),
                pointer=f"{base}/http/paths/{i}",
            )
            for i, path in entries(paths)
        ),
        pointer=base,
    )


def _backend(value: JSON, base: str) -> IngressBackend:
    older = at(value, "servicePort")
    return IngressBackend(
        service=text(at(value, "service", "name") or at(value, "serviceName"))
        if at(value, "service", "name") is not UNKNOWN
        else UNKNOWN,
        port_name=text(at(value, "service", "port", "name")) if older is None else text(older),
        port_number=number(at(value, "service", "port", "number")) if older is None else number(older),
        resource=mapping(at(value, "resource")),
        pointer=base,
    )

"""TL: rules for TLS hosts and their certificates."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

from pydantic import Field

from hops.kubernetes.controller.classes import class_of, owner_of, served
from hops.kubernetes.controller.secrets import secret_problem
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.ingresses import DeclaredIngress, IngressTLS
from hops.kubernetes.resources.issuers import solver_classes
from hops.kubernetes.resources.kind_nodes import Placement
from hops.kubernetes.resources.pods import Pod
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.routing.gateways import listeners
from hops.kubernetes.routing.hosts import tls_hosts
from hops.kubernetes.routing.ingress_routes import ALLOW_HTTP, FORCE_SSL
from hops.kubernetes.routing.routes import ADAPTERS, ROUTE_KINDS
from hops.kubernetes.routing.targets import granted, home
from hops.kubernetes.schemas.refusals import nearest
from hops.kubernetes.values import Undecidable, at, matches, pointer, sequence, text
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.model.settings.setting_types import Section
from hops.rules.families.host_ports import Controllers
from hops.rules.families.samples import INGRESS
from hops.rules.rule import Breach, NoParameters, Rule, Scope, ingresses, kinds, pods

_TLS = "https://kubernetes.io/docs/concepts/services-networking/ingress/#tls"
_CONTOUR = "https://projectcontour.io/docs/1.33/config/"

_RULES = """
  rules:
  - host: web.localhost
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
"""
_SECURE = f"""
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: web, namespace: apps, annotations: {{ingress.kubernetes.io/force-ssl-redirect: "true"}}}}
spec:
  ingressClassName: contour
  tls: [{{hosts: [web.localhost], secretName: web-tls}}]{_RULES}"""
_CERTIFICATE = """
apiVersion: v1
kind: Secret
metadata: {name: web-tls, namespace: apps}
type: kubernetes.io/tls
data: {tls.crt: "", tls.key: ""}
"""
_PUBLISHED = """
apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
name: dev
nodes:
- {role: control-plane}
- {role: worker, extraPortMappings: [{containerPort: 443, hostPort: 443, listenAddress: 127.0.0.1}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: envoy, namespace: projectcontour}
spec:
  selector: {matchLabels: {app: envoy}}
  template:
    metadata: {labels: {app: envoy}}
    spec:
      containers:
      - name: envoy
        image: envoyproxy/envoy:v1.38.3
        ports: [{name: https, containerPort: 8443, hostPort: 443}]
---"""
_ALL_HOSTS = """
apiVersion: ingress-hops/v1
kind: Policy
rules: {TL01: {parameters: {hosts: ["*"]}}}
"""

_Operations = tuple[Mapping[str, Any], ...]


class SecuredHosts(Section):
    """Parameters of TL01.

    hosts: patterns of hosts that require TLS, in addition to the hosts of services with `tls` in the stack's settings.
    """

    hosts: tuple[str, ...] = Field((), examples=[["*.example.com"]])


@partial(
    Rule,
    code="TL01",
    title="A host has TLS if the stack requires it",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.RESOURCE,
    of=kinds(*ROUTE_KINDS),
    hop=HopName.ROUTE,
    parameters=SecuredHosts,
    why="HTTP traffic can be read and changed in transit. An empty `tls` list counts as no TLS. The rule applies to "
    "the hosts with `tls` in the stack's settings and to those in the parameter `hosts`: a name that resolves only to "
    "this machine needs no certificate.",
    remedy="Add `tls` with the host and a Secret of type kubernetes.io/tls.",
    references=(_TLS,),
    bad=_CERTIFICATE + "---" + INGRESS + "---" + _ALL_HOSTS,
    good=_CERTIFICATE + "---" + _SECURE + "---" + _ALL_HOSTS,
)
def secured(resource: Resource, inventory: Inventory, parameters: SecuredHosts) -> Iterator[Breach]:
    patterns = (*parameters.hosts, *inventory.once(_promised))
    if not patterns:
        return
    missing = ADAPTERS[resource.kind].missing_tls(resource, inventory)
    found = next((host for host in missing.hosts if any(matches(pattern, host) for pattern in patterns)), None)
    if found is not None:
        secrets = inventory.once(_certificates).get(resource.namespace, ())
        # With several certificates in the namespace it is uncertain which one is meant.
        operations = missing.with_secret(secrets[0]) if len(secrets) == 1 else ()
        yield Breach(missing.pointer, f"{found or 'every host'} is served without TLS.", operations)


def _promised(inventory: Inventory) -> Sequence[str]:
    return (
        [route.host for s in inventory.settings.services for route in s.routes if route.tls]
        if inventory.settings
        else []
    )


def _certificates(inventory: Inventory) -> Mapping[str | None, Sequence[str]]:
    """The names of the Secrets that surely hold a certificate, by namespace."""
    found: dict[str | None, list[str]] = defaultdict(list)
    for secret in inventory.of_kind("Secret"):
        kind, data = secret.body.get("type"), secret.body.get("data")
        if isinstance(kind, str) and kind == "kubernetes.io/tls" and isinstance(data, dict) and not secret.vague:
            found[secret.namespace] += [secret.name] if {"tls.crt", "tls.key"} <= set(data) else []
    return found


@partial(
    Rule,
    code="TL02",
    title="A host with TLS is not served over plain HTTP",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    scope=Scope.RESOURCE,
    of=kinds(*ROUTE_KINDS),
    of_contour=True,
    hop=HopName.ROUTE,
    remediable=True,
    why="TLS does not disable HTTP: Contour serves the routes of an Ingress on port 80 too, unless an annotation "
    "redirects or forbids it, a route of an HTTPProxy if permitInsecure is true, and an HTTPRoute if an HTTP listener "
    'accepts it too. Contour recognizes only the strings "true" and "false".',
    remedy=f'Set the annotation {FORCE_SSL} to "true", or {ALLOW_HTTP} to "false".',
    references=(_CONTOUR + "annotations/",),
    bad=_SECURE.replace(', annotations: {ingress.kubernetes.io/force-ssl-redirect: "true"}', ""),
    good=_SECURE,
)
def redirected(resource: Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    for plain in ADAPTERS[resource.kind].plain_access(resource, inventory):
        yield Breach(plain.pointer, plain.message, plain.patch, remedy=plain.remedy)


@partial(
    Rule,
    code="TL03",
    title="`tls` and `rules` of an Ingress list the same hosts",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.RESOURCE,
    of=ingresses,
    of_contour=True,
    hop=HopName.ROUTE,
    why="Contour serves a rule over TLS only if `tls` lists exactly the same host. A wildcard in `tls` does not cover "
    "a name, and an entry without hosts covers nothing. A host that only `tls` lists has a certificate and returns "
    "404.",
    remedy="List the same hosts in `spec.tls` and `spec.rules`.",
    references=(_TLS,),
    bad=_SECURE.replace("hosts: [web.localhost]", "hosts: [wed.localhost]"),
    good=_SECURE,
)
def same_hosts(ingress: DeclaredIngress, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    if not ingress.tls:
        return
    covered = {host.lower() for host, _ in tls_hosts(ingress)}
    ruled: dict[str, str] = {}
    for rule in ingress.rules:
        if rule.host:
            ruled.setdefault(rule.host.lower(), f"{rule.pointer}/host")
    missing = [host for host in ruled if host not in covered]
    unruled = [(host, where) for host, where in tls_hosts(ingress) if host.lower() not in ruled]
    meant = _meant([host for host, _ in unruled], missing)
    # An entry without hosts is reported instead.
    for host in missing if all(entry.hosts for entry in ingress.tls) else ():
        if host not in meant.values():
            yield Breach(ruled[host], f"no entry of tls lists host {host}.", _covered(ingress, host), evidence=host)
    for entry in ingress.tls:
        if not entry.hosts:
            path = f"{entry.pointer}/hosts"
            operations = ({"op": "add", "path": path, "value": missing},) if missing else ()
            yield Breach(path, "an entry of tls lists no host, so its certificate is never used.", operations)
    entries = {entry.pointer: entry for entry in ingress.tls}
    for host, where in unruled:
        message = f"tls lists host {host}, which has no rule"
        change = _uncovered(ingress, entries[where.rpartition("/hosts/")[0]], where)
        if host in meant:
            message += f", and no entry of tls lists host {meant[host]}"
            change = ({"op": "replace", "path": where, "value": meant[host]},)
        yield Breach(where, f"{message}.", change, evidence=host)


def _meant(unruled: Sequence[str], missing: Sequence[str]) -> Mapping[str, str]:
    """The host of a rule that a host of `tls` is a misspelling of: that is one mistake."""
    if len(unruled) == len(missing) == 1:
        return {unruled[0]: missing[0]}
    left = list(missing)
    meant: dict[str, str] = {}
    for host in unruled:
        near = nearest(host, left)
        if near:
            meant[host] = near
            left.remove(near)
    return meant


def _covered(ingress: DeclaredIngress, host: str) -> _Operations:
    if len(ingress.tls) != 1:
        return ()
    path = f"{ingress.tls[0].pointer}/hosts"
    if ingress.tls[0].hosts:
        return ({"op": "add", "path": f"{path}/-", "value": host},)
    return ({"op": "add", "path": path, "value": [host]},)


def _uncovered(ingress: DeclaredIngress, entry: IngressTLS, where: str) -> _Operations:
    if len(entry.hosts) > 1:
        return ({"op": "remove", "path": where},)
    return ({"op": "remove", "path": entry.pointer},) if len(ingress.tls) > 1 else ()


class Certificates(Section):
    """Parameters of TL04 and IN17.

    given: Secrets that exist outside the stack, as patterns Secret/namespace/name.
    """

    given: tuple[str, ...] = Field((), examples=[["Secret/apps/web-tls"]])


_ISSUED = ("cert-manager.io/cluster-issuer", "cert-manager.io/issuer", "kubernetes.io/tls-acme")
"""Annotations at which cert-manager makes the Secrets of an Ingress."""


@partial(
    Rule,
    code="TL04",
    title="The Secret of a certificate exists and is usable",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=lambda inventory: chain(inventory.ingresses, inventory.of_kind("Gateway")),
    hop=HopName.ROUTE,
    parameters=Certificates,
    why="Contour requires a Secret with tls.crt and tls.key, in the namespace of the Ingress or delegated from "
    "another namespace. Otherwise it creates no TLS host and reports this only in its log: the client's connection is "
    "reset.",
    remedy="Declare the Secret, or add it to the parameter `given` of TL04 if it exists outside the stack.",
    references=(_TLS, _CONTOUR + "tls-delegation/"),
    bad=_CERTIFICATE.replace("namespace: apps", "namespace: other") + "---" + _SECURE,
    good=_CERTIFICATE + "---" + _SECURE,
)
def certificate(
    subject: DeclaredIngress | Resource, inventory: Inventory, parameters: Certificates
) -> Iterator[Breach]:
    if not isinstance(subject, DeclaredIngress):
        yield from _listeners(subject, inventory, parameters)
        return
    if not subject.tls:
        return
    issued = any(key in subject.annotations for key in _ISSUED)
    for entry in subject.tls:
        path = f"{entry.pointer}/secretName"
        if not entry.secret:
            yield Breach(path, "an entry of tls has no secretName.", remedy="Set secretName of the entry.")
        elif not issued:
            own = home(subject.resource)
            namespace = subject.annotations.get("projectcontour.io/tls-cert-namespace") or own
            problem = secret_problem(inventory, own, namespace, entry.secret, parameters.given)
            if problem:
                yield Breach(path, f"{problem}.", evidence=entry.secret, absence=True)


def _listeners(gateway: Resource, inventory: Inventory, parameters: Certificates) -> Iterator[Breach]:
    for listener in listeners(gateway):
        for index, reference in enumerate(sequence(at(listener.body, "tls", "certificateRefs"))):
            name = text(at(reference, "name"))
            if (text(at(reference, "kind")) or "Secret") != "Secret" or not name:
                continue
            own = home(gateway)
            namespace = text(at(reference, "namespace")) or own
            problem = secret_problem(inventory, namespace, namespace, name, parameters.given)
            if namespace != own and not granted(inventory, gateway, "Secret", namespace, name):
                problem = f"no ReferenceGrant in namespace {namespace} allows the Gateway to use Secret {name}"
            if problem:
                path = f"{listener.pointer}/tls/certificateRefs/{index}/name"
                yield Breach(path, f"{problem}.", evidence=name, absence=True)


@partial(
    Rule,
    code="TL05",
    title="A published HTTPS port has a host with TLS",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    scope=Scope.STACK,
    of=pods,
    hop=HopName.HOST_PORT,
    parameters=Controllers,
    parameters_of="HP02",
    why="Envoy opens its HTTPS listener only if a host has a certificate. Without the listener, the published port "
    "accepts connections and resets them.",
    remedy="Add `tls` to the route of a host, or remove the hostPort and its port mapping.",
    references=(_CONTOUR + "ingress/",),
    bad=_PUBLISHED + INGRESS,
    good=_PUBLISHED + _SECURE,
)
def https_used(pod: Pod, inventory: Inventory, parameters: Controllers) -> Iterator[Breach]:
    if not pod.host_ports or not parameters.mean(pod):
        return
    for port in pod.host_ports:
        if port.host_port == 443 or port.name == "https":
            published = next(
                ((node, m) for _, node in inventory.once(Placement).publishing(port) for m in node.publishes(port)),
                None,
            )
            if published and not inventory.once(_any_tls):
                path = f"{port.pointer}/hostPort"
                yield Breach(
                    path,
                    f"{published[0].name} publishes {published[1]}, but no host of the stack has TLS.",
                    ({"op": "remove", "path": path},),
                    absence=True,
                )


def _any_tls(inventory: Inventory) -> bool:
    """Whether a host has TLS. True without any route, because the hosts are then declared elsewhere."""
    unknown, routed = False, False
    for kind, adapter in ADAPTERS.items():
        for resource in inventory.of_kind(kind):
            try:
                secure = adapter.secure(resource, inventory)
                routed = routed or secure is not None
                if secure:
                    return True
            except Undecidable:
                routed = unknown = True
    if unknown:
        raise Undecidable
    return not routed


@partial(
    Rule,
    code="TL06",
    title="A host has one certificate, and all its routes have TLS or none has",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=ingresses,
    of_contour=True,
    hop=HopName.ROUTE,
    why="Envoy presents one certificate per host. If two Secrets claim a host, Contour uses the one that it reads "
    "last, which can change when it restarts. The routes of an Ingress without `tls` are served over plain HTTP only, "
    "even if another Ingress gives the same host a certificate: https returns 404 for them.",
    remedy="Use one Secret for the host, and list the host in `tls` of every Ingress with its routes.",
    references=(_TLS, _CONTOUR + "ingress/"),
    bad=_CERTIFICATE
    + "---"
    + _SECURE
    + "---"
    + INGRESS.replace("name: web,", "name: api,").replace("path: /", "path: /api"),
    good=_CERTIFICATE
    + "---"
    + _SECURE
    + "---"
    + _SECURE.replace("name: web,", "name: api,", 1).replace("path: /", "path: /api"),
)
def one_answer(ingress: DeclaredIngress, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    answers = inventory.once(_answers)
    if ingress.resource in answers.undecided:
        raise Undecidable
    for host, where, secret in _secrets(ingress):
        first = answers.first.get((owner_of(ingress, inventory), host))
        if first and first.secret != secret:
            other = "another entry of tls" if first.ingress is ingress else str(first.ingress.resource)
            yield Breach(where, f"host {host} has Secret {secret}, but {other} gives it Secret {first.secret}.")
    covered = {host for host, _, _ in _secrets(ingress)}
    for rule in ingress.rules:
        host = rule.host.lower()
        first = answers.first.get((owner_of(ingress, inventory), host))
        own = first is None or first.ingress is ingress or first.ingress.resource.same_object(ingress.resource)
        if own or not host or host in covered or all(_challenge(path.path) for path in rule.paths):
            continue
        if not ingress.tls and first:
            message = f"{first.ingress.resource} gives host {host} a certificate, but these routes are served only over"
            yield Breach(f"{rule.pointer}/host", f"{message} plain HTTP.", evidence=host)


@dataclass(frozen=True, slots=True)
class _Answer:
    """The Secret that an Ingress gives a host."""

    ingress: DeclaredIngress
    secret: str


@dataclass(frozen=True, slots=True)
class _Answers:
    """first: the first certificate of each host, by owner and host. undecided: Ingresses with an unknown value."""

    first: Mapping[tuple[str, str], _Answer]
    undecided: frozenset[Resource]


def _answers(inventory: Inventory) -> _Answers:
    first: dict[tuple[str, str], _Answer] = {}
    undecided: set[Resource] = set()
    for ingress in inventory.ingresses:
        try:
            for host, _, secret in _secrets(ingress):
                first.setdefault((owner_of(ingress, inventory), host), _Answer(ingress, secret))
        except Undecidable:
            undecided.add(ingress.resource)
    return _Answers(first, frozenset(undecided))


def _secrets(ingress: DeclaredIngress) -> Iterator[tuple[str, str, str]]:
    """The hosts of `spec.tls` with the JSON pointer and the full name of their Secret."""
    namespace = ingress.annotations.get("projectcontour.io/tls-cert-namespace") or home(ingress.resource)
    for entry in ingress.tls:
        for host in entry.hosts if entry.secret else ():
            yield host.lower(), f"{entry.pointer}/secretName", f"{namespace}/{entry.secret}"


def _challenge(path: str | None) -> bool:
    """Whether a path serves ACME challenges, which come over plain HTTP."""
    return (path or "").startswith("/.well-known/")


@partial(
    Rule,
    code="TL07",
    title="cert-manager can issue the certificate of an Ingress",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=ingresses,
    hop=HopName.ROUTE,
    why="cert-manager answers an HTTP-01 challenge with an Ingress of the solver's class. If another controller, or "
    "none, serves this class, the challenge fails, the Secret is never created, and Contour serves no TLS. The rule "
    "judges whether an issuer exists if the stack declares objects of cert-manager.",
    remedy="Set ingressClassName of the issuer's solver to the class of the Ingress, or correct the issuer's name.",
    references=("https://cert-manager.io/docs/configuration/acme/http01/",),
    bad=f"""
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {{name: acme}}
spec: {{acme: {{solvers: [{{http01: {{ingress: {{ingressClassName: nginx}}}}}}]}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: web, namespace: apps, annotations: {{cert-manager.io/cluster-issuer: acme}}}}
spec:
  ingressClassName: contour
  tls: [{{hosts: [web.localhost], secretName: web-tls}}]{_RULES}""",
    good=f"""
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {{name: acme}}
spec: {{acme: {{solvers: [{{http01: {{ingress: {{ingressClassName: contour}}}}}}]}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: web, namespace: apps, annotations: {{cert-manager.io/cluster-issuer: acme}}}}
spec:
  ingressClassName: contour
  tls: [{{hosts: [web.localhost], secretName: web-tls}}]{_RULES}""",
)
def issued(ingress: DeclaredIngress, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    if not ingress.tls:
        return
    for key, kind in (("cert-manager.io/cluster-issuer", "ClusterIssuer"), ("cert-manager.io/issuer", "Issuer")):
        name = ingress.annotations.get(key)
        if not name or ingress.annotations.get("cert-manager.io/issuer-kind", kind) != kind:
            continue
        path = pointer("/metadata/annotations", key)
        namespace = home(ingress.resource)
        # An inventory files every kind that it does not know under a namespace.
        issuers = [r for r in inventory.of_kind(kind) if kind == "ClusterIssuer" or home(r) == namespace]
        issuer = next((r for r in issuers if not r.vague and r.name == name), None)
        if issuer is None:
            if any(r.vague for r in issuers):
                raise Undecidable
            if any(True for _ in inventory.of_kind("Certificate", "ClusterIssuer", "Issuer")):
                where = f" in namespace {namespace}" if kind == "Issuer" else ""
                yield Breach(path, f"{kind} {name} does not exist{where}.", absence=True, evidence=name)
            continue
        classes = solver_classes(issuer.body)
        own = class_of(ingress, inventory)
        if classes and not any(_same_controller(given, own, inventory) for given in classes):
            message = f"{kind} {name} solves challenges with the ingress class {', '.join(classes)}"
            yield Breach(path, f"{message}, and the class of this Ingress is {own or '(none)'}.", evidence=name)


def _same_controller(one: str, other: str, inventory: Inventory) -> bool:
    """Whether one controller serves both classes."""
    classes = inventory.once(served)
    return one == other or (one in classes and other in classes)

"""XS: rules for ports and names of this machine that another stack already uses."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import count
from typing import Any

from pydantic import Field

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources import pulumi_resources
from hops.kubernetes.resources.claims import NameClaim, PortClaim
from hops.kubernetes.resources.ingresses import declared_ingress
from hops.kubernetes.resources.kind_nodes import KindConfiguration, clusters, overlap
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.routing.hosts import route_hosts, tls_hosts
from hops.kubernetes.values import JSON, UNKNOWN, Undecidable, at, mapping, matches, number, text
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.model.settings.setting_types import Section
from hops.rules.rule import Breach, NoParameters, Rule, Scope, kinds

_KIND = "https://kind.sigs.k8s.io/docs/user/configuration/"

_ALICE = """
apiVersion: ingress-hops/v1
kind: Fleet
metadata: {name: others}
ports: [{holder: stack alice, address: 127.0.0.1, port: 80}]
names:
- {holder: stack alice, what: host, name: alice.localhost}
- {holder: stack alice, what: cluster, name: alice}
---
"""
_CLUSTER = """
apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
name: bob
nodes:
- {role: control-plane, extraPortMappings: [{containerPort: 80, hostPort: 8080, listenAddress: 127.0.0.1}]}
"""
_INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: apps}
spec:
  rules:
  - host: bob.localhost
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
"""


def _clusters(inventory: Inventory) -> Sequence[KindConfiguration]:
    return inventory.once(clusters)


@dataclass(frozen=True, slots=True)
class _Claims:
    """The fleet's claims: ports by number and protocol, names by what and name.

    wildcards: the host names *.PARENT, by PARENT.
    below: the first host name below each parent.
    """

    ports: Mapping[tuple[int, str], list[PortClaim]]
    names: Mapping[tuple[str, str], NameClaim]
    wildcards: Mapping[str, NameClaim]
    below: Mapping[str, NameClaim]


def _claims(inventory: Inventory) -> _Claims:
    ports: dict[tuple[int, str], list[PortClaim]] = defaultdict(list)
    for claim in inventory.fleet.ports:
        ports[claim.port, claim.protocol.upper()].append(claim)
    names: dict[tuple[str, str], NameClaim] = {}
    for name in inventory.fleet.names:
        # Host names have no case, and one that ends in a dot means the same.
        names.setdefault((name.what, _host(name.name) if name.what == "host" else name.name), name)
    hosts = {host: held for (what, host), held in names.items() if what == "host"}
    wildcards = {host[2:]: held for host, held in hosts.items() if host.startswith("*.")}
    below: dict[str, NameClaim] = {}
    for host, held in hosts.items():
        for parent in _parents(host):
            below.setdefault(parent, held)
    return _Claims(ports, names, wildcards, below)


def _host(name: str) -> str:
    return name.lower().rstrip(".")


@partial(
    Rule,
    code="XS01",
    title="No other stack or container uses the port",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.FLEET,
    of=_clusters,
    hop=HopName.PORT_MAPPING,
    why="All clusters of a machine publish on the same addresses, and 0.0.0.0 covers all of them. The second cluster "
    "fails with `port is already allocated` when its node is created, minutes into an `up`.",
    remedy="Choose another port: change `cluster.httpPort` or `cluster.httpsPort` of the stack, or hostPort in the "
    "kind configuration.",
    references=(_KIND, "https://github.com/kubernetes-sigs/kind/issues/3512"),
    bad=_ALICE + _CLUSTER.replace("hostPort: 8080", "hostPort: 80"),
    good=_ALICE + _CLUSTER,
)
def port_is_free(cluster: KindConfiguration, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    claims = inventory.once(_claims)
    if not claims.ports:
        return
    free = _FreePorts(claims, cluster)
    for node in cluster.nodes:
        for mapped in node.mappings:
            if mapped.host_port > 0:
                own = PortClaim("this stack", mapped.listen_address, mapped.host_port, mapped.protocol)
                yield from _taken(claims, free, f"{mapped.pointer}/hostPort", own)
    port = number(cluster.networking.get("apiServerPort")) or 0
    if port > 0:
        listen = text(cluster.networking.get("apiServerAddress")) or "127.0.0.1"
        yield from _taken(claims, free, "/networking/apiServerPort", PortClaim("this stack", listen, port))


def _taken(claims: _Claims, free: "_FreePorts", path: str, own: PortClaim) -> Iterator[Breach]:
    rivals = claims.ports.get((own.port, own.protocol.upper()), ())
    rival = next((claim for claim in rivals if overlap(own.address, claim.address or "0.0.0.0")), None)
    if rival:
        yield Breach(
            path,
            f"{own.address}:{own.port}/{own.protocol} is already used by {rival.holder}.",
            ({"op": "replace", "path": path, "value": free.after(own.port)},),
            evidence=f"{rival.address}:{rival.port}",
        )


class _FreePorts:
    """The ports that neither a cluster nor another stack uses."""

    def __init__(self, claims: _Claims, cluster: KindConfiguration) -> None:
        self._claims, self._cluster = claims, cluster

    @cached_property
    def _all(self) -> Sequence[int]:
        mappings = (mapped for node in self._cluster.nodes for mapped in node.mappings)
        used = {mapped.host_port for mapped in mappings} | {port for port, _ in self._claims.ports}
        return [port for port in range(1, 65536) if port not in used]

    def after(self, port: int) -> int:
        """The next free port: 8080 and on for 80. 0 if there is none."""
        index = bisect_left(self._all, port + 8000 if port < 1024 else port + 1)
        return self._all[index] if index < len(self._all) else 0


@partial(
    Rule,
    code="XS02",
    title="No other stack uses the host name",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.FLEET,
    of=kinds("Ingress", "HTTPProxy", "Gateway", "HTTPRoute", "GRPCRoute", "TLSRoute"),
    hop=HopName.NAME,
    why="A host name resolves to one address. If two stacks use the same name, the requests of both developers reach "
    "only one of the stacks.",
    remedy="Choose another host name: change `host` in `services` of the stack, or the host of the route.",
    references=("https://datatracker.ietf.org/doc/html/rfc6761#section-6.3",),
    bad=_ALICE + _INGRESS.replace("bob", "alice"),
    good=_ALICE + _INGRESS,
)
def host_is_free(resource: Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    claims = inventory.once(_claims)
    if not claims.names:
        return
    for given, path in route_hosts(resource):
        host = text(given)
        rival = _holder(claims, _host(host)) if host else None
        if host and rival:
            yield Breach(
                path,
                f"host {host} is already used by {rival.holder}"
                + ("." if _host(host) == _host(rival.name) else f" as {rival.name}."),
                _renamed(resource, path, host, claims),
                evidence=rival.name,
            )


def _holder(claims: _Claims, host: str) -> NameClaim | None:
    """Who holds a host name, or one that a wildcard of either side means."""
    exact = claims.names.get(("host", host))
    if exact:
        return exact
    if host.startswith("*."):
        return claims.below.get(host[2:])
    return next((claims.wildcards[parent] for parent in _parents(host) if parent in claims.wildcards), None)


def _parents(host: str) -> Iterator[str]:
    """The names that a host name is below, the nearest first."""
    # A DNS name has at most 127 labels.
    for _ in range(127):
        host = host.partition(".")[2]
        if not host:
            return
        yield host


def _renamed(resource: Resource, path: str, host: str, claims: _Claims) -> tuple[Mapping[str, Any], ...]:
    """The first label with a number, wherever an Ingress names the host."""
    first, dot, rest = host.partition(".")
    if first == "*":
        return ()
    own = {given for given, _ in route_hosts(resource) if isinstance(given, str)}
    names = (f"{first}-{number_}{dot}{rest}" for number_ in range(2, 100))
    name = next((name for name in names if name not in own and not _holder(claims, _host(name))), None)
    if name is None:
        return ()
    paths = [path]
    if resource.kind == "Ingress":
        paths = [where for given, where in route_hosts(resource) if isinstance(given, str) and given == host]
        ingress = declared_ingress(resource)
        paths += [where for given, where in tls_hosts(ingress) if isinstance(given, str) and given == host]
    return tuple({"op": "replace", "path": where, "value": name} for where in paths)


_PROVIDER = "pulumi:providers:kubernetes"
_REFERENCE = "pulumi:pulumi:StackReference"


@partial(
    Rule,
    code="XS03",
    title="No other stack uses the cluster's name or context",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.FLEET,
    of=kinds("Cluster", _PROVIDER),
    why="A machine cannot run two kind clusters with the same name. With the name or context of another stack's "
    "cluster, an `up` changes that cluster and a `destroy` deletes it.",
    remedy="Choose another name: change `cluster.name` or `cluster.existing` of the stack, or `name` in the kind "
    "configuration.",
    references=(_KIND,),
    bad=_ALICE + _CLUSTER.replace("bob", "alice"),
    good=_ALICE + _CLUSTER,
)
def cluster_is_free(resource: Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    names = inventory.once(_claims).names
    if not names:
        return
    if resource.kind == _PROVIDER:
        context = text(at(pulumi_resources.inputs(resource), "context"))
        rival = names.get(("context", context)) if context else None
        if rival:
            yield Breach(
                f"{pulumi_resources.inputs_pointer(resource)}/context",
                f"context {context} is already used by {rival.holder}.",
            )
        return
    if resource.vague:
        raise Undecidable
    name = resource.name
    rival = names.get(("cluster", name)) or names.get(("context", f"kind-{name}"))
    if rival:
        what = f"cluster name {name}" if rival.what == "cluster" else f"context kind-{name}"
        others = (f"{name}-{number_}" for number_ in count(2))
        free = next(o for o in others if ("cluster", o) not in names and ("context", f"kind-{o}") not in names)
        yield Breach(
            "/name",
            f"{what} is already used by {rival.holder}.",
            ({"op": "add", "path": "/name", "value": free},),
            evidence=name,
        )


def _given(inputs: JSON, key: str) -> bool:
    """Whether an input is set; an unknown value counts as set."""
    value = mapping(inputs).get(key)
    return value is UNKNOWN or bool(value)


class Owned(Section):
    """Parameters of XS04.

    stacks: the stacks that the program may reference, as patterns organization/project/stack.
    """

    stacks: tuple[str, ...] = Field((), examples=[["organization/network/dev"]])


@partial(
    Rule,
    code="XS04",
    title="The program names its cluster and references only allowed stacks",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=kinds(_PROVIDER, _REFERENCE),
    parameters=Owned,
    why="A provider without kubeconfig and context uses the current cluster of the shell that runs it. A reference to "
    "another owner's stack makes this stack change whenever that stack changes.",
    remedy="Set `kubeconfig` or `context` of the provider, or add the referenced stack to the parameter `stacks` of "
    "XS04.",
    references=("https://www.pulumi.com/registry/packages/kubernetes/api-docs/provider/",),
    bad=f"""
apiVersion: pulumi
kind: {_PROVIDER}
metadata: {{name: default}}
spec: {{namespace: apps}}
""",
    good=f"""
apiVersion: pulumi
kind: {_PROVIDER}
metadata: {{name: cluster}}
spec: {{context: kind-bob}}
""",
)
def explicit(resource: Resource, _: Inventory, parameters: Owned) -> Iterator[Breach]:
    inputs = pulumi_resources.inputs(resource)
    if resource.kind == _PROVIDER:
        if not _given(inputs, "kubeconfig") and not _given(inputs, "context"):
            message, remedy = (
                "the provider has no kubeconfig and no context.",
                "Set `kubeconfig` or `context` of the provider.",
            )
            yield Breach("/spec", message, remedy=remedy)
        return
    name = text(at(inputs, "name")) or resource.name
    if not any(matches(pattern, name) for pattern in parameters.stacks):
        yield Breach(
            "/spec/name",
            f"the program references stack {name}, which the parameter `stacks` does not list.",
            remedy="Add the stack to the parameter `stacks` of XS04, or remove the reference.",
            evidence=name,
        )

"""The host names of Ingresses, HTTPProxies, Gateways and Gateway API routes, with their pointers."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.ingresses import DeclaredIngress, declared_ingress
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.values import JSON, UNKNOWN, Undecidable, at, sequence
from hops.model.settings.setting_types import DNS_LABEL


def bare(host: str) -> str:
    """A host name in lower case, without scheme, port, path and trailing dot."""
    name = re.sub(r"^[a-z][a-z0-9+.-]*://", "", host.strip().lower()).partition("/")[0]
    return re.sub(r":\d*$", "", name).rstrip(".")


def is_host_name(name: str) -> bool:
    """Whether a string is a DNS name and not an IP address. The first label may be *."""
    labels = name.removeprefix("*.").split(".")
    return (
        len(name) <= 253
        and all(DNS_LABEL.fullmatch(label) for label in labels)
        and not re.fullmatch(r"\d+\.\d+\.\d+\.\d+", name)
    )


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """An object with host names.

    resource: the object.
    hosts: each host once, with the JSON pointers of all its occurrences.
    whole: whether all hosts are known.
    """

    resource: Resource
    hosts: Sequence[tuple[str, Sequence[str]]]
    whole: bool

    def settle(self) -> None:
        """Raises Undecidable if a host is unknown. Call it after checking the known hosts."""
        if not self.whole:
            raise Undecidable


def named(inventory: Inventory) -> Sequence[Named]:
    """All objects with host names; computed once per inventory."""
    return inventory.once(_named)


def _named(inventory: Inventory) -> Sequence[Named]:
    others = inventory.of_kind("HTTPProxy", "HTTPRoute", "GRPCRoute", "TLSRoute", "Gateway")
    return [
        *(_grouped(ingress.resource, _ingress_hosts(ingress)) for ingress in inventory.ingresses),
        *(_grouped(resource, route_hosts(resource)) for resource in others),
    ]


def _ingress_hosts(ingress: DeclaredIngress) -> Iterator[tuple[JSON, str]]:
    yield from _rule_hosts(ingress)
    tls = at(ingress.spec, "tls")
    if tls is UNKNOWN:
        yield UNKNOWN, ""
    elif tls:
        yield from tls_hosts(ingress)


def tls_hosts(ingress: DeclaredIngress) -> Iterator[tuple[JSON, str]]:
    """The hosts in `spec.tls` of an Ingress, with their JSON pointers."""
    for index, entry in enumerate(sequence(at(ingress.spec, "tls"))):
        hosts = at(entry, "hosts")
        if hosts is UNKNOWN:
            yield UNKNOWN, ""
        else:
            yield from (
                (host, f"/spec/tls/{index}/hosts/{i}")
                for i, host in enumerate(sequence(hosts))
                if isinstance(host, str) or host is UNKNOWN
            )


def _rule_hosts(ingress: DeclaredIngress) -> Iterator[tuple[JSON, str]]:
    if ingress.rules is UNKNOWN:
        yield UNKNOWN, ""
    else:
        yield from ((rule.host, f"{rule.pointer}/host") for rule in ingress.rules)


def route_hosts(resource: Resource) -> Iterator[tuple[JSON, str]]:
    """The hosts of a route or a Gateway, with their JSON pointers; without `spec.tls` of an Ingress.

    resource: an Ingress, an HTTPProxy, a Gateway or a Gateway API route.
    """
    if resource.kind == "Ingress":
        yield from _rule_hosts(declared_ingress(resource))
        return
    spec = at(resource.body, "spec")
    if resource.kind == "HTTPProxy":
        yield at(spec, "virtualhost", "fqdn"), "/spec/virtualhost/fqdn"
        return
    key = "listeners" if resource.kind == "Gateway" else "hostnames"
    entries = sequence(at(spec, key))
    if entries is UNKNOWN:
        yield UNKNOWN, ""
    elif key == "listeners":
        yield from ((at(entry, "hostname"), f"/spec/listeners/{i}/hostname") for i, entry in enumerate(entries))
    else:
        yield from ((entry, f"/spec/hostnames/{i}") for i, entry in enumerate(entries))


def _grouped(resource: Resource, hosts: Iterable[tuple[JSON, str]]) -> Named:
    known: dict[str, list[str]] = {}
    whole = True
    for host, where in hosts:
        if isinstance(host, str) and host:
            known.setdefault(host, []).append(where)
        elif host is UNKNOWN:
            whole = False
    return Named(resource, tuple(known.items()), whole)

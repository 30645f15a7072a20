"""Evaluates the rules of Kubernetes and Calico network policies for one connection.

A rule that this module cannot evaluate has the result None. Source: Calico,
libcalico-go/lib/backend/k8s/conversion/conversion.go, and
https://docs.tigera.io/calico/latest/reference/resources/globalnetworkpolicy.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal, cast

from hops.kubernetes import objects
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.policies.calico_selectors import SelectorError, takes
from hops.kubernetes.policies.label_selectors import selects
from hops.kubernetes.resources.pods import Pod, as_pod
from hops.kubernetes.values import (
    JSON,
    UNKNOWN,
    Undecidable,
    at,
    flag,
    mapping,
    network,
    number,
    pairs,
    sequence,
    text,
    texts,
    unknown_paths,
)

Direction = Literal["Ingress", "Egress"]
Action = Literal["Allow", "Deny", "Pass"]

DEFAULT = "default"
"""The tier of policies without a tier."""
LAST = float("inf")
_KUBERNETES_ORDER = 1000.0
_NAME_LABEL = "kubernetes.io/metadata.name"
"""Label that Kubernetes sets on every namespace."""
_UNREAD = ("AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy")
CALICO = ("NetworkPolicy.projectcalico.org", "NetworkPolicy.crd.projectcalico.org", "GlobalNetworkPolicy", "Tier")
"""Calico's kinds, as an inventory names them."""
KINDS = ("Tier", "NetworkPolicy", "GlobalNetworkPolicy", *_UNREAD)
"""The kinds that affect connections; kinds that this module cannot evaluate leave the result open."""


@dataclass(frozen=True)
class Peer:
    """One end of a connection.

    namespace: namespace of the pod.
    labels: labels of the pod.
    around: labels of its namespace; None if they were not observed.
    account: name of its service account.
    address: IP address of the pod; None if unknown.
    ports: numbers of its declared ports, by name.
    """

    namespace: str
    labels: Mapping[str, str]
    around: Mapping[str, str] | None
    account: str
    address: str | None
    ports: Mapping[str, int]


@dataclass(frozen=True)
class Connection:
    """A TCP connection from one pod to a port of another."""

    source: Peer
    target: Peer
    port: int


@dataclass(frozen=True)
class PolicyRule:
    """A rule of a policy, evaluated for a connection.

    action: the action of the rule.
    fits: whether the rule matches the connection; None if this cannot be decided.
    """

    action: Action
    fits: bool | None


@dataclass(frozen=True)
class NetworkPolicy:
    """A policy that selects, or may select, the pod.

    body: the policy as JSON values.
    tier: name of its tier.
    order: its order within the tier; `LAST` if none is set.
    sure: whether it certainly selects the pod.
    rules: its rules for the direction, evaluated for the connection.
    """

    body: Mapping[str, JSON]
    tier: str
    order: float
    sure: bool
    rules: tuple[PolicyRule, ...]


def as_policy(item: dict[str, JSON], direction: Direction, connection: Connection) -> NetworkPolicy | None:
    """Evaluates a policy object for a connection. Returns None if it does not apply to the pod or the direction."""
    kind, version = item.get("kind"), str(item.get("apiVersion"))
    if kind in _UNREAD:
        either = (PolicyRule("Allow", None), PolicyRule("Deny", None))
        tier = "baselineadminnetworkpolicy" if kind == "BaselineAdminNetworkPolicy" else "adminnetworkpolicy"
        return NetworkPolicy(item, tier, LAST, sure=False, rules=either)
    if kind == "NetworkPolicy" and version.startswith("networking.k8s.io/"):
        return _of_kubernetes(item, direction, connection)
    if kind in ("NetworkPolicy", "GlobalNetworkPolicy") and "projectcalico.org/" in version:
        return _of_calico(item, direction, connection)
    return None


def pod_selector(policy: Mapping[str, JSON]) -> JSON:
    """The selector of the pods that a policy of Kubernetes is for."""
    return at(dict(policy), "spec", "podSelector")


def senders(policy: Mapping[str, JSON]) -> Iterator[Sequence[JSON]]:
    """Whom each ingress rule of a policy of Kubernetes admits; an empty sequence for everybody."""
    return (sequence(at(rule, "from")) for rule in sequence(at(dict(policy), "spec", "ingress")))


def limits_senders(policy: Mapping[str, JSON]) -> bool:
    """Whether a policy of Kubernetes limits who sends. Raises Undecidable if this or its pods are unknown."""
    spec = at(dict(policy), "spec")
    if spec is UNKNOWN or unknown_paths(at(spec, "podSelector")):
        raise Undecidable
    types = at(spec, "policyTypes")
    return types is None or "Ingress" in texts(types)


def without_senders(policy: Mapping[str, JSON]) -> dict[str, JSON]:
    """A policy of Kubernetes without its ingress rules."""
    return {**policy, "spec": {**mapping(policy.get("spec")), "ingress": []}}


def tier_of(policy: Mapping[str, JSON]) -> str:
    """The tier of a policy of Calico."""
    return text(at(dict(policy), "spec", "tier")) or DEFAULT


def _types(spec: JSON, key: str) -> tuple[str, ...]:
    """The directions that a policy is for; ingress is meant where it names none and has no egress alone."""
    given = texts(at(spec, key))
    egress = ("Egress",) if at(spec, "egress") else ()
    return given or (("Ingress",) if at(spec, "ingress") or not egress or key == "policyTypes" else ()) + egress


def _any(values: Iterable[bool | None]) -> bool | None:
    found = list(values)
    return True if True in found else None if None in found else False


def _all(*values: bool | None) -> bool | None:
    return False if False in values else None if None in values else True


def _not(value: bool | None) -> bool | None:  # noqa: FBT001 - the value itself
    return None if value is None else not value


def _within(address: str | None, nets: Iterable[str]) -> bool | None:
    if address is None:
        return None
    return any(ip_address(address) in net for given in nets if (net := network(given)))


def as_order(value: JSON) -> float:
    return float(value) if isinstance(value, int | float) else LAST


# Kubernetes


def _of_kubernetes(item: dict[str, JSON], direction: Direction, connection: Connection) -> NetworkPolicy | None:
    subject, remote = _ends(direction, connection)
    namespace, spec = str(objects.namespace(item)), at(item, "spec")
    if namespace != subject.namespace or not selects(pod_selector(item), subject.labels):
        return None
    if direction not in _types(spec, "policyTypes"):
        return None
    peers = "from" if direction == "Ingress" else "to"
    rules = tuple(
        PolicyRule("Allow", _all(_from(at(rule, peers), namespace, remote), _at_port(at(rule, "ports"), connection)))
        for rule in sequence(at(spec, direction.lower()))
    )
    return NetworkPolicy(item, DEFAULT, _KUBERNETES_ORDER, sure=True, rules=rules)


def _ends(direction: Direction, connection: Connection) -> tuple[Peer, Peer]:
    """The pod that policies of a direction are for, and the other one."""
    ends = (connection.target, connection.source)
    return ends if direction == "Ingress" else (ends[1], ends[0])


def _from(peers: JSON, namespace: str, remote: Peer) -> bool | None:
    listed = sequence(peers)
    return _any(_is_peer(peer, namespace, remote) for peer in listed) if listed else True


def _is_peer(peer: JSON, namespace: str, remote: Peer) -> bool | None:
    if block := at(peer, "ipBlock"):
        inside = _within(remote.address, [text(at(block, "cidr")) or ""])
        return _all(inside, _not(_within(remote.address, texts(at(block, "except")))))
    around, inside_of = at(peer, "namespaceSelector"), at(peer, "podSelector")
    near = remote.namespace == namespace if around is None else _is_around(around, remote)
    return _all(near, inside_of is None or selects(inside_of, remote.labels))


def _is_around(selector: JSON, peer: Peer) -> bool | None:
    """Whether a selector takes a pod's namespace."""
    if peer.around is not None:
        return selects(selector, peer.around)
    labels = pairs(at(selector, "matchLabels"))
    if at(selector, "matchExpressions") or labels.keys() - {_NAME_LABEL}:
        return None
    return labels.get(_NAME_LABEL) in (None, peer.namespace)


def _at_port(ports: JSON, connection: Connection) -> bool:
    listed = sequence(ports)
    return not listed or any(
        at(port, "protocol") in (None, "TCP") and _is_port(at(port, "port"), at(port, "endPort"), connection)
        for port in listed
    )


def _is_port(given: JSON, last: JSON, connection: Connection) -> bool:
    if given is None:
        return True
    if isinstance(given, str):
        return connection.target.ports.get(given) == connection.port
    first = number(given) or 0
    return first <= connection.port <= (number(last) or first)


# Calico


def _of_calico(item: dict[str, JSON], direction: Direction, connection: Connection) -> NetworkPolicy | None:
    subject, _ = _ends(direction, connection)
    spec = at(item, "spec")
    namespace = objects.namespace(item) if item.get("kind") == "NetworkPolicy" else None
    if flag(at(spec, "doNotTrack")) or flag(at(spec, "preDNAT")) or direction not in _types(spec, "types"):
        return None
    mine = _all(
        namespace in (None, subject.namespace),
        _takes(at(spec, "selector"), _labels(subject)),
        _takes_around(at(spec, "namespaceSelector"), subject) if namespace is None else True,
        None if at(spec, "serviceAccountSelector") else True,
    )
    if mine is False:
        return None
    rules = tuple(
        PolicyRule(cast("Action", at(rule, "action")), _fits(rule, namespace, connection))
        for rule in sequence(at(spec, direction.lower()))
        if at(rule, "action") in ("Allow", "Deny", "Pass")
    )
    return NetworkPolicy(item, tier_of(item), as_order(at(spec, "order")), sure=mine is True, rules=rules)


def _labels(peer: Peer) -> Mapping[str, str]:
    return {
        **peer.labels,
        "projectcalico.org/namespace": peer.namespace,
        "projectcalico.org/orchestrator": "k8s",
        "projectcalico.org/serviceaccount": peer.account,
    }


def _takes_around(selector: JSON, peer: Peer) -> bool | None:
    """Whether a selector takes a pod's namespace."""
    if peer.around is None and selector:
        return None
    return _takes(selector, {**(peer.around or {}), "projectcalico.org/name": peer.namespace})


def _takes(selector: JSON, labels: Mapping[str, str]) -> bool | None:
    try:
        return takes(text(selector) or "", labels)
    except SelectorError:
        return None


def _fits(rule: JSON, namespace: str | None, connection: Connection) -> bool | None:
    protocol, without = at(rule, "protocol"), at(rule, "notProtocol")
    version = number(at(rule, "ipVersion"))
    addresses = [end.address for end in (connection.source, connection.target) if end.address]
    return _all(
        protocol is None or protocol in ("TCP", "tcp", 6),
        without is None or without not in ("TCP", "tcp", 6),
        version is None or all(ip_address(address).version == version for address in addresses),
        at(rule, "icmp") is None,
        None if at(rule, "http") else True,
        _is_end(at(rule, "source"), namespace, connection.source, lambda _: None),
        _is_end(at(rule, "destination"), namespace, connection.target, lambda ports: _in_ports(ports, connection)),
    )


def _is_end(end: JSON, namespace: str | None, peer: Peer, in_ports: Callable[[JSON], bool | None]) -> bool | None:
    """Whether a pod is what a rule's source or destination means. namespace: of the policy, None for a global one."""
    chosen, around, others = (text(at(end, key)) for key in ("selector", "namespaceSelector", "notSelector"))
    accounts, ports, excluded = at(end, "serviceAccounts"), at(end, "ports"), at(end, "notPorts")
    near: bool | None = True
    if around:
        near = _takes_around(around, peer)
    elif namespace and (chosen or others):
        near = peer.namespace == namespace
    nets, without = texts(at(end, "nets")), texts(at(end, "notNets"))
    return _all(
        near,
        _takes(chosen, _labels(peer)),
        _not(_takes(others, _labels(peer))) if others else True,
        _within(peer.address, nets) if nets else True,
        _not(_within(peer.address, without)) if without else True,
        peer.account in names if (names := texts(at(accounts, "names"))) else True,
        None if at(accounts, "selector") or at(end, "services") else True,
        in_ports(ports) if ports else True,
        _not(in_ports(excluded)) if excluded else True,
    )


def _in_ports(ports: JSON, connection: Connection) -> bool:
    for port in sequence(ports):
        if isinstance(port, str) and ":" in port:
            first, _, last = port.partition(":")
            if first.isdigit() and last.isdigit() and int(first) <= connection.port <= int(last):
                return True
        elif isinstance(port, str) and port.isdigit():
            if int(port) == connection.port:
                return True
        elif _is_port(port, None, connection):
            return True
    return False


def declared_policies(inventory: Inventory, namespace: str | None) -> list[dict[str, JSON]]:
    """The declared policies of a namespace, and those of the whole cluster, each with its namespace."""
    return inventory.once(_policies_by_namespace).get(namespace, []) + inventory.once(_policies_by_namespace)[None]


def _policies_by_namespace(inventory: Inventory) -> Mapping[str | None, list[dict[str, JSON]]]:
    groups: dict[str | None, list[dict[str, JSON]]] = defaultdict(list)
    groups[None] = []
    for resource in inventory.of_kind("NetworkPolicy", *CALICO, *_UNREAD):
        if resource.vague:
            raise Undecidable
        whole = resource.kind in ("GlobalNetworkPolicy", "Tier", *_UNREAD)
        metadata = {**mapping(resource.body.get("metadata")), "namespace": resource.namespace}
        body = dict(resource.body) if whole else {**resource.body, "metadata": metadata}
        groups[None if whole else resource.namespace].append(body)
    return groups


def declared_peer(pod: Pod, inventory: Inventory) -> Peer:
    """The end of a connection at a declared pod. Raises Undecidable if its namespace or a label is unknown."""
    if pod.resource.nowhere:
        raise Undecidable
    name = str(pod.resource.namespace)
    around = inventory.find("Namespace", None, name)
    return Peer(
        namespace=name,
        labels=dict(pod.labels),
        around={**around.labels, _NAME_LABEL: name} if around else None,
        account=text(at(pod.spec, "serviceAccountName")) or "default",
        address=None,
        ports={
            port.name: port.container_port
            for container in pod.containers
            for port in container.ports
            if port.name and port.container_port
        },
    )


def peer(pod: Mapping[str, JSON], namespace: Mapping[str, JSON] | None) -> Peer:
    """The end of a connection at a pod.

    pod: the Pod object.
    namespace: its Namespace object; None if it was not observed.
    """
    declared = as_pod(pod)
    return Peer(
        namespace=str(objects.namespace(pod)),
        labels=objects.labels(pod),
        around=objects.labels(namespace) if namespace else None,
        account=text(declared.spec.get("serviceAccountName")) or "default",
        address=objects.address(pod),
        ports={port.name: port.container_port for port in declared.ports if port.name and port.container_port},
    )

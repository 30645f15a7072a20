"""Whether network policies let one pod connect to another: Kubernetes' own, and Calico's beside them.

Calico asks the policies of a pod tier by tier and in a tier by their order; Kubernetes' policies stand in the tier
`default` at 1000. The first rule that fits decides, and a tier that has any policy for the pod is closed to the rest.
Source: Calico, libcalico-go/lib/backend/k8s/conversion/conversion.go, and
https://docs.tigera.io/calico/latest/reference/resources/globalnetworkpolicy.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import groupby
from typing import Literal, cast

from hops.rules.selection import selects
from hops.rules.values import JSON, at, flag, network, number, pairs, sequence, text, texts
from hops.trace.selector import SelectorError, takes

Direction = Literal["Ingress", "Egress"]
Action = Literal["Allow", "Deny", "Pass"]

_DEFAULT = "default"
_TIER_ORDERS = {_DEFAULT: 1_000_000.0, "adminnetworkpolicy": 1_000.0, "baselineadminnetworkpolicy": 10_000_000.0}
_KUBERNETES_ORDER = 1000.0
_LAST = float("inf")
_UNREAD = ("AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy")


@dataclass(frozen=True)
class Peer:
    """One end of a connection. around: the labels of its namespace. ports: numbers by the names that it declares."""

    namespace: str
    labels: Mapping[str, str]
    around: Mapping[str, str]
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
class Ruling:
    """What policies say. allowed: None where it can't be told. by: the policy that decides, or that isn't understood.

    explicit: whether one of its rules says so, and not only the lack of one.
    """

    allowed: bool | None
    by: Mapping[str, JSON] | None = None
    explicit: bool = False


@dataclass(frozen=True)
class _Rule:
    """fits: None where that can't be told."""

    action: Action
    fits: bool | None


@dataclass(frozen=True)
class _Policy:
    """A policy that is for the pod, or may be. sure: whether it certainly is."""

    body: Mapping[str, JSON]
    tier: str
    order: float
    sure: bool
    rules: tuple[_Rule, ...]


def ruling(objects: Iterable[Mapping[str, JSON]], direction: Direction, connection: Connection) -> Ruling:
    """What the policies of the target (Ingress) or of the source (Egress) say of a connection."""
    given = [dict(item) for item in objects]
    own = {str(at(i, "metadata", "name")): at(i, "spec", "order") for i in given if i.get("kind") == "Tier"}
    tiers = {**{name: _order(order) for name, order in own.items()}, **_TIER_ORDERS}
    open_ended = {
        str(at(i, "metadata", "name"))
        for i in given
        if i.get("kind") == "Tier" and at(i, "spec", "defaultAction") == "Pass"
    }
    policies = [policy for item in given if (policy := _policy(item, direction, connection))]
    policies.sort(key=lambda p: (tiers.get(p.tier, _LAST), p.tier, p.order, str(at(dict(p.body), "metadata", "name"))))
    possible = list(_outcomes([list(group) for _, group in groupby(policies, lambda p: p.tier)], open_ended))
    if len({outcome.allowed for outcome in possible}) == 1:
        return possible[0]
    unclear = next((p.body for p in policies if not p.sure or any(rule.fits is None for rule in p.rules)), None)
    return Ruling(None, unclear)


def _outcomes(tiers: list[list[_Policy]], open_ended: set[str]) -> Iterator[Ruling]:
    """All that may come out; the last one certainly does, if none before it."""
    if not tiers:
        yield Ruling(allowed=True)
        return
    tier, rest = tiers[0], tiers[1:]
    for policy in tier:
        for rule in policy.rules:
            if rule.fits is False:
                continue
            if rule.action == "Pass":
                yield from _outcomes(rest, open_ended)
            else:
                yield Ruling(rule.action == "Allow", policy.body, explicit=True)
            if policy.sure and rule.fits:
                return
    if tier[0].tier not in open_ended:
        closing = next((policy for policy in tier if policy.sure), None)
        yield Ruling(allowed=False, by=(closing or tier[0]).body)
        if closing:
            return
    yield from _outcomes(rest, open_ended)


def _policy(item: dict[str, JSON], direction: Direction, connection: Connection) -> _Policy | None:
    """None where the policy is not for the pod or the direction."""
    kind, version = item.get("kind"), str(item.get("apiVersion"))
    if kind in _UNREAD:
        either = (_Rule("Allow", None), _Rule("Deny", None))
        tier = "baselineadminnetworkpolicy" if kind == "BaselineAdminNetworkPolicy" else "adminnetworkpolicy"
        return _Policy(item, tier, _LAST, sure=False, rules=either)
    if kind == "NetworkPolicy" and version.startswith("networking.k8s.io/"):
        return _of_kubernetes(item, direction, connection)
    if kind in ("NetworkPolicy", "GlobalNetworkPolicy") and "projectcalico.org/" in version:
        return _of_calico(item, direction, connection)
    return None


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


def _order(value: JSON) -> float:
    return float(value) if isinstance(value, int | float) else _LAST


# Kubernetes


def _of_kubernetes(item: dict[str, JSON], direction: Direction, connection: Connection) -> _Policy | None:
    subject, remote = _ends(direction, connection)
    namespace, spec = str(at(item, "metadata", "namespace")), at(item, "spec")
    if namespace != subject.namespace or not selects(at(spec, "podSelector"), subject.labels):
        return None
    if direction not in _types(spec, "policyTypes"):
        return None
    peers = "from" if direction == "Ingress" else "to"
    rules = tuple(
        _Rule("Allow", _all(_from(at(rule, peers), namespace, remote), _at_port(at(rule, "ports"), connection)))
        for rule in sequence(at(spec, direction.lower()))
    )
    return _Policy(item, _DEFAULT, _KUBERNETES_ORDER, sure=True, rules=rules)


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
    near = remote.namespace == namespace if around is None else selects(around, remote.around)
    return near and (inside_of is None or selects(inside_of, remote.labels))


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


def _of_calico(item: dict[str, JSON], direction: Direction, connection: Connection) -> _Policy | None:
    subject, _ = _ends(direction, connection)
    spec = at(item, "spec")
    namespace = text(at(item, "metadata", "namespace")) if item.get("kind") == "NetworkPolicy" else None
    if flag(at(spec, "doNotTrack")) or flag(at(spec, "preDNAT")) or direction not in _types(spec, "types"):
        return None
    mine = _all(
        namespace in (None, subject.namespace),
        _takes(at(spec, "selector"), _labels(subject)),
        _takes(at(spec, "namespaceSelector"), _namespace_labels(subject)) if namespace is None else True,
        None if at(spec, "serviceAccountSelector") else True,
    )
    if mine is False:
        return None
    rules = tuple(
        _Rule(cast("Action", at(rule, "action")), _fits(rule, namespace, connection))
        for rule in sequence(at(spec, direction.lower()))
        if at(rule, "action") in ("Allow", "Deny", "Pass")
    )
    tier = text(at(spec, "tier")) or _DEFAULT
    return _Policy(item, tier, _order(at(spec, "order")), sure=mine is True, rules=rules)


def _labels(peer: Peer) -> Mapping[str, str]:
    return {
        **peer.labels,
        "projectcalico.org/namespace": peer.namespace,
        "projectcalico.org/orchestrator": "k8s",
        "projectcalico.org/serviceaccount": peer.account,
    }


def _namespace_labels(peer: Peer) -> Mapping[str, str]:
    return {**peer.around, "projectcalico.org/name": peer.namespace}


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
        near = _takes(around, _namespace_labels(peer))
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


def peer(pod: Mapping[str, JSON], namespace: Mapping[str, JSON] | None) -> Peer:
    """A pod as policies see it. namespace: its Namespace object."""
    body = dict(pod)
    declared = [port for c in sequence(at(body, "spec", "containers")) for port in sequence(at(c, "ports"))]
    return Peer(
        namespace=str(at(body, "metadata", "namespace")),
        labels=pairs(at(body, "metadata", "labels")),
        around=pairs(at(dict(namespace or {}), "metadata", "labels")),
        account=text(at(body, "spec", "serviceAccountName")) or "default",
        address=text(at(body, "status", "podIP")),
        ports={
            name: port
            for entry in declared
            if (name := text(at(entry, "name"))) and (port := number(at(entry, "containerPort")))
        },
    )

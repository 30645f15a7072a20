"""RP01: network policies between the ingress controller and the pods."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from hops.kubernetes import objects
from hops.kubernetes.controller.classes import class_of, ingresses_of_others
from hops.kubernetes.controller.contour import envoys
from hops.kubernetes.controller.installed import installed
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.policies.network_policies import (
    CALICO,
    Connection,
    Direction,
    Peer,
    declared_peer,
    declared_policies,
    pod_selector,
    senders,
    without_senders,
)
from hops.kubernetes.policies.policy_order import Ruling, ruling
from hops.kubernetes.resources.pods import Pod, Port
from hops.kubernetes.resources.resource import Resource, content
from hops.kubernetes.resources.services import DeclaredService
from hops.kubernetes.routing.exposed import routed, routes
from hops.kubernetes.values import (
    JSON,
    UNKNOWN,
    Undecidable,
    mapping,
)
from hops.model.finding import Level, Severity, label
from hops.model.hop import HopName
from hops.rules.families.samples import CONTROLLER, DEPLOYMENT, ROUTED
from hops.rules.rule import Breach, NoParameters, Rule, Scope, services

_POLICIES = "https://kubernetes.io/docs/concepts/services-networking/network-policies/"


def _policy(senders: str) -> str:
    return f"""
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: web, namespace: apps}}
spec:
  podSelector: {{}}
  policyTypes: [Ingress]
  ingress: [{{from: [{senders}]}}]
"""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Connections that policies deny.

    first: for each policy that denies, by its name, the first Service with the sentence about it.
    undecided: the Services for which a value is unknown.
    """

    first: Mapping[str, tuple[DeclaredService, str]]
    undecided: frozenset[Resource]


@partial(
    Rule,
    code="RP01",
    title="Network policies admit the ingress controller",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=services,
    hop=HopName.ENDPOINT,
    why="Envoy connects to the pod from the controller's namespace. If a NetworkPolicy of Kubernetes or Calico selects "
    "the pod and no policy admits Envoy's pods, the connection times out and Envoy returns 503. A podSelector without "
    "a namespaceSelector means pods of the policy's own namespace. Without a declared controller, the rule reports "
    "only policies that admit no pod of any other namespace.",
    remedy="Add an ingress rule that admits the controller's namespace, by the label kubernetes.io/metadata.name, and "
    "the pod's port.",
    references=(_POLICIES, "https://docs.tigera.io/calico/latest/reference/resources/networkpolicy"),
    bad=DEPLOYMENT + ROUTED + CONTROLLER + _policy("{podSelector: {matchLabels: {app: envoy}}}"),
    good=DEPLOYMENT
    + ROUTED
    + CONTROLLER
    + _policy("{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: projectcontour}}}"),
)
def admitted(service: DeclaredService, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    found = inventory.once(blocked)
    if service.resource in found.undecided:
        raise Undecidable
    for first, message in found.first.values():
        if first is service:
            yield Breach("/spec/selector", message, absence=True)


def blocked(inventory: Inventory) -> Blocked:
    """The connections of the ingress controller that policies deny. Call it as `inventory.once(blocked)`."""
    first: dict[str, tuple[DeclaredService, str]] = {}
    undecided: set[Resource] = set()
    if not any(True for _ in inventory.of_kind("NetworkPolicy", *CALICO)):
        return Blocked({}, frozenset())
    unsure = any(route.namespace is UNKNOWN or route.service is UNKNOWN for route in inventory.once(routes))
    for service in inventory.services:
        key = (service.resource.namespace, service.resource.name)
        if service.resource.vague or (unsure and key not in inventory.once(routed)):
            undecided.add(service.resource)
        if service.resource in undecided or key not in inventory.once(_contours_backends):
            continue
        try:
            for policy, message in _denials(service, inventory):
                first.setdefault(policy, (service, message))
        except Undecidable:
            undecided.add(service.resource)
    return Blocked(first, frozenset(undecided))


def _contours_backends(inventory: Inventory) -> frozenset[tuple[str | None, str]]:
    """The Services that a route certainly references which is no Ingress of another controller."""
    return frozenset(
        (route.namespace, route.service)
        for route in inventory.once(routes)
        if route.namespace is not UNKNOWN and route.service is not UNKNOWN and route.service
        if route.resource not in inventory.once(ingresses_of_others)
    )


def _serving(service: DeclaredService, inventory: Inventory) -> Sequence[Pod]:
    """The Envoys that send to a Service: of several Contours, those of one that handles the class of a route to it."""
    every = inventory.once(envoys)
    try:
        contours = inventory.once(installed)
        classes = inventory.once(_classes).get((service.resource.namespace, service.resource.name), {None})
    except Undecidable:
        return every
    if len(contours) < 2 or None in classes:
        return every
    others = {pod for one in contours if classes.isdisjoint(one.contour.classes) for pod in one.envoys}
    # If no Contour handles the class, IN09 names it, and each may be the one that is meant.
    return [pod for pod in every if pod not in others] or every


def _classes(inventory: Inventory) -> Mapping[tuple[str | None, str | None], set[str | None]]:
    """The ingress classes of the routes to each Service; None stands for a route that has none (HTTPRoute)."""
    found: dict[tuple[str | None, str | None], set[str | None]] = defaultdict(set)
    for route in inventory.once(routes):
        kind, subject = route.resource.kind, route.resource
        classed = inventory.ingress(subject) if kind == "Ingress" else subject if kind == "HTTPProxy" else None
        found[route.namespace, route.service].add(class_of(classed, inventory) if classed else None)
    return found


def _denials(service: DeclaredService, inventory: Inventory) -> Iterator[tuple[str, str]]:
    """The policies that keep the controller from the pods of a Service, each with a sentence."""
    senders = [pod for pod in _serving(service, inventory) if not pod.host_network]
    if not senders and inventory.once(envoys):
        return
    rulings = inventory.once(_Rulings)
    for pod in inventory.pods_of(service):
        if pod.host_network:
            continue
        for port in tcp_targets(service, pod):
            if not senders:
                closing = rulings.own_namespace_only(pod)
                if closing:
                    message = f"{closing} selects {pod.resource}, and no policy admits a pod of another namespace"
                    yield closing, f"{message}, such as the ingress controller's."
            for envoy in senders:
                connection = Connection(declared_peer(envoy, inventory), declared_peer(pod, inventory), port)
                for said in (rulings.of(pod, "Ingress", connection), rulings.of(envoy, "Egress", connection)):
                    if said.allowed is False:
                        policy = _named(said.by)
                        verb = "denies" if said.explicit else "does not admit"
                        yield (
                            policy,
                            f"{policy} {verb} a connection from {envoy.resource} to port {port} of {pod.resource}.",
                        )


class _Rulings:
    """What network policies do to connections. Policies with the same selector are asked once for like connections."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._plain: dict[str | None, bool] = {}
        self._groups: list[Sequence[Mapping[str, JSON]]] = []
        self._of: dict[Pod, list[int]] = defaultdict(list)
        self._rulings: dict[tuple[object, ...], Ruling] = {}
        self._closing: dict[int, str | None] = {}

    def of(self, pod: Pod, direction: Direction, connection: Connection) -> Ruling:
        """The ruling of the policies of a pod, which is one end of the connection. Raises Undecidable."""
        if not self._only_kubernetes(pod.resource.namespace):
            return ruling(declared_policies(self._inventory, pod.resource.namespace), direction, connection)
        answers = [self._answer(group, direction, connection) for group in self._of.get(pod, ())]
        # A connection is allowed if one of the policies that select the pod allows it.
        for allowed in (True, None):
            if found := next((answer for answer in answers if answer.allowed is allowed), None):
                return found
        return min(answers, key=lambda answer: _named(answer.by), default=Ruling(allowed=True))

    def _answer(self, group: int, direction: Direction, connection: Connection) -> Ruling:
        other = connection.source if direction == "Ingress" else connection.target
        ends = (
            other.namespace,
            other.account,
            *(frozenset(part.items()) for part in (other.labels, other.around or {})),
        )
        key = (group, direction, *ends, frozenset(connection.target.ports.items()), connection.port)
        if key not in self._rulings:
            self._rulings[key] = ruling(self._groups[group], direction, connection)
        return self._rulings[key]

    def own_namespace_only(self, pod: Pod) -> str:
        """The first policy of a pod if all its policies admit only pods of their own namespace; "" otherwise."""
        if not self._only_kubernetes(pod.resource.namespace):
            return ""
        found = [self._closes(group, pod) for group in self._of.get(pod, ())]
        return "" if None in found else min((name for name in found if name), default="")

    def _closes(self, group: int, pod: Pod) -> str | None:
        """The first policy of a group that limits who sends; None if one admits pods of other namespaces."""
        if group not in self._closing:
            self._closing[group] = _own_namespace_only(self._groups[group], declared_peer(pod, self._inventory))
        return self._closing[group]

    def _only_kubernetes(self, namespace: str | None) -> bool:
        """Whether a namespace has policies of Kubernetes alone; groups them at the first question."""
        if namespace not in self._plain:
            policies = declared_policies(self._inventory, namespace)
            self._plain[namespace] = all(
                policy.get("kind") == "NetworkPolicy" and "projectcalico.org/" not in str(policy.get("apiVersion"))
                for policy in policies
            )
            if self._plain[namespace]:
                self._group(namespace, policies)
        return self._plain[namespace]

    def _group(self, namespace: str | None, policies: Iterable[Mapping[str, JSON]]) -> None:
        groups: dict[str, list[Mapping[str, JSON]]] = defaultdict(list)
        for policy in policies:
            groups[content(pod_selector(policy))].append(policy)
        for group in groups.values():
            for pod in self._inventory.pods_that(namespace, pod_selector(group[0])):
                self._of[pod].append(len(self._groups))
            self._groups.append(group)


def _named(body: Mapping[str, JSON] | None) -> str:
    return label(str((body or {}).get("kind")), objects.namespace(body), objects.name(body))


def tcp_targets(service: DeclaredService, pod: Pod) -> Sequence[int]:
    """The TCP ports of a pod to which a Service forwards."""
    found: list[int] = []
    for port in service.ports:
        target = port.target_port or port.port
        if port.protocol != "TCP" or not target:
            continue
        if isinstance(target, str):
            found += [p.container_port for p in _ports(pod) if p.name == target and p.container_port]
        else:
            found.append(target)
    return list(dict.fromkeys(found))


def _ports(pod: Pod) -> Iterator[Port]:
    return (port for container in pod.containers if container.lasting for port in container.ports)


def _own_namespace_only(policies: Iterable[Mapping[str, JSON]], peer: Peer) -> str | None:
    """The first of the policies that limits who sends, "" without one; None if one admits pods of other namespaces."""
    found = ""
    connection = Connection(peer, peer, 1)
    for body in policies:
        if ruling([without_senders(body)], "Ingress", connection).allowed:
            continue
        for given in senders(body):
            if not given or not all(set(mapping(sender)) == {"podSelector"} for sender in given):
                return None
        found = found or _named(body)
    return found

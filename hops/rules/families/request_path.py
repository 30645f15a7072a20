"""RP: rules for what keeps a request from its pod between the ingress controller and the process."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from hops.kubernetes.commands import loopback, server
from hops.kubernetes.controller import contour_annotations
from hops.kubernetes.controller.classes import ingresses_of_others, others, owner_of
from hops.kubernetes.controller.contour import contours, envoys, may_serve, serves, watched
from hops.kubernetes.controller.secrets import generated, made_secrets
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.policies.network_policies import (
    CALICO,
    Connection,
    Direction,
    Peer,
    declared_peer,
    declared_policies,
)
from hops.kubernetes.policies.policy_order import Ruling, ruling
from hops.kubernetes.resources.ingresses import DeclaredIngress
from hops.kubernetes.resources.kind_nodes import clusters, nodes
from hops.kubernetes.resources.pods import Pod, PodContainer, Port
from hops.kubernetes.resources.resource import Resource, content
from hops.kubernetes.resources.services import DeclaredService
from hops.kubernetes.routing.exposed import Exposed, exposed, routed, routes
from hops.kubernetes.routing.proxies import virtual_host
from hops.kubernetes.routing.targets import home
from hops.kubernetes.values import (
    JSON,
    UNKNOWN,
    Undecidable,
    address,
    at,
    flag,
    mapping,
    matches,
    number,
    pairs,
    pointer,
    sequence,
    text,
)
from hops.model.finding import Level, Severity, label
from hops.model.hop import HopName
from hops.model.setting_types import Section
from hops.rules.families.samples import CONTOUR
from hops.rules.rule import Breach, NoParameters, Rule, Scope, pods, services

_POLICIES = "https://kubernetes.io/docs/concepts/services-networking/network-policies/"
_CONTOUR = "https://projectcontour.io/docs/1.33/"

_POD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: apps}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web, ports: [{containerPort: 8080}]}]}
"""
_ROUTED = """
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: apps}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: apps}
spec:
  rules:
  - host: web.localhost
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
"""
_CONTROLLER = (
    """
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
      - {name: envoy, image: "envoyproxy/envoy:v1.35.0", ports: [{name: http, containerPort: 8080, hostPort: 80}]}
---"""
    + CONTOUR
)


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


# RP01


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
    bad=_POD + _ROUTED + _CONTROLLER + _policy("{podSelector: {matchLabels: {app: envoy}}}"),
    good=_POD
    + _ROUTED
    + _CONTROLLER
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


def _denials(service: DeclaredService, inventory: Inventory) -> Iterator[tuple[str, str]]:
    """The policies that keep the controller from the pods of a Service, each with a sentence."""
    senders = [pod for pod in inventory.once(envoys) if not pod.host_network]
    if not senders and inventory.once(envoys):
        return
    rulings = inventory.once(_Rulings)
    for pod in inventory.pods_of(service):
        if pod.host_network:
            continue
        for port in _targets(service, pod):
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
            groups[content(at(dict(policy), "spec", "podSelector"))].append(policy)
        for group in groups.values():
            selector = at(dict(group[0]), "spec", "podSelector")
            for pod in self._inventory.pods_that(namespace, selector):
                self._of[pod].append(len(self._groups))
            self._groups.append(group)


def _named(body: Mapping[str, JSON] | None) -> str:
    metadata = at(dict(body or {}), "metadata")
    return label(str(at(dict(body or {}), "kind")), text(at(metadata, "namespace")), str(at(metadata, "name")))


def _targets(service: DeclaredService, pod: Pod) -> Sequence[int]:
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
        if ruling([{**body, "spec": {**mapping(body.get("spec")), "ingress": []}}], "Ingress", connection).allowed:
            continue
        for rule in sequence(at(dict(body), "spec", "ingress")):
            given = sequence(at(rule, "from"))
            if not given or not all(set(mapping(sender)) == {"podSelector"} for sender in given):
                return None
        found = found or _named(body)
    return found


# RP02


@partial(
    Rule,
    code="RP02",
    title="The command of an exposed container does not listen on loopback only",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=exposed,
    hop=HopName.POD,
    why="A process that listens on 127.0.0.1 or localhost accepts connections of its own pod only. Envoy connects to "
    "the pod's address, the connection is refused, and Envoy returns 503. Development servers such as uvicorn, "
    "`flask run` and `manage.py runserver` listen on 127.0.0.1 if nothing else is given.",
    remedy="Let the command listen on 0.0.0.0.",
    references=("https://kubernetes.io/docs/concepts/workloads/pods/#pod-networking",),
    bad=_POD.replace("image: web", 'image: web, command: [python, -m, http.server, "8080", --bind, 127.0.0.1]')
    + _ROUTED,
    good=_POD.replace("image: web", 'image: web, command: [python, -m, http.server, "8080", --bind, 0.0.0.0]')
    + _ROUTED,
)
def reachable(subject: Exposed, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    pod = subject.pod
    lasting = [container for container in pod.containers if container.lasting]
    for container in lasting:
        given = loopback(container)
        if not given or not (len(lasting) == 1 or _is_target(container, pod, inventory)):
            continue
        key = "args" if container.body.get("args") else "command"
        yield Breach(
            f"{container.pointer}/{key}",
            f"container {container.name} listens on {given}, so connections of {subject.by} are refused.",
            evidence=given,
        )


def _is_target(container: PodContainer, pod: Pod, inventory: Inventory) -> bool:
    """Whether a Service or a hostPort leads to a port of a container."""
    own = {server(container).port, *(port.container_port for port in container.ports)}
    services = (service for alike in inventory.services_of(pod) for service in alike)
    aimed = {target for service in services for target in _targets(service, pod)}
    return bool(own & aimed) or any(port.host_port for port in container.ports)


# RP03


@partial(
    Rule,
    code="RP03",
    title="A route leads to a workload that can have a pod",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=exposed,
    hop=HopName.ENDPOINT,
    why="A workload with 0 replicas, or whose pods no declared node can run, has no endpoints: Envoy returns 503. The "
    "rule does not apply if an autoscaler is declared for the workload, or if a Service has other pods.",
    remedy="Set `spec.replicas` to 1 or more, and nodeSelector to labels of a declared node.",
    references=("https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#replicas",),
    bad=_POD.replace("spec:\n  selector", "spec:\n  replicas: 0\n  selector") + _ROUTED,
    good=_POD.replace("spec:\n  selector", "spec:\n  replicas: 1\n  selector") + _ROUTED,
)
def runs(subject: Exposed, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    pod = subject.pod
    beside = [other for alike in inventory.services_of(pod) for other in inventory.pods_of(alike[0])]
    if any(not _scaled_to_zero(other, inventory) and not _unplaced(other, inventory) for other in beside or [pod]):
        return
    if _scaled_to_zero(pod, inventory):
        yield Breach("/spec/replicas", f"{subject.by} leads to the workload, which has 0 replicas.", absence=True)
    elif (reason := _unplaced(pod, inventory)) and not pod.host_ports:
        path = f"{pod.pointer}/{'nodeSelector' if at(pod.spec, 'nodeSelector') else 'affinity'}"
        yield Breach(path, f"no node of the declared cluster can run the pod: {reason}.", absence=True)


def _scaled_to_zero(pod: Pod, inventory: Inventory) -> bool:
    kind, body = pod.resource.kind, pod.resource.body
    if kind not in ("Deployment", "ReplicaSet", "ReplicationController", "Rollout", "StatefulSet"):
        return False
    declared = at(body, "spec", "replicas")
    return declared is not None and number(declared) == 0 and str(pod.resource) not in inventory.once(_autoscaled)


def _autoscaled(inventory: Inventory) -> frozenset[str]:
    """The workloads that a declared autoscaler scales."""
    return frozenset(
        label(text(at(reference, "kind")) or "Deployment", resource.namespace, text(at(reference, "name")) or "")
        for resource in inventory.of_kind("HorizontalPodAutoscaler", "ScaledObject", "HTTPScaledObject")
        if (reference := at(resource.body, "spec", "scaleTargetRef"))
    )


def _unplaced(pod: Pod, inventory: Inventory) -> str:
    """Why no declared node can run a pod, as a clause; "" if one can, or if no cluster is declared."""
    if not (at(pod.spec, "nodeSelector") or at(pod.spec, "affinity") or at(pod.spec, "nodeName")):
        return ""
    reasons = [node.refuses(pod) for _, node in nodes(inventory)]
    return (reasons[-1] or "") if reasons and all(reasons) else ""


# RP04


class Given(Section):
    """Parameters of RP04.

    given: objects that exist outside the stack, as patterns Kind/namespace/name.
    """

    given: tuple[str, ...] = ("ConfigMap/*/kube-root-ca.crt", "ConfigMap/*/openshift-service-ca.crt")


@partial(
    Rule,
    code="RP04",
    title="The ConfigMaps, Secrets and volume claims of an exposed pod exist",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=exposed,
    hop=HopName.POD,
    parameters=Given,
    why="The kubelet does not start a container whose ConfigMap, Secret or key does not exist, and the scheduler does "
    "not place a pod whose PersistentVolumeClaim does not exist. The pod never becomes ready, and Envoy returns 503.",
    remedy="Declare the object, correct its name, set `optional: true`, or add the object to the parameter `given` of "
    "RP04 if it exists outside the stack.",
    references=("https://kubernetes.io/docs/tasks/configure-pod-container/configure-pod-configmap/",),
    bad=_POD.replace("image: web", "image: web, envFrom: [{configMapRef: {name: settings}}]") + _ROUTED,
    good=_POD.replace("image: web", "image: web, envFrom: [{configMapRef: {name: settings}}]")
    + _ROUTED
    + "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: apps}, data: {key: value}}",
)
def complete(subject: Exposed, inventory: Inventory, parameters: Given) -> Iterator[Breach]:
    seen: set[str] = set()
    namespace = home(subject.resource)
    for kind, reference, key, path in _references(subject.pod):
        name = text(at(reference, "name")) or text(at(reference, "secretName")) or text(at(reference, "claimName"))
        if not name or flag(at(reference, "optional")):
            continue
        shown = label(kind, namespace, name)
        if any(matches(pattern, shown) for pattern in parameters.given) or shown in seen:
            continue
        found = inventory.find(kind, namespace, name)
        if found is None:
            if kind == "Secret" and (namespace, name) in inventory.once(made_secrets):
                continue
            if (kind, name) in inventory.once(generated):
                continue
            if (kind, namespace, _RANDOM.sub("", name)) in inventory.once(_named_by_pulumi):
                continue
            seen.add(shown)
            yield Breach(
                path, f"{kind} {name} {inventory.lacks} in namespace {namespace}.", absence=True, evidence=name
            )
        elif key and (keys := _keys(found)) and key not in keys:
            yield Breach(path, f"{found} has no key {key}.", evidence=key)


_RANDOM = re.compile(r"-[0-9a-f]{8}$")


def _named_by_pulumi(inventory: Inventory) -> frozenset[tuple[str, str | None, str]]:
    """Objects whose names Pulumi ends at random: kind, namespace, and the name without that ending.

    A preview that replaces such an object shows it by its old name, and what refers to it by the new one.
    """
    return frozenset(
        (kind, home(resource), _RANDOM.sub("", text(at(resource.body, "metadata", "name")) or ""))
        for kind in ("ConfigMap", "Secret")
        for resource in inventory.of_kind(kind)
        if at(resource.body, "metadata", "annotations", "pulumi.com/autonamed") == "true"
    )


def _keys(resource: Resource) -> frozenset[str]:
    """The keys of a ConfigMap or Secret."""
    return frozenset(chain(*(mapping(resource.body.get(part)) for part in ("data", "binaryData", "stringData"))))


_SOURCES = (("ConfigMap", "configMap"), ("Secret", "secret"))
_Reference = tuple[str, JSON, str, str]


def _references(pod: Pod) -> Iterator[_Reference]:
    """The objects that a pod requires to start: kind, reference, key and JSON pointer."""
    for container in pod.containers:
        for i, entry in enumerate(sequence(container.body.get("envFrom"))):
            for kind, key in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
                yield kind, at(entry, key), "", f"{container.pointer}/envFrom/{i}/{key}/name"
        for i, entry in enumerate(sequence(container.body.get("env"))):
            for kind, key in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
                reference = at(entry, "valueFrom", key)
                path = f"{container.pointer}/env/{i}/valueFrom/{key}/name"
                yield kind, reference, text(at(reference, "key")) or "", path
    yield from _volumes(pod)


def _volumes(pod: Pod) -> Iterator[_Reference]:
    for i, volume in enumerate(sequence(at(pod.spec, "volumes"))):
        base = f"{pod.pointer}/volumes/{i}"
        yield from _mounted("ConfigMap", at(volume, "configMap"), f"{base}/configMap", "name")
        yield from _mounted("Secret", at(volume, "secret"), f"{base}/secret", "secretName")
        claim = at(volume, "persistentVolumeClaim")
        yield "PersistentVolumeClaim", claim, "", f"{base}/persistentVolumeClaim/claimName"
        for j, source in enumerate(sequence(at(volume, "projected", "sources"))):
            for kind, key in _SOURCES:
                yield from _mounted(kind, at(source, key), f"{base}/projected/sources/{j}/{key}", "name")


def _mounted(kind: str, source: JSON, base: str, name: str) -> Iterator[_Reference]:
    """A ConfigMap or Secret of a volume, and the keys of it that the volume requires."""
    yield kind, source, "", f"{base}/{name}"
    for index, item in enumerate(sequence(at(source, "items"))):
        yield kind, source, text(at(item, "key")) or "", f"{base}/items/{index}/key"


# RP05


def _entrances(inventory: Inventory) -> Iterator[DeclaredIngress | Resource]:
    return chain(inventory.ingresses, inventory.of_kind("HTTPProxy"))


@partial(
    Rule,
    code="RP05",
    title="Contour watches the namespace of a route",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=_entrances,
    of_contour=True,
    hop=HopName.ROUTE,
    why="With --watch-namespaces, Contour reads no object of any other namespace, and with --root-namespaces it marks "
    "an HTTPProxy with a virtualhost elsewhere as invalid. The client receives 404.",
    remedy="Add the namespace to the flag of Contour, or move the route.",
    references=(_CONTOUR + "configuration/",),
    bad=_POD + _ROUTED + _CONTROLLER.replace("--incluster", "--incluster, --watch-namespaces=shop"),
    good=_POD + _ROUTED + _CONTROLLER.replace("--incluster", '--incluster, "--watch-namespaces=shop,apps"'),
)
def watches(subject: DeclaredIngress | Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    found = inventory.once(contours)
    if not any(contour.namespaces or contour.roots for contour in found) or owner_of(subject, inventory):
        return
    namespace = home(subject.resource)
    if not watched(namespace, found):
        shown = ", ".join(dict.fromkeys(name for contour in found for name in contour.namespaces))
        yield Breach("/metadata/namespace", f"Contour watches only {shown}, and the route is in {namespace}.")
    elif isinstance(subject, Resource) and virtual_host(subject) is not None:
        roots = {name for contour in found for name in contour.roots}
        if all(contour.roots for contour in found) and namespace not in roots:
            message = f"Contour accepts a virtualhost only in {', '.join(sorted(roots))}, and the HTTPProxy is in"
            yield Breach("/spec/virtualhost", f"{message} {namespace}.")


# RP06


@partial(
    Rule,
    code="RP06",
    title="The hostPort of Envoy leads to a port on which Envoy listens",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=pods,
    hop=HopName.HOST_PORT,
    why="Contour configures the ports on which Envoy listens: 8080 and 8443, or those of --envoy-service-http-port and "
    "--envoy-service-https-port. A hostPort whose containerPort is another port leads to a port that nobody opens, and "
    "the connection is refused.",
    remedy="Set containerPort of Envoy and the flag of Contour to the same port.",
    references=(_CONTOUR + "configuration/",),
    bad=_POD + _ROUTED + _CONTROLLER.replace("--incluster", "--incluster, --envoy-service-http-port=80"),
    good=_POD + _ROUTED + _CONTROLLER.replace("--incluster", "--incluster, --envoy-service-http-port=8080"),
)
def listens(pod: Pod, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    if not pod.host_ports:
        return
    if not serves(pod):
        if may_serve(pod):
            raise Undecidable
        return
    if pod.resource.nowhere or any(contour.workload.nowhere for contour in inventory.once(contours)):
        raise Undecidable
    # A base and its overlay declare the same Contour.
    here = {str(c.workload): c for c in inventory.once(contours) if c.workload.namespace == pod.resource.namespace}
    if len(here) != 1:
        return
    (contour,) = here.values()
    for port in pod.host_ports:
        scheme = {"http": "http", "https": "https"}.get(port.name or "") or {80: "http", 443: "https"}.get(
            port.host_port or 0
        )
        if scheme is None or port.protocol != "TCP" or not port.container_port:
            continue
        listening, bound = contour.ports[scheme], address(contour.addresses[scheme])
        if port.container_port != listening:
            yield Breach(
                f"{port.pointer}/containerPort",
                f"hostPort {port.host_port} leads to port {port.container_port}, but {contour.workload} lets Envoy "
                f"listen for {scheme} on port {listening}.",
            )
        elif bound and bound.is_loopback:
            yield Breach(
                f"{port.pointer}/containerPort",
                f"hostPort {port.host_port} leads to port {port.container_port}, but {contour.workload} lets Envoy "
                f"listen for {scheme} on {bound} only.",
                remedy=f"Remove the flag --envoy-service-{scheme}-address of Contour.",
            )


# RP07


def _annotated(inventory: Inventory) -> Iterator[DeclaredIngress | DeclaredService | Resource]:
    return chain(inventory.ingresses, inventory.services, inventory.of_kind("HTTPProxy"))


@partial(
    Rule,
    code="RP07",
    title="Contour reads the annotations of a route",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    scope=Scope.STACK,
    of=_annotated,
    of_contour=True,
    hop=HopName.ROUTE,
    yields_to=("IN16",),
    why="Contour ignores annotations of other controllers and annotations that it no longer has, and a value that it "
    "cannot parse, without an error. The route works differently from what the annotation describes. The rule does not "
    "apply to objects of another controller's class.",
    remedy="Write what Contour reads instead.",
    references=(_CONTOUR + "config/annotations/",),
    bad=_POD
    + _ROUTED.replace(
        "kind: Ingress\nmetadata: {name: web, namespace: apps}",
        "kind: Ingress\nmetadata: {name: web, namespace: apps, "
        "annotations: {nginx.ingress.kubernetes.io/proxy-read-timeout: '60'}}",
    ),
    good=_POD
    + _ROUTED.replace(
        "kind: Ingress\nmetadata: {name: web, namespace: apps}",
        "kind: Ingress\nmetadata: {name: web, namespace: apps, annotations: {projectcontour.io/response-timeout: 60s}}",
    ),
)
def read_annotations(
    subject: DeclaredIngress | DeclaredService | Resource, inventory: Inventory, _: NoParameters
) -> Iterator[Breach]:
    resource = subject.resource
    given = at(resource.body, "metadata", "annotations")
    if given is None:
        return
    annotations = pairs(given)
    if isinstance(subject, DeclaredService):
        if (resource.namespace, resource.name) not in inventory.once(_contours_services):
            return
    elif annotations and owner_of(subject, inventory):
        return
    for key, value in annotations.items():
        path = pointer("/metadata/annotations", key)
        instead = contour_annotations.unread(resource.kind, key)
        if instead:
            yield Breach(path, f"Contour does not read the annotation {key}.", remedy=instead)
            continue
        form = contour_annotations.expected(resource.kind, key, value)
        problem = f"{value!r} is not {form}" if form else _pointless(subject, key, value)
        if problem:
            remedy = f"Set the annotation to {form}." if form else "Correct the value of the annotation."
            message = f"Contour cannot use the annotation {key}: {problem}."
            yield Breach(path, message, remedy=remedy, evidence=value)


def _contours_services(inventory: Inventory) -> frozenset[tuple[str | None, str]]:
    """The Services to which a route of Contour leads."""
    foreign = inventory.once(others)
    return frozenset(
        key
        for key, resource in inventory.once(routed).items()
        if text(at(resource.body, "spec", "ingressClassName")) not in foreign
        and resource not in inventory.once(ingresses_of_others)
    )


def _pointless(subject: DeclaredIngress | DeclaredService | Resource, key: str, value: str) -> str:
    """Why a well-formed value has no effect, as a clause; "" if it has one."""
    name = key.partition("/")[2]
    parts = [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(subject, DeclaredIngress) and name == "websocket-routes":
        paths = {path.path or "/" for rule in subject.rules for path in rule.paths}
        missing = [part for part in parts if part not in paths]
        return f"the Ingress has no path {missing[0]}" if missing else ""
    if isinstance(subject, DeclaredService) and name.startswith("upstream-protocol."):
        known = {str(port.port) for port in subject.ports} | {port.name for port in subject.ports}
        missing = [part for part in parts if part not in known]
        return f"the Service has no port {missing[0]}" if missing else ""
    return ""


# RP08


@partial(
    Rule,
    code="RP08",
    title="A kind node uses an image that was loaded into it",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    scope=Scope.STACK,
    of=exposed,
    hop=HopName.POD,
    why="`kind load docker-image` copies an image into the nodes. With imagePullPolicy Always, the default for the tag "
    "latest, the kubelet asks the registry all the same and never uses the copy: a local image without a registry is "
    "not found. The rule applies to images without a registry and a path.",
    remedy="Give the image another tag, or set imagePullPolicy to IfNotPresent.",
    references=("https://kind.sigs.k8s.io/docs/user/quick-start/#loading-an-image-into-your-cluster",),
    bad=_POD.replace("image: web", 'image: "web:latest", imagePullPolicy: Always') + _ROUTED,
    good=_POD.replace("image: web", 'image: "web:latest", imagePullPolicy: IfNotPresent') + _ROUTED,
)
def loaded(subject: Exposed, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    for container in subject.pod.containers:
        image = text(container.body.get("image"))
        policy = text(container.body.get("imagePullPolicy"))
        if not image or "/" in image or "@" in image:
            continue
        latest = image.partition(":")[2] in ("", "latest")
        always = policy == "Always" or (policy is None and bool(inventory.once(clusters)))
        if latest and always:
            given = "imagePullPolicy is Always" if policy else "imagePullPolicy defaults to Always"
            yield Breach(
                f"{container.pointer}/imagePullPolicy",
                f"container {container.name} has image {image}, and {given}, so a loaded image is not used.",
                evidence=image,
            )

"""EX04 to EX07: what separates an exposed pod from the rest of the cluster."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from typing import Any

from pydantic import Field

from hops.kubernetes.controller.classes import ingresses_of_others
from hops.kubernetes.controller.contour import envoys, operated_namespace
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.policies.network_policies import (
    Connection,
    Peer,
    declared_peer,
    declared_policies,
    limits_senders,
    pod_selector,
    senders,
)
from hops.kubernetes.policies.policy_order import ruling
from hops.kubernetes.resources.pods import Pod, PodContainer
from hops.kubernetes.resources.resource import Resource, content
from hops.kubernetes.resources.services import DeclaredService, ServicePort
from hops.kubernetes.routing.exposed import OUTSIDE, Exposed, Exposure, exposed, routes
from hops.kubernetes.routing.gateways import by_contour
from hops.kubernetes.routing.targets import GATEWAY_ROUTES
from hops.kubernetes.values import (
    JSON,
    Undecidable,
    at,
    flag,
    mapping,
    number,
    pairs,
    sequence,
    text,
    texts,
)
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.model.settings.setting_types import Label, Section
from hops.model.settings.setting_types import Port as PortNumber
from hops.rules.families.exposure.served_files import exposed_pod
from hops.rules.families.host_ports import Controllers, closed
from hops.rules.families.request_path.policies_on_path import blocked
from hops.rules.rule import Breach, NoParameters, Rule, Scope, kinds

_POLICIES = "https://kubernetes.io/docs/concepts/services-networking/network-policies/"
_PSS = "https://kubernetes.io/docs/concepts/security/pod-security-standards/"


@partial(
    Rule,
    code="EX04",
    title="An exposed pod is not root and has a read-only file system",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    scope=Scope.STACK,
    of=exposed,
    hop=HopName.POD,
    remediable=True,
    why="An attacker who takes over a process has its permissions. A process that is not root and cannot write its "
    "file system leaves nothing behind.",
    remedy="Set runAsNonRoot to true, runAsUser to a value other than 0 and readOnlyRootFilesystem to true; mount an "
    "emptyDir where the process writes.",
    references=(_PSS,),
    bad=exposed_pod("automountServiceAccountToken: false", "securityContext: {readOnlyRootFilesystem: true}"),
    good=exposed_pod(
        "securityContext: {runAsNonRoot: true, runAsUser: 65534}", "securityContext: {readOnlyRootFilesystem: true}"
    ),
)
def unprivileged(subject: Exposed, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    for container in subject.pod.containers:
        if not container.lasting:
            continue
        given = container.body.get("securityContext")
        own, whole = mapping(given), mapping(at(subject.pod.spec, "securityContext"))
        root = _root(own, whole)
        writable = not flag(own.get("readOnlyRootFilesystem"))
        if root or writable:
            what = " and ".join([root] * bool(root) + ["has a writable root file system"] * writable)
            mended: dict[str, Any] = {"runAsNonRoot": True, "runAsUser": _NOBODY} if root else {}
            mended |= {"readOnlyRootFilesystem": True} if writable else {}
            path = f"{container.pointer}/securityContext"
            yield Breach(
                f"{path}/{next(iter(mended))}",
                f"{subject.by} exposes container {container.name}, which {what}.",
                ()
                if root and _needs_root(container)
                else tuple({"op": "add", "path": f"{path}/{key}", "value": value} for key, value in mended.items())
                if isinstance(given, dict)
                else ({"op": "add", "path": path, "value": mended},),
            )


_NOBODY = 65534


def _root(own: Mapping[str, JSON], whole: Mapping[str, JSON]) -> str:
    """Whether a container is root, as a predicate for a message; empty if it is not."""
    user, other = own.get("runAsUser"), own.get("runAsNonRoot")
    user, other = (
        whole.get("runAsUser") if user is None else user,
        whole.get("runAsNonRoot") if other is None else other,
    )
    if number(user) is not None:
        return "is root" if number(user) == 0 else ""
    # With runAsNonRoot the kubelet refuses an image whose user is root.
    return "" if flag(other) else "is root unless its image sets another user"


def _needs_root(container: PodContainer) -> bool:
    return any(port.container_port and port.container_port < 1024 for port in container.ports)


class Admission(Controllers):
    """Parameters of EX05.

    controllers: the workloads that the rule skips, as in HP02: they accept requests from everywhere.
    namespaces: names of namespaces whose pods may connect to exposed pods, in addition to the declared Contour's.
    labels: labels, as key=value, that also identify such a namespace in a namespaceSelector.
    """

    namespaces: tuple[Label, ...] = ("projectcontour",)
    labels: tuple[str, ...] = Field((), examples=[["app=web"]])


def _policy(sender: str) -> str:
    return f"""---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: web, namespace: apps}}
spec:
  podSelector: {{matchLabels: {{app: web}}}}
  policyTypes: [Ingress]
  ingress: [{{from: [{{namespaceSelector: {sender}}}]}}]
"""


@partial(
    Rule,
    code="EX05",
    title="An exposed pod admits only the ingress controller",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    scope=Scope.STACK,
    of=exposed,
    hop=HopName.ENDPOINT,
    parameters=Admission,
    why="Without a NetworkPolicy, every pod of the cluster can connect to the pod and bypass the rules of the "
    "Ingress. The NetworkPolicies of a pod are additive: one that admits every sender cancels the others. Senders in "
    "the pod's own namespace are always allowed by this rule.",
    remedy="Add a NetworkPolicy that admits only the namespaces of the parameter `namespaces`, by the label "
    "kubernetes.io/metadata.name.",
    references=(_POLICIES,),
    bad=exposed_pod("automountServiceAccountToken: false", "ports: [{containerPort: 8080}]") + _policy("{}"),
    good=exposed_pod("automountServiceAccountToken: false", "ports: [{containerPort: 8080}]")
    + _policy("{matchLabels: {kubernetes.io/metadata.name: projectcontour}}"),
)
def admits_the_controller(subject: Exposed, inventory: Inventory, parameters: Admission) -> Iterator[Breach]:
    if parameters.mean(subject.pod):
        return
    index = inventory.once(_Policies)
    if subject.resource.nowhere or index.unsure & {None, subject.resource.namespace}:
        raise Undecidable
    groups = index.of.get(subject.pod, ())
    if not groups and not _kept_by_calico(subject.pod, inventory):
        yield Breach(
            "",
            f"{subject.by} exposes the pod, and no NetworkPolicy selects it: every pod of the cluster can connect.",
            absence=True,
        )
    wide = chain.from_iterable(index.wide(group, parameters, inventory) for group in groups)
    if subject.by in inventory.once(_others):
        # The namespace of another controller is not known.
        for policy, number_ in wide:
            if not list(senders(policy.body))[number_]:
                yield Breach(
                    "",
                    f"{subject.by} exposes the pod, and {policy} admits every sender.",
                    remedy="Admit only the namespace of the Ingress's controller, by the label "
                    "kubernetes.io/metadata.name.",
                )
                return
        return
    others = f"senders other than namespace {', '.join(parameters.namespaces) or subject.resource.namespace}"
    for policy, number_ in islice(wide, _MOST_POLICIES):
        if str(policy) in inventory.once(blocked).first:
            # RP01 reports that it does not admit the controller.
            continue
        yield Breach(
            "",
            f"{subject.by} exposes the pod, and {policy} admits {others}.",
            _admitting(number_, parameters),
            patches=policy,
        )
    if next(wide, None):
        yield Breach("", f"{subject.by} exposes the pod, and more NetworkPolicies admit {others}.")


def _others(inventory: Inventory) -> frozenset[str]:
    """The Ingresses of other controllers than Contour, as nouns."""
    return frozenset(map(str, inventory.once(ingresses_of_others)))


_MOST_POLICIES = 20
"""Rules of NetworkPolicies that the findings of one pod name: their number is that of pods times policies."""


def _admitting(rule: int, parameters: Admission) -> tuple[Mapping[str, Any], ...]:
    senders = [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}} for name in parameters.namespaces
    ]
    return ({"op": "add", "path": f"/spec/ingress/{rule}/from", "value": senders},) if senders else ()


def _kept_by_calico(pod: Pod, inventory: Inventory) -> bool:
    """Whether Calico's own policies keep an arbitrary pod of another namespace out, or may do so."""
    declared = declared_policies(inventory, pod.resource.namespace)
    policies = [body for body in declared if "projectcalico.org/" in str(body.get("apiVersion"))]
    if not policies:
        return False
    stranger = Peer("other", {}, {"kubernetes.io/metadata.name": "other"}, "default", None, {})
    port = next((p.container_port for c in pod.containers for p in c.ports if p.container_port), 8080)
    return ruling(policies, "Ingress", Connection(stranger, declared_peer(pod, inventory), port)).allowed is not True


def _controllers_home(inventory: Inventory) -> frozenset[str | None]:
    """The namespaces of the Envoys that are declared, that a stack uses, and that an operator of Contour makes."""
    existing = inventory.settings.contour.namespace if inventory.settings else None
    found = {*(pod.resource.namespace for pod in inventory.once(envoys)), *filter(None, [existing])}
    found |= {namespace for one in inventory.of_kind("Contour") if (namespace := operated_namespace(one))}
    if not inventory.once(envoys):
        # The Gateway provisioner runs the Envoys of a Gateway in its namespace.
        found |= {one.namespace for one in inventory.of_kind("Gateway") if by_contour(one, inventory)}
    return frozenset(found)


def _within(sender: JSON, parameters: Admission, inventory: Inventory) -> bool:
    """Whether a sender is a pod of the namespace itself, or of one that may send."""
    admitted = {*parameters.namespaces, *inventory.once(_controllers_home)}
    namespaces = at(sender, "namespaceSelector")
    if namespaces is None:
        return "podSelector" in mapping(sender)
    labels = pairs(at(namespaces, "matchLabels"))
    if any(
        value in admitted if key == "kubernetes.io/metadata.name" else f"{key}={value}" in parameters.labels
        for key, value in labels.items()
    ):
        return True
    for expression in sequence(at(namespaces, "matchExpressions")):
        values = texts(at(expression, "values"))
        if text(at(expression, "key")) == "kubernetes.io/metadata.name" and text(at(expression, "operator")) == "In":
            return all(value in admitted for value in values)
    return False


class _Policies:
    """The NetworkPolicies that limit who sends to a pod.

    of: groups of policies with the same selector, by pod.
    unsure: namespaces, None for all, with unknown policies.
    """

    def __init__(self, inventory: Inventory) -> None:
        self.of: dict[Pod, list[Sequence[Resource]]] = defaultdict(list)
        self.unsure: set[str | None] = set()
        self._wide: dict[tuple[int, int], Sequence[tuple[Resource, int]]] = {}
        groups: dict[tuple[str | None, str], list[Resource]] = defaultdict(list)
        for policy in inventory.of_kind("NetworkPolicy"):
            try:
                if _limits(policy):
                    groups[policy.namespace, content(pod_selector(policy.body))].append(policy)
            except Undecidable:
                self.unsure.add(None if policy.nowhere else policy.namespace)
        for policies in groups.values():
            try:
                for pod in inventory.pods_that(policies[0].namespace, pod_selector(policies[0].body)):
                    self.of[pod].append(policies)
            except Undecidable:
                self.unsure.add(policies[0].namespace)

    def wide(
        self, policies: Sequence[Resource], parameters: Admission, inventory: Inventory
    ) -> Sequence[tuple[Resource, int]]:
        """The rules of a group that admit other senders, each by its policy and index; judged once."""
        key = id(policies), id(parameters)
        if key not in self._wide:
            self._wide[key] = [
                (policy, number_)
                for policy in policies
                for number_, admitted in enumerate(senders(policy.body))
                if not admitted or not all(_within(sender, parameters, inventory) for sender in admitted)
            ]
        return self._wide[key]


def _limits(policy: Resource) -> bool:
    """Whether a policy limits who sends. Raises Undecidable."""
    if policy.nowhere:
        raise Undecidable
    return limits_senders(policy.body)


class Inner(Section):
    """Parameters of EX06.

    ports: numbers of ports for administration, debugging or metrics.
    names: words between hyphens in the name of such a port.
    """

    # Docker, JDWP, pprof, Contour's xDS, Envoy's metrics and admin, Node's inspector, Envoy's admin in a mesh.
    ports: tuple[PortNumber, ...] = (2375, 2376, 5005, 6060, 8001, 8002, 9001, 9229, 15000, 19000)
    names: tuple[str, ...] = ("admin", "debug", "metrics", "pprof", "xds")

    def means(self, port: int | None, *names: str | None) -> bool:
        return port in self.ports or any(part in self.names for name in names if name for part in name.split("-"))


def _ways(inventory: Inventory) -> Iterable[Exposure | DeclaredService | Pod]:
    return chain(inventory.once(routes), inventory.services, inventory.pods)


@partial(
    Rule,
    code="EX06",
    title="No administration or metrics port is exposed",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.STACK,
    of=_ways,
    hop=HopName.ROUTE,
    parameters=Inner,
    why="These ports require no password: Envoy's admin interface can stop Envoy, a debugger runs any code, and "
    "metrics reveal internal details.",
    remedy="Route to the port that serves requests, and use `kubectl port-forward` for the others.",
    references=("https://www.envoyproxy.io/docs/envoy/latest/operations/admin",),
    bad=exposed_pod("", "ports: [{containerPort: 9001}]").replace("{port: 8080}", "{port: 8080, targetPort: 9001}"),
    good=exposed_pod("", "ports: [{containerPort: 8080}, {containerPort: 9001}]"),
)
def inner_port(subject: Exposure | DeclaredService | Pod, inventory: Inventory, parameters: Inner) -> Iterator[Breach]:
    if isinstance(subject, Exposure):
        yield from _routed_inside(subject, inventory, parameters)
    elif isinstance(subject, DeclaredService):
        for port in subject.ports if subject.type in OUTSIDE else ():
            if _is_inner(subject, port, inventory, parameters):
                yield Breach(port.pointer, f"a Service of type {subject.type} exposes {_shown(port)}.")
    elif subject.host_ports:
        for taken in subject.host_ports:
            if parameters.means(taken.container_port, taken.name):
                yield Breach(
                    f"{taken.pointer}/hostPort",
                    f"hostPort {taken.host_port} exposes port {taken.container_port} of container {taken.container}.",
                    closed(taken),
                    remedy="Remove hostPort, and use `kubectl port-forward`.",
                )


def _routed_inside(route: Exposure, inventory: Inventory, parameters: Inner) -> Iterator[Breach]:
    if not route.service or not route.namespace or not route.port:
        return
    service = inventory.service(route.namespace, route.service)
    for port in service.ports if service else ():
        if service and (port.name if isinstance(route.port, str) else port.port) == route.port:
            if _is_inner(service, port, inventory, parameters):
                yield Breach(route.pointer, f"a route forwards to {_shown(port)} of {service.resource}.")
            return


def _shown(port: ServicePort) -> str:
    return f"port {port.target_port or port.port}" + (f" ({port.name})" if port.name else "")


def _is_inner(service: DeclaredService, port: ServicePort, inventory: Inventory, parameters: Inner) -> bool:
    target = port.target_port or port.port
    if not isinstance(target, str):
        return parameters.means(target, port.name)
    return parameters.means(None, target, port.name) or any(
        map(parameters.means, inventory.once(_NamedPorts).of(inventory.pods_of(service), target))
    )


_LISTED = 10
"""Maximum number of other objects that a message of EX07 names."""
_PATH_KINDS = (
    *("CronJob", "DaemonSet", "Deployment", "DeploymentConfig", "Job", "Pod", "ReplicaSet"),
    *("ReplicationController", "Rollout", "StatefulSet", "Service", "Ingress", "HTTPProxy", "Gateway"),
    *GATEWAY_ROUTES,
)


class _NamedPorts:
    """The numbers that a port's name has in the pods of a selection, each question answered once."""

    def __init__(self, _: Inventory) -> None:
        self._of: dict[tuple[int, str], frozenset[int | None]] = {}

    def of(self, selected: Sequence[Pod], name: str) -> frozenset[int | None]:
        """The numbers. selected: a sequence of the inventory."""
        key = id(selected), name
        if key not in self._of:
            self._of[key] = frozenset(
                p.container_port
                for pod in selected
                for container in pod.containers
                if container.lasting
                for p in container.ports
                if p.name == name
            )
        return self._of[key]


class Home(Section):
    """Parameters of EX07.

    namespace: the namespace that a patch uses instead of `default`.
    """

    namespace: Label = "apps"


@partial(
    Rule,
    code="EX07",
    title="No object of the request path is in the namespace default",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    scope=Scope.STACK,
    of=kinds(*_PATH_KINDS),
    parameters=Home,
    why="Objects without a namespace are created in `default`. A policy, quota or permission for `default` applies to "
    "all of them, and the namespace cannot be deleted.",
    remedy="Set metadata.namespace of all objects of the application to a namespace of their own.",
    references=("https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/",),
    bad="{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: web, image: web}]}}",
    good="{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: apps}, "
    "spec: {containers: [{name: web, image: web}]}}",
)
def own_namespace(resource: Resource, inventory: Inventory, parameters: Home) -> Iterator[Breach]:
    if resource.namespace != "default":
        return
    if resource.nowhere:
        raise Undecidable
    here = inventory.once(_in_default)
    if not here or resource is not here[0]:
        return
    others = sorted({str(other) for other in here} - {str(resource)})
    # Objects that refer to each other by name have to move together.
    alone = sum(r.namespace == "default" for r in inventory.resources) == 1
    listed = ", ".join(others[:_LISTED]) + (f" and {len(others) - _LISTED} more" * (len(others) > _LISTED))
    yield Breach(
        "/metadata/namespace",
        f"the object is in the namespace default, as {'is' if len(others) == 1 else 'are'} {listed}."
        if others
        else "the object is in the namespace default.",
        ({"op": "add", "path": "/metadata/namespace", "value": parameters.namespace},)
        if alone and resource.holds("/metadata")
        else (),
    )


def _in_default(inventory: Inventory) -> Sequence[Resource]:
    """The objects of the request path that are certainly in the namespace default."""
    # The API server's own Service is always there.
    return [
        resource
        for resource in inventory.of_kind(*_PATH_KINDS)
        if resource.namespace == "default"
        and not resource.nowhere
        and (resource.kind, resource.name) != ("Service", "kubernetes")
    ]

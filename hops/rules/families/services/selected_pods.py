"""SV01, SV06 and SV08: the pods that a Service selects."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.policies.label_selectors import selects
from hops.kubernetes.resources.pods import ADDED, Pod
from hops.kubernetes.resources.rollouts import strategy_services
from hops.kubernetes.resources.services import DeclaredService, service_of
from hops.kubernetes.values import Undecidable, at, pairs, text
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.rules.families.samples import SERVED_POD, service_example
from hops.rules.families.services.service_ports import SERVICES, all_known, jobs_beside_servers, lacking_pods
from hops.rules.rule import Breach, NoParameters, Rule, Scope, pods, services


@partial(
    Rule,
    code="SV01",
    title="A Service selects pods of the stack",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=services,
    hop=HopName.SERVICE,
    why="A Service whose selector matches no pod has no endpoints: Envoy returns 503, and nothing else reports an "
    "error. A pod matches if it has all labels of the selector and is in the Service's namespace, whichever workload "
    "creates it.",
    remedy="Set `spec.selector` of the Service to labels of the pod template.",
    references=(SERVICES,),
    bad=SERVED_POD + service_example("{selector: {app: webb}, ports: [{port: 80, targetPort: 8080}]}"),
    good=SERVED_POD + service_example("{selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}"),
)
def selects_pods(service: DeclaredService, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    if service.type == "ExternalName" or inventory.pods_of(service):
        return
    if service.selector:
        if ADDED.issuperset(service.selector):
            return
        labels = ", ".join(f"{key}={value}" for key, value in sorted(service.selector.items()))
        pod = "pod" if inventory.live else "declared pod"
        what = f"no {pod} in namespace {service.resource.namespace} has the labels {labels}."
    elif text(service.spec.get("clusterIP")) == "None" or _has_endpoints(service, inventory):
        # Somebody else fills in its endpoints.
        return
    else:
        what = "the Service has no selector, and no EndpointSlice or Endpoints object belongs to it."
    yield Breach("/spec/selector", what, _only_choice(service, inventory), absence=True)


def _has_endpoints(service: DeclaredService, inventory: Inventory) -> bool:
    namespace, name = service.resource.namespace, service.resource.name
    return (namespace, name) in inventory.once(_slices) or bool(inventory.find("Endpoints", namespace, name))


def _slices(inventory: Inventory) -> frozenset[tuple[str | None, str | None]]:
    """The Services that declared EndpointSlices belong to."""
    return frozenset((r.namespace, service_of(r.body)) for r in inventory.of_kind("EndpointSlice"))


def _only_choice(service: DeclaredService, inventory: Inventory) -> tuple[Mapping[str, Any], ...]:
    """The labels of the only workload of the namespace that no Service selects yet and that offers the ports."""
    free = inventory.once(_unselected).get(service.resource.namespace, ())
    if len(free) != 1 or not all_known([service.resource]) or any(any(lacking_pods(free, p)) for p in service.ports):
        return ()
    return ({"op": "add", "path": "/spec/selector", "value": dict(free[0].labels)},)


def _unselected(inventory: Inventory) -> Mapping[str | None, list[Pod]]:
    groups: dict[str | None, list[Pod]] = defaultdict(list)
    for pod in inventory.pods:
        if all_known([pod.resource]) and pod.labels and not any(inventory.services_of(pod)):
            groups[pod.resource.namespace].append(pod)
    return groups


@partial(
    Rule,
    code="SV06",
    title="A selector matches one workload, and equal Services have different selectors",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    scope=Scope.STACK,
    of=services,
    hop=HopName.ENDPOINT,
    why="If a selector matches several workloads, part of the requests reach the wrong one. Two Services with the "
    "same selector, type and ports are two names for the same thing, and a later change easily misses one of them. The "
    "Services of an Argo Rollout may be equal, because its controller completes their selectors.",
    remedy="Add a label to the selector that only one workload has, or remove one of the Services.",
    references=(SERVICES,),
    bad=SERVED_POD
    + service_example("{selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}")
    + service_example("{selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}", "web-too"),
    good=SERVED_POD
    + service_example("{selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}")
    + service_example("{clusterIP: None, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}", "web-pods"),
)
def one_workload(service: DeclaredService, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    if service.type == "ExternalName" or not service.selector:
        return
    selected = inventory.pods_of(service)
    named = any(isinstance(port.target, str) for port in service.ports)
    made = inventory.once(_Workloads).of(selected, jobs=named)
    if len(made) > 1:
        more = f" and {len(made) - _MOST_NAMED} more" if len(made) > _MOST_NAMED else ""
        workloads = ", ".join(made[:_MOST_NAMED])
        yield Breach("/spec/selector", f"the selector matches several workloads: {workloads}{more}.")
    if not _headless(service) and not _rolled_out(service, inventory):
        first = inventory.once(_first_of_selector).get(_key(service))
        if first and not first.resource.same_object(service.resource):
            yield Breach("/spec/selector", f"{first.resource} has the same selector, type and ports.")


_MOST_NAMED = 20


class _Workloads:
    """The workloads that make the pods of a selection, each selection asked once."""

    def __init__(self, _: Inventory) -> None:
        self._of: dict[tuple[int, bool], Sequence[str]] = {}

    def of(self, selected: Sequence[Pod], *, jobs: bool) -> Sequence[str]:
        """Their names, sorted.

        selected: a sequence of the inventory.
        jobs: whether Jobs beside servers count, too.
        """
        key = id(selected), jobs
        if key not in self._of:
            stray = () if jobs else jobs_beside_servers(selected)
            among = [pod for pod in selected if pod not in stray] if stray else selected
            # Pods that nothing makes are taken as the replicas of one workload.
            made = {str(pod.resource) if pod.resource.kind != "Pod" else "pods without a workload" for pod in among}
            self._of[key] = sorted(made)
        return self._of[key]


def _headless(service: DeclaredService) -> bool:
    """Whether it only gives names to pods, as a StatefulSet's does beside the Service that is asked."""
    return text(service.spec.get("clusterIP")) == "None"


def _rolled_out(service: DeclaredService, inventory: Inventory) -> bool:
    """Whether a Rollout of Argo names a Service and so changes its selector."""
    return (service.resource.namespace, service.resource.name) in inventory.once(_of_rollouts)


def _of_rollouts(inventory: Inventory) -> frozenset[tuple[str | None, str]]:
    return frozenset((one.namespace, name) for one in inventory.of_kind("Rollout") for name in strategy_services(one))


_Key = tuple[str | None, str, frozenset[tuple[str, str]], frozenset[tuple[int | None, int | str | None, str]]]


def _key(service: DeclaredService) -> _Key:
    if service.resource.nowhere:
        raise Undecidable
    ports = frozenset((port.port, port.target, port.protocol) for port in service.ports)
    return service.resource.namespace, service.type, frozenset(service.selector.items()), ports


def _first_of_selector(inventory: Inventory) -> Mapping[_Key, DeclaredService]:
    first: dict[_Key, DeclaredService] = {}
    for service in inventory.services:
        try:
            if service.type != "ExternalName" and service.selector and not _headless(service):
                first.setdefault(_key(service), service)
        except Undecidable:
            # The Service itself is reported as undecided.
            continue
    return first


@partial(
    Rule,
    code="SV08",
    title="A workload's selector matches its pod template",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.RESOURCE,
    of=pods,
    hop=HopName.POD,
    why="The API server rejects a workload whose selector does not match the labels of its template: its controller "
    "would create pods forever and recognize none of them. The selector of a workload that exists cannot be changed.",
    remedy="Set the same labels in the selector and in the pod template.",
    references=("https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#selector",),
    bad="""
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: apps}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: webb}}
    spec: {containers: [{name: web, image: web:1}]}
""",
    good="""
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: apps}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, tier: front}}
    spec: {containers: [{name: web, image: web:1}]}
""",
)
def own_pods(pod: Pod, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    if pod.resource.kind in ("Pod", "PodTemplate"):
        return
    base = pod.pointer.removesuffix("/template/spec")
    path = f"{base}/selector"
    selector = at(pod.resource.body, *path[1:].split("/"))
    if selector is None:
        return
    if pod.resource.kind in ("DeploymentConfig", "ReplicationController"):
        selector = {"matchLabels": selector}
    else:
        path += "/matchLabels"
    if selects(selector, pod.labels):
        return
    labels = pairs(at(selector, "matchLabels"))
    if selects({"matchLabels": labels}, pod.labels):
        path = f"{base}/selector/matchExpressions"
        yield Breach(path, "the template's labels do not match matchExpressions of the selector.")
        return
    shown = ", ".join(f"{key}={value}" for key, value in sorted(labels.items()))
    yield Breach(path, f"the template's labels lack {shown}.", _same_labels(pod, base, path, labels))


def _same_labels(pod: Pod, base: str, path: str, labels: Mapping[str, str]) -> tuple[Mapping[str, Any], ...]:
    """Lets the selector follow the template, which Services select by, or labels a template without such labels."""
    shared = {key: pod.labels[key] for key in labels if key in pod.labels}
    if shared:
        return ({"op": "replace", "path": path, "value": shared},)
    template = at(pod.resource.body, *base[1:].split("/"), "template")
    if not isinstance(template, dict):
        return ()
    if pod.resource.holds(f"{base}/template/metadata"):
        return ({"op": "add", "path": f"{base}/template/metadata/labels", "value": {**pod.labels, **labels}},)
    return ({"op": "add", "path": f"{base}/template/metadata", "value": {"labels": dict(labels)}},)

"""What can break: a node of the path that Kubernetes takes no pods on, or whose pods it takes out of service."""

import re
from collections.abc import Callable, Iterator, Mapping

from hops.kubernetes import objects
from hops.kubernetes.resources.kind_nodes import CONTROL_PLANE, tolerates
from hops.kubernetes.resources.pod_status import unscheduled
from hops.kubernetes.resources.pods import as_pod
from hops.kubernetes.values import JSON
from hops.model.finding import Finding
from hops.model.hop import HopName
from hops.trace.code import Code
from hops.trace.facts.envoy_drift import arrived, suffers
from hops.trace.facts.path_facts import PathFacts, container, identity
from hops.trace.facts.remedies import command, kubectl

T64 = Code(
    code="T64",
    hop=None,
    title="A node of the path is not ready",
    symptom="503 from Envoy (`no healthy upstream`) after about a minute, while the pods still answer direct requests.",
    cause="The kubelet of the node has stopped or cannot reach the API, or it reports that the node lacks something. "
    "Kubernetes then takes the node's pods out of service.",
    confirmed_by="The node's container runs, and its condition Ready is not True. A stopped container is T10, a node "
    "with another address T46.",
    remedy="Start the kubelet again. Its log shows why it stopped.",
    references=("https://kubernetes.io/docs/concepts/architecture/nodes/#node-status",),
    yields_to=("T46",),
)
T65 = Code(
    code="T65",
    hop=HopName.POD,
    title="Taints or cordoned nodes keep the pod Pending",
    symptom="503 from Envoy (`no healthy upstream`); the pod is Pending.",
    cause="No node can run the pod: the suitable nodes are cordoned, or have a taint that the pod does not "
    "tolerate. Kubernetes itself taints a node that lacks disk or memory.",
    confirmed_by="The scheduler's message names taints or unschedulable nodes, and a node has them. A pod that no "
    "node can run for another reason is T42, a node that is not ready T64.",
    remedy="Run `kubectl uncordon`, or remove the taint with `kubectl taint`, its name and a minus; or add a "
    "toleration to the pod.",
    references=("https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/",),
)

_OWN = "node.kubernetes.io/"
"""The taints that Kubernetes sets and removes itself."""
_SHORT = (f"{_OWN}disk-pressure", f"{_OWN}memory-pressure", f"{_OWN}pid-pressure")
_SILENT = "NodeStatusUnknown"
"""The reason of a node whose kubelet reports no more."""


def unready(view: PathFacts) -> Iterator[Finding]:
    """T64."""
    needed = {objects.node_of(pod) for pod in (*view.pods, *view.envoy_pods)} | {view.publishing}
    for item in view.of("Node"):
        name = objects.name(item)
        if name not in needed or objects.ready(item) is not False or view.down(name):
            continue
        found = objects.condition(item, "Ready")
        if found is None:
            continue
        reason, message = found.reason, " ".join(found.message.split())
        since = f", since {found.since}" if found.since else ""
        evidence = [f"{name}: Ready is {found.status}, {reason}: {message}{since}"]
        look = kubectl(view, "describe", "node", name)
        remedy = ""
        if name in view.node_containers:
            look = command("docker", "exec", name, "journalctl", "--unit", "kubelet", "--lines", 20, "--no-pager")
            remedy = command("docker", "exec", name, "systemctl", "restart", "kubelet") if reason == _SILENT else ""
        said = "its kubelet has stopped to report" if reason == _SILENT else f"{reason}: {message}"
        yield T64.finding(
            identity(item),
            f"The node {name} is not ready: {said}.",
            remedy,
            evidence,
            stops=not arrived(view),
            about=[container(name)],
            look=look,
        )


def kept_off(view: PathFacts) -> Iterator[Finding]:
    """T65."""
    if not suffers(view) or not view.sees("Node"):
        return
    for pod in view.pods:
        reason = unscheduled(pod)
        if reason is None or not re.search("untolerated taint|unschedulable", reason.message):
            continue
        found = [(node, *cause) for node in view.of("Node") for cause in _causes(view, node, pod)]
        if not found:
            continue
        node, what, remedy, look = found[0]
        evidence = [f"scheduler: {reason.message}", *(f"{objects.name(one)}: {said}" for one, said, *_ in found)]
        message = f"No node can run the pod: {objects.name(node)} {what}."
        yield T65.finding(identity(pod), message, remedy, evidence, look=look)


def _causes(view: PathFacts, node: Mapping[str, JSON], pod: Mapping[str, JSON]) -> Iterator[tuple[str, str, str]]:
    """What keeps a pod off a node, the command that mends it, and the one that looks."""
    name = objects.name(node)
    look = kubectl(view, "describe", "node", name)
    if objects.cordoned(node):
        yield "is cordoned", kubectl(view, "uncordon", name), look
    for key, value, effect in objects.taints(node):
        if key in _SHORT:
            disk = command("docker", "exec", name, "df", "--human-readable", "/var")
            on_disk = key == _SHORT[0] and name in view.node_containers
            yield f"has {key.removeprefix(_OWN)}", "", disk if on_disk else look
        elif (
            key != CONTROL_PLANE
            and not key.startswith(_OWN)
            and effect != "PreferNoSchedule"
            and not tolerates(dict(as_pod(pod).spec), key, value, effect)
        ):
            written = f"{key}={value}:{effect}" if value else f"{key}:{effect}"
            yield f"has the taint {written}", kubectl(view, "taint", "node", name, f"{written}-"), look


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (unready, kept_off)

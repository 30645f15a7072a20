"""What can break: the machine and whether its cluster can be seen at all."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hops.kubernetes import objects
from hops.kubernetes.resources import docker_containers
from hops.kubernetes.resources.docker_containers import API_PORT
from hops.kubernetes.resources.pod_status import container_statuses, init_container_statuses
from hops.kubernetes.values import at, sequence, text
from hops.model.commands import env
from hops.model.finding import Finding, Identity, Level
from hops.model.kind_names import CONTROL_PLANE, KIND_API
from hops.model.preflight import INOTIFY_INSTANCES_PER_NODE, INOTIFY_WATCHES_PER_NODE
from hops.trace.code import Code
from hops.trace.facts.envoy_drift import arrived
from hops.trace.facts.path_facts import PathFacts, container
from hops.trace.facts.remedies import command, make

_LIMITS = {"max_user_instances": INOTIFY_INSTANCES_PER_NODE, "max_user_watches": INOTIFY_WATCHES_PER_NODE}
_ROOM = 4
"""How many times the measured need a limit should be, as the advice of `hops.machine` has it."""
_INOTIFY = re.compile(r"too many open files|inotify[^\n]*(limit|no space|fail|unable|cannot)", re.IGNORECASE)

T46 = Code(
    code="T46",
    hop=None,
    title="A node's address differs from the one that its cluster uses",
    symptom="kubectl fails or nodes are NotReady; requests may still be answered.",
    cause="Docker assigns addresses in the order in which containers start, so a restart can swap them.",
    confirmed_by="The address in the node's kubelet configuration differs from that of its container in Docker. If "
    "the configuration was not seen, the trace compares the node's InternalIP in the API, or its address in the "
    "stack's outputs. kind's node images rewrite the configuration at each start.",
    remedy="The next `up` of the stack restores the old addresses of its nodes. For other clusters: stop the nodes, "
    "and start them in the order of their old addresses.",
    references=("https://github.com/kubernetes-sigs/kind/issues/2045",),
)
T47 = Code(
    code="T47",
    hop=None,
    title="The kubeconfig does not lead to the path's cluster",
    symptom="Requests are answered, and kubectl shows another cluster or none.",
    cause="The kubeconfig or its current context names another cluster, the API server of this cluster does not "
    "answer, or a certificate has expired or is not yet valid: kubeadm's are valid for a year from the cluster's "
    "creation, by the clock of this machine.",
    confirmed_by="No node of the API is a container of the kind cluster, or no API answers while the control plane's "
    "container runs. The trace then reports nothing that only the API can show.",
    remedy="Export the kubeconfig from kind again. The next `up` of the stack renews an expired client certificate; "
    "`kubeadm certs renew` renews those of the API server. If a certificate is not yet valid, set the clock.",
    references=("https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-certs/",),
    level=Level.ADVISORY,
    yields_to=("T46",),
)
T49 = Code(
    code="T49",
    hop=None,
    title="The inotify limits of the machine are used up",
    symptom="Pods of the cluster crash: kube-proxy, Envoy or others.",
    cause="All nodes of all clusters share the inotify instances and watches of one user, and the limits are low.",
    confirmed_by="A limit is below four times the measured use of the cluster's nodes, and the log of a crashing "
    "container reports that none was left.",
    remedy="Raise the limits.",
    references=("https://kind.sigs.k8s.io/docs/user/known-issues/#pod-errors-due-to-too-many-open-files",),
)


def swapped(view: PathFacts) -> Iterator[Finding]:
    """T46."""
    moved = {
        name: (believed, actual)
        for name, item in view.node_containers.items()
        if view.running(name) and (actual := _addresses(item)) and (believed := _believed(view, name))
        if not believed & actual
    }
    if not moved:
        return
    evidence = [
        f"{n}: {' '.join(sorted(b))} in the cluster, {' '.join(sorted(a))} in Docker" for n, (b, a) in moved.items()
    ]
    name, (believed, actual) = next(iter(sorted(moved.items())))
    message = f"The cluster uses the address {min(believed)} for {name}, and Docker gave it {min(actual)}."
    known = {node: _believed(view, node) or {"~"} for node in view.node_containers}
    order = sorted(view.node_containers, key=lambda node: _numbers(min(known[node])))
    restart = f"{command('docker', 'stop', *order)} && {command('docker', 'start', *order)}"
    own = view.observation.stack and not view.observation.stack.settings.cluster.existing
    remedy = make(view) if own else restart
    about = [_cluster(view), *map(container, moved)]
    yield T46.finding(container(name), message, remedy, evidence, stops=not arrived(view), about=about)


def blind(view: PathFacts) -> Iterator[Finding]:
    """T47."""
    name, cluster = view.observation.cluster_name, view.observation.cluster
    control = next((node for node in view.node_containers if _is_control_plane(view, node)), None)
    if control is None or not view.running(control):
        return
    if view.foreign and cluster:
        others = " ".join(objects.name(o) for o in cluster.objects if o.get("kind") == "Node")
        evidence = [f"{cluster.server} has the nodes {others}", f"docker: {name} is {' '.join(view.node_containers)}"]
        message = f"The kubeconfig names {cluster.server}, which is not the cluster {name}."
        yield T47.finding(_cluster(view), message, _export(view), evidence)
    elif cluster is None:
        why = view.observation.unseen.get("cluster", "it was not asked")
        evidence = [f"API: {why}", f"docker: {control} is running"]
        message = f"The API of {name} could not be reached, although its control plane {control} runs."
        # A certificate is made with the clock of the machine, so a later clock was right.
        behind = "certificate is not yet valid" in why
        remedy, look = ("", command("date")) if behind else (_reached_again(view, control, why), "")
        yield T47.finding(_cluster(view), message, remedy, evidence, look=look)


def _reached_again(view: PathFacts, control: str, why: str) -> str:
    """The command after which an API answers again. why: it did not answer."""
    renew = ("docker", "exec", control, "kubeadm", "certs", "renew")
    if "client certificate" in why:
        own = view.observation.stack and not view.observation.stack.settings.cluster.existing
        return make(view) if own else f"{command(*renew, 'admin.conf')} && {_export(view)}"
    if "certificate has expired" in why:
        return f"{command(*renew, 'all')} && {command('docker', 'restart', control)}"
    if any(f":{port}" in why for port in _api_ports(view, control)):
        return command("docker", "restart", control)
    return _export(view)


def exhausted(view: PathFacts) -> Iterator[Finding]:
    """T49."""
    logged = inotify(view)
    limits = view.observation.host.inotify if view.observation.host else {}
    nodes = len(view.node_containers)
    low = {
        name: limits[name] for name, each in _LIMITS.items() if name in limits and limits[name] < _ROOM * each * nodes
    }
    if not logged or not low:
        return
    evidence = [*(f"fs.inotify.{name} is {value}" for name, value in low.items())]
    evidence += [f"log of {where}: {line}" for where, line in logged.items()]
    name, value = next(iter(low.items()))
    where = next(iter(logged))
    message = f"fs.inotify.{name} is {value}, and {where} crashes, because no inotify instances or watches are left."
    assignments = [f"fs.inotify.{name}={_ROOM * _LIMITS[name] * max(nodes, 4)}" for name in low]
    who = Identity("", "Host", None, "this machine")
    remedy = command("sudo", "sysctl", *assignments)
    crashing = [Identity("v1", "Pod", *place.split("/")[:2]) for place in logged]
    yield T49.finding(who, message, remedy, evidence, stops=not arrived(view), about=crashing)


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (swapped, blind, exhausted)


def inotify(view: PathFacts) -> Mapping[str, str]:
    """Log lines of containers that crash because no inotify instance or watch is left, by namespace/pod/container."""
    logs = view.observation.cluster.logs if view.sees_cluster and view.observation.cluster else {}
    found = {}
    for key, log in logs.items():
        where = key.removesuffix(" previous")
        line = next((line.strip() for line in log.splitlines() if _INOTIFY.search(line)), None)
        if line and _crashes(view, where):
            found[where] = line
    return found


def _crashes(view: PathFacts, where: str) -> bool:
    namespace, _, rest = where.partition("/")
    name, _, of = rest.partition("/")
    pod = view.get("Pod", namespace, name)
    return any(
        not status.running or not status.ready or status.last_terminated
        for status in (*container_statuses(pod), *init_container_statuses(pod))
        if status.name == of
    )


def _addresses(item: Mapping[str, Any]) -> set[str]:
    return set(docker_containers.addresses(item, *docker_containers.BOTH_FAMILIES))


def _believed(view: PathFacts, node: str) -> set[str]:
    """The address of a node's kubelet, or else its addresses in the API, or else as the stack published it."""
    seen = view.node(node)
    if seen and seen.kubelet_address:
        return {seen.kubelet_address}
    found = set(view.internal_addresses(node))
    if (
        found
        or view.observation.cluster
        or not view.observation.stack
        or node != (view.entrypoint.node if view.entrypoint else None)
    ):
        return found
    hops = sequence(at(dict(view.observation.stack.outputs or {}), "hops"))
    published = (text(at(hop, "address")) for hop in hops if at(hop, "name") == "host-port")
    return {address for address in published if address}


def _numbers(address: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", address)) or (256,)


def _is_control_plane(view: PathFacts, node: str) -> bool:
    return docker_containers.role(view.node_containers[node]) == CONTROL_PLANE


def _api_ports(view: PathFacts, control: str) -> list[int]:
    """The ports of this machine that lead to the API of a control plane."""
    bindings = docker_containers.declared_ports(view.node_containers[control])
    return [binding.port for binding in bindings if binding.inside == API_PORT]


def _cluster(view: PathFacts) -> Identity:
    return Identity(KIND_API, "Cluster", None, str(view.observation.cluster_name))


def _export(view: PathFacts) -> str:
    outputs = dict((view.observation.stack.outputs if view.observation.stack else None) or {})
    file = text(at(outputs, "cluster", "kubeconfig"))
    export = command(
        *("kind", "export", "kubeconfig", "--name", str(view.observation.cluster_name)),
        *(("--kubeconfig", file) if file else ()),
    )
    # In a fresh shell kind is found by the environment of the stack only.
    return (
        f'eval "$({env(view.observation.stack.name, makefile=view.observation.stack.makefile)})" && {export}'
        if view.observation.stack
        else export
    )

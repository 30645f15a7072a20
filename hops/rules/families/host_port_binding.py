"""HP: rules for whether a node can give a pod the port, and the process can take it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from math import ceil, floor
from typing import Any, Literal

from pydantic import Field

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.deployments import replicas, rollout_strategy
from hops.kubernetes.resources.kind_nodes import Placement, low_ports_for_all
from hops.kubernetes.resources.pods import Pod, Port
from hops.kubernetes.values import Undecidable, address, at, flag, mapping, number, pairs, sequence, text, texts
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.model.settings.setting_types import Section
from hops.rules.families.samples import CLUSTER, ENVOY
from hops.rules.rule import Breach, NoParameters, Rule, Scope, pods

_PORTMAP = "https://www.cni.dev/plugins/current/meta/portmap/"


_Claims = Mapping[tuple[int, str, str], Sequence[tuple[Pod, Port]]]


def _host(port: Port) -> str:
    return "" if not port.host_ip or port.host_ip in ("0.0.0.0", "::") else port.host_ip


def _where(port: Port) -> str:
    return f"{port.pointer}/{'hostPort' if port.host_port else 'containerPort'}"


def _claims(inventory: Inventory) -> _Claims:
    """The ports that running pods take on their nodes, by number, protocol and address; "" holds all addresses."""
    claims: dict[tuple[int, str, str], list[tuple[Pod, Port]]] = defaultdict(list)
    for pod in inventory.pods:
        try:
            taken = list(pod.node_ports())
        except Undecidable:
            # The pod itself is reported as undecided.
            continue
        for port, number_ in taken:
            claims[number_, port.protocol, _host(port)].append((pod, port))
            if _host(port):
                claims[number_, port.protocol, "*"].append((pod, port))
    return claims


def _apart(one: Pod, other: Pod) -> bool:
    """Whether two pods never share a node."""
    bound, others = text(at(one.spec, "nodeName")), text(at(other.spec, "nodeName"))
    if bound and others and bound != others:
        return True
    labels, required = pairs(at(one.spec, "nodeSelector")), pairs(at(other.spec, "nodeSelector"))
    return any(key in required and required[key] != value for key, value in labels.items())


@partial(
    Rule,
    code="HP05",
    title="No two pods use the same port of a node",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=pods,
    hop=HopName.HOST_PORT,
    yields_to=("HP01", "HP02"),
    why="The scheduler assigns a port of a node to one pod. The other pod stays Pending and reports no error of its "
    "own. Within one pod, the API server rejects the duplicate.",
    remedy="Change the hostPort of one of the pods, or place the pods on different nodes with nodeSelector.",
    references=("https://kubernetes.io/docs/concepts/configuration/overview/",),
    bad=ENVOY
    + """---
apiVersion: v1
kind: Pod
metadata: {name: edge, namespace: apps}
spec: {containers: [{name: envoy, image: envoyproxy/envoy:v1.38.3, ports: [{containerPort: 8080, hostPort: 80}]}]}
""",
    good=ENVOY
    + """---
apiVersion: v1
kind: Pod
metadata: {name: edge, namespace: apps}
spec: {containers: [{name: envoy, image: envoyproxy/envoy:v1.38.3, ports: [{containerPort: 8080, hostPort: 443}]}]}
""",
)
def claimed_once(pod: Pod, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    if not pod.host_network and not pod.host_ports:
        return
    own: set[tuple[int, str, str]] = set()
    for port, taken in pod.node_ports():
        where, host = _where(port), _host(port)
        mine = {h for number_, protocol, h in own if (number_, protocol) == (taken, port.protocol)}
        own.add((taken, port.protocol, host))
        if mine and (not host or mine & {"", host}):
            yield Breach(where, f"the pod uses port {taken}/{port.protocol} of its node twice.")
            continue
        claims = inventory.once(_claims)
        rivals = chain(claims.get((taken, port.protocol, ""), ()), claims.get((taken, port.protocol, host or "*"), ()))
        others = (one for one in rivals if not one[0].resource.same_object(pod.resource) and not _apart(pod, one[0]))
        first = next(others, None)
        if first:
            rival, its = first
            yield Breach(
                where,
                f"{rival.resource} also uses port {taken}/{port.protocol} of the node.",
                causes=((rival.resource, _where(its)),) if next(others, None) is None else (),
            )


@partial(
    Rule,
    code="HP07",
    title="A published hostPort does not bind the node's loopback address",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=pods,
    hop=HopName.HOST_PORT,
    remediable=True,
    why="Docker forwards a published port to the network interface of the node container. The DNAT rule of a hostPort "
    "with hostIP 127.0.0.1 does not match this traffic, so the connection is refused.",
    remedy="Remove hostIP; listenAddress of the extraPortMapping limits who can reach the port.",
    references=(_PORTMAP,),
    bad="""
apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
name: dev
nodes:
- role: control-plane
  extraPortMappings: [{containerPort: 80, hostPort: 80, listenAddress: 127.0.0.1}]
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec: {containers: [{name: web, image: web:1, ports: [{containerPort: 8080, hostPort: 80, hostIP: 127.0.0.1}]}]}
""",
    good="""
apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
name: dev
nodes:
- role: control-plane
  extraPortMappings: [{containerPort: 80, hostPort: 80, listenAddress: 127.0.0.1}]
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec: {containers: [{name: web, image: web:1, ports: [{containerPort: 8080, hostPort: 80}]}]}
""",
)
def not_loopback(pod: Pod, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    for port in pod.host_ports:
        host = address(port.host_ip)
        if host and host.is_loopback and any(inventory.once(Placement).publishing(port)):
            yield Breach(
                f"{port.pointer}/hostIP",
                f"container {port.container} binds hostPort {port.host_port} to {host}; the published port does not "
                "forward to this address.",
                ({"op": "remove", "path": f"{port.pointer}/hostIP"},),
            )


@partial(
    Rule,
    code="HP08",
    title="Every replica with a hostPort finds a free node",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    scope=Scope.STACK,
    of=pods,
    hop=HopName.HOST_PORT,
    why="A node runs one pod per hostPort. Replicas beyond the number of nodes stay Pending. The new pod of a rollout "
    "also stays Pending if no old pod may stop first.",
    remedy="Use a DaemonSet, or reduce `replicas` and set `strategy.type` to Recreate.",
    references=("https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#strategy",),
    bad=CLUSTER
    + """---
apiVersion: apps/v1
kind: Deployment
metadata: {name: envoy, namespace: projectcontour}
spec:
  replicas: 1
  selector: {matchLabels: {app: envoy}}
  template:
    metadata: {labels: {app: envoy}}
    spec: {containers: [{name: envoy, image: envoyproxy/envoy:v1.38.3, ports: [{containerPort: 8080, hostPort: 80}]}]}
""",
    good=CLUSTER
    + """---
apiVersion: apps/v1
kind: Deployment
metadata: {name: envoy, namespace: projectcontour}
spec:
  replicas: 1
  strategy: {type: Recreate}
  selector: {matchLabels: {app: envoy}}
  template:
    metadata: {labels: {app: envoy}}
    spec: {containers: [{name: envoy, image: envoyproxy/envoy:v1.38.3, ports: [{containerPort: 8080, hostPort: 80}]}]}
""",
)
def rollout(pod: Pod, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    port = next((port for port, _ in pod.node_ports()), None)
    if port is None:
        return
    body, kind = pod.resource.body, pod.resource.kind
    causes = ((pod.resource, f"{port.pointer}/hostPort" if port.host_port else f"{pod.pointer}/hostNetwork"),)
    if kind == "DaemonSet":
        strategy = rollout_strategy(body)
        if _share(strategy.surge, 1, up=True):
            operations: list[Mapping[str, Any]] = [
                {"op": "replace", "path": "/spec/updateStrategy/rollingUpdate/maxSurge", "value": 0}
            ]
            # Zero of both is refused; unset means 1.
            if strategy.unavailable is not None and not _share(strategy.unavailable, 100, up=True):
                operations.append(
                    {"op": "replace", "path": "/spec/updateStrategy/rollingUpdate/maxUnavailable", "value": 1}
                )
            yield Breach(
                "/spec/updateStrategy/rollingUpdate/maxSurge",
                f"the rollout starts a second pod on a node while the first still uses {_named(port)}.",
                tuple(operations),
                remedy="Set updateStrategy.rollingUpdate.maxSurge to 0.",
                causes=causes,
            )
        return
    # The cluster with the most nodes counts: the objects do not say in which cluster the pod runs.
    room = inventory.once(Placement).room(pod)
    if kind not in ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController") or not room:
        return
    declared = replicas(body)
    desired = 1 if declared is None else declared
    if desired > room:
        yield Breach(
            "/spec/replicas",
            f"{desired} replicas require {_named(port)}, but {room} node{'s' if room > 1 else ''} can run the pod.",
            ({"op": "replace", "path": "/spec/replicas", "value": room},) if declared is not None else (),
            causes=causes,
        )
    elif kind == "Deployment" and desired == room and rollout_strategy(body).type != "Recreate":
        unavailable = rollout_strategy(body).unavailable
        if not _share("25%" if unavailable is None else unavailable, desired, up=False):
            yield Breach(
                "/spec/strategy",
                f"the new pod of a rollout finds no node with a free {_named(port)}, and no old pod may stop first.",
                ({"op": "add", "path": "/spec/strategy", "value": {"type": "Recreate"}},),
                causes=causes,
            )


def _named(port: Port) -> str:
    return f"hostPort {port.host_port or port.container_port}/{port.protocol}"


def _share(value: Any, of: int, *, up: bool) -> int:
    """A number or percentage as the rollout counts it: a surge rounded up, what is unavailable rounded down."""
    percent = text(value)
    if percent and percent.endswith("%") and percent[:-1].isdecimal() and len(percent) < 8:
        return (ceil if up else floor)(int(percent[:-1]) * of / 100)
    return number(value) or 0


class LowPorts(Section):
    """Parameters of HP10.

    low_ports: who may listen on a port below 1024 in a pod: `all` or `root`. If none, the node image of the kind
        cluster decides: since v1.29.14, v1.30.10, v1.31.6 and v1.32.2 it has containerd 2, which allows all.
    """

    low_ports: Literal["all", "root"] | None = Field(None, examples=["root"])


@partial(
    Rule,
    code="HP10",
    title="A container can listen on its port",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    scope=Scope.STACK,
    of=pods,
    hop=HopName.POD,
    parameters=LowPorts,
    why="Unless the container runtime, a capability or a sysctl allows it, a process that is not root cannot listen on "
    "a port below 1024, and exits. containerd 2, which kind's node images have since kind 0.27, allows it in a pod "
    "with its own network; containerd 1 and hostNetwork do not. Port 22 is the SSH port, which no workload requires.",
    remedy="Change containerPort to 1024 or higher, and set the Service's targetPort to it.",
    references=(
        "https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/",
        "https://github.com/containerd/containerd/blob/v2.0.2/internal/cri/config/config_unix.go",
        "https://github.com/kubernetes-sigs/kind/blob/v0.27.0/images/base/Dockerfile",
    ),
    bad="""
apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
name: dev
nodes: [{role: control-plane, image: "kindest/node:v1.31.4"}]
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec:
  securityContext: {runAsUser: 1000}
  containers:
  - name: web
    image: web:1
    ports: [{containerPort: 80}]
""",
    good="""
apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
name: dev
nodes: [{role: control-plane, image: "kindest/node:v1.31.6"}]
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec:
  securityContext: {runAsUser: 1000}
  containers:
  - name: web
    image: web:1
    ports: [{containerPort: 80}]
""",
)
def privileged_port(pod: Pod, inventory: Inventory, parameters: LowPorts) -> Iterator[Breach]:
    given = parameters.low_ports
    for_all = given == "all" if given else inventory.once(low_ports_for_all)
    if pod.host_network:
        for_all = False
    for container in pod.containers:
        for port in container.ports:
            if port.container_port == 22:
                yield Breach(
                    f"{port.pointer}/containerPort",
                    f"container {container.name} opens port 22, the SSH port.",
                    remedy="Remove the port and the SSH server, and use `kubectl exec`.",
                )
            elif for_all or not port.container_port or port.container_port >= 1024:
                continue
            elif _unprivileged(pod, container.body):
                effect = f"and cannot listen on port {port.container_port}"
                if for_all is None:
                    effect = f"and it is not known whether the runtime lets it listen on port {port.container_port}"
                yield Breach(
                    f"{port.pointer}/containerPort",
                    f"container {container.name} is not root {effect}.",
                    _lower_bound(pod),
                )


_SYSCTL = "net.ipv4.ip_unprivileged_port_start"


def _unprivileged(pod: Pod, container: Mapping[str, Any]) -> bool:
    own, whole = mapping(at(container, "securityContext")), mapping(at(pod.spec, "securityContext"))
    user = own.get("runAsUser", whole.get("runAsUser"))
    other = number(user) != 0 if user is not None else flag(own.get("runAsNonRoot", whole.get("runAsNonRoot")))
    if not other or flag(own.get("privileged")):
        return False
    if {"ALL", "NET_BIND_SERVICE"} & set(texts(at(own, "capabilities", "add"))):
        return False
    return not any(text(at(s, "name")) == _SYSCTL for s in sequence(whole.get("sysctls")))


def _lower_bound(pod: Pod) -> tuple[Mapping[str, Any], ...]:
    """Lets any user of the pod open any port, which is safe because the pod has a network of its own."""
    if pod.host_network:
        return ()
    base, sysctl = f"{pod.pointer}/securityContext", {"name": _SYSCTL, "value": "0"}
    context = at(pod.spec, "securityContext")
    if not isinstance(context, dict):
        return ({"op": "add", "path": base, "value": {"sysctls": [sysctl]}},)
    if isinstance(context.get("sysctls"), list):
        return ({"op": "add", "path": f"{base}/sysctls/-", "value": sysctl},)
    return ({"op": "add", "path": f"{base}/sysctls", "value": [sysctl]},)

"""HP: which ports a pod takes on its node."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from math import ceil, floor
from typing import Annotated, Any, Literal

from pydantic import Field

from hops.kubernetes.inventory import Inventory, Pod, Port, Resource
from hops.kubernetes.kind_nodes import nodes
from hops.kubernetes.values import Undecidable, address, at, flag, mapping, number, pairs, sequence, text, texts
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.model.settings import Port as PortNumber
from hops.model.settings import Section
from hops.rules.rule import CONTROLLER, Breach, NoParameters, Rule, Scope, pods

_PSS = "https://kubernetes.io/docs/concepts/security/pod-security-standards/"
_PORTMAP = "https://www.cni.dev/plugins/current/meta/portmap/"


class AllowedPort(Section):
    """A host port that a workload may take. workload: Kind/namespace/name, * for any part."""

    workload: str = "*"
    port: PortNumber
    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"


class AllowedPorts(Section):
    """allowed: every host port that is used on purpose."""

    allowed: tuple[AllowedPort, ...] = (AllowedPort(port=80), AllowedPort(port=443))

    def allow(self, workload: Resource, port: int | None, protocol: str) -> bool:
        return workload.means(a.workload for a in self.allowed if a.port == port and a.protocol == protocol)

    def __str__(self) -> str:
        return ", ".join(f"{a.port}/{a.protocol}" for a in self.allowed) or "none"


class Controllers(Section):
    """controllers: the workloads that take requests in, as Kind/namespace/name."""

    controllers: tuple[str, ...] = (CONTROLLER,)


class ReservedPorts(Section):
    """reserved: ports of a node's own services. node_ports: first and last of their range."""

    reserved: tuple[PortNumber, ...] = (
        *(179, 2379, 2380, 2381, 6443, 9098, 9099),
        *(10248, 10249, 10250, 10256, 10257, 10259),
    )
    node_ports: Annotated[tuple[PortNumber, ...], Field(min_length=2, max_length=2)] = (30000, 32767)


def _without(pointer: str, *keys: str) -> tuple[Mapping[str, Any], ...]:
    return tuple({"op": "remove", "path": f"{pointer}/{key}"} for key in keys)


@partial(
    Rule,
    code="HP01",
    title="A hostPort is one of the allowed",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=pods,
    hop=HopName.HOST_PORT,
    parameters=AllowedPorts,
    remediable=True,
    why="A hostPort opens a door of the node past every Service and Ingress. Only those that the request path needs "
    "are opened; containers of every kind count, hostPort 0 and none at all are the same.",
    remedy="Remove the hostPort and reach the pod by a Service, or allow it in the parameter `allowed`.",
    references=(_PSS,),
    bad="""
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: envoy, namespace: projectcontour}
spec:
  template:
    spec:
      containers:
      - name: envoy
        ports:
        - {containerPort: 8080, hostPort: 80}
        - {containerPort: 9001, hostPort: 9001}
""",
    good="""
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: envoy, namespace: projectcontour}
spec:
  template:
    spec:
      containers:
      - name: envoy
        ports:
        - {containerPort: 8080, hostPort: 80}
        - {containerPort: 9001}
""",
)
def allowed(pod: Pod, _: Inventory, parameters: AllowedPorts) -> Iterator[Breach]:
    for port in pod.host_ports:
        if not parameters.allow(pod.resource, port.host_port, port.protocol):
            yield Breach(
                f"{port.pointer}/hostPort",
                f"container {port.container} takes hostPort {port.host_port}/{port.protocol}, which isn't allowed "
                f"(allowed: {parameters}).",
                _without(port.pointer, *(["hostPort", "hostIP"] if port.host_ip else ["hostPort"])),
                evidence=str(port.host_port),
            )


@partial(
    Rule,
    code="HP02",
    title="Only the ingress controller takes host ports",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=pods,
    hop=HopName.HOST_PORT,
    parameters=Controllers,
    remediable=True,
    why="A second workload on a host port takes requests that never met the controller, and one of the two is "
    "Pending where both want the same port.",
    remedy="Remove the hostPort and expose the workload by a Service and an Ingress.",
    references=(_PSS,),
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec:
  containers:
  - name: web
    ports: [{containerPort: 8080, hostPort: 80}]
""",
    good="""
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec:
  containers:
  - name: web
    ports: [{containerPort: 8080}]
""",
)
def controllers_only(pod: Pod, _: Inventory, parameters: Controllers) -> Iterator[Breach]:
    if not pod.host_ports or pod.resource.means(parameters.controllers):
        return
    for port in pod.host_ports:
        yield Breach(
            f"{port.pointer}/hostPort",
            f"container {port.container} takes hostPort {port.host_port}/{port.protocol}, but only "
            f"{', '.join(parameters.controllers) or 'no workload'} may.",
            _without(port.pointer, *(["hostPort", "hostIP"] if port.host_ip else ["hostPort"])),
        )


@partial(
    Rule,
    code="HP03",
    title="No pod shares a namespace of its node",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=pods,
    hop=HopName.HOST_PORT,
    remediable=True,
    why="hostNetwork, hostPID and hostIPC take the walls between a pod and its node: its ports are the node's, "
    "and NetworkPolicies no longer reach it.",
    remedy="Remove the field.",
    references=(_PSS,),
    bad="""
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: apps}
spec:
  template:
    spec:
      hostNetwork: true
      containers: [{name: web}]
""",
    good="""
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: apps}
spec:
  template:
    spec:
      hostNetwork: false
      containers: [{name: web}]
""",
)
def host_namespaces(pod: Pod, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    get = pod.spec.get
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        value = get(key)
        if value is not None and flag(value):
            yield Breach(f"{pod.pointer}/{key}", f"{key} is true.", _without(pod.pointer, key))


@partial(
    Rule,
    code="HP04",
    title="A pod in the node's network opens allowed ports only",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=pods,
    hop=HopName.HOST_PORT,
    parameters=AllowedPorts,
    parameters_of="HP01",
    why="With hostNetwork every containerPort is a port of the node, although no hostPort is written: the API server "
    "fills it in after the preview. A hostPort that differs from its containerPort is refused.",
    remedy="Remove hostNetwork, or allow the port in the parameter `allowed` of HP01.",
    references=("https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/",),
    bad="""
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: apps}
spec:
  template:
    spec:
      hostNetwork: true
      containers:
      - name: agent
        ports: [{containerPort: 9100}]
""",
    good="""
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: apps}
spec:
  template:
    spec:
      containers:
      - name: agent
        ports: [{containerPort: 9100}]
""",
)
def host_network_ports(pod: Pod, _: Inventory, parameters: AllowedPorts) -> Iterator[Breach]:
    if not pod.host_network:
        return
    for container in pod.containers:
        for port in container.ports:
            if port.host_port:
                if port.host_port != port.container_port:
                    yield Breach(
                        f"{port.pointer}/hostPort",
                        f"container {container.name} has hostPort {port.host_port} and containerPort "
                        f"{port.container_port}, which hostNetwork wants to be the same.",
                        remedy="Remove hostNetwork, or give both the same number.",
                    )
            elif port.container_port and not parameters.allow(pod.resource, port.container_port, port.protocol):
                yield Breach(
                    f"{port.pointer}/containerPort",
                    f"hostNetwork makes port {port.container_port}/{port.protocol} of container {container.name} one "
                    f"of the node, which isn't allowed (allowed: {parameters}).",
                )


_Claims = Mapping[tuple[int, str, str], Sequence[tuple[Pod, Port]]]


def _host(port: Port) -> str:
    return "" if not port.host_ip or port.host_ip in ("0.0.0.0", "::") else port.host_ip


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
    labels, wanted = pairs(at(one.spec, "nodeSelector")), pairs(at(other.spec, "nodeSelector"))
    return any(key in wanted and wanted[key] != value for key, value in labels.items())


@partial(
    Rule,
    code="HP05",
    title="No two pods want the same port of a node",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=pods,
    hop=HopName.HOST_PORT,
    why="The scheduler gives a port of a node to one pod: the other stays Pending, without an error of its own. Inside "
    "one pod the API server refuses it.",
    remedy="Give one of the two another port, or keep them on different nodes by nodeSelector.",
    references=("https://kubernetes.io/docs/concepts/configuration/overview/",),
    bad="""
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: envoy, namespace: projectcontour}
spec: {template: {spec: {containers: [{name: envoy, ports: [{containerPort: 8080, hostPort: 80}]}]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: nginx, namespace: apps}
spec: {containers: [{name: nginx, ports: [{containerPort: 80, hostPort: 80}]}]}
""",
    good="""
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: envoy, namespace: projectcontour}
spec: {template: {spec: {containers: [{name: envoy, ports: [{containerPort: 8080, hostPort: 80}]}]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: nginx, namespace: apps}
spec: {containers: [{name: nginx, ports: [{containerPort: 80, hostPort: 81}]}]}
""",
)
def claimed_once(pod: Pod, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    if not pod.host_network and not pod.host_ports:
        return
    own: set[tuple[int, str, str]] = set()
    for port, taken in pod.node_ports():
        where, host = f"{port.pointer}/{'hostPort' if port.host_port else 'containerPort'}", _host(port)
        mine = {h for number_, protocol, h in own if (number_, protocol) == (taken, port.protocol)}
        own.add((taken, port.protocol, host))
        if mine and (not host or mine & {"", host}):
            yield Breach(where, f"the pod takes port {taken}/{port.protocol} of its node twice.")
            continue
        claims = inventory.once(_claims)
        rivals = chain(claims.get((taken, port.protocol, ""), ()), claims.get((taken, port.protocol, host or "*"), ()))
        others = (other for other, _ in rivals if other is not pod and not other.resource.copy_of(pod.resource))
        rival = next((other for other in others if not _apart(pod, other)), None)
        if rival:
            yield Breach(where, f"port {taken}/{port.protocol} of the node is also wanted by {rival.resource}.")


@partial(
    Rule,
    code="HP06",
    title="No host port that the node itself uses",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=pods,
    hop=HopName.HOST_PORT,
    parameters=ReservedPorts,
    why="The kubelet, etcd, the API server, kube-proxy and Calico listen on the node. A hostPort on one of their ports "
    "diverts their traffic into the pod; one in the NodePort range clashes with a Service sooner or later.",
    remedy="Take another port.",
    references=(
        "https://kubernetes.io/docs/reference/networking/ports-and-protocols/",
        "https://github.com/deckhouse/deckhouse/issues/2285",
    ),
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec:
  containers:
  - name: web
    ports: [{containerPort: 8080, hostPort: 10250}]
""",
    good="""
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec:
  containers:
  - name: web
    ports: [{containerPort: 10250}]
""",
)
def not_reserved(pod: Pod, _: Inventory, parameters: ReservedPorts) -> Iterator[Breach]:
    if not pod.host_network and not pod.host_ports:
        return
    first, last = parameters.node_ports
    for port, taken in pod.node_ports():
        key = "hostPort" if port.host_port else "containerPort"
        if taken in parameters.reserved:
            yield Breach(f"{port.pointer}/{key}", f"port {taken}/{port.protocol} belongs to the node's own services.")
        elif first <= taken <= last:
            yield Breach(
                f"{port.pointer}/{key}",
                f"port {taken}/{port.protocol} lies in the range of NodePorts, {first} to {last}.",
            )


@partial(
    Rule,
    code="HP07",
    title="A published port isn't bound to the node's loopback",
    severity=Severity.MEDIUM,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=pods,
    hop=HopName.HOST_PORT,
    remediable=True,
    why="Docker delivers to the interface of the node container. A hostIP of 127.0.0.1 makes a rule that never matches "
    "what comes in there: the connection is refused.",
    remedy="Remove the hostIP; the mapping's listenAddress decides who can reach the port.",
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
spec: {containers: [{name: web, ports: [{containerPort: 8080, hostPort: 80, hostIP: 127.0.0.1}]}]}
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
spec: {containers: [{name: web, ports: [{containerPort: 8080, hostPort: 80}]}]}
""",
)
def not_loopback(pod: Pod, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    for port in pod.host_ports:
        host = address(port.host_ip)
        if host and host.is_loopback and any(node.publishes(port) for _, node in nodes(inventory)):
            yield Breach(
                f"{port.pointer}/hostIP",
                f"container {port.container} binds port {port.host_port} to {host}, which the published port "
                "doesn't reach.",
                _without(port.pointer, "hostIP"),
            )


@partial(
    Rule,
    code="HP08",
    title="A rollout with a hostPort has a node to spare",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    scope=Scope.STACK,
    of=pods,
    hop=HopName.HOST_PORT,
    why="A node runs one pod of a hostPort. More replicas than nodes stay Pending, and so does a rollout's new pod "
    "that may not stop an old one first.",
    remedy="Use a DaemonSet, or fewer replicas and the strategy Recreate.",
    references=("https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#strategy",),
    bad="""
apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
name: dev
nodes:
- {role: control-plane}
- {role: worker, extraPortMappings: [{containerPort: 80, hostPort: 80, listenAddress: 127.0.0.1}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: envoy, namespace: projectcontour}
spec:
  replicas: 1
  template: {spec: {containers: [{name: envoy, ports: [{containerPort: 8080, hostPort: 80}]}]}}
""",
    good="""
apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
name: dev
nodes:
- {role: control-plane}
- {role: worker, extraPortMappings: [{containerPort: 80, hostPort: 80, listenAddress: 127.0.0.1}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: envoy, namespace: projectcontour}
spec:
  replicas: 1
  strategy: {type: Recreate}
  template: {spec: {containers: [{name: envoy, ports: [{containerPort: 8080, hostPort: 80}]}]}}
""",
)
def rollout(pod: Pod, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    port = next((port for port, _ in pod.node_ports()), None)
    if port is None:
        return
    body, kind = pod.resource.body, pod.resource.kind
    if kind == "DaemonSet":
        rolling = at(body, "spec", "updateStrategy", "rollingUpdate")
        if _share(at(rolling, "maxSurge"), 1, up=True):
            operations: list[Mapping[str, Any]] = [
                {"op": "replace", "path": "/spec/updateStrategy/rollingUpdate/maxSurge", "value": 0}
            ]
            # Zero of both is refused; unset means 1.
            if at(rolling, "maxUnavailable") is not None and not _share(at(rolling, "maxUnavailable"), 100, up=True):
                operations.append(
                    {"op": "replace", "path": "/spec/updateStrategy/rollingUpdate/maxUnavailable", "value": 1}
                )
            yield Breach(
                "/spec/updateStrategy/rollingUpdate/maxSurge",
                f"the rollout starts a second pod on a node where the first still holds {_named(port)}.",
                tuple(operations),
                remedy="Set maxSurge to 0.",
            )
        return
    # Of the cluster that has most: which one it goes to isn't said.
    room = max(Counter(cluster for cluster, node in nodes(inventory) if node.refuses(pod) is None).values(), default=0)
    if kind not in ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController") or not room:
        return
    declared = at(body, "spec", "replicas")
    replicas = 1 if declared is None else number(declared) or 0
    if replicas > room:
        yield Breach(
            "/spec/replicas",
            f"{replicas} replicas want {_named(port)}, on {room} node{'s' if room > 1 else ''} that can run them.",
            ({"op": "replace", "path": "/spec/replicas", "value": room},) if declared is not None else (),
        )
    elif kind == "Deployment" and replicas == room and text(at(body, "spec", "strategy", "type")) != "Recreate":
        rolling = at(body, "spec", "strategy", "rollingUpdate")
        unavailable = at(rolling, "maxUnavailable")
        if not _share("25%" if unavailable is None else unavailable, replicas, up=False):
            yield Breach(
                "/spec/strategy",
                f"the new pod of a rollout finds no node where {_named(port)} is free, and no old pod may stop before.",
                ({"op": "add", "path": "/spec/strategy", "value": {"type": "Recreate"}},),
            )


def _named(port: Port) -> str:
    return f"hostPort {port.host_port or port.container_port}/{port.protocol}"


def _share(value: Any, of: int, *, up: bool) -> int:
    """A number or percentage as the rollout counts it: a surge rounded up, what is unavailable rounded down."""
    percent = text(value)
    if percent and percent.endswith("%") and percent[:-1].isdecimal() and len(percent) < 8:
        return (ceil if up else floor)(int(percent[:-1]) * of / 100)
    return number(value) or 0


_HOOKS = (
    ("livenessProbe",),
    ("readinessProbe",),
    ("startupProbe",),
    ("lifecycle", "postStart"),
    ("lifecycle", "preStop"),
)


@partial(
    Rule,
    code="HP09",
    title="A probe asks the pod itself",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    scope=Scope.RESOURCE,
    of=pods,
    hop=HopName.POD,
    remediable=True,
    why="The kubelet sends a probe or hook with a host from the node's network to whatever that name is: the pod is "
    "ready because something else answers, and the node can be made to ask any address.",
    remedy="Remove the host; without one the pod's own address is asked.",
    references=(_PSS,),
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec:
  containers:
  - name: web
    readinessProbe: {httpGet: {host: 169.254.169.254, path: /, port: 80}}
""",
    good="""
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec:
  containers:
  - name: web
    readinessProbe: {httpGet: {path: /, port: 80}}
""",
)
def probe_host(pod: Pod, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    for container in pod.containers:
        for keys in _HOOKS:
            if keys[0] not in container.body:
                continue
            for action in ("httpGet", "tcpSocket"):
                host = text(at(container.body, *keys, action, "host"))
                if host:
                    base = "/".join((container.pointer, *keys, action))
                    yield Breach(
                        f"{base}/host",
                        f"{keys[-1]} of container {container.name} asks {host} and not the pod.",
                        _without(base, "host"),
                        evidence=host,
                    )


@partial(
    Rule,
    code="HP10",
    title="A container can open its port",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    scope=Scope.RESOURCE,
    of=pods,
    hop=HopName.POD,
    why="A process that isn't root can't listen below 1024 where the node doesn't allow it: it exits. Port 22 is a "
    "shell, which no workload here needs.",
    remedy="Listen on a port from 1024, which the Service's targetPort can hide.",
    references=("https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/",),
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec:
  securityContext: {runAsUser: 1000}
  containers:
  - name: web
    ports: [{containerPort: 80}]
""",
    good="""
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec:
  securityContext: {runAsUser: 1000}
  containers:
  - name: web
    ports: [{containerPort: 8080}]
""",
)
def privileged_port(pod: Pod, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    for container in pod.containers:
        for port in container.ports:
            if port.container_port == 22:
                yield Breach(
                    f"{port.pointer}/containerPort",
                    f"container {container.name} opens port 22, the one of SSH.",
                    remedy="Remove the SSH server; `kubectl exec` needs none.",
                )
            elif port.container_port and port.container_port < 1024 and _unprivileged(pod, container.body):
                yield Breach(
                    f"{port.pointer}/containerPort",
                    f"container {container.name} isn't root and opens port {port.container_port}.",
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
    """Lets any user of the pod open any port, which is safe since the pod has a network of its own."""
    if pod.host_network:
        return ()
    base, sysctl = f"{pod.pointer}/securityContext", {"name": _SYSCTL, "value": "0"}
    context = at(pod.spec, "securityContext")
    if not isinstance(context, dict):
        return ({"op": "add", "path": base, "value": {"sysctls": [sysctl]}},)
    if isinstance(context.get("sysctls"), list):
        return ({"op": "add", "path": f"{base}/sysctls/-", "value": sysctl},)
    return ({"op": "add", "path": f"{base}/sysctls", "value": [sysctl]},)

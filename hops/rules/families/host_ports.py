"""HP: rules for the ports that a pod uses on its node."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from math import ceil, floor
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from hops.kubernetes.controller.contour import serves
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.kind_nodes import Placement, low_ports_for_all
from hops.kubernetes.resources.pods import Pod, Port
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.values import Undecidable, address, at, flag, mapping, number, pairs, sequence, text, texts
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.model.pod_network import POD_NETWORK
from hops.model.setting_types import Port as PortNumber
from hops.model.setting_types import Section
from hops.rules.rule import CONTROLLER, Breach, NoParameters, Rule, Scope, pods

_PSS = "https://kubernetes.io/docs/concepts/security/pod-security-standards/"
_PORTMAP = "https://www.cni.dev/plugins/current/meta/portmap/"


def _ports(value: Any) -> int | str:
    """A port, or a range as its first and last port, such as 5000-6000. Raises ValueError for any other value."""
    first, _, last = str(value).partition("-")
    known = (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, str) and last)
    if not (
        known and first.isdecimal() and (last or first).isdecimal() and 1 <= int(first) <= int(last or first) <= 65535
    ):
        raise ValueError("a port is a number from 1 to 65535, or a range such as 5000-6000")
    return value  # type: ignore[no-any-return]


_PORTS = {
    "anyOf": [{"type": "integer", "minimum": 1, "maximum": 65535}, {"type": "string", "pattern": "^[0-9]+-[0-9]+$"}]
}


class AllowedPort(Section):
    """A hostPort, or a range of them, that workloads may use.

    workload: pattern Kind/namespace/name, in which * matches any text. Default: every workload.
    port: number from 1 to 65535, or a range such as 5000-6000.
    protocol: TCP (default), UDP or SCTP.
    """

    workload: str = "*"
    port: Annotated[int | str, PlainValidator(_ports), WithJsonSchema(_PORTS)]
    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"

    def covers(self, port: int | None, protocol: str) -> bool:
        first, _, last = str(self.port).partition("-")
        return port is not None and int(first) <= port <= int(last or first) and self.protocol == protocol


class AllowedPorts(Section):
    """Parameters of HP01 and HP04.

    allowed: the hostPorts that workloads may use, each with workload, port (a number or a range such as 5000-6000)
        and protocol.
    """

    allowed: tuple[AllowedPort, ...] = Field(
        (AllowedPort(port=80), AllowedPort(port=443)),
        examples=[[{"port": 80}, {"port": "5000-6000", "workload": "DaemonSet/apps/*"}]],
    )

    def allow(self, workload: Resource, port: int | None, protocol: str) -> bool:
        return workload.means(a.workload for a in self.allowed if a.covers(port, protocol))

    def __str__(self) -> str:
        return ", ".join(f"{a.port}/{a.protocol}" for a in self.allowed) or "none"


class Controllers(Section):
    """Parameters of HP02, KN03 and TL05.

    controllers: the workloads that accept requests from outside, as patterns Kind/namespace/name, in addition to
        workloads whose containers all run Envoy or Contour.
    """

    controllers: tuple[str, ...] = (CONTROLLER,)

    def mean(self, pod: Pod) -> bool:
        """Whether a pod accepts requests from outside. Raises Undecidable if this depends on an unknown name."""
        return serves(pod) or pod.resource.means(self.controllers)


class ReservedPorts(Section):
    """Parameters of HP06.

    reserved: ports on which services of the node listen.
    node_ports: first and last port of the NodePort range.
    """

    reserved: tuple[PortNumber, ...] = tuple(
        sorted((2379, 2380, 2381, 6443, 10248, 10249, 10250, 10256, 10257, 10259, *POD_NETWORK.node_ports))
    )
    node_ports: Annotated[tuple[PortNumber, ...], Field(min_length=2, max_length=2)] = (30000, 32767)


def _without(pointer: str, *keys: str) -> tuple[Mapping[str, Any], ...]:
    return tuple({"op": "remove", "path": f"{pointer}/{key}"} for key in keys)


@partial(
    Rule,
    code="HP01",
    title="Only allowed hostPorts are used",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.RESOURCE,
    of=pods,
    hop=HopName.HOST_PORT,
    parameters=AllowedPorts,
    remediable=True,
    why="A hostPort opens a port of the node and bypasses every Service and Ingress. Only the ports that the request "
    "path requires should be open. The rule covers containers of every kind; hostPort 0 counts as unset.",
    remedy="Remove hostPort and reach the pod through a Service and an Ingress, or add the port to the parameter "
    "`allowed` of HP01 and the workload to `controllers` of HP02.",
    references=(_PSS,),
    bad="""
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: envoy, namespace: projectcontour}
spec:
  selector: {matchLabels: {app: envoy}}
  template:
    metadata: {labels: {app: envoy}}
    spec:
      containers:
      - name: envoy
        image: envoyproxy/envoy:v1.38.3
        ports:
        - {containerPort: 8080, hostPort: 80}
        - {containerPort: 9001, hostPort: 9001}
""",
    good="""
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: envoy, namespace: projectcontour}
spec:
  selector: {matchLabels: {app: envoy}}
  template:
    metadata: {labels: {app: envoy}}
    spec:
      containers:
      - name: envoy
        image: envoyproxy/envoy:v1.38.3
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
                f"container {port.container} uses hostPort {port.host_port}/{port.protocol}, which is not allowed "
                f"(allowed: {parameters}).",
                _without(port.pointer, *(["hostPort", "hostIP"] if port.host_ip else ["hostPort"])),
                evidence=str(port.host_port),
            )


@partial(
    Rule,
    code="HP02",
    title="Only the ingress controller uses hostPorts",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.RESOURCE,
    of=pods,
    hop=HopName.HOST_PORT,
    parameters=Controllers,
    remediable=True,
    yields_to=("HP01",),
    why="A hostPort on any other workload accepts requests that bypass the ingress controller. If two workloads "
    "request the same port of a node, one of them stays Pending.",
    remedy="Remove hostPort and expose the workload through a Service and an Ingress, or add the workload to the "
    "parameter `controllers` of HP02 and its port to `allowed` of HP01.",
    references=(_PSS,),
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec:
  containers:
  - name: web
    image: web:1
    ports: [{containerPort: 8080, hostPort: 80}]
""",
    good="""
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec:
  containers:
  - name: web
    image: web:1
    ports: [{containerPort: 8080}]
""",
)
def controllers_only(pod: Pod, _: Inventory, parameters: Controllers) -> Iterator[Breach]:
    if not pod.host_ports or parameters.mean(pod):
        return
    for port in pod.host_ports:
        yield Breach(
            f"{port.pointer}/hostPort",
            f"container {port.container} uses hostPort {port.host_port}/{port.protocol}, but only "
            f"{', '.join(parameters.controllers) or 'no workload'} may use hostPorts.",
            _without(port.pointer, *(["hostPort", "hostIP"] if port.host_ip else ["hostPort"])),
        )


@partial(
    Rule,
    code="HP03",
    title="No pod shares the host's network, PID or IPC namespace",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.RESOURCE,
    of=pods,
    hop=HopName.HOST_PORT,
    remediable=True,
    why="hostNetwork, hostPID and hostIPC remove the isolation between a pod and its node. With hostNetwork, the pod "
    "listens on ports of the node and NetworkPolicies do not apply to it.",
    remedy="Remove the field from the pod spec.",
    references=(_PSS,),
    bad="""
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: apps}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      hostNetwork: true
      containers: [{name: web, image: web:1}]
""",
    good="""
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: apps}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      hostNetwork: false
      containers: [{name: web, image: web:1}]
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
    title="A hostNetwork pod opens only allowed ports",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=pods,
    hop=HopName.HOST_PORT,
    parameters=AllowedPorts,
    parameters_of="HP01",
    why="With hostNetwork, every containerPort is a port of the node even if no hostPort is set: the API server sets "
    "hostPort after the preview. The API server rejects a hostPort that differs from its containerPort.",
    remedy="Remove hostNetwork, or add the port to the parameter `allowed` of HP01.",
    references=("https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/",),
    bad="""
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: apps}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      hostNetwork: true
      containers:
      - name: agent
        image: agent:1
        ports: [{containerPort: 9100}]
""",
    good="""
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: apps}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      containers:
      - name: agent
        image: agent:1
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
                        f"{port.container_port}; hostNetwork requires equal numbers.",
                        remedy="Remove hostNetwork, or set hostPort to the number of containerPort.",
                    )
            elif port.container_port and not parameters.allow(pod.resource, port.container_port, port.protocol):
                yield Breach(
                    f"{port.pointer}/containerPort",
                    f"hostNetwork opens port {port.container_port}/{port.protocol} of container {container.name} on "
                    f"the node, which is not allowed (allowed: {parameters}).",
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
    title="No two pods use the same port of a node",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=pods,
    hop=HopName.HOST_PORT,
    why="The scheduler assigns a port of a node to one pod. The other pod stays Pending and reports no error of its "
    "own. Within one pod, the API server rejects the duplicate.",
    remedy="Change the hostPort of one of the pods, or place the pods on different nodes with nodeSelector.",
    references=("https://kubernetes.io/docs/concepts/configuration/overview/",),
    bad="""
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: envoy, namespace: projectcontour}
spec:
  selector: {matchLabels: {app: envoy}}
  template:
    metadata: {labels: {app: envoy}}
    spec: {containers: [{name: envoy, image: envoyproxy/envoy:v1.38.3, ports: [{containerPort: 8080, hostPort: 80}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: nginx, namespace: apps}
spec: {containers: [{name: nginx, image: nginx:1, ports: [{containerPort: 80, hostPort: 80}]}]}
""",
    good="""
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: envoy, namespace: projectcontour}
spec:
  selector: {matchLabels: {app: envoy}}
  template:
    metadata: {labels: {app: envoy}}
    spec: {containers: [{name: envoy, image: envoyproxy/envoy:v1.38.3, ports: [{containerPort: 8080, hostPort: 80}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: nginx, namespace: apps}
spec: {containers: [{name: nginx, image: nginx:1, ports: [{containerPort: 80, hostPort: 81}]}]}
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
            yield Breach(where, f"the pod uses port {taken}/{port.protocol} of its node twice.")
            continue
        claims = inventory.once(_claims)
        rivals = chain(claims.get((taken, port.protocol, ""), ()), claims.get((taken, port.protocol, host or "*"), ()))
        others = (other for other, _ in rivals if not other.resource.same_object(pod.resource))
        rival = next((other for other in others if not _apart(pod, other)), None)
        if rival:
            yield Breach(where, f"{rival.resource} also uses port {taken}/{port.protocol} of the node.")


@partial(
    Rule,
    code="HP06",
    title="No hostPort is a port of the node's own services",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=pods,
    hop=HopName.HOST_PORT,
    parameters=ReservedPorts,
    why=f"The kubelet, etcd, the API server, kube-proxy and {POD_NETWORK.title} listen on ports of the node. A "
    "hostPort on one of these ports redirects their traffic into the pod. A hostPort in the NodePort range can collide "
    "with a Service.",
    remedy="Change the hostPort to a port outside the parameters `reserved` and `nodePorts` of HP06.",
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
    image: web:1
    ports: [{containerPort: 8080, hostPort: 10250}]
""",
    good="""
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec:
  containers:
  - name: web
    image: web:1
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
            yield Breach(
                f"{port.pointer}/{key}", f"a service of the node itself listens on port {taken}/{port.protocol}."
            )
        elif first <= taken <= last:
            yield Breach(
                f"{port.pointer}/{key}",
                f"port {taken}/{port.protocol} is in the NodePort range, {first} to {last}.",
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
                _without(port.pointer, "hostIP"),
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
  selector: {matchLabels: {app: envoy}}
  template:
    metadata: {labels: {app: envoy}}
    spec: {containers: [{name: envoy, image: envoyproxy/envoy:v1.38.3, ports: [{containerPort: 8080, hostPort: 80}]}]}
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
                f"the rollout starts a second pod on a node while the first still uses {_named(port)}.",
                tuple(operations),
                remedy="Set updateStrategy.rollingUpdate.maxSurge to 0.",
            )
        return
    # The cluster with the most nodes counts: the objects do not say in which cluster the pod runs.
    room = inventory.once(Placement).room(pod)
    if kind not in ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController") or not room:
        return
    declared = at(body, "spec", "replicas")
    replicas = 1 if declared is None else number(declared) or 0
    if replicas > room:
        yield Breach(
            "/spec/replicas",
            f"{replicas} replicas require {_named(port)}, but {room} node{'s' if room > 1 else ''} can run the pod.",
            ({"op": "replace", "path": "/spec/replicas", "value": room},) if declared is not None else (),
        )
    elif kind == "Deployment" and replicas == room and text(at(body, "spec", "strategy", "type")) != "Recreate":
        rolling = at(body, "spec", "strategy", "rollingUpdate")
        unavailable = at(rolling, "maxUnavailable")
        if not _share("25%" if unavailable is None else unavailable, replicas, up=False):
            yield Breach(
                "/spec/strategy",
                f"the new pod of a rollout finds no node with a free {_named(port)}, and no old pod may stop first.",
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
    title="A probe or hook targets the pod itself",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    scope=Scope.RESOURCE,
    of=pods,
    hop=HopName.POD,
    remediable=True,
    why="If a probe or lifecycle hook sets `host`, the kubelet sends it from the node's network to that host. The pod "
    "becomes ready because another endpoint answers, and the pod's author can make the node connect to any address.",
    remedy="Remove `host` from the probe or hook; the kubelet then connects to the pod's IP.",
    references=(_PSS,),
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec:
  containers:
  - name: web
    image: web:1
    readinessProbe: {httpGet: {host: 169.254.169.254, path: /, port: 80}}
""",
    good="""
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec:
  containers:
  - name: web
    image: web:1
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
                        f"{keys[-1]} of container {container.name} connects to {host} instead of the pod.",
                        _without(base, "host"),
                        evidence=host,
                    )


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

"""HP: rules for which ports of its node a pod may use, and for its access to the node."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from hops.kubernetes.controller.contour import serves
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.pods import Pod, Port
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.values import address, at, flag, text
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.model.pod_network import POD_NETWORK
from hops.model.settings.setting_types import Port as PortNumber
from hops.model.settings.setting_types import Section
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


def _loopback(host: str) -> bool:
    found = address(host)
    return host == "localhost" or (found is not None and found.is_loopback)


def _without(pointer: str, *keys: str) -> tuple[Mapping[str, Any], ...]:
    return tuple({"op": "remove", "path": f"{pointer}/{key}"} for key in keys)


def closed(port: Port) -> tuple[Mapping[str, Any], ...]:
    """The operations that remove a hostPort."""
    return _without(port.pointer, *(["hostPort", "hostIP"] if port.host_ip else ["hostPort"]))


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
    yields_to=("HP06", "EX06"),
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
        - {containerPort: 8443, hostPort: 8443}
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
        - {containerPort: 8443}
""",
)
def allowed(pod: Pod, _: Inventory, parameters: AllowedPorts) -> Iterator[Breach]:
    for port in pod.host_ports:
        if not parameters.allow(pod.resource, port.host_port, port.protocol):
            yield Breach(
                f"{port.pointer}/hostPort",
                f"container {port.container} uses hostPort {port.host_port}/{port.protocol}, which is not allowed "
                f"(allowed: {parameters}).",
                closed(port),
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
            closed(port),
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
            # Without the node's network, a probe of loopback would reach the node and not the pod.
            patch = () if key == "hostNetwork" and any(_probes_loopback(pod)) else _without(pod.pointer, key)
            yield Breach(f"{pod.pointer}/{key}", f"{key} is true.", patch)


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
metadata: {name: envoy, namespace: projectcontour}
spec:
  selector: {matchLabels: {app: envoy}}
  template:
    metadata: {labels: {app: envoy}}
    spec:
      hostNetwork: true
      containers:
      - name: envoy
        image: envoyproxy/envoy:v1.38.3
        ports: [{containerPort: 8080, hostPort: 80}]
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
        ports: [{containerPort: 8080, hostPort: 80}]
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
                    causes=((pod.resource, f"{pod.pointer}/hostNetwork"),),
                )


@partial(
    Rule,
    code="HP06",
    title="No hostPort is a port of the node's own services",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.RESOURCE,
    of=pods,
    hop=HopName.HOST_PORT,
    parameters=ReservedPorts,
    why=f"The kubelet, etcd, the API server, kube-proxy and {POD_NETWORK.title} listen on ports of the node. A "
    "hostPort on one of these ports redirects their traffic into the pod. A hostPort in the NodePort range can collide "
    "with a Service.",
    remedy="Remove the port from the node, or change it to one outside the parameters `reserved` and `nodePorts` of "
    "HP06 that HP01 allows.",
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
            message = f"a service of the node itself listens on port {taken}/{port.protocol}."
        elif first <= taken <= last:
            message = f"port {taken}/{port.protocol} is in the NodePort range, {first} to {last}."
        else:
            continue
        causes = () if port.host_port else ((pod.resource, f"{pod.pointer}/hostNetwork"),)
        yield Breach(f"{port.pointer}/{key}", message, closed(port) if port.host_port else (), causes=causes)


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
    for container, hook, base, host in _probed_hosts(pod):
        # On the node's network, the node's loopback is the pod's own.
        if not (pod.host_network and _loopback(host)):
            yield Breach(
                f"{base}/host",
                f"{hook} of container {container} connects to {host} instead of the pod.",
                _without(base, "host"),
                evidence=host,
            )


def _probed_hosts(pod: Pod) -> Iterator[tuple[str, str, str, str]]:
    """The hosts that probes and hooks name: container, hook, JSON pointer of the action, host."""
    for container in pod.containers:
        for keys in _HOOKS:
            if keys[0] not in container.body:
                continue
            for action in ("httpGet", "tcpSocket"):
                host = text(at(container.body, *keys, action, "host"))
                if host:
                    yield container.name, keys[-1], "/".join((container.pointer, *keys, action)), host


def _probes_loopback(pod: Pod) -> Iterator[bool]:
    return (_loopback(host) for *_, host in _probed_hosts(pod))

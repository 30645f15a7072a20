"""SV: rules for Services, their selectors and their ports."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from ipaddress import IPv6Address
from itertools import chain
from typing import Any, Literal

from pydantic import Field

from hops.kubernetes.commands import server
from hops.kubernetes.controller.contour import serves
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.policies.label_selectors import selects
from hops.kubernetes.resources.pods import ADDED, Pod, PodContainer, Port
from hops.kubernetes.resources.resource import Resource, content
from hops.kubernetes.resources.services import DeclaredService, ServicePort, service_of
from hops.kubernetes.routing.exposed import routed
from hops.kubernetes.values import UNKNOWN, Undecidable, address, at, number, pairs, sequence, text, texts
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.model.setting_types import DNS_LABEL, Section
from hops.rules.rule import CONTROLLER, Breach, NoParameters, Rule, Scope, pods, services

_SERVICES = "https://kubernetes.io/docs/concepts/services-networking/service/"

_POD = """
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps, labels: {app: web}}
spec:
  containers:
  - name: web
    image: web:1
    ports: [{name: http, containerPort: 8080}]
"""


def _example(spec: str, name: str = "web") -> str:
    return f"""---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: apps}}
spec: {spec}
"""


def _known(resources: Iterable[Resource]) -> bool:
    """Whether all of them is known, so that a patch may be thought out without losing the verdict."""
    return not any(resource.unknown for resource in resources)


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
    references=(_SERVICES,),
    bad=_POD + _example("{selector: {app: webb}, ports: [{port: 80, targetPort: 8080}]}"),
    good=_POD + _example("{selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}"),
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
    if len(free) != 1 or not _known([service.resource]) or any(any(_lacking(free, port)) for port in service.ports):
        return ()
    return ({"op": "add", "path": "/spec/selector", "value": dict(free[0].labels)},)


def _unselected(inventory: Inventory) -> Mapping[str | None, list[Pod]]:
    groups: dict[str | None, list[Pod]] = defaultdict(list)
    for pod in inventory.pods:
        if _known([pod.resource]) and pod.labels and not any(inventory.services_of(pod)):
            groups[pod.resource.namespace].append(pod)
    return groups


@partial(
    Rule,
    code="SV02",
    title="Every pod of a Service has the targetPort",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=services,
    hop=HopName.SERVICE,
    why="If targetPort is a name that a pod does not declare, the pod is not an endpoint. If it is a number on which "
    "nothing listens, the connection is refused: the pod of a Job with the labels of the selector receives requests "
    "while it runs. If targetPort is unset, the Service's port applies. A pod that declares no port may listen on any "
    "port, unless its command names one. A process may also listen on a number that is in a command, a variable or a "
    "mounted ConfigMap.",
    remedy="Set targetPort to a port that all pods of the Service declare.",
    references=(_SERVICES,),
    bad=_POD + _example("{selector: {app: web}, ports: [{port: 80}]}"),
    good=_POD + _example("{selector: {app: web}, ports: [{port: 80, targetPort: http}]}"),
)
def target_port(service: DeclaredService, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    if service.type == "ExternalName":
        return
    selected = inventory.pods_of(service)
    stray = _jobs_beside_servers(selected)
    for port in service.ports if selected else ():
        named = isinstance(_target(port), str)
        lacking, common = inventory.once(_Ports).answer(selected, port)
        reached = next((pod for pod in stray if not named and not _declares(pod, port)), None)
        if reached and not lacking:
            yield Breach(
                f"{port.pointer}/targetPort",
                f"{reached.resource} has the labels of the selector, and requests reach its pod on port "
                f"{_target(port)}/{port.protocol} while it runs.",
                remedy="Remove the labels from the Job's pod template, or set targetPort to a port name that only the "
                "server declares.",
            )
        if lacking:
            patch = {"op": "add", "path": f"{port.pointer}/targetPort", "value": common}
            yield Breach(
                f"{port.pointer}/targetPort",
                f"{lacking.resource} declares no port {_target(port)}/{port.protocol}.",
                (patch,) if common else (),
                remedy=""
                if named
                else "Set targetPort to a port that all pods of the Service declare, or declare the "
                "port on which their process listens.",
            )


def _jobs_beside_servers(selected: Sequence[Pod]) -> Sequence[Pod]:
    """The pods of Jobs among the pods of a Service that has other pods, too."""
    jobs = [pod for pod in selected if pod.resource.kind in ("CronJob", "Job")]
    return jobs if len(jobs) < len(selected) else ()


def _declares(pod: Pod, port: ServicePort) -> bool:
    """Whether a pod declares the numeric target of a Service's port, or its command listens there."""
    target = _target(port)
    lasting = [container for container in pod.containers if container.lasting]
    return any(
        server(c).port == target or any(p.container_port == target and p.protocol == port.protocol for p in c.ports)
        for c in lasting
    )


class _Ports:
    """Which pod of a selection lacks a port, and the one that all have; each question is answered once."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._answers: dict[tuple[int, int | str | None, str], tuple[Pod | None, int | None]] = {}

    def answer(self, selected: Sequence[Pod], port: ServicePort) -> tuple[Pod | None, int | None]:
        """The first pod that lacks the target port, None if all have it; and the port to use instead, if there is one.

        selected: a sequence of the inventory, which the answer is kept for.
        """
        key = id(selected), _target(port), port.protocol
        if key not in self._answers:
            stray = _jobs_beside_servers(selected)
            lasting = [pod for pod in selected if pod not in stray] if stray else selected
            lacking = next((pod for pod in _lacking(lasting, port) if not _names(pod, port, self._inventory)), None)
            self._answers[key] = lacking, _common_port(selected, port.protocol) if lacking else None
        return self._answers[key]


def _target(port: ServicePort) -> int | str | None:
    # 0 means the same as none.
    return port.port if port.target_port is None or port.target_port == 0 else port.target_port


def _lacking(selected: Sequence[Pod], port: ServicePort) -> Iterator[Pod]:
    """The pods that do not declare the target port of a Service's port."""
    target = _target(port)
    return (pod for pod in selected if target and not _offers(pod, target, port.protocol))


_TOLD = ("args", "command", "env")


def _names(pod: Pod, port: ServicePort, inventory: Inventory) -> bool:
    """Whether the number of a port is in a command, a variable or a mounted ConfigMap, so that a process may use it."""
    target = _target(port)
    if isinstance(target, str):
        return False
    told: list[Any] = [{key: container.body.get(key) for key in _TOLD} for container in pod.containers]
    for volume in sequence(at(pod.spec, "volumes")):
        for source in (volume, *sequence(at(volume, "projected", "sources"))):
            name = text(at(source, "configMap", "name"))
            found = inventory.find("ConfigMap", pod.resource.namespace, name) if name else None
            told += [found.body.get("data")] if found else []
    return re.search(rf"(?<![\w.-]){target}(?![\w.%-])", content(told)) is not None


def _offers(pod: Pod, target: int | str, protocol: str) -> bool:
    declares = False
    for container in pod.containers:
        if container.lasting:
            for port in container.ports:
                found = port.name if isinstance(target, str) else port.container_port
                if found == target and port.protocol == protocol:
                    return True
                declares = True
    if isinstance(target, str):
        return False
    listens = {server(container).port for container in pod.containers if container.lasting}
    return target in listens or (not declares and None in listens)


def _common_port(selected: Sequence[Pod], protocol: str) -> int | None:
    """The one port that all the pods declare; None if there is none, or several."""
    if not _known(pod.resource for pod in selected):
        return None
    common = set.intersection(
        *(
            {p.container_port for c in pod.containers if c.lasting for p in c.ports if p.protocol == protocol}
            for pod in selected
        )
    )
    return common.pop() if len(common) == 1 else None


class Outside(Section):
    """Parameters of SV03.

    outside: the Services that may have type NodePort or LoadBalancer, as patterns Kind/namespace/name, in addition to
        Services whose pods all run Envoy or Contour.
    types: the types that other Services may not have: NodePort, LoadBalancer or both.
    """

    outside: tuple[str, ...] = (CONTROLLER.replace("DaemonSet", "Service"),)
    types: tuple[Literal["NodePort", "LoadBalancer"], ...] = Field(
        ("NodePort", "LoadBalancer"), examples=[["LoadBalancer"]]
    )


@partial(
    Rule,
    code="SV03",
    title="Only the ingress controller's Service is reachable from outside",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.RESOURCE,
    of=services,
    hop=HopName.SERVICE,
    parameters=Outside,
    remediable=True,
    why="A NodePort, which a LoadBalancer also opens, exposes the Service on every node and bypasses the rules of "
    "every Ingress.",
    remedy="Set `spec.type` to ClusterIP and route to the Service with an Ingress, or add it to the parameter "
    "`outside` of SV03.",
    references=(_SERVICES + "#publishing-services-service-types",),
    bad=_POD
    + _example("{type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}"),
    good=_POD + _example("{type: ClusterIP, selector: {app: web}, ports: [{port: 8080}]}"),
)
def not_outside(service: DeclaredService, inventory: Inventory, parameters: Outside) -> Iterator[Breach]:
    if service.type not in parameters.types or service.resource.means(parameters.outside):
        return
    selected = inventory.pods_of(service)
    if selected and all(serves(pod) for pod in selected):
        return
    key = (service.resource.namespace, service.resource.name)
    leading = None if service.resource.vague else inventory.once(routed).get(key)
    yield Breach(
        "/spec/type",
        f"the Service has type {service.type}" + (f" and bypasses {leading}." if leading else "."),
        _inside(service),
        evidence=service.type,
        # One that is out of range is refused, and the type with it.
        causes=tuple((service.resource, f"{port.pointer}/nodePort") for port in service.ports if port.node_port),
    )


_OUTSIDE_ONLY = (
    *("allocateLoadBalancerNodePorts", "externalTrafficPolicy", "healthCheckNodePort"),
    *("loadBalancerClass", "loadBalancerIP", "loadBalancerSourceRanges"),
)


def _inside(service: DeclaredService) -> tuple[Mapping[str, Any], ...]:
    """Makes it a ClusterIP, without the fields that the API refuses there."""
    operations: list[Mapping[str, Any]] = [{"op": "replace", "path": "/spec/type", "value": "ClusterIP"}]
    operations += [{"op": "remove", "path": f"/spec/{key}"} for key in _OUTSIDE_ONLY if key in service.spec]
    declared = service.spec.get("ports")
    operations += [
        {"op": "remove", "path": f"/spec/ports/{index}/nodePort"}
        for index, port in enumerate(declared if isinstance(declared, list) else ())
        if isinstance(port, dict) and "nodePort" in port
    ]
    return tuple(operations)


class ExternalAddresses(Section):
    """Parameters of SV04.

    addresses: the external IPs that a Service may have.
    """

    addresses: tuple[str, ...] = Field((), examples=[["192.0.2.10"]])


@partial(
    Rule,
    code="SV04",
    title="A Service has no external IPs",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.RESOURCE,
    of=services,
    hop=HopName.SERVICE,
    parameters=ExternalAddresses,
    remediable=True,
    why="kube-proxy redirects traffic for an external IP to the Service, even if the address belongs to another "
    "system. A Service can thereby intercept the traffic of others (CVE-2020-8554).",
    remedy="Remove externalIPs and route to the Service with an Ingress, or add the address to the parameter "
    "`addresses` of SV04.",
    references=("https://github.com/kubernetes/kubernetes/issues/97076",),
    bad=_POD + _example("{selector: {app: web}, ports: [{port: 80, targetPort: 8080}], externalIPs: [203.0.113.7]}"),
    good=_POD + _example("{selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}"),
)
def no_external_ips(service: DeclaredService, _: Inventory, parameters: ExternalAddresses) -> Iterator[Breach]:
    given = texts(service.spec.get("externalIPs"))
    if not given:
        return
    if any(ip is UNKNOWN for ip in given):
        raise Undecidable
    others = [ip for ip in given if ip not in parameters.addresses]
    if others:
        kept = [ip for ip in given if ip in parameters.addresses]
        yield Breach(
            "/spec/externalIPs",
            f"externalIPs contains {', '.join(others)}.",
            ({"op": "replace", "path": "/spec/externalIPs", "value": kept},)
            if kept
            else ({"op": "remove", "path": "/spec/externalIPs"},),
            evidence=", ".join(others),
        )


@partial(
    Rule,
    code="SV05",
    title="An ExternalName does not resolve to the client itself",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=services,
    hop=HopName.SERVICE,
    why="A client that resolves such a name connects to itself: Envoy to its own admin interface, a node to the "
    "metadata service at 169.254.169.254. Contour rejects these names.",
    remedy="Set externalName to another host, or use a Service with a selector.",
    references=("https://github.com/projectcontour/contour/security/advisories/GHSA-5ph6-qq5x-7jwc",),
    bad=_example("{type: ExternalName, externalName: localhost}"),
    good=_example("{type: ExternalName, externalName: db.example.com}"),
)
def not_back_here(service: DeclaredService, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    if service.type != "ExternalName":
        return
    name = text(service.spec.get("externalName"))
    if name and _is_here(name.lower().rstrip(".")):
        yield Breach("/spec/externalName", f"externalName {name} resolves to the client itself.", evidence=name)


# The last one is a public name for 127.0.0.1, which Contour refuses too (internal/dag/accessors.go).
_HERE = ("ip6-localhost", "ip6-loopback", "localhost", "localhost.localdomain", "local.projectcontour.io")


def _is_here(name: str) -> bool:
    found = address(name.strip("[]"))
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found
    if found:
        return found.is_loopback or found.is_link_local or found.is_unspecified
    return name in _HERE or name.endswith(".localhost")


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
    "same selector, type and ports are two names for the same thing, and a later change easily misses one of them.",
    remedy="Add a label to the selector that only one workload has, or remove one of the Services.",
    references=(_SERVICES,),
    bad=_POD
    + _example("{selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}")
    + _example("{selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}", "web-too"),
    good=_POD
    + _example("{selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}")
    + _example("{clusterIP: None, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}", "web-pods"),
)
def one_workload(service: DeclaredService, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    if service.type == "ExternalName" or not service.selector:
        return
    selected = inventory.pods_of(service)
    named = any(isinstance(_target(port), str) for port in service.ports)
    made = inventory.once(_Workloads).of(selected, jobs=named)
    if len(made) > 1:
        more = f" and {len(made) - _MOST_NAMED} more" if len(made) > _MOST_NAMED else ""
        workloads = ", ".join(made[:_MOST_NAMED])
        yield Breach("/spec/selector", f"the selector matches several workloads: {workloads}{more}.")
    if not _headless(service):
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
            stray = () if jobs else _jobs_beside_servers(selected)
            among = [pod for pod in selected if pod not in stray] if stray else selected
            # Pods that nothing makes are taken as the replicas of one workload.
            made = {str(pod.resource) if pod.resource.kind != "Pod" else "pods without a workload" for pod in among}
            self._of[key] = sorted(made)
        return self._of[key]


def _headless(service: DeclaredService) -> bool:
    """Whether it only gives names to pods, as a StatefulSet's does beside the Service that is asked."""
    return text(service.spec.get("clusterIP")) == "None"


_Key = tuple[str | None, str, frozenset[tuple[str, str]], frozenset[tuple[int | None, int | str | None, str]]]


def _key(service: DeclaredService) -> _Key:
    if service.resource.nowhere:
        raise Undecidable
    ports = frozenset((port.port, _target(port), port.protocol) for port in service.ports)
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


def _pods_and_services(inventory: Inventory) -> Iterable[Pod | DeclaredService]:
    return chain(inventory.pods, inventory.services)


@partial(
    Rule,
    code="SV07",
    title="Port names are valid and unique",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    scope=Scope.RESOURCE,
    of=_pods_and_services,
    hop=HopName.SERVICE,
    why="The API server rejects an unnamed port in a Service with several ports, a duplicate name and a malformed "
    "name. A probe on a port that its container does not declare is often misspelled; it succeeds only if the process "
    "listens there, and without success the pod receives no requests.",
    remedy="Give every port a unique name of lower-case letters, digits and hyphens, and set the port of a probe to a "
    "declared port.",
    references=(_SERVICES + "#multi-port-services",),
    bad=_POD
    + "    readinessProbe: {httpGet: {port: 8008}}"
    + _example("{selector: {app: web}, ports: [{port: 80, targetPort: http}]}").replace("---", "\n---", 1),
    good=_POD
    + _example(
        "{selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}, "
        "{name: other, port: 81, targetPort: http}]}"
    ),
)
def port_names(subject: Pod | DeclaredService, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    return _service_ports(subject) if isinstance(subject, DeclaredService) else _pod_ports(subject)


# A container's port name is an IANA service name, a Service's a DNS label.
_PORT_NAME = re.compile(r"(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")


def _service_ports(service: DeclaredService) -> Iterator[Breach]:
    seen: set[str] = set()
    several = len(service.ports) > 1
    names = {port.name for port in service.ports if port.name is not UNKNOWN}
    for port in service.ports:
        name, target = port.name, port.target_port
        if name:
            if not DNS_LABEL.fullmatch(name):
                yield Breach(f"{port.pointer}/name", f"{name!r} is not a valid port name.")
            elif name in seen:
                yield Breach(f"{port.pointer}/name", f"two ports have the name {name}.", _named(service, port, names))
            seen.add(name)
        elif several:
            yield Breach(
                port.pointer,
                f"port {port.port} has no name, although the Service has several ports.",
                _named(service, port, names),
            )
        if isinstance(target, str):
            if not _PORT_NAME.fullmatch(target):
                yield Breach(
                    f"{port.pointer}/targetPort",
                    f"{target!r} is not a valid port name.",
                    ({"op": "replace", "path": f"{port.pointer}/targetPort", "value": int(target)},)
                    if target.isdecimal() and len(target) < 6 and 0 < int(target) < 65536
                    else (),
                )
        elif target and not 0 < target < 65536:
            yield Breach(f"{port.pointer}/targetPort", f"targetPort {target} is not a port from 1 to 65535.")


def _named(service: DeclaredService, port: ServicePort, names: Collection[str | None]) -> tuple[Mapping[str, Any], ...]:
    """Names a port by protocol and number, where none of the names is that."""
    if not _known([service.resource]):
        return ()
    name = f"{port.protocol.lower()}-{port.port}"
    return (
        ()
        if name in names or not DNS_LABEL.fullmatch(name)
        else ({"op": "add", "path": f"{port.pointer}/name", "value": name},)
    )


_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_ACTIONS = ("httpGet", "tcpSocket", "grpc")


def _pod_ports(pod: Pod) -> Iterator[Breach]:
    shared: set[str] = set()
    for container in pod.containers:
        if container.ports:
            seen = shared if container.lasting else set()
            for port in container.ports:
                if not port.name:
                    continue
                if not _PORT_NAME.fullmatch(port.name):
                    yield Breach(f"{port.pointer}/name", f"{port.name!r} is not a valid port name.")
                elif port.name in seen:
                    yield Breach(f"{port.pointer}/name", f"two ports of the pod have the name {port.name}.")
                seen.add(port.name)
        for key in _PROBES:
            if key in container.body:
                yield from _probe(container, key)


def _probe(container: PodContainer, key: str) -> Iterator[Breach]:
    for action in _ACTIONS:
        given = at(container.body, key, action, "port")
        wanted = text(given) if isinstance(given, str) else number(given)
        if not wanted:
            continue
        if isinstance(wanted, str) and wanted.isdecimal():
            wanted = int(wanted[:6])
        if not _opens(container.ports, wanted):
            path = f"{container.pointer}/{key}/{action}/port"
            only = container.ports[0] if len(container.ports) == 1 else None
            yield Breach(
                path,
                f"{key} of container {container.name} uses port {wanted}, which the container does not declare.",
                ({"op": "replace", "path": path, "value": only.container_port},)
                if only and only.container_port and only.protocol == "TCP"
                else (),
                remedy="Set the port of the probe to a declared port, or declare the port of the process.",
            )


def _opens(ports: Sequence[Port], wanted: int | str) -> bool:
    if isinstance(wanted, str):
        return any(port.name == wanted and port.protocol == "TCP" for port in ports)
    # A container that declares none may listen on any.
    return not ports or any(port.container_port == wanted and port.protocol == "TCP" for port in ports)


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
    if isinstance(template.get("metadata"), dict):
        return ({"op": "add", "path": f"{base}/template/metadata/labels", "value": {**pod.labels, **labels}},)
    return ({"op": "add", "path": f"{base}/template/metadata", "value": {"labels": dict(labels)}},)


@partial(
    Rule,
    code="SV09",
    title="A container declares the port on which its command listens",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    scope=Scope.RESOURCE,
    of=pods,
    hop=HopName.POD,
    why="containerPort opens nothing; it only documents the port of the process. If it differs from the port in the "
    "command, the Service forwards to the wrong port: the connection is refused, and Envoy returns 503.",
    remedy="Set containerPort, targetPort and the port in the command to the same number.",
    references=("https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/",),
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec:
  containers:
  - name: web
    image: web:1
    command: [python, -m, http.server, "8000", --directory, /srv]
    ports: [{containerPort: 8080}]
""",
    good="""
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec:
  containers:
  - name: web
    image: web:1
    command: [python, -m, http.server, "8080", --directory, /srv]
    ports: [{containerPort: 8080}]
""",
)
def listens_as_declared(pod: Pod, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    for container in pod.containers:
        listening = server(container).port
        if not listening or not container.ports or not container.lasting:
            continue
        if all(port.container_port != listening for port in container.ports):
            declared = container.ports[0]
            yield Breach(
                f"{declared.pointer}/containerPort",
                f"container {container.name} listens on port {listening}, which it does not declare.",
                ({"op": "add", "path": f"{declared.pointer}/containerPort", "value": listening},)
                if len(container.ports) == 1 and not _targeted(pod, declared.container_port, inventory)
                else (),
                evidence=str(declared.container_port),
            )


def _targeted(pod: Pod, number_: int | None, inventory: Inventory) -> bool:
    """Whether a Service sends to a pod's port by its number."""
    targets = inventory.once(_Targets)
    return any(targets.unknown_or_has(services, number_) for services in inventory.services_of(pod))


class _Targets:
    """The target ports of Services with one selector, collected once."""

    def __init__(self, _: Inventory) -> None:
        self._of: dict[int, frozenset[int | str | None] | None] = {}

    def unknown_or_has(self, services: Sequence[DeclaredService], number_: int | None) -> bool:
        """Whether one of them sends to a port, or has unknown values. services: a group of the inventory."""
        if id(services) not in self._of:
            known = _known(service.resource for service in services)
            targets = frozenset(_target(port) for service in services for port in service.ports) if known else None
            self._of[id(services)] = targets
        targets = self._of[id(services)]
        return targets is None or number_ in targets

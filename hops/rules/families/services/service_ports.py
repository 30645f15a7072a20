"""SV02, SV07 and SV09: the ports of Services and of the pods behind them."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

from hops.kubernetes.commands import server
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.pods import Pod, PodContainer, Port
from hops.kubernetes.resources.resource import Resource, content
from hops.kubernetes.resources.services import DeclaredService, ServicePort
from hops.kubernetes.routing.exposed import OUTSIDE, routed
from hops.kubernetes.values import UNKNOWN, at, number, sequence, text
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.model.settings.setting_types import DNS_LABEL
from hops.rules.families.samples import SERVED_POD, service_example
from hops.rules.rule import Breach, NoParameters, Rule, Scope, pods, services

SERVICES = "https://kubernetes.io/docs/concepts/services-networking/service/"


def all_known(resources: Iterable[Resource]) -> bool:
    """Whether all of them is known, so that a patch may be thought out without losing the verdict."""
    return not any(resource.unknown for resource in resources)


def jobs_beside_servers(selected: Sequence[Pod]) -> Sequence[Pod]:
    """The pods of Jobs among the pods of a Service that has other pods, too."""
    jobs = [pod for pod in selected if pod.resource.kind in ("CronJob", "Job")]
    return jobs if len(jobs) < len(selected) else ()


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
    "mounted ConfigMap. If only clients inside the cluster reach a Service, a number beside a declared port may be one "
    "that the process opens only if it is configured, such as https.",
    remedy="Set targetPort to a port that all pods of the Service declare.",
    references=(SERVICES,),
    bad=SERVED_POD + service_example("{selector: {app: web}, ports: [{port: 80}]}"),
    good=SERVED_POD + service_example("{selector: {app: web}, ports: [{port: 80, targetPort: http}]}"),
)
def target_port(service: DeclaredService, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    if service.type == "ExternalName":
        return
    selected = inventory.pods_of(service)
    stray = jobs_beside_servers(selected)
    for port in service.ports if selected else ():
        named = isinstance(port.target, str)
        lacking, common = inventory.once(_Ports).answer(selected, port)
        reached = next((pod for pod in stray if not named and not _declares(pod, port)), None)
        if reached and not lacking:
            yield Breach(
                f"{port.pointer}/targetPort",
                f"{reached.resource} has the labels of the selector, and requests reach its pod on port "
                f"{port.target}/{port.protocol} while it runs.",
                remedy="Remove the labels from the Job's pod template, or set targetPort to a port name that only the "
                "server declares.",
            )
        if lacking and (named or not _optional(service, port, selected, inventory)):
            patch = {"op": "add", "path": f"{port.pointer}/targetPort", "value": common}
            yield Breach(
                f"{port.pointer}/targetPort",
                f"{lacking.resource} declares no port {port.target}/{port.protocol}.",
                (patch,) if common else (),
                remedy="" if named else _OR_DECLARE,
            )


def _optional(service: DeclaredService, port: ServicePort, selected: Sequence[Pod], inventory: Inventory) -> bool:
    """Whether a Service inside the cluster has another port, which its pods declare.

    containerPort opens nothing, so a number proves a mistake only if it is the way of requests.
    """
    resource = service.resource
    if service.type in OUTSIDE or (resource.namespace, resource.name) in inventory.once(routed):
        return False
    return any(
        other.target != port.target and all(_declares(pod, other) for pod in selected) for other in service.ports
    )


_OR_DECLARE = (
    "Set targetPort to a port that all pods of the Service declare, or declare the port on which their process listens."
)


def _declares(pod: Pod, port: ServicePort) -> bool:
    """Whether a pod declares the numeric target of a Service's port, or its command listens there."""
    target = port.target
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
        key = id(selected), port.target, port.protocol
        if key not in self._answers:
            stray = jobs_beside_servers(selected)
            lasting = [pod for pod in selected if pod not in stray] if stray else selected
            lacking = next(
                (pod for pod in lacking_pods(lasting, port) if not _configured(pod, port, self._inventory)), None
            )
            self._answers[key] = lacking, _common_port(selected, port.protocol) if lacking else None
        return self._answers[key]


def lacking_pods(selected: Sequence[Pod], port: ServicePort) -> Iterator[Pod]:
    """The pods that do not declare the target port of a Service's port."""
    target = port.target
    return (pod for pod in selected if target and not _offers(pod, target, port.protocol))


def _configured(pod: Pod, port: ServicePort, inventory: Inventory) -> bool:
    """Whether the number of a port is in a command, a variable or a mounted ConfigMap, so that a process may use it."""
    if isinstance(port.target, str):
        return False
    given: list[Any] = [{key: c.body.get(key) for key in ("args", "command", "env")} for c in pod.containers]
    for volume in sequence(at(pod.spec, "volumes")):
        for source in (volume, *sequence(at(volume, "projected", "sources"))):
            name = text(at(source, "configMap", "name"))
            found = inventory.find("ConfigMap", pod.resource.namespace, name) if name else None
            given += [found.body.get("data")] if found else []
    return re.search(rf"(?<![\w.-]){port.target}(?![\w.%-])", content(given)) is not None


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
    if not all_known(pod.resource for pod in selected):
        return None
    common = set.intersection(
        *(
            {p.container_port for c in pod.containers if c.lasting for p in c.ports if p.protocol == protocol}
            for pod in selected
        )
    )
    return common.pop() if len(common) == 1 else None


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
    references=(SERVICES + "#multi-port-services",),
    bad=SERVED_POD
    + "    readinessProbe: {httpGet: {port: 8008}}"
    + service_example("{selector: {app: web}, ports: [{port: 80, targetPort: http}]}").replace("---", "\n---", 1),
    good=SERVED_POD
    + service_example(
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
    if not all_known([service.resource]):
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
        probed = text(given) if isinstance(given, str) else number(given)
        if not probed:
            continue
        if isinstance(probed, str) and probed.isdecimal():
            probed = int(probed[:6])
        if not _opens(container.ports, probed):
            path = f"{container.pointer}/{key}/{action}/port"
            only = container.ports[0] if len(container.ports) == 1 else None
            yield Breach(
                path,
                f"{key} of container {container.name} uses port {probed}, which the container does not declare.",
                ({"op": "replace", "path": path, "value": only.container_port},)
                if only and only.container_port and only.protocol == "TCP"
                else (),
                remedy="Set the port of the probe to a declared port, or declare the port of the process.",
            )


def _opens(ports: Sequence[Port], probed: int | str) -> bool:
    if isinstance(probed, str):
        return any(port.name == probed and port.protocol == "TCP" for port in ports)
    # A container that declares none may listen on any.
    return not ports or any(port.container_port == probed and port.protocol == "TCP" for port in ports)


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
            known = all_known(service.resource for service in services)
            targets = frozenset(port.target for service in services for port in service.ports) if known else None
            self._of[id(services)] = targets
        targets = self._of[id(services)]
        return targets is None or number_ in targets

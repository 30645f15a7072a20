"""KN01 to KN06: the ports that kind nodes publish."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from pydantic import Field

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.deployments import replicas
from hops.kubernetes.resources.kind_nodes import (
    KindConfiguration,
    KindNode,
    Mapped,
    Placement,
    clusters,
    conditions,
    nodes,
    overlap,
)
from hops.kubernetes.resources.pods import Pod, Port
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.values import (
    Undecidable,
    address,
    at,
    text,
)
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.model.project_files import stack_path
from hops.model.settings.setting_types import Port as PortNumber
from hops.model.settings.setting_types import Section
from hops.rules.families.host_ports import Controllers
from hops.rules.families.kind_clusters.kind_configurations import KIND, declared, ip_family
from hops.rules.families.samples import CLUSTER, ENVOY
from hops.rules.rule import Breach, NoParameters, Rule, Scope, pods


def entry_ports(pod: Pod) -> Iterator[Port]:
    """The hostPorts that requests from outside the node are meant to reach."""
    for container in pod.containers if pod.host_ports else ():
        if container.lasting:
            for port in container.ports:
                host = address(port.host_ip)
                if port.host_port and not (host and host.is_loopback):
                    yield port


@partial(
    Rule,
    code="KN01",
    title="A kind node publishes the hostPort",
    yields_to=("HP01", "HP02", "KN03"),
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=pods,
    hop=HopName.PORT_MAPPING,
    why="A kind node is a container. Its ports are reachable from the machine only if extraPortMappings publish them, "
    "and kind applies the mappings only when it creates the node. Without a mapping, the connection is refused "
    "although every pod is healthy.",
    remedy="Add the port to extraPortMappings of a node that can run the pod, then recreate the cluster.",
    references=(KIND, "https://github.com/kubernetes-sigs/kind/issues/758"),
    bad=CLUSTER.replace("80,", "8080,") + "---" + ENVOY,
    good=CLUSTER + "---" + ENVOY,
)
def published(pod: Pod, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    for port in entry_ports(pod):
        placement = inventory.once(Placement)
        if placement and not placement.reached(pod, port):
            taking = placement.taking(pod)
            cluster, node = taking[0] if taking else placement.first()
            path = f"{port.pointer}/hostPort"
            taken = port.host_port in placement.host_ports(cluster)
            message = f"no node that can run the pod publishes hostPort {port.host_port}/{port.protocol}"
            remedy = ""
            if instead := inventory.once(_Mismatches).mapping_for(pod.resource, path):
                unused, mapped = instead
                message += (
                    f", and no pod uses port {mapped.container_port}/{mapped.protocol}, which {unused.name} publishes"
                )
                change, other = (
                    f"containerPort of the mapping to {port.host_port}",
                    f"hostPort to {mapped.container_port}",
                )
                if mapped.container_port == port.host_port:
                    change = f"protocol of the mapping to {port.protocol}"
                    other = f"protocol of the hostPort to {mapped.protocol}"
                remedy = f"Set {change} and recreate the cluster, or set {other}."
            yield Breach(
                path,
                f"{message}.",
                () if taken or not taking else _publish(cluster, node, port),
                patches=cluster.resource,
                remedy=remedy,
            )


def _publish(cluster: KindConfiguration, node: KindNode, port: Port) -> tuple[Mapping[str, Any], ...]:
    entry = {
        "containerPort": port.host_port,
        "hostPort": port.host_port,
        "listenAddress": "127.0.0.1",
        "protocol": port.protocol,
    }
    if at(cluster.resource.body, "nodes") in (None, []):
        return ({"op": "add", "path": "/nodes", "value": [{"role": "control-plane", "extraPortMappings": [entry]}]},)
    given = at(cluster.resource.body, "nodes", int(node.pointer.rpartition("/")[2]), "extraPortMappings")
    path = f"{node.pointer}/extraPortMappings"
    if isinstance(given, list):
        return ({"op": "add", "path": f"{path}/-", "value": entry},)
    return ({"op": "add", "path": path, "value": [entry]},)


@partial(
    Rule,
    code="KN02",
    title="A pod or Service receives what a published port forwards",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    scope=Scope.STACK,
    of=declared,
    hop=HopName.PORT_MAPPING,
    why="Docker accepts connections on a published port even if nothing in the node listens on it. The client "
    "receives an empty reply or a reset, and no other program can use the port.",
    remedy="Remove the entry from extraPortMappings, or set this hostPort on a pod of the node.",
    references=(KIND,),
    bad=CLUSTER.replace(
        "extraPortMappings: [", "extraPortMappings: [{containerPort: 443, hostPort: 443, listenAddress: 127.0.0.1}, "
    )
    + "---"
    + ENVOY,
    good=CLUSTER + "---" + ENVOY,
)
def answered(cluster: KindConfiguration, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    # A cluster's configuration by itself says nothing of what will run there.
    if not inventory.pods:
        return
    for node, mapped in _unanswered(cluster, inventory):
        host_port = inventory.once(_Mismatches).host_port_for(cluster.resource, mapped.pointer)
        yield Breach(
            mapped.pointer,
            f"{node.name} publishes port {mapped.container_port}/{mapped.protocol} as "
            f"{mapped.listen_address}:{mapped.host_port}, but no pod or Service of the node uses the port.",
            ({"op": "remove", "path": mapped.pointer},),
            absence=True,
            causes=(host_port,) if host_port else (),
        )


def _unanswered(cluster: KindConfiguration, inventory: Inventory) -> Iterator[tuple[KindNode, Mapped]]:
    """The published ports that no pod or Service of their node uses. Raises Undecidable."""
    taken, node_ports = inventory.once(_taken), inventory.once(_node_ports)
    for node in cluster.nodes:
        for mapped in node.mappings:
            published = (mapped.container_port, mapped.protocol)
            holders = taken.get(published, ())
            if any(node.refuses(pod) is None for pod in holders) or published in node_ports:
                continue
            # KN01 and KN03 report a pod that takes the port and runs where nobody publishes it.
            if any(not _reached(pod, published, inventory) for pod in holders):
                continue
            if (None, mapped.protocol) in node_ports and 30000 <= (mapped.container_port or 0) <= 32767:
                continue
            if not _is_api_server(node, mapped):
                yield node, mapped


class _Mismatches:
    """Pairs of a hostPort that no node publishes and a mapping of its node that nothing uses: one mistake.

    Call it as `inventory.once(_Mismatches)`. There is no pair where a value is not known yet.
    """

    def __init__(self, inventory: Inventory) -> None:
        self._mappings: dict[tuple[Resource, str], tuple[KindNode, Mapped]] = {}
        self._host_ports: dict[tuple[Resource, str], tuple[Resource, str]] = {}
        with suppress(Undecidable):
            free = [
                (cluster, node, mapped)
                for cluster in inventory.once(clusters)
                for node, mapped in _unanswered(cluster, inventory)
            ]
            for pod in inventory.pods if free else ():
                for port in entry_ports(pod):
                    if not inventory.once(Placement).reached(pod, port):
                        self._pair(pod, port, free)

    def _pair(self, pod: Pod, port: Port, free: list[tuple[KindConfiguration, KindNode, Mapped]]) -> None:
        # A mapping of the same port has another protocol.
        for one in sorted(free, key=lambda one: one[2].container_port != port.host_port):
            cluster, node, mapped = one
            same = mapped.container_port == port.host_port or mapped.protocol == port.protocol
            if same and node.refuses(pod) is None:
                host_port = pod.resource, f"{port.pointer}/hostPort"
                self._mappings[host_port] = node, mapped
                self._host_ports[cluster.resource, mapped.pointer] = host_port
                free.remove(one)
                return

    def mapping_for(self, pod: Resource, path: str) -> tuple[KindNode, Mapped] | None:
        """The mapping that is paired with the hostPort at a JSON pointer of a workload."""
        return self._mappings.get((pod, path))

    def host_port_for(self, cluster: Resource, path: str) -> tuple[Resource, str] | None:
        """The hostPort that is paired with the mapping at a JSON pointer of a kind configuration."""
        return self._host_ports.get((cluster, path))


def _reached(pod: Pod, port: tuple[int | None, str], inventory: Inventory) -> bool:
    """Whether a node publishes a port of the node and can run the pod that takes it."""
    return any(
        node.refuses(pod) is None and any((m.container_port, m.protocol) == port for m in node.mappings)
        for _, node in nodes(inventory)
    )


def _is_api_server(node: KindNode, mapped: Mapped) -> bool:
    return mapped.container_port == 6443 and "-control-plane" in node.name


def _taken(inventory: Inventory) -> Mapping[tuple[int | None, str], Collection[Pod]]:
    """The pods that use a port of their node, one of those that the same nodes can run."""
    taken: dict[tuple[int | None, str], dict[str, Pod]] = defaultdict(dict)
    for pod in inventory.pods:
        for port, number_ in pod.node_ports():
            taken[number_, port.protocol].setdefault(conditions(pod), pod)
    return {key: pods.values() for key, pods in taken.items()}


def _node_ports(inventory: Inventory) -> frozenset[tuple[int | None, str]]:
    """The NodePorts of Services, with None for one that the API server will choose."""
    return frozenset(
        (port.node_port or None, port.protocol)
        for service in inventory.services
        if service.type in ("NodePort", "LoadBalancer")
        for port in service.ports
    )


@partial(
    Rule,
    code="KN03",
    title="The ingress controller runs on the node that publishes its port",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=pods,
    hop=HopName.HOST_PORT,
    parameters=Controllers,
    why="A published port forwards only to pods on the publishing node, and a pod of a Deployment can run on any node "
    "that accepts it. If the cluster has a worker, kind keeps the "
    "taint of the control-plane node, and Contour's published Envoy DaemonSet does not tolerate it.",
    remedy="Publish the port on a node that can run the controller, or change the controller's tolerations and "
    "nodeSelector so that it runs on the publishing node.",
    references=(
        "https://github.com/kubernetes-sigs/kind/issues/758",
        "https://github.com/kubernetes-sigs/kind/issues/1460",
    ),
    bad="""
apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
name: dev
nodes:
- {role: control-plane, extraPortMappings: [{containerPort: 80, hostPort: 80, listenAddress: 127.0.0.1}]}
- {role: worker}
---"""
    + ENVOY,
    good=CLUSTER + "---" + ENVOY,
)
def runs_where_published(pod: Pod, inventory: Inventory, parameters: Controllers) -> Iterator[Breach]:
    if not pod.host_ports or not parameters.mean(pod):
        return
    for port in entry_ports(pod):
        refusals = [(node, node.refuses(pod)) for _, node in inventory.once(Placement).publishing(port)]
        if refusals and all(reason for _, reason in refusals):
            node, reason = refusals[0]
            tolerations = at(pod.spec, "tolerations")
            toleration = {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"}
            lists = isinstance(tolerations, list)
            yield Breach(
                f"{port.pointer}/hostPort",
                f"only {node.name} publishes port {port.host_port}, and this node cannot run the pod: {reason}.",
                (
                    {
                        "op": "add",
                        "path": f"{pod.pointer}/tolerations{'/-' if lists else ''}",
                        "value": toleration if lists else [toleration],
                    },
                )
                if reason and "taint" in reason
                else (),
            )
        elif pod.resource.kind != "DaemonSet" and (elsewhere := _elsewhere(pod, port, inventory)):
            yield Breach(
                f"{port.pointer}/hostPort",
                f"the pod can run on {elsewhere.name}, which does not publish port {port.host_port}: requests are "
                "refused while it runs there.",
                remedy="Use a DaemonSet, set nodeSelector to a label that only the publishing node has, or publish the "
                "port on every node that can run the pod.",
            )


def _elsewhere(pod: Pod, port: Port, inventory: Inventory) -> KindNode | None:
    """A node beside the publishing one that can run a pod and publishes nothing; None if pods fill all nodes."""
    declared_ = None if pod.resource.kind == "Pod" else replicas(pod.resource.body)
    desired = 1 if declared_ is None else declared_
    for cluster in inventory.once(clusters):
        taking = [node for node in cluster.nodes if node.refuses(pod) is None]
        others = [node for node in taking if not node.publishes(port)]
        # Each node runs one pod with the port.
        if others and len(others) < len(taking) and desired < len(taking):
            return others[0]
    return None


@partial(
    Rule,
    code="KN04",
    title="The nodes of a cluster publish different ports",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=declared,
    hop=HopName.PORT_MAPPING,
    why="All node containers publish ports on the same machine. kind compares only the mappings within one node, so "
    "the creation of the second node fails with `port is already allocated`.",
    remedy="Remove the mapping from one of the nodes, or change its hostPort.",
    references=("https://github.com/kubernetes-sigs/kind/issues/1660",),
    bad="""
apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
name: dev
nodes:
- {role: worker, extraPortMappings: [{containerPort: 80, hostPort: 80, listenAddress: 127.0.0.1}]}
- {role: worker, extraPortMappings: [{containerPort: 80, hostPort: 80, listenAddress: 127.0.0.1}]}
- {role: control-plane}
""",
    good="""
apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
name: dev
nodes:
- {role: worker, extraPortMappings: [{containerPort: 80, hostPort: 80, listenAddress: 127.0.0.1}]}
- {role: worker, extraPortMappings: [{containerPort: 80, hostPort: 8080, listenAddress: 127.0.0.1}]}
- {role: control-plane}
""",
)
def published_once(cluster: KindConfiguration, _: Inventory, __: NoParameters) -> Iterator[Breach]:
    seen: dict[tuple[int, str], list[tuple[KindNode, Mapped]]] = defaultdict(list)
    for node in cluster.nodes:
        for mapped in node.mappings:
            if mapped.host_port > 0:
                earlier = seen[mapped.host_port, mapped.protocol]
                rival = next((n for n, m in earlier if overlap(m.listen_address, mapped.listen_address)), None)
                if rival:
                    yield Breach(
                        f"{mapped.pointer}/hostPort",
                        f"{node.name} publishes {mapped.listen_address}:{mapped.host_port}/{mapped.protocol}, which "
                        f"{'another mapping of this node' if rival is node else rival.name} also publishes.",
                    )
                earlier.append((node, mapped))


class Listeners(Section):
    """Parameters of KN05.

    addresses: listen addresses that are allowed in addition to loopback addresses.
    """

    addresses: tuple[str, ...] = Field((), examples=[["192.168.1.10"]])


@partial(
    Rule,
    code="KN05",
    title="The cluster listens only on loopback addresses",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.RESOURCE,
    of=declared,
    hop=HopName.PORT_MAPPING,
    parameters=Listeners,
    remediable=True,
    why="0.0.0.0, the default of listenAddress, exposes a development cluster to the whole network. Docker's packet "
    "filter rules apply before those of the machine's firewall.",
    remedy="Set listenAddress and apiServerAddress in the kind configuration to 127.0.0.1.",
    references=(KIND, "https://docs.docker.com/engine/network/packet-filtering-firewalls/"),
    bad=CLUSTER.replace("listenAddress: 127.0.0.1", "listenAddress: 0.0.0.0"),
    good=CLUSTER,
)
def listens_here(cluster: KindConfiguration, inventory: Inventory, parameters: Listeners) -> Iterator[Breach]:
    def open_to_others(given: str) -> bool:
        parsed = address(given)
        return not (parsed and parsed.is_loopback) and given not in parameters.addresses

    loopback = "::1" if ip_family(cluster.networking) == "ipv6" else "127.0.0.1"
    for node in cluster.nodes:
        for mapped in node.mappings:
            if open_to_others(mapped.listen_address):
                path = f"{mapped.pointer}/listenAddress"
                yield Breach(
                    path,
                    f"{node.name} publishes port {mapped.host_port} on {mapped.listen_address}, so other machines can "
                    "connect.",
                    ({"op": "add", "path": path, "value": loopback},),
                    remedy=_listen_remedy(cluster, inventory),
                    evidence=mapped.listen_address,
                )
    server = text(cluster.networking.get("apiServerAddress"))
    if server and open_to_others(server):
        path = "/networking/apiServerAddress"
        yield Breach(
            path,
            f"the API server listens on {server}, so other machines can connect.",
            ({"op": "replace", "path": path, "value": "127.0.0.1"},),
            evidence=server,
        )


def _listen_remedy(cluster: KindConfiguration, inventory: Inventory) -> str:
    """The stack's own key for the cluster that its settings declare; "" for another kind configuration."""
    settings, resource = inventory.settings, cluster.resource
    if settings is None or settings.cluster.existing or resource.vague or resource.name != settings.cluster.name:
        return ""
    if resource.place.urn:
        # urn:pulumi:STACK::PROJECT::…
        stack = resource.place.urn.split(":")[2]
        return f"Set `ingress-hops:cluster.listenAddress` in {stack_path(stack)} to 127.0.0.1."
    # The object is a planned one, or a file of the user: only the user knows which.
    return (
        "Set `ingress-hops:cluster.listenAddress` in the stack's file, or listenAddress in the kind configuration, "
        "to 127.0.0.1."
    )


class PromisedPorts(Section):
    """Parameters of KN06.

    promised: the container ports that documented URLs use.
    """

    promised: tuple[PortNumber, ...] = (80, 443)


@partial(
    Rule,
    code="KN06",
    title="A published ingress port is fixed",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    scope=Scope.RESOURCE,
    of=declared,
    hop=HopName.PORT_MAPPING,
    parameters=PromisedPorts,
    why="With a hostPort of 0, -1 or none, Docker assigns another port each time the cluster is created, so a "
    "documented URL stops working.",
    remedy="Set hostPort in the extraPortMapping to a fixed port.",
    references=(KIND,),
    bad=CLUSTER.replace("hostPort: 80", "hostPort: 0"),
    good=CLUSTER,
)
def fixed_port(cluster: KindConfiguration, _: Inventory, parameters: PromisedPorts) -> Iterator[Breach]:
    for node in cluster.nodes:
        for mapped in node.mappings:
            if mapped.host_port < 1 and mapped.container_port in parameters.promised:
                path = f"{mapped.pointer}/hostPort"
                taken = any(m.host_port == mapped.container_port for n in cluster.nodes for m in n.mappings)
                yield Breach(
                    path,
                    f"{node.name} publishes port {mapped.container_port} on a random port of the machine.",
                    () if taken else ({"op": "add", "path": path, "value": mapped.container_port},),
                )

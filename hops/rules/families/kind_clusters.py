"""KN: rules for kind clusters: published ports, pod network and pod security."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.pod_security import ENFORCE, ENFORCE_VERSION, LEVELS, minor, refusals
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
from hops.kubernetes.schemas.kind_cluster import KIND_CLUSTER, MOVED, VERSION
from hops.kubernetes.schemas.refusals import nearest
from hops.kubernetes.schemas.refusals import refusals as schema_refusals
from hops.kubernetes.values import (
    UNKNOWN,
    Undecidable,
    address,
    at,
    flag,
    mapping,
    network,
    number,
    pairs,
    pointer,
    sequence,
    text,
)
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.model.project_files import stack_path
from hops.model.settings import Port as PortNumber
from hops.model.settings import Section
from hops.rules.families.host_ports import Controllers
from hops.rules.files.documents import UnreadableError, documents
from hops.rules.rule import Breach, NoParameters, Rule, Scope, kinds, pods

_KIND = "https://kind.sigs.k8s.io/docs/user/configuration/"
_PSA = "https://kubernetes.io/docs/concepts/security/pod-security-admission/"

_CLUSTER = """
apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
name: dev
nodes:
- {role: control-plane}
- {role: worker, extraPortMappings: [{containerPort: 80, hostPort: 80, listenAddress: 127.0.0.1}]}
"""
_ENVOY = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: envoy, namespace: projectcontour}
spec:
  selector: {matchLabels: {app: envoy}}
  template:
    metadata: {labels: {app: envoy}}
    spec: {containers: [{name: envoy, ports: [{containerPort: 8080, hostPort: 80}]}]}
"""


def declared(inventory: Inventory) -> Iterable[KindConfiguration]:
    return inventory.once(clusters)


def _doors(pod: Pod) -> Iterator[Port]:
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
    yields_to=("KN03",),
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=pods,
    hop=HopName.PORT_MAPPING,
    why="A kind node is a container. Its ports are reachable from the machine only if extraPortMappings publish them, "
    "and kind applies the mappings only when it creates the node. Without a mapping, the connection is refused "
    "although every pod is healthy.",
    remedy="Add the port to extraPortMappings of a node that can run the pod, then recreate the cluster.",
    references=(_KIND, "https://github.com/kubernetes-sigs/kind/issues/758"),
    bad=_CLUSTER.replace("80,", "8080,") + "---" + _ENVOY,
    good=_CLUSTER + "---" + _ENVOY,
)
def published(pod: Pod, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    for port in _doors(pod):
        placement = inventory.once(Placement)
        if placement and not placement.reached(pod, port):
            taking = placement.taking(pod)
            cluster, node = taking[0] if taking else placement.first()
            taken = port.host_port in placement.host_ports(cluster)
            yield Breach(
                f"{port.pointer}/hostPort",
                f"no node that can run the pod publishes hostPort {port.host_port}/{port.protocol}.",
                () if taken or not taking else _publish(cluster, node, port),
                patches=cluster.resource,
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
    references=(_KIND,),
    bad=_CLUSTER + "---" + _ENVOY.replace("hostPort: 80", "hostPort: 81"),
    good=_CLUSTER + "---" + _ENVOY,
)
def answered(cluster: KindConfiguration, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    # A cluster's configuration by itself says nothing of what will run there.
    if not inventory.pods:
        return
    taken, node_ports = inventory.once(_taken), inventory.once(_node_ports)
    for node in cluster.nodes:
        for mapped in node.mappings:
            wanted = (mapped.container_port, mapped.protocol)
            holders = taken.get(wanted, ())
            if any(node.refuses(pod) is None for pod in holders) or wanted in node_ports:
                continue
            # KN01 and KN03 report a pod that takes the port and runs where nobody publishes it.
            if any(not _reached(pod, wanted, inventory) for pod in holders):
                continue
            if (None, mapped.protocol) in node_ports and 30000 <= (mapped.container_port or 0) <= 32767:
                continue
            if _is_api_server(node, mapped):
                continue
            yield Breach(
                mapped.pointer,
                f"{node.name} publishes port {mapped.container_port}/{mapped.protocol} as "
                f"{mapped.listen_address}:{mapped.host_port}, but no pod or Service of the node uses the port.",
                ({"op": "remove", "path": mapped.pointer},),
                absence=True,
            )


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
    + _ENVOY,
    good=_CLUSTER + "---" + _ENVOY,
)
def runs_at_the_door(pod: Pod, inventory: Inventory, parameters: Controllers) -> Iterator[Breach]:
    if not pod.host_ports or not parameters.mean(pod):
        return
    for port in _doors(pod):
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
    declared_ = at(pod.resource.body, "spec", "replicas")
    replicas = 1 if declared_ is None or pod.resource.kind == "Pod" else number(declared_) or 0
    for cluster in inventory.once(clusters):
        taking = [node for node in cluster.nodes if node.refuses(pod) is None]
        others = [node for node in taking if not node.publishes(port)]
        # Each node runs one pod with the port.
        if others and len(others) < len(taking) and replicas < len(taking):
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

    addresses: tuple[str, ...] = ()


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
    references=(_KIND, "https://docs.docker.com/engine/network/packet-filtering-firewalls/"),
    bad=_CLUSTER.replace("listenAddress: 127.0.0.1", "listenAddress: 0.0.0.0"),
    good=_CLUSTER,
)
def listens_here(cluster: KindConfiguration, inventory: Inventory, parameters: Listeners) -> Iterator[Breach]:
    def open_to_others(given: str) -> bool:
        parsed = address(given)
        return not (parsed and parsed.is_loopback) and given not in parameters.addresses

    loopback = "::1" if _family(cluster.networking) == "ipv6" else "127.0.0.1"
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
    references=(_KIND,),
    bad=_CLUSTER.replace("hostPort: 80", "hostPort: 0"),
    good=_CLUSTER,
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


class Networks(Section):
    """Parameters of KN07.

    networks: workloads and objects that install a pod network, as patterns Kind/namespace/name.
    """

    networks: tuple[str, ...] = (
        "DaemonSet/*/calico-node",
        "DaemonSet/*/cilium",
        "DaemonSet/*/kube-flannel*",
        "DaemonSet/*/antrea-agent",
        "DaemonSet/*/kube-router",
        "Installation/*",
    )


@partial(
    Rule,
    code="KN07",
    title="The cluster has a pod network that matches its configuration",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=kinds("Cluster", "Installation", "IPPool", "DaemonSet", "ConfigMap"),
    hop=HopName.ENDPOINT,
    parameters=Networks,
    why="With disableDefaultCNI, every pod stays Pending until another pod network is installed. kube-proxy treats "
    "pod addresses outside podSubnet as external. If Calico's host ports are disabled, a hostPort has no effect and "
    "no error is reported.",
    remedy="Install Calico with a pool inside the cluster's podSubnet and with host ports enabled.",
    references=(
        "https://kind.sigs.k8s.io/docs/user/configuration/#disable-default-cni",
        "https://docs.tigera.io/calico/latest/reference/installation/api",
    ),
    bad="""
apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
name: dev
networking: {disableDefaultCNI: true, podSubnet: 10.244.0.0/16}
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: default-ipv4-ippool}
spec: {cidr: 192.168.0.0/16}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: calico-node, namespace: kube-system}
spec:
  selector: {matchLabels: {app: calico-node}}
  template:
    metadata: {labels: {app: calico-node}}
    spec: {containers: [{name: calico-node}]}
""",
    good="""
apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
name: dev
networking: {disableDefaultCNI: true, podSubnet: 10.244.0.0/16}
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: default-ipv4-ippool}
spec: {cidr: 10.244.0.0/16}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: calico-node, namespace: kube-system}
spec:
  selector: {matchLabels: {app: calico-node}}
  template:
    metadata: {labels: {app: calico-node}}
    spec: {containers: [{name: calico-node}]}
""",
)
def pod_network(resource: Resource, inventory: Inventory, parameters: Networks) -> Iterator[Breach]:
    if resource.kind == "Cluster":
        yield from _network_missing(resource, inventory, parameters)
    for path, pool in _pools(resource):
        yield from _outside(inventory, path, pool)
    path = "/spec/calicoNetwork/hostPorts"
    if resource.kind == "Installation" and text(at(resource.body, *path[1:].split("/"))) == "Disabled":
        if inventory.once(_any_host_port):
            yield Breach(
                path,
                "hostPorts of Calico is Disabled, so every hostPort of the stack is ignored.",
                ({"op": "replace", "path": path, "value": "Enabled"},),
            )
    elif resource.kind == "ConfigMap" and resource.name == "calico-config":
        plugins = text(at(resource.body, "data", "cni_network_config"))
        if plugins and "portmap" not in plugins and inventory.once(_any_host_port):
            yield Breach(
                "/data/cni_network_config",
                "Calico's CNI configuration lacks the portmap plugin, so every hostPort of the stack is ignored.",
            )


def _pools(resource: Resource) -> Iterator[tuple[str, Any]]:
    """The addresses that Calico gives to pods, each by its pointer."""
    spec = at(resource.body, "spec")
    if resource.kind == "IPPool" and not flag(at(spec, "disabled")):
        yield "/spec/cidr", at(spec, "cidr")
    elif resource.kind == "Installation":
        for index, pool in enumerate(sequence(at(spec, "calicoNetwork", "ipPools"))):
            yield f"/spec/calicoNetwork/ipPools/{index}/cidr", at(pool, "cidr")
    elif resource.kind == "DaemonSet" and resource.name == "calico-node":
        for i, container in enumerate(sequence(at(spec, "template", "spec", "containers"))):
            for j, variable in enumerate(sequence(at(container, "env"))):
                if text(at(variable, "name")) == "CALICO_IPV4POOL_CIDR":
                    yield f"/spec/template/spec/containers/{i}/env/{j}/value", at(variable, "value")


def _network_missing(resource: Resource, inventory: Inventory, parameters: Networks) -> Iterator[Breach]:
    path = "/networking/disableDefaultCNI"
    # A cluster's configuration by itself says nothing of what will be installed.
    if not flag(at(resource.body, "networking", "disableDefaultCNI")) or not inventory.pods:
        return
    if not any(r.means(parameters.networks) for r in inventory.of_kind("DaemonSet", "Installation")):
        yield Breach(
            path,
            "disableDefaultCNI is true, and the stack installs no other pod network.",
            ({"op": "replace", "path": path, "value": False},),
            absence=True,
        )


def _outside(inventory: Inventory, path: str, given: Any) -> Iterator[Breach]:
    pool = network(given)
    if pool is None:
        return
    for cluster in inventory.once(clusters):
        declared_subnet = cluster.networking.get("podSubnet")
        # Dual stack names two, joined by a comma.
        subnets = [network(part.strip()) for part in (text(declared_subnet) or "10.244.0.0/16").split(",")]
        same = [subnet for subnet in subnets if subnet and subnet.version == pool.version]
        if same and not any(pool.subnet_of(subnet) for subnet in same):  # type: ignore[arg-type]
            yield Breach(
                path,
                f"pool {pool} is outside the podSubnet {same[0]} of cluster {cluster.resource.name}.",
                ({"op": "replace", "path": path, "value": str(same[0])},),
                evidence=str(pool),
            )


def _any_host_port(inventory: Inventory) -> bool:
    return any(next(_doors(pod), None) for pod in inventory.pods if pod.host_ports)


@partial(
    Rule,
    code="KN08",
    title="A namespace enforces a pod security level that its pods meet",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    unsafe=True,
    scope=Scope.STACK,
    of=kinds("Namespace"),
    hop=HopName.POD,
    why="Pod security admission rejects a pod that violates the namespace's level, but only after a successful "
    "preview: the DaemonSet exists and has no pods. Without the label, every pod is admitted. The rule evaluates the "
    "latest version of the standards, or that of the label enforce-version.",
    remedy="Set the label pod-security.kubernetes.io/enforce of the namespace to the strictest level that admits its "
    "pods.",
    references=(_PSA, "https://kubernetes.io/docs/concepts/security/pod-security-standards/"),
    bad="""
apiVersion: v1
kind: Namespace
metadata: {name: ingress, labels: {pod-security.kubernetes.io/enforce: baseline}}
---"""
    + _ENVOY.replace("projectcontour", "ingress"),
    good="""
apiVersion: v1
kind: Namespace
metadata: {name: ingress, labels: {pod-security.kubernetes.io/enforce: privileged}}
---"""
    + _ENVOY.replace("projectcontour", "ingress"),
)
def pod_security(namespace: Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    if namespace.vague:
        raise Undecidable
    here = inventory.pods_in(namespace.name)
    if not here:
        return
    labels = pairs(at(namespace.body, "metadata", "labels"))
    level, path = labels.get(ENFORCE), pointer("/metadata/labels", ENFORCE)
    version = minor(labels.get(ENFORCE_VERSION) or "latest")
    if version is None:
        yield Breach(
            pointer("/metadata/labels", ENFORCE_VERSION),
            f"{labels[ENFORCE_VERSION]} is not a version; the API server refuses the namespace.",
            remedy="Set the label to latest or to a minor version such as v1.34.",
        )
        return
    if not level:
        value = _strictest(here, version)
        yield Breach(
            "/metadata/labels",
            f"the namespace lacks the label {ENFORCE}.",
            ({"op": "add", "path": path, "value": value},)
            if isinstance(at(namespace.body, "metadata", "labels"), dict)
            else ({"op": "add", "path": "/metadata/labels", "value": {ENFORCE: value}},),
            remedy=f"Set the label {ENFORCE} to {value}, the strictest level that admits its pods.",
        )
        return
    refused = next(((pod, why) for pod in here for why in refusals(level, pod, version)), None)
    if level not in LEVELS:
        value = _strictest(here, version)
        yield Breach(
            path,
            f"level {level} does not exist; the API server refuses the namespace.",
            ({"op": "replace", "path": path, "value": value},),
            remedy=f"Set the label {ENFORCE} to {value}, the strictest level that admits its pods.",
        )
    elif refused:
        value = _strictest(here, version)
        yield Breach(
            path,
            f"level {level} rejects {refused[0].resource}, which has {refused[1]}.",
            ({"op": "replace", "path": path, "value": value},),
            remedy=f"Change the pod spec, or set the label {ENFORCE} to {value}.",
        )


def _strictest(here: Iterable[Pod], version: int) -> str:
    """The strictest level that refuses none of the pods."""
    refusing = [level for level in LEVELS for pod in here if any(True for _ in refusals(level, pod, version))]
    return next(level for level in LEVELS if level not in refusing)


def _configurations(inventory: Inventory) -> Iterator[Resource]:
    """The kind configurations, also those of an old version and those that lack kind or apiVersion."""
    for resource in inventory.resources:
        group = resource.api_version.rpartition("/")[0]
        if group in _KIND_GROUPS or (
            resource.kind == "Cluster" and not group and not _CLUSTER_KEYS.isdisjoint(resource.body)
        ):
            yield resource


_KIND_GROUPS = ("kind.x-k8s.io", "kind.sigs.k8s.io")
_CLUSTER_KEYS = frozenset({"networking", "nodes", "kubeadmConfigPatches"})


@partial(
    Rule,
    code="KN09",
    title="kind accepts the configuration",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=_configurations,
    hop=HopName.PORT_MAPPING,
    why="kind reads its configuration strictly: an unknown key, role, protocol or API version, a port or subnet out of "
    "bounds, or a cluster without control plane ends `kind create cluster` with an error. A kubeadm patch of another "
    "API version than that of the node image is left out without a word.",
    remedy="Correct the value that the message names.",
    references=(_KIND, "https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/"),
    bad=_CLUSTER.replace("extraPortMappings", "extraPortMapping"),
    good=_CLUSTER,
)
def accepted(resource: Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    body = resource.body
    if any(body.get(key) is UNKNOWN for key in ("apiVersion", "kind", "metadata")):
        raise Undecidable
    yield from _identified(body)
    for refusal in schema_refusals(KIND_CLUSTER, body, MOVED):
        yield Breach(refusal.path, refusal.message, refusal.patch, remedy=refusal.remedy)
    yield from _with_control_plane(body)
    yield from _addresses(body)
    yield from _subnets(body)
    yield from _patches(body, inventory)


def _identified(body: Mapping[str, Any]) -> Iterator[Breach]:
    for key, right in (("apiVersion", VERSION), ("kind", "Cluster")):
        given = body.get(key)
        if given != right:
            operation = "replace" if key in body else "add"
            mended = {**body, "apiVersion": VERSION, "kind": "Cluster"}
            yield Breach(
                f"/{key}",
                f"{key} is {given}, which kind does not read." if given else f"the configuration has no {key}.",
                ()
                if schema_refusals(KIND_CLUSTER, mended)
                else ({"op": operation, "path": f"/{key}", "value": right},),
                remedy=f"Set {key} to {right}.",
            )


def _with_control_plane(body: Mapping[str, Any]) -> Iterator[Breach]:
    declared_nodes = sequence(body.get("nodes"))
    roles = [text(at(node, "role")) or "control-plane" for node in declared_nodes]
    if roles and "control-plane" not in roles:
        yield Breach(
            "/nodes",
            "no node has the role control-plane.",
            ({"op": "add", "path": "/nodes/-", "value": {"role": "control-plane"}},),
            remedy="Add a node with the role control-plane.",
        )


def _addresses(body: Mapping[str, Any]) -> Iterator[Breach]:
    given = [
        (pointer("/nodes", i, "extraPortMappings", j, "listenAddress"), text(at(mapped, "listenAddress")))
        for i, node in enumerate(sequence(body.get("nodes")))
        for j, mapped in enumerate(sequence(at(node, "extraPortMappings")))
    ]
    given.append(("/networking/apiServerAddress", text(at(body, "networking", "apiServerAddress"))))
    for path, value in given:
        if value and address(value) is None:
            local = value == "localhost"
            yield Breach(
                path,
                f"{value} is not an IP address.",
                ({"op": "replace", "path": path, "value": "127.0.0.1"},) if local else (),
                remedy="Write 127.0.0.1." if local else "Write an IP address of the machine, such as 127.0.0.1.",
            )


_FAMILIES = {"ipv4": (4,), "ipv6": (6,), "dual": (4, 6)}


def _family(networking: Mapping[str, Any]) -> str:
    return text(networking.get("ipFamily")) or "ipv4"


def _cidrs(networking: Mapping[str, Any], key: str) -> list[str]:
    return (text(networking.get(key)) or "").split(",") if networking.get(key) else []


def _subnets(body: Mapping[str, Any]) -> Iterator[Breach]:
    networking = mapping(body.get("networking"))
    family = _family(networking)
    versions = _FAMILIES.get(family, (4, 6))
    for key in ("podSubnet", "serviceSubnet"):
        given = _cidrs(networking, key)
        parsed = [network(part) if "/" in part else None for part in given]
        found = [subnet.version for subnet in parsed if subnet]
        path = f"/networking/{key}"
        if len(found) < len(given):
            wrong = given[parsed.index(None)]
            yield Breach(path, f"{wrong} is not a subnet.", remedy="Write a subnet such as 10.244.0.0/16.")
        elif any(version not in versions for version in found):
            yield Breach(
                path,
                f"{key} is {', '.join(given)}, and ipFamily is {family}.",
                remedy=f"Write a subnet of the family {family}, or change ipFamily.",
            )
        elif len(found) > len(versions) or (len(found) == 2 and found[0] == found[1]):
            yield Breach(
                path,
                f"{key} has {len(found)} subnets, and ipFamily is {family}.",
                remedy="Write one subnet for each family.",
            )


# From this minor version of Kubernetes on, kind writes kubeadm's configuration in v1beta4, before in v1beta3.
_LISTED_ARGUMENTS = 36
_KUBEADM_KINDS = (
    *("ClusterConfiguration", "InitConfiguration", "JoinConfiguration"),
    *("KubeProxyConfiguration", "KubeletConfiguration"),
)


def _patches(body: Mapping[str, Any], inventory: Inventory) -> Iterator[Breach]:
    yield from _patches_of(body, "", _minor_of(text(at(body, "nodes", 0, "image")), inventory))
    for index, node in enumerate(sequence(body.get("nodes"))):
        yield from _patches_of(node, f"/nodes/{index}", _minor_of(text(at(node, "image")), inventory))


def _minor_of(image: str | None, inventory: Inventory) -> int:
    found = re.search(r":v1\.(\d+)", image or "")
    return int(found[1] if found else inventory.kubernetes.split(".")[1])


def _patches_of(owner: Any, base: str, minor: int) -> Iterator[Breach]:
    written = "v1beta4" if minor >= _LISTED_ARGUMENTS else "v1beta3"
    for index, patch in enumerate(sequence(at(owner, "kubeadmConfigPatches"))):
        path = f"{base}/kubeadmConfigPatches/{index}"
        if not isinstance(patch, str):
            continue
        try:
            found = [part for part in documents(patch) if part is not None]
        except UnreadableError as error:
            yield Breach(path, f"the patch is not YAML: {error}.", remedy="Correct the text of the patch.")
            continue
        for part in found:
            yield from _patch(part, path, written, minor)


def _patch(part: Any, path: str, written: str, minor: int) -> Iterator[Breach]:
    kind, version = text(at(part, "kind")), text(at(part, "apiVersion")) or ""
    if kind not in _KUBEADM_KINDS:
        near = nearest(kind or "", _KUBEADM_KINDS)
        yield Breach(
            path,
            f"the patch has {f'the kind {kind}' if kind else 'no kind'}, so it changes nothing.",
            remedy=f"Set its kind to {near or 'one of ' + ', '.join(_KUBEADM_KINDS)}.",
        )
        return
    if version.startswith("kubeadm.k8s.io/") and version != f"kubeadm.k8s.io/{written}":
        yield Breach(
            path,
            f"the patch is of {version}, but kind writes kubeadm.k8s.io/{written} for Kubernetes 1.{minor}, so it "
            "changes nothing.",
            remedy="Remove apiVersion from the patch, and write its extraArgs for that version.",
        )
    elif written == "v1beta3" and _listed_arguments(part):
        yield Breach(
            path,
            f"the patch lists arguments as kubeadm's v1beta4 does, but kind writes v1beta3 for Kubernetes 1.{minor}.",
            remedy="Write extraArgs and kubeletExtraArgs as a mapping: `node-labels: a=b`.",
        )


def _listed_arguments(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return any(
        (key in ("extraArgs", "kubeletExtraArgs") and isinstance(item, list)) or _listed_arguments(item)
        for key, item in value.items()
    )


_OTHER_FAMILY = _CLUSTER.replace("name: dev", "name: dev\nnetworking: {ipFamily: ipv6}")


@partial(
    Rule,
    code="KN10",
    title="The addresses of a cluster fit together",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=declared,
    hop=HopName.PORT_MAPPING,
    why="kubeadm refuses subnets that overlap or are too small for the nodes. A published address of another family "
    "than the cluster's leads to a node address on which no pod is reachable. Without kube-proxy, Calico reaches the "
    "API server's Service only with its eBPF data plane, so the nodes never become ready.",
    remedy="Correct the value that the message names.",
    references=(_KIND, "https://docs.tigera.io/calico/latest/operations/ebpf/enabling-ebpf"),
    bad=_OTHER_FAMILY,
    good=_OTHER_FAMILY.replace("127.0.0.1", '"::1"'),
)
def fits(cluster: KindConfiguration, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    yield from _apart(cluster)
    yield from _wide_enough(cluster)
    yield from _of_the_family(cluster)
    if text(cluster.networking.get("kubeProxyMode")) == "none":
        calico = next(_without_ebpf(inventory), None)
        if calico:
            yield Breach(
                "/networking/kubeProxyMode",
                f"kubeProxyMode is none, but {calico} does not replace kube-proxy: its data plane is not eBPF.",
                remedy="Set kubeProxyMode to iptables, or Calico's data plane to BPF.",
            )


def _networks(cluster: KindConfiguration, key: str) -> list[Any]:
    family = _family(cluster.networking)
    given = _cidrs(cluster.networking, key) or _DEFAULT_SUBNETS[key].get(str(family), [])
    return [found for found in map(network, given) if found]


# kind 0.32, pkg/apis/config/v1alpha4/default.go.
_DEFAULT_SUBNETS: Mapping[str, Mapping[str, list[str]]] = {
    "podSubnet": {
        "ipv4": ["10.244.0.0/16"],
        "ipv6": ["fd00:10:244::/56"],
        "dual": ["10.244.0.0/16", "fd00:10:244::/56"],
    },
    "serviceSubnet": {
        "ipv4": ["10.96.0.0/16"],
        "ipv6": ["fd00:10:96::/112"],
        "dual": ["10.96.0.0/16", "fd00:10:96::/112"],
    },
}
# kubeadm's node masks, and its fewest addresses and most bits of a service subnet (cmd/kubeadm/app/constants).
_NODE_MASKS = {4: 24, 6: 64}
_FEWEST_SERVICES = 10
_MOST_SERVICE_BITS = 20


def _apart(cluster: KindConfiguration) -> Iterator[Breach]:
    for pods_ in _networks(cluster, "podSubnet"):
        for services_ in _networks(cluster, "serviceSubnet"):
            if pods_.version == services_.version and pods_.overlaps(services_):
                key = "serviceSubnet" if cluster.networking.get("serviceSubnet") else "podSubnet"
                yield Breach(
                    f"/networking/{key}",
                    f"podSubnet {pods_} and serviceSubnet {services_} overlap.",
                    remedy="Write two subnets that do not overlap, such as 10.244.0.0/16 and 10.96.0.0/16.",
                )


def _wide_enough(cluster: KindConfiguration) -> Iterator[Breach]:
    patches = [cluster.resource.body.get("kubeadmConfigPatches"), *sequence(at(cluster.resource.body, "nodes"))]
    masked = "node-cidr-mask-size" in repr(patches)
    for subnet in _networks(cluster, "podSubnet"):
        room = _NODE_MASKS[subnet.version] - subnet.prefixlen
        if not masked and (room < 0 or 2**room < len(cluster.nodes)):
            fits_ = f"{2**room} of the {len(cluster.nodes)} nodes" if room >= 0 else "no node"
            yield Breach(
                "/networking/podSubnet",
                f"podSubnet {subnet} has room for {fits_}: each takes a /{_NODE_MASKS[subnet.version]}.",
                remedy=f"Write a wider subnet, such as {_DEFAULT_SUBNETS['podSubnet'][f'ipv{subnet.version}'][0]}.",
            )
    for subnet in _networks(cluster, "serviceSubnet"):
        bits = subnet.max_prefixlen - subnet.prefixlen
        if subnet.num_addresses < _FEWEST_SERVICES or bits > _MOST_SERVICE_BITS:
            yield Breach(
                "/networking/serviceSubnet",
                f"serviceSubnet {subnet} has {'too few' if bits < _MOST_SERVICE_BITS else 'too many'} addresses.",
                remedy=f"Write a subnet from /{subnet.max_prefixlen - _MOST_SERVICE_BITS} to "
                f"/{subnet.max_prefixlen - 4}.",
            )


def _of_the_family(cluster: KindConfiguration) -> Iterator[Breach]:
    family = _family(cluster.networking)
    if family == "dual" or family not in _FAMILIES:
        return
    (version,) = _FAMILIES[family]
    given = mapping(cluster.resource.body)
    for node in cluster.nodes:
        for mapped in node.mappings:
            # Without an address, kind takes the wildcard of the cluster's family.
            listed = text(at(given, *_keys(mapped.pointer), "listenAddress"))
            listened = address(listed) if listed else None
            if listened and listened.version != version:
                here = "127.0.0.1" if version == 4 else "::1"
                yield Breach(
                    f"{mapped.pointer}/listenAddress",
                    f"{node.name} publishes port {mapped.container_port} on {listened}, and ipFamily is {family}.",
                    remedy=f"Write an address of the family {family}, such as {here}, or set ipFamily to dual.",
                )


def _keys(path: str) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in path[1:].split("/")]


def _without_ebpf(inventory: Inventory) -> Iterator[Resource]:
    """The declarations of a Calico whose data plane leaves Services to kube-proxy."""
    for resource in inventory.of_kind("Installation"):
        if text(at(resource.body, "spec", "calicoNetwork", "linuxDataplane")) in (None, "Iptables", "Nftables"):
            yield resource
    for pod in inventory.pods:
        if pod.resource.kind == "DaemonSet" and pod.resource.name == "calico-node" and not _ebpf(pod, inventory):
            yield pod.resource


def _ebpf(pod: Pod, inventory: Inventory) -> bool:
    variables = [entry for container in pod.containers for entry in sequence(container.body.get("env"))]
    own = any(
        text(at(entry, "name")) == "FELIX_BPFENABLED" and text(at(entry, "value")) == "true" for entry in variables
    )
    return own or any(flag(at(felix.body, "spec", "bpfEnabled")) for felix in inventory.of_kind("FelixConfiguration"))

"""KN07: the pod network of a kind cluster without its own."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources import calico_settings, ip_pools
from hops.kubernetes.resources.kind_nodes import (
    clusters,
)
from hops.kubernetes.resources.pods import pod_template
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.values import (
    at,
    flag,
    network,
    sequence,
    text,
)
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.model.pod_network import CALICO_NETWORK
from hops.model.settings.setting_types import Section
from hops.rules.families.kind_clusters.kind_ports import entry_ports
from hops.rules.rule import Breach, Rule, Scope, kinds


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
    spec: {containers: [{name: calico-node, image: quay.io/calico/node:v3.31.0}]}
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
    spec: {containers: [{name: calico-node, image: quay.io/calico/node:v3.31.0}]}
""",
)
def pod_network(resource: Resource, inventory: Inventory, parameters: Networks) -> Iterator[Breach]:
    if resource.kind == "Cluster":
        yield from _network_missing(resource, inventory, parameters)
    for path, pool in _pools(resource):
        yield from _outside(inventory, path, pool)
    path = "/spec/calicoNetwork/hostPorts"
    if CALICO_NETWORK.host_ports_disabled(resource.body):
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
    if resource.kind == "IPPool" and not ip_pools.disabled(resource.body):
        yield "/spec/cidr", ip_pools.cidr(resource.body)
    elif resource.kind == "Installation":
        yield from calico_settings.pools(resource.body)
    elif resource.kind == "DaemonSet" and resource.name == "calico-node":
        for container in pod_template(resource).lasting:
            for index, variable in enumerate(sequence(container.body.get("env"))):
                if text(at(variable, "name")) == "CALICO_IPV4POOL_CIDR":
                    yield f"{container.pointer}/env/{index}/value", at(variable, "value")


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
    return any(next(entry_ports(pod), None) for pod in inventory.pods if pod.host_ports)

"""Calico: the pod network. Owns hop 6, the route and the interface that lead to a pod, and its way back."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any, NotRequired, TypedDict

import pulumi

from components.arguments import as_before_ipv6, checked
from components.upstream import (
    ManifestError,
    declare,
    find,
    from_registry,
    named,
    objects_of,
    started_by_readiness,
    without_waiting,
)
from hops.model.pod_network import CALICO_NETWORK, POOL_VARIABLES
from hops.model.settings import cluster_settings, setting_types
from hops.model.versions import CALICO


class CalicoArgs(TypedDict):
    """The arguments of Calico. All are plain: they are written into objects that policies judge in a preview."""

    pod_subnet: NotRequired[str]
    """The address pool of IPv4, a network of prefix /8 to /22. Default: 10.244.0.0/16."""
    ip_family: NotRequired[str]
    """The IP families of the cluster: ipv4, ipv6, or dual for both. Default: ipv4."""
    pod_subnet_ipv6: NotRequired[str]
    """The address pool of IPv6, a network of prefix /48 to /60, with ip_family dual or ipv6.
    Default: fd00:10:244::/56."""
    block_size: NotRequired[int]
    """The prefix length of one node's share of the IPv4 pool, 20 to 32. Default: 26."""
    encapsulation: NotRequired[str]
    """VXLANCrossSubnet, VXLAN or None (the text). Default: VXLANCrossSubnet."""
    registry: NotRequired[str | None]
    """The registry that holds the images, as host[:port][/path]. Default: quay.io."""
    objects: NotRequired[Sequence[Mapping[str, Any]]]
    """The objects of Calico's file calico-vxlan.yaml. Default: the published file of the pinned version."""


class _Bounds(cluster_settings.CalicoSettings):
    pod_subnet: setting_types.PodSubnet = IPv4Network("10.244.0.0/16")
    ip_family: setting_types.IPFamily = "ipv4"
    pod_subnet_ipv6: setting_types.PodSubnetIPv6 = cluster_settings.ClusterSettings.model_fields[
        "pod_subnet_ipv6"
    ].default


class Calico(pulumi.ComponentResource):
    """Calico from its published file, every object a resource of its own."""

    pod_subnet: pulumi.Output[str]
    """The address pool; that of IPv4 in a cluster of both families."""

    def __init__(self, name: str, args: CalicoArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declares Calico.

        name: the component's name, which begins the names of its children.
        args: see CalicoArgs; {} takes every default.
        opts: Pulumi's options; the provider decides the cluster.

        Raises ArgumentError for wrong arguments and ManifestError for objects that lack what is patched.
        """
        values = _values(args, f"Calico {name}")
        objects = patched(args, f"Calico {name}")
        super().__init__("ingress-hops:index:Calico", name, as_before_ipv6(values), opts)
        resources = declare(objects, name, self, opts)
        self._node = resources[objects.index(find(objects, "DaemonSet", "calico-node"))]
        first = "pod_subnet_ipv6" if values["ip_family"] == "ipv6" else "pod_subnet"
        self.pod_subnet = pulumi.Output.from_input(values[first])
        self.register_outputs({"pod_subnet": self.pod_subnet})

    @property
    def node(self) -> pulumi.Resource:
        """The DaemonSet calico-node: the pod network works where it is ready."""
        return self._node


def _values(args: CalicoArgs, where: str) -> dict[str, Any]:
    return checked(where, {key: value for key, value in args.items() if key != "objects"}, _Bounds, CalicoArgs)


def patched(args: CalicoArgs, where: str = "Calico") -> list[dict[str, Any]]:
    """The published objects with the arguments in them; the caller's objects stay as they are.

    args: of the component.
    where: the component's class and name, for messages.

    Raises ArgumentError and ManifestError as the component does.
    """
    values = _values(args, where)
    objects = objects_of(where, args.get("objects"), CALICO)
    from_registry(objects, values["registry"])
    node = find(objects, "DaemonSet", "calico-node")
    server = named(node["spec"]["template"]["spec"]["containers"], "calico-node")
    started_by_readiness(server)
    env = server["env"]
    named(env, "CALICO_IPV4POOL_VXLAN")["value"] = CALICO_NETWORK.vxlan_modes[values["encapsulation"]]
    if values["ip_family"] != "ipv6":
        env += [
            {"name": POOL_VARIABLES[4], "value": values["pod_subnet"]},
            {"name": "CALICO_IPV4POOL_BLOCK_SIZE", "value": str(values["block_size"])},
        ]
    if values["ip_family"] != "ipv4":
        _patch_ipv6(objects, env, values)
    # It cleans up after deleted pods and nodes; no request waits for it.
    without_waiting(find(objects, "Deployment", "calico-kube-controllers"))
    return objects


_IPAM = '"type": "calico-ipam"'


def _patch_ipv6(objects: list[dict[str, Any]], env: list[dict[str, Any]], values: Mapping[str, Any]) -> None:
    """Gives pods IPv6 addresses, in place.

    Source: docs.tigera.io/calico/latest/networking/ipam/ipv6.
    """
    named(env, "FELIX_IPV6SUPPORT")["value"] = "true"
    named(env, "CALICO_IPV6POOL_VXLAN")["value"] = CALICO_NETWORK.vxlan_modes[values["encapsulation"]]
    env += [
        {"name": "IP6", "value": "autodetect"},
        {"name": POOL_VARIABLES[6], "value": values["pod_subnet_ipv6"]},
        # As the IPv4 pool, whose default it is.
        {"name": "CALICO_IPV6POOL_NAT_OUTGOING", "value": "true"},
    ]
    both = values["ip_family"] == "dual"
    if not both:
        named(env, "IP")["value"] = "none"
        env += [{"name": POOL_VARIABLES[4], "value": "none"}, {"name": "CALICO_ROUTER_ID", "value": "hash"}]
    configuration = find(objects, "ConfigMap", "calico-config")["data"]
    given = configuration["cni_network_config"]
    if given.count(_IPAM) != 1:
        raise ManifestError(f"calico-config has no {_IPAM}: adapt the component to this version of the file")
    assigned = f'{_IPAM}, "assign_ipv4": "{str(both).lower()}", "assign_ipv6": "true"'
    configuration["cni_network_config"] = given.replace(_IPAM, assigned)

"""Calico: the pod network. Owns hop 6, the route and the interface that lead to a pod, and its way back."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any, NotRequired, TypedDict

import pulumi

from components.arguments import checked
from components.upstream import (
    declare,
    find,
    from_registry,
    named,
    objects_of,
    started_by_readiness,
    without_waiting,
)
from hops.model.pod_network import CALICO_NETWORK
from hops.model.settings import cluster_settings, setting_types
from hops.model.versions import CALICO


class CalicoArgs(TypedDict):
    """The arguments of Calico. All are plain: they are written into objects that policies judge in a preview."""

    pod_subnet: NotRequired[str]
    """The address pool, an IPv4 network of prefix /8 to /22. Default: 10.244.0.0/16."""
    block_size: NotRequired[int]
    """The prefix length of one node's share of the pool, 20 to 32. Default: 26."""
    encapsulation: NotRequired[str]
    """VXLANCrossSubnet, VXLAN or None (the text). Default: VXLANCrossSubnet."""
    registry: NotRequired[str | None]
    """The registry that holds the images, as host[:port][/path]. Default: quay.io."""
    objects: NotRequired[Sequence[Mapping[str, Any]]]
    """The objects of Calico's file calico-vxlan.yaml. Default: the published file of the pinned version."""


class _Bounds(cluster_settings.CalicoSettings):
    pod_subnet: setting_types.PodSubnet = IPv4Network("10.244.0.0/16")


class Calico(pulumi.ComponentResource):
    """Calico from its published file, every object a resource of its own."""

    pod_subnet: pulumi.Output[str]
    """The address pool, an IPv4 network."""

    def __init__(self, name: str, args: CalicoArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declares Calico.

        name: the component's name, which begins the names of its children.
        args: see CalicoArgs; {} takes every default.
        opts: Pulumi's options; the provider decides the cluster.

        Raises ArgumentError for wrong arguments and ManifestError for objects that lack what is patched.
        """
        values = _values(args, f"Calico {name}")
        objects = patched(args, f"Calico {name}")
        super().__init__("ingress-hops:index:Calico", name, values, opts)
        resources = declare(objects, name, self, opts)
        self._node = resources[objects.index(find(objects, "DaemonSet", "calico-node"))]
        self.pod_subnet = pulumi.Output.from_input(values["pod_subnet"])
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
    env += [
        {"name": "CALICO_IPV4POOL_CIDR", "value": values["pod_subnet"]},
        {"name": "CALICO_IPV4POOL_BLOCK_SIZE", "value": str(values["block_size"])},
    ]
    # It cleans up after deleted pods and nodes; no request waits for it.
    without_waiting(find(objects, "Deployment", "calico-kube-controllers"))
    return objects

"""Calico: the pod network. Owns hop 6, the route and the interface that lead to a pod, and its way back."""

from typing import Any, TypedDict

import pulumi

from components.upstream import declare, find, from_registry, named, started_by_readiness, without_waiting
from hops.model.pod_network import CALICO_NETWORK


class CalicoArgs(TypedDict):
    """What a Calico installation is made of."""

    objects: list[dict[str, Any]]
    """The objects of Calico's published file calico-vxlan.yaml."""
    pod_subnet: str
    """The address pool, an IPv4 network such as 10.244.0.0/16."""
    block_size: int
    """The prefix length of one node's share of the pool."""
    encapsulation: str
    """VXLANCrossSubnet, VXLAN or None."""
    registry: str | None
    """Where the images come from instead of quay.io."""


class Calico(pulumi.ComponentResource):
    """Calico from its published file, every object a resource of its own."""

    node: pulumi.Resource
    """The DaemonSet calico-node: the pod network works where it is ready."""

    def __init__(self, name: str, args: CalicoArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ingress-hops:index:Calico", name, {k: v for k, v in args.items() if k != "objects"}, opts)
        objects = patched(args)
        resources = declare(objects, self, opts)
        self.node = resources[objects.index(find(objects, "DaemonSet", "calico-node"))]
        self.register_outputs({})


def patched(args: CalicoArgs) -> list[dict[str, Any]]:
    """The published objects with the arguments in them."""
    objects = args["objects"]
    from_registry(objects, args["registry"])
    node = find(objects, "DaemonSet", "calico-node")
    server = named(node["spec"]["template"]["spec"]["containers"], "calico-node")
    started_by_readiness(server)
    env = server["env"]
    named(env, "CALICO_IPV4POOL_VXLAN")["value"] = CALICO_NETWORK.vxlan_modes[args["encapsulation"]]
    env += [
        {"name": "CALICO_IPV4POOL_CIDR", "value": args["pod_subnet"]},
        {"name": "CALICO_IPV4POOL_BLOCK_SIZE", "value": str(args["block_size"])},
    ]
    # It cleans up after deleted pods and nodes; no request waits for it.
    without_waiting(find(objects, "Deployment", "calico-kube-controllers"))
    return objects

"""The pod network of a cluster: what the rest of the project has to know of it, and Calico as its implementation."""

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

from hops.model.settings.stack_settings import Settings
from hops.model.versions import CALICO, Manifest


class PodNetwork(Protocol):
    """What another pod network has to say of itself; its component in `components` installs it.

    name: as hops, outputs and the cache of published files have it.
    title: its name in sentences.
    manifest: the published file that it is made of.
    agent: name of its DaemonSet, and the value of the label `k8s-app` of its pods.
    agent_namespace: where its agent runs.
    object_kinds: address in the API of each further kind that the trace lists, by the name that `unseen` has for it.
    dispatch_chain: iptables chain of a node that leads to the pods that its firewall knows.
    node_ports: the TCP ports of a node that its agent listens on.
    installed: whether the stack installs it, and kind leaves out its own.
    enable_host_ports: JSON merge patch that lets an object support host ports for which `host_ports_disabled` is true.
    """

    name: str
    title: str
    manifest: Manifest
    agent: str
    agent_namespace: str
    object_kinds: Mapping[str, str]
    dispatch_chain: str
    node_ports: tuple[int, ...]
    installed: bool
    enable_host_ports: str

    def host_ports_disabled(self, item: Mapping[str, Any]) -> bool:
        """Whether an object of the cluster is its configuration and turns host ports off."""

    def names_interfaces(self, environment: Mapping[str, Any]) -> bool:
        """Whether it names the interfaces of pods as `interface` does, by the environment of its agent."""

    def interface(self, namespace: str, pod: str) -> str:
        """The name of the node's end of a pod's interface."""

    def pod_chain(self, interface: str) -> str:
        """The iptables chain that filters what goes to a pod, by the pod's interface."""

    def facts(self, settings: Settings) -> Mapping[str, str]:
        """What the endpoint hop shows of it, by name."""

    def declared(self, environment: Mapping[str, Any]) -> Mapping[str, str]:
        """The same of the environment of its agent's container; empty where it is another container's."""

    def fixed(self, settings: Settings, *, by_alias: bool = False) -> Mapping[str, Any]:
        """The settings that a running cluster cannot change, by key; by_alias: by the key that users write."""


POOL_VARIABLES = {4: "CALICO_IPV4POOL_CIDR", 6: "CALICO_IPV6POOL_CIDR"}
"""The variables by which calico-node is told its address pools, by IP version."""


class CalicoNetwork:
    """Calico with VXLAN, as its file calico-vxlan.yaml installs it."""

    name = "calico"
    title = "Calico"
    manifest = CALICO
    agent = "calico-node"
    agent_namespace = "kube-system"
    object_kinds: Mapping[str, str] = {
        "IPPool": "/apis/crd.projectcalico.org/v1/ippools",
        "Calico's NetworkPolicy": "/apis/crd.projectcalico.org/v1/networkpolicies",
        "GlobalNetworkPolicy": "/apis/crd.projectcalico.org/v1/globalnetworkpolicies",
        "Installation": "/apis/operator.tigera.io/v1/installations",
    }
    dispatch_chain = "cali-to-wl-dispatch"
    node_ports: tuple[int, ...] = (179, 9098, 9099)
    """BGP, and the health checks of Typha and Felix (docs.tigera.io/calico/latest/reference/felix/configuration)."""
    installed = True
    enable_host_ports = '{"spec":{"calicoNetwork":{"hostPorts":"Enabled"}}}'
    vxlan_modes: Mapping[str, str] = {"VXLANCrossSubnet": "CrossSubnet", "VXLAN": "Always", "None": "Never"}
    """The encapsulations, and what calico-node calls each (CALICO_IPV4POOL_VXLAN)."""

    def interface(self, namespace: str, pod: str) -> str:
        """The host's end of a pod's veth pair, such as `cali47b61747c2f` for `default`, `example-pod`.

        Source: Calico, libcalico-go/lib/backend/k8s/conversion/workload_endpoint_default.go, VethNameForWorkload.
        """
        return "cali" + hashlib.sha1(f"{namespace}.{pod}".encode(), usedforsecurity=False).hexdigest()[:11]

    def host_ports_disabled(self, item: Mapping[str, Any]) -> bool:
        # The operator's Installation; other operators have a kind of this name too.
        if item.get("kind") != "Installation" or not str(item.get("apiVersion")).startswith("operator.tigera.io/"):
            return False
        spec = item.get("spec")
        declared = spec.get("calicoNetwork") if isinstance(spec, Mapping) else None
        return isinstance(declared, Mapping) and declared.get("hostPorts") == "Disabled"

    def names_interfaces(self, environment: Mapping[str, Any]) -> bool:
        # With another prefix, Calico only enforces policies, and the cloud's own network makes the interfaces.
        return str(environment.get("FELIX_INTERFACEPREFIX", "cali")) == "cali"

    def pod_chain(self, interface: str) -> str:
        return f"cali-tw-{interface}"

    def facts(self, settings: Settings) -> Mapping[str, str]:
        return {
            "podSubnet": ",".join(map(str, settings.cluster.pod_subnets)),
            "encapsulation": settings.calico.encapsulation,
        }

    def declared(self, environment: Mapping[str, Any]) -> Mapping[str, str]:
        pools = [
            str(environment[pool]) for pool in POOL_VARIABLES.values() if environment.get(pool) not in (None, "none")
        ]
        if not pools:
            return {}
        modes = {value: mode for mode, value in self.vxlan_modes.items()}
        encapsulation = modes.get(str(environment.get("CALICO_IPV4POOL_VXLAN")), "None")
        return {"podSubnet": ",".join(pools), "encapsulation": encapsulation}

    def fixed(self, settings: Settings, *, by_alias: bool = False) -> Mapping[str, Any]:
        # calico-node makes its pool once, at its first start.
        return settings.calico.model_dump(mode="json", by_alias=by_alias, include={"block_size", "encapsulation"})


CALICO_NETWORK = CalicoNetwork()
POD_NETWORK: PodNetwork = CALICO_NETWORK
"""The pod network that stacks install."""

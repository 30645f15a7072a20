"""Faults of hop 6's other half: the way from Envoy's pod to the workload's, which Calico and the node's kernel make."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from hops.model.pod_network import POD_NETWORK
from tests.live.faults.fault import ENDPOINT, Broken, fault
from tests.live.faults.kubernetes import Object, bare, nowhere, ready, until
from tests.live.faults.path import Path
from tests.project import run


def interface(path: Path) -> str:
    return POD_NETWORK.interface(path.namespace, path.pod)


def blocked(path: Path) -> bool:
    """Whether Envoy waits in vain for the pod."""
    return path.ask_envoy().status == 503


def nobody(policy: Object) -> None:
    policy["spec"]["ingress"] = []


@fault(33, "a policy lets nobody in (Kubernetes' or Calico's)", "503 after 2 s", (ENDPOINT, "T33"), touches="veth")
def denied(path: Path, chance: Random) -> Iterator[Broken]:
    if chance.random() < 0.5:
        with path.changed("networkpolicy", path.backend.service, path.namespace, nobody):
            yield Broken(lambda: blocked(path))
        return
    policy = {
        "apiVersion": "crd.projectcalico.org/v1",
        "kind": "GlobalNetworkPolicy",
        "metadata": {"name": "faults-deny"},
        "spec": {
            "order": 1,
            "selector": f"projectcalico.org/namespace == '{path.namespace}'",
            "types": ["Ingress"],
            "ingress": [{"action": "Deny"}],
        },
    }
    with path.created(policy):
        yield Broken(lambda: blocked(path))


@fault(34, "the pod's interface on the node is down", "503", (ENDPOINT, "T34"), touches="veth")
def link_down(path: Path, _: Random) -> Iterator[Broken]:
    path.node("ip", "link", "set", interface(path), "down")
    try:
        yield Broken(lambda: blocked(path))
    finally:
        path.node("ip", "link", "set", interface(path), "up")


@fault(35, "the pod's route on the node is deleted", "503", (ENDPOINT, "T35"), touches="veth")
def no_route(path: Path, _: Random) -> Iterator[Broken]:
    address = path.workload()["status"]["podIP"]
    (route,) = path.node("ip", "route", "show", address).splitlines()
    path.node("ip", "route", "del", address)
    try:
        # Felix looks after its routes every 90 s.
        yield Broken(lambda: not path.node("ip", "route", "show", address).strip(), fades=True)
    finally:
        path.node("ip", "route", "replace", *route.split())


@fault(36, "the node forwards nothing (ip_forward = 0)", "curl 28", (ENDPOINT, "T36"), touches="veth", deafens=True)
def no_forwarding(path: Path, _: Random) -> Iterator[Broken]:
    path.node("sysctl", "--write", "net.ipv4.ip_forward=0")
    try:
        yield Broken(lambda: path.node("sysctl", "--values", "net.ipv4.ip_forward").strip() == "0")
    finally:
        path.node("sysctl", "--write", "net.ipv4.ip_forward=1")


NODE_NAME = "/var/lib/calico/nodename"
"""What calico-node writes when it starts, and its plugin reads for each pod."""


@fault(
    37,
    "calico-node does not start, and the pod is made anew",
    "503",
    (ENDPOINT, "T37"),
    touches="veth pod",
    slow=True,
)
def no_calico(path: Path, _: Random) -> Iterator[Broken]:
    """The node is as one on which calico-node has not started yet. The old pod goes before, which takes the plugin."""

    def no_sandbox() -> bool:
        pod = path.workload()["metadata"]["uid"]
        events = path.list("events", path.namespace)
        return any(e["reason"] == "FailedCreatePodSandBox" and e["involvedObject"]["uid"] == pod for e in events)

    pod = bare(path.workload())
    with (
        path.changed("daemonset", "calico-node", "kube-system", nowhere),
        path.deleted("pod", path.pod, path.namespace),
    ):
        until("calico-node is away", lambda: not path.list("pods", "kube-system", "k8s-app=calico-node"))
        path.node("mv", NODE_NAME, f"{NODE_NAME}.away")
        path.apply("create", pod)
        try:
            yield Broken(no_sandbox)
        finally:
            path.node("mv", f"{NODE_NAME}.away", NODE_NAME)
            path.delete("pod", path.pod, path.namespace)


@fault(
    38,
    "the pod's address is of a pool outside of podSubnet",
    "mixed",
    (ENDPOINT, "T38"),
    touches="veth pod",
    stops=False,
)
def another_pool(path: Path, _: Random) -> Iterator[Broken]:
    pool = {
        "apiVersion": "crd.projectcalico.org/v1",
        "kind": "IPPool",
        "metadata": {"name": "faults-pool"},
        "spec": {
            "cidr": "10.99.0.0/16",
            "blockSize": 26,
            "natOutgoing": True,
            "nodeSelector": "all()",
            "vxlanMode": "CrossSubnet",
        },
    }
    named = {"cni.projectcalico.org/ipv4pools": json.dumps(["faults-pool"])}
    with path.created(pool), path.another_pod(lambda pod: pod["metadata"]["annotations"].update(named)):
        yield Broken(lambda: ready(path.workload()) and path.workload()["status"]["podIP"].startswith("10.99."))


@fault(39, "the pod's interface on the node has an MTU of 400", "a large page hangs", (ENDPOINT, "T39"), touches="veth")
def small_mtu(path: Path, _: Random) -> Iterator[Broken]:
    path.node("ip", "link", "set", interface(path), "mtu", "400")
    try:
        yield Broken(lambda: not path.ask_envoy().well)
    finally:
        path.node("ip", "link", "set", interface(path), "mtu", "1500")


@contextmanager
def apart(path: Path) -> Iterator[str]:
    """The workload's pod on the control plane's node, and all packets between nodes in the tunnel. Gives the node."""
    control = str(path.plan.control_plane)

    def always(pool: Object) -> None:
        pool["spec"]["vxlanMode"] = "Always"

    pool = ("ippools.crd.projectcalico.org", "default-ipv4-ippool", "default")
    with path.changed(*pool, always), path.another_pod(lambda pod: pod["spec"].update(nodeName=control)):
        until("the pod answers from the other node", lambda: ready(path.workload()) and path.ask().well)
        yield control


def no_filter() -> str | None:
    if os.geteuid() or not shutil.which("iptables"):
        return "only root may change the packet filter, with iptables"
    return None


@fault(84, "UDP 4789 is dropped, by which packets to the pod's node travel", "503 after 2 s", (ENDPOINT, "T84"),
       touches="veth pod", slow=True, why_not=no_filter)  # fmt: skip
def no_tunnel(path: Path, _: Random) -> Iterator[Broken]:
    """By the machine's own filter: in a node, Felix puts its rules before all others."""
    with apart(path) as control:
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        address = run("docker", "inspect", "--format", form, control).strip()
        rule = ("DOCKER-USER", "--destination", address, "--protocol", "udp", "--dport", "4789", "--jump", "DROP")
        run("iptables", "--insert", *rule)
        try:
            yield Broken(lambda: blocked(path))
        finally:
            run("iptables", "--delete", *rule)


@fault(85, "the uplink of the pod's node has an MTU of 600", "large requests hang", (ENDPOINT, "T85"),
       touches="veth pod", stops=False, slow=True)  # fmt: skip
def low_uplink(path: Path, _: Random) -> Iterator[Broken]:
    with apart(path) as control:
        run("docker", "exec", control, "ip", "link", "set", "eth0", "mtu", "600")
        try:
            yield Broken(lambda: True)
        finally:
            run("docker", "exec", control, "ip", "link", "set", "eth0", "mtu", "1500")

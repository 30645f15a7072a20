"""Faults of hop 3, the node's port and its DNAT rule."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_network
from random import Random

from hops.model.path import HOST_PORT_CHAIN
from hops.model.settings.stack_config import settings
from tests.live.faults.fault import HOST_PORT, Broken, fault
from tests.live.faults.kubernetes import Object, nowhere, ready, until
from tests.live.faults.path import CONFIG, STACK, Path

CNI = "/etc/cni/net.d/10-calico.conflist"
STALE = "CNI-DN-0123456789abcdef01234"


def rules(path: Path, chain: str) -> list[str]:
    """The rules of a nat chain, as iptables-save writes them."""
    return [line for line in nat(path) if line.startswith(f"-A {chain} ")]


def nat(path: Path) -> list[str]:
    return path.node("iptables-save", "--table", "nat").splitlines()


def restore(path: Path, *lines: str) -> None:
    """Adds to the nat table. A chain that is named is emptied first."""
    path.node("iptables-restore", "--noflush", stdin="\n".join(["*nat", *lines, "COMMIT", ""]))


def leads_in(path: Path) -> bool:
    return path.ask().curl == 0


def envoy_container(daemon_set: Object) -> Object:
    containers = daemon_set["spec"]["template"]["spec"]["containers"]
    container: Object = next(c for c in containers if c["name"] == "envoy")
    return container


def without_host_port(daemon_set: Object) -> None:
    for port in envoy_container(daemon_set)["ports"]:
        port.pop("hostPort", None)


@fault(11, "Envoy's DaemonSet has no hostPort", "curl 52 or 56", (HOST_PORT, "T11"), touches="envoy", slow=True)
def no_host_port(path: Path, _: Random) -> Iterator[Broken]:
    with path.another_envoy(without_host_port):
        yield Broken(lambda: path.envoy_ready() and not leads_in(path))


@fault(12, "the CNI configuration has no portmap", "curl 52 or 56", (HOST_PORT, "T12"), touches="envoy", slow=True)
def no_portmap(path: Path, _: Random) -> Iterator[Broken]:
    published = path.node("cat", CNI)
    configuration = json.loads(published)
    configuration["plugins"] = [p for p in configuration["plugins"] if p["type"] != "portmap"]
    try:
        path.node("tee", CNI, stdin=json.dumps(configuration))
        path.new_envoy()
        # Nobody takes the old pod's rules away now, and a node that never had the plugin has none.
        restore(path, f":{HOST_PORT_CHAIN} - [0:0]")
        yield Broken(lambda: path.envoy_ready() and not leads_in(path))
    finally:
        path.node("tee", CNI, stdin=published)
        path.new_envoy()
        sweep(path)


def sweep(path: Path) -> None:
    """Takes away the chains of host ports that no rule leads to."""
    saved = "\n".join(nat(path))
    led_to = set(re.findall(r"-j (CNI-DN-\S+)", saved))
    for chain in set(re.findall(r"^:(CNI-DN-\S+)", saved, re.MULTILINE)) - led_to:
        path.node("iptables", "--table", "nat", "--flush", chain)
        path.node("iptables", "--table", "nat", "--delete-chain", chain)


@fault(
    13, "an old DNAT rule to a dead pod stands before the live one", "curl 52 or 56", (HOST_PORT, "T13"), touches="dnat"
)
def stale_rule(path: Path, _: Random) -> Iterator[Broken]:
    live = rules(path, HOST_PORT_CHAIN)
    (led_to,) = {match[1] for rule in live if (match := re.search(r"-j (CNI-DN-\S+)", rule))}
    envoy = path.envoys()[0]["status"]["podIP"]
    # Of the node's own block: any other would leave the node for somebody who may answer.
    block = [
        str(address) for address in ip_network(f"{envoy}/{settings(STACK, CONFIG).calico.block_size}", strict=False)
    ]
    living = path.node("ip", "route", "show", "scope", "link")
    dead = next(address for address in reversed(block) if f"{address} " not in living)
    old = [rule.replace(led_to, STALE).replace(envoy, dead) for rule in rules(path, led_to)]
    before = [
        re.sub(r'id: \\?"[0-9a-f]+', lambda m: m[0][:-8] + "00000000", rule).replace(led_to, STALE) for rule in live
    ]
    restore(path, f":{STALE} - [0:0]", f":{HOST_PORT_CHAIN} - [0:0]", *old, *before, *live)
    try:
        yield Broken(lambda: not leads_in(path))
    finally:
        restore(path, f":{HOST_PORT_CHAIN} - [0:0]", *live)
        sweep(path)


@fault(14, "the node's host-port rules are flushed", "curl 52 or 56", (HOST_PORT, "T14"), touches="dnat")
def flushed(path: Path, _: Random) -> Iterator[Broken]:
    live = rules(path, HOST_PORT_CHAIN)
    restore(path, f":{HOST_PORT_CHAIN} - [0:0]")
    try:
        yield Broken(lambda: not leads_in(path))
    finally:
        restore(path, f":{HOST_PORT_CHAIN} - [0:0]", *live)


@contextmanager
def claimer(path: Path) -> Iterator[None]:
    """A pod that has Envoy's host port, since it came while no Envoy was there."""
    like = path.workload()
    spec = {
        "nodeName": path.worker,
        "terminationGracePeriodSeconds": 1,
        "containers": [
            {
                "name": "claimer",
                "image": like["spec"]["containers"][0]["image"],
                "command": ["python", "-m", "http.server", "8080", "--directory", "/tmp"],  # noqa: S108 - in the pod
                "ports": [{"containerPort": 8080, "hostPort": path.plan.entrypoint.mappings[0].node}],
            }
        ],
    }
    claiming = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "claimer", "namespace": "default"},
        "spec": spec,
    }
    with ExitStack() as stack:
        with path.another_envoy(nowhere):
            until("Envoy is away", lambda: not path.envoys())
            stack.enter_context(path.created(claiming))
            until("the other pod has the port", lambda: ready(path.get("pod", "claimer", "default")))
        yield


@fault(
    15,
    "another pod has the host port, and Envoy's is Pending",
    "its page",
    (HOST_PORT, "T15"),
    touches="envoy",
    slow=True,
)
def claimed(path: Path, _: Random) -> Iterator[Broken]:
    with claimer(path):
        yield Broken(lambda: any(pod["status"]["phase"] == "Pending" for pod in path.envoys()))

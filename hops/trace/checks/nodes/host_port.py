"""What can break: hop 3, the node's port and its DNAT rule."""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from hops.kubernetes import objects
from hops.kubernetes.resources.pod_status import pod_reason, unscheduled
from hops.kubernetes.resources.pods import as_pod
from hops.kubernetes.values import JSON, at, sequence, text
from hops.model.finding import Finding
from hops.model.hop import IPV6, Entrance, HopName, SocketAddress, ip_version
from hops.model.path import HOST_PORT_CHAIN
from hops.model.pod_network import POD_NETWORK
from hops.trace.checks.host.port_mapping import expected, patch_host_port
from hops.trace.code import Code
from hops.trace.facts.path_facts import PathFacts, container, identity
from hops.trace.facts.remedies import command, kubectl
from hops.trace.observed.observation import ObservedNode
from hops.trace.readers.netfilter import Translation, taken, translations

T11 = Code(
    code="T11",
    hop=HopName.HOST_PORT,
    title="Envoy's pod has no host port",
    symptom="curl ends with 52 or 56: Docker accepts the connection and closes it without an answer.",
    cause="hostPort is missing in Envoy's DaemonSet, or differs from the port to which Docker's mapping leads.",
    confirmed_by="Envoy's pod runs on the publishing node and declares no such hostPort, and no DNAT rule leads to it.",
    remedy="Give Envoy's container the hostPort.",
)
T12 = Code(
    code="T12",
    hop=HopName.HOST_PORT,
    title="The nodes' network configuration does not set up host ports",
    symptom="curl ends with 52 or 56: Docker accepts the connection and closes it without an answer.",
    cause=f"The portmap plugin is missing in the CNI configuration; {POD_NETWORK.title}'s operator leaves it out with "
    "hostPorts: Disabled.",
    confirmed_by="Envoy's pod declares its hostPort, the node has no DNAT rule to it, and the configuration in "
    "/etc/cni/net.d has no portmap.",
    remedy="Put portmap back and make Envoy's pod again: it gets its rules when it is made.",
    references=("https://docs.tigera.io/calico/latest/reference/installation/api",),
)
T13 = Code(
    code="T13",
    hop=HopName.HOST_PORT,
    title="A stale DNAT rule leads to a pod other than Envoy's",
    symptom="curl ends with 52, 56 or 28, or another pod answers.",
    cause="The rule of a deleted pod was left behind, and the node applies the first rule for a port.",
    confirmed_by="The target of the node's DNAT rule for the port is not the address of Envoy's pod. The finding is "
    "advisory if Envoy's own rule comes first.",
    remedy="Delete the rule.",
    references=(
        "https://github.com/projectcalico/calico/issues/3412",
        "https://github.com/containernetworking/plugins/issues/683",
    ),
    yields_to=("T12",),
)
T14 = Code(
    code="T14",
    hop=HopName.HOST_PORT,
    title="The DNAT rule to Envoy's pod is missing",
    symptom="curl ends with 52 or 56: Docker accepts the connection and closes it without an answer.",
    cause=f"The node's nat table or its chain {HOST_PORT_CHAIN} was flushed. portmap writes rules only when a pod is "
    "created.",
    confirmed_by="Envoy's pod declares its hostPort, portmap is configured, and no rule of the node forwards the port.",
    remedy="Recreate Envoy's pod.",
    references=("https://github.com/kubernetes/kubernetes/issues/93091",),
    yields_to=("T12", "T16"),
)
T15 = Code(
    code="T15",
    hop=HopName.HOST_PORT,
    title="Another pod has Envoy's host port",
    symptom="curl ends with 52 or 56, or another page answers.",
    cause="Only one pod of a node can have a host port. Another pod was first, so Envoy waits.",
    confirmed_by="Envoy's pod for the node is Pending, or was rejected because no port is free, and another pod on "
    "the node declares the same hostPort.",
    remedy="Remove the other pod, or give it another port.",
)


@dataclass(frozen=True)
class _PublishedPort:
    """The publishing node's port and the Envoy behind it.

    target: address and port where the request should go, None where that Envoy has no such hostPort.
    """

    node: str
    port: int
    envoy: Mapping[str, JSON]
    target: tuple[str, int] | None
    inside: ObservedNode | None
    found: tuple[Translation, ...]

    @property
    def led(self) -> bool:
        """Whether the node leads the port to Envoy."""
        first = taken(self.found)
        return first is not None and (first.address, first.port) == self.target

    @property
    def mine(self) -> tuple[Translation, ...]:
        """The rules that lead to Envoy's pod, or may."""
        return tuple(one for one in self.found if (one.address, one.port) == self.target)


def unclaimed(view: PathFacts) -> Iterator[Finding]:
    """T11."""
    published = _published_port(view)
    if published is None or published.target or published.port not in expected(view) or taken(published.found):
        return
    declared = sorted(outside for _, outside in _ports(published.envoy) if outside)
    name = objects.name(published.envoy)
    evidence = [f"pod {view.home}/{name} declares {' '.join(map(str, declared)) or 'no hostPort'}"]
    evidence += (
        [f"nat of {published.node}: no rule for port {published.port}"]
        if published.inside and published.inside.nat
        else []
    )
    message = f"Envoy's pod {name} does not use port {published.port} of {published.node}."
    yield T11.finding(identity(published.envoy), message, patch_host_port(view, published.port), evidence)


def unsupported(view: PathFacts) -> Iterator[Finding]:
    """T12."""
    published = _published_port(view)
    if published is None or not published.target or published.mine:
        return
    disabled = next((item for item in view.objects if POD_NETWORK.host_ports_disabled(item)), None)
    file, plugins = _plugins(published.inside)
    restart = kubectl(view, "rollout", "restart", "daemonset", view.envoy_workload.name, namespace=view.home)
    if disabled:
        who = identity(disabled)
        words = ("patch", who.kind.lower(), who.name, "--type", "merge", "--patch", POD_NETWORK.enable_host_ports)
        enable = kubectl(view, *words)
        remedy = f"{enable} && {restart}"
        evidence = [f"{who.kind} {who.name}: hostPorts is Disabled"]
        message = _without(published, f"{POD_NETWORK.title}'s {who.kind} has them disabled")
        yield T12.finding(who, message, remedy, evidence, about=[container(published.node)])
    elif file and "portmap" not in plugins:
        agent = ("daemonset", POD_NETWORK.agent)
        again = kubectl(view, "rollout", "restart", *agent, namespace=POD_NETWORK.agent_namespace)
        ready = kubectl(view, "rollout", "status", *agent, namespace=POD_NETWORK.agent_namespace)
        evidence = [f"{published.node}: /etc/cni/net.d/{file} has the plugins {' '.join(plugins)}"]
        message = _without(published, f"/etc/cni/net.d/{file} has no portmap")
        yield T12.finding(container(published.node), message, f"{again} && {ready} && {restart}", evidence)


def stale(view: PathFacts) -> Iterator[Finding]:
    """T13."""
    published = _published_port(view)
    if published is None or not published.target:
        return
    for one in published.found:
        if not one.certain or one in published.mine:
            continue
        owner = next((pod for pod in view.of("Pod") if one.address in objects.addresses(pod)), None)
        whose = f"{objects.full_name(owner)}" if owner else "no pod"
        evidence = [f"nat {other.rule.chain}: port {published.port} to {other}" for other in published.found]
        evidence.append(f"{one.address} is the address of {whose}, Envoy's is {published.target[0]}")
        before = "before" if not published.led else "behind"
        also = f", {before} the rule to Envoy's {SocketAddress(*published.target)}" if published.mine else ""
        message = f"{published.node} leads port {published.port} to {one}, which is {whose}'s{also}."
        rule = shlex.split(one.rule.text)
        tool = "ip6tables" if ip_version(published.target[0]) == IPV6 else "iptables"
        remedy = command("docker", "exec", published.node, tool, "--table", "nat", "--delete", one.rule.chain, *rule)
        if not published.mine:
            restart = kubectl(view, "rollout", "restart", "daemonset", view.envoy_workload.name, namespace=view.home)
            remedy += f" && {restart}"
        stops = not (published.led or view.through_envoy("node"))
        yield T13.finding(container(published.node), message, remedy, evidence, stops=stops)


def missing(view: PathFacts) -> Iterator[Finding]:
    """T14."""
    published = _published_port(view)
    if published is None or not published.target or not published.inside:
        return
    if not published.inside.nat_of(published.target[0]):
        return
    if published.mine or taken(published.found):
        return
    name = objects.name(published.envoy)
    phase, to = objects.phase(published.envoy), SocketAddress(*published.target)
    evidence = [
        f"nat of {published.node}: no rule for port {published.port}",
        f"pod {view.home}/{name} is {phase} at {to} and declares hostPort {published.port}",
    ]
    message = f"{published.node} has no rule that leads its port {published.port} to Envoy's pod at {to}."
    remedy = kubectl(view, "rollout", "restart", "daemonset", view.envoy_workload.name, namespace=view.home)
    yield T14.finding(container(published.node), message, remedy, evidence, about=[identity(published.envoy)])


def claimed(view: PathFacts) -> Iterator[Finding]:
    """T15."""
    node, port = view.publishing, view.node_port
    envoy = next((pod for pod in view.envoys_on(node) if portless(pod)), None)
    if _by_service(view) or node is None or port is None or envoy is None:
        return
    for pod in view.of("Pod"):
        rival = objects.node_of(pod) == node and any(outside == port for _, outside in _ports(pod))
        if rival and objects.phase(pod) in ("Running", "Pending") and pod not in view.envoy_pods:
            waiting = objects.name(envoy)
            evidence = [f"pod {view.home}/{waiting}: {portless(envoy)}"]
            message = f"{objects.full_name(pod)} has port {port} of {node}, and Envoy's pod {waiting} waits for it."
            yield T15.finding(identity(pod), message, _removal(view, pod), evidence, about=[identity(envoy)])


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (unclaimed, unsupported, stale, missing, claimed)


def portless(pod: Mapping[str, JSON]) -> str | None:
    """Why a pod found no node with its host ports free, None where that isn't its trouble."""
    whole, waiting = pod_reason(pod), unscheduled(pod)
    if objects.phase(pod) == "Failed" and whole.reason == "NodePorts":
        return whole.message or "NodePorts"
    return waiting.message if waiting and "free ports" in waiting.message else None


def _published_port(view: PathFacts) -> _PublishedPort | None:
    """What leads into Envoy; None where there is no running Envoy there, or requests get to it anyway."""
    node, port = view.publishing, view.node_port
    running = (pod for pod in view.envoys_on(node) if objects.phase(pod) == "Running")
    envoy = next(running, None)
    if _by_service(view) or node is None or port is None or envoy is None or as_pod(envoy).host_network:
        return None
    address = view.of_version(objects.addresses(envoy))
    if address is None or view.running(node) is False:
        return None
    container_port = next((inside for inside, outside in _ports(envoy) if outside == port), None)
    inside = view.node(node)
    own = view.address_of(node)
    found = translations(inside.nat_of(own), own, port) if inside else ()
    target = (address, container_port) if container_port else None
    published = _PublishedPort(node, port, envoy, target, inside, found)
    asked = view.request("node")
    reached = view.through_envoy("client") or (asked is not None and asked.port == port and asked.by_envoy)
    return None if reached and not published.led else published


def _by_service(view: PathFacts) -> bool:
    """Whether requests enter by the NodePort of a Service, which needs no host port of Envoy."""
    return view.entrypoint is not None and view.entrypoint.by is Entrance.NODE_PORT


def _ports(pod: Mapping[str, JSON]) -> Iterator[tuple[int, int]]:
    """The TCP ports of a pod's containers, and their host ports or 0."""
    for port in as_pod(pod).ports:
        if port.protocol == "TCP":
            yield port.container_port or 0, port.host_port or 0


def _plugins(node: ObservedNode | None) -> tuple[str | None, tuple[str, ...]]:
    """The network configuration that a node uses, the first by name, and its plugins."""
    for name, content in sorted(node.cni.items() if node else ()):
        try:
            configuration = json.loads(content)
        except ValueError:
            return None, ()
        listed = sequence(at(configuration, "plugins")) or [configuration]
        return name, tuple(kind for plugin in listed if (kind := text(at(plugin, "type"))))
    return None, ()


def _without(published: _PublishedPort, why: str) -> str:
    return f"Port {published.port} of {published.node} leads to no pod, because host ports are not set up there: {why}."


def _removal(view: PathFacts, pod: Mapping[str, JSON]) -> str:
    """The command that takes a pod away, together with what would make it again."""
    namespace, name = objects.namespace(pod), objects.name(pod)
    kind, made_by = objects.workload(pod) or ("Pod", name)
    return kubectl(view, "delete", kind.lower(), made_by, namespace=str(namespace))

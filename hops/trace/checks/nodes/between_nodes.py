"""What can break: hop 6, the way from Envoy's node to another one, on which the pod runs."""

from collections.abc import Callable, Iterator

from hops.kubernetes.values import text
from hops.model.finding import Finding
from hops.model.hop import HopName
from hops.model.pod_network import POD_NETWORK
from hops.trace.checks.nodes.pod_interfaces import TUNNEL, VethPair, wires
from hops.trace.code import Code
from hops.trace.facts.envoy_drift import arrived
from hops.trace.facts.evidence import request_line
from hops.trace.facts.path_facts import PathFacts, container
from hops.trace.facts.remedies import command
from hops.trace.observed.observation import ObservedNode, SentRequest
from hops.trace.readers.kernel import IptablesRule, links, longest, rules

_UPLINK, _VXLAN_PORT, _VXLAN_BYTES = "eth0", 4789, 50
"""A node's uplink, and the port and the overhead of VXLAN over IPv4 (RFC 7348)."""

tunnel = Code(
    code="T84",
    hop=HopName.ENDPOINT,
    title="The tunnel between two nodes carries no packets",
    symptom="503 from Envoy, after its connect time-out of 2 s, for pods on another node than Envoy's.",
    cause=f"{POD_NETWORK.title} sends packets between the nodes encapsulated, as UDP to port {_VXLAN_PORT}. A rule "
    "drops them, or the tunnel's interface is down.",
    confirmed_by="The pod answers requests from its own node and not from Envoy's. The route there leads into the "
    "tunnel, and the filter of one of the nodes drops the port, or the interface is not up.",
    remedy="Delete the rule, or switch the interface on.",
    references=("https://docs.tigera.io/calico/latest/getting-started/kubernetes/requirements#network-requirements",),
)
uplink = Code(
    code="T85",
    hop=HopName.ENDPOINT,
    title="A node's uplink has a lower MTU than its pods",
    symptom="For pods on another node than Envoy's, small requests and answers arrive and large ones hang.",
    cause="The MTU of a node's eth0 was set lower than that of the pods, with the tunnel's overhead if there is one. "
    "What comes to the node in larger packets is dropped.",
    confirmed_by="The trace compares the MTU of the nodes' eth0 with that of the pods' eth0. The finding is advisory "
    "if the request is answered.",
    remedy="Set the uplink's MTU, or lower the pods' (Calico: veth_mtu).",
    references=("https://docs.tigera.io/calico/latest/networking/configuring/mtu",),
)


def _pairs(view: PathFacts) -> Iterator[tuple[VethPair, VethPair]]:
    """Envoy's pod, and each pod of the backend on another node."""
    found = wires(view)
    envoy = next((wire for wire in found if wire.hop is HopName.HOST_PORT), None)
    for wire in found if envoy else ():
        if envoy and wire.hop is HopName.ENDPOINT and wire.node.name != envoy.node.name:
            yield envoy, wire


def _cut(view: PathFacts) -> Iterator[Finding]:
    for envoy, wire in _pairs(view):
        failed, device = _failed(view, wire), _device(envoy.node, wire.address)
        if failed is None or not device.startswith(TUNNEL):
            continue
        for node in (envoy.node, wire.node):
            rule = _drops(node.filter)
            link = links(node.links).get(device)
            if rule:
                why = f"{node.name} drops UDP {_VXLAN_PORT}, in which packets to {wire.name} travel"
                evidence = [f"filter of {node.name}: {rule.chain} {rule.text}", request_line(failed)]
                remedy = f"{command('docker', 'exec', node.name, 'iptables', '--delete', rule.chain)} {rule.text}"
            elif link is None or not link.on:
                why = (
                    f"The interface {device} of {node.name} is {link or 'gone'}, by which packets to {wire.name} travel"
                )
                evidence = [f"{node.name}: {device} is {link or 'gone'}", request_line(failed)]
                remedy = command("docker", "exec", node.name, "ip", "link", "set", device, "up")
            else:
                continue
            yield tunnel.finding(container(node.name), f"{why}.", remedy, evidence)
            return
        # Docker's network passes the filter of the machine.
        if rule := _drops(view.observation.host.filter if view.observation.host else ""):
            why = f"This machine drops UDP {_VXLAN_PORT}, in which packets from {envoy.node.name} to {wire.name} travel"
            evidence = [f"filter of this machine: {rule.chain} {rule.text}", request_line(failed)]
            remedy = f"{command('sudo', 'iptables', '--delete', rule.chain)} {rule.text}"
            yield tunnel.finding(container(wire.node.name), f"{why}.", remedy, evidence)
            return


def _drops(table: str) -> IptablesRule | None:
    """The first rule of a filter that drops the tunnel's packets. Calico's own rules drop those of strangers only."""
    own = (rule for rule in rules(table) if not rule.chain.startswith("cali-"))
    return next((rule for rule in own if _VXLAN_PORT in rule.ports and rule.jump in ("DROP", "REJECT")), None)


def _narrow(view: PathFacts) -> Iterator[Finding]:
    client = view.request("client")
    well = arrived(view) and client is not None and client.failure is None
    for one, other in _pairs(view):
        encapsulated = _device(one.node, other.address).startswith(TUNNEL)
        overhead = _VXLAN_BYTES if encapsulated else 0
        inner = min(wire.own.mtu or 0 for wire in (one, other) if wire.own) if one.own and other.own else 0
        for wire in (one, other):
            outer = links(wire.node.links).get(_UPLINK)
            if outer is None or not outer.mtu or outer.mtu >= inner + overhead:
                continue
            message = (
                f"{_UPLINK} of {wire.node.name} has MTU {outer.mtu}, and packets of the pods need {inner + overhead}."
            )
            evidence = [f"{wire.node.name}: {_UPLINK} has MTU {outer.mtu}", f"{one.name}, {other.name}: MTU {inner}"]
            words = ("ip", "link", "set", _UPLINK, "mtu", max(1500, inner + overhead))
            remedy = command("docker", "exec", wire.node.name, *words)
            yield uplink.finding(container(wire.node.name), message, remedy, evidence, stops=not well)


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (_cut, _narrow)


def _failed(view: PathFacts, wire: VethPair) -> SentRequest | None:
    """The request from Envoy's network that got no answer, while the pod's own node got one."""
    there = [r for r in view.observation.requests if r.address == wire.address]
    failed = next((r for r in there if r.where == "pod from envoy" and r.status is None), None)
    return failed if failed and any(r.where == "pod" and r.status is not None for r in there) else None


def _device(node: ObservedNode, address: str) -> str:
    return text((longest(node.routes_of(address), address) or {}).get("dev")) or ""

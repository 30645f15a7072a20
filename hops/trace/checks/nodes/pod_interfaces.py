"""What can break: hops 3 and 6, the pair of interfaces and the routes between a node and its pods."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from hops.kubernetes import objects
from hops.kubernetes.resources.pods import as_pod
from hops.kubernetes.values import JSON, number, text
from hops.model.finding import Finding
from hops.model.hop import HopName
from hops.model.pod_network import POD_NETWORK
from hops.trace.code import Code
from hops.trace.facts.envoy_drift import arrived
from hops.trace.facts.evidence import request_line
from hops.trace.facts.path_facts import PathFacts, container, identity
from hops.trace.facts.remedies import command, kubectl
from hops.trace.observed.observation import ObservedNode, SentRequest
from hops.trace.readers.kernel import Link, first_address, links, longest, parsed

_GATEWAY = "169.254.1.1"
"""Of every pod (Calico, cni-plugin/pkg/dataplane/linux/dataplane_linux.go)."""
_UPLINK = "eth0"
TUNNEL = "vxlan"
"""The beginning of the name of a node's tunnel interface."""

T34 = Code(
    code="T34",
    hop=HopName.ENDPOINT,
    title="A pod's interface is down",
    symptom="503 from Envoy, after its connect time-out of 2 s.",
    cause="The pair of interfaces between the node and the pod was switched off at one end, or was deleted.",
    confirmed_by="The node no longer has the route to the pod, and the pod's interface on the node or its eth0 is not "
    "up.",
    remedy=f"Switch the interface on; {POD_NETWORK.title} then restores the route.",
)
T35 = Code(
    code="T35",
    hop=HopName.ENDPOINT,
    title="A node's route to a pod is missing or leads elsewhere",
    symptom="503 from Envoy, after its connect time-out of 2 s.",
    cause=f"The pod's route was deleted or replaced, or {POD_NETWORK.agent} has not written the route to the pods of "
    "another node.",
    confirmed_by="The interfaces are up, and the most specific route for the pod's address leads neither to the pod's "
    "interface nor to its node.",
    remedy=f"Restore the route; {POD_NETWORK.agent} does so within 90 s if it runs.",
    # The kernel drops the routes by an interface that is switched off.
    yields_to=("T34", "T84"),
)
T36 = Code(
    code="T36",
    hop=HopName.ENDPOINT,
    title="The node's kernel does not forward packets",
    symptom="503 from Envoy, or curl ends with 28, timed out.",
    cause="net.ipv4.ip_forward is 0, or strict rp_filter drops packets that arrive on an interface other than the "
    "one to which the answer would go.",
    confirmed_by="The trace reads the node's sysctls. kind sets strict rp_filter, which alone is harmless: it is "
    "reported only if a request failed and the two nodes route differently.",
    remedy="Set the sysctl.",
    yields_to=("T84",),
)
T39 = Code(
    code="T39",
    hop=HopName.ENDPOINT,
    title="A pod's interface on the node has a lower MTU than the pod's end",
    symptom="Small answers arrive, large ones hang.",
    cause="The MTU of the node's end was set lower than that of the pod's end, so the node's end drops larger packets.",
    confirmed_by="The trace compares the MTU of the pod's eth0 with that of its cali interface on the node. The "
    "finding is advisory if the request is answered. Pods may have different MTUs as long as both ends of each pair "
    "are equal.",
    remedy="Set the node's end to the MTU of the pod's end.",
)


@dataclass(frozen=True)
class VethPair:
    """A running pod's connection to its node. hop: the one that breaks with it.

    pod: the object.
    address: IP address of the pod.
    interface: its name at the node.
    host: the interface at the node, None where it is gone.
    own: the pod's eth0, None where it wasn't seen.
    space: the pod's network namespace.
    """

    pod: Mapping[str, JSON]
    hop: HopName
    address: str
    node: ObservedNode
    interface: str
    host: Link | None
    own: Link | None
    space: str | None

    @property
    def name(self) -> str:
        return f"{objects.full_name(self.pod)}"

    @property
    def routes(self) -> str:
        """The node's routes of the family of the pod's address."""
        return self.node.routes_of(self.address)

    @property
    def up(self) -> bool:
        return self.host is not None and self.host.up and (self.own is None or self.own.up)


def wires(view: PathFacts) -> tuple[VethPair, ...]:
    """Of Envoy's pod that takes the requests, then of the backend's pods; those that can't be seen are left out."""
    subjects = [(pod, HopName.HOST_PORT) for pod in view.envoys_on(view.publishing)[:1]]
    subjects += [(pod, HopName.ENDPOINT) for pod in view.pods]
    return tuple(wire for pod, hop in subjects if (wire := _wire(view, pod, hop)))


def disconnected(view: PathFacts) -> Iterator[Finding]:
    """T34."""
    for wire in wires(view):
        if wire.up or _reached(view, wire) or _unsure(view, wire):
            continue
        what, remedy = _broken(view, wire)
        evidence = [f"{wire.node.name}: {wire.interface} is {wire.host or 'gone'}"]
        evidence += [f"{wire.name}: eth0 is {wire.own}"] if wire.own else []
        yield T34.finding(identity(wire.pod), what, remedy, evidence, hop=wire.hop)


def unrouted(view: PathFacts) -> Iterator[Finding]:
    """T35."""
    found = wires(view)
    envoy = next((wire for wire in found if wire.hop is HopName.HOST_PORT), None)
    for wire in found:
        if envoy and wire.node.name != envoy.node.name and _cut_off(view, wire):
            # The way there is the first to be cut, so the way back is asked only where it isn't.
            yield from [*_between(envoy, wire), *_between(wire, envoy)][:1]
        if _unsure(view, wire) or _reached(view, wire) or not wire.routes:
            continue
        route = longest(wire.routes, wire.address)
        if text((route or {}).get("dev")) != wire.interface:
            message = f"{wire.node.name} has no route to {wire.name} at {wire.address} by {wire.interface}."
            remedy = _on(
                wire.node,
                "ip",
                "route",
                "replace",
                str(ip_network(wire.address)),
                "dev",
                wire.interface,
                "scope",
                "link",
            )
            evidence = [f"{wire.node.name}: {wire.address} goes {_way(route)}"]
            yield T35.finding(identity(wire.pod), message, remedy, evidence, hop=wire.hop)


def blocked(view: PathFacts) -> Iterator[Finding]:
    """T36."""
    found = wires(view)
    for node in {wire.node.name: wire.node for wire in found}.values() if not arrived(view) else ():
        here = [wire.interface for wire in found if wire.node.name == node.name]
        names = ["net.ipv4.ip_forward", *(f"net.ipv4.conf.{one}.forwarding" for one in (_UPLINK, *here))]
        off = [name for name in names if node.sysctls.get(name) == 0]
        if off:
            message = f"The kernel of {node.name}does not forward packets: {off[0]} is 0."
            remedy = _on(node, "sysctl", "--write", *(f"{name}=1" for name in off))
            yield T36.finding(container(node.name), message, remedy, [f"{node.name}: {name} is 0" for name in off])
    envoy = next((wire for wire in found if wire.hop is HopName.HOST_PORT), None)
    for wire in found if envoy else ():
        failed = _failed(view, wire)
        if envoy and failed and failed.where == "pod from envoy" and wire.node.name != envoy.node.name:
            # The way there is the first to be cut, so the way back is asked only where it isn't.
            yield from [*_one_way(envoy, wire, failed), *_one_way(wire, envoy, failed)][:1]


def narrowed(view: PathFacts) -> Iterator[Finding]:
    """T39."""
    request = view.request("client")
    well = arrived(view) and request is not None and request.failure is None
    for wire in wires(view):
        outer, inner = (wire.host.mtu if wire.host else None), (wire.own.mtu if wire.own else None)
        # A lower end in the pod does no harm: TCP tells its peers how much fits.
        if outer is None or inner is None or outer >= inner:
            continue
        message = (
            f"{wire.interface} of {wire.name} has MTU {outer} on {wire.node.name}, and the pod's end {inner}: "
            "larger packets of the pod are dropped."
        )
        evidence = [f"{wire.node.name}: {wire.interface} has MTU {outer}", f"{wire.name}: eth0 has MTU {inner}"]
        remedy = _on(wire.node, "ip", "link", "set", wire.interface, "mtu", inner)
        yield T39.finding(identity(wire.pod), message, remedy, evidence, stops=not well, hop=wire.hop)


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (disconnected, unrouted, blocked, narrowed)


def _wire(view: PathFacts, pod: Mapping[str, JSON], hop: HopName) -> VethPair | None:
    body = dict(pod)
    address, node = objects.address(body), view.node(objects.node_of(body))
    ends = links(node.links) if node else {}
    if node is None or not ends or not address or as_pod(body).host_network:
        return None
    if objects.phase(body) != "Running" or objects.deleting(body):
        return None
    name = POD_NETWORK.interface(str(objects.namespace(body)), objects.name(body))
    if name not in ends and not any(other.startswith("cali") for other in ends):
        # Another network plugin names interfaces in its own way.
        return None
    space = view.namespace(pod)
    own = links(space.links).get("eth0") if space else None
    return VethPair(pod, hop, address, node, name, ends.get(name), own, space.name if space else None)


def _broken(view: PathFacts, wire: VethPair) -> tuple[str, str]:
    """What of a wire is broken, and the command that mends it."""
    if wire.host is None:
        namespace, name = wire.name.split("/")
        read = kubectl(view, "get", "pod", name, "--output", "json", namespace=namespace)
        remedy = f"{read} | {kubectl(view, 'replace', '--force', '--filename', '-')}"
        return f"The interface {wire.interface} of {wire.name} is gone from {wire.node.name}.", remedy
    if wire.host.on and wire.own and not wire.own.on:
        inside = ("ip", "-netns", wire.space)
        steps = (
            ("link", "set", "eth0", "up"),
            ("route", "replace", _GATEWAY, "dev", "eth0"),
            ("route", "replace", "default", "via", _GATEWAY, "dev", "eth0"),
        )
        script = " && ".join(command(*inside, *step) for step in steps)
        return f"eth0 in {wire.name} is down.", _on(wire.node, "sh", "-c", script)
    what = f"The interface {wire.interface} of {wire.name} on {wire.node.name} is {wire.host}."
    return what, _on(wire.node, "ip", "link", "set", wire.interface, "up")


def _on(node: ObservedNode, *words: object) -> str:
    """A command that runs inside a node's container."""
    return command("docker", "exec", node.name, *words)


def _reached(view: PathFacts, wire: VethPair) -> bool:
    """Whether a request was answered from the pod's network namespace."""
    if wire.hop is HopName.HOST_PORT:
        return view.through_envoy("client") or view.through_envoy("node") or view.answered("envoy")
    there = [r for r in view.observation.requests if r.where in ("pod", "pod from envoy") and r.address == wire.address]
    return any(r.status is not None for r in there) or (arrived(view) and len(view.pods) == 1)


def _unsure(view: PathFacts, wire: VethPair) -> bool:
    """Whether the pod may have been made after the look at its node, which then lacks its interface and route."""
    return wire.host is None and not _failed(view, wire)


def _cut_off(view: PathFacts, wire: VethPair) -> bool:
    """Whether the request from Envoy's network to a pod got no answer."""
    there = (r for r in view.observation.requests if r.where == "pod from envoy" and r.address == wire.address)
    return any(request.status is None for request in there)


def _failed(view: PathFacts, wire: VethPair) -> SentRequest | None:
    """The request to the pod that got no answer, that from Envoy's pod first."""
    places = ("envoy",) if wire.hop is HopName.HOST_PORT else ("pod from envoy", "pod")
    there = (r for place in places for r in view.observation.requests if r.where == place and r.address == wire.address)
    return next((request for request in there if request.status is None), None)


def _way(route: Mapping[str, Any] | None) -> str:
    if route is None:
        return "nowhere"
    kind = f"{route['type']} " if route.get("type") else ""
    by = "".join(f" {word} {route[key]}" for word, key in (("via", "gateway"), ("dev", "dev")) if route.get(key))
    return f"by {kind}{route.get('dst')}{by}"


def _between(one: VethPair, other: VethPair) -> Iterator[Finding]:
    """T35 where two nodes are on the way: the first one's route to the other's pod."""
    routes = one.node.routes_of(other.address)
    route = longest(routes, other.address)
    if not routes or (route and route.get("dst") != "default" and not route.get("type")):
        return
    message = f"{one.node.name} has no route to {other.name} at {other.address} on {other.node.name}."
    evidence = [f"{one.node.name}: {other.address} goes {_way(route)}"]
    remedy = _on(one.node, "ip", "route", "replace", _block(other), *_next_hop(one.node, other.node))
    yield T35.finding(container(one.node.name), message, remedy, evidence)


def _block(wire: VethPair) -> str:
    """The block of addresses of a pod's node: the node itself has a blackhole for it. Else the pod's own address."""
    holes = [route for route in parsed(wire.routes) if route.get("type") == "blackhole"]
    return text((longest(json.dumps(holes), wire.address) or {}).get("dst")) or str(ip_network(wire.address))


def _next_hop(one: ObservedNode, other: ObservedNode) -> tuple[str, ...]:
    """The end of a route from one node to the pods of another: by the tunnel, if their other routes take it."""
    routes = [*parsed(one.routes), *parsed(other.routes)]
    for name in dict.fromkeys(text(route.get("dev")) or "" for route in routes):
        if name.startswith(TUNNEL) and (end := first_address(other.links, name)):
            return ("via", end, "dev", name, "onlink")
    return ("via", first_address(other.links, _UPLINK) or other.name, "dev", _UPLINK)


def _one_way(one: VethPair, other: VethPair, failed: SentRequest) -> Iterator[Finding]:
    """T36 where strict rp_filter drops what comes in by another interface than its answer would leave by."""
    out = text((longest(one.node.routes_of(other.address), other.address) or {}).get("dev"))
    back = text((longest(other.node.routes_of(one.address), one.address) or {}).get("dev"))
    sysctls = other.node.sysctls
    both = (f"net.ipv4.conf.{name}.rp_filter" for name in ("all", out))
    strict = max((number(sysctls.get(name)) or 0) for name in both) == 1
    if not out or not back or out == back or not strict:
        return
    message = (
        f"{other.node.name} drops packets from {one.name} to {other.name}: they arrive on {out}, rp_filter is strict "
        f"there, and the route back is {back}."
    )
    evidence = [
        f"{one.node.name}: to {other.address} by {out}",
        f"{other.node.name}: back by {back}",
        request_line(failed),
    ]
    remedy = _on(other.node, "sysctl", "--write", f"net/ipv4/conf/{out}/rp_filter=2")
    yield T36.finding(container(other.node.name), message, remedy, evidence)

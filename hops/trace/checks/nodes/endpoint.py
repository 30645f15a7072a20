"""What can break: hop 6, what the pod network makes of the way from Envoy's pod to the backend's."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network

from hops.kubernetes import objects
from hops.kubernetes.policies.network_policies import DEFAULT, KINDS, Connection, Direction, Peer, peer, tier_of
from hops.kubernetes.policies.policy_order import Ruling, ruling
from hops.kubernetes.resources import ip_pools
from hops.kubernetes.resources.pods import as_pod, as_template
from hops.kubernetes.values import JSON, at, network, text
from hops.model.finding import Finding, Identity
from hops.model.hop import HopName, ip_version
from hops.model.pod_network import POD_NETWORK
from hops.trace.checks.nodes.pod_interfaces import wires
from hops.trace.code import Code
from hops.trace.facts.envoy_drift import arrived, contour_pods
from hops.trace.facts.evidence import request_line
from hops.trace.facts.path_facts import PathFacts, identity
from hops.trace.facts.remedies import NETWORK_AGENT, command, kubectl, mend
from hops.trace.observed.observation import SentRequest

T33 = Code(
    code="T33",
    hop=HopName.ENDPOINT,
    title="A network policy blocks the connection from Envoy to the pod",
    symptom="503 from Envoy, after its connect time-out of 2 s.",
    cause=f"A NetworkPolicy of Kubernetes or {POD_NETWORK.title} selects the pod, and no rule allows connections "
    "from Envoy.",
    confirmed_by="The trace evaluates the policies for the connection from Envoy's pod to the pod's port. A request "
    "from the pod's own node succeeds, one from Envoy's pod fails. A policy that the trace cannot evaluate is "
    "reported only if both requests were seen.",
    remedy="Allow Envoy's pod, or remove the rule that denies it.",
    references=("https://kubernetes.io/docs/concepts/services-networking/network-policies/",),
)
T37 = Code(
    code="T37",
    hop=HopName.ENDPOINT,
    title=f"{POD_NETWORK.title} does not run on the pod's node",
    symptom="503 from Envoy; the pod stays in ContainerCreating, or runs and cannot be reached.",
    cause=f"{POD_NETWORK.agent} is stopped, deleted or fails, so the network of a new pod is not set up.",
    confirmed_by=f"No {POD_NETWORK.agent} is ready on the node, and the pod's sandbox error names {POD_NETWORK.title}, "
    "or the node's firewall drops packets of the pod's interface as unknown. The finding is advisory if the request "
    "is answered.",
    remedy=f"Start {POD_NETWORK.agent} on the node again.",
)
T38 = Code(
    code="T38",
    hop=HopName.ENDPOINT,
    title=f"{POD_NETWORK.title} gives pods addresses outside of the cluster's pod subnet",
    symptom="Some connections work, others are masqueraded or dropped.",
    cause="The IPPool's CIDR is outside the podSubnet with which the cluster was created.",
    confirmed_by="The trace compares the pool's CIDR with podSubnet of kubeadm's configuration. The finding is "
    "advisory if the request is answered.",
    remedy="Create a pool in the pod subnet, disable the other, and recreate the pods.",
    references=("https://docs.tigera.io/calico/latest/networking/ipam/migrate-pools",),
)


def denied(view: PathFacts) -> Iterator[Finding]:
    """T33."""
    envoy = next(iter(view.envoys_on(view.publishing)), None) or next(iter(view.envoy_pods), None)
    if envoy is None or view.backend is None or as_pod(envoy).host_network:
        return
    policies = [item for kind in KINDS for item in view.of(kind)]
    reported = set()
    for pod, address in [(each, address) for each in view.pods for address in _dialled(view, each)]:
        sent = _sent(view, address)
        if as_pod(pod).host_network or _passed(view, sent):
            continue
        source = next((own for own in objects.addresses(envoy) if ip_version(own) == ip_version(address)), None)
        ends = (replace(_peer(view, envoy), address=source), replace(_peer(view, pod), address=address))
        connection = Connection(*ends, view.backend.target_port)
        directions: tuple[Direction, ...] = ("Ingress", "Egress")
        for direction in directions:
            said = ruling(policies, direction, connection)
            if said.by is None or said.allowed or id(said.by) in reported:
                continue
            if said.allowed is None and not (sent and sent.failure == "timeout" and _from_node(view, address)):
                continue
            reported.add(id(said.by))
            yield _denial(view, said, direction, (envoy, pod), address)


def unready(view: PathFacts) -> Iterator[Finding]:
    """T37."""
    idle = set()
    # A Contour without a network can stop a request. While requests arrive, the finding about the node is enough.
    telling = () if arrived(view) else contour_pods(view)
    for pod in (*view.envoys_on(view.publishing), *telling, *view.pods):
        node = objects.node_of(pod)
        if node is None or not view.sees("Pod") or not view.sees("DaemonSet") or _agent_ready(view, node):
            continue
        waiting = [identity(p) for p in view.of("Pod") if objects.node_of(p) == node and view.no_sandbox(p)]
        lacks = _lacks(view, pod)
        hop = HopName.HOST_PORT if pod in view.envoy_pods else HopName.ROUTE if pod in telling else T37.hop
        if lacks:
            what, evidence = lacks
            message = f"{POD_NETWORK.agent} does not run on {node}, and {_named(pod)} {what}."
            remedy = _agent_again(view, node)
            yield T37.finding(identity(pod), message, remedy, [evidence], hop=hop, about=waiting)
        elif arrived(view) and not _agent_pods(view, node) and node not in idle:
            idle.add(node)
            lost = "pods, routes and policies that change there have no effect"
            message = f"{POD_NETWORK.agent} does not run on {node}: {lost}."
            evidence = f"{node} has no pod of {POD_NETWORK.agent}"
            remedy = _agent_again(view, node)
            yield T37.finding(_agent(view), message, remedy, [evidence], stops=False, about=waiting)


def outside(view: PathFacts) -> Iterator[Finding]:
    """T38."""
    subnets = _subnets(view)
    for pool in view.of("IPPool"):
        cidr = network(ip_pools.cidr(pool))
        if cidr is None or not ip_pools.for_pods(pool):
            continue
        same = [subnet for subnet in subnets if subnet.version == cidr.version]
        if not same or any(_inside(cidr, subnet) for subnet in same):
            continue
        name = objects.name(pool)
        pod_subnet = str(same[0])
        evidence = [f"IPPool {name}: {cidr}", f"podSubnet: {pod_subnet}"]
        message = (
            f"{POD_NETWORK.title}'s pool {name} gives addresses of {cidr}, and the cluster's pod subnet is "
            f"{pod_subnet}."
        )
        yield T38.finding(identity(pool), message, _pool(view, pool, pod_subnet), evidence, stops=not arrived(view))


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (denied, unready, outside)


# T33


def _peer(view: PathFacts, pod: Mapping[str, JSON]) -> Peer:
    return peer(pod, view.get("Namespace", None, str(objects.namespace(pod))))


def _dialled(view: PathFacts, pod: Mapping[str, JSON]) -> tuple[str | None, ...]:
    """The addresses of a pod to which Envoy connects: its first one, and that of another family of the Service."""
    backend = view.backend
    given = {one.address for one in view.endpoints(backend.namespace, backend.service)} if backend else set()
    own = objects.addresses(pod)
    return (objects.address(pod), *(address for address in own[1:] if address in given))


def _sent(view: PathFacts, address: str | None) -> SentRequest | None:
    """The request from Envoy's network namespace to an address of a pod."""
    return next((r for r in view.observation.requests if r.where == "pod from envoy" and r.address == address), None)


def _passed(view: PathFacts, sent: SentRequest | None) -> bool:
    """Whether packets came through to the pod: even a refusal comes from there."""
    if sent is None:
        return arrived(view) and len(view.pods) == 1
    return sent.status is not None or sent.failure in ("refused", "reset", "empty")


def _from_node(view: PathFacts, address: str | None) -> bool:
    """Whether a pod answers its own node at an address."""
    return any(r.where == "pod" and r.address == address and r.status is not None for r in view.observation.requests)


def _denial(
    view: PathFacts,
    said: Ruling,
    direction: Direction,
    ends: tuple[Mapping[str, JSON], Mapping[str, JSON]],
    address: str | None,
) -> Finding:
    envoy, pod = ends
    policy = dict(said.by or {})
    port = view.backend.target_port if view.backend else 0
    way = f"a connection from Envoy's pod {_named(envoy)} to port {port} of {_named(pod)}"
    way += f" by IPv{ip_version(address)}" if len(_dialled(view, pod)) > 1 else ""
    whole = f"{policy.get('kind')} {_named(policy)}"
    if said.allowed is None:
        message = (
            f"{whole} applies to {way}; it could not be evaluated, and only requests from the pod's own node arrive."
        )
    else:
        message = f"{whole} {'denies' if said.explicit else 'does not allow'} {way}."
    evidence = [f"{direction} of {whole} ({policy.get('apiVersion')}): {_verdict(said)}"]
    evidence += [request_line(r) for r in view.observation.requests if r.where in ("pod", "pod from envoy")]
    labels = objects.labels(pod)
    chosen = {k: v for k, v in (view.backend.selector if view.backend else {}).items() if labels.get(k) == v}
    admission = _admission(view, direction, str(objects.namespace(pod)), chosen or labels, port)
    remedy = f"{command('printf', '%s', json.dumps(admission))} | {kubectl(view, 'apply', '--filename', '-')}"
    if said.explicit or said.allowed is None or tier_of(policy) != DEFAULT:
        remedy = _deletion(view, policy)
    several = len(_dialled(view, pod)) > 1
    return T33.finding(identity(policy), message, remedy, evidence, stops=not several or view.well is not True)


def _verdict(said: Ruling) -> str:
    if said.allowed is None:
        return "not decided"
    return "a rule denies it" if said.explicit else "it selects the pod, and no rule allows it"


def _admission(view: PathFacts, direction: Direction, namespace: str, labels: Mapping[str, str], port: int) -> JSON:
    """A NetworkPolicy that admits Envoy's pods; Kubernetes adds up what several admit."""
    envoys = view.installed.envoys if view.installed else ()
    envoy = dict(envoys[0].labels) if envoys else {"app": "envoy"}
    remote = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": view.home}},
        "podSelector": {"matchLabels": envoy},
    }
    home, subject, peers = namespace, dict(labels), "from"
    if direction == "Egress":
        home, subject, peers = view.home, envoy, "to"
        remote = {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "podSelector": {"matchLabels": dict(labels)},
        }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "admit-envoy", "namespace": home},
        "spec": {
            "podSelector": {"matchLabels": subject},
            "policyTypes": [direction],
            direction.lower(): [{peers: [remote], "ports": [{"port": port, "protocol": "TCP"}]}],
        },
    }


def _deletion(view: PathFacts, policy: dict[str, JSON]) -> str:
    group = str(policy.get("apiVersion")).partition("/")[0]
    plural = str(policy.get("kind")).lower().removesuffix("y") + "ies"
    namespace = objects.namespace(policy)
    return kubectl(view, "delete", f"{plural}.{group}", objects.name(policy), namespace=text(namespace))


def _named(item: Mapping[str, JSON]) -> str:
    namespace, name = objects.namespace(item), objects.name(item)
    return f"{namespace}/{name}" if namespace else name


# T37


def _lacks(view: PathFacts, pod: Mapping[str, JSON]) -> tuple[str, str] | None:
    """What of its network a pod has not got, and the evidence; None where it has all."""
    error = view.no_sandbox(pod)
    if error and POD_NETWORK.name in error.lower():
        return "waits for its network", f"event of {_named(pod)}: {error}"
    wire = next((wire for wire in wires(view) if wire.pod is pod), None)
    table = wire.node.filter if wire else ""
    if (
        wire
        and POD_NETWORK.dispatch_chain in table
        and POD_NETWORK.pod_chain(wire.interface) not in table
        and not arrived(view)
    ):
        return (
            "is unknown to the node's firewall",
            f"filter of {wire.node.name}: no chain {POD_NETWORK.pod_chain(wire.interface)}",
        )
    return None


def _agent_pods(view: PathFacts, node: str | None = None) -> list[dict[str, JSON]]:
    """The pods of the network's agent, on a node or on all."""
    pods = view.labelled("Pod", None, **{"k8s-app": POD_NETWORK.agent})
    return [pod for pod in pods if node in (None, objects.node_of(pod))]


def _agent_ready(view: PathFacts, node: str) -> bool:
    """Whether the network's agent is ready on a node, or the cluster has another network."""
    known = _agent_pods(view) or any(objects.name(item) == POD_NETWORK.agent for item in view.of("DaemonSet"))
    return not known or any(objects.ready(pod) for pod in _agent_pods(view, node))


def _agent(view: PathFacts) -> Identity:
    made = next((item for item in view.of("DaemonSet") if objects.name(item) == POD_NETWORK.agent), None)
    return identity(made) if made else Identity("apps/v1", "DaemonSet", POD_NETWORK.agent_namespace, POD_NETWORK.agent)


def _agent_again(view: PathFacts, node: str) -> str:
    """The command that lets the network's agent run on a node."""
    sets = [item for item in view.of("DaemonSet") if objects.name(item) == POD_NETWORK.agent]
    if not sets:
        return mend(view, NETWORK_AGENT, kubectl(view, "apply", "--filename", POD_NETWORK.manifest.url))
    namespace = objects.namespace(sets[0])
    selector = as_template(sets[0]).node_selector
    labels = objects.labels(view.get("Node", None, node) or {})
    off = [key for key, value in selector.items() if labels and labels.get(key) != value]
    if off:
        gone = json.dumps({"spec": {"template": {"spec": {"nodeSelector": dict.fromkeys(off)}}}})
        words = ("patch", "daemonset", POD_NETWORK.agent, "--type", "merge", "--patch", gone)
        return mend(view, identity(sets[0]), kubectl(view, *words, namespace=namespace))
    return kubectl(view, "rollout", "restart", "daemonset", POD_NETWORK.agent, namespace=namespace)


# T38

_DISABLED = '{"spec":{"disabled":true}}'


def _subnets(view: PathFacts) -> list[IPv4Network | IPv6Network]:
    """The pod subnets that the cluster was made with."""
    configuration = at(view.get("ConfigMap", "kube-system", "kubeadm-config"), "data", "ClusterConfiguration")
    given = re.search(r"^ *podSubnet: *[\"']?([^\s\"']+)", text(configuration) or "", re.MULTILINE)
    return [found for one in (given[1].split(",") if given else ()) if (found := network(one))]


def _inside(cidr: IPv4Network | IPv6Network, subnet: IPv4Network | IPv6Network) -> bool:
    return cidr.version == subnet.version and cidr[0] in subnet and cidr[-1] in subnet


def _pool(view: PathFacts, pool: dict[str, JSON], subnet: str) -> str:
    """The command that makes a pool in the pod subnet, and ends the use of the other."""
    made = ip_pools.like(pool, "pod-subnet", subnet)
    kind = f"ippools.{str(pool.get('apiVersion')).partition('/')[0]}"
    name = objects.name(pool)
    make_it = f"{command('printf', '%s', json.dumps(made))} | {kubectl(view, 'apply', '--filename', '-')}"
    return f"{make_it} && {kubectl(view, 'patch', kind, name, '--type', 'merge', '--patch', _DISABLED)}"

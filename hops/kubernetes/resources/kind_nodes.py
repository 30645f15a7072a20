"""The nodes of declared kind clusters, the ports that they publish and the pods that they can run."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.pods import Pod, Port
from hops.kubernetes.resources.resource import Resource, content
from hops.kubernetes.values import (
    JSON,
    UNKNOWN,
    Undecidable,
    Unknown,
    at,
    mapping,
    number,
    pairs,
    pointer,
    sequence,
    text,
    texts,
)

CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
"""kubeadm's label on control-plane nodes and, with NoSchedule, their taint."""
WILDCARDS = ("", "0.0.0.0", "::")
# `node-labels: "a=b"`, and `name: node-labels` with `value: "a=b"`.
_NODE_LABELS = re.compile(r"node-labels['\"]?(?::|\s*[,\n]\s*['\"]?value['\"]?:)\s*['\"]?([^'\"\n}]+)")

_TAG = re.compile(r":v1\.(\d+)(?:\.(\d+))?")
_CONTAINERD_2 = {29: 14, 30: 10, 31: 6, 32: 2}
"""The first patch version of each Kubernetes minor whose node image has containerd 2.

kind 0.27 built these images with containerd 2.0 (images/base/Dockerfile); later minors have no older image.
"""
_PATCHED_PORTS = re.compile(r"enable_unprivileged_ports['\"]?\s*[=:]\s*(true|false)")


@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """An entry of extraPortMappings.

    container_port: port of the node; None if missing.
    host_port: port of the machine; 0 or -1 for a random port.
    listen_address: address of the machine. Default: 0.0.0.0. Source: kind, pkg/apis/config/v1alpha4.
    protocol: in capital letters, as kind reads it; TCP if none is declared.
    pointer: JSON pointer of the entry inside the cluster's configuration.
    """

    container_port: int | None
    host_port: int
    listen_address: str
    protocol: str
    pointer: str

    def __str__(self) -> str:
        return f"{self.listen_address}:{self.host_port} -> {self.container_port}/{self.protocol}"


@dataclass(frozen=True, slots=True, eq=False)
class KindNode:
    """A node container.

    name: name that kind gives it, such as `<cluster>-worker2`.
    labels: labels of the node.
    tainted: whether it has the control-plane taint; kind sets it if the cluster has other nodes.
    mappings: its port mappings.
    pointer: JSON pointer of the node inside the cluster's configuration.
    """

    name: str
    labels: Mapping[str, str]
    tainted: bool
    mappings: Sequence[Mapped]
    pointer: str

    def publishes(self, port: Port) -> Sequence[Mapped]:
        """The mappings that forward to a hostPort of a pod."""
        return [m for m in self.mappings if m.container_port == port.host_port and m.protocol == port.protocol]

    def refuses(self, pod: Pod) -> str | None:
        """Why a pod cannot run on this node, as a clause; None if it can."""
        spec = pod.spec
        named = text(at(spec, "nodeName"))
        if named and named != self.name:
            return f"the pod is bound to node {named}"
        if self.tainted and not tolerates(spec, CONTROL_PLANE):
            return f"the pod does not tolerate the taint {CONTROL_PLANE}:NoSchedule"
        for key, value in pod.node_selector.items():
            if not self._selected(key, "In", [value]):
                return f"the pod's nodeSelector requires the label {key}={value}"
        required = at(spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
        terms = sequence(at(required, "nodeSelectorTerms"))
        if terms and not any(self._meets(term) for term in terms):
            return "the pod's node affinity does not match the node"
        return None

    def _meets(self, term: JSON) -> bool:
        expressions = sequence(at(term, "matchExpressions"))
        return all(
            self._selected(text(at(e, "key")) or "", text(at(e, "operator")) or "", texts(at(e, "values")))
            for e in expressions
        )

    def _selected(  # noqa: PLR0911 - one return an operator
        self, key: str, operator: str, values: Sequence[str]
    ) -> bool:
        # The machine decides the architecture, not the configuration.
        if key in ("kubernetes.io/arch", "beta.kubernetes.io/arch"):
            return True
        value = self.labels.get(key)
        match operator:
            case "In":
                return value in values
            case "NotIn":
                return value not in values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case "Gt" | "Lt" if value is not None and values and value.isdigit() and values[0].isdigit():
                return int(value) > int(values[0]) if operator == "Gt" else int(value) < int(values[0])
        return False


@dataclass(frozen=True, slots=True, eq=False)
class KindConfiguration:
    """A declared kind cluster.

    resource: its configuration.
    nodes: its nodes; one control plane if none are declared.
    networking: the section `networking` of the configuration.
    """

    resource: Resource
    nodes: Sequence[KindNode]
    networking: Mapping[str, JSON]


def clusters(inventory: Inventory) -> tuple[KindConfiguration, ...]:
    """All declared kind clusters. Call it as `inventory.once(clusters)`."""
    return tuple(_cluster(resource) for resource in inventory.of_kind("Cluster"))


def nodes(inventory: Inventory) -> Iterator[tuple[KindConfiguration, KindNode]]:
    """All nodes of all declared kind clusters, each with its cluster."""
    for cluster in inventory.once(clusters):
        for node in cluster.nodes:
            yield cluster, node


class Placement:
    """The nodes of all declared kind clusters, indexed for many pods. Call it as `inventory.once(Placement)`.

    Nodes refuse or take all pods with the same conditions, so each question is answered once.
    """

    def __init__(self, inventory: Inventory) -> None:
        self._nodes = list(nodes(inventory))
        self._vague = False
        self._publishing: dict[tuple[int | None, str], list[tuple[KindConfiguration, KindNode]]] = defaultdict(list)
        self._reached: dict[tuple[int | None, str, str], bool] = {}
        self._taking: dict[str, Sequence[tuple[KindConfiguration, KindNode]]] = {}
        self._host_ports: dict[KindConfiguration, frozenset[int]] = {}
        self._room: dict[str, int] = {}
        for cluster, node in self._nodes:
            try:
                for key in {(mapped.container_port, mapped.protocol): None for mapped in node.mappings}:
                    self._publishing[key].append((cluster, node))
            except Undecidable:
                self._vague = True

    def __bool__(self) -> bool:
        """Whether a node is declared."""
        return bool(self._nodes)

    def publishing(self, port: Port) -> Iterator[tuple[KindConfiguration, KindNode]]:
        """The nodes that publish a hostPort, each with its cluster. Raises Undecidable after the known ones."""
        yield from self._publishing.get((port.host_port, port.protocol), ())
        if self._vague:
            raise Undecidable

    def reached(self, pod: Pod, port: Port) -> bool:
        """Whether a node that publishes a hostPort can run the pod. Raises Undecidable."""
        key = port.host_port, port.protocol, conditions(pod)
        if key not in self._reached:
            self._reached[key] = any(node.refuses(pod) is None for _, node in self.publishing(port))
        return self._reached[key]

    def taking(self, pod: Pod) -> Sequence[tuple[KindConfiguration, KindNode]]:
        """The nodes that can run a pod, each with its cluster; those of the role worker first. Raises Undecidable."""
        key = conditions(pod)
        if key not in self._taking:
            found = [pair for pair in self._nodes if pair[1].refuses(pod) is None]
            self._taking[key] = sorted(found, key=lambda pair: "-worker" not in pair[1].name)
        return self._taking[key]

    def room(self, pod: Pod) -> int:
        """How many nodes can run a pod, in the cluster with most of them. Raises Undecidable."""
        key = conditions(pod)
        if key not in self._room:
            self._room[key] = max(Counter(cluster for cluster, _ in self.taking(pod)).values(), default=0)
        return self._room[key]

    def first(self) -> tuple[KindConfiguration, KindNode]:
        """The first node that is declared, with its cluster. Raises IndexError without one."""
        return self._nodes[0]

    def host_ports(self, cluster: KindConfiguration) -> frozenset[int]:
        """The ports of the machine that a cluster publishes."""
        if cluster not in self._host_ports:
            self._host_ports[cluster] = frozenset(m.host_port for node in cluster.nodes for m in node.mappings)
        return self._host_ports[cluster]


def conditions(pod: Pod) -> str:
    """What decides which nodes can run a pod, as canonical text: equal for pods that the same nodes can run."""
    return content([at(pod.spec, name) for name in ("nodeName", "tolerations", "nodeSelector", "affinity")])


def overlap(one: str, other: str) -> bool:
    """Whether one port on these two listen addresses conflicts."""
    if ":" in one or ":" in other:
        return one == other or (":" in one and ":" in other and "::" in (one, other))
    return one == other or one in WILDCARDS or other in WILDCARDS


def low_ports_for_all(inventory: Inventory) -> bool | None:
    """Whether any user of a pod may listen on a port below 1024; None if this is not known.

    containerd 2 sets the sysctl net.ipv4.ip_unprivileged_port_start to 0 in the network namespace of a pod;
    containerd 1 does so only if enable_unprivileged_ports is set. Source: containerd, internal/cri/config/
    config_unix.go. Call it as `inventory.once(low_ports_for_all)`.
    """
    settings = inventory.settings
    declared = [resource.body for resource in inventory.of_kind("Cluster")]
    if settings and settings.cluster.existing and not declared:
        return None
    pinned = settings.cluster.node_image if settings else f":v{inventory.kubernetes}"
    answers: set[bool | None] = set()
    for body in declared:
        patched = _PATCHED_PORTS.findall("\n".join(texts(body.get("containerdConfigPatches"))))
        if patched:
            answers.add(patched[-1] == "true")
            continue
        images = [text(at(node, "image")) or pinned for node in sequence(body.get("nodes"))]
        answers |= {_has_containerd_2(image) for image in images or [pinned]}
    if not declared:
        answers.add(_has_containerd_2(pinned))
    return answers.pop() if len(answers) == 1 else None


def _has_containerd_2(image: str) -> bool | None:
    tag = _TAG.search(image)
    if not tag:
        return None
    # A tag without a patch version stands for the newest patch version.
    minor, patch = int(tag[1]), int(tag[2]) if tag[2] else 1000
    return minor > max(_CONTAINERD_2) or patch >= _CONTAINERD_2.get(minor, 1001)


def _cluster(resource: Resource) -> KindConfiguration:
    declared = sequence(resource.body.get("nodes"))
    networking = mapping(resource.body.get("networking"))
    if declared is UNKNOWN:
        return KindConfiguration(resource, UNKNOWN, networking)
    # kind's default is one control-plane.
    entries = [(i, e) for i, e in enumerate(declared) if isinstance(e, dict) or e is UNKNOWN] or [(0, {})]
    counts: dict[str, int] = {}
    found: list[KindNode] = []
    cluster_name = resource.name or "kind"
    shared = sequence(resource.body.get("kubeadmConfigPatches"))
    for index, entry in entries:
        if isinstance(entry, Unknown):
            found.append(UNKNOWN)
            continue
        role = at(entry, "role")
        role = role if isinstance(role, str) or role is UNKNOWN else "control-plane"
        if isinstance(role, Unknown):
            found.append(UNKNOWN)
            continue
        counts[role] = counts.get(role, 0) + 1
        name = f"{cluster_name}-{role}{counts[role] if counts[role] > 1 else ''}"
        joins = "InitConfiguration" if role == "control-plane" and counts[role] == 1 else "JoinConfiguration"
        own = sequence(at(entry, "kubeadmConfigPatches"))
        patches = [
            p for part in (shared, own) if part is not UNKNOWN for p in part if isinstance(p, str) and joins in p
        ]
        labels = {
            "kubernetes.io/os": "linux",
            "beta.kubernetes.io/os": "linux",
            "kubernetes.io/hostname": name,
            **({CONTROL_PLANE: ""} if role == "control-plane" else {}),
            **_patched_labels(patches),
        }
        given = pairs(at(entry, "labels"))
        vague = given is UNKNOWN or own is UNKNOWN or shared is UNKNOWN
        tainted = (
            role == "control-plane"
            and len(entries) > 1
            and not any(re.search(r"taints['\"]?:\s*\[\s*\]", patch) for patch in patches)
        )
        found.append(
            KindNode(
                name, UNKNOWN if vague else labels | dict(given), tainted, _mappings(entry, index), f"/nodes/{index}"
            )
        )
    return KindConfiguration(resource, tuple(found), networking)


def _patched_labels(patches: Sequence[str]) -> dict[str, str]:
    """The node labels that kubeadm patches give the kubelet, in the spelling of kubeadm's v1beta3 and of v1beta4."""
    given = [m[1] for patch in patches for m in _NODE_LABELS.finditer(patch)]
    return {k: v for text_ in given for k, _, v in (entry.strip().partition("=") for entry in text_.split(","))}


def _mappings(entry: Mapping[str, JSON], index: int) -> Sequence[Mapped]:
    declared = sequence(at(entry, "extraPortMappings"))
    if isinstance(declared, Unknown):
        return UNKNOWN  # type: ignore[no-any-return]
    base = pointer("/nodes", index, "extraPortMappings")
    return tuple(
        mapping_ if mapping_ is UNKNOWN else _mapped(mapping_, f"{base}/{i}")
        for i, mapping_ in enumerate(declared)
        if isinstance(mapping_, dict) or mapping_ is UNKNOWN
    )


def _mapped(entry: Mapping[str, JSON], base: str) -> Mapped:
    host_port, listen, protocol = (entry.get(key) for key in ("hostPort", "listenAddress", "protocol"))
    return Mapped(
        container_port=number(entry.get("containerPort")),
        host_port=UNKNOWN if isinstance(host_port, Unknown) else number(host_port) or 0,
        listen_address=UNKNOWN if isinstance(listen, Unknown) else text(listen) or "0.0.0.0",
        protocol=UNKNOWN if isinstance(protocol, Unknown) else (text(protocol) or "TCP").upper(),
        pointer=base,
    )


def tolerates(spec: JSON, key: str, value: str = "", effect: str = "NoSchedule") -> bool:
    """Whether a pod tolerates a taint (core/v1, Toleration).

    spec: the pod's spec.
    key, value, effect: the taint. Default: no value, NoSchedule.

    Raises Undecidable if a toleration is unknown.
    """
    for toleration in sequence(at(spec, "tolerations")):
        its = {name: text(at(toleration, name)) or "" for name in ("key", "operator", "value", "effect")}
        if its["effect"] not in ("", effect):
            continue
        if its["key"] in ("", key) if its["operator"] == "Exists" else (its["key"], its["value"]) == (key, value):
            return True
    return False

"""The facts of one object as the API gives it: who it is, and what its spec and status say.

Every function takes an object's body and gives None, "" or nothing where the body lacks the fact.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hops.kubernetes.values import JSON, at, pairs, sequence, text


@dataclass(frozen=True)
class StatusCondition:
    """One condition of an object's status.

    status: `True`, `False` or `Unknown`; "" if missing.
    reason: one word, such as `KubeletNotReady`; "" if missing.
    message: the sentence of the component that sets it; "" if missing.
    since: when the status last changed, in RFC 3339; "" if missing.
    """

    status: str
    reason: str
    message: str
    since: str


def name(item: Mapping[str, JSON] | None) -> str:
    """The object's name, "" where it has none."""
    return text(at(_body(item), "metadata", "name")) or ""


def namespace(item: Mapping[str, JSON] | None) -> str | None:
    """The object's namespace, None where it names none."""
    return text(at(_body(item), "metadata", "namespace"))


def uid(item: Mapping[str, JSON]) -> str:
    """The identifier that the API server gave to the object, "" where it has none."""
    return text(at(_body(item), "metadata", "uid")) or ""


def created(item: Mapping[str, JSON]) -> str:
    """When the API server made the object, in RFC 3339; "" where it does not say."""
    return text(at(_body(item), "metadata", "creationTimestamp")) or ""


def described(body: Mapping[str, JSON]) -> bool:
    """Whether a value has metadata, as every object has, and other YAML seldom."""
    return "metadata" in body


def nameless(item: Mapping[str, JSON]) -> bool:
    """Whether the object has neither a name nor a prefix from which the API server makes one."""
    metadata = at(_body(item), "metadata")
    return not at(metadata, "name") and not at(metadata, "generateName")


def full_name(item: Mapping[str, JSON]) -> str:
    """`namespace/name`; an object without a namespace is one of `default`."""
    return f"{namespace(item) or 'default'}/{name(item)}"


def labels(item: Mapping[str, JSON]) -> Mapping[str, str]:
    return pairs(at(_body(item), "metadata", "labels"))


def annotations(item: Mapping[str, JSON]) -> Mapping[str, str]:
    return pairs(at(_body(item), "metadata", "annotations"))


def controller(item: Mapping[str, JSON]) -> tuple[str, str] | None:
    """The kind and name of the object that made this one; None without one."""
    owners = sequence(at(_body(item), "metadata", "ownerReferences"))
    owner: JSON = next((entry for entry in owners if at(entry, "controller")), None)
    kind, owner_name = text(at(owner, "kind")), text(at(owner, "name"))
    return (kind, owner_name) if kind and owner_name else None


def workload(item: Mapping[str, JSON]) -> tuple[str, str] | None:
    """The kind and name of the workload that made a pod, which is the Deployment of a ReplicaSet; None without one."""
    kind, owner = controller(item) or ("", "")
    if kind == "ReplicaSet":
        return "Deployment", owner.rpartition("-")[0]
    return (kind, owner) if kind else None


def deleting(item: Mapping[str, JSON]) -> bool:
    """Whether the object is being deleted."""
    return bool(at(_body(item), "metadata", "deletionTimestamp"))


def condition(item: Mapping[str, JSON] | None, kind: str) -> StatusCondition | None:
    """The condition of this type in the object's status, None where it has none."""
    for entry in sequence(at(_body(item), "status", "conditions")):
        if at(entry, "type") == kind:
            fields = (text(at(entry, key)) or "" for key in ("status", "reason", "message", "lastTransitionTime"))
            return StatusCondition(*fields)
    return None


def ready(item: Mapping[str, JSON] | None) -> bool | None:
    """Whether the condition Ready of a Pod or Node holds, None where it has none."""
    found = condition(item, "Ready")
    return None if found is None else found.status == "True"


def address(pod: Mapping[str, JSON]) -> str | None:
    """A pod's IP address."""
    return text(at(_body(pod), "status", "podIP"))


def addresses(pod: Mapping[str, JSON]) -> tuple[str, ...]:
    """A pod's IP addresses, one for each family; the first is that of `address`."""
    found = (text(at(entry, "ip")) for entry in sequence(at(_body(pod), "status", "podIPs")))
    return tuple(dict.fromkeys(one for one in (address(pod), *found) if one))


def internal_addresses(node: Mapping[str, JSON] | None) -> tuple[str, ...]:
    """A node's addresses of type InternalIP."""
    entries = sequence(at(_body(node), "status", "addresses"))
    found = (text(at(entry, "address")) for entry in entries if at(entry, "type") == "InternalIP")
    return tuple(address for address in found if address)


def node_address(node: Mapping[str, JSON] | None) -> str | None:
    """The address of a node for clients outside: its ExternalIP, or else its InternalIP."""
    entries = sequence(at(_body(node), "status", "addresses"))
    outside = (text(at(entry, "address")) for entry in entries if at(entry, "type") == "ExternalIP")
    return next((address for address in (*outside, *internal_addresses(node)) if address), None)


def cordoned(node: Mapping[str, JSON]) -> bool:
    """Whether a node takes no new pods."""
    return bool(at(_body(node), "spec", "unschedulable"))


def taints(node: Mapping[str, JSON]) -> tuple[tuple[str, str, str], ...]:
    """The key, value and effect of each taint of a node; "" for a part that is missing."""
    entries = sequence(at(_body(node), "spec", "taints"))
    return tuple(
        (text(at(entry, "key")) or "", text(at(entry, "value")) or "", text(at(entry, "effect")) or "")
        for entry in entries
    )


def architecture(node: Mapping[str, JSON] | None) -> str | None:
    """The architecture of a node, such as `arm64`."""
    return text(at(_body(node), "status", "nodeInfo", "architecture"))


def phase(pod: Mapping[str, JSON]) -> str | None:
    """A pod's phase, such as `Running`."""
    return text(at(_body(pod), "status", "phase"))


def node_of(pod: Mapping[str, JSON]) -> str | None:
    """The name of the node that a pod was given to."""
    return text(at(_body(pod), "spec", "nodeName"))


def cluster_ip(service: Mapping[str, JSON] | None) -> str | None:
    """A Service's address, None where it has none or is headless."""
    found = text(at(_body(service), "spec", "clusterIP"))
    return None if found in ("", "None") else found


def cluster_ips(service: Mapping[str, JSON] | None) -> tuple[str, ...]:
    """A Service's addresses, one for each family; the first is that of `cluster_ip`."""
    found = (text(one) for one in sequence(at(_body(service), "spec", "clusterIPs")))
    return tuple(dict.fromkeys(one for one in (cluster_ip(service), *found) if one and one != "None"))


def _body(item: Mapping[str, JSON] | None) -> JSON:
    return item if isinstance(item, dict | None) else dict(item)

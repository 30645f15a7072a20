"""The facts of one object as the API gives it: who it is, and what its spec and status say.

Every function takes an object's body and gives None, "" or nothing where the body lacks the fact.
"""

from collections.abc import Mapping

from hops.kubernetes.values import JSON, at, pairs, sequence, text


def name(item: Mapping[str, JSON] | None) -> str:
    """The object's name, "" where it has none."""
    return text(at(_body(item), "metadata", "name")) or ""


def namespace(item: Mapping[str, JSON] | None) -> str | None:
    """The object's namespace, None where it names none."""
    return text(at(_body(item), "metadata", "namespace"))


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


def condition(item: Mapping[str, JSON] | None, kind: str) -> Mapping[str, JSON] | None:
    """The condition of this type in the object's status, None where it has none."""
    found = (entry for entry in sequence(at(_body(item), "status", "conditions")) if at(entry, "type") == kind)
    return next((entry for entry in found if isinstance(entry, dict)), None)


def ready(item: Mapping[str, JSON] | None) -> bool | None:
    """Whether the condition Ready of a Pod or Node holds, None where it has none."""
    found = condition(item, "Ready")
    return None if found is None else found.get("status") == "True"


def address(pod: Mapping[str, JSON]) -> str | None:
    """A pod's IP address."""
    return text(at(_body(pod), "status", "podIP"))


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


def _body(item: Mapping[str, JSON] | None) -> JSON:
    return item if isinstance(item, dict | None) else dict(item)

"""Argo's Rollouts. Source: https://argo-rollouts.readthedocs.io/en/stable/features/specification/"""

from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.values import at, mapping, text


def strategy_services(rollout: Resource) -> frozenset[str]:
    """The Services that a Rollout names; its controller adds the hash of some pods to their selectors."""
    found: set[str] = set()
    rest = [at(rollout.body, "spec", "strategy")]
    while rest:
        for key, value in mapping(rest.pop()).items():
            if key.endswith("Service") and (name := text(value)):
                found.add(name)
            rest.append(value)
    return frozenset(found)
